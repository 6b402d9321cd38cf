//! The built image: an OCI image whose layers lie on disk, ready to be pushed.

use crate::family::Assembly;
use crate::{hash, tree};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use std::path::PathBuf;

/// The media type of an image manifest.
pub const MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";
/// The media type of an image configuration.
pub const CONFIG: &str = "application/vnd.oci.image.config.v1+json";
/// The media type of a layer.
pub const LAYER: &str = "application/vnd.oci.image.layer.v1.tar+gzip";

/// A complete image: manifest and configuration in memory, layers on disk.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Image {
    /// `sha256:…` of the manifest: what the image is referred to by.
    pub digest: String,
    /// The manifest's bytes.
    pub manifest: Vec<u8>,
    /// The manifest's media type.
    pub manifest_media_type: &'static str,
    /// The configuration's bytes.
    pub config: Vec<u8>,
    /// `sha256:…` of the configuration.
    pub config_digest: String,
    /// The configuration's media type.
    pub config_media_type: &'static str,
    /// The layers, lowest first: base, dependencies, application.
    pub layers: Vec<Layer>,
    /// The tag to push under, beside the digest: the git commit, the content, or both.
    pub tag: String,
    /// Whether everything came out of the cache and nothing was built.
    pub unchanged: bool,
}

/// One compressed layer on disk.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Layer {
    /// `sha256:…` of the compressed file.
    pub digest: String,
    /// `sha256:…` of the tar archive in it.
    pub diff_id: String,
    /// The compressed size in bytes.
    pub size: u64,
    /// The layer's media type.
    pub media_type: &'static str,
    /// The file. It lies in the build cache; do not change it.
    pub path: PathBuf,
    /// What it holds.
    pub holds: Holds,
}

/// What a layer holds. The less often it changes, the lower it lies.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Holds {
    /// The runtime: loader, libraries, interpreter.
    Base,
    /// The application's packages.
    Dependencies,
    /// The application itself.
    Application,
}

impl std::fmt::Display for Holds {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Holds::Base => "base",
            Holds::Dependencies => "dependencies",
            Holds::Application => "application",
        })
    }
}

impl Image {
    pub(crate) fn of(config: Vec<u8>, layers: Vec<Layer>, tag: &str) -> Image {
        let config_digest = format!("sha256:{}", hash::of(&config));
        let manifest = json!({
            "schemaVersion": 2,
            "mediaType": MANIFEST,
            "config": { "mediaType": CONFIG, "digest": config_digest, "size": config.len() },
            "layers": layers.iter().map(|layer| json!({
                "mediaType": layer.media_type, "digest": layer.digest, "size": layer.size,
            })).collect::<Vec<_>>(),
        });
        let manifest = manifest.to_string().into_bytes();
        Image {
            digest: format!("sha256:{}", hash::of(&manifest)),
            manifest,
            manifest_media_type: MANIFEST,
            config,
            config_digest,
            config_media_type: CONFIG,
            layers,
            tag: tag.into(),
            unchanged: true,
        }
    }

    /// The size of all layers together, compressed, in bytes.
    pub fn size(&self) -> u64 {
        self.layers.iter().map(|layer| layer.size).sum()
    }
}

/// Writes the configuration: how the container is started, and which layers it is made of.
///
/// No commit, no host name, no time of day: the same source gives the same bytes.
pub(crate) fn config(assembly: &Assembly, port: Option<u16>) -> String {
    let mut env: Vec<String> = assembly.env.iter().map(|(name, value)| format!("{name}={value}")).collect();
    let mut ports = Map::new();
    if let Some(port) = port {
        env.push(format!("PORT={port}"));
        ports.insert(format!("{port}/tcp"), json!({}));
    }
    let created = jiff::Timestamp::from_second(tree::timestamp().try_into().unwrap_or(0)).unwrap_or_default();
    let created = created.to_string();
    let history: Vec<Value> = assembly
        .layers
        .iter()
        .map(|layer| json!({ "created": created, "created_by": format!("landfall direct: {}", layer.holds) }))
        .collect();
    let mut config = json!({
        "User": tree::USER.to_string(),
        "Env": env,
        "Cmd": assembly.command,
        "WorkingDir": "/app",
    });
    if !ports.is_empty() {
        config["ExposedPorts"] = ports.into();
    }
    json!({
        "created": created,
        "architecture": assembly.architecture,
        "os": "linux",
        "config": config,
        "rootfs": {
            "type": "layers",
            "diff_ids": assembly.layers.iter().map(|layer| &layer.diff_id).collect::<Vec<_>>(),
        },
        "history": history,
    })
    .to_string()
}
