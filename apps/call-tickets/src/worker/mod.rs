//! Takes events from the queue and does what they ask for, each step at most once.
//!
//! ```text
//! call ─▶ transcript stored ─▶ ticket made ─▶ incident looked for ─▶ asked for ─▶ transcript attached ─▶ done
//!                                   any step fails ─▶ tried again, later and later ─▶ given up, and a person told
//! ```
//!
//! What was done is written into the event's [journal](crate::journal) before and after anything that must not be done
//! twice. A worker that loses its claim stops at its next write; whoever has the claim then looks in TOPdesk first.
//!
//! - here: claims, how work on one ends, and housekeeping
//! - [`steps`]: what each kind of event asks for
//! - [`desk`]: what that takes of TOPdesk

mod desk;
mod steps;

use std::sync::Arc;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use landfall_store::{Claim, Error as StoreError};
use tokio::sync::{Semaphore, watch};
use tokio::task::JoinSet;
use tracing::{Instrument, error, info, info_span, warn};

use crate::journal::{Kept, Outcome};
use crate::notify::{self, Note};
use crate::service::Service;

/// How long a claim holds; it is extended while the work goes on.
const LEASE: Duration = Duration::from_secs(60);

/// How often the queue is looked at when nobody says that there is something in it: what other replicas took in, what
/// is due again.
const LOOK: Duration = Duration::from_millis(500);

/// How long work steps aside for a rush of deliveries before it takes one event all the same.
const ASIDE: Duration = Duration::from_millis(200);

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
    let worked = if claim.key.starts_with("note:") {
        tell(service, claim).await
    } else {
        steps::event(service, claim).await
    };
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
