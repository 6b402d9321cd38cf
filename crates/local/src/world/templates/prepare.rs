//! From a request with a template in it to a deployment that may run.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::{Map, Value, json};

use super::evaluate::Frame;
use super::template::{self, Places, Violation};
use super::{Deployment, Progress, Rescue, Sealed, check, json as reader, links};
use crate::world::arm::id::Id;
use crate::world::arm::refusal::Refusal;
use crate::world::arm::{Ask, Caller, gate, subscriptions, tags};
use crate::world::{Body, World};

/// Longest name of a deployment.
const NAME_MAX: usize = 64;

/// A deployment that was not refused, with what its expressions see.
pub struct Prepared {
    /// The deployment, accepted.
    pub deployment: Deployment,
    /// What its expressions see.
    pub frame: Arc<Frame>,
    /// The body it came with.
    pub body: Value,
}

/// Reads the request and judges all that needs no resource.
///
/// # Errors
/// ARM's refusals of the request, the template and its parameters.
pub fn prepare(world: &mut World, ask: &Ask, scope: &Id, name: &str) -> Result<Prepared, Violation> {
    self::name(name)?;
    let content = |why: String| {
        Refusal::bad(
            "InvalidRequestContent",
            format!("The request content was invalid and could not be deserialized: '{why}'."),
        )
    };
    let bytes = match &ask.request.body {
        Body::Bytes(bytes) => bytes.as_slice(),
        Body::Empty => &[],
        Body::Stored(_) => {
            return Err(Refusal::new(
                413,
                "RequestContentTooLarge",
                "The request content size exceeds the maximum size of 4 MB.",
            )
            .into());
        }
    };
    if bytes.len() > gate::BODY_MAX {
        return Err(Refusal::new(
            413,
            "RequestContentTooLarge",
            "The request content size exceeds the maximum size of 4 MB.",
        )
        .into());
    }
    let text = std::str::from_utf8(bytes).map_err(|_| content("The content is not UTF-8.".into()))?;
    if text.trim().is_empty() {
        gate::object(&Value::Null)?;
    }
    let document = reader::read(text).map_err(content)?;
    let (body, places) = (gate::object(&document.value)?, Places(document.places));
    let properties = &body["properties"];
    if !properties.is_object() {
        return Err(content("Required property 'properties' not found in JSON. Path ''".into()).into());
    }
    let location = body["location"].as_str().map(subscriptions::normal);
    match (&scope.group, &location) {
        (Some(_), Some(_)) => {
            return Err(Refusal::bad(
                "LocationNotAllowed",
                format!("The 'location' property is not allowed for '{name}' at resource group scope. Please see https://aka.ms/deploy-to-subscription for usage details."),
            )
            .into());
        }
        (None, None) => {
            return Err(Refusal::bad(
                "LocationRequired",
                format!("The 'location' property must be specified for deployment '{name}'. Please see https://aka.ms/deploy-to-subscription for usage details."),
            )
            .into());
        }
        (None, Some(location)) if !subscriptions::is_region(location) => {
            return Err(Refusal::bad(
                "LocationNotAvailableForDeployment",
                format!("The provided location '{location}' is not available for deployments."),
            )
            .into());
        }
        _ => {}
    }
    let mode = properties["mode"].as_str().unwrap_or_default();
    let complete = mode.eq_ignore_ascii_case("Complete");
    if !complete && !mode.eq_ignore_ascii_case("Incremental") {
        return Err(content(format!(
            "Error converting value \"{mode}\" to type 'DeploymentMode': 'Incremental' and 'Complete' are. Path 'properties.mode'"
        ))
        .into());
    }
    if complete && scope.group.is_none() {
        return Err(Refusal::bad(
            "InvalidDeploymentMode",
            "Complete mode is not supported for deployments at subscription scope: only for those to a resource group.",
        )
        .into());
    }
    let texts = links::attached(ask.request);
    let (template, link) = match (&properties["template"], &properties["templateLink"]) {
        (Value::Null, Value::Null) => {
            return Err(Refusal::bad(
                "InvalidRequestContent",
                "The request content was invalid: a deployment needs a 'template' or a 'templateLink'.",
            )
            .into());
        }
        (Value::Null, link) => {
            let (template, origin) = links::template(world, ask.caller, &texts, None, link)?;
            (template, Some(origin))
        }
        (template, Value::Null) => (template.clone(), None),
        _ => {
            return Err(Refusal::bad(
                "InvalidRequestContent",
                "The request content was invalid: 'template' and 'templateLink' cannot both be given.",
            )
            .into());
        }
    };
    let parameters = match &properties["parametersLink"] {
        Value::Null => parameters_of(&properties["parameters"])?,
        link => links::parameters(world, &texts, link)?,
    };
    // places are those of the request's text
    let places = if link.is_some() { Places::default() } else { places };
    let rescue = rescue(world, scope, name, &properties["onErrorDeployment"])?;
    tags::check(&body["tags"])?;
    let correlation = ask.request.header("x-ms-correlation-request-id").unwrap_or(&ask.request.id).to_owned();
    let source = Source {
        id: scope.provider("Microsoft.Resources/deployments", name),
        location,
        tags: body["tags"].clone(),
        complete,
        template,
        parameters,
        correlation,
        caller: ask.caller.clone(),
        origin: ask.request.origin.clone(),
        parent: None,
        outer: None,
        base: link.clone(),
        link,
        texts: Arc::new(texts),
    };
    let (mut deployment, frame) = build(world, source, &places)?;
    deployment.rescue = rescue;
    if properties["debugSetting"].is_object() {
        deployment.debug = properties["debugSetting"].clone();
    }
    Ok(Prepared { deployment, frame, body })
}

/// 1 to 64 letters, digits and `-._()`.
fn name(name: &str) -> Result<(), Refusal> {
    let length = name.chars().count();
    if length > NAME_MAX {
        return Err(Refusal::bad(
            "DeploymentNameLengthLimitExceeded",
            format!(
                "The provided deployment name '{name}' has a length of '{length}' which exceeds the maximum length of \
                 '{NAME_MAX}'."
            ),
        ));
    }
    let wrong: String =
        name.chars().filter(|sign| !sign.is_alphanumeric() && !"-_.()".contains(*sign)).collect();
    if wrong.is_empty() && length > 0 {
        return Ok(());
    }
    Err(Refusal::bad(
        "DeploymentNameInvalidCharacters",
        format!(
            "The provided deployment name '{name}' has these invalid characters: '{wrong}'. The name can only be a letter, \
             digit, '-', '.', '(', ')' or '_'."
        ),
    ))
}

/// Parameters as sent; a whole parameters file in their place counts too, as the clients' files have it.
///
/// # Errors
/// Names that are empty, entries that are no objects.
fn parameters_of(sent: &Value) -> Result<Value, Refusal> {
    let file = sent.get("$schema").is_some() || sent.get("contentVersion").is_some();
    let sent = if file { &sent["parameters"] } else { sent };
    for (name, given) in sent.as_object().into_iter().flatten() {
        if name.is_empty() {
            return Err(Refusal::bad(
                "InvalidDeploymentParameterKey",
                "One of the deployment parameters has an empty key. Please see https://aka.ms/arm-create-parameter-file \
                 for usage details.",
            ));
        }
        if !given.is_object() {
            return Err(Refusal::bad(
                "InvalidRequestContent",
                format!(
                    "The request content was invalid and could not be deserialized: 'Error converting value {given} to \
                     type 'Azure.Deployments.Core.Definitions.DeploymentParameterDefinition'. Path \
                     'properties.parameters.{name}'.'."
                ),
            ));
        }
    }
    Ok(sent.clone())
}

/// The deployment that `onErrorDeployment` names.
fn rescue(world: &World, scope: &Id, own: &str, wish: &Value) -> Result<Option<Rescue>, Refusal> {
    let Some(kind) = wish["type"].as_str() else { return Ok(None) };
    let earlier = |name: &str| {
        let found =
            world.templates.deployments.get(&scope.provider("Microsoft.Resources/deployments", name).key());
        found.is_some_and(|it| it.progress == Progress::Succeeded)
    };
    let missing = |what: &str| {
        Refusal::missing(
            "OnErrorDeploymentNotFound",
            format!("The deployment '{own}' cannot be rolled back on error: {what} was not found."),
        )
    };
    let name = if kind.eq_ignore_ascii_case("LastSuccessful") {
        let all = world.templates.deployments.values().filter(|it| it.scope().key() == scope.key());
        let last = all
            .filter(|it| it.progress == Progress::Succeeded && it.parent.is_none())
            .filter(|it| !it.id.name().eq_ignore_ascii_case(own))
            .max_by_key(|it| it.begun);
        last.map(|it| it.id.name().to_owned()).ok_or_else(|| missing("a successful deployment"))?
    } else {
        let name = wish["deploymentName"].as_str().unwrap_or_default();
        if !earlier(name) {
            return Err(missing(&format!("the successful deployment '{name}'")));
        }
        name.to_owned()
    };
    Ok(Some(Rescue { kind: kind.to_owned(), name, begun: false }))
}

/// The frame that a nested template with outer scope sees, and the loops around it.
pub type Outer = (Arc<Frame>, Vec<(String, i64)>);

/// What a deployment is made of.
pub struct Source {
    pub id: Id,
    pub location: Option<String>,
    pub tags: Value,
    pub complete: bool,
    pub template: Value,
    pub parameters: Value,
    pub correlation: String,
    pub caller: Caller,
    pub origin: String,
    pub parent: Option<(String, usize)>,
    pub outer: Option<Outer>,
    /// Where the template came from.
    pub link: Option<links::Origin>,
    /// What relative paths in it start from.
    pub base: Option<links::Origin>,
    /// Linked content at hand.
    pub texts: Arc<links::Texts>,
}

/// A deployment of a template: its parameters and resources judged.
///
/// # Errors
/// ARM's refusals of the template and its parameters.
pub fn build(
    world: &mut World,
    source: Source,
    places: &Places,
) -> Result<(Deployment, Arc<Frame>), Violation> {
    template::shape(&source.template, places)?;
    let lexical = source.outer.as_ref().map(|(outer, _)| outer.lexical().template.clone());
    check::expressions(&source.template, lexical.as_deref().unwrap_or(&source.template), places)?;
    let about = json!({
        "name": source.id.name(),
        "properties": {
            "template": source.template, "templateHash": super::hash(&source.template), "parameters": source.parameters,
            "mode": if source.complete { "Complete" } else { "Incremental" }, "provisioningState": "Accepted",
        },
    });
    let mut about = about;
    if let Some(location) = &source.location {
        about["location"] = json!(location);
    }
    if let Some(link) = &source.link {
        about["properties"]["templateLink"] = link.function();
    }
    let kept = Arc::new(source.template.clone());
    let mut frame =
        template::frame(kept, source.id.scope(), about, source.caller.clone(), source.origin.clone());
    frame.base.clone_from(&source.base);
    frame.texts = source.texts.clone();
    let outer = match source.outer {
        None => {
            template::parameters(world, &mut frame, &source.parameters, places)?;
            None
        }
        Some((outer, copies)) => {
            frame.outer = Some(outer);
            frame.copies = copies.clone();
            Some(copies)
        }
    };
    let shown = shown_parameters(&source.template, &frame, &source.parameters);
    let parameters = frame.parameters.clone();
    let (frame, mut nodes) = template::plan(world, frame, places)?;
    let key = source.id.key();
    for node in &mut nodes {
        node.tracking = tracking(world, &format!("deployment operation {key}"));
    }
    let operation = tracking(world, &format!("deployment status {key}"));
    let deployment = Deployment {
        id: source.id,
        location: source.location,
        tags: source.tags,
        complete: source.complete,
        template: Sealed(source.template),
        parameters: Sealed(parameters),
        shown,
        correlation: source.correlation,
        acts_for: source.caller.stack,
        caller: (source.caller.object_id, source.caller.client_id),
        origin: source.origin,
        begun: world.now,
        ended: None,
        progress: Progress::Accepted,
        error: None,
        nodes,
        outputs: Value::Null,
        parent: source.parent,
        outer,
        deletions: Vec::new(),
        operation,
        link: Sealed(source.link),
        texts: Sealed((*source.texts).clone()),
        secure: Sealed::default(),
        rescue: None,
        debug: Value::Null,
        stack: None,
        stepping: false,
    };
    Ok((deployment, frame))
}

/// 16 upper-case hex digits, as ARM names deployment operations.
fn tracking(world: &mut World, purpose: &str) -> String {
    let id = world.chance.uuid(purpose).simple().to_string().to_uppercase();
    id[..16].to_owned()
}

/// Parameters with their types, those that are secure without values.
fn shown_parameters(template: &Value, frame: &Frame, sent: &Value) -> Value {
    let none = Map::new();
    let defined = template["parameters"].as_object().unwrap_or(&none);
    let mut shown = Map::new();
    for (name, definition) in defined {
        let kind = type_name(&definition["type"]);
        let given =
            sent.as_object().and_then(|sent| sent.iter().find(|(key, _)| key.eq_ignore_ascii_case(name)));
        let mut one = json!({"type": kind});
        if let Some(reference) = given.and_then(|(_, given)| given.get("reference")) {
            one["reference"] = reference.clone();
        } else if !template::is_secure(template, definition)
            && let Some(value) = frame.parameters.get(&name.to_ascii_lowercase())
        {
            one["value"] = value.clone();
        }
        shown.insert(name.clone(), one);
    }
    Value::Object(shown)
}

/// A type as ARM's answers spell it.
pub fn type_name(written: &Value) -> String {
    const NAMES: [&str; 7] = ["String", "SecureString", "Int", "Bool", "Object", "SecureObject", "Array"];
    let written = written.as_str().unwrap_or("Object");
    NAMES.iter().find(|name| name.eq_ignore_ascii_case(written)).map_or(written, |name| *name).to_owned()
}

/// The frame of a deployment that was kept and read again.
pub fn frame_again(world: &mut World, key: &str) -> Option<Arc<Frame>> {
    if let Some(frame) = world.templates.frames.get(key) {
        return Some(frame.clone());
    }
    let deployment = world.templates.deployments.get(key)?.clone();
    let outer = match (&deployment.outer, &deployment.parent) {
        (Some(_), Some((parent, _))) => Some(frame_again(world, parent)?),
        _ => None,
    };
    let mut about = json!({
        "name": deployment.id.name(),
        "properties": {
            "template": deployment.template.0, "parameters": deployment.shown, "provisioningState": "Running",
            "mode": if deployment.complete { "Complete" } else { "Incremental" },
        },
    });
    if let Some(location) = &deployment.location {
        about["location"] = json!(location);
    }
    if let Some(link) = &deployment.link.0 {
        about["properties"]["templateLink"] = link.function();
    }
    let mut symbols: BTreeMap<String, Vec<usize>> = BTreeMap::new();
    for (at, node) in deployment.nodes.iter().enumerate() {
        if let Some(symbol) = &node.symbol {
            symbols.entry(symbol.to_ascii_lowercase()).or_default().push(at);
        }
    }
    let frame = Arc::new(Frame {
        template: Arc::new(deployment.template.0.clone()),
        parameters: deployment.parameters.0.clone(),
        scope: deployment.scope(),
        deployment: about,
        caller: deployment.caller(),
        origin: deployment.origin.clone(),
        outer,
        copies: deployment.outer.clone().unwrap_or_default(),
        targets: template::targets(&deployment.nodes),
        symbols,
        base: base(world, &deployment),
        texts: Arc::new(deployment.texts.0.clone()),
    });
    world.templates.frames.insert(key.to_owned(), frame.clone());
    Some(frame)
}

/// What relative paths in a deployment's template start from: its own link, or that of the one it stands in.
fn base(world: &World, deployment: &Deployment) -> Option<links::Origin> {
    if deployment.link.0.is_some() {
        return deployment.link.0.clone();
    }
    let (parent, _) = deployment.parent.as_ref()?;
    base(world, world.templates.deployments.get(parent)?)
}
