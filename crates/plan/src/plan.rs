//! Whole resources compared: what is done to each, and in which order.

use std::collections::{BTreeMap, BTreeSet};

use landfall_blueprint::resource::CONTAINER_APP;
use landfall_blueprint::{Address, Blueprint, Body, Expression, Resource, TAG_APP, TAG_ENV};
use serde_json::Value;
use sha2::{Digest, Sha256};

use crate::change::{Action, Cause, Change, MissingSecret, Plan, PropertyChange, SECRET, Summary};
use crate::compare::{compare, creation};
use crate::habits;
use crate::keep::keep;
use crate::live::{Live, Stray};
use crate::revision::{self, SUFFIX};

/// What has to change for what is live to be what the blueprint wants.
pub fn plan(blueprint: &Blueprint, live: &Live) -> Plan {
    let mut renewed = BTreeMap::new();
    let mut changes = Vec::with_capacity(blueprint.resources.len() + live.strays.len());
    let mut missing_secrets = BTreeSet::new();
    for resource in &blueprint.resources {
        let view = View { blueprint, live, renewed: &renewed };
        let change = view.change(resource, &mut missing_secrets);
        // What goes with something that is made anew is there now and will not be: replaced, too.
        match (change.action, live.resources.contains_key(&change.address)) {
            (Action::Create, false) => renewed.insert(change.address.clone(), Action::Create),
            (Action::Create, true) | (Action::Replace, _) => {
                renewed.insert(change.address.clone(), Action::Replace)
            }
            _ => None,
        };
        changes.push(change);
    }
    let deletions = deletions(&changes, &live.strays);
    changes.extend(deletions);
    let soft_deleted = live.soft_deleted.iter().filter(|deleted| {
        changes.iter().any(|change| change.address == deleted.address && change.action == Action::Create)
    });
    Plan {
        schema: 1,
        app: blueprint.app.clone(),
        environment: blueprint.environment.clone(),
        subscription: blueprint.subscription.clone(),
        basis: live.basis(),
        soft_deleted: soft_deleted.cloned().collect(),
        missing_secrets: missing_secrets.into_iter().collect(),
        summary: Summary::of(&changes),
        changes,
    }
}

/// What a resource is compared with.
struct View<'a> {
    blueprint: &'a Blueprint,
    live: &'a Live,
    /// What this plan makes (`Create`) or makes anew (`Replace`): whatever Azure answers for it is not known
    /// yet.
    renewed: &'a BTreeMap<Address, Action>,
}

impl View<'_> {
    fn change(&self, resource: &Resource, missing: &mut BTreeSet<MissingSecret>) -> Change {
        let mut change = self.settle(resource, missing);
        // What only the deployment names keeps its braces until then.
        change.id = resource.id_with(&|expression: &Expression| self.value(expression)).unwrap_or(change.id);
        change
    }

    fn settle(&self, resource: &Resource, missing: &mut BTreeSet<MissingSecret>) -> Change {
        let mut body = resource.body.resolve(&|expression: &Expression| self.value(expression));
        self.missing_secrets(resource, &body, missing);
        match (self.live.resources.get(&resource.address), self.goes_with(resource)) {
            (None, _) => {
                // It was there, and somebody else took it away.
                let gone = self.live.applied.contains_key(&resource.address);
                let cause = if gone { Cause::Drift } else { Cause::Intent };
                let reason = gone.then(|| "it was deployed before and is not there any more".to_owned());
                create(resource, body, cause, reason)
            }
            // Deleting what it lies in deletes it; there is nothing left to compare with or to delete.
            (Some(_), Some(within)) => {
                let reason = format!("it goes with {within}, which is made anew");
                create(resource, body, Cause::Intent, Some(reason))
            }
            (Some(live), None) => {
                let applied = self.live.applied.get(&resource.address);
                let differences = self.differences(resource, &body, live, applied);
                let failed = failure(live);
                let latest = latest_revision(resource, live);
                if resource.resource_type == CONTAINER_APP {
                    settle_suffix(&mut body, live, latest.as_deref(), &differences, failed.is_some());
                }
                self.existing(resource, body, live, differences, failed, latest)
            }
        }
    }

    fn existing(
        &self,
        resource: &Resource,
        mut body: Body,
        live: &Value,
        properties: Vec<PropertyChange>,
        failed: Option<String>,
        latest_revision: Option<String>,
    ) -> Change {
        let habits = habits::of(resource.resource_type);
        let replaced = properties.iter().find(|change| change.replaces).map(|change| {
            let why = habits.immutable(&pattern(&change.path)).unwrap_or("it cannot be changed in place");
            format!("{} changes: {why}", change.path)
        });
        let replaced = replaced.or_else(|| self.replaced_with(resource));
        let intent = properties.iter().any(|change| change.cause == Cause::Intent);
        let cause = match (properties.is_empty(), intent) {
            (false, true) => Cause::Intent,
            (false, false) => Cause::Drift,
            (true, _) if failed.is_some() => Cause::Drift,
            (true, _) => Cause::Intent,
        };
        let owner = owner(resource, live, self.blueprint);
        let (action, reason) = match (owner, replaced, failed) {
            (Some(owner), None, _) => (Action::Adopt, Some(owner)),
            (Some(owner), Some(why), _) => {
                (Action::Adopt, Some(format!("{owner}, and it is not as wanted: {why}")))
            }
            (None, Some(why), _) => (Action::Replace, Some(why)),
            (None, None, Some(failed)) => (Action::Update, Some(failed)),
            (None, None, None) if properties.is_empty() => (Action::None, None),
            (None, None, None) => (Action::Update, None),
        };
        match action {
            Action::Replace => settle_new_suffix(&mut body, None),
            Action::None => {}
            _ => keep(habits, &mut body, live, self.live.applied.get(&resource.address)),
        }
        let latest_revision = latest_revision.filter(|_| action != Action::Replace);
        Change { reason, latest_revision, ..change(resource, action, cause, properties, body) }
    }

    /// What a resource lies in, when that is deleted and made anew.
    fn goes_with<'r>(&self, resource: &'r Resource) -> Option<&'r Address> {
        resource.within.as_ref().filter(|within| self.renewed.get(within) == Some(&Action::Replace))
    }

    /// Why a resource has to be made anew when another one is: it is tied to it for good.
    fn replaced_with(&self, resource: &Resource) -> Option<String> {
        let replaced = |address: &Address| self.renewed.get(address) == Some(&Action::Replace);
        habits::of(resource.resource_type).immutable.iter().find_map(|(path, _)| {
            let mut tied = Vec::new();
            resource.body.at(path)?.addresses(&mut tied);
            let to = tied.into_iter().find(|address| replaced(address))?;
            Some(format!("it is tied to {to}, which is made anew"))
        })
    }

    fn differences(
        &self,
        resource: &Resource,
        body: &Body,
        live: &Value,
        applied: Option<&Value>,
    ) -> Vec<PropertyChange> {
        let habits = habits::of(resource.resource_type);
        // The suffix follows from the rest, and is settled when the rest is.
        let mut said = body.clone();
        if let Some(Body::Object(template)) = said.at_mut("properties.template") {
            template.remove("revisionSuffix");
        }
        let mut said_before = applied.cloned();
        if let Some(template) = said_before.as_mut().and_then(|a| a.pointer_mut("/properties/template")) {
            template.as_object_mut().map(|template| template.remove("revisionSuffix"));
        }
        // An id that others added an identity to is still the type we asked for.
        let live = &with_our_identity_type(body, live);
        let settled = |expression: &Expression| self.settled(expression);
        let mut found = compare(habits, &said, live, said_before.as_ref(), &settled);
        found.extend(self.changed_keys(body, applied));
        found
    }

    /// Keys that are not what they were when we sent them on; Azure shows no key, so fingerprints tell.
    fn changed_keys(&self, body: &Body, applied: Option<&Value>) -> Vec<PropertyChange> {
        let before: BTreeMap<String, String> =
            applied.map(revision::fingerprints).unwrap_or_default().into_iter().collect();
        let changed = before.into_iter().filter(|(path, before)| {
            let Some(Body::Expression(Expression::ListKeys { of, path })) = body.at(path) else {
                return false;
            };
            self.live.keys.get(&(of.clone(), path.clone())).is_some_and(|now| now != before)
        });
        let row = |(path, _)| PropertyChange {
            path,
            from: SECRET.into(),
            to: SECRET.into(),
            replaces: false,
            cause: Cause::Drift,
        };
        changed.map(row).collect()
    }

    /// The value of an expression, as far as it is known before anything is deployed.
    fn value(&self, expression: &Expression) -> Option<Value> {
        match expression {
            Expression::Id { of } => self.blueprint.get(of).map(|resource| resource.id().into()),
            Expression::Property { of, path } if !self.renewed.contains_key(of) => {
                let found =
                    path.split('.').try_fold(self.live.resources.get(of)?, |value, key| value.get(key))?;
                Some(found.clone()).filter(|value| !value.is_null())
            }
            Expression::Image { service } => self.live.images.get(service).map(|image| image.as_str().into()),
            Expression::SecretUri { vault, secret } => {
                self.live.secrets.get(&(vault.clone(), secret.clone())).map(|uri| uri.as_str().into())
            }
            Expression::Tenant => self.live.tenant.as_ref().map(|tenant| tenant.as_str().into()),
            Expression::Property { .. }
            | Expression::ListKeys { .. }
            | Expression::SecretValue { .. }
            | Expression::RevisionSuffix { .. }
            | Expression::Concat { .. } => None,
        }
    }

    /// Whether an unknown value stays what it is, since nothing it comes from is made anew.
    fn settled(&self, expression: &Expression) -> bool {
        match expression {
            Expression::Id { of } | Expression::Property { of, .. } | Expression::ListKeys { of, .. } => {
                !self.renewed.contains_key(of)
            }
            Expression::Concat { of } => of.iter().all(|piece| match piece {
                Body::Expression(expression) => self.settled(expression),
                _ => true,
            }),
            // Nothing that Azure shows tells it; it is read anew whenever the resource is written for another reason.
            Expression::Tenant | Expression::SecretValue { .. } => true,
            // An image that the registry does not have yet is another one than any that runs.
            Expression::Image { .. } | Expression::SecretUri { .. } | Expression::RevisionSuffix { .. } => {
                false
            }
        }
    }

    fn missing_secrets(&self, resource: &Resource, body: &Body, missing: &mut BTreeSet<MissingSecret>) {
        let mut expressions = Vec::new();
        body.expressions(&mut expressions);
        for expression in expressions {
            let (vault, secret) = match expression {
                Expression::SecretUri { vault, secret } => (vault, secret),
                Expression::SecretValue { vault, secret }
                    if !self.live.secrets.contains_key(&(vault.clone(), secret.clone())) =>
                {
                    (vault, secret)
                }
                _ => continue,
            };
            missing.insert(MissingSecret {
                address: resource.address.clone(),
                vault: vault.clone(),
                secret: secret.clone(),
            });
        }
    }
}

fn change(
    resource: &Resource,
    action: Action,
    cause: Cause,
    properties: Vec<PropertyChange>,
    body: Body,
) -> Change {
    Change {
        address: resource.address.clone(),
        resource_type: resource.resource_type.to_owned(),
        api_version: resource.api_version.to_owned(),
        id: resource.id(),
        name: resource.name.clone(),
        location: resource.location.clone(),
        action,
        cause,
        reason: None,
        properties,
        depends_on: resource.depends_on(),
        holds_data: resource.holds_data,
        body,
        latest_revision: None,
    }
}

fn create(resource: &Resource, mut body: Body, cause: Cause, reason: Option<String>) -> Change {
    let properties = creation(&body, cause);
    settle_new_suffix(&mut body, None);
    Change { reason, ..change(resource, Action::Create, cause, properties, body) }
}

/// Whose a live resource is, when it is not ours: in words. What takes no tags belongs to what it lies in.
fn owner(resource: &Resource, live: &Value, blueprint: &Blueprint) -> Option<String> {
    let wanted = resource.body.get("tags")?;
    let tag = |key: &str| {
        let tags = live.get("tags")?.as_object()?;
        tags.iter().find(|(there, _)| there.eq_ignore_ascii_case(key))?.1.as_str()
    };
    wanted.as_object()?;
    match (tag(TAG_APP), tag(TAG_ENV)) {
        (Some(app), Some(env)) if app == blueprint.app && env == blueprint.environment => None,
        (None, None) => Some("it exists, and nothing says that it is this application's".to_owned()),
        (app, env) => Some(format!(
            "it belongs to the application `{}`, environment `{}`",
            app.unwrap_or("?"),
            env.unwrap_or("?")
        )),
    }
}

/// Why a live resource is not in order though its properties may be, in words.
fn failure(live: &Value) -> Option<String> {
    let properties = live.get("properties")?;
    let state = properties.get("provisioningState").and_then(Value::as_str).unwrap_or_default();
    if ["failed", "canceled"].contains(&state.to_lowercase().as_str()) {
        return Some(format!("its last change ended as {state}"));
    }
    // Azure names both once a revision was ready; while they differ the latest one does not serve.
    let revision = |key: &str| properties.get(key).and_then(Value::as_str);
    match (revision("latestRevisionName"), revision("latestReadyRevisionName")) {
        (Some(latest), Some(ready)) if !latest.is_empty() && latest != ready => {
            Some(format!("its latest revision {latest} never became ready"))
        }
        _ => None,
    }
}

fn latest_revision(resource: &Resource, live: &Value) -> Option<String> {
    let name = live.pointer("/properties/latestRevisionName").and_then(Value::as_str);
    name.filter(|name| resource.resource_type == CONTAINER_APP && !name.is_empty()).map(str::to_owned)
}

/// Keeps the live suffix while template and secrets are the live ones: the same suffix with the same template
/// is the same revision. Anything else, and a revision that failed, takes a new one.
fn settle_suffix(
    body: &mut Body,
    live: &Value,
    latest: Option<&str>,
    differences: &[PropertyChange],
    failed: bool,
) {
    let runs_something_else = differences.iter().any(|change| {
        change.path.starts_with("properties.template")
            || change.path.starts_with("properties.configuration.secrets")
    });
    if failed || runs_something_else {
        return settle_new_suffix(body, latest);
    }
    let live = live.pointer("/properties/template/revisionSuffix").and_then(Value::as_str);
    let Some(Body::Object(template)) = body.at_mut("properties.template") else { return };
    match live.filter(|suffix| !suffix.is_empty()) {
        Some(suffix) => template.insert("revisionSuffix", suffix),
        // Somebody let Azure choose; to name it now would make a new revision of the same.
        None => {
            template.remove("revisionSuffix");
        }
    }
}

/// A new suffix, if all that it is made from is known; else it stays an expression until it is.
fn settle_new_suffix(body: &mut Body, latest: Option<&str>) {
    if let Some(Body::Expression(Expression::RevisionSuffix { .. })) = body.at(SUFFIX)
        && let Ok(suffix) = revision::suffix(body, latest)
        && let Some(place) = body.at_mut(SUFFIX)
    {
        *place = suffix.into();
    }
}

/// `SystemAssigned, UserAssigned` has the `UserAssigned` we ask for.
fn with_our_identity_type(body: &Body, live: &Value) -> Value {
    let mut live = live.clone();
    let wanted = body.at("identity.type").and_then(Body::as_str);
    if let (Some(wanted), Some(there)) = (wanted, live.pointer_mut("/identity/type")) {
        let has = there.as_str().is_some_and(|t| t.split(',').any(|t| t.trim().eq_ignore_ascii_case(wanted)));
        if has {
            *there = wanted.into();
        }
    }
    live
}

/// A shown path as the table of habits writes it: `containers[web]` is `containers[]`.
fn pattern(path: &str) -> String {
    let mut pattern = String::with_capacity(path.len());
    let mut inside = 0usize;
    for c in path.chars() {
        match c {
            '[' => {
                inside += 1;
                if inside == 1 {
                    pattern.push_str("[]");
                }
            }
            ']' => inside = inside.saturating_sub(1),
            c if inside == 0 => pattern.push(c),
            _ => {}
        }
    }
    pattern
}

/// Types in order of deletion: what refers to something goes before it. A type that is not here goes between.
const DELETED_FIRST: &[&str] = &[
    "Microsoft.Authorization/roleAssignments",
    "Microsoft.App/containerApps",
    "Microsoft.App/jobs",
    "Microsoft.App/managedEnvironments",
    "Microsoft.Insights/autoscalesettings",
    "Microsoft.Web/staticSites/linkedBackends",
    "Microsoft.Web/certificates",
    "Microsoft.Web/staticSites",
    "Microsoft.Web/sites/slots",
    "Microsoft.Web/sites",
    "Microsoft.Web/serverfarms",
    "Microsoft.ContainerService/managedClusters",
];
const DELETED_LAST: &[&str] = &[
    "Microsoft.OperationalInsights/workspaces",
    "Microsoft.ManagedIdentity/userAssignedIdentities",
    "Microsoft.Resources/resourceGroups",
];
/// Types whose deletion loses what nobody can make again.
const HOLDS_DATA: &[&str] = &[
    "Microsoft.AppConfiguration/configurationStores",
    "Microsoft.Cache/redisEnterprise",
    "Microsoft.ContainerRegistry/registries",
    "Microsoft.DBforPostgreSQL/flexibleServers",
    "Microsoft.DocumentDB/databaseAccounts",
    "Microsoft.KeyVault/vaults",
    "Microsoft.ServiceBus/namespaces",
    "Microsoft.Storage/storageAccounts",
];

fn deletion_rank(resource_type: &str) -> usize {
    let place = |types: &[&str]| types.iter().position(|t| t.eq_ignore_ascii_case(resource_type));
    match (place(DELETED_FIRST), place(DELETED_LAST)) {
        (Some(place), _) => place,
        (None, None) => DELETED_FIRST.len(),
        (None, Some(place)) => DELETED_FIRST.len() + 1 + place,
    }
}

/// What is ours and not wanted any more, in order of deletion: after everything else has succeeded, since what
/// takes its place has to stand first.
fn deletions(changes: &[Change], strays: &[Stray]) -> Vec<Change> {
    let mut strays: Vec<&Stray> = strays.iter().collect();
    strays.sort_by_key(|stray| {
        let depth = stray.name.matches('/').count();
        (deletion_rank(&stray.resource_type), std::cmp::Reverse(depth), stray.id.to_lowercase())
    });
    let acted: Vec<Address> = changes
        .iter()
        .filter(|change| change.action != Action::None)
        .map(|change| change.address.clone())
        .collect();
    let mut taken: BTreeSet<Address> = changes.iter().map(|change| change.address.clone()).collect();
    let mut deletions: Vec<Change> = Vec::with_capacity(strays.len());
    for stray in strays {
        let mut address = stray_address(stray);
        while !taken.insert(address.clone()) {
            address = Address::new(address.kind(), &format!("{}-stray", address.name()));
        }
        let rank = deletion_rank(&stray.resource_type);
        let earlier = deletions.iter().filter(|before| deletion_rank(&before.resource_type) < rank);
        let mut depends_on: Vec<Address> = acted.clone();
        depends_on.extend(earlier.map(|before| before.address.clone()));
        deletions.push(Change {
            address,
            resource_type: stray.resource_type.clone(),
            api_version: stray.api_version.clone(),
            id: stray.id.clone(),
            name: stray.name.clone(),
            location: stray.location.clone(),
            action: Action::Delete,
            cause: Cause::Intent,
            reason: Some("it is this application's and not wanted any more".to_owned()),
            properties: Vec::new(),
            depends_on,
            holds_data: HOLDS_DATA.iter().any(|t| t.eq_ignore_ascii_case(&stray.resource_type)),
            body: Body::Null,
            latest_revision: None,
        });
    }
    deletions
}

/// An address for what no blueprint names: the kind that its type has there, and its name in Azure.
fn stray_address(stray: &Stray) -> Address {
    const KINDS: &[(&str, &str)] = &[
        ("Microsoft.App/containerApps", "containerApp"),
        ("Microsoft.App/jobs", "containerJob"),
        ("Microsoft.App/managedEnvironments", "containerEnvironment"),
        ("Microsoft.ContainerRegistry/registries", "registry"),
        ("Microsoft.ManagedIdentity/userAssignedIdentities", "identity"),
        ("Microsoft.Storage/storageAccounts", "storage"),
        ("Microsoft.ContainerService/managedClusters", "cluster"),
        ("Microsoft.Web/serverfarms", "plan"),
        ("Microsoft.Web/sites", "site"),
        ("Microsoft.Web/sites/slots", "slot"),
        ("Microsoft.Web/staticSites", "staticSite"),
    ];
    let known =
        KINDS.iter().find(|(t, _)| t.eq_ignore_ascii_case(&stray.resource_type)).map(|(_, kind)| *kind);
    let last = stray.resource_type.rsplit('/').next().unwrap_or("resource");
    Address::new(known.unwrap_or_else(|| last.strip_suffix('s').unwrap_or(last)), &stray.name)
}

impl Live {
    /// A fingerprint of what is live, without what changes by itself. Two plans from one blueprint and one
    /// basis are the same plan.
    pub fn basis(&self) -> String {
        // Stamps of reads and writes, and counters that Azure keeps.
        const RESTLESS: &[&str] = &["etag", "systemData", "eTag", "lastModifiedDate", "modifiedDate"];
        fn calm(value: &Value) -> Value {
            match value {
                Value::Object(map) => {
                    let mut calmed: BTreeMap<&String, Value> = BTreeMap::new();
                    for (key, value) in map.iter().filter(|(key, _)| !RESTLESS.contains(&key.as_str())) {
                        calmed.insert(key, calm(value));
                    }
                    calmed.into_iter().map(|(key, value)| (key.clone(), value)).collect()
                }
                Value::Array(items) => items.iter().map(calm).collect(),
                plain => plain.clone(),
            }
        }
        let mut hasher = Sha256::new();
        for (address, body) in &self.resources {
            hasher.update(format!("{address}\0{}\0", calm(body)));
        }
        for stray in &self.strays {
            hasher.update(format!("stray\0{}\0", stray.id.to_lowercase()));
        }
        for deleted in &self.soft_deleted {
            hasher.update(format!("deleted\0{}\0", deleted.id.to_lowercase()));
        }
        for ((vault, name), uri) in &self.secrets {
            hasher.update(format!("secret\0{vault}\0{name}\0{uri}\0"));
        }
        hex::encode(&hasher.finalize()[..16])
    }
}

impl Summary {
    fn of(changes: &[Change]) -> Summary {
        let mut summary = Summary::default();
        for change in changes {
            let count = match change.action {
                Action::Create => &mut summary.create,
                Action::Update => &mut summary.update,
                Action::Replace => &mut summary.replace,
                Action::Delete => &mut summary.delete,
                Action::Adopt => &mut summary.adopt,
                Action::None => &mut summary.none,
            };
            *count += 1;
        }
        summary
    }
}
