//! The budget of requests that the whole process shares.
//!
//! ARM counts by token bucket: per subscription, principal and kind of request, 250 reads that refill at 25 a
//! second, and 200 writes and 200 deletes at 10 a second each. Every request takes from its bucket first, polls
//! from the one for reads; ARM's own count in `x-ms-ratelimit-remaining-…` corrects ours downwards; and a
//! `Retry-After` closes the bucket for everyone, since asking earlier does not help and keeps the limit counting.
//!
//! Resource providers have limits of their own. ARM says whose limit it was (`x-ms-failure-cause`): a provider's
//! closes that provider's gate only.
//!
//! One process signs in as one principal, so the principal is no part of the key. The subscription-wide limit of
//! fifteen times a principal's cannot be seen by one of them and shows only as a 429.

use crate::clock::{Clock, SystemClock};
use crate::request::{Bucket, Spending};
use jiff::Timestamp;
use reqwest::header::HeaderMap;
use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Duration;

/// The budget; clones share it.
#[derive(Clone)]
pub struct Throttle {
    clock: Arc<dyn Clock>,
    state: Arc<Mutex<State>>,
}

impl Throttle {
    /// A full budget of its own, for tests and simulations.
    pub fn new(clock: Arc<dyn Clock>) -> Throttle {
        Throttle { clock, state: Arc::default() }
    }

    /// The one budget of this process.
    pub fn of_process() -> Throttle {
        static SHARED: OnceLock<Throttle> = OnceLock::new();
        SHARED.get_or_init(|| Throttle::new(Arc::new(SystemClock::new()))).clone()
    }

    /// Waits for a place in the bucket, and takes it.
    pub(crate) async fn take(&self, bucket: &Bucket) {
        loop {
            let wait = self.state().take(bucket, self.clock.now());
            let Some(wait) = wait else { return };
            if wait > Duration::from_secs(1) {
                tracing::info!(wait_ms = wait.as_millis() as u64, bucket = ?bucket, "waiting for the request budget");
            }
            // A Retry-After may come while this waits, so the bucket is asked again afterwards.
            self.clock.sleep(wait).await;
        }
    }

    /// Learns from an answer.
    pub(crate) fn note(&self, bucket: &Bucket, headers: &HeaderMap) {
        if let Some(remaining) = remaining(bucket, headers) {
            self.state().remaining(bucket, remaining, self.clock.now());
        }
    }

    /// Closes the bucket, or only the provider's gate when the limit was the provider's.
    pub(crate) fn close(&self, bucket: &Bucket, headers: &HeaderMap, wait: Duration) {
        let whose = match headers.get("x-ms-failure-cause").and_then(|cause| cause.to_str().ok()) {
            Some("service") => Whose::Provider,
            _ => Whose::Azure,
        };
        self.state().close(bucket, whose, wait, self.clock.now());
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // The state is whole after every statement, so a panic elsewhere leaves nothing half done.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for Throttle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Throttle").finish_non_exhaustive()
    }
}

/// Whose limit a 429 speaks of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Whose {
    Azure,
    Provider,
}

/// The pure part: every decision, with the time passed in.
#[derive(Default)]
struct State {
    levels: BTreeMap<Bucket, Level>,
    closed: BTreeMap<Bucket, Timestamp>,
}

struct Level {
    tokens: f64,
    at: Timestamp,
}

impl State {
    /// None when the request may go now; else how long to wait before asking again.
    fn take(&mut self, bucket: &Bucket, now: Timestamp) -> Option<Duration> {
        let whole = Bucket { provider: None, ..bucket.clone() };
        let opens = [self.closed.get(&whole), self.closed.get(bucket)].into_iter().flatten().max();
        if let Some(opens) = opens
            && *opens > now
        {
            return Some(between(now, *opens));
        }
        let (size, per_second) = size_of(bucket.spending);
        let level = self.levels.entry(whole).or_insert(Level { tokens: size, at: now });
        level.refill(size, per_second, now);
        if level.tokens >= 1.0 {
            level.tokens -= 1.0;
            return None;
        }
        Some(Duration::from_secs_f64((1.0 - level.tokens) / per_second))
    }

    fn remaining(&mut self, bucket: &Bucket, remaining: f64, now: Timestamp) {
        let (size, per_second) = size_of(bucket.spending);
        let whole = Bucket { provider: None, ..bucket.clone() };
        let level = self.levels.entry(whole).or_insert(Level { tokens: size, at: now });
        level.refill(size, per_second, now);
        // Upwards it is not believed: requests under way are not in ARM's count yet.
        level.tokens = level.tokens.min(remaining);
    }

    fn close(&mut self, bucket: &Bucket, whose: Whose, wait: Duration, now: Timestamp) {
        let opens = now.saturating_add(wait).unwrap_or(Timestamp::MAX);
        let (size, per_second) = size_of(bucket.spending);
        let whole = Bucket { provider: None, ..bucket.clone() };
        let gate = match whose {
            Whose::Azure => {
                // Empty when it opens, so that all who waited do not rush in at once and meet the next 429.
                let level = self.levels.entry(whole.clone()).or_insert(Level { tokens: size, at: now });
                level.refill(size, per_second, now);
                level.tokens = 0.0;
                level.at = level.at.max(opens);
                whole
            }
            Whose::Provider => bucket.clone(),
        };
        let until = self.closed.entry(gate).or_insert(opens);
        *until = (*until).max(opens);
    }
}

impl Level {
    fn refill(&mut self, size: f64, per_second: f64, now: Timestamp) {
        if now > self.at {
            self.tokens = (self.tokens + between(self.at, now).as_secs_f64() * per_second).min(size);
            self.at = now;
        }
    }
}

/// Size and refill a second. From Azure's "Understand how Resource Manager throttles requests".
fn size_of(spending: Spending) -> (f64, f64) {
    match spending {
        Spending::Read => (250.0, 25.0),
        Spending::Write | Spending::Delete => (200.0, 10.0),
    }
}

fn between(from: Timestamp, to: Timestamp) -> Duration {
    Duration::try_from(to.duration_since(from)).unwrap_or(Duration::ZERO)
}

/// ARM's own count for the bucket.
fn remaining(bucket: &Bucket, headers: &HeaderMap) -> Option<f64> {
    let scope = if bucket.subscription.is_some() { "subscription" } else { "tenant" };
    let kind = match bucket.spending {
        Spending::Read => "reads",
        Spending::Write => "writes",
        Spending::Delete => "deletes",
    };
    let count = headers.get(format!("x-ms-ratelimit-remaining-{scope}-{kind}"))?.to_str().ok()?.trim();
    count.parse::<f64>().ok().filter(|count| count.is_finite() && *count >= 0.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bucket(spending: Spending, provider: &str) -> Bucket {
        Bucket {
            service: "https://arm".into(),
            subscription: Some("s".into()),
            spending,
            provider: Some(provider.into()),
        }
    }

    fn at(ms: i64) -> Timestamp {
        Timestamp::from_millisecond(1_800_000_000_000 + ms).unwrap()
    }

    #[test]
    fn a_full_bucket_and_then_the_refill() {
        let mut state = State::default();
        let writes = bucket(Spending::Write, "a");
        for n in 0..200 {
            assert_eq!(state.take(&writes, at(0)), None, "write {n}");
        }
        assert_eq!(state.take(&writes, at(0)), Some(Duration::from_millis(100)));
        assert_eq!(state.take(&writes, at(100)), None);
        assert!(state.take(&writes, at(100)).is_some());
        // Another provider's writes come out of the same bucket; reads and other subscriptions do not.
        assert!(state.take(&bucket(Spending::Write, "b"), at(100)).is_some());
        assert_eq!(state.take(&bucket(Spending::Read, "a"), at(100)), None);
        let other = Bucket { subscription: None, ..writes.clone() };
        assert_eq!(state.take(&other, at(100)), None);
        // It never holds more than its size.
        for n in 0..200 {
            assert_eq!(state.take(&writes, at(10_000_000)), None, "write {n}");
        }
        assert!(state.take(&writes, at(10_000_000)).is_some());
    }

    #[test]
    fn azures_own_count_only_lowers_ours() {
        let mut state = State::default();
        let reads = bucket(Spending::Read, "a");
        state.remaining(&reads, 11_999.0, at(0));
        state.remaining(&reads, 1.0, at(0));
        state.remaining(&reads, 500.0, at(0));
        assert_eq!(state.take(&reads, at(0)), None);
        assert_eq!(state.take(&reads, at(0)), Some(Duration::from_millis(40)));
    }

    #[test]
    fn retry_after_closes_the_bucket_for_everyone_and_nobody_rushes_in() {
        let mut state = State::default();
        let (a, b) = (bucket(Spending::Write, "a"), bucket(Spending::Write, "b"));
        state.close(&a, Whose::Azure, Duration::from_secs(7), at(0));
        assert_eq!(state.take(&b, at(1000)), Some(Duration::from_secs(6)));
        // A shorter one later does not open it earlier.
        state.close(&a, Whose::Azure, Duration::from_secs(1), at(1000));
        assert_eq!(state.take(&b, at(3000)), Some(Duration::from_secs(4)));
        assert_eq!(state.take(&b, at(7000)), Some(Duration::from_millis(100)));
        assert_eq!(state.take(&b, at(7100)), None);
        assert!(state.take(&a, at(7100)).is_some());
        assert_eq!(state.take(&bucket(Spending::Read, "a"), at(1000)), None);
    }

    #[test]
    fn a_providers_limit_closes_that_provider() {
        let mut state = State::default();
        state.close(&bucket(Spending::Write, "a"), Whose::Provider, Duration::from_secs(5), at(0));
        assert_eq!(state.take(&bucket(Spending::Write, "a"), at(0)), Some(Duration::from_secs(5)));
        assert_eq!(state.take(&bucket(Spending::Write, "b"), at(0)), None);
    }

    #[test]
    fn a_clock_set_back_takes_nothing_away() {
        let mut state = State::default();
        let reads = bucket(Spending::Read, "a");
        assert_eq!(state.take(&reads, at(5000)), None);
        assert_eq!(state.take(&reads, at(0)), None);
    }

    #[test]
    fn headers_by_scope_and_kind() {
        let mut headers = HeaderMap::new();
        headers.insert("x-ms-ratelimit-remaining-subscription-reads", "12".parse().unwrap());
        headers.insert("x-ms-ratelimit-remaining-tenant-writes", "3".parse().unwrap());
        headers.insert("x-ms-ratelimit-remaining-subscription-deletes", "many".parse().unwrap());
        assert_eq!(remaining(&bucket(Spending::Read, "a"), &headers), Some(12.0));
        assert_eq!(remaining(&bucket(Spending::Write, "a"), &headers), None);
        assert_eq!(remaining(&bucket(Spending::Delete, "a"), &headers), None);
        let tenant = Bucket { subscription: None, ..bucket(Spending::Write, "a") };
        assert_eq!(remaining(&tenant, &headers), Some(3.0));
    }
}
