//! Starting and stopping the broker.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

use protocol::{Frame, Str};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::config::Config;
use crate::connection::{self, Peer};
use crate::context::{Advertised, IN_PROCESS_HOST};
use crate::controller::Controller;
use crate::groups::GroupCoordinator;
use crate::listener::{self, Acceptor};
use crate::log::{Disk, KnownPartition, LockedDirectories, LogStore, StorageError};
use crate::metadata::{self, Metadata, MetadataError, MetadataImage, MetadataLog, MetadataRecord};
use crate::node::Node;
use crate::offsets_topic::OffsetsTopic;
use crate::topic_config::TopicConfig;
use crate::topics::Topics;

/// Frames that may wait in each direction of an in-process connection.
const IN_PROCESS_FRAMES: usize = 16;

/// Why the broker does not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// An address cannot be listened on.
    #[error(transparent)]
    Listen(#[from] io::Error),
    /// A log directory is in use, damaged, or of another node.
    #[error(transparent)]
    Storage(#[from] StorageError),
    /// The metadata log cannot be read.
    #[error(transparent)]
    Metadata(#[from] MetadataError),
}

/// A running broker.
#[derive(Debug)]
pub struct Broker {
    node: Arc<Node>,
    store: LogStore,
    addresses: Vec<SocketAddr>,
    /// What clients of the same process are told; they ignore it.
    advertised: Advertised,
    tasks: TaskTracker,
    stopping: CancellationToken,
}

/// The client's end of a connection within the process. Dropping either half
/// ends the connection.
#[derive(Debug)]
pub struct InProcess {
    /// Takes requests.
    pub requests: mpsc::Sender<Frame>,
    /// Gives their answers, in order.
    pub responses: mpsc::Receiver<Frame>,
}

impl Broker {
    /// Starts a broker: takes its log directories, recovers what a crash left
    /// behind, and listens. Everything is served when this returns.
    ///
    /// # Errors
    /// Nothing keeps running then.
    pub async fn start(config: Config) -> Result<Self, StartError> {
        let opening = tokio::task::spawn_blocking(move || Opened::open(config)).await;
        let Opened { config, store, metadata } =
            opening.unwrap_or_else(|panicked| std::panic::resume_unwind(panicked.into_panic()))?;
        let topics = Arc::new(Topics::default());
        let cluster_id = Str::from(store.cluster_id());
        let controller =
            Controller::new(store.clone(), Arc::clone(&topics), Arc::clone(&config), metadata);
        let groups =
            GroupCoordinator::new(&config, Arc::new(OffsetsTopic::new(controller.clone())));
        if let Err(error) = groups.load().await {
            tracing::error!(%error, "groups cannot be read; requests about them are refused");
        }
        let node = Arc::new(Node::new(cluster_id, topics, controller, groups));
        let tasks = TaskTracker::new();
        let stopping = CancellationToken::new();
        let acceptor = Acceptor::new(Arc::clone(&node), tasks.clone(), stopping.clone());
        match listen(&acceptor, &config, &tasks) {
            Ok((addresses, advertised)) => {
                tasks.spawn(acceptor.close_idle());
                Ok(Self { node, store, addresses, advertised, tasks, stopping })
            }
            Err(error) => {
                node.groups().shutdown().await;
                store.close().await;
                Err(error.into())
            }
        }
    }

    /// The addresses that clients can connect to, in the order of `listeners`.
    pub fn addresses(&self) -> &[SocketAddr] {
        &self.addresses
    }

    /// A connection for a client in the same process. It ends when either half
    /// is dropped, or when the broker stops.
    pub fn connect_in_process(&self) -> InProcess {
        let (request_sender, requests) = mpsc::channel(IN_PROCESS_FRAMES);
        let (answers, responses) = mpsc::channel(IN_PROCESS_FRAMES);
        let peer =
            Peer { host: Str::from_static(IN_PROCESS_HOST), advertised: self.advertised.clone() };
        let node = Arc::clone(&self.node);
        let stopping = self.stopping.child_token();
        self.tasks.spawn(async move {
            let ended = connection::serve(node, peer, requests, answers, stopping).await;
            listener::report(IN_PROCESS_HOST, ended);
        });
        InProcess { requests: request_sender, responses }
    }

    /// Stops in order: no new connections and requests, waiting fetches and
    /// joins are answered, what was appended is synced, and the log directories
    /// are marked as cleanly closed.
    pub async fn shutdown(&self) {
        self.stopping.cancel();
        self.tasks.close();
        self.tasks.wait().await;
        self.node.groups().shutdown().await;
        self.store.close().await;
    }
}

/// What the disk has to say before clients can be let in.
struct Opened {
    /// With the settings that were made at run time.
    config: Arc<Config>,
    store: LogStore,
    metadata: Metadata,
}

impl Opened {
    /// Blocks on the disk.
    fn open(config: Config) -> Result<Self, StartError> {
        let directories = LockedDirectories::lock(&config, Arc::new(Disk))?;
        metadata::refuse_lost(&Disk, &config.log_dirs)?;
        let (log, image) = MetadataLog::open(&Disk, directories.first())?;
        let mut metadata = Metadata::new(log, image);
        // Durable before anything is served: leader epochs count the starts.
        let count = metadata.image().start_count.saturating_add(1);
        metadata.commit(&[MetadataRecord::Started { count }])?;
        let image = metadata.image();
        let config = match config.with_dynamic(&image.default_configs, &image.broker_configs) {
            Ok(config) => config,
            Err(errors) => {
                for error in errors {
                    tracing::error!(%error, "settings made at run time do not fit the others and are left out");
                }
                config
            }
        };
        let store = LogStore::open(directories, &config, known_partitions(image, &config))?;
        Ok(Self { config: Arc::new(config), store, metadata })
    }
}

fn known_partitions(image: &MetadataImage, config: &Config) -> Vec<KnownPartition> {
    let topics = image.topics().flat_map(|topic| {
        let config = Arc::new(TopicConfig::resolve(&topic.configs, config));
        topic.created_at.iter().zip(0..).map(move |(created_at, index)| KnownPartition {
            topic: topic.name.clone(),
            index,
            topic_id: topic.id,
            leader_epoch: image.leader_epoch(*created_at),
            config: Arc::clone(&config),
        })
    });
    topics.collect()
}

/// Opens the ports. Gives the addresses, and what the clients of the first
/// listener are told.
fn listen(
    acceptor: &Arc<Acceptor>,
    config: &Config,
    tasks: &TaskTracker,
) -> io::Result<(Vec<SocketAddr>, Advertised)> {
    let mut bound = Vec::new();
    for listener in &config.listeners {
        bound.push((listener, listener::bind(listener, &config.network)?));
    }
    // Nobody is let in before all ports are open.
    let mut addresses = Vec::new();
    let mut first = None;
    for (listener, sockets) in bound {
        for socket in sockets {
            let address = socket.local_addr()?;
            let advertised =
                listener::advertised(listener, address.port(), &config.advertised_listeners);
            first.get_or_insert_with(|| advertised.clone());
            addresses.push(address);
            tasks.spawn(Arc::clone(acceptor).accept(socket, advertised));
        }
    }
    let first = first.ok_or_else(|| io::Error::other("no address to listen on"))?;
    Ok((addresses, first))
}
