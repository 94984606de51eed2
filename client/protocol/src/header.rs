//! Request and response headers, and whole messages behind them.

use crate::{ApiKey, DecodeError, Frame, FramePart, Message, Reader, Request, Str, Writer};

/// What stands before the body of every request.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct RequestHeader {
    /// The API as a number, because a client may ask for one that nobody knows.
    pub api_key: i16,
    /// The version of the API.
    pub api_version: i16,
    /// Comes back with the response.
    pub correlation_id: i32,
    /// What the client calls itself.
    pub client_id: Option<Str>,
}

impl RequestHeader {
    /// Reads a header and leaves the reader at the body, in its encoding.
    ///
    /// For an API that this codec does not know, or a version outside of its
    /// range, the rest of the frame cannot be read, but the header is whole.
    pub fn decode(reader: &mut Reader) -> Result<Self, DecodeError> {
        let mut header = Self {
            api_key: reader.i16()?,
            api_version: reader.i16()?,
            correlation_id: reader.i32()?,
            client_id: None,
        };
        header.client_id = reader.inflexible_nullable_string()?;
        reader.set_flexible(is_flexible(header.api_key, header.api_version));
        // An unknown version of ApiVersions is answered whatever follows.
        if header.supported().is_some() {
            reader.tagged_fields(|_, _| Ok(false))?;
        }
        Ok(header)
    }

    /// The API, if this codec reads the version that the header names.
    pub fn supported(&self) -> Option<ApiKey> {
        ApiKey::from_i16(self.api_key).filter(|key| key.versions().contains(&self.api_version))
    }

    fn encode(&self, writer: &mut Writer) {
        writer.put_i16(self.api_key);
        writer.put_i16(self.api_version);
        writer.put_i32(self.correlation_id);
        writer.put_inflexible_nullable_string(self.client_id.as_ref());
        writer.set_flexible(is_flexible(self.api_key, self.api_version));
        if writer.is_flexible() {
            writer.put_unsigned_varint(0);
        }
    }
}

fn is_flexible(api_key: i16, version: i16) -> bool {
    ApiKey::from_i16(api_key).is_some_and(|key| key.is_flexible(version))
}

/// A whole request. `header` names the version; its API has to be that of the body.
pub fn encode_request<R: Request>(header: &RequestHeader, body: &R) -> Frame {
    let mut writer = Writer::new();
    header.encode(&mut writer);
    body.encode(&mut writer, header.api_version);
    writer.into_frame()
}

/// A whole response.
pub fn encode_response<M: Message>(
    key: ApiKey,
    version: i16,
    correlation_id: i32,
    body: &M,
) -> Frame {
    response_writer(key, version, correlation_id, body).into_frame()
}

/// A whole response whose record sets may be [`Records::Deferred`](crate::Records::Deferred).
pub fn encode_response_parts<M: Message>(
    key: ApiKey,
    version: i16,
    correlation_id: i32,
    body: &M,
) -> Vec<FramePart> {
    response_writer(key, version, correlation_id, body).into_parts()
}

fn response_writer<M: Message>(key: ApiKey, version: i16, correlation_id: i32, body: &M) -> Writer {
    let mut writer = Writer::new();
    writer.put_i32(correlation_id);
    writer.set_flexible(key.is_flexible(version));
    // ApiVersions keeps the old header in all versions, because the client does
    // not know yet which one the broker speaks.
    if writer.is_flexible() && key != ApiKey::ApiVersions {
        writer.put_unsigned_varint(0);
    }
    body.encode(&mut writer, version);
    writer
}

/// Reads the header of a response, answers its correlation id and leaves the
/// reader at the body, in its encoding.
pub fn decode_response_header(
    reader: &mut Reader,
    key: ApiKey,
    version: i16,
) -> Result<i32, DecodeError> {
    let correlation_id = reader.i32()?;
    reader.set_flexible(key.is_flexible(version));
    if key != ApiKey::ApiVersions {
        reader.tagged_fields(|_, _| Ok(false))?;
    }
    Ok(correlation_id)
}

impl Frame {
    /// The correlation id at the start of a response, which comes before its
    /// version is known.
    pub fn correlation_id(&self) -> Result<i32, DecodeError> {
        Reader::new(self.clone()).i32()
    }

    /// The size prefix that goes before the frame on a stream.
    pub fn size_prefix(&self) -> [u8; 4] {
        (self.len() as i32).to_be_bytes()
    }
}
