//! Ways to sign in, and who signed in.
//!
//! Tokens come from `azure_identity` alone; public Azure and others differ only by the authority and the HTTP
//! client given to it. What is added here: one cache for all (the CLI's credential has none, and each of its
//! tokens costs most of a second), an order of ways that says what was tried, and the caller's identity.

use crate::cloud::Cloud;
use crate::error::{Detail, Error};
use async_trait::async_trait;
use azure_core::credentials::{AccessToken, Secret, TokenCredential, TokenRequestOptions};
use azure_core::error::ErrorKind;
use azure_core::http::{
    ClientMethodOptions, ClientOptions, ExponentialRetryOptions, RetryOptions, Transport,
};
use azure_core::time::OffsetDateTime;
use azure_identity::{
    AzureCliCredential, AzureDeveloperCliCredential, ClientAssertion, ClientAssertionCredential,
    ClientAssertionCredentialOptions, ClientSecretCredential, ClientSecretCredentialOptions,
    ManagedIdentityCredential, ManagedIdentityCredentialOptions, UserAssignedId,
};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use secrecy::{ExposeSecret, SecretString};
use serde_json::Value;
use std::collections::BTreeMap;
use std::error::Error as StdError;
use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::Mutex;

/// A way to sign in.
#[derive(Clone, Debug, Default)]
pub enum Login {
    /// The first that works, in this order: what the environment's variables name ([`Login::Environment`]), the
    /// platform's identity endpoint, the Azure CLI, the Azure Developer CLI, the virtual machine's identity.
    #[default]
    Auto,
    /// Who is signed in to `az`.
    Cli,
    /// A service principal by its secret.
    Secret {
        /// The tenant's id or domain.
        tenant: String,
        /// The application's (client) id.
        client: String,
        /// Its secret.
        secret: SecretString,
    },
    /// A service principal that trusts another issuer's token (workload identity federation).
    Federated {
        /// The tenant's id or domain.
        tenant: String,
        /// The application's (client) id.
        client: String,
        /// Where that token comes from.
        assertion: Federation,
    },
    /// The identity of the machine or service this runs on.
    ManagedIdentity {
        /// The client id of a user-assigned identity; none means the system-assigned one.
        client: Option<String>,
    },
    /// A service principal named by `AZURE_TENANT_ID` and `AZURE_CLIENT_ID`, with `AZURE_CLIENT_SECRET`,
    /// `AZURE_FEDERATED_TOKEN_FILE` or GitHub's own `ACTIONS_ID_TOKEN_REQUEST_URL`.
    Environment,
}

/// Where the token of a federated sign-in comes from.
#[derive(Clone, Debug)]
pub enum Federation {
    /// A file that the platform keeps fresh, read anew for each sign-in.
    File(PathBuf),
    /// The token itself.
    Token(SecretString),
    /// GitHub Actions, which gives a token to the job that asks at `url` with `token`.
    GitHubActions {
        /// `ACTIONS_ID_TOKEN_REQUEST_URL`.
        url: String,
        /// `ACTIONS_ID_TOKEN_REQUEST_TOKEN`.
        token: SecretString,
    },
}

/// A credential for `cloud`. Nothing is fetched yet.
///
/// # Errors
/// When the way to sign in lacks something, said in full.
pub fn credential(cloud: &Cloud, login: Login) -> Result<Credential, Error> {
    credential_in(cloud, login, &|name| std::env::var(name).ok())
}

/// As [`credential`], with the environment passed in.
///
/// # Errors
/// As [`credential`].
pub fn credential_in(
    cloud: &Cloud,
    login: Login,
    environment: &dyn Fn(&str) -> Option<String>,
) -> Result<Credential, Error> {
    let variables = Variables::read(environment);
    let named = cloud.clone();
    let cloud = cloud.clone();
    // Made anew when ARM refuses a token that `azure_identity` still takes for good and keeps.
    let make = move || make(&cloud, &login, &variables);
    let inner = make()?;
    Ok(Credential::built(inner, Some(named), Some(Box::new(make))))
}

/// What the environment says about signing in.
#[derive(Clone, Default)]
struct Variables {
    tenant: Option<String>,
    client: Option<String>,
    secret: Option<SecretString>,
    token_file: Option<PathBuf>,
    github: Option<(String, SecretString)>,
    identity_endpoint: bool,
}

impl Variables {
    fn read(environment: &dyn Fn(&str) -> Option<String>) -> Variables {
        let get = |name: &str| environment(name).filter(|value| !value.trim().is_empty());
        Variables {
            tenant: get("AZURE_TENANT_ID"),
            client: get("AZURE_CLIENT_ID"),
            secret: get("AZURE_CLIENT_SECRET").map(SecretString::from),
            token_file: get("AZURE_FEDERATED_TOKEN_FILE").map(PathBuf::from),
            github: get("ACTIONS_ID_TOKEN_REQUEST_URL")
                .zip(get("ACTIONS_ID_TOKEN_REQUEST_TOKEN"))
                .map(|(url, token)| (url, SecretString::from(token))),
            identity_endpoint: get("IDENTITY_ENDPOINT").is_some(),
        }
    }

    /// The way that the variables name, or what they lack.
    fn login(&self) -> Result<Login, String> {
        let (Some(tenant), Some(client)) = (self.tenant.clone(), self.client.clone()) else {
            let missing: Vec<&str> =
                [("AZURE_TENANT_ID", self.tenant.is_none()), ("AZURE_CLIENT_ID", self.client.is_none())]
                    .into_iter()
                    .filter_map(|(name, missing)| missing.then_some(name))
                    .collect();
            let verb = if missing.len() == 1 { "is" } else { "are" };
            return Err(format!("{} {verb} not set", missing.join(" and ")));
        };
        let assertion = match (&self.secret, &self.token_file, &self.github) {
            (Some(secret), _, _) => return Ok(Login::Secret { tenant, client, secret: secret.clone() }),
            (None, Some(path), _) => Federation::File(path.clone()),
            (None, None, Some((url, token))) => {
                Federation::GitHubActions { url: url.clone(), token: token.clone() }
            }
            (None, None, None) => {
                return Err("neither AZURE_CLIENT_SECRET nor AZURE_FEDERATED_TOKEN_FILE is set".into());
            }
        };
        Ok(Login::Federated { tenant, client, assertion })
    }
}

type Inner = Arc<dyn TokenCredential>;

fn make(cloud: &Cloud, login: &Login, variables: &Variables) -> Result<Inner, Error> {
    let options = || client_options(cloud);
    let lacking = |cause: azure_core::Error| {
        Error::sign_in(Detail::new("", format!("cannot sign in: {}", words_of(&cause))))
    };
    Ok(match login {
        Login::Auto => Arc::new(Chain { ways: ways(cloud, variables), chosen: Mutex::new(None) }),
        Login::Cli => AzureCliCredential::new(None).map_err(lacking)?,
        Login::Secret { tenant, client, secret } => {
            let secret = Secret::new(secret.expose_secret().to_string());
            let options = ClientSecretCredentialOptions { client_options: options()? };
            ClientSecretCredential::new(tenant, client.clone(), secret, Some(options)).map_err(lacking)?
        }
        Login::Federated { tenant, client, assertion } => {
            let source = Assertion { from: assertion.clone(), http: cloud.http()? };
            let options = ClientAssertionCredentialOptions { client_options: options()? };
            ClientAssertionCredential::new(tenant.clone(), client.clone(), source, Some(options))
                .map_err(lacking)?
        }
        Login::ManagedIdentity { client } => {
            let options = ManagedIdentityCredentialOptions {
                user_assigned_id: client.clone().map(UserAssignedId::ClientId),
                client_options: options()?,
            };
            ManagedIdentityCredential::new(Some(options)).map_err(lacking)?
        }
        Login::Environment => {
            let named = variables.login().map_err(|lacks| {
                Error::sign_in(Detail::new(
                    "NotSignedIn",
                    format!("cannot sign in from the environment: {lacks}"),
                ))
            })?;
            make(cloud, &named, variables)?
        }
    })
}

fn client_options(cloud: &Cloud) -> Result<ClientOptions, Error> {
    Ok(ClientOptions {
        transport: Some(Transport::new(Arc::new(cloud.http()?))),
        // Its own default goes on for over a minute where nobody answers.
        retry: RetryOptions::exponential(ExponentialRetryOptions {
            initial_delay: azure_core::time::Duration::milliseconds(200),
            max_retries: 3,
            max_total_elapsed: azure_core::time::Duration::seconds(10),
            max_delay: azure_core::time::Duration::seconds(2),
        }),
        cloud: Some(cloud.azure_core()),
        ..ClientOptions::default()
    })
}

/// Gives tokens; clones share what was fetched.
#[derive(Clone)]
pub struct Credential(Arc<Shared>);

type Make = Box<dyn Fn() -> Result<Inner, Error> + Send + Sync>;

struct Shared {
    cloud: Option<Cloud>,
    make: Option<Make>,
    state: Mutex<Cache>,
}

struct Cache {
    inner: Inner,
    tokens: BTreeMap<String, Kept>,
}

struct Kept {
    token: SecretString,
    fresh_until: OffsetDateTime,
}

impl Credential {
    /// Wraps any of `azure_identity`'s credentials, or one of the caller's own.
    pub fn new(inner: Arc<dyn TokenCredential>) -> Credential {
        Credential::built(inner, None, None)
    }

    fn built(inner: Inner, cloud: Option<Cloud>, make: Option<Make>) -> Credential {
        Credential(Arc::new(Shared {
            cloud,
            make,
            state: Mutex::new(Cache { inner, tokens: BTreeMap::new() }),
        }))
    }

    /// A token for `scope`, such as `https://management.azure.com/.default`.
    ///
    /// # Errors
    /// When no token could be had; the message says what was tried.
    pub async fn token(&self, scope: &str) -> Result<SecretString, Error> {
        self.fetch(scope).await.map(|kept| kept.0)
    }

    /// Who the tokens speak for, read from the token for `scope`.
    ///
    /// # Errors
    /// When no token could be had, or it is not readable.
    pub async fn caller(&self, scope: &str) -> Result<Caller, Error> {
        let token = self.token(scope).await?;
        Caller::of(&token).ok_or_else(|| {
            Error::sign_in(Detail::new(
                "",
                "the token does not say who it is for: it is no JWT with `oid` and `tid`",
            ))
        })
    }

    async fn fetch(&self, scope: &str) -> Result<(SecretString, OffsetDateTime), Error> {
        // The lock is held while a token is fetched, so that many requests at the start ask for one only.
        let mut cache = self.0.state.lock().await;
        let now = OffsetDateTime::now_utc();
        if let Some(kept) = cache.tokens.get(scope)
            && now < kept.fresh_until
        {
            return Ok((kept.token.clone(), kept.fresh_until));
        }
        let got = cache
            .inner
            .get_token(&[scope], None)
            .await
            .map_err(|cause| refused(&cause, self.0.cloud.as_ref()))?;
        let life: azure_core::time::Duration = got.expires_on - now;
        // Fetched anew five minutes before its end, or in the last fifth of a short life.
        let fresh_until = got.expires_on - (life / 5_i32).min(azure_core::time::Duration::minutes(5));
        let token = SecretString::from(got.token.secret().to_string());
        cache.tokens.insert(scope.to_string(), Kept { token: token.clone(), fresh_until });
        Ok((token, fresh_until))
    }

    /// Drops what was fetched, since the service calls it expired. False when another token cannot be made.
    pub(crate) async fn forget(&self, scope: &str) -> Result<bool, Error> {
        let mut cache = self.0.state.lock().await;
        cache.tokens.remove(scope);
        match &self.0.make {
            Some(make) => {
                cache.inner = make()?;
                Ok(true)
            }
            None => Ok(false),
        }
    }

    /// The same credential for Azure's own clients.
    pub fn for_azure_core(&self) -> Arc<dyn TokenCredential> {
        Arc::new(Bridge(self.clone()))
    }
}

impl fmt::Debug for Credential {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Credential")
    }
}

/// Lets Azure's own clients take tokens from our cache.
#[derive(Debug)]
struct Bridge(Credential);

#[async_trait]
impl TokenCredential for Bridge {
    async fn get_token(
        &self,
        scopes: &[&str],
        _: Option<TokenRequestOptions<'_>>,
    ) -> azure_core::Result<AccessToken> {
        let scope = scopes.first().copied().unwrap_or_default();
        let (token, until) = self.0.fetch(scope).await.map_err(|error| {
            // Carried whole to where it is told.
            azure_core::Error::new(ErrorKind::Credential, error)
        })?;
        Ok(AccessToken::new(Secret::new(token.expose_secret().to_string()), until))
    }
}

/// Tries one way after the other and stays with the first that worked.
#[derive(Debug)]
struct Chain {
    ways: Vec<Way>,
    chosen: Mutex<Option<usize>>,
}

struct Way {
    name: &'static str,
    /// The credential, or why it is not worth a try.
    credential: Result<Inner, String>,
    /// How long it may take; a machine's identity service that is not there does not refuse, it is silent.
    limit: Duration,
}

impl fmt::Debug for Way {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name)
    }
}

fn ways(cloud: &Cloud, variables: &Variables) -> Vec<Way> {
    let built = |login: Login| make(cloud, &login, variables).map_err(|error| error.message().to_string());
    let minute = Duration::from_secs(60);
    let way = |name, limit, credential| Way { name, credential, limit };
    let identity = || Login::ManagedIdentity { client: variables.client.clone() };
    let mut ways = vec![way("environment", minute, variables.login().and_then(built))];
    if variables.identity_endpoint {
        ways.push(way("managed identity", minute, built(identity())));
    }
    ways.push(way("Azure CLI", minute, built(Login::Cli)));
    let developer = AzureDeveloperCliCredential::new(None).map(|credential| credential as Inner);
    ways.push(way("Azure Developer CLI", minute, developer.map_err(|cause| words_of(&cause))));
    if !variables.identity_endpoint {
        ways.push(way("virtual machine's identity", Duration::from_secs(2), built(identity())));
    }
    ways
}

#[async_trait]
impl TokenCredential for Chain {
    async fn get_token(
        &self,
        scopes: &[&str],
        _: Option<TokenRequestOptions<'_>>,
    ) -> azure_core::Result<AccessToken> {
        let mut chosen = self.chosen.lock().await;
        if let Some(at) = *chosen
            && let Ok(credential) = &self.ways[at].credential
        {
            return credential.get_token(scopes, None).await;
        }
        let mut tried = Vec::new();
        for (at, way) in self.ways.iter().enumerate() {
            let why = match &way.credential {
                Err(why) => why.clone(),
                Ok(credential) => {
                    match tokio::time::timeout(way.limit, credential.get_token(scopes, None)).await {
                        Ok(Ok(token)) => {
                            tracing::debug!(way = way.name, "signed in");
                            *chosen = Some(at);
                            return Ok(token);
                        }
                        // A way that is set up and refused is what the user meant; trying on would hide it.
                        Ok(Err(cause)) if way.name == "environment" => return Err(cause),
                        Ok(Err(cause)) => {
                            refused(&cause, None).message().trim_start_matches("ERROR: ").to_string()
                        }
                        Err(_) => format!("no answer within {} s", way.limit.as_secs()),
                    }
                }
            };
            tried.push(format!("{}: {}", way.name, why.trim_end_matches('.')));
        }
        let told = Error::sign_in(Detail::new(
            "NotSignedIn",
            format!("not signed in to Azure; tried {}", tried.join("; ")),
        ));
        Err(azure_core::Error::new(ErrorKind::Credential, told))
    }
}

/// The other issuer's token, which Entra takes in place of a secret.
struct Assertion {
    from: Federation,
    http: reqwest::Client,
}

impl fmt::Debug for Assertion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Assertion")
    }
}

#[async_trait]
impl ClientAssertion for Assertion {
    async fn secret(&self, _: Option<ClientMethodOptions<'_>>) -> azure_core::Result<String> {
        let fail = |text: String| azure_core::Error::with_message(ErrorKind::Credential, text);
        match &self.from {
            Federation::Token(token) => Ok(token.expose_secret().to_string()),
            Federation::File(path) => {
                let token = tokio::fs::read_to_string(path).await.map_err(|cause| {
                    fail(format!("cannot read the token file {}: {cause}", path.display()))
                })?;
                match token.trim() {
                    "" => Err(fail(format!("the token file {} is empty", path.display()))),
                    token => Ok(token.to_string()),
                }
            }
            Federation::GitHubActions { url, token } => {
                let lost =
                    |cause: reqwest::Error| fail(format!("GitHub gave no token: {}", cause.without_url()));
                let joint = if url.contains('?') { '&' } else { '?' };
                let answer = self
                    .http
                    .get(format!("{url}{joint}audience=api://AzureADTokenExchange"))
                    .bearer_auth(token.expose_secret())
                    .send()
                    .await
                    .map_err(lost)?;
                let status = answer.status();
                if !status.is_success() {
                    return Err(fail(format!(
                        "GitHub gave no token: {status}; the job needs `permissions: id-token: write`"
                    )));
                }
                let body: Value = answer.json().await.map_err(lost)?;
                match body.get("value").and_then(Value::as_str) {
                    Some(token) => Ok(token.to_string()),
                    None => Err(fail("GitHub's answer holds no token".into())),
                }
            }
        }
    }
}

/// Brings what `azure_identity` says into our own form: Entra's code and words where Entra answered.
fn refused(cause: &azure_core::Error, cloud: Option<&Cloud>) -> Error {
    if let Some(error) = ours(cause) {
        return error;
    }
    let mut at: Option<&(dyn StdError + 'static)> = Some(cause);
    while let Some(error) = at {
        if let Some(error) = error.downcast_ref::<azure_core::Error>()
            && let ErrorKind::HttpResponse { status, raw_response: Some(response), .. } = error.kind()
        {
            let told = Error::refused(u16::from(*status), response.body());
            return Error::sign_in(told.detail().clone())
                .with_status(u16::from(*status))
                .with_ids(told.request_id().map(str::to_string), None);
        }
        if let Some(error) = error.downcast_ref::<reqwest::Error>() {
            let name = cloud.map_or("the sign-in service", |cloud| cloud.name.as_str());
            let unreachable = cloud.and_then(|cloud| cloud.unreachable.as_deref());
            return Error::transport(name, &address(error), unreachable, error);
        }
        at = error.source();
    }
    let words = words_of(cause);
    let code = ["az login", "azd auth login", "not found on PATH"].iter().any(|hint| words.contains(hint));
    Error::sign_in(Detail::new(if code { "NotSignedIn" } else { "" }, words))
}

/// The error that our own code put into `azure_core`'s, on its way through somebody else's.
pub(crate) fn ours(cause: &azure_core::Error) -> Option<Error> {
    let mut at: Option<&(dyn StdError + 'static)> = Some(cause);
    while let Some(error) = at {
        if let Some(error) = error.downcast_ref::<Error>() {
            return Some(error.clone());
        }
        if let Some(inner) = error.downcast_ref::<azure_core::Error>().and_then(azure_core::Error::get_ref)
            && let Some(error) = inner.downcast_ref::<Error>()
        {
            return Some(error.clone());
        }
        at = error.source();
    }
    None
}

fn address(error: &reqwest::Error) -> String {
    error.url().map(crate::request::origin).unwrap_or_else(|| "its address".into())
}

/// `azure_identity`'s words without the name of its type and its link.
fn words_of(cause: &azure_core::Error) -> String {
    let text = cause.to_string();
    let text = text.split("\nTo troubleshoot").next().unwrap_or_default();
    let text = match text.split_once("authentication failed.") {
        Some((_, after)) if !after.trim().is_empty() => after,
        _ => text,
    };
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// Who signed in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Caller {
    /// The object id of the user or service principal, which role assignments name.
    pub object_id: String,
    /// The application that was signed in with.
    pub client_id: Option<String>,
    /// The tenant's id.
    pub tenant: String,
    /// A name for people: a user's principal name or an application's name.
    pub name: Option<String>,
    /// Whether it is a user, who may be asked for a second factor, or a service principal.
    pub is_user: bool,
}

impl Caller {
    /// Reads the token's claims. The signature is not checked: the token is ours, and only Azure has to trust it.
    pub(crate) fn of(token: &SecretString) -> Option<Caller> {
        let payload = token.expose_secret().split('.').nth(1)?;
        let bytes = URL_SAFE_NO_PAD.decode(payload.trim_end_matches('=')).ok()?;
        let claims: Value = serde_json::from_slice(&bytes).ok()?;
        let text = |names: &[&str]| {
            names
                .iter()
                .find_map(|name| claims.get(*name)?.as_str().filter(|text| !text.is_empty()))
                .map(str::to_string)
        };
        Some(Caller {
            object_id: text(&["oid", "sub"])?,
            client_id: text(&["appid", "azp"]),
            tenant: text(&["tid"])?,
            name: text(&["upn", "preferred_username", "unique_name", "email", "app_displayname"]),
            is_user: match text(&["idtyp"]).as_deref() {
                Some(kind) => kind == "user",
                // Only a user's token has scopes; an application's has roles.
                None => claims.get("scp").is_some() || claims.get("upn").is_some(),
            },
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn token(claims: &Value) -> SecretString {
        let part = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
        format!("{}.{}.sig", part(&json!({"alg": "RS256"})), part(claims)).into()
    }

    #[test]
    fn callers_of_both_kinds() {
        let app = Caller::of(&token(&json!({"oid": "o", "appid": "a", "tid": "t", "idtyp": "app"}))).unwrap();
        assert_eq!((app.object_id.as_str(), app.client_id.as_deref(), app.is_user), ("o", Some("a"), false));
        let user = Caller::of(&token(&json!({"oid": "o", "tid": "t", "upn": "a@b.c", "scp": "x"}))).unwrap();
        assert_eq!((user.name.as_deref(), user.is_user), (Some("a@b.c"), true));
        for bad in ["", "a.b", "a.!!.c", "opaque"] {
            assert_eq!(Caller::of(&bad.to_string().into()), None);
        }
        assert_eq!(Caller::of(&token(&json!({"tid": "t"}))), None);
    }

    fn environment(pairs: &[(&str, &str)]) -> Variables {
        let pairs: BTreeMap<String, String> =
            pairs.iter().map(|(k, v)| (k.to_string(), v.to_string())).collect();
        Variables::read(&move |name| pairs.get(name).cloned())
    }

    #[test]
    fn what_the_environment_names() {
        assert_eq!(environment(&[]).login().unwrap_err(), "AZURE_TENANT_ID and AZURE_CLIENT_ID are not set");
        let tenant = ("AZURE_TENANT_ID", "t");
        assert_eq!(
            environment(&[tenant, ("AZURE_CLIENT_ID", " ")]).login().unwrap_err(),
            "AZURE_CLIENT_ID is not set"
        );
        let client = ("AZURE_CLIENT_ID", "c");
        assert!(environment(&[tenant, client]).login().unwrap_err().contains("AZURE_CLIENT_SECRET"));
        let secret = ("AZURE_CLIENT_SECRET", "planted-secret");
        let login = environment(&[tenant, client, secret]).login().unwrap();
        assert!(matches!(login, Login::Secret { .. }));
        assert!(!format!("{login:?}").contains("planted-secret"));
        let file = ("AZURE_FEDERATED_TOKEN_FILE", "/t");
        assert!(matches!(
            environment(&[tenant, client, file]).login().unwrap(),
            Login::Federated { assertion: Federation::File(_), .. }
        ));
        let github = [
            tenant,
            client,
            ("ACTIONS_ID_TOKEN_REQUEST_URL", "https://x?y=1"),
            ("ACTIONS_ID_TOKEN_REQUEST_TOKEN", "planted-secret"),
        ];
        let login = environment(&github).login().unwrap();
        assert!(matches!(login, Login::Federated { assertion: Federation::GitHubActions { .. }, .. }));
        assert!(!format!("{login:?}").contains("planted-secret"));
    }

    #[test]
    fn a_way_that_lacks_something_says_so_at_once() {
        let cloud = Cloud::public();
        let error = credential_in(&cloud, Login::Environment, &|_| None).unwrap_err();
        assert!(error.to_string().contains("AZURE_TENANT_ID and AZURE_CLIENT_ID are not set"), "{error}");
        assert!(error.remedy().unwrap().contains("az login"));
        let login = Login::Secret {
            tenant: "not a tenant!".into(),
            client: "c".into(),
            secret: "s".to_string().into(),
        };
        let error = credential(&cloud, login).unwrap_err();
        assert!(error.to_string().contains("invalid tenant ID"), "{error}");
    }
}
