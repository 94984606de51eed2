//! `partition.metadata`: which topic a directory belongs to, by id.

use std::io;
use std::path::Path;

use protocol::Uuid;

use super::file::FileSystem;
use crate::durable;

const FILE_NAME: &str = "partition.metadata";

/// Writes the file.
pub(crate) fn write(files: &dyn FileSystem, directory: &Path, topic_id: Uuid) -> io::Result<()> {
    let text = format!("version: 0\ntopic_id: {topic_id}");
    durable::replace(files, &directory.join(FILE_NAME), text.as_bytes())
}

/// The topic's id; `None` when there is no such file.
///
/// # Errors
/// `InvalidData` when the file is cut, or of another version.
pub(crate) fn read(files: &dyn FileSystem, directory: &Path) -> io::Result<Option<Uuid>> {
    let path = directory.join(FILE_NAME);
    let Some(bytes) = files.read(&path)? else { return Ok(None) };
    let text = String::from_utf8_lossy(&bytes);
    let field = |name: &str| {
        let mut lines = text.lines().filter_map(|line| line.split_once(':'));
        lines.find(|(key, _)| key.trim() == name).map(|(_, value)| value.trim())
    };
    let damaged = |what: String| {
        io::Error::new(io::ErrorKind::InvalidData, format!("{} {what}", path.display()))
    };
    match field("version") {
        Some("0") => {}
        Some(version) => {
            return Err(damaged(format!("has format {version}, and this program knows format 0")));
        }
        None => return Err(damaged("names no version".to_owned())),
    }
    let id = field("topic_id").and_then(|id| id.parse().ok());
    id.map(Some).ok_or_else(|| damaged("names no topic id".to_owned()))
}
