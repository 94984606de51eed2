//! The effective configuration, for `ottla serve --print-config`.

use std::fmt::Write;

use super::names::{self, Known};
use super::{Config, Setting};

impl Config {
    /// Every setting that has an effect, with its value and its origin, as a
    /// TOML file that says the same again. Secrets are left out.
    pub(crate) fn print(&self) -> String {
        let mut text = String::new();
        let given_of_families =
            self.settings.keys().filter(|name| names::all().all(|known| known.key.name != **name));
        let mut all: Vec<(&str, Known)> =
            names::all().map(|known| (known.key.name, known)).collect();
        all.extend(given_of_families.filter_map(|name| Some((name.as_str(), names::find(name)?))));
        all.retain(|(_, known)| known.key.no_effect.is_none() && !known.key.internal);
        all.sort_by_key(|(name, known)| (known.owner, *name));
        for (name, known) in all {
            let shown = toml_name(name);
            let line = match self.settings.get(name) {
                Some(Setting { origin, .. }) if known.key.is_sensitive() => {
                    format!("# {name} is set ({origin})")
                }
                Some(Setting { text, origin }) => {
                    format!("{shown} = {}  # {origin}", toml_value(known, text))
                }
                None => match known.key.default {
                    Some(default) => format!("{shown} = {}  # default", toml_value(known, default)),
                    None => format!("# {name} is unset"),
                },
            };
            // Writing to a String cannot fail.
            let _ = writeln!(text, "{line}");
        }
        text
    }
}

/// The name as TOML writes it: in quotes where another name begins with it,
/// because in TOML a key is a value or a table.
pub(super) fn toml_name(name: &str) -> String {
    let begins = |known: Known| {
        known.key.no_effect.is_none()
            && known.key.name.strip_prefix(name).is_some_and(|rest| rest.starts_with('.'))
    };
    if names::all().any(begins) { format!("\"{name}\"") } else { name.to_owned() }
}

/// The value as TOML writes it: plain numbers and truth values, everything
/// else in quotes.
pub(super) fn toml_value(known: Known, text: &str) -> String {
    use protocol::config_def::Value;
    match known.key.parse(text) {
        Ok(Value::Boolean(value)) => value.to_string(),
        Ok(Value::Integer(number)) => number.to_string(),
        _ => toml::Value::String(text.to_owned()).to_string(),
    }
}

#[cfg(test)]
mod tests {
    use crate::config::{Config, Flag, Sources};

    fn load(settings: &[(&str, &str)]) -> Config {
        let flag = |(name, text): &(&str, &str)| Flag {
            flag: "--set",
            name: (*name).into(),
            text: (*text).into(),
        };
        Config::load(&Sources { flags: settings.iter().map(flag).collect(), ..Sources::default() })
            .unwrap()
    }

    #[test]
    fn what_is_printed_says_the_same_when_it_is_read_again() {
        let config = load(&[
            ("log.dirs", "C:\\data \"x\""),
            ("log.retention.ms", "5"),
            ("producer.acks", "1"),
            ("schema.registry.url", ""),
        ]);
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("printed.toml");
        std::fs::write(&path, config.print()).unwrap();
        let again = Config::load(&Sources { files: vec![path], ..Sources::default() }).unwrap();
        assert_eq!(again.proxy, config.proxy);
        assert_eq!(again.program, config.program);
        assert_eq!(again.broker.log_dirs, config.broker.log_dirs);
        assert_eq!(again.print().lines().count(), config.print().lines().count());
    }

    #[test]
    fn every_value_says_where_it_comes_from() {
        let printed = load(&[("num.partitions", "3")]).print();
        for line in [
            "num.partitions = 3  # --set",
            "log.durability = \"group\"  # default",
            "# log.retention.ms is unset",
        ] {
            assert!(printed.lines().any(|printed| printed == line), "{line} is not in\n{printed}");
        }
    }

    #[test]
    fn secrets_are_not_printed() {
        let printed = load(&[("schema.registry.basic.auth.user.info", "me:hunter2")]).print();
        assert!(!printed.contains("hunter2"));
        assert!(printed.contains("# schema.registry.basic.auth.user.info is set (--set)"));
    }
}
