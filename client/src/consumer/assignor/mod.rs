//! Who reads what: the assignors of the classic group protocol.
//!
//! The leader of a group runs the assignor that all members know. The results
//! are those of the Java client's assignors, so that groups of both kinds of
//! members settle: sticky assignors of one kind keep what the other gave out.
//! Racks are not looked at.

mod cooperative_sticky;
mod range;
mod round_robin;
mod sticky;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::str::FromStr;

use bytes::Bytes;
use protocol::Str;

use super::consumer_protocol::{
    NO_GENERATION, StickyUserData, Subscription, encode_cooperative_user_data,
};
use super::topic_partition::TopicPartition;

/// How the partitions of a group's topics are spread over its members.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Assignor {
    /// Topic by topic, neighbouring partitions to one member; the first members get one more.
    Range,
    /// All partitions of all topics in turn.
    RoundRobin,
    /// As even as can be, moving as little as possible (KIP-54). Members give everything up while they join.
    Sticky,
    /// As [`Assignor::Sticky`]; members keep reading what does not move (KIP-429).
    CooperativeSticky,
}

/// What members do with their partitions while they join (KIP-429).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum RebalanceProtocol {
    /// Give all of them up first.
    Eager,
    /// Keep them; give up afterwards what went to another member, then join again.
    Cooperative,
}

impl Assignor {
    const ALL: [Self; 4] = [Self::Range, Self::RoundRobin, Self::Sticky, Self::CooperativeSticky];

    /// Kafka's name of the assignor, by which members agree on one.
    pub fn name(self) -> &'static str {
        match self {
            Self::Range => "range",
            Self::RoundRobin => "roundrobin",
            Self::Sticky => "sticky",
            Self::CooperativeSticky => "cooperative-sticky",
        }
    }

    /// The name of the class in the Java client, as settings give it.
    fn class_name(self) -> &'static str {
        match self {
            Self::Range => "org.apache.kafka.clients.consumer.RangeAssignor",
            Self::RoundRobin => "org.apache.kafka.clients.consumer.RoundRobinAssignor",
            Self::Sticky => "org.apache.kafka.clients.consumer.StickyAssignor",
            Self::CooperativeSticky => {
                "org.apache.kafka.clients.consumer.CooperativeStickyAssignor"
            }
        }
    }

    /// What all of `assignors` can do: cooperate only when none of them is eager,
    /// as in the Java client, whose default list (range, cooperative-sticky) is eager.
    pub(crate) fn common_protocol(assignors: &[Self]) -> RebalanceProtocol {
        if !assignors.is_empty()
            && assignors.iter().all(|assignor| *assignor == Self::CooperativeSticky)
        {
            RebalanceProtocol::Cooperative
        } else {
            RebalanceProtocol::Eager
        }
    }

    /// What a member adds to its subscription for this assignor.
    /// `previous` is what it was last assigned, in `generation`.
    pub(crate) fn user_data(self, previous: &[TopicPartition], generation: i32) -> Option<Bytes> {
        match self {
            Self::Range | Self::RoundRobin => None,
            Self::Sticky if generation == NO_GENERATION => None,
            Self::Sticky => Some(
                StickyUserData { previous: previous.to_vec(), generation: Some(generation) }
                    .encode(),
            ),
            Self::CooperativeSticky => Some(encode_cooperative_user_data(generation)),
        }
    }

    /// Spreads the partitions. `partitions` holds the partition count of every
    /// topic that exists; topics without an entry are left out. Every member has
    /// an entry in the result, sorted.
    pub(crate) fn assign(self, partitions: &BTreeMap<Str, i32>, members: &[Member]) -> Assignments {
        let mut assignments = match self {
            Self::Range => range::assign(partitions, members),
            Self::RoundRobin => round_robin::assign(partitions, members),
            Self::Sticky => sticky::assign(partitions, members, sticky::from_user_data),
            Self::CooperativeSticky => cooperative_sticky::assign(partitions, members),
        };
        for member in members {
            assignments.entry(member.id.clone()).or_default().sort();
        }
        assignments
    }
}

impl fmt::Display for Assignor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// Takes Kafka's short names and the names of the Java client's classes.
impl FromStr for Assignor {
    type Err = UnknownAssignor;

    fn from_str(name: &str) -> Result<Self, UnknownAssignor> {
        Self::ALL
            .into_iter()
            .find(|assignor| assignor.name() == name || assignor.class_name() == name)
            .ok_or_else(|| UnknownAssignor(name.to_owned()))
    }
}

/// A name that no assignor has.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "unknown partition assignor {0}: known are range, roundrobin, sticky and cooperative-sticky"
)]
pub struct UnknownAssignor(String);

/// A member of the group, as the leader learns of it.
#[derive(Debug, Clone)]
pub(crate) struct Member {
    pub(crate) id: Str,
    pub(crate) instance_id: Option<Str>,
    pub(crate) subscription: Subscription,
}

/// The partitions of each member, by member id.
pub(crate) type Assignments = BTreeMap<Str, Vec<TopicPartition>>;

/// The members in the order in which partitions are dealt: static ones by their
/// instance ids, which survive restarts, then the others by member id.
fn in_dealing_order(members: &[Member]) -> Vec<&Member> {
    let mut ordered: Vec<_> = members.iter().collect();
    ordered.sort_by_key(|member| {
        (member.instance_id.is_none(), member.instance_id.as_ref(), &member.id)
    });
    ordered
}

/// Every partition of every topic that a member wants and that exists, in order.
fn subscribed_topics(members: &[Member]) -> BTreeSet<&Str> {
    members.iter().flat_map(|member| &member.subscription.topics).collect()
}

#[cfg(test)]
pub(super) mod testing {
    use super::*;

    /// `a=2,b=3`: partition counts.
    pub(crate) fn topics(text: &str) -> BTreeMap<Str, i32> {
        text.split(',')
            .filter(|entry| !entry.is_empty())
            .map(|entry| {
                let (topic, count) = entry.split_once('=').unwrap();
                (Str::from(topic), count.parse().unwrap())
            })
            .collect()
    }

    /// `a-0 a-1`: partitions.
    pub(crate) fn partitions(text: &str) -> Vec<TopicPartition> {
        text.split_whitespace()
            .map(|entry| {
                let (topic, partition) = entry.rsplit_once('-').unwrap();
                TopicPartition::new(topic, partition.parse().unwrap())
            })
            .collect()
    }

    /// A member with its topics, `a b`, and, at `generation`, what it owns.
    pub(crate) fn member(id: &str, topics: &str, owned: &str, generation: i32) -> Member {
        let owned = partitions(owned);
        Member {
            id: id.into(),
            instance_id: None,
            subscription: Subscription {
                topics: topics.split_whitespace().map(Str::from).collect(),
                user_data: Assignor::Sticky.user_data(&owned, generation),
                owned_partitions: owned,
                generation: Some(generation),
                rack: None,
            },
        }
    }

    /// One line per member: `c1: a-0 a-1`.
    pub(crate) fn written(assignments: &Assignments) -> Vec<String> {
        assignments
            .iter()
            .map(|(member, partitions)| {
                let mut line = format!("{}:", member.as_str());
                for partition in partitions {
                    line.push_str(&format!(" {partition}"));
                }
                line
            })
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn assignors_are_known_by_short_name_and_by_class() {
        for assignor in Assignor::ALL {
            assert_eq!(assignor.name().parse(), Ok(assignor));
            assert_eq!(assignor.class_name().parse(), Ok(assignor));
        }
        assert_eq!("uniform".parse::<Assignor>(), Err(UnknownAssignor("uniform".to_owned())));
    }

    #[test]
    fn a_list_is_cooperative_only_when_all_of_it_is() {
        use Assignor::{CooperativeSticky, Range};
        assert_eq!(Assignor::common_protocol(&[CooperativeSticky]), RebalanceProtocol::Cooperative);
        assert_eq!(
            Assignor::common_protocol(&[Range, CooperativeSticky]),
            RebalanceProtocol::Eager
        );
        assert_eq!(Assignor::common_protocol(&[]), RebalanceProtocol::Eager);
    }

    /// The answers of the Java client's assignors (kafka-clients 4.3.1) to random
    /// groups: assignor, partition counts, members with their topics, what they
    /// own and their generation, result.
    #[test]
    fn groups_are_spread_as_the_java_client_spreads_them() {
        for line in include_str!("../../../tests/golden/assignors.txt").lines() {
            let fields: Vec<_> = line.split('|').collect();
            let [assignor, counts, members, expected] = fields[..] else { panic!("{line}") };
            let members: Vec<_> = members
                .split(';')
                .map(|entry| {
                    let fields: Vec<_> = entry.split(':').collect();
                    testing::member(fields[0], fields[1], fields[2], fields[3].parse().unwrap())
                })
                .collect();
            let assignments =
                assignor.parse::<Assignor>().unwrap().assign(&testing::topics(counts), &members);
            let spread: Vec<_> =
                testing::written(&assignments).iter().map(|line| line.replace(": ", ":")).collect();
            assert_eq!(spread.join(";"), expected, "{line}");
        }
    }

    #[test]
    fn static_members_come_first() {
        let mut members =
            [("c", Some("1")), ("a", None), ("b", Some("2"))].map(|(id, instance)| {
                let instance_id = instance.map(Str::from);
                Member { id: id.into(), instance_id, subscription: Subscription::default() }
            });
        members.reverse();
        let order: Vec<_> =
            in_dealing_order(&members).iter().map(|member| member.id.to_string()).collect();
        assert_eq!(order, ["c", "b", "a"]);
    }
}
