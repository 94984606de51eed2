//! The two servers, each a process of its own, so that its CPU time can be told.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// A running server. Dropping it kills it.
pub(crate) struct Server {
    process: Child,
    pub(crate) address: SocketAddr,
    /// Of its Schema Registry, if it has one.
    pub(crate) registry: Option<SocketAddr>,
    /// From its start to its first answer.
    pub(crate) start_time: Duration,
}

impl Server {
    pub(crate) fn floor(folder: &Path) -> Self {
        let mut command = Command::new(std::env::current_exe().unwrap());
        command.arg("--floor").current_dir(folder).stdin(Stdio::piped()).stdout(Stdio::piped());
        let started = Instant::now();
        let mut process = command.spawn().unwrap();
        let mut line = String::new();
        BufReader::new(process.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let address = line.trim().parse().unwrap();
        let start_time = first_answer(address, started);
        Self { process, address, registry: None, start_time }
    }

    /// The product with its defaults, so every answer waits for the disk.
    pub(crate) fn ottla(folder: &Path) -> Self {
        let ready_file = folder.join("ready.json");
        let mut command = Command::new(env!("CARGO_BIN_EXE_ottla"));
        command.arg("serve").arg("--ready-file").arg(&ready_file);
        command.args(["--set", &format!("log.dirs={}", folder.join("data").display())]);
        command.args(["--set", "listeners=PLAINTEXT://127.0.0.1:0"]);
        command.args(["--set", "rest.listeners=http://127.0.0.1:0"]);
        command.args(["--set", "registry.listeners=http://127.0.0.1:0"]);
        let started = Instant::now();
        let mut process = command.stdin(Stdio::null()).stdout(Stdio::null()).spawn().unwrap();
        let ready = loop {
            if let Some(status) = process.try_wait().unwrap() {
                panic!("the program ended with {status}");
            }
            let ready = std::fs::read(&ready_file).ok();
            let ready =
                ready.and_then(|text| serde_json::from_slice::<serde_json::Value>(&text).ok());
            match ready {
                Some(ready) => break ready,
                None => std::thread::sleep(Duration::from_millis(1)),
            }
        };
        let address = |name: &str| -> SocketAddr {
            let url = ready[name].as_str().unwrap();
            url.strip_prefix("http://").unwrap().parse().unwrap()
        };
        let (rest, registry) = (address("rest"), Some(address("registry")));
        Self { process, address: rest, registry, start_time: first_answer(rest, started) }
    }

    /// The CPU time of all its threads so far.
    pub(crate) fn cpu_time(&self) -> Duration {
        let stat = std::fs::read_to_string(format!("/proc/{}/stat", self.process.id())).unwrap();
        // The name in brackets may hold anything; user and system time are the 14th and 15th field.
        let fields = stat.rsplit_once(") ").unwrap().1.split(' ');
        let ticks: u64 = fields.skip(11).take(2).map(|field| field.parse::<u64>().unwrap()).sum();
        // Linux counts in hundredths of a second here, on every architecture.
        Duration::from_millis(ticks * 10)
    }

    /// Memory that is resident, in MiB.
    pub(crate) fn resident_mib(&self) -> u64 {
        let status =
            std::fs::read_to_string(format!("/proc/{}/status", self.process.id())).unwrap();
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
        line.trim().trim_end_matches(" kB").parse::<u64>().unwrap() / 1024
    }
}

/// Asks for something, and gives the time since the start when it is answered.
fn first_answer(address: SocketAddr, started: Instant) -> Duration {
    let mut stream = TcpStream::connect(address).unwrap();
    stream.write_all(b"GET /topics HTTP/1.1\r\nHost: localhost\r\n\r\n").unwrap();
    stream.read_exact(&mut [0; 12]).unwrap();
    started.elapsed()
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}
