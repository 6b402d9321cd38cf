//! Microsoft's own clients, unchanged, against local Azure: what `tests/clients` says, a file for each plane.

use std::path::PathBuf;
use std::process::Command;

use landfall_tests::{finish, landfall, quick, root, skip};

/// The interpreter that `./test` installed Microsoft's clients for, or the reason there is none.
fn python() -> Option<PathBuf> {
    let venv = std::env::var_os("LANDFALL_CLIENTS_VENV").unwrap_or_else(|| "/tmp/landfall-clients".into());
    let python = PathBuf::from(venv).join("bin/python");
    if python.exists() {
        return Some(python);
    }
    skip(&format!(
        "Microsoft's Python clients are not installed: no {} (`./test --tools`)",
        python.display()
    ));
    None
}

#[test]
fn microsofts_clients_take_local_azure_for_azure() {
    if quick() {
        return;
    }
    let Some(python) = python() else { return };
    let mut command = Command::new(python);
    command
        .args([
            "-m",
            "pytest",
            "-q",
            "-p",
            "no:cacheprovider",
            "--numprocesses=2",
            "--dist=loadfile",
            "tests/clients",
        ])
        .current_dir(root())
        .env("LANDFALL_BIN", landfall());
    let ran = finish(command);
    assert_eq!(ran.code, 0, "{}", ran.all());
}
