//! Custom domains: who may have a host name, and the certificates of environments, uploaded and managed.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use jiff::SignedDuration;
use serde_json::{Value, json};

use super::workload::HostCertificate;
use super::{Event, environments, template};
use crate::world::agenda::Event as Due;
use crate::world::arm::id::Id;
use crate::world::arm::kind::{
    Change, Depth, Ending, Headers, Kind, Names, Place, Replies, Reply, Rules, Signs, What,
};
use crate::world::arm::refusal::Refusal;
use crate::world::arm::resources::at_once;
use crate::world::arm::{Resource, operations, put, stamp, take};
use crate::world::{Hidden, World, dns, keyvault, x509};

const APPS: &str = "Microsoft.App/containerApps";
const UPLOADED: &str = "Microsoft.App/managedEnvironments/certificates";
const MANAGED: &str = "Microsoft.App/managedEnvironments/managedCertificates";

/// Between two looks at a host's records, in seconds at speed 1.
const LOOK_SECONDS: f64 = 60.0;
/// Looks before a managed certificate is given up: twenty minutes on Azure.
const LOOKS: u32 = 20;

const NAMES: Names = Names {
    length: (1, 260),
    signs: Signs::Any,
    global: false,
    refusal: ("InvalidCertificateName", "The certificate name '{name}' is invalid."),
};

pub(super) const CERTIFICATE: Kind = Kind {
    name: UPLOADED,
    depth: Depth::Modelled,
    names: NAMES,
    place: Place::Regional,
    seconds: [0.0, 0.0, 0.0],
    replies: at_once(200, 200),
    busy: "CertificateOperationInProgress",
    computed: &[
        "properties.subjectName",
        "properties.subjectAlternativeNames",
        "properties.issuer",
        "properties.issueDate",
        "properties.expirationDate",
        "properties.thumbprint",
        "properties.valid",
        "properties.publicKeyHash",
        "properties.deploymentErrors",
    ],
    spelling: &[],
    rules: &Certificates,
};

pub(super) const MANAGED_CERTIFICATE: Kind = Kind {
    name: MANAGED,
    depth: Depth::Modelled,
    names: NAMES,
    place: Place::Regional,
    seconds: [LOOK_SECONDS, 0.0, 0.0],
    replies: Replies {
        create: Reply { status: 201, headers: Headers::Status, done: 201 },
        ..at_once(200, 200)
    },
    busy: "ManagedCertificateOperationInProgress",
    computed: &["properties.error", "properties.validationToken"],
    spelling: &[],
    rules: &Managed,
};

/// `asuid.` of a host; a wildcard's is that of what is below it.
fn ownership(host: &str) -> String {
    format!("asuid.{}", host.strip_prefix("*.").unwrap_or(host))
}

/// Refuses a host name that is not shown to be the subscription's own.
pub(super) fn owned(world: &World, host: &str) -> Result<(), Refusal> {
    let id = environments::verification_id(world);
    let place = ownership(host);
    if dns::look_up(world, "TXT", &place).iter().any(|text| text.trim().eq_ignore_ascii_case(&id)) {
        return Ok(());
    }
    Err(Refusal::bad(
        "InvalidCustomHostNameValidation",
        format!("A TXT record pointing from {place} to {id} was not found."),
    ))
}

fn domains(body: &Value) -> impl Iterator<Item = &Value> {
    body["properties"]["configuration"]["ingress"]["customDomains"].as_array().into_iter().flatten()
}

fn has_host(body: &Value, host: &str) -> bool {
    domains(body).any(|domain| domain["name"].as_str().is_some_and(|name| name.eq_ignore_ascii_case(host)))
}

/// Another app of an environment that has the host name.
fn holder<'a>(world: &'a World, environment: &str, host: &str, but: &str) -> Option<&'a Resource> {
    world.arm.of_kind(APPS).find(|app| {
        app.id.key() != but
            && environments::environment_of(&app.body).eq_ignore_ascii_case(environment)
            && has_host(&app.body, host)
    })
}

/// Checks and completes an app's custom domains; `now` is its body, `before` what it was.
pub(super) fn judge(world: &World, id: &Id, now: &mut Value, before: Option<&Value>) -> Result<(), Refusal> {
    let environment = environments::environment_of(now).to_owned();
    let internal = environments::internal(world, &environment);
    let list = now.pointer_mut("/properties/configuration/ingress/customDomains");
    let mut seen = std::collections::BTreeSet::new();
    for domain in list.and_then(Value::as_array_mut).into_iter().flatten() {
        let host = domain["name"].as_str().unwrap_or_default().to_ascii_lowercase();
        let bare = host.strip_prefix("*.").unwrap_or(&host);
        let proper = bare.contains('.')
            && bare.len() <= 253
            && bare.split('.').all(|label| {
                (1..=63).contains(&label.len())
                    && label.bytes().all(|sign| sign.is_ascii_alphanumeric() || sign == b'-')
                    && !label.starts_with('-')
                    && !label.ends_with('-')
            });
        if !proper || !seen.insert(host.clone()) {
            return Err(Refusal::bad(
                "InvalidCustomHostName",
                format!("The custom domain '{host}' is no host name, or is there twice."),
            ));
        }
        let certificate = domain["certificateId"].as_str().unwrap_or_default().to_owned();
        let given = domain["bindingType"].as_str().unwrap_or(match certificate.as_str() {
            "" => "Disabled",
            _ => "SniEnabled",
        });
        let Some(binding) =
            ["Disabled", "SniEnabled", "Auto"].into_iter().find(|known| known.eq_ignore_ascii_case(given))
        else {
            return Err(Refusal::bad(
                "InvalidCustomDomainBindingType",
                format!("The binding type '{given}' is invalid. Allowed values: Auto, Disabled, SniEnabled."),
            ));
        };
        domain["bindingType"] = json!(binding);
        if binding == "SniEnabled" {
            check_certificate(world, &environment, &certificate, &host)?;
        }
        if let Some(other) = holder(world, &environment, &host, &id.key()) {
            return Err(Refusal::conflict(
                "CustomDomainInUse",
                format!("Custom Domain {host} Conflicts on the same environment with {}.", other.id),
            ));
        }
        // Nobody but the network's own reaches an internal environment: there is nothing to prove.
        if !internal && !before.is_some_and(|before| has_host(before, &host)) {
            owned(world, &host)?;
        }
    }
    Ok(())
}

fn check_certificate(world: &World, environment: &str, id: &str, host: &str) -> Result<(), Refusal> {
    let missing = || {
        Refusal::bad(
            "CertificateNotFound",
            format!("The certificate '{id}' for the custom domain '{host}' was not found."),
        )
    };
    if id.is_empty() {
        return Err(Refusal::bad(
            "CertificateMissing",
            format!(
                "CertificateId property is missing for customDomain '{host}' with the binding type SniEnabled."
            ),
        ));
    }
    let found = world.arm.find(id).ok_or_else(missing)?;
    let own = found.id.parent().is_some_and(|parent| parent.key().eq_ignore_ascii_case(environment));
    if !own || ![UPLOADED, MANAGED].contains(&found.kind.as_str()) {
        return Err(missing());
    }
    if found.state != "Succeeded" {
        return Err(Refusal::bad(
            "CertificateMustBeProvisioned",
            format!(
                "The certificate '{id}' is not provisioned: its state is '{}'.",
                shown_state(&found.state)
            ),
        ));
    }
    let names = match found.kind.as_str() {
        MANAGED => vec![found.text("/properties/subjectName").to_owned()],
        _ => found.properties()["subjectAlternativeNames"]
            .as_array()
            .into_iter()
            .flatten()
            .filter_map(Value::as_str)
            .map(str::to_owned)
            .collect(),
    };
    let covers = names.iter().any(|name| {
        name.eq_ignore_ascii_case(host)
            || name.strip_prefix("*.").is_some_and(|below| {
                host.split_once('.').is_some_and(|(_, rest)| rest.eq_ignore_ascii_case(below))
            })
    });
    if covers {
        return Ok(());
    }
    Err(Refusal::bad(
        "CertificateSubjectNameMismatch",
        format!("The certificate '{id}' is for {} and not for the custom domain '{host}'.", names.join(", ")),
    ))
}

/// What clients are shown at a custom domain of an app.
pub(super) fn shown(world: &World, domain: &Value) -> HostCertificate {
    let certificate = domain["certificateId"].as_str().and_then(|id| world.arm.find(id));
    match certificate.filter(|_| domain["bindingType"] != "Disabled") {
        Some(found) if found.kind == MANAGED => HostCertificate::Managed,
        Some(found) => uploaded(&found.private),
        // By `Auto` it has one as soon as it can.
        None if domain["bindingType"] == "Auto" => HostCertificate::Managed,
        None => HostCertificate::Environment,
    }
}

/// An uploaded certificate as it was kept.
pub(super) fn uploaded(private: &Value) -> HostCertificate {
    let chain = private["chain"].as_array().into_iter().flatten();
    HostCertificate::Uploaded {
        chain: chain.filter_map(Value::as_str).map(str::to_owned).collect(),
        key: Hidden(private["key"].as_str().unwrap_or_default().to_owned()),
    }
}

/// Keeps what a certificate is served with.
pub(super) fn keep(private: &mut Value, bundle: &x509::Bundle) {
    let chain: Vec<String> = bundle.chain.iter().map(|der| STANDARD.encode(der)).collect();
    put(private, "chain", json!(chain));
    put(private, "key", json!(bundle.key.0));
}

/// `POST …/listCustomHostNameAnalysis?customHostname=HOST`.
pub(super) fn analyse(world: &World, app: &Resource, host: &str) -> Value {
    let environment = environments::environment_of(&app.body);
    let verified = owned(world, host);
    let other = holder(world, environment, host, &app.id.key());
    let bare = host.strip_prefix("*.").unwrap_or(host);
    let mut shown = json!({
        "hostName": host,
        "isHostnameAlreadyVerified": has_host(&app.body, host),
        "customDomainVerificationTest": if verified.is_ok() { "Passed" } else { "Failed" },
        "hasConflictOnManagedEnvironment": other.is_some(),
        "conflictWithEnvironmentCustomDomain": false,
        "cNameRecords": dns::look_up(world, "CNAME", bare),
        "txtRecords": dns::look_up(world, "TXT", bare),
        "aRecords": dns::look_up(world, "A", bare),
        "alternateCNameRecords": dns::look_up(world, "CNAME", &format!("asuid.{bare}")),
        "alternateTxtRecords": dns::look_up(world, "TXT", &ownership(host)),
    });
    if let Err(refusal) = verified {
        shown["customDomainVerificationFailureInfo"] = refusal.error();
    }
    if let Some(other) = other {
        shown["conflictingContainerAppResourceId"] = json!(other.id.to_string());
    }
    shown
}

/// Apps that a certificate is bound to.
fn bound<'a>(world: &'a World, certificate: &Id) -> Option<&'a Resource> {
    let key = certificate.key();
    world.arm.of_kind(APPS).find(|app| {
        domains(&app.body)
            .any(|domain| domain["certificateId"].as_str().is_some_and(|id| id.eq_ignore_ascii_case(&key)))
    })
}

fn may_go(world: &World, certificate: &Resource) -> Result<(), Refusal> {
    match bound(world, &certificate.id) {
        None => Ok(()),
        Some(app) => Err(Refusal::bad(
            "CertificateInUse",
            format!(
                "Certificate '{}' is used by the custom domains of the container app '{}': remove the binding first.",
                certificate.id.name(),
                app.id.name()
            ),
        )),
    }
}

fn shown_state(state: &str) -> &str {
    match state {
        "Creating" | "Updating" => "Pending",
        other => other,
    }
}

#[derive(Debug)]
struct Certificates;

impl Rules for Certificates {
    fn judge(&self, world: &World, change: &mut Change) -> Result<(), Refusal> {
        let invalid = |why: String| Refusal::bad("CertificateInvalid", why);
        let name = change.id.name().to_owned();
        let value = take(&mut change.body, "properties.value");
        let password = take(&mut change.body, "properties.password");
        let text =
            |value: &Option<Value>| value.as_ref().and_then(Value::as_str).unwrap_or_default().to_owned();
        let vault = change.body["properties"]["certificateKeyVaultProperties"].clone();
        let value = match vault["keyVaultUrl"].as_str() {
            Some(url) => {
                let identity = vault["identity"].as_str().unwrap_or("system");
                let environment = change.id.parent().map(|parent| parent.to_string()).unwrap_or_default();
                let holder = if identity.eq_ignore_ascii_case("system") { &environment } else { identity };
                let principal = world.entra.by_resource(holder).map(|known| known.object_id.clone());
                let principal = principal.ok_or_else(|| {
                    invalid(format!("The identity '{identity}' of the certificate '{name}' does not exist."))
                })?;
                keyvault::read_as(world, &principal, url).map_err(|refusal| {
                    invalid(format!(
                        "Unable to get the certificate '{name}' from {url}: {}: {}",
                        refusal.code, refusal.message
                    ))
                })?
            }
            None => text(&value),
        };
        if value.is_empty() {
            if change.current.is_some() {
                // Nothing but tags can change.
                return Ok(());
            }
            return Err(invalid(format!("The certificate '{name}' has no value.")));
        }
        let bundle = x509::read(&value, &text(&password))
            .map_err(|wrong| invalid(format!("The certificate '{name}' cannot be read: {}.", wrong.why())))?;
        keep(&mut change.private, &bundle);
        let facts = bundle.facts;
        for (field, value) in [
            ("subjectName", json!(facts.subject)),
            ("subjectAlternativeNames", json!(facts.names)),
            ("issuer", json!(facts.issuer)),
            ("issueDate", json!(stamp(facts.from))),
            ("expirationDate", json!(stamp(facts.until))),
            ("thumbprint", json!(hex::encode_upper(&facts.thumbprint))),
            ("valid", json!(facts.from <= world.now && world.now < facts.until)),
        ] {
            put(&mut change.body, &format!("properties.{field}"), value);
        }
        Ok(())
    }

    fn may_delete(&self, world: &World, resource: &Resource) -> Result<(), Refusal> {
        may_go(world, resource)
    }
}

#[derive(Debug)]
struct Managed;

impl Rules for Managed {
    fn judge(&self, world: &World, change: &mut Change) -> Result<(), Refusal> {
        let body = &mut change.body;
        let host = body["properties"]["subjectName"].as_str().unwrap_or_default().to_ascii_lowercase();
        if host.is_empty() || host.starts_with("*.") {
            return Err(Refusal::bad(
                "InvalidManagedCertificateSubjectName",
                format!(
                    "'{host}' is no subject of a managed certificate: it is a host name without wildcard."
                ),
            ));
        }
        let given = body["properties"]["domainControlValidation"].as_str().unwrap_or("CNAME");
        let Some(way) = ["CNAME", "HTTP", "TXT"].into_iter().find(|known| known.eq_ignore_ascii_case(given))
        else {
            return Err(template::invalid(
                "domainControlValidation",
                format_args!("Invalid value: \"{given}\": supported values: \"CNAME\", \"HTTP\", \"TXT\""),
            ));
        };
        let changed = change
            .current
            .as_ref()
            .is_some_and(|current| !current.text("/properties/subjectName").eq_ignore_ascii_case(&host));
        if changed {
            return Err(Refusal::bad(
                "ManagedCertificateSubjectNameCannotChange",
                "The subject of a managed certificate cannot be changed.",
            ));
        }
        put(body, "properties.domainControlValidation", json!(way));
        let Some(environment) = change.id.parent() else { return Ok(()) };
        let (key, name) = (environment.key(), environment.name().to_owned());
        if change.current.is_some() {
            return Ok(());
        }
        let other = world.arm.below(&environment).map(|(_, other)| other).find(|other| {
            other.kind == MANAGED && other.text("/properties/subjectName").eq_ignore_ascii_case(&host)
        });
        if let Some(other) = other {
            return Err(Refusal::bad(
                "DuplicateManagedCertificateInEnvironment",
                format!(
                    "Another managed certificate with subject name '{host}' and certificate name '{}' available in environment '{name}'.",
                    other.id.name()
                ),
            ));
        }
        if holder(world, &key, &host, "").is_none() {
            return Err(Refusal::bad(
                "RequireCustomHostnameInEnvironment",
                format!(
                    "Creating managed certificate requires hostname '{host}' added as a custom hostname to a container app in environment '{name}'"
                ),
            ));
        }
        let token =
            crate::world::chance::word(world.config.seed, &format!("certificate {}", change.id.key()), 32);
        put(body, "properties.validationToken", json!(format!("_{token}")));
        Ok(())
    }

    fn begun(&self, world: &mut World, id: &Id, what: What) -> Ending {
        if what == What::Updated {
            return Ending::After(0.0);
        }
        look_later(world, id.key(), 1);
        Ending::WhenTold
    }

    fn may_delete(&self, world: &World, resource: &Resource) -> Result<(), Refusal> {
        may_go(world, resource)
    }

    fn view(&self, _world: &World, resource: &Resource, body: &mut Value) {
        put(body, "properties.provisioningState", json!(shown_state(&resource.state)));
        if let Some(why) = resource.private["error"].as_str() {
            put(body, "properties.error", json!(why));
        }
    }
}

fn look_later(world: &mut World, certificate: String, nth: u32) {
    // Somebody may only now read the token that a record must hold: even at no pace at all this takes a moment. A
    // first look may as well be at once.
    let least = if nth == 1 { SignedDuration::ZERO } else { SignedDuration::from_secs(1) };
    let wait = world.config.scaled(LOOK_SECONDS).max(least);
    world.later(wait, Due::Apps(Event::Look { certificate, nth }));
}

/// Looks whether a managed certificate can be issued.
pub(super) fn look(world: &mut World, key: &str, nth: u32) {
    let Some(operation) = operations::under_way(world, key).map(|operation| operation.id.clone()) else {
        return;
    };
    let Some(certificate) = world.arm.find(key) else { return };
    match issuable(world, certificate) {
        Ok(()) => operations::finish(world, &operation, Ok(())),
        Err(_) if nth < LOOKS => look_later(world, key.to_owned(), nth + 1),
        Err(why) => {
            if let Some(certificate) = world.arm.find_mut(key) {
                put(&mut certificate.private, "error", json!(why));
            }
            let refusal = Refusal::bad("InvalidValidationMethod", why);
            operations::finish(world, &operation, Err(refusal));
        }
    }
}

/// Whether the records that the validation looks for are there, and the app can be reached.
fn issuable(world: &World, certificate: &Resource) -> Result<(), String> {
    let host = certificate.text("/properties/subjectName").to_ascii_lowercase();
    let Some(environment) = certificate.id.parent() else { return Ok(()) };
    let Some(app) = holder(world, &environment.key(), &host, "") else {
        return Err(format!("No container app of the environment has the custom domain '{host}'."));
    };
    let domain = environments::domain(world, &environment.key()).unwrap_or_default();
    if app.properties()["configuration"]["ingress"]["external"] != true
        || environments::internal(world, &environment.key())
    {
        return Err(format!("The container app '{}' cannot be reached from the internet.", app.id.name()));
    }
    let fqdn = super::apps::host(app, domain);
    match certificate.text("/properties/domainControlValidation") {
        "HTTP" => {
            let found = world.arm.find(&environment.key());
            let address = found.map(|found| found.text("/properties/staticIp")).unwrap_or_default();
            match dns::look_up(world, "A", &host).iter().any(|known| known == address) {
                true => Ok(()),
                false => Err(format!("An A record pointing from {host} to {address} was not found.")),
            }
        }
        "TXT" => {
            let token = certificate.text("/properties/validationToken");
            let place = format!("_dnsauth.{host}");
            match dns::look_up(world, "TXT", &place).iter().any(|known| known == token) {
                true => Ok(()),
                false => Err(format!("A TXT record pointing from {place} to {token} was not found.")),
            }
        }
        _ => match dns::look_up(world, "CNAME", &host).contains(&fqdn) {
            true => Ok(()),
            false => Err(format!("A CNAME record pointing from {host} to {fqdn} was not found.")),
        },
    }
}
