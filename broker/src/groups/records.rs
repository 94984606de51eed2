//! The records of `__consumer_offsets`, in Kafka's own formats.
//!
//! ```text
//! key 0, 1: group, topic, partition → offset, leader epoch, text, time    (value 3)
//! key 2:    group                   → generation, protocol, all members   (value 3)
//! ```
//! A record without a value takes back what its key says. Kafka's tools and
//! Burrow read these records, and newer values than version 3 would be unknown
//! to them, so we write no others. Read is whatever Kafka ever wrote: values 0
//! to 4. Other keys belong to other kinds of groups and are passed over.

use bytes::Bytes;
use protocol::{DecodeError, Reader, Str, Writer};

/// The longest text of a record: its length is two bytes.
pub(crate) const MAX_TEXT_BYTES: usize = i16::MAX as usize;

const OFFSET_KEY: i16 = 1;
const GROUP_KEY: i16 = 2;
const VALUE_VERSION: i16 = 3;

/// One record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum GroupRecord {
    /// An offset is stored, or forgotten.
    Offset { group: Str, topic: Str, partition: i32, value: Option<CommittedOffset> },
    /// A group has a new generation, or is gone.
    Group { group: Str, value: Option<GroupMetadata> },
}

/// An offset that a group stored for one partition.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct CommittedOffset {
    pub(crate) offset: i64,
    /// Leader epoch of the last record that was read; -1 when it is not known.
    pub(crate) leader_epoch: i32,
    /// Text of the client; the coordinator does not look into it.
    pub(crate) metadata: Str,
    /// When the offset came, in milliseconds since 1970.
    pub(crate) commit_timestamp: i64,
    /// When it shall be forgotten; only Kafka before 2.1 wrote this.
    pub(crate) expire_timestamp: Option<i64>,
}

/// A generation of a group.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct GroupMetadata {
    /// Empty when no member ever joined.
    pub(crate) protocol_type: Str,
    pub(crate) generation: i32,
    pub(crate) protocol: Option<Str>,
    pub(crate) leader: Option<Str>,
    /// When the group came into this state, in milliseconds since 1970; -1 when that is not known.
    pub(crate) state_timestamp: i64,
    pub(crate) members: Vec<MemberMetadata>,
}

/// A member of a generation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct MemberMetadata {
    pub(crate) member_id: Str,
    pub(crate) instance_id: Option<Str>,
    pub(crate) client_id: Str,
    pub(crate) client_host: Str,
    pub(crate) rebalance_timeout_ms: i32,
    pub(crate) session_timeout_ms: i32,
    pub(crate) subscription: Bytes,
    pub(crate) assignment: Bytes,
}

impl GroupRecord {
    /// About the bytes that the record takes in a batch.
    pub(crate) fn size(&self) -> usize {
        const FIXED: usize = 48;
        match self {
            Self::Offset { group, topic, value, .. } => {
                let metadata = value.as_ref().map_or(0, |value| value.metadata.len());
                FIXED + group.len() + topic.len() + metadata
            }
            Self::Group { group, value } => {
                let members = value.iter().flat_map(|value| &value.members);
                let members = members.map(|member| {
                    FIXED
                        + member.member_id.len()
                        + member.client_id.len()
                        + member.client_host.len()
                        + member.instance_id.as_ref().map_or(0, |id| id.len())
                        + member.subscription.len()
                        + member.assignment.len()
                });
                FIXED + 2 * group.len() + members.sum::<usize>()
            }
        }
    }

    /// Key and value as they are stored.
    pub(crate) fn encode(&self) -> (Bytes, Option<Bytes>) {
        match self {
            Self::Offset { group, topic, partition, value } => {
                let key = encode(|writer| {
                    writer.put_i16(OFFSET_KEY);
                    writer.put_nullable_string(Some(group));
                    writer.put_nullable_string(Some(topic));
                    writer.put_i32(*partition);
                });
                (key, value.as_ref().map(|value| encode(|writer| value.write(writer))))
            }
            Self::Group { group, value } => {
                let key = encode(|writer| {
                    writer.put_i16(GROUP_KEY);
                    writer.put_nullable_string(Some(group));
                });
                (key, value.as_ref().map(|value| encode(|writer| value.write(writer))))
            }
        }
    }

    /// Reads a record; `None` for those of other kinds of groups.
    pub(crate) fn decode(key: &[u8], value: Option<&[u8]>) -> Result<Option<Self>, DecodeError> {
        let mut reader = Reader::new(Bytes::copy_from_slice(key));
        let value = value.map(|value| Reader::new(Bytes::copy_from_slice(value)));
        match reader.i16()? {
            0 | OFFSET_KEY => {
                let (group, topic, partition) =
                    (text(&mut reader)?, text(&mut reader)?, reader.i32()?);
                reader.finish()?;
                let value = value.map(|mut value| CommittedOffset::read(&mut value)).transpose()?;
                Ok(Some(Self::Offset { group, topic, partition, value }))
            }
            GROUP_KEY => {
                let group = text(&mut reader)?;
                reader.finish()?;
                let value = value.map(|mut value| GroupMetadata::read(&mut value)).transpose()?;
                Ok(Some(Self::Group { group, value }))
            }
            _ => Ok(None),
        }
    }
}

impl CommittedOffset {
    fn write(&self, writer: &mut Writer) {
        writer.put_i16(VALUE_VERSION);
        writer.put_i64(self.offset);
        writer.put_i32(self.leader_epoch);
        writer.put_nullable_string(Some(&self.metadata));
        writer.put_i64(self.commit_timestamp);
    }

    fn read(reader: &mut Reader) -> Result<Self, DecodeError> {
        let version = value_version(reader)?;
        let offset = reader.i64()?;
        let leader_epoch = if version >= 3 { reader.i32()? } else { -1 };
        let metadata = text(reader)?;
        let commit_timestamp = reader.i64()?;
        let expire_timestamp = if version == 1 { Some(reader.i64()?) } else { None };
        reader.tagged_fields(|_, _| Ok(false))?;
        reader.finish()?;
        Ok(Self {
            offset,
            leader_epoch,
            metadata,
            commit_timestamp,
            expire_timestamp: expire_timestamp.filter(|timestamp| *timestamp >= 0),
        })
    }
}

impl GroupMetadata {
    fn write(&self, writer: &mut Writer) {
        writer.put_i16(VALUE_VERSION);
        writer.put_nullable_string(Some(&self.protocol_type));
        writer.put_i32(self.generation);
        writer.put_nullable_string(self.protocol.as_deref());
        writer.put_nullable_string(self.leader.as_deref());
        writer.put_i64(self.state_timestamp);
        writer.put_array_length(Some(self.members.len()));
        for member in &self.members {
            writer.put_nullable_string(Some(&member.member_id));
            writer.put_nullable_string(member.instance_id.as_deref());
            writer.put_nullable_string(Some(&member.client_id));
            writer.put_nullable_string(Some(&member.client_host));
            writer.put_i32(member.rebalance_timeout_ms);
            writer.put_i32(member.session_timeout_ms);
            writer.put_nullable_bytes(Some(&member.subscription));
            writer.put_nullable_bytes(Some(&member.assignment));
        }
    }

    fn read(reader: &mut Reader) -> Result<Self, DecodeError> {
        let version = value_version(reader)?;
        let protocol_type = text(reader)?;
        let generation = reader.i32()?;
        let protocol = reader.nullable_string()?;
        let leader = reader.nullable_string()?;
        let state_timestamp = if version >= 2 { reader.i64()? } else { -1 };
        let count = reader.array_length()?.ok_or(DecodeError::UnexpectedNull)?;
        let mut members = Vec::new();
        for _ in 0..count {
            members.push(MemberMetadata::read(reader, version)?);
        }
        reader.tagged_fields(|_, _| Ok(false))?;
        reader.finish()?;
        Ok(Self { protocol_type, generation, protocol, leader, state_timestamp, members })
    }
}

impl MemberMetadata {
    fn read(reader: &mut Reader, version: i16) -> Result<Self, DecodeError> {
        let member_id = text(reader)?;
        let instance_id = if version >= 3 { reader.nullable_string()? } else { None };
        let client_id = text(reader)?;
        let client_host = text(reader)?;
        let rebalance_timeout_ms = if version >= 1 { Some(reader.i32()?) } else { None };
        let session_timeout_ms = reader.i32()?;
        let subscription = reader.nullable_bytes()?.ok_or(DecodeError::UnexpectedNull)?;
        let assignment = reader.nullable_bytes()?.ok_or(DecodeError::UnexpectedNull)?;
        reader.tagged_fields(|_, _| Ok(false))?;
        Ok(Self {
            member_id,
            instance_id,
            client_id,
            client_host,
            // The first version had one timeout for both.
            rebalance_timeout_ms: rebalance_timeout_ms.unwrap_or(session_timeout_ms),
            session_timeout_ms,
            subscription,
            assignment,
        })
    }
}

/// Checks that a record can be read when groups are loaded.
///
/// # Errors
/// Why it cannot.
pub(crate) fn check_record(key: &[u8], value: Option<&[u8]>) -> Result<(), DecodeError> {
    GroupRecord::decode(key, value).map(|_| ())
}

/// The partition of `__consumer_offsets` that keeps what is about `group`: that
/// of Java's `String.hashCode()`, made positive as Kafka's `Utils.abs` does.
pub(crate) fn partition_of(group: &str, partitions: i32) -> i32 {
    let hash = group
        .encode_utf16()
        .fold(0_i32, |hash, unit| hash.wrapping_mul(31).wrapping_add(i32::from(unit)));
    hash.checked_abs().unwrap_or(0) % partitions.max(1)
}

fn encode(write: impl FnOnce(&mut Writer)) -> Bytes {
    let mut writer = Writer::new();
    write(&mut writer);
    writer.into_frame().into_bytes()
}

fn text(reader: &mut Reader) -> Result<Str, DecodeError> {
    reader.nullable_string()?.ok_or(DecodeError::UnexpectedNull)
}

/// The version in front of a value; from 4 on the rest is in the flexible encoding.
fn value_version(reader: &mut Reader) -> Result<i16, DecodeError> {
    let version = reader.i16()?;
    if !(0..=4).contains(&version) {
        return Err(DecodeError::InvalidLength(i64::from(version)));
    }
    reader.set_flexible(version >= 4);
    Ok(version)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn some_group() -> GroupMetadata {
        GroupMetadata {
            protocol_type: Str::from_static("consumer"),
            generation: 7,
            protocol: Some(Str::from_static("range")),
            leader: Some(Str::from_static("m1")),
            state_timestamp: 12,
            members: vec![MemberMetadata {
                member_id: Str::from_static("m1"),
                instance_id: None,
                client_id: Str::from_static("c"),
                client_host: Str::from_static("/127.0.0.1"),
                rebalance_timeout_ms: 5,
                session_timeout_ms: 6,
                subscription: Bytes::from_static(b"\x01"),
                assignment: Bytes::from_static(b"\x02\x03"),
            }],
        }
    }

    fn check_round_trip(record: &GroupRecord) {
        let (key, value) = record.encode();
        assert_eq!(GroupRecord::decode(&key, value.as_deref()), Ok(Some(record.clone())));
    }

    #[test]
    fn an_offset_has_the_bytes_that_kafka_gives_it() {
        let record = GroupRecord::Offset {
            group: Str::from_static("g"),
            topic: Str::from_static("t"),
            partition: 2,
            value: Some(CommittedOffset {
                offset: 5,
                leader_epoch: 1,
                metadata: Str::from_static("m"),
                commit_timestamp: 9,
                expire_timestamp: None,
            }),
        };
        let (key, value) = record.encode();
        assert_eq!(&key[..], b"\0\x01\0\x01g\0\x01t\0\0\0\x02");
        assert_eq!(
            &value.unwrap()[..],
            b"\0\x03\0\0\0\0\0\0\0\x05\0\0\0\x01\0\x01m\0\0\0\0\0\0\0\x09"
        );
        check_round_trip(&record);
    }

    #[test]
    fn groups_and_tombstones_survive_a_round_trip() {
        let group = Str::from_static("g");
        check_round_trip(&GroupRecord::Group { group: group.clone(), value: Some(some_group()) });
        check_round_trip(&GroupRecord::Group { group: group.clone(), value: None });
        let topic = Str::from_static("t");
        check_round_trip(&GroupRecord::Offset { group, topic, partition: 0, value: None });
    }

    #[test]
    fn values_of_older_and_newer_brokers_are_read() {
        let key = b"\0\x01\0\x01g\0\x01t\0\0\0\x02";
        for (case, value, leader_epoch, expires) in [
            ("version 0", &b"\0\0\0\0\0\0\0\0\0\x05\0\x01m\0\0\0\0\0\0\0\x09"[..], -1, None),
            (
                "version 1",
                b"\0\x01\0\0\0\0\0\0\0\x05\0\x01m\0\0\0\0\0\0\0\x09\0\0\0\0\0\0\0\x0a",
                -1,
                Some(10),
            ),
            ("version 2", b"\0\x02\0\0\0\0\0\0\0\x05\0\x01m\0\0\0\0\0\0\0\x09", -1, None),
            (
                "version 4 with a topic id",
                b"\0\x04\0\0\0\0\0\0\0\x05\0\0\0\x02\x02m\0\0\0\0\0\0\0\x09\x01\0\x100123456789abcdef",
                2,
                None,
            ),
        ] {
            let Ok(Some(GroupRecord::Offset { value: Some(value), .. })) =
                GroupRecord::decode(key, Some(value))
            else {
                panic!("{case}: not read")
            };
            assert_eq!((value.offset, value.leader_epoch), (5, leader_epoch), "{case}");
            assert_eq!(value.metadata, "m", "{case}");
            assert_eq!((value.commit_timestamp, value.expire_timestamp), (9, expires), "{case}");
        }
    }

    #[test]
    fn records_of_other_kinds_of_groups_are_passed_over() {
        assert_eq!(GroupRecord::decode(b"\0\x03\0\x01g", Some(b"\0\0")), Ok(None));
    }

    #[test]
    fn a_group_is_kept_where_kafka_looks_for_it() {
        for (group, hash) in [
            ("", 0),
            ("a", 97),
            ("my-group", -1_906_497_762_i32),
            ("polygenelubricants", i32::MIN),
            ("\u{1f600}", 1_772_899),
        ] {
            let expected = if hash == i32::MIN { 0 } else { hash.abs() % 50 };
            assert_eq!(partition_of(group, 50), expected, "{group}");
        }
    }

    proptest! {
        #[test]
        fn bytes_that_are_no_records_do_not_panic(
            key in proptest::collection::vec(any::<u8>(), 0..40),
            value in proptest::option::of(proptest::collection::vec(any::<u8>(), 0..80)),
            kind in 0_u8..4,
            version in 0_u8..6,
        ) {
            let mut typed = vec![0, kind];
            typed.extend(&key);
            let value = value.map(|value| [vec![0, version], value].concat());
            let _ = GroupRecord::decode(&key, value.as_deref());
            let _ = GroupRecord::decode(&typed, value.as_deref());
        }
    }
}
