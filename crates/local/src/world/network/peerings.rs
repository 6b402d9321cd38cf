//! Peerings of virtual networks. Each side has one of its own: `Initiated` until the other is there, then both are
//! `Connected`; when one goes, the other is `Disconnected` until it is written again.

use serde_json::{Value, json};

use super::cidr::Cidr;
use super::inline::Inline;
use super::{VNET, alone, etag, no_reference, row, space_of};
use crate::world::World;
use crate::world::arm::id::Id;
use crate::world::arm::kind::{Change, Ending, Kind, Place, Rules, What};
use crate::world::arm::refusal::Refusal;
use crate::world::arm::{Resource, default, put};
use crate::world::checks::{named, text};

pub(super) const PEERINGS: Inline =
    Inline { property: "virtualNetworkPeerings", kind: "virtualNetworkPeerings" };
const REMOTE: &str = "properties.remoteVirtualNetwork.id";

pub(super) static KINDS: &[Kind] = &[row(
    "Microsoft.Network/virtualNetworks/virtualNetworkPeerings",
    Place::Parent,
    [5.0, 5.0, 5.0],
    &[
        "etag",
        "properties.peeringState",
        "properties.peeringSyncLevel",
        "properties.remoteVirtualNetworkAddressSpace",
        "properties.resourceGuid",
    ],
    &Peerings,
)];

fn state(peering: &Resource) -> &str {
    text(&peering.private, "state")
}

fn remote<'a>(world: &'a World, peering: &Resource) -> Option<&'a Resource> {
    named(world, text(&peering.body, REMOTE), VNET)
}

/// The peering of the other side that leads back.
fn other_side<'a>(world: &'a World, own: &Id, remote: &Id) -> Option<&'a Resource> {
    let own = own.key();
    PEERINGS.of(world, remote).find(|it| text(&it.body, REMOTE).eq_ignore_ascii_case(&own))
}

fn overlap(a: &[Cidr], b: &[Cidr]) -> Option<(Cidr, Cidr)> {
    a.iter().find_map(|a| b.iter().find(|b| a.overlaps(b)).map(|b| (*a, *b)))
}

/// Refuses an address space that reaches into that of a peered network.
pub(super) fn still_apart(world: &World, vnet: &Id, space: &[Cidr]) -> Result<(), Refusal> {
    for peering in PEERINGS.of(world, vnet) {
        let Some(remote) = remote(world, peering) else { continue };
        if let Some((own, other)) = overlap(space, &space_of(remote)) {
            return Err(overlapping(&peering.id, vnet, &remote.id, own, other));
        }
    }
    Ok(())
}

fn overlapping(peering: &Id, own: &Id, remote: &Id, a: Cidr, b: Cidr) -> Refusal {
    Refusal::bad(
        "VnetAddressSpacesOverlap",
        format!(
            "Cannot create or update peering {peering}. Virtual networks {own} and {remote} cannot be peered because \
             their address spaces overlap. Overlapping address prefixes: {a}, {b}. For more information please refer \
             to https://aka.ms/VnetPeeringInfo"
        ),
    )
}

#[derive(Debug)]
struct Peerings;

impl Rules for Peerings {
    fn judge(&self, world: &World, change: &mut Change) -> Result<(), Refusal> {
        alone(world, change.id)?;
        let id = change.id;
        let named_remote = text(&change.body, REMOTE);
        let Some(remote) = named(world, named_remote, VNET) else {
            return Err(no_reference(named_remote, id));
        };
        let Some(own) = id.parent().and_then(|parent| world.arm.find(&parent.key())) else { return Ok(()) };
        if let Some(current) = &change.current
            && !text(&current.body, REMOTE).eq_ignore_ascii_case(&remote.id.key())
        {
            return Err(Refusal::bad(
                "ChangingRemoteVirtualNetworkNotAllowed",
                format!("Peering {id} cannot be changed to reference the virtual network {}.", remote.id),
            ));
        }
        if let Some((a, b)) = overlap(&space_of(own), &space_of(remote)) {
            return Err(overlapping(id, &own.id, &remote.id, a, b));
        }
        for other in PEERINGS.of(world, &own.id).filter(|other| other.id.key() != id.key()) {
            if text(&other.body, REMOTE).eq_ignore_ascii_case(&remote.id.key()) {
                return Err(Refusal::bad(
                    "AnotherPeeringAlreadyReferencesRemoteVnet",
                    format!(
                        "Peering {id} cannot be created because virtual network {} already has peering {} \
                         referencing the remote virtual network {}.",
                        own.id, other.id, remote.id
                    ),
                ));
            }
        }
        for other in PEERINGS.of(world, &remote.id) {
            let Some(third) = self::remote(world, other).filter(|third| third.id.key() != own.id.key())
            else {
                continue;
            };
            if let Some((prefix, _)) = overlap(&space_of(own), &space_of(third)) {
                return Err(Refusal::bad(
                    "VnetAddressSpaceOverlapsWithAlreadyPeeredVnet",
                    format!(
                        "Cannot create or update peering {id}. Virtual networks {} and {} cannot be peered because \
                         address space of the first virtual network overlaps with address space of virtual network \
                         {} already peered with the second virtual network. Overlapping address prefixes: {prefix}. \
                         For more information please refer to https://aka.ms/VnetPeeringInfo",
                        own.id, remote.id, third.id
                    ),
                ));
            }
        }
        if let Some(back) =
            other_side(world, &own.id, &remote.id).filter(|back| state(back) == "Disconnected")
        {
            return Err(Refusal::bad(
                "RemotePeeringIsDisconnected",
                format!(
                    "Cannot create or update peering {id} because remote peering {} referencing parent virtual network \
                     {} is in Disconnected state. Update or re-create the remote peering to get it back to Initiated \
                     state. Peering gets Disconnected when remote vnet or remote peering is deleted and re-created.",
                    back.id, own.id
                ),
            ));
        }
        if change.body["properties"]["useRemoteGateways"] == true && !has_gateway(world, &remote.id) {
            return Err(Refusal::bad(
                "RemoteVnetHasNoGateways",
                format!(
                    "Peering {id} cannot have UseRemoteGateways flag set to true because remote virtual network {} \
                     referenced by the peering does not have any gateways.",
                    remote.id
                ),
            ));
        }
        for (name, value) in [
            ("allowVirtualNetworkAccess", true),
            ("allowForwardedTraffic", false),
            ("allowGatewayTransit", false),
            ("useRemoteGateways", false),
            ("doNotVerifyRemoteGateways", false),
            ("peerCompleteVnets", true),
        ] {
            default(&mut change.body, &format!("properties.{name}"), json!(value));
        }
        // what one side knows of the other stays as it was until it is told to look again
        let again =
            change.request.query("syncRemoteAddressSpace").is_some_and(|it| it.eq_ignore_ascii_case("true"));
        if change.current.is_none() || again {
            let known = remote.properties()["addressSpace"].clone();
            put(&mut change.body, "properties.remoteAddressSpace", known);
        }
        Ok(())
    }

    fn begun(&self, world: &mut World, id: &Id, _what: What) -> Ending {
        let Some(own) = id.parent() else { return Ending::Table };
        let found = world.arm.find(&id.key());
        let Some(remote) = found.and_then(|found| remote(world, found)) else { return Ending::Table };
        let space = remote.properties()["addressSpace"].clone();
        let back = other_side(world, &own, &remote.id).map(|back| back.id.key());
        let state = if back.is_some() { "Connected" } else { "Initiated" };
        for key in back.iter().chain([&id.key()]) {
            if let Some(side) = world.arm.find_mut(key) {
                put(&mut side.private, "state", json!(state));
                default(&mut side.body, "properties.remoteAddressSpace", space.clone());
            }
        }
        Ending::Table
    }

    fn deleted(&self, world: &mut World, resource: &Resource) {
        let Some(own) = resource.id.parent() else { return };
        let Some(remote) = Id::parse(text(&resource.body, REMOTE)) else { return };
        let back = other_side(world, &own, &remote).map(|back| back.id.key());
        if let Some(side) = back.and_then(|key| world.arm.find_mut(&key)) {
            put(&mut side.private, "state", json!("Disconnected"));
        }
    }

    fn view(&self, world: &World, resource: &Resource, body: &mut Value) {
        put(body, "properties.peeringState", json!(state(resource)));
        let own = resource.id.parent().and_then(|id| world.arm.find(&id.key()));
        if let (Some(own), Some(remote)) = (own, remote(world, resource)) {
            let stale = |peering: &Resource, vnet: &Resource| {
                peering.properties()["remoteAddressSpace"] != vnet.properties()["addressSpace"]
            };
            let here = stale(resource, remote);
            let there = other_side(world, &own.id, &remote.id).is_some_and(|back| stale(back, own));
            let level = match (here, there) {
                (false, false) => "FullyInSync",
                (true, false) => "LocalNotInSync",
                (false, true) => "RemoteNotInSync",
                (true, true) => "LocalAndRemoteNotInSync",
            };
            put(body, "properties.peeringSyncLevel", json!(level));
            put(
                body,
                "properties.remoteVirtualNetworkAddressSpace",
                remote.properties()["addressSpace"].clone(),
            );
        }
        etag(resource, body);
    }
}

fn has_gateway(world: &World, vnet: &Id) -> bool {
    let below = format!("{}/", vnet.key());
    world.arm.of_kind("Microsoft.Network/virtualNetworkGateways").any(|gateway| {
        crate::world::checks::list(gateway.properties(), "ipConfigurations")
            .iter()
            .any(|it| text(it, "properties.subnet.id").to_ascii_lowercase().starts_with(&below))
    })
}
