//! Content by the gigabyte: bodies of uploads on their way to disk, and what is read back.
//!
//! The world names content by [`Segment`]s; the bytes are files in one folder, each written once, hashed on the
//! way, and never changed. What the world no longer names is removed by [`Contents::sweep`].

use std::collections::BTreeSet;
use std::fs::File;
use std::io::{Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use http_body_util::BodyExt;
use hyper::body::Body;
use md5::Md5;
use sha2::{Digest, Sha256};

use crate::Error;
use crate::control::make_folder;
use crate::world::http::Segment;

/// Read from disk at once: large enough that the hop to a blocking thread costs little.
const CHUNK: usize = 256 << 10;
/// Gathered before a write, for the same reason.
const WRITE: usize = 1 << 20;
/// Pieces that wait for the disk before a client has to.
const WAITING_MAX: usize = 4;

/// Azure's CRC64 of content.
static CRC64: crc::Crc<u64, crc::Table<16>> = crc::Crc::<u64, crc::Table<16>>::new(&crc::CRC_64_NVME);

/// Which digests a plane wants of an upload; each costs time.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Digests {
    /// Registries name content by it.
    pub(crate) sha256: bool,
    /// Blobs tell it.
    pub(crate) md5: bool,
    /// Blobs tell it.
    pub(crate) crc64: bool,
}

/// The folder of contents.
#[derive(Clone, Debug)]
pub(crate) struct Contents {
    folder: Arc<PathBuf>,
    /// Keys that are being uploaded, or whose upload the world has not taken over yet.
    pending: Arc<Mutex<BTreeSet<String>>>,
}

/// An upload that has come in whole; kept from being swept until dropped.
#[derive(Debug)]
pub(crate) struct Upload {
    pub(crate) segment: Segment,
    contents: Contents,
}

impl Drop for Upload {
    fn drop(&mut self) {
        self.contents.pending().remove(&self.segment.key);
    }
}

/// Why a body could not be taken in.
#[derive(Debug)]
pub(crate) enum Refused {
    /// The client went away or sent garbage.
    Broken(String),
    /// More than the plane takes.
    TooLarge,
    /// The disk is full, most often.
    Disk(std::io::Error),
}

impl Contents {
    /// Contents in `folder`, which is made when missing.
    pub(crate) fn open(folder: PathBuf) -> Result<Contents, Error> {
        make_folder(&folder)?;
        Ok(Contents { folder: Arc::new(folder), pending: Arc::default() })
    }

    fn pending(&self) -> std::sync::MutexGuard<'_, BTreeSet<String>> {
        self.pending.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Where a content's bytes are. Keys are made here and are hex, so that they are no way out of the folder.
    pub(crate) fn path(&self, key: &str) -> PathBuf {
        self.folder.join(key)
    }

    /// Takes in a body, up to `max` bytes of it.
    pub(crate) async fn take<B>(&self, mut body: B, max: u64, wanted: Digests) -> Result<Upload, Refused>
    where
        B: Body<Data = Bytes> + Unpin,
        B::Error: std::fmt::Display,
    {
        let key = uuid::Uuid::new_v4().simple().to_string();
        self.pending().insert(key.clone());
        let mut upload = Upload { segment: Segment { key, ..Segment::default() }, contents: self.clone() };
        let path = self.path(&upload.segment.key);
        let result = self.fill(&mut body, max, wanted, &path, &mut upload.segment).await;
        if let Err(refused) = result {
            let _ = std::fs::remove_file(&path);
            return Err(refused);
        }
        Ok(upload)
    }

    /// Writes and hashes on a thread of its own what comes in, while more comes in.
    async fn fill<B>(
        &self,
        body: &mut B,
        max: u64,
        wanted: Digests,
        path: &Path,
        segment: &mut Segment,
    ) -> Result<(), Refused>
    where
        B: Body<Data = Bytes> + Unpin,
        B::Error: std::fmt::Display,
    {
        let sink = Sink::new(create(path).map_err(Refused::Disk)?, Hashes::of(wanted));
        let (send, mut receive) = tokio::sync::mpsc::channel::<Vec<Bytes>>(WAITING_MAX);
        let writer = tokio::task::spawn_blocking(move || {
            let mut sink = sink;
            while let Some(gathered) = receive.blocking_recv() {
                for data in &gathered {
                    sink.write(data)?;
                }
            }
            sink.end()
        });
        let came = gather(body, max, segment, send).await;
        let hashed = writer.await.map_err(std::io::Error::other).and_then(|hashed| hashed);
        // of a disk that is full and a client that broke off, the disk is what is told
        let named = hashed.map_err(Refused::Disk)?;
        (segment.sha256, segment.md5, segment.crc64) = (named.sha256, named.md5, named.crc64);
        came
    }

    /// Reads segments one after the other.
    pub(crate) fn reader(&self, segments: &[Segment]) -> Reader {
        Reader { contents: self.clone(), segments: segments.to_vec().into(), open: None }
    }

    /// Segments as a stream of chunks for an answer.
    pub(crate) fn stream(
        &self,
        segments: &[Segment],
    ) -> impl futures::Stream<Item = std::io::Result<Bytes>> + Send + use<> {
        // The next chunk is read while the last one is encrypted and sent.
        let next = |mut reader: Reader| {
            tokio::task::spawn_blocking(move || chunk(&mut reader).map(|chunk| (chunk, reader)))
        };
        futures::stream::try_unfold(next(self.reader(segments)), move |reading| async move {
            let (chunk, reader) = reading.await.map_err(std::io::Error::other)??;
            Ok((!chunk.is_empty()).then(|| (chunk, next(reader))))
        })
    }

    /// The text of segments put together.
    pub(crate) fn text(&self, segments: &[Segment]) -> std::io::Result<String> {
        let mut text = String::new();
        self.reader(segments).read_to_string(&mut text)?;
        Ok(text)
    }

    /// Digests of segments put together.
    pub(crate) async fn digest(&self, segments: &[Segment], wanted: Digests) -> std::io::Result<Named> {
        let mut reader = self.reader(segments);
        blocking(move || {
            let mut hashes = Hashes::of(wanted);
            let mut chunk = vec![0; CHUNK];
            loop {
                match reader.read(&mut chunk)? {
                    0 => return Ok(hashes.named()),
                    n => hashes.update(&chunk[..n]),
                }
            }
        })
        .await
    }

    /// Hex SHA-256 of segments put together.
    pub(crate) fn sha256(&self, segments: &[Segment]) -> std::io::Result<String> {
        if let [one] = segments
            && one.offset == 0
            && !one.sha256.is_empty()
        {
            return Ok(one.sha256.clone());
        }
        let mut hash = Sha256::new();
        let mut reader = self.reader(segments);
        let mut chunk = vec![0; CHUNK];
        loop {
            match reader.read(&mut chunk)? {
                0 => return Ok(hex::encode(hash.finalize())),
                n => hash.update(&chunk[..n]),
            }
        }
    }

    /// Whether each of `named` is there in its whole length; the first that is not.
    pub(crate) fn missing<'a>(&self, named: impl IntoIterator<Item = &'a Segment>) -> Option<String> {
        let whole = |segment: &Segment| {
            std::fs::metadata(self.path(&segment.key))
                .is_ok_and(|data| data.len() >= segment.offset.saturating_add(segment.length))
        };
        named.into_iter().find(|it| !it.is_hole() && !whole(it)).map(|segment| segment.key.clone())
    }

    /// Removes what is neither being uploaded nor in what `named` returns.
    pub(crate) fn sweep(&self, named: impl FnOnce() -> BTreeSet<String>) {
        // In this order nothing is lost: an upload that begins after the list of files is not in it, and one that
        // is no longer pending has been taken over by the world before `named` asks it.
        let Ok(entries) = std::fs::read_dir(&*self.folder) else { return };
        let files: Vec<String> = entries.flatten().filter_map(|e| e.file_name().into_string().ok()).collect();
        let pending = self.pending().clone();
        let named = named();
        for file in files {
            if !named.contains(&file) && !pending.contains(&file) {
                // What cannot be removed now is tried again by the next sweep.
                let _ = std::fs::remove_file(self.path(&file));
            }
        }
    }
}

/// Sends a body on in pieces worth a write, and counts it.
async fn gather<B>(
    body: &mut B,
    max: u64,
    segment: &mut Segment,
    send: tokio::sync::mpsc::Sender<Vec<Bytes>>,
) -> Result<(), Refused>
where
    B: Body<Data = Bytes> + Unpin,
    B::Error: std::fmt::Display,
{
    let (mut gathered, mut waiting) = (Vec::new(), 0);
    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(|e| Refused::Broken(e.to_string()))?;
        let Ok(data) = frame.into_data() else { continue };
        segment.length += data.len() as u64;
        if segment.length > max {
            return Err(Refused::TooLarge);
        }
        waiting += data.len();
        gathered.push(data);
        if waiting >= WRITE {
            waiting = 0;
            // nobody receives after an error of the disk, which the writer tells
            if send.send(std::mem::take(&mut gathered)).await.is_err() {
                return Ok(());
            }
        }
    }
    let _ = send.send(gathered).await;
    Ok(())
}

/// Where an upload is written, in blocks.
///
/// What is large goes past the page cache: filling it costs more than all else that is done with a byte here, and an
/// image that is pushed need not throw out what other programs have there.
struct Sink {
    file: File,
    hashes: Hashes,
    block: Block,
    written: u64,
    way: Way,
}

/// How blocks are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Way {
    /// Through the page cache, until it is known to be large.
    Cached,
    /// Past it.
    Direct,
    /// Through it, as the file system knows no other way.
    CachedOnly,
}

/// From here on an upload is a large one.
const LARGE: u64 = 4 << 20;

impl Sink {
    fn new(file: File, hashes: Hashes) -> Sink {
        Sink { file, hashes, block: Block::new(), written: 0, way: Way::Cached }
    }

    fn write(&mut self, mut data: &[u8]) -> std::io::Result<()> {
        self.hashes.update(data);
        while !data.is_empty() {
            data = self.block.fill(data);
            if self.block.is_full() {
                self.flush()?;
            }
        }
        Ok(())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        if self.way == Way::Cached && self.written >= LARGE {
            self.way = if direct(&self.file, true) { Way::Direct } else { Way::CachedOnly };
        }
        if self.way == Way::Direct && !self.block.is_full() {
            // only whole blocks go this way
            direct(&self.file, false);
            self.way = Way::CachedOnly;
        }
        match self.file.write_all(self.block.bytes()) {
            // some file systems take the flag and not the write; nothing was written then
            Err(error) if self.way == Way::Direct && error.kind() == std::io::ErrorKind::InvalidInput => {
                direct(&self.file, false);
                self.way = Way::CachedOnly;
                self.file.write_all(self.block.bytes())?;
            }
            written => written?,
        }
        self.written += self.block.bytes().len() as u64;
        self.block.clear();
        Ok(())
    }

    fn end(mut self) -> std::io::Result<Named> {
        self.flush()?;
        Ok(self.hashes.named())
    }
}

/// Turns writing past the page cache on or off; whether that worked.
#[cfg(target_os = "linux")]
fn direct(file: &File, on: bool) -> bool {
    use nix::fcntl::{FcntlArg, OFlag, fcntl};
    let Ok(flags) = fcntl(file, FcntlArg::F_GETFL) else { return false };
    let mut flags = OFlag::from_bits_retain(flags);
    flags.set(OFlag::O_DIRECT, on);
    fcntl(file, FcntlArg::F_SETFL(flags)).is_ok()
}

#[cfg(not(target_os = "linux"))]
fn direct(_file: &File, _on: bool) -> bool {
    false
}

/// A buffer of [`WRITE`] bytes that begins where disks want it to.
struct Block {
    memory: Vec<u8>,
    begin: usize,
    filled: usize,
}

impl Block {
    /// A page, which is a multiple of every disk's sector.
    const ALIGNED: usize = 4096;

    fn new() -> Block {
        Block { memory: Vec::new(), begin: 0, filled: 0 }
    }

    /// Takes what fits of some bytes; returns the others.
    fn fill<'a>(&mut self, data: &'a [u8]) -> &'a [u8] {
        if self.memory.is_empty() {
            self.memory = vec![0; WRITE + Block::ALIGNED];
            self.begin = self.memory.as_ptr().align_offset(Block::ALIGNED).min(Block::ALIGNED);
        }
        let (own, left) = data.split_at(data.len().min(WRITE - self.filled));
        let at = self.begin + self.filled;
        self.memory[at..at + own.len()].copy_from_slice(own);
        self.filled += own.len();
        left
    }

    fn is_full(&self) -> bool {
        self.filled == WRITE
    }

    fn bytes(&self) -> &[u8] {
        &self.memory[self.begin..self.begin + self.filled]
    }

    fn clear(&mut self) {
        self.filled = 0;
    }
}

/// Digests under way.
struct Hashes {
    sha256: Option<Sha256>,
    md5: Option<Md5>,
    crc64: Option<crc::Digest<'static, u64, crc::Table<16>>>,
}

/// Digests as segments have them; empty: not wanted.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Named {
    /// Hex.
    pub(crate) sha256: String,
    /// Base64.
    pub(crate) md5: String,
    /// Base64 of the little-endian number, as Azure writes it.
    pub(crate) crc64: String,
}

impl Hashes {
    fn of(wanted: Digests) -> Hashes {
        Hashes {
            sha256: wanted.sha256.then(Sha256::new),
            md5: wanted.md5.then(Md5::new),
            crc64: wanted.crc64.then(|| CRC64.digest()),
        }
    }

    fn update(&mut self, data: &[u8]) {
        if let Some(sha256) = &mut self.sha256 {
            sha256.update(data);
        }
        if let Some(md5) = &mut self.md5 {
            md5.update(data);
        }
        if let Some(crc64) = &mut self.crc64 {
            crc64.update(data);
        }
    }

    fn named(self) -> Named {
        Named {
            sha256: self.sha256.map(|it| hex::encode(it.finalize())).unwrap_or_default(),
            md5: self.md5.map(|it| STANDARD.encode(it.finalize())).unwrap_or_default(),
            crc64: self.crc64.map(|it| STANDARD.encode(it.finalize().to_le_bytes())).unwrap_or_default(),
        }
    }
}

/// Segments as one [`Read`].
#[derive(Debug)]
pub(crate) struct Reader {
    contents: Contents,
    segments: std::collections::VecDeque<Segment>,
    /// What is read now, and how much of it is left.
    open: Option<(Source, u64)>,
}

#[derive(Debug)]
enum Source {
    File(File),
    /// What was never written reads as zeros.
    Hole,
}

impl Read for Reader {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        loop {
            if let Some((source, left)) = &mut self.open {
                if *left > 0 {
                    let most = buffer.len().min(usize::try_from(*left).unwrap_or(usize::MAX));
                    let n = match source {
                        Source::File(file) => file.read(&mut buffer[..most])?,
                        Source::Hole => {
                            buffer[..most].fill(0);
                            most
                        }
                    };
                    if n == 0 && most > 0 {
                        return Err(std::io::ErrorKind::UnexpectedEof.into());
                    }
                    *left -= n as u64;
                    return Ok(n);
                }
                self.open = None;
            }
            let Some(segment) = self.segments.pop_front() else { return Ok(0) };
            if segment.is_hole() {
                self.open = Some((Source::Hole, segment.length));
                continue;
            }
            let mut file = File::open(self.contents.path(&segment.key))?;
            file.seek(SeekFrom::Start(segment.offset))?;
            self.open = Some((Source::File(file), segment.length));
        }
    }
}

/// What is read at once; empty at the end.
fn chunk(reader: &mut Reader) -> std::io::Result<Bytes> {
    let mut chunk = Vec::with_capacity(CHUNK);
    reader.take(CHUNK as u64).read_to_end(&mut chunk)?;
    Ok(Bytes::from(chunk))
}

fn create(path: &Path) -> std::io::Result<File> {
    use std::os::unix::fs::OpenOptionsExt;
    File::options().write(true).create_new(true).mode(0o600).open(path)
}

async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> std::io::Result<T> + Send + 'static,
) -> std::io::Result<T> {
    tokio::task::spawn_blocking(work).await.map_err(std::io::Error::other)?
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn digests_are_as_azure_has_them() {
        let folder = tempfile::tempdir().unwrap();
        let contents = Contents::open(folder.path().to_owned()).unwrap();
        let body = http_body_util::Full::new(Bytes::from_static(b"hello world again"));
        let wanted = Digests { md5: true, crc64: true, sha256: false };
        let upload = contents.take(body, 100, wanted).await.unwrap();
        // What Azure answered for these bytes.
        assert_eq!(upload.segment.md5, "ADIaUHvbQg271PU8czsVBQ==");
        assert_eq!(upload.segment.crc64, "mpnC2q1C3TI=");
        assert_eq!(upload.segment.sha256, "", "not asked for");
        let holed = [upload.segment.clone(), Segment::hole(3)];
        let mut text = String::new();
        contents.reader(&holed).read_to_string(&mut text).unwrap();
        assert_eq!(text, "hello world again\0\0\0");
        let again = contents.digest(std::slice::from_ref(&upload.segment), wanted).await.unwrap();
        assert_eq!(again.crc64, upload.segment.crc64);
    }

    #[tokio::test]
    async fn large_contents_come_back_as_they_were_sent() {
        // in the working folder: where temporary files are kept in memory there is no way past the cache
        let folder = tempfile::tempdir_in(concat!(env!("CARGO_MANIFEST_DIR"), "/../../target")).unwrap();
        let contents = Contents::open(folder.path().to_owned()).unwrap();
        let sent: Vec<u8> = (0..7_654_321_u32).map(|n| (n.wrapping_mul(2_654_435_761) >> 24) as u8).collect();
        let frames: Vec<_> = sent
            .chunks(16_383)
            .map(|part| Ok::<_, std::io::Error>(hyper::body::Frame::data(Bytes::copy_from_slice(part))))
            .collect();
        let body = http_body_util::StreamBody::new(futures::stream::iter(frames));
        let wanted = Digests { sha256: true, ..Digests::default() };
        let upload = contents.take(body, 1 << 30, wanted).await.unwrap();
        assert_eq!(upload.segment.length, 7_654_321);
        assert_eq!(upload.segment.sha256, hex::encode(Sha256::digest(&sent)));
        let parts: Vec<_> =
            futures::StreamExt::collect(contents.stream(std::slice::from_ref(&upload.segment))).await;
        let back: Vec<u8> = parts.into_iter().flat_map(|part| part.unwrap().to_vec()).collect();
        assert!(back == sent, "other bytes came back");
    }
}
