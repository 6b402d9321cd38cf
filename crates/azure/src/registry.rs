//! Images, over the OCI distribution API.
//!
//! Written on `reqwest` and not on `oci-client`: that client builds its own HTTP client, so it cannot be given our
//! resolver for names under `.localhost` nor our proxy rule; it knows no token exchange with Entra; it reads each
//! blob into memory or streams it without a way to go on after a broken chunk; and it tells no progress.
//!
//! A layer is sent in chunks from disk. When one breaks, the registry is asked how far it got, and the rest is
//! sent; what is there already is not sent at all. Everything here may be repeated without harm.

mod auth;

use crate::cloud::Cloud;
use crate::credential::Credential;
use crate::error::{Class, Error};
use crate::operation::Answer;
use crate::retry_after::retry_after;
use auth::{Access, Auth, Challenge};
use bytes::Bytes;
use futures::{StreamExt, TryStreamExt};
use jiff::Timestamp;
use reqwest::header::{ACCEPT, CONTENT_LENGTH, CONTENT_RANGE, CONTENT_TYPE, LOCATION};
use reqwest::{Method, RequestBuilder};
use secrecy::ExposeSecret;
use serde_json::Value;
use sha2::{Digest, Sha256};
use std::collections::BTreeSet;
use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncSeekExt};
use tokio::sync::mpsc;
use url::Url;

/// How much of a layer goes into one request. Registries take at least 5 MiB; a chunk is held in memory so that it
/// can be sent again.
const CHUNK: u64 = 8 * 1024 * 1024;

/// How finely progress is told.
const PIECE: usize = 256 * 1024;

/// A chunk may take this long: enough for 30 kB/s.
const CHUNK_TIME: Duration = Duration::from_secs(300);

/// Layers sent at the same time. More do not fill a line better, and each holds a chunk in memory.
const PARALLEL: usize = 3;

/// How often a request, or a layer without any headway, is tried.
const TRIES: u32 = 4;

const FIRST_PAUSE: Duration = Duration::from_millis(300);

/// What a longer `Retry-After` is answered with: the error, for who keeps the time.
const LONGEST_PAUSE: Duration = Duration::from_secs(60);

const MANIFESTS: &str = "application/vnd.oci.image.manifest.v1+json, application/vnd.oci.image.index.v1+json, \
                         application/vnd.docker.distribution.manifest.v2+json, \
                         application/vnd.docker.distribution.manifest.list.v2+json";

/// One registry; clones share connections and tokens.
#[derive(Clone)]
pub struct Registry(Arc<Inner>);

struct Inner {
    cloud: Cloud,
    host: String,
    base: Url,
    http: reqwest::Client,
    uploads: reqwest::Client,
    auth: Auth,
}

/// A layer on disk.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Blob {
    /// `sha256:…` of the file's bytes.
    pub digest: String,
    /// The file's size in bytes.
    pub size: u64,
    /// The file.
    pub path: PathBuf,
}

/// An image to push.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Push {
    /// The repository, without the registry's host.
    pub repository: String,
    /// The layers.
    pub layers: Vec<Blob>,
    /// The image's configuration.
    pub config: Vec<u8>,
    /// The image's manifest.
    pub manifest: Vec<u8>,
    /// The manifest's media type.
    pub manifest_media_type: String,
    /// Tags to give it; without any it is known by its digest only.
    pub tags: Vec<String>,
    /// Another repository of the same registry that may hold some of the layers.
    pub mount_from: Option<String>,
}

/// How a push is getting on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Progress {
    /// A blob was there already.
    Present {
        /// The blob.
        digest: String,
        /// Its size in bytes.
        size: u64,
    },
    /// A blob was taken over from another repository.
    Mounted {
        /// The blob.
        digest: String,
        /// Its size in bytes.
        size: u64,
    },
    /// A part of a blob has been sent. After a broken chunk it may be less than was told before.
    Sent {
        /// The blob.
        digest: String,
        /// How much of it has been sent, in bytes.
        sent: u64,
        /// Its size in bytes.
        size: u64,
    },
    /// The manifest is in place under this name.
    Tagged {
        /// The tag or digest.
        reference: String,
    },
}

/// Where the bytes of a blob are.
#[derive(Clone)]
enum Source {
    File(PathBuf),
    Memory(Bytes),
}

impl Registry {
    /// The registry of that name.
    ///
    /// # Errors
    /// When the cloud's CA cannot be used, or the name can be no registry's.
    pub fn new(cloud: &Cloud, credential: Credential, name: &str) -> Result<Registry, Error> {
        if name.is_empty() || !name.chars().all(|c| c.is_ascii_alphanumeric() || c == '-') {
            return Err(Error::setup(format!(
                "`{name}` is no registry's name: it has letters and digits only"
            )));
        }
        let host = cloud.registry_host(name);
        let base = Url::parse(&format!("https://{host}/"))
            .map_err(|cause| Error::setup(format!("`{host}` is no registry's host: {cause}")))?;
        Ok(Registry(Arc::new(Inner {
            http: cloud.http()?,
            uploads: cloud.http_for_uploads()?,
            auth: Auth::new(credential, cloud.arm_scope()),
            cloud: cloud.clone(),
            host,
            base,
        })))
    }

    /// The registry's host, which image names begin with.
    pub fn host(&self) -> &str {
        &self.0.host
    }

    /// The digest behind a tag (or a digest, to see whether it is there); none when there is no such tag.
    ///
    /// # Errors
    /// What the registry refused.
    pub async fn digest(&self, repository: &str, tag: &str) -> Result<Option<String>, Error> {
        checked_repository(repository)?;
        checked_reference(tag)?;
        self.look_up(&Access::to(repository, "pull"), repository, tag).await
    }

    async fn look_up(&self, access: &Access, repository: &str, tag: &str) -> Result<Option<String>, Error> {
        let url = self.url(&format!("/v2/{repository}/manifests/{tag}"));
        let title = || format!("look for {repository}:{tag}");
        let head = self
            .send(access, &title, |http| http.request(Method::HEAD, url.clone()).header(ACCEPT, MANIFESTS))
            .await?;
        match head.status {
            404 => return Ok(None),
            200 => {}
            _ => return Err(self.refusal(&head, &title)),
        }
        if let Some(digest) = head.header("docker-content-digest") {
            return Ok(Some(digest.to_string()));
        }
        // The header is only recommended; the digest is that of the manifest's bytes all the same.
        let got = self.send(access, &title, |http| http.get(url.clone()).header(ACCEPT, MANIFESTS)).await?;
        match got.status {
            404 => Ok(None),
            200 => Ok(Some(sha256(&got.body))),
            _ => Err(self.refusal(&got, &title)),
        }
    }

    /// Pushes what the registry lacks of an image, and returns the manifest's digest.
    ///
    /// # Errors
    /// What the registry refused, or that a file is not what its digest says.
    pub async fn push(
        &self,
        push: &Push,
        progress: &(dyn Fn(Progress) + Send + Sync),
    ) -> Result<String, Error> {
        checked_repository(&push.repository)?;
        for tag in &push.tags {
            checked_reference(tag)?;
        }
        let digest = sha256(&push.manifest);
        let config = Bytes::from(push.config.clone());
        let mut blobs = vec![(sha256(&config), config.len() as u64, Source::Memory(config))];
        for layer in &push.layers {
            // Equal layers are one blob.
            if !blobs.iter().any(|(digest, ..)| *digest == layer.digest) {
                blobs.push((layer.digest.clone(), layer.size, Source::File(layer.path.clone())));
            }
        }
        // One token for all of it: each costs a round trip.
        let access = Access::to(&push.repository, "pull,push");
        if self.look_up(&access, &push.repository, &digest).await?.is_some() {
            // A manifest that is there has all that it names.
            for (digest, size, _) in blobs {
                progress(Progress::Present { digest, size });
            }
        } else {
            let sending = blobs.into_iter().map(|(digest, size, source)| async move {
                self.push_blob(push, &digest, size, &source, progress).await
            });
            futures::stream::iter(sending).buffer_unordered(PARALLEL).try_collect::<()>().await?;
        }
        let mut references = push.tags.clone();
        if references.is_empty() {
            references.push(digest.clone());
        }
        for reference in references {
            if self.look_up(&access, &push.repository, &reference).await?.as_deref() != Some(digest.as_str())
            {
                self.put_manifest(push, &reference, &digest).await?;
            }
            progress(Progress::Tagged { reference });
        }
        Ok(digest)
    }

    /// The tags of a repository; none when there is no such repository.
    ///
    /// # Errors
    /// What the registry refused.
    pub async fn tags(&self, repository: &str) -> Result<Vec<String>, Error> {
        checked_repository(repository)?;
        let access = Access::to(repository, "pull,metadata_read");
        self.pages(&access, &format!("/v2/{repository}/tags/list"), "tags").await
    }

    /// The repositories of the registry.
    ///
    /// # Errors
    /// What the registry refused.
    pub async fn repositories(&self) -> Result<Vec<String>, Error> {
        self.pages(&Access::catalog(), "/v2/_catalog", "repositories").await
    }

    /// Deletes a manifest by digest, with all of its tags; false when there was none.
    ///
    /// # Errors
    /// What the registry refused.
    pub async fn delete(&self, repository: &str, digest: &str) -> Result<bool, Error> {
        checked_repository(repository)?;
        checked_reference(digest)?;
        let url = self.url(&format!("/v2/{repository}/manifests/{digest}"));
        let title = || format!("delete {repository}@{digest}");
        let access = Access::to(repository, "pull,delete");
        let answer = self.send(&access, &title, |http| http.delete(url.clone())).await?;
        match answer.status {
            200 | 202 | 204 => Ok(true),
            404 => Ok(false),
            _ => Err(self.refusal(&answer, &title)),
        }
    }

    async fn pages(&self, access: &Access, path: &str, field: &str) -> Result<Vec<String>, Error> {
        let title = || format!("list {field}");
        let mut url = self.url(path);
        url.set_query(Some("n=100"));
        let mut seen = BTreeSet::new();
        let mut names = Vec::new();
        loop {
            let answer = self.send(access, &title, |http| http.get(url.clone())).await?;
            match answer.status {
                200 => {}
                404 if seen.is_empty() => return Ok(names),
                _ => return Err(self.refusal(&answer, &title)),
            }
            let page = answer.json()?;
            let page = page.get(field).and_then(Value::as_array).into_iter().flatten();
            names.extend(page.filter_map(Value::as_str).map(str::to_string));
            seen.insert(url.clone());
            match answer.header("link").and_then(next_link) {
                None => return Ok(names),
                Some(link) => {
                    let next = self.own(&url, link)?;
                    if seen.contains(&next) {
                        return Err(Error::unreadable(format!(
                            "the registry's list of {field} goes in a circle"
                        )));
                    }
                    url = next;
                }
            }
        }
    }

    async fn push_blob(
        &self,
        push: &Push,
        digest: &str,
        size: u64,
        source: &Source,
        progress: &(dyn Fn(Progress) + Send + Sync),
    ) -> Result<(), Error> {
        let title = || format!("push {} to {}/{}", short(digest), self.0.host, push.repository);
        let access = match &push.mount_from {
            Some(other) => Access::to(&push.repository, "pull,push").and(other, "pull"),
            None => Access::to(&push.repository, "pull,push"),
        };
        let url = self.url(&format!("/v2/{}/blobs/{digest}", push.repository));
        let head = self.send(&access, &title, |http| http.head(url.clone())).await?;
        match head.status {
            // A redirect leads to where the blob's bytes are, so it is there.
            200..=399 => {
                progress(Progress::Present { digest: digest.to_string(), size });
                return Ok(());
            }
            404 => {}
            _ => return Err(self.refusal(&head, &title)),
        }
        let tell = |sent: u64| progress(Progress::Sent { digest: digest.to_string(), sent, size });
        let mut upload: Option<Url> = None;
        let mut sent = 0;
        let mut failures = 0;
        loop {
            let step = self.push_step(push, &access, digest, size, source, &mut upload, sent, &tell).await;
            let error = match step {
                Ok(Step::Mounted) => {
                    progress(Progress::Mounted { digest: digest.to_string(), size });
                    return Ok(());
                }
                Ok(Step::Finished) => {
                    tell(size);
                    return Ok(());
                }
                Ok(Step::Sent(now)) => {
                    sent = now;
                    failures = 0;
                    continue;
                }
                Err(error) => error,
            };
            failures += 1;
            let wait = error.retry_after().unwrap_or(FIRST_PAUSE * 2u32.pow(failures));
            let again = matches!(error.class(), Class::Transient | Class::Throttled);
            if !again || failures >= TRIES || wait > LONGEST_PAUSE {
                return Err(error.with_request(title()));
            }
            tracing::debug!(%error, blob = digest, "a chunk broke; going on from what arrived");
            tokio::time::sleep(wait).await;
            // The registry says how far it got; when it has forgotten the upload, it begins anew.
            sent = match &mut upload {
                None => 0,
                Some(at) => match self.arrived(&access, at).await {
                    Some(arrived) if arrived <= size => arrived,
                    _ => {
                        upload = None;
                        0
                    }
                },
            };
        }
    }

    /// One request of an upload: its start, its next chunk, or its end.
    #[allow(clippy::too_many_arguments, reason = "the state of one upload, used in one place")]
    async fn push_step(
        &self,
        push: &Push,
        access: &Access,
        digest: &str,
        size: u64,
        source: &Source,
        upload: &mut Option<Url>,
        sent: u64,
        tell: &(dyn Fn(u64) + Sync),
    ) -> Result<Step, Error> {
        let title = || format!("push {}", short(digest));
        let Some(at) = upload.as_mut() else {
            let mut start = self.url(&format!("/v2/{}/blobs/uploads/", push.repository));
            if let Some(other) = &push.mount_from {
                start.query_pairs_mut().append_pair("mount", digest).append_pair("from", other);
            }
            let answer = self
                .once(access, &self.0.http, &title, |http| {
                    http.post(start.clone()).header(CONTENT_LENGTH, "0")
                })
                .await?;
            return match answer.status {
                201 => Ok(Step::Mounted),
                202 => {
                    *upload = Some(self.location(&answer, &start)?);
                    Ok(Step::Sent(0))
                }
                _ => Err(self.refusal(&answer, &title)),
            };
        };
        let chunk = source.read(sent, CHUNK.min(size - sent)).await?;
        let end = sent + chunk.len() as u64;
        let mut last = at.clone();
        if end == size {
            last.query_pairs_mut().append_pair("digest", digest);
        }
        let whole = sent == 0 && end == size;
        let (pieces, mut counted) = mpsc::unbounded_channel();
        let build = |http: &reqwest::Client| {
            let body = body(chunk.clone(), pieces.clone());
            let request = if end == size { http.put(last.clone()) } else { http.patch(at.clone()) };
            let request = request
                .header(CONTENT_TYPE, "application/octet-stream")
                .header(CONTENT_LENGTH, chunk.len())
                .timeout(CHUNK_TIME)
                .body(body);
            if whole { request } else { request.header(CONTENT_RANGE, format!("{sent}-{}", end.max(1) - 1)) }
        };
        let answer = {
            let sending = self.once(access, &self.0.uploads, &title, build);
            tokio::pin!(sending);
            loop {
                tokio::select! {
                    answer = &mut sending => break answer?,
                    Some(piece) = counted.recv() => tell((sent + piece).min(size)),
                }
            }
        };
        match answer.status {
            201 | 204 if end == size => Ok(Step::Finished),
            202 if end < size => {
                *at = self.location(&answer, at)?;
                Ok(Step::Sent(end))
            }
            // The registry has other bytes than we think; asking it how many puts that right.
            416 => Err(self.refusal(&answer, &title).with_code("BLOB_UPLOAD_INVALID")),
            // The upload is forgotten; a new one may do.
            404 => {
                *upload = None;
                Err(self.refusal(&answer, &title).with_code("BLOB_UPLOAD_UNKNOWN"))
            }
            _ => Err(self.refusal(&answer, &title)),
        }
    }

    /// How many bytes of an upload have arrived; none when the registry does not know it.
    async fn arrived(&self, access: &Access, at: &mut Url) -> Option<u64> {
        let title = || "ask how far an upload got".to_string();
        let answer = self.once(access, &self.0.http, &title, |http| http.get(at.clone())).await.ok()?;
        if answer.status != 204 {
            return None;
        }
        if answer.header(LOCATION.as_str()).is_some() {
            *at = self.location(&answer, at).ok()?;
        }
        let last: u64 =
            answer.header("range")?.trim_start_matches("bytes=").split_once('-')?.1.parse().ok()?;
        // `0-0` says one byte by its meaning, and none in what registries do before the first.
        Some(if last == 0 { 0 } else { last + 1 })
    }

    async fn put_manifest(&self, push: &Push, reference: &str, digest: &str) -> Result<(), Error> {
        let url = self.url(&format!("/v2/{}/manifests/{reference}", push.repository));
        let title = || format!("push the manifest {reference} to {}/{}", self.0.host, push.repository);
        let access = Access::to(&push.repository, "pull,push");
        let answer = self
            .send(&access, &title, |http| {
                http.put(url.clone())
                    .header(CONTENT_TYPE, push.manifest_media_type.as_str())
                    .body(push.manifest.clone())
            })
            .await?;
        match answer.status {
            200 | 201 => match answer.header("docker-content-digest") {
                Some(said) if said != digest => Err(Error::unreadable(format!(
                    "the registry took the manifest as {said}, but it is {digest}"
                ))
                .with_request(title())),
                _ => Ok(()),
            },
            _ => Err(self.refusal(&answer, &title)),
        }
    }

    /// Sends a request that may be repeated, a few times where that may help.
    async fn send(
        &self,
        access: &Access,
        title: &(dyn Fn() -> String + Sync),
        build: impl Fn(&reqwest::Client) -> RequestBuilder,
    ) -> Result<Answer, Error> {
        let mut tries = 1;
        loop {
            let outcome = self.once(access, &self.0.http, title, &build).await;
            let (class, asked) = match &outcome {
                Ok(answer) if answer.status < 400 || answer.status == 404 => return outcome,
                Ok(answer) => {
                    let refusal = self.refusal(answer, title);
                    (refusal.class(), refusal.retry_after())
                }
                Err(error) => (error.class(), error.retry_after()),
            };
            let wait = asked.unwrap_or(FIRST_PAUSE * 2u32.pow(tries));
            if !matches!(class, Class::Transient | Class::Throttled) || tries >= TRIES || wait > LONGEST_PAUSE
            {
                return outcome;
            }
            tokio::time::sleep(wait).await;
            tries += 1;
        }
    }

    /// Sends a request once; after a 401 once more, with a token for what the registry asks for.
    async fn once(
        &self,
        access: &Access,
        http: &reqwest::Client,
        title: &(dyn Fn() -> String + Sync),
        build: impl Fn(&reqwest::Client) -> RequestBuilder,
    ) -> Result<Answer, Error> {
        let token = self.0.auth.known(access).await;
        let first = self.one(build(http), token.as_ref(), title).await?;
        if first.status != 401 {
            return Ok(first);
        }
        let Some(challenge) = Challenge::of(&first.headers) else { return Ok(first) };
        let token = self.0.auth.fetch(self, access, &challenge, token.is_some()).await?;
        let second = self.one(build(http), Some(&token), title).await?;
        if second.status == 401 {
            // It did not help, so the next request begins anew rather than with this one.
            self.0.auth.forget(access).await;
        }
        Ok(second)
    }

    async fn one(
        &self,
        request: RequestBuilder,
        token: Option<&secrecy::SecretString>,
        title: &(dyn Fn() -> String + Sync),
    ) -> Result<Answer, Error> {
        let request = match token {
            Some(token) => request.bearer_auth(token.expose_secret()),
            None => request,
        };
        let lost = |cause: reqwest::Error| {
            let cloud = &self.0.cloud;
            let service = format!("https://{}", self.0.host);
            Error::transport(&cloud.name, &service, cloud.unreachable.as_deref(), &cause.without_url())
                .with_request(title())
        };
        let response = request.send().await.map_err(lost)?;
        let status = response.status().as_u16();
        let headers = response.headers().clone();
        let body = response.bytes().await.map_err(lost)?;
        tracing::debug!(request = title(), status, "asked the registry");
        Ok(Answer { status, headers, body })
    }

    fn refusal(&self, answer: &Answer, title: &(dyn Fn() -> String + Sync)) -> Error {
        Error::refused(answer.status, &answer.body)
            .with_retry_after(retry_after(&answer.headers, Timestamp::now()))
            .with_ids(answer.header("x-ms-correlation-request-id").map(str::to_string), None)
            .with_request(title())
    }

    fn url(&self, path: &str) -> Url {
        let mut url = self.0.base.clone();
        url.set_path(path);
        url
    }

    fn location(&self, answer: &Answer, from: &Url) -> Result<Url, Error> {
        match answer.header(LOCATION.as_str()) {
            Some(location) => self.own(from, location),
            None => {
                Err(Error::unreadable("the registry does not say where the upload goes on (no `Location`)"))
            }
        }
    }

    /// An address that the registry gave; it must be its own, or our token would go elsewhere.
    fn own(&self, from: &Url, link: &str) -> Result<Url, Error> {
        let url = from
            .join(link)
            .map_err(|cause| Error::unreadable(format!("the registry gave no address: {cause}")))?;
        if url.origin() != self.0.base.origin() {
            return Err(Error::unreadable(format!(
                "the registry sends us to {}, which is not {}; the token is not sent there",
                crate::request::origin(&url),
                self.0.host
            )));
        }
        Ok(url)
    }
}

impl fmt::Debug for Registry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Registry").field("host", &self.0.host).finish_non_exhaustive()
    }
}

enum Step {
    Mounted,
    Sent(u64),
    Finished,
}

impl Source {
    async fn read(&self, from: u64, length: u64) -> Result<Bytes, Error> {
        match self {
            Source::Memory(bytes) => Ok(bytes.slice(from as usize..(from + length) as usize)),
            Source::File(path) => {
                let fail = |cause: std::io::Error| {
                    Error::setup(format!("cannot read the layer {}: {cause}; build again", path.display()))
                };
                let mut file = tokio::fs::File::open(path).await.map_err(fail)?;
                file.seek(std::io::SeekFrom::Start(from)).await.map_err(fail)?;
                let mut chunk = vec![0; length as usize];
                file.read_exact(&mut chunk).await.map_err(fail)?;
                Ok(chunk.into())
            }
        }
    }
}

/// A body that tells how much of it was taken. Bytes are shared with the chunk, not copied.
fn body(chunk: Bytes, counted: mpsc::UnboundedSender<u64>) -> reqwest::Body {
    let pieces: Vec<Bytes> =
        (0..chunk.len()).step_by(PIECE).map(|at| chunk.slice(at..chunk.len().min(at + PIECE))).collect();
    let mut sum = 0;
    reqwest::Body::wrap_stream(futures::stream::iter(pieces).map(move |piece| {
        sum += piece.len() as u64;
        // Nobody listens any more once the request is over, which is no failure of the body.
        let _ = counted.send(sum);
        Ok::<_, std::convert::Infallible>(piece)
    }))
}

fn sha256(bytes: &[u8]) -> String {
    format!("sha256:{}", hex::encode(Sha256::digest(bytes)))
}

fn short(digest: &str) -> &str {
    digest.get(..19).unwrap_or(digest)
}

/// The address of the next page in a `Link` header: `</v2/_catalog?last=x&n=100>; rel="next"`.
fn next_link(header: &str) -> Option<&str> {
    let (address, relation) = header.trim().strip_prefix('<')?.split_once('>')?;
    relation.contains("next").then_some(address)
}

fn checked_repository(name: &str) -> Result<(), Error> {
    let part = |part: &str| {
        !part.is_empty()
            && part
                .chars()
                .all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || matches!(c, '.' | '_' | '-'))
            && part.starts_with(|c: char| c.is_ascii_alphanumeric())
            && part.ends_with(|c: char| c.is_ascii_alphanumeric())
    };
    if name.split('/').all(part) {
        return Ok(());
    }
    Err(Error::setup(format!(
        "`{name}` is no repository's name: lower-case letters, digits and . _ - between them, parted by slashes"
    )))
}

fn checked_reference(reference: &str) -> Result<(), Error> {
    let name = reference.split_once(':').map_or(reference, |(_, hash)| hash);
    let good = !name.is_empty()
        && name.len() <= 128
        && !name.starts_with(['.', '-'])
        && name.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-'));
    let digest = reference.split_once(':').is_none_or(|(kind, hash)| {
        kind.chars().all(|c| c.is_ascii_alphanumeric()) && hash.chars().all(|c| c.is_ascii_hexdigit())
    });
    if good && digest {
        return Ok(());
    }
    Err(Error::setup(format!("`{reference}` is neither a tag nor a digest")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_would_lead_elsewhere_are_refused() {
        for good in ["web", "team/web-api", "a.b_c/d"] {
            assert!(checked_repository(good).is_ok(), "{good}");
        }
        for bad in ["", "Web", "../x", "a//b", "a/", "/a", "a?b", "-a"] {
            assert!(checked_repository(bad).is_err(), "{bad}");
        }
        for good in ["latest", "v1.2-3_x", "sha256:abcdef0123"] {
            assert!(checked_reference(good).is_ok(), "{good}");
        }
        for bad in ["", ".x", "a/b", "a?b", "sha256:xyz", "a:b:c"] {
            assert!(checked_reference(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn links_to_the_next_page() {
        assert_eq!(next_link("</v2/_catalog?last=x&n=100>; rel=\"next\""), Some("/v2/_catalog?last=x&n=100"));
        assert_eq!(next_link("</x>; rel=\"prev\""), None);
        assert_eq!(next_link("nonsense"), None);
    }
}
