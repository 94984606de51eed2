//! What the configuration APIs name: a topic, this broker, or all brokers.

use crate::error::Error;

/// A thing with settings.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Resource<'a> {
    /// A topic with this name.
    Topic(&'a str),
    /// This broker.
    Broker,
    /// What holds for every broker.
    AllBrokers,
}

const TOPIC: i8 = 2;
const BROKER: i8 = 4;

impl<'a> Resource<'a> {
    /// The resource that the numbers and the name of a request stand for.
    ///
    /// # Errors
    /// For kinds of resources that have no settings here, and other brokers.
    pub(crate) fn parse(kind: i8, name: &'a str, node_id: i32) -> Result<Self, Error> {
        match kind {
            TOPIC => Ok(Self::Topic(name)),
            BROKER if name.is_empty() => Ok(Self::AllBrokers),
            BROKER => match name.parse::<i32>() {
                Ok(id) if id == node_id => Ok(Self::Broker),
                Ok(id) => Err(Error::InvalidRequest(format!(
                    "Unexpected broker id, expected {node_id} or empty string, but received {id}"
                ))),
                Err(_) => Err(Error::InvalidRequest(format!(
                    "Broker id must be an integer, but it is: {name}"
                ))),
            },
            _ => Err(Error::InvalidRequest(format!(
                "Resource type {kind} has no settings on this broker"
            ))),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn resources_are_topics_and_this_broker() {
        for (kind, name, expected) in [
            (2, "orders", Some(Resource::Topic("orders"))),
            (4, "1", Some(Resource::Broker)),
            (4, "", Some(Resource::AllBrokers)),
            (4, "2", None),
            (4, "one", None),
            (8, "1", None),
            (32, "group", None),
            (0, "", None),
        ] {
            assert_eq!(Resource::parse(kind, name, 1).ok(), expected, "{kind} {name:?}");
        }
    }
}
