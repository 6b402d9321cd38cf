//! The JSON Schema and the parser say the same about keys, types, bounds and choices.
#![allow(clippy::disallowed_methods, clippy::unwrap_used, reason = "a test reads its fixtures")]

use landfall_manifest::{load, schema, show};
use serde_json::{Map, Value, json};

#[test]
fn what_loads_fits_the_schema() {
    let schema = schema();
    for (fixture, environments) in
        [("fine", vec![None]), ("fine-everything", vec![None, Some("prod"), Some("test")])]
    {
        let path = format!("{}/tests/fixtures/{fixture}.toml", env!("CARGO_MANIFEST_DIR"));
        let text = std::fs::read_to_string(path).unwrap();
        fits(&schema, &text).unwrap();
        for environment in environments {
            // Shown with all defaults, every field that has one is tried.
            let app = load("landfall.toml", &text, environment).app.unwrap();
            fits(&schema, &show::text(&app)).unwrap();
        }
    }
}

#[test]
fn mistakes_of_shape_do_not_fit_the_schema() {
    let schema = schema();
    let service = |line: &str| {
        format!("app = \"hello\"\nregion = \"westeurope\"\n[service.web]\nsource = \".\"\n{line}\n")
    };
    let resource = |line: &str| format!("app = \"hello\"\nregion = \"westeurope\"\n[resource.x]\n{line}\n");
    let texts = [
        "region = \"westeurope\"\n".to_owned(),
        "app = \"hello\"\nregion = \"westeuro\"\n".to_owned(),
        "app = 1\nregion = \"westeurope\"\n".to_owned(),
        "app = \"hello\"\nregion = \"westeurope\"\nprot = 1\n".to_owned(),
        service("prot = 1"),
        service("port = 0"),
        service("port = \"8000\""),
        service("cpu = 0.3"),
        service("memory = 2"),
        service("host = \"app-services\""),
        service("command = \"npm start\""),
        service("scale = { min = 1.5 }"),
        service("scale = { cpu = 101 }"),
        service("scale = { queue = { messages = 1 } }"),
        service("uses = { x = \"all\" }"),
        service("env = { DEBUG = true }"),
        service("image = \"nginx:1\""),
        resource("sku = \"basic\""),
        resource("type = \"mongodb\""),
        resource("type = \"vault\"\ncontainers = []"),
        resource("type = \"vault\"\nsku = \"basic\""),
        resource("type = \"storage\"\nlifecycle = [{ deleted = \"1d\" }]"),
        service("[environment.prod]\ntier = \"production\""),
        service("[environment.prod]\napp = \"other\""),
        service("[environment.prod.service.web]\nprot = 1"),
    ];
    for text in texts {
        assert!(fits(&schema, &text).is_err(), "the schema takes\n{text}");
        let loaded = load("landfall.toml", &text, None);
        assert!(loaded.app.is_none(), "the parser takes\n{text}");
    }
}

fn fits(schema: &Value, text: &str) -> Result<(), String> {
    let table: toml::Table = text.parse().unwrap();
    check(schema, schema, &serde_json::to_value(table).unwrap(), "").map_err(|why| format!("{why}\n{text}"))
}

/// As much of JSON Schema as ours uses; patterns are left to editors.
fn check(root: &Value, schema: &Value, value: &Value, at: &str) -> Result<(), String> {
    let known = [
        "$schema",
        "title",
        "description",
        "$defs",
        "default",
        "type",
        "properties",
        "additionalProperties",
        "propertyNames",
        "required",
        "items",
        "enum",
        "const",
        "oneOf",
        "anyOf",
        "not",
        "minimum",
        "maximum",
        "multipleOf",
        "minLength",
        "maxLength",
        "pattern",
        "$ref",
    ];
    let empty = Map::new();
    for (word, says) in schema.as_object().unwrap_or(&empty) {
        assert!(known.contains(&word.as_str()), "this test does not know `{word}`");
        let fit = |schema: &Value| check(root, schema, value, at).is_ok();
        let number = |value: &Value| value.as_f64().unwrap_or_default();
        let length = value.as_str().map(|text| text.chars().count() as f64);
        let right = match word.as_str() {
            "$ref" => {
                let target =
                    root.pointer(says.as_str().unwrap().trim_start_matches('#')).expect("a definition");
                check(root, target, value, at)?;
                true
            }
            "type" => match says.as_str().unwrap() {
                "object" => value.is_object(),
                "array" => value.is_array(),
                "string" => value.is_string(),
                "boolean" => value.is_boolean(),
                "integer" => value.is_i64(),
                "number" => value.is_number(),
                other => panic!("this test does not know the type `{other}`"),
            },
            "enum" => says.as_array().unwrap().contains(value),
            "const" => says == value,
            "minimum" => !value.is_number() || number(value) >= number(says),
            "maximum" => !value.is_number() || number(value) <= number(says),
            "multipleOf" => !value.is_number() || (number(value) / number(says)).fract() == 0.0,
            "minLength" => length.is_none_or(|length| length >= number(says)),
            "maxLength" => length.is_none_or(|length| length <= number(says)),
            "oneOf" => says.as_array().unwrap().iter().filter(|schema| fit(schema)).count() == 1,
            "anyOf" => says.as_array().unwrap().iter().any(fit),
            "not" => !fit(says),
            "required" => {
                says.as_array().unwrap().iter().all(|key| value.get(key.as_str().unwrap()).is_some())
            }
            "items" => {
                for item in value.as_array().into_iter().flatten() {
                    check(root, says, item, at)?;
                }
                true
            }
            "propertyNames" => {
                for key in value.as_object().unwrap_or(&empty).keys() {
                    check(root, says, &json!(key), at)?;
                }
                true
            }
            "properties" => {
                for (key, schema) in says.as_object().unwrap() {
                    if let Some(value) = value.get(key) {
                        check(root, schema, value, &format!("{at}.{key}"))?;
                    }
                }
                true
            }
            "additionalProperties" => {
                let named = schema.get("properties").and_then(Value::as_object).unwrap_or(&empty);
                for (key, value) in value.as_object().unwrap_or(&empty) {
                    if named.contains_key(key) {
                        continue;
                    }
                    if says == false {
                        return Err(format!("{at} has no `{key}`"));
                    }
                    check(root, says, value, &format!("{at}.{key}"))?;
                }
                true
            }
            _ => true,
        };
        if !right {
            return Err(format!("{at}: {value} against {word} {says}"));
        }
    }
    Ok(())
}
