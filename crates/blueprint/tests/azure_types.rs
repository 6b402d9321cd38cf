//! Every body that this room can write, against Azure's own description of the types.
#![allow(clippy::disallowed_methods, reason = "the checker is a program and a folder")]
#![allow(clippy::unwrap_used, reason = "a test")]
#![allow(missing_docs)]

mod apps;

use std::io::Write;
use std::path::PathBuf;
use std::process::{Command, Stdio};

use landfall_blueprint::{blueprint, template};
use proptest::strategy::{Strategy, ValueTree};
use proptest::test_runner::TestRunner;
use serde_json::Value;

/// The checker, or a line that says why there is none.
fn checker() -> Option<PathBuf> {
    let shared = std::env::var_os("LANDFALL_SHARED")
        .map(PathBuf::from)
        .unwrap_or_else(|| PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../../../shared")));
    let checker = shared.join("azure-types/check_arm.py");
    let python = Command::new("python3").arg("--version").output().is_ok_and(|done| done.status.success());
    // Not by `println!`, which the test harness keeps to itself when a test passes.
    let say = |what: String| writeln!(std::io::stderr(), "skipped: bodies against Azure's types: {what}");
    match (checker.is_file(), python) {
        (true, true) => return Some(checker),
        (false, _) => say(format!("no {}", checker.display())).unwrap(),
        (_, false) => say(format!("no python3 to run {}", checker.display())).unwrap(),
    }
    None
}

/// Types that Azure has and its compact description here does not, at the version that their providers document.
const NOT_DESCRIBED: &[(&str, &str)] = &[
    ("Microsoft.AppConfiguration/configurationStores/keyValues", "2024-06-01"),
    ("Microsoft.Cache/redisEnterprise/databases/accessPolicyAssignments", "2025-07-01"),
    ("Microsoft.Communication/emailServices/domains", "2026-03-18"),
    ("Microsoft.Search/searchServices", "2025-05-01"),
    ("Microsoft.Storage/storageAccounts/queueServices", "2026-04-01"),
    ("Microsoft.Storage/storageAccounts/queueServices/queues", "2026-04-01"),
    ("Microsoft.Storage/storageAccounts/tableServices", "2026-04-01"),
    ("Microsoft.Storage/storageAccounts/tableServices/tables", "2026-04-01"),
];

fn is_described(body: &Value) -> bool {
    let (kind, version) = (body["type"].as_str().unwrap(), body["apiVersion"].as_str().unwrap());
    let row = NOT_DESCRIBED.iter().find(|(known, _)| *known == kind);
    row.inspect(|(_, documented)| assert_eq!(version, *documented, "{kind}")).is_none()
}

/// The bodies as the checker takes them.
fn bodies(app: &landfall_manifest::App) -> Vec<Value> {
    let made = blueprint(app).unwrap_or_else(|problems| panic!("{problems:#?}\n{app:#?}"));
    let Value::Array(mut bodies) = template::template(&made) else { panic!("an array") };
    for body in &mut bodies {
        let body = body.as_object_mut().unwrap();
        body.remove("address");
        body.remove("scope");
    }
    bodies.retain(is_described);
    bodies
}

fn check(checker: &PathBuf, bodies: &[Value]) -> (bool, String) {
    let mut child = Command::new("python3")
        .arg(checker)
        .args(["--strict", "--template"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    serde_json::to_writer(child.stdin.take().unwrap(), bodies).unwrap();
    let done = child.wait_with_output().unwrap();
    (done.status.success(), String::from_utf8(done.stdout).unwrap())
}

#[test]
fn every_generated_blueprint_is_what_azure_takes() {
    let Some(checker) = checker() else { return };
    let mut runner = TestRunner::deterministic();
    let strategy = apps::any_app();
    let mut all = Vec::new();
    for _ in 0..300 {
        all.extend(bodies(&strategy.new_tree(&mut runner).unwrap().current()));
    }
    let mut types: Vec<&str> = all.iter().map(|body| body["type"].as_str().unwrap()).collect();
    types.sort_unstable();
    types.dedup();
    assert_eq!(types.len(), 36, "not every type was generated: {types:?}");
    let (fine, said) = check(&checker, &all);
    assert!(fine, "{said}");
}

/// The manifests of `tests/apps`, each of which has all that some of the types can say.
#[test]
fn every_written_manifest_is_what_azure_takes() {
    let Some(checker) = checker() else { return };
    let folder = PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/apps"));
    let mut seen = 0;
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_none_or(|extension| extension != "toml") {
            continue;
        }
        seen += 1;
        let text = std::fs::read_to_string(&path).unwrap();
        for environment in ["dev", "prod"] {
            let loaded = landfall_manifest::load("landfall.toml", &text, Some(environment));
            let app = loaded.app.unwrap_or_else(|| panic!("{}: {:#?}", path.display(), loaded.diagnostics));
            let (fine, said) = check(&checker, &bodies(&app));
            assert!(fine, "{} in {environment}: {said}", path.display());
        }
    }
    assert!(seen > 0, "the manifests are gone");
}

#[test]
fn the_checker_would_find_a_fault() {
    let Some(checker) = checker() else { return };
    let mut runner = TestRunner::deterministic();
    let strategy = apps::any_app().prop_filter("with a service", |app| !app.services.is_empty());
    let mut wrong = bodies(&strategy.new_tree(&mut runner).unwrap().current());
    wrong.last_mut().unwrap()["properties"]["configuration"]["activeRevisionsMode"] = "Sinlge".into();
    let (fine, said) = check(&checker, &wrong);
    assert!(!fine && said.contains("activeRevisionsMode"), "{said}");
}

/// Every environment of every example.
#[test]
fn every_example_is_what_azure_takes() {
    let examples = PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../../examples"));
    let checker = checker();
    let mut seen = 0;
    let mut wrong = Vec::new();
    for entry in std::fs::read_dir(examples).unwrap() {
        let manifest = entry.unwrap().path().join("landfall.toml");
        let Ok(text) = std::fs::read_to_string(&manifest) else { continue };
        for environment in ["dev", "staging", "prod"] {
            seen += 1;
            let here = format!("{} in {environment}", manifest.display());
            let loaded = landfall_manifest::load("landfall.toml", &text, Some(environment));
            let Some(app) = loaded.app else {
                wrong.push(format!(
                    "{here}:\n{}",
                    landfall_manifest::render(&loaded.diagnostics, &text, false)
                ));
                continue;
            };
            if let Err(problems) = blueprint(&app) {
                wrong.push(format!("{here}: {problems:#?}"));
            } else if let Some(checker) = &checker {
                let (fine, said) = check(checker, &bodies(&app));
                if !fine {
                    wrong.push(format!("{here}: {said}"));
                }
            }
        }
    }
    assert!(seen > 0, "the examples are gone");
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
