//! The file that tells scripts where the program answers.

use std::io;
use std::path::{Path, PathBuf};

use serde::Serialize;

/// What the file holds, as one JSON object. A service that does not run is
/// left out.
#[derive(Clone, Debug, Default, Serialize)]
pub(crate) struct Services {
    pub(crate) pid: u32,
    /// `host:port`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) broker: Option<String>,
    /// A URL.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) rest: Option<String>,
    /// A URL.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) registry: Option<String>,
}

/// The file, from the start of the program to its end. It is there exactly
/// while everything answers.
#[derive(Debug)]
pub(crate) struct ReadyFile {
    path: PathBuf,
}

impl ReadyFile {
    /// Takes away what an earlier run may have left.
    ///
    /// # Errors
    /// When there is something that cannot be taken away.
    pub(crate) fn prepare(path: &Path) -> io::Result<Self> {
        remove(path)?;
        Ok(Self { path: path.to_owned() })
    }

    /// Lets the file appear, whole.
    ///
    /// # Errors
    /// When it cannot be written.
    pub(crate) fn write(&self, services: &Services) -> io::Result<()> {
        let mut text = serde_json::to_vec(services)?;
        text.push(b'\n');
        let mut aside = self.path.clone().into_os_string();
        aside.push(format!(".{}", std::process::id()));
        let aside = PathBuf::from(aside);
        std::fs::write(&aside, text)?;
        #[expect(
            clippy::disallowed_methods,
            reason = "the file is of no use after a crash, so it is not made durable"
        )]
        std::fs::rename(&aside, &self.path)
    }
}

impl Drop for ReadyFile {
    fn drop(&mut self) {
        if let Err(error) = remove(&self.path) {
            tracing::warn!(%error, path = %self.path.display(), "cannot remove the ready file");
        }
    }
}

fn remove(path: &Path) -> io::Result<()> {
    match std::fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_file_is_there_whole_while_the_program_is_ready() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("ready.json");
        std::fs::write(&path, "left over").unwrap();
        let file = ReadyFile::prepare(&path).unwrap();
        assert!(!path.exists(), "what an earlier run left is gone");
        let services = Services {
            pid: 7,
            broker: Some("127.0.0.1:9092".into()),
            rest: Some("http://127.0.0.1:8082".into()),
            registry: Some("http://127.0.0.1:8081".into()),
        };
        file.write(&services).unwrap();
        assert_eq!(
            std::fs::read_to_string(&path).unwrap(),
            "{\"pid\":7,\"broker\":\"127.0.0.1:9092\",\"rest\":\"http://127.0.0.1:8082\",\"registry\":\"http://127.0.0.1:8081\"}\n"
        );
        assert_eq!(
            std::fs::read_dir(folder.path()).unwrap().count(),
            1,
            "nothing is left beside it"
        );
        drop(file);
        assert!(!path.exists());
    }

    #[test]
    fn a_service_that_does_not_run_is_left_out() {
        let services = Services { pid: 7, rest: Some("http://a".into()), ..Services::default() };
        assert_eq!(serde_json::to_string(&services).unwrap(), "{\"pid\":7,\"rest\":\"http://a\"}");
    }
}
