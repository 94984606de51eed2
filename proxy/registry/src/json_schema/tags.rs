//! Tags of objects and properties.
//!
//! The path to one names the kinds of the schemas on the way and, behind
//! `object`, the property: `object.items.array.object.id`. A part of a
//! combination has its index (`oneof.0.object`) in the order of kinds, titles,
//! descriptions and defaults, since the order in the text means nothing.

use crate::lossless_json::Json;
use crate::schema::InvalidSchema;
use crate::tags::{
    EntityType, SchemaEntity, SchemaTags, TagChanges, TaggedEntities, of_attributes,
};

const COMBINATIONS: [(&str, &str); 3] =
    [("allOf", "allof"), ("anyOf", "anyof"), ("oneOf", "oneof")];
const CONDITIONS: [&str; 3] = ["if", "then", "else"];
const DEFINITIONS: [&str; 2] = ["definitions", "$defs"];

pub(super) fn tagged_entities(root: &Json) -> Result<Vec<SchemaTags>, InvalidSchema> {
    let mut walk = Walk { path: String::new(), tagged: TaggedEntities::default() };
    walk.schema(root, false)?;
    Ok(walk.tagged.into_found())
}

/// The schema with other tags.
pub(super) fn changed(root: &Json, changes: &TagChanges) -> Result<Json, InvalidSchema> {
    let mut changed = root.clone();
    for change in changes.each()? {
        let entity = change.entity();
        let found = find(&mut changed, entity, entity.path()).and_then(Json::members_mut);
        change.apply_to_attributes(found.ok_or_else(|| entity.not_found())?);
    }
    Ok(changed)
}

/// A way through a schema. `$ref`s are not followed: what they lead to has a
/// path of its own.
struct Walk {
    /// The path of the schema that is looked at, with a dot behind it.
    path: String,
    tagged: TaggedEntities,
}

impl Walk {
    /// `is_property`: its tags are those of the property.
    fn schema(&mut self, schema: &Json, is_property: bool) -> Result<(), InvalidSchema> {
        for (keyword, step) in COMBINATIONS {
            let parts = schema.get(keyword).and_then(Json::as_array).unwrap_or_default();
            for (index, place) in order_of_parts(parts).into_iter().enumerate() {
                let Some(part) = parts.get(place) else { continue };
                self.within(&[step, ".", &index.to_string(), "."], part, false)?;
            }
        }
        if let Some(items @ Json::Object(_)) = schema.get("items") {
            self.within(&["array."], items, false)?;
        }
        if is_object(schema) {
            if !is_property {
                let tags = of_attributes(schema.members());
                self.tagged.note(&[&self.path, "object"], EntityType::Record, tags)?;
            }
            for (name, property) in schema.get("properties").map_or(&[][..], Json::members) {
                let tags = of_attributes(property.members());
                self.tagged.note(&[&self.path, "object.", name], EntityType::Field, tags)?;
                self.within(&["object.", name, "."], property, true)?;
            }
        }
        for keyword in DEFINITIONS {
            for (name, definition) in schema.get(keyword).map_or(&[][..], Json::members) {
                self.within(&["object.", keyword, ".", name, "."], definition, false)?;
            }
        }
        for keyword in CONDITIONS {
            if let Some(part) = schema.get(keyword) {
                self.within(&["conditional.", keyword, "."], part, false)?;
            }
        }
        match schema.get("not") {
            Some(part) => self.within(&["not."], part, false),
            None => Ok(()),
        }
    }

    fn within(
        &mut self,
        steps: &[&str],
        schema: &Json,
        is_property: bool,
    ) -> Result<(), InvalidSchema> {
        let length = self.path.len();
        self.path.extend(steps.iter().copied());
        let outcome = self.schema(schema, is_property);
        self.path.truncate(length);
        outcome
    }
}

fn is_object(schema: &Json) -> bool {
    let kinds = schema.get("type");
    kinds.and_then(Json::as_str) == Some("object")
        || kinds
            .and_then(Json::as_array)
            .is_some_and(|kinds| kinds.iter().any(|kind| kind.as_str() == Some("object")))
        || (kinds.is_none() && schema.get("properties").is_some())
}

/// The part that the rest of a path leads to.
fn find<'a>(schema: &'a mut Json, entity: &SchemaEntity, path: &str) -> Option<&'a mut Json> {
    let (step, rest) = path.split_once('.').unwrap_or((path, ""));
    match step {
        "object" if rest.is_empty() => (entity.entity_type == EntityType::Record).then_some(schema),
        "object" => {
            let definitions = DEFINITIONS.into_iter().find_map(|keyword| {
                Some((keyword, rest.strip_prefix(keyword)?.strip_prefix('.')?))
            });
            let (keyword, rest) = definitions.unwrap_or(("properties", rest));
            let (part, rest) = member(schema.get_mut(keyword)?, rest)?;
            if rest.is_empty() { Some(part) } else { find(part, entity, rest) }
        }
        "array" => find(schema.get_mut("items")?, entity, rest),
        "not" => find(schema.get_mut("not")?, entity, rest),
        "conditional" => {
            let (keyword, rest) = rest.split_once('.')?;
            let keyword = CONDITIONS.into_iter().find(|other| *other == keyword)?;
            find(schema.get_mut(keyword)?, entity, rest)
        }
        _ => {
            let (keyword, _) = COMBINATIONS.into_iter().find(|(_, other)| *other == step)?;
            let (index, rest) = rest.split_once('.')?;
            let index: usize = index.parse().ok()?;
            // A schema of several types, or with keywords of several kinds, is
            // a combination without saying so.
            if !matches!(schema.get(keyword), Some(Json::Array(_))) {
                return find(schema, entity, rest);
            }
            let Some(Json::Array(parts)) = schema.get_mut(keyword) else { return None };
            let place = *order_of_parts(parts).get(index)?;
            find(parts.get_mut(place)?, entity, rest)
        }
    }
}

/// The member whose name the path begins with; names may hold dots, and the
/// shortest that fits is meant.
fn member<'a, 'p>(members: &'a mut Json, path: &'p str) -> Option<(&'a mut Json, &'p str)> {
    let rest_behind = |name: &str| match path.strip_prefix(name)? {
        "" => Some(""),
        rest => rest.strip_prefix('.'),
    };
    let fits = members.members_mut()?.iter_mut().filter_map(|(name, member)| {
        let rest = rest_behind(name)?;
        Some((member, rest))
    });
    fits.max_by_key(|(_, rest)| rest.len())
}

/// The places of the parts of a combination in the order of their indexes.
fn order_of_parts(parts: &[Json]) -> Vec<usize> {
    let text = |part: &Json, name| part.get(name).map(Json::to_text);
    let key = |part: &Json| {
        (kind(part), text(part, "title"), text(part, "description"), text(part, "default"))
    };
    let mut places: Vec<usize> = (0..parts.len()).collect();
    places.sort_by_cached_key(|place| parts.get(*place).map(key));
    places
}

/// The kind of a schema, in words that sort as the kinds do.
fn kind(schema: &Json) -> &'static str {
    let has = |name| schema.get(name).is_some();
    match schema.get("type") {
        _ if has("$ref") => "reference",
        _ if COMBINATIONS.iter().any(|(keyword, _)| has(keyword)) => "combined",
        _ if has("if") => "conditional",
        _ if has("const") => "const",
        _ if has("enum") => "enum",
        _ if has("not") => "not",
        Some(Json::Array(_)) => "combined",
        Some(Json::String(kind)) => match kind.as_str() {
            "array" => "array",
            "boolean" => "boolean",
            "null" => "null",
            "object" => "object",
            "string" => "string",
            _ => "number",
        },
        _ if *schema == Json::Bool(false) => "false",
        _ if *schema == Json::Bool(true) => "true",
        _ if has("properties") => "object",
        _ if has("items") => "array",
        _ => "empty",
    }
}

#[cfg(test)]
mod tests {
    use crate::json_schema::JsonSchema;
    use crate::schema::Strictness;
    use crate::tags::{add, remove, shown};

    const ORDER: &str = r##"{"type":"object","properties":{"a.b":{"type":"integer","confluent:tags":["KEY"]},"items":{"type":"array","items":{"type":"object","properties":{"x":{"type":"string"}}}},"of":{"oneOf":[{"type":"string"},{"type":"object","properties":{"y":{"type":"null"}}},{"type":"null"}]},"d":{"$ref":"#/definitions/D"}},"definitions":{"D":{"type":["null","object"],"properties":{"z":{"type":"string"}}}},"not":{"type":"object","properties":{"n":{}}},"if":{"properties":{"i":{}}}}"##;

    #[test]
    fn tags_are_written_where_the_path_leads() {
        let schema = JsonSchema::parse(ORDER, &[], Strictness::New).unwrap();
        for (changes, expected) in [
            (add("object", false, "A"), "object=A object.a.b=KEY"),
            (add("object.a.b", true, "A"), "object.a.b=KEY,A"),
            (
                add("object.items.array.object.x", true, "A"),
                "object.a.b=KEY object.items.array.object.x=A",
            ),
            // Of null, object and string the object is the second.
            (
                add("object.of.oneof.1.object.y", true, "A"),
                "object.a.b=KEY object.of.oneof.1.object.y=A",
            ),
            (
                add("object.definitions.D.object.z", true, "A"),
                "object.a.b=KEY object.definitions.D.object.z=A",
            ),
            (
                add("object.definitions.D.anyof.1.object", false, "A"),
                "object.a.b=KEY object.definitions.D.object=A",
            ),
            (add("not.object.n", true, "A"), "object.a.b=KEY not.object.n=A"),
            (add("conditional.if.object.i", true, "A"), "object.a.b=KEY conditional.if.object.i=A"),
            (remove("object.a.b", true, "KEY"), ""),
        ] {
            let text = schema.with_tags(&changes).unwrap();
            let tagged = JsonSchema::parse(&text, &[], Strictness::New).unwrap();
            assert_eq!(shown(&tagged.tagged_entities().unwrap()), expected, "{changes:?}");
        }
        for path in ["object.x", "array.object", "object.of.oneof.9.object.y", "x", ""] {
            let refused = schema.with_tags(&add(path, true, "A")).unwrap_err();
            assert!(refused.0.contains("No matching path"), "{path}");
        }
    }
}
