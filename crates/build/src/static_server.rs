//! The small file server that static sites carry in their image.
//!
//! What can be asked for is listed when the server starts, so that no request can lead out of the folder: a path
//! is looked up, never put together. Content is told apart by its hash, since every file in an image has the same
//! time. Texts are compressed once and kept; large files are read from disk piece by piece.

use bytes::Bytes;
use flate2::Compression;
use flate2::write::GzEncoder;
use futures::stream;
use http::header::{
    ACCEPT_ENCODING, ACCEPT_RANGES, ALLOW, CACHE_CONTROL, CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_RANGE,
    CONTENT_TYPE, ETAG, HeaderMap, HeaderValue, IF_NONE_MATCH, IF_RANGE, LOCATION, RANGE, VARY,
    X_CONTENT_TYPE_OPTIONS,
};
use http::{Method, Request, Response, StatusCode};
use http_body_util::combinators::BoxBody;
use http_body_util::{BodyExt, Empty, Full, StreamBody};
use hyper::body::Frame;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto;
use hyper_util::server::graceful::GracefulShutdown;
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;
use std::convert::Infallible;
use std::future::Future;
use std::io::{self, Read, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncSeekExt};
use tokio::net::TcpListener;

/// Files up to this size are kept in memory once they were asked for; larger ones are read each time.
const KEPT_BYTES_MAX: u64 = 1 << 20;

/// How much of a large file is in memory at a time.
const PIECE_BYTES: usize = 64 * 1024;

/// Compressing less than this saves no packet.
const COMPRESSED_BYTES_MIN: u64 = 1024;

/// How long requests under way may take after the signal to stop. Container Apps waits thirty seconds.
const DRAIN: Duration = Duration::from_secs(20);

/// What is asked to learn whether the server is up, unless the site has such a file.
const HEALTH: &str = "/healthz";

/// What is served, and where.
#[derive(Debug, Clone)]
pub struct Options {
    /// The folder with the site.
    pub root: PathBuf,
    /// The port to listen on, on all addresses.
    pub port: u16,
    /// Whether a path that is no file gets `index.html` (a single-page application finds its own way).
    pub spa: bool,
}

/// Serves the folder until SIGTERM or SIGINT, then finishes the requests under way and returns.
///
/// # Errors
/// When the folder cannot be read or the port cannot be listened on.
pub async fn serve(options: Options) -> io::Result<()> {
    let site = Site::open(&options.root, options.spa)?;
    // IPv6's "any" takes IPv4 too, where there is IPv6 at all.
    let listener = match TcpListener::bind(("::", options.port)).await {
        Ok(listener) => listener,
        Err(_) => TcpListener::bind(("0.0.0.0", options.port)).await?,
    };
    tracing::info!(port = options.port, files = site.files.len(), "serving");
    serve_on(listener, site, stop_signal()?).await
}

fn stop_signal() -> io::Result<impl Future<Output = ()>> {
    use tokio::signal::unix::{SignalKind, signal};
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    Ok(async move {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
    })
}

async fn serve_on(listener: TcpListener, site: Site, stop: impl Future<Output = ()>) -> io::Result<()> {
    let site = Arc::new(site);
    let server = auto::Builder::new(TokioExecutor::new());
    let connections = GracefulShutdown::new();
    let mut stop = std::pin::pin!(stop);
    loop {
        let stream = tokio::select! {
            accepted = listener.accept() => match accepted {
                Ok((stream, _)) => stream,
                Err(error) => {
                    // Out of file descriptors, mostly: connections that end give some back.
                    tracing::warn!(%error, "cannot accept a connection");
                    tokio::time::sleep(Duration::from_millis(50)).await;
                    continue;
                }
            },
            () = &mut stop => break,
        };
        let _ = stream.set_nodelay(true);
        let site = site.clone();
        let service = service_fn(move |request| {
            let site = site.clone();
            async move { Ok::<_, Infallible>(site.answer(&request).await) }
        });
        let connection = server.serve_connection(TokioIo::new(stream), service).into_owned();
        let connection = connections.watch(connection);
        tokio::spawn(async move {
            if let Err(error) = connection.await {
                tracing::debug!(error, "a connection ended early");
            }
        });
    }
    drop(listener);
    tracing::info!("stopping");
    let _ = tokio::time::timeout(DRAIN, connections.shutdown()).await;
    Ok(())
}

type Body = BoxBody<Bytes, io::Error>;

/// A folder of files, by the paths they are asked for.
struct Site {
    files: BTreeMap<String, File>,
    spa: bool,
}

struct File {
    path: PathBuf,
    size: u64,
    kind: &'static str,
    compresses: bool,
    immutable: bool,
    /// Read when it is first asked for.
    content: OnceLock<Arc<Content>>,
}

struct Content {
    /// A strong entity tag, with its quotes.
    tag: String,
    /// The bytes, of a file that is not large.
    plain: Option<Bytes>,
    compressed: Option<Bytes>,
}

impl Site {
    fn open(root: &Path, spa: bool) -> io::Result<Site> {
        let mut files = BTreeMap::new();
        let mut open = vec![(root.to_path_buf(), String::new())];
        while let Some((folder, prefix)) = open.pop() {
            for entry in std::fs::read_dir(&folder)? {
                let entry = entry?;
                let Ok(name) = entry.file_name().into_string() else { continue };
                let path = format!("{prefix}/{name}");
                let kind = entry.file_type()?;
                if kind.is_dir() {
                    open.push((entry.path(), path));
                } else if let Some(file) = File::new(root, entry.path(), &path)? {
                    files.insert(path, file);
                }
            }
        }
        Ok(Site { files, spa })
    }

    async fn answer<B>(&self, request: &Request<B>) -> Response<Body> {
        let head = match *request.method() {
            Method::GET => false,
            Method::HEAD => true,
            _ => {
                let mut response = text(StatusCode::METHOD_NOT_ALLOWED, "method not allowed\n", false);
                response.headers_mut().insert(ALLOW, HeaderValue::from_static("GET, HEAD"));
                return response;
            }
        };
        let Some(path) = decoded(request.uri().path()) else {
            return text(StatusCode::BAD_REQUEST, "bad path\n", head);
        };
        let (status, file) = match self.find(&path) {
            Found::File(file) => (StatusCode::OK, file),
            Found::Elsewhere(path) => return redirect(&path, request.uri().query()),
            Found::Health => return text(StatusCode::OK, "ok\n", head),
            Found::Instead(status, file) => (status, file),
            Found::Nothing => return text(StatusCode::NOT_FOUND, "not found\n", head),
        };
        match file.respond(status, request.headers(), head).await {
            Ok(response) => response,
            Err(error) => {
                tracing::error!(%error, path = %file.path.display(), "cannot read a file of the site");
                text(StatusCode::INTERNAL_SERVER_ERROR, "cannot read this file\n", head)
            }
        }
    }

    fn find(&self, path: &str) -> Found<'_> {
        let index = format!("{path}index.html");
        if path.ends_with('/') {
            if let Some(file) = self.files.get(&index) {
                return Found::File(file);
            }
        } else if let Some(file) = self.files.get(path) {
            return Found::File(file);
        } else if self.files.contains_key(&format!("{path}/index.html")) {
            // Relative links on the page count from its folder.
            return Found::Elsewhere(format!("{path}/"));
        } else if let Some(file) = self.files.get(&format!("{path}.html")) {
            return Found::File(file);
        }
        if path == HEALTH {
            return Found::Health;
        }
        // A name with an extension is a file that is missing, and no place in the application: a script that is
        // answered with a page breaks in a way that is hard to understand.
        let names_file = path.rsplit('/').next().is_some_and(|name| name.contains('.'));
        match (self.spa && !names_file, self.files.get("/index.html"), self.files.get("/404.html")) {
            (true, Some(page), _) => Found::Instead(StatusCode::OK, page),
            (_, _, Some(page)) => Found::Instead(StatusCode::NOT_FOUND, page),
            _ => Found::Nothing,
        }
    }
}

enum Found<'a> {
    File(&'a File),
    /// The same with a slash.
    Elsewhere(String),
    Health,
    Instead(StatusCode, &'a File),
    Nothing,
}

impl File {
    fn new(root: &Path, path: PathBuf, name: &str) -> io::Result<Option<File>> {
        // A link may lead to another file of the site, and nowhere else.
        let Ok(real) = path.canonicalize() else { return Ok(None) };
        if !real.is_file() || !real.starts_with(root.canonicalize()?) {
            return Ok(None);
        }
        let size = real.metadata()?.len();
        let (kind, compresses) = content_type(name);
        Ok(Some(File {
            path: real,
            size,
            kind,
            compresses,
            immutable: immutable(name),
            content: OnceLock::new(),
        }))
    }

    /// The hash, and the bytes of a file that is small enough to be kept.
    async fn content(&self) -> io::Result<Arc<Content>> {
        if let Some(content) = self.content.get() {
            return Ok(content.clone());
        }
        let (path, keep, compress) = (self.path.clone(), self.size <= KEPT_BYTES_MAX, self.compresses);
        let read = tokio::task::spawn_blocking(move || Content::read(&path, keep, compress));
        let content = Arc::new(read.await.map_err(io::Error::other)??);
        Ok(self.content.get_or_init(|| content).clone())
    }

    async fn respond(&self, status: StatusCode, asked: &HeaderMap, head: bool) -> io::Result<Response<Body>> {
        let content = self.content().await?;
        let compressed = content.compressed.as_ref().filter(|_| accepts_gzip(asked));
        let tag = match compressed {
            Some(_) => format!("{}-gz\"", content.tag.trim_end_matches('"')),
            None => content.tag.clone(),
        };
        let mut headers = HeaderMap::new();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static(self.kind));
        headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
        headers.insert(ETAG, header(&tag));
        let cache = if self.immutable { "public, max-age=31536000, immutable" } else { "no-cache" };
        headers.insert(CACHE_CONTROL, HeaderValue::from_static(cache));
        if content.compressed.is_some() {
            headers.insert(VARY, HeaderValue::from_static("accept-encoding"));
        }
        if status == StatusCode::OK && has_tag(asked, &tag) {
            return Ok(respond(StatusCode::NOT_MODIFIED, headers, empty()));
        }
        if let Some(bytes) = compressed {
            headers.insert(CONTENT_ENCODING, HeaderValue::from_static("gzip"));
            headers.insert(CONTENT_LENGTH, bytes.len().into());
            let body = if head { empty() } else { full(bytes.clone()) };
            return Ok(respond(status, headers, body));
        }
        headers.insert(ACCEPT_RANGES, HeaderValue::from_static("bytes"));
        let part = if status == StatusCode::OK { range(asked, &tag, self.size) } else { Part::Whole };
        let (status, from, length) = match part {
            Part::Whole => (status, 0, self.size),
            Part::Of(from, to) => {
                headers.insert(CONTENT_RANGE, header(&format!("bytes {from}-{to}/{}", self.size)));
                (StatusCode::PARTIAL_CONTENT, from, to - from + 1)
            }
            Part::Outside => {
                headers.insert(CONTENT_RANGE, header(&format!("bytes */{}", self.size)));
                return Ok(respond(StatusCode::RANGE_NOT_SATISFIABLE, headers, empty()));
            }
        };
        headers.insert(CONTENT_LENGTH, length.into());
        let body = match (&content.plain, head) {
            (_, true) => empty(),
            (Some(bytes), _) => full(bytes.slice(from as usize..(from + length) as usize)),
            (None, _) => from_disk(&self.path, from, length).await?,
        };
        Ok(respond(status, headers, body))
    }
}

impl Content {
    fn read(path: &Path, keep: bool, compress: bool) -> io::Result<Content> {
        let mut file = std::fs::File::open(path)?;
        let mut hash = Sha256::new();
        let mut kept = Vec::new();
        let mut piece = vec![0; PIECE_BYTES];
        loop {
            let read = file.read(&mut piece)?;
            if read == 0 {
                break;
            }
            hash.update(&piece[..read]);
            if keep {
                kept.extend_from_slice(&piece[..read]);
            }
        }
        let tag = format!("\"{}\"", &hex::encode(hash.finalize())[..32]);
        let mut compressed = None;
        if keep && compress && kept.len() as u64 >= COMPRESSED_BYTES_MIN {
            let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
            encoder.write_all(&kept)?;
            compressed =
                Some(encoder.finish()?).filter(|smaller| smaller.len() < kept.len()).map(Bytes::from);
        }
        Ok(Content { tag, plain: keep.then(|| kept.into()), compressed })
    }
}

/// The path without percent signs; `None` when it is no text or tries to climb.
fn decoded(path: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(path.len());
    let mut rest = path.bytes();
    while let Some(byte) = rest.next() {
        if byte != b'%' {
            bytes.push(byte);
            continue;
        }
        let digits = [rest.next()?, rest.next()?];
        bytes.push(u8::from_str_radix(std::str::from_utf8(&digits).ok()?, 16).ok()?);
    }
    let path = String::from_utf8(bytes).ok()?;
    let climbs = path.split(['/', '\\']).any(|part| part == "..");
    (path.starts_with('/') && !path.contains('\0') && !climbs).then_some(path)
}

/// Whether the name carries a hash of the content, as build tools write it: `/assets/index-B3kx9aQz.js`.
fn immutable(name: &str) -> bool {
    if name.starts_with("/_next/static/")
        || name.starts_with("/_app/immutable/")
        || name.starts_with("/_astro/")
    {
        return true;
    }
    let file = name.rsplit('/').next().unwrap_or_default();
    let stem = file.rsplit_once('.').map_or(file, |(stem, _)| stem);
    let Some((_, hash)) = stem.rsplit_once(['-', '.']) else { return false };
    // A word has no digits and no change of case inside.
    let mixed = hash.bytes().any(|c| c.is_ascii_digit())
        || (hash.bytes().any(|c| c.is_ascii_uppercase()) && hash.bytes().any(|c| c.is_ascii_lowercase()));
    let in_assets = name.starts_with("/assets/") || name.starts_with("/static/");
    in_assets && hash.len() >= 8 && mixed && hash.bytes().all(|c| c.is_ascii_alphanumeric() || c == b'_')
}

/// The media type of a name, and whether such files get smaller when they are compressed.
fn content_type(name: &str) -> (&'static str, bool) {
    let end = name.rsplit_once('.').map_or("", |(_, end)| end).to_ascii_lowercase();
    match end.as_str() {
        "html" | "htm" => ("text/html; charset=utf-8", true),
        "css" => ("text/css; charset=utf-8", true),
        "js" | "mjs" | "cjs" => ("text/javascript; charset=utf-8", true),
        "json" | "map" => ("application/json", true),
        "webmanifest" => ("application/manifest+json", true),
        "xml" => ("application/xml", true),
        "rss" => ("application/rss+xml", true),
        "atom" => ("application/atom+xml", true),
        "svg" => ("image/svg+xml", true),
        "txt" | "text" | "log" => ("text/plain; charset=utf-8", true),
        "md" => ("text/markdown; charset=utf-8", true),
        "csv" => ("text/csv; charset=utf-8", true),
        "ics" => ("text/calendar; charset=utf-8", true),
        "wasm" => ("application/wasm", true),
        "ico" => ("image/x-icon", true),
        "bmp" => ("image/bmp", true),
        "ttf" => ("font/ttf", true),
        "otf" => ("font/otf", true),
        "png" => ("image/png", false),
        "jpg" | "jpeg" => ("image/jpeg", false),
        "gif" => ("image/gif", false),
        "webp" => ("image/webp", false),
        "avif" => ("image/avif", false),
        "woff" => ("font/woff", false),
        "woff2" => ("font/woff2", false),
        "mp3" => ("audio/mpeg", false),
        "ogg" | "oga" => ("audio/ogg", false),
        "wav" => ("audio/wav", false),
        "mp4" | "m4v" => ("video/mp4", false),
        "webm" => ("video/webm", false),
        "pdf" => ("application/pdf", false),
        "zip" => ("application/zip", false),
        "gz" => ("application/gzip", false),
        _ => ("application/octet-stream", false),
    }
}

fn accepts_gzip(asked: &HeaderMap) -> bool {
    let values = asked.get_all(ACCEPT_ENCODING).iter().filter_map(|value| value.to_str().ok());
    values.flat_map(|value| value.split(',')).any(|entry| {
        let mut parts = entry.split(';').map(str::trim);
        let name = parts.next().unwrap_or_default();
        let refused = parts.any(|part| part.strip_prefix("q=").is_some_and(|q| q.parse::<f32>() == Ok(0.0)));
        (name.eq_ignore_ascii_case("gzip") || name == "*") && !refused
    })
}

fn has_tag(asked: &HeaderMap, tag: &str) -> bool {
    let values = asked.get_all(IF_NONE_MATCH).iter().filter_map(|value| value.to_str().ok());
    // Proxies that compress make a tag weak; for this question that is the same tag.
    values
        .flat_map(|value| value.split(','))
        .map(|one| one.trim().trim_start_matches("W/"))
        .any(|one| one == tag || one == "*")
}

/// What part of a file was asked for.
#[derive(Debug, PartialEq, Eq)]
enum Part {
    Whole,
    /// First and last byte.
    Of(u64, u64),
    Outside,
}

/// Reads `Range`. Several ranges at once, and what cannot be read, get the whole file, as the standard allows.
fn range(asked: &HeaderMap, tag: &str, size: u64) -> Part {
    let Some(range) = asked.get(RANGE).and_then(|value| value.to_str().ok()) else { return Part::Whole };
    if asked.get(IF_RANGE).is_some_and(|value| value.as_bytes() != tag.as_bytes()) {
        return Part::Whole;
    }
    let Some((from, to)) = range.strip_prefix("bytes=").and_then(|range| range.trim().split_once('-')) else {
        return Part::Whole;
    };
    match (from.parse::<u64>(), to.parse::<u64>()) {
        (Ok(from), _) if from >= size => Part::Outside,
        (Ok(from), Ok(to)) if to >= from => Part::Of(from, to.min(size - 1)),
        (Ok(from), Err(_)) if to.is_empty() => Part::Of(from, size - 1),
        (Err(_), Ok(0)) if from.is_empty() => Part::Outside,
        (Err(_), Ok(last)) if from.is_empty() && size > 0 => Part::Of(size.saturating_sub(last), size - 1),
        _ => Part::Whole,
    }
}

async fn from_disk(path: &Path, from: u64, length: u64) -> io::Result<Body> {
    let mut file = tokio::fs::File::open(path).await?;
    file.seek(SeekFrom::Start(from)).await?;
    let pieces = stream::try_unfold(file.take(length), |mut file| async move {
        let mut piece = vec![0; PIECE_BYTES];
        let read = file.read(&mut piece).await?;
        piece.truncate(read);
        Ok((read > 0).then(|| (Frame::data(Bytes::from(piece)), file)))
    });
    Ok(StreamBody::new(pieces).boxed())
}

fn redirect(path: &str, query: Option<&str>) -> Response<Body> {
    let mut location = String::new();
    // `//host/` would be another site.
    for byte in format!("/{}", path.trim_start_matches('/')).bytes() {
        match byte {
            b'/' | b'-' | b'.' | b'_' | b'~' => location.push(char::from(byte)),
            byte if byte.is_ascii_alphanumeric() => location.push(char::from(byte)),
            byte => location.push_str(&format!("%{byte:02X}")),
        }
    }
    if let Some(query) = query {
        location.push('?');
        location.push_str(query);
    }
    let mut headers = HeaderMap::new();
    headers.insert(LOCATION, header(&location));
    respond(StatusCode::PERMANENT_REDIRECT, headers, empty())
}

fn text(status: StatusCode, says: &'static str, head: bool) -> Response<Body> {
    let mut headers = HeaderMap::new();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("text/plain; charset=utf-8"));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-cache"));
    headers.insert(CONTENT_LENGTH, says.len().into());
    respond(status, headers, if head { empty() } else { full(Bytes::from_static(says.as_bytes())) })
}

fn respond(status: StatusCode, headers: HeaderMap, body: Body) -> Response<Body> {
    let mut response = Response::new(body);
    *response.status_mut() = status;
    *response.headers_mut() = headers;
    response
}

fn header(text: &str) -> HeaderValue {
    HeaderValue::from_str(text).expect("made of visible characters")
}

fn full(bytes: Bytes) -> Body {
    Full::new(bytes).map_err(|never| match never {}).boxed()
}

fn empty() -> Body {
    Empty::new().map_err(|never| match never {}).boxed()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn site(files: &[(&str, &str)], spa: bool) -> (tempfile::TempDir, Site) {
        let dir = tempfile::tempdir().unwrap();
        for (name, content) in files {
            let path = dir.path().join(name);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, content).unwrap();
        }
        let site = Site::open(dir.path(), spa).unwrap();
        (dir, site)
    }

    async fn get(site: &Site, path: &str, headers: &[(&str, &str)]) -> (u16, HeaderMap, Bytes) {
        ask(site, "GET", path, headers).await
    }

    async fn ask(site: &Site, method: &str, path: &str, headers: &[(&str, &str)]) -> (u16, HeaderMap, Bytes) {
        let mut request = Request::builder().method(method).uri(path);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let response = site.answer(&request.body(()).unwrap()).await;
        let (head, body) = response.into_parts();
        (head.status.as_u16(), head.headers, body.collect().await.unwrap().to_bytes())
    }

    #[tokio::test]
    async fn pages_are_found_by_the_names_people_use() {
        let (_dir, site) =
            site(&[("index.html", "home"), ("docs/index.html", "docs"), ("about.html", "about")], false);
        assert_eq!(get(&site, "/", &[]).await.2, "home");
        assert_eq!(get(&site, "/about", &[]).await.2, "about");
        assert_eq!(get(&site, "/docs/", &[]).await.2, "docs");
        let (status, headers, _) = get(&site, "/docs?x=1", &[]).await;
        assert_eq!((status, headers[LOCATION].to_str().unwrap()), (308, "/docs/?x=1"));
        assert_eq!(get(&site, "/nothing", &[]).await.0, 404);
        assert_eq!(get(&site, "/healthz", &[]).await.0, 200);
    }

    #[tokio::test]
    async fn a_single_page_application_gets_its_page_but_no_missing_script() {
        let (_dir, site) = site(&[("index.html", "page")], true);
        assert_eq!(get(&site, "/deep/inside", &[]).await.2, "page");
        assert_eq!(get(&site, "/assets/gone.js", &[]).await.0, 404);
    }

    #[tokio::test]
    async fn a_page_of_its_own_says_not_found() {
        let (_dir, site) = site(&[("index.html", "home"), ("404.html", "lost")], false);
        let (status, _, body) = get(&site, "/nothing", &[("if-none-match", "*")]).await;
        assert_eq!((status, &body[..]), (404, &b"lost"[..]));
    }

    #[tokio::test]
    async fn nothing_outside_the_folder_can_be_reached() {
        let (dir, _) = site(&[("site/index.html", "home"), ("secret", "hidden")], false);
        std::os::unix::fs::symlink(dir.path().join("secret"), dir.path().join("site/link")).unwrap();
        let site = Site::open(&dir.path().join("site"), false).unwrap();
        for path in [
            "/../secret",
            "/%2e%2e/secret",
            "/..%2fsecret",
            "/link",
            "//secret",
            "/%2e%2e%5csecret",
            "/%00",
            "/%zz",
        ] {
            let (status, _, body) = get(&site, path, &[]).await;
            assert!(status == 404 || status == 400, "{path} gave {status}");
            assert!(!body.windows(6).any(|part| part == b"hidden"), "{path} leaked");
        }
    }

    #[tokio::test]
    async fn what_the_browser_has_is_not_sent_again() {
        let (_dir, site) = site(&[("index.html", "home")], false);
        let (_, headers, _) = get(&site, "/", &[]).await;
        let tag = headers[ETAG].to_str().unwrap().to_owned();
        let (status, _, body) = get(&site, "/", &[("if-none-match", &format!("\"other\", W/{tag}"))]).await;
        assert_eq!((status, body.len()), (304, 0));
        assert_eq!(get(&site, "/", &[("if-none-match", "\"other\"")]).await.0, 200);
    }

    #[tokio::test]
    async fn texts_are_compressed_for_those_who_take_it() {
        let long = "word ".repeat(1000);
        let (_dir, site) = site(&[("a.txt", &long), ("b.png", &long)], false);
        let (_, headers, body) = get(&site, "/a.txt", &[("accept-encoding", "br, gzip;q=0.5")]).await;
        assert_eq!(headers[CONTENT_ENCODING], "gzip");
        let mut plain = String::new();
        flate2::read::GzDecoder::new(&body[..]).read_to_string(&mut plain).unwrap();
        assert_eq!(plain, long);
        let (_, plain, body) = get(&site, "/a.txt", &[("accept-encoding", "gzip;q=0")]).await;
        assert!(plain.get(CONTENT_ENCODING).is_none());
        assert_eq!(body.len(), long.len());
        assert_ne!(headers[ETAG], plain[ETAG], "two different bodies must not share a strong tag");
        assert!(get(&site, "/b.png", &[("accept-encoding", "gzip")]).await.1.get(CONTENT_ENCODING).is_none());
    }

    #[tokio::test]
    async fn parts_of_a_file_are_served_from_memory_and_from_disk() {
        let large = "0123456789".repeat(200_000);
        let (_dir, site) = site(&[("small.bin", "0123456789"), ("large.bin", &large)], false);
        for file in ["/small.bin", "/large.bin"] {
            let (status, headers, body) = get(&site, file, &[("range", "bytes=2-5")]).await;
            assert_eq!((status, &body[..]), (206, &b"2345"[..]));
            assert!(headers[CONTENT_RANGE].to_str().unwrap().starts_with("bytes 2-5/"));
            assert_eq!(get(&site, file, &[("range", "bytes=-3")]).await.2, "789");
            assert_eq!(get(&site, file, &[("range", "bytes=99999999-")]).await.0, 416);
            assert_eq!(get(&site, file, &[("range", "bytes=2-5"), ("if-range", "\"old\"")]).await.0, 200);
        }
        assert_eq!(get(&site, "/large.bin", &[]).await.2.len(), large.len());
    }

    #[tokio::test]
    async fn head_says_what_get_would_and_other_methods_are_refused() {
        let (_dir, site) = site(&[("index.html", "home")], false);
        let (status, headers, body) = ask(&site, "HEAD", "/", &[]).await;
        assert_eq!((status, headers[CONTENT_LENGTH].to_str().unwrap(), body.len()), (200, "4", 0));
        assert_eq!(headers[CONTENT_TYPE], "text/html; charset=utf-8");
        assert_eq!(ask(&site, "POST", "/", &[]).await.0, 405);
    }

    #[test]
    fn only_names_with_a_hash_are_kept_for_ever() {
        assert!(immutable("/assets/index-B3kx9aQz.js"));
        assert!(immutable("/static/js/main.8d2f1c3a.js"));
        assert!(!immutable("/assets/jquery-slideshow.js"));
        assert!(!immutable("/index.html"));
        assert!(!immutable("/report-20240101.pdf"));
    }

    #[tokio::test]
    async fn requests_under_way_are_finished_before_the_server_ends() {
        use tokio::io::{AsyncReadExt, AsyncWriteExt};
        let (_dir, site) = site(&[("index.html", "home")], false);
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
        let server = tokio::spawn(serve_on(listener, site, async move {
            let _ = stopped.await;
        }));
        let mut idle = tokio::net::TcpStream::connect(address).await.unwrap();
        idle.write_all(b"GET / HTTP/1.1\r\nhost: x\r\n\r\n").await.unwrap();
        let mut answer = vec![0; 1024];
        let read = idle.read(&mut answer).await.unwrap();
        assert!(answer[..read].starts_with(b"HTTP/1.1 200"));
        stop.send(()).unwrap();
        // The idle connection is closed, and does not keep the server.
        let ended = tokio::time::timeout(Duration::from_secs(5), server).await;
        ended.expect("the server ends").unwrap().unwrap();
        assert!(tokio::net::TcpStream::connect(address).await.is_err());
    }
}
