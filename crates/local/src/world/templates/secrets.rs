//! Parameters that refer to a secret of a vault.

use serde_json::{Value, json};

use crate::world::World;
use crate::world::arm::id::Id;
use crate::world::arm::refusal::Refusal;
use crate::world::arm::{Caller, gate};
use crate::world::keyvault;

/// The value of `{"keyVault": {"id"}, "secretName"[, "secretVersion"]}`.
///
/// # Errors
/// `KeyVaultParameterReferenceNotFound`, …`AuthorizationFailed`, …`SecretRetrieveFailed`, as ARM says them.
pub fn read(world: &World, caller: &Caller, reference: &Value, parameter: &str) -> Result<Value, Refusal> {
    let id = reference["keyVault"]["id"].as_str().unwrap_or_default();
    let name = reference["secretName"].as_str().unwrap_or_default();
    let found = Id::parse(id).and_then(|id| world.arm.find(&id.key()));
    let Some(vault) = found.filter(|it| it.kind.eq_ignore_ascii_case("Microsoft.KeyVault/vaults")) else {
        return Err(Refusal::bad(
            "KeyVaultParameterReferenceNotFound",
            format!(
                "The specified KeyVault '{id}' could not be found. Please see https://aka.ms/arm-keyvault for usage \
                 details."
            ),
        ));
    };
    if gate::authorize(world, caller, "Microsoft.KeyVault/vaults/deploy/action", &vault.id).is_err() {
        return Err(Refusal::new(
            403,
            "KeyVaultParameterReferenceAuthorizationFailed",
            format!(
                "The client does not have permission to perform action 'MICROSOFT.KEYVAULT/VAULTS/DEPLOY/ACTION' on the \
                 specified KeyVault resource '{id}'. Please see https://aka.ms/arm-keyvault for usage details."
            ),
        ));
    }
    if vault.properties()["enabledForTemplateDeployment"] != true {
        return Err(Refusal::new(
            403,
            "KeyVaultParameterReferenceSecretRetrieveFailed",
            format!(
                "The secret of KeyVault parameter '{parameter}' cannot be retrieved. Http status code: 'Forbidden'. Error \
                 message: 'Access denied to first party service. The vault '{}' is not enabled for template deployment: \
                 enabledForTemplateDeployment is not true.'. Please see https://aka.ms/arm-keyvault for usage details.",
                vault.id.name()
            ),
        ));
    }
    let version = reference["secretVersion"].as_str();
    let key = vault.id.name().to_ascii_lowercase();
    let secret = keyvault::secrets::read(world, &key, name, version).map_err(|refusal| {
        Refusal::bad(
            "KeyVaultParameterReferenceSecretRetrieveFailed",
            format!(
                "The secret of KeyVault parameter '{parameter}' cannot be retrieved. Http status code: '{}'. Error \
                 message: '{}'. Please see https://aka.ms/arm-keyvault for usage details.",
                super::run::code_name(refusal.status),
                refusal.message
            ),
        )
    })?;
    Ok(json!(secret.value.0))
}
