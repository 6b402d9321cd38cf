//! What ElevenLabs tells: events, read leniently. New kinds, new members and odd types are expected everywhere.

use base64::Engine;
use jiff::Timestamp;
use jiff::tz::TimeZone;
use serde_json::Value;
use sha2::{Digest, Sha256};

/// An event, as far as we understand it.
#[derive(Clone, Debug, PartialEq)]
pub enum Event {
    /// A call was finished and analysed.
    Call(Box<Call>),
    /// The same as an OpenTelemetry trace. It becomes no ticket of its own.
    Trace {
        /// The conversation, if the trace names it.
        conversation: Option<String>,
    },
    /// A recording.
    Audio {
        /// The conversation.
        conversation: String,
    },
    /// A call out that was never connected.
    Failure(Failure),
    /// Something else: kept and acknowledged.
    Other {
        /// The kind, as it names itself.
        kind: String,
    },
}

/// A call that never connected.
#[derive(Clone, Debug, PartialEq)]
pub struct Failure {
    /// The conversation that was to be.
    pub conversation: String,
    /// `busy`, `no-answer`, `unknown`, or new.
    pub reason: String,
    /// What the telephone network said, as pairs of name and text.
    pub details: Vec<(String, String)>,
    /// The number that was called.
    pub number: Option<String>,
}

/// A call.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Call {
    /// The conversation's id.
    pub conversation: String,
    /// The agent's name, or else its id.
    pub agent: String,
    /// When it began.
    pub started: Option<Timestamp>,
    /// How long it took, in seconds.
    pub seconds: u64,
    /// Who was on the other side of the line.
    pub number: Option<String>,
    /// The language that was spoken, as a code.
    pub language: Option<String>,
    /// What was said.
    pub turns: Vec<Turn>,
    /// What the analysis took it to be about.
    pub title: Option<String>,
    /// The analysis' summary.
    pub summary: Option<String>,
    /// What the agent was told to collect, and the caller's variables: names in lower case, values as text.
    pub collected: Vec<(String, String)>,
    /// Why the call ended.
    pub ended: Option<String>,
}

/// One turn of a conversation.
#[derive(Clone, Debug, PartialEq)]
pub struct Turn {
    /// Whether the caller spoke.
    pub caller: bool,
    /// Seconds into the call.
    pub at: u64,
    /// What was said.
    pub text: String,
}

/// Why an authentic payload cannot be worked on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Malformed {
    /// It is not UTF-8 or not JSON, or nested too deeply.
    #[error("the body is no JSON")]
    NoJson,
    /// It is no object with a `type`.
    #[error("the body has no `type`")]
    NoType,
    /// It has no `data`, or `data` is no object.
    #[error("the event has no `data`")]
    NoData,
    /// `data` names no conversation.
    #[error("`data` has no `conversation_id`")]
    NoConversation,
}

/// Reads a body as JSON.
///
/// # Errors
/// When it is none.
pub fn json(body: &[u8]) -> Result<Value, Malformed> {
    // `serde_json` refuses nesting of more than 128 levels.
    serde_json::from_slice(without_mark(body)).map_err(|_| Malformed::NoJson)
}

/// A body without the byte-order mark that some write before UTF-8.
pub fn without_mark(body: &[u8]) -> &[u8] {
    body.strip_prefix(b"\xef\xbb\xbf").unwrap_or(body)
}

/// What of an event there is to tell it by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A call.
    Call,
    /// A call as a trace.
    Trace,
    /// A recording.
    Audio,
    /// A call that never connected.
    Failure,
    /// Anything else.
    Other,
}

impl Kind {
    /// Its name in keys and metrics.
    pub fn name(self) -> &'static str {
        match self {
            Kind::Call => "call",
            Kind::Trace => "trace",
            Kind::Audio => "audio",
            Kind::Failure => "failure",
            Kind::Other => "other",
        }
    }
}

/// An event's kind, and the conversation it is about, out of its `type`, whether its `data` is an object, and the id in
/// there; all but traces and other kinds have a conversation.
fn identified(
    kind: Option<&str>,
    data: bool,
    conversation: Option<String>,
) -> Result<(Kind, Option<String>), Malformed> {
    let kind = match kind.filter(|kind| !kind.is_empty()).ok_or(Malformed::NoType)? {
        "post_call_transcription" => Kind::Call,
        "post_call_transcription_otel" => Kind::Trace,
        "post_call_audio" => Kind::Audio,
        "call_initiation_failure" => Kind::Failure,
        _ => return Ok((Kind::Other, None)),
    };
    match (kind, conversation.filter(|id| !id.trim().is_empty())) {
        (Kind::Trace, conversation) => Ok((kind, conversation)),
        _ if !data => Err(Malformed::NoData),
        (_, None) => Err(Malformed::NoConversation),
        (_, conversation) => Ok((kind, conversation)),
    }
}

fn identity(payload: &Value) -> Result<(Kind, Option<String>), Malformed> {
    let data = &payload["data"];
    identified(payload["type"].as_str(), data.is_object(), text(&data["conversation_id"]))
}

/// Reads an event.
///
/// # Errors
/// What it lacks.
pub fn read(payload: &Value) -> Result<Event, Malformed> {
    let (kind, conversation) = identity(payload)?;
    let data = &payload["data"];
    let named = conversation.clone().unwrap_or_default();
    Ok(match kind {
        Kind::Call => Event::Call(Box::new(call(data, named))),
        Kind::Trace => Event::Trace { conversation },
        Kind::Audio => Event::Audio { conversation: named },
        Kind::Failure => Event::Failure(failure(data, named)),
        Kind::Other => {
            Event::Other { kind: payload["type"].as_str().unwrap_or_default().chars().take(100).collect() }
        }
    })
}

/// What makes an event the same one when it comes again: its kind and conversation, or else its bytes.
pub fn key(payload: Option<&Value>, body: &[u8]) -> (Kind, String) {
    keyed(payload.and_then(|payload| identity(payload).ok()), body)
}

/// The same, of what was seen of the payload.
pub fn named(kind: Option<String>, data: bool, conversation: Option<String>, body: &[u8]) -> (Kind, String) {
    keyed(identified(kind.as_deref(), data, conversation).ok(), body)
}

fn keyed(identity: Option<(Kind, Option<String>)>, body: &[u8]) -> (Kind, String) {
    let Some((kind, Some(conversation))) = identity else {
        return (Kind::Other, format!("other:{}", digest(body)));
    };
    // An id of a hundred characters is none of theirs; its hash tells it apart as well.
    let short = conversation.len() <= 100
        && conversation.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_' || b == b'-');
    let told = if short { conversation } else { digest(conversation.as_bytes()) };
    (kind, format!("{}:{told}", kind.name()))
}

/// A hash, for names.
pub fn digest(bytes: &[u8]) -> String {
    hex::encode(&Sha256::digest(bytes)[..16])
}

/// The recording within an audio event.
pub fn audio(payload: &Value) -> Option<Vec<u8>> {
    base64::engine::general_purpose::STANDARD.decode(payload["data"]["full_audio"].as_str()?).ok()
}

/// When an event happened, as far as it says; some say it as text.
pub fn happened(payload: &Value) -> Option<Timestamp> {
    seconds(&payload["data"]["metadata"]["start_time_unix_secs"])
        .or_else(|| seconds(&payload["event_timestamp"]))
}

/// `YYYY/MM/DD` of a time in UTC.
pub fn folder(time: Timestamp) -> String {
    time.to_zoned(TimeZone::UTC).strftime("%Y/%m/%d").to_string()
}

/// A conversation's id as the name of a file: what could be a path becomes `%XX`.
pub fn file_name(conversation: &str) -> String {
    let mut name = String::new();
    for byte in conversation.bytes() {
        if byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'-' {
            name.push(char::from(byte));
        } else {
            name += &format!("%{byte:02X}");
        }
    }
    if name.len() > 200 { digest(conversation.as_bytes()) } else { name }
}

fn text(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        _ => None,
    }
}

/// Text worth having.
fn some(value: &Value) -> Option<String> {
    text(value).map(|text| text.trim().to_owned()).filter(|text| !text.is_empty())
}

fn seconds(value: &Value) -> Option<Timestamp> {
    let seconds = value.as_i64().or_else(|| value.as_str()?.trim().parse().ok())?;
    Timestamp::from_second(seconds).ok().filter(|time| time.as_second() > 0)
}

fn call(data: &Value, conversation: String) -> Call {
    let (metadata, analysis) = (&data["metadata"], &data["analysis"]);
    let variables = &data["conversation_initiation_client_data"]["dynamic_variables"];
    let mut collected = Vec::new();
    if let Some(results) = analysis["data_collection_results"].as_object() {
        for (name, result) in results {
            collected.extend(some(&result["value"]).map(|value| (name.to_lowercase(), value)));
        }
    }
    for result in analysis["data_collection_results_list"].as_array().into_iter().flatten() {
        let named = some(&result["data_collection_id"]).zip(some(&result["value"]));
        collected.extend(named.map(|(name, value)| (name.to_lowercase(), value)));
    }
    for (name, value) in variables.as_object().into_iter().flatten() {
        let hidden = name.to_lowercase().starts_with("secret__") || name.starts_with("system__");
        collected.extend(some(value).filter(|_| !hidden).map(|value| (name.to_lowercase(), value)));
    }
    let turns = data["transcript"].as_array().into_iter().flatten().filter_map(|turn| {
        Some(Turn {
            caller: turn["role"] == "user",
            at: turn["time_in_call_secs"].as_u64().unwrap_or(0),
            text: some(&turn["message"])?,
        })
    });
    let number = some(&metadata["phone_call"]["external_number"])
        .or_else(|| some(&variables["system__caller_id"]))
        .filter(|number| number.chars().any(|c| c.is_ascii_digit()));
    Call {
        agent: some(&data["agent_name"]).or_else(|| some(&data["agent_id"])).unwrap_or_default(),
        started: seconds(&metadata["start_time_unix_secs"])
            .or_else(|| seconds(&metadata["accepted_time_unix_secs"])),
        seconds: metadata["call_duration_secs"].as_u64().unwrap_or(0),
        number,
        language: some(&metadata["main_language"]),
        turns: turns.collect(),
        title: some(&analysis["call_summary_title"]),
        summary: some(&analysis["transcript_summary"]),
        collected,
        ended: some(&metadata["termination_reason"]),
        conversation,
    }
}

fn failure(data: &Value, conversation: String) -> Failure {
    let body = &data["metadata"]["body"];
    let details = body.as_object().into_iter().flatten();
    let mut details: Vec<(String, String)> =
        details.filter_map(|(name, value)| Some((name.clone(), some(value)?))).take(40).collect();
    details.extend(some(&data["metadata"]["type"]).map(|kind| ("type".into(), kind)));
    let number = ["to_number", "To", "Called"].iter().find_map(|name| some(&body[*name]));
    let reason = some(&data["failure_reason"]).unwrap_or_else(|| "unknown".into());
    Failure { conversation, reason, details, number }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    #[test]
    fn a_call_is_read_leniently() {
        let payload = json!({
            "type": "post_call_transcription", "event_timestamp": "1779271530",
            "data": {
                "conversation_id": "conv_1", "agent_id": "agent_1", "status": "new-one",
                "transcript": [
                    {"role": "agent", "message": null, "tool_calls": null},
                    {"role": "user", "message": " Mijn printer doet het niet ", "time_in_call_secs": 4},
                    {"role": "odd", "message": 7},
                ],
                "metadata": {"start_time_unix_secs": 1_779_271_400, "call_duration_secs": 61, "phone_call": {"external_number": "anonymous"}},
                "analysis": {"data_collection_results": {"Caller_Name": {"value": "Jan"}, "empty": {"value": null}}},
                "conversation_initiation_client_data": {"dynamic_variables": {"system__caller_id": "x", "secret__a": "y", "asset": 12}},
            },
        });
        let Ok(Event::Call(call)) = read(&payload) else { panic!("a call") };
        assert_eq!((call.agent.as_str(), call.seconds, call.number.as_deref()), ("agent_1", 61, None));
        assert_eq!(call.turns[0], Turn { caller: true, at: 4, text: "Mijn printer doet het niet".into() });
        assert_eq!(call.turns.len(), 2);
        assert_eq!(call.collected, [("caller_name".into(), "Jan".into()), ("asset".into(), "12".into())]);
        assert_eq!(key(Some(&payload), b""), (Kind::Call, "call:conv_1".into()));
    }

    #[test]
    fn what_lacks_something_is_told() {
        for (payload, lacks) in [
            (json!([]), Malformed::NoType),
            (json!({"type": 7}), Malformed::NoType),
            (json!({"type": "post_call_transcription", "conversation_id": "test"}), Malformed::NoData),
            (json!({"type": "post_call_transcription", "data": []}), Malformed::NoData),
            (
                json!({"type": "post_call_transcription", "data": {"conversation_id": " "}}),
                Malformed::NoConversation,
            ),
            (json!({"type": "post_call_audio", "data": {}}), Malformed::NoConversation),
        ] {
            assert_eq!(read(&payload), Err(lacks), "{payload}");
            assert!(key(Some(&payload), b"x").1.starts_with("other:"));
        }
        assert_eq!(json(b"\xff\xfe"), Err(Malformed::NoJson));
        assert_eq!(json("[".repeat(100_000).as_bytes()), Err(Malformed::NoJson));
        assert_eq!(json(b"\xef\xbb\xbf{}"), Ok(json!({})));
    }

    #[test]
    fn names_of_files_are_no_paths() {
        assert_eq!(file_name("conv_01-ab"), "conv_01-ab");
        assert_eq!(file_name("../../etc/passwd"), "%2E%2E%2F%2E%2E%2Fetc%2Fpasswd");
        assert_eq!(file_name("a\0b é"), "a%00b%20%C3%A9");
        assert_eq!(file_name(&"x".repeat(5000)).len(), 32);
        let newyear: Timestamp = "2026-12-31T23:30:00Z".parse().expect("a time");
        assert_eq!(folder(newyear), "2026/12/31");
    }

    proptest! {
        #[test]
        fn no_body_makes_it_stumble(body: Vec<u8>) {
            let payload = json(&body).ok();
            prop_assert!(!key(payload.as_ref(), &body).1.is_empty());
        }

        #[test]
        fn no_conversation_makes_a_bad_name(id in ".{1,300}") {
            let name = file_name(&id);
            prop_assert!(!name.is_empty() && name.len() <= 200 && !name.contains(['/', '.', '\\']));
        }
    }
}
