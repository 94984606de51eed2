//! The `binary` format: base64 in JSON strings.

use base64::Engine;
use base64::alphabet::STANDARD;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};

use super::DataError;
use crate::config::ApiVersion;
use crate::json;

/// As Java's decoder: padding may be missing, the bits that it would fill may
/// be anything, other alphabets and white space are refused.
const BASE64: GeneralPurpose = GeneralPurpose::new(
    &STANDARD,
    GeneralPurposeConfig::new()
        .with_decode_padding_mode(DecodePaddingMode::Indifferent)
        .with_decode_allow_trailing_bits(true),
);

/// The most of somebody's data that an error message repeats, in bytes.
const SHOWN_AT_MOST: usize = 1_000;

/// Appends the bytes that `text`, a checked JSON value, stands for. On an
/// error, `bytes` may have grown.
pub(super) fn decode(
    text: &[u8],
    version: ApiVersion,
    bytes: &mut Vec<u8>,
) -> Result<(), DataError> {
    let (base64, has_escapes) = match text {
        [b'"', inner @ .., b'"'] => (inner, inner.contains(&b'\\')),
        // Numbers and booleans were taken for their text, up to release 5.5.
        _ if version == ApiVersion::V1 && !matches!(text.first(), Some(b'{' | b'[')) => {
            (text, false)
        }
        _ => return Err(DataError::NotBase64(shown(text))),
    };
    let result = if has_escapes {
        let mut plain = Vec::with_capacity(base64.len());
        json::unescape(base64, &mut plain);
        BASE64.decode_vec(&plain, bytes)
    } else {
        BASE64.decode_vec(base64, bytes)
    };
    result.map_err(|_| DataError::InvalidBase64(shown(text)))
}

/// Appends the bytes as a JSON string.
pub(super) fn encode(bytes: &[u8], answer: &mut Vec<u8>) {
    let length = bytes.len().div_ceil(3) * 4;
    answer.reserve(length + 2);
    answer.push(b'"');
    let start = answer.len();
    answer.resize(start + length, 0);
    let target = answer.get_mut(start..).expect("the buffer was just made longer");
    BASE64.encode_slice(bytes, target).expect("the length of base64 is known");
    answer.push(b'"');
}

fn shown(text: &[u8]) -> String {
    match text.get(..SHOWN_AT_MOST) {
        Some(beginning) => format!("{}…", String::from_utf8_lossy(beginning)),
        None => String::from_utf8_lossy(text).into_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn decoded(text: &str, version: ApiVersion) -> Result<Vec<u8>, String> {
        let mut bytes = vec![];
        decode(text.as_bytes(), version, &mut bytes).map_err(|error| error.to_string())?;
        Ok(bytes)
    }

    #[test]
    fn base64_is_read_as_java_reads_it() {
        for (case, text, expected) in [
            ("padded", r#""Zm9vYg==""#, Some("foob")),
            ("without padding", r#""Zm9vYg""#, Some("foob")),
            ("empty", r#""""#, Some("")),
            ("bits behind the end", r#""Zm9vYh==""#, Some("foob")),
            ("escaped slash", r#""\/\/8=""#, None),
            ("escaped padding", r#""Zm9vYg\u003d=""#, Some("foob")),
            ("too much padding", r#""aGVsbG8==""#, None),
            ("one letter too many", r#""fooba""#, None),
            ("alphabet for URLs", r#""_-8=""#, None),
            ("white space", r#""Zm9v Yg==""#, None),
            ("no base64", r#""%%%""#, None),
        ] {
            if case == "escaped slash" {
                assert_eq!(decoded(text, ApiVersion::V2).unwrap(), [0xff, 0xff], "{case}");
                continue;
            }
            let got = decoded(text, ApiVersion::V2);
            match expected {
                Some(expected) => assert_eq!(got.unwrap(), expected.as_bytes(), "{case}: {text}"),
                None => assert_eq!(
                    got.unwrap_err(),
                    format!("data={text} is not a valid base64 string."),
                    "{case}"
                ),
            }
        }
    }

    #[test]
    fn other_json_is_no_base64() {
        for text in ["1", "true", r#"{"a":1}"#, "[]"] {
            let error = decoded(text, ApiVersion::V2).unwrap_err();
            assert_eq!(error, format!("data={text} is not a base64 string."));
        }
        assert_eq!(decoded("1234", ApiVersion::V1).unwrap(), [0xd7, 0x6d, 0xf8]);
        assert!(decoded("[]", ApiVersion::V1).unwrap_err().contains("is not a base64 string"));
    }

    #[test]
    fn an_error_does_not_repeat_megabytes() {
        let text = format!("\"{}\"", "%".repeat(5_000_000));
        assert!(decoded(&text, ApiVersion::V2).unwrap_err().len() < 1_100);
    }

    #[test]
    fn what_is_encoded_is_padded() {
        for (bytes, expected) in [(&b""[..], r#""""#), (b"f", r#""Zg==""#), (b"foo", r#""Zm9v""#)] {
            let mut answer = b"x".to_vec();
            encode(bytes, &mut answer);
            assert_eq!(String::from_utf8(answer).unwrap(), format!("x{expected}"));
        }
    }
}
