//! The sticky spread for members that keep reading while they join (KIP-429).
//!
//! A partition that changes hands is given to nobody in this round: its former
//! owner sees that it is gone, gives it up and joins again, and the round after
//! gives it to its new owner.

use std::collections::BTreeMap;

use protocol::Str;

use super::super::consumer_protocol::{NO_GENERATION, decode_cooperative_user_data};
use super::sticky::{Claim, Spread};
use super::{Assignments, Member};

pub(super) fn assign(partitions: &BTreeMap<Str, i32>, members: &[Member]) -> Assignments {
    let spread = Spread::new(partitions, members, from_owned_partitions).assign();
    let mut assignments = Assignments::new();
    for (partition, member) in spread.owned_partitions() {
        if !spread.changes_hands(partition) {
            assignments.entry(member.clone()).or_default().push(partition.clone());
        }
    }
    assignments
}

fn from_owned_partitions(member: &Member) -> Claim {
    let subscription = &member.subscription;
    let in_user_data = || decode_cooperative_user_data(subscription.user_data.clone()?).ok();
    let generation = subscription.generation.or_else(in_user_data).unwrap_or(NO_GENERATION);
    Claim { partitions: subscription.owned_partitions.clone(), generation }
}

#[cfg(test)]
mod tests {
    use super::super::Assignor;
    use super::super::testing::{member, topics, written};

    #[test]
    fn a_partition_rests_for_one_round_between_two_owners() {
        let counts = topics("t=4");
        let first = [member("a", "t", "t-0 t-1 t-2 t-3", 1), member("b", "t", "", -1)];
        assert_eq!(
            written(&Assignor::CooperativeSticky.assign(&counts, &first)),
            ["a: t-0 t-1", "b:"]
        );
        let second = [member("a", "t", "t-0 t-1", 2), member("b", "t", "", 2)];
        assert_eq!(
            written(&Assignor::CooperativeSticky.assign(&counts, &second)),
            ["a: t-0 t-1", "b: t-2 t-3"]
        );
    }

    #[test]
    fn free_partitions_are_given_at_once() {
        let members = [member("a", "t", "t-0", 1), member("b", "t", "", -1)];
        let assignments = Assignor::CooperativeSticky.assign(&topics("t=2"), &members);
        assert_eq!(written(&assignments), ["a: t-0", "b: t-1"]);
    }

    #[test]
    fn a_partition_with_two_claims_is_given_to_nobody() {
        let members = [member("a", "t", "t-0 t-1", 5), member("b", "t", "t-1", 5)];
        let assignments = Assignor::CooperativeSticky.assign(&topics("t=2"), &members);
        assert_eq!(written(&assignments), ["a: t-0", "b:"]);
    }

    #[test]
    fn the_generation_of_old_members_is_in_their_user_data() {
        let mut old = member("a", "t", "t-0", -1);
        old.subscription.generation = None;
        old.subscription.user_data = Assignor::CooperativeSticky.user_data(&[], 7);
        let newer = member("b", "t", "t-0 t-1", 6);
        let assignments = Assignor::CooperativeSticky.assign(&topics("t=2"), &[old, newer]);
        assert_eq!(written(&assignments), ["a: t-0", "b: t-1"]);
    }

    #[test]
    fn different_subscriptions_wait_a_round_too() {
        let counts = topics("t=3,u=1");
        let members = [member("a", "t u", "t-0 t-1 t-2 u-0", 1), member("b", "t", "", -1)];
        assert_eq!(
            written(&Assignor::CooperativeSticky.assign(&counts, &members)),
            ["a: t-2 u-0", "b:"]
        );
    }
}
