//! Starting, stopping and asking a detached local Azure from another process.
//!
//! A folder's local Azure lives in `<folder>/.landfall/local`. While it runs it holds a lock on a file there, so
//! that neither a crash nor a reused process id can be taken for a running one, and tells where it is in
//! `server.json`.
//!
//! [`start`] runs `<exe> local run --state DIR …` in a session of its own; the program answers that command with
//! [`run`].

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fs::File;
use std::io::{Read, Seek, SeekFrom, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use nix::sys::signal::Signal;
use serde::{Deserialize, Serialize};

use crate::front::client;
use crate::{Error, Options, State};

/// What a detached local Azure is started with; see [`Options`] for the fields of the same names.
#[derive(Clone, Debug, Default, PartialEq)]
#[allow(missing_docs)]
pub struct Launch {
    /// Keep the state in memory only.
    pub memory: bool,
    pub seed: Option<u64>,
    pub speed: Option<f64>,
    pub port: Option<u16>,
    pub faults: Option<PathBuf>,
    pub types: Option<PathBuf>,
}

/// How [`start`] went.
#[derive(Clone, Debug, PartialEq)]
pub enum Started {
    /// It runs now.
    Now(Status),
    /// It ran before; nothing was changed.
    Already(Status),
}

impl Started {
    /// What runs, whichever way.
    pub fn status(&self) -> &Status {
        match self {
            Started::Now(status) | Started::Already(status) => status,
        }
    }
}

/// A running local Azure.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Status {
    /// Its process.
    pub pid: u32,
    /// Where each plane answers: `arm`, `entra`, `vault`, `registry`, `blob`, `apps`, `logs`, `identity`.
    pub urls: BTreeMap<String, String>,
    /// What chance is drawn from.
    pub seed: u64,
    /// What durations are multiplied by.
    pub speed: f64,
    /// How deployed applications are run: the isolation, or that there is none.
    pub runtime: String,
    /// The state folder, or `memory`.
    pub state: String,
    /// Certificate of the CA, to be trusted by clients.
    pub ca_file: PathBuf,
    /// What [`env()`] gives.
    pub env: BTreeMap<String, String>,
}

/// How [`stop`] went.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stopped {
    /// It wrote its state and ended.
    Gracefully,
    /// It did not end in time and was killed; nothing acknowledged is lost.
    Killed,
    /// It was not running.
    NotRunning,
}

/// The order in which [`env()`]'s names are printed.
pub const ENV_NAMES: [&str; 12] = [
    "ARM_URL",
    "AUTH_URL",
    "CA_FILE",
    "TENANT_ID",
    "CLIENT_ID",
    "CLIENT_SECRET",
    "SUBSCRIPTION_ID",
    "KEYVAULT_SUFFIX",
    "ACR_SUFFIX",
    "BLOB_SUFFIX",
    "APPS_URL",
    "LOGS_URL",
];

/// Replaying a long journal takes seconds at most; a minute means that something hangs.
const START_WAIT_MAX: Duration = Duration::from_secs(60);
/// Applications get ten seconds to drain, the state a moment to be written.
const STOP_WAIT_MAX: Duration = Duration::from_secs(20);
const POLL: Duration = Duration::from_millis(15);

/// `<folder>/.landfall/local`: where the local Azure of a project's folder lives.
pub fn state_folder(folder: &Path) -> PathBuf {
    folder.join(".landfall").join("local")
}

/// Starts `<exe> local run …` detached and returns when every plane answers. One that runs already is left as it
/// is. What it writes to its standard streams goes to `local.log` in the state folder.
///
/// # Errors
/// [`Error::Start`] with what it said last when it ends or hangs before it answers.
pub async fn start(folder: &Path, exe: &Path, launch: &Launch) -> Result<Started, Error> {
    let state = state_folder(folder);
    make_folder(&state)?;
    let begun = Instant::now();
    loop {
        if let Some(running) = running(&state)?
            && let Some(status) = answering(&state, running, None).await?
        {
            return Ok(Started::Already(status));
        }
        let log = state.join("local.log");
        let child = spawn(exe, &state, launch, &log)?;
        if let Some(status) = answering(&state, Running { said: None }, Some(child)).await? {
            return Ok(Started::Now(status));
        }
        // One that was ending, or another's start that failed, was in the way.
        if begun.elapsed() > START_WAIT_MAX {
            return Err(Error::Start { reason: "others start and end in the same folder".into(), log });
        }
    }
}

/// Ends the local Azure of `folder`: asks it to, waits, and kills it when it does not.
///
/// # Errors
/// When the state folder cannot be read.
pub async fn stop(folder: &Path) -> Result<Stopped, Error> {
    let state = state_folder(folder);
    if !state.exists() {
        return Ok(Stopped::NotRunning);
    }
    let Some(running) = running(&state)? else { return Ok(Stopped::NotRunning) };
    let Some(said) = running.said.or(wait_said(&state).await) else {
        return Err(Error::AlreadyRunning { folder: state, pid: None });
    };
    signal(said.status.pid, Signal::SIGTERM);
    let gracefully = wait_unlocked(&state, STOP_WAIT_MAX).await?;
    if !gracefully {
        signal(said.status.pid, Signal::SIGKILL);
        wait_unlocked(&state, STOP_WAIT_MAX).await?;
    }
    // The lock is let go a moment before the process is gone.
    wait_gone(said.status.pid).await;
    Ok(if gracefully { Stopped::Gracefully } else { Stopped::Killed })
}

/// The running local Azure of `folder`, `None` when there is none.
///
/// # Errors
/// When the state folder cannot be read, or the process that holds it does not answer.
pub async fn status(folder: &Path) -> Result<Option<Status>, Error> {
    let state = state_folder(folder);
    if !state.exists() {
        return Ok(None);
    }
    match running(&state)? {
        Some(running) => answering(&state, running, None).await,
        None => Ok(None),
    }
}

/// Names and values that point clients at the local Azure of `folder`, in the order of [`ENV_NAMES`].
///
/// # Errors
/// [`Error::NotRunning`], and those of [`status`].
pub async fn env(folder: &Path) -> Result<Vec<(String, String)>, Error> {
    let status = status(folder).await?.ok_or_else(|| Error::NotRunning { folder: folder.to_owned() })?;
    Ok(ENV_NAMES
        .iter()
        .filter_map(|name| Some(((*name).to_owned(), status.env.get(*name)?.clone())))
        .collect())
}

/// What the command `local run` does: serves in this process, in a session of its own, until SIGTERM or SIGINT.
///
/// # Errors
/// Those of [`crate::serve`].
pub async fn run(options: Options) -> Result<(), Error> {
    // Already the leader of a group (started by a shell with job control): then it stays in that session.
    let _ = nix::unistd::setsid();
    let stop = async {
        use tokio::signal::unix::{SignalKind, signal};
        match (signal(SignalKind::terminate()), signal(SignalKind::interrupt())) {
            (Ok(mut term), Ok(mut int)) => {
                tokio::select! { _ = term.recv() => {}, _ = int.recv() => {} }
            }
            _ => std::future::pending().await,
        }
    };
    crate::serve(options, |_| {}, stop).await
}

/// The arguments of the command that [`start`] runs, after the program's name. `landfall` maps them to
/// [`Options`]: `--memory` means [`State::Memory`] with the folder of `--state`.
pub fn run_arguments(state: &Path, launch: &Launch) -> Vec<OsString> {
    let mut arguments: Vec<OsString> = vec!["local".into(), "run".into(), "--state".into(), state.into()];
    let mut option = |name: &str, value: Option<OsString>| {
        if let Some(value) = value {
            arguments.push(name.into());
            arguments.push(value);
        }
    };
    option("--seed", launch.seed.map(|seed| seed.to_string().into()));
    option("--speed", launch.speed.map(|speed| speed.to_string().into()));
    option("--port", launch.port.map(|port| port.to_string().into()));
    option("--faults", launch.faults.as_deref().map(absolute));
    option("--types", launch.types.as_deref().map(absolute));
    if launch.memory {
        arguments.push("--memory".into());
    }
    arguments
}

/// [`Options`] for the arguments that [`run_arguments`] writes.
pub fn run_options(state: PathBuf, launch: Launch) -> Options {
    let Launch { memory, seed, speed, port, faults, types } = launch;
    let state = if memory { State::Memory(Some(state)) } else { State::Folder(state) };
    Options { state, seed, speed, port, faults, types }
}

fn absolute(path: &Path) -> OsString {
    std::path::absolute(path).unwrap_or_else(|_| path.to_owned()).into_os_string()
}

/// Makes a state folder that only its owner can look into.
pub(crate) fn make_folder(state: &Path) -> Result<(), Error> {
    let made = std::fs::DirBuilder::new().recursive(true).mode(0o700).create(state);
    made.map_err(|source| Error::File { action: "make", path: state.to_owned(), source })?;
    let owner_only = std::os::unix::fs::PermissionsExt::from_mode(0o700);
    std::fs::set_permissions(state, owner_only).map_err(|source| Error::File {
        action: "protect",
        path: state.to_owned(),
        source,
    })
}

/// The lock that a running local Azure holds on its state folder; let go by the system when the process ends.
#[derive(Debug)]
pub(crate) struct Hold {
    _file: File,
    state: PathBuf,
}

impl Hold {
    /// Takes the folder for this process.
    pub(crate) fn take(state: &Path) -> Result<Hold, Error> {
        // Who only asks whether one runs has the lock for an instant.
        for _ in 0..20 {
            if let Some(file) = try_lock(state)? {
                // What a killed one left behind.
                let _ = std::fs::remove_file(state.join("server.json"));
                return Ok(Hold { _file: file, state: state.to_owned() });
            }
            std::thread::sleep(Duration::from_millis(5));
        }
        let pid = said(state).map(|said| said.status.pid);
        Err(Error::AlreadyRunning { folder: state.to_owned(), pid })
    }

    /// Tells other processes where this one is.
    pub(crate) fn say(&self, status: &Status) -> Result<(), Error> {
        let said = Said { schema: 1, status: status.clone() };
        let text = serde_json::to_vec_pretty(&said).expect("a status is JSON");
        write_private(&self.state.join("server.json"), &text)
    }
}

impl Drop for Hold {
    fn drop(&mut self) {
        // Best effort: the lock, not this file, says whether one runs.
        let _ = std::fs::remove_file(self.state.join("server.json"));
    }
}

/// Replaces a file as a whole, readable by its owner only.
pub(crate) fn write_private(path: &Path, bytes: &[u8]) -> Result<(), Error> {
    let error = |source| Error::File { action: "write", path: path.to_owned(), source };
    let part = path.with_extension("part");
    let mut file =
        File::options().write(true).create(true).truncate(true).mode(0o600).open(&part).map_err(error)?;
    file.write_all(bytes).and_then(|()| file.sync_all()).map_err(error)?;
    std::fs::rename(&part, path).map_err(error)
}

/// `server.json`.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct Said {
    schema: u32,
    #[serde(flatten)]
    status: Status,
}

/// A process that holds the lock, and what it has said, which it does once it serves.
struct Running {
    said: Option<Said>,
}

fn running(state: &Path) -> Result<Option<Running>, Error> {
    match try_lock(state)? {
        Some(_) => Ok(None),
        None => Ok(Some(Running { said: said(state) })),
    }
}

fn try_lock(state: &Path) -> Result<Option<File>, Error> {
    let path = state.join("lock");
    let error = |source| Error::File { action: "lock", path: path.clone(), source };
    let file =
        File::options().write(true).create(true).truncate(false).mode(0o600).open(&path).map_err(error)?;
    match file.try_lock() {
        Ok(()) => Ok(Some(file)),
        Err(std::fs::TryLockError::WouldBlock) => Ok(None),
        Err(std::fs::TryLockError::Error(source)) => Err(error(source)),
    }
}

fn said(state: &Path) -> Option<Said> {
    serde_json::from_slice(&std::fs::read(state.join("server.json")).ok()?).ok()
}

async fn wait_said(state: &Path) -> Option<Said> {
    let begun = Instant::now();
    while begun.elapsed() < START_WAIT_MAX {
        if let Some(said) = said(state) {
            return Some(said);
        }
        tokio::time::sleep(POLL).await;
    }
    None
}

async fn wait_unlocked(state: &Path, max: Duration) -> Result<bool, Error> {
    let begun = Instant::now();
    while begun.elapsed() < max {
        if running(state)?.is_none() {
            return Ok(true);
        }
        tokio::time::sleep(POLL).await;
    }
    Ok(false)
}

/// Waits until a process is gone, or is only kept for its parent to look at.
async fn wait_gone(pid: u32) {
    const GONE_WAIT_MAX: Duration = Duration::from_secs(5);
    let begun = Instant::now();
    let there = || {
        let Ok(number) = i32::try_from(pid) else { return false };
        let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
        let ended = stat.rsplit(')').next().is_some_and(|rest| rest.trim_start().starts_with('Z'));
        !ended && nix::sys::signal::kill(nix::unistd::Pid::from_raw(number), None).is_ok()
    };
    while there() && begun.elapsed() < GONE_WAIT_MAX {
        tokio::time::sleep(POLL).await;
    }
}

/// Waits until it has said where it is and answers there; `child` is watched when it was just started. `None`: it was
/// another process's, and has ended.
async fn answering(
    state: &Path,
    running: Running,
    mut child: Option<Child>,
) -> Result<Option<Status>, Error> {
    let begun = Instant::now();
    let mut known = running.said;
    let mut last = String::from("it said nothing");
    loop {
        let ended = match &mut child {
            Some(child) => child.try_wait().unwrap_or_default(),
            None => None,
        };
        if let Some(ended) = ended {
            // Two starts at once: the other one's process has the lock, and is waited for like any.
            if self::running(state)?.is_none() {
                let log = state.join("local.log");
                let reason = tail(&log).unwrap_or_else(|| format!("it ended at once ({ended})"));
                return Err(Error::Start { reason, log });
            }
            child = None;
        }
        if child.is_none() && self::running(state)?.is_none() {
            return Ok(None);
        }
        if known.is_none() {
            known = said(state);
        }
        if let Some(found) = &known {
            match ask(&found.status).await {
                Ok(status) => return Ok(Some(status)),
                Err(reason) => last = reason,
            }
            // It may have been what an earlier process left behind.
            known = said(state);
        }
        if begun.elapsed() > START_WAIT_MAX {
            let log = state.join("local.log");
            return Err(Error::Start { reason: format!("it does not answer: {last}"), log });
        }
        tokio::time::sleep(POLL).await;
    }
}

/// Asks it for its status, over the network, as its clients would.
async fn ask(known: &Status) -> Result<Status, String> {
    let arm = known.urls.get("arm").ok_or("server.json names no address")?;
    let ca = std::fs::read(&known.ca_file).map_err(|e| format!("{}: {e}", known.ca_file.display()))?;
    let answer = client::get_json(&format!("{arm}/_local/status"), &ca).await?;
    serde_json::from_value(answer).map_err(|e| e.to_string())
}

fn spawn(exe: &Path, state: &Path, launch: &Launch, log: &Path) -> Result<Child, Error> {
    let error = |source| Error::File { action: "write", path: log.to_owned(), source };
    let file =
        File::options().write(true).create(true).truncate(true).mode(0o600).open(log).map_err(error)?;
    let second = file.try_clone().map_err(error)?;
    Command::new(exe)
        .args(run_arguments(&std::path::absolute(state).unwrap_or_else(|_| state.to_owned()), launch))
        .stdin(Stdio::null())
        .stdout(file)
        .stderr(second)
        // Not the caller's folder: it may be removed while this runs.
        .current_dir("/")
        .spawn()
        .map_err(|source| Error::File { action: "run", path: exe.to_owned(), source })
}

fn signal(pid: u32, signal: Signal) {
    if let Ok(pid) = i32::try_from(pid) {
        // Gone already is what we want.
        let _ = nix::sys::signal::kill(nix::unistd::Pid::from_raw(pid), signal);
    }
}

/// The last lines of a log, without the program's `error: `.
fn tail(log: &Path) -> Option<String> {
    const TAIL: u64 = 4096;
    let mut file = File::open(log).ok()?;
    let length = file.metadata().ok()?.len();
    file.seek(SeekFrom::Start(length.saturating_sub(TAIL))).ok()?;
    let mut bytes = Vec::new();
    file.read_to_end(&mut bytes).ok()?;
    let text = String::from_utf8_lossy(&bytes);
    let lines: Vec<&str> = text.lines().map(str::trim_end).filter(|line| !line.is_empty()).collect();
    let last = lines[lines.len().saturating_sub(8)..].join("\n");
    (!last.is_empty()).then(|| last.trim_start_matches("error: ").to_owned())
}
