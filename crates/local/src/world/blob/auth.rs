//! Who asks a storage account: by Entra token, account key, signature in the address, or nobody in particular.

use std::net::Ipv4Addr;

use super::refusal::refuse;
use super::rights::failed;
use super::sas::{self, Grant};
use super::{Ask, shared_key};
use crate::world::entra::{self, Unfit};
use crate::world::{Method, Response, World};

/// Whoever asks is on this machine.
pub(super) const PEER: Ipv4Addr = Ipv4Addr::LOCALHOST;

/// Who asks.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Who {
    /// A principal of the tenant, by object id.
    Principal(String),
    /// Somebody who has a key of the account.
    Key,
    /// Somebody with a shared access signature.
    Sas(Grant),
    /// Somebody without credentials: only what is public.
    Anybody,
}

/// Who a request comes from.
pub(super) fn who(world: &World, ask: &Ask<'_>) -> Result<Who, Response> {
    let (account, request) = (ask.account, ask.request);
    let Some(header) = request.header("authorization") else {
        if request.query("sig").is_some() {
            return sas::open(world, ask).map(Who::Sas);
        }
        return Ok(Who::Anybody);
    };
    let Some(token) = entra::bearer_of(header) else {
        if header.get(..9).is_some_and(|scheme| scheme.eq_ignore_ascii_case("sharedkey")) {
            shared_key::check(world, ask, header)?;
            return Ok(Who::Key);
        }
        return Err(challenged(
            world,
            "InvalidAuthenticationInfo",
            "Authentication information is not given in the correct format. Check the value of Authorization header.",
        ));
    };
    // Tokens are taken since version 2017-11-09 and need the version said.
    if request.header("x-ms-version").is_none_or(|version| version < "2017-11-09") {
        return Err(refuse(
            403,
            "AuthenticationFailed",
            "Server failed to authenticate the request. Make sure the value of Authorization header is formed correctly including the signature. Authentication scheme Bearer is not supported in this version.",
        ));
    }
    match entra::verify(world, token, &entra::storage_audiences(&world.config, account)) {
        Ok(claims) => Ok(Who::Principal(claims.oid)),
        Err(Unfit::Audience { .. }) => Err(challenged(
            world,
            "InvalidAuthenticationInfo",
            "Server failed to authenticate the request. Audience validation failed. Audience did not match.",
        )),
        Err(Unfit::Expired { .. }) => Err(challenged(
            world,
            "InvalidAuthenticationInfo",
            "Server failed to authenticate the request. Lifetime validation failed. The token is expired.",
        )),
        Err(Unfit::Tenant { .. }) => Err(challenged(
            world,
            "InvalidAuthenticationInfo",
            "Server failed to authenticate the request. Issuer validation failed. Issuer did not match.",
        )),
        Err(_) => Err(challenged(
            world,
            "InvalidAuthenticationInfo",
            "Server failed to authenticate the request. Signature validation failed. Signature key not found.",
        )),
    }
}

/// 401 with where tokens come from.
fn challenged(world: &World, code: &str, message: &str) -> Response {
    let challenge = format!(
        "Bearer authorization_uri={}/{}/oauth2/authorize resource_id=https://storage.azure.com",
        world.config.origin(),
        world.config.tenant
    );
    refuse(401, code, message).with("www-authenticate", challenge)
}

/// Refuses when the account does not let keys be used.
pub(super) fn keys_allowed(world: &World, ask: &Ask<'_>) -> Result<(), Response> {
    let account = super::resource(world, ask.account);
    if account.is_some_and(|account| account.properties()["allowSharedKeyAccess"] == false) {
        return Err(refuse(
            403,
            "KeyBasedAuthenticationNotPermitted",
            "Key based authentication is not permitted on this storage account.",
        ));
    }
    Ok(())
}

/// Refuses who comes from where the account lets nobody in.
pub(super) fn firewall(world: &World, ask: &Ask<'_>) -> Result<(), Response> {
    let Some(account) = super::resource(world, ask.account) else { return Ok(()) };
    let properties = account.properties();
    let shut = |name: &str| {
        properties[name].as_str().is_some_and(|access| {
            access.eq_ignore_ascii_case("Disabled") || access.eq_ignore_ascii_case("SecuredByPerimeter")
        })
    };
    let rules = &properties["networkAcls"];
    let denies = rules["defaultAction"].as_str().is_some_and(|action| action.eq_ignore_ascii_case("Deny"));
    let listed = || {
        rules["ipRules"]
            .as_array()
            .into_iter()
            .flatten()
            .any(|rule| rule["value"].as_str().or(rule["iPAddressOrRange"].as_str()).is_some_and(covers))
    };
    if shut("publicNetworkAccess") || (denies && !listed()) { Err(failed()) } else { Ok(()) }
}

/// Whether an address, a range `a-b` or a network `a/n` has the client in it.
pub(super) fn covers(range: &str) -> bool {
    let number = |text: &str| text.trim().parse::<Ipv4Addr>().map(u32::from).ok();
    let peer = u32::from(PEER);
    if let Some((first, last)) = range.split_once('-') {
        return matches!((number(first), number(last)), (Some(a), Some(b)) if (a..=b).contains(&peer));
    }
    if let Some((network, bits)) = range.split_once('/') {
        let bits: Option<u32> = bits.trim().parse().ok().filter(|bits| *bits <= 32);
        return matches!((number(network), bits), (Some(network), Some(bits))
            if bits == 0 || (network ^ peer) >> (32 - bits) == 0);
    }
    number(range) == Some(peer)
}

pub(super) fn public(world: &World, ask: &Ask<'_>) -> bool {
    let allowed = super::resource(world, ask.account)
        .is_some_and(|account| account.properties()["allowBlobPublicAccess"] == true);
    let lists = ask.blob.is_empty();
    allowed
        && ask.container(world).is_ok_and(|container| match container.public.as_deref() {
            Some("container") => true,
            Some("blob") => !lists,
            _ => false,
        })
}

pub(super) fn nobody(world: &World, ask: &Ask<'_>) -> Response {
    let reads = matches!(ask.request.method, Method::Get | Method::Head);
    let allowed = super::resource(world, ask.account)
        .is_some_and(|account| account.properties()["allowBlobPublicAccess"] == true);
    if reads && !allowed && !ask.container.is_empty() && ask.header("x-ms-version").is_none() {
        return refuse(
            409,
            "PublicAccessNotPermitted",
            "Public access is not permitted on this storage account.",
        );
    }
    challenged(
        world,
        "NoAuthenticationInformation",
        "Server failed to authenticate the request. Please refer to the information in the www-authenticate header.",
    )
}
