//! Settings in TOML files.

use toml::{Table, Value};

/// The settings of a file as names and texts. Tables are the same as dots in
/// names: `[log] retention.ms = 1` is `log.retention.ms = 1`. Arrays are
/// lists.
///
/// TOML cannot say `max.connections` and `max.connections.per.ip` in one file,
/// because one key would be a number and a table. Kafka has such names, so a
/// text that is not TOML gets a second chance with its dotted keys in quotes.
///
/// # Errors
/// In words, when the text is not TOML or holds a value that no setting can
/// take.
pub(super) fn parse(text: &str) -> Result<Vec<(String, String)>, String> {
    let table: Table = match text.parse() {
        Ok(table) => table,
        Err(error) => {
            with_quoted_keys(text).parse().map_err(|_: toml::de::Error| error.to_string())?
        }
    };
    let mut settings = Vec::new();
    flatten("", &table, &mut settings)?;
    Ok(settings)
}

/// The text with quotes around the dotted key that a line begins with, except
/// inside strings of several lines.
fn with_quoted_keys(text: &str) -> String {
    let mut quoted = String::with_capacity(text.len() + 64);
    let mut inside: Option<&str> = None;
    for line in text.lines() {
        let is_part = |part: &str| {
            let letters = part.trim();
            !letters.is_empty()
                && letters.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_-".contains(&byte))
        };
        match line.split_once('=') {
            Some((key, value))
                if inside.is_none() && key.contains('.') && key.split('.').all(is_part) =>
            {
                let parts: Vec<&str> = key.split('.').map(str::trim).collect();
                quoted.push_str(&format!("\"{}\" ={value}", parts.join(".")));
            }
            _ => quoted.push_str(line),
        }
        quoted.push('\n');
        for delimiter in ["\"\"\"", "'''"] {
            let toggles = line.matches(delimiter).count() % 2 == 1;
            if toggles && inside.is_none_or(|open| open == delimiter) {
                inside = if inside.is_some() { None } else { Some(delimiter) };
            }
        }
    }
    quoted
}

fn flatten(
    prefix: &str,
    table: &Table,
    settings: &mut Vec<(String, String)>,
) -> Result<(), String> {
    for (key, value) in table {
        let name = if prefix.is_empty() { key.clone() } else { format!("{prefix}.{key}") };
        match value {
            Value::Table(table) => flatten(&name, table, settings)?,
            Value::Array(values) => {
                let entries: Option<Vec<String>> = values.iter().map(text_of).collect();
                let entries = entries.ok_or_else(|| {
                    format!("{name} is a list of something that is not a plain value")
                })?;
                settings.push((name, entries.join(",")));
            }
            value => {
                let text = text_of(value)
                    .ok_or_else(|| format!("{name} is a date, which no setting takes"))?;
                settings.push((name, text));
            }
        }
    }
    Ok(())
}

fn text_of(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Integer(number) => Some(number.to_string()),
        Value::Float(number) => Some(number.to_string()),
        Value::Boolean(value) => Some(value.to_string()),
        Value::Datetime(_) | Value::Array(_) | Value::Table(_) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tables_and_dots_are_the_same() {
        let settings = parse(
            r#"
            listeners = ["PLAINTEXT://:9092", "OTHER://:9093"]
            "num.partitions" = 3
            [log]
            retention.ms = 1000
            cleaner.enable = false
            cleaner.min.cleanable.ratio = 0.25
            "#,
        )
        .unwrap();
        let shown: Vec<String> =
            settings.into_iter().map(|(name, text)| format!("{name}={text}")).collect();
        assert_eq!(
            shown,
            [
                "listeners=PLAINTEXT://:9092,OTHER://:9093",
                "log.cleaner.enable=false",
                "log.cleaner.min.cleanable.ratio=0.25",
                "log.retention.ms=1000",
                "num.partitions=3",
            ]
        );
    }

    #[test]
    fn a_name_may_be_the_beginning_of_another() {
        let text = "max.connections = 5\nmax.connections.per.ip = 2\nx = \"\"\"\na.b = 1\n\"\"\"\n[rest]\nmax.connections=7\n";
        let settings = parse(text).unwrap();
        let shown: Vec<String> =
            settings.into_iter().map(|(name, text)| format!("{name}={text}")).collect();
        assert_eq!(
            shown,
            [
                "max.connections=5",
                "max.connections.per.ip=2",
                "rest.max.connections=7",
                "x=a.b = 1\n"
            ]
        );
    }

    #[test]
    fn what_no_setting_takes_is_named() {
        assert_eq!(parse("a.b = 1979-05-27").unwrap_err(), "a.b is a date, which no setting takes");
        assert_eq!(
            parse("a = [[1]]").unwrap_err(),
            "a is a list of something that is not a plain value"
        );
        assert!(parse("a = ").unwrap_err().contains("line 1"));
    }
}
