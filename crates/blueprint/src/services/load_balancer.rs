//! Standard load balancers, for what is not HTTP.
//!
//! A Kubernetes service of type LoadBalancer has rules of its own in the cluster's load balancer; what it takes from
//! here is the static address, by its name (`service.beta.kubernetes.io/azure-pip-name`). Machines join the pool.

use crate::address::Address;
use crate::body::{Body, object};
use crate::expression::Expression;
use crate::name;
use crate::services::network::API_VERSION;
use crate::services::{Draft, public_ip, set};

/// Its address; there is one.
pub fn address() -> Address {
    Address::new("loadBalancer", "main")
}

pub(super) fn add(draft: &mut Draft<'_>) {
    let Some(wanted) = draft.app.network.as_ref().and_then(|network| network.balancer.as_ref()) else {
        return;
    };
    let mut balancer = draft.in_group(
        address(),
        "Microsoft.Network/loadBalancers",
        API_VERSION,
        draft.name(&name::LOAD_BALANCER, None),
        "network.balancer",
    );
    set(&mut balancer, "sku", object([("name", "Standard".into()), ("tier", "Regional".into())]));
    let id = balancer.id();
    let refer = |collection: &str, name: &str| object([("id", format!("{id}/{collection}/{name}").into())]);
    let part = |name: &str, properties: Body| object([("name", name.into()), ("properties", properties)]);
    let ports = wanted.ports();
    let probed = wanted.probe.or_else(|| ports.iter().find(|(_, udp)| !udp).map(|(port, _)| *port));
    let rules: Vec<Body> = ports
        .iter()
        .map(|(port, udp)| {
            let (name, protocol) = if *udp { ("udp", "Udp") } else { ("tcp", "Tcp") };
            let properties = object([
                ("frontendIPConfiguration", refer("frontendIPConfigurations", "public")),
                ("backendAddressPool", refer("backendAddressPools", "main")),
                ("probe", refer("probes", "main")),
                ("protocol", protocol.into()),
                ("frontendPort", u32::from(*port).into()),
                ("backendPort", u32::from(*port).into()),
                // A call stays with the machine that began it.
                ("loadDistribution", "SourceIP".into()),
                ("idleTimeoutInMinutes", 4u32.into()),
                ("enableTcpReset", Body::from((!udp).then_some(true))),
                // Who starts a connection from behind it does so by the NAT gateway.
                ("disableOutboundSnat", true.into()),
            ]);
            part(&format!("{name}-{port}"), properties)
        })
        .collect();
    let probe = probed.map(|port| {
        let properties = object([
            ("protocol", "Tcp".into()),
            ("port", u32::from(port).into()),
            ("intervalInSeconds", 5u32.into()),
            ("probeThreshold", 2u32.into()),
        ]);
        Body::from(vec![part("main", properties)])
    });
    let ip = object([("id", Expression::id(&public_ip::address("balancer")).into())]);
    let properties = object([
        ("frontendIPConfigurations", vec![part("public", object([("publicIPAddress", ip)]))].into()),
        ("backendAddressPools", vec![object([("name", "main".into())])].into()),
        ("probes", probe.into()),
        ("loadBalancingRules", rules.into()),
    ]);
    set(&mut balancer, "properties", properties);
    draft.push(balancer);
}
