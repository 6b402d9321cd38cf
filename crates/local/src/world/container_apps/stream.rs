//! Log streams: the token that opens them, and what their addresses mean.

use serde_json::{Value, json};

use crate::world::arm::id::Id;
use crate::world::arm::stamp;
use crate::world::{Request, Response, World, entra};

/// How long a token of `getAuthToken` opens streams.
const TOKEN_SECONDS: i64 = 3600;

/// Which logs somebody wants.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LogQuery {
    /// The app's id, lower case.
    pub app: String,
    /// One revision only.
    pub revision: Option<String>,
    /// One replica only.
    pub replica: Option<String>,
    /// One container only.
    pub container: Option<String>,
    /// Lines from before, at most.
    pub tail: usize,
    /// Lines to come, too.
    pub follow: bool,
    /// JSON objects rather than text.
    pub json: bool,
    /// What the platform says about the app rather than what its containers write.
    pub system: bool,
}

/// `eventStreamEndpoint` of an app or environment: on ARM's own address here.
pub(super) fn endpoint(world: &World, id: &Id) -> String {
    let part = id.stretches.last().and_then(|last| last.parts.first()).map_or("", |(part, _)| part);
    format!(
        "{}/subscriptions/{}/resourceGroups/{}/{part}/{}/eventstream",
        world.config.origin(),
        id.subscription.as_deref().unwrap_or_default(),
        id.group.as_deref().unwrap_or_default(),
        id.name(),
    )
}

/// `logStreamEndpoint` and `execEndpoint` of a container of a replica.
pub(super) fn container(
    world: &World,
    app: &Id,
    revision: &str,
    replica: &str,
    container: &str,
    what: &str,
) -> String {
    let base = endpoint(world, app);
    let base = base.strip_suffix("/eventstream").unwrap_or(&base);
    format!("{base}/revisions/{revision}/replicas/{replica}/containers/{container}/{what}")
}

/// What `getAuthToken` answers.
pub(super) fn token(world: &World, id: &Id, kind: &str, location: &str) -> Response {
    let expires =
        world.now.saturating_add(jiff::SignedDuration::from_secs(TOKEN_SECONDS)).unwrap_or(world.now);
    let token = entra::sign(world, &json!({"aud": "logstream", "sub": id.key(), "exp": expires.as_second()}));
    Response::json(
        200,
        &json!({
            "id": id.to_string(), "name": id.name(), "type": kind, "location": location,
            "properties": {"token": token, "expires": stamp(expires)},
        }),
    )
}

/// Reads a request for a log stream: `None` when its path is no stream's, else what is wanted or the refusal.
///
/// `/subscriptions/S/resourceGroups/G/containerApps/N/revisions/R/replicas/P/containers/C/logstream` as Azure has it;
/// `…/jobs/N/executions/E/replicas/…` for jobs; the same without what follows the app for all its replicas (ours); `…/containerApps/N/eventstream` for what the
/// platform says.
pub fn stream(world: &World, request: &Request) -> Option<Result<LogQuery, Response>> {
    let segments: Vec<&str> = request.path.split('/').filter(|segment| !segment.is_empty()).collect();
    let (last, front) = segments.split_last()?;
    if last.eq_ignore_ascii_case("exec") && segments.len() > 10 {
        let message = "Local Azure opens no consoles in containers: its replicas are processes of this machine, whose numbers `landfall local status` tells.";
        return Some(Err(Response::error(501, "NotModelledLocally", message)));
    }
    let system = last.eq_ignore_ascii_case("eventstream");
    if !system && !last.eq_ignore_ascii_case("logstream") {
        return None;
    }
    let mut names = front.chunks(2).map(|pair| match pair {
        [part, name] => Some((part.to_ascii_lowercase(), (*name).to_owned())),
        _ => None,
    });
    let mut next =
        |wanted: &str| names.next().flatten().filter(|(part, _)| part == wanted).map(|(_, name)| name);
    let group = Id { group: None, ..Id::subscription(&next("subscriptions")?) };
    let group = Id { group: Some(next("resourcegroups")?), ..group };
    let (kind, part, run) = match segments.get(4)?.to_ascii_lowercase().as_str() {
        "jobs" => ("Microsoft.App/jobs", "jobs", "executions"),
        "managedenvironments" => ("Microsoft.App/managedEnvironments", "managedenvironments", "none"),
        _ => ("Microsoft.App/containerApps", "containerapps", "revisions"),
    };
    let app = group.provider(kind, &next(part)?).key();
    let (revision, replica, container) = (next(run), next("replicas"), next("containers"));

    let bearer = request.header("authorization").and_then(entra::bearer_of);
    let claims = bearer.and_then(|token| entra::open(world, token));
    let opens = claims.as_ref().is_some_and(|claims| {
        let text = |name: &str| claims.get(name).and_then(Value::as_str).unwrap_or_default();
        text("aud") == "logstream"
            && text("sub") == app
            && claims["exp"].as_i64() > Some(world.now.as_second())
    });
    if !opens {
        let message = "The token is missing, expired or another app's: POST …/getAuthToken gives one.";
        return Some(Err(Response::error(401, "Unauthorized", message)));
    }
    if world.arm.find(&app).is_none() {
        return Some(Err(Response::error(404, "ContainerAppNotFound", "The container app does not exist.")));
    }
    let yes = |name: &str| request.query(name).is_some_and(|value| value.eq_ignore_ascii_case("true"));
    Some(Ok(LogQuery {
        app,
        revision,
        replica,
        container,
        // Azure gives 20 lines when nothing is said, 300 at most.
        tail: request.query("tailLines").and_then(|lines| lines.parse().ok()).unwrap_or(20usize).min(2_000),
        follow: yes("follow"),
        json: !request.query("output").is_some_and(|output| output.eq_ignore_ascii_case("text")),
        system,
    }))
}
