//! An OpenAI, as far as chat completions with a schema go.

use std::sync::{Arc, Mutex, PoisonError};

use axum::Router;
use axum::body::Body;
use axum::extract::State;
use axum::http::{HeaderMap, Response, Uri};
use axum::response::IntoResponse;
use serde_json::{Value, json};

use super::{Fault, Faults, broken, plain};

/// The key that it takes.
pub const KEY: &str = "sk-fake-model-key";

/// A model on loopback.
#[derive(Clone)]
pub struct Fake {
    asked: Arc<Mutex<Vec<Value>>>,
    answers: Arc<Mutex<Vec<Value>>>,
    /// How it fails.
    pub faults: Faults,
    /// Its address; `/v1` is its base.
    pub url: String,
}

impl Fake {
    /// Starts one on a free port.
    ///
    /// # Errors
    /// When no port is free.
    pub async fn start() -> std::io::Result<Fake> {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
        let url = format!("http://{}", listener.local_addr()?);
        let fake = Fake { asked: Arc::default(), answers: Arc::default(), faults: Faults::default(), url };
        let router = Router::new().fallback(complete).with_state(fake.clone());
        tokio::spawn(async move { axum::serve(listener, router).await });
        Ok(fake)
    }

    /// What it was asked: the bodies of the requests.
    pub fn asked(&self) -> Vec<Value> {
        self.asked.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// What it says next, instead of an answer that fits.
    pub fn says(&self, answer: Value) {
        self.answers.lock().unwrap_or_else(PoisonError::into_inner).push(answer);
    }
}

async fn complete(State(fake): State<Fake>, uri: Uri, headers: HeaderMap, body: String) -> Response<Body> {
    let given = headers.get("authorization").or(headers.get("api-key")).and_then(|value| value.to_str().ok());
    if !given.is_some_and(|given| given.ends_with(KEY)) {
        return plain(
            401,
            json!({"error": {"message": "Incorrect API key provided", "code": "invalid_api_key"}})
                .to_string(),
            None,
        );
    }
    if !uri.path().ends_with("/chat/completions") {
        return plain(404, json!({"error": {"message": "unknown path"}}).to_string(), None);
    }
    let Ok(asked) = serde_json::from_str::<Value>(&body) else {
        return plain(400, json!({"error": {"message": "no JSON"}}).to_string(), None);
    };
    fake.asked.lock().unwrap_or_else(PoisonError::into_inner).push(asked.clone());
    match fake.faults.take(&format!("POST {}", uri.path())) {
        Some(Fault::Answer(status, body, after)) => return plain(status, body, after),
        Some(Fault::Break) => return broken(),
        Some(Fault::Slow(wait)) => tokio::time::sleep(wait).await,
        None => {}
    }
    let scripted = {
        let mut answers = fake.answers.lock().unwrap_or_else(PoisonError::into_inner);
        if answers.is_empty() { None } else { Some(answers.remove(0)) }
    };
    let content = scripted.unwrap_or_else(|| ticket(&asked["response_format"]["json_schema"]["schema"]));
    let answer = json!({
        "id": "chatcmpl-fake", "object": "chat.completion", "model": asked["model"],
        "choices": [{"index": 0, "finish_reason": "stop", "message": {"role": "assistant", "content": content.to_string()}}],
        "usage": {"prompt_tokens": body.len() / 4, "completion_tokens": 120, "total_tokens": body.len() / 4 + 120},
    });
    axum::Json(answer).into_response()
}

/// An answer that fits the schema: the first value of each list.
fn ticket(schema: &Value) -> Value {
    let first = |name: &str| schema["properties"][name]["enum"].get(0).cloned().unwrap_or(Value::Null);
    json!({
        "brief": "Ticket made by the model", "request": "What the caller asks for.",
        "category": first("category"), "subcategory": null, "priority": first("priority"), "impact": first("impact"),
        "urgency": first("urgency"), "language": "nl", "confidence": 0.9,
        "caller": {"name": null, "phone": null, "email": null, "department": null},
    })
}
