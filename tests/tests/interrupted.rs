//! `kill -9` of `landfall up` at any moment, then `resume` or `up`: the same end state, nothing doubled.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use landfall_tests::{Project, get, landfall, wait_for};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::Value;

/// How many deployments are interrupted, and how often each at most.
const DEPLOYMENTS: u64 = 3;
const KILLS: u64 = 4;

#[test]
fn a_killed_up_comes_to_the_same_end() {
    landfall();
    let seed = std::env::var("LANDFALL_SEED")
        .ok()
        .and_then(|seed| seed.parse().ok())
        .unwrap_or_else(|| Instant::now().elapsed().as_nanos() as u64 ^ u64::from(std::process::id()));
    println!("seed {seed} (set LANDFALL_SEED to repeat)");
    let mut chance = Chance(seed | 1);

    let undisturbed = Project::example("hello");
    undisturbed.up("done");
    let expected = state(&undisturbed);
    drop(undisturbed);

    for deployment in 0..DEPLOYMENTS {
        let project = Project::example("hello");
        let mut killed = 0;
        for _ in 0..KILLS {
            let begun = Instant::now();
            let mut child = project.spawn(&["up", "--local", "--yes", "--json"]);
            // A whole deployment takes some seconds; the moments are spread over them.
            let moment = Duration::from_millis(100 + chance.below(6_000));
            while begun.elapsed() < moment && child.try_wait().expect("it can be asked").is_none() {
                std::thread::sleep(Duration::from_millis(5));
            }
            if child.try_wait().expect("it can be asked").is_none() {
                kill_9(&mut child);
                killed += 1;
            }
            child.wait().expect("it ends");
            if chance.below(2) == 0 {
                // Sometimes the interrupted run itself goes on.
                let resumed = project.run(&["resume", "--local", "--yes", "--json"]);
                assert!(
                    ["done", "unchanged"].contains(&resumed.result()["outcome"].as_str().unwrap_or("")),
                    "{}",
                    resumed.all()
                );
            }
        }
        let last = project.run(&["up", "--local", "--yes", "--json"]).expect(0);
        assert!(
            ["done", "unchanged"].contains(&last.result()["outcome"].as_str().unwrap_or("")),
            "{}",
            last.all()
        );
        project.up("unchanged");
        assert_eq!(state(&project), expected, "deployment {deployment}, killed {killed} times");
        let (status, _) = get(&project.url()).expect("the address answers");
        assert_eq!(status, 200);
    }
}

/// Ends a process as a power cut would.
fn kill_9(child: &mut std::process::Child) {
    let pid = Pid::from_raw(i32::try_from(child.id()).expect("a process id"));
    kill(pid, Signal::SIGKILL).expect("it can be killed");
    child.wait().expect("it ends");
}

#[test]
fn an_up_killed_while_it_winds_another_one_down_is_gone_on_with() {
    let project = Project::example("hello");
    project.run(&["local", "start"]).expect(0);
    let limit = Duration::from_secs(60);
    let mut first = project.spawn(&["up", "--local", "--yes", "--json"]);
    wait_for("the first is under way", limit, || {
        let runs = project.run(&["runs", "--local", "--json"]);
        if runs.json()["runs"][0]["done"].as_u64() >= Some(3) { Ok(()) } else { Err(runs.all()) }
    });
    kill_9(&mut first);
    let mut second = project.spawn(&["up", "--local", "--yes", "--json"]);
    let pid = second.id();
    wait_for("the second has the lease", limit, || {
        let status = project.run(&["status", "--local", "--json"]);
        if status.json()["changing"]["pid"] == pid { Ok(()) } else { Err(status.all()) }
    });
    kill_9(&mut second);
    // It was killed while it wound the first one down, or just after, before its own run began.
    let resumed = project.run(&["resume", "--local", "--yes", "--json"]).expect(0);
    assert_eq!(resumed.result()["outcome"], "done", "{}", resumed.all());
    project.up("unchanged");
    let (status, _) = get(&project.url()).expect("the address answers");
    assert_eq!(status, 200);
}

/// What is live, without what differs from one run to the next: types by how many there are, and the revisions.
fn state(project: &Project) -> (BTreeMap<String, usize>, usize) {
    let status = project.run(&["status", "--local", "--json"]).expect(0).json();
    let mut types = BTreeMap::new();
    for resource in status["resources"].as_array().into_iter().flatten() {
        assert_eq!(resource["state"], "Succeeded", "{resource}");
        *types.entry(resource["type"].as_str().unwrap_or_default().to_owned()).or_insert(0) += 1;
    }
    let revisions = status["services"][0]["revisions"].as_array().map_or(0, Vec::len);
    let weights: u64 = status["services"][0]["revisions"]
        .as_array()
        .into_iter()
        .flatten()
        .filter_map(|revision| revision["weight"].as_u64())
        .sum();
    assert_eq!(weights, 100, "{status:#}");
    assert_eq!(Value::from(revisions), Value::from(1), "one active revision: {status:#}");
    (types, revisions)
}

/// Enough chance for a test, from a seed that is printed.
struct Chance(u64);

impl Chance {
    /// A number below `limit` (xorshift).
    fn below(&mut self, limit: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % limit
    }
}
