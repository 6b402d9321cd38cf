//! The service as a value: everything that the webhook, the workers and the operator's pages share.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use jiff::Timestamp;
use jiff::civil::Date;
use landfall_azure::Login;
use landfall_llm::{Access, Client, Ledger, Provider, Settings, Spent};
use landfall_store::blobs::{self, Container};
use landfall_store::{Blobs, Error, NewItem, Place, Put, Records, Store};
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use secrecy::SecretString;
use tokio::sync::Notify;

use crate::config::{Config, Model, Transcripts};
use crate::deliveries::Deliveries;
use crate::extract::Extractor;
use crate::metrics::Metrics;
use crate::notify::{Mailer, Note};
use crate::topdesk;

/// Reads an environment variable.
pub type Environment = Arc<dyn Fn(&str) -> Option<String> + Send + Sync>;

/// What of the outside is passed in.
#[derive(Clone)]
pub struct Outside {
    /// Tells the time.
    pub now: Arc<dyn Fn() -> Timestamp + Send + Sync>,
    /// The seed of everything left to chance: jitter, so that replicas do not act together.
    pub seed: u64,
    /// Reads environment variables that credentials and certificates are found by.
    pub environment: Environment,
}

/// The service.
pub struct Service {
    /// How it runs.
    pub config: Config,
    /// Queue and records.
    pub store: Store,
    /// Transcripts and recordings, where they are kept.
    pub blobs: Option<Blobs>,
    /// TOPdesk, when it is configured.
    pub topdesk: Option<topdesk::Client>,
    /// TOPdesk's own words.
    pub lists: topdesk::lists::Kept,
    /// Makes tickets.
    pub extractor: Extractor,
    /// Tells people, when mail is configured.
    pub mailer: Option<Mailer>,
    /// What is counted.
    pub metrics: Metrics,
    /// Deliveries that are not answered yet.
    pub deliveries: Deliveries,
    /// Told when there may be something to claim.
    pub woken: Notify,
    outside: Outside,
    chance: Mutex<StdRng>,
    // Kept for as long as the service has its SQLite file to itself.
    _alone: Option<std::fs::File>,
}

/// Why a service could not be put together.
#[derive(Debug, thiserror::Error)]
pub enum Unable {
    /// The store.
    #[error(transparent)]
    Store(#[from] Error),
    /// Another process has the SQLite file.
    #[error("another call-tickets works on {0}; stop it, or use a PostgreSQL store for several replicas")]
    Shared(String),
    /// Something else that was configured.
    #[error("{variable}: {why}")]
    Part {
        /// The variable that configures it.
        variable: &'static str,
        /// What is wrong.
        why: String,
    },
}

impl Service {
    /// Puts a service together. Nothing outside the store is asked yet.
    ///
    /// # Errors
    /// What of the configuration cannot be used.
    pub async fn new(config: Config, metrics: Metrics, outside: Outside) -> Result<Service, Unable> {
        let part = |variable: &'static str| move |why: String| Unable::Part { variable, why };
        let (store, alone) = open(&config.store).await?;
        let topdesk = config.topdesk.clone().map(|topdesk| {
            topdesk::Client::new(topdesk.url, topdesk.user, topdesk.password, topdesk.timeout)
        });
        let ledger = Arc::new(SharedLedger { records: store.records.clone(), now: outside.now.clone() });
        let model = config.model.clone().map(|model| asker(model, ledger, &outside));
        Ok(Service {
            blobs: config
                .transcripts
                .clone()
                .map(|place| kept_in(place, &outside))
                .transpose()
                .map_err(part("AZURE_STORAGE_ACCOUNT"))?,
            topdesk: topdesk.transpose().map_err(part("TOPDESK_URL"))?,
            lists: topdesk::lists::Kept::default(),
            extractor: Extractor {
                model: model.transpose().map_err(part("OPENAI_API_BASE"))?,
                redaction: config.redaction.clone(),
            },
            mailer: config.mail.clone().map(Mailer::new).transpose().map_err(part("GMAIL_SMTP_SERVER"))?,
            metrics,
            deliveries: Deliveries::default(),
            woken: Notify::new(),
            chance: Mutex::new(StdRng::seed_from_u64(outside.seed)),
            outside,
            config,
            store,
            _alone: alone,
        })
    }

    /// The time.
    pub fn now(&self) -> Timestamp {
        (self.outside.now)()
    }

    /// A wait, up to a quarter shorter by chance.
    pub fn jittered(&self, wait: Duration) -> Duration {
        let part = self.chance.lock().unwrap_or_else(PoisonError::into_inner).random_range(0.0..0.25);
        wait.mul_f64(1.0 - part)
    }

    /// Takes an event in; durable when it returns.
    ///
    /// # Errors
    /// When the store cannot take it.
    pub async fn take(&self, key: String, body: Vec<u8>) -> Result<Put, Error> {
        let now = self.now();
        let put = self.store.queue.put(NewItem { key, body, due: now }, now).await?;
        if put == Put::New {
            self.woken.notify_one();
        }
        Ok(put)
    }

    /// Has a person told, as durably as an event.
    ///
    /// # Errors
    /// When the store cannot take it.
    pub async fn tell(&self, note: &Note) -> Result<(), Error> {
        let body = serde_json::to_vec(note).expect("a note is JSON");
        self.take(format!("note:{}", note.id), body).await.map(drop)
    }
}

/// Opens a store; a SQLite file for this process alone, so that what a former one had claimed is free again.
async fn open(place: &Place) -> Result<(Store, Option<std::fs::File>), Unable> {
    let Place::Sqlite(path) = place else { return Ok((Store::open(place).await?, None)) };
    let store = landfall_store::sqlite::Sqlite::open(path)?;
    let lock = path.with_extension("lock");
    let failed =
        |error: std::io::Error| Unable::Part { variable: "CALL_TICKETS_DATA", why: error.to_string() };
    let file = std::fs::File::create(&lock).map_err(failed)?;
    file.try_lock().map_err(|_| Unable::Shared(path.display().to_string()))?;
    store.release().await?;
    let sqlite = Arc::new(store);
    Ok((Store { queue: sqlite.clone(), records: sqlite }, Some(file)))
}

fn identity(outside: &Outside) -> Result<Arc<dyn azure_core::credentials::TokenCredential>, String> {
    let environment = outside.environment.clone();
    let credential = landfall_azure::credential::credential_in(
        &landfall_azure::Cloud::public(),
        Login::Auto,
        &move |name| environment(name),
    );
    credential.map(|credential| credential.for_azure_core()).map_err(|error| error.to_string())
}

/// Where transcripts are kept.
///
/// # Errors
/// What of the account cannot be used.
pub fn kept_in(place: Transcripts, outside: &Outside) -> Result<Blobs, String> {
    match place {
        Transcripts::Disk(folder) => Ok(Blobs::disk(folder)),
        Transcripts::Azure { account, container, endpoint, key } => {
            let access = match key {
                Some(key) => blobs::Access::Key(key),
                None => blobs::Access::Token(identity(outside)?),
            };
            let trust = (outside.environment)("SSL_CERT_FILE").and_then(|file| std::fs::read(file).ok());
            let container = Container { account, container, access, endpoint, trust };
            Blobs::azure(container).map_err(|error| error.to_string())
        }
    }
}

fn asker(model: Model, ledger: Arc<dyn Ledger>, outside: &Outside) -> Result<Arc<Client>, String> {
    let access = match model.key {
        Some(key) => Access::Key(key),
        None => Access::Identity(identity(outside)?),
    };
    let mut provider = Provider::at(&model.base, model.version.as_deref(), access)?;
    if model.anthropic {
        provider = provider.anthropic();
    }
    let settings = Settings {
        effort: model.effort,
        budget: model.budget,
        prices: model.prices,
        seed: outside.seed,
        ..Settings::new(provider, model.name)
    };
    Client::new(settings, ledger).map(Arc::new)
}

/// What the model cost, in a record of each day that all replicas share.
struct SharedLedger {
    records: Arc<dyn Records>,
    now: Arc<dyn Fn() -> Timestamp + Send + Sync>,
}

const SPENDING: &str = "spending";

impl SharedLedger {
    async fn read(&self, day: Date) -> Option<(i64, Spent)> {
        let record = self.records.read(SPENDING, &day.to_string()).await.ok()??;
        let spent = Spent {
            dollars: record.value["dollars"].as_f64().unwrap_or(0.0),
            tokens: record.value["tokens"].as_u64().unwrap_or(0),
        };
        Some((record.version, spent))
    }
}

#[async_trait]
impl Ledger for SharedLedger {
    async fn spent(&self, day: Date) -> Spent {
        self.read(day).await.map(|(_, spent)| spent).unwrap_or_default()
    }

    async fn add(&self, day: Date, more: Spent) {
        // Another replica may write in between; ten times in a row it does not.
        for _ in 0..10 {
            let (seen, before) =
                self.read(day).await.map_or((None, Spent::default()), |(seen, spent)| (Some(seen), spent));
            let both = before.and(more);
            let value = serde_json::json!({"dollars": both.dollars, "tokens": both.tokens});
            match self.records.write(SPENDING, &day.to_string(), &value, seen, (self.now)()).await {
                Err(Error::Conflict { .. }) => {}
                _ => return,
            }
        }
    }
}

/// A random secret for a service that was given none, in a demonstration.
pub fn random_secret() -> SecretString {
    let uuid = || uuid::Uuid::new_v4().simple().to_string();
    format!("{}{}", uuid(), uuid()).into()
}

/// Whether a model answers: asks it for the smallest thing there is.
///
/// # Errors
/// Why it does not.
pub async fn answers(model: Model, outside: &Outside) -> Result<(), String> {
    let client = asker(model, Arc::new(landfall_llm::Memory::default()), outside)?;
    let question = landfall_llm::Question {
        instructions: "Answer with ok set to true.".into(),
        material: "Are you there?".into(),
        name: "answer",
        schema: serde_json::json!({
            "type": "object", "additionalProperties": false, "required": ["ok"], "properties": {"ok": {"type": "boolean"}},
        }),
        wrong: None,
    };
    client.ask(&question, (outside.now)()).await.map(drop).map_err(|error| error.to_string())
}
