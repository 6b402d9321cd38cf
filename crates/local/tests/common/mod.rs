//! A local Azure in this process, and a client that trusts its CA and resolves names under `.localhost`.
#![allow(dead_code, clippy::expect_used)]

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use landfall_local::control::Status;
use landfall_local::{Options, State, serve};
use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use serde_json::{Value, json};
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

/// A local Azure that runs until it is dropped or stopped.
pub struct Local {
    pub status: Status,
    pub http: reqwest::Client,
    stop: Option<oneshot::Sender<()>>,
    task: JoinHandle<Result<(), landfall_local::Error>>,
}

/// Options for a test: no waiting, a seed of its own, any port.
pub fn options(state: State) -> Options {
    Options { seed: Some(7), speed: Some(0.0), state, ..Options::memory() }
}

impl Local {
    /// In memory, at speed 0.
    pub async fn start() -> Local {
        Local::with(options(State::Memory(None))).await
    }

    pub async fn with(options: Options) -> Local {
        Local::try_with(options).await.expect("local Azure starts")
    }

    pub async fn try_with(options: Options) -> Result<Local, landfall_local::Error> {
        let (ready, started) = oneshot::channel();
        let (stop, stopped) = oneshot::channel::<()>();
        let task = tokio::spawn(serve(
            options,
            move |address| {
                let _ = ready.send(address.status.clone());
            },
            async {
                let _ = stopped.await;
            },
        ));
        match started.await {
            Ok(status) => Ok(Local { http: client(&status), status, stop: Some(stop), task }),
            Err(_) => Err(task.await.expect("no panic").expect_err("it ended before it was ready")),
        }
    }

    /// Stops it gracefully.
    pub async fn stop(mut self) {
        drop(self.stop.take());
        self.task.await.expect("no panic").expect("the state is written");
    }

    /// Ends it without a word, as `kill -9` does.
    pub async fn kill(mut self) {
        self.task.abort();
        let _ = (&mut self.task).await;
        std::mem::forget(self.stop.take());
    }

    pub fn env(&self, name: &str) -> String {
        self.status.env.get(name).expect("a name of `env`").clone()
    }

    pub fn port(&self) -> u16 {
        self.arm().rsplit(':').next().and_then(|port| port.parse().ok()).expect("a port")
    }

    pub fn arm(&self) -> &str {
        self.status.urls.get("arm").expect("ARM's address")
    }

    /// An access token of the owner.
    pub async fn token(&self, audience: &str) -> String {
        let form = [
            ("client_id", self.env("CLIENT_ID")),
            ("client_secret", self.env("CLIENT_SECRET")),
            ("grant_type", "client_credentials".into()),
            ("scope", format!("{audience}/.default")),
        ];
        let body = url::form_urlencoded::Serializer::new(String::new()).extend_pairs(form).finish();
        let answer = self
            .http
            .post(format!("{}/{}/oauth2/v2.0/token", self.arm(), self.env("TENANT_ID")))
            .header("content-type", "application/x-www-form-urlencoded")
            .body(body)
            .send()
            .await
            .expect("an answer");
        let status = answer.status();
        let text = answer.text().await.expect("text");
        assert_eq!(status, 200, "{text}");
        let json: Value = serde_json::from_str(&text).expect("JSON");
        json["access_token"].as_str().expect("a token").to_owned()
    }

    /// One request to ARM as the owner.
    pub async fn ask(&self, method: &str, path: &str, body: Option<Value>) -> (u16, Value) {
        let token = self.token(self.arm()).await;
        let mut request = self
            .http
            .request(method.parse().expect("a method"), format!("{}{path}", self.arm()))
            .bearer_auth(token);
        if let Some(body) = body {
            request = request.header("content-type", "application/json").body(body.to_string());
        }
        let answer = request.send().await.expect("an answer");
        let status = answer.status().as_u16();
        let text = answer.text().await.expect("text");
        (status, serde_json::from_str(&text).unwrap_or(Value::Null))
    }

    /// PUTs and waits for the end of the operation.
    pub async fn put(&self, path: &str, body: Value) -> Value {
        let (status, answer) = self.ask("PUT", path, Some(body)).await;
        assert!((200..300).contains(&status), "{path}: {status} {answer}");
        let begun = Instant::now();
        loop {
            let (status, answer) = self.ask("GET", path, None).await;
            let state = answer["properties"]["provisioningState"].as_str().unwrap_or("Succeeded").to_owned();
            if status == 200 && state == "Succeeded" {
                return answer;
            }
            assert!(begun.elapsed() < Duration::from_secs(20), "{path}: {status} {answer}");
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }

    pub fn subscription(&self) -> String {
        format!("/subscriptions/{}", self.env("SUBSCRIPTION_ID"))
    }

    pub async fn group(&self) -> String {
        let group = format!("{}/resourceGroups/rg1", self.subscription());
        self.put(&format!("{group}?api-version=2024-11-01"), json!({"location": "westeurope"})).await;
        group
    }

    /// A registry with the admin user off.
    pub async fn registry(&self, name: &str) -> String {
        let group = self.group().await;
        let id = format!("{group}/providers/Microsoft.ContainerRegistry/registries/{name}");
        let body = json!({"location": "westeurope", "sku": {"name": "Basic"}, "properties": {}});
        self.put(&format!("{id}?api-version=2023-07-01"), body).await;
        id
    }

    /// A storage account.
    pub async fn account(&self, name: &str) -> String {
        let group = self.group().await;
        let id = format!("{group}/providers/Microsoft.Storage/storageAccounts/{name}");
        let body = json!({"location": "westeurope", "kind": "StorageV2", "sku": {"name": "Standard_LRS"}, "properties": {}});
        self.put(&format!("{id}?api-version=2023-05-01"), body).await;
        id
    }

    /// Gives the owner a role over `scope`.
    pub async fn grant(&self, scope: &str, role: &str) {
        let principal = self.owner().await;
        let body = json!({"properties": {
            "roleDefinitionId": format!("{}/providers/Microsoft.Authorization/roleDefinitions/{role}", self.subscription()),
            "principalId": principal, "principalType": "ServicePrincipal",
        }});
        let name = uuid::Uuid::new_v5(&uuid::Uuid::NAMESPACE_URL, format!("{scope}{role}").as_bytes());
        let path = format!(
            "{scope}/providers/Microsoft.Authorization/roleAssignments/{name}?api-version=2022-04-01"
        );
        let (status, answer) = self.ask("PUT", &path, Some(body)).await;
        assert_eq!(status, 201, "{answer}");
    }

    /// Object id of the owner, as its token says.
    pub async fn owner(&self) -> String {
        use base64::Engine;
        let token = self.token(self.arm()).await;
        let claims = token.split('.').nth(1).expect("a JWT");
        let claims = base64::engine::general_purpose::URL_SAFE_NO_PAD.decode(claims).expect("base64");
        let claims: Value = serde_json::from_slice(&claims).expect("JSON");
        claims["oid"].as_str().expect("an oid").to_owned()
    }

    pub fn ca(&self) -> Vec<u8> {
        std::fs::read(self.env("CA_FILE")).expect("the CA")
    }
}

/// Names under `.localhost` are this machine.
#[derive(Debug)]
pub struct Loopback;

impl Resolve for Loopback {
    fn resolve(&self, _: Name) -> Resolving {
        let addresses: Addrs = Box::new(std::iter::once(SocketAddr::from(([127, 0, 0, 1], 0))));
        Box::pin(async move { Ok(addresses) })
    }
}

pub fn client(status: &Status) -> reqwest::Client {
    let pem = std::fs::read(status.env.get("CA_FILE").map(PathBuf::from).expect("CA_FILE")).expect("the CA");
    reqwest::Client::builder()
        .tls_certs_only(reqwest::Certificate::from_pem_bundle(&pem).expect("a certificate"))
        .dns_resolver(Loopback)
        .redirect(reqwest::redirect::Policy::none())
        .no_proxy()
        .build()
        .expect("a client")
}

/// A CONNECT proxy that takes every name to this machine: for clients whose resolver knows nothing of `.localhost`.
/// Returns its address.
pub async fn proxy() -> String {
    use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = format!("http://{}", listener.local_addr().expect("an address"));
    tokio::spawn(async move {
        while let Ok((client, _)) = listener.accept().await {
            tokio::spawn(async move {
                let mut client = BufReader::new(client);
                let mut first = String::new();
                client.read_line(&mut first).await?;
                loop {
                    let mut line = String::new();
                    if client.read_line(&mut line).await? == 0 || line.trim().is_empty() {
                        break;
                    }
                }
                let port =
                    first.split_whitespace().nth(1).and_then(|to| to.rsplit(':').next()?.parse::<u16>().ok());
                let mut server = tokio::net::TcpStream::connect(("127.0.0.1", port.unwrap_or(0))).await?;
                client.write_all(b"HTTP/1.1 200 Connection established\r\n\r\n").await?;
                tokio::io::copy_bidirectional(&mut client, &mut server).await
            });
        }
    });
    address
}

/// A local Azure in another process.
pub struct Remote {
    status: Status,
    http: reqwest::Client,
    token: tokio::sync::OnceCell<String>,
}

impl Remote {
    pub fn new(status: Status) -> Remote {
        Remote { http: client(&status), status, token: tokio::sync::OnceCell::new() }
    }

    pub fn subscription(&self) -> String {
        format!("/subscriptions/{}", self.status.env["SUBSCRIPTION_ID"])
    }

    /// One request to ARM as the owner; an error when no whole answer came.
    pub async fn ask(
        &self,
        method: &str,
        path: &str,
        body: Option<Value>,
    ) -> Result<(u16, Value), reqwest::Error> {
        let env = &self.status.env;
        let arm = &env["ARM_URL"];
        let token = self.token.get_or_try_init(|| async {
            let form = url::form_urlencoded::Serializer::new(String::new())
                .extend_pairs([
                    ("client_id", env["CLIENT_ID"].as_str()),
                    ("client_secret", &env["CLIENT_SECRET"]),
                    ("grant_type", "client_credentials"),
                    ("scope", &format!("{arm}/.default")),
                ])
                .finish();
            let answer = self
                .http
                .post(format!("{arm}/{}/oauth2/v2.0/token", env["TENANT_ID"]))
                .header("content-type", "application/x-www-form-urlencoded")
                .body(form)
                .send()
                .await?;
            let body: Value = serde_json::from_str(&answer.text().await?).expect("JSON");
            Ok::<_, reqwest::Error>(body["access_token"].as_str().expect("a token").to_owned())
        });
        let mut request = self
            .http
            .request(method.parse().expect("a method"), format!("{arm}{path}"))
            .bearer_auth(token.await?);
        if let Some(body) = body {
            request = request.header("content-type", "application/json").body(body.to_string());
        }
        let answer = request.send().await?;
        let status = answer.status().as_u16();
        let text = answer.text().await?;
        Ok((status, serde_json::from_str(&text).unwrap_or(Value::Null)))
    }
}
