//! The nodes of the cluster.

use protocol::Str;
use protocol::messages::DescribeClusterRequest;
use std::sync::Arc;

use crate::{Broker, Client, Cluster, Error, Purpose, Target};

/// The cluster as any of its nodes describes it now. Brokers older than 2.8
/// (KIP-700) say the same through their metadata.
pub async fn describe_cluster(client: &Client) -> Result<Arc<Cluster>, Error> {
    let answer =
        client.call(Target::Any, Purpose::General, DescribeClusterRequest::default()).await;
    let answer = match answer {
        Err(Error::UnsupportedApi { .. }) => return client.refresh_cluster().await,
        answer => answer?,
    };
    Error::check(answer.error_code, answer.error_message.as_ref())?;
    let broker = |broker: protocol::messages::describe_cluster::DescribeClusterBroker| Broker {
        id: broker.broker_id,
        host: broker.host.detached(),
        port: broker.port,
        rack: broker.rack.as_ref().map(Str::detached),
    };
    let mut brokers: Vec<Broker> = answer.brokers.into_iter().map(broker).collect();
    brokers.sort_unstable_by_key(|broker| broker.id);
    Ok(Arc::new(Cluster {
        id: Some(answer.cluster_id.detached()).filter(|id| !id.is_empty()),
        controller: Some(answer.controller_id).filter(|&id| id >= 0),
        brokers,
    }))
}
