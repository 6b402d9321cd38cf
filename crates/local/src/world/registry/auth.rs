//! Who may do what in a registry: an Entra token is exchanged for a refresh token, that for access tokens that each
//! name what they allow.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

use super::{Ask, refuse};
use crate::world::access::{Act, allows};
use crate::world::registry_account::Permit;
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
    /// See what was deleted and can come back.
    ReadDeleted,
    /// Let it come back.
    RestoreDeleted,
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
            Deed::ReadDeleted => "deleted_read",
            Deed::RestoreDeleted => "deleted_restore",
        }
    }

    /// The deed that a scope names so.
    fn named(name: &str) -> Option<Deed> {
        ALL_DEEDS.into_iter().find(|deed| deed.name() == name)
    }

    /// The action of a scope map.
    fn map_action(self) -> &'static str {
        match self {
            Deed::Pull => "content/read",
            Deed::Push => "content/write",
            Deed::Delete => "content/delete",
            Deed::ReadMetadata => "metadata/read",
            Deed::WriteMetadata => "metadata/write",
            // no scope map can hold these
            Deed::ReadDeleted => "deleted/read",
            Deed::RestoreDeleted => "deleted/restore",
        }
    }

    /// The action that a role must have.
    fn action(self) -> &'static str {
        match self {
            Deed::ReadDeleted => "Microsoft.ContainerRegistry/registries/deleted/read",
            Deed::RestoreDeleted => "Microsoft.ContainerRegistry/registries/deleted/restore/action",
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
            Deed::ReadDeleted => "Microsoft.ContainerRegistry/registries/deleted/read",
            Deed::RestoreDeleted => "Microsoft.ContainerRegistry/registries/deleted/restore/action",
        }
    }
}

const ALL_DEEDS: [Deed; 7] = [
    Deed::Pull,
    Deed::Push,
    Deed::Delete,
    Deed::ReadMetadata,
    Deed::WriteMetadata,
    Deed::ReadDeleted,
    Deed::RestoreDeleted,
];
/// What lets somebody in at all.
const ENTRY_DEEDS: [Deed; 4] = [Deed::Pull, Deed::Push, Deed::Delete, Deed::ReadMetadata];

/// Whether a principal may do something in the registry with this ARM id, by its roles now: by roles over the whole
/// registry, or, where the registry says so, by roles over repositories only.
pub(crate) fn may(world: &World, principal: &str, deed: Deed, scope: &str) -> bool {
    let act = match by_repositories(world, scope) {
        true => Act::Data(deed.data_action()),
        false => Act::Control(deed.action()),
    };
    allows(world, principal, act, scope)
}

/// Whether a registry takes the roles over repositories instead of those over the registry as a whole.
fn by_repositories(world: &World, scope: &str) -> bool {
    world
        .arm
        .find(&scope.to_ascii_lowercase())
        .is_some_and(|registry| registry.properties()["roleAssignmentMode"] == "AbacRepositoryPermissions")
}

/// Whether a principal may list the repositories of a registry.
fn may_list(world: &World, principal: &str, scope: &str) -> bool {
    const CATALOG: &str = "Microsoft.ContainerRegistry/registries/catalog/read";
    match by_repositories(world, scope) {
        true => allows(world, principal, Act::Data(CATALOG), scope),
        false => {
            may(world, principal, Deed::Pull, scope) || allows(world, principal, Act::Data(CATALOG), scope)
        }
    }
}

/// Whether user and password of any kind may pull from a repository.
pub(crate) fn may_with_password(
    world: &World,
    name: &str,
    user: &str,
    password: &str,
    repository: &str,
) -> bool {
    let Some(resource) = super::resource(world, name) else { return false };
    let scope = resource.id.to_string();
    let who = by_plain_password(world, name, &scope, user, password);
    who.is_some_and(|who| who.may(world, Deed::Pull, &scope, repository))
}

/// Who asks.
#[derive(Clone, Debug, PartialEq)]
enum Who {
    /// A principal of the tenant, by object id.
    Principal(String),
    /// The registry's admin user.
    Admin,
    /// A token of the registry, with what its scope map allows.
    Token(Permit),
    /// Somebody without credentials, where the registry lets anybody pull.
    Anybody,
}

impl Who {
    fn may(&self, world: &World, deed: Deed, scope: &str, repository: &str) -> bool {
        match self {
            Who::Principal(oid) => may(world, oid, deed, scope),
            Who::Admin => true,
            Who::Token(permit) => permit.allows(repository, deed.map_action()),
            Who::Anybody => matches!(deed, Deed::Pull | Deed::ReadMetadata),
        }
    }

    /// Whether they may list repositories.
    fn may_list(&self, world: &World, scope: &str) -> bool {
        match self {
            Who::Principal(oid) => may_list(world, oid, scope),
            Who::Admin => true,
            Who::Token(_) | Who::Anybody => false,
        }
    }

    /// Whether they may do anything here at all.
    fn may_enter(&self, world: &World, scope: &str) -> bool {
        match self {
            Who::Principal(oid) => {
                ENTRY_DEEDS.iter().any(|deed| may(world, oid, *deed, scope)) || may_list(world, oid, scope)
            }
            Who::Admin | Who::Token(_) | Who::Anybody => true,
        }
    }

    fn subject(&self) -> String {
        match self {
            Who::Principal(oid) => oid.clone(),
            Who::Admin => "admin".into(),
            Who::Token(permit) => format!("token:{}", permit.name),
            Who::Anybody => "anonymous".into(),
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
            by_entra(world, ask, field(&form, "access_token").unwrap_or_default())
        }
        _ => return Err(grant_refused(grant)),
    };
    // Somebody without any role here learns so now, as from Azure.
    let Some(who) = who.filter(|who| who.may_enter(world, &ask.scope)) else {
        return Err(unauthorized(ask, None));
    };
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
        // Microsoft's Python client asks so for whoever has no credentials
        (None, Some("password")) if field(&form, "username").is_none() => (anybody(world, ask), false),
        (None, Some("password")) => {
            let user = field(&form, "username").unwrap_or_default();
            let password = field(&form, "password").unwrap_or_default();
            (by_password(world, ask, user, password), true)
        }
        (None, Some("access_token")) => {
            (by_entra(world, ask, field(&form, "access_token").unwrap_or_default()), false)
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
        Some(Presented::Who(who)) => who.may(world, deed, &ask.scope, repository),
        None => false,
    }
}

/// Whether the request's credentials allow listing repositories (`catalog`), or deleted ones (`deleted_catalog`).
pub(super) fn check_catalog(world: &World, ask: &Ask<'_>, catalog: &str) -> Result<(), Response> {
    let allowed = match presented(world, ask) {
        Some(Presented::Token(access)) => {
            access.iter().any(|entry| entry["type"] == "registry" && entry["name"] == catalog)
        }
        Some(Presented::Who(who)) => lists(world, &who, &ask.scope, catalog),
        None => false,
    };
    if allowed { Ok(()) } else { Err(unauthorized(ask, Some(("registry", catalog, "*")))) }
}

fn lists(world: &World, who: &Who, scope: &str, catalog: &str) -> bool {
    match catalog {
        "catalog" => who.may_list(world, scope),
        "deleted_catalog" => who.may(world, Deed::ReadDeleted, scope, ""),
        _ => false,
    }
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

/// Whom an access token of Entra is about. The registry's policy may take only tokens that are for registries, and
/// none that are for Resource Manager.
fn by_entra(world: &World, ask: &Ask<'_>, token: &str) -> Option<Who> {
    let policy = super::resource(world, ask.name)?
        .text("/properties/policies/azureADAuthenticationAsArmPolicy/status");
    let audiences = match policy {
        "disabled" => vec![entra::REGISTRY_AUDIENCE.to_owned()],
        _ => entra::registry_audiences(&world.config),
    };
    entra::verify(world, token, &audiences).ok().map(|claims| Who::Principal(claims.oid))
}

fn by_refresh_token(world: &World, ask: &Ask<'_>, token: &str) -> Option<Who> {
    let claims = own_token(world, ask, token, "refresh_token")?;
    let subject = claims["sub"].as_str()?;
    match subject.strip_prefix("token:") {
        Some(name) => {
            registry_account::permit_of(world, super::resource(world, ask.name)?, name).map(Who::Token)
        }
        None if subject == "admin" => Some(Who::Admin),
        None => world.entra.principals.contains_key(subject).then(|| Who::Principal(subject.to_owned())),
    }
}

/// A refresh token behind the user name of zeros, or a user with a password.
fn by_password(world: &World, ask: &Ask<'_>, user: &str, password: &str) -> Option<Who> {
    if user == TOKEN_USER {
        return by_refresh_token(world, ask, password);
    }
    by_plain_password(world, ask.name, &ask.scope, user, password)
}

/// The admin user, a token of the registry, or an application with its secret.
fn by_plain_password(world: &World, name: &str, scope: &str, user: &str, password: &str) -> Option<Who> {
    if admin(world, name, user, password) {
        return Some(Who::Admin);
    }
    let resource = super::resource(world, name)?;
    if let Some(permit) = registry_account::permit(world, resource, user, password) {
        return Some(Who::Token(permit));
    }
    let principal = entra::by_secret(world, user, password)?;
    let who = Who::Principal(principal.object_id.clone());
    who.may_enter(world, scope).then_some(who)
}

fn anybody(world: &World, ask: &Ask<'_>) -> Option<Who> {
    let properties = super::resource(world, ask.name)?.properties();
    (properties["anonymousPullEnabled"] == true).then_some(Who::Anybody)
}

/// What of a scope (`repository:web:pull,push`, `registry:catalog:*`) somebody gets; `None`: nothing.
fn granted(world: &World, ask: &Ask<'_>, who: &Who, scope: &str) -> Option<Value> {
    let (kind, rest) = scope.split_once(':')?;
    let (name, actions) = rest.rsplit_once(':')?;
    let asked: Vec<&str> = actions.split(',').collect();
    let granted: Vec<&str> = match kind {
        "registry" if lists(world, who, &ask.scope, name) => vec!["*"],
        "repository" => {
            let may = |deed: &Deed| who.may(world, *deed, &ask.scope, name);
            let all = ALL_DEEDS.into_iter().filter(may).map(Deed::name);
            match asked.contains(&"*") {
                true => all.collect(),
                false => asked
                    .into_iter()
                    .filter(|name| Deed::named(name).is_some_and(|deed| may(&deed)))
                    .collect(),
            }
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
