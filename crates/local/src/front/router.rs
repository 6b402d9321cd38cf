//! From a host name and a path to who answers: a plane of the world, a deployed application, the page for a
//! browser, or what only the front knows (`/_local/status`, `/_local/apps`).

use std::collections::{BTreeMap, VecDeque};
use std::io::Read;
use std::panic::AssertUnwindSafe;
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::time::{Duration, Instant};

use futures::FutureExt;
use hyper::body::Incoming;
use jiff::Timestamp;
use serde::Serialize;
use serde_json::{Value, json};

use super::content::{Digests, Reader};
use super::doors::{self, Door};
use super::gate::{self, Answer, Show, Taken};
use super::host::Host;
use super::identity::Passes;
use super::issuer;
use super::listen::{Arrival, Cut, Handler};
use super::page;
use crate::Error;
use crate::control::Status;
use crate::runtime::{self, Runtime};
use crate::world::registry::{self, Looked};
use crate::world::{
    Body, Input, Method, Outcome, Plane, Request, Response, blob, container_apps, entra, outage, templates,
};

/// What the page shows of the past.
const RECENT_MAX: usize = 200;
/// So often at most a deployment is made again with more of the content that its links lead to.
const LINKS_MAX: usize = 50;

/// Everything an answer may need.
#[derive(Debug)]
pub(crate) struct Front {
    pub(crate) host: Arc<Host>,
    pub(crate) runtime: Runtime,
    pub(crate) passes: Arc<Passes>,
    /// What `/_local/status` says.
    pub(crate) status: Status,
    /// Plain addresses by app id.
    pub(crate) plain: RwLock<BTreeMap<String, PlainApp>>,
    recent: Mutex<VecDeque<Recent>>,
}

/// An app with a plain HTTP port of its own.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub(crate) struct PlainApp {
    /// ARM id, lower case.
    pub(crate) id: String,
    /// Name as created.
    pub(crate) name: String,
    /// Its host name.
    pub(crate) fqdn: String,
    /// `http://127.0.0.1:PORT`.
    pub(crate) url: String,
}

/// A request that was answered.
#[derive(Clone, Debug)]
pub(crate) struct Recent {
    pub(crate) at: Timestamp,
    pub(crate) method: String,
    pub(crate) host: String,
    pub(crate) path: String,
    /// 0: cut.
    pub(crate) status: u16,
    /// Azure's code of a refusal.
    pub(crate) code: String,
    pub(crate) took: Duration,
}

impl Front {
    pub(crate) fn new(host: Arc<Host>, runtime: Runtime, passes: Arc<Passes>, status: Status) -> Front {
        Front { host, runtime, passes, status, plain: RwLock::default(), recent: Mutex::default() }
    }

    /// The last requests, newest first.
    pub(crate) fn recent(&self) -> Vec<Recent> {
        self.recent.lock().unwrap_or_else(PoisonError::into_inner).iter().cloned().collect()
    }

    /// Plain addresses of apps, by id.
    pub(crate) fn plain_apps(&self) -> Vec<PlainApp> {
        self.plain.read().unwrap_or_else(PoisonError::into_inner).values().cloned().collect()
    }

    fn remember(&self, recent: Recent) {
        let mut all = self.recent.lock().unwrap_or_else(PoisonError::into_inner);
        all.truncate(RECENT_MAX - 1);
        all.push_front(recent);
    }

    async fn plane(
        &self,
        plane: Plane,
        authority: &str,
        scheme: &str,
        request: http::Request<Incoming>,
    ) -> Result<Answer, Cut> {
        let begun = Instant::now();
        let show = if request.method() == http::Method::HEAD { Show::Head } else { Show::All };
        let mut recent = Recent {
            at: Timestamp::now(),
            method: request.method().to_string(),
            host: doors::host(authority),
            path: request.uri().path().to_owned(),
            status: 0,
            code: String::new(),
            took: Duration::ZERO,
        };
        let answered = match gate::take(&self.host.contents, plane, authority, scheme, request).await {
            Ok(mut taken) => match self.stream(&taken.request) {
                Some(Ok(stream)) => {
                    recent.status = 200;
                    self.remember(recent);
                    return Ok(stream);
                }
                Some(Err(refused)) => Ok(refused),
                None => {
                    self.add_issuer_keys(&mut taken.request).await;
                    self.ask(taken).await
                }
            },
            Err(refused) => Ok(refused),
        };
        recent.took = begun.elapsed();
        if let Ok(response) = &answered {
            recent.status = response.status;
            recent.code = code(response);
        }
        // Polls of clients and of the page itself would fill the list.
        if !recent.path.starts_with("/_local/status") {
            self.remember(recent);
        }
        match answered {
            Ok(response) => Ok(gate::give_spelled(&self.host.contents, response, show).await),
            Err(cut) => Err(cut),
        }
    }

    /// The keys of the issuer of a client assertion, which Entra needs to check it.
    async fn add_issuer_keys(&self, request: &mut Request) {
        if !matches!(request.plane, Plane::Arm | Plane::Entra) || !request.path.ends_with("/token") {
            return;
        }
        if let Some(issuer) = self.host.read(|world| entra::foreign_issuer(world, request)) {
            let keys = issuer::keys(&issuer).await;
            request.headers.insert(entra::KEYS_HEADER.into(), keys.to_string());
        }
    }

    /// A log stream, when that is what is asked for: the world knows who may, the runtime what is written.
    fn stream(&self, request: &Request) -> Option<Result<Answer, Response>> {
        if request.plane != Plane::Arm || request.method != Method::Get {
            return None;
        }
        let wanted = self.host.read(|world| container_apps::stream(world, request))?;
        Some(wanted.map(|query| self.runtime.logs(&query)))
    }

    /// Whether an application is in a region that is cut off.
    fn hides(&self, app: Option<&str>) -> bool {
        self.host.anything_cut() && app.is_some_and(|app| self.host.read(|world| outage::hides(world, app)))
    }

    /// `POST /_local/kill` of replicas: the world learns of it as it would of a crash. `None` for all else that the
    /// path takes, which is the world's.
    async fn kill(&self, taken: &Request) -> Option<Response> {
        let Body::Bytes(bytes) = &taken.body else { return None };
        let body: Value = serde_json::from_slice(bytes).ok()?;
        let asked = body.get("app")?;
        let refused = |message: &str| Some(Response::error(400, "InvalidKill", message));
        let Some(app) = asked.as_str().filter(|app| app.starts_with("/subscriptions/")) else {
            return refused("`app` is the id of an application in Resource Manager.");
        };
        let count = match &body["replicas"] {
            Value::Null => 1,
            count => match count.as_u64().filter(|count| *count > 0) {
                Some(count) => usize::try_from(count).unwrap_or(usize::MAX),
                None => return refused("`replicas` is a number of replicas, 1 or more."),
            },
        };
        if self.host.read(|world| world.arm.find(app).is_none()) {
            return Some(Response::error(
                404,
                "ResourceNotFound",
                format!("There is no application '{app}'."),
            ));
        }
        let killed = self.runtime.kill(app, count).await;
        Some(Response::json(200, &json!({"killed": killed})))
    }

    /// The world's answer, when and if a fault lets it out.
    async fn ask(&self, taken: Taken) -> Result<Response, Cut> {
        let Taken { mut request, upload } = taken;
        let (plane, id) = (request.plane.clone(), request.id.clone());
        let leads = plane == Plane::Arm && leads_to_apps(&request.path);
        if plane == Plane::Control
            && request.method == Method::Post
            && request.path == "/_local/kill"
            && let Some(killed) = self.kill(&request).await
        {
            return Ok(killed);
        }
        if let Err(refused) = self.complete(&mut request).await {
            return Ok(refused);
        }
        // A fault of ours is answered as Azure answers its own, and the world goes on from its journal.
        let Ok(applied) = AssertUnwindSafe(self.apply(request)).catch_unwind().await else {
            let message = "Local Azure failed to answer this request: that is a mistake in local Azure.";
            return Ok(gate::refusal(&plane, 500, "InternalServerError", message, &id));
        };
        // From here on the world names the content, or nobody does.
        drop(upload);
        let outcome = match applied {
            Ok(outcome) => outcome,
            Err(error) => {
                let message =
                    format!("Local Azure cannot keep its state, so nothing was changed: {}.", chain(&error));
                return Ok(gate::refusal(&plane, 500, "InternalServerError", &message, &id));
            }
        };
        let Outcome { response, dropped, hold_until, changed: _, wanted: _ } = outcome;
        if leads {
            self.host.until_followed().await;
        }
        if let Some(until) = hold_until {
            self.hold(until).await;
        }
        match response {
            Some(response) if !dropped => self.hash_answer(response).await.map_err(|_| Cut),
            _ => Err(Cut),
        }
    }

    /// Applies a request. One that names content by links is made again with their text, since the world sees no
    /// bytes.
    async fn apply(&self, mut request: Request) -> Result<Outcome, Error> {
        if request.plane != Plane::Arm || !templates::takes_template(&request.path) {
            return self.host.apply(Input::Request(request));
        }
        let mut outcome = self.host.apply(Input::Request(request.clone()))?;
        for _ in 0..LINKS_MAX {
            if outcome.wanted.is_empty() {
                break;
            }
            for (uri, segments) in outcome.wanted {
                let contents = self.host.contents.clone();
                let read = tokio::task::spawn_blocking(move || contents.text(&segments)).await;
                // what cannot be read is no template
                let text = read.map_err(std::io::Error::other).and_then(|read| read).unwrap_or_default();
                request.headers.insert(format!("{}{uri}", templates::links::ATTACHED), text);
            }
            outcome = self.host.apply(Input::Request(request.clone()))?;
        }
        Ok(outcome)
    }

    /// Looks at what the world cannot see for a registry: an upload's pieces, which came one by one, are hashed
    /// together when this request completes it, and the config that a manifest names tells the platform.
    async fn complete(&self, request: &mut Request) -> Result<(), Response> {
        if let Plane::Blob { .. } = request.plane {
            return self.hash_source(request).await;
        }
        let Plane::Registry { name } = &request.plane else { return Ok(()) };
        let contents = self.host.contents.clone();
        let read = match self.host.read(|world| registry::looked(world, name, request)) {
            None => return Ok(()),
            Some(Looked::Whole(mut segments)) => {
                if let Body::Stored(last) = &request.body {
                    segments.extend(last.iter().cloned());
                }
                let hash = move || Ok(Some((registry::COMPLETE_SHA256, contents.sha256(&segments)?)));
                tokio::task::spawn_blocking(hash).await
            }
            Some(Looked::Config(segments)) => {
                let read =
                    move || Ok(platform(contents.reader(&segments))?.map(|it| (registry::PLATFORM, it)));
                tokio::task::spawn_blocking(read).await
            }
        };
        match read.map_err(std::io::Error::other).and_then(|read| read) {
            Ok(Some((header, value))) => {
                request.headers.insert(header.to_owned(), value);
                Ok(())
            }
            Ok(None) => Ok(()),
            Err(error) => Err(unreadable(request, &error)),
        }
    }

    /// Hashes what a blob's part is copied from: the world knows where it is and not what it is.
    async fn hash_source(&self, request: &mut Request) -> Result<(), Response> {
        let Some(segments) = self.host.read(|world| blob::sourced(world, request)) else { return Ok(()) };
        let wanted = Digests { md5: true, crc64: true, sha256: false };
        let named = self.host.contents.digest(&segments, wanted).await;
        let named = named.map_err(|error| unreadable(request, &error))?;
        request.headers.insert(blob::SOURCE_MD5.to_owned(), named.md5);
        request.headers.insert(blob::SOURCE_CRC64.to_owned(), named.crc64);
        Ok(())
    }

    /// Tells the digest of an answer's content where the world asks for it.
    async fn hash_answer(&self, mut response: Response) -> Result<Response, std::io::Error> {
        let Some(at) = response.headers.iter().position(|(name, _)| name == blob::DIGEST) else {
            return Ok(response);
        };
        let (_, which) = response.headers.remove(at);
        let Body::Stored(segments) = &response.body else { return Ok(response) };
        let md5 = which == "md5";
        let wanted = Digests { md5, crc64: !md5, sha256: false };
        let named = self.host.contents.digest(segments, wanted).await?;
        Ok(match md5 {
            true => response.with("content-md5", named.md5),
            false => response.with("x-ms-content-crc64", named.crc64),
        })
    }

    /// Waits until the world's clock, which `/_local/clock` moves too, has passed `until`.
    async fn hold(&self, until: Timestamp) {
        let mut changes = self.host.changes();
        loop {
            let ahead = self.host.read(|world| world.ahead);
            let left = until.duration_since(Timestamp::now().saturating_add(ahead).unwrap_or(Timestamp::MAX));
            let Ok(left) = Duration::try_from(left) else { return };
            if left.is_zero() {
                return;
            }
            tokio::select! {
                () = tokio::time::sleep(left) => {}
                changed = changes.changed() => if changed.is_err() { return },
            }
        }
    }

    /// What only the front knows of `/_local/…`; the rest is the world's.
    async fn own(&self, path: &str, request: &http::Request<Incoming>) -> Option<Response> {
        match (request.method(), path) {
            (&http::Method::GET, "/_local/status") => Some(Response::json(200, &json!(self.status))),
            (&http::Method::GET, "/_local/runtime") => {
                Some(Response::json(200, &json!(self.runtime.status().await)))
            }
            (&http::Method::GET, "/_local/apps") => {
                Some(Response::json(200, &json!({"value": self.plain_apps()})))
            }
            _ => None,
        }
    }
}

/// The HTTPS port: every plane and the applications.
#[derive(Clone, Debug)]
pub(crate) struct Main(pub(crate) Arc<Front>);

impl Handler for Main {
    async fn answer(&self, arrival: Arrival, request: http::Request<Incoming>) -> Result<Answer, Cut> {
        let front = &self.0;
        let Some(authority) = authority(&request) else {
            return Ok(give(front, Response::error(400, "BadRequest", "The request has no Host header.")));
        };
        match doors::door(&authority) {
            Door::App(host) => {
                if front.hides(front.runtime.app_at(&host).as_deref()) {
                    return Err(Cut);
                }
                Ok(front.runtime.serve(runtime::Door::Host(&host), request, via(arrival)).await)
            }
            // No token may travel like this.
            Door::Plane(_) if !arrival.tls => {
                let message = "This is an HTTPS port: write https:// in front of the address.\n";
                let mut answer = Answer::new(gate::full(message.as_bytes().to_vec()));
                *answer.status_mut() = http::StatusCode::BAD_REQUEST;
                Ok(answer)
            }
            Door::Plane(Plane::Arm) => {
                let path = request.uri().path().to_owned();
                if path.starts_with("/_local/") || path == "/_local" {
                    if foreign(&request, &authority) {
                        let message = "Pages of other origins may not steer local Azure.";
                        return Ok(give(front, Response::error(403, "Forbidden", message)));
                    }
                    if let Some(response) = front.own(&path, &request).await {
                        return Ok(give(front, response));
                    }
                    return front.plane(Plane::Control, &authority, "https", request).await;
                }
                if path == "/" && request.method() == http::Method::GET && wants_html(&request) {
                    return Ok(page::show(front).await);
                }
                front.plane(Plane::Arm, &authority, "https", request).await
            }
            Door::Plane(plane) => front.plane(plane, &authority, "https", request).await,
        }
    }
}

/// The identity endpoint: plain HTTP, for deployed workloads that show their pass.
#[derive(Clone, Debug)]
pub(crate) struct IdentityEndpoint(pub(crate) Arc<Front>);

impl Handler for IdentityEndpoint {
    async fn answer(&self, _: Arrival, request: http::Request<Incoming>) -> Result<Answer, Cut> {
        let front = &self.0;
        if request.uri().path().trim_end_matches('/') != "/msi/token" {
            let body = json!({"statusCode": 404, "message": "The identity endpoint is /msi/token."});
            return Ok(give(front, Response::json(404, &body)));
        }
        // As Container Apps answers: 403 and not a word, whether the header is missing or somebody else's.
        let pass = request.headers().get("x-identity-header").and_then(|pass| pass.to_str().ok());
        let Some(workload) = pass.and_then(|pass| front.passes.check(pass)) else {
            return Ok(give(front, Response::empty(403)));
        };
        let authority = authority(&request).unwrap_or_else(|| "127.0.0.1".into());
        front.plane(Plane::Identity { workload }, &authority, "http", request).await
    }
}

/// The plain HTTP port of one application.
#[derive(Clone, Debug)]
pub(crate) struct PlainPort {
    pub(crate) front: Arc<Front>,
    /// The app's id, lower case.
    pub(crate) app: String,
}

impl Handler for PlainPort {
    async fn answer(&self, arrival: Arrival, request: http::Request<Incoming>) -> Result<Answer, Cut> {
        if self.front.hides(Some(&self.app)) {
            return Err(Cut);
        }
        let door = runtime::Door::App(&self.app);
        Ok(self.front.runtime.serve(door, request, via(arrival)).await)
    }
}

/// `os/architecture` as an image's config says; none of a config that is no JSON or far too large for one.
fn platform(config: Reader) -> std::io::Result<Option<String>> {
    const CONFIG_MAX: u64 = 1 << 20;
    let mut text = Vec::new();
    config.take(CONFIG_MAX).read_to_end(&mut text)?;
    let config: Value = serde_json::from_slice(&text).unwrap_or_default();
    let words = (config["os"].as_str(), config["architecture"].as_str());
    Ok(if let (Some(os), Some(architecture)) = words { Some(format!("{os}/{architecture}")) } else { None })
}

/// The address of one environment, where its apps reach each other.
#[derive(Clone, Debug)]
pub(crate) struct Inside {
    pub(crate) front: Arc<Front>,
    /// The environment's default domain.
    pub(crate) domain: String,
}

impl Handler for Inside {
    async fn answer(&self, arrival: Arrival, request: http::Request<Incoming>) -> Result<Answer, Cut> {
        let host = authority(&request).map(|authority| doors::host(&authority)).unwrap_or_default();
        let door = runtime::Door::Inside { domain: &self.domain, host: &host };
        Ok(self.front.runtime.serve(door, request, via(arrival)).await)
    }
}

fn via(arrival: Arrival) -> runtime::Via {
    runtime::Via { peer: arrival.peer, secure: arrival.tls, certificates: arrival.certificates }
}

fn unreadable(request: &Request, error: &std::io::Error) -> Response {
    let message = format!("An upload cannot be read: {error}");
    gate::refusal(&request.plane, 500, "InternalError", &message, &request.id)
}

fn give(front: &Front, response: Response) -> Answer {
    gate::give(&front.host.contents, response, Show::All)
}

/// Whom the client thinks it talks to: HTTP/2's `:authority`, or the Host header.
fn authority(request: &http::Request<Incoming>) -> Option<String> {
    let header = || request.headers().get(http::header::HOST)?.to_str().ok().map(str::to_owned);
    request.uri().authority().map(|authority| authority.as_str().to_owned()).or_else(header)
}

/// A browser's page from elsewhere, by the Origin it cannot forge.
fn foreign(request: &http::Request<Incoming>, authority: &str) -> bool {
    let Some(origin) = request.headers().get(http::header::ORIGIN) else { return false };
    !origin.to_str().is_ok_and(|origin| origin.eq_ignore_ascii_case(&format!("https://{authority}")))
}

fn wants_html(request: &http::Request<Incoming>) -> bool {
    let accept = request.headers().get(http::header::ACCEPT).and_then(|accept| accept.to_str().ok());
    accept.is_some_and(|accept| accept.contains("text/html"))
}

/// Azure's code of a refusal, wherever the plane puts it.
fn code(response: &Response) -> String {
    if response.status < 400 {
        return String::new();
    }
    let header = |name: &str| response.headers.iter().find(|(key, _)| key.eq_ignore_ascii_case(name));
    if let Some((_, code)) = header("x-ms-error-code") {
        return code.clone();
    }
    let Body::Bytes(bytes) = &response.body else { return String::new() };
    let Ok(body) = serde_json::from_slice::<Value>(bytes) else { return String::new() };
    let places = [&body["error"]["code"], &body["errors"][0]["code"], &body["error"], &body["code"]];
    places.iter().find_map(|code| code.as_str()).unwrap_or_default().to_owned()
}

/// An error with its causes.
pub(crate) fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text.push_str(": ");
        text.push_str(&error.to_string());
        cause = error.source();
    }
    text
}

/// Whether a path of Resource Manager tells of applications: what it says of them is so at the ingress too.
fn leads_to_apps(path: &str) -> bool {
    let path = path.to_ascii_lowercase();
    path.contains("/microsoft.app/") || path.contains("/deployments/")
}
