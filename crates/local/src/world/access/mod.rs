//! Who may do what: built-in roles, assignments with their delay, and the one question every plane asks,
//! [`allows`].

pub mod roles;

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::World;
use super::arm::refusal::Refusal;
use super::arm::{Ask, SystemData};
use super::{Response, entra};

/// Role assignments by the lower-case id.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Access {
    /// By [`Id::key`](super::arm::id::Id::key).
    pub assignments: BTreeMap<String, Assignment>,
}

/// One role assignment.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Assignment {
    /// As created.
    pub id: String,
    /// What it is over, as created.
    pub scope: String,
    /// GUID of the role.
    pub role: String,
    /// Whose it is.
    pub principal: String,
    /// `ServicePrincipal`, `User`, `Group`.
    pub principal_type: String,
    /// `description` and the like, as sent.
    pub extra: Value,
    /// From when on it works.
    pub works_from: Timestamp,
    /// When and by whom.
    pub system: SystemData,
}

/// What somebody wants to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Act<'a> {
    /// An action: `Microsoft.ContainerRegistry/registries/pull/read`.
    Control(&'a str),
    /// A data action: `Microsoft.KeyVault/vaults/secrets/getSecret/action`.
    Data(&'a str),
}

/// How long a new assignment takes to work, in seconds at speed 1.
const PROPAGATION_SECONDS: f64 = 60.0;

/// The owner of the subscription.
pub(super) fn found(world: &mut World) {
    let owner = entra::owner_id(&world.config);
    let scope = format!("/subscriptions/{}", world.config.subscription);
    let name = super::chance::fixed_uuid(world.config.seed, "owner's assignment");
    let id = format!("{scope}/providers/Microsoft.Authorization/roleAssignments/{name}");
    let assignment = Assignment {
        id: id.clone(),
        scope,
        role: roles::OWNER.into(),
        principal: owner.clone(),
        principal_type: "ServicePrincipal".into(),
        extra: Value::Null,
        works_from: Timestamp::MIN,
        system: SystemData {
            created_by: owner.clone(),
            created_at: world.now,
            modified_by: owner,
            modified_at: world.now,
        },
    };
    world.access.assignments.insert(id.to_ascii_lowercase(), assignment);
}

/// Whether `principal` (an object id) may do something over `scope` (an ARM id) now: by any of its assignments
/// there or above that has come to work.
pub fn allows(world: &World, principal: &str, act: Act<'_>, scope: &str) -> bool {
    world
        .access
        .assignments
        .values()
        .filter(|assignment| assignment.principal.eq_ignore_ascii_case(principal))
        .filter(|assignment| assignment.works_from <= world.now && covers(&assignment.scope, scope))
        .any(|assignment| roles::find(&assignment.role).is_some_and(|role| role.allows(act)))
}

/// Whether what is over `above` is over `scope` too.
fn covers(above: &str, scope: &str) -> bool {
    let above = above.trim_end_matches('/');
    scope.get(..above.len()).is_some_and(|head| head.eq_ignore_ascii_case(above))
        && matches!(scope.as_bytes().get(above.len()), None | Some(b'/'))
}

pub(super) fn serve(_world: &mut World, _ask: &Ask) -> Option<Result<Response, Refusal>> {
    None
}
