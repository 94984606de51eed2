//! Kafka's checkpoint files: a version, a count, and one line per entry.
//!
//! ```text
//! 0
//! 2
//! orders 0 1234
//! orders 1 0
//! ```

use std::collections::HashMap;
use std::io;
use std::path::Path;

use super::file::FileSystem;
use crate::durable;

const VERSION: &str = "0";

/// Offsets by topic and partition, as in `recovery-point-offset-checkpoint`.
pub(crate) type OffsetCheckpoint = HashMap<(String, i32), i64>;

/// Reads the lines of a checkpoint; `None` when there is no such file.
///
/// # Errors
/// `InvalidData` when the file is cut, or of another version.
pub(crate) fn read_lines(files: &dyn FileSystem, path: &Path) -> io::Result<Option<Vec<String>>> {
    let Some(bytes) = files.read(path)? else { return Ok(None) };
    let damaged = |what: &str| {
        io::Error::new(io::ErrorKind::InvalidData, format!("{} {what}", path.display()))
    };
    let text = std::str::from_utf8(&bytes).map_err(|_| damaged("is not text"))?;
    let mut lines = text.lines();
    match lines.next() {
        Some(VERSION) => {}
        Some(version) => {
            return Err(damaged(&format!("has format {version}, and this program knows format 0")));
        }
        None => return Err(damaged("is empty")),
    }
    let count: usize = lines
        .next()
        .and_then(|count| count.trim().parse().ok())
        .ok_or_else(|| damaged("has no count in its second line"))?;
    let lines: Vec<String> = lines.map(str::to_owned).collect();
    if lines.len() != count {
        return Err(damaged(&format!("announces {count} lines and has {}", lines.len())));
    }
    Ok(Some(lines))
}

/// Replaces a checkpoint.
pub(crate) fn write_lines(
    files: &dyn FileSystem,
    path: &Path,
    lines: impl IntoIterator<Item = String>,
) -> io::Result<()> {
    let lines: Vec<String> = lines.into_iter().collect();
    let mut text = format!("{VERSION}\n{}\n", lines.len());
    for line in lines {
        text.push_str(&line);
        text.push('\n');
    }
    durable::replace(files, path, text.as_bytes())
}

/// Reads offsets; there are none when there is no file.
pub(crate) fn read_offsets(files: &dyn FileSystem, path: &Path) -> io::Result<OffsetCheckpoint> {
    let mut offsets = OffsetCheckpoint::new();
    for line in read_lines(files, path)?.unwrap_or_default() {
        let mut fields = line.split(' ');
        let entry = (|| {
            let topic = fields.next()?.to_owned();
            Some(((topic, fields.next()?.parse().ok()?), fields.next()?.parse().ok()?))
        })();
        let (key, offset) = entry.ok_or_else(|| {
            io::Error::new(
                io::ErrorKind::InvalidData,
                format!(
                    "{} has a line that is not a topic, a partition and an offset: {line}",
                    path.display()
                ),
            )
        })?;
        offsets.insert(key, offset);
    }
    Ok(offsets)
}

/// Replaces a checkpoint of offsets.
pub(crate) fn write_offsets(
    files: &dyn FileSystem,
    path: &Path,
    offsets: impl IntoIterator<Item = (String, i32, i64)>,
) -> io::Result<()> {
    let line = |(topic, partition, offset)| format!("{topic} {partition} {offset}");
    write_lines(files, path, offsets.into_iter().map(line))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::log::Disk;

    #[test]
    fn offsets_survive_and_damage_is_named() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("recovery-point-offset-checkpoint");
        assert!(read_offsets(&Disk, &path).unwrap().is_empty());
        let offsets = [("a.b".to_owned(), 0, 7), ("c".to_owned(), 12, 1 << 40)];
        write_offsets(&Disk, &path, offsets).unwrap();
        let read = read_offsets(&Disk, &path).unwrap();
        assert_eq!(read.get(&("c".to_owned(), 12)), Some(&(1 << 40)));
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "0\n2\na.b 0 7\nc 12 1099511627776\n");
        for (text, expected) in [
            ("1\n0\n", "has format 1"),
            ("", "is empty"),
            ("0\n", "has no count"),
            ("0\n2\na 0 1\n", "announces 2 lines and has 1"),
            ("0\n1\na 0\n", "is not a topic"),
        ] {
            std::fs::write(&path, text).unwrap();
            let error = read_offsets(&Disk, &path).unwrap_err().to_string();
            assert!(error.contains(expected), "{text:?}: {error}");
        }
    }
}
