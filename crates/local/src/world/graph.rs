//! The look-ups of Microsoft Graph that tools cannot do without: which principal has a client id, and what a principal
//! that is known by object id is. There is no more of it: no users, no groups, nobody signed in, nothing to create.

use serde_json::{Value, json};

use super::entra::{self, Principal};
use super::{Body, Method, Request, Response, World};

/// Answers a look-up; `None` for whatever else Graph would be asked.
pub(super) fn look_up(world: &World, request: &Request) -> Option<Response> {
    let segments: Vec<&str> = request.path.split('/').filter(|segment| !segment.is_empty()).collect();
    let [graph, _version, rest @ ..] = segments.as_slice() else { return None };
    if !graph.eq_ignore_ascii_case("graph") {
        return None;
    }
    let found = match (request.method, rest) {
        (Method::Get, [kind]) if kind.eq_ignore_ascii_case("servicePrincipals") => {
            let wanted = client_id(request.query("$filter")?)?;
            world.entra.by_client(wanted).into_iter().collect()
        }
        (Method::Get, [kind, id]) if kind.eq_ignore_ascii_case("servicePrincipals") => {
            let Some(principal) = world.entra.principals.get(&id.to_ascii_lowercase()) else {
                return Some(signed_in(world, request).err().unwrap_or_else(|| missing(id)));
            };
            return Some(
                signed_in(world, request).map_or_else(|no| no, |()| Response::json(200, &show(principal))),
            );
        }
        (Method::Post, [kind, verb])
            if kind.eq_ignore_ascii_case("directoryObjects") && verb.eq_ignore_ascii_case("getByIds") =>
        {
            let Body::Bytes(body) = &request.body else { return None };
            let body: Value = serde_json::from_slice(body).ok()?;
            let ids = body["ids"].as_array()?;
            ids.iter()
                .filter_map(|id| world.entra.principals.get(&id.as_str()?.to_ascii_lowercase()))
                .collect::<Vec<_>>()
        }
        _ => return None,
    };
    if let Err(refused) = signed_in(world, request) {
        return Some(refused);
    }
    let value: Vec<Value> = found.into_iter().map(show).collect();
    Some(Response::json(200, &json!({"value": value})))
}

/// The client id in `servicePrincipalNames/any(c:c eq 'ID')` or `appId eq 'ID'`: the filters that can be answered.
fn client_id(filter: &str) -> Option<&str> {
    let (path, quoted) = filter.split_once(" eq '")?;
    let known =
        ["servicePrincipalNames/any(c:c", "appId"].iter().any(|it| path.trim().eq_ignore_ascii_case(it));
    let value = quoted.trim_end_matches(')').strip_suffix('\'')?;
    known.then_some(value)
}

/// A token of this tenant, for whichever of Graph's names.
fn signed_in(world: &World, request: &Request) -> Result<(), Response> {
    let token = request.header("authorization").and_then(entra::bearer_of);
    let origin = world.config.origin();
    let audiences: Vec<String> =
        [format!("{origin}/graph/"), format!("{origin}/graph"), "https://graph.microsoft.com".into()].into();
    match token.map(|token| entra::verify(world, token, &audiences)) {
        Some(Ok(_)) => Ok(()),
        _ => Err(Response::json(
            401,
            &json!({"error": {"code": "InvalidAuthenticationToken", "message": "Access token is missing or invalid."}}),
        )),
    }
}

fn missing(id: &str) -> Response {
    Response::json(
        404,
        &json!({"error": {"code": "Request_ResourceNotFound",
                          "message": format!("Resource '{id}' does not exist or one of its queried reference-property \
                                              objects are not present.")}}),
    )
}

fn show(principal: &Principal) -> Value {
    let kind = if principal.resource.is_some() { "ManagedIdentity" } else { "Application" };
    json!({
        "@odata.type": "#microsoft.graph.servicePrincipal",
        "id": principal.object_id, "appId": principal.client_id, "displayName": principal.name,
        "servicePrincipalType": kind, "servicePrincipalNames": [principal.client_id],
        "alternativeNames": principal.resource.iter().collect::<Vec<_>>(),
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use crate::world::testing::Lab;
    use crate::world::{Method, Plane};

    #[test]
    fn a_principal_is_found_by_its_client_id_and_nothing_else_is() {
        let mut lab = Lab::new(0.0);
        let client = lab.world.config.client_id.clone();
        let token = lab.token(None, "https://localhost:8443/graph/");
        let mut ask = |method, path: &str, token: Option<&str>, body: Option<serde_json::Value>| {
            let headers: Vec<(String, String)> = token
                .map(|token| ("authorization".to_owned(), format!("Bearer {token}")))
                .into_iter()
                .collect();
            let body = body.map(|body| body.to_string().into_bytes());
            lab.raw(Plane::Arm, "https://localhost:8443", method, path, &headers, body)
        };
        let by_name =
            format!("/graph/v1.0/servicePrincipals?$filter=servicePrincipalNames/any(c:c%20eq%20'{client}')");
        let found = ask(Method::Get, &by_name, Some(&token), None).ok(200).json["value"][0].clone();
        assert_eq!(found["appId"], client);
        let id = found["id"].as_str().unwrap();
        let ids = json!({"ids": [id, "00000000-0000-0000-0000-000000000000"]});
        let listed =
            ask(Method::Post, "/graph/v1.0/directoryObjects/getByIds", Some(&token), Some(ids)).ok(200).json;
        assert_eq!(listed["value"].as_array().unwrap().len(), 1);
        ask(Method::Get, &format!("/graph/v1.0/servicePrincipals/{id}"), Some(&token), None).ok(200);
        ask(Method::Get, "/graph/v1.0/servicePrincipals/x", Some(&token), None)
            .refused(404, "Request_ResourceNotFound");
        ask(Method::Get, &by_name, None, None).refused(401, "InvalidAuthenticationToken");
        for other in ["me", "users", "servicePrincipals", "applications"] {
            ask(Method::Get, &format!("/graph/v1.0/{other}"), Some(&token), None)
                .refused(501, "NotModelledLocally");
        }
    }
}
