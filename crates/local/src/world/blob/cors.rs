//! Pages of other origins: what browsers ask beforehand, and what answers tell them.
//!
//! Source: `rest/api/storageservices/cross-origin-resource-sharing--cors--support-for-the-azure-storage-services`,
//! `preflight-blob-request`.

use serde_json::Value;

use super::refusal::{missing_header, refuse};
use super::resource;
use crate::world::{Request, Response, World, storage_account};

/// `Preflight Blob Request`: the first rule that fits decides.
pub(super) fn preflight(world: &World, account: &str, request: &Request) -> Response {
    let need = |name: &str| request.header(name).ok_or_else(|| missing_header(name));
    let asked = need("origin").and_then(|origin| Ok((origin, need("access-control-request-method")?)));
    let (origin, method) = match asked {
        Ok(asked) => asked,
        Err(refused) => return refused,
    };
    let headers: Vec<&str> = words(request.header("access-control-request-headers").unwrap_or_default());
    let fitting = rules(world, account).into_iter().find(|rule| {
        allows_origin(rule, origin)
            && list(rule, "allowedMethods").iter().any(|one| one.eq_ignore_ascii_case(method))
            && headers.iter().all(|header| list(rule, "allowedHeaders").iter().any(|one| covers(one, header)))
    });
    let Some(rule) = fitting else {
        return refuse(
            403,
            "CorsPreflightFailure",
            "CORS not enabled or no matching rule found for this request.",
        );
    };
    let mut response = Response::empty(200)
        .with("access-control-allow-origin", told_origin(&rule, origin))
        .with("access-control-allow-methods", method)
        .with("access-control-max-age", rule["maxAgeInSeconds"].to_string())
        .with("access-control-allow-credentials", "true");
    if !headers.is_empty() {
        response = response.with("access-control-allow-headers", headers.join(","));
    }
    response
}

/// What an answer to a page of another origin tells beside itself.
pub(super) fn describe(world: &World, account: &str, request: &Request, mut response: Response) -> Response {
    let Some(origin) = request.header("origin") else { return response };
    let method = format!("{:?}", request.method);
    let rules = rules(world, account);
    let fitting = rules.iter().find(|rule| {
        allows_origin(rule, origin)
            && list(rule, "allowedMethods").iter().any(|one| one.eq_ignore_ascii_case(&method))
    });
    // Caches must keep answers to different origins apart when any rule is for some only.
    if rules.iter().any(|rule| list(rule, "allowedOrigins").iter().any(|one| one != "*")) {
        response = response.with("vary", "Origin");
    }
    let Some(rule) = fitting else { return response };
    let exposed: Vec<String> = list(rule, "exposedHeaders")
        .iter()
        .flat_map(|pattern| {
            let told = response.headers.iter().map(|(name, _)| name.clone());
            let matched: Vec<String> = told.filter(|name| covers(pattern, name)).collect();
            if pattern.ends_with('*') { matched } else { vec![pattern.clone()] }
        })
        .collect();
    if !exposed.is_empty() {
        response = response.with("access-control-expose-headers", exposed.join(","));
    }
    response
        .with("access-control-allow-origin", told_origin(rule, origin))
        .with("access-control-allow-credentials", "true")
}

fn rules(world: &World, account: &str) -> Vec<Value> {
    let service = resource(world, account).and_then(|account| storage_account::blob_service(world, account));
    service.and_then(|it| it["cors"]["corsRules"].as_array()).cloned().unwrap_or_default()
}

fn list(rule: &Value, name: &str) -> Vec<String> {
    rule[name].as_array().into_iter().flatten().filter_map(Value::as_str).map(str::to_owned).collect()
}

fn allows_origin(rule: &Value, origin: &str) -> bool {
    list(rule, "allowedOrigins").iter().any(|allowed| match allowed.split_once("*.") {
        // `https://*.contoso.com` is every name below it.
        Some((scheme, parent)) => {
            let rest = origin.strip_prefix(scheme).and_then(|host| host.strip_suffix(parent));
            rest.is_some_and(|label| label.len() > 1 && label.ends_with('.'))
        }
        None => allowed == "*" || allowed == origin,
    })
}

fn told_origin(rule: &Value, origin: &str) -> String {
    if list(rule, "allowedOrigins").iter().any(|one| one == "*") { "*".into() } else { origin.to_owned() }
}

/// A header, or a prefix of some with `*` behind it.
fn covers(pattern: &str, header: &str) -> bool {
    match pattern.strip_suffix('*') {
        Some(prefix) => header.to_ascii_lowercase().starts_with(&prefix.to_ascii_lowercase()),
        None => pattern.eq_ignore_ascii_case(header),
    }
}

fn words(text: &str) -> Vec<&str> {
    text.split(',').map(str::trim).filter(|word| !word.is_empty()).collect()
}
