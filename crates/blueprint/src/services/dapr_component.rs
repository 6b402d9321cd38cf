//! Components of Dapr: what the sidecars of container apps keep state in.
//!
//! One per service and resource, since a component names the identity it signs in with and every service has its own.

use landfall_manifest::host::Dapr;
use landfall_manifest::{ContainerApps, Host};

use crate::address::Address;
use crate::body::{Body, object};
use crate::codes;
use crate::services::{Draft, child, container_environment, identity};

/// The address of a service's state store.
pub fn address(service: &str) -> Address {
    Address::new("daprComponent", service)
}

/// The component that a service's sidecar loads, when it has one.
pub(super) fn of_service(name: &str, own: &ContainerApps) -> Option<Address> {
    own.dapr.as_ref()?.state.as_ref().map(|_| address(name))
}

/// The name by which the service asks Dapr for its state.
pub(super) fn store(service: &str, resource: &str) -> String {
    format!("{resource}-{service}")
}

/// The name that other services call this one by.
pub(super) fn app_id<'a>(service: &'a str, own: &'a Dapr) -> &'a str {
    own.id.as_deref().unwrap_or(service)
}

pub(super) fn add(draft: &mut Draft<'_>) {
    for (name, service) in &draft.app.services {
        let Host::ContainerApps(ContainerApps { dapr: Some(own), .. }) = &service.host else { continue };
        let Some(resource) = &own.state else { continue };
        let part = |draft: &Draft<'_>, attribute: &str| {
            draft.offer(resource).and_then(|offer| (offer.attribute)(draft, resource, attribute))
        };
        let (Some(host), Some(port)) = (part(draft, "host"), part(draft, "port")) else {
            draft.problem(
                codes::NO_STATE,
                format!("service.{name}.dapr.state"),
                format!("`{resource}` keeps no state for Dapr"),
                Some("name a resource of type `redis`".to_owned()),
            );
            continue;
        };
        let entry = |name: &str, value: Body| object([("name", name.into()), ("value", value)]);
        let metadata = vec![
            entry("redisHost", crate::expression::concat([host, ":".into(), port])),
            entry("enableTLS", "true".into()),
            // Signed in with the service's identity; the key of a store would be everybody's.
            entry("useEntraID", "true".into()),
            entry("azureClientId", identity::client_id(name)),
            entry("actorStateStore", "true".into()),
        ];
        let environment = draft.earlier(&container_environment::address());
        let mut component = child(
            environment,
            address(name),
            "Microsoft.App/managedEnvironments/daprComponents",
            "2026-01-01",
            &store(name, resource),
            object([
                ("componentType", "state.redis".into()),
                ("version", "v1".into()),
                ("ignoreErrors", false.into()),
                ("metadata", metadata.into()),
                ("scopes", vec![Body::from(app_id(name, own))].into()),
            ]),
        );
        component.from = format!("service.{name}.dapr");
        draft.push(component);
    }
}
