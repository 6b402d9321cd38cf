//! A plan as a graph of operations.
//!
//! | operation | does | needs |
//! |---|---|---|
//! | `register NAMESPACE` | registers a provider | |
//! | `recover A`, `purge A` | settles a soft-deleted namesake | its group |
//! | `build S` | builds a service's image on this machine | |
//! | `image S` | pushes it, and says what it is called | its build, the registry |
//! | `put A` | writes a resource; deletes it first when it is replaced | what the resource depends on |
//! | `ready S` | waits until the service's revision takes requests | its container app |
//! | `delete A` | deletes what is not wanted any more | every `put` and `ready`, the deletions before it |
//!
//! Everything here is pure. An operation's input holds all that its hands have to know, so that another process
//! can carry it out after a crash.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::time::Duration;

use landfall_blueprint::{Address, Body, Expression};
use landfall_engine::{Graph, GraphError, Operation, OperationKey};
use landfall_plan::{Action, Change};
use serde::{Deserialize, Serialize};

use crate::consent::SoftDeletedChoice;
use crate::survey::{Survey, put_key};

/// What one operation does; the input of [`Operation`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "do", rename_all = "camelCase", rename_all_fields = "camelCase")]
pub enum Work {
    /// Registers a provider and waits until it is.
    Register {
        /// `Microsoft.App`.
        namespace: String,
    },
    /// Brings a soft-deleted vault back.
    Recover {
        /// Its ARM id.
        id: String,
        /// API version.
        api_version: String,
        /// Where it was.
        location: String,
    },
    /// Removes a soft-deleted vault for good.
    Purge {
        /// Its name.
        name: String,
        /// Where it was.
        location: String,
    },
    /// Builds an image into the cache of layers.
    Build {
        /// What is built.
        source: Source,
    },
    /// Pushes an image, unless the registry has it.
    Image {
        /// What it is built from; built again where the cache has lost it.
        source: Source,
        /// The registry's name.
        registry: String,
        /// The repository in it.
        repository: String,
        /// The tag of this source.
        tag: String,
    },
    /// Writes a resource.
    Put {
        /// Its ARM id.
        id: String,
        /// Its type.
        resource_type: String,
        /// API version.
        api_version: String,
        /// The body, with expressions that only the deployment can fill in.
        body: Body,
        /// Whether it has to be deleted first.
        replace: bool,
        /// The latest revision of a live container app.
        latest_revision: Option<String>,
        /// The last part of the id, where only the deployment knows it.
        #[serde(default)]
        named: Option<Expression>,
        /// Ids and API versions of the resources whose keys the body takes.
        keys_of: BTreeMap<Address, (String, String)>,
    },
    /// Waits until the latest revision takes requests.
    Ready {
        /// The container app's ARM id.
        id: String,
        /// API version.
        api_version: String,
    },
    /// Deletes a resource.
    Delete {
        /// Its ARM id.
        id: String,
        /// API version.
        api_version: String,
    },
}

/// What an image is built from.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Source {
    /// The service.
    pub service: String,
    /// Its source folder.
    pub dir: PathBuf,
    /// The port.
    pub port: Option<u16>,
    /// The command.
    pub command: Option<Vec<String>>,
}

impl Work {
    /// The operation's kind, for people.
    pub fn kind(&self) -> &'static str {
        match self {
            Work::Register { .. } => "register",
            Work::Recover { .. } => "recover",
            Work::Purge { .. } => "purge",
            Work::Build { .. } => "build",
            Work::Image { .. } => "push",
            Work::Put { .. } => "put",
            Work::Ready { .. } => "ready",
            Work::Delete { .. } => "delete",
        }
    }

    /// The operation of this key that does this.
    pub fn operation(&self, key: OperationKey, subject: impl Into<String>, estimate: Duration) -> Operation {
        Operation::new(key, self.kind(), subject)
            .taking(estimate)
            .with_input(serde_json::to_value(self).expect("work has string keys"))
    }
}

/// The operations that carry out `survey`'s plan.
///
/// # Errors
/// A cycle among the plan's resources, which a blueprint never has.
pub fn graph(
    survey: &Survey,
    register: &[String],
    soft_deleted: Option<SoftDeletedChoice>,
) -> Result<Graph, GraphError> {
    let plan = &survey.plan;
    let mut operations: Vec<Operation> = register
        .iter()
        .map(|namespace| {
            let work = Work::Register { namespace: namespace.clone() };
            work.operation(register_key(namespace), namespace, Duration::from_secs(30))
        })
        .collect();
    let registered: BTreeSet<&str> = register.iter().map(String::as_str).collect();
    let settled = settle_namesakes(survey, soft_deleted, &mut operations);

    let written: BTreeSet<&Address> =
        plan.changes.iter().filter(|change| writes(change.action)).map(|change| &change.address).collect();
    let mut built = BTreeSet::new();
    for change in plan.changes.iter().filter(|change| writes(change.action)) {
        let mut needs: Vec<OperationKey> =
            change.depends_on.iter().filter(|address| written.contains(address)).map(put_key).collect();
        needs.extend(settled.get(&change.address).cloned());
        let namespace = change.resource_type.split('/').next().unwrap_or_default();
        if registered.contains(namespace) {
            needs.push(register_key(namespace));
        }
        for service in images_in(&change.body) {
            if built.insert(service.clone()) {
                operations.extend(image(survey, &service, &written));
            }
            needs.push(image_key(&service));
        }
        let work = put(survey, change);
        operations.push(
            work.operation(
                put_key(&change.address),
                change.address.as_str(),
                estimate(&change.resource_type),
            )
            .needing(needs),
        );
        if change.resource_type == landfall_blueprint::resource::CONTAINER_APP {
            let service = change.address.name();
            let ready = Work::Ready { id: change.id.clone(), api_version: change.api_version.clone() };
            operations.push(
                ready
                    .operation(ready_key(service), change.address.as_str(), Duration::from_secs(10))
                    .needing([put_key(&change.address)]),
            );
        }
    }
    delete(survey, &mut operations);
    Graph::new(operations)
}

fn writes(action: Action) -> bool {
    match action {
        Action::Create | Action::Update | Action::Replace | Action::Adopt => true,
        Action::Delete | Action::None => false,
    }
}

fn register_key(namespace: &str) -> OperationKey {
    OperationKey::new(format!("register {namespace}"))
}

/// The key of the operation that makes a service's image; its output names the image.
pub(crate) fn image_key(service: &str) -> OperationKey {
    OperationKey::new(format!("image {service}"))
}

/// The key of the operation that waits for a service's revision.
pub fn ready_key(service: &str) -> OperationKey {
    OperationKey::new(format!("ready {service}"))
}

/// Recovers or purges namesakes; by address, the operation that a `put` has to wait for.
fn settle_namesakes(
    survey: &Survey,
    choice: Option<SoftDeletedChoice>,
    operations: &mut Vec<Operation>,
) -> BTreeMap<Address, OperationKey> {
    let mut settled = BTreeMap::new();
    for deleted in &survey.plan.soft_deleted {
        let Some(change) = survey.plan.get(&deleted.address) else { continue };
        let work = match choice {
            // A person was asked before; without an answer nothing is touched and the write is refused by Azure.
            None => continue,
            Some(SoftDeletedChoice::Recover) => Work::Recover {
                id: change.id.clone(),
                api_version: change.api_version.clone(),
                location: deleted.location.clone(),
            },
            Some(SoftDeletedChoice::Purge) => {
                Work::Purge { name: deleted.name.clone(), location: deleted.location.clone() }
            }
        };
        let key = OperationKey::new(format!("{} {}", work.kind(), deleted.address));
        let group = survey.blueprint.resource_group();
        let group_is_new = survey.plan.get(&group.address).is_some_and(|change| writes(change.action));
        operations.push(
            work.operation(key.clone(), deleted.address.as_str(), Duration::from_secs(30))
                .needing(group_is_new.then(|| put_key(&group.address))),
        );
        settled.insert(deleted.address.clone(), key);
    }
    settled
}

fn put(survey: &Survey, change: &Change) -> Work {
    let mut expressions = Vec::new();
    change.body.expressions(&mut expressions);
    let mut keys_of = BTreeMap::new();
    collect_keys(&expressions, survey, &mut keys_of);
    Work::Put {
        id: change.id.clone(),
        resource_type: change.resource_type.clone(),
        api_version: change.api_version.clone(),
        body: change.body.clone(),
        replace: change.action == Action::Replace,
        latest_revision: change.latest_revision.clone(),
        named: survey.blueprint.get(&change.address).and_then(|resource| resource.named.clone()),
        keys_of,
    }
}

fn collect_keys(
    expressions: &[&Expression],
    survey: &Survey,
    keys_of: &mut BTreeMap<Address, (String, String)>,
) {
    for expression in expressions {
        match expression {
            Expression::ListKeys { of, .. } => {
                if let Some(resource) = survey.blueprint.get(of) {
                    keys_of.insert(of.clone(), (resource.id(), resource.api_version.to_owned()));
                }
            }
            Expression::SecretValue { vault, .. } => {
                if let Some(resource) = survey.blueprint.get(vault) {
                    keys_of.insert(vault.clone(), (resource.id(), resource.api_version.to_owned()));
                }
            }
            Expression::Concat { of } => {
                let mut inner = Vec::new();
                of.iter().for_each(|piece| piece.expressions(&mut inner));
                collect_keys(&inner, survey, keys_of);
            }
            _ => {}
        }
    }
}

fn images_in(body: &Body) -> BTreeSet<String> {
    let mut expressions = Vec::new();
    body.expressions(&mut expressions);
    expressions
        .into_iter()
        .filter_map(|expression| match expression {
            Expression::Image { service } => Some(service.clone()),
            _ => None,
        })
        .collect()
}

/// Building takes longest and needs nothing, so it goes on while the registry is made.
fn image(survey: &Survey, service: &str, written: &BTreeSet<&Address>) -> [Operation; 2] {
    let registry = survey.blueprint.registry().expect("a blueprint with built services has a registry");
    let build = &survey.builds[service];
    let source = Source {
        service: service.to_owned(),
        dir: build.spec.dir.clone(),
        port: build.spec.port,
        command: build.spec.command.clone(),
    };
    let subject = format!("image.{service}");
    let build_key = OperationKey::new(format!("build {service}"));
    let push = Work::Image {
        source: source.clone(),
        registry: registry.name.clone(),
        repository: build.repository.clone(),
        tag: build.tag.clone(),
    };
    [
        Work::Build { source }.operation(build_key.clone(), &subject, Duration::from_secs(90)),
        push.operation(image_key(service), &subject, Duration::from_secs(10))
            .needing([build_key])
            .needing(written.contains(&registry.address).then(|| put_key(&registry.address))),
    ]
}

fn delete(survey: &Survey, operations: &mut Vec<Operation>) {
    let before: Vec<OperationKey> = operations.iter().map(|operation| operation.key.clone()).collect();
    let mut last: Option<OperationKey> = None;
    for change in survey.plan.changes.iter().filter(|change| change.action == Action::Delete) {
        let key = OperationKey::new(format!("delete {}", change.address));
        let work = Work::Delete { id: change.id.clone(), api_version: change.api_version.clone() };
        // What is not wanted goes only when what is wanted stands.
        let needs = last.clone().map_or_else(|| before.clone(), |last| vec![last]);
        operations.push(
            work.operation(key.clone(), change.address.as_str(), Duration::from_secs(30)).needing(needs),
        );
        last = Some(key);
    }
}

/// How long Azure usually takes to make a resource of a type; only the order of starting depends on it.
pub(crate) fn estimate(resource_type: &str) -> Duration {
    let seconds = match resource_type {
        "Microsoft.App/managedEnvironments" => 150,
        "Microsoft.OperationalInsights/workspaces" => 40,
        "Microsoft.App/containerApps" => 30,
        "Microsoft.ContainerService/managedClusters" => 300,
        "Microsoft.ContainerService/managedClusters/agentPools" => 120,
        "Microsoft.App/jobs" | "Microsoft.Web/sites" | "Microsoft.Web/sites/slots" => 20,
        "Microsoft.KeyVault/vaults" | "Microsoft.Storage/storageAccounts" => 25,
        "Microsoft.ContainerRegistry/registries" => 15,
        _ => 5,
    };
    Duration::from_secs(seconds)
}
