//! Every measurement runs to its end, on a scale that says nothing.

use std::process::Command;

#[test]
fn every_figure_is_measured() {
    let output = Command::new(env!("CARGO_BIN_EXE_landfall-benches"))
        .args(["local", "--smoke"])
        .env("LANDFALL_BIN", landfall_tests::landfall())
        .output()
        .expect("the benchmark starts");
    let (printed, told) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{printed}\n{told}");
    for figure in ["local start", "memory at rest", "ARM GET, p99", "template", "upload", "pull"] {
        assert!(printed.contains(figure), "{figure} is missing:\n{printed}");
    }
    assert!(!printed.contains("NaN"), "{printed}");
}
