//! Container apps: one per service on them.

use std::collections::BTreeMap;

use landfall_manifest::host::{Dapr, Revisions};
use landfall_manifest::{ContainerApps, Host, Ingress, Scale, Service, Source};

use crate::address::Address;
use crate::body::{Body, object};
use crate::expression::Expression;
use crate::name;
use crate::resource::{CONTAINER_APP, Resource};
use crate::services::container_environment::{self, default_domain};
use crate::services::host::{Code, Platform};
use crate::services::{
    Draft, application_gateway, dapr_component, env, identity, network, queue_scale, registry, set,
};

/// What this host is to its services.
pub(super) const PLATFORM: Platform =
    Platform { address: |name| Some(address(name)), url, code: Code::Image };

/// The address of a service's app.
pub fn address(service: &str) -> Address {
    Address::new("containerApp", service)
}

pub(super) fn add(draft: &mut Draft<'_>) {
    for (name, service) in &draft.app.services {
        if let Host::ContainerApps(own) = &service.host {
            let app = app(draft, name, service, own);
            draft.push(app);
        }
    }
}

fn app(draft: &mut Draft<'_>, name: &str, service: &Service, own: &ContainerApps) -> Resource {
    let mut app = draft.in_group(
        address(name),
        CONTAINER_APP,
        "2026-01-01",
        draft.name(&name::CONTAINER_APP, Some(name)),
        format!("service.{name}"),
    );
    let targets = draft.ready_for(&mut app, name, service);
    app.after.extend(dapr_component::of_service(name, own));
    let properties = object([
        ("environmentId", Expression::id(&container_environment::address()).into()),
        ("workloadProfileName", own.profile.as_str().into()),
        ("configuration", configuration(draft, name, service, own, &targets)),
        ("template", template(draft, name, service)),
    ]);
    set(&mut app, "properties", properties);
    app
}

/// The registries that the service's identity pulls from.
pub(super) fn registries(name: &str, targets: &[Address]) -> Body {
    let own = || Body::from(Expression::id(&identity::address(name)));
    let registries = targets.iter().filter(|target| target.kind() == "registry");
    some(
        registries
            .map(|target| object([("server", registry::server(target)), ("identity", own())]))
            .collect(),
    )
}

/// The service's secrets, each read from the vault by its identity.
pub(super) fn secrets(draft: &Draft<'_>, name: &str, service: &Service) -> Body {
    let own = || Body::from(Expression::id(&identity::address(name)));
    let names: BTreeMap<String, &str> =
        service.secrets.values().map(|secret| (secret_name(secret), secret.as_str())).collect();
    let secrets: Vec<Body> = names
        .into_iter()
        .map(|(here, secret)| {
            let uri = Expression::SecretUri { vault: draft.vault.clone(), secret: secret.to_owned() };
            object([("name", here.into()), ("keyVaultUrl", uri.into()), ("identity", own())])
        })
        .collect();
    some(secrets)
}

fn some(items: Vec<Body>) -> Body {
    (!items.is_empty()).then_some(items).into()
}

fn configuration(
    draft: &Draft<'_>,
    name: &str,
    service: &Service,
    own: &ContainerApps,
    targets: &[Address],
) -> Body {
    let mode = match own.revisions {
        // One revision has all of the traffic, and the old one stays until the new one is ready.
        Revisions::Single => "Single",
        Revisions::Multiple => "Multiple",
    };
    object([
        ("activeRevisionsMode", mode.into()),
        ("dapr", own.dapr.as_ref().map(|own| dapr(name, service, own)).into()),
        (
            "ingress",
            service
                .ingress
                .as_ref()
                .zip(service.port)
                .map(|(own, port)| ingress(draft, name, own, port))
                .into(),
        ),
        // Enough to look back a while; inactive revisions cost nothing.
        ("maxInactiveRevisions", 10u32.into()),
        ("registries", registries(name, targets)),
        ("secrets", secrets(draft, name, service)),
    ])
}

fn dapr(name: &str, service: &Service, own: &Dapr) -> Body {
    object([
        ("enabled", true.into()),
        ("appId", dapr_component::app_id(name, own).into()),
        ("appPort", own.port.or(service.port).map(u32::from).into()),
        ("appProtocol", own.protocol.azure().into()),
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

fn ingress(draft: &Draft<'_>, service: &str, ingress: &Ingress, port: u16) -> Body {
    let rule = |(place, range): (usize, Body)| {
        object([
            ("name", format!("allow-{}", place + 1).into()),
            ("ipAddressRange", range),
            ("action", "Allow".into()),
        ])
    };
    let ranges = ingress.allow.iter().map(|range| Body::from(range.as_str()));
    // Behind a gateway everybody comes from the gateway, which keeps the list itself.
    let gateway = (!ingress.allow.is_empty()).then(|| application_gateway::source(draft, service)).flatten();
    let allow: Vec<Body> = ranges.chain(gateway).enumerate().map(rule).collect();
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
        ("external", (ingress.public || network::answers_network(draft, service)).into()),
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

/// The one container of a service.
pub(super) fn container(draft: &mut Draft<'_>, name: &str, service: &Service) -> Body {
    let (image, command) = match &service.source {
        // The builder writes the command into the image.
        Source::Folder(_) => (Expression::Image { service: name.to_owned() }.into(), None),
        Source::Image(image) => (Body::from(image.as_str()), service.command.as_ref()),
    };
    let words = |words: &[String]| Body::Array(words.iter().map(|word| word.as_str().into()).collect());
    object([
        ("name", name.into()),
        ("image", image),
        ("command", command.map(|command| words(command)).into()),
        ("args", (!service.args.is_empty()).then(|| words(&service.args)).into()),
        ("env", variables(draft, name, service)),
        (
            "resources",
            object([
                ("cpu", service.cpu.map(|share| cpu(share.millicores)).into()),
                ("memory", service.memory.map(|memory| memory.to_string()).into()),
            ]),
        ),
        ("probes", probes(service)),
    ])
}

fn template(draft: &mut Draft<'_>, name: &str, service: &Service) -> Body {
    let container = container(draft, name, service);
    let scale = service.scale.as_ref().map(|own| scale(draft, name, own));
    object([
        ("revisionSuffix", Expression::RevisionSuffix { service: name.to_owned() }.into()),
        // What Azure gives a replica to finish its requests after SIGTERM.
        ("terminationGracePeriodSeconds", 30u32.into()),
        ("containers", vec![container].into()),
        ("scale", scale.into()),
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
    rules.extend(queue_rules(draft, name, scale));
    object([
        ("minReplicas", scale.min.into()),
        ("maxReplicas", scale.max.into()),
        ("rules", (!rules.is_empty()).then_some(rules).into()),
    ])
}

/// The rule by which waiting messages start something.
pub(super) fn queue_rules(draft: &mut Draft<'_>, name: &str, scale: &Scale) -> Vec<Body> {
    scale.queue.iter().filter_map(|queue| queue_scale::rule(draft, name, queue)).collect()
}

/// Where a service is reached. By the environment's domain and not by the app's own answer, so that two
/// services may know each other's.
pub(super) fn url(draft: &Draft<'_>, service: &str) -> Option<Body> {
    let ingress = draft.app.services.get(service)?.ingress.as_ref()?;
    let name = draft.name(&name::CONTAINER_APP, Some(service));
    let host = match ingress.public || network::answers_network(draft, service) {
        true => format!("https://{name}."),
        false => format!("https://{name}.internal."),
    };
    Some(Expression::Concat { of: vec![host.into(), default_domain()] }.into())
}
