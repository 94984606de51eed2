//! Registrations that come while another one is being written wait, and are
//! then written together, with one produce request and one wait for the reader.
//!
//! A round is planned on the view as it was when the round began. That is right
//! as long as no plan can change another one, so:
//! - a subject occurs once in a round, and a registration that brings an id is
//!   a round of its own;
//! - what ids the round has given so far is noted in its [`Claims`], so that equal
//!   schemas share one and different ones do not;
//! - everything else that is written (configs, modes, deletions) is never
//!   part of a round.
//!
//! Subject by subject registrations keep the order in which they came.

use std::collections::{HashMap, HashSet, VecDeque};
use std::sync::Arc;

use parking_lot::Mutex;
use tokio::sync::oneshot;
use uuid::Uuid;

use super::register::{Plan, Registration};
use super::{Inner, compute};
use crate::content::{Content, SchemaType};
use crate::error::Error;
use crate::store::{Filter, Records, StoredSchema};
use crate::subject::Subject;

/// The most registrations of a round.
const MAX_REGISTRATIONS: usize = 256;
/// The most bytes of records of a round that has more than one registration:
/// together they have to fit into a batch of the topic.
const MAX_BYTES: usize = 256 * 1024;

type Answer = Result<Arc<StoredSchema>, Error>;

/// A registration that nobody has planned yet.
#[derive(Debug)]
struct Waiting {
    subject: Subject,
    request: Arc<Registration>,
    answer: oneshot::Sender<Answer>,
}

/// Those that wait, in the order in which they came.
#[derive(Debug, Default)]
pub(super) struct Queue(Mutex<VecDeque<Waiting>>);

/// Ids that were given in a round, whose records are not in the view yet.
#[derive(Debug, Default)]
pub(super) struct Claims {
    ids: HashMap<(Box<str>, SchemaType, Uuid), i32>,
    max_ids: HashMap<Box<str>, i32>,
}

impl Claims {
    /// The id of a content in a context.
    pub(super) fn id_of(&self, context: &str, content: &Content) -> Option<i32> {
        if self.ids.is_empty() {
            return None;
        }
        self.ids.get(&(context.into(), content.schema_type, content.guid())).copied()
    }

    /// The highest id of a context; 0 if none was given.
    pub(super) fn max_id(&self, context: &str) -> i32 {
        self.max_ids.get(context).copied().unwrap_or(0)
    }

    fn note(&mut self, context: &str, content: &Content, id: i32) {
        self.ids.insert((context.into(), content.schema_type, content.guid()), id);
        let max_id = self.max_ids.entry(context.into()).or_default();
        *max_id = id.max(*max_id);
    }
}

impl Queue {
    /// Puts a registration at the end; its answer comes later.
    pub(super) fn push(
        &self,
        subject: Subject,
        request: Arc<Registration>,
    ) -> oneshot::Receiver<Answer> {
        let (answer, receiver) = oneshot::channel();
        self.0.lock().push_back(Waiting { subject, request, answer });
        receiver
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.lock().is_empty()
    }

    /// Takes those that can be written together.
    fn take_round(&self) -> VecDeque<Waiting> {
        let mut waiting = self.0.lock();
        let mut round = VecDeque::new();
        let mut later = VecDeque::new();
        let mut subjects = HashSet::new();
        while let Some(next) = waiting.pop_front() {
            let brings_id = next.request.id.is_some();
            // A later registration of the same subject must not overtake.
            let is_first = subjects.insert(next.subject.clone());
            if round.is_empty() || (is_first && !brings_id && round.len() < MAX_REGISTRATIONS) {
                round.push_back(next);
                if brings_id {
                    break;
                }
            } else {
                later.push_back(next);
                if later.len() >= MAX_REGISTRATIONS {
                    break;
                }
            }
        }
        later.append(&mut waiting);
        *waiting = later;
        round
    }

    /// Puts back what did not fit, in front of all that came later.
    fn put_back(&self, rest: VecDeque<Waiting>) {
        let mut waiting = self.0.lock();
        for next in rest.into_iter().rev() {
            waiting.push_front(next);
        }
    }

    /// Answers all that wait that they cannot be written.
    pub(super) fn refuse(&self, error: &Error) {
        for waiting in std::mem::take(&mut *self.0.lock()) {
            // Whoever asked may be gone.
            let _ = waiting.answer.send(Err(error.clone()));
        }
    }
}

/// A registration whose records are part of the round.
struct Planned {
    subject: Subject,
    version: i32,
    id: i32,
    content: Box<Content>,
    answer: oneshot::Sender<Answer>,
}

impl Inner {
    /// Writes the next round, and answers those in it. Whoever calls it is the
    /// only writer.
    pub(super) async fn write_round(self: &Arc<Self>) {
        let mut round = self.registrations.take_round();
        let claims = Arc::new(Mutex::new(Claims::default()));
        let mut records = Records::default();
        let mut planned = Vec::new();
        while let Some(next) = round.pop_front() {
            match self.plan_for_round(&next, &claims).await {
                Ok((_, Plan::Known(stored))) => _ = next.answer.send(Ok(stored)),
                Ok((more, Plan::New { version, id, content })) => {
                    if !planned.is_empty() && records.size() + more.size() > MAX_BYTES {
                        round.push_front(next);
                        break;
                    }
                    records.append(more);
                    claims.lock().note(next.subject.context(), &content, id);
                    let Waiting { subject, answer, .. } = next;
                    planned.push(Planned { subject, version, id, content, answer });
                }
                Err(error) => _ = next.answer.send(Err(error)),
            }
        }
        self.registrations.put_back(round);
        let removes = records.removes();
        let appended = self.store.append(records).await;
        if removes {
            // What a reference stands for may be something else the next time.
            self.parsed.clear();
        }
        for planned in planned {
            let answer = appended.clone().and_then(|()| self.confirm(&planned));
            let _ = planned.answer.send(answer);
        }
    }

    async fn plan_for_round(
        self: &Arc<Self>,
        waiting: &Waiting,
        claims: &Arc<Mutex<Claims>>,
    ) -> Result<(Records, Plan), Error> {
        let (subject, request) = (waiting.subject.clone(), Arc::clone(&waiting.request));
        let claims = Arc::clone(claims);
        let earlier: usize = {
            let view = self.store.view();
            view.versions(&subject, Filter::Live).map(|stored| stored.content.text.len()).sum()
        };
        let size = request.text.len() + earlier;
        compute(self, size, move |inner| inner.plan(&subject, &request, &claims.lock())).await
    }

    /// The version that was written, unless something else is there.
    fn confirm(&self, planned: &Planned) -> Answer {
        let view = self.store.view();
        let stored = view.version(&planned.subject, planned.version, Filter::Live);
        let is_ours = |stored: &&Arc<StoredSchema>| {
            stored.id == planned.id && *stored.content == *planned.content
        };
        stored.filter(is_ours).cloned().ok_or_else(|| {
            Error::Store("Another registry wrote at the same time; try again".to_owned())
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn push(queue: &Queue, names: &str) {
        for name in names.split_whitespace() {
            let (name, id) = match name.split_once('=') {
                Some((name, id)) => (name, Some(id.parse().unwrap())),
                None => (name, None),
            };
            let request = Registration { id, ..Registration::default() };
            // Nobody waits for the answer.
            drop(queue.push(Subject::parse(name), Arc::new(request)));
        }
    }

    fn shown(waiting: &VecDeque<Waiting>) -> String {
        let names = waiting.iter().map(|waiting| waiting.subject.to_string());
        names.collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn a_round_has_every_subject_once_and_ids_of_others_alone() {
        let queue = Queue::default();
        push(&queue, "a b a c :.x:a b d=7 d e");
        for expected in ["a b c :.x:a e", "a b", "d", "d", ""] {
            assert_eq!(shown(&queue.take_round()), expected);
        }
        assert!(queue.is_empty());
    }

    #[test]
    fn what_did_not_fit_comes_first_in_the_next_round() {
        let queue = Queue::default();
        push(&queue, "a b c");
        let mut round = queue.take_round();
        assert_eq!(shown(&round), "a b c");
        round.pop_front();
        push(&queue, "b d");
        queue.put_back(round);
        assert_eq!(shown(&queue.take_round()), "b c d");
        assert_eq!(shown(&queue.take_round()), "b");
    }

    #[test]
    fn a_round_has_a_bound() {
        let queue = Queue::default();
        let names: Vec<String> = (0..MAX_REGISTRATIONS + 1).map(|name| name.to_string()).collect();
        push(&queue, &names.join(" "));
        assert_eq!(queue.take_round().len(), MAX_REGISTRATIONS);
        assert_eq!(queue.take_round().len(), 1);
    }
}
