//! Can messages written under one schema be read under another? Confluent's
//! rules for Protobuf, as a list of differences with a kind and a path.
//!
//! Fields are compared by number, wherever in the message they stand; messages
//! and enums by name. Messages of imports are compared where a field uses them.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use super::syntax::{Enum, Field, FieldType, File, Label, Message, is_scalar};
use super::types::{Declaration, Type, Types, join};
use crate::schema::Incompatibility;

/// How deep messages of imports may use each other before two of them count
/// as different.
const MAX_DEPTH: usize = 100;
/// How many differences are kept; an incompatible one always is, if there is
/// any.
const MAX_DIFFERENCES: usize = 10_000;

macro_rules! kinds {
    ($($name:ident = $text:literal, $compatible:literal;)*) => {
        /// What differs.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        pub(super) enum Difference {
            $($name,)*
        }

        impl Difference {
            /// The `errorType`.
            pub(super) fn name(self) -> &'static str {
                match self {
                    $(Self::$name => $text,)*
                }
            }

            /// All kinds.
            #[cfg(test)]
            pub(super) const ALL: &[Self] = &[$(Self::$name,)*];

            /// Whether old messages stay readable.
            fn is_compatible(self) -> bool {
                match self {
                    $(Self::$name => $compatible,)*
                }
            }
        }
    };
}

kinds! {
    PackageChanged = "PACKAGE_CHANGED", false;
    MessageAdded = "MESSAGE_ADDED", true;
    MessageRemoved = "MESSAGE_REMOVED", false;
    MessageMoved = "MESSAGE_MOVED", true;
    EnumAdded = "ENUM_ADDED", true;
    EnumRemoved = "ENUM_REMOVED", true;
    EnumConstAdded = "ENUM_CONST_ADDED", true;
    EnumConstChanged = "ENUM_CONST_CHANGED", true;
    EnumConstRemoved = "ENUM_CONST_REMOVED", true;
    FieldAdded = "FIELD_ADDED", true;
    FieldRemoved = "FIELD_REMOVED", true;
    FieldNameChanged = "FIELD_NAME_CHANGED", true;
    FieldKindChanged = "FIELD_KIND_CHANGED", false;
    FieldScalarKindChanged = "FIELD_SCALAR_KIND_CHANGED", false;
    FieldNamedTypeChanged = "FIELD_NAMED_TYPE_CHANGED", false;
    FieldNumericLabelChanged = "FIELD_NUMERIC_LABEL_CHANGED", false;
    FieldStringOrBytesLabelChanged = "FIELD_STRING_OR_BYTES_LABEL_CHANGED", true;
    RequiredFieldAdded = "REQUIRED_FIELD_ADDED", false;
    RequiredFieldRemoved = "REQUIRED_FIELD_REMOVED", false;
    OneofAdded = "ONEOF_ADDED", true;
    OneofRemoved = "ONEOF_REMOVED", true;
    OneofFieldAdded = "ONEOF_FIELD_ADDED", true;
    OneofFieldRemoved = "ONEOF_FIELD_REMOVED", false;
    OneofFieldMovedToTopLevel = "ONEOF_FIELD_MOVED_TO_TOP_LEVEL", true;
    MultipleFieldsMovedToOneof = "MULTIPLE_FIELDS_MOVED_TO_ONEOF", false;
    FieldMovedToExistingOneof = "FIELD_MOVED_TO_EXISTING_ONEOF", false;
}

impl Difference {
    /// What to tell the author of the new schema.
    fn description(self, path: &str) -> String {
        let what = match self {
            Self::PackageChanged => "the package of the new schema is not the old schema's",
            Self::MessageRemoved => "the new schema lacks a message of the old schema",
            Self::FieldKindChanged => {
                "one schema has a scalar, a message or a map where the other has none"
            }
            Self::FieldScalarKindChanged => {
                "the scalar type in the new schema is not encoded like the old schema's"
            }
            Self::FieldNamedTypeChanged => {
                "the message type in the new schema is not the old schema's"
            }
            Self::FieldNumericLabelChanged => {
                "the label of a number in the new schema is not the old schema's"
            }
            Self::RequiredFieldAdded => {
                "the new schema has a required field which the old schema lacks"
            }
            Self::RequiredFieldRemoved => "the new schema lacks a required field of the old schema",
            Self::OneofFieldRemoved => "the new schema lacks a field of a oneof of the old schema",
            Self::MultipleFieldsMovedToOneof => {
                "several fields are in one oneof in the new schema and independent in the old \
                 schema"
            }
            Self::FieldMovedToExistingOneof => {
                "a field is in a oneof in the new schema with fields that the old schema keeps \
                 apart from it"
            }
            _ => "the new schema differs from the old schema in a compatible way",
        };
        format!("At path '{path}' {what}")
    }
}

/// A file and the files of its imports, by which names are resolved.
pub(super) struct Side<'a> {
    pub(super) file: &'a File,
    pub(super) types: &'a Types<'a>,
}

/// Why `new` cannot read what was written under `old`.
pub(super) fn incompatibilities(new: &Side<'_>, old: &Side<'_>) -> Vec<Incompatibility> {
    differences(old, new)
        .into_iter()
        .filter(|(difference, _)| !difference.is_compatible())
        .map(|(difference, path)| Incompatibility {
            kind: difference.name(),
            description: difference.description(&path),
            path,
            additional_info: None,
        })
        .collect()
}

/// All differences, compatible ones too.
pub(super) fn differences(old: &Side<'_>, new: &Side<'_>) -> Vec<(Difference, String)> {
    let mut comparison = Comparison {
        old: old.types,
        new: new.types,
        found: Vec::new(),
        is_incompatible: false,
        imported: HashMap::new(),
        depth: 0,
    };
    let mut place = Place {
        path: Vec::new(),
        old_scope: old.file.package().to_owned(),
        new_scope: new.file.package().to_owned(),
    };
    if old.file.package != new.file.package {
        comparison.add(&place, Difference::PackageChanged);
    }
    comparison.compare_types(
        &mut place,
        Declarations { messages: &old.file.messages, enums: &old.file.enums },
        Declarations { messages: &new.file.messages, enums: &new.file.enums },
    );
    comparison.found
}

/// Where the comparison is: what is shown, and how names are looked up.
#[derive(Debug)]
struct Place {
    path: Vec<String>,
    old_scope: String,
    new_scope: String,
}

impl Place {
    /// Runs `inner` one step further down the path.
    fn step<T>(&mut self, step: &str, inner: impl FnOnce(&mut Self) -> T) -> T {
        self.path.push(step.to_owned());
        let result = inner(self);
        self.path.pop();
        result
    }

    /// Runs `inner` inside a type, whose name is a scope as well.
    fn enter<T>(&mut self, name: &str, inner: impl FnOnce(&mut Self) -> T) -> T {
        let inside = (join(&self.old_scope, name), join(&self.new_scope, name));
        let (old_scope, new_scope) = (
            std::mem::replace(&mut self.old_scope, inside.0),
            std::mem::replace(&mut self.new_scope, inside.1),
        );
        let result = self.step(name, inner);
        (self.old_scope, self.new_scope) = (old_scope, new_scope);
        result
    }
}

#[derive(Clone, Copy)]
struct Declarations<'a> {
    messages: &'a [Message],
    enums: &'a [Enum],
}

/// What is compared of a field: a label that is written, and a type.
#[derive(Debug, Clone, Copy)]
struct FieldShape<'a> {
    label: Option<Label>,
    field_type: TypeShape<'a>,
}

#[derive(Debug, Clone, Copy)]
enum TypeShape<'a> {
    Scalar(ScalarKind),
    Message(&'a str),
    Map { key: &'a str, value: &'a str },
}

/// Types of one kind are encoded alike.
/// <https://protobuf.dev/programming-guides/proto3/#updating>
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum ScalarKind {
    GeneralNumber,
    SignedNumber,
    StringOrBytes,
    Fixed32,
    Fixed64,
    Float,
    Double,
}

impl ScalarKind {
    fn of(name: &str) -> Option<Self> {
        Some(match name {
            "int32" | "int64" | "uint32" | "uint64" | "bool" => Self::GeneralNumber,
            "sint32" | "sint64" => Self::SignedNumber,
            "string" | "bytes" => Self::StringOrBytes,
            "fixed32" | "sfixed32" => Self::Fixed32,
            "fixed64" | "sfixed64" => Self::Fixed64,
            "float" => Self::Float,
            "double" => Self::Double,
            _ => return None,
        })
    }
}

/// The fields of a message by number, with the oneof that holds them.
struct Members<'a> {
    fields: BTreeMap<i32, (&'a Field, Option<&'a str>)>,
    oneofs: BTreeMap<&'a str, &'a [Field]>,
}

impl<'a> Members<'a> {
    fn of(message: &'a Message) -> Self {
        let mut fields: BTreeMap<_, _> =
            message.fields.iter().map(|field| (field.number, (field, None))).collect();
        let mut oneofs = BTreeMap::new();
        for oneof in &message.oneofs {
            oneofs.insert(oneof.name.as_str(), oneof.fields.as_slice());
            for field in &oneof.fields {
                fields.insert(field.number, (field, Some(oneof.name.as_str())));
            }
        }
        Self { fields, oneofs }
    }

    fn oneof_of(&self, number: i32) -> Option<&'a str> {
        self.fields.get(&number).and_then(|(_, oneof)| *oneof)
    }
}

struct Comparison<'a> {
    old: &'a Types<'a>,
    new: &'a Types<'a>,
    found: Vec<(Difference, String)>,
    is_incompatible: bool,
    /// Pairs of messages of which one at least is imported, and whether they
    /// are incompatible; an entry without an answer is being compared.
    imported: HashMap<(String, String), Option<bool>>,
    depth: usize,
}

impl<'a> Comparison<'a> {
    fn add(&mut self, place: &Place, difference: Difference) {
        let is_incompatible = !difference.is_compatible();
        if self.found.len() >= MAX_DIFFERENCES {
            if self.is_incompatible || !is_incompatible {
                return;
            }
            self.found.pop();
        }
        self.is_incompatible |= is_incompatible;
        self.found.push((difference, format!("#/{}", place.path.join("/"))));
    }

    fn compare_types(&mut self, place: &mut Place, old: Declarations<'a>, new: Declarations<'a>) {
        let index = |messages: &'a [Message]| -> BTreeMap<&'a str, (usize, &'a Message)> {
            let entries = messages.iter().enumerate();
            entries.map(|(index, message)| (message.name.as_str(), (index, message))).collect()
        };
        let (old_messages, new_messages) = (index(old.messages), index(new.messages));
        let names: BTreeSet<&str> =
            old_messages.keys().chain(new_messages.keys()).copied().collect();
        for name in names {
            place.enter(name, |place| match (old_messages.get(name), new_messages.get(name)) {
                (Some((_, message)), None) if message.map_entry().is_none() => {
                    self.add(place, Difference::MessageRemoved);
                }
                (None, Some((_, message))) if message.map_entry().is_none() => {
                    self.add(place, Difference::MessageAdded);
                }
                (Some((old_index, old)), Some((new_index, new))) => {
                    self.compare_messages(place, old, new);
                    if old_index != new_index {
                        self.add(place, Difference::MessageMoved);
                    }
                }
                _ => {}
            });
        }
        let index = |enums: &'a [Enum]| -> BTreeMap<&'a str, &'a Enum> {
            enums.iter().map(|declared| (declared.name.as_str(), declared)).collect()
        };
        let (old_enums, new_enums) = (index(old.enums), index(new.enums));
        for name in old_enums.keys().chain(new_enums.keys()).copied().collect::<BTreeSet<&str>>() {
            place.enter(name, |place| match (old_enums.get(name), new_enums.get(name)) {
                (Some(_), None) => self.add(place, Difference::EnumRemoved),
                (None, _) => self.add(place, Difference::EnumAdded),
                (Some(old), Some(new)) => self.compare_enums(place, old, new),
            });
        }
    }

    fn compare_enums(&mut self, place: &mut Place, old: &Enum, new: &Enum) {
        let (old, new) = (constants_of(old), constants_of(new));
        for number in old.keys().chain(new.keys()).collect::<BTreeSet<_>>() {
            let difference = match (old.get(number), new.get(number)) {
                (Some(_), None) => Difference::EnumConstRemoved,
                (None, _) => Difference::EnumConstAdded,
                (Some(old), Some(new)) if old != new => Difference::EnumConstChanged,
                _ => continue,
            };
            place.step(&number.to_string(), |place| self.add(place, difference));
        }
    }

    fn compare_messages(&mut self, place: &mut Place, old: &'a Message, new: &'a Message) {
        let (old_members, new_members) = (Members::of(old), Members::of(new));
        self.compare_oneofs(place, &old_members, new, &new_members);
        let numbers: BTreeSet<i32> =
            old_members.fields.keys().chain(new_members.fields.keys()).copied().collect();
        for number in numbers {
            self.compare_numbered(place, number, &old_members, &new_members);
        }
        self.compare_types(
            place,
            Declarations { messages: &old.messages, enums: &old.enums },
            Declarations { messages: &new.messages, enums: &new.enums },
        );
    }

    /// Fields that could be set together and now exclude each other; oneofs
    /// that come and go.
    fn compare_oneofs(
        &mut self,
        place: &mut Place,
        old: &Members<'_>,
        new_message: &Message,
        new: &Members<'_>,
    ) {
        for oneof in &new_message.oneofs {
            let mut origins = BTreeSet::new();
            let mut independent = 0;
            for field in &oneof.fields {
                match (old.oneof_of(field.number), old.fields.get(&field.number)) {
                    (Some(oneof), _) => {
                        origins.insert((Some(oneof), 0));
                    }
                    (None, Some(_)) => {
                        origins.insert((None, field.number));
                        independent += 1;
                    }
                    (None, None) => {}
                }
            }
            if origins.len() > 1 {
                let difference = if independent > 1 {
                    Difference::MultipleFieldsMovedToOneof
                } else {
                    Difference::FieldMovedToExistingOneof
                };
                place.step(&oneof.name, |place| self.add(place, difference));
            }
        }
        for name in old.oneofs.keys().chain(new.oneofs.keys()).collect::<BTreeSet<_>>() {
            let difference = match (old.oneofs.contains_key(name), new.oneofs.contains_key(name)) {
                (true, false) => Difference::OneofRemoved,
                (false, _) => Difference::OneofAdded,
                (true, true) => continue,
            };
            place.step(name, |place| self.add(place, difference));
        }
    }

    fn compare_numbered(
        &mut self,
        place: &mut Place,
        number: i32,
        old_members: &Members<'a>,
        new_members: &Members<'a>,
    ) {
        let step = number.to_string();
        let in_oneof = |place: &mut Place, this: &mut Self, oneof: &str, difference| {
            place.step(oneof, |place| {
                place.step(&step, |place| this.add(place, difference));
            });
        };
        match (old_members.fields.get(&number), new_members.fields.get(&number)) {
            (Some((_, Some(oneof))), None) => {
                // A oneof that is gone with all its fields was never read.
                let is_gone = !new_members.oneofs.contains_key(oneof)
                    && old_members.oneofs.get(oneof).is_some_and(|fields| {
                        fields.iter().all(|field| !new_members.fields.contains_key(&field.number))
                    });
                if !is_gone {
                    in_oneof(place, self, oneof, Difference::OneofFieldRemoved);
                }
            }
            (Some((field, None)), None) => {
                let difference = match field.label {
                    Some(Label::Required) => Difference::RequiredFieldRemoved,
                    _ => Difference::FieldRemoved,
                };
                place.step(&step, |place| self.add(place, difference));
            }
            (None, Some((_, Some(oneof)))) => {
                in_oneof(place, self, oneof, Difference::OneofFieldAdded);
            }
            (None, Some((field, None))) => {
                let difference = match field.label {
                    Some(Label::Required) => Difference::RequiredFieldAdded,
                    _ => Difference::FieldAdded,
                };
                place.step(&step, |place| self.add(place, difference));
            }
            (Some((old, old_oneof)), Some((new, new_oneof))) => {
                // Leaving a oneof that goes on without the field is a removal
                // from it, as it was recorded; one that ends lets its fields go.
                let left = old_oneof.filter(|oneof| {
                    *new_oneof != Some(*oneof) && new_members.oneofs.contains_key(oneof)
                });
                if let Some(oneof) = left {
                    in_oneof(place, self, oneof, Difference::OneofFieldRemoved);
                }
                match new_oneof {
                    Some(oneof) => place.step(oneof, |place| {
                        place.step(&step, |place| self.compare_fields(place, old, new));
                    }),
                    None => place.step(&step, |place| {
                        if old_oneof.is_some() && left.is_none() {
                            self.add(place, Difference::OneofFieldMovedToTopLevel);
                        }
                        self.compare_fields(place, old, new);
                    }),
                }
            }
            (None, None) => {}
        }
    }

    fn compare_fields(&mut self, place: &mut Place, old: &'a Field, new: &'a Field) {
        if old.name != new.name {
            self.add(place, Difference::FieldNameChanged);
        }
        let old = FieldShape {
            label: old.label,
            field_type: shape(self.old, &old.field_type, &place.old_scope),
        };
        let new = FieldShape {
            label: new.label,
            field_type: shape(self.new, &new.field_type, &place.new_scope),
        };
        self.compare_shapes(place, old, new);
    }

    fn compare_shapes(&mut self, place: &mut Place, old: FieldShape<'a>, new: FieldShape<'a>) {
        match (old.field_type, new.field_type) {
            (TypeShape::Scalar(old_kind), TypeShape::Scalar(new_kind)) => {
                if old_kind != new_kind {
                    self.add(place, Difference::FieldScalarKindChanged);
                } else if let (Some(old_label), Some(new_label)) = (old.label, new.label)
                    && old_label != new_label
                {
                    self.add(
                        place,
                        match old_kind {
                            ScalarKind::StringOrBytes => Difference::FieldStringOrBytesLabelChanged,
                            _ => Difference::FieldNumericLabelChanged,
                        },
                    );
                }
            }
            (TypeShape::Message(old), TypeShape::Message(new)) => {
                self.compare_message_types(place, old, new);
            }
            (
                TypeShape::Map { key: old_key, value: old_value },
                TypeShape::Map { key: new_key, value: new_value },
            ) => {
                for (old, new) in [(old_key, new_key), (old_value, new_value)] {
                    let old = shape_of_name(self.old, old, &place.old_scope);
                    let new = shape_of_name(self.new, new, &place.new_scope);
                    self.compare_shapes(
                        place,
                        FieldShape { label: None, field_type: old },
                        FieldShape { label: None, field_type: new },
                    );
                }
            }
            _ => self.add(place, Difference::FieldKindChanged),
        }
    }

    fn compare_message_types(&mut self, place: &mut Place, old: &str, new: &str) {
        let resolve = |types: &Types<'a>, name: &str, scope: &str| {
            let full_name = types.resolve(name, scope)?;
            Some((types.by_full_name(&full_name)?, full_name))
        };
        let (Some((old_type, old_name)), Some((new_type, new_name))) =
            (resolve(self.old, old, &place.old_scope), resolve(self.new, new, &place.new_scope))
        else {
            if old != new {
                self.add(place, Difference::FieldNamedTypeChanged);
            }
            return;
        };
        let old_local = local_name(&old_name, old_type.package);
        if old_local != local_name(&new_name, new_type.package) {
            self.add(place, Difference::FieldNamedTypeChanged);
            return;
        }
        // Types of the schemas themselves are compared in their own place.
        let is_compared_elsewhere = old_type.is_local() && new_type.is_local();
        if !is_compared_elsewhere
            && self.imported_differ(old_local, (&old_name, old_type), (&new_name, new_type))
        {
            self.add(place, Difference::FieldNamedTypeChanged);
        }
    }

    /// Compares two messages of which one at least is imported, once.
    fn imported_differ(
        &mut self,
        local_name: &str,
        (old_name, old): (&str, Type<'a>),
        (new_name, new): (&str, Type<'a>),
    ) -> bool {
        let pair = (old_name.to_owned(), new_name.to_owned());
        if let Some(answer) = self.imported.get(&pair) {
            // A pair inside itself is compared already.
            return answer.unwrap_or(false);
        }
        let (Declaration::Message(old_message), Declaration::Message(new_message)) =
            (old.declaration, new.declaration)
        else {
            return true;
        };
        if self.depth >= MAX_DEPTH {
            return true;
        }
        self.imported.insert(pair.clone(), None);
        self.depth += 1;
        let was_incompatible = std::mem::replace(&mut self.is_incompatible, false);
        let mut place = Place {
            path: local_name.split('.').map(str::to_owned).collect(),
            old_scope: old_name.to_owned(),
            new_scope: new_name.to_owned(),
        };
        self.compare_messages(&mut place, old_message, new_message);
        let differ = self.is_incompatible;
        self.is_incompatible |= was_incompatible;
        self.depth -= 1;
        self.imported.insert(pair, Some(differ));
        differ
    }
}

fn constants_of(declared: &Enum) -> BTreeMap<i32, &str> {
    let constants = declared.constants.iter();
    constants.map(|constant| (constant.number, constant.name.as_str())).collect()
}

fn local_name<'n>(full_name: &'n str, package: &str) -> &'n str {
    full_name
        .strip_prefix(package)
        .and_then(|rest| rest.strip_prefix('.'))
        .filter(|_| !package.is_empty())
        .unwrap_or(full_name)
}

fn shape<'a>(types: &Types<'a>, field_type: &'a FieldType, scope: &str) -> TypeShape<'a> {
    match field_type {
        FieldType::Map { key, value } => TypeShape::Map { key, value },
        FieldType::Named(name) => shape_of_name(types, name, scope),
    }
}

fn shape_of_name<'a>(types: &Types<'a>, name: &'a str, scope: &str) -> TypeShape<'a> {
    if let Some(kind) = ScalarKind::of(name).filter(|_| is_scalar(name)) {
        return TypeShape::Scalar(kind);
    }
    match types.get(name, scope).map(|found| found.declaration) {
        Some(Declaration::Enum) => TypeShape::Scalar(ScalarKind::GeneralNumber),
        Some(Declaration::Message(message)) => match message.map_entry() {
            Some((key, value)) => {
                TypeShape::Map { key: key.value_type(), value: value.value_type() }
            }
            None => TypeShape::Message(name),
        },
        None => TypeShape::Message(name),
    }
}

#[cfg(test)]
mod tests;
