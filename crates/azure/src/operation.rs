//! Long-running operations: what an answer means.
//!
//! A request that changes something is either finished with its answer or only accepted. ARM has two ways to tell
//! of the end: a status document (`Azure-AsyncOperation`, preferred) and an address that answers 202 until it is
//! over (`Location`). Providers that give neither tell by the resource's own `provisioningState`, or, when it is
//! being removed, by its absence. All decisions are here, as functions of an answer; sending is [`crate::arm`]'s.

use crate::error::Error;
use crate::request::{Method, origin};
use crate::retry_after::retry_after;
use jiff::Timestamp;
use reqwest::header::HeaderMap;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::fmt;
use std::time::Duration;
use url::Url;

/// What a request that changes something came to.
#[derive(Clone, Debug, PartialEq)]
pub enum Begun {
    /// It is finished. Null when Azure said nothing more.
    Done(Value),
    /// It is running; follow it.
    Accepted(Tracking),
}

/// What one poll came to.
#[derive(Clone, Debug, PartialEq)]
#[allow(clippy::large_enum_variant, reason = "one is made for each poll and taken apart at once")]
pub enum Followed {
    /// Not finished.
    Running {
        /// When to ask again.
        after: Duration,
        /// How far it is, if Azure says so (0 to 100).
        percent: Option<f32>,
        /// Azure's word for the state.
        status: String,
        /// The tracking to go on with when it has changed; to be recorded in place of the old one.
        moved: Option<Tracking>,
    },
    /// Finished. The resource as it is now; null after a removal.
    Done(Value),
}

/// An operation under way, as recorded in a journal: enough to go on after a crash.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Tracking {
    /// How Azure tells of its end.
    pub style: Style,
    /// Where to ask, as Azure gave it. It can be long, and its query may carry a signature.
    pub url: Url,
    /// Where the result of an action is, when Azure named a place.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub result: Option<Url>,
    /// What was begun.
    pub method: Method,
    /// The resource.
    pub id: String,
    /// The API version that it was begun with.
    pub api_version: String,
    /// When to ask first, in milliseconds.
    pub after_ms: u64,
    /// How many times running Azure did not know the operation.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub missing: u32,
}

impl Tracking {
    /// When to ask first.
    pub fn after(&self) -> Duration {
        Duration::from_millis(self.after_ms)
    }
}

impl fmt::Debug for Tracking {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tracking")
            .field("style", &self.style)
            .field("at", &format_args!("{}{}", origin(&self.url), self.url.path()))
            .field("begun", &format_args!("{} {}", self.method.as_str(), self.id))
            .finish_non_exhaustive()
    }
}

fn is_zero(count: &u32) -> bool {
    *count == 0
}

/// How Azure tells of an operation's end.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Style {
    /// A status document (`Azure-AsyncOperation`).
    AsyncOperation,
    /// 202 until it ends (`Location`).
    Location,
    /// The resource's own `provisioningState`, or for a removal its absence.
    Resource,
}

/// How often a poll may find no operation before the resource itself is asked. Right after the submission, and
/// from another of ARM's regions, 404 is usual.
const MISSING_TOLERATED: u32 = 4;

/// The shortest pause between polls. `Retry-After: 0` means "at once", not "without end".
const SHORTEST: Duration = Duration::from_millis(50);

/// An answer, whole.
#[derive(Clone)]
pub(crate) struct Answer {
    pub status: u16,
    pub headers: HeaderMap,
    pub body: bytes::Bytes,
}

impl Answer {
    /// The body; null when there is none.
    pub fn json(&self) -> Result<Value, Error> {
        let text = std::str::from_utf8(&self.body).unwrap_or_default().trim_start_matches('\u{feff}').trim();
        if text.is_empty() && self.body.len() < 4 {
            return Ok(Value::Null);
        }
        serde_json::from_str(text).map_err(|_| {
            let length = self.body.len();
            self.marked(Error::unreadable(format!(
                "Azure's answer is no JSON ({length} bytes, HTTP {})",
                self.status
            )))
        })
    }

    /// What a refusing answer says.
    pub fn refusal(&self, now: Timestamp) -> Error {
        self.marked(Error::refused(self.status, &self.body)).with_retry_after(retry_after(&self.headers, now))
    }

    /// Puts the answer's status and ids on an error about it.
    pub fn marked(&self, error: Error) -> Error {
        let id = |name| self.header(name).map(str::to_string);
        error.with_status(self.status).with_ids(
            id("x-ms-request-id").or_else(|| id("x-ms-operation-identifier")),
            id("x-ms-correlation-request-id"),
        )
    }

    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok().filter(|text| !text.is_empty())
    }

    fn wait(&self, poll: Duration, now: Timestamp) -> Duration {
        retry_after(&self.headers, now).unwrap_or(poll).max(SHORTEST)
    }
}

/// What a resource or a status document says of its state.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum State {
    Running,
    Succeeded,
    Ended,
}

/// Succeeded, Failed and Canceled end it; every other word, a provider's own included, means that it is running.
fn state(word: &str) -> State {
    if word.eq_ignore_ascii_case("Succeeded") {
        State::Succeeded
    } else if ["Failed", "Canceled", "Cancelled"].iter().any(|end| word.eq_ignore_ascii_case(end)) {
        State::Ended
    } else {
        State::Running
    }
}

fn provisioning_state(body: &Value) -> Option<&str> {
    body.pointer("/properties/provisioningState").and_then(Value::as_str).filter(|word| !word.is_empty())
}

/// What the sender of a request needs to read its answer.
pub(crate) struct Asked<'a> {
    pub method: Method,
    /// The address without its query; polls of the resource itself go there.
    pub id: &'a str,
    pub api_version: &'a str,
    /// The whole address, for [`Style::Resource`].
    pub url: &'a Url,
    /// The pause where Azure names none.
    pub poll: Duration,
}

/// Reads the answer to a request that changes something.
pub(crate) fn begun(asked: &Asked<'_>, answer: &Answer, now: Timestamp) -> Result<Begun, Error> {
    if !matches!(answer.status, 200 | 201 | 202 | 204) {
        return Err(answer.refusal(now));
    }
    let address = |name: &str| -> Result<Option<Url>, Error> {
        let Some(text) = answer.header(name) else { return Ok(None) };
        let url = asked.url.join(text).map_err(|cause| {
            answer.marked(Error::unreadable(format!("Azure's `{name}` is no address: {cause}")))
        })?;
        Ok(Some(url))
    };
    let operation = address("azure-asyncoperation")?;
    let location = address("location")?;
    let track = |style, url: Url, result| {
        Begun::Accepted(Tracking {
            style,
            url,
            result,
            method: asked.method,
            id: asked.id.to_string(),
            api_version: asked.api_version.to_string(),
            after_ms: answer.wait(asked.poll, now).as_millis() as u64,
            missing: 0,
        })
    };
    if let Some(operation) = operation {
        // An action's result is where `Location` says; anything else's is the resource.
        let result = location.filter(|_| asked.method == Method::Post);
        return Ok(track(Style::AsyncOperation, operation, result));
    }
    match (answer.status, location) {
        (202, Some(location)) => Ok(track(Style::Location, location, None)),
        (202, None) if asked.method == Method::Post => answer.json().map(Begun::Done),
        (202, None) => Ok(track(Style::Resource, asked.url.clone(), None)),
        (204, _) => Ok(Begun::Done(Value::Null)),
        _ if asked.method == Method::Delete => Ok(Begun::Done(Value::Null)),
        _ => {
            let body = answer.json()?;
            if asked.method == Method::Post {
                return Ok(Begun::Done(body));
            }
            // A resource without `provisioningState` is finished.
            match provisioning_state(&body).map(|word| (word, state(word))) {
                None | Some((_, State::Succeeded)) => Ok(Begun::Done(body)),
                Some((_, State::Running)) => Ok(track(Style::Resource, asked.url.clone(), None)),
                Some((word, State::Ended)) => Err(answer.marked(Error::operation(word, &body))),
            }
        }
    }
}

/// What a poll's answer asks for.
#[derive(Debug, PartialEq)]
pub(crate) enum Next {
    /// Tell the caller.
    Tell(Followed),
    /// It succeeded; the result is the resource, or at this address.
    Fetch(Option<Url>),
    /// Azure does not know the operation; the resource tells what became of it.
    Settle,
}

/// Reads the answer to a poll.
pub(crate) fn followed(
    tracking: &Tracking,
    answer: &Answer,
    poll: Duration,
    now: Timestamp,
) -> Result<Next, Error> {
    let running = |percent: Option<f32>, word: &str, moved: Option<Tracking>| {
        let after = answer.wait(poll, now);
        // Azure knows the operation now, so earlier doubts are forgotten.
        let moved =
            moved.or_else(|| (tracking.missing > 0).then(|| Tracking { missing: 0, ..tracking.clone() }));
        Next::Tell(Followed::Running { after, percent, status: word.to_string(), moved })
    };
    if answer.status == 404 && tracking.style != Style::Resource {
        if tracking.missing + 1 >= MISSING_TOLERATED {
            return Ok(Next::Settle);
        }
        let moved = Tracking { missing: tracking.missing + 1, ..tracking.clone() };
        return Ok(running(None, "Unknown", Some(moved)));
    }
    match tracking.style {
        Style::AsyncOperation => match answer.status {
            200..=202 => {
                let body = answer.json()?;
                let word = body.get("status").and_then(Value::as_str).or_else(|| provisioning_state(&body));
                match word.map(|word| (word, state(word))) {
                    None if answer.status == 202 => Ok(running(None, "InProgress", None)),
                    Some((word, State::Running)) => Ok(running(percent(&body), word, None)),
                    Some((word, State::Ended)) => Err(answer.marked(Error::operation(word, &body))),
                    None | Some((_, State::Succeeded)) => Ok(succeeded(tracking, &body)),
                }
            }
            204 => Ok(succeeded(tracking, &Value::Null)),
            _ => Err(answer.refusal(now)),
        },
        Style::Location => match answer.status {
            202 => {
                let body = answer.json().unwrap_or_default();
                let word = body.get("status").and_then(Value::as_str).unwrap_or("InProgress");
                let moved = match answer.header("location").map(|text| tracking.url.join(text)) {
                    Some(Ok(url)) if url != tracking.url => {
                        Some(Tracking { url, missing: 0, ..tracking.clone() })
                    }
                    _ => None,
                };
                Ok(running(percent(&body), word, moved))
            }
            200 | 201 | 204 => {
                let body = answer.json()?;
                // Some providers answer 200 with a status document here.
                if let Some(word) = body.get("status").and_then(Value::as_str)
                    && body.get("id").is_none_or(|_| body.get("properties").is_none())
                {
                    match state(word) {
                        State::Running if body.get("value").is_none() => {
                            return Ok(running(percent(&body), word, None));
                        }
                        State::Ended => return Err(answer.marked(Error::operation(word, &body))),
                        _ => {}
                    }
                }
                match tracking.method {
                    Method::Delete => Ok(Next::Tell(Followed::Done(Value::Null))),
                    Method::Post => Ok(Next::Tell(Followed::Done(body))),
                    _ if body.get("id").is_none() => Ok(Next::Fetch(None)),
                    _ => match provisioning_state(&body).map(|word| (word, state(word))) {
                        Some((word, State::Ended)) => Err(answer.marked(Error::operation(word, &body))),
                        Some((_, State::Running)) => Ok(Next::Settle),
                        None | Some((_, State::Succeeded)) => Ok(Next::Tell(Followed::Done(body))),
                    },
                }
            }
            // Of this style a 4xx is the operation's own failure, unless it is about the poll.
            400..=499 if !matches!(answer.status, 401 | 403 | 408 | 429) => {
                let refusal = answer.refusal(now);
                Err(answer
                    .marked(Error::operation("Failed", &serde_json::json!({ "error": refusal.detail() }))))
            }
            _ => Err(answer.refusal(now)),
        },
        Style::Resource => match answer.status {
            404 if tracking.method == Method::Delete => Ok(Next::Tell(Followed::Done(Value::Null))),
            200 => {
                let body = answer.json()?;
                let word = provisioning_state(&body);
                match word.map(|word| (word, state(word))) {
                    Some((word, State::Ended)) => Err(answer.marked(Error::operation(word, &body))),
                    // What is being removed is still there, whatever it says.
                    _ if tracking.method == Method::Delete => {
                        Ok(running(None, word.unwrap_or("Deleting"), None))
                    }
                    Some((word, State::Running)) => Ok(running(None, word, None)),
                    None | Some((_, State::Succeeded)) => Ok(Next::Tell(Followed::Done(body))),
                }
            }
            _ => Err(answer.refusal(now)),
        },
    }
}

fn succeeded(tracking: &Tracking, document: &Value) -> Next {
    match (tracking.method, &tracking.result) {
        (Method::Delete, _) => Next::Tell(Followed::Done(Value::Null)),
        (Method::Post, Some(result)) => Next::Fetch(Some(result.clone())),
        (Method::Post, None) => {
            let result = ["properties", "output", "result"].iter().find_map(|name| document.get(*name));
            Next::Tell(Followed::Done(result.cloned().unwrap_or_default()))
        }
        _ => Next::Fetch(None),
    }
}

/// What became of an operation that Azure no longer knows: read from the resource. None: it is not there.
pub(crate) fn settled(
    tracking: &Tracking,
    resource: Option<&Value>,
    poll: Duration,
) -> Result<Followed, Error> {
    let resource_url = || {
        let mut url = tracking.url.clone();
        url.set_path(&tracking.id);
        url.set_query(Some(&format!("api-version={}", tracking.api_version)));
        url
    };
    match (tracking.method, resource) {
        (Method::Delete, None) => Ok(Followed::Done(Value::Null)),
        (Method::Put | Method::Patch, Some(body)) => match provisioning_state(body)
            .map(|word| (word, state(word)))
        {
            None | Some((_, State::Succeeded)) => Ok(Followed::Done(body.clone())),
            Some((word, State::Ended)) => Err(Error::operation(word, body)),
            Some((word, State::Running)) => {
                let moved =
                    Tracking { style: Style::Resource, url: resource_url(), missing: 0, ..tracking.clone() };
                Ok(Followed::Running {
                    after: poll,
                    percent: None,
                    status: word.to_string(),
                    moved: Some(moved),
                })
            }
        },
        _ => {
            let error = serde_json::json!({"error": {
                "code": "OperationNotFound",
                "message": "Azure no longer knows the operation, and the resource does not show that it was carried out",
            }});
            Err(Error::operation("Failed", &error))
        }
    }
}

fn percent(body: &Value) -> Option<f32> {
    let percent = body.get("percentComplete").or_else(|| body.pointer("/properties/percentComplete"))?;
    let percent = percent.as_f64()? as f32;
    (0.0..=100.0).contains(&percent).then_some(percent)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::{Class, Kind};
    use serde_json::json;

    const ID: &str = "/subscriptions/s/resourceGroups/g/providers/Microsoft.App/containerApps/web";
    const POLL: Duration = Duration::from_secs(5);

    fn url(text: &str) -> Url {
        Url::parse(text).unwrap()
    }

    fn answer(status: u16, headers: &[(&'static str, &str)], body: Value) -> Answer {
        let mut map = HeaderMap::new();
        for (name, value) in headers {
            map.insert(*name, value.parse().unwrap());
        }
        let body = if body.is_null() { String::new() } else { body.to_string() };
        Answer { status, headers: map, body: body.into() }
    }

    fn begin(method: Method, answer: &Answer) -> Result<Begun, Error> {
        let url = url(&format!("https://arm.example{ID}?api-version=1"));
        let asked = Asked { method, id: ID, api_version: "1", url: &url, poll: POLL };
        begun(&asked, answer, Timestamp::UNIX_EPOCH)
    }

    fn accepted(begun: Result<Begun, Error>) -> Tracking {
        match begun.unwrap() {
            Begun::Accepted(tracking) => tracking,
            Begun::Done(value) => panic!("done with {value}"),
        }
    }

    fn poll(tracking: &Tracking, answer: &Answer) -> Result<Next, Error> {
        followed(tracking, answer, POLL, Timestamp::UNIX_EPOCH)
    }

    fn in_state(word: &str) -> Value {
        json!({"id": ID, "properties": {"provisioningState": word}})
    }

    fn tracking(style: Style, method: Method) -> Tracking {
        Tracking {
            style,
            url: url("https://arm.example/op/1?sig=planted-secret"),
            result: None,
            method,
            id: ID.into(),
            api_version: "1".into(),
            after_ms: 5000,
            missing: 0,
        }
    }

    #[test]
    fn finished_at_once() {
        for status in [200, 201] {
            assert_eq!(
                begin(Method::Put, &answer(status, &[], in_state("Succeeded"))).unwrap(),
                Begun::Done(in_state("Succeeded"))
            );
            assert_eq!(
                begin(Method::Put, &answer(status, &[], json!({"id": ID}))).unwrap(),
                Begun::Done(json!({"id": ID}))
            );
        }
        assert_eq!(begin(Method::Delete, &answer(200, &[], Value::Null)).unwrap(), Begun::Done(Value::Null));
        assert_eq!(begin(Method::Delete, &answer(204, &[], Value::Null)).unwrap(), Begun::Done(Value::Null));
        assert_eq!(
            begin(Method::Post, &answer(200, &[], json!({"keys": []}))).unwrap(),
            Begun::Done(json!({"keys": []}))
        );
        assert_eq!(begin(Method::Post, &answer(202, &[], Value::Null)).unwrap(), Begun::Done(Value::Null));
        // The `Location` of a 201 is the new resource's address, no operation.
        let created = answer(201, &[("location", "/x")], in_state("Succeeded"));
        assert!(matches!(begin(Method::Put, &created).unwrap(), Begun::Done(_)));
    }

    #[test]
    fn the_status_document_comes_first() {
        let both = [
            ("azure-asyncoperation", "https://arm.example/op/1"),
            ("location", "https://arm.example/loc/1"),
            ("retry-after", "7"),
        ];
        for status in [200, 201, 202] {
            let begun = accepted(begin(Method::Put, &answer(status, &both, in_state("InProgress"))));
            assert_eq!(
                (begun.style, begun.url.as_str()),
                (Style::AsyncOperation, "https://arm.example/op/1")
            );
            assert_eq!((begun.after(), begun.result), (Duration::from_secs(7), None));
        }
        let action = accepted(begin(Method::Post, &answer(202, &both, Value::Null)));
        assert_eq!(action.result, Some(url("https://arm.example/loc/1")));
        let relative = answer(202, &[("azure-asyncoperation", "/op/2?a=b")], Value::Null);
        assert_eq!(accepted(begin(Method::Put, &relative)).url.as_str(), "https://arm.example/op/2?a=b");
    }

    #[test]
    fn location_and_the_resource_itself() {
        let location = answer(202, &[("location", "https://arm.example/loc/1")], Value::Null);
        let begun = accepted(begin(Method::Delete, &location));
        assert_eq!((begun.style, begun.after()), (Style::Location, POLL));
        for method in [Method::Put, Method::Patch, Method::Delete] {
            assert_eq!(accepted(begin(method, &answer(202, &[], Value::Null))).style, Style::Resource);
        }
        let begun = accepted(begin(Method::Put, &answer(201, &[], in_state("Creating"))));
        assert_eq!((begun.style, begun.url.path()), (Style::Resource, ID));
    }

    #[test]
    fn refused_or_failed_at_once() {
        let error =
            begin(Method::Put, &answer(200, &[("x-ms-request-id", "r1")], in_state("Failed"))).unwrap_err();
        assert_eq!((error.kind(), error.request_id()), (Kind::Operation, Some("r1")));
        let error = begin(
            Method::Put,
            &answer(404, &[], json!({"error": {"code": "ParentResourceNotFound", "message": "m"}})),
        )
        .unwrap_err();
        assert_eq!((error.kind(), error.class()), (Kind::Refused, Class::NotYetConsistent));
        let error = begin(Method::Put, &answer(302, &[], Value::Null)).unwrap_err();
        assert_eq!((error.kind(), error.status()), (Kind::Refused, Some(302)));
        let mut page = answer(200, &[], Value::Null);
        page.body = "<html>".into();
        assert_eq!(begin(Method::Put, &page).unwrap_err().kind(), Kind::Unreadable);
    }

    #[test]
    fn polls_of_a_status_document() {
        let put = tracking(Style::AsyncOperation, Method::Put);
        let running =
            answer(200, &[("retry-after", "0")], json!({"status": "Frobnicating", "percentComplete": 40}));
        let Next::Tell(Followed::Running { after, percent, status, moved }) = poll(&put, &running).unwrap()
        else {
            panic!()
        };
        assert_eq!((after, percent, status.as_str(), moved), (SHORTEST, Some(40.0), "Frobnicating", None));
        assert_eq!(poll(&put, &answer(200, &[], json!({"status": "succeeded"}))).unwrap(), Next::Fetch(None));
        assert_eq!(poll(&put, &answer(204, &[], Value::Null)).unwrap(), Next::Fetch(None));
        assert!(matches!(
            poll(&put, &answer(202, &[], Value::Null)).unwrap(),
            Next::Tell(Followed::Running { .. })
        ));
        let failed = json!({"status": "Failed", "error": {"code": "ContainerAppOperationInProgress", "message": "busy"}});
        let error = poll(&put, &answer(200, &[], failed)).unwrap_err();
        assert_eq!((error.kind(), error.class()), (Kind::Operation, Class::Busy));
        let error = poll(&put, &answer(200, &[], json!({"status": "Canceled"}))).unwrap_err();
        assert_eq!((error.kind(), error.code()), (Kind::Operation, Some("Canceled")));
        let error = poll(&put, &answer(429, &[("retry-after", "9")], Value::Null)).unwrap_err();
        assert_eq!(
            (error.kind(), error.class(), error.retry_after()),
            (Kind::Refused, Class::Throttled, Some(Duration::from_secs(9)))
        );
        let delete = tracking(Style::AsyncOperation, Method::Delete);
        assert_eq!(
            poll(&delete, &answer(200, &[], json!({"status": "Succeeded"}))).unwrap(),
            Next::Tell(Followed::Done(Value::Null))
        );
        let mut action = tracking(Style::AsyncOperation, Method::Post);
        let done = answer(200, &[], json!({"status": "Succeeded", "properties": {"output": 1}}));
        assert_eq!(poll(&action, &done).unwrap(), Next::Tell(Followed::Done(json!({"output": 1}))));
        action.result = Some(url("https://arm.example/loc"));
        assert_eq!(poll(&action, &done).unwrap(), Next::Fetch(action.result.clone()));
    }

    #[test]
    fn polls_of_a_location() {
        let put = tracking(Style::Location, Method::Put);
        let next =
            answer(202, &[("location", "https://arm.example/op/2"), ("retry-after", "3")], Value::Null);
        let Next::Tell(Followed::Running { after, moved: Some(moved), .. }) = poll(&put, &next).unwrap()
        else {
            panic!()
        };
        assert_eq!((after, moved.url.as_str()), (Duration::from_secs(3), "https://arm.example/op/2"));
        assert_eq!(
            poll(&put, &answer(200, &[], in_state("Succeeded"))).unwrap(),
            Next::Tell(Followed::Done(in_state("Succeeded")))
        );
        assert_eq!(poll(&put, &answer(204, &[], Value::Null)).unwrap(), Next::Fetch(None));
        assert_eq!(poll(&put, &answer(200, &[], in_state("Updating"))).unwrap(), Next::Settle);
        assert!(matches!(
            poll(&put, &answer(200, &[], json!({"status": "InProgress"}))).unwrap(),
            Next::Tell(Followed::Running { .. })
        ));
        let error = poll(
            &put,
            &answer(409, &[], json!({"error": {"code": "VaultAlreadyExists", "message": "taken"}})),
        )
        .unwrap_err();
        assert_eq!(
            (error.kind(), error.code(), error.message()),
            (Kind::Operation, Some("VaultAlreadyExists"), "taken")
        );
        assert_eq!(poll(&put, &answer(503, &[], Value::Null)).unwrap_err().kind(), Kind::Refused);
        assert_eq!(poll(&put, &answer(401, &[], Value::Null)).unwrap_err().kind(), Kind::Refused);
        let delete = tracking(Style::Location, Method::Delete);
        for status in [200, 204] {
            assert_eq!(
                poll(&delete, &answer(status, &[], Value::Null)).unwrap(),
                Next::Tell(Followed::Done(Value::Null))
            );
        }
        let action = tracking(Style::Location, Method::Post);
        let done = answer(200, &[], json!({"value": [1], "status": "Whatever"}));
        assert_eq!(
            poll(&action, &done).unwrap(),
            Next::Tell(Followed::Done(json!({"value": [1], "status": "Whatever"})))
        );
    }

    #[test]
    fn polls_of_the_resource() {
        let put = tracking(Style::Resource, Method::Put);
        assert!(matches!(
            poll(&put, &answer(200, &[], in_state("Creating"))).unwrap(),
            Next::Tell(Followed::Running { .. })
        ));
        assert_eq!(
            poll(&put, &answer(200, &[], json!({"id": ID}))).unwrap(),
            Next::Tell(Followed::Done(json!({"id": ID})))
        );
        assert_eq!(poll(&put, &answer(200, &[], in_state("Failed"))).unwrap_err().kind(), Kind::Operation);
        let error =
            poll(&put, &answer(404, &[], json!({"error": {"code": "ResourceNotFound", "message": "m"}})))
                .unwrap_err();
        assert_eq!(error.class(), Class::NotYetConsistent);
        let delete = tracking(Style::Resource, Method::Delete);
        assert_eq!(
            poll(&delete, &answer(404, &[], Value::Null)).unwrap(),
            Next::Tell(Followed::Done(Value::Null))
        );
        for word in ["Deleting", "Succeeded"] {
            assert!(matches!(
                poll(&delete, &answer(200, &[], in_state(word))).unwrap(),
                Next::Tell(Followed::Running { .. })
            ));
        }
    }

    #[test]
    fn an_unknown_operation_is_doubted_and_then_settled_by_the_resource() {
        let mut at = tracking(Style::AsyncOperation, Method::Put);
        let unknown = answer(404, &[], Value::Null);
        for _ in 1..MISSING_TOLERATED {
            let Next::Tell(Followed::Running { moved: Some(moved), .. }) = poll(&at, &unknown).unwrap()
            else {
                panic!()
            };
            at = moved;
        }
        assert_eq!(poll(&at, &unknown).unwrap(), Next::Settle);
        // Once it is known again the doubts are forgotten.
        let known = answer(200, &[], json!({"status": "InProgress"}));
        let Next::Tell(Followed::Running { moved: Some(moved), .. }) = poll(&at, &known).unwrap() else {
            panic!()
        };
        assert_eq!(moved.missing, 0);

        assert_eq!(
            settled(&at, Some(&in_state("Succeeded")), POLL).unwrap(),
            Followed::Done(in_state("Succeeded"))
        );
        let Followed::Running { moved: Some(moved), .. } =
            settled(&at, Some(&in_state("Updating")), POLL).unwrap()
        else {
            panic!()
        };
        assert_eq!(
            (moved.style, moved.url.as_str()),
            (Style::Resource, format!("https://arm.example{ID}?api-version=1").as_str())
        );
        let error = settled(&at, None, POLL).unwrap_err();
        assert_eq!((error.kind(), error.class()), (Kind::Operation, Class::NotYetConsistent));
        let delete = tracking(Style::Location, Method::Delete);
        assert_eq!(settled(&delete, None, POLL).unwrap(), Followed::Done(Value::Null));
        assert_eq!(
            settled(&delete, Some(&in_state("Succeeded")), POLL).unwrap_err().code(),
            Some("OperationNotFound")
        );
    }

    #[test]
    fn tracking_is_kept_whole_and_printed_without_its_query() {
        let mut before = tracking(Style::Location, Method::Patch);
        before.url.set_query(Some(&"x".repeat(4000)));
        let text = serde_json::to_string(&before).unwrap();
        assert_eq!(serde_json::from_str::<Tracking>(&text).unwrap(), before);
        assert!(!format!("{:?}", tracking(Style::Location, Method::Put)).contains("planted-secret"));
    }
}
