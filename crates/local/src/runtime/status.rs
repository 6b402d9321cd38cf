//! What the runtime is doing, for `local status`, the page in the browser, and tests.

use std::sync::atomic::Ordering;

use serde::Serialize;

use super::pool::Counters;

/// The whole runtime.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Status {
    /// How replicas are kept apart, in words.
    pub isolation: String,
    /// By app.
    pub apps: Vec<App>,
}

/// One app.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct App {
    /// ARM id in lower case.
    pub id: String,
    /// Name as created.
    pub name: String,
    /// Host name of its ingress.
    pub fqdn: Option<String>,
    /// Shares by revision.
    pub traffic: Vec<(String, u32)>,
    /// Active revisions, oldest first.
    pub revisions: Vec<Revision>,
}

/// One active revision.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Revision {
    /// `app--suffix`.
    pub name: String,
    /// Replicas it should have now.
    pub wanted: u32,
    /// `starting`, `works` or `failed`.
    pub state: String,
    /// What is in the way.
    pub trouble: Option<String>,
    /// Its program listens on the target port rather than on `PORT`: it cannot have more than one replica here.
    pub fixed_port: bool,
    /// Requests in it and waiting for it.
    pub concurrent: u32,
    /// Requests since the start.
    pub requests: Requests,
    /// Scale rules that are kept but not acted on.
    pub unmodelled_rules: Vec<String>,
    /// Its replicas.
    pub replicas: Vec<Replica>,
}

/// One replica.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Replica {
    /// Name.
    pub name: String,
    /// Takes traffic.
    pub ready: bool,
    /// Where it listens.
    pub port: Option<u16>,
    /// How often its containers were started again.
    pub restarts: u32,
    /// When it was made.
    pub since: jiff::Timestamp,
    /// Outermost processes.
    pub pids: Vec<u32>,
}

/// Requests of a revision.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Requests {
    /// Answers by hundreds: `[1xx, 2xx, 3xx, 4xx, 5xx]`.
    pub answers: [u64; 5],
    /// Answers by time taken: below 1, 2, 4, … milliseconds; the last one is all above.
    pub times: Vec<u64>,
}

impl Requests {
    pub(crate) fn read(counters: &Counters) -> Requests {
        let read = |counter: &std::sync::atomic::AtomicU64| counter.load(Ordering::Relaxed);
        Requests {
            answers: std::array::from_fn(|class| read(&counters.answers[class])),
            times: counters.times.iter().map(read).collect(),
        }
    }

    /// The time below which this share (0 to 1) of the answers stayed, in milliseconds; rounded up to a power of two.
    pub fn percentile_ms(&self, share: f64) -> Option<u64> {
        let total: u64 = self.times.iter().sum();
        let rank = (total as f64 * share).ceil() as u64;
        let mut seen = 0;
        self.times.iter().enumerate().find_map(|(bucket, count)| {
            seen += count;
            (total > 0 && seen >= rank.max(1)).then(|| 1 << bucket)
        })
    }
}
