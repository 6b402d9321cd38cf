//! `Microsoft.App/jobs`: what runs to its end: by hand, on schedule, and (stored, never by itself) on events; with its
//! executions.
//!
//! An execution begins as `Running` with a start or at a time of the schedule, and ends as the runtime has seen:
//! `Succeeded` or `Failed`; `Stopped` when somebody stops it.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::cron::Cron;
use super::workload::{Observation, Seen};
use super::{Event, Replica, apps, environments, parts, stream, template};
use crate::world::agenda::Event as Due;
use crate::world::arm::id::Id;
use crate::world::arm::kind::{
    Call, Change, Depth, Kind, Names, Place, Replies, Reply, Rules, Signs, USUAL, What,
};
use crate::world::arm::refusal::Refusal;
use crate::world::arm::{Resource, default, put, resources, stamp, without_nulls};
use crate::world::{Method, Response, World};

/// Ended executions that are kept.
const HISTORY: usize = 100;
/// Executions of one job at a time: what a schedule adds beyond is not begun.
const UNDER_WAY_MAX: usize = 100;

pub(super) const KIND: Kind = Kind {
    name: "Microsoft.App/jobs",
    depth: Depth::Modelled,
    names: Names {
        length: (2, 32),
        signs: Signs::AppLike,
        global: false,
        refusal: (
            "ContainerAppInvalidName",
            "Invalid Job name '{name}'. A name must consist of lower case alphanumeric characters or '-', start with an \
             alphabetic character, and end with an alphanumeric character and cannot have '--'. The length must not be more \
             than 32 characters.",
        ),
    },
    place: Place::Regional,
    seconds: [10.0, 5.0, 10.0],
    // az takes a 201 without the header for a failure: what ends within the request is a 200.
    replies: Replies { create: Reply { done: 200, ..USUAL.create }, ..USUAL },
    busy: "JobOperationInProgress",
    computed: &[
        "properties.outboundIpAddresses",
        "properties.eventStreamEndpoint",
        "properties.runningState",
    ],
    spelling: &[],
    rules: &Jobs,
};

/// What is kept of a job beside its resource.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct JobState {
    /// Oldest first.
    pub executions: Vec<Execution>,
    /// When the schedule is due.
    pub next: Option<Timestamp>,
    /// `POST …/suspend` was the last word.
    pub suspended: bool,
}

/// One execution.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Execution {
    /// `job-xxxxxxx`.
    pub name: String,
    /// How far it came.
    pub status: Status,
    /// When it began.
    pub start: Timestamp,
    /// When it ended.
    pub end: Option<Timestamp>,
    /// What it runs: the job's template, or what the start said instead.
    pub template: Value,
    /// Replicas at a time.
    pub parallelism: u32,
    /// Replicas that must succeed.
    pub completions: u32,
    /// Replicas that may fail.
    pub retries: u32,
    /// Seconds it may take.
    pub timeout: u64,
    /// Its replicas by name.
    pub replicas: BTreeMap<String, Replica>,
    /// Why it failed.
    pub why: Option<String>,
}

/// How far an execution came.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[allow(missing_docs)]
pub enum Status {
    Running,
    Succeeded,
    Failed,
    Stopped,
}

impl Status {
    fn word(self) -> &'static str {
        match self {
            Status::Running => "Running",
            Status::Succeeded => "Succeeded",
            Status::Failed => "Failed",
            Status::Stopped => "Stopped",
        }
    }
}

impl Execution {
    /// Should run.
    pub fn runs(&self) -> bool {
        self.status == Status::Running
    }
}

impl JobState {
    fn find(&self, name: &str) -> Option<&Execution> {
        self.executions.iter().find(|execution| execution.name.eq_ignore_ascii_case(name))
    }

    /// Forgets the oldest of those that have ended.
    fn trim(&mut self) {
        let ended = self.executions.iter().filter(|execution| execution.status != Status::Running).count();
        let mut surplus = ended.saturating_sub(HISTORY);
        self.executions.retain(|execution| {
            let goes = surplus > 0 && execution.status != Status::Running;
            surplus -= usize::from(goes);
            !goes
        });
    }
}

#[derive(Debug)]
struct Jobs;

impl Rules for Jobs {
    fn judge(&self, world: &World, change: &mut Change) -> Result<(), Refusal> {
        apps::settle_in(world, change, "job")?;
        let kept = change.private["secrets"].clone();
        let identities = apps::identities(&change.body);
        let suffix = format!(".vault.localhost:{}", world.config.port);
        let environment = environments::environment_of(&change.body).to_owned();
        let properties = &mut change.body["properties"];
        properties["environmentId"] = json!(environment);
        if let Some(properties) = properties.as_object_mut() {
            properties.shift_remove("managedEnvironmentId");
        }
        for part in ["ingress", "activeRevisionsMode", "dapr"] {
            if properties["configuration"].get(part).is_some_and(|value| !value.is_null()) {
                return Err(template::invalid(
                    &format!("configuration.{part}"),
                    "Invalid value: a job runs to its end and has none",
                ));
            }
        }
        let values = template::configuration(properties, &kept, change.patch, &identities, &suffix)?;
        if let Some(configuration) = properties["configuration"].as_object_mut() {
            configuration.shift_remove("activeRevisionsMode");
        }
        check_trigger(&mut properties["configuration"])?;
        check_template(properties)?;
        template::profile(world, &environment, properties)?;
        parts::check_volumes(world, &environment, properties)?;
        change.body = without_nulls(&change.body);
        put(&mut change.private, "secrets", Value::Object(values));
        Ok(())
    }

    fn ended(&self, world: &mut World, id: &Id, _what: What, failure: Option<&Refusal>) {
        if failure.is_none() {
            plan(world, id);
        }
    }

    fn deleted(&self, world: &mut World, resource: &Resource) {
        world.apps.jobs.remove(&resource.id.key());
    }

    fn view(&self, world: &World, resource: &Resource, body: &mut Value) {
        let suspended = world.apps.jobs.get(&resource.id.key()).is_some_and(|state| state.suspended);
        for (name, value) in [
            ("outboundIpAddresses", json!(["127.0.0.1"])),
            ("eventStreamEndpoint", json!(stream::endpoint(world, &resource.id))),
            ("runningState", json!(if suspended { "Suspended" } else { "Ready" })),
        ] {
            put(body, &format!("properties.{name}"), value);
        }
        if matches!(resource.state.as_str(), "Creating" | "Updating") {
            put(body, "properties.provisioningState", json!("InProgress"));
        }
    }

    fn act(&self, world: &mut World, call: &Call) -> Option<Result<Response, Refusal>> {
        let key = call.id.key();
        let found = world.arm.find(&key)?;
        let post = call.request.method == Method::Post;
        let word = call.rest[0].to_ascii_lowercase();
        match (word.as_str(), call.rest.len(), post) {
            ("executions", _, _) => Some(below_executions(world, call)),
            ("listsecrets", 1, true) => Some(Ok(apps::list_secrets(found))),
            ("getauthtoken", 1, true) => {
                Some(Ok(stream::token(world, &found.id, &found.kind, found.text("/location"))))
            }
            ("start", 1, true) => Some(start(world, call)),
            ("stop", 1 | 2, true) => Some(stop(world, &call.id, call.rest.get(1).copied())),
            ("suspend" | "resume", 1, true) => {
                world.apps.jobs.entry(key.clone()).or_default().suspended = word == "suspend";
                Some(Ok(Response::json(200, &resources::show(world, &key).unwrap_or(Value::Null))))
            }
            _ => None,
        }
    }
}

/// The trigger and what belongs to it, completed.
fn check_trigger(configuration: &mut Value) -> Result<(), Refusal> {
    let given = configuration["triggerType"].as_str().unwrap_or_default().to_owned();
    let kinds = [
        ("Manual", "manualTriggerConfig"),
        ("Schedule", "scheduleTriggerConfig"),
        ("Event", "eventTriggerConfig"),
    ];
    let Some((kind, config)) = kinds.into_iter().find(|(kind, _)| kind.eq_ignore_ascii_case(&given)) else {
        return Err(template::invalid(
            "configuration.triggerType",
            format_args!("Invalid value: \"{given}\": supported values: \"Manual\", \"Schedule\", \"Event\""),
        ));
    };
    configuration["triggerType"] = json!(kind);
    // What belongs to other triggers is dropped, as it has no meaning.
    if let Some(map) = configuration.as_object_mut() {
        for (other, config) in kinds {
            if other != kind {
                map.shift_remove(config);
            }
        }
    }
    let whole = |value: &Value, name: &str, least: u64| match value.as_u64().filter(|value| *value >= least) {
        Some(_) => Ok(()),
        None => Err(template::invalid(
            &format!("configuration.{name}"),
            format_args!("Invalid value: {value}: must be a whole number of {least} or more"),
        )),
    };
    whole(&configuration["replicaTimeout"], "replicaTimeout", 1)?;
    default(configuration, "replicaRetryLimit", json!(0));
    whole(&configuration["replicaRetryLimit"], "replicaRetryLimit", 0)?;
    for name in ["parallelism", "replicaCompletionCount"] {
        default(configuration, &format!("{config}.{name}"), json!(1));
        whole(&configuration[config][name], &format!("{config}.{name}"), 1)?;
    }
    match kind {
        "Schedule" => {
            let expression = configuration[config]["cronExpression"].as_str().unwrap_or_default();
            if Cron::parse(expression).is_none() {
                return Err(Refusal::bad(
                    "InvalidCronExpression",
                    format!(
                        "Given CRON expression - '{expression}' is not valid, please visit https://learn.microsoft.com/en-us/rest/api/containerapps/preview/jobs/create-or-update?tabs=HTTP#scheduletriggerconfig for more information."
                    ),
                ));
            }
        }
        "Event" => {
            for (name, value) in [("minExecutions", 0), ("maxExecutions", 100), ("pollingInterval", 30)] {
                default(configuration, &format!("{config}.scale.{name}"), json!(value));
                whole(&configuration[config]["scale"][name], &format!("{config}.scale.{name}"), 0)?;
            }
            if configuration[config]["scale"]["rules"].as_array().is_none_or(Vec::is_empty) {
                return Err(template::invalid(
                    "configuration.eventTriggerConfig.scale.rules",
                    "Invalid value: null: an event-driven job needs at least one scale rule",
                ));
            }
        }
        _ => {}
    }
    Ok(())
}

/// The template: containers as an app has them, without scale and revisions.
fn check_template(properties: &mut Value) -> Result<(), Refusal> {
    template::template(properties)?;
    if let Some(template) = properties["template"].as_object_mut() {
        for part in ["scale", "revisionSuffix", "terminationGracePeriodSeconds"] {
            template.shift_remove(part);
        }
    }
    Ok(())
}

/// Notes when the job's schedule is due next.
fn plan(world: &mut World, id: &Id) {
    let key = id.key();
    let Some(job) = world.arm.find(&key) else { return };
    let configuration = &job.properties()["configuration"];
    let next = configuration["scheduleTriggerConfig"]["cronExpression"]
        .as_str()
        .and_then(Cron::parse)
        .and_then(|cron| cron.next(world.now));
    world.apps.jobs.entry(key.clone()).or_default().next = next;
    if let Some(at) = next {
        world.agenda.add(at, Due::Apps(Event::Schedule { job: key, at }));
    }
}

/// A job's schedule is due, when it is still the same schedule.
pub(super) fn due(world: &mut World, key: &str, at: Timestamp) {
    let Some(state) = world.apps.jobs.get(key) else { return };
    let Some(job) = world.arm.find(key).filter(|_| state.next == Some(at)) else { return };
    let id = job.id.clone();
    let under_way = state.executions.iter().filter(|execution| execution.status == Status::Running).count();
    if !state.suspended && under_way < UNDER_WAY_MAX && job.state != "Deleting" {
        let template = job.properties()["template"].clone();
        // As Kubernetes names what a schedule makes: by the minute.
        let name = format!("{}-{}", id.name(), at.as_second() / 60);
        begin(world, &id, name, template);
    }
    plan(world, &id);
}

fn begin(world: &mut World, id: &Id, name: String, template: Value) {
    let key = id.key();
    let Some(job) = world.arm.find(&key) else { return };
    let configuration = &job.properties()["configuration"];
    let trigger = ["manualTriggerConfig", "scheduleTriggerConfig", "eventTriggerConfig"]
        .into_iter()
        .map(|name| &configuration[name])
        .find(|config| config.is_object())
        .unwrap_or(&Value::Null);
    let number = |value: &Value, default: u32| {
        value.as_u64().and_then(|value| u32::try_from(value).ok()).unwrap_or(default)
    };
    let execution = Execution {
        name,
        status: Status::Running,
        start: world.now,
        end: None,
        template,
        parallelism: number(&trigger["parallelism"], 1).max(1),
        completions: number(&trigger["replicaCompletionCount"], 1).max(1),
        retries: number(&configuration["replicaRetryLimit"], 0),
        timeout: configuration["replicaTimeout"].as_u64().unwrap_or(1800),
        replicas: BTreeMap::new(),
        why: None,
    };
    world.apps.jobs.entry(key).or_default().executions.push(execution);
}

/// `POST …/start`, with or without a template for this one execution.
fn start(world: &mut World, call: &Call) -> Result<Response, Refusal> {
    let key = call.id.key();
    let Some(job) = world.arm.find(&key) else { return Err(resources::not_there(&call.id)) };
    if job.state != "Succeeded" {
        return Err(Refusal::conflict(
            "JobOperationInProgress",
            format!("The job '{}' is being changed: start it when that has ended.", call.id.name()),
        ));
    }
    if world.apps.jobs.get(&key).is_some_and(|state| state.suspended) {
        return Err(Refusal::bad(
            "JobSuspended",
            format!("The job '{}' is suspended: resume it before starting it.", call.id.name()),
        ));
    }
    let mut properties = job.properties().clone();
    let body = without_nulls(&call.body);
    for part in ["containers", "initContainers"] {
        if body[part].as_array().is_some_and(|list| !list.is_empty()) {
            properties["template"][part] = body[part].clone();
        }
    }
    check_template(&mut properties)?;
    template::profile(world, environments::environment_of(&job.body), &properties)?;
    let id = job.id.clone();
    let name = format!("{}-{}", id.name(), world.chance.word(&format!("execution {key}"), 7));
    begin(world, &id, name.clone(), without_nulls(&properties["template"]));
    Ok(Response::json(200, &json!({"id": format!("{id}/executions/{name}"), "name": name})))
}

/// Stops one execution, or all that run.
fn stop(world: &mut World, id: &Id, name: Option<&str>) -> Result<Response, Refusal> {
    let now = world.now;
    let state = world.apps.jobs.entry(id.key()).or_default();
    if let Some(name) = name
        && state.find(name).is_none()
    {
        return Err(no_execution(id, name));
    }
    let mut stopped = Vec::new();
    for execution in &mut state.executions {
        let wanted = name.is_none_or(|name| execution.name.eq_ignore_ascii_case(name));
        if wanted && execution.status == Status::Running {
            (execution.status, execution.end) = (Status::Stopped, Some(now));
            execution.replicas.clear();
            stopped.push(show(id, execution));
        }
    }
    let answer = match name {
        Some(name) => state.find(name).map(|execution| show(id, execution)).unwrap_or_default(),
        None => json!({"value": stopped}),
    };
    state.trim();
    Ok(Response::json(200, &answer))
}

fn no_execution(id: &Id, name: &str) -> Refusal {
    Refusal::missing(
        "JobExecutionNotFound",
        format!("The execution '{name}' of the job '{}' was not found.", id.name()),
    )
}

/// `…/executions[/E[/stop | /replicas]]`.
fn below_executions(world: &mut World, call: &Call) -> Result<Response, Refusal> {
    let none = JobState::default();
    let state = world.apps.jobs.get(&call.id.key()).unwrap_or(&none);
    let method = call.request.method;
    let Some(name) = call.rest.get(1) else {
        let wanted = call.request.query("$filter").and_then(status_of);
        let value: Vec<Value> = state
            .executions
            .iter()
            .rev()
            .filter(|execution| {
                wanted.is_none_or(|wanted| execution.status.word().eq_ignore_ascii_case(wanted))
            })
            .map(|execution| show(&call.id, execution))
            .collect();
        return Ok(Response::json(200, &json!({"value": value})));
    };
    let Some(execution) = state.find(name) else { return Err(no_execution(&call.id, name)) };
    match (call.rest.get(2).map(|word| word.to_ascii_lowercase()).as_deref(), method) {
        (None, Method::Get | Method::Head) => Ok(Response::json(200, &show(&call.id, execution))),
        (Some("stop"), Method::Post) => stop(world, &call.id, Some(name)),
        (Some("replicas"), Method::Get) => {
            let value: Vec<Value> = execution.replicas.iter().map(|(name, replica)| {
                let containers = execution.template["containers"].as_array().into_iter().flatten();
                json!({
                    "id": format!("{}/executions/{}/replicas/{name}", call.id, execution.name),
                    "name": name,
                    "type": "Microsoft.App/jobs/executions/replicas",
                    "properties": {
                        "createdTime": stamp(replica.since),
                        "runningState": "Running",
                        "containers": containers.map(|container| json!({
                            "name": container["name"], "containerId": format!("local://{name}/{}", container["name"].as_str().unwrap_or_default()),
                            "ready": true, "started": true, "restartCount": 0, "runningState": "Running",
                        })).collect::<Vec<_>>(),
                    },
                })
            }).collect();
            Ok(Response::json(200, &json!({"value": value})))
        }
        _ => Err(Refusal::missing("NotFound", "An execution has nothing there.")),
    }
}

/// The status of `properties/status eq 'Running'`, the one filter there is.
fn status_of(filter: &str) -> Option<&str> {
    let (name, value) = filter.split_once(" eq ")?;
    let status = name.trim().rsplit(['/', '.']).next()?.eq_ignore_ascii_case("status");
    status.then(|| value.trim().trim_matches('\''))
}

fn show(id: &Id, execution: &Execution) -> Value {
    let mut properties = json!({
        "status": execution.status.word(),
        "startTime": stamp(execution.start),
        "template": execution.template,
    });
    if let Some(end) = execution.end {
        properties["endTime"] = json!(stamp(end));
    }
    if let Some(why) = &execution.why {
        properties["detailedStatus"] =
            json!({"replicas": [{"name": execution.name, "containers": [{"status": why}]}]});
    }
    json!({
        "id": format!("{id}/executions/{}", execution.name),
        "name": execution.name,
        "type": "Microsoft.App/jobs/executions",
        "properties": properties,
    })
}

/// The runtime saw something of an execution.
pub(super) fn observe(world: &mut World, observation: Observation) {
    let now = world.now;
    let Some(state) = world.apps.jobs.get_mut(&observation.app) else { return };
    let found = state.executions.iter_mut().find(|execution| execution.name == observation.revision);
    let Some(execution) = found.filter(|execution| execution.status == Status::Running) else { return };
    match observation.seen {
        Seen::Began => execution.replicas.clear(),
        Seen::ReplicaStarted { replica } => {
            execution.replicas.insert(replica, Replica { since: now, ready: true, restarts: 0, why: None });
        }
        Seen::ReplicaEnded { replica, .. } => {
            execution.replicas.remove(&replica);
        }
        Seen::Finished { failure } => {
            execution.status = if failure.is_none() { Status::Succeeded } else { Status::Failed };
            execution.end = Some(now);
            execution.why = failure;
            execution.replicas.clear();
            state.trim();
        }
        _ => {}
    }
}
