//! Members of a group that are no consumers, against a real cluster.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use client::{GroupMember, GroupMemberConfig, GroupProtocol};
use protocol::Str;
use tokio::sync::watch;

use crate::{bootstrap, client, unique};

/// Every member is told what all of them said, in order.
struct Roll {
    says: &'static str,
    told: watch::Sender<Option<Vec<u8>>>,
}

impl GroupProtocol for Roll {
    fn metadata(&self) -> Bytes {
        Bytes::from_static(self.says.as_bytes())
    }

    fn assign(&self, members: Vec<(Str, Bytes)>) -> Vec<(Str, Bytes)> {
        let mut said: Vec<&[u8]> = members.iter().map(|(_, said)| &**said).collect();
        said.sort_unstable();
        let roll = Bytes::from(said.join(&b' '));
        members.into_iter().map(|(member, _)| (member, roll.clone())).collect()
    }

    fn assigned(&self, member_id: &str, assignment: Bytes) {
        assert!(!member_id.is_empty());
        self.told.send_replace(Some(assignment.to_vec()));
    }

    fn revoked(&self) {
        self.told.send_replace(None);
    }
}

struct Member {
    member: GroupMember,
    told: watch::Receiver<Option<Vec<u8>>>,
}

fn join(bootstrap: &str, group: &Str, says: &'static str) -> Member {
    let (told, receiver) = watch::channel(None);
    let config = GroupMemberConfig {
        group_id: group.clone(),
        protocol_type: "roll".into(),
        protocol_name: "v0".into(),
        session_timeout: Duration::from_secs(10),
        heartbeat_interval: Duration::from_millis(200),
        rebalance_timeout: Duration::from_secs(30),
    };
    let member = GroupMember::join(client(bootstrap), config, Arc::new(Roll { says, told }));
    Member { member, told: receiver }
}

impl Member {
    async fn is_told(&mut self, expected: &str) {
        let is_told = |told: &Option<Vec<u8>>| told.as_deref() == Some(expected.as_bytes());
        self.told.wait_for(is_told).await.unwrap();
    }
}

#[tokio::test]
async fn members_agree_on_what_the_leader_of_the_group_says() {
    let Some(bootstrap) = bootstrap() else { return };
    let group = unique("roll");
    let mut first = join(&bootstrap, &group, "a");
    first.is_told("a").await;
    let mut second = join(&bootstrap, &group, "b");
    first.is_told("a b").await;
    second.is_told("a b").await;
    first.member.leave().await;
    second.is_told("b").await;
    second.member.rejoin();
    second.told.changed().await.unwrap();
    second.is_told("b").await;
    second.member.leave().await;
    assert_eq!(*second.told.borrow(), None, "who has left has nothing");
}
