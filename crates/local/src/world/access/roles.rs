//! Azure's built-in roles: their GUIDs and what they allow, as the public reference lists them
//! (learn.microsoft.com/azure/role-based-access-control/built-in-roles). Those that deployments of the modelled
//! services use; others do not exist here.

use super::Act;

/// A built-in role.
#[derive(Debug)]
pub struct Role {
    /// GUID.
    pub id: &'static str,
    /// Display name.
    pub name: &'static str,
    /// Actions.
    pub actions: &'static [&'static str],
    /// Taken from the actions.
    pub not_actions: &'static [&'static str],
    /// Data actions.
    pub data: &'static [&'static str],
    /// Taken from the data actions.
    pub not_data: &'static [&'static str],
}

/// `Owner`.
pub const OWNER: &str = "8e3af657-a8ff-443c-a75c-2fe8c4bcb635";

/// A role by GUID, without case.
pub fn find(id: &str) -> Option<&'static Role> {
    ROLES.iter().find(|role| role.id.eq_ignore_ascii_case(id))
}

impl Role {
    /// Whether it allows something.
    pub fn allows(&self, act: Act<'_>) -> bool {
        let (wanted, granted, taken) = match act {
            Act::Control(action) => (action, self.actions, self.not_actions),
            Act::Data(action) => (action, self.data, self.not_data),
        };
        granted.iter().any(|pattern| fits(pattern, wanted))
            && !taken.iter().any(|pattern| fits(pattern, wanted))
    }
}

/// Whether a pattern with `*` for any run of signs fits an action, without case.
pub(in crate::world) fn fits(pattern: &str, action: &str) -> bool {
    let (pattern, action) = (pattern.to_ascii_lowercase(), action.to_ascii_lowercase());
    let mut pieces = pattern.split('*');
    let first = pieces.next().unwrap_or_default();
    let Some(mut rest) = action.strip_prefix(first) else { return false };
    let mut pieces: Vec<&str> = pieces.collect();
    let Some(last) = pieces.pop() else { return rest.is_empty() };
    for piece in pieces {
        let Some(at) = rest.find(piece) else { return false };
        rest = &rest[at + piece.len()..];
    }
    rest.ends_with(last)
}

const PULL: &str = "Microsoft.ContainerRegistry/registries/pull/read";
const PUSH: &str = "Microsoft.ContainerRegistry/registries/push/write";
const ALERTS: &str = "Microsoft.Insights/alertRules/*";
const AUTH_READ: &str = "Microsoft.Authorization/*/read";
const DEPLOY: &str = "Microsoft.Resources/deployments/*";
const GROUP_READ: &str = "Microsoft.Resources/subscriptions/resourceGroups/read";
const SUPPORT: &str = "Microsoft.Support/*";
const VAULT_PLACE: &[&str] = &[
    AUTH_READ,
    ALERTS,
    DEPLOY,
    GROUP_READ,
    SUPPORT,
    "Microsoft.KeyVault/checkNameAvailability/read",
    "Microsoft.KeyVault/deletedVaults/read",
    "Microsoft.KeyVault/locations/*/read",
    "Microsoft.KeyVault/vaults/*/read",
    "Microsoft.KeyVault/operations/read",
];

const fn role(
    id: &'static str,
    name: &'static str,
    actions: &'static [&'static str],
    data: &'static [&'static str],
) -> Role {
    Role { id, name, actions, not_actions: &[], data, not_data: &[] }
}

/// All of them.
pub static ROLES: &[Role] = &[
    role(OWNER, "Owner", &["*"], &[]),
    Role {
        not_actions: &[
            "Microsoft.Authorization/*/Delete",
            "Microsoft.Authorization/*/Write",
            "Microsoft.Authorization/elevateAccess/Action",
            "Microsoft.Blueprint/blueprintAssignments/write",
            "Microsoft.Blueprint/blueprintAssignments/delete",
            "Microsoft.Compute/galleries/share/action",
            "Microsoft.Purview/consents/write",
            "Microsoft.Purview/consents/delete",
            "Microsoft.Resources/deploymentStacks/manageDenySetting/action",
        ],
        ..role("b24988ac-6180-42a0-ab88-20f7382dd24c", "Contributor", &["*"], &[])
    },
    role("acdd72a7-3385-48ef-bd42-f606fba81ae7", "Reader", &["*/read"], &[]),
    role(
        "18d7d88d-d35e-4fb5-a5c3-7773c20a72d9",
        "User Access Administrator",
        &["*/read", "Microsoft.Authorization/*", SUPPORT],
        &[],
    ),
    role(
        "f58310d9-a9f6-439a-9e8d-f62e7b41a168",
        "Role Based Access Control Administrator",
        &[
            "Microsoft.Authorization/roleAssignments/write",
            "Microsoft.Authorization/roleAssignments/delete",
            "*/read",
            SUPPORT,
        ],
        &[],
    ),
    role(
        "4a9ae827-6dc8-4573-8ac7-8239d42aa03f",
        "Tag Contributor",
        &[
            AUTH_READ,
            "Microsoft.Resources/tags/*",
            "Microsoft.Resources/subscriptions/resourceGroups/resources/read",
            "Microsoft.Resources/subscriptions/resources/read",
            ALERTS,
            DEPLOY,
            GROUP_READ,
            SUPPORT,
        ],
        &[],
    ),
    role(
        "28bf596f-4eb7-45ce-b5bc-6cf482fec137",
        "Locks Contributor",
        &[
            "Microsoft.Authorization/locks/read",
            "Microsoft.Authorization/locks/write",
            "Microsoft.Authorization/locks/delete",
        ],
        &[],
    ),
    role(
        "f1a07417-d97a-45cb-824c-7a7467783830",
        "Managed Identity Operator",
        &[
            "Microsoft.ManagedIdentity/userAssignedIdentities/*/read",
            "Microsoft.ManagedIdentity/userAssignedIdentities/*/assign/action",
            AUTH_READ,
            ALERTS,
            DEPLOY,
            GROUP_READ,
            SUPPORT,
        ],
        &[],
    ),
    role(
        "e40ec5ca-96e0-45a2-b4ff-59039f2c2b59",
        "Managed Identity Contributor",
        &[
            "Microsoft.ManagedIdentity/userAssignedIdentities/read",
            "Microsoft.ManagedIdentity/userAssignedIdentities/write",
            "Microsoft.ManagedIdentity/userAssignedIdentities/delete",
            "Microsoft.ManagedIdentity/userAssignedIdentities/federatedIdentityCredentials/*",
            AUTH_READ,
            ALERTS,
            DEPLOY,
            GROUP_READ,
            SUPPORT,
        ],
        &[],
    ),
    // registries
    role("7f951dda-4ed3-4680-a7ca-43fe172d538d", "AcrPull", &[PULL], &[]),
    role("8311e382-0749-4cb8-b61a-304f252e45ec", "AcrPush", &[PULL, PUSH], &[]),
    role(
        "c2f4ef07-c644-48eb-af81-4b1b4947fb11",
        "AcrDelete",
        &["Microsoft.ContainerRegistry/registries/artifacts/delete"],
        &[],
    ),
    role(
        "6cef56e8-d556-48e5-a04f-b8e64114680f",
        "AcrImageSigner",
        &["Microsoft.ContainerRegistry/registries/sign/write"],
        &["Microsoft.ContainerRegistry/registries/trustedCollections/write"],
    ),
    role(
        "3bc748fc-213d-45c1-8d91-9da5725539b9",
        "Container Registry Contributor and Data Access Configuration Administrator",
        &["Microsoft.ContainerRegistry/*", AUTH_READ, DEPLOY, GROUP_READ],
        &[],
    ),
    role(
        "b93aa761-3e63-49ed-ac28-beffa264f7ac",
        "Container Registry Repository Reader",
        &[],
        &[
            "Microsoft.ContainerRegistry/registries/repositories/metadata/read",
            "Microsoft.ContainerRegistry/registries/repositories/content/read",
        ],
    ),
    role(
        "2a1e307c-b015-4ebd-883e-5b7698a07328",
        "Container Registry Repository Writer",
        &[],
        &[
            "Microsoft.ContainerRegistry/registries/repositories/metadata/read",
            "Microsoft.ContainerRegistry/registries/repositories/content/read",
            "Microsoft.ContainerRegistry/registries/repositories/metadata/write",
            "Microsoft.ContainerRegistry/registries/repositories/content/write",
        ],
    ),
    role(
        "2efddaa5-3f1f-4df3-97df-af3f13818f4c",
        "Container Registry Repository Contributor",
        &[],
        &[
            "Microsoft.ContainerRegistry/registries/repositories/metadata/*",
            "Microsoft.ContainerRegistry/registries/repositories/content/*",
        ],
    ),
    role(
        "bfdb9389-c9a5-478a-bb2f-ba9ca092c3c7",
        "Container Registry Repository Catalog Lister",
        &[],
        &["Microsoft.ContainerRegistry/registries/catalog/read"],
    ),
    // vaults
    role(
        "00482a5a-887f-4fb3-b363-3b7fe8e74483",
        "Key Vault Administrator",
        VAULT_PLACE,
        &["Microsoft.KeyVault/vaults/*"],
    ),
    role(
        "21090545-7ca7-4776-b22c-e363652d74d2",
        "Key Vault Reader",
        VAULT_PLACE,
        &["Microsoft.KeyVault/vaults/*/read", "Microsoft.KeyVault/vaults/secrets/readMetadata/action"],
    ),
    role(
        "b86a8fe4-44ce-4948-aee5-eccb2c155cd7",
        "Key Vault Secrets Officer",
        VAULT_PLACE,
        &["Microsoft.KeyVault/vaults/secrets/*"],
    ),
    role(
        "4633458b-17de-408a-b874-0445c86b69e6",
        "Key Vault Secrets User",
        &[],
        &[
            "Microsoft.KeyVault/vaults/secrets/getSecret/action",
            "Microsoft.KeyVault/vaults/secrets/readMetadata/action",
        ],
    ),
    role(
        "a4417e6f-fecd-4de8-b567-7b0420556985",
        "Key Vault Certificates Officer",
        VAULT_PLACE,
        &[
            "Microsoft.KeyVault/vaults/certificatecas/*",
            "Microsoft.KeyVault/vaults/certificates/*",
            "Microsoft.KeyVault/vaults/certificatecontacts/write",
        ],
    ),
    role(
        "db79e9a7-68ee-4b58-9aeb-b90e7c24fcba",
        "Key Vault Certificate User",
        &[],
        &[
            "Microsoft.KeyVault/vaults/certificates/read",
            "Microsoft.KeyVault/vaults/secrets/getSecret/action",
            "Microsoft.KeyVault/vaults/secrets/readMetadata/action",
            "Microsoft.KeyVault/vaults/keys/read",
        ],
    ),
    role(
        "14b46e9e-c2b7-41b4-b07b-48a6ebf60603",
        "Key Vault Crypto Officer",
        VAULT_PLACE,
        &["Microsoft.KeyVault/vaults/keys/*", "Microsoft.KeyVault/vaults/keyrotationpolicies/*"],
    ),
    role(
        "12338af0-0e69-4776-bea7-57ae8d297424",
        "Key Vault Crypto User",
        &[],
        &[
            "Microsoft.KeyVault/vaults/keys/read",
            "Microsoft.KeyVault/vaults/keys/update/action",
            "Microsoft.KeyVault/vaults/keys/backup/action",
            "Microsoft.KeyVault/vaults/keys/encrypt/action",
            "Microsoft.KeyVault/vaults/keys/decrypt/action",
            "Microsoft.KeyVault/vaults/keys/wrap/action",
            "Microsoft.KeyVault/vaults/keys/unwrap/action",
            "Microsoft.KeyVault/vaults/keys/sign/action",
            "Microsoft.KeyVault/vaults/keys/verify/action",
        ],
    ),
    role(
        "a68e7c17-0ab2-4c09-9a58-125dae29748c",
        "Key Vault Purge Operator",
        &[
            "Microsoft.KeyVault/locations/deletedVaults/read",
            "Microsoft.KeyVault/locations/deletedVaults/purge/action",
            "Microsoft.KeyVault/locations/operationResults/read",
            "Microsoft.KeyVault/deletedVaults/read",
        ],
        &[],
    ),
    Role {
        not_actions: &[
            "Microsoft.KeyVault/locations/deletedVaults/purge/action",
            "Microsoft.KeyVault/hsmPools/*",
            "Microsoft.KeyVault/managedHsms/*",
        ],
        ..role(
            "f25e0fa2-a7c8-4377-a976-54943a77a395",
            "Key Vault Contributor",
            &["Microsoft.KeyVault/*", AUTH_READ, ALERTS, DEPLOY, GROUP_READ, SUPPORT],
            &[],
        )
    },
    // storage
    role(
        "17d1049b-9a84-46fb-8f53-869881c3d3ab",
        "Storage Account Contributor",
        &[
            "Microsoft.Storage/storageAccounts/*",
            "Microsoft.Insights/diagnosticSettings/*",
            "Microsoft.Network/virtualNetworks/subnets/joinViaServiceEndpoint/action",
            AUTH_READ,
            ALERTS,
            DEPLOY,
            GROUP_READ,
            SUPPORT,
        ],
        &[],
    ),
    role(
        "81a9662b-bebf-436f-a333-f67b29880f12",
        "Storage Account Key Operator Service Role",
        &[
            "Microsoft.Storage/storageAccounts/listkeys/action",
            "Microsoft.Storage/storageAccounts/regeneratekey/action",
        ],
        &[],
    ),
    role(
        "c12c1c16-33a1-487b-954d-41c89c60f349",
        "Reader and Data Access",
        &[
            "Microsoft.Storage/storageAccounts/listKeys/action",
            "Microsoft.Storage/storageAccounts/ListAccountSas/action",
            "Microsoft.Storage/storageAccounts/read",
        ],
        &[],
    ),
    role(
        "b7e6dc6d-f1e8-4753-8033-0f276bb0955b",
        "Storage Blob Data Owner",
        &[
            "Microsoft.Storage/storageAccounts/blobServices/containers/*",
            "Microsoft.Storage/storageAccounts/blobServices/generateUserDelegationKey/action",
        ],
        &["Microsoft.Storage/storageAccounts/blobServices/containers/blobs/*"],
    ),
    role(
        "ba92f5b4-2d11-453d-a403-e96b0029c9fe",
        "Storage Blob Data Contributor",
        &[
            "Microsoft.Storage/storageAccounts/blobServices/containers/delete",
            "Microsoft.Storage/storageAccounts/blobServices/containers/read",
            "Microsoft.Storage/storageAccounts/blobServices/containers/write",
            "Microsoft.Storage/storageAccounts/blobServices/generateUserDelegationKey/action",
        ],
        &[
            "Microsoft.Storage/storageAccounts/blobServices/containers/blobs/delete",
            "Microsoft.Storage/storageAccounts/blobServices/containers/blobs/read",
            "Microsoft.Storage/storageAccounts/blobServices/containers/blobs/write",
            "Microsoft.Storage/storageAccounts/blobServices/containers/blobs/move/action",
            "Microsoft.Storage/storageAccounts/blobServices/containers/blobs/add/action",
        ],
    ),
    role(
        "2a2b9908-6ea1-4ae2-8e65-a410df84e7d1",
        "Storage Blob Data Reader",
        &[
            "Microsoft.Storage/storageAccounts/blobServices/containers/read",
            "Microsoft.Storage/storageAccounts/blobServices/generateUserDelegationKey/action",
        ],
        &["Microsoft.Storage/storageAccounts/blobServices/containers/blobs/read"],
    ),
    role(
        "db58b8e5-c6ad-4a2a-8342-4190687cbf4a",
        "Storage Blob Delegator",
        &["Microsoft.Storage/storageAccounts/blobServices/generateUserDelegationKey/action"],
        &[],
    ),
    role(
        "974c5e8b-45b9-4653-ba55-5f855dd0fb88",
        "Storage Queue Data Contributor",
        &[
            "Microsoft.Storage/storageAccounts/queueServices/queues/delete",
            "Microsoft.Storage/storageAccounts/queueServices/queues/read",
            "Microsoft.Storage/storageAccounts/queueServices/queues/write",
        ],
        &[
            "Microsoft.Storage/storageAccounts/queueServices/queues/messages/delete",
            "Microsoft.Storage/storageAccounts/queueServices/queues/messages/read",
            "Microsoft.Storage/storageAccounts/queueServices/queues/messages/write",
            "Microsoft.Storage/storageAccounts/queueServices/queues/messages/process/action",
        ],
    ),
    role(
        "19e7f393-937e-4f77-808e-94535e297925",
        "Storage Queue Data Reader",
        &["Microsoft.Storage/storageAccounts/queueServices/queues/read"],
        &["Microsoft.Storage/storageAccounts/queueServices/queues/messages/read"],
    ),
    role(
        "8a0f0c08-91a1-4084-bc3d-661d67233fed",
        "Storage Queue Data Message Processor",
        &[],
        &[
            "Microsoft.Storage/storageAccounts/queueServices/queues/messages/read",
            "Microsoft.Storage/storageAccounts/queueServices/queues/messages/process/action",
        ],
    ),
    role(
        "c6a89b2d-59bc-44d0-9896-0f6e12d7b80a",
        "Storage Queue Data Message Sender",
        &[],
        &["Microsoft.Storage/storageAccounts/queueServices/queues/messages/add/action"],
    ),
    role(
        "0a9a7e1f-b9d0-4cc4-a60d-0319b160aaa3",
        "Storage Table Data Contributor",
        &[
            "Microsoft.Storage/storageAccounts/tableServices/tables/read",
            "Microsoft.Storage/storageAccounts/tableServices/tables/write",
            "Microsoft.Storage/storageAccounts/tableServices/tables/delete",
        ],
        &["Microsoft.Storage/storageAccounts/tableServices/tables/entities/*"],
    ),
    role(
        "76199698-9eea-4c19-bc75-cec21354c6b6",
        "Storage Table Data Reader",
        &["Microsoft.Storage/storageAccounts/tableServices/tables/read"],
        &["Microsoft.Storage/storageAccounts/tableServices/tables/entities/read"],
    ),
    role(
        "0c867c2a-1d8c-454a-a3db-ab2ea1bdc8bb",
        "Storage File Data SMB Share Contributor",
        &[],
        &[
            "Microsoft.Storage/storageAccounts/fileServices/fileshares/files/read",
            "Microsoft.Storage/storageAccounts/fileServices/fileshares/files/write",
            "Microsoft.Storage/storageAccounts/fileServices/fileshares/files/delete",
        ],
    ),
    role(
        "b8eda974-7b85-4f76-af95-65846b26df6d",
        "Storage File Data Privileged Reader",
        &[],
        &[
            "Microsoft.Storage/storageAccounts/fileServices/fileShares/files/read",
            "Microsoft.Storage/storageAccounts/fileServices/readFileBackupSemantics/action",
        ],
    ),
    role(
        "69566ab7-960f-475b-8e7c-b3118f30c6bd",
        "Storage File Data Privileged Contributor",
        &[],
        &[
            "Microsoft.Storage/storageAccounts/fileServices/fileShares/files/read",
            "Microsoft.Storage/storageAccounts/fileServices/fileShares/files/write",
            "Microsoft.Storage/storageAccounts/fileServices/fileShares/files/delete",
            "Microsoft.Storage/storageAccounts/fileServices/fileShares/files/modifypermissions/action",
            "Microsoft.Storage/storageAccounts/fileServices/readFileBackupSemantics/action",
            "Microsoft.Storage/storageAccounts/fileServices/writeFileBackupSemantics/action",
        ],
    ),
    // container apps
    role(
        "ad2dd5fb-cd4b-4fd4-a9b6-4fed3630980b",
        "ContainerApp Reader",
        &[
            "Microsoft.App/containerApps/*/read",
            "Microsoft.App/containerApps/*/action",
            GROUP_READ,
            AUTH_READ,
            ALERTS,
            DEPLOY,
            SUPPORT,
        ],
        &[],
    ),
    role(
        "358470bc-b998-42bd-ab17-a7e34c199c0f",
        "Container Apps Contributor",
        &[
            "Microsoft.App/containerApps/*",
            "Microsoft.App/managedEnvironments/read",
            "Microsoft.App/managedEnvironments/join/action",
            "Microsoft.App/locations/*",
            "Microsoft.App/operations/*",
            GROUP_READ,
            AUTH_READ,
            ALERTS,
            DEPLOY,
            SUPPORT,
        ],
        &[],
    ),
    role(
        "57cc5028-e6a7-4284-868d-0611c5923f8d",
        "Container Apps ManagedEnvironments Contributor",
        &[
            "Microsoft.App/managedEnvironments/*",
            "Microsoft.App/locations/*",
            GROUP_READ,
            AUTH_READ,
            ALERTS,
            DEPLOY,
            SUPPORT,
        ],
        &[],
    ),
    // monitoring
    role(
        "43d0d8ad-25c7-4714-9337-8ba259a9fe05",
        "Monitoring Reader",
        &["*/read", "Microsoft.OperationalInsights/workspaces/search/action", SUPPORT],
        &[],
    ),
    role(
        "749f88d5-cbae-40b8-bcfc-e573ddc772fa",
        "Monitoring Contributor",
        &[
            "*/read",
            "Microsoft.AlertsManagement/*",
            "Microsoft.Insights/*",
            "Microsoft.OperationalInsights/workspaces/write",
            "Microsoft.OperationalInsights/workspaces/search/action",
            "Microsoft.OperationalInsights/workspaces/sharedKeys/action",
            SUPPORT,
        ],
        &[],
    ),
    role(
        "3913510d-42f4-4e42-8a64-420c390055eb",
        "Monitoring Metrics Publisher",
        &["Microsoft.Insights/Register/Action", SUPPORT, GROUP_READ],
        &["Microsoft.Insights/Metrics/Write", "Microsoft.Insights/Telemetry/Write"],
    ),
    Role {
        not_actions: &["Microsoft.OperationalInsights/workspaces/sharedKeys/read"],
        ..role(
            "73c42c96-874c-492b-b04d-ab87d138a893",
            "Log Analytics Reader",
            &[
                "*/read",
                "Microsoft.OperationalInsights/workspaces/analytics/query/action",
                "Microsoft.OperationalInsights/workspaces/search/action",
                SUPPORT,
            ],
            &[],
        )
    },
    role(
        "92aaf0da-9dab-42b6-94a3-d43ce8d16293",
        "Log Analytics Contributor",
        &[
            "*/read",
            "Microsoft.Insights/alertRules/*",
            "Microsoft.Insights/diagnosticSettings/*",
            "Microsoft.OperationalInsights/*",
            "Microsoft.OperationsManagement/*",
            DEPLOY,
            "Microsoft.Storage/storageAccounts/listKeys/action",
            SUPPORT,
        ],
        &[],
    ),
    role(
        "ae349356-3a1b-4a5e-921d-050484c6347e",
        "Application Insights Component Contributor",
        &[
            "Microsoft.Insights/components/*",
            "Microsoft.Insights/webtests/*",
            AUTH_READ,
            ALERTS,
            DEPLOY,
            GROUP_READ,
            SUPPORT,
        ],
        &[],
    ),
    // network and web
    role(
        "4d97b98b-1d4f-4787-a291-c67834d212e7",
        "Network Contributor",
        &["Microsoft.Network/*", AUTH_READ, ALERTS, DEPLOY, GROUP_READ, SUPPORT],
        &[],
    ),
    role(
        "b12aa53e-6015-4669-85d0-8515ebb3ae7f",
        "Private DNS Zone Contributor",
        &[
            "Microsoft.Network/privateDnsZones/*",
            "Microsoft.Network/virtualNetworks/read",
            "Microsoft.Network/virtualNetworks/join/action",
            AUTH_READ,
            ALERTS,
            DEPLOY,
            GROUP_READ,
            SUPPORT,
        ],
        &[],
    ),
    role(
        "befefa01-2a29-4197-83a8-272ff33ce314",
        "DNS Zone Contributor",
        &["Microsoft.Network/dnsZones/*", AUTH_READ, ALERTS, DEPLOY, GROUP_READ, SUPPORT],
        &[],
    ),
    role(
        "de139f84-1756-47ae-9be6-808fbbe84772",
        "Website Contributor",
        &[
            "Microsoft.Web/sites/*",
            "Microsoft.Web/certificates/*",
            "Microsoft.Web/serverFarms/read",
            "Microsoft.Web/serverFarms/join/action",
            AUTH_READ,
            ALERTS,
            DEPLOY,
            GROUP_READ,
            SUPPORT,
        ],
        &[],
    ),
    role(
        "2cc479cb-7b4d-49a8-b449-8c00fd0f0a4b",
        "Web Plan Contributor",
        &[
            "Microsoft.Web/serverFarms/*",
            "Microsoft.Web/hostingEnvironments/Join/Action",
            AUTH_READ,
            ALERTS,
            DEPLOY,
            GROUP_READ,
            SUPPORT,
        ],
        &[],
    ),
    // data services
    role(
        "090c5cfd-751d-490a-894a-3ce6f1109419",
        "Azure Service Bus Data Owner",
        &["Microsoft.ServiceBus/*"],
        &["Microsoft.ServiceBus/*"],
    ),
    role(
        "4f6d3b9b-027b-4f4c-9142-0e5a2a2247e0",
        "Azure Service Bus Data Receiver",
        &[
            "Microsoft.ServiceBus/*/queues/read",
            "Microsoft.ServiceBus/*/topics/read",
            "Microsoft.ServiceBus/*/topics/subscriptions/read",
        ],
        &["Microsoft.ServiceBus/*/receive/action"],
    ),
    role(
        "69a216fc-b8fb-44d8-bc22-1f3c2cd27a39",
        "Azure Service Bus Data Sender",
        &[
            "Microsoft.ServiceBus/*/queues/read",
            "Microsoft.ServiceBus/*/topics/read",
            "Microsoft.ServiceBus/*/topics/subscriptions/read",
        ],
        &["Microsoft.ServiceBus/*/send/action"],
    ),
    role(
        "5ae67dd6-50cb-40e7-96ff-dc2bfa4b606b",
        "App Configuration Data Owner",
        &["Microsoft.AppConfiguration/configurationStores/*/read"],
        &[
            "Microsoft.AppConfiguration/configurationStores/*/read",
            "Microsoft.AppConfiguration/configurationStores/*/write",
            "Microsoft.AppConfiguration/configurationStores/*/delete",
        ],
    ),
    role(
        "516239f1-63e1-4d78-a4de-a74fb236a071",
        "App Configuration Data Reader",
        &["Microsoft.AppConfiguration/configurationStores/read"],
        &["Microsoft.AppConfiguration/configurationStores/*/read"],
    ),
    role(
        "5e0bd9bd-7b93-4f28-af87-19fc36ad61bd",
        "Cognitive Services OpenAI User",
        &[
            "Microsoft.CognitiveServices/*/read",
            "Microsoft.Authorization/roleAssignments/read",
            "Microsoft.Authorization/roleDefinitions/read",
        ],
        &[
            "Microsoft.CognitiveServices/accounts/OpenAI/*/read",
            "Microsoft.CognitiveServices/accounts/OpenAI/engines/completions/action",
            "Microsoft.CognitiveServices/accounts/OpenAI/engines/chat/completions/action",
            "Microsoft.CognitiveServices/accounts/OpenAI/deployments/*/action",
        ],
    ),
    role(
        "a97b65f3-24c7-4388-baec-2e87135dc908",
        "Cognitive Services User",
        &[
            "Microsoft.CognitiveServices/*/read",
            "Microsoft.CognitiveServices/accounts/listkeys/action",
            GROUP_READ,
            SUPPORT,
        ],
        &["Microsoft.CognitiveServices/*"],
    ),
    role(
        "25fbc0a9-bd7c-42a3-aa1a-3b75d497ee68",
        "Cognitive Services Contributor",
        &["Microsoft.CognitiveServices/*", AUTH_READ, ALERTS, DEPLOY, GROUP_READ, SUPPORT],
        &[],
    ),
    role(
        "f2dc8367-1007-4938-bd23-fe263f013447",
        "Cognitive Services Speech User",
        &["Microsoft.CognitiveServices/*/read"],
        &[
            "Microsoft.CognitiveServices/accounts/SpeechServices/*/read",
            "Microsoft.CognitiveServices/accounts/SpeechServices/*/action",
        ],
    ),
    role(
        "8ebe5a00-799e-43f5-93ac-243d3dce84a7",
        "Search Index Data Contributor",
        &[],
        &["Microsoft.Search/searchServices/indexes/documents/*"],
    ),
    role(
        "1407120a-92aa-4202-b7e9-c0e197c71c8f",
        "Search Index Data Reader",
        &[],
        &["Microsoft.Search/searchServices/indexes/documents/read"],
    ),
    role(
        "230815da-be43-4aae-9cb4-875f7bd000aa",
        "Cosmos DB Operator",
        &["Microsoft.DocumentDB/databaseAccounts/*", AUTH_READ, ALERTS, DEPLOY, GROUP_READ, SUPPORT],
        &[],
    ),
    role(
        "e0f68234-74aa-48ed-b826-c38b57376e17",
        "Redis Cache Contributor",
        &[
            "Microsoft.Cache/register/action",
            "Microsoft.Cache/redis/*",
            AUTH_READ,
            ALERTS,
            DEPLOY,
            GROUP_READ,
            SUPPORT,
        ],
        &[],
    ),
    role(
        "4abbcc35-e782-43d8-92c5-2d3f1bd2253f",
        "Azure Kubernetes Service Cluster User Role",
        &[
            "Microsoft.ContainerService/managedClusters/listClusterUserCredential/action",
            "Microsoft.ContainerService/managedClusters/read",
        ],
        &[],
    ),
    role(
        "0ab0b1a8-8aac-4efd-b8c2-3ee1fb270be8",
        "Azure Kubernetes Service Cluster Admin Role",
        &[
            "Microsoft.ContainerService/managedClusters/listClusterAdminCredential/action",
            "Microsoft.ContainerService/managedClusters/accessProfiles/listCredential/action",
            "Microsoft.ContainerService/managedClusters/read",
            "Microsoft.ContainerService/managedClusters/runcommand/action",
        ],
        &[],
    ),
    role(
        "09976791-48a7-449e-bb21-39d1a415f350",
        "Communication and Email Service Owner",
        &[
            "Microsoft.Communication/CommunicationServices/*",
            "Microsoft.Communication/EmailServices/*",
            AUTH_READ,
            ALERTS,
            DEPLOY,
            GROUP_READ,
        ],
        &[],
    ),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_fit_as_azure_documents_them() {
        assert!(fits("*/read", "Microsoft.App/containerApps/read"));
        assert!(!fits("*/read", "Microsoft.App/containerApps/write"));
        assert!(fits("Microsoft.KeyVault/vaults/*/read", "microsoft.keyvault/vaults/secrets/read"));
        assert!(!fits("Microsoft.KeyVault/vaults/read", "Microsoft.KeyVault/vaults/secrets/read"));
        assert!(fits("*", "anything"));
        assert!(!fits("a*b*c", "axc"));
    }

    #[test]
    fn roles_allow_what_they_say_and_no_more() {
        let by = |name: &str| ROLES.iter().find(|role| role.name == name).unwrap();
        assert!(by("Contributor").allows(Act::Control("Microsoft.App/containerApps/write")));
        assert!(!by("Contributor").allows(Act::Control("Microsoft.Authorization/roleAssignments/write")));
        assert!(by("Contributor").allows(Act::Control("Microsoft.Authorization/roleAssignments/read")));
        assert!(!by("Owner").allows(Act::Data("Microsoft.KeyVault/vaults/secrets/getSecret/action")));
        let user = by("Key Vault Secrets User");
        assert!(user.allows(Act::Data("Microsoft.KeyVault/vaults/secrets/getSecret/action")));
        assert!(!user.allows(Act::Data("Microsoft.KeyVault/vaults/secrets/setSecret/action")));
        assert!(by("AcrPush").allows(Act::Control(PULL)) && !by("AcrPull").allows(Act::Control(PUSH)));
    }

    #[test]
    fn each_role_is_there_once() {
        let mut seen: Vec<&str> = ROLES.iter().flat_map(|role| [role.id, role.name]).collect();
        seen.sort_unstable();
        let all = seen.len();
        seen.dedup();
        assert_eq!(seen.len(), all);
        assert!(ROLES.iter().all(|role| uuid::Uuid::parse_str(role.id).is_ok()));
    }
}
