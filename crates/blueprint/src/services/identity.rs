//! User-assigned identities: one per service, so that each has only its own rights.
//!
//! User-assigned, since a service's roles have to work before its first revision starts, and since slots of App
//! Service and pods of Kubernetes can share one: a system-assigned identity comes into being with its site, has no
//! roles then, and every slot has another.

use crate::address::Address;
use crate::body::Body;
use crate::expression::Expression;
use crate::name;
use crate::services::Draft;

/// The ARM type.
pub const TYPE: &str = "Microsoft.ManagedIdentity/userAssignedIdentities";

/// The address of a service's identity.
pub fn address(service: &str) -> Address {
    Address::new("identity", service)
}

/// The object id of a service's identity, which roles are assigned to.
pub fn principal_id(service: &str) -> Body {
    Expression::property(&address(service), "properties.principalId").into()
}

/// The client id of a service's identity, which the service signs in with.
pub fn client_id(service: &str) -> Body {
    Expression::property(&address(service), "properties.clientId").into()
}

pub(super) fn add(draft: &mut Draft<'_>) {
    for (service, own) in &draft.app.services {
        // What only hands out files signs in nowhere.
        if !own.host.facts().runs {
            continue;
        }
        let name = draft.name(&name::IDENTITY, Some(service));
        let identity =
            draft.in_group(address(service), TYPE, "2024-11-30", name, format!("service.{service}"));
        draft.push(identity);
    }
}
