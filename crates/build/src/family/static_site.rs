//! Static sites: a folder of files, or what a front-end tool made of one, and a small server beside it.

use super::{Assembly, Family, Folder, Job, application, reads_itself};
use crate::tree::Tree;
use crate::{Application, Error, Holds, Kind, base, elf, source};

pub(crate) const FAMILY: Family = Family {
    looks_for: "index.html (a static site)",
    detect,
    tools: &[],
    writes_lock: None,
    reads: reads_itself,
    assemble,
};

/// Where the site lies in the image.
const SITE: &str = "app/site";
/// Where the server lies in the image.
const SERVER: &str = "usr/local/bin/landfall";
/// Folders that a site may keep its files in.
const FOLDERS: &[&str] = &[".", "public", "www", "site"];
/// The port the server listens on when nothing tells it another.
pub(crate) const PORT: u16 = 8080;

fn detect(folder: &Folder) -> Result<Option<Application>, Error> {
    for inside in FOLDERS {
        let index = if *inside == "." { "index.html".to_owned() } else { format!("{inside}/index.html") };
        let Some(text) = folder.read(&index)? else { continue };
        let mut app = application(&folder.root, "html", Kind::Static);
        app.evidence.push(text.says("", "the page that the site begins with"));
        app.output = Some((*inside).into());
        app.start = Some(command(false));
        app.port = Some(PORT);
        // Frameworks have an index.html too; they are surer.
        app.confidence = 0.6;
        return Ok(Some(app));
    }
    Ok(None)
}

fn assemble(job: &mut Job<'_>) -> Result<Assembly, Error> {
    let output = job.app.output.as_deref().unwrap_or(".");
    let prefix = if output == "." { String::new() } else { format!("{output}/") };
    let mut site = Tree::new();
    for file in &job.source.files {
        let Some(path) = file.path.strip_prefix(&prefix) else { continue };
        let to = format!("{SITE}/{path}");
        match &file.what {
            source::What::File { .. } => site.file(&to, &job.source.full(file), false),
            source::What::Link { target } => site.link(&to, target),
        }
    }
    image(job, site, false)
}

/// Adds a built site's folder to a tree, where the server looks for it.
pub(crate) fn place_site(tree: &mut Tree, from: &std::path::Path) -> Result<(), Error> {
    tree.folder_of(SITE, from, &|_| true)
}

/// Makes the layers of a site: the server below, the files above.
pub(crate) fn image(job: &mut Job<'_>, site: Tree, spa: bool) -> Result<Assembly, Error> {
    let Some(server) = &job.spec.static_server else {
        return Err(Error::Unsupported {
            what: "a static site needs a file server in its image, and none was given".into(),
            help: "this is how the builder was called, not a fault of the site: pass `static_server`".into(),
        });
    };
    let mut base = base::tree()?;
    base.stripped(SERVER, server);
    base::close(&mut base, Vec::new())?;
    let command = match &job.spec.command {
        Some(command) if !command.is_empty() => command.clone(),
        _ => command(spa),
    };
    Ok(Assembly {
        layers: vec![job.shelf.pack(&base, Holds::Base)?, job.shelf.pack(&site, Holds::Application)?],
        env: base::env(base::PATH),
        command,
        architecture: elf::architecture(elf::own_machine()).unwrap_or("amd64"),
    })
}

/// The command that serves the site. With `spa`, a path that is no file gets the first page.
pub(crate) fn command(spa: bool) -> Vec<String> {
    let mut words = vec![format!("/{SERVER}"), "static".into(), "--root".into(), format!("/{SITE}")];
    if spa {
        words.push("--spa".into());
    }
    words
}
