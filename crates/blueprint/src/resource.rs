//! One ARM resource of a blueprint.

use crate::address::Address;
use crate::body::{Body, Lookup};
use crate::expression::Expression;

/// The type of a resource group, whose id has a form of its own.
pub const RESOURCE_GROUP: &str = "Microsoft.Resources/resourceGroups";
/// The type of a role assignment, which is an extension of the resource it is about.
pub const ROLE_ASSIGNMENT: &str = "Microsoft.Authorization/roleAssignments";
/// The type of a container app.
pub const CONTAINER_APP: &str = "Microsoft.App/containerApps";

/// One resource as it is wanted.
#[derive(Clone, Debug, PartialEq)]
pub struct Resource {
    /// Its name inside Landfall.
    pub address: Address,
    /// ARM type, `Microsoft.App/containerApps`.
    pub resource_type: &'static str,
    /// The newest stable API version that Azure's type data has for it.
    pub api_version: &'static str,
    /// Name in Azure; a child's is `parent/child`.
    pub name: String,
    /// The last part of the name, when only the deployment knows it; `name` then says in braces whose it is.
    pub named: Option<Expression>,
    /// The id it lies under: the subscription, the resource group, or for a role assignment its target.
    pub scope: String,
    /// Short region name; none for what has no place (role assignments, children).
    pub location: Option<String>,
    /// The whole body of the PUT but for name, type and API version; `location` and `tags` are in it.
    pub body: Body,
    /// The resource it lies in: its group, its parent, or the target of a role assignment.
    pub within: Option<Address>,
    /// Resources that have to be there first though no expression says so, such as the role by which an app
    /// pulls its image.
    pub after: Vec<Address>,
    /// Dotted path in the manifest of what asks for it: `service.web`, `resource.store`, `app`.
    pub from: String,
    /// Whether deleting it loses what cannot be made again from the manifest and the source.
    pub holds_data: bool,
}

impl Resource {
    /// Its ARM id.
    pub fn id(&self) -> String {
        id(&self.scope, self.resource_type, &self.name)
    }

    /// Its ARM id with the part of its name filled in that only a deployment knows; none while it is not known.
    pub fn id_with(&self, lookup: &dyn Lookup) -> Option<String> {
        let Some(named) = &self.named else { return Some(self.id()) };
        let value = lookup.value(named)?;
        let parent = self.name.rsplit_once('/').map_or("", |(parent, _)| parent);
        Some(id(&self.scope, self.resource_type, &format!("{parent}/{}", value.as_str()?)))
    }

    /// The resources that have to be there before this one, each once, sorted.
    pub fn depends_on(&self) -> Vec<Address> {
        let mut found: Vec<&Address> = self.within.iter().chain(&self.after).collect();
        self.body.addresses(&mut found);
        self.named.iter().for_each(|named| named.addresses(&mut found));
        let mut addresses: Vec<Address> =
            found.into_iter().filter(|a| **a != self.address).cloned().collect();
        addresses.sort();
        addresses.dedup();
        addresses
    }
}

/// The ARM id of a resource of a type under a scope; `name` is `parent/child` for a child.
pub fn id(scope: &str, resource_type: &str, name: &str) -> String {
    if resource_type == RESOURCE_GROUP {
        return format!("{scope}/resourceGroups/{name}");
    }
    let (namespace, types) = resource_type.split_once('/').unwrap_or((resource_type, ""));
    let mut id = format!("{scope}/providers/{namespace}");
    for (kind, part) in types.split('/').zip(name.split('/')) {
        id.push_str(&format!("/{kind}/{part}"));
    }
    id
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_have_azures_forms() {
        let group = id("/subscriptions/s", RESOURCE_GROUP, "rg-a");
        assert_eq!(group, "/subscriptions/s/resourceGroups/rg-a");
        let account = id(&group, "Microsoft.Storage/storageAccounts", "sta");
        assert_eq!(
            account,
            "/subscriptions/s/resourceGroups/rg-a/providers/Microsoft.Storage/storageAccounts/sta"
        );
        assert_eq!(
            id(&group, "Microsoft.Storage/storageAccounts/blobServices/containers", "sta/default/files"),
            format!("{account}/blobServices/default/containers/files")
        );
        assert_eq!(
            id(&account, ROLE_ASSIGNMENT, "0000"),
            format!("{account}/providers/Microsoft.Authorization/roleAssignments/0000")
        );
    }
}
