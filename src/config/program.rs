//! Settings of the program as a whole.

use std::num::NonZeroUsize;
use std::time::Duration;

use protocol::config_def::{
    ConfigDef, ConfigError, ConfigKey, ConfigReader, ConfigType, ConfigValues, Validator,
};

/// Their declarations.
#[rustfmt::skip]
pub(super) const KEYS: &[ConfigKey] = &[
    ConfigKey::new("worker.threads", ConfigType::Int).default("0").range(0, 4096)
        .doc("Threads of the HTTP server, and as many for broker and client; 0 means one per core."),
    ConfigKey::new("shutdown.timeout.ms", ConfigType::Long).default("30000").at_least(0)
        .doc("How long a stop may take in all. After that the program ends as it is; nothing acknowledged is lost."),
    ConfigKey::new("logging.filter", ConfigType::String).default("info")
        .doc("What is logged: a level, and levels of single parts, such as info,broker=debug."),
    ConfigKey::new("logging.format", ConfigType::String).default("text").validator(Validator::OneOf(&["text", "json"]))
        .doc("How log lines look: text, or one JSON object per line."),
];

/// What the program as a whole runs with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Program {
    /// Threads of the HTTP server and of the asynchronous runtime, each.
    pub(crate) worker_threads: usize,
    /// How long a stop may take in all.
    pub(crate) shutdown_timeout: Duration,
    /// What is logged.
    pub(crate) logging_filter: String,
    /// How log lines look.
    pub(crate) logging_format: LoggingFormat,
}

/// How log lines look.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum LoggingFormat {
    Text,
    Json,
}

impl Program {
    /// # Errors
    /// Every value that was refused.
    pub(super) fn from_values(values: &ConfigValues) -> Result<Self, Vec<ConfigError>> {
        let definition = ConfigDef::new(&[KEYS]);
        let mut reader = ConfigReader::new(&definition, values);
        reader.check_all();
        let cores = || std::thread::available_parallelism().map_or(1, NonZeroUsize::get);
        let logging_filter = reader.text("logging.filter");
        if let Err(error) = tracing_subscriber::EnvFilter::try_new(&logging_filter) {
            reader.invalid("logging.filter", error.to_string());
        }
        let program = Self {
            worker_threads: Some(reader.size("worker.threads"))
                .filter(|threads| *threads > 0)
                .unwrap_or_else(cores),
            shutdown_timeout: reader.millis("shutdown.timeout.ms"),
            logging_filter,
            logging_format: match reader.text("logging.format").as_str() {
                "json" => LoggingFormat::Json,
                _ => LoggingFormat::Text,
            },
        };
        reader.finish(program)
    }
}
