//! The service by HTTP.
//!
//! - [`webhook`]: takes events in
//! - [`health`]: whether it lives, and can take events in
//! - [`operator`]: calls and dead letters, behind a bearer token
//! - [`serve`]: connections, with limits on slow ones, until told to stop
//!
//! The API is described in `openapi.json`, which a test holds against [`ROUTES`].

pub mod health;
pub mod operator;
pub mod webhook;

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::Router;
use axum::extract::{Request, State};
use axum::http::{HeaderValue, StatusCode, header};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto;
use hyper_util::server::graceful::GracefulShutdown;
use hyper_util::service::TowerToHyperService;
use landfall_telemetry::Telemetry;
use serde_json::json;
use tokio::net::TcpListener;
use tokio::sync::watch;

use crate::service::Service;

/// How long a client may take to send the head of a request.
const HEAD: Duration = Duration::from_secs(10);

/// How long requests that are under way may take when the service stops.
const DRAIN: Duration = Duration::from_secs(10);

/// Every route with its method, as the description has them.
pub const ROUTES: &[(&str, &str)] = &[
    ("post", "/elevenlabs/webhook"),
    ("get", "/elevenlabs/health"),
    ("get", "/elevenlabs/health/ready"),
    ("get", "/metrics"),
    ("get", "/openapi.json"),
    ("get", "/"),
    ("get", "/calls"),
    ("get", "/calls/{id}"),
    ("get", "/dead-letters"),
    ("post", "/dead-letters/{id}/replay"),
];

/// What the handlers share.
#[derive(Clone)]
pub struct Shared {
    /// The service.
    pub service: Arc<Service>,
    /// Its telemetry.
    pub telemetry: Arc<Telemetry>,
    /// What was last found of the outside.
    pub checks: Arc<health::Checks>,
}

/// The routes.
pub fn router(service: Arc<Service>, telemetry: Arc<Telemetry>) -> Router {
    let shared = Shared { service, telemetry, checks: Arc::default() };
    let operator = Router::new()
        .route("/calls", get(operator::calls))
        .route("/calls/{id}", get(operator::call))
        .route("/dead-letters", get(operator::dead_letters))
        .route("/dead-letters/{id}/replay", post(operator::replay))
        .layer(middleware::from_fn_with_state(shared.clone(), operator::guard));
    Router::new()
        .route("/elevenlabs/webhook", post(webhook::take))
        .route("/elevenlabs/health", get(health::live))
        .route("/elevenlabs/health/ready", get(health::ready))
        .route("/metrics", get(metrics))
        .route("/openapi.json", get(openapi))
        .route("/", get(operator::page))
        .merge(operator)
        .fallback(async || problem(StatusCode::NOT_FOUND, "there is nothing here"))
        .method_not_allowed_fallback(async || {
            problem(StatusCode::METHOD_NOT_ALLOWED, "this method is not allowed here")
        })
        .layer(middleware::from_fn_with_state(shared.clone(), counted))
        .with_state(shared)
}

/// Serves the routes until `stop` says so, then lets requests that are under way end.
pub async fn serve(listener: TcpListener, router: Router, mut stop: watch::Receiver<bool>) {
    let mut builder = auto::Builder::new(TokioExecutor::new());
    builder.http1().timer(TokioTimer::new()).header_read_timeout(HEAD).max_buf_size(64 << 10);
    builder
        .http2()
        .timer(TokioTimer::new())
        .max_concurrent_streams(256)
        .keep_alive_interval(Duration::from_secs(30));
    let graceful = GracefulShutdown::new();
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            _ = stop.changed() => break,
        };
        let Ok((stream, peer)) = accepted else {
            // Out of file descriptors, most likely: those that are open will end.
            tokio::time::sleep(Duration::from_millis(50)).await;
            continue;
        };
        let _ = stream.set_nodelay(true);
        let routed = router.clone().layer(axum::Extension(Peer(peer)));
        let connection = builder.serve_connection(TokioIo::new(stream), TowerToHyperService::new(routed));
        let watched = graceful.watch(connection.into_owned());
        tokio::spawn(async move {
            // A client that went away is no error of ours.
            let _ = watched.await;
        });
    }
    drop(listener);
    let _ = tokio::time::timeout(DRAIN, graceful.shutdown()).await;
}

/// Who is on the other end of the connection.
#[derive(Clone, Copy, Debug)]
pub struct Peer(pub SocketAddr);

/// Problem details (RFC 9457).
pub fn problem(status: StatusCode, detail: &str) -> Response {
    let title = status.canonical_reason().unwrap_or("Error");
    let body = json!({"type": "about:blank", "title": title, "status": status.as_u16(), "detail": detail});
    (status, [(header::CONTENT_TYPE, "application/problem+json")], body.to_string()).into_response()
}

async fn counted(State(shared): State<Shared>, request: Request, next: Next) -> Response {
    let begun = Instant::now();
    let route = match request.uri().path() {
        "/elevenlabs/webhook" => "webhook",
        path if path.starts_with("/elevenlabs/health") => "health",
        "/metrics" => "metrics",
        path if path.starts_with("/calls") || path.starts_with("/dead-letters") => "operator",
        _ => "other",
    };
    let mut response = next.run(request).await;
    let headers = response.headers_mut();
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    headers.entry(header::CACHE_CONTROL).or_insert(HeaderValue::from_static("no-store"));
    shared.service.metrics.request(route, response.status().as_u16(), begun.elapsed().as_secs_f64());
    response
}

async fn metrics(State(shared): State<Shared>) -> Response {
    let text = shared.telemetry.prometheus();
    ([(header::CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")], text).into_response()
}

async fn openapi() -> Response {
    ([(header::CONTENT_TYPE, "application/json")], include_str!("openapi.json")).into_response()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_description_has_every_route_and_no_other() {
        let described: serde_json::Value = serde_json::from_str(include_str!("openapi.json")).expect("JSON");
        let mut all = Vec::new();
        for (path, operations) in described["paths"].as_object().expect("paths") {
            for (method, operation) in operations.as_object().expect("operations") {
                assert!(
                    operation["summary"].is_string() && operation["responses"].is_object(),
                    "{method} {path}"
                );
                all.push((method.as_str(), path.as_str()));
            }
        }
        all.sort_unstable();
        let mut routes = ROUTES.to_vec();
        routes.sort_unstable();
        assert_eq!(all, routes);
    }
}
