//! Azure Bastion: the way to machines in the network.

use landfall_manifest::Purpose;
use landfall_manifest::network::BastionSku;

use crate::address::Address;
use crate::body::{Body, object};
use crate::expression::Expression;
use crate::name;
use crate::services::network::{self, API_VERSION};
use crate::services::{Draft, public_ip, set};

/// Its address; there is one.
pub fn address() -> Address {
    Address::new("bastion", "main")
}

pub(super) fn add(draft: &mut Draft<'_>) {
    let Some(bastion) = draft.app.network.as_ref().and_then(|network| network.bastion.as_ref()) else {
        return;
    };
    // Without room for its subnet there is a problem already.
    let Some(subnet) = network::subnet(draft, Purpose::Bastion) else { return };
    let mut host = draft.in_group(
        address(),
        "Microsoft.Network/bastionHosts",
        API_VERSION,
        draft.name(&name::BASTION, None),
        "network.bastion",
    );
    let standard = bastion.sku == BastionSku::Standard;
    set(&mut host, "sku", object([("name", if standard { "Standard" } else { "Basic" }.into())]));
    let reference = |address: &Address| object([("id", Expression::id(address).into())]);
    let configuration = object([
        ("name", "main".into()),
        (
            "properties",
            object([
                ("privateIPAllocationMethod", "Dynamic".into()),
                ("publicIPAddress", reference(&public_ip::address("bastion"))),
                ("subnet", reference(&subnet)),
            ]),
        ),
    ]);
    let properties = object([
        ("ipConfigurations", vec![configuration].into()),
        // What only the dearer one can, and what makes it worth its price.
        ("enableTunneling", Body::from(standard.then_some(true))),
    ]);
    set(&mut host, "properties", properties);
    draft.push(host);
}
