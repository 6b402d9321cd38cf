//! Real-looking projects of every format: what is written, what is listed, and that no secret is in either.

#![expect(clippy::disallowed_methods, reason = "the room is pure, its tests read their fixtures")]

use std::fmt::Write;
use std::path::Path;

use landfall_import::{File, Format, Imported, import, wanted};

/// All files of a fixture, by their paths within it.
fn files(fixture: &str) -> Vec<File> {
    fn walk(root: &Path, folder: &Path, found: &mut Vec<File>) {
        let mut entries: Vec<_> = std::fs::read_dir(folder)
            .expect("a folder")
            .map(|entry| entry.expect("an entry").path())
            .collect();
        entries.sort();
        for path in entries {
            if path.is_dir() {
                walk(root, &path, found);
            } else {
                let text = std::fs::read_to_string(&path).expect("text");
                let path = path.strip_prefix(root).expect("it lies within").to_string_lossy().into_owned();
                found.push(File { path, text });
            }
        }
    }
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures").join(fixture);
    let mut found = Vec::new();
    walk(&root, &root, &mut found);
    found
}

/// The main files, and then those that are asked for, as the command line reads them.
fn gathered(format: Format, fixture: &str, mains: &[&str]) -> Vec<File> {
    let all = files(fixture);
    let mut found: Vec<File> =
        all.iter().filter(|file| mains.contains(&file.path.as_str())).cloned().collect();
    assert_eq!(found.len(), mains.len());
    loop {
        let more: Vec<File> = wanted(format, &found)
            .into_iter()
            .filter_map(|path| all.iter().find(|file| file.path == path))
            .cloned()
            .collect();
        if more.is_empty() {
            return found;
        }
        found.extend(more);
    }
}

/// The manifest and the lists, once the manifest has been found to load.
fn report(imported: &Imported) -> String {
    let text = landfall_manifest::write_new(&imported.app);
    let loaded = landfall_manifest::load("landfall.toml", &text, None);
    let rendered = landfall_manifest::render(&loaded.diagnostics, &text, false);
    assert!(loaded.app.is_some(), "{text}\n{rendered}");
    let mut out = text;
    out.push_str("\n=== secrets\n");
    for secret in &imported.secrets {
        let note = secret.note.as_deref().map(|note| format!("; {note}")).unwrap_or_default();
        writeln!(
            out,
            "{} ({}:{}) for {}{note}",
            secret.name,
            secret.file,
            secret.line,
            secret.variables.join(", ")
        )
        .expect("a text grows");
    }
    if !imported.unknown_ports.is_empty() {
        writeln!(out, "=== ports not known: {}", imported.unknown_ports.join(", ")).expect("a text grows");
    }
    assert!(!out.contains("planted"), "a planted secret came through:\n{out}");
    out
}

fn check(format: Format, fixture: &str, mains: &[&str]) -> String {
    let files = gathered(format, fixture, mains);
    let imported = import(format, fixture, &files).unwrap_or_else(|problems| panic!("{problems:#?}"));
    assert_eq!(
        imported,
        import(format, fixture, &files).expect("as before"),
        "the same files give the same result"
    );
    report(&imported)
}

#[test]
fn compose_shop() {
    insta::assert_snapshot!(check(Format::Compose, "compose-shop", &["docker-compose.yml"]));
}

#[test]
fn compose_forms() {
    insta::assert_snapshot!(check(Format::Compose, "compose-forms", &["compose.yaml"]));
}

#[test]
fn azd_todo() {
    insta::assert_snapshot!(check(Format::Azd, "azd-todo", &["azure.yaml"]));
}

#[test]
fn azd_composed() {
    insta::assert_snapshot!(check(Format::Azd, "azd-composed", &["azure.yaml"]));
}

#[test]
fn fly() {
    insta::assert_snapshot!(check(Format::Fly, "fly", &["fly.toml"]));
}

#[test]
fn procfile() {
    insta::assert_snapshot!(check(Format::Procfile, "procfile", &["Procfile"]));
}

#[test]
fn server() {
    let all = files("server");
    let paths: Vec<&str> = all.iter().map(|file| file.path.as_str()).collect();
    insta::assert_snapshot!(check(Format::Server, "server", &paths));
}
