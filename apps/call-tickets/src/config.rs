//! What the environment says: the variables of the deployment document's Appendix B, and ours.
//!
//! [`read`] reads all of them and tells everything that is missing or wrong at once, by the variable's name and never
//! by its value: half of them are secrets.

use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

use ipnet::IpNet;
use jiff::SignedDuration;
use landfall_llm::{Access, Budget, Prices, Provider};
use landfall_store::Place;
use lettre::message::Mailbox;
use secrecy::{ExposeSecret, SecretString};
use url::Url;

use crate::extract::Redaction;
use crate::topdesk;

/// The model that is asked unless another is configured (T4).
pub const MODEL: &str = "gpt-4o-mini";

/// The addresses that ElevenLabs delivers from (elevenlabs.io/docs, "Post-call webhooks"); the word `elevenlabs` in
/// `CALL_TICKETS_ALLOW_IPS` stands for them.
const ELEVENLABS: [&str; 12] = [
    "34.67.146.145",
    "34.59.11.47",
    "35.204.38.71",
    "34.147.113.54",
    "35.185.187.110",
    "35.247.157.189",
    "34.77.234.246",
    "34.140.184.144",
    "34.93.26.174",
    "34.93.252.69",
    "34.87.23.17",
    "34.126.179.103",
];

/// Where a proxy may stand whose word about the client counts: private and loopback addresses.
const PROXIES: &str = "10.0.0.0/8,100.64.0.0/10,127.0.0.0/8,172.16.0.0/12,192.168.0.0/16,::1/128,fc00::/7";

/// How the service runs.
#[derive(Clone, Debug)]
pub struct Config {
    /// The port it listens on.
    pub port: u16,
    /// Where queue and records are.
    pub store: Place,
    /// The webhook's rules.
    pub webhook: Webhook,
    /// What opens the operator's page and API; they are shut without.
    pub token: Option<SecretString>,
    /// TOPdesk; calls wait without.
    pub topdesk: Option<Topdesk>,
    /// The language model; the rules make tickets without.
    pub model: Option<Model>,
    /// Where notifications go; dead letters are logged and listed without.
    pub mail: Option<Mail>,
    /// Where transcripts are kept, if at all.
    pub transcripts: Option<Transcripts>,
    /// Whether recordings are kept with them.
    pub audio: bool,
    /// What becomes of calls that never connected.
    pub failed_calls: FailedCalls,
    /// What is hidden from the model.
    pub redaction: Redaction,
    /// When and how long failures are tried again.
    pub retry: Retry,
    /// How long TOPdesk may need until an incident that was asked for can be found.
    pub search_delay: SignedDuration,
    /// How many events are worked on at once.
    pub workers: usize,
    /// How long done events are known, so that they are not taken for new ones.
    pub remembered: SignedDuration,
}

/// The webhook's rules.
#[derive(Clone, Debug)]
pub struct Webhook {
    /// Any of them signs; several during a rotation.
    pub secrets: Vec<SecretString>,
    /// How old, or far ahead, a signature may be.
    pub tolerance: SignedDuration,
    /// The largest body, in bytes.
    pub largest: usize,
    /// Who may deliver; anybody when `None`.
    pub allow: Option<Vec<IpNet>>,
    /// Whose `X-Forwarded-For` counts.
    pub proxies: Vec<IpNet>,
}

/// TOPdesk.
#[derive(Clone, Debug)]
pub struct Topdesk {
    /// The API's address.
    pub url: Url,
    /// The operator's login name.
    pub user: String,
    /// The operator's application password.
    pub password: SecretString,
    /// How long one request may take.
    pub timeout: Duration,
}

/// The language model.
#[derive(Clone, Debug)]
pub struct Model {
    /// Its address.
    pub base: String,
    /// The version of Azure's dated API, when that is to be spoken.
    pub version: Option<String>,
    /// Its key; an Entra identity signs in without one.
    pub key: Option<SecretString>,
    /// Its name.
    pub name: String,
    /// Whether Anthropic's protocol is spoken whatever the address is.
    pub anthropic: bool,
    /// How much it is to reason.
    pub effort: Option<String>,
    /// The most that may be spent in a day.
    pub budget: Budget,
    /// What it costs.
    pub prices: Prices,
}

/// How a mail server is spoken to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tls {
    /// In the clear; for tests and servers on the same machine.
    None,
    /// In the clear at first, then not.
    StartTls,
    /// By TLS from the first byte.
    Tls,
}

/// Where notifications go.
#[derive(Clone, Debug)]
pub struct Mail {
    /// The mail server.
    pub server: String,
    /// Its port.
    pub port: u16,
    /// How it is spoken to.
    pub tls: Tls,
    /// The login, if it wants one.
    pub login: Option<(String, SecretString)>,
    /// Who writes.
    pub from: Mailbox,
    /// Who is told.
    pub to: Vec<Mailbox>,
}

/// Where transcripts are kept.
#[derive(Clone, Debug)]
pub enum Transcripts {
    /// In a folder.
    Disk(PathBuf),
    /// In a container of an Azure storage account.
    Azure {
        /// The account.
        account: String,
        /// The container.
        container: String,
        /// Its address, when it is not Azure's own.
        endpoint: Option<String>,
        /// The account's key; an identity signs in without one.
        key: Option<SecretString>,
    },
}

/// What becomes of calls that never connected.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FailedCalls {
    /// A ticket.
    Ticket,
    /// A notification.
    Notify,
    /// They are counted and kept.
    Ignore,
}

/// When and how long failures are tried again.
#[derive(Clone, Copy, Debug)]
pub struct Retry {
    /// The wait before the first retry; each next one is twice as long.
    pub base: Duration,
    /// The longest wait.
    pub longest: Duration,
    /// After this long an event is given up.
    pub age: SignedDuration,
}

/// How bad a finding is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Severity {
    /// The service does not start.
    Error,
    /// It starts, and somebody should know.
    Warning,
}

/// Something missing or wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// How bad it is.
    pub severity: Severity,
    /// The variable.
    pub variable: String,
    /// What is wrong with it, and what to do.
    pub message: String,
}

/// Reads variables and collects what is wrong with them.
struct Reader<'a> {
    environment: &'a dyn Fn(&str) -> Option<String>,
    findings: Vec<Finding>,
}

impl Reader<'_> {
    fn text(&self, name: &str) -> Option<String> {
        (self.environment)(name).map(|value| value.trim().to_owned()).filter(|value| !value.is_empty())
    }

    /// A secret, without the line end that files of secrets tend to have.
    fn secret(&mut self, name: &str) -> Option<SecretString> {
        let value = (self.environment)(name)?;
        if value.trim() != value && !value.trim().is_empty() {
            self.warn(name, "it has blanks or a line end around it; they are left out");
        }
        self.text(name).map(SecretString::from)
    }

    fn error(&mut self, name: &str, message: impl Into<String>) {
        self.findings.push(Finding {
            severity: Severity::Error,
            variable: name.into(),
            message: message.into(),
        });
    }

    fn warn(&mut self, name: &str, message: impl Into<String>) {
        self.findings.push(Finding {
            severity: Severity::Warning,
            variable: name.into(),
            message: message.into(),
        });
    }

    /// A value of a form; the default when it is missing or wrong.
    fn parsed<T>(&mut self, name: &str, default: T, form: &str, parse: impl Fn(&str) -> Option<T>) -> T {
        match self.text(name) {
            None => default,
            Some(text) => parse(&text).unwrap_or_else(|| {
                self.error(name, format!("it must be {form}"));
                default
            }),
        }
    }

    fn number<T: FromStr + PartialOrd + std::fmt::Display>(
        &mut self,
        name: &str,
        default: T,
        least: T,
        most: T,
    ) -> T {
        let form = format!("a number from {least} to {most}");
        self.parsed(name, default, &form, |text| {
            text.parse().ok().filter(|number| *number >= least && *number <= most)
        })
    }

    fn flag(&mut self, name: &str, default: bool) -> bool {
        self.parsed(name, default, "true or false", |text| match text.to_lowercase().as_str() {
            "true" | "1" | "yes" | "on" => Some(true),
            "false" | "0" | "no" | "off" => Some(false),
            _ => None,
        })
    }

    fn duration(&mut self, name: &str, default: SignedDuration) -> SignedDuration {
        self.parsed(name, default, "a time such as 90s, 15m, 24h or 7d", duration)
    }

    fn networks(&mut self, name: &str, text: &str) -> Vec<IpNet> {
        let mut networks = Vec::new();
        for part in text.split([',', ' ']).map(str::trim).filter(|part| !part.is_empty()) {
            if part.eq_ignore_ascii_case("elevenlabs") {
                networks.extend(ELEVENLABS.iter().filter_map(|address| network(address)));
            } else if let Some(network) = network(part) {
                networks.push(network);
            } else {
                self.error(
                    name,
                    "each part must be an address, a range such as 203.0.113.0/24, or `elevenlabs`",
                );
            }
        }
        networks
    }
}

fn network(text: &str) -> Option<IpNet> {
    text.parse().ok().or_else(|| text.parse::<std::net::IpAddr>().ok().map(IpNet::from))
}

/// A time: seconds, or a number with `ms`, `s`, `m`, `h` or `d`.
fn duration(text: &str) -> Option<SignedDuration> {
    let (number, unit) = text.split_at(text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len()));
    let number: i64 = number.parse().ok()?;
    let milliseconds = match unit.trim() {
        "ms" => 1,
        "" | "s" => 1000,
        "m" | "min" => 60_000,
        "h" => 3_600_000,
        "d" => 86_400_000,
        _ => return None,
    };
    number.checked_mul(milliseconds).map(SignedDuration::from_millis)
}

/// Reads the environment: what it says, unless something is an error, and all that is missing or wrong.
pub fn read(environment: &dyn Fn(&str) -> Option<String>) -> (Option<Config>, Vec<Finding>) {
    let mut reader = Reader { environment, findings: Vec::new() };
    let webhook = webhook(&mut reader);
    let audio = reader.parsed("CALL_TICKETS_AUDIO", false, "store or ignore", |text| match text {
        "store" => Some(true),
        "ignore" => Some(false),
        _ => None,
    });
    let base = PathBuf::from(reader.text("STORAGE_BASE_PATH").unwrap_or_else(|| "call-tickets-data".into()));
    let store = store(&mut reader, &base);
    let mail = mail(&mut reader);
    let failed_calls = reader.parsed(
        "CALL_TICKETS_FAILED_CALLS",
        if mail.is_some() { FailedCalls::Notify } else { FailedCalls::Ticket },
        "ticket, notify or ignore",
        |text| match text {
            "ticket" => Some(FailedCalls::Ticket),
            "notify" => Some(FailedCalls::Notify),
            "ignore" => Some(FailedCalls::Ignore),
            _ => None,
        },
    );
    let config = Config {
        port: reader.number("PORT", 8000, 1, u16::MAX),
        store,
        token: reader.secret("CALL_TICKETS_TOKEN"),
        topdesk: topdesk(&mut reader),
        model: model(&mut reader),
        mail,
        transcripts: transcripts(&mut reader, &base),
        audio,
        failed_calls,
        redaction: redaction(&mut reader),
        retry: Retry {
            base: Duration::from_millis(reader.number("CALL_TICKETS_RETRY_BASE_MS", 2000, 1, 3_600_000)),
            longest: Duration::from_secs(900),
            age: reader.duration("CALL_TICKETS_RETRY_MAX_AGE", SignedDuration::from_hours(24)),
        },
        search_delay: reader.duration("CALL_TICKETS_SEARCH_DELAY", SignedDuration::from_secs(2)),
        workers: reader.number("CALL_TICKETS_WORKERS", 8, 1, 256),
        remembered: reader.duration("CALL_TICKETS_REMEMBER", SignedDuration::from_hours(24 * 90)),
        webhook: Webhook {
            largest: reader.number(
                "CALL_TICKETS_MAX_BODY",
                if audio { 160 << 20 } else { 16 << 20 },
                1024,
                1 << 30,
            ),
            ..webhook
        },
    };
    if config.token.is_none() {
        reader.warn("CALL_TICKETS_TOKEN", "it is not set: the operator's page and API are shut");
    }
    let wrong = reader.findings.iter().any(|finding| finding.severity == Severity::Error);
    ((!wrong).then_some(config), reader.findings)
}

fn webhook(reader: &mut Reader<'_>) -> Webhook {
    let all = reader.secret("ELEVENLABS_WEBHOOK_SECRET");
    let all = all.as_ref().map_or("", |all| all.expose_secret());
    let secrets: Vec<SecretString> = all
        .split(',')
        .map(str::trim)
        .filter(|one| !one.is_empty())
        .map(|one| one.to_owned().into())
        .collect();
    if secrets.is_empty() {
        reader.error(
            "ELEVENLABS_WEBHOOK_SECRET",
            "it is needed: the secret that ElevenLabs shows when a webhook is made",
        );
    }
    if secrets.iter().any(|secret| secret.expose_secret().len() < 16) {
        reader
            .warn("ELEVENLABS_WEBHOOK_SECRET", "a secret of fewer than 16 characters is none of ElevenLabs'");
    }
    let allow = reader.text("CALL_TICKETS_ALLOW_IPS");
    let proxies = reader.text("CALL_TICKETS_TRUSTED_PROXIES").unwrap_or_else(|| PROXIES.into());
    Webhook {
        secrets,
        tolerance: SignedDuration::from_secs(reader.number("CALL_TICKETS_TOLERANCE_SECONDS", 300, 1, 86_400)),
        largest: 0,
        allow: allow.map(|text| reader.networks("CALL_TICKETS_ALLOW_IPS", &text)),
        proxies: reader.networks("CALL_TICKETS_TRUSTED_PROXIES", &proxies),
    }
}

fn store(reader: &mut Reader<'_>, base: &std::path::Path) -> Place {
    let data = reader.text("CALL_TICKETS_DATA").map_or_else(|| base.join(".call-tickets"), PathBuf::from);
    let default = Place::Sqlite(data.join("call-tickets.db"));
    match reader.secret("CALL_TICKETS_STORE") {
        None => default,
        Some(text) => Place::parse(text.expose_secret()).unwrap_or_else(|why| {
            reader.error("CALL_TICKETS_STORE", why);
            default
        }),
    }
}

fn topdesk(reader: &mut Reader<'_>) -> Option<Topdesk> {
    let names = ["TOPDESK_URL", "TOPDESK_USERNAME", "TOPDESK_PASSWORD"];
    let (url, user) = (reader.text(names[0]), reader.text(names[1]));
    let password = reader.secret(names[2]);
    let given = [url.is_some(), user.is_some(), password.is_some()];
    if given == [false; 3] {
        reader.warn("TOPDESK_URL", "TOPdesk is not configured: calls are kept until it is, and given up after CALL_TICKETS_RETRY_MAX_AGE");
        return None;
    }
    for (name, given) in names.iter().zip(given) {
        if !given {
            reader.error(
                name,
                "it is missing beside the others of TOPDESK_URL, TOPDESK_USERNAME and TOPDESK_PASSWORD",
            );
        }
    }
    let url = match topdesk::address(&url?) {
        Ok(url) => url,
        Err(why) => {
            reader.error("TOPDESK_URL", why);
            return None;
        }
    };
    if url.scheme() == "http" && !matches!(url.host_str(), Some("localhost" | "127.0.0.1" | "[::1]")) {
        reader.warn("TOPDESK_URL", "the login would travel in the clear; use https");
    }
    let timeout = Duration::from_secs(reader.number("CALL_TICKETS_TOPDESK_TIMEOUT_SECONDS", 30, 1, 300));
    Some(Topdesk { url, user: user?, password: password?, timeout })
}

fn model(reader: &mut Reader<'_>) -> Option<Model> {
    let anthropic_key = reader.secret("ANTHROPIC_API_KEY");
    let openai_key = reader.secret("OPENAI_API_KEY");
    let given = reader.text("OPENAI_API_BASE");
    let wanted = reader.text("CALL_TICKETS_MODEL_PROVIDER");
    let anthropic = match wanted.as_deref() {
        None => openai_key.is_none() && given.is_none() && anthropic_key.is_some(),
        Some("anthropic") => true,
        Some("openai" | "azure") => false,
        Some("none") => return None,
        Some(_) => {
            reader.error("CALL_TICKETS_MODEL_PROVIDER", "it must be openai, azure, anthropic or none");
            return None;
        }
    };
    let key = if anthropic { anthropic_key.or(openai_key) } else { openai_key };
    let default = if anthropic { "https://api.anthropic.com" } else { "https://api.openai.com/v1" };
    let base = given.clone().unwrap_or_else(|| default.into());
    let azure = base.contains(".azure.com") || base.contains("/openai/deployments/");
    if key.is_none() && !(azure && given.is_some()) {
        let name = if anthropic { "ANTHROPIC_API_KEY" } else { "OPENAI_API_KEY" };
        if given.is_some() || wanted.is_some() {
            reader.error(name, "it is needed for this model");
        } else {
            reader.warn(name, "no model is configured: tickets are made by rules");
        }
        return None;
    }
    let version = reader.text("OPENAI_API_VERSION");
    let probe = Access::Key("probe".to_owned().into());
    if let Err(why) = Provider::at(&base, version.as_deref(), probe) {
        reader.error("OPENAI_API_BASE", why);
        return None;
    }
    let named = reader.text("OPENAI_MODEL");
    if anthropic && named.is_none() {
        reader.error("OPENAI_MODEL", "it is needed: the name of Anthropic's model");
    }
    let name = named.unwrap_or_else(|| MODEL.into());
    let listed = Prices::of(&name);
    Some(Model {
        budget: Budget {
            dollars: reader
                .text("CALL_TICKETS_MODEL_DAILY_DOLLARS")
                .is_some()
                .then(|| reader.number("CALL_TICKETS_MODEL_DAILY_DOLLARS", 0.0, 0.0, 1e6)),
            tokens: reader
                .text("CALL_TICKETS_MODEL_DAILY_TOKENS")
                .is_some()
                .then(|| reader.number("CALL_TICKETS_MODEL_DAILY_TOKENS", 0, 0, u64::MAX)),
        },
        prices: Prices {
            input: reader.number("CALL_TICKETS_MODEL_PRICE_INPUT", listed.input, 0.0, 1e4),
            cached: reader.number("CALL_TICKETS_MODEL_PRICE_CACHED", listed.cached, 0.0, 1e4),
            output: reader.number("CALL_TICKETS_MODEL_PRICE_OUTPUT", listed.output, 0.0, 1e4),
        },
        effort: reader.text("OPENAI_REASONING_EFFORT"),
        base,
        version,
        key,
        name,
        anthropic,
    })
}

fn mail(reader: &mut Reader<'_>) -> Option<Mail> {
    let (server, to) = (reader.text("GMAIL_SMTP_SERVER"), reader.text("NOTIFICATION_EMAIL_TO"));
    let user = reader.text("GMAIL_SMTP_USERNAME");
    let password = reader.secret("GMAIL_SMTP_PASSWORD");
    if server.is_none() && to.is_none() {
        reader.warn(
            "NOTIFICATION_EMAIL_TO",
            "no mail is configured: calls without a ticket are only logged and listed as dead letters",
        );
        return None;
    }
    if to.is_none() {
        reader.error("NOTIFICATION_EMAIL_TO", "it is needed: who is told of calls without a ticket");
    }
    let server = server.unwrap_or_else(|| "smtp.gmail.com".into());
    let port = reader.number("GMAIL_SMTP_PORT", 587, 1, u16::MAX);
    let default = if port == 465 { Tls::Tls } else { Tls::StartTls };
    let tls = reader.parsed("GMAIL_SMTP_TLS", default, "none, starttls or tls", |text| match text {
        "none" => Some(Tls::None),
        "starttls" => Some(Tls::StartTls),
        "tls" => Some(Tls::Tls),
        _ => None,
    });
    let mut mailboxes = Vec::new();
    for one in
        to.as_deref().unwrap_or_default().split([',', ';']).map(str::trim).filter(|one| !one.is_empty())
    {
        match one.parse::<Mailbox>() {
            Ok(mailbox) => mailboxes.push(mailbox),
            Err(_) => reader.error("NOTIFICATION_EMAIL_TO", "it must be one or more e-mail addresses"),
        }
    }
    let from =
        reader.text("CALL_TICKETS_MAIL_FROM").or_else(|| user.clone().filter(|user| user.contains('@')));
    let from = from.unwrap_or_else(|| "call-tickets@localhost".into()).parse::<Mailbox>();
    if from.is_err() {
        reader.error("CALL_TICKETS_MAIL_FROM", "it must be an e-mail address");
    }
    if user.is_some() != password.is_some() {
        let missing = if user.is_some() { "GMAIL_SMTP_PASSWORD" } else { "GMAIL_SMTP_USERNAME" };
        reader.error(missing, "GMAIL_SMTP_USERNAME and GMAIL_SMTP_PASSWORD belong together");
    }
    Some(Mail { server, port, tls, login: user.zip(password), from: from.ok()?, to: mailboxes })
}

fn transcripts(reader: &mut Reader<'_>, base: &std::path::Path) -> Option<Transcripts> {
    if !reader.flag("STORAGE_ENABLED", true) {
        return None;
    }
    let Some(account) = reader.text("AZURE_STORAGE_ACCOUNT") else {
        // The document's path is `transcripts/YYYY/MM/DD/…`, and its base path ends in `transcripts` already.
        let named = base.file_name().is_some_and(|name| name == "transcripts");
        return Some(Transcripts::Disk(if named { base.to_owned() } else { base.join("transcripts") }));
    };
    let endpoint = reader.text("AZURE_STORAGE_BLOB_ENDPOINT");
    if let Some(endpoint) = &endpoint
        && Url::parse(endpoint).is_err()
    {
        reader.error(
            "AZURE_STORAGE_BLOB_ENDPOINT",
            "it must be an address such as https://ACCOUNT.blob.core.windows.net",
        );
    }
    Some(Transcripts::Azure {
        account,
        container: reader.text("AZURE_STORAGE_CONTAINER").unwrap_or_else(|| "transcripts".into()),
        endpoint,
        key: reader.secret("AZURE_STORAGE_KEY"),
    })
}

fn redaction(reader: &mut Reader<'_>) -> Redaction {
    let kinds = reader.text("CALL_TICKETS_REDACT");
    let patterns = reader.text("CALL_TICKETS_REDACT_PATTERNS").unwrap_or_default();
    let patterns: Vec<&str> = patterns.lines().map(str::trim).filter(|line| !line.is_empty()).collect();
    let redaction = Redaction::parse(kinds.as_deref()).unwrap_or_else(|why| {
        reader.error("CALL_TICKETS_REDACT", why);
        Redaction::default()
    });
    redaction.also(&patterns).unwrap_or_else(|why| {
        reader.error("CALL_TICKETS_REDACT_PATTERNS", why);
        Redaction::default()
    })
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    fn of(pairs: &[(&str, &str)]) -> (Option<Config>, Vec<Finding>) {
        let variables: BTreeMap<String, String> =
            pairs.iter().map(|(n, v)| ((*n).into(), (*v).into())).collect();
        read(&|name| variables.get(name).cloned())
    }

    fn errors(pairs: &[(&str, &str)]) -> Vec<String> {
        let findings = of(pairs).1.into_iter().filter(|finding| finding.severity == Severity::Error);
        findings.map(|finding| finding.variable).collect()
    }

    const SECRET: (&str, &str) = ("ELEVENLABS_WEBHOOK_SECRET", "first-planted-secret, second-planted-secret");

    #[test]
    fn a_webhook_secret_is_enough() {
        let (config, findings) = of(&[SECRET]);
        let config = config.expect("can run");
        assert_eq!(
            (config.port, config.webhook.secrets.len(), config.webhook.tolerance.as_secs()),
            (8000, 2, 300)
        );
        assert!(config.topdesk.is_none() && config.model.is_none() && config.mail.is_none());
        assert!(
            matches!(config.store, Place::Sqlite(path) if path.ends_with("call-tickets-data/.call-tickets/call-tickets.db"))
        );
        assert!(matches!(config.transcripts, Some(Transcripts::Disk(path)) if path.ends_with("transcripts")));
        assert_eq!(findings.len(), 4, "{findings:?}");
    }

    #[test]
    fn everything_that_is_missing_or_wrong_is_told_at_once_and_no_value() {
        let (config, findings) = of(&[
            ("ELEVENLABS_WEBHOOK_SECRET", " , "),
            ("PORT", "planted-0"),
            ("TOPDESK_URL", "planted.topdesk.net"),
            ("OPENAI_API_BASE", "http://x"),
            ("GMAIL_SMTP_SERVER", "smtp.planted.example"),
            ("GMAIL_SMTP_USERNAME", "planted@x.example"),
            ("CALL_TICKETS_ALLOW_IPS", "10.0.0.0/8, planted"),
            ("CALL_TICKETS_RETRY_MAX_AGE", "planted"),
            ("STORAGE_ENABLED", "planted"),
            ("CALL_TICKETS_STORE", "mysql://u:planted@h/d"),
            ("CALL_TICKETS_REDACT", "iban,planted"),
            ("CALL_TICKETS_REDACT_PATTERNS", "planted-.*\n(planted"),
        ]);
        assert!(config.is_none());
        let told: Vec<&str> = findings.iter().map(|finding| finding.variable.as_str()).collect();
        for variable in [
            "ELEVENLABS_WEBHOOK_SECRET",
            "PORT",
            "TOPDESK_USERNAME",
            "TOPDESK_PASSWORD",
            "TOPDESK_URL",
            "OPENAI_API_KEY",
            "NOTIFICATION_EMAIL_TO",
            "GMAIL_SMTP_PASSWORD",
            "CALL_TICKETS_ALLOW_IPS",
            "CALL_TICKETS_RETRY_MAX_AGE",
            "STORAGE_ENABLED",
            "CALL_TICKETS_STORE",
            "CALL_TICKETS_REDACT",
            "CALL_TICKETS_REDACT_PATTERNS",
        ] {
            assert!(told.contains(&variable), "{variable} in {told:?}");
        }
        assert!(!format!("{findings:?}").contains("planted"), "{findings:?}");
    }

    #[test]
    fn the_documents_own_variables_are_taken() {
        let all = [
            SECRET,
            ("TOPDESK_URL", "https://x.topdesk.net/tas/api"),
            ("TOPDESK_USERNAME", "u"),
            ("TOPDESK_PASSWORD", "planted-p\n"),
            ("OPENAI_API_KEY", "planted-k"),
            ("OPENAI_MODEL", "gpt-6-luna"),
            ("OPENAI_API_BASE", "https://api.openai.com/v1"),
            ("GMAIL_SMTP_SERVER", "smtp.gmail.com"),
            ("GMAIL_SMTP_PORT", "587"),
            ("GMAIL_SMTP_USERNAME", "a@b.example"),
            ("GMAIL_SMTP_PASSWORD", "planted-m"),
            ("NOTIFICATION_EMAIL_TO", "support@company.com, Twee <b@c.example>"),
            ("STORAGE_ENABLED", "true"),
            ("STORAGE_BASE_PATH", "/mnt/transcripts"),
            ("AZURE_STORAGE_ACCOUNT", "acc"),
            ("CALL_TICKETS_RETRY_MAX_AGE", "2h"),
            ("CALL_TICKETS_ALLOW_IPS", "elevenlabs,203.0.113.7"),
            ("CALL_TICKETS_TOKEN", "t"),
        ];
        let (config, findings) = of(&all);
        let config = config.expect("can run");
        assert_eq!(
            config.topdesk.as_ref().map(|topdesk| topdesk.password.expose_secret()),
            Some("planted-p")
        );
        assert_eq!(config.model.as_ref().map(|model| model.name.as_str()), Some("gpt-6-luna"));
        let mail = config.mail.as_ref().expect("mail");
        assert_eq!(
            (mail.tls, mail.to.len(), mail.from.to_string().as_str()),
            (Tls::StartTls, 2, "a@b.example")
        );
        assert!(
            matches!(&config.transcripts, Some(Transcripts::Azure { container, .. }) if container == "transcripts")
        );
        assert_eq!((config.retry.age.as_hours(), config.webhook.allow.as_ref().map(Vec::len)), (2, Some(13)));
        assert_eq!(
            findings.iter().map(|finding| finding.variable.as_str()).collect::<Vec<_>>(),
            ["TOPDESK_PASSWORD"]
        );
        assert!(!format!("{config:?}").contains("planted"), "no secret is shown");
        assert!(
            matches!(of(&[SECRET, ("STORAGE_BASE_PATH", "/mnt/transcripts")]).0.and_then(|config| config.transcripts), Some(Transcripts::Disk(path)) if path.as_os_str() == "/mnt/transcripts")
        );
    }

    #[test]
    fn models_are_chosen_by_what_is_given() {
        let model =
            |pairs: &[(&str, &str)]| of(&[&[SECRET], pairs].concat()).0.and_then(|config| config.model);
        let azure =
            model(&[("OPENAI_API_BASE", "https://r.openai.azure.com")]).expect("an identity signs in");
        assert!(azure.key.is_none() && !azure.anthropic);
        let anthropic =
            model(&[("ANTHROPIC_API_KEY", "k"), ("OPENAI_MODEL", "claude")]).expect("Anthropic's");
        assert!(anthropic.anthropic && anthropic.base.contains("anthropic"));
        assert!(model(&[("OPENAI_API_KEY", "k"), ("CALL_TICKETS_MODEL_PROVIDER", "none")]).is_none());
        assert_eq!(model(&[("OPENAI_API_KEY", "k")]).map(|model| model.name), Some(MODEL.into()));
        assert_eq!(errors(&[SECRET, ("ANTHROPIC_API_KEY", "k")]), ["OPENAI_MODEL"]);
    }
}
