//! Which declaration a name means: the types and custom options of a file and
//! of everything it imports, found by the scoping rules of Protobuf.

use std::collections::HashMap;

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
    /// Declared in the schema itself, not in an import.
    pub(super) is_local: bool,
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
    pub(super) fn new(file: &'a File, imports: impl IntoIterator<Item = &'a File>) -> Self {
        let mut types = Self::default();
        for import in imports {
            types.add_file(import, false);
        }
        types.add_file(file, true);
        types
    }

    fn add_file(&mut self, file: &'a File, is_local: bool) {
        let scope = file.package();
        self.add_extends(&file.extends, scope);
        for message in &file.messages {
            self.add_message(message, scope, scope, is_local);
        }
        self.add_enums(&file.enums, scope, scope, is_local);
    }

    fn add_message(&mut self, message: &'a Message, scope: &str, package: &'a str, is_local: bool) {
        let name = join(scope, &message.name);
        self.add_extends(&message.extends, &name);
        let groups =
            message.groups.iter().chain(message.oneofs.iter().flat_map(|oneof| &oneof.groups));
        for group in groups {
            self.add_message(&group.body, &name, package, is_local);
        }
        for nested in &message.messages {
            self.add_message(nested, &name, package, is_local);
        }
        self.add_enums(&message.enums, &name, package, is_local);
        let declaration = Declaration::Message(message);
        self.types.insert(name, Type { declaration, package, is_local });
    }

    fn add_enums(&mut self, enums: &'a [Enum], scope: &str, package: &'a str, is_local: bool) {
        for declared in enums {
            let declaration = Declaration::Enum;
            self.types.insert(join(scope, &declared.name), Type { declaration, package, is_local });
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
        let scope = file.package();
        let in_messages =
            file.messages.iter().find_map(|message| self.unresolved_in(message, scope));
        let in_extends = || self.unresolved_in_extends(&file.extends, scope);
        let in_services = || {
            let rpcs = file.services.iter().flat_map(|service| &service.rpcs);
            rpcs.flat_map(|rpc| [&rpc.request.name, &rpc.response.name])
                .find(|name| self.resolve(name, scope).is_none())
                .cloned()
        };
        in_messages.or_else(in_extends).or_else(in_services)
    }

    fn unresolved_in(&self, message: &Message, scope: &str) -> Option<String> {
        let scope = join(scope, &message.name);
        let groups =
            message.groups.iter().chain(message.oneofs.iter().flat_map(|oneof| &oneof.groups));
        let fields =
            message.fields.iter().chain(message.oneofs.iter().flat_map(|oneof| &oneof.fields));
        self.unresolved_field(fields, &scope)
            .or_else(|| self.unresolved_in_extends(&message.extends, &scope))
            .or_else(|| {
                groups
                    .map(|group| &group.body)
                    .chain(&message.messages)
                    .find_map(|nested| self.unresolved_in(nested, &scope))
            })
    }

    fn unresolved_in_extends(&self, extends: &[Extend], scope: &str) -> Option<String> {
        extends.iter().find_map(|extend| match self.resolve(&extend.name, scope) {
            None => Some(extend.name.clone()),
            Some(_) => self.unresolved_field(extend.fields.iter(), scope),
        })
    }

    fn unresolved_field<'f>(
        &self,
        mut fields: impl Iterator<Item = &'f Field>,
        scope: &str,
    ) -> Option<String> {
        fields
            .find(|field| {
                let name = field.value_type();
                !is_scalar(name) && self.resolve(name, scope).is_none()
            })
            .map(|field| field.value_type().to_owned())
    }
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
