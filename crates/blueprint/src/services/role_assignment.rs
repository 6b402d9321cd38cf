//! Role assignments: what each service's identity may do, and no more.
//!
//! One per service and resource, with the least role that covers all of the service's uses of it. The people
//! and pipelines that run Landfall are not here: an application does not consist of them.

use std::collections::BTreeMap;

use landfall_manifest::{Access, Service, Source};

use crate::address::Address;
use crate::body::object;
use crate::resource::{ROLE_ASSIGNMENT, Resource};
use crate::role::{self, Role, assignment_name, definition_id};
use crate::services::{Draft, identity};

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

/// The roles a service has to have before it starts, by what they are about.
pub fn of_service(draft: &Draft<'_>, name: &str, service: &Service) -> BTreeMap<Address, Granted> {
    let mut granted = BTreeMap::new();
    if let (Source::Folder(_), Some(registry)) = (&service.source, &draft.registry) {
        grant(&mut granted, registry.clone(), &role::ACR_PULL, format!("service.{name}.source"));
    }
    if !service.secrets.is_empty() {
        grant(&mut granted, draft.vault.clone(), &role::SECRETS_USER, format!("service.{name}.secrets"));
    }
    for (resource, access) in &service.uses {
        if let Some((target, role)) = used(draft, resource, *access) {
            grant(&mut granted, target, role, format!("service.{name}.uses.{resource}"));
        }
    }
    granted
}

/// A role and where in the manifest the need for it stands.
pub struct Granted {
    /// The role.
    pub role: &'static Role,
    /// Dotted path.
    pub from: String,
}

fn used(draft: &Draft<'_>, resource: &str, access: Access) -> Option<(Address, &'static Role)> {
    let offer = draft.offer(resource)?;
    Some(((offer.address)(resource), (offer.role)(access)?))
}

/// AcrPush can pull, so it takes the place of AcrPull; no other two roles meet at one resource.
fn grant(granted: &mut BTreeMap<Address, Granted>, target: Address, role: &'static Role, from: String) {
    match granted.get_mut(&target) {
        Some(there) if *role == role::ACR_PUSH => *there = Granted { role, from },
        Some(_) => {}
        None => {
            granted.insert(target, Granted { role, from });
        }
    }
}

pub(super) fn add(draft: &mut Draft<'_>) {
    for (name, service) in &draft.app.services {
        let mut made = Vec::new();
        for (target, granted) in of_service(draft, name, service) {
            let scope = draft.earlier(&target).id();
            let identity = draft.earlier(&identity::address(name)).id();
            made.push(Resource {
                address: address(draft, name, &target),
                resource_type: ROLE_ASSIGNMENT,
                api_version: "2022-04-01",
                name: assignment_name(&scope, &identity, granted.role),
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
                within: Some(target),
                after: Vec::new(),
                from: granted.from,
                holds_data: false,
            });
        }
        made.into_iter().for_each(|resource| draft.push(resource));
    }
}
