//! A plan as operations: what is done, in which order, from real manifests.

use std::collections::{BTreeMap, BTreeSet};

use landfall_blueprint::{Address, Blueprint};
use landfall_deploy::consent::{Consent, Question, SoftDeletedChoice, questions};
use landfall_deploy::{Build, Survey, destroy, source, work};
use landfall_engine::Graph;
use landfall_plan::{Live, SoftDeleted};
use serde_json::{Value, json};

const HELLO: &str = r#"
app = "hello"
region = "westeurope"

[service.web]
host = "container-apps"
source = "."
port = 8000

[resource.files]
type = "storage"
"#;

fn blueprint(text: &str) -> Blueprint {
    let loaded = landfall_manifest::load("landfall.toml", text, None);
    let app = loaded.app.unwrap_or_else(|| panic!("{:?}", loaded.diagnostics));
    landfall_blueprint::blueprint(&app).expect("the manifest has a blueprint")
}

fn survey(text: &str, live: Live) -> Survey {
    let loaded = landfall_manifest::load("landfall.toml", text, None);
    let app = loaded.app.expect("the manifest has no errors");
    let blueprint = landfall_blueprint::blueprint(&app).expect("the manifest has a blueprint");
    let builds: BTreeMap<String, Build> = source::specs(&app, std::path::Path::new("/project"))
        .into_iter()
        .map(|(service, spec)| {
            (
                service.clone(),
                Build { spec, repository: format!("hello/{service}"), tag: "source-0".to_owned() },
            )
        })
        .collect();
    let plan = landfall_plan::plan(&blueprint, &live);
    Survey { blueprint, live, plan, builds, elsewhere: Vec::new() }
}

/// For each operation, all that has to be done before it.
fn before(graph: &Graph) -> BTreeMap<String, BTreeSet<String>> {
    let direct: BTreeMap<String, Vec<String>> = graph
        .operations()
        .iter()
        .map(|operation| {
            (operation.key.to_string(), operation.needs.iter().map(ToString::to_string).collect())
        })
        .collect();
    let mut all = BTreeMap::new();
    for key in direct.keys() {
        let mut seen = BTreeSet::new();
        let mut open = direct[key].clone();
        while let Some(need) = open.pop() {
            if seen.insert(need.clone()) {
                open.extend(direct[&need].iter().cloned());
            }
        }
        all.insert(key.clone(), seen);
    }
    all
}

#[test]
fn a_first_deployment_does_everything_in_order() {
    let survey = survey(HELLO, Live::default());
    let graph = work::graph(&survey, &["Microsoft.App".to_owned()], None).expect("the graph is sound");
    let before = before(&graph);

    let written = before.keys().filter(|key| key.starts_with("put ")).count();
    assert_eq!(written, survey.blueprint.resources.len(), "{:#?}", before.keys());
    assert!(before["build web"].is_empty(), "building waits for nothing: {:?}", before["build web"]);
    for need in ["build web", "put registry.main"] {
        assert!(before["image web"].contains(need), "{:?}", before["image web"]);
    }
    let app = &before["put containerApp.web"];
    for need in ["image web", "put identity.web", "register Microsoft.App", "put resourceGroup.main"] {
        assert!(app.contains(need), "{need} is not among {app:?}");
    }
    assert!(
        app.iter().any(|need| need.starts_with("put roleAssignment.")),
        "the pull role comes first: {app:?}"
    );
    assert!(before["ready web"].contains("put containerApp.web"));
}

#[test]
fn inputs_survive_the_journal() {
    let graph = work::graph(&survey(HELLO, Live::default()), &[], None).expect("the graph is sound");
    for operation in graph.operations() {
        let text = serde_json::to_string(&operation.input).expect("an input is JSON");
        let value: Value = serde_json::from_str(&text).expect("it is read again");
        let work: work::Work = serde_json::from_value(value).expect("as the same work");
        assert_eq!(serde_json::to_value(&work).expect("work is JSON"), operation.input);
        assert_eq!(work.kind(), operation.kind);
    }
}

#[test]
fn a_soft_deleted_vault_is_a_question_and_then_an_operation() {
    let vault: Address = blueprint(HELLO).vault().expect("a vault").address.clone();
    let live = Live {
        soft_deleted: vec![SoftDeleted {
            address: vault.clone(),
            name: "kv-hello".to_owned(),
            id: "/subscriptions/s/…".to_owned(),
            location: "westeurope".to_owned(),
            deleted_at: None,
            purge_at: None,
            purge_protected: false,
        }],
        ..Live::default()
    };
    let survey = survey(HELLO, live);
    let open = questions(&survey.plan, &Consent::default());
    assert!(matches!(&open[..], [Question::SoftDeleted(deleted)] if deleted.address == vault), "{open:?}");

    for (choice, key) in [(SoftDeletedChoice::Recover, "recover"), (SoftDeletedChoice::Purge, "purge")] {
        let consent = Consent { soft_deleted: Some(choice), ..Consent::default() };
        assert!(questions(&survey.plan, &consent).is_empty());
        let before = before(&work::graph(&survey, &[], Some(choice)).expect("the graph is sound"));
        let settled = format!("{key} {vault}");
        assert!(before[&format!("put {vault}")].contains(&settled), "{before:#?}");
        assert!(before[&settled].contains("put resourceGroup.main"), "{before:#?}");
    }
}

#[test]
fn restricted_to_the_vault_only_its_needs_remain() {
    let mut survey = survey(HELLO, Live::default());
    let vault = survey.blueprint.vault().expect("a vault").address.clone();
    survey.restrict(std::slice::from_ref(&vault));
    let graph = work::graph(&survey, &[], None).expect("the graph is sound");
    let keys: BTreeSet<String> =
        graph.operations().iter().map(|operation| operation.key.to_string()).collect();
    assert_eq!(keys, BTreeSet::from(["put resourceGroup.main".to_owned(), format!("put {vault}")]));
}

fn ruin(foreign: &[&str]) -> destroy::Ruin {
    let blueprint = blueprint(HELLO);
    let group = blueprint.resource_group();
    destroy::Ruin {
        resources: blueprint
            .resources
            .iter()
            .skip(1)
            .map(|resource| destroy::Doomed {
                address: resource.address.to_string(),
                resource_type: resource.resource_type.to_owned(),
                name: resource.name.clone(),
                id: resource.id(),
                location: "westeurope".to_owned(),
                api_version: resource.api_version.to_owned(),
                holds_data: resource.holds_data,
                needs: resource.depends_on().iter().map(ToString::to_string).collect(),
            })
            .collect(),
        group: Some((group.address.clone(), group.id(), group.api_version.to_owned())),
        foreign: foreign.iter().map(|id| (*id).to_owned()).collect(),
    }
}

#[test]
fn destroy_takes_the_group_when_all_of_it_is_ours() {
    let graph = destroy::graph(&ruin(&[]), false).expect("the graph is sound");
    let keys: Vec<String> = graph.operations().iter().map(|operation| operation.key.to_string()).collect();
    assert_eq!(keys, ["delete resourceGroup.main"]);
    let graph = destroy::graph(&ruin(&[]), true).expect("the graph is sound");
    assert_eq!(graph.operations().len(), 2, "and purges the vault when asked");
}

#[test]
fn destroy_goes_one_by_one_beside_somebody_elses_resources() {
    let before =
        before(&destroy::graph(&ruin(&["/subscriptions/s/foreign"]), false).expect("the graph is sound"));
    assert!(!before.contains_key("delete resourceGroup.main"), "the group stays: {before:?}");
    let (environment, _) =
        before.iter().find(|(key, _)| key.contains("Environment")).expect("the environment is deleted");
    assert!(
        before[environment].contains("delete containerApp.web"),
        "users go before what they use: {before:#?}"
    );
}

#[test]
fn losing_data_is_asked_by_name_and_a_vault_counts_only_when_purged() {
    let ruin = ruin(&[]);
    let types = |purge| {
        ruin.losses(purge).into_iter().map(|doomed| doomed.resource_type.clone()).collect::<BTreeSet<_>>()
    };
    assert!(types(false).contains("Microsoft.Storage/storageAccounts"));
    assert!(!types(false).contains("Microsoft.KeyVault/vaults"));
    assert!(types(true).contains("Microsoft.KeyVault/vaults"));

    let consent = Consent { data_loss: BTreeSet::from(["files".to_owned()]), ..Consent::default() };
    assert!(consent.allows_loss("storage.files", "sthello"));
    assert!(!consent.allows_loss("storage.other", "sthello"));
}

#[test]
fn a_deployed_application_needs_no_operations() {
    // What was applied is live as it was sent: see the plan's own tests for Azure's habits.
    let blueprint = blueprint(HELLO);
    let mut live = Live { tenant: Some("t".to_owned()), ..Live::default() };
    live.images.insert("web".to_owned(), "r.azurecr.io/hello/web@sha256:0".to_owned());
    for resource in &blueprint.resources {
        let lookup = |expression: &landfall_blueprint::Expression| match expression {
            landfall_blueprint::Expression::Id { of } => blueprint.get(of).map(|r| json!(r.id())),
            landfall_blueprint::Expression::Image { service } => {
                live.images.get(service).map(|image| json!(image))
            }
            landfall_blueprint::Expression::Tenant => Some(json!("t")),
            landfall_blueprint::Expression::Property { .. }
            | landfall_blueprint::Expression::ListKeys { .. } => Some(json!("known")),
            _ => None,
        };
        let mut body = landfall_plan::revision::finish(&resource.body, None, &lookup).expect("all is known");
        body["id"] = json!(resource.id());
        body["properties"]["principalId"] = json!("known");
        body["properties"]["clientId"] = json!("known");
        body["properties"]["customerId"] = json!("known");
        body["properties"]["loginServer"] = json!("known");
        live.resources.insert(resource.address.clone(), body);
    }
    let survey = survey(HELLO, live);
    let changed: Vec<_> = survey
        .plan
        .changes
        .iter()
        .filter(|change| change.action != landfall_plan::Action::None)
        .map(|change| (&change.address, &change.properties))
        .collect();
    assert!(changed.is_empty(), "{changed:#?}");
    assert!(work::graph(&survey, &[], None).expect("the graph is sound").is_empty());
}
