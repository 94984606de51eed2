//! Random lives of a log: producers that write, compaction and retention, a process
//! that is killed, power that fails at any write. Every run is given by its seed,
//! which a failure names.
//!
//! # What must hold after each start
//! - The log opens without help.
//! - What was acknowledged with acks=all, or could be read, is there; of a compacted
//!   topic a newer record of its key, of a deleted part nothing.
//! - Nothing of a deleted topic is in the next one with its name.
//! - The leader epoch of each batch is known.
//! - Offsets are dense but for compaction, and what an idempotent producer sent is there once.
//! - A producer that sends its last batches again is told their first offsets.
//! - Topics that were created are there, and those that were deleted are not.
//!
//! That the model sees it when a promise is broken is shown by leaving out one
//! sync after the other.

use std::collections::{BTreeMap, HashMap, HashSet, VecDeque};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, LazyLock};
use std::thread::available_parallelism;

use bytes::Bytes;
use futures_util::FutureExt;
use parking_lot::Mutex;
use protocol::config_def::ConfigValues;
use protocol::records::{BatchBuilder, Compression, RecordIter, batches};
use protocol::{Str, Uuid};
use tokio::runtime::Builder;
use tokio::sync::{mpsc, oneshot};

use super::append::{Acks, AppendOptions, Completion};
use super::faults::{self, Fault};
use super::memory_disk::{LostSync, MemoryDisk, Mischief};
use super::partition::Partition;
use super::store::{self, KnownPartition, LockedDirectories, LogStore};
use super::writer::{self, Job};
use super::{FileSystem, Reads, flusher};
use crate::config::Config;
use crate::metadata::{Metadata, MetadataLog, MetadataRecord};
use crate::random::Random;
use crate::topic_config::TopicConfig;

/// Runs of [`LIVES`] starts each.
const SEEDS: u64 = 10_000;
const LIVES: u64 = 5;
/// Changes of the disk in one life, at most.
const CHANGES: u64 = 150;
/// The name of each says what becomes of its old records.
const TOPICS: [&str; 4] = ["kept", "compacted", "trimmed", "both"];
const KEYS: u64 = 4;
const PARTITIONS: i32 = 2;
const PRODUCERS: i64 = 3;
/// Batches that a producer may have in flight, and sends again after a restart.
const WINDOW: usize = 5;

static CONFIG: LazyLock<Config> = LazyLock::new(|| {
    let values = [
        ("log.dirs", "/srv/data"),
        ("num.recovery.threads.per.data.dir", "1"),
        ("log.cleaner.dedupe.buffer.size", "96"),
        // Fewer than there are partitions.
        ("log.open.files.max", "3"),
    ];
    let values = values.map(|(name, value)| (name.into(), value.into()));
    Config::from_values(values.into_iter().collect()).expect("they fit")
});

#[derive(Debug)]
struct Life {
    disk: MemoryDisk,
    store: LogStore,
    metadata: Metadata,
    queue: mpsc::Receiver<Job>,
    partitions: BTreeMap<(Uuid, i32), Arc<Partition>>,
}

/// A batch of an idempotent producer.
#[derive(Debug, Clone)]
struct Sent {
    sequence: i32,
    values: Vec<String>,
    /// Known when it was acknowledged.
    offset: Option<i64>,
}

/// What one partition has promised.
#[derive(Debug, Default)]
struct Promised {
    /// Key and value by offset.
    records: BTreeMap<i64, String>,
    log_start: i64,
    windows: BTreeMap<i64, VecDeque<Sent>>,
}

#[derive(Debug)]
struct Pending {
    partition: (Uuid, i32),
    values: Vec<String>,
    acks: Acks,
    producer: Option<(i64, i32)>,
    completion: Completion,
}

#[derive(Debug)]
struct Simulation {
    random: Random,
    disk: MemoryDisk,
    harm: Harm,
    /// Topics that exist for certain.
    topics: BTreeMap<Uuid, Str>,
    deleted: HashSet<Uuid>,
    promised: BTreeMap<(Uuid, i32), Promised>,
    pending: Vec<Pending>,
    /// Batches were refused in this life, so idempotent producers would go out of order.
    has_refused: bool,
    last_value: u64,
    /// Where each value was sent to.
    sent: HashMap<String, (Uuid, i32)>,
}

impl Simulation {
    fn new(seed: u64, harm: Harm) -> Self {
        let lost_sync = match harm {
            Harm::LostSync(lost_sync) => Some(lost_sync),
            _ => None,
        };
        Self {
            random: Random::new(seed),
            disk: MemoryDisk::new(seed, lost_sync),
            harm,
            topics: BTreeMap::new(),
            deleted: HashSet::new(),
            promised: BTreeMap::new(),
            pending: Vec::new(),
            has_refused: false,
            last_value: 0,
            sent: HashMap::new(),
        }
    }

    /// One life after the other; says what promise was broken.
    fn run(&mut self) -> Result<(), String> {
        let _fault = faults::commit(match self.harm {
            Harm::Fault(fault) => Some(fault),
            _ => None,
        });
        for _ in 0..LIVES {
            let mut life = loop {
                let limit = self.random.below(CHANGES);
                self.disk.stop_after(limit);
                let opened = self.open_harmed();
                match opened {
                    Ok(life) => break life,
                    Err(_) if self.disk.has_stopped() || self.disk.has_failed() => self.restart(),
                    Err(error) => return Err(error),
                }
            };
            self.live(&mut life)?;
            drop(life);
            self.restart();
        }
        let mut life = self.open()?;
        self.verify(&mut life)
    }

    /// Opens while what is to go wrong goes wrong, and lives with it after.
    fn open_harmed(&mut self) -> Result<Life, String> {
        match self.harm {
            Harm::LostWhileOpening(lost_sync) => {
                self.disk.lose_sync(Some(lost_sync));
                let opened = self.open();
                self.disk.lose_sync(None);
                opened
            }
            Harm::Mischief(mischief) => {
                // A start on a disk that fails is refused, which says nothing.
                if mischief == Mischief::KeepsTails {
                    self.disk.misbehave(Some(mischief));
                }
                let opened = self.open();
                self.disk.misbehave(Some(mischief));
                opened
            }
            Harm::None | Harm::LostSync(_) | Harm::Fault(_) => self.open(),
        }
    }

    fn restart(&mut self) {
        let power_was_gone = !self.random.one_in(3);
        self.pending.clear();
        self.has_refused = false;
        self.disk = self.disk.restart(power_was_gone);
        self.disk.misbehave(None);
    }

    fn open(&mut self) -> Result<Life, String> {
        let files: Arc<dyn FileSystem> = Arc::new(self.disk.clone());
        let text = |error: &dyn std::fmt::Display| format!("it does not open: {error}");
        let locked = LockedDirectories::private(&CONFIG, Arc::clone(&files));
        let locked = locked.map_err(|error| text(&error))?;
        let opened = MetadataLog::open(&*files, locked.first());
        let (log, image) = opened.map_err(|error| text(&error))?;
        let mut metadata = Metadata::new(log, image);
        let count = metadata.image().start_count + 1;
        let started = metadata.commit(&[MetadataRecord::Started { count }]);
        started.map_err(|error| text(&error))?;
        let known: Vec<KnownPartition> = metadata
            .image()
            .topics()
            .flat_map(|topic| {
                (0..PARTITIONS).map(|index| KnownPartition {
                    topic: topic.name.clone(),
                    index,
                    topic_id: topic.id,
                    leader_epoch: count,
                    config: topic_config(&topic.name),
                })
            })
            .collect();
        let store = LogStore::load(locked, &CONFIG, known.clone());
        let store = store.map_err(|error| text(&error))?;
        let queue = store.directories()[0].start_by_hand();
        let partitions = known
            .into_iter()
            .map(|known| ((known.topic_id, known.index), store.partition(known)))
            .collect();
        Ok(Life { disk: self.disk.clone(), store, metadata, queue, partitions })
    }

    fn live(&mut self, life: &mut Life) -> Result<(), String> {
        self.verify(life)?;
        self.send_again(life)?;
        while !life.disk.has_stopped() && !life.store.directories()[0].is_offline() {
            match self.random.below(100) {
                0..40 => self.append(life),
                40..65 => life.write(self.random.below(8)),
                65..86 => life.flush(),
                86..89 => life.check_retention(),
                89..91 => self.compact(life),
                91 => self.delete_records(life),
                92 => life.store.directories()[0].checkpoint(),
                93..97 => self.create_topic(life),
                97 => self.delete_topic(life),
                _ => {
                    // A clean stop, unless everything stops in its middle.
                    life.write(u64::MAX);
                    while life.flush_one() {}
                    self.settle(life)?;
                    store::close(&life.store.directories()[0]);
                    return Ok(());
                }
            }
            self.settle(life)?;
        }
        Ok(())
    }

    fn append(&mut self, life: &Life) {
        let partitions: Vec<_> = life.partitions.iter().collect();
        if partitions.is_empty() {
            return;
        }
        let (key, partition) = partitions[self.random.below(partitions.len() as u64) as usize];
        let count = 1 + self.random.below(3);
        let values: Vec<String> = (0..count)
            .map(|_| {
                self.last_value += 1;
                let key = self.random.below(KEYS);
                format!("{key}={}", self.last_value)
            })
            .collect();
        self.sent.extend(values.iter().map(|value| (value.clone(), *key)));
        let mut acks = Acks::All;
        let mut producer = None;
        if self.random.one_in(2) {
            if self.has_refused {
                return;
            }
            let id = self.random.below(PRODUCERS as u64) as i64;
            let window = self.promised.entry(*key).or_default().windows.entry(id).or_default();
            let is_full =
                window.len() == WINDOW && window.front().is_some_and(|sent| sent.offset.is_none());
            // As clients do: a producer that the broker does not know may begin anywhere,
            // so nothing follows the first batch before its answer.
            let awaits_first = window.iter().all(|sent| sent.offset.is_none());
            if is_full || (awaits_first && !window.is_empty()) {
                return;
            }
            let sequence = window.back().map_or(0, |last| last.sequence + last.values.len() as i32);
            if window.len() == WINDOW {
                window.pop_front();
            }
            window.push_back(Sent { sequence, values: values.clone(), offset: None });
            producer = Some((id, sequence));
        } else if self.random.one_in(3) {
            acks = Acks::Leader;
        }
        self.hand_over(*key, partition, values, acks, producer);
    }

    fn hand_over(
        &mut self,
        key: (Uuid, i32),
        partition: &Arc<Partition>,
        values: Vec<String>,
        acks: Acks,
        producer: Option<(i64, i32)>,
    ) {
        let options = AppendOptions::producer(acks, i16::MAX);
        let handed_over = partition.append(batch(&values, producer), options).now_or_never();
        let completion = handed_over.expect("the queue has room").expect("the batch is good");
        self.pending.push(Pending { partition: key, values, acks, producer, completion });
    }

    /// Takes note of the answers.
    fn settle(&mut self, life: &Life) -> Result<(), String> {
        let mut waiting = Vec::new();
        for mut pending in std::mem::take(&mut self.pending) {
            match (&mut pending.completion).now_or_never() {
                None => waiting.push(pending),
                Some(Ok(appended)) => self.promise(&pending, appended.base_offset)?,
                // Whoever was refused sends again at the next start.
                Some(Err(_)) if life.disk.has_stopped() || life.disk.has_failed() => {
                    self.has_refused = true;
                }
                Some(Err(_)) if self.deleted.contains(&pending.partition.0) => {}
                Some(Err(error)) => return Err(format!("refused: {error}")),
            }
        }
        self.pending = waiting;
        Ok(())
    }

    fn promise(&mut self, pending: &Pending, offset: i64) -> Result<(), String> {
        let promised = self.promised.entry(pending.partition).or_default();
        if let Some((id, sequence)) = pending.producer {
            let window = promised.windows.entry(id).or_default();
            if let Some(sent) = window.iter_mut().find(|sent| sent.sequence == sequence) {
                let before = sent.offset.replace(offset);
                if before.is_some_and(|before| before != offset) {
                    return Err(format!(
                        "{} is at {offset}, and was at {before:?}",
                        sent.values[0]
                    ));
                }
            }
        }
        if pending.acks == Acks::All {
            promised.records.extend((offset..).zip(pending.values.iter().cloned()));
        }
        Ok(())
    }

    fn create_topic(&mut self, life: &mut Life) {
        let name = Str::from_static(TOPICS[self.random.below(TOPICS.len() as u64) as usize]);
        if life.metadata.image().topic(&name).is_some() {
            return;
        }
        let mut id = [0; 16];
        id[..8].copy_from_slice(&self.random.below(u64::MAX).to_be_bytes());
        let id = Uuid::from_bytes(id);
        let start_count = life.metadata.image().start_count;
        let record = MetadataRecord::TopicCreated {
            name: name.clone(),
            id,
            partitions: PARTITIONS,
            start_count,
            configs: ConfigValues::default(),
        };
        if life.store.clear(&name, 0..PARTITIONS).is_err()
            || life.metadata.commit(&[record]).is_err()
        {
            return;
        }
        self.topics.insert(id, name.clone());
        for index in 0..PARTITIONS {
            let (topic, config) = (name.clone(), topic_config(&name));
            let known =
                KnownPartition { topic, index, topic_id: id, leader_epoch: start_count, config };
            life.partitions.insert((id, index), life.store.partition(known));
        }
    }

    fn delete_topic(&mut self, life: &mut Life) {
        let Some(id) = life.metadata.image().topics().next().map(|topic| topic.id) else { return };
        // From here on it may be gone, whether that is said or not.
        self.topics.remove(&id);
        self.deleted.insert(id);
        let record = MetadataRecord::TopicDeleted { id };
        if life.metadata.commit(&[record]).is_err() {
            return;
        }
        for index in 0..PARTITIONS {
            self.promised.remove(&(id, index));
            if let Some(partition) = life.partitions.remove(&(id, index)) {
                drop(partition.delete());
            }
        }
        life.write(u64::MAX);
        life.store.forget_deleted();
    }

    fn compact(&mut self, life: &Life) {
        let directory = &life.store.directories()[0];
        // A budget of memory for a few keys, so that it takes several turns.
        let turns = self.random.below(3);
        for _ in 0..turns {
            directory.cleaner().clean_one(directory);
        }
    }

    fn delete_records(&mut self, life: &Life) {
        let trimmed =
            life.partitions.iter().find(|(_, partition)| &**partition.topic() == "trimmed");
        let Some((key, partition)) = trimmed else { return };
        let offset = self.random.below(partition.high_watermark() as u64 + 1) as i64;
        if partition.delete_records(offset).is_ok() {
            let promised = self.promised.entry(*key).or_default();
            promised.log_start = promised.log_start.max(offset);
        }
    }

    /// What every producer does that has not heard of its last batches.
    fn send_again(&mut self, life: &mut Life) -> Result<(), String> {
        let keys: Vec<_> = life.partitions.keys().copied().collect();
        for key in keys {
            let windows = self.promised.get(&key).map(|promised| promised.windows.clone());
            for (id, window) in windows.unwrap_or_default() {
                let acknowledged = window.iter().filter(|sent| sent.offset.is_some()).count();
                // Batches whose records are gone may be forgotten.
                let keeps_all = &**life.partitions[&key].topic() == "kept";
                let skipped = if keeps_all { 0 } else { acknowledged };
                for sent in window.into_iter().skip(skipped) {
                    let partition = Arc::clone(&life.partitions[&key]);
                    let producer = Some((id, sent.sequence));
                    self.hand_over(key, &partition, sent.values, Acks::All, producer);
                    // On a disk that fails one batch may be refused and the next taken.
                    let is_reliable = !matches!(self.harm, Harm::Mischief(_));
                    life.write(if is_reliable { self.random.below(3) } else { u64::MAX });
                    self.settle(life)?;
                    if self.has_refused {
                        return Ok(());
                    }
                }
            }
        }
        Ok(())
    }

    fn verify(&mut self, life: &mut Life) -> Result<(), String> {
        for (id, name) in &self.topics {
            if life.metadata.image().topic_by_id(*id).is_none() {
                return Err(format!("{name} was created and is gone"));
            }
        }
        for (key, partition) in &life.partitions {
            let there = match read_all(partition) {
                Err(_) if life.disk.has_stopped() || life.disk.has_failed() => return Ok(()),
                there => there?,
            };
            let promised = self.promised.entry(*key).or_default();
            let log_start = partition.log_start_offset();
            if log_start < promised.log_start {
                return Err(format!("the log begins at {log_start}, not {}", promised.log_start));
            }
            let config = partition.config();
            for (offset, value) in promised.records.range(log_start..) {
                let found = there.get(offset);
                let has_newer = || {
                    let newer = there.range(offset + 1..);
                    newer.into_iter().any(|(_, newer)| key_of(newer) == key_of(value))
                };
                if found != Some(value) && !(config.compact && has_newer()) {
                    return Err(format!("{value} was at {offset}, where now is {found:?}"));
                }
            }
            let distinct: HashSet<_> = there.values().collect();
            if distinct.len() != there.len() {
                return Err(format!("something is there twice: {there:?}"));
            }
            if let Some(stray) = there.values().find(|value| self.sent.get(*value) != Some(key)) {
                return Err(format!("{stray} was sent to another topic or partition"));
            }
            // Whoever read it counts on it.
            promised.records = there;
        }
        Ok(())
    }
}

impl Life {
    fn write(&mut self, limit: u64) {
        let mut jobs = Vec::new();
        while (jobs.len() as u64) < limit
            && let Ok(job) = self.queue.try_recv()
        {
            jobs.push(job);
        }
        writer::work(&self.store.directories()[0], jobs);
    }

    fn flush_one(&mut self) -> bool {
        let directory = &self.store.directories()[0];
        let task = directory.tasks().take_ready();
        task.map(|task| flusher::work(directory, task)).is_some()
    }

    fn flush(&mut self) {
        self.flush_one();
    }

    /// On a thread of its own, because it waits for the writer where it needs a new
    /// segment. Only one of the two works at a time: the seed tells everything.
    fn check_retention(&mut self) {
        self.write(u64::MAX);
        let directory = &self.store.directories()[0];
        let (end, mut ended) = oneshot::channel::<()>();
        let waiting = Builder::new_current_thread().build().expect("it needs nothing");
        std::thread::scope(|scope| {
            scope.spawn(move || {
                directory.check_retention();
                drop(end);
            });
            let queue = &mut self.queue;
            waiting.block_on(async {
                loop {
                    tokio::select! {
                        _ = &mut ended => break,
                        job = queue.recv() => writer::work(directory, job.into_iter().collect()),
                    }
                }
            });
        });
    }
}

/// The settings of a topic, which its name says.
fn topic_config(name: &str) -> Arc<TopicConfig> {
    static CONFIGS: LazyLock<HashMap<&str, Arc<TopicConfig>>> = LazyLock::new(|| {
        TOPICS.into_iter().map(|name| (name, Arc::new(resolve_config(name)))).collect()
    });
    Arc::clone(&CONFIGS[name])
}

fn resolve_config(name: &str) -> TopicConfig {
    let policy = match name {
        "compacted" => "compact",
        "both" => "compact,delete",
        _ => "delete",
    };
    let retention_bytes = if matches!(name, "trimmed" | "both") { "1500" } else { "-1" };
    let overrides = [
        // A roll every few batches, an index entry for nearly each.
        ("internal.segment.bytes", "600"),
        ("index.interval.bytes", "100"),
        ("cleanup.policy", policy),
        ("retention.bytes", retention_bytes),
        ("retention.ms", "-1"),
        ("min.cleanable.dirty.ratio", "0"),
    ];
    let overrides = overrides.map(|(name, value)| (name.into(), value.into()));
    TopicConfig::resolve(&overrides.into_iter().collect(), &CONFIG)
}

fn key_of(text: &str) -> &str {
    text.split_once('=').map_or(text, |(key, _)| key)
}

fn batch(values: &[String], producer: Option<(i64, i32)>) -> Bytes {
    let mut builder = BatchBuilder::new(Compression::None);
    if let Some((id, sequence)) = producer {
        builder.set_producer(id, 0, sequence);
    }
    for value in values {
        builder.append(1_000, Some(key_of(value).as_bytes()), Some(value.as_bytes()), &[]);
    }
    builder.build()
}

/// Everything that clients can read of a partition, which has to be all there is.
fn read_all(partition: &Partition) -> Result<BTreeMap<i64, String>, String> {
    let mut there = BTreeMap::new();
    let mut next = partition.log_start_offset();
    let end = partition.log_end_offset();
    if partition.high_watermark() != end {
        return Err("not everything is on disk when the partition serves".to_owned());
    }
    while next < end {
        let range = partition
            .read(next, 10_000, true, Reads::Blocking)
            .map_err(|error| error.to_string())?;
        let range = range.ok_or_else(|| format!("nothing is at {next} of {end}"))?;
        let bytes = range.read().map_err(|error| error.to_string())?;
        for batch in batches(bytes) {
            let batch = batch.map_err(|error| error.to_string())?;
            batch.verify_crc().map_err(|error| format!("at {next}: {error}"))?;
            let (header, of_batch) = (batch.header(), batch.header().partition_leader_epoch);
            let known = partition.epoch_of(header.last_offset());
            // Retention may be about to remove it.
            let is_forgotten = known == -1 && partition.config().retention_bytes.is_some();
            if known != of_batch && !is_forgotten {
                return Err(format!("epoch {of_batch} at {next} is remembered as {known}"));
            }
            let section = batch.record_section(1_000_000).map_err(|error| error.to_string())?;
            for record in RecordIter::new(batch.header(), &section) {
                let record = record.map_err(|error| error.to_string())?;
                if record.offset < next {
                    continue;
                }
                if record.offset != next && !partition.config().compact {
                    return Err(format!("{next} is missing, the next is {}", record.offset));
                }
                let value = String::from_utf8_lossy(record.value.unwrap_or_default()).into_owned();
                there.insert(record.offset, value);
                next = record.offset + 1;
            }
            next = next.max(batch.header().next_offset());
        }
    }
    Ok(there)
}

/// What is wrong in a run besides the crashes.
#[derive(Debug, Clone, Copy)]
enum Harm {
    None,
    LostSync(LostSync),
    LostWhileOpening(LostSync),
    Mischief(Mischief),
    Fault(Fault),
}

/// The seed of the first of so many runs that breaks a promise, on all cores.
fn first_failure(seeds: u64, harm: Harm) -> Option<(u64, String)> {
    let next = AtomicU64::new(0);
    let first = Mutex::new(None);
    let work = || {
        loop {
            let seed = next.fetch_add(1, Ordering::Relaxed);
            if seed >= seeds || first.lock().as_ref().is_some_and(|(first, _)| *first < seed) {
                return;
            }
            if let Err(error) = Simulation::new(seed, harm).run() {
                let mut first = first.lock();
                if first.as_ref().is_none_or(|(first, _)| seed < *first) {
                    *first = Some((seed, error));
                }
            }
        }
    };
    std::thread::scope(|scope| {
        (0..available_parallelism().map_or(1, usize::from)).for_each(|_| _ = scope.spawn(work));
    });
    first.into_inner()
}

#[test]
fn nothing_that_was_promised_is_lost() {
    let failure = first_failure(SEEDS, Harm::None);
    assert!(failure.is_none(), "seed {failure:?}");
}

#[test]
fn a_disk_that_is_full_or_fails_loses_nothing_either() {
    for mischief in [Mischief::IsFull, Mischief::Fails] {
        let failure = first_failure(SEEDS / 10, Harm::Mischief(mischief));
        assert!(failure.is_none(), "{mischief:?}, seed {failure:?}");
    }
}

#[test]
fn what_the_log_must_not_do_is_noticed() {
    for harm in [
        Harm::Mischief(Mischief::KeepsTails),
        Harm::Fault(Fault::LosesRecoveryPoint),
        Harm::Fault(Fault::ForgetsOlderBatches),
    ] {
        assert!(first_failure(SEEDS, harm).is_some(), "{harm:?} is not missed");
    }
}

#[test]
fn every_sync_is_needed() {
    for lost_sync in [
        LostSync::File(".log"),
        LostSync::File("cluster-metadata"),
        LostSync::File(".tmp"),
        LostSync::File(".cleaned"),
        LostSync::File("journal.0"),
        LostSync::File("partition.metadata"),
        LostSync::Directory("-0"),
        LostSync::Directory("/data"),
        LostSync::Directory("/srv"),
    ] {
        let failure = first_failure(SEEDS, Harm::LostSync(lost_sync));
        assert!(failure.is_some(), "{lost_sync:?} is not missed");
    }
}

#[test]
fn what_a_start_finds_is_synced_before_it_is_served() {
    for lost_sync in [
        LostSync::File(".log"),
        LostSync::File("cluster-metadata"),
        LostSync::Directory("-0"),
        LostSync::Directory("/data"),
    ] {
        let failure = first_failure(SEEDS, Harm::LostWhileOpening(lost_sync));
        assert!(failure.is_some(), "{lost_sync:?} is not missed");
    }
}
