//! JSON text, token by token.

use super::error::EncodeError;

type Result<T> = std::result::Result<T, EncodeError>;

/// Reads a text from left to right.
#[derive(Debug)]
pub(super) struct Scanner<'j> {
    /// Valid UTF-8, so that all between two quotes is too.
    text: &'j [u8],
    at: usize,
}

/// What stands between the quotes of a string.
#[derive(Debug, Clone, Copy)]
pub(super) enum Raw<'j> {
    /// Without escapes: the text itself.
    Plain(&'j [u8]),
    /// With escapes.
    Escaped(&'j [u8]),
}

/// A number as it stands.
#[derive(Debug, Clone, Copy)]
pub(super) struct Number<'j> {
    pub(super) text: &'j [u8],
}

impl<'j> Scanner<'j> {
    pub(super) fn new(text: &'j [u8]) -> Result<Self> {
        match std::str::from_utf8(text) {
            Ok(_) => Ok(Self { text, at: 0 }),
            Err(error) => Err(EncodeError::new("the text is not UTF-8", error.valid_up_to())),
        }
    }

    pub(super) fn offset(&self) -> usize {
        self.at
    }

    /// Goes to an offset where the scanner was before.
    pub(super) fn go_to(&mut self, offset: usize) {
        self.at = offset;
    }

    /// The next byte that is no space, which stays the next.
    #[inline]
    pub(super) fn peek(&mut self) -> Option<u8> {
        loop {
            let byte = self.text.get(self.at).copied()?;
            if byte > b' ' || !matches!(byte, b' ' | b'\t' | b'\n' | b'\r') {
                return Some(byte);
            }
            self.at += 1;
        }
    }

    /// Takes the next byte that is no space when it is `byte`.
    #[inline]
    pub(super) fn eat(&mut self, byte: u8) -> bool {
        let found = self.peek() == Some(byte);
        self.at += usize::from(found);
        found
    }

    /// Takes `token` when the text goes on with exactly that.
    #[inline]
    pub(super) fn eat_token(&mut self, token: &[u8]) -> bool {
        let found = self.text.get(self.at..).is_some_and(|rest| rest.starts_with(token));
        if found {
            self.at += token.len();
        }
        found
    }

    #[inline]
    pub(super) fn expect(&mut self, byte: u8, problem: &'static str) -> Result<()> {
        if self.eat(byte) { Ok(()) } else { Err(self.error(problem)) }
    }

    /// After an element or a member: whether another one follows.
    #[inline]
    pub(super) fn another(&mut self, close: u8) -> Result<bool> {
        match self.peek() {
            Some(b',') => {
                self.at += 1;
                Ok(true)
            }
            Some(byte) if byte == close => {
                self.at += 1;
                Ok(false)
            }
            _ => Err(self.error("expected ',' or the end of the array or object")),
        }
    }

    #[cold]
    pub(super) fn error(&self, problem: impl Into<std::borrow::Cow<'static, str>>) -> EncodeError {
        EncodeError::new(problem, self.at)
    }

    /// What kind of value comes next, for messages.
    #[cold]
    pub(super) fn found(&mut self) -> &'static str {
        match self.peek() {
            None => "the end of the text",
            Some(b'"') => "a string",
            Some(b'{') => "an object",
            Some(b'[') => "an array",
            Some(b't' | b'f') => "a boolean",
            Some(b'n') => "null",
            Some(b'-' | b'0'..=b'9') => "a number",
            Some(_) => "what is not JSON",
        }
    }

    /// Reads a string, behind its first quote.
    #[inline]
    pub(super) fn string(&mut self) -> Result<Raw<'j>> {
        let start = self.at;
        let mut escaped = false;
        loop {
            let rest = self.text.get(self.at..).unwrap_or_default();
            self.at += find_special(rest);
            match self.text.get(self.at) {
                Some(b'"') => {
                    let text = self.text.get(start..self.at).unwrap_or_default();
                    self.at += 1;
                    return Ok(if escaped { Raw::Escaped(text) } else { Raw::Plain(text) });
                }
                Some(b'\\') => {
                    escaped = true;
                    self.at += 2;
                }
                Some(_) => return Err(self.error("a control character in a string")),
                None => return Err(self.error("a string without end")),
            }
        }
    }

    /// Reads an integer; a number with a fraction or an exponent is none.
    #[inline]
    pub(super) fn integer(&mut self) -> Result<i64> {
        let start = self.at;
        let negative = self.text.get(self.at) == Some(&b'-');
        self.at += usize::from(negative);
        let digits_start = self.at;
        let mut size = 0_u64;
        let mut fits = true;
        while let Some(digit @ b'0'..=b'9') = self.text.get(self.at) {
            match size.checked_mul(10).and_then(|size| size.checked_add(u64::from(digit - b'0'))) {
                Some(grown) => size = grown,
                None => fits = false,
            }
            self.at += 1;
        }
        let digits = self.at - digits_start;
        if digits == 0 || (digits > 1 && self.text.get(digits_start) == Some(&b'0')) {
            self.at = start;
            return Err(self.error("not a number"));
        }
        if matches!(self.text.get(self.at), Some(b'.' | b'e' | b'E')) {
            self.at = start;
            return Err(self.error("expected a number without fraction or exponent"));
        }
        let value =
            if negative { 0_i64.checked_sub_unsigned(size) } else { i64::try_from(size).ok() };
        match value.filter(|_| fits) {
            Some(value) => Ok(value),
            None => {
                self.at = start;
                Err(self.error("the number is beyond a long"))
            }
        }
    }

    /// Reads any number.
    pub(super) fn number(&mut self) -> Result<Number<'j>> {
        let start = self.at;
        let ok = self.number_end();
        let text = self.text.get(start..self.at).unwrap_or_default();
        if ok {
            Ok(Number { text })
        } else {
            self.at = start;
            Err(self.error("not a number"))
        }
    }

    fn number_end(&mut self) -> bool {
        self.at += usize::from(self.text.get(self.at) == Some(&b'-'));
        let whole = self.digits();
        if whole == 0 || (whole > 1 && self.text.get(self.at - whole) == Some(&b'0')) {
            return false;
        }
        if self.text.get(self.at) == Some(&b'.') {
            self.at += 1;
            if self.digits() == 0 {
                return false;
            }
        }
        if matches!(self.text.get(self.at), Some(b'e' | b'E')) {
            self.at += 1;
            self.at += usize::from(matches!(self.text.get(self.at), Some(b'+' | b'-')));
            if self.digits() == 0 {
                return false;
            }
        }
        true
    }

    fn digits(&mut self) -> usize {
        let start = self.at;
        while self.text.get(self.at).is_some_and(u8::is_ascii_digit) {
            self.at += 1;
        }
        self.at - start
    }

    /// Nothing but space may follow.
    pub(super) fn end(&mut self) -> Result<()> {
        match self.peek() {
            None => Ok(()),
            Some(_) => Err(self.error("text after the value")),
        }
    }
}

/// Where the first quote, backslash or control character is; the length when
/// there is none. Looks at eight bytes at a time.
#[inline]
pub(super) fn find_special(bytes: &[u8]) -> usize {
    const ONES: u64 = u64::from_ne_bytes([0x01; 8]);
    const HIGH: u64 = u64::from_ne_bytes([0x80; 8]);
    let mut chunks = bytes.chunks_exact(8);
    let mut at = 0;
    for chunk in &mut chunks {
        let Ok(chunk) = <[u8; 8]>::try_from(chunk) else { break };
        let word = u64::from_le_bytes(chunk);
        // The lowest bit that these find is exact; higher ones may not be.
        let quote = word ^ (ONES * u64::from(b'"'));
        let backslash = word ^ (ONES * u64::from(b'\\'));
        let found = (quote.wrapping_sub(ONES) & !quote)
            | (backslash.wrapping_sub(ONES) & !backslash)
            | (word.wrapping_sub(ONES * u64::from(b' ')) & !word);
        let found = found & HIGH;
        if found != 0 {
            return at + (found.trailing_zeros() / 8) as usize;
        }
        at += 8;
    }
    let rest = chunks.remainder();
    at + rest.iter().position(|byte| is_special(*byte)).unwrap_or(rest.len())
}

fn is_special(byte: u8) -> bool {
    byte < b' ' || byte == b'"' || byte == b'\\'
}

/// Turns what stands between quotes into text. `offset` is where it stands.
#[cold]
pub(super) fn unescape(raw: &[u8], offset: usize, out: &mut Vec<u8>) -> Result<()> {
    let bad = |problem| EncodeError::new(problem, offset);
    let mut rest = raw;
    while let Some(at) = rest.iter().position(|byte| *byte == b'\\') {
        let (plain, escape) = rest.split_at(at);
        out.extend_from_slice(plain);
        let (letter, after) = match escape {
            [_, letter, after @ ..] => (*letter, after),
            _ => return Err(bad("a string ends in the middle of an escape")),
        };
        rest = after;
        let char = match letter {
            b'"' => '"',
            b'\\' => '\\',
            b'/' => '/',
            b'b' => '\u{8}',
            b'f' => '\u{c}',
            b'n' => '\n',
            b'r' => '\r',
            b't' => '\t',
            b'u' => {
                let (unit, after) = hex4(rest).ok_or_else(|| bad("not four digits after \\u"))?;
                rest = after;
                match char::from_u32(unit) {
                    Some(char) => char,
                    None => {
                        let (char, after) = low_surrogate(unit, rest)
                            .ok_or_else(|| bad("half of a surrogate pair in a string"))?;
                        rest = after;
                        char
                    }
                }
            }
            _ => return Err(bad("an unknown escape in a string")),
        };
        out.extend_from_slice(char.encode_utf8(&mut [0; 4]).as_bytes());
    }
    out.extend_from_slice(rest);
    Ok(())
}

fn hex4(text: &[u8]) -> Option<(u32, &[u8])> {
    let (digits, rest) = text.split_at_checked(4)?;
    let mut unit = 0;
    for digit in digits {
        unit = unit * 16 + char::from(*digit).to_digit(16)?;
    }
    Some((unit, rest))
}

fn low_surrogate(high: u32, rest: &[u8]) -> Option<(char, &[u8])> {
    let (low, rest) = hex4(rest.strip_prefix(b"\\u")?)?;
    if !(0xd800..0xdc00).contains(&high) || !(0xdc00..0xe000).contains(&low) {
        return None;
    }
    let char = char::from_u32(0x10000 + ((high - 0xd800) << 10) + (low - 0xdc00))?;
    Some((char, rest))
}
