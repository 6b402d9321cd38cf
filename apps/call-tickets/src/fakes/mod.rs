//! Stand-ins for the services around, on loopback: they speak the real protocols, refuse what the real ones refuse,
//! and fail in the documented ways when told to. `serve --demo` uses the first, tests use all.
//!
//! - [`desk`] is a TOPdesk
//! - [`model`] is OpenAI's chat completions
//! - [`post`] is a mail server

pub mod desk;
pub mod model;
pub mod post;

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use axum::body::Body;
use axum::http::{Response, StatusCode};

/// A way to fail.
#[derive(Clone, Debug)]
pub enum Fault {
    /// An answer with this status, body and `Retry-After`, and no effect.
    Answer(u16, String, Option<u64>),
    /// The effect, and a connection that breaks instead of an answer.
    Break,
    /// The effect, and an answer that takes this long.
    Slow(Duration),
}

/// Ways to fail that wait for their request: each is used once, the first that fits.
#[derive(Clone, Default)]
pub struct Faults(Arc<Mutex<Vec<(String, Fault)>>>);

impl Faults {
    /// The next request whose `METHOD /path` contains `part` fails so.
    pub fn next(&self, part: &str, fault: Fault) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push((part.to_owned(), fault));
    }

    /// How many still wait.
    pub fn waiting(&self) -> usize {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).len()
    }

    /// Forgets those that wait.
    pub fn clear(&self) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clear();
    }

    fn take(&self, request: &str) -> Option<Fault> {
        let mut faults = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let place = faults.iter().position(|(part, _)| request.contains(part.as_str()))?;
        Some(faults.remove(place).1)
    }
}

fn plain(status: u16, body: String, after: Option<u64>) -> Response<Body> {
    let mut builder =
        Response::builder().status(StatusCode::from_u16(status).unwrap_or(StatusCode::IM_A_TEAPOT));
    if let Some(after) = after {
        builder = builder.header("retry-after", after);
    }
    builder.header("content-type", "application/json").body(Body::from(body)).expect("the parts are valid")
}

/// An answer that breaks off.
fn broken() -> Response<Body> {
    let stream = futures::stream::iter([Err::<bytes::Bytes, _>(std::io::Error::other("broken on purpose"))]);
    Response::builder()
        .header("content-length", "100")
        .body(Body::from_stream(stream))
        .expect("the parts are valid")
}
