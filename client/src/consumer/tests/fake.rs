//! A broker for tests: one node, records in memory, a group of one member.
//! Tests change what it holds, make it refuse single requests, and read what
//! it was asked.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::io;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use parking_lot::Mutex;
use protocol::messages::api_versions::{ApiVersion, ApiVersionsResponse};
use protocol::messages::fetch::{
    FetchRequest, FetchResponse, FetchableTopicResponse, PartitionData,
};
use protocol::messages::find_coordinator::{
    Coordinator, FindCoordinatorRequest, FindCoordinatorResponse,
};
use protocol::messages::heartbeat::HeartbeatResponse;
use protocol::messages::join_group::{
    JoinGroupRequest, JoinGroupResponse, JoinGroupResponseMember,
};
use protocol::messages::leave_group::LeaveGroupResponse;
use protocol::messages::list_offsets::{
    ListOffsetsPartitionResponse, ListOffsetsRequest, ListOffsetsResponse, ListOffsetsTopicResponse,
};
use protocol::messages::metadata::{
    MetadataRequest, MetadataResponse, MetadataResponseBroker, MetadataResponsePartition,
    MetadataResponseTopic,
};
use protocol::messages::offset_commit::{
    OffsetCommitRequest, OffsetCommitResponse, OffsetCommitResponsePartition,
    OffsetCommitResponseTopic,
};
use protocol::messages::offset_fetch::{
    OffsetFetchRequest, OffsetFetchResponse, OffsetFetchResponseGroup,
    OffsetFetchResponsePartitions, OffsetFetchResponseTopics,
};
use protocol::messages::offset_for_leader_epoch::{
    EpochEndOffset, OffsetForLeaderEpochRequest, OffsetForLeaderEpochResponse,
    OffsetForLeaderTopicResult,
};
use protocol::messages::sync_group::{SyncGroupRequest, SyncGroupResponse};
use protocol::records::{BatchBuilder, Compression};
use protocol::{
    ApiKey, ErrorCode, Frame, Message, Reader, Records, RequestHeader, Str, Uuid, encode_response,
};
use tokio::sync::{Notify, mpsc};
use tokio::time::{Instant, timeout_at};

use crate::{BrokerAddress, Connector, Transport};

const NODE: i32 = 1;

/// See the module.
#[derive(Debug, Default)]
pub(super) struct FakeBroker {
    pub(super) state: Mutex<FakeState>,
    /// Something was asked, appended or changed.
    changed: Notify,
}

#[derive(Debug, Default)]
pub(super) struct FakeState {
    topics: BTreeMap<Str, FakeTopic>,
    /// Refusals to come, by API, one request each.
    refusals: BTreeMap<ApiKey, VecDeque<ErrorCode>>,
    /// Requests of these are never answered.
    pub(super) silent: BTreeSet<ApiKey>,
    pub(super) committed: BTreeMap<(Str, i32), i64>,
    generation: i32,
    member: Option<Str>,
    /// What was asked, in short.
    pub(super) asked: Vec<String>,
    /// Fetches do not answer before this many records were appended in all.
    pub(super) epoch_end: i64,
}

#[derive(Debug)]
struct FakeTopic {
    id: Uuid,
    leader_epoch: i32,
    partitions: Vec<FakePartition>,
}

#[derive(Debug, Default)]
struct FakePartition {
    start: i64,
    batches: Vec<(i64, Bytes)>,
    end: i64,
}

impl FakeBroker {
    pub(super) fn new() -> Arc<Self> {
        Arc::default()
    }

    pub(super) fn create(&self, topic: &str, partitions: usize) {
        let mut state = self.state.lock();
        let id = Uuid::from_bytes([state.topics.len() as u8 + 1; 16]);
        let partitions = (0..partitions).map(|_| FakePartition::default()).collect();
        state.topics.insert(topic.into(), FakeTopic { id, leader_epoch: 0, partitions });
        drop(state);
        self.changed.notify_waiters();
    }

    pub(super) fn delete(&self, topic: &str) {
        self.state.lock().topics.remove(topic);
        self.changed.notify_waiters();
    }

    /// One batch with a record for each value.
    pub(super) fn append(&self, topic: &str, partition: usize, values: &[&str]) {
        let mut builder = BatchBuilder::new(Compression::None);
        for value in values {
            builder.append(1_000, None, Some(value.as_bytes()), &[]);
        }
        let mut state = self.state.lock();
        let topic = state.topics.get_mut(topic).unwrap();
        let epoch = topic.leader_epoch;
        let partition = &mut topic.partitions[partition];
        builder.set_base_offset(partition.end);
        builder.set_partition_leader_epoch(epoch);
        partition.end += values.len() as i64;
        partition.batches.push((partition.end, builder.build()));
        drop(state);
        self.changed.notify_waiters();
    }

    /// Retention: records below `offset` are gone.
    pub(super) fn trim(&self, topic: &str, partition: usize, offset: i64) {
        let mut state = self.state.lock();
        state.topics.get_mut(topic).unwrap().partitions[partition].start = offset;
    }

    pub(super) fn elect(&self, topic: &str) {
        self.state.lock().topics.get_mut(topic).unwrap().leader_epoch += 1;
    }

    pub(super) fn refuse(&self, api: ApiKey, code: ErrorCode) {
        self.state.lock().refusals.entry(api).or_default().push_back(code);
    }

    /// Waits until a request was asked that begins so.
    pub(super) async fn wait_asked(&self, beginning: &str) {
        loop {
            let changed = self.changed.notified();
            if self.count_asked(beginning) > 0 {
                return;
            }
            changed.await;
        }
    }

    pub(super) fn count_asked(&self, beginning: &str) -> usize {
        self.state.lock().asked.iter().filter(|asked| asked.starts_with(beginning)).count()
    }

    fn note(&self, what: String) {
        self.state.lock().asked.push(what);
        self.changed.notify_waiters();
    }

    async fn serve(
        self: Arc<Self>,
        mut requests: mpsc::Receiver<Frame>,
        responses: mpsc::Sender<Frame>,
    ) {
        while let Some(frame) = requests.recv().await {
            if responses.send(self.answer(frame).await).await.is_err() {
                return;
            }
        }
    }

    async fn answer(&self, frame: Frame) -> Frame {
        let mut reader = Reader::new(frame);
        let header = RequestHeader::decode(&mut reader).unwrap();
        let key = header.supported().unwrap();
        let refusal = self.state.lock().refusals.get_mut(&key).and_then(VecDeque::pop_front);
        let code = refusal.unwrap_or_default();
        if self.state.lock().silent.contains(&key) {
            return std::future::pending().await;
        }
        match key {
            ApiKey::ApiVersions => reply(&header, &api_versions()),
            ApiKey::Metadata => reply(&header, &self.metadata(&read(&mut reader, &header))),
            ApiKey::Fetch => reply(&header, &self.fetch(read(&mut reader, &header), code).await),
            ApiKey::ListOffsets => {
                reply(&header, &self.list_offsets(read(&mut reader, &header), code))
            }
            ApiKey::OffsetForLeaderEpoch => {
                reply(&header, &self.epoch_ends(read(&mut reader, &header)))
            }
            ApiKey::FindCoordinator => {
                reply(&header, &self.find_coordinator(read(&mut reader, &header), code))
            }
            ApiKey::JoinGroup => reply(&header, &self.join(read(&mut reader, &header), code)),
            ApiKey::SyncGroup => reply(&header, &self.sync(read(&mut reader, &header), code)),
            ApiKey::Heartbeat => {
                self.note("heartbeat".to_owned());
                reply(&header, &HeartbeatResponse { error_code: code, ..Default::default() })
            }
            ApiKey::LeaveGroup => {
                self.note("leave".to_owned());
                reply(&header, &LeaveGroupResponse::default())
            }
            ApiKey::OffsetCommit => reply(&header, &self.commit(read(&mut reader, &header), code)),
            ApiKey::OffsetFetch => {
                reply(&header, &self.committed(read(&mut reader, &header), code))
            }
            other => panic!("the fake broker has no {}", other.name()),
        }
    }

    fn metadata(&self, request: &MetadataRequest) -> MetadataResponse {
        let state = self.state.lock();
        let names: Vec<Str> = match &request.topics {
            Some(topics) => topics.iter().filter_map(|topic| topic.name.clone()).collect(),
            None => state.topics.keys().cloned().collect(),
        };
        let topics = names.into_iter().map(|name| {
            let Some(topic) = state.topics.get(&name) else {
                let error_code = ErrorCode::UnknownTopicOrPartition;
                return MetadataResponseTopic {
                    error_code,
                    name: Some(name),
                    ..Default::default()
                };
            };
            let partition = |partition_index| MetadataResponsePartition {
                partition_index,
                leader_id: NODE,
                leader_epoch: topic.leader_epoch,
                replica_nodes: vec![NODE],
                isr_nodes: vec![NODE],
                ..Default::default()
            };
            MetadataResponseTopic {
                name: Some(name),
                topic_id: topic.id,
                partitions: (0..topic.partitions.len() as i32).map(partition).collect(),
                ..Default::default()
            }
        });
        MetadataResponse {
            brokers: vec![MetadataResponseBroker {
                node_id: NODE,
                host: "fake".into(),
                port: 9092,
                rack: None,
            }],
            cluster_id: Some("fake".into()),
            controller_id: NODE,
            topics: topics.collect(),
            ..Default::default()
        }
    }

    async fn fetch(&self, request: FetchRequest, code: ErrorCode) -> FetchResponse {
        let mut asked = String::from("fetch");
        for topic in &request.topics {
            for partition in &topic.partitions {
                asked.push_str(&format!(" {}@{}", partition.partition, partition.fetch_offset));
            }
        }
        self.note(asked);
        let deadline = Instant::now() + Duration::from_millis(request.max_wait_ms as u64);
        loop {
            let changed = self.changed.notified();
            let (response, is_answer) = self.read(&request, code);
            if is_answer || request.max_wait_ms == 0 || timeout_at(deadline, changed).await.is_err()
            {
                return response;
            }
        }
    }

    /// What there is, and whether that is worth an answer.
    fn read(&self, request: &FetchRequest, code: ErrorCode) -> (FetchResponse, bool) {
        let state = self.state.lock();
        let mut is_answer = false;
        let mut responses = Vec::new();
        for asked in &request.topics {
            let topic = state.topics.values().find(|topic| topic.id == asked.topic_id).unwrap();
            let partitions = asked.partitions.iter().map(|wanted| {
                let partition = &topic.partitions[wanted.partition as usize];
                let mut data = PartitionData {
                    partition_index: wanted.partition,
                    error_code: code,
                    high_watermark: partition.end,
                    last_stable_offset: partition.end,
                    log_start_offset: partition.start,
                    records: Some(Records::Bytes(Bytes::new())),
                    ..Default::default()
                };
                let offset = wanted.fetch_offset;
                if code.is_error() {
                    is_answer = true;
                } else if wanted.current_leader_epoch < topic.leader_epoch {
                    data.error_code = ErrorCode::FencedLeaderEpoch;
                    is_answer = true;
                } else if offset < partition.start || offset > partition.end {
                    data.error_code = ErrorCode::OffsetOutOfRange;
                    is_answer = true;
                } else {
                    let batches = partition.batches.iter().filter(|(end, _)| *end > offset);
                    let bytes: Vec<u8> = batches.flat_map(|(_, bytes)| bytes.to_vec()).collect();
                    is_answer |= !bytes.is_empty();
                    data.records = Some(Records::Bytes(bytes.into()));
                }
                data
            });
            let partitions = partitions.collect();
            responses.push(FetchableTopicResponse {
                topic_id: asked.topic_id,
                partitions,
                ..Default::default()
            });
        }
        (FetchResponse { responses, ..Default::default() }, is_answer)
    }

    fn list_offsets(
        &self,
        request: ListOffsetsRequest,
        error_code: ErrorCode,
    ) -> ListOffsetsResponse {
        let state = self.state.lock();
        let topics = request.topics.into_iter().map(|topic| {
            let partitions = topic.partitions.into_iter().map(|asked| {
                let partition =
                    &state.topics[&topic.name].partitions[asked.partition_index as usize];
                let offset = match asked.timestamp {
                    -2 => partition.start,
                    -1 => partition.end,
                    timestamp if timestamp <= 1_000 && partition.end > 0 => partition.start,
                    _ => -1,
                };
                ListOffsetsPartitionResponse {
                    partition_index: asked.partition_index,
                    error_code,
                    offset,
                    ..Default::default()
                }
            });
            ListOffsetsTopicResponse { partitions: partitions.collect(), name: topic.name.clone() }
        });
        ListOffsetsResponse { topics: topics.collect(), ..Default::default() }
    }

    fn epoch_ends(&self, request: OffsetForLeaderEpochRequest) -> OffsetForLeaderEpochResponse {
        self.note("epoch ends".to_owned());
        let end_offset = self.state.lock().epoch_end;
        let topics = request.topics.into_iter().map(|topic| {
            let partitions = topic.partitions.into_iter().map(|asked| EpochEndOffset {
                partition: asked.partition,
                leader_epoch: asked.leader_epoch,
                end_offset,
                ..Default::default()
            });
            OffsetForLeaderTopicResult {
                partitions: partitions.collect(),
                topic: topic.topic.clone(),
            }
        });
        OffsetForLeaderEpochResponse { topics: topics.collect(), ..Default::default() }
    }

    fn find_coordinator(
        &self,
        request: FindCoordinatorRequest,
        error_code: ErrorCode,
    ) -> FindCoordinatorResponse {
        self.note("find coordinator".to_owned());
        let coordinators = request.coordinator_keys.into_iter().map(|key| Coordinator {
            key,
            node_id: NODE,
            host: "fake".into(),
            port: 9092,
            error_code,
            ..Default::default()
        });
        FindCoordinatorResponse { coordinators: coordinators.collect(), ..Default::default() }
    }

    fn join(&self, request: JoinGroupRequest, error_code: ErrorCode) -> JoinGroupResponse {
        self.note(format!("join '{}'", request.member_id.as_str()));
        let mut state = self.state.lock();
        if error_code.is_error() {
            return JoinGroupResponse { error_code, ..Default::default() };
        }
        let is_new = request.member_id.is_empty();
        if is_new {
            let number = state.asked.iter().filter(|asked| asked.starts_with("join ''")).count();
            state.member = Some(format!("member-{number}").into());
        }
        let member_id = state.member.clone().unwrap();
        if is_new && request.group_instance_id.is_none() {
            return JoinGroupResponse {
                error_code: ErrorCode::MemberIdRequired,
                member_id,
                ..Default::default()
            };
        }
        state.generation += 1;
        let protocol = request.protocols.into_iter().next().unwrap();
        JoinGroupResponse {
            generation_id: state.generation,
            protocol_type: Some(request.protocol_type),
            protocol_name: Some(protocol.name),
            leader: member_id.clone(),
            member_id: member_id.clone(),
            members: vec![JoinGroupResponseMember {
                member_id,
                metadata: protocol.metadata,
                group_instance_id: request.group_instance_id,
            }],
            ..Default::default()
        }
    }

    fn sync(&self, request: SyncGroupRequest, error_code: ErrorCode) -> SyncGroupResponse {
        self.note(format!("sync in {}", request.generation_id));
        let own =
            request.assignments.into_iter().find(|entry| entry.member_id == request.member_id);
        let assignment = own.map(|entry| entry.assignment).unwrap_or_default();
        SyncGroupResponse { error_code, assignment, ..Default::default() }
    }

    fn topic_name(&self, name: &Str, id: Uuid) -> Str {
        let state = self.state.lock();
        if name.is_empty() {
            state.topics.iter().find(|(_, topic)| topic.id == id).unwrap().0.clone()
        } else {
            name.clone()
        }
    }

    fn commit(&self, request: OffsetCommitRequest, error_code: ErrorCode) -> OffsetCommitResponse {
        let mut topics = Vec::new();
        for topic in request.topics {
            let name = self.topic_name(&topic.name, topic.topic_id);
            let mut partitions = Vec::new();
            for partition in topic.partitions {
                let (index, offset) = (partition.partition_index, partition.committed_offset);
                self.note(format!(
                    "commit {name}-{index}@{offset} in {}",
                    request.generation_id_or_member_epoch
                ));
                if !error_code.is_error() {
                    self.state.lock().committed.insert((name.clone(), index), offset);
                }
                partitions
                    .push(OffsetCommitResponsePartition { partition_index: index, error_code });
            }
            topics.push(OffsetCommitResponseTopic {
                name: topic.name,
                topic_id: topic.topic_id,
                partitions,
            });
        }
        OffsetCommitResponse { topics, ..Default::default() }
    }

    fn committed(&self, request: OffsetFetchRequest, error_code: ErrorCode) -> OffsetFetchResponse {
        self.note("committed".to_owned());
        let groups = request.groups.into_iter().map(|group| {
            let topics = group.topics.unwrap_or_default().into_iter().map(|topic| {
                let state = self.state.lock();
                let known = state.topics.iter().find(|(_, known)| known.id == topic.topic_id);
                let partitions = topic.partition_indexes.into_iter().map(|partition_index| {
                    let committed = known.and_then(|(name, _)| {
                        state.committed.get(&(name.clone(), partition_index)).copied()
                    });
                    let is_unknown = topic.name.is_empty() && known.is_none();
                    let error_code =
                        if is_unknown { ErrorCode::UnknownTopicId } else { ErrorCode::None };
                    OffsetFetchResponsePartitions {
                        partition_index,
                        committed_offset: committed.unwrap_or(-1),
                        error_code,
                        ..Default::default()
                    }
                });
                let partitions = partitions.collect();
                OffsetFetchResponseTopics {
                    name: topic.name.clone(),
                    topic_id: topic.topic_id,
                    partitions,
                }
            });
            OffsetFetchResponseGroup {
                topics: topics.collect(),
                group_id: group.group_id.clone(),
                error_code,
            }
        });
        OffsetFetchResponse { groups: groups.collect(), ..Default::default() }
    }
}

fn read<M: Message>(reader: &mut Reader, header: &RequestHeader) -> M {
    M::decode(reader, header.api_version).unwrap()
}

fn reply<M: Message>(header: &RequestHeader, body: &M) -> Frame {
    let key = header.supported().unwrap();
    encode_response(key, header.api_version, header.correlation_id, body)
}

fn api_versions() -> ApiVersionsResponse {
    let api_keys = ApiKey::ALL.iter().map(|key| ApiVersion {
        api_key: key.code(),
        min_version: *key.versions().start(),
        max_version: *key.versions().end(),
    });
    ApiVersionsResponse { api_keys: api_keys.collect(), ..Default::default() }
}

/// Leads to one fake broker, whatever the address.
#[derive(Debug)]
pub(super) struct FakeConnector(pub(super) Arc<FakeBroker>);

impl Connector for FakeConnector {
    fn connect(&self, _: &BrokerAddress) -> BoxFuture<'_, io::Result<Transport>> {
        let (requests, requests_end) = mpsc::channel(16);
        let (responses_end, responses) = mpsc::channel(16);
        // Ends with the connection: the runtime of the test waits for nothing.
        tokio::spawn(Arc::clone(&self.0).serve(requests_end, responses_end));
        async move { Ok(Transport::in_process(requests, responses)) }.boxed()
    }
}
