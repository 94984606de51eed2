//! Objects: properties that come and go, and what the others may be.

use std::collections::BTreeSet;

use super::values::compare_limit;
use super::{Comparison, RestKinds, Scope, TooLarge};
use crate::json_schema::difference::Difference;
use crate::json_schema::model::{Kind, NodeId, ObjectRules, Rest};

impl<'a> Comparison<'a> {
    pub(super) fn compare_objects(
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
