//! One suite of behaviours, done by every engine.
#![allow(clippy::expect_used)]

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use landfall_store::blobs::{Access, Container};
use landfall_store::{Blobs, Claim, Counts, Error, NewItem, Place, Put, Queue, State, Store};
use landfall_tests::servers::{Azurite, Postgres};
use serde_json::json;

const LEASE: Duration = Duration::from_secs(60);

/// A time of the tests' own: seconds after a fixed one.
fn at(seconds: i64) -> Timestamp {
    Timestamp::from_second(1_800_000_000 + seconds).expect("a time")
}

async fn put(store: &Store, key: &str, second: i64) -> Put {
    let item = NewItem { key: key.into(), body: format!("body of {key}").into_bytes(), due: at(second) };
    store.queue.put(item, at(second)).await.expect("is put")
}

async fn claim(store: &Store, limit: usize, second: i64) -> Vec<Claim> {
    store.queue.claim(limit, LEASE, at(second)).await.expect("claims")
}

async fn state(store: &Store, key: &str) -> Option<State> {
    store.queue.get(key).await.expect("is read").map(|(item, _)| item.state)
}

/// Everything a store promises; `store` is empty.
async fn keeps_its_promises(store: Store) {
    an_item_is_put_once(&store).await;
    the_longest_due_is_claimed_first_and_by_one_only(&store).await;
    a_lease_ends_and_the_claim_is_lost(&store).await;
    a_failure_waits_and_a_dead_one_comes_back(&store).await;
    what_is_done_lets_its_body_go_and_is_forgotten(&store).await;
    replicas_share_without_doubling(&store).await;
    records_are_written_by_who_has_seen_the_latest(&store).await;
}

async fn an_item_is_put_once(store: &Store) {
    assert_eq!(put(store, "a", 0).await, Put::New);
    assert_eq!(put(store, "a", 1).await, Put::Known);
    let (item, body) = store.queue.get("a").await.expect("is read").expect("is there");
    assert_eq!((item.put, item.attempts, item.state), (at(0), 0, State::Waiting));
    assert_eq!(body.as_deref(), Some(&b"body of a"[..]));
    let many = futures::future::join_all((0..50).map(|_| put(store, "b", 2))).await;
    assert_eq!(many.into_iter().filter(|put| *put == Put::New).count(), 1);
}

async fn the_longest_due_is_claimed_first_and_by_one_only(store: &Store) {
    put(store, "later", 100).await;
    let claims = claim(store, 10, 50).await;
    assert_eq!(
        claims.iter().map(|claim| claim.key.as_str()).collect::<BTreeSet<_>>(),
        BTreeSet::from(["a", "b"])
    );
    assert_eq!(claims[0].attempt, 1);
    assert!(claim(store, 10, 51).await.is_empty(), "both are claimed, the third is not due");
    let Counts { waiting, claimed, oldest, .. } = store.queue.counts().await.expect("counts");
    assert_eq!((waiting, claimed, oldest), (1, 2, Some(at(0))));
    for claim in &claims {
        store.queue.finish(claim, at(52)).await.expect("finishes");
    }
}

async fn a_lease_ends_and_the_claim_is_lost(store: &Store) {
    let first = claim(store, 1, 100).await.remove(0);
    store.queue.extend(&first, LEASE, at(130)).await.expect("is extended");
    assert!(claim(store, 1, 189).await.is_empty(), "the lease holds until 190");
    let second = claim(store, 1, 191).await.remove(0);
    assert_eq!((second.key.as_str(), second.attempt), ("later", 2));
    for lost in [
        store.queue.extend(&first, LEASE, at(192)).await,
        store.queue.finish(&first, at(192)).await,
        store.queue.retry(&first, at(192), "x").await,
        store.queue.bury(&first, "x", at(192)).await,
    ] {
        assert!(matches!(lost, Err(Error::Lost { key }) if key == "later"));
    }
    store.queue.finish(&second, at(193)).await.expect("the second claim holds");
}

async fn a_failure_waits_and_a_dead_one_comes_back(store: &Store) {
    put(store, "hard", 200).await;
    let claimed = claim(store, 1, 200).await.remove(0);
    store.queue.retry(&claimed, at(210), "TOPdesk said \0").await.expect("goes back");
    assert!(claim(store, 1, 209).await.is_empty());
    let claimed = claim(store, 1, 210).await.remove(0);
    assert_eq!(claimed.attempt, 2);
    store.queue.bury(&claimed, "given up", at(211)).await.expect("is buried");
    let dead = store.queue.list(Some(State::Dead), None, 10).await.expect("lists");
    assert_eq!(
        dead.iter().map(|item| (&*item.key, item.why.as_deref())).collect::<Vec<_>>(),
        [("hard", Some("given up"))]
    );
    assert!(claim(store, 1, 100_000).await.is_empty(), "the dead are not claimed");
    assert_eq!(put(store, "hard", 212).await, Put::Known, "and are not put anew");
    assert!(store.queue.replay("hard", at(220)).await.expect("replays"));
    assert!(!store.queue.replay("hard", at(220)).await.expect("once"), "it is no longer dead");
    let claimed = claim(store, 1, 220).await.remove(0);
    assert_eq!((claimed.attempt, &*claimed.body), (1, &b"body of hard"[..]));
    store.queue.finish(&claimed, at(221)).await.expect("finishes");
}

async fn what_is_done_lets_its_body_go_and_is_forgotten(store: &Store) {
    let (item, body) = store.queue.get("hard").await.expect("is read").expect("is there");
    assert_eq!((item.state, body), (State::Done, None));
    assert_eq!(put(store, "hard", 300).await, Put::Known);
    assert_eq!(store.queue.forget(at(150)).await.expect("forgets"), 3, "a, b and later");
    assert_eq!(state(store, "a").await, None);
    assert_eq!(store.queue.forget(at(1_000)).await.expect("forgets"), 1);
    assert_eq!(put(store, "hard", 301).await, Put::New);
    let claimed = claim(store, 1, 301).await.remove(0);
    store.queue.finish(&claimed, at(302)).await.expect("finishes");
}

async fn replicas_share_without_doubling(store: &Store) {
    for number in 0..200 {
        put(store, &format!("shared-{number}"), 400).await;
    }
    let workers = (0..8).map(|_| {
        let store = store.clone();
        tokio::spawn(async move {
            let mut mine = Vec::new();
            loop {
                let claims = claim(&store, 7, 401).await;
                if claims.is_empty() {
                    return mine;
                }
                for claim in claims {
                    store.queue.finish(&claim, at(402)).await.expect("finishes");
                    mine.push(claim.key);
                }
            }
        })
    });
    let done: Vec<String> = futures::future::join_all(workers)
        .await
        .into_iter()
        .flat_map(|worker| worker.expect("ends"))
        .collect();
    assert_eq!((done.len(), done.iter().collect::<BTreeSet<_>>().len()), (200, 200));
    let listed = store.queue.list(None, Some(at(401)), 1000).await.expect("lists");
    assert_eq!(listed.len(), 201);
    assert_eq!(store.queue.list(None, None, 5).await.expect("lists").len(), 5);
}

async fn records_are_written_by_who_has_seen_the_latest(store: &Store) {
    let records = &store.records;
    assert_eq!(records.read("call", "c1").await.expect("reads"), None);
    assert_eq!(records.write("call", "c1", &json!({"step": 1}), None, at(0)).await.expect("writes"), 1);
    assert!(matches!(
        records.write("call", "c1", &json!({}), None, at(1)).await,
        Err(Error::Conflict { .. })
    ));
    assert_eq!(
        records
            .write("call", "c1", &json!({"step": "twee \u{1f9e0}"}), Some(1), at(2))
            .await
            .expect("writes"),
        2
    );
    assert!(matches!(
        records.write("call", "c1", &json!({}), Some(1), at(3)).await,
        Err(Error::Conflict { .. })
    ));
    records.write("call", "c2", &json!(null), None, at(1)).await.expect("writes");
    records.write("list", "c1", &json!([1]), None, at(9)).await.expect("kinds are apart");
    let latest = records.latest("call", 10).await.expect("lists");
    assert_eq!(
        latest.iter().map(|record| (&*record.id, record.version)).collect::<Vec<_>>(),
        [("c1", 2), ("c2", 1)]
    );
    assert_eq!(latest[0].value, json!({"step": "twee \u{1f9e0}"}));
    assert_eq!(records.forget_records("call", at(2)).await.expect("forgets"), 1);
    assert_eq!(records.latest("call", 10).await.expect("lists").len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn sqlite_keeps_its_promises() {
    let folder = tempfile::tempdir().expect("a folder");
    let place = Place::Sqlite(folder.path().join("new/store.db"));
    keeps_its_promises(Store::open(&place).await.expect("opens")).await;
    let again = Store::open(&place).await.expect("opens again");
    assert_eq!(again.queue.counts().await.expect("counts").done, 201, "what was written is there");
}

#[tokio::test(flavor = "multi_thread")]
async fn postgres_keeps_its_promises() {
    let Some(mut server) = Postgres::start() else { return };
    let place = Place::parse(&server.url()).expect("a place");
    let (store, same) = tokio::join!(Store::open(&place), Store::open(&place));
    let store = store.expect("opens");
    same.expect("two replicas may start at once");
    keeps_its_promises(store.clone()).await;
    put(&store, "durable", 500).await;
    let claimed = claim(&store, 1, 500).await.remove(0);
    server.kill();
    assert!(store.queue.counts().await.is_err(), "a server that is gone is told");
    let refused = NewItem { key: "refused".into(), body: Vec::new(), due: at(501) };
    let begun = std::time::Instant::now();
    assert!(store.queue.put(refused, at(501)).await.is_err());
    assert!(store.queue.finish(&claimed, at(501)).await.is_err());
    assert!(begun.elapsed() < Duration::from_secs(20), "nobody waits for ever: {:?}", begun.elapsed());
    server.resume();
    assert_eq!(state(&store, "durable").await, Some(State::Claimed), "the pool comes back");
    assert_eq!(state(&store, "refused").await, None, "what was refused is not there");
    store.queue.finish(&claimed, at(502)).await.expect("the claim holds");
}

#[tokio::test]
async fn a_file_of_another_program_is_left_alone() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("other.db");
    let other = rusqlite::Connection::open(&path).expect("opens");
    other.execute_batch("CREATE TABLE theirs (x)").expect("makes a table");
    drop(other);
    let error = Store::open(&Place::Sqlite(path)).await.err().expect("is refused").to_string();
    assert!(error.contains("another program"), "{error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_damaged_file_is_told_and_not_written_over() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("store.db");
    let whole = {
        let store = Store::open(&Place::Sqlite(path.clone())).await.expect("opens");
        for number in 0..200 {
            put(&store, &format!("item-{number}"), 0).await;
        }
        drop(store);
        // The threads let the file go by themselves.
        landfall_tests::wait_for("the log is gone", Duration::from_secs(20), || {
            let log = folder.path().join("store.db-wal");
            if log.exists() { Err("it is there".to_owned()) } else { Ok(()) }
        });
        std::fs::read(&path).expect("can be read")
    };
    let mut header = whole.clone();
    header[..16].fill(b'x');
    for (name, bytes) in [("no-database", b"planted".repeat(1000)), ("header", header)] {
        let path = folder.path().join(name);
        std::fs::write(&path, &bytes).expect("can be written");
        let error = Store::open(&Place::Sqlite(path.clone())).await.err().expect("is refused");
        assert!(error.to_string().contains(name), "it says which file: {error}");
        assert_eq!(std::fs::read(&path).expect("can be read"), bytes, "it is as it was");
    }
    for (name, from) in [("schema", 100), ("middle", 20_000)] {
        let path = folder.path().join(name);
        let mut bytes = whole.clone();
        bytes[from..].fill(0xa5);
        std::fs::write(&path, &bytes).expect("can be written");
        let told = match Store::open(&Place::Sqlite(path)).await {
            Err(_) => true,
            Ok(store) => {
                store.queue.claim(500, LEASE, at(1)).await.is_err() || store.queue.counts().await.is_err()
            }
        };
        assert!(told, "{name}: damage is an error, never an empty queue");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_log_that_a_crash_cut_off_is_read_as_far_as_it_was_committed() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("store.db");
    let store = Store::open(&Place::Sqlite(path.clone())).await.expect("opens");
    put(&store, "kept", 0).await;
    // The file and its log as they stand, and what a write that was under way had added.
    let copy = folder.path().join("copy.db");
    std::fs::copy(&path, &copy).expect("can be copied");
    let mut log = std::fs::read(folder.path().join("store.db-wal")).expect("there is a log");
    log.extend_from_slice(&[0xa5; 5000]);
    std::fs::write(folder.path().join("copy.db-wal"), log).expect("can be written");
    let again = Store::open(&Place::Sqlite(copy)).await.expect("opens");
    assert_eq!(state(&again, "kept").await, Some(State::Waiting));
    assert_eq!(put(&again, "next", 1).await, Put::New);
}

#[test]
fn places_are_read_and_their_passwords_are_not_shown() {
    assert!(matches!(Place::parse("sqlite:/x/y.db"), Ok(Place::Sqlite(path)) if path.ends_with("y.db")));
    assert!(matches!(Place::parse("sqlite://rel.db"), Ok(Place::Sqlite(path)) if path.ends_with("rel.db")));
    let place = Place::parse("postgres://u:planted-password@h/db").expect("a place");
    assert!(!format!("{place:?}").contains("planted-password"));
    for wrong in ["", "sqlite:", "mysql://planted-password@x", "postgres://", "redis://x"] {
        let error = Place::parse(wrong).expect_err(wrong);
        assert!(!error.contains("planted-password"));
    }
}

/// Everything blobs promise; the place is empty.
async fn holds_blobs(blobs: Blobs) {
    blobs.reachable().await.expect("is reachable");
    assert_eq!(blobs.get("2026/11/21/none.json").await.expect("reads"), None);
    assert!(blobs.list("2026").await.expect("lists").is_empty());
    blobs.put("2026/11/21/a.json", "{\"eerste\":1}", "application/json").await.expect("writes");
    blobs.put("2026/11/21/a.json", "{\"eerste\":2}", "application/json").await.expect("writes over");
    blobs.put("2026/12/01/b b+ü.json", "b", "application/json").await.expect("writes odd names");
    assert_eq!(blobs.get("2026/11/21/a.json").await.expect("reads").as_deref(), Some(&b"{\"eerste\":2}"[..]));
    assert_eq!(blobs.get("2026/12/01/b b+ü.json").await.expect("reads").as_deref(), Some(&b"b"[..]));
    assert_eq!(blobs.list("2026").await.expect("lists"), ["2026/11/21/a.json", "2026/12/01/b b+ü.json"]);
    assert_eq!(blobs.list("2026/11").await.expect("lists"), ["2026/11/21/a.json"]);
    blobs.remove("2026/11/21/a.json").await.expect("removes");
    blobs.remove("2026/11/21/a.json").await.expect("removes what is gone");
    assert_eq!(blobs.get("2026/11/21/a.json").await.expect("reads"), None);
    let odd = [
        "odd/100%",
        "odd/%2E%2e",
        "odd/a%2Fb",
        "odd/#1?x=y&z",
        "odd/'\"`<>|*",
        "odd/~.a",
        "odd/[x]{y}^",
        "odd/\u{1f5a8}\u{202e}",
    ];
    for name in odd {
        blobs
            .put(name, name.to_owned(), "text/plain")
            .await
            .unwrap_or_else(|error| panic!("{name}: {error}"));
    }
    let mut listed = blobs.list("odd").await.expect("lists");
    listed.sort();
    let mut all = odd.map(str::to_owned).to_vec();
    all.sort();
    assert_eq!(listed, all);
    for name in odd {
        assert_eq!(blobs.get(name).await.expect("reads").as_deref(), Some(name.as_bytes()), "{name}");
        blobs.remove(name).await.expect("removes");
    }
    assert!(blobs.list("odd").await.expect("lists").is_empty());
    let long = "x".repeat(2000);
    for wrong in ["", "/a", "a//b", "../a", "a/../b", "a/.", "ends.", "a\nb", "a\\b", long.as_str()] {
        assert!(matches!(blobs.put(wrong, "x", "text/plain").await, Err(Error::Name { .. })), "{wrong}");
    }
}

#[tokio::test]
async fn a_disk_holds_blobs() {
    let folder = tempfile::tempdir().expect("a folder");
    holds_blobs(Blobs::disk(folder.path().join("transcripts"))).await;
    let file = folder.path().join("file");
    std::fs::write(&file, "").expect("writes");
    assert!(Blobs::disk(file).reachable().await.is_err());
}

#[tokio::test]
async fn azurite_holds_blobs() {
    let Some(azurite) = Azurite::start() else { return };
    let now = Timestamp::now().strftime("%a, %d %b %Y %H:%M:%S GMT").to_string();
    azurite.container("transcripts", &now).await;
    let container = |name: &str| Container {
        account: Azurite::ACCOUNT.into(),
        container: name.into(),
        access: Access::Key(Azurite::KEY.to_owned().into()),
        endpoint: Some(azurite.endpoint.clone()),
        trust: None,
    };
    holds_blobs(Blobs::azure(container("transcripts")).expect("blobs")).await;
    assert!(Blobs::azure(container("none")).expect("blobs").reachable().await.is_err(), "no such container");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hundred_waiting_writers_share_a_commit() {
    let folder = tempfile::tempdir().expect("a folder");
    let store = Arc::new(landfall_store::sqlite::Sqlite::open(&folder.path().join("s.db")).expect("opens"));
    let begun = std::time::Instant::now();
    let puts = (0..2000).map(|number| {
        let store = store.clone();
        tokio::spawn(async move {
            let item = NewItem { key: number.to_string(), body: vec![7; 4096], due: at(0) };
            store.put(item, at(0)).await.expect("is put")
        })
    });
    let all = futures::future::join_all(puts).await;
    assert!(all.into_iter().all(|put| put.expect("ends") == Put::New));
    // One `fsync` each would take longer than this on any disk that keeps its word.
    assert!(begun.elapsed() < Duration::from_secs(10), "{:?}", begun.elapsed());
    assert_eq!(store.counts().await.expect("counts").oldest, Some(at(0) + SignedDuration::ZERO));
}
