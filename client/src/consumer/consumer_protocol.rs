//! What the members of a consumer group tell one another through the broker.
//!
//! The broker passes these bytes on without a look. Every version begins with
//! its number, then all fields of the older versions in the same order, so a
//! newer version than ours is read as ours.
//!
//! Versions: 1 owned partitions (KIP-429) · 2 generation · 3 rack (KIP-881).

use bytes::Bytes;
use protocol::{DecodeError, Field, Reader, Str, Writer};

use super::topic_partition::{TopicPartition, group_by_topic};

/// The version that is written. Readers of older versions skip what they do not know.
const VERSION: i16 = 3;

/// The generation of a member that has none.
pub(crate) const NO_GENERATION: i32 = -1;

/// What one member wants to read and what it holds already.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Subscription {
    pub(crate) topics: Vec<Str>,
    /// For the assignor of the same name; see [`StickyUserData`].
    pub(crate) user_data: Option<Bytes>,
    pub(crate) owned_partitions: Vec<TopicPartition>,
    /// `None`: the member speaks a version below 2.
    pub(crate) generation: Option<i32>,
    pub(crate) rack: Option<Str>,
}

impl Subscription {
    pub(crate) fn encode(&self) -> Bytes {
        let mut writer = Writer::new();
        writer.put_i16(VERSION);
        self.topics.write(&mut writer, VERSION);
        self.user_data.write(&mut writer, VERSION);
        write_partitions(&mut writer, &self.owned_partitions);
        writer.put_i32(self.generation.unwrap_or(NO_GENERATION));
        writer.put_nullable_string(self.rack.as_deref());
        writer.into_frame().into_bytes()
    }

    /// Names are copied: they outlive the answer that carried them.
    pub(crate) fn decode(bytes: Bytes) -> Result<Self, DecodeError> {
        let mut reader = Reader::new(bytes);
        let version = reader.i16()?;
        let topics = Vec::<Str>::read(&mut reader, version)?.iter().map(Str::detached).collect();
        let user_data = reader.nullable_bytes()?.map(|bytes| Bytes::copy_from_slice(&bytes));
        let mut subscription = Self { topics, user_data, ..Self::default() };
        if version >= 1 {
            subscription.owned_partitions = read_partitions(&mut reader)?;
        }
        if version >= 2 {
            subscription.generation = Some(reader.i32()?);
        }
        if version >= 3 {
            subscription.rack = reader.nullable_string()?.map(|rack| rack.detached());
        }
        Ok(subscription)
    }
}

/// The bytes by which the leader tells a member its partitions.
pub(crate) fn encode_assignment(partitions: &[TopicPartition]) -> Bytes {
    let mut writer = Writer::new();
    writer.put_i16(VERSION);
    write_partitions(&mut writer, partitions);
    writer.put_nullable_bytes(None);
    writer.into_frame().into_bytes()
}

/// Reads [`encode_assignment`]'s bytes; sorted. No bytes at all, which a member
/// gets that the leader did not know of, are no partitions.
pub(crate) fn decode_assignment(bytes: Bytes) -> Result<Vec<TopicPartition>, DecodeError> {
    if bytes.is_empty() {
        return Ok(Vec::new());
    }
    let mut reader = Reader::new(bytes);
    reader.i16()?;
    let mut partitions = read_partitions(&mut reader)?;
    partitions.sort();
    partitions.dedup();
    Ok(partitions)
}

/// User data of the `sticky` assignor: what the member held before it gave
/// everything up to join.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct StickyUserData {
    pub(crate) previous: Vec<TopicPartition>,
    /// `None` in the bytes of clients before Kafka 2.3.
    pub(crate) generation: Option<i32>,
}

impl StickyUserData {
    pub(crate) fn encode(&self) -> Bytes {
        let mut writer = Writer::new();
        write_partitions(&mut writer, &self.previous);
        writer.put_i32(self.generation.unwrap_or(NO_GENERATION));
        writer.into_frame().into_bytes()
    }

    /// The two versions carry no number: the newer one is longer.
    pub(crate) fn decode(bytes: Bytes) -> Result<Self, DecodeError> {
        let mut reader = Reader::new(bytes);
        let previous = read_partitions(&mut reader)?;
        let generation = if reader.left() == 0 { None } else { Some(reader.i32()?) };
        Ok(Self { previous, generation })
    }
}

/// User data of the `cooperative-sticky` assignor, read by members that speak
/// versions below 2 of the subscription.
pub(crate) fn encode_cooperative_user_data(generation: i32) -> Bytes {
    Bytes::copy_from_slice(&generation.to_be_bytes())
}

/// Reads [`encode_cooperative_user_data`]'s bytes.
pub(crate) fn decode_cooperative_user_data(bytes: Bytes) -> Result<i32, DecodeError> {
    Reader::new(bytes).i32()
}

fn write_partitions(writer: &mut Writer, partitions: &[TopicPartition]) {
    let mut partitions: Vec<_> = partitions.iter().collect();
    partitions.sort();
    let topics = group_by_topic(partitions.into_iter().map(|p| (p.topic.clone(), p.partition)));
    writer.put_array_length(Some(topics.len()));
    for (topic, partitions) in topics {
        writer.put_nullable_string(Some(&topic));
        partitions.write(writer, VERSION);
    }
}

fn read_partitions(reader: &mut Reader) -> Result<Vec<TopicPartition>, DecodeError> {
    let topics = reader.array_length()?.ok_or(DecodeError::UnexpectedNull)?;
    let mut all = Vec::new();
    for _ in 0..topics {
        let topic = Str::read(reader, VERSION)?.detached();
        let partitions = Vec::<i32>::read(reader, VERSION)?;
        all.extend(
            partitions
                .into_iter()
                .map(|partition| TopicPartition { topic: topic.clone(), partition }),
        );
    }
    Ok(all)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn partitions(of: &[(&str, i32)]) -> Vec<TopicPartition> {
        of.iter().map(|(topic, partition)| TopicPartition::new(*topic, *partition)).collect()
    }

    #[test]
    fn subscription_has_the_bytes_of_version_3() {
        let subscription = Subscription {
            topics: vec!["ab".into()],
            user_data: Some(Bytes::from_static(&[9])),
            owned_partitions: partitions(&[("ab", 1), ("ab", 0)]),
            generation: Some(7),
            rack: Some("r".into()),
        };
        let bytes = subscription.encode();
        assert_eq!(
            &bytes[..],
            b"\0\x03\0\0\0\x01\0\x02ab\0\0\0\x01\x09\0\0\0\x01\0\x02ab\0\0\0\x02\0\0\0\0\0\0\0\x01\0\0\0\x07\0\x01r"
        );
        let sorted =
            Subscription { owned_partitions: partitions(&[("ab", 0), ("ab", 1)]), ..subscription };
        assert_eq!(Subscription::decode(bytes), Ok(sorted));
    }

    #[test]
    fn older_and_newer_subscriptions_are_read() {
        for (version, bytes, owned, generation) in [
            (0, &b"\0\0\0\0\0\x01\0\x01t\xff\xff\xff\xff"[..], vec![], None),
            (
                1,
                b"\0\x01\0\0\0\x01\0\x01t\xff\xff\xff\xff\0\0\0\x01\0\x01t\0\0\0\x01\0\0\0\x02",
                vec![("t", 2)],
                None,
            ),
            (2, b"\0\x02\0\0\0\x01\0\x01t\xff\xff\xff\xff\0\0\0\0\0\0\0\x05", vec![], Some(5)),
            (
                9,
                b"\0\x09\0\0\0\x01\0\x01t\xff\xff\xff\xff\0\0\0\0\0\0\0\x05\xff\xffmore",
                vec![],
                Some(5),
            ),
        ] {
            let read = Subscription::decode(Bytes::from_static(bytes)).unwrap();
            assert_eq!(read.topics, ["t"], "version {version}");
            assert_eq!(read.owned_partitions, partitions(&owned), "version {version}");
            assert_eq!(read.generation, generation, "version {version}");
        }
    }

    #[test]
    fn assignment_comes_back_sorted() {
        let bytes = encode_assignment(&partitions(&[("b", 0), ("a", 1), ("a", 0)]));
        assert_eq!(
            &bytes[..],
            b"\0\x03\0\0\0\x02\0\x01a\0\0\0\x02\0\0\0\0\0\0\0\x01\0\x01b\0\0\0\x01\0\0\0\0\xff\xff\xff\xff"
        );
        assert_eq!(decode_assignment(bytes), Ok(partitions(&[("a", 0), ("a", 1), ("b", 0)])));
        assert_eq!(decode_assignment(Bytes::new()), Ok(vec![]));
    }

    #[test]
    fn sticky_user_data_is_read_with_and_without_its_generation() {
        let old = b"\0\0\0\x01\0\x01t\0\0\0\x01\0\0\0\x02";
        let expected = StickyUserData { previous: partitions(&[("t", 2)]), generation: None };
        assert_eq!(StickyUserData::decode(Bytes::from_static(old)), Ok(expected.clone()));
        let new = StickyUserData { generation: Some(4), ..expected };
        assert_eq!(&new.encode()[..], [&old[..], b"\0\0\0\x04"].concat());
        assert_eq!(StickyUserData::decode(new.encode()), Ok(new));
    }

    #[test]
    fn cut_bytes_are_an_error() {
        let whole = Subscription {
            topics: vec!["t".into()],
            generation: Some(1),
            ..Subscription::default()
        }
        .encode();
        for length in 0..whole.len() {
            assert!(Subscription::decode(whole.slice(..length)).is_err(), "{length} bytes");
        }
    }
}
