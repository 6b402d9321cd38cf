//! What the system knows of processes: who we are, and whether another is alive.

use nix::errno::Errno;
use nix::sys::signal;
use nix::unistd::{self, Pid, User};

/// This machine's name.
pub(super) fn host() -> String {
    unistd::gethostname().map_or_else(|_| "localhost".into(), |name| name.to_string_lossy().into_owned())
}

/// The name of the user we run as, or its number when it has none.
pub(super) fn user() -> String {
    let id = unistd::getuid();
    User::from_uid(id).ok().flatten().map_or_else(|| id.to_string(), |user| user.name)
}

/// When the process started, in ticks since the machine did; `None` where the system does not tell.
pub(super) fn started(pid: u32) -> Option<u64> {
    stat(pid).map(|(_, started)| started)
}

/// Whether there is a process `pid` that started then. In doubt there is.
pub(super) fn is_alive(pid: u32, began: Option<u64>) -> bool {
    let Ok(id) = i32::try_from(pid) else { return false };
    // Signal 0 asks only whether it could be sent.
    if signal::kill(Pid::from_raw(id), None) == Err(Errno::ESRCH) {
        return false;
    }
    match stat(pid) {
        // Dead, with a parent that has not noticed.
        Some(('Z' | 'X', _)) => false,
        Some((_, now)) => began.is_none_or(|began| began == now),
        None => true,
    }
}

/// The state and the start of a process, from Linux's `/proc/PID/stat`.
fn stat(pid: u32) -> Option<(char, u64)> {
    #[expect(clippy::disallowed_methods, reason = "no file: the system's answer about a process")]
    let text = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // The name in parentheses may itself hold spaces and parentheses; what follows the last has a fixed order, from
    // the third field on. The start is the 22nd.
    let mut fields = text.rsplit_once(')')?.1.split_ascii_whitespace();
    Some((fields.next()?.chars().next()?, fields.nth(18)?.parse().ok()?))
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    use super::*;

    #[test]
    fn we_are_alive_and_were_not_started_at_another_time() {
        let pid = std::process::id();
        assert!(is_alive(pid, started(pid)));
        if let Some(started) = started(pid) {
            assert!(!is_alive(pid, Some(started + 1)), "a later process with the same id is another");
        }
    }

    #[test]
    fn a_process_that_ended_is_gone_even_before_its_parent_looks() {
        let mut child = Command::new("true").spawn().unwrap();
        let pid = child.id();
        let began = started(pid);
        // Until it is waited for it is a zombie, which a signal still reaches.
        for _ in 0..1_000_000 {
            if !is_alive(pid, began) {
                break;
            }
            std::thread::yield_now();
        }
        assert!(!cfg!(target_os = "linux") || !is_alive(pid, began));
        child.wait().unwrap();
        assert!(!is_alive(pid, began));
    }
}
