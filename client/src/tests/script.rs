//! A broker for tests that answers each request as a script says.

use std::collections::{HashMap, HashSet};
use std::io;
use std::sync::Arc;

use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use parking_lot::Mutex;
use protocol::messages::api_versions::{ApiVersion, ApiVersionsResponse};
use protocol::messages::metadata::{
    MetadataRequest, MetadataResponse, MetadataResponseBroker, MetadataResponsePartition,
    MetadataResponseTopic,
};
use protocol::{ApiKey, ErrorCode, Frame, Message, Reader, RequestHeader, Uuid, encode_response};
use tokio::sync::{mpsc, watch};

use crate::{BrokerAddress, Client, ClientConfig, Connector, Transport};

/// What to do with a request.
pub(super) enum Reply {
    Frame(Frame),
    /// Several frames, whatever was asked.
    Frames(Vec<Frame>),
    /// No answer, and the connection stays.
    Silence,
    /// No answer, and the connection ends.
    End,
    /// What the script says without this line.
    Default,
}

/// A request as the script sees it.
pub(super) struct Asked {
    pub(super) port: u16,
    pub(super) api: ApiKey,
    pub(super) version: i16,
    pub(super) correlation_id: i32,
    pub(super) body: Reader,
    /// Requests of this API before it, on all connections.
    pub(super) before: usize,
}

impl Asked {
    pub(super) fn answer(&self, body: &impl Message) -> Reply {
        self.answer_in(self.version, body)
    }

    pub(super) fn answer_in(&self, version: i16, body: &impl Message) -> Reply {
        Reply::Frame(encode_response(self.api, version, self.correlation_id, body))
    }

    pub(super) fn metadata_request(&self) -> MetadataRequest {
        MetadataRequest::decode(&mut self.body.clone(), self.version).unwrap()
    }
}

type Script = Box<dyn Fn(&Asked) -> Reply + Send + Sync>;

/// See the module. Without a script line it offers every version, and one node
/// at port 1 with topic `t` of one partition.
pub(super) struct Broker {
    script: Script,
    state: Mutex<State>,
    /// Requests so far.
    asked: watch::Sender<usize>,
}

#[derive(Default)]
struct State {
    /// Ports where nobody listens.
    refusing: HashSet<u16>,
    connections: Vec<u16>,
    open: usize,
    count: HashMap<ApiKey, usize>,
    log: Vec<String>,
}

impl std::fmt::Debug for Broker {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("Broker")
    }
}

impl Broker {
    pub(super) fn new(script: impl Fn(&Asked) -> Reply + Send + Sync + 'static) -> Arc<Self> {
        Arc::new(Self {
            script: Box::new(script),
            state: Mutex::default(),
            asked: watch::Sender::new(0),
        })
    }

    pub(super) fn client(self: &Arc<Self>, config: ClientConfig) -> Client {
        Client::new(config, Arc::new(Network(Arc::clone(self))))
    }

    pub(super) fn refuse(&self, ports: &[u16]) {
        self.state.lock().refusing = ports.iter().copied().collect();
    }

    /// The ports of all attempts to connect.
    pub(super) fn connections(&self) -> Vec<u16> {
        self.state.lock().connections.clone()
    }

    pub(super) fn open_connections(&self) -> usize {
        self.state.lock().open
    }

    /// What was asked, as `PORT API VERSION`, ApiVersions left out.
    pub(super) fn log(&self) -> Vec<String> {
        self.state.lock().log.clone()
    }

    pub(super) fn count(&self, api: ApiKey) -> usize {
        self.state.lock().count.get(&api).copied().unwrap_or(0)
    }

    /// Waits until the API was asked so often.
    pub(super) async fn wait_asked(&self, api: ApiKey, count: usize) {
        let mut asked = self.asked.subscribe();
        asked.wait_for(|_| self.count(api) >= count).await.unwrap();
    }

    pub(super) async fn wait_open(&self, count: usize) {
        let mut asked = self.asked.subscribe();
        asked.wait_for(|_| self.open_connections() == count).await.unwrap();
    }

    async fn serve(
        self: Arc<Self>,
        port: u16,
        mut requests: mpsc::Receiver<Frame>,
        responses: mpsc::Sender<Frame>,
    ) {
        while let Some(frame) = requests.recv().await {
            let mut body = Reader::new(frame);
            let header = RequestHeader::decode(&mut body).unwrap();
            let api = ApiKey::from_i16(header.api_key).unwrap();
            let before = {
                let mut state = self.state.lock();
                if api != ApiKey::ApiVersions {
                    state.log.push(format!("{port} {} {}", api.name(), header.api_version));
                }
                let count = state.count.entry(api).or_default();
                *count += 1;
                *count - 1
            };
            let asked = Asked {
                port,
                api,
                version: header.api_version,
                correlation_id: header.correlation_id,
                body,
                before,
            };
            let reply = match (self.script)(&asked) {
                Reply::Default => default_reply(&asked),
                reply => reply,
            };
            self.asked.send_modify(|count| *count += 1);
            let frames = match reply {
                Reply::Frame(frame) => vec![frame],
                Reply::Frames(frames) => frames,
                Reply::Silence => vec![],
                Reply::End => break,
                Reply::Default => unreachable!("replaced above"),
            };
            for frame in frames {
                if responses.send(frame).await.is_err() {
                    break;
                }
            }
        }
        self.state.lock().open -= 1;
        self.asked.send_modify(|count| *count += 1);
    }
}

fn default_reply(asked: &Asked) -> Reply {
    match asked.api {
        ApiKey::ApiVersions => asked.answer(&versions(ApiKey::ALL)),
        ApiKey::Metadata => asked.answer(&metadata(&[1], &[topic("t", &[(0, 1, 0)])])),
        api => panic!("no script for {}", api.name()),
    }
}

/// All versions of these APIs.
pub(super) fn versions(apis: &[ApiKey]) -> ApiVersionsResponse {
    let range = |api: &ApiKey| ApiVersion {
        api_key: api.code(),
        min_version: *api.versions().start(),
        max_version: *api.versions().end(),
    };
    ApiVersionsResponse {
        api_keys: apis.iter().map(range).collect(),
        ..ApiVersionsResponse::default()
    }
}

/// Nodes that listen at the ports of their numbers; the first is the controller.
pub(super) fn metadata(nodes: &[i32], topics: &[MetadataResponseTopic]) -> MetadataResponse {
    let broker = |&node_id| MetadataResponseBroker {
        node_id,
        host: "node".into(),
        port: node_id,
        ..MetadataResponseBroker::default()
    };
    MetadataResponse {
        brokers: nodes.iter().map(broker).collect(),
        controller_id: nodes.first().copied().unwrap_or(-1),
        topics: topics.to_vec(),
        ..MetadataResponse::default()
    }
}

/// Partitions are given as id, leader, leader epoch.
pub(super) fn topic(name: &str, partitions: &[(i32, i32, i32)]) -> MetadataResponseTopic {
    let partition = |&(partition_index, leader_id, leader_epoch)| MetadataResponsePartition {
        partition_index,
        leader_id,
        leader_epoch,
        ..MetadataResponsePartition::default()
    };
    MetadataResponseTopic {
        name: Some(name.into()),
        topic_id: Uuid::from_bytes([1; 16]),
        partitions: partitions.iter().map(partition).collect(),
        ..MetadataResponseTopic::default()
    }
}

pub(super) fn missing_topic(name: &str, error_code: ErrorCode) -> MetadataResponseTopic {
    MetadataResponseTopic { error_code, topic_id: Uuid::ZERO, ..topic(name, &[]) }
}

#[derive(Debug)]
struct Network(Arc<Broker>);

impl Connector for Network {
    fn connect(&self, address: &BrokerAddress) -> BoxFuture<'_, io::Result<Transport>> {
        let port = address.port;
        let broker = Arc::clone(&self.0);
        async move {
            {
                let mut state = broker.state.lock();
                state.connections.push(port);
                if state.refusing.contains(&port) {
                    return Err(io::ErrorKind::ConnectionRefused.into());
                }
                state.open += 1;
            }
            let (requests, requests_here) = mpsc::channel(4);
            let (responses_here, responses) = mpsc::channel(4);
            tokio::spawn(broker.serve(port, requests_here, responses_here));
            Ok(Transport::in_process(requests, responses))
        }
        .boxed()
    }
}
