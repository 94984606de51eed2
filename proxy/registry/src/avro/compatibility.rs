//! Whether data written with one schema can be read with another.
//!
//! The rules are those of Java's `SchemaCompatibility`: names are compared
//! without their namespace, aliases of the reader count, logical types do
//! not. All problems are reported, each with a JSON pointer to its place.

use std::collections::{BTreeSet, HashMap, HashSet};

use super::AvroSchema;
use super::schema::{Definition, Field, Name, Named, NamedId, Primitive, Type};
use crate::schema::Incompatibility;

/// How deep two schemas may lie in each other for them to be compared.
const MAX_DEPTH: usize = 500;

/// How many pairs of named types are compared. Schemas of a mebibyte stay
/// far below, except where they pit thousands of types against each other.
const MAX_PAIRS: usize = 200_000;

/// How many problems are reported.
const MAX_PROBLEMS: usize = 1_000;

/// Why data written with `writer` cannot all be read with `reader`; nothing
/// when it can. The words "new" and "old" stand for reader and writer.
pub fn incompatibilities(reader: &AvroSchema, writer: &AvroSchema) -> Vec<Incompatibility> {
    let mut check = Check {
        reader,
        writer,
        verdicts: HashMap::new(),
        reported: HashSet::new(),
        location: Vec::new(),
        depth: 0,
        problems: Vec::new(),
        silent: 0,
    };
    check.schemas(&reader.root, &writer.root);
    check.problems
}

/// What is known of a pair of named types.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Verdict {
    /// Compatible unless proven otherwise: this is what ends a recursion.
    InProgress,
    Compatible,
    Incompatible,
}

struct Check<'a> {
    reader: &'a AvroSchema,
    writer: &'a AvroSchema,
    verdicts: HashMap<(NamedId, NamedId), Verdict>,
    /// Pairs whose problems are among `problems`.
    reported: HashSet<(NamedId, NamedId)>,
    location: Vec<String>,
    depth: usize,
    problems: Vec<Incompatibility>,
    /// Above 0 while a branch of a union is only tried.
    silent: usize,
}

impl<'a> Check<'a> {
    fn schemas(&mut self, reader: &'a Type, writer: &'a Type) -> bool {
        self.depth += 1;
        let compatible = if self.depth > MAX_DEPTH || self.verdicts.len() > MAX_PAIRS {
            self.type_mismatch(|_| "too large or nested too deep to be compared".to_owned())
        } else {
            self.schemas_below(reader, writer)
        };
        self.depth -= 1;
        compatible
    }

    fn schemas_below(&mut self, reader: &'a Type, writer: &'a Type) -> bool {
        match (reader, writer) {
            (Type::Union(_), Type::Union(branches)) => self.union_of_union(reader, branches),
            (_, Type::Union(branches)) => {
                let mut compatible = true;
                for (index, branch) in branches.iter().enumerate() {
                    compatible &= self.at(index.to_string(), |check| check.schemas(reader, branch));
                }
                compatible
            }
            (Type::Union(branches), _) => {
                branches.iter().any(|branch| self.silently(branch, writer))
                    || self.missing_branch(writer)
            }
            (Type::Array { items: reader, .. }, Type::Array { items: writer, .. }) => {
                self.at("items", |check| check.schemas(reader, writer))
            }
            (Type::Map { values: reader, .. }, Type::Map { values: writer, .. }) => {
                self.at("values", |check| check.schemas(reader, writer))
            }
            (
                Type::Primitive { primitive: reader_type, .. },
                Type::Primitive { primitive: writer_type, .. },
            ) if is_promotable(*writer_type, *reader_type) => true,
            (Type::Named(reader_id), Type::Named(writer_id)) => {
                self.named(reader, *reader_id, writer, *writer_id)
            }
            _ => self.kinds_mismatch(reader, writer),
        }
    }

    /// Each branch of the writer has to be readable.
    fn union_of_union(&mut self, reader: &'a Type, branches: &'a [Type]) -> bool {
        let mut compatible = true;
        for (index, branch) in branches.iter().enumerate() {
            if !self.silently(reader, branch) {
                compatible = self.at(index.to_string(), |check| check.missing_branch(branch));
            }
        }
        compatible
    }

    /// Compares without a report of what is wrong below.
    fn silently(&mut self, reader: &'a Type, writer: &'a Type) -> bool {
        // Most pairs of branches differ by name, at a glance.
        if let (Type::Named(reader), Type::Named(writer)) = (reader, writer) {
            let (reader, writer) = (self.reader.types.get(*reader), self.writer.types.get(*writer));
            if !names_match(reader, writer) {
                return false;
            }
        }
        self.silent += 1;
        let compatible = self.schemas(reader, writer);
        self.silent -= 1;
        compatible
    }

    fn named(
        &mut self,
        reader: &'a Type,
        reader_id: NamedId,
        writer: &'a Type,
        writer_id: NamedId,
    ) -> bool {
        let pair = (reader_id, writer_id);
        match self.verdicts.get(&pair) {
            Some(Verdict::InProgress | Verdict::Compatible) => return true,
            Some(Verdict::Incompatible) if self.silent > 0 || self.reported.contains(&pair) => {
                return false;
            }
            // Tried as a branch before, and not reported then.
            Some(Verdict::Incompatible) | None => {}
        }
        self.verdicts.insert(pair, Verdict::InProgress);
        let (one, two) = (self.reader.types.get(reader_id), self.writer.types.get(writer_id));
        let compatible = match (&one.definition, &two.definition) {
            (
                Definition::Record { fields: ours, .. },
                Definition::Record { fields: theirs, .. },
            ) => self.names(one, two) & self.fields(ours, writer, theirs),
            (
                Definition::Enum { symbols: ours, default },
                Definition::Enum { symbols: theirs, .. },
            ) => self.names(one, two) & (default.is_some() || self.symbols(ours, theirs)),
            (Definition::Fixed { size: ours }, Definition::Fixed { size: theirs }) => {
                self.names(one, two) & self.sizes(*ours, *theirs)
            }
            _ => self.kinds_mismatch(reader, writer),
        };
        let verdict = if compatible { Verdict::Compatible } else { Verdict::Incompatible };
        self.verdicts.insert(pair, verdict);
        if self.silent == 0 {
            self.reported.insert(pair);
        }
        compatible
    }

    fn names(&mut self, reader: &Named, writer: &Named) -> bool {
        names_match(reader, writer)
            || self.at("name", |check| {
                check.report("NAME_MISMATCH", |path| {
                    let description = format!(
                        "the type has another name (at '{path}') in the new schema than in the \
                         old schema, and no such alias"
                    );
                    (description, format!("expected: {}", writer.full_name))
                })
            })
    }

    fn sizes(&mut self, ours: usize, theirs: usize) -> bool {
        ours == theirs
            || self.at("size", |check| {
                check.report("FIXED_SIZE_MISMATCH", |path| {
                    let description = format!(
                        "the size (at '{path}') is another one in the new schema than in the \
                         old schema"
                    );
                    (description, format!("expected: {theirs}, found: {ours}"))
                })
            })
    }

    fn symbols(&mut self, ours: &[String], theirs: &[String]) -> bool {
        let ours: HashSet<&str> = ours.iter().map(String::as_str).collect();
        let missing: BTreeSet<&str> =
            theirs.iter().map(String::as_str).filter(|symbol| !ours.contains(symbol)).collect();
        missing.is_empty()
            || self.at("symbols", |check| {
                check.report("MISSING_ENUM_SYMBOLS", |path| {
                    let missing = missing.into_iter().collect::<Vec<_>>().join(", ");
                    let description = format!(
                        "symbols (at '{path}') of the old schema are not in the new schema, \
                         whose enum has no default"
                    );
                    (description, format!("[{missing}]"))
                })
            })
    }

    fn fields(&mut self, ours: &'a [Field], writer: &'a Type, theirs: &'a [Field]) -> bool {
        let theirs: HashMap<&str, &'a Field> =
            theirs.iter().map(|field| (field.name.as_str(), field)).collect();
        let mut compatible = true;
        self.location.push("fields".to_owned());
        for (index, field) in ours.iter().enumerate() {
            self.location.push(index.to_string());
            compatible &= self.field(field, writer, &theirs);
            self.location.pop();
        }
        self.location.pop();
        compatible
    }

    fn field(
        &mut self,
        field: &'a Field,
        writer: &'a Type,
        theirs: &HashMap<&str, &'a Field>,
    ) -> bool {
        let names = std::iter::once(&field.name).chain(&field.aliases);
        let written = names.into_iter().find_map(|name| theirs.get(name.as_str()).copied());
        match written {
            Some(written) => self.at("type", |check| check.schemas(&field.schema, &written.schema)),
            None if field.default.is_some() => true,
            // The default of an enum rescues a symbol, not a missing field.
            None if self.has_enum_default(&field.schema) => {
                self.at("type", |check| check.kinds_mismatch(&field.schema, writer))
            }
            None => self.report("READER_FIELD_MISSING_DEFAULT_VALUE", |path| {
                let description = format!(
                    "the field '{}' (at '{path}') of the new schema has no default value, and the \
                     old schema has no such field",
                    field.name
                );
                (description, field.name.clone())
            }),
        }
    }

    fn has_enum_default(&self, schema: &Type) -> bool {
        matches!(schema, Type::Named(id) if matches!(
            self.reader.types.get(*id).definition,
            Definition::Enum { default: Some(_), .. }
        ))
    }

    fn missing_branch(&mut self, writer: &Type) -> bool {
        let kind = self.writer.types.kind(writer).to_uppercase();
        self.report("MISSING_UNION_BRANCH", |path| {
            let description = format!(
                "a branch (at '{path}') of the old schema can be read by no branch of the new \
                 schema"
            );
            (description, format!("reader union lacking writer type: {kind}"))
        })
    }

    fn kinds_mismatch(&mut self, reader: &Type, writer: &Type) -> bool {
        let reader = self.reader.types.kind(reader).to_uppercase();
        let writer = self.writer.types.kind(writer).to_uppercase();
        self.type_mismatch(|_| {
            format!("reader type: {reader} not compatible with writer type: {writer}")
        })
    }

    fn type_mismatch(&mut self, info: impl FnOnce(&str) -> String) -> bool {
        self.report("TYPE_MISMATCH", |path| {
            let description = format!(
                "the type (at '{path}') of the new schema cannot read what the old schema wrote"
            );
            (description, info(path))
        })
    }

    fn at<T>(&mut self, token: impl Into<String>, check: impl FnOnce(&mut Self) -> T) -> T {
        self.location.push(token.into());
        let result = check(self);
        self.location.pop();
        result
    }

    /// Always `false`.
    fn report(
        &mut self,
        kind: &'static str,
        describe: impl FnOnce(&str) -> (String, String),
    ) -> bool {
        if self.silent == 0 && self.problems.len() < MAX_PROBLEMS {
            let path = format!("/{}", self.location.join("/"));
            let (description, info) = describe(&path);
            let additional_info = Some(info);
            self.problems.push(Incompatibility { kind, path, description, additional_info });
        }
        false
    }
}

/// Types that a reader of `reader` reads from data of `writer`.
fn is_promotable(writer: Primitive, reader: Primitive) -> bool {
    use Primitive::{Bytes, Double, Float, Int, Long, String};
    writer == reader
        || matches!(
            (writer, reader),
            (Int, Long | Float | Double)
                | (Long, Float | Double)
                | (Float, Double)
                | (String, Bytes)
                | (Bytes, String)
        )
}

fn names_match(reader: &Named, writer: &Named) -> bool {
    let Name { simple, .. } = &writer.name;
    reader.name.simple == *simple || reader.aliases.contains(&writer.name)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::schema::Strictness;

    fn parse(text: &str) -> AvroSchema {
        AvroSchema::parse(text, &[], Strictness::New)
            .unwrap_or_else(|error| panic!("{text}: {error}"))
    }

    fn problems(reader: &str, writer: &str) -> Vec<String> {
        incompatibilities(&parse(reader), &parse(writer))
            .into_iter()
            .map(|problem| {
                let info = problem.additional_info.unwrap_or_default();
                format!("{} {} ({info})", problem.kind, problem.path)
            })
            .collect()
    }

    /// What the pair's lines say of one direction; nothing when compatible.
    fn recorded(lines: &[&str], direction: &str) -> Vec<String> {
        let mut expected = Vec::new();
        let mut is_ours = false;
        let mut verdict = None;
        for line in lines {
            if let Some(problem) = line.strip_prefix("<   ") {
                if is_ours {
                    expected.push(problem.to_owned());
                }
                continue;
            }
            for part in line.trim_start_matches("< ").split(", ") {
                is_ours = part.starts_with(direction);
                if is_ours {
                    verdict = Some(part.ends_with("true"));
                }
            }
        }
        assert_eq!(verdict, Some(expected.is_empty()), "{lines:?}");
        expected
    }

    #[test]
    fn recorded_pairs_have_the_recorded_verdicts() {
        let text = include_str!("../../tests/recorded/avro_pairs.txt");
        let mut pairs = 0;
        for pair in text.split("\n## ").skip(1) {
            let lines: Vec<&str> = pair.lines().collect();
            let member =
                |name: &str| lines.iter().find_map(|line| line.strip_prefix(name)).unwrap();
            let (old, new) = (member("> old "), member("> new "));
            let verdicts: Vec<&str> =
                lines.iter().copied().filter(|line| line.starts_with("< ")).collect();
            assert_eq!(problems(new, old), recorded(&verdicts, "BACKWARD"), "backward: {pair}");
            assert_eq!(problems(old, new), recorded(&verdicts, "FORWARD"), "forward: {pair}");
            pairs += 1;
        }
        assert_eq!(pairs, 32);
    }

    const RECORD: &str = r#"{"type":"record","name":"R","fields":"#;

    fn record(fields: &str) -> String {
        format!("{RECORD}[{fields}]}}")
    }

    /// One row: a writer, a reader, and the kinds of problems, both ways.
    fn check(case: &str, writer: &str, reader: &str, expected: &str, backwards: &str) {
        let kinds = |reader, writer| {
            let problems = problems(reader, writer);
            let kinds: Vec<_> =
                problems.iter().map(|text| text.split(' ').next().unwrap()).collect();
            kinds.join(" ")
        };
        assert_eq!(kinds(reader, writer), expected, "{case}: {reader} reads {writer}");
        assert_eq!(kinds(writer, reader), backwards, "{case}: {writer} reads {reader}");
    }

    #[test]
    fn primitives_are_read_by_themselves_and_by_what_they_promote_to() {
        let names = ["null", "boolean", "int", "long", "float", "double", "bytes", "string"];
        let promotions = [
            ("int", "long"),
            ("int", "float"),
            ("int", "double"),
            ("long", "float"),
            ("long", "double"),
            ("float", "double"),
            ("string", "bytes"),
            ("bytes", "string"),
        ];
        for writer in names {
            for reader in names {
                let fits = writer == reader || promotions.contains(&(writer, reader));
                let found = problems(&format!("\"{reader}\""), &format!("\"{writer}\""));
                assert_eq!(found.is_empty(), fits, "{reader} reads {writer}: {found:?}");
            }
        }
    }

    #[test]
    fn every_rule_both_ways() {
        let array = r#"{"type":"array","items":"int"}"#;
        let map = r#"{"type":"map","values":"int"}"#;
        let wide_array = r#"{"type":"array","items":"long"}"#;
        let wide_map = r#"{"type":"map","values":"long"}"#;
        check("array items widen", array, wide_array, "", "TYPE_MISMATCH");
        check("map values widen", map, wide_map, "", "TYPE_MISMATCH");
        check("array and map", array, map, "TYPE_MISMATCH", "TYPE_MISMATCH");
        check("array and string", array, "\"string\"", "TYPE_MISMATCH", "TYPE_MISMATCH");

        let a = r#"{"type":"fixed","name":"A","size":4}"#;
        let xa = r#"{"type":"fixed","name":"x.A","size":4}"#;
        let b = r#"{"type":"fixed","name":"B","size":4}"#;
        let b_was_xa = r#"{"type":"fixed","name":"B","aliases":["x.A"],"size":4}"#;
        let a8 = r#"{"type":"fixed","name":"A","size":8}"#;
        let b8 = r#"{"type":"fixed","name":"B","size":8}"#;
        check("namespaces do not count", a, xa, "", "");
        check("other name", a, b, "NAME_MISMATCH", "NAME_MISMATCH");
        check("an alias is a full name", xa, b_was_xa, "", "NAME_MISMATCH");
        check("an alias of another namespace", a, b_was_xa, "NAME_MISMATCH", "NAME_MISMATCH");
        check("other size", a, a8, "FIXED_SIZE_MISMATCH", "FIXED_SIZE_MISMATCH");
        let both = "NAME_MISMATCH FIXED_SIZE_MISMATCH";
        check("all problems are found", a, b8, both, both);
        check("fixed and bytes", a, "\"bytes\"", "TYPE_MISMATCH", "TYPE_MISMATCH");

        let e = r#"{"type":"enum","name":"E","symbols":["A","B"]}"#;
        let more = r#"{"type":"enum","name":"E","symbols":["C","B","A"]}"#;
        let less = r#"{"type":"enum","name":"E","symbols":["A"]}"#;
        let rescued = r#"{"type":"enum","name":"E","symbols":["A"],"default":"A"}"#;
        check("more symbols", e, more, "", "MISSING_ENUM_SYMBOLS");
        check("default rescues symbols", e, rescued, "", "");
        check("no default", e, less, "MISSING_ENUM_SYMBOLS", "");
        check("enum and string", e, "\"string\"", "TYPE_MISMATCH", "TYPE_MISMATCH");
        check(
            "enum and fixed of a name",
            e,
            r#"{"type":"fixed","name":"E","size":1}"#,
            "TYPE_MISMATCH",
            "TYPE_MISMATCH",
        );

        let empty = record("");
        let with = |field: &str| record(field);
        let missing = "READER_FIELD_MISSING_DEFAULT_VALUE";
        check("field added", &empty, &with(r#"{"name":"a","type":"int"}"#), missing, "");
        check(
            "field with default added",
            &empty,
            &with(r#"{"name":"a","type":"int","default":1}"#),
            "",
            "",
        );
        check(
            "nullable is no default",
            &empty,
            &with(r#"{"name":"a","type":["null","int"]}"#),
            missing,
            "",
        );
        let enum_field = with(&format!(r#"{{"name":"a","type":{rescued}}}"#));
        check("default of an enum only", &empty, &enum_field, "TYPE_MISMATCH", "");
        check(
            "field alias of the reader",
            &with(r#"{"name":"a","type":"int"}"#),
            &with(r#"{"name":"b","type":"long","aliases":["a"]}"#),
            "",
            missing,
        );
        check(
            "field order",
            &with(r#"{"name":"a","type":"int"},{"name":"b","type":"string"}"#),
            &with(r#"{"name":"b","type":"string"},{"name":"a","type":"int"}"#),
            "",
            "",
        );

        check("single to union", "\"int\"", r#"["null","int"]"#, "", "TYPE_MISMATCH");
        check(
            "promoted in a union",
            "\"int\"",
            r#"["null","long"]"#,
            "",
            "TYPE_MISMATCH TYPE_MISMATCH",
        );
        check(
            "not in the union",
            "\"string\"",
            r#"["null","int"]"#,
            "MISSING_UNION_BRANCH",
            "TYPE_MISMATCH TYPE_MISMATCH",
        );
        check(
            "branch added",
            r#"["null","int"]"#,
            r#"["null","int","string"]"#,
            "",
            "MISSING_UNION_BRANCH",
        );
        check(
            "two branches missing",
            r#"["int","string","null"]"#,
            r#"["null"]"#,
            "MISSING_UNION_BRANCH MISSING_UNION_BRANCH",
            "",
        );
        check("empty union", "[]", "\"int\"", "", "MISSING_UNION_BRANCH");

        let decimal = |scale| {
            format!(r#"{{"type":"bytes","logicalType":"decimal","precision":9,"scale":{scale}}}"#)
        };
        check("logical types do not count", &decimal(2), &decimal(4), "", "");
        check("bytes for a decimal", &decimal(2), "\"bytes\"", "", "");
    }

    #[test]
    fn a_recursive_type_is_compared_once() {
        let list = |value: &str| {
            record(&format!(
                r#"{{"name":"v","type":"{value}"}},{{"name":"next","type":["null","R"]}}"#
            ))
        };
        check("list widened", &list("int"), &list("long"), "", "TYPE_MISMATCH");
        // Tried as a branch first, then met as a field: reported there.
        let twice = |value: &str| {
            record(&format!(
                r#"{{"name":"u","type":["null",{{"type":"record","name":"N","fields":[
                    {{"name":"v","type":"{value}"}}]}}]}},{{"name":"n","type":"N"}}"#
            ))
        };
        check(
            "type used twice",
            &twice("int"),
            &twice("long"),
            "",
            "MISSING_UNION_BRANCH TYPE_MISMATCH",
        );
    }

    /// A chain of records, each used by the next: short text, deep type.
    fn chain(length: usize, value: &str) -> String {
        let mut text = format!(
            r#"[{{"type":"record","name":"R0","fields":[{{"name":"v","type":"{value}"}}]}}"#
        );
        for at in 1..=length {
            text.push_str(&format!(
                r#",{{"type":"record","name":"R{at}","fields":[{{"name":"v","type":"R{}"}}]}}"#,
                at - 1
            ));
        }
        text.push(']');
        text
    }

    #[test]
    fn a_chain_that_is_too_deep_is_no_danger() {
        let (one, two) = (parse(&chain(10_000, "int")), parse(&chain(10_000, "long")));
        // From the shallow end on each pair is known when the next one needs it.
        assert!(incompatibilities(&two, &one).is_empty());
        let (Type::Union(one_types), Type::Union(two_types)) = (&one.root, &two.root) else {
            panic!("a chain is a union")
        };
        let deepest = |types: &[Type]| types.last().unwrap().clone();
        let one = AvroSchema { root: deepest(one_types), ..one };
        let two = AvroSchema { root: deepest(two_types), ..two };
        let problems = incompatibilities(&two, &one);
        assert_eq!(problems.len(), 1);
        assert!(problems[0].additional_info.as_ref().unwrap().contains("too deep"));
    }

    #[test]
    fn many_types_of_one_name_are_compared_in_bounded_time() {
        let union = |value: &str| {
            let types: Vec<String> = (0..1_500)
                .map(|at| {
                    format!(
                        r#"{{"type":"record","name":"n{at}.R","fields":[{{"name":"v{value}","type":"{value}"}}]}}"#
                    )
                })
                .collect();
            parse(&format!("[{}]", types.join(",")))
        };
        assert!(!incompatibilities(&union("int"), &union("string")).is_empty());
    }
}
