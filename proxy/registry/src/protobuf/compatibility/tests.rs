//! Every rule, in both directions.

use std::collections::BTreeSet;

use super::super::ProtobufSchema;
use super::*;
use crate::schema::{ResolvedReference, Strictness};

fn parse(text: &str, imports: &[(&str, &str)]) -> ProtobufSchema {
    let references: Vec<_> = imports
        .iter()
        .map(|(name, text)| ResolvedReference {
            name: (*name).to_owned(),
            text: (*text).to_owned(),
            references: Vec::new(),
        })
        .collect();
    // Proto3 unless the text says something else.
    let text = match text.starts_with("syntax") {
        true => text.to_owned(),
        false => format!("syntax = \"proto3\"; {text}"),
    };
    ProtobufSchema::parse(&text, &references, Strictness::New)
        .unwrap_or_else(|error| panic!("{error}: {text}"))
}

fn differences_between(old: &ProtobufSchema, new: &ProtobufSchema) -> BTreeSet<String> {
    let (old_types, new_types) = (old.types(), new.types());
    let old = Side { file: &old.file, types: &old_types };
    let new = Side { file: &new.file, types: &new_types };
    differences(&old, &new)
        .into_iter()
        .map(|(difference, path)| format!("{} {path}", difference.name()))
        .collect()
}

fn expected(list: &str) -> BTreeSet<String> {
    list.split(", ").filter(|entry| !entry.is_empty()).map(str::to_owned).collect()
}

/// Old, new, what differs from old to new, what differs from new to old.
type Row = (&'static str, &'static str, &'static str, &'static str);

const FILES: &[Row] = &[
    (
        "package a; message A {}",
        "package b; message A {}",
        "PACKAGE_CHANGED #/",
        "PACKAGE_CHANGED #/",
    ),
    ("message A {}", "package b; message A {}", "PACKAGE_CHANGED #/", "PACKAGE_CHANGED #/"),
    ("message A {}", "message A {} message B {}", "MESSAGE_ADDED #/B", "MESSAGE_REMOVED #/B"),
    (
        "message A {} message B {}",
        "message B {} message A {}",
        "MESSAGE_MOVED #/A, MESSAGE_MOVED #/B",
        "MESSAGE_MOVED #/A, MESSAGE_MOVED #/B",
    ),
    ("message A {}", "message A { message B {} }", "MESSAGE_ADDED #/A/B", "MESSAGE_REMOVED #/A/B"),
    ("message A {}", "message A {} enum E { Z = 0; }", "ENUM_ADDED #/E", "ENUM_REMOVED #/E"),
    ("message A {}", "message A { enum E { Z = 0; } }", "ENUM_ADDED #/A/E", "ENUM_REMOVED #/A/E"),
    (
        "enum E { Z = 0; }",
        "enum E { Z = 0; Y = 1; }",
        "ENUM_CONST_ADDED #/E/1",
        "ENUM_CONST_REMOVED #/E/1",
    ),
    (
        "enum E { Z = 0; }",
        "enum E { Y = 0; }",
        "ENUM_CONST_CHANGED #/E/0",
        "ENUM_CONST_CHANGED #/E/0",
    ),
    ("message A {}", "message A { reserved 2; } service S { rpc R (A) returns (A); }", "", ""),
];

const FIELDS: &[Row] = &[
    ("message A {}", "message A { string a = 1; }", "FIELD_ADDED #/A/1", "FIELD_REMOVED #/A/1"),
    (
        "message A { string a = 1; }",
        "message A { string b = 1; }",
        "FIELD_NAME_CHANGED #/A/1",
        "FIELD_NAME_CHANGED #/A/1",
    ),
    (
        "message A { string a = 1; }",
        "message A { string a = 2; }",
        "FIELD_REMOVED #/A/1, FIELD_ADDED #/A/2",
        "FIELD_REMOVED #/A/2, FIELD_ADDED #/A/1",
    ),
    (
        "syntax = \"proto2\"; message A {}",
        "syntax = \"proto2\"; message A { required string a = 1; }",
        "REQUIRED_FIELD_ADDED #/A/1",
        "REQUIRED_FIELD_REMOVED #/A/1",
    ),
    (
        "message A { string a = 1; }",
        "message A { A a = 1; }",
        "FIELD_KIND_CHANGED #/A/1",
        "FIELD_KIND_CHANGED #/A/1",
    ),
    (
        "message A { A a = 1; }",
        "message A { map<string, A> a = 1; }",
        "FIELD_KIND_CHANGED #/A/1",
        "FIELD_KIND_CHANGED #/A/1",
    ),
    (
        "message A { string a = 1; }",
        "message A { map<string, A> a = 1; }",
        "FIELD_KIND_CHANGED #/A/1",
        "FIELD_KIND_CHANGED #/A/1",
    ),
    (
        "message A { B a = 1; } message B {} message C {}",
        "message A { C a = 1; } message B {} message C {}",
        "FIELD_NAMED_TYPE_CHANGED #/A/1",
        "FIELD_NAMED_TYPE_CHANGED #/A/1",
    ),
    ("message A { A a = 1; }", "message A { .A a = 1; }", "", ""),
    ("package p; message A { A a = 1; }", "package p; message A { p.A a = 1; }", "", ""),
    // The innermost declaration is meant.
    (
        "message A { B b = 1; message B {} } message B {}",
        "message A { .B b = 1; message B {} } message B {}",
        "FIELD_NAMED_TYPE_CHANGED #/A/1",
        "FIELD_NAMED_TYPE_CHANGED #/A/1",
    ),
];

const LABELS: &[Row] = &[
    (
        "message A { optional int32 a = 1; }",
        "message A { repeated int32 a = 1; }",
        "FIELD_NUMERIC_LABEL_CHANGED #/A/1",
        "FIELD_NUMERIC_LABEL_CHANGED #/A/1",
    ),
    (
        "message A { optional sfixed64 a = 1; }",
        "message A { repeated fixed64 a = 1; }",
        "FIELD_NUMERIC_LABEL_CHANGED #/A/1",
        "FIELD_NUMERIC_LABEL_CHANGED #/A/1",
    ),
    (
        "message A { optional E a = 1; } enum E { Z = 0; }",
        "message A { repeated E a = 1; } enum E { Z = 0; }",
        "FIELD_NUMERIC_LABEL_CHANGED #/A/1",
        "FIELD_NUMERIC_LABEL_CHANGED #/A/1",
    ),
    (
        "message A { optional string a = 1; }",
        "message A { repeated bytes a = 1; }",
        "FIELD_STRING_OR_BYTES_LABEL_CHANGED #/A/1",
        "FIELD_STRING_OR_BYTES_LABEL_CHANGED #/A/1",
    ),
    ("message A { optional A a = 1; }", "message A { repeated A a = 1; }", "", ""),
    // A label that is not written is none.
    ("message A { int32 a = 1; }", "message A { repeated int32 a = 1; }", "", ""),
    ("message A { int32 a = 1; }", "message A { optional int32 a = 1; }", "", ""),
];

const MAPS: &[Row] = &[
    ("message A { map<int32, string> a = 1; }", "message A { map<int64, bytes> a = 1; }", "", ""),
    (
        "message A { map<int32, string> a = 1; }",
        "message A { map<string, string> a = 1; }",
        "FIELD_SCALAR_KIND_CHANGED #/A/1",
        "FIELD_SCALAR_KIND_CHANGED #/A/1",
    ),
    (
        "message A { map<int32, string> a = 1; }",
        "message A { map<int32, A> a = 1; }",
        "FIELD_KIND_CHANGED #/A/1",
        "FIELD_KIND_CHANGED #/A/1",
    ),
    (
        "message A { map<int32, B> a = 1; } message B {} message C {}",
        "message A { map<int32, C> a = 1; } message B {} message C {}",
        "FIELD_NAMED_TYPE_CHANGED #/A/1",
        "FIELD_NAMED_TYPE_CHANGED #/A/1",
    ),
];

const ONEOFS: &[Row] = &[
    (
        "message A {}",
        "message A { oneof o { string a = 1; } }",
        "ONEOF_ADDED #/A/o, ONEOF_FIELD_ADDED #/A/o/1",
        "ONEOF_REMOVED #/A/o",
    ),
    (
        "message A { oneof o { string a = 1; } }",
        "message A { oneof p { string a = 1; } }",
        "ONEOF_REMOVED #/A/o, ONEOF_ADDED #/A/p",
        "ONEOF_REMOVED #/A/p, ONEOF_ADDED #/A/o",
    ),
    (
        "message A { oneof o { string a = 1; } }",
        "message A { oneof o { string a = 1; string b = 2; } }",
        "ONEOF_FIELD_ADDED #/A/o/2",
        "ONEOF_FIELD_REMOVED #/A/o/2",
    ),
    (
        "message A { oneof o { string a = 1; string b = 2; } }",
        "message A { oneof p { string a = 1; } }",
        "ONEOF_REMOVED #/A/o, ONEOF_ADDED #/A/p, ONEOF_FIELD_REMOVED #/A/o/2",
        "ONEOF_REMOVED #/A/p, ONEOF_ADDED #/A/o, ONEOF_FIELD_ADDED #/A/o/2",
    ),
    (
        "message A { string a = 1; }",
        "message A { oneof o { string a = 1; } }",
        "ONEOF_ADDED #/A/o",
        "ONEOF_REMOVED #/A/o, ONEOF_FIELD_MOVED_TO_TOP_LEVEL #/A/1",
    ),
    (
        "message A { string a = 1; string b = 2; }",
        "message A { oneof o { string a = 1; string b = 2; } }",
        "MULTIPLE_FIELDS_MOVED_TO_ONEOF #/A/o, ONEOF_ADDED #/A/o",
        "ONEOF_REMOVED #/A/o, ONEOF_FIELD_MOVED_TO_TOP_LEVEL #/A/1, ONEOF_FIELD_MOVED_TO_TOP_LEVEL #/A/2",
    ),
    (
        "message A { string a = 1; oneof o { string b = 2; } }",
        "message A { oneof o { string a = 1; string b = 2; } }",
        "FIELD_MOVED_TO_EXISTING_ONEOF #/A/o",
        "ONEOF_FIELD_REMOVED #/A/o/1",
    ),
    (
        "message A { oneof o { string a = 1; } oneof p { string b = 2; } }",
        "message A { oneof o { string a = 1; string b = 2; } }",
        "FIELD_MOVED_TO_EXISTING_ONEOF #/A/o, ONEOF_REMOVED #/A/p",
        "ONEOF_ADDED #/A/p, ONEOF_FIELD_REMOVED #/A/o/2",
    ),
    (
        "message A { oneof o { string a = 1; } }",
        "message A { oneof o { int32 a = 1; } }",
        "FIELD_SCALAR_KIND_CHANGED #/A/o/1",
        "FIELD_SCALAR_KIND_CHANGED #/A/o/1",
    ),
];

const TABLES: [&[Row]; 5] = [FILES, FIELDS, LABELS, MAPS, ONEOFS];

#[test]
fn every_rule_holds_in_both_directions() {
    let mut failures = Vec::new();
    for (old, new, there, back) in TABLES.concat() {
        let (old_schema, new_schema) = (parse(old, &[]), parse(new, &[]));
        for (from, to, list) in
            [(&old_schema, &new_schema, there), (&new_schema, &old_schema, back)]
        {
            let found = differences_between(from, to);
            if found != expected(list) {
                failures.push(format!("{old}\n{new}\n  expected {list}\n  found {found:?}"));
            }
        }
    }
    assert!(failures.is_empty(), "{}", failures.join("\n"));
}

#[test]
fn scalars_change_within_their_group_only() {
    let groups: [&[&str]; 7] = [
        &["int32", "int64", "uint32", "uint64", "bool", "E"],
        &["sint32", "sint64"],
        &["string", "bytes"],
        &["fixed32", "sfixed32"],
        &["fixed64", "sfixed64"],
        &["float"],
        &["double"],
    ];
    let all: Vec<(usize, &str)> = groups
        .iter()
        .enumerate()
        .flat_map(|(group, names)| names.iter().map(move |name| (group, *name)))
        .collect();
    let schema =
        |name: &str| parse(&format!("message A {{ {name} a = 1; }} enum E {{ Z = 0; }}"), &[]);
    for (old_group, old) in &all {
        for (new_group, new) in &all {
            let list = if old_group == new_group { "" } else { "FIELD_SCALAR_KIND_CHANGED #/A/1" };
            let found = differences_between(&schema(old), &schema(new));
            assert_eq!(found, expected(list), "{old} to {new}");
        }
    }
}

#[test]
fn every_kind_is_in_a_table() {
    let tables = TABLES.concat();
    let missing: Vec<_> = Difference::ALL
        .iter()
        .map(|difference| difference.name())
        .filter(|name| {
            !tables.iter().any(|(_, _, there, back)| {
                format!(", {there}, {back}").contains(&format!(", {name} "))
            })
        })
        .collect();
    assert!(missing.is_empty(), "{missing:?}");
}

#[test]
fn verdicts_are_these() {
    let incompatible: BTreeSet<_> = Difference::ALL
        .iter()
        .filter(|kind| !kind.is_compatible())
        .map(|kind| kind.name())
        .collect();
    assert_eq!(
        incompatible.into_iter().collect::<Vec<_>>(),
        [
            "FIELD_KIND_CHANGED",
            "FIELD_MOVED_TO_EXISTING_ONEOF",
            "FIELD_NAMED_TYPE_CHANGED",
            "FIELD_NUMERIC_LABEL_CHANGED",
            "FIELD_SCALAR_KIND_CHANGED",
            "MESSAGE_REMOVED",
            "MULTIPLE_FIELDS_MOVED_TO_ONEOF",
            "ONEOF_FIELD_REMOVED",
            "PACKAGE_CHANGED",
            "REQUIRED_FIELD_ADDED",
            "REQUIRED_FIELD_REMOVED",
        ]
    );
}

#[test]
fn messages_of_imports_are_compared_where_they_are_used() {
    let user = "import \"b.proto\"; message A { b.B x = 1; b.B y = 2; }";
    let import = |body: &str| {
        format!(
            "syntax = \"proto3\"; package b; message B {{ {body} }} message Unused {{ {body} }}"
        )
    };
    let schema = |body: &str| parse(user, &[("b.proto", &import(body))]);
    for (case, old, new, list) in [
        ("the same", "int32 z = 1;", "int32 z = 1;", ""),
        ("compatible", "int32 z = 1;", "int32 z = 1; B more = 2;", "FIELD_ADDED #/B/2"),
        (
            "incompatible",
            "int32 z = 1; B more = 2;",
            "string z = 1; B more = 2;",
            "FIELD_SCALAR_KIND_CHANGED #/B/1, FIELD_NAMED_TYPE_CHANGED #/A/1, FIELD_NAMED_TYPE_CHANGED #/A/2",
        ),
    ] {
        assert_eq!(differences_between(&schema(old), &schema(new)), expected(list), "{case}");
    }
    // Moved into an import: gone from the schema itself, whatever it says there.
    let local = parse("package b; message A { B x = 1; } message B { int32 z = 1; }", &[]);
    let imported = parse(
        "package b; import \"b.proto\"; message A { B x = 1; }",
        &[("b.proto", "syntax = \"proto3\"; package b; message B { int32 z = 1; }")],
    );
    assert_eq!(differences_between(&local, &imported), expected("MESSAGE_REMOVED #/B"));
    assert_eq!(differences_between(&imported, &local), expected("MESSAGE_ADDED #/B"));
    // The package of an import counts only as far as the name does.
    let well_known = parse(
        "import \"google/protobuf/timestamp.proto\"; message A { google.protobuf.Timestamp x = 1; }",
        &[],
    );
    let other = parse(
        "import \"google/protobuf/duration.proto\"; message A { google.protobuf.Duration x = 1; }",
        &[],
    );
    assert_eq!(
        differences_between(&well_known, &other),
        expected("FIELD_NAMED_TYPE_CHANGED #/A/1")
    );
}

#[test]
fn hostile_imports_end_and_are_not_compatible() {
    let import = |last: &str| {
        let mut text = "syntax = \"proto3\"; package b;".to_owned();
        for at in 0..3_000 {
            text.push_str(&format!("message M{at} {{ M{0} x = 1; M{0} y = 2; }}", at + 1));
        }
        text + &format!("message M3000 {{ {last} z = 1; }}")
    };
    let user = "import \"b.proto\"; message A { b.M0 x = 1; }";
    let (old, new) = (import("int32"), import("string"));
    let (old, new) = (parse(user, &[("b.proto", &old)]), parse(user, &[("b.proto", &new)]));
    let found = super::super::incompatibilities(&new, &old);
    assert!(!found.is_empty() && found.len() <= MAX_DIFFERENCES);
}
