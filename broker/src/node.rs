//! The one node of this cluster: what all connections share.

use std::sync::Arc;

use parking_lot::Mutex;
use protocol::Str;

use crate::config::Config;
use crate::controller::Controller;
use crate::error::Error;
use crate::fetch_sessions::FetchSessions;
use crate::groups::GroupCoordinator;
use crate::topics::{Topic, Topics, name};

/// What all connections share.
#[derive(Debug)]
pub(crate) struct Node {
    id: i32,
    cluster_id: Str,
    topics: Arc<Topics>,
    controller: Controller,
    groups: GroupCoordinator,
    fetch_sessions: Mutex<FetchSessions>,
}

impl Node {
    pub(crate) fn new(
        cluster_id: Str,
        topics: Arc<Topics>,
        controller: Controller,
        groups: GroupCoordinator,
    ) -> Self {
        let config = controller.config();
        Self {
            id: config.node_id,
            cluster_id,
            topics,
            controller,
            groups,
            fetch_sessions: Mutex::new(FetchSessions::new(config.fetch.max_sessions)),
        }
    }

    /// This node's id; it leads every partition and is the controller too.
    pub(crate) fn id(&self) -> i32 {
        self.id
    }

    /// The cluster's id, which this node made up at its first start.
    pub(crate) fn cluster_id(&self) -> &Str {
        &self.cluster_id
    }

    /// The rack that the node is said to stand in.
    pub(crate) fn rack(&self) -> Option<Str> {
        self.config().rack.as_deref().map(Str::from)
    }

    /// The settings as they are now.
    pub(crate) fn config(&self) -> Arc<Config> {
        self.controller.config()
    }

    /// The topics that clients see.
    pub(crate) fn topics(&self) -> &Topics {
        &self.topics
    }

    /// Who changes them.
    pub(crate) fn controller(&self) -> &Controller {
        &self.controller
    }

    /// The coordinator of all groups.
    pub(crate) fn groups(&self) -> &GroupCoordinator {
        &self.groups
    }

    /// What clients that fetch again and again were told. Nothing else may be
    /// locked meanwhile.
    pub(crate) fn fetch_sessions(&self) -> &Mutex<FetchSessions> {
        &self.fetch_sessions
    }

    /// What asking for a topic that does not exist comes to: a new topic if
    /// both client and configuration allow it.
    pub(crate) async fn missing_topic(
        &self,
        name: &Str,
        may_create: bool,
    ) -> Result<Arc<Topic>, Error> {
        name::check(name)?;
        if !may_create || !self.config().topics.auto_create {
            return Err(Error::UnknownTopic);
        }
        self.controller.ensure_topic(name).await
    }
}
