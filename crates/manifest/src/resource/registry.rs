//! Container registries.

use serde::{Deserialize, Serialize};

use super::{Kind, nothing};
use crate::fields::{Choices, Default, Field, Type};
use crate::service::Access;

/// A container registry.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
pub struct Registry {
    /// Its size and abilities.
    pub sku: RegistrySku,
}

/// A container registry's SKU.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum RegistrySku {
    /// 10 GiB included.
    Basic,
    /// 100 GiB included.
    Standard,
    /// 500 GiB included, private endpoints, replication.
    Premium,
}

/// What is true of all of them.
pub(crate) const KIND: Kind = Kind {
    name: "registry",
    doc: "a container registry",
    attributes: &[
        ("name", "its name in Azure"),
        ("id", "its resource id"),
        ("region", "where it is"),
        ("server", "its login server, such as `crhello.azurecr.io`"),
    ],
    access: &[(Access::Pull, "pull images (AcrPull)"), (Access::Push, "pull and push images (AcrPush)")],
    fields: FIELDS,
    check: nothing,
};

const FIELDS: &[Field] = &[Field {
    path: "resource.*.sku",
    of: &["registry"],
    kind: Type::Choice(Choices {
        words: &[
            ("basic", "10 GiB included"),
            ("standard", "100 GiB included"),
            ("premium", "500 GiB included, private endpoints, replication"),
        ],
        later: &[],
    }),
    doc: "The registry's SKU.",
    default: Default::Tiers(
        ["\"basic\"", "\"basic\"", "\"standard\""],
        "the cheapest holds the images of a small application; production pulls in parallel",
    ),
    azure: &["sku.name"],
    example: "\"basic\"",
}];
