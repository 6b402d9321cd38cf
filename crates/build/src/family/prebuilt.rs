//! Programs that are built already: an ELF file, alone or with files around it.

use super::{Assembly, Family, Folder, Job, application, reads_itself};
use crate::elf::{self, Both};
use crate::tree::Tree;
use crate::{Application, Error, Evidence, Holds, Kind, base, source};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

pub(crate) const FAMILY: Family = Family {
    looks_for: "a program for Linux (an executable ELF file)",
    detect,
    tools: &[],
    writes_lock: None,
    reads: reads_itself,
    assemble,
};

fn detect(folder: &Folder) -> Result<Option<Application>, Error> {
    let mut programs = Vec::new();
    for name in folder.names() {
        let path = folder.root.join(name);
        if is_program(&path)? {
            programs.push(name.clone());
        }
    }
    if programs.is_empty() {
        return Ok(None);
    }
    let mut app = application(&folder.root, "binary", Kind::Server);
    // Anything that has sources beside its program is rather what the sources say.
    app.confidence = 0.5;
    app.evidence.extend(programs.iter().map(|name| Evidence {
        file: name.clone(),
        line: None,
        says: "a program for Linux".into(),
    }));
    if let [program] = programs.as_slice() {
        app.start = Some(vec![format!("/app/{program}")]);
    }
    Ok(Some(app))
}

/// Looks at a source that is a single file.
pub(crate) fn detect_file(file: &Path) -> Result<Option<Application>, Error> {
    let Some(elf) = elf::read(file)?.filter(|elf| elf.program) else { return Ok(None) };
    let name = file.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let mut app = application(file, "binary", Kind::Server);
    let linked = if elf.needed.is_empty() { "a static program for Linux" } else { "a program for Linux" };
    app.evidence.push(Evidence { file: name.clone(), line: None, says: linked.into() });
    app.start = Some(vec![format!("/app/{name}")]);
    Ok(Some(app))
}

fn is_program(path: &Path) -> Result<bool, Error> {
    let about = match path.metadata() {
        Ok(about) if about.is_file() && about.permissions().mode() & 0o111 != 0 => about,
        _ => return Ok(false),
    };
    Ok(about.len() > 64 && elf::read(path)?.is_some_and(|elf| elf.program))
}

fn assemble(job: &mut Job<'_>) -> Result<Assembly, Error> {
    let mut app = Tree::new();
    for file in &job.source.files {
        let to = format!("app/{}", file.path);
        match &file.what {
            source::What::File { executable } => app.file(&to, &job.source.full(file), *executable),
            source::What::Link { target } => app.link(&to, target),
        }
    }
    if job.spec.command.is_none() && job.app.start.is_none() {
        return Err(several(job));
    }
    let command = job.command()?;
    let machine = machine_of(&app)?;
    let programs: Vec<Both> = elf::in_tree(&app, machine)?;
    let mut base = base::tree()?;
    base::close(&mut base, programs)?;
    Ok(Assembly {
        layers: vec![job.shelf.pack(&base, Holds::Base)?, job.shelf.pack(&app, Holds::Application)?],
        env: base::env(&format!("/app:{}", base::PATH)),
        command,
        architecture: elf::architecture(machine).unwrap_or("amd64"),
    })
}

/// The machine that the programs are for.
fn machine_of(tree: &Tree) -> Result<u16, Error> {
    for (_, here) in tree.host_files() {
        if let Some(elf) = elf::read(here)?.filter(|elf| elf.program) {
            return match elf::architecture(elf.machine) {
                Some(_) => Ok(elf.machine),
                None => Err(Error::Unsupported {
                    what: format!(
                        "`{}` is a program for a machine that containers are not run on",
                        here.display()
                    ),
                    help: "build it for x86_64 or aarch64".into(),
                }),
            };
        }
    }
    Ok(elf::own_machine())
}

fn several(job: &Job<'_>) -> Error {
    Error::Ambiguous {
        question: format!("`{}` has several programs", job.spec.dir.display()),
        choices: job.app.evidence.iter().map(|fact| fact.file.clone()).collect(),
        how: "say which one with `command = [\"/app/NAME\"]`".into(),
    }
}
