//! Ctrl-C and SIGTERM, whatever the process is at.
//!
//! - While a run goes on, the run is told: the first signal cancels it, the second leaves at once.
//! - Before and after, nothing is under way that Azure was told of, so the process says that it was interrupted and
//!   leaves, with the last line that programs wait for.

use std::sync::atomic::{AtomicBool, Ordering};

use tokio::signal::unix::{Signal, SignalKind, signal};

use crate::failure::{Exit, Failure};
use crate::ui::Ui;

/// Whether a run listens, and this process may not just leave.
static RUNNING: AtomicBool = AtomicBool::new(false);

/// Leaves on the first signal that comes while no run goes on.
pub fn watch(ui: Ui) {
    tokio::spawn(async move {
        let Some(mut signals) = Signals::listen() else { return };
        loop {
            signals.next().await;
            if !RUNNING.load(Ordering::Acquire) {
                leave(&ui, None);
            }
        }
    });
}

/// A run that listens itself, until this is dropped.
#[derive(Debug)]
pub struct Claim(());

impl Claim {
    /// From now on signals are the run's.
    pub fn new() -> Claim {
        RUNNING.store(true, Ordering::Release);
        Claim(())
    }
}

impl Drop for Claim {
    fn drop(&mut self) {
        RUNNING.store(false, Ordering::Release);
    }
}

/// Says so and ends the process.
pub fn leave(ui: &Ui, help: Option<&str>) -> ! {
    ui.fresh_line();
    Failure::new(Exit::Interrupted, "interrupted")
        .help(help.unwrap_or("give the command again; it goes on from what is there"))
        .report(ui);
    std::process::exit(Exit::Interrupted as i32)
}

/// SIGINT and SIGTERM.
#[derive(Debug)]
pub struct Signals {
    interrupt: Signal,
    terminate: Signal,
}

impl Signals {
    /// `None` where the system lets nobody listen; the signals then end the process as ever.
    pub fn listen() -> Option<Signals> {
        Some(Signals {
            interrupt: signal(SignalKind::interrupt()).ok()?,
            terminate: signal(SignalKind::terminate()).ok()?,
        })
    }

    /// Waits for either.
    pub async fn next(&mut self) {
        tokio::select! {
            _ = self.interrupt.recv() => {}
            _ = self.terminate.recv() => {}
        }
    }
}
