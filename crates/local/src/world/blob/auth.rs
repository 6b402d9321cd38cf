//! Who asks a storage account, and what their roles let them do.

use super::Ask;
use super::refusal::refuse;
use crate::world::access::{Act, allows};
use crate::world::entra::{self, Unfit};
use crate::world::{Method, Request, Response, World};

/// Who asks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Who {
    /// A principal of the tenant, by object id.
    Principal(String),
    /// Somebody without credentials: only what is public.
    Anybody,
}

/// Who a request comes from.
pub(super) fn who(world: &World, account: &str, request: &Request) -> Result<Who, Response> {
    let Some(header) = request.header("authorization") else {
        if request.query("sig").is_some() {
            return Err(refuse(
                501,
                "NotImplemented",
                "Local Azure does not model shared access signatures: send an Entra token.",
            ));
        }
        return Ok(Who::Anybody);
    };
    let Some(token) = entra::bearer_of(header) else {
        if header.to_ascii_lowercase().starts_with("sharedkey") {
            return Err(refuse(
                501,
                "NotImplemented",
                "Local Azure does not model shared keys: send an Entra token.",
            ));
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

impl Who {
    /// Refuses unless roles have the action `…/blobServices/containers/<verb>`, on the container or, without one,
    /// the account.
    pub(super) fn control(&self, world: &World, ask: &Ask<'_>, verb: &str) -> Result<(), Response> {
        let action = format!("Microsoft.Storage/storageAccounts/blobServices/containers/{verb}");
        self.check(world, ask, Act::Control(&action))
    }

    /// Refuses unless roles have the data action `…/containers/blobs/<verb>`; what a container makes public may be
    /// read by anybody.
    pub(super) fn data(&self, world: &World, ask: &Ask<'_>, verb: &str) -> Result<(), Response> {
        if *self == Who::Anybody && verb == "read" && public(world, ask) {
            return Ok(());
        }
        let action = format!("Microsoft.Storage/storageAccounts/blobServices/containers/blobs/{verb}");
        self.check(world, ask, Act::Data(&action))
    }

    /// Writing what is not there needs `add/action` or `write`.
    pub(super) fn add(&self, world: &World, ask: &Ask<'_>) -> Result<(), Response> {
        self.data(world, ask, "write")
            .or_else(|refused| self.data(world, ask, "add/action").map_err(|_| refused))
    }

    fn check(&self, world: &World, ask: &Ask<'_>, act: Act<'_>) -> Result<(), Response> {
        let scope = match ask.container.as_str() {
            "" => ask.scope.clone(),
            container => format!("{}/blobServices/default/containers/{container}", ask.scope),
        };
        match self {
            Who::Principal(oid) if allows(world, oid, act, &scope) => Ok(()),
            Who::Principal(_) => Err(refuse(
                403,
                "AuthorizationPermissionMismatch",
                "This request is not authorized to perform this operation using this permission.",
            )),
            Who::Anybody => Err(nobody(world, ask)),
        }
    }
}

fn public(world: &World, ask: &Ask<'_>) -> bool {
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

fn nobody(world: &World, ask: &Ask<'_>) -> Response {
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
