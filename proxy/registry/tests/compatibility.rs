//! Verdicts of the reference server, replayed: for every recorded pair the
//! same answer and the same set of error types, in both directions. The
//! wording is free.

use std::collections::{BTreeMap, BTreeSet};

use registry::schema::{CompatibilityPolicy, Strictness};
use registry::{Incompatibility, ResolvedReference, Schema, SchemaType};

const DEVIATIONS: &str = include_str!("compatibility/deviations.txt");

/// One pair of a recording.
#[derive(Debug, Default)]
struct Pair {
    name: String,
    old: String,
    new: String,
    /// `BACKWARD` and `FORWARD` to the verdict.
    verdicts: BTreeMap<String, bool>,
    error_types: BTreeMap<String, BTreeSet<String>>,
}

fn read_pairs(recording: &str) -> Vec<Pair> {
    let mut pairs: Vec<Pair> = Vec::new();
    let mut level = String::new();
    for line in recording.lines() {
        if let Some(name) = line.strip_prefix("## ") {
            pairs.push(Pair { name: name.to_owned(), ..Pair::default() });
        }
        let Some(pair) = pairs.last_mut() else { continue };
        if let Some(text) = line.strip_prefix("> old ") {
            pair.old = text.to_owned();
        } else if let Some(text) = line.strip_prefix("> new ") {
            pair.new = text.to_owned();
        } else if let Some(message) = line.strip_prefix("<   ") {
            let message = message.trim_start_matches("{errorType:").trim_start_matches(['"', '\'']);
            let error_type =
                message.split(|char: char| !char.is_ascii_uppercase() && char != '_').next();
            let error_types = pair.error_types.entry(level.clone()).or_default();
            error_types.insert(error_type.unwrap_or_default().to_owned());
        } else if let Some(verdicts) = line.strip_prefix("< ") {
            for verdict in verdicts.split(", ") {
                let (name, verdict) = verdict.split_once(' ').expect("a level and a verdict");
                level = name.to_owned();
                pair.verdicts.insert(level.clone(), verdict == "true");
            }
        }
    }
    assert!(pairs.iter().all(|pair| pair.verdicts.len() == 2), "{pairs:#?}");
    pairs
}

/// The references that recorded pairs name.
fn references_of(text: &str) -> (String, Vec<ResolvedReference>) {
    let Some((text, references)) = text.split_once(" references [") else {
        return (text.to_owned(), Vec::new());
    };
    let imported = if references.contains("\"pb2\"") {
        "syntax = \"proto3\"; package b; message B { string z = 1; }"
    } else {
        "syntax = \"proto3\"; package b; message B { int32 z = 1; }"
    };
    let reference = ResolvedReference {
        name: "b.proto".to_owned(),
        text: imported.to_owned(),
        references: Vec::new(),
    };
    (text.to_owned(), vec![reference])
}

fn parse(schema_type: SchemaType, text: &str) -> Schema {
    let (text, references) = references_of(text);
    Schema::parse(schema_type, &text, &references, Strictness::New)
        .unwrap_or_else(|error| panic!("{error}: {text}"))
}

fn error_types(incompatibilities: &[Incompatibility]) -> BTreeSet<String> {
    incompatibilities.iter().map(|found| found.kind.to_owned()).collect()
}

fn replay(schema_type: SchemaType, recording: &str) {
    let deviations: BTreeSet<&str> = DEVIATIONS
        .lines()
        .filter(|line| !line.starts_with('#'))
        .filter_map(|line| line.split_once(" | "))
        .map(|(name, _)| name)
        .collect();
    let mut failures = Vec::new();
    for pair in read_pairs(recording) {
        let policy = if pair.name.starts_with("LENIENT") {
            CompatibilityPolicy::Lenient
        } else {
            CompatibilityPolicy::Strict
        };
        let (old, new) = (parse(schema_type, &pair.old), parse(schema_type, &pair.new));
        for (level, found) in [
            ("BACKWARD", Schema::incompatibilities(&new, &old, policy)),
            ("FORWARD", Schema::incompatibilities(&old, &new, policy)),
        ] {
            let recorded = pair.error_types.get(level).cloned().unwrap_or_default();
            let is_same =
                found.is_empty() == pair.verdicts[level] && error_types(&found) == recorded;
            if is_same == deviations.contains(pair.name.as_str()) {
                failures.push(format!(
                    "{} {level}\n  recorded {recorded:?}\n  found {found:#?}",
                    pair.name
                ));
            }
        }
    }
    assert!(failures.is_empty(), "{}", failures.join("\n"));
}

#[test]
fn json_schema_verdicts_are_the_references() {
    replay(SchemaType::Json, include_str!("compatibility/recorded-json.txt"));
}

#[test]
fn protobuf_verdicts_are_the_references() {
    replay(SchemaType::Protobuf, include_str!("compatibility/recorded-protobuf.txt"));
}
