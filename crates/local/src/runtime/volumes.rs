//! Volumes: folders of this machine that containers of a replica find at paths of their own.
//!
//! An `EmptyDir` lives as long as its replica, a `Secret` has a file for each of its secrets, and what is a share of
//! Azure Files there is a folder here that all replicas of an environment share.

use std::fs;
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::{Component, Path, PathBuf};

use crate::world::Hidden;
use crate::world::container_apps::{Container, Volume, VolumeKind};

/// A volume in a container.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Mounted {
    /// Folder on the machine.
    pub source: PathBuf,
    /// Absolute path in the container.
    pub path: String,
    pub read_only: bool,
    /// Files that belong into it.
    pub files: Vec<(String, Hidden)>,
}

/// What a container mounts. `replica` is the replica's own folder, `shares` that of all.
pub(crate) fn mounts(
    container: &Container,
    volumes: &[Volume],
    replica: &Path,
    shares: &Path,
) -> Vec<Mounted> {
    let mount = |volume: &Volume| match &volume.kind {
        // No container can have this name.
        VolumeKind::Empty => (replica.join(".volumes").join(&volume.name), false, Vec::new()),
        VolumeKind::Secret(files) => (replica.join(".volumes").join(&volume.name), true, files.clone()),
        VolumeKind::Share { key, read_only } => {
            (shares.join(super::image::short_hash(key)), *read_only, Vec::new())
        }
    };
    let all = container.mounts.iter();
    all.filter_map(|wanted| {
        let (source, read_only, files) = mount(volumes.iter().find(|volume| volume.name == wanted.volume)?);
        // Never out of the volume.
        let below = Path::new(&wanted.sub_path).components();
        let below: PathBuf = below.filter(|part| matches!(part, Component::Normal(_))).collect();
        // Joining nothing would leave a closing slash.
        let source = if below.as_os_str().is_empty() { source } else { source.join(below) };
        Some(Mounted { source, path: wanted.path.clone(), read_only, files })
    })
    .collect()
}

/// Makes the folder and its files, as far as they are not there.
pub(crate) fn lay(mounted: &Mounted) -> io::Result<()> {
    fs::create_dir_all(&mounted.source)?;
    let mode = if mounted.read_only { 0o755 } else { 0o777 };
    fs::set_permissions(&mounted.source, fs::Permissions::from_mode(mode))?;
    for (name, value) in &mounted.files {
        let mut below = Path::new(name).components();
        if !below.all(|part| matches!(part, Component::Normal(_))) {
            continue;
        }
        let file = mounted.source.join(name);
        if let Some(folder) = file.parent() {
            fs::create_dir_all(folder)?;
        }
        fs::write(&file, &value.0)?;
        fs::set_permissions(&file, fs::Permissions::from_mode(0o644))?;
    }
    Ok(())
}
