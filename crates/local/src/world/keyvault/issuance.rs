//! Certificates that a vault issues: self-signed ones by itself, after a moment; those of an unknown issuer wait for
//! whoever has the request signed and merges the answer.

use std::collections::BTreeMap;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use jiff::Timestamp;
use rcgen::{
    CertificateParams, DistinguishedName, DnType, ExtendedKeyUsagePurpose, IsCa, KeyUsagePurpose, SanType,
};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::certificates::{self, PEM, PKCS12};
use super::{Event, keys, secrets};
use crate::world::agenda::Event as Due;
use crate::world::arm::Resource;
use crate::world::arm::refusal::Refusal;
use crate::world::crypto::{CertificateKey, Key};
use crate::world::x509::{self, Bundle, Form};
use crate::world::{Hidden, World};

/// How long a self-signed certificate takes, in seconds at speed 1.
const ISSUE_SECONDS: f64 = 8.0;

/// A certificate that is being issued.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Pending {
    /// As asked for.
    pub name: String,
    /// `request_id`.
    pub request: String,
    /// What the certificate will be, as sent and filled up.
    pub policy: Value,
    /// As sent.
    pub tags: BTreeMap<String, String>,
    /// As sent.
    pub enabled: bool,
    /// Its private key.
    pub key: Hidden,
    /// The request for a certificate, base64 of its DER.
    pub csr: String,
    /// Somebody wants it stopped.
    pub cancelled: bool,
    /// It is done; told until the next one begins.
    pub completed: bool,
}

fn bad(message: impl Into<String>) -> Refusal {
    Refusal::bad("BadParameter", message)
}

/// Begins to issue a certificate.
pub(super) fn begin(world: &mut World, vault: &Resource, name: &str, body: &Value) -> Result<(), Refusal> {
    let key = vault.id.name().to_ascii_lowercase();
    let own = name.to_ascii_lowercase();
    let sent = secrets::read_sent(body)?;
    let policy = filled(&body["policy"])?;
    let waits = |contents: &secrets::Contents| contents.pending.get(&own).is_some_and(|it| !it.completed);
    if world.vaults.live.get(&key).is_some_and(waits) {
        return Err(Refusal::conflict(
            "Conflict",
            format!(
                "The certificate {name} has a pending operation: a new certificate cannot be created or imported \
                 until it is completed or deleted."
            ),
        ));
    }
    let seed = keys::seed(world, &format!("certificate {key}/{own}"));
    let properties = &policy["key_props"];
    let bits = properties["key_size"].as_u64().and_then(|bits| usize::try_from(bits).ok()).unwrap_or(2048);
    let made = match properties["crv"].as_str() {
        Some(curve) => Key::of_curve(curve, seed),
        None => Key::rsa(bits, seed),
    };
    let made = made.ok_or_else(|| bad("The key cannot be made."))?;
    let csr = params(&policy, world.now, &seed).and_then(|mut params| {
        // What only an issuer says.
        params.serial_number = None;
        params.is_ca = IsCa::NoCa;
        let signing = CertificateKey::new(&made)?;
        params.serialize_request(&signing).ok().map(|csr| STANDARD.encode(csr.der()))
    });
    let csr = csr.ok_or_else(|| bad("The policy's names or key cannot be those of a certificate."))?;
    let request = world.chance.uuid(&format!("certificate request {key}/{own}")).simple().to_string();
    let pending = Pending {
        name: name.to_owned(),
        request: request.clone(),
        tags: sent.tags.unwrap_or_default(),
        enabled: sent.enabled.unwrap_or(true),
        key: made.kept(),
        csr,
        cancelled: false,
        completed: false,
        policy,
    };
    let self_signed =
        pending.policy["issuer"]["name"].as_str().is_some_and(|it| it.eq_ignore_ascii_case("Self"));
    world.vaults.live.entry(key.clone()).or_default().pending.insert(own.clone(), pending);
    if self_signed {
        let after = world.config.scaled(ISSUE_SECONDS);
        let event = Event::CertificateIssued { vault: key, certificate: own, request };
        world.later(after, Due::Vault(event));
    }
    Ok(())
}

/// The policy with what Key Vault assumes.
fn filled(sent: &Value) -> Result<Value, Refusal> {
    let mut policy = json!({
        "key_props": {"exportable": true, "kty": "RSA", "key_size": 2048, "reuse_key": false},
        "secret_props": {"contentType": PKCS12},
        "x509_props": {"subject": "", "ekus": ["1.3.6.1.5.5.7.3.1", "1.3.6.1.5.5.7.3.2"],
                       "key_usage": ["digitalSignature", "keyEncipherment"], "validity_months": 12,
                       "basic_constraints": {"ca": false}},
        "lifetime_actions": [{"trigger": {"lifetime_percentage": 80}, "action": {"action_type": "AutoRenew"}}],
        "issuer": {"name": "Self"},
    });
    for (part, value) in sent.as_object().into_iter().flatten() {
        match (policy[part].as_object_mut(), value.as_object()) {
            (Some(known), Some(given)) => known.extend(given.clone()),
            _ => policy[part] = value.clone(),
        }
    }
    let key = &mut policy["key_props"];
    match key["kty"].as_str().unwrap_or_default() {
        "EC" | "EC-HSM" => {
            if !["P-256", "P-384"].contains(&key["crv"].as_str().unwrap_or("P-256")) {
                return Err(bad("Local Azure issues certificates with keys of P-256, P-384 or RSA."));
            }
            let curve = key["crv"].as_str().unwrap_or("P-256").to_owned();
            key["crv"] = json!(curve);
            if let Some(members) = key.as_object_mut() {
                members.shift_remove("key_size");
            }
        }
        "RSA" | "RSA-HSM" => {
            if ![2048, 3072, 4096].contains(&key["key_size"].as_u64().unwrap_or(2048)) {
                return Err(bad("The key size is not supported: 2048, 3072 and 4096 are."));
            }
        }
        other => return Err(bad(format!("The key type '{other}' is not supported."))),
    }
    let x509 = &policy["x509_props"];
    let nameless = x509["subject"].as_str().unwrap_or_default().is_empty()
        && x509["sans"]
            .as_object()
            .is_none_or(|sans| sans.values().all(|it| it.as_array().is_none_or(Vec::is_empty)));
    if nameless {
        return Err(bad("The certificate policy must have a subject or a subject alternative name."));
    }
    if !x509["validity_months"].as_i64().is_some_and(|months| (1..=1200).contains(&months)) {
        return Err(bad("The validity_months of the certificate policy must be between 1 and 1200."));
    }
    let kind = policy["secret_props"]["contentType"].as_str().unwrap_or_default();
    if ![PKCS12, PEM].contains(&kind) {
        return Err(bad(format!("The content type '{kind}' of the secret is not supported.")));
    }
    let issuer = policy["issuer"]["name"].as_str().unwrap_or_default();
    if !["self", "unknown"].contains(&issuer.to_ascii_lowercase().as_str()) {
        return Err(bad(format!("The issuer '{issuer}' is not one of this vault's: Self and Unknown are.")));
    }
    Ok(policy)
}

/// What the certificate will say; `None` for names that cannot be in one.
fn params(policy: &Value, now: Timestamp, seed: &[u8; 32]) -> Option<CertificateParams> {
    let x509 = &policy["x509_props"];
    let texts = |value: &Value| -> Vec<String> {
        value.as_array().into_iter().flatten().filter_map(|it| it.as_str().map(str::to_owned)).collect()
    };
    let mut params = CertificateParams::default();
    params.distinguished_name = subject(x509["subject"].as_str().unwrap_or_default())?;
    for name in texts(&x509["sans"]["dns_names"]) {
        params.subject_alt_names.push(SanType::DnsName(name.as_str().try_into().ok()?));
    }
    for mail in texts(&x509["sans"]["emails"]) {
        params.subject_alt_names.push(SanType::Rfc822Name(mail.as_str().try_into().ok()?));
    }
    params.key_usages = texts(&x509["key_usage"]).iter().filter_map(|usage| key_usage(usage)).collect();
    params.extended_key_usages =
        texts(&x509["ekus"]).iter().filter_map(|usage| extended_usage(usage)).collect();
    params.is_ca = IsCa::ExplicitNoCa;
    params.serial_number = Some(seed[..16].to_vec().into());
    let months = x509["validity_months"].as_i64().unwrap_or(12);
    let zoned = now.to_zoned(jiff::tz::TimeZone::UTC);
    let until = zoned.checked_add(jiff::Span::new().try_months(months).ok()?).ok()?.timestamp();
    // Ten minutes back, as Key Vault does for clocks that are slow.
    let moment = |second: i64| {
        let since = Duration::from_secs(u64::try_from(second).ok()?);
        Some(rcgen::date_time_ymd(1970, 1, 1) + since)
    };
    params.not_before = moment(now.as_second() - 600)?;
    params.not_after = moment(until.as_second())?;
    Some(params)
}

/// `CN=example.com, O=Example` in parts.
fn subject(text: &str) -> Option<DistinguishedName> {
    let mut name = DistinguishedName::new();
    for part in text.split(',').map(str::trim).filter(|part| !part.is_empty()) {
        let (kind, value) = part.split_once('=')?;
        let kind = match kind.trim().to_ascii_uppercase().as_str() {
            "CN" => DnType::CommonName,
            "O" => DnType::OrganizationName,
            "OU" => DnType::OrganizationalUnitName,
            "L" => DnType::LocalityName,
            "S" | "ST" => DnType::StateOrProvinceName,
            "C" => DnType::CountryName,
            _ => return None,
        };
        name.push(kind, value.trim().trim_matches('"'));
    }
    Some(name)
}

fn key_usage(name: &str) -> Option<KeyUsagePurpose> {
    Some(match name.to_ascii_lowercase().as_str() {
        "digitalsignature" => KeyUsagePurpose::DigitalSignature,
        "nonrepudiation" => KeyUsagePurpose::ContentCommitment,
        "keyencipherment" => KeyUsagePurpose::KeyEncipherment,
        "dataencipherment" => KeyUsagePurpose::DataEncipherment,
        "keyagreement" => KeyUsagePurpose::KeyAgreement,
        "keycertsign" => KeyUsagePurpose::KeyCertSign,
        "crlsign" => KeyUsagePurpose::CrlSign,
        _ => return None,
    })
}

fn extended_usage(number: &str) -> Option<ExtendedKeyUsagePurpose> {
    let numbers: Option<Vec<u64>> = number.split('.').map(|part| part.parse().ok()).collect();
    Some(match number {
        "1.3.6.1.5.5.7.3.1" => ExtendedKeyUsagePurpose::ServerAuth,
        "1.3.6.1.5.5.7.3.2" => ExtendedKeyUsagePurpose::ClientAuth,
        _ => ExtendedKeyUsagePurpose::Other(numbers?),
    })
}

/// A self-signed certificate is ready, if its request is still wanted.
pub(super) fn issued(world: &mut World, vault: &str, name: &str, request: &str) {
    let pending = world.vaults.live.get(vault).and_then(|contents| contents.pending.get(name)).cloned();
    let Some(pending) = pending.filter(|it| it.request == request && !it.cancelled && !it.completed) else {
        return;
    };
    let seed = keys::seed(world, &format!("certificate {vault}/{name} serial"));
    let made = Key::of_kept(&pending.key).and_then(|key| {
        let signing = CertificateKey::new(&key)?;
        params(&pending.policy, world.now, &seed)?.self_signed(&signing).ok()
    });
    if let Some(made) = made {
        complete(world, vault, &pending, vec![made.der().to_vec()]);
    }
}

/// `POST …/pending/merge`: the answer of the issuer, leaf first.
pub(super) fn merge(world: &mut World, vault: &str, name: &str, body: &Value) -> Result<(), Refusal> {
    let pending = find(world, vault, name)?.clone();
    let chain: Option<Vec<Vec<u8>>> =
        body["x5c"].as_array().into_iter().flatten().map(|it| it.as_str().and_then(certificate_of)).collect();
    let chain = chain.filter(|chain| !chain.is_empty()).ok_or_else(|| bad("Property x5c is required."))?;
    let fits = Key::of_kept(&pending.key)
        .as_ref()
        .and_then(CertificateKey::new)
        .is_some_and(|key| x509::public_key(&chain[0]).as_deref() == Some(key.public()));
    if pending.completed || !fits {
        return Err(bad(
            "The certificate is not the answer to the pending request: its public key is another one.",
        ));
    }
    complete(world, vault, &pending, chain);
    Ok(())
}

/// A certificate in base64; some clients encode what is encoded already.
fn certificate_of(text: &str) -> Option<Vec<u8>> {
    let bytes = STANDARD.decode(text).ok()?;
    if bytes.first() == Some(&0x30) { Some(bytes) } else { STANDARD.decode(bytes).ok() }
}

fn complete(world: &mut World, vault: &str, pending: &Pending, chain: Vec<Vec<u8>>) {
    let Some(facts) = x509::facts(&chain[0]) else { return };
    let kind = pending.policy["secret_props"]["contentType"].as_str().unwrap_or(PKCS12).to_owned();
    let form = if kind == PEM { Form::Pem } else { Form::Pfx };
    let bundle = Bundle { form, leaf: chain[0].clone(), chain, key: pending.key.clone(), facts };
    let value = match form {
        Form::Pem => bundle.to_pem(),
        Form::Pfx => STANDARD.encode(bundle.to_pfx()),
    };
    let new = certificates::New {
        name: &pending.name,
        bundle: &bundle,
        value,
        policy: pending.policy.clone(),
        tags: pending.tags.clone(),
        enabled: pending.enabled,
    };
    certificates::store(world, vault, new);
    if let Some(contents) = world.vaults.live.get_mut(vault)
        && let Some(pending) = contents.pending.get_mut(&pending.name.to_ascii_lowercase())
    {
        pending.completed = true;
    }
}

/// The pending operation of a certificate.
pub(super) fn find<'a>(world: &'a World, vault: &str, name: &str) -> Result<&'a Pending, Refusal> {
    world
        .vaults
        .live
        .get(vault)
        .and_then(|contents| contents.pending.get(&name.to_ascii_lowercase()))
        .ok_or_else(|| {
            let message = format!("A pending certificate operation of {name} was not found.");
            Refusal::missing("PendingCertificateNotFound", message)
        })
}

/// `PATCH …/pending`: somebody wants it stopped. A self-signed one is stopped at once.
pub(super) fn cancel(world: &mut World, vault: &str, name: &str) -> Result<(), Refusal> {
    find(world, vault, name)?;
    let contents = world.vaults.live.get_mut(vault);
    if let Some(it) = contents.and_then(|it| it.pending.get_mut(&name.to_ascii_lowercase())) {
        it.cancelled = !it.completed;
    }
    Ok(())
}

/// The operation as the vault shows it.
pub(super) fn show(base: &str, pending: &Pending) -> Value {
    let mut shown = json!({
        "id": format!("{base}/certificates/{}/pending", pending.name),
        "issuer": pending.policy["issuer"],
        "csr": pending.csr,
        "cancellation_requested": pending.cancelled,
        "request_id": pending.request,
    });
    if pending.completed {
        shown["status"] = json!("completed");
        shown["target"] = json!(format!("{base}/certificates/{}", pending.name));
    } else if pending.cancelled {
        shown["status"] = json!("cancelled");
    } else {
        shown["status"] = json!("inProgress");
        shown["status_details"] = json!(
            "Pending certificate created. Certificate request is in progress. This may take some time based on the \
             issuer provider. Please check again later."
        );
    }
    shown
}
