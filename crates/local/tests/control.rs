//! A detached local Azure: started, asked, killed and stopped from another process.
#![allow(clippy::expect_used)]

mod common;

use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::LazyLock;
use std::time::{Duration, Instant};

use landfall_local::Error;
use landfall_local::control::{self, Launch, Started, Stopped};

/// Set for the process that is the detached local Azure: the arguments that `start` gave it.
const ARGUMENTS: &str = "LANDFALL_LOCAL_TEST_ARGUMENTS";

/// Not a test of its own: what the script below runs, as `landfall local run …` would.
#[test]
fn the_detached_process() {
    let Ok(arguments) = std::env::var(ARGUMENTS) else { return };
    let words: Vec<&str> = arguments.split('\n').filter(|word| !word.is_empty()).collect();
    assert_eq!(words[..3], ["local", "run", "--state"]);
    let after = |name: &str| words.iter().position(|word| *word == name).and_then(|at| words.get(at + 1));
    let launch = Launch {
        memory: words.contains(&"--memory"),
        seed: after("--seed").and_then(|seed| seed.parse().ok()),
        speed: after("--speed").and_then(|speed| speed.parse().ok()),
        port: after("--port").and_then(|port| port.parse().ok()),
        ..Launch::default()
    };
    let options = control::run_options(PathBuf::from(words[3]), launch);
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    if let Err(error) = runtime.block_on(control::run(options)) {
        eprintln!("error: {error}");
        std::process::exit(1);
    }
    std::process::exit(0);
}

/// A program that answers `local run …` by this test's own binary. Written once, before anything is started: a file
/// that is open for writing in a process that forks cannot be run.
fn program() -> &'static Path {
    static PROGRAM: LazyLock<PathBuf> = LazyLock::new(|| {
        let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join("landfall-local-run.sh");
        let own = std::env::current_exe().expect("this binary");
        let script = format!(
            "#!/bin/sh\n{ARGUMENTS}=$(printf '%s\\n' \"$@\") exec '{}' --exact the_detached_process --nocapture\n",
            own.display()
        );
        std::fs::write(&path, script).expect("a script");
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).expect("executable");
        path
    });
    &PROGRAM
}

fn launch() -> Launch {
    Launch { seed: Some(7), speed: Some(0.0), ..Launch::default() }
}

fn alive(pid: u32) -> bool {
    std::fs::read_to_string(format!("/proc/{pid}/stat"))
        .is_ok_and(|stat| !stat.rsplit(')').next().unwrap_or_default().trim_start().starts_with('Z'))
}

#[tokio::test(flavor = "multi_thread")]
async fn start_status_env_stop() {
    let folder = tempfile::tempdir().expect("a folder");
    let exe = program();
    assert_eq!(control::status(folder.path()).await.expect("asked"), None);
    assert_eq!(control::stop(folder.path()).await.expect("asked"), Stopped::NotRunning);
    assert!(matches!(control::env(folder.path()).await, Err(Error::NotRunning { .. })));

    let started = control::start(folder.path(), exe, &launch()).await.expect("started");
    let Started::Now(status) = started else { panic!("it did not run before") };
    assert!(alive(status.pid));
    let again = control::start(folder.path(), exe, &launch()).await.expect("started");
    assert_eq!(again, Started::Already(status.clone()));
    assert_eq!(control::status(folder.path()).await.expect("asked"), Some(status.clone()));

    let env = control::env(folder.path()).await.expect("asked");
    let names: Vec<&str> = env.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(names, control::ENV_NAMES);
    let ca = env
        .iter()
        .find(|(name, _)| name == "CA_FILE")
        .map(|(_, value)| PathBuf::from(value))
        .expect("CA_FILE");
    assert!(ca.is_absolute() && ca.exists());
    // Its own session: the end of this terminal is not its end.
    let stat = std::fs::read_to_string(format!("/proc/{}/stat", status.pid)).expect("alive");
    let session = stat.rsplit(')').next().and_then(|rest| rest.split_whitespace().nth(3)).expect("a session");
    assert_eq!(session, status.pid.to_string());

    assert_eq!(control::stop(folder.path()).await.expect("asked"), Stopped::Gracefully);
    assert!(!alive(status.pid));
    assert_eq!(control::status(folder.path()).await.expect("asked"), None);
    // The URLs stay the same.
    let started = control::start(folder.path(), exe, &launch()).await.expect("started");
    assert_eq!(started.status().urls, status.urls);
    control::stop(folder.path()).await.expect("stopped");
}

#[tokio::test(flavor = "multi_thread")]
async fn kill_9_loses_nothing_that_was_acknowledged() {
    let folder = tempfile::tempdir().expect("a folder");
    let exe = program();
    let mut acknowledged = Vec::new();
    for round in 0..3 {
        let started = control::start(folder.path(), exe, &launch()).await.expect("started");
        let local = common::Remote::new(started.status().clone());
        for name in &acknowledged {
            let path = format!("{}/resourcegroups/{name}?api-version=2024-11-01", local.subscription());
            assert_eq!(
                local.ask("GET", &path, None).await.map(|(status, _)| status).ok(),
                Some(200),
                "{name}"
            );
        }
        // The process is killed while requests come in from all sides.
        let mut tasks = tokio::task::JoinSet::new();
        for task in 0..4 {
            let local = common::Remote::new(started.status().clone());
            tasks.spawn(async move {
                let mut done = Vec::new();
                for n in 0.. {
                    let name = format!("rg-{round}-{task}-{n}");
                    let path =
                        format!("{}/resourcegroups/{name}?api-version=2024-11-01", local.subscription());
                    let body = serde_json::json!({"location": "westeurope"});
                    match local.ask("PUT", &path, Some(body)).await {
                        Ok((201, _)) => done.push(name),
                        Ok((429, _)) => tokio::time::sleep(Duration::from_millis(20)).await,
                        Ok(other) => panic!("{other:?}"),
                        Err(_) => break,
                    }
                }
                done
            });
        }
        tokio::time::sleep(Duration::from_millis(300)).await;
        let pid = i32::try_from(started.status().pid).expect("a pid");
        nix::sys::signal::kill(nix::unistd::Pid::from_raw(pid), nix::sys::signal::Signal::SIGKILL)
            .expect("killed");
        let before = acknowledged.len();
        while let Some(done) = tasks.join_next().await {
            acknowledged.extend(done.expect("no panic"));
        }
        assert!(acknowledged.len() > before, "some requests were answered");
    }
    let started = control::start(folder.path(), exe, &launch()).await.expect("started");
    let local = common::Remote::new(started.status().clone());
    for name in &acknowledged {
        let path = format!("{}/resourcegroups/{name}?api-version=2024-11-01", local.subscription());
        assert_eq!(local.ask("GET", &path, None).await.map(|(status, _)| status).ok(), Some(200), "{name}");
    }
    control::stop(folder.path()).await.expect("stopped");
}

#[tokio::test(flavor = "multi_thread")]
async fn memory_keeps_no_state_and_still_has_a_ca() {
    let folder = tempfile::tempdir().expect("a folder");
    let exe = program();
    let memory = Launch { memory: true, ..launch() };
    let started = control::start(folder.path(), exe, &memory).await.expect("started");
    assert_eq!(started.status().state, "memory");
    assert!(started.status().ca_file.is_absolute() && started.status().ca_file.exists());
    let ca = std::fs::read(&started.status().ca_file).expect("the CA");
    let local = common::Remote::new(started.status().clone());
    let path = format!("{}/resourcegroups/rg1?api-version=2024-11-01", local.subscription());
    let body = serde_json::json!({"location": "westeurope"});
    assert_eq!(local.ask("PUT", &path, Some(body)).await.expect("answered").0, 201);
    control::stop(folder.path()).await.expect("stopped");
    assert!(!control::state_folder(folder.path()).join("world.db").exists());
    let started = control::start(folder.path(), exe, &memory).await.expect("started");
    let local = common::Remote::new(started.status().clone());
    assert_eq!(local.ask("GET", &path, None).await.expect("answered").0, 404);
    assert_eq!(std::fs::read(&started.status().ca_file).expect("the CA"), ca, "made once per folder");
    control::stop(folder.path()).await.expect("stopped");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_keeps_it_from_starting_is_told() {
    let folder = tempfile::tempdir().expect("a folder");
    let exe = program();
    let other = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let port = other.local_addr().expect("an address").port();
    let begun = Instant::now();
    let error = control::start(folder.path(), exe, &Launch { port: Some(port), ..launch() })
        .await
        .expect_err("taken");
    assert!(error.to_string().contains(&format!("port {port} is in use")), "{error}");
    assert!(begun.elapsed() < Duration::from_secs(10), "it does not wait for what has ended");
    // And it can be started afterwards.
    control::start(folder.path(), exe, &launch()).await.expect("started");
    control::stop(folder.path()).await.expect("stopped");
}

#[tokio::test(flavor = "multi_thread")]
async fn two_starts_at_once_are_one() {
    let folder = tempfile::tempdir().expect("a folder");
    let exe = program();
    let launch = &launch();
    let (one, two) =
        tokio::join!(control::start(folder.path(), exe, launch), control::start(folder.path(), exe, launch));
    let (one, two) = (one.expect("started"), two.expect("started"));
    assert_eq!(one.status(), two.status());
    control::stop(folder.path()).await.expect("stopped");
}
