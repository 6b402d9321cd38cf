//! One execution of a job: a task that pulls its images, runs replicas until enough have succeeded, and tells how it
//! ended.
//!
//! A replica succeeds when all its containers end with 0. One that fails is replaced by a new one, as long as no more
//! have failed than the job's retry limit; the whole execution may take as long as its timeout, which is in real
//! seconds whatever the pace, since programs are as fast as they are.

use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::watch;
use tokio::task::{JoinHandle, JoinSet};

use super::Shared;
use super::logs::Stream;
use super::platform::Identity;
use super::replica::{self, Plan, Program, add_missing};
use super::{revision, volumes};
use crate::world::container_apps::{Container, Observation, Run, Seen};

/// Executions that run at a time; others wait. A clock that is moved by a day may bring hundreds at once.
pub(crate) const AT_ONCE: usize = 16;

/// A handle on an execution's task.
#[derive(Debug)]
pub(crate) struct Execution {
    /// What it is run with: secrets may get their values, roles their effect.
    pub run: watch::Sender<Arc<Run>>,
    pub stop: watch::Sender<bool>,
    pub task: JoinHandle<()>,
}

impl Execution {
    /// Starts its task.
    pub fn start(shared: Arc<Shared>, run: Run) -> Execution {
        let (run, runs) = watch::channel(Arc::new(run));
        let (stop, stopped) = watch::channel(false);
        let task = tokio::spawn(execute(shared, runs, stopped));
        Execution { run, stop, task }
    }
}

async fn execute(shared: Arc<Shared>, runs: watch::Receiver<Arc<Run>>, mut stopped: watch::Receiver<bool>) {
    let run = runs.borrow().clone();
    let observe = |seen| {
        shared.observe(Observation { app: run.job.clone(), revision: run.execution.clone(), seen });
    };
    observe(Seen::Began);
    let log = shared.logs.system(&run.job);
    let outcome = tokio::select! {
        outcome = go(&shared, runs, &observe) => outcome,
        // Dropping what runs ends its processes.
        () = told(&mut stopped) => return,
    };
    let text = match &outcome {
        Ok(()) => format!("Execution {} has successfully completed.", run.execution),
        Err(why) => format!("Execution {} has failed: {why}", run.execution),
    };
    log.add(Stream::System, &text);
    observe(Seen::Finished { failure: outcome.err() });
}

async fn told(stopped: &mut watch::Receiver<bool>) {
    let _ = stopped.wait_for(|stopped| *stopped).await;
}

async fn go(
    shared: &Arc<Shared>,
    mut runs: watch::Receiver<Arc<Run>>,
    observe: &impl Fn(Seen),
) -> Result<(), String> {
    let _turn = shared.jobs.acquire().await.map_err(|_| "the runtime is stopping".to_owned())?;
    let begun = Instant::now();
    let (run, programs) = prepare(shared, &mut runs, begun).await?;
    let limit = run.timeout.saturating_sub(begun.elapsed());
    match tokio::time::timeout(limit, replicas(shared, &run, &programs, observe)).await {
        Ok(outcome) => outcome,
        Err(_) => {
            Err(format!("DeadlineExceeded: it was active longer than {} seconds.", run.timeout.as_secs()))
        }
    }
}

/// Waits for secrets and images as long as time may still help.
async fn prepare(
    shared: &Arc<Shared>,
    runs: &mut watch::Receiver<Arc<Run>>,
    begun: Instant,
) -> Result<(Arc<Run>, Vec<Program>), String> {
    loop {
        let run = runs.borrow_and_update().clone();
        let unresolved = all(&run).find_map(|container| container.env.as_ref().err()).cloned();
        let (why, lasting) = match unresolved {
            Some(unresolved) => (unresolved.message, unresolved.lasting),
            None => {
                let (shared, run) = (shared.clone(), run.clone());
                let pulling = tokio::task::spawn_blocking({
                    let run = run.clone();
                    move || revision::pull_all(&shared, &run.job, all(&run))
                });
                match pulling.await.map_err(|error| error.to_string())? {
                    Ok(programs) => return Ok((run, programs)),
                    Err(((_, message), lasting)) => (message, lasting),
                }
            }
        };
        if lasting || begun.elapsed() > shared.settings.consistency {
            return Err(why);
        }
        let _ = tokio::time::timeout(Duration::from_millis(500), runs.changed()).await;
    }
}

fn all(run: &Run) -> impl Iterator<Item = &Container> {
    run.init.iter().chain(&run.containers)
}

async fn replicas(
    shared: &Arc<Shared>,
    run: &Arc<Run>,
    programs: &[Program],
    observe: &impl Fn(Seen),
) -> Result<(), String> {
    let mut running: JoinSet<(String, Result<(), String>)> = JoinSet::new();
    let (mut succeeded, mut failed) = (0u32, 0u32);
    loop {
        let wanted = run.parallelism.min(run.completions - succeeded) as usize;
        while running.len() < wanted {
            let name = format!("{}-{}", run.execution, revision::random_word(5));
            observe(Seen::ReplicaStarted { replica: name.clone() });
            let (shared, run, programs) = (shared.clone(), run.clone(), programs.to_vec());
            running.spawn(async move {
                let outcome = replica(&shared, &run, &name, &programs).await;
                (name, outcome)
            });
        }
        let Some(ended) = running.join_next().await else { return Ok(()) };
        let (name, outcome) = ended.map_err(|error| error.to_string())?;
        shared.logs.ended(&name);
        let why = outcome.as_ref().err().cloned().unwrap_or_default();
        observe(Seen::ReplicaEnded { replica: name, why });
        match outcome {
            Ok(()) => succeeded += 1,
            Err(why) => {
                shared.logs.system(&run.job).add(Stream::System, &why);
                failed += 1;
                if failed > run.retries {
                    return Err(format!("BackoffLimitExceeded: {why}"));
                }
                tokio::time::sleep(super::scaler::back_off(failed - 1, shared.settings.speed)).await;
            }
        }
        if succeeded >= run.completions {
            return Ok(());
        }
    }
}

/// Runs one replica to its end.
async fn replica(shared: &Arc<Shared>, run: &Run, name: &str, programs: &[Program]) -> Result<(), String> {
    let folder = shared.settings.folder.join("replicas").join(name);
    let _folder = Folder(folder.clone());
    let identity = shared.platform.identity(&run.job);
    let shares = shared.settings.folder.join("shares");
    let own_ports = super::sockets::OwnPorts::default();
    let plan = |place: usize, container: &Container| -> Plan {
        let mut env = container.env.clone().unwrap_or_default();
        let mut built_in = vec![
            ("CONTAINER_APP_JOB_NAME", run.name.clone()),
            ("CONTAINER_APP_JOB_EXECUTION_NAME", run.execution.clone()),
            ("CONTAINER_APP_REPLICA_NAME", name.to_owned()),
            ("CONTAINER_APP_ENV_DNS_SUFFIX", run.domain.clone()),
        ];
        built_in.extend(identity.iter().flat_map(Identity::variables));
        add_missing(&mut env, built_in);
        Plan {
            name: container.name.clone(),
            program: programs[place].clone(),
            command: container.command.clone(),
            args: container.args.clone(),
            env,
            probes: Vec::new(),
            port: None,
            own_ports: own_ports.clone(),
            memory_mib: container.memory_mib,
            scratch: folder.join(&container.name),
            hosts: shared.hosts(&run.domain, name),
            mounts: volumes::mounts(container, &run.volumes, &folder, &shares),
            log: shared.logs.open(&run.job, &run.execution, name, &container.name),
        }
    };
    for (place, container) in run.init.iter().enumerate() {
        container_to_its_end(shared, plan(place, container)).await?;
    }
    let mut running = JoinSet::new();
    for (place, container) in run.containers.iter().enumerate() {
        let (shared, plan) = (shared.clone(), plan(run.init.len() + place, container));
        running.spawn(async move { container_to_its_end(&shared, plan).await });
    }
    let mut outcome = Ok(());
    while let Some(ended) = running.join_next().await {
        outcome = outcome.and(ended.map_err(|error| error.to_string())?);
    }
    outcome
}

async fn container_to_its_end(shared: &Arc<Shared>, plan: Plan) -> Result<(), String> {
    match &plan.program {
        Program::Quickstart => {
            // The page never ends by itself: what bounds it is the timeout.
            return std::future::pending().await;
        }
        Program::QuickstartJob => {
            for line in super::quickstart::JOB {
                plan.log.add(Stream::Stdout, line);
            }
            return Ok(());
        }
        Program::Image(_) => {}
    }
    let mut process = replica::start(&shared.means, &plan).await?;
    let pid = process.pid;
    let status = tokio::select! {
        status = process.wait() => status,
        // Dropping it ends all of it.
        why = replica::run_amok(&plan, pid) => return Err(why),
    };
    // What it wrote last is still on its way through the pipes.
    tokio::time::sleep(Duration::from_millis(30)).await;
    match status {
        Ok(status) if status.success() => Ok(()),
        ended => Err(format!("Container '{}' {}", plan.name, replica::describe_end(ended))),
    }
}

/// Removes a replica's folder at its end, however it comes.
struct Folder(std::path::PathBuf);

impl Drop for Folder {
    fn drop(&mut self) {
        let folder = std::mem::take(&mut self.0);
        std::thread::spawn(move || super::image::remove_tree(&folder));
    }
}
