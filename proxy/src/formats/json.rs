//! The `json` format: the bytes of keys and values are JSON.
//!
//! Values keep the bytes that came. A key is stored as the reference would,
//! without white space between its tokens and with strings in raw UTF-8,
//! because its bytes choose the partition and, where a topic is compacted,
//! what it replaces.

use crate::json::{self, JsonError};

/// The bytes of a key. What is not `text` itself is put into `scratch`.
pub(super) fn compact<'a>(text: &'a [u8], scratch: &'a mut Vec<u8>) -> &'a [u8] {
    if !text.iter().any(|byte| matches!(byte, b' ' | b'\t' | b'\r' | b'\n' | b'\\')) {
        return text;
    }
    scratch.clear();
    json::compact(text, scratch);
    scratch
}

/// The one JSON value in the bytes of a record. No bytes at all are `null`, as
/// for the reference's deserializer.
pub(super) fn checked(bytes: &[u8]) -> Result<&[u8], JsonError> {
    if bytes.is_empty() { Ok(b"null") } else { json::check(bytes) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_has_one_form() {
        for (case, text, expected) in [
            ("plain", r#""k""#, r#""k""#),
            ("space in a string", r#""a b""#, r#""a b""#),
            ("white space", "{ \"a\" : [ 1 ,\n2 ] }", r#"{"a":[1,2]}"#),
            ("letters escaped", r#""\u00e9\u2603""#, "\"é☃\""),
            ("surrogates", r#""\ud83d\ude00""#, "\"😀\""),
            ("half a pair", r#""\ud83dx""#, r#""\ud83dx""#),
            ("slash", r#""a\/b""#, r#""a/b""#),
            ("what must be escaped", r#""\"\\\n\u0009\u001f""#, r#""\"\\\n\t\u001F""#),
            ("numbers as written", "[ 1.0, 1e2 ]", "[1.0,1e2]"),
        ] {
            let mut scratch = b"old".to_vec();
            let got = compact(text.as_bytes(), &mut scratch);
            assert_eq!(std::str::from_utf8(got).unwrap(), expected, "{case}");
        }
    }

    #[test]
    fn stored_bytes_are_checked_and_kept() {
        assert_eq!(checked(b" {\"a\": 1.0}\n").unwrap(), b"{\"a\": 1.0}");
        assert_eq!(checked(b"").unwrap(), b"null");
        for poison in [&b"k"[..], b"1 2", b"{", b"\"\xff\"", b"   "] {
            assert!(checked(poison).is_err(), "{poison:?}");
        }
    }
}
