//! One change at a time, and what the plan says of it.
#![allow(clippy::unwrap_used, reason = "a test")]
#![allow(missing_docs)]

mod cloud;

use cloud::Cloud;
use landfall_blueprint::{Address, Blueprint, Body, Expression, blueprint};
use landfall_manifest::{App, load};
use landfall_plan::{
    Action, Cause, Change, Detail, Live, Plan, SoftDeleted, Stray, UNKNOWN, plan, render, revision,
};
use serde_json::{Value, json};

const MANIFEST: &str = r#"
app    = "hello"
region = "westeurope"

[service.web]
host    = "container-apps"
source  = "."
port    = 8000
scale   = { min = 1, max = 3 }
secrets = { DATABASE_URL = "database-url" }
uses    = { store = "read" }

[resource.store]
type       = "storage"
containers = ["files"]
"#;

fn app(text: &str) -> App {
    let loaded = load("landfall.toml", text, None);
    loaded.app.unwrap_or_else(|| panic!("{:#?}", loaded.diagnostics))
}

fn wanted(text: &str) -> Blueprint {
    blueprint(&app(text)).unwrap()
}

fn address(text: &str) -> Address {
    text.parse().unwrap()
}

fn web() -> Address {
    address("containerApp.web")
}

/// The manifest, deployed.
fn deployed() -> (Blueprint, Cloud) {
    let wanted = wanted(MANIFEST);
    let mut cloud = Cloud::default();
    cloud.provide(&wanted);
    cloud.apply(&plan(&wanted, &cloud.live()));
    assert!(plan(&wanted, &cloud.live()).is_empty());
    (wanted, cloud)
}

/// The only change of a plan.
fn only(plan: &Plan) -> &Change {
    let mut changing = plan.changes.iter().filter(|change| change.action != Action::None);
    let first = changing.next().expect("a change");
    assert!(changing.next().is_none(), "{}", render(plan, Detail::Properties, false));
    first
}

fn paths(change: &Change) -> Vec<&str> {
    change.properties.iter().map(|property| property.path.as_str()).collect()
}

fn suffix(body: &Body) -> Option<&str> {
    body.at(revision::SUFFIX).and_then(Body::as_str)
}

#[test]
fn the_first_plan_on_one_screen() {
    let plan = plan(&wanted(MANIFEST), &Live::default());
    insta::assert_snapshot!(render(&plan, Detail::Resources, false));
}

#[test]
fn the_first_plan_with_every_property() {
    let plan = plan(&wanted(MANIFEST), &Live::default());
    insta::assert_snapshot!(render(&plan, Detail::Properties, false));
}

#[test]
fn the_document_for_programs() {
    let (_, cloud) = deployed();
    let plan = plan(&wanted(&MANIFEST.replace("max = 3", "max = 5")), &cloud.live());
    let mut document = serde_json::to_value(&plan).unwrap();
    document["basis"] = json!("(a fingerprint)");
    let changes = document["changes"].as_array_mut().unwrap();
    changes.retain(|change| change["action"] != "none");
    changes[0]["body"] = json!("(the body)");
    insta::assert_json_snapshot!(document);
}

#[test]
fn another_maximum_is_an_update_in_place_of_the_same_image() {
    let (_, mut cloud) = deployed();
    let wanted = wanted(&MANIFEST.replace("max = 3", "max = 5"));
    let planned = plan(&wanted, &cloud.live());
    let change = only(&planned);
    assert_eq!((change.action, change.cause), (Action::Update, Cause::Intent));
    assert_eq!(paths(change), ["properties.template.scale.maxReplicas"]);
    assert_eq!((&change.properties[0].from, &change.properties[0].to), (&json!(3), &json!(5)));
    let mut left = Vec::new();
    change.body.expressions(&mut left);
    assert!(left.is_empty(), "everything is settled before the first request: {left:?}");
    insta::assert_snapshot!(render(&planned, Detail::Properties, false));
    cloud.apply(&planned);
    assert_eq!(cloud.revisions[&web()].len(), 2);
    // And back again: the name of the first revision is taken.
    let back = self::wanted(MANIFEST);
    cloud.apply(&plan(&back, &cloud.live()));
    assert_eq!(cloud.revisions[&web()].len(), 3);
    assert!(plan(&back, &cloud.live()).is_empty());
}

#[test]
fn an_edited_source_is_a_new_image_and_a_new_revision() {
    let (wanted, mut cloud) = deployed();
    cloud.images.clear();
    let planned = plan(&wanted, &cloud.live());
    let change = only(&planned);
    assert_eq!(paths(change), ["properties.template.containers[web].image"]);
    assert_eq!(change.properties[0].to, json!(UNKNOWN));
    assert!(matches!(change.body.at(revision::SUFFIX), Some(Body::Expression(_))));
    insta::assert_snapshot!(render(&planned, Detail::Properties, false));
    cloud.images.insert("web".to_owned(), "crx.azurecr.io/web@sha256:new".to_owned());
    cloud.apply(&planned);
    assert_eq!(cloud.revisions[&web()].len(), 2);
    assert!(plan(&wanted, &cloud.live()).is_empty());
}

#[test]
fn ingress_alone_makes_no_revision() {
    let (_, mut cloud) = deployed();
    let text = MANIFEST.replace("port    = 8000", "port    = 8000\ningress = { affinity = true }");
    let planned = plan(&wanted(&text), &cloud.live());
    let change = only(&planned);
    assert_eq!(paths(change), ["properties.configuration.ingress.stickySessions.affinity"]);
    let live =
        cloud.resources[&web()]["properties"]["template"]["revisionSuffix"].as_str().unwrap().to_owned();
    assert_eq!(suffix(&change.body), Some(live.as_str()));
    cloud.apply(&planned);
    assert_eq!(cloud.revisions[&web()].len(), 1);
}

#[test]
fn a_new_version_of_a_secret_is_a_new_revision() {
    let (wanted, mut cloud) = deployed();
    let key = (address("vault.main"), "database-url".to_owned());
    cloud.secrets.insert(key, "https://kv.vault.azure.net/secrets/database-url/00000002".to_owned());
    let planned = plan(&wanted, &cloud.live());
    let change = only(&planned);
    assert_eq!(paths(change), ["properties.configuration.secrets[database-url].keyVaultUrl"]);
    assert!(change.properties[0].from.as_str().unwrap().ends_with("00000001"));
    assert!(change.properties[0].to.as_str().unwrap().ends_with("00000002"));
    cloud.apply(&planned);
    assert_eq!(cloud.revisions[&web()].len(), 2);
}

#[test]
fn a_secret_that_nobody_set_is_named() {
    let (wanted, mut cloud) = deployed();
    cloud.secrets.clear();
    let planned = plan(&wanted, &cloud.live());
    let missing: Vec<_> =
        planned.missing_secrets.iter().map(|m| (m.vault.as_str(), m.secret.as_str())).collect();
    assert_eq!(missing, [("vault.main", "database-url")]);
    insta::assert_snapshot!(render(&planned, Detail::Resources, false));
}

#[test]
fn what_somebody_changed_is_drift() {
    let (wanted, mut cloud) = deployed();
    let app = cloud.resources.get_mut(&web()).unwrap();
    app["properties"]["template"]["scale"]["maxReplicas"] = json!(9);
    app["properties"]["template"]["containers"][0]["env"]
        .as_array_mut()
        .unwrap()
        .push(json!({"name": "DEBUG", "value": "1"}));
    let planned = plan(&wanted, &cloud.live());
    let change = only(&planned);
    assert_eq!((change.action, change.cause), (Action::Update, Cause::Drift));
    assert_eq!(
        paths(change),
        ["properties.template.containers[web].env[DEBUG]", "properties.template.scale.maxReplicas"]
    );
    insta::assert_snapshot!(render(&planned, Detail::Properties, false));
    cloud.apply(&planned);
    assert!(plan(&wanted, &cloud.live()).is_empty());
}

#[test]
fn drift_and_intent_together_are_told_apart() {
    let (_, mut cloud) = deployed();
    cloud.resources.get_mut(&web()).unwrap()["properties"]["template"]["scale"]["minReplicas"] = json!(2);
    let planned = plan(&wanted(&MANIFEST.replace("max = 3", "max = 5")), &cloud.live());
    let change = only(&planned);
    let causes: Vec<_> =
        change.properties.iter().map(|p| (p.path.rsplit('.').next().unwrap(), p.cause)).collect();
    assert_eq!(causes, [("minReplicas", Cause::Drift), ("maxReplicas", Cause::Intent)]);
    assert_eq!(change.cause, Cause::Intent);
}

#[test]
fn what_others_set_is_sent_back() {
    let (_, mut cloud) = deployed();
    let app = cloud.resources.get_mut(&web()).unwrap();
    app["tags"]["cost-centre"] = json!("42");
    app["properties"]["configuration"]["ingress"]["customDomains"] = json!([{"name": "hello.example", "bindingType": "SniEnabled", "certificateId": "/subscriptions/x/cert"}]);
    app["identity"]["type"] = json!("SystemAssigned, UserAssigned");
    app["identity"]["userAssignedIdentities"]["/subscriptions/x/other"] = json!({"principalId": "p"});
    assert!(plan(&wanted(MANIFEST), &cloud.live()).is_empty(), "none of it is ours to judge");
    let planned = plan(&wanted(&MANIFEST.replace("max = 3", "max = 5")), &cloud.live());
    let change = only(&planned);
    assert_eq!(paths(change), ["properties.template.scale.maxReplicas"]);
    let sent = revision::finish(&change.body, None, &|_: &Expression| None).unwrap();
    assert_eq!(sent["tags"]["cost-centre"], "42");
    assert_eq!(sent["properties"]["configuration"]["ingress"]["customDomains"][0]["name"], "hello.example");
    assert_eq!(sent["identity"]["userAssignedIdentities"]["/subscriptions/x/other"], json!({}));
    assert_eq!(sent["identity"]["userAssignedIdentities"].as_object().unwrap().len(), 2);
    assert_eq!(sent["identity"]["type"], "SystemAssigned,UserAssigned");
    // It is not remembered as ours, or the next plan would take it away.
    let applied = revision::applied(&change.body, &sent);
    assert_eq!(applied["tags"].get("cost-centre"), None);
    assert_eq!(applied["properties"]["configuration"]["ingress"].get("customDomains"), None);
    cloud.apply(&planned);
    assert!(plan(&wanted(&MANIFEST.replace("max = 3", "max = 5")), &cloud.live()).is_empty());
    let kept = &cloud.resources[&web()]["properties"]["configuration"]["ingress"]["customDomains"];
    assert_eq!(kept[0]["bindingType"], "SniEnabled");
}

#[test]
fn what_the_manifest_no_longer_says_goes() {
    let tagged = MANIFEST.replace("region =", "tags = { team = \"a\" }\nregion =");
    let before = wanted(&tagged);
    let mut cloud = Cloud::default();
    cloud.provide(&before);
    cloud.apply(&plan(&before, &cloud.live()));
    let after = MANIFEST.replace("secrets = { DATABASE_URL = \"database-url\" }\n", "");
    let planned = plan(&wanted(&after), &cloud.live());
    let change = planned.get(&web()).unwrap();
    assert_eq!(
        paths(change),
        [
            "tags.team",
            "properties.configuration.secrets",
            "properties.template.containers[web].env[DATABASE_URL]",
        ]
    );
    assert!(
        change.properties.iter().all(|property| property.cause == Cause::Intent && property.to.is_null())
    );
    assert_eq!(change.body.at("tags.team"), None);
}

#[test]
fn another_region_is_a_replacement_and_takes_with_it_what_lies_inside() {
    let (wanted, mut cloud) = deployed();
    let storage = address("storage.store");
    cloud.resources.get_mut(&storage).unwrap()["location"] = json!("northeurope");
    let planned = plan(&wanted, &cloud.live());
    let renewed: Vec<_> = planned
        .changes
        .iter()
        .filter(|change| matches!(change.action, Action::Replace | Action::Create))
        .map(|change| (change.address.as_str(), change.action))
        .collect();
    assert_eq!(
        renewed,
        [
            ("storage.store", Action::Replace),
            ("blobService.store", Action::Create),
            ("blobContainer.store.files", Action::Create),
            ("roleAssignment.web.store", Action::Create),
        ]
    );
    assert!(planned.get(&storage).unwrap().holds_data);
    assert!(planned.get(&storage).unwrap().reason.as_ref().unwrap().contains("another region"));
    insta::assert_snapshot!(render(&planned, Detail::Properties, false));
    cloud.apply(&planned);
    assert!(plan(&wanted, &cloud.live()).is_empty());
}

#[test]
fn an_environment_made_anew_takes_its_apps_with_it() {
    let (wanted, mut cloud) = deployed();
    let environment = address("containerEnvironment.main");
    cloud.resources.get_mut(&environment).unwrap()["properties"]["zoneRedundant"] = json!(true);
    let planned = plan(&wanted, &cloud.live());
    assert_eq!(planned.get(&environment).unwrap().action, Action::Replace);
    let app = planned.get(&web()).unwrap();
    assert_eq!(app.action, Action::Replace);
    assert_eq!(app.reason.as_deref(), Some("it is tied to containerEnvironment.main, which is made anew"));
}

#[test]
fn an_identity_made_anew_takes_its_roles_with_it() {
    let (wanted, mut cloud) = deployed();
    cloud.resources.remove(&address("identity.web"));
    let planned = plan(&wanted, &cloud.live());
    let identity = planned.get(&address("identity.web")).unwrap();
    assert_eq!((identity.action, identity.cause), (Action::Create, Cause::Drift));
    for role in ["registry", "vault", "store"] {
        let role = planned.get(&address(&format!("roleAssignment.web.{role}"))).unwrap();
        assert_eq!(role.action, Action::Replace);
        assert_eq!(role.properties[0].to, json!(UNKNOWN));
    }
    assert_eq!(
        paths(planned.get(&web()).unwrap()),
        ["properties.template.containers[web].env[AZURE_CLIENT_ID].value"]
    );
}

#[test]
fn what_is_nobodys_is_adopted_and_what_is_anothers_is_named() {
    let (wanted, mut cloud) = deployed();
    cloud.resources.get_mut(&address("resourceGroup.main")).unwrap()["tags"] = json!({"team": "a"});
    cloud.resources.get_mut(&address("vault.main")).unwrap()["tags"]["landfall-app"] = json!("other");
    let planned = plan(&wanted, &cloud.live());
    let group = planned.get(&address("resourceGroup.main")).unwrap();
    assert_eq!(group.action, Action::Adopt);
    assert_eq!(group.body.at("tags.team"), Some(&Body::Kept(json!("a"))));
    let vault = planned.get(&address("vault.main")).unwrap();
    assert_eq!(vault.action, Action::Adopt);
    assert!(vault.reason.as_ref().unwrap().contains("application `other`"), "{:?}", vault.reason);
}

#[test]
fn a_failed_change_is_tried_again_under_a_new_name() {
    let (wanted, mut cloud) = deployed();
    let app = cloud.resources.get_mut(&web()).unwrap();
    app["properties"]["provisioningState"] = json!("Failed");
    let live = app["properties"]["template"]["revisionSuffix"].as_str().unwrap().to_owned();
    let planned = plan(&wanted, &cloud.live());
    let change = only(&planned);
    assert_eq!(change.action, Action::Update);
    assert_eq!(change.reason.as_deref(), Some("its last change ended as Failed"));
    assert_ne!(suffix(&change.body), Some(live.as_str()));
    cloud.apply(&planned);
    assert!(plan(&wanted, &cloud.live()).is_empty());
}

#[test]
fn a_revision_that_never_became_ready_is_not_nothing_to_change() {
    let (wanted, mut cloud) = deployed();
    cloud.resources.get_mut(&web()).unwrap()["properties"]["latestReadyRevisionName"] = json!("ca--older");
    let planned = plan(&wanted, &cloud.live());
    assert!(only(&planned).reason.as_ref().unwrap().contains("never became ready"));
}

#[test]
fn what_is_no_longer_wanted_goes_last_and_in_order() {
    let (wanted, cloud) = deployed();
    let stray = |resource_type: &str, name: &str| Stray {
        id: format!("/subscriptions/s/resourceGroups/rg/providers/{resource_type}/{name}"),
        resource_type: resource_type.to_owned(),
        api_version: "2026-01-01".to_owned(),
        name: name.to_owned(),
        location: None,
        tags: Default::default(),
    };
    let strays = vec![
        stray("Microsoft.ManagedIdentity/userAssignedIdentities", "id-old"),
        stray("Microsoft.KeyVault/vaults", "kv-old"),
        stray("Microsoft.App/containerApps", "ca-old"),
        stray("Microsoft.App/managedEnvironments", "cae-old"),
    ];
    let live = Live { strays, ..cloud.live() };
    let mut newer = cloud.clone();
    newer.images.clear();
    let live = Live { images: newer.images, ..live };
    let planned = plan(&wanted, &live);
    let deleted: Vec<_> = planned
        .changes
        .iter()
        .filter(|change| change.action == Action::Delete)
        .map(|change| (change.address.as_str(), change.holds_data, change.depends_on.len()))
        .collect();
    assert_eq!(
        deleted,
        [
            ("containerApp.ca-old", false, 1),
            ("containerEnvironment.cae-old", false, 2),
            ("vault.kv-old", true, 3),
            ("identity.id-old", false, 4),
        ]
    );
    insta::assert_snapshot!(render(&planned, Detail::Resources, false));
}

#[test]
fn a_deleted_namesake_matters_when_the_name_is_wanted() {
    let (wanted, mut cloud) = deployed();
    let deleted = SoftDeleted {
        address: address("vault.main"),
        name: "kv-hello".to_owned(),
        id: "/subscriptions/s/providers/Microsoft.KeyVault/locations/westeurope/deletedVaults/kv-hello"
            .to_owned(),
        location: "westeurope".to_owned(),
        deleted_at: None,
        purge_at: Some("2026-12-01T00:00:00Z".to_owned()),
        purge_protected: false,
    };
    let live = Live { soft_deleted: vec![deleted.clone()], ..cloud.live() };
    assert!(plan(&wanted, &live).soft_deleted.is_empty());
    cloud.resources.remove(&address("vault.main"));
    let live = Live { soft_deleted: vec![deleted.clone()], ..cloud.live() };
    let planned = plan(&wanted, &live);
    assert_eq!(planned.soft_deleted, [deleted]);
    assert!(render(&planned, Detail::Resources, false).contains("recover or purge it"));
}

#[test]
fn a_rotated_key_is_told_by_its_fingerprint_and_never_shown() {
    let (wanted, cloud) = deployed();
    let environment = address("containerEnvironment.main");
    let key = (address("workspace.main"), "primarySharedKey".to_owned());
    let with = |key_now: &str| {
        let keys = [(key.clone(), revision::fingerprint(key_now))].into();
        Live { keys, ..cloud.live() }
    };
    assert!(plan(&wanted, &with("the key of the workspace")).is_empty());
    let planned = plan(&wanted, &with("another key"));
    let change = only(&planned);
    assert_eq!(change.address, environment);
    assert_eq!(paths(change), ["properties.appLogsConfiguration.logAnalyticsConfiguration.sharedKey"]);
    let said = serde_json::to_string(&(&planned, &cloud.applied)).unwrap();
    assert!(!said.contains("key of the workspace") && !said.contains("another key"));
}

#[test]
fn a_tag_in_another_case_is_the_same_tag() {
    let (wanted, mut cloud) = deployed();
    let group = cloud.resources.get_mut(&address("resourceGroup.main")).unwrap();
    group["tags"] = json!({"Landfall-App": "hello", "LANDFALL-ENV": "dev"});
    assert!(plan(&wanted, &cloud.live()).is_empty());
}

#[test]
fn the_basis_moves_with_the_world_and_not_with_stamps() {
    let (wanted, mut cloud) = deployed();
    let before = plan(&wanted, &cloud.live()).basis;
    cloud.resources.get_mut(&web()).unwrap()["etag"] = json!("W/\"7\"");
    assert_eq!(plan(&wanted, &cloud.live()).basis, before);
    cloud.resources.get_mut(&web()).unwrap()["properties"]["template"]["scale"]["maxReplicas"] = json!(9);
    assert_ne!(plan(&wanted, &cloud.live()).basis, before);
}

#[test]
fn colour_says_nothing_that_words_do_not() {
    let (wanted, mut cloud) = deployed();
    cloud.resources.get_mut(&address("storage.store")).unwrap()["location"] = json!("northeurope");
    let planned = plan(&wanted, &cloud.live());
    let (plain, colored) =
        (render(&planned, Detail::Properties, false), render(&planned, Detail::Properties, true));
    assert!(colored.contains('\u{1b}') && !plain.contains('\u{1b}'));
    let mut stripped = String::new();
    let mut inside = false;
    for c in colored.chars() {
        match c {
            '\u{1b}' => inside = true,
            'm' if inside => inside = false,
            c if !inside => stripped.push(c),
            _ => {}
        }
    }
    assert_eq!(stripped, plain);
}

#[test]
fn a_plan_of_nothing() {
    let (wanted, cloud) = deployed();
    let planned = plan(&wanted, &cloud.live());
    assert_eq!(planned.summary().none, planned.changes.len());
    assert_eq!(render(&planned, Detail::Properties, false), "nothing to change\n");
    let _: Value = serde_json::to_value(&planned).unwrap();
}
