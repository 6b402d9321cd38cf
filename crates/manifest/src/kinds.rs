//! The types of resources: what can be asked of each, and what each allows.

use crate::app::Access;

/// What is true of every resource of one type.
#[derive(Debug)]
pub struct Kind {
    /// The word after `type =`.
    pub name: &'static str,
    /// What it is, in a few words.
    pub doc: &'static str,
    /// What `${resource.NAME.…}` can ask, and what that is.
    pub attributes: &'static [(&'static str, &'static str)],
    /// What `uses` can allow, and what that means.
    pub access: &'static [(Access, &'static str)],
}

/// The types this version carries.
pub const KINDS: &[Kind] = &[
    Kind {
        name: "vault",
        doc: "a Key Vault for secrets",
        attributes: &[
            ("name", "its name in Azure"),
            ("id", "its resource id"),
            ("region", "where it is"),
            ("uri", "where its secrets are reached, such as `https://kv-hello.vault.azure.net/`"),
        ],
        access: &[(Access::Read, "read the values of secrets (Key Vault Secrets User)")],
    },
    Kind {
        name: "registry",
        doc: "a container registry",
        attributes: &[
            ("name", "its name in Azure"),
            ("id", "its resource id"),
            ("region", "where it is"),
            ("server", "its login server, such as `crhello.azurecr.io`"),
        ],
        access: &[(Access::Pull, "pull images (AcrPull)"), (Access::Push, "pull and push images (AcrPush)")],
    },
    Kind {
        name: "storage",
        doc: "a storage account with blob containers",
        attributes: &[
            ("name", "its name in Azure"),
            ("id", "its resource id"),
            ("region", "where it is"),
            ("endpoint", "where its blobs are reached, such as `https://sthello.blob.core.windows.net/`"),
        ],
        access: &[
            (Access::Read, "read blobs (Storage Blob Data Reader)"),
            (Access::Write, "read, write and delete blobs (Storage Blob Data Contributor)"),
        ],
    },
];

/// Types that the manifest will have and this version does not.
pub const LATER: &[&str] =
    &["postgres", "redis", "service-bus", "cosmos", "openai", "speech", "communication", "search"];

/// The type of that name.
pub fn of(name: &str) -> Option<&'static Kind> {
    KINDS.iter().find(|kind| kind.name == name)
}
