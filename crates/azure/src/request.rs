//! An ARM request as a value: built without a network, compared in tests by method, address and body.

use crate::error::Error;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::fmt;
use url::Url;

/// What a request does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
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

    /// Whether it only reads, so that it may be sent twice without a thought.
    pub fn is_read(self) -> bool {
        matches!(self, Method::Get | Method::Head)
    }

    pub(crate) fn to_http(self) -> reqwest::Method {
        match self {
            Method::Get => reqwest::Method::GET,
            Method::Head => reqwest::Method::HEAD,
            Method::Put => reqwest::Method::PUT,
            Method::Patch => reqwest::Method::PATCH,
            Method::Post => reqwest::Method::POST,
            Method::Delete => reqwest::Method::DELETE,
        }
    }
}

/// One request to ARM, complete but for the token and the ids that sending adds.
#[derive(Clone, PartialEq)]
pub struct Request {
    /// What it does.
    pub method: Method,
    /// Where it goes, with `api-version`.
    pub url: Url,
    /// The body, sent as JSON. It may hold keys and passwords, so it is never printed.
    pub body: Option<Value>,
    /// The etag that the resource must still have (`If-Match`).
    pub if_match: Option<String>,
}

impl Request {
    /// A request for `path` (an id, with a query or without) below `arm`.
    ///
    /// # Errors
    /// When the path does not begin with a slash, or leads upwards.
    pub fn new(
        arm: &Url,
        method: Method,
        path: &str,
        api_version: &str,
        body: Option<&Value>,
    ) -> Result<Request, Error> {
        let (path, query) = path.split_once('?').unwrap_or((path, ""));
        if !path.starts_with('/') {
            return Err(Error::setup(format!("`{path}` is no path: it must begin with a slash")));
        }
        let parts: Vec<&str> = path.split('/').filter(|part| !part.is_empty()).collect();
        if parts.iter().any(|part| matches!(*part, "." | "..") || part.contains(['#', '\\'])) {
            return Err(Error::setup(format!("`{path}` is no path of a resource")));
        }
        let mut url = arm.clone();
        url.set_path(&format!("/{}", parts.join("/")));
        let mut pairs: Vec<String> =
            query.split('&').filter(|pair| !pair.is_empty()).map(str::to_string).collect();
        if !pairs.iter().any(|pair| name_of(pair).eq_ignore_ascii_case("api-version")) {
            pairs.push(format!("api-version={api_version}"));
        }
        url.set_query(Some(&pairs.join("&")));
        Ok(Request { method, url, body: body.cloned(), if_match: None })
    }

    /// A read of an address that ARM gave us: the next page, or an operation.
    ///
    /// # Errors
    /// When the address is no URL or belongs to somebody else, who must not see the token.
    pub fn link(arm: &Url, link: &str) -> Result<Request, Error> {
        let url = arm
            .join(link)
            .map_err(|cause| Error::unreadable(format!("Azure gave an address that is no URL: {cause}")))?;
        if !same_service(arm, &url) {
            return Err(Error::unreadable(format!(
                "Azure gave an address at {}, which is not {}; the token is not sent there",
                origin(&url),
                origin(arm)
            )));
        }
        Ok(Request { method: Method::Get, url, body: None, if_match: None })
    }

    /// The budget that the request is counted against.
    pub fn bucket(&self) -> Bucket {
        let mut parts = self.url.path_segments().into_iter().flatten().filter(|part| !part.is_empty());
        let mut subscription = None;
        let mut provider = None;
        let mut first = true;
        while let Some(part) = parts.next() {
            if first && part.eq_ignore_ascii_case("subscriptions") {
                subscription = parts.next().map(str::to_ascii_lowercase);
            } else if part.eq_ignore_ascii_case("providers") {
                // The last one: a role assignment on a vault is Microsoft.Authorization's work.
                provider = parts.next().map(str::to_ascii_lowercase);
            }
            first = false;
        }
        let spending = match self.method {
            Method::Get | Method::Head => Spending::Read,
            Method::Put | Method::Patch | Method::Post => Spending::Write,
            Method::Delete => Spending::Delete,
        };
        Bucket { service: origin(&self.url), subscription, spending, provider }
    }

    /// Method and path, for people and logs: the query is left out, since it may carry a signature.
    pub fn title(&self) -> String {
        format!("{} {}", self.method.as_str(), self.url.path())
    }
}

impl fmt::Debug for Request {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Request").field("title", &self.title()).field("body", &self.body.is_some()).finish()
    }
}

/// Whom ARM counts a request against.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Bucket {
    /// The ARM that counts.
    pub service: String,
    /// The subscription; none for what belongs to the tenant.
    pub subscription: Option<String>,
    /// What kind of request it is.
    pub spending: Spending,
    /// The resource provider that does the work and has limits of its own.
    pub provider: Option<String>,
}

/// The kinds of requests that ARM counts apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Spending {
    /// GET and HEAD, polls included.
    Read,
    /// PUT, PATCH and POST.
    Write,
    /// DELETE.
    Delete,
}

fn name_of(pair: &str) -> &str {
    pair.split_once('=').map_or(pair, |(name, _)| name)
}

/// Scheme, host and port; never path or query.
pub(crate) fn origin(url: &Url) -> String {
    match (url.host_str(), url.port()) {
        (Some(host), Some(port)) => format!("{}://{host}:{port}", url.scheme()),
        (Some(host), None) => format!("{}://{host}", url.scheme()),
        _ => url.scheme().to_string(),
    }
}

/// Whether a link stays with the service that a token is for: its own host, or one below it, which regional
/// addresses such as `westeurope.management.azure.com` are.
pub(crate) fn same_service(base: &Url, link: &Url) -> bool {
    let (Some(host), Some(other)) = (base.host_str(), link.host_str()) else { return false };
    base.scheme() == link.scheme()
        && base.port_or_known_default() == link.port_or_known_default()
        && (host == other || (base.domain().is_some() && other.ends_with(&format!(".{host}"))))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn arm() -> Url {
        Url::parse("https://management.azure.com/").unwrap()
    }

    const APP: &str = "/subscriptions/S1/resourceGroups/rg/providers/Microsoft.App/containerApps/web";

    #[test]
    fn a_put_is_method_address_and_body() {
        let body = json!({"location": "westeurope"});
        let request = Request::new(&arm(), Method::Put, APP, "2026-01-01", Some(&body)).unwrap();
        assert_eq!(request.method, Method::Put);
        assert_eq!(
            request.url.as_str(),
            "https://management.azure.com/subscriptions/S1/resourceGroups/rg/providers/Microsoft.App/containerApps/web?api-version=2026-01-01"
        );
        assert_eq!(request.body, Some(body));
    }

    #[test]
    fn a_query_is_kept_and_an_api_version_in_it_wins() {
        let path = "/subscriptions/S1/resources?$filter=tagName eq 'a' and tagValue eq 'b'&$top=5";
        let request = Request::new(&arm(), Method::Get, path, "2024-11-01", None).unwrap();
        assert_eq!(
            request.url.query(),
            Some(
                "$filter=tagName%20eq%20%27a%27%20and%20tagValue%20eq%20%27b%27&$top=5&api-version=2024-11-01"
            )
        );
        let request = Request::new(&arm(), Method::Get, "/x?Api-Version=1", "2", None).unwrap();
        assert_eq!(request.url.query(), Some("Api-Version=1"));
    }

    #[test]
    fn slashes_are_tidied_and_nothing_leads_elsewhere() {
        let request = Request::new(&arm(), Method::Get, "//evil.example/x/", "1", None).unwrap();
        assert_eq!(request.url.as_str(), "https://management.azure.com/evil.example/x?api-version=1");
        for path in ["subscriptions/x", "/a/../b", "/a/./b", "/a#b", "https://evil.example/"] {
            assert!(Request::new(&arm(), Method::Get, path, "1", None).is_err(), "{path}");
        }
    }

    #[test]
    fn links_stay_with_the_service() {
        for good in [
            "https://management.azure.com/subscriptions/x?t=1",
            "https://westeurope.management.azure.com/subscriptions/x",
            "https://MANAGEMENT.azure.com:443/x",
            "/subscriptions/x?page=2",
        ] {
            assert!(Request::link(&arm(), good).is_ok(), "{good}");
        }
        for bad in [
            "http://management.azure.com/x",
            "https://management.azure.com:8443/x",
            "https://evil.example/x",
            "https://management.azure.com.evil.example/x",
            "https://notmanagement.azure.com/x",
            "//evil.example/x",
            "https://",
        ] {
            assert!(Request::link(&arm(), bad).is_err(), "{bad}");
        }
        let here = Url::parse("https://127.0.0.1:8443/").unwrap();
        assert!(Request::link(&here, "https://127.0.0.1:8443/x").is_ok());
        assert!(Request::link(&here, "https://a.127.0.0.1:8443/x").is_err());
    }

    #[test]
    fn a_request_knows_who_counts_it() {
        let bucket = Request::new(&arm(), Method::Put, APP, "1", None).unwrap().bucket();
        assert_eq!(bucket.subscription.as_deref(), Some("s1"));
        assert_eq!(bucket.provider.as_deref(), Some("microsoft.app"));
        assert_eq!(bucket.spending, Spending::Write);
        let role = format!("{APP}/providers/Microsoft.Authorization/roleAssignments/r");
        let bucket = Request::new(&arm(), Method::Delete, &role, "1", None).unwrap().bucket();
        assert_eq!(bucket.provider.as_deref(), Some("microsoft.authorization"));
        assert_eq!(bucket.spending, Spending::Delete);
        let bucket = Request::new(&arm(), Method::Get, "/subscriptions", "1", None).unwrap().bucket();
        assert_eq!((bucket.subscription, bucket.spending), (None, Spending::Read));
    }

    #[test]
    fn neither_body_nor_query_is_printed() {
        let body = json!({"password": "planted-secret"});
        let mut request =
            Request::new(&arm(), Method::Put, "/x?sig=planted-secret", "1", Some(&body)).unwrap();
        request.if_match = Some("e".into());
        assert!(!format!("{request:?} {}", request.title()).contains("planted-secret"));
    }
}
