//! Finding the name that was meant.

/// The candidate written most like `name`, if one is near enough to be meant.
pub fn nearest_name<'a>(name: &str, candidates: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    let bound = (name.len() / 3).clamp(1, 8);
    candidates
        .filter(|candidate| candidate.len().abs_diff(name.len()) <= bound)
        .map(|candidate| (edit_distance(name, candidate), candidate))
        .filter(|(distance, _)| *distance <= bound)
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, candidate)| candidate)
}

/// How many letters must be inserted, removed, replaced or swapped with their
/// neighbour to turn one text into the other.
fn edit_distance(left: &str, right: &str) -> usize {
    let right: Vec<char> = right.chars().collect();
    let mut before_last: Vec<usize> = Vec::new();
    let mut last: Vec<usize> = (0..=right.len()).collect();
    let mut previous_letter = None;
    for (row, letter) in left.chars().enumerate() {
        let mut current = Vec::with_capacity(last.len());
        current.push(row + 1);
        for (column, &other) in right.iter().enumerate() {
            let at =
                |line: &[usize], index: usize| line.get(index).copied().unwrap_or(usize::MAX / 2);
            let replaced = at(&last, column) + usize::from(letter != other);
            let mut best = replaced.min(at(&last, column + 1) + 1).min(at(&current, column) + 1);
            let swapped = column > 0
                && previous_letter == Some(other)
                && right.get(column - 1) == Some(&letter);
            if swapped {
                best = best.min(at(&before_last, column - 1) + 1);
            }
            current.push(best);
        }
        before_last = std::mem::replace(&mut last, current);
        previous_letter = Some(letter);
    }
    last.last().copied().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nearest_name_is_the_one_meant() {
        let names = [
            "log.retention.ms",
            "log.retention.bytes",
            "log.roll.ms",
            "num.partitions",
            "listeners",
        ];
        for (typed, expected) in [
            ("log.retention.m", Some("log.retention.ms")),
            ("log.retnetion.ms", Some("log.retention.ms")),
            ("num.partition", Some("num.partitions")),
            ("listener", Some("listeners")),
            ("something.else.entirely", None),
            ("", None),
        ] {
            assert_eq!(nearest_name(typed, names.into_iter()), expected, "{typed}");
        }
    }
}
