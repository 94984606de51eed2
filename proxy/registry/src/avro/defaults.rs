//! Whether the default of a field fits its type.

use std::collections::HashMap;

use super::members::shown;
use super::number::java_double;
use super::parser::invalid;
use super::schema::{Definition, Field, NamedId, Primitive, Type, Types};
use crate::lossless_json::Json;
use crate::schema::InvalidSchema;

/// How deep a default may lie in the defaults of the fields it leaves out.
const MAX_DEPTH: usize = 64;

/// Whether the defaults of all fields that the schema itself defines fit.
pub(super) fn check_defaults(types: &Types) -> Result<(), InvalidSchema> {
    let mut check = Check { types, verdicts: HashMap::new(), depth: 0 };
    for id in types.own() {
        let named = types.get(id);
        let Definition::Record { fields, .. } = &named.definition else { continue };
        for (place, field) in fields.iter().enumerate() {
            let Some(default) = &field.default else { continue };
            if !check.own_default(id, place, field) {
                return invalid(format!(
                    "Invalid default for field {} of {}: {} not a {}",
                    field.name,
                    named.full_name,
                    shown(default),
                    expected(types, &field.schema),
                ));
            }
        }
    }
    Ok(())
}

/// What a default should have been, in short.
fn expected(types: &Types, schema: &Type) -> String {
    match schema {
        Type::Union(branches) => {
            let names: Vec<_> = branches.iter().map(|branch| types.branch_name(branch)).collect();
            format!("[\"{}\"]", names.join("\",\""))
        }
        other => format!("\"{}\"", types.branch_name(other)),
    }
}

struct Check<'a> {
    types: &'a Types,
    /// Of the default of a field, by record and place. One that is still being
    /// looked at would be part of itself: it counts as wrong.
    verdicts: HashMap<(NamedId, usize), bool>,
    depth: usize,
}

impl<'a> Check<'a> {
    /// Whether a field can be left out.
    fn own_default(&mut self, record: NamedId, place: usize, field: &'a Field) -> bool {
        let Some(default) = &field.default else { return false };
        if let Some(verdict) = self.verdicts.get(&(record, place)) {
            return *verdict;
        }
        if self.depth == MAX_DEPTH {
            return false;
        }
        self.verdicts.insert((record, place), false);
        self.depth += 1;
        let verdict = self.fits(&field.schema, default);
        self.depth -= 1;
        self.verdicts.insert((record, place), verdict);
        verdict
    }

    /// Recursion ends with the text of the default.
    fn fits(&mut self, schema: &'a Type, default: &'a Json) -> bool {
        match (schema, default) {
            (Type::Primitive { primitive, .. }, _) => primitive_fits(*primitive, default),
            (Type::Array { items, .. }, Json::Array(elements)) => {
                elements.iter().all(|element| self.fits(items, element))
            }
            (Type::Map { values, .. }, Json::Object(members)) => {
                members.iter().all(|(_, value)| self.fits(values, value))
            }
            // Any branch will do.
            (Type::Union(branches), _) => branches.iter().any(|branch| self.fits(branch, default)),
            (Type::Named(id), _) => match (&self.types.get(*id).definition, default) {
                (Definition::Fixed { .. } | Definition::Enum { .. }, Json::String(_)) => true,
                (Definition::Record { fields, .. }, Json::Object(members)) => {
                    let members: HashMap<&str, &Json> =
                        members.iter().map(|(name, value)| (name.as_str(), value)).collect();
                    fields.iter().enumerate().all(|(place, field)| {
                        match members.get(field.name.as_str()) {
                            Some(value) => self.fits(&field.schema, value),
                            None => self.own_default(*id, place, field),
                        }
                    })
                }
                _ => false,
            },
            _ => false,
        }
    }
}

fn primitive_fits(primitive: Primitive, default: &Json) -> bool {
    match (primitive, default) {
        (Primitive::Null, Json::Null)
        | (Primitive::Boolean, Json::Bool(_))
        | (Primitive::Bytes | Primitive::String, Json::String(_))
        | (Primitive::Float | Primitive::Double, Json::Number(_)) => true,
        (Primitive::Float | Primitive::Double, Json::String(text)) => is_not_finite(text),
        (Primitive::Int, Json::Number(digits)) => digits.parse::<i32>().is_ok(),
        (Primitive::Long, Json::Number(digits)) => digits.parse::<i64>().is_ok(),
        _ => false,
    }
}

pub(super) fn is_floating(schema: &Type) -> bool {
    matches!(schema, Type::Primitive { primitive: Primitive::Float | Primitive::Double, .. })
}

fn is_not_finite(text: &str) -> bool {
    matches!(text, "NaN" | "Infinity" | "-Infinity")
}

/// A number in quotes is a number, for floats only.
pub(super) fn floating_default(text: String) -> Result<Json, InvalidSchema> {
    if is_not_finite(&text) {
        return Ok(Json::String(text));
    }
    match text.trim().parse::<f64>() {
        Ok(number) if number.is_finite() => Ok(Json::Number(java_double(number))),
        _ => invalid(format!("Not a number in a default: \"{text}\"")),
    }
}
