//! Topic by topic, a run of neighbouring partitions for each member.

use std::collections::BTreeMap;

use protocol::Str;

use super::super::topic_partition::TopicPartition;
use super::{Assignments, Member, in_dealing_order, subscribed_topics};

pub(super) fn assign(partitions: &BTreeMap<Str, i32>, members: &[Member]) -> Assignments {
    let ordered = in_dealing_order(members);
    let mut assignments = Assignments::new();
    for topic in subscribed_topics(members) {
        let Some(&count) = partitions.get(topic) else { continue };
        let subscribers: Vec<_> =
            ordered.iter().filter(|member| member.subscription.topics.contains(topic)).collect();
        let (each, extra) = (count / subscribers.len() as i32, count % subscribers.len() as i32);
        let mut next = 0;
        for (index, member) in (0..).zip(subscribers) {
            let end = next + each + i32::from(index < extra);
            let run =
                (next..end).map(|partition| TopicPartition { topic: topic.clone(), partition });
            assignments.entry(member.id.clone()).or_default().extend(run);
            next = end;
        }
    }
    assignments
}

#[cfg(test)]
mod tests {
    use super::super::Assignor;
    use super::super::testing::{member, topics, written};

    #[test]
    fn the_first_members_get_one_more_of_each_topic() {
        let members = [member("c2", "a b", "", -1), member("c1", "a b", "", -1)];
        let assignments = Assignor::Range.assign(&topics("a=3,b=3"), &members);
        assert_eq!(written(&assignments), ["c1: a-0 a-1 b-0 b-1", "c2: a-2 b-2"]);
    }

    #[test]
    fn a_topic_goes_only_to_those_who_want_it() {
        let members =
            [member("c1", "a", "", -1), member("c2", "a b", "", -1), member("c3", "a", "", -1)];
        let assignments = Assignor::Range.assign(&topics("a=3,b=2"), &members);
        assert_eq!(written(&assignments), ["c1: a-0", "c2: a-1 b-0 b-1", "c3: a-2"]);
    }

    #[test]
    fn a_missing_topic_and_a_surplus_member_leave_empty_hands() {
        let members = [member("c1", "a", "", -1), member("c2", "a", "", -1)];
        assert_eq!(written(&Assignor::Range.assign(&topics("a=1"), &members)), ["c1: a-0", "c2:"]);
        assert_eq!(written(&Assignor::Range.assign(&topics("x=1"), &members)), ["c1:", "c2:"]);
    }
}
