//! Azure's built-in roles, and which one each kind of use takes.

use uuid::Uuid;

/// A built-in role.
#[derive(Debug, PartialEq, Eq)]
pub struct Role {
    /// Azure's name.
    pub name: &'static str,
    /// The GUID it has in every tenant.
    pub id: &'static str,
}

/// Pull images.
pub const ACR_PULL: Role = Role { name: "AcrPull", id: "7f951dda-4ed3-4680-a7ca-43fe172d538d" };
/// Pull and push images.
pub const ACR_PUSH: Role = Role { name: "AcrPush", id: "8311e382-0749-4cb8-b61a-304f252e45ec" };
/// Read the values of secrets.
pub const SECRETS_USER: Role =
    Role { name: "Key Vault Secrets User", id: "4633458b-17de-408a-b874-0445c86b69e6" };
/// Set secrets; for people and Landfall, never for a service.
pub const SECRETS_OFFICER: Role =
    Role { name: "Key Vault Secrets Officer", id: "b86a8fe4-44ce-4948-aee5-eccb2c155cd7" };
/// Read blobs.
pub const BLOB_READER: Role =
    Role { name: "Storage Blob Data Reader", id: "2a2b9908-6ea1-4ae2-8e65-a410df84e7d1" };
/// Read, write and delete blobs.
pub const BLOB_CONTRIBUTOR: Role =
    Role { name: "Storage Blob Data Contributor", id: "ba92f5b4-2d11-453d-a403-e96b0029c9fe" };

/// The namespace of our role assignments' names. Fixed forever: another one would assign every role twice.
const NAMESPACE: Uuid = Uuid::from_u128(0x6c61_6e64_6661_6c6c_2d72_6f6c_652d_6173);

/// The name of a role assignment: a GUID of scope, principal and role, known before anything is deployed.
///
/// `principal` is the identity's ARM id, or the object id of one that Landfall does not make. Azure refuses a
/// second assignment of the same three under another name, so it has to come out the same every time.
pub fn assignment_name(scope: &str, principal: &str, role: &Role) -> String {
    let text = format!("{}|{}|{}", scope.to_lowercase(), principal.to_lowercase(), role.id);
    Uuid::new_v5(&NAMESPACE, text.as_bytes()).to_string()
}

/// The id of a role's definition in a subscription.
pub fn definition_id(subscription: &str, role: &Role) -> String {
    format!("/subscriptions/{subscription}/providers/Microsoft.Authorization/roleDefinitions/{}", role.id)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_depends_on_all_three_and_not_on_case() {
        let name = assignment_name("/subscriptions/S/x", "/subscriptions/s/id", &ACR_PULL);
        assert_eq!(name, assignment_name("/subscriptions/s/X", "/SUBSCRIPTIONS/s/id", &ACR_PULL));
        assert_ne!(name, assignment_name("/subscriptions/s/y", "/subscriptions/s/id", &ACR_PULL));
        assert_ne!(name, assignment_name("/subscriptions/s/x", "/subscriptions/s/id2", &ACR_PULL));
        assert_ne!(name, assignment_name("/subscriptions/s/x", "/subscriptions/s/id", &ACR_PUSH));
    }
}
