//! `meta.properties`: which cluster and node a log directory belongs to.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use protocol::Uuid;

use super::file::FileSystem;
use super::store::StorageError;
use crate::durable;

pub(super) const FILE_NAME: &str = "meta.properties";
const VERSION: &str = "1";

/// The lines that matter.
#[derive(Debug)]
pub(super) struct MetaProperties {
    cluster_id: Option<String>,
    node_id: Option<String>,
}

impl MetaProperties {
    /// Checks that all directories belong to this node, writes the file where
    /// it is missing, and gives the cluster's id. A node without any starts a
    /// new cluster.
    pub(super) fn prepare(
        files: &dyn FileSystem,
        directories: &[PathBuf],
        node_id: i32,
    ) -> Result<String, StorageError> {
        let mut cluster_id: Option<String> = None;
        let mut fresh = Vec::new();
        for directory in directories {
            let path = directory.join(FILE_NAME);
            let Some(found) = Self::read(files, &path)? else {
                fresh.push(path);
                continue;
            };
            let foreign = |what: String| StorageError::Foreign { path: path.clone(), what };
            if found.node_id.as_ref().is_some_and(|id| *id != node_id.to_string()) {
                let id = found.node_id.unwrap_or_default();
                return Err(foreign(format!("says node.id={id}, and this node is {node_id}")));
            }
            match (&cluster_id, found.cluster_id) {
                (Some(one), Some(other)) if *one != other => {
                    return Err(foreign(format!(
                        "says cluster.id={other}, and another directory says {one}"
                    )));
                }
                (None, Some(id)) => cluster_id = Some(id),
                _ => {}
            }
        }
        let cluster_id = cluster_id.unwrap_or_else(random_id);
        for path in fresh {
            let text = format!(
                "version={VERSION}\ncluster.id={cluster_id}\nnode.id={node_id}\ndirectory.id={}\n",
                random_id()
            );
            durable::replace(files, &path, text.as_bytes())
                .map_err(|source| StorageError::io("write", &path, source))?;
        }
        Ok(cluster_id)
    }

    pub(super) fn read(files: &dyn FileSystem, path: &Path) -> Result<Option<Self>, StorageError> {
        let bytes = files.read(path).map_err(|source| StorageError::io("read", path, source))?;
        let Some(bytes) = bytes else { return Ok(None) };
        let text = String::from_utf8_lossy(&bytes);
        let lines = text.lines().filter(|line| !line.starts_with('#'));
        let lines: HashMap<&str, &str> = lines
            .filter_map(|line| line.split_once('='))
            .map(|(name, value)| (name.trim(), value.trim()))
            .collect();
        let foreign = |what: String| StorageError::Foreign { path: path.to_owned(), what };
        match lines.get("version") {
            Some(&VERSION) => {}
            Some(version) => {
                return Err(foreign(format!(
                    "has format {version}, and this program knows format {VERSION}"
                )));
            }
            None => return Err(foreign("is cut short: it names no version".to_owned())),
        }
        let field = |name: &str| lines.get(name).map(|value| (*value).to_owned());
        Ok(Some(Self { cluster_id: field("cluster.id"), node_id: field("node.id") }))
    }
}

/// An id as Kafka writes them.
fn random_id() -> String {
    loop {
        let id = Uuid::from_bytes(uuid::Uuid::new_v4().into_bytes()).to_string();
        // Kafka avoids those that tools would take for a flag.
        if !id.starts_with('-') {
            return id;
        }
    }
}
