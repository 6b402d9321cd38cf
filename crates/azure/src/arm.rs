//! The client of ARM.
//!
//! Reads are sent again a few times where that may help. What changes something is sent once: who calls keeps the
//! record of what was begun and decides about a second try. The one exception is a token that ARM calls expired,
//! when nothing was done yet: it is fetched anew and the request sent again.

use crate::clock::{Clock, SystemClock};
use crate::cloud::Cloud;
use crate::credential::{Caller, Credential};
use crate::error::{Class, Error, secrets_in};
use crate::operation::{Answer, Asked, Begun, Followed, Next, Tracking, begun, followed, settled};
use crate::request::{Method, Request, origin};
use crate::retry_after::retry_after;
use crate::throttle::Throttle;
use rand::rngs::StdRng;
use rand::{Rng, RngExt, SeedableRng};
use secrecy::ExposeSecret;
use serde_json::Value;
use std::collections::BTreeSet;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use url::Url;
use uuid::Uuid;

/// How often a read is sent at most.
const TRIES: u32 = 4;

/// The pause after the first failed read; it doubles with each.
const FIRST_PAUSE: Duration = Duration::from_millis(300);

/// The longest that a read waits because it was told to; what asks for more goes back to the caller.
const LONGEST_PAUSE: Duration = Duration::from_secs(60);

/// The pause between polls that Azure leaves open. Each takes from the budget of reads; SDKs wait 30 s here, which
/// is longer than most resources take.
const FAR_AWAY: Duration = Duration::from_secs(5);

/// The same where asking costs nothing.
const NEARBY: Duration = Duration::from_millis(250);

/// A list of more pages than this goes in a circle; a subscription holds well below a million resources.
const MOST_PAGES: usize = 10_000;

/// What may be chosen about a client; `ArmOptions::default()` is right for a command.
#[derive(Clone, Debug, Default)]
pub struct ArmOptions {
    /// Time; the machine's own when none is given.
    pub clock: Option<Arc<dyn Clock>>,
    /// The seed of request ids and jitter; the system's chance when none is given.
    pub seed: Option<u64>,
    /// The budget to take from. When none is given: the process's own, or with a clock passed in, a new one.
    pub throttle: Option<Throttle>,
    /// Marks all requests of one run in Azure's activity log.
    pub correlation: Option<Uuid>,
    /// How long to wait between polls when Azure does not say; when none is given, 5 s, or a quarter of a second
    /// where Azure is on this machine.
    pub poll: Option<Duration>,
}

/// The client of ARM; clones share connections, tokens and budget.
#[derive(Clone)]
pub struct Arm(Arc<Inner>);

struct Inner {
    cloud: Cloud,
    http: reqwest::Client,
    credential: Credential,
    scope: String,
    clock: Arc<dyn Clock>,
    throttle: Throttle,
    chance: Mutex<StdRng>,
    correlation: Option<Uuid>,
    poll: Duration,
}

impl Arm {
    /// A client of `cloud`'s ARM. Nothing is sent yet.
    ///
    /// # Errors
    /// When the cloud's CA cannot be used.
    pub fn new(cloud: &Cloud, credential: Credential, options: ArmOptions) -> Result<Arm, Error> {
        let throttle = match (options.throttle, &options.clock) {
            (Some(throttle), _) => throttle,
            (None, Some(clock)) => Throttle::new(clock.clone()),
            (None, None) => Throttle::of_process(),
        };
        Ok(Arm(Arc::new(Inner {
            http: cloud.http()?,
            scope: cloud.arm_scope(),
            cloud: cloud.clone(),
            credential,
            clock: options.clock.unwrap_or_else(|| Arc::new(SystemClock::new())),
            throttle,
            chance: Mutex::new(options.seed.map_or_else(rand::make_rng, StdRng::seed_from_u64)),
            correlation: options.correlation,
            poll: options.poll.unwrap_or(if cloud.is_loopback() { NEARBY } else { FAR_AWAY }),
        })))
    }

    /// The cloud it talks to.
    pub fn cloud(&self) -> &Cloud {
        &self.0.cloud
    }

    /// The credential it signs in with.
    pub fn credential(&self) -> &Credential {
        &self.0.credential
    }

    /// Reads a resource; none when it is not there. A subscription or type that is not there is an error.
    ///
    /// # Errors
    /// Any other refusal, after a few tries where trying again may help.
    pub async fn get(&self, id: &str, api_version: &str) -> Result<Option<Value>, Error> {
        let request = Request::new(&self.0.cloud.arm, Method::Get, id, api_version, None)?;
        let answer = self.read(&request).await?;
        if is_absence(&answer) {
            return Ok(None);
        }
        self.value(&request, &answer).map(Some)
    }

    /// Reads all pages of a list; none of them when the list's parent is not there.
    ///
    /// # Errors
    /// As [`Arm::get`]; also when a page points away from ARM or back to one already read.
    pub async fn list(&self, path: &str, api_version: &str) -> Result<Vec<Value>, Error> {
        let mut request = Request::new(&self.0.cloud.arm, Method::Get, path, api_version, None)?;
        let mut items = Vec::new();
        let mut seen: BTreeSet<Url> = BTreeSet::new();
        loop {
            let answer = self.read(&request).await?;
            if seen.is_empty() && is_absence(&answer) {
                return Ok(items);
            }
            let page = self.value(&request, &answer)?;
            match page {
                Value::Object(mut fields) => {
                    match fields.remove("value") {
                        Some(Value::Array(values)) => items.extend(values),
                        None | Some(Value::Null) => {}
                        Some(_) => return Err(bad_page(&request, &answer, "its `value` is no list")),
                    }
                    seen.insert(request.url.clone());
                    match fields.get("nextLink").and_then(Value::as_str).filter(|link| !link.is_empty()) {
                        None => return Ok(items),
                        Some(link) => {
                            let next = Request::link(&self.0.cloud.arm, link)
                                .map_err(|error| answer.marked(error).with_request(request.title()))?;
                            if seen.contains(&next.url) || seen.len() >= MOST_PAGES {
                                return Err(bad_page(
                                    &request,
                                    &answer,
                                    "its next page is one that was read before",
                                ));
                            }
                            request = next;
                        }
                    }
                }
                Value::Array(values) => {
                    items.extend(values);
                    return Ok(items);
                }
                Value::Null => return Ok(items),
                _ => return Err(bad_page(&request, &answer, "it is no list")),
            }
        }
    }

    /// Sends one request that changes something, once.
    ///
    /// # Errors
    /// What Azure refused, or that no answer came; [`Error::may_have_acted`] tells whether the request may have
    /// been carried out all the same.
    pub async fn begin(
        &self,
        method: Method,
        id: &str,
        api_version: &str,
        body: Option<&Value>,
    ) -> Result<Begun, Error> {
        let request = Request::new(&self.0.cloud.arm, method, id, api_version, body)?;
        self.begin_request(&request, api_version).await
    }

    /// As [`Arm::begin`], for a request built by the caller, for instance with an etag.
    ///
    /// # Errors
    /// As [`Arm::begin`].
    pub async fn begin_request(&self, request: &Request, api_version: &str) -> Result<Begun, Error> {
        let secrets = request.body.as_ref().map(secrets_in).unwrap_or_default();
        let answer = self.once(request).await?;
        let asked = Asked {
            method: request.method,
            id: request.url.path(),
            api_version,
            url: &request.url,
            poll: self.0.poll,
        };
        let begun = begun(&asked, &answer, self.0.clock.now())
            .map_err(|error| error.with_request(request.title()).without(&secrets))?;
        if let Begun::Accepted(tracking) = &begun {
            // Refused now rather than at the first poll, when the journal already relies on it.
            for url in [Some(&tracking.url), tracking.result.as_ref()].into_iter().flatten() {
                Request::link(&self.0.cloud.arm, url.as_str())
                    .map_err(|error| answer.marked(error).with_request(request.title()))?;
            }
        }
        Ok(begun)
    }

    /// Asks once how an operation is getting on.
    ///
    /// # Errors
    /// [`crate::error::Kind::Operation`] when it has ended Failed or Canceled, or cannot be found any more; else that the poll
    /// itself failed, and the operation may well be running.
    pub async fn follow(&self, tracking: &Tracking) -> Result<Followed, Error> {
        let request = Request::link(&self.0.cloud.arm, tracking.url.as_str())?;
        let title = || format!("{} {}", tracking.method.as_str(), tracking.id);
        let answer = self.read(&request).await.map_err(|error| error.with_request(title()))?;
        let next = followed(tracking, &answer, self.0.poll, self.0.clock.now())
            .map_err(|error| error.with_request(title()))?;
        match next {
            Next::Tell(followed) => Ok(followed),
            Next::Fetch(Some(url)) => {
                let request = Request::link(&self.0.cloud.arm, url.as_str())?;
                let answer = self.read(&request).await?;
                if answer.status == 204 {
                    return Ok(Followed::Done(Value::Null));
                }
                self.value(&request, &answer).map(Followed::Done)
            }
            Next::Fetch(None) => self.result(tracking).await.map(Followed::Done),
            Next::Settle => {
                let resource = self.get(&tracking.id, &tracking.api_version).await?;
                settled(tracking, resource.as_ref(), self.0.poll).map_err(|error| error.with_request(title()))
            }
        }
    }

    /// Begins and follows to the end.
    ///
    /// # Errors
    /// As [`Arm::begin`] and [`Arm::follow`].
    pub async fn finish(
        &self,
        method: Method,
        id: &str,
        api_version: &str,
        body: Option<&Value>,
    ) -> Result<Value, Error> {
        let mut tracking = match self.begin(method, id, api_version, body).await? {
            Begun::Done(value) => return Ok(value),
            Begun::Accepted(tracking) => tracking,
        };
        let mut after = tracking.after();
        loop {
            self.0.clock.sleep(after).await;
            match self.follow(&tracking).await? {
                Followed::Done(value) => return Ok(value),
                Followed::Running { after: next, moved, .. } => {
                    after = next;
                    tracking = moved.unwrap_or(tracking);
                }
            }
        }
    }

    /// An action that only answers, such as `listKeys` or `checkNameAvailability`; sent again like a read, since
    /// it changes nothing.
    ///
    /// # Errors
    /// What Azure refused.
    pub async fn post(&self, path: &str, api_version: &str, body: Option<&Value>) -> Result<Value, Error> {
        let request = Request::new(&self.0.cloud.arm, Method::Post, path, api_version, body)?;
        let answer = self.read(&request).await?;
        self.value(&request, &answer)
    }

    /// Who is signed in, read from the token.
    ///
    /// # Errors
    /// When no token could be had.
    pub async fn caller(&self) -> Result<Caller, Error> {
        self.0.credential.caller(&self.0.scope).await
    }

    /// The resource after its operation succeeded. ARM's regions learn of it one after the other, so a 404 is
    /// waited out for a moment.
    async fn result(&self, tracking: &Tracking) -> Result<Value, Error> {
        let mut pause = FIRST_PAUSE;
        for _ in 0..TRIES {
            if let Some(resource) = self.get(&tracking.id, &tracking.api_version).await? {
                return Ok(resource);
            }
            self.pause(pause).await;
            pause *= 2;
        }
        let request =
            Request::new(&self.0.cloud.arm, Method::Get, &tracking.id, &tracking.api_version, None)?;
        let answer = self.read(&request).await?;
        self.value(&request, &answer)
    }

    fn value(&self, request: &Request, answer: &Answer) -> Result<Value, Error> {
        let value = match answer.status {
            200..=299 => answer.json(),
            _ => Err(answer.refusal(self.0.clock.now())),
        };
        value.map_err(|error| error.with_request(request.title()))
    }

    /// Sends a read, a few times where that may help. Refusals that are final come back as the answer they are.
    async fn read(&self, request: &Request) -> Result<Answer, Error> {
        let mut pause = FIRST_PAUSE;
        let mut tries = 1;
        loop {
            let outcome = self.once(request).await;
            let (class, asked) = match &outcome {
                Ok(answer) if answer.status < 400 || answer.status == 404 => return outcome,
                Ok(answer) => {
                    let refusal = answer.refusal(self.0.clock.now());
                    (refusal.class(), refusal.retry_after())
                }
                Err(error) => (error.class(), error.retry_after()),
            };
            // A throttled read waits at the bucket, which `once` has closed, so it needs no pause of its own.
            let wait = match class {
                Class::Throttled if asked.is_some() => Duration::ZERO,
                Class::Throttled | Class::Transient => asked.unwrap_or(pause),
                Class::Busy | Class::NotYetConsistent | Class::Fatal => return outcome,
            };
            if tries >= TRIES || wait.max(asked.unwrap_or_default()) > LONGEST_PAUSE {
                return outcome;
            }
            self.pause(wait).await;
            pause *= 2;
            tries += 1;
        }
    }

    /// Sends a request once; a second time only with a new token, when ARM calls the first one expired.
    async fn once(&self, request: &Request) -> Result<Answer, Error> {
        let answer = self.send(request).await.map_err(|error| error.with_request(request.title()))?;
        if answer.status == 401 {
            let refusal = answer.refusal(self.0.clock.now());
            let stale = ["ExpiredAuthenticationToken", "InvalidAuthenticationToken", "AuthenticationFailed"];
            if stale.iter().any(|code| refusal.has_code(code))
                && self.0.credential.forget(&self.0.scope).await?
            {
                return self.send(request).await.map_err(|error| error.with_request(request.title()));
            }
        }
        Ok(answer)
    }

    async fn send(&self, request: &Request) -> Result<Answer, Error> {
        let inner = &self.0;
        let bucket = request.bucket();
        inner.throttle.take(&bucket).await;
        let token = inner.credential.token(&inner.scope).await?;
        let id = self.new_id();
        let mut sending = inner
            .http
            .request(request.method.to_http(), request.url.clone())
            .bearer_auth(token.expose_secret())
            .header("accept", "application/json")
            // Unique for each request: some providers take an equal id for the same request.
            .header("x-ms-client-request-id", id.to_string())
            .header("x-ms-return-client-request-id", "true");
        if let Some(correlation) = inner.correlation {
            sending = sending.header("x-ms-correlation-request-id", correlation.to_string());
        }
        if let Some(etag) = &request.if_match {
            sending = sending.header("if-match", etag.as_str());
        }
        sending = match &request.body {
            Some(body) => sending.json(body),
            // ARM answers 411 to a POST or PUT that does not say how long it is.
            None if !request.method.is_read() => sending.header("content-length", "0"),
            None => sending,
        };
        let started = inner.clock.now();
        let answer = receive(sending).await.map_err(|cause| {
            Error::transport(
                &inner.cloud.name,
                &origin(&request.url),
                inner.cloud.unreachable.as_deref(),
                &cause.without_url(),
            )
        })?;
        tracing::debug!(
            request = request.title(),
            status = answer.status,
            took_ms = inner.clock.now().duration_since(started).as_millis() as i64,
            client_request_id = %id,
            request_id = answer.header("x-ms-request-id"),
            "asked Azure"
        );
        inner.throttle.note(&bucket, &answer.headers);
        if answer.status == 429 {
            let refusal = answer.refusal(inner.clock.now());
            if refusal.class() == Class::Throttled {
                let wait = retry_after(&answer.headers, inner.clock.now()).unwrap_or(FIRST_PAUSE);
                inner.throttle.close(&bucket, &answer.headers, wait);
            }
        }
        Ok(answer)
    }

    /// Waits this long and up to a fifth more, so that many who failed together do not come back together.
    async fn pause(&self, wait: Duration) {
        if wait.is_zero() {
            return;
        }
        let more = self.chance(|chance| chance.random_range(0.0..0.2));
        self.0.clock.sleep(wait.mul_f64(1.0 + more)).await;
    }

    fn new_id(&self) -> Uuid {
        let mut bytes = [0; 16];
        self.chance(|chance| chance.fill_bytes(&mut bytes));
        uuid::Builder::from_random_bytes(bytes).into_uuid()
    }

    fn chance<T>(&self, draw: impl FnOnce(&mut StdRng) -> T) -> T {
        draw(&mut self.0.chance.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl fmt::Debug for Arm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Arm").field("cloud", &self.0.cloud.name).finish_non_exhaustive()
    }
}

/// Sends and reads the whole answer: a connection that breaks in the middle is no answer.
async fn receive(sending: reqwest::RequestBuilder) -> Result<Answer, reqwest::Error> {
    let response = sending.send().await?;
    let status = response.status().as_u16();
    let headers = response.headers().clone();
    let body = response.bytes().await?;
    Ok(Answer { status, headers, body })
}

/// Whether a 404 says that the resource is not there. A wrong subscription or type, or a page that some proxy made,
/// is no absence: taken for one, it would plan a creation that cannot work.
fn is_absence(answer: &Answer) -> bool {
    const WRONG: [&str; 5] = [
        "SubscriptionNotFound",
        "InvalidSubscriptionId",
        "InvalidResourceNamespace",
        "InvalidResourceType",
        "NoRegisteredProviderFound",
    ];
    if answer.status != 404 {
        return false;
    }
    let Ok(body) = answer.json() else { return false };
    let code = body.pointer("/error/code").and_then(Value::as_str).unwrap_or_default();
    !WRONG.iter().any(|wrong| code.eq_ignore_ascii_case(wrong))
}

fn bad_page(request: &Request, answer: &Answer, why: &str) -> Error {
    answer
        .marked(Error::unreadable(format!("Azure's list is not to be read: {why}")))
        .with_request(request.title())
}
