//! Images: pulled through [`Platform`], unpacked once per digest into a folder that replicas share.

use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::fs;
use std::io::{self, Read};
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Component, Path, PathBuf};
use std::sync::Mutex;

use serde_json::Value;
use sha2::{Digest, Sha256};

use super::platform::{Platform, Pull, Refusal};

/// An unpacked image.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Image {
    /// Digest of its manifest (of the platform's own, when the reference named an index).
    pub digest: String,
    /// Its root folder: never written to.
    pub root: PathBuf,
    /// How it wants to be run.
    pub config: Config,
}

/// The part of an image's configuration that matters for running it.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Config {
    pub env: Vec<(String, String)>,
    pub entrypoint: Vec<String>,
    pub cmd: Vec<String>,
    pub workdir: String,
    pub user: String,
}

/// `mcr.microsoft.com/k8se/quickstart`: what tools name as a first image. It is served by this process.
pub(crate) fn is_quickstart(image: &str) -> bool {
    let name = untagged(image);
    name.eq_ignore_ascii_case("mcr.microsoft.com/k8se/quickstart")
        || name.eq_ignore_ascii_case("mcr.microsoft.com/azuredocs/containerapps-helloworld")
}

/// `mcr.microsoft.com/k8se/quickstart-jobs`: the same for jobs.
pub(crate) fn is_quickstart_job(image: &str) -> bool {
    untagged(image).eq_ignore_ascii_case("mcr.microsoft.com/k8se/quickstart-jobs")
}

fn untagged(image: &str) -> &str {
    let name = image.split_once('@').map_or(image, |(name, _)| name);
    match name.rsplit_once(':') {
        Some((name, tag)) if !tag.contains('/') => name,
        _ => name,
    }
}

/// Splits `server/repository[:tag][@digest]`, with Docker's own defaults for what is left out.
pub(crate) fn parse_reference(app: &str, image: &str) -> Pull {
    let (rest, digest) = match image.split_once('@') {
        Some((rest, digest)) => (rest, Some(digest)),
        None => (image, None),
    };
    let (server, path) = match rest.split_once('/') {
        Some((first, path)) if first.contains(['.', ':']) || first == "localhost" => {
            (first.to_owned(), path.to_owned())
        }
        Some(_) => ("docker.io".to_owned(), rest.to_owned()),
        None => ("docker.io".to_owned(), format!("library/{rest}")),
    };
    let (repository, tag) = match path.rsplit_once(':') {
        Some((repository, tag)) => (repository.to_owned(), Some(tag.to_owned())),
        None => (path, None),
    };
    let reference = digest.map(str::to_owned).or(tag).unwrap_or_else(|| "latest".into());
    Pull { app: app.to_owned(), server, repository, reference }
}

/// Ten hex digits that follow from `text`.
pub(crate) fn short_hash(text: &str) -> String {
    hex::encode(&Sha256::digest(text.as_bytes())[..5])
}

/// Where unpacked images are kept.
#[derive(Debug)]
pub(crate) struct Images {
    folder: PathBuf,
    // One image at a time: two replicas that want the same one must not unpack it twice.
    unpacking: Mutex<()>,
}

impl Images {
    /// Uses `folder`, which may hold images from before.
    pub fn new(folder: PathBuf) -> io::Result<Images> {
        fs::create_dir_all(&folder)?;
        // What a crash left half unpacked.
        for entry in fs::read_dir(&folder)? {
            let entry = entry?;
            if entry.file_name().to_string_lossy().ends_with(".partial") {
                remove_tree(&entry.path());
            }
        }
        Ok(Images { folder, unpacking: Mutex::new(()) })
    }

    /// Pulls and unpacks what `pull` names. Blocks; the right to pull is checked even when the image is here already.
    pub fn fetch(&self, platform: &dyn Platform, pull: &Pull) -> Result<Image, Refusal> {
        let lasting = |message: String| Refusal { message, lasting: true };
        let mut pull = pull.clone();
        let mut manifest = platform.manifest(&pull)?;
        let mut json: Value = serde_json::from_slice(&manifest.bytes)
            .map_err(|error| lasting(format!("MANIFEST_INVALID: the manifest is not JSON: {error}")))?;
        if let Some(entries) = json["manifests"].as_array() {
            let digest = pick_platform(entries).ok_or_else(|| {
                lasting("MANIFEST_UNKNOWN: no child of the index is for linux on this processor".into())
            })?;
            pull.reference = digest;
            manifest = platform.manifest(&pull)?;
            json = serde_json::from_slice(&manifest.bytes)
                .map_err(|error| lasting(format!("MANIFEST_INVALID: the manifest is not JSON: {error}")))?;
        }
        let config_digest = json["config"]["digest"]
            .as_str()
            .ok_or_else(|| lasting("MANIFEST_INVALID: the manifest names no configuration".into()))?;
        let config = read_blob(platform, &pull, config_digest)?;
        let config: Value = serde_json::from_slice(&config)
            .map_err(|error| lasting(format!("MANIFEST_INVALID: the configuration is not JSON: {error}")))?;
        let image = Image {
            digest: manifest.digest.clone(),
            root: self.folder.join(manifest.digest.replace(':', "-")),
            config: parse_config(&config),
        };
        let _one = self.unpacking.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
        // The rename below is what makes an image complete.
        if image.root.exists() {
            return Ok(Image { root: image.root.join("rootfs"), ..image });
        }
        let partial = self.folder.join(format!("{}.partial", manifest.digest.replace(':', "-")));
        remove_tree(&partial);
        let rootfs = partial.join("rootfs");
        let unpacked = (|| {
            fs::create_dir_all(&rootfs).map_err(|error| disk(&error))?;
            // Mount points of /proc, /dev and the like are made below, as whoever runs the image may not make them.
            for layer in json["layers"].as_array().map(Vec::as_slice).unwrap_or_default() {
                let digest = layer["digest"].as_str().unwrap_or_default();
                let media_type = layer["mediaType"].as_str().unwrap_or_default();
                let blob = platform.blob(&pull, digest)?;
                unpack_layer(blob, media_type, digest, &rootfs)?;
            }
            make_mount_points(&rootfs).map_err(|error| disk(&error))?;
            fs::rename(&partial, &image.root).map_err(|error| disk(&error))
        })();
        if let Err(refusal) = unpacked {
            remove_tree(&partial);
            return Err(refusal);
        }
        Ok(Image { root: image.root.join("rootfs"), ..image })
    }
}

fn disk(error: &io::Error) -> Refusal {
    Refusal { message: format!("the image cannot be unpacked: {error}"), lasting: false }
}

fn pick_platform(entries: &[Value]) -> Option<String> {
    let architecture = match std::env::consts::ARCH {
        "x86_64" => "amd64",
        "aarch64" => "arm64",
        other => other,
    };
    let fits = |entry: &&Value| {
        entry["platform"]["os"].as_str() == Some("linux")
            && entry["platform"]["architecture"].as_str() == Some(architecture)
    };
    let any = |entry: &&Value| entry["platform"].is_null();
    entries.iter().find(fits).or_else(|| entries.iter().find(any))?["digest"].as_str().map(str::to_owned)
}

fn read_blob(platform: &dyn Platform, pull: &Pull, digest: &str) -> Result<Vec<u8>, Refusal> {
    let mut bytes = Vec::new();
    platform.blob(pull, digest)?.take(4 << 20).read_to_end(&mut bytes).map_err(|error| disk(&error))?;
    Ok(bytes)
}

fn parse_config(json: &Value) -> Config {
    let config = &json["config"];
    let strings = |value: &Value| -> Vec<String> {
        value
            .as_array()
            .map(|list| list.iter().filter_map(Value::as_str).map(str::to_owned).collect())
            .unwrap_or_default()
    };
    Config {
        env: strings(&config["Env"])
            .into_iter()
            .filter_map(|pair| pair.split_once('=').map(|(name, value)| (name.to_owned(), value.to_owned())))
            .collect(),
        entrypoint: strings(&config["Entrypoint"]),
        cmd: strings(&config["Cmd"]),
        workdir: config["WorkingDir"].as_str().filter(|dir| !dir.is_empty()).unwrap_or("/").to_owned(),
        user: config["User"].as_str().unwrap_or_default().to_owned(),
    }
}

/// Reads through, hashing.
struct Hashing<R> {
    inner: R,
    hash: Sha256,
}

impl<R: Read> Read for Hashing<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let n = self.inner.read(buffer)?;
        self.hash.update(&buffer[..n]);
        Ok(n)
    }
}

/// Unpacks one layer over what earlier ones left. Public within the crate for the fuzz target of hostile archives.
pub(crate) fn unpack_layer(
    blob: impl Read,
    media_type: &str,
    digest: &str,
    root: &Path,
) -> Result<(), Refusal> {
    let mut reader = Hashing { inner: blob, hash: Sha256::new() };
    let broken = |error: io::Error| Refusal {
        message: format!("BLOB_INVALID: layer {digest} cannot be unpacked: {error}"),
        lasting: true,
    };
    if media_type.ends_with("gzip") {
        let mut gunzip = flate2::read::MultiGzDecoder::new(&mut reader);
        unpack_tar(&mut gunzip, root).map_err(broken)?;
        io::copy(&mut gunzip, &mut io::sink()).map_err(broken)?;
    } else if media_type.ends_with("tar") {
        unpack_tar(&mut reader, root).map_err(broken)?;
    } else {
        return Err(Refusal {
            message: format!("layer {digest} is of media type {media_type}, which local Azure cannot unpack"),
            lasting: true,
        });
    }
    io::copy(&mut reader, &mut io::sink()).map_err(broken)?;
    let found = format!("sha256:{}", hex::encode(reader.hash.finalize()));
    if found != digest {
        return Err(Refusal {
            message: format!("DIGEST_INVALID: layer {digest} has digest {found}"),
            lasting: true,
        });
    }
    Ok(())
}

fn unpack_tar(reader: impl Read, root: &Path) -> io::Result<()> {
    let owned = nix::unistd::geteuid().is_root();
    let mut archive = tar::Archive::new(reader);
    let mut own: BTreeSet<PathBuf> = BTreeSet::new();
    // Modes of folders last: one without write permission must still take its files.
    let mut folders: Vec<(PathBuf, u32)> = Vec::new();
    for entry in archive.entries()? {
        let mut entry = entry?;
        let path = entry.path()?.into_owned();
        let Some(target) = inside(root, &path)? else { continue };
        let name = target.file_name().map(OsStr::to_os_string).unwrap_or_default();
        let name = name.to_string_lossy();
        if name == ".wh..wh..opq" {
            if let Some(folder) = target.parent() {
                clear(folder, &own);
            }
            continue;
        }
        if let Some(hidden) = name.strip_prefix(".wh.") {
            remove_tree(&target.with_file_name(hidden));
            continue;
        }
        if let Some(parent) = target.parent() {
            fs::create_dir_all(parent)?;
        }
        let kind = entry.header().entry_type();
        let mode = entry.header().mode().unwrap_or(0o644) & 0o7777;
        let there = fs::symlink_metadata(&target).ok();
        if there.as_ref().is_some_and(|there| !(there.is_dir() && kind.is_dir())) {
            remove_tree(&target);
        }
        match kind {
            tar::EntryType::Directory => {
                fs::create_dir_all(&target)?;
                folders.push((target.clone(), mode));
            }
            tar::EntryType::Symlink => {
                let Some(link) = entry.link_name()? else { continue };
                symlink(&*link, &target)?;
            }
            tar::EntryType::Link => {
                let Some(link) = entry.link_name()? else { continue };
                let Some(source) = inside(root, &link)? else { continue };
                fs::hard_link(source, &target)?;
            }
            tar::EntryType::Regular | tar::EntryType::Continuous | tar::EntryType::GNUSparse => {
                let mut file = fs::File::create(&target)?;
                io::copy(&mut entry, &mut file)?;
                file.set_permissions(fs::Permissions::from_mode(mode))?;
            }
            // Devices and pipes: /dev is made anew for each replica.
            _ => continue,
        }
        if owned && kind != tar::EntryType::Link {
            let uid = entry.header().uid().ok().and_then(|id| u32::try_from(id).ok());
            let gid = entry.header().gid().ok().and_then(|id| u32::try_from(id).ok());
            if uid.unwrap_or(0) != 0 || gid.unwrap_or(0) != 0 {
                std::os::unix::fs::lchown(&target, uid, gid)?;
                // Changing the owner clears set-user-id bits.
                if kind.is_file() {
                    fs::set_permissions(&target, fs::Permissions::from_mode(mode))?;
                }
            }
        }
        own.insert(target);
    }
    for (folder, mode) in folders.into_iter().rev() {
        // An ordinary user must be able to remove it again, and to descend into it.
        let mode = if owned { mode } else { mode | 0o700 };
        if fs::symlink_metadata(&folder).is_ok_and(|there| there.is_dir()) {
            fs::set_permissions(&folder, fs::Permissions::from_mode(mode))?;
        }
    }
    Ok(())
}

/// Where `path` of an archive lies under `root`, following links of the root's own *inside* it, so that no archive
/// writes outside. `None` for the root itself.
fn inside(root: &Path, path: &Path) -> io::Result<Option<PathBuf>> {
    let mut parts: Vec<_> = path.components().collect();
    let last = loop {
        match parts.pop() {
            None => return Ok(None),
            Some(Component::Normal(last)) => break last.to_os_string(),
            Some(Component::CurDir) => {}
            Some(_) => {
                return Err(io::Error::new(
                    io::ErrorKind::InvalidData,
                    format!("the path {} is not one", path.display()),
                ));
            }
        }
    };
    let rest: PathBuf = parts.iter().collect();
    Ok(Some(resolve_in_root(root, &rest)?.join(last)))
}

/// Follows `path` as a process whose root is `root` would, and returns where that is. What does not exist is taken
/// as it stands.
pub(crate) fn resolve_in_root(root: &Path, path: &Path) -> io::Result<PathBuf> {
    let mut left: Vec<std::ffi::OsString> = path.components().rev().filter_map(part).collect();
    let mut at: Vec<std::ffi::OsString> = Vec::new();
    let mut hops = 0;
    while let Some(next) = left.pop() {
        if next == ".." {
            at.pop();
            continue;
        }
        at.push(next);
        let here = root.join(at.iter().collect::<PathBuf>());
        if let Ok(link) = fs::read_link(&here) {
            hops += 1;
            if hops > 40 {
                return Err(io::Error::new(
                    io::ErrorKind::InvalidData,
                    format!("too many links at {}", path.display()),
                ));
            }
            at.pop();
            if link.is_absolute() {
                at.clear();
            }
            left.extend(link.components().rev().filter_map(part));
        }
    }
    Ok(root.join(at.iter().collect::<PathBuf>()))
}

fn part(component: Component<'_>) -> Option<std::ffi::OsString> {
    match component {
        Component::Normal(part) => Some(part.to_os_string()),
        Component::ParentDir => Some("..".into()),
        _ => None,
    }
}

/// Removes what earlier layers put into `folder`.
fn clear(folder: &Path, own: &BTreeSet<PathBuf>) {
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        let path = entry.path();
        if own.contains(&path) {
            if path.is_dir() {
                clear(&path, own);
            }
        } else {
            remove_tree(&path);
        }
    }
}

/// Removes a file, link or folder with all in it, also where its folders' modes forbid that to their owner.
pub(crate) fn remove_tree(path: &Path) {
    let Ok(there) = fs::symlink_metadata(path) else { return };
    if !there.is_dir() {
        let _ = fs::remove_file(path);
        return;
    }
    if fs::remove_dir_all(path).is_ok() {
        return;
    }
    let _ = fs::set_permissions(path, fs::Permissions::from_mode(0o700));
    for entry in fs::read_dir(path).into_iter().flatten().flatten() {
        remove_tree(&entry.path());
    }
    let _ = fs::remove_dir(path);
}

/// Folders and files that a replica's own /proc, /dev and name resolution are put over.
fn make_mount_points(root: &Path) -> io::Result<()> {
    for folder in ["proc", "dev", "sys", "tmp", "etc"] {
        let path = resolve_in_root(root, Path::new(folder))?;
        if !path.is_dir() {
            fs::create_dir_all(&path)?;
        }
    }
    fs::set_permissions(root.join("tmp"), fs::Permissions::from_mode(0o1777)).ok();
    for file in ["resolv.conf", "hosts", "hostname"] {
        let path = root.join("etc").join(file);
        // A link (to /run/systemd, say) leads nowhere here.
        if !fs::symlink_metadata(&path).is_ok_and(|there| there.is_file()) {
            remove_tree(&path);
            fs::write(&path, "")?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn references_split_as_docker_splits_them() {
        let split = |image: &str| {
            let pull = parse_reference("app", image);
            (pull.server, pull.repository, pull.reference)
        };
        let text = |a: &str, b: &str, c: &str| (a.to_owned(), b.to_owned(), c.to_owned());
        assert_eq!(
            split("cr.azurecr.localhost:8443/a/web:v1"),
            text("cr.azurecr.localhost:8443", "a/web", "v1")
        );
        assert_eq!(split("cr.azurecr.io/web@sha256:ab"), text("cr.azurecr.io", "web", "sha256:ab"));
        assert_eq!(split("cr.azurecr.io/web:v1@sha256:ab"), text("cr.azurecr.io", "web", "sha256:ab"));
        assert_eq!(split("nginx"), text("docker.io", "library/nginx", "latest"));
        assert_eq!(split("me/app:2"), text("docker.io", "me/app", "2"));
        assert!(is_quickstart("mcr.microsoft.com/k8se/quickstart:latest"));
        assert!(is_quickstart("mcr.microsoft.com/k8se/quickstart"));
        assert!(!is_quickstart("mcr.microsoft.com/k8se/quickstart-jobs:latest"));
    }

    fn layer(build: impl FnOnce(&mut tar::Builder<Vec<u8>>)) -> (Vec<u8>, String) {
        let mut builder = tar::Builder::new(Vec::new());
        build(&mut builder);
        let bytes = builder.into_inner().unwrap();
        let digest = format!("sha256:{}", hex::encode(Sha256::digest(&bytes)));
        (bytes, digest)
    }

    fn file(builder: &mut tar::Builder<Vec<u8>>, path: &str, content: &str) {
        let mut header = tar::Header::new_gnu();
        header.set_size(content.len() as u64);
        header.set_mode(0o644);
        builder.append_data(&mut header, path, content.as_bytes()).unwrap();
    }

    fn raw_path(builder: &mut tar::Builder<Vec<u8>>, path: &str, content: &str) {
        let mut header = tar::Header::new_gnu();
        header.as_old_mut().name[..path.len()].copy_from_slice(path.as_bytes());
        header.set_size(content.len() as u64);
        header.set_mode(0o644);
        header.set_cksum();
        builder.append(&header, content.as_bytes()).unwrap();
    }

    fn link(builder: &mut tar::Builder<Vec<u8>>, path: &str, to: &str) {
        let mut header = tar::Header::new_gnu();
        header.set_entry_type(tar::EntryType::Symlink);
        header.set_size(0);
        builder.append_link(&mut header, path, to).unwrap();
    }

    const TAR: &str = "application/vnd.oci.image.layer.v1.tar";

    #[test]
    fn whiteouts_hide_what_lower_layers_had() {
        let root = tempfile::tempdir().unwrap();
        let (one, one_digest) = layer(|b| {
            file(b, "a/one", "1");
            file(b, "a/two", "2");
            file(b, "b/three", "3");
        });
        let (two, two_digest) = layer(|b| {
            file(b, "a/.wh.one", "");
            file(b, "b/new", "n");
            file(b, "b/.wh..wh..opq", "");
        });
        unpack_layer(&one[..], TAR, &one_digest, root.path()).unwrap();
        unpack_layer(&two[..], TAR, &two_digest, root.path()).unwrap();
        assert!(!root.path().join("a/one").exists());
        assert!(root.path().join("a/two").exists());
        assert!(!root.path().join("b/three").exists());
        assert!(root.path().join("b/new").exists());
    }

    #[test]
    fn nothing_is_written_outside_the_root() {
        let outside = tempfile::tempdir().unwrap();
        let root = outside.path().join("root");
        fs::create_dir(&root).unwrap();
        let (dots, digest) = layer(|b| raw_path(b, "../escaped", "x"));
        // `..` at the root stays at the root, as it does for a process whose root it is.
        unpack_layer(&dots[..], TAR, &digest, &root).unwrap();
        assert!(!outside.path().join("escaped").exists());

        let (linked, digest) = layer(|b| {
            link(b, "way", outside.path().to_str().unwrap());
            link(b, "up", "../..");
            file(b, "way/escaped", "x");
            file(b, "up/escaped", "x");
        });
        unpack_layer(&linked[..], TAR, &digest, &root).unwrap();
        assert!(!outside.path().join("escaped").exists());
        assert!(root.join("escaped").exists());
    }

    #[test]
    fn a_layer_that_is_not_what_its_digest_says_is_refused() {
        let root = tempfile::tempdir().unwrap();
        let (bytes, _) = layer(|b| file(b, "a", "1"));
        let refusal = unpack_layer(&bytes[..], TAR, "sha256:00", root.path()).unwrap_err();
        assert!(refusal.message.starts_with("DIGEST_INVALID"), "{}", refusal.message);
        assert!(refusal.lasting);
    }
}
