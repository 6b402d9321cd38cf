//! Static websites: what is in `$web`, shown to browsers without a question.
//!
//! Source: `azure/storage/blobs/storage-blob-static-website`.

use super::{Blob, resource, xml};
use crate::world::http::decode;
use crate::world::{Body, Method, Request, Response, World};

/// What a website says to a path.
pub(super) fn show(world: &World, account: &str, request: &Request) -> Response {
    if resource(world, account).is_none() {
        return missing(404, "ResourceNotFound", "The requested account does not exist.");
    }
    if !matches!(request.method, Method::Get | Method::Head) {
        return missing(405, "UnsupportedHttpVerb", "The resource doesn't support specified Http Verb.");
    }
    let own = world.blobs.accounts.get(account);
    let settings = own.and_then(|own| own.service.get("StaticWebsite")).and_then(|text| xml::read(text));
    let Some(settings) = settings.filter(|it| it.text_of("Enabled") == Some("true")) else {
        return missing(404, "WebsiteDisabled", "The requested content does not exist.");
    };
    let find = |name: &str| own?.containers.get("$web")?.blobs.get(name);
    let path = decode(&request.path);
    let path = path.trim_start_matches('/');
    let index = settings.text_of("IndexDocument").filter(|index| !index.is_empty());
    let found = match (path, index) {
        ("", _) => {
            let default = settings.text_of("DefaultIndexDocumentPath").filter(|default| !default.is_empty());
            index.or(default).and_then(find)
        }
        (folder, Some(index)) if folder.ends_with('/') => find(&format!("{folder}{index}")),
        (path, index) => find(path).or_else(|| index.and_then(|index| find(&format!("{path}/{index}")))),
    };
    if let Some(blob) = found {
        return page(200, blob);
    }
    match settings.text_of("ErrorDocument404Path").and_then(find) {
        Some(blob) => page(404, blob),
        None => missing(404, "WebContentNotFound", "The requested content does not exist."),
    }
}

fn page(status: u16, blob: &Blob) -> Response {
    let kind = blob.properties.content_type.as_deref().unwrap_or("application/octet-stream");
    let mut response = Response::empty(status)
        .with("content-type", kind)
        .with("etag", blob.etag.as_str())
        .with("last-modified", super::http_date(blob.modified))
        .with("content-length", blob.size.to_string());
    let optional = [
        ("cache-control", &blob.properties.cache_control),
        ("content-encoding", &blob.properties.content_encoding),
        ("content-md5", &blob.properties.content_md5),
    ];
    for (name, value) in optional {
        if let Some(value) = value {
            response = response.with(name, value.as_str());
        }
    }
    if blob.size > 0 {
        response.body = Body::Stored(blob.segments.clone());
    }
    response
}

/// A page that says what is not there, as Azure words it.
fn missing(status: u16, code: &str, message: &str) -> Response {
    let text = format!(
        "<!DOCTYPE html><html><head><title>{code}</title></head><body><h1>{message}</h1><p><ul><li>HttpStatusCode: {status}</li><li>ErrorCode: {code}</li></ul></p></body></html>"
    );
    Response {
        status,
        headers: vec![("content-type".into(), "text/html".into()), ("x-ms-error-code".into(), code.into())],
        body: Body::Bytes(text.into_bytes()),
    }
}
