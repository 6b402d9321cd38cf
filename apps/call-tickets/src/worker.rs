//! Takes events from the queue and does what they ask for, each step at most once.
//!
//! ```text
//! call ─▶ transcript stored ─▶ ticket made ─▶ incident looked for ─▶ asked for ─▶ transcript attached ─▶ done
//!                                   any step fails ─▶ tried again, later and later ─▶ given up, and a person told
//! ```
//!
//! What was done is written into the event's [journal](crate::journal) before and after anything that must not be done
//! twice. A worker that loses its claim stops at its next write; whoever has the claim then looks in TOPdesk first.

use std::sync::Arc;
use std::time::{Duration, Instant};

use jiff::{SignedDuration, Timestamp};
use landfall_store::{Claim, Error as StoreError};
use tokio::sync::{Semaphore, watch};
use tokio::task::JoinSet;
use tracing::{Instrument, debug, error, info, info_span, warn};

use crate::config::FailedCalls;
use crate::event::{self, Call, Event, Failure};
use crate::extract::{Lists, Ticket, rules};
use crate::journal::{Kept, Outcome};
use crate::notify::{self, Note};
use crate::service::Service;
use crate::topdesk::incident::{self, FORMS};
use crate::topdesk::{self, Found, Incident};
use crate::transcript;

/// How long a claim holds; it is extended while the work goes on.
const LEASE: Duration = Duration::from_secs(60);

/// How often the queue is looked at when nobody says that there is something in it: what other replicas took in, what
/// is due again.
const LOOK: Duration = Duration::from_millis(500);

/// How long work steps aside for a rush of deliveries before it takes one event all the same.
const ASIDE: Duration = Duration::from_millis(50);

/// How long a trace waits for the call that it belongs to.
const TRACE_WAITS: SignedDuration = SignedDuration::from_mins(10);

/// How long a notification is tried.
const NOTES_WAIT: SignedDuration = SignedDuration::from_hours(24 * 7);

/// How work on an event ended.
enum End {
    /// There is nothing left to do.
    Done,
    /// It failed for now.
    Again { step: &'static str, why: String, after: Option<Duration> },
    /// It will never be done.
    Dead(String),
    /// Somebody else has it.
    Lost,
}

impl From<StoreError> for End {
    fn from(error: StoreError) -> End {
        match error {
            StoreError::Lost { .. } | StoreError::Conflict { .. } => End::Lost,
            other => End::Again { step: "store", why: other.to_string(), after: None },
        }
    }
}

/// Works until `stop` says so, then finishes what is under way.
pub async fn run(service: Arc<Service>, mut stop: watch::Receiver<bool>) {
    let permits = Arc::new(Semaphore::new(service.config.workers));
    let mut under_way = JoinSet::new();
    while !*stop.borrow() {
        while under_way.try_join_next().is_some() {}
        let mut free = permits.available_permits();
        if service.deliveries.rush() {
            tokio::select! {
                () = tokio::time::sleep(ASIDE) => free = free.min(1),
                _ = stop.changed() => continue,
            }
        }
        let claims = if free == 0 {
            Ok(Vec::new())
        } else {
            service.store.queue.claim(free, LEASE, service.now()).await
        };
        match claims {
            Ok(claims) if claims.is_empty() => {
                // A worker that ends may make room as well.
                tokio::select! {
                    () = service.woken.notified(), if free > 0 => {}
                    _ = under_way.join_next(), if free == 0 => {}
                    () = tokio::time::sleep(LOOK) => {}
                    _ = stop.changed() => {}
                }
            }
            Ok(claims) => {
                for claim in claims {
                    let permit = permits.clone().acquire_owned().await.expect("the semaphore is never shut");
                    let service = service.clone();
                    under_way.spawn(async move {
                        let span = info_span!("event", key = %claim.key, attempt = claim.attempt);
                        attend(&service, &claim).instrument(span).await;
                        drop(permit);
                    });
                }
            }
            Err(error) => {
                error!(%error, "the queue cannot be read");
                tokio::time::sleep(LOOK).await;
            }
        }
    }
    while under_way.join_next().await.is_some() {}
}

/// Works on one claim, extending it meanwhile, and settles it.
async fn attend(service: &Service, claim: &Claim) {
    let extended = async {
        loop {
            tokio::time::sleep(LEASE / 3).await;
            if let Err(StoreError::Lost { .. }) =
                service.store.queue.extend(claim, LEASE, service.now()).await
            {
                return;
            }
        }
    };
    let end = tokio::select! {
        end = work(service, claim) => end,
        () = extended => End::Lost,
    };
    if let Err(error) = settle(service, claim, end).await {
        // The claim ends by itself, and the event is worked on again.
        warn!(%error, "the event could not be settled");
    }
}

async fn settle(service: &Service, claim: &Claim, end: End) -> Result<(), StoreError> {
    let queue = &service.store.queue;
    match end {
        End::Done => queue.finish(claim, service.now()).await,
        End::Lost => {
            warn!("the claim was lost; whoever has it goes on");
            Ok(())
        }
        End::Again { step, why, after } => {
            let now = service.now();
            let mut kept = Kept::open(&*service.store.records, &claim.key).await?;
            let since = kept.journal.since.unwrap_or(claim.put);
            let note = claim.key.starts_with("note:");
            let age = if note { NOTES_WAIT } else { service.config.retry.age };
            if now.duration_since(since) >= age {
                return give_up(service, claim, format!("{why} (tried for {:#})", now.duration_since(since)))
                    .await;
            }
            service.metrics.retry(step);
            let retry = &service.config.retry;
            let wait =
                retry.base.saturating_mul(2_u32.saturating_pow(claim.attempt.saturating_sub(1).min(20)));
            // A wait that was asked for is kept, and everybody does not come back at its end together.
            let wait = service.jittered(wait.min(retry.longest)).max(after.unwrap_or_default());
            warn!(step, %why, ?wait, "to be tried again");
            if !note {
                kept.journal.failure = Some(why.clone());
                kept.journal.since = Some(since);
                kept.write(now).await?;
            }
            let due = now
                .checked_add(SignedDuration::try_from(wait).unwrap_or(SignedDuration::from_mins(15)))
                .unwrap_or(now);
            queue.retry(claim, due, &why).await
        }
        End::Dead(why) => give_up(service, claim, why).await,
    }
}

/// Has a person told, and buries the event: in this order, so that no crash loses the first.
async fn give_up(service: &Service, claim: &Claim, why: String) -> Result<(), StoreError> {
    error!(%why, "given up");
    let now = service.now();
    if claim.key.starts_with("note:") {
        return service.store.queue.bury(claim, &why, now).await;
    }
    let mut kept = Kept::open(&*service.store.records, &claim.key).await?;
    let journal = &mut kept.journal;
    journal.outcome = Outcome::Dead;
    journal.failure = Some(why.clone());
    journal.step("given up", now);
    let ticket = journal.ticket.as_ref();
    let about = ticket.map_or_else(|| "(no ticket was made of it)".to_owned(), |ticket| ticket.brief.clone());
    let caller = ticket.map(|ticket| ticket.caller.clone()).unwrap_or_default();
    let incident = journal.number.as_ref().map_or_else(|| "none".to_owned(), Clone::clone);
    let text = format!(
        "A call did not become a complete ticket. It is kept as a dead letter.\n\n\
         Event:        {}\nConversation: {}\nAbout:        {about}\nCaller:       {}\nTelephone:    {}\n\
         Incident:     {incident}\nReason:       {why}\n\n\
         What to do: mend the cause, then replay it on the operator's page, by\n\
         POST /dead-letters/{}/replay, or with: call-tickets replay '{}'\n",
        claim.key,
        journal.conversation,
        caller.name.unwrap_or_default(),
        caller.phone.unwrap_or_default(),
        claim.key,
        claim.key,
    );
    let since = journal.since.unwrap_or(claim.put).as_millisecond();
    let note = Note {
        subject: format!("Call without a ticket: {about}"),
        text,
        id: format!("{}:{since}", claim.key),
    };
    service.metrics.ticket("failed", ticket.map_or("none", |ticket| ticket.source.name()));
    kept.write(now).await?;
    service.tell(&note).await?;
    service.store.queue.bury(claim, &why, now).await
}

async fn work(service: &Service, claim: &Claim) -> End {
    let worked =
        if claim.key.starts_with("note:") { tell(service, claim).await } else { event(service, claim).await };
    worked.err().unwrap_or(End::Done)
}

/// Sends a notification.
async fn tell(service: &Service, claim: &Claim) -> Result<(), End> {
    let Ok(note) = serde_json::from_slice::<Note>(&claim.body) else {
        return Err(End::Dead("the notification cannot be read".into()));
    };
    let Some(mailer) = &service.mailer else {
        // Its subject says what the call was about, which is nothing for a log.
        error!(note = %note.id, "nobody can be told: no mail is configured");
        return Ok(());
    };
    let sent = mailer.send(&note).await;
    service.metrics.mail(match &sent {
        Ok(()) => "sent",
        Err(notify::Error::Refused(_)) => "refused",
        Err(notify::Error::Unavailable(_)) => "unavailable",
    });
    sent.map_err(|error| {
        error!(%error, "a notification could not be sent");
        End::Again { step: "mail", why: error.to_string(), after: None }
    })
}

async fn event(service: &Service, claim: &Claim) -> Result<(), End> {
    let mut kept = Kept::open(&*service.store.records, &claim.key).await?;
    let now = service.now();
    if claim.attempt == 1 {
        kept.journal.since = Some(now);
        if kept.journal.outcome == Outcome::Dead {
            // Its first attempt after a replay: from now on its age counts anew.
            kept.journal.outcome = Outcome::Working;
            kept.write(now).await?;
        }
    }
    let payload =
        event::json(&claim.body).map_err(|why| End::Dead(format!("authentic, but malformed: {why}")))?;
    kept.journal.event = payload["type"].as_str().unwrap_or_default().chars().take(100).collect();
    let read = event::read(&payload).map_err(|why| End::Dead(format!("authentic, but malformed: {why}")))?;
    match read {
        Event::Call(call) => self::call(service, &mut kept, &call, &claim.body, claim.attempt).await?,
        Event::Failure(failure) => unconnected(service, &mut kept, &failure, claim).await?,
        Event::Audio { conversation } => {
            kept.journal.conversation.clone_from(&conversation);
            if service.config.audio
                && let Some(blobs) = &service.blobs
            {
                let sound =
                    event::audio(&payload).ok_or_else(|| End::Dead("the recording cannot be read".into()))?;
                let day = event::folder(event::happened(&payload).unwrap_or(claim.put));
                let name = format!("audio/{day}/{}.mp3", event::file_name(&conversation));
                blobs.put(&name, sound, "audio/mpeg").await?;
                kept.journal.stored = Some(name);
            }
            kept.journal.outcome = Outcome::Kept;
        }
        Event::Trace { conversation } => {
            let known = match &conversation {
                Some(conversation) => {
                    service.store.queue.get(&format!("call:{conversation}")).await?.is_some()
                }
                None => false,
            };
            if !known && service.now().duration_since(claim.put) < TRACE_WAITS {
                let why = "its call has not come in yet".into();
                return Err(End::Again { step: "trace", why, after: Some(Duration::from_secs(60)) });
            }
            if !known {
                return Err(End::Dead(
                    "a call came in as an OpenTelemetry trace only; no ticket is made of that".into(),
                ));
            }
            kept.journal.outcome = Outcome::Kept;
        }
        Event::Other { kind } => {
            if let Some(blobs) = &service.blobs {
                let day = event::folder(event::happened(&payload).unwrap_or(claim.put));
                let name = format!("events/{day}/{}.json", event::digest(claim.key.as_bytes()));
                blobs.put(&name, claim.body.clone(), "application/json").await?;
                kept.journal.stored = Some(name);
            }
            info!(kind, "an event of an unknown type was kept");
            kept.journal.outcome = Outcome::Kept;
        }
    }
    kept.journal.failure = None;
    kept.write(service.now()).await?;
    Ok(())
}

/// From a call to its ticket.
async fn call(
    service: &Service,
    kept: &mut Kept<'_>,
    call: &Call,
    body: &[u8],
    attempt: u32,
) -> Result<(), End> {
    kept.journal.conversation.clone_from(&call.conversation);
    if kept.journal.stored.is_none()
        && let Some(blobs) = &service.blobs
    {
        // The call's own day, so that a replay tomorrow lands on the same name.
        let day = event::folder(call.started.or(kept.journal.since).unwrap_or_else(|| service.now()));
        let name = format!("{day}/{}.json", event::file_name(&call.conversation));
        blobs.put(&name, body.to_vec(), "application/json").await?;
        kept.journal.stored = Some(name);
        kept.journal.step("stored", service.now());
    }
    let ticket = match &kept.journal.ticket {
        Some(ticket) => ticket.clone(),
        None => {
            let lists = lists(service).await;
            let ticket = extracted(service, kept, call, &lists).await;
            kept.journal.ticket = Some(ticket.clone());
            kept.journal.step("extracted", service.now());
            kept.write(service.now()).await?;
            ticket
        }
    };
    let incident = ticketed(service, kept, &ticket).await?;
    if kept.journal.attached.is_none() {
        let text = transcript::text(call);
        kept.journal.attached = Some(attached(service, &incident, call, &text, attempt).await?.into());
        kept.journal.step("attached", service.now());
    }
    kept.journal.outcome = Outcome::Ticketed;
    info!(incident = %incident.number, source = ticket.source.name(), "a call became a ticket");
    Ok(())
}

async fn extracted(service: &Service, kept: &mut Kept<'_>, call: &Call, lists: &Lists) -> Ticket {
    let begun = Instant::now();
    let extracted = service.extractor.extract(call, lists, service.now()).await;
    if service.extractor.model.is_some() && (extracted.failure.is_some() || !extracted.answers.is_empty()) {
        let outcome = extracted.failure.as_ref().map_or("answered", |failure| failure.name());
        service.metrics.model(outcome, begun.elapsed().as_secs_f64());
    }
    for answer in &extracted.answers {
        let dollars =
            service.extractor.model.as_ref().map_or(0.0, |model| model.settings().prices.cost(answer.usage));
        service.metrics.tokens(answer.usage.input, answer.usage.output, dollars);
    }
    if let Some(failure) = extracted.failure {
        warn!(%failure, "the ticket is made by rules");
        kept.journal.model_failure = Some(failure.to_string());
    }
    extracted.ticket
}

/// TOPdesk's own words; none when it does not tell them: a ticket without a category is better than no ticket.
async fn lists(service: &Service) -> Arc<Lists> {
    let Some(client) = &service.topdesk else { return Arc::default() };
    match service.lists.get(client).await {
        Ok(lists) => lists,
        Err(error) => {
            warn!(%error, "TOPdesk's lists could not be read");
            Arc::default()
        }
    }
}

/// Measures a request to TOPdesk.
async fn measured<T>(
    service: &Service,
    operation: &'static str,
    request: impl Future<Output = Result<T, topdesk::Error>>,
) -> Result<T, topdesk::Error> {
    let begun = Instant::now();
    let done = request.await;
    let outcome = done.as_ref().map_or_else(topdesk::Error::name, |_| "done");
    service.metrics.topdesk(operation, outcome, begun.elapsed().as_secs_f64());
    done
}

fn again(step: &'static str) -> impl Fn(topdesk::Error) -> End {
    move |error| {
        if error.may_pass() {
            End::Again { step, why: error.to_string(), after: error.after() }
        } else {
            End::Dead(error.to_string())
        }
    }
}

/// The incident of a ticket: the one that is there, or a new one.
async fn ticketed(service: &Service, kept: &mut Kept<'_>, ticket: &Ticket) -> Result<Incident, End> {
    if let (Some(id), Some(number)) = (&kept.journal.incident, &kept.journal.number) {
        return Ok(Incident { id: id.clone(), number: number.clone() });
    }
    let Some(client) = &service.topdesk else {
        return Err(End::Again {
            step: "topdesk",
            why: "TOPdesk is not configured".into(),
            after: Some(Duration::from_secs(60)),
        });
    };
    let external = incident::external(&kept.journal.conversation);
    if let Some(asked) = kept.journal.asked
        && service.now().duration_since(asked) < service.config.search_delay
    {
        let why = "an incident was asked for, and TOPdesk may not show it yet".into();
        return Err(End::Again {
            step: "search",
            why,
            after: Duration::try_from(service.config.search_delay).ok(),
        });
    }
    let incident = match measured(service, "search", client.find(&external)).await.map_err(again("search"))? {
        Found::Incident(incident) => {
            debug!("the incident is there already");
            incident
        }
        // We alone know whether one was asked for; having asked without an answer, only a person can tell.
        Found::Unsearchable if kept.journal.asked.is_some() => {
            return Err(End::Dead(format!(
                "an incident was asked for and no answer came; whether it exists must be looked up in TOPdesk by the \
                 external number {external}. Replay only if it does not",
            )));
        }
        Found::Nothing | Found::Unsearchable => created(service, kept, ticket, client, &external).await?,
    };
    kept.journal.incident = Some(incident.id.clone());
    kept.journal.number = Some(incident.number.clone());
    kept.journal.step("ticketed", service.now());
    kept.write(service.now()).await?;
    service.metrics.ticket("created", ticket.source.name());
    Ok(incident)
}

/// Asks for an incident, saying less when TOPdesk does not accept something.
async fn created(
    service: &Service,
    kept: &mut Kept<'_>,
    ticket: &Ticket,
    client: &topdesk::Client,
    external: &str,
) -> Result<Incident, End> {
    let person = registered(service, ticket, client).await;
    let mut lists = lists(service).await;
    let by =
        if kept.journal.model_failure.is_none() && ticket.source.name() == "model" { "AI" } else { "rules" };
    let footer = format!("ElevenLabs {} ({by})", kept.journal.conversation);
    kept.journal.asked = Some(service.now());
    kept.write(service.now()).await?;
    let (mut refreshed, mut refused) = (false, None);
    for form in FORMS {
        loop {
            let body = incident::body(ticket, external, person.as_deref(), &lists, &footer, form);
            match measured(service, "create", client.create(&body)).await {
                Ok(incident) => {
                    if let Some(refused) = refused {
                        warn!(?form, %refused, "TOPdesk took less than the whole ticket");
                        kept.journal.mended = Some(format!("{form:?}: {refused}"));
                    }
                    return Ok(incident);
                }
                // A value that was renamed or removed since the lists were read: once with fresh ones.
                Err(error @ topdesk::Error::Rejected { .. }) if !refreshed => {
                    refreshed = true;
                    refused = Some(error);
                    if let Ok(fresh) = service.lists.refreshed(client).await
                        && fresh != lists
                    {
                        lists = fresh;
                        continue;
                    }
                    break;
                }
                Err(
                    error @ (topdesk::Error::Rejected { .. } | topdesk::Error::Denied { status: 403, .. }),
                ) => {
                    refused = Some(error);
                    break;
                }
                Err(error) => {
                    // These answers say for certain that there is no incident.
                    if matches!(
                        error,
                        topdesk::Error::Denied { .. } | topdesk::Error::Busy { status: 408..=429 | 503, .. }
                    ) {
                        kept.journal.asked = None;
                        kept.write(service.now()).await?;
                    }
                    return Err(again("create")(error));
                }
            }
        }
    }
    kept.journal.asked = None;
    kept.write(service.now()).await?;
    let refused = refused.expect("every form was refused");
    Err(again("create")(refused))
}

/// The registered person who called, when there is exactly one with this address or number.
async fn registered(service: &Service, ticket: &Ticket, client: &topdesk::Client) -> Option<String> {
    let quoted = |text: &str| format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\""));
    let mut queries = Vec::new();
    if let Some(email) = &ticket.caller.email {
        queries.push(format!("email=={};archived==false", quoted(email)));
    }
    if let Some(phone) = &ticket.caller.phone {
        let spelled: Vec<String> = spellings(phone).iter().map(|phone| quoted(phone)).collect();
        let list = spelled.join(",");
        queries.push(format!("(phoneNumber=in=({list}),mobileNumber=in=({list}));archived==false"));
    }
    for query in queries {
        match measured(service, "person", client.person(&query)).await {
            Ok(Some(person)) => return Some(person),
            Ok(None) => {}
            // The caller's words are in the ticket in any case.
            Err(error) => debug!(%error, "the caller could not be looked up"),
        }
    }
    None
}

/// A number as people write it into TOPdesk.
fn spellings(phone: &str) -> Vec<String> {
    let digits: String = phone.chars().filter(|c| c.is_ascii_digit() || *c == '+').collect();
    let mut all = vec![phone.to_owned(), digits.clone()];
    if let Some(national) = digits.strip_prefix("+31").or(digits.strip_prefix("0031")) {
        all.extend([format!("0{national}"), format!("+31{national}"), format!("0031{national}")]);
        if let Some(mobile) = national.strip_prefix('6') {
            all.extend([format!("06-{mobile}"), format!("06 {mobile}")]);
        }
    } else if let Some(national) =
        digits.strip_prefix('0').filter(|rest| !rest.starts_with('0') && rest.len() >= 8)
    {
        all.push(format!("+31{national}"));
    }
    all.sort();
    all.dedup();
    all
}

/// Attaches the transcript; as a note where files are refused.
async fn attached(
    service: &Service,
    incident: &Incident,
    call: &Call,
    text: &str,
    attempt: u32,
) -> Result<&'static str, End> {
    let Some(client) = &service.topdesk else { return Err(End::Lost) };
    let name = format!("{}.txt", event::file_name(&call.conversation));
    // Only a worker before us can have attached it.
    if attempt > 1 {
        let there = measured(service, "attachments", client.attachments(&incident.id)).await;
        if there.is_ok_and(|names| names.contains(&name)) {
            return Ok("file");
        }
    }
    let description = "Transcript of the call";
    let sent = measured(
        service,
        "attach",
        client.attach(&incident.id, &name, text.as_bytes().to_vec(), description),
    )
    .await;
    let refused = match sent {
        Ok(()) => {
            service.metrics.attachment("attached");
            return Ok("file");
        }
        Err(error) if error.may_pass() => {
            service.metrics.attachment("failed");
            return Err(again("attach")(error));
        }
        Err(error) => error,
    };
    warn!(%refused, "the transcript's file was refused; it becomes a note");
    let short: String = text.chars().take(transcript::NOTE).collect();
    let noted = measured(service, "note", client.note(&incident.id, &incident::html(&short))).await;
    service.metrics.attachment(if noted.is_ok() { "noted" } else { "failed" });
    noted.map(|()| "note").map_err(again("note"))
}

/// A call that never connected: a ticket, or a person is told.
async fn unconnected(
    service: &Service,
    kept: &mut Kept<'_>,
    failure: &Failure,
    claim: &Claim,
) -> Result<(), End> {
    kept.journal.conversation.clone_from(&failure.conversation);
    let number = failure.number.clone().unwrap_or_else(|| "?".into());
    let subject = format!("Call to {number} was not connected: {}", failure.reason);
    let details: Vec<String> =
        failure.details.iter().map(|(name, value)| format!("{name}: {value}")).collect();
    match service.config.failed_calls {
        FailedCalls::Ignore => kept.journal.outcome = Outcome::Kept,
        FailedCalls::Notify => {
            let text = format!("Conversation: {}\n{}\n", failure.conversation, details.join("\n"));
            service.tell(&Note { subject, text, id: claim.key.clone() }).await?;
            kept.journal.outcome = Outcome::Notified;
        }
        FailedCalls::Ticket => {
            let call = Call {
                conversation: failure.conversation.clone(),
                title: Some(subject),
                summary: Some(details.join("\n")),
                number: failure.number.clone(),
                ..Call::default()
            };
            let ticket = rules::ticket(&call, &*lists(service).await);
            kept.journal.ticket.get_or_insert(ticket.clone());
            ticketed(service, kept, &ticket).await?;
            kept.journal.outcome = Outcome::Ticketed;
        }
    }
    Ok(())
}

/// Forgets what is done and old, and tells how the queue stands, until `stop` says so.
pub async fn keep_house(service: Arc<Service>, mut stop: watch::Receiver<bool>) {
    let mut forgotten = None::<Timestamp>;
    while !*stop.borrow() {
        let now = service.now();
        if let Ok(counts) = service.store.queue.counts().await {
            let oldest = counts.oldest.map_or(0, |oldest| now.duration_since(oldest).as_secs().max(0));
            let states = [
                ("waiting", counts.waiting),
                ("claimed", counts.claimed),
                ("done", counts.done),
                ("dead", counts.dead),
            ];
            service.metrics.queue(states, oldest);
        }
        if forgotten.is_none_or(|last| now.duration_since(last) > SignedDuration::from_hours(1)) {
            let before = now.checked_sub(service.config.remembered).unwrap_or(now);
            let items = service.store.queue.forget(before).await;
            let records = service.store.records.forget_records(crate::journal::KIND, before).await;
            if let (Ok(items), Ok(records)) = (items, records)
                && items + records > 0
            {
                info!(items, records, "what was done long ago is forgotten");
            }
            forgotten = Some(now);
        }
        tokio::select! {
            () = tokio::time::sleep(Duration::from_secs(5)) => {}
            _ = stop.changed() => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_spelled_as_people_write_them() {
        let spelled = spellings("+31612345678");
        for one in ["+31612345678", "0612345678", "06-12345678", "0031612345678"] {
            assert!(spelled.contains(&one.to_owned()), "{one} in {spelled:?}");
        }
        assert!(spellings("0201234567").contains(&"+31201234567".to_owned()));
        assert_eq!(spellings("1234"), ["1234"]);
    }
}
