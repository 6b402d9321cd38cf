//! Sockets, certificates, limits, the journal and the control of a local Azure, over real connections.
#![allow(clippy::expect_used)]

mod common;

use std::time::{Duration, Instant};

use common::{Local, options};
use landfall_local::{Error, State};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

#[tokio::test(flavor = "multi_thread")]
async fn every_plane_answers_by_name_under_the_ca() {
    let local = Local::start().await;
    let port = local.port();
    for (url, expected) in [
        (format!("https://localhost:{port}/metadata/endpoints?api-version=2022-09-01"), 200),
        (format!("https://127.0.0.1:{port}/metadata/endpoints?api-version=2022-09-01"), 200),
        (format!("https://localhost:{port}/subscriptions?api-version=2022-12-01"), 401),
        (format!("https://nobody.azurecr.localhost:{port}/v2/"), 404),
        (format!("https://nobody.blob.core.localhost:{port}/c?restype=container"), 404),
        (format!("https://web.x.westeurope.azurecontainerapps.localhost:{port}/"), 404),
    ] {
        let answer = local.http.get(&url).send().await.unwrap_or_else(|e| panic!("{url}: {e:?}"));
        assert_eq!(answer.status(), expected, "{url}");
    }
    local.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_certificate_is_for_the_name_asked_for_and_for_no_other_ca() {
    let local = Local::start().await;
    let other = reqwest::Client::builder().dns_resolver(common::Loopback).no_proxy().build().unwrap();
    let error = other.get(format!("{}/", local.arm())).send().await.expect_err("nobody else trusts it");
    assert!(format!("{error:?}").to_lowercase().contains("certificate"), "{error:?}");
    local.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn plain_http_on_the_https_port_is_told_so() {
    let local = Local::start().await;
    let mut tcp = tokio::net::TcpStream::connect(("127.0.0.1", local.port())).await.unwrap();
    tcp.write_all(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n").await.unwrap();
    let mut text = String::new();
    tcp.read_to_string(&mut text).await.unwrap();
    assert!(text.starts_with("HTTP/1.1 400"), "{text}");
    assert!(text.contains("https://"), "{text}");
    local.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn bodies_have_a_limit_and_what_is_broken_is_refused() {
    let local = Local::start().await;
    let token = local.token(local.arm()).await;
    let url = format!("{}/subscriptions/x/resourcegroups/y?api-version=2024-11-01", local.arm());
    let big = vec![b' '; (4 << 20) + 1];
    let answer = local.http.put(&url).bearer_auth(&token).body(big).send().await.unwrap();
    assert_eq!(answer.status(), 413);
    let body: Value = serde_json::from_str(&answer.text().await.unwrap()).unwrap();
    assert_eq!(body["error"]["code"], "RequestContentTooLarge");
    // A body of unknown length is counted as it comes.
    let stream = futures::stream::repeat_with(|| Ok::<_, std::io::Error>(vec![b' '; 1 << 20]));
    let body = reqwest::Body::wrap_stream(futures::StreamExt::take(stream, 64));
    match local.http.put(&url).bearer_auth(&token).body(body).send().await {
        Ok(answer) => assert_eq!(answer.status(), 413),
        // The connection may be closed while the client still writes.
        Err(error) => assert!(error.is_request() || error.is_body(), "{error:?}"),
    }
    let answer = local.http.request("TRACE".parse().unwrap(), &url).send().await.unwrap();
    assert_eq!(answer.status(), 405);
    let broken =
        local.http.put(&url).bearer_auth(&token).header("content-type", "application/json").body("{");
    let status = broken.send().await.unwrap().status();
    assert_eq!(status, 400);
    // And it goes on.
    let (status, _) = local.ask("GET", "/subscriptions?api-version=2022-12-01", None).await;
    assert_eq!(status, 200);
    local.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn slow_and_broken_clients_harm_nobody() {
    let local = Local::start().await;
    let mut held = Vec::new();
    for bytes in [&b""[..], b"\x16", b"\x16\x03\x01\xff\xff", b"\x00garbage"] {
        let mut tcp = tokio::net::TcpStream::connect(("127.0.0.1", local.port())).await.unwrap();
        tcp.write_all(bytes).await.unwrap();
        held.push(tcp);
    }
    let begun = Instant::now();
    let (status, _) = local.ask("GET", "/subscriptions?api-version=2022-12-01", None).await;
    assert_eq!(status, 200);
    assert!(begun.elapsed() < Duration::from_secs(5));
    drop(held);
    local.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_identity_endpoint_wants_the_workloads_own_pass() {
    let local = Local::start().await;
    let endpoint = local.status.urls["identity"].clone();
    let url = format!("{endpoint}?api-version=2019-08-01&resource=https://vault.azure.net");
    let http = reqwest::Client::builder().no_proxy().build().unwrap();
    assert_eq!(http.get(&url).send().await.unwrap().status(), 403);
    let answer = http.get(&url).header("x-identity-header", "guess").send().await.unwrap();
    assert_eq!(answer.status(), 403);
    local.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_page_of_another_origin_may_not_steer() {
    let local = Local::start().await;
    let url = format!("{}/_local/clock", local.arm());
    let advance = || local.http.post(&url).body(json!({"advance": "PT1H"}).to_string());
    assert_eq!(advance().header("origin", "https://evil.example").send().await.unwrap().status(), 403);
    assert_eq!(advance().send().await.unwrap().status(), 200);
    local.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_browser_gets_a_page_and_what_others_wrote_is_escaped() {
    let local = Local::start().await;
    local.group().await;
    let _ = local.http.get(format!("{}/subscriptions/<script>x", local.arm())).send().await;
    let page =
        local.http.get(format!("{}/", local.arm())).header("accept", "text/html").send().await.unwrap();
    assert_eq!(page.status(), 200);
    let text = page.text().await.unwrap();
    assert!(text.contains("rg1"), "{text}");
    // The page has one script, its own.
    assert!(!text.contains("<script>x") && text.matches("<script").count() <= 1, "{text}");
    local.stop().await;
}

/// The whole of what a client can see of the resources.
async fn seen(local: &Local) -> Vec<(u16, Value)> {
    let mut all = Vec::new();
    let group = format!("{}/resourceGroups/rg1", local.subscription());
    for path in [
        format!("{}/resourcegroups?api-version=2024-11-01", local.subscription()),
        format!("{group}/resources?api-version=2024-11-01"),
        format!("{group}/providers/Microsoft.ManagedIdentity/userAssignedIdentities?api-version=2023-01-31"),
    ] {
        all.push(local.ask("GET", &path, None).await);
    }
    all
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_acknowledged_survives_a_kill_and_a_stop() {
    let folder = tempfile::tempdir().unwrap();
    let state = || options(State::Folder(folder.path().join("state")));
    let local = Local::with(state()).await;
    let port = local.port();
    let group = local.group().await;
    for n in 0..20 {
        let id = format!("{group}/providers/Microsoft.ManagedIdentity/userAssignedIdentities/id-{n}");
        local.put(&format!("{id}?api-version=2023-01-31"), json!({"location": "westeurope"})).await;
    }
    let before = seen(&local).await;
    assert!(before[2].1.to_string().contains("id-19"), "{before:?}");
    let ca = local.ca();
    local.kill().await;

    let local = Local::with(state()).await;
    assert_eq!(local.port(), port, "URLs stay the same");
    assert_eq!(local.ca(), ca, "the CA is made once");
    assert_eq!(seen(&local).await, before, "after a kill");
    local.stop().await;

    let local = Local::with(state()).await;
    assert_eq!(seen(&local).await, before, "after a stop");
    local.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_state_folder_is_the_owners_alone_and_one_at_a_time() {
    use std::os::unix::fs::PermissionsExt;
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("state");
    let local = Local::with(options(State::Folder(path.clone()))).await;
    let mode = |path: &std::path::Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(&path), 0o700);
    assert_eq!(mode(&path.join("ca.key")), 0o600);
    assert_eq!(mode(&path.join("server.json")), 0o600);
    let second = Local::try_with(options(State::Folder(path))).await;
    assert!(matches!(second.err(), Some(Error::AlreadyRunning { .. })));
    local.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_port_in_use_is_named_with_the_way_out() {
    let other = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = other.local_addr().unwrap().port();
    let asked = landfall_local::Options { port: Some(port), ..options(State::Memory(None)) };
    let error = Local::try_with(asked).await.err().expect("the port is taken");
    assert!(error.to_string().contains(&port.to_string()), "{error}");
    assert!(error.help().unwrap().contains("--port"), "{error:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_damaged_state_folder_is_refused_with_a_way_out() {
    type Damage = fn(&std::path::Path);
    let damages: [(&str, Damage); 5] = [
        ("garbage", |db| {
            std::fs::write(db, b"not a database, but long enough to be looked at as one").unwrap()
        }),
        ("nothing", |db| std::fs::write(db, b"").unwrap()),
        ("torn", |db| {
            let bytes = std::fs::read(db).unwrap();
            std::fs::write(db, &bytes[..bytes.len() / 2]).unwrap();
        }),
        ("flipped", |db| {
            let mut bytes = std::fs::read(db).unwrap();
            let at = bytes.windows(6).position(|w| w == b"client").expect("the snapshot is in the clear");
            bytes[at] = b'X';
            std::fs::write(db, bytes).unwrap();
        }),
        ("gap", |db| {
            let database = rusqlite::Connection::open(db).unwrap();
            database.execute("update snapshot set through = through - 1", []).unwrap();
            database.execute("insert into input values (999, 0, x'7b7d', x'00')", []).unwrap();
        }),
    ];
    for (name, damage) in damages {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("state");
        let local = Local::with(options(State::Folder(path.clone()))).await;
        local.group().await;
        local.stop().await;
        for log in ["world.db-wal", "world.db-shm"] {
            let _ = std::fs::remove_file(path.join(log));
        }
        damage(&path.join("world.db"));
        let error = Local::try_with(options(State::Folder(path.clone()))).await.err();
        let error = error.unwrap_or_else(|| panic!("{name}: it is not noticed"));
        assert!(matches!(error, Error::Damaged { .. }), "{name}: {error:?}");
        assert!(error.help().unwrap().contains("mv "), "{name}: {error:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn another_seed_needs_another_folder() {
    let folder = tempfile::tempdir().unwrap();
    let with = |seed| landfall_local::Options { seed, ..options(State::Folder(folder.path().join("s"))) };
    Local::with(with(Some(1))).await.stop().await;
    let error = Local::try_with(with(Some(2))).await.err().expect("another seed");
    assert!(error.to_string().contains("seed 1"), "{error}");
    let local = Local::with(with(None)).await;
    assert_eq!(local.status.seed, 1);
    local.stop().await;
}
