//! How single operations are carried out, and what preflight finds, against a server that answers what each test
//! tells it: the turns that no healthy Azure takes.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on says where by panicking")]

// The same server as the client's own tests, so that both speak to one idea of Azure.
#[path = "../../azure/tests/wire/server.rs"]
#[allow(dead_code, reason = "these tests need a part of it")]
mod server;

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use landfall_blueprint::Body;
use landfall_deploy::work::Work;
use landfall_deploy::{Consent, Site, Target, Watch, preflight};
use landfall_engine::{Cancel, Ended, Graph, OperationKey, Report};
use serde_json::{Value, json};
use server::{FastClock, Reply, Seen, Server, arm_server, refusal, reply};

const VAULT: &str = "/subscriptions/s/resourceGroups/g/providers/Microsoft.KeyVault/vaults/kv";
const APP: &str = "/subscriptions/s/resourceGroups/g/providers/Microsoft.App/containerApps/web";

async fn site(server: &Server) -> Site {
    let arm = server.arm(&FastClock::new());
    let caller = arm.caller().await.unwrap();
    let target = Target {
        cloud: server.cloud(),
        credential: server.credential(),
        arm,
        subscription: "s".to_owned(),
        caller,
        speed: 0.02,
    };
    Site::open(target, "hello", "dev", &server.folder().join("journal.db"), server.folder().join("build"))
        .unwrap()
}

/// Carries out one operation; gives its report and what Azure was asked.
async fn carry_out(
    work: &Work,
    answer: impl FnMut(&Seen) -> Reply + Send + 'static,
) -> (Report, Vec<String>) {
    let server = arm_server(answer).await;
    let site = site(&server).await;
    let lease = site.lease("test", Duration::ZERO).await.unwrap();
    let operation = work.operation(OperationKey::new("it"), "the.resource", Duration::from_secs(1));
    let (events, _told) = tokio::sync::mpsc::unbounded_channel();
    let watch = Watch { events, cancel: Cancel::new() };
    let report =
        site.run(&lease, "test", &Value::Null, &Graph::new(vec![operation]).unwrap(), watch).await.unwrap();
    (report, server.seen().iter().map(Seen::title).collect())
}

#[track_caller]
fn done(report: &Report) {
    assert_eq!(report.operations[0].end, Some(Ended::Done), "{report:?}");
}

fn put(id: &str, resource_type: &str, replace: bool) -> Work {
    Work::Put {
        id: id.to_owned(),
        resource_type: resource_type.to_owned(),
        api_version: "2026-01-01".to_owned(),
        body: Body::from(json!({"location": "westeurope"})),
        replace,
        latest_revision: None,
        named: None,
        keys_of: BTreeMap::new(),
    }
}

#[tokio::test]
async fn what_is_gone_already_is_deleted() {
    let work = Work::Delete { id: APP.to_owned(), api_version: "2026-01-01".to_owned() };
    let (report, asked) = carry_out(&work, |_| refusal(404, "ResourceNotFound", "no")).await;
    done(&report);
    assert_eq!(asked, [format!("DELETE {APP}")]);
}

#[tokio::test]
async fn a_vault_that_is_back_is_not_recovered_again() {
    let work = Work::Recover {
        id: VAULT.to_owned(),
        api_version: "2026-02-01".to_owned(),
        location: "westeurope".to_owned(),
    };
    let (report, asked) = carry_out(&work, |_| server::json(200, json!({"id": VAULT}))).await;
    done(&report);
    assert_eq!(asked, [format!("GET {VAULT}")]);
    let (report, asked) = carry_out(&work, |seen| match seen.method.as_str() {
        "GET" => refusal(404, "ResourceNotFound", "no"),
        _ => {
            assert_eq!(seen.json()["properties"]["createMode"], "recover");
            server::json(200, json!({"id": VAULT}))
        }
    })
    .await;
    done(&report);
    assert_eq!(asked, [format!("GET {VAULT}"), format!("PUT {VAULT}")]);
}

#[tokio::test]
async fn a_name_that_is_free_is_not_purged() {
    let work = Work::Purge { name: "kv".to_owned(), location: "westeurope".to_owned() };
    let (report, asked) = carry_out(&work, |_| refusal(404, "DeletedVaultNotFound", "no")).await;
    done(&report);
    assert!(asked.iter().all(|title| title.starts_with("GET ")), "{asked:?}");
}

#[tokio::test]
async fn what_is_replaced_is_gone_before_it_is_written() {
    let mut polls = 0;
    let (report, asked) = carry_out(&put(VAULT, "Microsoft.KeyVault/vaults", true), move |seen| {
        match (seen.method.as_str(), seen.path.as_str()) {
            ("DELETE", _) => reply(202)
                .with("azure-asyncoperation", format!("https://{}/subscriptions/s/op/1", seen.host))
                .with("retry-after", "1"),
            ("GET", "/subscriptions/s/op/1") => {
                polls += 1;
                server::json(200, json!({"status": if polls < 2 { "InProgress" } else { "Succeeded" }}))
            }
            _ => server::json(200, json!({"id": VAULT})),
        }
    })
    .await;
    done(&report);
    let turns: Vec<&String> = asked.iter().filter(|title| !title.starts_with("GET ")).collect();
    assert_eq!(turns, [&format!("DELETE {VAULT}"), &format!("PUT {VAULT}")]);
    assert_eq!(report.operations[0].retries, 0);
}

#[tokio::test]
async fn the_same_role_under_another_name_will_do() {
    let work = put(
        &format!("{VAULT}/providers/x/roleAssignments/1"),
        "Microsoft.Authorization/roleAssignments",
        false,
    );
    let (report, _) = carry_out(&work, |_| refusal(409, "RoleAssignmentExists", "it exists")).await;
    done(&report);
}

#[tokio::test]
async fn a_role_that_does_not_work_yet_is_waited_for() {
    let mut writes = 0;
    let (report, _) = carry_out(&put(APP, "Microsoft.App/containerApps", false), move |seen| {
        if seen.method != "PUT" {
            return refusal(404, "ResourceNotFound", "no");
        }
        writes += 1;
        match writes {
            1 => refusal(400, "ContainerAppOperationError", "unable to pull image using Managed identity /x"),
            _ => server::json(200, json!({"id": APP})),
        }
    })
    .await;
    done(&report);
    assert_eq!(report.operations[0].retries, 1);
}

#[tokio::test]
async fn a_revision_that_failed_says_why() {
    let work = Work::Ready { id: APP.to_owned(), api_version: "2026-01-01".to_owned() };
    let (report, _) = carry_out(&work, |seen| match seen.path.rsplit('/').next() {
        Some("web") => server::json(
            200,
            json!({"id": APP, "properties": {"latestRevisionName": "web--2", "latestReadyRevisionName": "web--1"}}),
        ),
        Some("web--2") => server::json(
            200,
            json!({"properties": {"runningState": "Failed", "provisioningError": "it listens on 39871"}}),
        ),
        _ => refusal(404, "ResourceNotFound", "no"),
    })
    .await;
    let (_, failure) = report.failures().next().unwrap();
    assert!(failure.message.contains("web--2") && failure.message.contains("39871"), "{failure:?}");
}

#[tokio::test]
async fn a_provider_is_registered_and_waited_for() {
    let mut polls = 0;
    let work = Work::Register { namespace: "Microsoft.App".to_owned() };
    let (report, asked) = carry_out(&work, move |seen| {
        polls += usize::from(seen.method == "GET");
        let state = if polls < 3 { "Registering" } else { "Registered" };
        server::json(
            200,
            json!({"namespace": "Microsoft.App", "registrationState": state, "resourceTypes": []}),
        )
    })
    .await;
    done(&report);
    assert_eq!(asked.iter().filter(|title| title.starts_with("POST ")).count(), 1, "{asked:?}");
}

const MANIFEST: &str = r#"
app = "hello"
region = "westeurope"

[service.web]
host = "container-apps"
image = "mcr.microsoft.com/k8se/quickstart:latest"
port = 80
"#;

/// Surveys a subscription without this application, and gives what is in the way.
async fn obstacles(
    mut answer: impl FnMut(&Seen) -> Option<Reply> + Send + 'static,
) -> (Vec<String>, Vec<String>) {
    let server = arm_server(move |seen| {
        answer(seen).unwrap_or_else(|| {
            let path = &seen.path;
            if path.ends_with("/permissions") {
                server::json(200, json!({"value": [{"actions": ["*"], "notActions": []}]}))
            } else if path.ends_with("heckNameAvailability") {
                server::json(200, json!({"nameAvailable": true}))
            } else if path.ends_with("/resourcegroups") || path.ends_with("/resources") {
                server::json(200, json!({"value": []}))
            } else if let Some(namespace) =
                path.strip_prefix("/subscriptions/s/providers/").filter(|rest| !rest.contains('/'))
            {
                server::json(
                    200,
                    json!({"namespace": namespace, "registrationState": "Registered", "resourceTypes": []}),
                )
            } else {
                refusal(404, "ResourceNotFound", "no")
            }
        })
    })
    .await;
    let site = site(&server).await;
    let app = landfall_manifest::load("landfall.toml", MANIFEST, None).app.unwrap();
    let app = landfall_manifest::App { subscription: Some("s".to_owned()), ..app };
    let blueprint = landfall_blueprint::blueprint(&app).unwrap();
    let survey = site.survey(blueprint, BTreeMap::new(), &BTreeSet::new()).await.unwrap();
    let found = preflight::preflight(&site.target, &survey, &Consent::default()).await.unwrap();
    assert!(found.obstacles.iter().all(|obstacle| obstacle.help.is_some()), "{:?}", found.obstacles);
    let elsewhere =
        survey.elsewhere.into_iter().map(|there| format!("elsewhere: {} {}", there.group, there.region));
    let told =
        found.obstacles.into_iter().map(|obstacle| format!("{}: {}", obstacle.subject, obstacle.message));
    (elsewhere.chain(told).collect(), found.register)
}

#[tokio::test]
async fn nothing_is_in_the_way() {
    assert_eq!(obstacles(|_| None).await, (Vec::new(), Vec::new()));
}

#[tokio::test]
async fn all_that_is_in_the_way_is_found_at_once() {
    let (told, register) = obstacles(|seen| {
        let path = &seen.path;
        Some(if path.ends_with("/permissions") {
            server::json(200, json!({"value": [{"actions": ["*"], "notActions": ["Microsoft.KeyVault/*"]}]}))
        } else if path.contains("Microsoft.KeyVault/checkNameAvailability") {
            server::json(200, json!({"nameAvailable": false, "reason": "AlreadyExists", "message": "it is taken"}))
        } else if path.ends_with("/providers/Microsoft.App") {
            server::json(
                200,
                json!({"namespace": "Microsoft.App", "registrationState": "Unregistering", "resourceTypes": []}),
            )
        } else if path.ends_with("/providers/Microsoft.ManagedIdentity") {
            server::json(
                200,
                json!({"namespace": "Microsoft.ManagedIdentity", "registrationState": "NotRegistered", "resourceTypes": []}),
            )
        } else {
            return None;
        })
    })
    .await;
    assert_eq!(register, ["Microsoft.ManagedIdentity"]);
    assert_eq!(told.len(), 3, "{told:#?}");
    assert!(
        told.iter().any(|text| text.starts_with("vault.main: the action Microsoft.KeyVault/vaults/write")),
        "{told:#?}"
    );
    assert!(told.iter().any(|text| text.contains("it is taken")), "{told:#?}");
    assert!(told.iter().any(|text| text.starts_with("Microsoft.App: ")), "{told:#?}");
}

#[tokio::test]
async fn the_same_application_under_another_region_is_seen() {
    let tags = json!({"landfall-app": "hello", "landfall-env": "dev"});
    let (told, _) = obstacles(move |seen| {
        let group = |name: &str, tags: &Value| json!({"id": format!("/subscriptions/s/resourceGroups/{name}"), "name": name, "location": "northeurope", "tags": tags});
        if seen.path.ends_with("/resourcegroups") {
            let other = json!({"landfall-app": "hello", "landfall-env": "prod"});
            return Some(server::json(200, json!({"value": [group("here", &tags), group("empty", &tags), group("prod", &other)]})));
        }
        // A group that was left for what others have in it is no application.
        let inside = seen.path.ends_with("/here/resources").then(|| group("a", &tags));
        seen.path.ends_with("/resources").then(|| server::json(200, json!({"value": Vec::from_iter(inside)})))
    })
    .await;
    assert_eq!(told, ["elsewhere: here northeurope"]);
}
