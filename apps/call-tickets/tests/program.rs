//! The program itself: what `check` says, a disk that is full, and a stop in the middle.
#![allow(clippy::expect_used)]

use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use call_tickets::fakes::{Fault, desk, desk::Desk};
use call_tickets::{signature, simulate};
use jiff::Timestamp;
use landfall_tests::wait_for;
use rand::SeedableRng;
use rand::rngs::StdRng;

const PROGRAM: &str = env!("CARGO_BIN_EXE_call-tickets");
const SECRET: &str = "a-secret-of-the-program-test";

/// A process of the service, killed with the test.
struct Running {
    child: Child,
    url: String,
    http: reqwest::Client,
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Starts it on a folder, with files of so many bytes at most if that is said.
async fn start(folder: &Path, desk: &Desk, largest_file: Option<u64>) -> Running {
    let port = landfall_tests::servers::free_port();
    let mut command = Command::new("bash");
    // Beyond the limit a write fails as on a full disk; the signal that comes with it would end the process.
    let limit = largest_file.map_or_else(|| "unlimited".to_owned(), |bytes| (bytes / 1024).to_string());
    command.args(["-c", &format!("trap '' XFSZ; ulimit -f {limit}; exec \"$@\""), "bash", PROGRAM]);
    command.args(["serve", "--loopback", "--port", &port.to_string()]);
    command.env_clear().env("PATH", std::env::var_os("PATH").unwrap_or_default());
    command.env("ELEVENLABS_WEBHOOK_SECRET", SECRET).env("STORAGE_BASE_PATH", folder);
    command.env("TOPDESK_URL", &desk.url).env("TOPDESK_USERNAME", desk::USER);
    command.env("TOPDESK_PASSWORD", desk::PASSWORD).env("CALL_TICKETS_RETRY_BASE_MS", "20");
    command.env("LOG_LEVEL", "off").stdout(Stdio::null()).stderr(Stdio::null());
    let child = command.spawn().expect("the service starts");
    let running = Running { child, url: format!("http://127.0.0.1:{port}"), http: reqwest::Client::new() };
    tokio::task::block_in_place(|| {
        wait_for("the service listens", Duration::from_secs(30), || {
            std::net::TcpStream::connect(("127.0.0.1", port)).map_err(|error| error.to_string())
        });
    });
    running
}

impl Running {
    /// Delivers a call: its conversation, when it was taken, or else the status.
    async fn deliver(&self, seed: u64) -> Result<String, u16> {
        let call = simulate::call(&mut StdRng::seed_from_u64(seed), Timestamp::now());
        let body = call.to_string();
        let header = signature::header(&SECRET.to_owned().into(), body.as_bytes(), Timestamp::now());
        let request =
            self.http.post(format!("{}/elevenlabs/webhook", self.url)).header(signature::HEADER, header);
        match request.body(body).send().await {
            Ok(answer) if answer.status() == 200 => {
                Ok(call["data"]["conversation_id"].as_str().expect("an id").to_owned())
            }
            Ok(answer) => Err(answer.status().as_u16()),
            Err(_) => Err(0),
        }
    }
}

/// Waits until each of these calls has its one incident.
fn become_tickets(desk: &Desk, calls: &[String]) {
    tokio::task::block_in_place(|| {
        wait_for("every call has its ticket", Duration::from_secs(60), || {
            let held = desk.held();
            let made =
                |call: &String| held.incidents.iter().filter(|made| made["externalNumber"] == **call).count();
            match calls.iter().find(|call| made(call) != 1) {
                Some(call) => Err(format!("{call} has {}", made(call))),
                None => Ok(()),
            }
        });
    });
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_disk_refuses_calls_and_loses_none() {
    let (desk, folder) = (Desk::start().await.expect("a desk"), tempfile::tempdir().expect("a folder"));
    let mut running = start(folder.path(), &desk, Some(300 << 10)).await;
    let mut taken = Vec::new();
    let refused = loop {
        match running.deliver(taken.len() as u64).await {
            Ok(call) => taken.push(call),
            Err(status) => break status,
        }
        assert!(taken.len() < 5000, "the disk is never full");
    };
    assert_eq!(refused, 503, "ElevenLabs is told to deliver it again");
    assert!(!taken.is_empty());
    let health = running.http.get(format!("{}/elevenlabs/health", running.url)).send().await;
    assert_eq!(health.expect("it lives").status(), 200);
    assert!(running.child.try_wait().expect("can be asked").is_none(), "it goes on");
    drop(running);
    let running = start(folder.path(), &desk, None).await;
    taken.push(running.deliver(1 << 20).await.expect("there is room again"));
    become_tickets(&desk, &taken);
}

#[tokio::test(flavor = "multi_thread")]
async fn told_to_stop_it_ends_in_time_and_every_call_that_was_taken_becomes_a_ticket() {
    let (desk, folder) = (Desk::start().await.expect("a desk"), tempfile::tempdir().expect("a folder"));
    let mut running = start(folder.path(), &desk, None).await;
    for _ in 0..5 {
        desk.faults.next("POST /tas/api/incidents", Fault::Slow(Duration::from_millis(700)));
    }
    let mut taken = Vec::new();
    for seed in 0..30 {
        taken.extend(running.deliver(seed).await);
    }
    assert_eq!(taken.len(), 30);
    let process = nix::unistd::Pid::from_raw(i32::try_from(running.child.id()).expect("an id"));
    nix::sys::signal::kill(process, nix::sys::signal::Signal::SIGTERM).expect("is told to stop");
    let ended = tokio::task::block_in_place(|| {
        wait_for("it ends", Duration::from_secs(30), || {
            running.child.try_wait().expect("can be asked").ok_or_else(|| "it runs".to_owned())
        })
    });
    assert_eq!(ended.code(), Some(0));
    let _running = start(folder.path(), &desk, None).await;
    become_tickets(&desk, &taken);
}

#[test]
fn check_says_what_is_wrong_and_shows_no_value() {
    let check = |variables: &[(&str, &str)]| {
        let mut command = Command::new(PROGRAM);
        command.args(["check", "--json"]).env_clear().envs(variables.iter().copied());
        let output = command.output().expect("it runs");
        let printed =
            String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
        (output.status.code(), printed)
    };
    let (code, printed) = check(&[("ELEVENLABS_WEBHOOK_SECRET", "planted-webhook-secret")]);
    assert_eq!(code, Some(0), "{printed}");
    assert!(!printed.contains("planted"), "{printed}");
    for (variable, value) in [
        ("APPLICATIONINSIGHTS_CONNECTION_STRING", "planted"),
        ("OTEL_EXPORTER_OTLP_ENDPOINT", "http://planted planted"),
        ("LOG_LEVEL", "a=b=planted"),
        ("CALL_TICKETS_STORE", "postgres://planted:planted@"),
        ("TOPDESK_PASSWORD", "planted"),
        ("OPENAI_API_BASE", "planted"),
        ("GMAIL_SMTP_PASSWORD", "planted"),
        ("AZURE_STORAGE_BLOB_ENDPOINT", "planted"),
    ] {
        let mail = ("NOTIFICATION_EMAIL_TO", "people@example.org");
        let account = ("AZURE_STORAGE_ACCOUNT", "account");
        let secret = ("ELEVENLABS_WEBHOOK_SECRET", "planted-webhook-secret");
        let (code, printed) = check(&[secret, mail, account, (variable, value)]);
        assert_eq!(code, Some(1), "{variable}: {printed}");
        let named = variable.split('_').next().expect("a name");
        assert!(printed.contains(named) && !printed.contains("planted"), "{variable}: {printed}");
    }
}
