//! The built image: an OCI image whose layers lie on disk, ready to be pushed.

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
    /// What it holds, for people: `base`, `dependencies` or `application`.
    pub holds: &'static str,
}
