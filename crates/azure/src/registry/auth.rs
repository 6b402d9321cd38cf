//! How a registry of Azure's is signed in to: Entra's token for a refresh token (`/oauth2/exchange`), and that for
//! an access token to one repository (`/oauth2/token`). A registry that asks for nothing gets nothing.

use super::Registry;
use crate::credential::{Caller, Credential};
use crate::error::{Class, Detail, Error};
use crate::operation::Answer;
use reqwest::header::{HeaderMap, WWW_AUTHENTICATE};
use secrecy::{ExposeSecret, SecretString};
use std::collections::BTreeMap;
use std::time::Duration;
use tokio::sync::Mutex;
use url::Url;

/// What a token is good for, in the registry's own words: `repository:web:pull,push`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Access(String);

impl Access {
    pub fn to(repository: &str, actions: &str) -> Access {
        Access(format!("repository:{repository}:{actions}"))
    }

    pub fn and(self, repository: &str, actions: &str) -> Access {
        Access(format!("{} repository:{repository}:{actions}", self.0))
    }

    pub fn catalog() -> Access {
        Access("registry:catalog:*".into())
    }
}

/// Where and for whom a token is to be had: `Bearer realm="…",service="…"`.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Challenge {
    realm: String,
    service: String,
}

impl Challenge {
    pub fn of(headers: &HeaderMap) -> Option<Challenge> {
        let text = headers.get(WWW_AUTHENTICATE)?.to_str().ok()?;
        let (scheme, rest) = text.split_once(' ')?;
        if !scheme.eq_ignore_ascii_case("bearer") {
            return None;
        }
        Some(Challenge {
            realm: parameter(rest, "realm")?,
            service: parameter(rest, "service").unwrap_or_default(),
        })
    }
}

/// The value of one quoted parameter; commas stand within quotes as well.
fn parameter(text: &str, name: &str) -> Option<String> {
    let mut rest = text;
    loop {
        let (key, after) = rest.split_once('=')?;
        let after = after.trim_start();
        let (value, after) = match after.strip_prefix('"') {
            Some(quoted) => quoted.split_once('"')?,
            None => after.split_once(',').unwrap_or((after, "")),
        };
        if key.trim_matches([' ', ',']).eq_ignore_ascii_case(name) {
            return Some(value.to_string());
        }
        rest = after;
    }
}

pub(super) struct Auth {
    credential: Credential,
    scope: String,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    refresh: Option<SecretString>,
    access: BTreeMap<Access, SecretString>,
}

impl Auth {
    pub fn new(credential: Credential, scope: String) -> Auth {
        Auth { credential, scope, state: Mutex::default() }
    }

    /// The token that was fetched before.
    pub async fn known(&self, access: &Access) -> Option<SecretString> {
        self.state.lock().await.access.get(access).cloned()
    }

    pub async fn forget(&self, access: &Access) {
        let mut state = self.state.lock().await;
        state.access.remove(access);
        state.refresh = None;
    }

    /// A new token. `stale`: the one known before was refused, so it is not handed out again.
    pub async fn fetch(
        &self,
        registry: &Registry,
        access: &Access,
        challenge: &Challenge,
        stale: bool,
    ) -> Result<SecretString, Error> {
        // Held throughout: the layers of an image ask at the same time, and one token serves them all.
        let mut state = self.state.lock().await;
        if !stale && let Some(token) = state.access.get(access) {
            return Ok(token.clone());
        }
        let realm = registry.own(&registry.0.base, &challenge.realm)?;
        let service = if challenge.service.is_empty() { registry.host() } else { &challenge.service };
        let refresh = match &state.refresh {
            Some(refresh) => refresh.clone(),
            None => self.exchange(registry, &realm, service).await?,
        };
        let fields = [
            ("grant_type", "refresh_token"),
            ("service", service),
            ("scope", access.0.as_str()),
            ("refresh_token", refresh.expose_secret()),
        ];
        let answer = ask(registry, &realm, &fields).await;
        let token = match answer {
            Ok(answer) => token_in(&answer, "access_token")?,
            Err(error) => {
                // It may be the refresh token that has ended; the next try fetches another.
                state.refresh = None;
                return Err(error);
            }
        };
        state.refresh = Some(refresh);
        state.access.insert(access.clone(), token.clone());
        Ok(token)
    }

    async fn exchange(&self, registry: &Registry, realm: &Url, service: &str) -> Result<SecretString, Error> {
        let token = self.credential.token(&self.scope).await?;
        let mut url = realm.clone();
        url.set_path("/oauth2/exchange");
        url.set_query(None);
        let tenant = Caller::of(&token).map(|caller| caller.tenant).unwrap_or_default();
        let mut fields = vec![("grant_type", "access_token"), ("service", service)];
        if !tenant.is_empty() {
            fields.push(("tenant", &tenant));
        }
        fields.push(("access_token", token.expose_secret()));
        let answer = ask(registry, &url, &fields).await?;
        token_in(&answer, "refresh_token")
    }
}

/// Sends a form, a few times where that may help. What it holds is taken out of any refusal.
async fn ask(registry: &Registry, url: &Url, fields: &[(&str, &str)]) -> Result<Answer, Error> {
    let title = || format!("sign in to {}", registry.host());
    let form = url::form_urlencoded::Serializer::new(String::new()).extend_pairs(fields).finish();
    let mut pause = Duration::from_millis(300);
    for last in [false, false, true] {
        let request = registry
            .0
            .http
            .post(url.clone())
            .header("content-type", "application/x-www-form-urlencoded")
            .body(form.clone());
        let error = match registry.one(request, None, &title).await {
            Ok(answer) if answer.status == 200 => return Ok(answer),
            Ok(answer) => {
                let secrets: Vec<String> = fields
                    .iter()
                    .filter(|(name, _)| matches!(*name, "access_token" | "refresh_token"))
                    .map(|(_, value)| value.to_string())
                    .collect();
                registry.refusal(&answer, &title).without(&secrets)
            }
            Err(error) => error,
        };
        if last || !matches!(error.class(), Class::Transient | Class::Throttled) {
            return Err(error);
        }
        tokio::time::sleep(error.retry_after().unwrap_or(pause).min(Duration::from_secs(10))).await;
        pause *= 2;
    }
    unreachable!("the last round returns")
}

fn token_in(answer: &Answer, name: &str) -> Result<SecretString, Error> {
    let body = answer.json()?;
    match body.get(name).and_then(|token| token.as_str()).filter(|token| !token.is_empty()) {
        Some(token) => Ok(token.to_string().into()),
        None => Err(Error::sign_in(Detail::new("", format!("the registry's answer holds no {name}")))),
    }
}

impl std::fmt::Debug for Auth {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Auth")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn challenge(text: &str) -> Option<Challenge> {
        let mut headers = HeaderMap::new();
        headers.insert(WWW_AUTHENTICATE, text.parse().unwrap());
        Challenge::of(&headers)
    }

    #[test]
    fn challenges() {
        let read = challenge(
            r#"Bearer realm="https://r.azurecr.io/oauth2/token",service="r.azurecr.io",scope="repository:a:pull,push",error="invalid_token""#,
        )
        .unwrap();
        assert_eq!(
            read,
            Challenge { realm: "https://r.azurecr.io/oauth2/token".into(), service: "r.azurecr.io".into() }
        );
        let read = challenge(r#"bearer scope="a,realm=b", realm="https://x""#).unwrap();
        assert_eq!((read.realm.as_str(), read.service.as_str()), ("https://x", ""));
        assert_eq!(challenge("Basic realm=\"x\""), None);
        assert_eq!(challenge("Bearer"), None);
        assert_eq!(challenge("Bearer service=\"x\""), None);
    }

    #[test]
    fn what_a_token_is_for() {
        let access = Access::to("web", "pull,push").and("base", "pull");
        assert_eq!(access.0, "repository:web:pull,push repository:base:pull");
    }
}
