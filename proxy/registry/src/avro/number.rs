//! Numbers as Java writes them, for they are part of a schema's identity.

/// The digits of a number in a schema: an integer as it stands, anything with
/// a fraction or an exponent as a `double`. Nothing when it is beyond one.
pub(super) fn canonical_number(text: &str) -> Option<String> {
    if text == "-0" {
        return Some("0".to_owned());
    }
    if !text.contains(['.', 'e', 'E']) {
        return Some(text.to_owned());
    }
    text.parse::<f64>().ok().filter(|number| number.is_finite()).map(java_double)
}

/// `Double.toString` of a finite number: the shortest digits that lead back
/// to it, plain from 0.001 to 10,000,000 and with an exponent outside.
pub(super) fn java_double(number: f64) -> String {
    let size = number.abs();
    if size == 0.0 || (1e-3..1e7).contains(&size) {
        return format!("{number:?}");
    }
    let text = format!("{number:E}");
    match text.split_once('E') {
        Some((digits, exponent)) if !digits.contains('.') => format!("{digits}.0E{exponent}"),
        _ => text,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_written_as_java_does() {
        for (text, expected) in [
            ("1", Some("1")),
            ("-0", Some("0")),
            ("9007199254740993", Some("9007199254740993")),
            ("123456789012345678901234567890", Some("123456789012345678901234567890")),
            ("1.0", Some("1.0")),
            ("1.50e3", Some("1500.0")),
            ("-0.0", Some("-0.0")),
            ("0.001", Some("0.001")),
            ("0.00099", Some("9.9E-4")),
            ("1e7", Some("1.0E7")),
            ("9999999.5", Some("9999999.5")),
            ("12345678.9", Some("1.23456789E7")),
            ("1e-10", Some("1.0E-10")),
            ("1e400", None),
        ] {
            assert_eq!(canonical_number(text).as_deref(), expected, "{text}");
        }
    }
}
