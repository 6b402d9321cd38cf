//! The whole service on loopback, with stand-ins around it that speak the real protocols and fail in the documented
//! ways.
#![allow(clippy::expect_used)]

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{Duration, Instant};

use call_tickets::config::{self, Config};
use call_tickets::fakes::{Fault, desk, desk::Desk, model::Fake, post, post::Post};
use call_tickets::metrics::Metrics;
use call_tickets::service::{Outside, Service};
use call_tickets::{signature, simulate, web, worker};
use jiff::{SignedDuration, Timestamp};
use landfall_telemetry::{Options, Telemetry};
use landfall_tests::servers::{Azurite, Postgres};
use rand::SeedableRng;
use rand::rngs::StdRng;
use serde_json::{Value, json};
use tokio::sync::watch;
use tokio::task::JoinHandle;

const SECRET: &str = "planted-webhook-secret";
const TOKEN: &str = "planted-operator-token";

/// The services around, and where the data is.
struct World {
    desk: Desk,
    model: Fake,
    post: Post,
    folder: tempfile::TempDir,
    /// Variables beside the usual ones.
    more: BTreeMap<String, String>,
    /// How far the clock is ahead, in seconds.
    ahead: Arc<AtomicI64>,
}

/// A running service.
struct Running {
    url: String,
    http: reqwest::Client,
    stop: watch::Sender<bool>,
    tasks: Vec<JoinHandle<()>>,
    telemetry: Arc<Telemetry>,
    ahead: Arc<AtomicI64>,
}

impl World {
    async fn new(more: &[(&str, &str)]) -> World {
        World {
            desk: Desk::start().await.expect("a desk"),
            model: Fake::start().await.expect("a model"),
            post: Post::start().await.expect("a mail server"),
            folder: tempfile::tempdir().expect("a folder"),
            more: more.iter().map(|(name, value)| ((*name).into(), (*value).into())).collect(),
            ahead: Arc::default(),
        }
    }

    fn config(&self) -> Config {
        let port = self.post.port.to_string();
        let model = format!("{}/v1", self.model.url);
        let usual: BTreeMap<&str, String> = BTreeMap::from([
            ("ELEVENLABS_WEBHOOK_SECRET", format!("planted-older-secret,{SECRET}")),
            ("CALL_TICKETS_TOKEN", TOKEN.into()),
            ("TOPDESK_URL", self.desk.url.clone()),
            ("TOPDESK_USERNAME", desk::USER.into()),
            ("TOPDESK_PASSWORD", desk::PASSWORD.into()),
            ("CALL_TICKETS_TOPDESK_TIMEOUT_SECONDS", "2".into()),
            ("OPENAI_API_BASE", model),
            ("OPENAI_API_KEY", call_tickets::fakes::model::KEY.into()),
            ("GMAIL_SMTP_SERVER", "127.0.0.1".into()),
            ("GMAIL_SMTP_PORT", port),
            ("GMAIL_SMTP_TLS", "none".into()),
            ("NOTIFICATION_EMAIL_TO", "people@example.org".into()),
            ("STORAGE_BASE_PATH", self.folder.path().join("transcripts").to_string_lossy().into_owned()),
            ("CALL_TICKETS_RETRY_BASE_MS", "20".into()),
            ("CALL_TICKETS_RETRY_MAX_AGE", "1h".into()),
        ]);
        let read = |name: &str| {
            self.more.get(name).cloned().or_else(|| usual.get(name).cloned()).filter(|v| !v.is_empty())
        };
        let (config, findings) = config::read(&read);
        config.unwrap_or_else(|| panic!("{findings:?}"))
    }

    async fn run(&self) -> Running {
        let options = Options::from_env("call-tickets", "0", |_| None);
        let telemetry = Arc::new(Telemetry::without_logs(&options).expect("telemetry"));
        let ahead = self.ahead.clone();
        let now = move || Timestamp::now() + SignedDuration::from_secs(ahead.load(Ordering::SeqCst));
        let outside = Outside { now: Arc::new(now), seed: 7, environment: Arc::new(|_| None) };
        let metrics = Metrics::new(&telemetry.meter());
        let service = Arc::new(Service::new(self.config(), metrics, outside).await.expect("a service"));
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let url = format!("http://{}", listener.local_addr().expect("an address"));
        let (stop, stopped) = watch::channel(false);
        let router = web::router(service.clone(), telemetry.clone());
        let tasks = vec![
            tokio::spawn(web::serve(listener, router, stopped.clone())),
            tokio::spawn(worker::run(service, stopped)),
        ];
        Running { url, http: reqwest::Client::new(), stop, tasks, telemetry, ahead: self.ahead.clone() }
    }

    fn incidents(&self) -> Vec<Value> {
        self.desk.held().incidents.clone()
    }

    /// Every file below the data folder.
    fn files(&self) -> Vec<PathBuf> {
        fn walk(folder: &Path, files: &mut Vec<PathBuf>) {
            for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
                if entry.path().is_dir() { walk(&entry.path(), files) } else { files.push(entry.path()) }
            }
        }
        let mut files = Vec::new();
        walk(self.folder.path(), &mut files);
        files
    }
}

impl Running {
    fn now(&self) -> Timestamp {
        Timestamp::now() + SignedDuration::from_secs(self.ahead.load(Ordering::SeqCst))
    }

    async fn post(&self, body: &[u8]) -> (u16, Value) {
        let header = signature::header(&SECRET.to_owned().into(), body, self.now());
        self.deliver(body.to_vec(), &[(signature::HEADER, &header)]).await
    }

    async fn deliver(&self, body: Vec<u8>, headers: &[(&str, &str)]) -> (u16, Value) {
        let mut request = self.http.post(format!("{}/elevenlabs/webhook", self.url)).body(body);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let answer = request.send().await.expect("an answer");
        (answer.status().as_u16(), answer.json().await.unwrap_or_default())
    }

    async fn accept(&self, payload: &Value) {
        let (status, answer) = self.post(payload.to_string().as_bytes()).await;
        assert_eq!((status, &answer["status"]), (200, &json!("accepted")), "{answer}");
    }

    async fn get(&self, path: &str) -> (u16, Value) {
        let answer =
            self.http.get(format!("{}{path}", self.url)).bearer_auth(TOKEN).send().await.expect("an answer");
        (answer.status().as_u16(), answer.json().await.unwrap_or_default())
    }

    /// The event once it is in a state.
    async fn reaches(&self, id: &str, state: &str) -> Value {
        let end = Instant::now() + Duration::from_secs(30);
        loop {
            let (status, call) = self.get(&format!("/calls/{id}")).await;
            if status == 200 && call["state"] == state {
                return call;
            }
            assert!(Instant::now() < end, "{id} is not {state}: {call:#}");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    /// Ends it where it stands, as a crash would.
    async fn kill(self) {
        for task in self.tasks {
            task.abort();
            assert!(task.await.expect_err("does not end by itself").is_cancelled());
        }
    }

    async fn stop(self) {
        let _ = self.stop.send(true);
        for task in self.tasks {
            task.await.expect("ends");
        }
    }
}

/// A call that ElevenLabs might deliver; another one for each seed.
fn call(seed: u64) -> Value {
    simulate::call(&mut StdRng::seed_from_u64(seed), Timestamp::now())
}

fn id(call: &Value) -> &str {
    call["data"]["conversation_id"].as_str().expect("an id")
}

/// The sample payloads, where they lie beside the workspace.
fn samples() -> Option<PathBuf> {
    landfall_tests::shared("facts/elevenlabs-payloads")
}

#[tokio::test(flavor = "multi_thread")]
async fn a_call_becomes_a_ticket_with_its_transcript() {
    let world = World::new(&[]).await;
    let running = world.run().await;
    let call = call(1);
    running.accept(&call).await;
    let shown = running.reaches(id(&call), "done").await;
    let incidents = world.incidents();
    assert_eq!(incidents.len(), 1);
    assert_eq!(
        (&shown["number"], &shown["source"], &shown["outcome"]),
        (&incidents[0]["number"], &json!("model"), &json!("ticketed"))
    );
    assert_eq!(incidents[0]["externalNumber"], id(&call));
    assert_eq!(incidents[0]["briefDescription"], "Ticket made by the model");
    let files = world.desk.held().files.clone();
    let (name, text) = &files[incidents[0]["id"].as_str().expect("an id")][0];
    assert_eq!(name, &format!("{}.txt", id(&call)));
    assert!(String::from_utf8_lossy(text).contains("Caller:"));
    let day = call_tickets::event::folder(call_tickets::event::happened(&call).expect("a time"));
    let kept = world.folder.path().join(format!("transcripts/{day}/{}.json", id(&call)));
    let kept: Value = serde_json::from_slice(&std::fs::read(kept).expect("is kept")).expect("JSON");
    assert_eq!(kept["data"]["transcript"], call["data"]["transcript"]);
    let text = running.telemetry.prometheus();
    for line in [
        "call_tickets_tickets_total{outcome=\"created\",source=\"model\"} 1",
        "call_tickets_attachments_total{outcome=\"attached\"} 1",
        "call_tickets_events_total{new=\"true\",type=\"call\"} 1",
    ] {
        assert!(text.contains(line), "{line} in\n{text}");
    }
    running.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_same_call_again_and_at_once_is_one_ticket() {
    let world = World::new(&[]).await;
    let (one, other) = (world.run().await, call(2));
    let body = other.to_string().into_bytes();
    let answers = futures::future::join_all((0..10).map(|_| one.post(&body))).await;
    assert!(answers.iter().all(|(status, _)| *status == 200));
    assert_eq!(answers.iter().filter(|(_, answer)| answer["status"] == "accepted").count(), 1);
    one.reaches(id(&other), "done").await;
    let (status, answer) = one.post(&body).await;
    assert_eq!((status, &answer["status"]), (200, &json!("duplicate")));
    assert_eq!(world.incidents().len(), 1);
    one.stop().await;
    let again = world.run().await;
    assert_eq!(again.post(&body).await.1["status"], "duplicate", "also after a restart");
    again.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_not_elevenlabs_is_refused_with_the_right_status() {
    let world = World::new(&[("CALL_TICKETS_MAX_BODY", "200000")]).await;
    let running = world.run().await;
    let body = call(3).to_string().into_bytes();
    let secret = SECRET.to_owned().into();
    let signed = |seconds: i64| {
        signature::header(&secret, &body, Timestamp::now() + SignedDuration::from_secs(seconds))
    };
    let (good, old, future) = (signed(0), signed(-301 - 60), signed(400));
    let wrong = signature::header(&"another-secret".to_owned().into(), &body, Timestamp::now());
    for headers in [
        vec![],
        vec![(signature::HEADER, wrong.as_str())],
        vec![(signature::HEADER, old.as_str())],
        vec![(signature::HEADER, future.as_str())],
        vec![(signature::HEADER, good.as_str()), (signature::HEADER, good.as_str())],
        vec![(signature::HEADER, "t=,v0=")],
        vec![("x-elevenlabs-signature", good.as_str())],
    ] {
        let (status, problem) = running.deliver(body.clone(), &headers).await;
        assert_eq!((status, &problem["status"]), (401, &json!(401)), "{headers:?}");
    }
    assert_eq!(running.deliver(vec![b'x'; 200_001], &[(signature::HEADER, &good)]).await.0, 413);
    let chunks = futures::stream::iter((0..30).map(|_| Ok::<_, std::io::Error>(vec![b'x'; 10_000])));
    let endless = running
        .http
        .post(format!("{}/elevenlabs/webhook", running.url))
        .body(reqwest::Body::wrap_stream(chunks));
    assert_eq!(endless.send().await.expect("an answer").status(), 413, "a chunked body that grows too large");
    let get =
        running.http.get(format!("{}/elevenlabs/webhook", running.url)).send().await.expect("an answer");
    assert_eq!(get.status(), 405);
    assert_eq!(
        running.deliver(body.clone(), &[(signature::HEADER, &good)]).await.0,
        200,
        "it was good all along"
    );
    running.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn only_who_is_on_the_list_may_deliver() {
    let world = World::new(&[("CALL_TICKETS_ALLOW_IPS", "elevenlabs, 203.0.113.0/24")]).await;
    let running = world.run().await;
    let body = call(4).to_string().into_bytes();
    let header = signature::header(&SECRET.to_owned().into(), &body, Timestamp::now());
    let signed = (signature::HEADER, header.as_str());
    assert_eq!(running.deliver(body.clone(), &[signed]).await.0, 403);
    assert_eq!(
        running.deliver(body.clone(), &[signed, ("x-forwarded-for", "203.0.113.9, 198.51.100.1")]).await.0,
        403
    );
    assert_eq!(running.deliver(body, &[signed, ("x-forwarded-for", "34.67.146.145")]).await.0, 200);
    running.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn authentic_but_malformed_events_are_kept_and_a_person_is_told() {
    let world = World::new(&[]).await;
    let running = world.run().await;
    let deep = "[".repeat(50_000);
    let bodies: Vec<&[u8]> = vec![
        b"", b"\xff\xfe", b"{\"type\":", b"[]", deep.as_bytes(), b"\xef\xbb\xbf",
        br#"{"type":"post_call_transcription","conversation_id":"test"}"#,
        br#"{"type":"post_call_transcription","data":{"conversation_id":"","headers":{"Authorization":"planted-header"}}}"#,
    ];
    for body in &bodies {
        assert_eq!(
            running.post(body).await.0,
            200,
            "{:?}",
            String::from_utf8_lossy(&body[..body.len().min(60)])
        );
    }
    let end = Instant::now() + Duration::from_secs(30);
    while world.post.letters().len() < bodies.len() && Instant::now() < end {
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    assert_eq!(world.post.letters().len(), bodies.len());
    let (_, dead) = running.get("/dead-letters").await;
    assert_eq!(dead["calls"].as_array().map(Vec::len), Some(bodies.len()));
    assert!(world.incidents().is_empty());
    running.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn other_events_are_treated_as_their_kind_wants() {
    let Some(samples) = samples() else { return };
    let world = World::new(&[("CALL_TICKETS_AUDIO", "store")]).await;
    let running = world.run().await;
    for name in ["06-call-initiation-failure-sip", "07-post-call-audio-small", "08-unknown-future-event"] {
        let body = std::fs::read(samples.join(format!("{name}.json"))).expect("a sample");
        assert_eq!(running.post(&body).await.0, 200, "{name}");
    }
    let end = Instant::now() + Duration::from_secs(20);
    while running.get("/calls?state=done").await.1["calls"].as_array().map_or(0, Vec::len) < 4 {
        assert!(Instant::now() < end, "{:#}", running.get("/calls").await.1);
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    assert!(world.incidents().is_empty(), "none of them is a ticket");
    let letters = world.post.letters();
    assert!(letters.len() == 1 && letters[0].text.contains("busy"), "{letters:?}");
    let files: Vec<String> = world.files().iter().map(|file| file.to_string_lossy().into_owned()).collect();
    assert!(files.iter().any(|file| file.contains("/audio/") && file.ends_with(".mp3")), "{files:?}");
    assert!(files.iter().any(|file| file.contains("/events/") && file.ends_with(".json")), "{files:?}");
    running.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn every_sample_call_becomes_one_ticket_and_no_secret_is_left_anywhere() {
    let Some(samples) = samples() else { return };
    let world = World::new(&[]).await;
    let running = world.run().await;
    let names = [
        "01-helpdesk-label-printer-nl",
        "02-silent-empty-transcript",
        "03-tool-calls-account-lockout-en",
        "04-long-call-400-turns-nl",
        "05-non-ascii-emoji-nl",
    ];
    let mut conversations = Vec::new();
    for name in names {
        let body = std::fs::read(samples.join(format!("{name}.json"))).expect("a sample");
        let mut payload: Value = serde_json::from_slice(&body).expect("JSON");
        payload["data"]["conversation_initiation_client_data"]["dynamic_variables"]["secret__planted"] =
            json!("planted-variable");
        running.accept(&payload).await;
        conversations.push(id(&payload).to_owned());
    }
    for conversation in &conversations {
        running.reaches(conversation, "done").await;
    }
    let incidents = world.incidents();
    assert_eq!(incidents.len(), names.len());
    for incident in &incidents {
        assert!(
            incident["briefDescription"]
                .as_str()
                .is_some_and(|brief| (1..=80).contains(&brief.encode_utf16().count()))
        );
    }
    // The year's last evening: the call's own day in UTC.
    assert!(world.files().iter().any(|file| file.to_string_lossy().contains("/12/31/")));
    running.stop().await;
    let mut seen: Vec<Vec<u8>> =
        world.files().iter().map(|file| std::fs::read(file).expect("is read")).collect();
    seen.push(json!(world.model.asked()).to_string().into_bytes());
    seen.push(json!(incidents).to_string().into_bytes());
    for secret in
        ["example-token-not-real", "example-key-not-real", "planted-variable", SECRET, desk::PASSWORD]
    {
        for bytes in &seen {
            assert!(
                !bytes.windows(secret.len()).any(|part| part == secret.as_bytes()),
                "{secret} was written somewhere"
            );
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_model_that_fails_leaves_it_to_the_rules() {
    let world = World::new(&[]).await;
    world
        .model
        .faults
        .next("POST", Fault::Answer(404, json!({"error": {"code": "model_not_found"}}).to_string(), None));
    let running = world.run().await;
    running.accept(&call(5)).await;
    let shown = running.reaches(id(&call(5)), "done").await;
    assert_eq!(shown["source"], "rules");
    assert!(shown["model_failure"].as_str().is_some_and(|why| why.contains("no model")), "{shown}");
    // An answer that cannot be used is asked for once more, with what is wrong with it.
    world.model.says(json!({"brief": "", "request": "", "category": "Unheard of"}));
    running.accept(&call(6)).await;
    assert_eq!(running.reaches(id(&call(6)), "done").await["source"], "model");
    let asked = world.model.asked();
    let last = asked.last().expect("was asked")["messages"].as_array().expect("messages").clone();
    assert!(
        last.len() == 4 && last[3]["content"].as_str().is_some_and(|text| text.contains("category")),
        "{last:?}"
    );
    for _ in 0..2 {
        world.model.says(json!({"brief": ""}));
    }
    running.accept(&call(7)).await;
    assert_eq!(running.reaches(id(&call(7)), "done").await["source"], "rules");
    running.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn topdesk_fails_in_the_documented_ways_and_nothing_is_lost_or_doubled() {
    let world = World::new(&[("CALL_TICKETS_MODEL_PROVIDER", "none")]).await;
    let running = world.run().await;
    let message = |text: &str| json!([{"message": text}]).to_string();
    let faults: Vec<(&str, Fault)> = vec![
        ("POST /tas/api/incidents", Fault::Answer(503, "<html>maintenance</html>".into(), None)),
        ("POST /tas/api/incidents", Fault::Answer(429, message("slow down"), Some(1))),
        ("POST /tas/api/incidents", Fault::Answer(401, String::new(), None)),
        ("POST /tas/api/incidents", Fault::Break),
        ("GET /tas/api/incidents", Fault::Answer(500, String::new(), None)),
        ("GET /tas/api/incidents/categories", Fault::Answer(500, String::new(), None)),
        ("GET /tas/api/persons", Fault::Answer(406, String::new(), None)),
        ("attachments", Fault::Answer(503, String::new(), None)),
        ("POST /tas/api/incidents/id/", Fault::Break),
    ];
    for (number, (part, fault)) in faults.into_iter().enumerate() {
        let call = call(100 + number as u64);
        world.desk.faults.clear();
        world.desk.faults.next(part, fault.clone());
        running.accept(&call).await;
        running.reaches(id(&call), "done").await;
        let incidents = world.incidents();
        let ours: Vec<&Value> = incidents.iter().filter(|one| one["externalNumber"] == id(&call)).collect();
        assert_eq!(ours.len(), 1, "{part} {fault:?}");
        let files = world.desk.held().files.get(ours[0]["id"].as_str().expect("an id")).map_or(0, Vec::len);
        assert_eq!(files, 1, "{part} {fault:?}");
    }
    assert!(world.post.letters().is_empty());
    running.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_topdesk_does_not_accept_is_mended() {
    let world = World::new(&[]).await;
    let running = world.run().await;
    running.accept(&call(8)).await;
    running.reaches(id(&call(8)), "done").await;
    // The category that the model chooses is renamed: the lists are read again, and it is chosen no more.
    world.desk.held().categories[0].0 = "Apparatuur".into();
    running.accept(&call(9)).await;
    let shown = running.reaches(id(&call(9)), "done").await;
    assert!(shown["mended"].as_str().is_some_and(|mended| mended.contains("category")), "{shown}");
    // An environment that refuses files gets a note.
    world.desk.held().files_taken = false;
    running.accept(&call(10)).await;
    assert_eq!(running.reaches(id(&call(10)), "done").await["attached"], "note");
    assert_eq!(world.desk.held().notes.len(), 1);
    assert_eq!(world.incidents().len(), 3);
    running.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_caller_who_is_registered_is_found() {
    let world = World::new(&[("CALL_TICKETS_MODEL_PROVIDER", "none")]).await;
    world.desk.held().persons.push(json!({"id": "p-1", "mobileNumber": "0612345678", "isCaller": true}));
    let running = world.run().await;
    let mut known = call(11);
    known["data"]["metadata"]["phone_call"]["external_number"] = json!("+31612345678");
    running.accept(&known).await;
    running.reaches(id(&known), "done").await;
    let mut unknown = call(12);
    unknown["data"]["metadata"]["phone_call"]["external_number"] = json!("+31699999999");
    running.accept(&unknown).await;
    running.reaches(id(&unknown), "done").await;
    let incidents = world.incidents();
    assert_eq!(incidents[0]["callerLookup"]["id"], "p-1");
    assert_eq!(incidents[1]["caller"]["phoneNumber"], "+31699999999");
    assert!(incidents[1]["caller"]["dynamicName"].is_string());
    running.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn where_topdesk_cannot_be_searched_the_local_record_decides() {
    let world = World::new(&[("CALL_TICKETS_MODEL_PROVIDER", "none")]).await;
    world.desk.held().searchable = false;
    let running = world.run().await;
    // The latest incidents are looked through instead.
    world.desk.faults.next("POST /tas/api/incidents", Fault::Break);
    running.accept(&call(13)).await;
    running.reaches(id(&call(13)), "done").await;
    assert_eq!(world.incidents().len(), 1);
    // Not even that: what was asked for without an answer is for a person to look up.
    world.desk.held().listable = false;
    running.accept(&call(14)).await;
    running.reaches(id(&call(14)), "done").await;
    world.desk.faults.next("POST /tas/api/incidents", Fault::Break);
    running.accept(&call(15)).await;
    let dead = running.reaches(id(&call(15)), "dead").await;
    assert!(dead["why"].as_str().is_some_and(|why| why.contains("external number")), "{dead}");
    assert_eq!(world.incidents().len(), 3, "and never a second one");
    running.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_never_works_is_a_dead_letter_a_mail_and_a_replay() {
    let world =
        World::new(&[("CALL_TICKETS_MODEL_PROVIDER", "none"), ("CALL_TICKETS_RETRY_MAX_AGE", "1s")]).await;
    for _ in 0..200 {
        world.desk.faults.next("POST /tas/api/incidents", Fault::Answer(503, String::new(), None));
    }
    world.post.next(post::Failure::Login);
    world.post.next(post::Failure::Later);
    let running = world.run().await;
    running.accept(&call(16)).await;
    let dead = running.reaches(id(&call(16)), "dead").await;
    assert_eq!(dead["outcome"], "dead");
    let end = Instant::now() + Duration::from_secs(20);
    while world.post.letters().is_empty() {
        assert!(Instant::now() < end, "nobody was told");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    let letter = &world.post.letters()[0];
    assert!(letter.text.contains(id(&call(16))) && letter.to[0].contains("people@example.org"), "{letter:?}");
    world.desk.faults.clear();
    let path = format!("{}/dead-letters/{}/replay", running.url, dead["id"].as_str().expect("an id"));
    let refused = running.http.post(&path).send().await.expect("an answer");
    assert_eq!(refused.status(), 401);
    let replayed = running.http.post(&path).bearer_auth(TOKEN).send().await.expect("an answer");
    assert_eq!(replayed.status(), 202);
    running.reaches(id(&call(16)), "done").await;
    assert_eq!(world.incidents().len(), 1);
    assert_eq!(running.http.post(&path).bearer_auth(TOKEN).send().await.expect("an answer").status(), 404);
    running.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn without_topdesk_calls_wait_for_it() {
    let world = World::new(&[("TOPDESK_URL", ""), ("TOPDESK_USERNAME", ""), ("TOPDESK_PASSWORD", "")]).await;
    let running = world.run().await;
    running.accept(&call(17)).await;
    let waits = running.reaches(id(&call(17)), "waiting").await;
    assert!(
        waits["why"].is_null() || waits["why"].as_str().is_some_and(|why| why.contains("not configured"))
    );
    let (status, ready) = running.get("/elevenlabs/health/ready").await;
    assert_eq!((status, &ready["checks"]["topdesk"]), (200, &json!("not configured")));
    running.stop().await;
    let mut configured = world;
    configured.more.clear();
    configured.ahead.store(120, Ordering::SeqCst);
    let running = configured.run().await;
    running.reaches(id(&call(17)), "done").await;
    running.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_person_and_a_probe_see_how_it_stands() {
    let world = World::new(&[]).await;
    let running = world.run().await;
    let health =
        running.http.get(format!("{}/elevenlabs/health", running.url)).send().await.expect("an answer");
    assert!(health.text().await.expect("text").contains("\"status\":\"healthy\""));
    let (status, ready) = running.get("/elevenlabs/health/ready").await;
    assert_eq!(
        (status, &ready["checks"]["topdesk"], &ready["checks"]["transcripts"]),
        (200, &json!("ok"), &json!("ok"))
    );
    for path in ["/calls", "/calls/x", "/dead-letters"] {
        for token in ["", "wrong", "planted-operator-toke", "planted-operator-token2"] {
            let asked = running.http.get(format!("{}{path}", running.url)).bearer_auth(token).send().await;
            assert_eq!(asked.expect("an answer").status(), 401, "{path} {token}");
        }
    }
    assert_eq!(running.get("/calls/none").await.0, 404);
    assert_eq!(running.get("/calls?state=odd").await.0, 400);
    assert_eq!(running.get("/nothing").await.0, 404);
    for path in ["/", "/openapi.json", "/metrics"] {
        let page = running.http.get(format!("{}{path}", running.url)).send().await.expect("an answer");
        assert_eq!(page.status(), 200, "{path}");
        assert!(!page.text().await.expect("text").contains("planted"));
    }
    running.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_simulate_sends_becomes_tickets() {
    let world = World::new(&[("CALL_TICKETS_MODEL_PROVIDER", "none")]).await;
    let running = world.run().await;
    let plan = simulate::Plan {
        url: running.url.clone(),
        secret: SECRET.to_owned().into(),
        calls: 60,
        at: 10,
        seed: 3,
        token: Some(TOKEN.to_owned().into()),
        wait: Duration::from_secs(60),
    };
    let report = simulate::run(&plan, Timestamp::now).await.expect("runs");
    assert_eq!((report.latencies.len(), report.ended), (60, Some((60, 0))), "{:?}", report.refused);
    assert!(report.percentile(0.5) <= report.percentile(0.99));
    assert_eq!(world.incidents().len(), 60);
    assert!(world.incidents().iter().any(|incident| incident.get("category").is_some()));
    running.stop().await;
}

/// A world whose replicas share a PostgreSQL database, and transcripts in Azurite where that is installed.
async fn shared_world(database: &Postgres, azurite: Option<&Azurite>) -> World {
    let url = database.url();
    let mut world = World::new(&[("CALL_TICKETS_STORE", &url)]).await;
    if let Some(azurite) = azurite {
        let now = Timestamp::now().strftime("%a, %d %b %Y %H:%M:%S GMT").to_string();
        azurite.container("transcripts", &now).await;
        for (name, value) in [
            ("AZURE_STORAGE_ACCOUNT", Azurite::ACCOUNT),
            ("AZURE_STORAGE_KEY", Azurite::KEY),
            ("AZURE_STORAGE_BLOB_ENDPOINT", &azurite.endpoint),
        ] {
            world.more.insert(name.into(), value.into());
        }
    }
    world
}

#[tokio::test(flavor = "multi_thread")]
async fn two_replicas_make_one_ticket_of_a_call_that_both_are_sent() {
    let Some(database) = Postgres::start() else { return };
    let azurite = Azurite::start();
    let world = shared_world(&database, azurite.as_ref()).await;
    let (one, other) = (world.run().await, world.run().await);
    let calls: Vec<Value> = (40..44).map(call).collect();
    for call in &calls {
        let body = call.to_string().into_bytes();
        let replicas = (0..10).map(|number| if number % 2 == 0 { &one } else { &other });
        let answers = futures::future::join_all(replicas.map(|replica| replica.post(&body))).await;
        assert!(answers.iter().all(|(status, _)| *status == 200), "{answers:?}");
        assert_eq!(answers.iter().filter(|(_, answer)| answer["status"] == "accepted").count(), 1);
    }
    for call in &calls {
        let (mine, its) = (one.reaches(id(call), "done").await, other.reaches(id(call), "done").await);
        assert_eq!(mine["number"], its["number"], "each replica tells the same");
        assert_eq!(mine["attached"], "file");
    }
    assert_eq!(world.incidents().len(), calls.len());
    if azurite.is_some() {
        assert_eq!(one.get("/elevenlabs/health/ready").await.1["checks"]["transcripts"], "ok");
        let stray = world.files().into_iter().find(|file| file.extension().is_some_and(|end| end == "json"));
        assert_eq!(stray, None, "transcripts are in the container, not on disk");
    }
    one.stop().await;
    other.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_replica_goes_on_where_another_was_killed() {
    let Some(database) = Postgres::start() else { return };
    let world = shared_world(&database, None).await;
    let (one, call) = (world.run().await, call(50));
    // TOPdesk makes the incident and does not say so before the replica is gone.
    world.desk.faults.next("POST /tas/api/incidents", Fault::Slow(Duration::from_secs(60)));
    one.accept(&call).await;
    let end = Instant::now() + Duration::from_secs(30);
    while world.incidents().is_empty() {
        assert!(Instant::now() < end, "no incident was asked for");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    one.kill().await;
    let other = world.run().await;
    let held = other.get(&format!("/calls/{}", id(&call))).await.1;
    assert_eq!(held["state"], "claimed", "the dead replica's claim holds until it ends");
    world.ahead.store(61, Ordering::SeqCst);
    let done = other.reaches(id(&call), "done").await;
    let incidents = world.incidents();
    assert_eq!((incidents.len(), &done["number"]), (1, &incidents[0]["number"]));
    let files = world.desk.held().files.clone();
    assert_eq!(files[incidents[0]["id"].as_str().expect("an id")].len(), 1);
    other.stop().await;
}
