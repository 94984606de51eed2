//! What Apache Avro for Java made of the same schemas and the same data.

use std::collections::BTreeSet;

use super::{AvroSchema, incompatibilities};
use crate::schema::Strictness;

const RECORDED: &str = include_str!("../../tests/recorded/avro_java.txt");

/// The texts behind `name` in the lines of one block.
fn all<'a>(block: &'a str, name: &str) -> Vec<&'a str> {
    block.lines().filter_map(|line| line.strip_prefix(name)).collect()
}

#[test]
fn texts_verdicts_and_bytes_are_those_of_java() {
    let mut blocks = 0;
    for block in RECORDED.split("\n\n").skip(1) {
        let one = |name| all(block, name).first().copied().unwrap_or_default();
        let parse = |text| AvroSchema::parse(text, &[], Strictness::New).unwrap();
        let (reader, writer) = (parse(one("> reader ")), parse(one("> writer ")));
        assert_eq!(reader.canonical_text(), one("< reader "), "{block}");
        assert_eq!(writer.canonical_text(), one("< writer "), "{block}");

        let problems: BTreeSet<String> = incompatibilities(&reader, &writer)
            .into_iter()
            .map(|problem| {
                let info = problem.additional_info.unwrap_or_default();
                format!("{} {} ({info})", problem.kind, problem.path)
            })
            .collect();
        let expected: BTreeSet<String> =
            all(block, "< problem ").into_iter().map(str::to_owned).collect();
        assert_eq!(problems, expected, "{block}");

        let mut datum = Vec::new();
        reader.plan().encode(one("> json ").as_bytes(), &mut datum).unwrap();
        let hex: String = datum.iter().map(|byte| format!("{byte:02x}")).collect();
        assert_eq!(hex, one("< bytes "), "{block}");
        blocks += 1;
    }
    assert!(blocks > 100, "{blocks}");
}
