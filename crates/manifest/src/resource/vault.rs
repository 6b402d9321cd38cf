//! Key Vaults.

use serde::{Deserialize, Serialize};

use super::{Kind, nothing};
use crate::fields::{Default, Field, Type};
use crate::service::Access;
use crate::units::Days;

/// A Key Vault.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
pub struct Vault {
    /// `standard`, or `premium` with keys in hardware.
    pub sku: VaultSku,
    /// Nobody can purge what was deleted before its time is over. Cannot be turned off again.
    pub purge_protection: bool,
    /// How long deleted things can be recovered: 7 to 90 days.
    pub soft_delete: Days,
}

/// A Key Vault's SKU.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum VaultSku {
    /// Keys in software.
    Standard,
    /// Keys in hardware security modules.
    Premium,
}

/// What is true of all of them.
pub(crate) const KIND: Kind = Kind {
    name: "vault",
    doc: "a Key Vault for secrets",
    attributes: &[
        ("name", "its name in Azure"),
        ("id", "its resource id"),
        ("region", "where it is"),
        ("uri", "where its secrets are reached, such as `https://kv-hello.vault.azure.net/`"),
    ],
    access: &[(Access::Read, "read the values of secrets (Key Vault Secrets User)")],
    fields: FIELDS,
    check: nothing,
};

const FIELDS: &[Field] = &[
    Field {
        path: "resource.*.sku",
        of: &["vault"],
        kind: Type::Choice(&[
            ("standard", "keys in software"),
            ("premium", "keys in hardware security modules"),
        ]),
        doc: "The vault's SKU.",
        default: Default::Same("\"standard\"", "secrets do not need hardware"),
        azure: &["properties.sku.name"],
        example: "\"standard\"",
    },
    Field {
        path: "resource.*.purge_protection",
        of: &["vault"],
        kind: Type::Boolean,
        doc: "Nobody, not even its owner, can purge what was deleted before its time is over. Once on, it stays on.",
        default: Default::Tiers(
            ["false", "false", "true"],
            "production keeps what was deleted; elsewhere a name should be free again at once",
        ),
        azure: &["properties.enablePurgeProtection"],
        example: "true",
    },
    Field {
        path: "resource.*.soft_delete",
        of: &["vault"],
        kind: Type::Days { min: 7, max: 90 },
        doc: "How long deleted secrets, and the deleted vault itself, can be recovered. Fixed once the vault exists.",
        default: Default::Tiers(
            ["\"7d\"", "\"7d\"", "\"90d\""],
            "the shortest that Azure has, and the longest",
        ),
        azure: &["properties.softDeleteRetentionInDays"],
        example: "\"90d\"",
    },
];
