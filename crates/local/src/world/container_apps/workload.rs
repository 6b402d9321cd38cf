//! What should run, and what was seen of it: the two values that pass between the world and the runtime.
//!
//! The world says [`Desired`], the runtime makes it so and reports each [`Observation`]; only observations change
//! the state of a revision, so the world stays a deterministic value.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::world::Hidden;

/// Everything that should run now.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Desired {
    /// Apps by id.
    pub apps: Vec<App>,
    /// Executions of jobs that should run, oldest first.
    pub runs: Vec<Run>,
    /// Host names of the services that programs call: vaults, registries, accounts' blobs.
    pub services: Vec<String>,
    /// How far the clock was moved: replicas that are idle have been so for this much longer.
    pub ahead: Duration,
}

/// One execution of a job.
#[derive(Clone, Debug, PartialEq)]
pub struct Run {
    /// ARM id of the job in lower case: what observations name it by.
    pub job: String,
    /// The job's name as created.
    pub name: String,
    /// The execution's name.
    pub execution: String,
    /// The environment's default domain.
    pub domain: String,
    /// Run one after the other before the containers.
    pub init: Vec<Container>,
    /// Run side by side in each replica; it succeeds when all do.
    pub containers: Vec<Container>,
    /// What its containers may mount.
    pub volumes: Vec<Volume>,
    /// Replicas at a time.
    pub parallelism: u32,
    /// Replicas that must succeed.
    pub completions: u32,
    /// Replicas that may fail.
    pub retries: u32,
    /// How long it may take.
    pub timeout: Duration,
}

/// One container app.
#[derive(Clone, Debug, PartialEq)]
pub struct App {
    /// ARM id in lower case: what observations name it by.
    pub id: String,
    /// Name as created.
    pub name: String,
    /// The environment's default domain, `happy-tree-1a2b3c4d.westeurope.azurecontainerapps.localhost`.
    pub domain: String,
    /// In single revision mode: at most one revision serves.
    pub single: bool,
    /// How requests reach it; `None`: not at all.
    pub ingress: Option<Ingress>,
    /// Active revisions, oldest first.
    pub revisions: Vec<Workload>,
}

/// How requests reach an app.
#[derive(Clone, Debug, PartialEq)]
pub struct Ingress {
    /// `NAME.<domain>`, or `NAME.internal.<domain>`.
    pub fqdn: String,
    /// Reachable from outside its environment: external, in an environment that is not internal.
    pub external: bool,
    /// The port that containers should listen on; `None`: whichever single port they listen on.
    pub target_port: Option<u16>,
    /// HTTP/2 without TLS towards the app (gRPC).
    pub http2: bool,
    /// The same for requests that are gRPC's, as far as can be seen.
    pub auto: bool,
    /// What becomes of certificates that clients show.
    pub client_certificates: ClientCertificates,
    /// What clients are shown at custom domains.
    pub certificates: BTreeMap<String, HostCertificate>,
    /// Plain HTTP is answered rather than redirected.
    pub allow_insecure: bool,
    /// A client keeps its replica, by cookie.
    pub sticky: bool,
    /// Shares of the app's own address by revision; they sum to 100, or there are none.
    pub traffic: Vec<(String, u32)>,
    /// Other host names (labels, revisions, custom domains) and the one revision each leads to; `None`: as the app's
    /// own address.
    pub hosts: BTreeMap<String, Option<String>>,
    /// TCP rather than HTTP: ports of the environment, and the app's own port behind each; `None`: the main one.
    pub tcp: Vec<(u16, Option<u16>)>,
    /// CIDR ranges with their action, in order; empty: everyone.
    pub restrictions: Vec<Restriction>,
    /// Cross-origin rules.
    pub cors: Option<Cors>,
}

/// `clientCertificateMode`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ClientCertificates {
    /// Not asked for.
    #[default]
    Ignore,
    /// Asked for, and passed on when there is one.
    Accept,
    /// Nobody comes in without one.
    Require,
}

/// What a client is shown at a custom domain.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum HostCertificate {
    /// Nothing is bound: the environment's own, which is for other names.
    Environment,
    /// One that this Azure issues for the name.
    Managed,
    /// One that was uploaded.
    Uploaded {
        /// Certificates, the leaf first, each base64 of its DER.
        chain: Vec<String>,
        /// The key, PKCS #8, base64 of its DER.
        key: Hidden,
    },
}

/// One rule of `ipSecurityRestrictions`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Restriction {
    /// `10.0.0.0/8`.
    pub range: String,
    /// Allowed or denied.
    pub allow: bool,
}

/// `corsPolicy`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Cors {
    /// Origins, or `*`.
    pub origins: Vec<String>,
    /// Methods.
    pub methods: Vec<String>,
    /// Request headers.
    pub headers: Vec<String>,
    /// Response headers that scripts may read.
    pub expose: Vec<String>,
    /// Seconds a preflight may be kept.
    pub max_age: Option<u64>,
    /// Cookies may be sent.
    pub credentials: bool,
}

/// One active revision.
#[derive(Clone, Debug, PartialEq)]
pub struct Workload {
    /// `app--suffix`.
    pub revision: String,
    /// Counts restarts asked for: replicas of an earlier one are replaced.
    pub epoch: u64,
    /// Provisioned already: when it does not start now, it is unhealthy rather than failed.
    pub proven: bool,
    /// Run one after the other before the containers.
    pub init: Vec<Container>,
    /// Run side by side in each replica; the first one is the app.
    pub containers: Vec<Container>,
    /// What its containers may mount.
    pub volumes: Vec<Volume>,
    /// Bounds and rules.
    pub scale: Scale,
    /// From SIGTERM to SIGKILL.
    pub grace: Duration,
}

/// One container of a revision.
#[derive(Clone, PartialEq)]
pub struct Container {
    /// Name.
    pub name: String,
    /// `registry/repository:tag` or `…@sha256:…`, as written.
    pub image: String,
    /// Overrides the image's entry point.
    pub command: Vec<String>,
    /// Overrides the image's command.
    pub args: Vec<String>,
    /// Variables in order with secrets resolved, or why one could not be.
    pub env: Result<Vec<(String, String)>, Unresolved>,
    /// Probes.
    pub probes: Vec<Probe>,
    /// Thousandths of a core.
    pub cpu_millicores: u32,
    /// Mebibytes.
    pub memory_mib: u64,
    /// Volumes in it.
    pub mounts: Vec<Mount>,
}

/// A volume in a container.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mount {
    /// The volume's name.
    pub volume: String,
    /// Absolute path in the container.
    pub path: String,
    /// Only this part of the volume.
    pub sub_path: String,
}

/// A volume of a revision or job.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Volume {
    /// Name.
    pub name: String,
    /// What is in it.
    pub kind: VolumeKind,
}

/// What is in a volume.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum VolumeKind {
    /// Nothing at first; it goes with its replica.
    Empty,
    /// A file for each secret.
    Secret(Vec<(String, Hidden)>),
    /// A share of the environment's storages.
    Share {
        /// Its own name in all of Azure.
        key: String,
        /// Containers may not write to it.
        read_only: bool,
    },
}

// Values of variables may be secrets.
impl fmt::Debug for Container {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Container")
            .field("name", &self.name)
            .field("image", &self.image)
            .finish_non_exhaustive()
    }
}

/// A secret that has no value now.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Unresolved {
    /// Azure's code.
    pub code: String,
    /// Azure's words.
    pub message: String,
    /// Time will not help: the secret does not exist, the vault is gone.
    pub lasting: bool,
}

/// What a probe decides.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum ProbeKind {
    /// Others wait for it; failing restarts the container.
    Startup,
    /// Traffic waits for it.
    Readiness,
    /// Failing restarts the container.
    Liveness,
}

/// How a probe looks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ProbeHow {
    /// A GET that must answer 200 to 399.
    Http {
        /// Path with its slash.
        path: String,
        /// Extra headers.
        headers: Vec<(String, String)>,
    },
    /// A connection.
    Tcp,
}

/// A probe of a container.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Probe {
    /// What it decides.
    pub kind: ProbeKind,
    /// How it looks.
    pub how: ProbeHow,
    /// At which port; `None`: the target port, or the one listened on.
    pub port: Option<u16>,
    /// Before the first look.
    pub initial_delay: Duration,
    /// Between two looks.
    pub period: Duration,
    /// Per look.
    pub timeout: Duration,
    /// Failures in a row that count.
    pub failures: u32,
    /// Successes in a row that count.
    pub successes: u32,
    /// Written by nobody: Azure's own default.
    pub default: bool,
}

/// How many replicas.
#[derive(Clone, Debug, PartialEq)]
pub struct Scale {
    /// At least.
    pub min: u32,
    /// At most.
    pub max: u32,
    /// Concurrent requests a replica should have.
    pub concurrency: Option<u32>,
    /// How busy the processors of a replica should be.
    pub cpu: Option<Target>,
    /// How full its memory should be.
    pub memory: Option<Target>,
    /// Idle time before the last replica goes (300 s on Azure).
    pub cooldown: Duration,
    /// Rules that are kept but not acted on here, by type (`cpu`, `azure-queue`, …).
    pub unmodelled: Vec<String>,
}

/// What a rule for processors or memory aims at.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Target {
    /// Hundredths of what the replica asks for.
    Utilization(f64),
    /// Cores, or mebibytes, by replica.
    Average(f64),
}

/// Something the runtime saw.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Observation {
    /// The app's id, lower case.
    pub app: String,
    /// `app--suffix`.
    pub revision: String,
    /// What.
    pub seen: Seen,
}

/// What was seen.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Seen {
    /// The runtime takes the revision up: nothing of it ran before.
    Began,
    /// A replica's processes were started.
    ReplicaStarted {
        /// `app--suffix-hash-xxxxx`.
        replica: String,
    },
    /// It takes traffic.
    ReplicaReady {
        /// Name.
        replica: String,
    },
    /// It takes none for now, or a container of it ended and will be started again.
    ReplicaUnready {
        /// Name.
        replica: String,
        /// Why.
        why: String,
        /// How often its containers were started again.
        restarts: u32,
    },
    /// It is gone.
    ReplicaEnded {
        /// Name.
        replica: String,
        /// Why: `scaled in`, `revision deactivated`, …
        why: String,
    },
    /// The revision works: as many replicas as it needs passed their probes.
    Ready,
    /// The revision will not come up.
    Failed {
        /// Azure's code.
        code: String,
        /// Azure's words, with the last lines of the log.
        message: String,
    },
    /// How many replicas the scaler wants now.
    Scaled {
        /// That many.
        replicas: u32,
    },
    /// An execution of a job has come to its end.
    Finished {
        /// Why it failed, when it did.
        failure: Option<String>,
    },
}
