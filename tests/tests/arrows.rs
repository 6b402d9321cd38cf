//! The arrows between rooms: who may know of whom, held over `cargo metadata`.
//!
//! The list is the way of the data (`ARCHITECTURE.md`). A new arrow is a decision: it changes this table in a
//! commit of its own.

use std::collections::{BTreeMap, BTreeSet};
use std::process::Command;

/// Each room with the rooms that it may use.
const ARROWS: &[(&str, &[&str])] = &[
    ("landfall-manifest", &[]),
    ("landfall-blueprint", &["landfall-manifest"]),
    ("landfall-plan", &["landfall-blueprint"]),
    ("landfall-azure", &[]),
    ("landfall-engine", &[]),
    ("landfall-build", &[]),
    ("landfall-import", &["landfall-manifest"]),
    (
        "landfall-deploy",
        &[
            "landfall-azure",
            "landfall-blueprint",
            "landfall-build",
            "landfall-engine",
            "landfall-manifest",
            "landfall-plan",
        ],
    ),
    // Local Azure shares no code with what it tests, or a mistake would cancel itself out.
    ("landfall-local", &[]),
    (
        "landfall",
        &[
            "landfall-azure",
            "landfall-blueprint",
            "landfall-build",
            "landfall-deploy",
            "landfall-engine",
            "landfall-import",
            "landfall-local",
            "landfall-manifest",
            "landfall-plan",
        ],
    ),
    ("landfall-llm", &[]),
    ("landfall-store", &[]),
    ("landfall-telemetry", &[]),
    ("call-tickets", &["landfall-azure", "landfall-llm", "landfall-store", "landfall-telemetry"]),
    ("landfall-tests", &[]),
    // The figures come from the binary as users run it; what takes milliseconds is measured without its start.
    ("landfall-benches", &["landfall-blueprint", "landfall-manifest"]),
];

#[test]
fn rooms_know_only_what_the_list_allows() {
    let output = Command::new(env!("CARGO"))
        .args(["metadata", "--format-version", "1", "--no-deps", "--offline"])
        .current_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/.."))
        .output()
        .expect("cargo runs");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let metadata: serde_json::Value = serde_json::from_slice(&output.stdout).expect("cargo prints JSON");

    let allowed: BTreeMap<&str, BTreeSet<&str>> =
        ARROWS.iter().map(|(room, uses)| (*room, uses.iter().copied().collect())).collect();
    let mut seen = BTreeSet::new();
    let mut wrong = Vec::new();
    for package in metadata["packages"].as_array().expect("packages") {
        let name = package["name"].as_str().expect("a name");
        let Some(may) = allowed.get(name) else {
            wrong.push(format!("{name} is not in the list of rooms"));
            continue;
        };
        seen.insert(name);
        for dependency in package["dependencies"].as_array().expect("dependencies") {
            let other = dependency["name"].as_str().expect("a name");
            // A dependency of tests only draws no arrow: `local` is what rooms are tested against.
            let ours = allowed.contains_key(other) && dependency["kind"] != "dev";
            if ours && !may.contains(other) {
                wrong.push(format!("{name} uses {other}"));
            }
        }
    }
    let gone: Vec<_> = allowed.keys().filter(|room| !seen.contains(*room)).collect();
    assert!(wrong.is_empty() && gone.is_empty(), "arrows: {wrong:?}; rooms that are gone: {gone:?}");
}

#[test]
fn local_azure_shares_no_code_even_in_tests() {
    let manifest = include_str!("../../crates/local/Cargo.toml");
    assert!(!manifest.contains("landfall-azure") && !manifest.contains("landfall-engine"), "{manifest}");
}
