//! What the provider answers beside its resources: what a region offers, and whether a DNS name is free.

use serde_json::{Value, json};

use super::addresses::{label_fits, label_taken};
use super::endpoints::TARGETS;
use crate::world::arm::kind::Call;
use crate::world::arm::refusal::Refusal;
use crate::world::{Method, Response, World};

/// Services that have service endpoints. (azure/virtual-network/virtual-network-service-endpoints-overview)
pub(super) const SERVICES: [&str; 11] = [
    "Microsoft.Storage",
    "Microsoft.Storage.Global",
    "Microsoft.Sql",
    "Microsoft.AzureCosmosDB",
    "Microsoft.KeyVault",
    "Microsoft.ServiceBus",
    "Microsoft.EventHub",
    "Microsoft.AzureActiveDirectory",
    "Microsoft.Web",
    "Microsoft.CognitiveServices",
    "Microsoft.ContainerRegistry",
];

/// Services that subnets are delegated to. (azure/virtual-network/subnet-delegation-overview)
const DELEGATIONS: [&str; 12] = [
    "Microsoft.App/environments",
    "Microsoft.Web/serverFarms",
    "Microsoft.Web/hostingEnvironments",
    "Microsoft.ContainerInstance/containerGroups",
    "Microsoft.DBforPostgreSQL/flexibleServers",
    "Microsoft.DBforMySQL/flexibleServers",
    "Microsoft.Sql/managedInstances",
    "Microsoft.Netapp/volumes",
    "Microsoft.ApiManagement/service",
    "Microsoft.Network/applicationGateways",
    "Microsoft.Network/dnsResolvers",
    "Microsoft.DevCenter/networkConnection",
];

/// `GET …/providers/Microsoft.Network/locations/LOCATION/…`, which is asked of subscriptions and groups alike.
pub(super) fn answer(world: &World, call: &Call) -> Option<Result<Response, Refusal>> {
    if call.request.method != Method::Get {
        return None;
    }
    let [locations, location, what] = call.rest.as_slice() else { return None };
    if !locations.eq_ignore_ascii_case("locations") {
        return None;
    }
    let base = format!("{}/providers/Microsoft.Network", call.id);
    let listed = |value: Vec<Value>| Some(Ok(Response::json(200, &json!({"value": value}))));
    match what.to_ascii_lowercase().as_str() {
        "checkdnsnameavailability" => Some(free(world, call, location)),
        "virtualnetworkavailableendpointservices" => listed(
            SERVICES
                .iter()
                .map(|name| {
                    json!({"name": name, "id": format!("{base}/virtualNetworkEndpointServices/{name}"),
                           "type": "Microsoft.Network/virtualNetworkEndpointServices"})
                })
                .collect(),
        ),
        "availabledelegations" => listed(
            DELEGATIONS
                .iter()
                .map(|service| {
                    let name = service.replace('/', ".");
                    json!({"name": name, "id": format!("{base}/availableDelegations/{name}"),
                           "type": "Microsoft.Network/availableDelegations", "serviceName": service,
                           "actions": ["Microsoft.Network/virtualNetworks/subnets/join/action"]})
                })
                .collect(),
        ),
        "availableprivateendpointtypes" => listed(
            TARGETS
                .iter()
                .map(|(kind, _)| {
                    let name = kind.replace('/', ".");
                    json!({"name": name, "id": format!("{base}/AvailablePrivateEndpointTypes/{name}"),
                           "type": "Microsoft.Network/AvailablePrivateEndpointTypes", "resourceName": kind,
                           "displayName": kind})
                })
                .collect(),
        ),
        _ => None,
    }
}

/// Whether a label of a public address is free in a region.
fn free(world: &World, call: &Call, location: &str) -> Result<Response, Refusal> {
    let label = call.request.query("domainNameLabel").unwrap_or_default();
    if !label_fits(label) {
        return Err(Refusal::bad(
            "InvalidDomainNameLabel",
            format!(
                "The domain name label {label} is invalid. It must conform to the following regular expression: \
                 ^[a-z][a-z0-9-]{{1,61}}[a-z0-9]$."
            ),
        ));
    }
    let name = format!("{label}.{location}.cloudapp.azure.com");
    Ok(Response::json(200, &json!({"available": label_taken(world, &name).is_none()})))
}
