//! call-tickets: how fast it acknowledges, with the same webhook in FastAPI beside it in the same run.
//!
//! Both are sent calls that were signed before the clock ran, each another conversation, over connections that are
//! kept, and both have the event on the disk before they answer. call-tickets runs as `serve` does with nothing but a
//! secret: no TOPdesk is configured, so that its workers store each transcript, make its ticket by rules and then put
//! the event off, a few at a time while the rush lasts. FastAPI does nothing with its events. Neither writes a line of
//! log for each call. FastAPI is started twice, as the document's image starts it (one process) and with a process for
//! each processor, and the better of the two counts.

use std::net::{SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use hmac::{Hmac, KeyInit, Mac};
use serde_json::{Value, json};
use sha2::Sha256;

use crate::load::{self, Load, Target};
use crate::report::{Figure, Report, Wanted, median};
use crate::{Failure, Scale};

const SECRET: &str = "a-secret-of-the-benchmark";
/// Deliveries at once.
const CLIENTS: usize = 100;
/// Starts for the median.
const STARTS: usize = 5;
const START_MAX: Duration = Duration::from_secs(30);

/// How one of the two is started, on a port and with its data in a folder.
type Subject = Box<dyn Fn(u16, &Path) -> Command>;

/// A process that ends with the measurement, and its children with it.
struct Running {
    child: Child,
    address: SocketAddr,
    /// From the start to the first acknowledgement.
    started: Duration,
    _folder: tempfile::TempDir,
}

impl Drop for Running {
    fn drop(&mut self) {
        for process in family(self.child.id()).into_iter().rev() {
            let _ = Command::new("kill").args(["-9", &process.to_string()]).status();
        }
        let _ = self.child.wait();
    }
}

/// What was measured of a subject.
#[derive(Default)]
struct Measured {
    loads: Vec<Load>,
    rest: Vec<f64>,
    under_load: Vec<f64>,
    starts: Vec<f64>,
}

impl Measured {
    fn percentile(&self, percent: usize) -> f64 {
        median(self.loads.iter().map(|load| load.percentile(percent)).collect())
    }

    fn rate(&self) -> f64 {
        median(self.loads.iter().map(Load::rate).collect())
    }
}

/// Measures both, or says why FastAPI is missing.
pub async fn run(scale: Scale) -> Result<Report, Failure> {
    let mut report = Report::default();
    let binary = binary()?;
    let ours: Subject = Box::new(move |port, folder| {
        let mut command = program(&binary);
        command.args(["serve", "--loopback", "--port", &port.to_string()]);
        // FastAPI's access log is off as well.
        command.env("STORAGE_BASE_PATH", folder).env("LOG_LEVEL", "warn");
        command
    });
    let mut peers = Vec::new();
    match fastapi() {
        Ok(path) => {
            let cores = std::thread::available_parallelism().map_or(1, usize::from);
            let mut counts = vec![1, cores];
            counts.dedup();
            peers.extend(counts.into_iter().map(|count| uvicorn(path.clone(), count)));
        }
        Err(why) => report.skipped.push(format!("FastAPI beside it: {why}")),
    }
    let mut own = Measured::default();
    let mut others: Vec<Measured> = peers.iter().map(|_| Measured::default()).collect();
    // in turns, so that whatever else the machine does hits all alike
    for round in 0..scale.rounds {
        measure(&ours, scale, round, &mut own).await?;
        for (peer, measured) in peers.iter().zip(&mut others) {
            measure(peer, scale, round, measured).await?;
        }
    }
    starts(&ours, &mut own).await?;
    for (peer, measured) in peers.iter().zip(&mut others) {
        starts(peer, measured).await?;
    }
    let best = others.into_iter().max_by(|one, other| one.rate().total_cmp(&other.rate()));
    figures(&own, best.as_ref(), &mut report);
    Ok(report)
}

fn figures(own: &Measured, peer: Option<&Measured>, report: &mut Report) {
    let mut row = |name, unit, of: &dyn Fn(&Measured) -> f64, wanted| {
        let peer = peer.map(|peer| ("FastAPI", of(peer)));
        report.figures.push(Figure { name, unit, ours: of(own), peer, wanted });
    };
    row("acknowledgement, 100 at once, p50", "ms", &|all| all.percentile(50), Wanted::Told);
    row("acknowledgement, 100 at once, p95", "ms", &|all| all.percentile(95), Wanted::Told);
    row("acknowledgement, 100 at once, p99", "ms", &|all| all.percentile(99), Wanted::Below(10.0));
    let rate = peer.map_or(Wanted::Told, |peer| Wanted::AtLeast((10.0 * peer.rate()).round()));
    row("acknowledgements, 100 at once", "/s", &Measured::rate, rate);
    row("memory at rest", "MB", &|all| median(all.rest.clone()), Wanted::Below(20.0));
    row("memory under that load", "MB", &|all| median(all.under_load.clone()), Wanted::Below(60.0));
    row("cold start to first acknowledgement", "ms", &|all| median(all.starts.clone()), Wanted::Below(100.0));
}

/// One round on a fresh process and empty data.
async fn measure(
    subject: &Subject,
    scale: Scale,
    round: usize,
    measured: &mut Measured,
) -> Result<(), Failure> {
    let running = start(subject).await?;
    tokio::time::sleep(Duration::from_millis(500)).await;
    measured.rest.push(resident(running.child.id())?);
    let deliveries: Arc<Vec<Vec<u8>>> = Arc::new(
        (0..scale.deliveries).map(|number| delivery(running.address, &format!("{round}-{number}"))).collect(),
    );
    let (done, process) = (Arc::new(AtomicBool::new(false)), running.child.id());
    let watched = done.clone();
    let watching = tokio::task::spawn_blocking(move || {
        let mut most = 0.0_f64;
        while !watched.load(Ordering::Relaxed) {
            most = most.max(resident(process).unwrap_or_default());
            std::thread::sleep(Duration::from_millis(20));
        }
        most
    });
    let loaded = load::each(running.address, CLIENTS, deliveries).await;
    done.store(true, Ordering::Relaxed);
    measured.under_load.push(watching.await?);
    measured.loads.push(loaded?);
    Ok(())
}

async fn starts(subject: &Subject, measured: &mut Measured) -> Result<(), Failure> {
    for _ in 0..STARTS {
        measured.starts.push(start(subject).await?.started.as_secs_f64() * 1000.0);
    }
    Ok(())
}

/// Starts it; running once it has acknowledged a call.
async fn start(subject: &Subject) -> Result<Running, Failure> {
    let folder = tempfile::Builder::new().prefix("landfall-bench-").tempdir()?;
    let address = TcpListener::bind("127.0.0.1:0")?.local_addr()?;
    let request = delivery(address, "first");
    let begun = Instant::now();
    let child = subject(address.port(), folder.path()).spawn()?;
    let mut running = Running { child, address, started: Duration::ZERO, _folder: folder };
    let target = Target { address, tls: None, request };
    loop {
        match load::run(&target, 1, Duration::from_nanos(1)).await {
            Ok(_) => break,
            Err(error) if begun.elapsed() > START_MAX => {
                return Err(format!("{address} does not acknowledge: {error}").into());
            }
            Err(_) => tokio::time::sleep(Duration::from_millis(1)).await,
        }
    }
    running.started = begun.elapsed();
    Ok(running)
}

/// A program with the secret, and nothing else of this process's environment.
fn program(path: &Path) -> Command {
    let mut command = Command::new(path);
    command.env_clear().env("PATH", std::env::var_os("PATH").unwrap_or_default());
    command.env("ELEVENLABS_WEBHOOK_SECRET", SECRET);
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    command
}

/// A call, signed, as a whole request; another conversation for each name.
fn delivery(address: SocketAddr, name: &str) -> Vec<u8> {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs());
    let body = call(&format!("conv_{name}"), now).to_string();
    let mut mac = Hmac::<Sha256>::new_from_slice(SECRET.as_bytes()).expect("a key of any length will do");
    mac.update(format!("{now}.{body}").as_bytes());
    let signature = hex::encode(mac.finalize().into_bytes());
    let length = body.len();
    format!(
        "POST /elevenlabs/webhook HTTP/1.1\r\nhost: {address}\r\ncontent-type: application/json\r\n\
         content-length: {length}\r\nelevenlabs-signature: t={now},v0={signature}\r\n\r\n{body}"
    )
    .into_bytes()
}

fn call(conversation: &str, now: u64) -> Value {
    let said = [
        ("agent", "Goedemorgen, servicedesk, waarmee kan ik u helpen?"),
        ("user", "U spreekt met Jan de Vries van het magazijn."),
        ("user", "De etikettenprinter drukt alleen strepen af."),
        ("user", "Het begon vanochtend, ik heb hem al uit en aan gezet."),
        ("agent", "Ik leg het vast voor een collega. Tot ziens."),
    ];
    let turns: Vec<Value> = said
        .iter()
        .zip(0..)
        .map(|((role, message), place)| {
            json!({
                "role": role, "message": message, "time_in_call_secs": place * 9, "tool_calls": [],
                "tool_results": [], "interrupted": false,
            })
        })
        .collect();
    json!({
        "type": "post_call_transcription",
        "event_timestamp": now,
        "data": {
            "agent_id": "agent_benchmark", "conversation_id": conversation, "status": "done", "transcript": turns,
            "metadata": {
                "start_time_unix_secs": now - 60, "call_duration_secs": 45, "main_language": "nl",
                "phone_call": {"type": "sip_trunking", "direction": "inbound", "external_number": "+31610000000"},
            },
            "analysis": {
                "call_successful": "success", "call_summary_title": "Etikettenprinter drukt strepen af",
                "transcript_summary": "De etikettenprinter in het magazijn drukt alleen strepen af.",
                "data_collection_results": {"caller_name": {"data_collection_id": "caller_name", "value": "Jan de Vries"}},
            },
            "conversation_initiation_client_data": {"dynamic_variables": {"system__caller_id": "+31610000000"}},
            "has_audio": true, "has_user_audio": true, "has_response_audio": true, "has_auxiliary_audio": false,
        },
    })
}

/// The binary that is measured: `CALL_TICKETS_BIN`, or the one beside this program.
fn binary() -> Result<PathBuf, Failure> {
    if let Some(named) = std::env::var_os("CALL_TICKETS_BIN") {
        return Ok(named.into());
    }
    let beside = std::env::current_exe()?.with_file_name("call-tickets");
    if beside.exists() {
        return Ok(beside);
    }
    Err(format!("there is no {}: run `cargo build --release -p call-tickets` first", beside.display()).into())
}

fn uvicorn(path: PathBuf, workers: usize) -> Subject {
    Box::new(move |port, folder| {
        let mut command = program(&path);
        command.arg("--app-dir").arg(sources()).args(["server:app", "--no-access-log"]);
        command.args(["--port", &port.to_string(), "--workers", &workers.to_string()]);
        command.env("EVENTS", folder.join("events.db")).env("PYTHONDONTWRITEBYTECODE", "1");
        command
    })
}

fn sources() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("call-tickets/fastapi")
}

/// uvicorn of the folder that `LANDFALL_FASTAPI_VENV` names; FastAPI is installed there from PyPI once.
fn fastapi() -> Result<PathBuf, String> {
    let folder = std::env::var_os("LANDFALL_FASTAPI_VENV").unwrap_or_else(|| "/tmp/landfall-fastapi".into());
    let (folder, wanted) = (PathBuf::from(folder), sources().join("requirements.txt"));
    let (program, noted) = (folder.join("bin/uvicorn"), folder.join("requirements.txt"));
    let read = |file: &Path| std::fs::read(file).ok();
    if program.exists() && read(&noted) == read(&wanted) {
        return Ok(program);
    }
    let succeeded =
        |command: &mut Command| command.stdout(Stdio::null()).status().is_ok_and(|status| status.success());
    let made = succeeded(Command::new("python3").args(["-m", "venv"]).arg(&folder));
    let pip = folder.join("bin/pip");
    if made && succeeded(Command::new(pip).args(["install", "-q", "-r"]).arg(&wanted)) {
        std::fs::copy(&wanted, &noted).map_err(|error| error.to_string())?;
        return Ok(program);
    }
    Err("it cannot be installed (python3 with venv, and PyPI, are needed)".into())
}

/// A process and those it started, itself first.
fn family(process: u32) -> Vec<u32> {
    let mut all = vec![process];
    let mut next = 0;
    while let Some(one) = all.get(next) {
        let children = std::fs::read_to_string(format!("/proc/{one}/task/{one}/children"));
        let children: Vec<u32> =
            children.unwrap_or_default().split_whitespace().filter_map(|child| child.parse().ok()).collect();
        all.extend(children);
        next += 1;
    }
    all
}

/// What a process and those it started have in memory, in megabytes.
fn resident(process: u32) -> Result<f64, Failure> {
    let mut kib = 0.0;
    for one in family(process) {
        // One of them may have ended meanwhile.
        let Ok(status) = std::fs::read_to_string(format!("/proc/{one}/status")) else { continue };
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).ok_or("no VmRSS")?;
        kib += line.trim().trim_end_matches("kB").trim().parse::<f64>()?;
    }
    Ok(kib * 1024.0 / 1e6)
}
