//! Strings, numbers and enumerations: limits that move.

use std::collections::HashSet;

use super::Scope;
use crate::json_schema::difference::Difference;
use crate::json_schema::model::{NumberRules, StringRules};
use crate::lossless_json::Json;

pub(super) fn compare_strings(scope: &mut Scope<'_>, old: &StringRules, new: &StringRules) {
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

pub(super) fn compare_numbers(scope: &mut Scope<'_>, old: &NumberRules, new: &NumberRules) {
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
pub(super) fn compare_limit(
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

pub(super) fn compare_enums(scope: &mut Scope<'_>, old: &[Json], new: &[Json]) {
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
