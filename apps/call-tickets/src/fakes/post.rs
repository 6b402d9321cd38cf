//! A mail server, as far as sending goes (RFC 5321).

use std::sync::{Arc, Mutex, PoisonError};

use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};

/// A way to fail.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Failure {
    /// The login is refused: 535.
    Login,
    /// For now: 451 to the recipient.
    Later,
    /// The connection ends after the message was taken, before that is said.
    Cut,
}

/// A message that was taken.
#[derive(Clone, Debug)]
pub struct Letter {
    /// To whom.
    pub to: Vec<String>,
    /// Head and body, as they came.
    pub text: String,
}

/// A mail server on loopback.
#[derive(Clone)]
pub struct Post {
    letters: Arc<Mutex<Vec<Letter>>>,
    failures: Arc<Mutex<Vec<Failure>>>,
    /// Its port.
    pub port: u16,
}

impl Post {
    /// Starts one on a free port.
    ///
    /// # Errors
    /// When no port is free.
    pub async fn start() -> std::io::Result<Post> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let post =
            Post { letters: Arc::default(), failures: Arc::default(), port: listener.local_addr()?.port() };
        let server = post.clone();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let server = server.clone();
                // A client that goes away ends its conversation.
                tokio::spawn(async move { server.converse(stream).await });
            }
        });
        Ok(post)
    }

    /// What was taken.
    pub fn letters(&self) -> Vec<Letter> {
        self.letters.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// The next conversation fails so.
    pub fn next(&self, failure: Failure) {
        self.failures.lock().unwrap_or_else(PoisonError::into_inner).push(failure);
    }

    async fn converse(&self, stream: TcpStream) -> std::io::Result<()> {
        let failure = {
            let mut failures = self.failures.lock().unwrap_or_else(PoisonError::into_inner);
            if failures.is_empty() { None } else { Some(failures.remove(0)) }
        };
        let (read, mut write) = stream.into_split();
        let mut lines = BufReader::new(read).lines();
        write.write_all(b"220 fake ESMTP\r\n").await?;
        let mut to = Vec::new();
        while let Some(line) = lines.next_line().await? {
            let command = line.to_uppercase();
            let answer: &str = if command.starts_with("EHLO") {
                "250-fake\r\n250-8BITMIME\r\n250-SMTPUTF8\r\n250 AUTH PLAIN LOGIN"
            } else if command.starts_with("AUTH") {
                if failure == Some(Failure::Login) {
                    "535 5.7.8 Username and Password not accepted"
                } else {
                    "235 ok"
                }
            } else if command.starts_with("RCPT") {
                to.push(line[8..].trim().to_owned());
                if failure == Some(Failure::Later) { "451 4.3.0 try again later" } else { "250 ok" }
            } else if command.starts_with("DATA") {
                write.write_all(b"354 go on\r\n").await?;
                let mut text = String::new();
                while let Some(line) = lines.next_line().await? {
                    if line == "." {
                        break;
                    }
                    text += line.strip_prefix('.').unwrap_or(&line);
                    text.push('\n');
                }
                let letter = Letter { to: std::mem::take(&mut to), text };
                self.letters.lock().unwrap_or_else(PoisonError::into_inner).push(letter);
                if failure == Some(Failure::Cut) {
                    return Ok(());
                }
                "250 taken"
            } else if command.starts_with("QUIT") {
                write.write_all(b"221 bye\r\n").await?;
                return Ok(());
            } else {
                "250 ok"
            };
            write.write_all(format!("{answer}\r\n").as_bytes()).await?;
        }
        Ok(())
    }
}
