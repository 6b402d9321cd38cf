//! Leases: held, lapsed, taken over, fenced.

use std::process::Command;

use serde_json::{Value, json};

use super::*;
use crate::graph::{Graph, Operation};

const QUICK: Terms = Terms { beat: Duration::from_millis(20), lapse: Duration::from_millis(400) };

fn us() -> Owner {
    Owner::this_process("landfall up")
}

/// Somebody on another machine, of whose processes nothing is known.
fn elsewhere() -> Owner {
    Owner { host: "elsewhere.example".into(), user: "ada".into(), pid: 17, ..us() }
}

/// A process of this machine that has ended.
fn dead() -> Owner {
    let mut child = Command::new("true").spawn().unwrap();
    let pid = child.id();
    let started = process::started(pid);
    child.wait().unwrap();
    Owner { pid, started, ..us() }
}

/// Leaves the row as a crash does: nobody renews it, nobody gives it back.
fn crash(mut lease: Lease) {
    lease.keeper.take().unwrap().stop();
}

fn graph() -> Graph {
    Graph::new(vec![Operation::new("a", "put", "a")]).unwrap()
}

#[test]
fn one_holder_at_a_time_and_the_other_is_told_who() {
    let journal = Journal::in_memory().unwrap();
    let lease = journal.acquire("app/dev", &elsewhere()).unwrap();
    let error = journal.acquire("app/dev", &us()).unwrap_err();
    let LeaseError::Held { by, .. } = &error else { panic!("{error}") };
    assert_eq!(by.owner, elsewhere());
    let text = error.to_string();
    assert!(
        text.starts_with(
            "`app/dev` is being changed by ada on elsewhere.example: `landfall up`, process 17, since "
        ),
        "{text}"
    );
    assert_eq!(journal.holder("app/dev").unwrap().unwrap().owner, elsewhere());
    journal.acquire("app/prod", &us()).expect("another scope is free");

    lease.release().unwrap();
    assert_eq!(journal.holder("app/dev").unwrap(), None);
    journal.acquire("app/dev", &us()).expect("given back");
}

#[test]
fn a_dropped_lease_is_given_back() {
    let journal = Journal::in_memory().unwrap();
    drop(journal.acquire("app/dev", &us()).unwrap());
    assert_eq!(journal.acquire("app/dev", &us()).unwrap().fence(), 2, "and the token grows nevertheless");
}

#[test]
fn a_dead_process_of_this_machine_is_taken_over_at_once() {
    let journal = Journal::in_memory().unwrap();
    crash(journal.acquire("app/dev", &dead()).unwrap());
    assert_eq!(journal.holder("app/dev").unwrap(), None);
    let lease = journal.acquire("app/dev", &us()).unwrap();
    assert_eq!(lease.fence(), 2);
}

#[test]
fn a_process_with_a_used_up_id_is_not_mistaken_for_its_successor() {
    let Some(started) = process::started(std::process::id()) else {
        return println!("no /proc here: not tested");
    };
    let journal = Journal::in_memory().unwrap();
    crash(journal.acquire("app/dev", &Owner { started: Some(started - 1), ..us() }).unwrap());
    journal.acquire("app/dev", &us()).expect("our own id, but an earlier process");
}

#[test]
fn a_silent_holder_is_taken_over_when_it_lapses_and_not_before() {
    let journal = Journal::in_memory().unwrap();
    crash(journal.acquire_on("app/dev", &elsewhere(), QUICK).unwrap());
    let mut refusals = 0;
    let started = wall();
    let lease = loop {
        match journal.acquire("app/dev", &us()) {
            Ok(lease) => break lease,
            Err(LeaseError::Held { .. }) => refusals += 1,
            Err(error) => panic!("{error}"),
        }
        std::thread::yield_now();
    };
    assert!(refusals > 0);
    let waited = crate::clock::between(started, wall());
    assert!(waited > QUICK.lapse / 2, "taken over after {waited:?}");
    assert_eq!(lease.fence(), 2);
}

#[test]
fn a_lease_is_renewed_as_long_as_it_is_held() {
    let journal = Journal::in_memory().unwrap();
    let _lease = journal.acquire_on("app/dev", &elsewhere(), QUICK).unwrap();
    let started = wall();
    while crate::clock::between(started, wall()) < QUICK.lapse * 3 {
        assert!(matches!(journal.acquire("app/dev", &us()), Err(LeaseError::Held { .. })));
        std::thread::yield_now();
    }
}

#[test]
fn a_holder_that_slept_through_its_lapse_cannot_write() {
    let journal = Journal::in_memory().unwrap();
    let mut old = journal.acquire("app/dev", &dead()).unwrap();
    // It sleeps: its keeper with it.
    old.keeper.take().unwrap().stop();
    let new = journal.acquire("app/dev", &us()).unwrap();
    let run = new.create_run("up", &Value::Null, &graph()).unwrap();
    // It wakes.
    let error = old.abandon(&run).unwrap_err();
    let JournalError::LeaseLost { by: Some(by), .. } = &error else { panic!("{error}") };
    assert_eq!(by.owner, us());
    assert!(matches!(old.set_output(&"a".into(), Some(&json!(1))), Err(JournalError::LeaseLost { .. })));
    assert!(matches!(old.create_run("up", &Value::Null, &graph()), Err(JournalError::LeaseLost { .. })));
    assert!(matches!(old.open_session(&run, wall()), Err(JournalError::LeaseLost { .. })));
    assert!(matches!(old.commit(&run, &[], None), Err(JournalError::LeaseLost { .. })));
    assert_eq!(journal.last_output("app/dev", &"a".into()).unwrap(), None);
    // Nor does it take the lease from the new one when it goes.
    drop(old);
    new.abandon(&run).expect("the new holder is not disturbed");
}

#[tokio::test]
async fn the_keeper_says_when_the_lease_is_lost() {
    let journal = Journal::in_memory().unwrap();
    let lease = journal.acquire_on("app/dev", &us(), QUICK).unwrap();
    journal.connection().execute("UPDATE leases SET fence = fence + 1", []).unwrap();
    tokio::time::timeout(Duration::from_secs(30), lease.lost()).await.expect("within a beat or two");
}

#[tokio::test]
async fn the_keeper_says_when_the_run_shall_be_cancelled() {
    let journal = Journal::in_memory().unwrap();
    let lease = journal.acquire_on("app/dev", &us(), QUICK).unwrap();
    let run = lease.create_run("up", &Value::Null, &graph()).unwrap();
    journal.request_cancel(&run).unwrap();
    tokio::time::timeout(Duration::from_secs(30), lease.cancel_requested())
        .await
        .expect("within a look or two");
}
