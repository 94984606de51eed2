//! Which names a topic may have.

use crate::error::Error;

/// Longest name, so that a partition's directory keeps within 255 bytes.
const MAX_LENGTH: usize = 249;

/// The topic that holds committed offsets.
pub(crate) const CONSUMER_OFFSETS: &str = "__consumer_offsets";
/// The topic that holds transactions.
pub(crate) const TRANSACTION_STATE: &str = "__transaction_state";

/// Whether the broker itself writes the topic.
pub(crate) fn is_internal(name: &str) -> bool {
    name == CONSUMER_OFFSETS || name == TRANSACTION_STATE
}

/// Checks a name as Kafka does, with Kafka's sentences.
pub(crate) fn check(name: &str) -> Result<(), Error> {
    let is_legal = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'-');
    let reason = match name {
        "" => "the empty string is not allowed".to_owned(),
        "." | ".." => format!("'{name}' is not allowed"),
        _ if name.len() > MAX_LENGTH => {
            format!("the length of '{name}' is longer than the max allowed length {MAX_LENGTH}")
        }
        _ if !name.bytes().all(is_legal) => format!(
            "'{name}' contains one or more characters other than ASCII alphanumerics, '.', '_' and '-'"
        ),
        _ => return Ok(()),
    };
    Err(Error::InvalidTopicName(reason))
}

/// Names that differ only in `.` and `_` collide, because metrics of Kafka
/// write both as `_`.
pub(crate) fn collides(one: &str, other: &str) -> bool {
    let unify = |byte: u8| if byte == b'.' { b'_' } else { byte };
    one.len() == other.len() && one.bytes().map(unify).eq(other.bytes().map(unify))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_checked_as_kafka_does() {
        let long = "x".repeat(250);
        for (name, reason) in [
            ("orders", None),
            ("a.b_c-D9", None),
            ("", Some("the empty string is not allowed")),
            (".", Some("'.' is not allowed")),
            ("..", Some("'..' is not allowed")),
            ("a b", Some("contains one or more characters")),
            ("größe", Some("contains one or more characters")),
            ("a/b", Some("contains one or more characters")),
            (&long, Some("is longer than the max allowed length 249")),
            (&long[1..], None),
        ] {
            let refused = check(name).err().map(|error| error.to_string());
            match (reason, refused) {
                (None, refused) => assert_eq!(refused, None, "{name}"),
                (Some(reason), refused) => {
                    assert!(refused.as_deref().unwrap().contains(reason), "{name}: {refused:?}");
                }
            }
        }
    }

    #[test]
    fn dot_and_underscore_collide() {
        assert!(collides("a.b", "a_b"));
        assert!(collides("a_b", "a_b"));
        assert!(!collides("a.b", "a-b"));
        assert!(!collides("a.b", "a.bc"));
    }
}
