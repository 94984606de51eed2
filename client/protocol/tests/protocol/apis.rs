//! Every API with the types of its messages.

use protocol::{
    ApiKey, DecodeError, Frame, Message, Reader, RequestHeader, decode_response_header,
};

/// Calls a macro with the request and the response of an API. A new API does
/// not compile until it stands here; its golden frames are missed at run time.
macro_rules! with_messages {
    ($key:expr, $then:ident) => {
        match $key {
            ApiKey::Produce => $then!(ProduceRequest, ProduceResponse),
            ApiKey::Fetch => $then!(FetchRequest, FetchResponse),
            ApiKey::ListOffsets => $then!(ListOffsetsRequest, ListOffsetsResponse),
            ApiKey::Metadata => $then!(MetadataRequest, MetadataResponse),
            ApiKey::OffsetCommit => $then!(OffsetCommitRequest, OffsetCommitResponse),
            ApiKey::OffsetFetch => $then!(OffsetFetchRequest, OffsetFetchResponse),
            ApiKey::FindCoordinator => $then!(FindCoordinatorRequest, FindCoordinatorResponse),
            ApiKey::JoinGroup => $then!(JoinGroupRequest, JoinGroupResponse),
            ApiKey::Heartbeat => $then!(HeartbeatRequest, HeartbeatResponse),
            ApiKey::LeaveGroup => $then!(LeaveGroupRequest, LeaveGroupResponse),
            ApiKey::SyncGroup => $then!(SyncGroupRequest, SyncGroupResponse),
            ApiKey::DescribeGroups => $then!(DescribeGroupsRequest, DescribeGroupsResponse),
            ApiKey::ListGroups => $then!(ListGroupsRequest, ListGroupsResponse),
            ApiKey::ApiVersions => $then!(ApiVersionsRequest, ApiVersionsResponse),
            ApiKey::CreateTopics => $then!(CreateTopicsRequest, CreateTopicsResponse),
            ApiKey::DeleteTopics => $then!(DeleteTopicsRequest, DeleteTopicsResponse),
            ApiKey::InitProducerId => $then!(InitProducerIdRequest, InitProducerIdResponse),
            ApiKey::OffsetForLeaderEpoch => {
                $then!(OffsetForLeaderEpochRequest, OffsetForLeaderEpochResponse)
            }
            ApiKey::DescribeConfigs => $then!(DescribeConfigsRequest, DescribeConfigsResponse),
            ApiKey::CreatePartitions => $then!(CreatePartitionsRequest, CreatePartitionsResponse),
            ApiKey::DeleteRecords => $then!(DeleteRecordsRequest, DeleteRecordsResponse),
            ApiKey::DeleteGroups => $then!(DeleteGroupsRequest, DeleteGroupsResponse),
            ApiKey::IncrementalAlterConfigs => {
                $then!(IncrementalAlterConfigsRequest, IncrementalAlterConfigsResponse)
            }
            ApiKey::OffsetDelete => $then!(OffsetDeleteRequest, OffsetDeleteResponse),
            ApiKey::DescribeCluster => $then!(DescribeClusterRequest, DescribeClusterResponse),
        }
    };
}

/// Reads a whole request of any API, header first.
pub(crate) fn decode_request(frame: impl Into<Frame>) -> Result<(), DecodeError> {
    let mut reader = Reader::new(frame);
    let header = RequestHeader::decode(&mut reader)?;
    let Some(key) = header.supported() else { return Ok(()) };
    decode_request_body(key, header.api_version, &mut reader)
}

/// Reads the body of a request and nothing after it.
pub(crate) fn decode_request_body(
    key: ApiKey,
    version: i16,
    reader: &mut Reader,
) -> Result<(), DecodeError> {
    macro_rules! decode {
        ($request:ident, $response:ident) => {
            protocol::messages::$request::decode(reader, version).map(drop)
        };
    }
    with_messages!(key, decode)?;
    reader.finish()
}

/// Reads a whole response, header first.
pub(crate) fn decode_response(
    key: ApiKey,
    version: i16,
    frame: impl Into<Frame>,
) -> Result<(), DecodeError> {
    let mut reader = Reader::new(frame);
    decode_response_header(&mut reader, key, version)?;
    macro_rules! decode {
        ($request:ident, $response:ident) => {
            protocol::messages::$response::decode(&mut reader, version).map(drop)
        };
    }
    with_messages!(key, decode)?;
    reader.finish()
}
