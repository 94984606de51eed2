//! Registering, looking up and comparing schemas.

use std::fmt;
use std::sync::Arc;

use super::contract::{check_rules, effective, merge_rules, stamped_version, without_rules};
use super::rounds::Claims;
use super::{Inner, Registry, Version, compute};
use crate::compatibility::{Earlier, Rules};
use crate::content::{Content, Metadata, Reference, RuleSet, SchemaType};
use crate::error::Error;
use crate::schema::{CompatibilityPolicy, Schema, Strictness, TextFormat};
use crate::store::record::{ContextValue, Key, Mode, SchemaValue, TENANT};
use crate::store::{Filter, Policy, Records, StoredSchema, SubjectConfig};
use crate::subject::Subject;
use crate::tags::{SchemaTags, TagChanges};

/// How properties of JSON Schema may not begin where fields are validated.
const RESERVED_PREFIX: &str = "$$";

/// A schema as a request brings it.
#[derive(Debug, Clone, Default)]
pub struct Registration {
    /// `schemaType`; Avro where there is none.
    pub schema_type: Option<String>,
    /// The text; blank means that of the latest version.
    pub text: String,
    /// What names in the text stand for.
    pub references: Vec<ReferenceRequest>,
    /// Where there are none, the previous version's.
    pub metadata: Option<Metadata>,
    /// Likewise.
    pub rule_set: Option<RuleSet>,
    /// The id that it has elsewhere; only in mode IMPORT or FORWARD.
    pub id: Option<i32>,
    /// The number that it must get; 0 for the next one, below 0 to note it in the metadata.
    pub version: i32,
    /// Whether the normalised text is meant.
    pub normalize: bool,
    /// Tags that are to be written into the text or removed from it.
    pub tags: TagChanges,
    /// Whether a new version takes over the tags of the latest one.
    pub propagate_tags: bool,
}

/// A reference as a request brings it.
#[derive(Debug, Clone, Default)]
pub struct ReferenceRequest {
    /// The name in the text.
    pub name: Option<String>,
    /// The subject that defines it.
    pub subject: Option<String>,
    /// The version there; -1 is the latest.
    pub version: Option<i32>,
}

impl From<Reference> for ReferenceRequest {
    fn from(reference: Reference) -> Self {
        let Reference { name, subject, version } = reference;
        Self { name: Some(name), subject: Some(subject), version: Some(version) }
    }
}

/// As the reference server writes them.
impl fmt::Display for ReferenceRequest {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = |text: &Option<String>| text.clone().unwrap_or_else(|| "null".to_owned());
        let version = self.version.map_or_else(|| "null".to_owned(), |version| version.to_string());
        write!(
            formatter,
            "{{name='{}', subject='{}', version={version}}}",
            text(&self.name),
            text(&self.subject)
        )
    }
}

/// A change of the tags of a version, which makes a new one.
#[derive(Debug, Clone, Default)]
pub struct TagsOfVersion {
    /// The change.
    pub tags: TagChanges,
    /// The number that the new version must get; 0 for the next one.
    pub new_version: i32,
    /// Where there are none, those of the version.
    pub metadata: Option<Metadata>,
    /// Likewise; rules to merge or to remove win over it.
    pub rule_set: Option<RuleSet>,
    /// Rules that are added to those of the version before, or replace them.
    pub rules_to_merge: Option<RuleSet>,
    /// The names of rules that go.
    pub rules_to_remove: Vec<String>,
}

/// What becomes of a registration.
pub(super) enum Plan {
    /// The subject has it already.
    Known(Arc<StoredSchema>),
    New {
        version: i32,
        id: i32,
        content: Box<Content>,
    },
}

impl Registry {
    /// Registers a schema under a subject, unless it is there; the answer is its version.
    ///
    /// # Errors
    /// Whatever makes it impossible; [`Error::Incompatible`] says what does not fit.
    pub async fn register(
        &self,
        subject: Subject,
        mut request: Registration,
    ) -> Result<Arc<StoredSchema>, Error> {
        if let Some(rules) = &request.rule_set {
            check_rules(rules)?;
        }
        let is_refused = self.config().reject_empty_subject && matches!(subject.name(), "" | "*");
        if is_refused || !subject.is_valid(false) {
            return Err(Error::InvalidSubject(subject));
        }
        self.check_loaded().await?;
        let config = self.view().config_in_scope(&subject);
        request.normalize |= config.normalize == Some(true);
        let request = Arc::new(request);
        if let Some(known) = self.registered(&subject, &request, &config).await? {
            return Ok(known);
        }
        let inner = Arc::clone(&self.inner);
        let answer = inner.registrations.push(subject, request);
        let work = async move || {
            let outcome = inner.store.check_loaded().await;
            let mut writer = inner.writer.lock().await;
            // Another one may have written it with its own.
            if inner.registrations.is_empty() {
                return Ok(());
            }
            let leads = match outcome {
                Ok(()) => inner.lead(&mut writer).await,
                Err(error) => Err(error),
            };
            match leads {
                Ok(()) => inner.write_round().await,
                Err(error) => inner.registrations.refuse(&error),
            }
            Ok(())
        };
        self.inner.worker.run(work).await?;
        answer.await.unwrap_or(Err(Error::Internal))
    }

    /// The version that a registration would answer without writing. No mode
    /// and no leader is needed for that.
    async fn registered(
        &self,
        subject: &Subject,
        request: &Arc<Registration>,
        config: &SubjectConfig,
    ) -> Result<Option<Arc<StoredSchema>>, Error> {
        let adds = config.default_metadata.is_some()
            || config.override_metadata.is_some()
            || config.default_rule_set.is_some()
            || config.override_rule_set.is_some();
        if adds {
            return Ok(None);
        }
        let latest_only = request.version == -1;
        let (of, asked) = (subject.clone(), Arc::clone(request));
        let found = compute(&self.inner, request.text.len(), move |inner| {
            inner.look_up(&of, &asked, Filter::Live, latest_only)
        });
        let Some(found) = found.await? else { return Ok(None) };
        if request.version == 0 || latest_only {
            return Ok(Some(found).filter(|found| request.id.is_none_or(|id| id == found.id)));
        }
        if request.id != Some(found.id) {
            return Ok(None);
        }
        // An import may have given the same schema several numbers.
        let view = self.view();
        let exact = view.version(subject, request.version, Filter::Live);
        Ok(exact.filter(|exact| exact.id == found.id).cloned())
    }

    /// Finds the version of a subject that holds a schema. A subject without
    /// context that does not have it is looked for in the other contexts.
    ///
    /// # Errors
    /// [`Error::SubjectNotFound`], [`Error::NoSuchSchema`], [`Error::InvalidSchema`].
    pub async fn look_up(
        &self,
        subject: Subject,
        mut request: Registration,
        filter: Filter,
    ) -> Result<Arc<StoredSchema>, Error> {
        self.check_loaded().await?;
        request.normalize |= self.view().config_in_scope(&subject).normalize == Some(true);
        compute(&self.inner, request.text.len(), move |inner| {
            if let Some(found) = inner.look_up_with_previous(&subject, &request, filter)? {
                return Ok(found);
            }
            if subject.is_in_default_context() {
                let contexts: Vec<String> =
                    inner.store.view().contexts().skip(1).map(str::to_owned).collect();
                for context in contexts {
                    let elsewhere = Subject::new(&context, subject.name());
                    if let Ok(Some(found)) =
                        inner.look_up_with_previous(&elsewhere, &request, filter)
                    {
                        return Ok(found);
                    }
                }
            }
            Err(match inner.store.view().has_subject(&subject, filter) {
                true => Error::NoSuchSchema,
                false => Error::SubjectNotFound(subject),
            })
        })
        .await
    }

    /// What a schema would break under a subject: against one version, or as
    /// a registration is checked. Empty when nothing.
    ///
    /// # Errors
    /// [`Error::VersionNotFound`], [`Error::InvalidSchema`].
    pub async fn check_compatibility(
        &self,
        subject: Subject,
        version: Option<Version>,
        mut request: Registration,
    ) -> Result<Vec<String>, Error> {
        self.check_loaded().await?;
        let earlier: Vec<Arc<StoredSchema>> = {
            let view = self.view();
            match version {
                None => view.versions(&subject, Filter::Live).cloned().collect(),
                Some(Version::Latest) => view.latest(&subject).cloned().into_iter().collect(),
                Some(Version::Number(number)) => {
                    let found = view.version(&subject, number, Filter::Live);
                    vec![found.cloned().ok_or(Error::VersionNotFound(number))?]
                }
            }
        };
        let config = self.view().config_in_scope(&subject);
        request.normalize |= config.normalize == Some(true);
        let old_size: usize = earlier.iter().map(|stored| stored.content.text.len()).sum();
        compute(&self.inner, request.text.len() + old_size, move |inner| {
            let strictness = inner.strictness(&config, &request);
            let normalize = request.normalize;
            let parsed =
                inner.canonicalize(&subject, &request, strictness, Filter::Live, normalize)?;
            let (schema, content) =
                parsed.ok_or_else(|| Error::InvalidSchema("Empty schema".to_owned()))?;
            inner.check(&config, &schema, &content, &earlier)
        })
        .await
    }

    /// The text of a version in the form that `?format=` names.
    ///
    /// # Errors
    /// [`Error::InvalidSchema`] when what was stored cannot be parsed.
    pub async fn formatted(
        &self,
        stored: &Arc<StoredSchema>,
        format: TextFormat,
    ) -> Result<String, Error> {
        if format == TextFormat::Default {
            return Ok(stored.content.text.clone());
        }
        let stored = Arc::clone(stored);
        let size = stored.content.text.len();
        compute(&self.inner, size, move |inner| inner.formatted(&stored, format)).await
    }

    /// The parts of a version that have tags.
    ///
    /// # Errors
    /// [`Error::InvalidSchema`] when what was stored cannot be parsed.
    pub async fn tagged_entities(
        &self,
        stored: &Arc<StoredSchema>,
    ) -> Result<Vec<SchemaTags>, Error> {
        let stored = Arc::clone(stored);
        let size = stored.content.text.len();
        compute(&self.inner, size, move |inner| {
            let tagged = inner.parse_stored(&stored)?.tagged_entities();
            tagged.map_err(|error| Error::InvalidSchema(error.to_string()))
        })
        .await
    }

    /// Makes a new version of one that there is, with other tags, and with
    /// other metadata and rules where the change brings some.
    ///
    /// # Errors
    /// Those of a registration.
    pub async fn change_tags(
        &self,
        stored: &StoredSchema,
        change: TagsOfVersion,
    ) -> Result<Arc<StoredSchema>, Error> {
        let rule_set = if change.rules_to_merge.is_none() && change.rules_to_remove.is_empty() {
            change.rule_set
        } else {
            let previous = match change.new_version.checked_sub(1).filter(|number| *number > 0) {
                Some(number) => Version::Number(number),
                None => Version::Latest,
            };
            let previous = self.version(&stored.subject, previous, Filter::Live)?;
            let rules = previous.content.rule_set.clone();
            without_rules(merge_rules(rules, change.rules_to_merge), &change.rules_to_remove)
        };
        let content = &stored.content;
        let request = Registration {
            schema_type: Some(content.schema_type.name().to_owned()),
            text: content.text.clone(),
            references: content.references.iter().cloned().map(ReferenceRequest::from).collect(),
            metadata: change.metadata.or_else(|| content.metadata.clone()),
            rule_set,
            version: if change.new_version == 0 { -1 } else { change.new_version },
            tags: change.tags,
            ..Registration::default()
        };
        self.register(stored.subject.clone(), request).await
    }

    /// The schema of a version, parsed.
    ///
    /// # Errors
    /// [`Error::InvalidSchema`] when what was stored cannot be parsed.
    pub async fn parsed(&self, stored: &Arc<StoredSchema>) -> Result<Schema, Error> {
        let stored = Arc::clone(stored);
        let size = stored.content.text.len();
        compute(&self.inner, size, move |inner| inner.parse_stored(&stored)).await
    }
}

impl Inner {
    /// `validateNewSchemas` is about Avro; Protobuf has a setting of its own.
    fn strictness(&self, config: &SubjectConfig, request: &Registration) -> Strictness {
        let is_checked = match request.schema_type.as_deref() {
            None | Some("AVRO") => config.validate_new_schemas != Some(false),
            Some("PROTOBUF") => !self.config.protobuf_lenient,
            Some(_) => true,
        };
        if request.id.is_none() && is_checked { Strictness::New } else { Strictness::Stored }
    }

    fn check(
        &self,
        config: &SubjectConfig,
        schema: &Schema,
        content: &Content,
        earlier: &[Arc<StoredSchema>],
    ) -> Result<Vec<String>, Error> {
        let rules = Rules {
            level: config.compatibility_level.unwrap_or(self.config.compatibility_level),
            policy: match config.compatibility_policy {
                Some(Policy::Lenient) => CompatibilityPolicy::Lenient,
                Some(Policy::Strict | Policy::Logical) | None => CompatibilityPolicy::Strict,
            },
            group: config.compatibility_group.clone().filter(|group| !group.is_empty()),
            validate_fields: config.validate_fields.unwrap_or(self.config.validate_fields),
        };
        if rules.validate_fields && content.schema_type == SchemaType::Json {
            let fields = schema.top_level_fields();
            if let Some(field) = fields.iter().find(|field| field.starts_with(RESERVED_PREFIX)) {
                let reason = format!("Invalid schema: field {field} begins with {RESERVED_PREFIX}");
                return Err(Error::InvalidSchema(reason));
            }
        }
        let versions: Vec<Earlier<'_>> = earlier
            .iter()
            .map(|stored| Earlier { version: stored.version, content: &stored.content })
            .collect();
        rules.check(schema, content, &versions, |old| {
            let stored = earlier.iter().find(|stored| stored.version == old.version);
            self.parse_stored(stored.ok_or(Error::Internal)?)
        })
    }

    /// The version of a subject that holds what a request brings, as it is.
    fn look_up(
        &self,
        subject: &Subject,
        request: &Registration,
        filter: Filter,
        latest_only: bool,
    ) -> Result<Option<Arc<StoredSchema>>, Error> {
        let normalize = request.normalize && !self.store.view().mode_in_scope(subject).takes_ids();
        let parsed =
            self.canonicalize(subject, request, Strictness::Stored, Filter::All, normalize)?;
        let Some((schema, content)) = parsed else { return Ok(None) };
        let versions: Vec<Arc<StoredSchema>> = {
            let view = self.store.view();
            if latest_only {
                view.latest(subject).cloned().into_iter().collect()
            } else {
                if let Some(id) = view.id_of(subject.context(), &content)
                    && let Some(found) = view.version_with_id(subject, id, filter)
                {
                    return Ok(Some(Arc::clone(found)));
                }
                view.versions(subject, filter).rev().cloned().collect()
            }
        };
        for stored in versions {
            if self.is_same(&schema, &content, &stored)? {
                return Ok(Some(stored));
            }
        }
        Ok(None)
    }

    /// As [`Inner::look_up`], and with the metadata and rules that a
    /// registration would take from the latest version.
    fn look_up_with_previous(
        &self,
        subject: &Subject,
        request: &Registration,
        filter: Filter,
    ) -> Result<Option<Arc<StoredSchema>>, Error> {
        if let Some(found) = self.look_up(subject, request, filter, false)? {
            return Ok(Some(found));
        }
        let (latest, config) = {
            let view = self.store.view();
            (view.latest(subject).cloned(), view.config_in_scope(subject))
        };
        let Some(latest) = latest else { return Ok(None) };
        let own = (request.metadata.clone(), request.rule_set.clone());
        let previous = (latest.content.metadata.clone(), latest.content.rule_set.clone());
        let (metadata, rule_set) = effective(&config, own, Some(previous), |_| None);
        if metadata == request.metadata && rule_set == request.rule_set {
            return Ok(None);
        }
        let request = Registration { metadata, rule_set, ..request.clone() };
        self.look_up(subject, &request, filter, false)
    }

    /// Decides about a registration. Whoever calls it is the only writer.
    /// `claims` are the ids that others get with the same write.
    pub(super) fn plan(
        &self,
        subject: &Subject,
        request: &Registration,
        claims: &Claims,
    ) -> Result<(Records, Plan), Error> {
        let known =
            |stored: &Arc<StoredSchema>| (Records::default(), Plan::Known(Arc::clone(stored)));
        let (mode, config, versions) = {
            let view = self.store.view();
            let versions: Vec<Arc<StoredSchema>> =
                view.versions(subject, Filter::All).cloned().collect();
            (view.mode_in_scope(subject), view.config_in_scope(subject), versions)
        };
        check_mode(subject, mode, request.id)?;
        let takes_ids = mode.takes_ids();
        let next_version = versions.last().map_or(1, |last| last.version.saturating_add(1));
        let live: Vec<Arc<StoredSchema>> =
            versions.iter().filter(|stored| !stored.deleted).cloned().collect();

        let mut request = request.clone();
        if !takes_ids {
            complete(&mut request, &config, live.last(), next_version);
            if let Some(previous) = live.last().filter(|_| request.propagate_tags) {
                let previous = self.parse_stored(previous)?.tagged_entities();
                let mut previous =
                    previous.map_err(|error| Error::InvalidSchema(error.to_string()))?;
                previous.append(&mut request.tags.add);
                request.tags.add = previous;
            }
        }
        let normalize = request.normalize && !takes_ids;
        let strictness = self.strictness(&config, &request);
        let parsed = self.canonicalize(subject, &request, strictness, Filter::Live, normalize)?;
        let (schema, content) =
            parsed.ok_or_else(|| Error::InvalidSchema("Empty schema".to_owned()))?;

        let mut id = request.id;
        {
            let view = self.store.view();
            let context = subject.context();
            let shared = view.id_of(context, &content).or_else(|| claims.id_of(context, &content));
            if let Some(shared) = shared.filter(|shared| id.is_none_or(|id| id == *shared)) {
                let found = view.version_with_id(subject, shared, Filter::Live);
                if let Some(found) = found.filter(|_| request.version == 0) {
                    return Ok(known(found));
                }
                id = Some(shared);
            }
        }
        if request.version == 0 {
            for stored in live.iter().rev().filter(|stored| id.is_none_or(|id| id == stored.id)) {
                if self.is_same(&schema, &content, stored)? {
                    return Ok(known(stored));
                }
            }
        }
        if !takes_ids {
            let messages = self.check(&config, &schema, &content, &live)?;
            if !messages.is_empty() {
                return Err(Error::Incompatible { subject: subject.clone(), messages });
            }
        }
        let version = match request.version {
            version if version <= 0 || version == next_version => next_version,
            version if takes_ids => version,
            _ => {
                let reason = "Version is not one more than previous version";
                return Err(Error::InvalidSchema(reason.to_owned()));
            }
        };
        let id = self.settle_id(subject, id, &content, claims)?;
        let records = self.records(subject, version, id, &content);
        Ok((records, Plan::New { version, id, content: Box::new(content) }))
    }

    fn settle_id(
        &self,
        subject: &Subject,
        id: Option<i32>,
        content: &Content,
        claims: &Claims,
    ) -> Result<i32, Error> {
        let view = self.store.view();
        let context = subject.context();
        let Some(id) = id else {
            let next = view.max_id(context).max(claims.max_id(context)).checked_add(1);
            return next.ok_or_else(|| Error::Store("All ids of the context are used".to_owned()));
        };
        match view.user_of_id(context, id, None) {
            Some(user) if *user.content != *content => Err(Error::NotPermitted(format!(
                "Overwrite new schema with id {id} in context {} is not permitted.",
                subject.context_prefix()
            ))),
            _ => Ok(id),
        }
    }

    fn records(&self, subject: &Subject, version: i32, id: i32, content: &Content) -> Records {
        let view = self.store.view();
        let mut records = Records::default();
        let context = subject.context();
        if !subject.is_in_default_context() && !view.is_named_context(context) {
            let value = ContextValue { tenant: TENANT.to_owned(), context: context.to_owned() };
            records.put(&view, &Key::context(context), &value);
        }
        // The new version takes the place of deleted ones of the same schema.
        for old in view.versions(subject, Filter::Deleted) {
            let is_referenced =
                || view.referrers(subject, old.version, Filter::All).next().is_some();
            if old.id == id && old.version < version && !is_referenced() {
                records.remove(&view, &Key::schema(subject.to_string(), old.version));
            }
        }
        let value = SchemaValue::new(subject.to_string(), version, id, content);
        records.put(&view, &Key::schema(subject.to_string(), version), &value);
        records
    }
}

/// Refuses what the mode does not allow.
fn check_mode(subject: &Subject, mode: Mode, id: Option<i32>) -> Result<(), Error> {
    let state = match (mode, id) {
        (mode, _) if mode.is_read_only() => "in read-only mode",
        (mode, Some(_)) if !mode.takes_ids() => "not in import mode",
        (mode, None) if mode != Mode::ReadWrite => "not in read-write mode",
        _ => return Ok(()),
    };
    let context = subject.context_prefix();
    Err(Error::NotPermitted(format!("Subject {subject} in context {context} is {state}")))
}

/// Takes what a request leaves out from the previous version and the config.
fn complete(
    request: &mut Registration,
    config: &SubjectConfig,
    previous: Option<&Arc<StoredSchema>>,
    next_version: i32,
) {
    let previous = previous.map(|stored| &stored.content);
    if let Some(previous) = previous.filter(|_| request.text.trim().is_empty()) {
        request.text = previous.text.clone();
        request.schema_type = Some(previous.schema_type.name().to_owned());
        let references = previous.references.iter().cloned();
        request.references = references.map(ReferenceRequest::from).collect();
    }
    let own = (request.metadata.take(), request.rule_set.take());
    let previous = previous.map(|content| (content.metadata.clone(), content.rule_set.clone()));
    let is_asked = request.version != 0;
    (request.metadata, request.rule_set) = effective(config, own, previous, |metadata| {
        (is_asked || stamped_version(metadata).is_some()).then_some(next_version)
    });
}
