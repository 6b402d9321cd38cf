//! The promise, under the worst: the process is killed again and again at random, while the services behind fail, and
//! every call that was acknowledged has exactly one incident with its transcript, or a person was told.
//!
//! `CALL_TICKETS_CALLS` and `CALL_TICKETS_KILLS` say how many there are to be at least; both are small by themselves.
#![allow(clippy::expect_used)]

use std::collections::BTreeMap;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use call_tickets::fakes::{Fault, desk, desk::Desk, post::Post};
use call_tickets::{signature, simulate};
use jiff::Timestamp;
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use serde_json::Value;

const SECRET: &str = "chaos-webhook-secret";
const TOKEN: &str = "chaos-operator-token";

/// A process of the service, killed with the test.
struct Process(Child);

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// How long the test goes on, when it is to be longer than in a run of all tests.
fn number(variable: &str, usual: usize) -> usize {
    std::env::var(variable).ok().and_then(|number| number.parse().ok()).unwrap_or(usual)
}

fn start(port: u16, folder: &std::path::Path, desk: &Desk, post: &Post) -> Process {
    // A release build can be tried as well.
    let program = std::env::var_os("CALL_TICKETS_BIN");
    let child = Command::new(program.unwrap_or_else(|| env!("CARGO_BIN_EXE_call-tickets").into()))
        .args(["serve", "--loopback", "--port", &port.to_string()])
        .env_clear()
        .env("ELEVENLABS_WEBHOOK_SECRET", SECRET)
        .env("CALL_TICKETS_TOKEN", TOKEN)
        .env("TOPDESK_URL", &desk.url)
        .env("TOPDESK_USERNAME", desk::USER)
        .env("TOPDESK_PASSWORD", desk::PASSWORD)
        .env("CALL_TICKETS_TOPDESK_TIMEOUT_SECONDS", "1")
        .env("CALL_TICKETS_SEARCH_DELAY", "50ms")
        .env("CALL_TICKETS_RETRY_BASE_MS", "20")
        .env("CALL_TICKETS_RETRY_MAX_AGE", "1h")
        .env("GMAIL_SMTP_SERVER", "127.0.0.1")
        .env("GMAIL_SMTP_PORT", post.port.to_string())
        .env("GMAIL_SMTP_TLS", "none")
        .env("NOTIFICATION_EMAIL_TO", "people@example.org")
        .env("STORAGE_BASE_PATH", folder)
        .env("LOG_LEVEL", "error")
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .expect("the service starts");
    Process(child)
}

async fn listens(port: u16) {
    let end = Instant::now() + Duration::from_secs(30);
    while tokio::net::TcpStream::connect(("127.0.0.1", port)).await.is_err() {
        assert!(Instant::now() < end, "the service does not listen");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn killed_at_random_nothing_is_lost_and_nothing_is_doubled() {
    let seed = std::env::var("LANDFALL_SEED").ok().and_then(|seed| seed.parse().ok());
    let seed: u64 = seed.unwrap_or_else(|| Timestamp::now().as_millisecond().unsigned_abs());
    let (least_kills, least_calls) = (number("CALL_TICKETS_KILLS", 8), number("CALL_TICKETS_CALLS", 50));
    println!("LANDFALL_SEED={seed}");
    let mut chance = StdRng::seed_from_u64(seed);
    let (desk, post) = (Desk::start().await.expect("a desk"), Post::start().await.expect("a mail server"));
    let folder = tempfile::tempdir().expect("a folder");
    let port = landfall_tests::servers::free_port();
    let url = format!("http://127.0.0.1:{port}");

    // Deliveries, as fast as they are taken; what was acknowledged with 200 is written down.
    let (stop, stopped) = tokio::sync::watch::channel(false);
    let taken = Arc::new(AtomicUsize::new(0));
    let senders: Vec<_> = (0..4_u64)
        .map(|number| {
            let (url, stopped, taken) = (url.clone(), stopped.clone(), taken.clone());
            let mut chance = StdRng::seed_from_u64(seed ^ number);
            tokio::spawn(async move {
                let http =
                    reqwest::Client::builder().timeout(Duration::from_secs(5)).build().expect("a client");
                let mut acknowledged = Vec::new();
                while !*stopped.borrow() {
                    let call = simulate::call(&mut chance, Timestamp::now());
                    let body = call.to_string();
                    let header =
                        signature::header(&SECRET.to_owned().into(), body.as_bytes(), Timestamp::now());
                    let request =
                        http.post(format!("{url}/elevenlabs/webhook")).header(signature::HEADER, header);
                    match request.body(body).send().await {
                        Ok(answer) if answer.status() == 200 => {
                            taken.fetch_add(1, Ordering::Relaxed);
                            acknowledged
                                .push(call["data"]["conversation_id"].as_str().expect("an id").to_owned());
                        }
                        _ => tokio::time::sleep(Duration::from_millis(20)).await,
                    }
                    tokio::time::sleep(Duration::from_millis(10)).await;
                }
                acknowledged
            })
        })
        .collect();

    let faults = [
        Fault::Answer(503, String::new(), None),
        Fault::Answer(429, String::new(), Some(0)),
        Fault::Answer(500, "<html>".into(), None),
        Fault::Break,
        Fault::Slow(Duration::from_millis(1500)),
    ];
    let mut kills = 0;
    while kills < least_kills || taken.load(Ordering::Relaxed) < least_calls {
        kills += 1;
        let process = start(port, folder.path(), &desk, &post);
        for _ in 0..chance.random_range(0..12) {
            let part = ["POST /tas/api/incidents", "GET /tas/api/incidents", "attachments", "persons"]
                [chance.random_range(0..4)];
            desk.faults.next(part, faults[chance.random_range(0..faults.len())].clone());
        }
        // Some are killed while they start. The others have a second or so however slow the machine is.
        if chance.random_bool(0.75) {
            listens(port).await;
        }
        tokio::time::sleep(Duration::from_millis(chance.random_range(200..1500))).await;
        drop(process);
    }
    desk.faults.clear();
    let process = start(port, folder.path(), &desk, &post);
    tokio::time::sleep(Duration::from_millis(500)).await;
    let _ = stop.send(true);
    let mut acknowledged = Vec::new();
    for sender in senders {
        acknowledged.extend(sender.await.expect("ends"));
    }

    // Everything that was taken comes to its end.
    let http = reqwest::Client::new();
    let end = Instant::now() + Duration::from_secs(120 + acknowledged.len() as u64 / 20);
    loop {
        let asked = http.get(format!("{url}/calls?limit=1")).bearer_auth(TOKEN).send().await;
        let counts: Value = match asked {
            Ok(answer) => answer.json::<Value>().await.expect("JSON")["counts"].clone(),
            Err(_) => Value::Null,
        };
        if counts["waiting"] == 0 && counts["claimed"] == 0 {
            break;
        }
        assert!(Instant::now() < end, "not all ended: {counts}");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    drop(process);
    let held = desk.held();
    let mut made: BTreeMap<&str, (usize, usize)> = BTreeMap::new();
    for incident in &held.incidents {
        let one = made.entry(incident["externalNumber"].as_str().expect("a number")).or_default();
        one.0 += 1;
        one.1 += held.files.get(incident["id"].as_str().expect("an id")).map_or(0, Vec::len);
    }
    let letters = post.letters();
    let told = |conversation: &str| letters.iter().any(|letter| letter.text.contains(conversation));
    let doubled: Vec<_> = made.iter().filter(|(_, (incidents, _))| *incidents > 1).collect();
    assert!(doubled.is_empty(), "doubled: {doubled:?}");
    let lost: Vec<_> = acknowledged
        .iter()
        .filter(|call| made.get(call.as_str()).is_none_or(|(_, files)| *files == 0) && !told(call))
        .collect();
    assert!(lost.is_empty(), "lost: {lost:?}");
    println!(
        "{} calls, {kills} kills, {} incidents, {} told",
        acknowledged.len(),
        held.incidents.len(),
        letters.len()
    );
}
