//! Applications that do not come up: the new revision fails, the old one keeps serving, and the message says why.

use std::time::Duration;

use landfall_tests::{Project, get};

/// A deployed hello whose source is then broken in one way.
fn broken(from: &str, to: &str) -> (Project, landfall_tests::Ran) {
    let project = Project::example("hello");
    project.up("done");
    project.edit("src/main.rs", from, to);
    let ran = project.run(&["up", "--local", "--yes"]).expect(1);
    assert!(ran.took < Duration::from_secs(120), "took {:?}", ran.took);
    let (status, body) = get(&project.url()).expect("the old revision answers");
    assert_eq!(status, 200, "the old revision keeps serving: {body}");
    assert!(body.contains("1.0.0"), "it is the old one: {body}");
    // A second `up` sees that the last one failed.
    let plan = project.run(&["plan", "--local", "--detailed-exitcode"]);
    assert_eq!(plan.code, 2, "{}", plan.all());
    (project, ran)
}

const MAIN: &str = "fn main() -> io::Result<()> {\n";

#[test]
fn one_that_exits_at_start() {
    let (_project, ran) = broken(
        MAIN,
        &format!(
            "{MAIN}    println!(\"the tide is out\");\n    std::process::exit(3);\n    #[allow(unreachable_code)]\n"
        ),
    );
    assert!(ran.stderr.contains("the tide is out"), "its last lines are shown: {}", ran.all());
    assert!(ran.stderr.contains('3'), "its exit code is shown: {}", ran.all());
}

#[test]
fn one_that_never_listens() {
    let (_project, ran) = broken(
        MAIN,
        &format!(
            "{MAIN}    println!(\"lost at sea\");\n    loop {{ thread::sleep(Duration::from_secs(1)); }}\n    #[allow(unreachable_code)]\n"
        ),
    );
    assert!(ran.stderr.contains("listen") || ran.stderr.contains("port"), "{}", ran.all());
    assert!(ran.stderr.contains("lost at sea"), "its last lines are shown: {}", ran.all());
}

#[test]
fn one_that_listens_on_another_port() {
    let (_project, ran) =
        broken("TcpListener::bind((\"0.0.0.0\", port))", "TcpListener::bind((\"0.0.0.0\", 39871))");
    assert!(ran.stderr.contains("39871"), "it says where it listens: {}", ran.all());
}

#[test]
fn one_that_fails_its_probes() {
    let project = Project::example("hello");
    project.up("done");
    project.edit("landfall.toml", "ready = \"/health\"", "ready = \"/nowhere\"");
    let ran = project.run(&["up", "--local", "--yes"]).expect(1);
    assert!(ran.stderr.to_lowercase().contains("probe"), "{}", ran.all());
    let (status, _) = get(&project.url()).expect("the old revision answers");
    assert_eq!(status, 200);
}
