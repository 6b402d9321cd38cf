//! Processes: started by one thread that outlives them, found again by their tree, ended with grace.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill, killpg};
use nix::unistd::Pid;
use tokio::process::{Child, ChildStderr, ChildStdout};
use tokio::sync::oneshot;

use super::engine::Container;
use super::sandbox::WRAPPERS;

/// Starts processes from one thread.
///
/// A process asks the kernel to be ended with its parent, and for the kernel the parent is the *thread* that started
/// it: worker threads come and go, this one ends with the program.
#[derive(Clone, Debug)]
pub(crate) struct Nursery {
    jobs: std::sync::mpsc::Sender<Job>,
    /// One file per running process, for the next start to find what a `kill -9` left.
    births: PathBuf,
}

struct Job {
    command: Command,
    answer: oneshot::Sender<io::Result<Child>>,
}

impl Nursery {
    /// Ends what an earlier run recorded in `folder` and left behind, then starts the thread. Needs a tokio runtime.
    pub fn start(folder: PathBuf) -> io::Result<Nursery> {
        fs::create_dir_all(&folder)?;
        let ended = end_leftovers(&folder);
        if ended > 0 {
            tracing::info!(processes = ended, "ended replicas that an earlier run left behind");
        }
        let (jobs, work) = std::sync::mpsc::channel::<Job>();
        let handle = tokio::runtime::Handle::current();
        std::thread::Builder::new().name("replicas".into()).spawn(move || {
            let _in_runtime = handle.enter();
            for job in work {
                // Nobody waits for it any more: dropping the answer ends it (`kill_on_drop`).
                let _ =
                    job.answer.send(tokio::process::Command::from(job.command).kill_on_drop(true).spawn());
            }
        })?;
        Ok(Nursery { jobs, births: folder })
    }

    /// Starts `command` in a process group of its own, with its output in pipes.
    pub async fn spawn(&self, mut command: Command) -> io::Result<Process> {
        use std::os::unix::process::CommandExt;
        command.process_group(0).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let (answer, answered) = oneshot::channel();
        let gone = || io::Error::other("the thread that starts processes is gone");
        self.jobs.send(Job { command, answer }).map_err(|_| gone())?;
        let child = answered.await.map_err(|_| gone())??;
        let pid = child.id().ok_or_else(|| io::Error::other("the process ended at once"))?;
        let record = self.births.join(pid.to_string());
        fs::write(&record, start_time(pid).unwrap_or_default())?;
        Ok(Process { pid, held: Held::Child(Box::new(child), record) })
    }
}

/// A running process with all that it started.
#[derive(Debug)]
pub(crate) struct Process {
    /// The outermost process: the sandbox's, where there is one, or a container's first.
    pub pid: u32,
    held: Held,
}

#[derive(Debug)]
enum Held {
    /// A process of ours, and the file that tells the next start of it.
    Child(Box<Child>, PathBuf),
    /// A container of an engine's.
    Container(Container),
}

impl From<Container> for Process {
    fn from(container: Container) -> Process {
        Process { pid: container.pid, held: Held::Container(container) }
    }
}

impl Process {
    /// Waits for its end.
    pub async fn wait(&mut self) -> io::Result<ExitStatus> {
        match &mut self.held {
            Held::Child(child, _) => child.wait().await,
            Held::Container(container) => container.wait().await,
        }
    }

    /// What it writes, for whoever takes it first; an engine takes a container's output itself.
    pub fn output(&mut self) -> (Option<ChildStdout>, Option<ChildStderr>) {
        match &mut self.held {
            Held::Child(child, _) => (child.stdout.take(), child.stderr.take()),
            Held::Container(_) => (None, None),
        }
    }

    /// Ends it: SIGTERM to the program, SIGKILL to all of its tree when it does not go.
    pub async fn end(&mut self, grace: Duration) {
        match &mut self.held {
            Held::Child(child, _) => {
                if !grace.is_zero() {
                    terminate(self.pid);
                    if tokio::time::timeout(grace, child.wait()).await.is_ok() {
                        return;
                    }
                }
                end_tree(self.pid);
                let _ = tokio::time::timeout(Duration::from_secs(5), child.wait()).await;
            }
            Held::Container(container) => container.end(grace).await,
        }
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        if let Held::Child(_, record) = &self.held {
            end_tree(self.pid);
            let _ = fs::remove_file(record);
        }
    }
}

/// The process that runs the deployed program, below the sandbox's own.
pub(crate) fn program_of(pid: u32) -> u32 {
    let mut at = pid;
    for _ in 0..8 {
        let name = fs::read_to_string(format!("/proc/{at}/comm")).unwrap_or_default();
        if !WRAPPERS.contains(&name.trim()) {
            return at;
        }
        match children(at).first() {
            Some(&child) => at = child,
            None => return at,
        }
    }
    at
}

/// Sends SIGTERM to the program itself, past the sandbox.
fn terminate(pid: u32) {
    let _ = kill(raw(program_of(pid)), Signal::SIGTERM);
}

/// Kills a process and all below it at once.
pub(crate) fn end_tree(pid: u32) {
    let below = tree(pid);
    let _ = killpg(raw(pid), Signal::SIGKILL);
    for pid in below {
        let _ = kill(raw(pid), Signal::SIGKILL);
    }
}

#[allow(clippy::cast_possible_wrap)]
fn raw(pid: u32) -> Pid {
    Pid::from_raw(pid as i32)
}

fn children(pid: u32) -> Vec<u32> {
    let mut found = Vec::new();
    for task in fs::read_dir(format!("/proc/{pid}/task")).into_iter().flatten().flatten() {
        let listed = fs::read_to_string(task.path().join("children")).unwrap_or_default();
        found.extend(listed.split_whitespace().filter_map(|pid| pid.parse::<u32>().ok()));
    }
    found
}

/// A process and all below it.
pub(crate) fn tree(pid: u32) -> Vec<u32> {
    let mut all = vec![pid];
    let mut at = 0;
    while let Some(&pid) = all.get(at) {
        all.extend(children(pid));
        at += 1;
        // A program that forks without end must not keep this one busy.
        if all.len() > 4096 {
            break;
        }
    }
    all
}

/// What a process and all below it have used: seconds of processors so far, mebibytes of memory now.
pub(crate) fn usage(pid: u32) -> (f64, f64) {
    const TICKS_A_SECOND: f64 = 100.0;
    const PAGES_A_MEBIBYTE: f64 = 256.0;
    let (mut seconds, mut mebibytes) = (0.0, 0.0);
    for pid in tree(pid) {
        let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
        let fields = stat.rsplit_once(')').map(|(_, rest)| rest.split_whitespace()).into_iter().flatten();
        let fields: Vec<&str> = fields.collect();
        let number = |at: usize| fields.get(at).and_then(|field| field.parse::<f64>().ok()).unwrap_or(0.0);
        // With those of children that have ended and were waited for.
        seconds += (11..15).map(number).sum::<f64>() / TICKS_A_SECOND;
        let statm = fs::read_to_string(format!("/proc/{pid}/statm")).unwrap_or_default();
        let pages = statm.split_whitespace().nth(1).and_then(|pages| pages.parse::<f64>().ok());
        mebibytes += pages.unwrap_or(0.0) / PAGES_A_MEBIBYTE;
    }
    (seconds, mebibytes)
}

/// Whether a process and all below it have more memory than so many mebibytes, what they share counted once.
pub(crate) fn memory_above(pid: u32, mebibytes: u64) -> bool {
    const KIBIBYTES: u64 = 1024;
    if usage(pid).1 <= mebibytes as f64 {
        return false;
    }
    // Dearer to ask for, so it is asked when there is a doubt.
    let shares = tree(pid).into_iter().filter_map(|pid| {
        let rollup = fs::read_to_string(format!("/proc/{pid}/smaps_rollup")).ok()?;
        let line = rollup.lines().find_map(|line| line.strip_prefix("Pss:"))?;
        line.trim().strip_suffix("kB")?.trim().parse::<u64>().ok()
    });
    shares.sum::<u64>() > mebibytes * KIBIBYTES
}

/// When a running process started, in the kernel's ticks: with its number, this names it for good. `None` when it
/// has ended, also while nobody has taken its exit status yet.
fn start_time(pid: u32) -> Option<String> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // The name, in parentheses, may hold spaces.
    let mut fields = stat.rsplit_once(')')?.1.split_whitespace();
    if matches!(fields.next()?, "Z" | "X") {
        return None;
    }
    fields.nth(18).map(str::to_owned)
}

/// Ends processes recorded in `folder` that still run, and forgets them all.
fn end_leftovers(folder: &Path) -> usize {
    let mut ended = 0;
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        let recorded = fs::read_to_string(entry.path()).unwrap_or_default();
        if let Some(pid) = entry.file_name().to_str().and_then(|name| name.parse::<u32>().ok())
            && !recorded.is_empty()
            && start_time(pid).is_some_and(|now| now == recorded)
        {
            end_tree(pid);
            let limit = Instant::now() + Duration::from_secs(2);
            while start_time(pid).is_some_and(|now| now == recorded) && Instant::now() < limit {
                std::thread::sleep(Duration::from_millis(5));
            }
            ended += 1;
        }
        let _ = fs::remove_file(entry.path());
    }
    ended
}

/// A port that something listens on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Listener {
    pub port: u16,
    /// Only on 127.0.0.0/8 or `::1`: on Azure, nothing outside the container can reach it.
    pub loopback: bool,
}

/// What a process and all below it listen on, by TCP.
pub(crate) fn listeners(pid: u32) -> Vec<Listener> {
    let mut by_inode = BTreeMap::new();
    for table in ["/proc/net/tcp", "/proc/net/tcp6"] {
        for line in fs::read_to_string(table).unwrap_or_default().lines().skip(1) {
            if let Some((inode, listener)) = parse_listener(line) {
                by_inode.insert(inode, listener);
            }
        }
    }
    let mut found = Vec::new();
    for pid in tree(pid) {
        for fd in fs::read_dir(format!("/proc/{pid}/fd")).into_iter().flatten().flatten() {
            let Ok(link) = fs::read_link(fd.path()) else { continue };
            let inode = link.to_str().and_then(|link| link.strip_prefix("socket:[")?.strip_suffix(']'));
            if let Some(listener) = inode.and_then(|inode| by_inode.get(inode)) {
                found.push(*listener);
            }
        }
    }
    found.sort_unstable();
    found.dedup();
    // Reachable on one address is reachable.
    let open: Vec<u16> =
        found.iter().filter(|listener| !listener.loopback).map(|listener| listener.port).collect();
    found.retain(|listener| !listener.loopback || !open.contains(&listener.port));
    found
}

/// One line of `/proc/net/tcp`: inode and address, when it is a listening socket.
fn parse_listener(line: &str) -> Option<(String, Listener)> {
    let fields: Vec<&str> = line.split_whitespace().collect();
    if *fields.get(3)? != "0A" {
        return None;
    }
    let (address, port) = fields.get(1)?.split_once(':')?;
    let port = u16::from_str_radix(port, 16).ok()?;
    // Little-endian words: the last two digits of an IPv4 address are its first byte.
    let loopback = match address.len() {
        8 => address.ends_with("7F"),
        _ => {
            address == "00000000000000000000000001000000"
                || (address.starts_with("0000000000000000FFFF0000") && address.ends_with("7F"))
        }
    };
    Some(((*fields.get(9)?).to_owned(), Listener { port, loopback }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn listening_sockets_are_read_from_the_kernels_table() {
        let line = "   0: 0100007F:1F90 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 30614 1 0000 100";
        assert_eq!(parse_listener(line), Some(("30614".into(), Listener { port: 8080, loopback: true })));
        let line = "   0: 00000000:0BB8 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 7 1 0000 100";
        assert_eq!(parse_listener(line), Some(("7".into(), Listener { port: 3000, loopback: false })));
        let six = "   0: 00000000000000000000000000000000:0BB8 00000000000000000000000000000000:0000 0A 0:0 0:0 0 0 0 9 1 0";
        assert_eq!(parse_listener(six), Some(("9".into(), Listener { port: 3000, loopback: false })));
        let connected = "   0: 0100007F:1F90 0100007F:9999 01 00000000:00000000 00:00000000 00000000     0        0 30614 1";
        assert_eq!(parse_listener(connected), None);
    }

    #[test]
    fn what_a_process_uses_is_measured() {
        let own = std::process::id();
        let before = usage(own);
        // A busy machine gives a busy loop little: it goes on until it had enough.
        let until = Instant::now() + Duration::from_secs(20);
        let (mut number, mut after) = (0u64, before);
        while after.0 - before.0 <= 0.1 && Instant::now() < until {
            for _ in 0..10_000_000 {
                number = std::hint::black_box(number.wrapping_mul(31).wrapping_add(7));
            }
            after = usage(own);
        }
        assert!(after.0 - before.0 > 0.1, "{before:?} {after:?} {number}");
        assert!(after.1 > 1.0, "{after:?}");
    }

    #[test]
    fn own_listeners_are_found() {
        let open = std::net::TcpListener::bind("0.0.0.0:0").unwrap();
        let near = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let found = listeners(std::process::id());
        assert!(found.contains(&Listener { port: open.local_addr().unwrap().port(), loopback: false }));
        assert!(found.contains(&Listener { port: near.local_addr().unwrap().port(), loopback: true }));
    }

    #[tokio::test]
    async fn what_a_killed_run_left_is_found_and_ended() {
        let folder = tempfile::tempdir().unwrap();
        let mut child = Command::new("sleep").arg("600").spawn().unwrap();
        fs::write(folder.path().join(child.id().to_string()), start_time(child.id()).unwrap()).unwrap();
        // A number that was reused by another process is left alone.
        let own = std::process::id();
        fs::write(folder.path().join(own.to_string()), "1").unwrap();
        // The leftover is our own child here, so somebody has to take its exit status.
        let reaper = std::thread::spawn(move || child.wait().unwrap());
        let _nursery = Nursery::start(folder.path().to_path_buf()).unwrap();
        use std::os::unix::process::ExitStatusExt;
        assert_eq!(reaper.join().unwrap().signal(), Some(9));
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
    }
}
