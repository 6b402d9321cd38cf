//! Manifests with their diagnostics written below the lines they are about.
//!
//! A comment `# ^^^^ error[LF1003]: message` belongs to the line above it and underlines what is above its carets;
//! a second comment may hold the help. What concerns the file as a whole stands in `#! …` lines at its top.
//! `BLESS=1 cargo test -p landfall-manifest` writes what is found into the files; read the difference.
#![allow(clippy::disallowed_methods, clippy::unwrap_used, reason = "a test reads its fixtures")]

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use landfall_manifest::{Diagnostic, codes, load};

#[test]
fn every_fixture_has_the_diagnostics_it_shows() {
    let fixtures = fixtures();
    assert!(fixtures.len() > 10, "the fixtures are gone");
    let failed: Vec<String> = fixtures.iter().filter_map(|path| check(path).err()).collect();
    assert!(failed.is_empty(), "{}", failed.join("\n\n"));
}

#[test]
fn every_code_is_shown_by_a_fixture() {
    let shown: BTreeSet<&str> = fixtures().iter().flat_map(|path| found(path).1).map(|d| d.code).collect();
    // Nothing of the language is left for later any more.
    let wanted = codes::ALL.iter().filter(|code| **code != codes::NOT_YET);
    let missing: Vec<&str> = wanted.map(|code| code.id).filter(|id| !shown.contains(id)).collect();
    assert!(missing.is_empty(), "no fixture shows {missing:?}");
}

#[test]
fn twenty_mistakes_give_twenty_diagnostics_in_one_go() {
    let (_, diagnostics) = found(&Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/twenty.toml"));
    let codes: BTreeSet<&str> = diagnostics.iter().map(|diagnostic| diagnostic.code).collect();
    assert_eq!(diagnostics.len(), 20, "{diagnostics:#?}");
    assert_eq!(codes.len(), 20, "all of different kinds: {codes:?}");
    let places: BTreeSet<(usize, usize)> = diagnostics.iter().map(|d| (d.line, d.column)).collect();
    assert_eq!(places.len(), 20, "each at a place of its own: {places:?}");
}

fn fixtures() -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures");
    let mut paths: Vec<PathBuf> = std::fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|p| p.extension().is_some())
        .collect();
    paths.sort();
    paths
}

/// The fixture without its markers, and what is found in it.
fn found(path: &Path) -> (String, Vec<Diagnostic>) {
    let fixture = std::fs::read_to_string(path).unwrap();
    let environment = fixture.lines().find_map(|line| line.strip_prefix("#env "));
    let plain: String = fixture.split_inclusive('\n').filter(|line| !is_marker(line)).collect();
    let loaded = load("landfall.toml", &plain, environment);
    let has_error = loaded.diagnostics.iter().any(Diagnostic::is_error);
    assert_eq!(
        loaded.app.is_none(),
        has_error,
        "{}: an App comes exactly when there is no error",
        path.display()
    );
    (plain, loaded.diagnostics)
}

/// Compares a fixture with what is found in it.
fn check(path: &Path) -> Result<(), String> {
    let fixture = std::fs::read_to_string(path).unwrap();
    let (plain, diagnostics) = found(path);
    let actual = annotate(&plain, &diagnostics);
    if actual == fixture {
        return Ok(());
    }
    if std::env::var_os("BLESS").is_some() {
        std::fs::write(path, &actual).unwrap();
        return Ok(());
    }
    Err(format!("{} should read\n{actual}", path.display()))
}

fn is_marker(line: &str) -> bool {
    let Some(rest) = line.strip_prefix('#') else { return false };
    let rest = rest.strip_prefix('!').unwrap_or(rest).trim_start();
    rest.starts_with('^')
        || rest.starts_with("help: ")
        || (line.starts_with("#!") && rest.starts_with("error["))
}

/// The text with each diagnostic below its line.
fn annotate(text: &str, diagnostics: &[Diagnostic]) -> String {
    let mut out = String::new();
    let whole = |d: &&Diagnostic| d.span == (0..0);
    for diagnostic in diagnostics.iter().filter(whole) {
        let _ = writeln!(out, "#! {}", says(diagnostic));
        if let Some(help) = &diagnostic.help {
            let _ = writeln!(out, "#! help: {help}");
        }
    }
    for (number, line) in text.split_inclusive('\n').enumerate() {
        out.push_str(line);
        if !line.ends_with('\n') {
            out.push('\n');
        }
        for diagnostic in diagnostics.iter().filter(|d| !whole(d) && d.line == number + 1) {
            // The first column is the comment's own: fixtures are indented.
            let indent = " ".repeat(diagnostic.column.saturating_sub(2));
            let _ = writeln!(out, "#{indent}{} {}", "^".repeat(diagnostic.length), says(diagnostic));
            if let Some(help) = &diagnostic.help {
                let _ = writeln!(out, "#{indent}help: {help}");
            }
        }
    }
    out
}

fn says(diagnostic: &Diagnostic) -> String {
    let severity = if diagnostic.is_error() { "error" } else { "warning" };
    format!("{severity}[{}]: {}", diagnostic.code, diagnostic.message)
}
