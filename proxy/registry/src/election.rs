//! Which of the registries of a cluster writes.
//!
//! They are members of a group of protocol type `sr`, as Confluent's are. The
//! member that the group's coordinator chose names one of them the leader; the
//! others send it what is to be written. A registry that is alone needs no
//! group: it looks whether there are others, and joins when there are.
//!
//! ```text
//!           no others                       others, or always
//!  Alone ─────────────► leads      Joining ───────────────────► assigned: leads or follows
//!    │ others came                    ▲                                │
//!    └────────────────────────────────┴──── the group rebalances ──────┘
//! ```

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use bytes::Bytes;
use client::{AutoCreate, Client, GroupMember, GroupMemberConfig, GroupProtocol, admin};
use parking_lot::Mutex;
use protocol::Str;
use serde::{Deserialize, Serialize};
use tokio::sync::watch;
use tokio::time::{Instant, timeout_at};

use crate::config::ElectionConfig;
use crate::error::Error;

const PROTOCOL_TYPE: Str = Str::from_static("sr");
const PROTOCOL: Str = Str::from_static("v0");
/// Where groups are kept: without that topic there are none.
const OFFSETS_TOPIC: &str = "__consumer_offsets";
const SESSION_TIMEOUT: Duration = Duration::from_secs(10);
/// How long a registry that comes waits at most for those that are there.
const HEARTBEAT_INTERVAL: Duration = Duration::from_secs(1);
const REBALANCE_TIMEOUT: Duration = Duration::from_secs(30);
/// The version of identities and assignments.
const VERSION: i32 = 1;
/// The assignment's error for members with the same URL.
const DUPLICATE_URLS: i32 = 1;

/// A registry, as the others know it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Identity {
    /// Where it can be reached.
    pub host: String,
    /// At which port.
    pub port: u16,
    /// Whether it may lead.
    #[serde(default = "yes")]
    pub master_eligibility: bool,
    /// `http` or `https`.
    #[serde(default = "http")]
    pub scheme: String,
    /// 1.
    #[serde(default)]
    pub version: i32,
    /// Whether it leads now.
    #[serde(default)]
    pub leader: bool,
}

fn yes() -> bool {
    true
}

fn http() -> String {
    "http".to_owned()
}

impl Identity {
    /// A registry that does not lead.
    pub fn new(host: String, port: u16, is_eligible: bool) -> Self {
        Self {
            host,
            port,
            master_eligibility: is_eligible,
            scheme: http(),
            version: VERSION,
            leader: false,
        }
    }

    /// Where requests are sent.
    pub fn url(&self) -> String {
        match &self.host {
            host if host.contains(':') => format!("{}://[{host}]:{}", self.scheme, self.port),
            host => format!("{}://{host}:{}", self.scheme, self.port),
        }
    }
}

/// What the group's leader tells every member.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Assignment {
    #[serde(default)]
    error: i32,
    /// The member id of the leader.
    #[serde(default)]
    master: Option<String>,
    #[serde(default)]
    master_identity: Option<Identity>,
    #[serde(default)]
    version: i32,
}

/// Who leads, as far as this registry knows.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Leader {
    /// It is being found out.
    Unknown,
    /// Nobody may.
    Nobody,
    /// This registry; the number grows each time it becomes the leader.
    Me(u64),
    Other(Identity),
}

/// When to look for others.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Company {
    /// The cluster is this program's own: others are possible, not likely.
    Unlikely,
    /// The cluster is not: others may be there at any time.
    Likely,
}

/// The election. One for each registry.
pub(crate) struct Election {
    client: Client,
    config: ElectionConfig,
    ballot: Arc<Ballot>,
    /// Present from when this registry has joined the group.
    member: Mutex<Option<GroupMember>>,
}

impl std::fmt::Debug for Election {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let leader = self.ballot.leader.borrow();
        formatter.debug_struct("Election").field("leader", &*leader).finish_non_exhaustive()
    }
}

impl Election {
    pub(crate) fn new(
        client: Client,
        config: ElectionConfig,
        identity: Identity,
        company: Company,
    ) -> Self {
        let election = Self {
            ballot: Arc::new(Ballot {
                is_sticky: config.is_sticky,
                identity,
                leader: watch::Sender::new(Leader::Unknown),
                terms: Mutex::new(0),
                led: AtomicBool::new(false),
            }),
            member: Mutex::new(None),
            client,
            config,
        };
        if company == Company::Likely {
            election.join();
        }
        election
    }

    fn join(&self) {
        self.member.lock().get_or_insert_with(|| {
            let config = GroupMemberConfig {
                group_id: Str::from(&self.config.group_id),
                protocol_type: PROTOCOL_TYPE,
                protocol_name: PROTOCOL,
                session_timeout: SESSION_TIMEOUT,
                heartbeat_interval: HEARTBEAT_INTERVAL,
                rebalance_timeout: REBALANCE_TIMEOUT,
            };
            let protocol = Arc::clone(&self.ballot) as Arc<dyn GroupProtocol>;
            GroupMember::join(self.client.clone(), config, protocol)
        });
    }

    /// The term in which this registry leads, once it is known who does.
    ///
    /// # Errors
    /// [`Error::NotLeader`] with the one that leads, and [`Error::UnknownLeader`].
    pub(crate) async fn lead(&self, deadline: Instant) -> Result<u64, Error> {
        if self.member.lock().is_none() {
            if self.is_alone().await? {
                return if self.config.is_eligible { Ok(0) } else { Err(Error::UnknownLeader) };
            }
            self.join();
        }
        let mut leader = self.ballot.leader.subscribe();
        let known =
            timeout_at(deadline, leader.wait_for(|leader| *leader != Leader::Unknown)).await;
        match known {
            Ok(Ok(leader)) => match &*leader {
                Leader::Me(term) => Ok(*term),
                Leader::Other(identity) => Err(Error::NotLeader(Box::new(identity.clone()))),
                Leader::Unknown | Leader::Nobody => Err(Error::UnknownLeader),
            },
            Ok(Err(_)) | Err(_) => Err(Error::UnknownLeader),
        }
    }

    /// Whether somebody leads.
    pub(crate) fn has_leader(&self) -> bool {
        if self.member.lock().is_none() {
            return self.config.is_eligible;
        }
        matches!(&*self.ballot.leader.borrow(), Leader::Me(_) | Leader::Other(_))
    }

    /// Whether the group has no members.
    async fn is_alone(&self) -> Result<bool, Error> {
        let failed = |error: client::Error| Error::Store(error.public_message());
        // Asking for a group would create the topic.
        if self.client.topic(OFFSETS_TOPIC, AutoCreate::No).await.map_err(failed)?.is_none() {
            return Ok(true);
        }
        let group = Str::from(&self.config.group_id);
        let described = admin::describe_groups(&self.client, &[group]).await.map_err(failed)?;
        let members = described.into_iter().filter_map(|(_, group)| group.ok());
        Ok(members.map(|group| group.members.len()).sum::<usize>() == 0)
    }

    /// Leaves the group.
    pub(crate) async fn leave(&self) {
        let member = self.member.lock().take();
        if let Some(member) = member {
            member.leave().await;
        }
    }
}

/// What the group says and is told.
struct Ballot {
    identity: Identity,
    is_sticky: bool,
    leader: watch::Sender<Leader>,
    terms: Mutex<u64>,
    /// Whether this registry led before the group began to rebalance.
    led: AtomicBool,
}

impl GroupProtocol for Ballot {
    fn metadata(&self) -> Bytes {
        let leader = self.led.load(Ordering::Relaxed);
        json(&Identity { leader, ..self.identity.clone() })
    }

    fn assign(&self, members: Vec<(Str, Bytes)>) -> Vec<(Str, Bytes)> {
        let identities: Vec<(Str, Option<Identity>)> = members
            .into_iter()
            .map(|(member, metadata)| (member, serde_json::from_slice(&metadata).ok()))
            .collect();
        let assignment = json(&elect(&identities, self.is_sticky));
        identities.into_iter().map(|(member, _)| (member, assignment.clone())).collect()
    }

    fn assigned(&self, member_id: &str, assignment: Bytes) {
        let leader = match serde_json::from_slice::<Assignment>(&assignment) {
            Ok(Assignment {
                error: 0,
                master: Some(master),
                master_identity: Some(identity),
                ..
            }) => {
                if master == member_id {
                    let mut terms = self.terms.lock();
                    *terms += 1;
                    Leader::Me(*terms)
                } else {
                    Leader::Other(identity)
                }
            }
            Ok(Assignment { error: DUPLICATE_URLS, .. }) => {
                tracing::error!(
                    url = self.identity.url(),
                    "several registries of the cluster have the same URL, so none can lead; set registry.host.name"
                );
                Leader::Nobody
            }
            Ok(_) => Leader::Nobody,
            Err(error) => {
                tracing::warn!(%error, "the assignment of the group of registries cannot be read");
                Leader::Nobody
            }
        };
        match &leader {
            Leader::Me(_) => tracing::info!("this registry is the leader"),
            Leader::Other(identity) => {
                tracing::info!(leader = identity.url(), "another registry is the leader")
            }
            Leader::Nobody | Leader::Unknown => {
                tracing::warn!("no registry of the cluster can lead")
            }
        }
        self.led.store(matches!(leader, Leader::Me(_)), Ordering::Relaxed);
        self.leader.send_replace(leader);
    }

    fn revoked(&self) {
        self.leader.send_replace(Leader::Unknown);
    }
}

/// Chooses the leader among the members that may lead: the one that does if
/// `is_sticky`, else the one whose URL comes first.
fn elect(members: &[(Str, Option<Identity>)], is_sticky: bool) -> Assignment {
    let known =
        || members.iter().filter_map(|(member, identity)| Some((member, identity.as_ref()?)));
    let mut urls = BTreeSet::new();
    let is_duplicate = !known().all(|(_, identity)| urls.insert(identity.url()));
    let eligible = || known().filter(|(_, identity)| identity.master_eligibility);
    let present = eligible().filter(|(_, identity)| is_sticky && identity.leader);
    let first = |of: &mut dyn Iterator<Item = (&'_ Str, &'_ Identity)>| {
        of.min_by_key(|(_, identity)| identity.url())
            .map(|(member, identity)| (member.to_string(), identity.clone()))
    };
    let leader = match is_duplicate {
        true => None,
        false => first(&mut present.into_iter()).or_else(|| first(&mut eligible())),
    };
    let (master, master_identity) = leader.unzip();
    Assignment {
        error: if is_duplicate { DUPLICATE_URLS } else { 0 },
        master,
        master_identity,
        version: VERSION,
    }
}

fn json(value: &impl Serialize) -> Bytes {
    serde_json::to_vec(value).expect("members have text keys only").into()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn member(id: &str, port: u16, is_eligible: bool, leads: bool) -> (Str, Option<Identity>) {
        let identity = Identity::new("h".into(), port, is_eligible);
        (id.into(), Some(Identity { leader: leads, ..identity }))
    }

    #[test]
    fn the_group_agrees_on_one_leader() {
        for (case, members, is_sticky, expected) in [
            ("one", vec![member("a", 1, true, false)], true, Some("a")),
            (
                "first URL",
                vec![member("a", 2, true, false), member("b", 1, true, false)],
                true,
                Some("b"),
            ),
            (
                "it goes on",
                vec![member("a", 2, true, true), member("b", 1, true, false)],
                true,
                Some("a"),
            ),
            (
                "not sticky",
                vec![member("a", 2, true, true), member("b", 1, true, false)],
                false,
                Some("b"),
            ),
            (
                "not eligible",
                vec![member("a", 1, false, false), member("b", 2, true, false)],
                true,
                Some("b"),
            ),
            ("nobody is", vec![member("a", 1, false, true)], true, None),
            ("unreadable", vec![("a".into(), None), member("b", 2, true, false)], true, Some("b")),
        ] {
            let assignment = elect(&members, is_sticky);
            assert_eq!(assignment.master.as_deref(), expected, "{case}");
            assert_eq!(assignment.error, 0, "{case}");
            assert_eq!(assignment.master_identity.is_some(), expected.is_some(), "{case}");
        }
        let duplicate = elect(&[member("a", 1, true, false), member("b", 1, true, false)], true);
        assert_eq!((duplicate.error, duplicate.master), (DUPLICATE_URLS, None));
    }

    #[test]
    fn identities_are_written_as_the_reference_writes_them() {
        let identity = Identity::new("h1".into(), 8081, true);
        let text = r#"{"host":"h1","port":8081,"master_eligibility":true,"scheme":"http","version":1,"leader":false}"#;
        assert_eq!(&*json(&identity), text.as_bytes());
        let older = r#"{"host":"h1","port":8081,"master_eligibility":true,"version":1,"more":1}"#;
        assert_eq!(serde_json::from_str::<Identity>(older).unwrap(), identity);
        let assignment = Assignment {
            error: 0,
            master: Some("m".into()),
            master_identity: Some(identity),
            version: 1,
        };
        let expected =
            format!(r#"{{"error":0,"master":"m","master_identity":{text},"version":1}}"#);
        assert_eq!(&*json(&assignment), expected.as_bytes());
    }
}
