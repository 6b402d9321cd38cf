//! Every measurement runs to its end, on a scale that says nothing.

use std::path::Path;
use std::process::Command;

/// Measures a subject with its program, and gives back the table.
fn measured(subject: &str, variable: &str, program: &Path, figures: &[&str]) -> String {
    let output = Command::new(env!("CARGO_BIN_EXE_landfall-benches"))
        .args([subject, "--smoke"])
        .env(variable, program)
        .output()
        .expect("the benchmark starts");
    let (printed, told) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{printed}\n{told}");
    for figure in figures {
        assert!(printed.contains(figure), "{figure} is missing:\n{printed}");
    }
    assert!(!printed.contains("NaN"), "{printed}");
    printed.into_owned()
}

#[test]
fn every_figure_of_local_azure_is_measured() {
    let figures = ["local start", "memory at rest", "ARM GET, p99", "template", "upload", "pull"];
    measured("local", "LANDFALL_BIN", landfall_tests::landfall(), &figures);
}

#[test]
fn every_figure_of_call_tickets_is_measured() {
    let figures =
        ["p50", "p95", "p99", "acknowledgements, 100 at once", "at rest", "under that load", "cold start"];
    let table = measured("call-tickets", "CALL_TICKETS_BIN", landfall_tests::call_tickets(), &figures);
    if let Some(skipped) = table.lines().find(|line| line.starts_with("skipped: ")) {
        landfall_tests::skip(skipped);
    } else {
        assert_eq!(
            table.matches(" FastAPI").count(),
            figures.len(),
            "each figure has one beside it:\n{table}"
        );
    }
}

#[test]
fn a_blueprint_is_measured() {
    let output = Command::new(env!("CARGO_BIN_EXE_landfall-benches"))
        .args(["blueprint", "--smoke"])
        .output()
        .expect("the benchmark starts");
    let (printed, told) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{printed}\n{told}");
    assert!(printed.contains("manifest to blueprint") && !printed.contains("NaN"), "{printed}");
}
