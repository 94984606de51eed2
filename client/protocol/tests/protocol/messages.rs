//! What the table of APIs promises.

use protocol::ApiKey;

#[test]
fn both_codecs_have_the_same_flexible_versions() {
    for key in ApiKey::ALL {
        let theirs = kafka_protocol::messages::ApiKey::try_from(key.code()).unwrap();
        for version in key.versions() {
            let is_flexible = theirs.request_header_version(version) == 2;
            assert_eq!(key.is_flexible(version), is_flexible, "{} v{version}", key.name());
        }
    }
}

#[test]
fn numbers_and_names_find_their_api() {
    for key in ApiKey::ALL {
        assert_eq!(ApiKey::from_i16(key.code()), Some(*key));
        let theirs = kafka_protocol::messages::ApiKey::try_from(key.code()).unwrap();
        assert_eq!(format!("{theirs:?}"), key.name());
    }
    assert_eq!(ApiKey::from_i16(-1), None);
    assert_eq!(ApiKey::from_i16(i16::MAX), None);
}
