//! The journal as a file: what it keeps, and what it says when the file is not what it should be.
#![expect(clippy::disallowed_methods, reason = "these tests do to the file what others do")]

use std::fs;
use std::path::PathBuf;

use serde_json::json;
use tempfile::TempDir;

use super::*;
use crate::report::OperationStatus;

fn owner() -> Owner {
    Owner::this_process("test")
}

fn folder() -> (TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("state/journal.db");
    (folder, path)
}

fn graph_of(keys: &[&str]) -> Graph {
    Graph::new(keys.iter().map(|&key| Operation::new(key, "put", key)).collect()).unwrap()
}

fn entry(position: usize, key: &str, record: Record) -> Entry {
    Entry { position, key: key.into(), at: crate::clock::wall(), record }
}

/// A journal with a run in it, closed properly.
fn written(path: &Path) -> RunId {
    let journal = Journal::open(path).unwrap();
    let lease = journal.acquire("app/dev", &owner()).unwrap();
    let run = lease.create_run("up", &json!({ "why": "test" }), &graph_of(&["a", "b"])).unwrap();
    lease.open_session(&run, crate::clock::wall()).unwrap();
    let done = Record::Done { output: json!({ "id": 7 }) };
    lease
        .commit(
            &run,
            &[entry(0, "a", Record::Begun), entry(0, "a", done), entry(1, "b", Record::Begun)],
            None,
        )
        .unwrap();
    run
}

#[test]
fn what_was_written_is_there_for_the_next_process() {
    let (_folder, path) = folder();
    let run = written(&path);
    let journal = Journal::open(&path).unwrap();
    let report = journal.report(&run).unwrap();
    assert_eq!(report.summary.state, RunState::Interrupted);
    assert_eq!((report.summary.operations, report.summary.done, report.summary.failed), (2, 1, 0));
    assert_eq!(report.detail, json!({ "why": "test" }));
    assert_eq!(report.sessions.len(), 1);
    let statuses: Vec<_> = report.operations.iter().map(|operation| operation.status).collect();
    assert_eq!(statuses, [OperationStatus::Done, OperationStatus::Begun]);
    assert_eq!(journal.unfinished("app/dev").unwrap().unwrap().id, run);
    assert!(journal.unfinished("app/prod").unwrap().is_none());
    assert_eq!(journal.last_output("app/dev", &"a".into()).unwrap(), Some(json!({ "id": 7 })));
    assert_eq!(journal.last_output("app/dev", &"b".into()).unwrap(), None);
    assert_eq!(journal.last_output("app/prod", &"a".into()).unwrap(), None);
}

#[test]
fn a_commit_reaches_the_disk_before_it_returns() {
    let (_folder, path) = folder();
    let journal = Journal::open(&path).unwrap();
    let pragma = |name: &str| -> String {
        let value =
            |row: &Row<'_>| Ok(row.get::<_, String>(0).or_else(|_| row.get(0).map(|n: i64| n.to_string())));
        journal.connection().pragma_query_value(None, name, value).unwrap().unwrap()
    };
    assert_eq!((pragma("journal_mode").as_str(), pragma("synchronous").as_str()), ("wal", "2"));
}

#[test]
fn outputs_outlive_their_run_and_can_be_set_and_forgotten() {
    let (_folder, path) = folder();
    written(&path);
    let journal = Journal::open(&path).unwrap();
    let lease = journal.acquire("app/dev", &owner()).unwrap();
    lease.set_output(&"a".into(), None).unwrap();
    lease.set_output(&"c".into(), Some(&json!("known"))).unwrap();
    let outputs = journal.last_outputs("app/dev").unwrap();
    assert_eq!(outputs, BTreeMap::from([("c".into(), json!("known"))]));
}

#[test]
fn a_scope_has_one_unfinished_run_and_it_can_be_abandoned() {
    let (_folder, path) = folder();
    let run = written(&path);
    let journal = Journal::open(&path).unwrap();
    let lease = journal.acquire("app/dev", &owner()).unwrap();
    let error = lease.create_run("up", &Value::Null, &graph_of(&["a"])).unwrap_err();
    assert!(matches!(&error, JournalError::Unfinished(other) if *other == run), "{error}");
    lease.abandon(&run).unwrap();
    assert_eq!(journal.report(&run).unwrap().outcome(), Some(Outcome::Abandoned));
    assert!(matches!(lease.abandon(&run), Err(JournalError::Over(_))));
    let next = lease.create_run("up", &Value::Null, &graph_of(&["a"])).unwrap();
    let runs: Vec<_> = journal.runs(Some("app/dev")).unwrap().into_iter().map(|summary| summary.id).collect();
    assert_eq!(runs, [next, run], "newest first");
}

#[test]
fn a_lease_is_good_for_its_own_scope() {
    let (_folder, path) = folder();
    let run = written(&path);
    let journal = Journal::open(&path).unwrap();
    let lease = journal.acquire("other/dev", &owner()).unwrap();
    let error = lease.open_session(&run, crate::clock::wall()).unwrap_err();
    assert_eq!(error.to_string(), format!("run `{run}` is of `app/dev`, not of `other/dev`"));
    let missing = RunId::new("none");
    assert!(matches!(journal.report(&missing), Err(JournalError::NoSuchRun(_))));
    assert!(matches!(journal.graph(&missing), Err(JournalError::NoSuchRun(_))));
    assert!(matches!(journal.request_cancel(&missing), Err(JournalError::NoSuchRun(_))));
}

#[test]
fn old_runs_are_forgotten_and_what_they_put_out_is_not() {
    let journal = Journal::in_memory().unwrap();
    let lease = journal.acquire("app/dev", &owner()).unwrap();
    for number in 0..RUNS_KEPT + 3 {
        let run = lease.create_run("up", &Value::Null, &graph_of(&["a"])).unwrap();
        let done = Record::Done { output: json!(number) };
        let end = Some((crate::clock::wall(), Outcome::Done));
        lease.commit(&run, &[entry(0, "a", Record::Begun), entry(0, "a", done)], end).unwrap();
    }
    let runs = journal.runs(None).unwrap();
    // The newest was created after the last look.
    assert_eq!(runs.len() as i64, RUNS_KEPT + 1);
    let orphans: i64 = journal
        .connection()
        .query_row("SELECT count(*) FROM records WHERE run NOT IN (SELECT id FROM runs)", [], |row| {
            row.get(0)
        })
        .unwrap();
    assert_eq!(orphans, 0);
    assert_eq!(journal.last_output("app/dev", &"a".into()).unwrap(), Some(json!(RUNS_KEPT + 2)));
}

/// Opens it, or reads all of it if it opens, and gives the error.
fn trouble(path: &Path) -> JournalError {
    let read = |journal: Journal| {
        for run in journal.runs(None)? {
            journal.report(&run.id)?;
        }
        Ok(())
    };
    Journal::open(path).and_then(read).expect_err("the file is damaged")
}

#[test]
fn a_damaged_journal_is_named_kept_and_moved_aside_when_asked() {
    type Damage = fn(&mut Vec<u8>);
    let damages: [(&str, Damage); 4] = [
        ("no database at all", |bytes| {
            *bytes = b"hello, I am a letter to my aunt; not a journal. ".repeat(90)
        }),
        ("the head is gone", |bytes| bytes[..64].fill(0xff)),
        ("half of it is gone", |bytes| bytes.truncate(bytes.len() / 2)),
        ("pages overwritten", |bytes| {
            let from = bytes.len() / 3;
            bytes[from..from + 9000].fill(0x5a);
        }),
    ];
    for (what, damage) in damages {
        let (_folder, path) = folder();
        written(&path);
        let mut bytes = fs::read(&path).unwrap();
        damage(&mut bytes);
        fs::write(&path, &bytes).unwrap();

        let error = trouble(&path);
        assert!(matches!(error, JournalError::Corrupt { .. }), "{what}: {error:?}");
        assert!(error.to_string().contains(path.to_str().unwrap()), "{what}: {error}");
        assert!(error.help().unwrap().contains("aside"), "{what}");
        assert_eq!(fs::read(&path).unwrap(), bytes, "{what}: it must be left as it is");

        let aside = Journal::move_aside(&path).unwrap();
        assert_eq!(fs::read(&aside).unwrap(), bytes, "{what}");
        let fresh = Journal::open(&path).unwrap();
        assert!(fresh.runs(None).unwrap().is_empty(), "{what}");
    }
}

#[test]
fn a_record_that_makes_no_sense_is_damage_too() {
    for (what, change) in [
        ("text", "UPDATE records SET record = 'begun' WHERE number = 1"),
        ("order", "DELETE FROM records WHERE number = 1"),
        ("operation", "UPDATE records SET position = 99 WHERE number = 1"),
        ("graph", "DELETE FROM operations"),
        ("time", "UPDATE records SET at = 9223372036854775807 WHERE number = 1"),
        ("column", "UPDATE records SET at = 'noon' WHERE number = 1"),
    ] {
        let (_folder, path) = folder();
        let run = written(&path);
        let journal = Journal::open(&path).unwrap();
        journal.connection().execute_batch(change).unwrap();
        let error = journal.report(&run).unwrap_err();
        assert!(matches!(error, JournalError::Corrupt { .. }), "{what}: {error:?}");
    }
}

#[test]
fn a_write_ahead_log_cut_short_costs_only_its_end() {
    let (_folder, path) = folder();
    let run = written(&path);
    let journal = Journal::open(&path).unwrap();
    let lease = journal.acquire("app/dev", &owner()).unwrap();
    let done = Record::Done { output: Value::Null };
    lease.commit(&run, &[entry(1, "b", done)], None).unwrap();
    // As a machine that lost power leaves it: the file and a torn log, copied while open.
    let (_other, torn) = folder();
    fs::create_dir_all(torn.parent().unwrap()).unwrap();
    fs::copy(&path, &torn).unwrap();
    let log = fs::read(path.with_extension("db-wal")).unwrap();
    fs::write(torn.with_extension("db-wal"), &log[..log.len() - 100]).unwrap();
    let report = Journal::open(&torn).unwrap().report(&run).unwrap();
    assert_eq!(report.operations[1].status, OperationStatus::Begun);
    assert_eq!(report.operations[0].status, OperationStatus::Done);
}

#[test]
fn a_newer_or_foreign_file_is_left_alone() {
    let (_folder, path) = folder();
    written(&path);
    Connection::open(&path).unwrap().pragma_update(None, "user_version", 2).unwrap();
    let error = Journal::open(&path).unwrap_err();
    assert!(matches!(error, JournalError::Newer { found: 2, known: 1, .. }), "{error:?}");

    let (folder, _) = folder();
    let foreign = folder.path().join("foreign.db");
    Connection::open(&foreign).unwrap().execute_batch("CREATE TABLE cats (name TEXT)").unwrap();
    let error = Journal::open(&foreign).unwrap_err();
    assert!(error.to_string().contains("something else"), "{error}");
}

#[test]
fn a_full_disk_is_said_so_and_loses_nothing() {
    let (_folder, path) = folder();
    let run = written(&path);
    let journal = Journal::open(&path).unwrap();
    let lease = journal.acquire("app/dev", &owner()).unwrap();
    // SQLite's own limit stands for the disk's; the error is the same.
    let pages: i64 = journal.connection().pragma_query_value(None, "page_count", |row| row.get(0)).unwrap();
    journal.connection().pragma_update(None, "max_page_count", pages).unwrap();
    let big = Record::Done { output: json!("x".repeat(1 << 20)) };
    let error = lease.commit(&run, &[entry(1, "b", big)], None).unwrap_err();
    assert!(matches!(error, JournalError::DiskFull { .. }), "{error:?}");
    assert!(error.help().unwrap().contains("room"));

    journal.connection().pragma_update(None, "max_page_count", 1 << 30).unwrap();
    assert_eq!(journal.report(&run).unwrap().operations[1].status, OperationStatus::Begun, "all or nothing");
    lease.commit(&run, &[entry(1, "b", Record::Done { output: Value::Null })], None).unwrap();
    assert_eq!(journal.report(&run).unwrap().operations[1].status, OperationStatus::Done);
}

#[test]
fn a_place_that_cannot_be_written_is_said_so() {
    let (folder, path) = folder();
    fs::create_dir_all(&path).unwrap();
    let error = Journal::open(&path).unwrap_err();
    assert!(matches!(error, JournalError::NotWritable { .. }), "a folder in its place: {error:?}");

    let file = folder.path().join("file");
    fs::write(&file, "").unwrap();
    let error = Journal::open(&file.join("journal.db")).unwrap_err();
    assert!(matches!(error, JournalError::NotWritable { .. }), "a file for a folder: {error:?}");

    // For those whom permissions stop; root, as in most containers, may write anyway.
    let (_folder, path) = self::folder();
    let run = written(&path);
    let journal = Journal::open(&path).unwrap();
    journal.connection().pragma_update(None, "query_only", true).unwrap();
    let error = journal.request_cancel(&run).unwrap_err();
    assert!(matches!(error, JournalError::NotWritable { .. }), "{error:?}");
}

#[test]
fn a_reader_is_not_held_up_by_a_writer() {
    let (_folder, path) = folder();
    let run = written(&path);
    let writer = Connection::open(&path).unwrap();
    writer.execute_batch("BEGIN IMMEDIATE; UPDATE runs SET title = 'changed'").unwrap();
    let report = Journal::open(&path).map(|journal| journal.report(&run).unwrap());
    // Opening needs no write when the file is a journal already.
    assert_eq!(report.unwrap().summary.title, "up");
}

#[test]
fn many_may_make_it_at_once() {
    let (_folder, path) = folder();
    std::thread::scope(|scope| {
        for number in 0..8 {
            let path = &path;
            scope.spawn(move || {
                let journal = Journal::open(path).unwrap();
                journal.acquire(&format!("app/{number}"), &owner()).unwrap();
            });
        }
    });
    let journal = Journal::open(&path).unwrap();
    assert_eq!(journal.acquire("app/3", &owner()).unwrap().fence(), 2);
}
