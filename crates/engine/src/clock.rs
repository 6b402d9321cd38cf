//! Time, passed in, so that a simulated run sees none of ours.

use std::time::Duration;

use async_trait::async_trait;
use jiff::Timestamp;

/// Where the engine takes its time from.
#[async_trait]
pub trait Clock: Send + Sync {
    /// The time now; it never runs backwards within one clock.
    fn now(&self) -> Timestamp;

    /// Returns when `duration` has passed on this clock.
    async fn sleep(&self, duration: Duration);
}

/// The machine's own clock.
///
/// It reads the wall clock once, when it is made, and counts on from there with the monotonic one. Neither a
/// corrected wall clock nor a laptop that slept for an hour can then use up an operation's patience; the price
/// is that times shown after such a sleep lag behind the wall until the next run.
#[derive(Debug, Clone)]
pub struct SystemClock {
    made: Timestamp,
    since: tokio::time::Instant,
}

impl SystemClock {
    /// A clock that starts at the wall clock's time.
    pub fn new() -> Self {
        Self { made: wall(), since: tokio::time::Instant::now() }
    }
}

impl Default for SystemClock {
    fn default() -> Self {
        Self::new()
    }
}

#[async_trait]
impl Clock for SystemClock {
    fn now(&self) -> Timestamp {
        add(self.made, self.since.elapsed())
    }

    async fn sleep(&self, duration: Duration) {
        tokio::time::sleep(duration).await;
    }
}

/// The time on the wall: for leases, whose holders are different processes and share no other clock.
pub(crate) fn wall() -> Timestamp {
    #[expect(clippy::disallowed_methods, reason = "the engine's one door to the machine's time")]
    Timestamp::now()
}

/// `at` plus `duration`, stopping at the end of time rather than failing there.
pub(crate) fn add(at: Timestamp, duration: Duration) -> Timestamp {
    at.saturating_add(jiff::SignedDuration::try_from(duration).unwrap_or(jiff::SignedDuration::MAX))
        .unwrap_or(Timestamp::MAX)
}

/// How long it is from `earlier` to `later`; nothing when they are the wrong way round.
pub(crate) fn between(earlier: Timestamp, later: Timestamp) -> Duration {
    Duration::try_from(later.duration_since(earlier)).unwrap_or(Duration::ZERO)
}

/// Durations as whole milliseconds, for serde: what is stored and sent names its unit (`…_ms`).
pub(crate) mod ms {
    use std::time::Duration;

    use serde::{Deserialize, Deserializer, Serializer};

    pub fn serialize<S: Serializer>(duration: &Duration, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_u64(u64::try_from(duration.as_millis()).unwrap_or(u64::MAX))
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Duration, D::Error> {
        u64::deserialize(from).map(Duration::from_millis)
    }

    /// The same for a duration that may be missing.
    pub mod option {
        use std::time::Duration;

        use serde::{Deserialize, Deserializer, Serializer};

        pub fn serialize<S: Serializer>(duration: &Option<Duration>, to: S) -> Result<S::Ok, S::Error> {
            match duration {
                Some(duration) => super::serialize(duration, to),
                None => to.serialize_none(),
            }
        }

        pub fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Option<Duration>, D::Error> {
            Ok(Option::<u64>::deserialize(from)?.map(Duration::from_millis))
        }
    }
}
