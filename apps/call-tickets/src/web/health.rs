//! Whether the service lives, and whether it can take events in.

use std::time::Duration;

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};
use tokio::sync::Mutex;
use tokio::time::Instant;

use super::Shared;
use crate::service::Service;

/// How long an answer about the outside is taken for true: probes come every few seconds, from every replica.
const KEPT: Duration = Duration::from_secs(15);

/// How long the outside may take to answer.
const PATIENCE: Duration = Duration::from_secs(5);

/// What was last found.
#[derive(Default)]
pub struct Checks(Mutex<Option<(Instant, bool, Value)>>);

/// `GET /elevenlabs/health`: the process lives. Nothing outside is asked: a TOPdesk that is gone is no reason to start
/// the service anew.
pub async fn live() -> Response {
    Json(json!({"status": "healthy", "version": env!("CARGO_PKG_VERSION")})).into_response()
}

/// `GET /elevenlabs/health/ready`: events can be taken in. That takes the store alone; how TOPdesk and the others stand
/// is told, and makes nothing unready: calls wait for them.
pub async fn ready(State(shared): State<Shared>) -> Response {
    let mut kept = shared.checks.0.lock().await;
    let fresh = kept.as_ref().filter(|(at, ready, _)| *ready && at.elapsed() < KEPT).is_some();
    if !fresh {
        let (ready, checks) = check(&shared.service).await;
        *kept = Some((Instant::now(), ready, checks));
    }
    let (_, ready, checks) = kept.as_ref().expect("just checked");
    let status = if *ready { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    let told = if *ready { "ready" } else { "unready" };
    (status, Json(json!({"status": told, "checks": checks}))).into_response()
}

async fn check(service: &Service) -> (bool, Value) {
    let store = async { service.store.queue.counts().await.map(drop).map_err(|error| error.to_string()) };
    let topdesk = async {
        match &service.topdesk {
            None => Err("not configured".to_owned()),
            Some(client) => client.version().await.map(drop).map_err(|error| error.to_string()),
        }
    };
    let transcripts = async {
        match &service.blobs {
            None => Ok(()),
            Some(blobs) => blobs.reachable().await.map_err(|error| error.to_string()),
        }
    };
    let (store, topdesk, transcripts) =
        tokio::join!(patiently(store), patiently(topdesk), patiently(transcripts));
    let ready = store.is_ok();
    let told = |check: Result<(), String>| check.err().unwrap_or_else(|| "ok".into());
    let model = if service.extractor.model.is_some() { "configured" } else { "rules" };
    let mail = if service.mailer.is_some() { "configured" } else { "not configured" };
    let checks = json!({
        "store": told(store), "topdesk": told(topdesk), "transcripts": told(transcripts), "model": model, "mail": mail,
    });
    (ready, checks)
}

async fn patiently(check: impl Future<Output = Result<(), String>>) -> Result<(), String> {
    tokio::time::timeout(PATIENCE, check).await.unwrap_or_else(|_| Err("no answer within 5 seconds".into()))
}
