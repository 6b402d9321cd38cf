//! The pure core of a run: given what happened, what to do. It reads no clock and does no I/O.
//!
//! An operation's [`Status`] is what the journal says; beside it stands a [`Phase`], what this process is doing
//! about it, which a crash may lose:
//!
//! ```text
//!   Blocked ─needs done─▶ Queued ─a place is free─▶ Beginning ─done, failed──────────────▶ Ended
//!                           ▲                        │     │                                ▲
//!                           └──time── Resting ◀─retry┘     └accepted─▶ Watching ─time─▶ Following
//!                                        ▲                                ▲              │  │
//!                                        └────────── it is over ──────────┼──────────────┘  │
//!                                                                         └─running, retry──┘
//! ```
//!
//! Places are taken from `Beginning` to the end of what was accepted; an operation that rests gives its place up,
//! so that a few that wait for a right to be seen do not hold up the rest. A group is kept from the first begin to
//! the end, rests included, since a half-done writer must not meet another.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use serde_json::Value;

use crate::clock::{add, between};
use crate::event::What;
use crate::failure::{Class, Failure, Patience, Policy};
use crate::graph::Graph;
use crate::hands::Step;
use crate::report::{Ended, Outcome};
use crate::status::{OutOfOrder, Record, Status};

/// No wait is shorter: an answer of "at once" must not become a loop without a pause.
const WAIT_MIN: Duration = Duration::from_millis(10);

/// Something happened.
#[derive(Debug)]
pub(crate) enum Input {
    /// Time passed, or nothing yet: look at what is due.
    Tick,
    /// An operation's hands have moved.
    Answer { operation: usize, answer: Result<Step, Failure> },
    /// The run shall stop.
    Cancel,
}

/// Something to do. Records of one list are committed, together, before anything else in it is done.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Effect {
    /// Write this to the journal.
    Record { operation: usize, record: Record },
    /// Call `begin`; it is the `attempt`-th time.
    Begin { operation: usize, attempt: u32 },
    /// Call `follow`.
    Follow { operation: usize, attempt: u32, token: Value },
    /// Tell watchers.
    Tell { operation: usize, what: What },
    /// The run is at its end.
    End(Outcome),
}

/// What this process is doing about an operation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Phase {
    /// Operations that it needs are not done.
    Blocked,
    /// It could begin; a place, or its group, is not free.
    Queued,
    /// `begin` is at work.
    Beginning,
    /// Waiting to begin again.
    Resting(Timestamp),
    /// Accepted; waiting to look.
    Watching(Timestamp),
    /// `follow` is at work.
    Following,
    /// At its end.
    Ended,
}

#[derive(Debug)]
struct Slot {
    status: Status,
    phase: Phase,
    /// When it was first begun.
    begun: Option<Timestamp>,
    /// How many needs are not done.
    open: usize,
    /// Failures of beginning, for the operation's whole life: what is accepted, over, and begun again must not
    /// win new patience each time.
    begins: Troubles,
    /// Failures of looking, since the last look that succeeded.
    looks: Troubles,
    /// How often chance was drawn for it.
    draws: u64,
}

/// By class, when it was first met and how often since.
type Troubles = BTreeMap<Class, (Timestamp, u32)>;

/// The greatest rank first, then the graph's order.
type Place = (Reverse<Duration>, usize);

#[derive(Debug, Default)]
struct Group {
    /// Who is at work, or next.
    holder: Option<usize>,
    waiting: BTreeSet<Place>,
}

/// A run, as one process sees it.
#[derive(Debug)]
pub(crate) struct Core {
    graph: Arc<Graph>,
    patience: Patience,
    parallel: usize,
    seed: u64,
    slots: Vec<Slot>,
    /// What may begin as soon as there is a place.
    ready: BTreeSet<Place>,
    timers: BTreeSet<(Timestamp, usize)>,
    groups: BTreeMap<String, Group>,
    /// Places taken.
    active: usize,
    /// Operations not at their end.
    left: usize,
    cancelled: bool,
    ended: bool,
}

impl Core {
    /// The run of `graph` whose operations stand, and were first begun, as `history` says: all waiting when new.
    pub(crate) fn new(
        graph: Arc<Graph>,
        history: Vec<(Status, Option<Timestamp>)>,
        parallel: usize,
        patience: Patience,
        seed: u64,
        now: Timestamp,
    ) -> Self {
        let is_done = |at: usize| history[at].0 == Status::Ended(Ended::Done);
        let open: Vec<_> = (0..graph.len())
            .map(|at| graph.needs(at).iter().filter(|&&need| !is_done(need)).count())
            .collect();
        let slots: Vec<_> = history
            .into_iter()
            .zip(open)
            .map(|((status, begun), open)| Slot {
                phase: match &status {
                    Status::Waiting if open > 0 => Phase::Blocked,
                    Status::Waiting | Status::Begun { .. } => Phase::Queued,
                    // What was accepted by an earlier process is looked after at once.
                    Status::Accepted { .. } => Phase::Watching(now),
                    Status::Ended(_) => Phase::Ended,
                },
                status,
                begun,
                open,
                begins: Troubles::new(),
                looks: Troubles::new(),
                draws: 0,
            })
            .collect();
        let mut core = Self {
            left: slots.iter().filter(|slot| slot.phase != Phase::Ended).count(),
            active: slots.iter().filter(|slot| matches!(slot.phase, Phase::Watching(_))).count(),
            ready: BTreeSet::new(),
            timers: BTreeSet::new(),
            groups: BTreeMap::new(),
            cancelled: false,
            ended: false,
            parallel: parallel.max(1),
            graph,
            patience,
            seed,
            slots,
        };
        core.take_up();
        core
    }

    /// Puts every operation where its phase says. What an earlier process left accepted has its place and its group
    /// still, and what it left begun comes to its group before those never begun.
    fn take_up(&mut self) {
        let (mut begun, mut new) = (Vec::new(), Vec::new());
        for at in 0..self.slots.len() {
            match (self.slots[at].phase, &self.slots[at].status) {
                (Phase::Watching(due), _) => {
                    self.timers.insert((due, at));
                    if let Some(group) = &self.graph.operations()[at].group {
                        self.groups.entry(group.clone()).or_default().holder = Some(at);
                    }
                }
                (Phase::Queued, Status::Begun { .. }) => begun.push(at),
                (Phase::Queued, _) => new.push(at),
                _ => {}
            }
        }
        for at in begun.into_iter().chain(new) {
            self.enqueue(at);
        }
    }

    /// When to come with a `Tick` at the latest; `None` when only an answer can move the run.
    pub(crate) fn deadline(&self) -> Option<Timestamp> {
        self.timers.first().map(|&(at, _)| at)
    }

    /// Takes in what happened and says what to do about it.
    ///
    /// # Errors
    /// When something happened that cannot have. The core is of no use then; the journal is, for it holds nothing
    /// of this turn.
    pub(crate) fn turn(&mut self, now: Timestamp, input: Input) -> Result<Vec<Effect>, OutOfOrder> {
        let mut effects = Vec::new();
        match input {
            Input::Tick => {}
            Input::Cancel => self.cancel(now, &mut effects)?,
            Input::Answer { operation, answer } => self.answer(now, operation, answer, &mut effects)?,
        }
        self.wake(now, &mut effects);
        self.start(now, &mut effects)?;
        if self.left == 0 && !self.ended {
            self.ended = true;
            effects.push(Effect::End(self.outcome()));
        }
        Ok(effects)
    }

    /// Takes in an answer of `begin` or `follow`.
    fn answer(
        &mut self,
        now: Timestamp,
        at: usize,
        answer: Result<Step, Failure>,
        effects: &mut Vec<Effect>,
    ) -> Result<(), OutOfOrder> {
        let following = self.slots[at].phase == Phase::Following;
        assert!(following || self.slots[at].phase == Phase::Beginning, "only what is at work answers");
        match answer {
            Ok(Step::Done(output)) => self.end(now, at, Record::Done { output }, effects),
            Ok(Step::Accepted { token, after }) => {
                let after = after.max(WAIT_MIN);
                let slot = &mut self.slots[at];
                slot.looks.clear();
                slot.phase = Phase::Watching(add(now, after));
                self.timers.insert((add(now, after), at));
                let known = matches!(&slot.status, Status::Accepted { token: known, .. } if *known == token);
                if !known {
                    self.record(at, Record::Accepted { token }, effects)?;
                    effects.push(Effect::Tell { operation: at, what: What::Accepted { after } });
                }
                Ok(())
            }
            Err(failure) => self.failure(now, at, failure, following, effects),
        }
    }

    /// Takes in a failure: tries again if there is patience left, gives up if not.
    fn failure(
        &mut self,
        now: Timestamp,
        at: usize,
        failure: Failure,
        following: bool,
        effects: &mut Vec<Effect>,
    ) -> Result<(), OutOfOrder> {
        let looking = following && !failure.over;
        if self.cancelled && !looking && failure.class != Class::Fatal {
            // It will not be tried again. What had been accepted has come to its end, and that was this failure.
            let record = if following {
                Record::Failed { failure, borne: None }
            } else {
                Record::Cancelled { failure: Some(failure) }
            };
            return self.end(now, at, record, effects);
        }
        match self.patience(now, at, &failure, looking) {
            Verdict::GiveUp { borne } => self.end(now, at, Record::Failed { failure, borne }, effects),
            Verdict::TryAgain { after } => {
                let until = add(now, after);
                self.timers.insert((until, at));
                if looking {
                    self.slots[at].phase = Phase::Watching(until);
                } else {
                    self.slots[at].phase = Phase::Resting(until);
                    self.active -= 1;
                }
                self.record(at, Record::Retried { failure: failure.clone(), after }, effects)?;
                effects.push(Effect::Tell { operation: at, what: What::Retried { failure, after } });
                Ok(())
            }
        }
    }

    /// Whether `failure` is borne once more, and after which wait.
    fn patience(&mut self, now: Timestamp, at: usize, failure: &Failure, looking: bool) -> Verdict {
        let Some(policy) = self.patience.of(failure.class) else { return Verdict::GiveUp { borne: None } };
        let slot = &mut self.slots[at];
        let troubles = if looking { &mut slot.looks } else { &mut slot.begins };
        let (since, times) = troubles.entry(failure.class).or_insert((now, 0));
        *times += 1;
        let borne = between(*since, now);
        let left = policy.budget.saturating_sub(borne);
        let after = match failure.retry_after {
            // Neither sooner than asked, nor at all when that is past our patience.
            Some(asked) => asked.max(WAIT_MIN),
            // The last try is at the very end of the budget.
            None => {
                slot.draws += 1;
                backoff(policy, *times, chance(self.seed, at, slot.draws)).max(WAIT_MIN).min(left)
            }
        };
        if left.is_zero() || after > left {
            Verdict::GiveUp { borne: Some(borne) }
        } else {
            Verdict::TryAgain { after }
        }
    }

    /// Stops everything that is not in the other side's hands.
    fn cancel(&mut self, now: Timestamp, effects: &mut Vec<Effect>) -> Result<(), OutOfOrder> {
        self.cancelled = true;
        for at in 0..self.slots.len() {
            match self.slots[at].phase {
                Phase::Blocked | Phase::Queued => {}
                Phase::Resting(until) => {
                    self.timers.remove(&(until, at));
                }
                Phase::Beginning | Phase::Watching(_) | Phase::Following | Phase::Ended => continue,
            }
            self.settle(now, at, Record::Cancelled { failure: None }, effects)?;
        }
        self.ready.clear();
        self.groups.clear();
        Ok(())
    }

    /// Ends an operation that has a place, and all that its end decides.
    fn end(
        &mut self,
        now: Timestamp,
        at: usize,
        record: Record,
        effects: &mut Vec<Effect>,
    ) -> Result<(), OutOfOrder> {
        let done = matches!(record, Record::Done { .. });
        let failed = matches!(record, Record::Failed { .. });
        self.settle(now, at, record, effects)?;
        self.active -= 1;
        if done {
            let graph = Arc::clone(&self.graph);
            for &after in graph.needed_by(at) {
                self.slots[after].open -= 1;
                if self.slots[after].open == 0 && self.slots[after].phase == Phase::Blocked {
                    self.slots[after].phase = Phase::Queued;
                    self.enqueue(after);
                }
            }
        } else if failed {
            self.skip_behind(now, at, effects)?;
        }
        let group = self.graph.operations()[at].group.as_ref().and_then(|group| self.groups.get_mut(group));
        if let Some(group) = group {
            let next = group.waiting.pop_first();
            group.holder = next.map(|(_, next)| next);
            self.ready.extend(next);
        }
        Ok(())
    }

    /// Skips all that needs `failed`, directly or not.
    fn skip_behind(
        &mut self,
        now: Timestamp,
        failed: usize,
        effects: &mut Vec<Effect>,
    ) -> Result<(), OutOfOrder> {
        let graph = Arc::clone(&self.graph);
        let because = &graph.operations()[failed].key;
        let mut behind = graph.needed_by(failed).to_vec();
        while let Some(at) = behind.pop() {
            if self.slots[at].phase == Phase::Blocked {
                self.settle(now, at, Record::Skipped { because: because.clone() }, effects)?;
                behind.extend(graph.needed_by(at));
            }
        }
        Ok(())
    }

    /// Records an operation's end and tells of it.
    fn settle(
        &mut self,
        now: Timestamp,
        at: usize,
        record: Record,
        effects: &mut Vec<Effect>,
    ) -> Result<(), OutOfOrder> {
        self.record(at, record, effects)?;
        let slot = &mut self.slots[at];
        slot.phase = Phase::Ended;
        self.left -= 1;
        let worked = slot.begun.map_or(Duration::ZERO, |begun| between(begun, now));
        if let Status::Ended(how) = &slot.status {
            effects.push(Effect::Tell { operation: at, what: What::Ended { how: how.clone(), worked } });
        }
        Ok(())
    }

    /// Does what is due.
    fn wake(&mut self, now: Timestamp, effects: &mut Vec<Effect>) {
        while let Some(&(due, at)) = self.timers.first()
            && due <= now
        {
            self.timers.pop_first();
            match (self.slots[at].phase, &self.slots[at].status) {
                (Phase::Watching(_), Status::Accepted { attempts, token }) => {
                    effects.push(Effect::Follow { operation: at, attempt: *attempts, token: token.clone() });
                    self.slots[at].phase = Phase::Following;
                }
                // It has its group still, so that it only lacks a place.
                (Phase::Resting(_), _) => {
                    self.slots[at].phase = Phase::Queued;
                    self.ready.insert(self.place(at));
                }
                (phase, status) => unreachable!("a timer for {phase:?}, {status:?}"),
            }
        }
    }

    /// Begins what may begin, the longest path first, as long as there are places.
    fn start(&mut self, now: Timestamp, effects: &mut Vec<Effect>) -> Result<(), OutOfOrder> {
        while self.active < self.parallel
            && let Some((_, at)) = self.ready.pop_first()
        {
            self.record(at, Record::Begun, effects)?;
            self.active += 1;
            let slot = &mut self.slots[at];
            slot.phase = Phase::Beginning;
            slot.begun.get_or_insert(now);
            let Status::Begun { attempts } = slot.status else { unreachable!("it was begun just now") };
            effects.push(Effect::Begin { operation: at, attempt: attempts });
            effects.push(Effect::Tell { operation: at, what: What::Begun { attempt: attempts } });
        }
        Ok(())
    }

    /// Puts an operation where it waits for a place, or for its group if another has that.
    fn enqueue(&mut self, at: usize) {
        let place = self.place(at);
        if let Some(name) = &self.graph.operations()[at].group {
            let group = self.groups.entry(name.clone()).or_default();
            if group.holder.is_some() {
                group.waiting.insert(place);
                return;
            }
            group.holder = Some(at);
        }
        self.ready.insert(place);
    }

    fn place(&self, at: usize) -> Place {
        (Reverse(self.graph.rank(at)), at)
    }

    /// Moves an operation's status by the table, and has the record written.
    fn record(&mut self, at: usize, record: Record, effects: &mut Vec<Effect>) -> Result<(), OutOfOrder> {
        self.slots[at].status = self.slots[at].status.next(&record)?;
        effects.push(Effect::Record { operation: at, record });
        Ok(())
    }

    /// How the run ended, all operations being at their ends.
    fn outcome(&self) -> Outcome {
        let any = |is: fn(&Ended) -> bool| {
            self.slots.iter().any(|slot| matches!(&slot.status, Status::Ended(how) if is(how)))
        };
        if any(|how| matches!(how, Ended::Cancelled { .. })) {
            Outcome::Cancelled
        } else if any(|how| matches!(how, Ended::Failed { .. })) {
            Outcome::Failed
        } else {
            Outcome::Done
        }
    }
}

/// What comes of a failure.
enum Verdict {
    TryAgain { after: Duration },
    GiveUp { borne: Option<Duration> },
}

/// The wait after so many failures: doubling, and spread over the upper half by `chance` (0 to 1), so that those
/// who failed together do not come back together.
fn backoff(policy: Policy, times: u32, chance: f64) -> Duration {
    let doubled =
        policy.first.saturating_mul(1_u32.checked_shl(times - 1).unwrap_or(u32::MAX)).min(policy.longest);
    doubled.mul_f64(0.5 + chance / 2.0)
}

/// The `draw`-th chance of an operation. It depends on nothing else, so that one operation more, or another order
/// of answers, does not change the waits of the others.
fn chance(seed: u64, operation: usize, draw: u64) -> f64 {
    let mut chances = ChaCha8Rng::seed_from_u64(seed);
    chances.set_stream(operation as u64);
    chances.set_word_pos(u128::from(draw) * 16);
    chances.random()
}

#[cfg(test)]
mod simulation;
#[cfg(test)]
mod tests;
