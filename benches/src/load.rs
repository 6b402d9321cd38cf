//! Requests one after the other over kept connections, each timed. The client is as small as it can be, since it
//! shares the machine with what it measures.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use rustls::ClientConfig;
use rustls::pki_types::ServerName;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::Failure;

/// One request, to be sent again and again.
#[derive(Clone, Debug)]
pub struct Target {
    /// Where to.
    pub address: SocketAddr,
    /// With TLS, whom to trust and which name.
    pub tls: Option<(Arc<ClientConfig>, ServerName<'static>)>,
    /// An HTTP/1.1 request.
    pub request: Vec<u8>,
}

/// What came of it.
#[derive(Clone, Debug)]
pub struct Load {
    took: Duration,
    /// Each request's time, sorted.
    times: Vec<Duration>,
}

impl Load {
    /// Requests in a second.
    pub fn rate(&self) -> f64 {
        self.times.len() as f64 / self.took.as_secs_f64()
    }

    /// The time within which so many percent of all requests were answered, in milliseconds.
    pub fn percentile(&self, percent: usize) -> f64 {
        let at = (self.times.len() * percent / 100).min(self.times.len().saturating_sub(1));
        self.times.get(at).map_or(f64::NAN, |time| time.as_secs_f64() * 1000.0)
    }
}

/// Sends `target`'s request for `length` over so many connections at once, each waiting for its answer.
///
/// # Errors
/// What went wrong first: no connection, or an answer that is not 200.
pub async fn run(target: &Target, connections: usize, length: Duration) -> Result<Load, Failure> {
    let begun = Instant::now();
    let end = begun + length;
    let all = (0..connections).map(|_| tokio::spawn(connection(target.clone(), end)));
    let mut times = Vec::new();
    for one in all.collect::<Vec<_>>() {
        times.extend(one.await??);
    }
    let took = begun.elapsed();
    times.sort();
    Ok(Load { took, times })
}

/// Sends every one of these requests once, over so many connections at once.
///
/// # Errors
/// What went wrong first: no connection, or an answer that is not 200.
pub async fn each(
    address: SocketAddr,
    connections: usize,
    requests: Arc<Vec<Vec<u8>>>,
) -> Result<Load, Failure> {
    let next = Arc::new(AtomicUsize::new(0));
    let begun = Instant::now();
    let all = (0..connections).map(|_| {
        let (requests, next) = (requests.clone(), next.clone());
        tokio::spawn(async move {
            let mut stream = TcpStream::connect(address).await?;
            stream.set_nodelay(true)?;
            let (mut times, mut buffer) = (Vec::new(), Vec::with_capacity(16 << 10));
            while let Some(request) = requests.get(next.fetch_add(1, Ordering::Relaxed)) {
                times.push(one(&mut stream, request, &mut buffer).await?);
            }
            Ok::<_, Failure>(times)
        })
    });
    let mut times = Vec::new();
    for one in all.collect::<Vec<_>>() {
        times.extend(one.await??);
    }
    let took = begun.elapsed();
    times.sort();
    Ok(Load { took, times })
}

async fn connection(target: Target, end: Instant) -> Result<Vec<Duration>, Failure> {
    let tcp = TcpStream::connect(target.address).await?;
    tcp.set_nodelay(true)?;
    match target.tls {
        None => repeat(tcp, &target.request, end).await,
        Some((config, name)) => {
            let tls = tokio_rustls::TlsConnector::from(config).connect(name, tcp).await?;
            repeat(tls, &target.request, end).await
        }
    }
}

async fn repeat<S>(mut stream: S, request: &[u8], end: Instant) -> Result<Vec<Duration>, Failure>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let mut times = Vec::new();
    let mut buffer = Vec::with_capacity(16 << 10);
    while Instant::now() < end {
        times.push(one(&mut stream, request, &mut buffer).await?);
    }
    Ok(times)
}

/// Sends a request and reads its answer; how long that took.
async fn one<S>(stream: &mut S, request: &[u8], buffer: &mut Vec<u8>) -> Result<Duration, Failure>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let begun = Instant::now();
    stream.write_all(request).await?;
    stream.flush().await?;
    answer(stream, buffer).await?;
    Ok(begun.elapsed())
}

/// Reads one whole answer; it must be 200 and say its length.
async fn answer<S: AsyncRead + Unpin>(stream: &mut S, buffer: &mut Vec<u8>) -> Result<(), Failure> {
    buffer.clear();
    loop {
        if stream.read_buf(buffer).await? == 0 {
            return Err("the connection was closed".into());
        }
        let Some(head) = buffer.windows(4).position(|four| four == b"\r\n\r\n") else { continue };
        let text = String::from_utf8_lossy(&buffer[..head]).to_ascii_lowercase();
        if !text.starts_with("http/1.1 200") {
            return Err(format!("not 200: {}", String::from_utf8_lossy(buffer)).into());
        }
        let length = text.lines().find_map(|line| line.strip_prefix("content-length:"));
        let length: usize = length.ok_or("an answer without a length")?.trim().parse()?;
        while buffer.len() < head + 4 + length {
            if stream.read_buf(buffer).await? == 0 {
                return Err("the answer broke off".into());
            }
        }
        return Ok(());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_are_of_sorted_times() {
        let times = (1..=100).map(Duration::from_millis).collect();
        let load = Load { took: Duration::from_secs(2), times };
        assert_eq!((load.percentile(50), load.percentile(99), load.rate()), (51.0, 100.0, 50.0));
        let none = Load { took: Duration::from_secs(1), times: Vec::new() };
        assert!(none.percentile(50).is_nan());
    }

    #[tokio::test]
    async fn answers_in_pieces_are_read_whole_and_refusals_told() {
        let (mut ours, mut theirs) = tokio::io::duplex(64);
        let sent = tokio::spawn(async move {
            for piece in
                ["HTTP/1.1 200 OK\r\nContent-Le", "ngth: 5\r\n\r\nhe", "llo", "HTTP/1.1 404 X\r\n\r\n"]
            {
                theirs.write_all(piece.as_bytes()).await.expect("the other end reads");
                tokio::task::yield_now().await;
            }
        });
        let mut buffer = Vec::new();
        answer(&mut ours, &mut buffer).await.expect("the first is 200");
        assert!(buffer.ends_with(b"hello"));
        assert!(answer(&mut ours, &mut buffer).await.is_err());
        sent.await.expect("no panic");
    }
}
