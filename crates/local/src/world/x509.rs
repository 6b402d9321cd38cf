//! Certificates as clients bring them: PFX (PKCS #12) and PEM files with a private key.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use jiff::Timestamp;
use p12_keystore::Pkcs12Archive;
use sha1::{Digest, Sha1};
use x509_parser::extensions::GeneralName;
use x509_parser::prelude::{FromDer, X509Certificate};

use super::Hidden;

/// A certificate with its key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Bundle {
    /// PFX or PEM.
    pub form: Form,
    /// The certificate that the key belongs to, by DER.
    pub leaf: Vec<u8>,
    /// All certificates, the leaf first.
    pub chain: Vec<Vec<u8>>,
    /// The private key, PKCS #8, base64 of its DER.
    pub key: Hidden,
    /// What the leaf says.
    pub facts: Facts,
}

/// How it came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// PKCS #12.
    Pfx,
    /// Text.
    Pem,
}

/// What a certificate says of itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Facts {
    /// `CN=*.contoso.com`.
    pub subject: String,
    /// `CN=…`.
    pub issuer: String,
    /// DNS names, `*.contoso.com`.
    pub names: Vec<String>,
    /// Valid from.
    pub from: Timestamp,
    /// Valid until.
    pub until: Timestamp,
    /// SHA-1 of its DER.
    pub thumbprint: Vec<u8>,
    /// `RSA` or `EC`.
    pub key_type: &'static str,
    /// Bits of an RSA key.
    pub key_size: Option<u64>,
    /// `P-256` and others of an EC key.
    pub curve: Option<&'static str>,
}

/// Why a file is no certificate with a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wrong {
    /// Neither PFX nor PEM.
    Format,
    /// The password does not open it.
    Password,
    /// It has no private key.
    NoKey,
    /// It has no certificate.
    NoCertificate,
}

impl Wrong {
    /// In words.
    pub fn why(self) -> &'static str {
        match self {
            Wrong::Format => "it is neither a PFX file in base64 nor a PEM file",
            Wrong::Password => "the password is wrong, or the file is damaged",
            Wrong::NoKey => "it has no private key",
            Wrong::NoCertificate => "it has no certificate",
        }
    }
}

impl Facts {
    /// Whether it is for a host name: itself, or one label below its wildcard.
    pub fn covers(&self, host: &str) -> bool {
        let host = host.to_ascii_lowercase();
        self.names.iter().map(|name| name.to_ascii_lowercase()).any(|name| {
            name == host
                || name.strip_prefix("*.").is_some_and(|below| {
                    host.split_once('.').is_some_and(|(label, rest)| !label.is_empty() && rest == below)
                })
        })
    }
}

/// Reads PEM text, or base64 of a PFX or PEM file.
///
/// # Errors
/// [`Wrong`].
pub fn read(value: &str, password: &str) -> Result<Bundle, Wrong> {
    if value.contains("-----BEGIN") {
        return pem(value);
    }
    let packed: String = value.chars().filter(|sign| !sign.is_whitespace()).collect();
    let bytes = STANDARD.decode(packed).map_err(|_| Wrong::Format)?;
    match std::str::from_utf8(&bytes) {
        Ok(text) if text.contains("-----BEGIN") => pem(text),
        _ => pfx(&bytes, password),
    }
}

fn pfx(bytes: &[u8], password: &str) -> Result<Bundle, Wrong> {
    // A sequence, or nothing at all.
    if bytes.first() != Some(&0x30) {
        return Err(Wrong::Format);
    }
    let archive = Pkcs12Archive::from_pkcs12(bytes, password).map_err(|_| Wrong::Password)?;
    let key = archive.keys.first().ok_or(Wrong::NoKey)?;
    let own = key.local_key_id.as_ref();
    let place = archive
        .certs
        .iter()
        .position(|bag| own.is_some_and(|own| bag.local_key_id.as_deref() == Some(own.as_ref())))
        .unwrap_or(0);
    let mut chain: Vec<Vec<u8>> = archive.certs.iter().map(|bag| bag.cert.as_der().to_vec()).collect();
    if chain.is_empty() {
        return Err(Wrong::NoCertificate);
    }
    chain.swap(0, place);
    bundle(Form::Pfx, chain, key.key.as_der())
}

fn pem(text: &str) -> Result<Bundle, Wrong> {
    let mut chain = Vec::new();
    let mut key = None;
    let mut rest = text;
    while let Some((_, after)) = rest.split_once("-----BEGIN ") {
        let (label, after) = after.split_once("-----").ok_or(Wrong::Format)?;
        let (body, after) = after.split_once("-----END ").ok_or(Wrong::Format)?;
        rest = after;
        let packed: String = body.chars().filter(|sign| !sign.is_whitespace()).collect();
        match label {
            "PRIVATE KEY" => key = Some(STANDARD.decode(packed).map_err(|_| Wrong::Format)?),
            "CERTIFICATE" => chain.push(STANDARD.decode(packed).map_err(|_| Wrong::Format)?),
            _ => {}
        }
    }
    bundle(Form::Pem, chain, &key.ok_or(Wrong::NoKey)?)
}

fn bundle(form: Form, chain: Vec<Vec<u8>>, key: &[u8]) -> Result<Bundle, Wrong> {
    let leaf = chain.first().ok_or(Wrong::NoCertificate)?.clone();
    let facts = facts(&leaf).ok_or(Wrong::Format)?;
    Ok(Bundle { form, leaf, chain, key: Hidden(STANDARD.encode(key)), facts })
}

impl Bundle {
    /// As a PEM file, the key first.
    pub fn to_pem(&self) -> String {
        let block = |label: &str, packed: &str| {
            let lines: Vec<String> =
                packed.as_bytes().chunks(64).map(|line| String::from_utf8_lossy(line).into_owned()).collect();
            format!("-----BEGIN {label}-----\n{}\n-----END {label}-----\n", lines.join("\n"))
        };
        let certificates = self.chain.iter().map(|it| block("CERTIFICATE", &STANDARD.encode(it)));
        block("PRIVATE KEY", &self.key.0) + &certificates.collect::<String>()
    }

    /// As a PFX file with an empty password, which is how a vault gives it: always the same bytes.
    pub fn to_pfx(&self) -> Vec<u8> {
        const DATA: &[u8] = b"\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x07\x01";
        const KEY_BAG: &[u8] = b"\x06\x0b\x2a\x86\x48\x86\xf7\x0d\x01\x0c\x0a\x01\x01";
        const CERTIFICATE_BAG: &[u8] = b"\x06\x0b\x2a\x86\x48\x86\xf7\x0d\x01\x0c\x0a\x01\x03";
        const X509: &[u8] = b"\x06\x0a\x2a\x86\x48\x86\xf7\x0d\x01\x09\x16\x01";
        const LOCAL_KEY: &[u8] = b"\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x09\x15";
        const SHA256: &[u8] = b"\x06\x09\x60\x86\x48\x01\x65\x03\x04\x02\x01\x05\x00";
        let key = STANDARD.decode(&self.key.0).unwrap_or_default();
        let content = |bytes: &[u8]| sequence(&[DATA, &explicit(&octets(bytes))]);
        let own = der(0x31, &[&sequence(&[LOCAL_KEY, &der(0x31, &[&octets(&self.facts.thumbprint)])])]);
        let mut bags = sequence(&[KEY_BAG, &explicit(&key), &own]);
        for (place, certificate) in self.chain.iter().enumerate() {
            let value = explicit(&sequence(&[X509, &explicit(&octets(certificate))]));
            let own: &[u8] = if place == 0 { &own } else { &[] };
            bags.extend(sequence(&[CERTIFICATE_BAG, &value, own]));
        }
        let safe = sequence(&[&content(&sequence(&[&bags]))]);
        let salt: Vec<u8> = self.facts.thumbprint.iter().copied().take(8).collect();
        let mac = mac(&safe, &salt);
        let mac = sequence(&[
            &sequence(&[&sequence(&[SHA256]), &octets(&mac)]),
            &octets(&salt),
            b"\x02\x02\x08\x00",
        ]);
        sequence(&[b"\x02\x01\x03", &content(&safe), &mac])
    }
}

/// The MAC of a PFX file with an empty password (RFC 7292, appendix B.2), by SHA-256 and 2048 rounds.
fn mac(safe: &[u8], salt: &[u8]) -> Vec<u8> {
    use hmac::{Hmac, KeyInit, Mac};
    use sha2::Sha256;
    let mut input = vec![3u8; 64];
    input.extend(salt.iter().cycle().take(64));
    // An empty password is one zero character.
    input.extend([0u8; 64]);
    let mut key = Sha256::digest(&input).to_vec();
    for _ in 1..2048 {
        key = Sha256::digest(&key).to_vec();
    }
    let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(&key) else { return Vec::new() };
    mac.update(safe);
    mac.finalize().into_bytes().to_vec()
}

fn der(tag: u8, parts: &[&[u8]]) -> Vec<u8> {
    let length: usize = parts.iter().map(|part| part.len()).sum();
    let mut out = vec![tag];
    let bytes = length.to_be_bytes();
    let first = bytes.iter().position(|byte| *byte != 0).unwrap_or(bytes.len() - 1);
    if length >= 128 {
        out.push(0x80 | u8::try_from(bytes.len() - first).unwrap_or(8));
    }
    out.extend(&bytes[first..]);
    parts.iter().for_each(|part| out.extend_from_slice(part));
    out
}

fn sequence(parts: &[&[u8]]) -> Vec<u8> {
    der(0x30, parts)
}

fn octets(bytes: &[u8]) -> Vec<u8> {
    der(0x04, &[bytes])
}

fn explicit(bytes: &[u8]) -> Vec<u8> {
    der(0xa0, &[bytes])
}

/// A certificate's public key without its algorithm.
pub fn public_key(der: &[u8]) -> Option<Vec<u8>> {
    let (_, certificate) = X509Certificate::from_der(der).ok()?;
    Some(certificate.public_key().subject_public_key.data.to_vec())
}

/// What a certificate says, by its DER.
pub fn facts(der: &[u8]) -> Option<Facts> {
    let (_, certificate) = X509Certificate::from_der(der).ok()?;
    let mut names: Vec<String> = certificate
        .subject_alternative_name()
        .ok()
        .flatten()
        .into_iter()
        .flat_map(|extension| extension.value.general_names.iter())
        .filter_map(|name| match name {
            GeneralName::DNSName(name) => Some((*name).to_owned()),
            _ => None,
        })
        .collect();
    if names.is_empty() {
        let common = certificate.subject().iter_common_name().find_map(|name| name.as_str().ok());
        names.extend(common.map(str::to_owned));
    }
    let key = certificate.public_key();
    let algorithm = key.algorithm.algorithm.to_id_string();
    let (key_type, key_size, curve) = match key.parsed() {
        Ok(x509_parser::public_key::PublicKey::RSA(rsa)) => ("RSA", u64::try_from(rsa.key_size()).ok(), None),
        Ok(x509_parser::public_key::PublicKey::EC(point)) => {
            let curve = match point.key_size() {
                256 => "P-256",
                384 => "P-384",
                _ => "P-521",
            };
            ("EC", None, Some(curve))
        }
        _ if algorithm == "1.2.840.10045.2.1" => ("EC", None, None),
        _ => ("RSA", None, None),
    };
    let time = |seconds: i64| Timestamp::from_second(seconds).ok();
    Some(Facts {
        subject: certificate.subject().to_string(),
        issuer: certificate.issuer().to_string(),
        names,
        from: time(certificate.validity().not_before.timestamp())?,
        until: time(certificate.validity().not_after.timestamp())?,
        thumbprint: Sha1::digest(der).to_vec(),
        key_type,
        key_size,
        curve,
    })
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    /// A self-signed certificate for names, as PEM with its key.
    pub(crate) fn made(names: &[&str]) -> (String, String) {
        let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
        let made = rcgen::generate_simple_self_signed(names).unwrap();
        (made.cert.pem(), made.signing_key.serialize_pem())
    }

    #[test]
    fn a_wildcard_certificate_is_read_from_pem_and_from_pfx() {
        let (certificate, key) = made(&["*.contoso.com", "contoso.com"]);
        let text = format!("{key}{certificate}");
        let bundle = read(&text, "").unwrap();
        assert_eq!(bundle.form, Form::Pem);
        assert_eq!(bundle.facts.names, ["*.contoso.com", "contoso.com"]);
        assert_eq!((bundle.facts.key_type, bundle.facts.curve), ("EC", Some("P-256")));
        for (host, covered) in [
            ("www.contoso.com", true),
            ("WWW.Contoso.com", true),
            ("contoso.com", true),
            ("a.b.contoso.com", false),
            ("example.com", false),
        ] {
            assert_eq!(bundle.facts.covers(host), covered, "{host}");
        }
        assert_eq!(read(&STANDARD.encode(&text), "").unwrap(), bundle);

        let der = |pem: &str| {
            let body: String = pem.lines().filter(|line| !line.starts_with('-')).collect();
            STANDARD.decode(body).unwrap()
        };
        let chain = p12_keystore::PrivateKeyChain::new(
            "1",
            p12_keystore::PrivateKey::from_der(&der(&key)).unwrap(),
            [p12_keystore::Certificate::from_der(&der(&certificate)).unwrap()],
        );
        let mut store = p12_keystore::KeyStore::new();
        store.add_entry("one", p12_keystore::KeyStoreEntry::PrivateKeyChain(chain));
        let packed = STANDARD.encode(store.writer("secret").write().unwrap());
        let read_back = read(&packed, "secret").unwrap();
        assert_eq!((read_back.form, &read_back.facts), (Form::Pfx, &bundle.facts));
        assert_eq!(read(&packed, "wrong"), Err(Wrong::Password));

        let open = STANDARD.encode(read_back.to_pfx());
        assert_eq!(open, STANDARD.encode(bundle.to_pfx()), "always the same bytes");
        let again = read(&open, "").unwrap();
        assert_eq!((again.chain, again.key), (bundle.chain, bundle.key));
        assert_eq!(read(&open, "secret"), Err(Wrong::Password), "its MAC is of the empty password");
    }

    #[test]
    fn what_is_no_certificate_with_a_key_is_told_apart() {
        let (certificate, key) = made(&["contoso.com"]);
        assert_eq!(read(&certificate, ""), Err(Wrong::NoKey));
        assert_eq!(read(&key, ""), Err(Wrong::NoCertificate));
        for bad in ["", "%%%", "aGVsbG8=", "-----BEGIN CERTIFICATE-----", "MAA="] {
            assert!(read(bad, "").is_err(), "{bad}");
        }
    }
}
