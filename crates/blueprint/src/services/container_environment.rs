//! The Container Apps environment: what the apps run in.

use crate::address::Address;
use crate::body::{Body, object};
use crate::expression::Expression;
use crate::name;
use crate::services::{Draft, set, workspace};

/// The profile that is billed by use and scales to zero.
pub const CONSUMPTION: &str = "Consumption";

/// Its address; there is one.
pub fn address() -> Address {
    Address::new("containerEnvironment", "main")
}

/// The domain that the apps' own host names lie under.
pub fn default_domain() -> Body {
    Expression::property(&address(), "properties.defaultDomain").into()
}

pub(super) fn add(draft: &mut Draft<'_>) {
    if draft.app.services.is_empty() {
        return;
    }
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
    let properties = object([
        (
            "appLogsConfiguration",
            object([("destination", "log-analytics".into()), ("logAnalyticsConfiguration", logs)]),
        ),
        ("publicNetworkAccess", "Enabled".into()),
        (
            "workloadProfiles",
            vec![object([("name", CONSUMPTION.into()), ("workloadProfileType", CONSUMPTION.into())])].into(),
        ),
        // Spreading over zones needs a subnet of one's own, and cannot be changed afterwards.
        ("zoneRedundant", false.into()),
    ]);
    set(&mut environment, "properties", properties);
    draft.push(environment);
}
