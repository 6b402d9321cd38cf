//! Work folders: copies of the source that tools may write into, so that the user's folder stays as it is.

use crate::Error;
use crate::source::{Source, What};
use std::collections::BTreeSet;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

/// Makes `to` a copy of the source, and leaves in it, beside that, only the top-level folders in `keep`.
///
/// Files that are equal already are not written again, so that what depends on their times stays as it is.
pub(crate) fn copy(source: &Source, to: &Path, keep: &[&str]) -> Result<(), Error> {
    std::fs::create_dir_all(to).map_err(Error::io("create", to))?;
    let wanted: BTreeSet<&str> = source.files.iter().map(|file| file.path.as_str()).collect();
    clear(to, "", &wanted, keep)?;
    for file in &source.files {
        let target = to.join(&file.path);
        if let Some(parent) = target.parent() {
            std::fs::create_dir_all(parent).map_err(Error::io("create", parent))?;
        }
        match &file.what {
            What::Link { target: shown } => {
                let _ = std::fs::remove_file(&target);
                std::os::unix::fs::symlink(shown, &target).map_err(Error::io("write", &target))?;
            }
            What::File { executable } => {
                let from = source.full(file);
                let bytes = std::fs::read(&from).map_err(Error::io("read", &from))?;
                if std::fs::read(&target).ok().as_ref() != Some(&bytes) {
                    std::fs::write(&target, &bytes).map_err(Error::io("write", &target))?;
                }
                let mode = if *executable { 0o755 } else { 0o644 };
                let permissions = std::fs::Permissions::from_mode(mode);
                std::fs::set_permissions(&target, permissions).map_err(Error::io("write", &target))?;
            }
        }
    }
    Ok(())
}

/// Removes what is not wanted, folders that become empty included.
fn clear(root: &Path, inside: &str, wanted: &BTreeSet<&str>, keep: &[&str]) -> Result<(), Error> {
    let folder = root.join(inside);
    for entry in std::fs::read_dir(&folder).map_err(Error::io("read", &folder))? {
        let entry = entry.map_err(Error::io("read", &folder))?;
        let path = entry.path();
        let name = entry.file_name().to_string_lossy().into_owned();
        if inside.is_empty() && keep.contains(&name.as_str()) {
            continue;
        }
        let relative = if inside.is_empty() { name } else { format!("{inside}/{name}") };
        let kind = entry.file_type().map_err(Error::io("read", &path))?;
        if kind.is_dir() {
            let prefix = format!("{relative}/");
            let holds_wanted =
                wanted.range(prefix.as_str()..).next().is_some_and(|file| file.starts_with(&prefix));
            if holds_wanted {
                clear(root, &relative, wanted, keep)?;
            } else {
                std::fs::remove_dir_all(&path).map_err(Error::io("remove", &path))?;
            }
        } else if !wanted.contains(relative.as_str()) {
            std::fs::remove_file(&path).map_err(Error::io("remove", &path))?;
        }
    }
    Ok(())
}

/// Copies a folder by linking its files: no content is written twice. Files named in `apart` get a copy of
/// their own, for tools that write into files instead of replacing them.
pub(crate) fn link_copy(from: &Path, to: &Path, apart: &[&str]) -> Result<(), Error> {
    if to.exists() {
        std::fs::remove_dir_all(to).map_err(Error::io("remove", to))?;
    }
    std::fs::create_dir_all(to).map_err(Error::io("create", to))?;
    for entry in std::fs::read_dir(from).map_err(Error::io("read", from))? {
        let entry = entry.map_err(Error::io("read", from))?;
        let (here, there) = (entry.path(), to.join(entry.file_name()));
        let kind = entry.file_type().map_err(Error::io("read", &here))?;
        if kind.is_dir() {
            link_copy(&here, &there, apart)?;
        } else if kind.is_symlink() {
            let target = std::fs::read_link(&here).map_err(Error::io("read the link", &here))?;
            std::os::unix::fs::symlink(target, &there).map_err(Error::io("write", &there))?;
        } else if kind.is_file() {
            let alone = apart.iter().any(|name| entry.file_name() == *name);
            if alone || std::fs::hard_link(&here, &there).is_err() {
                std::fs::copy(&here, &there).map_err(Error::io("copy", &here))?;
            }
        }
    }
    Ok(())
}
