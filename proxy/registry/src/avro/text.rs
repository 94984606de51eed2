//! The texts of a schema: canonical (as stored), normalised, and resolved.
//!
//! The canonical text keeps the content and the order of attributes, and
//! writes everything else in the order in which Java's `Schema.toString`
//! does, since identity (the guid) is a hash of it. The normalised text is
//! the same for schemas that differ only in the order of attributes and
//! aliases, in empty docs and in how a number is written.

use std::collections::HashMap;

use super::schema::{
    Attributes, Definition, Field, Name, Named, NamedId, Order, Primitive, Type, Types,
    is_type_word,
};
use crate::lossless_json::{Json, write_string};

/// How deep the resolved text may nest definitions. Beyond it a type is left
/// as a name; no text that can be parsed again is that deep.
const MAX_DEPTH: usize = 200;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Form {
    Canonical,
    Normalized,
    /// Canonical, with the types of references written where first used.
    Resolved,
}

pub(super) fn write(root: &Type, types: &Types, form: Form) -> String {
    let is_written =
        (0..types.len()).map(|id| form != Form::Resolved && types.is_referenced(id)).collect();
    let mut writer = Writer { out: String::new(), types, form, is_written, depth: 0 };
    writer.schema(root, None);
    writer.out
}

struct Writer<'a> {
    out: String,
    types: &'a Types,
    form: Form,
    /// Whether a name stands for a definition already.
    is_written: Vec<bool>,
    depth: usize,
}

impl<'a> Writer<'a> {
    fn schema(&mut self, schema: &'a Type, namespace: Option<&'a str>) {
        match schema {
            Type::Primitive { primitive, attributes } if attributes.is_empty() => {
                write_string(primitive.name(), &mut self.out);
            }
            Type::Primitive { primitive, attributes } => {
                self.open_object(primitive.name());
                self.attributes(attributes);
                self.out.push('}');
            }
            Type::Array { items, attributes } => {
                self.open_object("array");
                self.member("items");
                self.schema(items, namespace);
                self.attributes(attributes);
                self.out.push('}');
            }
            Type::Map { values, attributes } => {
                self.open_object("map");
                self.member("values");
                self.schema(values, namespace);
                self.attributes(attributes);
                self.out.push('}');
            }
            Type::Union(branches) => {
                self.out.push('[');
                for (index, branch) in branches.iter().enumerate() {
                    if index > 0 {
                        self.out.push(',');
                    }
                    self.schema(branch, namespace);
                }
                self.out.push(']');
            }
            Type::Named(id) => self.named(*id, namespace),
        }
    }

    fn named(&mut self, id: NamedId, namespace: Option<&'a str>) {
        let named = self.types.get(id);
        let is_written = match self.is_written.get_mut(id) {
            Some(is_written) if self.depth < MAX_DEPTH => std::mem::replace(is_written, true),
            _ => true,
        };
        if is_written {
            write_string(&relative(&named.name, namespace), &mut self.out);
            return;
        }
        self.depth += 1;
        self.definition(named, namespace);
        self.depth -= 1;
    }

    fn definition(&mut self, named: &'a Named, namespace: Option<&'a str>) {
        let kind = match &named.definition {
            Definition::Record { is_error: true, .. } if self.form != Form::Normalized => "error",
            Definition::Record { .. } => "record",
            Definition::Enum { .. } => "enum",
            Definition::Fixed { .. } => "fixed",
        };
        self.open_object(kind);
        self.text_member("name", &named.name.simple);
        let own_namespace = named.name.namespace.as_deref();
        if own_namespace != namespace {
            // Empty means none, inside a namespace.
            self.text_member("namespace", own_namespace.unwrap_or_default());
        }
        self.doc(named.doc.as_deref());
        match &named.definition {
            Definition::Record { fields, .. } => {
                self.member("fields");
                self.out.push('[');
                for (index, field) in fields.iter().enumerate() {
                    if index > 0 {
                        self.out.push(',');
                    }
                    self.field(field, own_namespace);
                }
                self.out.push(']');
            }
            Definition::Enum { symbols, default } => {
                self.texts("symbols", symbols.iter().map(String::as_str));
                if let Some(default) = default {
                    self.text_member("default", default);
                }
            }
            Definition::Fixed { size } => {
                self.member("size");
                self.out.push_str(&size.to_string());
            }
        }
        self.attributes(&named.attributes);
        self.aliases(named);
        self.out.push('}');
    }

    fn field(&mut self, field: &'a Field, namespace: Option<&'a str>) {
        self.out.push_str("{\"name\":");
        write_string(&field.name, &mut self.out);
        self.member("type");
        self.schema(&field.schema, namespace);
        self.doc(field.doc.as_deref());
        if let Some(default) = &field.default {
            self.member("default");
            match self.form {
                Form::Normalized => {
                    normalized_default(default, &field.schema, self.types).write(&mut self.out);
                }
                Form::Canonical | Form::Resolved => default.write(&mut self.out),
            }
        }
        if field.order != Order::Ascending {
            self.text_member("order", field.order.name());
        }
        if !field.aliases.is_empty() {
            let mut aliases: Vec<&str> = field.aliases.iter().map(String::as_str).collect();
            if self.form == Form::Normalized {
                aliases.sort_unstable();
            }
            self.texts("aliases", aliases);
        }
        self.attributes(&field.attributes);
        self.out.push('}');
    }

    fn doc(&mut self, doc: Option<&str>) {
        match doc {
            Some("") if self.form == Form::Normalized => {}
            Some(doc) => self.text_member("doc", doc),
            None => {}
        }
    }

    fn aliases(&mut self, named: &Named) {
        if named.aliases.is_empty() {
            return;
        }
        let mut aliases: Vec<&Name> = named.aliases.iter().collect();
        if self.form == Form::Normalized {
            aliases.sort_by_cached_key(|alias| alias.full());
        }
        let namespace = named.name.namespace.as_deref();
        let aliases: Vec<String> =
            aliases.into_iter().map(|alias| relative(alias, namespace)).collect();
        self.texts("aliases", aliases.iter().map(String::as_str));
    }

    fn attributes(&mut self, attributes: &Attributes) {
        if self.form == Form::Normalized {
            let sorted = Json::Object(attributes.clone()).sorted();
            for (name, value) in sorted.members() {
                self.member(name);
                value.write(&mut self.out);
            }
        } else {
            for (name, value) in attributes {
                self.member(name);
                value.write(&mut self.out);
            }
        }
    }

    fn open_object(&mut self, kind: &str) {
        self.out.push_str("{\"type\":");
        write_string(kind, &mut self.out);
    }

    /// Never the first member of an object.
    fn member(&mut self, name: &str) {
        self.out.push(',');
        write_string(name, &mut self.out);
        self.out.push(':');
    }

    fn text_member(&mut self, name: &str, text: &str) {
        self.member(name);
        write_string(text, &mut self.out);
    }

    fn texts<'b>(&mut self, name: &str, texts: impl IntoIterator<Item = &'b str>) {
        self.member(name);
        self.out.push('[');
        for (index, text) in texts.into_iter().enumerate() {
            if index > 0 {
                self.out.push(',');
            }
            write_string(text, &mut self.out);
        }
        self.out.push(']');
    }
}

/// A name as it is written inside `namespace`: short where that means the
/// same. A type named like a word of the language is always written in full.
fn relative(name: &Name, namespace: Option<&str>) -> String {
    if name.namespace.as_deref() == namespace && !is_type_word(&name.simple) {
        name.simple.clone()
    } else {
        name.full()
    }
}

/// A number that stands for a float is written as one.
fn normalized_default(default: &Json, schema: &Type, types: &Types) -> Json {
    match (schema, default) {
        (
            Type::Primitive { primitive: Primitive::Float | Primitive::Double, .. },
            Json::Number(digits),
        ) => match digits.parse::<f64>() {
            Ok(number) if number.is_finite() => Json::Number(super::number::java_double(number)),
            _ => default.clone(),
        },
        (Type::Array { items, .. }, Json::Array(elements)) => Json::Array(
            elements.iter().map(|element| normalized_default(element, items, types)).collect(),
        ),
        (Type::Map { values, .. }, Json::Object(members)) => Json::Object(
            members
                .iter()
                .map(|(name, value)| (name.clone(), normalized_default(value, values, types)))
                .collect(),
        ),
        (Type::Union(branches), _) => match branches.first() {
            Some(first) => normalized_default(default, first, types),
            None => default.clone(),
        },
        (Type::Named(id), Json::Object(members)) => match &types.get(*id).definition {
            Definition::Record { fields, .. } => {
                let fields: HashMap<&str, &Type> =
                    fields.iter().map(|field| (field.name.as_str(), &field.schema)).collect();
                let normalized = |(name, value): &(String, Json)| {
                    let value = match fields.get(name.as_str()) {
                        Some(schema) => normalized_default(value, schema, types),
                        None => value.clone(),
                    };
                    (name.clone(), value)
                };
                Json::Object(members.iter().map(normalized).collect())
            }
            _ => default.clone(),
        },
        _ => default.clone(),
    }
}

#[cfg(test)]
mod tests {
    use crate::avro::AvroSchema;
    use crate::schema::{ResolvedReference, Strictness, TextFormat};

    fn parse(text: &str) -> AvroSchema {
        AvroSchema::parse(text, &[], Strictness::New)
            .unwrap_or_else(|error| panic!("{text}: {error}"))
    }

    /// A text, its canonical form and its normalised form.
    fn check(text: &str, canonical: &str, normalized: &str) {
        let schema = parse(text);
        assert_eq!(schema.canonical_text(), canonical, "canonical {text}");
        assert_eq!(schema.normalized_text(), normalized, "normalised {text}");
        // Both are forms of the same schema and stay as they are.
        let again = parse(canonical);
        assert_eq!(again.canonical_text(), canonical);
        assert_eq!(again.normalized_text(), normalized);
        let again = parse(normalized);
        assert_eq!(again.canonical_text(), normalized);
        assert_eq!(again.normalized_text(), normalized);
    }

    fn check_both(text: &str, expected: &str) {
        check(text, expected, expected);
    }

    #[test]
    fn attributes_are_kept_and_the_order_is_javas() {
        check(
            r#" {"aliases":["Old"],"zz":{"b":1,"a":2},"doc":"d","fields":[{"doc":"fd","order":"descending","aliases":["z","y"],"default":1,"type":"int","name":"a","custom":true},{"name":"s","type":{"avro.java.string":"String","type":"string"}}],"namespace":"n.s","name":"Rec","type":"record"} "#,
            r#"{"type":"record","name":"Rec","namespace":"n.s","doc":"d","fields":[{"name":"a","type":"int","doc":"fd","default":1,"order":"descending","aliases":["z","y"],"custom":true},{"name":"s","type":{"type":"string","avro.java.string":"String"}}],"zz":{"b":1,"a":2},"aliases":["Old"]}"#,
            r#"{"type":"record","name":"Rec","namespace":"n.s","doc":"d","fields":[{"name":"a","type":"int","doc":"fd","default":1,"order":"descending","aliases":["y","z"],"custom":true},{"name":"s","type":{"type":"string","avro.java.string":"String"}}],"zz":{"a":2,"b":1},"aliases":["Old"]}"#,
        );
    }

    #[test]
    fn logical_types_are_attributes() {
        check(
            r#"{"type":"record","name":"L","fields":[{"name":"d","type":{"type":"bytes","logicalType":"decimal","scale":2,"precision":9}},{"name":"t","type":{"logicalType":"timestamp-millis","type":"long"}},{"name":"u","type":{"type":"string","logicalType":"uuid"}},{"name":"x","type":{"type":"int","logicalType":"made-up","k":1}},{"name":"z","type":{"type":"bytes","logicalType":"decimal","precision":4,"scale":0}}]}"#,
            r#"{"type":"record","name":"L","fields":[{"name":"d","type":{"type":"bytes","logicalType":"decimal","scale":2,"precision":9}},{"name":"t","type":{"type":"long","logicalType":"timestamp-millis"}},{"name":"u","type":{"type":"string","logicalType":"uuid"}},{"name":"x","type":{"type":"int","logicalType":"made-up","k":1}},{"name":"z","type":{"type":"bytes","logicalType":"decimal","precision":4,"scale":0}}]}"#,
            r#"{"type":"record","name":"L","fields":[{"name":"d","type":{"type":"bytes","logicalType":"decimal","precision":9,"scale":2}},{"name":"t","type":{"type":"long","logicalType":"timestamp-millis"}},{"name":"u","type":{"type":"string","logicalType":"uuid"}},{"name":"x","type":{"type":"int","k":1,"logicalType":"made-up"}},{"name":"z","type":{"type":"bytes","logicalType":"decimal","precision":4,"scale":0}}]}"#,
        );
        check_both(
            r#"{"logicalType":"date","type":"string"}"#,
            r#"{"type":"string","logicalType":"date"}"#,
        );
        check_both(
            r#"{"type":"bytes","logicalType":"decimal","precision":0}"#,
            r#"{"type":"bytes","logicalType":"decimal","precision":0}"#,
        );
    }

    #[test]
    fn names_are_written_relative_to_their_namespace() {
        // The normalised text keeps `"namespace":""`, without which the type
        // would be another one.
        check_both(
            r#"{"type":"record","name":"a.b.R1","fields":[{"name":"f","type":{"type":"record","name":"In","namespace":"a.b","fields":[{"name":"e","type":{"type":"enum","name":"c.E","symbols":["B","A"],"default":"A","doc":"x"}}]}},{"name":"g","type":"a.b.In"},{"name":"h","type":["null","c.E"],"default":null},{"name":"n","type":{"type":"fixed","size":4,"name":"Fx","namespace":""}}]}"#,
            r#"{"type":"record","name":"R1","namespace":"a.b","fields":[{"name":"f","type":{"type":"record","name":"In","fields":[{"name":"e","type":{"type":"enum","name":"E","namespace":"c","doc":"x","symbols":["B","A"],"default":"A"}}]}},{"name":"g","type":"In"},{"name":"h","type":["null","c.E"],"default":null},{"name":"n","type":{"type":"fixed","name":"Fx","namespace":"","size":4}}]}"#,
        );
        // A type named like a word of the language is told apart in full.
        check_both(
            r#"{"type":"record","name":"x.R","fields":[{"name":"a","type":{"type":"fixed","name":"x.map","size":1}},{"name":"b","type":"x.map"}]}"#,
            r#"{"type":"record","name":"R","namespace":"x","fields":[{"name":"a","type":{"type":"fixed","name":"map","size":1}},{"name":"b","type":"x.map"}]}"#,
        );
    }

    #[test]
    fn containers_recursion_and_errors() {
        check(
            r#"{"type":"record","name":"K","fields":[{"name":"m","type":{"values":{"type":"long"},"type":"map","k":1}},{"name":"l","type":{"items":["null",{"type":"string"}],"type":"array"}},{"name":"r","type":["null","K"]},{"name":"e","type":{"type":"error","name":"Er","fields":[]}}]}"#,
            r#"{"type":"record","name":"K","fields":[{"name":"m","type":{"type":"map","values":"long","k":1}},{"name":"l","type":{"type":"array","items":["null","string"]}},{"name":"r","type":["null","K"]},{"name":"e","type":{"type":"error","name":"Er","fields":[]}}]}"#,
            r#"{"type":"record","name":"K","fields":[{"name":"m","type":{"type":"map","values":"long","k":1}},{"name":"l","type":{"type":"array","items":["null","string"]}},{"name":"r","type":["null","K"]},{"name":"e","type":{"type":"record","name":"Er","fields":[]}}]}"#,
        );
        check_both(r#" { "type" : "int" } "#, "\"int\"");
        check_both("[ ]", "[]");
        check_both(
            r#"{"type":"record","name":"R","fields":[{"name":"a","type":{"type":"fixed","name":"X","size":1}},{"name":"b","type":{"type":"fixed","name":"X","size":1}}]}"#,
            r#"{"type":"record","name":"R","fields":[{"name":"a","type":{"type":"fixed","name":"X","size":1}},{"name":"b","type":"X"}]}"#,
        );
    }

    #[test]
    fn a_type_is_written_where_it_is_first_used() {
        check_both(
            r#"{"type":"record","name":"x.R","fields":[{"name":"a","type":["null","N"]},{"name":"b","type":{"type":"record","name":"N","fields":[{"name":"r","type":"R"}]}}]}"#,
            r#"{"type":"record","name":"R","namespace":"x","fields":[{"name":"a","type":["null",{"type":"record","name":"N","fields":[{"name":"r","type":"R"}]}]},{"name":"b","type":"N"}]}"#,
        );
    }

    #[test]
    fn numbers_and_texts_are_written_as_java_does() {
        check(
            r#"{"type":"record","name":"T","fields":[{"name":"f","type":"float","default":1},{"name":"g","type":"double","default":1.50e3},{"name":"b","type":"bytes","default":"\u00ff\u0000"},{"name":"s","type":"string","default":"\u00fc\u20ac/\/"},{"name":"l","type":"long","default":9007199254740993}]}"#,
            "{\"type\":\"record\",\"name\":\"T\",\"fields\":[{\"name\":\"f\",\"type\":\"float\",\"default\":1},{\"name\":\"g\",\"type\":\"double\",\"default\":1500.0},{\"name\":\"b\",\"type\":\"bytes\",\"default\":\"ÿ\\u0000\"},{\"name\":\"s\",\"type\":\"string\",\"default\":\"ü€//\"},{\"name\":\"l\",\"type\":\"long\",\"default\":9007199254740993}]}",
            "{\"type\":\"record\",\"name\":\"T\",\"fields\":[{\"name\":\"f\",\"type\":\"float\",\"default\":1.0},{\"name\":\"g\",\"type\":\"double\",\"default\":1500.0},{\"name\":\"b\",\"type\":\"bytes\",\"default\":\"ÿ\\u0000\"},{\"name\":\"s\",\"type\":\"string\",\"default\":\"ü€//\"},{\"name\":\"l\",\"type\":\"long\",\"default\":9007199254740993}]}",
        );
    }

    #[test]
    fn the_normalised_text_sorts_aliases_and_drops_what_says_nothing() {
        check(
            r#"{"type":"record","name":"x.Al","doc":"","aliases":["x.O3","y.O2","O1"],"fields":[{"name":"a","type":{"type":"array","items":"float"},"doc":"","order":"ascending","default":[1,2.5]},{"name":"u","type":["double","null"],"default":1}]}"#,
            r#"{"type":"record","name":"Al","namespace":"x","doc":"","fields":[{"name":"a","type":{"type":"array","items":"float"},"doc":"","default":[1,2.5]},{"name":"u","type":["double","null"],"default":1}],"aliases":["O3","y.O2","O1"]}"#,
            r#"{"type":"record","name":"Al","namespace":"x","fields":[{"name":"a","type":{"type":"array","items":"float"},"default":[1.0,2.5]},{"name":"u","type":["double","null"],"default":1.0}],"aliases":["O1","O3","y.O2"]}"#,
        );
    }

    #[test]
    fn references_stay_names_unless_they_are_to_be_resolved() {
        let reference = ResolvedReference {
            name: "shop.Item".into(),
            text: r#"{"type":"record","name":"shop.Item","fields":[{"name":"c","type":"Color"}]}"#
                .into(),
            references: vec![ResolvedReference {
                name: "shop.Color".into(),
                text: r#"{"type":"enum","name":"shop.Color","symbols":["RED"]}"#.into(),
                references: Vec::new(),
            }],
        };
        let text = r#"{"type":"record","name":"shop.Order","fields":[{"name":"i","type":"shop.Item"},{"name":"c","type":"shop.Color"}]}"#;
        let schema = AvroSchema::parse(text, &[reference], Strictness::New).unwrap();
        let canonical = r#"{"type":"record","name":"Order","namespace":"shop","fields":[{"name":"i","type":"Item"},{"name":"c","type":"Color"}]}"#;
        assert_eq!(schema.canonical_text(), canonical);
        assert_eq!(schema.normalized_text(), canonical);
        assert_eq!(schema.text(TextFormat::Serialized), canonical);
        assert_eq!(
            schema.text(TextFormat::Resolved),
            r#"{"type":"record","name":"Order","namespace":"shop","fields":[{"name":"i","type":{"type":"record","name":"Item","fields":[{"name":"c","type":{"type":"enum","name":"Color","symbols":["RED"]}}]}},{"name":"c","type":"Color"}]}"#,
        );
    }

    #[test]
    fn the_resolved_text_of_a_long_chain_has_a_bound() {
        let definition = |at: usize, parent: &str| {
            format!(
                r#"{{"type":"record","name":"R{at}","fields":[{{"name":"v","type":"{parent}"}}]}}"#
            )
        };
        let mut types = vec![definition(0, "int")];
        for at in 1..10_000 {
            types.push(definition(at, &format!("R{}", at - 1)));
        }
        let reference = ResolvedReference {
            name: "chain".into(),
            text: format!("[{}]", types.join(",")),
            references: Vec::new(),
        };
        let schema = AvroSchema::parse("\"R9999\"", &[reference], Strictness::New).unwrap();
        assert_eq!(schema.canonical_text(), "\"R9999\"");
        assert!(schema.text(TextFormat::Resolved).len() < 20_000);
    }
}
