//! Questions about metadata that many callers have at once, put to the cluster together.
//!
//! Of each kind of question one request is under way at a time. Who asks
//! meanwhile shares the next one: an answer is never older than its question.

use std::collections::HashSet;
use std::sync::Arc;

use parking_lot::Mutex;
use protocol::Str;
use tokio::sync::oneshot;

use crate::{AutoCreate, Error, Topic};

/// What somebody wants to know.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Question {
    /// The nodes.
    Cluster,
    /// Every topic.
    AllTopics,
    /// Some topics by name.
    Topics(AutoCreate),
}

/// The topics asked for, sorted by name; those that do not exist carry the error that says so.
pub(crate) type Answer = Result<Arc<[Arc<Topic>]>, Error>;

/// A request to be made, and who waits for it.
#[derive(Debug, Default)]
pub(crate) struct Round {
    pub(crate) names: HashSet<Str>,
    pub(crate) waiting: Vec<oneshot::Sender<Answer>>,
}

impl Round {
    pub(crate) fn answer(self, answer: &Answer) {
        for waiting in self.waiting {
            // Whoever has stopped waiting does not need it.
            let _ = waiting.send(answer.clone());
        }
    }
}

/// See the module.
#[derive(Debug, Default)]
pub(crate) struct Lookups {
    lanes: [Mutex<Lane>; 4],
}

#[derive(Debug, Default)]
struct Lane {
    running: bool,
    next: Option<Round>,
}

impl Lookups {
    fn lane(&self, question: Question) -> &Mutex<Lane> {
        let [cluster, all, named, created] = &self.lanes;
        match question {
            Question::Cluster => cluster,
            Question::AllTopics => all,
            Question::Topics(AutoCreate::No) => named,
            Question::Topics(AutoCreate::Yes) => created,
        }
    }

    /// Joins the next request. True when the caller has to see to it that
    /// [`Lookups::next`] is called until it answers `None`.
    pub(crate) fn join(
        &self,
        question: Question,
        names: impl IntoIterator<Item = Str>,
        waiting: Option<oneshot::Sender<Answer>>,
    ) -> bool {
        let mut lane = self.lane(question).lock();
        let round = lane.next.get_or_insert_default();
        round.names.extend(names);
        round.waiting.extend(waiting);
        !std::mem::replace(&mut lane.running, true)
    }

    /// The next request to make, if somebody waits for one.
    pub(crate) fn next(&self, question: Question) -> Option<Round> {
        let mut lane = self.lane(question).lock();
        let round = lane.next.take();
        lane.running = round.is_some();
        round
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn callers_during_a_request_share_the_next_one() {
        let lookups = Lookups::default();
        let question = Question::Topics(AutoCreate::No);
        let join =
            |name: &str| lookups.join(question, [Str::from(name)], Some(oneshot::channel().0));
        assert!(join("a"));
        assert!(!join("b"));
        let first = lookups.next(question).unwrap();
        assert_eq!((first.names.len(), first.waiting.len()), (2, 2));
        assert!(!join("a"));
        assert!(!join("a"));
        assert!(
            lookups.join(Question::AllTopics, [], None),
            "other questions have requests of their own"
        );
        let second = lookups.next(question).unwrap();
        assert_eq!((second.names.len(), second.waiting.len()), (1, 2));
        assert!(lookups.next(question).is_none());
        assert!(join("c"));
    }
}
