//! Listeners and connections: TLS or plain, HTTP/1.1 or 2, with limits, until told to stop.

use std::convert::Infallible;
use std::future::Future;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, watch};
use tokio::task::JoinSet;

use super::gate::Answer;

/// More would be a mistake of the client's; the next one waits.
const CONNECTIONS_MAX: usize = 4096;
const HANDSHAKE_MAX: Duration = Duration::from_secs(10);
const HEADERS_MAX: Duration = Duration::from_secs(30);
/// As Azure's front ends: 64 KiB for all headers together.
const HEADER_BYTES_MAX: usize = 64 << 10;
/// For what is under way when local Azure stops.
const DRAIN_MAX: Duration = Duration::from_secs(3);

/// The connection is closed without an answer: a fault asked for it.
#[derive(Debug)]
pub(crate) struct Cut;

impl std::fmt::Display for Cut {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("the connection is cut")
    }
}

impl std::error::Error for Cut {}

impl From<Infallible> for Cut {
    fn from(never: Infallible) -> Cut {
        match never {}
    }
}

/// Completes when `stop` turns true, or whoever would turn it is gone.
pub(crate) async fn stopped(stop: &mut watch::Receiver<bool>) {
    let _ = stop.wait_for(|stop| *stop).await;
}

/// Where a connection came from and how.
#[derive(Clone, Debug)]
pub(crate) struct Arrival {
    pub(crate) peer: SocketAddr,
    pub(crate) tls: bool,
    /// What the client showed of itself, by DER.
    pub(crate) certificates: Arc<Vec<Vec<u8>>>,
}

/// TLS settings by the name that a client asks for.
pub(crate) trait Settings: Send + Sync + 'static {
    /// Those for a name; without one, for the address.
    fn of(&self, name: Option<&str>) -> Arc<rustls::ServerConfig>;
}

/// Answers requests.
pub(crate) trait Handler: Clone + Send + Sync + 'static {
    /// The answer, or a cut.
    fn answer(
        &self,
        arrival: Arrival,
        request: http::Request<Incoming>,
    ) -> impl Future<Output = Result<Answer, Cut>> + Send;
}

/// Binds `port` on loopback; the address of IPv6 too where there is one, since some resolvers prefer it.
pub(crate) async fn bind(port: u16) -> std::io::Result<Vec<TcpListener>> {
    let first = TcpListener::bind((Ipv4Addr::LOCALHOST, port)).await?;
    let port = first.local_addr()?.port();
    let second = TcpListener::bind((Ipv6Addr::LOCALHOST, port)).await.ok();
    Ok([Some(first), second].into_iter().flatten().collect())
}

/// Serves `listeners` until `stop` turns true, then lets go of them and drains.
pub(crate) async fn serve<H: Handler>(
    listeners: Vec<TcpListener>,
    tls: Option<Arc<dyn Settings>>,
    handler: H,
    stop: watch::Receiver<bool>,
) {
    let permits = Arc::new(Semaphore::new(CONNECTIONS_MAX));
    let mut accepting = JoinSet::new();
    for listener in listeners {
        accepting.spawn(accept(listener, tls.clone(), handler.clone(), permits.clone(), stop.clone()));
    }
    while accepting.join_next().await.is_some() {}
}

async fn accept<H: Handler>(
    listener: TcpListener,
    tls: Option<Arc<dyn Settings>>,
    handler: H,
    permits: Arc<Semaphore>,
    mut stop: watch::Receiver<bool>,
) {
    let mut connections = JoinSet::new();
    loop {
        let Ok(permit) = permits.clone().acquire_owned().await else { break };
        tokio::select! {
            accepted = listener.accept() => match accepted {
                Ok((tcp, peer)) => {
                    let connection = connection(tcp, peer, tls.clone(), handler.clone(), stop.clone());
                    connections.spawn(async move {
                        connection.await;
                        drop(permit);
                    });
                }
                Err(error) => {
                    // Out of file descriptors, most often: others must end first.
                    tracing::warn!(error = %error, "no connection can be accepted");
                    tokio::time::sleep(Duration::from_millis(50)).await;
                }
            },
            // Ended ones are let go of.
            Some(_) = connections.join_next(), if !connections.is_empty() => {}
            () = stopped(&mut stop) => break,
        }
    }
    drop(listener);
    let drained = async { while connections.join_next().await.is_some() {} };
    // What is still there is dropped with the set.
    let _ = tokio::time::timeout(DRAIN_MAX, drained).await;
}

async fn connection<H: Handler>(
    tcp: TcpStream,
    peer: SocketAddr,
    tls: Option<Arc<dyn Settings>>,
    handler: H,
    stop: watch::Receiver<bool>,
) {
    // Answers are small and waited for.
    let _ = tcp.set_nodelay(true);
    let mut arrival = Arrival { peer, tls: false, certificates: Arc::default() };
    let Some(tls) = tls else { return exchange(tcp, arrival, handler, stop).await };
    match tokio::time::timeout(HANDSHAKE_MAX, handshake(tcp, &*tls)).await {
        Ok(Ok(Opened::Secure(stream))) => {
            arrival.tls = true;
            let shown = stream.get_ref().1.peer_certificates().unwrap_or_default();
            arrival.certificates = Arc::new(shown.iter().map(|shown| shown.to_vec()).collect());
            exchange(stream, arrival, handler, stop).await;
        }
        // Whether that is taken here depends on whom it is for.
        Ok(Ok(Opened::Plain(tcp))) => exchange(tcp, arrival, handler, stop).await,
        Ok(Ok(Opened::Nothing)) => {}
        // A client that does not trust the CA ends here: it says so itself.
        Ok(Err(error)) => tracing::debug!(error = %error, "no TLS"),
        Err(_) => tracing::debug!("a client did not finish its handshake"),
    }
}

/// What a connection begins with.
enum Opened {
    Secure(Box<tokio_rustls::server::TlsStream<TcpStream>>),
    /// Something else than TLS: plain HTTP, most likely.
    Plain(TcpStream),
    Nothing,
}

async fn handshake(tcp: TcpStream, tls: &dyn Settings) -> std::io::Result<Opened> {
    const TLS_HANDSHAKE: u8 = 0x16;
    let mut first = [0];
    if tcp.peek(&mut first).await? == 0 {
        return Ok(Opened::Nothing);
    }
    if first[0] != TLS_HANDSHAKE {
        return Ok(Opened::Plain(tcp));
    }
    let begun = tokio_rustls::LazyConfigAcceptor::new(rustls::server::Acceptor::default(), tcp).await?;
    let settings = tls.of(begun.client_hello().server_name());
    Ok(Opened::Secure(Box::new(begun.into_stream(settings).await?)))
}

async fn exchange<S, H>(stream: S, arrival: Arrival, handler: H, mut stop: watch::Receiver<bool>)
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    H: Handler,
{
    let service = service_fn(move |request| {
        let (handler, arrival) = (handler.clone(), arrival.clone());
        async move { handler.answer(arrival, request).await }
    });
    let mut builder = auto::Builder::new(TokioExecutor::new());
    builder
        .http1()
        // Names of metadata keep their case.
        .preserve_header_case(true)
        .timer(TokioTimer::new())
        .header_read_timeout(HEADERS_MAX)
        .max_buf_size(HEADER_BYTES_MAX.max(256 << 10));
    builder
        .http2()
        .timer(TokioTimer::new())
        .keep_alive_interval(Some(Duration::from_secs(20)))
        .initial_stream_window_size(1 << 20)
        .initial_connection_window_size(4 << 20)
        .max_header_list_size(u32::try_from(HEADER_BYTES_MAX).unwrap_or(u32::MAX));
    let connection = builder.serve_connection_with_upgrades(TokioIo::new(stream), service);
    tokio::pin!(connection);
    let ended = tokio::select! {
        ended = connection.as_mut() => ended,
        () = stopped(&mut stop) => {
            connection.as_mut().graceful_shutdown();
            connection.await
        }
    };
    if let Err(error) = ended {
        tracing::debug!(error = %error, "a connection ended early");
    }
}
