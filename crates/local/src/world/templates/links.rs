//! Templates and parameters that a deployment names instead of bringing them: blobs of the storage accounts here, and
//! template specs.
//!
//! The world has no bytes of blobs. It says which it wants ([`State::wanted`](super::State::wanted)) and refuses for
//! now; the front reads them and sends the request again with their text in headers whose names no client can send.

use std::collections::BTreeMap;

use serde_json::Value;
use url::Url;

use super::json as reader;
use crate::world::arm::gate::{self, authorize};
use crate::world::arm::id::Id;
use crate::world::arm::refusal::Refusal;
use crate::world::arm::{Caller, resources};
use crate::world::http::Segment;
use crate::world::{Body, Method, Plane, Request, World, blob};

/// What a header with the text of a link begins with. The space keeps it out of what can be sent.
pub const ATTACHED: &str = "link ";
/// Host names of storage accounts end so.
const SUFFIX: &str = ".blob.core.localhost";

/// Text by the URI that leads to it.
pub type Texts = BTreeMap<String, String>;

/// Where a template came from: what `relativePath` starts from.
#[derive(Clone, Debug, Default, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct Origin {
    /// The link as sent: what `properties.templateLink` shows.
    pub shown: Value,
    uri: Option<String>,
    /// A template spec's version, and the path of the template in it.
    spec: Option<(String, String)>,
}

/// The texts that came with a request.
pub fn attached(request: &Request) -> Texts {
    request
        .headers
        .iter()
        .filter_map(|(name, text)| Some((name.strip_prefix(ATTACHED)?.to_owned(), text.clone())))
        .collect()
}

/// The template that a `templateLink` leads to.
///
/// # Errors
/// `InvalidContentLink`, and what refuses a template spec.
pub fn template(
    world: &mut World,
    caller: &Caller,
    texts: &Texts,
    parent: Option<&Origin>,
    link: &Value,
) -> Result<(Value, Origin), Refusal> {
    let mut origin = Origin { shown: link.clone(), ..Origin::default() };
    let query = link["queryString"].as_str().filter(|it| !it.is_empty());
    let found = match (link["id"].as_str(), link["relativePath"].as_str(), link["uri"].as_str()) {
        (Some(id), None, None) => {
            origin.spec = Some((id.to_owned(), String::new()));
            spec(world, caller, id, "")?
        }
        (None, Some(relative), None) => match parent {
            Some(Origin { spec: Some((id, path)), .. }) => {
                let path = joined(path, relative);
                origin.spec = Some((id.clone(), path.clone()));
                spec(world, caller, id, &path)?
            }
            Some(Origin { uri: Some(base), .. }) => {
                let uri = beside(base, relative).ok_or_else(|| unreadable(world, relative))?;
                let text = text(world, texts, &uri)?;
                origin.uri = Some(uri);
                parsed(&text)?
            }
            _ => {
                return Err(invalid(format!(
                    "The relative path '{relative}' can only be used in a template that was linked itself."
                )));
            }
        },
        (None, None, Some(uri)) => {
            let mut uri = uri.to_owned();
            if let Some(query) = query {
                uri.push(if uri.contains('?') { '&' } else { '?' });
                uri.push_str(query.trim_start_matches('?'));
            }
            let text = text(world, texts, &uri)?;
            origin.uri = Some(uri);
            parsed(&text)?
        }
        _ => {
            return Err(invalid(
                "A template link must have exactly one of 'uri', 'id' and 'relativePath'.".into(),
            ));
        }
    };
    version(&found, link)?;
    if let Some(shown) = origin.shown.as_object_mut() {
        // a signature in the query is a secret
        shown.shift_remove("queryString");
        if let Some(uri) = &origin.uri {
            shown.insert("uri".into(), Value::String(without_query(uri)));
        }
        shown.insert("contentVersion".into(), found["contentVersion"].clone());
    }
    Ok((found, origin))
}

/// The parameters that a `parametersLink` leads to.
///
/// # Errors
/// `InvalidContentLink`.
pub fn parameters(world: &mut World, texts: &Texts, link: &Value) -> Result<Value, Refusal> {
    let uri = link["uri"].as_str().unwrap_or_default().to_owned();
    let text = text(world, texts, &uri)?;
    let found = parsed(&text)?;
    version(&found, link)?;
    Ok(found["parameters"].clone())
}

/// The link of a linked deployment as `deployment()` shows it, whose `uri` is what others are relative to.
impl Origin {
    /// `properties.templateLink` of `deployment()`: with the query, since templates hand it on.
    pub fn function(&self) -> Value {
        let mut shown = self.shown.clone();
        if let (Some(uri), Some(map)) = (&self.uri, shown.as_object_mut()) {
            map.insert("uri".into(), Value::String(uri.clone()));
        }
        shown
    }
}

/// Refuses when something is left that the front has to read: nothing is begun without it.
///
/// # Errors
/// A refusal that no client sees, since the request is made again with what was read.
pub fn must_be_read(world: &mut World) -> Result<(), Refusal> {
    match world.templates.wanted.first().map(|(uri, _)| uri.clone()) {
        Some(uri) => Err(unreadable(world, &uri)),
        None => Ok(()),
    }
}

fn version(found: &Value, link: &Value) -> Result<(), Refusal> {
    match (link["contentVersion"].as_str(), found["contentVersion"].as_str()) {
        (Some(wanted), Some(has)) if wanted != has => Err(invalid(format!(
            "The content version '{has}' of the linked content does not match the version '{wanted}' of its link."
        ))),
        _ => Ok(()),
    }
}

fn invalid(why: String) -> Refusal {
    Refusal::bad("InvalidContentLink", why)
}

fn parsed(text: &str) -> Result<Value, Refusal> {
    let read = reader::read(text.trim_start_matches('\u{feff}'));
    let found = read.map_err(|why| invalid(format!("The linked content is not valid JSON: '{why}'.")))?;
    gate::object(&found.value)
}

fn without_query(uri: &str) -> String {
    uri.split('?').next().unwrap_or_default().to_owned()
}

fn unreadable(world: &mut World, uri: &str) -> Refusal {
    let tracking = world.chance.uuid("content link");
    invalid(format!(
        "Unable to download deployment content from '{}'. The tracking Id is '{tracking}'. Please see \
         https://aka.ms/arm-deploy for usage details.",
        without_query(uri)
    ))
}

/// The text behind a URI: what came with the request, else what is asked of the front.
fn text(world: &mut World, texts: &Texts, uri: &str) -> Result<String, Refusal> {
    if let Some(text) = texts.get(uri) {
        return Ok(text.clone());
    }
    match blob_of(world, uri) {
        Some(Body::Bytes(bytes)) => Ok(String::from_utf8_lossy(&bytes).into_owned()),
        Some(Body::Stored(segments)) => {
            if segments.iter().map(|it| it.length).sum::<u64>() <= gate::BODY_MAX as u64 {
                world.templates.wanted.push((uri.to_owned(), segments));
            }
            Err(unreadable(world, uri))
        }
        _ => Err(unreadable(world, uri)),
    }
}

/// What a GET without credentials but the URI's own signature answers.
fn blob_of(world: &mut World, uri: &str) -> Option<Body> {
    let url = Url::parse(uri).ok().filter(|url| url.scheme() == "https")?;
    let account = url.host_str()?.strip_suffix(SUFFIX)?.to_owned();
    if url.port() != Some(world.config.port) {
        return None;
    }
    let request = Request {
        plane: Plane::Blob { account: account.clone() },
        method: Method::Get,
        origin: url.origin().ascii_serialization(),
        path: url.path().to_owned(),
        query: url.query_pairs().into_owned().collect(),
        headers: BTreeMap::new(),
        body: Body::Empty,
        id: world.chance.uuid("request of a link").to_string(),
    };
    let response = blob::handle(world, &account, &request);
    (response.status == 200).then_some(response.body)
}

/// What the front reads for the world to go on with.
pub type Wanted = Vec<(String, Vec<Segment>)>;

/// A template of a template spec: the main one, or by its path one of those it brings.
fn spec(world: &World, caller: &Caller, id: &str, path: &str) -> Result<Value, Refusal> {
    let parsed = Id::parse(id).filter(|it| it.kind().eq_ignore_ascii_case(super::specs::VERSIONS));
    let parsed = parsed.ok_or_else(|| {
        invalid(format!("The template link id '{id}' is not that of a version of a template spec."))
    })?;
    authorize(world, caller, "Microsoft.Resources/templateSpecs/versions/read", &parsed)?;
    let found = world.arm.find(&parsed.key()).ok_or_else(|| resources::not_there(&parsed))?;
    if path.is_empty() {
        return Ok(found.properties()["mainTemplate"].clone());
    }
    let linked = found.properties()["linkedTemplates"].as_array().into_iter().flatten();
    let mut linked = linked.filter(|it| it["path"].as_str().is_some_and(|own| joined("", own) == path));
    linked.next().map(|it| it["template"].clone()).ok_or_else(|| {
        invalid(format!("The template spec '{id}' has no linked template with the path '{path}'."))
    })
}

/// A path beside the one a template has: `a/main.json` and `../b.json` give `b.json`.
fn joined(from: &str, relative: &str) -> String {
    let mut words: Vec<&str> = from.split(['/', '\\']).collect();
    words.pop();
    for word in relative.split(['/', '\\']) {
        match word {
            "" | "." => {}
            ".." => {
                words.pop();
            }
            word => words.push(word),
        }
    }
    words.join("/")
}

/// A URI beside another, with that one's query: its signature opens both.
fn beside(base: &str, relative: &str) -> Option<String> {
    let base = Url::parse(base).ok()?;
    let mut url = base.join(&relative.replace('\\', "/")).ok()?;
    url.set_query(base.query());
    Some(url.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_relative_stands_beside_where_it_is_named() {
        assert_eq!(joined("", "./nested/a.json"), "nested/a.json");
        assert_eq!(joined("nested/a.json", "../b.json"), "b.json");
        assert_eq!(
            beside("https://a.blob.core.localhost:1/c/x/main.json?sig=1", "../y.json").unwrap(),
            "https://a.blob.core.localhost:1/c/y.json?sig=1"
        );
    }
}
