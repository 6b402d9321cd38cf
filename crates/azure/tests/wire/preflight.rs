//! The questions asked before the first write, by what they send.

use crate::server::{FastClock, OBJECT, Seen, TENANT, arm_server, json, refusal, reply};
use landfall_azure::{Availability, Begun, Followed, GlobalName, Registration};
use serde_json::{Value, json};

#[tokio::test]
async fn every_question_goes_where_azure_answers_it() {
    let server = arm_server(|seen: &Seen| match (seen.method.as_str(), seen.path.as_str()) {
        ("GET", "/subscriptions") => json(
            200,
            json!({"value": [{"id": "/subscriptions/s", "subscriptionId": "s", "tenantId": TENANT, "displayName": "Mine", "state": "Enabled"}]}),
        ),
        ("GET", "/subscriptions/s/providers/Microsoft.App") => json(
            200,
            json!({"namespace": "Microsoft.App", "registrationState": "NotRegistered", "resourceTypes": []}),
        ),
        ("POST", "/subscriptions/s/providers/Microsoft.App/register") => {
            json(200, json!({"namespace": "Microsoft.App", "registrationState": "Registering"}))
        }
        ("GET", "/subscriptions/s/resourceGroups/g/providers/Microsoft.Authorization/permissions") => json(
            200,
            json!({"value": [{"actions": ["*"], "notActions": ["Microsoft.Authorization/*/Write"], "dataActions": [], "condition": null}]}),
        ),
        ("POST", "/subscriptions/s/providers/Microsoft.Storage/checkNameAvailability") => {
            let taken = seen.json()["name"] == "taken";
            json(200, json!({"nameAvailable": !taken, "reason": if taken { "AlreadyExists" } else { "" }, "message": "m"}))
        }
        ("GET", "/subscriptions/s/providers/Microsoft.KeyVault/deletedVaults") => json(
            200,
            json!({"value": [{"name": "kv", "properties": {"location": "westeurope", "scheduledPurgeDate": "2026-12-01T00:00:00Z"}}]}),
        ),
        ("GET", path) if path.contains("/deletedVaults/none") => refusal(404, "DeletedVaultNotFound", "none"),
        ("POST", path) if path.ends_with("/deletedVaults/kv/purge") => reply(202).with("location", "/op/1"),
        ("GET", "/op/1") => reply(200),
        ("GET", path) => refusal(404, "InvalidResourceNamespace", path),
        other => panic!("{other:?}"),
    })
    .await;
    let clock = FastClock::new();
    let arm = server.arm(&clock);

    let subscriptions = arm.subscriptions().await.unwrap();
    assert_eq!((subscriptions[0].id.as_str(), subscriptions[0].name.as_str()), ("s", "Mine"));
    let provider = arm.provider("s", "Microsoft.App").await.unwrap();
    assert_eq!(provider.registration, Registration::NotRegistered);
    assert_eq!(arm.register("s", "Microsoft.App").await.unwrap(), Registration::Registering);
    let error = arm.provider("s", "Microsoft.Nonsense").await.unwrap_err();
    assert!(error.to_string().contains("Microsoft.Nonsense"), "{error}");

    let permissions = arm.permissions("/subscriptions/s/resourceGroups/g").await.unwrap();
    assert!(permissions.allow("Microsoft.App/containerApps/write"));
    assert!(!permissions.allow("Microsoft.Authorization/roleAssignments/write"));

    let ask = |name: &'static str| arm.name_available("s", GlobalName::Storage, name);
    assert_eq!(ask("free").await.unwrap(), Availability::Free);
    assert_eq!(ask("taken").await.unwrap(), Availability::Taken("m".into()));

    assert_eq!(arm.deleted_vaults("s").await.unwrap()[0].name, "kv");
    assert_eq!(arm.deleted_vault("s", "westeurope", "none").await.unwrap(), None);
    let Begun::Accepted(tracking) = arm.purge_vault("s", "westeurope", "kv").await.unwrap() else { panic!() };
    assert_eq!(arm.follow(&tracking).await.unwrap(), Followed::Done(Value::Null));

    let caller = arm.caller().await.unwrap();
    assert_eq!((caller.object_id.as_str(), caller.tenant.as_str(), caller.is_user), (OBJECT, TENANT, false));
}
