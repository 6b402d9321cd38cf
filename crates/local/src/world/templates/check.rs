//! What can be said of a template's expressions before any has a value: that they can be read, that their functions
//! exist and may stand where they do, and that the parameters and variables they name are there.

use serde_json::Value;

use super::evaluate::{is_runtime, is_special};
use super::expression::{self, Expression, Text};
use super::functions;
use super::template::{Places, Violation, is_deployment};

/// Where an expression stands.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Part {
    Default,
    Variable,
    Resource,
    Output,
}

/// Refuses a template with an expression that can never have a value. `lexical` is the template whose parameters and
/// variables it sees: itself, or its parent with outer scope.
///
/// # Errors
/// `InvalidTemplate` with ARM's sentences.
pub fn expressions(template: &Value, lexical: &Value, places: &Places) -> Result<(), Violation> {
    let look = |value: &Value, part: Part| value_is_fine(value, part, lexical);
    for (name, parameter) in template["parameters"].as_object().into_iter().flatten() {
        if let Err(why) = look(&parameter["defaultValue"], Part::Default) {
            let path = format!("parameters.{name}.defaultValue");
            let place = places.of(&path);
            let (line, column) = (place.line, place.column);
            let why = format!(
                "The template parameter '{name}' at line '{line}' and column '{column}' is not valid: {why}"
            );
            return Err(places.invalid(&why, &path));
        }
    }
    for (name, value) in template["variables"].as_object().into_iter().flatten() {
        if let Err(why) = look(value, Part::Variable) {
            let why = format!("The template variable '{name}' is not valid: {why}");
            return Err(places.invalid(&why, &format!("variables.{name}")));
        }
    }
    let resources: Vec<(String, &Value)> = match &template["resources"] {
        Value::Array(list) => {
            list.iter().enumerate().map(|(at, it)| (format!("resources[{at}]"), it)).collect()
        }
        Value::Object(map) => map.iter().map(|(name, it)| (format!("resources.{name}"), it)).collect(),
        _ => Vec::new(),
    };
    for (path, resource) in resources {
        if let Err(why) = look(resource, Part::Resource) {
            let place = places.of(&path);
            let name = resource["name"].as_str().unwrap_or_default();
            let why = format!(
                "The template resource '{name}' at line '{}' and column '{}' is not valid: {why}",
                place.line, place.column
            );
            return Err(places.invalid(&why, &path));
        }
    }
    for (name, output) in template["outputs"].as_object().into_iter().flatten() {
        if let Err(why) = look(output, Part::Output) {
            let path = format!("outputs.{name}");
            let place = places.of(&path);
            let (line, column) = (place.line, place.column);
            let why = format!(
                "The template output '{name}' at line '{line}' and column '{column}' is not valid: {why}"
            );
            return Err(places.invalid(&why, &path));
        }
    }
    Ok(())
}

fn value_is_fine(value: &Value, part: Part, lexical: &Value) -> Result<(), String> {
    match value {
        Value::String(text) => text_is_fine(text, part, lexical),
        Value::Array(list) => list.iter().try_for_each(|value| value_is_fine(value, part, lexical)),
        Value::Object(map) => {
            // a nested template is looked at when its own deployment is prepared
            let nested = map.get("type").and_then(Value::as_str).is_some_and(is_deployment);
            map.iter().try_for_each(|(key, value)| match value {
                Value::Object(properties) if nested && key == "properties" => properties
                    .iter()
                    .filter(|(key, _)| *key != "template")
                    .try_for_each(|(_, value)| value_is_fine(value, part, lexical)),
                value => {
                    text_is_fine(key, part, lexical)?;
                    value_is_fine(value, part, lexical)
                }
            })
        }
        _ => Ok(()),
    }
}

fn text_is_fine(text: &str, part: Part, lexical: &Value) -> Result<(), String> {
    if !expression::is_expression(text) {
        return Ok(());
    }
    match expression::read(text)? {
        Text::Expression(expression) => is_fine(&expression, part, lexical),
        Text::Plain(_) => Ok(()),
    }
}

fn is_fine(expression: &Expression, part: Part, lexical: &Value) -> Result<(), String> {
    match expression {
        Expression::Literal(_) => Ok(()),
        Expression::Member { of, key, .. } => {
            is_fine(of, part, lexical)?;
            is_fine(key, part, lexical)
        }
        Expression::Call(name, arguments) => {
            call_is_fine(name, arguments, part, lexical)?;
            arguments.iter().try_for_each(|it| is_fine(it, part, lexical))
        }
    }
}

fn call_is_fine(name: &str, arguments: &[Expression], part: Part, lexical: &Value) -> Result<(), String> {
    let lower = name.to_ascii_lowercase();
    let known =
        functions::is_known(&lower) || is_special(&lower) || is_runtime(&lower) || lower.contains('.');
    if !known {
        return Err(format!(
            "The template function '{name}' is not valid. Please see https://aka.ms/arm-functions for usage details."
        ));
    }
    let misplaced = match lower.as_str() {
        "newguid" | "utcnow" => part != Part::Default,
        lower if is_runtime(lower) => matches!(part, Part::Default | Part::Variable),
        _ => false,
    };
    if misplaced {
        return Err(format!(
            "The template function '{name}' is not expected at this location. Please see \
             https://aka.ms/arm-template-expressions for usage details."
        ));
    }
    let Some(Expression::Literal(Value::String(named))) = arguments.first() else { return Ok(()) };
    let has = |map: &Value| {
        map.as_object().is_some_and(|map| {
            let loops = map.get("copy").and_then(Value::as_array).into_iter().flatten();
            map.keys().any(|key| key.eq_ignore_ascii_case(named))
                || loops
                    .into_iter()
                    .any(|it| it["name"].as_str().is_some_and(|it| it.eq_ignore_ascii_case(named)))
        })
    };
    match lower.as_str() {
        "parameters" if !has(&lexical["parameters"]) => Err(format!(
            "The template parameter '{named}' is not found. Please see https://aka.ms/arm-syntax-parameters for usage \
             details."
        )),
        "variables" if !has(&lexical["variables"]) => Err(format!(
            "The template variable '{named}' is not found. Please see https://aka.ms/arm-syntax-variables for usage \
             details."
        )),
        _ => Ok(()),
    }
}
