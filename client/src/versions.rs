//! Which version of which API a broker is spoken to in.

use protocol::messages::ApiVersionsResponse;
use protocol::{ApiKey, DecodeError, ErrorCode, Frame, Message, Reader, decode_response_header};

/// The versions that client and broker have in common. Each connection has some,
/// so they are kept small.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Versions(Box<[Common]>);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Common {
    api: ApiKey,
    min: i16,
    max: i16,
}

impl Versions {
    /// The highest version not above `at_most`; `None` when there is none.
    pub(crate) fn highest(&self, api: ApiKey, at_most: i16) -> Option<i16> {
        let common = self.0.iter().find(|common| common.api == api)?;
        let version = at_most.min(common.max);
        (version >= common.min).then_some(version)
    }

    fn of(response: &ApiVersionsResponse) -> Self {
        let common = response.api_keys.iter().filter_map(|offered| {
            let api = ApiKey::from_i16(offered.api_key)?;
            let ours = api.versions();
            let min = offered.min_version.max(*ours.start());
            let max = offered.max_version.min(*ours.end());
            (min <= max).then_some(Common { api, min, max })
        });
        Self(common.collect())
    }
}

/// What an answer to ApiVersions means.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Negotiation {
    /// The versions are known.
    Done(Versions),
    /// The broker does not know this version of ApiVersions; ask in that one.
    AskIn(i16),
    /// The broker refuses.
    Refused(ErrorCode),
}

/// Reads the answer to an ApiVersions request of version `asked`.
pub(crate) fn read_answer(frame: Frame, asked: i16) -> Result<Negotiation, DecodeError> {
    let api = ApiKey::ApiVersions;
    // Every version starts with the error code. A broker that does not know the
    // version asked for answers in version 0 (KIP-511).
    let mut error_code = Reader::new(frame.clone());
    decode_response_header(&mut error_code, api, 0)?;
    let unsupported = error_code.i16()? == ErrorCode::UnsupportedVersion.code();
    let version = if unsupported { 0 } else { asked };
    let mut reader = Reader::new(frame);
    decode_response_header(&mut reader, api, version)?;
    let response = ApiVersionsResponse::decode(&mut reader, version)?;
    if unsupported {
        let offered = response.api_keys.iter().find(|key| key.api_key == api.code());
        let fallback = offered.map_or(0, |key| key.max_version).max(0);
        return Ok(if asked == 0 {
            Negotiation::Refused(response.error_code)
        } else if fallback < asked {
            Negotiation::AskIn(fallback)
        } else {
            Negotiation::AskIn(0)
        });
    }
    if response.error_code.is_error() {
        return Ok(Negotiation::Refused(response.error_code));
    }
    Ok(Negotiation::Done(Versions::of(&response)))
}

#[cfg(test)]
mod tests {
    use protocol::encode_response;
    use protocol::messages::api_versions::ApiVersion;

    use super::*;

    fn answer(version: i16, error_code: ErrorCode, ranges: &[(i16, i16, i16)]) -> Frame {
        let key =
            |&(api_key, min_version, max_version)| ApiVersion { api_key, min_version, max_version };
        let api_keys = ranges.iter().map(key).collect();
        let response =
            ApiVersionsResponse { error_code, api_keys, ..ApiVersionsResponse::default() };
        encode_response(ApiKey::ApiVersions, version, 7, &response)
    }

    #[test]
    fn the_highest_common_version_is_used() {
        let ours = *ApiKey::Metadata.versions().end();
        for (case, offered, at_most, expected) in [
            ("older broker", Some((0, 5)), i16::MAX, Some(5)),
            ("newer broker", Some((3, 99)), i16::MAX, Some(ours)),
            ("capped", Some((0, 9)), 4, Some(4)),
            ("cap below what the broker has", Some((5, 9)), 4, None),
            ("nothing in common", Some((90, 99)), i16::MAX, None),
            ("range upside down", Some((9, 3)), i16::MAX, None),
            ("not offered", None, i16::MAX, None),
        ] {
            let ranges: Vec<_> =
                offered.map(|(min, max)| (3, min, max)).into_iter().chain([(999, 0, 1)]).collect();
            let Ok(Negotiation::Done(versions)) =
                read_answer(answer(4, ErrorCode::None, &ranges), 4)
            else {
                panic!("{case}");
            };
            assert_eq!(versions.highest(ApiKey::Metadata, at_most), expected, "{case}");
        }
    }

    #[test]
    fn a_refused_version_is_replaced_by_the_one_offered() {
        let refused = ErrorCode::UnsupportedVersion;
        for (case, asked, ranges, expected) in [
            ("offers 3", 4, &[(18, 0, 3)][..], Negotiation::AskIn(3)),
            ("offers nothing", 4, &[], Negotiation::AskIn(0)),
            ("offers what it refused", 4, &[(18, 0, 4)], Negotiation::AskIn(0)),
            ("offers nonsense", 4, &[(18, -9, -3)], Negotiation::AskIn(0)),
            ("refuses version 0", 0, &[(18, 0, 3)], Negotiation::Refused(refused)),
        ] {
            assert_eq!(read_answer(answer(0, refused, ranges), asked), Ok(expected), "{case}");
        }
        assert_eq!(
            read_answer(answer(4, ErrorCode::IllegalSaslState, &[]), 4),
            Ok(Negotiation::Refused(ErrorCode::IllegalSaslState))
        );
    }

    #[test]
    fn a_short_answer_is_an_error() {
        let whole = answer(4, ErrorCode::None, &[(18, 0, 4)]).into_bytes();
        for length in 0..whole.len() {
            assert!(read_answer(Frame::from(whole.slice(..length)), 4).is_err(), "{length} bytes");
        }
    }
}
