//! Real processes, killed by the system at random moments, stopped and continued, and racing each other.
//!
//! The world is a folder: a thing is a file that is made with `O_EXCL`, a job is a file that says when it is over,
//! and whatever must not happen is a line in `wrong`. A victim is this same executable, started as
//! `killed victim FOLDER …`; it takes the lease, creates the run if there is none, and runs it to the end.
#![expect(
    clippy::disallowed_methods,
    clippy::print_stdout,
    clippy::unwrap_used,
    reason = "a test with real files, processes and time"
)]

use std::collections::BTreeMap;
use std::fs::{self, File, OpenOptions};
use std::io::{ErrorKind, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitCode, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use async_trait::async_trait;
use landfall_engine::lease::Terms;
use landfall_engine::{
    Cancel, Class, Context, Error, Failure, Graph, Hands, Journal, JournalError, LeaseError, Operation,
    OperationKey, OperationStatus, Options, Outcome, Owner, Patience, Step, run,
};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use serde_json::{Value, json};
use tokio::sync::mpsc::unbounded_channel;

const SCOPE: &str = "app/killed";

fn main() -> ExitCode {
    let arguments: Vec<_> = std::env::args().collect();
    if arguments.get(1).is_some_and(|first| first == "victim") {
        return victim(Path::new(&arguments[2]), arguments[3].parse().unwrap());
    }
    // The runner may ask for the list of tests, or for one of them by name.
    if arguments.iter().any(|argument| argument == "--list") {
        println!("killed: test");
        return ExitCode::SUCCESS;
    }
    killed_at_random_moments();
    stopped_past_its_lease();
    all_at_once();
    ExitCode::SUCCESS
}

/// Killed again and again, until one is left alone for long enough to finish.
fn killed_at_random_moments() {
    let (mut kills, mut resumed) = (0, 0);
    for seed in 0..12 {
        let mut chances = ChaCha8Rng::seed_from_u64(seed);
        let world = World::new(Duration::from_secs(30));
        for round in 0.. {
            assert!(round < 200, "seed {seed}: it never ends");
            let mut victim = world.start();
            // Later ones live longer, so that it ends; the first die while still opening the journal.
            let life = Duration::from_micros(chances.random_range(0..30_000 + 4_000 * round));
            let ended = wait_at_most(&mut victim, life);
            match ended {
                Some(code) => {
                    assert_eq!(code, 0, "seed {seed}: a victim failed; see above");
                    break;
                }
                None => {
                    victim.kill().unwrap();
                    victim.wait().unwrap();
                    kills += 1;
                }
            }
        }
        resumed += world.check(&format!("seed {seed}"));
    }
    println!(
        "killed: 12 runs of {} operations, {kills} kills, {resumed} resumes: none lost, none doubled",
        graph().len()
    );
    assert!(kills > 40, "too few kills to prove anything: {kills}");
}

/// Stopped for longer than its lease lasts: another finishes the run, and the first cannot write when it wakes.
fn stopped_past_its_lease() {
    let world = World::new(Duration::from_millis(500));
    let mut stalled = world.start();
    world.wait_for("the first begin", || world.log().contains("begin"));
    let id = Pid::from_raw(stalled.id().try_into().unwrap());
    kill(id, Signal::SIGSTOP).unwrap();
    // It may hold SQLite's write lock at this very moment, in which case nobody can take over; that is told apart.
    let started = Instant::now();
    let mut refused = 0;
    let code = loop {
        let code = world.start().wait().unwrap().code().unwrap();
        if code != HELD {
            break code;
        }
        refused += 1;
        assert!(started.elapsed() < Duration::from_secs(60), "the lease never lapses");
    };
    if code == LOCKED {
        kill(id, Signal::SIGCONT).unwrap();
        assert_eq!(stalled.wait().unwrap().code(), Some(0));
        return println!("killed: stopped inside a transaction; nobody could take over, and it finished");
    }
    assert_eq!(code, 0, "the second takes over and finishes");
    kill(id, Signal::SIGCONT).unwrap();
    assert_eq!(stalled.wait().unwrap().code(), Some(LOST), "the stalled one finds its lease lost");
    world.check("stalled");
    println!(
        "killed: a stalled holder was taken over after {refused} refusals, and could not write when it woke"
    );
}

/// Eight at once: one runs, the others are told who does.
fn all_at_once() {
    let world = World::new(Duration::from_secs(30));
    let victims: Vec<_> = (0..8).map(|_| world.start()).collect();
    let codes: Vec<_> =
        victims.into_iter().map(|mut victim| victim.wait().unwrap().code().unwrap()).collect();
    let done = codes.iter().filter(|&&code| code == 0).count();
    assert!(done >= 1 && codes.iter().all(|&code| code == 0 || code == HELD), "{codes:?}");
    world.check("race");
    println!("killed: 8 at once, {done} got the lease in turn, {} were refused", codes.len() - done);
}

fn wait_at_most(victim: &mut Child, life: Duration) -> Option<i32> {
    let until = Instant::now() + life;
    loop {
        if let Some(status) = victim.try_wait().unwrap() {
            return status.code();
        }
        if Instant::now() >= until {
            return None;
        }
        std::thread::sleep(Duration::from_micros(200));
    }
}

/// Exit codes of victims.
const HELD: i32 = 4;
const LOST: i32 = 5;
const LOCKED: i32 = 6;

/// Runs the run of the folder to its end, unless it has ended already.
fn victim(folder: &Path, lapse_ms: u64) -> ExitCode {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    let code = match runtime.block_on(run_it(folder, Duration::from_millis(lapse_ms))) {
        Ok(()) => 0,
        Err(error) => {
            let code = match error {
                Stopped::Held(_) => HELD,
                Stopped::Run(Error::Journal(JournalError::LeaseLost { .. })) => LOST,
                Stopped::Journal(JournalError::Locked { .. }) => LOCKED,
                ref other => {
                    println!("victim: {other:?}");
                    1
                }
            };
            u8::try_from(code).unwrap()
        }
    };
    // Hands may still sleep; nobody waits for them.
    runtime.shutdown_background();
    ExitCode::from(code)
}

#[derive(Debug)]
#[expect(dead_code, reason = "shown when a victim fails")]
enum Stopped {
    Held(LeaseError),
    Journal(JournalError),
    Run(Error),
    Outcome(Option<Outcome>),
}

async fn run_it(folder: &Path, lapse: Duration) -> Result<(), Stopped> {
    let journal = Journal::open(&folder.join("journal.db")).map_err(Stopped::Journal)?;
    let terms = Terms { beat: lapse / 5, lapse };
    let owner = Owner::this_process("killed victim");
    let lease = journal.acquire_on(SCOPE, &owner, terms).map_err(|error| match error {
        LeaseError::Held { .. } => Stopped::Held(error),
        LeaseError::Journal(error) => Stopped::Journal(error),
    })?;
    let run_id = match journal.unfinished(SCOPE).map_err(Stopped::Journal)? {
        Some(unfinished) => unfinished.id,
        None if journal.runs(Some(SCOPE)).map_err(Stopped::Journal)?.is_empty() => {
            lease.create_run("proof", &Value::Null, &graph()).map_err(Stopped::Journal)?
        }
        // Another victim finished it.
        None => return Ok(()),
    };
    let (events, _told) = unbounded_channel();
    let options = Options { parallel: 6, patience: Patience::default().scaled(0.005), ..Options::default() };
    let hands = Arc::new(Folder { folder: folder.to_owned() });
    let report = run(&lease, &run_id, hands, options, events, Cancel::new()).await.map_err(Stopped::Run)?;
    match report.outcome() {
        Some(Outcome::Done) => Ok(()),
        other => Err(Stopped::Outcome(other)),
    }
}

/// Forty operations, each but the first needing a few before it.
fn graph() -> Graph {
    let mut chances = ChaCha8Rng::seed_from_u64(4);
    let operations = (0..40_usize).map(|at| {
        let needs: Vec<_> = (0..at.min(3)).map(|_| format!("op{}", chances.random_range(0..at))).collect();
        Operation::new(format!("op{at}"), "make", format!("thing.{at}")).needing(needs)
    });
    Graph::new(operations.collect()).unwrap()
}

/// Hands whose world is a folder.
struct Folder {
    folder: PathBuf,
}

impl Folder {
    fn path(&self, key: &OperationKey, kind: &str) -> PathBuf {
        self.folder.join(format!("{key}.{kind}"))
    }

    fn line(&self, file: &str, text: &str) {
        // One short write to a file opened for appending is not torn by a kill.
        let mut file = OpenOptions::new().create(true).append(true).open(self.folder.join(file)).unwrap();
        file.write_all(format!("{text}\n").as_bytes()).unwrap();
    }

    /// The greatest token that the world has been shown.
    fn fence(&self) -> u64 {
        let fences = fs::read_to_string(self.folder.join("fences")).unwrap();
        fences.lines().filter_map(|line| line.parse().ok()).max().unwrap()
    }

    /// Even ones are jobs that go on without us; odd ones are done when the file is there.
    fn is_job(operation: &Operation) -> bool {
        operation.key.as_str().trim_start_matches("op").parse::<u32>().unwrap() % 2 == 0
    }

    fn is_complete(&self, key: &OperationKey) -> bool {
        let Ok(text) = fs::read_to_string(self.path(key, "thing")) else { return false };
        text.trim().parse::<u128>().is_ok_and(|over| over <= now_ms())
    }
}

fn now_ms() -> u128 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_millis()
}

#[async_trait]
impl Hands for Folder {
    async fn begin(&self, operation: &Operation, context: &Context) -> Result<Step, Failure> {
        let key = &operation.key;
        self.line("log", &format!("begin {key} attempt {}", context.attempt()));
        self.line("fences", &context.fence().to_string());
        for need in &operation.needs {
            if !self.is_complete(need) || context.output(need).is_none() {
                self.line("wrong", &format!("{key} was begun before {need} was complete"));
            }
        }
        tokio::time::sleep(Duration::from_millis(2)).await;
        let over = if Self::is_job(operation) { now_ms() + 15 } else { 0 };
        // Complete as soon as it is there, whenever we are killed: written beside, then linked.
        let beside = self.folder.join(format!("{key}.{}.{}", std::process::id(), context.attempt()));
        fs::write(&beside, over.to_string()).unwrap();
        match fs::hard_link(&beside, self.path(key, "thing")) {
            Ok(()) => self.line("made", key.as_str()),
            // Found by looking, as hands should that were told of an earlier begin.
            Err(error) if error.kind() == ErrorKind::AlreadyExists && context.again() => {}
            // Asked before we were stopped, sent after we woke: the journal cannot take that back, a world that
            // knows of tokens can.
            Err(error) if error.kind() == ErrorKind::AlreadyExists && self.fence() > context.fence() => {}
            Err(error) => self.line("wrong", &format!("{key} was made twice: {error}")),
        }
        fs::remove_file(&beside).unwrap();
        // A lost answer, now and then.
        if context.attempt() == 1 && key.as_str().ends_with('7') {
            return Err(Failure::new(Class::Transient, "connection reset"));
        }
        if Self::is_job(operation) {
            Ok(Step::Accepted { token: json!(key.as_str()), after: Duration::from_millis(5) })
        } else {
            Ok(Step::Done(json!({ "of": key.as_str() })))
        }
    }

    async fn follow(&self, operation: &Operation, token: &Value, _: &Context) -> Result<Step, Failure> {
        let key = &operation.key;
        if token != &json!(key.as_str()) {
            self.line("wrong", &format!("{key} is followed by {token}"));
        }
        if self.is_complete(key) {
            Ok(Step::Done(json!({ "of": key.as_str() })))
        } else {
            Ok(Step::Accepted { token: token.clone(), after: Duration::from_millis(5) })
        }
    }
}

/// A folder, seen from outside.
struct World {
    folder: tempfile::TempDir,
    lapse: Duration,
}

impl World {
    fn new(lapse: Duration) -> Self {
        Self { folder: tempfile::tempdir().unwrap(), lapse }
    }

    fn start(&self) -> Child {
        let log = File::options().create(true).append(true).open(self.folder.path().join("output")).unwrap();
        Command::new(std::env::current_exe().unwrap())
            .arg("victim")
            .arg(self.folder.path())
            .arg(self.lapse.as_millis().to_string())
            .stdout(log.try_clone().map(Stdio::from).unwrap())
            .stderr(log)
            .spawn()
            .unwrap()
    }

    fn log(&self) -> String {
        fs::read_to_string(self.folder.path().join("log")).unwrap_or_default()
    }

    fn wait_for(&self, what: &str, is: impl Fn() -> bool) {
        let until = Instant::now() + Duration::from_secs(60);
        while !is() {
            assert!(Instant::now() < until, "{what} never came; {}", self.output());
            std::thread::sleep(Duration::from_millis(1));
        }
    }

    fn output(&self) -> String {
        fs::read_to_string(self.folder.path().join("output")).unwrap_or_default()
    }

    /// That every thing is there, made once and in order, and that the journal tells so; how often it was resumed.
    fn check(&self, what: &str) -> usize {
        let read = |file: &str| fs::read_to_string(self.folder.path().join(file)).unwrap_or_default();
        assert_eq!(read("wrong"), "", "{what}\n{}\n{}", self.log(), self.output());
        let mut made = BTreeMap::new();
        for key in read("made").lines() {
            *made.entry(key.to_owned()).or_insert(0) += 1;
        }
        assert!(made.values().all(|&times| times == 1), "{what}: {made:?}");
        let journal = Journal::open(&self.folder.path().join("journal.db")).unwrap();
        let runs = journal.runs(Some(SCOPE)).unwrap();
        assert_eq!(runs.len(), 1, "{what}: {runs:?}");
        let report = journal.report(&runs[0].id).unwrap();
        assert_eq!(report.outcome(), Some(Outcome::Done), "{what}");
        for operation in &report.operations {
            assert_eq!(operation.status, OperationStatus::Done, "{what}: {operation:?}");
            let thing = self.folder.path().join(format!("{}.thing", operation.operation));
            assert!(thing.exists(), "{what}: {} is lost", operation.operation);
            let begun = self.log().matches(&format!("begin {} ", operation.operation)).count();
            assert!(
                begun >= 1 && begun <= operation.retries as usize + 1,
                "{what}: begun {begun} times, {operation:?}"
            );
        }
        report.sessions.len() - 1
    }
}
