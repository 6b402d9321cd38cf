//! Time, passed in: a simulated run sees a thousand days in a minute.

use async_trait::async_trait;
use jiff::Timestamp;
use std::fmt::Debug;
use std::time::Duration;

/// What this room needs of time: to read it, and to wait.
#[async_trait]
pub trait Clock: Debug + Send + Sync {
    /// The moment it is.
    fn now(&self) -> Timestamp;

    /// Returns once `wait` has passed.
    async fn sleep(&self, wait: Duration);
}

/// The machine's time, which never runs backwards while the process lives.
///
/// It is the wall clock at the start plus the time that `tokio` has counted since, so that a wall clock set
/// back does not empty the budget of requests, and a test's paused time holds here as well.
#[derive(Debug)]
pub struct SystemClock {
    wall: Timestamp,
    start: tokio::time::Instant,
}

impl SystemClock {
    /// Reads the wall clock once; everything later is counted from there.
    pub fn new() -> SystemClock {
        SystemClock { wall: Timestamp::now(), start: tokio::time::Instant::now() }
    }
}

impl Default for SystemClock {
    fn default() -> Self {
        SystemClock::new()
    }
}

#[async_trait]
impl Clock for SystemClock {
    fn now(&self) -> Timestamp {
        self.wall.saturating_add(self.start.elapsed()).unwrap_or(Timestamp::MAX)
    }

    async fn sleep(&self, wait: Duration) {
        tokio::time::sleep(wait).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_sleep_passes_on_the_clock() {
        let clock = SystemClock::new();
        assert!(
            Timestamp::now().duration_since(clock.now()).as_secs().abs() <= 1,
            "it begins at the wall clock's time"
        );
        let before = clock.now();
        clock.sleep(Duration::from_millis(20)).await;
        assert!(clock.now().duration_since(before).as_millis() >= 20);
    }
}
