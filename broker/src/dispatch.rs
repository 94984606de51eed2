//! From a request on the wire to the handler of its API, and back.
//!
//! A handler that panics costs its own client one error and its connection, and
//! nobody else anything.

use std::future::Future;
use std::panic::AssertUnwindSafe;

use futures_util::FutureExt;
use futures_util::future::{BoxFuture, ready};
use protocol::messages::*;
use protocol::{ApiKey, ErrorCode, Message, Reader, Request, RequestHeader};

use crate::answer::Answer;
use crate::connection::{ConnectionError, Outcome};
use crate::context::Context;
use crate::handlers::{Handler, api_versions, fetch, produce};
use crate::node::Node;

/// Answers any request but Produce.
pub(crate) async fn serve(
    node: &Node,
    reader: Reader,
    header: &RequestHeader,
    context: &Context,
) -> Outcome {
    let call = Call { node, reader, header, context };
    match header.supported() {
        None if header.api_key == ApiKey::ApiVersions.code() => {
            let answer = api_versions::unsupported_version();
            Outcome::answer(Answer::new(ApiKey::ApiVersions, 0, header.correlation_id, &answer))
        }
        None => Outcome::end(ConnectionError::Unsupported {
            api_key: header.api_key,
            api_version: header.api_version,
            client_id: context.client_id.clone(),
        }),
        Some(ApiKey::Produce) => append(node, call.reader, header, context).await.await,
        Some(ApiKey::Fetch) => call.fetch().await,
        Some(ApiKey::ListOffsets) => call.handle::<ListOffsetsRequest>().await,
        Some(ApiKey::Metadata) => call.handle::<MetadataRequest>().await,
        Some(ApiKey::OffsetCommit) => call.handle::<OffsetCommitRequest>().await,
        Some(ApiKey::OffsetFetch) => call.handle::<OffsetFetchRequest>().await,
        Some(ApiKey::FindCoordinator) => call.handle::<FindCoordinatorRequest>().await,
        Some(ApiKey::JoinGroup) => call.handle::<JoinGroupRequest>().await,
        Some(ApiKey::Heartbeat) => call.handle::<HeartbeatRequest>().await,
        Some(ApiKey::LeaveGroup) => call.handle::<LeaveGroupRequest>().await,
        Some(ApiKey::SyncGroup) => call.handle::<SyncGroupRequest>().await,
        Some(ApiKey::DescribeGroups) => call.handle::<DescribeGroupsRequest>().await,
        Some(ApiKey::ListGroups) => call.handle::<ListGroupsRequest>().await,
        Some(ApiKey::ApiVersions) => call.handle::<ApiVersionsRequest>().await,
        Some(ApiKey::CreateTopics) => call.handle::<CreateTopicsRequest>().await,
        Some(ApiKey::DeleteTopics) => call.handle::<DeleteTopicsRequest>().await,
        Some(ApiKey::DeleteRecords) => call.handle::<DeleteRecordsRequest>().await,
        Some(ApiKey::InitProducerId) => call.handle::<InitProducerIdRequest>().await,
        Some(ApiKey::OffsetForLeaderEpoch) => call.handle::<OffsetForLeaderEpochRequest>().await,
        Some(ApiKey::DescribeConfigs) => call.handle::<DescribeConfigsRequest>().await,
        Some(ApiKey::CreatePartitions) => call.handle::<CreatePartitionsRequest>().await,
        Some(ApiKey::DeleteGroups) => call.handle::<DeleteGroupsRequest>().await,
        Some(ApiKey::IncrementalAlterConfigs) => {
            call.handle::<IncrementalAlterConfigsRequest>().await
        }
        Some(ApiKey::OffsetDelete) => call.handle::<OffsetDeleteRequest>().await,
        Some(ApiKey::DescribeCluster) => call.handle::<DescribeClusterRequest>().await,
    }
}

/// Appends what a Produce request brings. When that is done the next request of
/// the connection may follow; the outcome comes when the records are as durable
/// as was asked.
pub(crate) async fn append(
    node: &Node,
    reader: Reader,
    header: &RequestHeader,
    context: &Context,
) -> BoxFuture<'static, Outcome> {
    let call = Call { node, reader, header, context };
    let request: ProduceRequest = match call.decode() {
        Ok(request) => request,
        Err(error) => return ready(Outcome::end(error)).boxed(),
    };
    let (version, correlation_id) = (header.api_version, header.correlation_id);
    let refused = call.refuse(produce::refuse);
    let appended = match unwound(produce::append(request, node, context)).await {
        Some(appended) => appended,
        None => return ready(refused()).boxed(),
    };
    async move {
        match unwound(appended).await {
            Some(produce::Appended::Answer(response)) => {
                let answer = Answer::new(ApiKey::Produce, version, correlation_id, &response);
                Outcome::answer(answer)
            }
            Some(produce::Appended::Silent) => Outcome::default(),
            Some(produce::Appended::SilentFailure) => Outcome::end(ConnectionError::Unanswerable),
            None => refused(),
        }
    }
    .boxed()
}

/// A request that has an API, but not yet a type.
struct Call<'a> {
    node: &'a Node,
    reader: Reader,
    header: &'a RequestHeader,
    context: &'a Context,
}

impl Call<'_> {
    fn decode<R: Request>(&self) -> Result<R, ConnectionError> {
        let mut reader = self.reader.clone();
        R::decode(&mut reader, self.header.api_version).map_err(|source| {
            ConnectionError::Malformed {
                api: R::KEY,
                api_version: self.header.api_version,
                client_id: self.context.client_id.clone(),
                source,
            }
        })
    }

    async fn handle<R: Handler>(self) -> Outcome {
        let request: R = match self.decode() {
            Ok(request) => request,
            Err(error) => return Outcome::end(error),
        };
        match unwound(request.handle(self.node, self.context)).await {
            Some(response) => self.answer(R::KEY, &response),
            None => self.refuse(R::refuse)(),
        }
    }

    async fn fetch(self) -> Outcome {
        let request: FetchRequest = match self.decode() {
            Ok(request) => request,
            Err(error) => return Outcome::end(error),
        };
        match unwound(fetch::fetch(request, self.node, self.context)).await {
            Some((response, files)) => Outcome::answer(Answer::with_files(
                ApiKey::Fetch,
                self.header.api_version,
                self.header.correlation_id,
                &response,
                files,
            )),
            None => self.refuse(fetch::refuse)(),
        }
    }

    fn answer<M: Message>(&self, api: ApiKey, response: &M) -> Outcome {
        let RequestHeader { api_version, correlation_id, .. } = *self.header;
        Outcome::answer(Answer::new(api, api_version, correlation_id, response))
    }

    /// What answers the request when its handler is lost: it is read once more,
    /// and everything in it gets the same error.
    fn refuse<R: Request>(
        &self,
        refuse: fn(R, ErrorCode) -> R::Response,
    ) -> impl FnOnce() -> Outcome + Send + use<R> {
        let mut reader = self.reader.clone();
        let RequestHeader { api_version, correlation_id, .. } = *self.header;
        let client_id = self.context.client_id.clone();
        move || {
            let request = R::decode(&mut reader, api_version).unwrap_or_default();
            let response = refuse(request, ErrorCode::UnknownServerError);
            Outcome {
                answer: Some(Answer::new(R::KEY, api_version, correlation_id, &response)),
                ends: Some(ConnectionError::Panicked { api: R::KEY, client_id }),
            }
        }
    }
}

/// What the future gives, or nothing when it panics.
async fn unwound<T>(future: impl Future<Output = T>) -> Option<T> {
    // Whatever a handler shares is behind locks that do not poison and are not
    // held while anything can panic half done.
    AssertUnwindSafe(future).catch_unwind().await.ok()
}

impl Outcome {
    fn answer(answer: Answer) -> Self {
        Self { answer: Some(answer), ends: None }
    }

    fn end(error: ConnectionError) -> Self {
        Self { answer: None, ends: Some(error) }
    }
}
