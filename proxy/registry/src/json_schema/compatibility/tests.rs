//! Every rule, in both directions.

use std::collections::BTreeSet;

use super::super::JsonSchema;
use super::*;
use crate::schema::{ResolvedReference, Strictness};

fn parse(text: &str) -> JsonSchema {
    JsonSchema::parse(text, &[], Strictness::New).unwrap_or_else(|error| panic!("{error}: {text}"))
}

/// All differences, as `KIND path`, separated by `, `.
fn differences_between(old: &str, new: &str) -> BTreeSet<String> {
    let (old, new) = (parse(old), parse(new));
    differences(&old.model, &new.model, CompatibilityPolicy::Strict)
        .unwrap()
        .into_iter()
        .map(|(difference, path)| format!("{} {path}", difference.name()))
        .collect()
}

fn expected(list: &str) -> BTreeSet<String> {
    list.split(", ").filter(|entry| !entry.is_empty()).map(str::to_owned).collect()
}

/// Old, new, what differs from old to new, what differs from new to old.
type Row = (&'static str, &'static str, &'static str, &'static str);

const ANNOTATIONS: &[Row] = &[
    (r#"{"type":"null"}"#, r#"{"type":"null"}"#, "", ""),
    (
        r#"{"$id":"http://e/1","title":"a","description":"a","default":1,"type":"number"}"#,
        r#"{"type":"number","title":"b"}"#,
        "ID_CHANGED #/, TITLE_CHANGED #/, DESCRIPTION_CHANGED #/, DEFAULT_CHANGED #/",
        "ID_CHANGED #/, TITLE_CHANGED #/, DESCRIPTION_CHANGED #/, DEFAULT_CHANGED #/",
    ),
];

const TYPES: &[Row] = &[
    (r#"{"type":"string"}"#, "{}", "", "TYPE_CHANGED #/"),
    (r#"{"type":"string"}"#, "true", "", "TYPE_CHANGED #/"),
    ("true", "{}", "", ""),
    ("false", r#"{"type":"string"}"#, "", "TYPE_CHANGED #/"),
    ("false", "{}", "", "TYPE_CHANGED #/"),
    (r#"{"type":"string"}"#, r#"{"type":"boolean"}"#, "TYPE_CHANGED #/", "TYPE_CHANGED #/"),
    (r#"{"type":"integer"}"#, r#"{"type":"number"}"#, "TYPE_EXTENDED #/", "TYPE_NARROWED #/"),
    (
        r#"{"type":"integer","connect.type":"bytes"}"#,
        r#"{"type":"string","connect.type":"bytes"}"#,
        "",
        "",
    ),
    (
        r#"{"type":"integer","connect.type":"bytes"}"#,
        r#"{"type":"string"}"#,
        "TYPE_CHANGED #/",
        "TYPE_CHANGED #/",
    ),
    (
        r#"{"type":"array"}"#,
        r#"{"type":"array","items":{}}"#,
        "SCHEMA_ADDED #/items",
        "SCHEMA_REMOVED #/items",
    ),
    (
        r#"{"if":{"required":["a"]},"then":{"required":["b"]}}"#,
        r#"{"if":{"required":["a"]},"else":{"required":["c"]}}"#,
        "",
        "",
    ),
];

const STRINGS: &[Row] = &[
    (
        r#"{"type":"string"}"#,
        r#"{"type":"string","maxLength":3}"#,
        "MAX_LENGTH_ADDED #/maxLength",
        "MAX_LENGTH_REMOVED #/maxLength",
    ),
    (
        r#"{"type":"string","maxLength":2}"#,
        r#"{"type":"string","maxLength":3}"#,
        "MAX_LENGTH_INCREASED #/maxLength",
        "MAX_LENGTH_DECREASED #/maxLength",
    ),
    (
        r#"{"type":"string"}"#,
        r#"{"type":"string","minLength":3}"#,
        "MIN_LENGTH_ADDED #/minLength",
        "MIN_LENGTH_REMOVED #/minLength",
    ),
    (
        r#"{"type":"string","minLength":2}"#,
        r#"{"type":"string","minLength":3}"#,
        "MIN_LENGTH_INCREASED #/minLength",
        "MIN_LENGTH_DECREASED #/minLength",
    ),
    (
        r#"{"type":"string"}"#,
        r#"{"type":"string","pattern":"a"}"#,
        "PATTERN_ADDED #/pattern",
        "PATTERN_REMOVED #/pattern",
    ),
    (
        r#"{"type":"string","pattern":"b"}"#,
        r#"{"type":"string","pattern":"a"}"#,
        "PATTERN_CHANGED #/pattern",
        "PATTERN_CHANGED #/pattern",
    ),
];

const NUMBERS: &[Row] = &[
    (
        r#"{"type":"number"}"#,
        r#"{"type":"number","maximum":3}"#,
        "MAXIMUM_ADDED #/maximum",
        "MAXIMUM_REMOVED #/maximum",
    ),
    (
        r#"{"type":"number","maximum":2}"#,
        r#"{"type":"number","maximum":2.5}"#,
        "MAXIMUM_INCREASED #/maximum",
        "MAXIMUM_DECREASED #/maximum",
    ),
    (r#"{"type":"number","maximum":2}"#, r#"{"type":"number","maximum":2.0}"#, "", ""),
    (
        r#"{"type":"number"}"#,
        r#"{"type":"number","minimum":3}"#,
        "MINIMUM_ADDED #/minimum",
        "MINIMUM_REMOVED #/minimum",
    ),
    (
        r#"{"type":"number","minimum":2}"#,
        r#"{"type":"number","minimum":3}"#,
        "MINIMUM_INCREASED #/minimum",
        "MINIMUM_DECREASED #/minimum",
    ),
    (
        r#"{"type":"number"}"#,
        r#"{"type":"number","exclusiveMaximum":3}"#,
        "EXCLUSIVE_MAXIMUM_ADDED #/exclusiveMaximum",
        "EXCLUSIVE_MAXIMUM_REMOVED #/exclusiveMaximum",
    ),
    (
        r#"{"type":"number","exclusiveMaximum":2}"#,
        r#"{"type":"number","exclusiveMaximum":3}"#,
        "EXCLUSIVE_MAXIMUM_INCREASED #/exclusiveMaximum",
        "EXCLUSIVE_MAXIMUM_DECREASED #/exclusiveMaximum",
    ),
    (
        r#"{"type":"number"}"#,
        r#"{"type":"number","exclusiveMinimum":3}"#,
        "EXCLUSIVE_MINIMUM_ADDED #/exclusiveMinimum",
        "EXCLUSIVE_MINIMUM_REMOVED #/exclusiveMinimum",
    ),
    (
        r#"{"type":"number","exclusiveMinimum":2}"#,
        r#"{"type":"number","exclusiveMinimum":3}"#,
        "EXCLUSIVE_MINIMUM_INCREASED #/exclusiveMinimum",
        "EXCLUSIVE_MINIMUM_DECREASED #/exclusiveMinimum",
    ),
    (
        r#"{"type":"number"}"#,
        r#"{"type":"number","multipleOf":3}"#,
        "MULTIPLE_OF_ADDED #/multipleOf",
        "MULTIPLE_OF_REMOVED #/multipleOf",
    ),
    (
        r#"{"type":"number","multipleOf":0.1}"#,
        r#"{"type":"number","multipleOf":0.3}"#,
        "MULTIPLE_OF_EXPANDED #/multipleOf",
        "MULTIPLE_OF_REDUCED #/multipleOf",
    ),
    (
        r#"{"type":"number","multipleOf":2}"#,
        r#"{"type":"number","multipleOf":3}"#,
        "MULTIPLE_OF_CHANGED #/multipleOf",
        "MULTIPLE_OF_CHANGED #/multipleOf",
    ),
    (r#"{"type":"number","multipleOf":0.5}"#, r#"{"type":"number","multipleOf":0.50}"#, "", ""),
    (r#"{"type":"number","multipleOf":1e2}"#, r#"{"type":"number","multipleOf":100}"#, "", ""),
];

const OBJECTS: &[Row] = &[
    (
        r#"{"type":"object","properties":{"a":{"type":"null"}}}"#,
        r#"{"type":"object","properties":{"a":{"type":"null"}},"required":["a"]}"#,
        "REQUIRED_ATTRIBUTE_ADDED #/required/a",
        "REQUIRED_ATTRIBUTE_REMOVED #/required/a",
    ),
    (
        r#"{"type":"object","properties":{"a":{"type":"null","default":null}}}"#,
        r#"{"type":"object","properties":{"a":{"type":"null","default":null}},"required":["a"]}"#,
        "REQUIRED_ATTRIBUTE_WITH_DEFAULT_ADDED #/required/a",
        "REQUIRED_ATTRIBUTE_REMOVED #/required/a",
    ),
    // A required name without a property says nothing.
    (r#"{"type":"object"}"#, r#"{"type":"object","required":["a"]}"#, "", ""),
    (
        r#"{"type":"object"}"#,
        r#"{"type":"object","maxProperties":3}"#,
        "MAX_PROPERTIES_ADDED #/maxProperties",
        "MAX_PROPERTIES_REMOVED #/maxProperties",
    ),
    (
        r#"{"type":"object","maxProperties":2}"#,
        r#"{"type":"object","maxProperties":3}"#,
        "MAX_PROPERTIES_INCREASED #/maxProperties",
        "MAX_PROPERTIES_DECREASED #/maxProperties",
    ),
    (
        r#"{"type":"object"}"#,
        r#"{"type":"object","minProperties":3}"#,
        "MIN_PROPERTIES_ADDED #/minProperties",
        "MIN_PROPERTIES_REMOVED #/minProperties",
    ),
    (
        r#"{"type":"object","minProperties":2}"#,
        r#"{"type":"object","minProperties":3}"#,
        "MIN_PROPERTIES_INCREASED #/minProperties",
        "MIN_PROPERTIES_DECREASED #/minProperties",
    ),
    (
        r#"{"type":"object","additionalProperties":false}"#,
        r#"{"type":"object"}"#,
        "ADDITIONAL_PROPERTIES_ADDED #/additionalProperties",
        "ADDITIONAL_PROPERTIES_REMOVED #/additionalProperties",
    ),
    (
        r#"{"type":"object","additionalProperties":false}"#,
        r#"{"type":"object","additionalProperties":{"type":"null"}}"#,
        "ADDITIONAL_PROPERTIES_ADDED #/additionalProperties",
        "ADDITIONAL_PROPERTIES_REMOVED #/additionalProperties",
    ),
    (
        r#"{"type":"object","additionalProperties":{"type":"null"}}"#,
        r#"{"type":"object"}"#,
        "ADDITIONAL_PROPERTIES_EXTENDED #/additionalProperties",
        "ADDITIONAL_PROPERTIES_NARROWED #/additionalProperties",
    ),
    (
        r#"{"type":"object","additionalProperties":{"type":"integer"}}"#,
        r#"{"type":"object","additionalProperties":{"type":"number"}}"#,
        "TYPE_EXTENDED #/additionalProperties",
        "TYPE_NARROWED #/additionalProperties",
    ),
    (
        r#"{"type":"object"}"#,
        r#"{"type":"object","dependencies":{"a":["b"]}}"#,
        "DEPENDENCY_ARRAY_ADDED #/dependencies/a",
        "DEPENDENCY_ARRAY_REMOVED #/dependencies/a",
    ),
    (
        r#"{"type":"object","dependencies":{"a":["b"]}}"#,
        r#"{"type":"object","dependencies":{"a":["b","c"]}}"#,
        "DEPENDENCY_ARRAY_EXTENDED #/dependencies/a",
        "DEPENDENCY_ARRAY_NARROWED #/dependencies/a",
    ),
    (
        r#"{"type":"object","dependencies":{"a":["b"]}}"#,
        r#"{"type":"object","dependencies":{"a":["c"]}}"#,
        "DEPENDENCY_ARRAY_CHANGED #/dependencies/a",
        "DEPENDENCY_ARRAY_CHANGED #/dependencies/a",
    ),
    (
        r#"{"type":"object"}"#,
        r#"{"type":"object","dependencies":{"a":{"maxProperties":2}}}"#,
        "DEPENDENCY_SCHEMA_ADDED #/dependencies/a",
        "DEPENDENCY_SCHEMA_REMOVED #/dependencies/a",
    ),
    (
        r#"{"type":"object","dependencies":{"a":{"maxProperties":2}}}"#,
        r#"{"type":"object","dependencies":{"a":{"maxProperties":3}}}"#,
        "MAX_PROPERTIES_INCREASED #/dependencies/a/maxProperties",
        "MAX_PROPERTIES_DECREASED #/dependencies/a/maxProperties",
    ),
    (
        r#"{"$schema":"https://json-schema.org/draft/2020-12/schema","type":"object"}"#,
        r#"{"$schema":"https://json-schema.org/draft/2020-12/schema","type":"object","dependentSchemas":{"a":{"maxProperties":2}},"dependentRequired":{"b":["c"]}}"#,
        "DEPENDENCY_SCHEMA_ADDED #/dependencies/a, DEPENDENCY_ARRAY_ADDED #/dependencies/b",
        "DEPENDENCY_SCHEMA_REMOVED #/dependencies/a, DEPENDENCY_ARRAY_REMOVED #/dependencies/b",
    ),
    // Up to draft 7 these mean nothing.
    (r#"{"type":"object"}"#, r#"{"type":"object","dependentRequired":{"b":["c"]}}"#, "", ""),
];

const PROPERTIES: &[Row] = &[
    // The old (and, backwards, the new) schema is open.
    (
        r#"{"type":"object"}"#,
        r#"{"type":"object","properties":{"a":{}}}"#,
        "PROPERTY_WITH_EMPTY_SCHEMA_ADDED_TO_OPEN_CONTENT_MODEL #/properties/a",
        "PROPERTY_REMOVED_FROM_OPEN_CONTENT_MODEL #/properties/a",
    ),
    (
        r#"{"type":"object"}"#,
        r#"{"type":"object","properties":{"a":{"type":"null"}}}"#,
        "OPTIONAL_PROPERTY_ADDED_TO_OPEN_CONTENT_MODEL #/properties/a",
        "PROPERTY_REMOVED_FROM_OPEN_CONTENT_MODEL #/properties/a",
    ),
    (
        r#"{"type":"object"}"#,
        r#"{"type":"object","properties":{"a":{"type":"null"}},"required":["a"]}"#,
        "REQUIRED_PROPERTY_ADDED_TO_OPEN_CONTENT_MODEL #/properties/a",
        "PROPERTY_REMOVED_FROM_OPEN_CONTENT_MODEL #/properties/a",
    ),
    (
        r#"{"type":"object"}"#,
        r#"{"type":"object","properties":{"a":{"type":"null","default":null}},"required":["a"]}"#,
        "REQUIRED_PROPERTY_WITH_DEFAULT_ADDED_TO_OPEN_CONTENT_MODEL #/properties/a",
        "PROPERTY_REMOVED_FROM_OPEN_CONTENT_MODEL #/properties/a",
    ),
    // Closed.
    (
        r#"{"type":"object","additionalProperties":false}"#,
        r#"{"type":"object","additionalProperties":false,"properties":{"a":{"type":"null"}}}"#,
        "OPTIONAL_PROPERTY_ADDED_TO_UNOPEN_CONTENT_MODEL #/properties/a",
        "PROPERTY_REMOVED_FROM_CLOSED_CONTENT_MODEL #/properties/a",
    ),
    (
        r#"{"type":"object","additionalProperties":false}"#,
        r#"{"type":"object","additionalProperties":false,"properties":{"a":{"type":"null"}},"required":["a"]}"#,
        "REQUIRED_PROPERTY_ADDED_TO_UNOPEN_CONTENT_MODEL #/properties/a",
        "PROPERTY_REMOVED_FROM_CLOSED_CONTENT_MODEL #/properties/a",
    ),
    (
        r#"{"type":"object","additionalProperties":false}"#,
        r#"{"type":"object","additionalProperties":false,"properties":{"a":{"type":"null","default":null}},"required":["a"]}"#,
        "REQUIRED_PROPERTY_WITH_DEFAULT_ADDED_TO_UNOPEN_CONTENT_MODEL #/properties/a",
        "PROPERTY_REMOVED_FROM_CLOSED_CONTENT_MODEL #/properties/a",
    ),
    (
        r#"{"type":"object","additionalProperties":false}"#,
        r#"{"type":"object","additionalProperties":false,"properties":{"a":false}}"#,
        "OPTIONAL_PROPERTY_ADDED_TO_UNOPEN_CONTENT_MODEL #/properties/a",
        "PROPERTY_WITH_FALSE_REMOVED_FROM_CLOSED_CONTENT_MODEL #/properties/a",
    ),
    // Partially open, covered by the pattern before anything else, or not.
    (
        r#"{"type":"object","additionalProperties":{"type":"string"},"patternProperties":{"^n":{"type":"number"}}}"#,
        r#"{"type":"object","additionalProperties":{"type":"string"},"patternProperties":{"^n":{"type":"number"}},"properties":{"nn":{"type":"number"},"s":{"type":"string"}}}"#,
        "PROPERTY_ADDED_IS_COVERED_BY_PARTIALLY_OPEN_CONTENT_MODEL #/properties/nn, OPTIONAL_PROPERTY_ADDED_TO_UNOPEN_CONTENT_MODEL #/properties/nn, PROPERTY_ADDED_IS_COVERED_BY_PARTIALLY_OPEN_CONTENT_MODEL #/properties/s, OPTIONAL_PROPERTY_ADDED_TO_UNOPEN_CONTENT_MODEL #/properties/s",
        "PROPERTY_REMOVED_IS_COVERED_BY_PARTIALLY_OPEN_CONTENT_MODEL #/properties/nn, PROPERTY_REMOVED_IS_COVERED_BY_PARTIALLY_OPEN_CONTENT_MODEL #/properties/s",
    ),
    (
        r#"{"type":"object","additionalProperties":{"type":"string"}}"#,
        r#"{"type":"object","additionalProperties":{"type":"string"},"properties":{"a":{"type":"null"}}}"#,
        "TYPE_CHANGED #/properties/a, PROPERTY_ADDED_NOT_COVERED_BY_PARTIALLY_OPEN_CONTENT_MODEL #/properties/a, OPTIONAL_PROPERTY_ADDED_TO_UNOPEN_CONTENT_MODEL #/properties/a",
        "TYPE_CHANGED #/properties/a, PROPERTY_REMOVED_NOT_COVERED_BY_PARTIALLY_OPEN_CONTENT_MODEL #/properties/a",
    ),
    // Patterns alone make an object partially open: what none matches is closed.
    (
        r#"{"type":"object","patternProperties":{"^(?!b)":{"type":"number"}}}"#,
        r#"{"type":"object","patternProperties":{"^(?!b)":{"type":"number"}},"properties":{"b":{"type":"null"}}}"#,
        "OPTIONAL_PROPERTY_ADDED_TO_UNOPEN_CONTENT_MODEL #/properties/b",
        "PROPERTY_REMOVED_FROM_CLOSED_CONTENT_MODEL #/properties/b",
    ),
];

const ARRAYS: &[Row] = &[
    (
        r#"{"type":"array"}"#,
        r#"{"type":"array","maxItems":3}"#,
        "MAX_ITEMS_ADDED #/maxItems",
        "MAX_ITEMS_REMOVED #/maxItems",
    ),
    (
        r#"{"type":"array","maxItems":2}"#,
        r#"{"type":"array","maxItems":3}"#,
        "MAX_ITEMS_INCREASED #/maxItems",
        "MAX_ITEMS_DECREASED #/maxItems",
    ),
    (
        r#"{"type":"array"}"#,
        r#"{"type":"array","minItems":3}"#,
        "MIN_ITEMS_ADDED #/minItems",
        "MIN_ITEMS_REMOVED #/minItems",
    ),
    (
        r#"{"type":"array","minItems":2}"#,
        r#"{"type":"array","minItems":3}"#,
        "MIN_ITEMS_INCREASED #/minItems",
        "MIN_ITEMS_DECREASED #/minItems",
    ),
    (
        r#"{"type":"array"}"#,
        r#"{"type":"array","uniqueItems":true}"#,
        "UNIQUE_ITEMS_ADDED #/uniqueItems",
        "UNIQUE_ITEMS_REMOVED #/uniqueItems",
    ),
    (
        r#"{"$schema":"https://json-schema.org/draft/2020-12/schema","type":"array","contains":{"type":"null"}}"#,
        r#"{"$schema":"https://json-schema.org/draft/2020-12/schema","type":"array","contains":{"type":"null"},"maxContains":3,"minContains":2}"#,
        "MAX_CONTAINS_ADDED #/maxContains, MIN_CONTAINS_ADDED #/minContains",
        "MAX_CONTAINS_REMOVED #/maxContains, MIN_CONTAINS_REMOVED #/minContains",
    ),
    (
        r#"{"$schema":"https://json-schema.org/draft/2020-12/schema","type":"array","contains":{"type":"null"},"maxContains":3,"minContains":2}"#,
        r#"{"$schema":"https://json-schema.org/draft/2020-12/schema","type":"array","contains":{"type":"null"},"maxContains":4,"minContains":1}"#,
        "MAX_CONTAINS_INCREASED #/maxContains, MIN_CONTAINS_DECREASED #/minContains",
        "MAX_CONTAINS_DECREASED #/maxContains, MIN_CONTAINS_INCREASED #/minContains",
    ),
    (
        r#"{"type":"array","items":[{}],"additionalItems":false}"#,
        r#"{"type":"array","items":[{}]}"#,
        "ADDITIONAL_ITEMS_ADDED #/additionalItems",
        "ADDITIONAL_ITEMS_REMOVED #/additionalItems",
    ),
    (
        r#"{"type":"array","items":[{}],"additionalItems":{"type":"null"}}"#,
        r#"{"type":"array","items":[{}]}"#,
        "ADDITIONAL_ITEMS_EXTENDED #/additionalItems",
        "ADDITIONAL_ITEMS_NARROWED #/additionalItems",
    ),
    (
        r#"{"type":"array","items":[{}],"additionalItems":{"type":"integer"}}"#,
        r#"{"type":"array","items":[{}],"additionalItems":{"type":"number"}}"#,
        "TYPE_EXTENDED #/additionalItems",
        "TYPE_NARROWED #/additionalItems",
    ),
    (
        r#"{"type":"array","items":[{"type":"integer"}]}"#,
        r#"{"type":"array","items":[{"type":"number"}]}"#,
        "TYPE_EXTENDED #/items/0",
        "TYPE_NARROWED #/items/0",
    ),
    (
        r#"{"type":"array","items":[{}]}"#,
        r#"{"type":"array","items":[{},{}]}"#,
        "ITEM_WITH_EMPTY_SCHEMA_ADDED_TO_OPEN_CONTENT_MODEL #/items/1",
        "ITEM_REMOVED_FROM_OPEN_CONTENT_MODEL #/items/1",
    ),
    (
        r#"{"type":"array","items":[{}]}"#,
        r#"{"type":"array","items":[{},{"type":"null"}]}"#,
        "ITEM_ADDED_TO_OPEN_CONTENT_MODEL #/items/1",
        "ITEM_REMOVED_FROM_OPEN_CONTENT_MODEL #/items/1",
    ),
    (
        r#"{"type":"array","items":[{}],"additionalItems":false}"#,
        r#"{"type":"array","items":[{},{"type":"null"}],"additionalItems":false}"#,
        "ITEM_ADDED_TO_CLOSED_CONTENT_MODEL #/items/1",
        "ITEM_REMOVED_FROM_CLOSED_CONTENT_MODEL #/items/1",
    ),
    (
        r#"{"type":"array","items":[{}],"additionalItems":false}"#,
        r#"{"type":"array","items":[{},false],"additionalItems":false}"#,
        "ITEM_ADDED_TO_CLOSED_CONTENT_MODEL #/items/1",
        "ITEM_WITH_FALSE_REMOVED_FROM_CLOSED_CONTENT_MODEL #/items/1",
    ),
    (
        r#"{"type":"array","items":[{}],"additionalItems":{"type":"null"}}"#,
        r#"{"type":"array","items":[{},{"type":"null"}],"additionalItems":{"type":"null"}}"#,
        "ITEM_ADDED_IS_COVERED_BY_PARTIALLY_OPEN_CONTENT_MODEL #/items/1",
        "ITEM_REMOVED_IS_COVERED_BY_PARTIALLY_OPEN_CONTENT_MODEL #/items/1",
    ),
    (
        r#"{"type":"array","items":[{}],"additionalItems":{"type":"null"}}"#,
        r#"{"type":"array","items":[{},{"type":"string"}],"additionalItems":{"type":"null"}}"#,
        "TYPE_CHANGED #/items/1, ITEM_ADDED_NOT_COVERED_BY_PARTIALLY_OPEN_CONTENT_MODEL #/items/1",
        "TYPE_CHANGED #/items/1, ITEM_REMOVED_NOT_COVERED_BY_PARTIALLY_OPEN_CONTENT_MODEL #/items/1",
    ),
    (
        r#"{"$schema":"https://json-schema.org/draft/2020-12/schema","type":"array","prefixItems":[{"type":"null"}],"items":{"type":"integer"}}"#,
        r#"{"$schema":"https://json-schema.org/draft/2020-12/schema","type":"array","prefixItems":[{"type":"null"}],"items":{"type":"number"}}"#,
        "TYPE_EXTENDED #/additionalItems",
        "TYPE_NARROWED #/additionalItems",
    ),
];

const VALUES: &[Row] = &[
    (r#"{"enum":[1,{"a":1,"b":2}]}"#, r#"{"enum":[{"b":2,"a":1},1]}"#, "", ""),
    (
        r#"{"enum":[1]}"#,
        r#"{"enum":[1,2]}"#,
        "ENUM_ARRAY_EXTENDED #/enum",
        "ENUM_ARRAY_NARROWED #/enum",
    ),
    (
        r#"{"enum":[1,2]}"#,
        r#"{"enum":[1,3]}"#,
        "ENUM_ARRAY_CHANGED #/enum",
        "ENUM_ARRAY_CHANGED #/enum",
    ),
    (r#"{"const":1}"#, r#"{"const":1.0}"#, "", ""),
    (
        r#"{"const":1}"#,
        r#"{"const":"1"}"#,
        "ENUM_ARRAY_CHANGED #/const",
        "ENUM_ARRAY_CHANGED #/const",
    ),
];

const COMBINED: &[Row] = &[
    (
        r#"{"allOf":[{"type":"integer"}]}"#,
        r#"{"allOf":[{"type":"integer"},{"maximum":2}]}"#,
        "PRODUCT_TYPE_EXTENDED #/",
        "PRODUCT_TYPE_NARROWED #/",
    ),
    (
        r#"{"anyOf":[{"type":"integer"}]}"#,
        r#"{"anyOf":[{"type":"integer"},{"type":"null"}]}"#,
        "SUM_TYPE_EXTENDED #/",
        "SUM_TYPE_NARROWED #/",
    ),
    (
        r#"{"oneOf":[{"type":"integer"}]}"#,
        r#"{"oneOf":[{"type":"null"},{"type":"integer"}]}"#,
        "SUM_TYPE_EXTENDED #/",
        "SUM_TYPE_NARROWED #/",
    ),
    (
        r#"{"type":["integer","null"]}"#,
        r#"{"type":["null","number","string"]}"#,
        "SUM_TYPE_EXTENDED #/, TYPE_EXTENDED #/",
        "SUM_TYPE_NARROWED #/, COMBINED_TYPE_SUBSCHEMAS_CHANGED #/",
    ),
    // The same part twice is one.
    (
        r#"{"anyOf":[{"type":"integer"},{"type":"null"}]}"#,
        r#"{"anyOf":[{"type":"integer"},{"type":"null"},{"type":"null"}]}"#,
        "",
        "",
    ),
    (
        r#"{"oneOf":[{"type":"null"},{"type":"string"}]}"#,
        r#"{"anyOf":[{"type":"null"},{"type":"string"}]}"#,
        "COMBINED_TYPE_EXTENDED #/",
        "COMBINED_TYPE_CHANGED #/",
    ),
    (
        r#"{"allOf":[{"minimum":1}]}"#,
        r#"{"oneOf":[{"minimum":1},{"type":"null"}]}"#,
        "COMBINED_TYPE_EXTENDED #/, SUM_TYPE_EXTENDED #/",
        "COMBINED_TYPE_CHANGED #/",
    ),
    (
        r#"{"oneOf":[{"minimum":1}]}"#,
        r#"{"allOf":[{"minimum":1}]}"#,
        "COMBINED_TYPE_EXTENDED #/",
        "COMBINED_TYPE_EXTENDED #/",
    ),
    (
        r#"{"allOf":[{"minimum":1},{"maximum":9}]}"#,
        r#"{"oneOf":[{"minimum":1}]}"#,
        "COMBINED_TYPE_EXTENDED #/, PRODUCT_TYPE_NARROWED #/",
        "COMBINED_TYPE_CHANGED #/",
    ),
    (
        r#"{"allOf":[{"minimum":1},{"maximum":9}]}"#,
        r#"{"oneOf":[{"minimum":1},{"maximum":9}]}"#,
        "COMBINED_TYPE_CHANGED #/",
        "COMBINED_TYPE_CHANGED #/",
    ),
    // The only way to match both parts is crosswise.
    (
        r#"{"anyOf":[{"type":"integer"},{"type":"number"}]}"#,
        r#"{"anyOf":[{"type":"number"},{"type":"number","description":"d"}]}"#,
        "TYPE_EXTENDED #/, DESCRIPTION_CHANGED #/",
        "COMBINED_TYPE_SUBSCHEMAS_CHANGED #/",
    ),
    (
        r#"{"type":"integer"}"#,
        r#"{"anyOf":[{"type":"null"},{"type":"number"}]}"#,
        "TYPE_EXTENDED #/, SUM_TYPE_EXTENDED #/",
        "TYPE_CHANGED #/",
    ),
    (
        r#"{"type":"integer"}"#,
        r#"{"allOf":[{"type":"number"}]}"#,
        "TYPE_EXTENDED #/",
        "TYPE_CHANGED #/",
    ),
    (
        r#"{"type":"integer"}"#,
        r#"{"allOf":[{"type":"number"},{"maximum":3}]}"#,
        "TYPE_CHANGED #/",
        "TYPE_CHANGED #/",
    ),
    (
        r#"{"allOf":[{"type":"integer"},{"maximum":3}]}"#,
        r#"{"type":"number"}"#,
        "TYPE_EXTENDED #/, PRODUCT_TYPE_NARROWED #/",
        "TYPE_CHANGED #/",
    ),
    (
        r#"{"not":{"type":"number"}}"#,
        r#"{"not":{"type":"integer"}}"#,
        "NOT_TYPE_NARROWED #/not",
        "NOT_TYPE_EXTENDED #/not",
    ),
    // A type and values are two parts.
    (
        r#"{"type":"string","enum":["a"]}"#,
        r#"{"enum":["a","b"]}"#,
        "ENUM_ARRAY_EXTENDED #/enum, PRODUCT_TYPE_NARROWED #/",
        "TYPE_CHANGED #/",
    ),
];

const REFERENCES: &[Row] = &[
    (
        r##"{"definitions":{"d":{"type":"integer"}},"properties":{"a":{"$ref":"#/definitions/d"}}}"##,
        r#"{"properties":{"a":{"type":"number"}}}"#,
        "TYPE_EXTENDED #/properties/a",
        "TYPE_NARROWED #/properties/a",
    ),
    // References to references, anchors, the other name of the bucket.
    (
        r##"{"$defs":{"d":{"$ref":"#/$defs/e"},"e":{"$ref":"#x"},"f":{"$id":"#x","type":"integer"}},"properties":{"a":{"$ref":"#/$defs/d"}}}"##,
        r##"{"definitions":{"d":{"type":"number"}},"properties":{"a":{"$ref":"#/$defs/d"}}}"##,
        "ID_CHANGED #/properties/a, TYPE_EXTENDED #/properties/a",
        "ID_CHANGED #/properties/a, TYPE_NARROWED #/properties/a",
    ),
    // A change deep in a circle is found whichever way it is entered.
    (
        r##"{"properties":{"n":{"$ref":"#"},"x":{"properties":{"r":{"$ref":"#"}}}},"additionalProperties":false}"##,
        r##"{"properties":{"n":{"$ref":"#"},"x":{"properties":{"r":{"$ref":"#"}}}}}"##,
        "ADDITIONAL_PROPERTIES_ADDED #/additionalProperties",
        "ADDITIONAL_PROPERTIES_REMOVED #/additionalProperties, ADDITIONAL_PROPERTIES_REMOVED #/properties/n/additionalProperties, ADDITIONAL_PROPERTIES_REMOVED #/properties/x/properties/r/additionalProperties",
    ),
    // From 2019-09 on keywords beside a $ref count.
    (
        r##"{"$schema":"https://json-schema.org/draft/2019-09/schema","$defs":{"d":{"type":"string"}},"$ref":"#/$defs/d"}"##,
        r##"{"$schema":"https://json-schema.org/draft/2019-09/schema","$defs":{"d":{"type":"string"}},"$ref":"#/$defs/d","maxLength":3}"##,
        "TYPE_CHANGED #/",
        "PRODUCT_TYPE_NARROWED #/",
    ),
    (
        r##"{"definitions":{"d":{"type":"string"}},"$ref":"#/definitions/d"}"##,
        r##"{"definitions":{"d":{"type":"string"}},"$ref":"#/definitions/d","maxLength":3}"##,
        "",
        "",
    ),
    (
        r#"{"$ref":"http://json-schema.org/draft-07/schema#"}"#,
        r#"{"$ref":"https://json-schema.org/draft-07/schema"}"#,
        "",
        "",
    ),
    (
        r#"{"$ref":"http://json-schema.org/draft-07/schema#"}"#,
        r#"{"type":"object"}"#,
        "TYPE_CHANGED #/",
        "TYPE_CHANGED #/",
    ),
];

const UNEVALUATED: &[Row] = &[
    // As recorded: the reference does not see `false`.
    (
        r#"{"$schema":"https://json-schema.org/draft/2020-12/schema","type":"object","unevaluatedProperties":false}"#,
        r#"{"$schema":"https://json-schema.org/draft/2020-12/schema","type":"object"}"#,
        "",
        "",
    ),
    (
        r#"{"$schema":"https://json-schema.org/draft/2020-12/schema","type":"object","unevaluatedProperties":{"type":"null"}}"#,
        r#"{"$schema":"https://json-schema.org/draft/2020-12/schema","type":"object"}"#,
        "UNEVALUATED_PROPERTIES_EXTENDED #/unevaluatedProperties",
        "UNEVALUATED_PROPERTIES_NARROWED #/unevaluatedProperties",
    ),
    (
        r#"{"$schema":"https://json-schema.org/draft/2020-12/schema","type":"object","unevaluatedProperties":{"type":"integer"}}"#,
        r#"{"$schema":"https://json-schema.org/draft/2020-12/schema","type":"object","unevaluatedProperties":{"type":"number"}}"#,
        "TYPE_EXTENDED #/unevaluatedProperties",
        "TYPE_NARROWED #/unevaluatedProperties",
    ),
    (
        r#"{"$schema":"https://json-schema.org/draft/2020-12/schema","type":"object","unevaluatedProperties":{"type":"null"}}"#,
        r#"{"$schema":"https://json-schema.org/draft/2020-12/schema","type":"object","unevaluatedProperties":{"type":"null"},"properties":{"a":{"type":"null"}}}"#,
        "PROPERTY_ADDED_IS_COVERED_BY_PARTIALLY_OPEN_CONTENT_MODEL #/properties/a, OPTIONAL_PROPERTY_ADDED_TO_UNOPEN_CONTENT_MODEL #/properties/a",
        "PROPERTY_REMOVED_IS_COVERED_BY_PARTIALLY_OPEN_CONTENT_MODEL #/properties/a",
    ),
    // It counts only where additionalProperties leaves something open.
    (
        r#"{"$schema":"https://json-schema.org/draft/2020-12/schema","type":"object","unevaluatedProperties":{"type":"null"},"additionalProperties":false}"#,
        r#"{"$schema":"https://json-schema.org/draft/2020-12/schema","type":"object","unevaluatedProperties":{"type":"null"},"additionalProperties":false,"properties":{"a":{"type":"string"}}}"#,
        "OPTIONAL_PROPERTY_ADDED_TO_UNOPEN_CONTENT_MODEL #/properties/a",
        "PROPERTY_REMOVED_FROM_CLOSED_CONTENT_MODEL #/properties/a",
    ),
    (
        r#"{"$schema":"https://json-schema.org/draft/2020-12/schema","type":"array","unevaluatedItems":false}"#,
        r#"{"$schema":"https://json-schema.org/draft/2020-12/schema","type":"array","unevaluatedItems":{"type":"null"}}"#,
        "UNEVALUATED_ITEMS_ADDED #/unevaluatedItems",
        "UNEVALUATED_ITEMS_REMOVED #/unevaluatedItems",
    ),
    (
        r#"{"$schema":"https://json-schema.org/draft/2020-12/schema","type":"array","unevaluatedItems":{"type":"null"}}"#,
        r#"{"$schema":"https://json-schema.org/draft/2020-12/schema","type":"array"}"#,
        "UNEVALUATED_ITEMS_EXTENDED #/unevaluatedItems",
        "UNEVALUATED_ITEMS_NARROWED #/unevaluatedItems",
    ),
    (
        r#"{"$schema":"https://json-schema.org/draft/2020-12/schema","type":"array","prefixItems":[{}],"unevaluatedItems":{"type":"null"}}"#,
        r#"{"$schema":"https://json-schema.org/draft/2020-12/schema","type":"array","prefixItems":[{},{"type":"null"}],"unevaluatedItems":{"type":"null"}}"#,
        "ITEM_ADDED_IS_COVERED_BY_PARTIALLY_OPEN_CONTENT_MODEL #/items/1",
        "ITEM_REMOVED_IS_COVERED_BY_PARTIALLY_OPEN_CONTENT_MODEL #/items/1",
    ),
    (
        r#"{"$schema":"https://json-schema.org/draft/2020-12/schema","type":"array","prefixItems":[{}],"unevaluatedItems":false}"#,
        r#"{"$schema":"https://json-schema.org/draft/2020-12/schema","type":"array","prefixItems":[{},{"type":"null"}],"unevaluatedItems":false}"#,
        "ITEM_ADDED_TO_CLOSED_CONTENT_MODEL #/items/1",
        "ITEM_REMOVED_FROM_CLOSED_CONTENT_MODEL #/items/1",
    ),
];

/// Cannot happen as long as `"unevaluatedProperties": false` is not seen.
const UNSEEN: [&str; 2] = ["UNEVALUATED_PROPERTIES_ADDED", "UNEVALUATED_PROPERTIES_REMOVED"];

const TABLES: [&[Row]; 11] = [
    ANNOTATIONS,
    TYPES,
    STRINGS,
    NUMBERS,
    OBJECTS,
    PROPERTIES,
    ARRAYS,
    VALUES,
    COMBINED,
    REFERENCES,
    UNEVALUATED,
];

#[test]
fn every_rule_holds_in_both_directions() {
    let mut failures = Vec::new();
    for (old, new, there, back) in TABLES.concat() {
        for (from, to, list) in [(old, new, there), (new, old, back)] {
            let found = differences_between(from, to);
            if found != expected(list) {
                failures.push(format!("{from}\n{to}\n  expected {list}\n  found {found:?}"));
            }
        }
    }
    assert!(failures.is_empty(), "{}", failures.join("\n"));
}

#[test]
fn every_kind_is_in_a_table() {
    let tables = TABLES.concat();
    let missing: Vec<_> = Difference::ALL
        .iter()
        .map(|difference| difference.name())
        .filter(|name| {
            let starts = format!("{name} ");
            !UNSEEN.contains(name)
                && !tables.iter().any(|(_, _, there, back)| {
                    format!(", {there}, {back}").contains(&format!(", {starts}"))
                })
        })
        .collect();
    assert!(missing.is_empty(), "{missing:?}");
}

/// Kinds that keep old data readable under the policy.
fn compatible(policy: CompatibilityPolicy) -> BTreeSet<&'static str> {
    let kinds = Difference::ALL.iter().filter(|kind| kind.is_compatible(policy));
    kinds.map(|kind| kind.name()).collect()
}

#[test]
fn lenient_relaxes_properties_and_nothing_else() {
    let strict = compatible(CompatibilityPolicy::Strict);
    let lenient = compatible(CompatibilityPolicy::Lenient);
    assert!(strict.is_subset(&lenient));
    let relaxed: Vec<_> = lenient.difference(&strict).copied().collect();
    assert_eq!(
        relaxed,
        [
            "ADDITIONAL_PROPERTIES_NARROWED",
            "ADDITIONAL_PROPERTIES_REMOVED",
            "OPTIONAL_PROPERTY_ADDED_TO_OPEN_CONTENT_MODEL",
            "PROPERTY_ADDED_NOT_COVERED_BY_PARTIALLY_OPEN_CONTENT_MODEL",
            "PROPERTY_REMOVED_FROM_CLOSED_CONTENT_MODEL",
            "PROPERTY_REMOVED_NOT_COVERED_BY_PARTIALLY_OPEN_CONTENT_MODEL",
            "REQUIRED_PROPERTY_WITH_DEFAULT_ADDED_TO_OPEN_CONTENT_MODEL",
            "UNEVALUATED_PROPERTIES_NARROWED",
            "UNEVALUATED_PROPERTIES_REMOVED",
        ]
    );
}

#[test]
fn strict_verdicts_are_these() {
    assert_eq!(
        compatible(CompatibilityPolicy::Strict).into_iter().collect::<Vec<_>>(),
        [
            "ADDITIONAL_ITEMS_ADDED",
            "ADDITIONAL_ITEMS_EXTENDED",
            "ADDITIONAL_PROPERTIES_ADDED",
            "ADDITIONAL_PROPERTIES_EXTENDED",
            "COMBINED_TYPE_EXTENDED",
            "DEFAULT_CHANGED",
            "DEPENDENCY_ARRAY_NARROWED",
            "DEPENDENCY_ARRAY_REMOVED",
            "DEPENDENCY_SCHEMA_REMOVED",
            "DESCRIPTION_CHANGED",
            "ENUM_ARRAY_EXTENDED",
            "EXCLUSIVE_MAXIMUM_INCREASED",
            "EXCLUSIVE_MAXIMUM_REMOVED",
            "EXCLUSIVE_MINIMUM_DECREASED",
            "EXCLUSIVE_MINIMUM_REMOVED",
            "ID_CHANGED",
            "ITEM_ADDED_IS_COVERED_BY_PARTIALLY_OPEN_CONTENT_MODEL",
            "ITEM_ADDED_TO_CLOSED_CONTENT_MODEL",
            "ITEM_REMOVED_FROM_OPEN_CONTENT_MODEL",
            "ITEM_REMOVED_IS_COVERED_BY_PARTIALLY_OPEN_CONTENT_MODEL",
            "ITEM_WITH_EMPTY_SCHEMA_ADDED_TO_OPEN_CONTENT_MODEL",
            "ITEM_WITH_FALSE_REMOVED_FROM_CLOSED_CONTENT_MODEL",
            "MAXIMUM_INCREASED",
            "MAXIMUM_REMOVED",
            "MAX_CONTAINS_INCREASED",
            "MAX_CONTAINS_REMOVED",
            "MAX_ITEMS_INCREASED",
            "MAX_ITEMS_REMOVED",
            "MAX_LENGTH_INCREASED",
            "MAX_LENGTH_REMOVED",
            "MAX_PROPERTIES_INCREASED",
            "MAX_PROPERTIES_REMOVED",
            "MINIMUM_DECREASED",
            "MINIMUM_REMOVED",
            "MIN_CONTAINS_DECREASED",
            "MIN_CONTAINS_REMOVED",
            "MIN_ITEMS_DECREASED",
            "MIN_ITEMS_REMOVED",
            "MIN_LENGTH_DECREASED",
            "MIN_LENGTH_REMOVED",
            "MIN_PROPERTIES_DECREASED",
            "MIN_PROPERTIES_REMOVED",
            "MULTIPLE_OF_REDUCED",
            "MULTIPLE_OF_REMOVED",
            "NOT_TYPE_NARROWED",
            "OPTIONAL_PROPERTY_ADDED_TO_UNOPEN_CONTENT_MODEL",
            "PATTERN_REMOVED",
            "PRODUCT_TYPE_NARROWED",
            "PROPERTY_ADDED_IS_COVERED_BY_PARTIALLY_OPEN_CONTENT_MODEL",
            "PROPERTY_REMOVED_FROM_OPEN_CONTENT_MODEL",
            "PROPERTY_REMOVED_IS_COVERED_BY_PARTIALLY_OPEN_CONTENT_MODEL",
            "PROPERTY_WITH_EMPTY_SCHEMA_ADDED_TO_OPEN_CONTENT_MODEL",
            "PROPERTY_WITH_FALSE_REMOVED_FROM_CLOSED_CONTENT_MODEL",
            "REQUIRED_ATTRIBUTE_REMOVED",
            "REQUIRED_ATTRIBUTE_WITH_DEFAULT_ADDED",
            "REQUIRED_PROPERTY_WITH_DEFAULT_ADDED_TO_UNOPEN_CONTENT_MODEL",
            "SCHEMA_REMOVED",
            "SUM_TYPE_EXTENDED",
            "TITLE_CHANGED",
            "TYPE_EXTENDED",
            "UNEVALUATED_ITEMS_ADDED",
            "UNEVALUATED_ITEMS_EXTENDED",
            "UNEVALUATED_PROPERTIES_ADDED",
            "UNEVALUATED_PROPERTIES_EXTENDED",
            "UNIQUE_ITEMS_REMOVED",
        ]
    );
}

#[test]
fn references_of_both_sides_are_followed() {
    let schema = |inner: &str| {
        let reference = |name: &str, text: &str, references| ResolvedReference {
            name: name.to_owned(),
            text: text.to_owned(),
            references,
        };
        let deep = reference("deep.json", inner, Vec::new());
        let base = r#"{"$defs":{"x":{"$ref":"deep.json"}}}"#;
        let base = reference("base.json", base, vec![deep]);
        let text =
            r#"{"$id":"http://e/dir/a.json","properties":{"b":{"$ref":"base.json#/$defs/x"}}}"#;
        JsonSchema::parse(text, &[base], Strictness::New).unwrap()
    };
    let (old, new) = (schema(r#"{"type":"number"}"#), schema(r#"{"type":"string"}"#));
    let found = incompatibilities(&new.model, &old.model, CompatibilityPolicy::Strict);
    assert_eq!(found.len(), 1);
    assert_eq!((found[0].kind, found[0].path.as_str()), ("TYPE_CHANGED", "#/properties/b"));
    assert!(incompatibilities(&old.model, &old.model, CompatibilityPolicy::Strict).is_empty());
}

#[test]
fn hostile_pairs_end_and_are_not_compatible() {
    let refs = |count: usize, last: &str, per_step: usize| {
        let mut text = "{\"$defs\":{".to_owned();
        for step in 0..count {
            let properties: Vec<_> = (0..per_step)
                .map(|at| format!("\"p{at}\":{{\"$ref\":\"#/$defs/d{}\"}}", step + 1))
                .collect();
            text.push_str(&format!("\"d{step}\":{{\"properties\":{{{}}}}},", properties.join(",")));
        }
        text + &format!("\"d{count}\":{last}}},\"$ref\":\"#/$defs/d0\"}}")
    };
    let alternatives = |count: usize, prefix: &str| {
        let parts: Vec<_> = (0..count)
            .map(|at| format!("{{\"properties\":{{\"{prefix}{at}\":{{\"type\":\"null\"}}}},\"additionalProperties\":false}}"))
            .collect();
        format!("{{\"anyOf\":[{}]}}", parts.join(","))
    };
    let circles = |count: usize, last: &str| {
        let parts: Vec<_> = (0..count)
            .map(|at| format!("{{\"properties\":{{\"c{at}\":{{\"$ref\":\"#\"}}}}}}"))
            .collect();
        format!("{{\"anyOf\":[{},{last}]}}", parts.join(","))
    };
    for (case, old, new) in [
        (
            "a chain of references",
            refs(50_000, r#"{"type":"null"}"#, 1),
            refs(50_000, r#"{"type":"string"}"#, 1),
        ),
        (
            "paths that double at every step",
            refs(60, r#"{"type":"null"}"#, 2),
            refs(60, r#"{"type":"string"}"#, 2),
        ),
        ("many alternatives", alternatives(600, "a"), alternatives(600, "b")),
        (
            "circles through each other",
            circles(60, r#"{"type":"null"}"#),
            circles(60, r#"{"type":"string"}"#),
        ),
    ] {
        let (old, new) = (parse(&old), parse(&new));
        let found = incompatibilities(&new.model, &old.model, CompatibilityPolicy::Strict);
        assert!(!found.is_empty() && found.len() <= MAX_DIFFERENCES, "{case}: {}", found.len());
    }
}

#[test]
fn names_in_paths_are_cut() {
    let name = "ü".repeat(100_000);
    let old = format!("{{\"properties\":{{\"{name}\":{{\"type\":\"null\"}}}}}}");
    let new = format!("{{\"properties\":{{\"{name}\":{{\"type\":\"string\"}}}}}}");
    let found = differences_between(&old, &new);
    assert!(found.iter().all(|entry| entry.len() < 400), "{}", found.len());
}
