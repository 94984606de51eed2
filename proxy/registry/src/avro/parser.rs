//! The parser: from a schema's text, and the texts of its references, to the
//! model.

use std::collections::{BTreeMap, HashMap, HashSet};

use super::defaults::{check_defaults, floating_default, is_floating};
use super::members::{Members, cut, shown};
use super::number::canonical_number;
use super::schema::{
    Attributes, Definition, Field, Name, Named, NamedId, Order, Primitive, Type, Types,
    is_type_word,
};
use crate::lossless_json::{self, Json};
use crate::schema::{InvalidSchema, ResolvedReference, Strictness};

/// Parses `text` after everything that it refers to.
pub(super) fn parse(
    text: &str,
    references: &[ResolvedReference],
    strictness: Strictness,
) -> Result<(Type, Types), InvalidSchema> {
    // Names may be as long as the schema, the message may not.
    parse_all(text, references, strictness)
        .map_err(|InvalidSchema(reason)| InvalidSchema(cut(&reason, MAX_REASON)))
}

fn parse_all(
    text: &str,
    references: &[ResolvedReference],
    strictness: Strictness,
) -> Result<(Type, Types), InvalidSchema> {
    let mut parser = Parser::default();
    parser.parse_references(references)?;
    parser.types.end_references();
    parser.strictness = Some(strictness);
    let root = parser.parse_text(text)?;
    if parser.uses_before_definition && !Nesting::new(&parser.types).schema(&root, 0) {
        return invalid("Types that are used before they are defined are nested too deep");
    }
    if strictness == Strictness::New {
        check_defaults(&parser.types)?;
    }
    Ok((root, parser.types))
}

/// How many characters the reason of a refusal may have.
const MAX_REASON: usize = 500;

/// How deep references may refer to each other.
const MAX_REFERENCE_DEPTH: usize = 64;

#[derive(Debug, Default)]
struct Parser {
    types: Types,
    /// By full name.
    names: HashMap<String, NamedId>,
    /// Types whose definition has begun and not ended.
    open: Vec<NamedId>,
    /// Types that were used and are not defined yet, with the place of the use.
    undefined: BTreeMap<NamedId, String>,
    /// The field that is being parsed, for messages.
    field: String,
    /// By the name of the reference.
    reference_texts: HashMap<String, String>,
    reference_depth: usize,
    uses_before_definition: bool,
    /// Unknown while references are parsed, which were checked long ago.
    strictness: Option<Strictness>,
}

impl Parser {
    fn parse_references(&mut self, references: &[ResolvedReference]) -> Result<(), InvalidSchema> {
        self.reference_depth += 1;
        if self.reference_depth > MAX_REFERENCE_DEPTH {
            return invalid("References are nested too deep");
        }
        for reference in references {
            // Many paths may lead to the same text.
            if self.reference_texts.get(&reference.name) == Some(&reference.text) {
                continue;
            }
            self.parse_references(&reference.references)?;
            self.parse_text(&reference.text)?;
            self.reference_texts.insert(reference.name.clone(), reference.text.clone());
        }
        self.reference_depth -= 1;
        Ok(())
    }

    fn parse_text(&mut self, text: &str) -> Result<Type, InvalidSchema> {
        let json = Json::parse_with(text, canonical_number)
            .map_err(|error| InvalidSchema(format!("The schema is not JSON: {error}")))?;
        let schema = self.parse_type(json, None)?;
        if let Some((id, place)) = self.undefined.first_key_value() {
            return invalid(format!(
                "Undefined name: \"{}\"{place}",
                self.types.get(*id).full_name
            ));
        }
        Ok(schema)
    }

    fn is_new(&self) -> bool {
        self.strictness == Some(Strictness::New)
    }

    fn parse_type(&mut self, json: Json, namespace: Option<&str>) -> Result<Type, InvalidSchema> {
        match json {
            Json::String(name) => self.find(&name, namespace),
            Json::Object(members) => self.parse_object(Members(members), namespace),
            Json::Array(branches) => self.parse_union(branches, namespace),
            other => invalid(format!("Not a schema: {}", shown(&other))),
        }
    }

    fn find(&mut self, name: &str, namespace: Option<&str>) -> Result<Type, InvalidSchema> {
        if let Some(primitive) = Primitive::of_name(name) {
            return Ok(Type::Primitive { primitive, attributes: Attributes::new() });
        }
        // A simple name is looked for in the enclosing namespace, then in none.
        let named = Named::undefined(Name::new(name, namespace));
        match self.names.get(&named.full_name).or_else(|| self.names.get(name)) {
            Some(id) => Ok(Type::Named(*id)),
            None if is_type_word(name) => invalid(format!(
                "Undefined name: \"{name}\"{} (a type with parts is an object: \
                 {{\"type\":{{\"type\":\"{name}\", ...}}}})",
                self.field
            )),
            // It may be defined further on, as Avro 1.12 allows.
            None => {
                self.uses_before_definition = true;
                let full_name = named.full_name.clone();
                let id = self.types.push(named);
                self.names.insert(full_name, id);
                self.undefined.insert(id, self.field.clone());
                Ok(Type::Named(id))
            }
        }
    }

    fn parse_object(
        &mut self,
        mut members: Members,
        namespace: Option<&str>,
    ) -> Result<Type, InvalidSchema> {
        let Some(kind) = members.take_text("type") else {
            return invalid(format!("No type: {}", members.shown()));
        };
        if let Some(primitive) = Primitive::of_name(&kind) {
            return Ok(Type::Primitive { primitive, attributes: members.into_attributes(&[]) });
        }
        match kind.as_str() {
            "array" => {
                let Some(items) = members.take("items") else {
                    return invalid(format!("Array has no items type: {}", members.shown()));
                };
                let items = Box::new(self.parse_type(items, namespace)?);
                Ok(Type::Array { items, attributes: members.into_attributes(&[]) })
            }
            "map" => {
                let Some(values) = members.take("values") else {
                    return invalid(format!("Map has no values type: {}", members.shown()));
                };
                let values = Box::new(self.parse_type(values, namespace)?);
                Ok(Type::Map { values, attributes: members.into_attributes(&[]) })
            }
            "record" | "error" | "enum" | "fixed" => self.parse_named(&kind, members, namespace),
            // As older versions of the language allowed: {"type":"Name"}.
            name => self.find(name, namespace),
        }
    }

    fn parse_union(
        &mut self,
        branches: Vec<Json>,
        namespace: Option<&str>,
    ) -> Result<Type, InvalidSchema> {
        let branches = branches
            .into_iter()
            .map(|branch| self.parse_type(branch, namespace))
            .collect::<Result<Vec<_>, _>>()?;
        let mut names = HashSet::new();
        for branch in &branches {
            if matches!(branch, Type::Union(_)) {
                return invalid("Nested union: a union may not directly hold a union");
            }
            let name = self.types.branch_name(branch);
            if !names.insert(name) {
                return invalid(format!("Duplicate in union: {name}"));
            }
        }
        Ok(Type::Union(branches))
    }

    fn parse_named(
        &mut self,
        kind: &str,
        mut members: Members,
        namespace: Option<&str>,
    ) -> Result<Type, InvalidSchema> {
        let Some(name) = members.take_text("name") else {
            return invalid(format!("No name in schema: {}", members.shown()));
        };
        let own_namespace = members.take_text("namespace");
        let name = Name::new(&name, own_namespace.as_deref().or(namespace));
        if self.is_new() {
            let namespace = name.namespace.iter().flat_map(|namespace| namespace.split('.'));
            namespace.chain([name.simple.as_str()]).try_for_each(check_name)?;
        }
        let full_name = name.full();
        if Primitive::of_name(&full_name).is_some() {
            return invalid(format!("Schemas may not be named after primitives: {full_name}"));
        }
        let doc = members.take_text("doc");
        let mut known = HashSet::new();
        let mut aliases: Vec<Name> = members
            .take_texts("aliases")?
            .iter()
            .map(|alias| Name::new(alias, name.namespace.as_deref()))
            .collect();
        aliases.retain(|alias| known.insert(alias.clone()));

        // A name that is known may be defined again alike: that is a use of it.
        let place = self.names.get(&full_name).copied();
        let known = place.filter(|id| !self.undefined.contains_key(id));
        if known.is_some_and(|known| self.open.contains(&known)) {
            return invalid(format!("Can't redefine: {full_name}"));
        }
        let mut named = Named { aliases, doc, ..Named::undefined(name) };
        let id = match place {
            Some(id) => {
                self.undefined.remove(&id);
                id
            }
            None => {
                let id = self.types.push(named.clone());
                self.names.insert(named.full_name.clone(), id);
                id
            }
        };
        self.open.push(id);
        named.definition = match kind {
            "enum" => self.parse_enum(&named.full_name, &mut members)?,
            "fixed" => parse_fixed(&named.full_name, &mut members)?,
            _ => self.parse_record(&named.name, kind == "error", &mut members)?,
        };
        self.open.pop();
        // Of an enum `default` means something, of the others it is kept.
        named.attributes = members.into_attributes(if kind == "enum" { &["default"] } else { &[] });

        if known.is_none() {
            self.types.replace(id, named);
        } else if !self.same_definition(self.types.get(id), &named) {
            return invalid(format!("Can't redefine: {}", named.full_name));
        }
        Ok(Type::Named(id))
    }

    fn parse_record(
        &mut self,
        name: &Name,
        is_error: bool,
        members: &mut Members,
    ) -> Result<Definition, InvalidSchema> {
        let Some(Json::Array(texts)) = members.take("fields") else {
            return invalid(format!("Record has no fields: {}", name.full()));
        };
        let mut fields: Vec<Field> = Vec::with_capacity(texts.len());
        let mut names = HashMap::with_capacity(texts.len());
        for (place, text) in texts.into_iter().enumerate() {
            let Json::Object(text) = text else {
                return invalid(format!("Not a field of {}: {}", name.full(), shown(&text)));
            };
            let field = self.parse_field(name, Members(text))?;
            if let Some(first) = names.insert(field.name.clone(), place) {
                return invalid(format!(
                    "Duplicate field {} in record {}: at {first} and at {place}",
                    field.name,
                    name.full()
                ));
            }
            fields.push(field);
        }
        Ok(Definition::Record { fields, is_error })
    }

    fn parse_field(&mut self, record: &Name, mut members: Members) -> Result<Field, InvalidSchema> {
        let Some(name) = members.take_text("name") else {
            return invalid(format!("No field name in {}: {}", record.full(), members.shown()));
        };
        if self.is_new() {
            check_name(&name)?;
        }
        let Some(schema) = members.take("type") else {
            return invalid(format!("No field type: {name} of {}", record.full()));
        };
        let place = format!(" (type of field {name} of {})", record.full());
        let outer = std::mem::replace(&mut self.field, place);
        let schema = self.parse_type(schema, record.namespace.as_deref())?;
        self.field = outer;
        let order = match members.take("order") {
            None => Order::Ascending,
            Some(order) => match order.as_str().and_then(Order::of_name) {
                Some(order) => order,
                None => {
                    return invalid(format!("Unknown order of field {name}: {}", shown(&order)));
                }
            },
        };
        let default = match members.take("default") {
            Some(Json::String(text)) if is_floating(&schema) => Some(floating_default(text)?),
            default => default,
        };
        Ok(Field {
            aliases: members.take_texts("aliases")?,
            doc: members.take_text("doc"),
            default,
            order,
            schema,
            attributes: members.into_field_attributes(),
            name,
        })
    }

    fn parse_enum(&self, name: &str, members: &mut Members) -> Result<Definition, InvalidSchema> {
        let Some(Json::Array(texts)) = members.take("symbols") else {
            return invalid(format!("Enum has no symbols: {name}"));
        };
        let mut symbols = Vec::with_capacity(texts.len());
        let mut known = HashSet::with_capacity(texts.len());
        for text in texts {
            let Json::String(symbol) = text else {
                return invalid(format!("Symbol of {name} is not a string: {}", shown(&text)));
            };
            if self.is_new() {
                check_name(&symbol)?;
            }
            if !known.insert(symbol.clone()) {
                return invalid(format!("Duplicate enum symbol: {symbol} in {name}"));
            }
            symbols.push(symbol);
        }
        let default = members.take_text("default");
        match &default {
            Some(default) if !known.contains(default) => invalid(format!(
                "The Enum Default: {default} is not in the enum symbol set of {name}"
            )),
            _ => Ok(Definition::Enum { symbols, default }),
        }
    }

    /// Whether a second definition says the same as the first. Docs and
    /// aliases may differ.
    fn same_definition(&self, one: &Named, two: &Named) -> bool {
        let same = match (&one.definition, &two.definition) {
            (
                Definition::Record { fields: one, is_error: one_is_error },
                Definition::Record { fields: two, is_error: two_is_error },
            ) => {
                one_is_error == two_is_error
                    && one.len() == two.len()
                    && one.iter().zip(two).all(|(one, two)| {
                        one.name == two.name
                            && one.order == two.order
                            && same_default(&one.default, &two.default)
                            && same_attributes(&one.attributes, &two.attributes)
                            && same_type(&one.schema, &two.schema)
                    })
            }
            (Definition::Enum { symbols: one, .. }, Definition::Enum { symbols: two, .. }) => {
                one == two
            }
            (Definition::Fixed { size: one }, Definition::Fixed { size: two }) => one == two,
            _ => false,
        };
        same && same_attributes(&one.attributes, &two.attributes)
    }
}

/// How deep the text of a schema is when each type is written where it is
/// first used, which need not be where it was defined.
struct Nesting<'a> {
    types: &'a Types,
    is_written: Vec<bool>,
}

impl<'a> Nesting<'a> {
    fn new(types: &'a Types) -> Self {
        let is_written = (0..types.len()).map(|id| types.is_referenced(id)).collect();
        Self { types, is_written }
    }

    /// Whether the text can be parsed again.
    fn schema(&mut self, schema: &Type, depth: usize) -> bool {
        if depth > lossless_json::MAX_DEPTH {
            return false;
        }
        match schema {
            Type::Primitive { .. } => true,
            Type::Array { items: inner, .. } | Type::Map { values: inner, .. } => {
                self.schema(inner, depth + 1)
            }
            Type::Union(branches) => branches.iter().all(|branch| self.schema(branch, depth + 1)),
            Type::Named(id) => match &self.types.get(*id).definition {
                Definition::Record { fields, .. } => {
                    let is_written =
                        self.is_written.get_mut(*id).map(|done| std::mem::replace(done, true));
                    // The object, its fields, and each of them.
                    is_written == Some(true)
                        || fields.iter().all(|field| self.schema(&field.schema, depth + 3))
                }
                Definition::Enum { .. } | Definition::Fixed { .. } => true,
            },
        }
    }
}

fn parse_fixed(name: &str, members: &mut Members) -> Result<Definition, InvalidSchema> {
    let size = members.take("size");
    let digits = match &size {
        Some(Json::Number(digits)) => digits.as_str(),
        _ => "",
    };
    match digits.parse::<i32>().ok().and_then(|size| usize::try_from(size).ok()) {
        Some(size) => Ok(Definition::Fixed { size }),
        None => invalid(format!("Invalid or no size: {name}")),
    }
}

fn same_type(one: &Type, two: &Type) -> bool {
    match (one, two) {
        (
            Type::Primitive { primitive: one, attributes: one_attributes },
            Type::Primitive { primitive: two, attributes: two_attributes },
        ) => one == two && same_attributes(one_attributes, two_attributes),
        (
            Type::Array { items: one, attributes: one_attributes },
            Type::Array { items: two, attributes: two_attributes },
        )
        | (
            Type::Map { values: one, attributes: one_attributes },
            Type::Map { values: two, attributes: two_attributes },
        ) => same_attributes(one_attributes, two_attributes) && same_type(one, two),
        (Type::Union(one), Type::Union(two)) => {
            one.len() == two.len() && one.iter().zip(two).all(|(one, two)| same_type(one, two))
        }
        (Type::Named(one), Type::Named(two)) => one == two,
        _ => false,
    }
}

fn same_default(one: &Option<Json>, two: &Option<Json>) -> bool {
    match (one, two) {
        (Some(one), Some(two)) => one.same_value(two),
        (None, None) => true,
        _ => false,
    }
}

fn same_attributes(one: &Attributes, two: &Attributes) -> bool {
    // Most have none.
    one.len() == two.len()
        && (one.is_empty() || Json::Object(one.clone()).same_value(&Json::Object(two.clone())))
}

/// `[A-Za-z_][A-Za-z0-9_]*`, as the specification has it.
fn check_name(name: &str) -> Result<(), InvalidSchema> {
    let is_letter = |char: char| char.is_ascii_alphabetic() || char == '_';
    match name.chars().next() {
        None => return invalid("Empty name"),
        Some(first) if !is_letter(first) => {
            return invalid(format!("Illegal initial character: {name}"));
        }
        Some(_) => {}
    }
    if name.chars().all(|char| is_letter(char) || char.is_ascii_digit()) {
        Ok(())
    } else {
        invalid(format!("Illegal character in: {name}"))
    }
}

pub(super) fn invalid<T>(reason: impl Into<String>) -> Result<T, InvalidSchema> {
    Err(InvalidSchema(reason.into()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::avro::AvroSchema;

    fn check(text: &str) -> Result<AvroSchema, String> {
        AvroSchema::parse(text, &[], Strictness::New).map_err(|error| error.0)
    }

    fn field(schema: &str, default: &str) -> String {
        format!(
            r#"{{"type":"record","name":"R","fields":[{{"name":"a","type":{schema},"default":{default}}}]}}"#
        )
    }

    #[test]
    fn what_breaks_a_rule_is_refused_with_its_name() {
        for (text, expected) in [
            ("string", "not JSON"),
            ("", "not JSON"),
            ("1", "Not a schema: 1"),
            ("null", "Not a schema: null"),
            ("{}", "No type: {}"),
            (r#"{"type":{"type":"int"}}"#, "No type"),
            ("\"strin\"", "Undefined name: \"strin\""),
            (r#"{"type":"rec"}"#, "Undefined name: \"rec\""),
            (r#"{"type":"record","fields":[]}"#, "No name in schema"),
            (r#"{"type":"record","name":"R"}"#, "Record has no fields: R"),
            (r#"{"type":"record","name":"R","fields":{}}"#, "Record has no fields: R"),
            (r#"{"type":"record","name":"R","fields":[1]}"#, "Not a field of R: 1"),
            (r#"{"type":"record","name":"R","fields":[{"type":"int"}]}"#, "No field name"),
            (r#"{"type":"record","name":"R","fields":[{"name":"a"}]}"#, "No field type: a of R"),
            (
                r#"{"type":"record","name":"R","fields":[{"name":"a","type":"array","items":"int"}]}"#,
                "Undefined name: \"array\" (type of field a of R) (a type with parts is an object",
            ),
            (
                r#"{"type":"record","name":"R","fields":[{"name":"a","type":"int"},{"name":"a","type":"int"}]}"#,
                "Duplicate field a in record R",
            ),
            (
                r#"{"type":"record","name":"R","fields":[{"name":"a","type":"int","order":"up"}]}"#,
                "Unknown order of field a",
            ),
            (r#"{"type":"record","name":"R","aliases":"x","fields":[]}"#, "aliases not an array"),
            (r#"{"type":"record","name":"R","aliases":[1],"fields":[]}"#, "aliases holds"),
            (r#"{"type":"record","name":"1R","fields":[]}"#, "Illegal initial character: 1R"),
            (r#"{"type":"record","name":"R-S","fields":[]}"#, "Illegal character in: R-S"),
            (r#"{"type":"record","name":"Ä","fields":[]}"#, "Illegal initial character: Ä"),
            (r#"{"type":"record","name":"","fields":[]}"#, "Empty name"),
            (r#"{"type":"record","name":"a..R","fields":[]}"#, "Empty name"),
            (
                r#"{"type":"record","name":"R","namespace":"a-b","fields":[]}"#,
                "Illegal character in: a-b",
            ),
            (r#"{"type":"record","name":"int","fields":[]}"#, "named after primitives: int"),
            (
                r#"{"type":"record","name":"R","fields":[{"name":"a b","type":"int"}]}"#,
                "Illegal character in: a b",
            ),
            (r#"{"type":"enum","name":"E"}"#, "Enum has no symbols: E"),
            (r#"{"type":"enum","name":"E","symbols":["A","A"]}"#, "Duplicate enum symbol: A"),
            (r#"{"type":"enum","name":"E","symbols":[1]}"#, "not a string"),
            (r#"{"type":"enum","name":"E","symbols":["A-B"]}"#, "Illegal character in: A-B"),
            (r#"{"type":"enum","name":"E","symbols":["A"],"default":"B"}"#, "The Enum Default: B"),
            (r#"{"type":"fixed","name":"F"}"#, "Invalid or no size: F"),
            (r#"{"type":"fixed","name":"F","size":-1}"#, "Invalid or no size: F"),
            (r#"{"type":"fixed","name":"F","size":1.0}"#, "Invalid or no size: F"),
            (r#"{"type":"fixed","name":"F","size":"1"}"#, "Invalid or no size: F"),
            (r#"{"type":"array"}"#, "Array has no items type"),
            (r#"{"type":"map"}"#, "Map has no values type"),
            (r#"["int",["null"]]"#, "Nested union"),
            (r#"["int","int"]"#, "Duplicate in union: int"),
            (
                r#"[{"type":"array","items":"int"},{"type":"array","items":"long"}]"#,
                "Duplicate in union: array",
            ),
            (r#"[{"type":"fixed","name":"F","size":1},"F"]"#, "Duplicate in union: F"),
            (r#"["B",{"type":"fixed","name":"B","size":1}]"#, "Duplicate in union: B"),
            (
                r#"{"type":"record","name":"x.R","fields":[{"name":"a","type":["null","B"]}]}"#,
                "Undefined name: \"x.B\" (type of field a of x.R)",
            ),
            (
                r#"[{"type":"record","name":"x.R","fields":[{"name":"a","type":"B"}]},{"type":"fixed","name":"B","size":1}]"#,
                "Undefined name: \"x.B\" (type of field a of x.R)",
            ),
            (
                r#"{"type":"record","name":"R","fields":[{"name":"a","type":{"type":"fixed","name":"X","size":1}},{"name":"b","type":{"type":"fixed","name":"X","size":2}}]}"#,
                "Can't redefine: X",
            ),
            (
                r#"{"type":"record","name":"R","fields":[{"name":"a","type":{"type":"record","name":"R","fields":[]}}]}"#,
                "Can't redefine: R",
            ),
            ("\"int\" x", "not JSON"),
        ] {
            let error = check(text).expect_err(text);
            assert!(error.contains(expected), "{text}: {error}");
        }
    }

    #[test]
    fn what_only_looks_wrong_is_accepted() {
        for text in [
            "[]",
            r#"{"type":"string","logicalType":"date"}"#,
            r#"{"type":"record","name":"R","doc":1,"fields":[]}"#,
            r#"{"type":"enum","name":"E","symbols":[]}"#,
            r#"{"type":"fixed","name":"F","size":0}"#,
            r#"{"type":"record","name":"R","fields":[{"name":"n","type":["null","R"],"default":null}]}"#,
            // A name without namespace is found from inside one.
            r#"[{"type":"fixed","name":"F","size":1},{"type":"record","name":"x.R","fields":[{"name":"a","type":"F"}]}]"#,
            r#"[{"type":"fixed","name":"F","size":1},{"type":"record","name":"R","fields":[{"name":"a","type":{"type":"F"}}]}]"#,
            // Defined twice alike, docs aside.
            r#"{"type":"record","name":"R","fields":[{"name":"a","type":{"type":"record","name":"N","fields":[{"name":"m","type":["null","N"]}]}},{"name":"b","type":{"type":"record","name":"N","doc":"x","fields":[{"name":"m","type":["null","N"]}]}}]}"#,
        ] {
            assert!(check(text).is_ok(), "{text}: {:?}", check(text).err());
        }
    }

    #[test]
    fn defaults_fit_their_types() {
        let record = r#"{"type":"record","name":"N","fields":[{"name":"x","type":"int"},{"name":"y","type":"int","default":1}]}"#;
        let recursive =
            r#"{"type":"record","name":"N","fields":[{"name":"n","type":"N","default":{}}]}"#;
        let array = r#"{"type":"array","items":"int"}"#;
        let map = r#"{"type":"map","values":"int"}"#;
        let symbol = r#"{"type":"enum","name":"E","symbols":["A"]}"#;
        let fixed = r#"{"type":"fixed","name":"F","size":1}"#;
        for (schema, default, fits) in [
            ("\"null\"", "null", true),
            ("\"null\"", "0", false),
            ("\"boolean\"", "true", true),
            ("\"boolean\"", "\"true\"", false),
            ("\"int\"", "2147483647", true),
            ("\"int\"", "2147483648", false),
            ("\"int\"", "1.0", false),
            ("\"int\"", "\"1\"", false),
            ("\"long\"", "-9223372036854775808", true),
            ("\"long\"", "9223372036854775808", false),
            ("\"long\"", "1e3", false),
            ("\"float\"", "1", true),
            ("\"float\"", "\"1.5\"", true),
            ("\"float\"", "\"x\"", false),
            ("\"double\"", "\"NaN\"", true),
            ("\"double\"", "true", false),
            ("\"bytes\"", "\"\\u00ff\"", true),
            ("\"bytes\"", "[1]", false),
            ("\"string\"", "\"\"", true),
            ("\"string\"", "null", false),
            (symbol, "\"A\"", true),
            (symbol, "0", false),
            (fixed, "\"a\"", true),
            (fixed, "1", false),
            (array, "[1,2]", true),
            (array, "[1,null]", false),
            (array, "{}", false),
            (map, r#"{"a":1}"#, true),
            (map, r#"{"a":"b"}"#, false),
            (map, "[]", false),
            (record, r#"{"x":1}"#, true),
            (record, r#"{"y":1}"#, false),
            (record, "[]", false),
            (recursive, "{}", false),
            (r#"["null","string"]"#, "null", true),
            (r#"["null","string"]"#, "\"x\"", true),
            (r#"["null","string"]"#, "1", false),
        ] {
            let text = field(schema, default);
            assert_eq!(check(&text).is_ok(), fits, "{schema} {default}: {:?}", check(&text).err());
            // Names and defaults of what is stored were checked by its registry.
            assert_eq!(
                AvroSchema::parse(&text, &[], Strictness::Stored).is_ok(),
                default != "\"x\"" || fits,
                "{text}"
            );
        }
        // Each record leaves out two of the one before: 2^40 defaults in all.
        let mut types = vec![r#"{"type":"record","name":"R0","fields":[]}"#.to_owned()];
        for at in 1..40 {
            let parent = at - 1;
            types.push(format!(
                r#"{{"type":"record","name":"R{at}","fields":[{{"name":"a","type":"R{parent}","default":{{}}}},{{"name":"b","type":"R{parent}","default":{{}}}}]}}"#
            ));
        }
        assert!(check(&format!("[{}]", types.join(","))).is_ok());
        let error = check(&field("\"int\"", "\"x\"")).unwrap_err();
        assert_eq!(error, r#"Invalid default for field a of R: "x" not a "int""#);
        let stored = r#"{"type":"record","name":"a-b","fields":[{"name":"1","type":"int"}]}"#;
        assert!(AvroSchema::parse(stored, &[], Strictness::Stored).is_ok());
    }

    fn reference(name: &str, text: &str, references: Vec<ResolvedReference>) -> ResolvedReference {
        ResolvedReference { name: name.into(), text: text.into(), references }
    }

    #[test]
    fn references_define_names() {
        let color =
            reference("Color", r#"{"type":"enum","name":"c.Color","symbols":["RED"]}"#, vec![]);
        let item = reference(
            "anything",
            r#"{"type":"record","name":"s.Item","fields":[{"name":"c","type":"c.Color"}]}"#,
            vec![color.clone()],
        );
        let text = r#"{"type":"record","name":"s.Order","fields":[{"name":"i","type":"Item"},{"name":"c","type":"c.Color"}]}"#;
        // The same text may be reached by two paths; a name may be any.
        for references in [vec![item.clone()], vec![color.clone(), item.clone()], vec![item, color]]
        {
            assert!(AvroSchema::parse(text, &references, Strictness::New).is_ok());
        }
        let unknown = reference(
            "x",
            r#"{"type":"record","name":"X","fields":[{"name":"a","type":"Y"}]}"#,
            vec![],
        );
        let error = AvroSchema::parse("\"X\"", &[unknown], Strictness::New).unwrap_err();
        assert!(error.0.contains("Undefined name: \"Y\""), "{error}");
        let other = reference("c", r#"{"type":"enum","name":"E","symbols":["A"]}"#, vec![]);
        let text = r#"{"type":"enum","name":"E","symbols":["B"]}"#;
        let error = AvroSchema::parse(text, &[other], Strictness::New).unwrap_err();
        assert!(error.0.contains("Can't redefine: E"), "{error}");
    }

    #[test]
    fn hostile_schemas_are_refused_with_a_short_sentence() {
        let nested =
            |open: &str, close: &str| open.repeat(100_000) + "\"int\"" + &close.repeat(100_000);
        let mut chain = reference("r", "\"int\"", vec![]);
        for _ in 0..1_000 {
            chain = reference("r", "\"int\"", vec![chain]);
        }
        let error = AvroSchema::parse("\"int\"", &[chain], Strictness::New).unwrap_err();
        assert_eq!(error.0, "References are nested too deep");
        let long = "x".repeat(10 << 20);
        for text in [
            nested(r#"{"type":"array","items":"#, "}"),
            nested("[", "]"),
            nested(r#"{"type":"record","name":"R","fields":[{"name":"a","type":"#, "}]}"),
            "[".repeat(100_000),
            format!("\"{long}\""),
            format!(r#"{{"type":"{long}"}}"#),
            format!(r#"{{"type":"record","name":"{long}!","fields":[]}}"#),
            format!(r#"{{"x":"{long}"}}"#),
            field("\"int\"", &format!("\"{long}\"")),
        ] {
            let error = check(&text).expect_err("refused");
            assert!(error.len() < 600, "{} bytes", error.len());
        }
        // A short text whose types lie in each other because of their order.
        let chain = |length: usize| {
            let types: Vec<String> = (0..length)
                .map(|at| {
                    let next = at + 1;
                    format!(
                        r#"{{"type":"record","name":"R{at}","fields":[{{"name":"v","type":"R{next}"}}]}}"#
                    )
                })
                .collect();
            format!(r#"[{},{{"type":"fixed","name":"R{length}","size":1}}]"#, types.join(","))
        };
        let text = check(&chain(80)).unwrap().canonical_text();
        assert_eq!(check(&text).unwrap().canonical_text(), text);
        assert!(check(&chain(10_000)).unwrap_err().contains("nested too deep"));
        // Large is not hostile.
        assert!(
            check(&format!(r#"{{"type":"record","name":"R","doc":"{long}","fields":[]}}"#)).is_ok()
        );
        let aliases: Vec<String> = (0..200_000).map(|at| format!("\"a{at}\"")).collect();
        let aliases = aliases.join(",");
        let text = format!(
            r#"{{"type":"record","name":"R","aliases":[{aliases}],"fields":[{{"name":"f","type":"int","aliases":[{aliases}]}}]}}"#
        );
        assert!(check(&text).is_ok());
    }
}
