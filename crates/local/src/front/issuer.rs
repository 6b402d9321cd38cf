//! The keys of whoever issued an assertion: what Entra asks an identity provider for, over HTTP.
//!
//! Only issuers on loopback are asked: local Azure tells nobody outside that somebody signs in. Their certificates
//! are not checked, since nobody is in between.

use std::sync::Arc;
use std::time::Duration;

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::CryptoProvider;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use serde_json::{Value, json};

use super::client::ask;

const WAIT_MAX: Duration = Duration::from_secs(5);

/// The JSON Web Key Set of an issuer by its discovery document, or `{"error": "why not"}`.
pub(crate) async fn keys(issuer: &str) -> Value {
    let found = async {
        let discovery = format!("{}/.well-known/openid-configuration", issuer.trim_end_matches('/'));
        let document = get(&discovery).await?;
        if document["issuer"] != issuer {
            return Err(format!("the issuer of {discovery} is {}", document["issuer"]));
        }
        let address = document["jwks_uri"].as_str().ok_or_else(|| format!("{discovery} has no jwks_uri"))?;
        get(address).await
    };
    match tokio::time::timeout(WAIT_MAX, found).await {
        Ok(Ok(keys)) => keys,
        Ok(Err(why)) => json!({"error": why}),
        Err(_) => json!({"error": "it does not answer"}),
    }
}

async fn get(address: &str) -> Result<Value, String> {
    let url = url::Url::parse(address).map_err(|e| format!("{address}: {e}"))?;
    let host = url.host_str().unwrap_or_default().trim_matches(['[', ']']).to_owned();
    let port = url.port_or_known_default().ok_or_else(|| format!("{address} has no port"))?;
    let to = match host.as_str() {
        "::1" => "::1",
        "localhost" | "127.0.0.1" => "127.0.0.1",
        name if name.ends_with(".localhost") => "127.0.0.1",
        _ => return Err(format!("local Azure asks issuers on loopback only, not {host}")),
    };
    let told = |e: &dyn std::fmt::Display| format!("{address}: {e}");
    let tcp = tokio::net::TcpStream::connect((to, port)).await.map_err(|e| told(&e))?;
    if url.scheme() == "http" {
        return ask(tcp, &url, &host, port).await.map_err(|e| told(&e));
    }
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = rustls::ClientConfig::builder_with_provider(provider.clone())
        .with_safe_default_protocol_versions()
        .map_err(|e| told(&e))?
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(AnyCertificate(provider)))
        .with_no_client_auth();
    let name = ServerName::try_from(host.clone()).map_err(|e| told(&e))?;
    let tls =
        tokio_rustls::TlsConnector::from(Arc::new(config)).connect(name, tcp).await.map_err(|e| told(&e))?;
    ask(tls, &url, &host, port).await.map_err(|e| told(&e))
}

/// Takes any certificate, as long as its owner has the key.
#[derive(Debug)]
struct AnyCertificate(Arc<CryptoProvider>);

impl ServerCertVerifier for AnyCertificate {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &rustls::DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let algorithms = &self.0.signature_verification_algorithms;
        rustls::crypto::verify_tls12_signature(message, certificate, signed, algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &rustls::DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let algorithms = &self.0.signature_verification_algorithms;
        rustls::crypto::verify_tls13_signature(message, certificate, signed, algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<rustls::SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}
