//! Real servers that tests bring up for themselves: PostgreSQL and Azurite, each in a folder and on a port of its own.

use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit, Mac};

use crate::{skip, wait_for};

/// A port that nobody listens on.
///
/// # Panics
/// When the machine has none.
pub fn free_port() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port is free");
    listener.local_addr().expect("it has an address").port()
}

/// Ends its process with itself.
struct Process(Child);

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// A PostgreSQL server with one empty database.
pub struct Postgres {
    port: u16,
    data: PathBuf,
    programs: PathBuf,
    server: Option<Process>,
    _folder: tempfile::TempDir,
}

impl Postgres {
    /// Starts one; `None`, with the reason printed, where PostgreSQL is not installed.
    ///
    /// # Panics
    /// When it is installed and does not start.
    pub fn start() -> Option<Postgres> {
        let Some(programs) = postgres_programs() else {
            skip("PostgreSQL is not installed (Debian: postgresql; `./test` installs it)");
            return None;
        };
        let folder = tempfile::tempdir().expect("a temporary folder can be made");
        let data = folder.path().join("data");
        if is_root() {
            // The server refuses to run as root.
            let owned = Command::new("chown").args(["postgres", "--"]).arg(folder.path()).status();
            assert!(owned.is_ok_and(|status| status.success()), "there is no user `postgres`");
        }
        let made = as_postgres(&programs.join("initdb"))
            .args(["--auth=trust", "--username=postgres", "--no-sync", "--encoding=UTF8", "-D"])
            .arg(&data)
            .output()
            .expect("initdb starts");
        assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
        let mut postgres = Postgres { port: free_port(), data, programs, server: None, _folder: folder };
        postgres.resume();
        Some(postgres)
    }

    /// The URL of its database.
    pub fn url(&self) -> String {
        format!("postgres://postgres@127.0.0.1:{}/postgres", self.port)
    }

    /// Ends the server at once, as a crash would: without a checkpoint, so that it recovers from its log.
    pub fn kill(&mut self) {
        let stop = ["stop", "-m", "immediate", "-D", &self.data.to_string_lossy()].map(str::to_owned);
        let _ = as_postgres(&self.programs.join("pg_ctl"))
            .args(stop)
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .status();
        self.server = None;
    }

    /// Starts the server again on the same data.
    ///
    /// # Panics
    /// When it does not come up.
    pub fn resume(&mut self) {
        let child = as_postgres(&self.programs.join("postgres"))
            .args(["-D", &self.data.to_string_lossy(), "-p", &self.port.to_string()])
            .args(["-c", "listen_addresses=127.0.0.1", "-c", "unix_socket_directories="])
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("postgres starts");
        self.server = Some(Process(child));
        let ready = self.programs.join("pg_isready");
        let port = self.port.to_string();
        wait_for("PostgreSQL takes connections", Duration::from_secs(30), || {
            let asked = Command::new(&ready).args(["-q", "-h", "127.0.0.1", "-p", &port]).status();
            asked.is_ok_and(|status| status.success()).then_some(()).ok_or_else(|| "not yet".to_owned())
        });
    }
}

impl Drop for Postgres {
    fn drop(&mut self) {
        self.kill();
    }
}

fn is_root() -> bool {
    Command::new("id").arg("-u").output().is_ok_and(|output| output.stdout.trim_ascii() == b"0")
}

fn as_postgres(program: &Path) -> Command {
    if !is_root() {
        return Command::new(program);
    }
    let mut command = Command::new("runuser");
    command.args(["-u", "postgres", "--"]).arg(program).current_dir("/");
    command
}

/// The folder of the newest server installed.
fn postgres_programs() -> Option<PathBuf> {
    let debian = std::fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten();
    let mut folders: Vec<_> = debian.map(|version| version.path().join("bin")).collect();
    folders.sort();
    let path = std::env::var_os("PATH").unwrap_or_default();
    folders.reverse();
    folders.into_iter().chain(std::env::split_paths(&path)).find(|folder| folder.join("initdb").exists())
}

/// Azurite's blob service, with its well-known account.
pub struct Azurite {
    /// Where its account is.
    pub endpoint: String,
    _server: Process,
    _folder: tempfile::TempDir,
}

/// Where `./test` has installed what comes from npm: the folder that `LANDFALL_NODE_MODULES` names.
pub fn node_modules() -> PathBuf {
    let folder = std::env::var_os("LANDFALL_NODE_MODULES");
    folder.unwrap_or_else(|| "/tmp/landfall-node/node_modules".into()).into()
}

impl Azurite {
    /// The account that every Azurite has.
    pub const ACCOUNT: &'static str = "devstoreaccount1";
    /// The account's key, published by Microsoft.
    pub const KEY: &'static str =
        "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw==";

    /// Starts one; `None`, with the reason printed, where Azurite is not installed.
    ///
    /// # Panics
    /// When it is installed and does not start.
    pub fn start() -> Option<Azurite> {
        let program = node_modules().join(".bin/azurite-blob");
        if !program.exists() {
            skip(&format!("Azurite is not installed: no {} (`./test --tools`)", program.display()));
            return None;
        }
        let folder = tempfile::tempdir().expect("a temporary folder can be made");
        let port = free_port();
        let child = Command::new(program)
            .args([
                "--silent",
                "--skipApiVersionCheck",
                "--disableTelemetry",
                "--blobPort",
                &port.to_string(),
            ])
            .arg("--location")
            .arg(folder.path())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("azurite starts");
        let server = Process(child);
        wait_for("Azurite listens", Duration::from_secs(30), || {
            std::net::TcpStream::connect(("127.0.0.1", port)).map_err(|error| error.to_string())
        });
        let endpoint = format!("http://127.0.0.1:{port}/{}", Azurite::ACCOUNT);
        Some(Azurite { endpoint, _server: server, _folder: folder })
    }

    /// Makes a container, by Shared Key.
    ///
    /// # Panics
    /// When Azurite refuses.
    pub async fn container(&self, name: &str, now: &str) {
        let account = Azurite::ACCOUNT;
        let to_sign = format!(
            "PUT\n\n\n\n\n\n\n\n\n\n\n\nx-ms-date:{now}\nx-ms-version:2021-08-06\n/{account}/{account}/{name}\nrestype:container"
        );
        let key = STANDARD.decode(Azurite::KEY).expect("the key is base64");
        let mut mac = Hmac::<sha2::Sha256>::new_from_slice(&key).expect("any key will do");
        mac.update(to_sign.as_bytes());
        let signature = STANDARD.encode(mac.finalize().into_bytes());
        let answer = reqwest::Client::new()
            .put(format!("{}/{name}?restype=container", self.endpoint))
            .header("x-ms-date", now)
            .header("x-ms-version", "2021-08-06")
            .header("authorization", format!("SharedKey {account}:{signature}"))
            .header("content-length", "0")
            .send()
            .await
            .expect("Azurite answers");
        assert!(
            answer.status().is_success(),
            "{}: {}",
            answer.status(),
            answer.text().await.unwrap_or_default()
        );
    }
}
