//! Kafka's form of a UUID.

use std::fmt;
use std::str::FromStr;

/// A topic id or directory id. Printed as 22 characters of URL-safe base64
/// without padding, as Kafka's tools print it.
#[derive(Clone, Copy, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Uuid([u8; 16]);

const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

/// The text is not 22 characters of URL-safe base64.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not a base64url UUID of 22 characters")]
pub struct ParseUuidError;

impl Uuid {
    /// "No id": what a message carries when it names a topic by its name.
    pub const ZERO: Self = Self([0; 16]);

    /// An id from its 16 bytes in wire order.
    pub const fn from_bytes(bytes: [u8; 16]) -> Self {
        Self(bytes)
    }

    /// The 16 bytes in wire order.
    pub const fn as_bytes(&self) -> &[u8; 16] {
        &self.0
    }

    /// Whether this is [`Uuid::ZERO`].
    pub fn is_zero(&self) -> bool {
        *self == Self::ZERO
    }
}

impl fmt::Display for Uuid {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let number = u128::from_be_bytes(self.0);
        for position in 0..22_u32 {
            // 128 bits are 21 groups of six and two bits that the last group carries high.
            let bits = if position < 21 { number >> (122 - 6 * position) } else { number << 4 };
            let letter = ALPHABET.get((bits & 0x3f) as usize).copied().unwrap_or(b'A');
            fmt::Write::write_char(formatter, char::from(letter))?;
        }
        Ok(())
    }
}

impl fmt::Debug for Uuid {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, formatter)
    }
}

impl FromStr for Uuid {
    type Err = ParseUuidError;

    fn from_str(text: &str) -> Result<Self, ParseUuidError> {
        if text.len() != 22 {
            return Err(ParseUuidError);
        }
        let mut number: u128 = 0;
        for (position, letter) in text.bytes().enumerate() {
            let value =
                ALPHABET.iter().position(|&known| known == letter).ok_or(ParseUuidError)? as u128;
            number = match position {
                21 if value & 0x0f != 0 => return Err(ParseUuidError),
                21 => number << 2 | value >> 4,
                _ => number << 6 | value,
            };
        }
        Ok(Self(number.to_be_bytes()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_form_is_that_of_kafka() {
        for (bytes, text) in [
            ([0_u8; 16], "AAAAAAAAAAAAAAAAAAAAAA"),
            ([0xff; 16], "_____________________w"),
            (*b"0123456789abcdef", "MDEyMzQ1Njc4OWFiY2RlZg"),
        ] {
            assert_eq!(Uuid::from_bytes(bytes).to_string(), text);
            assert_eq!(text.parse(), Ok(Uuid::from_bytes(bytes)));
        }
        for wrong in
            ["", "AAAAAAAAAAAAAAAAAAAAA", "AAAAAAAAAAAAAAAAAAAAA!", "AAAAAAAAAAAAAAAAAAAAAB"]
        {
            assert_eq!(wrong.parse::<Uuid>(), Err(ParseUuidError), "{wrong}");
        }
    }
}
