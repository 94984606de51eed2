//! `ottla logs dump`, Kafka's `kafka-dump-log`: prints segments, indexes and
//! snapshots of producers, line by line as Kafka's tool prints them.

use std::collections::BTreeMap;
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

use broker::inspect::{
    self, Batches, FoundBatch, SnapshotProducer, StoppedDirectory, TimeIndexEntry, base_offset_of,
    read_offset_index, read_time_index, read_transaction_index,
};
use protocol::records::{
    BatchHeader, ControlRecord, EndTransactionMarker, NO_SEQUENCE, NO_TIMESTAMP, Record,
    RecordIter, TimestampType,
};

use super::{FAILED, Invocation, OK, complain, offsets_decoder};
use crate::cli::options::{Argument, LOCAL, Options, Spec, Tool, UsageError, flag, value};

const TOOL: Tool = Tool {
    about: "This tool helps to parse a log file and dump its contents to the console, useful for debugging a seemingly corrupt log segment.",
    options: &[
        flag("cluster-metadata-decoder", "Refused: the metadata of this broker is no Kafka log."),
        flag(
            "deep-iteration",
            "If set, uses deep instead of shallow iteration. Automatically set if print-data-log is enabled.",
        ),
        value(
            "files",
            "file1, file2, ...",
            "REQUIRED: The comma separated list of data and index log files to be dumped.",
        ),
        flag(
            "index-sanity-check",
            "If set, just checks the index sanity without printing its content. This is the same check that is executed on broker startup to determine if an index needs rebuilding or not.",
        ),
        optional("key-decoder-class", "class", DECODER_HELP),
        value(
            "max-bytes",
            "size",
            "Limit the amount of total batches read in bytes avoiding reading the whole .log file(s). (default: 2147483647)",
        ),
        value("max-message-size", "size", "Size of largest message. (default: 5242880)"),
        flag(
            "offsets-decoder",
            "If set, log data will be parsed as offset data from the __consumer_offsets topic.",
        ),
        flag(
            "print-data-log",
            "If set, printing the messages content when dumping data logs. Automatically set if any decoder option is specified.",
        ),
        flag("remote-log-metadata-decoder", "Refused: there is no tiered storage."),
        flag("share-group-state-decoder", "Refused: there are no share groups."),
        flag(
            "skip-record-metadata",
            "Skip metadata when printing records. This flag also skips control records.",
        ),
        flag("transaction-log-decoder", "Refused: records of transactions cannot be read."),
        optional("value-decoder-class", "class", DECODER_HELP),
        flag(
            "verify-index-only",
            "If set, just verify the index log without printing its content.",
        ),
    ],
    common: LOCAL,
};

const DECODER_HELP: &str = "How keys or values are printed: org.apache.kafka.tools.api.StringDecoder (the default), IntegerDecoder or LongDecoder of the same package. No other class can be loaded.";

/// What there is no decoder for.
const REFUSED: &[&str] = &[
    "cluster-metadata-decoder",
    "remote-log-metadata-decoder",
    "share-group-state-decoder",
    "transaction-log-decoder",
];

const fn optional(name: &'static str, what: &'static str, help: &'static str) -> Spec {
    Spec { name, argument: Argument::Optional(what), help }
}

pub(super) fn run(invocation: Invocation) -> u8 {
    let options = match Options::read(&TOOL, invocation) {
        Ok(options) => options,
        Err(code) => return code,
    };
    let request = match Request::read(&options) {
        Ok(request) => request,
        Err(error) => return options.refuse(&error),
    };
    let mut locks = Vec::new();
    for file in &request.files {
        match StoppedDirectory::of_file(file) {
            Ok(lock) => locks.extend(lock),
            Err(error) => {
                complain(&error.to_string());
                return FAILED;
            }
        }
    }
    let mut dump = Dump {
        request: &request,
        out: BufWriter::new(io::stdout().lock()),
        complaints: Complaints::default(),
        has_failed: false,
    };
    match dump.run() {
        // Whoever reads has read enough.
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => OK,
        Err(error) => {
            complain(&format!("cannot print: {error}"));
            FAILED
        }
        Ok(()) if dump.has_failed => FAILED,
        Ok(()) => OK,
    }
}

/// How bytes of keys and values are printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Decoder {
    Text,
    Int,
    Long,
}

impl Decoder {
    fn read(options: &Options, name: &str) -> Result<Self, UsageError> {
        let class = options.value(name)?.unwrap_or("org.apache.kafka.tools.api.StringDecoder");
        let package = ["org.apache.kafka.tools.api.", "kafka.serializer."];
        let simple = package.iter().find_map(|package| class.strip_prefix(package));
        match simple {
            Some("StringDecoder") => Ok(Self::Text),
            Some("IntegerDecoder") => Ok(Self::Int),
            Some("LongDecoder") => Ok(Self::Long),
            _ => Err(UsageError(format!(
                "Option {name}: the class {class} cannot be loaded; known are StringDecoder, IntegerDecoder and LongDecoder of org.apache.kafka.tools.api"
            ))),
        }
    }

    /// The text, or what is wrong with the bytes.
    fn text(self, bytes: &[u8]) -> String {
        let number = match self {
            Self::Text => return String::from_utf8_lossy(bytes).into_owned(),
            Self::Int => bytes.first_chunk().map(|bytes| i64::from(i32::from_be_bytes(*bytes))),
            Self::Long => bytes.first_chunk().map(|bytes| i64::from_be_bytes(*bytes)),
        };
        number.map_or_else(|| format!("<{} bytes>", bytes.len()), |number| number.to_string())
    }
}

/// What is to be printed.
#[derive(Debug)]
struct Request {
    files: Vec<PathBuf>,
    is_deep: bool,
    prints_data: bool,
    decodes_offsets: bool,
    skips_metadata: bool,
    checks_sanity: bool,
    only_verifies: bool,
    max_message_size: u64,
    /// Absent when the whole file counts.
    max_bytes: Option<u64>,
    key_decoder: Decoder,
    value_decoder: Decoder,
}

impl Request {
    fn read(options: &Options) -> Result<Self, UsageError> {
        if let Some(refused) = REFUSED.iter().find(|name| options.has(name)) {
            return Err(UsageError(format!(
                "Option {refused} is not supported: this broker writes no such records"
            )));
        }
        let decodes_offsets = options.has("offsets-decoder");
        let decoders = ["key-decoder-class", "value-decoder-class"];
        let prints_data = options.has("print-data-log")
            || decodes_offsets
            || decoders.iter().any(|name| options.has(name));
        let size = |name: &str| {
            options.number::<i32>(name)?.map_or(Ok(None), |size| {
                let negative = || UsageError(format!("Option {name} must not be negative"));
                u64::try_from(size).map(Some).map_err(|_| negative())
            })
        };
        Ok(Self {
            files: options.required("files")?.split(',').map(PathBuf::from).collect(),
            is_deep: prints_data || options.has("deep-iteration"),
            prints_data,
            decodes_offsets,
            skips_metadata: options.has("skip-record-metadata"),
            checks_sanity: options.has("index-sanity-check"),
            only_verifies: options.has("verify-index-only"),
            max_message_size: size("max-message-size")?.unwrap_or(5 * 1024 * 1024),
            max_bytes: size("max-bytes")?.filter(|bytes| *bytes < i32::MAX as u64),
            key_decoder: Decoder::read(options, "key-decoder-class")?,
            value_decoder: Decoder::read(options, "value-decoder-class")?,
        })
    }
}

/// What does not fit together, for the end of the output.
#[derive(Debug, Default)]
struct Complaints {
    /// By file: offset in the index, offset in the log.
    index_mismatches: BTreeMap<PathBuf, Vec<(i64, i64)>>,
    /// By file: time in the index, time in the log.
    time_mismatches: BTreeMap<PathBuf, Vec<(i64, i64)>>,
    /// By file: time in the index, time of the entry before.
    unordered_times: BTreeMap<PathBuf, Vec<(i64, i64)>>,
    /// By file: offset in the index, offset in the log or -1.
    missing_offsets: BTreeMap<PathBuf, Vec<(i64, i64)>>,
    /// By file: an offset and the one behind it.
    gaps: BTreeMap<PathBuf, Vec<(i64, i64)>>,
}

impl Complaints {
    fn print(&self) -> io::Result<()> {
        let mut errors = io::stderr().lock();
        for (file, pairs) in &self.index_mismatches {
            writeln!(errors, "Mismatches in :{}", file.display())?;
            // The last first, as Kafka's tool has it.
            for (index, log) in pairs.iter().rev() {
                writeln!(errors, "  Index offset: {index}, log offset: {log}")?;
            }
        }
        for (file, pairs) in &self.time_mismatches {
            writeln!(errors, "Found timestamp mismatch in :{}", file.display())?;
            for (index, log) in pairs {
                writeln!(errors, "  Index timestamp: {index}, log timestamp: {log}")?;
            }
        }
        for (file, pairs) in &self.unordered_times {
            writeln!(errors, "Found out of order timestamp in :{}", file.display())?;
            for (index, before) in pairs {
                writeln!(
                    errors,
                    "  Index timestamp: {index}, Previously indexed timestamp: {before}"
                )?;
            }
        }
        for pairs in self.missing_offsets.values() {
            writeln!(errors, "The following indexed offsets are not found in the log.")?;
            for (index, log) in pairs {
                writeln!(errors, "Indexed offset: {index}, found log offset: {log}")?;
            }
        }
        for (file, pairs) in &self.gaps {
            writeln!(errors, "Non-consecutive offsets in {}", file.display())?;
            for (before, behind) in pairs {
                writeln!(errors, "  {before} is followed by {behind}")?;
            }
        }
        Ok(())
    }
}

fn note(complaints: &mut BTreeMap<PathBuf, Vec<(i64, i64)>>, file: &Path, pair: (i64, i64)) {
    let file = std::path::absolute(file).unwrap_or_else(|_| file.to_owned());
    complaints.entry(file).or_default().push(pair);
}

struct Dump<'a, W> {
    request: &'a Request,
    out: W,
    complaints: Complaints,
    /// Something could not be read.
    has_failed: bool,
}

impl<W: Write> Dump<'_, W> {
    fn run(&mut self) -> io::Result<()> {
        for file in &self.request.files {
            writeln!(self.out, "Dumping {}", file.display())?;
            match file.extension().and_then(|suffix| suffix.to_str()) {
                Some("log") => self.log(file)?,
                Some("index") => self.offset_index(file)?,
                Some("timeindex") => self.time_index(file)?,
                Some("txnindex") => self.transaction_index(file)?,
                Some("snapshot") => {
                    let read = inspect::read_kafka_snapshot(file);
                    self.producers(file, read)?;
                }
                Some("producers") => {
                    let read = inspect::read_snapshot(file);
                    self.producers(file, read)?;
                }
                _ => self.say(&format!("Ignoring unknown file {}", file.display()))?,
            }
        }
        self.out.flush()?;
        self.complaints.print()
    }

    /// A sentence on standard error, behind what was printed before.
    fn say(&mut self, text: &str) -> io::Result<()> {
        self.out.flush()?;
        writeln!(io::stderr(), "{text}")
    }

    fn fail(&mut self, file: &Path, error: impl std::fmt::Display) -> io::Result<()> {
        self.has_failed = true;
        self.say(&format!("{}: {error}", file.display()))
    }

    /// The offset in the name of a file.
    fn base_offset(&mut self, file: &Path) -> io::Result<Option<i64>> {
        let base = base_offset_of(file);
        if base.is_none() {
            self.fail(file, "is not named after an offset")?;
        }
        Ok(base)
    }

    fn log(&mut self, file: &Path) -> io::Result<()> {
        let Some(base) = self.base_offset(file)? else { return Ok(()) };
        writeln!(self.out, "Log starting offset: {base}")?;
        let mut batches = match Batches::open(file, self.request.max_bytes.unwrap_or(u64::MAX)) {
            Ok(batches) => batches,
            Err(error) => return self.fail(file, error),
        };
        let mut last_offset = -1;
        for found in batches.by_ref() {
            match found {
                Ok(found) => {
                    self.batch(&found)?;
                    if self.request.is_deep {
                        self.records(file, &found, &mut last_offset)?;
                    }
                }
                Err(error) => self.fail(file, error)?,
            }
        }
        let left = batches.left();
        if left > 0 && self.request.max_bytes.is_none() {
            let name = file.file_name().unwrap_or_default().to_string_lossy();
            writeln!(self.out, "Found {left} invalid bytes at the end of {name}")?;
        }
        Ok(())
    }

    fn batch(&mut self, found: &FoundBatch) -> io::Result<()> {
        let header = found.batch.header();
        let attributes = header.attributes;
        let horizon = attributes.has_delete_horizon().then_some(header.base_timestamp);
        writeln!(
            self.out,
            "baseOffset: {} lastOffset: {} count: {} baseSequence: {} lastSequence: {} producerId: {} \
             producerEpoch: {} partitionLeaderEpoch: {} isTransactional: {} isControl: {} \
             deleteHorizonMs: {} position: {} {}: {} size: {} magic: {} compresscodec: {} crc: {} \
             isvalid: {}",
            header.base_offset,
            header.last_offset(),
            header.records_count,
            header.base_sequence,
            header.last_sequence(),
            header.producer_id,
            header.producer_epoch,
            header.partition_leader_epoch,
            attributes.is_transactional(),
            attributes.is_control(),
            optional_long(horizon),
            found.position,
            timestamp_type(header),
            header.max_timestamp,
            header.size_in_bytes(),
            header.magic,
            attributes.compression().map_or("unknown", |compression| compression.name()),
            header.crc,
            found.batch.verify_crc().is_ok(),
        )
    }

    fn records(
        &mut self,
        file: &Path,
        found: &FoundBatch,
        last_offset: &mut i64,
    ) -> io::Result<()> {
        /// No batch may become larger than this, in bytes.
        const MAX_DECOMPRESSED_BYTES: usize = 256 * 1024 * 1024;
        let header = found.batch.header();
        let section = match found.batch.record_section(MAX_DECOMPRESSED_BYTES) {
            Ok(section) => section,
            Err(error) => {
                return self.fail(file, format!("batch at position {}: {error}", found.position));
            }
        };
        for record in RecordIter::new(header, &section) {
            let record = match record {
                Ok(record) => record,
                Err(error) => {
                    return self
                        .fail(file, format!("batch at position {}: {error}", found.position));
                }
            };
            if record.offset != *last_offset + 1 {
                note(&mut self.complaints.gaps, file, (*last_offset, record.offset));
            }
            *last_offset = record.offset;
            if !self.request.skips_metadata {
                self.record_metadata(header, &record)?;
            }
            if self.request.prints_data && !header.attributes.is_control() {
                match self.texts(&record) {
                    Ok(texts) => self.contents(texts)?,
                    Err(error) => self.fail(file, error)?,
                }
            }
            writeln!(self.out)?;
        }
        Ok(())
    }

    fn record_metadata(&mut self, header: &BatchHeader, record: &Record<'_>) -> io::Result<()> {
        let size = |bytes: Option<&[u8]>| {
            bytes.map_or(-1, |bytes| i64::try_from(bytes.len()).unwrap_or(i64::MAX))
        };
        let keys: Vec<String> = record.headers.iter().map(|(key, _)| key.into_owned()).collect();
        write!(
            self.out,
            "| offset: {} {}: {} keySize: {} valueSize: {} sequence: {} headerKeys: [{}]",
            record.offset,
            timestamp_type(header),
            record.timestamp,
            size(record.key),
            size(record.value),
            sequence(header, record),
            keys.join(","),
        )?;
        if !header.attributes.is_control() {
            return Ok(());
        }
        match ControlRecord::parse(record) {
            Ok(kind @ (ControlRecord::Abort | ControlRecord::Commit)) => {
                let kind = if kind == ControlRecord::Commit { "COMMIT" } else { "ABORT" };
                let epoch = EndTransactionMarker::coordinator_epoch(record).unwrap_or(-1);
                write!(self.out, " endTxnMarker: {kind} coordinatorEpoch: {epoch}")
            }
            Ok(ControlRecord::Other(kind)) => write!(self.out, " controlType: UNKNOWN({kind})"),
            Err(error) => write!(self.out, " controlType: {error}"),
        }
    }

    fn texts(&self, record: &Record<'_>) -> Result<offsets_decoder::Texts, String> {
        if self.request.decodes_offsets {
            return offsets_decoder::decode(record.offset, record.key, record.value);
        }
        let key = record.key.map(|key| self.request.key_decoder.text(key));
        Ok((key, record.value.map(|value| self.request.value_decoder.text(value))))
    }

    fn contents(&mut self, (key, value): offsets_decoder::Texts) -> io::Result<()> {
        let mut prefix = if self.request.skips_metadata { "| " } else { " " };
        if let Some(key) = key {
            write!(self.out, "{prefix}key: {key}")?;
            prefix = " ";
        }
        if let Some(value) = value {
            write!(self.out, "{prefix}payload: {value}")?;
        }
        Ok(())
    }

    fn offset_index(&mut self, file: &Path) -> io::Result<()> {
        let Some(base) = self.base_offset(file)? else { return Ok(()) };
        let entries = match read_offset_index(file, base) {
            Ok(entries) => entries,
            Err(error) => return self.fail(file, error),
        };
        if entries.is_empty() {
            return writeln!(self.out, "{} is empty.", file.display());
        }
        if self.request.checks_sanity {
            let ascends = entries.is_sorted_by(|one, next| one.offset < next.offset);
            return self.sanity(file, ascends);
        }
        let log = file.with_extension("log");
        for entry in entries {
            let found =
                Batches::open_at(&log, entry.position.into(), self.request.max_message_size)
                    .map(|mut batches| batches.next());
            let last_offset = match found {
                Ok(Some(Ok(found))) => found.batch.header().last_offset(),
                Ok(None) => -1,
                Ok(Some(Err(error))) | Err(error) => {
                    self.fail(file, error)?;
                    continue;
                }
            };
            if last_offset != entry.offset {
                let pair = (entry.offset, last_offset);
                note(&mut self.complaints.index_mismatches, file, pair);
            }
            if !self.request.only_verifies {
                writeln!(self.out, "offset: {} position: {}", entry.offset, entry.position)?;
            }
        }
        Ok(())
    }

    fn time_index(&mut self, file: &Path) -> io::Result<()> {
        let Some(base) = self.base_offset(file)? else { return Ok(()) };
        let entries = match read_time_index(file, base) {
            Ok(entries) => entries,
            Err(error) => return self.fail(file, error),
        };
        if self.request.checks_sanity {
            let ascends = entries.is_sorted_by(|one, next| one.timestamp <= next.timestamp);
            return self.sanity(file, ascends);
        }
        // What it leads through; without it every search begins at the start.
        let positions = read_offset_index(&file.with_extension("index"), base).unwrap_or_default();
        let mut before = NO_TIMESTAMP;
        for entry in entries {
            let later = positions.partition_point(|position| position.offset <= entry.offset);
            let position = later.checked_sub(1).and_then(|at| positions.get(at));
            let position = position.map_or(0, |position| position.position.into());
            if let Err(error) = self.time_entry(file, entry, position, before) {
                self.fail(file, error)?;
            }
            if !self.request.only_verifies {
                writeln!(self.out, "timestamp: {} offset: {}", entry.timestamp, entry.offset)?;
            }
            before = entry.timestamp;
        }
        Ok(())
    }

    fn time_entry(
        &mut self,
        file: &Path,
        entry: TimeIndexEntry,
        position: u64,
        before: i64,
    ) -> Result<(), String> {
        let complaints = &mut self.complaints;
        let batches = Batches::open_at(&file.with_extension("log"), position, u64::MAX);
        for found in batches.map_err(|error| error.to_string())? {
            let found = found.map_err(|error| error.to_string())?;
            let last_offset = found.batch.header().last_offset();
            if last_offset < entry.offset {
                continue;
            }
            if last_offset != entry.offset {
                note(&mut complaints.missing_offsets, file, (entry.offset, last_offset));
                return Ok(());
            }
            let newest = newest_timestamp(&found)?;
            if newest != entry.timestamp {
                note(&mut complaints.time_mismatches, file, (entry.timestamp, newest));
            }
            if before >= entry.timestamp {
                note(&mut complaints.unordered_times, file, (entry.timestamp, before));
            }
            return Ok(());
        }
        note(&mut complaints.missing_offsets, file, (entry.offset, -1));
        Ok(())
    }

    fn sanity(&mut self, file: &Path, ascends: bool) -> io::Result<()> {
        if !ascends {
            return self.fail(file, "Corrupt index found: its entries do not ascend");
        }
        writeln!(self.out, "{} passed sanity check.", file.display())
    }

    fn transaction_index(&mut self, file: &Path) -> io::Result<()> {
        match read_transaction_index(file) {
            Err(error) => self.fail(file, error),
            Ok(aborted) => aborted.iter().try_for_each(|one| {
                writeln!(
                    self.out,
                    "version: {} producerId: {} firstOffset: {} lastOffset: {} lastStableOffset: {}",
                    one.version,
                    one.producer_id,
                    one.first_offset,
                    one.last_offset,
                    one.last_stable_offset
                )
            }),
        }
    }

    fn producers(
        &mut self,
        file: &Path,
        read: io::Result<Result<Vec<SnapshotProducer>, inspect::SnapshotError>>,
    ) -> io::Result<()> {
        let producers = match read {
            Ok(Ok(producers)) => producers,
            Ok(Err(error)) => return self.fail(file, error),
            Err(error) => return self.fail(file, error),
        };
        for producer in producers {
            let last = producer.batches.last();
            write!(
                self.out,
                "producerId: {} producerEpoch: {} coordinatorEpoch: {} currentTxnFirstOffset: {} lastTimestamp: {}",
                producer.producer_id,
                producer.epoch,
                producer.coordinator_epoch,
                optional_long(producer.transaction),
                last.map_or(NO_TIMESTAMP, |last| last.timestamp),
            )?;
            for batch in &producer.batches {
                write!(
                    self.out,
                    " firstSequence: {} lastSequence: {} lastOffset: {} offsetDelta: {} timestamp: {}",
                    batch.first_sequence,
                    batch.last_sequence,
                    batch.last_offset,
                    batch.offset_delta,
                    batch.timestamp
                )?;
            }
            writeln!(self.out)?;
        }
        Ok(())
    }
}

fn newest_timestamp(found: &FoundBatch) -> Result<i64, String> {
    const MAX_DECOMPRESSED_BYTES: usize = 256 * 1024 * 1024;
    let section = found.batch.record_section(MAX_DECOMPRESSED_BYTES);
    let section = section.map_err(|error| error.to_string())?;
    let mut newest = NO_TIMESTAMP;
    for record in RecordIter::new(found.batch.header(), &section) {
        newest = newest.max(record.map_err(|error| error.to_string())?.timestamp);
    }
    Ok(newest)
}

/// As Java prints an `OptionalLong`.
fn optional_long(value: Option<i64>) -> String {
    value.map_or_else(|| "OptionalLong.empty".to_owned(), |value| format!("OptionalLong[{value}]"))
}

fn timestamp_type(header: &BatchHeader) -> &'static str {
    match header.attributes.timestamp_type() {
        TimestampType::CreateTime => "CreateTime",
        TimestampType::LogAppendTime => "LogAppendTime",
    }
}

/// Sequence number of a record; after `i32::MAX` comes 0.
fn sequence(header: &BatchHeader, record: &Record<'_>) -> i64 {
    if header.base_sequence == NO_SEQUENCE {
        return NO_SEQUENCE.into();
    }
    let delta = record.offset - header.base_offset;
    (i64::from(header.base_sequence) + delta).rem_euclid(1 << 31)
}
