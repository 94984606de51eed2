//! Where a `$ref` leads: within the schema, or to one of its references.
//! Nothing is ever fetched.

use std::collections::HashMap;

use crate::lossless_json::Json;
use crate::schema::ResolvedReference;

/// The base of a schema that names no `$id`.
pub(super) const DEFAULT_BASE: &str = "mem://input";

/// A version of the specification.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Draft {
    Draft4,
    Draft6,
    Draft7,
    Draft2019,
    Draft2020,
}

impl Draft {
    const ALL: [Self; 5] =
        [Self::Draft4, Self::Draft6, Self::Draft7, Self::Draft2019, Self::Draft2020];

    /// The draft whose schema of schemas has this address.
    fn of_meta_schema(uri: &str) -> Option<Self> {
        let uri = uri.trim_end_matches('#');
        let path = uri.strip_prefix("http://").or_else(|| uri.strip_prefix("https://"))?;
        Self::ALL.into_iter().find(|draft| draft.meta_schema() == path)
    }

    fn meta_schema(self) -> &'static str {
        match self {
            Self::Draft4 => "json-schema.org/draft-04/schema",
            Self::Draft6 => "json-schema.org/draft-06/schema",
            Self::Draft7 => "json-schema.org/draft-07/schema",
            Self::Draft2019 => "json-schema.org/draft/2019-09/schema",
            Self::Draft2020 => "json-schema.org/draft/2020-12/schema",
        }
    }

    /// An address that `$schema` does not know means the `default`.
    fn of_document(document: &Json, default: Self) -> Self {
        document
            .get("$schema")
            .and_then(Json::as_str)
            .and_then(Self::of_meta_schema)
            .unwrap_or(default)
    }
}

/// A part of a document with a base of its own: the whole document, or an
/// object with `$id`. An index into [`Documents::resources`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Resource(usize);

/// What a `$ref` leads to.
pub(super) enum Target<'a> {
    Schema(&'a Json, Resource),
    /// The schema of schemas of some draft.
    MetaSchema,
}

/// A schema and everything that its references stand for.
#[derive(Debug)]
pub(super) struct Documents {
    /// The schema itself comes first.
    documents: Vec<Document>,
    resources: Vec<ResourceEntry>,
    /// Objects that begin a resource, by address within `documents`.
    by_place: HashMap<usize, Resource>,
    by_uri: HashMap<String, Resource>,
    /// `base#anchor` to the object that carries it.
    anchors: HashMap<String, Path>,
    /// Objects with many members, by address: where each member stands.
    large_objects: HashMap<usize, HashMap<String, usize>>,
}

/// From how many members on an object is searched by an index: a schema may
/// have tens of thousands of definitions, and as many references to them.
const LARGE_OBJECT: usize = 32;

#[derive(Debug)]
pub(super) struct Document {
    /// What a reference calls it; empty for the schema itself.
    pub(super) name: String,
    pub(super) json: Json,
    draft: Draft,
}

#[derive(Debug)]
struct ResourceEntry {
    document: usize,
    base: String,
    path: Path,
}

/// Steps from the root of a document to a value in it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
struct Path(Vec<usize>);

impl Documents {
    /// Reads the texts of the references; answers the name of one that is
    /// not JSON.
    pub(super) fn new(json: Json, references: &[ResolvedReference]) -> Result<Self, String> {
        let draft = Draft::of_document(&json, Draft::Draft7);
        let mut documents = vec![Document { name: String::new(), json, draft }];
        let mut waiting: Vec<&ResolvedReference> = references.iter().rev().collect();
        while let Some(reference) = waiting.pop() {
            if documents.iter().all(|document| document.name != reference.name) {
                let json = Json::parse(&reference.text)
                    .map_err(|error| format!("reference {:?}: {error}", reference.name))?;
                let draft = Draft::of_document(&json, draft);
                documents.push(Document { name: reference.name.clone(), json, draft });
            }
            waiting.extend(reference.references.iter().rev());
        }
        let mut this = Self {
            documents,
            resources: Vec::new(),
            by_place: HashMap::new(),
            by_uri: HashMap::new(),
            anchors: HashMap::new(),
            large_objects: HashMap::new(),
        };
        this.index();
        Ok(this)
    }

    pub(super) fn root(&self) -> &Json {
        &self.documents[0].json
    }

    pub(super) fn root_resource(&self) -> Resource {
        Resource(0)
    }

    pub(super) fn documents(&self) -> &[Document] {
        &self.documents
    }

    pub(super) fn draft(&self, resource: Resource) -> Draft {
        self.documents[self.entry(resource).document].draft
    }

    /// The resource that begins with this object.
    pub(super) fn resource_of(&self, json: &Json) -> Option<Resource> {
        self.by_place.get(&place(json)).copied()
    }

    /// The base of the schema itself.
    pub(super) fn base(&self) -> &str {
        &self.entry(Resource(0)).base
    }

    /// The address under which a `$ref` finds the reference `name`.
    pub(super) fn uri_of(&self, name: &str) -> String {
        resolve_uri(self.base(), name)
    }

    fn entry(&self, resource: Resource) -> &ResourceEntry {
        // Resources are only made by `index`, which never removes one.
        &self.resources[resource.0]
    }

    /// Finds every `$id` and anchor.
    fn index(&mut self) {
        for document in 0..self.documents.len() {
            let root_base =
                self.resources.first().map_or(DEFAULT_BASE, |entry| &entry.base).to_owned();
            let Document { name, json, draft } = &self.documents[document];
            let id_keyword = if *draft == Draft::Draft4 { "id" } else { "$id" };
            let base = match document {
                0 => DEFAULT_BASE.to_owned(),
                _ => resolve_uri(&root_base, name),
            };
            let mut walk = Walk { id_keyword, ..Walk::default() };
            walk.visit(json, &base, &mut Path::default());
            let Walk { found, anchors, large_objects, .. } = walk;
            self.large_objects.extend(large_objects);
            let name = name.clone();
            for (place, base, path) in found {
                let resource = Resource(self.resources.len());
                self.by_place.insert(place, resource);
                if path.0.is_empty() && document > 0 {
                    // A reference is found under its name in every notation.
                    for uri in [name.clone(), format!("./{name}"), resolve_uri(&root_base, &name)] {
                        self.by_uri.entry(uri).or_insert(resource);
                    }
                }
                self.by_uri.entry(base.clone()).or_insert(resource);
                self.resources.push(ResourceEntry { document, base, path });
            }
            for (anchor, path) in anchors {
                self.anchors.entry(anchor).or_insert(path);
            }
        }
    }

    /// What `reference` means where it stands in `from`.
    pub(super) fn resolve(&self, from: Resource, reference: &str) -> Result<Target<'_>, String> {
        let unresolved = || format!("$ref {reference:?} leads nowhere");
        let (uri, fragment) = match reference.split_once('#') {
            Some((uri, fragment)) => (uri, fragment),
            None => (reference, ""),
        };
        let candidates = if uri.is_empty() {
            // A pointer may also count from the root of the document.
            vec![from, self.root_of(from)]
        } else {
            let absolute = resolve_uri(&self.entry(from).base, uri);
            let from_root = resolve_uri(self.base(), uri);
            [uri, &absolute, &from_root]
                .into_iter()
                .filter_map(|uri| self.by_uri.get(without_fragment(uri)).copied())
                .collect()
        };
        for resource in &candidates {
            if let Some((json, resource)) = self.fragment(*resource, fragment) {
                return Ok(Target::Schema(json, resource));
            }
        }
        if candidates.is_empty() && Draft::of_meta_schema(uri).is_some() {
            return Ok(Target::MetaSchema);
        }
        Err(unresolved())
    }

    fn root_of(&self, resource: Resource) -> Resource {
        let document = self.entry(resource).document;
        self.by_place.get(&place(&self.documents[document].json)).copied().unwrap_or(resource)
    }

    fn fragment(&self, resource: Resource, fragment: &str) -> Option<(&Json, Resource)> {
        let entry = self.entry(resource);
        let start = self.at(entry.document, &entry.path)?;
        if fragment.is_empty() {
            return Some((start, resource));
        }
        let fragment = percent_decoded(fragment)?;
        let Some(pointer) = fragment.strip_prefix('/') else {
            let path = self.anchors.get(&format!("{}#{fragment}", entry.base))?;
            return Some((self.at(entry.document, path)?, resource));
        };
        let steps: Vec<String> =
            pointer.split('/').map(|step| step.replace("~1", "/").replace("~0", "~")).collect();
        self.pointer(start, &steps, resource).or_else(|| {
            // Both names of the bucket of definitions are forgiven.
            let [first, rest @ ..] = steps.as_slice() else { return None };
            let rest = rest.iter().cloned();
            let steps: Vec<String> = match first.as_str() {
                "$defs" => std::iter::once("definitions".to_owned()).chain(rest).collect(),
                _ => return None,
            };
            self.pointer(start, &steps, resource)
        })
    }

    fn pointer<'a>(
        &'a self,
        start: &'a Json,
        steps: &[String],
        mut resource: Resource,
    ) -> Option<(&'a Json, Resource)> {
        let mut json = start;
        for step in steps {
            json = match json {
                Json::Array(items) => items.get(step.parse::<usize>().ok()?)?,
                _ => self.member(json, step)?,
            };
            resource = self.resource_of(json).unwrap_or(resource);
        }
        Some((json, resource))
    }

    fn member<'a>(&self, json: &'a Json, name: &str) -> Option<&'a Json> {
        match self.large_objects.get(&place(json)) {
            Some(steps) => json.members().get(*steps.get(name)?).map(|(_, value)| value),
            None => json.get(name),
        }
    }

    fn at(&self, document: usize, path: &Path) -> Option<&Json> {
        let mut json = &self.documents.get(document)?.json;
        for step in &path.0 {
            json = match json {
                Json::Array(items) => items.get(*step)?,
                _ => json.members().get(*step).map(|(_, value)| value)?,
            };
        }
        Some(json)
    }
}

/// Looks for bases and anchors in one document.
#[derive(Default)]
struct Walk {
    id_keyword: &'static str,
    /// Place, base and path of objects that begin a resource.
    found: Vec<(usize, String, Path)>,
    anchors: Vec<(String, Path)>,
    large_objects: HashMap<usize, HashMap<String, usize>>,
}

impl Walk {
    fn visit(&mut self, json: &Json, base: &str, path: &mut Path) {
        let id = json.get(self.id_keyword).and_then(Json::as_str);
        let own_base = match id {
            Some(id) if id.starts_with('#') => {
                self.anchors.push((format!("{base}{id}"), path.clone()));
                None
            }
            Some(id) => Some(without_fragment(&resolve_uri(base, id)).to_owned()),
            None => None,
        };
        let base = own_base.as_deref().unwrap_or(base);
        if path.0.is_empty() || own_base.is_some() {
            self.found.push((place(json), base.to_owned(), path.clone()));
        }
        for keyword in ["$anchor", "$dynamicAnchor"] {
            if let Some(anchor) = json.get(keyword).and_then(Json::as_str) {
                self.anchors.push((format!("{base}#{anchor}"), path.clone()));
            }
        }
        match json {
            Json::Array(items) => {
                for (step, item) in items.iter().enumerate() {
                    self.descend(item, step, base, path);
                }
            }
            Json::Object(members) => {
                if members.len() >= LARGE_OBJECT {
                    let steps = members.iter().enumerate();
                    let steps = steps.map(|(step, (key, _))| (key.clone(), step)).collect();
                    self.large_objects.insert(place(json), steps);
                }
                for (step, (key, value)) in members.iter().enumerate() {
                    // What looks like a schema in these is a value.
                    if !matches!(key.as_str(), "enum" | "const" | "default" | "examples") {
                        self.descend(value, step, base, path);
                    }
                }
            }
            _ => {}
        }
    }

    fn descend(&mut self, child: &Json, step: usize, base: &str, path: &mut Path) {
        if matches!(child, Json::Array(_) | Json::Object(_)) {
            path.0.push(step);
            self.visit(child, base, path);
            path.0.pop();
        }
    }
}

/// A value's address is its identity: documents are never moved or changed
/// once they are read.
fn place(json: &Json) -> usize {
    std::ptr::from_ref(json).addr()
}

fn without_fragment(uri: &str) -> &str {
    uri.split_once('#').map_or(uri, |(uri, _)| uri)
}

/// Resolves a reference against a base (RFC 3986, section 5.2).
fn resolve_uri(base: &str, reference: &str) -> String {
    if has_scheme(reference) {
        return reference.to_owned();
    }
    let base = without_fragment(base);
    if reference.is_empty() {
        return base.to_owned();
    }
    let scheme_end = base.find(':').map_or(0, |colon| colon + 1);
    let (scheme, rest) = base.split_at(scheme_end);
    if reference.starts_with("//") {
        return format!("{scheme}{reference}");
    }
    let authority_end = match rest.strip_prefix("//") {
        Some(rest) => 2 + rest.find('/').unwrap_or(rest.len()),
        None => 0,
    };
    let (authority, path) = rest.split_at(authority_end);
    if reference.starts_with('#') {
        return format!("{base}{reference}");
    }
    let merged = if reference.starts_with('/') {
        reference.to_owned()
    } else {
        let directory = path.rfind('/').map_or("", |slash| &path[..=slash]);
        let directory = if directory.is_empty() && !authority.is_empty() { "/" } else { directory };
        format!("{directory}{reference}")
    };
    format!("{scheme}{authority}{}", without_dots(&merged))
}

fn has_scheme(uri: &str) -> bool {
    uri.split_once(':').is_some_and(|(scheme, _)| {
        scheme.starts_with(|first: char| first.is_ascii_alphabetic())
            && scheme.chars().all(|char| char.is_ascii_alphanumeric() || "+-.".contains(char))
    })
}

fn without_dots(path: &str) -> String {
    let mut kept: Vec<&str> = Vec::new();
    for segment in path.split('/') {
        match segment {
            "." => {}
            ".." => {
                if kept.len() > 1 || kept.first().is_some_and(|first| !first.is_empty()) {
                    kept.pop();
                }
            }
            segment => kept.push(segment),
        }
    }
    kept.join("/")
}

fn percent_decoded(text: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let [first, tail @ ..] = rest {
        rest = tail;
        if *first == b'%' {
            let (digits, tail) = tail.split_at_checked(2)?;
            bytes.push(u8::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok()?);
            rest = tail;
        } else {
            bytes.push(*first);
        }
    }
    String::from_utf8(bytes).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn references_are_resolved_against_their_base() {
        for (base, reference, expected) in [
            ("mem://input", "base.json", "mem://input/base.json"),
            ("http://e/a/b.json", "c.json", "http://e/a/c.json"),
            ("http://e/a/b.json", "./c.json", "http://e/a/c.json"),
            ("http://e/a/b.json", "../c.json", "http://e/c.json"),
            ("http://e/a/b.json", "../../../c.json", "http://e/c.json"),
            ("http://e/a/b.json", "/c.json", "http://e/c.json"),
            ("http://e/a/b.json", "//f/c.json", "http://f/c.json"),
            ("http://e/a/b.json#x", "#y", "http://e/a/b.json#y"),
            ("http://e/a/b.json", "urn:x:y", "urn:x:y"),
            ("http://e/a/b.json", "", "http://e/a/b.json"),
            ("http://e", "c.json", "http://e/c.json"),
        ] {
            assert_eq!(resolve_uri(base, reference), expected, "{base} {reference}");
        }
    }

    #[test]
    fn a_draft_is_known_by_its_address() {
        for (address, draft) in [
            ("http://json-schema.org/draft-04/schema#", Draft::Draft4),
            ("http://json-schema.org/draft-06/schema", Draft::Draft6),
            ("https://json-schema.org/draft-07/schema#", Draft::Draft7),
            ("https://json-schema.org/draft/2019-09/schema", Draft::Draft2019),
            ("http://json-schema.org/draft/2020-12/schema#", Draft::Draft2020),
            ("http://example.org/own", Draft::Draft7),
        ] {
            let json = Json::parse(&format!("{{\"$schema\":\"{address}\"}}")).unwrap();
            assert_eq!(Draft::of_document(&json, Draft::Draft7), draft, "{address}");
        }
    }
}
