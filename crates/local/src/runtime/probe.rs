//! One look of a probe.

use std::time::Duration;

use http_body_util::{BodyExt, Empty};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;

use crate::world::container_apps::{Probe, ProbeHow};

/// Looks once at `port`; the error says what was seen.
pub(crate) async fn look(probe: &Probe, port: u16) -> Result<(), String> {
    // A machine that is busy with twenty replicas is slower than Azure's: a second is the least.
    let timeout = probe.timeout.max(Duration::from_secs(1));
    let seen = match &probe.how {
        ProbeHow::Tcp => tokio::time::timeout(timeout, connect(port)).await.map(|tried| tried.map(|_| ())),
        ProbeHow::Http { path, headers } => tokio::time::timeout(timeout, get(port, path, headers)).await,
    };
    seen.unwrap_or_else(|_| {
        Err(format!("{} did not answer within {} s", name(probe, port), timeout.as_secs()))
    })
}

/// `GET /health at port 8080`, for messages.
pub(crate) fn name(probe: &Probe, port: u16) -> String {
    match &probe.how {
        ProbeHow::Tcp => format!("TCP connection to port {port}"),
        ProbeHow::Http { path, .. } => format!("GET {path} at port {port}"),
    }
}

async fn connect(port: u16) -> Result<TcpStream, String> {
    TcpStream::connect(("127.0.0.1", port)).await.map_err(|error| match error.kind() {
        std::io::ErrorKind::ConnectionRefused => format!("connection refused at port {port}"),
        _ => format!("port {port}: {error}"),
    })
}

async fn get(port: u16, path: &str, headers: &[(String, String)]) -> Result<(), String> {
    let stream = connect(port).await?;
    let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream))
        .await
        .map_err(|error| format!("GET {path}: {error}"))?;
    let connection = tokio::spawn(connection);
    let path = if path.starts_with('/') { path.to_owned() } else { format!("/{path}") };
    let mut request =
        http::Request::get(&path).header("user-agent", "kube-probe/1.33").header("accept", "*/*");
    if !headers.iter().any(|(name, _)| name.eq_ignore_ascii_case("host")) {
        request = request.header("host", format!("127.0.0.1:{port}"));
    }
    for (name, value) in headers {
        request = request.header(name, value);
    }
    let request =
        request.body(Empty::<bytes::Bytes>::new()).map_err(|error| format!("GET {path}: {error}"))?;
    let answer = sender.send_request(request).await.map_err(|error| format!("GET {path}: {error}"))?;
    let status = answer.status();
    // Read to the end within reason, so that the app does not log a broken connection at every look.
    let _ = http_body_util::Limited::new(answer.into_body(), 64 << 10).collect().await;
    connection.abort();
    if (200..400).contains(&status.as_u16()) {
        Ok(())
    } else {
        Err(format!("GET {path} at port {port} answered {}", status.as_u16()))
    }
}
