//! Pauses between attempts.

use std::hash::{BuildHasher, RandomState};
use std::time::Duration;

/// Doubling pauses with jitter (KIP-580).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Backoff {
    /// The pause after the first failure.
    pub first: Duration,
    /// No pause is longer, jitter aside.
    pub max: Duration,
}

impl Backoff {
    /// The pause after `failures` failures in a row, between 0.8 and 1.2 of what doubling gives.
    pub fn pause(self, failures: u32) -> Duration {
        self.exact(failures).mul_f64(0.8 + 0.4 * random())
    }

    fn exact(self, failures: u32) -> Duration {
        let doublings = failures.saturating_sub(1).min(20);
        self.first.saturating_mul(1 << doublings).min(self.max)
    }
}

/// A number in `0.0..1.0` that differs between processes and calls. Spreads
/// retries and first choices; nothing secret hangs on it.
pub(crate) fn random() -> f64 {
    // Every RandomState has keys of its own.
    let bits = RandomState::new().hash_one(0_u8) >> 11;
    bits as f64 / (1_u64 << 53) as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_double_up_to_the_maximum() {
        let backoff = Backoff { first: Duration::from_millis(100), max: Duration::from_secs(1) };
        let exact: Vec<u128> = (0..7).map(|n| backoff.exact(n).as_millis()).collect();
        assert_eq!(exact, [100, 100, 200, 400, 800, 1000, 1000]);
        assert_eq!(backoff.exact(u32::MAX), backoff.max);
        for failures in 1..10 {
            let (pause, exact) = (backoff.pause(failures), backoff.exact(failures));
            assert!(pause >= exact.mul_f64(0.79) && pause <= exact.mul_f64(1.21));
        }
    }
}
