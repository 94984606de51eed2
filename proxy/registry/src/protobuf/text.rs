//! Writes a `.proto` file: the canonical text that is stored, the normalised
//! one, and the one without custom options.
//!
//! The identity of a schema is a hash of this text, so it is byte for byte
//! what Confluent's registry writes, down to the two spaces on the blank lines
//! of a nested message.

use std::collections::HashSet;

use super::parser::{MAX_FIELD_NUMBER, add_to_map, integer};
use super::syntax::{
    Constant, Enum, Extend, Extensions, Field, FieldType, File, Group, ImportKind, Label, Message,
    OneOf, OptionEntry, OptionValue, Reserved, Rpc, RpcType, Service, Syntax, is_scalar,
};
use super::types::{Types, join};

/// As it is stored.
pub(super) fn canonical(file: &File) -> String {
    Printer { types: None, has_extensions: true }.file(file)
}

/// The same for files that differ only in order and notation.
pub(super) fn normalized(file: &File, types: &Types<'_>) -> String {
    Printer { types: Some(types), has_extensions: true }.file(file)
}

/// Without custom options, except those of Confluent.
pub(super) fn without_extensions(file: &File) -> String {
    Printer { types: None, has_extensions: false }.file(file)
}

struct Printer<'a> {
    /// Names are resolved and everything is sorted when they are known.
    types: Option<&'a Types<'a>>,
    has_extensions: bool,
}

impl Printer<'_> {
    fn is_normalizing(&self) -> bool {
        self.types.is_some()
    }

    fn file(&self, file: &File) -> String {
        let mut out = String::new();
        if let Some(syntax) = file.syntax
            && (!self.is_normalizing() || syntax == Syntax::Proto3)
        {
            out.push_str(&format!("syntax = \"{}\";\n", syntax.name()));
        }
        if let Some(package) = &file.package {
            out.push_str(&format!("package {package};\n"));
        }
        out.push_str(&self.imports(file));
        let scope = file.package();
        push_group(&mut out, &self.option_statements(&file.options, scope));
        let messages = self.messages(&file.messages, scope);
        let enums = file.enums.iter().map(|declared| self.enumeration(declared, scope));
        push_group(&mut out, &messages.into_iter().chain(enums).collect::<Vec<_>>());
        push_group(&mut out, &self.extends(&file.extends, scope));
        let services: Vec<_> =
            file.services.iter().map(|service| self.service(service, scope)).collect();
        push_group(&mut out, &services);
        out
    }

    fn imports(&self, file: &File) -> String {
        let mut imports: Vec<_> = file.imports.iter().collect();
        imports.sort_by_key(|import| import.kind);
        if self.is_normalizing() {
            imports.sort_by_key(|import| (import.kind, &import.path));
            imports.dedup();
        }
        let mut out = String::new();
        let lines: Vec<_> = imports
            .into_iter()
            .map(|import| {
                let kind = match import.kind {
                    ImportKind::Plain => "",
                    ImportKind::Weak => "weak ",
                    ImportKind::Public => "public ",
                };
                format!("import {kind}\"{}\";\n", escaped(import.path.as_bytes()))
            })
            .collect();
        push_group(&mut out, &lines);
        out
    }

    fn messages(&self, messages: &[Message], scope: &str) -> Vec<String> {
        messages
            .iter()
            // A field of type map<> stands for it.
            .filter(|message| !self.is_normalizing() || message.map_entry().is_none())
            .map(|message| self.message(message, scope))
            .collect()
    }

    fn message(&self, message: &Message, scope: &str) -> String {
        format!("message {} {{{}}}\n", message.name, self.body(message, scope))
    }

    fn body(&self, message: &Message, scope: &str) -> String {
        let scope = &join(scope, &message.name);
        let mut out = String::new();
        push_indented_group(&mut out, &self.reserved(&message.reserved, MAX_FIELD_NUMBER));
        push_indented_group(&mut out, &self.option_statements(&message.options, scope));
        push_indented_group(&mut out, &self.fields(&message.fields, scope));
        push_indented_group(&mut out, &self.oneofs(&message.oneofs, scope));
        push_indented_group(&mut out, &self.groups(&message.groups, scope));
        if self.has_extensions {
            push_indented_group(&mut out, &self.extensions(&message.extensions, scope));
        }
        push_indented_group(&mut out, &self.extends(&message.extends, scope));
        let mut types = self.messages(&message.messages, scope);
        types.extend(message.enums.iter().map(|declared| self.enumeration(declared, scope)));
        push_indented_group(&mut out, &types);
        out
    }

    fn reserved(&self, statements: &[Vec<Reserved>], max: i32) -> Vec<String> {
        if !self.is_normalizing() {
            return statements
                .iter()
                .map(|items| {
                    let items: Vec<_> = items.iter().map(|item| self.range(item, max)).collect();
                    format!("reserved {};\n", items.join(", "))
                })
                .collect();
        }
        let mut items: Vec<_> = statements.iter().flatten().collect();
        items.sort_by_key(|item| match item {
            Reserved::Number(start) | Reserved::Range(start, _) => (*start, item.sort_text()),
            Reserved::Name(_) => (i32::MAX, item.sort_text()),
        });
        items.into_iter().map(|item| format!("reserved {};\n", self.range(item, max))).collect()
    }

    fn range(&self, item: &Reserved, max: i32) -> String {
        match item {
            Reserved::Name(name) => format!("\"{}\"", escaped(name.as_bytes())),
            Reserved::Number(number) => number.to_string(),
            Reserved::Range(start, end) if self.is_normalizing() && start == end => {
                start.to_string()
            }
            Reserved::Range(start, end) if *end >= max => format!("{start} to max"),
            Reserved::Range(start, end) => format!("{start} to {end}"),
        }
    }

    fn extensions(&self, statements: &[Extensions], scope: &str) -> Vec<String> {
        let line = |ranges: &[&Reserved], options: &[OptionEntry]| {
            let ranges: Vec<_> =
                ranges.iter().map(|range| self.range(range, MAX_FIELD_NUMBER)).collect();
            let options = self.bracketed(self.filtered(options, scope));
            format!("extensions {}{options};\n", ranges.join(", "))
        };
        if !self.is_normalizing() {
            return statements
                .iter()
                .map(|statement| {
                    line(&statement.ranges.iter().collect::<Vec<_>>(), &statement.options)
                })
                .collect();
        }
        let mut single: Vec<_> = statements
            .iter()
            .flat_map(|statement| statement.ranges.iter().map(|range| (range, &statement.options)))
            .collect();
        single.sort_by_key(|(range, _)| match range {
            Reserved::Number(start) | Reserved::Range(start, _) => *start,
            Reserved::Name(_) => i32::MAX,
        });
        single.into_iter().map(|(range, options)| line(&[range], options)).collect()
    }

    fn fields(&self, fields: &[Field], scope: &str) -> Vec<String> {
        let mut fields: Vec<_> = fields.iter().collect();
        if self.is_normalizing() {
            fields.sort_by_key(|field| field.number);
        }
        fields.into_iter().map(|field| self.field(field, scope)).collect()
    }

    fn field(&self, field: &Field, scope: &str) -> String {
        let (label, field_type) = self.field_type(field, scope);
        let label = label.map_or(String::new(), |label| format!("{} ", label.name()));
        let mut options = field.options.clone();
        let special = [("default", &field.default), ("json_name", &field.json_name)];
        options.extend(special.into_iter().filter_map(|(name, value)| {
            let value = value.clone()?;
            Some(OptionEntry { name: name.to_owned(), is_custom: false, value })
        }));
        let options = self.bracketed(self.filtered(&options, scope));
        format!("{label}{field_type} {} = {}{options};\n", field.name, field.number)
    }

    fn field_type(&self, field: &Field, scope: &str) -> (Option<Label>, String) {
        let map = |key: &str, value: &str, scope: &str| {
            format!("map<{key}, {}>", self.name(value, scope))
        };
        match &field.field_type {
            FieldType::Map { key, value } => (field.label, map(key, value, scope)),
            FieldType::Named(name) => {
                let full_name = self
                    .types
                    .filter(|_| !is_scalar(name))
                    .and_then(|types| types.resolve(name, scope));
                let entry = full_name.as_deref().and_then(|full_name| {
                    self.types?.message_of(&format!(".{full_name}"), scope)?.map_entry()
                });
                match (entry, full_name) {
                    (Some((key, value)), Some(scope)) => {
                        (None, map(key.value_type(), value.value_type(), &scope))
                    }
                    _ => (field.label, self.name(name, scope)),
                }
            }
        }
    }

    /// The name of a type: resolved, with a leading dot, in normalised text.
    fn name(&self, name: &str, scope: &str) -> String {
        match self.types.filter(|_| !is_scalar(name)).and_then(|types| types.resolve(name, scope)) {
            Some(full_name) => format!(".{full_name}"),
            None => name.to_owned(),
        }
    }

    fn oneofs(&self, oneofs: &[OneOf], scope: &str) -> Vec<String> {
        let mut oneofs: Vec<_> = oneofs.iter().collect();
        if self.is_normalizing() {
            let first = |oneof: &OneOf| {
                let groups = oneof.groups.iter().map(|group| group.number);
                oneof.fields.iter().map(|field| field.number).chain(groups).min()
            };
            oneofs.retain(|oneof| first(oneof).is_some());
            oneofs.sort_by_key(|oneof| first(oneof));
        }
        oneofs
            .into_iter()
            .map(|oneof| {
                let mut body = String::new();
                push_indented_group(&mut body, &self.option_statements(&oneof.options, scope));
                push_indented_group(&mut body, &self.fields(&oneof.fields, scope));
                push_indented_group(&mut body, &self.groups(&oneof.groups, scope));
                format!("oneof {} {{{body}}}\n", oneof.name)
            })
            .collect()
    }

    fn groups(&self, groups: &[Group], scope: &str) -> Vec<String> {
        let mut groups: Vec<_> = groups.iter().collect();
        if self.is_normalizing() {
            groups.sort_by_key(|group| group.number);
        }
        groups
            .into_iter()
            .map(|group| {
                let label = group.label.map_or(String::new(), |label| format!("{} ", label.name()));
                let options = self.bracketed(self.filtered(&group.options, scope));
                let body = self.body(&group.body, scope);
                format!("{label}group {} = {}{options} {{{body}}}\n", group.body.name, group.number)
            })
            .collect()
    }

    fn extends(&self, extends: &[Extend], scope: &str) -> Vec<String> {
        if !self.has_extensions {
            return Vec::new();
        }
        let mut merged: Vec<Extend> = Vec::new();
        for extend in extends {
            let name = self.name(&extend.name, scope);
            match merged.iter_mut().find(|other| self.is_normalizing() && other.name == name) {
                Some(other) => {
                    other.fields.extend(extend.fields.iter().cloned());
                    other.groups.extend(extend.groups.iter().cloned());
                }
                None => merged.push(Extend { name, ..extend.clone() }),
            }
        }
        merged
            .iter()
            .map(|extend| {
                let mut body = String::new();
                push_indented_group(&mut body, &self.fields(&extend.fields, scope));
                push_indented_group(&mut body, &self.groups(&extend.groups, scope));
                format!("extend {} {{{body}}}\n", extend.name)
            })
            .collect()
    }

    fn enumeration(&self, declared: &Enum, scope: &str) -> String {
        let mut constants: Vec<_> = declared.constants.iter().collect();
        if self.is_normalizing() {
            constants.sort_by_key(|constant| (constant.number, &constant.name));
        }
        let mut body = String::new();
        // One group, except that reserved lines come without a blank line.
        let mut lines = self.reserved(&declared.reserved, i32::MAX);
        lines.extend(self.option_statements(&declared.options, scope));
        lines.extend(constants.into_iter().map(|constant| self.constant(constant, scope)));
        push_indented_group(&mut body, &lines);
        format!("enum {} {{{body}}}\n", declared.name)
    }

    fn constant(&self, constant: &Constant, scope: &str) -> String {
        let options = self.bracketed(self.filtered(&constant.options, scope));
        format!("{} = {}{options};\n", constant.name, constant.number)
    }

    fn service(&self, service: &Service, scope: &str) -> String {
        let mut body = String::new();
        push_indented_group(&mut body, &self.option_statements(&service.options, scope));
        let rpcs: Vec<_> = service.rpcs.iter().map(|rpc| self.rpc(rpc, scope)).collect();
        push_indented_group(&mut body, &rpcs);
        format!("service {} {{{body}}}\n", service.name)
    }

    fn rpc(&self, rpc: &Rpc, scope: &str) -> String {
        let type_text = |rpc_type: &RpcType| {
            let stream = if rpc_type.is_stream { "stream " } else { "" };
            format!("{stream}{}", self.name(&rpc_type.name, scope))
        };
        let mut out = format!(
            "rpc {} ({}) returns ({})",
            rpc.name,
            type_text(&rpc.request),
            type_text(&rpc.response)
        );
        let options = self.option_statements(&rpc.options, scope);
        if !options.is_empty() {
            out.push_str(" {\n");
            options.iter().for_each(|option| push_indented(&mut out, option));
            out.push('}');
        }
        out.push_str(";\n");
        out
    }

    // Options.

    fn option_statements(&self, options: &[OptionEntry], scope: &str) -> Vec<String> {
        self.filtered(options, scope)
            .iter()
            .map(|option| format!("option {};\n", self.option(option)))
            .collect()
    }

    fn filtered(&self, options: &[OptionEntry], scope: &str) -> Vec<OptionEntry> {
        let mut options: Vec<_> = options
            .iter()
            .filter(|option| {
                self.has_extensions || !option.is_custom || option.name.starts_with("confluent")
            })
            .cloned()
            .collect();
        if let Some(types) = self.types {
            options = normalized_options(options, types, scope);
        }
        options
    }

    fn bracketed(&self, options: Vec<OptionEntry>) -> String {
        match options.as_slice() {
            [] => String::new(),
            [option] => format!(" [{}]", self.option(option)),
            options => {
                let items: Vec<_> = options.iter().map(|option| self.option(option)).collect();
                format!(" {}", lines_in_brackets(&items))
            }
        }
    }

    fn option(&self, option: &OptionEntry) -> String {
        let name =
            if option.is_custom { format!("({})", option.name) } else { option.name.clone() };
        match &option.value {
            OptionValue::Inner(inner) => format!("{name}.{}", self.option(inner)),
            OptionValue::List(items) if items.len() == 1 => {
                let items: Vec<_> = items.iter().map(|item| self.value(item)).collect();
                format!("{name} = [{}]", items.concat())
            }
            value => format!("{name} = {}", self.value(value)),
        }
    }

    fn value(&self, value: &OptionValue) -> String {
        match value {
            OptionValue::String(text) => format!("\"{}\"", escaped(text)),
            OptionValue::Number(digits) if self.is_normalizing() => normalized_number(digits),
            OptionValue::Number(word) | OptionValue::Word(word) => word.clone(),
            OptionValue::Inner(inner) => self.option(inner),
            OptionValue::List(items) if self.is_normalizing() && items.len() == 1 => {
                items.iter().map(|item| self.value(item)).collect()
            }
            OptionValue::List(items) => {
                let items: Vec<_> = items.iter().map(|item| self.value(item)).collect();
                lines_in_brackets(&items)
            }
            OptionValue::Map(entries) => {
                let mut entries: Vec<_> = entries.iter().collect();
                if self.is_normalizing() {
                    entries.retain(|(_, value)| *value != OptionValue::List(Vec::new()));
                    entries.sort_by(|(one, _), (two, _)| one.cmp(two));
                }
                let mut out = "{\n".to_owned();
                for (index, (key, value)) in entries.iter().enumerate() {
                    let comma = if index + 1 < entries.len() { "," } else { "" };
                    push_indented(&mut out, &format!("{key}: {}{comma}", self.value(value)));
                }
                out.push('}');
                out
            }
        }
    }
}

impl Reserved {
    /// What decides between entries that begin with the same number.
    fn sort_text(&self) -> String {
        match self {
            Self::Name(name) => name.clone(),
            Self::Number(number) => number.to_string(),
            Self::Range(start, end) => format!("{start}..{end}"),
        }
    }
}

/// Names resolved, inner options written as messages, sorted by name, and one
/// entry for a custom option that can occur only once.
fn normalized_options(
    options: Vec<OptionEntry>,
    types: &Types<'_>,
    scope: &str,
) -> Vec<OptionEntry> {
    let mut options: Vec<_> = options
        .into_iter()
        .map(|mut option| {
            if option.is_custom
                && let Some(name) = types.resolve_extension(&option.name, scope)
            {
                option.name = name;
                option.value = as_message(option.value, types, scope);
            }
            option
        })
        .collect();
    options.sort_by(|one, two| one.name.cmp(&two.name));
    let mut merged: Vec<OptionEntry> = Vec::new();
    for option in options {
        let extension = types.extension(&option.name).filter(|_| option.is_custom);
        match (merged.last_mut(), extension) {
            (Some(last), Some(extension)) if last.name == option.name && !extension.is_repeated => {
                let previous = std::mem::replace(&mut last.value, OptionValue::List(Vec::new()));
                let type_name = extension.field.value_type();
                last.value = merged_values(previous, option.value, types, type_name, &option.name);
            }
            _ => merged.push(option),
        }
    }
    merged
}

/// `(o).a = 1` as `(o) = { a: 1 }`.
fn as_message(value: OptionValue, types: &Types<'_>, scope: &str) -> OptionValue {
    match value {
        OptionValue::Inner(inner) => {
            let name = match types.resolve_extension(&inner.name, scope).filter(|_| inner.is_custom)
            {
                Some(name) => format!("[{name}]"),
                None if inner.is_custom => format!("[{}]", inner.name),
                None => inner.name,
            };
            let mut value = as_message(inner.value, types, scope);
            // Plain names with dots are steps into the message as well.
            let mut steps = name.split('.').rev().map(str::to_owned).collect::<Vec<_>>();
            if name.starts_with('[') {
                steps = vec![name];
            }
            for step in steps {
                value = OptionValue::Map(vec![(step, value)]);
            }
            value
        }
        OptionValue::Map(entries) => OptionValue::Map(
            entries
                .into_iter()
                .map(|(key, value)| {
                    let name = key.strip_prefix('[').and_then(|key| key.strip_suffix(']'));
                    let resolved = name.and_then(|name| types.resolve_extension(name, scope));
                    (
                        resolved.map_or(key, |name| format!("[{name}]")),
                        as_message(value, types, scope),
                    )
                })
                .collect(),
        ),
        OptionValue::List(items) => OptionValue::List(
            items.into_iter().map(|item| as_message(item, types, scope)).collect(),
        ),
        value => value,
    }
}

/// What two settings of one option mean together.
fn merged_values(
    first: OptionValue,
    second: OptionValue,
    types: &Types<'_>,
    type_name: &str,
    scope: &str,
) -> OptionValue {
    let (OptionValue::Map(mut entries), OptionValue::Map(more)) = (first, second.clone()) else {
        return second;
    };
    let message = types.message_of(type_name, scope);
    for (key, value) in more {
        let field = message.and_then(|message| {
            let in_oneofs = message.oneofs.iter().flat_map(|oneof| &oneof.fields);
            message.fields.iter().chain(in_oneofs).find(|field| field.name == key)
        });
        let is_single = field.is_some_and(|field| field.label != Some(Label::Repeated));
        match (entries.iter_mut().find(|(name, _)| *name == key), field) {
            (Some((_, existing)), Some(field)) if is_single => {
                let previous = std::mem::replace(existing, OptionValue::List(Vec::new()));
                *existing = merged_values(previous, value, types, field.value_type(), scope);
            }
            _ => add_to_map(&mut entries, key, value),
        }
    }
    OptionValue::Map(entries)
}

/// A number in one notation. A fraction of more than three digits is kept: the
/// reference rounds it.
fn normalized_number(digits: &str) -> String {
    let (sign, magnitude) = match digits.strip_prefix('-') {
        Some(magnitude) => ("-", magnitude),
        None => ("", digits),
    };
    if let Some(value) = integer(magnitude) {
        return format!("{}{value}", if value == 0 { "" } else { sign });
    }
    match magnitude.trim_end_matches(['f', 'F']).parse::<f64>() {
        Ok(value)
            if value.is_finite()
                && magnitude.starts_with(|first: char| first.is_ascii_digit() || first == '.') =>
        {
            format!("{sign}{value}")
        }
        _ => digits.to_owned(),
    }
}

fn escaped(text: &[u8]) -> String {
    let mut out = String::new();
    for chunk in text.utf8_chunks() {
        for char in chunk.valid().chars() {
            match char {
                '\u{7}' => out.push_str("\\a"),
                '\u{8}' => out.push_str("\\b"),
                '\u{c}' => out.push_str("\\f"),
                '\n' => out.push_str("\\n"),
                '\r' => out.push_str("\\r"),
                '\t' => out.push_str("\\t"),
                '\u{b}' => out.push_str("\\v"),
                '\\' => out.push_str("\\\\"),
                '\'' => out.push_str("\\'"),
                '"' => out.push_str("\\\""),
                '\0' => out.push_str("\\000"),
                char => out.push(char),
            }
        }
        for byte in chunk.invalid() {
            out.push_str(&format!("\\{byte:03o}"));
        }
    }
    out
}

fn lines_in_brackets(items: &[String]) -> String {
    let mut out = "[\n".to_owned();
    for (index, item) in items.iter().enumerate() {
        let comma = if index + 1 < items.len() { "," } else { "" };
        push_indented(&mut out, &format!("{item}{comma}"));
    }
    out.push(']');
    out
}

/// Groups of declarations have a blank line between them.
fn push_group(out: &mut String, declarations: &[String]) {
    if !declarations.is_empty() {
        out.push('\n');
        declarations.iter().for_each(|declaration| out.push_str(declaration));
    }
}

fn push_indented_group(out: &mut String, declarations: &[String]) {
    if !declarations.is_empty() {
        out.push('\n');
        declarations.iter().for_each(|declaration| push_indented(out, declaration));
    }
}

fn push_indented(out: &mut String, text: &str) {
    for line in text.trim_end_matches('\n').split('\n') {
        out.push_str("  ");
        out.push_str(line);
        out.push('\n');
    }
}

/// The same file with maps written as such and not as the messages that a
/// descriptor spells them as, which is what a compiler accepts.
pub(super) fn compilable(file: &File, types: &Types<'_>) -> File {
    let mut file = file.clone();
    let scope = file.package().to_owned();
    for message in &mut file.messages {
        restore_maps(message, types, &scope);
    }
    file
}

fn restore_maps(message: &mut Message, types: &Types<'_>, scope: &str) {
    let scope = join(scope, &message.name);
    for field in &mut message.fields {
        if let FieldType::Named(name) = &field.field_type
            && let Some((key, value)) = types.message_of(name, &scope).and_then(Message::map_entry)
        {
            field.label = None;
            field.field_type = FieldType::Map {
                key: key.value_type().to_owned(),
                value: value.value_type().to_owned(),
            };
        }
    }
    let entries: HashSet<String> = message
        .messages
        .iter()
        .filter(|nested| nested.map_entry().is_some())
        .map(|nested| nested.name.clone())
        .collect();
    message.messages.retain(|nested| !entries.contains(&nested.name));
    for nested in &mut message.messages {
        restore_maps(nested, types, &scope);
    }
}

#[cfg(test)]
mod tests {
    use crate::protobuf::ProtobufSchema;
    use crate::schema::{Strictness, TextFormat};

    fn parse(text: &str) -> ProtobufSchema {
        ProtobufSchema::parse(text, &[], Strictness::New)
            .unwrap_or_else(|error| panic!("{error}: {text}"))
    }

    /// Canonical and normalised text; both mean the same as the text itself,
    /// and are their own canonical and normalised text.
    fn check(text: &str, canonical: &str, normalized: &str) {
        let schema = parse(text);
        assert_eq!(schema.canonical_text(), canonical, "{text}");
        assert_eq!(schema.normalized_text(), normalized, "{text}");
        assert_eq!(parse(canonical).canonical_text(), canonical);
        assert_eq!(parse(normalized).normalized_text(), normalized);
    }

    #[test]
    fn texts_are_the_references() {
        check(
            "// c\nsyntax = \"proto3\";\npackage p.q;\nimport \"google/protobuf/timestamp.proto\";\nimport public \"google/protobuf/any.proto\";\noption java_package = \"x\"; option java_multiple_files=true;\n/* m */ message M { // t\n  string b = 2 [deprecated=true, json_name=\"BB\"]; int32 a=1; reserved 10 to 12, 9; reserved \"x\",\"y\"; repeated In l = 3; map<string,int64> mp = 4; oneof o { string s = 6; bool t = 5; } optional float f = 7; google.protobuf.Timestamp ts = 8; enum E { option allow_alias = true; Z=0; B=2; A=1; AA=1; } message In { E e = 1; } }\nenum Top { T0 = 0; }\nmessage Second {}\nservice S { rpc Do (M) returns (stream Second) { option deprecated = true; } }",
            "syntax = \"proto3\";\npackage p.q;\n\nimport \"google/protobuf/timestamp.proto\";\nimport public \"google/protobuf/any.proto\";\n\noption java_package = \"x\";\noption java_multiple_files = true;\n\nmessage M {\n  reserved 10 to 12, 9;\n  reserved \"x\", \"y\";\n\n  string b = 2 [\n    deprecated = true,\n    json_name = \"BB\"\n  ];\n  int32 a = 1;\n  repeated In l = 3;\n  map<string, int64> mp = 4;\n  optional float f = 7;\n  google.protobuf.Timestamp ts = 8;\n\n  oneof o {\n    string s = 6;\n    bool t = 5;\n  }\n\n  message In {\n    E e = 1;\n  }\n  enum E {\n    option allow_alias = true;\n    Z = 0;\n    B = 2;\n    A = 1;\n    AA = 1;\n  }\n}\nmessage Second {}\nenum Top {\n  T0 = 0;\n}\n\nservice S {\n  rpc Do (M) returns (stream Second) {\n    option deprecated = true;\n  };\n}\n",
            "syntax = \"proto3\";\npackage p.q;\n\nimport \"google/protobuf/timestamp.proto\";\nimport public \"google/protobuf/any.proto\";\n\noption java_multiple_files = true;\noption java_package = \"x\";\n\nmessage M {\n  reserved 9;\n  reserved 10 to 12;\n  reserved \"x\";\n  reserved \"y\";\n\n  int32 a = 1;\n  string b = 2 [\n    deprecated = true,\n    json_name = \"BB\"\n  ];\n  repeated .p.q.M.In l = 3;\n  map<string, int64> mp = 4;\n  optional float f = 7;\n  .google.protobuf.Timestamp ts = 8;\n\n  oneof o {\n    bool t = 5;\n    string s = 6;\n  }\n\n  message In {\n    .p.q.M.E e = 1;\n  }\n  enum E {\n    option allow_alias = true;\n    Z = 0;\n    A = 1;\n    AA = 1;\n    B = 2;\n  }\n}\nmessage Second {}\nenum Top {\n  T0 = 0;\n}\n\nservice S {\n  rpc Do (.p.q.M) returns (stream .p.q.Second) {\n    option deprecated = true;\n  };\n}\n",
        );
        check(
            "syntax = \"proto2\"; message P { required int32 a = 1; optional string s = 2 [default = \"x\\ny\"]; repeated int32 r = 3 [packed=true]; extensions 100 to 199; optional group G = 4 { optional int32 x = 1; } extend P { optional int32 e = 100; } }",
            "syntax = \"proto2\";\n\nmessage P {\n  required int32 a = 1;\n  optional string s = 2 [default = \"x\\ny\"];\n  repeated int32 r = 3 [packed = true];\n\n  optional group G = 4 {\n    optional int32 x = 1;\n  }\n\n  extensions 100 to 199;\n\n  extend P {\n    optional int32 e = 100;\n  }\n}\n",
            "\nmessage P {\n  required int32 a = 1;\n  optional string s = 2 [default = \"x\\ny\"];\n  repeated int32 r = 3 [packed = true];\n\n  optional group G = 4 {\n    optional int32 x = 1;\n  }\n\n  extensions 100 to 199;\n\n  extend .P {\n    optional int32 e = 100;\n  }\n}\n",
        );
        check(
            "message P { optional int32 a = 1; }",
            "\nmessage P {\n  optional int32 a = 1;\n}\n",
            "\nmessage P {\n  optional int32 a = 1;\n}\n",
        );
    }

    #[test]
    fn blank_lines_of_a_nested_message_are_indented() {
        let text = "message A { message B { message C {} optional C c = 1; } }";
        assert_eq!(
            parse(text).canonical_text(),
            "\nmessage A {\n  message B {\n    optional C c = 1;\n  \n    message C {}\n  }\n}\n"
        );
    }

    #[test]
    fn every_statement_has_a_text() {
        check(
            "syntax = \"proto2\"; import weak \"google/protobuf/any.proto\"; import \"google/protobuf/descriptor.proto\";\
             extend google.protobuf.FieldOptions { optional O o = 50000; optional double d = 50001; repeated string many = 50002; }\
             message O { optional int32 a = 1; optional O inner = 2; repeated int32 list = 3; optional string s = 4; }\
             message M { optional int32 x = 1 [(o) = { a: 1, inner < a: 0x10 >, list: [1, 2], s: 'it\\'s' \"\\x01\" }, (d) = -1.50]; \
             optional int32 y = 2 [(many) = 'b', (many) = 'a', default = -5]; optional bytes z = 3 [default = \"\\377a\"]; \
             optional double w = 4 [default = inf]; oneof q { int32 qq = 9; int32 qp = 6; } reserved 20 to max, 10 to 10; extensions 5, 7 to 8; }\
             enum E { option deprecated = true; reserved 50 to max, -3; reserved \"R\"; N = -1 [deprecated = true]; P = 0x10; }\
             service S { option deprecated = true; rpc A (stream M) returns (.O); }",
            "syntax = \"proto2\";\n\nimport \"google/protobuf/descriptor.proto\";\nimport weak \"google/protobuf/any.proto\";\n\nmessage O {\n  optional int32 a = 1;\n  optional O inner = 2;\n  repeated int32 list = 3;\n  optional string s = 4;\n}\nmessage M {\n  reserved 20 to max, 10 to 10;\n\n  optional int32 x = 1 [\n    (o) = {\n      a: 1,\n      inner: {\n        a: 0x10\n      },\n      list: [\n        1,\n        2\n      ],\n      s: \"it\\'s\u{1}\"\n    },\n    (d) = -1.50\n  ];\n  optional int32 y = 2 [\n    (many) = \"b\",\n    (many) = \"a\",\n    default = -5\n  ];\n  optional bytes z = 3 [default = \"\\377a\"];\n  optional double w = 4 [default = inf];\n\n  oneof q {\n    int32 qq = 9;\n    int32 qp = 6;\n  }\n\n  extensions 5, 7 to 8;\n}\nenum E {\n  reserved 50 to max, -3;\n  reserved \"R\";\n  option deprecated = true;\n  N = -1 [deprecated = true];\n  P = 16;\n}\n\nextend google.protobuf.FieldOptions {\n  optional O o = 50000;\n  optional double d = 50001;\n  repeated string many = 50002;\n}\n\nservice S {\n  option deprecated = true;\n\n  rpc A (stream M) returns (.O);\n}\n",
            "\nimport \"google/protobuf/descriptor.proto\";\nimport weak \"google/protobuf/any.proto\";\n\nmessage O {\n  optional int32 a = 1;\n  optional .O inner = 2;\n  repeated int32 list = 3;\n  optional string s = 4;\n}\nmessage M {\n  reserved 10;\n  reserved 20 to max;\n\n  optional int32 x = 1 [\n    (d) = -1.5,\n    (o) = {\n      a: 1,\n      inner: {\n        a: 16\n      },\n      list: [\n        1,\n        2\n      ],\n      s: \"it\\'s\u{1}\"\n    }\n  ];\n  optional int32 y = 2 [\n    default = -5,\n    (many) = \"b\",\n    (many) = \"a\"\n  ];\n  optional bytes z = 3 [default = \"\\377a\"];\n  optional double w = 4 [default = inf];\n\n  oneof q {\n    int32 qp = 6;\n    int32 qq = 9;\n  }\n\n  extensions 5;\n  extensions 7 to 8;\n}\nenum E {\n  reserved -3;\n  reserved 50 to max;\n  reserved \"R\";\n  option deprecated = true;\n  N = -1 [deprecated = true];\n  P = 16;\n}\n\nextend .google.protobuf.FieldOptions {\n  optional .O o = 50000;\n  optional double d = 50001;\n  repeated string many = 50002;\n}\n\nservice S {\n  option deprecated = true;\n\n  rpc A (stream .M) returns (.O);\n}\n",
        );
    }

    #[test]
    fn custom_options_can_be_left_out() {
        let schema = parse(
            "syntax = \"proto3\"; import \"google/protobuf/descriptor.proto\"; import \"confluent/meta.proto\"; \
             extend google.protobuf.FieldOptions { string own = 50000; } \
             message A { int32 a = 1 [(own) = \"x\", deprecated = true, (confluent.field_meta).doc = \"d\"]; }",
        );
        assert_eq!(
            schema.text(TextFormat::IgnoreExtensions),
            "syntax = \"proto3\";\n\nimport \"google/protobuf/descriptor.proto\";\nimport \"confluent/meta.proto\";\n\nmessage A {\n  int32 a = 1 [\n    deprecated = true,\n    (confluent.field_meta).doc = \"d\"\n  ];\n}\n"
        );
    }

    #[test]
    fn a_descriptor_is_read_and_written() {
        let base64 = "CgdkZWZhdWx0Ig4KAVASCQoBYRgBIAEoBQ==";
        let schema = parse(base64);
        assert_eq!(schema.canonical_text(), "\nmessage P {\n  optional int32 a = 1;\n}\n");
        assert_eq!(schema.text(TextFormat::Serialized), base64);
        assert_eq!(parse(&schema.canonical_text()).text(TextFormat::Serialized), base64);
    }
}
