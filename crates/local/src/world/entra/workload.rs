//! The identity endpoint of deployed workloads: App Service's and Container Apps' `IDENTITY_ENDPOINT`, whose
//! `X-IDENTITY-HEADER` the front has checked.

use serde_json::json;

use super::endpoint::is_resource;
use super::{Principal, issue};
use crate::world::{Method, Request, Response, World};

/// Answers a workload; `workload` is its resource id in lower case.
pub(in crate::world) fn identity_endpoint(world: &mut World, workload: &str, request: &Request) -> Response {
    answer(world, workload, request).unwrap_or_else(|(status, message)| refused(request, status, &message))
}

/// A refusal as this endpoint words it.
pub(crate) fn refused(request: &Request, status: u16, message: &str) -> Response {
    let body = json!({"statusCode": status, "message": message, "correlationId": request.id});
    Response::json(status, &body).with("x-correlation-id", request.id.clone())
}

fn answer(world: &World, workload: &str, request: &Request) -> Result<Response, (u16, String)> {
    if request.method != Method::Get {
        return Err((405, "The identity endpoint takes GET requests only.".into()));
    }
    match request.query("api-version") {
        None | Some("") => return Err((400, "The query parameter 'api-version' is missing.".into())),
        Some(old) if old < "2019-08-01" => {
            return Err((400, format!("The api-version '{old}' is not supported.")));
        }
        Some(_) => {}
    }
    let Some(resource) = request.query("resource").filter(|resource| !resource.is_empty()) else {
        return Err((400, "The query parameter 'resource' is missing.".into()));
    };
    let principal = wanted(world, workload, request)
        .ok_or_else(|| (400, "Unable to load the proper Managed Identity.".to_owned()))?;
    if !is_resource(world, resource) {
        let message = format!(
            "AADSTS500011: The resource principal named {resource} was not found in the tenant named Local Azure. This \
             can happen if the application has not been installed by the administrator of the tenant or consented to \
             by any user in the tenant."
        );
        return Err((400, message));
    }
    let token = issue(world, principal, resource);
    let (now, expires) = (world.now.as_second(), token.expires_on.as_second());
    Ok(Response::json(
        200,
        &json!({
            "access_token": token.access_token,
            "client_id": principal.client_id,
            "expires_on": expires.to_string(),
            "expires_in": (expires - now).to_string(),
            "not_before": now.to_string(),
            "resource": resource,
            "token_type": "Bearer",
        }),
    ))
}

/// The identity that a request names by client id, object id or resource id; without a name the system-assigned one.
fn wanted<'a>(world: &'a World, workload: &str, request: &Request) -> Option<&'a Principal> {
    let workload = world.arm.find(workload)?;
    let system = world.entra.by_resource(&workload.id.to_string());
    let mut own = workload.body["identity"]["userAssignedIdentities"]
        .as_object()
        .into_iter()
        .flat_map(|map| map.keys())
        .filter_map(|id| world.entra.by_resource(id))
        .chain(system);
    let named = |names: &[&str]| names.iter().find_map(|name| request.query(name));
    if let Some(client) = named(&["client_id", "clientid"]) {
        return own.find(|it| it.client_id.eq_ignore_ascii_case(client));
    }
    if let Some(object) = named(&["principal_id", "object_id"]) {
        return own.find(|it| it.object_id.eq_ignore_ascii_case(object));
    }
    if let Some(id) = named(&["mi_res_id", "msi_res_id"]) {
        return own.find(|it| it.resource.as_deref().is_some_and(|known| known.eq_ignore_ascii_case(id)));
    }
    system
}
