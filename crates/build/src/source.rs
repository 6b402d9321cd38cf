//! Which files of a folder are its source, and what they contain.
//!
//! Left out are what `.gitignore` and `.landfallignore` say, what tools make again (`node_modules`, `target`,
//! virtual environments, caches), version control, `landfall.toml` itself, plans that `landfall plan --out` saved
//! here, and whatever looks like a secret.
//! A line `!name` in `.landfallignore` brings a file back that would be left out as a secret or as a tool's own.

use crate::Error;
use crate::hash::{self, Mixer};
use ignore::gitignore::{Gitignore, GitignoreBuilder};
use std::os::unix::fs::PermissionsExt;
use std::path::{Component, Path, PathBuf};

/// Folders that tools make and can make again, wherever they stand.
const TOOLS_OWN: &[&str] = &[
    ".git",
    ".hg",
    ".svn",
    ".landfall",
    "node_modules",
    "__pycache__",
    ".venv",
    ".tox",
    ".nox",
    ".pytest_cache",
    ".mypy_cache",
    ".ruff_cache",
    ".idea",
    ".vscode",
    ".next",
    ".nuxt",
    ".svelte-kit",
    ".angular",
    ".turbo",
    ".parcel-cache",
];

/// Files that say how Landfall or git treat the folder, and are no part of the application.
const ABOUT_THE_FOLDER: &[&str] =
    &["landfall.toml", ".landfallignore", ".gitignore", ".gitattributes", ".DS_Store", "Thumbs.db"];

/// A key file is small; a larger file that mentions keys is something else.
const KEY_FILE_BYTES_MAX: u64 = 64 * 1024;

/// The files of a folder that belong to the application, in the order of their paths.
#[derive(Debug)]
pub(crate) struct Source {
    pub(crate) root: PathBuf,
    pub(crate) files: Vec<SourceFile>,
    /// What was left out although nothing ignores it, and why: worth telling the user.
    pub(crate) left_out: Vec<(String, &'static str)>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct SourceFile {
    /// Relative to the root, with `/`.
    pub(crate) path: String,
    pub(crate) what: What,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum What {
    File { executable: bool },
    Link { target: String },
}

impl Source {
    /// Lists the source in `root`.
    pub(crate) fn read(root: &Path) -> Result<Source, Error> {
        let rules = Rules::read(root);
        let mut files = Vec::new();
        let mut left_out = Vec::new();
        let keep = {
            let (root, rules) = (root.to_path_buf(), rules.clone());
            move |entry: &ignore::DirEntry| {
                entry.depth() == 0
                    || !tools_own(entry.path(), entry.file_type().is_some_and(|kind| kind.is_dir()))
                    || rules.named(entry.path().strip_prefix(&root).unwrap_or(entry.path()))
            }
        };
        let walk = ignore::WalkBuilder::new(root)
            .hidden(false)
            .ignore(false)
            .git_global(false)
            .require_git(false)
            .add_custom_ignore_filename(".landfallignore")
            .filter_entry(keep)
            .build();
        for entry in walk {
            let entry = entry.map_err(|error| walk_error(root, error))?;
            let kind = match entry.file_type() {
                Some(kind) if !kind.is_dir() => kind,
                _ => continue,
            };
            let Some(path) = relative(root, entry.path()) else { continue };
            let name = entry.file_name().to_string_lossy();
            if ABOUT_THE_FOLDER.contains(&name.as_ref()) && !rules.named(Path::new(&path)) {
                continue;
            }
            if kind.is_symlink() {
                let target =
                    std::fs::read_link(entry.path()).map_err(Error::io("read the link", entry.path()))?;
                if stays_inside(&path, &target) {
                    let target = target.to_string_lossy().into_owned();
                    files.push(SourceFile { path, what: What::Link { target } });
                } else {
                    left_out.push((path, "a link that leads out of the source"));
                }
                continue;
            }
            if !kind.is_file() {
                continue;
            }
            let about = entry.metadata().map_err(|error| walk_error(root, error))?;
            if let Some(why) = secret(entry.path(), &name, about.len())
                && !rules.named(Path::new(&path))
            {
                left_out.push((path, why));
                continue;
            }
            if is_saved_plan(entry.path(), about.len()) {
                continue;
            }
            let executable = about.permissions().mode() & 0o111 != 0;
            files.push(SourceFile { path, what: What::File { executable } });
        }
        files.sort_by(|a, b| a.path.cmp(&b.path));
        left_out.sort();
        Ok(Source { root: root.to_path_buf(), files, left_out })
    }

    /// The source that is a single file.
    pub(crate) fn of_file(file: &Path) -> Result<Source, Error> {
        let root = file.parent().unwrap_or(Path::new(".")).to_path_buf();
        let path = file.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let files = vec![SourceFile { path, what: What::File { executable: true } }];
        Ok(Source { root, files, left_out: Vec::new() })
    }

    /// Leaves out a folder of the source (what a build makes again).
    pub(crate) fn without(mut self, folder: &str) -> Source {
        let prefix = format!("{}/", folder.trim_end_matches('/'));
        self.files.retain(|file| !file.path.starts_with(&prefix));
        self
    }

    /// Leaves out one file.
    pub(crate) fn without_file(mut self, path: &str) -> Source {
        self.files.retain(|file| file.path != path);
        self
    }

    pub(crate) fn has(&self, path: &str) -> bool {
        self.files.iter().any(|file| file.path == path)
    }

    pub(crate) fn full(&self, file: &SourceFile) -> PathBuf {
        self.root.join(&file.path)
    }

    /// Hashes paths, kinds and contents. Two folders with the same source give the same hash.
    pub(crate) fn hash(&self) -> Result<String, Error> {
        let threads = std::thread::available_parallelism().map_or(2, |n| n.get()).min(8);
        let share = self.files.len().div_ceil(threads).max(1);
        let parts: Vec<Result<Vec<String>, Error>> = std::thread::scope(|scope| {
            let workers: Vec<_> = self
                .files
                .chunks(share)
                .map(|files| scope.spawn(move || files.iter().map(|file| self.hash_of(file)).collect()))
                .collect();
            workers.into_iter().map(|worker| worker.join().expect("hashing does not panic")).collect()
        });
        let mut mixer = Mixer::new("source");
        let mut files = self.files.iter();
        for part in parts {
            for hash in part? {
                let file = files.next().expect("one hash for each file");
                mixer.add(&file.path).add(hash);
            }
        }
        Ok(mixer.hex())
    }

    fn hash_of(&self, file: &SourceFile) -> Result<String, Error> {
        match &file.what {
            What::Link { target } => Ok(format!("link {target}")),
            What::File { executable } => {
                let path = self.full(file);
                let hash = hash::of_file(&path).map_err(Error::io("read", path))?;
                Ok(format!("{} {hash}", if *executable { "program" } else { "file" }))
            }
        }
    }
}

/// The folder's own `.landfallignore`: what it takes away, and what it names as wanted all the same.
#[derive(Clone)]
pub(crate) struct Rules(Gitignore);

impl Rules {
    pub(crate) fn read(root: &Path) -> Rules {
        let mut builder = GitignoreBuilder::new(root);
        // A file that is absent or has a broken line takes nothing away; the walk reports what it cannot read.
        builder.add(root.join(".landfallignore"));
        Rules(builder.build().unwrap_or_else(|_| Gitignore::empty()))
    }

    /// Whether a line `!path` asks for it.
    fn named(&self, path: &Path) -> bool {
        self.0.matched(path, false).is_whitelist()
    }

    /// Whether a line takes it away.
    pub(crate) fn ignores(&self, path: &str) -> bool {
        self.0.matched(path, false).is_ignore()
    }
}

fn tools_own(path: &Path, is_dir: bool) -> bool {
    let Some(name) = path.file_name().and_then(|name| name.to_str()) else { return false };
    if !is_dir {
        return name.ends_with(".pyc");
    }
    TOOLS_OWN.contains(&name)
        || path.join("pyvenv.cfg").is_file()
        || (name == "target" && path.with_file_name("Cargo.toml").is_file())
}

/// How a plan begins that `landfall plan --out` saved. Lying in the source it was made from, it would change that
/// source, and so could never be carried out.
const SAVED_PLAN: &[u8] = b"{\n  \"kind\": \"landfall plan\",";

fn is_saved_plan(path: &Path, size: u64) -> bool {
    use std::io::Read as _;
    let mut begin = [0; SAVED_PLAN.len()];
    size > SAVED_PLAN.len() as u64
        && std::fs::File::open(path).and_then(|mut file| file.read_exact(&mut begin)).is_ok()
        && begin == SAVED_PLAN
}

/// Says why a file looks like a secret, when it does.
pub(crate) fn secret(path: &Path, name: &str, size: u64) -> Option<&'static str> {
    const HARMLESS: &[&str] = &[".env.example", ".env.sample", ".env.template", ".env.dist", ".env.defaults"];
    let lower = name.to_ascii_lowercase();
    if lower == ".env" || (lower.starts_with(".env.") && !HARMLESS.contains(&lower.as_str())) {
        return Some("a file of environment variables; give secrets with `landfall secrets set`");
    }
    if [".netrc", ".pypirc", ".htpasswd", ".pgpass", "credentials.json"].contains(&lower.as_str()) {
        return Some("a file of credentials");
    }
    if [".pfx", ".p12", ".jks", ".keystore", ".kdbx"].iter().any(|end| lower.ends_with(end)) {
        return Some("a key store");
    }
    let may_be_key =
        lower.starts_with("id_") || [".pem", ".key", ".ppk"].iter().any(|end| lower.ends_with(end));
    if may_be_key && size <= KEY_FILE_BYTES_MAX {
        let bytes = std::fs::read(path).unwrap_or_default();
        let text = String::from_utf8_lossy(&bytes);
        if text.contains("PRIVATE KEY-----") || text.starts_with("PuTTY-User-Key-File") {
            return Some("a private key");
        }
    }
    None
}

/// Whether a link at `path` leads to a place inside the folder.
fn stays_inside(path: &str, target: &Path) -> bool {
    let mut depth = path.matches('/').count() as i64;
    for part in target.components() {
        match part {
            Component::ParentDir => depth -= 1,
            Component::Normal(_) => depth += 1,
            Component::CurDir => {}
            Component::RootDir | Component::Prefix(_) => return false,
        }
        if depth < 0 {
            return false;
        }
    }
    true
}

fn relative(root: &Path, path: &Path) -> Option<String> {
    // A name that is no UTF-8 cannot be told to anyone; such files are rare enough to be left out.
    path.strip_prefix(root).ok()?.to_str().map(str::to_owned)
}

fn walk_error(root: &Path, error: ignore::Error) -> Error {
    let text = error.to_string();
    let source = error.into_io_error().unwrap_or_else(|| std::io::Error::other(text));
    Error::Io { doing: "read the source in", path: root.to_path_buf(), source }
}
