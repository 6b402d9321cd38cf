//! Resource ids, compared as Azure compares them: without case.

use std::fmt;

/// An ARM resource id.
#[derive(Clone, Debug)]
pub struct ResourceId {
    text: String,
}

impl ResourceId {
    /// Reads an id.
    ///
    /// # Errors
    /// When it is no id.
    pub fn parse(text: &str) -> Result<ResourceId, ParseError> {
        Ok(ResourceId { text: text.to_string() })
    }
    /// The subscription's id, if the resource is in one.
    pub fn subscription(&self) -> Option<&str> {
        None
    }
    /// The resource group's name, if the resource is in one.
    pub fn resource_group(&self) -> Option<&str> {
        None
    }
    /// The full type, as written: `Microsoft.KeyVault/vaults/secrets`.
    pub fn resource_type(&self) -> String {
        String::new()
    }
    /// The last name of the id.
    pub fn name(&self) -> &str {
        &self.text
    }
    /// The names of the type's levels joined with slashes: `vault/secret`.
    pub fn full_name(&self) -> String {
        String::new()
    }
    /// What the resource is in: its parent resource, its scope or its group.
    pub fn parent(&self) -> Option<ResourceId> {
        None
    }
    /// For an extension resource, what it is attached to; else the group or subscription it is in.
    pub fn scope(&self) -> Option<ResourceId> {
        None
    }
    /// A resource one level below this one.
    pub fn child(&self, kind: &str, name: &str) -> ResourceId {
        let _ = (kind, name);
        self.clone()
    }
    /// An extension resource on this one (or a resource in this group or subscription): `provider("Microsoft.Authorization/roleAssignments", name)`.
    pub fn provider(&self, resource_type: &str, name: &str) -> ResourceId {
        let _ = (resource_type, name);
        self.clone()
    }
    /// The id as it was written.
    pub fn as_str(&self) -> &str {
        &self.text
    }
    /// The id in lower case, for use as a key.
    pub fn key(&self) -> String {
        self.text.to_ascii_lowercase()
    }
}

impl fmt::Display for ResourceId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

/// Why a text is no resource id.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{text}` is no resource id: {why}")]
pub struct ParseError {
    /// What was read.
    pub text: String,
    /// What is wrong with it.
    pub why: &'static str,
}
