//! What the records of the topic amount to: contexts, subjects, versions, ids,
//! configs and modes. Records are applied strictly in the order of their
//! offsets, those that the registry itself wrote included.
//!
//! # Invariants
//! - An id stands for one text. A record that says otherwise is ignored, so
//!   that all registries agree whatever was written at the same time.
//! - An id is known as long as a version, live or soft deleted, uses it.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::ops::Bound;
use std::sync::{Arc, OnceLock};

use uuid::Uuid;

use super::record::{
    ClearSubjectValue, ConfigValue, DeleteSubjectValue, Key, Mode, ModeValue, SchemaValue,
    SubjectConfig,
};
use crate::content::Content;
use crate::subject::{DEFAULT_CONTEXT, GLOBAL_CONTEXT, Subject};

/// A version of a subject.
#[derive(Debug, Clone)]
pub struct StoredSchema {
    /// The subject.
    pub subject: Subject,
    /// Its number there.
    pub version: i32,
    /// The id of the content in the context.
    pub id: i32,
    /// What was registered.
    pub content: Arc<Content>,
    /// Names the content in all contexts.
    pub guid: Uuid,
    /// Whether it is soft deleted.
    pub deleted: bool,
    /// When its record was written, in ms since 1970.
    pub timestamp: i64,
    /// The canonical text, where it is not what is stored: another registry
    /// may have written it. Filled in when it is asked for.
    pub(crate) canonical: OnceLock<Option<Box<str>>>,
}

/// Which versions a question is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Filter {
    /// Those that are not deleted.
    Live,
    /// Those too that are soft deleted.
    All,
    /// Only those that are soft deleted.
    Deleted,
}

impl Filter {
    /// With soft-deleted ones, or without.
    pub fn with_deleted(deleted: bool) -> Self {
        if deleted { Self::All } else { Self::Live }
    }

    fn takes(self, deleted: bool) -> bool {
        match self {
            Self::Live => !deleted,
            Self::All => true,
            Self::Deleted => deleted,
        }
    }
}

/// See the module.
#[derive(Debug, Default)]
pub(crate) struct View {
    contexts: BTreeMap<Box<str>, ContextView>,
    /// Contexts that a record names.
    named_contexts: BTreeSet<String>,
    /// By the name of a subject or a context; `None` is the default context.
    configs: BTreeMap<Option<String>, SubjectConfig>,
    modes: BTreeMap<Option<String>, Mode>,
    /// Who refers to a version.
    referrers: HashMap<(Subject, i32), BTreeSet<(Subject, i32)>>,
    /// Keys of records that another registry wrote in its own way, by ours:
    /// compaction tells them apart.
    foreign_keys: HashMap<Key, Box<[u8]>>,
}

#[derive(Debug, Default)]
struct ContextView {
    subjects: BTreeMap<Subject, BTreeMap<i32, Arc<StoredSchema>>>,
    /// The versions that use an id.
    users: HashMap<i32, BTreeSet<(Subject, i32)>>,
    /// The ids of a content, the newest last. More than one comes from imports.
    ids: HashMap<Uuid, Vec<i32>>,
    max_id: i32,
}

/// Applying records.
impl View {
    /// Takes the next record of the topic.
    pub(crate) fn apply(
        &mut self,
        key: Option<&[u8]>,
        value: Option<&[u8]>,
        offset: i64,
        timestamp: i64,
    ) {
        let Some(bytes) = key else {
            tracing::warn!(offset, "a record without key in the topic of the registry is skipped");
            return;
        };
        let Some(key) = Key::decode(bytes) else {
            tracing::warn!(
                offset,
                "a record of an unknown kind in the topic of the registry is skipped"
            );
            return;
        };
        let key = self.note_key(key, bytes);
        let outcome = match value {
            Some(value) => self.put(key, value, offset, timestamp),
            None => {
                self.remove(key);
                Ok(())
            }
        };
        if let Err(error) = outcome {
            tracing::warn!(offset, %error, "a record in the topic of the registry cannot be read and is skipped");
        }
    }

    /// The key as this registry writes it; remembers the bytes if they differ.
    fn note_key(&mut self, key: Key, bytes: &[u8]) -> Key {
        let key = match key {
            Key::Schema { subject, version, .. } => {
                Key::schema(Subject::parse(&subject).to_string(), version)
            }
            Key::Config { subject, .. } => Key::config(subject),
            Key::Mode { subject, .. } => Key::mode(subject),
            other => return other,
        };
        if key.encode() == bytes {
            self.foreign_keys.remove(&key);
        } else {
            self.foreign_keys.insert(key.clone(), bytes.into());
        }
        key
    }

    /// The bytes under which the record of this key lies in the topic.
    pub(crate) fn key_bytes(&self, key: &Key) -> Vec<u8> {
        self.foreign_keys.get(key).map_or_else(|| key.encode(), |bytes| bytes.to_vec())
    }

    fn put(
        &mut self,
        key: Key,
        value: &[u8],
        offset: i64,
        timestamp: i64,
    ) -> Result<(), serde_json::Error> {
        match key {
            Key::Schema { subject, version, .. } => {
                let value: SchemaValue = serde_json::from_slice(value)?;
                self.put_schema(Subject::parse(&subject), version, value, offset, timestamp);
            }
            Key::DeleteSubject { .. } => {
                let value: DeleteSubjectValue = serde_json::from_slice(value)?;
                self.soft_delete(&Subject::parse(&value.subject), value.version);
            }
            Key::ClearSubject { .. } => {
                let value: ClearSubjectValue = serde_json::from_slice(value)?;
                self.clear(value.subject.as_deref().map(Subject::parse).as_ref());
            }
            Key::Config { subject, .. } => {
                let value: ConfigValue = serde_json::from_slice(value)?;
                self.configs.insert(subject, value.config);
            }
            Key::Mode { subject, .. } => {
                let value: ModeValue = serde_json::from_slice(value)?;
                self.modes.insert(subject, value.mode);
            }
            Key::Context { context, .. } => {
                self.named_contexts.insert(context);
            }
            Key::Noop { .. } => {}
        }
        Ok(())
    }

    fn remove(&mut self, key: Key) {
        match &key {
            Key::Schema { subject, version, .. } => {
                self.remove_version(&Subject::parse(subject), *version);
            }
            Key::Config { subject, .. } => _ = self.configs.remove(subject),
            Key::Mode { subject, .. } => _ = self.modes.remove(subject),
            Key::Context { context, .. } => _ = self.named_contexts.remove(context),
            // Marks of what happened; that it happened stays true.
            Key::DeleteSubject { .. } | Key::ClearSubject { .. } | Key::Noop { .. } => {}
        }
        self.foreign_keys.remove(&key);
    }

    fn put_schema(
        &mut self,
        subject: Subject,
        version: i32,
        value: SchemaValue,
        offset: i64,
        timestamp: i64,
    ) {
        let (id, deleted) = (value.id, value.deleted);
        let content = value.into_content();
        let context = self.contexts.entry(subject.context().into()).or_default();
        let known = context
            .users
            .get(&id)
            .and_then(|users| users.first())
            .and_then(|(subject, version)| context.subjects.get(subject)?.get(version));
        let content = match known {
            Some(known) if known.content.text != content.text => {
                tracing::error!(
                    offset, %subject, version, id,
                    "a record in the topic of the registry gives an id to another schema and is ignored"
                );
                return;
            }
            // Most subjects of an id share its content.
            Some(known) if *known.content == content => Arc::clone(&known.content),
            _ => Arc::new(content),
        };
        self.remove_version(&subject, version);
        let guid = content.guid();
        for reference in &content.references {
            let target = (Subject::within(&subject, &reference.subject), reference.version);
            self.referrers.entry(target).or_default().insert((subject.clone(), version));
        }
        let context = self.contexts.entry(subject.context().into()).or_default();
        context.max_id = context.max_id.max(id);
        context.users.entry(id).or_default().insert((subject.clone(), version));
        let ids = context.ids.entry(guid).or_default();
        ids.retain(|other| *other != id);
        ids.push(id);
        let stored = StoredSchema {
            subject: subject.clone(),
            version,
            id,
            content,
            guid,
            deleted,
            timestamp,
            canonical: OnceLock::new(),
        };
        context.subjects.entry(subject).or_default().insert(version, Arc::new(stored));
    }

    fn remove_version(&mut self, subject: &Subject, version: i32) {
        let Some(context) = self.contexts.get_mut(subject.context()) else { return };
        let Some(versions) = context.subjects.get_mut(subject) else { return };
        let Some(removed) = versions.remove(&version) else { return };
        if versions.is_empty() {
            context.subjects.remove(subject);
        }
        let user = (subject.clone(), version);
        if let Some(users) = context.users.get_mut(&removed.id) {
            users.remove(&user);
            if users.is_empty() {
                context.users.remove(&removed.id);
                if let Some(ids) = context.ids.get_mut(&removed.guid) {
                    ids.retain(|id| *id != removed.id);
                    if ids.is_empty() {
                        context.ids.remove(&removed.guid);
                    }
                }
            }
        }
        for reference in &removed.content.references {
            let target = (Subject::within(subject, &reference.subject), reference.version);
            if let Some(referrers) = self.referrers.get_mut(&target) {
                referrers.remove(&user);
                if referrers.is_empty() {
                    self.referrers.remove(&target);
                }
            }
        }
    }

    fn soft_delete(&mut self, subject: &Subject, up_to: i32) {
        let versions = self
            .contexts
            .get_mut(subject.context())
            .and_then(|context| context.subjects.get_mut(subject));
        for (_, stored) in versions.into_iter().flat_map(|versions| versions.range_mut(..=up_to)) {
            if !stored.deleted {
                *stored = Arc::new(StoredSchema { deleted: true, ..StoredSchema::clone(stored) });
            }
        }
    }

    /// Forgets what is soft deleted: of a subject, a context, or `None` for all.
    fn clear(&mut self, covering: Option<&Subject>) {
        let deleted: Vec<(Subject, i32)> = self
            .schemas(covering, Filter::Deleted)
            .map(|stored| (stored.subject.clone(), stored.version))
            .collect();
        for (subject, version) in deleted {
            self.remove_version(&subject, version);
        }
    }
}

/// Subjects and versions.
impl View {
    fn context(&self, name: &str) -> Option<&ContextView> {
        self.contexts.get(name)
    }

    /// The versions of a subject, oldest first.
    pub(crate) fn versions(
        &self,
        subject: &Subject,
        filter: Filter,
    ) -> impl DoubleEndedIterator<Item = &Arc<StoredSchema>> {
        let versions =
            self.context(subject.context()).and_then(|context| context.subjects.get(subject));
        versions
            .into_iter()
            .flat_map(BTreeMap::values)
            .filter(move |stored| filter.takes(stored.deleted))
    }

    /// A version by its number.
    pub(crate) fn version(
        &self,
        subject: &Subject,
        version: i32,
        filter: Filter,
    ) -> Option<&Arc<StoredSchema>> {
        let versions = self.context(subject.context())?.subjects.get(subject)?;
        versions.get(&version).filter(|stored| filter.takes(stored.deleted))
    }

    /// The newest version that is not deleted.
    pub(crate) fn latest(&self, subject: &Subject) -> Option<&Arc<StoredSchema>> {
        self.versions(subject, Filter::Live).next_back()
    }

    /// Whether the subject has such a version.
    pub(crate) fn has_subject(&self, subject: &Subject, filter: Filter) -> bool {
        self.versions(subject, filter).next().is_some()
    }

    /// All versions, in the order of contexts, subjects and numbers: of those
    /// that `covering` is about, or of all.
    pub(crate) fn schemas(
        &self,
        covering: Option<&Subject>,
        filter: Filter,
    ) -> impl Iterator<Item = &Arc<StoredSchema>> {
        self.contexts
            .values()
            .flat_map(|context| context.subjects.iter())
            .filter(move |(subject, _)| covering.is_none_or(|covering| covering.covers(subject)))
            .flat_map(|(_, versions)| versions.values())
            .filter(move |stored| filter.takes(stored.deleted))
    }

    /// The subjects of a context whose names begin with `prefix`, with their versions.
    pub(crate) fn subjects_with_prefix(
        &self,
        context: &str,
        prefix: &str,
    ) -> impl Iterator<Item = (&Subject, &BTreeMap<i32, Arc<StoredSchema>>)> {
        let first = Subject::new(context, prefix);
        let subjects = self.context(context).map(|context| &context.subjects);
        let prefix = prefix.to_owned();
        subjects
            .into_iter()
            .flat_map(move |subjects| {
                subjects.range((Bound::Included(first.clone()), Bound::Unbounded))
            })
            .take_while(move |(subject, _)| subject.name().starts_with(&*prefix))
    }

    /// Whether anything is registered in these contexts.
    pub(crate) fn has_schemas(&self, covering: Option<&Subject>, filter: Filter) -> bool {
        self.schemas(covering, filter).next().is_some()
    }

    /// The contexts that exist, the default one first.
    pub(crate) fn contexts(&self) -> impl Iterator<Item = &str> {
        let used = self.contexts.iter().filter(|(_, context)| !context.subjects.is_empty());
        let names: BTreeSet<&str> = self
            .named_contexts
            .iter()
            .map(String::as_str)
            .chain(used.map(|(name, _)| &**name))
            .filter(|name| *name != DEFAULT_CONTEXT)
            .collect();
        std::iter::once(DEFAULT_CONTEXT).chain(names)
    }

    /// Whether a record names the context.
    pub(crate) fn is_named_context(&self, name: &str) -> bool {
        self.named_contexts.contains(name)
    }
}

/// Ids and references.
impl View {
    /// A version that uses the id: one of `subject` if there is one, else any,
    /// live ones first.
    pub(crate) fn user_of_id(
        &self,
        context: &str,
        id: i32,
        subject: Option<&Subject>,
    ) -> Option<&Arc<StoredSchema>> {
        let mut users = self.users(context, id, Filter::All);
        match subject {
            Some(wanted) => users.filter(|stored| stored.subject == *wanted).last(),
            None => {
                let first = users.next()?;
                let live = std::iter::once(first).chain(users).find(|stored| !stored.deleted);
                Some(live.unwrap_or(first))
            }
        }
    }

    /// The versions that use the id, in the order of subjects and numbers.
    pub(crate) fn users(
        &self,
        context: &str,
        id: i32,
        filter: Filter,
    ) -> impl Iterator<Item = &Arc<StoredSchema>> {
        let context = self.context(context);
        let users = context.and_then(|context| context.users.get(&id));
        users
            .into_iter()
            .flatten()
            .filter_map(move |(subject, version)| context?.subjects.get(subject)?.get(version))
            .filter(move |stored| filter.takes(stored.deleted))
    }

    /// The id of a content.
    pub(crate) fn id_of(&self, context: &str, content: &Content) -> Option<i32> {
        let ids = self.context(context)?.ids.get(&content.guid())?;
        // The guid says nothing about the type.
        ids.iter().rev().copied().find(|&id| {
            let user = self.users(context, id, Filter::All).next();
            user.is_some_and(|user| user.content.schema_type == content.schema_type)
        })
    }

    /// The newest id with this guid.
    pub(crate) fn id_of_guid(&self, context: &str, guid: Uuid) -> Option<i32> {
        self.context(context)?.ids.get(&guid)?.last().copied()
    }

    /// The newest version of the subject that uses the id.
    pub(crate) fn version_with_id(
        &self,
        subject: &Subject,
        id: i32,
        filter: Filter,
    ) -> Option<&Arc<StoredSchema>> {
        self.users(subject.context(), id, filter).filter(|stored| stored.subject == *subject).last()
    }

    /// The highest id of the context; 0 if there is none.
    pub(crate) fn max_id(&self, context: &str) -> i32 {
        self.context(context).map_or(0, |context| context.max_id)
    }

    /// The versions that refer to this one.
    pub(crate) fn referrers(
        &self,
        subject: &Subject,
        version: i32,
        filter: Filter,
    ) -> impl Iterator<Item = &Arc<StoredSchema>> {
        let referrers = self.referrers.get(&(subject.clone(), version));
        referrers
            .into_iter()
            .flatten()
            .filter_map(move |(subject, version)| self.version(subject, *version, filter))
    }
}

/// Configs and modes.
impl View {
    /// The record's own name of a subject or context: none for the default context.
    pub(crate) fn setting_name(subject: &Subject) -> Option<String> {
        (!subject.is_default_context()).then(|| subject.to_string())
    }

    /// What was configured for exactly this subject or context.
    pub(crate) fn config(&self, subject: &Subject) -> Option<&SubjectConfig> {
        self.configs.get(&Self::setting_name(subject))
    }

    /// What is in force for a subject: its own, else that of its context, else
    /// that of all contexts. Some settings come from the default context
    /// where the subject's own config leaves them out.
    pub(crate) fn config_in_scope(&self, subject: &Subject) -> SubjectConfig {
        let top = self.configs.get(&None);
        let Some(own) = self.config(subject) else {
            let of_context = self.config(&subject.of_context());
            let global = || self.config(&Subject::new(GLOBAL_CONTEXT, ""));
            return of_context.or_else(global).cloned().unwrap_or_default();
        };
        let mut config = own.clone();
        if let Some(top) = top.filter(|_| !subject.is_default_context()) {
            config.normalize = config.normalize.or(top.normalize);
            config.validate_fields = config.validate_fields.or(top.validate_fields);
            config.validate_new_schemas = config.validate_new_schemas.or(top.validate_new_schemas);
            config.validate_rules = config.validate_rules.or(top.validate_rules);
            config.compatibility_policy = config.compatibility_policy.or(top.compatibility_policy);
            config.compatibility_group =
                config.compatibility_group.or_else(|| top.compatibility_group.clone());
        }
        config
    }

    /// The subjects that others are aliases of, each with its alias.
    pub(crate) fn aliases(&self) -> Vec<(Subject, Subject)> {
        let configs = self.configs.iter();
        configs
            .filter_map(|(name, config)| {
                let alias = Subject::parse(name.as_deref()?);
                let target = config.alias.as_deref().filter(|target| !target.is_empty())?;
                Some((Subject::within(&alias, target), alias))
            })
            .collect()
    }

    /// The mode of exactly this subject or context.
    pub(crate) fn mode(&self, subject: &Subject) -> Option<Mode> {
        self.modes.get(&Self::setting_name(subject)).copied()
    }

    /// The mode in force for a subject.
    pub(crate) fn mode_in_scope(&self, subject: &Subject) -> Mode {
        self.mode(subject)
            .or_else(|| self.mode(&subject.of_context()))
            .or_else(|| self.mode(&Subject::new(GLOBAL_CONTEXT, "")))
            .unwrap_or_default()
    }

    /// The subjects and contexts with a mode of their own that `covering` is about.
    pub(crate) fn modes_within(&self, covering: &Subject) -> Vec<Subject> {
        let subjects =
            self.modes.keys().map(|name| Subject::parse(name.as_deref().unwrap_or_default()));
        subjects.filter(|subject| covering.covers(subject)).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A topic, one record per line: key, a tab, value; no value is a tombstone.
    fn replay(lines: &str) -> View {
        let mut view = View::default();
        for (offset, line) in
            (0..).zip(lines.lines().map(str::trim).filter(|line| !line.is_empty()))
        {
            let (key, value) = line.split_once(" => ").unwrap_or((line, ""));
            let value = (value != "null").then_some(value.as_bytes());
            view.apply(Some(key.as_bytes()), value, offset, 1000 + offset);
        }
        view
    }

    /// Everything that is visible, for comparing.
    fn shown(view: &View) -> String {
        view.schemas(None, Filter::All)
            .map(|stored| {
                let deleted = if stored.deleted { "-" } else { "" };
                format!("{deleted}{}:{}={}", stored.subject, stored.version, stored.id)
            })
            .collect::<Vec<_>>()
            .join(" ")
    }

    const CONFLUENT: &str = r#"
        {"keytype":"NOOP","magic":0} => null
        {"keytype":"SCHEMA","subject":"a","version":1,"magic":1} => {"subject":"a","version":1,"id":1,"md5":"CV1xzxJVa51eMwrVdbPfXQ==","schema":"\"string\"","deleted":false}
        {"keytype":"SCHEMA","subject":"a","version":2,"magic":1} => {"subject":"a","version":2,"id":2,"schemaType":"AVRO","schema":"\"bytes\"","deleted":false}
        {"keytype":"CONTEXT","tenant":"default","context":".ctx","magic":0} => {"tenant":"default","context":".ctx"}
        {"keytype":"SCHEMA","subject":":.ctx:a","version":1,"magic":1} => {"subject":":.ctx:a","version":1,"id":1,"schema":"\"int\"","deleted":false}
        {"keytype":"CONFIG","subject":null,"magic":0} => {"compatibilityLevel":"FULL"}
        {"keytype":"MODE","subject":"a","magic":0} => {"subject":"a","mode":"READONLY"}
        {"keytype":"ASSOC","tenant":"default","magic":0} => {"x":1}
        not JSON => 1
        {"keytype":"SCHEMA","subject":"broken","version":1,"magic":1} => {"subject":
        {"keytype":"SCHEMA","subject":"b","version":1,"magic":0} => {"subject":"b","version":1,"id":1,"schema":"\"string\""}
    "#;

    #[test]
    fn a_topic_of_a_confluent_registry_is_replayed() {
        let view = replay(CONFLUENT);
        assert_eq!(shown(&view), "a:1=1 a:2=2 b:1=1 :.ctx:a:1=1");
        assert_eq!(view.contexts().collect::<Vec<_>>(), [".", ".ctx"]);
        assert_eq!((view.max_id("."), view.max_id(".ctx")), (2, 1));
        let a = Subject::parse("a");
        assert_eq!(view.mode_in_scope(&a), Mode::ReadOnly);
        assert_eq!(view.mode_in_scope(&Subject::parse("b")), Mode::ReadWrite);
        let level = view.config_in_scope(&a).compatibility_level;
        assert_eq!(level.map(|level| level.name()), Some("FULL"));
        let [first, second] =
            ["a", "b"].map(|name| Arc::clone(&view.latest(&Subject::parse(name)).unwrap().content));
        assert!(!Arc::ptr_eq(&first, &second));
        let shared = view.version(&a, 1, Filter::Live).unwrap();
        assert!(Arc::ptr_eq(&shared.content, &second), "one content, one copy");
    }

    /// What a Karapace of June 2026 wrote.
    const KARAPACE: &str = r#"
        {"keytype":"SCHEMA","subject":"a-value","version":1,"magic":1} => {"subject":"a-value","version":1,"id":1,"schema":"{\"fields\":[{\"name\":\"x\",\"type\":\"int\"}],\"name\":\"A\",\"type\":\"record\"}","deleted":false}
        {"keytype":"SCHEMA","subject":"j-value","version":1,"magic":1} => {"subject":"j-value","version":1,"id":3,"schema":"{\"properties\":{\"a\":{\"type\":\"integer\"}},\"type\":\"object\"}","deleted":false,"schemaType":"JSON"}
        {"keytype":"SCHEMA","subject":"s-value","version":1,"magic":1} => {"subject":"s-value","version":1,"id":4,"schema":"\"string\"","deleted":false}
        {"keytype":"SCHEMA","subject":"d-value","version":1,"magic":1} => {"subject":"d-value","version":1,"id":5,"schema":"\"int\"","deleted":false}
        {"keytype":"SCHEMA","subject":"r-value","version":1,"magic":1} => {"subject":"r-value","version":1,"id":6,"schema":"{\"fields\":[{\"name\":\"a\",\"type\":\"A\"}],\"name\":\"R\",\"type\":\"record\"}","deleted":false,"references":[{"name":"A","subject":"a-value","version":1}]}
        {"keytype":"CONFIG","subject":"a-value","magic":0} => {"compatibilityLevel":"FULL"}
        {"keytype":"DELETE_SUBJECT","subject":"d-value","magic":0} => {"subject":"d-value","version":1}
        {"keytype":"SCHEMA","subject":"s-value","version":1,"magic":1} => {"subject":"s-value","version":1,"id":4,"schema":"\"string\"","deleted":true}
    "#;

    #[test]
    fn records_that_a_karapace_wrote_are_replayed() {
        let view = replay(KARAPACE);
        assert_eq!(shown(&view), "a-value:1=1 -d-value:1=5 j-value:1=3 r-value:1=6 -s-value:1=4");
        let a = Subject::parse("a-value");
        let level = view.config(&a).and_then(|config| config.compatibility_level);
        assert_eq!(level.map(|level| level.name()), Some("FULL"));
        let referrers = view.referrers(&a, 1, Filter::Live);
        assert_eq!(referrers.map(|stored| stored.id).collect::<Vec<_>>(), [6]);
    }

    #[test]
    fn a_topic_of_karapace_is_replayed() {
        let view = replay(
            r#"
            {"keytype":"CONFIG","subject":null,"magic":0} => {"compatibilityLevel":"NONE"}
            {"subject": "a", "version": 1, "magic": 1, "keytype": "SCHEMA"} => {"deleted": false, "id": 1, "subject": "a", "version": 1, "schema": "{\"type\": \"string\"}"}
            {"subject": "a", "version": 2, "magic": 1, "keytype": "SCHEMA"} => {"deleted": false, "id": 2, "subject": "a", "version": 2, "schema": "{}", "schemaType": "JSON"}
            {"subject": "a", "magic": 0, "keytype": "DELETE_SUBJECT"} => {"subject": "a", "version": 1}
            "#,
        );
        assert_eq!(shown(&view), "-a:1=1 a:2=2");
        let key = view.key_bytes(&Key::schema("a", 1));
        let expected = r#"{"subject": "a", "version": 1, "magic": 1, "keytype": "SCHEMA"}"#;
        assert_eq!(String::from_utf8(key).unwrap(), expected, "what deletes it has the same key");
        assert_eq!(view.key_bytes(&Key::schema("a", 3)), Key::schema("a", 3).encode());
    }

    #[test]
    fn tombstones_end_versions_and_ids() {
        let tombstone = r#"{"keytype":"SCHEMA","subject":"a","version":2,"magic":1} => null"#;
        let view = replay(&format!("{CONFLUENT}\n{tombstone}"));
        assert_eq!(shown(&view), "a:1=1 b:1=1 :.ctx:a:1=1");
        assert!(view.users(".", 2, Filter::All).next().is_none());
        assert_eq!(view.max_id("."), 2, "a number is not given twice");
        assert_eq!(view.id_of(".", &Content::new(crate::SchemaType::Avro, "\"bytes\"")), None);
    }

    #[test]
    fn what_compaction_leaves_means_the_same() {
        // The first record of a:1 is gone; only the one that deletes it is left.
        let view = replay(
            r#"
            {"keytype":"DELETE_SUBJECT","subject":"a","magic":0} => {"subject":"a","version":1}
            {"keytype":"SCHEMA","subject":"a","version":1,"magic":1} => {"subject":"a","version":1,"id":1,"schema":"\"int\"","deleted":true}
            {"keytype":"SCHEMA","subject":"a","version":2,"magic":1} => {"subject":"a","version":2,"id":1,"schema":"\"int\"","deleted":false}
            {"keytype":"DELETE_SUBJECT","subject":"gone","magic":0} => null
            {"keytype":"SCHEMA","subject":"gone","version":7,"magic":1} => null
            "#,
        );
        assert_eq!(shown(&view), "-a:1=1 a:2=1");
        let a = Subject::parse("a");
        assert_eq!(view.version_with_id(&a, 1, Filter::Live).unwrap().version, 2);
        assert_eq!(view.user_of_id(".", 1, None).unwrap().version, 2);
    }

    #[test]
    fn an_id_never_means_two_schemas() {
        let view = replay(
            r#"
            {"keytype":"SCHEMA","subject":"a","version":1,"magic":1} => {"subject":"a","version":1,"id":1,"schema":"\"int\"","deleted":false}
            {"keytype":"SCHEMA","subject":"b","version":1,"magic":1} => {"subject":"b","version":1,"id":1,"schema":"\"long\"","deleted":false}
            {"keytype":"SCHEMA","subject":":.c:b","version":1,"magic":1} => {"subject":":.c:b","version":1,"id":1,"schema":"\"long\"","deleted":false}
            "#,
        );
        assert_eq!(shown(&view), "a:1=1 :.c:b:1=1");
    }

    #[test]
    fn subjects_are_deleted_up_to_a_version_and_cleared() {
        let lines = r#"
            {"keytype":"SCHEMA","subject":"a","version":1,"magic":1} => {"subject":"a","version":1,"id":1,"schema":"\"int\"","deleted":false}
            {"keytype":"SCHEMA","subject":"a","version":2,"magic":1} => {"subject":"a","version":2,"id":2,"schema":"\"long\"","deleted":false}
            {"keytype":"DELETE_SUBJECT","subject":"a","magic":0} => {"subject":"a","version":1}
        "#;
        assert_eq!(shown(&replay(lines)), "-a:1=1 a:2=2");
        let clear = r#"{"keytype":"CLEAR_SUBJECT","subject":"a","magic":0} => {"subject":"a"}"#;
        assert_eq!(shown(&replay(&format!("{lines}\n{clear}"))), "a:2=2");
    }

    #[test]
    fn references_are_found_from_both_ends() {
        let view = replay(
            r#"
            {"keytype":"SCHEMA","subject":":.c:item","version":1,"magic":1} => {"subject":":.c:item","version":1,"id":1,"schema":"\"int\"","deleted":false}
            {"keytype":"SCHEMA","subject":":.c:order","version":1,"magic":1} => {"subject":":.c:order","version":1,"id":2,"references":[{"name":"n","subject":"item","version":1}],"schema":"\"long\"","deleted":false}
            {"keytype":"SCHEMA","subject":":.c:order","version":2,"magic":1} => {"subject":":.c:order","version":2,"id":3,"references":[{"name":"n","subject":"item","version":1}],"schema":"\"float\"","deleted":true}
            "#,
        );
        let item = Subject::parse(":.c:item");
        let ids =
            |filter| view.referrers(&item, 1, filter).map(|stored| stored.id).collect::<Vec<_>>();
        assert_eq!(ids(Filter::Live), [2]);
        assert_eq!(ids(Filter::All), [2, 3]);
    }

    #[test]
    fn configs_are_inherited_in_part() {
        let view = replay(
            r#"
            {"keytype":"CONFIG","subject":null,"magic":0} => {"normalize":true,"compatibilityLevel":"FULL"}
            {"keytype":"CONFIG","subject":"own","magic":0} => {"subject":"own","validateFields":true}
            {"keytype":"CONFIG","subject":":.c:","magic":0} => {"subject":":.c:","compatibilityLevel":"NONE"}
            {"keytype":"CONFIG","subject":":.__GLOBAL:","magic":0} => {"subject":":.__GLOBAL:","compatibilityLevel":"FORWARD"}
            "#,
        );
        for (subject, level, normalize) in [
            ("a", Some("FULL"), Some(true)),
            ("own", None, Some(true)),
            (":.c:a", Some("NONE"), None),
            (":.d:a", Some("FORWARD"), None),
        ] {
            let config = view.config_in_scope(&Subject::parse(subject));
            assert_eq!(config.compatibility_level.map(|level| level.name()), level, "{subject}");
            assert_eq!(config.normalize, normalize, "{subject}");
        }
    }
}
