//! The folder of a manifest, and the manifest with one environment applied.

use std::path::{Path, PathBuf};

use landfall_manifest::{App, Diagnostic};

use crate::cli::Global;
use crate::failure::{Exit, Failure};
use crate::ui::Ui;

/// The manifest's file name.
pub const MANIFEST: &str = "landfall.toml";

/// A folder with a manifest in it.
#[derive(Debug)]
pub struct Project {
    /// The folder that holds the manifest, absolute.
    pub folder: PathBuf,
    /// The manifest as the user named it, for diagnostics.
    pub file: String,
    /// Its text.
    pub text: String,
}

impl Project {
    /// Finds the manifest in `dir`, `-C` or the working folder, or in a folder above.
    pub fn find(global: &Global, dir: Option<&Path>) -> Result<Project, Failure> {
        let start = start_folder(global, dir)?;
        let Some(folder) = start.ancestors().find(|folder| folder.join(MANIFEST).is_file()) else {
            return Err(Failure::new(
                Exit::Usage,
                format!("there is no `{MANIFEST}` in {} or in a folder above it", start.display()),
            )
            .help("write one with `landfall init`, or name its folder with `-C DIR`"));
        };
        let path = folder.join(MANIFEST);
        let text = match std::fs::read(&path) {
            Ok(bytes) => String::from_utf8(bytes).map_err(|error| {
                let at = error.utf8_error().valid_up_to();
                Failure::usage(format!("{} is not UTF-8 text: byte {at} is out of place", path.display()))
                    .help("save it as UTF-8")
            })?,
            Err(error) => {
                return Err(Failure::failed(format!("cannot read {}", path.display())).because(error));
            }
        };
        let working = std::env::current_dir().unwrap_or_default();
        let file = path.strip_prefix(&working).unwrap_or(&path).display().to_string();
        Ok(Project { folder: folder.to_owned(), file, text })
    }

    /// The application in the environment that was asked for; every problem of the manifest at once.
    pub fn app(&self, global: &Global, ui: &Ui) -> Result<App, Failure> {
        let loaded = landfall_manifest::load(&self.file, &self.text, global.env.as_deref());
        match loaded.app {
            Some(app) => {
                if !loaded.diagnostics.is_empty() && !ui.quiet {
                    ui.error_text(&landfall_manifest::render(&loaded.diagnostics, &self.text, ui.color_err));
                }
                Ok(app)
            }
            None => Err(self.refuse(loaded.diagnostics)),
        }
    }

    /// The failure that shows these diagnostics.
    pub fn refuse(&self, diagnostics: Vec<Diagnostic>) -> Failure {
        let mut failure = Failure::usage(format!("{} has errors", self.file));
        failure.diagnostics = Some(Box::new((diagnostics, self.text.clone())));
        failure
    }

    /// Landfall's own folder beside the manifest: journal, build cache, local Azure.
    pub fn hidden(&self) -> PathBuf {
        self.folder.join(".landfall")
    }
}

/// The folder a command starts from, absolute; it must exist.
pub fn start_folder(global: &Global, dir: Option<&Path>) -> Result<PathBuf, Failure> {
    let named = match (&global.directory, dir) {
        (Some(base), Some(dir)) => base.join(dir),
        (Some(folder), None) => folder.clone(),
        (None, Some(folder)) => folder.to_owned(),
        (None, None) => PathBuf::from("."),
    };
    let folder = named.canonicalize().map_err(|error| {
        Failure::usage(format!("cannot enter the folder {}", named.display()))
            .because(error)
            .help("name the folder of a `landfall.toml`, or one below it")
    })?;
    if folder.is_dir() {
        Ok(folder)
    } else if folder.file_name().is_some_and(|name| name == MANIFEST) {
        Ok(folder.parent().map(Path::to_owned).unwrap_or(folder))
    } else {
        Err(Failure::usage(format!("{} is not a folder", named.display()))
            .help("name the folder of a `landfall.toml`, or one below it"))
    }
}
