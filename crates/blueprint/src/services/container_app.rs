//! Container apps: one per service.

use std::collections::BTreeMap;

use landfall_manifest::{Ingress, Scale, Service, Source};

use crate::address::Address;
use crate::body::{Body, Object, object};
use crate::codes;
use crate::expression::Expression;
use crate::name;
use crate::resource::{CONTAINER_APP, Resource};
use crate::services::container_environment::{self, CONSUMPTION, default_domain};
use crate::services::{Draft, env, grant, identity, registry, role_assignment, set};

/// The address of a service's app.
pub fn address(service: &str) -> Address {
    Address::new("containerApp", service)
}

pub(super) fn add(draft: &mut Draft<'_>) {
    for (name, service) in &draft.app.services {
        let app = app(draft, name, service);
        draft.push(app);
    }
}

fn app(draft: &mut Draft<'_>, name: &str, service: &Service) -> Resource {
    let mut app = draft.in_group(
        address(name),
        CONTAINER_APP,
        "2026-01-01",
        draft.name(&name::CONTAINER_APP, Some(name)),
        format!("service.{name}"),
    );
    let roles = role_assignment::of_service(draft, name, service);
    app.after = grant::lets_in(draft, name, service);
    let identity = draft.earlier(&identity::address(name)).id();
    let assigned = Body::Object(Object::from_iter([(identity, object([]))]));
    set(
        &mut app,
        "identity",
        object([("type", "UserAssigned".into()), ("userAssignedIdentities", assigned)]),
    );
    let properties = object([
        ("environmentId", Expression::id(&container_environment::address()).into()),
        ("workloadProfileName", CONSUMPTION.into()),
        ("configuration", configuration(draft, name, service, roles.iter().map(|granted| &granted.target))),
        ("template", template(draft, name, service)),
    ]);
    set(&mut app, "properties", properties);
    app
}

fn configuration<'t>(
    draft: &Draft<'_>,
    name: &str,
    service: &Service,
    targets: impl Iterator<Item = &'t Address>,
) -> Body {
    let own = || Body::from(Expression::id(&identity::address(name)));
    let registries: Vec<Body> = targets
        .filter(|target| target.kind() == "registry")
        .map(|target| object([("server", registry::server(target)), ("identity", own())]))
        .collect();
    let names: BTreeMap<String, &str> =
        service.secrets.values().map(|secret| (secret_name(secret), secret.as_str())).collect();
    let secrets: Vec<Body> = names
        .into_iter()
        .map(|(here, secret)| {
            let uri = Expression::SecretUri { vault: draft.vault.clone(), secret: secret.to_owned() };
            object([("name", here.into()), ("keyVaultUrl", uri.into()), ("identity", own())])
        })
        .collect();
    let some = |items: Vec<Body>| Body::from((!items.is_empty()).then_some(items));
    object([
        // One revision has all of the traffic, and the old one stays until the new one is ready.
        ("activeRevisionsMode", "Single".into()),
        ("ingress", service.ingress.as_ref().zip(service.port).map(|(i, port)| ingress(i, port)).into()),
        // Enough to look back a while; inactive revisions cost nothing.
        ("maxInactiveRevisions", 10u32.into()),
        ("registries", some(registries)),
        ("secrets", some(secrets)),
    ])
}

/// A secret's name in the app: Key Vault does not tell capitals from small letters, Container Apps takes only
/// the latter, and a letter or digit at both ends.
fn secret_name(secret: &str) -> String {
    let name = secret.to_lowercase();
    match name.starts_with('-') || name.ends_with('-') {
        true => format!("s{name}s"),
        false => name,
    }
}

fn ingress(ingress: &Ingress, port: u16) -> Body {
    let rule = |(place, range): (usize, &String)| {
        object([
            ("name", format!("allow-{}", place + 1).into()),
            ("ipAddressRange", range.as_str().into()),
            ("action", "Allow".into()),
        ])
    };
    let allow: Vec<Body> = ingress.allow.iter().enumerate().map(rule).collect();
    let texts = |texts: &[String]| Body::Array(texts.iter().map(|text| text.as_str().into()).collect());
    let all = || Body::Array(vec!["*".into()]);
    let cors = (!ingress.cors.is_empty()).then(|| {
        object([
            ("allowedOrigins", texts(&ingress.cors)),
            ("allowedMethods", all()),
            ("allowedHeaders", all()),
            // Cookies may travel only to origins that are named.
            ("allowCredentials", (!ingress.cors.iter().any(|origin| origin == "*")).into()),
        ])
    });
    // The platform binds its managed certificate by itself once the domain points to the app.
    let domain = |name: &String| object([("name", name.as_str().into()), ("bindingType", "Auto".into())]);
    let domains: Vec<Body> = ingress.domains.iter().map(domain).collect();
    object([
        ("external", ingress.public.into()),
        ("targetPort", u32::from(port).into()),
        ("transport", "auto".into()),
        // Plain HTTP is answered by a redirect.
        ("allowInsecure", false.into()),
        ("stickySessions", object([("affinity", if ingress.affinity { "sticky" } else { "none" }.into())])),
        ("ipSecurityRestrictions", (!allow.is_empty()).then_some(allow).into()),
        ("corsPolicy", cors.into()),
        ("customDomains", (!domains.is_empty()).then_some(domains).into()),
    ])
}

fn template(draft: &mut Draft<'_>, name: &str, service: &Service) -> Body {
    let (image, command) = match &service.source {
        // The builder writes the command into the image.
        Source::Folder(_) => (Expression::Image { service: name.to_owned() }.into(), None),
        Source::Image(image) => (Body::from(image.as_str()), service.command.as_ref()),
    };
    let command = command.map(|words| Body::Array(words.iter().map(|word| word.as_str().into()).collect()));
    let container = object([
        ("name", name.into()),
        ("image", image),
        ("command", command.into()),
        ("env", variables(draft, name, service)),
        (
            "resources",
            object([("cpu", cpu(service.cpu.millicores)), ("memory", service.memory.to_string().into())]),
        ),
        ("probes", probes(service)),
    ]);
    object([
        ("revisionSuffix", Expression::RevisionSuffix { service: name.to_owned() }.into()),
        // What Azure gives a replica to finish its requests after SIGTERM.
        ("terminationGracePeriodSeconds", 30u32.into()),
        ("containers", vec![container].into()),
        ("scale", scale(draft, name, &service.scale)),
    ])
}

/// Whole where it is whole: Azure answers `1`, not `1.0`.
fn cpu(millicores: u32) -> Body {
    match millicores % 1000 {
        0 => (millicores / 1000).into(),
        _ => serde_json::Number::from_f64(f64::from(millicores) / 1000.0).map(Body::Number).into(),
    }
}

/// What a container finds in its environment: plain values, then references to the app's secrets.
fn variables(draft: &mut Draft<'_>, name: &str, service: &Service) -> Body {
    let plain = env::plain(draft, name, service);
    let plain = plain.iter().map(|(name, value)| object([("name", name.into()), ("value", value.clone())]));
    let secret = service.secrets.iter().map(|(variable, secret)| {
        object([("name", variable.as_str().into()), ("secretRef", secret_name(secret).into())])
    });
    Body::Array(plain.chain(secret).collect())
}

/// Start-up, readiness and liveness, by HTTP where the manifest names a path, else by connecting to the port.
/// A service without a port cannot be asked and has none.
fn probes(service: &Service) -> Body {
    let Some(port) = service.port else { return Body::Null };
    let port = || Body::from(u32::from(port));
    let how = |path: &Option<String>| match path {
        Some(path) => ("httpGet", object([("path", path.as_str().into()), ("port", port())])),
        None => ("tcpSocket", object([("port", port())])),
    };
    let probe = |kind: &str, path: &Option<String>, period: u32, failures: u32| {
        object([
            ("type", kind.into()),
            how(path),
            ("initialDelaySeconds", (kind == "Startup").then_some(1u32).into()),
            ("periodSeconds", period.into()),
            ("timeoutSeconds", 5u32.into()),
            ("failureThreshold", failures.into()),
        ])
    };
    Body::Array(vec![
        // A minute to come up: ten failures are the most that Azure's documentation allows.
        probe("Startup", &service.probes.start, 6, 10),
        // Out of the traffic after 15 s, and back with the first answer.
        probe("Readiness", &service.probes.ready, 5, 3),
        // Restarted after half a minute without an answer.
        probe("Liveness", &service.probes.live, 10, 3),
    ])
}

fn scale(draft: &mut Draft<'_>, name: &str, scale: &Scale) -> Body {
    let mut rules: Vec<Body> = Vec::new();
    if let Some(requests) = scale.http {
        let metadata = object([("concurrentRequests", requests.to_string().into())]);
        rules.push(object([("name", "http".into()), ("http", object([("metadata", metadata)]))]));
    }
    for (kind, percent) in [("cpu", scale.cpu), ("memory", scale.memory)] {
        if let Some(percent) = percent {
            let metadata = object([("type", "Utilization".into()), ("value", percent.to_string().into())]);
            let custom = object([("type", kind.into()), ("metadata", metadata)]);
            rules.push(object([("name", kind.into()), ("custom", custom)]));
        }
    }
    if let Some(queue) = &scale.queue {
        draft.problem(
            codes::NO_QUEUE,
            format!("service.{name}.scale.queue"),
            format!("`{}` holds no queue", queue.resource),
            Some("scale by `http`, `cpu` or `memory`".to_owned()),
        );
    }
    object([
        ("minReplicas", scale.min.into()),
        ("maxReplicas", scale.max.into()),
        ("rules", (!rules.is_empty()).then_some(rules).into()),
    ])
}

/// Where a service is reached. By the environment's domain and not by the app's own answer, so that two
/// services may know each other's.
pub(super) fn url(draft: &Draft<'_>, service: &str) -> Option<Body> {
    let ingress = draft.app.services.get(service)?.ingress.as_ref()?;
    let name = draft.name(&name::CONTAINER_APP, Some(service));
    let host = match ingress.public {
        true => format!("https://{name}."),
        false => format!("https://{name}.internal."),
    };
    Some(Expression::Concat { of: vec![host.into(), default_domain()] }.into())
}
