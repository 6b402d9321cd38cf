//! Bytes by name, on disk or in Azure Blob Storage.
//!
//! Names are paths of one or more parts with `/` between them. Writing a name again replaces what it held: callers
//! choose names that make writing twice harmless. A blob on disk is complete or not there: it is written beside its
//! place, brought to the disk, and renamed.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use azure_core::credentials::TokenCredential;
use bytes::Bytes;
use futures::TryStreamExt;
use object_store::azure::{AzureCredential, MicrosoftAzureBuilder};
use object_store::{ClientOptions, CredentialProvider, ObjectStore, ObjectStoreExt};
use secrecy::{ExposeSecret, SecretString};

use crate::Error;

/// Bytes by name.
#[derive(Clone)]
pub struct Blobs {
    place: Arc<Inner>,
}

enum Inner {
    Disk(PathBuf),
    Azure(Box<dyn ObjectStore>),
}

/// How to sign in to an Azure storage account.
pub enum Access {
    /// With one of the account's keys.
    Key(SecretString),
    /// With a token for `https://storage.azure.com`.
    Token(Arc<dyn TokenCredential>),
}

/// A container of an Azure storage account.
pub struct Container {
    /// The account's name.
    pub account: String,
    /// The container's name.
    pub container: String,
    /// How to sign in.
    pub access: Access,
    /// Where the account's blob service is, when not at `https://ACCOUNT.blob.core.windows.net`; local Azure and
    /// Azurite, for example.
    pub endpoint: Option<String>,
    /// A PEM file of certificate authorities to trust beside the system's.
    pub trust: Option<Vec<u8>>,
}

impl Blobs {
    /// Blobs in a folder, made when the first is written.
    pub fn disk(folder: impl Into<PathBuf>) -> Blobs {
        Blobs { place: Arc::new(Inner::Disk(folder.into())) }
    }

    /// Blobs in a container that is there already.
    ///
    /// # Errors
    /// When a part of `container` cannot be: an endpoint that is no URL, a key that is no base64.
    pub fn azure(container: Container) -> Result<Blobs, Error> {
        let failed = |error: object_store::Error| Error::engine("the storage account", error);
        let mut options = ClientOptions::new();
        let mut builder = MicrosoftAzureBuilder::new()
            .with_account(&container.account)
            .with_container_name(&container.container)
            .with_use_emulator(false);
        if let Some(endpoint) = &container.endpoint {
            options = options.with_allow_http(endpoint.starts_with("http://"));
            builder = builder.with_endpoint(endpoint.trim_end_matches('/').to_owned());
        }
        if let Some(pem) = &container.trust {
            for certificate in object_store::Certificate::from_pem_bundle(pem).map_err(failed)? {
                options = options.with_root_certificate(certificate);
            }
        }
        builder = match container.access {
            Access::Key(key) => builder.with_access_key(key.expose_secret()),
            Access::Token(credential) => builder.with_credentials(Arc::new(Tokens(credential))),
        };
        let store = builder.with_client_options(options).build().map_err(failed)?;
        Ok(Blobs { place: Arc::new(Inner::Azure(Box::new(store))) })
    }

    /// Writes a blob, over what the name held; it is durable when this returns.
    ///
    /// # Errors
    /// When the name is none, or the place refuses.
    pub async fn put(&self, name: &str, bytes: impl Into<Bytes>, content_type: &str) -> Result<(), Error> {
        let path = checked(name)?;
        let bytes = bytes.into();
        match &*self.place {
            Inner::Disk(folder) => {
                let target = folder.join(name);
                let written = tokio::task::spawn_blocking(move || write_durably(&target, &bytes)).await;
                written
                    .unwrap_or_else(|error| Err(std::io::Error::other(error)))
                    .map_err(|error| Error::engine(format!("writing {name}"), error))
            }
            Inner::Azure(store) => {
                let mut attributes = object_store::Attributes::new();
                attributes.insert(object_store::Attribute::ContentType, content_type.to_owned().into());
                let options = object_store::PutOptions { attributes, ..Default::default() };
                store
                    .put_opts(&path, bytes.into(), options)
                    .await
                    .map(drop)
                    .map_err(|error| Error::engine(format!("writing {name}"), error))
            }
        }
    }

    /// What a name holds; `None` when nothing.
    ///
    /// # Errors
    /// When the name is none, or the place refuses.
    pub async fn get(&self, name: &str) -> Result<Option<Bytes>, Error> {
        let path = checked(name)?;
        let failed =
            |error: Box<dyn std::error::Error + Send + Sync>| Error::engine(format!("reading {name}"), error);
        match &*self.place {
            Inner::Disk(folder) => match tokio::fs::read(folder.join(name)).await {
                Ok(bytes) => Ok(Some(bytes.into())),
                Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
                Err(error) => Err(failed(error.into())),
            },
            Inner::Azure(store) => match store.get(&path).await {
                Ok(found) => found.bytes().await.map(Some).map_err(|error| failed(error.into())),
                Err(object_store::Error::NotFound { .. }) => Ok(None),
                Err(error) => Err(failed(error.into())),
            },
        }
    }

    /// The names below a folder, in order.
    ///
    /// # Errors
    /// When the place refuses.
    pub async fn list(&self, folder: &str) -> Result<Vec<String>, Error> {
        let failed = |error: Box<dyn std::error::Error + Send + Sync>| {
            Error::engine(format!("listing {folder}"), error)
        };
        let mut names = match &*self.place {
            Inner::Disk(root) => {
                let (root, below) = (root.clone(), root.join(folder));
                let walked = tokio::task::spawn_blocking(move || {
                    let mut names = Vec::new();
                    walk(&root, &below, &mut names).map(|()| names)
                });
                walked
                    .await
                    .unwrap_or_else(|error| Err(std::io::Error::other(error)))
                    .map_err(|e| failed(e.into()))?
            }
            Inner::Azure(store) => {
                let prefix = object_store::path::Path::from(folder);
                let listed = store.list(Some(&prefix)).map_ok(|meta| meta.location.to_string());
                listed.try_collect().await.map_err(|error| failed(error.into()))?
            }
        };
        names.sort();
        Ok(names)
    }

    /// Removes a blob; one that is not there is as good as removed.
    ///
    /// # Errors
    /// When the name is none, or the place refuses.
    pub async fn remove(&self, name: &str) -> Result<(), Error> {
        let path = checked(name)?;
        let failed = |error: Box<dyn std::error::Error + Send + Sync>| {
            Error::engine(format!("removing {name}"), error)
        };
        match &*self.place {
            Inner::Disk(folder) => match tokio::fs::remove_file(folder.join(name)).await {
                Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(failed(error.into())),
                _ => Ok(()),
            },
            Inner::Azure(store) => match store.delete(&path).await {
                Ok(()) | Err(object_store::Error::NotFound { .. }) => Ok(()),
                Err(error) => Err(failed(error.into())),
            },
        }
    }

    /// Whether the place answers: the folder can be made and written to, or the container can be listed.
    ///
    /// # Errors
    /// What is in the way.
    pub async fn reachable(&self) -> Result<(), Error> {
        match &*self.place {
            Inner::Disk(folder) => {
                let probe = folder.join(".reachable");
                let written = tokio::task::spawn_blocking(move || {
                    write_durably(&probe, b"").and_then(|()| std::fs::remove_file(&probe))
                });
                written
                    .await
                    .unwrap_or_else(|error| Err(std::io::Error::other(error)))
                    .map_err(|error| Error::engine(format!("writing to {}", folder.display()), error))
            }
            Inner::Azure(store) => {
                let first = store.list(None).try_next().await;
                first.map(drop).map_err(|error| Error::engine("listing the container", error))
            }
        }
    }
}

/// A name's path, when every part of it can be a file's and a blob's name alike.
fn checked(name: &str) -> Result<object_store::path::Path, Error> {
    let wrong = |why| Error::Name { name: name.to_owned(), why };
    if name.is_empty() || name.len() > 1024 {
        return Err(wrong("it must have 1 to 1024 characters"));
    }
    for part in name.split('/') {
        if part.is_empty() || part.ends_with('.') || part.len() > 255 {
            return Err(wrong("each part must have 1 to 255 characters and not end in a dot"));
        }
        if part.contains(|c: char| c.is_control() || c == '\\') {
            return Err(wrong("a part holds a control character or a backslash"));
        }
    }
    object_store::path::Path::parse(name).map_err(|_| wrong("a part is relative"))
}

fn write_durably(target: &Path, bytes: &[u8]) -> std::io::Result<()> {
    use std::io::Write;
    let folder = target.parent().unwrap_or(Path::new("."));
    crate::make_folder(folder)?;
    let beside = folder.join(format!(".{}", uuid::Uuid::new_v4()));
    let write = || {
        let mut file = std::fs::File::create_new(&beside)?;
        file.write_all(bytes)?;
        file.sync_all()?;
        std::fs::rename(&beside, target)?;
        // The name itself is durable with its folder.
        std::fs::File::open(folder)?.sync_all()
    };
    write().inspect_err(|_| {
        let _ = std::fs::remove_file(&beside);
    })
}

fn walk(root: &Path, folder: &Path, names: &mut Vec<String>) -> std::io::Result<()> {
    let entries = match std::fs::read_dir(folder) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(()),
        entries => entries?,
    };
    for entry in entries {
        let path = entry?.path();
        if path.is_dir() {
            walk(root, &path, names)?;
        } else if let Ok(name) = path.strip_prefix(root)
            && !path.file_name().is_some_and(|name| name.as_encoded_bytes().starts_with(b"."))
        {
            names.push(name.to_string_lossy().into_owned());
        }
    }
    Ok(())
}

/// Lets `object_store` sign in with the credentials that the rest of us use.
#[derive(Debug)]
struct Tokens(Arc<dyn TokenCredential>);

#[async_trait::async_trait]
impl CredentialProvider for Tokens {
    type Credential = AzureCredential;

    async fn get_credential(&self) -> object_store::Result<Arc<AzureCredential>> {
        let token = self.0.get_token(&["https://storage.azure.com/.default"], None).await;
        let token = token
            .map_err(|error| object_store::Error::Generic { store: "Azure", source: Box::new(error) })?;
        Ok(Arc::new(AzureCredential::BearerToken(token.token.secret().to_owned())))
    }
}
