//! `allOf`, `anyOf` and `oneOf`: which part of one side belongs to which of the other.

use std::collections::VecDeque;

use super::{Comparison, Scope, TooLarge};
use crate::json_schema::difference::Difference;
use crate::json_schema::model::{Combined, Criterion, Kind, NodeId};

impl<'a> Comparison<'a> {
    /// A combined schema on one side only: is one of its parts compatible
    /// with the other side?
    pub(super) fn combined_with_plain(
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

    pub(super) fn compare_combined(
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
mod tests {
    use super::*;

    #[test]
    fn a_matching_leaves_nobody_out_who_could_go() {
        // 0 goes with both, 1 only with 0; 2 and 3 form a chain.
        let edges = [vec![0, 1], vec![0], vec![2, 3], vec![2]];
        let partners = maximum_matching(&edges, 4);
        assert_eq!(partners, [Some(1), Some(0), Some(3), Some(2)]);
        assert_eq!(maximum_matching(&[vec![], vec![0], vec![0]], 2), [Some(1), None]);
    }
}
