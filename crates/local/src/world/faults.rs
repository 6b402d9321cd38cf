//! Failures on demand: `POST /_local/faults` adds one, `GET` lists them with how often each acted, `DELETE` clears
//! them.

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::arm::id::Path;
use super::arm::refusal::Refusal;
use super::control::seconds_of;
use super::{Method, Plane, Request, Response, World};

/// Faults asked for.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Faults {
    /// In the order they were added: the first that matches acts.
    pub rules: Vec<Rule>,
    /// The operation fault of the request under way, taken by the operation it begins.
    #[serde(skip)]
    pub pending: Option<Fault>,
}

/// One fault and what it waits for.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Rule {
    /// As sent.
    pub asked: Value,
    /// Which requests.
    pub matching: Match,
    /// So many matching requests pass first.
    pub skip: u64,
    /// So often it acts; `None` always.
    pub times: Option<u64>,
    /// What it does.
    pub fault: Fault,
    /// Matching requests seen.
    pub seen: u64,
    /// How often it acted.
    pub acted: u64,
}

/// Which requests a fault concerns; what is not said matches anything.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Match {
    /// Verb, upper case.
    pub method: Option<String>,
    /// ARM type, `*` for any run of signs.
    pub kind: Option<String>,
    /// Name of the resource, vault, registry or account, `*` for any run of signs.
    pub name: Option<String>,
    /// `arm`, `entra`, `vault`, `registry`, `blob`, `identity`.
    pub plane: Option<String>,
    /// Path, `*` for any run of signs.
    pub path: Option<String>,
}

/// What a fault does.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum Fault {
    /// Refuses.
    Status {
        /// HTTP status.
        status: u16,
        /// Azure's code.
        code: String,
        /// Sentence.
        message: String,
        /// Seconds.
        retry_after: Option<u64>,
    },
    /// Cuts the connection without any effect.
    DropBefore,
    /// Has its effect, then cuts the connection.
    DropAfter,
    /// Holds the answer so many seconds.
    Delay(f64),
    /// The long operation that the request begins is accepted, then fails.
    OperationFails {
        /// Azure's code.
        code: String,
        /// Sentence.
        message: String,
    },
    /// The long operation that the request begins never ends.
    OperationStalls,
}

impl Fault {
    /// What a refused request is answered.
    pub fn answer(&self) -> Response {
        let Fault::Status { status, code, message, retry_after } = self else { return Response::empty(500) };
        let mut response = Response::error(*status, code, message.clone());
        if let Some(seconds) = retry_after {
            response.headers.push(("retry-after".into(), seconds.to_string()));
        }
        response
    }

    fn read(value: &Value) -> Result<Fault, String> {
        let Some(map) = value.as_object() else {
            return Err("fault is an object with one of status, drop, delay, operation".into());
        };
        let kinds: Vec<&str> = map
            .keys()
            .map(String::as_str)
            .filter(|key| FAULT_KINDS.iter().any(|kind| kind.0 == *key))
            .collect();
        let [kind] = kinds.as_slice() else {
            return Err("fault must have one of status, drop, delay, operation".into());
        };
        let beside = FAULT_KINDS.iter().find(|known| known.0 == *kind).map_or(&[][..], |known| known.1);
        only(map, &[&[*kind], beside].concat(), "fault")?;
        let text = |name: &str| text_of(value, name);
        match *kind {
            "status" => {
                let status = value["status"].as_u64().and_then(|status| u16::try_from(status).ok());
                let Some(status) = status.filter(|status| (400..=599).contains(status)) else {
                    return Err(format!("status {} is none of an error (400 to 599)", value["status"]));
                };
                let code = text("code")?.unwrap_or_else(|| "ServiceUnavailable".into());
                let message = text("message")?
                    .unwrap_or_else(|| format!("{code}: a fault asked for by /_local/faults."));
                Ok(Fault::Status { status, message, code, retry_after: count_of(value, "retryAfter")? })
            }
            "drop" => match value["drop"].as_str() {
                Some("before") => Ok(Fault::DropBefore),
                Some("after") => Ok(Fault::DropAfter),
                _ => Err(format!("drop is \"before\" or \"after\", not {}", value["drop"])),
            },
            "delay" => value["delay"]
                .as_str()
                .and_then(seconds_of)
                .filter(|seconds| *seconds >= 0.0)
                .map(Fault::Delay)
                .ok_or_else(|| format!("{} is no duration: \"PT30S\" and \"30s\" are", value["delay"])),
            _ => match value["operation"].as_str() {
                Some("fails") => Ok(Fault::OperationFails {
                    code: text("code")?.unwrap_or_else(|| "InternalServerError".into()),
                    message: text("message")?
                        .unwrap_or_else(|| "A fault asked for by /_local/faults.".into()),
                }),
                Some("stalls") => Ok(Fault::OperationStalls),
                _ => Err(format!("operation is \"fails\" or \"stalls\", not {}", value["operation"])),
            },
        }
    }
}

/// Kinds of faults by the property that names them, with what may stand beside it.
const FAULT_KINDS: [(&str, &[&str]); 4] = [
    ("status", &["code", "message", "retryAfter"]),
    ("drop", &[]),
    ("delay", &[]),
    ("operation", &["code", "message"]),
];

/// Refuses what is misspelled: a fault that never acts shows nothing.
fn only(map: &serde_json::Map<String, Value>, known: &[&str], what: &str) -> Result<(), String> {
    match map.keys().find(|key| !known.contains(&key.as_str())) {
        Some(unknown) => Err(format!("{what} has '{unknown}', which is none of {}", known.join(", "))),
        None => Ok(()),
    }
}

fn text_of(value: &Value, name: &str) -> Result<Option<String>, String> {
    match &value[name] {
        Value::Null => Ok(None),
        Value::String(text) => Ok(Some(text.clone())),
        other => Err(format!("{name} is a text, not {other}")),
    }
}

fn count_of(value: &Value, name: &str) -> Result<Option<u64>, String> {
    match &value[name] {
        Value::Null => Ok(None),
        number => number.as_u64().map(Some).ok_or_else(|| format!("{name} is a whole number, not {number}")),
    }
}

/// The fault that acts on a request, counted. Local Azure's own paths are never hit.
pub(super) fn matching(world: &mut World, request: &Request) -> Option<Fault> {
    if world.faults.rules.is_empty() || matches!(request.plane, Plane::Control) {
        return None;
    }
    let entra = super::entra::claims(world, &request.path);
    let id = Path::parse(&request.path).id;
    let (plane, name) = match &request.plane {
        Plane::Arm if entra => ("entra", String::new()),
        Plane::Entra => ("entra", String::new()),
        Plane::Arm => ("arm", id.name().to_owned()),
        Plane::Vault { name } => ("vault", name.clone()),
        Plane::Registry { name } => ("registry", name.clone()),
        Plane::Blob { account } | Plane::Website { account } => ("blob", account.clone()),
        Plane::OtherStorage { account, service } => (service.as_str(), account.clone()),
        Plane::Identity { workload } => {
            ("identity", workload.rsplit('/').next().unwrap_or_default().to_owned())
        }
        Plane::Control => return None,
    };
    let method = request.method.name();
    let kind = if plane == "arm" { id.kind() } else { String::new() };
    for rule in &mut world.faults.rules {
        let is = |pattern: &Option<String>, text: &str| pattern.as_ref().is_none_or(|it| glob(it, text));
        let fits = is(&rule.matching.method, method)
            && is(&rule.matching.kind, &kind)
            && is(&rule.matching.name, &name)
            && is(&rule.matching.plane, plane)
            && is(&rule.matching.path, &request.path);
        if !fits || rule.times.is_some_and(|times| rule.acted >= times) {
            continue;
        }
        rule.seen += 1;
        world.touched = true;
        if rule.seen > rule.skip {
            rule.acted += 1;
            return Some(rule.fault.clone());
        }
    }
    None
}

/// `*` for any run of signs, without case.
fn glob(pattern: &str, text: &str) -> bool {
    let (pattern, text) = (pattern.to_ascii_lowercase(), text.to_ascii_lowercase());
    let mut pieces = pattern.split('*');
    let Some(mut rest) = text.strip_prefix(pieces.next().unwrap_or_default()) else { return false };
    let mut pieces: Vec<&str> = pieces.collect();
    let Some(last) = pieces.pop() else { return rest.is_empty() };
    for piece in pieces {
        let Some(at) = rest.find(piece) else { return false };
        rest = &rest[at + piece.len()..];
    }
    rest.ends_with(last)
}

/// `POST`, `GET`, `DELETE` of `/_local/faults`.
pub(super) fn serve(world: &mut World, method: Method, body: &Value) -> Result<Response, Refusal> {
    match method {
        Method::Get | Method::Head => Ok(list(world)),
        Method::Post => {
            let asked = match body {
                Value::Array(list) => list.clone(),
                one => vec![one.clone()],
            };
            let rules = asked.iter().map(read).collect::<Result<Vec<_>, _>>();
            let rules =
                rules.map_err(|why| Refusal::bad("InvalidFault", format!("No fault was added: {why}.")))?;
            world.faults.rules.extend(rules);
            Ok(list(world))
        }
        Method::Delete => {
            world.faults.rules.clear();
            Ok(Response::empty(204))
        }
        Method::Put | Method::Patch | Method::Options => {
            Err(Refusal::new(405, "MethodNotAllowed", "Faults take POST, GET and DELETE."))
        }
    }
}

fn read(asked: &Value) -> Result<Rule, String> {
    let Some(map) = asked.as_object() else { return Err("a fault is an object".into()) };
    only(map, &["match", "skip", "times", "fault"], "it")?;
    let sent = &asked["match"];
    match sent {
        Value::Null => {}
        Value::Object(map) => only(map, &["method", "type", "name", "plane", "path"], "match")?,
        other => return Err(format!("match is an object, not {other}")),
    }
    let matching = Match {
        method: text_of(sent, "method")?,
        kind: text_of(sent, "type")?,
        name: text_of(sent, "name")?,
        plane: text_of(sent, "plane")?.map(|plane| plane_of(&plane)),
        path: text_of(sent, "path")?,
    };
    one_of(matching.method.as_ref(), &METHODS.map(Method::name), "method")?;
    one_of(matching.plane.as_ref(), &PLANES, "plane")?;
    Ok(Rule {
        matching,
        skip: count_of(asked, "skip")?.unwrap_or(0),
        times: count_of(asked, "times")?,
        fault: Fault::read(&asked["fault"])?,
        asked: asked.clone(),
        seen: 0,
        acted: 0,
    })
}

const METHODS: [Method; 6] =
    [Method::Get, Method::Head, Method::Put, Method::Post, Method::Patch, Method::Delete];
const PLANES: [&str; 6] = ["arm", "entra", "vault", "registry", "blob", "identity"];

/// A plane by the name of its service, too.
fn plane_of(plane: &str) -> String {
    match plane.to_ascii_lowercase().as_str() {
        "keyvault" => "vault".into(),
        "acr" => "registry".into(),
        "storage" | "blobs" => "blob".into(),
        other => other.to_owned(),
    }
}

/// A word, or a pattern that fits one of them.
fn one_of(pattern: Option<&String>, known: &[&str], what: &str) -> Result<(), String> {
    match pattern {
        Some(pattern) if !known.iter().any(|word| glob(pattern, word)) => {
            Err(format!("match has the {what} '{pattern}', which is none of {}", known.join(", ")))
        }
        _ => Ok(()),
    }
}

fn list(world: &World) -> Response {
    let value: Vec<Value> = world
        .faults
        .rules
        .iter()
        .map(|rule| {
            let mut shown = rule.asked.clone();
            shown["seen"] = json!(rule.seen);
            shown["acted"] = json!(rule.acted);
            shown
        })
        .collect();
    Response::json(200, &json!({"value": value}))
}
