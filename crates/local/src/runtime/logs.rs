//! What replicas write: the last lines in memory, all of it (up to a limit) in a file, and new lines to whoever
//! follows.

use std::collections::{BTreeMap, VecDeque};
use std::fs::File;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use jiff::Timestamp;
use tokio::io::{AsyncBufReadExt, AsyncRead, BufReader};
use tokio::sync::broadcast;

/// Lines kept in memory per container: what `tailLines` may ask for at most (300), several times over.
const RING: usize = 2_000;
/// A file is begun anew at this size, with one older one kept: an app that logs without end must not fill the disk.
const FILE_BYTES_MAX: u64 = 16 << 20;
/// A longer line is cut: programs that write megabytes without a newline exist.
const LINE_BYTES_MAX: usize = 64 << 10;

/// Where a line came from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stream {
    /// Standard output.
    Stdout,
    /// Standard error.
    Stderr,
    /// The platform itself: pulls, probes, restarts.
    System,
}

/// One line of a log.
#[derive(Clone, Debug)]
pub struct Line {
    /// When it was read.
    pub at: Timestamp,
    /// Where it came from.
    pub stream: Stream,
    /// Without its newline.
    pub text: Arc<str>,
}

/// Logs of replicas that have ended and are still told of, per app.
const ENDED_MAX: usize = 20;

/// Every log there is.
#[derive(Debug)]
pub(crate) struct Logs {
    folder: PathBuf,
    all: Mutex<All>,
}

#[derive(Debug, Default)]
struct All {
    system: BTreeMap<String, Arc<Log>>,
    /// In the order of their beginning.
    containers: Vec<Named>,
}

/// Whose log it is.
#[derive(Clone, Debug)]
pub(crate) struct Named {
    pub app: String,
    pub revision: String,
    pub replica: String,
    pub container: String,
    pub ended: bool,
    pub log: Arc<Log>,
}

impl Logs {
    /// Keeps files in `folder`.
    pub fn new(folder: PathBuf) -> Logs {
        Logs { folder, all: Mutex::default() }
    }

    fn all(&self) -> std::sync::MutexGuard<'_, All> {
        self.all.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
    }

    /// A new log for a container of a replica.
    pub fn open(&self, app: &str, revision: &str, replica: &str, container: &str) -> Arc<Log> {
        let path = self
            .folder
            .join(super::image::short_hash(app))
            .join(revision)
            .join(format!("{replica}.{container}.log"));
        let log = Log::new(Some(path));
        let mut all = self.all();
        all.containers.push(Named {
            app: app.to_owned(),
            revision: revision.to_owned(),
            replica: replica.to_owned(),
            container: container.to_owned(),
            ended: false,
            log: log.clone(),
        });
        log
    }

    /// What the platform says about an app.
    pub fn system(&self, app: &str) -> Arc<Log> {
        let path = self.folder.join(super::image::short_hash(app)).join("system.log");
        self.all().system.entry(app.to_owned()).or_insert_with(|| Log::new(Some(path))).clone()
    }

    /// A replica has ended: its log is told of for a while, then forgotten, file and all.
    pub fn ended(&self, replica: &str) {
        let mut all = self.all();
        let mut app = String::new();
        for named in all.containers.iter_mut().filter(|named| named.replica == replica) {
            named.ended = true;
            app.clone_from(&named.app);
        }
        let ended = all.containers.iter().filter(|named| named.ended && named.app == app).count();
        let mut surplus = ended.saturating_sub(ENDED_MAX);
        all.containers.retain(|named| {
            let goes = surplus > 0 && named.ended && named.app == app;
            if goes {
                surplus -= 1;
                named.log.remove_file();
            }
            !goes
        });
    }

    /// Logs of containers that `wanted` names, oldest first.
    pub fn find(&self, wanted: impl Fn(&Named) -> bool) -> Vec<Named> {
        self.all().containers.iter().filter(|named| wanted(named)).cloned().collect()
    }

    /// The last lines that a revision's containers wrote, of the replica that wrote something most lately.
    pub fn last_lines(&self, app: &str, revision: &str, count: usize) -> Vec<String> {
        let logs = self.find(|named| named.app == app && named.revision == revision);
        let written = logs.iter().rev().map(|named| named.log.tail(RING));
        let own = written
            .map(|lines| lines.into_iter().filter(|line| line.stream != Stream::System).collect::<Vec<_>>());
        let lines = own.into_iter().find(|lines| !lines.is_empty()).unwrap_or_default();
        lines.iter().skip(lines.len().saturating_sub(count)).map(|line| line.text.to_string()).collect()
    }
}

/// The log of one container, or of the platform about one app.
#[derive(Debug)]
pub(crate) struct Log {
    kept: Mutex<Kept>,
    live: broadcast::Sender<Line>,
}

#[derive(Debug)]
struct Kept {
    ring: VecDeque<Line>,
    file: Option<File>,
    path: Option<PathBuf>,
    written: u64,
}

impl Log {
    /// Keeps lines in memory and, when given, in the file at `path`.
    pub fn new(path: Option<PathBuf>) -> Arc<Log> {
        let file = path.as_deref().and_then(open);
        let written = file.as_ref().and_then(|file| file.metadata().ok()).map_or(0, |data| data.len());
        Arc::new(Log {
            kept: Mutex::new(Kept { ring: VecDeque::new(), file, path, written }),
            live: broadcast::channel(1024).0,
        })
    }

    /// Adds a line.
    pub fn add(&self, stream: Stream, text: &str) {
        let line = Line { at: Timestamp::now(), stream, text: text.into() };
        let mut kept = self.kept.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
        if kept.ring.len() == RING {
            kept.ring.pop_front();
        }
        kept.ring.push_back(line.clone());
        kept.write(&line);
        // Under the lock, so that a follower neither misses a line nor sees one twice.
        let _ = self.live.send(line);
    }

    /// The last `count` lines.
    pub fn tail(&self, count: usize) -> Vec<Line> {
        let kept = self.kept.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
        kept.ring.iter().skip(kept.ring.len().saturating_sub(count)).cloned().collect()
    }

    /// The last `count` lines, and those to come.
    pub fn follow(&self, count: usize) -> (Vec<Line>, broadcast::Receiver<Line>) {
        let kept = self.kept.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
        let lines = kept.ring.iter().skip(kept.ring.len().saturating_sub(count)).cloned().collect();
        (lines, self.live.subscribe())
    }

    /// Removes the file; lines stay in memory.
    fn remove_file(&self) {
        let mut kept = self.kept.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
        kept.file = None;
        if let Some(path) = kept.path.take() {
            let _ = std::fs::remove_file(&path);
            let _ = std::fs::remove_file(path.with_extension("log.1"));
        }
    }

    /// Reads `from` to its end, line by line.
    pub async fn take(self: Arc<Log>, stream: Stream, from: impl AsyncRead + Unpin) {
        let mut reader = BufReader::new(from);
        let mut line: Vec<u8> = Vec::new();
        loop {
            let (used, ended) = match reader.fill_buf().await {
                Ok([]) | Err(_) => break,
                Ok(buffer) => {
                    let end = buffer.iter().position(|byte| *byte == b'\n');
                    let text = &buffer[..end.unwrap_or(buffer.len())];
                    let room = LINE_BYTES_MAX.saturating_sub(line.len());
                    line.extend_from_slice(&text[..text.len().min(room)]);
                    (end.map_or(buffer.len(), |end| end + 1), end.is_some())
                }
            };
            reader.consume(used);
            if ended {
                self.add(stream, String::from_utf8_lossy(&line).trim_end_matches('\r'));
                line.clear();
            }
        }
        if !line.is_empty() {
            self.add(stream, &String::from_utf8_lossy(&line));
        }
    }
}

impl Kept {
    fn write(&mut self, line: &Line) {
        let Some(file) = &mut self.file else { return };
        let stream = match line.stream {
            Stream::Stdout => "stdout",
            Stream::Stderr => "stderr",
            Stream::System => "system",
        };
        let text = format!("{:.3} {stream} {}\n", line.at, line.text);
        if file.write_all(text.as_bytes()).is_err() {
            // A full disk must not end the app: the lines stay in memory.
            self.file = None;
            return;
        }
        self.written += text.len() as u64;
        if self.written > FILE_BYTES_MAX
            && let Some(path) = &self.path
        {
            let _ = std::fs::rename(path, path.with_extension("log.1"));
            self.file = open(path);
            self.written = 0;
        }
    }
}

fn open(path: &Path) -> Option<File> {
    std::fs::create_dir_all(path.parent()?).ok()?;
    File::options().create(true).append(true).open(path).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn lines_are_kept_followed_and_written() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a/b.log");
        let log = Log::new(Some(path.clone()));
        log.clone().take(Stream::Stdout, &b"one\r\ntwo\nthree"[..]).await;
        let texts: Vec<String> = log.tail(2).iter().map(|line| line.text.to_string()).collect();
        assert_eq!(texts, ["two", "three"]);
        let (before, mut live) = log.follow(1);
        assert_eq!(&*before[0].text, "three");
        log.add(Stream::Stderr, "four");
        assert_eq!(&*live.recv().await.unwrap().text, "four");
        let written = std::fs::read_to_string(path).unwrap();
        assert_eq!(written.lines().count(), 4);
        assert!(written.contains("stderr four"));
    }

    #[tokio::test]
    async fn a_line_without_end_is_cut() {
        let log = Log::new(None);
        let long = vec![b'x'; LINE_BYTES_MAX * 2];
        log.clone().take(Stream::Stdout, &long[..]).await;
        assert_eq!(log.tail(1)[0].text.len(), LINE_BYTES_MAX);
    }
}
