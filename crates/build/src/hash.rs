//! SHA-256 in the one form used here: lower-case hex.

use sha2::{Digest, Sha256};
use std::io::{self, Read, Write};
use std::path::Path;

/// Collects values so that no two different lists of them give the same hash.
pub(crate) struct Mixer(Sha256);

impl Mixer {
    pub(crate) fn new(purpose: &str) -> Mixer {
        let mut mixer = Mixer(Sha256::new());
        mixer.add(purpose);
        mixer
    }

    /// Adds one value. Its length goes first, so that "ab","c" differs from "a","bc".
    pub(crate) fn add(&mut self, value: impl AsRef<[u8]>) -> &mut Mixer {
        let value = value.as_ref();
        self.0.update((value.len() as u64).to_le_bytes());
        self.0.update(value);
        self
    }

    pub(crate) fn hex(self) -> String {
        hex::encode(self.0.finalize())
    }
}

/// Hashes bytes.
pub(crate) fn of(bytes: &[u8]) -> String {
    hex::encode(Sha256::digest(bytes))
}

/// Hashes a file's content, without holding it in memory.
pub(crate) fn of_file(path: &Path) -> io::Result<String> {
    let mut file = std::fs::File::open(path)?;
    let mut hash = Sha256::new();
    let mut buffer = vec![0; 64 * 1024];
    loop {
        let read = file.read(&mut buffer)?;
        if read == 0 {
            return Ok(hex::encode(hash.finalize()));
        }
        hash.update(&buffer[..read]);
    }
}

/// Passes bytes on, hashing and counting them.
pub(crate) struct HashWriter<W> {
    inner: W,
    hash: Sha256,
    written: u64,
}

impl<W: Write> HashWriter<W> {
    pub(crate) fn new(inner: W) -> HashWriter<W> {
        HashWriter { inner, hash: Sha256::new(), written: 0 }
    }

    /// Gives back the writer, the hash and the number of bytes.
    pub(crate) fn finish(self) -> (W, String, u64) {
        (self.inner, hex::encode(self.hash.finalize()), self.written)
    }
}

impl<W: Write> Write for HashWriter<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.inner.write(bytes)?;
        self.hash.update(&bytes[..written]);
        self.written += written as u64;
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.inner.flush()
    }
}
