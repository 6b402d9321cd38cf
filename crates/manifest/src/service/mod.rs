//! `[service.NAME]`: what runs.
//!
//! In reading order: the nouns; [`fields`], their rows in the table of fields; [`check`], what the parts of a service
//! say about each other and about what else the manifest has.

pub(crate) mod check;
pub(crate) mod fields;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::app::Template;
use crate::host::Host;
use crate::resource::ResourceKind;
use crate::units::{Cpu, Duration, Load, Memory};

/// Something that runs.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
pub struct Service {
    /// What it runs on, with that host's own fields.
    #[serde(flatten)]
    pub host: Host,
    /// What it is made from.
    pub source: Source,
    /// The port it listens on; `None` for a worker, which has no ingress either.
    pub port: Option<u16>,
    /// The command to start, when the image's own is not wanted.
    pub command: Option<Vec<String>>,
    /// What the command is given, whichever it is.
    #[serde(default)]
    pub args: Vec<String>,
    /// Processor share of one replica; none where the host has machines of a size instead.
    pub cpu: Option<Cpu>,
    /// Memory of one replica; likewise.
    pub memory: Option<Memory>,
    /// How many replicas, and what makes them more; none where nothing is multiplied.
    pub scale: Option<Scale>,
    /// HTTP paths that tell how it is.
    #[serde(default)]
    pub probes: Probes,
    /// How it is reached; `Some` exactly when there is a port, and for a static site.
    pub ingress: Option<Ingress>,
    /// The resources it reaches, by name, and what it may do there.
    #[serde(default)]
    pub uses: BTreeMap<String, Accesses>,
    /// Environment variables.
    #[serde(default)]
    pub env: BTreeMap<String, Template>,
    /// Environment variables (keys) whose values are Key Vault secrets (values: the secrets' names).
    #[serde(default)]
    pub secrets: BTreeMap<String, String>,
    /// Exactly one instance, ever; `scale` is then 1 to 1.
    #[serde(default)]
    pub singleton: bool,
}

impl Service {
    /// The names of the secrets that its variables have the values of, in any of its slots.
    pub fn secret_names(&self) -> impl Iterator<Item = &str> {
        let slots = match &self.host {
            Host::AppService(own) => Some(own.changed().flat_map(|slot| slot.secrets.values())),
            _ => None,
        };
        self.secrets.values().chain(slots.into_iter().flatten()).map(String::as_str)
    }

    /// Whether any of its variables, in any of its slots, is a secret.
    pub fn has_secrets(&self) -> bool {
        self.secret_names().next().is_some()
    }
}

/// What a service is made from.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Source {
    /// A folder, relative to the manifest's, that Landfall builds.
    Folder(String),
    /// An image that exists: `registry/repository:tag` or `…@sha256:…`.
    Image(String),
}

/// How many replicas run, and what makes them more.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
pub struct Scale {
    /// Replicas kept even without load; 0 lets the service sleep.
    pub min: u32,
    /// Replicas never exceeded.
    pub max: u32,
    /// Concurrent requests of one replica before another starts; only with a port.
    pub http: Option<u32>,
    /// Processor use, in percent, above which another replica starts.
    pub cpu: Option<u8>,
    /// Memory use, in percent, above which another replica starts.
    pub memory: Option<u8>,
    /// Waiting messages that make replicas start.
    pub queue: Option<QueueScale>,
    /// Requests of one instance above which another starts.
    pub requests: Option<Load>,
    /// Below what an instance goes.
    pub down: Option<Down>,
    /// How long a load has to last before it counts.
    pub window: Option<Duration>,
    /// How long nothing changes after a change.
    pub cooldown: Option<Duration>,
    /// Times with bounds of their own.
    #[serde(default)]
    pub schedule: Vec<Times>,
}

/// The load below which an instance goes.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
pub struct Down {
    /// Processor use in percent.
    pub cpu: Option<u8>,
    /// Memory use in percent.
    pub memory: Option<u8>,
    /// Requests of one instance.
    pub requests: Option<Load>,
}

/// A time of the week with bounds of its own.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
pub struct Times {
    /// Days of the week: `mon` to `sun`.
    pub days: Vec<String>,
    /// When it begins, `08:00`.
    pub from: String,
    /// When it ends, `18:00`.
    pub to: String,
    /// Azure's name of the time zone.
    pub zone: String,
    /// Instances kept then.
    pub min: u32,
    /// Instances never exceeded then.
    pub max: u32,
}

/// Scaling by the length of a queue.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
pub struct QueueScale {
    /// The resource that holds the queue.
    pub resource: String,
    /// Which of its queues, or `topic/subscription`; `None`: the only one.
    pub name: Option<String>,
    /// Waiting messages per replica.
    pub messages: u32,
}

impl QueueScale {
    /// What can be counted in a resource: its queues, and `topic/subscription` for each subscription.
    pub fn countable(kind: &ResourceKind) -> Vec<String> {
        match kind {
            ResourceKind::Storage(account) => account.queues.clone(),
            ResourceKind::ServiceBus(bus) => {
                let subscriptions = bus.topics.iter().flat_map(|(topic, wanted)| {
                    wanted.subscriptions.keys().map(move |subscription| format!("{topic}/{subscription}"))
                });
                bus.queues.keys().cloned().chain(subscriptions).collect()
            }
            _ => Vec::new(),
        }
    }
}

/// HTTP paths on the service's port; where none is given the port itself is probed.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
pub struct Probes {
    /// Fails when the process must be restarted.
    pub live: Option<String>,
    /// Fails while the replica should get no requests.
    pub ready: Option<String>,
    /// Succeeds once the process has come up.
    pub start: Option<String>,
}

/// How a service is reached.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
pub struct Ingress {
    /// From the internet, or only from the application's own environment.
    #[serde(default = "yes")]
    pub public: bool,
    /// Host names of the user's own.
    pub domains: Vec<String>,
    /// Address ranges let in; empty: all.
    #[serde(default)]
    pub allow: Vec<String>,
    /// Origins that browsers may call from; empty: no CORS headers.
    #[serde(default)]
    pub cors: Vec<String>,
    /// Whether a client keeps its replica.
    #[serde(default)]
    pub affinity: bool,
}

fn yes() -> bool {
    true
}

/// What a service may do with a resource.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Access {
    /// Read what is in it.
    Read,
    /// Read, write and delete what is in it.
    Write,
    /// Pull images.
    Pull,
    /// Pull and push images.
    Push,
    /// Ask it, as one asks a model.
    Call,
    /// Put messages into it.
    Send,
    /// Take messages out of it.
    Receive,
}

impl Access {
    /// All of them.
    pub const ALL: [Access; 7] = [
        Access::Read,
        Access::Write,
        Access::Pull,
        Access::Push,
        Access::Call,
        Access::Send,
        Access::Receive,
    ];

    /// The word the manifest uses.
    pub fn as_str(self) -> &'static str {
        match self {
            Access::Read => "read",
            Access::Write => "write",
            Access::Pull => "pull",
            Access::Push => "push",
            Access::Call => "call",
            Access::Send => "send",
            Access::Receive => "receive",
        }
    }

    /// The access of that word.
    pub fn from_word(word: &str) -> Option<Access> {
        Access::ALL.into_iter().find(|access| access.as_str() == word)
    }
}

impl fmt::Display for Access {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// What a service may do with one resource: one access or several, written `"send"` or `["send", "receive"]`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Accesses(BTreeSet<Access>);

impl Accesses {
    /// Each access once, in the order of [`Access`].
    pub fn iter(&self) -> impl Iterator<Item = Access> + '_ {
        self.0.iter().copied()
    }

    /// Whether `access` is one of them.
    pub fn contains(&self, access: Access) -> bool {
        self.0.contains(&access)
    }
}

impl From<Access> for Accesses {
    fn from(access: Access) -> Accesses {
        Accesses(BTreeSet::from([access]))
    }
}

impl FromIterator<Access> for Accesses {
    fn from_iter<I: IntoIterator<Item = Access>>(accesses: I) -> Accesses {
        Accesses(accesses.into_iter().collect())
    }
}

impl<'de> Deserialize<'de> for Accesses {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Accesses, D::Error> {
        #[derive(Deserialize)]
        #[serde(untagged)]
        enum Written {
            One(Access),
            Several(BTreeSet<Access>),
        }
        // Only checked trees come here, so that `untagged` has no mistakes to hide.
        Ok(match Written::deserialize(deserializer)? {
            Written::One(access) => access.into(),
            Written::Several(accesses) => Accesses(accesses),
        })
    }
}

impl Serialize for Accesses {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self.0.first() {
            Some(only) if self.0.len() == 1 => only.serialize(serializer),
            _ => self.0.serialize(serializer),
        }
    }
}
