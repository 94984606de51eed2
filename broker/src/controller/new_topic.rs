//! Whether a topic, or more partitions of one, can be created as asked.

use protocol::Str;
use protocol::config_def::ConfigValues;

use crate::config::Config;
use crate::error::Error;
use crate::metadata::MetadataImage;
use crate::topic_config;
use crate::topics::name;

/// Partitions that one request may create, as in Kafka.
const MAX_PARTITIONS_PER_REQUEST: i32 = 10_000;

/// What a client wants created.
#[derive(Debug, Clone)]
pub(crate) struct NewTopic {
    pub(crate) name: Str,
    /// -1 for the broker's default.
    pub(crate) partitions: i32,
    /// -1 for the broker's default.
    pub(crate) replication_factor: i16,
    /// Partition indexes with their replicas; empty when the broker chooses.
    pub(crate) assignments: Vec<(i32, Vec<i32>)>,
    pub(crate) configs: Vec<(Str, Option<Str>)>,
}

/// What will be created.
#[derive(Debug)]
pub(crate) struct PlannedTopic {
    pub(crate) partitions: i32,
    pub(crate) overrides: ConfigValues,
}

impl NewTopic {
    /// A topic that is created because somebody uses it. The broker's own
    /// topics get what Kafka gives them.
    pub(crate) fn for_use(name: Str, config: &Config) -> Self {
        let text = |text: String| Some(Str::from(text));
        let internal = match name.as_str() {
            name::CONSUMER_OFFSETS => {
                Some((config.offsets.topic_partitions, config.offsets.topic_segment_bytes))
            }
            name::TRANSACTION_STATE => Some((
                config.transactions.topic_partitions,
                config.transactions.topic_segment_bytes,
            )),
            _ => None,
        };
        let (partitions, configs) = match internal {
            Some((partitions, segment_bytes)) => (
                partitions,
                vec![
                    (Str::from_static("cleanup.policy"), text("compact".to_owned())),
                    (Str::from_static("compression.type"), text("producer".to_owned())),
                    (Str::from_static("segment.bytes"), text(segment_bytes.to_string())),
                ],
            ),
            None => (-1, Vec::new()),
        };
        // The default may ask for replicas that one node cannot hold; whoever
        // only uses a topic did not ask for them.
        Self { name, partitions, replication_factor: 1, assignments: Vec::new(), configs }
    }

    /// Checks everything that Kafka checks, in Kafka's order.
    pub(crate) fn plan(
        &self,
        image: &MetadataImage,
        config: &Config,
        partitions_so_far: &mut i32,
    ) -> Result<PlannedTopic, Error> {
        name::check(&self.name)?;
        if image.topic(&self.name).is_some() {
            return Err(Error::TopicExists(self.name.detached()));
        }
        self.check_collisions(image)?;
        let configs = self.configs.iter().map(|(name, value)| (name.as_str(), value.as_deref()));
        let accepted = topic_config::check(configs, config)?;
        for warning in &accepted.warnings {
            tracing::warn!(topic = %self.name, "{warning}");
        }
        let partitions = if self.assignments.is_empty() {
            self.check_counts(config)?
        } else {
            self.check_assignments(config.node_id)?
        };
        *partitions_so_far = partitions_so_far.saturating_add(partitions);
        check_request_size(*partitions_so_far)?;
        Ok(PlannedTopic { partitions, overrides: accepted.overrides })
    }

    fn check_collisions(&self, image: &MetadataImage) -> Result<(), Error> {
        if !self.name.contains(['.', '_']) {
            return Ok(());
        }
        let colliding = image.topics().find(|topic| name::collides(&topic.name, &self.name));
        match colliding {
            Some(topic) => Err(Error::TopicCollision {
                name: self.name.detached(),
                existing: topic.name.clone(),
            }),
            None => Ok(()),
        }
    }

    fn check_counts(&self, config: &Config) -> Result<i32, Error> {
        let factor = match self.replication_factor {
            -1 => config.topics.default_replication_factor,
            factor => i32::from(factor),
        };
        if factor <= 0 {
            return Err(Error::InvalidReplicationFactor(
                "Replication factor must be larger than 0, or -1 to use the default value."
                    .to_owned(),
            ));
        }
        if self.partitions < -1 || self.partitions == 0 {
            return Err(Error::InvalidPartitions(
                "Number of partitions was set to an invalid non-positive value.".to_owned(),
            ));
        }
        if factor > 1 && !config.topics.clamp_replication_factor {
            return Err(Error::InvalidReplicationFactor(format!(
                "Unable to replicate the partition {factor} time(s): The target replication \
                 factor of {factor} cannot be reached because only 1 broker(s) are registered."
            )));
        }
        Ok(if self.partitions == -1 { config.topics.num_partitions } else { self.partitions })
    }

    fn check_assignments(&self, node_id: i32) -> Result<i32, Error> {
        if self.replication_factor != -1 {
            return Err(Error::InvalidRequest(
                "A manual partition assignment was specified, but replication factor was not set to -1."
                    .to_owned(),
            ));
        }
        if self.partitions != -1 {
            return Err(Error::InvalidRequest(
                "A manual partition assignment was specified, but numPartitions was not set to -1."
                    .to_owned(),
            ));
        }
        let mut seen = vec![false; self.assignments.len()];
        for (index, replicas) in &self.assignments {
            match usize::try_from(*index).ok().and_then(|index| seen.get_mut(index)) {
                Some(seen) if *seen => {
                    return Err(Error::InvalidReplicaAssignment(format!(
                        "Found multiple manual partition assignments for partition {index}"
                    )));
                }
                Some(seen) => *seen = true,
                None => {
                    return Err(Error::InvalidReplicaAssignment(
                        "partitions should be a consecutive 0-based integer sequence".to_owned(),
                    ));
                }
            }
            check_replicas(replicas, node_id)?;
        }
        Ok(self.assignments.len() as i32)
    }
}

/// Whether `count` partitions can be made of `current`.
pub(super) fn check_added(
    name: &str,
    current: i32,
    count: i32,
    assignments: Option<&[Vec<i32>]>,
    node_id: i32,
) -> Result<(), Error> {
    if count == current {
        return Err(Error::InvalidPartitions(format!("Topic already has {current} partition(s).")));
    }
    if count < current {
        return Err(Error::InvalidPartitions(format!(
            "The topic {name} currently has {current} partition(s); {count} would not be an increase."
        )));
    }
    let added = count - current;
    check_request_size(added)?;
    if let Some(assignments) = assignments {
        if assignments.len() != added as usize {
            return Err(Error::InvalidReplicaAssignment(format!(
                "Attempted to add {added} additional partition(s), but only {} assignment(s) were specified.",
                assignments.len()
            )));
        }
        for replicas in assignments {
            check_replicas(replicas, node_id)?;
        }
    }
    Ok(())
}

fn check_request_size(partitions: i32) -> Result<(), Error> {
    if partitions > MAX_PARTITIONS_PER_REQUEST {
        return Err(Error::TooManyPartitions);
    }
    Ok(())
}

fn check_replicas(replicas: &[i32], node_id: i32) -> Result<(), Error> {
    let reason = match replicas {
        [] => "The manual partition assignment includes an empty replica list.".to_owned(),
        [replica] if *replica == node_id => return Ok(()),
        [replica, others @ ..] if others.contains(replica) => {
            format!("The manual partition assignment includes the broker {replica} more than once.")
        }
        replicas => {
            let stranger = replicas.iter().find(|replica| **replica != node_id).unwrap_or(&-1);
            format!(
                "The manual partition assignment includes broker {stranger}, but no such broker is registered."
            )
        }
    };
    Err(Error::InvalidReplicaAssignment(reason))
}

#[cfg(test)]
mod tests {
    use protocol::ErrorCode;

    use super::*;

    fn topic(name: &str) -> NewTopic {
        NewTopic {
            replication_factor: -1,
            ..NewTopic::for_use(Str::from(name), &Config::default())
        }
    }

    fn plan(topic: &NewTopic) -> Result<i32, ErrorCode> {
        let planned = topic.plan(&MetadataImage::default(), &Config::default(), &mut 0);
        planned.map(|planned| planned.partitions).map_err(|error| error.error_code())
    }

    #[test]
    fn counts_are_checked() {
        for (case, partitions, factor, expected) in [
            ("defaults", -1, -1, Ok(1)),
            ("as asked", 7, 1, Ok(7)),
            ("no partitions", 0, 1, Err(ErrorCode::InvalidPartitions)),
            ("fewer than none", -2, 1, Err(ErrorCode::InvalidPartitions)),
            ("no replicas", 1, 0, Err(ErrorCode::InvalidReplicationFactor)),
            ("replicas that one node cannot hold", 1, 3, Err(ErrorCode::InvalidReplicationFactor)),
            ("too many", 10_001, 1, Err(ErrorCode::PolicyViolation)),
        ] {
            let topic = NewTopic { partitions, replication_factor: factor, ..topic("t") };
            assert_eq!(plan(&topic), expected, "{case}");
        }
    }

    #[test]
    fn assignments_name_this_node_for_each_partition_once() {
        let us = || vec![1];
        for (case, assignments, expected) in [
            ("two", vec![(1, us()), (0, us())], Ok(2)),
            ("a hole", vec![(0, us()), (2, us())], Err(ErrorCode::InvalidReplicaAssignment)),
            ("twice", vec![(0, us()), (0, us())], Err(ErrorCode::InvalidReplicaAssignment)),
            ("nobody", vec![(0, vec![])], Err(ErrorCode::InvalidReplicaAssignment)),
            ("a stranger", vec![(0, vec![2])], Err(ErrorCode::InvalidReplicaAssignment)),
            ("doubled", vec![(0, vec![1, 1])], Err(ErrorCode::InvalidReplicaAssignment)),
        ] {
            assert_eq!(plan(&NewTopic { assignments, ..topic("t") }), expected, "{case}");
        }
        let both = NewTopic { assignments: vec![(0, us())], partitions: 1, ..topic("t") };
        assert_eq!(plan(&both), Err(ErrorCode::InvalidRequest));
    }

    #[test]
    fn partitions_can_only_be_added() {
        let check = |current, count, assignments: Option<&[Vec<i32>]>| {
            check_added("t", current, count, assignments, 1).map_err(|error| error.error_code())
        };
        assert_eq!(check(2, 3, None), Ok(()));
        assert_eq!(check(2, 2, None), Err(ErrorCode::InvalidPartitions));
        assert_eq!(check(2, 1, None), Err(ErrorCode::InvalidPartitions));
        assert_eq!(check(2, i32::MAX, None), Err(ErrorCode::PolicyViolation));
        assert_eq!(check(2, 3, Some(&[vec![1]])), Ok(()));
        assert_eq!(check(2, 3, Some(&[])), Err(ErrorCode::InvalidReplicaAssignment));
    }
}
