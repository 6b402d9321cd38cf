//! Rules of Container Apps, by requests to Resource Manager and by what the runtime would see.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

use super::{Observation, Seen, desired, reachable};
use crate::world::{Body, Config, Input, Method, Plane, Request, Response, World, entra};

const GROUP: &str = "/subscriptions/22222222-2222-2222-2222-222222222222/resourceGroups/rg";

struct Stage {
    world: World,
    now: Timestamp,
    count: u32,
}

struct Answer {
    status: u16,
    headers: BTreeMap<String, String>,
    body: Value,
}

impl Answer {
    fn code(&self) -> &str {
        self.body["error"]["code"].as_str().unwrap_or_default()
    }
}

fn answer(response: Response) -> Answer {
    let body = match response.body {
        Body::Bytes(bytes) => serde_json::from_slice(&bytes).unwrap_or(Value::Null),
        _ => Value::Null,
    };
    let headers =
        response.headers.into_iter().map(|(name, value)| (name.to_ascii_lowercase(), value)).collect();
    Answer { status: response.status, headers, body }
}

fn environment() -> String {
    format!("{GROUP}/providers/Microsoft.App/managedEnvironments/env")
}

fn app() -> String {
    format!("{GROUP}/providers/Microsoft.App/containerApps/web")
}

fn body(image: &str) -> Value {
    json!({"location": "westeurope", "properties": {
        "environmentId": environment(),
        "configuration": {"ingress": {"external": true, "targetPort": 8080}},
        "template": {"containers": [{"name": "web", "image": image, "env": null, "resources": {"cpu": 0.25, "memory": "0.5Gi"}}], "scale": null},
    }})
}

impl Stage {
    /// With a group and an environment that is ready.
    fn new() -> Stage {
        let now: Timestamp = "2026-11-21T12:00:00Z".parse().unwrap();
        let mut stage = Stage { world: World::new(Config::new(7, 1.0, 8443), now), now, count: 0 };
        assert_eq!(stage.put(GROUP, json!({"location": "westeurope"})).status, 201);
        let body = json!({"location": "westeurope", "properties": {"appLogsConfiguration": {"destination": "none"}, "workloadProfiles": [{"Name": "Consumption", "workloadProfileType": "Consumption"}]}});
        let begun = stage.put(&environment(), body);
        assert_eq!(begun.status, 201, "{}", begun.body);
        stage.pass(600);
        let made = stage.get(&environment());
        assert_eq!(made.body["properties"]["provisioningState"], "Succeeded", "{}", made.body);
        stage
    }

    fn pass(&mut self, seconds: i64) {
        self.now += SignedDuration::from_secs(seconds);
        self.world.apply(Input::Tick, self.now);
    }

    fn send(&mut self, method: Method, path: &str, body: Value) -> Answer {
        self.count += 1;
        let owner = self.world.entra.by_client(&self.world.config.client_id.clone()).unwrap().clone();
        let token = entra::issue(&self.world, &owner, &self.world.config.origin()).access_token;
        let (path, query) = path.split_once('?').unwrap_or((path, "api-version=2025-07-01"));
        let request = Request {
            plane: Plane::Arm,
            method,
            origin: self.world.config.origin(),
            path: path.to_owned(),
            query: query
                .split('&')
                .filter_map(|pair| pair.split_once('='))
                .map(|(k, v)| (k.into(), v.into()))
                .collect(),
            headers: BTreeMap::from([("authorization".to_owned(), format!("Bearer {token}"))]),
            body: if body.is_null() { Body::Empty } else { Body::Bytes(body.to_string().into_bytes()) },
            id: format!("request-{}", self.count),
        };
        answer(self.world.apply(Input::Request(request), self.now).response.unwrap())
    }

    fn get(&mut self, path: &str) -> Answer {
        self.send(Method::Get, path, Value::Null)
    }

    fn put(&mut self, path: &str, body: Value) -> Answer {
        self.send(Method::Put, path, body)
    }

    fn patch(&mut self, path: &str, body: Value) -> Answer {
        self.send(Method::Patch, path, body)
    }

    fn post(&mut self, path: &str) -> Answer {
        self.send(Method::Post, path, Value::Null)
    }

    /// What the operation that `begun` leads to says now.
    fn operation(&mut self, begun: &Answer) -> Value {
        let url = begun
            .headers
            .get("azure-asyncoperation")
            .or_else(|| begun.headers.get("location"))
            .expect("a header that leads to the operation");
        let path = url.strip_prefix("https://localhost:8443").unwrap().to_owned();
        self.get(&path).body
    }

    fn seen(&mut self, revision: &str, seen: Seen) {
        let observation = Observation { app: app().to_ascii_lowercase(), revision: revision.into(), seen };
        self.world.apply(Input::Observed(observation), self.now);
    }

    fn traffic(&self) -> Vec<(String, u32)> {
        desired(&self.world).apps[0].ingress.as_ref().unwrap().traffic.clone()
    }

    fn running(&self) -> Vec<String> {
        desired(&self.world).apps[0].revisions.iter().map(|revision| revision.revision.clone()).collect()
    }

    /// An app whose first revision is ready.
    fn with_app() -> Stage {
        let mut stage = Stage::new();
        let begun = stage.put(&app(), body("cr.azurecr.localhost:8443/web:v1"));
        assert_eq!(begun.status, 201, "{}", begun.body);
        stage.seen("web--0000001", Seen::Ready);
        stage
    }
}

fn share(name: &str, weight: u32) -> Vec<(String, u32)> {
    vec![(name.to_owned(), weight)]
}

#[test]
fn an_app_is_made_when_its_revision_works() {
    let mut stage = Stage::new();
    let begun = stage.put(&app(), body("cr.azurecr.localhost:8443/web:v1"));
    assert_eq!(begun.status, 201, "{}", begun.body);
    assert_eq!(begun.body["properties"]["provisioningState"], "InProgress");
    assert_eq!(stage.running(), ["web--0000001"]);
    assert!(stage.traffic().is_empty(), "nothing serves yet");
    stage.pass(3600);
    assert_eq!(stage.operation(&begun)["status"], "InProgress", "time alone ends nothing");

    stage.seen("web--0000001", Seen::ReplicaStarted { replica: "web--0000001-a".into() });
    stage.seen("web--0000001", Seen::ReplicaReady { replica: "web--0000001-a".into() });
    stage.seen("web--0000001", Seen::Ready);
    assert_eq!(stage.operation(&begun)["status"], "Succeeded");
    assert_eq!(stage.traffic(), share("web--0000001", 100));
    let shown = stage.get(&app()).body;
    assert!(!shown.to_string().contains("null"), "az stumbles over nulls: {shown}");
    let properties = &shown["properties"];
    assert_eq!(properties["provisioningState"], "Succeeded");
    assert_eq!(properties["latestRevisionName"], "web--0000001");
    assert_eq!(properties["latestReadyRevisionName"], "web--0000001");
    assert_eq!(properties["runningStatus"], "Running");
    assert_eq!(properties["managedEnvironmentId"], properties["environmentId"]);
    let fqdn = properties["configuration"]["ingress"]["fqdn"].as_str().unwrap();
    assert!(fqdn.starts_with("web.") && fqdn.ends_with(".westeurope.azurecontainerapps.localhost"), "{fqdn}");
    assert!(properties["eventStreamEndpoint"].as_str().unwrap().contains("/subscriptions/"));
    assert_eq!(properties["template"]["scale"], json!({"minReplicas": 0, "maxReplicas": 10}));
    assert_eq!(reachable(&stage.world).into_values().next().unwrap(), ("web".to_owned(), fqdn.to_owned()));

    let revisions = stage.get(&format!("{}/revisions", app())).body;
    let revision = &revisions["value"][0]["properties"];
    assert_eq!(
        [
            &revision["active"],
            &revision["provisioningState"],
            &revision["runningState"],
            &revision["healthState"],
            &revision["trafficWeight"],
            &revision["replicas"]
        ],
        [&json!(true), &json!("Provisioned"), &json!("Running"), &json!("Healthy"), &json!(100), &json!(1)]
    );
    let replicas = stage.get(&format!("{}/revisions/web--0000001/replicas", app())).body;
    assert_eq!(replicas["value"][0]["name"], "web--0000001-a");
    assert_eq!(replicas["value"][0]["properties"]["containers"][0]["name"], "web");
}

#[test]
fn a_template_change_makes_a_revision_and_others_do_not() {
    let mut stage = Stage::with_app();
    // What was read is written back, read-only properties and all.
    let mut echo = stage.get(&app()).body;
    let again = stage.put(&app(), echo.clone());
    assert_eq!(again.status, 200, "{}", again.body);
    stage.pass(60);
    assert_eq!(stage.running(), ["web--0000001"]);

    echo["properties"]["configuration"]["ingress"]["allowInsecure"] = json!(true);
    echo["properties"]["configuration"]["secrets"] = json!([{"name": "key", "value": "v"}]);
    let begun = stage.put(&app(), echo);
    stage.pass(60);
    assert_eq!(stage.operation(&begun)["status"], "Succeeded");
    assert_eq!(stage.running(), ["web--0000001"], "configuration is the app's, not a revision's");

    let begun = stage.patch(&app(), json!({"properties": {"template": {"scale": {"maxReplicas": 2}}}}));
    assert_eq!(begun.status, 202, "{}", begun.body);
    assert_eq!(stage.running(), ["web--0000001", "web--0000002"]);
    let during = stage.patch(&app(), json!({"tags": {"a": "b"}}));
    assert_eq!((during.status, during.code()), (409, "ContainerAppOperationInProgress"));
    assert_eq!(stage.traffic(), share("web--0000001", 100), "the old one serves until the new one is ready");
    stage.seen("web--0000002", Seen::Ready);
    assert_eq!(stage.traffic(), share("web--0000002", 100));
    assert_eq!(stage.running(), ["web--0000002"]);
    let old = stage.get(&format!("{}/revisions/web--0000001", app())).body;
    assert_eq!(old["properties"]["active"], false);

    let begun = stage.patch(&app(), json!({"properties": {"template": {"revisionSuffix": "v3"}}}));
    assert_eq!(begun.status, 202, "{}", begun.body);
    assert_eq!(stage.running(), ["web--0000002", "web--v3"]);
    stage.seen("web--v3", Seen::Ready);
    let taken = stage.patch(
        &app(),
        json!({"properties": {"template": {"revisionSuffix": "v3", "scale": {"maxReplicas": 5}}}}),
    );
    assert_eq!(taken.status, 202, "{}", taken.body);
    stage.pass(60);
    let failed = stage.operation(&taken);
    assert_eq!(failed["error"]["code"], "ContainerAppOperationError");
    assert!(failed["error"]["message"].as_str().unwrap().contains("revision with suffix v3 already exists"));
    assert_eq!(stage.traffic(), share("web--v3", 100), "what is there stays");
}

#[test]
fn a_failed_revision_fails_the_write_and_the_old_one_serves() {
    let mut stage = Stage::with_app();
    let begun = stage.patch(
        &app(),
        json!({"properties": {"template": {"revisionSuffix": "bad", "terminationGracePeriodSeconds": 5}}}),
    );
    let failed = Seen::Failed {
        code: "ContainerAppOperationError".into(),
        message: "Container 'web' was terminated".into(),
    };
    stage.seen("web--bad", failed);
    let operation = stage.operation(&begun);
    assert_eq!(
        (&operation["status"], &operation["error"]["code"]),
        (&json!("Failed"), &json!("ContainerAppOperationError"))
    );
    let shown = stage.get(&app()).body;
    assert_eq!(shown["properties"]["provisioningState"], "Failed");
    assert_eq!(shown["properties"]["latestRevisionName"], "web--bad");
    assert_eq!(shown["properties"]["latestReadyRevisionName"], "web--0000001");
    assert_eq!(stage.traffic(), share("web--0000001", 100));
    assert_eq!(stage.running(), ["web--0000001"]);
    let revision = stage.get(&format!("{}/revisions/web--bad", app())).body;
    assert_eq!(revision["properties"]["provisioningError"], "Container 'web' was terminated");

    // The same body once more: what was wrong may have been put right elsewhere.
    let begun = stage.patch(&app(), json!({"properties": {"template": {"revisionSuffix": "bad"}}}));
    assert_eq!(stage.running(), ["web--0000001", "web--bad"]);
    stage.seen("web--bad", Seen::Ready);
    assert_eq!(stage.operation(&begun)["status"], "Succeeded");
    assert_eq!(stage.running(), ["web--bad"]);
}

#[test]
fn weights_labels_and_the_latest_revision() {
    let mut stage = Stage::with_app();
    let mode =
        stage.patch(&app(), json!({"properties": {"configuration": {"activeRevisionsMode": "multiple"}}}));
    assert_eq!(mode.status, 202, "{}", mode.body);
    stage.pass(60);
    stage.patch(&app(), json!({"properties": {"template": {"revisionSuffix": "v2"}}}));
    assert_eq!(stage.traffic(), share("web--0000001", 100), "latestRevision means the latest ready one");
    stage.seen("web--v2", Seen::Ready);
    assert_eq!(stage.traffic(), share("web--v2", 100));
    assert_eq!(stage.running(), ["web--0000001", "web--v2"], "both stay active");

    let traffic = json!([{"revisionName": "web--0000001", "weight": "80"}, {"latestRevision": true, "weight": 20, "label": "canary"}]);
    let split =
        stage.patch(&app(), json!({"properties": {"configuration": {"ingress": {"traffic": traffic}}}}));
    assert_eq!(split.status, 202, "{}", split.body);
    stage.pass(60);
    assert_eq!(stage.traffic(), [("web--0000001".to_owned(), 80), ("web--v2".to_owned(), 20)]);
    let hosts = desired(&stage.world).apps[0].ingress.as_ref().unwrap().hosts.clone();
    let canary = hosts.iter().find(|(host, _)| host.starts_with("web---canary.")).unwrap();
    assert_eq!(canary.1.as_deref(), Some("web--v2"));
    let revision = stage.get(&format!("{}/revisions/web--0000001", app())).body;
    assert_eq!(revision["properties"]["trafficWeight"], 80);

    for (traffic, code) in [
        (json!([{"revisionName": "web--0000001", "weight": 80}]), "ContainerAppInvalidTrafficWeight"),
        (json!([{"revisionName": "web--nobody", "weight": 100}]), "ContainerAppTrafficRevisionNotFound"),
    ] {
        let refused =
            stage.patch(&app(), json!({"properties": {"configuration": {"ingress": {"traffic": traffic}}}}));
        assert_eq!((refused.status, refused.code()), (400, code));
    }
    stage.patch(&app(), json!({"properties": {"configuration": {"ingress": {"traffic": [{"latestRevision": true, "weight": 100}]}}}}));
    stage.pass(60);
    let done = stage.post(&format!("{}/revisions/web--0000001/deactivate", app()));
    assert_eq!((done.status, done.body.is_string()), (200, true), "az wants a body");
    assert_eq!(stage.running(), ["web--v2"]);
    stage.post(&format!("{}/revisions/web--0000001/activate", app()));
    assert_eq!(stage.running(), ["web--0000001", "web--v2"]);
    let restarts = desired(&stage.world).apps[0].revisions[1].epoch;
    stage.post(&format!("{}/revisions/web--v2/restart", app()));
    assert_eq!(desired(&stage.world).apps[0].revisions[1].epoch, restarts + 1);

    // Back to single mode: the ready one stays.
    stage.patch(&app(), json!({"properties": {"configuration": {"activeRevisionsMode": "Single"}}}));
    stage.pass(60);
    assert_eq!(stage.running(), ["web--v2"]);
    assert_eq!(stage.traffic(), share("web--v2", 100));
}

#[test]
fn secrets_are_kept_apart() {
    let mut stage = Stage::new();
    let mut secret = body("x/y:v1");
    secret["properties"]["configuration"]["secrets"] = json!([{"name": "key", "value": "hush-hush"}]);
    secret["properties"]["template"]["containers"][0]["env"] = json!([{"name": "KEY", "secretRef": "key"}]);
    let begun = stage.put(&app(), secret);
    assert_eq!(begun.status, 201, "{}", begun.body);
    assert!(!begun.body.to_string().contains("hush-hush"));
    assert!(!stage.get(&app()).body.to_string().contains("hush-hush"));
    assert_eq!(
        stage.post(&format!("{}/listSecrets", app())).body["value"],
        json!([{"name": "key", "value": "hush-hush"}])
    );
    let workload = desired(&stage.world).apps[0].revisions[0].clone();
    assert_eq!(workload.containers[0].env.as_ref().unwrap(), &[("KEY".to_owned(), "hush-hush".to_owned())]);
    assert!(!format!("{workload:?}").contains("hush-hush"));
}

#[test]
fn what_cannot_be_is_refused() {
    let mut stage = Stage::new();
    let with = |change: &dyn Fn(&mut Value)| {
        let mut changed = body("x/y:v1");
        change(&mut changed["properties"]);
        changed
    };
    for (changed, code) in [
        (with(&|p| p["environmentId"] = json!(null)), "InvalidManagedEnvironmentId"),
        (with(&|p| p["environmentId"] = json!(environment() + "x")), "ManagedEnvironmentNotFound"),
        (with(&|p| p["template"]["containers"] = json!([])), "ContainerAppCreateMustContainContainer"),
        (
            with(&|p| p["template"]["containers"][0]["resources"]["cpu"] = json!(0.3)),
            "ContainerAppInvalidResourceTotal",
        ),
        (
            with(&|p| p["template"]["scale"] = json!({"minReplicas": 5, "maxReplicas": 2})),
            "InvalidParameterValueInContainerTemplate",
        ),
        (with(&|p| p["template"]["revisionSuffix"] = json!("Up")), "ContainerAppInvalidRevisionSuffix"),
        (with(&|p| p["configuration"]["ingress"]["targetPort"] = json!(70000)), "ContainerAppInvalidIngress"),
        (
            with(
                &|p| p["configuration"]["registries"] = json!([{"server": "x.azurecr.io", "identity": format!("{GROUP}/providers/Microsoft.ManagedIdentity/userAssignedIdentities/none")}]),
            ),
            "ContainerAppIdentityNotAssigned",
        ),
    ] {
        let refused = stage.put(&app(), changed);
        assert_eq!((refused.status, refused.code()), (400, code), "{}", refused.body);
    }
    let upper = stage.put(&app().replace("/web", "/Web"), body("x/y:v1"));
    assert_eq!(upper.code(), "ContainerAppInvalidName");
    let early = stage
        .put(&environment().replace("/env", "/env2"), json!({"location": "westeurope", "properties": {}}));
    assert_eq!(early.status, 201, "{}", early.body);
    let refused = stage.put(&app(), with(&|p| p["environmentId"] = json!(environment() + "2")));
    assert_eq!((refused.status, refused.code()), (409, "ManagedEnvironmentNotReadyForAppCreation"));
    assert!(desired(&stage.world).apps.is_empty());
}

#[test]
fn an_environment_with_apps_stays_and_a_deleted_app_ends() {
    let mut stage = Stage::with_app();
    assert_eq!(stage.send(Method::Delete, &environment(), Value::Null).status, 409);
    let gone = stage.send(Method::Delete, &app(), Value::Null);
    assert_eq!(gone.status, 202);
    assert!(gone.headers.contains_key("location"), "az follows Location");
    assert!(desired(&stage.world).apps.is_empty(), "its replicas end at once");
    stage.pass(60);
    assert_eq!(stage.get(&app()).status, 404);
    assert_eq!(stage.send(Method::Delete, &environment(), Value::Null).status, 202);
}

#[test]
fn log_streams_open_with_the_apps_own_token() {
    let mut stage = Stage::with_app();
    let token = stage.post(&format!("{}/getAuthToken", app())).body["properties"]["token"]
        .as_str()
        .unwrap()
        .to_owned();
    let request = |token: &str| Request {
        plane: Plane::Arm,
        method: Method::Get,
        origin: "https://localhost:8443".into(),
        path: format!("{GROUP}/containerApps/web/revisions/web--0000001/replicas/r/containers/web/logstream"),
        query: vec![
            ("follow".into(), "true".into()),
            ("output".into(), "text".into()),
            ("tailLines".into(), "5".into()),
        ],
        headers: BTreeMap::from([("authorization".to_owned(), format!("Bearer {token}"))]),
        body: Body::Empty,
        id: "r".into(),
    };
    let query = super::stream(&stage.world, &request(&token)).unwrap().unwrap();
    assert_eq!(
        (query.app.as_str(), query.tail, query.follow, query.json),
        (app().to_ascii_lowercase().as_str(), 5, true, false)
    );
    assert_eq!(query.replica.as_deref(), Some("r"));
    assert_eq!(super::stream(&stage.world, &request("nonsense")).unwrap().unwrap_err().status, 401);
    let mut other = request(&token);
    other.path = app();
    assert!(super::stream(&stage.world, &other).is_none());
}

#[test]
fn a_stopped_app_does_not_run() {
    let mut stage = Stage::with_app();
    let stopped = stage.post(&format!("{}/stop", app()));
    assert_eq!(stopped.status, 202, "{}", stopped.body);
    assert!(stage.running().is_empty() && stage.traffic().is_empty());
    stage.pass(60);
    assert_eq!(stage.get(&app()).body["properties"]["runningStatus"], "Stopped");
    stage.post(&format!("{}/start", app()));
    assert_eq!(stage.running(), ["web--0000001"]);
}

#[test]
fn a_runtime_that_starts_anew_forgets_replicas() {
    let mut stage = Stage::with_app();
    stage.seen("web--0000001", Seen::ReplicaStarted { replica: "a".into() });
    stage.seen("web--0000001", Seen::Began);
    assert!(
        stage.get(&format!("{}/revisions/web--0000001/replicas", app())).body["value"]
            .as_array()
            .unwrap()
            .is_empty()
    );
    // And a world that is written down and read again is the same.
    let text = serde_json::to_string(&stage.world).unwrap();
    let read: World = serde_json::from_str(&text).unwrap();
    assert_eq!(desired(&read), desired(&stage.world));
}

fn job() -> String {
    format!("{GROUP}/providers/Microsoft.App/jobs/tidy")
}

fn job_body(configuration: Value) -> Value {
    let mut all = json!({"replicaTimeout": 60, "replicaRetryLimit": 1});
    crate::world::arm::merge(&mut all, &configuration);
    json!({"location": "westeurope", "properties": {
        "environmentId": environment(),
        "configuration": all,
        "template": {"containers": [{"name": "tidy", "image": "x/y:1", "resources": {"cpu": 0.25, "memory": "0.5Gi"}}]},
    }})
}

impl Stage {
    fn with_job(configuration: Value) -> Stage {
        let mut stage = Stage::new();
        let begun = stage.put(&job(), job_body(configuration));
        assert_eq!(begun.status, 201, "{}", begun.body);
        stage.pass(30);
        assert_eq!(stage.get(&job()).body["properties"]["provisioningState"], "Succeeded");
        stage
    }

    fn saw(&mut self, execution: &str, seen: Seen) {
        let observation = Observation { app: job().to_ascii_lowercase(), revision: execution.into(), seen };
        self.world.apply(Input::Observed(observation), self.now);
    }

    fn executions(&mut self) -> Vec<(String, String)> {
        let listed = self.get(&format!("{}/executions", job())).body;
        let text = |value: &Value| value.as_str().unwrap().to_owned();
        let all = listed["value"].as_array().unwrap().iter();
        all.map(|one| (text(&one["name"]), text(&one["properties"]["status"]))).collect()
    }
}

#[test]
fn a_manual_job_runs_when_started_and_ends_as_seen() {
    let mut stage = Stage::with_job(
        json!({"triggerType": "manual", "manualTriggerConfig": {"parallelism": 2, "replicaCompletionCount": 3}}),
    );
    assert!(desired(&stage.world).runs.is_empty());
    let started = stage.post(&format!("{}/start", job()));
    assert_eq!(started.status, 200, "{}", started.body);
    let name = started.body["name"].as_str().unwrap().to_owned();
    assert!(name.starts_with("tidy-") && name.len() == "tidy-".len() + 7, "{name}");
    let run = desired(&stage.world).runs.remove(0);
    assert_eq!(
        (run.execution.as_str(), run.parallelism, run.completions, run.retries),
        (name.as_str(), 2, 3, 1)
    );
    assert_eq!(run.timeout.as_secs(), 60);
    assert_eq!(stage.executions(), [(name.clone(), "Running".to_owned())]);

    stage.saw(&name, Seen::ReplicaStarted { replica: format!("{name}-a") });
    let replicas = stage.get(&format!("{}/executions/{name}/replicas", job())).body;
    assert_eq!(replicas["value"][0]["name"], format!("{name}-a"));
    stage.saw(&name, Seen::Finished { failure: None });
    assert!(desired(&stage.world).runs.is_empty());
    let shown = stage.get(&format!("{}/executions/{name}", job())).body;
    assert_eq!(shown["properties"]["status"], "Succeeded");
    assert!(shown["properties"]["endTime"].is_string());

    // For one execution something else than the template may run.
    let other = json!({"containers": [{"name": "other", "image": "x/z:2"}]});
    let started = stage.send(Method::Post, &format!("{}/start", job()), other);
    let name = started.body["name"].as_str().unwrap().to_owned();
    assert_eq!(desired(&stage.world).runs[0].containers[0].image, "x/z:2");
    stage.saw(&name, Seen::Finished { failure: Some("it broke".into()) });
    assert_eq!(stage.executions()[0], (name, "Failed".to_owned()));

    let third = stage.post(&format!("{}/start", job())).body["name"].as_str().unwrap().to_owned();
    let stopped = stage.post(&format!("{}/executions/{third}/stop", job()));
    assert_eq!((stopped.status, &stopped.body["properties"]["status"]), (200, &json!("Stopped")));
    assert!(desired(&stage.world).runs.is_empty());
    assert_eq!(stage.post(&format!("{}/stop/none", job())).status, 404);
    // What ended later than it was stopped changes nothing.
    stage.saw(&third, Seen::Finished { failure: None });
    assert_eq!(stage.executions()[0].1, "Stopped");
}

#[test]
fn a_schedule_fires_when_the_clock_moves_and_keeps_a_hundred() {
    let schedule =
        json!({"triggerType": "Schedule", "scheduleTriggerConfig": {"cronExpression": "*/10 * * * *"}});
    let mut stage = Stage::with_job(schedule);
    stage.pass(1000);
    let names = stage.executions();
    assert_eq!(names.len(), 1);
    stage.saw(&names[0].0, Seen::Finished { failure: None });
    stage.pass(3600);
    assert_eq!(stage.executions().len(), 7);
    stage.pass(24 * 3600);
    let all = stage.executions();
    assert_eq!(all.len(), 101, "a hundred under way, one that has ended");
    for (name, _) in all {
        stage.saw(&name, Seen::Finished { failure: None });
    }
    assert_eq!(stage.executions().len(), 100);

    // Another schedule takes the place of the first, and a suspended job rests.
    let patch =
        json!({"properties": {"configuration": {"scheduleTriggerConfig": {"cronExpression": "0 0 1 1 *"}}}});
    assert_eq!(stage.patch(&job(), patch).status, 202);
    stage.pass(3600);
    assert_eq!(stage.executions().len(), 100);
    assert!(stage.executions().iter().all(|(_, status)| status == "Succeeded"));
    assert_eq!(stage.post(&format!("{}/suspend", job())).body["properties"]["runningState"], "Suspended");
    assert_eq!(stage.post(&format!("{}/start", job())).code(), "JobSuspended");
}

#[test]
fn jobs_that_cannot_be_are_refused() {
    let mut stage = Stage::new();
    for (configuration, code) in [
        (json!({"triggerType": "Sometimes"}), "InvalidParameterValueInContainerTemplate"),
        (json!({}), "InvalidParameterValueInContainerTemplate"),
        (
            json!({"triggerType": "Schedule", "scheduleTriggerConfig": {"cronExpression": "daily"}}),
            "InvalidCronExpression",
        ),
        (json!({"triggerType": "Schedule"}), "InvalidCronExpression"),
        (
            json!({"triggerType": "Manual", "replicaTimeout": null}),
            "InvalidParameterValueInContainerTemplate",
        ),
        (
            json!({"triggerType": "Manual", "manualTriggerConfig": {"parallelism": 0}}),
            "InvalidParameterValueInContainerTemplate",
        ),
        (
            json!({"triggerType": "Manual", "ingress": {"targetPort": 80}}),
            "InvalidParameterValueInContainerTemplate",
        ),
        (json!({"triggerType": "Event"}), "InvalidParameterValueInContainerTemplate"),
    ] {
        let refused = stage.put(&job(), job_body(configuration.clone()));
        assert_eq!((refused.status, refused.code()), (400, code), "{configuration}: {}", refused.body);
    }
    let event = json!({"triggerType": "Event", "eventTriggerConfig": {"scale": {"rules": [{"name": "q", "type": "azure-queue", "metadata": {}}]}}});
    assert_eq!(stage.put(&job(), job_body(event)).status, 201);
    stage.pass(60);
    let refused = stage.send(Method::Delete, &environment(), Value::Null);
    assert_eq!(
        (refused.status, refused.code()),
        (409, "ManagedEnvironmentHasContainerAppsJobs"),
        "{}",
        refused.body
    );
}

fn bind(domains: Value) -> Value {
    json!({"properties": {"configuration": {"ingress": {"customDomains": domains}}}})
}

#[test]
fn a_host_name_is_proven_certified_and_bound_in_this_order() {
    let mut stage = Stage::with_app();
    let (host, shown) = ("www.contoso.com", stage.get(&app()).body);
    let proof = shown["properties"]["customDomainVerificationId"].as_str().unwrap().to_owned();
    let fqdn = shown["properties"]["configuration"]["ingress"]["fqdn"].as_str().unwrap().to_owned();
    let alone = bind(json!([{"name": host}]));
    let refused = stage.patch(&app(), alone.clone());
    assert_eq!((refused.status, refused.code()), (400, "InvalidCustomHostNameValidation"));
    assert!(refused.body["error"]["message"].as_str().unwrap().contains(&format!("asuid.{host} to {proof}")));
    let analysis =
        format!("{}/listCustomHostNameAnalysis?api-version=2025-07-01&customHostname={host}", app());
    let looked = stage.post(&analysis).body;
    assert_eq!(looked["customDomainVerificationTest"], "Failed");
    assert_eq!(looked["customDomainVerificationFailureInfo"]["code"], "InvalidCustomHostNameValidation");

    // One record comes from a zone of this world, the other from the table.
    let zone = format!("{GROUP}/providers/Microsoft.Network/dnsZones/contoso.com");
    assert_eq!(stage.put(&zone, json!({"location": "global"})).status, 201);
    let text = json!({"properties": {"TTL": 60, "TXTRecords": [{"value": [proof]}]}});
    assert_eq!(stage.put(&format!("{zone}/TXT/asuid.www"), text).status, 201);
    assert_eq!(stage.post(&analysis).body["customDomainVerificationTest"], "Passed");

    let certificate = format!("{}/managedCertificates/www", environment());
    let wanted = json!({"location": "westeurope", "properties": {"subjectName": host, "domainControlValidation": "CNAME"}});
    assert_eq!(stage.put(&certificate, wanted.clone()).code(), "RequireCustomHostnameInEnvironment");
    assert_eq!(stage.patch(&app(), alone).status, 202);
    stage.pass(30);
    let begun = stage.put(&certificate, wanted.clone());
    assert_eq!(
        (begun.status, &begun.body["properties"]["provisioningState"]),
        (201, &json!("Pending")),
        "{}",
        begun.body
    );
    let second = format!("{}/managedCertificates/again", environment());
    assert_eq!(stage.put(&second, wanted.clone()).code(), "DuplicateManagedCertificateInEnvironment");
    let bound = bind(json!([{"name": host, "bindingType": "SniEnabled", "certificateId": certificate}]));
    stage.pass(120);
    assert_eq!(stage.patch(&app(), bound.clone()).code(), "CertificateMustBeProvisioned");
    crate::world::dns::serve(
        &mut stage.world,
        Method::Post,
        &json!({"name": host, "type": "cname", "value": format!("{fqdn}.")}),
    )
    .unwrap();
    stage.pass(120);
    assert_eq!(stage.get(&certificate).body["properties"]["provisioningState"], "Succeeded");
    let answer = stage.patch(&app(), bound);
    assert_eq!(answer.status, 202, "{}", answer.body);
    stage.pass(30);
    let ingress = desired(&stage.world).apps[0].ingress.clone().unwrap();
    assert_eq!(ingress.hosts.get(host), Some(&None));
    assert_eq!(stage.send(Method::Delete, &certificate, Value::Null).code(), "CertificateInUse");

    // Without its record a certificate is given up after a while.
    let gone = stage.patch(&app(), bind(json!([])));
    assert_eq!(gone.status, 202);
    stage.pass(30);
    assert_eq!(stage.send(Method::Delete, &certificate, Value::Null).status, 200);
    crate::world::dns::serve(&mut stage.world, Method::Delete, &Value::Null).unwrap();
    assert_eq!(stage.patch(&app(), bind(json!([{"name": host}]))).status, 202);
    stage.pass(30);
    assert_eq!(stage.put(&certificate, wanted).status, 201);
    stage.pass(3600);
    let failed = stage.get(&certificate).body;
    assert_eq!(failed["properties"]["provisioningState"], "Failed");
    assert!(failed["properties"]["error"].as_str().unwrap().contains("CNAME"), "{failed}");
}

#[test]
fn an_uploaded_certificate_covers_what_is_bound_with_it() {
    let mut stage = Stage::with_app();
    let (pem, key) = crate::world::x509::tests::made(&["*.contoso.com"]);
    let certificate = format!("{}/certificates/star", environment());
    let wrong = json!({"location": "westeurope", "properties": {"value": "aGVsbG8="}});
    assert_eq!(stage.put(&certificate, wrong).code(), "CertificateInvalid");
    let value = base64::Engine::encode(&base64::engine::general_purpose::STANDARD, format!("{key}{pem}"));
    let made = stage
        .put(&certificate, json!({"location": "westeurope", "properties": {"value": value, "password": ""}}));
    assert_eq!(made.status, 200, "{}", made.body);
    let properties = &made.body["properties"];
    assert_eq!(properties["subjectAlternativeNames"], json!(["*.contoso.com"]));
    assert_eq!(properties["thumbprint"].as_str().unwrap().len(), 40);
    assert!(!made.body.to_string().contains(&value[..40]), "the key is never shown");
    let id = crate::world::dns::look_up(&stage.world, "TXT", "none").len();
    assert_eq!(id, 0);
    let proof = stage.get(&app()).body["properties"]["customDomainVerificationId"].clone();
    for host in ["www.contoso.com", "www.example.com"] {
        let record = json!({"name": format!("asuid.{host}"), "type": "TXT", "value": proof});
        crate::world::dns::serve(&mut stage.world, Method::Post, &record).unwrap();
    }
    let with =
        |host: &str| bind(json!([{"name": host, "certificateId": certificate, "bindingType": "SniEnabled"}]));
    assert_eq!(stage.patch(&app(), with("www.example.com")).code(), "CertificateSubjectNameMismatch");
    assert_eq!(stage.patch(&app(), with("www.contoso.com")).status, 202);
    let none = bind(json!([{"name": "www.contoso.com", "bindingType": "SniEnabled"}]));
    stage.pass(30);
    assert_eq!(stage.patch(&app(), none).code(), "CertificateMissing");
}

#[test]
fn environments_have_rules_of_their_own() {
    let mut stage = Stage::with_app();
    let refused = stage.send(Method::Delete, &environment(), Value::Null);
    assert_eq!((refused.status, refused.code()), (409, "ManagedEnvironmentHasContainerApps"));
    let usages = stage.get(&format!("{}/usages", environment())).body;
    assert_eq!(usages["value"][0]["name"]["value"], "ManagedEnvironmentConsumptionCores");
    let other = |name: &str| format!("{GROUP}/providers/Microsoft.App/managedEnvironments/{name}");
    for (properties, code) in [
        (
            json!({"workloadProfiles": [{"name": "big", "workloadProfileType": "Z9"}]}),
            "InvalidWorkloadProfileType",
        ),
        (
            json!({"workloadProfiles": [{"name": "big", "workloadProfileType": "D4"}]}),
            "InvalidWorkloadProfile",
        ),
        (json!({"vnetConfiguration": {"internal": true}}), "ManagedEnvironmentInvalidNetworkConfiguration"),
        (
            json!({"vnetConfiguration": {"infrastructureSubnetId": format!("{GROUP}/providers/Microsoft.Network/virtualNetworks/v/subnets/s")}}),
            "ManagedEnvironmentInvalidNetworkConfiguration",
        ),
    ] {
        let refused = stage.put(&other("two"), json!({"location": "westeurope", "properties": properties}));
        assert_eq!(refused.code(), code, "{properties}");
    }
    let tcp = json!({"properties": {"configuration": {"ingress": {"transport": "tcp", "exposedPort": 5432, "external": true}}}});
    assert_eq!(stage.patch(&app(), tcp).code(), "ContainerAppTcpRequiresVnet");
    let profile = json!({"properties": {"workloadProfileName": "big"}});
    assert_eq!(stage.patch(&app(), profile).code(), "WorkloadProfileNotFound");

    let storage = format!("{}/storages/files", environment());
    let key = json!({"properties": {"azureFile": {"accountName": "st", "accountKey": "k3y", "shareName": "s", "accessMode": "ReadWrite"}}});
    let kept = stage.put(&storage, key);
    assert_eq!(kept.status, 200, "{}", kept.body);
    assert!(!kept.body.to_string().contains("k3y"));
    let mounted = |storage: &str| {
        json!({"properties": {"template": {
        "containers": [{"name": "web", "image": "x/y:1", "resources": {"cpu": 0.25, "memory": "0.5Gi"}, "volumeMounts": [{"volumeName": "v", "mountPath": "/data"}]}],
        "volumes": [{"name": "v", "storageType": "AzureFile", "storageName": storage}]}}})
    };
    assert_eq!(stage.patch(&app(), mounted("none")).code(), "ManagedEnvironmentStorageNotFound");
    assert_eq!(stage.patch(&app(), mounted("files")).status, 202);
    assert_eq!(stage.send(Method::Delete, &storage, Value::Null).code(), "ManagedEnvironmentStorageInUse");
    let dapr = format!("{}/daprComponents/state", environment());
    let component = json!({"properties": {"componentType": "state.redis", "version": "v1", "metadata": [{"name": "p", "secretRef": "s"}]}});
    assert_eq!(stage.put(&dapr, component).code(), "DaprComponentInvalid");
    let component = json!({"properties": {"componentType": "state.redis", "version": "v1", "secrets": [{"name": "s", "value": "hidden"}], "metadata": [{"name": "p", "secretRef": "s"}]}});
    let kept = stage.put(&dapr, component);
    assert_eq!(kept.status, 200, "{}", kept.body);
    assert!(!kept.body.to_string().contains("hidden"));
    assert_eq!(stage.post(&format!("{dapr}/listSecrets")).body["value"][0]["value"], "hidden");
}
