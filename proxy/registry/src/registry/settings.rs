//! Configs and modes of subjects, contexts and all of them.

use super::Registry;
use super::contract::check_rules;
use super::delete::check_writable;
use crate::compatibility::Level;
use crate::content::{Metadata, RuleSet};
use crate::error::Error;
use crate::store::record::{ClearSubjectValue, ConfigValue, Key, Mode, ModeValue};
use crate::store::view::View;
use crate::store::{Filter, Policy, Records, SubjectConfig};
use crate::subject::Subject;

/// A change of a config: what is absent stays, what is null is taken away.
#[derive(Debug, Clone, Default)]
#[allow(clippy::option_option, reason = "absent, null and a value are three things")]
pub struct ConfigUpdate {
    /// See [`SubjectConfig`], as all others.
    pub alias: Option<Option<String>>,
    /// For data encryption keys.
    pub alias_for_deks: Option<Option<String>>,
    /// Normalise.
    pub normalize: Option<Option<bool>>,
    /// Check reserved fields.
    pub validate_fields: Option<Option<bool>>,
    /// Check new schemas more strictly.
    pub validate_new_schemas: Option<Option<bool>>,
    /// For clients.
    pub validate_rules: Option<Option<bool>>,
    /// The level.
    pub compatibility_level: Option<Option<Level>>,
    /// The policy.
    pub compatibility_policy: Option<Option<Policy>>,
    /// The group.
    pub compatibility_group: Option<Option<String>>,
    /// Metadata below a schema's.
    pub default_metadata: Option<Option<Metadata>>,
    /// Metadata above a schema's.
    pub override_metadata: Option<Option<Metadata>>,
    /// Rules below a schema's.
    pub default_rule_set: Option<Option<RuleSet>>,
    /// Rules above a schema's.
    pub override_rule_set: Option<Option<RuleSet>>,
}

impl ConfigUpdate {
    fn apply(self, config: &mut SubjectConfig) {
        fn set<T>(member: &mut Option<T>, update: Option<Option<T>>) {
            if let Some(value) = update {
                *member = value;
            }
        }
        set(&mut config.alias, self.alias);
        set(&mut config.alias_for_deks, self.alias_for_deks);
        set(&mut config.normalize, self.normalize);
        set(&mut config.validate_fields, self.validate_fields);
        set(&mut config.validate_new_schemas, self.validate_new_schemas);
        set(&mut config.validate_rules, self.validate_rules);
        set(&mut config.compatibility_level, self.compatibility_level);
        set(&mut config.compatibility_policy, self.compatibility_policy);
        set(&mut config.compatibility_group, self.compatibility_group);
        set(&mut config.default_metadata, self.default_metadata);
        set(&mut config.override_metadata, self.override_metadata);
        set(&mut config.default_rule_set, self.default_rule_set);
        set(&mut config.override_rule_set, self.override_rule_set);
    }
}

impl Registry {
    /// The config of exactly this subject or context, or with `in_scope` what
    /// is in force for it. The level is always there.
    ///
    /// # Errors
    /// [`Error::ConfigNotFound`] where it has none of its own.
    pub fn subject_config(
        &self,
        subject: &Subject,
        in_scope: bool,
    ) -> Result<SubjectConfig, Error> {
        let view = self.view();
        let config = if in_scope {
            Some(view.config_in_scope(subject))
        } else {
            let always =
                subject.is_default_context() || subject.context() == crate::subject::GLOBAL_CONTEXT;
            view.config(subject).cloned().or_else(|| always.then(SubjectConfig::default))
        };
        let config = config.ok_or_else(|| Error::ConfigNotFound(subject.clone()))?;
        Ok(self.with_level(config))
    }

    fn with_level(&self, mut config: SubjectConfig) -> SubjectConfig {
        config.compatibility_level.get_or_insert(self.config().compatibility_level);
        config
    }

    /// Another subject that requests for this one are about.
    pub fn alias(&self, subject: &Subject) -> Option<Subject> {
        let view = self.view();
        let alias = view.config(subject)?.alias.as_deref()?;
        (!alias.is_empty()).then(|| Subject::within(subject, alias))
    }

    /// Changes the config of a subject or context; answers the whole of it.
    ///
    /// # Errors
    /// [`Error::InvalidSubject`], [`Error::InvalidRuleSet`], and [`Error::NotPermitted`]
    /// where the mode forbids it.
    pub async fn update_config(
        &self,
        subject: Subject,
        update: ConfigUpdate,
    ) -> Result<SubjectConfig, Error> {
        let rule_sets = [&update.default_rule_set, &update.override_rule_set];
        rule_sets.into_iter().flatten().flatten().try_for_each(check_rules)?;
        if !subject.is_valid(true) {
            return Err(Error::InvalidSubject(subject));
        }
        self.write(move |inner| {
            let view = inner.store.view();
            check_writable(&view, &subject)?;
            let mut config = view.config(&subject).cloned().unwrap_or_default();
            update.apply(&mut config);
            let name = View::setting_name(&subject);
            let value = ConfigValue { subject: name.clone(), config };
            let mut records = Records::default();
            records.put(&view, &Key::config(name), &value);
            Ok((records, value.config))
        })
        .await
    }

    /// Takes the config of a subject or context away; answers what it was.
    ///
    /// # Errors
    /// [`Error::SubjectNotFound`] where it has none; the default context always has.
    pub async fn delete_config(&self, subject: Subject) -> Result<SubjectConfig, Error> {
        let config = self.write(move |inner| {
            let view = inner.store.view();
            let config = view.config(&subject).cloned();
            if config.is_none() && !subject.is_default_context() {
                return Err(Error::SubjectNotFound(subject));
            }
            check_writable(&view, &subject)?;
            let mut records = Records::default();
            if config.is_some() {
                records.remove(&view, &Key::config(View::setting_name(&subject)));
            }
            Ok((records, config.unwrap_or_default()))
        });
        Ok(self.with_level(config.await?))
    }

    /// The mode of exactly this subject or context, or with `in_scope` what is
    /// in force for it.
    ///
    /// # Errors
    /// [`Error::ModeNotFound`] where it has none of its own.
    pub fn mode(&self, subject: &Subject, in_scope: bool) -> Result<Mode, Error> {
        let view = self.view();
        if in_scope {
            return Ok(view.mode_in_scope(subject));
        }
        let always =
            subject.is_default_context() || subject.context() == crate::subject::GLOBAL_CONTEXT;
        let mode = view.mode(subject).or_else(|| always.then(Mode::default));
        mode.ok_or_else(|| Error::ModeNotFound(subject.clone()))
    }

    /// Sets or, with `None`, clears a mode. A subject or context that has
    /// schemas does not become IMPORT, unless `force` is on.
    ///
    /// # Errors
    /// [`Error::InvalidSubject`], [`Error::NotPermitted`], [`Error::ForwardIsGlobal`],
    /// [`Error::ReferenceExists`].
    pub async fn set_mode(
        &self,
        subject: Subject,
        mode: Option<Mode>,
        force: bool,
    ) -> Result<(), Error> {
        if !subject.is_valid(true) {
            return Err(Error::InvalidSubject(subject));
        }
        if mode == Some(Mode::Forward) && !subject.is_global() {
            return Err(Error::ForwardIsGlobal);
        }
        self.check_mutability()?;
        self.write(move |inner| {
            let view = inner.store.view();
            let mut records = Records::default();
            let is_new = view.mode_in_scope(&subject) != Mode::Import;
            if mode == Some(Mode::Import) && is_new && !force {
                clear_for_import(&view, &subject, &mut records)?;
            }
            let name = View::setting_name(&subject);
            let key = Key::mode(name.clone());
            match mode {
                Some(mode) => records.put(&view, &key, &ModeValue { subject: name, mode }),
                None => records.remove(&view, &key),
            }
            Ok((records, ()))
        })
        .await
    }

    /// Takes a mode away, with `recursive` also those of the subjects of a
    /// context; answers what it was.
    ///
    /// # Errors
    /// [`Error::SubjectNotFound`] where there is none, unless `recursive` is on.
    pub async fn delete_mode(
        &self,
        subject: Subject,
        recursive: bool,
    ) -> Result<Option<Mode>, Error> {
        self.check_mutability()?;
        self.write(move |inner| {
            let view = inner.store.view();
            let mode = view.mode(&subject);
            if mode.is_none() && !recursive && !subject.is_default_context() {
                return Err(Error::SubjectNotFound(subject));
            }
            let mut subjects = vec![subject.clone()];
            if recursive && subject.is_context() {
                subjects = view.modes_within(&subject);
            }
            let mut records = Records::default();
            for subject in subjects.iter().filter(|subject| view.mode(subject).is_some()) {
                records.remove(&view, &Key::mode(View::setting_name(subject)));
            }
            let mode = mode.or_else(|| subject.is_default_context().then(Mode::default));
            Ok((records, mode))
        })
        .await
    }

    fn check_mutability(&self) -> Result<(), Error> {
        match self.config().mode_mutability {
            true => Ok(()),
            false => Err(Error::NotPermitted("Mode changes are not allowed".to_owned())),
        }
    }
}

/// An import begins without versions, deleted ones included.
fn clear_for_import(view: &View, subject: &Subject, records: &mut Records) -> Result<(), Error> {
    let covering = (!subject.is_default_context()).then_some(subject);
    if view.has_schemas(covering, Filter::Live) {
        let reason = "Cannot import since found existing subjects";
        return Err(Error::NotPermitted(reason.to_owned()));
    }
    for stored in view.schemas(covering, Filter::Deleted) {
        if view.referrers(&stored.subject, stored.version, Filter::All).next().is_some() {
            return Err(Error::ReferenceExists(stored.subject.clone(), stored.version));
        }
        records.remove(view, &Key::schema(stored.subject.to_string(), stored.version));
    }
    let name = View::setting_name(subject);
    records.put(view, &Key::clear_subject(name.clone()), &ClearSubjectValue { subject: name });
    Ok(())
}
