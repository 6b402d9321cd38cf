//! Realistic calls, signed and sent (T20): a load test, and a proof that calls become tickets.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use jiff::Timestamp;
use rand::rngs::StdRng;
use rand::seq::IndexedRandom;
use rand::{RngExt, SeedableRng};
use secrecy::{ExposeSecret, SecretString};
use serde_json::{Value, json};

use crate::signature;

/// What is sent, and where.
#[derive(Clone, Debug)]
pub struct Plan {
    /// The service's address; `/elevenlabs/webhook` is put after it unless it is there.
    pub url: String,
    /// The webhook's secret.
    pub secret: SecretString,
    /// How many calls.
    pub calls: usize,
    /// How many at once.
    pub at: usize,
    /// Decides what the calls are about.
    pub seed: u64,
    /// The operator's token: with it, the calls are followed to their tickets.
    pub token: Option<SecretString>,
    /// How long the calls are followed.
    pub wait: Duration,
}

/// What came of it.
#[derive(Clone, Debug, Default)]
pub struct Report {
    /// How long each acknowledgement took, in order of length; of those that were 200.
    pub latencies: Vec<Duration>,
    /// Deliveries that were not acknowledged with 200: how many of each kind.
    pub refused: std::collections::BTreeMap<String, usize>,
    /// How long all of it took.
    pub took: Duration,
    /// Calls that have a ticket, and calls that are given up; `None` when they were not followed.
    pub ended: Option<(usize, usize)>,
}

impl Report {
    /// The latency that this part of the deliveries stayed below.
    pub fn percentile(&self, part: f64) -> Duration {
        #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, clippy::cast_precision_loss)]
        let place =
            ((self.latencies.len() as f64 * part).ceil() as usize).clamp(1, self.latencies.len().max(1)) - 1;
        self.latencies.get(place).copied().unwrap_or_default()
    }

    /// The report as JSON.
    pub fn json(&self) -> Value {
        let milliseconds = |part| self.percentile(part).as_secs_f64() * 1000.0;
        json!({
            "acknowledged": self.latencies.len(),
            "refused": self.refused,
            "seconds": self.took.as_secs_f64(),
            "milliseconds": {"p50": milliseconds(0.5), "p95": milliseconds(0.95), "p99": milliseconds(0.99), "max": milliseconds(1.0)},
            "tickets": self.ended.map(|(tickets, _)| tickets),
            "dead": self.ended.map(|(_, dead)| dead),
        })
    }
}

/// What callers call about: language, title, sentences of the caller.
const CALLS: &[(&str, &str, &[&str])] = &[
    (
        "nl",
        "Etikettenprinter drukt strepen af",
        &[
            "Goedemorgen, de etikettenprinter op het magazijn drukt alleen strepen af.",
            "Het begon vanochtend, ik heb hem al uit en aan gezet.",
            "Graag vandaag nog, anders kan er niets verzonden worden.",
        ],
    ),
    (
        "nl",
        "Wachtwoord verlopen",
        &[
            "Ik kan niet inloggen, mijn wachtwoord is verlopen.",
            "Ik heb het drie keer geprobeerd en nu is mijn account geblokkeerd.",
        ],
    ),
    (
        "nl",
        "Wifi valt weg op de tweede verdieping",
        &["De wifi valt steeds weg bij ons op de tweede verdieping.", "De hele afdeling heeft er last van."],
    ),
    (
        "nl",
        "Vraag over een nieuwe laptop",
        &["Ik had een vraagje over mijn nieuwe laptop, geen haast hoor.", "Wanneer kan ik hem ophalen?"],
    ),
    (
        "nl",
        "Verwarming doet het niet",
        &["De verwarming in kamer 2.14 doet het niet.", "Het is hier zestien graden."],
    ),
    (
        "en",
        "Locked out of account before payroll",
        &[
            "Hi, I got locked out of my account this morning.",
            "I have to submit payroll before noon, so it is urgent.",
        ],
    ),
    (
        "en",
        "Outlook does not open",
        &[
            "Outlook shows an error when I open my mailbox.",
            "I tried to restart the computer, it did not help.",
        ],
    ),
    (
        "en",
        "VPN connection drops",
        &["My VPN connection drops every ten minutes.", "I work from home and I can't work like this."],
    ),
];

const NAMES: &[&str] = &[
    "Jan de Vries",
    "Fatima El Idrissi",
    "Sam Testerman",
    "Marieke Bakker",
    "Ömer Yılmaz",
    "Zoë van den Berg",
];
const DEPARTMENTS: &[&str] = &["Magazijn", "Facilities", "Finance", "Verpleging", "Inkoop", "HR"];

/// A call, as ElevenLabs would deliver it.
pub fn call(chance: &mut StdRng, now: Timestamp) -> Value {
    let (language, title, sentences) = CALLS.choose(chance).expect("there are calls");
    let (name, department) =
        (NAMES.choose(chance).expect("names"), DEPARTMENTS.choose(chance).expect("departments"));
    let conversation =
        format!("conv_{}", uuid::Builder::from_random_bytes(chance.random()).into_uuid().simple());
    let number = format!("+3161{:07}", chance.random_range(0..10_000_000));
    let english = *language == "en";
    let hello = if english {
        "Hello, service desk, what can I do for you?"
    } else {
        "Goedemorgen, servicedesk, waarmee kan ik u helpen?"
    };
    let bye = if english {
        "I will log this for a colleague. Goodbye."
    } else {
        "Ik leg het vast voor een collega. Tot ziens."
    };
    let mut said = vec![("agent", hello.to_owned())];
    said.push((
        "user",
        if english {
            format!("This is {name} from {department}.")
        } else {
            format!("U spreekt met {name} van {department}.")
        },
    ));
    said.extend(sentences.iter().map(|sentence| ("user", (*sentence).to_owned())));
    said.push(("agent", bye.into()));
    let seconds = said.len() * 9;
    let turns: Vec<Value> = said
        .iter()
        .enumerate()
        .map(|(place, (role, message))| json!({
            "role": role, "message": message, "time_in_call_secs": place * 9, "tool_calls": [], "tool_results": [], "interrupted": false,
        }))
        .collect();
    let started = now.as_second() - i64::try_from(seconds).unwrap_or(60) - 5;
    json!({
        "type": "post_call_transcription",
        "event_timestamp": now.as_second(),
        "data": {
            "agent_id": "agent_simulated", "agent_name": "Servicedesk", "conversation_id": conversation, "status": "done",
            "transcript": turns,
            "metadata": {
                "start_time_unix_secs": started, "call_duration_secs": seconds, "main_language": language,
                "termination_reason": "Client ended call",
                "phone_call": {"type": "sip_trunking", "direction": "inbound", "external_number": number},
            },
            "analysis": {
                "call_successful": "success", "call_summary_title": title, "transcript_summary": sentences.join(" "),
                "data_collection_results": {
                    "caller_name": {"data_collection_id": "caller_name", "value": name},
                    "department": {"data_collection_id": "department", "value": department},
                },
            },
            "conversation_initiation_client_data": {"dynamic_variables": {"system__caller_id": number}},
            "has_audio": true, "has_user_audio": true, "has_response_audio": true, "has_auxiliary_audio": false,
        },
    })
}

/// Sends the calls and follows them.
///
/// # Errors
/// When the address cannot be read.
pub async fn run(plan: &Plan, now: impl Fn() -> Timestamp + Send + Sync + 'static) -> Result<Report, String> {
    let base = plan.url.trim_end_matches('/').trim_end_matches("/elevenlabs/webhook").to_owned();
    let webhook =
        url::Url::parse(&format!("{base}/elevenlabs/webhook")).map_err(|error| format!("--url: {error}"))?;
    let http = reqwest::Client::builder()
        .timeout(Duration::from_secs(60))
        .build()
        .map_err(|error| error.to_string())?;
    let mut chance = StdRng::seed_from_u64(plan.seed);
    let calls: Arc<Vec<Value>> = Arc::new((0..plan.calls).map(|_| call(&mut chance, now())).collect());
    let (next, now) = (Arc::new(AtomicUsize::new(0)), Arc::new(now));
    let begun = Instant::now();
    let senders = (0..plan.at.max(1)).map(|_| {
        let (calls, next, now, http) = (calls.clone(), next.clone(), now.clone(), http.clone());
        let (webhook, secret) = (webhook.clone(), plan.secret.clone());
        tokio::spawn(async move {
            let mut sent = Vec::new();
            while let Some(call) = calls.get(next.fetch_add(1, Ordering::Relaxed)) {
                let body = call.to_string();
                let header = signature::header(&secret, body.as_bytes(), now());
                let request = http.post(webhook.clone()).header(signature::HEADER, header);
                let begun = Instant::now();
                let answer = request.header("content-type", "application/json").body(body).send().await;
                let outcome = match answer {
                    Ok(answer) if answer.status() == 200 => Ok(begun.elapsed()),
                    Ok(answer) => Err(answer.status().as_str().to_owned()),
                    Err(error) if error.is_timeout() => Err("no answer".into()),
                    Err(_) => Err("no connection".into()),
                };
                sent.push(outcome);
            }
            sent
        })
    });
    let mut report = Report::default();
    for sender in futures::future::join_all(senders).await {
        for outcome in sender.map_err(|error| error.to_string())? {
            match outcome {
                Ok(latency) => report.latencies.push(latency),
                Err(why) => *report.refused.entry(why).or_default() += 1,
            }
        }
    }
    report.took = begun.elapsed();
    report.latencies.sort_unstable();
    if let Some(token) = &plan.token {
        report.ended = Some(follow(plan, &base, &http, token, &calls).await);
    }
    Ok(report)
}

/// Waits until every call has ended, one way or the other.
async fn follow(
    plan: &Plan,
    base: &str,
    http: &reqwest::Client,
    token: &SecretString,
    calls: &[Value],
) -> (usize, usize) {
    let mut open: Vec<&str> =
        calls.iter().filter_map(|call| call["data"]["conversation_id"].as_str()).collect();
    let (mut tickets, mut dead) = (0, 0);
    let end = Instant::now() + plan.wait;
    while !open.is_empty() && Instant::now() < end {
        let mut still = Vec::new();
        for conversation in open {
            let asked = http
                .get(format!("{base}/calls/{conversation}"))
                .bearer_auth(token.expose_secret())
                .send()
                .await;
            let call: Value = match asked {
                Ok(answer) => answer.json().await.unwrap_or_default(),
                Err(_) => Value::Null,
            };
            match (call["state"].as_str(), call["number"].is_string()) {
                (Some("done"), true) => tickets += 1,
                (Some("dead"), _) => dead += 1,
                _ => still.push(conversation),
            }
        }
        open = still;
        if !open.is_empty() {
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
    }
    (tickets, dead)
}
