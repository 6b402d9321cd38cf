//! Where Azure is: public Azure, or any other set of endpoints with a certificate authority of its own.

use crate::error::Error;
use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;
use url::Url;

/// One Azure: the endpoints, the names' suffixes and whom to trust.
///
/// Local Azure is no special case, only other endpoints and another certificate authority.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cloud {
    /// What people call it, as it stands in messages: `Azure`, `local Azure`.
    pub name: String,
    /// Azure Resource Manager.
    pub arm: Url,
    /// Entra ID, which gives the tokens. It must be https, or `azure_identity` refuses it.
    pub authority: Url,
    /// Whom a token for ARM is meant for; the scope asked for is `<audience>/.default`.
    pub audience: String,
    /// What follows a vault's name, with its dot and, where needed, a port: `.vault.azure.net`.
    pub keyvault_suffix: String,
    /// What follows a registry's name: `.azurecr.io`.
    pub acr_suffix: String,
    /// What follows a storage account's name: `.blob.core.windows.net`.
    pub blob_suffix: String,
    /// A PEM file of certificates to trust besides the system's own.
    pub ca: Option<PathBuf>,
    /// What to do when nobody answers at these endpoints, for people.
    pub unreachable: Option<String>,
}

impl Cloud {
    /// Public Azure.
    pub fn public() -> Cloud {
        Cloud {
            name: "Azure".into(),
            arm: url("https://management.azure.com/"),
            authority: url("https://login.microsoftonline.com/"),
            audience: "https://management.azure.com".into(),
            keyvault_suffix: ".vault.azure.net".into(),
            acr_suffix: ".azurecr.io".into(),
            blob_suffix: ".blob.core.windows.net".into(),
            ca: None,
            unreachable: None,
        }
    }

    /// Another Azure by its ARM and Entra addresses; suffixes, audience and CA are then set on the fields.
    ///
    /// The audience is ARM's own address, as in clouds that serve their own tokens; the suffixes are ARM's host
    /// and port after `vault.`, `azurecr.` and `blob.core.`.
    ///
    /// # Errors
    /// When an address is no URL, is not https, or holds more than scheme, host and port.
    pub fn custom(name: impl Into<String>, arm: &str, authority: &str) -> Result<Cloud, Error> {
        let arm = endpoint("ARM", arm)?;
        let authority = endpoint("Entra", authority)?;
        let host = match arm.port() {
            Some(port) => format!("{}:{port}", arm.host_str().unwrap_or_default()),
            None => arm.host_str().unwrap_or_default().to_string(),
        };
        Ok(Cloud {
            name: name.into(),
            audience: arm.as_str().trim_end_matches('/').to_string(),
            keyvault_suffix: format!(".vault.{host}"),
            acr_suffix: format!(".azurecr.{host}"),
            blob_suffix: format!(".blob.core.{host}"),
            arm,
            authority,
            ca: None,
            unreachable: None,
        })
    }

    /// The scope of a token for ARM.
    pub fn arm_scope(&self) -> String {
        format!("{}/.default", self.audience.trim_end_matches('/'))
    }

    /// The address of a vault's data plane.
    pub fn vault_url(&self, vault: &str) -> String {
        format!("https://{}{}", vault.to_ascii_lowercase(), self.keyvault_suffix)
    }

    /// The host of a registry, which image names begin with.
    pub fn registry_host(&self, registry: &str) -> String {
        format!("{}{}", registry.to_ascii_lowercase(), self.acr_suffix)
    }

    /// The address of a storage account's blobs.
    pub fn blob_url(&self, account: &str) -> String {
        format!("https://{}{}", account.to_ascii_lowercase(), self.blob_suffix)
    }

    /// Whether all of it is on this machine.
    pub fn is_loopback(&self) -> bool {
        loopback(&self.arm) && loopback(&self.authority)
    }

    /// A client for short requests: connections wait 10 s, silence is cut off after 100 s.
    ///
    /// # Errors
    /// When the CA file cannot be read or holds no certificate.
    pub fn http(&self) -> Result<reqwest::Client, Error> {
        // ARM itself gives up on a provider after 60 s; what is silent for longer has lost us.
        self.client(Some(Duration::from_secs(100)))
    }

    /// A client without a limit on silence: for uploads, where an answer comes only after the whole body was sent,
    /// and for streams, such as a log nobody writes to.
    ///
    /// # Errors
    /// As [`Cloud::http`].
    pub fn http_for_uploads(&self) -> Result<reqwest::Client, Error> {
        self.client(None)
    }

    fn client(&self, silence: Option<Duration>) -> Result<reqwest::Client, Error> {
        let mut builder = reqwest::Client::builder()
            .user_agent(concat!("landfall/", env!("CARGO_PKG_VERSION")))
            .connect_timeout(Duration::from_secs(10))
            .redirect(reqwest::redirect::Policy::none())
            .dns_resolver(Arc::new(Loopback));
        if let Some(silence) = silence {
            builder = builder.read_timeout(silence);
        }
        if let Some(path) = &self.ca {
            let pem = std::fs::read(path).map_err(|cause| {
                Error::setup(format!("cannot read the CA file {}: {cause}", path.display()))
            })?;
            let certificates = reqwest::Certificate::from_pem_bundle(&pem)
                .map_err(|cause| Error::setup(format!("{} is no PEM file: {cause}", path.display())))?;
            if certificates.is_empty() {
                return Err(Error::setup(format!("{} holds no certificate", path.display())));
            }
            builder = builder.tls_certs_merge(certificates);
        }
        if self.is_loopback() {
            // A proxy cannot reach this machine's own addresses, and need not see the tokens.
            builder = builder.no_proxy();
        }
        builder.build().map_err(|cause| Error::setup(format!("cannot set up HTTPS: {cause}")))
    }

    pub(crate) fn azure_core(&self) -> Arc<azure_core::cloud::CloudConfiguration> {
        let mut custom = azure_core::cloud::CustomConfiguration::default();
        custom.authority_host = self.authority.as_str().trim_end_matches('/').to_string();
        Arc::new(custom.into())
    }
}

fn url(text: &str) -> Url {
    Url::parse(text).expect("the address is a literal of this file")
}

fn endpoint(what: &str, text: &str) -> Result<Url, Error> {
    let parsed = Url::parse(text)
        .map_err(|cause| Error::setup(format!("the {what} address `{text}` is no URL: {cause}")))?;
    if parsed.scheme() != "https" || parsed.host_str().is_none() {
        // Bearer tokens travel to both; Azure's own clients refuse http here as well.
        return Err(Error::setup(format!("the {what} address `{text}` must begin with https://")));
    }
    if !matches!(parsed.path(), "" | "/") || parsed.query().is_some() || parsed.fragment().is_some() {
        return Err(Error::setup(format!("the {what} address `{text}` must end after its host and port")));
    }
    Ok(parsed)
}

fn loopback(url: &Url) -> bool {
    match url.host() {
        Some(url::Host::Domain(name)) => is_localhost(name),
        Some(url::Host::Ipv4(address)) => address.is_loopback(),
        Some(url::Host::Ipv6(address)) => address.is_loopback(),
        None => false,
    }
}

fn is_localhost(name: &str) -> bool {
    let name = name.trim_end_matches('.').to_ascii_lowercase();
    name == "localhost" || name.ends_with(".localhost")
}

/// Resolves names under `.localhost` to 127.0.0.1, as RFC 6761 asks and many resolvers do not, and leaves all
/// others to the system.
struct Loopback;

impl Resolve for Loopback {
    fn resolve(&self, name: Name) -> Resolving {
        let host = name.as_str().to_string();
        Box::pin(async move {
            if is_localhost(&host) {
                let here = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
                return Ok(Box::new(std::iter::once(here)) as Addrs);
            }
            let found: Vec<SocketAddr> = tokio::net::lookup_host((host.as_str(), 0)).await?.collect();
            Ok(Box::new(found.into_iter()) as Addrs)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::str::FromStr;

    #[test]
    fn public_azure() {
        let cloud = Cloud::public();
        assert_eq!(cloud.arm_scope(), "https://management.azure.com/.default");
        assert_eq!(cloud.vault_url("KV-web"), "https://kv-web.vault.azure.net");
        assert_eq!(cloud.registry_host("Acr1"), "acr1.azurecr.io");
        assert_eq!(cloud.blob_url("st1"), "https://st1.blob.core.windows.net");
        assert!(!cloud.is_loopback());
        assert!(cloud.http().is_ok());
    }

    #[test]
    fn another_azure_is_its_addresses() {
        let cloud =
            Cloud::custom("local Azure", "https://localhost:8443", "https://localhost:8443/").unwrap();
        // One slash, not the two of an audience that ends in one: the scope is compared as text.
        assert_eq!(cloud.arm_scope(), "https://localhost:8443/.default");
        assert_eq!(cloud.vault_url("kv1"), "https://kv1.vault.localhost:8443");
        assert_eq!(cloud.registry_host("acr1"), "acr1.azurecr.localhost:8443");
        assert_eq!(cloud.blob_url("st1"), "https://st1.blob.core.localhost:8443");
        assert!(cloud.is_loopback());
        assert!(Cloud::custom("x", "https://127.0.0.1:1", "https://[::1]:1").unwrap().is_loopback());
        assert!(!Cloud::custom("x", "https://127.0.0.1:1", "https://login.example").unwrap().is_loopback());
        assert!(!Cloud::custom("x", "https://notlocalhost", "https://localhost").unwrap().is_loopback());
    }

    #[test]
    fn addresses_that_will_not_do() {
        let good = "https://localhost:1";
        for (arm, authority, why) in [
            ("localhost:1", good, "the ARM address `localhost:1` must begin with https://"),
            ("not an address", good, "is no URL"),
            (good, "http://localhost:1", "the Entra address `http://localhost:1` must begin with https://"),
            ("https://localhost:1/path", good, "must end after its host and port"),
            ("https://localhost:1?x", good, "must end after its host and port"),
        ] {
            let error = Cloud::custom("x", arm, authority).unwrap_err();
            assert!(error.message().contains(why), "{error}");
        }
    }

    #[test]
    fn a_ca_that_cannot_be_used_says_which_file() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("ca.pem");
        let cloud = Cloud { ca: Some(path.clone()), ..Cloud::public() };
        let told = |cloud: &Cloud| cloud.http().unwrap_err().to_string();
        assert!(told(&cloud).starts_with(&format!("cannot read the CA file {}", path.display())));
        std::fs::write(&path, "no certificate at all").unwrap();
        assert_eq!(told(&cloud), format!("{} holds no certificate", path.display()));
        std::fs::write(&path, "-----BEGIN CERTIFICATE-----\n!!!\n-----END CERTIFICATE-----\n").unwrap();
        assert!(told(&cloud).contains("ca.pem"), "{}", told(&cloud));
    }

    #[tokio::test]
    async fn names_under_localhost_are_this_machine() {
        for name in ["localhost", "kv1.vault.localhost", "A.B.LOCALHOST"] {
            let found: Vec<SocketAddr> =
                Loopback.resolve(Name::from_str(name).unwrap()).await.unwrap().collect();
            assert_eq!(found, [SocketAddr::from(([127, 0, 0, 1], 0))], "{name}");
        }
    }
}
