//! Start and stop of everything, in order.
//!
//! ```text
//! start   ready file away → broker (takes its directory, recovers, listens) → client → Schema Registry
//!         → REST proxy → first answer, schemas read → ready file, start-up message
//! stop    ready file away → REST proxy (finishes its requests) → Schema Registry → client
//!         → broker (syncs, marks a clean stop)
//! ```
//!
//! With `bootstrap.servers` there is no broker, and the client connects to
//! that cluster over TCP.
//!
//! # Threads
//! `worker.threads` of each HTTP server, as many of the one runtime in which
//! broker and client live, and the threads of the broker's log.

use std::fmt::Write;
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use broker::Broker;
use client::{Client, ClientConfig, Connector, TcpConnector};
use registry::LocalSource;
use tokio::runtime::Handle;
use tokio::time::timeout;

use crate::cli;
use crate::config::{Config, LoggingFormat};
use crate::embedded::InProcessConnector;
use crate::open_files;
use crate::ready_file::{ReadyFile, Services};
use crate::shutdown::{CutShort, Signals};

/// How long the first answer of the cluster may take before the log tells of it.
const CLUSTER_PATIENCE: Duration = Duration::from_secs(2);

/// The pauses between questions to a cluster that does not answer yet.
const CLUSTER_PAUSE: Duration = Duration::from_secs(1);

/// How the program ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ended {
    /// In order, after a signal.
    Stopped,
    /// With work undone. Nothing acknowledged is lost; the next start recovers.
    CutShort(CutShort),
}

/// Why the program does not start.
#[derive(Debug, thiserror::Error)]
pub(crate) enum StartError {
    #[error("cannot start threads: {0}")]
    Threads(#[source] io::Error),
    #[error("cannot listen for signals: {0}")]
    Signals(#[source] io::Error),
    #[error("cannot write the ready file {}: {source}", path.display())]
    ReadyFile { path: PathBuf, source: io::Error },
    #[error("cannot start the broker: {0}{hint}", hint = broker_hint(.0))]
    Broker(#[from] broker::StartError),
    #[error("cannot start the Schema Registry: {0}{hint}", hint = port_hint(.0, "registry.listeners", "http"))]
    Registry(#[source] io::Error),
    #[error("cannot start the REST proxy: {0}{hint}", hint = port_hint(.0, "rest.listeners", "http"))]
    Proxy(#[source] io::Error),
}

/// Runs until a signal.
///
/// # Errors
/// When something cannot be started; nothing keeps running then.
pub(crate) fn run(config: Config, ready_file: Option<&Path>) -> Result<Ended, StartError> {
    open_files::allow_as_many_as_possible();
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(config.program.worker_threads)
        .thread_name("ottla")
        .enable_all()
        .build()
        .map_err(StartError::Threads)?;
    let ended = runtime.block_on(serve(config, ready_file));
    // After a stop in order nothing is left; otherwise nothing is waited for.
    runtime.shutdown_background();
    ended
}

async fn serve(config: Config, ready_file: Option<&Path>) -> Result<Ended, StartError> {
    let mut signals = Signals::listen().map_err(StartError::Signals)?;
    let ready_file = ready_file.map(PromisedFile::prepare).transpose()?;
    let stop_timeout = config.program.shutdown_timeout;
    let format = config.program.logging_format;

    let running = tokio::select! {
        running = Running::start(config) => running?,
        // Nobody was let in yet, so there is nothing to put in order.
        number = signals.next() => return Ok(Ended::CutShort(CutShort::BySignal(number))),
    };
    let number = tokio::select! {
        number = signals.next() => number,
        written = running.announce(ready_file.as_ref(), format) => match written {
            Ok(()) => signals.next().await,
            Err(error) => {
                running.stop().await;
                return Err(error);
            }
        },
    };
    tracing::info!(signal = number, "stopping; a second signal ends at once");
    drop(ready_file);
    Ok(match signals.bound(running.stop(), stop_timeout).await {
        Ok(()) => {
            tracing::info!("stopped");
            Ended::Stopped
        }
        Err(cut) => {
            tracing::warn!("the stop was cut short; nothing acknowledged is lost");
            Ended::CutShort(cut)
        }
    })
}

/// Everything that was started.
struct Running {
    /// None when the proxy works on another cluster.
    broker: Option<Arc<Broker>>,
    /// Where the data lies, for the start-up message.
    data: Vec<PathBuf>,
    client: Client,
    registry: registry::Server,
    proxy: proxy::Server,
}

impl Running {
    async fn start(config: Config) -> Result<Self, StartError> {
        let Config { program, broker, proxy, registry, .. } = config;
        let bundled = if proxy.bootstrap_servers.is_empty() { Some(broker) } else { None };
        let data = bundled.as_ref().map(|config| config.log_dirs.clone()).unwrap_or_default();
        let broker = match bundled {
            Some(config) => Some(Arc::new(Broker::start(config).await?)),
            None => None,
        };
        let client = connect(proxy.client(), broker.as_ref());
        let workers = program.worker_threads;
        let is_own_cluster = broker.is_some();
        let registry =
            match registry::serve(registry, client.clone(), is_own_cluster, workers).await {
                Ok(registry) => registry,
                Err(error) => {
                    stop_cluster(client, broker).await;
                    return Err(StartError::Registry(error));
                }
            };
        let built_in = LocalSource::new(registry.registry().clone(), Handle::current());
        match proxy::serve(proxy, client.clone(), Arc::new(built_in), workers).await {
            Ok(proxy) => Ok(Self { broker, data, client, registry, proxy }),
            Err(error) => {
                registry.stop().await;
                stop_cluster(client, broker).await;
                Err(StartError::Proxy(error))
            }
        }
    }

    /// Says that everything answers, once it does.
    async fn announce(
        &self,
        file: Option<&PromisedFile>,
        format: LoggingFormat,
    ) -> Result<(), StartError> {
        self.first_answer().await;
        self.registry.registry().loaded().await;
        let services = self.services();
        if let Some(file) = file {
            file.write(&services)?;
        }
        match format {
            LoggingFormat::Text => _ = cli::print(&self.message(&services)),
            LoggingFormat::Json => tracing::info!(
                version = env!("CARGO_PKG_VERSION"),
                broker = services.broker,
                rest = services.rest,
                registry = services.registry,
                "ready"
            ),
        }
        Ok(())
    }

    /// Waits until the cluster answers. The proxy takes requests meanwhile, and
    /// says that the cluster does not.
    async fn first_answer(&self) {
        let mut is_silent = true;
        loop {
            let reason = match timeout(CLUSTER_PATIENCE, self.client.refresh_cluster()).await {
                Ok(Ok(_)) => return,
                Ok(Err(error)) => error.to_string(),
                Err(_) => format!("no answer within {} s", CLUSTER_PATIENCE.as_secs()),
            };
            if std::mem::take(&mut is_silent) {
                let servers = self.client.config().bootstrap_servers.join(",");
                tracing::warn!("waiting for the cluster at {servers}: {reason}");
            }
            tokio::time::sleep(CLUSTER_PAUSE).await;
        }
    }

    fn services(&self) -> Services {
        let broker = self.broker.as_ref().and_then(|broker| broker.addresses().first());
        let url = |address: &SocketAddr| format!("http://{}", reachable(*address));
        Services {
            pid: std::process::id(),
            broker: broker.map(|address| reachable(*address).to_string()),
            rest: self.proxy.addresses().first().map(url),
            registry: self.registry.addresses().first().map(url),
        }
    }

    fn message(&self, services: &Services) -> String {
        let mut message = format!("\nOttla {} is ready.\n\n", env!("CARGO_PKG_VERSION"));
        let mut row = |name: &str, text: &str| _ = writeln!(message, "  {name:11} {text}");
        match &services.broker {
            Some(broker) => row("Kafka", broker),
            None => row("Kafka", &self.client.config().bootstrap_servers.join(",")),
        }
        let rest = services.rest.as_deref().unwrap_or_default();
        row("REST proxy", rest);
        row("Registry", services.registry.as_deref().unwrap_or_default());
        for data in &self.data {
            row(
                "Data",
                &std::path::absolute(data).unwrap_or_else(|_| data.clone()).display().to_string(),
            );
        }
        message
            + &format!(
                "\nTry:\n  curl -X POST -H \"Content-Type: application/vnd.kafka.json.v2+json\" \\\n    \
                 --data '{{\"records\":[{{\"key\":\"k\",\"value\":{{\"foo\":\"bar\"}}}}]}}' {rest}/topics/jsontest\n\n"
            )
    }

    /// Stops in the order that lets each part finish its work on the next one.
    async fn stop(self) {
        self.proxy.stop().await;
        self.registry.stop().await;
        stop_cluster(self.client, self.broker).await;
    }
}

async fn stop_cluster(client: Client, broker: Option<Arc<Broker>>) {
    client.close().await;
    if let Some(broker) = broker {
        broker.shutdown().await;
    }
}

/// The client of proxy and registry: to the broker in this process, or to a cluster.
fn connect(config: ClientConfig, broker: Option<&Arc<Broker>>) -> Client {
    let (connector, config): (Arc<dyn Connector>, _) = match broker {
        None => (Arc::new(TcpConnector), config),
        Some(broker) => {
            // Every address leads to it.
            let bootstrap_servers = broker.addresses().iter().map(SocketAddr::to_string).collect();
            (
                Arc::new(InProcessConnector::new(Arc::clone(broker))),
                ClientConfig { bootstrap_servers, ..config },
            )
        }
    };
    Client::new(config, connector)
}

/// An address that a program on this machine can connect to, where a listener
/// listens on every address.
fn reachable(address: SocketAddr) -> SocketAddr {
    let ip = match address.ip() {
        ip if !ip.is_unspecified() => ip,
        IpAddr::V4(_) => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(_) => Ipv6Addr::LOCALHOST.into(),
    };
    SocketAddr::new(ip, address.port())
}

/// The ready file with its name for errors.
struct PromisedFile {
    path: PathBuf,
    file: ReadyFile,
}

impl PromisedFile {
    fn prepare(path: &Path) -> Result<Self, StartError> {
        let path = path.to_owned();
        match ReadyFile::prepare(&path) {
            Ok(file) => Ok(Self { path, file }),
            Err(source) => Err(StartError::ReadyFile { path, source }),
        }
    }

    fn write(&self, services: &Services) -> Result<(), StartError> {
        let failed = |source| StartError::ReadyFile { path: self.path.clone(), source };
        self.file.write(services).map_err(failed)
    }
}

/// What can be done about the failure of the broker.
fn broker_hint(error: &broker::StartError) -> String {
    match error {
        broker::StartError::Listen(error) => port_hint(error, "listeners", "PLAINTEXT"),
        broker::StartError::Storage(broker::StorageError::InUse(_)) => {
            ". Stop the other one, or choose another directory with --set log.dirs=DIRECTORY"
                .to_owned()
        }
        _ => String::new(),
    }
}

/// What can be done about a port that is taken.
fn port_hint(error: &io::Error, setting: &str, scheme: &str) -> String {
    match error.kind() {
        io::ErrorKind::AddrInUse => format!(
            ". Another program has the port; choose another one with --set {setting}={scheme}://127.0.0.1:PORT"
        ),
        _ => String::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn listeners_on_every_address_are_named_by_one_that_can_be_connected_to() {
        for (listener, expected) in [
            ("127.0.0.1:9092", "127.0.0.1:9092"),
            ("0.0.0.0:9092", "127.0.0.1:9092"),
            ("[::]:8082", "[::1]:8082"),
            ("192.0.2.7:1", "192.0.2.7:1"),
        ] {
            assert_eq!(reachable(listener.parse().unwrap()).to_string(), expected);
        }
    }

    #[test]
    fn what_can_be_done_is_said() {
        let taken = io::Error::new(io::ErrorKind::AddrInUse, "cannot listen on 127.0.0.1:9092");
        assert_eq!(
            StartError::Broker(taken.into()).to_string(),
            "cannot start the broker: cannot listen on 127.0.0.1:9092. Another program has the port; \
             choose another one with --set listeners=PLAINTEXT://127.0.0.1:PORT"
        );
        let refused = io::Error::new(io::ErrorKind::PermissionDenied, "cannot listen");
        assert_eq!(
            StartError::Proxy(refused).to_string(),
            "cannot start the REST proxy: cannot listen"
        );
        let storage = broker::StorageError::InUse("/data".into());
        let message = StartError::Broker(storage.into()).to_string();
        assert!(message.contains("/data is in use by another broker. Stop"), "{message}");
    }
}
