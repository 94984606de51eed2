//! The connections of one client: one for each node and purpose, made on demand.

use std::collections::HashMap;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use parking_lot::Mutex;
use tokio::sync::OwnedMutexGuard;
use tokio::time::{Instant, sleep, sleep_until, timeout};

use crate::connection::{Connection, Surroundings};
use crate::{Backoff, BrokerAddress, ClientConfig, Connector, Error, Purpose};

/// Whom a connection leads to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Endpoint {
    /// The address at this place of `bootstrap.servers`; which node that is, is not known.
    Bootstrap(usize),
    /// A node that the metadata names.
    Node(i32),
}

/// How good a choice an endpoint is; the smallest is the best.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Standing {
    /// Connected.
    Open,
    /// Not connected, and nothing speaks against it.
    Unknown,
    /// The last attempt failed; the next one is made at this time.
    Failed(Instant),
}

/// See the module. Locks: `slots` before that of a slot.
#[derive(Debug)]
pub(crate) struct Pool {
    config: Arc<ClientConfig>,
    connector: Arc<dyn Connector>,
    slots: Mutex<HashMap<(Endpoint, Purpose), Arc<Slot>>>,
    surroundings: Surroundings,
    /// The task that closes idle connections runs.
    sweeping: AtomicBool,
}

#[derive(Debug, Default)]
struct Slot {
    state: Mutex<SlotState>,
    /// Held by the attempt to connect.
    connecting: Arc<tokio::sync::Mutex<()>>,
}

#[derive(Debug, Default)]
struct SlotState {
    connection: Option<Arc<Connection>>,
    /// Attempts that have ended, well or not.
    attempts: u64,
    /// Failures since a connection was last made.
    failures: u32,
    last_error: Option<Error>,
    retry_at: Option<Instant>,
}

impl Pool {
    pub(crate) fn new(
        config: Arc<ClientConfig>,
        connector: Arc<dyn Connector>,
        surroundings: Surroundings,
    ) -> Self {
        Self {
            config,
            connector,
            slots: Mutex::default(),
            surroundings,
            sweeping: AtomicBool::new(false),
        }
    }

    /// The open connection, or a new one. After a failed attempt the next one
    /// waits for its time. Callers that come during an attempt share its outcome.
    pub(crate) async fn get(
        self: &Arc<Self>,
        endpoint: Endpoint,
        purpose: Purpose,
        address: &BrokerAddress,
    ) -> Result<Arc<Connection>, Error> {
        let slot = Arc::clone(self.slots.lock().entry((endpoint, purpose)).or_default());
        let (attempts, open) = slot.look(address);
        if let Some(connection) = open {
            return Ok(connection);
        }
        let attempt = Arc::clone(&slot.connecting).lock_owned().await;
        let (attempts_now, open) = slot.look(address);
        if let Some(connection) = open {
            return Ok(connection);
        }
        let (shared_failure, retry_at) = {
            let state = slot.state.lock();
            (state.last_error.clone().filter(|_| attempts_now != attempts), state.retry_at)
        };
        if let Some(error) = shared_failure {
            return Err(error);
        }
        if let Some(retry_at) = retry_at {
            sleep_until(retry_at).await;
        }
        if self.surroundings.cancel.is_cancelled() {
            return Err(Error::Closed);
        }
        self.start_sweeping();
        // In a task of its own, on the client's runtime: the connection belongs
        // to it, and goes on being made when this caller stops waiting.
        let task = Arc::clone(self).connect((endpoint, purpose), slot, attempt, address.clone());
        let task = self.surroundings.tasks.spawn_on(task, &self.surroundings.runtime);
        task.await.unwrap_or(Err(Error::Closed))
    }

    async fn connect(
        self: Arc<Self>,
        key: (Endpoint, Purpose),
        slot: Arc<Slot>,
        _attempt: OwnedMutexGuard<()>,
        address: BrokerAddress,
    ) -> Result<Arc<Connection>, Error> {
        let outcome = tokio::select! {
            () = self.surroundings.cancel.cancelled() => return Err(Error::Closed),
            outcome = self.open(&address) => outcome,
        };
        let mut state = slot.state.lock();
        state.attempts += 1;
        match &outcome {
            Ok(connection) => {
                state.connection = Some(Arc::clone(connection));
                state.failures = 0;
                state.last_error = None;
                state.retry_at = None;
                drop(state);
                if !self.slots.lock().get(&key).is_some_and(|current| Arc::ptr_eq(current, &slot)) {
                    connection.close("its user ended");
                }
            }
            Err(error) => {
                tracing::debug!(%address, %error, "no connection");
                state.failures += 1;
                let backoff = Backoff {
                    first: self.config.reconnect_backoff,
                    max: self.config.reconnect_backoff_max,
                };
                state.retry_at = Some(Instant::now() + backoff.pause(state.failures));
                state.last_error = Some(error.clone());
            }
        }
        outcome
    }

    async fn open(&self, address: &BrokerAddress) -> Result<Arc<Connection>, Error> {
        let failed = |source: io::Error| Error::Connect {
            address: address.clone(),
            source: Arc::new(source),
        };
        let transport = timeout(self.config.connect_timeout, self.connector.connect(address))
            .await
            .map_err(|_| failed(io::ErrorKind::TimedOut.into()))?
            .map_err(failed)?;
        Connection::open(address.clone(), transport, &self.config, &self.surroundings).await
    }

    /// Why the last attempt to connect failed, if it did.
    pub(crate) fn last_error(&self, endpoint: Endpoint, purpose: Purpose) -> Option<Error> {
        let slot = self.slots.lock().get(&(endpoint, purpose)).cloned()?;
        let state = slot.state.lock();
        state.last_error.clone()
    }

    /// How the endpoint stands for the purpose.
    pub(crate) fn standing(&self, endpoint: Endpoint, purpose: Purpose) -> Standing {
        let slot = self.slots.lock().get(&(endpoint, purpose)).cloned();
        let Some(slot) = slot else { return Standing::Unknown };
        let state = slot.state.lock();
        if state.connection.as_ref().is_some_and(|connection| connection.is_open()) {
            return Standing::Open;
        }
        // As long as no attempt has succeeded the endpoint counts as failed, even when its pause is over.
        state.retry_at.map_or(Standing::Unknown, Standing::Failed)
    }

    /// Closes all connections of the purpose.
    pub(crate) fn release(&self, purpose: Purpose) {
        let mut released = Vec::new();
        self.slots.lock().retain(|&(_, of), slot| {
            let keep = of != purpose;
            if !keep {
                released.push(Arc::clone(slot));
            }
            keep
        });
        for slot in released {
            if let Some(connection) = slot.state.lock().connection.take() {
                connection.close("its user ended");
            }
        }
    }

    fn start_sweeping(self: &Arc<Self>) {
        if self.sweeping.swap(true, Ordering::AcqRel) {
            return;
        }
        let pool = Arc::clone(self);
        let task = async move {
            let cancel = pool.surroundings.cancel.clone();
            loop {
                tokio::select! {
                    () = cancel.cancelled() => return,
                    () = sleep(pool.config.connections_max_idle / 2) => {}
                }
                if pool.sweep() {
                    return;
                }
            }
        };
        self.surroundings.tasks.spawn_on(task, &self.surroundings.runtime);
    }

    /// Closes what was not used for long and forgets slots without a
    /// connection. True when nothing is left to watch.
    fn sweep(&self) -> bool {
        let now = Instant::now();
        let mut slots = self.slots.lock();
        slots.retain(|_, slot| {
            if Arc::strong_count(slot) > 1 {
                // Somebody is about to use it, or connects.
                return true;
            }
            let mut state = slot.state.lock();
            if let Some(connection) = &state.connection {
                if connection
                    .idle_since()
                    .is_some_and(|since| now - since >= self.config.connections_max_idle)
                {
                    connection.close("it was idle");
                }
                if !connection.is_open() {
                    state.connection = None;
                }
            }
            state.connection.is_some() || state.retry_at.is_some_and(|at| at > now)
        });
        let nothing_left = slots.is_empty();
        if nothing_left {
            // Under the lock: whoever adds a slot after this starts another task.
            self.sweeping.store(false, Ordering::Release);
        }
        nothing_left
    }
}

impl Slot {
    /// Attempts so far, and the connection if it is open and leads to `address`.
    fn look(&self, address: &BrokerAddress) -> (u64, Option<Arc<Connection>>) {
        let mut state = self.state.lock();
        let usable =
            |connection: &&Arc<Connection>| connection.is_open() && connection.address() == address;
        let open = state.connection.as_ref().filter(usable).cloned();
        if open.is_none()
            && let Some(old) = state.connection.take()
        {
            old.close("the node has another address now");
        }
        (state.attempts, open)
    }
}
