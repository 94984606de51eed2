//! Files that may be imported without a reference.

use std::collections::HashMap;
use std::sync::LazyLock;

use prost_reflect::prost_types::FileDescriptorProto;
use protox::file::{FileResolver, GoogleFileResolver};

use super::descriptor;
use super::parser;
use super::syntax::File;

/// Path and text of the files that the compiler does not bring itself.
const BUNDLED: [(&str, &str); 19] = [
    ("confluent/meta.proto", include_str!("well_known/confluent/meta.proto")),
    ("confluent/type/decimal.proto", include_str!("well_known/confluent/type/decimal.proto")),
    ("confluent/type/variant.proto", include_str!("well_known/confluent/type/variant.proto")),
    (
        "google/type/calendar_period.proto",
        include_str!("well_known/google/type/calendar_period.proto"),
    ),
    ("google/type/color.proto", include_str!("well_known/google/type/color.proto")),
    ("google/type/date.proto", include_str!("well_known/google/type/date.proto")),
    ("google/type/datetime.proto", include_str!("well_known/google/type/datetime.proto")),
    ("google/type/dayofweek.proto", include_str!("well_known/google/type/dayofweek.proto")),
    ("google/type/decimal.proto", include_str!("well_known/google/type/decimal.proto")),
    ("google/type/expr.proto", include_str!("well_known/google/type/expr.proto")),
    ("google/type/fraction.proto", include_str!("well_known/google/type/fraction.proto")),
    ("google/type/interval.proto", include_str!("well_known/google/type/interval.proto")),
    ("google/type/latlng.proto", include_str!("well_known/google/type/latlng.proto")),
    ("google/type/money.proto", include_str!("well_known/google/type/money.proto")),
    ("google/type/month.proto", include_str!("well_known/google/type/month.proto")),
    ("google/type/phone_number.proto", include_str!("well_known/google/type/phone_number.proto")),
    (
        "google/type/postal_address.proto",
        include_str!("well_known/google/type/postal_address.proto"),
    ),
    ("google/type/quaternion.proto", include_str!("well_known/google/type/quaternion.proto")),
    ("google/type/timeofday.proto", include_str!("well_known/google/type/timeofday.proto")),
];

/// The files of `google/protobuf`, which the compiler knows.
const OF_THE_COMPILER: [&str; 11] = [
    "google/protobuf/any.proto",
    "google/protobuf/api.proto",
    "google/protobuf/descriptor.proto",
    "google/protobuf/duration.proto",
    "google/protobuf/empty.proto",
    "google/protobuf/field_mask.proto",
    "google/protobuf/source_context.proto",
    "google/protobuf/struct.proto",
    "google/protobuf/timestamp.proto",
    "google/protobuf/type.proto",
    "google/protobuf/wrappers.proto",
];

static FILES: LazyLock<HashMap<&'static str, File>> = LazyLock::new(|| {
    let bundled =
        BUNDLED.into_iter().filter_map(|(path, text)| Some((path, parser::parse(text).ok()?)));
    let of_the_compiler = OF_THE_COMPILER
        .into_iter()
        .filter_map(|path| Some((path, descriptor::file_of(&descriptor_of(path)?))));
    bundled.chain(of_the_compiler).collect()
});

fn descriptor_of(path: &str) -> Option<FileDescriptorProto> {
    Some(GoogleFileResolver::new().open_file(path).ok()?.file_descriptor_proto().clone())
}

/// The file that an import of `path` means without a reference.
pub(super) fn file(path: &str) -> Option<&'static File> {
    FILES.get(path)
}

/// The text of a file that the compiler does not know.
pub(super) fn bundled_text(path: &str) -> Option<&'static str> {
    BUNDLED.iter().find(|(bundled, _)| *bundled == path).map(|(_, text)| *text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_well_known_file_can_be_read() {
        assert_eq!(FILES.len(), BUNDLED.len() + OF_THE_COMPILER.len());
        assert_eq!(file("google/protobuf/timestamp.proto").unwrap().messages[0].name, "Timestamp");
        assert_eq!(file("google/type/phone_number.proto").unwrap().messages[0].oneofs.len(), 1);
        assert_eq!(file("google/protobuf/struct.proto").unwrap().messages[0].fields.len(), 1);
    }
}
