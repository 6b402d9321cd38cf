//! One file per Azure service, and the list of them.
//!
//! To add a service: write its file with an `add(&mut Draft)` that pushes its resources, and give it a line in
//! [`SERVICES`], after what its resources depend on.

pub mod action_group;
pub mod alert;
pub mod app_config;
pub mod app_service;
pub mod application_gateway;
pub mod bastion;
pub mod budget;
pub mod cognitive;
pub mod communication;
pub mod container_app;
pub mod container_environment;
pub mod container_job;
pub mod cosmos;
pub mod dapr_component;
pub mod diagnostic;
pub mod dns_zone;
mod env;
pub mod grant;
pub mod host;
pub mod identity;
pub mod insights;
pub mod kubernetes;
pub mod load_balancer;
pub mod load_test;
pub mod nat_gateway;
pub mod network;
pub mod openai;
pub mod postgres;
pub mod private_dns;
pub mod private_endpoint;
pub mod public_ip;
mod queue_scale;
pub mod redis;
pub mod registry;
pub mod resource_group;
pub mod role_assignment;
pub mod search;
pub mod security_group;
pub mod service_bus;
mod signal;
pub mod speech;
pub mod static_web_app;
pub mod storage;
pub mod traffic_manager;
pub mod vault;
pub mod waf_policy;
pub mod webtest;
pub mod workbook;
pub mod workspace;

use landfall_manifest::{Access, Accesses, App, Code, ResourceKind, Service, Source};

use crate::address::Address;
use crate::body::{Body, Object, object};
use crate::name::{self, Names, Rule};
use crate::resource::Resource;
use crate::role::Role;
use crate::{Blueprint, NO_SUBSCRIPTION, Problem, Resources, TAG_APP, TAG_ENV, codes, region};

/// Writes the resources of one Azure service into a draft.
pub type Add = fn(&mut Draft<'_>);

/// Every Azure service, in creation order.
pub const SERVICES: &[Add] = &[
    resource_group::add,
    workspace::add,
    insights::add,
    public_ip::add,
    nat_gateway::add,
    security_group::add,
    network::add,
    private_dns::add,
    bastion::add,
    identity::add,
    registry::add,
    vault::add,
    storage::add,
    postgres::add,
    redis::add,
    service_bus::add,
    cosmos::add,
    openai::add,
    speech::add,
    communication::add,
    app_config::add,
    search::add,
    load_test::add,
    role_assignment::add,
    grant::add,
    static_web_app::add,
    private_endpoint::add,
    container_environment::add,
    dapr_component::add,
    container_app::add,
    container_job::add,
    app_service::add,
    kubernetes::add,
    static_web_app::link,
    waf_policy::add,
    application_gateway::add,
    load_balancer::add,
    traffic_manager::add,
    dns_zone::add,
    diagnostic::add,
    action_group::add,
    webtest::add,
    alert::add,
    workbook::add,
    budget::add,
];

/// What the services of an application ask of a type of resource.
pub struct Offer {
    /// The address of the ARM resource that stands for it, by its name in the manifest.
    pub address: fn(&str) -> Address,
    /// What `${resource.NAME.ATTRIBUTE}` is; every type has `name`, `id` and `region` besides.
    pub attribute: fn(&Draft<'_>, &str, &str) -> Option<Body>,
    /// The variables by which a service that uses it finds it, each without the resource's name in front:
    /// `ENDPOINT` becomes `STORE_ENDPOINT` for `[resource.store]`.
    pub connection: fn(&Draft<'_>, &str) -> Vec<(&'static str, Body)>,
    /// What a service signs in as, by its name and the resource's, where it has to say so: the variable `USER`.
    pub user: Option<User>,
    /// The least roles that allow an access; none when the type does not know the access, or lets services in by
    /// `grant`.
    pub roles: fn(&ResourceKind, Access) -> Vec<&'static Role>,
    /// How services are let in where no role of Azure's access control opens the data.
    pub grant: Option<Grant>,
    /// By what it can be reached from inside a virtual network; empty when by nothing. [`Draft::private_links`] is
    /// what of it this resource has.
    pub private: &'static [PrivateLink],
}

/// What a service signs in to a resource as, by the names of both.
pub type User = fn(&Draft<'_>, &str, &str) -> Body;

/// How a resource lets a service in by a resource of its own kind: an administrator, a policy's assignment.
pub struct Grant {
    /// The address of what lets a service in, by the names of both.
    pub address: fn(&str, &str) -> Address,
    /// What lets a service in, by the names of both and by what it may do.
    pub make: fn(&Draft<'_>, &str, &str, &Accesses) -> Resource,
}

/// A part of a resource that a private endpoint can lead to.
pub struct PrivateLink {
    /// Azure's word for the part, the endpoint's `groupIds`.
    pub group: &'static str,
    /// The private DNS zone that its name is looked up in.
    pub zone: &'static str,
    /// Whether a resource of the type has the part, and an SKU that takes private endpoints.
    pub has: fn(&ResourceKind) -> bool,
}

/// What a type of resource offers.
pub fn offer(kind: &ResourceKind) -> &'static Offer {
    match kind {
        ResourceKind::Vault(_) => &vault::OFFER,
        ResourceKind::Registry(_) => &registry::OFFER,
        ResourceKind::Storage(_) => &storage::OFFER,
        ResourceKind::Postgres(_) => &postgres::OFFER,
        ResourceKind::Redis(_) => &redis::OFFER,
        ResourceKind::ServiceBus(_) => &service_bus::OFFER,
        ResourceKind::Cosmos(_) => &cosmos::OFFER,
        ResourceKind::OpenAi(_) => &openai::OFFER,
        ResourceKind::Speech(_) => &speech::OFFER,
        ResourceKind::Communication(_) => &communication::OFFER,
        ResourceKind::AppConfig(_) => &app_config::OFFER,
        ResourceKind::Search(_) => &search::OFFER,
        ResourceKind::LoadTest(_) => &load_test::OFFER,
    }
}

/// The blueprint of an App, or everything that stands in its way.
pub(crate) fn all(app: &App) -> Result<Blueprint, Vec<Problem>> {
    let Some(region) = region::find(&app.region) else {
        return Err(vec![Problem {
            code: codes::REGION.id,
            path: "region".to_owned(),
            message: format!("Azure has no region `{}`", app.region),
            help: Some(
                "`az account list-locations` lists them; write the name, such as `westeurope`".to_owned(),
            ),
        }]);
    };
    let mut draft = Draft::new(app, region);
    draft.check_words();
    draft.check_abbreviations();
    for add in SERVICES {
        add(&mut draft);
    }
    match draft.problems.is_empty() {
        true => Ok(Blueprint {
            app: app.name.clone(),
            environment: app.environment.clone(),
            subscription: draft.subscription,
            region: region.name.to_owned(),
            secrets: draft.vault,
            images: draft.registry,
            not_deployed: app
                .services
                .iter()
                .filter_map(|(name, service)| Some((name.clone(), not_deployed(service)?.to_owned())))
                .collect(),
            resources: draft.resources,
        }),
        false => Err(draft.problems),
    }
}

/// What this version leaves to others about a service, whose resources it makes.
fn not_deployed(service: &Service) -> Option<&'static str> {
    match (host::of(&service.host).code, &service.source) {
        (host::Code::Image, _) | (host::Code::Package, Source::Image(_)) => None,
        (host::Code::Package, Source::Folder(_)) => Some("its code is not brought there by this version"),
        (host::Code::Manifests, _) => Some("its pods are not started by this version"),
    }
}

/// A blueprint while it is written.
pub struct Draft<'a> {
    /// What it is for.
    pub app: &'a App,
    /// The region all of it lies in.
    pub region: &'static region::Region,
    /// The subscription's id, or zeros.
    pub subscription: String,
    /// The vault that holds the services' secrets.
    pub vault: Address,
    /// The registry that built images go to, when something is built or one is declared.
    pub registry: Option<Address>,
    resources: Resources,
    problems: Vec<Problem>,
}

impl<'a> Draft<'a> {
    fn new(app: &'a App, region: &'static region::Region) -> Draft<'a> {
        let subscription =
            app.subscription.clone().unwrap_or_else(|| NO_SUBSCRIPTION.to_owned()).to_lowercase();
        let mut draft = Draft {
            app,
            region,
            subscription,
            vault: vault::address("main"),
            registry: None,
            resources: Resources::new(),
            problems: Vec::new(),
        };
        let vaults = draft.declared(|kind| matches!(kind, ResourceKind::Vault(_)));
        let needs_vault = app.services.iter().find(|(_, service)| service.has_secrets());
        let needs_vault = needs_vault.map(|(name, _)| format!("service.{name}.secrets"));
        draft.vault = vault::address(draft.home("vault", &vaults, needs_vault));
        let registries = draft.declared(|kind| matches!(kind, ResourceKind::Registry(_)));
        let pushes = |service: &Service| {
            matches!(service.source, Source::Folder(_)) && host::of(&service.host).code != host::Code::Package
        };
        let built = app.services.iter().find(|(_, service)| pushes(service));
        let built = built.map(|(name, _)| format!("service.{name}.source"));
        if built.is_some() || !registries.is_empty() {
            draft.registry = Some(registry::address(draft.home("registry", &registries, built)));
        }
        draft
    }

    fn declared(&self, wanted: impl Fn(&ResourceKind) -> bool) -> Vec<&'a str> {
        let resources = self.app.resources.iter().filter(|(_, resource)| wanted(&resource.kind));
        resources.map(|(name, _)| name.as_str()).collect()
    }

    /// Which of several declared resources Landfall itself uses: the only one, or the one called `main`;
    /// `main` too when none is declared. `needed` is what needs it, if anything does.
    fn home(&mut self, kind: &str, declared: &[&'a str], needed: Option<String>) -> &'a str {
        match declared {
            [] => "main",
            [only] => only,
            several if several.contains(&"main") => "main",
            several => {
                if let Some(path) = needed {
                    let names = several.join("`, `");
                    self.problem(
                        codes::WHICH_ONE,
                        path,
                        format!("which {kind} is meant is not clear: there are `{names}`"),
                        Some("name the one that Landfall shall use `main`: `[resource.main]`".to_owned()),
                    );
                }
                several[0]
            }
        }
    }

    /// Adds what stands in the way.
    pub fn problem(
        &mut self,
        code: &'static Code,
        path: impl Into<String>,
        message: impl Into<String>,
        help: Option<String>,
    ) {
        self.problems.push(Problem { code: code.id, path: path.into(), message: message.into(), help });
    }

    /// Adds a resource, after what it depends on.
    pub fn push(&mut self, resource: Resource) {
        self.resources.push(resource);
    }

    /// A resource added before.
    pub fn get(&self, address: &Address) -> Option<&Resource> {
        self.resources.get(address)
    }

    /// A resource added before, which the order of [`SERVICES`] makes sure of.
    pub fn earlier(&self, address: &Address) -> &Resource {
        self.get(address).expect("a service stands in the list after what it depends on")
    }

    /// The name by a type's rule.
    pub fn name(&self, rule: &Rule, part: Option<&str>) -> String {
        let names = Names {
            pattern: &self.app.naming,
            abbreviations: &self.app.abbreviations,
            app: &self.app.name,
            environment: &self.app.environment,
            region: self.region.code,
            subscription: &self.subscription,
        };
        names.name(rule, part)
    }

    /// The name of something a resource of the manifest stands for; what nobody declared is called `main`
    /// and needs no part of its own.
    pub fn resource_name(&self, rule: &Rule, resource: &str) -> String {
        match self.app.resources.contains_key(resource) {
            true => self.name(rule, Some(resource)),
            false => self.name(rule, None),
        }
    }

    /// What a declared resource offers, by its name in the manifest.
    pub fn offer(&self, resource: &str) -> Option<&'static Offer> {
        Some(offer(&self.app.resources.get(resource)?.kind))
    }

    /// By what a declared resource is reached from inside a virtual network.
    pub fn private_links(&self, resource: &str) -> Vec<&'static PrivateLink> {
        let Some(declared) = self.app.resources.get(resource) else { return Vec::new() };
        offer(&declared.kind).private.iter().filter(|link| (link.has)(&declared.kind)).collect()
    }

    /// Gives a service's resource its identity, and has it wait for the identity's roles and for the names
    /// of what it uses. Returns what the roles are
    /// about.
    pub(crate) fn ready_for(&self, resource: &mut Resource, name: &str, service: &Service) -> Vec<Address> {
        resource.after = grant::lets_in(self, name, service);
        resource.after.extend(private_endpoint::of_service(self, service));
        set(resource, "identity", self.assigned(&[identity::address(name)]));
        let roles = role_assignment::of_service(self, name, service);
        roles.into_iter().map(|granted| granted.target).collect()
    }

    /// What `identity` says of a resource that these identities are assigned to.
    pub(crate) fn assigned(&self, identities: &[Address]) -> Body {
        let ids = identities.iter().map(|identity| (self.earlier(identity).id(), object([])));
        object([
            ("type", "UserAssigned".into()),
            ("userAssignedIdentities", Body::Object(Object::from_iter(ids))),
        ])
    }

    /// What `publicNetworkAccess` says of a resource that has private endpoints in a private network.
    pub fn public_access(&self) -> Body {
        if network::is_private(self) { "Disabled" } else { "Enabled" }.into()
    }

    /// What `publicNetworkAccess` says of what Landfall and pipelines work with from outside: the vault, the registry,
    /// storage accounts. With addresses that are let in it is open, to those alone.
    pub fn guarded_access(&self) -> Body {
        match network::let_in(self).is_empty() {
            true => self.public_access(),
            false => "Enabled".into(),
        }
    }

    /// The region of something that may have one of its own.
    pub fn place(&self, own: Option<&str>) -> &'static region::Region {
        own.and_then(region::find).unwrap_or(self.region)
    }

    /// The region that a declared resource is in.
    pub fn resource_region(&self, resource: &str) -> &'static str {
        let own = match self.app.resources.get(resource).map(|resource| &resource.kind) {
            Some(ResourceKind::OpenAi(account)) => account.region.as_deref(),
            Some(ResourceKind::Speech(account)) => account.region.as_deref(),
            Some(ResourceKind::Search(service)) => service.region.as_deref(),
            _ => None,
        };
        self.place(own).name
    }

    /// Where in the manifest a resource comes from.
    pub fn resource_path(&self, resource: &str) -> String {
        match self.app.resources.contains_key(resource) {
            true => format!("resource.{resource}"),
            false => "app".to_owned(),
        }
    }

    /// The id of the resource group.
    pub fn group(&self) -> String {
        self.earlier(&resource_group::address()).id()
    }

    /// The tags of everything that takes tags: the user's, and by which application and environment it is
    /// ours.
    pub fn tags(&self) -> Body {
        let users = self.app.tags.iter().map(|(key, value)| (key.clone(), Body::from(value.as_str())));
        let mut tags: Object = users.collect();
        tags.insert(TAG_APP, self.app.name.as_str());
        tags.insert(TAG_ENV, self.app.environment.as_str());
        Body::Object(tags)
    }

    /// A resource in the resource group, with location and tags.
    pub fn in_group(
        &self,
        address: Address,
        resource_type: &'static str,
        api_version: &'static str,
        name: String,
        from: impl Into<String>,
    ) -> Resource {
        Resource {
            address,
            resource_type,
            api_version,
            name,
            named: None,
            scope: self.group(),
            location: Some(self.region.name.to_owned()),
            body: object([("location", self.region.name.into()), ("tags", self.tags())]),
            within: Some(resource_group::address()),
            after: Vec::new(),
            from: from.into(),
            holds_data: false,
        }
    }

    /// Lays the manifest's `body` over what we wrote.
    pub fn overlay(&mut self, resource: &mut Resource, name: &str) {
        let Some(over) = self.app.resources.get(name).and_then(|declared| declared.body.clone()) else {
            return;
        };
        // Tags and place are what resources are found again by; name and type are the address.
        const FIXED: &[&str] = &["id", "name", "type", "apiVersion", "location", "tags"];
        let written: Vec<&str> =
            over.as_object().into_iter().flatten().map(|(key, _)| key.as_str()).collect();
        for key in FIXED.iter().filter(|fixed| written.contains(fixed)) {
            let help = match *key {
                "location" => Some("set `region`".to_owned()),
                "tags" => Some("set `tags` at the top of the manifest".to_owned()),
                "name" => Some("names follow the pattern `naming`".to_owned()),
                _ => None,
            };
            self.problem(
                codes::FIXED_KEY,
                format!("resource.{name}.body.{key}"),
                format!("`{key}` is not for `body` to say"),
                help,
            );
        }
        resource.body.merge(&over);
    }

    /// What stands for `{type}` is said by the usual abbreviation of a type.
    fn check_abbreviations(&mut self) {
        let usual = |word: &str| name::RULES.iter().any(|rule| rule.abbreviation == word);
        for word in self.app.abbreviations.keys().filter(|word| !usual(word)) {
            let mut known: Vec<&str> = name::RULES.iter().map(|rule| rule.abbreviation).collect();
            known.sort_unstable();
            self.problem(
                codes::ABBREVIATION,
                format!("abbreviations.{word}"),
                format!("no type is usually abbreviated `{word}`"),
                Some(format!("there are {}", known.join(", "))),
            );
        }
    }

    /// Azure refuses its own trademarks in names, wherever they come from.
    fn check_words(&mut self) {
        let app = &self.app.name;
        let parts = self.app.services.keys().map(|name| (format!("service.{name}"), name));
        let parts = parts.chain(self.app.resources.keys().map(|name| (format!("resource.{name}"), name)));
        let words = [("app".to_owned(), app)].into_iter().chain(parts);
        let found: Vec<_> =
            words.filter_map(|(path, word)| Some((path, word, name::reserved(word)?))).collect();
        for (path, word, reserved) in found {
            self.problem(
                codes::RESERVED_WORD,
                path,
                format!("Azure refuses `{reserved}` in names, and `{word}` has it"),
                Some("choose another name".to_owned()),
            );
        }
    }
}

/// A child's place: the same scope as its parent, the name behind the parent's.
pub(crate) fn child(
    parent: &Resource,
    address: Address,
    resource_type: &'static str,
    api_version: &'static str,
    name: &str,
    properties: Body,
) -> Resource {
    Resource {
        address,
        resource_type,
        api_version,
        name: format!("{}/{name}", parent.name),
        named: None,
        scope: parent.scope.clone(),
        location: None,
        body: object([("properties", properties)]),
        within: Some(parent.address.clone()),
        after: Vec::new(),
        from: parent.from.clone(),
        holds_data: false,
    }
}

/// Sets `properties` and other top-level keys of a resource's body.
pub(crate) fn set(resource: &mut Resource, key: &str, value: Body) {
    if let Body::Object(body) = &mut resource.body {
        body.insert(key, value);
    }
}

#[cfg(test)]
mod tests {
    use landfall_manifest::resource::KINDS;

    use super::*;

    #[test]
    fn every_type_offers_what_the_manifest_says_of_it() {
        for kind in KINDS {
            let text =
                format!("app = \"hello\"\nregion = \"westeurope\"\n[resource.x]\ntype = \"{}\"\n", kind.name);
            let loaded = landfall_manifest::load("landfall.toml", &text, None);
            let app = loaded.app.unwrap_or_else(|| panic!("{text}{:#?}", loaded.diagnostics));
            let declared = &app.resources["x"].kind;
            let offer = offer(declared);
            for access in Access::ALL {
                let said = kind.access.iter().any(|(there, _)| *there == access);
                let given = !(offer.roles)(declared, access).is_empty() || offer.grant.is_some();
                assert!(given || !said, "{} {access}", kind.name);
                assert!(said || (offer.roles)(declared, access).is_empty(), "{} {access}", kind.name);
            }
            let mut draft = Draft::new(&app, region::find("westeurope").expect("a region of Azure"));
            SERVICES.iter().for_each(|add| add(&mut draft));
            assert!(draft.problems.is_empty(), "{:?}", draft.problems);
            let own = kind.attributes.iter().filter(|(name, _)| !["name", "id", "region"].contains(name));
            for (attribute, _) in own {
                assert!((offer.attribute)(&draft, "x", attribute).is_some(), "{} {attribute}", kind.name);
            }
        }
    }
}
