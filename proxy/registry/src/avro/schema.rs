//! The model of a schema, which keeps all that its text says.
//!
//! Named types live once in a table; everything else refers to them by their
//! place in it, so that recursion costs nothing and two uses of a type are
//! the same one.

use std::ops::Range;

use crate::lossless_json::Json;

/// The place of a named type in [`Types`].
pub(super) type NamedId = usize;

/// A schema where it is used.
#[derive(Debug, Clone)]
pub(super) enum Type {
    Primitive { primitive: Primitive, attributes: Attributes },
    Array { items: Box<Type>, attributes: Attributes },
    Map { values: Box<Type>, attributes: Attributes },
    Union(Vec<Type>),
    Named(NamedId),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Primitive {
    Null,
    Boolean,
    Int,
    Long,
    Float,
    Double,
    Bytes,
    String,
}

impl Primitive {
    const ALL: [Self; 8] = [
        Self::Null,
        Self::Boolean,
        Self::Int,
        Self::Long,
        Self::Float,
        Self::Double,
        Self::Bytes,
        Self::String,
    ];

    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Null => "null",
            Self::Boolean => "boolean",
            Self::Int => "int",
            Self::Long => "long",
            Self::Float => "float",
            Self::Double => "double",
            Self::Bytes => "bytes",
            Self::String => "string",
        }
    }

    pub(super) fn of_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|primitive| primitive.name() == name)
    }
}

/// Whether `name` is a word of the language, which in its namespace a name
/// can only be told from when it is written in full.
pub(super) fn is_type_word(name: &str) -> bool {
    Primitive::of_name(name).is_some()
        || matches!(name, "record" | "enum" | "array" | "map" | "union" | "fixed")
}

/// Members that have no meaning for Avro, in the order of the text:
/// `logicalType` and its parameters are among them.
pub(super) type Attributes = Vec<(String, Json)>;

/// A full name. The namespace is never empty.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct Name {
    pub(super) namespace: Option<String>,
    pub(super) simple: String,
}

impl Name {
    /// A dotted `name` carries its own namespace.
    pub(super) fn new(name: &str, namespace: Option<&str>) -> Self {
        let (namespace, simple) = match name.rsplit_once('.') {
            Some((namespace, simple)) => (Some(namespace), simple),
            None => (namespace, name),
        };
        Self {
            namespace: namespace.filter(|namespace| !namespace.is_empty()).map(str::to_owned),
            simple: simple.to_owned(),
        }
    }

    pub(super) fn full(&self) -> String {
        match &self.namespace {
            Some(namespace) => format!("{namespace}.{}", self.simple),
            None => self.simple.clone(),
        }
    }
}

/// A record, an enum or a fixed.
#[derive(Debug, Clone)]
pub(super) struct Named {
    pub(super) name: Name,
    /// [`Name::full`], kept because every value in a union shows it.
    pub(super) full_name: String,
    pub(super) aliases: Vec<Name>,
    pub(super) doc: Option<String>,
    pub(super) attributes: Attributes,
    pub(super) definition: Definition,
}

impl Named {
    /// A type of which nothing but the name is known.
    pub(super) fn undefined(name: Name) -> Self {
        Self {
            full_name: name.full(),
            name,
            aliases: Vec::new(),
            doc: None,
            attributes: Attributes::new(),
            definition: Definition::Fixed { size: 0 },
        }
    }
}

#[derive(Debug, Clone)]
pub(super) enum Definition {
    Record { fields: Vec<Field>, is_error: bool },
    Enum { symbols: Vec<String>, default: Option<String> },
    Fixed { size: usize },
}

#[derive(Debug, Clone)]
pub(super) struct Field {
    pub(super) name: String,
    pub(super) aliases: Vec<String>,
    pub(super) doc: Option<String>,
    pub(super) default: Option<Json>,
    pub(super) order: Order,
    pub(super) schema: Type,
    pub(super) attributes: Attributes,
}

/// How a field takes part in the order of records.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Order {
    Ascending,
    Descending,
    Ignore,
}

impl Order {
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Ascending => "ascending",
            Self::Descending => "descending",
            Self::Ignore => "ignore",
        }
    }

    pub(super) fn of_name(name: &str) -> Option<Self> {
        [Self::Ascending, Self::Descending, Self::Ignore]
            .into_iter()
            .find(|order| order.name().eq_ignore_ascii_case(name))
    }
}

/// The named types that a schema defines or refers to, those of its
/// references first.
#[derive(Debug, Clone, Default)]
pub(super) struct Types {
    types: Vec<Named>,
    /// How many of them come from references.
    referenced: usize,
}

impl Types {
    pub(super) fn get(&self, id: NamedId) -> &Named {
        self.types.get(id).expect("ids are places in this table")
    }

    pub(super) fn get_mut(&mut self, id: NamedId) -> Option<&mut Named> {
        self.types.get_mut(id)
    }

    pub(super) fn len(&self) -> usize {
        self.types.len()
    }

    pub(super) fn push(&mut self, named: Named) -> NamedId {
        self.types.push(named);
        self.types.len() - 1
    }

    pub(super) fn replace(&mut self, id: NamedId, named: Named) {
        if let Some(place) = self.types.get_mut(id) {
            *place = named;
        }
    }

    /// All types so far come from references.
    pub(super) fn end_references(&mut self) {
        self.referenced = self.types.len();
    }

    pub(super) fn is_referenced(&self, id: NamedId) -> bool {
        id < self.referenced
    }

    /// The types that the schema itself defines.
    pub(super) fn own(&self) -> Range<NamedId> {
        self.referenced..self.types.len()
    }

    /// The name of a type's kind, as in the text of a schema.
    pub(super) fn kind(&self, schema: &Type) -> &'static str {
        match schema {
            Type::Primitive { primitive, .. } => primitive.name(),
            Type::Array { .. } => "array",
            Type::Map { .. } => "map",
            Type::Union(_) => "union",
            Type::Named(id) => match self.get(*id).definition {
                Definition::Record { .. } => "record",
                Definition::Enum { .. } => "enum",
                Definition::Fixed { .. } => "fixed",
            },
        }
    }

    /// The name of a branch of a union, in JSON and against repetition.
    pub(super) fn branch_name<'a>(&'a self, schema: &'a Type) -> &'a str {
        match schema {
            Type::Named(id) => &self.get(*id).full_name,
            _ => self.kind(schema),
        }
    }
}
