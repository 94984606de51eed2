//! Configuration definitions: which settings exist, of which type, with which
//! default, and which values they take.
//!
//! The idea and every error sentence are those of Kafka's `ConfigDef`, because
//! tools show the sentences to users and some compare them. A crate declares
//! each of its settings once as a [`ConfigKey`] in a static table; broker
//! settings, topic settings, help texts and the answers to DescribeConfigs
//! all come from those tables.
//!
//! Values stay text until they are read: [`ConfigReader`] turns text and
//! defaults into typed values and collects every error instead of stopping at
//! the first.

mod nearest;
mod reader;

use std::collections::BTreeMap;
use std::fmt;

pub use nearest::nearest_name;
pub use reader::ConfigReader;

/// The type of a setting, as DescribeConfigs (KIP-133, KIP-569) names it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ConfigType {
    /// `true` or `false`, in any case.
    Boolean,
    /// Text without white space at its ends.
    String,
    /// 32-bit signed integer.
    Int,
    /// 16-bit signed integer.
    Short,
    /// 64-bit signed integer.
    Long,
    /// 64-bit floating point number.
    Double,
    /// Texts separated by commas. White space around commas does not count,
    /// repeated entries count once.
    List,
    /// Name of a Java class. Kept as text: nothing here loads classes.
    Class,
    /// A secret: never shown, never logged.
    Password,
}

impl ConfigType {
    /// The number in the `config_type` field of a DescribeConfigs response.
    pub const fn code(self) -> i8 {
        match self {
            Self::Boolean => 1,
            Self::String => 2,
            Self::Int => 3,
            Self::Short => 4,
            Self::Long => 5,
            Self::Double => 6,
            Self::List => 7,
            Self::Class => 8,
            Self::Password => 9,
        }
    }

    /// Kafka's name of the type, as its error sentences use it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Boolean => "BOOLEAN",
            Self::String => "STRING",
            Self::Int => "INT",
            Self::Short => "SHORT",
            Self::Long => "LONG",
            Self::Double => "DOUBLE",
            Self::List => "LIST",
            Self::Class => "CLASS",
            Self::Password => "PASSWORD",
        }
    }
}

impl fmt::Display for ConfigType {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.name())
    }
}

/// A value of the type its setting asks for.
#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    /// Of [`ConfigType::Boolean`].
    Boolean(bool),
    /// Of [`ConfigType::Int`], [`ConfigType::Short`] and [`ConfigType::Long`].
    Integer(i64),
    /// Of [`ConfigType::Double`].
    Double(f64),
    /// Of [`ConfigType::String`], [`ConfigType::Class`] and [`ConfigType::Password`].
    Text(String),
    /// Of [`ConfigType::List`].
    List(Vec<String>),
}

impl fmt::Display for Value {
    /// The text that parses to this value, in the form DescribeConfigs shows.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Boolean(value) => write!(formatter, "{value}"),
            Self::Integer(value) => write!(formatter, "{value}"),
            // Java writes 2.0 where Rust's Display writes 2; huge values have an exponent.
            Self::Double(value) if value.abs() >= 1e7 => {
                write!(formatter, "{}", java_exponent(*value))
            }
            Self::Double(value) => write!(formatter, "{value:?}"),
            Self::Text(value) => formatter.write_str(value),
            Self::List(values) => formatter.write_str(&values.join(",")),
        }
    }
}

/// `1.7976931348623157E308`: how Java prints a double of 10^7 and above.
fn java_exponent(value: f64) -> String {
    let text = format!("{value:E}");
    match text.split_once('E') {
        Some((mantissa, exponent)) if !mantissa.contains('.') => format!("{mantissa}.0E{exponent}"),
        _ => text,
    }
}

/// Which values of its type a setting takes.
#[derive(Clone, Copy, Debug)]
pub enum Validator {
    /// Every value of the type.
    Any,
    /// Integers from the first to the second, both included.
    Range(Option<i64>, Option<i64>),
    /// -1, or an integer from the first to the second.
    RangeOrUnset(i64, i64),
    /// Numbers from the first to the second, both included.
    DoubleRange(f64, f64),
    /// One of these texts.
    OneOf(&'static [&'static str]),
    /// One of these texts in any case.
    OneOfIgnoringCase(&'static [&'static str]),
    /// A list of these texts. An empty list is allowed.
    ListOf(&'static [&'static str]),
    /// A list that is not empty.
    NonEmptyList,
    /// A text that is not empty.
    NonEmpty,
    /// `*`, or `partition:broker` pairs separated by commas.
    ThrottledReplicas,
    /// A rule of the setting's own, which says what is wrong.
    Check(fn(&str) -> Result<(), String>),
}

impl Validator {
    fn check(self, key: &ConfigKey, value: &Value) -> Result<(), ConfigError> {
        let refuse = |message: String| Err(ConfigError::invalid(key, value.to_string(), message));
        match (self, value) {
            (Self::Range(Some(min), _), Value::Integer(number)) if *number < min => {
                refuse(format!("Value must be at least {min}"))
            }
            (Self::Range(_, Some(max)), Value::Integer(number)) if *number > max => {
                refuse(format!("Value must be no more than {max}"))
            }
            (Self::RangeOrUnset(min, max), Value::Integer(number))
                if *number != -1 && !(min..=max).contains(number) =>
            {
                refuse(format!("Value must be between {min} and {max} or equal to -1"))
            }
            (Self::DoubleRange(min, _), Value::Double(number)) if *number < min => {
                refuse(format!("Value must be at least {min}"))
            }
            (Self::DoubleRange(_, max), Value::Double(number)) if *number > max => {
                refuse(format!("Value must be no more than {max}"))
            }
            (Self::OneOf(allowed), Value::Text(text)) if !allowed.contains(&text.as_str()) => {
                refuse(format!("String must be one of: {}", allowed.join(", ")))
            }
            (Self::OneOfIgnoringCase(allowed), Value::Text(text))
                if !allowed.iter().any(|word| word.eq_ignore_ascii_case(text)) =>
            {
                refuse(format!("String must be one of (case insensitive): {}", allowed.join(", ")))
            }
            (Self::ListOf(allowed), Value::List(entries)) => {
                match entries.iter().find(|entry| !allowed.contains(&entry.as_str())) {
                    Some(entry) => Err(ConfigError::invalid(
                        key,
                        entry.clone(),
                        format!("String must be one of: {}", allowed.join(", ")),
                    )),
                    None => Ok(()),
                }
            }
            (Self::NonEmptyList, Value::List(entries)) if entries.is_empty() => {
                Err(ConfigError::EmptyList(key.name.to_owned()))
            }
            (Self::NonEmpty, Value::Text(text)) if text.is_empty() => {
                refuse("String must be non-empty".to_owned())
            }
            (Self::ThrottledReplicas, Value::List(entries)) if !are_throttled_replicas(entries) => {
                Err(ConfigError::invalid(
                    key,
                    format!("[{}]", entries.join(", ")),
                    format!(
                        "{} must be the literal '*' or a list of replicas in the following format: \
                         [partitionId]:[brokerId],[partitionId]:[brokerId],...",
                        key.name
                    ),
                ))
            }
            (Self::Check(check), value) => match check(&value.to_string()) {
                Ok(()) => Ok(()),
                Err(message) => refuse(message),
            },
            _ => Ok(()),
        }
    }

    /// The rule in a few words for help texts and the reference page; empty
    /// when every value of the type is taken.
    pub fn describe(self) -> String {
        match self {
            Self::Any | Self::Check(_) => String::new(),
            Self::Range(Some(min), Some(max)) => format!("{min} to {max}"),
            Self::Range(Some(min), None) => format!("at least {min}"),
            Self::Range(None, Some(max)) => format!("at most {max}"),
            Self::Range(None, None) => String::new(),
            Self::RangeOrUnset(min, max) => format!("{min} to {max}, or -1"),
            Self::DoubleRange(min, max) => format!("{min} to {max}"),
            Self::OneOf(allowed) | Self::OneOfIgnoringCase(allowed) => {
                format!("one of {}", allowed.join(", "))
            }
            Self::ListOf(allowed) => format!("list of {}", allowed.join(", ")),
            Self::NonEmptyList | Self::NonEmpty => "not empty".to_owned(),
            Self::ThrottledReplicas => "* or partition:broker,...".to_owned(),
        }
    }
}

fn are_throttled_replicas(entries: &[String]) -> bool {
    let is_number = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    matches!(entries, [only] if only == "*")
        || entries.iter().all(|entry| {
            entry.split_once(':').is_some_and(|(left, right)| is_number(left) && is_number(right))
        })
}

/// Whether a setting can change while the broker runs (KIP-226).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Update {
    /// Only in the file, the environment or a flag.
    ReadOnly,
    /// For one broker, by its id.
    PerBroker,
    /// For one broker or for all of them.
    ClusterWide,
}

/// One setting, declared.
#[derive(Clone, Copy, Debug)]
pub struct ConfigKey {
    /// The name, as Kafka or Confluent gave it.
    pub name: &'static str,
    /// The type of its values.
    pub kind: ConfigType,
    /// The text of the default; `None` when the setting has none.
    pub default: Option<&'static str>,
    /// Which values it takes.
    pub validator: Validator,
    /// Whether and how it can be changed at run time.
    pub update: Update,
    /// `Some(why)` when the setting is accepted and changes nothing.
    pub no_effect: Option<&'static str>,
    /// Settable, but not listed by DescribeConfigs or the reference page.
    pub internal: bool,
    /// What it does, in a sentence or two.
    pub doc: &'static str,
}

impl ConfigKey {
    /// A read-only setting without default that takes every value of its type.
    pub const fn new(name: &'static str, kind: ConfigType) -> Self {
        Self {
            name,
            kind,
            default: None,
            validator: Validator::Any,
            update: Update::ReadOnly,
            no_effect: None,
            internal: false,
            doc: "",
        }
    }

    /// Sets the text of the default.
    pub const fn default(mut self, text: &'static str) -> Self {
        self.default = Some(text);
        self
    }

    /// Takes integers from `min` on.
    pub const fn at_least(mut self, min: i64) -> Self {
        self.validator = Validator::Range(Some(min), None);
        self
    }

    /// Takes integers from `min` to `max`, both included.
    pub const fn range(mut self, min: i64, max: i64) -> Self {
        self.validator = Validator::Range(Some(min), Some(max));
        self
    }

    /// Sets which values are taken.
    pub const fn validator(mut self, validator: Validator) -> Self {
        self.validator = validator;
        self
    }

    /// Can be changed at run time, for one broker or all.
    pub const fn dynamic(mut self) -> Self {
        self.update = Update::ClusterWide;
        self
    }

    /// Can be changed at run time, for one broker only.
    pub const fn per_broker(mut self) -> Self {
        self.update = Update::PerBroker;
        self
    }

    /// Accepted without effect, and why.
    pub const fn without_effect(mut self, why: &'static str) -> Self {
        self.no_effect = Some(why);
        self
    }

    /// Not listed by DescribeConfigs.
    pub const fn internal(mut self) -> Self {
        self.internal = true;
        self
    }

    /// Sets the documentation.
    pub const fn doc(mut self, doc: &'static str) -> Self {
        self.doc = doc;
        self
    }

    /// Whether the value is a secret.
    pub const fn is_sensitive(&self) -> bool {
        matches!(self.kind, ConfigType::Password)
    }

    /// Reads a value and checks it.
    ///
    /// # Errors
    /// With Kafka's sentence when the text is not of the type or the value is
    /// not one that the setting takes.
    pub fn parse(&self, text: &str) -> Result<Value, ConfigError> {
        let value = self.parse_type(text)?;
        self.validator.check(self, &value)?;
        Ok(value)
    }

    fn parse_type(&self, text: &str) -> Result<Value, ConfigError> {
        let trimmed = text.trim();
        let not_a_number = || {
            ConfigError::invalid(
                self,
                text.to_owned(),
                format!("Not a number of type {}", self.kind),
            )
        };
        match self.kind {
            ConfigType::Boolean if trimmed.eq_ignore_ascii_case("true") => Ok(Value::Boolean(true)),
            ConfigType::Boolean if trimmed.eq_ignore_ascii_case("false") => {
                Ok(Value::Boolean(false))
            }
            ConfigType::Boolean => Err(ConfigError::invalid(
                self,
                text.to_owned(),
                "Expected value to be either true or false".to_owned(),
            )),
            ConfigType::String | ConfigType::Class | ConfigType::Password => {
                Ok(Value::Text(trimmed.to_owned()))
            }
            ConfigType::Short => trimmed
                .parse::<i16>()
                .map(|number| Value::Integer(number.into()))
                .map_err(|_| not_a_number()),
            ConfigType::Int => trimmed
                .parse::<i32>()
                .map(|number| Value::Integer(number.into()))
                .map_err(|_| not_a_number()),
            ConfigType::Long => {
                trimmed.parse::<i64>().map(Value::Integer).map_err(|_| not_a_number())
            }
            ConfigType::Double => match trimmed.parse::<f64>() {
                Ok(number) if !number.is_nan() => Ok(Value::Double(number)),
                _ => Err(not_a_number()),
            },
            ConfigType::List => {
                let entries = split_list(trimmed);
                if entries.iter().any(String::is_empty) {
                    return Err(ConfigError::EmptyListEntry(self.name.to_owned()));
                }
                Ok(Value::List(entries))
            }
        }
    }

    /// The value in the form DescribeConfigs shows it: numbers without signs
    /// and blanks they do not need, lists without spaces. Text that does not
    /// parse is given back as it is.
    pub fn normalize(&self, text: &str) -> String {
        self.parse_type(text).map_or_else(|_| text.to_owned(), |value| value.to_string())
    }
}

/// The entries of a comma separated list, each once, in order.
pub fn split_list(text: &str) -> Vec<String> {
    let mut entries: Vec<String> = Vec::new();
    if text.trim().is_empty() {
        return entries;
    }
    for entry in text.split(',').map(str::trim) {
        if !entries.iter().any(|known| known == entry) {
            entries.push(entry.to_owned());
        }
    }
    entries
}

/// Why settings were refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ConfigError {
    /// The text is not of the type, or the value is not one the setting takes.
    #[error("Invalid value {value} for configuration {name}: {message}")]
    InvalidValue {
        /// Name of the setting.
        name: String,
        /// The refused value, or `[hidden]` for a secret.
        value: String,
        /// What is wrong with it.
        message: String,
    },
    /// A list that must hold something is empty.
    #[error("Configuration '{0}' must not be empty. Valid values include: any non-empty value")]
    EmptyList(String),
    /// A list has nothing between two commas.
    #[error("Configuration '{0}' values must not be empty.")]
    EmptyListEntry(String),
    /// No setting of this name exists.
    #[error("Unknown configuration {name}{}", did_you_mean(.nearest.as_deref()))]
    Unknown {
        /// The unknown name.
        name: String,
        /// The known name that is written most like it.
        nearest: Option<String>,
    },
    /// Settings contradict each other. The text names them.
    #[error("{0}")]
    Conflict(String),
}

fn did_you_mean(nearest: Option<&str>) -> String {
    nearest.map_or_else(String::new, |name| format!(", did you mean {name}?"))
}

impl ConfigError {
    /// The error of a value that `key` does not take.
    pub fn invalid(key: &ConfigKey, value: String, message: String) -> Self {
        let value = if key.is_sensitive() { "[hidden]".to_owned() } else { value };
        Self::InvalidValue { name: key.name.to_owned(), value, message }
    }

    /// The setting that was refused, where there is exactly one.
    pub fn name(&self) -> Option<&str> {
        match self {
            Self::InvalidValue { name, .. }
            | Self::Unknown { name, .. }
            | Self::EmptyList(name)
            | Self::EmptyListEntry(name) => Some(name),
            Self::Conflict(_) => None,
        }
    }

    /// The same error with `prefix` before the name of the setting, where the
    /// prefix was taken off for reading.
    #[must_use]
    pub fn with_prefix(mut self, prefix: &str) -> Self {
        match &mut self {
            Self::InvalidValue { name, .. }
            | Self::Unknown { name, .. }
            | Self::EmptyList(name)
            | Self::EmptyListEntry(name) => name.insert_str(0, prefix),
            Self::Conflict(_) => {}
        }
        self
    }
}

/// The text of the settings that were given, by name.
pub type ConfigValues = BTreeMap<String, String>;

/// A set of declared settings, found by name.
#[derive(Debug)]
pub struct ConfigDef {
    keys: BTreeMap<&'static str, &'static ConfigKey>,
}

impl ConfigDef {
    /// Gathers tables of declarations. Of two declarations of one name the
    /// first counts.
    pub fn new(tables: &[&'static [ConfigKey]]) -> Self {
        let mut keys = BTreeMap::new();
        for key in tables.iter().flat_map(|table| table.iter()) {
            keys.entry(key.name).or_insert(key);
        }
        Self { keys }
    }

    /// The declaration of a name.
    pub fn get(&self, name: &str) -> Option<&'static ConfigKey> {
        self.keys.get(name).copied()
    }

    /// All declarations, sorted by name.
    pub fn iter(&self) -> impl Iterator<Item = &'static ConfigKey> {
        self.keys.values().copied()
    }

    /// The error of a name that is not declared here.
    pub fn unknown(&self, name: &str) -> ConfigError {
        let nearest = nearest_name(name, self.keys.keys().copied()).map(str::to_owned);
        ConfigError::Unknown { name: name.to_owned(), nearest }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const RETENTION: ConfigKey =
        ConfigKey::new("retention.ms", ConfigType::Long).default("604800000").at_least(-1);

    #[test]
    fn refused_values_read_as_kafka_writes_them() {
        let policy = ConfigKey::new("cleanup.policy", ConfigType::List)
            .validator(Validator::ListOf(&["compact", "delete"]));
        let codec = ConfigKey::new("compression.type", ConfigType::String)
            .validator(Validator::OneOf(&["zstd", "gzip"]));
        let level = ConfigKey::new("compression.gzip.level", ConfigType::Int)
            .validator(Validator::RangeOrUnset(1, 9));
        let ratio = ConfigKey::new("min.cleanable.dirty.ratio", ConfigType::Double)
            .validator(Validator::DoubleRange(0.0, 1.0));
        let throttled = ConfigKey::new("leader.replication.throttled.replicas", ConfigType::List)
            .validator(Validator::ThrottledReplicas);
        // Every sentence was printed by Apache Kafka 4.3.1.
        for (key, text, expected) in [
            (
                RETENTION,
                "x",
                "Invalid value x for configuration retention.ms: Not a number of type LONG",
            ),
            (
                RETENTION,
                "",
                "Invalid value  for configuration retention.ms: Not a number of type LONG",
            ),
            (
                RETENTION,
                "-2",
                "Invalid value -2 for configuration retention.ms: Value must be at least -1",
            ),
            (
                ConfigKey::new("segment.bytes", ConfigType::Int),
                "2147483648",
                "Invalid value 2147483648 for configuration segment.bytes: Not a number of type INT",
            ),
            (
                ConfigKey::new("preallocate", ConfigType::Boolean),
                "yes",
                "Invalid value yes for configuration preallocate: Expected value to be either true or false",
            ),
            (
                policy,
                "delete,x",
                "Invalid value x for configuration cleanup.policy: String must be one of: compact, delete",
            ),
            (policy, "delete,", "Configuration 'cleanup.policy' values must not be empty."),
            (
                codec,
                "none",
                "Invalid value none for configuration compression.type: String must be one of: zstd, gzip",
            ),
            (
                level,
                "0",
                "Invalid value 0 for configuration compression.gzip.level: Value must be between 1 and 9 or equal to -1",
            ),
            (
                ratio,
                "2",
                "Invalid value 2.0 for configuration min.cleanable.dirty.ratio: Value must be no more than 1",
            ),
            (
                throttled,
                "abc",
                "Invalid value [abc] for configuration leader.replication.throttled.replicas: \
                 leader.replication.throttled.replicas must be the literal '*' or a list of replicas in the following \
                 format: [partitionId]:[brokerId],[partitionId]:[brokerId],...",
            ),
            (
                ConfigKey::new("log.dirs", ConfigType::List).validator(Validator::NonEmptyList),
                "",
                "Configuration 'log.dirs' must not be empty. Valid values include: any non-empty value",
            ),
        ] {
            assert_eq!(
                key.parse(text).unwrap_err().to_string(),
                expected,
                "{} = {text:?}",
                key.name
            );
        }
    }

    #[test]
    fn values_are_shown_in_one_form() {
        let double = ConfigKey::new("d", ConfigType::Double);
        let list = ConfigKey::new("l", ConfigType::List);
        for (key, text, expected) in [
            (RETENTION, " +5 ", "5"),
            (double, "0.5", "0.5"),
            (double, "1", "1.0"),
            (double, "1.7976931348623157E308", "1.7976931348623157E308"),
            (list, "compact , delete,compact", "compact,delete"),
            (list, "", ""),
            (ConfigKey::new("b", ConfigType::Boolean), "TRUE", "true"),
        ] {
            assert_eq!(key.normalize(text), expected, "{text:?}");
        }
    }

    #[test]
    fn a_refused_secret_is_not_repeated() {
        let key = ConfigKey::new("ssl.key.password", ConfigType::Password)
            .validator(Validator::Check(|_| Err("too short".to_owned())));
        let error = key.parse("hunter2").unwrap_err().to_string();
        assert_eq!(error, "Invalid value [hidden] for configuration ssl.key.password: too short");
    }
}
