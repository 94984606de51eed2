//! The reference page and the sample file, made from the declarations.
//!
//! `UPDATE_EXPECT=1 cargo test -p ottla reference` writes them anew.

use std::fmt::Write;
use std::path::PathBuf;

use protocol::config_def::{ConfigKey, Update};

use super::names::{self, Owner};
use super::print::{toml_name, toml_value};

/// The page for users, `docs/configuration.md`.
fn page() -> String {
    let mut page = String::from(
        "# Configuration\n\n\
         This page is made from the declarations in the source; do not edit it.\n\n\
         Settings come from a file (`--config FILE`, TOML when its name ends in `.toml`, Java properties otherwise), \
         from environment variables and from flags (`--set name=value`). Later ones win: default < file < environment < flag. \
         `ottla serve --print-config` shows what holds and where it came from. A sample file is \
         [ottla.sample.toml](ottla.sample.toml).\n\n\
         A variable is a prefix and the name in upper case with `_` for `.`: `OTTLA_LOG_RETENTION_MS`. \
         `KAFKA_…` sets the broker, `KAFKA_REST_…` the REST proxy, `SCHEMA_REGISTRY_…` the Schema Registry, as in the \
         container images of those. In TOML, on the command line and in `OTTLA_…` variables an unknown name is an error; \
         in properties files and the other variables it is a warning.\n",
    );
    for (title, owner) in [
        ("The program", Owner::Program),
        ("The broker", Owner::Broker),
        ("The REST proxy", Owner::Proxy),
        ("The Schema Registry", Owner::Registry),
    ] {
        let keys: Vec<&ConfigKey> =
            names::all().filter(|known| known.owner == owner).map(|known| known.key).collect();
        section(&mut page, title, "", keys.iter().copied().filter(|key| key.no_effect.is_none()));
    }
    section(
        &mut page,
        "Kafka clients of the REST proxy",
        "With `client.` before the name they hold for all clients, with `admin.`, `consumer.` or `producer.` for those of \
         that kind.\n\n",
        proxy::config::client_definition().iter().filter(|key| key.no_effect.is_none()),
    );
    section(
        &mut page,
        "Topics",
        "Set with `ottla configs`, when a topic is created, or by any Kafka tool. A topic without a setting takes the \
         broker's of the name in brackets.\n\n",
        broker::topic_config::definition().iter().filter(|key| key.no_effect.is_none()),
    );
    accepted(&mut page);
    page
}

fn section<'a>(
    page: &mut String,
    title: &str,
    intro: &str,
    keys: impl Iterator<Item = &'a ConfigKey>,
) {
    let topics = title == "Topics";
    let _ = writeln!(
        page,
        "\n## {title}\n\n{intro}| Name | Type | Default | Values | What it does |\n|---|---|---|---|---|"
    );
    for key in keys.filter(|key| !key.internal) {
        let broker_name = if topics { broker::topic_config::broker_name(key.name) } else { None };
        let name = match broker_name {
            Some(broker_name) => format!("`{}` [`{broker_name}`]", key.name),
            None => format!("`{}`", key.name),
        };
        let default = match key.default {
            Some("") => "empty".to_owned(),
            Some(text) => format!("`{text}`"),
            None => String::new(),
        };
        let changes = if key.update == Update::ReadOnly || topics {
            ""
        } else {
            " Can be changed at run time."
        };
        let _ = writeln!(
            page,
            "| {name} | {} | {default} | {} | {}{changes} |",
            key.kind.name().to_ascii_lowercase(),
            key.validator.describe().replace('|', "\\|"),
            key.doc
        );
    }
}

fn accepted(page: &mut String) {
    page.push_str(
        "\n## Accepted without effect\n\n\
         Configurations written for Kafka and Confluent may hold these. They are accepted with one note at start.\n",
    );
    let mut by_reason: std::collections::BTreeMap<&str, Vec<&str>> =
        std::collections::BTreeMap::new();
    for known in names::all() {
        if let Some(why) = known.key.no_effect {
            by_reason.entry(why).or_default().push(known.key.name);
        }
    }
    for (why, names) in by_reason {
        let names: Vec<String> = names.iter().map(|name| format!("`{name}`")).collect();
        let _ = writeln!(page, "\nBecause {why}: {}.", names.join(", "));
    }
}

/// The file for users to start from, `docs/ottla.sample.toml`.
fn sample() -> String {
    let mut sample = String::from(
        "# Settings of Ottla and their defaults. Take away the # of a line to change it.\n\
         # Start with: ottla serve --config FILE\n",
    );
    for (title, owner) in [
        ("The program", Owner::Program),
        ("The broker", Owner::Broker),
        ("The REST proxy", Owner::Proxy),
        ("The Schema Registry", Owner::Registry),
    ] {
        let _ = writeln!(sample, "\n##### {title} #####");
        for known in names::all().filter(|known| known.owner == owner) {
            if known.key.no_effect.is_some() || known.key.internal {
                continue;
            }
            let value =
                known.key.default.map_or_else(|| "...".to_owned(), |text| toml_value(known, text));
            let _ =
                writeln!(sample, "\n# {}\n#{} = {value}", known.key.doc, toml_name(known.key.name));
        }
    }
    sample
}

fn check(file: &str, made: &str) {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("docs").join(file);
    if std::env::var_os("UPDATE_EXPECT").is_some() {
        std::fs::write(&path, made).unwrap();
    }
    let written = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(
        written == made,
        "docs/{file} is stale: run UPDATE_EXPECT=1 cargo test -p ottla reference"
    );
}

#[test]
fn the_reference_page_is_up_to_date() {
    check("configuration.md", &page());
}

#[test]
fn the_sample_file_is_up_to_date() {
    check("ottla.sample.toml", &sample());
}
