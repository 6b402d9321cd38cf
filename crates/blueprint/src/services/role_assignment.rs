//! Role assignments: what each service's identity may do, and no more.
//!
//! One per service and resource (where a type parts its data among several roles, per part of it), with the least
//! role that covers all of the service's uses. The people and pipelines that run Landfall are not here: an
//! application does not consist of them. What no role can give is `grant`'s.

use std::collections::BTreeMap;

use landfall_manifest::{Service, Source};

use crate::address::Address;
use crate::body::object;
use crate::resource::{ROLE_ASSIGNMENT, Resource};
use crate::role::{self, Role, assignment_name, definition_id};
use crate::services::{Draft, host, identity, insights, offer};

/// The address of the role by which a service uses a resource: `web.store` for a declared one, `web.registry`
/// for the one that nobody declared, since there may be an undeclared vault as well.
pub fn address(draft: &Draft<'_>, service: &str, target: &Address) -> Address {
    let declared = &draft.app.resources;
    // A declared vault may have the name of the registry that nobody declared: `main`.
    let is_declared =
        draft.offer(target.name()).is_some_and(|offer| (offer.address)(target.name()) == *target);
    let target = match (is_declared, declared.contains_key(target.kind())) {
        (true, _) => target.name(),
        (false, false) => target.kind(),
        // Somebody called a resource `registry` or `vault`.
        (false, true) => target.as_str(),
    };
    Address::new("roleAssignment", &format!("{service}.{target}"))
}

/// A role of a service.
pub struct Granted {
    /// The address of its assignment.
    pub address: Address,
    /// What it is about.
    pub target: Address,
    /// The role.
    pub role: &'static Role,
    /// Where in the manifest the need for it stands, a dotted path.
    pub from: String,
}

/// The roles a service has to have before it starts, by what they are about.
pub fn of_service(draft: &Draft<'_>, name: &str, service: &Service) -> Vec<Granted> {
    if !service.host.facts().runs {
        return Vec::new();
    }
    let mut granted = BTreeMap::new();
    // Elsewhere the code comes without an image, or the nodes pull it.
    let pulls = host::of(&service.host).code == host::Code::Image;
    if let (true, Source::Folder(_), Some(registry)) = (pulls, &service.source, &draft.registry) {
        grant(&mut granted, registry.clone(), &role::ACR_PULL, format!("service.{name}.source"));
    }
    if service.has_secrets() {
        grant(&mut granted, draft.vault.clone(), &role::SECRETS_USER, format!("service.{name}.secrets"));
    }
    if draft.app.insights.enabled {
        let from = "insights.enabled".to_owned();
        grant(&mut granted, insights::address(), &role::METRICS_PUBLISHER, from);
    }
    for (resource, accesses) in &service.uses {
        let Some(declared) = draft.app.resources.get(resource) else { continue };
        let offer = offer(&declared.kind);
        // In the order of their greatness, so that the greater of two that meet is the one that stays.
        for role in accesses.iter().flat_map(|access| (offer.roles)(&declared.kind, access)) {
            let from = format!("service.{name}.uses.{resource}");
            grant(&mut granted, (offer.address)(resource), role, from);
        }
    }
    let granted = granted.into_iter().map(|((target, part), (role, from))| {
        let address = address(draft, name, &target);
        let address = match part {
            "" => address,
            part => Address::new(address.kind(), &format!("{}.{part}", address.name())),
        };
        Granted { address, target, role, from }
    });
    granted.collect()
}

type ByPart = BTreeMap<(Address, &'static str), (&'static Role, String)>;

/// The later of two roles about the same part can do all that the earlier can: AcrPush pulls, a contributor reads.
fn grant(granted: &mut ByPart, target: Address, role: &'static Role, from: String) {
    match granted.get_mut(&(target.clone(), role.part)) {
        Some((there, _)) if *there == role => {}
        Some(there) => *there = (role, from),
        None => {
            granted.insert((target, role.part), (role, from));
        }
    }
}

pub(super) fn add(draft: &mut Draft<'_>) {
    for (name, service) in &draft.app.services {
        let mut made = Vec::new();
        for granted in of_service(draft, name, service) {
            let scope = draft.earlier(&granted.target).id();
            let identity = draft.earlier(&identity::address(name)).id();
            made.push(Resource {
                address: granted.address,
                resource_type: ROLE_ASSIGNMENT,
                api_version: "2022-04-01",
                name: assignment_name(&scope, &identity, granted.role),
                named: None,
                scope,
                location: None,
                body: object([(
                    "properties",
                    object([
                        ("roleDefinitionId", definition_id(&draft.subscription, granted.role).into()),
                        ("principalId", identity::principal_id(name)),
                        // Without it a new principal is looked up in a directory that does not know it yet.
                        ("principalType", "ServicePrincipal".into()),
                    ]),
                )]),
                within: Some(granted.target),
                after: Vec::new(),
                from: granted.from,
                holds_data: false,
            });
        }
        made.into_iter().for_each(|resource| draft.push(resource));
    }
}
