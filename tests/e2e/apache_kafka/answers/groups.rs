//! Groups: members, offsets, and what is refused.
//!
//! Kafka knows a group without a name, for consumers of long ago. We refuse it with error
//! 24, so nothing here commits to it.

use bytes::Bytes;
use protocol::ErrorCode;
use protocol::messages::join_group::JoinGroupRequestProtocol;
use protocol::messages::leave_group::MemberIdentity;
use protocol::messages::offset_commit::{OffsetCommitRequestPartition, OffsetCommitRequestTopic};
use protocol::messages::offset_delete::{OffsetDeleteRequestPartition, OffsetDeleteRequestTopic};
use protocol::messages::offset_fetch::{
    OffsetFetchRequestGroup, OffsetFetchRequestTopic, OffsetFetchRequestTopics,
};
use protocol::messages::sync_group::SyncGroupRequestAssignment;
use protocol::messages::{
    DeleteGroupsRequest, DescribeGroupsRequest, FindCoordinatorRequest, HeartbeatRequest,
    JoinGroupRequest, LeaveGroupRequest, ListGroupsRequest, OffsetCommitRequest,
    OffsetDeleteRequest, OffsetFetchRequest, SyncGroupRequest,
};

use super::Script;
use crate::harness::until;

pub(super) fn play(script: &mut Script<'_>) {
    script.cluster.create_topic("consumed", 2);
    coordinator(script);
    commits(script);
    fetches(script);
    members(script);
    describe(script);
    delete(script);
}

fn coordinator(script: &mut Script<'_>) {
    // Makes the topic of the offsets, which takes its time.
    let request =
        FindCoordinatorRequest { key: "anyone".into(), ..FindCoordinatorRequest::default() };
    until("the coordinator", || {
        let answer = script.connection.call(3, &request).unwrap();
        (answer.error_code == ErrorCode::None).then_some(())
    });
    until("the groups to be loaded", || {
        let mut errors = (0..12).map(|number| {
            let request = commit(&format!("warm{number}"), -1, "", &[("consumed", 0, 1, Some(""))]);
            script.connection.call(8, &request).unwrap().topics[0].partitions[0].error_code
        });
        errors.all(|error| error == ErrorCode::None).then_some(())
    });
    for version in [0, 1, 2, 3] {
        script.ask(&format!("find coordinator v{version}"), version, &request);
    }
    for version in [4, 5, 6] {
        let request = FindCoordinatorRequest {
            coordinator_keys: vec!["one".into(), "two".into()],
            ..FindCoordinatorRequest::default()
        };
        script.ask(&format!("find coordinators v{version}"), version, &request);
    }
    let request = FindCoordinatorRequest { key_type: 9, ..request };
    script.ask("find a coordinator of an unknown kind", 3, &request);
}

fn commit(
    group: &str,
    generation: i32,
    member: &str,
    offsets: &[(&str, i32, i64, Option<&str>)],
) -> OffsetCommitRequest {
    let topic = |(topic, partition, offset, metadata): &(&str, i32, i64, Option<&str>)| {
        OffsetCommitRequestTopic {
            name: (*topic).into(),
            partitions: vec![OffsetCommitRequestPartition {
                partition_index: *partition,
                committed_offset: *offset,
                committed_metadata: metadata.map(Into::into),
                ..OffsetCommitRequestPartition::default()
            }],
            ..OffsetCommitRequestTopic::default()
        }
    };
    OffsetCommitRequest {
        group_id: group.into(),
        generation_id_or_member_epoch: generation,
        member_id: member.into(),
        topics: offsets.iter().map(topic).collect(),
        ..OffsetCommitRequest::default()
    }
}

fn commits(script: &mut Script<'_>) {
    let long = "m".repeat(1_001);
    for (case, request) in [
        ("alone", commit("alone", -1, "", &[("consumed", 0, 5, Some("text"))])),
        ("without text", commit("alone", -1, "", &[("consumed", 1, 6, None)])),
        ("with a generation", commit("alone", 3, "", &[("consumed", 0, 5, Some(""))])),
        ("with a member", commit("alone", 3, "somebody", &[("consumed", 0, 5, Some(""))])),
        ("with a member only", commit("alone", -1, "somebody", &[("consumed", 0, 5, Some(""))])),
        ("of an unknown group", commit("unknown", 3, "", &[("consumed", 0, 5, Some(""))])),
        ("of a missing topic", commit("alone", -1, "", &[("missing", 0, 5, Some(""))])),
        ("of a missing partition", commit("alone", -1, "", &[("consumed", 8, 5, Some(""))])),
        ("of a negative offset", commit("alone", -1, "", &[("consumed", 1, -7, Some(""))])),
        ("with too much text", commit("alone", -1, "", &[("consumed", 1, 7, Some(&long))])),
        (
            "some good and some bad",
            commit(
                "alone",
                -1,
                "",
                &[
                    ("consumed", 0, 9, Some("")),
                    ("missing", 0, 9, Some("")),
                    ("absent", 1, 9, Some(&long)),
                ],
            ),
        ),
        ("nothing", commit("alone", -1, "", &[])),
    ] {
        for version in [2, 5, 8, 9] {
            let mut answer = script.connection.call(version, &request).unwrap();
            answer.topics.sort_by(|one, next| one.name.cmp(&next.name));
            script.keep(&format!("commit {case} v{version}"), &answer);
        }
    }
    let mut request = commit("alone", -1, "", &[("consumed", 0, 5, Some(""))]);
    request.group_instance_id = Some("static".into());
    script.ask("commit of a static member", 8, &request);
}

fn fetches(script: &mut Script<'_>) {
    let fetch = |group: &str, topics: Option<&[(&str, &[i32])]>| OffsetFetchRequest {
        group_id: group.into(),
        topics: topics.map(|topics| {
            let topic = |(name, partitions): &(&str, &[i32])| OffsetFetchRequestTopic {
                name: (*name).into(),
                partition_indexes: partitions.to_vec(),
            };
            topics.iter().map(topic).collect()
        }),
        ..OffsetFetchRequest::default()
    };
    let some: &[(&str, &[i32])] = &[("consumed", &[0, 1, 7]), ("missing", &[0])];
    for version in [1, 2, 3, 5, 6, 7] {
        script.ask(&format!("fetch offsets v{version}"), version, &fetch("alone", Some(some)));
        let name = format!("fetch offsets of an unknown group v{version}");
        script.ask(&name, version, &fetch("stranger", Some(some)));
        if version >= 2 {
            let mut all = script.connection.call(version, &fetch("alone", None)).unwrap();
            all.topics
                .iter_mut()
                .for_each(|topic| topic.partitions.sort_by_key(|one| one.partition_index));
            script.keep(&format!("fetch all offsets v{version}"), &all);
            script.ask(
                &format!("fetch no offsets v{version}"),
                version,
                &fetch("alone", Some(&[])),
            );
        }
        script.ask(
            &format!("fetch offsets of no group v{version}"),
            version,
            &fetch("", Some(some)),
        );
    }
    for version in [8, 9] {
        let group = |group: &str, topics| OffsetFetchRequestGroup {
            group_id: group.into(),
            topics,
            ..OffsetFetchRequestGroup::default()
        };
        let consumed = OffsetFetchRequestTopics {
            name: "consumed".into(),
            partition_indexes: vec![1, 0],
            ..OffsetFetchRequestTopics::default()
        };
        let request = OffsetFetchRequest {
            groups: vec![
                group("alone", Some(vec![consumed])),
                group("stranger", None),
                group("", None),
            ],
            ..OffsetFetchRequest::default()
        };
        script.ask(&format!("fetch offsets of groups v{version}"), version, &request);
    }
}

fn join(group: &str, member: &str, protocols: &[&str]) -> JoinGroupRequest {
    JoinGroupRequest {
        group_id: group.into(),
        session_timeout_ms: 10_000,
        rebalance_timeout_ms: 10_000,
        member_id: member.into(),
        protocol_type: "consumer".into(),
        protocols: protocols
            .iter()
            .map(|name| JoinGroupRequestProtocol {
                name: (*name).into(),
                metadata: Bytes::from_static(
                    b"\0\x01\0\0\0\x01\0\x08consumed\xff\xff\xff\xff\0\0\0\0",
                ),
            })
            .collect(),
        ..JoinGroupRequest::default()
    }
}

fn members(script: &mut Script<'_>) {
    let with_timeout = |timeout: i32| JoinGroupRequest {
        session_timeout_ms: timeout,
        ..join("team", "", &["range"])
    };
    let typed = |kind: &str| JoinGroupRequest {
        protocol_type: kind.into(),
        ..join("team", "", &["range"])
    };
    for (case, request) in [
        ("no group", join("", "", &["range"])),
        ("a short session", with_timeout(1)),
        ("a long session", with_timeout(i32::MAX)),
        ("an unknown member", join("team", "somebody", &["range"])),
        ("no protocol", join("team", "", &[])),
        ("no type", typed("")),
    ] {
        for version in [1, 5, 9] {
            script.ask(&format!("join {case} v{version}"), version, &request);
        }
    }
    // From version 4 on the coordinator gives the id first.
    let given = script.ask("join without an id", 9, &join("team", "", &["range", "roundrobin"]));
    assert_eq!(given.error_code, ErrorCode::MemberIdRequired);
    let member = given.member_id;
    let joined = script.ask("join", 9, &join("team", &member, &["range", "roundrobin"]));
    assert_eq!(joined.error_code, ErrorCode::None);
    let beat = |group: &str, generation: i32, member: &str| HeartbeatRequest {
        group_id: group.into(),
        generation_id: generation,
        member_id: member.into(),
        ..HeartbeatRequest::default()
    };
    let sync = |generation: i32, member: &str, protocol: Option<&str>| SyncGroupRequest {
        group_id: "team".into(),
        generation_id: generation,
        member_id: member.into(),
        protocol_type: Some("consumer".into()),
        protocol_name: protocol.map(Into::into),
        assignments: vec![SyncGroupRequestAssignment {
            member_id: member.into(),
            assignment: Bytes::from_static(b"\0\x01\0\0\0\0\xff\xff\xff\xff"),
        }],
        ..SyncGroupRequest::default()
    };
    script.ask("heartbeat before the sync", 4, &beat("team", 1, &member));
    script.ask(
        "commit before the sync",
        8,
        &commit("team", 1, &member, &[("consumed", 0, 1, Some(""))]),
    );
    script.ask("sync of another generation", 5, &sync(4, &member, Some("range")));
    script.ask("sync of a stranger", 5, &sync(1, "stranger", Some("range")));
    script.ask("sync of another protocol", 5, &sync(1, &member, Some("roundrobin")));
    script.ask("sync", 5, &sync(1, &member, Some("range")));
    script.ask("sync again", 5, &sync(1, &member, Some("range")));
    script.ask("heartbeat", 4, &beat("team", 1, &member));
    script.ask("heartbeat of another generation", 4, &beat("team", 2, &member));
    script.ask("heartbeat of a stranger", 4, &beat("team", 1, "stranger"));
    script.ask("heartbeat of an unknown group", 4, &beat("unknown", 1, &member));
    script.ask("heartbeat of no group", 4, &beat("", 1, &member));
    for (case, request) in [
        ("of a member", commit("team", 1, &member, &[("consumed", 0, 7, Some(""))])),
        ("of an old generation", commit("team", 0, &member, &[("consumed", 0, 8, Some(""))])),
        ("of a later generation", commit("team", 2, &member, &[("consumed", 0, 8, Some(""))])),
        ("of a stranger", commit("team", 1, "stranger", &[("consumed", 0, 8, Some(""))])),
        ("of nobody", commit("team", -1, "", &[("consumed", 0, 8, Some(""))])),
    ] {
        script.ask(&format!("commit {case}"), 8, &request);
    }
    script.ask("join with another type", 9, &typed("other"));
    script.ask("join with other protocols", 9, &join("team", "", &["sticky"]));
    script.ask(
        "describe a group with a member",
        5,
        &DescribeGroupsRequest {
            groups: vec!["team".into()],
            include_authorized_operations: false,
        },
    );
    script.ask(
        "delete a group with a member",
        2,
        &DeleteGroupsRequest { groups_names: vec!["team".into()] },
    );
    script.ask("delete an offset that is read", 0, &delete_offset("team", "consumed", 0));
    let leave = |group: &str, member: &str| LeaveGroupRequest {
        group_id: group.into(),
        member_id: member.into(),
        members: vec![MemberIdentity { member_id: member.into(), ..MemberIdentity::default() }],
    };
    script.ask("leave of a stranger", 5, &leave("team", "stranger"));
    script.ask("leave of a stranger", 2, &leave("team", "stranger"));
    script.ask("leave of an unknown group", 5, &leave("unknown", "stranger"));
    script.ask("leave of no group", 5, &leave("", "stranger"));
    script.ask("leave", 5, &leave("team", &member));
    script.ask("heartbeat after leaving", 4, &beat("team", 1, &member));
}

fn describe(script: &mut Script<'_>) {
    for version in [0, 3, 5, 6] {
        for group in ["alone", "team", "unknown", ""] {
            let request = DescribeGroupsRequest {
                groups: vec![group.into()],
                include_authorized_operations: version == 5,
            };
            script.ask(&format!("describe group {group:?} v{version}"), version, &request);
        }
    }
    for (version, states, types) in [
        (0, &[][..], &[][..]),
        (3, &[], &[]),
        (4, &["Empty"], &[]),
        (4, &["Stable"], &[]),
        (4, &["nonsense"], &[]),
        (5, &[], &["classic"]),
        (5, &[], &["consumer"]),
        (5, &[], &["nonsense"]),
    ] {
        let texts = |texts: &[&str]| texts.iter().map(|text| (*text).into()).collect();
        let request =
            ListGroupsRequest { states_filter: texts(states), types_filter: texts(types) };
        let mut answer = script.connection.call(version, &request).unwrap();
        answer.groups.sort_by(|one, next| one.group_id.cmp(&next.group_id));
        script.keep(&format!("list groups {states:?} {types:?} v{version}"), &answer);
    }
}

fn delete_offset(group: &str, topic: &str, partition: i32) -> OffsetDeleteRequest {
    OffsetDeleteRequest {
        group_id: group.into(),
        topics: vec![OffsetDeleteRequestTopic {
            name: topic.into(),
            partitions: vec![OffsetDeleteRequestPartition { partition_index: partition }],
        }],
    }
}

fn delete(script: &mut Script<'_>) {
    for (group, topic, partition) in [
        ("alone", "consumed", 0),
        ("alone", "consumed", 0),
        ("alone", "consumed", 9),
        ("alone", "missing", 0),
        ("unknown", "consumed", 0),
        ("", "consumed", 0),
    ] {
        let name = format!("delete offset of {group:?} for {topic}-{partition}");
        script.ask(&name, 0, &delete_offset(group, topic, partition));
    }
    for groups in [&["team"][..], &["team"], &["unknown"], &[""], &["alone", "alone"], &[]] {
        for version in [0, 2] {
            let request = DeleteGroupsRequest {
                groups_names: groups.iter().map(|group| (*group).into()).collect(),
            };
            script.ask(&format!("delete groups {groups:?} v{version}"), version, &request);
        }
    }
}
