//! The command line.

use std::io::Write;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use clap::{Parser, Subcommand};
use jiff::Timestamp;
use landfall_store::{State, Store};
use landfall_telemetry::{Options, Telemetry};
use secrecy::{ExposeSecret, SecretString};
use serde_json::json;
use tokio::sync::watch;

use crate::config::{self, Config, Finding, Severity, Topdesk};
use crate::fakes::desk::{self, Desk};
use crate::metrics::Metrics;
use crate::service::{Outside, Service, kept_in, random_secret};
use crate::{notify, simulate, topdesk, web, worker};

/// How long work that is under way may take when the service stops: less than the 30 seconds that platforms give.
const DRAIN: Duration = Duration::from_secs(20);

/// From a phone call to a ticket: ElevenLabs' post-call webhooks become TOPdesk incidents.
#[derive(Parser)]
#[command(name = "call-tickets", version)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Take webhooks in and make tickets of calls
    Serve {
        /// With a stand-in for TOPdesk on loopback, a token for the operator's page, and a secret if none is set
        #[arg(long)]
        demo: bool,
        /// The port to listen on
        #[arg(long, env = "PORT", hide_env = true)]
        port: Option<u16>,
        /// Listen on loopback only
        #[arg(long)]
        loopback: bool,
    },
    /// Say what of the configuration is missing or wrong, without showing a secret
    Check {
        /// Also ask every service that is configured
        #[arg(long)]
        connect: bool,
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
    /// Bring dead letters back
    Replay {
        /// A dead letter's id, as the operator's page and the notification show it
        #[arg(required_unless_present = "all")]
        id: Option<String>,
        /// All of them
        #[arg(long, conflicts_with = "id")]
        all: bool,
    },
    /// Sign and send realistic calls, and report how fast they were acknowledged and how many became tickets
    Simulate {
        /// The service's address
        #[arg(long, default_value = "http://127.0.0.1:8000")]
        url: String,
        /// How many calls
        #[arg(long, default_value_t = 1000)]
        calls: usize,
        /// How many at a time
        #[arg(long, default_value_t = 10)]
        at: usize,
        /// Decides what the calls are about; another one makes other conversations
        #[arg(long)]
        seed: Option<u64>,
        /// How many seconds the calls are followed to their tickets, when CALL_TICKETS_TOKEN is set
        #[arg(long, default_value_t = 60)]
        wait: u64,
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
}

/// Runs the command; the status that the process ends with: 0 done, 1 failed, 2 called wrongly.
pub fn run() -> u8 {
    let cli = Cli::parse();
    // Threads cost memory, and the work is mostly waiting.
    let threads = std::thread::available_parallelism().map_or(2, |count| count.get().min(4));
    let runtime =
        match tokio::runtime::Builder::new_multi_thread().worker_threads(threads).enable_all().build() {
            Ok(runtime) => runtime,
            Err(error) => return failed(&format!("no threads can be started: {error}")),
        };
    let done = runtime.block_on(async {
        match cli.command {
            Command::Serve { demo, port, loopback } => serve(demo, port, loopback).await,
            Command::Check { connect, json } => check(connect, json).await,
            Command::Replay { id, all } => replay(id, all).await,
            Command::Simulate { url, calls, at, seed, wait, json } => {
                let seed = seed.unwrap_or_else(|| Timestamp::now().as_millisecond().unsigned_abs());
                simulated(url, calls, at, seed, wait, json).await
            }
        }
    });
    // Lookups that still wait must not keep the process.
    runtime.shutdown_timeout(Duration::from_secs(1));
    done
}

fn say(text: &str) {
    // Nobody reads it any more: no reason to fail.
    let _ = writeln!(std::io::stdout(), "{text}");
}

fn failed(text: &str) -> u8 {
    let _ = writeln!(std::io::stderr(), "call-tickets: {text}");
    1
}

fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok()
}

fn telemetry_options() -> Options {
    Options::from_env("call-tickets", env!("CARGO_PKG_VERSION"), variable)
}

fn tell(findings: &[Finding]) {
    for finding in findings {
        let kind = if finding.severity == Severity::Error { "error" } else { "warning" };
        let _ = writeln!(std::io::stderr(), "{kind}: {}: {}", finding.variable, finding.message);
    }
}

fn outside() -> Outside {
    Outside {
        now: Arc::new(Timestamp::now),
        seed: u64::from(std::process::id()) ^ Timestamp::now().as_nanosecond().unsigned_abs() as u64,
        environment: Arc::new(variable),
    }
}

async fn serve(demo: bool, port: Option<u16>, loopback: bool) -> u8 {
    let secret = random_secret();
    let token = random_secret();
    let stand_in = if demo && variable("TOPDESK_URL").is_none() {
        match Desk::start().await {
            Ok(desk) => Some(desk),
            Err(error) => return failed(&format!("the stand-in for TOPdesk cannot listen: {error}")),
        }
    } else {
        None
    };
    let (config, mut findings) = config::read(&|name| match name {
        "ELEVENLABS_WEBHOOK_SECRET" if demo => {
            variable(name).or_else(|| Some(secret.expose_secret().to_owned()))
        }
        "CALL_TICKETS_TOKEN" if demo => variable(name).or_else(|| Some(token.expose_secret().to_owned())),
        _ => variable(name),
    });
    findings.retain(|finding| !(stand_in.is_some() && finding.variable == "TOPDESK_URL"));
    tell(&findings);
    let Some(mut config) = config else { return failed("it cannot start with this configuration") };
    if let Some(desk) = &stand_in {
        config.topdesk = topdesk::address(&desk.url).ok().map(|url| Topdesk {
            url,
            user: desk::USER.into(),
            password: desk::PASSWORD.to_owned().into(),
            timeout: Duration::from_secs(10),
        });
    }
    let port = port.unwrap_or(config.port);
    let telemetry = match Telemetry::start(&telemetry_options()) {
        Ok(telemetry) => Arc::new(telemetry),
        Err(error) => return failed(&error.to_string()),
    };
    let metrics = Metrics::new(&telemetry.meter());
    let service = match Service::new(config, metrics, outside()).await {
        Ok(service) => Arc::new(service),
        Err(error) => return failed(&error.to_string()),
    };
    let host = if loopback { Ipv4Addr::LOCALHOST } else { Ipv4Addr::UNSPECIFIED };
    let listener = match tokio::net::TcpListener::bind(SocketAddr::from((host, port))).await {
        Ok(listener) => listener,
        Err(error) => return failed(&format!("port {port} cannot be listened on: {error}")),
    };
    let port = listener.local_addr().map_or(port, |address| address.port());
    if demo {
        greet(port, &service.config, stand_in.as_ref(), &secret);
    }
    tracing::info!(port, "taking webhooks in");
    let (stop, stopped) = watch::channel(false);
    let router = web::router(service.clone(), telemetry.clone());
    let front = tokio::spawn(web::serve(listener, router, stopped.clone()));
    let workers = tokio::spawn(worker::run(service.clone(), stopped.clone()));
    let house = tokio::spawn(worker::keep_house(service.clone(), stopped));
    told_to_stop().await;
    tracing::info!("stopping: what was taken in is kept, what is under way is finished");
    let _ = stop.send(true);
    let _ = front.await;
    if tokio::time::timeout(DRAIN, workers).await.is_err() {
        tracing::warn!("work that is under way goes on at the next start");
    }
    let _ = house.await;
    let flushed = tokio::task::spawn_blocking(move || telemetry.end());
    let _ = tokio::time::timeout(Duration::from_secs(4), flushed).await;
    0
}

/// What a newcomer wants to know.
fn greet(port: u16, config: &Config, stand_in: Option<&Desk>, secret: &SecretString) {
    let token = config.token.as_ref().map_or("", |token| token.expose_secret());
    // Only what was made up here is shown: this is printed into a log where the service is deployed.
    let made = variable("CALL_TICKETS_TOKEN").is_none();
    let opens = if made { format!("#token={token}") } else { String::new() };
    say(&format!("operator's page   http://127.0.0.1:{port}/{opens}"));
    if let Some(desk) = stand_in {
        say(&format!("fake TOPdesk      {} (user {}, password {})", desk.url, desk::USER, desk::PASSWORD));
    }
    let own = variable("ELEVENLABS_WEBHOOK_SECRET").is_none();
    let shown =
        if own { format!("ELEVENLABS_WEBHOOK_SECRET={} ", secret.expose_secret()) } else { String::new() };
    let known = if made { format!("CALL_TICKETS_TOKEN={token} ") } else { String::new() };
    say(&format!(
        "make calls        {shown}{known}call-tickets simulate --url http://127.0.0.1:{port} --calls 20"
    ));
}

async fn told_to_stop() {
    let mut terminated = tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate()).ok();
    let terminated = async {
        match &mut terminated {
            Some(signal) => signal.recv().await,
            None => std::future::pending().await,
        }
    };
    tokio::select! {
        _ = terminated => {}
        _ = tokio::signal::ctrl_c() => {}
    }
}

async fn check(connect: bool, as_json: bool) -> u8 {
    let (mut config, mut findings) = config::read(&variable);
    if let Err(error) = telemetry_options().check() {
        let variable = match error {
            landfall_telemetry::Error::Filter => "LOG_LEVEL",
            landfall_telemetry::Error::ApplicationInsights => "APPLICATIONINSIGHTS_CONNECTION_STRING",
            _ => "OTEL_EXPORTER_OTLP_ENDPOINT",
        };
        let message = error.to_string();
        findings.push(Finding { severity: Severity::Error, variable: variable.into(), message });
        config = None;
    }
    let mut services = Vec::new();
    if let Some(config) = config.as_ref().filter(|_| connect) {
        services = connected(config).await;
    }
    let broken = services.iter().any(|(_, state)| state.is_err());
    if as_json {
        let findings: Vec<_> = findings
            .iter()
            .map(|one| {
                json!({
                    "severity": if one.severity == Severity::Error { "error" } else { "warning" },
                    "variable": one.variable, "message": one.message,
                })
            })
            .collect();
        let services: serde_json::Map<String, serde_json::Value> = services
            .iter()
            .map(|(name, state)| {
                ((*name).to_owned(), state.as_ref().map_or_else(|why| json!(why), |()| json!("ok")))
            })
            .collect();
        say(&json!({"ok": config.is_some() && !broken, "findings": findings, "services": services})
            .to_string());
    } else {
        tell(&findings);
        for (name, state) in &services {
            say(&format!("{name}: {}", state.as_ref().map_or_else(String::as_str, |()| "ok")));
        }
        if config.is_some() && !broken {
            say("the service can run with this configuration");
        }
    }
    u8::from(config.is_none() || broken)
}

/// Asks every service that is configured.
async fn connected(config: &Config) -> Vec<(&'static str, Result<(), String>)> {
    let mut states = Vec::new();
    states.push(("store", Store::open(&config.store).await.map(drop).map_err(|error| error.to_string())));
    if let Some(transcripts) = config.transcripts.clone() {
        let state = match kept_in(transcripts, &outside()) {
            Ok(blobs) => blobs.reachable().await.map_err(|error| error.to_string()),
            Err(why) => Err(why),
        };
        states.push(("transcripts", state));
    }
    if let Some(desk) = config.topdesk.clone() {
        let state = match topdesk::Client::new(desk.url, desk.user, desk.password, Duration::from_secs(10)) {
            Ok(client) => client.lists().await.map(drop).map_err(|error| error.to_string()),
            Err(why) => Err(why),
        };
        states.push(("topdesk", state));
    }
    if let Some(mail) = config.mail.clone() {
        let state = match notify::Mailer::new(mail) {
            Ok(mailer) => mailer.reachable().await.map_err(|error| error.to_string()),
            Err(why) => Err(why),
        };
        states.push(("mail", state));
    }
    if let Some(model) = &config.model {
        states.push(("model", crate::service::answers(model.clone(), &outside()).await));
    }
    states
}

async fn replay(id: Option<String>, all: bool) -> u8 {
    // The store alone is needed; what else is wrong is no hindrance.
    let (config, _) = config::read(&|name| match name {
        "ELEVENLABS_WEBHOOK_SECRET" => variable(name).or_else(|| Some("unused here, unused".into())),
        _ => variable(name),
    });
    let Some(config) = config else { return failed("the configuration has errors; see: call-tickets check") };
    let replayed = async {
        let store = Store::open(&config.store).await?;
        let mut keys = Vec::new();
        if all {
            keys.extend(
                store.queue.list(Some(State::Dead), None, 100_000).await?.into_iter().map(|item| item.key),
            );
        }
        if let Some(id) = id {
            keys.extend([id.clone(), format!("call:{id}"), format!("failure:{id}")]);
        }
        let mut count = 0;
        for key in keys {
            count += usize::from(store.queue.replay(&key, Timestamp::now()).await?);
        }
        Ok::<usize, landfall_store::Error>(count)
    };
    match replayed.await {
        Ok(0) if !all => failed("there is no such dead letter"),
        Ok(count) => {
            say(&format!("{count} brought back"));
            0
        }
        Err(error) => failed(&error.to_string()),
    }
}

async fn simulated(url: String, calls: usize, at: usize, seed: u64, wait: u64, as_json: bool) -> u8 {
    let first = variable("ELEVENLABS_WEBHOOK_SECRET");
    let first = first.as_deref().and_then(|all| all.split(',').map(str::trim).find(|one| !one.is_empty()));
    let Some(secret) = first else { return failed("ELEVENLABS_WEBHOOK_SECRET is needed to sign the calls") };
    let plan = simulate::Plan {
        url,
        secret: secret.to_owned().into(),
        calls,
        at,
        seed,
        token: variable("CALL_TICKETS_TOKEN").filter(|token| !token.is_empty()).map(SecretString::from),
        wait: Duration::from_secs(wait),
    };
    let report = match simulate::run(&plan, Timestamp::now).await {
        Ok(report) => report,
        Err(why) => return failed(&why),
    };
    if as_json {
        say(&report.json().to_string());
    } else {
        let per_second = report.latencies.len() as f64 / report.took.as_secs_f64().max(1e-9);
        say(&format!(
            "acknowledged  {} of {calls} in {:.1?} ({per_second:.0} a second)",
            report.latencies.len(),
            report.took
        ));
        say(&format!(
            "latency       p50 {:.1?}  p95 {:.1?}  p99 {:.1?}  max {:.1?}",
            report.percentile(0.5),
            report.percentile(0.95),
            report.percentile(0.99),
            report.percentile(1.0)
        ));
        for (why, count) in &report.refused {
            say(&format!("refused       {count} ({why})"));
        }
        match report.ended {
            Some((tickets, dead)) => say(&format!(
                "tickets       {tickets}, given up {dead}, still open {}",
                calls - tickets - dead
            )),
            None => say("tickets       not followed: set CALL_TICKETS_TOKEN"),
        }
    }
    let complete =
        report.latencies.len() == calls && report.ended.is_none_or(|(tickets, _)| tickets == calls);
    u8::from(!complete)
}
