//! What a blueprint promises, for Apps of all shapes.
#![allow(clippy::unwrap_used, reason = "a test")]
#![allow(missing_docs)]

mod apps;

use std::collections::{BTreeMap, BTreeSet};

use landfall_blueprint::{Address, Blueprint, Body, Expression, TAG_APP, TAG_ENV, blueprint, template};
use landfall_manifest::{App, load};
use proptest::prelude::*;
use serde_json::{Value, json};

fn app(text: &str, environment: Option<&str>) -> App {
    let loaded = load("landfall.toml", text, environment);
    loaded.app.unwrap_or_else(|| panic!("{:#?}", loaded.diagnostics))
}

fn made(text: &str) -> Blueprint {
    blueprint(&app(text, None)).unwrap_or_else(|problems| panic!("{problems:#?}"))
}

const HELLO: &str = r#"
app    = "hello"
region = "westeurope"

[service.web]
host    = "container-apps"
source  = "."
port    = 8000
"#;

const FULL: &str = r#"
app    = "talenti"
region = "australiaeast"
tags   = { owner = "people", "cost centre" = "42" }

[service.api]
host    = "container-apps"
source  = "."
port    = 8000
cpu     = 1.0
memory  = "2Gi"
scale   = { min = 2, max = 10, http = 100, cpu = 70, memory = 80 }
probes  = { live = "/health/live", ready = "/health/ready", start = "/health/live" }
ingress = { public = true, allow = ["203.0.113.0/24"], cors = ["https://talenti.app"] }
uses    = { store = "write", keys = "read" }
env     = { LOG_LEVEL = "INFO", BUCKET = "${resource.store.endpoint}files", WORKER = "${service.worker.url}", ODD = "[not an expression]" }
secrets = { DATABASE_URL = "database-url", JWT_SECRET = "jwt-secret" }

[service.worker]
source  = "./worker"
host    = "container-apps"
port    = 9000
ingress = { public = false }
scale   = { min = 1, max = 5 }
env     = { API = "${service.api.url}" }

[service.cache]
image   = "docker.io/library/redis:8"
host    = "container-apps"
command = ["redis-server", "--save", ""]
scale   = { min = 1, max = 1 }

[resource.keys]
type = "vault"

[resource.images]
type = "registry"
sku  = "premium"

[resource.store]
type        = "storage"
replication = "zrs"
containers  = ["files", "transcripts"]
soft_delete = "30d"
versioning  = true
lifecycle   = [{ containers = ["transcripts"], cool = "30d", delete = "90d" }]
body        = { properties = { allowedCopyScope = "AAD" } }

[environment.prod]
tier = "prod"
subscription = "11111111-2222-3333-4444-555555555555"
"#;

#[test]
fn eight_lines_of_manifest() {
    insta::assert_json_snapshot!(template::template(&made(HELLO)));
}

#[test]
fn everything_at_once_in_production() {
    let made = blueprint(&app(FULL, Some("prod"))).unwrap();
    insta::assert_json_snapshot!(template::template(&made));
}

#[test]
fn an_apps_role_and_its_environment_come_first() {
    let made = blueprint(&app(FULL, Some("prod"))).unwrap();
    let order: BTreeMap<String, Vec<String>> = made
        .resources
        .iter()
        .map(|r| (r.address.to_string(), r.depends_on().iter().map(Address::to_string).collect()))
        .collect();
    insta::assert_json_snapshot!(order);
}

#[test]
fn the_subscription_changes_only_ids_and_global_names() {
    let here = made(HELLO);
    let mut there = app(HELLO, None);
    there.subscription = Some(apps::SUBSCRIPTION.to_owned());
    let there = blueprint(&there).unwrap();
    for (one, other) in here.resources.iter().zip(&there.resources) {
        assert_ne!(one.id(), other.id());
        let global = ["registry", "vault", "storage"].contains(&one.address.kind());
        let named_by_ids = one.address.kind() == "roleAssignment";
        assert_eq!(one.name != other.name, global || named_by_ids, "{}", one.address);
    }
}

#[test]
fn purge_protection_is_said_only_in_production() {
    for (environment, wanted) in [("dev", None), ("staging", None), ("prod", Some(Body::Bool(true)))] {
        let mut app = app(FULL, Some("prod"));
        app.resources.remove("keys");
        app.alerts.clear();
        app.services.values_mut().for_each(|service| {
            service.uses.remove("keys");
        });
        app.tier = landfall_manifest::Tier::from_word(environment).unwrap();
        let made = blueprint(&app).unwrap();
        assert_eq!(made.vault().unwrap().body.at("properties.enablePurgeProtection"), wanted.as_ref());
    }
}

#[test]
fn a_worker_has_no_ingress_and_no_probes() {
    let made = blueprint(&app(FULL, Some("prod"))).unwrap();
    let cache = &made.service("cache").unwrap().body;
    assert_eq!(cache.at("properties.configuration.ingress"), None);
    let Some(Body::Array(containers)) = cache.at("properties.template.containers") else { panic!() };
    assert_eq!(containers[0].get("probes"), None);
    // An image keeps its registry to itself, and needs no role of ours there.
    let roles = made.resources.iter().map(|r| r.address.as_str());
    let roles: Vec<&str> = roles.filter(|address| address.starts_with("roleAssignment.cache")).collect();
    assert_eq!(roles, ["roleAssignment.cache.insights"]);
}

#[test]
fn the_command_of_a_built_service_is_in_its_image() {
    let mut app = app(HELLO, None);
    app.services.get_mut("web").unwrap().command = Some(vec!["serve".to_owned()]);
    let made = blueprint(&app).unwrap();
    let Some(Body::Array(containers)) =
        made.service("web").unwrap().body.at("properties.template.containers")
    else {
        panic!()
    };
    assert_eq!(containers[0].get("command"), None);
}

#[test]
fn what_stands_in_the_way_is_said_all_at_once() {
    let mut app = app(FULL, Some("prod"));
    app.name = "microsoft-hello".to_owned();
    let over =
        json!({"name": "mine", "tags": {"landfall-app": "other"}, "properties": {"publicAccess": true}});
    app.resources.get_mut("store").unwrap().body = Some(over);
    let another = app.resources["keys"].clone();
    app.resources.insert("more-keys".to_owned(), another);
    let problems = blueprint(&app).unwrap_err();
    let said: Vec<(&str, &str)> = problems.iter().map(|p| (p.code, p.path.as_str())).collect();
    assert_eq!(
        said,
        [
            ("LF1504", "service.api.secrets"),
            ("LF1502", "app"),
            ("LF1503", "resource.store.body.name"),
            ("LF1503", "resource.store.body.tags"),
        ]
    );
    app.region = "atlantis".to_owned();
    assert_eq!(blueprint(&app).unwrap_err()[0].code, "LF1501");
}

#[test]
fn every_region_of_the_manifest_has_a_code() {
    let schema = landfall_manifest::schema();
    let mut regions = BTreeSet::new();
    strings(&schema, &mut |text| {
        if landfall_blueprint::region::find(text).is_some() {
            regions.insert(text.to_owned());
        }
    });
    // The manifest's list is closed: what it takes is what this room knows.
    for region in landfall_blueprint::region::REGIONS {
        let text = HELLO.replace("westeurope", region.name);
        let loaded = load("landfall.toml", &text, None);
        if let Some(app) = loaded.app {
            assert!(blueprint(&app).is_ok(), "{}", region.name);
        }
    }
    assert!(regions.contains("westeurope"), "the schema names the regions");
}

fn strings(value: &Value, see: &mut dyn FnMut(&str)) {
    match value {
        Value::String(text) => see(text),
        Value::Array(items) => items.iter().for_each(|item| strings(item, see)),
        Value::Object(map) => map.values().for_each(|value| strings(value, see)),
        _ => {}
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn every_blueprint_holds_together(app in apps::any_app()) {
        let made = blueprint(&app).map_err(|problems| TestCaseError::fail(format!("{problems:#?}")))?;
        let mut seen = BTreeSet::new();
        let mut ids = BTreeSet::new();
        for resource in &made.resources {
            for needed in resource.depends_on() {
                prop_assert!(seen.contains(&needed), "{} before {needed}", resource.address);
            }
            prop_assert!(seen.insert(resource.address.clone()), "twice: {}", resource.address);
            prop_assert!(ids.insert(resource.id().to_lowercase()), "twice: {}", resource.id());
            if let Some(tags) = resource.body.get("tags") {
                prop_assert_eq!(tags.get(TAG_APP).and_then(Body::as_str), Some(app.name.as_str()));
                prop_assert_eq!(tags.get(TAG_ENV).and_then(Body::as_str), Some(app.environment.as_str()));
            }
        }
        for (name, service) in &app.services {
            let app = &made.service(name).unwrap().body;
            let waits = made.service(name).unwrap().depends_on();
            for address in made.resources.iter().map(|r| &r.address) {
                let own = address.kind() == "roleAssignment"
                    && address.name().split('.').next() == Some(name.as_str());
                prop_assert!(!own || waits.contains(address), "{name} does not wait for {address}");
            }
            prop_assert_eq!(app.at("properties.configuration.ingress").is_some(), service.port.is_some());
        }
        prop_assert_eq!(&made, &blueprint(&app).unwrap());
    }

    #[test]
    fn a_body_survives_being_written_and_read(app in apps::any_app()) {
        for resource in blueprint(&app).unwrap().resources {
            let text = serde_json::to_string(&resource.body).unwrap();
            prop_assert_eq!(&serde_json::from_str::<Body>(&text).unwrap(), &resource.body);
        }
    }

    #[test]
    fn a_template_has_no_brackets_that_a_user_wrote(text in "[ -~]{0,12}") {
        let object = landfall_blueprint::object([("value", text.as_str().into())]);
        let made = made(HELLO);
        let written = template::json(&made, &object);
        let written = written["value"].as_str().unwrap();
        prop_assert!(!written.starts_with('[') || written.starts_with("[["));
        prop_assert_eq!(written.strip_prefix('[').filter(|_| text.starts_with('[')).unwrap_or(written), &text);
    }
}

#[test]
fn a_key_that_looks_like_ours_is_a_users() {
    let body =
        Body::from(json!({"$expression": {"kind": "tenant"}, "$kept": 1, "$$x": [{"$expression": 2}]}));
    let text = serde_json::to_string(&body).unwrap();
    assert_eq!(serde_json::from_str::<Body>(&text).unwrap(), body);
    let ours = Body::from(Expression::Tenant);
    assert_eq!(serde_json::from_str::<Body>(&serde_json::to_string(&ours).unwrap()).unwrap(), ours);
}

#[test]
fn a_concat_is_filled_in_when_all_of_it_is_known() {
    let keys: Address = "vault.keys".parse().unwrap();
    let body = Body::from(Expression::Concat {
        of: vec!["a-".into(), Expression::property(&keys, "properties.vaultUri").into(), "-b".into()],
    });
    let nothing = |_: &Expression| None;
    assert!(body.resolve(&nothing).to_json().is_err());
    let known = |_: &Expression| Some(json!("X"));
    assert_eq!(body.resolve(&known).to_json().unwrap(), json!("a-X-b"));
}

#[test]
fn a_declared_resource_may_have_the_name_of_one_that_nobody_declared() {
    // `main` is what an undeclared registry and vault are called.
    for (kind, access) in [("vault", "read"), ("registry", "pull"), ("storage", "read")] {
        let blueprint = made(&format!(
            "app = \"hello\"\nregion = \"westeurope\"\n[service.web]\nhost = \"container-apps\"\nsource = \".\"\n\
             uses = {{ main = \"{access}\" }}\nsecrets = {{ TOKEN = \"token\" }}\n[resource.main]\ntype = \"{kind}\"\n"
        ));
        let addresses: Vec<&str> = blueprint.resources.iter().map(|one| one.address.as_str()).collect();
        let different: BTreeSet<&&str> = addresses.iter().collect();
        assert_eq!(different.len(), addresses.len(), "{kind}: {addresses:?}");
    }
}
