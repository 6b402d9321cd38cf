//! The loop itself: crashes at every record, cancels, panics, time and reports.

use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use async_trait::async_trait;
use serde_json::json;

use super::simulation::Virtual;
use super::*;
use crate::clock::add;
use crate::failure::Class;
use crate::journal::{Crash, Journal};
use crate::lease::Owner;
use crate::report::{Ended, OperationStatus, RunState};

type Behaviour = dyn Fn(&Operation, u32) -> Result<Step, Failure> + Send + Sync;

/// Hands that take as long as the estimate and then do as they are told, writing down each begin.
struct Told {
    behaviour: Box<Behaviour>,
    begun: Mutex<Vec<String>>,
}

fn told(behaviour: impl Fn(&Operation, u32) -> Result<Step, Failure> + Send + Sync + 'static) -> Arc<Told> {
    Arc::new(Told { behaviour: Box::new(behaviour), begun: Mutex::default() })
}

fn obedient() -> Arc<Told> {
    told(|operation, _| Ok(Step::Done(json!(operation.key.as_str()))))
}

#[async_trait]
impl Hands for Told {
    async fn begin(&self, operation: &Operation, context: &Context) -> Result<Step, Failure> {
        self.begun.lock().unwrap().push(format!("{} {}", operation.key, context.attempt()));
        tokio::time::sleep(operation.estimate).await;
        (self.behaviour)(operation, context.attempt())
    }

    async fn follow(&self, operation: &Operation, _: &Value, _: &Context) -> Result<Step, Failure> {
        Ok(Step::Done(json!(operation.key.as_str())))
    }
}

struct Bench {
    lease: Lease,
    run: RunId,
    clock: Arc<Virtual>,
    cancel: Cancel,
}

impl Bench {
    fn new(operations: Vec<Operation>) -> Self {
        let journal = Journal::in_memory().unwrap();
        let lease = journal.acquire("app/dev", &Owner::this_process("test")).unwrap();
        let run = lease.create_run("up", &Value::Null, &Graph::new(operations).unwrap()).unwrap();
        Self { lease, run, clock: Arc::new(Virtual::new()), cancel: Cancel::new() }
    }

    async fn run(&self, hands: &Arc<Told>, parallel: usize) -> Result<(Report, Vec<Event>), Error> {
        let (events, mut heard) = unbounded_channel();
        let options = Options { parallel, patience: Patience::default(), clock: self.clock.clone(), seed: 1 };
        let report = run(&self.lease, &self.run, hands.clone(), options, events, self.cancel.clone()).await?;
        let mut all = Vec::new();
        while let Ok(event) = heard.try_recv() {
            all.push(event);
        }
        Ok((report, all))
    }
}

fn op(key: &str, needs: &[&str], seconds: u64) -> Operation {
    Operation::new(key, "put", format!("thing.{key}"))
        .needing(needs.iter().copied())
        .taking(Duration::from_secs(seconds))
}

/// A, then B (by acceptance) and C, then D.
fn diamond() -> Vec<Operation> {
    vec![op("a", &[], 1), op("b", &["a"], 5), op("c", &["a"], 2), op("d", &["b", "c"], 1)]
}

fn diamond_hands() -> Arc<Told> {
    told(|operation, attempt| match (operation.key.as_str(), attempt) {
        ("b", _) => Ok(Step::Accepted { token: json!("b"), after: Duration::from_secs(3) }),
        ("c", 1) => Err(Failure::new(Class::Throttled, "slow down").after(Duration::from_secs(1))),
        (key, _) => Ok(Step::Done(json!(key))),
    })
}

/// The end of the world is the same wherever the process dies: before or after each commit, alone and twice.
#[tokio::test(start_paused = true)]
async fn a_crash_at_any_record_changes_nothing_in_the_end() {
    let uninterrupted = Bench::new(diamond());
    let (report, _) = uninterrupted.run(&diamond_hands(), 4).await.unwrap();
    assert_eq!(report.outcome(), Some(Outcome::Done));
    let ends = |report: &Report| -> Vec<_> {
        report
            .operations
            .iter()
            .map(|operation| (operation.operation.clone(), operation.end.clone()))
            .collect()
    };
    let mut survived = 0;
    for first in 0.. {
        let mut died = false;
        for (after, again) in [
            (false, None),
            (true, None),
            (false, Some(0)),
            (true, Some(0)),
            (false, Some(1)),
            (true, Some(1)),
        ] {
            let bench = Bench::new(diamond());
            let hands = diamond_hands();
            for commits in [Some(first), again].into_iter().flatten() {
                bench.lease.journal().crash_at(Some(Crash { commits, after }));
                let result = bench.run(&hands, 4).await;
                died |= result.is_err();
                survived += usize::from(result.is_err());
                bench.lease.journal().crash_at(None);
                if bench.lease.journal().report(&bench.run).unwrap().outcome().is_some() {
                    break;
                }
            }
            let ended = bench.lease.journal().report(&bench.run).unwrap();
            let ended = if ended.outcome().is_some() { ended } else { bench.run(&hands, 4).await.unwrap().0 };
            assert_eq!(ended.outcome(), Some(Outcome::Done), "died at commit {first}, after it: {after}");
            assert_eq!(ends(&ended), ends(&report));
            assert_eq!(
                bench.lease.journal().last_outputs("app/dev").unwrap(),
                uninterrupted.lease.journal().last_outputs("app/dev").unwrap()
            );
        }
        if !died {
            break;
        }
    }
    println!("{survived} deaths survived");
    assert!(survived > 40);
}

#[tokio::test(start_paused = true)]
async fn it_takes_as_long_as_the_critical_path_and_the_report_says_so() {
    let bench = Bench::new(diamond());
    let (report, events) = bench.run(&diamond_hands(), 4).await.unwrap();
    // a 1 s, b 5 s and a look 3 s later, d 1 s.
    assert_eq!(report.took.as_secs(), 10);
    let critical: Vec<_> = report
        .operations
        .iter()
        .filter(|operation| operation.critical)
        .map(|operation| operation.operation.as_str())
        .collect();
    assert_eq!(critical, ["a", "b", "d"]);
    assert_eq!(
        (report.bound.work.as_secs(), report.bound.retries.as_secs(), report.bound.queue.as_secs()),
        (10, 0, 0)
    );
    let c = &report.operations[2];
    assert_eq!((c.retries, c.worked.as_secs(), c.rested.as_secs(), c.waited.as_secs()), (1, 4, 1, 0));
    let lines: Vec<_> = events.iter().map(|event| serde_json::to_value(event).unwrap()).collect();
    let told: Vec<_> = lines
        .iter()
        .map(|line| format!("{} {}", line["address"].as_str().unwrap(), line["event"].as_str().unwrap()))
        .collect();
    assert_eq!(
        told,
        [
            "thing.a begun",
            "thing.a ended",
            "thing.b begun",
            "thing.c begun",
            "thing.c retried",
            "thing.c begun",
            "thing.b accepted",
            "thing.c ended",
            "thing.b ended",
            "thing.d begun",
            "thing.d ended",
        ]
    );
    for line in lines {
        serde_json::from_value::<Event>(line).expect("what is written can be read");
    }
}

/// The line that programs read: its fields may grow, not change.
#[tokio::test(start_paused = true)]
async fn an_event_as_json() {
    let bench = Bench::new(vec![op("a", &[], 1)]);
    let (_, events) = bench.run(&obedient(), 1).await.unwrap();
    let run = bench.run.as_str();
    assert_eq!(
        serde_json::to_value(&events[1]).unwrap(),
        json!({
            "event": "ended", "how": "done", "workedMs": 1000, "at": "2027-01-15T08:00:01Z",
            "run": run, "operation": "a", "address": "thing.a", "kind": "put"
        })
    );
}

#[tokio::test(start_paused = true)]
async fn waiting_for_a_place_shows_as_queue() {
    let bench = Bench::new(vec![op("a", &[], 4), op("b", &[], 3), op("c", &[], 2)]);
    let (report, _) = bench.run(&obedient(), 1).await.unwrap();
    let waited: Vec<_> = report.operations.iter().map(|operation| operation.waited.as_secs()).collect();
    assert_eq!(waited, [0, 4, 7]);
    assert_eq!((report.bound.work.as_secs(), report.bound.queue.as_secs()), (2, 7));
}

#[tokio::test(start_paused = true)]
async fn all_failures_are_reported_together() {
    let bench = Bench::new(vec![op("a", &[], 1), op("b", &[], 2), op("c", &["a"], 1), op("d", &[], 9)]);
    let hands = told(|operation, _| match operation.key.as_str() {
        "a" | "b" => {
            Err(Failure::fatal(format!("{} says no", operation.key)).with_code("Forbidden").with_help("ask"))
        }
        key => Ok(Step::Done(json!(key))),
    });
    let (report, _) = bench.run(&hands, 4).await.unwrap();
    assert_eq!(report.outcome(), Some(Outcome::Failed));
    let failures: Vec<_> =
        report.failures().map(|(operation, failure)| format!("{}: {failure}", operation.address)).collect();
    assert_eq!(failures, ["thing.a: a says no", "thing.b: b says no"]);
    assert_eq!(report.operations[2].end, Some(Ended::Skipped { because: "a".into() }));
    assert_eq!(report.operations[3].end, Some(Ended::Done), "another branch");
    assert_eq!((report.summary.done, report.summary.failed), (1, 2));
}

#[tokio::test(start_paused = true)]
async fn hands_that_panic_have_failed_and_no_more() {
    let bench = Bench::new(vec![op("a", &[], 1), op("b", &[], 2)]);
    let hands = told(|operation, _| {
        assert!(operation.key.as_str() != "a", "out of cheese");
        Ok(Step::Done(Value::Null))
    });
    let (report, _) = bench.run(&hands, 4).await.unwrap();
    let (_, failure) = report.failures().next().unwrap();
    assert_eq!(failure.message, "its code panicked: out of cheese");
    assert_eq!(report.operations[1].status, OperationStatus::Done);
}

#[tokio::test(start_paused = true)]
async fn a_cancel_ends_the_run_with_the_truth() {
    let bench = Bench::new(vec![op("a", &[], 10), op("b", &["a"], 1)]);
    let cancel = bench.cancel.clone();
    tokio::spawn(async move {
        tokio::time::sleep(Duration::from_secs(3)).await;
        cancel.cancel();
    });
    let hands = obedient();
    let (report, _) = bench.run(&hands, 4).await.unwrap();
    assert_eq!(report.outcome(), Some(Outcome::Cancelled));
    assert_eq!(report.operations[0].end, Some(Ended::Done), "it was on its way");
    assert_eq!(report.operations[1].end, Some(Ended::Cancelled { begun: false, failure: None }));
    assert_eq!(*hands.begun.lock().unwrap(), ["a 1"]);
    let error = bench.run(&hands, 4).await.unwrap_err();
    assert!(matches!(error, Error::Journal(JournalError::Over(_))), "an ended run stays ended: {error}");
}

/// Another process has asked for it, and none is at work: the next one does it.
#[tokio::test(start_paused = true)]
async fn a_cancel_waits_in_the_journal() {
    let bench = Bench::new(diamond());
    let hands = diamond_hands();
    // It dies with `a` done, `b` and `c` begun.
    bench.lease.journal().crash_at(Some(Crash { commits: 1, after: true }));
    bench.run(&hands, 4).await.unwrap_err();
    bench.lease.journal().request_cancel(&bench.run).unwrap();
    let begun = hands.begun.lock().unwrap().len();
    let (report, _) = bench.run(&hands, 4).await.unwrap();
    assert_eq!(hands.begun.lock().unwrap().len(), begun, "nothing new");
    let statuses: Vec<_> = report.operations.iter().map(|operation| operation.end.clone().unwrap()).collect();
    let cancelled = |begun| Ended::Cancelled { begun, failure: None };
    assert_eq!(statuses, [Ended::Done, cancelled(true), cancelled(true), cancelled(false)]);
}

#[tokio::test(start_paused = true)]
async fn a_run_left_behind_is_seen_as_it_stands() {
    let bench = Bench::new(diamond());
    let journal = bench.lease.journal().clone();
    assert!(matches!(journal.runs(None).unwrap()[0].state, RunState::Running { .. }));
    let hands = diamond_hands();
    let cut = tokio::time::timeout(Duration::from_millis(6500), bench.run(&hands, 4)).await;
    assert!(cut.is_err(), "dropped in the middle, like a crash");
    let run = bench.run.clone();
    drop(bench);
    let report = journal.report(&run).unwrap();
    assert_eq!(report.summary.state, RunState::Interrupted);
    let statuses: Vec<_> = report.operations.iter().map(|operation| operation.status.as_str()).collect();
    assert_eq!(statuses, ["done", "accepted", "done", "waiting"]);
    assert_eq!(report.operations[0].worked.as_secs(), 1);
    assert_eq!(report.took.as_secs(), 6, "to the last record");
}

#[tokio::test]
async fn a_lost_lease_stops_the_run_even_while_it_only_waits() {
    let journal = Journal::in_memory().unwrap();
    let terms = crate::lease::Terms { beat: Duration::from_millis(20), lapse: Duration::from_secs(9) };
    let lease = journal.acquire_on("app/dev", &Owner::this_process("test"), terms).unwrap();
    let graph = Graph::new(vec![op("a", &[], 3600)]).unwrap();
    let id = lease.create_run("up", &Value::Null, &graph).unwrap();
    let (events, mut heard) = unbounded_channel();
    let thief = async {
        heard.recv().await.unwrap();
        journal.connection().execute("UPDATE leases SET fence = fence + 1", []).unwrap();
        std::future::pending::<()>().await
    };
    let running = run(&lease, &id, obedient(), Options::default(), events, Cancel::new());
    let error = tokio::select! {
        result = running => result.unwrap_err(),
        () = thief => unreachable!(),
    };
    assert!(matches!(error, Error::Journal(JournalError::LeaseLost { .. })), "{error}");
}

#[tokio::test(start_paused = true)]
async fn a_disk_that_is_full_stops_the_run_and_room_lets_it_go_on() {
    let bench = Bench::new(diamond());
    let journal = bench.lease.journal().clone();
    let hands = told({
        let calls = AtomicUsize::new(0);
        move |operation, _| {
            let big = calls.fetch_add(1, Ordering::Relaxed) == 0;
            Ok(Step::Done(if big { json!("x".repeat(1 << 20)) } else { json!(operation.key.as_str()) }))
        }
    });
    journal.connection().pragma_update(None, "max_page_count", 60).unwrap();
    let error = bench.run(&hands, 4).await.unwrap_err();
    assert!(matches!(error, Error::Journal(JournalError::DiskFull { .. })), "{error:?}");
    assert!(error.help().unwrap().contains("resume"));
    journal.connection().pragma_update(None, "max_page_count", 1 << 30).unwrap();
    let (report, _) = bench.run(&hands, 4).await.unwrap();
    assert_eq!(report.outcome(), Some(Outcome::Done));
    assert_eq!(report.operations[0].retries, 1, "its answer could not be kept: begun again");
}

#[tokio::test(start_paused = true)]
async fn the_clock_ticks_as_tokio_does() {
    let clock = Virtual::new();
    let before = clock.now();
    clock.sleep(Duration::from_secs(5)).await;
    assert_eq!(clock.now(), add(before, Duration::from_secs(5)));
    let system = SystemClock::new();
    let before = system.now();
    system.sleep(Duration::from_secs(7)).await;
    assert_eq!(between(before, system.now()).as_secs(), 7);
}
