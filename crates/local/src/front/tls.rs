//! The CA of a state folder, made once, and a certificate for whatever name a client asks for.
//!
//! Host names are chosen by what is deployed (vaults, registries, accounts, apps, custom domains), so leaves are
//! made when they are first asked for and forgotten when the process ends.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use jiff::{Span, Timestamp, Zoned, tz::TimeZone};
use rcgen::{
    BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair,
    KeyUsagePurpose, date_time_ymd,
};
use rustls::client::danger::HandshakeSignatureValid;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer, pem::PemObject};
use rustls::server::danger::{ClientCertVerified, ClientCertVerifier};
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::{CertifiedKey, SingleCertAndKey};
use rustls::{DigitallySignedStruct, DistinguishedName, SignatureScheme};

use crate::Error;
use crate::control::write_private;
use crate::runtime::Runtime;
use crate::world::container_apps::{ClientCertificates, HostCertificate};

use super::listen;

/// Long enough that nobody's laptop meets its end, short enough for clients that distrust long ones.
const CA_YEARS: i64 = 10;
/// Apple's and others' limit for a leaf is 398 days.
const LEAF_DAYS: i64 = 390;
/// Leaves kept: a scan of names must not fill the memory.
const LEAVES_MAX: usize = 4096;

/// What a client without a name (by address) or by `localhost` is shown.
const DEFAULT_NAMES: [&str; 6] =
    ["localhost", "127.0.0.1", "::1", "*.vault.localhost", "*.azurecr.localhost", "*.blob.core.localhost"];

/// A CA and the leaves it has signed.
pub(crate) struct Certificates {
    issuer: Issuer<'static, KeyPair>,
    ca: CertificateDer<'static>,
    leaf_key: KeyPair,
    default: Arc<CertifiedKey>,
    leaves: Mutex<HashMap<String, Arc<CertifiedKey>>>,
}

impl std::fmt::Debug for Certificates {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Certificates")
    }
}

impl Certificates {
    /// The CA of `folder`: read, or made and written as `ca.pem` and `ca.key`. Returns where `ca.pem` is, as an
    /// absolute path.
    pub(crate) fn of(folder: &Path) -> Result<(Arc<Certificates>, PathBuf), Error> {
        let (pem_file, key_file) = (folder.join("ca.pem"), folder.join("ca.key"));
        if !(pem_file.exists() && key_file.exists()) {
            make_ca(&pem_file, &key_file)?;
        }
        let (pem, key) = (read(&pem_file)?, read(&key_file)?);
        let key = KeyPair::from_pem(&key).map_err(|e| damaged(folder, &format!("ca.key: {e}")))?;
        let ca = CertificateDer::from_pem_slice(pem.as_bytes())
            .map_err(|e| damaged(folder, &format!("ca.pem: {e}")))?;
        let issuer =
            Issuer::from_ca_cert_pem(&pem, key).map_err(|e| damaged(folder, &format!("ca.pem: {e}")))?;
        let leaf_key = KeyPair::generate().map_err(cannot)?;
        let default = sign(&issuer, &ca, &leaf_key, &DEFAULT_NAMES)?;
        let absolute = std::path::absolute(&pem_file).map_err(|source| Error::File {
            action: "read",
            path: pem_file,
            source,
        })?;
        let leaves = Mutex::default();
        Ok((Arc::new(Certificates { issuer, ca, leaf_key, default: Arc::new(default), leaves }), absolute))
    }

    /// TLS settings that show what `resolver` says, and ask clients for a certificate as they should.
    fn config(
        resolver: Arc<dyn ResolvesServerCert>,
        clients: ClientCertificates,
    ) -> Result<Arc<rustls::ServerConfig>, Error> {
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let builder = rustls::ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .map_err(|e| Error::Certificates(e.to_string()))?;
        let builder = match clients {
            ClientCertificates::Ignore => builder.with_no_client_auth(),
            asked => builder.with_client_cert_verifier(Arc::new(Anyone {
                mandatory: asked == ClientCertificates::Require,
            })),
        };
        let mut config = builder.with_cert_resolver(resolver);
        config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
        Ok(Arc::new(config))
    }

    fn leaf(&self, name: &str) -> Option<Arc<CertifiedKey>> {
        // The lock is held for a map's look-up or a signature of 100 µs, neither of which panics half-way.
        let mut leaves = self.leaves.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(leaf) = leaves.get(name) {
            return Some(leaf.clone());
        }
        let leaf = Arc::new(sign(&self.issuer, &self.ca, &self.leaf_key, &[name]).ok()?);
        if leaves.len() >= LEAVES_MAX {
            leaves.clear();
        }
        leaves.insert(name.to_owned(), leaf.clone());
        Some(leaf)
    }
}

impl ResolvesServerCert for Certificates {
    fn resolve(&self, hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        match hello.server_name() {
            None | Some("localhost") => Some(self.default.clone()),
            Some(name) => self.leaf(&name.to_ascii_lowercase()),
        }
    }
}

/// TLS at the edge: what each name is shown, and whether its clients must show something too.
pub(crate) struct EdgeTls {
    certificates: Arc<Certificates>,
    runtime: Runtime,
    /// Without, with an optional and with a required certificate of the client's.
    usual: [Arc<rustls::ServerConfig>; 3],
}

impl EdgeTls {
    /// Asks `runtime` about names.
    pub(crate) fn new(certificates: Arc<Certificates>, runtime: Runtime) -> Result<Arc<EdgeTls>, Error> {
        let usual = |clients| Certificates::config(certificates.clone(), clients);
        let usual = [
            usual(ClientCertificates::Ignore)?,
            usual(ClientCertificates::Accept)?,
            usual(ClientCertificates::Require)?,
        ];
        Ok(Arc::new(EdgeTls { certificates, runtime, usual }))
    }

    fn special(&self, certificate: &HostCertificate, domain: &str) -> Option<Arc<CertifiedKey>> {
        match certificate {
            HostCertificate::Managed => None,
            HostCertificate::Environment => self.certificates.leaf(&format!("*.{domain}")),
            HostCertificate::Uploaded { chain, key } => uploaded(chain, &key.0),
        }
    }
}

impl listen::Settings for EdgeTls {
    fn of(&self, name: Option<&str>) -> Arc<rustls::ServerConfig> {
        let edge = name.and_then(|name| self.runtime.edge(&name.to_ascii_lowercase()));
        let Some(edge) = edge else { return self.usual[0].clone() };
        let own = edge.certificate.as_ref().and_then(|certificate| self.special(certificate, &edge.domain));
        let special = own.and_then(|own| {
            let resolver = Arc::new(SingleCertAndKey::from(Arc::unwrap_or_clone(own)));
            Certificates::config(resolver, edge.client_certificates).ok()
        });
        special.unwrap_or_else(|| {
            let place = match edge.client_certificates {
                ClientCertificates::Ignore => 0,
                ClientCertificates::Accept => 1,
                ClientCertificates::Require => 2,
            };
            self.usual[place].clone()
        })
    }
}

/// An uploaded certificate with its key, from base64.
fn uploaded(chain: &[String], key: &str) -> Option<Arc<CertifiedKey>> {
    let chain: Option<Vec<_>> =
        chain.iter().map(|der| Some(CertificateDer::from(STANDARD.decode(der).ok()?))).collect();
    let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(STANDARD.decode(key).ok()?));
    let signing = rustls::crypto::aws_lc_rs::sign::any_supported_type(&key).ok()?;
    Some(Arc::new(CertifiedKey::new(chain?, signing)))
}

/// Takes whatever certificate a client shows, as Azure's ingress does: the app judges it. That the client has its key
/// is seen to.
#[derive(Debug)]
struct Anyone {
    mandatory: bool,
}

impl ClientCertVerifier for Anyone {
    fn client_auth_mandatory(&self) -> bool {
        self.mandatory
    }

    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        &[]
    }

    fn verify_client_cert(
        &self,
        _leaf: &CertificateDer<'_>,
        _chain: &[CertificateDer<'_>],
        _now: rustls::pki_types::UnixTime,
    ) -> Result<ClientCertVerified, rustls::Error> {
        Ok(ClientCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        leaf: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let known = rustls::crypto::aws_lc_rs::default_provider().signature_verification_algorithms;
        rustls::crypto::verify_tls12_signature(message, leaf, signed, &known)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        leaf: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let known = rustls::crypto::aws_lc_rs::default_provider().signature_verification_algorithms;
        rustls::crypto::verify_tls13_signature(message, leaf, signed, &known)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        rustls::crypto::aws_lc_rs::default_provider().signature_verification_algorithms.supported_schemes()
    }
}

fn make_ca(pem_file: &Path, key_file: &Path) -> Result<(), Error> {
    let key = KeyPair::generate().map_err(cannot)?;
    let mut params = CertificateParams::new(Vec::<String>::new()).map_err(cannot)?;
    params.distinguished_name.push(DnType::CommonName, "Landfall local Azure CA");
    params.distinguished_name.push(DnType::OrganizationName, "Landfall");
    params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    params.key_usages =
        vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign, KeyUsagePurpose::DigitalSignature];
    let today = today();
    params.not_before = {
        let (year, month, day) = day(&today, Span::new().days(-1));
        date_time_ymd(year, month, day)
    };
    params.not_after = {
        let (year, month, day) = day(&today, Span::new().years(CA_YEARS));
        date_time_ymd(year, month, day)
    };
    let certificate = params.self_signed(&key).map_err(cannot)?;
    // The key first: a crash in between leaves no certificate, and both are made again.
    write_private(key_file, key.serialize_pem().as_bytes())?;
    write_private(pem_file, certificate.pem().as_bytes())
}

fn sign(
    issuer: &Issuer<'static, KeyPair>,
    ca: &CertificateDer<'static>,
    key: &KeyPair,
    names: &[&str],
) -> Result<CertifiedKey, Error> {
    let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
    let mut params = CertificateParams::new(names.clone()).map_err(cannot)?;
    // A common name holds 64 characters; clients look at the alternative names only.
    if let Some(name) = names.first().filter(|name| name.len() <= 64) {
        params.distinguished_name.push(DnType::CommonName, name.as_str());
    }
    params.use_authority_key_identifier_extension = true;
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    let today = today();
    params.not_before = {
        let (year, month, day) = day(&today, Span::new().days(-1));
        date_time_ymd(year, month, day)
    };
    params.not_after = {
        let (year, month, day) = day(&today, Span::new().days(LEAF_DAYS));
        date_time_ymd(year, month, day)
    };
    let leaf = params.signed_by(key, issuer).map_err(cannot)?;
    let private = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(key.serialize_der()));
    let signing = rustls::crypto::aws_lc_rs::sign::any_supported_type(&private)
        .map_err(|e| Error::Certificates(e.to_string()))?;
    Ok(CertifiedKey::new(vec![leaf.der().clone(), ca.clone()], signing))
}

fn today() -> Zoned {
    Timestamp::now().to_zoned(TimeZone::UTC)
}

/// Year, month and day, `span` from `today`.
fn day(today: &Zoned, span: Span) -> (i32, u8, u8) {
    let date = today.date().saturating_add(span);
    (i32::from(date.year()), date.month().unsigned_abs(), date.day().unsigned_abs())
}

fn read(path: &Path) -> Result<String, Error> {
    std::fs::read_to_string(path).map_err(|source| Error::File {
        action: "read",
        path: path.to_owned(),
        source,
    })
}

fn damaged(folder: &Path, reason: &str) -> Error {
    Error::Damaged { folder: folder.to_owned(), reason: reason.to_owned() }
}

fn cannot(error: rcgen::Error) -> Error {
    Error::Certificates(error.to_string())
}
