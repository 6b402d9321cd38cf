//! NAT gateways: outbound traffic leaves by addresses that others can allow.

use landfall_manifest::{Outbound, Purpose};

use crate::address::Address;
use crate::body::{Body, object};
use crate::expression::Expression;
use crate::name;
use crate::services::network::API_VERSION;
use crate::services::{Draft, public_ip, set};

/// Its address; there is one.
pub fn address() -> Address {
    Address::new("natGateway", "main")
}

/// The NAT gateway, when the application has one.
pub fn of(draft: &Draft<'_>) -> Option<Address> {
    let network = draft.app.network.as_ref()?;
    (network.outbound == Outbound::Nat).then(address)
}

/// Whether the subnet of a purpose sends its traffic by the NAT gateway: what services run in does. A gateway and a
/// bastion have addresses of their own, and endpoints and databases start nothing.
pub(super) fn serves(purpose: Option<Purpose>) -> bool {
    match purpose {
        None
        | Some(
            Purpose::ContainerApps
            | Purpose::AppService
            | Purpose::Kubernetes
            | Purpose::Functions
            | Purpose::ContainerInstances,
        ) => true,
        Some(
            Purpose::PrivateEndpoints
            | Purpose::Postgres
            | Purpose::Gateway
            | Purpose::Bastion
            | Purpose::Vpn,
        ) => false,
    }
}

/// The names of its public addresses.
pub(super) fn addresses(draft: &Draft<'_>) -> Vec<String> {
    let network = draft.app.network.as_ref().filter(|network| network.outbound == Outbound::Nat);
    let count = network.map_or(0, |network| network.nat.addresses);
    (1..=count).map(|at| format!("nat-{at}")).collect()
}

pub(super) fn add(draft: &mut Draft<'_>) {
    let Some(address) = of(draft) else { return };
    let mut nat = draft.in_group(
        address,
        "Microsoft.Network/natGateways",
        API_VERSION,
        draft.name(&name::NAT_GATEWAY, None),
        "network.outbound",
    );
    set(&mut nat, "sku", object([("name", "Standard".into())]));
    let ips = addresses(draft)
        .into_iter()
        .map(|of| object([("id", Expression::id(&public_ip::address(&of)).into())]));
    let ips: Vec<Body> = ips.collect();
    // Four minutes is what an idle connection gets without a gateway, too.
    let properties = object([("idleTimeoutInMinutes", 4u32.into()), ("publicIpAddresses", ips.into())]);
    set(&mut nat, "properties", properties);
    draft.push(nat);
}
