//! One file per Azure service.
use crate::{Blueprint, Problem};
use landfall_manifest::App;

/// All resources.
pub fn all(app: &App) -> Result<Blueprint, Vec<Problem>> {
    let _ = app;
    Err(Vec::new())
}
