//! The words of conditions: what can be measured, of what, and in which unit.

use std::fmt;

use super::condition::Unit;

/// Something that is measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Metric {
    /// The share of requests that the service itself failed (5xx).
    ErrorRate,
    /// The share of requests that were refused as wrong (4xx).
    ClientErrorRate,
    /// Requests.
    Requests,
    /// Requests that the service itself failed.
    RequestsFailed,
    /// How long a request took, on average.
    Latency,
    /// How long the faster half of the requests took at most.
    LatencyP50,
    /// How long 95 of 100 requests took at most.
    LatencyP95,
    /// How long 99 of 100 requests took at most.
    LatencyP99,
    /// Exceptions that the application reported.
    Exceptions,
    /// Lines of the log that tell of an error.
    LogErrors,
    /// Calls to something else that failed.
    DependencyFailures,
    /// The share of calls to something else that failed.
    DependencyErrorRate,
    /// How long 95 of 100 calls to something else took at most.
    DependencyLatencyP95,
    /// A measurement of the application's own.
    Custom,
    /// Share of the processor that is in use.
    Cpu,
    /// Share of the memory that is in use.
    Memory,
    /// How many replicas run.
    Replicas,
    /// How often replicas were started again.
    Restarts,
    /// Share of the instances that answer their health check.
    Health,
    /// Share of the time, or of the checks, in which it answered.
    Availability,
    /// Share of the disk that is in use.
    Storage,
    /// Open connections, or their share of those allowed.
    Connections,
    /// How far a replica is behind.
    ReplicationLag,
    /// Messages that wait.
    QueueLength,
    /// Messages that nobody could handle.
    DeadLetters,
    /// Calls that were refused because there were too many.
    Throttled,
    /// Time until the next secret expires.
    SecretExpiry,
    /// Share of the nodes' processors that is in use.
    NodeCpu,
    /// Share of the nodes' memory that is in use.
    NodeMemory,
}

/// What a metric's values are like.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Nature {
    /// A share: `5%`.
    Share,
    /// A time: `3s`, `300ms`.
    Time,
    /// A number of things that are there at one time: `2`.
    Level,
    /// A number of things that happened within a time: `10`.
    Count,
    /// A number, or a share of the greatest one possible: `800`, `80%`.
    LevelOrShare,
    /// Days: `30d`.
    Days,
    /// Whatever the application measures.
    Any,
}

/// Whether a metric takes a name in quotes behind it: `dependency_failures "OpenAI"`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Naming {
    /// It takes none.
    None,
    /// It may have one, and means all without it.
    Optional,
    /// It makes no sense without one.
    Required,
}

/// What can be measured: the whole application, a service by its host, or a resource by its type.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Of {
    pub app: bool,
    pub hosts: &'static [&'static str],
    pub types: &'static [&'static str],
    /// Of services, only those that listen.
    pub port: bool,
}

/// A word of the language of conditions.
pub(crate) struct Word {
    pub metric: Metric,
    pub name: &'static str,
    pub doc: &'static str,
    pub nature: Nature,
    pub naming: Naming,
    pub of: Of,
}

/// Hosts that run processes of the application's own.
const RUNS: &[&str] = &["container-apps", "container-job", "app-service", "kubernetes"];
/// Hosts whose processes answer requests.
const ANSWERS: &[&str] = &["container-apps", "app-service", "kubernetes"];
/// Hosts that say how much of their processor and memory is in use.
const SIZED: &[&str] = &["container-apps", "app-service"];
/// Hosts whose replicas can be counted.
const REPLICATED: &[&str] = &["container-apps", "kubernetes"];
const NONE: &[&str] = &[];

const fn requests(types: &'static [&'static str]) -> Of {
    Of { app: true, hosts: ANSWERS, types, port: true }
}

const fn services(app: bool, hosts: &'static [&'static str], types: &'static [&'static str]) -> Of {
    Of { app, hosts, types, port: false }
}

const fn word(
    metric: Metric,
    name: &'static str,
    nature: Nature,
    naming: Naming,
    of: Of,
    doc: &'static str,
) -> Word {
    Word { metric, name, doc, nature, naming, of }
}

/// All words.
pub(crate) const WORDS: &[Word] = &[
    word(
        Metric::ErrorRate,
        "error_rate",
        Nature::Share,
        Naming::None,
        requests(NONE),
        "requests answered with 5xx",
    ),
    word(
        Metric::ClientErrorRate,
        "client_error_rate",
        Nature::Share,
        Naming::None,
        requests(NONE),
        "requests answered with 4xx",
    ),
    word(Metric::Requests, "requests", Nature::Count, Naming::None, requests(&["openai"]), "requests"),
    word(
        Metric::RequestsFailed,
        "requests_failed",
        Nature::Count,
        Naming::None,
        requests(&["service-bus"]),
        "requests answered with 5xx",
    ),
    word(
        Metric::Latency,
        "latency",
        Nature::Time,
        Naming::None,
        requests(&["storage", "vault"]),
        "time to answer, on average",
    ),
    word(
        Metric::LatencyP50,
        "latency_p50",
        Nature::Time,
        Naming::None,
        requests(NONE),
        "time that half of the requests took at most",
    ),
    word(
        Metric::LatencyP95,
        "latency_p95",
        Nature::Time,
        Naming::None,
        requests(NONE),
        "time that 95 of 100 requests took at most",
    ),
    word(
        Metric::LatencyP99,
        "latency_p99",
        Nature::Time,
        Naming::None,
        requests(NONE),
        "time that 99 of 100 requests took at most",
    ),
    word(
        Metric::Exceptions,
        "exceptions",
        Nature::Count,
        Naming::Optional,
        services(true, RUNS, NONE),
        "exceptions reported, of a type if one is named",
    ),
    word(
        Metric::LogErrors,
        "log_errors",
        Nature::Count,
        Naming::Optional,
        services(true, RUNS, NONE),
        "log lines of an error, with a text in them if one is given",
    ),
    word(
        Metric::DependencyFailures,
        "dependency_failures",
        Nature::Count,
        Naming::Optional,
        services(true, RUNS, NONE),
        "failed calls to others, to one if it is named",
    ),
    word(
        Metric::DependencyErrorRate,
        "dependency_error_rate",
        Nature::Share,
        Naming::Optional,
        services(true, RUNS, NONE),
        "share of calls to others that failed",
    ),
    word(
        Metric::DependencyLatencyP95,
        "dependency_latency_p95",
        Nature::Time,
        Naming::Optional,
        services(true, RUNS, NONE),
        "time that 95 of 100 calls to others took at most",
    ),
    word(
        Metric::Custom,
        "metric",
        Nature::Any,
        Naming::Required,
        services(true, RUNS, NONE),
        "a measurement of the application's own, by its name",
    ),
    word(
        Metric::Cpu,
        "cpu",
        Nature::Share,
        Naming::None,
        services(false, SIZED, &["postgres", "redis"]),
        "processor in use",
    ),
    word(
        Metric::Memory,
        "memory",
        Nature::Share,
        Naming::None,
        services(false, SIZED, &["postgres", "redis"]),
        "memory in use",
    ),
    word(
        Metric::Replicas,
        "replicas",
        Nature::Level,
        Naming::None,
        services(false, REPLICATED, NONE),
        "replicas that run",
    ),
    word(
        Metric::Restarts,
        "restarts",
        Nature::Count,
        Naming::None,
        services(false, REPLICATED, NONE),
        "replicas started again",
    ),
    word(
        Metric::Health,
        "health",
        Nature::Share,
        Naming::None,
        services(false, &["app-service"], NONE),
        "instances that answer their health check",
    ),
    word(
        Metric::Availability,
        "availability",
        Nature::Share,
        Naming::None,
        requests(&["vault", "storage", "cosmos", "openai"]),
        "tests from outside that succeeded; of a resource, its own account of it",
    ),
    word(
        Metric::Storage,
        "storage",
        Nature::Share,
        Naming::None,
        services(false, NONE, &["postgres"]),
        "disk in use",
    ),
    word(
        Metric::Connections,
        "connections",
        Nature::LevelOrShare,
        Naming::None,
        services(false, NONE, &["postgres", "redis"]),
        "open connections, or their share of those allowed",
    ),
    word(
        Metric::ReplicationLag,
        "replication_lag",
        Nature::Time,
        Naming::None,
        services(false, NONE, &["postgres"]),
        "how far a read replica is behind",
    ),
    word(
        Metric::QueueLength,
        "queue_length",
        Nature::Level,
        Naming::Optional,
        services(false, NONE, &["service-bus"]),
        "messages that wait, of one queue if it is named",
    ),
    word(
        Metric::DeadLetters,
        "dead_letters",
        Nature::Level,
        Naming::Optional,
        services(false, NONE, &["service-bus"]),
        "messages that nobody could handle",
    ),
    word(
        Metric::Throttled,
        "throttled",
        Nature::Count,
        Naming::None,
        services(false, NONE, &["service-bus", "cosmos", "openai"]),
        "calls refused because there were too many",
    ),
    word(
        Metric::SecretExpiry,
        "secret_expiry",
        Nature::Days,
        Naming::None,
        services(false, NONE, &["vault"]),
        "time until a secret expires",
    ),
    word(
        Metric::NodeCpu,
        "node_cpu",
        Nature::Share,
        Naming::None,
        services(true, NONE, NONE),
        "processors of the cluster's nodes in use",
    ),
    word(
        Metric::NodeMemory,
        "node_memory",
        Nature::Share,
        Naming::None,
        services(true, NONE, NONE),
        "memory of the cluster's nodes in use",
    ),
];

/// What people call a metric that has another name here.
const SYNONYMS: &[(&str, &str)] = &[
    ("errors", "error_rate"),
    ("5xx", "requests_failed"),
    ("http_5xx", "requests_failed"),
    ("failures", "requests_failed"),
    ("failed_requests", "requests_failed"),
    ("4xx", "client_error_rate"),
    ("response_time", "latency"),
    ("duration", "latency"),
    ("p50", "latency_p50"),
    ("p95", "latency_p95"),
    ("p99", "latency_p99"),
    ("response_time_p95", "latency_p95"),
    ("cpu_percent", "cpu"),
    ("ram", "memory"),
    ("memory_percent", "memory"),
    ("instances", "replicas"),
    ("pods", "replicas"),
    ("pod_restarts", "restarts"),
    ("uptime", "availability"),
    ("disk", "storage"),
    ("active_connections", "connections"),
    ("messages", "queue_length"),
    ("backlog", "queue_length"),
    ("dead_letter", "dead_letters"),
    ("dlq", "dead_letters"),
    ("expiry", "secret_expiry"),
    ("custom", "metric"),
    ("dependency", "dependency_failures"),
    ("openai_failures", "dependency_failures \"OpenAI\""),
];

impl Metric {
    /// What is true of it.
    pub(crate) fn word(self) -> &'static Word {
        WORDS.iter().find(|word| word.metric == self).expect("every metric has a word, which a test holds")
    }

    /// The word that the manifest uses.
    pub fn as_str(self) -> &'static str {
        self.word().name
    }

    /// The metric of that word.
    pub fn from_word(word: &str) -> Option<Metric> {
        WORDS.iter().find(|known| known.name == word).map(|word| word.metric)
    }

    /// What it measures, in a few words.
    pub fn doc(self) -> &'static str {
        self.word().doc
    }

    /// What its values are like.
    pub fn nature(self) -> Nature {
        self.word().nature
    }

    /// Every metric.
    pub fn all() -> impl Iterator<Item = Metric> {
        WORDS.iter().map(|word| word.metric)
    }

    /// Whether a service on that host can be asked for it.
    pub fn is_of_host(self, host: &str) -> bool {
        self.word().of.hosts.contains(&host)
    }

    /// Whether a resource of that type can be asked for it.
    pub fn is_of_type(self, kind: &str) -> bool {
        self.word().of.types.contains(&kind)
    }

    /// Whether the application as a whole can be asked for it.
    pub fn is_of_app(self) -> bool {
        self.word().of.app
    }
}

impl Nature {
    /// Whether values with that unit are of this nature.
    pub fn takes(self, unit: Unit) -> bool {
        match self {
            Nature::Share => unit == Unit::Percent,
            Nature::Time => matches!(unit, Unit::Milliseconds | Unit::Seconds | Unit::Minutes | Unit::Hours),
            Nature::Level | Nature::Count => unit == Unit::None,
            Nature::LevelOrShare => matches!(unit, Unit::None | Unit::Percent),
            Nature::Days => unit == Unit::Days,
            Nature::Any => true,
        }
    }

    /// How its values are written, with an example.
    pub(crate) fn form(self) -> &'static str {
        match self {
            Nature::Share => "a share such as `5%`",
            Nature::Time => "a time such as `3s` or `300ms`",
            Nature::Level | Nature::Count => "a number without a unit, such as `10`",
            Nature::LevelOrShare => "a number such as `800`, or a share such as `80%`",
            Nature::Days => "a number of days such as `30d`",
            Nature::Any => "a number such as `5`, `98%` or `300ms`",
        }
    }
}

/// The word that was probably meant.
pub(crate) fn meant(word: &str) -> Option<&'static str> {
    let synonym = SYNONYMS.iter().find(|(said, _)| word.eq_ignore_ascii_case(said)).map(|(_, meant)| *meant);
    synonym.or_else(|| crate::suggest::nearest(word, WORDS.iter().map(|word| word.name)))
}

impl fmt::Display for Metric {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
