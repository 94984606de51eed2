//! The servers that are measured, each a process of its own, so that its CPU
//! time and its memory can be told.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};

/// What is started.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Ottla as it comes: an answer waits until its records are on the disk.
    Ottla,
    /// Ottla that leaves writing to the system, as Apache Kafka does.
    OttlaOs,
    /// Apache Kafka as it comes.
    Kafka,
    /// Apache Kafka that syncs every batch before it answers.
    KafkaDurable,
    /// An HTTP server that does the least it can.
    Floor,
}

impl Kind {
    /// Its name in tables.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Ottla | Self::OttlaOs => "Ottla",
            Self::Kafka | Self::KafkaDurable => "Apache Kafka",
            Self::Floor => "floor",
        }
    }

    /// What an acknowledged record has behind it.
    pub(crate) fn durability(self) -> &'static str {
        match self {
            Self::Ottla => "fsync (`group`)",
            Self::OttlaOs => "none (`os`)",
            Self::Kafka => "none (default)",
            Self::KafkaDurable => "fsync (`flush.messages=1`)",
            Self::Floor => "no disk",
        }
    }
}

/// A running server. Dropping it ends it and removes its data.
#[derive(Debug)]
pub(crate) struct Server {
    pub(crate) kind: Kind,
    process: Child,
    /// The process that does the work; Apache Kafka's is a child of the script.
    pid: Pid,
    pub(crate) bootstrap: String,
    /// URL of the proxy.
    pub(crate) rest: String,
    /// URL of the registry.
    pub(crate) registry: String,
    /// From its start to its first answer.
    pub(crate) start_time: Duration,
    data: PathBuf,
    keeps_data: bool,
}

impl Server {
    /// Starts one with its data in a new folder below `folder`.
    pub(crate) fn start(kind: Kind, folder: &Path) -> Self {
        match kind {
            Kind::Floor => Self::floor(),
            Kind::Ottla | Kind::OttlaOs => {
                let data = tempfile::Builder::new().prefix("ottla").tempdir_in(folder).unwrap();
                let mut server = Self::ottla_on(kind, data.keep());
                server.keeps_data = false;
                server
            }
            Kind::Kafka | Kind::KafkaDurable => Self::apache_kafka(kind, folder),
        }
    }

    fn floor() -> Self {
        let mut command = Command::new(std::env::current_exe().unwrap());
        command.arg("--floor").stdin(Stdio::piped()).stdout(Stdio::piped());
        let started = Instant::now();
        let mut process = command.spawn().unwrap();
        let mut line = String::new();
        BufReader::new(process.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let rest = format!("http://{}", line.trim());
        Self {
            kind: Kind::Floor,
            pid: Pid::from_child(&process),
            process,
            bootstrap: String::new(),
            start_time: first_answer(&rest, started),
            rest,
            registry: String::new(),
            data: PathBuf::new(),
            keeps_data: true,
        }
    }

    /// Starts Ottla on a folder that may hold data, and leaves it there.
    pub(crate) fn ottla_on(kind: Kind, data: PathBuf) -> Self {
        let ready_file = data.with_extension("ready");
        let _ = std::fs::remove_file(&ready_file);
        let mut command = Command::new(env!("CARGO_BIN_EXE_ottla"));
        command.arg("serve").arg("--ready-file").arg(&ready_file);
        command.args(["--set", &format!("log.dirs={}", data.display())]);
        command.args(["--set", "listeners=PLAINTEXT://127.0.0.1:0"]);
        command.args(["--set", "rest.listeners=http://127.0.0.1:0"]);
        command.args(["--set", "registry.listeners=http://127.0.0.1:0"]);
        command.args(["--set", "logging.filter=warn"]);
        if kind == Kind::OttlaOs {
            command.args(["--set", "log.durability=os"]);
        }
        let started = Instant::now();
        let mut process = command.stdin(Stdio::null()).stdout(Stdio::null()).spawn().unwrap();
        let ready = loop {
            if let Some(status) = process.try_wait().unwrap() {
                panic!("the program ended with {status}");
            }
            let ready = std::fs::read(&ready_file).ok();
            match ready.and_then(|text| serde_json::from_slice::<serde_json::Value>(&text).ok()) {
                Some(ready) => break ready,
                None => std::thread::sleep(Duration::from_millis(1)),
            }
        };
        std::fs::remove_file(&ready_file).unwrap();
        let address = |name: &str| ready[name].as_str().unwrap().to_owned();
        let rest = address("rest");
        Self {
            kind,
            pid: Pid::from_child(&process),
            process,
            bootstrap: address("broker"),
            start_time: first_answer(&rest, started),
            rest,
            registry: address("registry"),
            data,
            keeps_data: true,
        }
    }

    fn apache_kafka(kind: Kind, folder: &Path) -> Self {
        let root = Path::new(env!("CARGO_MANIFEST_DIR"));
        // Two settings have nothing to do with speed: as many files as there are may
        // be removed soon, and the first consumer of a group need not wait.
        let mut settings = vec!["log.segment.delete.delay.ms=1000"];
        if kind == Kind::KafkaDurable {
            settings.push("log.flush.interval.messages=1");
        }
        let mut command = Command::new(root.join("scripts/apache-kafka"));
        command.arg("1").args(settings).env("TMPDIR", folder);
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let started = Instant::now();
        let mut process = command.spawn().unwrap();
        let mut said = BufReader::new(process.stderr.take().unwrap());
        let mut bootstrap = String::new();
        BufReader::new(process.stdout.take().unwrap()).read_line(&mut bootstrap).unwrap();
        if bootstrap.is_empty() {
            let mut complaint = String::new();
            said.read_to_string(&mut complaint).unwrap();
            panic!("Apache Kafka does not start: {complaint}");
        }
        Self {
            kind,
            pid: java_child(&process),
            process,
            bootstrap: bootstrap.trim().to_owned(),
            rest: String::new(),
            registry: String::new(),
            start_time: started.elapsed(),
            // The script removes its folder.
            data: PathBuf::new(),
            keeps_data: true,
        }
    }

    /// The CPU time of all its threads so far.
    pub(crate) fn cpu_time(&self) -> Duration {
        let stat = self.proc("stat");
        // The name in brackets may hold anything; user and system time are the 14th and 15th field.
        let fields = stat.rsplit_once(") ").unwrap().1.split(' ');
        let ticks: u64 = fields.skip(11).take(2).map(|field| field.parse::<u64>().unwrap()).sum();
        // Linux counts in hundredths of a second here, on every architecture.
        Duration::from_millis(ticks * 10)
    }

    /// Memory that is resident, in KiB.
    pub(crate) fn resident_kib(&self) -> u64 {
        self.status("VmRSS:")
    }

    /// The most memory that was resident since [`Server::forget_peak`], in KiB.
    pub(crate) fn peak_kib(&self) -> u64 {
        self.status("VmHWM:")
    }

    pub(crate) fn forget_peak(&self) {
        std::fs::write(format!("/proc/{}/clear_refs", self.pid.as_raw_nonzero()), "5").unwrap();
    }

    fn status(&self, field: &str) -> u64 {
        let status = self.proc("status");
        let line = status.lines().find_map(|line| line.strip_prefix(field)).unwrap();
        line.trim().trim_end_matches(" kB").parse().unwrap()
    }

    fn proc(&self, file: &str) -> String {
        std::fs::read_to_string(format!("/proc/{}/{file}", self.pid.as_raw_nonzero())).unwrap()
    }

    /// Stops it as its users would, and waits for that.
    pub(crate) fn stop(mut self) -> PathBuf {
        kill_process(self.pid, Signal::INT).unwrap();
        self.process.wait().unwrap();
        self.data.clone()
    }

    /// Ends it as a power cut would, without that of the machine.
    pub(crate) fn kill(mut self) -> PathBuf {
        self.process.kill().unwrap();
        self.process.wait().unwrap();
        self.data.clone()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // The script ends Apache Kafka when it is told to end.
        let _ = kill_process(Pid::from_child(&self.process), Signal::TERM);
        let _ = self.process.wait();
        if !self.keeps_data {
            let _ = std::fs::remove_dir_all(&self.data);
        }
    }
}

/// Asks for something, and gives the time since the start when it is answered.
fn first_answer(rest: &str, started: Instant) -> Duration {
    let mut stream = TcpStream::connect(rest.strip_prefix("http://").unwrap()).unwrap();
    stream.write_all(b"GET /topics/none HTTP/1.1\r\nHost: localhost\r\n\r\n").unwrap();
    stream.read_exact(&mut [0; 12]).unwrap();
    started.elapsed()
}

/// The process of Apache Kafka that the script has started.
fn java_child(script: &Child) -> Pid {
    let parent = format!(" {} ", script.id());
    let processes = std::fs::read_dir("/proc").unwrap().flatten();
    let pids = processes.filter_map(|entry| entry.file_name().to_str()?.parse::<i32>().ok());
    let is_child = |pid: &i32| {
        let read = |file: &str| std::fs::read_to_string(format!("/proc/{pid}/{file}"));
        // After the name in brackets come the state and the parent.
        let is_of_script = read("stat").is_ok_and(|stat| {
            stat.rsplit_once(") ").is_some_and(|(_, rest)| rest[1..].starts_with(&parent))
        });
        is_of_script && read("cmdline").is_ok_and(|line| line.contains("kafka.Kafka"))
    };
    Pid::from_raw(pids.into_iter().find(is_child).expect("Apache Kafka runs")).unwrap()
}
