//! The table of all paths.

use actix_web::http::Method;

use super::answer::Answer;
use super::path::Path;
use super::{
    Call, compatibility, config, contexts, health, metadata, mode, schemas, subjects, versions,
};
use crate::error::Error;
use crate::subject::Subject;

/// What a path is about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Resource {
    Root,
    Subjects,
    Subject(Subject),
    SubjectMetadata(Subject),
    Versions(Subject),
    Version(Subject, String),
    VersionSchema(Subject, String),
    VersionReferencedBy(Subject, String),
    VersionTags(Subject, String),
    Schemas,
    SchemaTypes,
    Id(String),
    IdSchema(String),
    IdSubjects(String),
    IdVersions(String),
    Guid(String),
    GuidIds(String),
    Compatibility(Subject, Option<String>),
    Config(Subject),
    Mode(Subject),
    Contexts,
    Context(Subject),
    ClusterId,
    ServerVersion,
    Health,
    Ready,
    MasterAvailable,
}

impl Resource {
    /// What the path is about, if it is about anything.
    pub(super) fn of(path: &Path) -> Option<Self> {
        let subject = Subject::parse;
        Some(match *path.segments() {
            [] => Self::Root,
            ["subjects"] => Self::Subjects,
            ["subjects", name] => Self::Subject(subject(name)),
            ["subjects", name, "metadata"] => Self::SubjectMetadata(subject(name)),
            ["subjects", name, "versions"] => Self::Versions(subject(name)),
            ["subjects", name, "versions", version] => {
                Self::Version(subject(name), version.to_owned())
            }
            ["subjects", name, "versions", version, "schema"] => {
                Self::VersionSchema(subject(name), version.to_owned())
            }
            ["subjects", name, "versions", version, "referencedby"] => {
                Self::VersionReferencedBy(subject(name), version.to_owned())
            }
            ["subjects", name, "versions", version, "tags"] => {
                Self::VersionTags(subject(name), version.to_owned())
            }
            ["schemas"] => Self::Schemas,
            ["schemas", "types"] => Self::SchemaTypes,
            ["schemas", "ids", text] => Self::Id(text.to_owned()),
            ["schemas", "ids", text, "schema"] => Self::IdSchema(text.to_owned()),
            ["schemas", "ids", text, "subjects"] => Self::IdSubjects(text.to_owned()),
            ["schemas", "ids", text, "versions"] => Self::IdVersions(text.to_owned()),
            ["schemas", "guids", guid] => Self::Guid(guid.to_owned()),
            ["schemas", "guids", guid, "ids"] => Self::GuidIds(guid.to_owned()),
            ["compatibility", "subjects", name, "versions"] => {
                Self::Compatibility(subject(name), None)
            }
            ["compatibility", "subjects", name, "versions", version] => {
                Self::Compatibility(subject(name), Some(version.to_owned()))
            }
            ["config"] => Self::Config(subject("")),
            ["config", name] => Self::Config(subject(name)),
            ["mode"] => Self::Mode(subject("")),
            ["mode", name] => Self::Mode(subject(name)),
            ["contexts"] => Self::Contexts,
            ["contexts", name] => Self::Context(subject(name)),
            ["v1", "metadata", "id"] => Self::ClusterId,
            ["v1", "metadata", "version"] => Self::ServerVersion,
            ["_health" | "healthy"] => Self::Health,
            ["ready"] => Self::Ready,
            ["master_available"] => Self::MasterAvailable,
            _ => return None,
        })
    }

    /// The methods that it has, beside HEAD and OPTIONS.
    pub(super) fn methods(&self) -> &'static [Method] {
        match self {
            Self::Root | Self::Versions(_) => &[Method::GET, Method::POST],
            Self::Subject(_) => &[Method::POST, Method::DELETE],
            Self::Version(..) => &[Method::GET, Method::DELETE],
            Self::Compatibility(..) | Self::VersionTags(..) => &[Method::POST],
            Self::Config(_) | Self::Mode(_) => &[Method::GET, Method::PUT, Method::DELETE],
            Self::Context(_) => &[Method::DELETE],
            Self::Subjects
            | Self::SubjectMetadata(_)
            | Self::VersionSchema(..)
            | Self::VersionReferencedBy(..)
            | Self::Schemas
            | Self::SchemaTypes
            | Self::Id(_)
            | Self::IdSchema(_)
            | Self::IdSubjects(_)
            | Self::IdVersions(_)
            | Self::Guid(_)
            | Self::GuidIds(_)
            | Self::Contexts
            | Self::ClusterId
            | Self::ServerVersion
            | Self::Health
            | Self::Ready
            | Self::MasterAvailable => &[Method::GET],
        }
    }
}

/// Does what the method asks of the resource, which has it.
pub(super) async fn dispatch(
    resource: Resource,
    method: &Method,
    call: &Call,
) -> Result<Answer, Error> {
    // An id that is no number makes the path one that is not there.
    let number = |id: String| id.parse().map_err(|_| Error::NotFound);
    match resource {
        Resource::Root | Resource::ClusterId | Resource::ServerVersion => {}
        Resource::Health | Resource::Ready | Resource::MasterAvailable => {}
        _ => call.registry().check_loaded().await?,
    }
    match (resource, method) {
        (Resource::Root, _) => Ok(Answer::text("{}")),
        (Resource::Subjects, _) => subjects::list(call),
        (Resource::Subject(subject), &Method::POST) => subjects::look_up(call, subject).await,
        (Resource::Subject(subject), _) => subjects::delete(call, subject).await,
        (Resource::SubjectMetadata(subject), _) => {
            subjects::latest_with_metadata(call, &subject).await
        }
        (Resource::Versions(subject), &Method::POST) => versions::register(call, subject).await,
        (Resource::Versions(subject), _) => versions::list(call, &subject),
        (Resource::Version(subject, version), &Method::DELETE) => {
            versions::delete(call, subject, &version).await
        }
        (Resource::Version(subject, version), _) => versions::get(call, &subject, &version).await,
        (Resource::VersionSchema(subject, version), _) => {
            versions::get_text(call, &subject, &version).await
        }
        (Resource::VersionReferencedBy(subject, version), _) => {
            versions::referenced_by(call, &subject, &version)
        }
        (Resource::VersionTags(subject, version), _) => {
            versions::change_tags(call, &subject, &version).await
        }
        (Resource::Schemas, _) => schemas::list(call).await,
        (Resource::SchemaTypes, _) => schemas::types(),
        (Resource::Id(id), _) => schemas::by_id(call, number(id)?).await,
        (Resource::IdSchema(id), _) => schemas::text_by_id(call, number(id)?).await,
        (Resource::IdSubjects(id), _) => schemas::subjects_of_id(call, number(id)?),
        (Resource::IdVersions(id), _) => schemas::versions_of_id(call, number(id)?),
        (Resource::Guid(guid), _) => schemas::by_guid(call, &guid).await,
        (Resource::GuidIds(guid), _) => schemas::ids_of_guid(call, &guid),
        (Resource::Compatibility(subject, version), _) => {
            compatibility::check(call, subject, version.as_deref()).await
        }
        (Resource::Config(subject), &Method::PUT) => config::update(call, subject).await,
        (Resource::Config(subject), &Method::DELETE) => config::delete(call, subject).await,
        (Resource::Config(subject), _) => config::get(call, &subject),
        (Resource::Mode(subject), &Method::PUT) => mode::update(call, subject).await,
        (Resource::Mode(subject), &Method::DELETE) => mode::delete(call, subject).await,
        (Resource::Mode(subject), _) => mode::get(call, &subject),
        (Resource::Contexts, _) => contexts::list(call),
        (Resource::Context(context), _) => contexts::delete(call, context).await,
        (Resource::ClusterId, _) => metadata::cluster_id(call).await,
        (Resource::ServerVersion, _) => metadata::version(),
        (Resource::Health, _) => health::health(call).await,
        (Resource::Ready, _) => health::ready(call).await,
        (Resource::MasterAvailable, _) => health::master_available(call),
    }
}
