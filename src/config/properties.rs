//! Java properties files, as `java.util.Properties.load` reads them.
//!
//! <https://docs.oracle.com/en/java/javase/21/docs/api/java.base/java/util/Properties.html#load(java.io.Reader)>

use thiserror::Error;

/// One entry of a properties file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Property {
    pub(super) name: String,
    pub(super) value: String,
    /// Number of the line that the entry begins on, from 1.
    pub(super) line: usize,
}

/// A `\u` that is not followed by four hexadecimal digits.
#[derive(Debug, Error, PartialEq, Eq)]
#[error("line {line}: \\u needs four hexadecimal digits")]
pub(super) struct MalformedEscape {
    line: usize,
}

/// The text of a file: UTF-8, or ISO-8859-1 where it is not UTF-8.
pub(super) fn decode(bytes: Vec<u8>) -> String {
    String::from_utf8(bytes)
        .unwrap_or_else(|error| error.into_bytes().into_iter().map(char::from).collect())
}

/// Reads all entries in order. Of several entries of one name the last counts.
///
/// # Errors
/// On a malformed `\u` escape.
pub(super) fn parse(text: &str) -> Result<Vec<Property>, MalformedEscape> {
    logical_lines(text).into_iter().map(|(line, text)| property(&text, line)).collect()
}

/// Lines without blank ones and comments, joined where a line ends in an odd
/// number of backslashes.
fn logical_lines(text: &str) -> Vec<(usize, String)> {
    let mut lines = Vec::new();
    let mut open: Option<(usize, String)> = None;
    for (index, line) in split_lines(text).enumerate() {
        let line = line.trim_start_matches(is_blank);
        let (first, mut joined) = match open.take() {
            Some(open) => open,
            // A comment does not continue, and a blank line is nothing.
            None if line.is_empty() || line.starts_with(['#', '!']) => continue,
            None => (index + 1, String::new()),
        };
        let backslashes = line.bytes().rev().take_while(|byte| *byte == b'\\').count();
        if backslashes % 2 == 1 {
            joined.push_str(line.strip_suffix('\\').unwrap_or(line));
            open = Some((first, joined));
        } else {
            joined.push_str(line);
            lines.push((first, joined));
        }
    }
    lines.extend(open);
    lines
}

fn split_lines(text: &str) -> impl Iterator<Item = &str> {
    // `\r\n` ends one line, `\r` alone ends one too.
    let mut rest = Some(text);
    std::iter::from_fn(move || {
        let text = rest?;
        let Some((line, after)) = text.split_once(['\n', '\r']) else {
            rest = None;
            return Some(text);
        };
        let ended_in_return = text.as_bytes().get(line.len()) == Some(&b'\r');
        rest =
            Some(if ended_in_return { after.strip_prefix('\n').unwrap_or(after) } else { after });
        Some(line)
    })
}

fn is_blank(letter: char) -> bool {
    matches!(letter, ' ' | '\t' | '\u{c}')
}

fn property(text: &str, line: usize) -> Result<Property, MalformedEscape> {
    let mut escaped = false;
    let end = text.find(|letter: char| {
        let ends = !escaped && (is_blank(letter) || matches!(letter, '=' | ':'));
        escaped = letter == '\\' && !escaped;
        ends
    });
    let (name, rest) = text.split_at(end.unwrap_or(text.len()));
    // Blanks, one separator and blanks again stand between name and value.
    let rest = rest.trim_start_matches(is_blank);
    let rest = rest.strip_prefix(['=', ':']).unwrap_or(rest).trim_start_matches(is_blank);
    Ok(Property { name: unescape(name, line)?, value: unescape(rest, line)?, line })
}

fn unescape(text: &str, line: usize) -> Result<String, MalformedEscape> {
    let mut units: Vec<u16> = Vec::with_capacity(text.len());
    let mut buffer = [0; 2];
    let mut letters = text.chars();
    while let Some(letter) = letters.next() {
        let meant = match letter {
            '\\' => match letters.next() {
                Some('t') => '\t',
                Some('n') => '\n',
                Some('r') => '\r',
                Some('f') => '\u{c}',
                Some('u') => {
                    units.push(hexadecimal(&mut letters).ok_or(MalformedEscape { line })?);
                    continue;
                }
                Some(other) => other,
                None => break,
            },
            letter => letter,
        };
        units.extend_from_slice(meant.encode_utf16(&mut buffer));
    }
    // Two escapes may be the halves of one letter, so they meet as UTF-16.
    Ok(String::from_utf16_lossy(&units))
}

fn hexadecimal(letters: &mut std::str::Chars<'_>) -> Option<u16> {
    (0..4).try_fold(0_u16, |unit, _| {
        let digit = letters.next()?.to_digit(16)?;
        Some(unit << 4 | u16::try_from(digit).ok()?)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, expected: &[(&str, &str)]) {
        let read: Vec<(String, String)> = parse(text)
            .unwrap()
            .into_iter()
            .map(|property| (property.name, property.value))
            .collect();
        let expected: Vec<(String, String)> = expected
            .iter()
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
            .collect();
        assert_eq!(read, expected, "{text:?}");
    }

    /// Each of these was read by `java.util.Properties` with the same outcome.
    #[test]
    fn entries_are_read_as_java_reads_them() {
        check(
            "a=1\nb = 2\nc:3\nd 4\ne\t=\t5",
            &[("a", "1"), ("b", "2"), ("c", "3"), ("d", "4"), ("e", "5")],
        );
        check("  # comment\n! comment\n\n   \n  x = y  ", &[("x", "y  ")]);
        check("a = = b\nc::d\ne =: f", &[("a", "= b"), ("c", ":d"), ("e", ": f")]);
        check("alone\nempty=\nblank:   ", &[("alone", ""), ("empty", ""), ("blank", "")]);
        check("list = a,\\\n    b,\\\n\tc\nnext=1", &[("list", "a,b,c"), ("next", "1")]);
        check("even=a\\\\\nnext=1", &[("even", "a\\"), ("next", "1")]);
        check("# comment \\\nx=1", &[("x", "1")]);
        check("a\\ b\\=c\\:d=e\\tf\\n\\r\\f\\q\\\\", &[("a b=c:d", "e\tf\n\r\u{c}q\\")]);
        check("u=\\u00e9\\u20ac\\ud83d\\ude00", &[("u", "é€😀")]);
        check("a=1\r\nb=2\rc=3", &[("a", "1"), ("b", "2"), ("c", "3")]);
        check(
            "jaas=org.X required \\\n  user=\"u\" \\\n  pw=\"p#\";",
            &[("jaas", "org.X required user=\"u\" pw=\"p#\";")],
        );
        check("ends=in\\", &[("ends", "in")]);
        check("=nameless", &[("", "nameless")]);
        check("a=1\\\n# more\nb=2", &[("a", "1# more"), ("b", "2")]);
        check("a=1\\\n   \nb=2", &[("a", "1"), ("b", "2")]);
    }

    #[test]
    fn an_entry_knows_the_line_it_begins_on() {
        let lines: Vec<usize> =
            parse("a=1\n#\nb=2\\\n3\n\nc=4").unwrap().iter().map(|entry| entry.line).collect();
        assert_eq!(lines, [1, 3, 6]);
    }

    #[test]
    fn a_malformed_escape_names_its_line() {
        assert_eq!(
            parse("a=1\nb=\\u12x4").unwrap_err().to_string(),
            "line 2: \\u needs four hexadecimal digits"
        );
    }

    #[test]
    fn text_that_is_not_utf_8_is_latin_1() {
        assert_eq!(decode(b"a=\xe9".to_vec()), "a=é");
        assert_eq!(decode("a=é".as_bytes().to_vec()), "a=é");
    }
}
