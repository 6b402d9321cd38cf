//! What a manifest says: its type, what it names, and to whom it is served as what.

use serde_json::{Value, json};

use super::{Ask, is_digest, refuse};
use crate::world::{Response, World};

pub(super) const INDEX: &str = "application/vnd.oci.image.index.v1+json";
const IMAGE: &str = "application/vnd.oci.image.manifest.v1+json";
const DOCKER_LIST: &str = "application/vnd.docker.distribution.manifest.list.v2+json";
const DOCKER_IMAGE: &str = "application/vnd.docker.distribution.manifest.v2+json";

/// What a manifest says, as far as a registry looks.
pub(super) struct Document {
    pub(super) media_type: String,
    /// Digests of config and layers that must be there; the config is the first.
    pub(super) blobs: Vec<String>,
    /// Digests of manifests that must be there.
    pub(super) manifests: Vec<String>,
    pub(super) subject: Option<String>,
    pub(super) artifact_type: Option<String>,
}

/// Reads a manifest as it was sent.
///
/// # Errors
/// `MANIFEST_INVALID` with the reason.
pub(super) fn read(bytes: &[u8], content_type: Option<&str>) -> Result<Document, Response> {
    let invalid = |why: &str| refuse(400, "MANIFEST_INVALID", "manifest invalid", json!({"reason": why}));
    let document: Value = serde_json::from_slice(bytes).map_err(|e| invalid(&e.to_string()))?;
    if document["schemaVersion"] != 2 {
        return Err(invalid("schemaVersion is not 2"));
    }
    let said = document["mediaType"].as_str();
    let sent = content_type.map(|kind| kind.split(';').next().unwrap_or_default().trim());
    if let (Some(said), Some(sent)) = (said, sent)
        && said != sent
    {
        return Err(invalid(&format!("mediaType is {said}, Content-Type is {sent}")));
    }
    let guessed = || if document["manifests"].is_array() { INDEX } else { IMAGE };
    let media_type = said.or(sent).unwrap_or_else(guessed);
    let digest = |descriptor: &Value| {
        descriptor["digest"].as_str().filter(|digest| is_digest(digest)).map(str::to_owned)
    };
    let list = |name: &str| document[name].as_array().into_iter().flatten();
    let all = |entries: Vec<Option<String>>| entries.into_iter().collect::<Option<Vec<_>>>();
    let (blobs, manifests) = match media_type {
        IMAGE | DOCKER_IMAGE => {
            let config = document.get("config").ok_or_else(|| invalid("there is no config"))?;
            // Layers that are to be fetched elsewhere need not be here.
            let layers = list("layers").filter(|layer| layer.get("urls").is_none());
            let blobs = std::iter::once(config).chain(layers).map(digest).collect();
            (all(blobs).ok_or_else(|| invalid("a descriptor has no sha256 digest"))?, Vec::new())
        }
        INDEX | DOCKER_LIST => {
            if !document["manifests"].is_array() {
                return Err(invalid("there is no list of manifests"));
            }
            let manifests = list("manifests").map(digest).collect();
            (Vec::new(), all(manifests).ok_or_else(|| invalid("a descriptor has no sha256 digest"))?)
        }
        other => return Err(invalid(&format!("{other} is no known type of manifest"))),
    };
    let subject = document.get("subject").and_then(digest);
    let config_type = document["config"]["mediaType"].as_str();
    let artifact_type = document["artifactType"].as_str().or(config_type).map(str::to_owned);
    Ok(Document { media_type: media_type.to_owned(), blobs, manifests, subject, artifact_type })
}

/// Refuses a manifest that names what its repository does not have.
///
/// # Errors
/// `MANIFEST_BLOB_UNKNOWN` with the first digest that is missing.
pub(super) fn check_named(
    world: &World,
    ask: &Ask<'_>,
    repository: &str,
    document: &Document,
) -> Result<(), Response> {
    let own = ask.repository(world, repository);
    for digest in &document.blobs {
        if !own.is_some_and(|own| own.blobs.contains(digest)) {
            let detail = json!({"digest": digest});
            return Err(refuse(400, "MANIFEST_BLOB_UNKNOWN", "manifest blob unknown to registry", detail));
        }
    }
    for digest in &document.manifests {
        if !own.is_some_and(|own| own.manifests.contains_key(digest)) {
            let detail = json!({"digest": digest});
            return Err(refuse(400, "MANIFEST_BLOB_UNKNOWN", "manifest unknown to registry", detail));
        }
    }
    Ok(())
}

/// How a manifest is served to an `Accept` header.
pub(super) enum Served {
    /// As it is.
    AsIs,
    /// A client that knows no lists gets the manifest of this digest instead: Linux on amd64.
    Instead(String),
}

/// How a manifest is served to an `Accept` header; none, and anything with a `*`, takes all.
///
/// # Errors
/// `MANIFEST_UNKNOWN`, in the words of the distribution's registry, which Azure's shares.
pub(super) fn serve(accept: Option<&str>, media_type: &str, bytes: &[u8]) -> Result<Served, Response> {
    let takes = |wanted: &str| {
        accept.is_none_or(|accept| {
            accept.split(',').any(|entry| {
                let entry = entry.split(';').next().unwrap_or_default().trim();
                entry.is_empty() || entry.contains('*') || entry.eq_ignore_ascii_case(wanted)
                // What asks for JSON takes what is JSON.
                || entry.eq_ignore_ascii_case("application/json")
            })
        })
    };
    if takes(media_type) {
        return Ok(Served::AsIs);
    }
    if media_type == DOCKER_LIST
        && takes(DOCKER_IMAGE)
        && let Some(digest) = usual_platform(bytes)
    {
        return Ok(Served::Instead(digest));
    }
    let message = match media_type {
        INDEX => "OCI index found, but accept header does not support OCI indexes".to_owned(),
        IMAGE => "OCI manifest found, but accept header does not support OCI manifests".to_owned(),
        other => format!("{other} found, but accept header does not support it"),
    };
    Err(refuse(404, "MANIFEST_UNKNOWN", &message, Value::Null))
}

/// The digest that a list names for Linux on amd64.
fn usual_platform(bytes: &[u8]) -> Option<String> {
    let list: Value = serde_json::from_slice(bytes).ok()?;
    let usual =
        |entry: &&Value| entry["platform"]["os"] == "linux" && entry["platform"]["architecture"] == "amd64";
    let found = list["manifests"].as_array()?.iter().find(usual)?;
    found["digest"].as_str().map(str::to_owned)
}
