//! What is live, and the plan that follows from it.

use std::collections::{BTreeMap, BTreeSet};

use futures::StreamExt as _;
use landfall_blueprint::resource::ROLE_ASSIGNMENT;
use landfall_blueprint::services::app_service;
use landfall_blueprint::{Address, Blueprint, Expression, Resource, TAG_APP, TAG_ENV};
use landfall_engine::{Journal, OperationKey};
use landfall_plan::{Live, Plan, SoftDeleted, Stray};
use serde_json::Value;

use crate::error::Error;
use crate::source::Build;
use crate::target::Target;

/// How many reads are under way at once. ARM refills 25 reads a second; a plan of hundreds of resources must not
/// empty the bucket for everybody else in its first second.
const PARALLEL_READS: usize = 24;

/// The version by which a group's resources are listed.
pub(crate) const RESOURCES: &str = "2024-11-01";
/// The type of services' identities.
const IDENTITY: &str = "Microsoft.ManagedIdentity/userAssignedIdentities";
/// The version by which groups are listed.
const GROUPS: &str = "2025-04-01";
/// The version by which role assignments are listed and deleted.
const ROLE_ASSIGNMENTS: &str = "2022-04-01";

/// What was found, and the plan.
#[derive(Clone, Debug)]
pub struct Survey {
    /// What is wanted.
    pub blueprint: Blueprint,
    /// What is live.
    pub live: Live,
    /// The difference.
    pub plan: Plan,
    /// The services that are built, by name.
    pub builds: BTreeMap<String, Build>,
    /// Where the same application and environment lives under other names; empty as soon as it lives under these.
    pub elsewhere: Vec<Elsewhere>,
}

/// A resource group that this application and environment filled under another region or naming.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Elsewhere {
    /// The group's name.
    pub group: String,
    /// Its region.
    pub region: String,
}

impl Survey {
    /// The services whose image is not in the registry yet.
    pub fn to_build(&self) -> impl Iterator<Item = (&String, &Build)> {
        self.builds.iter().filter(|(service, _)| !self.live.images.contains_key(*service))
    }
}

/// Reads what is live of `blueprint`, in parallel.
///
/// # Errors
/// The first read that Azure refused for another reason than that the resource is not there.
pub async fn read(
    target: &Target,
    blueprint: &Blueprint,
    builds: &BTreeMap<String, Build>,
    journal: &Journal,
    scope: &str,
    adopt: &BTreeSet<Address>,
) -> Result<Live, Error> {
    let mut live =
        Live { adopt: adopt.clone(), tenant: Some(target.caller.tenant.clone()), ..Live::default() };
    let group = blueprint.resource_group();
    if let Some(body) = get(target, &group.address, &group.id(), group.api_version).await? {
        live.resources.insert(group.address.clone(), body);
        let named = blueprint.resources.iter().skip(1).filter(|resource| resource.named.is_none());
        let mut reads = futures::stream::iter(named)
            .map(|resource| async move {
                let body = whole(target, resource).await?;
                Ok::<_, Error>((resource.address.clone(), body))
            })
            .buffer_unordered(PARALLEL_READS);
        while let Some(read) = reads.next().await {
            if let (address, Some(body)) = read? {
                live.resources.insert(address, body);
            }
        }
        drop(reads);
        // What is named after something else is there only when that is.
        for resource in blueprint.resources.iter().filter(|resource| resource.named.is_some()) {
            let Some(id) = id_of(resource, &live) else { continue };
            if let Some(body) = get(target, &resource.address, &id, resource.api_version).await? {
                live.resources.insert(resource.address.clone(), body);
            }
        }
        let (strays, images, secrets) = tokio::try_join!(
            strays(target, blueprint, &live),
            images(target, blueprint, &live, builds),
            secrets(target, blueprint, &live)
        )?;
        (live.strays, live.images, live.secrets) = (strays, images, secrets);
    }
    live.soft_deleted = soft_deleted(target, blueprint, &live).await?;
    live.applied = applied(blueprint, &live, journal, scope)?;
    forget_others_settings(blueprint, &mut live);
    Ok(live)
}

/// The id of a resource as far as what is live tells it.
fn id_of(resource: &Resource, live: &Live) -> Option<String> {
    resource.id_with(&|expression: &Expression| match expression {
        Expression::Property { of, path } => {
            path.split('.').try_fold(live.resources.get(of)?, |value, key| value.get(key)).cloned()
        }
        _ => None,
    })
}

/// The groups of the same application and environment, where the one that is wanted is not there: a region or a
/// naming that was changed moves nothing, it makes everything a second time.
///
/// # Errors
/// What Azure refused.
pub async fn elsewhere(target: &Target, blueprint: &Blueprint, live: &Live) -> Result<Vec<Elsewhere>, Error> {
    if live.resources.contains_key(&blueprint.resource_group().address) {
        return Ok(Vec::new());
    }
    let path = format!(
        "/subscriptions/{}/resourcegroups?$filter=tagName%20eq%20'{TAG_APP}'%20and%20tagValue%20eq%20'{}'",
        target.subscription, blueprint.app
    );
    let listed = target
        .arm
        .list(&path, GROUPS)
        .await
        .map_err(Error::azure("look for the application's other resource groups"))?;
    let mut found = Vec::new();
    for group in &listed {
        let text = |key: &str| group[key].as_str().unwrap_or_default().to_owned();
        // The filter takes one tag only, and a group that is on its way out holds nobody up.
        if !is_ours(group, blueprint) || group["properties"]["provisioningState"] == "Deleting" {
            continue;
        }
        // A group that stayed for what others have in it is no application.
        let inside = target
            .arm
            .list(&format!("{}/resources", text("id")), RESOURCES)
            .await
            .map_err(Error::azure("list the application's other resource group"))?;
        if inside.iter().any(|item| is_ours(item, blueprint)) {
            found.push(Elsewhere { group: text("name"), region: text("location") });
        }
    }
    Ok(found)
}

/// Whether a resource carries the tags of this application and environment.
pub(crate) fn is_ours(item: &Value, blueprint: &Blueprint) -> bool {
    let tags = tags(item);
    tags.get(TAG_APP) == Some(&blueprint.app) && tags.get(TAG_ENV) == Some(&blueprint.environment)
}

/// Drops settings that neither the blueprint says nor we once made. Somebody may have put a secret there in the clear,
/// and what is live goes into plans and comparisons.
fn forget_others_settings(blueprint: &Blueprint, live: &mut Live) {
    for resource in blueprint.resources.iter().filter(|resource| is_settings(resource)) {
        let said = resource.body.at("properties").and_then(|settings| settings.as_object());
        let once = live
            .applied
            .get(&resource.address)
            .and_then(|applied| applied["properties"].as_object())
            .cloned();
        let found =
            live.resources.get_mut(&resource.address).and_then(|body| body["properties"].as_object_mut());
        if let Some(settings) = found {
            settings.retain(|name, _| {
                said.is_some_and(|said| said.get(name).is_some())
                    || once.as_ref().is_some_and(|once| once.contains_key(name))
            });
        }
    }
}

/// Whether a resource is the settings of an application on App Service or of a slot.
fn is_settings(resource: &Resource) -> bool {
    let config = [app_service::CONFIG, app_service::SLOT_CONFIG].contains(&resource.resource_type);
    config && resource.name.ends_with("/appsettings")
}

/// A resource as it is live, with the parts that Azure answers elsewhere.
async fn whole(target: &Target, resource: &Resource) -> Result<Option<Value>, Error> {
    let (address, id, version) = (&resource.address, resource.id(), resource.api_version);
    if is_settings(resource) {
        // Settings may be secrets, so that reading them is an action of its own.
        let listed = target.arm.post(&format!("{id}/list"), version, None).await;
        return match listed {
            Err(error) if error.status() == Some(404) => Ok(None),
            listed => listed.map(Some).map_err(Error::azure(format!("read {address}"))),
        };
    }
    let mut body = get(target, address, &id, version).await?;
    if [app_service::SITE, app_service::SLOT].contains(&resource.resource_type)
        && let Some(site) = &mut body
    {
        // A site itself answers only a few lines of its configuration.
        let config = get(target, address, &format!("{id}/config/web"), version).await?;
        if let Some(config) = config {
            site["properties"]["siteConfig"] = config["properties"].clone();
        }
    }
    Ok(body)
}

async fn get(
    target: &Target,
    address: &Address,
    id: &str,
    api_version: &str,
) -> Result<Option<Value>, Error> {
    target.arm.get(id, api_version).await.map_err(Error::azure(format!("read {address}")))
}

/// What is ours in the group and not wanted any more: by its tags, or, for role assignments, which take none, by
/// the identity they are for.
async fn strays(target: &Target, blueprint: &Blueprint, live: &Live) -> Result<Vec<Stray>, Error> {
    let path = format!("{}/resources", blueprint.resource_group().id());
    let listed = target.arm.list(&path, RESOURCES).await.map_err(Error::azure("list the resource group"))?;
    let wanted: BTreeSet<String> =
        blueprint.resources.iter().map(|resource| resource.id().to_ascii_lowercase()).collect();
    let versions: BTreeMap<String, &str> = blueprint
        .resources
        .iter()
        .map(|resource| (resource.resource_type.to_ascii_lowercase(), resource.api_version))
        .collect();
    let mut strays = Vec::new();
    for item in &listed {
        let ours = is_ours(item, blueprint);
        let text = |key: &str| item[key].as_str().map(str::to_owned);
        let (Some(id), Some(resource_type), Some(name)) = (text("id"), text("type"), text("name")) else {
            continue;
        };
        if !ours || wanted.contains(&id.to_ascii_lowercase()) {
            continue;
        }
        let api_version = match versions.get(&resource_type.to_ascii_lowercase()) {
            Some(version) => (*version).to_owned(),
            None => newest_version(target, &resource_type).await?,
        };
        strays.push(Stray {
            id,
            resource_type,
            api_version,
            name,
            location: text("location"),
            tags: tags(item),
        });
    }
    let principals = principals(target, live, &strays).await?;
    strays.extend(stray_roles(target, blueprint, &principals, &wanted).await?);
    Ok(strays)
}

/// The principals of our services' identities, those of services that are gone from the manifest among them.
async fn principals(target: &Target, live: &Live, strays: &[Stray]) -> Result<BTreeSet<String>, Error> {
    let principal = |identity: &Value| identity["properties"]["principalId"].as_str().map(str::to_owned);
    let mut principals: BTreeSet<String> = live
        .resources
        .iter()
        .filter(|(address, _)| address.kind() == "identity")
        .filter_map(|(_, identity)| principal(identity))
        .collect();
    for stray in strays.iter().filter(|stray| stray.resource_type.eq_ignore_ascii_case(IDENTITY)) {
        let identity = target.arm.get(&stray.id, &stray.api_version).await;
        let identity = identity.map_err(Error::azure(format!("read the identity {}", stray.name)))?;
        principals.extend(identity.as_ref().and_then(principal));
    }
    Ok(principals)
}

/// Roles of our services' identities that nothing asks for any more: least privilege holds for the past, too.
async fn stray_roles(
    target: &Target,
    blueprint: &Blueprint,
    principals: &BTreeSet<String>,
    wanted: &BTreeSet<String>,
) -> Result<Vec<Stray>, Error> {
    if principals.is_empty() {
        return Ok(Vec::new());
    }
    let group = blueprint.resource_group().id();
    let path = format!("{group}/providers/{ROLE_ASSIGNMENT}");
    let listed =
        target.arm.list(&path, ROLE_ASSIGNMENTS).await.map_err(Error::azure("list the role assignments"))?;
    let below = format!("{}/", group.to_ascii_lowercase());
    Ok(listed
        .iter()
        .filter_map(|item| {
            let id = item["id"].as_str()?;
            let key = id.to_ascii_lowercase();
            let ours = item["properties"]["principalId"].as_str().is_some_and(|id| principals.contains(id));
            // Roles further up were given by somebody else.
            (ours && key.starts_with(&below) && !wanted.contains(&key)).then(|| Stray {
                id: id.to_owned(),
                resource_type: ROLE_ASSIGNMENT.to_owned(),
                api_version: ROLE_ASSIGNMENTS.to_owned(),
                name: item["name"].as_str().unwrap_or_default().to_owned(),
                location: None,
                tags: BTreeMap::new(),
            })
        })
        .collect())
}

/// The tags of a listed resource.
pub(crate) fn tags(item: &Value) -> BTreeMap<String, String> {
    item["tags"]
        .as_object()
        .map(|tags| tags.iter().filter_map(|(k, v)| Some((k.clone(), v.as_str()?.to_owned()))).collect())
        .unwrap_or_default()
}

/// The newest stable API version of a type, as its provider tells it.
pub(crate) async fn newest_version(target: &Target, resource_type: &str) -> Result<String, Error> {
    let (namespace, kind) = resource_type.split_once('/').unwrap_or((resource_type, ""));
    let provider = target
        .arm
        .provider(&target.subscription, namespace)
        .await
        .map_err(Error::azure(format!("ask for the API versions of {resource_type}")))?;
    let versions = provider
        .types
        .iter()
        .find(|listed| listed.name.eq_ignore_ascii_case(kind))
        .map(|listed| listed.api_versions.clone())
        .unwrap_or_default();
    let stable = versions.iter().filter(|version| !version.contains("preview")).max();
    stable.or(versions.iter().max()).cloned().ok_or_else(|| {
        Error::other(format!(
            "Azure names no API version for {resource_type}, so it cannot be read or deleted"
        ))
    })
}

/// For each build, the image when the registry has it.
async fn images(
    target: &Target,
    blueprint: &Blueprint,
    live: &Live,
    builds: &BTreeMap<String, Build>,
) -> Result<BTreeMap<String, String>, Error> {
    let Some(registry) =
        blueprint.registry().filter(|registry| live.resources.contains_key(&registry.address))
    else {
        return Ok(BTreeMap::new());
    };
    let client = target.registry(&registry.name)?;
    let mut images = BTreeMap::new();
    for (service, build) in builds {
        let digest = client
            .digest(&build.repository, &build.tag)
            .await
            .map_err(Error::azure(format!("ask the registry for the image of `{service}`")))?;
        if let Some(digest) = digest {
            images.insert(service.clone(), format!("{}/{}@{digest}", client.host(), build.repository));
        }
    }
    Ok(images)
}

/// The newest version of each secret that a body refers to, read through ARM so that planning takes no data role.
async fn secrets(
    target: &Target,
    blueprint: &Blueprint,
    live: &Live,
) -> Result<BTreeMap<(Address, String), String>, Error> {
    let mut wanted = BTreeSet::new();
    for resource in &blueprint.resources {
        let mut expressions = Vec::new();
        resource.body.expressions(&mut expressions);
        collect_secrets(&expressions, &mut wanted);
    }
    let mut found = BTreeMap::new();
    for (vault, secret) in wanted {
        let Some(resource) =
            blueprint.get(&vault).filter(|vault| live.resources.contains_key(&vault.address))
        else {
            continue;
        };
        let id = format!("{}/secrets/{secret}", resource.id());
        let body = target
            .arm
            .get(&id, resource.api_version)
            .await
            .map_err(Error::azure(format!("look for the secret `{secret}`")))?;
        if let Some(uri) = body.as_ref().and_then(|body| body["properties"]["secretUriWithVersion"].as_str())
        {
            found.insert((vault, secret), uri.to_owned());
        }
    }
    Ok(found)
}

fn collect_secrets(expressions: &[&Expression], wanted: &mut BTreeSet<(Address, String)>) {
    for expression in expressions {
        match expression {
            Expression::SecretUri { vault, secret } | Expression::SecretValue { vault, secret } => {
                wanted.insert((vault.clone(), secret.clone()));
            }
            Expression::Concat { of } => {
                let mut inner = Vec::new();
                of.iter().for_each(|piece| piece.expressions(&mut inner));
                collect_secrets(&inner, wanted);
            }
            _ => {}
        }
    }
}

/// Deleted vaults that hold a name we want.
async fn soft_deleted(
    target: &Target,
    blueprint: &Blueprint,
    live: &Live,
) -> Result<Vec<SoftDeleted>, Error> {
    let mut found = Vec::new();
    for resource in &blueprint.resources {
        if resource.address.kind() != "vault" || live.resources.contains_key(&resource.address) {
            continue;
        }
        let location = resource.location.as_deref().unwrap_or(&blueprint.region);
        let deleted = target
            .arm
            .deleted_vault(&target.subscription, location, &resource.name)
            .await
            .map_err(Error::azure(format!("look for a deleted vault `{}`", resource.name)))?;
        if let Some(deleted) = deleted {
            found.push(SoftDeleted {
                address: resource.address.clone(),
                name: deleted.name,
                id: deleted.vault_id,
                location: deleted.location,
                deleted_at: deleted.deleted.map(to_the_second),
                purge_at: deleted.purge_on.map(to_the_second),
                purge_protected: deleted.purge_protected,
            });
        }
    }
    Ok(found)
}

/// Azure's dates have seven digits of a second, which nobody reads.
fn to_the_second(at: jiff::Timestamp) -> String {
    at.strftime("%Y-%m-%dT%H:%M:%SZ").to_string()
}

/// What was last applied to each resource, from the journal.
fn applied(
    blueprint: &Blueprint,
    live: &Live,
    journal: &Journal,
    scope: &str,
) -> Result<BTreeMap<Address, Value>, Error> {
    let outputs = journal.last_outputs(scope)?;
    Ok(blueprint
        .resources
        .iter()
        .filter_map(|resource| {
            let output = outputs.get(&put_key(&resource.address))?;
            // Under another region or naming the same address was another resource.
            let id = output["resource"]["id"].as_str();
            let own = id_of(resource, live).unwrap_or_else(|| resource.id());
            if id.is_some_and(|id| !id.eq_ignore_ascii_case(&own)) {
                return None;
            }
            let applied = output.get("applied").filter(|applied| !applied.is_null())?;
            Some((resource.address.clone(), applied.clone()))
        })
        .collect())
}

/// The key of the operation that writes a resource; its output says what was applied.
pub(crate) fn put_key(address: &Address) -> OperationKey {
    OperationKey::new(format!("put {address}"))
}
