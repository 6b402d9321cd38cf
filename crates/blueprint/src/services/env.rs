//! What a service finds in its environment, whatever it runs on.

use landfall_manifest::{Piece, Reference, Service, Template};

use crate::body::{Body, Object};
use crate::codes;
use crate::expression::Expression;
use crate::services::{Draft, container_app, identity};

/// The plain variables: first what Landfall sets, then the user's, which win. Those whose values are secrets are for
/// the host to refer to, and not among them.
pub(super) fn plain(draft: &mut Draft<'_>, name: &str, service: &Service) -> Object {
    let mut values = Object::new();
    if let Some(port) = service.port {
        values.insert("PORT", port.to_string());
    }
    values.insert("AZURE_CLIENT_ID", identity::client_id(name));
    for resource in service.uses.keys() {
        for (variable, value) in connection(draft, resource) {
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
fn connection(draft: &Draft<'_>, resource: &str) -> Vec<(String, Body)> {
    let prefix = resource.to_uppercase().replace('-', "_");
    let Some(offer) = draft.offer(resource) else { return Vec::new() };
    let variables = (offer.connection)(draft, resource).into_iter();
    variables.map(|(suffix, value)| (format!("{prefix}_{suffix}"), value)).collect()
}

/// A template with its references filled in, as far as anything is known.
fn filled(draft: &mut Draft<'_>, service: &str, template: &Template) -> Body {
    let mut pieces: Vec<Body> = Vec::new();
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
        // Neighbouring texts become one, so that a template without expressions is a plain string.
        match (pieces.last_mut(), piece) {
            (Some(Body::String(before)), Body::String(text)) => before.push_str(&text),
            (_, Body::Expression(Expression::Concat { of })) => pieces.extend(of),
            (_, piece) => pieces.push(piece),
        }
    }
    match pieces.len() {
        0 => "".into(),
        1 => pieces.remove(0),
        _ => Expression::Concat { of: pieces }.into(),
    }
}

fn referred(draft: &Draft<'_>, reference: &Reference) -> Option<Body> {
    match reference {
        Reference::App => Some(draft.app.name.as_str().into()),
        Reference::Environment => Some(draft.app.environment.as_str().into()),
        Reference::Region => Some(draft.region.name.into()),
        Reference::ServiceUrl { service } => container_app::url(draft, service),
        Reference::ResourceAttribute { resource, attribute } => {
            let offer = draft.offer(resource)?;
            let address = (offer.address)(resource);
            match attribute.as_str() {
                "name" => Some(draft.earlier(&address).name.as_str().into()),
                "id" => Some(Expression::id(&address).into()),
                "region" => Some(draft.region.name.into()),
                attribute => (offer.attribute)(draft, resource, attribute),
            }
        }
    }
}
