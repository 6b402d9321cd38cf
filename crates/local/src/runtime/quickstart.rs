//! The page of `mcr.microsoft.com/k8se/quickstart`, which tools name as a first image: served by this process, since
//! Microsoft's registry may be out of reach.

use std::convert::Infallible;

use http::{Response, header};
use http_body_util::Full;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo};

const PAGE: &str = "<!DOCTYPE html>\n<html lang=\"en\">\n<head><meta charset=\"utf-8\"><title>Welcome to Azure Container Apps!</title></head>\n\
<body style=\"font-family:sans-serif;margin:4rem auto;max-width:40rem\">\n<h1>Your Azure Container Apps app is live</h1>\n\
<p>This page stands for <code>mcr.microsoft.com/k8se/quickstart</code>, built into local Azure. Deploy a revision with an image of your own to replace it.</p>\n\
</body>\n</html>\n";

/// What `mcr.microsoft.com/k8se/quickstart-jobs` writes before it ends.
pub(crate) const JOB: [&str; 3] = [
    "This is a sample application that demonstrates how to use Azure Container Apps jobs",
    "Starting processing...",
    "Finished processing. Shutting down!",
];

/// Serves the page at `port` until `stop` completes; without a port it only waits.
pub(crate) async fn serve(
    port: Option<u16>,
    ready: impl FnOnce(),
    stop: impl Future<Output = ()>,
) -> Result<(), String> {
    let Some(port) = port else {
        ready();
        stop.await;
        return Ok(());
    };
    let listener = tokio::net::TcpListener::bind(("127.0.0.1", port))
        .await
        .map_err(|error| format!("port {port}: {error}"))?;
    ready();
    tokio::pin!(stop);
    let mut connections = tokio::task::JoinSet::new();
    loop {
        let stream = tokio::select! {
            accepted = listener.accept() => match accepted {
                Ok((stream, _)) => stream,
                Err(_) => continue,
            },
            () = &mut stop => break,
        };
        connections.spawn(async move {
            let service = service_fn(|_request| async {
                Ok::<_, Infallible>(
                    Response::builder()
                        .header(header::CONTENT_TYPE, "text/html; charset=utf-8")
                        .body(Full::new(bytes::Bytes::from_static(PAGE.as_bytes())))
                        .expect("the head is fixed"),
                )
            });
            let _ = hyper_util::server::conn::auto::Builder::new(TokioExecutor::new())
                .serve_connection(TokioIo::new(stream), service)
                .await;
        });
    }
    connections.shutdown().await;
    Ok(())
}
