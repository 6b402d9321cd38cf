//! What the engine itself costs: time for each operation with the journal on disk, and memory for a large run.
//!
//! Hands answer at once, so that all of the time is the engine's. Figures are printed beside those of the disk and
//! of the goal; the limits are those of an unoptimised build on a busy machine, and the goals themselves hold in a
//! release build: `cargo test --release -p landfall-engine --test figures`.
#![expect(
    clippy::disallowed_methods,
    clippy::print_stdout,
    clippy::unwrap_used,
    reason = "a measurement in real time, on a real disk"
)]

use std::fs::File;
use std::io::Write;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use async_trait::async_trait;
use landfall_engine::{
    Cancel, Context, Failure, Graph, Hands, Journal, Operation, Options, Outcome, Owner, Step, run,
};
use serde_json::{Value, json};
use tokio::sync::mpsc::unbounded_channel;

/// Hands that are done at once, every second time by way of an acceptance.
struct Instantly;

#[async_trait]
impl Hands for Instantly {
    async fn begin(&self, operation: &Operation, _: &Context) -> Result<Step, Failure> {
        if operation.kind == "job" {
            return Ok(Step::Accepted {
                token: json!({ "url": "https://example.org/1" }),
                after: Duration::ZERO,
            });
        }
        Ok(Step::Done(json!({ "id": operation.subject })))
    }

    async fn follow(&self, operation: &Operation, _: &Value, _: &Context) -> Result<Step, Failure> {
        Ok(Step::Done(json!({ "id": operation.subject })))
    }
}

/// An operation with an input of the size of a resource's body.
fn operation(at: usize, kind: &str) -> Operation {
    let body = json!({ "properties": { "text": "x".repeat(1500), "at": at } });
    Operation::new(format!("op{at}"), kind, format!("/subscriptions/s/resourceGroups/g/providers/p/t/{at}"))
        .with_input(body)
}

/// Runs them with a journal in `folder`; the time from the first begin to the last end.
fn measure(folder: &Path, name: &str, operations: Vec<Operation>, parallel: usize) -> Duration {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    let journal = Journal::open(&folder.join(format!("{name}.db"))).unwrap();
    let lease = journal.acquire(name, &Owner::this_process("figures")).unwrap();
    let id = lease.create_run("measure", &Value::Null, &Graph::new(operations).unwrap()).unwrap();
    let (events, mut told) = unbounded_channel();
    let options = Options { parallel, ..Options::default() };
    let started = Instant::now();
    let report = runtime.block_on(async {
        let watcher = tokio::spawn(async move { while told.recv().await.is_some() {} });
        let report = run(&lease, &id, Arc::new(Instantly), options, events, Cancel::new()).await.unwrap();
        watcher.await.unwrap();
        report
    });
    let took = started.elapsed();
    assert_eq!(report.outcome(), Some(Outcome::Done));
    took
}

/// What one small write that reaches the disk takes here: the least that any journal can take for a step that must
/// be on the disk before the next begins.
fn disk(folder: &Path) -> Duration {
    let mut file = File::create(folder.join("disk")).unwrap();
    let started = Instant::now();
    for _ in 0..100 {
        file.write_all(&[7; 4096]).unwrap();
        file.sync_data().unwrap();
    }
    started.elapsed() / 100
}

/// The most memory this process ever had, in MB; `None` where the system does not tell.
fn memory_peak_mb() -> Option<f64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find(|line| line.starts_with("VmHWM:"))?;
    Some(line.split_ascii_whitespace().nth(1)?.parse::<f64>().ok()? / 1024.0)
}

fn main() {
    if std::env::args().any(|argument| argument == "--list") {
        return println!("figures: test");
    }
    let folder = tempfile::tempdir().unwrap();
    let disk = disk(folder.path());
    println!("figures: a write to this disk takes {:.3} ms", disk.as_secs_f64() * 1e3);

    let large: Vec<_> = (0..5000_usize)
        .map(|at| {
            let kind = if at % 2 == 0 { "put" } else { "job" };
            let needs =
                [at / 2, at / 3].into_iter().filter(|&need| need != at).map(|need| format!("op{need}"));
            operation(at, kind).needing(needs)
        })
        .collect();
    let started_mb = memory_peak_mb();
    let took = measure(folder.path(), "large", large, 64);
    let each_ms = took.as_secs_f64() * 1e3 / 5000.0;
    println!("figures: 5000 operations, 64 at once: {each_ms:.3} ms each (goal: < 1 ms)");
    if let (Some(started), Some(peak)) = (started_mb, memory_peak_mb()) {
        println!(
            "figures: 5000 operations: {peak:.0} MB at most, {:.0} MB of them the run's (goal: < 100 MB)",
            peak - started
        );
        assert!(peak < 100.0, "{peak} MB");
    }
    // An unoptimised SQLite on a machine that builds other things meanwhile.
    assert!(each_ms < 3.0 + 8.0 * disk.as_secs_f64() * 1e3, "{each_ms} ms");

    // The worst case: nothing to share a commit with. One commit ends a step and begins the next.
    let chain: Vec<_> = (0..500_usize)
        .map(|at| operation(at, "put").needing(at.checked_sub(1).map(|need| format!("op{need}"))))
        .collect();
    let took = measure(folder.path(), "chain", chain, 64);
    let each_ms = took.as_secs_f64() * 1e3 / 500.0;
    println!("figures: 500 operations in a chain: {each_ms:.3} ms each (goal: < 1 ms)");
    assert!(each_ms < 3.0 + 8.0 * disk.as_secs_f64() * 1e3, "{each_ms} ms");
}
