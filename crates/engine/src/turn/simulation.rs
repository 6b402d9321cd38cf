//! The core alone against a world in a few lines, without disk, tasks or hands: many more seeds than the whole loop
//! can play, with the journal a list and a crash possible at every turn.
//!
//! `LANDFALL_SEEDS=100000` plays more seeds than the default, `LANDFALL_SEED=17` that one alone.

use std::collections::BinaryHeap;

use serde_json::json;

use super::*;
use crate::graph::Operation;
use crate::run::simulation::number;

/// What is known about an operation by looking at the world alone.
#[derive(Default)]
struct Deed {
    begins: u32,
    /// How often it was done anew: told that it is the first begin, hands do not look.
    made: u32,
    complete: bool,
    /// The number of the job that does it.
    job: Option<u64>,
    at_work: bool,
}

struct World {
    seed: u64,
    operations: Vec<Operation>,
    graph: Arc<Graph>,
    parallel: usize,
    chances: ChaCha8Rng,
    now: Timestamp,
    deeds: Vec<Deed>,
    /// What has been committed.
    journal: Vec<(usize, Record)>,
    /// Answers on their way: when, in which order, of which, and what.
    answers: BinaryHeap<Reverse<(Timestamp, u64, usize, AnswerBox)>>,
    serial: u64,
    calm: bool,
}

/// An answer that the heap can hold; it is never compared, since serial numbers differ.
struct AnswerBox(Result<Step, Failure>);

impl PartialEq for AnswerBox {
    fn eq(&self, _: &Self) -> bool {
        true
    }
}

impl Eq for AnswerBox {}

impl PartialOrd for AnswerBox {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for AnswerBox {
    fn cmp(&self, _: &Self) -> std::cmp::Ordering {
        std::cmp::Ordering::Equal
    }
}

impl World {
    fn new(seed: u64) -> Self {
        let mut chances = ChaCha8Rng::seed_from_u64(seed);
        let density = chances.random_range(0.0..0.4);
        let operations: Vec<_> = (0..chances.random_range(1..16_usize))
            .map(|at| {
                let needs: Vec<_> = (0..at)
                    .filter(|_| chances.random_bool(density))
                    .map(|need| format!("op{need}"))
                    .collect();
                let takes = Duration::from_millis(chances.random_range(0..9000));
                let operation = Operation::new(format!("op{at}"), "do", "it").needing(needs).taking(takes);
                if chances.random_bool(0.2) { operation.in_group("one at a time") } else { operation }
            })
            .collect();
        Self {
            seed,
            graph: Arc::new(Graph::new(operations.clone()).unwrap()),
            deeds: operations.iter().map(|_| Deed::default()).collect(),
            operations,
            parallel: chances.random_range(1..8),
            calm: chances.random_bool(0.5),
            chances,
            now: Timestamp::from_second(1_800_000_000).unwrap(),
            journal: Vec::new(),
            answers: BinaryHeap::new(),
            serial: 0,
        }
    }

    /// A process starts from what the journal says.
    fn core(&self) -> Core {
        let mut history = vec![(Status::Waiting, None); self.graph.len()];
        for (operation, record) in &self.journal {
            let (status, begun) = &mut history[*operation];
            *status = status.next(record).expect("the journal is in order");
            begun.get_or_insert(self.now);
        }
        let policy = Policy {
            budget: Duration::from_secs(if self.calm { 100_000 } else { 20 }),
            first: Duration::from_millis(100),
            longest: Duration::from_secs(5),
        };
        let patience =
            Patience { throttled: policy, transient: policy, busy: policy, not_yet_consistent: policy };
        Core::new(Arc::clone(&self.graph), history, self.parallel, patience, self.seed, self.now)
    }

    fn check(&self, right: bool, what: &str, operation: usize) {
        assert!(right, "seed {}: op{operation}: {what}", self.seed);
    }

    /// Does what the core asked for, unless the process dies on the way; whether it lives.
    fn perform(&mut self, effects: Vec<Effect>, die: bool) -> Option<Option<Outcome>> {
        // Dies before the commit, or after it at any of the effects.
        let survives = if die { self.chances.random_range(0..=effects.len()) } else { usize::MAX };
        if survives == 0 && die {
            return None;
        }
        for effect in &effects {
            if let Effect::Record { operation, record } = effect {
                self.journal.push((*operation, record.clone()));
            }
        }
        let mut outcome = None;
        for (number, effect) in effects.into_iter().enumerate() {
            if number >= survives {
                return None;
            }
            match effect {
                Effect::Record { .. } | Effect::Tell { .. } => {}
                Effect::Begin { operation, attempt } => self.begin(operation, attempt),
                Effect::Follow { operation, token, .. } => self.follow(operation, &token),
                Effect::End(how) => outcome = Some(how),
            }
        }
        Some(outcome)
    }

    fn call(&mut self, operation: usize) {
        let ready = self.graph.needs(operation).iter().all(|&need| self.deeds[need].complete);
        self.check(ready, "called before what it needs was complete", operation);
        let deed = &mut self.deeds[operation];
        let free = !std::mem::replace(&mut deed.at_work, true);
        self.check(free, "two calls at once", operation);
    }

    fn begin(&mut self, operation: usize, attempt: u32) {
        self.call(operation);
        let told = attempt > 1;
        self.check(told || self.deeds[operation].begins == 0, "begun again, and not told", operation);
        let at_work = self.deeds.iter().filter(|deed| deed.at_work).count();
        self.check(at_work <= self.parallel, "too many at work", operation);
        let group = &self.operations[operation].group;
        let others = (0..self.deeds.len()).filter(|&other| other != operation && self.deeds[other].at_work);
        let met = others.filter(|&other| group.is_some() && self.operations[other].group == *group).count();
        self.check(met == 0, "another of its group is at work", operation);
        self.deeds[operation].begins += 1;
        let lost = self.chances.random_bool(0.1);
        let answer = if !lost && self.chances.random_bool(0.25) {
            Err(self.failure())
        } else {
            self.serial += 1;
            let by_job = self.chances.random_bool(0.6);
            let deed = &mut self.deeds[operation];
            if !(told && deed.made > 0) {
                deed.made += 1;
                deed.job = by_job.then_some(self.serial);
                deed.complete = !by_job;
            }
            let (made, job) = (deed.made, deed.job);
            self.check(made == 1, "made twice", operation);
            match job {
                _ if lost => Err(Failure::new(Class::Transient, "lost")),
                Some(job) => Ok(self.accepted(job)),
                None => Ok(Step::Done(json!(operation))),
            }
        };
        self.answer(operation, answer);
    }

    fn follow(&mut self, operation: usize, token: &Value) {
        if self.deeds[operation].at_work {
            // The place it has had since it was begun.
            self.deeds[operation].at_work = false;
        }
        self.call(operation);
        let job = token.as_u64().unwrap();
        let answer = if self.chances.random_bool(0.15) {
            Err(self.failure())
        } else if self.deeds[operation].job != Some(job) {
            // It had come to nothing, and that answer did not arrive.
            Err(self.failure().over())
        } else {
            match self.chances.random_range(0..10) {
                0..5 => Ok(self.accepted(job)),
                5 if !self.deeds[operation].complete => {
                    let deed = &mut self.deeds[operation];
                    (deed.made, deed.job) = (0, None);
                    Err(self.failure().over())
                }
                _ => {
                    self.deeds[operation].complete = true;
                    Ok(Step::Done(json!(operation)))
                }
            }
        };
        self.answer(operation, answer);
    }

    fn accepted(&mut self, job: u64) -> Step {
        Step::Accepted { token: json!(job), after: Duration::from_millis(self.chances.random_range(0..5000)) }
    }

    fn failure(&mut self) -> Failure {
        let classes = [Class::Throttled, Class::Transient, Class::Busy, Class::NotYetConsistent];
        if !self.calm && self.chances.random_bool(0.1) {
            return Failure::fatal("never");
        }
        let failure = Failure::new(classes[self.chances.random_range(0..4)], "not now");
        let asked = Duration::from_millis(self.chances.random_range(0..9000));
        if self.chances.random_bool(0.3) { failure.after(asked) } else { failure }
    }

    fn answer(&mut self, operation: usize, answer: Result<Step, Failure>) {
        self.serial += 1;
        let at = add(self.now, Duration::from_millis(self.chances.random_range(0..3000)));
        self.answers.push(Reverse((at, self.serial, operation, AnswerBox(answer))));
    }

    /// The process is gone, and with it all that it waited for.
    fn crash(&mut self) {
        self.answers.clear();
        for deed in &mut self.deeds {
            deed.at_work = false;
        }
        self.now = add(self.now, Duration::from_millis(self.chances.random_range(0..9000)));
    }

    /// What happens next, to this process.
    fn next(&mut self, core: &Core, cancel: bool) -> Input {
        if cancel {
            return Input::Cancel;
        }
        let due = self.answers.peek().map(|Reverse((at, ..))| *at);
        match (due, core.deadline()) {
            (Some(due), deadline) if deadline.is_none_or(|deadline| due <= deadline) => {
                let Some(Reverse((at, _, operation, AnswerBox(answer)))) = self.answers.pop() else {
                    unreachable!()
                };
                self.now = at;
                // An accepted operation keeps its place, as long as it is not over.
                let deed = &mut self.deeds[operation];
                deed.at_work = matches!(&answer, Ok(Step::Accepted { .. }))
                    || (matches!(&answer, Err(failure) if !failure.over && failure.class != Class::Fatal)
                        && matches!(core.slots[operation].phase, Phase::Following));
                Input::Answer { operation, answer }
            }
            (_, Some(deadline)) => {
                self.now = deadline;
                Input::Tick
            }
            (None, None) => panic!("seed {}: nothing can move the run", self.seed),
            (Some(_), None) => unreachable!("an answer without a deadline is due"),
        }
    }
}

/// Plays one seed; how often it crashed, and how it ended.
fn play(seed: u64) -> (u32, Outcome) {
    let mut world = World::new(seed);
    let (mut crashes, planned) = (0, world.chances.random_range(0..6));
    let cancel_at = world.chances.random_bool(0.15).then(|| world.chances.random_range(0..60));
    let mut cancelled = false;
    let mut turns = 0;
    let outcome = 'run: loop {
        let mut core = world.core();
        // A cancel outlives the process that heard it: it stays asked for.
        let mut input = if cancelled { Input::Cancel } else { Input::Tick };
        loop {
            let answered = match &input {
                Input::Answer { operation, .. } => Some(*operation),
                Input::Tick | Input::Cancel => None,
            };
            let effects = core.turn(world.now, input).unwrap_or_else(|error| panic!("seed {seed}: {error}"));
            // Whoever is given up, in whatever way, has no place any more.
            if let Some(at) = answered
                && matches!(core.slots[at].phase, Phase::Ended | Phase::Resting(_) | Phase::Queued)
            {
                world.deeds[at].at_work = false;
            }
            turns += 1;
            let die = crashes < planned && world.chances.random_bool(0.1);
            match world.perform(effects, die) {
                None => break,
                Some(Some(outcome)) => break 'run outcome,
                Some(None) => {}
            }
            let cancel = !cancelled && cancel_at.is_some_and(|at| turns >= at);
            cancelled |= cancel;
            input = world.next(&core, cancel);
        }
        crashes += 1;
        world.crash();
        // It may have died after its last record; there is nothing to resume then.
        let core = world.core();
        if core.left == 0 {
            break core.outcome();
        }
    };
    check_end(&world, outcome, cancelled);
    (crashes, outcome)
}

/// That the journal's last word on each operation is what the world saw.
fn check_end(world: &World, outcome: Outcome, cancelled: bool) {
    let ends: Vec<Vec<&Record>> = (0..world.deeds.len())
        .map(|at| {
            let of = world.journal.iter().filter(|(operation, _)| *operation == at).map(|(_, record)| record);
            of.filter(|record| {
                !matches!(record, Record::Begun | Record::Accepted { .. } | Record::Retried { .. })
            })
            .collect()
        })
        .collect();
    let is_done = |at: usize| matches!(ends[at][..], [Record::Done { .. }]);
    for (at, deed) in world.deeds.iter().enumerate() {
        let needs_done = world.graph.needs(at).iter().all(|&need| is_done(need));
        let right = match ends[at][..] {
            [Record::Done { .. }] => deed.complete && deed.made == 1 && needs_done,
            [Record::Failed { .. }] => needs_done && (!world.calm || cancelled),
            [Record::Skipped { .. }] => deed.begins == 0 && !needs_done,
            [Record::Cancelled { .. }] => cancelled,
            // Lost, or ended twice.
            _ => false,
        };
        world.check(right, &format!("{:?} after {} begins", ends[at], deed.begins), at);
    }
    let expected = if ends.iter().flatten().any(|end| matches!(end, Record::Cancelled { .. })) {
        Outcome::Cancelled
    } else if ends.iter().flatten().any(|end| matches!(end, Record::Failed { .. })) {
        Outcome::Failed
    } else {
        Outcome::Done
    };
    assert_eq!(outcome, expected, "seed {}", world.seed);
}

#[test]
fn none_lost_none_doubled() {
    let seeds = match number("LANDFALL_SEED") {
        Some(seed) => seed..seed + 1,
        None => 0..number("LANDFALL_SEEDS").unwrap_or(5_000),
    };
    let (mut crashes, mut outcomes) = (0, BTreeMap::new());
    for seed in seeds.clone() {
        let (more, outcome) = play(seed);
        crashes += more;
        *outcomes.entry(outcome.to_string()).or_insert(0_u64) += 1;
    }
    let count = seeds.end - seeds.start;
    println!("core: {count} seeds, {crashes} crashes, outcomes {outcomes:?}");
    assert!(
        count == 1 || (outcomes.len() == 3 && outcomes.values().all(|&times| times * 25 > count)),
        "{outcomes:?}"
    );
}
