//! What the accounts of Azure AI services have in common.

use crate::address::Address;
use crate::body::{Body, object};
use crate::expression::Expression;
use crate::name::Rule;
use crate::region::Region;
use crate::resource::Resource;
use crate::services::{Draft, set};

/// The ARM type of an account.
pub const TYPE: &str = "Microsoft.CognitiveServices/accounts";
/// The version of accounts and of what lies in them.
pub(super) const API_VERSION: &str = "2026-07-01";

/// An account that is wanted.
pub(super) struct Account<'a> {
    /// Its name in the manifest.
    pub name: &'a str,
    /// Its address.
    pub address: Address,
    /// The rule of its name.
    pub rule: &'a Rule,
    /// Azure's word for what it does.
    pub kind: &'static str,
    /// Azure's word for its size.
    pub sku: &'static str,
    /// Where it is.
    pub region: &'static Region,
}

/// Where an account is asked.
pub(super) fn endpoint(account: &Address) -> Body {
    Expression::property(account, "properties.endpoint").into()
}

/// An account that identities alone can ask.
pub(super) fn account(draft: &mut Draft<'_>, wanted: &Account<'_>) -> Resource {
    let name = draft.resource_name(wanted.rule, wanted.name);
    let mut account = draft.in_group(
        wanted.address.clone(),
        TYPE,
        API_VERSION,
        name.clone(),
        draft.resource_path(wanted.name),
    );
    account.location = Some(wanted.region.name.to_owned());
    set(&mut account, "location", wanted.region.name.into());
    set(&mut account, "kind", wanted.kind.into());
    set(&mut account, "sku", object([("name", wanted.sku.into())]));
    let properties = object([
        // Tokens are taken only under a name of its own, and so are private endpoints.
        ("customSubDomainName", name.into()),
        // Every service has an identity; a key would outlive the service that was given it.
        ("disableLocalAuth", true.into()),
        ("publicNetworkAccess", draft.public_access()),
    ]);
    set(&mut account, "properties", properties);
    draft.overlay(&mut account, wanted.name);
    account
}
