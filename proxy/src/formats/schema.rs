//! The formats with schemas: stored bytes name the schema that they were
//! written with, and show as JSON.

use client::consumer::ConsumerRecord;
use registry::payload::header_name;
use registry::{Framed, PayloadError, SchemaType, Schemas};

use super::{DataError, Field};

/// Appends the JSON that `bytes`, the key or value of a record, stand for.
pub(super) fn write(
    record: &ConsumerRecord<'_>,
    field: Field,
    bytes: &[u8],
    schema_type: SchemaType,
    schemas: Option<&Schemas>,
    answer: &mut Vec<u8>,
) -> Result<(), DataError> {
    let framed = match header(record, field) {
        Some(header) => Framed::with_header(header, bytes),
        None => Framed::read(bytes),
    };
    let framed = framed.map_err(PayloadError::from)?;
    let codec = schemas.and_then(|schemas| schemas.cached(framed.key));
    let codec = codec.ok_or(DataError::UnknownSchema(framed.key))?;
    if codec.schema_type() != schema_type {
        return Err(DataError::OtherFormat { id: codec.id(), schema_type: codec.schema_type() });
    }
    Ok(codec.decode(&framed, answer)?)
}

/// The header that names the schema, where newer clients put it.
fn header<'a>(record: &ConsumerRecord<'a>, field: Field) -> Option<&'a [u8]> {
    if record.headers.is_empty() {
        return None;
    }
    let wanted = header_name(field == Field::Key);
    record.headers.iter().find(|(name, _)| *name == wanted).and_then(|(_, value)| value)
}
