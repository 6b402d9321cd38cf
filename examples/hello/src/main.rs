//! A small web server: greets, says whether it is well, answers slowly when asked to.
//!
//! It speaks HTTP/1.1 with keep-alive on the port named by `PORT`, one thread for each connection. On SIGTERM it
//! takes no more connections, finishes the requests it has begun, and ends.

use std::collections::HashMap;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

/// Change this and run `landfall up` again: a new revision takes over.
const VERSION: &str = "1.0.0";

/// How long a connection may stay silent between two requests.
const IDLE: Duration = Duration::from_secs(60);

/// How long the server still answers after the signal: the router in front may not know yet.
const LINGER: Duration = Duration::from_millis(300);

/// How long requests under way may take once the server was told to stop.
const DRAIN: Duration = Duration::from_secs(20);

fn main() -> io::Result<()> {
    let port: u16 = std::env::var("PORT").ok().and_then(|text| text.parse().ok()).unwrap_or(8000);
    let listener = TcpListener::bind(("0.0.0.0", port))?;
    println!("hello {VERSION} listens on port {port}");

    let server = Arc::new(Server::default());
    stop_on_signal(server.clone(), port)?;
    for stream in listener.incoming() {
        if server.stopping.load(Ordering::SeqCst) {
            break;
        }
        match stream {
            Ok(stream) => {
                let server = server.clone();
                thread::spawn(move || server.serve(stream));
            }
            Err(error) => eprintln!("cannot accept: {error}"),
        }
    }
    drop(listener);

    let until = Instant::now() + DRAIN;
    while server.busy.load(Ordering::SeqCst) > 0 && Instant::now() < until {
        thread::sleep(Duration::from_millis(5));
    }
    println!("hello {VERSION} stopped");
    Ok(())
}

/// On SIGTERM or SIGINT: says goodbye in every answer, then lets idle connections go and wakes the loop that accepts
/// new ones.
fn stop_on_signal(server: Arc<Server>, port: u16) -> io::Result<()> {
    use signal_hook::consts::{SIGINT, SIGTERM};
    let mut signals = signal_hook::iterator::Signals::new([SIGTERM, SIGINT])?;
    thread::spawn(move || {
        signals.forever().next();
        server.leaving.store(true, Ordering::SeqCst);
        thread::sleep(LINGER);
        server.stopping.store(true, Ordering::SeqCst);
        // Reading ends; an answer that is being written still goes out.
        for stream in server.open.lock().unwrap().values() {
            let _ = stream.shutdown(Shutdown::Read);
        }
        let _ = TcpStream::connect(("127.0.0.1", port));
    });
    Ok(())
}

/// What all connections share.
#[derive(Default)]
struct Server {
    /// Answers say that the connection ends after them.
    leaving: AtomicBool,
    /// Nothing new is begun.
    stopping: AtomicBool,
    /// Connections that are being served.
    busy: AtomicUsize,
    open: Mutex<HashMap<u64, TcpStream>>,
    next: AtomicU64,
}

impl Server {
    fn serve(&self, stream: TcpStream) {
        let id = self.next.fetch_add(1, Ordering::SeqCst);
        self.busy.fetch_add(1, Ordering::SeqCst);
        if let Ok(copy) = stream.try_clone() {
            self.open.lock().unwrap().insert(id, copy);
        }
        // The other side may leave at any time; that is its right.
        let _ = self.converse(stream);
        self.open.lock().unwrap().remove(&id);
        self.busy.fetch_sub(1, Ordering::SeqCst);
    }

    /// Answers one request after the other, until the other side has no more or the server stops.
    fn converse(&self, stream: TcpStream) -> io::Result<()> {
        stream.set_read_timeout(Some(IDLE))?;
        stream.set_nodelay(true)?;
        let mut writer = stream.try_clone()?;
        let mut reader = BufReader::new(stream);
        while let Some(request) = Request::read(&mut reader)? {
            let answer = answer(&request);
            let keep = request.keep_alive && !self.leaving.load(Ordering::SeqCst);
            answer.write(&mut writer, &request, keep)?;
            if !keep {
                break;
            }
        }
        Ok(())
    }
}

struct Request {
    method: String,
    path: String,
    query: String,
    keep_alive: bool,
}

impl Request {
    /// Reads a request; `None` when the connection ended between two.
    fn read(reader: &mut impl BufRead) -> io::Result<Option<Request>> {
        let mut line = String::new();
        if reader.read_line(&mut line)? == 0 {
            return Ok(None);
        }
        let mut words = line.split_whitespace();
        let method = words.next().unwrap_or_default().to_owned();
        let target = words.next().unwrap_or("/").to_owned();
        let mut keep_alive = words.next() != Some("HTTP/1.0");
        let mut length = 0;
        loop {
            let mut header = String::new();
            if reader.read_line(&mut header)? == 0 {
                return Ok(None);
            }
            let Some((name, value)) = header.trim_end().split_once(':') else { break };
            let value = value.trim();
            match name.to_ascii_lowercase().as_str() {
                "connection" if value.eq_ignore_ascii_case("close") => keep_alive = false,
                "connection" if value.eq_ignore_ascii_case("keep-alive") => keep_alive = true,
                "content-length" => length = value.parse().unwrap_or(0),
                _ => {}
            }
        }
        // Nobody asks for what was sent; it only has to be out of the way of the next request.
        io::copy(&mut reader.take(length), &mut io::sink())?;
        let (path, query) = target.split_once('?').unwrap_or((&target, ""));
        Ok(Some(Request { method, path: path.to_owned(), query: query.to_owned(), keep_alive }))
    }

    fn parameter(&self, name: &str) -> Option<&str> {
        self.query
            .split('&')
            .filter_map(|pair| pair.split_once('='))
            .find(|(key, _)| *key == name)
            .map(|(_, value)| value)
    }
}

struct Answer {
    status: &'static str,
    body: String,
}

fn answer(request: &Request) -> Answer {
    if !["GET", "HEAD"].contains(&request.method.as_str()) {
        return Answer { status: "405 Method Not Allowed", body: "only GET and HEAD\n".into() };
    }
    match request.path.as_str() {
        "/" => {
            let greeting = std::env::var("GREETING").unwrap_or_else(|_| "Hello from Landfall".into());
            Answer { status: "200 OK", body: format!("{greeting}\nversion {VERSION}\n") }
        }
        "/health" => Answer { status: "200 OK", body: "ok\n".into() },
        "/slow" => {
            let wait = request.parameter("ms").and_then(|text| text.parse().ok()).unwrap_or(1000);
            thread::sleep(Duration::from_millis(wait));
            Answer { status: "200 OK", body: format!("waited {wait} ms\n") }
        }
        _ => Answer { status: "404 Not Found", body: "there is /, /health and /slow?ms=1000\n".into() },
    }
}

impl Answer {
    fn write(&self, writer: &mut impl Write, request: &Request, keep: bool) -> io::Result<()> {
        let connection = if keep { "keep-alive" } else { "close" };
        let mut text = format!(
            "HTTP/1.1 {}\r\ncontent-type: text/plain; charset=utf-8\r\ncontent-length: {}\r\nconnection: {connection}\r\n\r\n",
            self.status,
            self.body.len()
        );
        if request.method != "HEAD" {
            text.push_str(&self.body);
        }
        writer.write_all(text.as_bytes())
    }
}
