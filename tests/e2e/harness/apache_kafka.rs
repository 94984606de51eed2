//! A real Apache Kafka beside us.

use std::io::{BufRead, BufReader, Read};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use super::kafka::{Cluster, Connection};
use super::programs::{java, root};
use super::until;

/// A cluster of one node. Dropping it stops it and removes its data.
#[derive(Debug)]
pub(crate) struct ApacheKafka {
    process: Child,
    bootstrap: String,
    folder: PathBuf,
}

impl ApacheKafka {
    /// `settings`: lines of `server.properties`.
    pub(crate) fn start(settings: &[&str]) -> Self {
        let mut process = Command::new(root().join("scripts/apache-kafka"))
            .arg("1")
            .args(settings)
            .env("KEEP", "1")
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut said = BufReader::new(process.stderr.take().unwrap());
        let mut line = String::new();
        said.read_line(&mut line).unwrap();
        let folder = line.trim().strip_prefix("data and logs: ").map(PathBuf::from);
        let mut bootstrap = String::new();
        BufReader::new(process.stdout.take().unwrap()).read_line(&mut bootstrap).unwrap();
        if bootstrap.is_empty() {
            let mut rest = String::new();
            said.read_to_string(&mut rest).unwrap();
            panic!("Apache Kafka does not start: {line}{rest}");
        }
        let folder = folder.unwrap_or_else(|| panic!("{line}"));
        Self { process, bootstrap: bootstrap.trim().to_owned(), folder }
    }

    pub(crate) fn bootstrap(&self) -> &str {
        &self.bootstrap
    }

    pub(crate) fn cluster(&self) -> Cluster {
        Cluster::new(&self.bootstrap)
    }

    /// `log.dirs`
    pub(crate) fn data(&self) -> PathBuf {
        self.folder.join("1/data")
    }

    /// Stops it in good order, does something with its directory, and starts it again.
    pub(crate) fn restart(&mut self, meanwhile: impl FnOnce(&Path)) {
        self.stop();
        meanwhile(&self.data());
        let log = std::fs::File::create(self.folder.join("1/server.log")).unwrap();
        self.process = java()
            .args(["-Xmx512m", "-Dlog4j2.level=INFO", "kafka.Kafka"])
            .arg(self.folder.join("1/server.properties"))
            .stdin(Stdio::null())
            .stdout(log.try_clone().unwrap())
            .stderr(log)
            .spawn()
            .unwrap();
        let log = self.folder.join("1/server.log");
        until("Apache Kafka to start again", || {
            let text = std::fs::read_to_string(&log).unwrap();
            assert!(self.process.try_wait().unwrap().is_none(), "it ended:\n{text}");
            (text.contains("Kafka Server started") && Connection::open(&self.bootstrap).is_ok())
                .then_some(())
        });
    }

    fn stop(&mut self) {
        let _ = Command::new("kill").arg(self.process.id().to_string()).status();
        let _ = self.process.wait();
    }
}

impl Drop for ApacheKafka {
    fn drop(&mut self) {
        self.stop();
        if std::thread::panicking() {
            let log = std::fs::read_to_string(self.folder.join("1/server.log"));
            let log = log.unwrap_or_default();
            let lines: Vec<&str> = log.lines().filter(|line| !line.contains(" INFO ")).collect();
            let end = &lines[lines.len().saturating_sub(40)..];
            eprintln!("Apache Kafka's log:\n{}", end.join("\n"));
        }
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}
