//! A circuit breaker: a service that fails again and again is left alone for a while.
//!
//! ```text
//! closed ──(failures in a row)──▶ open ──(rest is over)──▶ one probe ──succeeds──▶ closed
//!                                  ▲                          └──────fails──────┐
//!                                  └────────────────────────────────────────────┘
//! ```

use std::time::Duration;

use tokio::time::Instant;

/// The rule by itself; the caller tells what happened.
#[derive(Debug)]
pub struct Breaker {
    limit: u32,
    rest: Duration,
    failures: u32,
    open_until: Option<Instant>,
    probing: bool,
}

impl Breaker {
    /// A breaker that opens after `limit` failures in a row, for `rest`.
    pub fn new(limit: u32, rest: Duration) -> Breaker {
        Breaker { limit, rest, failures: 0, open_until: None, probing: false }
    }

    /// Whether the service may be asked now; if not, for how long not.
    ///
    /// # Errors
    /// How long the rest still takes.
    pub fn admit(&mut self, now: Instant) -> Result<(), Duration> {
        match self.open_until {
            None => Ok(()),
            Some(until) if now < until => Err(until - now),
            Some(_) if self.probing => Err(self.rest),
            Some(_) => {
                self.probing = true;
                Ok(())
            }
        }
    }

    /// The service answered, whatever it said.
    pub fn succeeded(&mut self) {
        (self.failures, self.open_until, self.probing) = (0, None, false);
    }

    /// The service failed.
    pub fn failed(&mut self, now: Instant) {
        self.failures = self.failures.saturating_add(1);
        if self.probing || self.failures >= self.limit {
            (self.open_until, self.probing) = (Some(now + self.rest), false);
        }
    }

    /// A probe was given up without an outcome; the next one may try.
    pub fn abandoned(&mut self) {
        self.probing = false;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_opens_rests_probes_and_closes() {
        let rest = Duration::from_secs(30);
        let mut breaker = Breaker::new(3, rest);
        let start = Instant::now();
        for _ in 0..2 {
            breaker.failed(start);
        }
        breaker.succeeded();
        for _ in 0..3 {
            assert_eq!(breaker.admit(start), Ok(()));
            breaker.failed(start);
        }
        assert_eq!(breaker.admit(start + rest / 2), Err(rest / 2));
        assert_eq!(breaker.admit(start + rest), Ok(()), "one probe");
        assert!(breaker.admit(start + rest).is_err(), "and only one");
        breaker.failed(start + rest);
        assert!(breaker.admit(start + rest * 2 - Duration::from_secs(1)).is_err());
        assert_eq!(breaker.admit(start + rest * 2), Ok(()));
        breaker.abandoned();
        assert_eq!(breaker.admit(start + rest * 2), Ok(()), "an abandoned probe frees its place");
        breaker.succeeded();
        assert_eq!(breaker.admit(start + rest * 2), Ok(()));
    }
}
