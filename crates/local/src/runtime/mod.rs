//! Runs what is deployed: images, processes, probes, scaling and ingress.
//!
//! It knows nothing of ARM, tokens or roles: it is told what should run
//! ([`Desired`]) through one trait, [`Platform`], and reports what it sees. In
//! reading order:
//!
//! - [`platform`]: what it needs from the rest of local Azure.
//! - `image`, `engine`, `sandbox`, `process`: from a reference in a registry to a program that runs in its own root
//!   folder, in a container of an engine or by this machine's own means.
//! - `replica`: one replica with its probes and restarts. `revision`: as many of them as there should be, and the
//!   verdict whether a revision works. `scaler`: how many that is.
//! - `trust`: whose certificates replicas take.
//! - `volumes`: folders that containers find at paths of their own.
//! - `sockets`: a replica's own ports, on a machine whose network all share.
//! - `job`: an execution of a job, from its image to its verdict.
//! - `pool`, [`proxy`]: from a host name to a replica that is ready.
//! - `tcp`: ports of apps that speak something else than HTTP.
//! - [`logs`]: what replicas write. [`status`]: what all this is doing.
//!
//! [`Runtime`] is the handle on all of it. Stated divergences from Azure: replicas have no network of their own, so
//! a port is another one on the machine where that has to be; where the kernel does not let us do that, each is told
//! a port of its own by `PORT` (and `CONTAINER_APP_PORT`), and a program that listens on the target port anyway is taken
//! as it is, with one replica. CPU and memory are not limited.

mod engine;
mod image;
mod job;
mod logs;
mod platform;
mod pool;
mod probe;
mod process;
mod proxy;
mod quickstart;
mod replica;
mod revision;
mod sandbox;
mod scaler;
mod sockets;
pub mod status;
mod tcp;
#[cfg(test)]
mod tests;
mod trust;
mod volumes;

use std::collections::{BTreeMap, BTreeSet};
use std::io::{self, Write};
use std::net::Ipv4Addr;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};
use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::{BodyExt, StreamBody};
use hyper::body::Frame;
use sha2::{Digest, Sha256};
use tokio::sync::{mpsc, oneshot};

pub use logs::{Line, Stream};
pub use platform::{Identity, Manifest, Platform, Pull, Refusal};
pub use proxy::{Body, BoxError, Door, Via};

pub use crate::world::container_apps::LogQuery;
use crate::world::container_apps::{ClientCertificates, Desired, HostCertificate, Observation, Run};
use logs::Logs;
use process::Nursery;
use proxy::{Route, Routes};
use replica::{Means, Rung};
use revision::{About, Holder, Order, Revision};

/// Where the runtime keeps its files, and its pace.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Unpacked images, replicas' private files, logs, and who runs.
    pub folder: PathBuf,
    /// Multiplies Azure's times.
    pub speed: f64,
    /// How long a revision may take to come up: ten minutes on Azure.
    pub patience: Duration,
    /// How long a right that is missing may still come: roles take a minute or three on Azure.
    pub consistency: Duration,
    /// How long a request is held for a replica.
    pub hold: Duration,
    /// How long a replica that takes no new requests may work on those it has.
    pub drain: Duration,
    /// Tells this local Azure from others on the machine, which may have environments of the same names.
    pub salt: u16,
    /// The certificate (PEM) of the authority behind local Azure's own names, for replicas to trust; empty: none.
    pub authority: Arc<str>,
}

impl Settings {
    /// Azure's times at this pace, none of them so short that real programs could not keep it.
    pub fn new(folder: PathBuf, speed: f64) -> Settings {
        let scaled =
            |seconds: f64, least: f64| Duration::from_secs_f64((seconds * speed).clamp(least, seconds));
        Settings {
            folder,
            speed,
            patience: scaled(600.0, 20.0),
            consistency: scaled(180.0, 4.0),
            hold: scaled(240.0, 60.0),
            drain: scaled(240.0, 20.0),
            salt: 0,
            authority: Arc::default(),
        }
    }
}

/// What all tasks of the runtime share.
pub(crate) struct Shared {
    platform: Arc<dyn Platform>,
    settings: Settings,
    images: image::Images,
    means: Means,
    logs: Logs,
    /// What the replicas of an environment can call by name, as lines of `/etc/hosts`, by its default domain.
    names: Mutex<BTreeMap<String, String>>,
    host_files: Mutex<Vec<HostFile>>,
    routes: RwLock<Arc<Routes>>,
    observations: mpsc::UnboundedSender<Observation>,
    fixed_ports: Mutex<BTreeMap<u16, Holder>>,
    given_ports: Mutex<Vec<u16>>,
    /// How far the clock was moved, in milliseconds.
    ahead_ms: AtomicU64,
    /// Turns of executions of jobs.
    jobs: tokio::sync::Semaphore,
}

impl std::fmt::Debug for Shared {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Shared").field("settings", &self.settings).finish_non_exhaustive()
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Shared {
    fn observe(&self, observation: Observation) {
        let _ = self.observations.send(observation);
    }

    fn fixed_ports(&self) -> MutexGuard<'_, BTreeMap<u16, Holder>> {
        lock(&self.fixed_ports)
    }

    /// The address on this machine at which an environment's apps reach each other: one of its own, so that it is seen
    /// that a request comes from within.
    fn address_of(&self, domain: &str) -> Ipv4Addr {
        let own = format!("{} {}", self.settings.salt, domain.to_ascii_lowercase());
        let digest = Sha256::digest(own.as_bytes());
        // Not the first of the block, where everybody else is.
        Ipv4Addr::new(127, 64 | (digest[0] & 63), digest[1], 1 + digest[2] % 254)
    }

    /// How far the clock was moved.
    fn ahead(&self) -> Duration {
        Duration::from_millis(self.ahead_ms.load(Ordering::Relaxed))
    }

    /// A port that nobody has, and that was not given to another replica just now.
    fn free_port(&self) -> Option<u16> {
        let mut given = lock(&self.given_ports);
        for _ in 0..64 {
            let port = std::net::TcpListener::bind("0.0.0.0:0").ok()?.local_addr().ok()?.port();
            if !given.contains(&port) {
                if given.len() >= 256 {
                    given.remove(0);
                }
                given.push(port);
                return Some(port);
            }
        }
        None
    }

    /// `/etc/hosts` of a replica.
    fn hosts(&self, domain: &str, replica: &str) -> String {
        let names = lock(&self.names).get(domain).cloned().unwrap_or_default();
        format!("127.0.0.1 localhost {replica}\n::1 localhost ip6-localhost\n{names}")
    }

    /// From here on the file is told of apps that come and go, until [`Shared::forget_hosts`].
    fn keep_hosts(&self, file: HostFile) {
        lock(&self.host_files).push(file);
    }

    fn forget_hosts(&self, replica: &str) {
        lock(&self.host_files).retain(|file| file.replica != replica);
    }

    /// Writes what has changed into the replicas' files, each in its place: they are open elsewhere.
    fn write_hosts(&self) {
        for file in lock(&self.host_files).iter_mut() {
            let text = self.hosts(&file.domain, &file.replica);
            if file.written.as_ref() != Some(&text)
                && let Ok(mut open) = std::fs::File::options().write(true).truncate(true).open(&file.path)
                && open.write_all(text.as_bytes()).is_ok()
            {
                file.written = Some(text);
            }
        }
    }

    fn routes(&self) -> Arc<Routes> {
        self.routes.read().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

/// A replica's `/etc/hosts`.
#[derive(Debug)]
struct HostFile {
    path: PathBuf,
    domain: String,
    replica: String,
    written: Option<String>,
}

/// What clients of an app meet before their first request.
#[derive(Clone, Debug, PartialEq)]
pub struct Edge {
    /// The environment's default domain.
    pub domain: String,
    /// What becomes of their certificates.
    pub client_certificates: ClientCertificates,
    /// What they are shown at a custom domain; `None`: a certificate for the name.
    pub certificate: Option<HostCertificate>,
}

enum Command {
    Report(oneshot::Sender<status::Status>),
    Kill { app: String, count: usize, answer: oneshot::Sender<usize> },
    Stop(oneshot::Sender<()>),
}

/// A handle on the running runtime. Clones are the same one.
#[derive(Clone, Debug)]
pub struct Runtime {
    shared: Arc<Shared>,
    commands: mpsc::UnboundedSender<Command>,
}

impl std::fmt::Debug for Command {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Command")
    }
}

impl Runtime {
    /// Ends what an earlier run left behind, finds out how programs can be kept apart here, and starts to make real
    /// what `platform` desires. Needs a tokio runtime.
    ///
    /// # Errors
    /// When its folder cannot be written.
    pub fn start(platform: Arc<dyn Platform>, settings: Settings) -> io::Result<Runtime> {
        Runtime::start_with(platform, settings, None)
    }

    fn start_with(
        platform: Arc<dyn Platform>,
        settings: Settings,
        rung: Option<Rung>,
    ) -> io::Result<Runtime> {
        let folder = &settings.folder;
        std::fs::create_dir_all(folder)?;
        let nursery = Nursery::start(folder.join("running"))?;
        image::remove_tree(&folder.join("replicas"));
        let rung = rung.unwrap_or_else(|| Rung::find(folder));
        tracing::info!(isolation = rung.describe(), "runtime starts");
        let means = Means {
            rung,
            nursery,
            speed: settings.speed,
            patience: settings.patience,
            authority: settings.authority.clone(),
        };
        let (observations, observed) = mpsc::unbounded_channel();
        let (commands, commanded) = mpsc::unbounded_channel();
        let shared = Arc::new(Shared {
            images: image::Images::new(folder.join("images"))?,
            logs: Logs::new(folder.join("logs")),
            platform,
            settings,
            means,
            names: Mutex::default(),
            host_files: Mutex::default(),
            routes: RwLock::default(),
            observations,
            fixed_ports: Mutex::default(),
            given_ports: Mutex::default(),
            ahead_ms: AtomicU64::new(0),
            jobs: tokio::sync::Semaphore::new(job::AT_ONCE),
        });
        tokio::spawn(report_all(shared.platform.clone(), observed));
        tokio::spawn(
            Supervisor {
                shared: shared.clone(),
                revisions: BTreeMap::new(),
                executions: BTreeMap::new(),
                doors: tcp::Doors::default(),
            }
            .run(commanded),
        );
        Ok(Runtime { shared, commands })
    }

    /// How replicas are kept apart from the machine, in one line.
    pub fn isolation(&self) -> String {
        self.shared.means.rung.describe()
    }

    /// Serves one request of the ingress.
    pub async fn serve<B>(&self, door: Door<'_>, request: Request<B>, via: Via) -> Response<Body>
    where
        B: hyper::body::Body<Data = Bytes> + Send + 'static,
        B::Error: Into<BoxError>,
    {
        proxy::serve(|| self.shared.routes(), self.shared.settings.hold, door, request, via).await
    }

    /// Apps that have an ingress: id in lower case and host name. What a plain port of its own is kept for.
    pub fn ingresses(&self) -> Vec<(String, String)> {
        self.shared.routes().apps.iter().map(|(id, route)| (id.clone(), route.ingress.fqdn.clone())).collect()
    }

    /// The id of the app that a host name leads to.
    pub fn app_at(&self, host: &str) -> Option<String> {
        self.shared.routes().id_of(host).map(str::to_owned)
    }

    /// The address at which an environment's apps reach each other, by its default domain.
    pub fn address_of(&self, domain: &str) -> Ipv4Addr {
        self.shared.address_of(domain)
    }

    /// What clients of a host name meet first; `None`: it is nobody's.
    pub fn edge(&self, host: &str) -> Option<Edge> {
        let routes = self.shared.routes();
        let (route, _) = routes.by_host(host)?;
        let wildcard = || Some(format!("*.{}", host.split_once('.')?.1));
        let certificates = &route.ingress.certificates;
        let certificate =
            certificates.get(host).or_else(|| wildcard().and_then(|name| certificates.get(&name)));
        Some(Edge {
            domain: route.domain.clone(),
            client_certificates: route.ingress.client_certificates,
            certificate: certificate.cloned(),
        })
    }

    /// What is running.
    pub async fn status(&self) -> status::Status {
        let (answer, answered) = oneshot::channel();
        let _ = self.commands.send(Command::Report(answer));
        answered.await.unwrap_or_else(|_| status::Status { isolation: String::new(), apps: Vec::new() })
    }

    /// Kills the processes of up to `count` replicas of an app, as a lost node would. Returns how many it were.
    pub async fn kill(&self, app: &str, count: usize) -> usize {
        let (answer, answered) = oneshot::channel();
        let _ = self.commands.send(Command::Kill { app: app.to_ascii_lowercase(), count, answer });
        answered.await.unwrap_or(0)
    }

    /// A log as `az containerapp logs show` reads it: one line each, JSON or text.
    pub fn logs(&self, query: &LogQuery) -> Response<Body> {
        let logs: Vec<_> = if query.system {
            vec![(String::new(), self.shared.logs.system(&query.app))]
        } else {
            let fits = |wanted: &Option<String>, is: &str| {
                wanted.as_ref().is_none_or(|wanted| wanted.eq_ignore_ascii_case(is))
            };
            let found = self.shared.logs.find(|named| {
                named.app == query.app
                    && fits(&query.revision, &named.revision)
                    && fits(&query.replica, &named.replica)
                    && fits(&query.container, &named.container)
            });
            // With nobody to follow, the youngest that ended says most.
            let alive: Vec<_> = found.iter().filter(|named| !named.ended).collect();
            let chosen = if alive.is_empty() || query.replica.is_some() {
                found.iter().rev().take(1).collect()
            } else {
                alive
            };
            chosen
                .iter()
                .map(|named| (format!("{} {}", named.replica, named.container), named.log.clone()))
                .collect()
        };
        let json = query.json;
        let mut head = Vec::new();
        if !query.system
            && let (Some(replica), Some(container)) = (&query.replica, &query.container)
        {
            head.push(write_line(
                json,
                jiff::Timestamp::now(),
                &format!("Connecting to the container '{container}'..."),
            ));
            let revision = query.revision.as_deref().unwrap_or_default();
            head.push(write_line(
                json,
                jiff::Timestamp::now(),
                &format!("Successfully Connected to container: '{container}' [Revision: '{revision}', Replica: '{replica}']"),
            ));
        }
        let mut before = Vec::new();
        let mut live = Vec::new();
        for (_, log) in logs {
            let (lines, receiver) = log.follow(query.tail);
            before.extend(lines);
            live.push((log, receiver));
        }
        before.sort_by_key(|line| line.at);
        let skip = before.len().saturating_sub(query.tail);
        head.extend(before[skip..].iter().map(|line| write_line(json, line.at, &line.text)));

        let (sender, receiver) = mpsc::channel::<Bytes>(64);
        if query.follow {
            for (log, mut lines) in live {
                let sender = sender.clone();
                tokio::spawn(async move {
                    let _log = log;
                    loop {
                        match lines.recv().await {
                            Ok(line) => {
                                if sender.send(write_line(json, line.at, &line.text)).await.is_err() {
                                    return;
                                }
                            }
                            Err(tokio::sync::broadcast::error::RecvError::Lagged(_)) => {}
                            Err(tokio::sync::broadcast::error::RecvError::Closed) => return,
                        }
                    }
                });
            }
        }
        drop(sender);
        let later = futures::stream::unfold(receiver, |mut receiver| async {
            Some((receiver.recv().await?, receiver))
        });
        let stream = futures::StreamExt::chain(futures::stream::iter(head), later);
        let frames = futures::StreamExt::map(stream, |bytes| Ok::<_, BoxError>(Frame::data(bytes)));
        let mut answer = Response::new(StreamBody::new(frames).boxed_unsync());
        answer
            .headers_mut()
            .insert("content-type", http::HeaderValue::from_static("text/plain; charset=utf-8"));
        answer
    }

    /// Ends all replicas with a short grace, and returns when none is left.
    pub async fn stop(&self) {
        let (answer, answered) = oneshot::channel();
        let _ = self.commands.send(Command::Stop(answer));
        let _ = answered.await;
    }
}

/// What can be called by name from each environment: its own apps by name and host name, others' by host name when
/// they are reachable from outside, and Azure's own services, whose names few C libraries look up by themselves.
fn names(shared: &Shared, desired: &Desired) -> BTreeMap<String, String> {
    let mut names: BTreeMap<String, String> =
        desired.apps.iter().map(|app| (app.domain.clone(), String::new())).collect();
    names.extend(desired.runs.iter().map(|run| (run.domain.clone(), String::new())));
    for (domain, text) in &mut names {
        for app in &desired.apps {
            let Some(ingress) = &app.ingress else { continue };
            let address = shared.address_of(&app.domain);
            if app.domain == *domain {
                text.push_str(&format!("{address} {} {}", app.name, ingress.fqdn));
            } else if ingress.external {
                text.push_str(&format!("{address} {}", ingress.fqdn));
            } else {
                continue;
            }
            // Labels, revisions and custom domains.
            for host in ingress.hosts.keys().filter(|host| !host.starts_with('*')) {
                text.push(' ');
                text.push_str(host);
            }
            text.push('\n');
        }
        if !desired.services.is_empty() {
            text.push_str(&format!("127.0.0.1 {}\n", desired.services.join(" ")));
        }
    }
    names
}

/// `{"TimeStamp":"…","Log":"…"}` or the text alone, as Azure's log stream writes lines.
fn write_line(json: bool, at: jiff::Timestamp, text: &str) -> Bytes {
    let at = at.strftime("%Y-%m-%dT%H:%M:%S%.5f").to_string();
    if json {
        format!("{}\n", serde_json::json!({"TimeStamp": at, "Log": text})).into()
    } else {
        format!("{at} {text}\n").into()
    }
}

/// Tells the world what was seen, in order.
async fn report_all(platform: Arc<dyn Platform>, mut observed: mpsc::UnboundedReceiver<Observation>) {
    while let Some(observation) = observed.recv().await {
        let platform = platform.clone();
        let told = tokio::task::spawn_blocking(move || platform.observe(observation)).await;
        if let Err(error) = told {
            tracing::error!(%error, "an observation was lost");
        }
    }
}

/// Owns the revisions' tasks; makes them follow what is desired.
struct Supervisor {
    shared: Arc<Shared>,
    /// By app id and revision name.
    revisions: BTreeMap<(String, String), Revision>,
    /// By job id and execution name.
    executions: BTreeMap<(String, String), job::Execution>,
    doors: tcp::Doors,
}

impl Supervisor {
    async fn run(mut self, mut commands: mpsc::UnboundedReceiver<Command>) {
        let platform = self.shared.platform.clone();
        loop {
            let asked = platform.clone();
            match tokio::task::spawn_blocking(move || asked.desired()).await {
                Ok(desired) => {
                    self.follow(desired);
                    platform.followed();
                }
                Err(error) => tracing::error!(%error, "cannot tell what should run"),
            }
            let again = async {
                let _ = tokio::time::timeout(Duration::from_secs(1), platform.changed()).await;
                // Changes come in bursts.
                tokio::time::sleep(Duration::from_millis(2)).await;
            };
            tokio::pin!(again);
            loop {
                tokio::select! {
                    () = &mut again => break,
                    command = commands.recv() => match command {
                        Some(Command::Stop(answer)) => {
                            self.stop().await;
                            let _ = answer.send(());
                            return;
                        }
                        None => return self.stop().await,
                        Some(Command::Report(answer)) => {
                            let _ = answer.send(self.report().await);
                        }
                        Some(Command::Kill { app, count, answer }) => {
                            let _ = answer.send(self.kill(&app, count).await);
                        }
                    }
                }
            }
        }
    }

    /// Starts executions of jobs, and ends those that are wanted no more.
    fn follow_runs(&mut self, runs: Vec<Run>) {
        let mut wanted = BTreeSet::new();
        for run in runs {
            let key = (run.job.clone(), run.execution.clone());
            match self.executions.get(&key) {
                Some(execution) => {
                    execution.run.send_if_modified(|known| {
                        let changed = **known != run;
                        if changed {
                            *known = Arc::new(run);
                        }
                        changed
                    });
                }
                None => {
                    let execution = job::Execution::start(self.shared.clone(), run);
                    self.executions.insert(key.clone(), execution);
                }
            }
            wanted.insert(key);
        }
        self.executions.retain(|key, execution| {
            let stays = wanted.contains(key);
            if !stays {
                let _ = execution.stop.send(true);
            }
            stays
        });
    }

    fn follow(&mut self, mut desired: Desired) {
        self.follow_runs(std::mem::take(&mut desired.runs));
        let ahead_ms = u64::try_from(desired.ahead.as_millis()).unwrap_or(u64::MAX);
        self.shared.ahead_ms.store(ahead_ms, Ordering::Relaxed);
        *lock(&self.shared.names) = names(&self.shared, &desired);
        self.shared.write_hosts();

        let mut wanted = BTreeSet::new();
        let mut routes = Routes::default();
        for app in desired.apps {
            let mut pools = BTreeMap::new();
            for workload in &app.revisions {
                let key = (app.id.clone(), workload.revision.clone());
                let mut own = app.clone();
                own.revisions.clear();
                let about = About { app: own, workload: workload.clone() };
                let revision = self
                    .revisions
                    .entry(key.clone())
                    .or_insert_with(|| Revision::start(self.shared.clone(), about.clone()));
                if revision.about != about {
                    revision.about = about.clone();
                    let _ = revision.orders.send(Order::Update(Box::new(about)));
                }
                pools.insert(workload.revision.clone(), revision.pool.clone());
                wanted.insert(key);
            }
            if let Some(ingress) = app.ingress {
                routes.hosts.insert(ingress.fqdn.to_ascii_lowercase(), (app.id.clone(), None));
                for (host, revision) in &ingress.hosts {
                    routes.hosts.insert(host.to_ascii_lowercase(), (app.id.clone(), revision.clone()));
                }
                let route = Route { ingress, name: app.name, domain: app.domain.to_ascii_lowercase(), pools };
                routes.apps.insert(app.id.clone(), route);
            }
        }
        self.doors.follow(&self.shared, &routes);
        // First the routes, then the end of what they no longer lead to: no request finds a closed door.
        *self.shared.routes.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(routes);
        self.revisions.retain(|key, revision| {
            let stays = wanted.contains(key);
            if !stays {
                // Before the task gets to it: from here on no request may wait for it.
                revision.pool.retire();
                let _ = revision.orders.send(Order::Retire(None));
            }
            stays
        });
    }

    async fn report(&self) -> status::Status {
        let mut apps: BTreeMap<String, status::App> = BTreeMap::new();
        for ((id, _), revision) in &self.revisions {
            let (answer, answered) = oneshot::channel();
            let _ = revision.orders.send(Order::Report(answer));
            let Ok(reported) = answered.await else { continue };
            let app = apps.entry(id.clone()).or_insert_with(|| status::App {
                id: id.clone(),
                name: revision.about.app.name.clone(),
                fqdn: revision.about.app.ingress.as_ref().map(|ingress| ingress.fqdn.clone()),
                traffic: revision
                    .about
                    .app
                    .ingress
                    .as_ref()
                    .map(|ingress| ingress.traffic.clone())
                    .unwrap_or_default(),
                revisions: Vec::new(),
            });
            app.revisions.push(reported);
        }
        status::Status { isolation: self.shared.means.rung.describe(), apps: apps.into_values().collect() }
    }

    async fn kill(&self, app: &str, count: usize) -> usize {
        let mut killed = 0;
        for ((id, _), revision) in &self.revisions {
            if id == app && killed < count {
                let (answer, answered) = oneshot::channel();
                let _ = revision.orders.send(Order::Kill(count - killed, answer));
                killed += answered.await.unwrap_or(0);
            }
        }
        killed
    }

    async fn stop(&mut self) {
        *self.shared.routes.write().unwrap_or_else(PoisonError::into_inner) = Arc::default();
        for execution in std::mem::take(&mut self.executions).into_values() {
            let _ = execution.stop.send(true);
            let _ = tokio::time::timeout(Duration::from_secs(5), execution.task).await;
        }
        let revisions = std::mem::take(&mut self.revisions);
        for revision in revisions.values() {
            revision.pool.retire();
            // Ctrl-C at a terminal should not take half a minute.
            let _ = revision.orders.send(Order::Retire(Some(Duration::from_secs(3))));
        }
        for revision in revisions.into_values() {
            let _ = tokio::time::timeout(Duration::from_secs(10), revision.task).await;
        }
    }
}
