//! What is known only at deployment.

use serde::{Deserialize, Serialize};

use crate::address::Address;
use crate::body::Body;

/// A place in a body that is filled in while deploying.
///
/// An expression says two things: where its value comes from, and that the resource it names has to be there
/// first.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "camelCase")]
pub enum Expression {
    /// The ARM id of a resource. Known from the start; an expression because it is a dependency.
    Id {
        /// The resource meant.
        of: Address,
    },
    /// A property of a deployed resource, as `GET` gives it.
    Property {
        /// The resource read.
        of: Address,
        /// Dotted path from the top of the answer: `properties.principalId`.
        path: String,
    },
    /// A key that the resource's `listKeys` (a workspace: `sharedKeys`) action answers with. Secret.
    ListKeys {
        /// The resource asked.
        of: Address,
        /// Dotted path in the answer: `primarySharedKey`.
        path: String,
    },
    /// The image of a service that is built from source, `registry/repository@sha256:…`.
    Image {
        /// The service's name in the manifest.
        service: String,
    },
    /// The versioned address of a secret, pinned when planning, so that a new value is a new revision.
    SecretUri {
        /// The vault that keeps it.
        vault: Address,
        /// The secret's name in the vault.
        secret: String,
    },
    /// The value of a secret, read when it is sent, for what cannot be given an address of it. Secret.
    SecretValue {
        /// The vault that keeps it.
        vault: Address,
        /// The secret's name in the vault.
        secret: String,
    },
    /// The suffix of the revision that this template makes; see `landfall_plan::revision`.
    RevisionSuffix {
        /// The service's name in the manifest.
        service: String,
    },
    /// The Entra tenant of the subscription, a GUID.
    Tenant,
    /// Texts and expressions one after the other.
    Concat {
        /// The pieces; strings and expressions only.
        of: Vec<Body>,
    },
}

/// Texts and expressions one after the other; a plain text when all of them are.
pub fn concat<const N: usize>(pieces: [Body; N]) -> Body {
    let mut joined: Vec<Body> = Vec::new();
    for piece in pieces {
        match (joined.last_mut(), piece) {
            (Some(Body::String(before)), Body::String(text)) => before.push_str(&text),
            (_, Body::Expression(Expression::Concat { of })) => joined.extend(of),
            (_, piece) => joined.push(piece),
        }
    }
    match joined.len() {
        0 => "".into(),
        1 => joined.remove(0),
        _ => Expression::Concat { of: joined }.into(),
    }
}

impl Expression {
    /// The id of a resource.
    pub fn id(of: &Address) -> Expression {
        Expression::Id { of: of.clone() }
    }

    /// A property of a deployed resource, by its dotted path from the top (`properties.loginServer`).
    pub fn property(of: &Address, path: &str) -> Expression {
        Expression::Property { of: of.clone(), path: path.to_owned() }
    }

    /// A key of a deployed resource, by its dotted path in the answer of `listKeys`.
    pub fn list_keys(of: &Address, path: &str) -> Expression {
        Expression::ListKeys { of: of.clone(), path: path.to_owned() }
    }

    /// Whether the value is a secret: it may be sent, never shown, logged or kept.
    pub fn is_secret(&self) -> bool {
        match self {
            Expression::ListKeys { .. } | Expression::SecretValue { .. } => true,
            Expression::Concat { of } => of.iter().any(Body::is_secret),
            _ => false,
        }
    }

    /// The resources this names, in the order of reading.
    pub fn addresses<'a>(&'a self, found: &mut Vec<&'a Address>) {
        match self {
            Expression::Id { of } | Expression::Property { of, .. } | Expression::ListKeys { of, .. } => {
                found.push(of);
            }
            Expression::SecretUri { vault, .. } | Expression::SecretValue { vault, .. } => found.push(vault),
            Expression::Concat { of } => of.iter().for_each(|piece| piece.addresses(found)),
            Expression::Image { .. } | Expression::RevisionSuffix { .. } | Expression::Tenant => {}
        }
    }
}
