//! A graph of operations, carried out: journalled, in parallel, retried, resumed, cancelled.
//!
//! The engine runs a [`Graph`] of idempotent [`Operation`]s through somebody's [`Hands`] and leaves the truth
//! about it in a [`Journal`]. What an operation does, it does not know: nothing here speaks of Azure, of HTTP
//! or of manifests. It keeps one promise, whatever happens to the process at any instruction: when the run has come
//! to its end, no operation was lost, none was doubled, each came after what it needs, and the journal tells how
//! each one ended.
//!
//! How: an operation is `begun` in the journal before its hands move, `accepted` with a token before anyone
//! waits for it, and `done` with its output before anything that needs it starts. After a crash the same
//! function that derives an operation's status in a running process derives it from those records; what was
//! begun without an outcome is begun again (and told so), what was accepted is followed by its token.
//!
//! ```text
//!   Graph ──create_run──▶ Journal ──records──▶ Status ──▶ turn (pure: decides) ──effects──▶ run (does)
//!                            ▲                                  ▲                            │
//!                            └───────── records, fenced ────────┼────────────────────────────┤
//!                                                               └── answers, timers, cancel ◀┴─▶ Hands
//! ```
//!
//! Modules, in reading order:
//! - [`graph`]: operations, what they need, and which come first
//! - [`failure`]: what goes wrong, by class, and how long each class is borne
//! - [`hands`]: who carries an operation out, and what they are told
//! - `status`: records to status, the one table of transitions
//! - `turn`: the pure core; given what happened, what to do
//! - [`journal`]: the records, on disk
//! - [`lease`]: one run at a time for each scope, with fencing
//! - [`event`]: what a watcher sees while it runs
//! - [`report`]: what is known of a run, during and after
//! - [`mod@run`]: the loop around the core
//! - [`clock`]: time, passed in

pub mod clock;
pub mod event;
pub mod failure;
pub mod graph;
pub mod hands;
pub mod journal;
pub mod lease;
pub mod report;
pub mod run;
mod status;
mod turn;

pub use clock::{Clock, SystemClock};
pub use event::{Event, What};
pub use failure::{Class, Failure, Patience, Policy};
pub use graph::{Graph, GraphError, Operation, OperationKey};
pub use hands::{Context, Hands, Step};
pub use journal::{Journal, JournalError, RunId};
pub use lease::{Holder, Lease, LeaseError, Owner, Terms};
pub use report::{
    Bound, Ended, OperationReport, OperationStatus, Outcome, Report, RunState, RunSummary, Session,
};
pub use run::{Cancel, Error, Options, run};
