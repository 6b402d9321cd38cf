//! Ingress: from a host name to a replica, as Envoy does it for Container Apps.
//!
//! A request picks its revision by weight, waits while that revision has no replica yet (scale from zero), and is
//! sent on with its body streamed. It holds its place in the replica until the last byte of the answer, so a replica
//! that is taken out of service ends after its last request.

use std::collections::BTreeMap;
use std::error::Error;
use std::net::{IpAddr, SocketAddr};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::{Duration, Instant};

use bytes::Bytes;
use http::header::{self, HeaderMap, HeaderName, HeaderValue};
use http::{Method, Request, Response, StatusCode, Uri};
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt, Full};
use hyper::body::{Frame, SizeHint};
use hyper::client::conn::{http1, http2};
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::net::TcpStream;

use super::pool::{Lease, Pool, Turn};
use crate::world::container_apps::{ClientCertificates, Cors, Ingress};

/// A streamed body.
pub type Body = UnsyncBoxBody<Bytes, BoxError>;
/// Why a body broke off.
pub type BoxError = Box<dyn Error + Send + Sync>;

/// How a request came in.
#[derive(Clone, Copy, Debug)]
pub enum Door<'a> {
    /// By host name, at the address all apps share: from outside their environments.
    Host(&'a str),
    /// By name or host name, at the address of an environment: from within it.
    Inside {
        /// The environment's default domain.
        domain: &'a str,
        /// Whom the request names.
        host: &'a str,
    },
    /// At the app's own address; the app's id in lower case.
    App(&'a str),
}

/// Where a request came from, and over what.
#[derive(Clone, Debug)]
pub struct Via {
    /// The client's address.
    pub peer: SocketAddr,
    /// Over TLS.
    pub secure: bool,
    /// What the client showed of itself, by DER, its own certificate first.
    pub certificates: Arc<Vec<Vec<u8>>>,
}

/// Everything the ingress knows: exchanged as a whole when the world changes.
#[derive(Debug, Default)]
pub(crate) struct Routes {
    /// By app id.
    pub apps: BTreeMap<String, Route>,
    /// Host name to app id and, for labels and revisions, the one revision.
    pub hosts: BTreeMap<String, (String, Option<String>)>,
}

/// One app's ingress.
#[derive(Debug)]
pub(crate) struct Route {
    pub ingress: Ingress,
    pub name: String,
    /// The environment's default domain.
    pub domain: String,
    pub pools: BTreeMap<String, Arc<Pool>>,
}

impl Routes {
    /// Who answers behind a door, and which revision when it is one in particular.
    fn find(&self, door: Door<'_>) -> Option<(&Route, Option<&str>)> {
        match door {
            Door::App(id) => self.apps.get(id).map(|route| (route, None)),
            Door::Host(host) => self.by_host(host).filter(|(route, _)| route.ingress.external),
            Door::Inside { domain, host } if !host.contains('.') => {
                let mut near = self.apps.values().filter(|route| route.domain == domain);
                near.find(|route| route.name.eq_ignore_ascii_case(host)).map(|route| (route, None))
            }
            Door::Inside { domain, host } => {
                self.by_host(host).filter(|(route, _)| route.ingress.external || route.domain == domain)
            }
        }
    }

    /// By host name; a wildcard stands for one label.
    pub fn by_host(&self, host: &str) -> Option<(&Route, Option<&str>)> {
        let (id, revision) = self.entry(host)?;
        Some((self.apps.get(id)?, revision.as_deref()))
    }

    /// The id of the app that has a host name.
    pub fn id_of(&self, host: &str) -> Option<&str> {
        self.entry(host).map(|(id, _)| id.as_str())
    }

    fn entry(&self, host: &str) -> Option<&(String, Option<String>)> {
        let wildcard = || Some(format!("*.{}", host.split_once('.')?.1));
        self.hosts.get(host).or_else(|| wildcard().and_then(|name| self.hosts.get(&name)))
    }
}

/// Azure's limit on a request at the ingress, waiting included.
const LIMIT: Duration = Duration::from_secs(240);

/// The cookie of sticky sessions.
const AFFINITY: &str = "acaAffinity";

/// Serves one request. `routes` gives the present routes each time it is asked.
pub(crate) async fn serve<B>(
    routes: impl Fn() -> Arc<Routes>,
    hold: Duration,
    door: Door<'_>,
    mut request: Request<B>,
    via: Via,
) -> Response<Body>
where
    B: hyper::body::Body<Data = Bytes> + Send + 'static,
    B::Error: Into<BoxError>,
{
    let begun = Instant::now();
    let upgrade = wants_upgrade(request.headers()).then(|| hyper::upgrade::on(&mut request));
    let (mut parts, body) = request.into_parts();
    let mut body = Some(body.map_err(Into::into).boxed_unsync());
    // A request without a body can be sent again when a connection breaks before an answer.
    let mut repeatable =
        parts.method.is_safe() && body.as_ref().is_some_and(hyper::body::Body::is_end_stream);

    let mut first = true;
    loop {
        let now = routes();
        let Some((route, revision)) = now.find(door) else { return no_app() };
        if first {
            if let Some(answer) = refuse(&route.ingress, door, &parts, &via) {
                return answer;
            }
            prepare(&mut parts, route, &via, upgrade.is_some());
            first = false;
        }
        let cookie = route.ingress.sticky.then(|| affinity(&parts.headers)).flatten();
        let (wanted_revision, wanted_replica) =
            cookie.as_deref().and_then(|cookie| cookie.split_once('|')).unzip();
        let chosen = match revision {
            Some(revision) => Some(revision),
            None => wanted_revision
                .filter(|revision| {
                    route.ingress.traffic.iter().any(|(name, weight)| name == revision && *weight > 0)
                })
                .or_else(|| choose(&route.ingress.traffic, rand::random_range(0..100))),
        };
        // Stopped, deactivated, or never ready: nothing leads anywhere.
        let Some(pool) = chosen.and_then(|revision| route.pools.get(revision)) else { return no_app() };
        let lease = match pool.hold(wanted_replica, hold.saturating_sub(begun.elapsed())).await {
            None => return no_healthy_upstream(),
            Some(Turn::Go(lease)) => lease,
            // The weights have moved in the meantime.
            Some(Turn::Retired | Turn::Wait) => continue,
        };
        let set_cookie =
            (route.ingress.sticky).then(|| format!("{}|{}", pool.revision, lease.endpoint.replica));
        let mut again = Again { spare: repeatable.then(|| copy(&parts)), body: None, repeated: false };
        let message = Request::from_parts(copy(&parts), body.take().unwrap_or_else(empty));
        let limit = LIMIT.saturating_sub(begun.elapsed());
        let multiplexed = route.ingress.http2 || (route.ingress.auto && is_grpc(&parts.headers));
        let sent = tokio::time::timeout(limit, send(&lease, message, multiplexed, &mut again)).await;
        let answer = match sent {
            Err(_) => {
                pool.counters.count(504, begun.elapsed());
                return text(StatusCode::GATEWAY_TIMEOUT, "stream timeout");
            }
            Ok(Ok(answer)) => answer,
            Ok(Err(failure)) => {
                if let Some(unsent) = again.body.take() {
                    // Not a byte of it reached the replica, which may have just ended: another one takes it.
                    body = Some(unsent);
                    // Of a request that may have reached it, once only: it may be what ends replicas.
                    repeatable &= again.spare.is_some() && !again.repeated;
                    drop(lease);
                    if begun.elapsed() < hold {
                        tokio::time::sleep(Duration::from_millis(20)).await;
                        continue;
                    }
                }
                pool.counters.count(502, begun.elapsed());
                tracing::debug!(revision = pool.revision, %failure, "a request failed");
                return text(
                    StatusCode::BAD_GATEWAY,
                    "upstream connect error or disconnect/reset before headers. reset reason: connection termination",
                );
            }
        };
        let mut answer = finish(answer, lease, pool.clone(), begun, upgrade);
        if let Some(cors) = &route.ingress.cors {
            allow_origin(cors, &parts.headers, answer.headers_mut());
        }
        if let Some(value) = set_cookie
            && cookie.as_deref() != Some(value.as_str())
            && let Ok(value) =
                HeaderValue::from_str(&format!("{AFFINITY}=\"{value}\"; Path=/; HttpOnly; SameSite=Lax"))
        {
            answer.headers_mut().append(header::SET_COOKIE, value);
        }
        return answer;
    }
}

/// The revision that `draw` (0 to 99) falls to.
pub(crate) fn choose(traffic: &[(String, u32)], draw: u32) -> Option<&str> {
    let total: u32 = traffic.iter().map(|(_, weight)| weight).sum();
    let mut left = draw * total / 100;
    for (revision, weight) in traffic {
        if left < *weight {
            return Some(revision);
        }
        left -= weight;
    }
    None
}

/// What is needed to send a request once more.
struct Again {
    /// Head of a request that may be repeated.
    spare: Option<http::request::Parts>,
    /// Body for another attempt: nothing of it was sent, or it is empty.
    body: Option<Body>,
    /// The request was sent, and may have been seen.
    repeated: bool,
}

async fn send(
    lease: &Lease,
    message: Request<Body>,
    multiplexed: bool,
    again: &mut Again,
) -> Result<Response<hyper::body::Incoming>, BoxError> {
    if multiplexed {
        return send_http2(lease, message, again).await;
    }
    let mut message = message;
    if let Some(mut sender) = lease.endpoint.take_idle() {
        match sender.try_send_request(message).await {
            Ok(answer) => {
                keep(lease, sender);
                return Ok(answer);
            }
            Err(mut failure) => match failure.take_message() {
                // The replica had closed the connection.
                Some(unsent) => message = unsent,
                None => match again.spare.take() {
                    Some(parts) => {
                        again.repeated = true;
                        message = Request::from_parts(parts, empty());
                    }
                    None => return Err(failure.into_error().into()),
                },
            },
        }
    }
    let stream = match TcpStream::connect(lease.endpoint.address).await {
        Ok(stream) => stream,
        Err(error) => {
            again.body = Some(message.into_body());
            return Err(error.into());
        }
    };
    stream.set_nodelay(true).ok();
    let (mut sender, connection) = http1::Builder::new().handshake(TokioIo::new(stream)).await?;
    tokio::spawn(connection.with_upgrades());
    match sender.try_send_request(message).await {
        Ok(answer) => {
            keep(lease, sender);
            Ok(answer)
        }
        Err(mut failure) => {
            if let Some(unsent) = failure.take_message() {
                again.body = Some(unsent.into_body());
            } else if again.spare.is_some() {
                again.body = Some(empty());
                again.repeated = true;
            }
            Err(failure.into_error().into())
        }
    }
}

/// Gives a connection back once the answer on it is read.
fn keep(lease: &Lease, mut sender: http1::SendRequest<Body>) {
    let endpoint = lease.endpoint.clone();
    tokio::spawn(async move {
        if tokio::time::timeout(LIMIT, sender.ready()).await.is_ok_and(|ready| ready.is_ok()) {
            endpoint.keep_idle(sender);
        }
    });
}

async fn send_http2(
    lease: &Lease,
    mut message: Request<Body>,
    again: &mut Again,
) -> Result<Response<hyper::body::Incoming>, BoxError> {
    let mut shared = lease.endpoint.multiplexed.lock().await;
    let mut sender = match shared.as_ref().filter(|sender| !sender.is_closed()) {
        Some(sender) => sender.clone(),
        None => {
            let stream = match TcpStream::connect(lease.endpoint.address).await {
                Ok(stream) => stream,
                Err(error) => {
                    again.body = Some(message.into_body());
                    return Err(error.into());
                }
            };
            stream.set_nodelay(true).ok();
            let (sender, connection) = http2::handshake(TokioExecutor::new(), TokioIo::new(stream)).await?;
            tokio::spawn(connection);
            shared.insert(sender).clone()
        }
    };
    drop(shared);
    // HTTP/2 carries the host in the target.
    let host = message.headers_mut().remove(header::HOST);
    let authority = host.as_ref().and_then(|host| host.to_str().ok()).unwrap_or("localhost");
    let path = message.uri().path_and_query().map_or("/", |path| path.as_str());
    *message.uri_mut() = Uri::builder().scheme("http").authority(authority).path_and_query(path).build()?;
    *message.version_mut() = http::Version::HTTP_2;
    sender.ready().await?;
    Ok(sender.send_request(message).await?)
}

/// The answer with what belongs to a connection taken out, holding its place in the replica until it ends.
fn finish(
    mut answer: Response<hyper::body::Incoming>,
    lease: Lease,
    pool: Arc<Pool>,
    begun: Instant,
    client: Option<hyper::upgrade::OnUpgrade>,
) -> Response<Body> {
    pool.counters.count(answer.status().as_u16(), begun.elapsed());
    if answer.status() == StatusCode::SWITCHING_PROTOCOLS
        && let Some(client) = client
    {
        let replica = hyper::upgrade::on(&mut answer);
        tokio::spawn(async move {
            let _held = lease;
            if let (Ok(client), Ok(replica)) = tokio::join!(client, replica) {
                let (mut client, mut replica) = (TokioIo::new(client), TokioIo::new(replica));
                let _ = tokio::io::copy_bidirectional(&mut client, &mut replica).await;
            }
        });
        let (parts, _) = answer.into_parts();
        return Response::from_parts(parts, empty());
    }
    let (mut parts, body) = answer.into_parts();
    strip_hop_by_hop(&mut parts.headers);
    Response::from_parts(parts, Held { body, _lease: lease }.boxed_unsync())
}

/// A body that holds a place in a replica.
struct Held {
    body: hyper::body::Incoming,
    _lease: Lease,
}

impl hyper::body::Body for Held {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        Poll::Ready(
            ready!(Pin::new(&mut self.body).poll_frame(context)).map(|frame| frame.map_err(Into::into)),
        )
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

/// What the ingress answers by itself.
fn refuse(
    ingress: &Ingress,
    door: Door<'_>,
    parts: &http::request::Parts,
    via: &Via,
) -> Option<Response<Body>> {
    if !allowed(ingress, via.peer.ip()) {
        return Some(text(StatusCode::FORBIDDEN, "RBAC: access denied"));
    }
    // By its bare name, an app is called without TLS; at its own plain address there is none.
    let by_host = match door {
        Door::Host(_) => true,
        Door::Inside { host, .. } => host.contains('.'),
        Door::App(_) => false,
    };
    if by_host && !via.secure && !ingress.allow_insecure {
        let path = parts.uri.path_and_query().map_or("/", |path| path.as_str());
        let named = parts.headers.get(header::HOST).and_then(|host| host.to_str().ok());
        let authority =
            parts.uri.authority().map(|authority| authority.as_str()).or(named).unwrap_or_default();
        let mut answer = text(StatusCode::MOVED_PERMANENTLY, "");
        if let Ok(target) = HeaderValue::from_str(&format!("https://{authority}{path}")) {
            answer.headers_mut().insert(header::LOCATION, target);
        }
        return Some(answer);
    }
    // The handshake has asked for it; a connection that was opened to another app may still lead here.
    let required =
        matches!(door, Door::Host(_)) && ingress.client_certificates == ClientCertificates::Require;
    if required && via.certificates.is_empty() {
        return Some(text(StatusCode::FORBIDDEN, "RBAC: access denied"));
    }
    let cors = ingress.cors.as_ref()?;
    let preflight = parts.method == Method::OPTIONS
        && parts.headers.contains_key(header::ORIGIN)
        && parts.headers.contains_key(header::ACCESS_CONTROL_REQUEST_METHOD);
    if !preflight {
        return None;
    }
    let mut answer = text(StatusCode::OK, "");
    let headers = answer.headers_mut();
    if allow_origin(cors, &parts.headers, headers) {
        let mut list = |name: HeaderName, values: &[String]| {
            if !values.is_empty()
                && let Ok(value) = HeaderValue::from_str(&values.join(","))
            {
                headers.insert(name, value);
            }
        };
        list(header::ACCESS_CONTROL_ALLOW_METHODS, &cors.methods);
        list(header::ACCESS_CONTROL_ALLOW_HEADERS, &cors.headers);
        list(
            header::ACCESS_CONTROL_MAX_AGE,
            &cors.max_age.map(|age| age.to_string()).into_iter().collect::<Vec<_>>(),
        );
    }
    Some(answer)
}

/// Adds the headers that let a script of the request's origin read the answer, when it may.
fn allow_origin(cors: &Cors, request: &HeaderMap, answer: &mut HeaderMap) -> bool {
    let Some(origin) = request.get(header::ORIGIN) else { return false };
    let known =
        origin.to_str().is_ok_and(|origin| cors.origins.iter().any(|known| known == "*" || known == origin));
    if known {
        answer.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, origin.clone());
        if cors.credentials {
            answer.insert(header::ACCESS_CONTROL_ALLOW_CREDENTIALS, HeaderValue::from_static("true"));
        }
        if !cors.expose.is_empty()
            && let Ok(value) = HeaderValue::from_str(&cors.expose.join(","))
        {
            answer.insert(header::ACCESS_CONTROL_EXPOSE_HEADERS, value);
        }
    }
    known
}

/// Whether an address passes `ipSecurityRestrictions`: all rules are of one action.
pub(crate) fn allowed(ingress: &Ingress, peer: IpAddr) -> bool {
    let matching = ingress.restrictions.iter().find(|rule| in_range(&rule.range, peer));
    match (matching, ingress.restrictions.first()) {
        (Some(rule), _) => rule.allow,
        (None, Some(first)) => !first.allow,
        (None, None) => true,
    }
}

fn in_range(range: &str, address: IpAddr) -> bool {
    let (network, bits) = match range.split_once('/') {
        Some((network, bits)) => (network, bits.parse::<u32>().ok()),
        None => (range, None),
    };
    match (network.parse::<IpAddr>(), address.to_canonical()) {
        (Ok(IpAddr::V4(network)), IpAddr::V4(address)) => {
            let bits = bits.unwrap_or(32).min(32);
            let mask = u32::MAX.checked_shl(32 - bits).unwrap_or(0);
            u32::from(network) & mask == u32::from(address) & mask
        }
        (Ok(IpAddr::V6(network)), IpAddr::V6(address)) => {
            let bits = bits.unwrap_or(128).min(128);
            let mask = u128::MAX.checked_shl(128 - bits).unwrap_or(0);
            u128::from(network) & mask == u128::from(address) & mask
        }
        _ => false,
    }
}

/// Makes the head of a request what Envoy passes on.
fn prepare(parts: &mut http::request::Parts, route: &Route, via: &Via, upgrade: bool) {
    let peer = via.peer.ip();
    if !parts.headers.contains_key(header::HOST)
        && let Some(host) = parts.uri.authority().and_then(|host| HeaderValue::from_str(host.as_str()).ok())
    {
        parts.headers.insert(header::HOST, host);
    }
    let path = parts.uri.path_and_query().map_or("/", |path| path.as_str());
    if let Ok(uri) = path.parse() {
        parts.uri = uri;
    }
    parts.version = http::Version::HTTP_11;
    let protocol = parts.headers.get(header::UPGRADE).cloned().filter(|_| upgrade);
    strip_hop_by_hop(&mut parts.headers);
    if let Some(protocol) = protocol {
        parts.headers.insert(header::CONNECTION, HeaderValue::from_static("upgrade"));
        parts.headers.insert(header::UPGRADE, protocol);
    }
    let forwarded = HeaderName::from_static("x-forwarded-for");
    let chain = match parts.headers.get(&forwarded).and_then(|before| before.to_str().ok()) {
        Some(before) => format!("{before},{peer}"),
        None => peer.to_string(),
    };
    parts.headers.remove(CLIENT_CERTIFICATE);
    let mut set = |name: &'static str, value: &str| {
        if let Ok(value) = HeaderValue::from_str(value) {
            parts.headers.insert(HeaderName::from_static(name), value);
        }
    };
    set("x-forwarded-for", &chain);
    set("x-forwarded-proto", if via.secure { "https" } else { "http" });
    set("x-ms-containerapp-name", &route.name);
    set("x-envoy-external-address", &peer.to_string());
    if route.ingress.client_certificates != ClientCertificates::Ignore
        && let Some(shown) = forwarded_certificates(&via.certificates)
    {
        set(CLIENT_CERTIFICATE, &shown);
    }
    if !parts.headers.contains_key("x-request-id")
        && let Ok(id) = HeaderValue::from_str(&uuid::Uuid::new_v4().to_string())
    {
        parts.headers.insert(HeaderName::from_static("x-request-id"), id);
    }
}

/// What tells the app who its client is. Nobody but the ingress may set it.
const CLIENT_CERTIFICATE: &str = "x-forwarded-client-cert";

/// `Hash=…;Cert="…";Chain="…"`, with the certificates as PEM, their special signs as a URL has them.
fn forwarded_certificates(chain: &[Vec<u8>]) -> Option<String> {
    use base64::Engine as _;
    use sha2::{Digest as _, Sha256};
    let leaf = chain.first()?;
    let pem = |der: &Vec<u8>| {
        let packed = base64::engine::general_purpose::STANDARD.encode(der);
        let mut text = String::from("-----BEGIN CERTIFICATE-----\n");
        for line in packed.as_bytes().chunks(64) {
            text.push_str(&String::from_utf8_lossy(line));
            text.push('\n');
        }
        text.push_str("-----END CERTIFICATE-----\n");
        text
    };
    let escaped = |text: String| -> String {
        let mut shown = String::new();
        for sign in text.chars() {
            match sign {
                ' ' => shown.push_str("%20"),
                '\n' => shown.push_str("%0A"),
                '+' => shown.push_str("%2B"),
                '/' => shown.push_str("%2F"),
                '=' => shown.push_str("%3D"),
                other => shown.push(other),
            }
        }
        shown
    };
    let all: String = chain.iter().map(pem).collect();
    Some(format!(
        "Hash={};Cert=\"{}\";Chain=\"{}\"",
        hex::encode(Sha256::digest(leaf)),
        escaped(pem(leaf)),
        escaped(all)
    ))
}

fn is_grpc(headers: &HeaderMap) -> bool {
    let kind = headers.get(header::CONTENT_TYPE).and_then(|kind| kind.to_str().ok());
    kind.is_some_and(|kind| kind.starts_with("application/grpc"))
}

fn wants_upgrade(headers: &HeaderMap) -> bool {
    headers.contains_key(header::UPGRADE)
        && headers
            .get_all(header::CONNECTION)
            .iter()
            .filter_map(|value| value.to_str().ok())
            .any(|value| value.split(',').any(|word| word.trim().eq_ignore_ascii_case("upgrade")))
}

/// Removes what concerns one connection only (RFC 9110, 7.6.1).
fn strip_hop_by_hop(headers: &mut HeaderMap) {
    let named: Vec<HeaderName> = headers
        .get_all(header::CONNECTION)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .filter_map(|name| name.trim().parse().ok())
        .collect();
    for name in named {
        headers.remove(name);
    }
    for name in ["connection", "keep-alive", "proxy-connection", "transfer-encoding", "upgrade"] {
        headers.remove(name);
    }
}

fn copy(parts: &http::request::Parts) -> http::request::Parts {
    let (mut copied, ()) = Request::new(()).into_parts();
    copied.method = parts.method.clone();
    copied.uri = parts.uri.clone();
    copied.version = parts.version;
    copied.headers = parts.headers.clone();
    copied
}

fn affinity(headers: &HeaderMap) -> Option<String> {
    let cookies = headers.get_all(header::COOKIE).iter().filter_map(|value| value.to_str().ok());
    cookies.flat_map(|value| value.split(';')).find_map(|cookie| {
        let (name, value) = cookie.trim().split_once('=')?;
        (name == AFFINITY).then(|| value.trim_matches('"').to_owned())
    })
}

/// A body of nothing.
pub(crate) fn empty() -> Body {
    full("")
}

/// A body of these bytes.
pub(crate) fn full(bytes: impl Into<Bytes>) -> Body {
    Full::new(bytes.into()).map_err(|never| match never {}).boxed_unsync()
}

fn text(status: StatusCode, text: &'static str) -> Response<Body> {
    let mut answer = Response::new(full(text));
    *answer.status_mut() = status;
    answer.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("text/plain"));
    answer
}

fn no_healthy_upstream() -> Response<Body> {
    text(StatusCode::SERVICE_UNAVAILABLE, "no healthy upstream")
}

fn no_app() -> Response<Body> {
    let mut answer = Response::new(full(
        "<!DOCTYPE html><html><head><title>Azure Container App - Unavailable</title></head><body><h1>Error 404 - This \
         Container App is stopped or does not exist.</h1></body></html>",
    ));
    *answer.status_mut() = StatusCode::NOT_FOUND;
    answer.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("text/html"));
    answer
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn weights_share_the_draws() {
        let traffic = [("a".to_owned(), 80), ("b".to_owned(), 0), ("c".to_owned(), 20)];
        let count = |name: &str| (0..100).filter(|draw| choose(&traffic, *draw) == Some(name)).count();
        assert_eq!((count("a"), count("b"), count("c")), (80, 0, 20));
        assert_eq!(choose(&[], 5), None);
        assert_eq!(choose(&[("a".to_owned(), 0)], 0), None);
    }

    #[test]
    fn ranges_hold_addresses() {
        let is = |range: &str, address: &str| in_range(range, address.parse().unwrap());
        assert!(is("10.0.0.0/8", "10.1.2.3"));
        assert!(!is("10.0.0.0/8", "11.1.2.3"));
        assert!(is("127.0.0.1", "127.0.0.1"));
        assert!(is("0.0.0.0/0", "8.8.8.8"));
        assert!(is("127.0.0.0/8", "::ffff:127.0.0.1"));
        assert!(is("fd00::/8", "fd12::1"));
        assert!(!is("fd00::/8", "127.0.0.1"));
        assert!(!is("nonsense", "127.0.0.1"));
    }

    #[test]
    fn what_concerns_one_connection_stays_there() {
        let mut headers = HeaderMap::new();
        headers.insert("connection", HeaderValue::from_static("close, x-mine"));
        headers.insert("x-mine", HeaderValue::from_static("1"));
        headers.insert("transfer-encoding", HeaderValue::from_static("chunked"));
        headers.insert("x-other", HeaderValue::from_static("1"));
        strip_hop_by_hop(&mut headers);
        assert_eq!(headers.keys().map(HeaderName::as_str).collect::<Vec<_>>(), ["x-other"]);
    }
}
