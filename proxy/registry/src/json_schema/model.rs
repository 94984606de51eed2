//! What a JSON Schema says, as far as two of them can be compared.
//!
//! A schema object becomes one [`Node`] when its keywords speak of one kind of
//! value, and an `allOf` of several when they do not: `{"type":"string",
//! "enum":["a"]}` is an enumeration and a string. That is the model in which
//! Confluent's rules of compatibility are written.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet, VecDeque};

use super::resolution::{Documents, Draft, Resource, Target};
use crate::lossless_json::Json;

/// How many parts a schema may have, with what it refers to.
const MAX_NODES: usize = 200_000;

/// Where a node lies in [`Model::nodes`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) struct NodeId(usize);

/// All parts of a schema and of what it refers to.
#[derive(Debug)]
pub(super) struct Model {
    nodes: Vec<Node>,
    pub(super) root: NodeId,
}

#[derive(Debug)]
pub(super) struct Node {
    pub(super) kind: Kind,
    pub(super) id: Option<String>,
    pub(super) title: Option<String>,
    pub(super) description: Option<String>,
    pub(super) default: Option<Json>,
    /// `"connect.type": "bytes"`: Kafka Connect wrote decimals in two ways.
    pub(super) is_connect_bytes: bool,
}

#[derive(Debug)]
pub(super) enum Kind {
    /// `{}` or `true`.
    Any,
    /// `false`.
    Nothing,
    Null,
    Boolean,
    String(StringRules),
    Number(NumberRules),
    Object(Box<ObjectRules>),
    Array(Box<ArrayRules>),
    Enum(Vec<Json>),
    Const(Json),
    Combined(Combined),
    Not(NodeId),
    /// `if`, `then` and `else`; two of them count as equal.
    Conditional(Vec<NodeId>),
    Reference(NodeId),
    /// A schema that is not looked into: the schema of schemas itself, or one
    /// that could not be read.
    Opaque,
}

#[derive(Debug, Default)]
pub(super) struct StringRules {
    pub(super) max_length: Option<f64>,
    pub(super) min_length: Option<f64>,
    pub(super) pattern: Option<String>,
}

#[derive(Debug, Default)]
pub(super) struct NumberRules {
    pub(super) maximum: Option<f64>,
    pub(super) minimum: Option<f64>,
    pub(super) exclusive_maximum: Option<f64>,
    pub(super) exclusive_minimum: Option<f64>,
    /// In digits: a binary fraction does not tell multiples of 0.1.
    pub(super) multiple_of: Option<String>,
    pub(super) is_integer: bool,
}

#[derive(Debug, Default)]
pub(super) struct ObjectRules {
    pub(super) properties: BTreeMap<String, NodeId>,
    pub(super) required: BTreeSet<String>,
    pub(super) patterns: Vec<(fancy_regex::Regex, NodeId)>,
    pub(super) additional: Rest,
    /// `false` counts as absent: the reference does not see it.
    pub(super) unevaluated: Rest,
    pub(super) max_properties: Option<f64>,
    pub(super) min_properties: Option<f64>,
    pub(super) property_dependencies: BTreeMap<String, BTreeSet<String>>,
    pub(super) schema_dependencies: BTreeMap<String, NodeId>,
}

#[derive(Debug, Default)]
pub(super) struct ArrayRules {
    /// The schema of every item.
    pub(super) items: Option<NodeId>,
    /// The schemas of the first items.
    pub(super) tuple: Vec<NodeId>,
    pub(super) additional: Rest,
    pub(super) unevaluated: Rest,
    pub(super) max_items: Option<f64>,
    pub(super) min_items: Option<f64>,
    pub(super) max_contains: Option<f64>,
    pub(super) min_contains: Option<f64>,
    pub(super) unique_items: bool,
}

/// What properties or items beside the named ones may be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) enum Rest {
    #[default]
    Allowed,
    Forbidden,
    Schema(NodeId),
}

impl Rest {
    /// What decides where this one leaves everything open.
    pub(super) fn or(self, next: Self) -> Self {
        if self == Self::Allowed { next } else { self }
    }

    pub(super) fn schema(self) -> Option<NodeId> {
        match self {
            Self::Schema(node) => Some(node),
            Self::Allowed | Self::Forbidden => None,
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Criterion {
    All,
    Any,
    One,
}

impl Criterion {
    fn keyword(self) -> &'static str {
        match self {
            Self::All => "allOf",
            Self::Any => "anyOf",
            Self::One => "oneOf",
        }
    }
}

#[derive(Debug)]
pub(super) struct Combined {
    pub(super) criterion: Criterion,
    pub(super) parts: Vec<NodeId>,
    /// The parts without those whose text occurred before.
    pub(super) distinct: Vec<NodeId>,
}

impl Model {
    /// Builds the model, or says in one sentence which keyword is wrong.
    pub(super) fn load(documents: &Documents) -> Result<Self, String> {
        let mut loader = Loader {
            documents,
            nodes: Vec::new(),
            by_place: HashMap::new(),
            waiting: VecDeque::new(),
        };
        let root = loader.node_at(documents.root(), documents.root_resource());
        while let Some((id, json, resource)) = loader.waiting.pop_front() {
            if loader.nodes.len() > MAX_NODES {
                return Err(format!("it has more than {MAX_NODES} parts"));
            }
            let node = loader.read(json, resource)?;
            if let Some(place) = loader.nodes.get_mut(id.0) {
                *place = node;
            }
        }
        let model = Self { nodes: loader.nodes, root };
        model.check_references()?;
        Ok(model)
    }

    /// The model of a schema that cannot be read.
    pub(super) fn opaque() -> Self {
        Self { nodes: vec![Node::new(Kind::Opaque)], root: NodeId(0) }
    }

    pub(super) fn node(&self, id: NodeId) -> &Node {
        // Ids are only made by the loader, which never removes a node.
        &self.nodes[id.0]
    }

    /// The node behind any number of references.
    pub(super) fn resolve(&self, mut id: NodeId) -> NodeId {
        while let Kind::Reference(target) = self.node(id).kind {
            id = target;
        }
        id
    }

    /// References that lead only to each other mean nothing.
    fn check_references(&self) -> Result<(), String> {
        let mut is_good = vec![false; self.nodes.len()];
        for start in 0..self.nodes.len() {
            let mut path = HashSet::new();
            let mut at = NodeId(start);
            while let Kind::Reference(target) = self.node(at).kind
                && !is_good[at.0]
            {
                if !path.insert(at) {
                    return Err("$ref leads back to itself".to_owned());
                }
                at = target;
            }
            for id in path {
                is_good[id.0] = true;
            }
        }
        Ok(())
    }

    /// How many schemas are applied to one and the same value at most, one
    /// behind the other; nothing when there is no end to it.
    pub(super) fn in_place_depth(&self) -> Option<usize> {
        const UNSEEN: usize = usize::MAX;
        const OPEN: usize = usize::MAX - 1;
        let mut depths = vec![UNSEEN; self.nodes.len()];
        for start in 0..self.nodes.len() {
            let mut stack = vec![NodeId(start)];
            while let Some(&id) = stack.last() {
                let parts = self.in_place_parts(id);
                if depths[id.0] == UNSEEN {
                    depths[id.0] = OPEN;
                    for part in &parts {
                        match depths[part.0] {
                            UNSEEN => stack.push(*part),
                            OPEN => return None,
                            _ => {}
                        }
                    }
                } else {
                    if depths[id.0] == OPEN {
                        let deepest = parts.iter().map(|part| depths[part.0]).max();
                        depths[id.0] = deepest.map_or(0, |depth| depth + 1);
                    }
                    stack.pop();
                }
            }
        }
        depths.into_iter().max()
    }

    pub(super) fn reference_count(&self) -> usize {
        self.nodes.iter().filter(|node| matches!(node.kind, Kind::Reference(_))).count()
    }

    fn in_place_parts(&self, id: NodeId) -> Vec<NodeId> {
        match &self.node(id).kind {
            Kind::Combined(combined) => combined.parts.clone(),
            Kind::Conditional(parts) => parts.clone(),
            Kind::Not(inner) => vec![*inner],
            Kind::Reference(target) => vec![*target],
            Kind::Object(rules) => rules.schema_dependencies.values().copied().collect(),
            _ => Vec::new(),
        }
    }
}

impl Node {
    fn new(kind: Kind) -> Self {
        Self {
            kind,
            id: None,
            title: None,
            description: None,
            default: None,
            is_connect_bytes: false,
        }
    }
}

const ARRAY_KEYWORDS: [&str; 8] = [
    "items",
    "additionalItems",
    "minItems",
    "maxItems",
    "uniqueItems",
    "contains",
    "prefixItems",
    "unevaluatedItems",
];
const OBJECT_KEYWORDS: [&str; 11] = [
    "properties",
    "required",
    "minProperties",
    "maxProperties",
    "dependencies",
    "patternProperties",
    "additionalProperties",
    "propertyNames",
    "dependentRequired",
    "dependentSchemas",
    "unevaluatedProperties",
];
const NUMBER_KEYWORDS: [&str; 5] =
    ["minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf"];
const STRING_KEYWORDS: [&str; 4] = ["minLength", "maxLength", "pattern", "format"];
const CONDITIONAL_KEYWORDS: [&str; 3] = ["if", "then", "else"];

struct Loader<'a> {
    documents: &'a Documents,
    nodes: Vec<Node>,
    /// A place in a document is one node, however often it is referred to:
    /// that is what ends recursion.
    by_place: HashMap<*const Json, NodeId>,
    /// Places that have a node which is not filled in yet. Nothing recurses.
    waiting: VecDeque<(NodeId, &'a Json, Resource)>,
}

impl<'a> Loader<'a> {
    fn add(&mut self, kind: Kind) -> NodeId {
        self.nodes.push(Node::new(kind));
        NodeId(self.nodes.len() - 1)
    }

    /// The node of a schema, which is read later.
    fn node_at(&mut self, json: &'a Json, resource: Resource) -> NodeId {
        let place: *const Json = json;
        if let Some(id) = self.by_place.get(&place) {
            return *id;
        }
        let id = self.add(Kind::Opaque);
        self.by_place.insert(place, id);
        self.waiting.push_back((id, json, resource));
        id
    }

    fn nodes_at(
        &mut self,
        json: &'a Json,
        keyword: &str,
        resource: Resource,
    ) -> Result<Vec<NodeId>, String> {
        let items = json.as_array().ok_or_else(|| format!("{keyword} is not an array"))?;
        Ok(items.iter().map(|item| self.node_at(item, resource)).collect())
    }

    fn read(&mut self, json: &'a Json, outer: Resource) -> Result<Node, String> {
        let members = match json {
            Json::Bool(true) => return Ok(Node::new(Kind::Any)),
            Json::Bool(false) => return Ok(Node::new(Kind::Nothing)),
            Json::Object(members) => members,
            _ => return Err(format!("{} is not a schema", excerpt(json))),
        };
        let resource = self.documents.resource_of(json).unwrap_or(outer);
        let keywords = Keywords {
            members: members.iter().map(|(key, value)| (key.as_str(), value)).collect(),
            draft: self.documents.draft(resource),
        };
        let kind = self.read_kind(&keywords, resource)?;
        let id = if keywords.draft == Draft::Draft4 { "id" } else { "$id" };
        Ok(Node {
            kind,
            id: keywords.string(id),
            title: keywords.string("title"),
            description: keywords.string("description"),
            default: keywords.get("default").cloned(),
            is_connect_bytes: keywords.string("connect.type").as_deref() == Some("bytes"),
        })
    }

    /// One kind, or all that the keywords speak of under an `allOf`.
    fn read_kind(&mut self, keywords: &Keywords<'a>, at: Resource) -> Result<Kind, String> {
        let mut kinds = Vec::new();
        for keyword in ["$ref", "$dynamicRef", "$recursiveRef"] {
            if let Some(reference) = keywords.get(keyword).filter(|_| keywords.has(keyword)) {
                let reference =
                    reference.as_str().ok_or_else(|| format!("{keyword} is not a string"))?;
                let target = match self.documents.resolve(at, reference)? {
                    Target::Schema(json, resource) => self.node_at(json, resource),
                    Target::MetaSchema => self.add(Kind::Opaque),
                };
                kinds.push(Kind::Reference(target));
            }
        }
        // Up to draft 7 nothing beside a $ref counts.
        if kinds.is_empty() || keywords.draft >= Draft::Draft2019 {
            self.read_own_kinds(keywords, at, &mut kinds)?;
        }
        Ok(match kinds.len() {
            0 => Kind::Any,
            1 => kinds.remove(0),
            _ => {
                let parts: Vec<_> = kinds.into_iter().map(|kind| self.add(kind)).collect();
                Kind::Combined(Combined {
                    criterion: Criterion::All,
                    distinct: parts.clone(),
                    parts,
                })
            }
        })
    }

    fn read_own_kinds(
        &mut self,
        keywords: &Keywords<'a>,
        at: Resource,
        kinds: &mut Vec<Kind>,
    ) -> Result<(), String> {
        if let Some(values) = keywords.get("enum") {
            let values = values.as_array().ok_or("enum is not an array")?;
            kinds.push(Kind::Enum(values.to_vec()));
        }
        for criterion in [Criterion::All, Criterion::Any, Criterion::One] {
            if let Some(json) = keywords.get(criterion.keyword()) {
                kinds.push(Kind::Combined(self.read_combined(criterion, json, at)?));
            }
        }
        if let Some(json) = keywords.get("not") {
            kinds.push(Kind::Not(self.node_at(json, at)));
        }
        if keywords.draft > Draft::Draft4
            && let Some(value) = keywords.get("const")
        {
            kinds.push(Kind::Const(value.clone()));
        }
        let types = self.read_types(keywords, at, kinds)?;
        self.read_untyped(keywords, &types, at, kinds)
    }

    fn read_combined(
        &mut self,
        criterion: Criterion,
        json: &'a Json,
        at: Resource,
    ) -> Result<Combined, String> {
        let parts = self.nodes_at(json, criterion.keyword(), at)?;
        let mut texts = HashSet::new();
        let distinct = parts
            .iter()
            .zip(json.as_array().unwrap_or_default())
            .filter(|(_, json)| texts.insert(json.to_text()))
            .map(|(part, _)| *part)
            .collect();
        Ok(Combined { criterion, parts, distinct })
    }

    /// Reads `type`; answers which types were named.
    fn read_types(
        &mut self,
        keywords: &Keywords<'a>,
        at: Resource,
        kinds: &mut Vec<Kind>,
    ) -> Result<Vec<&'a str>, String> {
        match keywords.get("type") {
            None => Ok(Vec::new()),
            Some(Json::String(name)) => {
                kinds.push(self.read_type(name, keywords, at)?);
                Ok(vec![name])
            }
            Some(Json::Array(names)) => {
                let mut types = Vec::new();
                let mut parts = Vec::new();
                let mut distinct = Vec::new();
                for name in names {
                    let name = name.as_str().ok_or("type names something that is no string")?;
                    let kind = self.read_type(name, keywords, at)?;
                    let part = self.add(kind);
                    parts.push(part);
                    if !types.contains(&name) {
                        types.push(name);
                        distinct.push(part);
                    }
                }
                kinds.push(Kind::Combined(Combined { criterion: Criterion::Any, parts, distinct }));
                Ok(types)
            }
            Some(other) => Err(format!("type is {}", excerpt(other))),
        }
    }

    fn read_type(
        &mut self,
        name: &str,
        keywords: &Keywords<'a>,
        at: Resource,
    ) -> Result<Kind, String> {
        Ok(match name {
            "string" => Kind::String(read_string(keywords)?),
            "integer" => Kind::Number(NumberRules { is_integer: true, ..read_number(keywords)? }),
            "number" => Kind::Number(read_number(keywords)?),
            "boolean" => Kind::Boolean,
            "null" => Kind::Null,
            "array" => Kind::Array(Box::new(self.read_array(keywords, at)?)),
            "object" => Kind::Object(Box::new(self.read_object(keywords, at)?)),
            _ => return Err(format!("unknown type {name:?}")),
        })
    }

    /// Keywords of kinds that `type` does not name count as well.
    fn read_untyped(
        &mut self,
        keywords: &Keywords<'a>,
        types: &[&str],
        at: Resource,
        kinds: &mut Vec<Kind>,
    ) -> Result<(), String> {
        if !types.contains(&"array") && keywords.has_any(&ARRAY_KEYWORDS) {
            kinds.push(Kind::Array(Box::new(self.read_array(keywords, at)?)));
        }
        if !types.contains(&"object") && keywords.has_any(&OBJECT_KEYWORDS) {
            kinds.push(Kind::Object(Box::new(self.read_object(keywords, at)?)));
        }
        let is_number = types.iter().any(|name| matches!(*name, "number" | "integer"));
        if !is_number && keywords.has_any(&NUMBER_KEYWORDS) {
            kinds.push(Kind::Number(read_number(keywords)?));
        }
        if !types.contains(&"string") && keywords.has_any(&STRING_KEYWORDS) {
            kinds.push(Kind::String(read_string(keywords)?));
        }
        if keywords.has_any(&CONDITIONAL_KEYWORDS) {
            let parts = CONDITIONAL_KEYWORDS.iter().filter_map(|keyword| keywords.get(keyword));
            let parts = parts.map(|json| self.node_at(json, at)).collect();
            kinds.push(Kind::Conditional(parts));
        }
        Ok(())
    }

    fn read_object(
        &mut self,
        keywords: &Keywords<'a>,
        at: Resource,
    ) -> Result<ObjectRules, String> {
        let mut rules = ObjectRules {
            additional: self.read_rest(keywords.get("additionalProperties"), at),
            unevaluated: match self.read_rest(keywords.get("unevaluatedProperties"), at) {
                Rest::Forbidden => Rest::Allowed,
                rest => rest,
            },
            max_properties: keywords.number("maxProperties")?,
            min_properties: keywords.number("minProperties")?,
            ..ObjectRules::default()
        };
        for (name, json) in keywords.object("properties")? {
            rules.properties.insert(name.clone(), self.node_at(json, at));
        }
        for (pattern, json) in keywords.object("patternProperties")? {
            rules.patterns.push((compile_pattern(pattern)?, self.node_at(json, at)));
        }
        if let Some(json) = keywords.get("required") {
            rules.required = read_names(json, "required", keywords.draft)?;
        }
        for (name, json) in keywords.object("dependencies")? {
            match json {
                Json::Array(_) => {
                    let names = read_names(json, "dependencies", keywords.draft)?;
                    rules.property_dependencies.insert(name.clone(), names);
                }
                _ => {
                    rules.schema_dependencies.insert(name.clone(), self.node_at(json, at));
                }
            }
        }
        for (name, json) in keywords.object("dependentRequired")? {
            let names = read_names(json, "dependentRequired", keywords.draft)?;
            rules.property_dependencies.insert(name.clone(), names);
        }
        for (name, json) in keywords.object("dependentSchemas")? {
            rules.schema_dependencies.insert(name.clone(), self.node_at(json, at));
        }
        if let Some(json) = keywords.get("propertyNames") {
            self.node_at(json, at);
        }
        Ok(rules)
    }

    fn read_array(&mut self, keywords: &Keywords<'a>, at: Resource) -> Result<ArrayRules, String> {
        let mut rules = ArrayRules {
            unevaluated: self.read_rest(keywords.get("unevaluatedItems"), at),
            max_items: keywords.number("maxItems")?,
            min_items: keywords.number("minItems")?,
            max_contains: keywords.number("maxContains")?,
            min_contains: keywords.number("minContains")?,
            unique_items: match keywords.get("uniqueItems") {
                None => false,
                Some(Json::Bool(unique)) => *unique,
                Some(_) => return Err("uniqueItems is not a boolean".to_owned()),
            },
            ..ArrayRules::default()
        };
        if let Some(json) = keywords.get("contains") {
            self.node_at(json, at);
        }
        if let Some(json) = keywords.get("prefixItems") {
            rules.tuple = self.nodes_at(json, "prefixItems", at)?;
        }
        match keywords.get("items") {
            // Without a prefix the reference knows no array that must be empty.
            Some(Json::Bool(false)) if keywords.draft >= Draft::Draft2019 => {
                rules.additional = Rest::Forbidden;
            }
            Some(Json::Bool(true)) if keywords.draft >= Draft::Draft2019 => {}
            Some(json @ Json::Array(_)) if keywords.draft < Draft::Draft2020 => {
                rules.tuple = self.nodes_at(json, "items", at)?;
                rules.additional = self.read_rest(keywords.get("additionalItems"), at);
            }
            Some(json) if keywords.has("prefixItems") => {
                rules.additional = self.read_rest(Some(json), at);
            }
            Some(json) => rules.items = Some(self.node_at(json, at)),
            None if keywords.draft < Draft::Draft2019 => {
                rules.additional = self.read_rest(keywords.get("additionalItems"), at);
            }
            None => {}
        }
        Ok(rules)
    }

    fn read_rest(&mut self, json: Option<&'a Json>, at: Resource) -> Rest {
        match json {
            None | Some(Json::Bool(true)) => Rest::Allowed,
            Some(Json::Bool(false)) => Rest::Forbidden,
            Some(json) => Rest::Schema(self.node_at(json, at)),
        }
    }
}

fn read_string(keywords: &Keywords<'_>) -> Result<StringRules, String> {
    let pattern = match keywords.get("pattern") {
        None => None,
        Some(Json::String(pattern)) => {
            compile_pattern(pattern)?;
            Some(pattern.clone())
        }
        Some(_) => return Err("pattern is not a string".to_owned()),
    };
    Ok(StringRules {
        max_length: keywords.number("maxLength")?,
        min_length: keywords.number("minLength")?,
        pattern,
    })
}

fn read_number(keywords: &Keywords<'_>) -> Result<NumberRules, String> {
    // In draft 4 these are booleans, which take no part in a comparison.
    let exclusive = |keyword| match keywords.get(keyword) {
        Some(Json::Bool(_)) if keywords.draft == Draft::Draft4 => Ok(None),
        _ => keywords.number(keyword),
    };
    let multiple_of = match keywords.get("multipleOf") {
        None => None,
        Some(Json::Number(digits)) if digits.parse::<f64>().is_ok_and(|number| number != 0.0) => {
            Some(digits.clone())
        }
        Some(other) => return Err(format!("multipleOf is {}", excerpt(other))),
    };
    Ok(NumberRules {
        maximum: keywords.number("maximum")?,
        minimum: keywords.number("minimum")?,
        exclusive_maximum: exclusive("exclusiveMaximum")?,
        exclusive_minimum: exclusive("exclusiveMinimum")?,
        multiple_of,
        is_integer: false,
    })
}

fn read_names(json: &Json, keyword: &str, draft: Draft) -> Result<BTreeSet<String>, String> {
    // A boolean `required` inside a property is draft 3; it says nothing since.
    if keyword == "required" && matches!(json, Json::Bool(_)) && draft <= Draft::Draft7 {
        return Err("required is not an array of names".to_owned());
    }
    json.as_array()
        .and_then(|names| names.iter().map(|name| name.as_str().map(str::to_owned)).collect())
        .ok_or_else(|| format!("{keyword} is not an array of names"))
}

/// Compiles a pattern of ECMA-262 as far as it can be understood here.
fn compile_pattern(pattern: &str) -> Result<fancy_regex::Regex, String> {
    fancy_regex::Regex::new(pattern).map_err(|_| format!("{pattern:?} is not a regular expression"))
}

/// The beginning of a value, for a message.
fn excerpt(json: &Json) -> String {
    match json {
        Json::Array(_) => "an array".to_owned(),
        Json::Object(_) => "an object".to_owned(),
        Json::String(text) => format!("{:?}", text.chars().take(40).collect::<String>()),
        other => other.to_text(),
    }
}

/// The keywords of one schema object, as far as its draft knows them.
struct Keywords<'a> {
    members: HashMap<&'a str, &'a Json>,
    draft: Draft,
}

impl<'a> Keywords<'a> {
    fn get(&self, keyword: &str) -> Option<&'a Json> {
        self.members.get(keyword).copied().filter(|_| self.has(keyword))
    }

    /// Whether the keyword is there and has a meaning in this draft.
    fn has(&self, keyword: &str) -> bool {
        if keyword == "format" && self.draft > Draft::Draft7 {
            return false;
        }
        let since = match keyword {
            "contains" | "propertyNames" => Draft::Draft6,
            "if" | "then" | "else" => Draft::Draft7,
            "prefixItems"
            | "dependentRequired"
            | "dependentSchemas"
            | "unevaluatedItems"
            | "unevaluatedProperties"
            | "maxContains"
            | "minContains"
            | "$dynamicRef"
            | "$recursiveRef" => Draft::Draft2019,
            _ => Draft::Draft4,
        };
        self.draft >= since && self.members.contains_key(keyword)
    }

    fn has_any(&self, keywords: &[&str]) -> bool {
        keywords.iter().any(|keyword| self.has(keyword))
    }

    fn string(&self, keyword: &str) -> Option<String> {
        self.get(keyword).and_then(Json::as_str).map(str::to_owned)
    }

    fn number(&self, keyword: &str) -> Result<Option<f64>, String> {
        match self.get(keyword) {
            None => Ok(None),
            Some(Json::Number(digits)) => Ok(digits.parse().ok()),
            Some(_) => Err(format!("{keyword} is not a number")),
        }
    }

    fn object(&self, keyword: &str) -> Result<&'a [(String, Json)], String> {
        match self.get(keyword) {
            None => Ok(&[]),
            Some(Json::Object(members)) => Ok(members),
            Some(_) => Err(format!("{keyword} is not an object")),
        }
    }
}
