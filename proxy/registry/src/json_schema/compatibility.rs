//! Can data that is valid under one schema be read under another? Confluent's
//! rules for JSON Schema, as a list of differences with a kind and a path.
//!
//! Only the kind decides whether a difference is compatible. Pairs of parts
//! are compared once; a pair that is met again inside itself counts as equal,
//! and the comparison is repeated until that assumption holds.

use std::collections::{BTreeSet, HashMap, HashSet, VecDeque};
use std::rc::Rc;

use super::difference::Difference;
use super::model::{
    ArrayRules, Combined, Criterion, Kind, Model, Node, NodeId, NumberRules, ObjectRules, Rest,
    StringRules,
};
use crate::lossless_json::Json;
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

    /// A combined schema on one side only: is one of its parts compatible
    /// with the other side?
    fn combined_with_plain(
        &mut self,
        scope: &mut Scope<'a>,
        old: NodeId,
        new: NodeId,
    ) -> Result<bool, TooLarge> {
        match (&self.old_node(old).kind, &self.new_node(new).kind) {
            (Kind::Combined(_), Kind::Combined(_)) => Ok(false),
            (_, Kind::Combined(combined)) => {
                if combined.parts.len() > 1 && combined.criterion == Criterion::All {
                    return Ok(false);
                }
                for part in &combined.parts {
                    let differences = self.pair(old, *part)?;
                    if !differences.is_incompatible {
                        scope.extend(&differences);
                        if combined.parts.len() > 1 {
                            scope.add(Difference::SumTypeExtended);
                        }
                        return Ok(true);
                    }
                }
                Ok(false)
            }
            (Kind::Combined(combined), _) => {
                if combined.parts.len() > 1 && combined.criterion != Criterion::All {
                    return Ok(false);
                }
                for part in &combined.parts {
                    let differences = self.pair(*part, new)?;
                    if !differences.is_incompatible {
                        scope.extend(&differences);
                        if combined.parts.len() > 1 {
                            scope.add(Difference::ProductTypeNarrowed);
                        }
                        return Ok(true);
                    }
                }
                Ok(false)
            }
            _ => Ok(false),
        }
    }

    fn compare_combined(
        &mut self,
        scope: &mut Scope<'a>,
        old: &'a Combined,
        new: &'a Combined,
    ) -> Result<(), TooLarge> {
        use Criterion::{All, Any, One};
        if old.criterion != new.criterion {
            let (old_single, new_single) = (old.parts.len() == 1, new.parts.len() == 1);
            let is_extended = new.criterion == Any
                || old_single && new_single
                || old_single && new.criterion == One
                || new_single && old.criterion == All;
            if !is_extended {
                scope.add(Difference::CombinedTypeChanged);
                return Ok(());
            }
            scope.add(Difference::CombinedTypeExtended);
        }
        let (old_count, new_count) = (old.distinct.len(), new.distinct.len());
        if old_count < new_count {
            scope.add(match new.criterion {
                All => Difference::ProductTypeExtended,
                Any | One => Difference::SumTypeExtended,
            });
        } else if old_count > new_count {
            scope.add(match old.criterion {
                All => Difference::ProductTypeNarrowed,
                Any | One => Difference::SumTypeNarrowed,
            });
        }
        let mut edges = vec![Vec::new(); old_count];
        for (old_part, edges) in old.distinct.iter().zip(&mut edges) {
            for (index, new_part) in new.distinct.iter().enumerate() {
                if !self.pair(*old_part, *new_part)?.is_incompatible {
                    edges.push(index);
                }
            }
        }
        let partners = maximum_matching(&edges, new_count);
        let mut matched = 0;
        for (new_part, partner) in new.distinct.iter().zip(partners) {
            if let Some(old_part) = partner.and_then(|partner| old.distinct.get(partner)) {
                matched += 1;
                let differences = self.pair(*old_part, *new_part)?;
                scope.extend(&differences);
            }
        }
        if matched < old_count.min(new_count) {
            scope.add(Difference::CombinedTypeSubschemasChanged);
        }
        Ok(())
    }

    fn compare_objects(
        &mut self,
        scope: &mut Scope<'a>,
        old: &'a ObjectRules,
        new: &'a ObjectRules,
    ) -> Result<(), TooLarge> {
        self.compare_required(scope, old, new);
        self.compare_properties(scope, old, new)?;
        self.compare_dependencies(scope, old, new)?;
        scope.enter("additionalProperties");
        self.compare_rest(scope, old.additional, new.additional, RestKinds::PROPERTIES)?;
        scope.leave();
        scope.enter("unevaluatedProperties");
        self.compare_rest(
            scope,
            old.unevaluated,
            new.unevaluated,
            RestKinds::UNEVALUATED_PROPERTIES,
        )?;
        scope.leave();
        compare_limit(
            scope,
            "maxProperties",
            old.max_properties,
            new.max_properties,
            [
                Difference::MaxPropertiesAdded,
                Difference::MaxPropertiesRemoved,
                Difference::MaxPropertiesIncreased,
                Difference::MaxPropertiesDecreased,
            ],
        );
        compare_limit(
            scope,
            "minProperties",
            old.min_properties,
            new.min_properties,
            [
                Difference::MinPropertiesAdded,
                Difference::MinPropertiesRemoved,
                Difference::MinPropertiesIncreased,
                Difference::MinPropertiesDecreased,
            ],
        );
        Ok(())
    }

    fn compare_required(&self, scope: &mut Scope<'a>, old: &'a ObjectRules, new: &'a ObjectRules) {
        scope.enter("required");
        for name in old.properties.keys() {
            let Some(property) = new.properties.get(name) else { continue };
            match (old.required.contains(name), new.required.contains(name)) {
                (true, false) => scope.add_at(name, Difference::RequiredAttributeRemoved),
                (false, true) if self.new_node(*property).default.is_some() => {
                    scope.add_at(name, Difference::RequiredAttributeWithDefaultAdded);
                }
                (false, true) => scope.add_at(name, Difference::RequiredAttributeAdded),
                _ => {}
            }
        }
        scope.leave();
    }

    fn compare_properties(
        &mut self,
        scope: &mut Scope<'a>,
        old: &'a ObjectRules,
        new: &'a ObjectRules,
    ) -> Result<(), TooLarge> {
        let names: BTreeSet<&String> = old.properties.keys().chain(new.properties.keys()).collect();
        scope.enter("properties");
        for name in names {
            scope.enter(name);
            match (old.properties.get(name), new.properties.get(name)) {
                (Some(old), Some(new)) => scope.extend(&*self.pair(*old, *new)?),
                (Some(property), None) => self.property_removed(scope, name, *property, new)?,
                (None, Some(property)) => self.property_added(scope, name, *property, old, new)?,
                (None, None) => {}
            }
            scope.leave();
        }
        scope.leave();
        Ok(())
    }

    fn property_removed(
        &mut self,
        scope: &mut Scope<'a>,
        name: &'a str,
        property: NodeId,
        new: &'a ObjectRules,
    ) -> Result<(), TooLarge> {
        if is_open(new) {
            scope.add(Difference::PropertyRemovedFromOpen);
        } else if let Some(covering) = covering(new, name) {
            let differences = self.pair(property, covering)?;
            scope.extend(&differences);
            scope.add(if differences.is_incompatible {
                Difference::PropertyRemovedNotCovered
            } else {
                Difference::PropertyRemovedIsCovered
            });
        } else if matches!(self.old_node(property).kind, Kind::Nothing) {
            scope.add(Difference::PropertyWithFalseRemovedFromClosed);
        } else {
            scope.add(Difference::PropertyRemovedFromClosed);
        }
        Ok(())
    }

    fn property_added(
        &mut self,
        scope: &mut Scope<'a>,
        name: &'a str,
        property: NodeId,
        old: &'a ObjectRules,
        new: &'a ObjectRules,
    ) -> Result<(), TooLarge> {
        let is_required = new.required.contains(name);
        let has_default = self.new_node(property).default.is_some();
        if is_open(old) {
            scope.add(match (is_required, has_default) {
                _ if matches!(self.new_node(property).kind, Kind::Any) => {
                    Difference::PropertyWithEmptySchemaAddedToOpen
                }
                (true, true) => Difference::RequiredPropertyWithDefaultAddedToOpen,
                (true, false) => Difference::RequiredPropertyAddedToOpen,
                (false, _) => Difference::OptionalPropertyAddedToOpen,
            });
            return Ok(());
        }
        if let Some(covering) = covering(old, name) {
            let differences = self.pair(covering, property)?;
            scope.extend(&differences);
            scope.add(if differences.is_incompatible {
                Difference::PropertyAddedNotCovered
            } else {
                Difference::PropertyAddedIsCovered
            });
        }
        scope.add(match (is_required, has_default) {
            (true, true) => Difference::RequiredPropertyWithDefaultAddedToUnopen,
            (true, false) => Difference::RequiredPropertyAddedToUnopen,
            (false, _) => Difference::OptionalPropertyAddedToUnopen,
        });
        Ok(())
    }

    fn compare_dependencies(
        &mut self,
        scope: &mut Scope<'a>,
        old: &'a ObjectRules,
        new: &'a ObjectRules,
    ) -> Result<(), TooLarge> {
        scope.enter("dependencies");
        let (old_names, new_names) = (&old.property_dependencies, &new.property_dependencies);
        for name in old_names.keys().chain(new_names.keys()).collect::<BTreeSet<_>>() {
            let difference = match (old_names.get(name), new_names.get(name)) {
                (Some(_), None) => Difference::DependencyArrayRemoved,
                (None, _) => Difference::DependencyArrayAdded,
                (Some(old), Some(new)) if old == new => continue,
                (Some(old), Some(new)) if new.is_superset(old) => {
                    Difference::DependencyArrayExtended
                }
                (Some(old), Some(new)) if new.is_subset(old) => Difference::DependencyArrayNarrowed,
                (Some(_), Some(_)) => Difference::DependencyArrayChanged,
            };
            scope.add_at(name, difference);
        }
        let (old_schemas, new_schemas) = (&old.schema_dependencies, &new.schema_dependencies);
        for name in old_schemas.keys().chain(new_schemas.keys()).collect::<BTreeSet<_>>() {
            scope.enter(name);
            match (old_schemas.get(name), new_schemas.get(name)) {
                (Some(old), Some(new)) => scope.extend(&*self.pair(*old, *new)?),
                (Some(_), None) => scope.add(Difference::DependencySchemaRemoved),
                (None, _) => scope.add(Difference::DependencySchemaAdded),
            }
            scope.leave();
        }
        scope.leave();
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

    fn compare_arrays(
        &mut self,
        scope: &mut Scope<'a>,
        old: &'a ArrayRules,
        new: &'a ArrayRules,
    ) -> Result<(), TooLarge> {
        scope.enter("items");
        self.optional(scope, old.items, new.items)?;
        scope.leave();
        self.compare_tuples(scope, old, new)?;
        scope.enter("additionalItems");
        self.compare_rest(scope, old.additional, new.additional, RestKinds::ITEMS)?;
        scope.leave();
        scope.enter("unevaluatedItems");
        self.compare_rest(scope, old.unevaluated, new.unevaluated, RestKinds::UNEVALUATED_ITEMS)?;
        scope.leave();
        compare_limit(
            scope,
            "maxItems",
            old.max_items,
            new.max_items,
            [
                Difference::MaxItemsAdded,
                Difference::MaxItemsRemoved,
                Difference::MaxItemsIncreased,
                Difference::MaxItemsDecreased,
            ],
        );
        compare_limit(
            scope,
            "minItems",
            old.min_items,
            new.min_items,
            [
                Difference::MinItemsAdded,
                Difference::MinItemsRemoved,
                Difference::MinItemsIncreased,
                Difference::MinItemsDecreased,
            ],
        );
        match (old.unique_items, new.unique_items) {
            (true, false) => scope.add_at("uniqueItems", Difference::UniqueItemsRemoved),
            (false, true) => scope.add_at("uniqueItems", Difference::UniqueItemsAdded),
            _ => {}
        }
        compare_limit(
            scope,
            "maxContains",
            old.max_contains,
            new.max_contains,
            [
                Difference::MaxContainsAdded,
                Difference::MaxContainsRemoved,
                Difference::MaxContainsIncreased,
                Difference::MaxContainsDecreased,
            ],
        );
        compare_limit(
            scope,
            "minContains",
            old.min_contains,
            new.min_contains,
            [
                Difference::MinContainsAdded,
                Difference::MinContainsRemoved,
                Difference::MinContainsIncreased,
                Difference::MinContainsDecreased,
            ],
        );
        Ok(())
    }

    fn compare_tuples(
        &mut self,
        scope: &mut Scope<'a>,
        old: &'a ArrayRules,
        new: &'a ArrayRules,
    ) -> Result<(), TooLarge> {
        for index in 0..old.tuple.len().max(new.tuple.len()) {
            scope.enter("items");
            scope.path.push(Step::Index(index));
            match (old.tuple.get(index), new.tuple.get(index)) {
                (Some(old), Some(new)) => scope.extend(&*self.pair(*old, *new)?),
                (Some(item), None) => self.item_removed(scope, *item, new)?,
                (None, Some(item)) => self.item_added(scope, *item, old)?,
                (None, None) => {}
            }
            scope.leave();
            scope.leave();
        }
        Ok(())
    }

    fn item_removed(
        &mut self,
        scope: &mut Scope<'a>,
        item: NodeId,
        new: &'a ArrayRules,
    ) -> Result<(), TooLarge> {
        match new.additional.or(new.unevaluated) {
            Rest::Allowed => scope.add(Difference::ItemRemovedFromOpen),
            Rest::Schema(covering) => {
                let differences = self.pair(item, covering)?;
                scope.extend(&differences);
                scope.add(if differences.is_incompatible {
                    Difference::ItemRemovedNotCovered
                } else {
                    Difference::ItemRemovedIsCovered
                });
            }
            Rest::Forbidden if matches!(self.old_node(item).kind, Kind::Nothing) => {
                scope.add(Difference::ItemWithFalseRemovedFromClosed);
            }
            Rest::Forbidden => scope.add(Difference::ItemRemovedFromClosed),
        }
        Ok(())
    }

    fn item_added(
        &mut self,
        scope: &mut Scope<'a>,
        item: NodeId,
        old: &'a ArrayRules,
    ) -> Result<(), TooLarge> {
        match old.additional.or(old.unevaluated) {
            Rest::Allowed if matches!(self.new_node(item).kind, Kind::Any) => {
                scope.add(Difference::ItemWithEmptySchemaAddedToOpen);
            }
            Rest::Allowed => scope.add(Difference::ItemAddedToOpen),
            Rest::Schema(covering) => {
                let differences = self.pair(covering, item)?;
                scope.extend(&differences);
                scope.add(if differences.is_incompatible {
                    Difference::ItemAddedNotCovered
                } else {
                    Difference::ItemAddedIsCovered
                });
            }
            Rest::Forbidden => scope.add(Difference::ItemAddedToClosed),
        }
        Ok(())
    }
}

/// An object may have any other property.
fn is_open(rules: &ObjectRules) -> bool {
    rules.additional.or(rules.unevaluated) == Rest::Allowed && rules.patterns.is_empty()
}

/// The schema that a partially open object applies to a property which it
/// does not name. A pattern that takes too long does not match.
fn covering(rules: &ObjectRules, name: &str) -> Option<NodeId> {
    rules
        .patterns
        .iter()
        .find(|(pattern, _)| pattern.is_match(name).unwrap_or(false))
        .map(|(_, node)| *node)
        .or(rules.additional.or(rules.unevaluated).schema())
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

fn compare_strings(scope: &mut Scope<'_>, old: &StringRules, new: &StringRules) {
    compare_limit(
        scope,
        "maxLength",
        old.max_length,
        new.max_length,
        [
            Difference::MaxLengthAdded,
            Difference::MaxLengthRemoved,
            Difference::MaxLengthIncreased,
            Difference::MaxLengthDecreased,
        ],
    );
    compare_limit(
        scope,
        "minLength",
        old.min_length,
        new.min_length,
        [
            Difference::MinLengthAdded,
            Difference::MinLengthRemoved,
            Difference::MinLengthIncreased,
            Difference::MinLengthDecreased,
        ],
    );
    match (&old.pattern, &new.pattern) {
        (None, Some(_)) => scope.add_at("pattern", Difference::PatternAdded),
        (Some(_), None) => scope.add_at("pattern", Difference::PatternRemoved),
        (Some(old), Some(new)) if old != new => {
            scope.add_at("pattern", Difference::PatternChanged);
        }
        _ => {}
    }
}

fn compare_numbers(scope: &mut Scope<'_>, old: &NumberRules, new: &NumberRules) {
    compare_limit(
        scope,
        "maximum",
        old.maximum,
        new.maximum,
        [
            Difference::MaximumAdded,
            Difference::MaximumRemoved,
            Difference::MaximumIncreased,
            Difference::MaximumDecreased,
        ],
    );
    compare_limit(
        scope,
        "minimum",
        old.minimum,
        new.minimum,
        [
            Difference::MinimumAdded,
            Difference::MinimumRemoved,
            Difference::MinimumIncreased,
            Difference::MinimumDecreased,
        ],
    );
    compare_limit(
        scope,
        "exclusiveMaximum",
        old.exclusive_maximum,
        new.exclusive_maximum,
        [
            Difference::ExclusiveMaximumAdded,
            Difference::ExclusiveMaximumRemoved,
            Difference::ExclusiveMaximumIncreased,
            Difference::ExclusiveMaximumDecreased,
        ],
    );
    compare_limit(
        scope,
        "exclusiveMinimum",
        old.exclusive_minimum,
        new.exclusive_minimum,
        [
            Difference::ExclusiveMinimumAdded,
            Difference::ExclusiveMinimumRemoved,
            Difference::ExclusiveMinimumIncreased,
            Difference::ExclusiveMinimumDecreased,
        ],
    );
    match (&old.multiple_of, &new.multiple_of) {
        (None, None) => {}
        (None, Some(_)) => scope.add_at("multipleOf", Difference::MultipleOfAdded),
        (Some(_), None) => scope.add_at("multipleOf", Difference::MultipleOfRemoved),
        (Some(old), Some(new)) => match (is_multiple(new, old), is_multiple(old, new)) {
            (true, true) => {}
            (true, false) => scope.add_at("multipleOf", Difference::MultipleOfExpanded),
            (false, true) => scope.add_at("multipleOf", Difference::MultipleOfReduced),
            (false, false) => scope.add_at("multipleOf", Difference::MultipleOfChanged),
        },
    }
    match (old.is_integer, new.is_integer) {
        (true, false) => scope.add(Difference::TypeExtended),
        (false, true) => scope.add(Difference::TypeNarrowed),
        _ => {}
    }
}

/// Whether one decimal is a whole multiple of another.
fn is_multiple(number: &str, of: &str) -> bool {
    let exact = || {
        let (number, scale) = decimal(number)?;
        let (of, of_scale) = decimal(of)?;
        let common = scale.max(of_scale);
        let number = number.checked_mul(10_i128.checked_pow(common - scale)?)?;
        let of = of.checked_mul(10_i128.checked_pow(common - of_scale)?)?;
        number.checked_rem(of)
    };
    match exact() {
        Some(remainder) => remainder == 0,
        None => match (number.parse::<f64>(), of.parse::<f64>()) {
            (Ok(number), Ok(of)) => number % of == 0.0,
            _ => false,
        },
    }
}

/// A decimal as its digits and how many of them stand behind the point.
fn decimal(text: &str) -> Option<(i128, u32)> {
    let (mantissa, exponent) = match text.split_once('E') {
        Some((mantissa, exponent)) => (mantissa, exponent.parse::<i32>().ok()?),
        None => (text, 0),
    };
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let digits: i128 = format!("{whole}{fraction}").parse().ok()?;
    let scale = i32::try_from(fraction.len()).ok()?.checked_sub(exponent)?;
    match u32::try_from(scale) {
        Ok(scale) => Some((digits, scale)),
        Err(_) => Some((digits.checked_mul(10_i128.checked_pow(scale.unsigned_abs())?)?, 0)),
    }
}

/// `kinds`: added, removed, increased, decreased.
fn compare_limit(
    scope: &mut Scope<'_>,
    keyword: &'static str,
    old: Option<f64>,
    new: Option<f64>,
    [added, removed, increased, decreased]: [Difference; 4],
) {
    match (old, new) {
        (None, Some(_)) => scope.add_at(keyword, added),
        (Some(_), None) => scope.add_at(keyword, removed),
        (Some(old), Some(new)) if old < new => scope.add_at(keyword, increased),
        (Some(old), Some(new)) if old > new => scope.add_at(keyword, decreased),
        _ => {}
    }
}

fn compare_enums(scope: &mut Scope<'_>, old: &[Json], new: &[Json]) {
    let values = |values: &[Json]| -> HashSet<String> {
        values.iter().map(|value| value.sorted().to_text()).collect()
    };
    let (old, new) = (values(old), values(new));
    if old == new {
        return;
    }
    scope.add_at(
        "enum",
        if new.is_superset(&old) {
            Difference::EnumArrayExtended
        } else if new.is_subset(&old) {
            Difference::EnumArrayNarrowed
        } else {
            Difference::EnumArrayChanged
        },
    );
}

/// As many pairs as possible so that nobody is in two of them. `edges` says
/// who on the left may go with whom on the right; the answer says, for each on
/// the right, its partner on the left.
fn maximum_matching(edges: &[Vec<usize>], right_count: usize) -> Vec<Option<usize>> {
    let mut partner_of_right: Vec<Option<usize>> = vec![None; right_count];
    let mut partner_of_left: Vec<Option<usize>> = vec![None; edges.len()];
    for start in 0..edges.len() {
        // Breadth first, to a right side that is free; nothing recurses.
        let mut came_from: Vec<Option<usize>> = vec![None; right_count];
        let mut waiting = VecDeque::from([start]);
        let mut free = None;
        'search: while let Some(left) = waiting.pop_front() {
            for &right in edges.get(left).into_iter().flatten() {
                if came_from[right].is_some() {
                    continue;
                }
                came_from[right] = Some(left);
                match partner_of_right[right] {
                    Some(other) => waiting.push_back(other),
                    None => {
                        free = Some(right);
                        break 'search;
                    }
                }
            }
        }
        // Every left side on the way takes the right side it was led to.
        while let Some(right) = free {
            let Some(left) = came_from[right] else { break };
            free = partner_of_left[left].replace(right);
            partner_of_right[right] = Some(left);
        }
    }
    partner_of_right
}

#[cfg(test)]
mod tests;
