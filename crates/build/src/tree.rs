//! A tree of files as it will lie in an image: every entry with the mode and owner it gets there.

use crate::hash::{self, Mixer};
use crate::{Error, elf, toolchain};
use std::collections::BTreeMap;
use std::io::{self, Write};
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};

/// The user that the container runs as: no name on any host, far from system users.
pub(crate) const USER: u32 = 10001;

/// Top-level folders that are links into `/usr`, as on every current distribution.
const MERGED: &[&str] = &["bin", "sbin", "lib", "lib64", "lib32"];

/// Entries by path, without a leading `/`.
#[derive(Debug, Clone, Default)]
pub(crate) struct Tree {
    entries: BTreeMap<String, Entry>,
}

#[derive(Debug, Clone)]
struct Entry {
    what: What,
    mode: u32,
    owner: u32,
}

#[derive(Debug, Clone)]
enum What {
    Folder,
    Link(String),
    Bytes(Vec<u8>),
    File(PathBuf),
    /// A program of which only what the loader maps is wanted.
    Stripped(PathBuf),
}

impl Tree {
    pub(crate) fn new() -> Tree {
        Tree::default()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    pub(crate) fn contains(&self, path: &str) -> bool {
        self.entries.contains_key(&place(path))
    }

    /// Adds a folder with mode 0755.
    pub(crate) fn folder(&mut self, path: &str) {
        self.folder_with(path, 0o755, 0);
    }

    /// Adds a folder with a mode and an owner of its own.
    pub(crate) fn folder_with(&mut self, path: &str, mode: u32, owner: u32) {
        self.put(path, Entry { what: What::Folder, mode, owner });
    }

    /// Adds a symbolic link.
    pub(crate) fn link(&mut self, path: &str, target: &str) {
        self.put(path, Entry { what: What::Link(target.into()), mode: 0o777, owner: 0 });
    }

    /// Adds a file with the given content.
    pub(crate) fn bytes(&mut self, path: &str, content: impl Into<Vec<u8>>) {
        self.put(path, Entry { what: What::Bytes(content.into()), mode: 0o644, owner: 0 });
    }

    /// Adds a file of this machine.
    pub(crate) fn file(&mut self, path: &str, from: &Path, executable: bool) {
        let mode = if executable { 0o755 } else { 0o644 };
        self.put(path, Entry { what: What::File(from.into()), mode, owner: 0 });
    }

    /// Adds a program of this machine without its symbols and debug information.
    pub(crate) fn stripped(&mut self, path: &str, from: &Path) {
        self.put(path, Entry { what: What::Stripped(from.into()), mode: 0o755, owner: 0 });
    }

    /// Adds everything under a folder of this machine for which `keep` says yes (given the path relative to the
    /// folder, with `/`). A folder that is refused is not looked into; one that stays empty is not added.
    pub(crate) fn folder_of(
        &mut self,
        path: &str,
        from: &Path,
        keep: &dyn Fn(&str) -> bool,
    ) -> Result<(), Error> {
        let mut open = vec![String::new()];
        while let Some(inside) = open.pop() {
            let folder = if inside.is_empty() { from.to_path_buf() } else { from.join(&inside) };
            for entry in std::fs::read_dir(&folder).map_err(Error::io("read", &folder))? {
                let entry = entry.map_err(Error::io("read", &folder))?;
                let Some(name) = entry.file_name().to_str().map(str::to_owned) else { continue };
                let relative = if inside.is_empty() { name } else { format!("{inside}/{name}") };
                if !keep(&relative) {
                    continue;
                }
                let kind = entry.file_type().map_err(Error::io("read", entry.path()))?;
                let to = format!("{path}/{relative}");
                if kind.is_dir() {
                    open.push(relative);
                } else if kind.is_symlink() {
                    let target =
                        std::fs::read_link(entry.path()).map_err(Error::io("read the link", entry.path()))?;
                    self.link_or_copy(&to, &entry.path(), &target, from);
                } else if kind.is_file() {
                    let about = entry.metadata().map_err(Error::io("read", entry.path()))?;
                    self.file(&to, &entry.path(), about.permissions().mode() & 0o111 != 0);
                }
            }
        }
        Ok(())
    }

    /// Keeps a relative link that stays in the copied folder; of one that leads elsewhere takes what it shows.
    fn link_or_copy(&mut self, to: &str, link: &Path, target: &Path, from: &Path) {
        let shown = link.canonicalize();
        let root = from.canonicalize().unwrap_or_else(|_| from.into());
        match shown {
            Ok(real) if !target.is_absolute() && real.starts_with(&root) => {
                self.link(to, &target.to_string_lossy());
            }
            Ok(real) if real.is_file() => {
                let executable = real.metadata().is_ok_and(|about| about.permissions().mode() & 0o111 != 0);
                self.file(to, &real, executable);
            }
            _ if !target.is_absolute() => self.link(to, &target.to_string_lossy()),
            _ => {}
        }
    }

    /// Files of this machine in the tree: path in the image, path here.
    pub(crate) fn host_files(&self) -> impl Iterator<Item = (&str, &Path)> {
        self.entries.iter().filter_map(|(path, entry)| match &entry.what {
            What::File(from) | What::Stripped(from) => Some((path.as_str(), from.as_path())),
            _ => None,
        })
    }

    /// Hashes what the archive of this tree will be made of; files are told apart by what the system says about
    /// them, so that nothing large is read.
    pub(crate) fn key(&self) -> String {
        let mut mixer = Mixer::new("tree 1");
        mixer.add(timestamp().to_le_bytes());
        for (path, entry) in &self.entries {
            mixer.add(path).add(entry.mode.to_le_bytes()).add(entry.owner.to_le_bytes());
            match &entry.what {
                What::Folder => mixer.add("folder"),
                What::Link(target) => mixer.add("link").add(target),
                What::Bytes(bytes) => mixer.add("bytes").add(hash::of(bytes)),
                What::File(from) | What::Stripped(from) => {
                    mixer.add(if matches!(entry.what, What::Stripped(_)) { "stripped" } else { "file" });
                    toolchain::stamp(&mut mixer, from);
                    if let Ok(about) = from.metadata() {
                        // The change time cannot be set back, as the modification time can.
                        mixer.add(about.ctime().to_le_bytes()).add(about.ctime_nsec().to_le_bytes());
                        mixer.add(about.ino().to_le_bytes());
                    }
                    &mut mixer
                }
            };
        }
        mixer.hex()
    }

    /// Writes the tree as a tar archive. The same tree gives the same bytes, whoever writes it and where.
    pub(crate) fn write(&self, to: impl Write) -> Result<(), Error> {
        let mut archive = tar::Builder::new(to);
        for (path, entry) in &self.entries {
            self.append(&mut archive, path, entry)?;
        }
        let mut rest = archive.into_inner().map_err(Error::io("write", "layer"))?;
        rest.flush().map_err(Error::io("write", "layer"))
    }

    fn append<W: Write>(
        &self,
        archive: &mut tar::Builder<W>,
        path: &str,
        entry: &Entry,
    ) -> Result<(), Error> {
        let mut header = tar::Header::new_gnu();
        header.set_mode(entry.mode);
        header.set_uid(entry.owner.into());
        header.set_gid(entry.owner.into());
        header.set_mtime(timestamp());
        header.set_size(0);
        let written = match &entry.what {
            What::Folder => {
                header.set_entry_type(tar::EntryType::Directory);
                archive.append_data(&mut header, format!("{path}/"), io::empty())
            }
            What::Link(target) => {
                header.set_entry_type(tar::EntryType::Symlink);
                archive.append_link(&mut header, path, target)
            }
            What::Bytes(bytes) => {
                header.set_size(bytes.len() as u64);
                archive.append_data(&mut header, path, bytes.as_slice())
            }
            What::Stripped(from) => {
                let bytes = elf::stripped(from)?;
                header.set_size(bytes.len() as u64);
                archive.append_data(&mut header, path, bytes.as_slice())
            }
            What::File(from) => {
                let file = std::fs::File::open(from).map_err(Error::io("read", from))?;
                let size = file.metadata().map_err(Error::io("read", from))?.len();
                header.set_size(size);
                // A file that grows meanwhile would break the archive; its size was promised in the header.
                archive.append_data(&mut header, path, io::Read::take(file, size))
            }
        };
        written.map_err(Error::io("pack", path))
    }

    fn put(&mut self, path: &str, entry: Entry) {
        let path = place(path);
        let mut end = 0;
        while let Some(next) = path[end..].find('/') {
            end += next;
            let parent = Entry { what: What::Folder, mode: 0o755, owner: 0 };
            self.entries.entry(path[..end].to_owned()).or_insert(parent);
            end += 1;
        }
        self.entries.insert(path, entry);
    }
}

/// The path as it stands in the archive: no leading `/`, no `.` or `..`, and `/lib…` where it really is.
pub(crate) fn place(path: &str) -> String {
    let mut parts: Vec<&str> = Vec::new();
    for part in path.split('/') {
        match part {
            "" | "." => {}
            ".." => {
                parts.pop();
            }
            part => parts.push(part),
        }
    }
    if parts.len() > 1 && MERGED.contains(&parts[0]) {
        parts.insert(0, "usr");
    }
    parts.join("/")
}

/// The time that every file in an image carries, in seconds: `SOURCE_DATE_EPOCH`, or the beginning of time.
pub(crate) fn timestamp() -> u64 {
    std::env::var("SOURCE_DATE_EPOCH").ok().and_then(|text| text.parse().ok()).unwrap_or(0)
}
