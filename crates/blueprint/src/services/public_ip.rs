//! Static public addresses: of the NAT gateway, the bastion, the gateway and the load balancer.

use crate::address::Address;
use crate::body::{Body, object};
use crate::expression::Expression;
use crate::name;
use crate::services::network::API_VERSION;
use crate::services::{Draft, set};

/// The address of a public address, by what has it: `gateway`, `balancer`, `bastion`, `nat-1`.
pub fn address(of: &str) -> Address {
    Address::new("publicIp", of)
}

/// The address itself, once there.
pub fn ip(of: &str) -> Body {
    Expression::property(&address(of), "properties.ipAddress").into()
}

pub(super) fn add(draft: &mut Draft<'_>) {
    let Some(network) = &draft.app.network else { return };
    let nat = super::nat_gateway::addresses(draft).into_iter().map(|of| (of, "network.nat"));
    let others = [
        ("bastion", network.bastion.is_some(), "network.bastion"),
        ("gateway", network.gateway.is_some(), "network.gateway"),
        ("balancer", network.balancer.is_some(), "network.balancer"),
    ];
    let others = others.into_iter().filter(|(_, there, _)| *there).map(|(of, _, from)| (of.to_owned(), from));
    for (of, from) in nat.chain(others).collect::<Vec<_>>() {
        let name = draft.name(&name::PUBLIC_IP, Some(&of));
        // Traffic Manager leads only to an address that has a name.
        let label =
            (of != "bastion" && !of.starts_with("nat-")).then(|| draft.name(&name::DNS_LABEL, Some(&of)));
        let mut ip =
            draft.in_group(address(&of), "Microsoft.Network/publicIPAddresses", API_VERSION, name, from);
        set(&mut ip, "sku", object([("name", "Standard".into()), ("tier", "Regional".into())]));
        let dns = label.map(|label| object([("domainNameLabel", label.into())]));
        let properties = object([
            ("publicIPAddressVersion", "IPv4".into()),
            ("publicIPAllocationMethod", "Static".into()),
            ("dnsSettings", dns.into()),
        ]);
        set(&mut ip, "properties", properties);
        // Others have it in their lists and zones; another one is not the same.
        ip.holds_data = true;
        draft.push(ip);
    }
}
