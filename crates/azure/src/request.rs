//! An ARM request as a value: built without a network, compared in tests by method, address and body.

use crate::error::Error;
use serde_json::Value;
use url::Url;

/// What a request does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum Method {
    /// Reads.
    Get,
    /// Asks whether something is there.
    Head,
    /// Creates, or replaces as a whole.
    Put,
    /// Changes in part (JSON merge patch).
    Patch,
    /// Acts.
    Post,
    /// Removes.
    Delete,
}

impl Method {
    /// The method's name in HTTP.
    pub fn as_str(self) -> &'static str {
        match self {
            Method::Get => "GET",
            Method::Head => "HEAD",
            Method::Put => "PUT",
            Method::Patch => "PATCH",
            Method::Post => "POST",
            Method::Delete => "DELETE",
        }
    }
}

/// One request to ARM, complete but for the token and the ids that sending adds.
#[derive(Clone, Debug, PartialEq)]
pub struct Request {
    /// What it does.
    pub method: Method,
    /// Where it goes, with `api-version`.
    pub url: Url,
    /// The body, sent as JSON.
    pub body: Option<Value>,
    /// The etag that the resource must still have (`If-Match`).
    pub if_match: Option<String>,
}

impl Request {
    /// A request for `path` (an id, with a query or without) below `arm`.
    ///
    /// # Errors
    /// When the path does not begin with a slash or leads away from `arm`.
    pub fn new(
        arm: &Url,
        method: Method,
        path: &str,
        api_version: &str,
        body: Option<&Value>,
    ) -> Result<Request, Error> {
        let _ = (arm, method, path, api_version, body);
        Err(Error::setup("not yet".to_string()))
    }
}
