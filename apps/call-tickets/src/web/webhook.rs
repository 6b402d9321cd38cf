//! `POST /elevenlabs/webhook`: who, how large, signed how, kept; nothing slow before the answer.

use std::net::IpAddr;
use std::time::Duration;

use axum::Extension;
use axum::body::Body;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use bytes::{Bytes, BytesMut};
use http_body_util::BodyExt;
use ipnet::IpNet;
use landfall_store::Put;
use serde_json::json;
use tracing::{error, info, warn};

use super::{Peer, Shared, problem};
use crate::config::Webhook;
use crate::intake::{self, Kept};
use crate::signature;

/// How long a client may take between two parts of a body.
const PART: Duration = Duration::from_secs(15);

/// How long a client may take for all of it.
const WHOLE: Duration = Duration::from_secs(60);

/// Takes an event in.
pub async fn take(
    State(shared): State<Shared>,
    Extension(Peer(peer)): Extension<Peer>,
    headers: HeaderMap,
    body: Body,
) -> Response {
    let service = &shared.service;
    let rules = &service.config.webhook;
    if !admitted(rules, peer.ip(), &headers) {
        return problem(StatusCode::FORBIDDEN, "deliveries from this address are not taken");
    }
    let told =
        headers.get(header::CONTENT_LENGTH).and_then(|length| length.to_str().ok()?.parse::<usize>().ok());
    if told.is_some_and(|length| length > rules.largest) {
        let _ = tokio::time::timeout(WHOLE, discard(body)).await;
        return too_large(rules);
    }
    let body = match tokio::time::timeout(WHOLE, collect(body, rules.largest)).await {
        Ok(Ok(body)) => body,
        Ok(Err(Cut::TooLarge)) => return too_large(rules),
        Ok(Err(Cut::Broken)) => return problem(StatusCode::BAD_REQUEST, "the body ended too early"),
        Ok(Err(Cut::Slow)) | Err(_) => return problem(StatusCode::REQUEST_TIMEOUT, "the body took too long"),
    };
    let signatures: Vec<&[u8]> =
        headers.get_all(signature::HEADER).iter().map(|value| value.as_bytes()).collect();
    let age = match signature::verify(&signatures, &body, &rules.secrets, rules.tolerance, service.now()) {
        Ok(age) => age,
        Err(refusal) => {
            warn!(%refusal, "a delivery was refused");
            return problem(StatusCode::UNAUTHORIZED, &refusal.to_string());
        }
    };
    let _under_way = service.deliveries.begin();
    let Kept { kind, key, body } = intake::keep(&body);
    match service.take(key.clone(), body).await {
        Ok(put) => {
            let new = put == Put::New;
            service.metrics.event(kind.name(), new, age.as_secs());
            info!(key, new, age = age.as_secs(), "a delivery was taken in");
            // Exactly 200: ElevenLabs counts any other status as a failure.
            axum::Json(json!({"status": if new { "accepted" } else { "duplicate" }, "id": key}))
                .into_response()
        }
        Err(error) => {
            // 5xx, so that ElevenLabs delivers it again.
            error!(%error, "a delivery could not be kept");
            let mut refused =
                problem(StatusCode::SERVICE_UNAVAILABLE, "the event cannot be kept now; deliver it again");
            refused.headers_mut().insert(header::RETRY_AFTER, "30".parse().expect("a header"));
            refused
        }
    }
}

fn too_large(rules: &Webhook) -> Response {
    problem(StatusCode::PAYLOAD_TOO_LARGE, &format!("a body may have {} bytes", rules.largest))
}

/// How much of a body that is too large is read all the same: a client that is still sending when the connection ends
/// does not see the answer.
const DISCARDED: usize = 64 << 20;

async fn discard(mut body: Body) {
    let mut read = 0;
    while read < DISCARDED
        && let Ok(Some(Ok(frame))) = tokio::time::timeout(Duration::from_secs(2), body.frame()).await
    {
        read += frame.data_ref().map_or(0, Bytes::len);
    }
}

enum Cut {
    TooLarge,
    Broken,
    Slow,
}

async fn collect(mut body: Body, largest: usize) -> Result<Bytes, Cut> {
    let mut all = BytesMut::new();
    loop {
        match tokio::time::timeout(PART, body.frame()).await {
            Err(_) => return Err(Cut::Slow),
            Ok(None) => return Ok(all.freeze()),
            Ok(Some(Err(_))) => return Err(Cut::Broken),
            Ok(Some(Ok(frame))) => {
                if let Ok(data) = frame.into_data() {
                    if all.len() + data.len() > largest {
                        drop(all);
                        discard(body).await;
                        return Err(Cut::TooLarge);
                    }
                    all.extend_from_slice(&data);
                }
            }
        }
    }
}

/// Whether a client may deliver. A proxy of ours names the client as the last of `X-Forwarded-For`; anybody else's
/// word does not count.
fn admitted(rules: &Webhook, peer: IpAddr, headers: &HeaderMap) -> bool {
    let Some(allow) = &rules.allow else { return true };
    let within =
        |networks: &[IpNet], address: IpAddr| networks.iter().any(|network| network.contains(&address));
    let peer = peer.to_canonical();
    let client = if within(&rules.proxies, peer) {
        let forwarded = headers.get_all("x-forwarded-for").iter().filter_map(|value| value.to_str().ok());
        let last = forwarded.flat_map(|value| value.split(',')).map(str::trim).rfind(|part| !part.is_empty());
        match last {
            None => Some(peer),
            Some(last) => address(last),
        }
    } else {
        Some(peer)
    };
    client.is_some_and(|client| within(allow, client.to_canonical()))
}

/// An address, with or without a port.
fn address(text: &str) -> Option<IpAddr> {
    text.parse().ok().or_else(|| text.parse::<std::net::SocketAddr>().ok().map(|socket| socket.ip()))
}

#[cfg(test)]
mod tests {
    use jiff::SignedDuration;

    use super::*;

    #[test]
    fn only_a_proxy_of_ours_names_the_client() {
        let rules = Webhook {
            secrets: vec![],
            tolerance: SignedDuration::ZERO,
            largest: 0,
            allow: Some(vec!["203.0.113.0/24".parse().expect("a range")]),
            proxies: vec!["10.0.0.0/8".parse().expect("a range")],
        };
        let forwarded = |value: &str| {
            HeaderMap::from_iter([("x-forwarded-for".parse().expect("n"), value.parse().expect("v"))])
        };
        for (peer, headers, taken) in [
            ("203.0.113.9", HeaderMap::new(), true),
            ("::ffff:203.0.113.9", HeaderMap::new(), true),
            ("198.51.100.1", HeaderMap::new(), false),
            ("198.51.100.1", forwarded("203.0.113.9"), false),
            ("10.1.1.1", forwarded("203.0.113.9"), true),
            ("10.1.1.1", forwarded("203.0.113.9:4711"), true),
            ("10.1.1.1", forwarded("203.0.113.9, 198.51.100.1"), false),
            ("10.1.1.1", forwarded("198.51.100.1, 203.0.113.9"), true),
            ("10.1.1.1", forwarded("nonsense"), false),
            ("10.1.1.1", HeaderMap::new(), false),
        ] {
            assert_eq!(
                admitted(&rules, peer.parse().expect("an address"), &headers),
                taken,
                "{peer} {headers:?}"
            );
        }
        let open = Webhook { allow: None, ..rules };
        assert!(admitted(&open, "198.51.100.1".parse().expect("an address"), &HeaderMap::new()));
    }
}
