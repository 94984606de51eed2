//! The program, started and stopped.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::Arc;
use std::time::Instant;

use serde_json::Value;
use tempfile::TempDir;

use super::{HANG, Http, unique, until};

/// The program under test.
pub(crate) fn program() -> &'static Path {
    Path::new(env!("CARGO_BIN_EXE_ottla"))
}

/// How the program is to be started.
#[derive(Clone, Debug)]
pub(crate) struct Setup {
    settings: Vec<(String, String)>,
    bootstrap: Option<String>,
    /// Where data, ready file and log lie. Kept as long as one server is.
    folder: Arc<TempDir>,
}

impl Setup {
    /// Broker, proxy and registry on free ports, with a data directory of their own.
    pub(crate) fn new() -> Self {
        let folder = Arc::new(tempfile::tempdir().unwrap());
        let data = folder.path().join("data").display().to_string();
        Self { settings: vec![], bootstrap: None, folder }
            .set("log.dirs", &data)
            .set("listeners", "PLAINTEXT://127.0.0.1:0")
            .set("rest.listeners", "http://127.0.0.1:0")
            .set("registry.listeners", "http://127.0.0.1:0")
    }

    /// Only proxy and registry, on this cluster.
    pub(crate) fn proxy_of(bootstrap: &str) -> Self {
        let folder = Arc::new(tempfile::tempdir().unwrap());
        Self { settings: vec![], bootstrap: Some(bootstrap.into()), folder }
            .set("rest.listeners", "http://127.0.0.1:0")
            .set("registry.listeners", "http://127.0.0.1:0")
    }

    pub(crate) fn set(mut self, name: &str, value: &str) -> Self {
        self.settings.push((name.into(), value.into()));
        self
    }

    /// The same ports as this server has.
    pub(crate) fn on_ports_of(self, server: &Server) -> Self {
        let listeners = format!("PLAINTEXT://{}", server.broker());
        self.set("listeners", &listeners)
            .set("rest.listeners", &server.rest)
            .set("registry.listeners", &server.registry)
    }

    pub(crate) fn folder(&self) -> &Path {
        self.folder.path()
    }

    pub(crate) fn data(&self) -> PathBuf {
        self.folder.path().join("data")
    }

    /// The command that starts it, for tests that expect it to fail.
    pub(crate) fn command(&self) -> Command {
        let mut command = Command::new(program());
        command.arg("serve");
        if let Some(bootstrap) = &self.bootstrap {
            command.args(["--bootstrap-servers", bootstrap]);
        }
        for (name, value) in &self.settings {
            command.arg("--set").arg(format!("{name}={value}"));
        }
        // What the shell of the developer sets must not reach the test.
        for (name, _) in std::env::vars() {
            if ["OTTLA_", "KAFKA_", "SCHEMA_REGISTRY_"]
                .iter()
                .any(|prefix| name.starts_with(prefix))
            {
                command.env_remove(name);
            }
        }
        command.stdin(Stdio::null());
        command
    }

    /// Starts the program and waits until everything answers.
    pub(crate) fn start(&self) -> Server {
        let ready_file = self.folder().join("ready.json");
        // What a killed predecessor left.
        let _ = std::fs::remove_file(&ready_file);
        let log = self.folder().join("log");
        let output = File::options().create(true).append(true).open(&log).unwrap();
        let mut process = self
            .command()
            .arg("--ready-file")
            .arg(&ready_file)
            .stdout(output.try_clone().unwrap())
            .stderr(output)
            .spawn()
            .unwrap();
        let ready: Value = until("the ready file", || {
            if let Some(status) = process.try_wait().unwrap() {
                panic!("the program ended with {status}:\n{}", end_of(&log));
            }
            serde_json::from_slice(&std::fs::read(&ready_file).ok()?).ok()
        });
        assert_eq!(ready["pid"], process.id());
        Server {
            process,
            broker: ready["broker"].as_str().map(str::to_owned),
            rest: ready["rest"].as_str().expect("the proxy runs").to_owned(),
            registry: ready["registry"].as_str().expect("the registry runs").to_owned(),
            setup: self.clone(),
        }
    }
}

/// The running program. Dropping it kills it.
#[derive(Debug)]
pub(crate) struct Server {
    process: Child,
    broker: Option<String>,
    rest: String,
    registry: String,
    setup: Setup,
}

impl Server {
    /// `host:port` of the Kafka port.
    pub(crate) fn broker(&self) -> &str {
        self.broker.as_deref().expect("this server has a broker")
    }

    /// The URL of the proxy.
    pub(crate) fn rest(&self) -> &str {
        &self.rest
    }

    /// The URL of the registry.
    pub(crate) fn registry(&self) -> &str {
        &self.registry
    }

    pub(crate) fn http(&self) -> Http {
        Http::new(&self.rest)
    }

    /// The Schema Registry.
    pub(crate) fn registry_http(&self) -> Http {
        Http::new(&self.registry)
    }

    pub(crate) fn setup(&self) -> &Setup {
        &self.setup
    }

    pub(crate) fn pid(&self) -> u32 {
        self.process.id()
    }

    /// What the program has logged so far.
    pub(crate) fn log(&self) -> String {
        std::fs::read_to_string(self.setup.folder().join("log")).unwrap_or_default()
    }

    /// Memory that is resident, in bytes.
    pub(crate) fn resident_memory(&self) -> u64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.pid())).unwrap();
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
        line.trim().trim_end_matches(" kB").parse::<u64>().unwrap() * 1024
    }

    /// As `kill -9` does.
    pub(crate) fn kill(mut self) {
        self.process.kill().unwrap();
        self.process.wait().unwrap();
    }

    /// Asks the program to stop, and waits for it.
    pub(crate) fn stop(self) -> ExitStatus {
        self.signal("-TERM");
        self.wait()
    }

    /// `signal`: as `kill` takes it.
    pub(crate) fn signal(&self, signal: &str) {
        let pid = self.pid().to_string();
        assert!(Command::new("kill").args([signal, &pid]).status().unwrap().success());
    }

    /// Waits for the program's end.
    pub(crate) fn wait(mut self) -> ExitStatus {
        let started = Instant::now();
        until("the program's end", || {
            assert!(started.elapsed() < HANG, "it does not stop:\n{}", self.log());
            self.ended()
        })
    }

    /// How the program ended, if it has.
    pub(crate) fn ended(&mut self) -> Option<ExitStatus> {
        self.process.try_wait().unwrap()
    }

    /// Stops the program and starts it again, on the same ports and data.
    pub(crate) fn restart(self) -> Self {
        let setup = self.setup.clone().on_ports_of(&self);
        let status = self.stop();
        assert!(status.success(), "the stop ended with {status}");
        setup.start()
    }

    /// Kills the program and starts it again, on the same ports and data.
    pub(crate) fn kill_and_restart(self) -> Self {
        let setup = self.setup.clone().on_ports_of(&self);
        self.kill();
        setup.start()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
        if std::thread::panicking() {
            eprintln!("the program's log:\n{}", end_of(&self.setup.folder().join("log")));
        }
    }
}

fn end_of(log: &Path) -> String {
    let text = std::fs::read_to_string(log).unwrap_or_default();
    let lines: Vec<&str> = text.lines().collect();
    lines[lines.len().saturating_sub(40)..].join("\n")
}

/// A proxy and the broker it works on: the bundled one, or the cluster of
/// `OTTLA_TEST_BOOTSTRAP`.
#[derive(Debug)]
pub(crate) struct Stack {
    pub(crate) server: Server,
    pub(crate) bootstrap: String,
}

impl Stack {
    pub(crate) fn start() -> Self {
        Self::with(&[])
    }

    /// `settings`: of the proxy only, since the broker may be another one.
    pub(crate) fn with(settings: &[(&str, &str)]) -> Self {
        let cluster = std::env::var("OTTLA_TEST_BOOTSTRAP").ok();
        let mut setup = match &cluster {
            // Registries of one group elect a leader, and miss it for a while when it is killed.
            Some(bootstrap) => Setup::proxy_of(bootstrap)
                .set("schema.registry.group.id", &unique("registry"))
                .set("kafkastore.topic", &unique("schemas")),
            // The node of the recordings is 1.
            None => Setup::new().set("node.id", "1"),
        };
        for (name, value) in settings {
            setup = setup.set(name, value);
        }
        let server = setup.start();
        let bootstrap = cluster.unwrap_or_else(|| server.broker().to_owned());
        Self { server, bootstrap }
    }

    pub(crate) fn http(&self) -> Http {
        self.server.http()
    }
}
