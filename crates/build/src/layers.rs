//! Compressed layers on disk, found again by what they were made of.
//!
//! `layers/<digest>.tar.gz` is a layer; `keys/<key>` says which layer came out of a tree with that key. Both are
//! written under another name and renamed, so a build that is killed leaves nothing half-made.

use crate::Error;
use crate::hash::HashWriter;
use crate::image::{Holds, LAYER, Layer};
use crate::tree::Tree;
use flate2::{Compression, GzBuilder};
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};

/// The level of compression: beyond it, time doubles for a few per cent of size.
const LEVEL: Compression = Compression::new(5);

/// Where layers are kept.
#[derive(Debug, Clone)]
pub(crate) struct Shelf {
    layers: PathBuf,
    keys: PathBuf,
}

#[derive(serde::Serialize, serde::Deserialize)]
pub(crate) struct Record {
    pub(crate) digest: String,
    pub(crate) diff_id: String,
    pub(crate) size: u64,
}

impl Shelf {
    pub(crate) fn open(scratch: &Path) -> Result<Shelf, Error> {
        let shelf = Shelf { layers: scratch.join("layers"), keys: scratch.join("keys") };
        for folder in [&shelf.layers, &shelf.keys] {
            std::fs::create_dir_all(folder).map_err(Error::io("create", folder))?;
        }
        Ok(shelf)
    }

    /// Finds the layer that was made under this key.
    pub(crate) fn find(&self, key: &str, holds: Holds) -> Option<Layer> {
        let record: Record = serde_json::from_slice(&std::fs::read(self.keys.join(key)).ok()?).ok()?;
        self.layer(&record, holds)
    }

    /// Gives the layer of a record, when its file is still there and whole.
    pub(crate) fn layer(&self, record: &Record, holds: Holds) -> Option<Layer> {
        let path = self.path(&record.digest);
        let size = path.metadata().ok()?.len();
        (size == record.size).then(|| Layer {
            digest: record.digest.clone(),
            diff_id: record.diff_id.clone(),
            size,
            media_type: LAYER,
            path,
            holds,
        })
    }

    /// Packs a tree, or finds the layer that was made of the same one.
    pub(crate) fn pack(&self, tree: &Tree, holds: Holds) -> Result<Layer, Error> {
        let key = tree.key();
        match self.find(&key, holds) {
            Some(layer) => Ok(layer),
            None => self.pack_as(&key, tree, holds),
        }
    }

    /// Packs a tree and remembers it under a key of the caller's.
    pub(crate) fn pack_as(&self, key: &str, tree: &Tree, holds: Holds) -> Result<Layer, Error> {
        let temporary =
            tempfile::NamedTempFile::new_in(&self.layers).map_err(Error::io("write in", &self.layers))?;
        let compressed = HashWriter::new(BufWriter::with_capacity(1 << 16, temporary));
        // No name and no time in the header, and "unknown" for the system: the same bytes everywhere.
        let encoder = GzBuilder::new().mtime(0).operating_system(255).write(compressed, LEVEL);
        let mut archive = HashWriter::new(BufWriter::with_capacity(1 << 16, encoder));
        tree.write(&mut archive)?;
        let failed = || Error::io("write in", &self.layers);
        let (encoder, diff_id, _) = archive.finish();
        let encoder = encoder.into_inner().map_err(|error| failed()(error.into_error()))?;
        let (file, digest, size) = encoder.finish().map_err(failed())?.finish();
        let temporary = file.into_inner().map_err(|error| failed()(error.into_error()))?;
        let record =
            Record { digest: format!("sha256:{digest}"), diff_id: format!("sha256:{diff_id}"), size };
        let path = self.path(&record.digest);
        temporary.persist(&path).map_err(|error| Error::io("write", &path)(error.error))?;
        write_whole(&self.keys.join(key), &serde_json::to_vec(&record).expect("a record is plain text"))?;
        Ok(self.layer(&record, holds).expect("the layer was just written"))
    }

    fn path(&self, digest: &str) -> PathBuf {
        self.layers.join(format!("{}.tar.gz", digest.trim_start_matches("sha256:")))
    }
}

/// Writes a file so that a reader sees the old one or the new one, never a part.
pub(crate) fn write_whole(path: &Path, bytes: &[u8]) -> Result<(), Error> {
    let folder = path.parent().unwrap_or(Path::new("."));
    let mut temporary = tempfile::NamedTempFile::new_in(folder).map_err(Error::io("write in", folder))?;
    temporary.write_all(bytes).map_err(Error::io("write", path))?;
    temporary.persist(path).map_err(|error| Error::io("write", path)(error.error))?;
    Ok(())
}
