//! HTTP as it comes in, made into requests of the world, and the world's answers made into HTTP.
//!
//! Bodies that may be large go to disk on their way in ([`Contents`]); all others have a limit. Nothing a client
//! sends ends a connection but its own: what cannot be understood is refused in the words of the plane.

use std::collections::BTreeMap;
use std::time::Duration;

use bytes::Bytes;
use futures::TryStreamExt;
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt, Empty, Full, StreamBody};
use hyper::body::{Body as _, Frame};

use super::content::{Contents, Digests, Refused, Upload};
use super::spelling;
use crate::world::{Body, Method, Plane, Request, Response, blob};

/// What a body's stream may fail with.
pub(crate) type BoxError = Box<dyn std::error::Error + Send + Sync>;
/// An answer's body.
pub(crate) type AnswerBody = UnsyncBoxBody<Bytes, BoxError>;
/// An answer.
pub(crate) type Answer = http::Response<AnswerBody>;

/// Azure's limit for a request to Resource Manager, and enough for all that is no upload.
pub(crate) const BODY_MAX: u64 = 4 << 20;
/// `Put Blob` and `Put Block` at today's service versions take up to 5000 MiB; a layer has no limit of its own.
const UPLOAD_MAX: u64 = 5000 << 20;
const LAYER_MAX: u64 = 200 << 30;
/// What is read of a body that is refused.
const DRAIN_MAX: u64 = 64 << 20;
/// 50,000 blocks whose ids are of 64 bytes, in XML.
const BLOCK_LIST_MAX: u64 = 8 << 20;
/// A client that sends nothing for so long has gone.
const BODY_IDLE_MAX: Duration = Duration::from_secs(60);
/// Headers that carry metadata of blobs and containers.
const METADATA: &str = "x-ms-meta-";
/// Headers that only the front sets, and clients therefore may not.
const OWN_HEADERS: &str = "x-landfall-";

/// A request with the upload that must not be swept until the world has taken it over.
pub(crate) struct Taken {
    pub(crate) request: Request,
    pub(crate) upload: Option<Upload>,
}

/// Makes a request of the world from one of HTTP, or the answer that refuses it.
pub(crate) async fn take<B>(
    contents: &Contents,
    plane: Plane,
    authority: &str,
    scheme: &str,
    request: http::Request<B>,
) -> Result<Taken, Response>
where
    B: hyper::body::Body<Data = Bytes> + Unpin,
    B::Error: std::fmt::Display,
{
    let id = uuid::Uuid::new_v4().to_string();
    let (head, body) = request.into_parts();
    let Some(method) = method(&head.method, &plane) else {
        return Err(refusal(&plane, 405, "MethodNotAllowed", "The HTTP method is not supported here.", &id));
    };
    let mut headers: BTreeMap<String, String> = BTreeMap::new();
    for (name, value) in &head.headers {
        if name.as_str().starts_with(OWN_HEADERS) {
            continue;
        }
        let value = String::from_utf8_lossy(value.as_bytes());
        // Repeated headers are one list; `Accept` comes so from Go's clients.
        match headers.get_mut(name.as_str()) {
            Some(list) => {
                list.push_str(", ");
                list.push_str(&value);
            }
            None => {
                headers.insert(name.as_str().to_owned(), value.into_owned());
            }
        }
    }
    let query: Vec<(String, String)> = head
        .uri
        .query()
        .map(|query| url::form_urlencoded::parse(query.as_bytes()).into_owned().collect())
        .unwrap_or_default();
    if let Plane::Blob { .. } = plane {
        let names = spelling::spelled(&head, METADATA).await;
        if names.iter().any(|name| name.chars().any(char::is_uppercase)) {
            headers.insert(blob::SPELLED.to_owned(), names.join(","));
        }
    }
    let mut request = Request {
        method,
        origin: format!("{scheme}://{}", authority.to_ascii_lowercase()),
        path: head.uri.path().to_owned(),
        query,
        headers,
        body: Body::Empty,
        id,
        plane,
    };
    let upload = match kind(&request) {
        // Nobody may upload without saying who they are; the world says so without the body.
        Kind::Upload(_) if anonymous(&request) => {
            drain(&mut Idle::new(body)).await;
            None
        }
        Kind::Upload(max) => {
            let digests = digests(&request);
            if body.size_hint().lower() > max {
                return Err(too_large(&request));
            }
            let upload = contents
                .take(Idle::new(body), max, digests)
                .await
                .map_err(|refused| refuse(&request, refused))?;
            if upload.segment.length > 0 {
                request.body = Body::Stored(vec![upload.segment.clone()]);
            }
            Some(upload)
        }
        Kind::Small(max) => {
            let bytes = gather(body, max).await.map_err(|refused| refuse(&request, refused))?;
            if !bytes.is_empty() {
                request.body = Body::Bytes(bytes);
            }
            None
        }
    };
    Ok(Taken { request, upload })
}

/// Whether an answer's body is sent, or only told of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Show {
    /// Head and body.
    All,
    /// Only the head, as for HEAD.
    Head,
}

/// Makes HTTP of a blob's answer, whose metadata keeps the case of its names.
pub(crate) async fn give_spelled(contents: &Contents, response: Response, show: Show) -> Answer {
    let names: Vec<String> = response
        .headers
        .iter()
        .filter(|(name, _)| name.starts_with(METADATA) && name.chars().any(char::is_uppercase))
        .map(|(name, _)| name.clone())
        .collect();
    let mut answer = give(contents, response, show);
    if !names.is_empty() {
        *answer.extensions_mut() = spelling::spell(&names).await;
    }
    answer
}

/// Makes HTTP of an answer.
pub(crate) fn give(contents: &Contents, response: Response, show: Show) -> Answer {
    let mut builder = http::Response::builder().status(response.status);
    for (name, value) in &response.headers {
        // What is no header (a newline in metadata) is left out rather than failing the answer.
        if let (Ok(name), Ok(value)) =
            (http::HeaderName::try_from(name.as_str()), http::HeaderValue::try_from(value.as_str()))
        {
            builder = builder.header(name, value);
        }
    }
    let has_length = builder.headers_ref().is_some_and(|headers| headers.contains_key("content-length"));
    let length = match &response.body {
        Body::Empty => None,
        Body::Bytes(bytes) => Some(bytes.len() as u64),
        Body::Stored(segments) => Some(segments.iter().map(|segment| segment.length).sum()),
    };
    // What is not sent is still measured. HTTP/2 would send a body after HEAD and break the stream.
    if let Some(length) = length
        && !has_length
    {
        builder = builder.header("content-length", length);
    }
    let body = match response.body {
        _ if show == Show::Head => Empty::new().map_err(never).boxed_unsync(),
        Body::Empty => Empty::new().map_err(never).boxed_unsync(),
        Body::Bytes(bytes) => full(bytes),
        Body::Stored(segments) => {
            let frames = contents.stream(&segments).map_ok(Frame::data).map_err(BoxError::from);
            BodyExt::boxed_unsync(StreamBody::new(frames))
        }
    };
    builder.body(body).unwrap_or_else(|_| {
        let mut broken = http::Response::new(full("the answer is no HTTP"));
        *broken.status_mut() = http::StatusCode::INTERNAL_SERVER_ERROR;
        broken
    })
}

/// Bytes as an answer's body.
pub(crate) fn full(bytes: impl Into<Bytes>) -> AnswerBody {
    Full::new(bytes.into()).map_err(never).boxed_unsync()
}

fn never(never: std::convert::Infallible) -> BoxError {
    match never {}
}

/// A refusal in the words of the plane: XML for blobs, the distribution protocol's list, ARM's object elsewhere.
pub(crate) fn refusal(plane: &Plane, status: u16, code: &str, message: &str, id: &str) -> Response {
    let response = match plane {
        Plane::Blob { .. } | Plane::OtherStorage { .. } | Plane::Website { .. } => Response {
            status,
            headers: vec![
                ("content-type".into(), "application/xml".into()),
                ("x-ms-error-code".into(), code.into()),
            ],
            body: Body::Bytes(
                format!("<?xml version=\"1.0\" encoding=\"utf-8\"?><Error><Code>{code}</Code><Message>{message}</Message></Error>")
                    .into_bytes(),
            ),
        },
        Plane::Registry { .. } => {
            let code = match status {
                413 => "SIZE_INVALID",
                405 => "UNSUPPORTED",
                _ => "UNKNOWN",
            };
            Response::json(status, &serde_json::json!({"errors": [{"code": code, "message": message}]}))
        }
        _ => Response::error(status, code, message),
    };
    response.with("x-ms-request-id", id)
}

fn method(method: &http::Method, plane: &Plane) -> Option<Method> {
    Some(match *method {
        http::Method::GET => Method::Get,
        http::Method::HEAD => Method::Head,
        http::Method::PUT => Method::Put,
        http::Method::POST => Method::Post,
        http::Method::PATCH => Method::Patch,
        http::Method::DELETE => Method::Delete,
        // Browsers ask the blob service what pages of others may do; nobody else answers them.
        http::Method::OPTIONS if matches!(plane, Plane::Blob { .. }) => Method::Options,
        _ => return None,
    })
}

enum Kind {
    /// To disk, up to so many bytes.
    Upload(u64),
    /// In memory, up to so many bytes.
    Small(u64),
}

fn kind(request: &Request) -> Kind {
    let writes = matches!(request.method, Method::Put | Method::Post | Method::Patch);
    match request.plane {
        Plane::Registry { .. } if writes && request.path.contains("/blobs/uploads/") => {
            Kind::Upload(LAYER_MAX)
        }
        Plane::Blob { .. } if request.method == Method::Put => {
            match request.query("comp").map(str::to_ascii_lowercase).as_deref() {
                None if request.query("restype").is_none() => Kind::Upload(UPLOAD_MAX),
                Some("block" | "appendblock" | "page") => Kind::Upload(UPLOAD_MAX),
                Some("blocklist") => Kind::Small(BLOCK_LIST_MAX),
                _ => Kind::Small(BODY_MAX),
            }
        }
        _ => Kind::Small(BODY_MAX),
    }
}

/// Registries name content by SHA-256. The blob service tells a CRC64 of what it took, and the MD5 of a blob put whole
/// or of what came with one.
fn digests(request: &Request) -> Digests {
    match request.plane {
        Plane::Blob { .. } => {
            let whole = request.query("comp").is_none();
            Digests { md5: whole || request.header("content-md5").is_some(), crc64: true, sha256: false }
        }
        _ => Digests { sha256: true, ..Digests::default() },
    }
}

fn anonymous(request: &Request) -> bool {
    request.header("authorization").is_none() && request.query("sig").is_none()
}

fn refuse(request: &Request, refused: Refused) -> Response {
    match refused {
        Refused::TooLarge => too_large(request),
        Refused::Broken(why) => refusal(
            &request.plane,
            400,
            "IncompleteBody",
            &format!("The request's body did not come in whole: {why}"),
            &request.id,
        ),
        Refused::Disk(error) => {
            tracing::error!(error = %error, "an upload cannot be kept");
            let message =
                format!("Local Azure cannot keep the upload: {error}. Free space and send it again.");
            refusal(&request.plane, 500, "InternalError", &message, &request.id)
        }
    }
}

fn too_large(request: &Request) -> Response {
    let (code, message) = match request.plane {
        Plane::Blob { .. } => (
            "RequestBodyTooLarge",
            "The request body is too large and exceeds the maximum permissible limit.",
        ),
        Plane::Arm => {
            ("RequestContentTooLarge", "The request content size exceeds the maximum size of 4 MB.")
        }
        _ => ("RequestEntityTooLarge", "The request body is larger than what is taken here."),
    };
    refusal(&request.plane, 413, code, message, &request.id)
}

async fn gather<B>(body: B, max: u64) -> Result<Vec<u8>, Refused>
where
    B: hyper::body::Body<Data = Bytes> + Unpin,
    B::Error: std::fmt::Display,
{
    let mut body = Idle::new(body);
    if body.size_hint().lower() > max {
        drain(&mut body).await;
        return Err(Refused::TooLarge);
    }
    let mut bytes = Vec::new();
    while let Some(frame) = body.frame().await {
        if let Ok(data) = frame.map_err(|e| Refused::Broken(e.to_string()))?.into_data() {
            if (bytes.len() + data.len()) as u64 > max {
                drain(&mut body).await;
                return Err(Refused::TooLarge);
            }
            bytes.extend_from_slice(&data);
        }
    }
    Ok(bytes)
}

/// Reads what is refused anyway and keeps none of it: a client that is still sending when the connection is closed
/// sees a broken connection and not the refusal.
async fn drain<B>(body: &mut B)
where
    B: hyper::body::Body<Data = Bytes> + Unpin,
{
    if body.size_hint().lower() > DRAIN_MAX {
        return;
    }
    let mut read = 0;
    while read <= DRAIN_MAX
        && let Some(Ok(frame)) = body.frame().await
    {
        read += frame.data_ref().map_or(0, |data| data.len() as u64);
    }
}

/// A body that fails when nothing comes for [`BODY_IDLE_MAX`].
struct Idle<B> {
    body: B,
    timer: std::pin::Pin<Box<tokio::time::Sleep>>,
}

impl<B> Idle<B> {
    fn new(body: B) -> Idle<B> {
        Idle { body, timer: Box::pin(tokio::time::sleep(BODY_IDLE_MAX)) }
    }
}

impl<B> hyper::body::Body for Idle<B>
where
    B: hyper::body::Body<Data = Bytes> + Unpin,
    B::Error: std::fmt::Display,
{
    type Data = Bytes;
    type Error = String;

    fn poll_frame(
        mut self: std::pin::Pin<&mut Self>,
        context: &mut std::task::Context<'_>,
    ) -> std::task::Poll<Option<Result<Frame<Bytes>, String>>> {
        use std::task::Poll;
        match std::pin::Pin::new(&mut self.body).poll_frame(context) {
            Poll::Ready(frame) => {
                self.timer.as_mut().reset(tokio::time::Instant::now() + BODY_IDLE_MAX);
                Poll::Ready(frame.map(|frame| frame.map_err(|e| e.to_string())))
            }
            Poll::Pending => match self.timer.as_mut().poll(context) {
                Poll::Ready(()) => Poll::Ready(Some(Err("nothing came for a minute".into()))),
                Poll::Pending => Poll::Pending,
            },
        }
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> hyper::body::SizeHint {
        self.body.size_hint()
    }
}
