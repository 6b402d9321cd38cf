//! Images, over the OCI distribution API.

use crate::cloud::Cloud;
use crate::credential::Credential;
use crate::error::Error;
use std::path::PathBuf;

/// One registry.
#[derive(Clone, Debug)]
pub struct Registry {}

/// A layer on disk.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Blob {
    /// `sha256:…` of the file's bytes.
    pub digest: String,
    /// The file's size in bytes.
    pub size: u64,
    /// The file.
    pub path: PathBuf,
}

/// An image to push.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Push {
    /// The repository, without the registry's host.
    pub repository: String,
    /// The layers.
    pub layers: Vec<Blob>,
    /// The image's configuration.
    pub config: Vec<u8>,
    /// The image's manifest.
    pub manifest: Vec<u8>,
    /// The manifest's media type.
    pub manifest_media_type: String,
    /// Tags to give it.
    pub tags: Vec<String>,
    /// Another repository of the same registry that may hold some of the layers.
    pub mount_from: Option<String>,
}

/// How a push is getting on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Progress {
    /// A blob was there already.
    Present {
        /// The blob.
        digest: String,
        /// Its size in bytes.
        size: u64,
    },
    /// A blob was taken over from another repository.
    Mounted {
        /// The blob.
        digest: String,
        /// Its size in bytes.
        size: u64,
    },
    /// A part of a blob has been sent.
    Sent {
        /// The blob.
        digest: String,
        /// How much of it has been sent, in bytes.
        sent: u64,
        /// Its size in bytes.
        size: u64,
    },
    /// The manifest is in place under this name.
    Tagged {
        /// The tag or digest.
        reference: String,
    },
}

impl Registry {
    /// The registry of that name.
    ///
    /// # Errors
    /// When the cloud's CA cannot be used.
    pub fn new(cloud: &Cloud, credential: Credential, name: &str) -> Result<Registry, Error> {
        let _ = (cloud, credential, name);
        Ok(Registry {})
    }
    /// The registry's host, which image names begin with.
    pub fn host(&self) -> &str {
        ""
    }
    /// The digest behind a tag; none when there is no such tag.
    ///
    /// # Errors
    /// What the registry refused.
    pub async fn digest(&self, repository: &str, tag: &str) -> Result<Option<String>, Error> {
        let _ = (repository, tag);
        Ok(None)
    }
    /// Pushes what the registry lacks of an image, and returns the manifest's digest.
    ///
    /// # Errors
    /// What the registry refused, or that a file is not what its digest says.
    pub async fn push(
        &self,
        push: &Push,
        progress: &(dyn Fn(Progress) + Send + Sync),
    ) -> Result<String, Error> {
        let _ = (push, progress);
        Err(Error::setup("not yet"))
    }
    /// The tags of a repository; none when there is no such repository.
    ///
    /// # Errors
    /// What the registry refused.
    pub async fn tags(&self, repository: &str) -> Result<Vec<String>, Error> {
        let _ = repository;
        Ok(Vec::new())
    }
    /// Deletes a manifest by digest; false when there was none.
    ///
    /// # Errors
    /// What the registry refused.
    pub async fn delete(&self, repository: &str, digest: &str) -> Result<bool, Error> {
        let _ = (repository, digest);
        Ok(false)
    }
}
