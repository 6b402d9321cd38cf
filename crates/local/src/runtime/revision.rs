//! One active revision: a task that pulls its images, keeps as many replicas as it should have, and judges whether
//! it works.
//!
//! ```text
//!  supervisor ── Order ──▶ revision ── Stop ──▶ replica (a task each)
//!                             ▲  │                  │
//!                             │  └─▶ Pool ◀─ ingress │
//!                             └────── Told ─────────┘
//! ```
//! The verdict is given once: `Ready` when as many replicas as it needs passed their probes, `Failed` when it is out of
//! time, its image cannot be pulled, a secret has no value, or its containers keep ending. Afterwards containers are
//! started again for as long as the revision is wanted.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::{mpsc, oneshot, watch};
use tokio::task::JoinHandle;

use super::image::{self, Image};
use super::logs::{Log, Stream};
use super::platform::{Identity, Pull, Refusal};
use super::pool::{Endpoint, Pool};
use super::replica::{self, Plan, Ports, Program, Stop, Tale, Told, add_missing};
use super::scaler::{self, Scaler, Seen as Load};
use super::sockets::OwnPorts;
use super::{HostFile, Shared, status, volumes};
use crate::world::container_apps::{App, Container, Observation, Seen, Workload};

/// How often a container may end before its revision is given up.
const ENDS_MAX: u32 = 3;
/// Lines of a failed container's log that its message carries.
const LINES: usize = 20;

/// What a revision's task is told.
#[derive(Debug)]
pub(crate) enum Order {
    /// How it should be now.
    Update(Box<About>),
    /// End all replicas, then the task. The grace period is at most this.
    Retire(Option<Duration>),
    /// Kill the processes of so many replicas, as a lost node would.
    Kill(usize, oneshot::Sender<usize>),
    /// Another revision of the app needs the port that this one's only replica has: end it, answer, and wait.
    Yield(oneshot::Sender<()>),
    /// The other revision failed: go on.
    Resume,
    /// What it is doing.
    Report(oneshot::Sender<status::Revision>),
}

/// What a revision should be, and what it needs to know of its app.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct About {
    pub app: App,
    pub workload: Workload,
}

/// A handle on a revision's task.
#[derive(Debug)]
pub(crate) struct Revision {
    pub about: About,
    pub pool: Arc<Pool>,
    pub orders: mpsc::UnboundedSender<Order>,
    pub task: JoinHandle<()>,
}

impl Revision {
    /// Starts its task.
    pub fn start(shared: Arc<Shared>, about: About) -> Revision {
        let pool = Pool::new(about.workload.revision.clone());
        let (orders, received) = mpsc::unbounded_channel();
        let own = orders.clone();
        let task = tokio::spawn(Task::new(shared, about.clone(), pool.clone(), own).run(received));
        Revision { about, pool, orders, task }
    }
}

/// Which revision's replica listens on a port that it chose itself.
#[derive(Clone, Debug)]
pub(crate) struct Holder {
    pub app: String,
    pub revision: String,
    pub orders: mpsc::UnboundedSender<Order>,
}

struct Replica {
    epoch: u64,
    ports: Option<Ports>,
    own_ports: OwnPorts,
    containers: Vec<bool>,
    endpoint: Option<Arc<Endpoint>>,
    restarts: u32,
    /// Outermost process by container.
    pids: BTreeMap<usize, u32>,
    stop: watch::Sender<Stop>,
    leaving: Option<String>,
    since: jiff::Timestamp,
}

#[derive(Debug, PartialEq)]
enum Verdict {
    Open { since: Instant },
    Works,
    Failed(String),
}

enum Pulled {
    Not,
    Underway,
    Here(Vec<Program>),
    Refused { why: (String, String), lasting: bool, at: Instant },
}

/// What the containers run; or Azure's code and words, and whether time will not help.
pub(crate) type PullResult = Result<Vec<Program>, ((String, String), bool)>;

struct Task {
    shared: Arc<Shared>,
    about: About,
    pool: Arc<Pool>,
    orders: mpsc::UnboundedSender<Order>,
    tales: (mpsc::UnboundedSender<Tale>, mpsc::UnboundedReceiver<Tale>),
    pulls: (mpsc::UnboundedSender<PullResult>, mpsc::UnboundedReceiver<PullResult>),
    begun: Instant,
    pulled: Pulled,
    replicas: BTreeMap<String, Replica>,
    scaler: Scaler,
    wanted: u32,
    verdict: Verdict,
    /// Times a container ended before the verdict.
    ends: u32,
    trouble: Option<String>,
    /// Its program listens on the target port itself, so there can be one replica.
    fixed: bool,
    yielded: bool,
    yielding: Option<oneshot::Sender<()>>,
    took_from: Option<mpsc::UnboundedSender<Order>>,
    retiring: bool,
    grace: Option<Duration>,
    meter: Meter,
}

/// What the replicas use, measured about once a second.
#[derive(Debug, Default)]
struct Meter {
    at: Option<Instant>,
    /// Seconds of processors so far, by outermost process.
    seconds: BTreeMap<u32, f64>,
    /// Replicas that processors and memory ask for.
    replicas: u32,
}

impl Task {
    fn new(shared: Arc<Shared>, about: About, pool: Arc<Pool>, orders: mpsc::UnboundedSender<Order>) -> Task {
        let verdict =
            if about.workload.proven { Verdict::Works } else { Verdict::Open { since: Instant::now() } };
        // A revision that shall scale to zero is started once, to see whether it can.
        let first =
            if about.workload.proven { about.workload.scale.min } else { about.workload.scale.min.max(1) };
        let stabilization = Duration::from_secs_f64((300.0 * shared.settings.speed).clamp(5.0, 300.0));
        Task {
            shared,
            about,
            pool,
            orders,
            tales: mpsc::unbounded_channel(),
            pulls: mpsc::unbounded_channel(),
            begun: Instant::now(),
            pulled: Pulled::Not,
            replicas: BTreeMap::new(),
            scaler: Scaler::new(first, stabilization),
            wanted: first,
            verdict,
            ends: 0,
            trouble: None,
            fixed: false,
            yielded: false,
            yielding: None,
            took_from: None,
            retiring: false,
            grace: None,
            meter: Meter::default(),
        }
    }

    async fn run(mut self, mut orders: mpsc::UnboundedReceiver<Order>) {
        self.observe(Seen::Began);
        let mut tick = tokio::time::interval(Duration::from_millis(200));
        tick.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        let pool = self.pool.clone();
        loop {
            tokio::select! {
                order = orders.recv() => match order {
                    Some(order) => self.obey(order),
                    None => self.retire(None),
                },
                Some(tale) = self.tales.1.recv() => self.hear(tale),
                Some(pulled) = self.pulls.1.recv() => self.pulled = match pulled {
                    Ok(programs) => Pulled::Here(programs),
                    Err((why, lasting)) => Pulled::Refused { why, lasting, at: Instant::now() },
                },
                () = pool.demand.notified() => {}
                _ = tick.tick() => {}
            }
            self.step();
            if self.retiring && self.replicas.is_empty() {
                return;
            }
        }
    }

    fn obey(&mut self, order: Order) {
        match order {
            Order::Update(about) => {
                let restarted = about.workload.epoch != self.about.workload.epoch;
                self.about = *about;
                if restarted {
                    self.verdict = if self.about.workload.proven {
                        Verdict::Works
                    } else {
                        Verdict::Open { since: Instant::now() }
                    };
                    (self.ends, self.trouble, self.pulled) = (0, None, Pulled::Not);
                }
            }
            Order::Retire(grace) => self.retire(grace),
            Order::Kill(count, answer) => {
                let running = self
                    .replicas
                    .values()
                    .filter(|replica| replica.leaving.is_none() && !replica.pids.is_empty());
                let victims: Vec<_> = running.take(count).collect();
                victims
                    .iter()
                    .flat_map(|replica| replica.pids.values())
                    .for_each(|pid| super::process::end_tree(*pid));
                let _ = answer.send(victims.len());
            }
            Order::Yield(answer) => {
                self.yielded = true;
                self.yielding = Some(answer);
            }
            Order::Resume => self.yielded = false,
            Order::Report(answer) => {
                let _ = answer.send(self.report());
            }
        }
    }

    fn retire(&mut self, grace: Option<Duration>) {
        self.retiring = true;
        self.grace = grace.or(self.grace);
        self.pool.retire();
        if let Some(old) = self.took_from.take() {
            let _ = old.send(Order::Resume);
        }
    }

    /// Brings replicas to what they should be, and gives the verdict when it is time.
    fn step(&mut self) {
        let why = if self.retiring {
            Some("The revision was deactivated.")
        } else if self.yielded {
            Some("Another revision needs its port.")
        } else if matches!(self.verdict, Verdict::Failed(_)) {
            Some("The revision failed.")
        } else {
            None
        };
        if let Some(why) = why {
            let names: Vec<String> = self.replicas.keys().cloned().collect();
            names.iter().for_each(|name| self.end(name, why));
            if self.replicas.is_empty()
                && let Some(answer) = self.yielding.take()
            {
                let _ = answer.send(());
            }
            return;
        }
        let Some(programs) = self.programs() else { return self.judge() };
        let proven = !matches!(self.verdict, Verdict::Open { .. });
        if proven {
            self.measure();
        }
        let workload = &self.about.workload;
        let load = Load {
            concurrent: self.pool.concurrent(),
            arrived: self.pool.take_arrived(),
            by_resources: self.meter.replicas,
            single: self.fixed,
        };
        let before = self.wanted;
        self.wanted = if proven {
            self.scaler.turn(self.begun.elapsed() + self.shared.ahead(), &workload.scale, load)
        } else {
            self.needed()
        };
        if self.wanted != before && proven {
            let text =
                format!("Scaled revision {} from {before} to {} replicas.", workload.revision, self.wanted);
            self.log().add(Stream::System, &text);
            self.observe(Seen::Scaled { replicas: self.wanted });
        }
        let epoch = self.about.workload.epoch;
        let of = |task: &Task, current: bool| -> Vec<String> {
            let mut names: Vec<_> = task
                .replicas
                .iter()
                .filter(|(_, r)| r.leaving.is_none() && (r.epoch == epoch) == current)
                .collect();
            // Those that do not work go first, then the youngest.
            names.sort_by_key(|(_, r)| (r.endpoint.is_some(), std::cmp::Reverse(r.since)));
            names.into_iter().map(|(name, _)| name.clone()).collect()
        };
        let (current, outdated) = (of(self, true), of(self, false));
        let ready = current.iter().filter(|name| self.is_ready(name)).count();
        if !outdated.is_empty() && (self.fixed || ready >= self.wanted as usize) {
            outdated.iter().for_each(|name| self.end(name, "The revision was restarted."));
        }
        let ports_free = !self.fixed || self.replicas.is_empty();
        for _ in current.len()..self.wanted as usize {
            if ports_free {
                self.begin(&programs);
            }
        }
        for name in current.iter().take(current.len().saturating_sub(self.wanted as usize)) {
            self.end(name, "Scaled in.");
        }
        self.judge();
    }

    /// Looks at what the replicas use, when a rule is about that.
    fn measure(&mut self) {
        let (cpu, memory) = (self.about.workload.scale.cpu, self.about.workload.scale.memory);
        if cpu.is_none() && memory.is_none() {
            self.meter = Meter::default();
            return;
        }
        let now = Instant::now();
        let passed = self.meter.at.map(|at| now.duration_since(at));
        if passed.is_some_and(|passed| passed < Duration::from_secs(1)) {
            return;
        }
        let ready = self.replicas.keys().filter(|name| self.is_ready(name)).count();
        let (mut seconds, mut cores, mut mebibytes) = (BTreeMap::new(), 0.0, 0.0);
        for pid in self.replicas.values().filter(|it| it.leaving.is_none()).flat_map(|it| it.pids.values()) {
            let (used, memory) = super::process::usage(*pid);
            if let (Some(before), Some(passed)) = (self.meter.seconds.get(pid), passed) {
                cores += (used - before).max(0.0) / passed.as_secs_f64();
            }
            seconds.insert(*pid, used);
            mebibytes += memory;
        }
        let containers = &self.about.workload.containers;
        let request = containers.iter().map(|it| f64::from(it.cpu_millicores)).sum::<f64>() / 1000.0;
        let room = containers.iter().map(|it| it.memory_mib as f64).sum::<f64>();
        let running = u32::try_from(ready).unwrap_or(u32::MAX);
        let by_cpu = cpu.map(|target| scaler::by_usage(running, cores, request, target));
        let by_memory = memory.map(|target| scaler::by_usage(running, mebibytes, room, target));
        let replicas = by_cpu.unwrap_or(0).max(by_memory.unwrap_or(0));
        self.meter = Meter { at: Some(now), seconds, replicas };
    }

    /// How many ready replicas the verdict takes.
    fn needed(&self) -> u32 {
        if self.fixed { 1 } else { self.about.workload.scale.min.max(1) }
    }

    fn is_ready(&self, name: &str) -> bool {
        self.replicas
            .get(name)
            .is_some_and(|replica| replica.leaving.is_none() && replica.containers.iter().all(|ready| *ready))
    }

    /// What the containers run, once images are here and secrets have values.
    fn programs(&mut self) -> Option<Vec<Program>> {
        let again = Duration::from_millis(500);
        let unresolved = containers(&self.about.workload).find_map(|container| container.env.as_ref().err());
        if let Some(unresolved) = unresolved.cloned() {
            if unresolved.lasting || self.begun_waiting().elapsed() > self.shared.settings.consistency {
                self.fail(unresolved.code, unresolved.message);
            } else {
                self.trouble = Some(unresolved.message);
            }
            return None;
        }
        match &self.pulled {
            Pulled::Here(programs) => return Some(programs.clone()),
            Pulled::Underway => return None,
            Pulled::Refused { why, lasting, at } => {
                let (why, lasting, waited) = (why.clone(), *lasting, at.elapsed());
                if lasting || self.begun_waiting().elapsed() > self.shared.settings.consistency {
                    self.fail(why.0, why.1);
                    // A revision that worked before goes on trying.
                    if waited < Duration::from_secs(5) || matches!(self.verdict, Verdict::Failed(_)) {
                        return None;
                    }
                } else if waited < again {
                    return None;
                }
            }
            Pulled::Not => {
                self.log().add(
                    Stream::System,
                    &format!("Pulling the images of revision {}.", self.about.workload.revision),
                );
            }
        }
        self.pulled = Pulled::Underway;
        let (shared, about, done) = (self.shared.clone(), self.about.clone(), self.pulls.0.clone());
        tokio::task::spawn_blocking(move || {
            let _ = done.send(pull(&shared, &about));
        });
        None
    }

    fn begun_waiting(&self) -> Instant {
        match self.verdict {
            Verdict::Open { since } => since,
            _ => self.begun,
        }
    }

    fn begin(&mut self, programs: &[Program]) {
        let (app, workload) = (&self.about.app, &self.about.workload);
        let hash = image::short_hash(&format!("{}/{}", app.id, workload.revision));
        let name = format!("{}-{hash}-{}", workload.revision, random_word(5));
        let quick = |program: &Program| matches!(program, Program::Quickstart);
        let main_is_ours = quick(&programs[workload.init.len()]);
        let target = app.ingress.as_ref().and_then(|ingress| ingress.target_port).filter(|_| !main_is_ours);
        let free = app.ingress.as_ref().and_then(|_| self.shared.free_port());
        let settled = target.zip(free).filter(|_| self.shared.means.rung.own_ports());
        let own_ports = OwnPorts::new(settled);
        let own = settled.map(|(target, _)| target).or(free);
        let ports = own.map(|own| Ports { own, target });
        let identity = self.shared.platform.identity(&app.id);
        let folder = self.shared.settings.folder.join("replicas").join(&name);
        let shares = self.shared.settings.folder.join("shares");
        let plan = |place: usize, container: &Container, main: bool| -> Plan {
            let mut env: Vec<(String, String)> = container.env.clone().unwrap_or_default();
            let ports = ports.filter(|_| main);
            let mut built_in = vec![
                ("CONTAINER_APP_NAME", app.name.clone()),
                ("CONTAINER_APP_REVISION", workload.revision.clone()),
                ("CONTAINER_APP_REPLICA_NAME", name.clone()),
                ("CONTAINER_APP_ENV_DNS_SUFFIX", app.domain.clone()),
                ("CONTAINER_APP_HOSTNAME", format!("{}.{}", workload.revision, app.domain)),
            ];
            if let Some(ports) = ports {
                let own = ports.own.to_string();
                built_in.push(("CONTAINER_APP_PORT", own.clone()));
                // A value that only repeats the target port gives way; any other is the app's own business.
                let target = ports.target.map(|target| target.to_string());
                match env.iter_mut().find(|(known, _)| known == "PORT") {
                    Some((_, value)) if Some(&*value) == target.as_ref() => *value = own,
                    Some(_) => {}
                    None => built_in.push(("PORT", own)),
                }
            }
            built_in.extend(identity.iter().flat_map(Identity::variables));
            add_missing(&mut env, built_in);
            Plan {
                name: container.name.clone(),
                program: programs[place].clone(),
                command: container.command.clone(),
                args: container.args.clone(),
                env,
                probes: container.probes.clone(),
                port: ports,
                own_ports: own_ports.clone(),
                memory_mib: container.memory_mib,
                scratch: folder.join(&container.name),
                hosts: self.shared.hosts(&app.domain, &name),
                mounts: volumes::mounts(container, &workload.volumes, &folder, &shares),
                log: self.shared.logs.open(&app.id, &workload.revision, &name, &container.name),
            }
        };
        let init: Vec<Plan> = workload
            .init
            .iter()
            .enumerate()
            .map(|(place, container)| plan(place, container, false))
            .collect();
        let containers: Vec<Plan> = workload
            .containers
            .iter()
            .enumerate()
            .map(|(place, container)| plan(workload.init.len() + place, container, place == 0))
            .collect();
        for plan in init.iter().chain(&containers) {
            if let Some(path) = self.shared.means.rung.hosts_file(&plan.scratch) {
                let (domain, replica) = (app.domain.clone(), name.clone());
                self.shared.keep_hosts(HostFile { path, domain, replica, written: None });
            }
        }
        let (stop, stopped) = watch::channel(Stop::Run);
        let record = Replica {
            epoch: workload.epoch,
            ports,
            own_ports: own_ports.clone(),
            containers: vec![false; containers.len()],
            endpoint: None,
            restarts: 0,
            pids: BTreeMap::new(),
            stop,
            leaving: None,
            since: jiff::Timestamp::now(),
        };
        self.log().add(Stream::System, &format!("Created replica {name}."));
        let run = replica::run(
            name.clone(),
            self.shared.means.clone(),
            init,
            containers,
            self.tales.0.clone(),
            stopped,
        );
        tokio::spawn(run);
        self.replicas.insert(name.clone(), record);
        self.observe(Seen::ReplicaStarted { replica: name });
    }

    /// Takes a replica out of traffic, waits for its last request, then ends it.
    fn end(&mut self, name: &str, why: &str) {
        let grace = self.grace.unwrap_or(self.about.workload.grace);
        let hurry = self.grace.is_some();
        let Some(replica) = self.replicas.get_mut(name).filter(|replica| replica.leaving.is_none()) else {
            return;
        };
        replica.leaving = Some(why.to_owned());
        self.pool.remove(name);
        let (endpoint, stop) = (replica.endpoint.take(), replica.stop.clone());
        let drain = if hurry { Duration::from_millis(500) } else { self.shared.settings.drain };
        tokio::spawn(async move {
            let limit = Instant::now() + drain;
            while endpoint.as_ref().is_some_and(|endpoint| endpoint.in_flight() > 0) && Instant::now() < limit
            {
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
            let _ = stop.send(Stop::Within(grace));
        });
    }

    fn hear(&mut self, (name, place, told): Tale) {
        let main = place == 0;
        let target = self.about.app.ingress.as_ref().and_then(|ingress| ingress.target_port);
        let Some(replica) = self.replicas.get_mut(&name) else { return };
        match told {
            Told::Started(pid) => {
                if let Some(pid) = pid {
                    replica.pids.insert(place, pid);
                }
            }
            Told::Ready(port) => {
                if let Some(ready) = replica.containers.get_mut(place) {
                    *ready = true;
                }
                if main && let Some(port) = port {
                    if replica.ports.is_some_and(|ports| ports.own != port && ports.target == Some(port)) {
                        self.fixed = true;
                        let holder = Holder {
                            app: self.about.app.id.clone(),
                            revision: self.about.workload.revision.clone(),
                            orders: self.orders.clone(),
                        };
                        self.shared.fixed_ports().insert(port, holder);
                    }
                    replica
                        .endpoint
                        .get_or_insert_with(|| Endpoint::new(name.clone(), port, replica.own_ports.clone()));
                }
                if replica.leaving.is_none() && replica.containers.iter().all(|ready| *ready) {
                    if let Some(endpoint) = &replica.endpoint {
                        self.pool.add(endpoint.clone());
                    }
                    self.log().add(Stream::System, &format!("Replica {name} is ready."));
                    self.observe(Seen::ReplicaReady { replica: name });
                }
            }
            Told::Unready(why) => self.unready(&name, place, why),
            Told::Waiting(why) => {
                self.trouble = Some(why);
                self.want_port(target);
            }
            Told::Misplaced(why) => {
                if !self.want_port(target) {
                    self.give_up(&why);
                }
            }
            Told::Ended(why) => {
                let leaving = replica.leaving.is_some();
                replica.restarts += 1;
                replica.endpoint = None;
                replica.pids.remove(&place);
                let yielding = self.want_port(target);
                self.unready(&name, place, why.clone());
                self.log().add(Stream::System, &format!("{why} (replica {name})"));
                if !leaving && !yielding && !self.fixed {
                    self.trouble = Some(why.clone());
                    self.ends += 1;
                    if self.ends >= ENDS_MAX && matches!(self.verdict, Verdict::Open { .. }) {
                        self.give_up(&why);
                    }
                }
            }
            Told::Gone => {
                self.shared.forget_hosts(&name);
                let why = self.replicas.remove(&name).and_then(|replica| replica.leaving).unwrap_or_default();
                self.pool.remove(&name);
                if self.replicas.is_empty() {
                    let own = &self.about.workload.revision;
                    self.shared
                        .fixed_ports()
                        .retain(|_, holder| holder.revision != *own || holder.app != self.about.app.id);
                }
                self.log().add(Stream::System, &format!("Replica {name} has ended. {why}"));
                self.shared.logs.ended(&name);
                self.observe(Seen::ReplicaEnded { replica: name, why });
            }
        }
    }

    fn unready(&mut self, name: &str, place: usize, why: String) {
        self.pool.remove(name);
        let Some(replica) = self.replicas.get_mut(name) else { return };
        if let Some(ready) = replica.containers.get_mut(place) {
            *ready = false;
        }
        let restarts = replica.restarts;
        self.observe(Seen::ReplicaUnready { replica: name.to_owned(), why, restarts });
    }

    /// Whether the target port, which this revision's program insists on, is with another revision of the app that
    /// gives way. Requests wait meanwhile.
    fn want_port(&mut self, target: Option<u16>) -> bool {
        if self.took_from.is_some() || self.fixed || !matches!(self.verdict, Verdict::Open { .. }) {
            return false;
        }
        let Some(target) = target else { return false };
        let Some(holder) = self.shared.fixed_ports().get(&target).cloned() else { return false };
        if holder.app == self.about.app.id && holder.revision == self.about.workload.revision {
            return false;
        }
        if holder.app != self.about.app.id || !self.about.app.single {
            self.trouble = Some(format!(
                "port {target} is held by revision {} here, where replicas share the machine's network: listen on the port that the variable PORT names",
                holder.revision
            ));
            return false;
        }
        let text = format!(
            "Revision {} listens on port {target} itself, as {} does: the older one gives way, and requests wait.",
            self.about.workload.revision, holder.revision
        );
        self.log().add(Stream::System, &text);
        let (answer, answered) = oneshot::channel();
        let _ = holder.orders.send(Order::Yield(answer));
        self.took_from = Some(holder.orders);
        // Its replicas are started anew when the port is free.
        let stops: Vec<_> = self.replicas.values().map(|replica| replica.stop.clone()).collect();
        for replica in self.replicas.values_mut() {
            replica.leaving.get_or_insert_with(|| "The port was taken.".into());
        }
        self.yielded = true;
        let orders = self.orders.clone();
        tokio::spawn(async move {
            for stop in stops {
                let _ = stop.send(Stop::Within(Duration::ZERO));
            }
            let _ = tokio::time::timeout(Duration::from_secs(30), answered).await;
            let _ = orders.send(Order::Resume);
        });
        true
    }

    /// Gives the verdict when it is time.
    fn judge(&mut self) {
        let Verdict::Open { since } = self.verdict else { return };
        let epoch = self.about.workload.epoch;
        let ready = self
            .replicas
            .iter()
            .filter(|(name, replica)| replica.epoch == epoch && self.is_ready(name))
            .count();
        if ready >= self.needed() as usize {
            self.verdict = Verdict::Works;
            self.took_from = None;
            self.wanted = self.needed();
            let stabilization =
                Duration::from_secs_f64((300.0 * self.shared.settings.speed).clamp(5.0, 300.0));
            self.scaler = Scaler::new(self.wanted, stabilization);
            self.log().add(Stream::System, &format!("Revision {} is ready.", self.about.workload.revision));
            self.observe(Seen::Ready);
        } else if since.elapsed() >= self.shared.means.patience {
            let why = self.trouble.clone().unwrap_or_else(|| "Operation expired.".into());
            self.give_up(&why);
        }
    }

    /// The revision will not come up, for what its containers did.
    fn give_up(&mut self, why: &str) {
        let lines = self.shared.logs.last_lines(&self.about.app.id, &self.about.workload.revision, LINES);
        let said = if lines.is_empty() {
            "\nIt has written nothing to its log.".to_owned()
        } else {
            format!("\nThe last lines of its log:\n{}", lines.join("\n"))
        };
        let app = &self.about.app.name;
        self.fail(
            "ContainerAppOperationError".into(),
            format!(
                "Failed to provision revision for container app '{app}'. Error details: {}{said}",
                sentence(why)
            ),
        );
    }

    fn fail(&mut self, code: String, message: String) {
        if !matches!(self.verdict, Verdict::Open { .. }) {
            self.trouble = Some(message);
            return;
        }
        self.log().add(Stream::System, &message);
        self.verdict = Verdict::Failed(message.clone());
        if let Some(old) = self.took_from.take() {
            // The older revision may have its port back once this one's processes are gone.
            let stops: Vec<_> = self.replicas.values().map(|replica| replica.stop.clone()).collect();
            tokio::spawn(async move {
                for stop in stops {
                    let _ = stop.send(Stop::Within(Duration::ZERO));
                    stop.closed().await;
                }
                let _ = old.send(Order::Resume);
            });
        }
        self.observe(Seen::Failed { code, message });
    }

    fn observe(&self, seen: Seen) {
        self.shared.observe(Observation {
            app: self.about.app.id.clone(),
            revision: self.about.workload.revision.clone(),
            seen,
        });
    }

    fn log(&self) -> Arc<Log> {
        self.shared.logs.system(&self.about.app.id)
    }

    fn report(&self) -> status::Revision {
        status::Revision {
            name: self.about.workload.revision.clone(),
            wanted: self.wanted,
            state: match &self.verdict {
                Verdict::Open { .. } => "starting".into(),
                Verdict::Works => "works".into(),
                Verdict::Failed(_) => "failed".into(),
            },
            trouble: match &self.verdict {
                Verdict::Failed(why) => Some(why.clone()),
                Verdict::Open { .. } => self.trouble.clone(),
                Verdict::Works => None,
            },
            fixed_port: self.fixed,
            concurrent: self.pool.concurrent(),
            requests: status::Requests::read(&self.pool.counters),
            unmodelled_rules: self.about.workload.scale.unmodelled.clone(),
            replicas: self
                .replicas
                .iter()
                .map(|(name, replica)| status::Replica {
                    name: name.clone(),
                    ready: self.is_ready(name),
                    port: replica.endpoint.as_ref().map(|endpoint| endpoint.address.port()),
                    restarts: replica.restarts,
                    since: replica.since,
                    pids: replica.pids.values().copied().collect(),
                })
                .collect(),
        }
    }
}

fn containers(workload: &Workload) -> impl Iterator<Item = &Container> {
    workload.init.iter().chain(&workload.containers)
}

fn sentence(text: &str) -> String {
    if text.ends_with(['.', '!', '?']) { text.to_owned() } else { format!("{text}.") }
}

/// Pulls the images of all containers, init containers first.
fn pull(shared: &Shared, about: &About) -> PullResult {
    pull_all(shared, &about.app.id, containers(&about.workload))
}

/// Pulls the images of containers of an app or a job.
pub(crate) fn pull_all<'a>(
    shared: &Shared,
    app: &str,
    containers: impl Iterator<Item = &'a Container>,
) -> PullResult {
    containers
        .map(|container| {
            if image::is_quickstart(&container.image) {
                return Ok(Program::Quickstart);
            }
            if image::is_quickstart_job(&container.image) {
                return Ok(Program::QuickstartJob);
            }
            let pull = image::parse_reference(app, &container.image);
            let image: Image = shared.images.fetch(&*shared.platform, &pull).map_err(|refusal| {
                let lasting = refusal.lasting;
                (pull_refused(container, &pull, &refusal), lasting)
            })?;
            Ok(Program::Image(Arc::new(image)))
        })
        .collect()
}

/// Azure's code and words for an image that cannot be pulled.
fn pull_refused(container: &Container, pull: &Pull, refusal: &Refusal) -> (String, String) {
    let message = format!(
        "The following field(s) are either invalid or missing. Field 'template.containers.{}.image' is invalid with details: 'Invalid value: \"{}\": GET https:?scope=repository%3A{}%3Apull&service={}: {}';.",
        container.name,
        container.image,
        pull.repository.replace('/', "%2F"),
        pull.server,
        refusal.message
    );
    ("InvalidParameterValueInContainerTemplate".into(), message)
}

pub(crate) fn random_word(length: usize) -> String {
    const LETTERS: &[u8] = b"bcdfghjklmnpqrstvwxz2456789";
    (0..length).map(|_| LETTERS[rand::random_range(0..LETTERS.len())] as char).collect()
}
