//! Protobuf, proto2 and proto3.

mod compatibility;
mod compile;
mod descriptor;
mod message;
mod parser;
mod rules;
mod syntax;
mod tags;
mod text;
mod types;
mod well_known;

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::OnceLock;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use prost_reflect::prost::Message as _;
use prost_reflect::prost_types::{DescriptorProto, FileDescriptorProto};
use prost_reflect::{DescriptorPool, DynamicMessage, FileDescriptor};

pub use message::{MessageCodec, MessageError};

use self::compatibility::Side;
use self::syntax::{File, Import, ImportKind, Message};
use self::types::{Types, join};
use crate::schema::{Incompatibility, InvalidSchema, ResolvedReference, Strictness, TextFormat};
use crate::tags::{SchemaTags, TagChanges};
use crate::wire::MessageIndexes;

/// How many files a schema may import, one through the other.
const MAX_IMPORTS: usize = 1_024;

/// A parsed `.proto` file and the files of its references.
#[derive(Debug)]
pub struct ProtobufSchema {
    file: File,
    /// By the path of the import.
    references: BTreeMap<String, File>,
    /// Compiled when it is needed: most schemas are only stored.
    pool: OnceLock<Result<DescriptorPool, String>>,
    record_name: Option<String>,
}

impl ProtobufSchema {
    /// Parses the text of a file, or its descriptor in base64. Imports are
    /// well-known files or `references`.
    ///
    /// A [new](Strictness::New) schema is held to the rules of protoc, except
    /// that an import may be missing when nothing of it is used. A
    /// [stored](Strictness::Stored) one only has to follow the grammar and to
    /// use types that exist, which is what Confluent's registry checks.
    pub fn parse(
        text: &str,
        references: &[ResolvedReference],
        strictness: Strictness,
    ) -> Result<Self, InvalidSchema> {
        let references = files_of(references).map_err(InvalidSchema)?;
        let file = parse_file(text, &references).map_err(InvalidSchema)?;
        let record_name = record_name_of(&file, &references);
        let this = Self { file, references, pool: OnceLock::new(), record_name };
        if let Some(name) = this.types().unresolved(&this.file) {
            return Err(InvalidSchema(format!("Could not resolve type: {name}")));
        }
        if strictness == Strictness::New {
            this.pool().as_ref().map_err(|problem| InvalidSchema(problem.clone()))?;
            if let Some(problem) = rules::broken_rule(&this.file, &this.types()) {
                return Err(InvalidSchema(problem));
            }
        }
        Ok(this)
    }

    pub fn canonical_text(&self) -> String {
        text::canonical(&self.file)
    }

    /// Names resolved, everything sorted whose order means nothing.
    pub fn normalized_text(&self) -> String {
        text::normalized(&self.file, &self.types())
    }

    pub fn text(&self, format: TextFormat) -> String {
        match format {
            TextFormat::Default | TextFormat::Resolved => self.canonical_text(),
            TextFormat::Serialized => self.serialized().unwrap_or_else(|| self.canonical_text()),
            TextFormat::IgnoreExtensions => text::without_extensions(&self.file),
        }
    }

    /// The full name of the first message, or, without one, enum.
    pub fn record_name(&self) -> Option<&str> {
        self.record_name.as_deref()
    }

    /// The names of the fields of the first message.
    pub fn top_level_fields(&self) -> Vec<String> {
        let Some(message) = self.effective_file().messages.first() else { return Vec::new() };
        let in_oneofs = message.oneofs.iter().flat_map(|oneof| &oneof.fields);
        message.fields.iter().chain(in_oneofs).map(|field| field.name.clone()).collect()
    }

    /// The messages and fields that have tags.
    pub fn tagged_entities(&self) -> Result<Vec<SchemaTags>, InvalidSchema> {
        tags::tagged_entities(&self.file)
    }

    /// The canonical text with other tags.
    pub fn with_tags(&self, changes: &TagChanges) -> Result<String, InvalidSchema> {
        Ok(text::canonical(&tags::changed(&self.file, changes)?))
    }

    /// The codec of a message by its full name; of the first message of the
    /// file when none is named.
    pub fn codec(&self, message: Option<&str>) -> Result<MessageCodec, MessageError> {
        let name = match message.or(self.record_name()) {
            Some(name) => name.trim_start_matches('.'),
            None => return Err(MessageError::UnknownMessage(String::new())),
        };
        let indexes =
            self.indexes_of(name).ok_or_else(|| MessageError::UnknownMessage(name.to_owned()))?;
        self.codec_of(name, indexes)
    }

    /// The codec of the message at a position in the file.
    pub fn codec_at(&self, indexes: &MessageIndexes) -> Result<MessageCodec, MessageError> {
        let file = self.effective_file();
        let mut name = file.package().to_owned();
        let mut messages = file.messages.as_slice();
        for index in indexes.as_slice() {
            let message = usize::try_from(*index)
                .ok()
                .and_then(|index| positions(messages).nth(index))
                .ok_or_else(|| MessageError::UnknownIndexes(indexes.clone()))?;
            name = join(&name, &message.name);
            messages = &message.messages;
        }
        self.codec_of(&name, indexes.clone())
    }

    fn codec_of(&self, name: &str, indexes: MessageIndexes) -> Result<MessageCodec, MessageError> {
        let pool = self.pool().as_ref().map_err(|problem| MessageError::Schema(problem.clone()))?;
        let descriptor = pool
            .get_message_by_name(name)
            .ok_or_else(|| MessageError::UnknownMessage(name.to_owned()))?;
        Ok(MessageCodec::new(descriptor, indexes))
    }

    fn indexes_of(&self, full_name: &str) -> Option<MessageIndexes> {
        let file = self.effective_file();
        let local = match file.package() {
            "" => full_name,
            package => full_name.strip_prefix(package)?.strip_prefix('.')?,
        };
        let mut indexes = Vec::new();
        let mut messages = file.messages.as_slice();
        for step in local.split('.') {
            let (index, message) =
                positions(messages).enumerate().find(|(_, message)| message.name == step)?;
            indexes.push(i32::try_from(index).ok()?);
            messages = &message.messages;
        }
        MessageIndexes::new(indexes)
    }

    /// A file that only imports another one publicly stands for that one.
    fn effective_file(&self) -> &File {
        effective_file(&self.file, &self.references)
    }

    fn types(&self) -> Types<'_> {
        types_of(&self.file, &self.references)
    }

    fn pool(&self) -> &Result<DescriptorPool, String> {
        self.pool.get_or_init(|| compile(compile::ROOT_NAME, &self.file, &self.references))
    }

    /// The descriptor in base64.
    fn serialized(&self) -> Option<String> {
        let file = self.pool().as_ref().ok()?.get_file_by_name(compile::ROOT_NAME)?;
        Some(BASE64.encode(descriptor_bytes(&file)))
    }
}

/// Why `new_reader` cannot read what `old_writer` wrote.
pub fn incompatibilities(
    new_reader: &ProtobufSchema,
    old_writer: &ProtobufSchema,
) -> Vec<Incompatibility> {
    let (new_types, old_types) = (new_reader.types(), old_writer.types());
    compatibility::incompatibilities(
        &Side { file: &new_reader.file, types: &new_types },
        &Side { file: &old_writer.file, types: &old_types },
    )
}

fn compile(
    name: &str,
    file: &File,
    references: &BTreeMap<String, File>,
) -> Result<DescriptorPool, String> {
    let nothing = File::default();
    let imported_types = types_of(&nothing, references);
    let imports = references
        .iter()
        .map(|(path, file)| (path.clone(), compilable_text(file, &imported_types, references)))
        .collect();
    let root = compilable_text(file, &types_of(file, references), references);
    compile::compile(name, root, imports)
}

/// What the compiler gets to read: without imports that do not exist, which
/// does no harm because nothing of them is used, and with those whose types
/// are used through several public imports: the compiler follows only one.
fn compilable_text(file: &File, types: &Types<'_>, references: &BTreeMap<String, File>) -> String {
    let mut compilable = text::compilable(file, types);
    compilable.imports.retain(|import| imported_file(&import.path, references).is_some());
    let visible = publicly_visible(file, references);
    for path in types.used_files(file) {
        let is_imported = compilable.imports.iter().any(|import| import.path == path);
        if !is_imported && visible.contains(path) {
            compilable.imports.push(Import { path: path.to_owned(), kind: ImportKind::Plain });
        }
    }
    text::canonical(&compilable)
}

/// The paths of all files that a file sees: its imports, and what they import
/// publicly.
fn publicly_visible<'a>(
    file: &'a File,
    references: &'a BTreeMap<String, File>,
) -> HashSet<&'a str> {
    let mut visible: HashSet<&str> = HashSet::new();
    let mut waiting: Vec<&str> = file.imports.iter().map(|import| import.path.as_str()).collect();
    while let Some(path) = waiting.pop() {
        if visible.insert(path)
            && let Some(file) = imported_file(path, references)
        {
            let public = file.imports.iter().filter(|import| import.kind == ImportKind::Public);
            waiting.extend(public.map(|import| import.path.as_str()));
        }
    }
    visible
}

fn imported_file<'a>(path: &str, references: &'a BTreeMap<String, File>) -> Option<&'a File> {
    references.get(path).or_else(|| well_known::file(path))
}

/// Messages that have a position: an entry of a map has none.
fn positions(messages: &[Message]) -> impl Iterator<Item = &Message> {
    messages.iter().filter(|message| message.map_entry().is_none())
}

/// Reads the files of all references, those of references too.
fn files_of(references: &[ResolvedReference]) -> Result<BTreeMap<String, File>, String> {
    let mut texts: HashMap<&str, &str> = HashMap::new();
    let mut waiting: Vec<&ResolvedReference> = references.iter().rev().collect();
    while let Some(reference) = waiting.pop() {
        if texts.contains_key(reference.name.as_str()) {
            continue;
        }
        if texts.len() >= MAX_IMPORTS {
            return Err(format!("it imports more than {MAX_IMPORTS} files"));
        }
        texts.insert(&reference.name, &reference.text);
        waiting.extend(reference.references.iter().rev());
    }
    texts
        .into_iter()
        .map(|(name, text)| {
            let file = parse_file(text, &BTreeMap::new())
                .map_err(|problem| format!("reference {name:?}: {problem}"))?;
            Ok((name.to_owned(), file))
        })
        .collect()
}

fn parse_file(text: &str, references: &BTreeMap<String, File>) -> Result<File, String> {
    parser::parse(text).or_else(|error| {
        let not_a_file = || format!("Could not parse Protobuf - {error}");
        let bytes = BASE64.decode(text.trim()).map_err(|_| not_a_file())?;
        file_of_descriptor(&bytes, references).ok_or_else(not_a_file)
    })
}

/// Reads a descriptor; custom options only when what they mean is known.
fn file_of_descriptor(bytes: &[u8], references: &BTreeMap<String, File>) -> Option<File> {
    let descriptor = FileDescriptorProto::decode(bytes).ok()?;
    if descriptor.syntax() == "editions" || depth_of(&descriptor.message_type) > MAX_MESSAGE_DEPTH {
        return None;
    }
    let plain = descriptor::file_of(&descriptor);
    let importer = File { imports: plain.imports.clone(), ..File::default() };
    let importer_name = format!("imports of {}", descriptor.name());
    let with_options = compile(&importer_name, &importer, references)
        .ok()
        .and_then(|pool| descriptor::file_with_options(pool, bytes, descriptor.name()));
    // What was read must also be a file when it is written.
    let file = with_options.unwrap_or(plain);
    parser::parse(&text::canonical(&file)).ok()
}

/// How deep messages of a descriptor may lie in each other.
const MAX_MESSAGE_DEPTH: usize = 60;

fn depth_of(messages: &[DescriptorProto]) -> usize {
    // The decoder has its own limit, so this recursion has one.
    messages.iter().map(|message| 1 + depth_of(&message.nested_type)).max().unwrap_or(0)
}

fn effective_file<'a>(file: &'a File, references: &'a BTreeMap<String, File>) -> &'a File {
    let is_wrapper = file.messages.is_empty()
        && file.enums.is_empty()
        && file.services.is_empty()
        && file.extends.is_empty();
    let [import] = file.imports.as_slice() else { return file };
    if !is_wrapper || import.kind != ImportKind::Public {
        return file;
    }
    imported_file(&import.path, references)
        .filter(|imported| !imported.messages.is_empty() || !imported.enums.is_empty())
        .unwrap_or(file)
}

fn record_name_of(file: &File, references: &BTreeMap<String, File>) -> Option<String> {
    let file = effective_file(file, references);
    let message = file.messages.first().map(|message| &message.name);
    let name = message.or_else(|| file.enums.first().map(|declared| &declared.name))?;
    Some(join(file.package(), name))
}

/// All names that `file` can use. As in the reference, what a reference
/// defines is visible whether or not the file imports it directly.
fn types_of<'a>(file: &'a File, references: &'a BTreeMap<String, File>) -> Types<'a> {
    let mut imported: HashSet<&str> = HashSet::new();
    let mut waiting: Vec<&File> = std::iter::once(file).chain(references.values()).collect();
    let mut files: Vec<(&str, &File)> = Vec::new();
    while let Some(importer) = waiting.pop() {
        for import in &importer.imports {
            if imported.insert(&import.path)
                && !references.contains_key(&import.path)
                && let Some(file) = well_known::file(&import.path)
            {
                files.push((&import.path, file));
                waiting.push(file);
            }
        }
    }
    files.extend(references.iter().map(|(path, file)| (path.as_str(), file)));
    Types::new(file, files)
}

/// The descriptor as Confluent's registry writes it: without the names in
/// JSON that follow from the names of the fields.
fn descriptor_bytes(file: &FileDescriptor) -> Vec<u8> {
    let mut descriptor = file.file_descriptor_proto().clone();
    let bytes = file.encode_to_vec();
    if descriptor.encoded_len() != bytes.len() {
        // Custom options exist only in the bytes.
        return without_source_info(file.parent_pool(), &bytes).unwrap_or(bytes);
    }
    descriptor.source_code_info = None;
    for message in &mut descriptor.message_type {
        remove_implied_json_names(message);
    }
    for field in &mut descriptor.extension {
        field.json_name = None;
    }
    descriptor.encode_to_vec()
}

/// A file with custom options imports the type of its own descriptor.
fn without_source_info(pool: &DescriptorPool, bytes: &[u8]) -> Option<Vec<u8>> {
    let descriptor = pool.get_message_by_name("google.protobuf.FileDescriptorProto")?;
    let mut message = DynamicMessage::decode(descriptor, bytes).ok()?;
    message.clear_field_by_name("source_code_info");
    Some(message.encode_to_vec())
}

fn remove_implied_json_names(message: &mut DescriptorProto) {
    for field in &mut message.field {
        if field.json_name() == descriptor::json_name_of(field.name()) {
            field.json_name = None;
        }
    }
    for field in &mut message.extension {
        field.json_name = None;
    }
    for nested in &mut message.nested_type {
        remove_implied_json_names(nested);
    }
}

#[cfg(test)]
mod tests;
