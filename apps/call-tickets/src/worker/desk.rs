//! What work asks of TOPdesk: its lists, an incident, a transcript on it.

use std::sync::Arc;
use std::time::{Duration, Instant};

use tracing::{debug, warn};

use super::End;
use crate::event::{self, Call};
use crate::extract::{Lists, Ticket};
use crate::journal::Kept;
use crate::service::Service;
use crate::topdesk::incident::{self, FORMS};
use crate::topdesk::{self, Found, Incident};
use crate::transcript;

/// TOPdesk's own words; none when it does not tell them: a ticket without a category is better than no ticket.
pub async fn lists(service: &Service) -> Arc<Lists> {
    let Some(client) = &service.topdesk else { return Arc::default() };
    match service.lists.get(client).await {
        Ok(lists) => lists,
        Err(error) => {
            warn!(%error, "TOPdesk's lists could not be read");
            Arc::default()
        }
    }
}

/// The incident of a ticket: the one that is there, or a new one.
pub async fn ticketed(service: &Service, kept: &mut Kept<'_>, ticket: &Ticket) -> Result<Incident, End> {
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
pub async fn attached(
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
