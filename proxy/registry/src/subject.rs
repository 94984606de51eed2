//! Names of subjects and contexts, and the strategies that name the subjects
//! of a topic's records.
//!
//! ```text
//! orders-value          subject in the default context `.`
//! :.ctx:orders-value    the same in the context `.ctx`
//! :.ctx:                the context `.ctx` itself (its config and mode)
//! :.:orders-value       the default context, spelled out
//! :.__GLOBAL:           settings for all contexts
//! ```

use std::fmt;
use std::str::FromStr;

/// The context of names that name none.
pub const DEFAULT_CONTEXT: &str = ".";
/// The context whose settings are for all contexts.
pub const GLOBAL_CONTEXT: &str = ".__GLOBAL";
/// A prefix that stands for every context.
pub const EVERY_CONTEXT: &str = ":*:";

/// Names that no subject may have.
const RESERVED: [&str; 2] = ["__GLOBAL", "__EMPTY"];

/// A subject with its context, or with an empty name a context itself.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Subject {
    context: Box<str>,
    name: Box<str>,
}

impl Subject {
    /// Takes a qualified name apart. Everything is a name of some subject;
    /// see [`Subject::is_valid`].
    pub fn parse(text: &str) -> Self {
        let Some(rest) = text.strip_prefix(":.") else {
            return Self::new(DEFAULT_CONTEXT, text);
        };
        let (context, name) = rest.split_once(':').unwrap_or((rest, ""));
        Self::new(&format!(".{context}"), name)
    }

    /// A subject of this context, whose name begins with a dot.
    pub fn new(context: &str, name: &str) -> Self {
        Self { context: context.into(), name: name.into() }
    }

    /// The name within a context: what `name` says, else the context of `parent`.
    pub fn within(parent: &Self, name: &str) -> Self {
        let subject = Self::parse(name);
        if subject.is_in_default_context() {
            Self::new(&parent.context, &subject.name)
        } else {
            subject
        }
    }

    /// The context, `.` for the default one.
    pub fn context(&self) -> &str {
        &self.context
    }

    /// The name without its context; empty for a context itself.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Whether the context is the default one.
    pub fn is_in_default_context(&self) -> bool {
        &*self.context == DEFAULT_CONTEXT
    }

    /// Whether this is a context and no subject.
    pub fn is_context(&self) -> bool {
        self.name.is_empty()
    }

    /// Whether this is the default context itself.
    pub fn is_default_context(&self) -> bool {
        self.is_context() && self.is_in_default_context()
    }

    /// Whether these are the settings for all contexts.
    pub fn is_global(&self) -> bool {
        self.is_context() && &*self.context == GLOBAL_CONTEXT
    }

    /// The context as a prefix of names: empty for the default one.
    pub fn context_prefix(&self) -> String {
        if self.is_in_default_context() { String::new() } else { format!(":{}:", self.context) }
    }

    /// The context itself.
    pub fn of_context(&self) -> Self {
        Self::new(&self.context, "")
    }

    /// Whether schemas can be registered under it, or with `is_setting`
    /// whether it can have a config and a mode.
    pub fn is_valid(&self, is_setting: bool) -> bool {
        let has_control = |text: &str| text.chars().any(char::is_control);
        !has_control(&self.name)
            && !has_control(&self.context)
            && !RESERVED.contains(&&*self.name)
            && !self.name.starts_with(EVERY_CONTEXT)
            && (is_setting || &*self.context != GLOBAL_CONTEXT)
    }

    /// Whether a config, a mode or a clearing of `self` is about `subject`.
    pub fn covers(&self, subject: &Self) -> bool {
        self == subject
            || self.is_global()
            || (self.is_context() && self.context == subject.context)
    }
}

/// The qualified name, without a context where that is the default one.
impl fmt::Display for Subject {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        if !self.is_in_default_context() {
            write!(formatter, ":{}:", self.context)?;
        }
        formatter.write_str(&self.name)
    }
}

/// The prefix of names in a context that a path names (`ctx`, `.ctx`,
/// `:.ctx:`); empty for the default context. `None` if it holds a colon.
pub fn context_prefix(name: &str) -> Option<String> {
    let name = name.strip_prefix(':').unwrap_or(name);
    let name = name.strip_suffix(':').unwrap_or(name);
    if name.contains(':') {
        return None;
    }
    let name = if name.starts_with('.') { name.to_owned() } else { format!(".{name}") };
    Some(Subject::new(&name, "").context_prefix())
}

/// Whether a name says which context it belongs to.
pub fn is_qualified(name: &str) -> bool {
    name.starts_with(":.") || name.starts_with(EVERY_CONTEXT)
}

/// How the subject of a record's key or value is named
/// (`key.subject.name.strategy`, `value.subject.name.strategy`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum SubjectNameStrategy {
    /// `topic-key` and `topic-value`: one schema for a topic.
    #[default]
    Topic,
    /// The full name of the record: one schema wherever it is used.
    Record,
    /// `topic-` and the full name of the record: several schemas in a topic.
    TopicRecord,
}

impl SubjectNameStrategy {
    /// The subject, or `None` where the strategy needs the name of a record
    /// and the schema has none.
    pub fn subject(self, topic: &str, is_key: bool, record_name: Option<&str>) -> Option<String> {
        match self {
            Self::Topic => Some(format!("{topic}-{}", if is_key { "key" } else { "value" })),
            Self::Record => record_name.map(str::to_owned),
            Self::TopicRecord => record_name.map(|name| format!("{topic}-{name}")),
        }
    }
}

/// A strategy is named by the Java class that Confluent's clients name, with
/// or without its package, or in one word.
impl FromStr for SubjectNameStrategy {
    type Err = UnknownStrategy;

    fn from_str(name: &str) -> Result<Self, Self::Err> {
        let class = name.rsplit('.').next().unwrap_or_default();
        let class = class.strip_suffix("NameStrategy").unwrap_or(class);
        match class.to_ascii_lowercase().replace(['_', '-'], "").as_str() {
            "topic" => Ok(Self::Topic),
            "record" => Ok(Self::Record),
            "topicrecord" => Ok(Self::TopicRecord),
            _ => Err(UnknownStrategy(name.to_owned())),
        }
    }
}

/// A strategy that does not exist.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "{0} is no subject name strategy: TopicNameStrategy, RecordNameStrategy or TopicRecordNameStrategy"
)]
pub struct UnknownStrategy(pub String);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn qualified_names_are_taken_apart() {
        for (text, context, name, shown) in [
            ("a", ".", "a", "a"),
            ("", ".", "", ""),
            (":.:a", ".", "a", "a"),
            (":.ctx:a", ".ctx", "a", ":.ctx:a"),
            (":.ctx:a:b", ".ctx", "a:b", ":.ctx:a:b"),
            (":.ctx:", ".ctx", "", ":.ctx:"),
            (":.ctx", ".ctx", "", ":.ctx:"),
            ("a:.ctx:b", ".", "a:.ctx:b", "a:.ctx:b"),
            (":a", ".", ":a", ":a"),
        ] {
            let subject = Subject::parse(text);
            assert_eq!((subject.context(), subject.name()), (context, name), "{text}");
            assert_eq!(subject.to_string(), shown, "{text}");
        }
    }

    #[test]
    fn names_are_valid_or_not() {
        for (text, subject, setting) in [
            ("a", true, true),
            ("", true, true),
            ("*", true, true),
            ("a/b%c:d ü", true, true),
            ("a\u{1}b", false, false),
            ("a\u{7f}b", false, false),
            ("__GLOBAL", false, false),
            ("__EMPTY", false, false),
            (":.ctx:__EMPTY", false, false),
            (":.__GLOBAL:x", false, true),
            (":.__GLOBAL:", false, true),
            (":*:", false, false),
            (":*:a", false, false),
        ] {
            let parsed = Subject::parse(text);
            assert_eq!(parsed.is_valid(false), subject, "{text}");
            assert_eq!(parsed.is_valid(true), setting, "{text} as a setting");
        }
    }

    #[test]
    fn references_stay_in_the_context_of_the_schema_that_has_them() {
        let parent = Subject::parse(":.ctx:order");
        assert_eq!(Subject::within(&parent, "item").to_string(), ":.ctx:item");
        assert_eq!(Subject::within(&parent, ":.other:item").to_string(), ":.other:item");
        assert_eq!(Subject::within(&Subject::parse("order"), "item").to_string(), "item");
    }

    #[test]
    fn contexts_of_paths_become_prefixes() {
        for (name, expected) in [
            ("ctx", Some(":.ctx:")),
            (".ctx", Some(":.ctx:")),
            (":.ctx:", Some(":.ctx:")),
            (".", Some("")),
            ("a:b", None),
        ] {
            assert_eq!(context_prefix(name).as_deref(), expected, "{name}");
        }
    }

    #[test]
    fn strategies_name_subjects() {
        for (strategy, is_key, expected) in [
            ("TopicNameStrategy", true, Some("t-key")),
            ("io.confluent.kafka.serializers.subject.TopicNameStrategy", false, Some("t-value")),
            ("record", false, Some("shop.Order")),
            ("TopicRecordNameStrategy", true, Some("t-shop.Order")),
            ("topic_record", true, Some("t-shop.Order")),
        ] {
            let strategy: SubjectNameStrategy = strategy.parse().unwrap();
            let subject = strategy.subject("t", is_key, Some("shop.Order"));
            assert_eq!(subject.as_deref(), expected, "{strategy:?}");
        }
        assert_eq!(SubjectNameStrategy::Record.subject("t", true, None), None);
        assert!("other".parse::<SubjectNameStrategy>().is_err());
    }
}
