//! A client against a server that says what it is told to, over loopback.
#![allow(clippy::expect_used)]

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::http::{HeaderMap, StatusCode, Uri};
use axum::response::IntoResponse;
use jiff::Timestamp;
use landfall_llm::budget::Memory;
use landfall_llm::{Access, Budget, Client, Error, Provider, Question, Settings};
use serde_json::{Value, json};

type Scripted = (u16, Vec<(&'static str, String)>, Vec<u8>);

/// What the server says next, and what it was asked.
#[derive(Clone, Default)]
struct Script {
    says: Arc<Mutex<VecDeque<Scripted>>>,
    asked: Arc<Mutex<Vec<(String, HeaderMap, Value)>>>,
}

impl Script {
    fn then(self, status: u16, body: Value) -> Script {
        self.with(status, &[], body)
    }

    fn with(self, status: u16, headers: &[(&'static str, &str)], body: Value) -> Script {
        let headers = headers.iter().map(|(name, value)| (*name, (*value).to_owned())).collect();
        self.says.lock().expect("lock").push_back((status, headers, body.to_string().into_bytes()));
        self
    }

    /// Says something that is no JSON, perhaps.
    fn raw(self, status: u16, body: impl Into<Vec<u8>>) -> Script {
        self.says.lock().expect("lock").push_back((status, vec![], body.into()));
        self
    }

    fn asked(&self) -> Vec<(String, HeaderMap, Value)> {
        self.asked.lock().expect("lock").clone()
    }

    /// Serves the script; the server's address.
    async fn serve(&self) -> String {
        let script = self.clone();
        let app = axum::Router::new().fallback(move |uri: Uri, headers: HeaderMap, body: String| {
            let script = script.clone();
            async move {
                let body = serde_json::from_str(&body).expect("JSON");
                script.asked.lock().expect("lock").push((uri.to_string(), headers, body));
                let next = script.says.lock().expect("lock").pop_front();
                let (status, headers, body) =
                    next.unwrap_or((418, vec![], br#"{"error": {"message": "no more"}}"#.to_vec()));
                let mut answer = (StatusCode::from_u16(status).expect("a status"), body).into_response();
                for (name, value) in headers {
                    answer.headers_mut().insert(name, value.parse().expect("a value"));
                }
                answer
            }
        });
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("an address");
        tokio::spawn(async move { axum::serve(listener, app).await });
        format!("http://{address}")
    }
}

fn good(content: &Value) -> Value {
    json!({
        "model": "m-2026", "choices": [{"finish_reason": "stop", "message": {"content": content.to_string()}}],
        "usage": {"prompt_tokens": 1000, "completion_tokens": 100},
    })
}

fn finished(reason: &str) -> Value {
    json!({"choices": [{"finish_reason": reason, "message": {"content": "{\"cut"}}], "usage": {}})
}

fn question() -> Question {
    Question {
        instructions: "do".into(),
        material: "this".into(),
        name: "ticket",
        schema: json!({"type": "object"}),
        wrong: None,
    }
}

fn settings(base: &str) -> Settings {
    let provider = Provider::at(&format!("{base}/v1"), None, Access::Key("planted-key".to_owned().into()));
    Settings { pause: Duration::from_millis(5), ..Settings::new(provider.expect("a provider"), "m") }
}

fn client(settings: Settings) -> Client {
    Client::new(settings, Arc::new(Memory::default())).expect("a client")
}

async fn ask(script: &Script) -> Result<Value, Error> {
    let client = client(settings(&script.serve().await));
    client.ask(&question(), Timestamp::UNIX_EPOCH).await.map(|answer| answer.value)
}

#[tokio::test]
async fn an_answer_comes_with_what_it_took() {
    let script = Script::default().with(200, &[("x-request-id", "r1")], good(&json!({"a": 1})));
    let base = script.serve().await;
    let client = client(settings(&base));
    let answer = client.ask(&question(), Timestamp::UNIX_EPOCH).await.expect("an answer");
    assert_eq!((answer.value, answer.model.as_str()), (json!({"a": 1}), "m-2026"));
    assert_eq!((answer.usage.input, answer.usage.output, answer.request.as_deref()), (1000, 100, Some("r1")));
    assert_eq!(client.spent(Timestamp::UNIX_EPOCH).await.tokens, 1100);
    let (uri, headers, body) = script.asked().remove(0);
    assert_eq!(
        (uri.as_str(), &headers["authorization"]),
        ("/v1/chat/completions", &"Bearer planted-key".parse().expect("v"))
    );
    assert_eq!(body["response_format"]["json_schema"]["strict"], true);
    assert_eq!(body["max_completion_tokens"], 2000);
    assert!(body.get("temperature").is_none() && body.get("max_tokens").is_none());
}

#[tokio::test]
async fn what_passes_is_tried_again_three_times() {
    let script = Script::default()
        .then(500, json!(null))
        .then(503, json!(null))
        .then(429, json!({"error": {"type": "requests"}}));
    assert_eq!(ask(&script.clone().then(200, good(&json!(1)))).await, Ok(json!(1)));
    assert_eq!(script.asked().len(), 4);
    let script = (0..9).fold(Script::default(), |script, _| script.then(502, json!(null)));
    assert_eq!(ask(&script).await.expect_err("fails").name(), "unavailable");
    assert_eq!(script.asked().len(), 4, "one request and three retries");
}

#[tokio::test]
async fn a_wait_that_is_asked_for_is_kept_unless_it_is_too_long() {
    let script =
        Script::default().with(429, &[("retry-after-ms", "300")], json!(null)).then(200, good(&json!(1)));
    let begun = std::time::Instant::now();
    assert_eq!(ask(&script).await, Ok(json!(1)));
    assert!(begun.elapsed() >= Duration::from_millis(300));
    let script =
        Script::default().with(429, &[("retry-after", "3600")], json!(null)).then(200, good(&json!(1)));
    assert_eq!(
        ask(&script).await,
        Err(Error::Unavailable { said: "429 ".into(), after: Some(Duration::from_secs(3600)) })
    );
}

#[tokio::test]
async fn what_cannot_pass_is_not_tried_again() {
    for (status, body, name) in [
        (401, json!({"error": {"message": "no"}}), "denied"),
        (404, json!({"error": {"code": "model_not_found"}}), "no_model"),
        (429, json!({"error": {"code": "insufficient_quota"}}), "quota"),
        (400, json!({"error": {"code": "content_filter"}}), "filtered"),
        (422, json!({}), "rejected"),
        (200, finished("content_filter"), "filtered"),
        (200, json!({"choices": [{"finish_reason": "stop", "message": {"refusal": "no"}}]}), "refused"),
        (200, json!({"choices": []}), "garbled"),
        (200, json!({"choices": [{"message": {"content": null}}]}), "garbled"),
        (200, json!({"choices": [{"message": {"content": "not json"}}]}), "garbled"),
        (302, json!({}), "rejected"),
    ] {
        let script = Script::default().then(status, body.clone()).then(200, good(&json!(1)));
        assert_eq!(ask(&script).await.expect_err("fails").name(), name, "{body}");
        assert_eq!(script.asked().len(), 1, "{body}");
    }
}

#[tokio::test]
async fn what_is_no_answer_at_all_is_garbled_and_not_asked_for_again() {
    let whole = good(&json!({"a": 1})).to_string();
    let deep = format!("{{\"choices\": {}", "[".repeat(100_000));
    let said: [Vec<u8>; 8] = [
        Vec::new(),
        b"<html>it works</html>".to_vec(),
        whole[..whole.len() - 1].into(),
        [whole.as_bytes(), b"x"].concat(),
        b"\xff\xfe\x00".to_vec(),
        // A stream, which nobody asked for.
        format!("data: {whole}\n\ndata: [DONE]\n\n").into_bytes(),
        deep.into_bytes(),
        // More than is read of any response.
        good(&json!("x".repeat(5 << 20))).to_string().into_bytes(),
    ];
    for body in said {
        let script = Script::default().raw(200, body.clone()).then(200, good(&json!(1)));
        let shown = String::from_utf8_lossy(&body[..body.len().min(40)]).into_owned();
        assert_eq!(ask(&script).await.expect_err("fails").name(), "garbled", "{shown}");
        assert_eq!(script.asked().len(), 1, "{shown}");
    }
    let refusals = Script::default().raw(400, "<html>").raw(418, b"\xff".to_vec());
    assert_eq!(ask(&refusals).await.expect_err("fails").name(), "rejected");
}

#[tokio::test]
async fn an_answer_that_breaks_off_is_asked_for_again() {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let base = format!("http://{}", listener.local_addr().expect("an address"));
    let server = tokio::spawn(async move {
        let whole = good(&json!(7)).to_string();
        for cut in [true, false] {
            let (mut stream, _) = listener.accept().await.expect("a connection");
            let mut buffer = vec![0; 64 << 10];
            let mut had = 0;
            // A request ends with the question's last brace.
            while !buffer[..had].ends_with(b"}") {
                had += stream.read(&mut buffer[had..]).await.expect("the request");
            }
            let head =
                format!("HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: {}\r\n\r\n", whole.len());
            let body = if cut { &whole[..20] } else { &whole };
            stream.write_all(format!("{head}{body}").as_bytes()).await.expect("is sent");
        }
    });
    let answer = client(settings(&base)).ask(&question(), Timestamp::UNIX_EPOCH).await;
    assert_eq!(answer.expect("the second is whole").value, json!(7));
    server.await.expect("both were asked for");
}

#[tokio::test]
async fn what_was_spent_is_paid_whatever_the_answer_is_worth() {
    let mut cut = finished("length");
    cut["usage"] = json!({"prompt_tokens": 10, "completion_tokens": 5});
    let mut odd = good(&json!(1));
    odd["usage"] = json!({"prompt_tokens": u64::MAX, "completion_tokens": u64::MAX});
    let mut odder = good(&json!(1));
    odder["usage"] = json!({"prompt_tokens": -7, "completion_tokens": "many"});
    let script = Script::default().then(200, cut.clone()).then(200, cut).then(200, odder).then(200, odd);
    let client = client(settings(&script.serve().await));
    let now = Timestamp::UNIX_EPOCH;
    assert!(client.ask(&question(), now).await.is_err());
    assert_eq!(client.spent(now).await.tokens, 30, "twice cut off is twice paid");
    assert!(client.ask(&question(), now).await.is_ok());
    assert_eq!(client.spent(now).await.tokens, 30, "nonsense counts as nothing");
    assert!(client.ask(&question(), now).await.is_ok());
    assert_eq!(client.spent(now).await.tokens, u64::MAX);
}

#[tokio::test]
async fn a_cut_off_answer_is_asked_for_once_more_with_more_room() {
    let script = Script::default().then(200, finished("length")).then(200, good(&json!(1)));
    assert_eq!(ask(&script).await, Ok(json!(1)));
    assert_eq!(script.asked()[1].2["max_completion_tokens"], 4000);
    let script = Script::default()
        .then(200, finished("length"))
        .then(200, finished("length"))
        .then(200, good(&json!(1)));
    assert_eq!(ask(&script).await, Err(Error::CutOff { limit: 4000 }));
}

#[tokio::test]
async fn what_the_model_refuses_is_left_out_and_remembered() {
    let refused = |param: &str| json!({"error": {"code": "unsupported_parameter", "param": param}});
    let script = Script::default()
        .then(400, refused("max_completion_tokens"))
        .then(400, refused("reasoning_effort"))
        .then(200, good(&json!(1)))
        .then(200, good(&json!(2)));
    let base = script.serve().await;
    let client = client(Settings { effort: Some("none".into()), ..settings(&base) });
    for answer in [1, 2] {
        let got = client.ask(&question(), Timestamp::UNIX_EPOCH).await.expect("an answer");
        assert_eq!(got.value, json!(answer));
    }
    let asked = script.asked();
    assert_eq!(asked.len(), 4, "what was learnt is kept");
    assert_eq!((&asked[0].2["reasoning_effort"], &asked[3].2["max_tokens"]), (&json!("none"), &json!(2000)));
    assert!(asked[3].2.get("reasoning_effort").is_none());
}

#[tokio::test]
async fn azure_and_anthropic_are_spoken_too() {
    let script = Script::default().then(200, good(&json!(1)));
    let base = format!("{}/openai/deployments/gpt?api-version=2025-01-01", script.serve().await);
    let key = || Access::Key("planted-key".to_owned().into());
    let azure =
        Settings { provider: Provider::at(&base, None, key()).expect("a provider"), ..settings("http://x") };
    assert_eq!(
        client(azure).ask(&question(), Timestamp::UNIX_EPOCH).await.expect("an answer").value,
        json!(1)
    );
    let (uri, headers, _) = script.asked().remove(0);
    assert_eq!(uri, "/openai/deployments/gpt/chat/completions?api-version=2025-01-01");
    assert_eq!(headers["api-key"], "planted-key");

    let said = json!({
        "model": "claude", "stop_reason": "tool_use", "usage": {"input_tokens": 5, "output_tokens": 7},
        "content": [{"type": "text", "text": "…"}, {"type": "tool_use", "name": "ticket", "input": {"b": 2}}],
    });
    let script = Script::default().then(529, json!({"error": {"type": "overloaded_error"}})).then(200, said);
    let provider = Provider::at(&script.serve().await, None, key()).expect("a provider").anthropic();
    let answer =
        client(Settings { provider, ..settings("http://x") }).ask(&question(), Timestamp::UNIX_EPOCH).await;
    assert_eq!(answer.expect("an answer").value, json!({"b": 2}));
    let (uri, headers, body) = script.asked().remove(1);
    assert_eq!((uri.as_str(), headers["x-api-key"].as_bytes()), ("/v1/messages", &b"planted-key"[..]));
    assert_eq!(body["tool_choice"]["name"], "ticket");
}

#[tokio::test]
async fn a_service_that_fails_again_and_again_is_left_alone() {
    const REST: Duration = Duration::from_secs(3600);
    let script =
        (0..3).fold(Script::default(), |script, _| script.then(500, json!(null))).then(200, good(&json!(1)));
    let base = script.serve().await;
    let client = client(Settings { retries: 0, breaker: (3, REST), ..settings(&base) });
    for _ in 0..3 {
        assert_eq!(
            client.ask(&question(), Timestamp::UNIX_EPOCH).await.expect_err("fails").name(),
            "unavailable"
        );
    }
    assert_eq!(client.ask(&question(), Timestamp::UNIX_EPOCH).await.expect_err("rests").name(), "resting");
    assert_eq!(script.asked().len(), 3, "a resting service is not asked");
    // An hour passes on the clock alone; requests are made in real time, or their time limits would pass as well.
    tokio::time::pause();
    tokio::time::advance(REST).await;
    tokio::time::resume();
    assert!(client.ask(&question(), Timestamp::UNIX_EPOCH).await.is_ok());
}

#[tokio::test]
async fn the_budget_ends_the_day() {
    let script = Script::default().then(200, good(&json!(1))).then(200, good(&json!(2)));
    let base = script.serve().await;
    let client = client(Settings { budget: Budget { dollars: None, tokens: Some(1000) }, ..settings(&base) });
    let today: Timestamp = "2026-11-21T23:59:00Z".parse().expect("a time");
    assert!(client.ask(&question(), today).await.is_ok());
    assert_eq!(client.ask(&question(), today).await, Err(Error::BudgetSpent));
    let tomorrow: Timestamp = "2026-11-22T00:00:00Z".parse().expect("a time");
    assert!(client.ask(&question(), tomorrow).await.is_ok());
}

#[tokio::test]
async fn a_server_that_is_gone_or_silent_is_not_available() {
    let gone = Settings { retries: 1, ..settings("http://127.0.0.1:9") };
    let error = client(gone).ask(&question(), Timestamp::UNIX_EPOCH).await.expect_err("fails");
    assert_eq!(error.name(), "unavailable");
    let silent = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let base = format!("http://{}", silent.local_addr().expect("an address"));
    let waits = Settings { retries: 0, timeout: Duration::from_millis(100), ..settings(&base) };
    let error = client(waits).ask(&question(), Timestamp::UNIX_EPOCH).await.expect_err("fails");
    assert!(error.name() == "unavailable" && !format!("{error:?}").contains("planted"), "{error:?}");
}
