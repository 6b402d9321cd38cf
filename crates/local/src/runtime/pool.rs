//! The replicas of one revision that take traffic, and who waits for one.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::{Duration, Instant};

use hyper::client::conn::{http1, http2};
use tokio::sync::{Notify, watch};

use super::proxy::Body;
use super::sockets::OwnPorts;

/// A replica that takes traffic.
#[derive(Debug)]
pub(crate) struct Endpoint {
    pub replica: String,
    pub address: SocketAddr,
    pub own_ports: OwnPorts,
    in_flight: AtomicU32,
    idle: Mutex<Vec<(http1::SendRequest<Body>, Instant)>>,
    pub(super) multiplexed: tokio::sync::Mutex<Option<http2::SendRequest<Body>>>,
}

/// Servers close idle connections after as little as five seconds (Node); ours are given up before.
const IDLE_MAX: Duration = Duration::from_secs(3);

impl Endpoint {
    pub fn new(replica: String, port: u16, own_ports: OwnPorts) -> Arc<Endpoint> {
        Arc::new(Endpoint {
            replica,
            address: SocketAddr::from(([127, 0, 0, 1], port)),
            own_ports,
            in_flight: AtomicU32::new(0),
            idle: Mutex::default(),
            multiplexed: tokio::sync::Mutex::default(),
        })
    }

    /// Requests in it now.
    pub fn in_flight(&self) -> u32 {
        self.in_flight.load(Ordering::Acquire)
    }

    /// An open connection that was used before.
    pub fn take_idle(&self) -> Option<http1::SendRequest<Body>> {
        let mut idle = self.idle.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
        while let Some((sender, since)) = idle.pop() {
            if sender.is_ready() && since.elapsed() < IDLE_MAX {
                return Some(sender);
            }
        }
        None
    }

    /// Keeps a connection for the next request.
    pub fn keep_idle(&self, sender: http1::SendRequest<Body>) {
        let mut idle = self.idle.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
        idle.retain(|(sender, since)| !sender.is_closed() && since.elapsed() < IDLE_MAX);
        if idle.len() < 256 {
            idle.push((sender, Instant::now()));
        }
    }
}

/// One request's place in a replica; given back when dropped.
#[derive(Debug)]
pub(crate) struct Lease {
    pub endpoint: Arc<Endpoint>,
}

impl Drop for Lease {
    fn drop(&mut self) {
        self.endpoint.in_flight.fetch_sub(1, Ordering::AcqRel);
    }
}

/// What a request for a replica got.
pub(crate) enum Turn {
    /// This one.
    Go(Lease),
    /// None yet.
    Wait,
    /// The revision takes no traffic any more: ask the routes again.
    Retired,
}

/// Requests of a revision, counted since this local Azure started.
#[derive(Debug, Default)]
pub(crate) struct Counters {
    /// Answers by hundreds: `[1xx, 2xx, 3xx, 4xx, 5xx]`.
    pub answers: [AtomicU64; 5],
    /// Answers by time taken: below 1, 2, 4, … ms; the last one is all above.
    pub times: [AtomicU64; 18],
}

impl Counters {
    pub fn count(&self, status: u16, took: Duration) {
        let class = usize::from((status / 100).clamp(1, 5) - 1);
        self.answers[class].fetch_add(1, Ordering::Relaxed);
        let ms = took.as_millis().min(u128::from(u64::MAX)) as u64;
        let bucket = (u64::BITS - ms.leading_zeros()) as usize;
        self.times[bucket.min(self.times.len() - 1)].fetch_add(1, Ordering::Relaxed);
    }
}

/// The replicas of one revision that take traffic.
#[derive(Debug)]
pub(crate) struct Pool {
    pub revision: String,
    pub counters: Counters,
    /// Rung when somebody waits for a replica.
    pub demand: Notify,
    members: Mutex<Members>,
    version: watch::Sender<u64>,
    waiting: AtomicU32,
    arrived: AtomicBool,
}

#[derive(Debug, Default)]
struct Members {
    ready: Vec<Arc<Endpoint>>,
    /// Removed, but with requests still in them.
    leaving: Vec<Arc<Endpoint>>,
    next: usize,
    retired: bool,
}

impl Pool {
    pub fn new(revision: String) -> Arc<Pool> {
        Arc::new(Pool {
            revision,
            counters: Counters::default(),
            demand: Notify::new(),
            members: Mutex::default(),
            version: watch::Sender::new(0),
            waiting: AtomicU32::new(0),
            arrived: AtomicBool::new(false),
        })
    }

    fn members(&self) -> MutexGuard<'_, Members> {
        self.members.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
    }

    /// Adds a replica.
    pub fn add(&self, endpoint: Arc<Endpoint>) {
        let mut members = self.members();
        if !members.ready.iter().any(|other| other.replica == endpoint.replica) {
            members.ready.push(endpoint);
        }
        drop(members);
        self.version.send_modify(|version| *version += 1);
    }

    /// No new request goes to this replica from here on.
    pub fn remove(&self, replica: &str) {
        let mut members = self.members();
        if let Some(at) = members.ready.iter().position(|endpoint| endpoint.replica == replica) {
            let endpoint = members.ready.remove(at);
            members.leaving.push(endpoint);
        }
        members.leaving.retain(|endpoint| endpoint.in_flight() > 0);
    }

    /// No new request goes to this revision from here on; who waits is sent back to the routes.
    pub fn retire(&self) {
        let mut members = self.members();
        members.retired = true;
        let ready = std::mem::take(&mut members.ready);
        members.leaving.extend(ready);
        drop(members);
        self.version.send_modify(|version| *version += 1);
    }

    /// Requests in replicas and waiting for one.
    pub fn concurrent(&self) -> u32 {
        let members = self.members();
        let inside: u32 = members.ready.iter().map(|endpoint| endpoint.in_flight()).sum();
        inside + self.waiting.load(Ordering::Acquire)
    }

    /// Whether something arrived since this was last asked.
    pub fn take_arrived(&self) -> bool {
        self.arrived.swap(false, Ordering::AcqRel)
    }

    /// Takes a place in the replica with the fewest requests, or in `wanted` when that one is ready.
    pub fn turn(&self, wanted: Option<&str>) -> Turn {
        self.arrived.store(true, Ordering::Release);
        let mut members = self.members();
        if members.retired {
            return Turn::Retired;
        }
        if members.ready.is_empty() {
            return Turn::Wait;
        }
        let own =
            wanted.and_then(|wanted| members.ready.iter().position(|endpoint| endpoint.replica == wanted));
        let at = own.unwrap_or_else(|| {
            // Beginning at another one each time, so that idle replicas take turns.
            members.next = (members.next + 1) % members.ready.len();
            let count = members.ready.len();
            (0..count)
                .map(|step| (members.next + step) % count)
                .min_by_key(|&at| members.ready[at].in_flight())
                .unwrap_or(0)
        });
        let endpoint = members.ready[at].clone();
        // Under the lock: a replica that is removed after this is drained of this request too.
        endpoint.in_flight.fetch_add(1, Ordering::AcqRel);
        Turn::Go(Lease { endpoint })
    }

    /// As [`Pool::turn`], waiting up to `limit` for a replica. `None` when none came.
    pub async fn hold(&self, wanted: Option<&str>, limit: Duration) -> Option<Turn> {
        let mut version = self.version.subscribe();
        match self.turn(wanted) {
            Turn::Wait => {}
            turn => return Some(turn),
        }
        let _waiting = Waiting::new(&self.waiting);
        self.demand.notify_one();
        let waited = tokio::time::timeout(limit, async {
            loop {
                // Cannot fail: this pool has the sender.
                let _ = version.changed().await;
                match self.turn(wanted) {
                    Turn::Wait => {}
                    turn => return turn,
                }
            }
        });
        waited.await.ok()
    }
}

struct Waiting<'a>(&'a AtomicU32);

impl<'a> Waiting<'a> {
    fn new(count: &'a AtomicU32) -> Waiting<'a> {
        count.fetch_add(1, Ordering::AcqRel);
        Waiting(count)
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::AcqRel);
    }
}
