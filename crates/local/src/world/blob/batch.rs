//! Many deletes, or changes of tiers, in one request: each part is authorized and answered on its own.
//!
//! Source: `rest/api/storageservices/blob-batch`.

use std::collections::BTreeMap;

use super::refusal::{invalid_header, refuse};
use super::{Ask, serve};
use crate::world::http::Body;
use crate::world::{Method, Request, Response, World};

const PARTS_MAX: usize = 256;

/// `Blob Batch`.
pub(super) fn run(world: &mut World, ask: &Ask<'_>) -> Result<Response, Response> {
    if matches!(ask.who, super::auth::Who::Anybody) {
        return Err(super::auth::nobody(world, ask));
    }
    let kind = ask.header("content-type").unwrap_or_default();
    let boundary = kind
        .split(';')
        .find_map(|part| part.trim().strip_prefix("boundary="))
        .map(|boundary| boundary.trim_matches('"').to_owned())
        .filter(|boundary| !boundary.is_empty() && kind.trim_start().starts_with("multipart/mixed"))
        .ok_or_else(|| invalid_header("content-type", kind))?;
    let Body::Bytes(bytes) = &ask.request.body else { return Err(invalid()) };
    let text = std::str::from_utf8(bytes).map_err(|_| invalid())?;
    let parts: Vec<&str> =
        text.split(&format!("--{boundary}")).skip(1).take_while(|part| !part.starts_with("--")).collect();
    if parts.is_empty() {
        return Err(invalid());
    }
    if parts.len() > PARTS_MAX {
        return Err(refuse(400, "ExceedsMaxBatchRequestCount", "The batch operation exceeds 256 requests."));
    }
    let requests: Vec<(String, Request)> =
        parts.iter().map(|part| request(ask, part)).collect::<Option<_>>().ok_or_else(invalid)?;
    if requests.windows(2).any(|pair| is_delete(&pair[0].1) != is_delete(&pair[1].1)) {
        return Err(refuse(
            400,
            "AllBatchSubRequestsShouldBeSameApi",
            "All parts of a batch are of one operation.",
        ));
    }
    let answered = format!("batchresponse_{}", ask.request.id);
    let mut out = String::new();
    for (id, request) in requests {
        let answer = serve(world, ask.account, &request).unwrap_or_else(|refused| refused);
        out.push_str(&format!("--{answered}\r\nContent-Type: application/http\r\nContent-ID: {id}\r\n\r\n"));
        out.push_str(&format!("HTTP/1.1 {} {}\r\n", answer.status, reason(answer.status)));
        for (name, value) in &answer.headers {
            out.push_str(&format!("{name}: {value}\r\n"));
        }
        out.push_str(&format!("x-ms-request-id: {}\r\n", request.id));
        let body = match &answer.body {
            Body::Bytes(bytes) => String::from_utf8_lossy(bytes).into_owned(),
            Body::Empty | Body::Stored(_) => String::new(),
        };
        if !body.is_empty() {
            out.push_str(&format!("Content-Length: {}\r\n", body.len()));
        }
        out.push_str(&format!("\r\n{body}\r\n"));
    }
    out.push_str(&format!("--{answered}--"));
    Ok(Response {
        status: 202,
        headers: vec![("content-type".into(), format!("multipart/mixed; boundary={answered}"))],
        body: Body::Bytes(out.into_bytes()),
    })
}

fn is_delete(request: &Request) -> bool {
    request.method == Method::Delete
}

/// One part, a request of HTTP/1.1 behind headers of its own, with its `Content-ID`.
fn request(ask: &Ask<'_>, part: &str) -> Option<(String, Request)> {
    let part = part.replace("\r\n", "\n");
    let (outer, inner) = part.trim_start_matches('\n').split_once("\n\n")?;
    let id = outer.lines().find_map(|line| {
        let (name, value) = line.split_once(':')?;
        name.eq_ignore_ascii_case("content-id").then(|| value.trim().to_owned())
    })?;
    let head = inner.split("\n\n").next()?;
    let mut lines = head.lines();
    let mut first = lines.next()?.split_whitespace();
    let method = match first.next()? {
        "DELETE" => Method::Delete,
        "PUT" => Method::Put,
        _ => return None,
    };
    let target = first.next()?;
    let (path, query) = target.split_once('?').unwrap_or((target, ""));
    let query: Vec<(String, String)> = url::form_urlencoded::parse(query.as_bytes()).into_owned().collect();
    let mut headers: BTreeMap<String, String> = BTreeMap::new();
    for line in lines.filter(|line| !line.trim().is_empty()) {
        let (name, value) = line.split_once(':')?;
        headers.insert(name.trim().to_ascii_lowercase(), value.trim().to_owned());
    }
    let comp =
        query.iter().find(|(name, _)| name.eq_ignore_ascii_case("comp")).map(|(_, comp)| comp.as_str());
    if !matches!((method, comp), (Method::Delete, None) | (Method::Put, Some("tier"))) {
        return None;
    }
    // Tokens need the version said; a part says none and has the batch's.
    // What is signed with a key is signed without it.
    let signed =
        headers.get("authorization").is_some_and(|it| it.to_ascii_lowercase().starts_with("sharedkey"));
    if let Some(version) = ask.header("x-ms-version").filter(|_| !signed) {
        headers.entry("x-ms-version".into()).or_insert_with(|| version.to_owned());
    }
    let path = if path.starts_with('/') { path.to_owned() } else { format!("/{path}") };
    let number = format!("{} {id}", ask.request.id);
    let request = Request {
        plane: ask.request.plane.clone(),
        method,
        origin: ask.request.origin.clone(),
        path,
        query,
        headers,
        body: Body::Empty,
        id: uuid::Uuid::new_v5(&uuid::Uuid::NAMESPACE_URL, number.as_bytes()).to_string(),
    };
    Some((id, request))
}

fn invalid() -> Response {
    refuse(400, "InvalidInput", "One of the request inputs is not valid.")
}

fn reason(status: u16) -> &'static str {
    match status {
        200 => "OK",
        202 => "Accepted",
        400 => "Bad Request",
        401 => "Server failed to authenticate the request.",
        403 => "Forbidden",
        404 => "The specified resource does not exist.",
        409 => "Conflict",
        412 => "Precondition Failed",
        _ => "Unknown",
    }
}
