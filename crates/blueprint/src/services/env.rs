//! What a service finds in its environment, whatever it runs on.

use landfall_manifest::host::Dapr;
use landfall_manifest::{ContainerApps, Host, Piece, Reference, Service, Template};

use crate::body::{Body, Object};
use crate::codes;
use crate::expression::{self, Expression};
use crate::services::{Draft, dapr_component, host, identity, insights};

/// The plain variables: first what Landfall sets, then the user's, which win. Those whose values are secrets are for
/// the host to refer to, and not among them.
pub(super) fn plain(draft: &mut Draft<'_>, name: &str, service: &Service) -> Object {
    let mut values = Object::new();
    if let Some(port) = service.port {
        values.insert("PORT", port.to_string());
    }
    values.insert("AZURE_CLIENT_ID", identity::client_id(name));
    if let Host::ContainerApps(ContainerApps { dapr: Some(Dapr { state: Some(resource), .. }), .. }) =
        &service.host
    {
        values.insert("DAPR_STATE_STORE", dapr_component::store(name, resource));
    }
    for (variable, value) in insights::variables(draft, name).iter() {
        values.insert(variable, value.clone());
    }
    for resource in service.uses.keys() {
        for (variable, value) in connection(draft, name, resource) {
            values.insert(variable, value);
        }
    }
    for (variable, template) in &service.env {
        values.insert(variable.as_str(), filled(draft, name, template));
    }
    for variable in service.secrets.keys() {
        values.remove(variable);
    }
    values
}

/// The variables by which a service finds a resource it uses: `STORE_ENDPOINT` for `[resource.store]`.
fn connection(draft: &Draft<'_>, service: &str, resource: &str) -> Vec<(String, Body)> {
    let prefix = resource.to_uppercase().replace('-', "_");
    let Some(offer) = draft.offer(resource) else { return Vec::new() };
    let user = offer.user.map(|user| ("USER", user(draft, service, resource)));
    let variables = (offer.connection)(draft, resource).into_iter().chain(user);
    variables.map(|(suffix, value)| (format!("{prefix}_{suffix}"), value)).collect()
}

/// A template with its references filled in, as far as anything is known.
pub(super) fn filled(draft: &mut Draft<'_>, service: &str, template: &Template) -> Body {
    let mut whole = Body::from("");
    for piece in &template.0 {
        let piece = match piece {
            Piece::Text(text) => Body::from(text.as_str()),
            Piece::Reference(reference) => match referred(draft, reference) {
                Some(value) => value,
                None => {
                    draft.problem(
                        codes::REFERS_TO_NOTHING,
                        format!("service.{service}.env"),
                        format!("`{reference}` refers to nothing"),
                        None,
                    );
                    continue;
                }
            },
        };
        whole = match whole {
            Body::String(text) if text.is_empty() => piece,
            Body::Expression(Expression::Concat { of: mut pieces }) => {
                // Neighbouring texts become one, so that the same value is written in one way.
                match (pieces.last_mut(), piece) {
                    (Some(Body::String(before)), Body::String(text)) => before.push_str(&text),
                    (_, Body::Expression(Expression::Concat { of })) => pieces.extend(of),
                    (_, piece) => pieces.push(piece),
                }
                Expression::Concat { of: pieces }.into()
            }
            before => expression::concat([before, piece]),
        };
    }
    whole
}

fn referred(draft: &Draft<'_>, reference: &Reference) -> Option<Body> {
    match reference {
        Reference::App => Some(draft.app.name.as_str().into()),
        Reference::Environment => Some(draft.app.environment.as_str().into()),
        Reference::Region => Some(draft.region.name.into()),
        Reference::ServiceUrl { service } => host::url(draft, service),
        Reference::ResourceAttribute { resource, attribute } => {
            let offer = draft.offer(resource)?;
            let address = (offer.address)(resource);
            match attribute.as_str() {
                "name" => Some(draft.earlier(&address).name.as_str().into()),
                "id" => Some(Expression::id(&address).into()),
                "region" => Some(draft.resource_region(resource).into()),
                attribute => (offer.attribute)(draft, resource, attribute),
            }
        }
    }
}
