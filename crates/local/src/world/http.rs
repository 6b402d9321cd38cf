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
    /// Headers by lower-case name; the last of a repeated one wins.
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
    Bytes(Vec<u8>),
    /// Bytes the front keeps, in order: uploads and blobs.
    Stored(Vec<Segment>),
}

/// A piece of content in the front's store.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Segment {
    /// Name in the store: random for what was just uploaded.
    pub key: String,
    /// First byte of it that counts.
    pub offset: u64,
    /// How many bytes count.
    pub length: u64,
    /// Hex SHA-256 of the whole piece as uploaded.
    pub sha256: String,
    /// Hex MD5 of the whole piece as uploaded.
    pub md5: String,
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
