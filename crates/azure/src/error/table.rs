//! What Azure's codes mean for who asked: a class, and what to do about it.
//!
//! The rows are searched in order and the first that fits wins, so the more specific come first. A row looks at
//! the error and at all that it is made of: wrappers such as `DeploymentFailed` have no row, so what they wrap
//! decides. What no row knows is judged by its HTTP status alone.

use super::{Class, Error, Kind};

/// One row.
#[derive(Clone, Copy, Debug)]
pub struct Row {
    /// The code, compared without case; empty fits any.
    pub code: &'static str,
    /// Words that must stand in one of the messages, compared without case; empty fits any.
    pub says: &'static str,
    /// How to go on.
    pub class: Class,
    /// What to do about it, for people.
    pub remedy: Option<&'static str>,
}

const fn row(code: &'static str, says: &'static str, class: Class, remedy: &'static str) -> Row {
    Row { code, says, class, remedy: if remedy.is_empty() { None } else { Some(remedy) } }
}

use Class::{Busy, Fatal, NotYetConsistent, Throttled, Transient};

/// All rows, the most specific first.
pub const ROWS: &[Row] = &[
    // Locks. A 429 that is really a lock comes before the 429s that are limits.
    row("RetryableErrorDueToAnotherOperation", "", Busy, ""),
    row("AnotherOperationInProgress", "", Busy, ""),
    row("OperationInProgress", "", Busy, ""),
    row("StorageAccountOperationInProgress", "", Busy, ""),
    row("ContainerAppLockConflict", "", Busy, ""),
    row("ContainerAppOperationInProgress", "", Busy, ""),
    row("ContainerAppEnvironmentOperationInProgress", "", Busy, ""),
    row("ManagedEnvironmentOperationInProgress", "", Busy, ""),
    row("ManagedEnvironmentLockConflict", "", Busy, ""),
    row("MaintenanceConfigurationLockConflict", "", Busy, ""),
    row("ManagedEnvironmentNotReadyForAppCreation", "", Busy, ""),
    row("ManagedEnvironmentNotProvisioned", "", Busy, ""),
    row("OperationNotAllowedOnResourceInProgress", "", Busy, ""),
    row(
        "ResourceGroupBeingDeleted",
        "",
        Busy,
        "The resource group is being removed; this waits until it is gone.",
    ),
    row("DeploymentActive", "", Busy, ""),
    row("59203", "", Busy, ""),
    row("RegistryOperationInProgress", "", Busy, ""),
    row("VaultOperationInProgress", "", Busy, ""),
    row("ConflictingConcurrentWriteNotAllowed", "", Busy, ""),
    // Names held by something deleted. Key Vault answers `ConflictError` for them.
    row(
        "VaultAlreadyExists",
        "",
        Fatal,
        "Vault names are unique in all of Azure. Choose another name, or recover or purge the deleted vault that \
         holds it if it is yours: `az keyvault list-deleted`.",
    ),
    row(
        "",
        "already exists in deleted state",
        Fatal,
        "A deleted vault still holds this name. Recover it, purge it (what it held is then gone for good), or \
         choose another name.",
    ),
    row(
        "FlagMustBeSetForRestore",
        "",
        Fatal,
        "A deleted resource still holds this name. Recover it, purge it, or choose another name.",
    ),
    row(
        "",
        "soft delete",
        Fatal,
        "A deleted resource still holds this name. Recover it, purge it, or choose another name.",
    ),
    row(
        "",
        "soft-delete",
        Fatal,
        "A deleted resource still holds this name. Recover it, purge it, or choose another name.",
    ),
    row(
        "",
        "purge protection",
        Fatal,
        "Purge protection cannot be switched off: the name is free again only when the retention period has passed. \
         Recover the vault or choose another name.",
    ),
    // Names.
    row(
        "StorageAccountAlreadyTaken",
        "",
        Fatal,
        "Somebody in Azure has this storage account name. Choose another.",
    ),
    row(
        "StorageAccountAlreadyExists",
        "",
        Fatal,
        "This subscription has a storage account of that name in another resource group. Choose another name.",
    ),
    row("AlreadyInUse", "", Fatal, "Somebody in Azure has this name. Choose another."),
    row("NameNotAvailable", "", Fatal, "Somebody in Azure has this name. Choose another."),
    row("NameUnavailable", "", Fatal, "Somebody in Azure has this name. Choose another."),
    row(
        "ReservedResourceName",
        "",
        Fatal,
        "Azure refuses trademarks and its own words in names. Choose another.",
    ),
    row("AccountNameInvalid", "", Fatal, "Storage account names have 3 to 24 lower-case letters and digits."),
    row(
        "VaultNameNotValid",
        "",
        Fatal,
        "Vault names have 3 to 24 letters, digits and single hyphens, and begin with a letter.",
    ),
    row("InvalidResourceName", "", Fatal, "The name breaks the rules of its type."),
    // Roles that do not work yet, and those that are missing.
    row(
        "RoleAssignmentExists",
        "",
        Fatal,
        "The same role is already assigned under another name; nothing needs doing.",
    ),
    row(
        "RoleAssignmentUpdateNotPermitted",
        "",
        Fatal,
        "The assignment's name belongs to an earlier identity. Remove the old role assignment first.",
    ),
    row(
        "PrincipalNotFound",
        "",
        NotYetConsistent,
        "A new identity takes up to some minutes to be known everywhere.",
    ),
    row("PrincipalTypeNotSupported", "", Fatal, ""),
    row("ForbiddenByRbac", "", NotYetConsistent, ROLE_ON_DATA),
    row("", "unable to get value using managed identity", NotYetConsistent, ROLE_OF_APP_ON_VAULT),
    row("", "unable to fetch secret", NotYetConsistent, ROLE_OF_APP_ON_VAULT),
    row("", "unauthorized: authentication required", NotYetConsistent, ROLE_ON_REGISTRY),
    row("ContainerAppImagePullUnauthorized", "", NotYetConsistent, ROLE_ON_REGISTRY),
    row(
        "ForbiddenByPolicy",
        "",
        Fatal,
        "The vault has access policies instead of roles, and none admits the caller.",
    ),
    row(
        "ForbiddenByFirewall",
        "",
        Fatal,
        "The vault's firewall does not admit this address. Add it, or run from inside the network.",
    ),
    row(
        "ForbiddenByConnection",
        "",
        Fatal,
        "The vault accepts private connections only. Run from inside the network.",
    ),
    row("AuthorizationPermissionMismatch", "", NotYetConsistent, ROLE_ON_DATA),
    row(
        "LinkedAuthorizationFailed",
        "",
        Fatal,
        "The caller may write the resource but not use another one that it names. It needs a role there as well, \
         such as Managed Identity Operator on an identity.",
    ),
    row(
        "AuthorizationFailed",
        "",
        Fatal,
        "The signed-in identity has no role that allows this. Ask an owner of the scope named in the message for \
         Contributor, and for Role Based Access Control Administrator where roles are assigned; a role granted just \
         now works after `az login` or some minutes.",
    ),
    row(
        "DenyAssignmentAuthorizationFailed",
        "",
        Fatal,
        "A deny assignment forbids it, whatever the roles. The managed application or stack that made it must allow it.",
    ),
    // Policies, locks and tenants' rules.
    row(
        "RequestDisallowedByPolicy",
        "",
        Fatal,
        "An Azure Policy of the subscription forbids it. Meet the policy, or ask its owner for an exemption.",
    ),
    row(
        "RequestDisallowedByAzure",
        "",
        Fatal,
        "Azure asks users for a second factor for changes. Sign in again with it (`az login`), or use a service principal.",
    ),
    row("ScopeLocked", "", Fatal, "A lock protects the resource. Whoever set it must remove it first."),
    row("CannotDeleteResource", "", Fatal, ""),
    // Providers, regions, quota.
    row(
        "MissingSubscriptionRegistration",
        "",
        Fatal,
        "The subscription is not registered for this resource provider: `az provider register --namespace NAME`, \
         by somebody with Contributor on the subscription.",
    ),
    row(
        "SubscriptionNotRegistered",
        "",
        Fatal,
        "The subscription is not registered for this resource provider: `az provider register --namespace NAME`, \
         by somebody with Contributor on the subscription.",
    ),
    row(
        "NoRegisteredProviderFound",
        "",
        Fatal,
        "The type is not offered in this region or at this API version.",
    ),
    row(
        "LocationNotAvailableForResourceType",
        "",
        Fatal,
        "The type is not offered in this region. Choose one that the message lists.",
    ),
    row(
        "LocationNotAvailableForResourceGroup",
        "",
        Fatal,
        "There is no such region. `az account list-locations` lists them.",
    ),
    row(
        "InvalidResourceLocation",
        "",
        Fatal,
        "The resource exists in another region, and resources do not move. Remove it first, or keep its region.",
    ),
    row(
        "InvalidResourceGroupLocation",
        "",
        Fatal,
        "The resource group exists in another region, and groups do not move. Keep its region, or use another name.",
    ),
    row(
        "MaxNumberOfRegionalEnvironmentsInSubExceeded",
        "",
        Fatal,
        "The subscription has as many Container Apps environments in this region as it may. Remove one, use another \
         region, or ask for quota.",
    ),
    row(
        "MaxNumberOfGlobalEnvironmentsInSubExceeded",
        "",
        Fatal,
        "The subscription has as many Container Apps environments as it may. Remove one, or ask for quota.",
    ),
    row(
        "ManagedEnvironmentNoAvailableCapacityInRegion",
        "",
        Fatal,
        "The region is out of capacity, which no quota shows. Use another region, or try again in some hours.",
    ),
    row(
        "AKSCapacityHeavyUsage",
        "",
        Fatal,
        "The region is out of capacity. Use another region, or try again in some hours.",
    ),
    row(
        "SkuNotAvailable",
        "",
        Fatal,
        "The size is not offered in this region, or not to this subscription. Choose another.",
    ),
    row(
        "QuotaExceeded",
        "",
        Fatal,
        "The subscription's quota is used up. Ask for more in the portal under Quotas, or use another region.",
    ),
    row(
        "ResourceQuotaExceeded",
        "",
        Fatal,
        "The subscription's quota is used up. Remove resources, or ask for more.",
    ),
    row(
        "OperationNotAllowed",
        "quota",
        Fatal,
        "The subscription's quota is used up. Ask for more in the portal under Quotas, or use another region.",
    ),
    row(
        "SubscriptionNotFound",
        "",
        Fatal,
        "The signed-in identity does not see this subscription. Check its id and the tenant: `az account list`.",
    ),
    row("InvalidSubscriptionId", "", Fatal, "A subscription id is a GUID: `az account show --query id`."),
    row(
        "ReadOnlyDisabledSubscription",
        "",
        Fatal,
        "The subscription is disabled, mostly by an unpaid bill or a used-up credit.",
    ),
    row("DisallowedProvider", "", Fatal, "The subscription's offer does not include this resource provider."),
    // Not there yet: written a moment ago, not yet known everywhere.
    row("DeploymentNotFound", "", NotYetConsistent, ""),
    row("ParentResourceNotFound", "", NotYetConsistent, ""),
    row("ResourceGroupNotFound", "", NotYetConsistent, ""),
    row("ResourceNotFound", "", NotYetConsistent, ""),
    row("ManagedEnvironmentNotFound", "", NotYetConsistent, ""),
    row("InvalidResourceReference", "", NotYetConsistent, ""),
    row("FailedIdentityOperation", "", NotYetConsistent, ""),
    row("OperationNotFound", "", NotYetConsistent, ""),
    row("SecretNotFound", "", Fatal, "The vault has no such secret. Set it first."),
    row(
        "ObjectIsDeletedButRecoverable",
        "",
        Fatal,
        "The secret is deleted and still holds its name. Recover or purge it first.",
    ),
    row("ObjectIsBeingDeleted", "", Busy, ""),
    row("ObjectIsBeingRecovered", "", Busy, ""),
    row("SecretDisabled", "", Fatal, "The secret's version is disabled. Enable it, or set a new value."),
    // What a container app says of its image and itself.
    row(
        "",
        "MANIFEST_UNKNOWN",
        Fatal,
        "The registry has no such image. It was deleted, or its push did not finish.",
    ),
    row(
        "MANIFEST_UNKNOWN",
        "",
        Fatal,
        "The registry has no such image. It was deleted, or its push did not finish.",
    ),
    row("BLOB_UPLOAD_UNKNOWN", "", Transient, ""),
    row("BLOB_UPLOAD_INVALID", "", Transient, ""),
    row("DIGEST_INVALID", "", Fatal, "The file changed while it was pushed. Build again."),
    row("SIZE_INVALID", "", Fatal, "The file changed while it was pushed. Build again."),
    row("NAME_UNKNOWN", "", Fatal, "The registry has no such repository."),
    row("UNAUTHORIZED", "", NotYetConsistent, ROLE_TO_PUSH),
    row("DENIED", "", NotYetConsistent, ROLE_TO_PUSH),
    // Sign-in.
    row(
        "AADSTS7000215",
        "",
        Fatal,
        "The client secret is wrong. Mind that the secret's *value* is needed, not its id.",
    ),
    row(
        "AADSTS7000222",
        "",
        Fatal,
        "The client secret has expired. Make a new one for the application, or use federation, which has none.",
    ),
    row("AADSTS700016", "", Fatal, "The tenant knows no application with this client id. Check both."),
    row("AADSTS90002", "", Fatal, "There is no such tenant. Check the tenant's id."),
    row("AADSTS900023", "", Fatal, "The tenant is neither a GUID nor a domain. Check the tenant's id."),
    row("AADSTS50034", "", Fatal, "The tenant has no such user. Check the account and the tenant."),
    row("AADSTS50076", "", Fatal, SECOND_FACTOR),
    row("AADSTS50079", "", Fatal, SECOND_FACTOR),
    row("AADSTS50158", "", Fatal, SECOND_FACTOR),
    row(
        "AADSTS53003",
        "",
        Fatal,
        "A Conditional Access policy blocks the sign-in from here. Use a device, network or identity that it admits.",
    ),
    row("AADSTS700082", "", Fatal, SIGN_IN_AGAIN),
    row("AADSTS70043", "", Fatal, SIGN_IN_AGAIN),
    row("AADSTS50173", "", Fatal, SIGN_IN_AGAIN),
    row("AADSTS50078", "", Fatal, SIGN_IN_AGAIN),
    row("AADSTS70021", "", Fatal, FEDERATION),
    row("AADSTS700211", "", Fatal, FEDERATION),
    row("AADSTS700213", "", Fatal, FEDERATION),
    row(
        "AADSTS700212",
        "",
        Fatal,
        "The federated credential expects another audience. Entra's own is `api://AzureADTokenExchange`.",
    ),
    row(
        "AADSTS700024",
        "",
        Fatal,
        "The federated token has expired or is not valid yet. Fetch a fresh one, and check the clock.",
    ),
    row(
        "AADSTS500011",
        "",
        Fatal,
        "The tenant does not know the service that a token was asked for. Check the cloud and the tenant.",
    ),
    row("AADSTS65001", "", Fatal, "An administrator of the tenant must consent to the application first."),
    row("AADSTS90033", "", Transient, ""),
    row("AADSTS90006", "", Transient, ""),
    row("AADSTS50196", "", Throttled, ""),
    row("temporarily_unavailable", "", Transient, ""),
    row(
        "NotSignedIn",
        "",
        Fatal,
        "Sign in with `az login`, or set AZURE_TENANT_ID, AZURE_CLIENT_ID and AZURE_CLIENT_SECRET.",
    ),
    row("ExpiredAuthenticationToken", "", Fatal, SIGN_IN_AGAIN),
    row(
        "InvalidAuthenticationTokenTenant",
        "",
        Fatal,
        "The subscription is in another tenant: `az login --tenant TENANT`.",
    ),
    row("InvalidAuthenticationToken", "", Fatal, SIGN_IN_AGAIN),
    row(
        "InvalidAuthenticationTokenAudience",
        "",
        Fatal,
        "The token was made for another service. Check the cloud's audience.",
    ),
    row("AuthenticationFailed", "", Fatal, SIGN_IN_AGAIN),
    // On the way to Azure.
    row("ConnectionRefused", "", Transient, ""),
    row(
        "NameNotResolved",
        "",
        Transient,
        "Check the address and the network: a proxy is named by HTTPS_PROXY.",
    ),
    row("Unreachable", "", Transient, "Check the network: a proxy is named by HTTPS_PROXY."),
    row("TimedOut", "", Transient, ""),
    row("ConnectionLost", "", Transient, ""),
    row(
        "UntrustedCertificate",
        "",
        Fatal,
        "Name the certificate authority's PEM file as the CA of this cloud, or add it to the system's.",
    ),
    // Azure's own passing troubles, also within operations that failed.
    row("TooManyRequests", "", Throttled, ""),
    row("SubscriptionRequestsThrottled", "", Throttled, ""),
    row("OperationTimedOut", "", Transient, ""),
    row("OperationPreempted", "", Transient, ""),
    row("InternalServerError", "", Transient, ""),
    row("InternalError", "", Transient, ""),
    row("InternalExecutionError", "", Transient, ""),
    row("ServerTimeout", "", Transient, ""),
    row("ServerBusy", "", Transient, ""),
    row("GatewayTimeout", "", Transient, ""),
    row("BadGateway", "", Transient, ""),
    row("ServiceUnavailable", "", Transient, ""),
    row("RetryableError", "", Transient, ""),
    row("PreconditionFailed", "", Fatal, "Somebody else changed the resource in between. Plan again."),
    // A 409 with a general code, told apart by its words.
    row("ConflictError", "being deleted", Busy, ""),
    row("", "because another operation", Busy, ""),
    row("", "another operation is in progress", Busy, ""),
    row("Conflict", "operation is in progress", Busy, ""),
    row("", "please retry later", Transient, ""),
    // Bodies that Azure does not take.
    row("InvalidRequestContent", "", Fatal, ""),
    row("InvalidTemplate", "", Fatal, ""),
    row("MissingApiVersionParameter", "", Fatal, ""),
    row(
        "InvalidApiVersionParameter",
        "",
        Fatal,
        "This Azure does not know the API version. It may lag behind public Azure.",
    ),
    row(
        "InvalidResourceType",
        "",
        Fatal,
        "This Azure does not know the type at that API version. It may lag behind public Azure.",
    ),
];

const ROLE_ON_DATA: &str = "A role at this resource's data is missing, such as Key Vault Secrets Officer to set secrets; owning the \
     subscription does not include it. A role assigned just now takes up to ten minutes to work.";
const ROLE_OF_APP_ON_VAULT: &str = "The application's identity needs the role Key Vault Secrets User on the vault, and the secret must exist. A \
     role assigned just now takes up to ten minutes to work.";
const ROLE_ON_REGISTRY: &str = "The application's identity needs the role AcrPull on the registry. A role assigned just now takes up to ten \
     minutes to work.";
const ROLE_TO_PUSH: &str = "The signed-in identity needs the role AcrPush on the registry, or Contributor. A role assigned just now takes \
     up to ten minutes to work.";
const SECOND_FACTOR: &str = "The tenant asks for a second factor. Sign in again with it: `az login`.";
const SIGN_IN_AGAIN: &str =
    "The sign-in is no longer valid. Sign in again: `az login`, or check the service principal's settings.";
const FEDERATION: &str = "No federated credential of the application fits the token. Its issuer, subject and audience must be exactly \
     those that the message names.";

/// The first row that fits.
pub(super) fn find(error: &Error) -> Option<&'static Row> {
    let all = error.detail().walk();
    ROWS.iter().find(|row| {
        let code = row.code.is_empty() || all.iter().any(|detail| detail.code.eq_ignore_ascii_case(row.code));
        code && (row.says.is_empty() || {
            let words = row.says.to_ascii_lowercase();
            all.iter().any(|detail| detail.message.to_ascii_lowercase().contains(&words))
        })
    })
}

/// The class of what no row knows.
pub(super) fn class_of_status(kind: Kind, status: Option<u16>) -> Class {
    match (kind, status) {
        (_, Some(429)) => Throttled,
        (_, Some(408 | 500 | 502 | 503 | 504)) => Transient,
        // The service said something else than its protocol allows, as gateways in trouble do.
        (Kind::Transport, _) => Transient,
        _ => Fatal,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_row_hides_a_later_one() {
        for (at, row) in ROWS.iter().enumerate() {
            for earlier in &ROWS[..at] {
                let code = earlier.code.is_empty() || earlier.code.eq_ignore_ascii_case(row.code);
                let says = earlier.says.is_empty()
                    || row.says.to_ascii_lowercase().contains(&earlier.says.to_ascii_lowercase());
                assert!(!(code && says), "{row:?} is never reached: {earlier:?} comes before it");
            }
            assert!(!(row.code.is_empty() && row.says.is_empty()), "a row that fits everything");
        }
    }

    #[test]
    fn remedies_are_sentences() {
        for row in ROWS {
            if let Some(remedy) = row.remedy {
                assert!(remedy.ends_with(['.', '`']) && !remedy.contains("  "), "{remedy}");
            }
        }
    }

    /// Bodies as Azure sends them, with what must come of each.
    const RECORDED: &[(u16, &str, Class, &str)] = &[
        (
            409,
            r#"{"error":{"code":"ConflictError","message":"A vault with the same name 'kv-a' already exists in deleted state. You need to either recover or purge existing key vault. Follow this link https://go.microsoft.com/fwlink/?linkid=2149745 for more information on soft delete."}}"#,
            Fatal,
            "Recover it, purge it",
        ),
        (
            409,
            r#"{"error":{"code":"VaultAlreadyExists","message":"The vault name 'kv-a' is already in use. Vault names are globally unique so it is possible that the name is already taken. If you are sure that the vault name was not taken then it is possible that a vault with the same name was recently deleted but not purged after being placed in a recoverable state."}}"#,
            Fatal,
            "unique in all of Azure",
        ),
        (
            409,
            r#"{"error":{"code":"StorageAccountAlreadyTaken","message":"The storage account named web is already taken."}}"#,
            Fatal,
            "Choose another",
        ),
        (
            409,
            r#"{"error":{"code":"ContainerAppOperationInProgress","message":"Cannot modify a container app 'web' because there is an operation in progress."}}"#,
            Busy,
            "",
        ),
        (
            409,
            r#"{"error":{"code":"Conflict","message":"Cannot modify resource because another operation is in progress."}}"#,
            Busy,
            "",
        ),
        (
            409,
            r#"{"Code":"Conflict","Message":"Cannot modify this site because another operation is in progress. Details: Id: 1","Target":null,"Details":[{"ErrorEntity":{"ExtendedCode":"59203","Code":"Conflict"}}]}"#,
            Busy,
            "",
        ),
        (
            429,
            r#"{"error":{"code":"RetryableErrorDueToAnotherOperation","message":"Operation on resource cannot proceed due to an operation in progress."}}"#,
            Busy,
            "",
        ),
        (
            429,
            r#"{"error":{"code":"SubscriptionRequestsThrottled","message":"Number of requests for subscription 's' and operation 'GET/SUBSCRIPTIONS' exceeded the backend storage limit. Please try again after '6' seconds."}}"#,
            Throttled,
            "",
        ),
        (
            400,
            r#"{"error":{"code":"PrincipalNotFound","message":"Principal 3f0 does not exist in the directory 111. Check that you have the correct principal ID. If you are creating this principal and then immediately assigning a role, this error might be related to a replication delay."}}"#,
            NotYetConsistent,
            "some minutes",
        ),
        (
            409,
            r#"{"error":{"code":"RoleAssignmentExists","message":"The role assignment already exists."}}"#,
            Fatal,
            "nothing needs doing",
        ),
        (
            403,
            r#"{"error":{"code":"AuthorizationFailed","message":"The client 'a@b.c' with object id '3f0' does not have authorization to perform action 'Microsoft.Resources/subscriptions/resourcegroups/write' over scope '/subscriptions/s/resourcegroups/g' or the scope is invalid. If access was recently granted, please refresh your credentials."}}"#,
            Fatal,
            "Contributor",
        ),
        (
            409,
            r#"{"error":{"code":"MissingSubscriptionRegistration","message":"The subscription is not registered to use namespace 'Microsoft.App'. See https://aka.ms/rps-not-found for how to register subscriptions.","details":[{"code":"MissingSubscriptionRegistration","target":"Microsoft.App","message":"The subscription is not registered to use namespace 'Microsoft.App'."}]}}"#,
            Fatal,
            "az provider register",
        ),
        (
            403,
            r#"{"error":{"code":"RequestDisallowedByPolicy","target":"web","message":"Resource 'web' was disallowed by policy. Policy identifiers: '[]'.","additionalInfo":[{"type":"PolicyViolation","info":{"policyAssignmentDisplayName":"Allowed locations"}}]}}"#,
            Fatal,
            "Azure Policy",
        ),
        (
            409,
            r#"{"error":{"code":"ScopeLocked","message":"The scope '/subscriptions/s/resourceGroups/g' cannot perform delete operation because following scope(s) are locked: 'g'. Please remove the lock and try again."}}"#,
            Fatal,
            "lock",
        ),
        (
            400,
            r#"{"error":{"code":"InvalidParameterValueInContainerTemplate","message":"The following field(s) are either invalid or missing. Field 'template.containers.web.image' is invalid with details: 'Invalid value: \"acr.azurecr.io/web:1\": GET https:?scope=repository%3Aweb%3Apull&service=acr.azurecr.io: UNAUTHORIZED: authentication required, visit https://aka.ms/acr/authorization for more information.';."}}"#,
            NotYetConsistent,
            "AcrPull",
        ),
        (
            400,
            r#"{"error":{"code":"InvalidParameterValueInContainerTemplate","message":"The following field(s) are either invalid or missing. Field 'template.containers.web.image' is invalid with details: 'Invalid value: \"acr.azurecr.io/web:1\": GET https:: MANIFEST_UNKNOWN: manifest tagged by \"1\" is not found; map[Tag:1]';."}}"#,
            Fatal,
            "no such image",
        ),
        (
            400,
            r#"{"error":{"code":"ContainerAppSecretInvalid","message":"Failed to update secrets for container app. Field 'configuration.secrets' is invalid with details: 'Invalid value: \"db\": Unable to get value using Managed identity /subscriptions/s/x for secret db. Error: unable to fetch secret';."}}"#,
            NotYetConsistent,
            "Key Vault Secrets User",
        ),
        (
            409,
            r#"{"status":"Failed","error":{"code":"DeploymentFailed","message":"At least one resource deployment operation failed. Please list deployment operations for details.","details":[{"code":"Conflict","message":"{\r\n  \"status\": \"Failed\",\r\n  \"error\": {\r\n    \"code\": \"MaxNumberOfRegionalEnvironmentsInSubExceeded\",\r\n    \"message\": \"The subscription 's' cannot have more than 1 environments in West Europe.\"\r\n  }\r\n}"}]}}"#,
            Fatal,
            "as many Container Apps environments",
        ),
        (
            403,
            r#"{"error":{"code":"Forbidden","message":"Caller is not authorized to perform action on resource.\r\nIf role assignments, deny assignments or role definitions were changed recently, please observe propagation time.\r\nCaller: appid=1;oid=2\r\nAction: 'Microsoft.KeyVault/vaults/secrets/setSecret/action'","innererror":{"code":"ForbiddenByRbac"}}}"#,
            NotYetConsistent,
            "Key Vault Secrets Officer",
        ),
        (
            409,
            r#"{"error":{"code":"Conflict","message":"Secret db is currently in a deleted but recoverable state, and its name cannot be reused; in this state, the secret can only be recovered or purged.","innererror":{"code":"ObjectIsDeletedButRecoverable"}}}"#,
            Fatal,
            "Recover or purge it first",
        ),
        (
            404,
            r#"{"error":{"code":"DeploymentNotFound","message":"Deployment 'd' could not be found."}}"#,
            NotYetConsistent,
            "",
        ),
        (
            400,
            r#"{"error":"unauthorized_client","error_description":"AADSTS700016: Application with identifier 'x' was not found in the directory 'y'. Trace ID: 1","error_codes":[700016]}"#,
            Fatal,
            "client id",
        ),
        (
            400,
            r#"{"error":"interaction_required","error_description":"AADSTS50076: Due to a configuration change made by your administrator, you must use multi-factor authentication.","error_codes":[50076]}"#,
            Fatal,
            "second factor",
        ),
        (
            404,
            r#"{"errors":[{"code":"NAME_UNKNOWN","message":"repository name not known to registry","detail":{"name":"web"}}]}"#,
            Fatal,
            "no such repository",
        ),
        (502, "<html><head><title>502 Bad Gateway</title></head></html>", Transient, ""),
        (503, "", Transient, ""),
        (429, "", Throttled, ""),
        (500, r#"{"error":{"code":"SomethingNew","message":"An error has occurred."}}"#, Transient, ""),
        (409, r#"{"error":{"code":"SomethingNew","message":"It cannot be."}}"#, Fatal, ""),
        (400, r#"{"error":{"code":"BadRequest","message":"The property is wrong."}}"#, Fatal, ""),
    ];

    #[test]
    fn recorded_refusals_have_their_class_and_remedy() {
        for (status, body, class, remedy) in RECORDED {
            let error = Error::refused(*status, body.as_bytes());
            assert_eq!(error.class(), *class, "{status} {body}");
            match *remedy {
                "" => assert_eq!(error.remedy(), None, "{status} {body}"),
                words => assert!(
                    error.remedy().is_some_and(|said| said.contains(words)),
                    "{error}: {:?}",
                    error.remedy()
                ),
            }
            assert!(!error.to_string().contains('\n'), "one line: {error}");
        }
    }
}
