//! Deleting versions, subjects and contexts.
//!
//! A soft delete hides; ids keep their meaning. A permanent delete needs one
//! before it, and ends an id with the last version that uses it.

use std::sync::Arc;

use super::{Inner, Registry, Version, find_version};
use crate::error::Error;
use crate::store::record::{DeleteSubjectValue, Key, SchemaValue};
use crate::store::view::View;
use crate::store::{Filter, Records, StoredSchema};
use crate::subject::Subject;

impl Registry {
    /// Deletes a version; answers its number.
    ///
    /// # Errors
    /// When it is not there, not in the state that it needs, referred to, or
    /// when the mode forbids it.
    pub async fn delete_version(
        &self,
        subject: Subject,
        version: Version,
        permanent: bool,
    ) -> Result<i32, Error> {
        self.write(move |inner| inner.plan_delete_version(&subject, version, permanent)).await
    }

    /// Deletes all versions of a subject; answers their numbers.
    ///
    /// # Errors
    /// As [`Registry::delete_version`].
    pub async fn delete_subject(
        &self,
        subject: Subject,
        permanent: bool,
    ) -> Result<Vec<i32>, Error> {
        self.write(move |inner| inner.plan_delete_subject(&subject, permanent)).await
    }

    /// Deletes a context without subjects. It need not be there.
    ///
    /// # Errors
    /// [`Error::ContextNotEmpty`].
    pub async fn delete_context(&self, context: Subject) -> Result<(), Error> {
        self.write(move |inner| {
            let view = inner.store.view();
            if view.has_schemas(Some(&context), Filter::All) {
                return Err(Error::ContextNotEmpty(context));
            }
            let mut records = Records::default();
            if view.is_named_context(context.context()) {
                records.remove(&view, &Key::context(context.context()));
            }
            Ok((records, ()))
        })
        .await
    }
}

impl Inner {
    fn plan_delete_version(
        &self,
        subject: &Subject,
        version: Version,
        permanent: bool,
    ) -> Result<(Records, i32), Error> {
        let view = self.store.view();
        let Some(stored) = find_version(&view, subject, version, Filter::All) else {
            return Err(if view.has_subject(subject, Filter::All) {
                Error::VersionNotFound(version.number())
            } else {
                Error::SubjectNotFound(subject.clone())
            });
        };
        let number = stored.version;
        if stored.deleted && !permanent {
            return Err(Error::VersionSoftDeleted(subject.clone(), number));
        }
        check_writable(&view, subject)?;
        let referrers = Filter::with_deleted(permanent);
        if view.referrers(subject, number, referrers).next().is_some() {
            return Err(Error::ReferenceExists(subject.clone(), number));
        }
        let mut records = Records::default();
        let key = Key::schema(subject.to_string(), number);
        if permanent {
            if !stored.deleted {
                return Err(Error::VersionNotSoftDeleted(subject.clone(), number));
            }
            records.remove(&view, &key);
            if view.versions(subject, Filter::All).count() == 1 {
                remove_settings(&view, subject, &mut records);
            }
        } else {
            records.put(&view, &key, &deleted(stored));
        }
        Ok((records, number))
    }

    fn plan_delete_subject(
        &self,
        subject: &Subject,
        permanent: bool,
    ) -> Result<(Records, Vec<i32>), Error> {
        let view = self.store.view();
        if !view.has_subject(subject, Filter::All) {
            return Err(Error::SubjectNotFound(subject.clone()));
        }
        if !permanent && !view.has_subject(subject, Filter::Live) {
            return Err(Error::SubjectSoftDeleted(subject.clone()));
        }
        check_writable(&view, subject)?;
        let filter = Filter::with_deleted(permanent);
        let versions: Vec<&Arc<StoredSchema>> = view.versions(subject, filter).collect();
        for stored in &versions {
            let mut referrers = view.referrers(subject, stored.version, filter);
            if referrers.any(|referrer| referrer.subject != *subject) {
                return Err(Error::ReferenceExists(subject.clone(), stored.version));
            }
            if permanent && !stored.deleted {
                return Err(Error::SubjectNotSoftDeleted(subject.clone()));
            }
        }
        let numbers: Vec<i32> = versions.iter().map(|stored| stored.version).collect();
        let mut records = Records::default();
        if permanent {
            // Newest first, because versions may refer to earlier ones.
            for number in numbers.iter().rev() {
                records.remove(&view, &Key::schema(subject.to_string(), *number));
            }
            remove_settings(&view, subject, &mut records);
        } else {
            let name = subject.to_string();
            let version = numbers.last().copied().unwrap_or_default();
            let value = DeleteSubjectValue { subject: name.clone(), version };
            records.put(&view, &Key::delete_subject(name), &value);
        }
        Ok((records, numbers))
    }
}

/// The value that marks a version as deleted.
fn deleted(stored: &StoredSchema) -> SchemaValue {
    let StoredSchema { subject, version, id, content, .. } = stored;
    SchemaValue { deleted: true, ..SchemaValue::new(subject.to_string(), *version, *id, content) }
}

/// With its last version a subject loses its settings.
fn remove_settings(view: &View, subject: &Subject, records: &mut Records) {
    let name = View::setting_name(subject);
    if view.mode(subject).is_some() {
        records.remove(view, &Key::mode(name.clone()));
    }
    if view.config(subject).is_some() {
        records.remove(view, &Key::config(name));
    }
}

/// Refuses to change what is read-only.
pub(super) fn check_writable(view: &View, subject: &Subject) -> Result<(), Error> {
    if !view.mode_in_scope(subject).is_read_only() {
        return Ok(());
    }
    let name = View::setting_name(subject).unwrap_or_else(|| "null".to_owned());
    let context = subject.context_prefix();
    Err(Error::NotPermitted(format!("Subject {name} in context {context} is in read-only mode")))
}
