//! What a message is made of, and the macro that declares one.

use bytes::Bytes;

use crate::{ApiKey, DecodeError, ErrorCode, Reader, Records, Str, Uuid, Writer};

/// A request, a response or a structure inside of one.
///
/// Encoding writes the fields that the version has; a field that it has not is
/// left out. Decoding leaves such fields at their defaults.
pub trait Message: Sized + Default {
    /// Appends the fields of `version`.
    fn encode(&self, writer: &mut Writer, version: i16);

    /// Reads the fields of `version`.
    fn decode(reader: &mut Reader, version: i16) -> Result<Self, DecodeError>;
}

/// The body of a request, tied to its API and the answer it gets.
pub trait Request: Message {
    /// The API that the request calls.
    const KEY: ApiKey;
    /// What it is answered with, in the same version.
    type Response: Message;
}

/// A value that can stand in a message.
pub trait Field: Sized {
    /// Appends the value in the encoding that the writer is set to.
    fn write(&self, writer: &mut Writer, version: i16);

    /// Reads the value in the encoding that the reader is set to.
    fn read(reader: &mut Reader, version: i16) -> Result<Self, DecodeError>;
}

macro_rules! plain_fields {
    ($($type:ty: $put:ident, $get:ident;)*) => {$(
        impl Field for $type {
            fn write(&self, writer: &mut Writer, _: i16) {
                writer.$put(*self);
            }

            fn read(reader: &mut Reader, _: i16) -> Result<Self, DecodeError> {
                reader.$get()
            }
        }
    )*};
}

plain_fields! {
    i8: put_i8, i8;
    i16: put_i16, i16;
    i32: put_i32, i32;
    i64: put_i64, i64;
}

impl Field for bool {
    fn write(&self, writer: &mut Writer, _: i16) {
        writer.put_i8(i8::from(*self));
    }

    fn read(reader: &mut Reader, _: i16) -> Result<Self, DecodeError> {
        Ok(reader.i8()? != 0)
    }
}

impl Field for Uuid {
    fn write(&self, writer: &mut Writer, _: i16) {
        writer.put_uuid(self);
    }

    fn read(reader: &mut Reader, _: i16) -> Result<Self, DecodeError> {
        reader.uuid()
    }
}

impl Field for ErrorCode {
    fn write(&self, writer: &mut Writer, _: i16) {
        writer.put_i16(self.code());
    }

    fn read(reader: &mut Reader, _: i16) -> Result<Self, DecodeError> {
        Ok(Self::from_i16(reader.i16()?))
    }
}

impl Field for Str {
    fn write(&self, writer: &mut Writer, _: i16) {
        writer.put_nullable_string(Some(self));
    }

    fn read(reader: &mut Reader, _: i16) -> Result<Self, DecodeError> {
        reader.nullable_string()?.ok_or(DecodeError::UnexpectedNull)
    }
}

impl Field for Option<Str> {
    fn write(&self, writer: &mut Writer, _: i16) {
        writer.put_nullable_string(self.as_deref());
    }

    fn read(reader: &mut Reader, _: i16) -> Result<Self, DecodeError> {
        reader.nullable_string()
    }
}

impl Field for Bytes {
    fn write(&self, writer: &mut Writer, _: i16) {
        writer.put_nullable_bytes(Some(self));
    }

    fn read(reader: &mut Reader, _: i16) -> Result<Self, DecodeError> {
        reader.nullable_bytes()?.ok_or(DecodeError::UnexpectedNull)
    }
}

impl Field for Option<Bytes> {
    fn write(&self, writer: &mut Writer, _: i16) {
        writer.put_nullable_bytes(self.as_deref());
    }

    fn read(reader: &mut Reader, _: i16) -> Result<Self, DecodeError> {
        reader.nullable_bytes()
    }
}

impl Field for Option<Records> {
    fn write(&self, writer: &mut Writer, _: i16) {
        writer.put_records(self.as_ref());
    }

    fn read(reader: &mut Reader, _: i16) -> Result<Self, DecodeError> {
        Ok(reader.nullable_bytes()?.map(Records::Bytes))
    }
}

impl<T: Field> Field for Vec<T> {
    fn write(&self, writer: &mut Writer, version: i16) {
        writer.put_array_length(Some(self.len()));
        for element in self {
            element.write(writer, version);
        }
    }

    fn read(reader: &mut Reader, version: i16) -> Result<Self, DecodeError> {
        Option::<Self>::read(reader, version)?.ok_or(DecodeError::UnexpectedNull)
    }
}

impl<T: Field> Field for Option<Vec<T>> {
    fn write(&self, writer: &mut Writer, version: i16) {
        match self {
            Some(elements) => elements.write(writer, version),
            None => writer.put_array_length(None),
        }
    }

    fn read(reader: &mut Reader, version: i16) -> Result<Self, DecodeError> {
        let Some(length) = reader.array_length()? else { return Ok(None) };
        // Elements may be larger in memory than on the wire: reserve no more than
        // the frame holds, and let a long array grow as its elements prove real.
        let mut elements = Vec::with_capacity(length.min(reader.left() / size_of::<T>().max(1)));
        for _ in 0..length {
            elements.push(T::read(reader, version)?);
        }
        Ok(Some(elements))
    }
}

/// A structure in a field of its own.
impl<T: Message> Field for T {
    fn write(&self, writer: &mut Writer, version: i16) {
        self.encode(writer, version);
    }

    fn read(reader: &mut Reader, version: i16) -> Result<Self, DecodeError> {
        Self::decode(reader, version)
    }
}

/// Declares structures of the protocol: each field with its type, its default
/// where that is not the type's own, the versions that have it and, for a
/// tagged field, its tag.
macro_rules! messages {
    ($(
        $(#[$meta:meta])*
        struct $name:ident {
            $($(#[$field_meta:meta])* $field:ident: $type:ty $(= $default:expr)?, $versions:expr $(, tag $tag:literal)?;)*
        }
    )*) => {$(
        $(#[$meta])*
        #[derive(Debug, Clone, PartialEq)]
        pub struct $name {
            $($(#[$field_meta])* pub $field: $type,)*
        }

        impl Default for $name {
            fn default() -> Self {
                Self { $($field: $crate::message::default_of!($($default)?),)* }
            }
        }

        impl $crate::Message for $name {
            fn encode(&self, writer: &mut $crate::Writer, version: i16) {
                let _ = version;
                $($crate::message::encode_plain!(self, writer, version, $field, $versions $(, $tag)?);)*
                if writer.is_flexible() {
                    let default = Self::default();
                    let _ = &default;
                    let mut tagged: u32 = 0;
                    let _ = &mut tagged;
                    $($crate::message::count_tagged!(self, default, tagged, version, $field, $versions $(, $tag)?);)*
                    writer.put_unsigned_varint(tagged);
                    $($crate::message::encode_tagged!(self, default, writer, version, $field, $versions $(, $tag)?);)*
                }
            }

            fn decode(reader: &mut $crate::Reader, version: i16) -> Result<Self, $crate::DecodeError> {
                let _ = version;
                #[allow(unused_mut, reason = "a structure may have no fields")]
                let mut message = Self::default();
                $($crate::message::decode_plain!(message, reader, version, $field, $versions $(, $tag)?);)*
                reader.tagged_fields(|tag, reader| {
                    let _ = (tag, &reader);
                    $($crate::message::decode_tagged!(message, reader, tag, version, $field, $versions $(, $tag)?);)*
                    Ok(false)
                })?;
                Ok(message)
            }
        }
    )*};
}

macro_rules! default_of {
    () => {
        Default::default()
    };
    ($default:expr) => {
        $default
    };
}

macro_rules! encode_plain {
    ($self:ident, $writer:ident, $version:ident, $field:ident, $versions:expr) => {
        if ($versions).contains(&$version) {
            $crate::Field::write(&$self.$field, $writer, $version);
        }
    };
    ($self:ident, $writer:ident, $version:ident, $field:ident, $versions:expr, $tag:literal) => {};
}

macro_rules! count_tagged {
    ($self:ident, $default:ident, $count:ident, $version:ident, $field:ident, $versions:expr) => {};
    ($self:ident, $default:ident, $count:ident, $version:ident, $field:ident, $versions:expr, $tag:literal) => {
        if ($versions).contains(&$version) && $self.$field != $default.$field {
            $count += 1;
        }
    };
}

macro_rules! encode_tagged {
    ($self:ident, $default:ident, $writer:ident, $version:ident, $field:ident, $versions:expr) => {};
    ($self:ident, $default:ident, $writer:ident, $version:ident, $field:ident, $versions:expr, $tag:literal) => {
        if ($versions).contains(&$version) && $self.$field != $default.$field {
            $writer.put_tagged_field($tag, |writer| {
                $crate::Field::write(&$self.$field, writer, $version)
            });
        }
    };
}

macro_rules! decode_plain {
    ($message:ident, $reader:ident, $version:ident, $field:ident, $versions:expr) => {
        if ($versions).contains(&$version) {
            $message.$field = $crate::Field::read($reader, $version)?;
        }
    };
    ($message:ident, $reader:ident, $version:ident, $field:ident, $versions:expr, $tag:literal) => {};
}

macro_rules! decode_tagged {
    ($message:ident, $reader:ident, $seen:ident, $version:ident, $field:ident, $versions:expr) => {};
    ($message:ident, $reader:ident, $seen:ident, $version:ident, $field:ident, $versions:expr, $tag:literal) => {
        if $seen == $tag && ($versions).contains(&$version) {
            $message.$field = $crate::Field::read($reader, $version)?;
            return Ok(true);
        }
    };
}

pub(crate) use {
    count_tagged, decode_plain, decode_tagged, default_of, encode_plain, encode_tagged, messages,
};
