//! Who may do what in a registry: an Entra token is exchanged for a refresh token, that for access tokens that each
//! name what they allow.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

use super::{Ask, refuse};
use crate::world::access::{Act, allows};
use crate::world::{Body, Method, Response, World, entra, registry_account};

/// As Azure's: three hours, and an hour and a quarter.
const REFRESH_LIFETIME: SignedDuration = SignedDuration::from_hours(3);
const ACCESS_LIFETIME: SignedDuration = SignedDuration::from_mins(75);
/// The user name that goes with a refresh token as password.
const TOKEN_USER: &str = "00000000-0000-0000-0000-000000000000";
/// Claim that tells the registry's own tokens apart from all others this world signs.
const ISSUER: &str = "Azure Container Registry";

/// What may be done to a repository.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Deed {
    /// Read images.
    Pull,
    /// Write images.
    Push,
    /// Delete them.
    Delete,
    /// Read what is told of images beside their content.
    ReadMetadata,
    /// Change that: locks.
    WriteMetadata,
}

impl Deed {
    /// As scopes name it.
    fn name(self) -> &'static str {
        match self {
            Deed::Pull => "pull",
            Deed::Push => "push",
            Deed::Delete => "delete",
            Deed::ReadMetadata => "metadata_read",
            Deed::WriteMetadata => "metadata_write",
        }
    }

    /// The action that a role must have.
    fn action(self) -> &'static str {
        match self {
            Deed::Pull | Deed::ReadMetadata => "Microsoft.ContainerRegistry/registries/pull/read",
            Deed::Push | Deed::WriteMetadata => "Microsoft.ContainerRegistry/registries/push/write",
            Deed::Delete => "Microsoft.ContainerRegistry/registries/artifacts/delete",
        }
    }

    /// The data action that a repository role has instead.
    fn data_action(self) -> &'static str {
        match self {
            Deed::Pull => "Microsoft.ContainerRegistry/registries/repositories/content/read",
            Deed::Push => "Microsoft.ContainerRegistry/registries/repositories/content/write",
            Deed::Delete => "Microsoft.ContainerRegistry/registries/repositories/content/delete",
            Deed::ReadMetadata => "Microsoft.ContainerRegistry/registries/repositories/metadata/read",
            Deed::WriteMetadata => "Microsoft.ContainerRegistry/registries/repositories/metadata/write",
        }
    }
}

/// Whether a principal may do something in the registry with this ARM id, by its roles now.
pub(crate) fn may(world: &World, principal: &str, deed: Deed, scope: &str) -> bool {
    allows(world, principal, Act::Control(deed.action()), scope)
        || allows(world, principal, Act::Data(deed.data_action()), scope)
}

/// Who asks.
#[derive(Clone, Debug, PartialEq)]
enum Who {
    /// A principal of the tenant, by object id.
    Principal(String),
    /// The registry's admin user.
    Admin,
    /// Somebody without credentials, where the registry lets anybody pull.
    Anybody,
}

impl Who {
    fn may(&self, world: &World, deed: Deed, scope: &str) -> bool {
        match self {
            Who::Principal(oid) => may(world, oid, deed, scope),
            Who::Admin => true,
            Who::Anybody => matches!(deed, Deed::Pull | Deed::ReadMetadata),
        }
    }

    fn subject(&self) -> &str {
        match self {
            Who::Principal(oid) => oid,
            Who::Admin => "admin",
            Who::Anybody => "anonymous",
        }
    }
}

/// `POST /oauth2/exchange`: a refresh token of the registry for an access token of Entra.
pub(super) fn exchange(world: &mut World, ask: &Ask<'_>) -> Result<Response, Response> {
    if ask.request.method != Method::Post {
        return Err(refuse(405, "UNSUPPORTED", "The operation is unsupported.", Value::Null));
    }
    let form = form(ask);
    let grant = field(&form, "grant_type").unwrap_or_default();
    check_service(ask, &form)?;
    let who = match grant {
        "access_token" | "access_token_refresh_token" => {
            let token = field(&form, "access_token").unwrap_or_default();
            let audiences = entra::registry_audiences(&world.config);
            match entra::verify(world, token, &audiences) {
                Ok(claims) => Who::Principal(claims.oid),
                Err(_) => return Err(unauthorized(ask, None)),
            }
        }
        "refresh_token" => return Err(grant_refused(grant)),
        _ => return Err(grant_refused(grant)),
    };
    // Somebody without any role here learns so now, as from Azure.
    if ![Deed::Pull, Deed::Push, Deed::Delete].iter().any(|deed| who.may(world, *deed, &ask.scope)) {
        return Err(unauthorized(ask, None));
    }
    let refresh_token = refresh_token(world, ask, &who);
    Ok(Response::json(200, &json!({"refresh_token": refresh_token})))
}

/// `GET` or `POST /oauth2/token`: an access token for scopes.
pub(super) fn token(world: &mut World, ask: &Ask<'_>) -> Result<Response, Response> {
    let form = match ask.request.method {
        Method::Post => form(ask),
        Method::Get => ask.request.query.clone(),
        _ => return Err(refuse(405, "UNSUPPORTED", "The operation is unsupported.", Value::Null)),
    };
    check_service(ask, &form)?;
    let basic = ask.request.header("authorization").and_then(basic);
    let (who, with_refresh) = match (basic, field(&form, "grant_type")) {
        (Some((user, password)), _) => (by_password(world, ask, &user, &password), false),
        (None, Some("refresh_token")) => {
            let token = field(&form, "refresh_token").unwrap_or_default();
            (by_refresh_token(world, ask, token), false)
        }
        (None, Some("password")) => {
            let user = field(&form, "username").unwrap_or_default();
            let password = field(&form, "password").unwrap_or_default();
            (by_password(world, ask, user, password), true)
        }
        (None, Some("access_token")) => {
            let token = field(&form, "access_token").unwrap_or_default();
            let audiences = entra::registry_audiences(&world.config);
            (entra::verify(world, token, &audiences).ok().map(|claims| Who::Principal(claims.oid)), false)
        }
        (None, Some(other)) => return Err(grant_refused(other)),
        (None, None) => (anybody(world, ask), false),
    };
    let Some(who) = who else { return Err(unauthorized(ask, None)) };
    let scopes =
        form.iter().filter(|(name, _)| name == "scope").flat_map(|(_, scopes)| scopes.split_whitespace());
    let access: Vec<Value> = scopes.filter_map(|scope| granted(world, ask, &who, scope)).collect();
    let expires = expiry(world, ACCESS_LIFETIME);
    let claims = json!({
        "jti": world.chance.uuid("registry token").to_string(),
        "sub": who.subject(), "iss": ISSUER, "aud": ask.service, "rid": ask.scope.to_ascii_lowercase(),
        "nbf": world.now.as_second(), "iat": world.now.as_second(), "exp": expires,
        "access": access, "roles": [], "grant_type": "access_token", "version": "1.0",
    });
    let mut answer = json!({"access_token": entra::sign(world, &claims)});
    if with_refresh {
        answer["refresh_token"] = json!(refresh_token(world, ask, &who));
    }
    Ok(Response::json(200, &answer))
}

/// Lets in whoever has any token of this registry, as `GET /v2/` does.
pub(super) fn enter(world: &World, ask: &Ask<'_>) -> Result<(), Response> {
    match presented(world, ask) {
        Some(_) => Ok(()),
        None => Err(unauthorized(ask, None)),
    }
}

/// Whether the request's credentials allow `deed` on a repository.
pub(super) fn check(world: &World, ask: &Ask<'_>, repository: &str, deed: Deed) -> Result<(), Response> {
    if allowed(world, ask, repository, deed) {
        Ok(())
    } else {
        Err(unauthorized(ask, Some(("repository", repository, deed.name()))))
    }
}

/// Whether the request's credentials allow `deed` on a repository, without refusing.
pub(super) fn allowed(world: &World, ask: &Ask<'_>, repository: &str, deed: Deed) -> bool {
    match presented(world, ask) {
        Some(Presented::Token(access)) => access.iter().any(|entry| {
            entry["type"] == "repository"
                && entry["name"] == repository
                && has(&entry["actions"], deed.name())
        }),
        Some(Presented::Who(who)) => who.may(world, deed, &ask.scope),
        None => false,
    }
}

/// Whether the request's credentials allow listing repositories.
pub(super) fn check_catalog(world: &World, ask: &Ask<'_>) -> Result<(), Response> {
    let allowed = match presented(world, ask) {
        Some(Presented::Token(access)) => {
            access.iter().any(|entry| entry["type"] == "registry" && entry["name"] == "catalog")
        }
        Some(Presented::Who(who)) => who != Who::Anybody && who.may(world, Deed::Pull, &ask.scope),
        None => false,
    };
    if allowed { Ok(()) } else { Err(unauthorized(ask, Some(("registry", "catalog", "*")))) }
}

/// Whether somebody may use an admin password of this registry.
pub(crate) fn admin(world: &World, name: &str, user: &str, password: &str) -> bool {
    super::resource(world, name).is_some_and(|resource| {
        registry_account::admin(world, resource).is_some_and(|(name, passwords)| {
            name.eq_ignore_ascii_case(user)
                && passwords.iter().any(|own| !own.0.is_empty() && own.0 == password)
        })
    })
}

enum Presented {
    /// `access` of an access token.
    Token(Vec<Value>),
    /// Credentials themselves, by Basic.
    Who(Who),
}

fn presented(world: &World, ask: &Ask<'_>) -> Option<Presented> {
    let header = ask.request.header("authorization")?;
    if let Some((user, password)) = basic(header) {
        return by_password(world, ask, &user, &password).map(Presented::Who);
    }
    let claims = own_token(world, ask, entra::bearer_of(header)?, "access_token")?;
    Some(Presented::Token(claims["access"].as_array().cloned().unwrap_or_default()))
}

/// Claims of a token of this registry, of one kind, in its time.
fn own_token(world: &World, ask: &Ask<'_>, token: &str, kind: &str) -> Option<Value> {
    let claims = entra::open(world, token)?;
    let fits = claims["iss"] == ISSUER
        && claims["grant_type"] == kind
        && claims["rid"].as_str().is_some_and(|id| id.eq_ignore_ascii_case(&ask.scope))
        && claims["exp"].as_i64().is_some_and(|at| at > world.now.as_second());
    fits.then_some(claims)
}

fn refresh_token(world: &mut World, ask: &Ask<'_>, who: &Who) -> String {
    let expires = expiry(world, REFRESH_LIFETIME);
    let claims = json!({
        "jti": world.chance.uuid("registry token").to_string(),
        "sub": who.subject(), "iss": ISSUER, "aud": ask.service, "rid": ask.scope.to_ascii_lowercase(),
        "nbf": world.now.as_second(), "iat": world.now.as_second(), "exp": expires,
        "tenant": world.config.tenant, "grant_type": "refresh_token", "version": "1.0",
    });
    entra::sign(world, &claims)
}

fn by_refresh_token(world: &World, ask: &Ask<'_>, token: &str) -> Option<Who> {
    let claims = own_token(world, ask, token, "refresh_token")?;
    match claims["sub"].as_str()? {
        "admin" => Some(Who::Admin),
        oid => world.entra.principals.contains_key(oid).then(|| Who::Principal(oid.to_owned())),
    }
}

/// The admin user, a refresh token behind the user name of zeros, or an application with its secret.
fn by_password(world: &World, ask: &Ask<'_>, user: &str, password: &str) -> Option<Who> {
    if user == TOKEN_USER {
        return by_refresh_token(world, ask, password);
    }
    if admin(world, ask.name, user, password) {
        return Some(Who::Admin);
    }
    let principal = entra::by_secret(world, user, password)?;
    let any = [Deed::Pull, Deed::Push, Deed::Delete]
        .iter()
        .any(|deed| may(world, &principal.object_id, *deed, &ask.scope));
    any.then(|| Who::Principal(principal.object_id.clone()))
}

fn anybody(world: &World, ask: &Ask<'_>) -> Option<Who> {
    let properties = super::resource(world, ask.name)?.properties();
    (properties["anonymousPullEnabled"] == true).then_some(Who::Anybody)
}

/// What of a scope (`repository:web:pull,push`, `registry:catalog:*`) somebody gets; `None`: nothing.
fn granted(world: &World, ask: &Ask<'_>, who: &Who, scope: &str) -> Option<Value> {
    let (kind, rest) = scope.split_once(':')?;
    let (name, actions) = rest.rsplit_once(':')?;
    let all = actions.split(',').any(|action| action == "*");
    let may = |deed| who.may(world, deed, &ask.scope);
    let granted: Vec<&str> = match (kind, name) {
        ("registry", "catalog") if *who != Who::Anybody && may(Deed::Pull) => vec!["*"],
        ("repository", _) => {
            let asked = |name: &str| all || actions.split(',').any(|action| action == name);
            [
                ("pull", Deed::Pull),
                ("push", Deed::Push),
                ("delete", Deed::Delete),
                ("metadata_read", Deed::ReadMetadata),
                ("metadata_write", Deed::WriteMetadata),
            ]
            .into_iter()
            .filter(|(name, deed)| asked(name) && may(*deed))
            .map(|(name, _)| name)
            .collect()
        }
        _ => Vec::new(),
    };
    (!granted.is_empty()).then(|| json!({"type": kind, "name": name, "actions": granted}))
}

fn has(actions: &Value, action: &str) -> bool {
    actions.as_array().is_some_and(|actions| actions.iter().any(|own| own == action || own == "*"))
}

fn expiry(world: &World, lifetime: SignedDuration) -> i64 {
    world.now.saturating_add(lifetime).unwrap_or(Timestamp::MAX).as_second()
}

fn form(ask: &Ask<'_>) -> Vec<(String, String)> {
    match &ask.request.body {
        Body::Bytes(bytes) => url::form_urlencoded::parse(bytes).into_owned().collect(),
        Body::Empty | Body::Stored(_) => Vec::new(),
    }
}

fn field<'a>(form: &'a [(String, String)], name: &str) -> Option<&'a str> {
    form.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
}

/// A token for another registry is not given.
fn check_service(ask: &Ask<'_>, form: &[(String, String)]) -> Result<(), Response> {
    let bare = |service: &str| service.split(':').next().unwrap_or_default().to_ascii_lowercase();
    match field(form, "service") {
        Some(service) if bare(service) != bare(&ask.service) => {
            let message = format!("the service {service} is not this registry");
            Err(refuse(400, "BAD_REQUEST", &message, Value::Null))
        }
        _ => Ok(()),
    }
}

fn basic(header: &str) -> Option<(String, String)> {
    let (scheme, text) = header.trim().split_once(' ')?;
    if !scheme.eq_ignore_ascii_case("basic") {
        return None;
    }
    let text = String::from_utf8(STANDARD.decode(text.trim()).ok()?).ok()?;
    let (user, password) = text.split_once(':')?;
    Some((user.to_owned(), password.to_owned()))
}

fn grant_refused(grant: &str) -> Response {
    refuse(400, "UNSUPPORTED", &format!("unsupported grant_type {grant:?}"), Value::Null)
}

/// 401 with the challenge that says where tokens come from and for what.
fn unauthorized(ask: &Ask<'_>, wanted: Option<(&str, &str, &str)>) -> Response {
    let service = &ask.service;
    let mut challenge = format!("Bearer realm=\"https://{service}/oauth2/token\",service=\"{service}\"");
    let mut detail = Value::Null;
    if let Some((kind, name, action)) = wanted {
        // A client that is to push asks for both at once.
        let actions = if action == "push" { "pull,push" } else { action };
        challenge.push_str(&format!(",scope=\"{kind}:{name}:{actions}\""));
        if ask.request.header("authorization").is_some() {
            challenge.push_str(",error=\"insufficient_scope\"");
        }
        detail = json!([{"Type": kind, "Name": name, "Action": action}]);
    }
    let message = "authentication required, visit https://aka.ms/acr/authorization for more information.";
    refuse(401, "UNAUTHORIZED", message, detail).with("www-authenticate", challenge)
}
