//! `ottla schemas`: the schemas of a registry.

mod diff;

use std::fmt::Write as _;
use std::io::Read as _;
use std::path::{Path, PathBuf};

use registry::source::{HttpClient, HttpClientConfig, Pem, Secret, SourceError, path_segment};
use serde_json::{Map, Value, json};

use super::schema_registry::{DEFAULT_URL, parse_schema_type};
use super::{FAILED, Invocation, OK, USAGE, complain, print};

/// List, show, register, compare and delete schemas, change their rules.
///
/// Works with any Schema Registry. What is printed is JSON where it is not said
/// otherwise.
#[derive(Debug, clap::Parser)]
#[command(version)]
struct Arguments {
    /// The Schema Registry; user:password@ before the host is sent to it.
    #[arg(long, global = true, value_name = "URL", default_value = DEFAULT_URL, alias = "registry", env = "OTTLA_SCHEMAS_URL")]
    schema_registry: String,

    /// Send user and password.
    #[arg(
        long,
        global = true,
        value_name = "USER:PASSWORD",
        hide_env_values = true,
        env = "OTTLA_SCHEMAS_USER_INFO"
    )]
    user_info: Option<String>,

    /// Trust the certificates in this file (PEM) instead of those of the system.
    #[arg(long, global = true, value_name = "FILE")]
    cacert: Option<PathBuf>,

    /// Show the certificate in this file (PEM), which holds its private key too.
    #[arg(long, global = true, value_name = "FILE")]
    cert: Option<PathBuf>,

    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, clap::Subcommand)]
enum Action {
    /// Print the names of all subjects, one a line; with SUBJECT its versions.
    List {
        subject: Option<String>,
        /// Only subjects that begin with this.
        #[arg(long)]
        prefix: Option<String>,
        /// Include what is deleted.
        #[arg(long)]
        deleted: bool,
    },
    /// Print a schema.
    Get {
        #[arg(required_unless_present = "id")]
        subject: Option<String>,
        /// A number or latest.
        #[arg(long, default_value = "latest")]
        version: String,
        /// The schema with this id.
        #[arg(long, conflicts_with = "subject")]
        id: Option<i32>,
        /// Print what the registry says of it, and not only the schema.
        #[arg(long)]
        details: bool,
    },
    /// Register a schema, unless it is there, and print its id.
    Register {
        subject: String,
        #[command(flatten)]
        schema: SchemaArguments,
    },
    /// Say whether a schema could be registered.
    ///
    /// Ends with code 1 and the reasons when it could not.
    Check {
        subject: String,
        #[command(flatten)]
        schema: SchemaArguments,
        /// Compare with this version, a number or latest; with all that its rules name otherwise.
        #[arg(long)]
        version: Option<String>,
    },
    /// Show how two versions, or a version and a file, differ.
    Diff {
        subject: String,
        /// The older side: a number or latest. (default: the one before --to, or latest with a file)
        #[arg(long)]
        from: Option<String>,
        /// The newer side: a number or latest.
        #[arg(long, default_value = "latest", conflicts_with_all = ["file", "schema"])]
        to: String,
        #[command(flatten)]
        schema: OptionalSchema,
    },
    /// Delete a subject, or one version of it.
    ///
    /// What is deleted can still be read by its id; --permanent removes what was deleted before.
    Delete {
        subject: String,
        /// A number or latest.
        #[arg(long)]
        version: Option<String>,
        /// Remove for good.
        #[arg(long)]
        permanent: bool,
    },
    /// Show or change the compatibility of a subject, or of all.
    Config {
        subject: Option<String>,
        /// BACKWARD, FORWARD, FULL, each also with _TRANSITIVE, or NONE.
        #[arg(long, value_name = "LEVEL", conflicts_with = "delete")]
        set: Option<String>,
        /// Go back to the rule for all.
        #[arg(long)]
        delete: bool,
    },
    /// Show or change the mode of a subject, or of all.
    Mode {
        subject: Option<String>,
        /// READWRITE, READONLY or IMPORT.
        #[arg(long, value_name = "MODE", conflicts_with = "delete")]
        set: Option<String>,
        /// Also where there are schemas already.
        #[arg(long, requires = "set")]
        force: bool,
        /// Go back to the mode of all.
        #[arg(long)]
        delete: bool,
    },
}

/// A schema, and what belongs to it.
#[derive(Debug, clap::Args)]
struct SchemaArguments {
    #[command(flatten)]
    given: OptionalSchema,
    /// avro, json or protobuf. (default: by the file's name, else avro)
    #[arg(long = "type", value_name = "TYPE")]
    schema_type: Option<String>,
    /// What a name in the schema stands for. May be given several times.
    #[arg(long, value_name = "NAME=SUBJECT:VERSION")]
    reference: Vec<String>,
    /// Compare and register the normalised text.
    #[arg(long)]
    normalize: bool,
}

/// The text of a schema.
#[derive(Debug, clap::Args)]
#[group(multiple = false)]
struct OptionalSchema {
    /// The file that holds the schema; - is standard input.
    #[arg(long, value_name = "FILE")]
    file: Option<PathBuf>,
    /// The schema itself.
    #[arg(long, value_name = "TEXT")]
    schema: Option<String>,
}

/// Why there is nothing to print.
#[derive(Debug)]
enum Failure {
    /// The command line makes no sense.
    Usage(String),
    /// The work failed.
    Other(String),
}

impl From<SourceError> for Failure {
    fn from(error: SourceError) -> Self {
        Self::Other(match error {
            SourceError::Refused { code, message } => format!("{message} (error code {code})"),
            SourceError::Unavailable(reason) => reason,
        })
    }
}

/// What to print, and whether that is good news.
type Outcome = Result<(String, bool), Failure>;

pub(super) fn run(invocation: Invocation) -> u8 {
    let arguments: Arguments = match invocation.parse() {
        Ok(arguments) => arguments,
        Err(code) => return code,
    };
    let outcome = registry(&arguments).and_then(|registry| registry.execute(&arguments.action));
    match outcome {
        Ok((text, is_good)) => match print(&text) {
            OK if !is_good => FAILED,
            code => code,
        },
        Err(Failure::Usage(reason)) => {
            complain(&reason);
            USAGE
        }
        Err(Failure::Other(reason)) => {
            complain(&reason);
            FAILED
        }
    }
}

/// Calls of the API.
struct Api(HttpClient);

fn registry(arguments: &Arguments) -> Result<Api, Failure> {
    let read = |file: &Option<PathBuf>| {
        file.as_ref().map(|file| std::fs::read(file).map_err(unreadable(file))).transpose()
    };
    let config = HttpClientConfig {
        urls: arguments.schema_registry.split(',').map(|url| url.trim().to_owned()).collect(),
        user_info: arguments.user_info.clone().map(Secret),
        trusted_certificates: read(&arguments.cacert)?,
        own_certificates: read(&arguments.cert)?.map(Pem),
        ..HttpClientConfig::default()
    };
    HttpClient::new(&config).map(Api).map_err(Failure::Usage)
}

fn unreadable(file: &Path) -> impl Fn(std::io::Error) -> Failure {
    let file = file.display().to_string();
    move |error| Failure::Other(format!("{file}: {error}"))
}

impl Api {
    fn call(&self, method: &str, path: &str, body: Option<&Value>) -> Result<Value, Failure> {
        let body = body.map(|body| body.to_string().into_bytes());
        let answer = self.0.call(method, path, body.as_deref())?;
        serde_json::from_slice(&answer).map_err(|error| {
            Failure::Other(format!("the answer of the Schema Registry is not JSON: {error}"))
        })
    }

    fn execute(&self, action: &Action) -> Outcome {
        match action {
            Action::List { subject, prefix, deleted } => {
                self.list(subject.as_deref(), prefix.as_deref(), *deleted)
            }
            Action::Get { subject, version, id, details } => {
                self.get(subject.as_deref(), version, *id, *details)
            }
            Action::Register { subject, schema } => self.register(subject, schema),
            Action::Check { subject, schema, version } => {
                self.check(subject, schema, version.as_deref())
            }
            Action::Diff { subject, from, to, schema } => {
                self.diff(subject, from.as_deref(), to, schema)
            }
            Action::Delete { subject, version, permanent } => {
                self.delete(subject, version.as_deref(), *permanent)
            }
            Action::Config { subject, set, delete } => {
                let body = set.as_ref().map(|level| json!({ "compatibility": level }));
                self.setting("config", subject.as_deref(), body.as_ref(), "", *delete)
            }
            Action::Mode { subject, set, force, delete } => {
                let body = set.as_ref().map(|mode| json!({ "mode": mode }));
                let query = if *force { "?force=true" } else { "" };
                self.setting("mode", subject.as_deref(), body.as_ref(), query, *delete)
            }
        }
    }

    fn list(&self, subject: Option<&str>, prefix: Option<&str>, deleted: bool) -> Outcome {
        let mut path = match subject {
            Some(subject) => format!("/subjects/{}/versions", path_segment(subject)),
            None => "/subjects".to_owned(),
        };
        path.push_str(if deleted { "?deleted=true" } else { "?deleted=false" });
        if let Some(prefix) = prefix {
            path.push_str("&subjectPrefix=");
            path.push_str(&path_segment(prefix));
        }
        let answer = self.call("GET", &path, None)?;
        let mut text = String::new();
        for entry in answer.as_array().into_iter().flatten() {
            match entry {
                Value::String(name) => text.push_str(name),
                entry => _ = write!(text, "{entry}"),
            }
            text.push('\n');
        }
        Ok((text, true))
    }

    fn get(&self, subject: Option<&str>, version: &str, id: Option<i32>, details: bool) -> Outcome {
        let answer = match (id, subject) {
            (Some(id), _) => self.call("GET", &format!("/schemas/ids/{id}"), None)?,
            (None, subject) => self.version(subject.unwrap_or_default(), version)?,
        };
        Ok((if details { pretty(&answer) } else { shown_schema(&answer) }, true))
    }

    fn version(&self, subject: &str, version: &str) -> Result<Value, Failure> {
        let path =
            format!("/subjects/{}/versions/{}", path_segment(subject), path_segment(version));
        self.call("GET", &path, None)
    }

    fn register(&self, subject: &str, schema: &SchemaArguments) -> Outcome {
        let query = if schema.normalize { "?normalize=true" } else { "" };
        let path = format!("/subjects/{}/versions{query}", path_segment(subject));
        let answer = self.call("POST", &path, Some(&schema.body()?))?;
        Ok((format!("{}\n", answer.get("id").unwrap_or(&answer)), true))
    }

    fn check(&self, subject: &str, schema: &SchemaArguments, version: Option<&str>) -> Outcome {
        let subject = path_segment(subject);
        let version = version.map(|version| format!("/{}", path_segment(version)));
        let normalize = if schema.normalize { "&normalize=true" } else { "" };
        let path = format!(
            "/compatibility/subjects/{subject}/versions{}?verbose=true{normalize}",
            version.unwrap_or_default()
        );
        let answer = self.call("POST", &path, Some(&schema.body()?))?;
        let is_compatible = answer.get("is_compatible") == Some(&Value::Bool(true));
        let mut text = if is_compatible { "compatible\n" } else { "incompatible\n" }.to_owned();
        for message in answer.get("messages").and_then(Value::as_array).into_iter().flatten() {
            _ = writeln!(text, "  {}", message.as_str().unwrap_or_default());
        }
        Ok((text, is_compatible))
    }

    fn diff(
        &self,
        subject: &str,
        from: Option<&str>,
        to: &str,
        schema: &OptionalSchema,
    ) -> Outcome {
        let (old, new, new_name) = match schema.text()? {
            Some(text) => {
                let old = self.version(subject, from.unwrap_or("latest"))?;
                (old, shown_text(&text), "given".to_owned())
            }
            None => {
                let new = self.version(subject, to)?;
                let number = new.get("version").and_then(Value::as_i64).unwrap_or_default();
                let before = match from {
                    Some(from) => from.to_owned(),
                    None => self.version_before(subject, number)?,
                };
                let old = self.version(subject, &before)?;
                (old, shown_schema(&new), format!("version {number}"))
            }
        };
        let number = old.get("version").and_then(Value::as_i64).unwrap_or_default();
        let differences = diff::lines(&shown_schema(&old), &new);
        if differences.is_empty() {
            return Ok((String::new(), true));
        }
        let head = format!("--- {subject} version {number}\n+++ {subject} {new_name}\n");
        Ok((head + &differences, true))
    }

    fn version_before(&self, subject: &str, number: i64) -> Result<String, Failure> {
        let path = format!("/subjects/{}/versions", path_segment(subject));
        let versions = self.call("GET", &path, None)?;
        let versions = versions.as_array().into_iter().flatten().filter_map(Value::as_i64);
        let before = versions.filter(|version| *version < number).max();
        before.map(|version| version.to_string()).ok_or_else(|| {
            Failure::Other(format!("{subject} has no version before {number} to compare with"))
        })
    }

    fn delete(&self, subject: &str, version: Option<&str>, permanent: bool) -> Outcome {
        let mut path = format!("/subjects/{}", path_segment(subject));
        if let Some(version) = version {
            path.push_str("/versions/");
            path.push_str(&path_segment(version));
        }
        if permanent {
            path.push_str("?permanent=true");
        }
        let answer = self.call("DELETE", &path, None)?;
        Ok((format!("{answer}\n"), true))
    }

    fn setting(
        &self,
        name: &str,
        subject: Option<&str>,
        body: Option<&Value>,
        query: &str,
        delete: bool,
    ) -> Outcome {
        let subject = subject.map(|subject| format!("/{}", path_segment(subject)));
        let path = format!("/{name}{}", subject.as_deref().unwrap_or_default());
        let answer = match body {
            _ if delete => self.call("DELETE", &path, None)?,
            Some(body) => self.call("PUT", &format!("{path}{query}"), Some(body))?,
            // A subject without a rule of its own has that of all.
            None if subject.is_some() => {
                self.call("GET", &format!("{path}?defaultToGlobal=true"), None)?
            }
            None => self.call("GET", &path, None)?,
        };
        Ok((format!("{answer}\n"), true))
    }
}

impl SchemaArguments {
    /// The body of a request that brings it.
    fn body(&self) -> Result<Value, Failure> {
        let text = self.given.text()?.ok_or_else(|| {
            Failure::Usage("a schema is needed: --file FILE or --schema TEXT".to_owned())
        })?;
        let schema_type = match (&self.schema_type, &self.given.file) {
            (Some(name), _) => parse_schema_type(name).map_err(|error| Failure::Usage(error.0))?,
            (None, Some(file)) if file.extension().is_some_and(|end| end == "proto") => {
                registry::SchemaType::Protobuf
            }
            (None, _) => registry::SchemaType::Avro,
        };
        let mut body = Map::new();
        body.insert("schema".to_owned(), text.into());
        if schema_type != registry::SchemaType::Avro {
            body.insert("schemaType".to_owned(), schema_type.to_string().into());
        }
        if !self.reference.is_empty() {
            let references: Result<Vec<Value>, Failure> =
                self.reference.iter().map(|text| reference(text)).collect();
            body.insert("references".to_owned(), references?.into());
        }
        Ok(Value::Object(body))
    }
}

fn reference(text: &str) -> Result<Value, Failure> {
    let parts = text.split_once('=').and_then(|(name, rest)| {
        let (subject, version) = rest.rsplit_once(':')?;
        Some((name, subject, version.parse::<i32>().ok()?))
    });
    match parts {
        Some((name, subject, version)) => {
            Ok(json!({ "name": name, "subject": subject, "version": version }))
        }
        None => Err(Failure::Usage(format!("{text} is not NAME=SUBJECT:VERSION"))),
    }
}

impl OptionalSchema {
    fn text(&self) -> Result<Option<String>, Failure> {
        match (&self.file, &self.schema) {
            (Some(file), _) if file.as_os_str() == "-" => {
                let mut text = String::new();
                let read = std::io::stdin().read_to_string(&mut text);
                read.map_err(unreadable(Path::new("standard input")))?;
                Ok(Some(text))
            }
            (Some(file), _) => std::fs::read_to_string(file).map(Some).map_err(unreadable(file)),
            (None, text) => Ok(text.clone()),
        }
    }
}

/// The schema that an answer holds, for reading.
fn shown_schema(answer: &Value) -> String {
    shown_text(answer.get("schema").and_then(Value::as_str).unwrap_or_default())
}

/// A schema for reading: JSON with a line for each member, other texts as they are.
fn shown_text(text: &str) -> String {
    match serde_json::from_str::<Value>(text) {
        Ok(value) => pretty(&value),
        Err(_) => format!("{}\n", text.trim_end_matches('\n')),
    }
}

fn pretty(value: &Value) -> String {
    format!("{value:#}\n")
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    fn body(line: &[&str]) -> Result<Value, String> {
        let line = ["schemas", "register", "s"].iter().chain(line);
        let arguments = Arguments::try_parse_from(line).map_err(|error| error.to_string())?;
        let Action::Register { schema, .. } = arguments.action else { panic!("register") };
        schema.body().map_err(|failure| match failure {
            Failure::Usage(reason) | Failure::Other(reason) => reason,
        })
    }

    #[test]
    fn a_schema_is_given_with_what_belongs_to_it() {
        let text = "{\"type\":\"string\"}";
        assert_eq!(body(&["--schema", text]).unwrap(), json!({ "schema": text }));
        assert_eq!(
            body(&["--schema", "x", "--type", "json", "--reference", "a.proto=b:c:2"]).unwrap(),
            json!({
                "schema": "x",
                "schemaType": "JSON",
                "references": [{ "name": "a.proto", "subject": "b:c", "version": 2 }],
            })
        );
    }

    #[test]
    fn what_makes_no_sense_is_refused() {
        for (line, expected) in [
            (&[][..], "a schema is needed"),
            (&["--schema", "x", "--type", "xml"], "There is no schema type xml"),
            (&["--schema", "x", "--reference", "a=b"], "a=b is not NAME=SUBJECT:VERSION"),
            (&["--file", "/no/such/file"], "/no/such/file: "),
            (&["--file", "f", "--schema", "x"], "cannot be used with"),
        ] {
            let refusal = body(line).unwrap_err();
            assert!(refusal.contains(expected), "{line:?}: {refusal}");
        }
    }

    #[test]
    fn schemas_are_shown_with_a_line_for_each_member() {
        assert_eq!(shown_text("{\"b\":1,\"a\":[]}"), "{\n  \"b\": 1,\n  \"a\": []\n}\n");
        assert_eq!(shown_text("syntax = \"proto3\";\n\n"), "syntax = \"proto3\";\n");
    }
}
