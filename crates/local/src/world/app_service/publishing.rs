//! Credentials and profiles of deployment tools.

use serde_json::json;

use super::Answer;
use crate::world::arm::gate::object;
use crate::world::arm::id::Id;
use crate::world::arm::kind::Call;
use crate::world::arm::refusal::Refusal;
use crate::world::arm::{locks, put};
use crate::world::checks::{key, text};
use crate::world::{Body, Method, Response, World};

/// The user of a site's or slot's own credentials.
fn user(id: &Id) -> String {
    format!("${}", id.full_name().replace('/', "__"))
}

/// Makes a site's password, for the first time or anew.
pub(super) fn renew(world: &mut World, id: &Id) {
    let password = key(world, &format!("publishing {}", id.key()), 45);
    if let Some(found) = world.arm.find_mut(&id.key()) {
        put(&mut found.private, "publishing", json!(password));
    }
}

/// `config/publishingcredentials/list`.
pub(super) fn credentials(world: &World, id: &Id) -> Option<Response> {
    let found = world.arm.find(&id.key())?;
    let user = user(id);
    let password = text(&found.private, "publishing");
    let host = text(found.properties(), "defaultHostName").replacen('.', ".scm.", 1);
    Some(Response::json(
        200,
        &json!({"id": format!("{id}/publishingcredentials/{user}"), "name": id.name(),
                "type": format!("{}/publishingcredentials", id.kind()), "location": found.location(),
                "properties": {"name": null, "publishingUserName": user, "publishingPassword": password,
                               "scmUri": format!("https://{user}:{password}@{host}"), "isDeleted": false}}),
    ))
}

/// `publishxml`: the profiles that deployment tools read, as XML.
pub(super) fn publish_profile(world: &World, id: &Id) -> Option<Answer> {
    let found = world.arm.find(&id.key())?;
    let user = user(id);
    let password = text(&found.private, "publishing");
    let host = text(found.properties(), "defaultHostName");
    let scm = host.replacen('.', ".scm.", 1);
    let name = id.full_name().replace('/', "-");
    let profile = |kind: &str, method: &str, url: &str| {
        format!(
            "<publishProfile profileName=\"{name} - {kind}\" publishMethod=\"{method}\" publishUrl=\"{url}\" \
             msdeploySite=\"{name}\" userName=\"{user}\" userPWD=\"{password}\" \
             destinationAppUrl=\"http://{host}\" SQLServerDBConnectionString=\"\" hostingProviderForumLink=\"\" \
             controlPanelLink=\"https://portal.azure.com\" webSystem=\"WebSites\"><databases /></publishProfile>"
        )
    };
    let whole = format!(
        "<publishData>{}{}{}</publishData>",
        profile("Web Deploy", "MSDeploy", &format!("{scm}:443")),
        profile("FTP", "FTP", &format!("ftps://{scm}/site/wwwroot")),
        profile("Zip Deploy", "ZipDeploy", &format!("{scm}:443")),
    );
    let mut response = Response::empty(200).with("content-type", "application/xml");
    response.body = Body::Bytes(whole.into_bytes());
    Some(Ok(response))
}

/// `basicPublishingCredentialsPolicies[/ftp|/scm]`.
pub(super) fn policies(world: &mut World, call: &Call) -> Answer {
    let show = |world: &World, name: &str| {
        let allow =
            world.arm.find(&call.id.key()).is_none_or(|found| found.private["policies"][name] != false);
        json!({"id": format!("{}/basicPublishingCredentialsPolicies/{name}", call.id), "name": name,
               "type": format!("{}/basicPublishingCredentialsPolicies", call.id.kind()),
               "properties": {"allow": allow}})
    };
    match (call.request.method, call.rest.get(1)) {
        (Method::Get, None) => {
            Ok(Response::json(200, &json!({"value": [show(world, "ftp"), show(world, "scm")]})))
        }
        (_, Some(name)) if !["ftp", "scm"].iter().any(|known| known.eq_ignore_ascii_case(name)) => {
            Err(super::missing("BasicPublishingCredentialsPolicy", name))
        }
        (Method::Get, Some(name)) => Ok(Response::json(200, &show(world, name))),
        (Method::Put, Some(name)) => {
            locks::permit(world, &call.id, false)?;
            let allow = object(&call.body)?["properties"]["allow"] != false;
            if let Some(found) = world.arm.find_mut(&call.id.key()) {
                put(&mut found.private, &format!("policies.{name}"), json!(allow));
            }
            Ok(Response::json(200, &show(world, name)))
        }
        _ => Err(Refusal::new(405, "MethodNotAllowed", "The policies take GET and PUT.")),
    }
}
