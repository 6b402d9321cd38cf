//! Operations on containers.

use std::collections::BTreeMap;

use super::refusal::{invalid_header, refuse};
use super::{Ask, Container, conditions, http_date};
use crate::world::{Response, World};

/// Three to 63 lower-case letters, digits and single hyphens; `$root`, `$web`, `$logs`.
pub(super) fn check_name(name: &str) -> Result<(), Response> {
    if matches!(name, "$root" | "$web" | "$logs") {
        return Ok(());
    }
    if !(3..=63).contains(&name.len()) {
        return Err(refuse(400, "OutOfRangeInput", "One of the request inputs is out of range."));
    }
    let letter = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit();
    let bytes = name.as_bytes();
    let fits = bytes.iter().all(|b| letter(*b) || *b == b'-')
        && bytes.first().is_some_and(|b| letter(*b))
        && bytes.last().is_some_and(|b| letter(*b))
        && !name.contains("--");
    if fits {
        Ok(())
    } else {
        Err(refuse(400, "InvalidResourceName", "The specified resource name contains invalid characters."))
    }
}

pub(super) fn create(world: &mut World, ask: &Ask<'_>) -> Result<Response, Response> {
    ask.who.control(world, ask, "write")?;
    let metadata = ask.metadata()?;
    let public = match ask.header("x-ms-blob-public-access") {
        None => None,
        Some(access @ ("container" | "blob")) => Some(access.to_owned()),
        Some(other) => return Err(invalid_header("x-ms-blob-public-access", other)),
    };
    let permitted = super::resource(world, ask.account)
        .is_some_and(|account| account.properties()["allowBlobPublicAccess"] == true);
    if public.is_some() && !permitted {
        return Err(refuse(
            409,
            "PublicAccessNotPermitted",
            "Public access is not permitted on this storage account.",
        ));
    }
    let now = world.now;
    let account = ask.account_mut(world);
    if account.containers.contains_key(&ask.container) {
        return Err(refuse(409, "ContainerAlreadyExists", "The specified container already exists."));
    }
    let etag = account.etag();
    let container = Container {
        etag: etag.clone(),
        modified: now,
        metadata,
        public,
        blobs: BTreeMap::new(),
        staged: BTreeMap::new(),
    };
    account.containers.insert(ask.container.clone(), container);
    Ok(Response::empty(201).with("etag", etag).with("last-modified", http_date(now)))
}

pub(super) fn properties(world: &World, ask: &Ask<'_>) -> Result<Response, Response> {
    ask.who.control(world, ask, "read")?;
    let container = ask.container(world)?;
    conditions::check(ask, Some((&container.etag, container.modified)))?;
    let mut response = Response::empty(200)
        .with("etag", container.etag.as_str())
        .with("last-modified", http_date(container.modified))
        .with("x-ms-lease-status", "unlocked")
        .with("x-ms-lease-state", "available")
        .with("x-ms-has-immutability-policy", "false")
        .with("x-ms-has-legal-hold", "false")
        .with("x-ms-immutable-storage-with-versioning-enabled", "false")
        .with("x-ms-default-encryption-scope", "$account-encryption-key")
        .with("x-ms-deny-encryption-scope-override", "false");
    if let Some(public) = &container.public {
        response = response.with("x-ms-blob-public-access", public.as_str());
    }
    for (name, value) in &container.metadata {
        response = response.with(&format!("x-ms-meta-{name}"), value.as_str());
    }
    Ok(response)
}

pub(super) fn set_metadata(world: &mut World, ask: &Ask<'_>) -> Result<Response, Response> {
    ask.who.control(world, ask, "write")?;
    let metadata = ask.metadata()?;
    let there = ask.container(world)?;
    conditions::check(ask, Some((&there.etag, there.modified)))?;
    let now = world.now;
    let (container, etag) = ask.change(world)?;
    container.metadata = metadata;
    container.etag.clone_from(&etag);
    container.modified = now;
    Ok(Response::empty(200).with("etag", etag).with("last-modified", http_date(now)))
}

pub(super) fn delete(world: &mut World, ask: &Ask<'_>) -> Result<Response, Response> {
    ask.who.control(world, ask, "delete")?;
    let there = ask.container(world)?;
    conditions::check(ask, Some((&there.etag, there.modified)))?;
    ask.account_mut(world).containers.remove(&ask.container);
    Ok(Response::empty(202))
}
