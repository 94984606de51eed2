//! Typed reading of settings.

use std::time::Duration;

use super::{ConfigDef, ConfigError, ConfigKey, ConfigValues, Value};

/// Reads typed values out of given texts and declared defaults, and keeps
/// every error.
#[derive(Debug)]
pub struct ConfigReader<'a> {
    definition: &'a ConfigDef,
    values: &'a ConfigValues,
    errors: Vec<ConfigError>,
}

impl<'a> ConfigReader<'a> {
    /// Reads `values` as `definition` declares them.
    pub fn new(definition: &'a ConfigDef, values: &'a ConfigValues) -> Self {
        Self { definition, values, errors: Vec::new() }
    }

    /// Checks every given value that is declared, whether it is read or not.
    pub fn check_all(&mut self) {
        for (name, text) in self.values {
            if let Some(Err(error)) = self.definition.get(name).map(|key| key.parse(text)) {
                self.refuse(error);
            }
        }
    }

    /// Adds an error, unless the same one is already there.
    pub fn refuse(&mut self, error: ConfigError) {
        if !self.errors.contains(&error) {
            self.errors.push(error);
        }
    }

    /// Adds an error about settings that contradict each other.
    pub fn conflict(&mut self, message: impl Into<String>) {
        self.refuse(ConfigError::Conflict(message.into()));
    }

    /// Adds the error of a value that was read but cannot be used.
    pub fn invalid(&mut self, name: &str, message: impl Into<String>) {
        let key = self.key(name);
        let text = self.values.get(name).map(String::as_str).or(key.default).unwrap_or_default();
        self.refuse(ConfigError::invalid(key, text.to_owned(), message.into()));
    }

    /// Whether the setting was given, as opposed to left at its default.
    pub fn is_set(&self, name: &str) -> bool {
        self.values.contains_key(name)
    }

    /// The value of a setting; `None` when it is neither given nor has a
    /// default. A refused value reads as the default.
    ///
    /// # Panics
    /// When the name is not declared: the reader and the table belong to one
    /// crate.
    pub fn value(&mut self, name: &str) -> Option<Value> {
        let key = self.key(name);
        let given = self.values.get(name).map(|text| key.parse(text));
        match given {
            Some(Ok(value)) => return Some(value),
            Some(Err(error)) => self.refuse(error),
            None => {}
        }
        let parsed = key.default.map(|text| key.parse_type(text));
        parsed.map(|value| value.expect("declared defaults are of their type"))
    }

    /// A boolean with a default.
    pub fn boolean(&mut self, name: &str) -> bool {
        matches!(self.value(name), Some(Value::Boolean(true)))
    }

    /// An integer that may be unset.
    pub fn optional_integer(&mut self, name: &str) -> Option<i64> {
        match self.value(name) {
            Some(Value::Integer(number)) => Some(number),
            _ => None,
        }
    }

    /// An integer with a default.
    pub fn integer(&mut self, name: &str) -> i64 {
        self.optional_integer(name).expect("the setting is an integer and has a default")
    }

    /// A 32-bit integer with a default.
    pub fn int(&mut self, name: &str) -> i32 {
        i32::try_from(self.integer(name)).expect("an INT or SHORT setting fits 32 bits")
    }

    /// A count or size with a default; negative numbers read as 0.
    pub fn size(&mut self, name: &str) -> usize {
        usize::try_from(self.integer(name).max(0))
            .expect("a non-negative setting fits a machine word")
    }

    /// A duration in milliseconds with a default; negative numbers read as 0.
    pub fn millis(&mut self, name: &str) -> Duration {
        Duration::from_millis(self.integer(name).max(0).unsigned_abs())
    }

    /// A number with a default.
    pub fn double(&mut self, name: &str) -> f64 {
        match self.value(name) {
            Some(Value::Double(number)) => number,
            _ => unreachable!("{name} is not a DOUBLE setting with a default"),
        }
    }

    /// A text that may be unset. An empty text counts as given.
    pub fn optional_text(&mut self, name: &str) -> Option<String> {
        match self.value(name) {
            Some(Value::Text(text)) => Some(text),
            _ => None,
        }
    }

    /// A text; empty when it is unset and has no default.
    pub fn text(&mut self, name: &str) -> String {
        self.optional_text(name).unwrap_or_default()
    }

    /// A list; empty when it is unset and has no default.
    pub fn list(&mut self, name: &str) -> Vec<String> {
        match self.value(name) {
            Some(Value::List(entries)) => entries,
            _ => Vec::new(),
        }
    }

    /// Whether a value of this setting was refused.
    pub fn is_refused(&self, name: &str) -> bool {
        self.errors.iter().any(|error| error.name() == Some(name))
    }

    /// Ends reading with what was refused; empty when nothing was.
    pub fn into_errors(self) -> Vec<ConfigError> {
        self.errors
    }

    /// Ends reading.
    ///
    /// # Errors
    /// Every value that was refused, if any was.
    pub fn finish<T>(self, value: T) -> Result<T, Vec<ConfigError>> {
        if self.errors.is_empty() { Ok(value) } else { Err(self.errors) }
    }

    fn key(&self, name: &str) -> &'static ConfigKey {
        match self.definition.get(name) {
            Some(key) => key,
            None => unreachable!("{name} is read but not declared"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config_def::ConfigType;

    const RETENTION: ConfigKey =
        ConfigKey::new("retention.ms", ConfigType::Long).default("604800000").at_least(-1);

    #[test]
    fn reading_collects_every_error() {
        static KEYS: &[ConfigKey] = &[
            RETENTION,
            ConfigKey::new("num.partitions", ConfigType::Int).default("1").at_least(1),
        ];
        let definition = ConfigDef::new(&[KEYS]);
        let values = ConfigValues::from([
            ("retention.ms".to_owned(), "x".to_owned()),
            ("num.partitions".to_owned(), "0".to_owned()),
        ]);
        let mut reader = ConfigReader::new(&definition, &values);
        reader.check_all();
        assert_eq!(
            reader.integer("retention.ms"),
            604_800_000,
            "a refused value reads as the default"
        );
        assert_eq!(reader.finish(()).unwrap_err().len(), 2);
    }
}
