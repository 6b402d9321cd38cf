//! Operations on containers.

use jiff::SignedDuration;

use super::lease::What;
use super::refusal::{bad_xml, invalid_header, missing_header, refuse};
use super::sas::{self, Policy};
use super::{
    Ask, Container, DeletedContainer, Event, Right, conditions, encryption, http_date, service, settings, xml,
};
use crate::world::{Body, Event as Due, Response, World};

/// How long the name of a deleted container stays in use, in seconds; Azure says at least so long.
const DELETING: f64 = 30.0;
/// Stored access policies of a container.
const POLICIES_MAX: usize = 5;

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

/// What a request makes public, as far as the account lets it.
fn public(world: &World, ask: &Ask<'_>) -> Result<Option<String>, Response> {
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
    Ok(public)
}

pub(super) fn create(world: &mut World, ask: &Ask<'_>) -> Result<Response, Response> {
    ask.may(world, Right::CreateContainer)?;
    let metadata = ask.metadata()?;
    let public = public(world, ask)?;
    let encryption_scope = ask.header("x-ms-default-encryption-scope").map(str::to_owned);
    if let Some(scope) = encryption_scope.as_deref().filter(|scope| *scope != super::ACCOUNT_SCOPE) {
        encryption::check_scope(world, ask, scope)?;
    }
    let deny_scope_override =
        ask.header("x-ms-deny-encryption-scope-override").is_some_and(|it| it.eq_ignore_ascii_case("true"));
    let now = world.now;
    let account = ask.account_mut(world);
    if account.containers.contains_key(&ask.container) {
        return Err(refuse(409, "ContainerAlreadyExists", "The specified container already exists."));
    }
    if account.deleting.get(&ask.container).is_some_and(|until| *until > now) {
        return Err(refuse(
            409,
            "ContainerBeingDeleted",
            "The specified container is being deleted. Try operation later.",
        ));
    }
    account.deleting.remove(&ask.container);
    let etag = account.etag();
    let empty = Container::new(etag.clone(), now);
    let container = Container { metadata, public, encryption_scope, deny_scope_override, ..empty };
    account.containers.insert(ask.container.clone(), container);
    Ok(Response::empty(201).with("etag", etag).with("last-modified", http_date(now)))
}

pub(super) fn properties(world: &World, ask: &Ask<'_>) -> Result<Response, Response> {
    ask.may(world, Right::ReadContainer)?;
    let container = ask.container(world)?;
    conditions::check(ask, Some((&container.etag, container.modified)))?;
    container.lease.guard(world.now, ask.header("x-ms-lease-id"), What::Container, false)?;
    let mut response = Response::empty(200)
        .with("etag", container.etag.as_str())
        .with("last-modified", http_date(container.modified))
        .with("x-ms-has-immutability-policy", container.keeping.has_policy().to_string())
        .with("x-ms-has-legal-hold", container.keeping.has_hold().to_string())
        .with("x-ms-immutable-storage-with-versioning-enabled", container.keeping.versions.to_string())
        .with(
            "x-ms-default-encryption-scope",
            container.encryption_scope.as_deref().unwrap_or(super::ACCOUNT_SCOPE),
        )
        .with("x-ms-deny-encryption-scope-override", container.deny_scope_override.to_string());
    response = container.lease.describe(response, world.now);
    if let Some(public) = &container.public {
        response = response.with("x-ms-blob-public-access", public.as_str());
    }
    for (name, value) in &container.metadata {
        response = response.with(&format!("x-ms-meta-{name}"), value.as_str());
    }
    Ok(response)
}

pub(super) fn set_metadata(world: &mut World, ask: &Ask<'_>) -> Result<Response, Response> {
    ask.may(world, Right::WriteContainer)?;
    let metadata = ask.metadata()?;
    let there = ask.container(world)?;
    conditions::check(ask, Some((&there.etag, there.modified)))?;
    there.lease.guard(world.now, ask.header("x-ms-lease-id"), What::Container, false)?;
    let now = world.now;
    let (container, etag) = ask.change(world)?;
    container.metadata = metadata;
    container.etag.clone_from(&etag);
    container.modified = now;
    Ok(Response::empty(200).with("etag", etag).with("last-modified", http_date(now)))
}

pub(super) fn delete(world: &mut World, ask: &Ask<'_>) -> Result<Response, Response> {
    ask.may(world, Right::DeleteContainer)?;
    let there = ask.container(world)?;
    conditions::check(ask, Some((&there.etag, there.modified)))?;
    there.lease.guard(world.now, ask.header("x-ms-lease-id"), What::Container, true)?;
    if let Some((code, message)) = there.keeping.holds_container() {
        return Err(refuse(409, code, message));
    }
    remove(world, ask.account, &ask.container);
    Ok(Response::empty(202))
}

/// A container goes: for good, or until its retention is over.
pub(super) fn remove(world: &mut World, account: &str, name: &str) {
    let days = settings(world, account).container_days;
    let now = world.now;
    let deleting = now.saturating_add(world.config.scaled(DELETING)).unwrap_or(now);
    let version = world.chance.word("deleted container", 16).to_ascii_uppercase();
    let Some(own) = world.blobs.accounts.get_mut(account) else { return };
    let Some(mut container) = own.containers.remove(name) else { return };
    let Some(days) = days else {
        own.deleting.insert(name.to_owned(), deleting);
        return;
    };
    let kept = SignedDuration::from_hours(24 * days);
    let until = now.saturating_add(kept).unwrap_or(now);
    container.lease = super::Lease::default();
    own.deleted.push(DeletedContainer { name: name.to_owned(), version, at: now, until, container });
    world.later(kept, Due::Blob(Event::Due { account: account.to_owned() }));
}

/// `Restore Container`.
pub(super) fn undelete(world: &mut World, ask: &Ask<'_>) -> Result<Response, Response> {
    ask.may(world, Right::WriteContainer)?;
    let need = |name: &str| ask.header(name).map(str::to_owned).ok_or_else(|| missing_header(name));
    let (name, version) = (need("x-ms-deleted-container-name")?, need("x-ms-deleted-container-version")?);
    let account = ask.account_mut(world);
    if account.containers.contains_key(&ask.container) {
        return Err(refuse(409, "ContainerAlreadyExists", "The specified container already exists."));
    }
    let at = account.deleted.iter().position(|deleted| deleted.name == name && deleted.version == version);
    let at = at.ok_or_else(super::container_not_found)?;
    let deleted = account.deleted.remove(at);
    account.containers.insert(ask.container.clone(), deleted.container);
    Ok(Response::empty(201))
}

/// `Get Container ACL`.
pub(super) fn get_acl(world: &World, ask: &Ask<'_>) -> Result<Response, Response> {
    ask.may(world, Right::ReadAcl)?;
    let container = ask.container(world)?;
    container.lease.guard(world.now, ask.header("x-ms-lease-id"), What::Container, false)?;
    let identifier = |policy: &Policy| {
        let part = |name: &str, value: &Option<String>| {
            value.as_deref().map(|value| xml::element(name, value)).unwrap_or_default()
        };
        let parts = [
            part("Start", &policy.start),
            part("Expiry", &policy.expiry),
            part("Permission", &policy.permission),
        ]
        .concat();
        // A policy that says nothing yet is told by its name alone.
        let told = if parts.is_empty() { parts } else { format!("<AccessPolicy>{parts}</AccessPolicy>") };
        format!("<SignedIdentifier>{}{told}</SignedIdentifier>", xml::element("Id", &policy.id))
    };
    let all: String = container.policies.iter().map(identifier).collect();
    let response = xml::response(200, &format!("<SignedIdentifiers>{all}</SignedIdentifiers>"))
        .with("etag", container.etag.as_str())
        .with("last-modified", http_date(container.modified));
    Ok(match &container.public {
        Some(public) => response.with("x-ms-blob-public-access", public.as_str()),
        None => response,
    })
}

/// `Set Container ACL`: public access and stored policies, both at once.
pub(super) fn set_acl(world: &mut World, ask: &Ask<'_>) -> Result<Response, Response> {
    ask.may(world, Right::WriteAcl)?;
    let public = public(world, ask)?;
    let mut policies = Vec::new();
    if !matches!(ask.request.body, Body::Empty) {
        let sent = service::document(ask)?;
        for identifier in &sent.children {
            let Some(id) = identifier.text_of("Id").filter(|id| !id.is_empty() && id.len() <= 64) else {
                return Err(bad_xml());
            };
            let policy = identifier.child("AccessPolicy");
            let part = |name: &str| {
                policy.and_then(|it| it.text_of(name)).filter(|it| !it.is_empty()).map(str::to_owned)
            };
            let (start, expiry) = (part("Start"), part("Expiry"));
            if [&start, &expiry].into_iter().flatten().any(|at| sas::time(at).is_none()) {
                return Err(refuse(
                    400,
                    "InvalidXmlNodeValue",
                    "The value for one of the XML nodes is not in the correct format.",
                ));
            }
            policies.push(Policy { id: id.to_owned(), start, expiry, permission: part("Permission") });
        }
        if policies.len() > POLICIES_MAX {
            return Err(bad_xml());
        }
    }
    let there = ask.container(world)?;
    conditions::check(ask, Some((&there.etag, there.modified)))?;
    there.lease.guard(world.now, ask.header("x-ms-lease-id"), What::Container, false)?;
    let now = world.now;
    let (container, etag) = ask.change(world)?;
    container.public = public;
    container.policies = policies;
    container.etag.clone_from(&etag);
    container.modified = now;
    Ok(Response::empty(200).with("etag", etag).with("last-modified", http_date(now)))
}
