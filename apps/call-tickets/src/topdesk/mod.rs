//! TOPdesk's REST API, as far as a ticket needs it (incident API 4.2.6, supporting files 2.7.11).
//!
//! - [`Client`]: one request each: find, create, attach, note, lists, persons
//! - [`incident`]: what a new incident says, and how it is mended when TOPdesk refuses a part of it
//! - [`lists`]: TOPdesk's own words, kept for a while
//!
//! This application was developed with the TOPdesk API.

pub mod incident;
pub mod lists;

use std::time::Duration;

use reqwest::header::{ACCEPT, HeaderMap};
use reqwest::{Method, RequestBuilder, StatusCode};
use secrecy::{ExposeSecret, SecretString};
use serde_json::Value;
use url::Url;

use crate::extract::{Lists, Named, Subcategory};

/// The largest answer that is read.
const LARGEST: usize = 16 << 20;

/// The incidents that are looked through where TOPdesk cannot be asked for one by its external number.
const LATEST: &str = "200";

/// Why TOPdesk did not do what it was asked.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum Error {
    /// No answer came: whether it did it is not known.
    #[error("TOPdesk gave no answer: {said}")]
    Unreachable {
        /// What happened.
        said: String,
    },
    /// It is busy or failing; later it may do it.
    #[error("TOPdesk is not available ({status}): {said}")]
    Busy {
        /// The status of the answer.
        status: u16,
        /// What it said.
        said: String,
        /// How long it asked us to stay away.
        after: Option<Duration>,
    },
    /// The login or its rights do not allow it.
    #[error("TOPdesk refused access ({status}): {said}")]
    Denied {
        /// The status of the answer.
        status: u16,
        /// What it said.
        said: String,
    },
    /// It does not accept what was sent.
    #[error("TOPdesk did not accept it ({status}): {said}")]
    Rejected {
        /// The status of the answer.
        status: u16,
        /// What it said.
        said: String,
    },
    /// The answer cannot be read.
    #[error("TOPdesk's answer cannot be read: {why}")]
    Garbled {
        /// What is wrong with it.
        why: String,
    },
}

impl Error {
    /// Whether the same request may succeed later. A refused login may: passwords are renewed.
    pub fn may_pass(&self) -> bool {
        !matches!(self, Error::Rejected { .. })
    }

    /// How long TOPdesk asked us to stay away.
    pub fn after(&self) -> Option<Duration> {
        if let Error::Busy { after, .. } = self { *after } else { None }
    }

    /// A name for metrics.
    pub fn name(&self) -> &'static str {
        match self {
            Error::Unreachable { .. } => "unreachable",
            Error::Busy { .. } => "busy",
            Error::Denied { .. } => "denied",
            Error::Rejected { .. } => "rejected",
            Error::Garbled { .. } => "garbled",
        }
    }
}

/// An incident that is there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Incident {
    /// Its id, a UUID.
    pub id: String,
    /// Its number as people know it, blanks included.
    pub number: String,
}

/// What a search found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Found {
    /// This one.
    Incident(Incident),
    /// None, for certain.
    Nothing,
    /// This TOPdesk cannot be searched by external number.
    Unsearchable,
}

/// Asks one TOPdesk.
pub struct Client {
    base: Url,
    user: String,
    password: SecretString,
    http: reqwest::Client,
}

/// The address of the API: with `/tas/api` at its end, whether it was given so or not.
///
/// # Errors
/// When it is no address.
pub fn address(given: &str) -> Result<Url, String> {
    let given = given.trim().trim_end_matches('/');
    let mut url = Url::parse(given).map_err(|error| format!("the address cannot be read: {error}"))?;
    if !matches!(url.scheme(), "http" | "https") || url.host_str().is_none() {
        return Err("the address must begin with https://".into());
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err(
            "the login belongs into TOPDESK_USERNAME and TOPDESK_PASSWORD, not into the address".into()
        );
    }
    url.set_query(None);
    url.set_fragment(None);
    let path = url.path().trim_end_matches('/').trim_end_matches("/incidents").to_owned();
    let path =
        if path.ends_with("/tas/api") { path } else { format!("{}/tas/api", path.trim_end_matches("/tas")) };
    url.set_path(&path);
    Ok(url)
}

impl Client {
    /// A client of the API at an [`address`].
    ///
    /// # Errors
    /// When no HTTP client can be made.
    pub fn new(base: Url, user: String, password: SecretString, timeout: Duration) -> Result<Client, String> {
        let http = reqwest::Client::builder()
            .timeout(timeout)
            .connect_timeout(timeout.min(Duration::from_secs(10)))
            // A login must not follow a redirect to somebody else.
            .redirect(reqwest::redirect::Policy::none())
            .build()
            .map_err(|error| error.to_string())?;
        Ok(Client { base, user, password, http })
    }

    /// TOPdesk's version: whether it answers, and takes the login.
    ///
    /// # Errors
    /// Why it does not.
    pub async fn version(&self) -> Result<String, Error> {
        let (_, body, _) = self.send(self.request(Method::GET, &["version"])).await?;
        Ok(body["version"].as_str().unwrap_or("unknown").to_owned())
    }

    /// The incident with an external number.
    ///
    /// # Errors
    /// When TOPdesk cannot be asked.
    pub async fn find(&self, external: &str) -> Result<Found, Error> {
        let quoted = external.replace('\\', "\\\\").replace('"', "\\\"");
        let query = format!("externalNumber==\"{quoted}\"");
        let fields = [("fields", "id,number,externalNumber"), ("pageSize", "10"), ("query", query.as_str())];
        let asked = self.send(self.request(Method::GET, &["incidents"]).query(&fields)).await;
        let listed = match asked {
            Ok((_, body, _)) => body,
            // Not every environment lets this field be asked for; its latest incidents can be looked through.
            Err(Error::Rejected { .. }) => {
                let fields = [
                    ("fields", "id,number,externalNumber"),
                    ("pageSize", LATEST),
                    ("sort", "creationDate:desc"),
                ];
                match self.send(self.request(Method::GET, &["incidents"]).query(&fields)).await {
                    Ok((_, body, _)) => body,
                    Err(Error::Rejected { .. }) => return Ok(Found::Unsearchable),
                    Err(error) => return Err(error),
                }
            }
            Err(error) => return Err(error),
        };
        // One that ignores the query answers with others; only ours counts.
        let ours = listed.as_array().into_iter().flatten().find(|one| one["externalNumber"] == external);
        ours.map_or(Ok(Found::Nothing), |one| incident_of(one).map(Found::Incident))
    }

    /// Makes an incident.
    ///
    /// # Errors
    /// Why there is none; after [`Error::Unreachable`] and [`Error::Garbled`] there may be one.
    pub async fn create(&self, body: &Value) -> Result<Incident, Error> {
        let (_, made, _) = self.send(self.request(Method::POST, &["incidents"]).json(body)).await?;
        incident_of(&made)
    }

    /// The names of the files of an incident.
    ///
    /// # Errors
    /// When TOPdesk cannot be asked.
    pub async fn attachments(&self, incident: &str) -> Result<Vec<String>, Error> {
        let request = self.request(Method::GET, &["incidents", "id", incident, "attachments"]);
        let (_, listed, _) = self.send(request).await?;
        let names = listed.as_array().into_iter().flatten().filter_map(|one| one["fileName"].as_str());
        Ok(names.map(str::to_owned).collect())
    }

    /// Attaches a file to an incident, unseen by the caller.
    ///
    /// # Errors
    /// Why it is not attached.
    pub async fn attach(
        &self,
        incident: &str,
        name: &str,
        bytes: Vec<u8>,
        description: &str,
    ) -> Result<(), Error> {
        let file = reqwest::multipart::Part::bytes(bytes).file_name(name.to_owned());
        let file = file.mime_str("text/plain").map_err(|error| Error::Garbled { why: error.to_string() })?;
        let form = reqwest::multipart::Form::new()
            .part("file", file)
            .text("invisibleForCaller", "true")
            .text("description", description.to_owned());
        let request = self.request(Method::POST, &["incidents", "id", incident, "attachments"]);
        self.send(request.multipart(form)).await.map(drop)
    }

    /// Adds a note to an incident, unseen by the caller; `html` as [`incident::html`] makes it.
    ///
    /// # Errors
    /// Why it is not added.
    pub async fn note(&self, incident: &str, html: &str) -> Result<(), Error> {
        let body = serde_json::json!({"action": html, "actionInvisibleForCaller": true});
        self.send(self.request(Method::PATCH, &["incidents", "id", incident]).json(&body)).await.map(drop)
    }

    /// TOPdesk's own words.
    ///
    /// # Errors
    /// When TOPdesk cannot be asked. A list that it refuses is empty: not every login may read all of them.
    pub async fn lists(&self) -> Result<Lists, Error> {
        let read = async |name: &str| match self.send(self.request(Method::GET, &["incidents", name])).await {
            Ok((_, listed, _)) => Ok(listed.as_array().cloned().unwrap_or_default()),
            Err(Error::Rejected { .. } | Error::Denied { status: 403, .. }) => Ok(Vec::new()),
            Err(error) => Err(error),
        };
        let named = |list: Vec<Value>| list.iter().filter_map(named_of).collect::<Vec<Named>>();
        let categories = named(read("categories").await?);
        let subcategories = read("subcategories").await?;
        let subcategories = subcategories.iter().filter_map(|one| {
            let Named { id, name } = named_of(one)?;
            let within = &one["category"];
            let category = within["name"].as_str().map(str::to_owned).or_else(|| {
                categories
                    .iter()
                    .find(|category| within["id"] == category.id.as_str())
                    .map(|category| category.name.clone())
            })?;
            Some(Subcategory { id, name, category })
        });
        let subcategories = subcategories.collect();
        Ok(Lists {
            subcategories,
            priorities: named(read("priorities").await?),
            impacts: named(read("impacts").await?),
            urgencies: named(read("urgencies").await?),
            categories,
        })
    }

    /// The registered person that a query in TOPdesk's language finds, when it finds exactly one that may be a caller.
    ///
    /// # Errors
    /// When TOPdesk cannot be asked.
    pub async fn person(&self, query: &str) -> Result<Option<String>, Error> {
        let request = || {
            let query = [("query", query), ("pageSize", "2"), ("fields", "id,isCaller")];
            self.request(Method::GET, &["persons"]).query(&query)
        };
        let newer = request().header(ACCEPT, "application/x.topdesk-collection-person-v2+json");
        let (_, listed, _) = match self.send(newer).await {
            // An older environment knows no second version.
            Err(Error::Rejected { status: 406, .. }) => self.send(request()).await?,
            other => other?,
        };
        let persons = listed["item"].as_array().or(listed.as_array()).map(Vec::as_slice).unwrap_or_default();
        match persons {
            [one] if one["isCaller"] != false => Ok(one["id"].as_str().map(str::to_owned)),
            _ => Ok(None),
        }
    }

    fn request(&self, method: Method, path: &[&str]) -> RequestBuilder {
        let mut url = self.base.clone();
        // The parts are percent-encoded here: nothing said in a call can lead elsewhere.
        url.path_segments_mut().expect("an http address has a path").pop_if_empty().extend(path);
        self.http.request(method, url).basic_auth(&self.user, Some(self.password.expose_secret()))
    }

    async fn send(&self, request: RequestBuilder) -> Result<(StatusCode, Value, HeaderMap), Error> {
        let unreachable = |error: reqwest::Error| Error::Unreachable { said: chain(&error.without_url()) };
        let mut answer = request.send().await.map_err(unreachable)?;
        let (status, headers) = (answer.status(), answer.headers().clone());
        let mut bytes = Vec::new();
        while let Some(chunk) = answer.chunk().await.map_err(unreachable)? {
            if bytes.len() + chunk.len() > LARGEST {
                return Err(Error::Garbled { why: "more than 16 MiB".into() });
            }
            bytes.extend_from_slice(&chunk);
        }
        if status.is_success() {
            let body = if bytes.is_empty() {
                Value::Null
            } else {
                serde_json::from_slice(&bytes).map_err(|_| Error::Garbled { why: "it is no JSON".into() })?
            };
            return Ok((status, body, headers));
        }
        let said = said(&bytes);
        let status = status.as_u16();
        Err(match status {
            401 | 403 => Error::Denied { status, said },
            408 | 409 | 423 | 425 | 429 | 500..=599 => Error::Busy { status, said, after: after(&headers) },
            // A redirect is a maintenance page, or an address without https.
            300..=399 => Error::Busy {
                status,
                said: "it redirects elsewhere; is TOPDESK_URL right?".into(),
                after: None,
            },
            _ => Error::Rejected { status, said },
        })
    }
}

fn incident_of(value: &Value) -> Result<Incident, Error> {
    let text = |name: &str| value[name].as_str().filter(|text| !text.is_empty()).map(str::to_owned);
    let id = text("id").ok_or(Error::Garbled { why: "the incident has no id".into() })?;
    Ok(Incident { number: text("number").unwrap_or_else(|| id.clone()), id })
}

fn named_of(value: &Value) -> Option<Named> {
    Some(Named { id: value["id"].as_str()?.to_owned(), name: value["name"].as_str()?.trim().to_owned() })
}

/// What an error's body says, in any of its three shapes, or the beginning of a page.
fn said(bytes: &[u8]) -> String {
    let text = |value: &Value| {
        let said = value["message"].as_str().or(value["errorMessage"].as_str())?;
        let code = value["errorCode"].as_str().map(|code| format!("{code}: ")).unwrap_or_default();
        Some(format!("{code}{said}"))
    };
    let parsed: Option<Value> = serde_json::from_slice(bytes).ok();
    let told = parsed.and_then(|body| {
        let errors =
            body.as_array().or(body["errors"].as_array()).cloned().unwrap_or_else(|| vec![body.clone()]);
        let told: Vec<String> = errors.iter().filter_map(text).collect();
        (!told.is_empty()).then(|| told.join("; "))
    });
    let told = told.unwrap_or_else(|| {
        let page = String::from_utf8_lossy(bytes);
        if page.trim_start().starts_with('<') {
            "a page instead of an answer".into()
        } else {
            page.into_owned()
        }
    });
    crate::extract::ticket::line(&told, 300)
}

fn after(headers: &HeaderMap) -> Option<Duration> {
    let text = headers.get("retry-after")?.to_str().ok()?.trim();
    let seconds = text.parse::<u64>().ok();
    seconds.map(Duration::from_secs).map(|wait| wait.min(Duration::from_secs(3600)))
}

/// An error with what caused it.
fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        text = format!("{text}: {cause}");
        source = cause.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_taken_with_and_without_their_path() {
        for given in [
            "https://x.topdesk.net",
            "https://x.topdesk.net/",
            "https://x.topdesk.net/tas/api",
            "https://x.topdesk.net/tas/api/",
            "https://x.topdesk.net/tas",
            "https://x.topdesk.net/tas/api/incidents",
        ] {
            assert_eq!(address(given).expect(given).as_str(), "https://x.topdesk.net/tas/api", "{given}");
        }
        assert_eq!(address("http://127.0.0.1:9/one").expect("an address").path(), "/one/tas/api");
        for wrong in ["", "x.topdesk.net", "ftp://x", "https://u:p@x.topdesk.net"] {
            assert!(address(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn errors_say_what_topdesk_said_in_each_shape() {
        for (body, told) in [
            (
                r#"[{"message":"The value for the field 'category' cannot be found"}]"#,
                "The value for the field 'category' cannot be found",
            ),
            (
                r#"{"errors":[{"errorCode":"E1","errorMessage":"no"},{"errorMessage":"nor this"}]}"#,
                "E1: no; nor this",
            ),
            ("<html>maintenance</html>", "a page instead of an answer"),
            ("", ""),
        ] {
            assert_eq!(said(body.as_bytes()), told);
        }
    }
}
