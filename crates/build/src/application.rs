//! What a folder was found to be.

use serde::{Deserialize, Serialize};
use std::path::PathBuf;

/// An application found in a folder, and why it was taken for one.
///
/// Serialised, it is one row of `landfall detect --json`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Application {
    /// The folder, as it was given.
    pub dir: PathBuf,
    /// The language: `rust`, `python`, `node`, `html`, or `binary` for a program that is built already.
    pub language: String,
    /// The version the project asks for, as it writes it (`>=20`, `3.11`).
    pub version: Option<String>,
    /// The framework, by its own short name (`vite`, `fastapi`).
    pub framework: Option<String>,
    /// What installs its dependencies (`npm`, `pip`, `cargo`).
    pub package_manager: Option<String>,
    /// How it runs.
    pub kind: Kind,
    /// The command that installs dependencies.
    pub install: Option<Vec<String>>,
    /// The command that builds.
    pub build: Option<Vec<String>>,
    /// The command that starts it, as the image runs it.
    pub start: Option<Vec<String>>,
    /// For a static site: the folder that is served, relative to `dir`.
    pub output: Option<String>,
    /// The port it listens on when nothing tells it another.
    pub port: Option<u16>,
    /// The facts behind all this.
    pub evidence: Vec<Evidence>,
    /// How sure the answer is, 0 to 1.
    pub confidence: f64,
}

/// How an application runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    /// Files that a web server hands out.
    Static,
    /// A program that listens on a port.
    Server,
    /// A program that does its work and may end.
    Script,
}

/// One fact, and where it was read.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Evidence {
    /// The file, relative to the application's folder.
    pub file: String,
    /// The line, from 1, when the fact stands on one.
    pub line: Option<usize>,
    /// What it says.
    pub says: String,
}
