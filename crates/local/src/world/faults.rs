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
        let text = |name: &str| value[name].as_str().map(str::to_owned);
        if let Some(status) = value["status"].as_u64() {
            if !(400..=599).contains(&status) {
                return Err(format!("status {status} is none of an error (400 to 599)"));
            }
            let code = text("code").unwrap_or_else(|| "ServiceUnavailable".into());
            return Ok(Fault::Status {
                status: status as u16,
                message: text("message")
                    .unwrap_or_else(|| format!("{code}: a fault asked for by /_local/faults.")),
                code,
                retry_after: value["retryAfter"].as_u64(),
            });
        }
        match (value["drop"].as_str(), value["operation"].as_str()) {
            (Some("before"), _) => return Ok(Fault::DropBefore),
            (Some("after"), _) => return Ok(Fault::DropAfter),
            (_, Some("fails")) => {
                return Ok(Fault::OperationFails {
                    code: text("code").unwrap_or_else(|| "InternalServerError".into()),
                    message: text("message").unwrap_or_else(|| "A fault asked for by /_local/faults.".into()),
                });
            }
            (_, Some("stalls")) => return Ok(Fault::OperationStalls),
            _ => {}
        }
        match value["delay"].as_str() {
            Some(delay) => seconds_of(delay)
                .map(Fault::Delay)
                .ok_or_else(|| format!("'{delay}' is no duration: \"PT30S\" and \"30s\" are")),
            None => Err("fault must have one of status, drop, delay, operation".into()),
        }
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
        Plane::Blob { account } => ("blob", account.clone()),
        Plane::Identity { workload } => {
            ("identity", workload.rsplit('/').next().unwrap_or_default().to_owned())
        }
        Plane::Control => return None,
    };
    let method = method_name(request.method);
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

fn method_name(method: Method) -> &'static str {
    match method {
        Method::Get => "GET",
        Method::Head => "HEAD",
        Method::Put => "PUT",
        Method::Post => "POST",
        Method::Patch => "PATCH",
        Method::Delete => "DELETE",
    }
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
        Method::Put | Method::Patch => {
            Err(Refusal::new(405, "MethodNotAllowed", "Faults take POST, GET and DELETE."))
        }
    }
}

fn read(asked: &Value) -> Result<Rule, String> {
    let Some(map) = asked.as_object() else { return Err("a fault is an object".into()) };
    if let Some(unknown) = map.keys().find(|key| !["match", "skip", "times", "fault"].contains(&key.as_str()))
    {
        return Err(format!("'{unknown}' is none of match, skip, times, fault"));
    }
    let sent = &asked["match"];
    let known = ["method", "type", "name", "plane", "path"];
    if let Some(unknown) =
        sent.as_object().into_iter().flat_map(|map| map.keys()).find(|key| !known.contains(&key.as_str()))
    {
        return Err(format!("match has '{unknown}', which is none of {}", known.join(", ")));
    }
    let text = |name: &str| sent[name].as_str().map(str::to_owned);
    Ok(Rule {
        matching: Match {
            method: text("method"),
            kind: text("type"),
            name: text("name"),
            plane: text("plane"),
            path: text("path"),
        },
        skip: asked["skip"].as_u64().unwrap_or(0),
        times: asked["times"].as_u64(),
        fault: Fault::read(&asked["fault"])?,
        asked: asked.clone(),
        seen: 0,
        acted: 0,
    })
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
