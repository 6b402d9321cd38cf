//! Source to image.
//!
//! This room looks at a folder, says what kind of application it is, and makes an OCI image of it with the
//! tools of this machine alone: no container engine, no base image, no registry. It does not know Landfall's
//! manifest, Azure, or how an image is pushed.
//!
//! In reading order:
//! - [`application`]: what a folder was found to be
//! - [`image`]: what comes out
//! - `family`: the families of applications, one file each: how they are recognised and built
//! - `source`: which files count, and what is left out
//! - `base`: the lowest layer, put together from this machine's runtime
//! - `tree`, `elf`, `layers`: files as they will lie in an image, the libraries they need, compressed layers
//! - `work`, `toolchain`, `git`, `hash`: copies to build in, this machine's programs, the tag, hashes
//! - [`static_server`]: the file server that static sites carry in their image
//! - [`error`]: what can go wrong

pub mod application;
mod base;
mod elf;
pub mod error;
mod family;
mod git;
mod hash;
pub mod image;
mod layers;
mod source;
pub mod static_server;
mod toolchain;
mod tree;
mod work;

pub use application::{Application, Evidence, Kind};
pub use error::Error;
pub use image::{Holds, Image, Layer};

use family::{Assembly, Family, Job};
use hash::Mixer;
use serde::{Deserialize, Serialize};
use source::Source;
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
    Ok(family::candidates(dir)?.into_iter().map(|(_, app)| app).collect())
}

/// Hashes everything that shapes the image, without building it.
///
/// Equal fingerprints give equal images. Reads every source file that is not ignored; takes milliseconds.
///
/// # Errors
/// When the source cannot be read or recognised.
pub fn fingerprint(spec: &Spec) -> Result<Fingerprint, Error> {
    let (family, app) = family::choose(&spec.dir)?;
    Ok(Subject { spec, family, app: &app }.fingerprint()?.0)
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
    build_on(spec, scratch, log).map_err(|error| error.or_full_disk(scratch))
}

fn build_on(spec: &Spec, scratch: &Path, log: &mut dyn FnMut(&str)) -> Result<Image, Error> {
    if !cfg!(target_os = "linux") {
        return Err(Error::Unsupported {
            what: "the direct builder makes images of this machine's own runtime, and this is not Linux"
                .into(),
            help: "build with Docker or Podman, or on a Linux machine".into(),
        });
    }
    let (family, app) = family::choose(&spec.dir)?;
    let (fingerprint, source) = Subject { spec, family, app: &app }.fingerprint()?;
    std::fs::create_dir_all(scratch).map_err(Error::io("create", scratch))?;
    // Tools run in other folders; what they are given must not depend on ours.
    let scratch = &scratch.canonicalize().map_err(Error::io("read", scratch))?;
    let _alone = Alone::wait(scratch, &spec.service, log)?;

    let shelf = layers::Shelf::open(scratch)?;
    let images = scratch.join("images");
    std::fs::create_dir_all(&images).map_err(Error::io("create", &images))?;
    let record_path = images.join(fingerprint.as_str());
    let tag = git::tag(&spec.dir, fingerprint.as_str());
    if let Some(image) = Record::read(&record_path).and_then(|record| record.image(&shelf, &tag)) {
        log("unchanged since the last build");
        return Ok(image);
    }

    for (file, why) in &source.left_out {
        log(&format!("left out: {file} ({why})"));
    }
    let work = scratch.join("work").join(work_name(&spec.service));
    let shared = scratch.join("shared");
    for folder in [&work, &shared] {
        std::fs::create_dir_all(folder).map_err(Error::io("create", folder))?;
    }
    let mut job = Job { spec, app: &app, source: &source, work, shared, shelf: &shelf, log };
    let assembly = (family.assemble)(&mut job)?;
    let record = Record::of(&assembly, spec.port.or(app.port));
    let bytes = serde_json::to_vec(&record).expect("a record is plain text");
    layers::write_whole(&record_path, &bytes)?;
    if let Some(now) = (Subject { spec, family, app: &app }).with_lock_only(&source)? {
        layers::write_whole(&images.join(now.as_str()), &bytes)?;
    }
    let mut image = record.image(&shelf, &tag).expect("the layers were just written");
    image.unchanged = false;
    log(&format!("built {} ({} layers, {} kB)", image.digest, image.layers.len(), image.size() / 1000));
    Ok(image)
}

/// What is being built, once it is known what it is.
struct Subject<'a> {
    spec: &'a Spec,
    family: &'static Family,
    app: &'a Application,
}

impl Subject<'_> {
    /// Hashes everything that shapes the image, and gives the source that was read for it.
    fn fingerprint(&self) -> Result<(Fingerprint, Source), Error> {
        let (spec, app) = (self.spec, self.app);
        let mut mixer = Mixer::new("landfall direct");
        // A new version of the builder may put files elsewhere.
        mixer.add(env!("CARGO_PKG_VERSION")).add(LAYOUT.to_le_bytes()).add(std::env::consts::ARCH);
        mixer.add(tree::timestamp().to_le_bytes());
        let about = Application { dir: PathBuf::new(), evidence: Vec::new(), ..app.clone() };
        mixer.add(serde_json::to_vec(&about).expect("an application is plain text"));
        mixer.add(format!("{:?} {:?}", spec.port, spec.command));
        for tool in self.family.tools {
            match toolchain::look_up(tool) {
                Some(tool) => tool.identity(&mut mixer),
                None => {
                    mixer.add("no such tool");
                }
            }
        }
        if self.family.tools.contains(&"cargo") {
            mixer.add(std::env::var("RUSTFLAGS").unwrap_or_default());
        }
        if let Some(server) = spec.static_server.as_ref().filter(|_| app.kind == Kind::Static) {
            toolchain::stamp(&mut mixer, server);
        }
        for file in base::shaped_by() {
            toolchain::stamp(&mut mixer, &file);
        }
        let source = self.source()?;
        mixer.add(source.hash()?);
        let own = spec.dir.canonicalize().map_err(Error::io("read", &spec.dir))?;
        for folder in (self.family.reads)(&spec.dir)? {
            let folder = folder.canonicalize().map_err(Error::io("read", &folder))?;
            if folder != own {
                mixer.add(Source::read(&folder)?.hash()?);
            }
        }
        Ok((Fingerprint(mixer.hex()), source))
    }

    /// The fingerprint after a build that added a lock file to the source and nothing else: the image is that of
    /// the source with the file, too. A source that was edited meanwhile is another source.
    fn with_lock_only(&self, before: &Source) -> Result<Option<Fingerprint>, Error> {
        let Some(lock) = self.family.writes_lock else { return Ok(None) };
        let reads_itself = (self.family.reads)(&self.spec.dir)?.len() == 1;
        if !reads_itself || before.has(lock) || !self.spec.dir.join(lock).is_file() {
            return Ok(None);
        }
        let (now, after) = self.fingerprint()?;
        let same = after.has(lock) && after.without_file(lock).hash()? == before.hash()?;
        Ok(same.then_some(now))
    }

    fn source(&self) -> Result<Source, Error> {
        if self.spec.dir.is_file() {
            return Source::of_file(&self.spec.dir);
        }
        let source = Source::read(&self.spec.dir)?;
        Ok(match &self.app.output {
            // What the last build left here is made again.
            Some(output) if self.app.build.is_some() => source.without(output),
            _ => source,
        })
    }
}

/// The version of where things lie in an image. It changes when the same source would give another image.
const LAYOUT: u32 = 1;

/// The name of a service as a folder; a name that is none gets one.
fn work_name(service: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
    match !service.is_empty() && service.chars().all(plain) {
        true => service.to_owned(),
        false => format!("service-{}", &hash::of(service.as_bytes())[..12]),
    }
}

/// Two builds of the same service do not share a work folder: the second waits.
struct Alone {
    _lock: std::fs::File,
}

impl Alone {
    fn wait(scratch: &Path, service: &str, log: &mut dyn FnMut(&str)) -> Result<Alone, Error> {
        let path = scratch.join(format!("{}.lock", work_name(service)));
        let lock = std::fs::File::create(&path).map_err(Error::io("create", &path))?;
        if lock.try_lock().is_err() {
            log("another build of this service is running; waiting for it");
            lock.lock().map_err(Error::io("lock", &path))?;
        }
        // Closing the file, also by a crash, gives the lock back.
        Ok(Alone { _lock: lock })
    }
}

/// A finished image as it is kept in the cache: everything but the layers' bytes.
#[derive(Serialize, Deserialize)]
struct Record {
    config: String,
    layers: Vec<(Holds, layers::Record)>,
}

impl Record {
    fn read(path: &Path) -> Option<Record> {
        serde_json::from_slice(&std::fs::read(path).ok()?).ok()
    }

    fn of(assembly: &Assembly, port: Option<u16>) -> Record {
        let config = image::config(assembly, port);
        let layers = assembly.layers.iter().map(|layer| {
            let (digest, diff_id) = (layer.digest.clone(), layer.diff_id.clone());
            (layer.holds, layers::Record { digest, diff_id, size: layer.size })
        });
        Record { config, layers: layers.collect() }
    }

    /// The image, when all of its layers are still there.
    fn image(&self, shelf: &layers::Shelf, tag: &str) -> Option<Image> {
        let layers: Option<Vec<Layer>> =
            self.layers.iter().map(|(holds, record)| shelf.layer(record, *holds)).collect();
        Some(Image::of(self.config.clone().into_bytes(), layers?, tag))
    }
}
