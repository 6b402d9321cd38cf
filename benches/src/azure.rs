//! A local Azure of the binary that is measured, and requests to it.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use reqwest::{Client, Method};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName};
use serde_json::{Value, json};

use crate::Failure;
use crate::load::Target;

const OPERATION_MAX: Duration = Duration::from_secs(60);

/// The binary that is measured: `LANDFALL_BIN`, or the one beside this program.
pub fn binary() -> Result<PathBuf, Failure> {
    if let Some(named) = std::env::var_os("LANDFALL_BIN") {
        return Ok(named.into());
    }
    let beside = std::env::current_exe()?.with_file_name("landfall");
    if beside.exists() {
        return Ok(beside);
    }
    Err(format!("there is no {}: run `cargo build --release -p landfall` first", beside.display()).into())
}

/// A running local Azure in memory at speed 0; stopped when dropped.
#[derive(Debug)]
pub struct Azure {
    folder: tempfile::TempDir,
    binary: PathBuf,
    env: BTreeMap<String, String>,
    http: Client,
    token: String,
    /// How long `local start` took.
    pub started: Duration,
}

impl Azure {
    /// Starts one.
    pub async fn start() -> Result<Azure, Failure> {
        let binary = binary()?;
        let folder = tempfile::Builder::new().prefix("landfall-bench-").tempdir()?;
        let begun = Instant::now();
        landfall(&binary, folder.path(), &["local", "start", "--memory", "--speed", "0", "--seed", "1"])?;
        let started = begun.elapsed();
        let printed = landfall(&binary, folder.path(), &["local", "env", "--json"])?;
        let printed: Value = serde_json::from_str(&printed)?;
        let env = printed["env"].as_object().ok_or("`local env` printed no names")?;
        let env: BTreeMap<String, String> = env
            .iter()
            .map(|(name, value)| (name.clone(), value.as_str().unwrap_or_default().to_owned()))
            .collect();
        let ca = std::fs::read(&env["CA_FILE"])?;
        let http = Client::builder()
            .tls_certs_only(reqwest::Certificate::from_pem_bundle(&ca)?)
            .dns_resolver(Loopback)
            .no_proxy()
            .http1_only()
            .build()?;
        let mut azure = Azure { folder, binary, env, http, token: String::new(), started };
        azure.token = azure.sign_in().await?;
        Ok(azure)
    }

    /// One of the names of `local env`.
    pub fn env(&self, name: &str) -> &str {
        self.env.get(name).map_or("", String::as_str)
    }

    /// The client that trusts it.
    pub fn http(&self) -> &Client {
        &self.http
    }

    async fn sign_in(&self) -> Result<String, Failure> {
        let form = url::form_urlencoded::Serializer::new(String::new())
            .append_pair("grant_type", "client_credentials")
            .append_pair("client_id", self.env("CLIENT_ID"))
            .append_pair("client_secret", self.env("CLIENT_SECRET"))
            .append_pair("scope", &format!("{}/.default", self.env("ARM_URL")))
            .finish();
        let url = format!("{}/{}/oauth2/v2.0/token", self.env("AUTH_URL"), self.env("TENANT_ID"));
        let request =
            self.http.post(url).header("content-type", "application/x-www-form-urlencoded").body(form);
        let answer: Value = request.send().await?.error_for_status()?.json().await?;
        Ok(answer["access_token"].as_str().ok_or("Entra gave no token")?.to_owned())
    }

    /// `/subscriptions/…`.
    pub fn subscription(&self) -> String {
        format!("/subscriptions/{}", self.env("SUBSCRIPTION_ID"))
    }

    /// One request to Resource Manager.
    pub async fn arm(&self, method: Method, path: &str, body: Option<&Value>) -> Result<Value, Failure> {
        let url = format!("{}{path}", self.env("ARM_URL"));
        let mut request = self.http.request(method, url).bearer_auth(&self.token);
        if let Some(body) = body {
            request = request.json(body);
        }
        let answer = request.send().await?;
        let (status, text) = (answer.status(), answer.text().await?);
        if !status.is_success() {
            return Err(format!("{path}: {status} {text}").into());
        }
        Ok(serde_json::from_str(&text).unwrap_or(Value::Null))
    }

    /// PUTs and waits until it is there.
    pub async fn put(&self, path: &str, body: &Value) -> Result<Value, Failure> {
        self.arm(Method::PUT, path, Some(body)).await?;
        let begun = Instant::now();
        loop {
            let now = self.arm(Method::GET, path, None).await?;
            match now["properties"]["provisioningState"].as_str() {
                None | Some("Succeeded") => return Ok(now),
                Some("Failed" | "Canceled") => return Err(format!("{path}: {now}").into()),
                Some(_) if begun.elapsed() > OPERATION_MAX => {
                    return Err(format!("{path} does not end").into());
                }
                Some(_) => tokio::time::sleep(Duration::from_millis(10)).await,
            }
        }
    }

    /// A resource group; its id.
    pub async fn group(&self) -> Result<String, Failure> {
        let id = format!("{}/resourceGroups/bench", self.subscription());
        self.put(&format!("{id}?api-version=2024-11-01"), &json!({"location": "westeurope"})).await?;
        Ok(id)
    }

    /// A GET of Resource Manager for a load.
    pub fn get(&self, path: &str) -> Result<Target, Failure> {
        let url = url::Url::parse(self.env("ARM_URL"))?;
        let (host, port) = (url.host_str().unwrap_or_default(), url.port().unwrap_or(443));
        let mut roots = rustls::RootCertStore::empty();
        for certificate in CertificateDer::pem_file_iter(self.env("CA_FILE"))? {
            roots.add(certificate?)?;
        }
        let config = rustls::ClientConfig::builder().with_root_certificates(roots).with_no_client_auth();
        let token = &self.token;
        let request =
            format!("GET {path} HTTP/1.1\r\nhost: {host}:{port}\r\nauthorization: Bearer {token}\r\n\r\n");
        Ok(Target {
            address: SocketAddr::from(([127, 0, 0, 1], port)),
            tls: Some((Arc::new(config), ServerName::try_from(host.to_owned())?)),
            request: request.into_bytes(),
        })
    }

    /// Memory that its process holds, in MB.
    pub fn resident(&self) -> Result<f64, Failure> {
        let printed = landfall(&self.binary, self.folder.path(), &["local", "status", "--json"])?;
        let printed: Value = serde_json::from_str(&printed)?;
        let pid =
            printed["pid"].as_u64().ok_or_else(|| format!("`local status` told no process: {printed}"))?;
        let status = std::fs::read_to_string(format!("/proc/{pid}/status"))?;
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).ok_or("no VmRSS")?;
        let kib: f64 = line.trim().trim_end_matches("kB").trim().parse()?;
        Ok(kib * 1024.0 / 1e6)
    }
}

impl Drop for Azure {
    fn drop(&mut self) {
        // Whatever the measurement came to, no process may outlive it.
        let _ = landfall(&self.binary, self.folder.path(), &["local", "stop"]);
    }
}

/// Runs the binary in a folder; what it printed.
fn landfall(binary: &Path, folder: &Path, words: &[&str]) -> Result<String, Failure> {
    let done = Command::new(binary)
        .arg("-C")
        .arg(folder)
        .args(words)
        .stdin(Stdio::null())
        .output()
        .map_err(|error| format!("{}: {error}", binary.display()))?;
    if !done.status.success() {
        return Err(format!("landfall {}: {}", words.join(" "), String::from_utf8_lossy(&done.stderr)).into());
    }
    Ok(String::from_utf8(done.stdout)?)
}

/// Names under `.localhost` are this machine.
#[derive(Debug)]
struct Loopback;

impl Resolve for Loopback {
    fn resolve(&self, _: Name) -> Resolving {
        let addresses: Addrs = Box::new(std::iter::once(SocketAddr::from(([127, 0, 0, 1], 0))));
        Box::pin(async move { Ok(addresses) })
    }
}
