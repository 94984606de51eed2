//! Foreign programs: examples and clients in other languages.

use std::ffi::OsStr;
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError};

use super::HANG;

/// The root of the repository.
pub(crate) fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// Python with the packages of `tests/interop/python/requirements.txt`.
pub(crate) fn python() -> Command {
    Command::new(prepared("interop/python/bin/python"))
}

/// Node.js that finds the packages of `tests/interop/node/package.json`.
pub(crate) fn node() -> Command {
    let mut command = Command::new("node");
    command.env("NODE_PATH", prepared("interop/node/node_modules"));
    command
}

/// Java with the jars of Apache Kafka: a source file or a class follows.
pub(crate) fn java() -> Command {
    let mut command = Command::new("java");
    command.arg("-cp").arg(prepared("kafka/libs").join("*"));
    command
}

/// What `scripts/test` puts under `target/`.
pub(crate) fn prepared(path: &str) -> PathBuf {
    let path = root().join("target").join(path);
    assert!(path.exists(), "{} is missing: scripts/test makes it", path.display());
    path
}

/// Runs the program to its end, which must be a good one, and gives what it
/// printed to standard output.
#[track_caller]
pub(crate) fn run(command: &mut Command) -> String {
    let output = finish(command);
    assert!(output.status.success(), "{command:?}\n{}", both(&output));
    String::from_utf8_lossy(&output.stdout).into_owned()
}

/// Runs the program to its end, whatever that is.
#[track_caller]
pub(crate) fn finish(command: &mut Command) -> Output {
    finish_with_input(command, "")
}

/// As [`finish`], for a program that reads its standard input.
#[track_caller]
pub(crate) fn finish_with_input(command: &mut Command, input: &str) -> Output {
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut process = command.spawn().unwrap_or_else(|error| {
        panic!("{:?}: {error}", command.get_program());
    });
    let process_id = process.id();
    let mut stdin = process.stdin.take().unwrap();
    // A program that does not want its input may have closed it.
    let _ = stdin.write_all(input.as_bytes());
    drop(stdin);
    let (ended, end) = mpsc::channel();
    std::thread::spawn(move || ended.send(process.wait_with_output()));
    let Ok(output) = end.recv_timeout(HANG) else {
        kill(process_id);
        let output = end.recv().unwrap().unwrap();
        panic!("{command:?} does not end:\n{}", both(&output));
    };
    output.unwrap()
}

fn kill(process_id: u32) {
    let _ = Command::new("kill").args(["-9", &process_id.to_string()]).status();
}

/// Everything that the program has printed.
pub(crate) fn both(output: &Output) -> String {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    format!("{}{}", text(&output.stdout), text(&output.stderr))
}

/// A program that talks with the test, line by line.
#[derive(Debug)]
pub(crate) struct Dialogue {
    name: String,
    process: Child,
    lines: Receiver<String>,
}

impl Dialogue {
    pub(crate) fn start(command: &mut Command) -> Self {
        let name = command.get_args().find_map(file_name).unwrap_or_else(|| "program".to_owned());
        let mut process = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap_or_else(|error| panic!("{name}: {error}"));
        let output = BufReader::new(process.stdout.take().unwrap());
        let (sender, lines) = mpsc::channel();
        std::thread::spawn(move || {
            output.lines().map_while(Result::ok).try_for_each(|line| sender.send(line))
        });
        Self { name, process, lines }
    }

    /// The next line that the program prints.
    #[track_caller]
    pub(crate) fn line(&mut self) -> String {
        match self.lines.recv_timeout(HANG) {
            Ok(line) => line,
            Err(RecvTimeoutError::Disconnected) => {
                panic!("{} ended with {}", self.name, self.process.wait().unwrap())
            }
            Err(RecvTimeoutError::Timeout) => panic!("{} says nothing more", self.name),
        }
    }

    /// The lines that the program has printed since the last call.
    pub(crate) fn lines_so_far(&self) -> Vec<String> {
        self.lines.try_iter().collect()
    }

    pub(crate) fn say(&mut self, line: &str) {
        let input = self.process.stdin.as_mut().unwrap();
        writeln!(input, "{line}").unwrap_or_else(|error| panic!("{}: {error}", self.name));
    }

    /// Closes the program's input and gives the rest of what it prints.
    #[track_caller]
    pub(crate) fn finish(&mut self) -> Vec<String> {
        drop(self.process.stdin.take());
        let mut rest = vec![];
        loop {
            match self.lines.recv_timeout(HANG) {
                Ok(line) => rest.push(line),
                Err(RecvTimeoutError::Disconnected) => break,
                Err(RecvTimeoutError::Timeout) => panic!("{} does not end: {rest:?}", self.name),
            }
        }
        let status = self.process.wait().unwrap();
        assert!(status.success(), "{} ended with {status}", self.name);
        rest
    }
}

impl Drop for Dialogue {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

fn file_name(argument: &OsStr) -> Option<String> {
    let text = argument.to_str()?;
    ["py", "cjs", "java"]
        .iter()
        .any(|extension| text.ends_with(&format!(".{extension}")))
        .then(|| text.rsplit('/').next().unwrap_or(text).to_owned())
}
