//! The program, started and stopped.

use std::fs::File;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use serde_json::Value;
use tempfile::TempDir;

use super::http::Http;

/// How long a test waits for what must happen before it calls it a hang. No
/// test passes or fails by being faster or slower below this.
pub(crate) const HANG: Duration = Duration::from_secs(120);

/// Asks until there is an answer.
pub(crate) fn until<T>(what: &str, mut ask: impl FnMut() -> Option<T>) -> T {
    let started = Instant::now();
    loop {
        if let Some(answer) = ask() {
            return answer;
        }
        assert!(started.elapsed() < HANG, "still waiting for {what}");
        std::thread::sleep(Duration::from_millis(5));
    }
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
        let setup = Self::without_broker(None);
        let data = setup.folder.path().join("data").display().to_string();
        setup.set("log.dirs", &data).set("listeners", "PLAINTEXT://127.0.0.1:0")
    }

    /// Proxy and registry on this cluster.
    pub(crate) fn on_cluster(bootstrap: &str) -> Self {
        Self::without_broker(Some(bootstrap.to_owned()))
    }

    fn without_broker(bootstrap: Option<String>) -> Self {
        let folder = Arc::new(tempfile::tempdir().unwrap());
        Self { settings: vec![], bootstrap, folder }
            .set("rest.listeners", "http://127.0.0.1:0")
            .set("registry.listeners", "http://127.0.0.1:0")
    }

    pub(crate) fn set(mut self, name: &str, value: &str) -> Self {
        self.settings.push((name.into(), value.into()));
        self
    }

    fn log(&self) -> std::path::PathBuf {
        self.folder.path().join("log")
    }

    /// Starts the program and waits until everything answers.
    pub(crate) fn start(&self) -> Server {
        let ready_file = self.folder.path().join("ready.json");
        // What a killed predecessor left.
        let _ = std::fs::remove_file(&ready_file);
        let output = File::options().create(true).append(true).open(self.log()).unwrap();
        let mut command = Command::new(Path::new(env!("CARGO_BIN_EXE_ottla")));
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
        let mut process = command
            .arg("--ready-file")
            .arg(&ready_file)
            .stdin(Stdio::null())
            .stdout(output.try_clone().unwrap())
            .stderr(output)
            .spawn()
            .unwrap();
        let ready: Value = until("the ready file", || {
            if let Some(status) = process.try_wait().unwrap() {
                let log = std::fs::read_to_string(self.log()).unwrap_or_default();
                panic!("the program ended with {status}:\n{log}");
            }
            serde_json::from_slice(&std::fs::read(&ready_file).ok()?).ok()
        });
        Server {
            process,
            broker: ready["broker"].as_str().map(str::to_owned),
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
    registry: String,
    setup: Setup,
}

impl Server {
    /// `host:port` of the Kafka port.
    pub(crate) fn broker(&self) -> &str {
        self.broker.as_deref().expect("this server has a broker")
    }

    /// The URL of the registry.
    pub(crate) fn url(&self) -> &str {
        &self.registry
    }

    pub(crate) fn http(&self) -> Http {
        Http::new(&self.registry)
    }

    /// Kills it (SIGKILL), as a crash would.
    pub(crate) fn kill(mut self) -> Setup {
        self.process.kill().unwrap();
        self.process.wait().unwrap();
        self.setup.clone()
    }

    /// Stops it in order (SIGTERM).
    pub(crate) fn stop(mut self) -> Setup {
        let id = self.process.id().to_string();
        assert!(Command::new("kill").arg(&id).status().unwrap().success());
        let status = until("the end of the program", || self.process.try_wait().unwrap());
        let log = std::fs::read_to_string(self.setup.log()).unwrap_or_default();
        assert!(status.success(), "ended with {status}:\n{log}");
        self.setup.clone()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
        if std::thread::panicking() {
            let log = std::fs::read_to_string(self.setup.log()).unwrap_or_default();
            eprintln!("--- log of the program\n{log}---");
        }
    }
}
