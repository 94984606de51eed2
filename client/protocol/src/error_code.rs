//! Kafka's error codes, all of them, in one table.

macro_rules! error_codes {
    ($($variant:ident = $code:literal, $name:literal, $retriable:literal, $message:literal;)*) => {
        /// A number by which a broker says why it did not do what it was asked.
        ///
        /// The table is that of Kafka 4.3.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
        #[repr(i16)]
        pub enum ErrorCode {
            $(#[doc = $message]
            $variant = $code,)*
        }

        impl Default for ErrorCode {
            fn default() -> Self {
                Self::None
            }
        }

        impl ErrorCode {
            /// Every code, in ascending order.
            pub const ALL: &[Self] = &[$(Self::$variant),*];

            /// The code with this number. One that Kafka 4.3 does not have is taken
            /// for [`ErrorCode::UnknownServerError`], as its clients do.
            pub fn from_i16(code: i16) -> Self {
                match code {
                    $($code => Self::$variant,)*
                    _ => Self::UnknownServerError,
                }
            }

            /// Kafka's name for the code, as in `UNKNOWN_TOPIC_OR_PARTITION`.
            pub fn name(self) -> &'static str {
                match self {
                    $(Self::$variant => $name,)*
                }
            }

            /// A sentence for people.
            pub fn message(self) -> &'static str {
                match self {
                    $(Self::$variant => $message,)*
                }
            }

            /// Whether the same request may succeed when it is sent again.
            pub fn is_retriable(self) -> bool {
                match self {
                    $(Self::$variant => $retriable,)*
                }
            }
        }
    };
}

impl ErrorCode {
    /// The number on the wire.
    pub fn code(self) -> i16 {
        self as i16
    }

    /// Whether this is an error at all.
    pub fn is_error(self) -> bool {
        self != Self::None
    }

    /// `Ok` for [`ErrorCode::None`], the error otherwise.
    pub fn into_result(self) -> Result<(), Self> {
        if self.is_error() { Err(self) } else { Ok(()) }
    }
}

impl std::fmt::Display for ErrorCode {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str(self.message())
    }
}

impl std::error::Error for ErrorCode {}

error_codes! {
    UnknownServerError = -1, "UNKNOWN_SERVER_ERROR", false, "The server met an error it did not expect.";
    None = 0, "NONE", false, "No error.";
    OffsetOutOfRange = 1, "OFFSET_OUT_OF_RANGE", false, "The requested offset is not within the range of offsets that the server holds.";
    CorruptMessage = 2, "CORRUPT_MESSAGE", true, "This message failed its CRC check, has an impossible size, or is corrupt in another way.";
    UnknownTopicOrPartition = 3, "UNKNOWN_TOPIC_OR_PARTITION", true, "This server does not host this topic-partition.";
    InvalidFetchSize = 4, "INVALID_FETCH_SIZE", false, "The requested fetch size is not valid.";
    LeaderNotAvailable = 5, "LEADER_NOT_AVAILABLE", true, "There is no leader for this topic-partition right now.";
    NotLeaderOrFollower = 6, "NOT_LEADER_OR_FOLLOWER", true, "This server is not the leader of this topic-partition.";
    RequestTimedOut = 7, "REQUEST_TIMED_OUT", true, "The request timed out.";
    BrokerNotAvailable = 8, "BROKER_NOT_AVAILABLE", false, "The broker is not available.";
    ReplicaNotAvailable = 9, "REPLICA_NOT_AVAILABLE", true, "The replica of this topic-partition is not available.";
    MessageTooLarge = 10, "MESSAGE_TOO_LARGE", false, "The request included a message larger than the max message size the server will accept.";
    StaleControllerEpoch = 11, "STALE_CONTROLLER_EPOCH", false, "The controller has moved to another broker.";
    OffsetMetadataTooLarge = 12, "OFFSET_METADATA_TOO_LARGE", false, "The metadata field of the offset commit is too large.";
    NetworkException = 13, "NETWORK_EXCEPTION", true, "The server disconnected before an answer arrived.";
    CoordinatorLoadInProgress = 14, "COORDINATOR_LOAD_IN_PROGRESS", true, "The coordinator is loading its state and cannot answer yet.";
    CoordinatorNotAvailable = 15, "COORDINATOR_NOT_AVAILABLE", true, "The coordinator is not available.";
    NotCoordinator = 16, "NOT_COORDINATOR", true, "This is not the right coordinator.";
    InvalidTopicException = 17, "INVALID_TOPIC_EXCEPTION", false, "The request attempted to perform an operation on an invalid topic.";
    RecordListTooLarge = 18, "RECORD_LIST_TOO_LARGE", false, "The record batch is larger than a segment of the log.";
    NotEnoughReplicas = 19, "NOT_ENOUGH_REPLICAS", true, "There are fewer in-sync replicas than required.";
    NotEnoughReplicasAfterAppend = 20, "NOT_ENOUGH_REPLICAS_AFTER_APPEND", true, "The records were written, but to fewer in-sync replicas than required.";
    InvalidRequiredAcks = 21, "INVALID_REQUIRED_ACKS", false, "The value of acks is none of 0, 1 and -1.";
    IllegalGeneration = 22, "ILLEGAL_GENERATION", false, "The generation of the group is another one.";
    InconsistentGroupProtocol = 23, "INCONSISTENT_GROUP_PROTOCOL", false, "The member's protocols or protocol type do not fit those of the group.";
    InvalidGroupId = 24, "INVALID_GROUP_ID", false, "The group id is not valid.";
    UnknownMemberId = 25, "UNKNOWN_MEMBER_ID", false, "The coordinator does not know this member.";
    InvalidSessionTimeout = 26, "INVALID_SESSION_TIMEOUT", false, "The session timeout is not within the range that the broker allows (group.min.session.timeout.ms, group.max.session.timeout.ms).";
    RebalanceInProgress = 27, "REBALANCE_IN_PROGRESS", false, "The group is rebalancing: a rejoin is needed.";
    InvalidCommitOffsetSize = 28, "INVALID_COMMIT_OFFSET_SIZE", false, "The offset commit is too large.";
    TopicAuthorizationFailed = 29, "TOPIC_AUTHORIZATION_FAILED", false, "Topic authorization failed.";
    GroupAuthorizationFailed = 30, "GROUP_AUTHORIZATION_FAILED", false, "Group authorization failed.";
    ClusterAuthorizationFailed = 31, "CLUSTER_AUTHORIZATION_FAILED", false, "Cluster authorization failed.";
    InvalidTimestamp = 32, "INVALID_TIMESTAMP", false, "The timestamp of the message is out of the range that is accepted.";
    UnsupportedSaslMechanism = 33, "UNSUPPORTED_SASL_MECHANISM", false, "The broker does not support the requested SASL mechanism.";
    IllegalSaslState = 34, "ILLEGAL_SASL_STATE", false, "The request is not valid in this state of the SASL handshake.";
    UnsupportedVersion = 35, "UNSUPPORTED_VERSION", false, "The version of the API is not supported.";
    TopicAlreadyExists = 36, "TOPIC_ALREADY_EXISTS", false, "Topic with this name already exists.";
    InvalidPartitions = 37, "INVALID_PARTITIONS", false, "Number of partitions is below 1, or not above the present number.";
    InvalidReplicationFactor = 38, "INVALID_REPLICATION_FACTOR", false, "Replication factor is below 1 or larger than the number of available brokers.";
    InvalidReplicaAssignment = 39, "INVALID_REPLICA_ASSIGNMENT", false, "The replica assignment is not valid.";
    InvalidConfig = 40, "INVALID_CONFIG", false, "The configuration is not valid.";
    NotController = 41, "NOT_CONTROLLER", true, "This is not the right controller for this cluster.";
    InvalidRequest = 42, "INVALID_REQUEST", false, "The request is malformed or contradicts itself.";
    UnsupportedForMessageFormat = 43, "UNSUPPORTED_FOR_MESSAGE_FORMAT", false, "The format of the stored messages does not support the request.";
    PolicyViolation = 44, "POLICY_VIOLATION", false, "The request violates a policy.";
    OutOfOrderSequenceNumber = 45, "OUT_OF_ORDER_SEQUENCE_NUMBER", false, "The broker received a sequence number that is out of order.";
    DuplicateSequenceNumber = 46, "DUPLICATE_SEQUENCE_NUMBER", false, "The broker received a sequence number that it has already.";
    InvalidProducerEpoch = 47, "INVALID_PRODUCER_EPOCH", false, "The producer sent an epoch older than the present one.";
    InvalidTxnState = 48, "INVALID_TXN_STATE", false, "The producer attempted this operation in a state of its transaction that does not allow it.";
    InvalidProducerIdMapping = 49, "INVALID_PRODUCER_ID_MAPPING", false, "The producer id is not the one that is assigned to this transactional id.";
    InvalidTransactionTimeout = 50, "INVALID_TRANSACTION_TIMEOUT", false, "The transaction timeout is larger than the broker allows (transaction.max.timeout.ms).";
    ConcurrentTransactions = 51, "CONCURRENT_TRANSACTIONS", true, "Another operation on the same transaction is under way.";
    TransactionCoordinatorFenced = 52, "TRANSACTION_COORDINATOR_FENCED", false, "The transaction coordinator that sent a marker is no longer the present one.";
    TransactionalIdAuthorizationFailed = 53, "TRANSACTIONAL_ID_AUTHORIZATION_FAILED", false, "Transactional id authorization failed.";
    SecurityDisabled = 54, "SECURITY_DISABLED", false, "Security features are switched off.";
    OperationNotAttempted = 55, "OPERATION_NOT_ATTEMPTED", false, "The operation was not attempted, because another one in the same request failed.";
    KafkaStorageError = 56, "KAFKA_STORAGE_ERROR", true, "Disk error when trying to access the log on disk.";
    LogDirNotFound = 57, "LOG_DIR_NOT_FOUND", false, "The log directory is not known.";
    SaslAuthenticationFailed = 58, "SASL_AUTHENTICATION_FAILED", false, "SASL authentication failed.";
    UnknownProducerId = 59, "UNKNOWN_PRODUCER_ID", false, "The producer id has no state at the broker.";
    ReassignmentInProgress = 60, "REASSIGNMENT_IN_PROGRESS", false, "A reassignment of the partition is under way.";
    DelegationTokenAuthDisabled = 61, "DELEGATION_TOKEN_AUTH_DISABLED", false, "Delegation tokens are switched off.";
    DelegationTokenNotFound = 62, "DELEGATION_TOKEN_NOT_FOUND", false, "The delegation token is not known.";
    DelegationTokenOwnerMismatch = 63, "DELEGATION_TOKEN_OWNER_MISMATCH", false, "The delegation token belongs to another principal.";
    DelegationTokenRequestNotAllowed = 64, "DELEGATION_TOKEN_REQUEST_NOT_ALLOWED", false, "Delegation tokens are not allowed over this connection.";
    DelegationTokenAuthorizationFailed = 65, "DELEGATION_TOKEN_AUTHORIZATION_FAILED", false, "Delegation token authorization failed.";
    DelegationTokenExpired = 66, "DELEGATION_TOKEN_EXPIRED", false, "The delegation token has expired.";
    InvalidPrincipalType = 67, "INVALID_PRINCIPAL_TYPE", false, "The principal type is not supported.";
    NonEmptyGroup = 68, "NON_EMPTY_GROUP", false, "The group is not empty.";
    GroupIdNotFound = 69, "GROUP_ID_NOT_FOUND", false, "The group id does not exist.";
    FetchSessionIdNotFound = 70, "FETCH_SESSION_ID_NOT_FOUND", true, "The fetch session id is not known.";
    InvalidFetchSessionEpoch = 71, "INVALID_FETCH_SESSION_EPOCH", true, "The fetch session epoch is not valid.";
    ListenerNotFound = 72, "LISTENER_NOT_FOUND", true, "The leader has no listener that fits the one of the request.";
    TopicDeletionDisabled = 73, "TOPIC_DELETION_DISABLED", false, "Topic deletion is switched off (delete.topic.enable).";
    FencedLeaderEpoch = 74, "FENCED_LEADER_EPOCH", true, "The leader epoch of the request is older than the present one.";
    UnknownLeaderEpoch = 75, "UNKNOWN_LEADER_EPOCH", true, "The leader epoch of the request is newer than the present one.";
    UnsupportedCompressionType = 76, "UNSUPPORTED_COMPRESSION_TYPE", false, "The compression type is not supported in this version of the request.";
    StaleBrokerEpoch = 77, "STALE_BROKER_EPOCH", false, "The broker epoch has changed.";
    OffsetNotAvailable = 78, "OFFSET_NOT_AVAILABLE", true, "The leader does not know its high watermark yet.";
    MemberIdRequired = 79, "MEMBER_ID_REQUIRED", false, "The group member needs to have a valid member id before it joins: repeat the request with the one in this answer.";
    PreferredLeaderNotAvailable = 80, "PREFERRED_LEADER_NOT_AVAILABLE", true, "The preferred leader is not available.";
    GroupMaxSizeReached = 81, "GROUP_MAX_SIZE_REACHED", false, "The group has as many members as it may have (group.max.size).";
    FencedInstanceId = 82, "FENCED_INSTANCE_ID", false, "Another member with the same group instance id has joined.";
    EligibleLeadersNotAvailable = 83, "ELIGIBLE_LEADERS_NOT_AVAILABLE", true, "No eligible leader is available.";
    ElectionNotNeeded = 84, "ELECTION_NOT_NEEDED", true, "The partition has the right leader already.";
    NoReassignmentInProgress = 85, "NO_REASSIGNMENT_IN_PROGRESS", false, "No reassignment of the partition is under way.";
    GroupSubscribedToTopic = 86, "GROUP_SUBSCRIBED_TO_TOPIC", false, "The group is subscribed to the topic whose offsets were to be deleted.";
    InvalidRecord = 87, "INVALID_RECORD", false, "A record failed validation.";
    UnstableOffsetCommit = 88, "UNSTABLE_OFFSET_COMMIT", true, "There are offset commits of open transactions.";
    ThrottlingQuotaExceeded = 89, "THROTTLING_QUOTA_EXCEEDED", true, "The throttling quota is exceeded.";
    ProducerFenced = 90, "PRODUCER_FENCED", false, "A newer producer with the same transactional id has taken over.";
    ResourceNotFound = 91, "RESOURCE_NOT_FOUND", false, "The resource does not exist.";
    DuplicateResource = 92, "DUPLICATE_RESOURCE", false, "The resource exists already.";
    UnacceptableCredential = 93, "UNACCEPTABLE_CREDENTIAL", false, "The credential does not meet the requirements.";
    InconsistentVoterSet = 94, "INCONSISTENT_VOTER_SET", false, "The voters of sender and receiver differ.";
    InvalidUpdateVersion = 95, "INVALID_UPDATE_VERSION", false, "The feature level is not valid.";
    FeatureUpdateFailed = 96, "FEATURE_UPDATE_FAILED", false, "The feature update failed.";
    PrincipalDeserializationFailure = 97, "PRINCIPAL_DESERIALIZATION_FAILURE", false, "The principal of a forwarded request could not be read.";
    SnapshotNotFound = 98, "SNAPSHOT_NOT_FOUND", false, "The snapshot does not exist.";
    PositionOutOfRange = 99, "POSITION_OUT_OF_RANGE", false, "The position is not within the snapshot.";
    UnknownTopicId = 100, "UNKNOWN_TOPIC_ID", true, "This server does not host this topic ID.";
    DuplicateBrokerRegistration = 101, "DUPLICATE_BROKER_REGISTRATION", false, "Another broker is registered under the same id.";
    BrokerIdNotRegistered = 102, "BROKER_ID_NOT_REGISTERED", false, "The broker id is not registered.";
    InconsistentTopicId = 103, "INCONSISTENT_TOPIC_ID", true, "The topic id in the log differs from the one in the request.";
    InconsistentClusterId = 104, "INCONSISTENT_CLUSTER_ID", false, "The cluster id of the request is not the one of this cluster.";
    TransactionalIdNotFound = 105, "TRANSACTIONAL_ID_NOT_FOUND", false, "The transactional id is not known.";
    FetchSessionTopicIdError = 106, "FETCH_SESSION_TOPIC_ID_ERROR", true, "The fetch session holds another topic id for this topic.";
    IneligibleReplica = 107, "INELIGIBLE_REPLICA", false, "The replica is not eligible for the set of in-sync replicas.";
    NewLeaderElected = 108, "NEW_LEADER_ELECTED", false, "The change of replicas elected a new leader.";
    OffsetMovedToTieredStorage = 109, "OFFSET_MOVED_TO_TIERED_STORAGE", false, "The requested offset lies in tiered storage.";
    FencedMemberEpoch = 110, "FENCED_MEMBER_EPOCH", false, "The member epoch is not the one that the coordinator holds.";
    UnreleasedInstanceId = 111, "UNRELEASED_INSTANCE_ID", false, "The instance id is still used by another member.";
    UnsupportedAssignor = 112, "UNSUPPORTED_ASSIGNOR", false, "The assignor is not supported by the coordinator.";
    StaleMemberEpoch = 113, "STALE_MEMBER_EPOCH", false, "The member epoch is older than the present one.";
    MismatchedEndpointType = 114, "MISMATCHED_ENDPOINT_TYPE", false, "The request reached the wrong kind of endpoint.";
    UnsupportedEndpointType = 115, "UNSUPPORTED_ENDPOINT_TYPE", false, "The kind of endpoint is not known.";
    UnknownControllerId = 116, "UNKNOWN_CONTROLLER_ID", false, "The controller id is not known.";
    UnknownSubscriptionId = 117, "UNKNOWN_SUBSCRIPTION_ID", false, "The subscription id of client metrics is not known or out of date.";
    TelemetryTooLarge = 118, "TELEMETRY_TOO_LARGE", false, "The client metrics are larger than the broker accepts.";
    InvalidRegistration = 119, "INVALID_REGISTRATION", false, "The registration of the controller is not valid.";
    TransactionAbortable = 120, "TRANSACTION_ABORTABLE", false, "The transaction has to be aborted.";
    InvalidRecordState = 121, "INVALID_RECORD_STATE", false, "The state of the shared records does not allow this.";
    ShareSessionNotFound = 122, "SHARE_SESSION_NOT_FOUND", true, "The share session is not known.";
    InvalidShareSessionEpoch = 123, "INVALID_SHARE_SESSION_EPOCH", true, "The share session epoch is not valid.";
    FencedStateEpoch = 124, "FENCED_STATE_EPOCH", false, "The state epoch of the share coordinator is older than the present one.";
    InvalidVoterKey = 125, "INVALID_VOTER_KEY", false, "The key of the voter is not valid.";
    DuplicateVoter = 126, "DUPLICATE_VOTER", false, "The voter is in the set already.";
    VoterNotFound = 127, "VOTER_NOT_FOUND", false, "The voter is not in the set.";
    InvalidRegularExpression = 128, "INVALID_REGULAR_EXPRESSION", false, "The regular expression is not valid.";
    RebootstrapRequired = 129, "REBOOTSTRAP_REQUIRED", false, "The client should start again from its bootstrap servers.";
    StreamsInvalidTopology = 130, "STREAMS_INVALID_TOPOLOGY", false, "The topology of the Streams group is not valid.";
    StreamsInvalidTopologyEpoch = 131, "STREAMS_INVALID_TOPOLOGY_EPOCH", false, "The epoch of the Streams topology is not valid.";
    StreamsTopologyFenced = 132, "STREAMS_TOPOLOGY_FENCED", false, "The epoch of the Streams topology is out of date.";
    ShareSessionLimitReached = 133, "SHARE_SESSION_LIMIT_REACHED", true, "The limit of share sessions is reached.";
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_code_is_found_by_its_number() {
        for &code in ErrorCode::ALL {
            assert_eq!(ErrorCode::from_i16(code.code()), code);
        }
        assert_eq!(ErrorCode::from_i16(31_000), ErrorCode::UnknownServerError);
        assert_eq!(ErrorCode::ALL.len(), 135);
    }
}
