//! Settings of topics and brokers.

use protocol::Str;
use protocol::messages::DescribeConfigsRequest;
use protocol::messages::describe_configs::DescribeConfigsResource;

use crate::{Client, Error, Purpose, Target};

/// Whether the cluster creates topics that somebody asks for.
pub(crate) async fn auto_creates_topics(client: &Client) -> Result<bool, Error> {
    let cluster = client.cluster().await?;
    let Some(broker) = cluster.brokers.first() else { return Ok(true) };
    let name = Str::from_static("auto.create.topics.enable");
    let resource = DescribeConfigsResource {
        resource_type: 4,
        resource_name: broker.id.to_string().into(),
        configuration_keys: Some(vec![name]),
    };
    let request =
        DescribeConfigsRequest { resources: vec![resource], ..DescribeConfigsRequest::default() };
    let response = client.call(Target::Node(broker.id), Purpose::General, request).await?;
    let configs = response.results.iter().flat_map(|result| &result.configs);
    Ok(!configs.filter_map(|config| config.value.as_deref()).any(|value| value == "false"))
}
