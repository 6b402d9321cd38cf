//! The loop around the core: performs its effects and tells it what became of them.
//!
//! ```text
//!              ┌──────────────── one task ────────────────┐
//!   Cancel ───▶│                                          │── begin, follow ──▶ tasks (Hands)
//!   Lease  ───▶│  select → turn → commit records → effects│                        │
//!   Clock  ───▶│     ▲                                    │── events ──▶ watchers  │
//!              └─────┼────────────────────────────────────┘                        │
//!                    └───────────────────────── answers ◀──────────────────────────┘
//! ```
//!
//! Answers that arrive while a commit is under way are taken in together after it, and share the next: with many
//! operations at work, one wait for the disk serves them all.

use std::any::Any;
use std::panic::AssertUnwindSafe;
use std::sync::{Arc, PoisonError};
use std::time::Duration;

use futures::FutureExt;
use jiff::Timestamp;
use serde_json::Value;
use tokio::runtime::{Handle, RuntimeFlavor};
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::sync::watch;
use tokio::task::{JoinSet, block_in_place};

use crate::clock::{Clock, SystemClock, between};
use crate::event::{Event, What};
use crate::failure::{Failure, Patience};
use crate::graph::{Graph, Operation, OperationKey};
use crate::hands::{Context, Hands, Outputs, Step};
use crate::journal::{Entry, JournalError, RunId};
use crate::lease::Lease;
use crate::report::{Outcome, Report};
use crate::status::{OutOfOrder, Record};
use crate::turn::{Core, Effect, Input};

/// How a run is carried out.
#[derive(Clone)]
pub struct Options {
    /// How many operations may be at work at once, those included that the other side has accepted.
    pub parallel: usize,
    /// How failures are borne.
    pub patience: Patience,
    /// Where time comes from.
    pub clock: Arc<dyn Clock>,
    /// Where chance comes from: the spread of the waits between tries.
    pub seed: u64,
}

impl Default for Options {
    /// Sixteen at once, at a cloud's pace, by the machine's clock, with a fixed seed.
    fn default() -> Self {
        Self { parallel: 16, patience: Patience::default(), clock: Arc::new(SystemClock::new()), seed: 0 }
    }
}

/// Says to a run that it shall stop: nothing new starts, what was accepted is followed to its end. Cheap to clone;
/// all clones are the same.
#[derive(Debug, Clone)]
pub struct Cancel(Arc<watch::Sender<bool>>);

impl Default for Cancel {
    fn default() -> Self {
        Self::new()
    }
}

impl Cancel {
    /// One that nobody has used yet.
    pub fn new() -> Self {
        Self(Arc::new(watch::Sender::new(false)))
    }

    /// Cancels. Again does nothing.
    pub fn cancel(&self) {
        self.0.send_replace(true);
    }

    /// Whether somebody has cancelled.
    pub fn is_cancelled(&self) -> bool {
        *self.0.borrow()
    }

    /// Returns once somebody has.
    pub async fn cancelled(&self) {
        // The sender lives in `self`: waiting ends by a cancel alone.
        let _ = self.0.subscribe().wait_for(|cancelled| *cancelled).await;
    }
}

/// Why a run stopped without coming to its end. It can be resumed.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The journal failed, or the lease was lost: what cannot be recorded must not be done.
    #[error(transparent)]
    Journal(#[from] JournalError),
    /// Operations are left, and nothing is at work or awaited that could move them.
    #[error("the engine is stuck: operations are left and none can begin")]
    Stuck,
    /// The engine contradicts itself; the journal holds only what was in order.
    #[error("the engine went wrong at `{operation}`")]
    OutOfOrder {
        /// The operation.
        operation: String,
        /// What did not fit.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
}

impl Error {
    /// What to do about it, for people.
    pub fn help(&self) -> Option<String> {
        match self {
            Self::Journal(error) => error.help(),
            Self::Stuck | Self::OutOfOrder { .. } => {
                Some("this is a fault of ours; the run can be resumed".into())
            }
        }
    }
}

/// Carries `run` out, or goes on with it from wherever its journal says it stands, to its end.
///
/// Failed operations are no error: the report tells of them. Dropping the future is like a crash: safe, and to be
/// followed by another `run`. Events tell only of this process's part; what earlier ones did is in the report.
///
/// # Errors
/// When the run has ended before or is of another scope, the journal fails, or the lease is lost; all stops at once
/// then, and but for the first two the run can be resumed.
pub async fn run(
    lease: &Lease,
    run: &RunId,
    hands: Arc<dyn Hands>,
    options: Options,
    events: UnboundedSender<Event>,
    cancel: Cancel,
) -> Result<Report, Error> {
    let (runner, answers) = Runner::load(lease, run, hands, options, events)?;
    runner.carry_out(answers, cancel).await?;
    Ok(lease.journal().report(run)?)
}

/// One process's work on a run. Dropping it ends the tasks it started.
struct Runner<'a> {
    lease: &'a Lease,
    run: RunId,
    scope: Arc<str>,
    hands: Arc<dyn Hands>,
    graph: Arc<Graph>,
    core: Core,
    outputs: Outputs,
    clock: Arc<dyn Clock>,
    events: UnboundedSender<Event>,
    tasks: JoinSet<()>,
    replies: UnboundedSender<(usize, Result<Step, Failure>)>,
}

type Answers = UnboundedReceiver<(usize, Result<Step, Failure>)>;

/// What turns of the core have asked for and has not been done.
#[derive(Default)]
struct Work {
    records: Vec<Entry>,
    /// In order, each with its time.
    effects: Vec<(Timestamp, Effect)>,
    outcome: Option<(Timestamp, Outcome)>,
}

impl<'a> Runner<'a> {
    /// From what the journal holds.
    fn load(
        lease: &'a Lease,
        run: &RunId,
        hands: Arc<dyn Hands>,
        options: Options,
        events: UnboundedSender<Event>,
    ) -> Result<(Self, Answers), Error> {
        let Options { parallel, patience, clock, seed } = options;
        lease.open_session(run, clock.now())?;
        let history = lease.journal().history(run)?;
        let graph = history.graph;
        let outputs = Outputs::default();
        let mut statuses = Vec::with_capacity(graph.len());
        for (operation, known) in graph.operations().iter().zip(history.operations) {
            if let Some(output) = known.output {
                put(&outputs, operation.key.clone(), output);
            }
            statuses.push((known.status, known.begun));
        }
        let core = Core::new(Arc::clone(&graph), statuses, parallel, patience, seed, clock.now());
        let (replies, answers) = unbounded_channel();
        let tasks = JoinSet::new();
        let (run, scope) = (run.clone(), lease.scope().into());
        Ok((Self { lease, run, scope, hands, graph, core, outputs, clock, events, tasks, replies }, answers))
    }

    /// Turns until the run has ended.
    async fn carry_out(mut self, mut answers: Answers, cancel: Cancel) -> Result<(), Error> {
        let lease = self.lease;
        let clock = Arc::clone(&self.clock);
        let mut cancelled = false;
        let mut work = Work::default();
        // A cancel that came before us comes before the first begin.
        if cancel.is_cancelled() || lease.journal().is_cancel_requested(lease.scope())? {
            cancelled = true;
            self.turn(Input::Cancel, &mut work)?;
        } else {
            self.turn(Input::Tick, &mut work)?;
        }
        loop {
            let ended = work.outcome;
            self.perform(std::mem::take(&mut work))?;
            if let Some((_, outcome)) = ended {
                tracing::info!(run = %self.run, %outcome, "run ended");
                return Ok(());
            }
            let deadline = self.core.deadline().map(|at| between(clock.now(), at));
            if deadline.is_none() && self.tasks.is_empty() && answers.is_empty() {
                return Err(Error::Stuck);
            }
            let input = tokio::select! {
                biased;
                () = lease.lost() => return Err(self.lost()?.into()),
                () = cancel.cancelled(), if !cancelled => Input::Cancel,
                () = lease.cancel_requested(), if !cancelled => Input::Cancel,
                Some((operation, answer)) = answers.recv() => Input::Answer { operation, answer },
                () = sleep(&*clock, deadline), if deadline.is_some() => Input::Tick,
                Some(ended) = self.tasks.join_next(), if !self.tasks.is_empty() => {
                    // Its answer is in the channel; a panic of the hands was caught within.
                    debug_assert!(ended.is_ok(), "tasks neither panic nor are aborted while we are here");
                    continue;
                }
            };
            cancelled |= matches!(input, Input::Cancel);
            self.turn(input, &mut work)?;
            // All that came in meanwhile shares one commit.
            while let Ok((operation, answer)) = answers.try_recv() {
                self.turn(Input::Answer { operation, answer }, &mut work)?;
            }
        }
    }

    /// One turn of the core, at the clock's time.
    fn turn(&mut self, input: Input, work: &mut Work) -> Result<(), Error> {
        let now = self.clock.now();
        let about = match &input {
            Input::Answer { operation, .. } => self.graph.operations()[*operation].key.to_string(),
            Input::Tick | Input::Cancel => self.run.to_string(),
        };
        let out_of_order = |source: OutOfOrder| Error::OutOfOrder { operation: about, source: source.into() };
        for effect in self.core.turn(now, input).map_err(out_of_order)? {
            match effect {
                Effect::Record { operation: position, record } => {
                    let key = self.graph.operations()[position].key.clone();
                    tracing::debug!(run = %self.run, operation = %key, record = record.name(), "recorded");
                    work.records.push(Entry { position, key, at: now, record });
                }
                Effect::End(outcome) => work.outcome = Some((now, outcome)),
                other => work.effects.push((now, other)),
            }
        }
        Ok(())
    }

    /// Commits the records, then does what relies on them.
    fn perform(&mut self, work: Work) -> Result<(), Error> {
        let Work { records, effects, outcome } = work;
        if !records.is_empty() || outcome.is_some() {
            self.commit(&records, outcome)?;
        }
        for Entry { key, record, .. } in records {
            if let Record::Done { output } = record {
                put(&self.outputs, key, output);
            }
        }
        for (at, effect) in effects {
            match effect {
                Effect::Begin { operation, attempt } => self.begin(operation, attempt),
                Effect::Follow { operation, attempt, token } => self.follow(operation, attempt, token),
                Effect::Tell { operation, what } => self.tell(at, operation, what),
                Effect::Record { .. } | Effect::End(_) => unreachable!("committed above"),
            }
        }
        Ok(())
    }

    /// Writes to the disk, and lets this thread's other tasks go on elsewhere meanwhile.
    ///
    /// It is not handed to another thread: a commit that outlived a dropped run could meet the next one's.
    fn commit(&self, records: &[Entry], outcome: Option<(Timestamp, Outcome)>) -> Result<(), JournalError> {
        let commit = || self.lease.commit(&self.run, records, outcome);
        let elsewhere = Handle::current().runtime_flavor() == RuntimeFlavor::MultiThread;
        if elsewhere && !self.lease.journal().is_in_memory() { block_in_place(commit) } else { commit() }
    }

    fn begin(&mut self, operation: usize, attempt: u32) {
        let (graph, hands, context) = self.context(operation, attempt);
        self.start(operation, async move { hands.begin(&graph.operations()[operation], &context).await });
    }

    fn follow(&mut self, operation: usize, attempt: u32, token: Value) {
        let (graph, hands, context) = self.context(operation, attempt);
        self.start(
            operation,
            async move { hands.follow(&graph.operations()[operation], &token, &context).await },
        );
    }

    /// Has `work` done beside us, and its answer sent to us, whatever becomes of it.
    fn start(
        &mut self,
        operation: usize,
        work: impl Future<Output = Result<Step, Failure>> + Send + 'static,
    ) {
        let replies = self.replies.clone();
        self.tasks.spawn(async move {
            let answer =
                AssertUnwindSafe(work).catch_unwind().await.unwrap_or_else(|panic| Err(panicked(&*panic)));
            // Nobody listens any more when the run stopped for a failing journal.
            let _ = replies.send((operation, answer));
        });
    }

    fn context(&self, operation: usize, attempt: u32) -> (Arc<Graph>, Arc<dyn Hands>, Context) {
        let Operation { key, subject, kind, .. } = &self.graph.operations()[operation];
        let context = Context {
            run: self.run.clone(),
            scope: Arc::clone(&self.scope),
            key: key.clone(),
            subject: subject.clone(),
            kind: kind.clone(),
            attempt,
            fence: self.lease.fence(),
            outputs: Arc::clone(&self.outputs),
            events: self.events.clone(),
            clock: Arc::clone(&self.clock),
        };
        (Arc::clone(&self.graph), Arc::clone(&self.hands), context)
    }

    fn tell(&self, at: Timestamp, operation: usize, what: What) {
        let Operation { key, subject, kind, .. } = &self.graph.operations()[operation];
        let (operation, address, kind) = (key.clone(), subject.clone(), kind.clone());
        // A run goes on when nobody watches.
        let _ = self.events.send(Event { what, at, run: self.run.clone(), operation, address, kind });
    }

    /// That the lease is lost, and to whom.
    fn lost(&self) -> Result<JournalError, JournalError> {
        let by = self.lease.journal().holder(&self.scope)?.map(Box::new);
        Ok(JournalError::LeaseLost { scope: self.scope.to_string(), by })
    }
}

fn put(outputs: &Outputs, key: OperationKey, output: Value) {
    outputs.write().unwrap_or_else(PoisonError::into_inner).insert(key, Arc::new(output));
}

async fn sleep(clock: &dyn Clock, duration: Option<Duration>) {
    if let Some(duration) = duration {
        clock.sleep(duration).await;
    }
}

/// Hands that panic have failed, and no more than that.
fn panicked(panic: &(dyn Any + Send)) -> Failure {
    let text =
        panic.downcast_ref::<&str>().copied().or_else(|| panic.downcast_ref::<String>().map(String::as_str));
    Failure::fatal(format!("its code panicked: {}", text.unwrap_or("without a word")))
}

#[cfg(test)]
pub(crate) mod simulation;
#[cfg(test)]
mod tests;
