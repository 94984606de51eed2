//! Rules of protoc that the compiler does not check.

use std::collections::HashSet;

use super::syntax::{
    Enum, Field, FieldType, File, Group, Label, Message, OptionEntry, OptionValue, Reserved,
    is_scalar,
};
use super::types::{Declaration, Types, join};

/// The first rule that a file breaks, in one sentence.
pub(super) fn broken_rule(file: &File, types: &Types<'_>) -> Option<String> {
    let check = Check { is_proto3: file.is_proto3(), types };
    let scope = file.package();
    file.messages
        .iter()
        .find_map(|message| check.message(message, scope))
        .or_else(|| file.enums.iter().find_map(check_enum))
}

struct Check<'a> {
    is_proto3: bool,
    types: &'a Types<'a>,
}

impl Check<'_> {
    fn message(&self, message: &Message, scope: &str) -> Option<String> {
        let name = &join(scope, &message.name);
        let fields: Vec<&Field> = fields_of(message).collect();
        let groups: Vec<&Group> = groups_of(message).collect();
        let reserved =
            check_reserved(name, &message.reserved, fields.iter().map(|field| field.name.as_str()));
        let extensions = || {
            if self.is_proto3 && !message.extensions.is_empty() {
                return Some(format!("{name} has extension ranges, which proto3 does not allow"));
            }
            let extensions = message.extensions.iter().flat_map(|extensions| &extensions.ranges);
            let reserved = message.reserved.iter().flatten();
            check_ranges(name, extensions.chain(reserved))
        };
        reserved
            .or_else(extensions)
            .or_else(|| fields.iter().find_map(|field| self.field(field, name)))
            .or_else(|| groups.iter().find_map(|group| self.message(&group.body, name)))
            .or_else(|| message.messages.iter().find_map(|nested| self.message(nested, name)))
            .or_else(|| message.enums.iter().find_map(check_enum))
    }

    fn field(&self, field: &Field, scope: &str) -> Option<String> {
        let name = &field.name;
        let type_name = field.value_type();
        let declaration =
            if is_scalar(type_name) { None } else { self.types.get(type_name, scope) };
        let is_enum =
            declaration.is_some_and(|found| matches!(found.declaration, Declaration::Enum));
        let is_packable = field.label == Some(Label::Repeated)
            && matches!(field.field_type, FieldType::Named(_))
            && (is_enum || is_scalar(type_name) && !matches!(type_name, "string" | "bytes"));
        if is_set(&field.options, "packed") && !is_packable {
            return Some(format!("{scope}.{name} is packed and not a repeated number"));
        }
        if self.is_proto3 && is_enum && declaration.is_some_and(|found| !found.is_proto3) {
            return Some(format!("{scope}.{name} is an enum of proto2, which proto3 cannot use"));
        }
        None
    }
}

fn check_enum(declared: &Enum) -> Option<String> {
    let name = &declared.name;
    let constants = declared.constants.iter();
    let mut numbers = HashSet::new();
    let has_alias = constants.clone().any(|constant| !numbers.insert(constant.number));
    if is_set(&declared.options, "allow_alias") && !has_alias {
        return Some(format!("{name} allows aliases and has none"));
    }
    check_reserved(name, &declared.reserved, constants.map(|constant| constant.name.as_str()))
        .or_else(|| check_ranges(name, declared.reserved.iter().flatten()))
}

/// Reserved names occur once, and nothing has one.
fn check_reserved<'a>(
    owner: &str,
    reserved: &'a [Vec<Reserved>],
    mut names: impl Iterator<Item = &'a str>,
) -> Option<String> {
    let mut reserved_names = HashSet::new();
    for item in reserved.iter().flatten() {
        if let Reserved::Name(name) = item
            && !reserved_names.insert(name.as_str())
        {
            return Some(format!("{owner} reserves the name {name:?} twice"));
        }
    }
    names
        .find(|name| reserved_names.contains(name))
        .map(|name| format!("{owner} uses the reserved name {name:?}"))
}

/// Ranges do not end before they begin, and do not overlap.
fn check_ranges<'a>(owner: &str, ranges: impl Iterator<Item = &'a Reserved>) -> Option<String> {
    let mut ranges: Vec<(i32, i32)> = ranges
        .filter_map(|range| match range {
            Reserved::Name(_) => None,
            Reserved::Number(number) => Some((*number, *number)),
            Reserved::Range(start, end) => Some((*start, *end)),
        })
        .collect();
    if let Some((start, end)) = ranges.iter().find(|(start, end)| start > end) {
        return Some(format!("{owner} has a range {start} to {end}, which ends before it begins"));
    }
    ranges.sort_unstable();
    ranges.array_windows().find_map(|[(start, end), (next_start, next_end)]| {
        (next_start <= end).then(|| {
            format!(
                "{owner} has ranges {start} to {end} and {next_start} to {next_end}, which overlap"
            )
        })
    })
}

fn is_set(options: &[OptionEntry], name: &str) -> bool {
    let yes = OptionValue::Word("true".to_owned());
    options.iter().any(|option| !option.is_custom && option.name == name && option.value == yes)
}

fn fields_of(message: &Message) -> impl Iterator<Item = &Field> {
    message.fields.iter().chain(message.oneofs.iter().flat_map(|oneof| &oneof.fields))
}

fn groups_of(message: &Message) -> impl Iterator<Item = &Group> {
    message.groups.iter().chain(message.oneofs.iter().flat_map(|oneof| &oneof.groups))
}
