//! Azure OpenAI accounts with their deployments.

use landfall_manifest::{Access, OpenAi, ResourceKind};

use crate::address::Address;
use crate::body::object;
use crate::resource::Resource;
use crate::role;
use crate::services::cognitive::{self, API_VERSION, Account};
use crate::services::{Draft, Offer, PrivateLink, child};
use crate::{codes, name};

/// The ARM type of a deployment.
pub const DEPLOYMENT: &str = "Microsoft.CognitiveServices/accounts/deployments";

/// What others ask of an account.
pub(super) const OFFER: Offer = Offer {
    address,
    attribute: |_, name, attribute| match attribute {
        "endpoint" => Some(cognitive::endpoint(&address(name))),
        _ => None,
    },
    connection: |draft, name| {
        let mut variables = vec![("ENDPOINT", cognitive::endpoint(&address(name)))];
        let deployments: Vec<&String> = match draft.app.resources.get(name).map(|resource| &resource.kind) {
            Some(ResourceKind::OpenAi(account)) => account.deployments.keys().collect(),
            _ => Vec::new(),
        };
        if let [only] = deployments[..] {
            variables.push(("DEPLOYMENT", only.as_str().into()));
        }
        variables
    },
    user: None,
    roles: |_, access| match access {
        Access::Call => vec![&role::OPENAI_USER],
        _ => Vec::new(),
    },
    grant: None,
    private: &[PrivateLink { group: "account", zone: "privatelink.openai.azure.com", has: |_| true }],
};

/// Regions of the public cloud that have Azure OpenAI.
const REGIONS: &[&str] = &[
    "australiaeast",
    "brazilsouth",
    "canadacentral",
    "canadaeast",
    "centralus",
    "eastus",
    "eastus2",
    "francecentral",
    "germanywestcentral",
    "italynorth",
    "japaneast",
    "koreacentral",
    "northcentralus",
    "norwayeast",
    "polandcentral",
    "southafricanorth",
    "southcentralus",
    "southeastasia",
    "southindia",
    "spaincentral",
    "swedencentral",
    "switzerlandnorth",
    "switzerlandwest",
    "uaenorth",
    "uksouth",
    "westeurope",
    "westus",
    "westus3",
];

/// The address of an account, by its name in the manifest.
pub fn address(name: &str) -> Address {
    Address::new("openai", name)
}

pub(super) fn add(draft: &mut Draft<'_>) {
    for (name, resource) in &draft.app.resources {
        if let ResourceKind::OpenAi(account) = &resource.kind {
            push(draft, name, account);
        }
    }
}

fn push(draft: &mut Draft<'_>, name: &str, wanted: &OpenAi) {
    let region = draft.place(wanted.region.as_deref());
    if !REGIONS.contains(&region.name) {
        let at = if wanted.region.is_some() { ".region" } else { "" };
        draft.problem(
            codes::REGION_LACKS,
            format!("resource.{name}{at}"),
            format!("Azure OpenAI is not in `{}`", region.name),
            Some("set the resource's `region`, such as `region = \"swedencentral\"`".to_owned()),
        );
    }
    let account = cognitive::account(
        draft,
        &Account { name, address: address(name), rule: &name::OPENAI, kind: "OpenAI", sku: "S0", region },
    );
    // The account takes one change of its deployments at a time.
    let mut before: Option<Address> = None;
    let mut deployments = Vec::new();
    for (deployment, wanted) in &wanted.deployments {
        let mut made = Resource {
            from: format!("resource.{name}.deployments.{deployment}"),
            ..child(
                &account,
                Address::new("openaiDeployment", &format!("{name}.{deployment}")),
                DEPLOYMENT,
                API_VERSION,
                deployment,
                object([
                    (
                        "model",
                        object([
                            ("format", "OpenAI".into()),
                            ("name", wanted.model.as_str().into()),
                            ("version", wanted.version().into()),
                        ]),
                    ),
                    ("versionUpgradeOption", wanted.upgrade.azure().into()),
                    // Azure's own content filter; another one is the user's to make.
                    ("raiPolicyName", "Microsoft.DefaultV2".into()),
                ]),
            )
        };
        let sku = object([("name", wanted.sku.azure().into()), ("capacity", wanted.capacity.into())]);
        crate::services::set(&mut made, "sku", sku);
        made.after.extend(before.replace(made.address.clone()));
        deployments.push(made);
    }
    draft.push(account);
    deployments.into_iter().for_each(|deployment| draft.push(deployment));
}
