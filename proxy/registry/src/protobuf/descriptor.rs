//! A `.proto` file from its descriptor, which is how some clients send it.

use prost_reflect::prost_types::field_descriptor_proto::{Label as ProtoLabel, Type};
use prost_reflect::prost_types::{
    DescriptorProto, EnumDescriptorProto, FieldDescriptorProto, FileDescriptorProto,
    ServiceDescriptorProto,
};
use prost_reflect::{
    DescriptorPool, DynamicMessage, EnumDescriptor, FileDescriptor, Kind, MessageDescriptor, Value,
};

use super::parser::MAX_FIELD_NUMBER;
use super::syntax::{
    Constant, Enum, Extend, Extensions, Field, FieldType, File, Group, Import, ImportKind, Label,
    Message, OneOf, OptionEntry, OptionValue, Reserved, Rpc, RpcType, Service, Syntax,
};

/// The file without its options.
pub(super) fn file_of(descriptor: &FileDescriptorProto) -> File {
    let is_proto3 = descriptor.syntax() == "proto3";
    let is_in =
        |list: &[i32], index: usize| i32::try_from(index).is_ok_and(|index| list.contains(&index));
    File {
        syntax: match descriptor.syntax() {
            "proto2" => Some(Syntax::Proto2),
            "proto3" => Some(Syntax::Proto3),
            _ => None,
        },
        package: descriptor.package.clone().filter(|package| !package.is_empty()),
        imports: descriptor
            .dependency
            .iter()
            .enumerate()
            .map(|(index, path)| Import {
                path: path.clone(),
                kind: if is_in(&descriptor.public_dependency, index) {
                    ImportKind::Public
                } else if is_in(&descriptor.weak_dependency, index) {
                    ImportKind::Weak
                } else {
                    ImportKind::Plain
                },
            })
            .collect(),
        options: Vec::new(),
        messages: descriptor
            .message_type
            .iter()
            .map(|message| message_of(message, is_proto3))
            .collect(),
        enums: descriptor.enum_type.iter().map(enum_of).collect(),
        extends: extends_of(&descriptor.extension, is_proto3),
        services: descriptor.service.iter().map(service_of).collect(),
    }
}

/// The file with its options, if everything it imports is in `pool`.
pub(super) fn file_with_options(
    mut pool: DescriptorPool,
    bytes: &[u8],
    name: &str,
) -> Option<File> {
    pool.decode_file_descriptor_proto(bytes).ok()?;
    let descriptor = pool.get_file_by_name(name)?;
    let mut file = file_of(descriptor.file_descriptor_proto());
    add_options(&mut file, &descriptor);
    Some(file)
}

fn message_of(descriptor: &DescriptorProto, is_proto3: bool) -> Message {
    let is_map_entry = descriptor.options.as_ref().is_some_and(|options| options.map_entry());
    let mut message = Message {
        name: descriptor.name().to_owned(),
        extends: extends_of(&descriptor.extension, is_proto3),
        enums: descriptor.enum_type.iter().map(enum_of).collect(),
        ..Message::default()
    };
    if is_map_entry {
        message.options.push(OptionEntry {
            name: "map_entry".to_owned(),
            is_custom: false,
            value: OptionValue::Word("true".to_owned()),
        });
    }
    let ranges =
        descriptor.reserved_range.iter().map(|range| range_of(range.start(), range.end() - 1));
    let names = descriptor.reserved_name.iter().map(|name| Reserved::Name(name.clone()));
    for items in [ranges.collect::<Vec<_>>(), names.collect()] {
        if !items.is_empty() {
            message.reserved.push(items);
        }
    }
    for range in &descriptor.extension_range {
        let ranges = vec![range_of(range.start(), range.end() - 1)];
        message.extensions.push(Extensions { ranges, options: Vec::new() });
    }
    let mut groups = Vec::new();
    message.oneofs = descriptor
        .oneof_decl
        .iter()
        .map(|oneof| OneOf {
            name: oneof.name().to_owned(),
            options: Vec::new(),
            fields: Vec::new(),
            groups: Vec::new(),
        })
        .collect();
    for field in &descriptor.field {
        let oneof = field
            .oneof_index
            .filter(|_| !field.proto3_optional())
            .and_then(|index| message.oneofs.get_mut(usize::try_from(index).ok()?));
        if field.r#type() == Type::Group {
            let name = field.type_name().rsplit('.').next().unwrap_or_default();
            let Some(body) = descriptor.nested_type.iter().find(|nested| nested.name() == name)
            else {
                continue;
            };
            groups.push(name.to_owned());
            let label = oneof.is_none().then(|| label_of(field, is_proto3)).flatten();
            let body = message_of(body, is_proto3);
            let group = Group { label, number: field.number(), options: Vec::new(), body };
            match oneof {
                Some(oneof) => oneof.groups.push(group),
                None => message.groups.push(group),
            }
            continue;
        }
        let mut field_of = field_of(field, is_proto3);
        match oneof {
            Some(oneof) => {
                field_of.label = None;
                oneof.fields.push(field_of);
            }
            None => message.fields.push(field_of),
        }
    }
    // The oneof of a proto3 `optional` is none.
    message.oneofs.retain(|oneof| !oneof.fields.is_empty() || !oneof.groups.is_empty());
    message.messages = descriptor
        .nested_type
        .iter()
        .filter(|nested| !groups.iter().any(|group| group == nested.name()))
        .map(|nested| message_of(nested, is_proto3))
        .collect();
    message
}

fn range_of(start: i32, last: i32) -> Reserved {
    if start == last {
        Reserved::Number(start)
    } else {
        Reserved::Range(start, last.min(MAX_FIELD_NUMBER))
    }
}

fn label_of(field: &FieldDescriptorProto, is_proto3: bool) -> Option<Label> {
    match field.label() {
        ProtoLabel::Required => Some(Label::Required),
        ProtoLabel::Repeated => Some(Label::Repeated),
        ProtoLabel::Optional if is_proto3 && !field.proto3_optional() => None,
        ProtoLabel::Optional => Some(Label::Optional),
    }
}

fn field_of(field: &FieldDescriptorProto, is_proto3: bool) -> Field {
    let type_name = match field.r#type {
        Some(_) if field.type_name.is_none() => scalar_name(field.r#type()).to_owned(),
        _ => field.type_name().to_owned(),
    };
    let default = field.default_value.as_ref().map(|text| match field.r#type() {
        Type::String => OptionValue::String(text.clone().into_bytes()),
        // Bytes are written with the escapes of C.
        Type::Bytes => OptionValue::String(super::parser::unescaped(text)),
        Type::Bool | Type::Enum => OptionValue::Word(text.clone()),
        _ => OptionValue::Number(text.clone()),
    });
    let json_name = field.json_name.as_ref().filter(|name| **name != json_name_of(field.name()));
    Field {
        label: label_of(field, is_proto3),
        field_type: FieldType::Named(type_name),
        name: field.name().to_owned(),
        number: field.number(),
        options: Vec::new(),
        default,
        json_name: json_name.map(|name| OptionValue::String(name.clone().into_bytes())),
    }
}

/// The name that a field has in JSON unless it says otherwise.
pub(super) fn json_name_of(name: &str) -> String {
    let mut json_name = String::new();
    let mut is_upper = false;
    for char in name.chars() {
        if char == '_' {
            is_upper = true;
        } else {
            json_name.push(if is_upper { char.to_ascii_uppercase() } else { char });
            is_upper = false;
        }
    }
    json_name
}

fn scalar_name(scalar: Type) -> &'static str {
    match scalar {
        Type::Double => "double",
        Type::Float => "float",
        Type::Int64 => "int64",
        Type::Uint64 => "uint64",
        Type::Int32 => "int32",
        Type::Fixed64 => "fixed64",
        Type::Fixed32 => "fixed32",
        Type::Bool => "bool",
        Type::String => "string",
        Type::Bytes => "bytes",
        Type::Uint32 => "uint32",
        Type::Sfixed32 => "sfixed32",
        Type::Sfixed64 => "sfixed64",
        Type::Sint32 => "sint32",
        Type::Sint64 => "sint64",
        Type::Group | Type::Message | Type::Enum => "",
    }
}

fn enum_of(descriptor: &EnumDescriptorProto) -> Enum {
    let ranges = descriptor.reserved_range.iter().map(|range| match (range.start(), range.end()) {
        (start, end) if start == end => Reserved::Number(start),
        (start, end) => Reserved::Range(start, end),
    });
    let names = descriptor.reserved_name.iter().map(|name| Reserved::Name(name.clone()));
    Enum {
        name: descriptor.name().to_owned(),
        reserved: [ranges.collect::<Vec<_>>(), names.collect()]
            .into_iter()
            .filter(|items| !items.is_empty())
            .collect(),
        options: Vec::new(),
        constants: descriptor
            .value
            .iter()
            .map(|value| Constant {
                name: value.name().to_owned(),
                number: value.number(),
                options: Vec::new(),
            })
            .collect(),
    }
}

fn extends_of(fields: &[FieldDescriptorProto], is_proto3: bool) -> Vec<Extend> {
    let mut extends: Vec<Extend> = Vec::new();
    for field in fields {
        let name = field.extendee();
        let converted = field_of(field, is_proto3);
        match extends.last_mut() {
            Some(last) if last.name == name => last.fields.push(converted),
            _ => extends.push(Extend {
                name: name.to_owned(),
                fields: vec![converted],
                groups: Vec::new(),
            }),
        }
    }
    extends
}

fn service_of(descriptor: &ServiceDescriptorProto) -> Service {
    let rpc_type = |name: &str, is_stream| RpcType { name: name.to_owned(), is_stream };
    Service {
        name: descriptor.name().to_owned(),
        options: Vec::new(),
        rpcs: descriptor
            .method
            .iter()
            .map(|method| Rpc {
                name: method.name().to_owned(),
                request: rpc_type(method.input_type(), method.client_streaming()),
                response: rpc_type(method.output_type(), method.server_streaming()),
                options: Vec::new(),
            })
            .collect(),
    }
}

fn add_options(file: &mut File, descriptor: &FileDescriptor) {
    file.options = options_of(&descriptor.options());
    for (message, descriptor) in file.messages.iter_mut().zip(descriptor.messages()) {
        add_message_options(message, &descriptor);
    }
    for (declared, descriptor) in file.enums.iter_mut().zip(descriptor.enums()) {
        add_enum_options(declared, &descriptor);
    }
    let extensions: Vec<_> = descriptor.extensions().collect();
    let fields = file.extends.iter_mut().flat_map(|extend| &mut extend.fields);
    for (field, descriptor) in fields.zip(extensions) {
        field.options = options_of(&descriptor.options());
    }
    for (service, descriptor) in file.services.iter_mut().zip(descriptor.services()) {
        service.options = options_of(&descriptor.options());
        for (rpc, descriptor) in service.rpcs.iter_mut().zip(descriptor.methods()) {
            rpc.options = options_of(&descriptor.options());
        }
    }
}

fn add_message_options(message: &mut Message, descriptor: &MessageDescriptor) {
    message.options = options_of(&descriptor.options());
    let in_oneofs = message.oneofs.iter_mut().flat_map(|oneof| &mut oneof.fields);
    for field in message.fields.iter_mut().chain(in_oneofs) {
        let number = u32::try_from(field.number).unwrap_or_default();
        if let Some(descriptor) = descriptor.get_field(number) {
            field.options = options_of(&descriptor.options());
        }
    }
    for oneof in &mut message.oneofs {
        if let Some(descriptor) = descriptor.oneofs().find(|other| other.name() == oneof.name) {
            oneof.options = options_of(&descriptor.options());
        }
    }
    for nested in &mut message.messages {
        if let Some(descriptor) =
            descriptor.child_messages().find(|other| other.name() == nested.name)
        {
            add_message_options(nested, &descriptor);
        }
    }
    for nested in &mut message.enums {
        if let Some(descriptor) = descriptor.child_enums().find(|other| other.name() == nested.name)
        {
            add_enum_options(nested, &descriptor);
        }
    }
}

fn add_enum_options(declared: &mut Enum, descriptor: &EnumDescriptor) {
    declared.options = options_of(&descriptor.options());
    for constant in &mut declared.constants {
        if let Some(descriptor) = descriptor.values().find(|other| other.name() == constant.name) {
            constant.options = options_of(&descriptor.options());
        }
    }
}

/// A message of options as entries; a repeated one has an entry per value.
fn options_of(options: &DynamicMessage) -> Vec<OptionEntry> {
    let plain = options
        .fields()
        .filter(|(field, _)| field.name() != "uninterpreted_option")
        .flat_map(|(field, value)| entries_of(field.name(), false, &field.kind(), value));
    let custom = options.extensions().flat_map(|(extension, value)| {
        entries_of(extension.full_name(), true, &extension.kind(), value)
    });
    plain.chain(custom).collect()
}

fn entries_of(name: &str, is_custom: bool, kind: &Kind, value: &Value) -> Vec<OptionEntry> {
    let values = match value {
        Value::List(values) => values.iter().map(|value| value_of(kind, value)).collect(),
        value => vec![value_of(kind, value)],
    };
    values
        .into_iter()
        .map(|value| OptionEntry { name: name.to_owned(), is_custom, value })
        .collect()
}

fn value_of(kind: &Kind, value: &Value) -> OptionValue {
    let float = |value: f64, text: String| match value {
        value if value.is_nan() => OptionValue::Word("nan".to_owned()),
        value if value == f64::INFINITY => OptionValue::Word("inf".to_owned()),
        value if value == f64::NEG_INFINITY => OptionValue::Number("-inf".to_owned()),
        _ => OptionValue::Number(text),
    };
    match value {
        Value::Bool(value) => OptionValue::Word(value.to_string()),
        Value::I32(value) => OptionValue::Number(value.to_string()),
        Value::I64(value) => OptionValue::Number(value.to_string()),
        Value::U32(value) => OptionValue::Number(value.to_string()),
        Value::U64(value) => OptionValue::Number(value.to_string()),
        Value::F32(value) => float(f64::from(*value), value.to_string()),
        Value::F64(value) => float(*value, value.to_string()),
        Value::String(text) => OptionValue::String(text.clone().into_bytes()),
        Value::Bytes(bytes) => OptionValue::String(bytes.to_vec()),
        Value::EnumNumber(number) => {
            let name = match kind {
                Kind::Enum(declared) => {
                    declared.get_value(*number).map(|value| value.name().to_owned())
                }
                _ => None,
            };
            name.map_or_else(|| OptionValue::Number(number.to_string()), OptionValue::Word)
        }
        Value::Message(message) => OptionValue::Map(message_entries(message)),
        Value::List(values) => {
            OptionValue::List(values.iter().map(|value| value_of(kind, value)).collect())
        }
        Value::Map(entries) => {
            let Kind::Message(entry) = kind else { return OptionValue::List(Vec::new()) };
            let (key_kind, value_kind) =
                (entry.map_entry_key_field().kind(), entry.map_entry_value_field().kind());
            let mut entries: Vec<_> = entries.iter().collect();
            entries.sort_by_key(|(key, _)| format!("{key:?}"));
            OptionValue::List(
                entries
                    .into_iter()
                    .map(|(key, value)| {
                        OptionValue::Map(vec![
                            ("key".to_owned(), value_of(&key_kind, &Value::from(key.clone()))),
                            ("value".to_owned(), value_of(&value_kind, value)),
                        ])
                    })
                    .collect(),
            )
        }
    }
}

fn message_entries(message: &DynamicMessage) -> Vec<(String, OptionValue)> {
    let plain = message
        .fields()
        .map(|(field, value)| (field.name().to_owned(), value_of(&field.kind(), value)));
    let custom = message.extensions().map(|(extension, value)| {
        (format!("[{}]", extension.full_name()), value_of(&extension.kind(), value))
    });
    plain.chain(custom).collect()
}
