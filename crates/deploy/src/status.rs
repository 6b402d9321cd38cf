//! Services and resources as they are.

use std::collections::BTreeMap;

use landfall_blueprint::{Address, Blueprint};
use serde::Serialize;
use serde_json::Value;

use crate::error::Error;
use crate::target::Target;

/// A deployed service.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Service {
    /// Its name in the manifest.
    pub name: String,
    /// What it runs on.
    pub host: &'static str,
    /// Its name in Azure.
    pub app: String,
    /// Its ARM id.
    pub id: String,
    /// Where it is reached.
    pub urls: Vec<String>,
    /// Azure's word for how its last change went.
    pub state: String,
    /// Its revisions: active ones, and the latest even when it failed; newest first.
    pub revisions: Vec<Revision>,
}

/// A revision of a service.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Revision {
    /// Its name.
    pub name: String,
    /// The image it runs.
    pub image: String,
    /// Its share of the traffic, in percent.
    pub weight: u64,
    /// Its label.
    pub label: Option<String>,
    /// Running replicas.
    pub replicas: u64,
    /// `Healthy`, `Unhealthy` or `None`.
    pub health: String,
    /// Azure's word for what it is doing.
    pub state: String,
    /// When it was made.
    pub created: String,
}

/// A resource of the blueprint, as far as it is live.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Resource {
    /// Its address.
    pub address: Address,
    /// Its type.
    #[serde(rename = "type")]
    pub resource_type: &'static str,
    /// Its name in Azure.
    pub name: String,
    /// Azure's word for its state; `absent` when it is not there.
    pub state: String,
}

/// Where a container app is reached by HTTPS, when it is.
pub fn url(target: &Target, app: &Value) -> Option<String> {
    let host = app["properties"]["configuration"]["ingress"]["fqdn"].as_str()?;
    // Local Azure answers for all hosts on one port of its own.
    match target.cloud.is_loopback().then(|| target.cloud.arm.port()).flatten() {
        Some(port) => Some(format!("https://{host}:{port}")),
        None => Some(format!("https://{host}")),
    }
}

/// Plain `http://127.0.0.1:PORT` addresses by ARM id in lower case, which local Azure gives each app, since many
/// resolvers know no name under `.localhost`. Empty on Azure.
///
/// # Errors
/// When local Azure does not answer.
pub async fn plain_urls(target: &Target) -> Result<BTreeMap<String, String>, Error> {
    if !target.cloud.is_loopback() {
        return Ok(BTreeMap::new());
    }
    let url = format!("{}_local/apps", target.cloud.arm);
    let failed = |error: reqwest::Error| {
        Error::other(format!("local Azure does not tell where its apps are: {}", error.without_url()))
    };
    let client = target.cloud.http().map_err(Error::azure("reach local Azure"))?;
    let answer: Value = client.get(url).send().await.map_err(failed)?.json().await.map_err(failed)?;
    Ok(answer["value"]
        .as_array()
        .into_iter()
        .flatten()
        .filter_map(|app| Some((app["id"].as_str()?.to_ascii_lowercase(), app["url"].as_str()?.to_owned())))
        .collect())
}

/// The services of `blueprint` that are live.
///
/// # Errors
/// What Azure refused.
pub async fn services(target: &Target, blueprint: &Blueprint) -> Result<Vec<Service>, Error> {
    let plain = plain_urls(target).await?;
    let mut services = Vec::new();
    for resource in &blueprint.resources {
        if resource.resource_type != landfall_blueprint::resource::CONTAINER_APP {
            continue;
        }
        let name = resource.address.name();
        let doing = format!("read the service {name}");
        let id = resource.id();
        let Some(app) =
            target.arm.get(&id, resource.api_version).await.map_err(Error::azure(doing.clone()))?
        else {
            continue;
        };
        let listed = target
            .arm
            .list(&format!("{id}/revisions"), resource.api_version)
            .await
            .map_err(Error::azure(doing))?;
        let latest = app["properties"]["latestRevisionName"].as_str().unwrap_or_default();
        let mut revisions: Vec<Revision> = listed
            .iter()
            .filter(|revision| {
                revision["properties"]["active"] == Value::Bool(true) || revision["name"] == *latest
            })
            .map(|found| revision(found, &app))
            .collect();
        revisions.sort_by(|a, b| b.created.cmp(&a.created).then_with(|| b.name.cmp(&a.name)));
        services.push(Service {
            name: name.to_owned(),
            host: "container-apps",
            app: resource.name.clone(),
            urls: plain.get(&id.to_ascii_lowercase()).cloned().into_iter().chain(url(target, &app)).collect(),
            state: text(&app["properties"]["provisioningState"]),
            revisions,
            id,
        });
    }
    Ok(services)
}

fn revision(found: &Value, app: &Value) -> Revision {
    let properties = &found["properties"];
    let name = text(&found["name"]);
    let traffic = app["properties"]["configuration"]["ingress"]["traffic"].as_array();
    let label = traffic
        .into_iter()
        .flatten()
        .find(|entry| entry["revisionName"] == *name.as_str())
        .and_then(|entry| entry["label"].as_str())
        .map(str::to_owned);
    Revision {
        image: text(&properties["template"]["containers"][0]["image"]),
        weight: properties["trafficWeight"].as_u64().unwrap_or(0),
        label,
        replicas: properties["replicas"].as_u64().unwrap_or(0),
        health: text(&properties["healthState"]),
        state: text(&properties["runningState"]),
        created: text(&properties["createdTime"]),
        name,
    }
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}

/// Every resource of `blueprint` with its state.
///
/// # Errors
/// What Azure refused.
pub async fn resources(target: &Target, blueprint: &Blueprint) -> Result<Vec<Resource>, Error> {
    futures::future::try_join_all(blueprint.resources.iter().map(|resource| async move {
        let body = target
            .arm
            .get(&resource.id(), resource.api_version)
            .await
            .map_err(Error::azure(format!("read {}", resource.address)))?;
        let state = match &body {
            None => "absent".to_owned(),
            // Types without the property are finished when they answer.
            Some(body) => body["properties"]["provisioningState"].as_str().unwrap_or("Succeeded").to_owned(),
        };
        Ok(Resource {
            address: resource.address.clone(),
            resource_type: resource.resource_type,
            name: resource.name.clone(),
            state,
        })
    }))
    .await
}
