//! One request and its JSON: to a local Azure, trusting its CA and nobody else, as another process asks for its
//! status; or over any connection.

use std::sync::Arc;
use std::time::Duration;

use http_body_util::{BodyExt, Empty, Limited};
use hyper_util::rt::TokioIo;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName};
use serde_json::Value;
use tokio::io::{AsyncRead, AsyncWrite};

const WAIT_MAX: Duration = Duration::from_secs(5);
const ANSWER_MAX: usize = 1 << 20;

/// `GET url`, where `ca` is the only authority that is trusted; the answer must be 200 and JSON.
pub(crate) async fn get_json(url: &str, ca: &[u8]) -> Result<Value, String> {
    match tokio::time::timeout(WAIT_MAX, get(url, ca)).await {
        Ok(answer) => answer,
        Err(_) => Err(format!("{url} does not answer")),
    }
}

async fn get(url: &str, ca: &[u8]) -> Result<Value, String> {
    let url = url::Url::parse(url).map_err(|e| e.to_string())?;
    let (Some(host), Some(port)) = (url.host_str(), url.port_or_known_default()) else {
        return Err(format!("{url} names no host"));
    };
    let mut roots = rustls::RootCertStore::empty();
    for certificate in CertificateDer::pem_slice_iter(ca) {
        roots.add(certificate.map_err(|e| e.to_string())?).map_err(|e| e.to_string())?;
    }
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|e| e.to_string())?
        .with_root_certificates(roots)
        .with_no_client_auth();
    // Everything of local Azure is on loopback, whatever a resolver says of names under `.localhost`.
    let tcp = tokio::net::TcpStream::connect(("127.0.0.1", port)).await.map_err(|e| e.to_string())?;
    let name = ServerName::try_from(host.to_owned()).map_err(|e| e.to_string())?;
    let tls = tokio_rustls::TlsConnector::from(Arc::new(config))
        .connect(name, tcp)
        .await
        .map_err(|e| e.to_string())?;
    ask(tls, &url, host, port).await.map_err(|e| format!("{url} {e}"))
}

/// `GET` over a connection that is there; the answer must be 200 and JSON.
pub(super) async fn ask(
    stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
    url: &url::Url,
    host: &str,
    port: u16,
) -> Result<Value, String> {
    let (mut sender, connection) =
        hyper::client::conn::http1::handshake(TokioIo::new(stream)).await.map_err(|e| e.to_string())?;
    let connection = tokio::spawn(connection);
    let request = http::Request::get(&url[url::Position::BeforePath..url::Position::AfterQuery])
        .header("host", format!("{host}:{port}"))
        .header("accept", "application/json")
        .body(Empty::<bytes::Bytes>::new())
        .map_err(|e| e.to_string())?;
    let answer = sender.send_request(request).await.map_err(|e| e.to_string())?;
    let status = answer.status();
    let body = Limited::new(answer.into_body(), ANSWER_MAX).collect().await.map_err(|e| e.to_string())?;
    connection.abort();
    if status != http::StatusCode::OK {
        return Err(format!("answers {status}"));
    }
    serde_json::from_slice(&body.to_bytes()).map_err(|e| e.to_string())
}
