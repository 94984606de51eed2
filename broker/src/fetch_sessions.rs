//! Fetch sessions (KIP-227): what a client that fetches again and again asks
//! for, so that it only has to say what is new and is only told what has changed.
//!
//! ```text
//! (0, 0) full ──────► session opened, epoch 1 ─┐
//!                                              ▼
//!                    (id, epoch) incremental ──► epoch + 1 ─┐
//!                           ▲──────────────────────────────┘
//! (id, 0) full: closed, and another opened · (id, -1) full: closed
//! ```
//!
//! An unknown id is error 70, an epoch out of turn 71. A session names topics
//! either by name or by id, and a request that does otherwise is error 106. Error
//! 103 does not occur: topics are looked up by their id, and one that was made
//! anew has another.
//!
//! # Bounds
//! The number of sessions (`max.incremental.fetch.session.cache.slots`), and the
//! memory of all together. At a bound a session that was not used for two minutes
//! makes room, else a smaller one that is older than that, else the client gets
//! none: it goes on with full fetches.

use std::collections::{BTreeMap, HashMap};
use std::hash::{BuildHasher, RandomState};
use std::time::{Duration, Instant};

use protocol::messages::FetchRequest;
use protocol::messages::fetch::{FetchPartition, PartitionData};
use protocol::{ErrorCode, Str, Uuid};

use crate::log::Bounds;

/// The memory of all sessions, in bytes.
const MAX_BYTES: usize = 64 * 1024 * 1024;
/// What a partition takes in a session, its share of the tree included.
const PARTITION_BYTES: usize = 128;
/// What a topic takes in a session besides its name and its partitions.
const TOPIC_BYTES: usize = 512;
/// A session is safe from others for this long.
const SAFE: Duration = Duration::from_secs(120);

/// The id of no session.
const NO_SESSION: i32 = 0;
/// The epoch of a request that wants a new session.
const FIRST_EPOCH: i32 = 0;
/// The epoch of a request that wants no session.
const FINAL_EPOCH: i32 = -1;

/// How requests name a topic: by name up to version 12, then by id.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum TopicKey {
    Name(Str),
    Id(Uuid),
}

/// What a client wants of a partition.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Wanted {
    pub(crate) fetch_offset: i64,
    /// -1 when the client does not know it.
    pub(crate) current_leader_epoch: i32,
    /// -1 when the client has read nothing yet.
    pub(crate) last_fetched_epoch: i32,
    pub(crate) max_bytes: i32,
}

/// What a client was last told of a partition that has nothing new to read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Told {
    high_watermark: i64,
    log_start_offset: i64,
}

/// One partition of a fetch.
#[derive(Debug, Clone, Copy)]
pub(crate) struct AskedPartition {
    pub(crate) index: i32,
    pub(crate) wanted: Wanted,
    /// `None` when the answer has to name the partition anyway.
    pub(crate) told: Option<Told>,
}

/// One topic of a fetch.
#[derive(Debug)]
pub(crate) struct AskedTopic {
    pub(crate) key: TopicKey,
    pub(crate) partitions: Vec<AskedPartition>,
}

/// What a request asks for when its session is taken into account.
#[derive(Debug)]
pub(crate) enum Begun {
    /// Everything that it names, and nothing else.
    Full { wants_session: bool },
    /// Whatever its session holds.
    Incremental(Turn, Vec<AskedTopic>),
}

/// One request in the life of a session.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Turn {
    pub(crate) id: i32,
    /// Of the next request.
    next_epoch: i32,
    /// The number of the partition that is looked at first, so that each has its turn.
    pub(crate) first: usize,
}

/// See the module.
#[derive(Debug)]
pub(crate) struct FetchSessions {
    sessions: HashMap<i32, Session>,
    max_sessions: usize,
    max_bytes: usize,
    bytes: usize,
    /// Makes ids that nobody can guess.
    ids: RandomState,
    opened: u64,
}

#[derive(Debug)]
struct Session {
    /// That the next request has to bring.
    epoch: i32,
    has_topic_ids: bool,
    topics: BTreeMap<TopicKey, BTreeMap<i32, Held>>,
    partition_count: usize,
    bytes: usize,
    /// See [`Turn::first`].
    first: usize,
    opened: Instant,
    last_used: Instant,
}

#[derive(Debug, Clone, Copy)]
struct Held {
    wanted: Wanted,
    told: Told,
}

impl FetchSessions {
    /// Room for that many sessions, none of them taken.
    pub(crate) fn new(max_sessions: usize) -> Self {
        Self {
            sessions: HashMap::new(),
            max_sessions,
            max_bytes: MAX_BYTES,
            bytes: 0,
            ids: RandomState::new(),
            opened: 0,
        }
    }

    /// Finds out what a request asks for, and notes it in its session.
    ///
    /// # Errors
    /// The error that answers the request as a whole.
    pub(crate) fn begin(
        &mut self,
        request: &FetchRequest,
        has_topic_ids: bool,
        now: Instant,
    ) -> Result<Begun, ErrorCode> {
        let id = request.session_id;
        if matches!(request.session_epoch, FIRST_EPOCH | FINAL_EPOCH) {
            // Whoever starts again has no use for the old session.
            self.close(id);
            return Ok(Begun::Full { wants_session: request.session_epoch == FIRST_EPOCH });
        }
        let session = self.sessions.get_mut(&id).ok_or(ErrorCode::FetchSessionIdNotFound)?;
        if session.epoch != request.session_epoch {
            return Err(ErrorCode::InvalidFetchSessionEpoch);
        }
        if session.has_topic_ids != has_topic_ids {
            return Err(ErrorCode::FetchSessionTopicIdError);
        }
        let before = session.bytes;
        session.update(request, now);
        self.bytes = self.bytes - before + session.bytes;
        if session.partition_count == 0 {
            self.close(id);
            return Ok(Begun::Full { wants_session: false });
        }
        if self.bytes > self.max_bytes {
            // The client starts again, and may find that there is no room for it.
            self.close(id);
            return Err(ErrorCode::FetchSessionIdNotFound);
        }
        let turn = Turn { id, next_epoch: session.epoch, first: session.first };
        Ok(Begun::Incremental(turn, session.asked()))
    }

    /// Opens a session for a client that was told all about these partitions;
    /// `first` is the one that is looked at first next time. Gives its id, or 0
    /// when there is no room.
    pub(crate) fn open<'a>(
        &mut self,
        has_topic_ids: bool,
        partitions: impl Iterator<Item = (&'a TopicKey, i32, Wanted, Told)>,
        first: usize,
        now: Instant,
    ) -> i32 {
        if self.max_sessions == 0 {
            return NO_SESSION;
        }
        let mut session = Session {
            epoch: FIRST_EPOCH + 1,
            has_topic_ids,
            topics: BTreeMap::new(),
            partition_count: 0,
            bytes: 0,
            first,
            opened: now,
            last_used: now,
        };
        for (key, index, wanted, told) in partitions {
            session.want(key, index, wanted);
            session.note(key, index, told);
        }
        if session.partition_count == 0 || !self.make_room(&session, now) {
            return NO_SESSION;
        }
        let id = self.new_id();
        self.bytes += session.bytes;
        self.sessions.insert(id, session);
        id
    }

    /// Notes what the answer to an incremental fetch tells its client, and where
    /// its next one begins.
    ///
    /// # Errors
    /// When the session went on without this request, or is gone.
    pub(crate) fn finish<'a>(
        &mut self,
        turn: Turn,
        told: impl Iterator<Item = (&'a TopicKey, i32, Wanted, Told)>,
        first: usize,
    ) -> Result<(), ErrorCode> {
        let session = self.sessions.get_mut(&turn.id).ok_or(ErrorCode::FetchSessionIdNotFound)?;
        if session.epoch != turn.next_epoch {
            return Err(ErrorCode::InvalidFetchSessionEpoch);
        }
        session.first = first;
        for (key, index, _, told) in told {
            session.note(key, index, told);
        }
        Ok(())
    }

    fn close(&mut self, id: i32) {
        if let Some(session) = self.sessions.remove(&id) {
            self.bytes -= session.bytes;
        }
    }

    /// Whether there is room for the session, for which others may have to go.
    fn make_room(&mut self, session: &Session, now: Instant) -> bool {
        while self.sessions.len() >= self.max_sessions
            || self.bytes + session.bytes > self.max_bytes
        {
            match self.victim(session, now) {
                Some(id) => self.close(id),
                None => return false,
            }
        }
        true
    }

    /// Who has to go before `newcomer` is refused.
    fn victim(&self, newcomer: &Session, now: Instant) -> Option<i32> {
        let (id, oldest) = self.sessions.iter().min_by_key(|(_, session)| session.last_used)?;
        if now.saturating_duration_since(oldest.last_used) > SAFE {
            return Some(*id);
        }
        let settled = self.sessions.iter().filter(|(_, session)| {
            session.last_used.saturating_duration_since(session.opened) > SAFE
        });
        let (id, smallest) = settled.min_by_key(|(_, session)| session.partition_count)?;
        (smallest.partition_count < newcomer.partition_count).then_some(*id)
    }

    fn new_id(&mut self) -> i32 {
        loop {
            self.opened += 1;
            let id = (self.ids.hash_one(self.opened) & 0x7fff_ffff) as i32;
            if id != NO_SESSION && !self.sessions.contains_key(&id) {
                return id;
            }
        }
    }
}

impl Session {
    fn update(&mut self, request: &FetchRequest, now: Instant) {
        for topic in &request.topics {
            let key = TopicKey::new(self.has_topic_ids, &topic.topic, topic.topic_id);
            for asked in &topic.partitions {
                self.want(&key, asked.partition, Wanted::from(asked));
            }
        }
        for topic in &request.forgotten_topics_data {
            let key = TopicKey::new(self.has_topic_ids, &topic.topic, topic.topic_id);
            self.forget(&key, &topic.partitions);
        }
        self.epoch = self.epoch.checked_add(1).unwrap_or(FIRST_EPOCH + 1);
        self.last_used = now;
    }

    fn want(&mut self, key: &TopicKey, index: i32, wanted: Wanted) {
        let partitions = match self.topics.get_mut(key) {
            Some(partitions) => partitions,
            None => {
                self.bytes += key.size_in_bytes();
                self.topics.entry(key.detached()).or_default()
            }
        };
        let held = partitions.entry(index).or_insert_with(|| {
            self.partition_count += 1;
            self.bytes += PARTITION_BYTES;
            Held { wanted, told: Told::NOTHING }
        });
        held.wanted = wanted;
    }

    fn forget(&mut self, key: &TopicKey, indexes: &[i32]) {
        let Some(partitions) = self.topics.get_mut(key) else { return };
        for index in indexes {
            if partitions.remove(index).is_some() {
                self.partition_count -= 1;
                self.bytes -= PARTITION_BYTES;
            }
        }
        if partitions.is_empty() {
            self.topics.remove(key);
            self.bytes -= key.size_in_bytes();
        }
    }

    fn note(&mut self, key: &TopicKey, index: i32, told: Told) {
        let held = self.topics.get_mut(key).and_then(|partitions| partitions.get_mut(&index));
        if let Some(held) = held {
            held.told = told;
        }
    }

    fn asked(&self) -> Vec<AskedTopic> {
        let topics = self.topics.iter().map(|(key, partitions)| {
            let partitions = partitions.iter().map(|(index, held)| AskedPartition {
                index: *index,
                wanted: held.wanted,
                told: Some(held.told),
            });
            AskedTopic { key: key.clone(), partitions: partitions.collect() }
        });
        topics.collect()
    }
}

impl TopicKey {
    pub(crate) fn new(is_id: bool, name: &Str, id: Uuid) -> Self {
        if is_id { Self::Id(id) } else { Self::Name(name.clone()) }
    }

    /// In memory of its own, not in a request's.
    fn detached(&self) -> Self {
        match self {
            Self::Name(name) => Self::Name(name.detached()),
            Self::Id(id) => Self::Id(*id),
        }
    }

    fn size_in_bytes(&self) -> usize {
        match self {
            Self::Name(name) => TOPIC_BYTES + name.len(),
            Self::Id(_) => TOPIC_BYTES,
        }
    }
}

impl From<&FetchPartition> for Wanted {
    fn from(asked: &FetchPartition) -> Self {
        Self {
            fetch_offset: asked.fetch_offset,
            current_leader_epoch: asked.current_leader_epoch,
            last_fetched_epoch: asked.last_fetched_epoch,
            max_bytes: asked.partition_max_bytes,
        }
    }
}

impl From<Bounds> for Told {
    fn from(bounds: Bounds) -> Self {
        let Bounds { high_watermark, log_start_offset, .. } = bounds;
        Self { high_watermark, log_start_offset }
    }
}

impl Told {
    /// As good as nothing: whatever comes next is told.
    const NOTHING: Self = Self { high_watermark: -1, log_start_offset: -1 };

    /// What an answer says. After an error, the end of it is told too.
    pub(crate) fn by(data: &PartitionData) -> Self {
        match data.error_code {
            ErrorCode::None => Self {
                high_watermark: data.high_watermark,
                log_start_offset: data.log_start_offset,
            },
            _ => Self::NOTHING,
        }
    }
}

#[cfg(test)]
mod tests {
    use protocol::messages::fetch::{FetchTopic, ForgottenTopic};

    use super::*;

    const WANTED: Wanted = Wanted {
        fetch_offset: 7,
        current_leader_epoch: -1,
        last_fetched_epoch: -1,
        max_bytes: 100,
    };

    fn told(high_watermark: i64) -> Told {
        Told { high_watermark, log_start_offset: 0 }
    }

    fn name(name: &'static str) -> TopicKey {
        TopicKey::Name(Str::from_static(name))
    }

    /// A request for these partitions of the topic `t`, at offset 7.
    fn request(session_id: i32, session_epoch: i32, partitions: &[i32]) -> FetchRequest {
        let partitions = partitions.iter().map(|partition| FetchPartition {
            partition: *partition,
            fetch_offset: 7,
            partition_max_bytes: 100,
            ..Default::default()
        });
        let topic = FetchTopic {
            topic: Str::from_static("t"),
            partitions: partitions.collect(),
            ..Default::default()
        };
        let topics = if topic.partitions.is_empty() { Vec::new() } else { vec![topic] };
        FetchRequest { session_id, session_epoch, topics, ..Default::default() }
    }

    fn forgetting(mut request: FetchRequest, partitions: &[i32]) -> FetchRequest {
        request.forgotten_topics_data = vec![ForgottenTopic {
            topic: Str::from_static("t"),
            partitions: partitions.to_vec(),
            ..Default::default()
        }];
        request
    }

    /// Opens a session with so many partitions of the topic `t`.
    fn open(sessions: &mut FetchSessions, partitions: i32, now: Instant) -> i32 {
        let key = name("t");
        let partitions = (0..partitions).map(|index| (&key, index, WANTED, told(7)));
        sessions.open(false, partitions, 0, now)
    }

    /// A partition with the offset that is asked for and what was told of it.
    type Asked = (i32, i64, Option<Told>);

    /// What an incremental request comes to: its turn, and what it asks for.
    fn incremental(
        sessions: &mut FetchSessions,
        request: &FetchRequest,
        now: Instant,
    ) -> Result<(Turn, Vec<Asked>), ErrorCode> {
        match sessions.begin(request, false, now)? {
            Begun::Incremental(turn, topics) => {
                let asked = topics.iter().flat_map(|topic| &topic.partitions);
                let asked = asked.map(|asked| (asked.index, asked.wanted.fetch_offset, asked.told));
                Ok((turn, asked.collect()))
            }
            Begun::Full { .. } => panic!("the session is gone"),
        }
    }

    /// The invariant of the bound on memory.
    fn check_bytes(sessions: &FetchSessions) {
        let sum: usize = sessions.sessions.values().map(|session| session.bytes).sum();
        assert_eq!(sessions.bytes, sum);
    }

    #[test]
    fn full_requests_ask_for_what_they_name() {
        let (mut sessions, now) = (FetchSessions::new(10), Instant::now());
        for (case, session_epoch, expected) in
            [("a session is wanted", 0, true), ("none is wanted", -1, false)]
        {
            let begun = sessions.begin(&request(0, session_epoch, &[0]), false, now).unwrap();
            assert!(
                matches!(begun, Begun::Full { wants_session } if wants_session == expected),
                "{case}: {begun:?}"
            );
        }
    }

    #[test]
    fn a_session_remembers_what_is_asked_for_and_what_was_told() {
        let (mut sessions, now) = (FetchSessions::new(10), Instant::now());
        let id = open(&mut sessions, 2, now);
        assert!(id > 0);
        let (turn, asked) = incremental(&mut sessions, &request(id, 1, &[]), now).unwrap();
        assert_eq!(asked, [(0, 7, Some(told(7))), (1, 7, Some(told(7)))]);
        let key = name("t");
        let answered = [(&key, 1, WANTED, told(9)), (&key, 5, WANTED, told(3))];
        sessions.finish(turn, answered.into_iter(), 1).unwrap();
        // One partition moves on, one is new, one is given up.
        let mut next = request(id, 2, &[1, 2]);
        next.topics[0].partitions[0].fetch_offset = 9;
        let (turn, asked) = incremental(&mut sessions, &forgetting(next, &[0, 8]), now).unwrap();
        assert_eq!(turn.first, 1);
        assert_eq!(asked, [(1, 9, Some(told(9))), (2, 7, Some(Told::NOTHING))]);
        check_bytes(&sessions);
    }

    #[test]
    fn what_does_not_fit_the_session_is_refused_by_name() {
        let (mut sessions, now) = (FetchSessions::new(10), Instant::now());
        let id = open(&mut sessions, 1, now);
        let unknown = id % 1000 + 1;
        for (case, id, epoch, has_topic_ids, expected) in [
            ("no such session", unknown, 1, false, ErrorCode::FetchSessionIdNotFound),
            ("no session at all", 0, 1, false, ErrorCode::FetchSessionIdNotFound),
            ("an epoch ahead", id, 2, false, ErrorCode::InvalidFetchSessionEpoch),
            ("a negative epoch", id, -7, false, ErrorCode::InvalidFetchSessionEpoch),
            ("ids in a session of names", id, 1, true, ErrorCode::FetchSessionTopicIdError),
        ] {
            let begun = sessions.begin(&request(id, epoch, &[0]), has_topic_ids, now);
            assert_eq!(begun.err(), Some(expected), "{case}");
        }
        // None of them cost the session its turn, and each turn comes once.
        incremental(&mut sessions, &request(id, 1, &[]), now).unwrap();
        let again = incremental(&mut sessions, &request(id, 1, &[]), now);
        assert_eq!(again, Err(ErrorCode::InvalidFetchSessionEpoch));
    }

    #[test]
    fn a_session_of_ids_takes_no_names() {
        let (mut sessions, now) = (FetchSessions::new(10), Instant::now());
        let key = TopicKey::Id(Uuid::default());
        let id = sessions.open(true, [(&key, 0, WANTED, told(7))].into_iter(), 0, now);
        let begun = sessions.begin(&request(id, 1, &[]), false, now);
        assert_eq!(begun.err(), Some(ErrorCode::FetchSessionTopicIdError));
        assert!(sessions.begin(&request(id, 1, &[]), true, now).is_ok());
    }

    #[test]
    fn an_answer_that_was_overtaken_is_not_noted() {
        let (mut sessions, now) = (FetchSessions::new(10), Instant::now());
        let id = open(&mut sessions, 1, now);
        let (turn, _) = incremental(&mut sessions, &request(id, 1, &[]), now).unwrap();
        let (later, _) = incremental(&mut sessions, &request(id, 2, &[]), now).unwrap();
        let finished = sessions.finish(turn, std::iter::empty(), 0);
        assert_eq!(finished, Err(ErrorCode::InvalidFetchSessionEpoch));
        sessions.begin(&request(id, -1, &[]), false, now).unwrap();
        let finished = sessions.finish(later, std::iter::empty(), 0);
        assert_eq!(finished, Err(ErrorCode::FetchSessionIdNotFound));
    }

    #[test]
    fn epochs_begin_again_behind_the_largest() {
        let (mut sessions, now) = (FetchSessions::new(10), Instant::now());
        let id = open(&mut sessions, 1, now);
        sessions.sessions.get_mut(&id).unwrap().epoch = i32::MAX;
        incremental(&mut sessions, &request(id, i32::MAX, &[]), now).unwrap();
        incremental(&mut sessions, &request(id, 1, &[]), now).unwrap();
    }

    #[test]
    fn a_full_request_and_an_empty_session_end_it() {
        let (mut sessions, now) = (FetchSessions::new(10), Instant::now());
        for epoch in [0, -1] {
            let id = open(&mut sessions, 1, now);
            sessions.begin(&request(id, epoch, &[0]), false, now).unwrap();
            let again = incremental(&mut sessions, &request(id, 1, &[]), now);
            assert_eq!(again, Err(ErrorCode::FetchSessionIdNotFound), "epoch {epoch}");
        }
        let id = open(&mut sessions, 2, now);
        let last = forgetting(request(id, 1, &[]), &[0, 1]);
        let begun = sessions.begin(&last, false, now).unwrap();
        assert!(matches!(begun, Begun::Full { wants_session: false }), "{begun:?}");
        assert_eq!((sessions.sessions.len(), sessions.bytes), (0, 0));
    }

    #[test]
    fn errors_are_told_and_so_is_their_end() {
        let mut data =
            PartitionData { high_watermark: 7, log_start_offset: 0, ..Default::default() };
        assert_eq!(Told::by(&data), told(7));
        data.error_code = ErrorCode::UnknownTopicId;
        assert_ne!(Told::by(&data), told(7));
    }

    #[test]
    fn who_has_to_make_room_is_unused_or_smaller_and_old() {
        let start = Instant::now();
        let at = |seconds| start + Duration::from_secs(seconds);
        // Two sessions of three and five partitions, used every minute.
        let full = |used: u64| {
            let mut sessions = FetchSessions::new(2);
            let ids = [3, 5].map(|partitions| open(&mut sessions, partitions, start));
            for (minute, epoch) in (1..=used).zip(1..) {
                for id in ids {
                    incremental(&mut sessions, &request(id, epoch, &[]), at(60 * minute)).unwrap();
                }
            }
            sessions
        };
        for (case, used, partitions, seconds, is_admitted) in [
            ("both are young", 0, 9, 100, false),
            ("both are unused", 0, 1, 121, true),
            ("both are old and in use, the newcomer is larger than one", 3, 4, 200, true),
            ("both are old and in use, the newcomer is no larger", 3, 3, 200, false),
        ] {
            let mut sessions = full(used);
            let id = open(&mut sessions, partitions, at(seconds));
            assert_eq!(id > 0, is_admitted, "{case}");
            assert_eq!(sessions.sessions.len(), 2, "{case}");
            check_bytes(&sessions);
        }
    }

    #[test]
    fn without_slots_there_are_no_sessions() {
        assert_eq!(open(&mut FetchSessions::new(0), 1, Instant::now()), 0);
        assert_eq!(open(&mut FetchSessions::new(1), 0, Instant::now()), 0, "nothing to hold");
    }

    #[test]
    fn memory_is_bounded_by_bytes_too() {
        let (mut sessions, now) = (FetchSessions::new(10), Instant::now());
        sessions.max_bytes = 2 * TOPIC_BYTES + 10 * PARTITION_BYTES;
        let id = open(&mut sessions, 4, now);
        assert!(id > 0);
        assert_eq!(open(&mut sessions, 9, now), 0, "more than there is room for");
        let grown = incremental(&mut sessions, &request(id, 1, &Vec::from_iter(4..30)), now);
        assert_eq!(grown, Err(ErrorCode::FetchSessionIdNotFound));
        assert_eq!((sessions.sessions.len(), sessions.bytes), (0, 0));
    }

    #[test]
    fn names_do_not_keep_the_request_in_memory() {
        let (mut sessions, now) = (FetchSessions::new(10), Instant::now());
        let text = bytes::Bytes::from(b"t".to_vec());
        let key = TopicKey::Name(Str::from_utf8(text.clone()).unwrap());
        sessions.open(false, [(&key, 0, WANTED, told(7))].into_iter(), 0, now);
        drop(key);
        assert!(text.is_unique());
    }
}
