//! The bodies of requests. Members that are not known are ignored, and texts,
//! numbers and booleans are taken for each other where that makes sense, as the
//! reference does.

use std::fmt;
use std::marker::PhantomData;
use std::str::FromStr;

use serde::de::{Deserialize, Deserializer, Visitor};

use crate::content::{Metadata, RuleSet};
use crate::error::Error;
use crate::registry::{ConfigUpdate, ReferenceRequest, Registration, TagsOfVersion};
use crate::store::{Mode, Policy};
use crate::tags::{SchemaTags, TagChanges};

/// Registering, looking up, comparing.
#[derive(Debug, Default, serde::Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(super) struct RegisterRequest {
    schema: Loose<String>,
    schema_type: Loose<String>,
    references: Option<Vec<ReferenceBody>>,
    metadata: Option<Metadata>,
    rule_set: Option<RuleSet>,
    id: Loose<i32>,
    version: Loose<i32>,
    schema_tags_to_add: Option<Vec<SchemaTags>>,
    schema_tags_to_remove: Option<Vec<SchemaTags>>,
    propagate_schema_tags: Loose<bool>,
}

#[derive(Debug, Default, serde::Deserialize)]
#[serde(default)]
struct ReferenceBody {
    name: Loose<String>,
    subject: Loose<String>,
    version: Loose<i32>,
}

impl RegisterRequest {
    /// Whether the request carries parts of a data contract, so that more may
    /// be registered than it says.
    pub(super) fn has_contract(&self) -> bool {
        self.metadata.is_some()
            || self.rule_set.is_some()
            || self.schema_tags_to_add.is_some()
            || self.schema_tags_to_remove.is_some()
            || self.propagate_schema_tags.0 == Some(true)
    }

    /// What is to be registered. Tags make a version whose number is noted in
    /// its metadata.
    pub(super) fn into_registration(self, normalize: bool) -> Registration {
        let tags = TagChanges {
            add: self.schema_tags_to_add.unwrap_or_default(),
            remove: self.schema_tags_to_remove.unwrap_or_default(),
        };
        let version = if tags.is_empty() { 0 } else { -1 };
        let references = self.references.unwrap_or_default().into_iter();
        let references = references.map(|reference| ReferenceRequest {
            name: reference.name.0,
            subject: reference.subject.0,
            version: reference.version.0,
        });
        Registration {
            schema_type: self.schema_type.0.filter(|name| !name.is_empty()),
            text: self.schema.0.unwrap_or_default(),
            references: references.collect(),
            metadata: self.metadata,
            rule_set: self.rule_set,
            id: self.id.0.filter(|id| *id >= 0),
            version: self.version.0.unwrap_or(version),
            normalize,
            tags,
            propagate_tags: self.propagate_schema_tags.0 == Some(true),
        }
    }
}

/// Changing the tags of a version.
#[derive(Debug, Default, serde::Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(super) struct TagRequest {
    new_version: Loose<i32>,
    tags_to_add: Option<Vec<SchemaTags>>,
    tags_to_remove: Option<Vec<SchemaTags>>,
    metadata: Option<Metadata>,
    rule_set: Option<RuleSet>,
    rules_to_merge: Option<RuleSet>,
    rules_to_remove: Option<Vec<String>>,
}

impl From<TagRequest> for TagsOfVersion {
    fn from(request: TagRequest) -> Self {
        Self {
            tags: TagChanges {
                add: request.tags_to_add.unwrap_or_default(),
                remove: request.tags_to_remove.unwrap_or_default(),
            },
            new_version: request.new_version.0.unwrap_or(0),
            metadata: request.metadata,
            rule_set: request.rule_set,
            rules_to_merge: request.rules_to_merge,
            rules_to_remove: request.rules_to_remove.unwrap_or_default(),
        }
    }
}

/// Changing a config.
#[derive(Debug, Default, serde::Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(super) struct ConfigRequest {
    #[serde(deserialize_with = "present")]
    alias: Option<Loose<String>>,
    #[serde(deserialize_with = "present")]
    alias_for_deks: Option<Loose<String>>,
    #[serde(deserialize_with = "present")]
    normalize: Option<Loose<bool>>,
    #[serde(deserialize_with = "present")]
    validate_fields: Option<Loose<bool>>,
    #[serde(deserialize_with = "present")]
    validate_new_schemas: Option<Loose<bool>>,
    #[serde(deserialize_with = "present")]
    validate_rules: Option<Loose<bool>>,
    #[serde(alias = "compatibilityLevel", deserialize_with = "present")]
    compatibility: Option<Loose<String>>,
    #[serde(deserialize_with = "present")]
    compatibility_policy: Option<Loose<String>>,
    #[serde(deserialize_with = "present")]
    compatibility_group: Option<Loose<String>>,
    #[serde(deserialize_with = "present")]
    default_metadata: Option<Option<Metadata>>,
    #[serde(deserialize_with = "present")]
    override_metadata: Option<Option<Metadata>>,
    #[serde(deserialize_with = "present")]
    default_rule_set: Option<Option<RuleSet>>,
    #[serde(deserialize_with = "present")]
    override_rule_set: Option<Option<RuleSet>>,
}

/// A member that is there, be it null: what takes null has its own word for it.
fn present<'de, D, T>(deserializer: D) -> Result<Option<T>, D::Error>
where
    D: Deserializer<'de>,
    T: Deserialize<'de>,
{
    T::deserialize(deserializer).map(Some)
}

impl ConfigRequest {
    /// The change.
    ///
    /// # Errors
    /// [`Error::InvalidLevel`].
    pub(super) fn into_update(self) -> Result<ConfigUpdate, Error> {
        let level = |text: String| text.parse().map_err(|_| Error::InvalidLevel);
        let level = self.compatibility.map(|text| text.0.map(level).transpose()).transpose()?;
        // A policy that does not exist clears the member.
        let policy = |text: String| match text.to_ascii_uppercase().as_str() {
            "STRICT" => Some(Policy::Strict),
            "LENIENT" => Some(Policy::Lenient),
            _ => None,
        };
        Ok(ConfigUpdate {
            alias: self.alias.map(|text| text.0),
            alias_for_deks: self.alias_for_deks.map(|text| text.0),
            normalize: self.normalize.map(|flag| flag.0),
            validate_fields: self.validate_fields.map(|flag| flag.0),
            validate_new_schemas: self.validate_new_schemas.map(|flag| flag.0),
            validate_rules: self.validate_rules.map(|flag| flag.0),
            compatibility_level: level,
            compatibility_policy: self.compatibility_policy.map(|text| text.0.and_then(policy)),
            compatibility_group: self.compatibility_group.map(|text| text.0),
            default_metadata: self.default_metadata,
            override_metadata: self.override_metadata,
            default_rule_set: self.default_rule_set,
            override_rule_set: self.override_rule_set,
        })
    }
}

/// Changing a mode.
#[derive(Debug, Default, serde::Deserialize)]
#[serde(default)]
pub(super) struct ModeRequest {
    #[serde(deserialize_with = "present")]
    mode: Option<Loose<String>>,
}

impl ModeRequest {
    /// The text that was sent, to be echoed, and the mode that it means; null clears.
    ///
    /// # Errors
    /// [`Error::InvalidMode`], and 422 without the member.
    pub(super) fn into_mode(self) -> Result<(Option<String>, Option<Mode>), Error> {
        let text = self.mode.ok_or_else(|| Error::Invalid("mode must not be absent".to_owned()))?.0;
        let mode = text.as_deref().map(str::parse).transpose().map_err(|_| Error::InvalidMode)?;
        Ok((text, mode))
    }
}

/// A value that may be null, or of another type that can be read as it.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Loose<T>(Option<T>);

impl<T> Default for Loose<T> {
    fn default() -> Self {
        Self(None)
    }
}

/// How a type is read from the scalars of JSON.
trait Scalar: Sized {
    const EXPECTED: &'static str;

    fn of_text(text: &str) -> Option<Option<Self>>;
    fn of_integer(number: i64) -> Option<Self>;
    fn of_float(number: f64) -> Option<Self>;
    fn of_bool(flag: bool) -> Option<Self>;
}

impl Scalar for String {
    const EXPECTED: &'static str = "a string";

    fn of_text(text: &str) -> Option<Option<Self>> {
        Some(Some(text.to_owned()))
    }

    fn of_integer(number: i64) -> Option<Self> {
        Some(number.to_string())
    }

    fn of_float(number: f64) -> Option<Self> {
        Some(number.to_string())
    }

    fn of_bool(flag: bool) -> Option<Self> {
        Some(flag.to_string())
    }
}

impl Scalar for i32 {
    const EXPECTED: &'static str = "an integer of 32 bits";

    fn of_text(text: &str) -> Option<Option<Self>> {
        match text.trim() {
            "" => Some(None),
            text => Self::from_str(text).ok().map(Some),
        }
    }

    fn of_integer(number: i64) -> Option<Self> {
        number.try_into().ok()
    }

    fn of_float(number: f64) -> Option<Self> {
        // Within the range of 32 bits the cast only cuts the fraction off.
        (number.abs() < f64::from(i32::MAX)).then_some(number as Self)
    }

    fn of_bool(_: bool) -> Option<Self> {
        None
    }
}

impl Scalar for bool {
    const EXPECTED: &'static str = "a boolean";

    fn of_text(text: &str) -> Option<Option<Self>> {
        match text.trim() {
            "" => Some(None),
            text if text.eq_ignore_ascii_case("true") => Some(Some(true)),
            text if text.eq_ignore_ascii_case("false") => Some(Some(false)),
            _ => None,
        }
    }

    fn of_integer(number: i64) -> Option<Self> {
        Some(number != 0)
    }

    fn of_float(_: f64) -> Option<Self> {
        None
    }

    fn of_bool(flag: bool) -> Option<Self> {
        Some(flag)
    }
}

impl<'de, T: Scalar> Deserialize<'de> for Loose<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(ScalarVisitor(PhantomData)).map(Self)
    }
}

struct ScalarVisitor<T>(PhantomData<T>);

impl<T: Scalar> Visitor<'_> for ScalarVisitor<T> {
    type Value = Option<T>;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(T::EXPECTED)
    }

    fn visit_unit<E: serde::de::Error>(self) -> Result<Self::Value, E> {
        Ok(None)
    }

    fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<Self::Value, E> {
        T::of_text(text).ok_or_else(|| E::custom(format!("\"{text}\" is not {}", T::EXPECTED)))
    }

    fn visit_i64<E: serde::de::Error>(self, number: i64) -> Result<Self::Value, E> {
        let refuse = || E::custom(format!("{number} is not {}", T::EXPECTED));
        T::of_integer(number).map(Some).ok_or_else(refuse)
    }

    fn visit_u64<E: serde::de::Error>(self, number: u64) -> Result<Self::Value, E> {
        self.visit_i64(i64::try_from(number).map_err(E::custom)?)
    }

    fn visit_f64<E: serde::de::Error>(self, number: f64) -> Result<Self::Value, E> {
        let refuse = || E::custom(format!("{number} is not {}", T::EXPECTED));
        T::of_float(number).map(Some).ok_or_else(refuse)
    }

    fn visit_bool<E: serde::de::Error>(self, flag: bool) -> Result<Self::Value, E> {
        let refuse = || E::custom(format!("{flag} is not {}", T::EXPECTED));
        T::of_bool(flag).map(Some).ok_or_else(refuse)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn register(text: &str) -> Result<Registration, String> {
        let request: RegisterRequest =
            serde_json::from_str(text).map_err(|error| error.to_string())?;
        Ok(request.into_registration(false))
    }

    #[test]
    fn scalars_are_taken_for_each_other() {
        let request = register(r#"{"schema":1,"id":"7","version":2.9,"unknown":{}}"#).unwrap();
        assert_eq!((request.text.as_str(), request.id, request.version), ("1", Some(7), 2));
        let request = register(r#"{"schema":null,"id":-1,"version":"","metadata":null}"#).unwrap();
        assert_eq!((request.text.as_str(), request.id, request.version), ("", None, 0));
        assert_eq!(register(r#"{"id":0}"#).unwrap().id, Some(0));
        for text in [
            r#"{"schema":{}}"#,
            r#"{"schema":[]}"#,
            r#"{"id":"x"}"#,
            r#"{"id":3000000000}"#,
            r#"{"metadata":1}"#,
            r#"{"ruleSet":{"domainRules":[{"mode":"NOPE"}]}}"#,
            r#""x""#,
        ] {
            assert!(register(text).is_err(), "{text}");
        }
    }

    #[test]
    fn absent_and_null_are_different_in_a_config() {
        let request: ConfigRequest = serde_json::from_str(
            r#"{"alias":null,"normalize":"true","compatibility":"full","defaultMetadata":null}"#,
        )
        .unwrap();
        let update = request.into_update().unwrap();
        assert_eq!(update.alias, Some(None));
        assert_eq!(update.alias_for_deks, None);
        assert_eq!(update.normalize, Some(Some(true)));
        assert_eq!(update.default_metadata, Some(None));
        assert_eq!(update.override_metadata, None);
        assert_eq!(update.compatibility_level.unwrap().unwrap().name(), "FULL");
        assert!(serde_json::from_str::<ConfigRequest>(r#"{"normalize":"yes"}"#).is_err());
        let wrong: ConfigRequest = serde_json::from_str(r#"{"compatibility":"nope"}"#).unwrap();
        assert!(matches!(wrong.into_update(), Err(Error::InvalidLevel)));
    }
}
