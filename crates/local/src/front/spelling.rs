//! Header names as they are spelled.
//!
//! HTTP's names have no case, but metadata of blobs keeps its own, and clients show the names of headers as those of
//! metadata. Hyper keeps the spelling of what it read beside a request, in a form that only itself can use: so it is
//! asked to write the headers of a request into memory to learn how they were spelled ([`spelled`]), and to read
//! headers from memory that an answer is to spell ([`spell`]).

use http_body_util::Empty;
use hyper::body::{Bytes, Incoming};
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

/// Enough for all headers that are taken.
const MEMORY: usize = 1 << 20;

/// Names below `prefix` as the client spelled them, the prefix left out.
pub(crate) async fn spelled(head: &http::request::Parts, prefix: &str) -> Vec<String> {
    let mut answer = http::Response::new(Empty::<Bytes>::new());
    for name in head.headers.keys().filter(|name| name.as_str().starts_with(prefix)) {
        answer.headers_mut().insert(name.clone(), http::HeaderValue::from_static(""));
    }
    if answer.headers().is_empty() {
        return Vec::new();
    }
    *answer.extensions_mut() = head.extensions.clone();
    let (_, written) = pass("GET / HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n", answer).await;
    let names = written.lines().filter_map(|line| line.split_once(':')).map(|(name, _)| name);
    names
        .filter_map(|name| {
            let (head, own) = name.split_at_checked(prefix.len())?;
            head.eq_ignore_ascii_case(prefix).then(|| own.to_owned())
        })
        .collect()
}

/// What an answer needs beside it to spell its headers so.
pub(crate) async fn spell(names: &[String]) -> http::Extensions {
    let lines: String = names.iter().map(|name| format!("{name}: x\r\n")).collect();
    let request = format!("GET / HTTP/1.1\r\nhost: x\r\nconnection: close\r\n{lines}\r\n");
    pass(&request, http::Response::new(Empty::new())).await.0
}

/// Lets hyper read a request and write an answer, in memory: what it kept of the one, and the text of the other.
async fn pass(request: &str, answer: http::Response<Empty<Bytes>>) -> (http::Extensions, String) {
    let (mut near, far) = tokio::io::duplex(MEMORY);
    let read = std::sync::Arc::new(std::sync::Mutex::new((Some(answer), http::Extensions::new())));
    let shared = read.clone();
    let service = service_fn(move |request: http::Request<Incoming>| {
        let answer = shared.lock().ok().and_then(|mut shared| {
            shared.1 = request.extensions().clone();
            shared.0.take()
        });
        async move { Ok::<_, std::convert::Infallible>(answer.unwrap_or_default()) }
    });
    let connection = hyper::server::conn::http1::Builder::new()
        .preserve_header_case(true)
        .serve_connection(TokioIo::new(far), service);
    let client = async {
        let mut text = Vec::new();
        // Memory refuses nothing; what could not be written is missing from the answer.
        let _ = near.write_all(request.as_bytes()).await;
        let _ = near.read_to_end(&mut text).await;
        String::from_utf8_lossy(&text).into_owned()
    };
    let (_, written) = tokio::join!(connection, client);
    let extensions = read.lock().map(|mut read| std::mem::take(&mut read.1)).unwrap_or_default();
    (extensions, written)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn names_come_through_as_they_are_spelled() {
        let names = ["x-ms-meta-UP".to_owned(), "x-ms-meta-mixedCase".to_owned()];
        let (mut head, ()) = http::Request::new(()).into_parts();
        head.extensions = spell(&names).await;
        for name in &names {
            let name: http::HeaderName = name.to_ascii_lowercase().parse().unwrap();
            head.headers.insert(name, http::HeaderValue::from_static("x"));
        }
        let mut found = spelled(&head, "x-ms-meta-").await;
        found.sort();
        assert_eq!(found, ["UP", "mixedCase"]);
        head.headers.clear();
        assert!(spelled(&head, "x-ms-meta-").await.is_empty());
    }
}
