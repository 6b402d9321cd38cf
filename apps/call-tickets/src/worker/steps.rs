//! What each kind of event asks for, step by step.

use std::time::{Duration, Instant};

use jiff::SignedDuration;
use landfall_store::Claim;
use tracing::{info, warn};

use super::{End, desk};
use crate::config::FailedCalls;
use crate::event::{self, Call, Event, Failure};
use crate::extract::{Lists, Ticket, rules};
use crate::journal::{Kept, Outcome};
use crate::notify::Note;
use crate::service::Service;
use crate::transcript;

/// How long a trace waits for the call that it belongs to.
const TRACE_WAITS: SignedDuration = SignedDuration::from_mins(10);

/// Works on an event of any kind.
pub async fn event(service: &Service, claim: &Claim) -> Result<(), End> {
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
            let lists = desk::lists(service).await;
            let ticket = extracted(service, kept, call, &lists).await;
            kept.journal.ticket = Some(ticket.clone());
            kept.journal.step("extracted", service.now());
            kept.write(service.now()).await?;
            ticket
        }
    };
    let incident = desk::ticketed(service, kept, &ticket).await?;
    if kept.journal.attached.is_none() {
        let text = transcript::text(call);
        kept.journal.attached = Some(desk::attached(service, &incident, call, &text, attempt).await?.into());
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
            let ticket = rules::ticket(&call, &*desk::lists(service).await);
            kept.journal.ticket.get_or_insert(ticket.clone());
            desk::ticketed(service, kept, &ticket).await?;
            kept.journal.outcome = Outcome::Ticketed;
        }
    }
    Ok(())
}
