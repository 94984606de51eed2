//! `ottla consume`, Kafka's `kafka-console-consumer` and Confluent's
//! `kafka-avro-console-consumer`: prints the records of topics.

mod formatter;

use std::collections::BTreeSet;
use std::hash::{BuildHasher, RandomState};
use std::io::{self, IsTerminal, Write};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use client::consumer::{
    Consumer, ConsumerConfig, ConsumerError, RebalanceListener, Take, TopicPartition,
};
use client::{AutoCreate, Client, ClientConfig};
use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use protocol::Str;
use regex::Regex;
use registry::SourceError;
use registry::source::HttpClientConfig;
use tokio::time::Instant;

use self::formatter::{Formatter, KnownSchemas, Unprintable};
use super::client_settings::ClientSettings;
use super::options::{CLUSTER, Options, Tool, UsageError, eprint, flag, value};
use super::progress::Progress;
use super::schema_registry::{self, Properties, http_config, schema_type_of_tool};
use super::session::{Failure, with_client};
use super::topics::topic_pattern;
use super::{FAILED, Invocation, OK, complain, signalled};
use crate::config::load_properties;
use crate::shutdown::Signals;

const TOOL: Tool = Tool {
    about: "This tool helps to read data from Kafka topics and outputs it to standard output.",
    options: &[
        flag("avro", "Show keys and values as JSON, by the schemas that they name."),
        value(
            "command-property",
            "name=value",
            "A setting of the consumer; wins over --command-config.",
        ),
        value("consumer-property", "name=value", "The older name of --command-property."),
        value("consumer.config", "file", "The older name of --command-config."),
        value(
            "formatter",
            "class",
            "DefaultMessageFormatter, or NoOpMessageFormatter, which prints nothing.",
        ),
        value(
            "formatter-config",
            "file",
            "Property file for the formatter; --formatter-property wins over it.",
        ),
        value(
            "formatter-property",
            "name=value",
            "What is printed: print.timestamp=false, print.partition=false, print.offset=false, print.epoch=false, print.headers=false, print.key=false, print.value=true, key.separator=\\t, line.separator=\\n, headers.separator=, null.literal=null, print.schema.ids=false, schema.id.separator=\\t, key.deserializer=CLASS, value.deserializer=CLASS, headers.deserializer=CLASS.",
        ),
        flag(
            "from-beginning",
            "Where the group has committed no offset, begin at the oldest record rather than behind the newest.",
        ),
        value(
            "group",
            "group id",
            "The consumer group; its offsets are committed. Without it, one with a random name is used, and nothing is committed.",
        ),
        value(
            "include",
            "regex",
            "Read all topics whose names match, those that appear later included.",
        ),
        value(
            "isolation-level",
            "level",
            "read_committed leaves out records of transactions that are not committed. (default: read_uncommitted)",
        ),
        flag("json-schema", "The same as --avro."),
        value("key-deserializer", "class", "As --formatter-property key.deserializer=CLASS."),
        value("max-messages", "count", "End after so many records."),
        value(
            "offset",
            "offset",
            "With --partition: a number, 'earliest' or 'latest'. (default: latest)",
        ),
        value("partition", "partition", "Read only this partition, without a group."),
        value("property", "name=value", "The older name of --formatter-property."),
        flag("protobuf", "The same as --avro."),
        super::schema_registry::URL_OPTION,
        flag("skip-message-on-error", "Go on after a record that cannot be printed."),
        value("timeout-ms", "ms", "End when no record came for this time."),
        value("topic", "topic", "The topic to read."),
        value("value-deserializer", "class", "As --formatter-property value.deserializer=CLASS."),
    ],
    common: CLUSTER,
};

/// Bytes that are printed at a time, unless one record is larger.
const PRINT_SIZE: usize = 256 * 1024;

/// The longest wait of one read, when there is no end to waiting.
const WAIT: Duration = Duration::from_secs(3600);

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
    source: Source,
    consumer: ConsumerConfig,
    /// How often offsets are committed, if they are.
    commit_interval: Option<Duration>,
    max_messages: Option<u64>,
    /// The longest wait for a record.
    timeout: Option<Duration>,
    skip_on_error: bool,
    /// `None` prints nothing.
    formatter: Option<Formatter>,
    /// Where the schemas of records are.
    registry: HttpClientConfig,
}

/// What is read.
#[derive(Debug)]
enum Source {
    Topic(Str),
    Pattern(Regex),
    Partition(TopicPartition, Start),
}

/// Where reading of a partition begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Start {
    Earliest,
    Latest,
    At(i64),
}

impl Job {
    fn read(options: &Options) -> Result<(ClientConfig, Self), Failure> {
        let source = source(options)?;
        let files = ["consumer.config", "command-config"];
        let groups = group_ids(options)?;
        if !groups.is_empty() && matches!(source, Source::Partition(..)) {
            return usage("Options group and partition cannot be specified together.");
        }
        let mut settings =
            ClientSettings::read(options, &files, &["consumer-property", "command-property"])?;
        if let Some(level) = options.value("isolation-level")? {
            settings.set("isolation.level", level)?;
        }
        match settings.text("auto.offset.reset") {
            Some(reset) if options.has("from-beginning") && reset != "earliest" => {
                return Err(Failure::other(format!(
                    "Can't simultaneously specify --from-beginning and 'auto.offset.reset={reset}', please remove one option"
                )));
            }
            None if options.has("from-beginning") => {
                settings.set("auto.offset.reset", "earliest")?
            }
            _ => {}
        }
        let client = settings.client(options, "console-consumer")?;
        let mut consumer = settings.consumer()?;
        let mut commits = settings.boolean("enable.auto.commit").unwrap_or(!groups.is_empty());
        match &source {
            Source::Partition(..) => {
                consumer.group_id = None;
                commits = false;
            }
            Source::Topic(_) | Source::Pattern(_) => {
                consumer.group_id = Some(groups.into_iter().next().unwrap_or_else(random_group));
            }
        }
        let commit_interval =
            settings.millis("auto.commit.interval.ms").unwrap_or(Duration::from_secs(5));
        let (formatter, registry) = formatter(options)?;
        let job = Self {
            source,
            consumer,
            commit_interval: commits.then_some(commit_interval.max(Duration::from_millis(1))),
            max_messages: options
                .number::<i64>("max-messages")?
                .and_then(|count| count.try_into().ok()),
            timeout: options
                .number::<i64>("timeout-ms")?
                .and_then(|millis| millis.try_into().ok())
                .map(Duration::from_millis),
            skip_on_error: options.has("skip-message-on-error"),
            formatter,
            registry,
        };
        Ok((client, job))
    }

    async fn run(self, client: Client) -> Result<u8, Failure> {
        let mut signals = Signals::listen()
            .map_err(|error| Failure::other(format!("cannot listen for signals: {error}")))?;
        let consumer = Consumer::new(client.clone(), self.consumer.clone());
        let mut reading = Reading {
            job: &self,
            client: &client,
            consumer: &consumer,
            commit_at: Instant::now(),
            progress: Progress::new("records", !io::stdout().is_terminal()),
            count: 0,
            is_heard: true,
            known: KnownSchemas {
                schemas: Some(schema_registry::schemas(&self.registry)?),
                ..KnownSchemas::default()
            },
        };
        let outcome = tokio::select! {
            outcome = reading.run() => outcome.map(|()| OK),
            number = signals.next() => Ok(signalled(number)),
        };
        let Reading { progress, count, is_heard, .. } = reading;
        drop(progress);
        if is_heard {
            eprint(&format!("Processed a total of {count} messages\n"));
        }
        let leaving = async {
            if self.commit_interval.is_some() {
                commit(&consumer).await;
            }
            consumer.close().await;
        };
        // A second signal does not wait.
        let _ = signals.bound(leaving, self.consumer.session_timeout).await;
        outcome
    }
}

fn usage<T>(text: impl Into<String>) -> Result<T, Failure> {
    Err(UsageError(text.into()).into())
}

fn source(options: &Options) -> Result<Source, Failure> {
    let topic = options.value("topic")?;
    let (topic, pattern) = match (topic, options.value("include")?) {
        (Some(topic), None) => (topic, None),
        (None, Some(pattern)) => ("", Some(topic_pattern(pattern)?)),
        _ => {
            return usage("Exactly one of the following arguments is required: [topic], [include]");
        }
    };
    let partition = options.number::<i32>("partition")?;
    match (partition, pattern) {
        (Some(_), Some(_)) => usage("The topic is required when partition is specified."),
        (None, _) if options.has("offset") => {
            usage("The partition is required when offset is specified.")
        }
        (None, Some(pattern)) => Ok(Source::Pattern(pattern)),
        (None, None) => Ok(Source::Topic(topic.into())),
        (Some(partition), None) => {
            if options.has("from-beginning") && options.has("offset") {
                return usage("Options from-beginning and offset cannot be specified together.");
            }
            Ok(Source::Partition(TopicPartition::new(topic, partition), start(options)?))
        }
    }
}

fn start(options: &Options) -> Result<Start, Failure> {
    let Some(text) = options.value("offset")? else {
        return Ok(if options.has("from-beginning") { Start::Earliest } else { Start::Latest });
    };
    match (text.to_ascii_lowercase().as_str(), text.parse()) {
        ("earliest", _) => Ok(Start::Earliest),
        ("latest", _) => Ok(Start::Latest),
        (_, Ok(offset @ 0..)) => Ok(Start::At(offset)),
        _ => usage(format!(
            "The provided offset value '{text}' is incorrect. Valid values are 'earliest', 'latest', or a non-negative long."
        )),
    }
}

/// The names of the group from all the places where it may be given: one at most.
fn group_ids(options: &Options) -> Result<BTreeSet<Str>, Failure> {
    let mut groups: BTreeSet<Str> = options.value("group")?.into_iter().map(Str::from).collect();
    for option in ["consumer.config", "command-config"] {
        let Some(file) = options.value(option)? else { continue };
        let properties = load_properties(Path::new(file));
        let properties = properties.map_err(|error| Failure::other(format!("{file}: {error}")))?;
        groups.extend(
            properties
                .iter()
                .rfind(|(name, _)| name == "group.id")
                .map(|(_, id)| Str::from(id.as_str())),
        );
    }
    for option in ["consumer-property", "command-property"] {
        let pairs = options.pairs(option)?;
        groups.extend(
            pairs
                .iter()
                .rfind(|(name, _)| name == "group.id")
                .map(|(_, id)| Str::from(id.as_str())),
        );
    }
    if groups.len() > 1 {
        let names: Vec<String> = groups.iter().map(|group| format!("'{group}'")).collect();
        return usage(format!(
            "The group ids provided in different places (directly using '--group', via '--command-property', or via \
             '--command-config') do not match. Detected group ids: {}",
            names.join(", ")
        ));
    }
    Ok(groups)
}

/// A name for a group that nobody asked for.
fn random_group() -> Str {
    let random = RandomState::new().hash_one(std::process::id());
    Str::from(format!("console-consumer-{}", random % 100_000))
}

fn formatter(options: &Options) -> Result<(Option<Formatter>, HttpClientConfig), Failure> {
    let mut properties = Vec::new();
    if let Some(file) = options.value("formatter-config")? {
        let read = load_properties(Path::new(file));
        properties = read.map_err(|error| Failure::other(format!("{file}: {error}")))?;
    }
    for name in ["key", "value"] {
        let class = options.value(&format!("{name}-deserializer"))?;
        properties.extend(class.map(|class| (format!("{name}.deserializer"), class.to_owned())));
    }
    properties.extend(options.pairs("property")?);
    properties.extend(options.pairs("formatter-property")?);
    let of_registry = Properties::take_from(&mut properties, &[]);
    let registry = http_config(options, &of_registry)?;
    let class = options.value("formatter")?.unwrap_or("DefaultMessageFormatter");
    let class_name = class.rsplit('.').next();
    let has_schemas = schema_type_of_tool(&options.program).is_some()
        || ["avro", "json-schema", "protobuf"].iter().any(|name| options.has(name))
        || class_name.is_some_and(|name| SCHEMA_FORMATTERS.contains(&name));
    match class_name {
        Some("NoOpMessageFormatter") => Ok((None, registry)),
        Some("DefaultMessageFormatter") => {
            Ok((Some(Formatter::new(&properties, has_schemas)?), registry))
        }
        Some(name) if SCHEMA_FORMATTERS.contains(&name) => {
            Ok((Some(Formatter::new(&properties, true)?), registry))
        }
        _ => usage(format!(
            "There is no formatter {class}, only DefaultMessageFormatter, NoOpMessageFormatter, {}",
            SCHEMA_FORMATTERS.join(", ")
        )),
    }
}

/// Confluent's formatters, which show records by their schemas.
const SCHEMA_FORMATTERS: [&str; 3] =
    ["AvroMessageFormatter", "JsonSchemaMessageFormatter", "ProtobufMessageFormatter"];

/// Commits what was delivered before partitions go to another member.
struct CommitBeforeLosing(Consumer);

impl RebalanceListener for CommitBeforeLosing {
    fn revoked(&self, _: Vec<TopicPartition>) -> BoxFuture<'static, ()> {
        let consumer = self.0.clone();
        async move { commit(&consumer).await }.boxed()
    }
}

/// Commits how far reading is, also where there was nothing to read: the next
/// reader of the group is to begin there, not at what is the end by then.
async fn commit(consumer: &Consumer) {
    let mut positions = consumer.moved_positions();
    for partition in consumer.assignment() {
        if positions.iter().all(|(moved, _)| *moved != partition)
            && let Ok(Some(offset)) = consumer.position(&partition)
        {
            positions.push((partition, offset.into()));
        }
    }
    if !positions.is_empty()
        && let Err(error) = consumer.commit(&positions).await
    {
        complain(&format!("offsets are not committed: {error}"));
    }
}

/// The reading itself.
struct Reading<'a> {
    job: &'a Job,
    client: &'a Client,
    consumer: &'a Consumer,
    commit_at: Instant,
    progress: Progress,
    count: u64,
    /// Somebody reads what is printed.
    is_heard: bool,
    known: KnownSchemas,
}

impl Reading<'_> {
    async fn run(&mut self) -> Result<(), Failure> {
        self.begin().await?;
        let mut last_record = Instant::now();
        while !self.is_enough() && self.is_heard {
            let Some(wait) = self.wait(last_record) else { return Ok(()) };
            self.consumer.fetch(wait).await.map_err(failure)?;
            let before = self.count;
            self.print().await?;
            if self.count > before {
                last_record = Instant::now();
                self.progress.update(self.count);
            }
            if self.job.commit_interval.is_some_and(|_| self.commit_at <= Instant::now()) {
                commit(self.consumer).await;
                self.schedule_commit();
            }
        }
        Ok(())
    }

    async fn begin(&mut self) -> Result<(), Failure> {
        self.say_what_is_missing().await?;
        if self.job.commit_interval.is_some() {
            self.consumer.set_listener(Arc::new(CommitBeforeLosing(self.consumer.clone())));
            self.schedule_commit();
        }
        match &self.job.source {
            Source::Topic(topic) => self.consumer.subscribe_topics(vec![topic.clone()]),
            Source::Pattern(pattern) => {
                let pattern = pattern.clone();
                self.consumer.subscribe_pattern(move |topic| pattern.is_match(topic))
            }
            Source::Partition(partition, start) => self.seek(partition, *start).await,
        }
        .map_err(failure)
    }

    /// A topic that is not there may be a mistake, or come soon.
    async fn say_what_is_missing(&self) -> Result<(), Failure> {
        let (topic, partition) = match &self.job.source {
            Source::Topic(topic) => (topic, None),
            Source::Partition(name, _) => (&name.topic, Some(name.partition)),
            Source::Pattern(_) => return Ok(()),
        };
        match self.client.topic(topic, AutoCreate::No).await? {
            None => eprint(&format!("Topic {topic} does not exist yet; waiting for it.\n")),
            Some(known) => {
                if let Some(partition) =
                    partition.filter(|number| known.partition(*number).is_none())
                {
                    eprint(&format!(
                        "Topic {topic} has no partition {partition} yet; waiting for it.\n"
                    ));
                }
            }
        }
        Ok(())
    }

    async fn seek(&self, partition: &TopicPartition, start: Start) -> Result<(), ConsumerError> {
        self.consumer.assign(vec![partition.clone()])?;
        match start {
            Start::At(offset) => self.consumer.seek(partition, offset),
            Start::Earliest => {
                self.consumer.seek_to_beginning(std::slice::from_ref(partition)).await
            }
            Start::Latest => self.consumer.seek_to_end(std::slice::from_ref(partition)).await,
        }
    }

    fn schedule_commit(&mut self) {
        self.commit_at = Instant::now() + self.job.commit_interval.unwrap_or_default();
    }

    fn is_enough(&self) -> bool {
        self.job.max_messages.is_some_and(|limit| self.count >= limit)
    }

    /// How long to wait for records now; `None` when it has been long enough.
    fn wait(&self, last_record: Instant) -> Option<Duration> {
        let until_commit = match self.job.commit_interval {
            Some(_) => self
                .commit_at
                .saturating_duration_since(Instant::now())
                .max(Duration::from_millis(1)),
            None => WAIT,
        };
        match self.job.timeout {
            None => Some(until_commit),
            Some(timeout) => {
                let left = timeout.saturating_sub(last_record.elapsed());
                Some(left.min(until_commit)).filter(|_| !left.is_zero())
            }
        }
    }

    /// Prints what has been fetched, as long as somebody reads it.
    async fn print(&mut self) -> Result<(), Failure> {
        loop {
            let job = self.job;
            let mut output = Vec::new();
            let mut unprintable = None;
            let mut needs = None;
            let before = self.count;
            let taken = self.consumer.take(&mut |record| {
                if job.max_messages.is_some_and(|limit| self.count >= limit)
                    || output.len() >= PRINT_SIZE
                    || unprintable.is_some()
                {
                    return Take::Stop;
                }
                if let Some(formatter) = &job.formatter
                    && let Err(reason) = formatter.write(record, &self.known, &mut output)
                {
                    match reason {
                        Unprintable::Wrong(reason) => unprintable = Some(reason),
                        Unprintable::NeedsSchema(key) => {
                            needs = Some(key);
                            return Take::Stop;
                        }
                    }
                }
                self.count += 1;
                Take::Yes
            });
            let printed = write(output).await;
            if let Err(error) = printed {
                // Nobody has seen them.
                if let Ok(taken) = &taken {
                    self.consumer.rewind(&taken.marks);
                }
                self.count = before;
                return match error.kind() {
                    io::ErrorKind::BrokenPipe => {
                        self.is_heard = false;
                        Ok(())
                    }
                    _ => Err(Failure::other(format!("cannot write to standard output: {error}"))),
                };
            }
            match unprintable {
                Some(reason) if job.skip_on_error => complain(&format!("{reason}; it is skipped")),
                Some(reason) => return Err(Failure::Other(reason)),
                None => {}
            }
            if let (Some(key), Some(schemas)) = (needs, &self.known.schemas) {
                match schemas.load(key).await {
                    Ok(_) => {}
                    // That may be over the next time.
                    Err(error @ SourceError::Unavailable(_)) => {
                        return Err(Failure::other(error.to_string()));
                    }
                    Err(error) => _ = self.known.failures.insert(key, error.to_string()),
                }
            }
            match taken {
                Ok(_) if needs.is_some() => {}
                Ok(_) if self.count == before => return Ok(()),
                Ok(_) => {}
                Err(ConsumerError::BrokenBatch { partition, offset, reason })
                    if job.skip_on_error =>
                {
                    complain(&format!(
                        "offset {offset} of {partition} cannot be read and is skipped: {reason}"
                    ));
                    self.consumer.seek(&partition, offset + 1).map_err(failure)?;
                    return Ok(());
                }
                Err(error) => return Err(failure(error)),
            }
        }
    }
}

/// Writes to standard output, away from the threads that must not wait for a
/// slow reader.
async fn write(output: Vec<u8>) -> io::Result<()> {
    if output.is_empty() {
        return Ok(());
    }
    let written = tokio::task::spawn_blocking(move || {
        let mut stdout = io::stdout().lock();
        stdout.write_all(&output).and_then(|()| stdout.flush())
    });
    written.await.unwrap_or_else(|panicked| Err(io::Error::other(panicked)))
}

fn failure(error: ConsumerError) -> Failure {
    Failure::Other(error.to_string())
}

#[cfg(test)]
mod tests {
    use client::consumer::{IsolationLevel, OffsetReset};

    use super::*;

    fn job(line: &str) -> Result<(ClientConfig, Job), String> {
        let arguments = line.split_whitespace().map(Into::into).collect();
        let invocation = Invocation { program: "kafka-console-consumer".to_owned(), arguments };
        Job::read(&Options::read(&TOOL, invocation).unwrap()).map_err(|failure| failure.message())
    }

    #[test]
    fn the_flags_of_kafkas_tool_become_settings() {
        let (client, job) = job(
            "--topic t --bootstrap-server h:1 --group g --from-beginning --max-messages 5 --timeout-ms 100 \
             --isolation-level read_committed --consumer-property fetch.max.bytes=7 --skip-message-on-error",
        )
        .unwrap();
        assert_eq!(
            (client.bootstrap_servers, client.client_id),
            (vec!["h:1".to_owned()], "console-consumer".to_owned())
        );
        assert_eq!(job.consumer.group_id.as_deref(), Some("g"));
        assert_eq!(job.consumer.auto_offset_reset, OffsetReset::Earliest);
        assert_eq!(job.consumer.isolation, IsolationLevel::ReadCommitted);
        assert_eq!(job.consumer.fetch_max_bytes, 7);
        assert_eq!((job.max_messages, job.timeout), (Some(5), Some(Duration::from_millis(100))));
        assert_eq!(job.commit_interval, Some(Duration::from_secs(5)));
        assert!(job.skip_on_error && job.formatter.is_some());
    }

    #[test]
    fn without_a_group_nothing_is_committed() {
        let (_, job) = job("--topic t --max-messages -1 --timeout-ms -1").unwrap();
        assert!(job.consumer.group_id.unwrap().starts_with("console-consumer-"));
        assert_eq!((job.commit_interval, job.max_messages, job.timeout), (None, None, None));
        assert_eq!(job.consumer.auto_offset_reset, OffsetReset::Latest);
    }

    #[test]
    fn one_partition_is_read_without_a_group() {
        for (line, expected) in [
            ("--topic t --partition 3", Start::Latest),
            ("--topic t --partition 3 --from-beginning", Start::Earliest),
            ("--topic t --partition 3 --offset EARLIEST", Start::Earliest),
            ("--topic t --partition 3 --offset 7", Start::At(7)),
        ] {
            let (_, job) = job(line).unwrap();
            let Source::Partition(partition, start) = job.source else { panic!("{line}") };
            assert_eq!((partition, start), (TopicPartition::new("t", 3), expected), "{line}");
            assert_eq!((job.consumer.group_id, job.commit_interval), (None, None));
        }
    }

    #[test]
    fn what_cannot_work_is_refused() {
        for (line, expected) in [
            ("--from-beginning", "Exactly one of the following arguments is required"),
            ("--topic t --include u", "Exactly one of the following arguments is required"),
            ("--include u --partition 1", "The topic is required when partition is specified."),
            ("--topic t --offset 1", "The partition is required when offset is specified."),
            (
                "--topic t --partition 0 --offset 1 --from-beginning",
                "from-beginning and offset cannot be",
            ),
            ("--topic t --partition 0 --offset -7", "The provided offset value '-7' is incorrect."),
            ("--topic t --partition 0 --group g", "Options group and partition cannot be"),
            ("--topic t --group a --consumer-property group.id=b", "Detected group ids: 'a', 'b'"),
            (
                "--topic t --from-beginning --consumer-property auto.offset.reset=latest",
                "Can't simultaneously specify",
            ),
            ("--topic t --formatter my.Formatter", "There is no formatter my.Formatter"),
            (
                "--topic t --isolation-level none",
                "Invalid value none for configuration isolation.level",
            ),
            ("--topic t --max-messages x", "Cannot parse argument 'x' of option max-messages"),
            ("--include (", "is an invalid regex"),
        ] {
            let refusal = job(line).unwrap_err();
            assert!(refusal.contains(expected), "{line}: {refusal}");
        }
    }
}
