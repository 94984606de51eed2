//! Arrays: items in their places, and what the others may be.

use super::values::compare_limit;
use super::{Comparison, RestKinds, Scope, Step, TooLarge};
use crate::json_schema::difference::Difference;
use crate::json_schema::model::{ArrayRules, Kind, NodeId, Rest};

impl<'a> Comparison<'a> {
    pub(super) fn compare_arrays(
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
