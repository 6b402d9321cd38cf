//! What end-to-end tests need: a project in a folder of its own, the real `landfall` binary, load from outside.
//!
//! - [`Project`]: a copy of an example, or a manifest written for the test, with its own local Azure.
//! - [`Ran`]: what a command printed and how it ended.
//! - [`Load`]: steady requests at an address, counted.
//! - [`servers`]: PostgreSQL and Azurite, brought up for a test.
//! - [`wait_for`]: a condition, a limit, a status; never a bare sleep.

#![allow(clippy::print_stdout, reason = "tests tell what they skip")]

pub mod servers;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use serde_json::Value;

/// The workspace's root.
pub fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the tests lie in the workspace").to_owned()
}

/// The `landfall` binary: the one named by `LANDFALL_BIN`, else that of this build, brought up to date once.
pub fn landfall() -> &'static Path {
    static BINARY: OnceLock<PathBuf> = OnceLock::new();
    BINARY.get_or_init(|| program("LANDFALL_BIN", "landfall"))
}

/// The `call-tickets` binary: the one named by `CALL_TICKETS_BIN`, else that of this build, brought up to date once.
pub fn call_tickets() -> &'static Path {
    static BINARY: OnceLock<PathBuf> = OnceLock::new();
    BINARY.get_or_init(|| program("CALL_TICKETS_BIN", "call-tickets"))
}

fn program(variable: &str, package: &str) -> PathBuf {
    if let Some(binary) = std::env::var_os(variable) {
        return binary.into();
    }
    let cargo = std::env::var("CARGO").unwrap_or_else(|_| "cargo".into());
    let built = Command::new(cargo)
        .args(["build", "--quiet", "-p", package, "--message-format", "json"])
        .current_dir(root())
        .stderr(Stdio::inherit())
        .output()
        .expect("cargo runs");
    assert!(built.status.success(), "{package} does not build");
    String::from_utf8_lossy(&built.stdout)
        .lines()
        .filter_map(|line| serde_json::from_str::<Value>(line).ok())
        .filter(|message| message["target"]["name"] == package)
        .find_map(|message| message["executable"].as_str().map(PathBuf::from))
        .expect("cargo names the binary")
}

/// Folders with Azure's types and tools, when they lie beside the workspace; says that it skips where not.
pub fn shared(what: &str) -> Option<PathBuf> {
    let folder =
        std::env::var_os("LANDFALL_SHARED").map(PathBuf::from).unwrap_or_else(|| root().join("../shared"));
    let path = folder.join(what);
    if path.exists() {
        return Some(path);
    }
    // Not every checkout has it, CI's included.
    println!("skipped: {} is not there", path.display());
    None
}

/// Says that a test skips for want of a tool. Where `LANDFALL_NO_SKIP` is set, as in CI, it fails instead: there every
/// tool can be installed.
pub fn skip(why: &str) {
    assert!(std::env::var_os("LANDFALL_NO_SKIP").is_none(), "would be skipped: {why}");
    println!("skipped: {why}");
}

/// Whether only quick tests are wanted; says so.
pub fn quick() -> bool {
    let quick = std::env::var_os("LANDFALL_TEST_QUICK").is_some();
    if quick {
        println!("skipped: --quick");
    }
    quick
}

/// A project folder of its own; its local Azure is stopped and all of it removed at the end.
#[derive(Debug)]
pub struct Project {
    /// The manifest's folder.
    pub dir: PathBuf,
    temp: tempfile::TempDir,
}

/// What a command printed and how it ended.
#[derive(Clone, Debug)]
pub struct Ran {
    /// The exit code; -1 when it was killed.
    pub code: i32,
    /// Standard output.
    pub stdout: String,
    /// Standard error.
    pub stderr: String,
    /// How long it took.
    pub took: Duration,
}

impl Ran {
    /// Both streams, for messages.
    pub fn all(&self) -> String {
        format!("exit {}\n--- stdout\n{}\n--- stderr\n{}", self.code, self.stdout, self.stderr)
    }

    /// Asserts the exit code.
    #[track_caller]
    pub fn expect(self, code: i32) -> Ran {
        assert_eq!(self.code, code, "{}", self.all());
        self
    }

    /// The one JSON document on standard output.
    #[track_caller]
    pub fn json(&self) -> Value {
        serde_json::from_str(self.stdout.trim()).unwrap_or_else(|error| panic!("{error}: {}", self.all()))
    }

    /// The JSON lines on standard output.
    #[track_caller]
    pub fn lines(&self) -> Vec<Value> {
        self.stdout
            .lines()
            .map(|line| serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}")))
            .collect()
    }

    /// The last JSON line: the result of a run.
    #[track_caller]
    pub fn result(&self) -> Value {
        let last = self.lines().pop().unwrap_or_else(|| panic!("no output: {}", self.all()));
        assert_eq!(last["event"], "result", "{}", self.all());
        last
    }
}

impl Project {
    /// A copy of `examples/NAME`.
    pub fn example(name: &str) -> Project {
        let project = Project::empty(name);
        copy(&root().join("examples").join(name), &project.dir);
        project
    }

    /// A folder with this manifest.
    pub fn with_manifest(name: &str, manifest: &str) -> Project {
        let project = Project::empty(name);
        project.write("landfall.toml", manifest);
        project
    }

    fn empty(name: &str) -> Project {
        let temp =
            tempfile::Builder::new().prefix("landfall-").tempdir().expect("a temporary folder can be made");
        let dir = temp.path().join(name);
        std::fs::create_dir(&dir).expect("a folder can be made");
        Project { dir, temp }
    }

    /// Writes a file of the project.
    pub fn write(&self, file: &str, text: &str) {
        let path = self.dir.join(file);
        std::fs::create_dir_all(path.parent().expect("a file has a folder")).expect("folders can be made");
        std::fs::write(path, text).expect("a file can be written");
    }

    /// Reads a file of the project.
    pub fn read(&self, file: &str) -> String {
        std::fs::read_to_string(self.dir.join(file)).expect("the file can be read")
    }

    /// Replaces text in a file of the project; it must be there.
    #[track_caller]
    pub fn edit(&self, file: &str, from: &str, to: &str) {
        let text = self.read(file);
        assert!(text.contains(from), "{file} does not contain {from:?}:\n{text}");
        self.write(file, &text.replacen(from, to, 1));
    }

    /// `landfall ARGS` in this project, not started yet; home and environment are the test's own.
    pub fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(landfall());
        command
            .arg("-C")
            .arg(&self.dir)
            .args(args)
            .env_remove("LANDFALL_ENV")
            .env_remove("LANDFALL_LOCAL")
            .env("NO_COLOR", "1")
            .stdin(Stdio::null());
        for name in ["AZURE_SUBSCRIPTION_ID", "AZURE_TENANT_ID", "AZURE_CLIENT_ID", "AZURE_CLIENT_SECRET"] {
            command.env_remove(name);
        }
        command
    }

    /// Runs `landfall ARGS` and waits.
    pub fn run(&self, args: &[&str]) -> Ran {
        finish(self.command(args))
    }

    /// Runs it with this on standard input.
    pub fn run_with_input(&self, args: &[&str], input: &str) -> Ran {
        use std::io::Write as _;
        let mut command = self.command(args);
        let begun = Instant::now();
        let mut child = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("landfall starts");
        // A command that refuses at once may have closed its input.
        let _ = child.stdin.take().expect("it is piped").write_all(input.as_bytes());
        ran(child.wait_with_output().expect("landfall ends"), begun)
    }

    /// Starts it and does not wait.
    pub fn spawn(&self, args: &[&str]) -> Child {
        self.command(args).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("landfall starts")
    }

    /// `up --local --yes --json`, which must come to this outcome.
    #[track_caller]
    pub fn up(&self, outcome: &str) -> Value {
        let ran = self.run(&["up", "--local", "--yes", "--json"]);
        let result = ran.result();
        assert_eq!(result["outcome"], outcome, "{}", ran.all());
        result
    }

    /// The plain address of a service.
    #[track_caller]
    pub fn url(&self) -> String {
        let ran = self.run(&["status", "--local", "--json"]).expect(0);
        let status = ran.json();
        status["services"]
            .as_array()
            .into_iter()
            .flatten()
            .flat_map(|service| service["urls"].as_array().into_iter().flatten())
            .filter_map(Value::as_str)
            .find(|url| url.starts_with("http://127.0.0.1:"))
            .unwrap_or_else(|| panic!("no plain address: {status:#}"))
            .to_owned()
    }

    /// The environment that points other clients at this project's local Azure.
    #[track_caller]
    pub fn env(&self) -> Vec<(String, String)> {
        let ran = self.run(&["local", "env", "--json"]).expect(0);
        let env = ran.json()["env"].as_object().cloned().unwrap_or_default();
        env.into_iter().map(|(name, value)| (name, value.as_str().unwrap_or_default().to_owned())).collect()
    }
}

impl Project {
    fn settings(&self) -> BTreeMap<String, String> {
        self.env().into_iter().collect()
    }

    /// A token of the principal that `local env` names, for a resource such as `https://storage.azure.com`.
    #[track_caller]
    pub fn token(&self, resource: &str) -> String {
        let env = self.settings();
        let asked = format!("{}/{}/oauth2/v2.0/token", env["AUTH_URL"], env["TENANT_ID"]);
        let form = format!(
            "grant_type=client_credentials&client_id={}&client_secret={}&scope={resource}/.default",
            env["CLIENT_ID"], env["CLIENT_SECRET"]
        );
        let answer = block(async {
            let client = trusting(&env).build().expect("a client can be made");
            let request =
                client.post(asked).header("content-type", "application/x-www-form-urlencoded").body(form);
            let answer = request.send().await.expect("Entra answers");
            answer.json::<Value>().await.expect("Entra answers JSON")
        });
        answer["access_token"].as_str().unwrap_or_else(|| panic!("no token: {answer}")).to_owned()
    }

    /// One GET at a storage account's blobs by the principal that `local env` names: status and body.
    #[track_caller]
    pub fn blobs(&self, account: &str, path_and_query: &str) -> (u16, String) {
        let (env, token) = (self.settings(), self.token("https://storage.azure.com"));
        let suffix = &env["BLOB_SUFFIX"];
        let port = suffix.rsplit_once(':').and_then(|(_, port)| port.parse().ok()).expect("a port");
        let host = format!("{account}{}", suffix.trim_end_matches(|c: char| c == ':' || c.is_ascii_digit()));
        block(async {
            let here = std::net::SocketAddr::from(([127, 0, 0, 1], port));
            let client = trusting(&env).resolve(&host, here).build().expect("a client can be made");
            let request = client.get(format!("https://{host}:{port}{path_and_query}")).bearer_auth(token);
            let answer =
                request.header("x-ms-version", "2025-01-05").send().await.expect("the account answers");
            (answer.status().as_u16(), answer.text().await.expect("it answers in full"))
        })
    }

    /// Asserts that nothing Landfall wrote holds one of these values. Local Azure's own folder is the cloud, which has
    /// to hold them.
    #[track_caller]
    pub fn keeps_no_value(&self, values: &[&str]) {
        let hidden = self.dir.join(".landfall");
        let mut open = vec![hidden.clone()];
        while let Some(folder) = open.pop() {
            for entry in std::fs::read_dir(&folder).expect("it can be read").flatten() {
                let path = entry.path();
                if path == hidden.join("local") {
                    continue;
                }
                if path.is_dir() {
                    open.push(path);
                } else if let Ok(bytes) = std::fs::read(&path) {
                    for value in values {
                        let found = bytes.windows(value.len()).any(|window| window == value.as_bytes());
                        assert!(!found, "{} holds the value of a secret", path.display());
                    }
                }
            }
        }
    }

    /// A request to ARM as the principal that `local env` names; the answer's body.
    #[track_caller]
    pub fn arm(&self, method: &str, path: &str, body: Option<Value>) -> Value {
        let env = self.settings();
        let token = self.token(&env["ARM_URL"]);
        block(async {
            let client = trusting(&env).build().expect("a client can be made");
            let method = method.parse().expect("a method");
            let mut request = client.request(method, format!("{}{path}", env["ARM_URL"])).bearer_auth(token);
            if let Some(body) = body {
                request = request.json(&body);
            }
            let answer =
                request.send().await.expect("ARM answers").text().await.expect("ARM answers in full");
            serde_json::from_str(&answer).unwrap_or(Value::Null)
        })
    }
}

/// A client that trusts the local Azure with these settings.
fn trusting(env: &BTreeMap<String, String>) -> reqwest::ClientBuilder {
    let ca = std::fs::read(&env["CA_FILE"]).expect("the CA can be read");
    let ca = reqwest::Certificate::from_pem(&ca).expect("the CA is a certificate");
    reqwest::Client::builder().no_proxy().tls_certs_merge([ca])
}

/// Runs a future to its end on this thread.
pub fn block<T>(future: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    runtime.expect("a runtime can be made").block_on(future)
}

impl Drop for Project {
    fn drop(&mut self) {
        if std::thread::panicking() && std::env::var_os("LANDFALL_KEEP").is_some() {
            println!("kept: {}", self.dir.display());
            self.temp.disable_cleanup(true);
        }
        // Whatever the test came to, no process may outlive it.
        let _ = self.command(&["local", "stop"]).stdout(Stdio::null()).stderr(Stdio::null()).status();
    }
}

/// Runs a command to its end.
pub fn finish(mut command: Command) -> Ran {
    let begun = Instant::now();
    ran(command.output().expect("the command starts"), begun)
}

fn ran(output: std::process::Output, begun: Instant) -> Ran {
    Ran {
        code: output.status.code().unwrap_or(-1),
        stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
        stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
        took: begun.elapsed(),
    }
}

/// Copies a folder without what is made in it.
fn copy(from: &Path, to: &Path) {
    for entry in std::fs::read_dir(from).unwrap_or_else(|error| panic!("{}: {error}", from.display())) {
        let entry = entry.expect("a folder can be read");
        let name = entry.file_name();
        if ["target", "node_modules", ".landfall", "dist"].iter().any(|made| name == *made) {
            continue;
        }
        let target = to.join(&name);
        if entry.file_type().expect("an entry has a type").is_dir() {
            std::fs::create_dir_all(&target).expect("a folder can be made");
            copy(&entry.path(), &target);
        } else {
            std::fs::copy(entry.path(), target).expect("a file can be copied");
        }
    }
}

/// Waits until `condition` gives something; panics with `what` and its last words after `limit`.
#[track_caller]
pub fn wait_for<T>(what: &str, limit: Duration, mut condition: impl FnMut() -> Result<T, String>) -> T {
    let begun = Instant::now();
    loop {
        match condition() {
            Ok(value) => return value,
            Err(status) if begun.elapsed() > limit => {
                panic!("{what}: not within {limit:?}; at last: {status}")
            }
            Err(_) => std::thread::sleep(Duration::from_millis(20)),
        }
    }
}

/// One GET: status and body.
pub fn get(url: &str) -> Result<(u16, String), String> {
    let runtime =
        tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(|e| e.to_string())?;
    runtime.block_on(async {
        let client = reqwest::Client::builder()
            .no_proxy()
            .timeout(Duration::from_secs(60))
            .build()
            .map_err(|error| error.to_string())?;
        let response = client.get(url).send().await.map_err(|error| format!("{error:?}"))?;
        let status = response.status().as_u16();
        Ok((status, response.text().await.map_err(|error| error.to_string())?))
    })
}

/// Steady requests at an address from a thread of its own.
pub struct Load {
    stop: Arc<AtomicBool>,
    sent: Arc<AtomicUsize>,
    failed: Arc<Mutex<Vec<String>>>,
    bodies: Arc<Mutex<Vec<String>>>,
    thread: std::thread::JoinHandle<()>,
}

/// What came of a [`Load`].
#[derive(Clone, Debug)]
pub struct Counted {
    /// Requests sent.
    pub sent: usize,
    /// Why some failed: no answer, or a status other than 200.
    pub failed: Vec<String>,
    /// The different bodies, in the order in which each was first seen.
    pub bodies: Vec<String>,
}

impl Load {
    /// Begins `per_second` requests to `url`, each sent on time whether or not earlier ones were answered.
    pub fn start(url: &str, per_second: u32) -> Load {
        let (stop, sent) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicUsize::new(0)));
        let failed = Arc::new(Mutex::new(Vec::new()));
        let bodies = Arc::new(Mutex::new(Vec::new()));
        let shared = (url.to_owned(), stop.clone(), sent.clone(), failed.clone(), bodies.clone());
        let thread = std::thread::spawn(move || {
            let (url, stop, sent, failed, bodies) = shared;
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build()
                .expect("a runtime can be made");
            runtime.block_on(async {
                let client = reqwest::Client::builder()
                    .no_proxy()
                    .timeout(Duration::from_secs(30))
                    .build()
                    .expect("a client can be made");
                let mut tick = tokio::time::interval(Duration::from_secs(1) / per_second);
                let mut open = tokio::task::JoinSet::new();
                while !stop.load(Ordering::Relaxed) {
                    tick.tick().await;
                    sent.fetch_add(1, Ordering::Relaxed);
                    let (client, url) = (client.clone(), url.clone());
                    let (failed, bodies) = (failed.clone(), bodies.clone());
                    open.spawn(async move {
                        let answer = async {
                            let response =
                                client.get(&url).send().await.map_err(|error| format!("{error:?}"))?;
                            let status = response.status();
                            let body = response.text().await.map_err(|error| format!("{error:?}"))?;
                            if status.is_success() { Ok(body) } else { Err(format!("{status}: {body}")) }
                        };
                        match answer.await {
                            Ok(body) => {
                                let mut bodies = bodies.lock().expect("no test panics with this lock");
                                if !bodies.contains(&body) {
                                    bodies.push(body);
                                }
                            }
                            Err(why) => failed.lock().expect("no test panics with this lock").push(why),
                        }
                    });
                }
                while open.join_next().await.is_some() {}
            });
        });
        Load { stop, sent, failed, bodies, thread }
    }

    /// Ends it once every request sent has been answered.
    pub fn stop(self) -> Counted {
        self.stop.store(true, Ordering::Relaxed);
        self.thread.join().expect("the load's thread ends");
        Counted {
            sent: self.sent.load(Ordering::Relaxed),
            failed: self.failed.lock().expect("the thread has ended").clone(),
            bodies: self.bodies.lock().expect("the thread has ended").clone(),
        }
    }
}
