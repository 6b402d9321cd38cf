//! Everything an application made, taken away again.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use landfall_blueprint::{Address, Blueprint};
use landfall_engine::{Graph, GraphError, Operation, OperationKey};

use crate::error::Error;
use crate::survey::{RESOURCES, is_ours, newest_version};
use crate::target::Target;
use crate::work::Work;

/// What is there to be deleted.
#[derive(Clone, Debug, Default)]
pub struct Ruin {
    /// Resources of ours that are live, in creation order; the group is not among them.
    pub resources: Vec<Doomed>,
    /// The resource group, when it is live: its id and API version.
    pub group: Option<(Address, String, String)>,
    /// Ids of resources in the group that are not ours; while there are any the group stays.
    pub foreign: Vec<String>,
}

/// A resource to be deleted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Doomed {
    /// Its address; a stray's is made of its type and name.
    pub address: String,
    /// Its ARM type.
    pub resource_type: String,
    /// Its name in Azure.
    pub name: String,
    /// Its ARM id.
    pub id: String,
    /// Its region.
    pub location: String,
    /// API version.
    pub api_version: String,
    /// Whether what it holds cannot be made again.
    pub holds_data: bool,
    /// The addresses it needs, which therefore go after it.
    pub needs: Vec<String>,
}

impl Ruin {
    /// Whether nothing is there.
    pub fn is_empty(&self) -> bool {
        self.group.is_none() && self.resources.is_empty()
    }

    /// The vaults, whose names stay taken after they are deleted.
    pub fn vaults(&self) -> impl Iterator<Item = &Doomed> {
        self.resources.iter().filter(|doomed| doomed.resource_type == "Microsoft.KeyVault/vaults")
    }

    /// Resources whose data would be lost. A deleted vault can be recovered, so it is not among them unless it is
    /// purged.
    pub fn losses(&self, purge: bool) -> Vec<&Doomed> {
        self.resources
            .iter()
            .filter(|doomed| match doomed.resource_type.as_str() {
                "Microsoft.KeyVault/vaults" => purge,
                _ => doomed.holds_data,
            })
            .collect()
    }
}

/// Reads what is live of `blueprint`'s application and environment.
///
/// # Errors
/// What Azure refused.
pub async fn read(target: &Target, blueprint: &Blueprint) -> Result<Ruin, Error> {
    let group = blueprint.resource_group();
    let group_id = group.id();
    let read = target.arm.get(&group_id, group.api_version).await;
    let Some(found) = read.map_err(Error::azure(format!("read {}", group.address)))? else {
        return Ok(Ruin::default());
    };
    let listed = target
        .arm
        .list(&format!("{group_id}/resources"), RESOURCES)
        .await
        .map_err(Error::azure("list the resource group"))?;
    let mut ruin = Ruin::default();
    if is_ours(&found, blueprint) {
        ruin.group = Some((group.address.clone(), group_id, group.api_version.to_owned()));
    }
    let mut seen = BTreeSet::new();
    // What is named after something else goes with what it lies in.
    for resource in blueprint.resources.iter().skip(1).filter(|resource| resource.named.is_none()) {
        // A part that goes with the whole is there when that is, and some cannot even be read.
        if !goes_with_its_parent(resource.resource_type) {
            let body = target.arm.get(&resource.id(), resource.api_version).await;
            let body = body.map_err(Error::azure(format!("read {}", resource.address)))?;
            let Some(body) = body else { continue };
            // Children and role assignments take no tags; they go with what they belong to.
            if resource.body.get("tags").is_some() && !is_ours(&body, blueprint) {
                continue;
            }
        }
        seen.insert(resource.id().to_ascii_lowercase());
        ruin.resources.push(Doomed {
            address: resource.address.to_string(),
            resource_type: resource.resource_type.to_owned(),
            name: resource.name.clone(),
            id: resource.id(),
            location: resource.location.clone().unwrap_or_else(|| blueprint.region.clone()),
            api_version: resource.api_version.to_owned(),
            holds_data: resource.holds_data,
            needs: resource.depends_on().iter().map(ToString::to_string).collect(),
        });
    }
    // Azure makes and deletes the network interface of a private endpoint; only its name is ours.
    let endpoints = blueprint.resources.iter().filter_map(|resource| resource.body.get("properties"));
    let made_by_azure: BTreeSet<String> = endpoints
        .filter_map(|properties| properties.get("customNetworkInterfaceName")?.as_str().map(str::to_owned))
        .collect();
    for item in &listed {
        let text = |key: &str| item[key].as_str().unwrap_or_default().to_owned();
        let (id, resource_type, name) = (text("id"), text("type"), text("name"));
        if seen.contains(&id.to_ascii_lowercase()) {
            continue;
        }
        if made_by_azure.contains(&name) {
            continue;
        }
        if !is_ours(item, blueprint) {
            ruin.foreign.push(id);
            continue;
        }
        let kind = resource_type.rsplit('/').next().unwrap_or_default();
        ruin.resources.push(Doomed {
            address: format!("{kind}.{name}"),
            api_version: newest_version(target, &resource_type).await?,
            location: text("location"),
            // Nothing is known of it but that it was ours: better to ask once too often.
            holds_data: true,
            needs: Vec::new(),
            resource_type,
            name,
            id,
        });
    }
    Ok(ruin)
}

/// The operations that delete it: the whole group at once where everything in it is ours, else one by one, users
/// before what they use. Purging comes last.
///
/// # Errors
/// A cycle among the resources, which a blueprint never has.
pub fn graph(ruin: &Ruin, purge: bool) -> Result<Graph, GraphError> {
    let mut operations: Vec<Operation> = Vec::new();
    match &ruin.group {
        Some((address, id, api_version)) if ruin.foreign.is_empty() => {
            let work = Work::Delete { id: id.clone(), api_version: api_version.clone() };
            operations.push(work.operation(
                delete_key(address.as_str()),
                address.as_str(),
                Duration::from_secs(120),
            ));
        }
        _ => one_by_one(ruin, &mut operations),
    }
    if purge {
        let before: Vec<OperationKey> = operations.iter().map(|operation| operation.key.clone()).collect();
        for vault in ruin.vaults() {
            let work = Work::Purge { name: vault.name.clone(), location: vault.location.clone() };
            let key = OperationKey::new(format!("purge {}", vault.address));
            operations
                .push(work.operation(key, &vault.address, Duration::from_secs(30)).needing(before.clone()));
        }
    }
    Graph::new(operations)
}

/// Types that are there as long as what they lie in, and that Azure does not delete by themselves.
const GO_WITH_THEIR_PARENT: &[&str] = &[
    "Microsoft.Storage/storageAccounts/blobServices",
    "Microsoft.Storage/storageAccounts/fileServices",
    "Microsoft.Storage/storageAccounts/queueServices",
    "Microsoft.Storage/storageAccounts/tableServices",
    "Microsoft.Web/sites/config",
    "Microsoft.Web/sites/slots/config",
    "Microsoft.DBforPostgreSQL/flexibleServers/configurations",
];

fn goes_with_its_parent(resource_type: &str) -> bool {
    GO_WITH_THEIR_PARENT.iter().any(|known| known.eq_ignore_ascii_case(resource_type))
}

fn one_by_one(ruin: &Ruin, operations: &mut Vec<Operation>) {
    let goes = |doomed: &&Doomed| goes_with_its_parent(&doomed.resource_type);
    // Whoever uses such a part uses what it lies in.
    let whole: BTreeMap<&str, &str> = ruin
        .resources
        .iter()
        .filter(goes)
        .filter_map(|part| {
            let around = |other: &&Doomed| part.id.starts_with(&format!("{}/", other.id));
            let parent = ruin.resources.iter().filter(around).min_by_key(|other| other.id.len())?;
            Some((part.address.as_str(), parent.address.as_str()))
        })
        .collect();
    let meant = |address: &str| whole.get(address).copied().unwrap_or(address).to_owned();
    let mut users: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for doomed in &ruin.resources {
        let user = meant(&doomed.address);
        for need in doomed.needs.iter().map(|need| meant(need)).filter(|need| *need != user) {
            users.entry(need).or_default().insert(user.clone());
        }
    }
    for doomed in ruin.resources.iter().filter(|doomed| !goes(doomed)) {
        let work = Work::Delete { id: doomed.id.clone(), api_version: doomed.api_version.clone() };
        let before = users.remove(doomed.address.as_str()).unwrap_or_default();
        operations.push(
            work.operation(delete_key(&doomed.address), &doomed.address, Duration::from_secs(30))
                .needing(before.iter().map(|address| delete_key(address))),
        );
    }
}

fn delete_key(address: &str) -> OperationKey {
    OperationKey::new(format!("delete {address}"))
}
