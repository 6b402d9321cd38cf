//! What other tools' files say of an application: from their texts to what a manifest needs.
//!
//! This room knows the formats. It does *not* know disks: the caller passes the files' texts, asks [`wanted`] which
//! others they refer to, and passes those too. Nor does it write the manifest: that is [`landfall_manifest::write`].
//!
//! Two promises hold for every format. A value that looks like a secret goes nowhere: neither into the result nor into
//! a message; what remains of it is its name. And nothing is lost unseen: what the manifest cannot say is in
//! [`Imported::remarks`], with the file and the line.
//!
//! In reading order:
//! - [`import`]: from files to the result; `format`: which format a file has; `draft`: what is gathered on the way;
//!   `accepted`: what the manifest's rules refuse is left out
//! - one file per format: `azd`, `compose`, `fly`, `procfile`; `server` joins `systemd`, `nginx` and `crontab`
//! - what formats share: `variables` (plain, secret, or the address of a neighbour), `secret` (what looks like one),
//!   `image` (which service of Azure takes an image's place), `language` (what the manifest has a word for),
//!   `size`, `command`, `dotenv`, `dockerfile`, `path`
//! - `tree`, and `yaml` and `toml` that make one: values with their lines, bounded

mod accepted;
mod azd;
mod command;
mod compose;
mod crontab;
mod dockerfile;
mod dotenv;
mod draft;
mod fly;
mod format;
mod image;
mod language;
mod nginx;
mod path;
mod procfile;
mod secret;
mod server;
mod size;
mod systemd;
mod toml;
mod tree;
mod variables;
mod yaml;

pub use draft::{Imported, Problem, Remark, Secret};
pub use format::Format;

use draft::Draft;

/// Longest file that is read. Nothing of these formats comes near it.
pub const FILE_MAX: usize = 1024 * 1024;

/// Longest manifest that is made: somewhat less than the longest that can be loaded.
const MANIFEST_MAX: usize = 240 * 1024;

/// Most files of one import.
pub const FILES_MAX: usize = 200;

/// A file: its path relative to the manifest's folder, and its text.
#[derive(Clone)]
pub struct File {
    /// Relative to the manifest's folder, with `/`.
    pub path: String,
    /// All of it.
    pub text: String,
}

impl std::fmt::Debug for File {
    /// Without the text, which may hold secrets.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("File").field("path", &self.path).finish_non_exhaustive()
    }
}

/// The files that `files` refer to and that would tell more: those of variables, extended and included ones,
/// Dockerfiles. Paths are relative to the manifest's folder; some may not exist.
pub fn wanted(format: Format, files: &[File]) -> Vec<String> {
    let mut paths = match format {
        Format::Azd => azd::wanted(files),
        Format::Compose => compose::wanted(files),
        Format::Fly => fly::wanted(files),
        Format::Procfile => procfile::wanted(files),
        Format::Server => server::wanted(files),
    };
    paths.retain(|path| !files.iter().any(|file| file.path == *path));
    paths.sort();
    paths.dedup();
    paths
}

/// What `files` of one format say of the application `name`, or everything that keeps them from being read.
///
/// Files that the format does not know by their names are those that [`wanted`] asked for.
pub fn import(format: Format, name: &str, files: &[File]) -> Result<Imported, Vec<Problem>> {
    let mut draft = Draft::new(name);
    for file in files.iter().filter(|file| file.text.len() > FILE_MAX) {
        draft.problem(&file.path, 1, format!("the file is larger than {} KiB", FILE_MAX / 1024));
    }
    if files.len() > FILES_MAX {
        draft.problem(&files[FILES_MAX].path, 1, format!("more than {FILES_MAX} files are to be imported"));
    }
    if draft.problems.is_empty() {
        match format {
            Format::Azd => azd::import(files, &mut draft),
            Format::Compose => compose::import(files, &mut draft),
            Format::Fly => fly::import(files, &mut draft),
            Format::Procfile => procfile::import(files, &mut draft),
            Format::Server => server::import(files, &mut draft),
        }
    }
    let mut imported = draft.finish()?;
    accepted::accept(&mut imported);
    if landfall_manifest::write_new(&imported.app).len() > MANIFEST_MAX {
        let file = files.first().map_or_else(String::new, |file| file.path.clone());
        let message =
            "what this says does not fit into one manifest: import its parts into folders of their own";
        return Err(vec![Problem { file, line: 1, message: message.to_owned() }]);
    }
    Ok(imported)
}
