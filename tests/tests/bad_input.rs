//! Everything around the application that can be wrong: each a clear error, nothing lost.

use std::net::TcpListener;
use std::process::Command;
use std::time::Duration;

use landfall_tests::{Project, get, wait_for};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

#[test]
fn a_manifest_with_twenty_mistakes_gets_twenty_diagnostics() {
    let project =
        Project::with_manifest("wrong", include_str!("../../crates/manifest/tests/fixtures/twenty.toml"));
    let ran = project.run(&["up", "--local", "--yes", "--json"]).expect(2);
    let document = ran.json();
    assert_eq!(document["schema"], 1);
    let diagnostics = document["diagnostics"].as_array().expect("diagnostics");
    let places: std::collections::BTreeSet<(u64, u64)> = diagnostics
        .iter()
        .map(|one| (one["line"].as_u64().expect("a line"), one["column"].as_u64().expect("a column")))
        .collect();
    assert!(diagnostics.len() >= 20 && places.len() >= 20, "{}: {document:#}", diagnostics.len());
    for one in diagnostics {
        assert!(one["code"].as_str().is_some_and(|code| code.starts_with("LF")), "{one}");
        assert!(one["length"].as_u64().is_some_and(|length| length >= 1), "{one}");
        assert!(one["severity"] == "error" || one["severity"] == "warning", "{one}");
    }
    let errors = diagnostics.iter().filter(|one| one["severity"] == "error").count();
    assert!(errors >= 19, "{errors} errors: {document:#}");
    let text = project.run(&["plan", "--local"]).expect(2);
    assert!(text.stderr.contains("landfall.toml:") && text.stderr.contains("^"), "{}", text.all());
    assert!(!project.dir.join(".landfall").exists(), "nothing was begun");
}

#[test]
fn a_source_that_is_not_there_is_shown_in_the_manifest() {
    let project = Project::example("hello");
    project.edit("landfall.toml", "source = \".\"", "source = \"nowhere\"");
    let ran = project.run(&["up", "--local", "--yes", "--json"]).expect(2);
    let one = &ran.json()["diagnostics"][0];
    assert_eq!(
        (one["line"].as_u64(), one["column"].as_u64(), one["length"].as_u64()),
        (Some(6), Some(10), Some(9)),
        "{one}"
    );
    assert!(!project.dir.join(".landfall").exists(), "nothing was begun");
}

#[test]
fn no_manifest_and_no_folder() {
    let project = Project::with_manifest("none", "");
    std::fs::remove_file(project.dir.join("landfall.toml")).expect("it can be removed");
    let ran = project.run(&["plan", "--local"]).expect(2);
    assert!(ran.stderr.contains("landfall init"), "{}", ran.all());
    let ran = project.run(&["up", "nowhere", "--local"]).expect(2);
    assert!(ran.stderr.contains("nowhere"), "{}", ran.all());
}

#[test]
fn a_port_that_is_taken() {
    let project = Project::example("hello");
    let taken = TcpListener::bind("127.0.0.1:0").expect("a port is free");
    let port = taken.local_addr().expect("it has an address").port().to_string();
    let ran = project.run(&["local", "start", "--port", &port]).expect(1);
    assert!(ran.stderr.contains(&port) && ran.stderr.contains("--port"), "{}", ran.all());
}

#[test]
fn a_corrupt_journal_is_kept_and_the_way_out_is_said() {
    let project = Project::example("hello");
    project.write(".landfall/journal-local.db", "this is no database, and longer than a header of one hundred bytes would be, so that SQLite reads it");
    let ran = project.run(&["up", "--local", "--yes"]).expect(1);
    assert!(ran.stderr.contains("journal-local.db") && ran.stderr.contains("hint:"), "{}", ran.all());
    assert!(project.read(".landfall/journal-local.db").starts_with("this is no database"), "nothing is lost");
}

#[test]
fn two_at_once_the_second_says_who_has_it() {
    let project = Project::example("hello");
    let mut first = project.spawn(&["up", "--local", "--yes"]);
    wait_for("the first holds the lease", Duration::from_secs(60), || {
        let status = project.run(&["status", "--local", "--json"]);
        match status.stdout.contains("\"changing\":{") {
            true => Ok(()),
            false => Err(status.all()),
        }
    });
    let refused = project.run(&["up", "--local", "--yes"]).expect(4);
    assert!(refused.stderr.contains(&first.id().to_string()), "it names the process: {}", refused.all());
    assert!(refused.stderr.contains("--wait"), "{}", refused.all());
    let second = project.run(&["up", "--local", "--yes", "--wait", "3m"]).expect(0);
    assert!(second.stdout.contains("nothing to change"), "{}", second.all());
    assert!(first.wait().expect("it ends").success());
}

#[test]
fn local_azure_killed_in_the_middle() {
    let project = Project::example("hello");
    project.run(&["local", "start"]).expect(0);
    let status = project.run(&["local", "status", "--json"]).expect(0).json();
    let pid = i32::try_from(status["pid"].as_i64().expect("a pid")).expect("a process id");
    let mut up = project.spawn(&["up", "--local", "--yes"]);
    wait_for("the deployment is under way", Duration::from_secs(60), || {
        let runs = project.run(&["runs", "--local", "--json"]).json();
        let done = runs["runs"][0]["done"].as_u64().unwrap_or(0);
        if done >= 2 { Ok(()) } else { Err(runs.to_string()) }
    });
    kill(Pid::from_raw(pid), Signal::SIGKILL).expect("it can be killed");
    // While it is away the run waits; it goes on when local Azure is back, or fails saying so.
    project.run(&["local", "start"]).expect(0);
    let code = up.wait().expect("it ends").code();
    let again = project.run(&["up", "--local", "--yes"]).expect(0);
    assert!(matches!(code, Some(0 | 1)), "{code:?}");
    let (status, _) = get(&project.url()).unwrap_or_else(|error| panic!("{error}: {}", again.all()));
    assert_eq!(status, 200, "nothing was lost");
}

#[test]
fn no_toolchain() {
    let project = Project::example("hello");
    let empty = project.dir.join("empty");
    std::fs::create_dir(&empty).expect("a folder can be made");
    let mut command = project.command(&["up", "--local", "--yes"]);
    command.env("PATH", &empty);
    let ran = landfall_tests::finish(command).expect(1);
    assert!(ran.stderr.contains("cargo"), "it names what is missing: {}", ran.all());
}

#[test]
fn a_full_disk() {
    // `/dev/full` refuses every write with the error of a full disk.
    let project = Project::example("hello");
    let ran = project.run(&["plan", "--local", "--out", "/dev/full"]);
    assert_eq!(ran.code, 1, "{}", ran.all());
    assert!(ran.stderr.contains("No space left"), "{}", ran.all());
}

#[test]
fn a_disk_that_fills_while_deploying() {
    let project = Project::example("hello");
    project.run(&["local", "start"]).expect(0);
    let build = project.dir.join(".landfall/build");
    std::fs::create_dir_all(&build).expect("a folder can be made");
    let mounted = Command::new("mount").args(["-t", "tmpfs", "-o", "size=1m", "tmpfs"]).arg(&build).status();
    if !mounted.is_ok_and(|status| status.success()) {
        // Even root may not mount in some containers, so this is no missing tool.
        println!("skipped: a small file system cannot be mounted here");
        return;
    }
    let ran = project.run(&["up", "--local", "--yes"]);
    let unmounted = Command::new("umount").arg("-l").arg(&build).status();
    assert!(unmounted.is_ok_and(|status| status.success()), "the small file system stays mounted");
    assert_eq!(ran.code, 1, "{}", ran.all());
    assert!(
        ran.stderr.to_lowercase().contains("no space left"),
        "it says that the disk is full: {}",
        ran.all()
    );
    // With room again, the next run goes on.
    project.up("done");
}
