//! Which declaration a name means: the types and custom options of a file and
//! of everything it imports, found by the scoping rules of Protobuf.

use std::collections::{BTreeSet, HashMap};

use super::syntax::{Enum, Extend, Field, File, Label, Message, is_scalar};

/// A message or an enum.
#[derive(Debug, Clone, Copy)]
pub(super) enum Declaration<'a> {
    Message(&'a Message),
    Enum,
}

#[derive(Debug, Clone, Copy)]
pub(super) struct Type<'a> {
    pub(super) declaration: Declaration<'a>,
    /// The package of the file that declares it.
    pub(super) package: &'a str,
    /// The path of the import; nothing for the schema itself.
    pub(super) path: Option<&'a str>,
    pub(super) is_proto3: bool,
}

impl Type<'_> {
    /// Declared in the schema itself, not in an import.
    pub(super) fn is_local(&self) -> bool {
        self.path.is_none()
    }
}

/// The file that declares a type.
#[derive(Debug, Clone, Copy)]
struct Origin<'a> {
    package: &'a str,
    path: Option<&'a str>,
    is_proto3: bool,
}

impl<'a> Origin<'a> {
    fn declares(self, declaration: Declaration<'a>) -> Type<'a> {
        let Self { package, path, is_proto3 } = self;
        Type { declaration, package, path, is_proto3 }
    }
}

#[derive(Debug, Clone, Copy)]
pub(super) struct ExtensionField<'a> {
    pub(super) field: &'a Field,
    /// Where the type of the field is looked up.
    pub(super) is_repeated: bool,
}

/// All names that are visible in a file.
#[derive(Debug, Default)]
pub(super) struct Types<'a> {
    /// By full name, without a leading dot.
    types: HashMap<String, Type<'a>>,
    extensions: HashMap<String, ExtensionField<'a>>,
}

impl<'a> Types<'a> {
    /// `imports` have their paths beside them.
    pub(super) fn new(
        file: &'a File,
        imports: impl IntoIterator<Item = (&'a str, &'a File)>,
    ) -> Self {
        let mut types = Self::default();
        for (path, import) in imports {
            types.add_file(import, Some(path));
        }
        types.add_file(file, None);
        types
    }

    fn add_file(&mut self, file: &'a File, path: Option<&'a str>) {
        let scope = file.package();
        let origin = Origin { package: scope, path, is_proto3: file.is_proto3() };
        self.add_extends(&file.extends, scope);
        for message in &file.messages {
            self.add_message(message, scope, origin);
        }
        self.add_enums(&file.enums, scope, origin);
    }

    fn add_message(&mut self, message: &'a Message, scope: &str, origin: Origin<'a>) {
        let name = join(scope, &message.name);
        self.add_extends(&message.extends, &name);
        let groups =
            message.groups.iter().chain(message.oneofs.iter().flat_map(|oneof| &oneof.groups));
        for group in groups {
            self.add_message(&group.body, &name, origin);
        }
        for nested in &message.messages {
            self.add_message(nested, &name, origin);
        }
        self.add_enums(&message.enums, &name, origin);
        self.types.insert(name, origin.declares(Declaration::Message(message)));
    }

    fn add_enums(&mut self, enums: &'a [Enum], scope: &str, origin: Origin<'a>) {
        for declared in enums {
            self.types.insert(join(scope, &declared.name), origin.declares(Declaration::Enum));
        }
    }

    fn add_extends(&mut self, extends: &'a [Extend], scope: &str) {
        for field in extends.iter().flat_map(|extend| &extend.fields) {
            let is_repeated = field.label == Some(Label::Repeated);
            self.extensions.insert(join(scope, &field.name), ExtensionField { field, is_repeated });
        }
    }

    /// The full name that `name` means in `scope` (a package, or the full
    /// name of a message), without a leading dot.
    pub(super) fn resolve(&self, name: &str, scope: &str) -> Option<String> {
        resolve(name, scope, |full_name| self.types.contains_key(full_name))
    }

    pub(super) fn get(&self, name: &str, scope: &str) -> Option<Type<'a>> {
        self.types.get(&self.resolve(name, scope)?).copied()
    }

    pub(super) fn by_full_name(&self, full_name: &str) -> Option<Type<'a>> {
        self.types.get(full_name).copied()
    }

    pub(super) fn resolve_extension(&self, name: &str, scope: &str) -> Option<String> {
        resolve(name, scope, |full_name| self.extensions.contains_key(full_name))
    }

    pub(super) fn extension(&self, full_name: &str) -> Option<ExtensionField<'a>> {
        self.extensions.get(full_name).copied()
    }

    /// The message that is the type of a field, if it is one.
    pub(super) fn message_of(&self, type_name: &str, scope: &str) -> Option<&'a Message> {
        match self.get(type_name, scope)?.declaration {
            Declaration::Message(message) => Some(message),
            Declaration::Enum => None,
        }
    }

    /// A name used in `file` that nothing declares.
    pub(super) fn unresolved(&self, file: &File) -> Option<String> {
        let mut unresolved = None;
        for_each_type_name(file, &mut |name, scope| {
            if unresolved.is_none() && self.resolve(name, scope).is_none() {
                unresolved = Some(name.to_owned());
            }
        });
        unresolved
    }

    /// The paths of imported files whose types `file` uses.
    pub(super) fn used_files(&self, file: &File) -> BTreeSet<&'a str> {
        let mut used = BTreeSet::new();
        for_each_type_name(file, &mut |name, scope| {
            used.extend(self.get(name, scope).and_then(|found| found.path));
        });
        used
    }
}

/// Calls `found` with the name of every type that is used, and its scope.
fn for_each_type_name(file: &File, found: &mut dyn FnMut(&str, &str)) {
    let scope = file.package();
    file.messages.iter().for_each(|message| names_in_message(message, scope, found));
    names_in_extends(&file.extends, scope, found);
    for rpc in file.services.iter().flat_map(|service| &service.rpcs) {
        found(&rpc.request.name, scope);
        found(&rpc.response.name, scope);
    }
}

fn names_in_message(message: &Message, scope: &str, found: &mut dyn FnMut(&str, &str)) {
    let scope = &join(scope, &message.name);
    let in_oneofs = message.oneofs.iter().flat_map(|oneof| &oneof.fields);
    names_in_fields(message.fields.iter().chain(in_oneofs), scope, found);
    names_in_extends(&message.extends, scope, found);
    let groups = message.groups.iter().chain(message.oneofs.iter().flat_map(|oneof| &oneof.groups));
    groups.for_each(|group| names_in_message(&group.body, scope, found));
    message.messages.iter().for_each(|nested| names_in_message(nested, scope, found));
}

fn names_in_extends(extends: &[Extend], scope: &str, found: &mut dyn FnMut(&str, &str)) {
    for extend in extends {
        found(&extend.name, scope);
        names_in_fields(extend.fields.iter(), scope, found);
    }
}

fn names_in_fields<'f>(
    fields: impl Iterator<Item = &'f Field>,
    scope: &str,
    found: &mut dyn FnMut(&str, &str),
) {
    fields
        .map(Field::value_type)
        .filter(|name| !is_scalar(name))
        .for_each(|name| found(name, scope));
}

/// The innermost scope that knows the name wins.
fn resolve(name: &str, scope: &str, is_known: impl Fn(&str) -> bool) -> Option<String> {
    if let Some(absolute) = name.strip_prefix('.') {
        return is_known(absolute).then(|| absolute.to_owned());
    }
    let mut scope = scope;
    loop {
        let full_name = join(scope, name);
        if is_known(&full_name) {
            return Some(full_name);
        }
        if scope.is_empty() {
            return None;
        }
        scope = scope.rfind('.').map_or("", |dot| &scope[..dot]);
    }
}

pub(super) fn join(scope: &str, name: &str) -> String {
    if scope.is_empty() { name.to_owned() } else { format!("{scope}.{name}") }
}
