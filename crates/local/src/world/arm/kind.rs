//! What Resource Manager knows about a type of resource: one row of data per type, with [`Rules`] where a type
//! has a will of its own. Types without a row get [`plain`]'s life cycle.

use serde_json::Value;

use super::id::Id;
use super::operations::Operation;
use super::refusal::Refusal;
use super::{Caller, Resource};
use crate::world::{
    Request, Response, World, container_apps, identities, keyvault, management_groups, plain,
};
use crate::world::{
    app_configuration, app_service, cognitive, communication, container_groups, cosmos, event_grid,
    front_door, kubernetes, messaging, monitor, network, postgres, redis, registry_account, storage_account,
    workspace,
};

/// The types that have a row, but for those of Microsoft.Network, which lists its own: adding a type is adding its row
/// to its module's list, or its module here.
static KINDS: &[&[Kind]] = &[
    super::locks::KINDS,
    crate::world::templates::specs::KINDS,
    app_configuration::KINDS,
    app_service::KINDS,
    cognitive::KINDS,
    communication::KINDS,
    container_apps::KINDS,
    container_groups::KINDS,
    cosmos::KINDS,
    event_grid::KINDS,
    front_door::KINDS,
    identities::KINDS,
    keyvault::KINDS,
    kubernetes::KINDS,
    management_groups::KINDS,
    messaging::KINDS,
    monitor::KINDS,
    registry_account::KINDS,
    registry_account::CHILDREN,
    storage_account::KINDS,
    workspace::KINDS,
    postgres::KINDS,
    redis::KINDS,
    plain::KINDS,
];

/// Every row.
pub fn rows() -> impl Iterator<Item = &'static Kind> {
    KINDS.iter().chain(network::KINDS.iter()).flat_map(|list| list.iter())
}

/// The row of a type, found without case.
pub fn find(kind: &str) -> Option<&'static Kind> {
    rows().find(|row| row.name.eq_ignore_ascii_case(kind))
}

/// The row of a type, or the row for types that have none.
pub fn row(kind: &str) -> &'static Kind {
    find(kind).unwrap_or(&plain::UNKNOWN)
}

/// One type of resource.
#[derive(Debug)]
pub struct Kind {
    /// With Azure's spelling: `Microsoft.App/containerApps`.
    pub name: &'static str,
    /// How deep it is modelled, for `landfall local coverage`.
    pub depth: Depth,
    /// What its names may be.
    pub names: Names,
    /// Whether its body needs a location.
    pub place: Place,
    /// How long Azure takes, in seconds at speed 1: `[create, update, delete]`. 0 ends within the request.
    pub seconds: [f64; 3],
    /// How each verb answers.
    pub replies: Replies,
    /// The code of the 409 while another change is under way.
    pub busy: &'static str,
    /// Properties that Azure computes, as dotted paths (`properties.vaultUri`): dropped from what clients send,
    /// kept from what is there.
    pub computed: &'static [&'static str],
    /// Known property names, so that `Name` from a sloppy client becomes `name`. Only what clients misspell.
    pub spelling: &'static [&'static str],
    /// What the type does beyond the life cycle.
    pub rules: &'static dyn Rules,
}

impl Kind {
    /// What `checkNameAvailability` answers for a name of this type: `invalid` is the reason that the type gives for a
    /// name against its rules, `taken` the message when somebody has it.
    pub fn availability(
        &self,
        body: &Value,
        invalid: &str,
        taken: impl FnOnce(&str) -> Option<String>,
    ) -> Result<Response, Refusal> {
        let body = super::gate::object(body)?;
        let name = body["name"].as_str().unwrap_or_default();
        let refused = |reason: &str, message: String| serde_json::json!({"nameAvailable": false, "reason": reason, "message": message});
        let answer = if !self.names.allow(name) {
            refused(invalid, self.names.refusal.1.replace("{name}", name))
        } else if let Some(message) = taken(name) {
            refused("AlreadyExists", message)
        } else {
            serde_json::json!({"nameAvailable": true})
        };
        Ok(Response::json(200, &answer))
    }
}

/// How deep a type is modelled.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Depth {
    /// Rules, actions and, where it has one, its data plane.
    Modelled,
    /// Stored with times, names and locks of its own type.
    LifeCycle,
}

/// What names of a type may be.
#[derive(Clone, Copy, Debug)]
pub struct Names {
    /// Shortest and longest.
    pub length: (usize, usize),
    /// Which signs, and where.
    pub signs: Signs,
    /// Whether one name may be used once in all of Azure.
    pub global: bool,
    /// Code and message of the refusal; `{name}` stands for the name.
    pub refusal: (&'static str, &'static str),
}

/// Which signs a name may have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Signs {
    /// Anything that a path can carry.
    Any,
    /// Lower-case letters and digits.
    LowerAlnum,
    /// Letters and digits.
    Alnum,
    /// Letters, digits, single hyphens; starts with a letter, ends with letter or digit.
    VaultLike,
    /// Lower-case letters, digits, single hyphens; starts with a letter, ends with letter or digit.
    AppLike,
    /// Letters, digits, hyphens, underscores; starts with letter or digit.
    Word,
    /// Letters, digits, hyphens; starts and ends with letter or digit.
    Hyphened,
    /// Lower-case letters, digits, hyphens; starts and ends with letter or digit.
    ServerLike,
    /// Letters, digits, `._-`; starts with letter or digit, ends with letter, digit or `_`.
    Network,
}

/// Where resources of a type are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// In a region that the body must name.
    Regional,
    /// Anywhere; `location` is kept when given.
    Free,
    /// With its parent; a location is dropped.
    Parent,
}

/// How a verb answers when it starts something that takes time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Reply {
    /// Status when it starts work that takes time.
    pub status: u16,
    /// Which headers lead to the operation.
    pub headers: Headers,
    /// Status when it ends within the request.
    pub done: u16,
}

/// The header or headers that name the operation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Headers {
    /// None: the client reads `provisioningState`.
    None,
    /// `Azure-AsyncOperation`.
    Status,
    /// `Location`: 202 while running, at the end the resource.
    Result,
    /// Both.
    Both,
}

/// Replies by verb.
#[derive(Clone, Copy, Debug)]
pub struct Replies {
    /// PUT of what is not there.
    pub create: Reply,
    /// PUT of what is.
    pub replace: Reply,
    /// PATCH.
    pub patch: Reply,
    /// DELETE.
    pub delete: Reply,
}

/// What most types do: PUT 201 or 200 with `Azure-AsyncOperation`, PATCH 202 and DELETE 202 with both headers.
pub const USUAL: Replies = Replies {
    create: Reply { status: 201, headers: Headers::Status, done: 201 },
    replace: Reply { status: 200, headers: Headers::Status, done: 200 },
    patch: Reply { status: 202, headers: Headers::Both, done: 200 },
    delete: Reply { status: 202, headers: Headers::Both, done: 200 },
};

/// A change that a client asks for, on its way through [`Rules::judge`].
#[derive(Debug)]
pub struct Change<'a> {
    /// The request.
    pub request: &'a Request,
    /// Who asks.
    pub caller: &'a Caller,
    /// The resource's id, as created or, for a new one, as sent.
    pub id: &'a Id,
    /// Whether it is a PATCH; else a PUT.
    pub patch: bool,
    /// What is there now.
    pub current: Option<Resource>,
    /// What was sent, without nulls (PUT) or with them (PATCH).
    pub sent: Value,
    /// What will be kept: `location`, `tags`, `sku`, `kind`, `identity`, `properties`, … For a PUT what was sent
    /// with what is computed carried over, for a PATCH that merged over what is there. Rules fill in defaults.
    pub body: Value,
    /// Kept beside the body and never shown: keys, secret values.
    pub private: Value,
}

/// How a begun change will end.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Ending {
    /// After the table's seconds.
    Table,
    /// After so many seconds at speed 1.
    After(f64),
    /// When [`operations::finish`](super::operations::finish) is called.
    WhenTold,
}

/// What was begun or has ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum What {
    /// A resource that was not there.
    Created,
    /// A change to one that was.
    Updated,
}

/// A call below or beside a resource that is no life cycle of its own: an action, a collection that a service
/// computes, a thing of the data plane seen through Resource Manager.
#[derive(Debug)]
pub struct Call<'a> {
    /// The request.
    pub request: &'a Request,
    /// Who asks.
    pub caller: &'a Caller,
    /// The stored resource it is below.
    pub id: Id,
    /// Path segments after that resource's id: `["listKeys"]`, `["revisions", "r1", "activate"]`.
    pub rest: Vec<&'a str>,
    /// The body, `Null` when there is none.
    pub body: Value,
}

impl Call<'_> {
    /// Whether the rest of the path is these words without case; `*` is any one.
    pub fn rest_is(&self, words: &[&str]) -> bool {
        self.rest.len() == words.len()
            && self.rest.iter().zip(words).all(|(a, b)| *b == "*" || a.eq_ignore_ascii_case(b))
    }
}

/// What a type does beyond the life cycle. Every method has the plain behaviour as its default.
///
/// Order of a PUT or PATCH: the caller may, the group is there, the provider is registered, locks, the name,
/// one change at a time, [`judge`](Rules::judge); the resource is stored with a `provisioningState` that runs;
/// [`begun`](Rules::begun); the time passes; state `Succeeded` or `Failed`; [`ended`](Rules::ended).
pub trait Rules: Sync + std::fmt::Debug {
    /// Refuses or completes a change before anything is kept.
    ///
    /// # Errors
    /// Azure's refusal.
    fn judge(&self, world: &World, change: &mut Change) -> Result<(), Refusal> {
        let _ = (world, change);
        Ok(())
    }

    /// The change is stored and under way.
    fn begun(&self, world: &mut World, id: &Id, what: What) -> Ending {
        let _ = (world, id, what);
        Ending::Table
    }

    /// The change has ended; `failure` when it failed.
    fn ended(&self, world: &mut World, id: &Id, what: What, failure: Option<&Refusal>) {
        let _ = (world, id, what, failure);
    }

    /// The conflict while another change is under way, in the type's own words.
    fn busy(&self, id: &Id, operation: &Operation) -> Option<Refusal> {
        let _ = (id, operation);
        None
    }

    /// A client's DELETE is about to begin, with what its query asks for.
    fn parting(&self, world: &mut World, id: &Id, request: &Request) {
        let _ = (world, id, request);
    }

    /// Refuses a delete before it begins.
    ///
    /// # Errors
    /// Azure's refusal.
    fn may_delete(&self, world: &World, resource: &Resource) -> Result<(), Refusal> {
        let _ = (world, resource);
        Ok(())
    }

    /// The same, when the whole group goes: what else is in it goes before.
    ///
    /// # Errors
    /// Azure's refusal.
    fn may_delete_with_group(&self, world: &World, resource: &Resource) -> Result<(), Refusal> {
        let _ = (world, resource);
        Ok(())
    }

    /// The delete is accepted and under way.
    fn deleting(&self, world: &mut World, resource: &Resource) -> Ending {
        let _ = (world, resource);
        Ending::Table
    }

    /// Refuses a globally unique name that `other` has.
    ///
    /// # Errors
    /// Azure's refusal, in the type's own words.
    fn taken(&self, world: &World, other: &Resource, id: &Id) -> Result<(), Refusal> {
        let _ = (world, other);
        let message = format!("The name '{}' is already in use. Please choose a different name.", id.name());
        Err(Refusal::conflict("NameNotAvailable", message))
    }

    /// The resource was removed, its children before it.
    fn deleted(&self, world: &mut World, resource: &Resource) {
        let _ = (world, resource);
    }

    /// Changes what GET, lists and answers show: hides write-only properties, adds what is computed now.
    /// `body` has `id`, `name`, `type` and everything kept.
    fn view(&self, world: &World, resource: &Resource, body: &mut Value) {
        let _ = (world, resource, body);
    }

    /// Serves what is below the resource; `None` leaves it to the life cycle. The resource is there and the
    /// caller has the right that the path names (`…/listKeys/action`, `…/revisions/read`).
    fn act(&self, world: &mut World, call: &Call) -> Option<Result<Response, Refusal>> {
        let _ = (world, call);
        None
    }

    /// Serves `POST|GET …/providers/NAMESPACE/…` at subscription, group or location scope
    /// (`checkNameAvailability`, `locations/L/usages`, `deletedVaults`); asked of each row of the namespace.
    /// `call.id` is the subscription or group, `call.rest` what follows the namespace.
    fn provide(&self, world: &mut World, call: &Call) -> Option<Result<Response, Refusal>> {
        let _ = (world, call);
        None
    }
}

/// A type without a will of its own.
#[derive(Debug)]
pub struct Plain;

impl Rules for Plain {}
