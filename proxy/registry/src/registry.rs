//! The registry as its HTTP API and the proxy see it: registering, finding,
//! comparing and deleting schemas, and the settings of subjects.
//!
//! Reading answers from memory. Writing goes through the one registry of the
//! cluster that leads, one write at a time, and is over when the record was
//! read back.

mod contract;
mod delete;
mod parsed;
mod register;
mod rounds;
mod settings;

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

use client::Client;
use tokio::runtime::Handle;
use tokio::sync::{Mutex, Semaphore};
use tokio::time::Instant;
use uuid::Uuid;

pub use self::register::{ReferenceRequest, Registration, TagsOfVersion};
pub use self::settings::ConfigUpdate;
use crate::config::Config;
use crate::election::{Company, Election, Identity};
use crate::error::Error;
use crate::store::view::View;
use crate::store::{Filter, Records, Store, StoredSchema};
use crate::subject::{EVERY_CONTEXT, Subject};
use crate::worker::Worker;

/// Schemas that are larger than this together are parsed and compared where they hold up nobody,
/// in bytes: comparing two JSON Schemas may take the product of their sizes.
const LARGE: usize = 4 * 1024;
/// How many KiB of such schemas are worked on at the same time, or one that is larger alone: parsed,
/// they take many times as much memory.
const MAX_KIB_AT_ONCE: u32 = 4 * 1024;

/// A version as a request names it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Version {
    /// The newest that is not deleted.
    Latest,
    /// From 1 on.
    Number(i32),
}

impl Version {
    /// The number in error messages.
    pub fn number(self) -> i32 {
        match self {
            Self::Latest => -1,
            Self::Number(number) => number,
        }
    }
}

/// `latest` in any case, -1, or a number from 1 on.
impl std::str::FromStr for Version {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if text.trim().eq_ignore_ascii_case("latest") {
            return Ok(Self::Latest);
        }
        match text.trim().parse() {
            Ok(-1) => Ok(Self::Latest),
            Ok(number) if number >= 1 => Ok(Self::Number(number)),
            _ => Err(Error::InvalidVersion(text.to_owned())),
        }
    }
}

/// A list of subjects or schemas that a request asks for.
#[derive(Debug, Clone, Default)]
pub struct Prefix(pub String);

/// See the module. Clones are the same registry.
#[derive(Debug, Clone)]
pub struct Registry {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    config: Config,
    store: Arc<Store>,
    election: Election,
    parsed: parsed::Cache,
    writer: Mutex<Writer>,
    /// Registrations that wait for the writer.
    registrations: rounds::Queue,
    runtime: Handle,
    /// One permit for each KiB of large schemas that may be worked on.
    large: Arc<Semaphore>,
    /// Where the topic is read and written.
    worker: Worker,
}

/// Held by whoever writes.
#[derive(Debug, Default)]
struct Writer {
    /// The term for which the view is known to be complete.
    term: Option<u64>,
}

impl Registry {
    /// A registry on the cluster of `client`, which others reach at `address`.
    /// With `is_own_cluster`, the cluster is this program's own broker. Must be
    /// called within the runtime of `client`.
    ///
    /// # Errors
    /// When there can be no more threads.
    pub fn open(
        config: Config,
        client: Client,
        address: SocketAddr,
        is_own_cluster: bool,
    ) -> io::Result<Self> {
        let identity = identity(&config, address);
        let company = if is_own_cluster { Company::Unlikely } else { Company::Likely };
        let election = Election::new(client.clone(), config.election.clone(), identity, company);
        let worker = Worker::start(Handle::current())?;
        let inner = Inner {
            store: Store::open(client, config.topic.clone(), &worker),
            election,
            parsed: parsed::Cache::new(config.cache_size),
            writer: Mutex::default(),
            registrations: rounds::Queue::default(),
            runtime: Handle::current(),
            large: Arc::new(Semaphore::new(MAX_KIB_AT_ONCE as usize)),
            worker,
            config,
        };
        Ok(Self { inner: Arc::new(inner) })
    }

    /// The settings it was made with.
    pub fn config(&self) -> &Config {
        &self.inner.config
    }

    /// Where its work is done.
    pub(crate) fn runtime(&self) -> &Handle {
        &self.inner.runtime
    }

    /// The cluster that keeps the schemas.
    pub(crate) fn client(&self) -> &Client {
        self.inner.store.client()
    }

    /// Waits until everything is read that was in the topic at the start.
    pub async fn loaded(&self) {
        self.inner.store.loaded().await;
    }

    /// Whether everything is.
    pub fn is_loaded(&self) -> bool {
        self.inner.store.is_loaded()
    }

    /// Waits for that, as long as a request may.
    pub(crate) async fn check_loaded(&self) -> Result<(), Error> {
        self.inner.store.check_loaded().await
    }

    /// Whether some registry of the cluster takes writes.
    pub fn has_leader(&self) -> bool {
        self.inner.election.has_leader()
    }

    /// Waits until everything that was written so far, by whomever, can be read here.
    ///
    /// # Errors
    /// When the cluster does not answer in time.
    pub async fn catch_up(&self) -> Result<(), Error> {
        let inner = Arc::clone(&self.inner);
        self.inner.worker.run(async move || inner.store.catch_up().await).await
    }

    /// Ends writes, leaves the other registries, and stops reading.
    pub async fn close(&self) {
        let Inner { store, election, worker, .. } = &*self.inner;
        // Whoever waits for the lock was there before and gets it first.
        let idle = self.inner.writer.lock().await;
        store.close().await;
        drop(idle);
        election.leave().await;
        worker.close().await;
    }
}

/// How the others reach this registry.
fn identity(config: &Config, address: SocketAddr) -> Identity {
    let host = match &*config.host_name {
        "" if address.ip().is_unspecified() => this_machine(),
        "" => address.ip().to_string(),
        name => name.to_owned(),
    };
    Identity::new(host, address.port(), config.election.is_eligible)
}

fn this_machine() -> String {
    let name = rustix::system::uname();
    let name = name.nodename().to_string_lossy();
    if name.is_empty() { "localhost".to_owned() } else { name.into_owned() }
}

/// Writing.
impl Registry {
    /// Writes what `decide` says, as the only writer of the cluster and to the
    /// end; answers what it says besides.
    async fn write<T: Send + 'static>(
        &self,
        decide: impl FnOnce(&Inner) -> Result<(Records, T), Error> + Send + 'static,
    ) -> Result<T, Error> {
        let inner = Arc::clone(&self.inner);
        let work = async move || {
            inner.store.check_loaded().await?;
            let mut writer = inner.writer.lock().await;
            inner.lead(&mut writer).await?;
            let (records, outcome) = decide(&inner)?;
            let removes = records.removes();
            inner.store.append(records).await?;
            if removes {
                // What a reference stands for may be something else the next time.
                inner.parsed.clear();
            }
            drop(writer);
            Ok(outcome)
        };
        self.inner.worker.run(work).await
    }
}

/// Does what takes long for a large schema where nothing waits behind it.
async fn compute<T: Send + 'static>(
    inner: &Arc<Inner>,
    size: usize,
    work: impl FnOnce(&Inner) -> Result<T, Error> + Send + 'static,
) -> Result<T, Error> {
    if size < LARGE {
        return work(inner);
    }
    let permits = u32::try_from(size / 1024).unwrap_or(u32::MAX).clamp(1, MAX_KIB_AT_ONCE);
    let permit = Arc::clone(&inner.large).acquire_many_owned(permits).await;
    let permit = permit.map_err(|_| Error::Internal)?;
    let inner = Arc::clone(inner);
    let runtime = inner.runtime.clone();
    let working = runtime.spawn_blocking(move || {
        let outcome = work(&inner);
        drop(permit);
        outcome
    });
    working.await.unwrap_or_else(|error| {
        tracing::error!(%error, "work on a schema panicked");
        Err(Error::Internal)
    })
}

impl Inner {
    /// Waits until this registry may write and knows everything that was written.
    async fn lead(&self, writer: &mut Writer) -> Result<(), Error> {
        let deadline = Instant::now() + self.config.topic.timeout;
        let term = self.election.lead(deadline).await?;
        // In term 0 it is alone, and is not told when others come and go.
        if term == 0 || writer.term != Some(term) {
            self.store.catch_up().await?;
            writer.term = Some(term);
        }
        Ok(())
    }
}

/// Versions and subjects.
impl Registry {
    fn view(&self) -> parking_lot::RwLockReadGuard<'_, View> {
        self.inner.store.view()
    }

    /// Whether a subject has versions of that kind.
    pub fn has_subject(&self, subject: &Subject, filter: Filter) -> bool {
        self.view().has_subject(subject, filter)
    }

    /// The numbers of the versions of a subject, with whether each is deleted.
    ///
    /// # Errors
    /// [`Error::SubjectNotFound`] when the subject has none that `visible` takes.
    pub fn versions(
        &self,
        subject: &Subject,
        visible: Filter,
        filter: Filter,
    ) -> Result<Vec<(i32, bool)>, Error> {
        let view = self.view();
        if !view.has_subject(subject, visible) {
            return Err(Error::SubjectNotFound(subject.clone()));
        }
        Ok(view.versions(subject, filter).map(|stored| (stored.version, stored.deleted)).collect())
    }

    /// A version. A subject without context that is not in the default one is
    /// looked for in the others.
    ///
    /// # Errors
    /// [`Error::SubjectNotFound`], [`Error::VersionNotFound`].
    pub fn version(
        &self,
        subject: &Subject,
        version: Version,
        filter: Filter,
    ) -> Result<Arc<StoredSchema>, Error> {
        let view = self.view();
        let find = |subject: &Subject| find_version(&view, subject, version, filter).cloned();
        if let Some(found) = find(subject) {
            return Ok(found);
        }
        if subject.is_in_default_context() {
            let elsewhere = view.contexts().map(|context| Subject::new(context, subject.name()));
            if let Some(found) = elsewhere.skip(1).find_map(|subject| find(&subject)) {
                return Ok(found);
            }
        }
        Err(if view.has_subject(subject, filter) {
            Error::VersionNotFound(version.number())
        } else {
            Error::SubjectNotFound(subject.clone())
        })
    }

    /// The newest version whose metadata has all these properties; without any, the latest.
    pub fn latest_with_properties(
        &self,
        subject: &Subject,
        properties: &[(String, String)],
        filter: Filter,
    ) -> Result<Arc<StoredSchema>, Error> {
        let view = self.view();
        if !view.has_subject(subject, filter) {
            return Err(Error::SubjectNotFound(subject.clone()));
        }
        let has_all = |stored: &&Arc<StoredSchema>| {
            stored.content.metadata.as_ref().is_some_and(|metadata| {
                properties.iter().all(|(name, value)| metadata.properties.get(name) == Some(value))
            })
        };
        let found = view.versions(subject, filter).rev().find(has_all).cloned();
        found.ok_or(Error::NoSuchSchema)
    }

    /// The ids of the schemas that refer to a version, sorted.
    pub fn referenced_by(&self, stored: &StoredSchema, filter: Filter) -> Vec<i32> {
        let view = self.view();
        let referrers = view.referrers(&stored.subject, stored.version, filter);
        let mut ids: Vec<(String, i32)> =
            referrers.map(|stored| (stored.subject.context().to_owned(), stored.id)).collect();
        ids.sort_unstable();
        ids.dedup();
        ids.into_iter().map(|(_, id)| id).collect()
    }

    /// The names of the subjects that begin with a prefix, sorted.
    pub fn subjects(&self, prefix: &Prefix, filter: Filter) -> Vec<String> {
        let view = self.view();
        let mut names = Vec::new();
        for (context, prefix) in prefix.in_contexts(&view) {
            for (subject, versions) in view.subjects_with_prefix(&context, &prefix) {
                let is_live = versions.values().any(|stored| !stored.deleted);
                let is_shown = match filter {
                    Filter::Live => is_live,
                    Filter::All => true,
                    Filter::Deleted => !is_live,
                };
                if is_shown {
                    names.push(subject.to_string());
                }
            }
        }
        names.sort_unstable();
        names
    }

    /// The versions of the subjects that begin with a prefix, sorted by the
    /// names of the subjects and the numbers; of each only the newest, if that is wanted.
    pub fn schemas(
        &self,
        prefix: &Prefix,
        filter: Filter,
        latest_only: bool,
    ) -> Vec<Arc<StoredSchema>> {
        let view = self.view();
        let mut found = Vec::new();
        for (context, prefix) in prefix.in_contexts(&view) {
            for (subject, _) in view.subjects_with_prefix(&context, &prefix) {
                let name = subject.to_string();
                let mut versions =
                    view.versions(subject, filter).cloned().map(|stored| (name.clone(), stored));
                if latest_only {
                    found.extend(versions.next_back());
                } else {
                    found.extend(versions);
                }
            }
        }
        found.sort_by(|(left, _), (right, _)| left.cmp(right));
        found.into_iter().map(|(_, stored)| stored).collect()
    }

    /// The subjects whose alias each subject is.
    pub fn aliases(&self) -> Vec<(Subject, Subject)> {
        self.view().aliases()
    }

    /// The contexts that begin with a prefix, the default one first.
    pub fn contexts(&self, prefix: &str) -> Vec<String> {
        let view = self.view();
        view.contexts().filter(|name| name.starts_with(prefix)).map(str::to_owned).collect()
    }
}

fn find_version<'a>(
    view: &'a View,
    subject: &Subject,
    version: Version,
    filter: Filter,
) -> Option<&'a Arc<StoredSchema>> {
    match version {
        Version::Latest => view.latest(subject),
        Version::Number(number) => view.version(subject, number, filter),
    }
}

impl Prefix {
    /// The prefix of names in each context that it is about.
    fn in_contexts(&self, view: &View) -> Vec<(String, String)> {
        match self.0.strip_prefix(EVERY_CONTEXT) {
            Some(name) => {
                view.contexts().map(|context| (context.to_owned(), name.to_owned())).collect()
            }
            None if self.0.starts_with(":.")
                && !self.0.get(2..).is_some_and(|rest| rest.contains(':')) =>
            {
                // The beginning of the name of a context.
                let name = self.0.get(1..).unwrap_or_default();
                // The default one, which comes first, is not written that way.
                let contexts = view.contexts().skip(1);
                let contexts = contexts.filter(|context| context.starts_with(name));
                contexts.map(|context| (context.to_owned(), String::new())).collect()
            }
            None => {
                let subject = Subject::parse(&self.0);
                vec![(subject.context().to_owned(), subject.name().to_owned())]
            }
        }
    }
}

/// Ids and guids.
impl Registry {
    /// A schema by its id, as a version of `subject` if it is one; else as any.
    /// The subject chooses the context; without a context and unknown there, it
    /// is looked for in the others.
    ///
    /// # Errors
    /// [`Error::SchemaNotFound`].
    pub fn schema_by_id(
        &self,
        id: i32,
        subject: Option<&Subject>,
    ) -> Result<Arc<StoredSchema>, Error> {
        let found = self.find_id(&self.view(), id, subject);
        found.ok_or_else(|| Error::SchemaNotFound(id.to_string()))
    }

    fn find_id(
        &self,
        view: &View,
        id: i32,
        subject: Option<&Subject>,
    ) -> Option<Arc<StoredSchema>> {
        let default = Subject::parse("");
        let subject = subject.unwrap_or(&default);
        if subject.is_context() {
            return view.user_of_id(subject.context(), id, None).cloned();
        }
        let exact =
            |subject: &Subject| view.user_of_id(subject.context(), id, Some(subject)).cloned();
        if let Some(found) = exact(subject) {
            return Some(found);
        }
        if subject.is_in_default_context() {
            let elsewhere = view.contexts().map(|context| Subject::new(context, subject.name()));
            if let Some(found) = elsewhere.skip(1).find_map(|subject| exact(&subject)) {
                return Some(found);
            }
        }
        view.user_of_id(subject.context(), id, None).cloned()
    }

    /// The newest version of each subject that uses an id, sorted.
    ///
    /// # Errors
    /// [`Error::NoSuchSchema`].
    pub fn users_of_id(
        &self,
        id: i32,
        subject: Option<&Subject>,
        filter: Filter,
    ) -> Result<Vec<(Subject, i32)>, Error> {
        let view = self.view();
        let found = self.find_id(&view, id, subject).ok_or(Error::NoSuchSchema)?;
        let mut users: Vec<(Subject, i32)> = Vec::new();
        for stored in view.users(found.subject.context(), id, filter) {
            match users.last_mut() {
                Some((subject, version)) if *subject == stored.subject => *version = stored.version,
                _ => users.push((stored.subject.clone(), stored.version)),
            }
        }
        Ok(users)
    }

    /// Whether an id belongs to a version of the subject that is not deleted.
    pub fn has_id(&self, subject: &Subject, id: i32) -> bool {
        self.view().versions(subject, Filter::Live).rev().any(|stored| stored.id == id)
    }

    /// The highest id of a context.
    pub fn max_id(&self, context: &str) -> i32 {
        self.view().max_id(context)
    }

    /// A schema by its guid, in whichever context it is.
    ///
    /// # Errors
    /// [`Error::SchemaNotFound`].
    pub fn schema_by_guid(&self, text: &str) -> Result<Arc<StoredSchema>, Error> {
        let view = self.view();
        let find = |guid| {
            view.contexts().find_map(|context| {
                let id = view.id_of_guid(context, guid)?;
                view.user_of_id(context, id, None).cloned()
            })
        };
        let found = Uuid::try_parse(text).ok().and_then(find);
        found.ok_or_else(|| Error::SchemaNotFound(text.to_owned()))
    }

    /// The ids of a guid in all contexts.
    pub fn ids_of_guid(&self, text: &str) -> Vec<(String, i32)> {
        let Ok(guid) = Uuid::try_parse(text) else { return Vec::new() };
        let view = self.view();
        let of = |context: &str| Some((context.to_owned(), view.id_of_guid(context, guid)?));
        view.contexts().filter_map(of).collect()
    }
}
