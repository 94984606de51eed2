//! Parts of request bodies, taken as the reference's parser takes them: a number
//! may come as a string, a string as a number or a boolean, but an array is no
//! object.

use std::fmt;
use std::marker::PhantomData;

use serde::de::value::MapAccessDeserializer;
use serde::de::{Deserialize, Deserializer, Error, MapAccess, Unexpected, Visitor};

/// A text; numbers and booleans count as what they look like.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Text(pub(crate) String);

/// A whole number of 32 bits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Int(pub(crate) i32);

/// A whole number of 64 bits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Long(pub(crate) i64);

/// A structure, written as an object. As itself it could also come as an array
/// of its members' values.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Object<T>(pub(crate) T);

/// For `deserialize_with`: a list of structures, `None` for null.
pub(crate) fn objects<'de, D: Deserializer<'de>, T: Deserialize<'de>>(
    deserializer: D,
) -> Result<Option<Vec<T>>, D::Error> {
    let list = Option::<Vec<Object<T>>>::deserialize(deserializer)?;
    Ok(list.map(|list| list.into_iter().map(|Object(value)| value).collect()))
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Object<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct ObjectVisitor<T>(PhantomData<T>);

        impl<'de, T: Deserialize<'de>> Visitor<'de> for ObjectVisitor<T> {
            type Value = Object<T>;

            fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.write_str("an object")
            }

            fn visit_map<M: MapAccess<'de>>(self, members: M) -> Result<Object<T>, M::Error> {
                T::deserialize(MapAccessDeserializer::new(members)).map(Object)
            }
        }

        deserializer.deserialize_map(ObjectVisitor(PhantomData))
    }
}

impl<'de> Deserialize<'de> for Text {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct TextVisitor;

        impl Visitor<'_> for TextVisitor {
            type Value = Text;

            fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.write_str("a string")
            }

            fn visit_str<E: Error>(self, text: &str) -> Result<Text, E> {
                Ok(Text(text.to_owned()))
            }

            fn visit_string<E: Error>(self, text: String) -> Result<Text, E> {
                Ok(Text(text))
            }

            fn visit_bool<E: Error>(self, value: bool) -> Result<Text, E> {
                Ok(Text(value.to_string()))
            }

            fn visit_i64<E: Error>(self, value: i64) -> Result<Text, E> {
                Ok(Text(value.to_string()))
            }

            fn visit_u64<E: Error>(self, value: u64) -> Result<Text, E> {
                Ok(Text(value.to_string()))
            }

            fn visit_f64<E: Error>(self, value: f64) -> Result<Text, E> {
                Ok(Text(value.to_string()))
            }
        }

        deserializer.deserialize_any(TextVisitor)
    }
}

impl<'de> Deserialize<'de> for Int {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(WholeVisitor(PhantomData)).map(Self)
    }
}

impl<'de> Deserialize<'de> for Long {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(WholeVisitor(PhantomData)).map(Self)
    }
}

/// Whole numbers of either size.
trait Whole: TryFrom<i64> + TryFrom<u64> {
    /// What error messages call it.
    const NAME: &'static str;
}

impl Whole for i32 {
    const NAME: &'static str = "Integer";
}

impl Whole for i64 {
    const NAME: &'static str = "Long";
}

struct WholeVisitor<T>(PhantomData<T>);

impl<T: Whole> Visitor<'_> for WholeVisitor<T> {
    type Value = T;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "a value of type `{}`", T::NAME)
    }

    fn visit_i64<E: Error>(self, value: i64) -> Result<T, E> {
        T::try_from(value).map_err(|_| E::invalid_value(Unexpected::Signed(value), &self))
    }

    fn visit_u64<E: Error>(self, value: u64) -> Result<T, E> {
        T::try_from(value).map_err(|_| E::invalid_value(Unexpected::Unsigned(value), &self))
    }

    /// What stands behind the point is cut off.
    fn visit_f64<E: Error>(self, value: f64) -> Result<T, E> {
        let refused = || E::invalid_value(Unexpected::Float(value), &self);
        // The bounds themselves are exact as floats, and i64::MAX is not below its own.
        let fits = value >= i64::MIN as f64 && value < i64::MAX as f64;
        if fits { T::try_from(value as i64).map_err(|_| refused()) } else { Err(refused()) }
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<T, E> {
        let number = text.trim().parse::<i64>().ok().and_then(|number| T::try_from(number).ok());
        number.ok_or_else(|| {
            E::custom(format_args!(
                "Cannot deserialize value of type `{0}` from String {text:?}: not a valid `{0}` value",
                T::NAME
            ))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scalars_are_taken_for_each_other() {
        for (json, expected) in
            [("\"x\"", "x"), ("false", "false"), ("-7", "-7"), ("7", "7"), ("1.5", "1.5")]
        {
            assert_eq!(serde_json::from_str::<Text>(json).unwrap().0, expected);
        }
        for (json, expected) in [("7", 7), ("\"-7\"", -7), ("\" 7 \"", 7), ("7.9", 7)] {
            assert_eq!(serde_json::from_str::<Int>(json).unwrap().0, expected);
            assert_eq!(serde_json::from_str::<Long>(json).unwrap().0, i64::from(expected));
        }
        let largest = i64::MAX.to_string();
        assert_eq!(serde_json::from_str::<Long>(&largest).unwrap().0, i64::MAX);
    }

    #[test]
    fn what_is_no_number_is_refused() {
        for json in ["\"x\"", "\"\"", "true", "[]", "2147483648", "\"2147483648\"", "1e300"] {
            assert!(serde_json::from_str::<Int>(json).is_err(), "{json}");
        }
        for json in ["9223372036854775808", "9223372036854775808.0", "\"1.5\""] {
            assert!(serde_json::from_str::<Long>(json).is_err(), "{json}");
        }
        assert!(serde_json::from_str::<Text>("{}").is_err());
    }
}
