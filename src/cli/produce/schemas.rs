//! Records with schemas: lines hold JSON, and what is written is Avro, JSON
//! with a schema, or Protobuf, each behind the id of its schema.

use std::path::Path;
use std::sync::Arc;

use registry::source::HttpClientConfig;
use registry::{
    NewSchema, PayloadCodec, Reference, SchemaKey, SchemaType, Schemas, SubjectNameStrategy,
};

use super::super::options::Options;
use super::super::schema_registry::{
    self, Properties, http_config, parse_schema_type, schema_type_of_tool,
};
use super::super::session::Failure;

/// Properties of Confluent's tools besides those of the registry.
pub(super) const PROPERTIES: [&str; 21] = [
    "value.schema",
    "value.schema.file",
    "value.schema.id",
    "value.refs",
    "value.subject.name.strategy",
    "value.serializer",
    "key.schema",
    "key.schema.file",
    "key.schema.id",
    "key.refs",
    "key.subject.name.strategy",
    "key.serializer",
    "auto.register",
    "auto.register.schemas",
    "use.latest.version",
    "latest.compatibility.strict",
    "normalize.schemas",
    "schema.id.validation",
    "value.metadata",
    "value.rule.set",
    "id.compatibility.strict",
];

/// What the command line says of schemas.
#[derive(Debug)]
pub(super) struct SchemaOptions {
    registry: HttpClientConfig,
    schema_type: SchemaType,
    key: Side,
    value: Side,
    /// Schemas that are not there are registered.
    registers: bool,
    /// The latest version of the subject is what is written with.
    uses_latest: bool,
    normalizes: bool,
}

/// What it says of keys or of values.
#[derive(Debug)]
struct Side {
    is_key: bool,
    schema: Given,
    references: Vec<Reference>,
    strategy: SubjectNameStrategy,
}

/// How a schema is given.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Given {
    /// There is none: bytes are written as they come.
    Nothing,
    Text(String),
    Id(i32),
    /// The latest one of the subject.
    Latest,
}

/// How keys and values are written.
#[derive(Debug, Default)]
pub(super) struct Encoders {
    pub(super) key: Option<Arc<PayloadCodec>>,
    pub(super) value: Option<Arc<PayloadCodec>>,
}

impl SchemaOptions {
    /// `None` where nothing is said of schemas and the tool of this name needs
    /// none. Takes its properties out of `properties`.
    pub(super) fn read(
        program: &str,
        options: &Options,
        properties: &mut Vec<(String, String)>,
        parses_keys: bool,
    ) -> Result<Option<Self>, Failure> {
        let properties = Properties::take_from(properties, &PROPERTIES);
        let of_tool = schema_type_of_tool(program);
        let names = ["value-schema", "value-schema-file", "value-schema-id"];
        let names = names.into_iter().chain(["key-schema", "key-schema-file", "key-schema-id"]);
        let is_asked_for = of_tool.is_some()
            || !properties.is_empty()
            || names.into_iter().any(|name| options.has(name))
            || options.has("schema-type");
        if !is_asked_for {
            return Ok(None);
        }
        let schema_type = match options.value("schema-type")? {
            Some(name) => parse_schema_type(name)?,
            None => of_tool.unwrap_or(SchemaType::Avro),
        };
        let uses_latest = properties.is_true("use.latest.version");
        let key = Side::read(options, &properties, true, uses_latest)?;
        let value = Side::read(options, &properties, false, uses_latest)?;
        if value.schema == Given::Nothing && key.schema == Given::Nothing {
            return Err(Failure::other(
                "A schema is needed: --value-schema or --property value.schema=… (or .file, .id)",
            ));
        }
        let is_strict = of_tool.is_some();
        if is_strict
            && value.schema == Given::Nothing
            && properties.get("value.serializer").is_none()
        {
            return Err(Failure::other(
                "Must provide the value schema with value.schema, value.schema.file or value.schema.id",
            ));
        }
        if is_strict
            && parses_keys
            && key.schema == Given::Nothing
            && properties.get("key.serializer").is_none()
        {
            return Err(Failure::other(
                "Must provide the key schema with key.schema, key.schema.file or key.schema.id, or a key.serializer, when parse.key is set",
            ));
        }
        let registers = ["auto.register", "auto.register.schemas"].iter().all(|name| {
            properties.get(name).is_none_or(|text| !text.eq_ignore_ascii_case("false"))
        });
        Ok(Some(Self {
            registry: http_config(options, &properties)?,
            schema_type,
            key,
            value,
            registers,
            uses_latest,
            normalizes: properties.is_true("normalize.schemas"),
        }))
    }

    /// Gets the schemas for records of a topic.
    pub(super) async fn encoders(&self, topic: &str) -> Result<Encoders, Failure> {
        let schemas = schema_registry::schemas(&self.registry)?;
        Ok(Encoders {
            key: self.encoder(&schemas, &self.key, topic).await?,
            value: self.encoder(&schemas, &self.value, topic).await?,
        })
    }

    async fn encoder(
        &self,
        schemas: &Schemas,
        side: &Side,
        topic: &str,
    ) -> Result<Option<Arc<PayloadCodec>>, Failure> {
        let failed = |error: &dyn std::fmt::Display| {
            let what = if side.is_key { "key" } else { "value" };
            Failure::other(format!("the schema of the {what}: {error}"))
        };
        let codec = match &side.schema {
            Given::Nothing => return Ok(None),
            Given::Id(id) => {
                schemas.load(SchemaKey::Id(*id)).await.map_err(|error| failed(&error))?
            }
            Given::Latest => {
                let subject = side.subject(topic, None)?;
                schemas.latest(&subject).await.map_err(|error| failed(&error))?
            }
            Given::Text(text) => {
                let schema = NewSchema {
                    schema_type: self.schema_type,
                    text: text.clone(),
                    references: side.references.clone(),
                    normalize: self.normalizes,
                };
                let subject = side.subject(topic, Some(&schema))?;
                if self.uses_latest {
                    schemas.latest(&subject).await.map_err(|error| failed(&error))?
                } else if self.registers {
                    schemas.register(&subject, schema).await.map_err(|error| failed(&error))?
                } else {
                    schemas.look_up(&subject, schema).await.map_err(|error| failed(&error))?
                }
            }
        };
        if matches!(side.schema, Given::Text(_)) && codec.schema_type() != self.schema_type {
            return Err(failed(&format!("it is of type {}", codec.schema_type())));
        }
        Ok(Some(codec))
    }
}

impl Side {
    fn read(
        options: &Options,
        properties: &Properties,
        is_key: bool,
        uses_latest: bool,
    ) -> Result<Self, Failure> {
        let side = if is_key { "key" } else { "value" };
        let given = |option: &str, property: &str| -> Result<Option<String>, Failure> {
            let option = options.value(&format!("{side}-{option}"))?;
            let property = properties.get(&format!("{side}.{property}"));
            Ok(option.or(property).map(str::to_owned))
        };
        let text = given("schema", "schema")?;
        let file = given("schema-file", "schema.file")?;
        let id = given("schema-id", "schema.id")?;
        let schema = match (text, file, id) {
            (Some(text), None, None) => Given::Text(text),
            (None, Some(file), None) => {
                let read = std::fs::read_to_string(Path::new(&file));
                Given::Text(read.map_err(|error| Failure::other(format!("{file}: {error}")))?)
            }
            (None, None, Some(id)) => Given::Id(id.trim().parse().map_err(|_| {
                Failure::other(format!("the id of the {side} schema is not a number: {id}"))
            })?),
            (None, None, None) if uses_latest && !is_key => Given::Latest,
            (None, None, None) => Given::Nothing,
            _ => {
                return Err(Failure::other(format!(
                    "The {side} schema may be given only once: as a text, a file or an id"
                )));
            }
        };
        let references = match properties.get(&format!("{side}.refs")) {
            Some(json) => serde_json::from_str(json).map_err(|error| {
                Failure::other(format!("{side}.refs is not a list of references: {error}"))
            })?,
            None => Vec::new(),
        };
        let strategy = match properties.get(&format!("{side}.subject.name.strategy")) {
            Some(class) => class.parse().map_err(|_| {
                Failure::other(format!("There is no subject name strategy {class}"))
            })?,
            None => SubjectNameStrategy::Topic,
        };
        Ok(Self { is_key, schema, references, strategy })
    }

    fn subject(&self, topic: &str, schema: Option<&NewSchema>) -> Result<String, Failure> {
        let parsed = match schema {
            Some(schema) if self.strategy != SubjectNameStrategy::Topic => {
                let NewSchema { schema_type, text, .. } = schema;
                let strictness = registry::schema::Strictness::Stored;
                registry::Schema::parse(*schema_type, text, &[], strictness).ok()
            }
            _ => None,
        };
        let name = parsed.as_ref().and_then(|schema| schema.record_name());
        self.strategy.subject(topic, self.is_key, name).ok_or_else(|| {
            Failure::other("the subject name strategy needs a schema with a name".to_owned())
        })
    }
}

impl Encoders {
    /// Writes `json` with a schema into `scratch`, or leaves it as it is without one.
    ///
    /// # Errors
    /// When it does not fit.
    pub(super) fn encode<'a>(
        codec: Option<&PayloadCodec>,
        field: Option<&'a [u8]>,
        what: &str,
        scratch: &'a mut Vec<u8>,
    ) -> Result<Option<&'a [u8]>, String> {
        match (codec, field) {
            (Some(codec), Some(json)) => {
                scratch.clear();
                codec.encode(json, scratch).map_err(|error| {
                    format!("its {what} does not fit schema {}: {error}", codec.id())
                })?;
                Ok(Some(scratch))
            }
            (_, field) => Ok(field),
        }
    }
}
