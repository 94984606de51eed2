//! Consumer instances: Kafka consumers that HTTP clients create, use over many
//! requests, and delete, in API v1 and v2.
//!
//! They live in the memory of one process, in one registry for both versions.
//! One that is not used for `consumer.instance.timeout.ms` is closed; a single
//! task looks for such instances, so an instance has no timer of its own.
//!
//! | file | subject |
//! | --- | --- |
//! | `creation.rs` | what a client may say of a new instance |
//! | `instance.rs` | one instance: its consumer, what it committed |
//! | `read.rs` | reading through an instance |
//! | `records.rs` | records as JSON, within the memory for answers |
//! | `simple.rs` | reading a partition without an instance (API v1) |

mod creation;
mod instance;
mod read;
mod records;
mod simple;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use actix_web::HttpRequest;
use client::Client;
use client::consumer::{Consumer, ConsumerConfig};
use dashmap::DashMap;
use dashmap::mapref::entry::Entry;
use registry::Schemas;
use tokio::runtime::Handle;
use tokio::sync::Notify;
use tokio::time::{Instant, sleep_until};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::Config;
use crate::config::{ApiVersion, ConsumersConfig};
use crate::content_type::{MediaTypes, Negotiated};
use crate::error::Error;
use crate::memory::Budget;

pub(crate) use creation::{Creation, describe};
pub(crate) use instance::InUse;
use instance::Instance;
pub(crate) use read::{ReadRequest, Wait, answer, read};
pub(crate) use simple::{SimpleConsumers, SimpleRead, Start};

/// How much later than it is due an idle instance may be closed.
const EXPIRY_STEP: Duration = Duration::from_millis(500);

/// All instances.
#[derive(Debug)]
pub(crate) struct Consumers {
    config: ConsumersConfig,
    template: ConsumerConfig,
    /// For records in answers, whoever reads them.
    answers: Arc<Budget>,
    client: Client,
    runtime: Handle,
    tasks: TaskTracker,
    schemas: Option<Arc<Schemas>>,
    instances: DashMap<Key, Arc<Instance>>,
    /// How many instances there are, those that are being made included.
    count: AtomicUsize,
    /// Something is in the registry that the expiry task does not know of.
    added: Notify,
    is_closing: AtomicBool,
    /// No more waiting: reads answer with what they have.
    stop: CancellationToken,
}

/// What an instance is found by.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct Key {
    group: String,
    name: String,
}

impl Consumers {
    /// `tasks` are waited for when the proxy stops; they run on `runtime`, to
    /// which `client` belongs.
    pub(crate) fn new(
        config: &Config,
        client: Client,
        runtime: Handle,
        tasks: TaskTracker,
        schemas: Option<Arc<Schemas>>,
    ) -> Arc<Self> {
        let consumers = Arc::new(Self {
            config: config.consumers.clone(),
            template: config.consumer(),
            answers: Budget::new(config.bounds.max_inflight_bytes),
            client,
            runtime: runtime.clone(),
            tasks: tasks.clone(),
            schemas,
            instances: DashMap::new(),
            count: AtomicUsize::new(0),
            added: Notify::new(),
            is_closing: AtomicBool::new(false),
            stop: CancellationToken::new(),
        });
        tasks.spawn_on(Arc::clone(&consumers).expire(), &runtime);
        consumers
    }

    /// The schemas of records, if there is a registry.
    pub(crate) fn schemas(&self) -> Option<&Arc<Schemas>> {
        self.schemas.as_ref()
    }

    /// The memory for records in answers.
    pub(crate) fn answers(&self) -> &Arc<Budget> {
        &self.answers
    }

    /// Makes an instance. The name is taken from then on, and free again when
    /// the instance is deleted or expires.
    ///
    /// # Errors
    /// When the group has an instance of this name, when there are too many,
    /// and when the proxy is about to stop.
    pub(crate) fn create(&self, group: &str, creation: Creation) -> Result<(), Error> {
        let key = Key { group: group.to_owned(), name: creation.name.clone() };
        let limit = self.config.max_instances;
        let one_more = |count: usize| (count < limit).then_some(count + 1);
        if self.count.fetch_update(Ordering::Relaxed, Ordering::Relaxed, one_more).is_err() {
            // Not without a look at the name: that error would be there to stay.
            let exists = self.instances.contains_key(&key);
            return Err(if exists {
                Error::InstanceExists
            } else {
                Error::TooManyInstances(limit)
            });
        }
        let refused = match self.instances.entry(key) {
            Entry::Occupied(_) => Some(Error::InstanceExists),
            // Asked under the lock of the entry, so that closing finds the instance or this fails.
            Entry::Vacant(_) if self.is_closing.load(Ordering::SeqCst) => Some(Error::ShuttingDown),
            Entry::Vacant(vacant) => {
                // The consumer's tasks belong to the client's runtime.
                let _runtime = self.runtime.enter();
                let config = creation.consumer(group, &self.template);
                let consumer = Consumer::new(self.client.clone(), config);
                let stop = self.stop.child_token();
                vacant.insert(Instance::new(consumer, &creation, &self.config, stop));
                None
            }
        };
        if let Some(error) = refused {
            self.count.fetch_sub(1, Ordering::Relaxed);
            return Err(error);
        }
        self.added.notify_one();
        Ok(())
    }

    /// The instance, which does not expire before what is returned is dropped.
    pub(crate) fn find(&self, group: &str, name: &str) -> Option<InUse> {
        let key = Key { group: group.to_owned(), name: name.to_owned() };
        // Under the lock of the entry, so that it cannot expire in between.
        self.instances.get(&key).map(|instance| InUse::new(&instance))
    }

    /// Finds the instance of a call that only exists in `version` of the API,
    /// and settles the call's types. Whether there is an instance at all is for
    /// the caller to judge, once the body has been read.
    ///
    /// # Errors
    /// When the instance belongs to the other version, before everything else;
    /// 415 and 406.
    pub(crate) fn call(
        &self,
        request: &HttpRequest,
        (group, name): (&str, &str),
        version: ApiVersion,
        types: &MediaTypes,
    ) -> Result<(Negotiated, Option<InUse>), Error> {
        let instance = self.find(group, name);
        let own = instance.as_ref().map(|instance| instance.media_type());
        // First, so that the error has the type that is accepted, if any is.
        let negotiated = types.negotiate_preferring(request, own);
        match &instance {
            Some(instance) if instance.version != version => {
                Err(Error::WrongVersion(instance.version))
            }
            _ => Ok((negotiated?, instance)),
        }
    }

    /// Removes an instance and closes it. Returns when it has left its group;
    /// it does so even if the caller does not wait.
    ///
    /// # Errors
    /// When there is none.
    pub(crate) async fn delete(&self, group: &str, name: &str) -> Result<(), Error> {
        let key = Key { group: group.to_owned(), name: name.to_owned() };
        let (_, instance) = self.instances.remove(&key).ok_or(Error::InstanceNotFound)?;
        self.count.fetch_sub(1, Ordering::Relaxed);
        self.finish(async move { instance.close().await }).await
    }

    /// Does something that has to be done even if its request is dropped.
    pub(crate) async fn finish<T: Send + 'static>(
        &self,
        work: impl Future<Output = T> + Send + 'static,
    ) -> Result<T, Error> {
        self.start(work).await.map_err(|_| Error::Internal)
    }

    /// As [`Consumers::finish`], without waiting for it.
    pub(crate) fn start<T: Send + 'static>(
        &self,
        work: impl Future<Output = T> + Send + 'static,
    ) -> tokio::task::JoinHandle<T> {
        self.tasks.spawn_on(work, &self.runtime)
    }

    /// Lets reads end, and takes no more instances.
    pub(crate) fn stop(&self) {
        self.is_closing.store(true, Ordering::SeqCst);
        self.stop.cancel();
    }

    /// Closes all instances; each leaves its group.
    pub(crate) async fn close(&self) {
        self.stop();
        let mut keys = Vec::new();
        keys.extend(self.instances.iter().map(|entry| entry.key().clone()));
        let closing = keys.into_iter().filter_map(|key| self.instances.remove(&key));
        let closing: Vec<_> = closing
            .map(|(_, instance)| self.start(async move { instance.close().await }))
            .collect();
        for closed in closing {
            if closed.await.is_err() {
                tracing::error!("closing a consumer instance panicked");
            }
        }
    }

    /// Closes instances that are not used any more.
    async fn expire(self: Arc<Self>) {
        loop {
            let added = self.added.notified();
            let now = Instant::now();
            let next = self.expire_at(now);
            let wait = async {
                match next {
                    Some(next) => sleep_until(next.max(now + EXPIRY_STEP)).await,
                    None => added.await,
                }
            };
            tokio::select! {
                () = wait => {}
                () = self.stop.cancelled() => return,
            }
        }
    }

    /// Closes what is due, and tells when the next instance may be.
    fn expire_at(&self, now: Instant) -> Option<Instant> {
        let timeout = self.config.instance_timeout;
        let mut next: Option<Instant> = None;
        let mut due = Vec::new();
        for entry in &self.instances {
            let at = entry.value().idle_since(now) + timeout;
            if at <= now {
                due.push(entry.key().clone());
            } else {
                next = Some(next.map_or(at, |next| next.min(at)));
            }
        }
        for key in due {
            let is_idle = |_: &Key, instance: &Arc<Instance>| {
                !instance.is_in_use() && instance.idle_since(now) + timeout <= now
            };
            if let Some((key, instance)) = self.instances.remove_if(&key, is_idle) {
                self.count.fetch_sub(1, Ordering::Relaxed);
                tracing::info!(
                    group = key.group,
                    instance = key.name,
                    "a consumer instance expired"
                );
                self.start(async move { instance.close().await });
            } else {
                next = Some(next.map_or(now, |next| next.min(now)));
            }
        }
        next
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use client::{ClientConfig, TcpConnector};
    use protocol::config_def::ConfigValues;

    use super::creation::CreationBody;
    use super::*;

    /// Without a cluster: instances do not need one before they read.
    fn consumers(settings: &[(&str, &str)]) -> Arc<Consumers> {
        let values: ConfigValues =
            settings.iter().map(|(name, text)| ((*name).to_owned(), (*text).to_owned())).collect();
        let config = Config::from_values(&values).unwrap();
        let client = Client::new(ClientConfig::default(), Arc::new(TcpConnector));
        Consumers::new(&config, client, Handle::current(), TaskTracker::new(), None)
    }

    fn creation(name: &str) -> Creation {
        let body: CreationBody = serde_json::from_str(&format!(r#"{{"name":"{name}"}}"#)).unwrap();
        Creation::new(body, ApiVersion::V2, &Config::default()).unwrap()
    }

    #[tokio::test]
    async fn a_name_is_taken_within_its_group_until_it_is_deleted() {
        let consumers = consumers(&[]);
        consumers.create("g", creation("i")).unwrap();
        let again = consumers.create("g", creation("i"));
        assert!(matches!(again, Err(Error::InstanceExists)));
        consumers.create("other", creation("i")).unwrap();
        // Where one name ends and the other begins matters.
        consumers.create("gi", creation("")).unwrap();
        consumers.delete("g", "i").await.unwrap();
        assert!(matches!(consumers.delete("g", "i").await, Err(Error::InstanceNotFound)));
        consumers.create("g", creation("i")).unwrap();
        consumers.close().await;
        assert!(consumers.find("g", "i").is_none());
        assert!(matches!(consumers.create("g", creation("i")), Err(Error::ShuttingDown)));
    }

    #[tokio::test]
    async fn there_are_only_so_many() {
        let consumers = consumers(&[("consumer.instances.max", "2")]);
        consumers.create("g", creation("1")).unwrap();
        consumers.create("g", creation("2")).unwrap();
        let refused = consumers.create("g", creation("3"));
        assert!(matches!(refused, Err(Error::TooManyInstances(2))));
        assert!(matches!(consumers.create("g", creation("2")), Err(Error::InstanceExists)));
        consumers.delete("g", "1").await.unwrap();
        consumers.create("g", creation("3")).unwrap();
        consumers.close().await;
    }

    #[tokio::test(start_paused = true)]
    async fn an_instance_expires_when_it_is_not_used() {
        let consumers = consumers(&[("consumer.instance.timeout.ms", "1000")]);
        consumers.create("g", creation("used")).unwrap();
        consumers.create("g", creation("idle")).unwrap();
        let in_use = consumers.find("g", "used").unwrap();
        tokio::time::sleep(Duration::from_millis(999)).await;
        assert!(consumers.instances.len() == 2);
        tokio::time::sleep(Duration::from_millis(1_001)).await;
        assert!(consumers.find("g", "idle").is_none());
        // However long a call takes, and then the whole time again.
        tokio::time::sleep(Duration::from_secs(60)).await;
        drop(in_use);
        tokio::time::sleep(Duration::from_millis(999)).await;
        drop(consumers.find("g", "used").expect("it was in use a moment ago"));
        tokio::time::sleep(Duration::from_millis(999)).await;
        assert!(consumers.instances.len() == 1, "each call begins the time anew");
        tokio::time::sleep(Duration::from_millis(1_001)).await;
        assert!(consumers.find("g", "used").is_none());
        // The task still looks after those that come later.
        consumers.create("g", creation("later")).unwrap();
        tokio::time::sleep(Duration::from_secs(2)).await;
        assert!(consumers.find("g", "later").is_none());
        consumers.close().await;
    }
}
