//! Evaluating what a template says: parameters, variables, loops, lambdas, and the functions that ask the world.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::{Map, Value, json};

use super::expression::{self, Expression, Text};
use super::functions::{self, expects, int, list, member, text};
use super::{dates, links, scopes};
use crate::world::arm::id::Id;
use crate::world::arm::refusal::Refusal;
use crate::world::arm::{self, Caller, subscriptions};
use crate::world::{Method, World, management_groups};

/// Most turns of a loop.
pub const COPY_MAX: i64 = 800;
/// Deepest nesting of user functions, variables and lambdas.
const DEPTH_MAX: usize = 64;
/// Zones of a region that has any.
const ZONES: i64 = 3;
/// Namespaces whose types are in no zone.
const ZONELESS: &[&str] = &[
    "Microsoft.Authorization",
    "Microsoft.Cdn",
    "Microsoft.Insights",
    "Microsoft.ManagedIdentity",
    "Microsoft.Resources",
];

/// Why an evaluation ended without a value.
#[derive(Clone, Debug, PartialEq)]
pub enum Stop {
    /// The template is wrong; ARM's sentence.
    Text(String),
    /// What was asked of the world was refused.
    Refused(Refusal),
    /// It needs what is known only when the deployment runs.
    Later,
}

impl From<String> for Stop {
    fn from(text: String) -> Stop {
        Stop::Text(text)
    }
}

/// What is known of a resource of a template before it is deployed.
#[derive(Clone, Debug)]
pub struct Target {
    /// Its id.
    pub id: Id,
    /// The version it is deployed with.
    pub api_version: String,
}

/// Everything that expressions of one template see, but for the world and loops.
#[derive(Debug)]
pub struct Frame {
    /// The template.
    pub template: Arc<Value>,
    /// Values of its parameters by lower-case name.
    pub parameters: BTreeMap<String, Value>,
    /// The group or subscription deployed to.
    pub scope: Id,
    /// What `deployment()` answers.
    pub deployment: Value,
    /// Who deploys.
    pub caller: Caller,
    /// Origin of the request that started it.
    pub origin: String,
    /// A nested template with outer scope sees its parent's parameters, variables and functions.
    pub outer: Option<Arc<Frame>>,
    /// Loops around a nested template with outer scope.
    pub copies: Vec<(String, i64)>,
    /// Its resources, in order.
    pub targets: Vec<Target>,
    /// Places in `targets` by symbolic name, lower case.
    pub symbols: BTreeMap<String, Vec<usize>>,
    /// What relative links start from.
    pub base: Option<links::Origin>,
    /// Linked content at hand.
    pub texts: Arc<links::Texts>,
}

impl Frame {
    /// The frame whose parameters, variables and functions expressions see.
    pub fn lexical(&self) -> &Frame {
        match &self.outer {
            Some(outer) => outer.lexical(),
            None => self,
        }
    }

    /// The resource that a reference names: a symbolic name, an id, a name, or a type with a name.
    pub fn target(&self, named: &str) -> Option<usize> {
        let lower = scopes::key(named);
        if let Some(found) = self.symbols.get(&lower) {
            return found.first().copied();
        }
        if lower.starts_with('/') {
            return self.targets.iter().position(|target| target.id.key() == lower);
        }
        self.targets.iter().position(|target| {
            let full = target.id.full_name().to_ascii_lowercase();
            full == lower
                || format!("{}/{full}", target.id.kind().to_ascii_lowercase()) == lower
                || target.id.key().ends_with(&format!("/providers/{lower}"))
        })
    }
}

/// When an expression is evaluated.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Phase {
    /// Default values of parameters: `newGuid` and `utcNow` are allowed, nothing of the world is.
    Defaults,
    /// Names, conditions, loops: what must be known before anything is deployed.
    Before,
    /// Bodies, as far as they can be known without deploying: expressions about the world stay as they are.
    Preview,
    /// Bodies and outputs while deploying.
    Running,
}

/// Evaluates expressions of a frame in a world.
pub struct Machine<'a> {
    /// The world that is asked.
    pub world: &'a mut World,
    /// What the expressions see.
    pub frame: &'a Frame,
    /// When.
    pub phase: Phase,
    /// Loops around what is evaluated: name and turn, innermost last. A resource's own has an empty name too.
    pub copies: Vec<(String, i64)>,
    /// Parameters known so far, while defaults are evaluated; arguments inside a user function.
    pub arguments: Vec<BTreeMap<String, Value>>,
    /// With [`Phase::Preview`]: what references name, found while expanding.
    pub named: Vec<String>,
    variables: BTreeMap<String, Value>,
    open: Vec<String>,
    lambdas: Vec<(String, Value)>,
    depth: usize,
}

type Outcome = Result<Value, Stop>;

impl<'a> Machine<'a> {
    /// A machine that has evaluated nothing.
    pub fn new(world: &'a mut World, frame: &'a Frame, phase: Phase) -> Machine<'a> {
        Machine {
            world,
            copies: frame.copies.clone(),
            frame,
            phase,
            arguments: Vec::new(),
            named: Vec::new(),
            variables: BTreeMap::new(),
            open: Vec::new(),
            lambdas: Vec::new(),
            depth: 0,
        }
    }

    /// The value of a string of the template.
    ///
    /// # Errors
    /// Why there is none.
    pub fn string(&mut self, text: &str) -> Outcome {
        match expression::read(text)? {
            Text::Plain(text) => Ok(Value::String(text)),
            Text::Expression(expression) => {
                if self.phase == Phase::Preview {
                    let later = self.note(&expression);
                    if later {
                        return Ok(Value::String(text.to_owned()));
                    }
                }
                match self.expression(&expression) {
                    Err(Stop::Later) => Ok(Value::String(text.to_owned())),
                    other => other,
                }
            }
        }
    }

    /// The value of a part of the template: expressions evaluated in strings and keys, `copy` of properties unrolled.
    ///
    /// # Errors
    /// Why there is none.
    pub fn expand(&mut self, value: &Value) -> Outcome {
        match value {
            Value::String(text) => self.string(text),
            Value::Array(list) => list.iter().map(|value| self.expand(value)).collect(),
            Value::Object(map) => {
                let mut out = Map::new();
                for (key, value) in map {
                    if key.eq_ignore_ascii_case("copy")
                        && let Some(loops) = value.as_array().filter(|loops| are_loops(loops))
                    {
                        for one in loops {
                            let (name, values) = self.unroll(one)?;
                            out.insert(name, values);
                        }
                        continue;
                    }
                    let key = match self.string(key)? {
                        Value::String(key) => key,
                        other => return Err(expects("property name", "String", &other).into()),
                    };
                    let value = self.expand(value)?;
                    out.insert(key, value);
                }
                Ok(Value::Object(out))
            }
            other => Ok(other.clone()),
        }
    }

    /// One `{"name", "count", "input"}`: its name and the values of all turns.
    fn unroll(&mut self, one: &Value) -> Result<(String, Value), Stop> {
        let name = one["name"].as_str().unwrap_or_default().to_owned();
        let count = self.count(&one["count"], &name)?;
        let mut values = Vec::new();
        for turn in 0..count {
            self.copies.push((name.clone(), turn));
            let value = self.expand(&one["input"]);
            self.copies.pop();
            values.push(value?);
        }
        Ok((name, Value::Array(values)))
    }

    /// How often a loop turns.
    ///
    /// # Errors
    /// A count that is none, or out of range.
    pub fn count(&mut self, count: &Value, name: &str) -> Result<i64, Stop> {
        let value = self.expand(count)?;
        let count = value
            .as_i64()
            .or_else(|| value.as_f64().filter(|it| it.fract() == 0.0).map(|it| it as i64))
            .ok_or_else(|| format!("The copy count of '{name}' must be an integer; it is '{value}'."))?;
        if !(0..=COPY_MAX).contains(&count) {
            return Err(Stop::Text(format!(
                "The 'copy' count value '{count}' is out of range for the copy definition of resource '{name}'. It must be \
                 between 0 and {COPY_MAX}. Please see https://aka.ms/arm-resource-loops for usage details."
            )));
        }
        Ok(count)
    }

    /// Notes what an expression's references name; whether it has any, so that its value comes later.
    fn note(&mut self, expression: &Expression) -> bool {
        match expression {
            Expression::Literal(_) => false,
            Expression::Member { of, key, .. } => {
                let (of, key) = (self.note(of), self.note(key));
                of || key
            }
            Expression::Call(name, arguments) => {
                let asks = is_runtime(name);
                if asks && let Some(first) = arguments.first() {
                    let phase = std::mem::replace(&mut self.phase, Phase::Before);
                    if let Ok(Value::String(named)) = self.expression(first) {
                        self.named.push(named);
                    }
                    self.phase = phase;
                }
                let mut later = asks;
                for argument in arguments {
                    later |= self.note(argument);
                }
                later
            }
        }
    }

    /// The value of an expression.
    ///
    /// # Errors
    /// Why there is none.
    pub fn expression(&mut self, expression: &Expression) -> Outcome {
        match expression {
            Expression::Literal(value) => Ok(value.clone()),
            Expression::Member { of, key, safe } => {
                let of = self.expression(of)?;
                let key = self.expression(key)?;
                Ok(member(&of, &key, *safe)?)
            }
            Expression::Call(name, arguments) => {
                if self.depth > DEPTH_MAX {
                    return Err(Stop::Text(format!("The template function '{name}' nests too deep.")));
                }
                self.depth += 1;
                let value = self.call(name, arguments);
                self.depth -= 1;
                value
            }
        }
    }

    fn call(&mut self, name: &str, arguments: &[Expression]) -> Outcome {
        let lower = name.to_ascii_lowercase();
        // what does not evaluate all of its arguments first
        match lower.as_str() {
            "if" => {
                functions::count(name, arguments.len(), 3, 3)?;
                let condition = self.expression(&arguments[0])?;
                let truth = functions::truth("if", &condition)?;
                return self.expression(&arguments[if truth { 1 } else { 2 }]);
            }
            "and" | "or" => {
                functions::count(name, arguments.len(), 1, usize::MAX)?;
                for argument in arguments {
                    let value = self.expression(argument)?;
                    if functions::truth(name, &value)? == (lower == "or") {
                        return Ok(json!(lower == "or"));
                    }
                }
                return Ok(json!(lower == "and"));
            }
            "coalesce" => {
                for argument in arguments {
                    let value = self.expression(argument)?;
                    if !value.is_null() {
                        return Ok(value);
                    }
                }
                return Ok(Value::Null);
            }
            "lambda" => {
                return Err(Stop::Text(
                    "The template function 'lambda' is not expected at this location. It can only be an argument of \
                     another function."
                        .into(),
                ));
            }
            "map" | "filter" | "reduce" | "sort" | "toobject" | "groupby" | "mapvalues" => {
                return self.with_lambda(&lower, name, arguments);
            }
            _ => {}
        }
        let mut values = Vec::with_capacity(arguments.len());
        for argument in arguments {
            values.push(self.expression(argument)?);
        }
        if let Some(value) = functions::call(name, &values) {
            return Ok(value?);
        }
        if name.contains('.') {
            return self.user_function(name, values);
        }
        self.about(name, &lower, &values)
    }

    /// Functions about the deployment and the world.
    fn about(&mut self, name: &str, lower: &str, a: &[Value]) -> Outcome {
        let many = |least, most| functions::count(name, a.len(), least, most);
        let frame = self.frame;
        match lower {
            "parameters" => {
                many(1, 1)?;
                self.parameter(text(name, &a[0])?)
            }
            "variables" => {
                many(1, 1)?;
                self.variable(text(name, &a[0])?)
            }
            "lambdavariables" => {
                many(1, 1)?;
                let wanted = text(name, &a[0])?;
                let found = self.lambdas.iter().rev().find(|(known, _)| known.eq_ignore_ascii_case(wanted));
                found
                    .map(|(_, value)| value.clone())
                    .ok_or_else(|| Stop::Text(format!("The lambda variable '{wanted}' is not found.")))
            }
            "copyindex" => self.copy_index(a),
            "newguid" | "utcnow" if self.phase != Phase::Defaults => Err(Stop::Text(format!(
                "The template function '{name}' is not expected at this location. It can only be used in the default \
                 value of a parameter. Please see https://aka.ms/arm-template-expressions for usage details."
            ))),
            "newguid" => {
                many(0, 0)?;
                Ok(json!(self.world.chance.uuid("newGuid").to_string()))
            }
            "utcnow" => {
                many(0, 1)?;
                let format = a.first().map(|it| text(name, it)).transpose()?.unwrap_or("yyyyMMddTHHmmssZ");
                Ok(json!(dates::write(self.world.now, format)))
            }
            "deployment" => {
                many(0, 0)?;
                Ok(frame.lexical().deployment.clone())
            }
            "deployer" => {
                many(0, 0)?;
                Ok(json!({
                    "objectId": frame.caller.object_id, "tenantId": self.world.config.tenant, "userPrincipalName": "",
                }))
            }
            "environment" => {
                many(0, 0)?;
                Ok(environment(self.world))
            }
            "subscription" => {
                many(0, 0)?;
                let place = "a deployment to a subscription or a resource group";
                let id = frame.lexical().scope.subscription.clone();
                let id = id.ok_or_else(|| misplaced("SUBSCRIPTION", place))?;
                Ok(json!({
                    "id": format!("/subscriptions/{id}"), "subscriptionId": id,
                    "tenantId": self.world.config.tenant, "displayName": "Local Azure",
                }))
            }
            "tenant" => {
                many(0, 0)?;
                let id = self.world.config.tenant.clone();
                Ok(json!({
                    "countryCode": "US", "displayName": "Local Azure", "id": format!("/tenants/{id}"), "tenantId": id,
                }))
            }
            "resourcegroup" => {
                many(0, 0)?;
                let group = frame.lexical().scope.group_id();
                let group =
                    group.ok_or_else(|| misplaced("RESOURCEGROUP", "a deployment to a resource group"))?;
                match self.world.arm.find(&group.key()) {
                    Some(found) => Ok(arm::groups::show(found)),
                    None => Err(Stop::Refused(Refusal::missing(
                        "ResourceGroupNotFound",
                        format!("Resource group '{}' could not be found.", group.name()),
                    ))),
                }
            }
            "managementgroup" => {
                many(0, 0)?;
                management_groups::name_of(&frame.lexical().scope)
                    .and_then(|group| management_groups::function(self.world, group))
                    .ok_or_else(|| misplaced("MANAGEMENTGROUP", "a deployment to a management group"))
            }
            "resourceid" => Ok(scopes::resource_id(&frame.lexical().scope, name, a)?),
            "subscriptionresourceid" => {
                Ok(scopes::subscription_resource_id(&frame.lexical().scope, name, a)?)
            }
            "tenantresourceid" => Ok(scopes::tenant_resource_id(name, a)?),
            "managementgroupresourceid" => {
                Ok(scopes::management_group_resource_id(&frame.lexical().scope, name, a)?)
            }
            "extensionresourceid" => Ok(scopes::extension_resource_id(name, a)?),
            "providers" => {
                many(1, 2)?;
                let path = format!("{}/providers/{}", frame.scope_of_subscription(), text(name, &a[0])?);
                let found = self.ask(Method::Get, &path, "2024-11-01", Value::Null)?;
                let Some(kind) = a.get(1) else { return Ok(found) };
                let kind = text(name, kind)?;
                let types = found["resourceTypes"].as_array().cloned().unwrap_or_default();
                let is =
                    |it: &&Value| it["resourceType"].as_str().is_some_and(|it| it.eq_ignore_ascii_case(kind));
                types.iter().find(is).cloned().ok_or_else(|| {
                    Stop::Text(format!("The resource type '{kind}' could not be found in the provider."))
                })
            }
            "pickzones" => {
                many(3, 5)?;
                let region = text(name, &a[2])?;
                if !subscriptions::is_region(&subscriptions::normal(region)) {
                    return Err(Stop::Text(format!("The location '{region}' is not a known location.")));
                }
                let namespace = text(name, &a[0])?;
                let count = a.get(3).map(|it| int(name, it)).transpose()?.unwrap_or(1);
                let offset = a.get(4).map(|it| int(name, it)).transpose()?.unwrap_or(0);
                if !(0..=ZONES).contains(&count) || !(0..ZONES).contains(&offset) {
                    return Err(Stop::Text(format!(
                        "The template function '{name}' is asked for '{count}' zones from offset '{offset}': the location \
                         '{region}' has '{ZONES}'. Please see https://aka.ms/arm-resource-functions/#{lower} for usage details."
                    )));
                }
                let zonal = subscriptions::has_zones(&subscriptions::normal(region))
                    && !ZONELESS.iter().any(|it| it.eq_ignore_ascii_case(namespace));
                let count = if zonal { count } else { 0 };
                Ok((0..count).map(|at| json!(((offset + at) % ZONES + 1).to_string())).collect())
            }
            "tologicalzone" | "tophysicalzone" => {
                many(3, 3)?;
                zone_of(name, lower == "tologicalzone", text(name, &a[1])?, &a[2])
            }
            "tologicalzones" | "tophysicalzones" => {
                many(3, 3)?;
                let (region, zones) = (text(name, &a[1])?, list(name, &a[2])?);
                zones.iter().map(|zone| zone_of(name, lower == "tologicalzones", region, zone)).collect()
            }
            "reference" => {
                many(1, 3)?;
                self.reference(name, a)
            }
            "references" => {
                many(1, 2)?;
                let named = text(name, &a[0])?.to_ascii_lowercase();
                let Some(places) = frame.symbols.get(&named) else {
                    return Err(not_defined(&named));
                };
                let full: Vec<Value> = a[1..].to_vec();
                let mut found = Vec::new();
                for place in places.clone() {
                    let target = &frame.targets[place];
                    let mut call = vec![json!(target.id.to_string()), json!(target.api_version)];
                    call.extend(full.iter().cloned());
                    found.push(self.reference(name, &call)?);
                }
                Ok(Value::Array(found))
            }
            _ if is_list(lower) => {
                many(2, 3)?;
                self.list(name, a)
            }
            _ => Err(Stop::Text(format!(
                "The template function '{name}' is not valid. Please see https://aka.ms/arm-functions for usage details."
            ))),
        }
    }

    fn parameter(&mut self, name: &str) -> Outcome {
        let lower = name.to_ascii_lowercase();
        let found = match self.arguments.last() {
            Some(arguments) => arguments.get(&lower),
            None => self.frame.lexical().parameters.get(&lower),
        };
        found.cloned().ok_or_else(|| {
            Stop::Text(format!(
                "The template parameter '{name}' is not found. Please see \
                 https://aka.ms/arm-syntax-parameters for usage details."
            ))
        })
    }

    fn variable(&mut self, name: &str) -> Outcome {
        let lower = name.to_ascii_lowercase();
        if let Some(value) = self.variables.get(&lower) {
            return Ok(value.clone());
        }
        let missing = || {
            Stop::Text(format!(
                "The template variable '{name}' is not found. Please see \
                 https://aka.ms/arm-syntax-variables for usage details."
            ))
        };
        if self.open.contains(&lower) {
            return Err(Stop::Text(format!(
                "The template variable '{name}' refers to itself. Please see https://aka.ms/arm-syntax-variables for \
                 usage details."
            )));
        }
        let template = self.frame.lexical().template.clone();
        let variables = template["variables"].as_object().ok_or_else(missing)?;
        // a variable knows no loop but its own
        let (copies, lambdas) = (std::mem::take(&mut self.copies), std::mem::take(&mut self.lambdas));
        self.open.push(lower.clone());
        let own = variables
            .iter()
            .find(|(key, _)| key.eq_ignore_ascii_case(name) && !key.eq_ignore_ascii_case("copy"));
        let value = match own {
            Some((_, value)) => self.expand(value),
            None => variables
                .get("copy")
                .and_then(Value::as_array)
                .and_then(|loops| {
                    loops
                        .iter()
                        .find(|it| it["name"].as_str().is_some_and(|it| it.eq_ignore_ascii_case(name)))
                })
                .ok_or_else(missing)
                .and_then(|one| self.unroll(one))
                .map(|(_, values)| values),
        };
        self.open.pop();
        (self.copies, self.lambdas) = (copies, lambdas);
        let value = value?;
        self.variables.insert(lower, value.clone());
        Ok(value)
    }

    /// `copyIndex([loop][, offset])`.
    fn copy_index(&self, a: &[Value]) -> Outcome {
        let (named, offset) = match a {
            [] => (None, 0),
            [Value::String(name)] => (Some(name), 0),
            [Value::String(name), offset] => (Some(name), int("copyIndex", offset)?),
            [offset] => (None, int("copyIndex", offset)?),
            _ => {
                return Err(Stop::Text(
                    "The template function 'copyIndex' takes a loop's name and an offset.".into(),
                ));
            }
        };
        let found = match named {
            Some(name) => self.copies.iter().rev().find(|(known, _)| known.eq_ignore_ascii_case(name)),
            None => self.copies.last(),
        };
        match found {
            Some((_, turn)) => Ok(json!(turn + offset)),
            None => Err(Stop::Text(
                "The template function 'copyIndex' is not expected at this location. The function can only be used in a \
                 resource with copy specified. Please see https://aka.ms/arm-copy for usage details."
                    .into(),
            )),
        }
    }

    fn user_function(&mut self, name: &str, values: Vec<Value>) -> Outcome {
        let unknown = || {
            Stop::Text(format!(
                "The template function '{name}' is not valid. Please see https://aka.ms/arm-functions for usage details."
            ))
        };
        let (namespace, own) = name.split_once('.').ok_or_else(unknown)?;
        let template = self.frame.lexical().template.clone();
        let member = template["functions"]
            .as_array()
            .into_iter()
            .flatten()
            .filter(|it| it["namespace"].as_str().is_some_and(|it| it.eq_ignore_ascii_case(namespace)))
            .find_map(|it| {
                it["members"]
                    .as_object()?
                    .iter()
                    .find(|(key, _)| key.eq_ignore_ascii_case(own))
                    .map(|(_, it)| it)
            })
            .ok_or_else(unknown)?;
        let wanted: Vec<String> = member["parameters"]
            .as_array()
            .into_iter()
            .flatten()
            .map(|it| it["name"].as_str().unwrap_or_default().to_ascii_lowercase())
            .collect();
        functions::count(name, values.len(), wanted.len(), wanted.len())?;
        if self.arguments.len() >= DEPTH_MAX {
            return Err(Stop::Text(format!("The template function '{name}' nests too deep.")));
        }
        self.arguments.push(wanted.into_iter().zip(values).collect());
        let value = self.expand(&member["output"]["value"]);
        self.arguments.pop();
        value
    }

    /// Functions that take a lambda.
    fn with_lambda(&mut self, lower: &str, name: &str, arguments: &[Expression]) -> Outcome {
        let (least, most) = match lower {
            "reduce" => (3, 3),
            "toobject" => (2, 3),
            _ => (2, 2),
        };
        functions::count(name, arguments.len(), least, most)?;
        let first = self.expression(&arguments[0])?;
        let lambda = |at: usize| match &arguments[at] {
            Expression::Call(called, parts) if called.eq_ignore_ascii_case("lambda") && !parts.is_empty() => {
                let (body, names) = parts.split_last().ok_or_else(|| Stop::Text(String::new()))?;
                let names: Vec<String> = names
                    .iter()
                    .map(|it| match it {
                        Expression::Literal(Value::String(name)) => name.clone(),
                        _ => String::new(),
                    })
                    .collect();
                Ok((names, body.clone()))
            }
            _ => Err(Stop::Text(format!(
                "The template function '{name}' expects a lambda as its argument {}.",
                at + 1
            ))),
        };
        if lower == "mapvalues" {
            let Value::Object(map) = &first else { return Err(expects(name, "Object", &first).into()) };
            let lambda = lambda(1)?;
            let mut out = Map::new();
            for (key, value) in map {
                let value = self.apply(&lambda, &[value.clone(), json!(key)])?;
                out.insert(key.clone(), value);
            }
            return Ok(Value::Object(out));
        }
        let items = list(name, &first)?.clone();
        match lower {
            "map" | "filter" => {
                let lambda = lambda(1)?;
                let mut out = Vec::new();
                for (at, item) in items.into_iter().enumerate() {
                    let value = self.apply(&lambda, &[item.clone(), json!(at)])?;
                    if lower == "map" {
                        out.push(value);
                    } else if functions::truth(name, &value)? {
                        out.push(item);
                    }
                }
                Ok(Value::Array(out))
            }
            "reduce" => {
                let mut so_far = self.expression(&arguments[1])?;
                let lambda = lambda(2)?;
                for (at, item) in items.into_iter().enumerate() {
                    so_far = self.apply(&lambda, &[so_far, item, json!(at)])?;
                }
                Ok(so_far)
            }
            "sort" => {
                let lambda = lambda(1)?;
                let mut sorted: Vec<Value> = Vec::new();
                for item in items {
                    // after all that it is not before
                    let (mut low, mut high) = (0, sorted.len());
                    while low < high {
                        let middle = usize::midpoint(low, high);
                        let before = self.apply(&lambda, &[item.clone(), sorted[middle].clone()])?;
                        if functions::truth(name, &before)? {
                            high = middle;
                        } else {
                            low = middle + 1;
                        }
                    }
                    sorted.insert(low, item);
                }
                Ok(Value::Array(sorted))
            }
            _ => {
                let key_of = lambda(1)?;
                let value_of = if arguments.len() > 2 { Some(lambda(2)?) } else { None };
                let mut out = Map::new();
                for item in items {
                    let key = self.apply(&key_of, std::slice::from_ref(&item))?;
                    let key = text(name, &key)?.to_owned();
                    let value = match &value_of {
                        Some(lambda) => self.apply(lambda, &[item])?,
                        None => item,
                    };
                    if lower == "groupby" {
                        if let Value::Array(group) = out.entry(key).or_insert_with(|| json!([])) {
                            group.push(value);
                        }
                    } else {
                        out.insert(key, value);
                    }
                }
                Ok(Value::Object(out))
            }
        }
    }

    fn apply(&mut self, lambda: &(Vec<String>, Expression), values: &[Value]) -> Outcome {
        let known = self.lambdas.len();
        for (name, value) in lambda.0.iter().zip(values) {
            self.lambdas.push((name.clone(), value.clone()));
        }
        let value = self.expression(&lambda.1);
        self.lambdas.truncate(known);
        value
    }

    /// What a runtime function may not be asked yet.
    fn must_run(&self, name: &str) -> Result<(), Stop> {
        match self.phase {
            Phase::Running => Ok(()),
            Phase::Preview => Err(Stop::Later),
            Phase::Defaults | Phase::Before => Err(Stop::Text(format!(
                "The template function '{name}' is not expected at this location. Please see \
                 https://aka.ms/arm-template-expressions for usage details."
            ))),
        }
    }

    /// The id that a reference names, and the version to ask with.
    fn resolve(&self, named: &str) -> Result<(String, Option<String>), Stop> {
        let mut frame = Some(self.frame);
        while let Some(here) = frame {
            if let Some(place) = here.target(named) {
                let target = &here.targets[place];
                return Ok((target.id.to_string(), Some(target.api_version.clone())));
            }
            frame = here.outer.as_deref();
        }
        if named.starts_with('/') { Ok((scopes::spelled(named), None)) } else { Err(not_defined(named)) }
    }

    fn reference(&mut self, name: &str, a: &[Value]) -> Outcome {
        self.must_run(name)?;
        let named = text(name, &a[0])?;
        let (id, known) = self.resolve(named)?;
        let given = a.get(1).map(|it| text(name, it)).transpose()?.map(str::to_owned);
        let full =
            a.get(2).map(|it| text(name, it)).transpose()?.is_some_and(|it| it.eq_ignore_ascii_case("full"));
        // `references(…, 'Full')` and `reference(symbol, 'Full')` leave the version out
        let (given, full) = match given {
            Some(word) if word.eq_ignore_ascii_case("full") => (None, true),
            given => (given, full),
        };
        let Some(version) = given.or(known) else {
            return Err(Stop::Text(format!(
                "Unable to process template language expressions: the api-version is required for the reference to \
                 '{id}', which is not deployed by this template. Please see \
                 https://aka.ms/arm-resource-functions/#reference for usage details."
            )));
        };
        let mut found = self.ask(Method::Get, &id, &version, Value::Null)?;
        if !full {
            return Ok(found.get("properties").cloned().unwrap_or(found));
        }
        let own = Id::parse(&id).unwrap_or_default();
        let deployed = self.frame.targets.iter().any(|target| target.id.key() == own.key());
        for (key, value) in [
            ("apiVersion", json!(version)),
            ("subscriptionId", json!(own.subscription)),
            ("resourceGroupName", json!(own.group)),
            ("resourceId", json!(format!("{}/{}", own.kind(), own.full_name()))),
            ("referenceApiVersion", json!(version)),
            ("condition", json!(true)),
            ("isConditionTrue", json!(true)),
            ("isTemplateResource", json!(deployed)),
            ("isAction", json!(false)),
            ("provisioningOperation", json!(if deployed { "Create" } else { "Read" })),
            ("scope", json!("")),
        ] {
            found[key] = value;
        }
        Ok(found)
    }

    fn list(&mut self, name: &str, a: &[Value]) -> Outcome {
        self.must_run(name)?;
        let (id, _) = self.resolve(text(name, &a[0])?)?;
        let version = text(name, &a[1])?;
        let body = a.get(2).cloned().unwrap_or(Value::Null);
        self.ask(Method::Post, &format!("{id}/{name}"), version, body)
    }

    fn ask(&mut self, method: Method, path: &str, version: &str, body: Value) -> Outcome {
        let frame = self.frame;
        super::ask(self.world, &frame.caller, &frame.origin, method, path, version, body)
            .map_err(Stop::Refused)
    }
}

impl Frame {
    fn scope_of_subscription(&self) -> Id {
        Id::subscription(self.lexical().scope.subscription.as_deref().unwrap_or_default())
    }
}

/// Functions, by lower-case name, that need more than their arguments' values.
const SPECIAL: &[&str] = &[
    "and",
    "coalesce",
    "copyindex",
    "deployer",
    "deployment",
    "environment",
    "extensionresourceid",
    "filter",
    "groupby",
    "if",
    "lambda",
    "lambdavariables",
    "managementgroup",
    "managementgroupresourceid",
    "map",
    "mapvalues",
    "newguid",
    "or",
    "parameters",
    "pickzones",
    "providers",
    "reduce",
    "resourcegroup",
    "resourceid",
    "sort",
    "subscription",
    "subscriptionresourceid",
    "tenant",
    "tenantresourceid",
    "tologicalzone",
    "tologicalzones",
    "toobject",
    "tophysicalzone",
    "tophysicalzones",
    "utcnow",
    "variables",
];

/// Whether a function by a lower-case name needs more than its arguments' values.
pub fn is_special(lower: &str) -> bool {
    SPECIAL.contains(&lower)
}

/// Whether a function asks about what is deployed.
pub fn is_runtime(name: &str) -> bool {
    let lower = name.to_ascii_lowercase();
    lower == "reference" || lower == "references" || is_list(&lower)
}

/// `listKeys`, `listSecrets`, …
fn is_list(lower: &str) -> bool {
    lower.starts_with("list") && lower.len() >= 4 && !lower.contains('.')
}

/// ARM's sentence for a function of a scope that is not deployed to.
fn misplaced(name: &str, place: &str) -> Stop {
    Stop::Text(format!(
        "The template function '{name}' is not expected at this location. The function can only be used in {place}. \
         Please see https://aka.ms/arm-template-expressions for usage details."
    ))
}

/// `toLogicalZone`, `toPhysicalZone`: zone `1` of a subscription is `REGION-az1` here.
fn zone_of(name: &str, to_logical: bool, region: &str, zone: &Value) -> Outcome {
    let (region, zone) = (subscriptions::normal(region), text(name, zone)?);
    let known = (1..=ZONES).map(|at| (at.to_string(), format!("{region}-az{at}")));
    let mut known = known.filter(|_| subscriptions::has_zones(&region));
    let found = if to_logical {
        known.find(|(_, physical)| physical.eq_ignore_ascii_case(zone)).map(|(logical, _)| logical)
    } else {
        known.find(|(logical, _)| logical == zone).map(|(_, physical)| physical)
    };
    found.map(Value::String).ok_or_else(|| {
        Stop::Text(format!("The template function '{name}': the location '{region}' has no zone '{zone}'."))
    })
}

/// Whether a `copy` is one of properties or variables.
fn are_loops(loops: &[Value]) -> bool {
    !loops.is_empty() && loops.iter().all(|it| it.get("name").is_some() && it.get("count").is_some())
}

/// ARM's sentence for a resource that a template does not have.
pub fn not_defined(named: &str) -> Stop {
    Stop::Text(format!(
        "The resource '{named}' is not defined in the template. Please see https://aka.ms/arm-syntax for usage details."
    ))
}

fn environment(world: &World) -> Value {
    let origin = world.config.origin();
    let port = world.config.port;
    json!({
        "name": "LocalAzure",
        "gallery": origin, "graph": origin, "portal": origin, "graphAudience": format!("{origin}/"),
        "activeDirectoryDataLake": origin, "batch": origin, "media": origin, "sqlManagement": origin,
        "vmImageAliasDoc": origin, "resourceManager": format!("{origin}/"),
        "authentication": {
            "loginEndpoint": format!("{origin}/"), "audiences": ["https://management.azure.com/", format!("{origin}/")],
            "tenant": "common", "identityProvider": "AAD",
        },
        "suffixes": {
            "acrLoginServer": format!(".azurecr.localhost:{port}"),
            "keyvaultDns": format!(".vault.localhost:{port}"),
            "storage": format!("core.localhost:{port}"),
            "sqlServerHostname": ".database.localhost",
            "azureDatalakeAnalyticsCatalogAndJob": "azuredatalakeanalytics.localhost",
            "azureDatalakeStoreFileSystem": "azuredatalakestore.localhost",
            "azureFrontDoorEndpointSuffix": "azurefd.localhost",
        },
    })
}
