//! `landfall explain FIELD`: what a field of the manifest means.

use serde_json::json;

use crate::failure::{Exit, Failure};
use crate::ui::Ui;

/// Prints the field's meaning, type, defaults and the Azure properties it sets.
pub fn run(field: &str, ui: &Ui) -> Result<Exit, Failure> {
    if let Some(code) = landfall_blueprint::codes::find(field) {
        let text = code.explain();
        match ui.json {
            true => ui.document(&json!({"schema": 1, "field": field, "text": text})),
            false => ui.out(&text),
        }
        return Ok(Exit::Done);
    }
    match landfall_manifest::explain(field) {
        Ok(text) if ui.json => ui.document(&json!({"schema": 1, "field": field, "text": text})),
        Ok(text) => ui.out(&text),
        Err(unknown) => {
            let failure = Failure::usage(unknown.to_string());
            return Err(match unknown.suggestion {
                Some(suggestion) => failure.help(format!("did you mean `{suggestion}`?")),
                None => failure.help("`landfall explain service` lists a service's fields"),
            });
        }
    }
    Ok(Exit::Done)
}
