//! The state of a make-believe Azure: a deterministic value without sockets, threads, clock or disk.
//!
//! Everything that happens to it is an [`Input`] with a time; [`World::apply`] gives the same outcome for the
//! same seed and the same inputs, which is how the state survives a crash (the inputs are journalled by the
//! front) and how a test can live through a year in a second. In reading order:
//!
//! - [`http`]: requests and responses as the world sees them.
//! - [`agenda`], [`chance`]: what is due when, and draws that depend on the seed and their purpose only.
//! - [`arm`]: Resource Manager: ids, resources, operations, and [`arm::kind`], the table of resource types.
//! - [`entra`], [`access`]: tokens, principals; roles and assignments, asked by every plane.
//! - [`keyvault`], [`registry_account`], [`registry`], [`storage_account`], [`blob`], [`workspace`],
//!   [`identities`], [`container_apps`]: one service each; [`plain`]: types with a life cycle and nothing more.
//! - [`quota`]: how much of something a region may hold.
//! - [`management_groups`]: the tree above subscriptions.
//! - [`templates`]: deployments of templates, through the same requests as a client's.
//! - [`network`]: virtual networks, security groups, private endpoints and private DNS; [`app_service`], [`app_configuration`],
//!   [`communication`],
//!   [`front_door`], [`container_groups`], [`kubernetes`], [`event_grid`], [`postgres`], [`messaging`], [`redis`], [`cognitive`], [`cosmos`], [`monitor`]: rules of the other services.
//! - [`graph`]: the look-ups of principals that tools cannot do without.
//! - [`dns`], [`x509`], [`crypto`]: names that are looked up, certificates that are brought, keys that are made.
//! - [`faults`], [`outage`], [`control`]: failures and time on demand.
//! - [`fuzz`]: what must hold for anything that comes from outside.

pub mod access;
pub mod agenda;
pub mod app_configuration;
pub mod app_service;
pub mod arm;
pub mod blob;
pub mod chance;
mod checks;
pub mod cognitive;
pub mod communication;
pub mod container_apps;
pub mod container_groups;
pub mod control;
pub mod cosmos;
pub mod crypto;
pub mod dns;
pub mod entra;
pub mod event_grid;
pub mod faults;
pub mod front_door;
pub mod fuzz;
mod graph;
#[cfg(test)]
mod hostile;
pub mod http;
pub mod identities;
pub mod keyvault;
pub mod kubernetes;
#[cfg(test)]
mod lives;
pub mod management_groups;
pub mod messaging;
pub mod monitor;
pub mod network;
pub mod outage;
pub mod plain;
pub mod postgres;
pub mod quota;
pub mod redis;
pub mod registry;
pub mod registry_account;
pub mod storage_account;
pub mod templates;
#[cfg(test)]
pub(crate) mod testing;
#[cfg(test)]
mod tests;
pub mod workspace;
pub mod x509;

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

pub use agenda::Event;
pub use http::{Body, Method, Plane, Request, Response};

/// What a world is made with; kept with its state.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Config {
    /// Chance is drawn from this and nothing else.
    pub seed: u64,
    /// Multiplies every duration and consistency delay: 1 is Azure's pace, 0 none at all.
    pub speed: f64,
    /// `localhost:PORT`, the authority of ARM and Entra.
    pub authority: String,
    /// The port that ends every suffix (`.vault.localhost:PORT`).
    pub port: u16,
    /// The one tenant.
    pub tenant: String,
    /// The one subscription.
    pub subscription: String,
    /// Application id of the principal that owns the subscription.
    pub client_id: String,
    /// Its secret.
    pub client_secret: String,
}

impl Config {
    /// A world as `local start` makes it: fixed ids, everything else from the seed.
    pub fn new(seed: u64, speed: f64, port: u16) -> Config {
        Config {
            seed,
            speed,
            authority: format!("localhost:{port}"),
            port,
            tenant: "11111111-1111-1111-1111-111111111111".into(),
            subscription: "22222222-2222-2222-2222-222222222222".into(),
            client_id: "33333333-3333-3333-3333-333333333333".into(),
            client_secret: chance::word(seed, "client secret", 40),
        }
    }

    /// Azure's own time for something, at this world's pace.
    pub fn scaled(&self, seconds: f64) -> SignedDuration {
        SignedDuration::from_secs_f64((seconds * self.speed).max(0.0))
    }

    /// `https://localhost:PORT`, ARM's and Entra's address.
    pub fn origin(&self) -> String {
        format!("https://{}", self.authority)
    }
}

/// Something that happens to the world.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub enum Input {
    /// A client's request.
    Request(Request),
    /// What the runtime saw of a deployed application.
    Observed(container_apps::Observation),
    /// Time went by; what is due happens. Need not be journalled: events carry their own time.
    Tick,
}

/// What came of an input.
#[derive(Clone, Debug, Default)]
pub struct Outcome {
    /// What to answer; `None` for inputs that are no requests, and for dropped ones.
    pub response: Option<Response>,
    /// A fault asks for the connection to be cut without an answer.
    pub dropped: bool,
    /// A fault asks for the answer to be held until the world's clock (see [`World::now`]) has passed this.
    pub hold_until: Option<Timestamp>,
    /// Whether anything worth keeping changed: an input that changed nothing need not be journalled.
    pub changed: bool,
    /// Content that the request's links lead to: it is to be made again with their text, and has done nothing so far.
    pub wanted: templates::links::Wanted,
}

/// The whole state. Fields are open to the modules of this room; outside, [`World::apply`] is the only way in.
#[derive(Debug, Serialize, Deserialize)]
pub struct World {
    /// What it was made with.
    pub config: Config,
    /// The world's clock: the time of the last input plus what `/_local/clock` added.
    pub now: Timestamp,
    /// How far `/_local/clock` has moved the world ahead of its callers' clock.
    pub ahead: SignedDuration,
    /// Draws.
    pub chance: chance::Chance,
    /// What is due when.
    pub agenda: agenda::Agenda,
    /// Resource Manager's resources, operations, registrations, buckets.
    pub arm: arm::Arm,
    /// Role assignments.
    pub access: access::Access,
    /// Principals and keys of the tenant.
    pub entra: entra::Entra,
    /// Key Vault data planes.
    pub vaults: keyvault::Vaults,
    /// Container registries' contents.
    pub registries: registry::State,
    /// Storage accounts' blobs.
    pub blobs: blob::State,
    /// Container Apps: revisions, replicas.
    pub apps: container_apps::State,
    /// Template deployments.
    #[serde(default)]
    pub templates: templates::State,
    /// Names that are looked up.
    #[serde(default)]
    pub dns: dns::Dns,
    /// Faults asked for.
    pub faults: faults::Faults,
    /// Quotas that were raised.
    #[serde(default)]
    pub quotas: quota::Raised,
    /// Regions cut off.
    #[serde(default)]
    pub outage: outage::Outage,
    /// Set by whatever changes state while answering a read; see [`Outcome::changed`].
    #[serde(skip)]
    pub(crate) touched: bool,
    /// Azure's type descriptions, when a folder of them was given: bodies are checked against them.
    #[serde(skip)]
    pub types: Option<std::sync::Arc<arm::types::Catalogue>>,
}

impl World {
    /// An empty subscription at `now`.
    pub fn new(config: Config, now: Timestamp) -> World {
        let mut world = World {
            now,
            ahead: SignedDuration::ZERO,
            chance: chance::Chance::new(config.seed),
            agenda: agenda::Agenda::default(),
            arm: arm::Arm::default(),
            access: access::Access::default(),
            entra: entra::Entra::new(&config),
            vaults: keyvault::Vaults::default(),
            registries: registry::State::default(),
            blobs: blob::State::default(),
            apps: container_apps::State::default(),
            templates: templates::State::default(),
            dns: dns::Dns::default(),
            faults: faults::Faults::default(),
            quotas: quota::Raised::default(),
            outage: outage::Outage::default(),
            touched: false,
            types: None,
            config,
        };
        arm::found(&mut world);
        access::found(&mut world);
        management_groups::found(&mut world);
        world
    }

    /// Applies one input at the caller's clock `clock`: first everything that has become due by then, each
    /// event at its own time, then the input. Time never goes back; an earlier clock counts as the latest seen.
    pub fn apply(&mut self, input: Input, clock: Timestamp) -> Outcome {
        self.touched = false;
        self.advance(clock.saturating_add(self.ahead).unwrap_or(Timestamp::MAX));
        let mut outcome = match input {
            Input::Request(request) => self.handle(&request),
            Input::Observed(observation) => {
                container_apps::observe(self, observation);
                Outcome { changed: true, ..Outcome::default() }
            }
            Input::Tick => Outcome::default(),
        };
        outcome.changed |= self.touched;
        outcome.wanted = std::mem::take(&mut self.templates.wanted);
        outcome
    }

    /// Moves the clock to `to`, firing what is due on the way in order.
    pub fn advance(&mut self, to: Timestamp) {
        while let Some((at, event)) = self.agenda.pop(to) {
            self.now = self.now.max(at);
            self.touched = true;
            event.fire(self);
        }
        self.now = self.now.max(to);
    }

    /// When the next event is due, on the callers' clock; the front ticks then.
    pub fn next_due(&self) -> Option<Timestamp> {
        self.agenda.next().map(|at| at.saturating_sub(self.ahead).unwrap_or(at))
    }

    /// Lets `event` happen `after` from now.
    pub fn later(&mut self, after: SignedDuration, event: Event) {
        let at = self.now.saturating_add(after).unwrap_or(Timestamp::MAX);
        self.agenda.add(at, event);
    }

    /// Answers one request at the present time, faults included.
    fn handle(&mut self, request: &Request) -> Outcome {
        if outage::silences(self, &request.plane) {
            return Outcome { dropped: true, ..Outcome::default() };
        }
        let acting = faults::matching(self, request);
        let writes = !matches!(request.method, Method::Get | Method::Head);
        let mut outcome = Outcome { changed: writes || acting.is_some(), ..Outcome::default() };
        if let Some(fault) = &acting {
            match fault {
                faults::Fault::Status { .. } => {
                    outcome.response = Some(self.finish(request, fault.answer()));
                    return outcome;
                }
                faults::Fault::DropBefore => {
                    outcome.dropped = true;
                    return outcome;
                }
                faults::Fault::DropAfter => outcome.dropped = true,
                faults::Fault::Delay(wait) => {
                    outcome.hold_until = self.now.saturating_add(SignedDuration::from_secs_f64(*wait)).ok();
                }
                faults::Fault::OperationFails { .. } | faults::Fault::OperationStalls => {
                    self.faults.pending = Some(fault.clone());
                }
            }
        }
        let response = self.route(request);
        self.faults.pending = None;
        let response = self.finish(request, response);
        if !outcome.dropped {
            outcome.response = Some(response);
        }
        outcome
    }

    /// The plane's own answer.
    fn route(&mut self, request: &Request) -> Response {
        match &request.plane {
            Plane::Control => control::handle(self, request),
            Plane::Arm | Plane::Entra => {
                if control::claims(&request.path) {
                    control::handle(self, request)
                } else if let Some(found) = graph::look_up(self, request) {
                    found
                } else if entra::claims(self, &request.path) {
                    entra::handle(self, request)
                } else {
                    arm::handle(self, request)
                }
            }
            Plane::Vault { name } => keyvault::data::handle(self, name, request),
            Plane::Registry { name } => registry::handle(self, name, request),
            Plane::Blob { account } => blob::handle(self, account, request),
            Plane::Website { account } => blob::website(self, account, request),
            Plane::OtherStorage { account, service } => blob::other_service(self, account, service, request),
            Plane::Identity { workload } => entra::identity_endpoint(self, workload, request),
        }
    }

    /// Headers that every answer of a plane carries.
    fn finish(&self, request: &Request, mut response: Response) -> Response {
        let has = |response: &Response, name: &str| {
            response.headers.iter().any(|(header, _)| header.eq_ignore_ascii_case(name))
        };
        if !has(&response, "x-ms-request-id") {
            response.headers.push(("x-ms-request-id".into(), request.id.clone()));
        }
        if matches!(request.plane, Plane::Arm) && !has(&response, "x-ms-correlation-request-id") {
            let correlation = request.header("x-ms-correlation-request-id").unwrap_or(&request.id);
            response.headers.push(("x-ms-correlation-request-id".into(), correlation.to_owned()));
        }
        if matches!(request.plane, Plane::Arm) && !has(&response, "x-ms-routing-request-id") {
            let at = self.now.strftime("%Y%m%dT%H%M%SZ");
            response.headers.push(("x-ms-routing-request-id".into(), format!("LOCAL:{at}:{}", request.id)));
            for (name, value) in NOT_CACHED {
                if !has(&response, name) {
                    response.headers.push((name.into(), value.into()));
                }
            }
        }
        if let (Some(client), false) =
            (request.header("x-ms-client-request-id"), has(&response, "x-ms-client-request-id"))
            && request.header("x-ms-return-client-request-id").is_none_or(|v| v.eq_ignore_ascii_case("true"))
        {
            response.headers.push(("x-ms-client-request-id".into(), client.to_owned()));
        }
        response
    }
}

/// Resource Manager's answers are of one moment.
const NOT_CACHED: [(&str, &str); 4] = [
    ("cache-control", "no-cache"),
    ("pragma", "no-cache"),
    ("expires", "-1"),
    ("x-content-type-options", "nosniff"),
];

/// How long in seconds, as a [`Duration`] for those who wait.
pub fn seconds(seconds: f64) -> Duration {
    Duration::from_secs_f64(seconds.max(0.0))
}

/// A value that must not be printed: keys and secrets in the world's state.
#[derive(Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Hidden(pub String);

impl std::fmt::Debug for Hidden {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("***")
    }
}
