//! All partitions of all topics, dealt in turn.

use std::collections::BTreeMap;

use protocol::Str;

use super::super::topic_partition::TopicPartition;
use super::{Assignments, Member, in_dealing_order, subscribed_topics};

pub(super) fn assign(partitions: &BTreeMap<Str, i32>, members: &[Member]) -> Assignments {
    let ordered = in_dealing_order(members);
    let mut assignments = Assignments::new();
    let mut turn = ordered.iter().cycle().peekable();
    for topic in subscribed_topics(members) {
        for partition in 0..partitions.get(topic).copied().unwrap_or(0) {
            // Somebody wants the topic, or it would not be in the list.
            while turn.next_if(|member| !member.subscription.topics.contains(topic)).is_some() {}
            let Some(member) = turn.next() else { return assignments };
            let partition = TopicPartition { topic: topic.clone(), partition };
            assignments.entry(member.id.clone()).or_default().push(partition);
        }
    }
    assignments
}

#[cfg(test)]
mod tests {
    use super::super::Assignor;
    use super::super::testing::{member, topics, written};

    #[test]
    fn partitions_are_dealt_across_topics() {
        let members = [member("c1", "a b", "", -1), member("c2", "a b", "", -1)];
        let assignments = Assignor::RoundRobin.assign(&topics("a=3,b=3"), &members);
        assert_eq!(written(&assignments), ["c1: a-0 a-2 b-1", "c2: a-1 b-0 b-2"]);
    }

    #[test]
    fn members_that_do_not_want_a_topic_are_passed_over() {
        // The example in the documentation of Kafka's own assignor.
        let members = [
            member("c0", "t0", "", -1),
            member("c1", "t0 t1", "", -1),
            member("c2", "t0 t1 t2", "", -1),
        ];
        let assignments = Assignor::RoundRobin.assign(&topics("t0=1,t1=2,t2=3"), &members);
        assert_eq!(written(&assignments), ["c0: t0-0", "c1: t1-0", "c2: t1-1 t2-0 t2-1 t2-2"]);
    }
}
