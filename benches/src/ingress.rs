//! The ingress: what it carries and what it adds, with nginx as reverse proxy before the same program in the same run.

use std::net::{SocketAddr, TcpListener};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use bytes::Bytes;
use serde_json::{Value, json};

use crate::azure::Azure;
use crate::load::{self, Load, Target};
use crate::local::{Registry, digest};
use crate::report::{Figure, Report, Wanted, median};
use crate::{Failure, Scale};

const START_MAX: Duration = Duration::from_secs(30);
/// Connections at once for what is carried.
const CLIENTS: usize = 16;

/// A process that ends with the measurement.
struct Running(Child);

impl Running {
    /// Starts it with nothing of ours open: what may outlive us must hold nobody's pipe.
    fn start(command: &mut Command) -> std::io::Result<Running> {
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn().map(Running)
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // nginx ends its workers when it is asked to end, and leaves them when it is killed.
        let asked = Command::new("kill").arg(self.0.id().to_string()).status();
        let end = Instant::now() + Duration::from_secs(2);
        while asked.is_ok() && Instant::now() < end {
            if self.0.try_wait().is_ok_and(|ended| ended.is_some()) {
                return;
            }
            std::thread::sleep(Duration::from_millis(10));
        }
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Measures the ingress, or says why it cannot.
pub async fn measure(scale: Scale, report: &mut Report) -> Result<(), Failure> {
    let folder = tempfile::tempdir()?;
    let Some(program) = upstream(folder.path())? else {
        report.skipped.push(
            "the ingress: there is no C compiler for its upstream (apt-get install gcc libc6-dev)".into(),
        );
        return Ok(());
    };
    let azure = Azure::start().await?;
    let ours = deploy(&azure, &std::fs::read(&program)?).await?;
    let (direct, _upstream) = start(&program).await?;
    let nginx = nginx(folder.path(), direct).await?;
    if nginx.is_none() {
        report
            .skipped
            .push("nginx beside the ingress: it is not installed (apt-get install nginx-light)".into());
    }
    let (mut bare, mut own, mut peer) = (Vec::new(), Vec::new(), Vec::new());
    // in turns, so that whatever else the machine does hits all alike
    for _ in 0..scale.rounds {
        bare.push(pair(direct, scale).await?);
        own.push(pair(ours, scale).await?);
        if let Some((address, _)) = &nginx {
            peer.push(pair(*address, scale).await?);
        }
    }
    let named = |value: f64| nginx.as_ref().map(|_| ("nginx", value));
    let rate = |pairs: &[(Load, Load)]| median(pairs.iter().map(|(_, many)| many.rate()).collect());
    let middle = |pairs: &[(Load, Load)]| median(pairs.iter().map(|(one, _)| one.percentile(50)).collect());
    report.figures.push(Figure {
        name: "ingress, requests",
        unit: "/s",
        ours: rate(&own),
        peer: named(rate(&peer)),
        wanted: Wanted::AtLeast(5000.0),
    });
    report.figures.push(Figure {
        name: "ingress, added to p50",
        unit: "ms",
        ours: middle(&own) - middle(&bare),
        peer: named(middle(&peer) - middle(&bare)),
        wanted: Wanted::Below(1.0),
    });
    Ok(())
}

/// One connection for the time of a request, many for how many are carried.
async fn pair(address: SocketAddr, scale: Scale) -> Result<(Load, Load), Failure> {
    let request = format!("GET / HTTP/1.1\r\nhost: {address}\r\n\r\n").into_bytes();
    let target = Target { address, tls: None, request };
    Ok((load::run(&target, 1, scale.load).await?, load::run(&target, CLIENTS, scale.load).await?))
}

/// The upstream, compiled so that it needs nothing of the image it runs in; `None` without a compiler.
fn upstream(folder: &Path) -> Result<Option<std::path::PathBuf>, Failure> {
    let source = folder.join("upstream.c");
    std::fs::write(&source, include_str!("upstream.c"))?;
    let program = folder.join("upstream");
    let compiled = Command::new("cc")
        .args(["-O2", "-static", "-pthread", "-D_GNU_SOURCE", "-o"])
        .arg(&program)
        .arg(&source)
        .status();
    match compiled {
        Err(_) => Ok(None),
        Ok(status) if status.success() => Ok(Some(program)),
        Ok(_) => Err("the upstream does not compile".into()),
    }
}

fn free() -> Result<SocketAddr, Failure> {
    Ok(TcpListener::bind("127.0.0.1:0")?.local_addr()?)
}

/// Starts the upstream by itself.
async fn start(program: &Path) -> Result<(SocketAddr, Running), Failure> {
    let address = free()?;
    let running = Running::start(Command::new(program).env("PORT", address.port().to_string()))?;
    answering(address).await?;
    Ok((address, running))
}

/// nginx before `upstream`, with connections kept to both sides; `None` when it is not installed.
async fn nginx(folder: &Path, upstream: SocketAddr) -> Result<Option<(SocketAddr, Running)>, Failure> {
    let address = free()?;
    let config = format!(
        "daemon off; worker_processes auto; pid nginx.pid; error_log stderr crit;
         events {{ worker_connections 1024; }}
         http {{ access_log off; keepalive_requests 1000000;
           client_body_temp_path t1; proxy_temp_path t2; fastcgi_temp_path t3; uwsgi_temp_path t4; scgi_temp_path t5;
           upstream app {{ server {upstream}; keepalive 64; keepalive_requests 1000000; }}
           server {{ listen {address}; location / {{ proxy_pass http://app; proxy_http_version 1.1; proxy_set_header Connection ''; }} }} }}"
    );
    std::fs::write(folder.join("nginx.conf"), config)?;
    let mut command = Command::new("nginx");
    let Ok(running) = Running::start(command.arg("-p").arg(folder).args(["-c", "nginx.conf"])) else {
        return Ok(None);
    };
    answering(address).await?;
    Ok(Some((address, running)))
}

async fn answering(address: SocketAddr) -> Result<(), Failure> {
    let begun = Instant::now();
    let request = format!("GET / HTTP/1.1\r\nhost: {address}\r\n\r\n").into_bytes();
    let target = Target { address, tls: None, request };
    loop {
        match load::run(&target, 1, Duration::from_millis(1)).await {
            Ok(_) => return Ok(()),
            Err(error) if begun.elapsed() > START_MAX => {
                return Err(format!("{address} does not answer: {error}").into());
            }
            Err(_) => tokio::time::sleep(Duration::from_millis(20)).await,
        }
    }
}

/// The same program as a container app; its plain address.
async fn deploy(azure: &Azure, program: &[u8]) -> Result<SocketAddr, Failure> {
    let registry = Registry::new(azure, "benchapps").await?;
    push(&registry, program).await?;
    let group = azure.group().await?;
    let environment = format!("{group}/providers/Microsoft.App/managedEnvironments/env");
    azure
        .put(
            &format!("{environment}?api-version=2025-07-01"),
            &json!({"location": "westeurope", "properties": {}}),
        )
        .await?;
    let (user, password) = &registry.admin;
    let app = format!("{group}/providers/Microsoft.App/containerApps/bench");
    let body = json!({"location": "westeurope", "properties": {
        "environmentId": environment,
        "configuration": {
            "secrets": [{"name": "registry", "value": password}],
            "registries": [{"server": registry.host, "username": user, "passwordSecretRef": "registry"}],
            "ingress": {"external": true, "targetPort": 8080},
        },
        "template": {
            "containers": [{"name": "app", "image": format!("{}/app:v1", registry.host), "resources": {"cpu": 0.5, "memory": "1Gi"}}],
            "scale": {"minReplicas": 1, "maxReplicas": 1},
        },
    }});
    azure.put(&format!("{app}?api-version=2025-07-01"), &body).await?;
    let begun = Instant::now();
    loop {
        let apps = azure.arm(reqwest::Method::GET, "/_local/apps", None).await?;
        let url = apps["value"][0]["url"].as_str().unwrap_or_default();
        if let Some(address) = url.strip_prefix("http://").and_then(|address| address.parse().ok()) {
            answering(address).await?;
            return Ok(address);
        }
        if begun.elapsed() > START_MAX {
            return Err(format!("the app has no address: {apps}").into());
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

async fn push(registry: &Registry<'_>, program: &[u8]) -> Result<(), Failure> {
    let mut archive = tar::Builder::new(Vec::new());
    let mut header = tar::Header::new_gnu();
    header.set_size(program.len() as u64);
    header.set_mode(0o755);
    archive.append_data(&mut header, "upstream", program)?;
    let layer = archive.into_inner()?;
    let config = json!({"os": "linux", "architecture": "amd64", "config": {"Entrypoint": ["/upstream"], "Env": ["PORT=8080"]},
        "rootfs": {"type": "layers", "diff_ids": [digest(&layer)]}});
    let config = config.to_string().into_bytes();
    let part = |kind: &str, bytes: &[u8]| -> Value {
        json!({"mediaType": format!("application/vnd.oci.image.{kind}"), "digest": digest(bytes), "size": bytes.len()})
    };
    let manifest = json!({"schemaVersion": 2, "mediaType": "application/vnd.oci.image.manifest.v1+json",
        "config": part("config.v1+json", &config), "layers": [part("layer.v1.tar", &layer)]});
    for bytes in [config, layer] {
        let digest = digest(&bytes);
        registry.upload("app", Bytes::from(bytes), &digest).await?;
    }
    registry.tag("app", "v1", &manifest).await
}
