//! What reading hands out.

use protocol::Str;
use protocol::records::Headers;

use super::TopicPartition;

/// A record, borrowed from the answer that carried it.
#[derive(Debug, Clone, Copy)]
pub struct ConsumerRecord<'a> {
    /// The topic it was read from.
    pub topic: &'a Str,
    /// The partition it was read from.
    pub partition: i32,
    /// Its offset there.
    pub offset: i64,
    /// Milliseconds since 1970; -1 when it has none.
    pub timestamp: i64,
    /// Whether the broker set the timestamp when it appended the record, and not its producer.
    pub is_log_append_time: bool,
    /// The epoch of the leader that appended it; -1 when unknown (KIP-320).
    pub leader_epoch: i32,
    /// Its key, if it has one.
    pub key: Option<&'a [u8]>,
    /// Its value; none marks a deletion in compacted topics.
    pub value: Option<&'a [u8]>,
    /// Its headers, in order, repeated names included.
    pub headers: Headers<'a>,
}

/// A visitor's answer to one record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Take {
    /// Delivered: the position moves past it.
    Yes,
    /// Not wanted now: it stays first in line, and nothing more is offered.
    Stop,
}

/// What [`take`](super::Consumer::take) handed out.
#[derive(Debug, Clone, Default)]
pub struct Taken {
    /// How many records were delivered.
    pub records: usize,
    /// For [`rewind`](super::Consumer::rewind); one for each partition that delivered a record.
    pub marks: Vec<Mark>,
}

/// The position of a partition before records were taken from it.
#[derive(Debug, Clone)]
pub struct Mark {
    /// The partition.
    pub partition: TopicPartition,
    /// Offset of the first record that was taken.
    pub offset: i64,
    /// Offset after the last record that was taken.
    pub next_offset: i64,
    pub(super) assigned_in: u64,
    pub(super) sought: u64,
    pub(super) leader_epoch: i32,
    pub(super) had_moved: bool,
}

/// A committed offset, or one to commit.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct OffsetAndMetadata {
    /// The offset of the next record to read.
    pub offset: i64,
    /// The epoch of the leader that appended the record before it, if known (KIP-320).
    pub leader_epoch: Option<i32>,
    /// Text of the application's own.
    pub metadata: Str,
}

impl From<i64> for OffsetAndMetadata {
    fn from(offset: i64) -> Self {
        Self { offset, ..Self::default() }
    }
}
