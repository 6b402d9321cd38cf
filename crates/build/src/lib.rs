//! Source to image.
//!
//! This room looks at a folder, says what kind of application it is, and makes an OCI image of it with the
//! tools of this machine alone: no container engine, no base image, no registry. It does not know Landfall's
//! manifest, Azure, or how an image is pushed.
//!
//! In reading order:
//! - [`application`]: what a folder was found to be
//! - [`image`]: what comes out
//! - [`static_server`]: the file server that static sites carry in their image
//! - [`error`]: what can go wrong

pub mod application;
pub mod error;
pub mod image;
pub mod static_server;

pub use application::{Application, Evidence, Kind};
pub use error::Error;
pub use image::{Image, Layer};

use std::path::{Path, PathBuf};

/// What is to be built.
#[derive(Debug, Clone)]
pub struct Spec {
    /// The service's name; images of different services do not share a work folder.
    pub service: String,
    /// The source: a folder, or a single program.
    pub dir: PathBuf,
    /// The port the service listens on; becomes `PORT` and the exposed port.
    pub port: Option<u16>,
    /// The command to run instead of the detected one.
    pub command: Option<Vec<String>>,
    /// A program that serves files when called as `PROGRAM static --root DIR [--spa]`, with `PORT` set.
    /// Static sites carry it in their image; the `landfall` binary passes itself.
    pub static_server: Option<PathBuf>,
}

/// A hash over everything that shapes an image: source, command, tools, builder version.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Fingerprint(String);

impl Fingerprint {
    /// The hash in lower-case hex, 64 characters.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl std::fmt::Display for Fingerprint {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

/// Says what the applications in a folder are, the likeliest first.
///
/// # Errors
/// When the folder cannot be read, or a project file in it is broken. A folder in which nothing is recognised
/// gives an empty list.
pub fn detect(dir: &Path) -> Result<Vec<Application>, Error> {
    let _ = std::fs::read_dir(dir).map_err(Error::io("read", dir))?;
    Ok(Vec::new())
}

/// Hashes everything that shapes the image, without building it.
///
/// Equal fingerprints give equal images. Reads every source file that is not ignored; takes milliseconds.
///
/// # Errors
/// When the source cannot be read or recognised.
pub fn fingerprint(spec: &Spec) -> Result<Fingerprint, Error> {
    Err(Error::NoSource { path: spec.dir.clone() })
}

/// Builds the image, or finds it in the cache.
///
/// Blocks while tools such as `cargo` and `npm` run: call it from a blocking task. `scratch` is a folder that is
/// kept between builds (`<project>/.landfall/build`); it holds work folders and finished layers, and may be
/// deleted at any time between builds. `log` gets each line that the tools print, and what this builder does.
///
/// # Errors
/// When the source is not recognised, a tool is missing or fails, or the disk says no.
pub fn build(spec: &Spec, scratch: &Path, log: &mut dyn FnMut(&str)) -> Result<Image, Error> {
    log(&format!("building {} in {}", spec.service, scratch.display()));
    Err(Error::NoSource { path: spec.dir.clone() })
}
