//! Keys, values and headers of a record, as they are written.

use super::varint::{put_varint, varint_size};

/// Key and value of one header to write; `None` is null.
pub(super) type Header<'a> = (&'a str, Option<&'a [u8]>);

/// Appends a nullable byte string after its length.
#[inline]
pub(super) fn put_nullable(buffer: &mut Vec<u8>, value: Option<&[u8]>) {
    match value {
        None => put_varint(buffer, -1),
        Some(value) => put_sized(buffer, value),
    }
}

/// Bytes that [`put_nullable`] appends.
#[inline]
pub(super) fn nullable_size(value: Option<&[u8]>) -> usize {
    value.map_or(1, sized_size)
}

/// Appends count and headers.
#[inline]
pub(super) fn put_headers(buffer: &mut Vec<u8>, headers: &[Header<'_>]) {
    put_varint(buffer, length(headers.len()));
    for (key, value) in headers {
        put_header(buffer, key, *value);
    }
}

/// Appends one header.
pub(super) fn put_header(buffer: &mut Vec<u8>, key: &str, value: Option<&[u8]>) {
    put_sized(buffer, key.as_bytes());
    put_nullable(buffer, value);
}

/// Bytes that [`put_headers`] appends.
#[inline]
pub(super) fn headers_size(headers: &[Header<'_>]) -> usize {
    let fields: usize =
        headers.iter().map(|(key, value)| sized_size(key.as_bytes()) + nullable_size(*value)).sum();
    varint_size(length(headers.len())) + fields
}

/// Appends what `write` appends, after its length.
///
/// The length comes first but is known last: room for that of `size_hint`
/// bytes is left, and what was written moves by a few bytes if the hint was
/// in another order of magnitude. An error leaves the buffer as it was.
///
/// # Panics
/// If `write` takes bytes off that it has not appended.
pub(super) fn put_with<E>(
    buffer: &mut Vec<u8>,
    size_hint: usize,
    write: impl FnOnce(&mut Vec<u8>) -> Result<(), E>,
) -> Result<(), E> {
    let start = buffer.len();
    put_varint(buffer, i32::try_from(size_hint).unwrap_or(i32::MAX));
    let content = buffer.len();
    if let Err(error) = write(buffer) {
        buffer.truncate(start);
        return Err(error);
    }
    let size = buffer.len().checked_sub(content).expect("the writer only appends");
    replace_varint(buffer, start, content - start, length(size));
    Ok(())
}

/// Writes `value` over the `room` bytes at `start`, moving what follows if the
/// value needs more or less.
pub(super) fn replace_varint(buffer: &mut Vec<u8>, start: usize, room: usize, value: i32) {
    let mut prefix = super::varint::Prefix::new();
    prefix.varint(value);
    replace(buffer, start, room, prefix.as_slice());
}

/// Writes `bytes` over the `room` bytes at `start`, moving what follows if
/// there are more or less.
pub(super) fn replace(buffer: &mut Vec<u8>, start: usize, room: usize, bytes: &[u8]) {
    if bytes.len() > room {
        let end = buffer.len();
        buffer.resize(end + bytes.len() - room, 0);
        buffer.copy_within(start + room..end, start + bytes.len());
    } else if bytes.len() < room {
        buffer.copy_within(start + room.., start + bytes.len());
        buffer.truncate(buffer.len() - (room - bytes.len()));
    }
    let slot = buffer.get_mut(start..start + bytes.len()).expect("the room lies inside the buffer");
    slot.copy_from_slice(bytes);
}

/// A length or count as Kafka writes it.
///
/// # Panics
/// From 2 GiB on, which no sender's limits allow.
#[inline]
pub(super) fn length(length: usize) -> i32 {
    i32::try_from(length).expect("fields of records are smaller than 2 GiB")
}

#[inline]
fn put_sized(buffer: &mut Vec<u8>, value: &[u8]) {
    put_varint(buffer, length(value.len()));
    buffer.extend_from_slice(value);
}

#[inline]
fn sized_size(value: &[u8]) -> usize {
    varint_size(length(value.len())) + value.len()
}

#[cfg(test)]
mod tests {
    use super::super::varint::Cursor;
    use super::*;

    #[test]
    fn a_wrong_size_hint_changes_nothing_that_is_written() {
        for size_hint in [0, 63, 64, 10_000, usize::MAX] {
            for size in [0, 1, 63, 64, 8_191, 8_192, 20_000] {
                let value = vec![7; size];
                let mut buffer = b"before".to_vec();
                put_with(&mut buffer, size_hint, |buffer| {
                    buffer.extend_from_slice(&value);
                    Ok::<_, ()>(())
                })
                .unwrap();
                let mut expected = b"before".to_vec();
                put_sized(&mut expected, &value);
                assert!(buffer == expected, "hint {size_hint}, size {size}");
            }
        }
    }

    #[test]
    fn a_failed_writer_leaves_nothing() {
        let mut buffer = b"before".to_vec();
        let failed = put_with(&mut buffer, 100, |buffer| {
            buffer.extend_from_slice(b"half");
            Err("not base64")
        });
        assert_eq!((failed, &buffer[..]), (Err("not base64"), &b"before"[..]));
    }

    #[test]
    fn null_and_empty_differ() {
        let mut buffer = Vec::new();
        put_nullable(&mut buffer, None);
        put_nullable(&mut buffer, Some(b""));
        assert_eq!(buffer, [1, 0]);
        let mut cursor = Cursor::new(&buffer);
        assert_eq!((cursor.nullable(), cursor.nullable()), (Ok(None), Ok(Some(&b""[..]))));
    }
}
