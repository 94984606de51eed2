//! The topic that a load works on.

use std::collections::BTreeSet;
use std::sync::Arc;

use client::admin::{self, NewTopic};
use client::{AutoCreate, Client, Topic};
use protocol::ErrorCode;

use crate::cli::session::Failure;

/// The topic, all of whose partitions have leaders. A missing one is created
/// when `partitions` says with how many.
///
/// # Errors
/// When there is no such topic, or it has another number of partitions.
pub(super) async fn prepare(
    client: &Client,
    name: &str,
    partitions: Option<i32>,
) -> Result<Arc<Topic>, Failure> {
    if client.topic(name, AutoCreate::No).await?.is_none() {
        let Some(partitions) = partitions else {
            let reason = format!("there is no topic {name} (--partitions creates it)");
            return Err(Failure::other(reason));
        };
        create(client, name, partitions).await?;
    }
    let topic = find(client, name).await?;
    let count = topic.partitions.len();
    if let Some(wanted) = partitions.and_then(|wanted| usize::try_from(wanted).ok())
        && wanted != count
    {
        return Err(Failure::other(format!(
            "topic {name} exists with another number of partitions than {wanted}: {count}"
        )));
    }
    Ok(topic)
}

/// The topic, all of whose partitions have leaders.
///
/// # Errors
/// When there is no such topic.
pub(super) async fn find(client: &Client, name: &str) -> Result<Arc<Topic>, Failure> {
    let topic = client.topic(name, AutoCreate::No).await?;
    let topic = topic.ok_or_else(|| Failure::other(format!("there is no topic {name}")))?;
    if topic.partitions.is_empty() || topic.partitions.iter().any(|it| it.leader.is_none()) {
        return Err(Failure::other(format!("topic {name} has partitions without a leader")));
    }
    Ok(topic)
}

async fn create(client: &Client, name: &str, partitions: i32) -> Result<(), Failure> {
    let topic = NewTopic {
        name: name.into(),
        partitions: Some(partitions),
        replication_factor: None,
        assignments: Vec::new(),
        configs: Vec::new(),
    };
    for (_, created) in admin::create_topics(client, vec![topic], false).await? {
        match created {
            // Somebody else was faster.
            Err(error) if error.error_code() == ErrorCode::TopicAlreadyExists => {}
            created => _ = created?,
        }
    }
    Ok(())
}

/// The nodes that lead partitions of the topic.
pub(super) fn leaders(topic: &Topic) -> BTreeSet<i32> {
    topic.partitions.iter().filter_map(|partition| partition.leader).collect()
}
