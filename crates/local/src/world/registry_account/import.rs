//! `importImage`: an image copied from another registry of this Azure.
//!
//! Source: `learn.microsoft.com/azure/container-registry/container-registry-import-images`.

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::super::arm::kind::Call;
use super::super::arm::refusal::Refusal;
use super::super::checks::{list, named, text};
use super::super::registry::{self, Deed};
use super::super::{Response, World};
use super::{REGISTRY, by_name};

/// How long an import takes, in seconds at speed 1.
const SECONDS: f64 = 8.0;

/// One image on its way from one registry into another.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Import {
    /// Registry, repository and digest it comes from.
    pub from: (String, String, String),
    /// Registry it goes to.
    pub to: String,
    /// Repositories it goes to, each with a tag or none.
    pub targets: Vec<(String, Option<String>)>,
}

pub(super) fn begin(world: &mut World, call: &Call) -> Result<Response, Refusal> {
    let body = &call.body;
    let image = text(body, "source.sourceImage");
    if image.is_empty() {
        return Err(
            Refusal::bad("InvalidParameters", "The sourceImage of the import is missing.").at("source")
        );
    }
    let (repository, reference) = split(image);
    let from = source(world, call, repository)?;
    let digest = registry::digest_named(world, &from, repository, &reference).ok_or_else(|| {
        Refusal::missing(
            "SourceImageNotFound",
            format!("The source image '{image}' does not exist in the registry {from}."),
        )
    })?;
    let targets = targets(body, image)?;
    let to = call.id.name().to_ascii_lowercase();
    if !text(body, "mode").eq_ignore_ascii_case("Force")
        && let Some((repository, Some(tag))) = targets.iter().find(|(repository, tag)| {
            tag.as_deref().is_some_and(|tag| registry::digest_named(world, &to, repository, tag).is_some())
        })
    {
        return Err(Refusal::conflict(
            "Conflict",
            format!("Tag {repository}:{tag} already exists in target registry."),
        ));
    }
    let copy = Import { from: (from, repository.to_owned(), digest), to, targets };
    registry::import(world, copy, world.config.scaled(SECONDS));
    Ok(super::action(world, call, SECONDS, json!({})))
}

/// `repository`, `repository:tag` or `repository@digest`; the tag is `latest` when none is named.
fn split(image: &str) -> (&str, String) {
    if let Some((repository, digest)) = image.split_once('@') {
        return (repository, digest.to_owned());
    }
    match image.rsplit_once(':').filter(|(_, tag)| !tag.contains('/')) {
        Some((repository, tag)) => (repository, tag.to_owned()),
        None => (image, "latest".to_owned()),
    }
}

/// The registry that an import comes from, by resource id or address, when whoever asks may pull from it.
fn source(world: &World, call: &Call, repository: &str) -> Result<String, Refusal> {
    let (id, address) = (text(&call.body, "source.resourceId"), text(&call.body, "source.registryUri"));
    let denied = |name: &str| {
        Refusal::new(
            403,
            "Forbidden",
            format!("Access to the registry {name} is denied: the caller may not pull."),
        )
    };
    let credentials = &call.body["source"]["credentials"];
    let found = if !id.is_empty() {
        named(world, id, REGISTRY).ok_or_else(|| {
            Refusal::missing("ResourceNotFound", format!("The source registry '{id}' was not found."))
        })?
    } else if address.is_empty() {
        let message = "The source of the import names neither a resourceId nor a registryUri.";
        return Err(Refusal::bad("InvalidParameters", message).at("source"));
    } else {
        let host = address.trim_start_matches("https://").split([':', '/']).next().unwrap_or_default();
        let name = host.strip_suffix(".azurecr.localhost").or(host.strip_suffix(".azurecr.io"));
        name.and_then(|name| by_name(world, name)).ok_or_else(|| {
            Refusal::bad(
                "InvalidParameters",
                format!(
                    "The source registry '{address}' cannot be reached: local Azure imports from its own registries, not \
                     from others."
                ),
            )
        })?
    };
    let name = found.id.name().to_ascii_lowercase();
    let may = match credentials {
        Value::Object(_) => {
            let (user, password) = (text(credentials, "username"), text(credentials, "password"));
            registry::may_with_password(world, &name, user, password, repository)
        }
        _ => registry::may(world, &call.caller.object_id, Deed::Pull, &found.id.to_string()),
    };
    if may { Ok(name) } else { Err(denied(&name)) }
}

/// Where the image goes: the tags asked for, or the source's own; repositories without a tag beside them.
fn targets(body: &Value, image: &str) -> Result<Vec<(String, Option<String>)>, Refusal> {
    let untagged = list(body, "untaggedTargetRepositories").iter().filter_map(Value::as_str);
    let mut targets: Vec<(String, Option<String>)> =
        untagged.map(|repository| (repository.to_owned(), None)).collect();
    for target in list(body, "targetTags").iter().filter_map(Value::as_str) {
        let (repository, tag) = split(target);
        let named = target.contains(':');
        let tag = if named || image.contains('@') { tag } else { split(image).1 };
        targets.push((repository.to_owned(), Some(tag)));
    }
    if targets.is_empty() {
        let (repository, tag) = split(image);
        targets.push((repository.to_owned(), (!image.contains('@')).then_some(tag)));
    }
    let sound = |(repository, tag): &(String, Option<String>)| {
        registry::is_repository(repository) && tag.as_deref().is_none_or(registry::is_tag)
    };
    match targets.iter().find(|target| !sound(target)) {
        Some((repository, tag)) => Err(Refusal::bad(
            "InvalidParameters",
            format!(
                "The target '{repository}:{}' is no repository and tag.",
                tag.as_deref().unwrap_or_default()
            ),
        )),
        None => Ok(targets),
    }
}
