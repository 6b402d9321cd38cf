//! Revisions: when there is a new one, what becomes of it, and where traffic goes.
//!
//! A revision begins as `Provisioning` with the write that changed the template, and the write's operation ends with
//! it: `Provisioned` or `Failed`, as the runtime has seen. In single mode the ready one takes all traffic at that
//! moment and the others are deactivated; a failed one leaves them as they are.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::template;
use super::workload::{Observation, Seen};
use crate::world::World;
use crate::world::arm::Resource;
use crate::world::arm::id::Id;
use crate::world::arm::operations;
use crate::world::arm::refusal::Refusal;

/// How long Azure tries a revision that cannot be, in seconds at speed 1.
const PROVISION_SECONDS: f64 = 5.0;
/// Inactive revisions kept when the app does not say.
const INACTIVE_MAX: usize = 100;

/// What is kept of an app beside its resource.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct AppState {
    /// Oldest first.
    pub revisions: Vec<Revision>,
    /// How many there have been.
    pub count: u64,
    /// The youngest that has worked.
    pub latest_ready: Option<String>,
    /// `POST …/stop` was the last word.
    pub stopped: bool,
}

/// One revision.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Revision {
    /// `app--suffix`.
    pub name: String,
    /// When the write came.
    pub created: Timestamp,
    /// As the write left it.
    pub template: Value,
    /// Should run.
    pub active: bool,
    /// How far it came.
    pub state: State,
    /// It has worked once.
    pub proven: bool,
    /// Goes up when its replicas should be replaced.
    pub epoch: u64,
    /// Replicas the scaler wants.
    pub wanted: u32,
    /// Its replicas by name.
    pub replicas: BTreeMap<String, Replica>,
    /// When it stopped to be active.
    pub last_active: Option<Timestamp>,
}

/// How far a revision came.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum State {
    /// Being started for the first time.
    Provisioning,
    /// It works, or did.
    Provisioned,
    /// It did not come up.
    Failed {
        /// Azure's code.
        code: String,
        /// Azure's words.
        message: String,
    },
}

/// One replica, as it was last seen.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Replica {
    /// When it was made.
    pub since: Timestamp,
    /// Takes traffic.
    pub ready: bool,
    /// How often its containers were started again.
    pub restarts: u32,
    /// Why it is not ready.
    pub why: Option<String>,
}

impl AppState {
    /// The youngest.
    pub fn latest(&self) -> Option<&Revision> {
        self.revisions.last()
    }

    /// By name, without case.
    pub fn find(&self, name: &str) -> Option<&Revision> {
        self.revisions.iter().find(|revision| revision.name.eq_ignore_ascii_case(name))
    }

    fn find_mut(&mut self, name: &str) -> Option<&mut Revision> {
        self.revisions.iter_mut().find(|revision| revision.name.eq_ignore_ascii_case(name))
    }

    /// Deactivates all but those that `stay`.
    fn deactivate(&mut self, now: Timestamp, stay: impl Fn(&Revision) -> bool) {
        for revision in self.revisions.iter_mut().filter(|revision| revision.active && !stay(revision)) {
            revision.active = false;
            revision.last_active = Some(now);
        }
    }
}

fn single(app: &Resource) -> bool {
    app.properties()["configuration"]["activeRevisionsMode"].as_str() != Some("Multiple")
}

/// Refuses a write whose revision or traffic cannot be.
pub(super) fn judge(world: &World, id: &Id, properties: &Value) -> Result<(), Refusal> {
    let none = AppState::default();
    let state = world.apps.apps.get(&id.key()).unwrap_or(&none);
    let mut coming = None;
    if let Some(suffix) = template::suffix(&properties["template"]) {
        template::check_suffix(id.name(), suffix)?;
        coming = Some(format!("{}--{suffix}", id.name()));
    }
    if properties["configuration"]["activeRevisionsMode"].as_str() != Some("Multiple") {
        return Ok(());
    }
    for entry in properties["configuration"]["ingress"]["traffic"].as_array().into_iter().flatten() {
        let Some(name) = entry["revisionName"].as_str().filter(|name| !name.is_empty()) else { continue };
        let known = state.find(name).is_some() || coming.as_deref() == Some(name);
        if !known {
            return Err(Refusal::bad(
                "ContainerAppTrafficRevisionNotFound",
                format!(
                    "The revision '{name}' in the traffic configuration of the container app '{}' does not exist.",
                    id.name()
                ),
            ));
        }
        let weight = entry["weight"].as_u64().unwrap_or(0);
        if weight > 0 && state.find(name).is_some_and(|revision| !revision.active) {
            return Err(Refusal::bad(
                "ContainerAppTrafficRevisionInactive",
                format!("The revision '{name}' is inactive and cannot take traffic: activate it first."),
            ));
        }
    }
    Ok(())
}

/// Refuses to take secrets away that active revisions use, beside the one that the write makes.
pub(super) fn judge_secrets(world: &World, id: &Id, properties: &Value) -> Result<(), Refusal> {
    let Some(state) = world.apps.apps.get(&id.key()) else { return Ok(()) };
    if properties["configuration"]["activeRevisionsMode"].as_str() != Some("Multiple") {
        return Ok(());
    }
    let there = template::secret_names(properties);
    let (mut secrets, mut users) = (BTreeSet::new(), BTreeSet::new());
    for revision in state.revisions.iter().filter(|revision| revision.active) {
        let containers = ["containers", "initContainers"].into_iter();
        let all = containers.filter_map(|list| revision.template[list].as_array()).flatten();
        let used = all.filter_map(|container| container["env"].as_array()).flatten();
        let gone = used
            .filter_map(|entry| entry["secretRef"].as_str())
            .filter(|name| !name.is_empty() && !there.contains(*name));
        for name in gone {
            secrets.insert(name);
            users.insert(revision.name.as_str());
        }
    }
    if secrets.is_empty() {
        return Ok(());
    }
    let listed = |names: BTreeSet<&str>| names.into_iter().collect::<Vec<_>>().join(",");
    Err(Refusal::bad(
        "ContainerAppSecretInUse",
        format!(
            "Container App '{}' has an active revision referencing a secret you are trying to delete. Please add \
             secrets: {} or deactive the revisions: {} referencing this secret.",
            id.name(),
            listed(secrets),
            listed(users)
        ),
    ))
}

/// A write of the app was stored. Makes a new revision when the template changed, or starts a failed one anew. True
/// when the write's operation ends with a revision.
pub(super) fn begin(world: &mut World, id: &Id) -> bool {
    let key = id.key();
    let Some(app) = world.arm.find(&key) else { return false };
    let (single, shown) = (single(app), app.properties()["template"].clone());
    let app_name = app.id.name().to_owned();
    let now = world.now;
    let state = world.apps.apps.entry(key).or_default();
    let wanted_name = template::suffix(&shown).map(|suffix| format!("{app_name}--{suffix}"));
    if let Some(latest) = state.revisions.last_mut()
        && template::without_suffix(&latest.template) == template::without_suffix(&shown)
        && wanted_name.as_ref().is_none_or(|name| *name == latest.name)
    {
        if !matches!(latest.state, State::Failed { .. }) {
            return latest.state == State::Provisioning;
        }
        // What was wrong may have been put right elsewhere: a role, a secret, an image.
        latest.state = State::Provisioning;
        latest.active = true;
        latest.epoch += 1;
        latest.replicas.clear();
        return true;
    }
    if wanted_name.as_ref().is_some_and(|name| state.find(name).is_some()) {
        // accepted, and told by the operation only
        let app = id.key();
        let after = world.config.scaled(PROVISION_SECONDS);
        world.later(after, crate::world::Event::Apps(super::Event::Clash { app }));
        return true;
    }
    state.count += 1;
    let name = wanted_name.unwrap_or_else(|| format!("{app_name}--{:07}", state.count));
    let wanted =
        shown["scale"]["minReplicas"].as_u64().and_then(|min| u32::try_from(min).ok()).unwrap_or(0).max(1);
    if single {
        // One that failed, or that never came so far, has no claim any more.
        let ready = state.latest_ready.clone();
        state.deactivate(now, |revision| Some(&revision.name) == ready.as_ref());
    }
    state.revisions.push(Revision {
        name,
        created: now,
        template: shown,
        active: true,
        state: State::Provisioning,
        proven: false,
        epoch: 0,
        wanted,
        replicas: BTreeMap::new(),
        last_active: None,
    });
    true
}

/// The suffix of a write's revision is in use: the write fails, and what is there stays.
pub(super) fn clash(world: &mut World, key: &str) {
    let Some(app) = world.arm.find(key) else { return };
    let suffix = template::suffix(&app.properties()["template"]).unwrap_or_default().to_owned();
    let failure = Refusal::bad(
        "ContainerAppOperationError",
        format!(
            "Failed to provision revision for container app '{}'. Error details: The following field(s) are either \
             invalid or missing. Field 'template.revisionsuffix' is invalid with details: 'Invalid value: \"{suffix}\": \
             revision with suffix {suffix} already exists.';.",
            app.id.name()
        ),
    );
    if let Some(operation) = operations::under_way(world, key).map(|it| it.id.clone()) {
        operations::finish(world, &operation, Err(failure));
    }
}

/// A write's operation has ended.
pub(super) fn settled(world: &mut World, id: &Id, failure: Option<&Refusal>) {
    let key = id.key();
    let now = world.now;
    let Some(app) = world.arm.find(&key) else { return };
    let most = app.properties()["configuration"]["maxInactiveRevisions"].as_u64();
    let most = most.and_then(|most| usize::try_from(most).ok()).unwrap_or(INACTIVE_MAX);
    let single = single(app);
    let Some(state) = world.apps.apps.get_mut(&key) else { return };
    if let Some(failure) = failure
        && let Some(latest) = state.revisions.last_mut()
        && latest.state == State::Provisioning
    {
        // Something other than the runtime let the operation fail: the revision goes with it.
        latest.state = State::Failed { code: failure.code.clone(), message: failure.message.clone() };
    }
    if single {
        let (ready, latest) = (state.latest_ready.clone(), state.latest().map(|latest| latest.name.clone()));
        state.deactivate(now, |revision| {
            Some(&revision.name) == ready.as_ref()
                || (Some(&revision.name) == latest.as_ref() && failure.is_some())
        });
    }
    let inactive = state.revisions.iter().filter(|revision| !revision.active).count();
    let mut surplus = inactive.saturating_sub(most);
    state.revisions.retain(|revision| {
        let goes = surplus > 0 && !revision.active;
        surplus -= usize::from(goes);
        !goes
    });
}

/// The runtime saw something of a revision.
pub(super) fn observe(world: &mut World, observation: Observation) {
    let Observation { app, revision: name, seen } = observation;
    let now = world.now;
    let single = world.arm.find(&app).is_none_or(single);
    let Some(state) = world.apps.apps.get_mut(&app) else { return };
    let Some(revision) = state.find_mut(&name) else { return };
    match seen {
        Seen::Began => revision.replicas.clear(),
        Seen::ReplicaStarted { replica } => {
            revision.replicas.insert(replica, Replica { since: now, ready: false, restarts: 0, why: None });
        }
        Seen::ReplicaReady { replica } => {
            if let Some(replica) = revision.replicas.get_mut(&replica) {
                (replica.ready, replica.why) = (true, None);
            }
        }
        Seen::ReplicaUnready { replica, why, restarts } => {
            if let Some(replica) = revision.replicas.get_mut(&replica) {
                (replica.ready, replica.why, replica.restarts) = (false, Some(why), restarts);
            }
        }
        Seen::ReplicaEnded { replica, .. } => {
            revision.replicas.remove(&replica);
        }
        Seen::Scaled { replicas } => revision.wanted = replicas,
        Seen::Finished { .. } => {}
        Seen::Ready => {
            if revision.state != State::Provisioning {
                return;
            }
            revision.state = State::Provisioned;
            revision.proven = true;
            let youngest =
                state.revisions.iter().rev().find(|other| other.active && other.state == State::Provisioned);
            state.latest_ready = youngest.map(|youngest| youngest.name.clone());
            if single && state.latest_ready.as_deref() == Some(&name) {
                state.deactivate(now, |other| other.name == name);
            }
            end(world, &app, &name, Ok(()));
        }
        Seen::Failed { code, message } => {
            if revision.state != State::Provisioning {
                return;
            }
            revision.state = State::Failed { code: code.clone(), message: message.clone() };
            end(world, &app, &name, Err(Refusal::bad(&code, message)));
        }
    }
}

/// Ends the write that made a revision, when it is under way.
fn end(world: &mut World, app: &str, name: &str, result: Result<(), Refusal>) {
    let latest =
        world.apps.apps.get(app).and_then(AppState::latest).is_some_and(|latest| latest.name == name);
    let operation =
        operations::under_way(world, app).filter(|operation| operation.verb != operations::Verb::Delete);
    if let Some(operation) = operation.map(|operation| operation.id.clone()).filter(|_| latest) {
        operations::finish(world, &operation, result);
    }
}

/// `activate`, `deactivate`, `restart`.
pub(super) fn steer(world: &mut World, app: &str, name: &str, what: &str) -> Result<(), Refusal> {
    let now = world.now;
    let Some(state) = world.apps.apps.get_mut(app) else { return Ok(()) };
    let Some(revision) = state.find_mut(name) else { return Ok(()) };
    match what {
        "activate" if !revision.active => {
            revision.active = true;
            revision.epoch += 1;
            revision.state = State::Provisioning;
            revision.last_active = None;
        }
        "deactivate" if revision.active => {
            // Its entry in the traffic configuration stays, and leads nowhere.
            revision.active = false;
            revision.last_active = Some(now);
        }
        "restart" if revision.active => {
            revision.epoch += 1;
            if matches!(revision.state, State::Failed { .. }) {
                revision.state = State::Provisioning;
            }
        }
        "restart" => {
            return Err(Refusal::bad(
                "RevisionInactive",
                format!("The revision '{name}' is not active and cannot be restarted."),
            ));
        }
        _ => {}
    }
    Ok(())
}

/// Where the app's own address leads now: shares by revision. In multiple mode traffic moves by itself only where an
/// entry says `latestRevision`, and then to the youngest that is ready.
pub(super) fn traffic(app: &Resource, state: &AppState) -> Vec<(String, u32)> {
    let ingress = &app.properties()["configuration"]["ingress"];
    if !ingress.is_object() || state.stopped {
        return Vec::new();
    }
    let serves = |name: &str| state.find(name).is_some_and(|revision| revision.active && revision.proven);
    let ready = state.latest_ready.as_deref().filter(|name| serves(name));
    if single(app) {
        return ready.map(|name| (name.to_owned(), 100)).into_iter().collect();
    }
    let mut shares: Vec<(String, u32)> = Vec::new();
    for entry in ingress["traffic"].as_array().into_iter().flatten() {
        let weight = u32::try_from(entry["weight"].as_u64().unwrap_or(0)).unwrap_or(0);
        let name = match entry["latestRevision"].as_bool() {
            Some(true) => ready,
            _ => entry["revisionName"].as_str().filter(|name| serves(name)),
        };
        let Some(name) = name.filter(|_| weight > 0) else { continue };
        match shares.iter_mut().find(|(known, _)| known == name) {
            Some((_, share)) => *share += weight,
            None => shares.push((name.to_owned(), weight)),
        }
    }
    shares
}

/// Labels and the revisions they name.
pub(super) fn labels(app: &Resource, state: &AppState) -> Vec<(String, String)> {
    let entries = app.properties()["configuration"]["ingress"]["traffic"].as_array().into_iter().flatten();
    entries
        .filter_map(|entry| {
            let label = entry["label"].as_str().filter(|label| !label.is_empty())?;
            let revision = match entry["latestRevision"].as_bool() {
                Some(true) => state.latest_ready.clone()?,
                _ => entry["revisionName"].as_str()?.to_owned(),
            };
            Some((label.to_ascii_lowercase(), revision))
        })
        .collect()
}
