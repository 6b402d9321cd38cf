//! Asks a question until there is an answer or a reason why there is none.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use jiff::Timestamp;
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use reqwest::header::HeaderMap;
use secrecy::ExposeSecret;
use serde_json::Value;
use tokio::time::Instant;

use crate::breaker::Breaker;
use crate::budget::{self, Budget, Ledger, Prices, Spent};
use crate::provider::{Access, Protocol, Provider};
use crate::wire::{self, Dialect};
use crate::{Answer, Error, Question, Usage};

/// The scope of a token for Azure OpenAI.
const AZURE_SCOPE: &str = "https://cognitiveservices.azure.com/.default";

/// The largest response that is read.
const LARGEST: usize = 4 << 20;

/// How a client asks.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Where the model is.
    pub provider: Provider,
    /// The model, or the deployment.
    pub model: String,
    /// The most tokens of an answer; asked for again with twice as many when that cuts it off.
    pub limit: u32,
    /// How much a model that reasons is to reason; only sent when set.
    pub effort: Option<String>,
    /// How long one request may take.
    pub timeout: Duration,
    /// How often a failed request is made again (S11: 3).
    pub retries: u32,
    /// The wait before the first of them; each next one is twice as long (S11: 1 s, factor 2).
    pub pause: Duration,
    /// The longest wait that a service may ask for; a longer one ends the question.
    pub patience: Duration,
    /// Failures in a row after which the service is left alone, and for how long.
    pub breaker: (u32, Duration),
    /// The most that may be spent in a day.
    pub budget: Budget,
    /// What the model costs.
    pub prices: Prices,
    /// The seed of the jitter.
    pub seed: u64,
}

impl Settings {
    /// The usual settings for a model.
    pub fn new(provider: Provider, model: impl Into<String>) -> Settings {
        let model = model.into();
        Settings {
            prices: Prices::of(&model),
            provider,
            model,
            limit: 2000,
            effort: None,
            timeout: Duration::from_secs(60),
            retries: 3,
            pause: Duration::from_secs(1),
            patience: Duration::from_secs(60),
            breaker: (5, Duration::from_secs(30)),
            budget: Budget::default(),
            seed: 0,
        }
    }
}

/// Asks questions of one model.
pub struct Client {
    settings: Settings,
    http: reqwest::Client,
    ledger: Arc<dyn Ledger>,
    breaker: Mutex<Breaker>,
    dialect: Mutex<Dialect>,
    chance: Mutex<StdRng>,
}

/// What came of one request.
enum Tried {
    Answered(Value, Usage, HeaderMap, String),
    Failed { error: Error, again: bool },
    Speaks(Dialect),
}

impl Client {
    /// A client with a ledger of what is spent.
    ///
    /// # Errors
    /// When no HTTP client can be made, for want of certificates perhaps.
    pub fn new(settings: Settings, ledger: Arc<dyn Ledger>) -> Result<Client, String> {
        let http = reqwest::Client::builder()
            .timeout(settings.timeout)
            // A key must not follow a redirect to somebody else.
            .redirect(reqwest::redirect::Policy::none())
            .build()
            .map_err(|error| error.to_string())?;
        let (limit, rest) = settings.breaker;
        Ok(Client {
            breaker: Mutex::new(Breaker::new(limit, rest)),
            dialect: Mutex::new(Dialect::default()),
            chance: Mutex::new(StdRng::seed_from_u64(settings.seed)),
            settings,
            http,
            ledger,
        })
    }

    /// How it asks.
    pub fn settings(&self) -> &Settings {
        &self.settings
    }

    /// What was spent on the day of `now`.
    pub async fn spent(&self, now: Timestamp) -> Spent {
        self.ledger.spent(budget::day(now)).await
    }

    /// Asks a question at `now`, which decides whose day's budget it is.
    ///
    /// # Errors
    /// Why there is no answer.
    pub async fn ask(&self, question: &Question, now: Timestamp) -> Result<Answer, Error> {
        if !self.settings.budget.allows(&self.spent(now).await) {
            return Err(Error::BudgetSpent);
        }
        let begun = Instant::now();
        self.admitted()?;
        let asked = self.persist(question, now).await;
        match &asked {
            Err(Error::Unavailable { .. }) => lock(&self.breaker).failed(Instant::now()),
            _ => lock(&self.breaker).succeeded(),
        }
        let (value, usage, headers, model) = asked?;
        let request =
            headers.get("x-request-id").or(headers.get("request-id")).or(headers.get("apim-request-id"));
        let request = request.and_then(|id| id.to_str().ok()).map(str::to_owned);
        Ok(Answer { value, model, usage, request, took: begun.elapsed() })
    }

    fn admitted(&self) -> Result<(), Error> {
        lock(&self.breaker).admit(Instant::now()).map_err(Error::Resting)
    }

    /// Makes requests until one brings an answer, or no other will.
    async fn persist(
        &self,
        question: &Question,
        now: Timestamp,
    ) -> Result<(Value, Usage, HeaderMap, String), Error> {
        // A probe that is dropped half-way must not keep the place of the next.
        let _guard = Abandoned(&self.breaker);
        let (mut retries, mut limit, mut dialects) = (0, self.settings.limit, 0);
        loop {
            match self.request(question, limit, now).await {
                Tried::Answered(value, usage, headers, model) => break Ok((value, usage, headers, model)),
                Tried::Speaks(dialect) if dialects < 4 => {
                    dialects += 1;
                    *lock(&self.dialect) = dialect;
                }
                Tried::Speaks(_) => {
                    break Err(Error::Rejected {
                        status: 400,
                        said: "it refuses one parameter after the other".into(),
                    });
                }
                Tried::Failed { error: Error::CutOff { .. }, .. } if limit == self.settings.limit => {
                    limit *= 2
                }
                Tried::Failed { error, again } => {
                    let asked = if let Error::Unavailable { after, .. } = &error { *after } else { None };
                    let wait = asked.unwrap_or_else(|| self.pause(retries));
                    if !again || retries >= self.settings.retries || wait > self.settings.patience {
                        break Err(error);
                    }
                    retries += 1;
                    tracing::debug!(retries, ?wait, reason = error.name(), "asking again");
                    tokio::time::sleep(wait).await;
                }
            }
        }
    }

    /// The wait before a retry, up to a quarter shorter by chance, so that replicas do not come back together.
    fn pause(&self, retries: u32) -> Duration {
        let whole = self.settings.pause.saturating_mul(2_u32.saturating_pow(retries));
        whole.mul_f64(1.0 - lock(&self.chance).random_range(0.0..0.25))
    }

    async fn request(&self, question: &Question, limit: u32, now: Timestamp) -> Tried {
        let Settings { provider, model, effort, .. } = &self.settings;
        let dialect = lock(&self.dialect).clone();
        let body = wire::body(&provider.protocol, model, question, limit, effort.as_deref(), &dialect);
        let request = match self.signed(self.http.post(provider.url(model)).json(&body)).await {
            Ok(request) => request,
            Err(error) => return Tried::Failed { error, again: false },
        };
        let unavailable =
            |said: String| Tried::Failed { error: Error::Unavailable { said, after: None }, again: true };
        let mut response = match request.send().await {
            Ok(response) => response,
            // `without_url`: the address is no secret, but it is of no use to who reads this.
            Err(error) => return unavailable(chain(&error.without_url())),
        };
        let (status, headers) = (response.status().as_u16(), response.headers().clone());
        let mut bytes = Vec::new();
        loop {
            match response.chunk().await {
                Ok(Some(chunk)) if bytes.len() + chunk.len() <= LARGEST => bytes.extend_from_slice(&chunk),
                Ok(Some(_)) => {
                    return Tried::Failed { error: Error::Garbled { why: "more than 4 MiB" }, again: false };
                }
                Ok(None) => break,
                Err(error) => return unavailable(chain(&error.without_url())),
            }
        }
        let body: Value = serde_json::from_slice(&bytes).unwrap_or(Value::Null);
        if status == 200 {
            let usage = wire::usage(&provider.protocol, &body);
            self.pay(usage, now).await;
            return match wire::answer(&provider.protocol, &body, limit) {
                Ok(value) => {
                    let model = body["model"].as_str().unwrap_or(model).to_owned();
                    Tried::Answered(value, usage, headers, model)
                }
                Err(error) => Tried::Failed { error, again: false },
            };
        }
        if status == 400
            && let Some(other) = dialect.without(&body)
        {
            return Tried::Speaks(other);
        }
        let (error, again) = wire::refusal(status, &body, model, &headers, now);
        Tried::Failed { error, again }
    }

    async fn pay(&self, usage: Usage, now: Timestamp) {
        let spent = Spent {
            dollars: self.settings.prices.cost(usage),
            tokens: usage.input.saturating_add(usage.output),
        };
        self.ledger.add(budget::day(now), spent).await;
    }

    async fn signed(&self, request: reqwest::RequestBuilder) -> Result<reqwest::RequestBuilder, Error> {
        let provider = &self.settings.provider;
        Ok(match (&provider.access, &provider.protocol) {
            (Access::Key(key), Protocol::OpenAi) => request.bearer_auth(key.expose_secret()),
            (Access::Key(key), Protocol::Anthropic) => {
                request.header("x-api-key", key.expose_secret()).header("anthropic-version", "2023-06-01")
            }
            (Access::Key(key), Protocol::AzureDated { .. } | Protocol::AzureV1) => {
                request.header("api-key", key.expose_secret())
            }
            (Access::Identity(identity), _) => {
                let token = identity.get_token(&[AZURE_SCOPE], None).await;
                let token = token.map_err(|error| Error::Denied { status: 401, said: error.to_string() })?;
                request.bearer_auth(token.token.secret())
            }
        })
    }
}

/// Frees the breaker's place for a probe when the question is dropped half-way.
struct Abandoned<'a>(&'a Mutex<Breaker>);

impl Drop for Abandoned<'_> {
    fn drop(&mut self) {
        lock(self.0).abandoned();
    }
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// An error with what caused it.
fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        text = format!("{text}: {cause}");
        source = cause.source();
    }
    text
}
