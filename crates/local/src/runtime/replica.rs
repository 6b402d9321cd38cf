//! One replica: its containers' processes, started again when they end, and what their probes see.
//!
//! A replica is a task per container and one that waits for them all. They tell what happens as [`Told`]; the
//! revision decides what that means.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::{mpsc, watch};

use super::engine::Engine;
use super::image::Image;
use super::logs::{Log, Stream};
use super::process::{Listener, Nursery, Process, listeners};
use super::sandbox::{Launch, Sandbox};
use super::scaler::back_off;
use super::sockets::{self, OwnPorts};
use super::volumes::{self, Mounted};
use super::{probe, quickstart};
use crate::world::container_apps::{Probe, ProbeKind};

/// Where a container's program comes from.
#[derive(Clone, Debug)]
pub(crate) enum Program {
    /// An unpacked image.
    Image(Arc<Image>),
    /// A page of this process.
    Quickstart,
    /// A few lines of this process.
    QuickstartJob,
}

/// Adds the variables that a program has not got from its own template.
pub(super) fn add_missing(env: &mut Vec<(String, String)>, variables: Vec<(&'static str, String)>) {
    for (variable, value) in variables {
        if !env.iter().any(|(known, _)| known == variable) {
            env.push((variable.to_owned(), value));
        }
    }
}

/// What a container is run with.
#[derive(Clone)]
pub(crate) struct Plan {
    pub name: String,
    pub program: Program,
    pub command: Vec<String>,
    pub args: Vec<String>,
    pub env: Vec<(String, String)>,
    pub probes: Vec<Probe>,
    /// For the container that takes the ingress's traffic.
    pub port: Option<Ports>,
    /// Shared by the containers of a replica.
    pub own_ports: OwnPorts,
    /// More than this ends it.
    pub memory_mib: u64,
    pub scratch: PathBuf,
    pub hosts: String,
    pub mounts: Vec<Mounted>,
    pub log: Arc<Log>,
}

/// Where the main container should listen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Ports {
    /// Told by `PORT`: the machine's port that nobody else has or, where replicas have ports of their own, the target
    /// port.
    pub own: u16,
    /// The app's `targetPort`; `None`: any.
    pub target: Option<u16>,
}

/// The rung of the ladder that works here, and that every replica is run on.
#[derive(Clone, Debug)]
pub(crate) enum Rung {
    /// A container engine.
    Engine(Engine),
    /// This machine's own means.
    Sandbox(Sandbox),
}

impl Rung {
    /// The highest that works.
    pub fn find(folder: &Path) -> Rung {
        Engine::find(folder).map_or_else(|| Rung::Sandbox(Sandbox::find(folder)), Rung::Engine)
    }

    /// Whether a replica's ports are its own, whatever others listen on.
    pub fn own_ports(&self) -> bool {
        match self {
            // the machine's, told by `PORT`
            Rung::Engine(_) => false,
            Rung::Sandbox(sandbox) => sandbox.own_ports,
        }
    }

    /// A running container's `/etc/hosts`, where it can be written to; an engine's stays as it was made.
    pub fn hosts_file(&self, scratch: &Path) -> Option<PathBuf> {
        match self {
            Rung::Engine(_) => None,
            Rung::Sandbox(sandbox) => sandbox.hosts_file(scratch),
        }
    }

    /// One line for `local status`.
    pub fn describe(&self) -> String {
        match self {
            Rung::Engine(engine) => engine.describe(),
            Rung::Sandbox(sandbox) => sandbox.isolation.describe().to_owned(),
        }
    }
}

/// What every replica is run with.
#[derive(Clone)]
pub(crate) struct Means {
    pub rung: Rung,
    pub nursery: Nursery,
    pub speed: f64,
    /// How long a revision may take to come up.
    pub patience: Duration,
    /// Whom replicas trust beside their image's authorities.
    pub authority: Arc<str>,
}

/// What a container tells of itself.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Told {
    /// Its process runs; `None` for a page of this process.
    Started(Option<u32>),
    /// It passed what gates traffic; it listens here.
    Ready(Option<u16>),
    /// It does not pass any more.
    Unready(String),
    /// Not ready yet, and this is why.
    Waiting(String),
    /// It listens where no traffic goes, and has for a while.
    Misplaced(String),
    /// Its process has ended, or was ended since it failed its probe.
    Ended(String),
    /// All of the replica is gone.
    Gone,
}

/// Who tells what: the replica, and the container's place in it.
pub(crate) type Tale = (String, usize, Told);

/// How a replica should end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Stop {
    /// Not yet.
    Run,
    /// SIGTERM, then SIGKILL after this.
    Within(Duration),
}

/// Runs a replica until told to stop; everything it started has ended when this returns.
pub(crate) async fn run(
    replica: String,
    means: Means,
    init: Vec<Plan>,
    containers: Vec<Plan>,
    tales: mpsc::UnboundedSender<Tale>,
    mut stop: watch::Receiver<Stop>,
) {
    if initialize(&replica, &means, &init, &tales, &mut stop).await {
        let running: Vec<_> = containers
            .iter()
            .enumerate()
            .map(|(place, plan)| {
                let (means, plan, tales, stop) = (means.clone(), plan.clone(), tales.clone(), stop.clone());
                let replica = replica.clone();
                tokio::spawn(async move {
                    let tell = |told| {
                        let _ = tales.send((replica.clone(), place, told));
                    };
                    keep_running(&means, &plan, &tell, stop).await;
                })
            })
            .collect();
        for container in running {
            let _ = container.await;
        }
    }
    // The replica's folder, with one for each container in it.
    let folder = containers.first().and_then(|plan| plan.scratch.parent()).map(PathBuf::from);
    let _ = tokio::task::spawn_blocking(move || {
        folder.iter().for_each(|folder| super::image::remove_tree(folder))
    })
    .await;
    let _ = tales.send((replica, 0, Told::Gone));
}

/// Runs the init containers one after the other. False when told to stop meanwhile.
async fn initialize(
    replica: &str,
    means: &Means,
    init: &[Plan],
    tales: &mpsc::UnboundedSender<Tale>,
    stop: &mut watch::Receiver<Stop>,
) -> bool {
    for plan in init {
        let mut nth = 0;
        loop {
            let why = match start(means, plan).await {
                Err(why) => why,
                Ok(mut process) => {
                    let ended = tokio::select! {
                        status = process.wait() => status,
                        () = told(stop) => {
                            process.end(grace(stop)).await;
                            return false;
                        }
                    };
                    match ended {
                        Ok(status) if status.success() => break,
                        ended => format!("Init container '{}' {}", plan.name, describe_end(ended)),
                    }
                }
            };
            plan.log.add(Stream::System, &why);
            let _ = tales.send((replica.to_owned(), 0, Told::Ended(why)));
            tokio::select! {
                () = tokio::time::sleep(back_off(nth, means.speed)) => {}
                () = told(stop) => return false,
            }
            nth += 1;
        }
    }
    true
}

/// Runs one container, starting it again whenever it ends, until told to stop.
async fn keep_running(means: &Means, plan: &Plan, tell: &impl Fn(Told), mut stop: watch::Receiver<Stop>) {
    let mut nth = 0;
    loop {
        let begun = Instant::now();
        let why = match &plan.program {
            Program::Quickstart => {
                let port = plan.port.map(|ports| ports.own);
                tell(Told::Started(None));
                match quickstart::serve(port, || tell(Told::Ready(port)), told(&mut stop)).await {
                    Ok(()) => return,
                    Err(why) => format!("Container '{}' could not be started: {why}", plan.name),
                }
            }
            Program::QuickstartJob => {
                quickstart::JOB.iter().for_each(|line| plan.log.add(Stream::Stdout, line));
                format!(
                    "Container '{}' was terminated with exit code '0' and reason 'ProcessExited': it has nothing left to do, where a container app must go on",
                    plan.name
                )
            }
            Program::Image(_) => match start(means, plan).await {
                Err(why) => why,
                Ok(mut process) => {
                    let pid = process.pid;
                    tell(Told::Started(Some(pid)));
                    let ended = tokio::select! {
                        status = process.wait() => Ok(status),
                        why = watch_over(means, plan, pid, tell) => Err(Over::Probe(why)),
                        why = run_amok(plan, pid) => Err(Over::Amok(why)),
                        () = told(&mut stop) => {
                            process.end(grace(&stop)).await;
                            return;
                        }
                    };
                    match ended {
                        Ok(status) => {
                            // What it wrote last is still on its way through the pipes.
                            tokio::time::sleep(Duration::from_millis(30)).await;
                            format!("Container '{}' {}", plan.name, describe_end(status))
                        }
                        Err(Over::Probe(why)) => {
                            process.end(Duration::from_secs(5)).await;
                            why
                        }
                        Err(Over::Amok(why)) => {
                            process.end(Duration::ZERO).await;
                            why
                        }
                    }
                }
            },
        };
        plan.log.add(Stream::System, &why);
        tell(Told::Ended(why));
        // A long life forgives earlier deaths, after ten minutes on Azure.
        if begun.elapsed() > Duration::from_secs_f64((600.0 * means.speed).max(10.0)) {
            nth = 0;
        }
        tokio::select! {
            () = tokio::time::sleep(back_off(nth, means.speed)) => {}
            () = told(&mut stop) => return,
        }
        nth += 1;
    }
}

/// Why a container is ended before its time.
enum Over {
    /// It fails its probe: it may take its leave.
    Probe(String),
    /// It takes more than is its own: at once.
    Amok(String),
}

/// Processes that a container may have. Azure's nodes have a limit too, so that a fork bomb ends itself.
const PROCESSES_MAX: usize = 1024;

/// Completes, with the reason, when a container takes more than is its own.
pub(crate) async fn run_amok(plan: &Plan, pid: u32) -> String {
    let (name, memory_mib) = (plan.name.clone(), plan.memory_mib);
    loop {
        tokio::time::sleep(Duration::from_millis(250)).await;
        let seen = tokio::task::spawn_blocking(move || {
            let processes = super::process::tree(pid).len();
            (processes, processes <= PROCESSES_MAX && super::process::memory_above(pid, memory_mib))
        });
        let (processes, greedy) = seen.await.unwrap_or_default();
        if greedy {
            return format!("Container '{name}' was terminated with exit code '137' and reason 'OOMKilled'");
        }
        if processes > PROCESSES_MAX {
            return format!(
                "Container '{name}' was terminated with exit code '137' and reason 'Error': it has more than {PROCESSES_MAX} processes"
            );
        }
    }
}

/// Completes when a replica should stop.
async fn told(stop: &mut watch::Receiver<Stop>) {
    // An error means that whoever could tell is gone: the same.
    let _ = stop.wait_for(|stop| *stop != Stop::Run).await;
}

fn grace(stop: &watch::Receiver<Stop>) -> Duration {
    match *stop.borrow() {
        Stop::Run => Duration::ZERO,
        Stop::Within(grace) => grace,
    }
}

pub(crate) fn describe_end(ended: std::io::Result<std::process::ExitStatus>) -> String {
    use std::os::unix::process::ExitStatusExt;
    match ended {
        Err(error) => format!("was lost: {error}"),
        Ok(status) => match (status.code(), status.signal()) {
            (Some(0), _) => "was terminated with exit code '0' and reason 'ProcessExited': it has nothing left to do, where a container app must go on".into(),
            (Some(code), _) => format!("was terminated with exit code '{code}' and reason 'ProcessExited'"),
            (None, Some(signal)) => format!("was terminated with exit code '{}' and reason 'ProcessExited'", 128 + signal),
            (None, None) => "was terminated".into(),
        },
    }
}

pub(crate) async fn start(means: &Means, plan: &Plan) -> Result<Process, String> {
    let failed = |error: std::io::Error| format!("Container '{}' could not be started: {error}", plan.name);
    let Program::Image(image) = &plan.program else {
        return Err(format!("Container '{}' has no image", plan.name));
    };
    let sandbox = match &means.rung {
        Rung::Engine(engine) => {
            plan.mounts.iter().try_for_each(volumes::lay).map_err(failed)?;
            let launch = launch(image, plan, &means.authority);
            return engine.start(&launch, plan.log.clone()).await.map(Process::from).map_err(failed);
        }
        Rung::Sandbox(sandbox) => sandbox.clone(),
    };
    let (image, owned, authority) = (image.clone(), plan.clone(), means.authority.clone());
    let command = tokio::task::spawn_blocking(move || {
        super::image::remove_tree(&owned.scratch);
        owned.mounts.iter().try_for_each(volumes::lay)?;
        sandbox.command(&launch(&image, &owned, &authority))
    });
    let mut command = command.await.map_err(|error| failed(std::io::Error::other(error)))?.map_err(failed)?;
    let watch = match means.rung.own_ports() {
        true => Some(sockets::prepare(&mut command, plan.own_ports.clone()).map_err(failed)?),
        false => None,
    };
    let mut process = means.nursery.spawn(command).await.map_err(failed)?;
    if watch.is_some_and(|watch| !watch.begin()) {
        plan.log.add(Stream::System, "Its ports are the machine's: the kernel does not tell of its sockets.");
    }
    let (out, err) = process.output();
    if let Some(out) = out {
        tokio::spawn(plan.log.clone().take(Stream::Stdout, out));
    }
    if let Some(err) = err {
        tokio::spawn(plan.log.clone().take(Stream::Stderr, err));
    }
    Ok(process)
}

/// What is to be started of an image for a plan. As Kubernetes has it: `command` replaces the entry point and drops the
/// image's command, `args` replaces the command.
fn launch<'a>(image: &'a Image, plan: &'a Plan, authority: &'a str) -> Launch<'a> {
    let config = &image.config;
    let mut words = if plan.command.is_empty() { config.entrypoint.clone() } else { plan.command.clone() };
    if !plan.args.is_empty() {
        words.extend(plan.args.iter().cloned());
    } else if plan.command.is_empty() {
        words.extend(config.cmd.iter().cloned());
    }
    let mut env = config.env.clone();
    for (name, value) in &plan.env {
        match env.iter_mut().find(|(known, _)| known == name) {
            Some(known) => known.1.clone_from(value),
            None => env.push((name.clone(), value.clone())),
        }
    }
    Launch {
        image,
        scratch: &plan.scratch,
        command: words,
        env,
        hosts: plan.hosts.clone(),
        mounts: &plan.mounts,
        hostname: plan.name.clone(),
        authority,
    }
}

/// Probes a running container and tells what comes of it. Returns, with the reason, when it should be started anew.
async fn watch_over(means: &Means, plan: &Plan, pid: u32, tell: &impl Fn(Told)) -> String {
    let port = match plan.port {
        Some(ports) => Some(find_port(means, plan, ports, pid, tell).await),
        None => None,
    };
    let probe_of = |kind| plan.probes.iter().find(|probe| probe.kind == kind);
    let place = |probe: &Probe| match (probe.port, plan.port, port) {
        // The target port is wherever the app really listens.
        (Some(wanted), Some(ports), Some(found)) if ports.target.is_none_or(|target| target == wanted) => {
            found
        }
        (Some(wanted), _, _) => plan.own_ports.place(wanted),
        (None, _, found) => found.unwrap_or_default(),
    };
    let scaled = |time: Duration, least: Duration| time.mul_f64(means.speed).clamp(least.min(time), time);

    if plan.port.is_none() && plan.probes.is_empty() {
        // Nothing can be looked at: a program that is still there after a moment works.
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
    if let Some(startup) = probe_of(ProbeKind::Startup) {
        let begun = Instant::now();
        // Programs start as fast as they can, whatever the pace of this Azure: their time is not scaled down.
        let budget = (startup.initial_delay + startup.period * startup.failures).min(means.patience);
        tokio::time::sleep(scaled(startup.initial_delay, Duration::ZERO)).await;
        let mut passed = 0;
        while passed < startup.successes.max(1) {
            match probe::look(startup, place(startup)).await {
                Ok(()) => passed += 1,
                Err(why) => {
                    passed = 0;
                    let why = format!("Container '{}' failed startup probe: {why}", plan.name);
                    if begun.elapsed() >= budget {
                        return format!("{why}; it will be restarted");
                    }
                    tell(Told::Waiting(why));
                    tokio::time::sleep(scaled(startup.period, Duration::from_millis(100))).await;
                }
            }
        }
    }
    let readiness = async {
        let Some(probe) = probe_of(ProbeKind::Readiness) else {
            tell(Told::Ready(port));
            return std::future::pending().await;
        };
        tokio::time::sleep(scaled(probe.initial_delay, Duration::ZERO)).await;
        let (mut ready, mut passed, mut failed) = (false, 0u32, 0u32);
        loop {
            match probe::look(probe, place(probe)).await {
                Ok(()) => (passed, failed) = (passed.saturating_add(1), 0),
                Err(why) => {
                    (passed, failed) = (0, failed.saturating_add(1));
                    let why = format!("Container '{}' failed readiness probe: {why}", plan.name);
                    if ready && failed >= probe.failures.max(1) {
                        ready = false;
                        plan.log.add(Stream::System, &why);
                        tell(Told::Unready(why));
                    } else if !ready {
                        tell(Told::Waiting(why));
                    }
                }
            }
            if !ready && passed >= probe.successes.max(1) {
                ready = true;
                tell(Told::Ready(port));
            }
            // Until it takes traffic, somebody waits for it.
            let least = if ready { Duration::from_secs(1) } else { Duration::from_millis(100) };
            tokio::time::sleep(scaled(probe.period, least)).await;
        }
    };
    let liveness = async {
        let Some(probe) = probe_of(ProbeKind::Liveness) else { return std::future::pending().await };
        tokio::time::sleep(scaled(probe.initial_delay, Duration::from_secs(1))).await;
        let mut failed = 0;
        loop {
            match probe::look(probe, place(probe)).await {
                Ok(()) => failed = 0,
                Err(why) => {
                    failed += 1;
                    if failed >= probe.failures.max(1) {
                        return format!(
                            "Container '{}' failed liveness probe: {why}; it will be restarted",
                            plan.name
                        );
                    }
                }
            }
            tokio::time::sleep(scaled(probe.period, Duration::from_secs(1))).await;
        }
    };
    tokio::pin!(readiness, liveness);
    tokio::select! {
        never = &mut readiness => never,
        why = &mut liveness => why,
    }
}

/// Waits until the program listens where traffic goes.
async fn find_port(means: &Means, plan: &Plan, ports: Ports, pid: u32, tell: &impl Fn(Told)) -> u16 {
    // Long enough for a program that opens a port for its metrics first.
    let settled = (means.patience / 3).min(Duration::from_secs(60));
    let mut elsewhere: Option<(Vec<Listener>, Instant)> = None;
    let mut said = false;
    loop {
        let mut found = tokio::task::spawn_blocking(move || listeners(pid)).await.unwrap_or_default();
        // As the program knows them.
        found.iter_mut().for_each(|listener| listener.port = plan.own_ports.asked(listener.port));
        match place(&found, ports) {
            Ok(port) => return plan.own_ports.place(port),
            Err(why) => {
                let since = match &elsewhere {
                    Some((before, since)) if *before == found => *since,
                    _ => {
                        tell(Told::Waiting(why.clone()));
                        Instant::now()
                    }
                };
                if !found.is_empty() && since.elapsed() >= settled && !said {
                    plan.log.add(Stream::System, &why);
                    tell(Told::Misplaced(why));
                    // Once; it may still come round.
                    said = true;
                }
                elsewhere = Some((found, since));
            }
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

/// Which of the ports a program listens on takes its traffic, or why none does.
pub(crate) fn place(found: &[Listener], ports: Ports) -> Result<u16, String> {
    let expected = ports.target.unwrap_or(ports.own);
    let reachable = |port: u16| found.iter().any(|listener| listener.port == port && !listener.loopback);
    for port in [Some(ports.own), ports.target].into_iter().flatten() {
        if reachable(port) {
            return Ok(port);
        }
    }
    let open: Vec<u16> =
        found.iter().filter(|listener| !listener.loopback).map(|listener| listener.port).collect();
    if let (None, [only]) = (ports.target, open.as_slice()) {
        return Ok(*only);
    }
    if let Some(near) = found.iter().find(|near| near.loopback && [ports.own, expected].contains(&near.port))
    {
        return Err(format!(
            "The TargetPort {expected} is listened on, but only at 127.0.0.1 (port {} there), where the ingress cannot reach it: listen on 0.0.0.0",
            near.port
        ));
    }
    let list = |ports: &[u16]| ports.iter().map(u16::to_string).collect::<Vec<_>>().join(", ");
    match (open.as_slice(), found) {
        ([], []) => Err(format!(
            "The TargetPort {expected} does not match any listening port: the container listens on none"
        )),
        ([], near) => {
            let near: Vec<u16> = near.iter().map(|listener| listener.port).collect();
            Err(format!(
                "The TargetPort {expected} does not match the listening port {}, which is open at 127.0.0.1 only: listen on 0.0.0.0",
                list(&near)
            ))
        }
        (open, _) => {
            Err(format!("The TargetPort {expected} does not match the listening port {}", list(open)))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn open(port: u16) -> Listener {
        Listener { port, loopback: false }
    }

    fn near(port: u16) -> Listener {
        Listener { port, loopback: true }
    }

    #[test]
    fn traffic_goes_to_the_own_port_or_the_target_port() {
        let ports = Ports { own: 40_000, target: Some(8000) };
        assert_eq!(place(&[open(40_000)], ports), Ok(40_000));
        assert_eq!(place(&[open(8000)], ports), Ok(8000));
        assert_eq!(place(&[open(9090), open(40_000)], ports), Ok(40_000));
        let free = Ports { own: 40_000, target: None };
        assert_eq!(place(&[open(5000)], free), Ok(5000));
    }

    #[test]
    fn what_is_wrong_with_a_port_is_said() {
        let ports = Ports { own: 40_000, target: Some(8000) };
        assert_eq!(
            place(&[open(3000)], ports).unwrap_err(),
            "The TargetPort 8000 does not match the listening port 3000"
        );
        assert!(place(&[near(40_000)], ports).unwrap_err().contains("listen on 0.0.0.0"));
        assert!(place(&[near(3000)], ports).unwrap_err().contains("listening port 3000"));
        assert!(place(&[], ports).unwrap_err().contains("listens on none"));
    }
}
