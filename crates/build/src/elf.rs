//! What a program needs in order to be loaded: its loader and its shared libraries, found as the loader would.
//!
//! The rules are those of `ld.so(8)`: a name with a slash is a path; otherwise the `DT_RPATH` of the file and of
//! those that led to it (when the file has no `DT_RUNPATH`), the file's `DT_RUNPATH`, the folders of
//! `/etc/ld.so.conf`, the system's own folders. `LD_LIBRARY_PATH` is not looked at: an image must not depend on
//! the shell that built it. Libraries that a program opens by name while it runs cannot be seen from outside.

use crate::Error;
use crate::tree::{Tree, place};
use object::Endianness;
use object::elf;
use object::read::ReadCache;
use object::read::elf::{Dyn, FileHeader, ProgramHeader};
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::path::{Path, PathBuf};

/// What an ELF file says about its own loading.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Elf {
    pub(crate) machine: u16,
    pub(crate) interpreter: Option<String>,
    pub(crate) needed: Vec<String>,
    rpath: Vec<String>,
    runpath: Vec<String>,
    /// Whether it is a program rather than a library: has a loader, or is linked statically.
    pub(crate) program: bool,
}

/// Reads the loading part of a file; `None` when it is no 64-bit ELF file.
pub(crate) fn read(path: &Path) -> Result<Option<Elf>, Error> {
    let file = std::fs::File::open(path).map_err(Error::io("read", path))?;
    let mut magic = [0; 4];
    if std::io::Read::read(&mut (&file), &mut magic).map_err(Error::io("read", path))? < 4
        || &magic != b"\x7fELF"
    {
        return Ok(None);
    }
    Ok(parse(&ReadCache::new(file)).ok())
}

fn parse(data: &ReadCache<std::fs::File>) -> object::read::Result<Elf> {
    let header = elf::FileHeader64::<Endianness>::parse(data)?;
    let endian = header.endian()?;
    let segments = header.program_headers(endian, data)?;
    let mut found = Elf { machine: header.e_machine(endian), ..Elf::default() };
    let mut dynamic = None;
    for segment in segments {
        if let Some(loader) = segment.interpreter(endian, data)? {
            found.interpreter = Some(String::from_utf8_lossy(loader).into_owned());
        }
        dynamic = dynamic.or(segment.dynamic(endian, data)?);
    }
    let kind = header.e_type(endian);
    found.program = kind == elf::ET_EXEC || found.interpreter.is_some();
    let Some(dynamic) = dynamic else { return Ok(found) };
    let value = |tag: u32| {
        let mut rows = dynamic.iter();
        rows.find(|row| u32::try_from(row.d_tag(endian)) == Ok(tag)).map(|row| row.d_val(endian))
    };
    let (Some(table), Some(size)) = (value(elf::DT_STRTAB), value(elf::DT_STRSZ)) else {
        return Ok(found);
    };
    let strings =
        segments.iter().find_map(|segment| segment.data_range(endian, data, table, size).ok().flatten());
    let Some(strings) = strings else { return Ok(found) };
    let text = |offset: u64| {
        let rest = strings.get(offset as usize..).unwrap_or_default();
        let end = rest.iter().position(|byte| *byte == 0).unwrap_or(rest.len());
        String::from_utf8_lossy(&rest[..end]).into_owned()
    };
    for row in dynamic {
        let folders =
            || text(row.d_val(endian)).split(':').filter(|f| !f.is_empty()).map(str::to_owned).collect();
        match u32::try_from(row.d_tag(endian)) {
            Ok(elf::DT_NEEDED) => found.needed.push(text(row.d_val(endian))),
            Ok(elf::DT_RPATH) => found.rpath = folders(),
            Ok(elf::DT_RUNPATH) => found.runpath = folders(),
            Ok(elf::DT_FLAGS_1) if row.d_val(endian) & u64::from(elf::DF_1_PIE) != 0 => found.program = true,
            _ => {}
        }
    }
    Ok(found)
}

/// A file in both worlds: where it is here, and where it will be in the image.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Both {
    pub(crate) here: PathBuf,
    pub(crate) there: String,
}

/// A library that was asked for and is not on this machine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Missing {
    pub(crate) file: PathBuf,
    pub(crate) library: String,
}

/// Adds to `tree` the loader and all libraries that `roots` need and that neither `tree` nor `below` has.
/// What is not found is given back: a program cannot run without it, a plug-in may never be loaded.
pub(crate) fn add_libraries(
    tree: &mut Tree,
    below: Option<&Tree>,
    roots: Vec<Both>,
) -> Result<Vec<Missing>, Error> {
    let system = System::read();
    let mut missing = Vec::new();
    let mut seen = BTreeSet::new();
    let mut open: VecDeque<(Both, Vec<Folder>)> = roots.into_iter().map(|root| (root, Vec::new())).collect();
    while let Some((file, inherited)) = open.pop_front() {
        if !seen.insert(place(&file.there)) {
            continue;
        }
        let Some(elf) = read(&file.here)? else { continue };
        let primary = system.primary(&elf);
        if let Some(loader) = &elf.interpreter {
            let here = PathBuf::from(loader);
            match here.canonicalize() {
                Ok(real) => add(tree, below, &Both { here: real, there: loader.clone() }),
                Err(_) => missing.push(Missing { file: file.here.clone(), library: loader.clone() }),
            }
        }
        let own = Folder::of(&elf.rpath, &file);
        let search = Search {
            rpath: if elf.runpath.is_empty() {
                own.iter().chain(&inherited).cloned().collect()
            } else {
                Vec::new()
            },
            runpath: Folder::of(&elf.runpath, &file),
        };
        for name in &elf.needed {
            match search.find(name, &elf, &system, &primary) {
                Some(library) => {
                    add(tree, below, &library);
                    let passed_on = own.iter().chain(&inherited).cloned().collect();
                    open.push_back((library, passed_on));
                }
                None => missing.push(Missing { file: file.here.clone(), library: name.clone() }),
            }
        }
    }
    Ok(missing)
}

fn add(tree: &mut Tree, below: Option<&Tree>, library: &Both) {
    let there = &library.there;
    if !tree.contains(there) && !below.is_some_and(|below| below.contains(there)) {
        tree.file(there, &library.here, true);
    }
}

/// A folder to search, in both worlds.
#[derive(Debug, Clone)]
struct Folder {
    here: PathBuf,
    there: String,
}

impl Folder {
    /// Folders of an `RPATH`, with `$ORIGIN` standing for where the file is, here and there.
    fn of(folders: &[String], file: &Both) -> Vec<Folder> {
        let here = file.here.parent().unwrap_or(Path::new("/")).to_string_lossy().into_owned();
        let there = file.there.rsplit_once('/').map_or("", |(folder, _)| folder).to_owned();
        let fill =
            |folder: &str, origin: &str| folder.replace("${ORIGIN}", origin).replace("$ORIGIN", origin);
        folders
            .iter()
            .map(|folder| Folder { here: fill(folder, &here).into(), there: fill(folder, &there) })
            .collect()
    }
}

struct Search {
    rpath: Vec<Folder>,
    runpath: Vec<Folder>,
}

impl Search {
    fn find(&self, name: &str, by: &Elf, system: &System, primary: &str) -> Option<Both> {
        let fits = |path: &Path| read(path).ok().flatten().is_some_and(|elf| elf.machine == by.machine);
        if name.contains('/') {
            let here = PathBuf::from(name);
            return fits(&here).then(|| Both { here, there: name.into() });
        }
        for folder in self.rpath.iter().chain(&self.runpath) {
            let here = folder.here.join(name);
            if fits(&here) {
                return Some(Both { here, there: format!("{}/{name}", folder.there) });
            }
        }
        for folder in &system.folders {
            let here = folder.join(name);
            if !fits(&here) {
                continue;
            }
            // The loader in the image has no cache file: it finds what lies in its own folders. A library from a
            // folder that only this machine's configuration names moves to where it will be found.
            let there = if system.own.contains(folder) {
                folder.to_string_lossy().into_owned()
            } else {
                primary.to_owned()
            };
            return Some(Both { here, there: format!("{there}/{name}") });
        }
        None
    }
}

/// Where this machine's loader looks.
struct System {
    /// All folders, configured ones first, by their real names.
    folders: Vec<PathBuf>,
    /// Those of them that a loader looks in without being told.
    own: BTreeSet<PathBuf>,
}

impl System {
    /// The folders that loaders have built in; Debian's add the machine's triplet.
    const OWN: &[&str] = &["/lib64", "/usr/lib64", "/lib", "/usr/lib"];

    fn read() -> System {
        let mut folders = Vec::new();
        configured(Path::new("/etc/ld.so.conf"), &mut folders, 0);
        let triplet = format!("{}-linux-gnu", std::env::consts::ARCH);
        let of_debian = ["/lib", "/usr/lib"].map(|folder| format!("{folder}/{triplet}"));
        let own: Vec<PathBuf> = of_debian
            .iter()
            .map(String::as_str)
            .chain(Self::OWN.iter().copied())
            .map(PathBuf::from)
            .collect();
        folders.extend(own.iter().cloned());
        folders.push("/usr/local/lib".into());
        let mut seen = BTreeSet::new();
        // The same folder by two names (`/lib`, `/usr/lib`) is one.
        let real = folders.into_iter().filter_map(|folder| folder.canonicalize().ok());
        System {
            folders: real.filter(|folder| seen.insert(folder.clone())).collect(),
            own: own.into_iter().filter_map(|folder| folder.canonicalize().ok()).collect(),
        }
    }

    /// The folder that the loader of this file surely looks in: where it really is itself.
    fn primary(&self, elf: &Elf) -> String {
        let loader = elf.interpreter.as_ref().and_then(|loader| Path::new(loader).canonicalize().ok());
        let of_loader = loader.and_then(|loader| loader.parent().map(Path::to_path_buf));
        let triplet = PathBuf::from(format!("/usr/lib/{}-linux-gnu", std::env::consts::ARCH));
        let folder = of_loader.unwrap_or(if triplet.is_dir() { triplet } else { "/usr/lib".into() });
        folder.to_string_lossy().into_owned()
    }
}

/// Reads `ld.so.conf` and what it includes (`include /etc/ld.so.conf.d/*.conf`).
fn configured(file: &Path, folders: &mut Vec<PathBuf>, depth: usize) {
    // Includes do not nest in practice; the limit ends a loop.
    if depth > 4 {
        return;
    }
    let text = std::fs::read_to_string(file).unwrap_or_default();
    for line in text.lines().map(|line| line.split('#').next().unwrap_or_default().trim()) {
        match line.strip_prefix("include ") {
            Some(pattern) => {
                let pattern = Path::new(pattern.trim());
                let (Some(folder), Some(end)) = (pattern.parent(), pattern.extension()) else { continue };
                let inside =
                    std::fs::read_dir(folder).into_iter().flatten().flatten().map(|entry| entry.path());
                let mut files: Vec<PathBuf> = inside.filter(|path| path.extension() == Some(end)).collect();
                files.sort();
                files.iter().for_each(|file| configured(file, folders, depth + 1));
            }
            None if line.starts_with('/') => folders.push(line.into()),
            None => {}
        }
    }
}

/// All ELF files of a tree that suit a machine, as roots of a search.
pub(crate) fn in_tree(tree: &Tree, machine: u16) -> Result<Vec<Both>, Error> {
    let mut found = Vec::new();
    for (there, here) in tree.host_files() {
        if read(here)?.is_some_and(|elf| elf.machine == machine) {
            found.push(Both { here: here.into(), there: format!("/{there}") });
        }
    }
    Ok(found)
}

/// The machine number of the programs of this machine.
pub(crate) fn own_machine() -> u16 {
    match std::env::consts::ARCH {
        "aarch64" => elf::EM_AARCH64,
        "riscv64" => elf::EM_RISCV,
        _ => elf::EM_X86_64,
    }
}

/// OCI's word for a machine, of those that containers are run on.
pub(crate) fn architecture(machine: u16) -> Option<&'static str> {
    BTreeMap::from([(elf::EM_X86_64, "amd64"), (elf::EM_AARCH64, "arm64"), (elf::EM_RISCV, "riscv64")])
        .get(&machine)
        .copied()
}

/// A program's bytes up to the end of what is loaded. Symbols and debug information stand behind that, and a
/// development build is mostly these.
pub(crate) fn stripped(path: &Path) -> Result<Vec<u8>, Error> {
    let mut bytes = std::fs::read(path).map_err(Error::io("read", path))?;
    let loaded = |bytes: &[u8]| -> object::read::Result<u64> {
        let header = elf::FileHeader64::<Endianness>::parse(bytes)?;
        let endian = header.endian()?;
        let segments = header.program_headers(endian, bytes)?;
        let table = header.e_phoff(endian)
            + u64::from(header.e_phnum(endian)) * u64::from(header.e_phentsize(endian));
        let ends = segments.iter().map(|segment| segment.p_offset(endian) + segment.p_filesz(endian));
        Ok(ends.chain([table]).max().unwrap_or(0))
    };
    let Ok(end) = loaded(&bytes) else { return Ok(bytes) };
    if end < 64 || end as usize >= bytes.len() {
        return Ok(bytes);
    }
    bytes.truncate(end as usize);
    // The header must not point at a section table that is gone: e_shoff, then e_shnum and e_shstrndx.
    bytes[0x28..0x30].fill(0);
    bytes[0x3c..0x40].fill(0);
    Ok(bytes)
}
