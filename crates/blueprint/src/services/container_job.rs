//! Jobs of Container Apps: containers that run to their end.

use landfall_manifest::host::Trigger;
use landfall_manifest::{ContainerJob, Host, Service};

use crate::address::Address;
use crate::body::{Body, object};
use crate::expression::Expression;
use crate::name;
use crate::resource::Resource;
use crate::services::host::{Code, Platform};
use crate::services::{Draft, container_app, container_environment, set};

/// The ARM type.
pub const TYPE: &str = "Microsoft.App/jobs";

/// What this host is to its services.
pub(super) const PLATFORM: Platform =
    Platform { address: |name| Some(address(name)), url: |_, _| None, code: Code::Image };

/// The address of a job, by its service's name.
pub fn address(service: &str) -> Address {
    Address::new("containerJob", service)
}

pub(super) fn add(draft: &mut Draft<'_>) {
    for (name, service) in &draft.app.services {
        if let Host::ContainerJob(own) = &service.host {
            let job = job(draft, name, service, own);
            draft.push(job);
        }
    }
}

fn job(draft: &mut Draft<'_>, name: &str, service: &Service, own: &ContainerJob) -> Resource {
    let mut job = draft.in_group(
        address(name),
        TYPE,
        "2026-01-01",
        draft.name(&name::CONTAINER_JOB, Some(name)),
        format!("service.{name}"),
    );
    let targets = draft.ready_for(&mut job, name, service);
    let container = container_app::container(draft, name, service);
    let properties = object([
        ("environmentId", Expression::id(&container_environment::address()).into()),
        ("workloadProfileName", own.profile.as_str().into()),
        (
            "configuration",
            object([
                ("triggerType", trigger_type(own.trigger).into()),
                ("replicaTimeout", u32::try_from(own.timeout.seconds).unwrap_or(u32::MAX).into()),
                ("replicaRetryLimit", own.retries.into()),
                trigger(draft, name, service, own),
                ("registries", container_app::registries(name, &targets)),
                ("secrets", container_app::secrets(draft, name, service)),
            ]),
        ),
        ("template", object([("containers", vec![container].into())])),
    ]);
    set(&mut job, "properties", properties);
    job
}

fn trigger_type(trigger: Trigger) -> &'static str {
    match trigger {
        Trigger::Manual => "Manual",
        Trigger::Schedule => "Schedule",
        Trigger::Queue => "Event",
    }
}

fn trigger(draft: &mut Draft<'_>, name: &str, service: &Service, own: &ContainerJob) -> (&'static str, Body) {
    let replicas = || [("parallelism", own.parallel.into()), ("replicaCompletionCount", own.parallel.into())];
    let [parallel, complete] = replicas();
    match own.trigger {
        Trigger::Manual => ("manualTriggerConfig", object([parallel, complete])),
        Trigger::Schedule => (
            "scheduleTriggerConfig",
            object([("cronExpression", own.schedule.as_deref().into()), parallel, complete]),
        ),
        Trigger::Queue => {
            let scale = service.scale.as_ref();
            let rules = scale.map(|scale| container_app::queue_rules(draft, name, scale)).unwrap_or_default();
            let scale = object([
                ("minExecutions", scale.map(|scale| scale.min).into()),
                ("maxExecutions", scale.map(|scale| scale.max).into()),
                ("pollingInterval", 30u32.into()),
                ("rules", rules.into()),
            ]);
            ("eventTriggerConfig", object([("scale", scale), parallel, complete]))
        }
    }
}
