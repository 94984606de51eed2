//! What every test needs: the program, an HTTP client, a Kafka client that
//! knows no more than the protocol.

pub(crate) mod apache_kafka;
pub(crate) mod http;
pub(crate) mod kafka;
pub(crate) mod programs;
mod server;

use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

pub(crate) use http::{Answer, Http};
pub(crate) use server::{Server, Setup, Stack, program};

/// How long a test waits for what must happen before it calls it a hang. No
/// test passes or fails by being faster or slower below this.
pub(crate) const HANG: Duration = Duration::from_secs(120);

/// A name that no other test, and no other run on the same cluster, has.
pub(crate) fn unique(prefix: &str) -> String {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    let started = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().subsec_micros();
    let number = NEXT.fetch_add(1, Ordering::Relaxed);
    format!("{prefix}-{}-{started}-{number}", std::process::id())
}

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

/// Numbers for tests with random schedules. The seed is printed, and taken
/// from `OTTLA_TEST_SEED` to repeat a run.
#[derive(Debug)]
pub(crate) struct Random(u64);

impl Random {
    pub(crate) fn new() -> Self {
        let seed = match std::env::var("OTTLA_TEST_SEED") {
            Ok(text) => text.parse().expect("OTTLA_TEST_SEED is a number"),
            Err(_) => SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_nanos() as u64 | 1,
        };
        eprintln!("OTTLA_TEST_SEED={seed}");
        Self(seed)
    }

    /// A number below `end` (xorshift64).
    pub(crate) fn below(&mut self, end: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % end
    }
}
