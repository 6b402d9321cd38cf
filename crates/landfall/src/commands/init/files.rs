//! The files of other tools that `landfall init` reads.

use std::collections::BTreeSet;
use std::io::Read;
use std::path::{Component, Path, PathBuf};

use landfall_import::{FILE_MAX, FILES_MAX, File, Format, wanted};

use crate::failure::Failure;

/// Files of one format.
#[derive(Debug)]
pub struct Found {
    /// Their format.
    pub format: Format,
    /// With those that they refer to.
    pub files: Vec<File>,
    /// Paths of files of other formats that are there too.
    pub passed_over: Vec<String>,
}

/// How deep a folder is searched for a server's units and sites: `etc/nginx/sites-available/NAME` is four.
const DEPTH_MAX: usize = 6;

/// Folders that hold nothing of the user's own.
const SKIPPED: &[&str] = &["node_modules", "target", "vendor", "dist", "build", "venv", "__pycache__"];

/// The files at the paths that were named, seen from `base`, or in the folder itself; `None` when there are none in it.
pub fn find(folder: &Path, base: &Path, named: &[PathBuf]) -> Result<Option<Found>, Failure> {
    let named: Vec<PathBuf> = named.iter().map(|path| plain(&base.join(path))).collect();
    let mut roots: Vec<PathBuf> = vec![folder.to_owned()];
    let mut mains: Vec<(Format, PathBuf)> = Vec::new();
    for path in &named {
        if path.is_dir() {
            let found = in_folder(path, DEPTH_MAX, Search::All);
            if found.is_empty() {
                let message = format!("{} holds no file that can be imported", path.display());
                return Err(Failure::usage(message).help(KNOWN));
            }
            roots.push(path.clone());
            mains.extend(found);
        } else if path.is_file() {
            let Some(format) = format_of(path) else {
                return Err(
                    Failure::usage(format!("{} is no file that can be imported", path.display())).help(KNOWN)
                );
            };
            roots.extend(path.parent().map(Path::to_owned));
            mains.push((format, path.clone()));
        } else {
            return Err(Failure::usage(format!("there is no {}", path.display()))
                .help("check the path after `--from`"));
        }
    }
    if named.is_empty() {
        mains = in_folder(folder, DEPTH_MAX, Search::OfItself);
    }
    let Some(format) = Format::ALL.into_iter().find(|format| mains.iter().any(|(of, _)| of == format)) else {
        return Ok(None);
    };
    let (mains, others): (Vec<_>, Vec<_>) = mains.into_iter().partition(|(of, _)| *of == format);
    let mut paths: BTreeSet<PathBuf> = BTreeSet::new();
    let mut files = Vec::new();
    let mut pending: Vec<PathBuf> = mains.into_iter().map(|(_, path)| path).collect();
    while let Some(path) = (!pending.is_empty()).then(|| pending.remove(0)) {
        if files.len() > FILES_MAX || !paths.insert(path.clone()) {
            continue;
        }
        files.push(File { path: relative(folder, &path), text: text(&path)? });
        if pending.is_empty() {
            let more = wanted(format, &files).into_iter().map(|path| plain(&folder.join(path)));
            // What a file refers to is read within the folders that the user named, and nowhere else.
            pending.extend(more.filter(|path| !paths.contains(path) && is_within(path, &roots)));
        }
    }
    let passed_over = others.iter().map(|(_, path)| relative(folder, path)).collect();
    Ok(Some(Found { format, files, passed_over }))
}

const KNOWN: &str = "there are `azure.yaml`, `compose.yaml`, `docker-compose.yml`, `fly.toml`, `Procfile`, systemd's `*.service` and \
                     `*.timer`, nginx's sites, crontabs, and folders of them";

fn format_of(path: &Path) -> Option<Format> {
    let text = path.to_string_lossy().replace('\\', "/");
    Format::of(&text).or_else(|| Format::is_variables(&text).then_some(Format::Server))
}

/// What a folder is searched for.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Search {
    /// Whatever can be imported: the folder was named for it.
    All,
    /// What describes the folder as a whole: a server's files count only with a unit that starts something.
    OfItself,
}

/// The main files of a folder. A server's may lie deeper.
fn in_folder(folder: &Path, depth_max: usize, search: Search) -> Vec<(Format, PathBuf)> {
    let mut found = Vec::new();
    let mut pending = vec![(folder.to_owned(), 1)];
    while let Some((at, depth)) = pending.pop() {
        let Ok(entries) = std::fs::read_dir(&at) else { continue };
        let mut paths: Vec<PathBuf> = entries.flatten().map(|entry| entry.path()).collect();
        paths.sort();
        for path in paths {
            let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
            // A link to a folder may lead anywhere.
            if path.is_dir() && !path.is_symlink() {
                if depth < depth_max && !name.starts_with('.') && !SKIPPED.contains(&name.as_str()) {
                    pending.push((path, depth + 1));
                }
                continue;
            }
            let shown = relative(folder, &path);
            let format =
                Format::of(&shown).or_else(|| Format::is_variables(&shown).then_some(Format::Server));
            if let Some(format) =
                format.filter(|format| *format == Format::Server || (depth == 1 && format.is_main(&shown)))
                && path.is_file()
            {
                found.push((format, path));
            }
        }
    }
    let has_unit = found.iter().any(|(_, path)| path.extension().is_some_and(|end| end == "service"));
    let is_more = found
        .iter()
        .any(|(format, path)| *format == Format::Server && !Format::is_variables(&relative(folder, path)));
    let keeps_server = if search == Search::All { is_more } else { has_unit };
    found.retain(|(format, _)| *format != Format::Server || keeps_server);
    found.sort();
    found
}

/// The text of a file, or its beginning when it is longer than any that is imported.
fn text(path: &Path) -> Result<String, Failure> {
    let cannot = || format!("cannot read {}", path.display());
    let mut bytes = Vec::new();
    let file = std::fs::File::open(path).map_err(|error| Failure::failed(cannot()).because(error))?;
    let length = u64::try_from(FILE_MAX).unwrap_or(u64::MAX).saturating_add(1);
    file.take(length).read_to_end(&mut bytes).map_err(|error| Failure::failed(cannot()).because(error))?;
    if bytes.len() > FILE_MAX {
        // Where it is cut does not matter: it is refused for its length.
        return Ok(String::from_utf8_lossy(&bytes).into_owned());
    }
    String::from_utf8(bytes)
        .map_err(|_| Failure::usage(format!("{} is not UTF-8 text", path.display())).help("save it as UTF-8"))
}

fn is_within(path: &Path, roots: &[PathBuf]) -> bool {
    let Ok(path) = path.canonicalize() else { return false };
    path.is_file()
        && roots.iter().filter_map(|root| root.canonicalize().ok()).any(|root| path.starts_with(root))
}

/// An absolute path without `.` and `..`.
fn plain(path: &Path) -> PathBuf {
    let mut out = PathBuf::new();
    for part in path.components() {
        match part {
            Component::CurDir => {}
            Component::ParentDir => {
                out.pop();
            }
            part => out.push(part),
        }
    }
    out
}

/// `path` seen from `folder`, with `/`.
fn relative(folder: &Path, path: &Path) -> String {
    let (ours, theirs): (Vec<_>, Vec<_>) = (folder.components().collect(), path.components().collect());
    let common = ours.iter().zip(&theirs).take_while(|(one, other)| one == other).count();
    // With nothing in common but the root, the whole path is easier to read.
    if common <= 1 {
        return path.to_string_lossy().replace('\\', "/");
    }
    let up = std::iter::repeat_n("..".to_owned(), ours.len() - common);
    let down = theirs[common..].iter().map(|part| part.as_os_str().to_string_lossy().into_owned());
    up.chain(down).collect::<Vec<_>>().join("/")
}
