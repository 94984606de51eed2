//! `partition.metadata`: which topic a directory belongs to, by id.

use std::io::{self, IoSlice};
use std::path::Path;

use protocol::Uuid;

use super::file::FileSystem;
use crate::durable;

const FILE_NAME: &str = "partition.metadata";

/// Writes the file in a new directory, and leaves it to [`sync`] to make it durable.
pub(super) fn write(files: &dyn FileSystem, directory: &Path, topic_id: Uuid) -> io::Result<()> {
    let file = files.open(&directory.join(FILE_NAME), true)?;
    file.set_len(0)?;
    file.write_at(&mut [IoSlice::new(text(topic_id).as_bytes())], 0)
}

/// Makes the file's content durable, but not its name.
pub(super) fn sync(files: &dyn FileSystem, directory: &Path) -> io::Result<()> {
    files.open(&directory.join(FILE_NAME), false)?.sync()
}

/// Puts the file in place of one that is missing or cut.
pub(super) fn replace(files: &dyn FileSystem, directory: &Path, topic_id: Uuid) -> io::Result<()> {
    durable::replace(files, &directory.join(FILE_NAME), text(topic_id).as_bytes())
}

fn text(topic_id: Uuid) -> String {
    format!("version: 0\ntopic_id: {topic_id}")
}

/// The topic's id; `None` when there is no such file.
///
/// # Errors
/// `UnexpectedEof` when the file is cut, `InvalidData` when it is of another version.
pub(crate) fn read(files: &dyn FileSystem, directory: &Path) -> io::Result<Option<Uuid>> {
    let path = directory.join(FILE_NAME);
    let Some(bytes) = files.read(&path)? else { return Ok(None) };
    let text = String::from_utf8_lossy(&bytes);
    let field = |name: &str| {
        let mut lines = text.lines().filter_map(|line| line.split_once(':'));
        lines.find(|(key, _)| key.trim() == name).map(|(_, value)| value.trim())
    };
    let damaged = |what: &str| {
        io::Error::new(io::ErrorKind::UnexpectedEof, format!("{} {what}", path.display()))
    };
    match field("version") {
        Some("0") => {}
        None | Some("") => return Err(damaged("names no version")),
        Some(version) => {
            let path = path.display();
            let text = format!("{path} has format {version}, and this program knows format 0");
            return Err(io::Error::new(io::ErrorKind::InvalidData, text));
        }
    }
    let id = field("topic_id").and_then(|id| id.parse().ok());
    id.map(Some).ok_or_else(|| damaged("names no topic id"))
}
