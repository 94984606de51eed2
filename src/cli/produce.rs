//! `ottla produce`, Kafka's `kafka-console-producer` and Confluent's
//! `kafka-avro-console-producer`: each line of standard input becomes a record.

mod lines;
mod schemas;

use std::collections::BTreeMap;
use std::io::{IsTerminal, Write};
use std::path::Path;

use client::producer::{Delivery, ProduceError, Producer, ProducerConfig};
use client::{AutoCreate, Client, ClientConfig};
use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;
use protocol::Str;
use protocol::records::RecordBuffer;
use tokio::sync::mpsc;

use self::lines::{LineParser, LineReader, ReadError};
use self::schemas::{Encoders, SchemaOptions};
use super::client_settings::ClientSettings;
use super::options::{Argument, CLUSTER, Options, Spec, Tool, UsageError, flag, value};
use super::progress::Progress;
use super::session::{Failure, with_client};
use super::{FAILED, Invocation, OK, complain, signalled};
use crate::config::load_properties;
use crate::shutdown::Signals;

const TOOL: Tool = Tool {
    about: "This tool helps to read data from standard input and publish it to Kafka.",
    options: &[
        value(
            "batch-size",
            "size",
            "The option to control `batch.size`: bytes up to which a batch takes records.",
        ),
        value(
            "command-property",
            "name=value",
            "A setting of the producer; wins over --command-config.",
        ),
        Spec {
            name: "compression-codec",
            argument: Argument::Optional("codec"),
            help: "The compression codec: either 'none', 'gzip', 'snappy', 'lz4', or 'zstd'. If specified without value, then it is 'gzip'.",
        },
        value(
            "line-reader",
            "class",
            "Accepted for org.apache.kafka.tools.LineMessageReader, which is what reads lines.",
        ),
        value(
            "max-block-ms",
            "ms",
            "The option to control `max.block.ms`: how long a record may wait for metadata or memory.",
        ),
        value(
            "max-memory-bytes",
            "bytes",
            "The option to control `buffer.memory`: bytes of records that may wait to be sent.",
        ),
        value("key-schema", "schema", "As --value-schema, for keys (with parse.key=true)."),
        value("key-schema-file", "file", "As --value-schema-file, for keys."),
        value("key-schema-id", "id", "As --value-schema-id, for keys."),
        value("max-partition-memory-bytes", "bytes", "The older name of --batch-size."),
        value(
            "message-send-max-retries",
            "count",
            "Accepted; what can be sent again is, until `delivery.timeout.ms` is over.",
        ),
        value("metadata-expiry-ms", "ms", "The option to control `metadata.max.age.ms`."),
        value("producer-property", "name=value", "The older name of --command-property."),
        value("producer.config", "file", "The older name of --command-config."),
        value("property", "name=value", "The older name of --reader-property."),
        value(
            "reader-config",
            "file",
            "Property file for the reader; --reader-property wins over it.",
        ),
        value(
            "reader-property",
            "name=value",
            "How lines are read: parse.key=false, key.separator=\\t, parse.headers=false, headers.delimiter=\\t, headers.separator=, headers.key.separator=: ignore.error=false, null.marker=TEXT. With headers and key a line is h1:v1,h2:v2 TAB key TAB value.",
        ),
        value(
            "request-required-acks",
            "acks",
            "The option to control `acks`: all, 1 or 0. (default: all)",
        ),
        value("request-timeout-ms", "ms", "The option to control `request.timeout.ms`."),
        value("retry-backoff-ms", "ms", "The option to control `retry.backoff.ms`."),
        super::schema_registry::URL_OPTION,
        value(
            "schema-type",
            "type",
            "What --value-schema and --key-schema are: avro, json or protobuf. (default: avro)",
        ),
        value("socket-buffer-size", "size", "Accepted; the system chooses."),
        flag("sync", "Send one record at a time, and end at the first that is refused."),
        value(
            "timeout",
            "ms",
            "The option to control `linger.ms`: how long a batch waits for more. (default: 0)",
        ),
        value("topic", "topic", "REQUIRED: The topic to produce to."),
        value(
            "value-schema",
            "schema",
            "Lines hold JSON, and are written with this schema. It is registered under the topic's subject unless it is there.",
        ),
        value("value-schema-file", "file", "As --value-schema, with the schema in a file."),
        value("value-schema-id", "id", "As --value-schema, with a schema that is registered."),
    ],
    common: CLUSTER,
};

/// Options that stand for a setting of the producer. Later ones win.
const SETTINGS: &[(&str, &str)] = &[
    ("timeout", "linger.ms"),
    ("request-required-acks", "acks"),
    ("request-timeout-ms", "request.timeout.ms"),
    ("retry-backoff-ms", "retry.backoff.ms"),
    ("max-memory-bytes", "buffer.memory"),
    ("max-partition-memory-bytes", "batch.size"),
    ("batch-size", "batch.size"),
    ("metadata-expiry-ms", "metadata.max.age.ms"),
    ("max-block-ms", "max.block.ms"),
];

/// Pieces of input that may wait to be sent.
const PIECES: usize = 2;

pub(super) fn run(invocation: Invocation) -> u8 {
    let options = match Options::read(&TOOL, invocation) {
        Ok(options) => options,
        Err(code) => return code,
    };
    let outcome = Job::read(&options)
        .and_then(|(client, job)| with_client(client, async |client| job.run(client).await));
    match outcome {
        Ok(code) => code,
        Err(Failure::Usage(error)) => options.refuse(&error),
        Err(failure) => {
            complain(&failure.message());
            FAILED
        }
    }
}

/// What the command line asks for.
#[derive(Debug)]
struct Job {
    topic: Str,
    parser: LineParser,
    producer: ProducerConfig,
    /// One record at a time.
    sync: bool,
    /// For records with schemas.
    schemas: Option<SchemaOptions>,
}

impl Job {
    fn read(options: &Options) -> Result<(ClientConfig, Self), Failure> {
        let topic = options.required("topic")?.into();
        if let Some(class) = options.value("line-reader")?
            && class.rsplit('.').next() != Some("LineMessageReader")
        {
            return Err(UsageError(format!(
                "There is no line-reader {class}, only LineMessageReader"
            ))
            .into());
        }
        let files = ["producer.config", "command-config"];
        let mut settings =
            ClientSettings::read(options, &files, &["producer-property", "command-property"])?;
        for (option, setting) in SETTINGS {
            if let Some(text) = options.value(option)? {
                settings.set(setting, text)?;
            }
        }
        if options.has("compression-codec") {
            settings
                .set("compression.type", options.value("compression-codec")?.unwrap_or("gzip"))?;
        }
        let mut properties = Vec::new();
        if let Some(file) = options.value("reader-config")? {
            let read = load_properties(Path::new(file));
            properties = read.map_err(|error| Failure::other(format!("{file}: {error}")))?;
        }
        properties.extend(options.pairs("property")?);
        properties.extend(options.pairs("reader-property")?);
        let is_parse_key = |(name, text): &(String, String)| {
            name == "parse.key" && text.trim().eq_ignore_ascii_case("true")
        };
        let parses_keys = properties.iter().any(is_parse_key);
        let schemas = SchemaOptions::read(&options.program, options, &mut properties, parses_keys)?;
        let parser = LineParser::new(&properties)?;
        let producer = settings.producer();
        let mut client = settings.client(options, "console-producer")?;
        client.api_timeout = producer.max_block;
        Ok((client, Self { topic, parser, producer, sync: options.has("sync"), schemas }))
    }

    async fn run(self, client: Client) -> Result<u8, Failure> {
        let mut signals = Signals::listen()
            .map_err(|error| Failure::other(format!("cannot listen for signals: {error}")))?;
        let timeout = self.producer.delivery_timeout;
        let encoders = match &self.schemas {
            Some(options) => tokio::select! {
                encoders = options.encoders(&self.topic) => encoders?,
                number = signals.next() => return Ok(signalled(number)),
            },
            None => Encoders::default(),
        };
        let input = read_input(self.producer.max_request_size);
        let producer = Producer::new(client.clone(), self.producer.clone());
        let mut sending = Sending {
            job: &self,
            client: &client,
            producer: &producer,
            encoders,
            under_way: FuturesUnordered::new(),
            progress: Progress::new("records", !std::io::stdin().is_terminal()),
            next_line: 1,
            written: 0,
            lost: 0,
        };
        let interrupted = tokio::select! {
            outcome = sending.send_all(input) => outcome.map(|()| None),
            number = signals.next() => Ok(Some(number)),
        };
        // What was handed over is sent in any case.
        let finished = signals.bound(sending.finish(), timeout).await;
        let lost = sending.lost;
        drop(sending);
        producer.close().await;
        match interrupted? {
            Some(number) => Ok(signalled(number)),
            None if finished.is_err() || lost > 0 => Ok(FAILED),
            None => Ok(OK),
        }
    }
}

/// Reads standard input on a thread of its own, because nothing can end a read
/// that waits.
fn read_input(limit: usize) -> mpsc::Receiver<Result<Vec<u8>, ReadError>> {
    let (pieces, input) = mpsc::channel(PIECES);
    tokio::task::spawn_blocking(move || {
        let prompts = std::io::stdin().is_terminal() && std::io::stdout().is_terminal();
        let mut reader = LineReader::new(std::io::stdin().lock(), limit);
        loop {
            if prompts {
                let mut terminal = std::io::stdout();
                // Nothing can be done about a terminal that is gone.
                let _ = terminal.write_all(b">").and_then(|()| terminal.flush());
            }
            let Some(piece) = reader.next().transpose() else { return };
            let failed = piece.is_err();
            if pieces.blocking_send(piece).is_err() || failed {
                return;
            }
        }
    });
    input
}

/// What became of one call of the producer, with the number of the first line.
type Sent = (u64, Result<Delivery, ProduceError>);

/// Records on their way.
struct Sending<'a> {
    job: &'a Job,
    client: &'a Client,
    producer: &'a Producer,
    encoders: Encoders,
    /// Their number is bounded by the memory that the producer lends.
    under_way: FuturesUnordered<futures_util::future::BoxFuture<'static, Sent>>,
    progress: Progress,
    next_line: u64,
    written: u64,
    lost: u64,
}

impl Sending<'_> {
    async fn send_all(
        &mut self,
        mut input: mpsc::Receiver<Result<Vec<u8>, ReadError>>,
    ) -> Result<(), Failure> {
        loop {
            tokio::select! {
                piece = input.recv() => match piece {
                    Some(Ok(piece)) => self.send_piece(&piece).await?,
                    Some(Err(error)) => {
                        let line = self.next_line;
                        return Err(Failure::other(format!("line {line} of the input cannot be read: {error}")));
                    }
                    None => return Ok(()),
                },
                Some(sent) = self.under_way.next() => self.count(sent),
            }
        }
    }

    /// Hands the records of some lines over to the producer. Those before one
    /// that cannot be parsed are sent.
    async fn send_piece(&mut self, piece: &[u8]) -> Result<(), Failure> {
        let topic = self.client.topic(&self.job.topic, AutoCreate::Yes).await?;
        let topic = topic.ok_or_else(|| {
            Failure::other(format!("topic {} does not exist and is not created", self.job.topic))
        })?;
        let partitioner = self.producer.partitioner(&topic);
        let mut by_partition: BTreeMap<i32, (u64, RecordBuffer)> = BTreeMap::new();
        let mut outcome = Ok(());
        let (mut key, mut value) = (Vec::new(), Vec::new());
        for line in lines::lines(piece) {
            let number = self.next_line;
            self.next_line += 1;
            let parsed = self.job.parser.parse(line, number);
            let encoded = parsed.and_then(|mut record| {
                let Encoders { key: of_key, value: of_value } = &self.encoders;
                let encode = |field, what, codec: &Option<_>, scratch| {
                    let encoded = Encoders::encode(codec.as_deref(), field, what, scratch);
                    encoded.map_err(|reason| format!("The record of line {number}: {reason}"))
                };
                record.key = encode(record.key, "key", of_key, &mut key)?;
                record.value = encode(record.value, "value", of_value, &mut value)?;
                Ok(record)
            });
            let record = match encoded {
                Ok(record) => record,
                Err(message) => {
                    outcome = Err(Failure::Other(message));
                    break;
                }
            };
            let partition = partitioner.partition_for(record.key);
            if self.job.sync {
                self.send_and_wait(number, partition, |records| record.write(records)).await?;
            } else {
                let (_, records) =
                    by_partition.entry(partition).or_insert_with(|| (number, RecordBuffer::new()));
                record.write(records);
            }
        }
        for (partition, (first_line, records)) in by_partition {
            self.hand_over(first_line, partition, records).await;
        }
        outcome
    }

    async fn hand_over(&mut self, first_line: u64, partition: i32, records: RecordBuffer) {
        let count = records.len();
        match self.producer.enqueue(&self.job.topic, partition, records).await {
            Ok(delivery) => {
                self.under_way.push(Box::pin(async move { (first_line, delivery.await) }));
            }
            Err(error) => self.complain(first_line, count, &error),
        }
    }

    async fn send_and_wait(
        &mut self,
        line: u64,
        partition: i32,
        write: impl FnOnce(&mut RecordBuffer),
    ) -> Result<(), Failure> {
        let mut records = RecordBuffer::new();
        write(&mut records);
        let sent = self.producer.send(&self.job.topic, partition, records).await;
        let sent = sent.and_then(Delivery::into_result);
        sent.map_err(|error| {
            Failure::other(format!("the record of line {line} was not written: {error}"))
        })?;
        self.written += 1;
        self.progress.update(self.written);
        Ok(())
    }

    fn count(&mut self, (first_line, outcome): Sent) {
        match outcome {
            Ok(delivery) => {
                for run in delivery.runs() {
                    match &run.outcome {
                        Ok(_) => self.written += run.count as u64,
                        Err(error) => self.complain(first_line, run.count, error),
                    }
                }
            }
            Err(error) => self.complain(first_line, 1, &error),
        }
        self.progress.update(self.written);
    }

    fn complain(&mut self, first_line: u64, count: usize, error: &ProduceError) {
        self.lost += count as u64;
        self.progress.clear();
        let what = if count == 1 { "record" } else { "records" };
        complain(&format!("{count} {what} from line {first_line} on: {error}"));
    }

    /// Waits until the fate of all records is known.
    async fn finish(&mut self) {
        while let Some(sent) = self.under_way.next().await {
            self.count(sent);
        }
    }
}

#[cfg(test)]
mod tests {
    use client::producer::Acks;
    use protocol::records::Compression;

    use super::*;

    fn job(line: &str) -> Result<(ClientConfig, Job), String> {
        let arguments = line.split_whitespace().map(Into::into).collect();
        let invocation = Invocation { program: "kafka-console-producer".to_owned(), arguments };
        Job::read(&Options::read(&TOOL, invocation).unwrap()).map_err(|failure| failure.message())
    }

    #[test]
    fn the_flags_of_kafkas_tool_become_settings() {
        let (client, job) = job(
            "--topic t --broker-list h:1,h:2 --request-required-acks 1 --compression-codec --sync --timeout 7 \
             --producer-property linger.ms=9 --producer-property batch.size=10 --batch-size 11",
        )
        .unwrap();
        assert_eq!(client.bootstrap_servers, ["h:1", "h:2"]);
        assert_eq!(client.client_id, "console-producer");
        assert_eq!(job.topic, "t");
        assert!(job.sync);
        assert_eq!(
            (job.producer.acks, job.producer.compression),
            (Acks::Leader, Compression::Gzip)
        );
        assert_eq!((job.producer.linger.as_millis(), job.producer.batch_size), (7, 11));
    }

    #[test]
    fn a_topic_is_all_it_takes() {
        let (client, job) = job("--topic t").unwrap();
        assert_eq!(client.bootstrap_servers, ["localhost:9092"]);
        assert_eq!((job.producer.acks, job.producer.compression), (Acks::All, Compression::None));
        assert!(!job.sync);
    }

    #[test]
    fn what_cannot_work_is_refused() {
        for (line, expected) in [
            ("--sync", "Missing required argument \"[topic]\""),
            (
                "--topic t --compression-codec brotli",
                "Invalid value brotli for configuration compression.type",
            ),
            ("--topic t --request-required-acks 2", "Invalid value 2 for configuration acks"),
            ("--topic t --bootstrap-server h", "is not an address of the form host:port"),
            ("--topic t --line-reader my.Reader", "There is no line-reader my.Reader"),
            ("--topic t --producer-property security.protocol=SSL", "only PLAINTEXT is"),
            ("--topic t --reader-config /no/such/file", "/no/such/file: "),
        ] {
            let refusal = job(line).unwrap_err();
            assert!(refusal.contains(expected), "{line}: {refusal}");
        }
    }
}
