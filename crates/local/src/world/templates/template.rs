//! A template before it runs: its shape, its parameters, and its resources in the order that they depend on each
//! other.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::{Map, Value, json};

use super::evaluate::{Frame, Machine, Phase, Stop, Target, not_defined};
use super::functions::{shown, type_name};
use super::json::Place;
use super::{Node, Turn, scopes};
use crate::world::arm::Caller;
use crate::world::arm::id::Id;
use crate::world::arm::refusal::Refusal;
use crate::world::{World, management_groups};

/// Limits of one template.
const PARAMETERS_MAX: usize = 256;
const VARIABLES_MAX: usize = 512;
const OUTPUTS_MAX: usize = 64;
const RESOURCES_MAX: usize = 800;

/// What Azure knows at the top of a template.
const MEMBERS: &[&str] = &[
    "$schema",
    "languageVersion",
    "contentVersion",
    "apiProfile",
    "metadata",
    "definitions",
    "functions",
    "parameters",
    "variables",
    "resources",
    "outputs",
    "imports",
    "extensions",
    "asserts",
    "comments",
    "parameterHashes",
];

/// What a resource says to ARM rather than to its service.
const OWN: &[&str] = &[
    "name",
    "type",
    "apiVersion",
    "dependsOn",
    "copy",
    "condition",
    "scope",
    "resources",
    "comments",
    "metadata",
    "existing",
    "import",
    "extension",
    "asserts",
    "@options",
];

/// A template that cannot be deployed: the refusal, and the place at fault when it is known.
#[derive(Debug)]
pub struct Violation {
    /// What is answered.
    pub refusal: Box<Refusal>,
    /// Where, with its path.
    pub place: Option<(String, Place)>,
}

impl From<Refusal> for Violation {
    fn from(refusal: Refusal) -> Violation {
        Violation { refusal: Box::new(refusal), place: None }
    }
}

/// Places of a template's parts; a nested one has none.
#[derive(Debug, Default)]
pub struct Places(pub BTreeMap<String, Place>);

impl Places {
    /// The place of a part of the template.
    pub fn of(&self, path: &str) -> Place {
        self.0.get(&format!("properties.template.{path}")).copied().unwrap_or(Place { line: 1, column: 1 })
    }

    /// `InvalidTemplate` with a sentence about what is at a path.
    pub fn invalid(&self, why: &str, path: &str) -> Violation {
        let refusal =
            Refusal::bad("InvalidTemplate", format!("Deployment template validation failed: '{why}'."));
        Violation {
            refusal: Box::new(refusal),
            place: Some((format!("properties.template.{path}"), self.of(path))),
        }
    }
}

/// Refuses what is no template.
///
/// # Errors
/// `InvalidRequestContent` for its members, `InvalidTemplate` for its limits.
pub fn shape(template: &Value, places: &Places) -> Result<(), Violation> {
    let content = |why: String, path: &str| {
        let place = places.of(path);
        let at = if path.is_empty() {
            "properties.template".to_owned()
        } else {
            format!("properties.template.{path}")
        };
        Violation::from(Refusal::bad(
            "InvalidRequestContent",
            format!(
                "The request content was invalid and could not be deserialized: '{why} Path '{at}', line {}, position \
                 {}.'.",
                place.line, place.column
            ),
        ))
    };
    let Some(map) = template.as_object() else {
        return Err(content("The template must be a JSON object.".into(), ""));
    };
    for name in ["$schema", "contentVersion", "resources"] {
        if !map.keys().any(|key| key.eq_ignore_ascii_case(name)) {
            return Err(content(format!("Required property '{name}' not found in JSON."), ""));
        }
    }
    for key in map.keys() {
        if !MEMBERS.iter().any(|known| known.eq_ignore_ascii_case(key)) {
            return Err(content(format!("Could not find member '{key}' on object of type 'Template'."), key));
        }
    }
    let version = map["contentVersion"].as_str().unwrap_or_default();
    let numbers: Vec<&str> = version.split('.').collect();
    if !(2..=4).contains(&numbers.len()) || numbers.iter().any(|number| number.parse::<u32>().is_err()) {
        return Err(places.invalid(
            &format!(
                "The template content version '{version}' is not valid. It must be of the form '1.0.0.0'"
            ),
            "contentVersion",
        ));
    }
    for (name, most) in
        [("parameters", PARAMETERS_MAX), ("variables", VARIABLES_MAX), ("outputs", OUTPUTS_MAX)]
    {
        let Some(value) = map.get(name).filter(|value| !value.is_null()) else { continue };
        let Some(members) = value.as_object() else {
            return Err(content(format!("The template's '{name}' must be an object."), name));
        };
        if members.len() > most {
            return Err(places.invalid(
                &format!(
                    "The number of template {name} limit exceeded. Limit: '{most}' and actual: '{}'. Please see \
                     https://aka.ms/arm-template/#{name} for usage details.",
                    members.len()
                ),
                name,
            ));
        }
    }
    Ok(())
}

/// The values of a template's parameters: what was sent, else defaults, each judged by its definition.
///
/// # Errors
/// `InvalidTemplate` with ARM's sentences; a refused reference to a vault's secret.
pub fn parameters(
    world: &mut World,
    frame: &mut Frame,
    sent: &Value,
    places: &Places,
) -> Result<(), Violation> {
    let template = frame.template.clone();
    let none = Map::new();
    let defined = template["parameters"].as_object().unwrap_or(&none);
    let sent = sent.as_object().unwrap_or(&none);
    let extra: Vec<&str> = sent
        .keys()
        .filter(|name| !defined.keys().any(|known| known.eq_ignore_ascii_case(name)))
        .map(String::as_str)
        .collect();
    if !extra.is_empty() {
        let supported: Vec<&str> = defined.keys().map(String::as_str).collect();
        return Err(places.invalid(
            &format!(
                "The template parameters '{}' in the parameters file are not valid; they are not present in the original \
                 template and can therefore not be provided at deployment time. The only supported parameters for this \
                 template are '{}'. Please see https://aka.ms/arm-pass-parameter-values for usage details.",
                extra.join(", "),
                supported.join(", ")
            ),
            "parameters",
        ));
    }
    // a default may use the parameters before it and after it: those that were given come first
    let mut waiting = Vec::new();
    for (name, definition) in defined {
        let path = format!("parameters.{name}");
        let definition = resolved(&template, definition);
        let kind = definition["type"].as_str().unwrap_or_default().to_ascii_lowercase();
        if !["string", "securestring", "int", "bool", "object", "secureobject", "array"]
            .contains(&kind.as_str())
        {
            return Err(places.invalid(
                &format!(
                    "The template parameter '{name}' at line '{}' and column '{}' has the type '{}', which is not valid. \
                     Please see https://aka.ms/arm-syntax-parameters for usage details.",
                    places.of(&path).line,
                    places.of(&path).column,
                    shown(&definition["type"])
                ),
                &path,
            ));
        }
        let given = sent.iter().find(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, it)| it);
        match given {
            Some(given) if given.get("reference").is_some() => {
                let value = super::secrets::read(world, &frame.caller, &given["reference"], name)?;
                frame.parameters.insert(name.to_ascii_lowercase(), value);
            }
            Some(given) if given.get("value").is_some_and(|it| !it.is_null()) => {
                frame.parameters.insert(name.to_ascii_lowercase(), given["value"].clone());
            }
            _ if definition.get("defaultValue").is_some_and(|it| !it.is_null()) => {
                waiting.push((name, definition))
            }
            _ if definition["nullable"] == true => {
                frame.parameters.insert(name.to_ascii_lowercase(), Value::Null);
            }
            _ => {
                let place = places.of(&path);
                return Err(places.invalid(
                    &format!(
                        "The value for the template parameter '{name}' at line '{}' and column '{}' is not provided. \
                         Please see https://aka.ms/arm-create-parameter-file for usage details.",
                        place.line, place.column
                    ),
                    &path,
                ));
            }
        }
    }
    // defaults that need others wait for them; when no more can be given a value, the first one's problem is told
    while !waiting.is_empty() {
        let mut left = Vec::new();
        let mut problem = None;
        let before = waiting.len();
        for (name, definition) in waiting {
            let mut machine = Machine::new(world, frame, Phase::Defaults);
            match machine.expand(&definition["defaultValue"]) {
                Ok(value) => {
                    frame.parameters.insert(name.to_ascii_lowercase(), value);
                }
                Err(stop) => {
                    problem.get_or_insert((name.clone(), stop));
                    left.push((name, definition));
                }
            }
        }
        if let (true, Some((name, stop))) = (left.len() == before, problem) {
            let path = format!("parameters.{name}.defaultValue");
            let why = format!(
                "Unable to process template language expressions in the default value of parameter '{name}': {}",
                sentence(&stop)
            );
            return Err(places.invalid(&why, &path));
        }
        waiting = left;
    }
    for (name, definition) in defined {
        let definition = resolved(&template, definition);
        let value = frame.parameters.get(&name.to_ascii_lowercase()).cloned().unwrap_or(Value::Null);
        if value.is_null() && definition["nullable"] == true {
            continue;
        }
        judge(&template, name, &definition, &value)
            .map_err(|why| places.invalid(&why, &format!("parameters.{name}")))?;
    }
    Ok(())
}

/// A definition with its `$ref` followed.
pub fn resolved(template: &Value, definition: &Value) -> Value {
    let mut definition = definition.clone();
    for _ in 0..16 {
        let Some(name) = definition["$ref"].as_str().and_then(|it| it.strip_prefix("#/definitions/")) else {
            break;
        };
        let mut base = template["definitions"][name].clone();
        if let (Some(base), Some(own)) = (base.as_object_mut(), definition.as_object()) {
            for (key, value) in own.iter().filter(|(key, _)| *key != "$ref") {
                base.insert(key.clone(), value.clone());
            }
        }
        if base.is_null() {
            break;
        }
        definition = base;
    }
    definition
}

/// Where messages about parameters' values lead.
const USAGE: &str = "Please see https://aka.ms/arm-create-parameter-file for usage details.";

/// Refuses a value that its definition does not allow.
fn judge(template: &Value, name: &str, definition: &Value, value: &Value) -> Result<(), String> {
    let kind = definition["type"].as_str().unwrap_or_default().to_ascii_lowercase();
    let (fits, wanted) = match kind.as_str() {
        "string" | "securestring" => (value.is_string(), "String, Uri"),
        "int" => (value.is_i64() || value.is_u64(), "Integer"),
        "bool" => (value.is_boolean(), "Boolean"),
        "array" => (value.is_array(), "Array"),
        _ => (value.is_object(), "Object"),
    };
    if !fits {
        return Err(format!(
            "Template parameter JToken type is not valid. Expected '{wanted}'. Actual '{}'. The template parameter is \
             '{name}'. {USAGE}",
            type_name(value)
        ));
    }
    let invalid = format!("The provided value for the template parameter '{name}' is not valid.");
    if let Some(allowed) = definition["allowedValues"].as_array() {
        let is_allowed = |value: &Value| allowed.iter().any(|it| super::functions::same(it, value));
        let fits = is_allowed(value) || value.as_array().is_some_and(|list| list.iter().all(is_allowed));
        if !fits {
            let list: Vec<String> = allowed.iter().map(shown).collect();
            return Err(format!(
                "{invalid} The value '{}' is not part of the allowed value(s): '{}'",
                shown(value),
                list.join(",")
            ));
        }
    }
    let bound = |name: &str| definition[name].as_i64();
    if let Some(number) = value.as_i64() {
        if let Some(least) = bound("minValue").filter(|least| number < *least) {
            return Err(format!(
                "{invalid} The value '{number}' must be greater than or equal to the minimum value '{least}'. {USAGE}"
            ));
        }
        if let Some(most) = bound("maxValue").filter(|most| number > *most) {
            return Err(format!(
                "{invalid} The value '{number}' must be less than or equal to the maximum value '{most}'. {USAGE}"
            ));
        }
    }
    let length = match value {
        Value::String(text) => Some(text.chars().count()),
        Value::Array(list) => Some(list.len()),
        _ => None,
    };
    if let Some(length) = length.and_then(|length| i64::try_from(length).ok()) {
        if let Some(least) = bound("minLength").filter(|least| length < *least) {
            return Err(format!(
                "{invalid} Length of the value should be greater than or equal to '{least}'. {USAGE}"
            ));
        }
        if let Some(most) = bound("maxLength").filter(|most| length > *most) {
            return Err(format!(
                "{invalid} Length of the value should be less than or equal to '{most}'. {USAGE}"
            ));
        }
    }
    match value {
        Value::Object(map) => members(template, name, definition, map),
        Value::Array(list) => items(template, name, definition, list),
        _ => Ok(()),
    }
}

/// Refuses an object whose properties its definition does not allow: missing ones, unexpected ones in a sealed type,
/// and what a discriminator's variant asks for.
fn members(template: &Value, name: &str, definition: &Value, map: &Map<String, Value>) -> Result<(), String> {
    let invalid = format!("The provided value for the template parameter '{name}' is not valid.");
    if let Some(key) = definition["discriminator"]["propertyName"].as_str() {
        let variants = definition["discriminator"]["mapping"].as_object();
        let tag = map.get(key).and_then(Value::as_str).unwrap_or_default();
        let variant = variants.and_then(|variants| variants.get(tag)).ok_or_else(|| {
            let known: Vec<String> =
                variants.into_iter().flat_map(Map::keys).map(|variant| format!("'{variant}'")).collect();
            format!(
                "{invalid} The discriminator property '{key}' must be one of {}. {USAGE}",
                known.join(", ")
            )
        })?;
        return members(template, name, &resolved(template, variant), map);
    }
    let known = definition["properties"].as_object();
    for (member, own) in known.into_iter().flatten() {
        let own = resolved(template, own);
        match map.get(member).filter(|it| !it.is_null()) {
            Some(value) => judge(template, &format!("{name}.{member}"), &own, value)?,
            None if own["nullable"] == true => {}
            None => return Err(format!("{invalid} The required property '{member}' is missing. {USAGE}")),
        }
    }
    let more = map.iter().filter(|(key, _)| known.is_none_or(|known| !known.contains_key(*key)));
    match &definition["additionalProperties"] {
        Value::Bool(false) => {
            let unexpected: Vec<&str> = more.map(|(key, _)| key.as_str()).collect();
            if !unexpected.is_empty() {
                return Err(format!(
                    "{invalid} The following properties are not permitted: '{}'. {USAGE}",
                    unexpected.join("', '")
                ));
            }
        }
        Value::Object(own) => {
            let own = resolved(template, &Value::Object(own.clone()));
            for (key, value) in more.filter(|(_, value)| !(value.is_null() && own["nullable"] == true)) {
                judge(template, &format!("{name}.{key}"), &own, value)?;
            }
        }
        _ => {}
    }
    Ok(())
}

/// Refuses an array whose items its definition does not allow: a tuple's by their place, others alike.
fn items(template: &Value, name: &str, definition: &Value, list: &[Value]) -> Result<(), String> {
    let tuple = definition["prefixItems"].as_array().map_or(&[][..], Vec::as_slice);
    if list.len() < tuple.len() || (definition["items"] == false && list.len() > tuple.len()) {
        return Err(format!(
            "The provided value for the template parameter '{name}' is not valid. The array must have '{}' items. {USAGE}",
            tuple.len()
        ));
    }
    for (at, value) in list.iter().enumerate() {
        let own = match tuple.get(at) {
            Some(own) => resolved(template, own),
            None if definition["items"].is_object() => resolved(template, &definition["items"]),
            None => continue,
        };
        if !(value.is_null() && own["nullable"] == true) {
            judge(template, &format!("{name}[{at}]"), &own, value)?;
        }
    }
    Ok(())
}

/// Whether a parameter or output of a type must not be shown.
pub fn is_secure(template: &Value, definition: &Value) -> bool {
    resolved(template, definition)["type"]
        .as_str()
        .is_some_and(|kind| kind.to_ascii_lowercase().starts_with("secure"))
}

/// A stop as a sentence.
pub fn sentence(stop: &Stop) -> String {
    match stop {
        Stop::Text(text) => text.clone(),
        Stop::Refused(refusal) => refusal.message.clone(),
        Stop::Later => "The value is known only when the deployment runs.".into(),
    }
}

/// One entry of `resources`, before its loop is unrolled.
struct Entry<'a> {
    pointer: String,
    path: String,
    symbol: Option<String>,
    value: &'a Value,
    /// Type and name expression of the resource it stands in.
    parents: Vec<&'a Value>,
}

/// Every entry, children after the resource they stand in.
fn entries<'a>(
    resources: &'a Value,
    pointer: &str,
    path: &str,
    parents: &[&'a Value],
    out: &mut Vec<Entry<'a>>,
) {
    let mut add = |own: String, path: String, symbol: Option<String>, value: &'a Value| {
        out.push(Entry {
            pointer: own.clone(),
            path: path.clone(),
            symbol,
            value,
            parents: parents.to_vec(),
        });
        if let Some(children) = value.get("resources").filter(|it| it.is_array() || it.is_object()) {
            let mut above = parents.to_vec();
            above.push(value);
            if above.len() < 8 {
                entries(children, &format!("{own}/resources"), &format!("{path}.resources"), &above, out);
            }
        }
    };
    match resources {
        Value::Array(list) => {
            for (at, value) in list.iter().enumerate() {
                add(format!("{pointer}/{at}"), format!("{path}[{at}]"), None, value);
            }
        }
        Value::Object(map) => {
            for (name, value) in map {
                let escaped = name.replace('~', "~0").replace('/', "~1");
                add(format!("{pointer}/{escaped}"), format!("{path}.{name}"), Some(name.clone()), value);
            }
        }
        _ => {}
    }
}

/// The resources of a template as nodes that know what they need; fills in the frame's targets.
///
/// # Errors
/// `InvalidTemplate` with ARM's sentences.
pub fn plan(
    world: &mut World,
    mut frame: Frame,
    places: &Places,
) -> Result<(Arc<Frame>, Vec<Node>), Violation> {
    let template = frame.template.clone();
    let mut all = Vec::new();
    entries(&template["resources"], "/resources", "resources", &[], &mut all);
    let mut nodes: Vec<Node> = Vec::new();
    let mut paths: Vec<String> = Vec::new();
    // nodes by the name of their loop
    let mut loops: BTreeMap<String, Vec<usize>> = BTreeMap::new();
    for entry in &all {
        unroll(world, &mut frame, entry, places, &mut nodes, &mut paths, &mut loops)?;
        if nodes.len() > RESOURCES_MAX {
            return Err(places.invalid(
                &format!(
                    "The number of template resources limit exceeded. Limit: '{RESOURCES_MAX}' and actual: '{}'. Please \
                     see https://aka.ms/arm-template/#resources for usage details.",
                    nodes.len()
                ),
                "resources",
            ));
        }
    }
    let mut seen: BTreeMap<String, usize> = BTreeMap::new();
    for (at, node) in nodes.iter().enumerate().filter(|(_, node)| node.wanted && !node.existing) {
        if seen.insert(node.id.key(), at).is_some() {
            let place = places.of(&paths[at]);
            return Err(places.invalid(
                &format!(
                    "The resource '{}/{}' at line '{}' and column '{}' is defined multiple times in a template. Please \
                     see https://aka.ms/arm-syntax-resources for usage details.",
                    node.id.kind(),
                    node.id.full_name(),
                    place.line,
                    place.column
                ),
                &paths[at],
            ));
        }
    }
    frame.targets = targets(&nodes);
    let frame = Arc::new(frame);
    needs(world, &frame, &mut nodes, &paths, &loops, places)?;
    circles(&nodes, &paths, places)?;
    Ok((frame, nodes))
}

/// Unrolls one entry's loop into nodes.
fn unroll(
    world: &mut World,
    frame: &mut Frame,
    entry: &Entry,
    places: &Places,
    nodes: &mut Vec<Node>,
    paths: &mut Vec<String>,
    loops: &mut BTreeMap<String, Vec<usize>>,
) -> Result<(), Violation> {
    let value = entry.value;
    let invalid = |why: &str| places.invalid(why, &entry.path);
    if !value.is_object() {
        return Err(invalid("A template resource must be a JSON object."));
    }
    let existing = value["existing"] == true;
    let copy = value.get("copy").filter(|it| it.is_object());
    let place = places.of(&entry.path);
    let process = |stop: Stop| {
        let name = value["name"].as_str().unwrap_or_default();
        let why = format!(
            "Unable to process template language expressions for resource '{name}' at line '{}' and column '{}'. '{}'",
            place.line,
            place.column,
            sentence(&stop)
        );
        let refusal = Refusal::bad("InvalidTemplate", why);
        Violation {
            refusal: Box::new(refusal),
            place: Some((format!("properties.template.{}", entry.path), place)),
        }
    };
    let loop_name = copy.and_then(|copy| copy["name"].as_str()).unwrap_or_default().to_owned();
    let count = match copy {
        None => 1,
        Some(copy) => {
            Machine::new(world, frame, Phase::Before).count(&copy["count"], &loop_name).map_err(process)?
        }
    };
    let mut turns = Vec::new();
    for turn in 0..count {
        let mut machine = Machine::new(world, frame, Phase::Before);
        if copy.is_some() {
            machine.copies.push((loop_name.clone(), turn));
        }
        let copies = machine.copies.clone();
        let condition = match value.get("condition") {
            None => true,
            Some(condition) => {
                let value = machine.expand(condition).map_err(process)?;
                super::functions::truth("condition", &value).map_err(|why| process(why.into()))?
            }
        };
        // names and types of the resources it stands in come first
        let (mut kind, mut name) = (String::new(), String::new());
        for level in entry.parents.iter().copied().chain([value]) {
            let mut word = |key: &str| -> Result<String, Violation> {
                match level.get(key) {
                    Some(Value::String(text)) => match machine.string(text).map_err(process)? {
                        Value::String(text) if !text.is_empty() => Ok(text),
                        _ => Err(invalid(&format!(
                            "The template resource '{text}' at line '{}' and column '{}' is not valid: its '{key}' must \
                             be a string. Please see https://aka.ms/arm-syntax-resources for usage details.",
                            place.line, place.column
                        ))),
                    },
                    _ => Err(invalid(&format!(
                        "The template resource '' at line '{}' and column '{}' is not valid. The {key} property cannot \
                         be null or empty. Please see https://aka.ms/arm-syntax-resources for usage details.",
                        place.line, place.column
                    ))),
                }
            };
            let (own_kind, own_name) = (word("type")?, word("name")?);
            if kind.is_empty() || own_kind.contains('.') {
                (kind, name) = (own_kind, own_name);
            } else {
                kind = format!("{kind}/{own_kind}");
                name = format!("{name}/{own_name}");
            }
        }
        let api_version = match value.get("apiVersion") {
            Some(Value::String(text)) => match machine.string(text).map_err(process)? {
                Value::String(version) => version,
                _ => String::new(),
            },
            _ => String::new(),
        };
        if api_version.is_empty() {
            return Err(invalid(&format!(
                "The template resource '{name}' at line '{}' and column '{}' is invalid. The api-version property is \
                 required: 'apiVersion' is missing. Please see https://aka.ms/arm-syntax-resources for usage details.",
                place.line, place.column
            )));
        }
        let mut scope = frame.scope.clone();
        for (key, is_group) in [("subscriptionId", false), ("resourceGroup", true)] {
            if let Some(Value::String(text)) = value.get(key)
                && let Value::String(word) = machine.string(text).map_err(process)?
            {
                if is_group {
                    scope.group = Some(word);
                } else {
                    // a deployment from above into a subscription
                    scope.stretches.clear();
                    if !scope.subscription.as_deref().is_some_and(|own| own.eq_ignore_ascii_case(&word)) {
                        scope.group = None;
                    }
                    scope.subscription = Some(word);
                }
            }
        }
        if let Some(Value::String(text)) = value.get("scope")
            && let Value::String(word) = machine.string(text).map_err(process)?
        {
            scope = scope_named(&scope, &word).ok_or_else(|| {
                invalid(&format!(
                    "The resource scope '{word}' at line '{}' and column '{}' is not valid. Please see \
                     https://aka.ms/arm-syntax-resources for usage details.",
                    place.line, place.column
                ))
            })?;
        }
        if kind.eq_ignore_ascii_case("Microsoft.Resources/resourceGroups") {
            scope.group = None;
        }
        let id = scopes::own(&scope, &kind, &name).map_err(|()| {
            invalid(&format!(
                "The template resource '{name}' for type '{kind}' at line '{}' and column '{}' has incorrect segment \
                 lengths. A nested resource type must have identical number of segments as its resource name. A root \
                 resource type must have segment length one greater than its resource name. Please see \
                 https://aka.ms/arm-syntax-resources for usage details.",
                place.line, place.column
            ))
        })?;
        let location = value.get("location").and_then(|it| machine.expand(it).ok());
        let location = location.and_then(|it| it.as_str().map(crate::world::arm::subscriptions::normal));
        let at = nodes.len();
        turns.push(at);
        if let Some(symbol) = &entry.symbol {
            frame.symbols.entry(symbol.to_ascii_lowercase()).or_default().push(at);
        }
        nodes.push(Node {
            pointer: entry.pointer.clone(),
            symbol: entry.symbol.clone(),
            copies,
            looped: copy.is_some(),
            id,
            kind,
            api_version,
            location,
            existing,
            wanted: condition,
            needs: Vec::new(),
            turn: Turn::Waiting,
            tracking: String::new(),
            begun: None,
            ended: None,
            status: 0,
            tries: 0,
            after: None,
        });
        paths.push(entry.path.clone());
    }
    if let Some(copy) = copy {
        if let Some(symbol) = &entry.symbol {
            frame.symbols.entry(symbol.to_ascii_lowercase()).or_default();
        }
        if copy["mode"].as_str().is_some_and(|mode| mode.eq_ignore_ascii_case("serial")) {
            let size = copy["batchSize"].as_u64().and_then(|it| usize::try_from(it).ok()).unwrap_or(1).max(1);
            for (place, node) in turns.iter().enumerate().skip(size) {
                let batch = place / size;
                nodes[*node].needs = turns[(batch - 1) * size..batch * size].to_vec();
            }
        }
        loops.insert(loop_name.to_ascii_lowercase(), turns);
    }
    Ok(())
}

/// The scope that a resource's `scope` names.
fn scope_named(base: &Id, word: &str) -> Option<Id> {
    if word == "/" {
        return Some(Id::default());
    }
    if word.starts_with('/') {
        return Id::parse(word);
    }
    if word.get(..14).is_some_and(|head| head.eq_ignore_ascii_case("subscriptions/")) {
        return Id::parse(&format!("/{word}"));
    }
    // a type with a name, in the deployment's own scope
    let mut words = word.split('/');
    let namespace = words.next()?.to_owned();
    let rest: Vec<&str> = words.collect();
    if rest.is_empty() || !rest.len().is_multiple_of(2) {
        return None;
    }
    let (kinds, names): (Vec<&str>, Vec<&str>) = rest.chunks(2).map(|pair| (pair[0], pair[1])).unzip();
    let kind = format!("{namespace}/{}", kinds.join("/"));
    // management groups are the tenant's
    let tenant = Id::default();
    let base = if kind.eq_ignore_ascii_case(management_groups::KIND) { &tenant } else { base };
    scopes::own(base, &kind, &names.join("/")).ok()
}

/// What references see of nodes.
pub fn targets(nodes: &[Node]) -> Vec<Target> {
    nodes.iter().map(|node| Target { id: node.id.clone(), api_version: node.api_version.clone() }).collect()
}

/// What each node needs: `dependsOn`, and what its references name.
fn needs(
    world: &mut World,
    frame: &Frame,
    nodes: &mut [Node],
    paths: &[String],
    loops: &BTreeMap<String, Vec<usize>>,
    places: &Places,
) -> Result<(), Violation> {
    let by_id: BTreeMap<String, usize> =
        nodes.iter().enumerate().map(|(at, node)| (node.id.key(), at)).collect();
    let mut by_name: BTreeMap<String, Vec<usize>> = BTreeMap::new();
    for (at, node) in nodes.iter().enumerate() {
        let (name, kind) = (node.id.full_name().to_ascii_lowercase(), node.kind.to_ascii_lowercase());
        by_name.entry(format!("{kind}/{name}")).or_default().push(at);
        if let Some((_, relative)) = node.id.key().rsplit_once("/providers/") {
            by_name.entry(relative.to_owned()).or_default().push(at);
        }
        by_name.entry(name).or_default().push(at);
    }
    for at in 0..nodes.len() {
        let Some(source) = frame.template.pointer(&nodes[at].pointer) else { continue };
        let mut found = Vec::new();
        let place = places.of(&paths[at]);
        let mut machine = Machine::new(world, frame, Phase::Before);
        machine.copies = nodes[at].copies.clone();
        for named in source["dependsOn"].as_array().into_iter().flatten() {
            let named = match machine.expand(named) {
                Ok(Value::String(named)) => named,
                Ok(_) => continue,
                Err(stop) => {
                    let why = format!(
                        "Unable to process template language expressions for resource '{}' at line '{}' and column '{}'. \
                         '{}'",
                        nodes[at].id,
                        place.line,
                        place.column,
                        sentence(&stop)
                    );
                    return Err(Refusal::bad("InvalidTemplate", why).into());
                }
            };
            let lower = scopes::key(&named);
            let one = frame
                .symbols
                .get(&lower)
                .or_else(|| loops.get(&lower))
                .cloned()
                .or_else(|| by_id.get(&lower).map(|at| vec![*at]))
                .or_else(|| by_name.get(&lower).cloned());
            match one {
                Some(places) => found.extend(places),
                None => return Err(places.invalid(&sentence(&not_defined(&named)), &paths[at])),
            }
        }
        if nodes[at].wanted && !nodes[at].existing {
            let mut machine = Machine::new(world, frame, Phase::Preview);
            machine.copies = nodes[at].copies.clone();
            let body = sendable(source);
            let body = if is_deployment(&nodes[at].kind) { super::nested::visible(&body) } else { body };
            if let Err(stop) = machine.expand(&body) {
                let why = format!(
                    "Unable to process template language expressions for resource '{}' at line '{}' and column '{}'. '{}'",
                    nodes[at].id,
                    place.line,
                    place.column,
                    sentence(&stop)
                );
                let refusal = Refusal::bad("InvalidTemplate", why);
                return Err(Violation {
                    refusal: Box::new(refusal),
                    place: Some((format!("properties.template.{}", paths[at]), place)),
                });
            }
            for named in std::mem::take(&mut machine.named) {
                let lower = scopes::key(&named);
                let one =
                    frame.symbols.get(&lower).cloned().or_else(|| by_id.get(&lower).map(|at| vec![*at]));
                let one =
                    one.or_else(|| (!lower.starts_with('/')).then(|| by_name.get(&lower).cloned()).flatten());
                match one {
                    Some(places) => found.extend(places),
                    None if lower.starts_with('/') || frame.outer.is_some() => {}
                    None => return Err(places.invalid(&sentence(&not_defined(&named)), &paths[at])),
                }
            }
        }
        let node = &mut nodes[at];
        found.append(&mut node.needs);
        found.sort_unstable();
        found.dedup();
        if found.contains(&at) {
            return Err(circular(&nodes[at].id, &paths[at], places));
        }
        nodes[at].needs = found;
    }
    Ok(())
}

fn circular(id: &Id, path: &str, places: &Places) -> Violation {
    places.invalid(
        &format!(
            "Circular dependency detected on resource: '{id}'. Please see https://aka.ms/arm-syntax-resources for usage \
             details."
        ),
        path,
    )
}

/// Refuses resources that need each other.
fn circles(nodes: &[Node], paths: &[String], places: &Places) -> Result<(), Violation> {
    let mut done = vec![false; nodes.len()];
    loop {
        let before = done.iter().filter(|it| **it).count();
        for at in 0..nodes.len() {
            done[at] = done[at] || nodes[at].needs.iter().all(|need| done[*need]);
        }
        let after = done.iter().filter(|it| **it).count();
        if after == nodes.len() {
            return Ok(());
        }
        if after == before {
            // what only waits for the circle is not in it
            let first = (0..nodes.len()).find(|at| !done[*at] && in_circle(nodes, *at)).unwrap_or(0);
            return Err(circular(&nodes[first].id, &paths[first], places));
        }
    }
}

fn in_circle(nodes: &[Node], start: usize) -> bool {
    let mut open = nodes[start].needs.clone();
    let mut seen = vec![false; nodes.len()];
    while let Some(at) = open.pop() {
        if at == start {
            return true;
        }
        if !std::mem::replace(&mut seen[at], true) {
            open.extend(&nodes[at].needs);
        }
    }
    false
}

/// A resource without what it says to ARM: what its service is sent, not evaluated yet.
pub fn sendable(source: &Value) -> Value {
    let Some(map) = source.as_object() else { return json!({}) };
    let deployment = source["type"].as_str().is_some_and(is_deployment);
    map.iter()
        .filter(|(key, _)| !OWN.iter().any(|own| own.eq_ignore_ascii_case(key)))
        .filter(|(key, _)| !(deployment && ["resourceGroup", "subscriptionId"].contains(&key.as_str())))
        .map(|(key, value)| (key.clone(), value.clone()))
        .collect()
}

/// Whether a type is that of a nested deployment.
pub fn is_deployment(kind: &str) -> bool {
    kind.eq_ignore_ascii_case("Microsoft.Resources/deployments")
}

/// Whose frame a template of its own has.
pub fn frame(template: Arc<Value>, scope: Id, deployment: Value, caller: Caller, origin: String) -> Frame {
    Frame {
        template,
        parameters: BTreeMap::new(),
        scope,
        deployment,
        caller,
        origin,
        outer: None,
        copies: Vec::new(),
        targets: Vec::new(),
        symbols: BTreeMap::new(),
        base: None,
        texts: Arc::default(),
    }
}
