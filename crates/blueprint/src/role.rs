//! Azure's built-in roles, and which one each kind of use takes.

use uuid::Uuid;

/// A built-in role.
#[derive(Debug, PartialEq, Eq)]
pub struct Role {
    /// Azure's name.
    pub name: &'static str,
    /// The GUID it has in every tenant.
    pub id: &'static str,
    /// What it is about in its resource, where a service may need several of them side by side: the queues of an
    /// account, sending to a bus. Of two with the same word the greater one does for both; most have none.
    pub part: &'static str,
}

const fn role(name: &'static str, id: &'static str, part: &'static str) -> Role {
    Role { name, id, part }
}

/// Pull images.
pub const ACR_PULL: Role = role("AcrPull", "7f951dda-4ed3-4680-a7ca-43fe172d538d", "");
/// Pull and push images.
pub const ACR_PUSH: Role = role("AcrPush", "8311e382-0749-4cb8-b61a-304f252e45ec", "");
/// Read the values of secrets.
pub const SECRETS_USER: Role = role("Key Vault Secrets User", "4633458b-17de-408a-b874-0445c86b69e6", "");
/// Set secrets; for people and Landfall, never for a service.
pub const SECRETS_OFFICER: Role =
    role("Key Vault Secrets Officer", "b86a8fe4-44ce-4948-aee5-eccb2c155cd7", "");
/// Read blobs.
pub const BLOB_READER: Role = role("Storage Blob Data Reader", "2a2b9908-6ea1-4ae2-8e65-a410df84e7d1", "");
/// Read, write and delete blobs.
pub const BLOB_CONTRIBUTOR: Role =
    role("Storage Blob Data Contributor", "ba92f5b4-2d11-453d-a403-e96b0029c9fe", "");

/// Take queue messages out of a storage account.
pub const STORAGE_QUEUE_PROCESSOR: Role =
    role("Storage Queue Data Message Processor", "8a0f0c08-91a1-4084-bc3d-661d67233fed", "receive");
/// Put messages into the queues of a storage account.
pub const STORAGE_QUEUE_SENDER: Role =
    role("Storage Queue Data Message Sender", "c6a89b2d-59bc-44d0-9896-0f6e12d7b80a", "send");
/// Read the tables of a storage account.
pub const TABLE_READER: Role =
    role("Storage Table Data Reader", "76199698-9eea-4c19-bc75-cec21354c6b6", "tables");
/// Read, write and delete in the tables of a storage account.
pub const TABLE_CONTRIBUTOR: Role =
    role("Storage Table Data Contributor", "0a9a7e1f-b9d0-4cc4-a60d-0319b160aaa3", "tables");
/// Read the file shares of a storage account; the roles for SMB shares open nothing over HTTPS.
pub const FILE_READER: Role =
    role("Storage File Data Privileged Reader", "b8eda974-7b85-4f76-af95-65846b26df6d", "files");
/// Read, write and delete in the file shares of a storage account.
pub const FILE_CONTRIBUTOR: Role =
    role("Storage File Data Privileged Contributor", "69566ab7-960f-475b-8e7c-b3118f30c6bd", "files");
/// Sign user delegation SAS.
pub const BLOB_DELEGATOR: Role =
    role("Storage Blob Delegator", "db58b8e5-c6ad-4a2a-8342-4190687cbf4a", "sas");
/// Send to the queues and topics of a Service Bus.
pub const BUS_SENDER: Role =
    role("Azure Service Bus Data Sender", "69a216fc-b8fb-44d8-bc22-1f3c2cd27a39", "send");
/// Receive from the queues and subscriptions of a Service Bus.
pub const BUS_RECEIVER: Role =
    role("Azure Service Bus Data Receiver", "4f6d3b9b-027b-4f4c-9142-0e5a2a2247e0", "receive");
/// Ask the models of an Azure OpenAI account.
pub const OPENAI_USER: Role =
    role("Cognitive Services OpenAI User", "5e0bd9bd-7b93-4f28-af87-19fc36ad61bd", "");
/// Recognise and synthesise speech.
pub const SPEECH_USER: Role =
    role("Cognitive Services Speech User", "f2dc8367-1007-4938-bd23-fe263f013447", "");
/// Use Communication Services. It is the least there is: Azure has no role for data alone.
pub const COMMUNICATION_OWNER: Role =
    role("Communication and Email Service Owner", "09976791-48a7-449e-bb21-39d1a415f350", "");
/// Read the values of an App Configuration store.
pub const CONFIGURATION_READER: Role =
    role("App Configuration Data Reader", "516239f1-63e1-4d78-a4de-a74fb236a071", "");
/// Read and write the values of an App Configuration store.
pub const CONFIGURATION_OWNER: Role =
    role("App Configuration Data Owner", "5ae67dd6-50cb-40e7-96ff-dc2bfa4b606b", "");
/// Query the indexes of a search service.
pub const SEARCH_READER: Role = role("Search Index Data Reader", "1407120a-92aa-4202-b7e9-c0e197c71c8f", "");
/// Query and fill the indexes of a search service.
pub const SEARCH_CONTRIBUTOR: Role =
    role("Search Index Data Contributor", "8ebe5a00-799e-43f5-93ac-243d3dce84a7", "");

/// Put resources into a network.
pub const NETWORK_CONTRIBUTOR: Role = role("Network Contributor", "4d97b98b-1d4f-4787-a291-c67834d212e7", "");
/// Assign an identity to a resource.
pub const IDENTITY_OPERATOR: Role =
    role("Managed Identity Operator", "f1a07417-d97a-45cb-824c-7a7467783830", "");
/// Send telemetry.
pub const METRICS_PUBLISHER: Role =
    Role { name: "Monitoring Metrics Publisher", id: "3913510d-42f4-4e42-8a64-420c390055eb", part: "" };

/// The namespace of our role assignments' names. Fixed forever: another one would assign every role twice.
const NAMESPACE: Uuid = Uuid::from_u128(0x6c61_6e64_6661_6c6c_2d72_6f6c_652d_6173);

/// The name of a role assignment: a GUID of scope, principal and role, known before anything is deployed.
///
/// `principal` is the identity's ARM id, or the object id of one that Landfall does not make. Azure refuses a
/// second assignment of the same three under another name, so it has to come out the same every time.
pub fn assignment_name(scope: &str, principal: &str, role: &Role) -> String {
    name_of(scope, principal, role.id)
}

/// As [`assignment_name`], for roles that a type of resource has of its own.
pub fn name_of(scope: &str, principal: &str, role: &str) -> String {
    let text = format!("{}|{}|{role}", scope.to_lowercase(), principal.to_lowercase());
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
