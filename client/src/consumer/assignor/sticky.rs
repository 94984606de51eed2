//! As even as can be, moving as little as possible.
//!
//! A partition stays with the member that owned it last, as far as an even
//! spread allows; the rest is dealt to the members that hold least.
//! Two members may claim one partition after a missed rebalance: the claim of
//! the later generation counts, and of two equal claims none.

use std::collections::{BTreeMap, BTreeSet};

use protocol::Str;

use super::super::consumer_protocol::{NO_GENERATION, StickyUserData};
use super::super::topic_partition::TopicPartition;
use super::{Assignments, Member, subscribed_topics};

/// What a member says it owned, and in which generation.
#[derive(Debug, Default)]
pub(super) struct Claim {
    pub(super) partitions: Vec<TopicPartition>,
    pub(super) generation: i32,
}

/// Claims of the eager assignor. Its members own nothing while they join, so
/// the claim lies in the user data; data that cannot be read is no claim.
pub(super) fn from_user_data(member: &Member) -> Claim {
    let data =
        member.subscription.user_data.clone().and_then(|bytes| StickyUserData::decode(bytes).ok());
    let data = data.unwrap_or_default();
    Claim { partitions: data.previous, generation: data.generation.unwrap_or(NO_GENERATION) }
}

pub(super) fn assign(
    partitions: &BTreeMap<Str, i32>,
    members: &[Member],
    claim_of: impl Fn(&Member) -> Claim,
) -> Assignments {
    Spread::new(partitions, members, claim_of).assign().assignments()
}

/// A spread in the making. Members are indices, in the order of their ids.
pub(super) struct Spread<'a> {
    members: Vec<&'a Member>,
    /// The members that want a topic, for each topic that exists and that somebody wants.
    subscribers: BTreeMap<&'a Str, Vec<usize>>,
    partitions: &'a BTreeMap<Str, i32>,
    /// Who owned a partition last, where that is beyond doubt.
    previous: BTreeMap<TopicPartition, usize>,
    /// Partitions with two equal claims.
    contested: BTreeSet<TopicPartition>,
    owners: BTreeMap<TopicPartition, usize>,
    loads: Vec<usize>,
}

impl<'a> Spread<'a> {
    pub(super) fn new(
        partitions: &'a BTreeMap<Str, i32>,
        members: &'a [Member],
        claim_of: impl Fn(&Member) -> Claim,
    ) -> Self {
        let mut ordered: Vec<_> = members.iter().collect();
        ordered.sort_by(|a, b| a.id.cmp(&b.id));
        let subscribers = subscribed_topics(members)
            .into_iter()
            .filter(|topic| partitions.contains_key(*topic))
            .map(|topic| {
                let wants = |(index, member): (usize, &&Member)| {
                    member.subscription.topics.contains(topic).then_some(index)
                };
                (topic, ordered.iter().enumerate().filter_map(wants).collect())
            })
            .collect();
        let loads = vec![0; ordered.len()];
        let mut spread = Self {
            members: ordered,
            subscribers,
            partitions,
            previous: BTreeMap::new(),
            contested: BTreeSet::new(),
            owners: BTreeMap::new(),
            loads,
        };
        spread.settle_claims(claim_of);
        spread
    }

    fn settle_claims(&mut self, claim_of: impl Fn(&Member) -> Claim) {
        let mut claims: BTreeMap<TopicPartition, (i32, Vec<usize>)> = BTreeMap::new();
        for (index, member) in self.members.iter().enumerate() {
            let claim = claim_of(member);
            for partition in claim.partitions {
                let exists = self
                    .partitions
                    .get(&partition.topic)
                    .is_some_and(|count| partition.partition < *count);
                if !exists || partition.partition < 0 {
                    continue;
                }
                let (generation, claimants) =
                    claims.entry(partition).or_insert((claim.generation, Vec::new()));
                if claim.generation > *generation {
                    (*generation, *claimants) = (claim.generation, Vec::new());
                }
                if claim.generation == *generation && !claimants.contains(&index) {
                    claimants.push(index);
                }
            }
        }
        for (partition, (_, claimants)) in claims {
            if let [owner] = claimants[..] {
                self.previous.insert(partition, owner);
            } else {
                self.contested.insert(partition);
            }
        }
    }

    /// Spreads everything. All members wanting the same is by far the most
    /// common case, and has an exact answer.
    pub(super) fn assign(mut self) -> Self {
        let everybody = self.members.len();
        if self.subscribers.values().all(|subscribers| subscribers.len() == everybody) {
            self.assign_by_quota();
        } else {
            self.assign_by_load();
        }
        self
    }

    pub(super) fn assignments(&self) -> Assignments {
        let mut assignments = Assignments::new();
        for (partition, owner) in &self.owners {
            assignments.entry(self.members[*owner].id.clone()).or_default().push(partition.clone());
        }
        assignments
    }

    /// Whether the partition goes to a member while another may still read it.
    pub(super) fn changes_hands(&self, partition: &TopicPartition) -> bool {
        let previous = self.previous.get(partition);
        self.contested.contains(partition)
            || previous.is_some_and(|previous| self.owners.get(partition) != Some(previous))
    }

    pub(super) fn owned_partitions(&self) -> impl Iterator<Item = (&TopicPartition, &Str)> {
        self.owners.iter().map(|(partition, owner)| (partition, &self.members[*owner].id))
    }

    fn give(&mut self, partition: TopicPartition, member: usize) {
        self.loads[member] += 1;
        if let Some(former) = self.owners.insert(partition, member) {
            self.loads[former] -= 1;
        }
    }

    fn all_partitions(&self) -> Vec<TopicPartition> {
        let numbered = |topic: &Str| {
            let topic = topic.clone();
            let count = self.partitions.get(&topic).copied().unwrap_or(0);
            (0..count).map(move |partition| TopicPartition { topic: topic.clone(), partition })
        };
        self.subscribers.keys().flat_map(|topic| numbered(topic)).collect()
    }

    /// Every member wants every topic: each gets `least` partitions, and
    /// `extras` of them one more.
    fn assign_by_quota(&mut self) {
        let all = self.all_partitions();
        if self.members.is_empty() {
            return;
        }
        let least = all.len() / self.members.len();
        let mut extras = all.len() % self.members.len();
        for member in 0..self.members.len() {
            let mut owned: Vec<_> = self
                .previous
                .iter()
                .filter(|(_, owner)| **owner == member)
                .map(|(p, _)| p.clone())
                .collect();
            // Kafka's order: a member that has too much gives up its highest partition numbers.
            owned.sort_by(|a, b| (a.partition, &a.topic).cmp(&(b.partition, &b.topic)));
            let keeps_extra = owned.len() > least && extras > 0;
            extras -= usize::from(keeps_extra);
            for partition in owned.into_iter().take(least + usize::from(keeps_extra)) {
                self.give(partition, member);
            }
        }
        let unassigned: Vec<_> =
            all.into_iter().filter(|partition| !self.owners.contains_key(partition)).collect();
        let mut unassigned = unassigned.into_iter();
        // Extras go to those who own their share already, then to those who get it, as they get it.
        let mut full: Vec<_> =
            (0..self.members.len()).filter(|member| self.loads[*member] == least).collect();
        let mut below: Vec<_> =
            (0..self.members.len()).filter(|member| self.loads[*member] < least).collect();
        while !below.is_empty() {
            for &member in &below {
                if let Some(partition) = unassigned.next() {
                    self.give(partition, member);
                }
            }
            let (filled, rest) = below.into_iter().partition(|member| self.loads[*member] == least);
            full.extend::<Vec<_>>(filled);
            below = rest;
        }
        for (member, partition) in full.into_iter().zip(unassigned) {
            self.give(partition, member);
        }
    }

    /// Members want different topics: keep what may stay, deal the rest to the
    /// least loaded, topics with few subscribers first, then level out.
    fn assign_by_load(&mut self) {
        for (partition, owner) in self.previous.clone() {
            if self.subscribers_of(&partition).contains(&owner) {
                self.give(partition, owner);
            }
        }
        let mut all = self.all_partitions();
        all.sort_by_key(|partition| self.subscribers_of(partition).len());
        let (owned, new): (Vec<_>, Vec<_>) =
            all.into_iter().partition(|p| self.owners.contains_key(p));
        for partition in &new {
            if let Some(member) = self.least_loaded(partition) {
                self.give(partition.clone(), member);
            }
        }
        self.level(&new);
        self.level(&[new, owned].concat());
        self.undo_exchanges();
    }

    fn subscribers_of(&self, partition: &TopicPartition) -> &[usize] {
        self.subscribers.get(&partition.topic).map_or(&[], Vec::as_slice)
    }

    fn least_loaded(&self, partition: &TopicPartition) -> Option<usize> {
        self.subscribers_of(partition).iter().copied().min_by_key(|member| self.loads[*member])
    }

    /// Moves partitions to members that hold at least two less. Ends, because
    /// each move makes the sum of the squared loads smaller.
    fn level(&mut self, partitions: &[TopicPartition]) {
        loop {
            let mut moved = false;
            for partition in partitions {
                let Some(&owner) = self.owners.get(partition) else { continue };
                let previous = self.previous.get(partition).copied();
                let previous =
                    previous.filter(|previous| self.subscribers_of(partition).contains(previous));
                let lighter = |member: &usize| self.loads[owner] > self.loads[*member] + 1;
                if let Some(member) =
                    previous.filter(lighter).or(self.least_loaded(partition).filter(lighter))
                {
                    self.give(partition.clone(), member);
                    moved = true;
                }
            }
            if !moved {
                return;
            }
        }
    }

    /// Two members that each got a partition of the other keep their own.
    fn undo_exchanges(&mut self) {
        let mut moved: BTreeMap<(usize, usize), Vec<TopicPartition>> = BTreeMap::new();
        for (partition, previous) in self.previous.clone() {
            let Some(&owner) = self.owners.get(&partition) else { continue };
            if owner == previous || !self.subscribers_of(&partition).contains(&previous) {
                continue;
            }
            match moved.get_mut(&(owner, previous)).and_then(Vec::pop) {
                Some(exchanged) => {
                    self.give(exchanged, owner);
                    self.give(partition, previous);
                }
                None => moved.entry((previous, owner)).or_default().push(partition),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::Assignor;
    use super::super::testing::{member, partitions, topics, written};
    use super::*;

    /// Assigns, then lets the members claim the result and assigns again.
    fn check(counts: &str, members: &[Member], expected: &[&str]) -> Vec<Member> {
        let counts = topics(counts);
        let assignments = Assignor::Sticky.assign(&counts, members);
        assert_eq!(written(&assignments), expected);
        let settled: Vec<_> = members
            .iter()
            .map(|member| {
                let mut member = member.clone();
                member.subscription.user_data =
                    Assignor::Sticky.user_data(&assignments[&member.id], 1);
                member
            })
            .collect();
        assert_eq!(
            written(&Assignor::Sticky.assign(&counts, &settled)),
            expected,
            "a settled group stays"
        );
        settled
    }

    #[test]
    fn those_who_stay_keep_what_they_have() {
        // The first example in the documentation of Kafka's own assignor.
        let members = ["c0", "c1", "c2"].map(|id| member(id, "t0 t1 t2 t3", "", -1));
        let settled = check(
            "t0=2,t1=2,t2=2,t3=2",
            &members,
            &["c0: t0-0 t1-1 t3-0", "c1: t0-1 t2-0 t3-1", "c2: t1-0 t2-1"],
        );
        let without_c1 = [settled[0].clone(), settled[2].clone()];
        check(
            "t0=2,t1=2,t2=2,t3=2",
            &without_c1,
            &["c0: t0-0 t0-1 t1-1 t3-0", "c2: t1-0 t2-0 t2-1 t3-1"],
        );
    }

    #[test]
    fn different_subscriptions_are_levelled() {
        // The second example in the documentation of Kafka's own assignor.
        let members = [
            member("c0", "t0", "", -1),
            member("c1", "t0 t1", "", -1),
            member("c2", "t0 t1 t2", "", -1),
        ];
        let settled =
            check("t0=1,t1=2,t2=3", &members, &["c0: t0-0", "c1: t1-0 t1-1", "c2: t2-0 t2-1 t2-2"]);
        check("t0=1,t1=2,t2=3", &settled[1..], &["c1: t0-0 t1-0 t1-1", "c2: t2-0 t2-1 t2-2"]);
    }

    #[test]
    fn a_newcomer_takes_the_highest_partitions_of_those_with_too_much() {
        let members = [member("a", "t", "t-0 t-1 t-2 t-3", 3), member("b", "t", "", -1)];
        check("t=4", &members, &["a: t-0 t-1", "b: t-2 t-3"]);
    }

    #[test]
    fn the_extra_partition_stays_where_it_is() {
        let members = [member("a", "t", "t-0", 3), member("b", "t", "t-1 t-2", 3)];
        check("t=3", &members, &["a: t-0", "b: t-1 t-2"]);
    }

    #[test]
    fn the_later_of_two_claims_counts() {
        let members = [member("a", "t", "t-0 t-1", 4), member("b", "t", "t-0 t-2 t-3", 5)];
        check("t=4", &members, &["a: t-1 t-3", "b: t-0 t-2"]);
    }

    #[test]
    fn partitions_that_are_gone_or_unwanted_are_given_up() {
        let members = [member("a", "t", "t-0 t-7 x-0", 1), member("b", "t u", "t-1 u-0", 1)];
        check("t=2,u=1,x=1", &members, &["a: t-0", "b: t-1 u-0"]);
    }

    #[test]
    fn user_data_that_cannot_be_read_is_no_claim() {
        let mut broken = member("a", "t", "t-0", 1);
        broken.subscription.user_data = Some(bytes::Bytes::from_static(b"\xff\xff"));
        check("t=2", &[broken, member("b", "t", "t-0", 1)], &["a: t-1", "b: t-0"]);
    }

    /// Every partition has one owner that wants it, and no move would level the loads.
    fn assert_valid_and_level(
        counts: &BTreeMap<Str, i32>,
        members: &[Member],
        assignments: &Assignments,
    ) {
        let mut owners = BTreeMap::new();
        for member in members {
            for partition in &assignments[&member.id] {
                assert!(
                    member.subscription.topics.contains(&partition.topic),
                    "{partition} is unwanted"
                );
                assert_eq!(
                    owners.insert(partition.clone(), &member.id),
                    None,
                    "{partition} has two owners"
                );
            }
        }
        for (topic, count) in counts {
            let wanting: Vec<_> =
                members.iter().filter(|m| m.subscription.topics.contains(topic)).collect();
            for partition in (0..*count).map(|p| TopicPartition::new(topic.clone(), p)) {
                let Some(owner) = owners.get(&partition) else {
                    assert!(wanting.is_empty(), "{partition} has no owner");
                    continue;
                };
                for other in &wanting {
                    assert!(
                        assignments[*owner].len() <= assignments[&other.id].len() + 1,
                        "{partition} should go from {owner} to {}",
                        other.id
                    );
                }
            }
        }
    }

    #[test]
    fn any_group_settles_level() {
        // A small generator: the cases must not change from run to run.
        let mut state: u64 = 0x2545_f491_4f6c_dd1d;
        let mut random = move |below: u64| {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            state % below
        };
        for _ in 0..300 {
            let topic_count = 1 + random(6);
            let counts: BTreeMap<Str, i32> = (0..topic_count)
                .map(|t| (Str::from(format!("t{t}")), 1 + random(7) as i32))
                .collect();
            let mut members: Vec<_> = (0..1 + random(6))
                .map(|id| {
                    let mut wanted: Vec<_> = (0..topic_count)
                        .filter(|_| random(3) > 0)
                        .map(|t| format!("t{t}"))
                        .collect();
                    if random(2) == 0 {
                        wanted = counts.keys().map(ToString::to_string).collect();
                    }
                    member(&format!("m{id}"), &wanted.join(" "), "", -1)
                })
                .collect();
            for generation in 1..4 {
                let assignments = Assignor::Sticky.assign(&counts, &members);
                assert_valid_and_level(&counts, &members, &assignments);
                for member in &mut members {
                    member.subscription.user_data =
                        Assignor::Sticky.user_data(&assignments[&member.id], generation);
                }
                assert_eq!(
                    Assignor::Sticky.assign(&counts, &members),
                    assignments,
                    "a settled group stays"
                );
                if members.len() > 1 {
                    members.remove(random(members.len() as u64) as usize);
                }
                members.push(member(&format!("n{generation}"), "t0 t1 t2", "", -1));
            }
        }
    }

    #[test]
    fn two_equal_claims_are_none() {
        let members = [member("a", "t", "t-0 t-1", 5), member("b", "t", "t-1", 5)];
        let counts = topics("t=2");
        let spread = Spread::new(&counts, &members, from_user_data).assign();
        assert_eq!(written(&spread.assignments()), ["a: t-0", "b: t-1"]);
        assert!(
            spread.changes_hands(&partitions("t-1")[0]),
            "nobody may read it before both gave it up"
        );
        assert!(!spread.changes_hands(&partitions("t-0")[0]));
    }
}
