//! What an operator sees and may do: calls, their steps, dead letters and their replay.

use axum::Json;
use axum::extract::{Path, Query, Request, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use jiff::Timestamp;
use landfall_store::{Error, Item};
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;
use serde_json::{Value, json};
use subtle::ConstantTimeEq;

use super::{Shared, problem};
use crate::journal;
use crate::service::Service;

/// The page: static, it holds nothing; what it shows it asks for with the token.
pub async fn page() -> Response {
    let policy = "default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'; connect-src 'self'; \
                  base-uri 'none'; form-action 'none'; frame-ancestors 'none'";
    let headers =
        [(header::CONTENT_TYPE, "text/html; charset=utf-8"), (header::CONTENT_SECURITY_POLICY, policy)];
    (headers, include_str!("page.html")).into_response()
}

/// Lets nobody in without the token.
pub async fn guard(State(shared): State<Shared>, request: Request, next: Next) -> Response {
    let Some(token) = &shared.service.config.token else {
        return problem(
            StatusCode::UNAUTHORIZED,
            "the operator's API is shut: CALL_TICKETS_TOKEN is not set",
        );
    };
    if !bears(request.headers(), token) {
        let mut refused = problem(StatusCode::UNAUTHORIZED, "the operator's token is needed");
        refused.headers_mut().insert(header::WWW_AUTHENTICATE, "Bearer".parse().expect("a header"));
        return refused;
    }
    next.run(request).await
}

fn bears(headers: &HeaderMap, token: &SecretString) -> bool {
    let given =
        headers.get(header::AUTHORIZATION).and_then(|value| value.as_bytes().strip_prefix(b"Bearer "));
    given.is_some_and(|given| given.ct_eq(token.expose_secret().as_bytes()).into())
}

/// Which events are asked for.
#[derive(Deserialize)]
pub struct Wanted {
    state: Option<String>,
    before: Option<Timestamp>,
    limit: Option<usize>,
}

/// `GET /calls`.
pub async fn calls(State(shared): State<Shared>, Query(wanted): Query<Wanted>) -> Response {
    let state = match wanted.state.as_deref().map(landfall_store::State::named) {
        Some(None) => {
            return problem(StatusCode::BAD_REQUEST, "`state` is one of waiting, claimed, done and dead");
        }
        Some(Some(state)) => Some(state),
        None => None,
    };
    let limit = wanted.limit.unwrap_or(50).clamp(1, 500);
    answered(list(&shared.service, state, wanted.before, limit).await)
}

/// `GET /dead-letters`.
pub async fn dead_letters(State(shared): State<Shared>) -> Response {
    answered(list(&shared.service, Some(landfall_store::State::Dead), None, 500).await)
}

async fn list(
    service: &Service,
    state: Option<landfall_store::State>,
    before: Option<Timestamp>,
    limit: usize,
) -> Result<Value, Error> {
    let items = service.store.queue.list(state, before, limit).await?;
    let mut calls = Vec::new();
    for item in &items {
        calls.push(described(service, item).await?);
    }
    let counts = service.store.queue.counts().await?;
    let counts = json!({"waiting": counts.waiting, "claimed": counts.claimed, "done": counts.done, "dead": counts.dead});
    Ok(json!({"calls": calls, "counts": counts}))
}

async fn described(service: &Service, item: &Item) -> Result<Value, Error> {
    let record = service.store.records.read(journal::KIND, &item.key).await?;
    Ok(shown(item, record.as_ref().map(|record| &record.value)))
}

/// The JSON that an operator sees of an event.
fn shown(item: &Item, journal: Option<&Value>) -> Value {
    let mut shown = json!({
        "id": item.key,
        "state": item.state.name(),
        "attempts": item.attempts,
        "received": item.put.to_string(),
        "due": item.due.to_string(),
        "why": item.why,
    });
    if let Some(journal) = journal {
        for name in [
            "event",
            "conversation",
            "outcome",
            "incident",
            "number",
            "attached",
            "mended",
            "model_failure",
            "failure",
            "stored",
            "steps",
        ] {
            shown[name] = journal[name].clone();
        }
        for name in [
            "brief",
            "category",
            "subcategory",
            "priority",
            "impact",
            "urgency",
            "language",
            "source",
            "confidence",
        ] {
            shown[name] = journal["ticket"][name].clone();
        }
    }
    shown
}

/// The event of an id, or of a conversation.
async fn found(service: &Service, id: &str) -> Result<Option<Item>, Error> {
    for key in [id.to_owned(), format!("call:{id}"), format!("failure:{id}")] {
        if let Some((item, _)) = service.store.queue.get(&key).await? {
            return Ok(Some(item));
        }
    }
    Ok(None)
}

/// `GET /calls/{id}`.
pub async fn call(State(shared): State<Shared>, Path(id): Path<String>) -> Response {
    match found(&shared.service, &id).await {
        Ok(Some(item)) => answered(described(&shared.service, &item).await),
        Ok(None) => problem(StatusCode::NOT_FOUND, "there is no such call, or it was forgotten"),
        Err(error) => answered(Err(error)),
    }
}

/// `POST /dead-letters/{id}/replay`.
pub async fn replay(State(shared): State<Shared>, Path(id): Path<String>) -> Response {
    let service = &shared.service;
    let replayed = async {
        let Some(item) = found(service, &id).await? else { return Ok(None) };
        Ok(service.store.queue.replay(&item.key, service.now()).await?.then_some(item.key))
    };
    match replayed.await {
        Ok(Some(key)) => {
            service.woken.notify_one();
            (StatusCode::ACCEPTED, Json(json!({"status": "replayed", "id": key}))).into_response()
        }
        Ok(None) => problem(StatusCode::NOT_FOUND, "there is no such dead letter"),
        Err(error) => answered(Err(error)),
    }
}

fn answered(answer: Result<Value, Error>) -> Response {
    answer.map_or_else(
        |error| {
            tracing::error!(%error, "the store does not answer");
            problem(StatusCode::SERVICE_UNAVAILABLE, "the store does not answer now")
        },
        |answer| Json(answer).into_response(),
    )
}
