//! The Container Apps environment: what the apps run in.

use crate::address::Address;
use crate::body::{Body, object};
use crate::expression::Expression;
use crate::name;
use crate::services::network::{self, Purpose};
use crate::services::{Draft, set, workspace};
use landfall_manifest::Host;
use landfall_manifest::host::CONSUMPTION;

/// Its address; there is one.
pub fn address() -> Address {
    Address::new("containerEnvironment", "main")
}

/// The domain that the apps' own host names lie under.
pub fn default_domain() -> Body {
    Expression::property(&address(), "properties.defaultDomain").into()
}

pub(super) fn add(draft: &mut Draft<'_>) {
    let is_on_it = |host: &Host| matches!(host, Host::ContainerApps(_) | Host::ContainerJob(_));
    if !draft.app.services.values().any(|service| is_on_it(&service.host)) {
        return;
    }
    let own = draft.app.container_apps.as_ref();
    let workspace = workspace::address();
    let mut environment = draft.in_group(
        address(),
        "Microsoft.App/managedEnvironments",
        "2026-01-01",
        draft.name(&name::CONTAINER_ENVIRONMENT, None),
        "app",
    );
    let logs = object([
        ("customerId", Expression::property(&workspace, "properties.customerId").into()),
        ("sharedKey", Expression::list_keys(&workspace, "primarySharedKey").into()),
    ]);
    let by_use = object([("name", CONSUMPTION.into()), ("workloadProfileType", CONSUMPTION.into())]);
    let machines = own.into_iter().flat_map(|own| &own.profiles).map(|(name, profile)| {
        object([
            ("name", name.as_str().into()),
            ("workloadProfileType", profile.size.as_str().into()),
            ("minimumCount", profile.min.into()),
            ("maximumCount", profile.max.into()),
        ])
    });
    let profiles: Vec<Body> = [by_use].into_iter().chain(machines).collect();
    let subnet = network::subnet(draft, Purpose::ContainerApps);
    let internal = network::is_internal(draft);
    let network = subnet.map(|subnet| {
        object([("infrastructureSubnetId", Expression::id(&subnet).into()), ("internal", internal.into())])
    });
    let properties = object([
        (
            "appLogsConfiguration",
            object([("destination", "log-analytics".into()), ("logAnalyticsConfiguration", logs)]),
        ),
        ("publicNetworkAccess", if internal { "Disabled" } else { "Enabled" }.into()),
        ("workloadProfiles", profiles.into()),
        ("vnetConfiguration", network.into()),
        (
            "peerAuthentication",
            own.map(|own| object([("mtls", object([("enabled", own.mtls.into())]))])).into(),
        ),
        // Spreading over zones needs a subnet of one's own, and cannot be changed afterwards.
        ("zoneRedundant", own.is_some_and(|own| own.zone_redundant).into()),
    ]);
    set(&mut environment, "properties", properties);
    draft.push(environment);
}
