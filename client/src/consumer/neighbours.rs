//! Members of one group that share a client tell each other when one comes or goes.
//!
//! A coordinator can only say that the group rebalances when a member sends its
//! heartbeat, and until the last one did, whoever joins has to wait: with Kafka's
//! interval for three seconds. Members that share a client know of each other, and
//! send a heartbeat at once. What becomes of the group is still the coordinator's.

use std::collections::HashMap;
use std::sync::{Arc, Weak};
use std::time::Duration;

use parking_lot::Mutex;
use protocol::Str;
use tokio::sync::watch;

/// Pause between heartbeats while a neighbour joins. The first may arrive before
/// its request does.
pub(super) const HEARTBEAT_WHILE_JOINING: Duration = Duration::from_millis(20);

/// What the members of one group do.
#[derive(Debug, Clone, Copy, Default)]
struct Doings {
    /// How many wait for the answer to a JoinGroup.
    joining: usize,
    /// How many have left so far.
    departures: u64,
}

/// The groups that this client has members in.
#[derive(Debug, Default)]
pub(crate) struct Neighbourhoods {
    /// Groups with a member. Nothing is locked after it.
    groups: Mutex<HashMap<Str, Weak<watch::Sender<Doings>>>>,
}

/// The other members of a group, as one of them sees them.
#[derive(Debug)]
pub(super) struct Neighbours {
    all: Arc<Neighbourhoods>,
    group: Str,
    sender: Arc<watch::Sender<Doings>>,
    receiver: watch::Receiver<Doings>,
    /// Departures that this member has asked the coordinator about, or was part of.
    departures: u64,
}

/// While it lives, a member joins.
#[derive(Debug)]
pub(super) struct Joining {
    sender: Arc<watch::Sender<Doings>>,
}

impl Neighbourhoods {
    pub(super) fn enter(self: &Arc<Self>, group: Str) -> Neighbours {
        let sender = {
            let mut groups = self.groups.lock();
            let known = groups.get(&group).and_then(Weak::upgrade);
            known.unwrap_or_else(|| {
                let sender = Arc::new(watch::Sender::default());
                groups.insert(group.clone(), Arc::downgrade(&sender));
                sender
            })
        };
        let receiver = sender.subscribe();
        let departures = receiver.borrow().departures;
        Neighbours { all: Arc::clone(self), group, sender, receiver, departures }
    }
}

impl Neighbours {
    /// Tells the others that this member joins.
    pub(super) fn join(&self) -> Joining {
        self.sender.send_modify(|doings| doings.joining += 1);
        Joining { sender: Arc::clone(&self.sender) }
    }

    /// Tells the others that this member has left.
    pub(super) fn left(&mut self) {
        self.sender.send_modify(|doings| doings.departures += 1);
        self.departures = self.receiver.borrow().departures;
    }

    /// Waits until one of them does something that was not seen yet.
    pub(super) async fn stirred(&mut self) {
        // The sender is not dropped before `self`.
        let _ = self.receiver.changed().await;
    }

    /// Whether one of them is joining.
    pub(super) fn is_one_joining(&self) -> bool {
        self.receiver.borrow().joining > 0
    }

    /// Whether the coordinator has probably something to say.
    pub(super) fn take_news(&mut self) -> bool {
        let doings = *self.receiver.borrow_and_update();
        let has_one_left = doings.departures != self.departures;
        self.departures = doings.departures;
        has_one_left || doings.joining > 0
    }
}

impl Drop for Neighbours {
    fn drop(&mut self) {
        let mut groups = self.all.groups.lock();
        // Whoever enters does so under the lock.
        if Arc::strong_count(&self.sender) == 1 {
            groups.remove(&self.group);
        }
    }
}

impl Drop for Joining {
    fn drop(&mut self) {
        self.sender.send_modify(|doings| doings.joining -= 1);
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt;

    use super::*;

    #[test]
    fn comings_and_goings_are_news_to_the_others_of_the_group() {
        let all = Arc::new(Neighbourhoods::default());
        let enter = |group: &str| all.enter(group.into());
        let (mut a, mut b, mut other) = (enter("g"), enter("g"), enter("h"));
        assert!(!a.take_news());
        let joining = b.join();
        assert!(a.stirred().now_or_never().is_some() && a.is_one_joining() && a.take_news());
        assert!(a.stirred().now_or_never().is_none(), "that was seen");
        assert!(a.take_news(), "as long as it lasts");
        drop(joining);
        assert!(!a.take_news());
        b.left();
        assert!(!b.take_news(), "it knows");
        assert!(a.take_news());
        assert!(!a.take_news(), "once");
        assert!(other.stirred().now_or_never().is_none() && !other.take_news());
        // One that comes later has nothing to ask.
        assert!(!enter("g").take_news());
        drop((a, b, other));
        assert!(all.groups.lock().is_empty());
    }
}
