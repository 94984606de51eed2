//! The lines in which two texts differ.

use std::fmt::Write;

/// Lines around a difference that are shown.
const CONTEXT: usize = 3;
/// Texts of more lines than that are shown whole, one after the other.
const MAX_LINES: usize = 4_000;

/// What becomes of a line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Change {
    Kept,
    Removed,
    Added,
}

/// The differences in the manner of `diff -u`, without its head; empty when
/// there are none.
pub(super) fn lines(old: &str, new: &str) -> String {
    if old == new {
        return String::new();
    }
    let changes = changes(&old.lines().collect::<Vec<_>>(), &new.lines().collect::<Vec<_>>());
    let mut text = String::new();
    let is_shown = |index: usize| {
        let first = index.saturating_sub(CONTEXT);
        let near = changes.get(first..(index + CONTEXT + 1).min(changes.len()));
        near.unwrap_or_default().iter().any(|(change, _)| *change != Change::Kept)
    };
    let mut has_gap = false;
    for (index, (change, line)) in changes.iter().enumerate() {
        if !is_shown(index) {
            has_gap = true;
            continue;
        }
        if std::mem::take(&mut has_gap) {
            text.push_str("@@\n");
        }
        let mark = match change {
            Change::Kept => ' ',
            Change::Removed => '-',
            Change::Added => '+',
        };
        // Writing to a String cannot fail.
        let _ = writeln!(text, "{mark}{line}");
    }
    text
}

/// All lines of both, with what becomes of them: along a longest common subsequence.
fn changes<'a>(old: &[&'a str], new: &[&'a str]) -> Vec<(Change, &'a str)> {
    let removed = |line: &&'a str| (Change::Removed, *line);
    let added = |line: &&'a str| (Change::Added, *line);
    if old.len().max(new.len()) > MAX_LINES {
        return old.iter().map(removed).chain(new.iter().map(added)).collect();
    }
    // `common[i][j]`: how many lines the texts from there on have in common.
    let width = new.len() + 1;
    let mut common = vec![0_u16; (old.len() + 1) * width];
    let at = |i: usize, j: usize| i * width + j;
    for (i, left) in old.iter().enumerate().rev() {
        for (j, right) in new.iter().enumerate().rev() {
            common[at(i, j)] = if left == right {
                common[at(i + 1, j + 1)] + 1
            } else {
                common[at(i + 1, j)].max(common[at(i, j + 1)])
            };
        }
    }
    let mut changes = Vec::with_capacity(old.len() + new.len());
    let (mut i, mut j) = (0, 0);
    while let (Some(left), Some(right)) = (old.get(i), new.get(j)) {
        if left == right {
            changes.push((Change::Kept, *left));
            (i, j) = (i + 1, j + 1);
        } else if common[at(i + 1, j)] >= common[at(i, j + 1)] {
            changes.push(removed(left));
            i += 1;
        } else {
            changes.push(added(right));
            j += 1;
        }
    }
    changes.extend(old.iter().skip(i).map(removed));
    changes.extend(new.iter().skip(j).map(added));
    changes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_that_differ_are_shown_with_those_around_them() {
        for (old, new, expected) in [
            ("a\nb", "a\nb", ""),
            ("a\nb\nc", "a\nx\nc", " a\n-b\n+x\n c\n"),
            ("", "a", "+a\n"),
            ("a", "", "-a\n"),
            ("1\n2\n3\n4\n5\n6", "1\n2\n3\n4\n5\n6\n7", "@@\n 4\n 5\n 6\n+7\n"),
            (
                "x\n1\n2\n3\n4\n5\n6\n7\n8\ny",
                "1\n2\n3\n4\n5\n6\n7\n8",
                "-x\n 1\n 2\n 3\n@@\n 6\n 7\n 8\n-y\n",
            ),
        ] {
            assert_eq!(lines(old, new), expected, "{old:?} {new:?}");
        }
    }
}
