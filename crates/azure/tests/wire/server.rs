//! A server whose answers are a closure, and which keeps what it was asked.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use landfall_azure::{Arm, ArmOptions, Clock, Cloud, Credential, Login};
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tempfile::TempDir;
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};

pub const TENANT: &str = "11111111-1111-1111-1111-111111111111";
pub const CLIENT: &str = "22222222-2222-2222-2222-222222222222";
pub const OBJECT: &str = "33333333-3333-3333-3333-333333333333";

/// A request as it arrived.
#[derive(Clone, Debug)]
pub struct Seen {
    pub method: String,
    pub host: String,
    pub path: String,
    pub query: String,
    pub headers: BTreeMap<String, String>,
    pub body: Bytes,
}

impl Seen {
    pub fn title(&self) -> String {
        format!("{} {}", self.method, self.path)
    }

    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", String::as_str)
    }

    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or(Value::Null)
    }

    pub fn form(&self) -> BTreeMap<String, String> {
        url::form_urlencoded::parse(&self.body).into_owned().collect()
    }
}

/// An answer; `cut` breaks the connection instead.
#[derive(Clone, Debug, Default)]
pub struct Reply {
    pub status: u16,
    pub headers: Vec<(&'static str, String)>,
    pub body: Bytes,
    pub cut: bool,
}

pub fn reply(status: u16) -> Reply {
    Reply { status, ..Reply::default() }
}

pub fn json(status: u16, body: Value) -> Reply {
    Reply { status, body: body.to_string().into(), ..Reply::default() }
        .with("content-type", "application/json")
}

pub fn refusal(status: u16, code: &str, message: &str) -> Reply {
    json(status, json!({"error": {"code": code, "message": message}}))
}

pub fn cut() -> Reply {
    Reply { cut: true, ..Reply::default() }
}

impl Reply {
    pub fn with(mut self, name: &'static str, value: impl Into<String>) -> Reply {
        self.headers.push((name, value.into()));
        self
    }

    pub fn text(mut self, body: impl Into<Bytes>) -> Reply {
        self.body = body.into();
        self
    }
}

type Answer = Box<dyn FnMut(&Seen) -> Reply + Send>;

pub struct Server {
    pub port: u16,
    seen: Arc<Mutex<Vec<Seen>>>,
    folder: TempDir,
    task: tokio::task::JoinHandle<()>,
}

impl Drop for Server {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Server {
    /// Over TLS, with a CA of its own.
    pub async fn start(answer: impl FnMut(&Seen) -> Reply + Send + 'static) -> Server {
        let folder = tempfile::tempdir().unwrap();
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let ca = CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap();
        std::fs::write(folder.path().join("ca.pem"), ca.pem()).unwrap();
        let names = ["localhost", "127.0.0.1", "*.vault.localhost", "*.azurecr.localhost"];
        let key = KeyPair::generate().unwrap();
        let leaf = CertificateParams::new(names.map(String::from)).unwrap().signed_by(&key, &ca).unwrap();
        let config = ServerConfig::builder()
            .with_no_client_auth()
            .with_single_cert(
                vec![leaf.der().clone()],
                PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(key.serialize_der())),
            )
            .unwrap();
        Server::serve(folder, Some(TlsAcceptor::from(Arc::new(config))), Box::new(answer)).await
    }

    /// Over plain HTTP, as the identity endpoint of a platform is.
    pub async fn start_plain(answer: impl FnMut(&Seen) -> Reply + Send + 'static) -> Server {
        Server::serve(tempfile::tempdir().unwrap(), None, Box::new(answer)).await
    }

    async fn serve(folder: TempDir, tls: Option<TlsAcceptor>, answer: Answer) -> Server {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let seen: Arc<Mutex<Vec<Seen>>> = Arc::default();
        let (record, answer) = (seen.clone(), Arc::new(Mutex::new(answer)));
        let task = tokio::spawn(async move {
            loop {
                let Ok((stream, _)) = listener.accept().await else { return };
                let (tls, record, answer) = (tls.clone(), record.clone(), answer.clone());
                tokio::spawn(async move {
                    let service = service_fn(move |request: Request<Incoming>| {
                        let (record, answer) = (record.clone(), answer.clone());
                        async move {
                            let seen = take(request).await?;
                            record.lock().unwrap().push(seen.clone());
                            let reply = (answer.lock().unwrap())(&seen);
                            if reply.cut {
                                return Err(std::io::Error::other("cut"));
                            }
                            let mut response = Response::builder().status(reply.status);
                            for (name, value) in reply.headers {
                                response = response.header(name, value);
                            }
                            Ok(response.body(Full::new(reply.body)).unwrap())
                        }
                    });
                    let http = hyper::server::conn::http1::Builder::new();
                    // A client that goes away, or distrusts the certificate, is part of the tests.
                    match tls {
                        Some(tls) => {
                            if let Ok(stream) = tls.accept(stream).await {
                                let _ = http.serve_connection(TokioIo::new(stream), service).await;
                            }
                        }
                        None => {
                            let _ = http.serve_connection(TokioIo::new(stream), service).await;
                        }
                    }
                });
            }
        });
        Server { port, seen, folder, task }
    }

    pub fn cloud(&self) -> Cloud {
        let address = format!("https://localhost:{}", self.port);
        let mut cloud = Cloud::custom("local Azure", &address, &address).unwrap();
        cloud.ca = Some(self.folder.path().join("ca.pem"));
        cloud.unreachable = Some("start it first".into());
        cloud
    }

    pub fn folder(&self) -> &std::path::Path {
        self.folder.path()
    }

    /// A client of ARM that signs in with a secret, waits on `clock`, and draws its ids from a seed.
    pub fn arm(&self, clock: &Arc<FastClock>) -> Arm {
        let options = ArmOptions {
            clock: Some(clock.clone()),
            seed: Some(7),
            poll: Some(Duration::from_secs(5)),
            ..ArmOptions::default()
        };
        Arm::new(&self.cloud(), self.credential(), options).unwrap()
    }

    pub fn credential(&self) -> Credential {
        let login = Login::Secret {
            tenant: TENANT.into(),
            client: CLIENT.into(),
            secret: "planted-client-secret".to_string().into(),
        };
        landfall_azure::credential(&self.cloud(), login).unwrap()
    }

    /// What arrived, but for the sign-in.
    pub fn seen(&self) -> Vec<Seen> {
        self.all().into_iter().filter(|seen| !seen.path.ends_with("/oauth2/v2.0/token")).collect()
    }

    pub fn all(&self) -> Vec<Seen> {
        self.seen.lock().unwrap().clone()
    }
}

async fn take(request: Request<Incoming>) -> Result<Seen, std::io::Error> {
    let (parts, body) = request.into_parts();
    let body = body.collect().await.map_err(std::io::Error::other)?.to_bytes();
    let headers = parts.headers.iter();
    Ok(Seen {
        method: parts.method.to_string(),
        host: parts.headers.get("host").map(|host| host.to_str().unwrap().to_string()).unwrap_or_default(),
        path: parts.uri.path().to_string(),
        query: parts.uri.query().unwrap_or_default().to_string(),
        headers: headers
            .map(|(name, value)| (name.to_string(), value.to_str().unwrap_or("?").to_string()))
            .collect(),
        body,
    })
}

/// An unsigned token; nobody here checks it, as no client does.
pub fn jwt(audience: &str, mark: &str) -> String {
    let part = |value: Value| URL_SAFE_NO_PAD.encode(value.to_string());
    let claims =
        json!({"aud": audience, "oid": OBJECT, "appid": CLIENT, "tid": TENANT, "idtyp": "app", "mark": mark});
    format!("{}.{}.planted-signature", part(json!({"alg": "none"})), part(claims))
}

/// Entra's answer to a sign-in, if the request is one.
pub fn entra(seen: &Seen) -> Option<Reply> {
    let scope = seen.form().get("scope").cloned().unwrap_or_default();
    (seen.path == format!("/{TENANT}/oauth2/v2.0/token")).then(|| {
        json(200, json!({"token_type": "Bearer", "expires_in": 3599, "access_token": jwt(&scope, "1")}))
    })
}

/// A server of ARM whose sign-in always works.
pub async fn arm_server(mut answer: impl FnMut(&Seen) -> Reply + Send + 'static) -> Server {
    Server::start(move |seen| entra(seen).unwrap_or_else(|| answer(seen))).await
}

/// Answers one after the other; the last one again and again.
pub fn in_turn(replies: Vec<Reply>) -> impl FnMut(&Seen) -> Reply + Send + 'static {
    let mut replies = replies.into_iter().peekable();
    move |_| {
        let reply = replies.next().expect("a test names at least one answer");
        if replies.peek().is_none() {
            replies = vec![reply.clone()].into_iter().peekable();
        }
        reply
    }
}

/// Time that passes only by being slept through, and keeps how long each sleep was.
#[derive(Debug)]
pub struct FastClock(Mutex<(jiff::Timestamp, Vec<Duration>)>);

impl FastClock {
    pub fn new() -> Arc<FastClock> {
        Arc::new(FastClock(Mutex::new(("2026-11-21T10:00:00Z".parse().unwrap(), Vec::new()))))
    }

    pub fn sleeps(&self) -> Vec<Duration> {
        self.0.lock().unwrap().1.clone()
    }

    pub fn slept(&self) -> Duration {
        self.sleeps().iter().sum()
    }
}

#[async_trait::async_trait]
impl Clock for FastClock {
    fn now(&self) -> jiff::Timestamp {
        self.0.lock().unwrap().0
    }

    async fn sleep(&self, wait: Duration) {
        {
            let mut state = self.0.lock().unwrap();
            state.0 = state.0.saturating_add(wait).unwrap();
            state.1.push(wait);
        }
        tokio::task::yield_now().await;
    }
}
