//! Where a model is and how to sign in.

use std::fmt;
use std::sync::Arc;

use azure_core::credentials::TokenCredential;
use secrecy::SecretString;
use url::Url;

/// The version of Azure's dated API that is asked for unless another is configured: the newest that is generally
/// available (`azure/ai-foundry/openai/api-version-lifecycle`).
pub const AZURE_API_VERSION: &str = "2024-10-21";

/// How to sign in.
#[derive(Clone)]
pub enum Access {
    /// With a key.
    Key(SecretString),
    /// With an Entra identity that has the role `Cognitive Services OpenAI User`; Azure only.
    Identity(Arc<dyn TokenCredential>),
}

impl fmt::Debug for Access {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Access::Key(_) => "a key",
            Access::Identity(_) => "an identity",
        })
    }
}

/// The protocol that is spoken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Protocol {
    /// OpenAI's chat completions, spoken by many others too.
    OpenAi,
    /// Azure OpenAI with the deployment and an api-version in the URL.
    AzureDated {
        /// The deployment, when the URL names it; the model's name otherwise.
        deployment: Option<String>,
        /// The api-version.
        version: String,
    },
    /// Azure OpenAI's `v1`, which is OpenAI's protocol with Azure's keys and tokens.
    AzureV1,
    /// Anthropic's messages.
    Anthropic,
}

/// Where a model is and how to sign in.
#[derive(Clone, Debug)]
pub struct Provider {
    /// The address that the protocol's paths are put after, without a slash at its end.
    pub base: Url,
    /// The protocol that is spoken there.
    pub protocol: Protocol,
    /// How to sign in.
    pub access: Access,
}

impl Provider {
    /// The provider at an address: the form of the address tells the protocol.
    ///
    /// | address | protocol |
    /// |---|---|
    /// | `…/openai/deployments/D[/chat/completions][?api-version=V]` | Azure, dated |
    /// | `https://R.openai.azure.com` and its kin, or `…/openai`, when `version` is given | Azure, dated |
    /// | the same without a version, or `…/openai/v1` there | Azure, `v1` |
    /// | `https://api.anthropic.com` | Anthropic |
    /// | anything else | OpenAI |
    ///
    /// # Errors
    /// When the address is no URL, is not HTTP, or an identity is to be used outside Azure.
    pub fn at(base: &str, version: Option<&str>, access: Access) -> Result<Provider, String> {
        let mut base =
            Url::parse(base.trim()).map_err(|error| format!("the address cannot be read: {error}"))?;
        if !matches!(base.scheme(), "http" | "https") || base.cannot_be_a_base() {
            return Err("the address must begin with https://".into());
        }
        let asked =
            base.query_pairs().find(|(name, _)| name == "api-version").map(|(_, value)| value.into_owned());
        let version = version.map(str::to_owned).or(asked);
        base.set_query(None);
        base.set_fragment(None);
        let path = base.path().trim_end_matches('/').trim_end_matches("/chat/completions").to_owned();
        let host = base.host_str().unwrap_or_default().to_ascii_lowercase();
        let azure = [
            ".openai.azure.com",
            ".cognitiveservices.azure.com",
            ".services.ai.azure.com",
            ".openai.azure.us",
        ]
        .iter()
        .any(|suffix| host.ends_with(suffix));

        let (path, protocol) = if let Some((before, deployment)) = path.split_once("/openai/deployments/") {
            let version = version.unwrap_or_else(|| AZURE_API_VERSION.into());
            let deployment = Some(deployment.trim_matches('/').to_owned());
            (format!("{before}/openai"), Protocol::AzureDated { deployment, version })
        } else if azure && path.ends_with("/openai/v1") {
            (path, Protocol::AzureV1)
        } else if azure {
            let path = format!("{}/openai", path.trim_end_matches("/openai"));
            match version {
                Some(version) => (path, Protocol::AzureDated { deployment: None, version }),
                None => (format!("{path}/v1"), Protocol::AzureV1),
            }
        } else if host == "api.anthropic.com" {
            (path.trim_end_matches("/v1").to_owned(), Protocol::Anthropic)
        } else {
            (path, Protocol::OpenAi)
        };
        base.set_path(&path);
        if matches!(access, Access::Identity(_)) && matches!(protocol, Protocol::OpenAi | Protocol::Anthropic)
        {
            return Err("an identity signs in to Azure OpenAI only; this address needs a key".into());
        }
        Ok(Provider { base, protocol, access })
    }

    /// The same provider, speaking Anthropic's protocol whatever its address looks like.
    #[must_use]
    pub fn anthropic(mut self) -> Provider {
        self.protocol = Protocol::Anthropic;
        self
    }

    /// A name for metrics.
    pub fn name(&self) -> &'static str {
        match self.protocol {
            Protocol::OpenAi => "openai",
            Protocol::AzureDated { .. } | Protocol::AzureV1 => "azure",
            Protocol::Anthropic => "anthropic",
        }
    }

    /// Where a question to `model` goes.
    pub fn url(&self, model: &str) -> Url {
        let mut url = self.base.clone();
        let base = url.path().trim_end_matches('/').to_owned();
        match &self.protocol {
            Protocol::OpenAi | Protocol::AzureV1 => url.set_path(&format!("{base}/chat/completions")),
            Protocol::Anthropic => url.set_path(&format!("{base}/v1/messages")),
            Protocol::AzureDated { deployment, version } => {
                let deployment = deployment.as_deref().unwrap_or(model);
                url.set_path(&format!("{base}/deployments/{deployment}/chat/completions"));
                url.query_pairs_mut().append_pair("api-version", version);
            }
        }
        url
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(base: &str, version: Option<&str>) -> (String, &'static str) {
        let provider = Provider::at(base, version, Access::Key("k".to_owned().into())).expect(base);
        (provider.url("m1").to_string(), provider.name())
    }

    #[test]
    fn the_form_of_the_address_tells_the_protocol() {
        for (base, version, url, name) in [
            ("https://api.openai.com/v1", None, "https://api.openai.com/v1/chat/completions", "openai"),
            ("http://127.0.0.1:9/v1/", None, "http://127.0.0.1:9/v1/chat/completions", "openai"),
            ("http://127.0.0.1:9", Some("x"), "http://127.0.0.1:9/chat/completions", "openai"),
            (
                "https://r.openai.azure.com",
                None,
                "https://r.openai.azure.com/openai/v1/chat/completions",
                "azure",
            ),
            (
                "https://r.openai.azure.com/openai/v1/",
                None,
                "https://r.openai.azure.com/openai/v1/chat/completions",
                "azure",
            ),
            (
                "https://r.openai.azure.com/",
                Some("2025-01-01-preview"),
                "https://r.openai.azure.com/openai/deployments/m1/chat/completions?api-version=2025-01-01-preview",
                "azure",
            ),
            (
                "https://r.openai.azure.com/openai/deployments/gpt/chat/completions?api-version=2024-06-01",
                None,
                "https://r.openai.azure.com/openai/deployments/gpt/chat/completions?api-version=2024-06-01",
                "azure",
            ),
            (
                "http://127.0.0.1:9/openai/deployments/gpt",
                None,
                "http://127.0.0.1:9/openai/deployments/gpt/chat/completions?api-version=2024-10-21",
                "azure",
            ),
            ("https://api.anthropic.com/v1", None, "https://api.anthropic.com/v1/messages", "anthropic"),
            ("https://api.anthropic.com", None, "https://api.anthropic.com/v1/messages", "anthropic"),
        ] {
            assert_eq!(at(base, version), (url.to_owned(), name), "{base}");
        }
        for wrong in ["", "api.openai.com", "ftp://x", "data:x"] {
            assert!(Provider::at(wrong, None, Access::Key("k".to_owned().into())).is_err(), "{wrong}");
        }
    }
}
