//! The name a resource has inside a blueprint.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// `kind.name`, such as `containerApp.web`, `vault.main` or `roleAssignment.web.registry`.
///
/// An address is what people read and type, and what ties a plan, a journal and a progress line to the
/// same resource. It never changes with the environment, the region or the subscription; names in Azure do.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Address(String);

impl Address {
    /// The address of the resource `name` of a kind, such as `containerApp`.
    pub fn new(kind: &str, name: &str) -> Address {
        Address(format!("{kind}.{name}"))
    }

    /// The whole address.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// What stands before the first dot: `containerApp`.
    pub fn kind(&self) -> &str {
        self.0.split_once('.').map_or(&*self.0, |(kind, _)| kind)
    }

    /// What stands after the first dot: `web`.
    pub fn name(&self) -> &str {
        self.0.split_once('.').map_or("", |(_, name)| name)
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

/// A text that is not `kind.name`.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not an address; one looks like `containerApp.web`")]
pub struct NotAnAddress(pub String);

impl FromStr for Address {
    type Err = NotAnAddress;

    fn from_str(text: &str) -> Result<Address, NotAnAddress> {
        match text.split_once('.') {
            Some((kind, name)) if !kind.is_empty() && !name.is_empty() => Ok(Address(text.to_owned())),
            _ => Err(NotAnAddress(text.to_owned())),
        }
    }
}

impl Serialize for Address {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.0)
    }
}

impl<'de> Deserialize<'de> for Address {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Address, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_has_two_parts() {
        let address: Address = "roleAssignment.web.registry".parse().unwrap();
        assert_eq!((address.kind(), address.name()), ("roleAssignment", "web.registry"));
        for wrong in ["", "web", ".web", "containerApp."] {
            assert!(wrong.parse::<Address>().is_err(), "{wrong:?}");
        }
    }
}
