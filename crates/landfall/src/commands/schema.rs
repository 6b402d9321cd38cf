//! `landfall schema`: the manifest's JSON Schema.

use crate::failure::{Exit, Failure};
use crate::ui::Ui;

/// Prints the schema; editors complete and check from it.
#[expect(clippy::unnecessary_wraps, reason = "every command has this shape")]
pub fn run(ui: &Ui) -> Result<Exit, Failure> {
    let schema = landfall_manifest::schema();
    ui.out(&serde_json::to_string_pretty(&schema).expect("a schema has string keys"));
    Ok(Exit::Done)
}
