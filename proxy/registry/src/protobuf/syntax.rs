//! A `.proto` file as its author wrote it: names unresolved, statements in
//! their order, comments and formatting dropped.
//!
//! Descriptors do not keep that (they resolve names, merge `reserved`
//! statements and refuse files with mistakes), and the identity of a schema is
//! its text.

#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct File {
    pub(super) syntax: Option<Syntax>,
    pub(super) package: Option<String>,
    pub(super) imports: Vec<Import>,
    pub(super) options: Vec<OptionEntry>,
    pub(super) messages: Vec<Message>,
    pub(super) enums: Vec<Enum>,
    pub(super) extends: Vec<Extend>,
    pub(super) services: Vec<Service>,
}

impl File {
    /// A file that names no syntax is proto2.
    pub(super) fn is_proto3(&self) -> bool {
        self.syntax == Some(Syntax::Proto3)
    }

    pub(super) fn package(&self) -> &str {
        self.package.as_deref().unwrap_or_default()
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Syntax {
    Proto2,
    Proto3,
}

impl Syntax {
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Proto2 => "proto2",
            Self::Proto3 => "proto3",
        }
    }
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Import {
    pub(super) path: String,
    pub(super) kind: ImportKind,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum ImportKind {
    Plain,
    Weak,
    Public,
}

#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Message {
    pub(super) name: String,
    /// One entry for each statement.
    pub(super) reserved: Vec<Vec<Reserved>>,
    pub(super) options: Vec<OptionEntry>,
    pub(super) fields: Vec<Field>,
    pub(super) oneofs: Vec<OneOf>,
    pub(super) groups: Vec<Group>,
    pub(super) extensions: Vec<Extensions>,
    pub(super) extends: Vec<Extend>,
    pub(super) messages: Vec<Message>,
    pub(super) enums: Vec<Enum>,
}

impl Message {
    /// The message that stands for an entry of a map; only descriptors
    /// spell it out.
    pub(super) fn map_entry(&self) -> Option<(&Field, &Field)> {
        let is_entry = self.options.iter().any(|option| {
            option.name == "map_entry" && option.value == OptionValue::Word("true".to_owned())
        });
        let field = |name| self.fields.iter().find(|field| field.name == name);
        if is_entry { field("key").zip(field("value")) } else { None }
    }
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Reserved {
    Name(String),
    Number(i32),
    /// Both ends included.
    Range(i32, i32),
}

#[derive(Debug, Clone, PartialEq)]
pub(super) struct Extensions {
    pub(super) ranges: Vec<Reserved>,
    pub(super) options: Vec<OptionEntry>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Label {
    Optional,
    Required,
    Repeated,
}

impl Label {
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Optional => "optional",
            Self::Required => "required",
            Self::Repeated => "repeated",
        }
    }
}

#[derive(Debug, Clone, PartialEq)]
pub(super) struct Field {
    pub(super) label: Option<Label>,
    pub(super) field_type: FieldType,
    pub(super) name: String,
    pub(super) number: i32,
    /// Without `default` and `json_name`, which are none.
    pub(super) options: Vec<OptionEntry>,
    pub(super) default: Option<OptionValue>,
    pub(super) json_name: Option<OptionValue>,
}

impl Field {
    /// The type that has to be declared somewhere: a map's is its value's.
    pub(super) fn value_type(&self) -> &str {
        match &self.field_type {
            FieldType::Named(name) => name,
            FieldType::Map { value, .. } => value,
        }
    }
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum FieldType {
    /// A scalar, or the name of a message or an enum as it is written.
    Named(String),
    Map {
        key: String,
        value: String,
    },
}

#[derive(Debug, Clone, PartialEq)]
pub(super) struct OneOf {
    pub(super) name: String,
    pub(super) options: Vec<OptionEntry>,
    pub(super) fields: Vec<Field>,
    pub(super) groups: Vec<Group>,
}

#[derive(Debug, Clone, PartialEq)]
pub(super) struct Group {
    pub(super) label: Option<Label>,
    pub(super) number: i32,
    pub(super) options: Vec<OptionEntry>,
    pub(super) body: Message,
}

#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Enum {
    pub(super) name: String,
    pub(super) reserved: Vec<Vec<Reserved>>,
    pub(super) options: Vec<OptionEntry>,
    pub(super) constants: Vec<Constant>,
}

#[derive(Debug, Clone, PartialEq)]
pub(super) struct Constant {
    pub(super) name: String,
    pub(super) number: i32,
    pub(super) options: Vec<OptionEntry>,
}

#[derive(Debug, Clone, PartialEq)]
pub(super) struct Extend {
    pub(super) name: String,
    pub(super) fields: Vec<Field>,
    pub(super) groups: Vec<Group>,
}

#[derive(Debug, Clone, PartialEq)]
pub(super) struct Service {
    pub(super) name: String,
    pub(super) options: Vec<OptionEntry>,
    pub(super) rpcs: Vec<Rpc>,
}

#[derive(Debug, Clone, PartialEq)]
pub(super) struct Rpc {
    pub(super) name: String,
    pub(super) request: RpcType,
    pub(super) response: RpcType,
    pub(super) options: Vec<OptionEntry>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct RpcType {
    pub(super) name: String,
    pub(super) is_stream: bool,
}

#[derive(Debug, Clone, PartialEq)]
pub(super) struct OptionEntry {
    pub(super) name: String,
    /// `(name)`: a custom option.
    pub(super) is_custom: bool,
    pub(super) value: OptionValue,
}

#[derive(Debug, Clone, PartialEq)]
pub(super) enum OptionValue {
    /// The bytes of a string, which need not be UTF-8.
    String(Vec<u8>),
    /// As it is written.
    Number(String),
    /// `true`, `false`, `inf` or the name of an enum's constant.
    Word(String),
    /// A message in text format; the same name twice is one list.
    Map(Vec<(String, OptionValue)>),
    List(Vec<OptionValue>),
    /// `(name).inner = value`.
    Inner(Box<OptionEntry>),
}

pub(super) const SCALARS: [&str; 15] = [
    "double", "float", "int32", "int64", "uint32", "uint64", "sint32", "sint64", "fixed32",
    "fixed64", "sfixed32", "sfixed64", "bool", "string", "bytes",
];

pub(super) fn is_scalar(name: &str) -> bool {
    SCALARS.contains(&name)
}
