//! Requests and responses as the world sees them: parsed, with bodies that are either in memory or, where they
//! may be large, kept by the front and named by content.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;

/// The verbs that Azure's planes use.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
#[allow(missing_docs)]
pub enum Method {
    Get,
    Head,
    Put,
    Post,
    Patch,
    Delete,
    Options,
}

impl Method {
    /// As it is written in a request.
    pub fn name(self) -> &'static str {
        match self {
            Method::Get => "GET",
            Method::Head => "HEAD",
            Method::Put => "PUT",
            Method::Post => "POST",
            Method::Patch => "PATCH",
            Method::Delete => "DELETE",
            Method::Options => "OPTIONS",
        }
    }
}

/// Which of Azure's front doors a request came through; the host name decides.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Plane {
    /// Azure Resource Manager.
    Arm,
    /// Entra ID: discovery and tokens.
    Entra,
    /// One vault's data plane.
    Vault {
        /// The vault's name, lower case.
        name: String,
    },
    /// One registry's data plane.
    Registry {
        /// The registry's name, lower case.
        name: String,
    },
    /// One storage account's blob service.
    Blob {
        /// The account's name, lower case.
        account: String,
    },
    /// One storage account's static website.
    Website {
        /// The account's name, lower case.
        account: String,
    },
    /// A service of a storage account that is not modelled: `dfs`, `file`, `queue`, `table`.
    OtherStorage {
        /// The account's name, lower case.
        account: String,
        /// The service.
        service: String,
    },
    /// The managed-identity endpoint of one replica.
    Identity {
        /// The `X-IDENTITY-HEADER` it must come with is bound to this workload.
        workload: String,
    },
    /// `/_local/…`: clock, faults, kill, and the page a browser sees.
    Control,
}

/// A request, headers in lower case.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Request {
    /// Front door.
    pub plane: Plane,
    /// Verb.
    pub method: Method,
    /// `https://localhost:PORT`, as the client addressed it: operation URLs are built from it.
    pub origin: String,
    /// Path as sent, percent-encoding kept, without the query.
    pub path: String,
    /// Query pairs in order, decoded.
    pub query: Vec<(String, String)>,
    /// Headers by lower-case name; a repeated one is a list with commas.
    pub headers: BTreeMap<String, String>,
    /// Body.
    pub body: Body,
    /// Unique for the request, made by the front: `x-ms-request-id`.
    pub id: String,
}

impl Request {
    /// First query value whose name matches without case.
    pub fn query(&self, name: &str) -> Option<&str> {
        self.query.iter().find(|(k, _)| k.eq_ignore_ascii_case(name)).map(|(_, v)| v.as_str())
    }

    /// Header by lower-case name.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).map(String::as_str)
    }
}

/// What a request or response carries.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub enum Body {
    /// Nothing.
    #[default]
    Empty,
    /// Bytes in memory: JSON, forms, text.
    #[serde(with = "base64_bytes")]
    Bytes(Vec<u8>),
    /// Bytes the front keeps, in order: uploads and blobs.
    Stored(Vec<Segment>),
}

/// A piece of content in the front's store.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Segment {
    /// Name in the store: random for what was just uploaded. Empty: a hole, which reads as zeros.
    pub key: String,
    /// First byte of it that counts.
    pub offset: u64,
    /// How many bytes count.
    pub length: u64,
    /// Hex SHA-256 of the whole piece as uploaded; empty where the plane does not ask for it, as are the next two.
    #[serde(default)]
    pub sha256: String,
    /// Base64 MD5 of the whole piece as uploaded.
    #[serde(default)]
    pub md5: String,
    /// Base64 CRC64 of the whole piece as uploaded.
    #[serde(default)]
    pub crc64: String,
}

impl Segment {
    /// So many bytes that were never written.
    pub(crate) fn hole(length: u64) -> Segment {
        Segment { length, ..Segment::default() }
    }

    /// Whether nothing was ever written there.
    pub(crate) fn is_hole(&self) -> bool {
        self.key.is_empty()
    }
}

/// An answer.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Response {
    /// HTTP status.
    pub status: u16,
    /// Headers in order.
    pub headers: Vec<(String, String)>,
    /// Body.
    pub body: Body,
}

impl Response {
    /// An answer without a body.
    pub fn empty(status: u16) -> Response {
        Response { status, ..Response::default() }
    }

    /// A JSON answer.
    pub fn json(status: u16, value: &Value) -> Response {
        Response {
            status,
            headers: vec![("content-type".into(), "application/json; charset=utf-8".into())],
            body: Body::Bytes(value.to_string().into_bytes()),
        }
    }

    /// The same answer with one more header.
    #[must_use]
    pub fn with(mut self, name: &str, value: impl Into<String>) -> Response {
        self.headers.push((name.to_owned(), value.into()));
        self
    }

    /// `{"error":{"code","message"}}`, as ARM and Key Vault refuse.
    pub fn error(status: u16, code: &str, message: impl Into<String>) -> Response {
        Response::json(status, &serde_json::json!({"error": {"code": code, "message": message.into()}}))
    }
}

/// Percent-decoded; what is no UTF-8 then cannot be a name and stays as it is.
pub(crate) fn decode(path: &str) -> String {
    if !path.contains('%') {
        return path.to_owned();
    }
    let mut bytes = Vec::with_capacity(path.len());
    let mut rest = path.as_bytes();
    while let Some((&first, tail)) = rest.split_first() {
        let hex = |digit: u8| char::from(digit).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
        match (first, tail) {
            (b'%', [high, low, after @ ..]) if hex(*high).is_some() && hex(*low).is_some() => {
                bytes.push(hex(*high).unwrap_or(0) << 4 | hex(*low).unwrap_or(0));
                rest = after;
            }
            _ => {
                bytes.push(first);
                rest = tail;
            }
        }
    }
    String::from_utf8(bytes).unwrap_or_else(|_| path.to_owned())
}

/// `length` bytes of content from its byte `first` on.
pub(crate) fn slice(segments: &[Segment], first: u64, length: u64) -> Vec<Segment> {
    let (mut skip, mut left) = (first, length);
    let mut part = Vec::new();
    for segment in segments {
        if skip >= segment.length {
            skip -= segment.length;
            continue;
        }
        let length = (segment.length - skip).min(left);
        if length == 0 {
            break;
        }
        part.push(if length == segment.length {
            segment.clone()
        } else {
            // Digests are of the whole piece; a hole is the same all over.
            let offset = if segment.is_hole() { segment.offset } else { segment.offset + skip };
            Segment { key: segment.key.clone(), offset, length, ..Segment::default() }
        });
        left -= length;
        skip = 0;
    }
    part
}

/// Bytes as base64 text in what is kept: a list of numbers would be four times as long.
pub(crate) mod base64_bytes {
    use base64::Engine;
    use base64::engine::general_purpose::STANDARD;
    use serde::{Deserialize, Deserializer, Serializer, de::Error};

    pub(crate) fn serialize<S: Serializer>(bytes: &[u8], serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&STANDARD.encode(bytes))
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<u8>, D::Error> {
        let text = std::borrow::Cow::<str>::deserialize(deserializer)?;
        STANDARD.decode(text.as_bytes()).map_err(D::Error::custom)
    }
}
