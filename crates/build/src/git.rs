//! The tag: which commit an image came from.

use std::path::Path;
use std::process::{Command, Stdio};

/// How much of a content hash a tag carries: enough to tell all versions of one application apart.
const HASH_LENGTH: usize = 12;

/// The tag of an image: the short commit on a clean tree, the commit and the content on a changed one, the content
/// alone where there is no git.
pub(crate) fn tag(dir: &Path, content: &str) -> String {
    let content = &content[..content.len().min(HASH_LENGTH)];
    let dir = if dir.is_file() { dir.parent().unwrap_or(Path::new(".")) } else { dir };
    let Some(commit) = ask(dir, &["rev-parse", "--short=12", "HEAD"]).filter(|commit| !commit.is_empty())
    else {
        return content.to_owned();
    };
    // A folder that git ignores, or knows nothing in, has no history of its own.
    let tracked = ask(dir, &["ls-files", "--", "."]).is_some_and(|files| !files.is_empty());
    let changes = ask(dir, &["status", "--porcelain", "--untracked-files=normal", "--", "."]);
    match (tracked, changes) {
        (true, Some(changes)) if changes.is_empty() => commit,
        (true, Some(_)) => format!("{commit}-{content}"),
        _ => content.to_owned(),
    }
}

fn ask(dir: &Path, args: &[&str]) -> Option<String> {
    let mut command = Command::new("git");
    command.arg("-C").arg(dir).args(args).stdin(Stdio::null()).stderr(Stdio::null());
    // Only looking: no lock that a commit running beside us would stumble over.
    let output = command.env("GIT_OPTIONAL_LOCKS", "0").output().ok()?;
    output.status.success().then(|| String::from_utf8_lossy(&output.stdout).trim().to_owned())
}
