//! App Service: plans with each tier's limits, sites and slots with their settings, and swaps as changes of state.
//! Settings, connection strings and the site's configuration are not part of the site's body: they are kept beside
//! it, under the names of App Service's `config` resources. In reading order:
//!
//! - [`tiers`], [`plans`]: what each pricing tier has.
//! - [`sites`]: sites and slots; [`settings`]: their `config` resources; [`references`]: Key Vault references in them.
//! - [`slots`]: swaps; [`network`]: integration with a virtual network; [`containers`]: sidecars of a site.
//! - [`domains`]: host names and certificates; [`publishing`]: credentials and profiles of deployment tools.
//! - [`deleted`]: sites that can still be restored; [`stacks`]: runtimes that can be chosen.
//! - [`static_sites`]: Static Web Apps.

mod containers;
mod deleted;
mod domains;
mod network;
mod plans;
mod publishing;
mod references;
mod settings;
mod sites;
mod slots;
mod stacks;
mod static_sites;
#[cfg(test)]
mod tests;
mod tiers;

use serde_json::Value;

use self::tiers::{TIERS, Tier, tier};
use super::arm::Resource;
use super::arm::id::Id;
use super::arm::kind::{Depth, Headers, Kind, Names, Place, Replies, Reply, Rules, Signs};
use super::arm::operations::Operation;
use super::arm::refusal::{Entity, Refusal};
use super::arm::resources::at_once;
use super::checks::{named, text};
use super::{Response, World};

const PLAN: &str = "Microsoft.Web/serverfarms";
const SITE: &str = "Microsoft.Web/sites";
const SLOT: &str = "Microsoft.Web/sites/slots";
const CERTIFICATE: &str = "Microsoft.Web/certificates";
const SUBNET_SERVICE: &str = "Microsoft.Web/serverFarms";

type Answer = Result<Response, Refusal>;

/// Its clients know 200 and 202, and no 201.
const REPLIES: Replies = Replies {
    create: Reply { status: 202, headers: Headers::Result, done: 200 },
    replace: Reply { status: 200, headers: Headers::None, done: 200 },
    ..at_once(200, 200)
};

const fn names(from: usize, to: usize, global: bool) -> Names {
    Names {
        length: (from, to),
        signs: Signs::Hyphened,
        global,
        refusal: (
            "BadRequest",
            "The name '{name}' is invalid: it may have letters, digits and hyphens only.",
        ),
    }
}

const HOST: &[&str] = &[
    "properties.defaultHostName",
    "properties.hostNames",
    "properties.enabledHostNames",
    "properties.hostNameSslStates",
    "properties.state",
    "properties.availabilityState",
    "properties.repositorySiteName",
    "properties.usageState",
    "properties.outboundIpAddresses",
    "properties.possibleOutboundIpAddresses",
    "properties.lastModifiedTimeUtc",
    "properties.resourceGroup",
    "properties.inboundIpAddress",
    "properties.customDomainVerificationId",
    "properties.slotSwapStatus",
    "properties.targetSwapSlot",
    "properties.sku",
];

/// What is below a site or slot and there at once.
const fn part(name: &'static str, longest: usize, rules: &'static dyn Rules) -> Kind {
    Kind {
        name,
        depth: Depth::Modelled,
        names: Names { signs: Signs::Any, ..names(1, longest, false) },
        place: Place::Parent,
        seconds: [0.0, 0.0, 0.0],
        replies: at_once(200, 200),
        busy: "Conflict",
        computed: &[],
        spelling: &[],
        rules,
    }
}

const fn binding(name: &'static str) -> Kind {
    Kind {
        computed: &["properties.siteName", "properties.hostNameType"],
        ..part(name, 253, &domains::Bindings)
    }
}

const fn site(name: &'static str, names: Names) -> Kind {
    Kind {
        names,
        place: Place::Regional,
        seconds: [15.0, 5.0, 5.0],
        replies: REPLIES,
        computed: HOST,
        ..part(name, 60, &sites::Sites)
    }
}

pub(super) static KINDS: &[Kind] = &[
    Kind {
        names: Names { signs: Signs::Word, ..names(1, 60, false) },
        place: Place::Regional,
        seconds: [10.0, 5.0, 5.0],
        replies: REPLIES,
        computed: &[
            "properties.numberOfSites",
            "properties.numberOfWorkers",
            "properties.maximumNumberOfWorkers",
            "properties.status",
            "properties.resourceGroup",
            "properties.subscription",
            "properties.geoRegion",
        ],
        ..part(PLAN, 60, &plans::Plans)
    },
    site(SITE, names(2, 60, true)),
    site(SLOT, names(1, 59, false)),
    binding(domains::BINDING),
    binding("Microsoft.Web/sites/slots/hostNameBindings"),
    Kind { replies: at_once(201, 200), ..part(containers::CONTAINER, 60, &containers::Containers) },
    Kind {
        replies: at_once(201, 200),
        ..part("Microsoft.Web/sites/slots/sitecontainers", 60, &containers::Containers)
    },
    Kind {
        place: Place::Regional,
        computed: domains::CERTIFICATE_FACTS,
        ..part(CERTIFICATE, 260, &domains::Certificates)
    },
    Kind { place: Place::Free, ..part(deleted::DELETED, 20, &deleted::Deleted) },
    Kind {
        names: names(1, 60, false),
        place: Place::Regional,
        seconds: [20.0, 5.0, 10.0],
        replies: Replies {
            patch: Reply { status: 202, headers: Headers::Result, done: 200 },
            delete: Reply { status: 202, headers: Headers::Result, done: 200 },
            ..REPLIES
        },
        computed: static_sites::COMPUTED,
        ..part(static_sites::SITE, 60, &static_sites::Sites)
    },
    Kind {
        seconds: [30.0, 10.0, 10.0],
        replies: Replies { delete: Reply { status: 202, headers: Headers::Result, done: 200 }, ..REPLIES },
        computed: &["properties.status", "properties.createdOn", "properties.domainName"],
        ..part(static_sites::DOMAIN, 253, &static_sites::Domains)
    },
    Kind { replies: REPLIES, ..part(static_sites::BACKEND, 260, &static_sites::Backends) },
];

/// App Service's refusal: its number and template, with what stands in it for `{0}`, `{1}`.
fn refused(status: u16, code: &str, number: &str, template: &str, parameters: &[&str]) -> Refusal {
    let message = parameters
        .iter()
        .enumerate()
        .fold(template.to_owned(), |text, (at, value)| text.replace(&format!("{{{at}}}"), value));
    let mut refusal = Refusal::new(status, code, message);
    refusal.entity = Some(Box::new(Entity {
        extended_code: number.into(),
        message_template: template.into(),
        parameters: parameters.iter().map(|value| (*value).to_owned()).collect(),
    }));
    refusal
}

fn conflict(message: impl std::fmt::Display) -> Refusal {
    refused(409, "Conflict", "01020", "There was a conflict. {0}", &[&message.to_string()])
}

fn bad(message: impl std::fmt::Display) -> Refusal {
    refused(400, "BadRequest", "01008", "{0}", &[&message.to_string()])
}

/// A parameter whose value App Service does not take.
fn invalid(parameter: &str) -> Refusal {
    refused(400, "BadRequest", "01007", "The parameter {0} has an invalid value.", &[parameter])
}

fn missing(kind: &str, name: &str) -> Refusal {
    refused(404, "NotFound", "51004", "Cannot find {0} with name {1}.", &[kind, name])
}

/// One change of a site at a time.
fn site_is_busy(id: &Id, operation: &Operation) -> Refusal {
    let details = format!(
        "Id: {}, OperationName: {:?}, CreatedTime: {}, EntityType: 3, Name: {}",
        operation.id,
        operation.verb,
        operation.begun,
        id.name()
    );
    let template = "Cannot modify this site because another operation is in progress. Details: {0}";
    refused(409, "Conflict", "59203", template, &[&details])
}

/// The plan of a site or slot, and its tier.
fn plan_of<'a>(world: &'a World, properties: &Value) -> Option<(&'a Resource, &'static Tier)> {
    let plan = named(world, text(properties, "serverFarmId"), PLAN)?;
    Some((plan, tier(text(&plan.body, "sku.name"))?.0))
}

/// The tier of a stored site or slot; that of a plan which has gone is the least.
fn tier_of(world: &World, site: &Resource) -> &'static Tier {
    plan_of(world, site.properties()).map_or(&TIERS[0], |(_, tier)| tier)
}

fn is_site(kind: &str) -> bool {
    kind.eq_ignore_ascii_case(SITE) || kind.eq_ignore_ascii_case(SLOT)
}

/// Sites and slots on a plan.
fn sites_on<'a>(world: &'a World, plan: &Id) -> impl Iterator<Item = &'a Resource> + use<'a> {
    let key = plan.key();
    world.arm.resources.values().filter(move |resource| {
        is_site(&resource.kind) && text(resource.properties(), "serverFarmId").eq_ignore_ascii_case(&key)
    })
}

fn slots_of<'a>(world: &'a World, site: &Id) -> impl Iterator<Item = &'a Resource> + use<'a> {
    world.arm.below(site).map(|(_, child)| child).filter(|child| child.kind == SLOT)
}

/// The site of a slot; itself for a site.
fn production(id: &Id) -> Id {
    if id.kind().eq_ignore_ascii_case(SLOT) { id.parent().unwrap_or_else(|| id.clone()) } else { id.clone() }
}

/// The site or slot that something is below.
fn holder<'a>(world: &'a World, id: &Id) -> Option<&'a Resource> {
    world.arm.find(&id.parent()?.key())
}

/// App Service shows regions by their display names.
fn shown_location(resource: &Resource) -> Value {
    Value::from(super::arm::subscriptions::display_name(&resource.location()))
}
