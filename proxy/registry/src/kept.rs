//! A cache of schemas with a bound on their number and on their size.

use std::collections::HashMap;
use std::hash::Hash;

/// The most bytes of text whose schemas are kept. Parsed and compiled, a schema
/// takes many times as much memory as its text.
const MAX_BYTES: usize = 8 * 1024 * 1024;

/// See the module. What does not fit makes it forget everything: what is in use
/// comes back soon.
#[derive(Debug)]
pub(crate) struct Kept<K, V> {
    entries: HashMap<K, V>,
    max_entries: usize,
    bytes: usize,
}

impl<K: Eq + Hash, V: Clone> Kept<K, V> {
    /// One of `max_entries` schemas at most.
    pub(crate) fn new(max_entries: usize) -> Self {
        Self { entries: HashMap::new(), max_entries, bytes: 0 }
    }

    pub(crate) fn get(&self, key: &K) -> Option<V> {
        self.entries.get(key).cloned()
    }

    /// Keeps a schema whose texts, those of its references included, have so
    /// many bytes; not at all, if they are more than all may have.
    pub(crate) fn insert(&mut self, key: K, value: V, bytes: usize) {
        if bytes > MAX_BYTES {
            return;
        }
        if self.entries.len() >= self.max_entries || self.bytes + bytes > MAX_BYTES {
            self.clear();
        }
        if self.entries.insert(key, value).is_none() {
            self.bytes += bytes;
        }
    }

    pub(crate) fn clear(&mut self) {
        self.entries.clear();
        self.bytes = 0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn there_is_a_bound_on_number_and_size() {
        let mut kept = Kept::new(3);
        for number in 0..3 {
            kept.insert(number, number, 1);
        }
        assert_eq!(kept.get(&0), Some(0));
        kept.insert(3, 3, 1);
        assert_eq!((kept.get(&0), kept.get(&3)), (None, Some(3)));
        kept.insert(4, 4, MAX_BYTES);
        assert_eq!((kept.get(&3), kept.get(&4)), (None, Some(4)));
        kept.insert(5, 5, MAX_BYTES + 1);
        assert_eq!((kept.get(&4), kept.get(&5)), (Some(4), None));
        kept.insert(6, 6, 1);
        assert_eq!((kept.get(&4), kept.get(&6)), (None, Some(6)));
    }
}
