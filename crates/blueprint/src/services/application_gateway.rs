//! Application Gateways: TLS, a firewall and routes by path in front of services.
//!
//! Parts of a gateway name each other by their whole ids, which are known from its name.

use landfall_manifest::Purpose;
use landfall_manifest::network::{Gateway, Route};

use crate::address::Address;
use crate::body::{Body, Object, object};
use crate::codes;
use crate::expression::Expression;
use crate::name;
use crate::resource::{ROLE_ASSIGNMENT, Resource};
use crate::role::{self, assignment_name, definition_id};
use crate::services::network::{self, API_VERSION};
use crate::services::{Draft, host, public_ip, set, vault, waf_policy};

/// Its address; there is one.
pub fn address() -> Address {
    Address::new("applicationGateway", "main")
}

/// The address of the identity by which it reads its certificate. No service has a name with a dot.
pub fn identity_address() -> Address {
    Address::new("identity", "gateway.certificate")
}

/// Where a gateway's requests to a service come from, for the service's own list of who may come: the gateway's subnet
/// where the services are internal, its public address else. None when no gateway leads to the service.
pub fn source(draft: &Draft<'_>, service: &str) -> Option<Body> {
    let network = draft.app.network.as_ref()?;
    let gateway = network.gateway.as_ref()?;
    gateway.routes.iter().find(|route| route.service.as_deref() == Some(service))?;
    match network::is_internal(draft) {
        true => network.range(Purpose::Gateway).map(|range| range.to_string().into()),
        false => Some(Expression::Concat { of: vec![public_ip::ip("gateway"), "/32".into()] }.into()),
    }
}

pub(super) fn add(draft: &mut Draft<'_>) {
    let Some(gateway) = draft.app.network.as_ref().and_then(|network| network.gateway.as_ref()) else {
        return;
    };
    check(draft, gateway);
    // Without room for its subnet there is a problem already.
    let Some(subnet) = network::subnet(draft, Purpose::Gateway) else { return };
    let mut resource = draft.in_group(
        address(),
        "Microsoft.Network/applicationGateways",
        API_VERSION,
        draft.name(&name::APPLICATION_GATEWAY, None),
        "network.gateway",
    );
    if gateway.certificate.is_some() {
        let (identity, role) = reader(draft);
        let assigned = Body::Object(Object::from_iter([(identity.id(), object([]))]));
        set(
            &mut resource,
            "identity",
            object([("type", "UserAssigned".into()), ("userAssignedIdentities", assigned)]),
        );
        resource.after = vec![identity.address.clone(), role.address.clone()];
        draft.push(identity);
        draft.push(role);
    }
    let parts = Parts { id: resource.id() };
    let properties = parts.all(draft, gateway, &subnet);
    set(&mut resource, "properties", properties);
    draft.push(resource);
}

/// The identity that reads the certificate, and its role.
fn reader(draft: &Draft<'_>) -> (Resource, Resource) {
    let identity = draft.in_group(
        identity_address(),
        super::identity::TYPE,
        "2024-11-30",
        draft.name(&name::IDENTITY, Some("gateway-certificate-reader")),
        "network.gateway.certificate",
    );
    let scope = draft.earlier(&draft.vault).id();
    let properties = object([
        ("roleDefinitionId", definition_id(&draft.subscription, &role::SECRETS_USER).into()),
        ("principalId", Expression::property(&identity_address(), "properties.principalId").into()),
        ("principalType", "ServicePrincipal".into()),
    ]);
    let role = Resource {
        named: None,
        // A certificate's value is read as a secret, in Key Vault's words.
        address: Address::new("roleAssignment", "gateway.certificate.vault"),
        resource_type: ROLE_ASSIGNMENT,
        api_version: "2022-04-01",
        name: assignment_name(&scope, &identity.id(), &role::SECRETS_USER),
        scope,
        location: None,
        body: object([("properties", properties)]),
        within: Some(draft.vault.clone()),
        after: Vec::new(),
        from: "network.gateway.certificate".to_owned(),
        holds_data: false,
    };
    (identity, role)
}

/// The parts of the gateway of an id.
struct Parts {
    id: String,
}

/// A part: its name and what it says.
fn part(name: &str, properties: Body) -> Body {
    object([("name", name.into()), ("properties", properties)])
}

impl Parts {
    /// The reference to a part.
    fn refer(&self, collection: &str, name: &str) -> Body {
        object([("id", format!("{}/{collection}/{name}", self.id).into())])
    }

    fn all(&self, draft: &Draft<'_>, gateway: &Gateway, subnet: &Address) -> Body {
        let reference = |address: &Address| object([("id", Expression::id(address).into())]);
        let secure = gateway.certificate.is_some();
        let port = |name: &str, port: u32| part(name, object([("port", port.into())]));
        let mut ports = vec![port("http", 80)];
        if secure {
            ports.push(port("https", 443));
        }
        let names: Vec<String> = (1..=gateway.routes.len()).map(|at| format!("route-{at}")).collect();
        let routes: Vec<(&String, &Route)> = names.iter().zip(&gateway.routes).collect();
        let each = |make: &dyn Fn(&str, &Route) -> Body| -> Body {
            routes.iter().map(|(name, route)| make(name, route)).collect::<Vec<Body>>().into()
        };
        let certificates = gateway.certificate.as_ref().map(|certificate| {
            // Without a version: the gateway looks for a newer one every four hours.
            let id = Expression::Concat {
                of: vec![vault::uri(&draft.vault), format!("secrets/{certificate}").into()],
            };
            Body::from(vec![part("main", object([("keyVaultSecretId", Body::from(id))]))])
        });
        let redirect = secure.then(|| {
            let to = object([
                ("redirectType", "Permanent".into()),
                ("targetListener", self.refer("httpListeners", "https")),
                ("includePath", true.into()),
                ("includeQueryString", true.into()),
            ]);
            Body::from(vec![part("to-https", to)])
        });
        object([
            ("sku", object([("name", "WAF_v2".into()), ("tier", "WAF_v2".into())])),
            (
                "autoscaleConfiguration",
                object([
                    ("minCapacity", gateway.scale.min.into()),
                    ("maxCapacity", gateway.scale.max.into()),
                ]),
            ),
            ("enableHttp2", gateway.http2.into()),
            ("firewallPolicy", reference(&waf_policy::address())),
            // TLS 1.2 and up, with the ciphers of the newest of Azure's own policies.
            (
                "sslPolicy",
                object([
                    ("policyType", "Predefined".into()),
                    ("policyName", "AppGwSslPolicy20220101".into()),
                ]),
            ),
            ("gatewayIPConfigurations", vec![part("main", object([("subnet", reference(subnet))]))].into()),
            (
                "frontendIPConfigurations",
                vec![part(
                    "public",
                    object([("publicIPAddress", reference(&public_ip::address("gateway")))]),
                )]
                .into(),
            ),
            ("frontendPorts", ports.into()),
            ("sslCertificates", certificates.into()),
            ("backendAddressPools", each(&|name, route| part(name, pool(draft, route)))),
            ("probes", each(&|name, route| part(name, probe(draft, route)))),
            (
                "backendHttpSettingsCollection",
                each(&|name, route| part(name, self.settings(draft, name, route))),
            ),
            ("httpListeners", self.listeners(gateway).into()),
            ("redirectConfigurations", redirect.into()),
            ("urlPathMaps", vec![self.paths(&routes)].into()),
            ("requestRoutingRules", self.rules(secure).into()),
        ])
    }

    fn settings(&self, draft: &Draft<'_>, name: &str, route: &Route) -> Body {
        let (port, protocol) = speaks(route);
        object([
            ("port", u32::from(port).into()),
            ("protocol", protocol.into()),
            ("cookieBasedAffinity", "Disabled".into()),
            // Longer than the 240 seconds of Container Apps gains nothing.
            ("requestTimeout", 240u32.into()),
            ("connectionDraining", object([("enabled", true.into()), ("drainTimeoutInSec", 30u32.into())])),
            ("hostName", host_name(draft, route).into()),
            ("probe", self.refer("probes", name)),
        ])
    }

    fn listeners(&self, gateway: &Gateway) -> Vec<Body> {
        let domains: Vec<Body> = gateway.domains.iter().map(|domain| domain.as_str().into()).collect();
        let hosts = || Body::from((!domains.is_empty()).then(|| domains.clone()));
        let listener = |name: &str, certificate: Body| {
            let properties = object([
                ("frontendIPConfiguration", self.refer("frontendIPConfigurations", "public")),
                ("frontendPort", self.refer("frontendPorts", name)),
                ("protocol", if name == "https" { "Https" } else { "Http" }.into()),
                ("hostNames", hosts()),
                ("sslCertificate", certificate),
            ]);
            part(name, properties)
        };
        let mut listeners = vec![listener("http", Body::Null)];
        if gateway.certificate.is_some() {
            listeners.push(listener("https", self.refer("sslCertificates", "main")));
        }
        listeners
    }

    /// The routes. What none of them names goes where the last one leads.
    fn paths(&self, routes: &[(&String, &Route)]) -> Body {
        let to = |name: &str| {
            [
                ("backendAddressPool", self.refer("backendAddressPools", name)),
                ("backendHttpSettings", self.refer("backendHttpSettingsCollection", name)),
            ]
        };
        let everything = routes.iter().find(|(_, route)| route.path == "/*").or(routes.last());
        let rules: Vec<Body> = routes
            .iter()
            .filter(|(_, route)| route.path != "/*")
            .map(|(name, route)| {
                let [pool, settings] = to(name);
                let paths = Body::from(vec![Body::from(route.path.as_str())]);
                part(name, object([("paths", paths), pool, settings]))
            })
            .collect();
        let default = everything.map(|(name, _)| name.as_str()).unwrap_or_default();
        let [(_, pool), (_, settings)] = to(default);
        part(
            "main",
            object([
                ("defaultBackendAddressPool", pool),
                ("defaultBackendHttpSettings", settings),
                ("pathRules", (!rules.is_empty()).then_some(rules).into()),
            ]),
        )
    }

    fn rules(&self, secure: bool) -> Vec<Body> {
        let routed = |name: &str, priority: u32| {
            let properties = object([
                ("ruleType", "PathBasedRouting".into()),
                ("priority", priority.into()),
                ("httpListener", self.refer("httpListeners", name)),
                ("urlPathMap", self.refer("urlPathMaps", "main")),
            ]);
            part(name, properties)
        };
        if !secure {
            return vec![routed("http", 100)];
        }
        let redirected = object([
            ("ruleType", "Basic".into()),
            ("priority", 200u32.into()),
            ("httpListener", self.refer("httpListeners", "http")),
            ("redirectConfiguration", self.refer("redirectConfigurations", "to-https")),
        ]);
        vec![routed("https", 100), part("http", redirected)]
    }
}

/// Whether a service runs in the Container Apps environment.
fn contained(draft: &Draft<'_>, service: &str) -> bool {
    draft.app.services.get(service).is_some_and(|service| service.host.as_str() == "container-apps")
}

/// The port of a route's backends, and what is spoken there.
fn speaks(route: &Route) -> (u16, &'static str) {
    let usual = if route.service.is_some() { 443 } else { 80 };
    let port = route.port.unwrap_or(usual);
    (port, if [443, 8443].contains(&port) { "Https" } else { "Http" })
}

/// The name by which backends know themselves: Container Apps tell services apart by it.
fn host_name(draft: &Draft<'_>, route: &Route) -> Option<Body> {
    of_url(host::url(draft, route.service.as_deref()?)?)
}

/// The host of an address by HTTPS.
fn of_url(url: Body) -> Option<Body> {
    const SCHEME: &str = "https://";
    match url {
        Body::String(text) => text.strip_prefix(SCHEME).map(Body::from),
        Body::Expression(Expression::Concat { of }) => {
            let mut pieces = of.into_iter();
            let first = pieces.next()?;
            let rest = first.as_str()?.strip_prefix(SCHEME)?.to_owned();
            let first = (!rest.is_empty()).then(|| Body::from(rest));
            Some(Expression::Concat { of: first.into_iter().chain(pieces).collect() }.into())
        }
        _ => None,
    }
}

/// A gateway cannot reach what answers to its own environment or cluster only.
fn check(draft: &mut Draft<'_>, gateway: &Gateway) {
    let mut hidden = Vec::new();
    for (at, route) in gateway.routes.iter().enumerate() {
        let found = route.service.as_ref().and_then(|name| Some((name, draft.app.services.get(name)?)));
        let Some((name, service)) = found else { continue };
        let public = service.ingress.as_ref().is_some_and(|ingress| ingress.public);
        let help = match service.host.as_str() {
            "container-apps" if !public && !network::is_internal(draft) => {
                "make all services internal (`ingress = { public = false }`), or this one public too"
            }
            "kubernetes" => "write `backends` with the address of the cluster's ingress",
            "container-job" => "lead the route to a service that listens",
            _ => continue,
        };
        hidden.push((at, name.clone(), help));
    }
    for (at, name, help) in hidden {
        draft.problem(
            codes::HIDDEN,
            "network.gateway.routes",
            format!("route {} leads to `{name}`, which the gateway cannot reach", at + 1),
            Some(help.to_owned()),
        );
    }
}

fn pool(draft: &Draft<'_>, route: &Route) -> Body {
    let backends: Vec<Body> = match &route.service {
        // An internal environment's names are nowhere to be looked up; its address is known.
        Some(service) if network::answers_network(draft, service) && contained(draft, service) => {
            let address =
                Expression::property(&super::container_environment::address(), "properties.staticIp");
            vec![object([("ipAddress", address.into())])]
        }
        Some(service) => {
            let host = host::url(draft, service).and_then(of_url);
            host.map(|host| object([("fqdn", host)])).into_iter().collect()
        }
        None => route
            .backends
            .iter()
            .map(|backend| match backend.parse::<std::net::Ipv4Addr>() {
                Ok(_) => object([("ipAddress", backend.as_str().into())]),
                Err(_) => object([("fqdn", backend.as_str().into())]),
            })
            .collect(),
    };
    object([("backendAddresses", backends.into())])
}

fn probe(draft: &Draft<'_>, route: &Route) -> Body {
    let ready = route.service.as_ref().and_then(|name| draft.app.services.get(name)?.probes.ready.clone());
    let path = route.probe.clone().or(ready).unwrap_or_else(|| "/".to_owned());
    let named = route.service.is_some();
    // A backend by name is asked under that name; one by address under its address.
    let first = route.backends.first().cloned().unwrap_or_default();
    object([
        ("protocol", speaks(route).1.into()),
        ("path", path.into()),
        ("host", (!named).then_some(first).into()),
        ("pickHostNameFromBackendHttpSettings", named.then_some(true).into()),
        ("interval", 30u32.into()),
        // As long as a replica may take to wake up.
        ("timeout", 30u32.into()),
        ("unhealthyThreshold", 3u32.into()),
        ("match", object([("statusCodes", vec![Body::from("200-399")].into())])),
    ])
}
