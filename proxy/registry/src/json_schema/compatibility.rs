//! Can data that is valid under one schema be read under another? Confluent's
//! rules for JSON Schema, as a list of differences with a kind and a path.
//!
//! Only the kind decides whether a difference is compatible. Pairs of parts
//! are compared once; a pair that is met again inside itself counts as equal,
//! and the comparison is repeated until that assumption holds.

mod arrays;
mod combinations;
mod objects;
mod values;

use std::collections::{HashMap, HashSet};
use std::rc::Rc;

use self::values::{compare_enums, compare_numbers, compare_strings};
use super::difference::Difference;
use super::model::{Kind, Model, Node, NodeId, Rest};
use crate::schema::{CompatibilityPolicy, Incompatibility};

/// How many differences of a pair are kept; the verdict counts all of them.
const MAX_DIFFERENCES: usize = 1_000;
/// How many pairs of parts are compared before two schemas count as too
/// large to be compared.
const MAX_COMPARISONS: usize = 100_000;
/// How deep pairs may lie in each other, through references as well.
const MAX_DEPTH: usize = 200;
/// How much of a property's name stands in a path.
const MAX_SEGMENT: usize = 128;

/// The differences of a pair, with paths below that pair.
#[derive(Debug, Default, Clone)]
struct Differences {
    list: Vec<(Difference, Path)>,
    is_incompatible: bool,
}

/// Steps to a part, outermost first. Cheap to share and to put together.
type Path = Rc<[Rc<str>]>;

impl Differences {
    fn push(&mut self, difference: Difference, path: Path, policy: CompatibilityPolicy) {
        let is_incompatible = !difference.is_compatible(policy);
        if self.list.len() < MAX_DIFFERENCES {
            self.list.push((difference, path));
        } else if is_incompatible && !self.is_incompatible {
            // A verdict needs at least one reason.
            self.list.pop();
            self.list.push((difference, path));
        }
        self.is_incompatible |= is_incompatible;
    }
}

/// Two schemas are so large, or refer to each other's parts so deeply, that
/// comparing them would take unbounded time or stack.
#[derive(Debug)]
struct TooLarge;

/// Why `new` cannot read what was valid under `old`.
pub(super) fn incompatibilities(
    new: &Model,
    old: &Model,
    policy: CompatibilityPolicy,
) -> Vec<Incompatibility> {
    match differences(old, new, policy) {
        Ok(differences) => differences
            .into_iter()
            .filter(|(difference, _)| !difference.is_compatible(policy))
            .map(|(difference, path)| Incompatibility {
                kind: difference.name(),
                description: difference.description(&path),
                path,
                additional_info: None,
            })
            .collect(),
        Err(TooLarge) => vec![Incompatibility {
            kind: Difference::TypeChanged.name(),
            path: "#/".to_owned(),
            description: "The new schema and the old schema are too large or too deeply nested to \
                          be compared"
                .to_owned(),
            additional_info: None,
        }],
    }
}

/// All differences, compatible ones too.
fn differences(
    old: &Model,
    new: &Model,
    policy: CompatibilityPolicy,
) -> Result<Vec<(Difference, String)>, TooLarge> {
    let mut comparison = Comparison {
        old,
        new,
        policy,
        is_reversed: false,
        pairs: HashMap::new(),
        open: HashSet::new(),
        known_incompatible: HashMap::new(),
        has_assumed: false,
        work: 0,
        depth: 0,
    };
    loop {
        let found = comparison.pair(old.root, new.root)?;
        let incompatible: HashMap<Pair, Rc<Differences>> = comparison
            .pairs
            .drain()
            .filter(|(_, differences)| differences.is_incompatible)
            .collect();
        let is_settled = !comparison.has_assumed
            || incompatible.len() == comparison.known_incompatible.len()
                && incompatible.keys().all(|pair| comparison.known_incompatible.contains_key(pair));
        if is_settled {
            return Ok(found
                .list
                .iter()
                .map(|(difference, path)| (*difference, format!("#/{}", path.join("/"))))
                .collect());
        }
        comparison.known_incompatible = incompatible;
        comparison.has_assumed = false;
    }
}

/// Parts of the old and the new schema, and whether they changed places
/// under a `not`.
type Pair = (NodeId, NodeId, bool);

struct Comparison<'a> {
    old: &'a Model,
    new: &'a Model,
    policy: CompatibilityPolicy,
    is_reversed: bool,
    /// What this round has found.
    pairs: HashMap<Pair, Rc<Differences>>,
    /// Pairs that are being compared.
    open: HashSet<Pair>,
    /// What the rounds before have found.
    known_incompatible: HashMap<Pair, Rc<Differences>>,
    /// A pair inside itself was taken for compatible.
    has_assumed: bool,
    work: usize,
    depth: usize,
}

/// Where the differences of a pair are collected.
struct Scope<'a> {
    policy: CompatibilityPolicy,
    path: Vec<Step<'a>>,
    found: Differences,
}

/// One step of a path. It becomes text only when there is a difference.
#[derive(Clone, Copy)]
enum Step<'a> {
    Name(&'a str),
    Index(usize),
}

impl Step<'_> {
    fn shown(self) -> Rc<str> {
        match self {
            Self::Index(index) => index.to_string().into(),
            Self::Name(name) => match name.char_indices().nth(MAX_SEGMENT) {
                Some((end, _)) => format!("{}…", name.get(..end).unwrap_or_default()).into(),
                None => name.into(),
            },
        }
    }
}

impl<'a> Scope<'a> {
    fn add(&mut self, difference: Difference) {
        let path = self.path.iter().map(|step| step.shown()).collect();
        self.found.push(difference, path, self.policy);
    }

    fn add_at(&mut self, step: &'a str, difference: Difference) {
        self.enter(step);
        self.add(difference);
        self.leave();
    }

    fn enter(&mut self, step: &'a str) {
        self.path.push(Step::Name(step));
    }

    fn leave(&mut self) {
        self.path.pop();
    }

    fn extend(&mut self, differences: &Differences) {
        let is_full = self.found.list.len() >= MAX_DIFFERENCES;
        if is_full && (self.found.is_incompatible || !differences.is_incompatible) {
            return;
        }
        if !differences.list.is_empty() {
            let above: Vec<Rc<str>> = self.path.iter().map(|step| step.shown()).collect();
            for (difference, below) in &differences.list {
                let path = above.iter().chain(below.iter()).cloned().collect();
                self.found.push(*difference, path, self.policy);
            }
        }
        self.found.is_incompatible |= differences.is_incompatible;
    }
}

impl<'a> Comparison<'a> {
    fn old_node(&self, id: NodeId) -> &'a Node {
        if self.is_reversed { self.new.node(id) } else { self.old.node(id) }
    }

    fn new_node(&self, id: NodeId) -> &'a Node {
        if self.is_reversed { self.old.node(id) } else { self.new.node(id) }
    }

    fn pair(&mut self, old: NodeId, new: NodeId) -> Result<Rc<Differences>, TooLarge> {
        let (old_model, new_model) =
            if self.is_reversed { (self.new, self.old) } else { (self.old, self.new) };
        let (old, new) = (old_model.resolve(old), new_model.resolve(new));
        let pair = (old, new, self.is_reversed);
        self.work += 1;
        if self.work > MAX_COMPARISONS {
            return Err(TooLarge);
        }
        if let Some(known) = self.pairs.get(&pair) {
            return Ok(Rc::clone(known));
        }
        if self.open.contains(&pair) {
            return Ok(self.known_incompatible.get(&pair).cloned().unwrap_or_else(|| {
                self.has_assumed = true;
                Rc::default()
            }));
        }
        if self.depth > MAX_DEPTH {
            return Err(TooLarge);
        }
        self.open.insert(pair);
        self.depth += 1;
        let mut scope =
            Scope { policy: self.policy, path: Vec::new(), found: Differences::default() };
        let result = self.compare(&mut scope, old, new);
        self.depth -= 1;
        self.open.remove(&pair);
        result?;
        // Every difference that is passed on is work, too.
        self.work += scope.found.list.len() / 8;
        let found = Rc::new(scope.found);
        self.pairs.insert(pair, Rc::clone(&found));
        Ok(found)
    }

    /// Compares a part of both sides that each side may lack.
    fn optional(
        &mut self,
        scope: &mut Scope<'a>,
        old: Option<NodeId>,
        new: Option<NodeId>,
    ) -> Result<(), TooLarge> {
        match (old, new) {
            (None, None) => {}
            (None, Some(_)) => scope.add(Difference::SchemaAdded),
            (Some(_), None) => scope.add(Difference::SchemaRemoved),
            (Some(old), Some(new)) => scope.extend(&*self.pair(old, new)?),
        }
        Ok(())
    }

    fn compare(&mut self, scope: &mut Scope<'a>, old: NodeId, new: NodeId) -> Result<(), TooLarge> {
        let (old_node, new_node) = (self.old_node(old), self.new_node(new));
        if self.combined_with_plain(scope, old, new)? {
            return Ok(());
        }
        use Kind as K;
        let is_same_kind = matches!(
            (&old_node.kind, &new_node.kind),
            (K::Any, K::Any)
                | (K::Nothing, K::Nothing)
                | (K::Null, K::Null)
                | (K::Boolean, K::Boolean)
                | (K::String(_), K::String(_))
                | (K::Number(_), K::Number(_))
                | (K::Object(_), K::Object(_))
                | (K::Array(_), K::Array(_))
                | (K::Enum(_), K::Enum(_))
                | (K::Const(_), K::Const(_))
                | (K::Combined(_), K::Combined(_))
                | (K::Not(_), K::Not(_))
                | (K::Conditional(_), K::Conditional(_))
                | (K::Opaque, K::Opaque)
        );
        if !is_same_kind {
            let is_always_readable = matches!(old_node.kind, K::Nothing)
                || matches!(new_node.kind, K::Any)
                || old_node.is_connect_bytes && new_node.is_connect_bytes;
            if !is_always_readable {
                scope.add(Difference::TypeChanged);
            }
            return Ok(());
        }
        compare_annotations(scope, old_node, new_node);
        match (&old_node.kind, &new_node.kind) {
            (K::String(old), K::String(new)) => compare_strings(scope, old, new),
            (K::Number(old), K::Number(new)) => compare_numbers(scope, old, new),
            (K::Object(old), K::Object(new)) => self.compare_objects(scope, old, new)?,
            (K::Array(old), K::Array(new)) => self.compare_arrays(scope, old, new)?,
            (K::Enum(old), K::Enum(new)) => compare_enums(scope, old, new),
            (K::Const(old), K::Const(new)) if !old.same_value(new) => {
                scope.add_at("const", Difference::EnumArrayChanged);
            }
            (K::Combined(old), K::Combined(new)) => self.compare_combined(scope, old, new)?,
            (K::Not(old), K::Not(new)) => {
                // What the new schema forbids must have been forbidden before.
                self.is_reversed = !self.is_reversed;
                let inner = self.pair(*new, *old);
                self.is_reversed = !self.is_reversed;
                let difference = if inner?.is_incompatible {
                    Difference::NotTypeExtended
                } else {
                    Difference::NotTypeNarrowed
                };
                scope.add_at("not", difference);
            }
            _ => {}
        }
        Ok(())
    }

    fn compare_rest(
        &mut self,
        scope: &mut Scope<'a>,
        old: Rest,
        new: Rest,
        kinds: RestKinds,
    ) -> Result<(), TooLarge> {
        match (old, new) {
            (Rest::Forbidden, Rest::Forbidden) | (Rest::Allowed, Rest::Allowed) => {}
            (Rest::Forbidden, _) => scope.add(kinds.added),
            (_, Rest::Forbidden) => scope.add(kinds.removed),
            (Rest::Allowed, Rest::Schema(_)) => scope.add(kinds.narrowed),
            (Rest::Schema(_), Rest::Allowed) => scope.add(kinds.extended),
            (Rest::Schema(old), Rest::Schema(new)) => scope.extend(&*self.pair(old, new)?),
        }
        Ok(())
    }
}

/// What to call a change of `additionalProperties` or `additionalItems`.
#[derive(Clone, Copy)]
struct RestKinds {
    added: Difference,
    removed: Difference,
    extended: Difference,
    narrowed: Difference,
}

impl RestKinds {
    const PROPERTIES: Self = Self {
        added: Difference::AdditionalPropertiesAdded,
        removed: Difference::AdditionalPropertiesRemoved,
        extended: Difference::AdditionalPropertiesExtended,
        narrowed: Difference::AdditionalPropertiesNarrowed,
    };
    const UNEVALUATED_PROPERTIES: Self = Self {
        added: Difference::UnevaluatedPropertiesAdded,
        removed: Difference::UnevaluatedPropertiesRemoved,
        extended: Difference::UnevaluatedPropertiesExtended,
        narrowed: Difference::UnevaluatedPropertiesNarrowed,
    };
    const UNEVALUATED_ITEMS: Self = Self {
        added: Difference::UnevaluatedItemsAdded,
        removed: Difference::UnevaluatedItemsRemoved,
        extended: Difference::UnevaluatedItemsExtended,
        narrowed: Difference::UnevaluatedItemsNarrowed,
    };
    const ITEMS: Self = Self {
        added: Difference::AdditionalItemsAdded,
        removed: Difference::AdditionalItemsRemoved,
        extended: Difference::AdditionalItemsExtended,
        narrowed: Difference::AdditionalItemsNarrowed,
    };
}

fn compare_annotations(scope: &mut Scope<'_>, old: &Node, new: &Node) {
    if old.id != new.id {
        scope.add(Difference::IdChanged);
    }
    if old.title != new.title {
        scope.add(Difference::TitleChanged);
    }
    if old.description != new.description {
        scope.add(Difference::DescriptionChanged);
    }
    if old.default != new.default {
        scope.add(Difference::DefaultChanged);
    }
}

#[cfg(test)]
mod tests;
