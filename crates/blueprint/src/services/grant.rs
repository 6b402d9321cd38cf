//! What lets services in where Azure's access control does not reach: each such type has a resource of its own for
//! it, which its [`Offer`](crate::services::Offer) makes.

use landfall_manifest::Service;

use crate::address::Address;
use crate::services::{Draft, role_assignment};

/// What has to be there before a service starts, or it would be refused by what it uses.
pub fn lets_in(draft: &Draft<'_>, name: &str, service: &Service) -> Vec<Address> {
    let roles = role_assignment::of_service(draft, name, service).into_iter().map(|granted| granted.address);
    let grants = service.uses.keys().filter_map(|resource| {
        let grant = draft.offer(resource)?.grant.as_ref()?;
        Some((grant.address)(name, resource))
    });
    roles.chain(grants).collect()
}

pub(super) fn add(draft: &mut Draft<'_>) {
    for (name, service) in &draft.app.services {
        for (resource, accesses) in &service.uses {
            let Some(grant) = draft.offer(resource).and_then(|offer| offer.grant.as_ref()) else { continue };
            let mut made = (grant.make)(draft, name, resource, accesses);
            made.from = format!("service.{name}.uses.{resource}");
            draft.push(made);
        }
    }
}
