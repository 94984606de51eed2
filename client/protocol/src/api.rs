//! The APIs and their versions, in one table.

use std::ops::RangeInclusive;

macro_rules! apis {
    ($($name:ident = $key:literal, $versions:expr, $flexible:expr;)*) => {
        /// A kind of request, by the number that request headers carry.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
        #[repr(i16)]
        #[allow(missing_docs, reason = "the messages of the same names are documented")]
        pub enum ApiKey {
            $($name = $key,)*
        }

        impl ApiKey {
            /// Every API that this codec knows, in ascending order of their numbers.
            pub const ALL: &[Self] = &[$(Self::$name),*];

            /// The API with this number, if this codec knows it.
            pub fn from_i16(key: i16) -> Option<Self> {
                match key {
                    $($key => Some(Self::$name),)*
                    _ => None,
                }
            }

            /// Kafka's name for the API.
            pub fn name(self) -> &'static str {
                match self {
                    $(Self::$name => stringify!($name),)*
                }
            }

            /// The versions that this codec reads and writes, which are those that
            /// Kafka 4.3 lists.
            pub fn versions(self) -> RangeInclusive<i16> {
                match self {
                    $(Self::$name => $versions,)*
                }
            }

            /// Whether the version has compact lengths and tagged fields (KIP-482).
            pub fn is_flexible(self, version: i16) -> bool {
                match self {
                    $(Self::$name => version >= $flexible,)*
                }
            }
        }
    };
}

impl ApiKey {
    /// The number on the wire.
    pub fn code(self) -> i16 {
        self as i16
    }
}

apis! {
    Produce = 0, 0..=13, 9;
    Fetch = 1, 4..=18, 12;
    ListOffsets = 2, 1..=11, 6;
    Metadata = 3, 0..=13, 9;
    OffsetCommit = 8, 2..=10, 8;
    OffsetFetch = 9, 1..=10, 6;
    FindCoordinator = 10, 0..=6, 3;
    JoinGroup = 11, 0..=9, 6;
    Heartbeat = 12, 0..=4, 4;
    LeaveGroup = 13, 0..=5, 4;
    SyncGroup = 14, 0..=5, 4;
    DescribeGroups = 15, 0..=6, 5;
    ListGroups = 16, 0..=5, 3;
    ApiVersions = 18, 0..=4, 3;
    CreateTopics = 19, 2..=7, 5;
    DeleteTopics = 20, 1..=6, 4;
    DeleteRecords = 21, 0..=2, 2;
    InitProducerId = 22, 0..=5, 2;
    OffsetForLeaderEpoch = 23, 2..=4, 4;
    DescribeConfigs = 32, 1..=4, 4;
    CreatePartitions = 37, 0..=3, 2;
    DeleteGroups = 42, 0..=2, 2;
    IncrementalAlterConfigs = 44, 0..=1, 1;
    OffsetDelete = 47, 0..=0, i16::MAX;
    DescribeCluster = 60, 0..=2, 0;
}
