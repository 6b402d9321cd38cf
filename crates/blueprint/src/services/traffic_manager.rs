//! Traffic Manager: one name that leads to a region that is well.

use landfall_manifest::network::{Endpoint, Routing, Traffic};

use crate::address::Address;
use crate::body::{Body, object};
use crate::expression::Expression;
use crate::name;
use crate::resource::Resource;
use crate::services::{Draft, public_ip, resource_group};

/// Its address; there is one.
pub fn address() -> Address {
    Address::new("trafficManager", "main")
}

pub(super) fn add(draft: &mut Draft<'_>) {
    let Some(traffic) = draft.app.network.as_ref().and_then(|network| network.traffic.as_ref()) else {
        return;
    };
    let name = draft.name(&name::TRAFFIC_MANAGER, None);
    // The same name under trafficmanager.net, where nobody else may have it.
    let label = draft.name(&name::TRAFFIC_LABEL, None);
    let endpoints: Vec<Body> = (1u32..)
        .zip(&traffic.endpoints)
        .map(|(at, endpoint)| self::endpoint(draft, traffic, at, endpoint))
        .collect();
    let routing = match traffic.routing {
        Routing::Performance => "Performance",
        Routing::Priority => "Priority",
        Routing::Weighted => "Weighted",
    };
    // Azure's bound is that of a 31-bit number.
    let ttl = u32::try_from(traffic.ttl.seconds).unwrap_or(u32::MAX >> 1).min(u32::MAX >> 1);
    let properties = object([
        ("profileStatus", "Enabled".into()),
        ("trafficRoutingMethod", routing.into()),
        ("dnsConfig", object([("relativeName", label.into()), ("ttl", ttl.into())])),
        (
            "monitorConfig",
            object([
                ("protocol", if traffic.probe.https { "HTTPS" } else { "HTTP" }.into()),
                ("port", u32::from(traffic.probe.port).into()),
                ("path", traffic.probe.path.as_str().into()),
                // A region is given up after two minutes: four probes without an answer.
                ("intervalInSeconds", 30u32.into()),
                ("timeoutInSeconds", 10u32.into()),
                ("toleratedNumberOfFailures", 3u32.into()),
            ]),
        ),
        ("endpoints", endpoints.into()),
    ]);
    let profile = Resource {
        named: None,
        address: address(),
        resource_type: "Microsoft.Network/trafficManagerProfiles",
        api_version: "2022-04-01",
        name,
        scope: draft.group(),
        location: None,
        body: object([("location", "global".into()), ("tags", draft.tags()), ("properties", properties)]),
        within: Some(resource_group::address()),
        after: Vec::new(),
        from: "network.traffic".to_owned(),
        holds_data: false,
    };
    draft.push(profile);
}

fn endpoint(draft: &Draft<'_>, traffic: &Traffic, place: u32, endpoint: &Endpoint) -> Body {
    const AZURE: &str = "Microsoft.Network/trafficManagerProfiles/azureEndpoints";
    const EXTERNAL: &str = "Microsoft.Network/trafficManagerProfiles/externalEndpoints";
    let gateway = draft.app.network.as_ref().is_some_and(|network| network.gateway.is_some());
    let (kind, own, location) = match &endpoint.target {
        Some(_) => (EXTERNAL, Body::Null, endpoint.region.as_deref().map(Body::from)),
        None => {
            let of = if gateway { "gateway" } else { "balancer" };
            (AZURE, Expression::id(&public_ip::address(of)).into(), None)
        }
    };
    let properties = object([
        ("targetResourceId", own),
        ("target", endpoint.target.as_deref().into()),
        ("endpointLocation", location.into()),
        ("endpointStatus", "Enabled".into()),
        (
            "priority",
            (traffic.routing == Routing::Priority).then_some(endpoint.priority.unwrap_or(place)).into(),
        ),
        ("weight", (traffic.routing == Routing::Weighted).then_some(endpoint.weight.unwrap_or(1)).into()),
    ]);
    object([("name", endpoint.name.as_str().into()), ("type", kind.into()), ("properties", properties)])
}
