//! Whose key a blob is encrypted with: Microsoft's, that of an encryption scope, or one that comes with each request
//! and is never kept.
//!
//! Sources: `azure/storage/blobs/encryption-customer-provided-keys`, `encryption-scope-overview`.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::refusal::{invalid_header, missing_header, refuse};
use super::{Ask, Container, resource};
use crate::world::{Response, World};

/// What content is encrypted with, beside the account's own key.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Encryption {
    /// Base64 SHA-256 of the client's key.
    key: Option<String>,
    /// The encryption scope's name.
    pub(super) scope: Option<String>,
}

/// What a write asks for, with the container's scope where the request names none.
pub(super) fn of_write(world: &World, ask: &Ask<'_>, container: &Container) -> Result<Encryption, Response> {
    let key = key(ask, "x-ms-encryption")?;
    let signed = ask.request.query("ses").filter(|scope| !scope.is_empty());
    let named = ask.header("x-ms-encryption-scope").or(signed).map(str::to_owned);
    if signed.is_some() && signed != named.as_deref() {
        // A signature for one scope is none for another.
        return Err(super::rights::failed());
    }
    if named.is_some() && key.is_some() {
        return Err(refuse(
            400,
            "InvalidInput",
            "A customer-provided key and an encryption scope cannot both be specified.",
        ));
    }
    let default = container.encryption_scope.clone();
    if container.deny_scope_override && named.is_some() && named != default {
        return Err(refuse(
            403,
            "RequestForbiddenByContainerEncryptionPolicy",
            "This request is forbidden by the container's encryption policy.",
        ));
    }
    let scope = named.or(default.filter(|_| key.is_none()));
    if let Some(scope) = &scope {
        check_scope(world, ask, scope)?;
    }
    Ok(Encryption { key, scope })
}

/// Refuses an encryption scope that is not there, or is disabled.
pub(super) fn check_scope(world: &World, ask: &Ask<'_>, name: &str) -> Result<(), Response> {
    let scope = resource(world, ask.account)
        .and_then(|account| world.arm.find(&account.id.child("encryptionScopes", name).key()));
    match scope {
        Some(scope) if scope.properties()["state"] == "Disabled" => {
            Err(refuse(409, "EncryptionScopeDisabled", "The specified encryption scope is disabled."))
        }
        Some(_) => Ok(()),
        None => Err(refuse(404, "EncryptionScopeNotFound", "The specified encryption scope does not exist.")),
    }
}

/// The SHA-256 of the key that comes in a request's headers, which say its hash and its algorithm too.
fn key(ask: &Ask<'_>, prefix: &str) -> Result<Option<String>, Response> {
    let [name, hash_name, algorithm] =
        ["key", "key-sha256", "algorithm"].map(|part| format!("{prefix}-{part}"));
    let Some(text) = ask.header(&name) else { return Ok(None) };
    // The key itself is told to nobody.
    let bytes = STANDARD.decode(text).ok().filter(|bytes| bytes.len() == 32);
    let bytes = bytes.ok_or_else(|| invalid_header(&name, "***"))?;
    let hash = STANDARD.encode(Sha256::digest(&bytes));
    for (name, expected) in [(&hash_name, hash.as_str()), (&algorithm, "AES256")] {
        match ask.header(name) {
            None => return Err(missing_header(name)),
            Some(said) if said != expected => return Err(invalid_header(name, said)),
            Some(_) => {}
        }
    }
    Ok(Some(hash))
}

impl Encryption {
    /// Refuses a request that does not bring the key that the content has.
    pub(super) fn check(&self, ask: &Ask<'_>) -> Result<(), Response> {
        self.against(key(ask, "x-ms-encryption")?)
    }

    /// Refuses a change that does not name the key and the scope that the content has.
    pub(super) fn check_change(
        &self,
        world: &World,
        ask: &Ask<'_>,
        container: &Container,
    ) -> Result<(), Response> {
        let sent = of_write(world, ask, container)?;
        if self.scope.is_some() && sent.scope.is_none() {
            return Err(refuse(
                409,
                "BlobUsesCustomerSpecifiedEncryption",
                "The blob is encrypted with customer specified encryption, but it was not provided in the request.",
            ));
        }
        self.check_same(&sent)
    }

    /// The same for the source of a copy.
    pub(super) fn check_source(&self, ask: &Ask<'_>) -> Result<(), Response> {
        self.against(key(ask, "x-ms-source-encryption")?)
    }

    /// Refuses content of one key among content of another.
    pub(super) fn check_same(&self, other: &Encryption) -> Result<(), Response> {
        if self.scope != other.scope {
            return Err(refuse(
                409,
                "BlobCustomerSpecifiedEncryptionMismatch",
                "The given customer specified encryption does not match the encryption used to encrypt the blob.",
            ));
        }
        self.against(other.key.clone())
    }

    fn against(&self, given: Option<String>) -> Result<(), Response> {
        let (code, message) = match (&self.key, &given) {
            (Some(_), None) => (
                "BlobUsesCustomerSpecifiedEncryption",
                "The blob is encrypted with customer specified encryption, but it was not provided in the request.",
            ),
            (None, Some(_)) => (
                "BlobDoesNotUseCustomerSpecifiedEncryption",
                "Blob is not encrypted with the given customer specified encryption.",
            ),
            (Some(key), Some(given)) if key != given => (
                "BlobCustomerSpecifiedEncryptionMismatch",
                "The given customer specified encryption does not match the encryption used to encrypt the blob.",
            ),
            _ => return Ok(()),
        };
        Err(refuse(409, code, message))
    }

    /// Headers that tell of it.
    pub(super) fn describe(&self, mut response: Response) -> Response {
        if let Some(key) = &self.key {
            response = response.with("x-ms-encryption-key-sha256", key.as_str());
        }
        match &self.scope {
            Some(scope) => response.with("x-ms-encryption-scope", scope.as_str()),
            None => response,
        }
    }

    /// Elements that tell of it.
    pub(super) fn elements(&self) -> String {
        let element = |name: &str, value: &Option<String>| {
            value.as_deref().map(|value| super::xml::element(name, value)).unwrap_or_default()
        };
        element("CustomerProvidedKeySha256", &self.key) + &element("EncryptionScope", &self.scope)
    }
}
