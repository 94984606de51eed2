//! Fetch, versions 4 to 18: whole batches from many partitions, as soon as there
//! are enough of them.
//!
//! 5 log start offset · 7 sessions · 9 leader epochs of the client are checked ·
//! 10 zstd · 12 diverging epochs · 13 topics by id · 15 to 18 only concern replicas.
//!
//! ```text
//! request ── session ── plan: its partitions ── look ──┬─ enough ── answer
//!            (KIP-227)                           ▲     └─ not yet ── parked ─┐
//!                                                └───────────────────────────┘
//! ```

mod plan;
#[cfg(test)]
mod tests;

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use protocol::ErrorCode;
use protocol::messages::fetch::FetchableTopicResponse;
use protocol::messages::{FetchRequest, FetchResponse};
use tokio::time::{Instant, timeout_at};

use crate::context::Context;
use crate::fetch_sessions::{AskedPartition, AskedTopic, Begun, TopicKey, Wanted};
use crate::log::FileRange;
use crate::node::Node;
use crate::waiters::Waiter;
use plan::{Found, Limits, Plan};

/// Since this version topics are named by their ids.
const TOPIC_ID_VERSION: i16 = 13;

/// Answers a Fetch; the deferred record sets of the response are in the file ranges, in order.
pub(crate) async fn fetch(
    request: FetchRequest,
    node: &Node,
    context: &Context,
) -> (FetchResponse, Vec<FileRange>) {
    let has_topic_ids = context.api_version >= TOPIC_ID_VERSION;
    let limits = Limits::new(&request, context.api_version, node.config().fetch.max_bytes);
    let now = Instant::now();
    let begun = node.fetch_sessions().lock().begin(&request, has_topic_ids, now.into_std());
    match begun {
        Ok(Begun::Full { wants_session }) => {
            let plan = Arc::new(Plan::new(named(&request, has_topic_ids), limits, node));
            let first = context.fetch_turn.load(Ordering::Relaxed);
            let found = wait(&plan, first, &request, context).await;
            context.fetch_turn.store(found.next_first, Ordering::Relaxed);
            let mut session_id = 0;
            if wants_session {
                let (told, first) = (plan.told(&found), found.next_first);
                let now = Instant::now().into_std();
                session_id = node.fetch_sessions().lock().open(has_topic_ids, told, first, now);
            }
            plan.answer(found, true, session_id)
        }
        Ok(Begun::Incremental(turn, asked)) => {
            let plan = Arc::new(Plan::new(asked, limits, node));
            let found = wait(&plan, turn.first, &request, context).await;
            let (told, first) = (plan.told(&found), found.next_first);
            let finished = node.fetch_sessions().lock().finish(turn, told, first);
            match finished {
                Ok(()) => plan.answer(found, false, turn.id),
                Err(error_code) => failed(error_code),
            }
        }
        Err(error_code) => failed(error_code),
    }
}

/// What answers a fetch that its session does not allow.
fn failed(error_code: ErrorCode) -> (FetchResponse, Vec<FileRange>) {
    (FetchResponse { error_code, ..Default::default() }, Vec::new())
}

/// What a request asks for by itself.
fn named(request: &FetchRequest, has_topic_ids: bool) -> Vec<AskedTopic> {
    let topics = request.topics.iter().map(|topic| {
        let partitions = topic.partitions.iter().map(|asked| AskedPartition {
            index: asked.partition,
            wanted: Wanted::from(asked),
            told: None,
        });
        AskedTopic {
            key: TopicKey::new(has_topic_ids, &topic.topic, topic.topic_id),
            partitions: partitions.collect(),
        }
    });
    topics.collect()
}

/// Looks until there is enough to answer, or the client's time is over.
async fn wait(plan: &Arc<Plan>, first: usize, request: &FetchRequest, context: &Context) -> Found {
    let deadline = Instant::now() + Duration::from_millis(request.max_wait_ms.max(0) as u64);
    let min_bytes = usize::try_from(request.min_bytes).unwrap_or(0);
    let mut found = plan.look(first).await;
    if found.is_enough(min_bytes) || request.max_wait_ms <= 0 {
        return found;
    }
    let parked = Parked::new(plan, min_bytes);
    loop {
        // What came before the waiter was entered woke nobody.
        parked.waiter.reset(min_bytes.saturating_sub(found.bytes));
        found = plan.look(first).await;
        if found.is_enough(min_bytes) || Instant::now() >= deadline {
            return found;
        }
        tokio::select! {
            woken = timeout_at(deadline, parked.waiter.woken()) => {
                if woken.is_err() {
                    return plan.look(first).await;
                }
            }
            () = context.stopping.cancelled() => return found,
        }
    }
}

/// Entered with every partition of a fetch while it lives.
struct Parked<'a> {
    plan: &'a Plan,
    waiter: Arc<Waiter>,
}

impl<'a> Parked<'a> {
    fn new(plan: &'a Plan, min_bytes: usize) -> Self {
        let waiter = Waiter::new(min_bytes);
        plan.partitions().for_each(|partition| partition.waiters().add(&waiter));
        Self { plan, waiter }
    }
}

impl Drop for Parked<'_> {
    fn drop(&mut self) {
        self.plan.partitions().for_each(|partition| partition.waiters().remove(&self.waiter));
    }
}

/// The same error for everything that was asked.
pub(crate) fn refuse(request: FetchRequest, error_code: ErrorCode) -> FetchResponse {
    let responses = request.topics.into_iter().map(|topic| FetchableTopicResponse {
        topic: topic.topic,
        topic_id: topic.topic_id,
        partitions: topic
            .partitions
            .iter()
            .map(|asked| plan::refused(asked.partition, error_code))
            .collect(),
    });
    FetchResponse { responses: responses.collect(), ..Default::default() }
}
