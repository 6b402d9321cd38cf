//! Azure AI Speech accounts.

use landfall_manifest::{Access, ResourceKind, SpeechSku};

use crate::address::Address;
use crate::name;
use crate::role;
use crate::services::cognitive::{self, Account};
use crate::services::{Draft, Offer, PrivateLink};

/// What others ask of an account.
pub(super) const OFFER: Offer = Offer {
    address,
    attribute: |_, name, attribute| match attribute {
        "endpoint" => Some(cognitive::endpoint(&address(name))),
        _ => None,
    },
    connection: |draft, name| {
        let region = draft.resource_region(name).into();
        vec![("ENDPOINT", cognitive::endpoint(&address(name))), ("REGION", region)]
    },
    user: None,
    roles: |_, access| match access {
        Access::Call => vec![&role::SPEECH_USER],
        _ => Vec::new(),
    },
    grant: None,
    private: &[PrivateLink {
        group: "account",
        zone: "privatelink.cognitiveservices.azure.com",
        has: |_| true,
    }],
};

/// The address of an account, by its name in the manifest.
pub fn address(name: &str) -> Address {
    Address::new("speech", name)
}

pub(super) fn add(draft: &mut Draft<'_>) {
    for (name, resource) in &draft.app.resources {
        if let ResourceKind::Speech(wanted) = &resource.kind {
            let sku = match wanted.sku {
                SpeechSku::Free => "F0",
                SpeechSku::Standard => "S0",
            };
            let region = draft.place(wanted.region.as_deref());
            let account = Account {
                name,
                address: address(name),
                rule: &name::SPEECH,
                kind: "SpeechServices",
                sku,
                region,
            };
            let account = cognitive::account(draft, &account);
            draft.push(account);
        }
    }
}
