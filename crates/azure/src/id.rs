//! Resource ids, compared as Azure compares them: without case.
//!
//! An id is a scope (nothing, a subscription or a resource group) followed by any number of resources, each
//! attached to what stands before it: `/subscriptions/S/resourceGroups/G/providers/Microsoft.KeyVault/vaults/V`
//! `/providers/Microsoft.Authorization/roleAssignments/R` is a role assignment *on* a vault. Azure itself writes
//! one id in several ways (`resourcegroups`, a double slash, a closing slash); all of them read as the same.

use serde::{Deserialize, Serialize};
use std::cmp::Ordering;
use std::fmt;
use std::hash::{Hash, Hasher};
use std::str::FromStr;

/// The id of a subscription, a resource group or a resource.
#[derive(Clone, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct ResourceId {
    subscription: Option<String>,
    group: Option<String>,
    resources: Vec<Attached>,
    text: String,
}

/// One `/providers/…` part: a resource with its parents of the same provider.
#[derive(Clone)]
struct Attached {
    namespace: String,
    /// Pairs of type and name, outermost first; never empty.
    levels: Vec<(String, String)>,
}

impl ResourceId {
    /// Reads an id.
    ///
    /// # Errors
    /// When the text is no id, with the reason.
    pub fn parse(text: &str) -> Result<ResourceId, ParseError> {
        let fail = |why| ParseError { text: text.to_string(), why };
        if !text.starts_with('/') {
            return Err(fail("it must begin with a slash"));
        }
        let parts: Vec<&str> = text.split('/').filter(|part| !part.is_empty()).collect();
        if parts.is_empty() {
            return Err(fail("it names nothing"));
        }
        for part in &parts {
            if matches!(*part, "." | "..") {
                return Err(fail("`.` and `..` are no names"));
            }
            if part.chars().any(|c| c.is_control() || matches!(c, '?' | '#' | '%' | '\\' | '&')) {
                return Err(fail("names hold none of ? # % \\ & and no control characters"));
            }
        }
        let mut rest = parts.as_slice();
        let mut subscription = None;
        let mut group = None;
        if let [word, tail @ ..] = rest
            && word.eq_ignore_ascii_case("subscriptions")
        {
            let [name, tail @ ..] = tail else { return Err(fail("the subscription has no id")) };
            subscription = Some((*name).to_string());
            rest = tail;
            if let [word, tail @ ..] = rest
                && word.eq_ignore_ascii_case("resourceGroups")
            {
                let [name, tail @ ..] = tail else { return Err(fail("the resource group has no name")) };
                group = Some((*name).to_string());
                rest = tail;
            }
        }
        let mut resources = Vec::new();
        while let [word, tail @ ..] = rest {
            if !word.eq_ignore_ascii_case("providers") {
                return Err(fail(if resources.is_empty() && subscription.is_none() {
                    "it must begin with /subscriptions or /providers"
                } else {
                    "here `/providers` must follow"
                }));
            }
            let [namespace, tail @ ..] = tail else {
                return Err(fail("`/providers` has no namespace after it"));
            };
            let mut levels = Vec::new();
            rest = tail;
            while let [kind, tail @ ..] = rest {
                if kind.eq_ignore_ascii_case("providers") && !levels.is_empty() {
                    break;
                }
                let [name, tail @ ..] = tail else { return Err(fail("the last type has no name after it")) };
                levels.push(((*kind).to_string(), (*name).to_string()));
                rest = tail;
            }
            if levels.is_empty() {
                return Err(fail("the namespace has no type after it"));
            }
            resources.push(Attached { namespace: (*namespace).to_string(), levels });
        }
        Ok(ResourceId::from_parts(subscription, group, resources))
    }

    /// The id of a subscription.
    ///
    /// # Errors
    /// When the name cannot stand in an id.
    pub fn of_subscription(subscription: &str) -> Result<ResourceId, ParseError> {
        ResourceId::parse(&format!("/subscriptions/{subscription}"))
    }

    /// The id of a resource group.
    ///
    /// # Errors
    /// When a name cannot stand in an id.
    pub fn of_group(subscription: &str, group: &str) -> Result<ResourceId, ParseError> {
        ResourceId::parse(&format!("/subscriptions/{subscription}/resourceGroups/{group}"))
    }

    fn from_parts(
        subscription: Option<String>,
        group: Option<String>,
        resources: Vec<Attached>,
    ) -> ResourceId {
        let mut text = String::new();
        if let Some(subscription) = &subscription {
            text.push_str("/subscriptions/");
            text.push_str(subscription);
        }
        if let Some(group) = &group {
            text.push_str("/resourceGroups/");
            text.push_str(group);
        }
        for resource in &resources {
            text.push_str("/providers/");
            text.push_str(&resource.namespace);
            for (kind, name) in &resource.levels {
                text.push('/');
                text.push_str(kind);
                text.push('/');
                text.push_str(name);
            }
        }
        ResourceId { subscription, group, resources, text }
    }

    /// The subscription's id, if the resource is in one.
    pub fn subscription(&self) -> Option<&str> {
        self.subscription.as_deref()
    }

    /// The resource group's name, if the resource is in one.
    pub fn resource_group(&self) -> Option<&str> {
        self.group.as_deref()
    }

    /// The resource provider: `Microsoft.KeyVault`; `Microsoft.Resources` for subscriptions and groups.
    pub fn namespace(&self) -> &str {
        self.resources.last().map_or("Microsoft.Resources", |resource| &resource.namespace)
    }

    /// The full type: `Microsoft.KeyVault/vaults/secrets`.
    pub fn resource_type(&self) -> String {
        match self.resources.last() {
            Some(resource) => {
                let mut text = resource.namespace.clone();
                for (kind, _) in &resource.levels {
                    text.push('/');
                    text.push_str(kind);
                }
                text
            }
            None if self.group.is_some() => "Microsoft.Resources/resourceGroups".into(),
            None => "Microsoft.Resources/subscriptions".into(),
        }
    }

    /// Whether the resource is of this type.
    pub fn is_a(&self, resource_type: &str) -> bool {
        self.resource_type().eq_ignore_ascii_case(resource_type)
    }

    /// The last name of the id.
    pub fn name(&self) -> &str {
        match self.resources.last() {
            Some(resource) => resource.levels.last().map_or("", |(_, name)| name),
            None => self.group.as_deref().or(self.subscription.as_deref()).unwrap_or_default(),
        }
    }

    /// The names of the type's levels, joined as templates write them: `vault/secret`.
    pub fn full_name(&self) -> String {
        match self.resources.last() {
            Some(resource) => {
                resource.levels.iter().map(|(_, name)| name.as_str()).collect::<Vec<_>>().join("/")
            }
            None => self.name().to_string(),
        }
    }

    /// What the resource is directly in or on: the parent resource, or else [`ResourceId::scope`].
    pub fn parent(&self) -> Option<ResourceId> {
        match self.resources.split_last() {
            Some((last, before)) if last.levels.len() > 1 => {
                let mut resources = before.to_vec();
                let levels = last.levels[..last.levels.len() - 1].to_vec();
                resources.push(Attached { namespace: last.namespace.clone(), levels });
                Some(ResourceId::from_parts(self.subscription.clone(), self.group.clone(), resources))
            }
            _ => self.scope(),
        }
    }

    /// What the resource and its parents are attached to: another resource, a group, or a subscription; none
    /// for a subscription and for what belongs to the tenant.
    pub fn scope(&self) -> Option<ResourceId> {
        match self.resources.split_last() {
            Some((_, before)) if before.is_empty() && self.subscription.is_none() => None,
            Some((_, before)) => {
                Some(ResourceId::from_parts(self.subscription.clone(), self.group.clone(), before.to_vec()))
            }
            None if self.group.is_some() => {
                Some(ResourceId::from_parts(self.subscription.clone(), None, Vec::new()))
            }
            None => None,
        }
    }

    /// Whether it is attached to another resource, as a role assignment on a vault is.
    pub fn is_extension(&self) -> bool {
        self.resources.len() > 1
    }

    /// Whether `other` is this one or lies below it. A role at a scope holds for all that it contains.
    pub fn contains(&self, other: &ResourceId) -> bool {
        let (outer, inner) = (self.key(), other.key());
        inner == outer || inner.strip_prefix(&outer).is_some_and(|rest| rest.starts_with('/'))
    }

    /// A resource one level below this one: `secrets`, `api-key` below a vault.
    ///
    /// # Errors
    /// When this is no resource, or a name cannot stand in an id.
    pub fn child(&self, kind: &str, name: &str) -> Result<ResourceId, ParseError> {
        if self.resources.is_empty() {
            let text = format!("{}/{kind}/{name}", self.text);
            return Err(ParseError {
                text,
                why: "only a resource has children; use `with` for a resource in a group",
            });
        }
        one_segment(kind)?;
        one_segment(name)?;
        ResourceId::parse(&format!("{}/{kind}/{name}", self.text))
    }

    /// A resource in this group or subscription, or one attached to this resource: the full type with a name
    /// for each of its levels (`Microsoft.KeyVault/vaults/secrets` and `vault/secret`).
    ///
    /// # Errors
    /// When type and name have different numbers of levels, or cannot stand in an id.
    pub fn with(&self, resource_type: &str, name: &str) -> Result<ResourceId, ParseError> {
        let fail = |why| ParseError { text: format!("{resource_type} {name}"), why };
        let Some((namespace, kinds)) = resource_type.split_once('/') else {
            return Err(fail("the type has no slash"));
        };
        let (kinds, names): (Vec<&str>, Vec<&str>) = (kinds.split('/').collect(), name.split('/').collect());
        if kinds.len() != names.len() {
            return Err(fail("type and name have different numbers of levels"));
        }
        one_segment(namespace)?;
        let mut text = format!("{}/providers/{namespace}", self.text);
        for (kind, name) in kinds.into_iter().zip(names) {
            one_segment(kind)?;
            one_segment(name)?;
            text.push('/');
            text.push_str(kind);
            text.push('/');
            text.push_str(name);
        }
        ResourceId::parse(&text)
    }

    /// The id in its usual writing: names as given, Azure's own words in their case, single slashes.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// The id in lower case, for use as a key.
    pub fn key(&self) -> String {
        self.text.to_ascii_lowercase()
    }
}

fn one_segment(text: &str) -> Result<(), ParseError> {
    if text.is_empty() || text.contains('/') || text.eq_ignore_ascii_case("providers") {
        return Err(ParseError { text: text.to_string(), why: "it must be a single name" });
    }
    Ok(())
}

/// Whether two ids mean the same, without reading them.
///
/// For what came from outside and may be no id at all: then it is compared as text, without case.
pub fn same(left: &str, right: &str) -> bool {
    match (ResourceId::parse(left), ResourceId::parse(right)) {
        (Ok(left), Ok(right)) => left == right,
        _ => left.eq_ignore_ascii_case(right),
    }
}

impl PartialEq for ResourceId {
    fn eq(&self, other: &Self) -> bool {
        self.text.eq_ignore_ascii_case(&other.text)
    }
}

impl Eq for ResourceId {}

impl Hash for ResourceId {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.key().hash(state);
    }
}

impl PartialOrd for ResourceId {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for ResourceId {
    fn cmp(&self, other: &Self) -> Ordering {
        self.key().cmp(&other.key())
    }
}

impl fmt::Display for ResourceId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl fmt::Debug for ResourceId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ResourceId({})", self.text)
    }
}

impl FromStr for ResourceId {
    type Err = ParseError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        ResourceId::parse(text)
    }
}

impl TryFrom<String> for ResourceId {
    type Error = ParseError;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        ResourceId::parse(&text)
    }
}

impl From<ResourceId> for String {
    fn from(id: ResourceId) -> String {
        id.text
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

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const VAULT: &str = "/subscriptions/s1/resourceGroups/rg/providers/Microsoft.KeyVault/vaults/kv";

    #[test]
    fn parts_of_a_child_resource() {
        let id = ResourceId::parse(&format!("{VAULT}/secrets/key")).unwrap();
        assert_eq!(id.subscription(), Some("s1"));
        assert_eq!(id.resource_group(), Some("rg"));
        assert_eq!(id.namespace(), "Microsoft.KeyVault");
        assert_eq!(id.resource_type(), "Microsoft.KeyVault/vaults/secrets");
        assert_eq!((id.name(), id.full_name().as_str()), ("key", "kv/key"));
        assert_eq!(id.parent().unwrap().as_str(), VAULT);
        assert_eq!(id.scope().unwrap().as_str(), "/subscriptions/s1/resourceGroups/rg");
        assert!(!id.is_extension());
    }

    #[test]
    fn an_extension_is_on_its_resource() {
        let vault = ResourceId::parse(VAULT).unwrap();
        let role = vault.with("Microsoft.Authorization/roleAssignments", "r1").unwrap();
        assert_eq!(role.as_str(), format!("{VAULT}/providers/Microsoft.Authorization/roleAssignments/r1"));
        assert_eq!(role.scope().unwrap(), vault);
        assert_eq!(role.parent().unwrap(), vault);
        assert!(role.is_extension());
        assert!(role.is_a("microsoft.authorization/ROLEASSIGNMENTS"));
    }

    #[test]
    fn scopes_above_resources() {
        let group = ResourceId::of_group("s1", "rg").unwrap();
        assert_eq!(group.resource_type(), "Microsoft.Resources/resourceGroups");
        assert_eq!(group.parent().unwrap(), ResourceId::of_subscription("s1").unwrap());
        assert_eq!(group.parent().unwrap().parent(), None);
        let tenant = ResourceId::parse("/providers/Microsoft.Management/managementGroups/mg").unwrap();
        assert_eq!((tenant.subscription(), tenant.scope()), (None, None));
        let role = ResourceId::parse(
            "/subscriptions/s1/providers/Microsoft.Authorization/roleDefinitions/7f951dda-4ed3-4680-a7ca-43fe172d538d",
        )
        .unwrap();
        assert_eq!(role.scope().unwrap(), ResourceId::of_subscription("s1").unwrap());
    }

    #[test]
    fn the_writings_that_azure_and_its_clients_use_are_one_id() {
        let id =
            ResourceId::parse("/subscriptions/s1/resourceGroups/rg/providers/Microsoft.App/containerApps/x")
                .unwrap();
        for other in [
            "/subscriptions/s1/resourcegroups/rg/providers/Microsoft.App//containerApps/x",
            "/SUBSCRIPTIONS/S1/RESOURCEGROUPS/RG/PROVIDERS/MICROSOFT.APP/CONTAINERAPPS/X/",
        ] {
            assert_eq!(ResourceId::parse(other).unwrap(), id, "{other}");
        }
        let lower = ResourceId::parse("/subscriptions/s1/resourcegroups/rg").unwrap();
        assert_eq!(lower.as_str(), "/subscriptions/s1/resourceGroups/rg");
        assert!(same("not an id", "NOT AN ID") && !same("a", "b"));
    }

    #[test]
    fn what_is_no_id_says_why() {
        for (text, why) in [
            ("", "begin with a slash"),
            ("subscriptions/s", "begin with a slash"),
            ("/", "names nothing"),
            ("/subscriptions", "no id"),
            ("/subscriptions/s/resourceGroups", "no name"),
            ("/subscriptions/s/vaults/v", "/providers"),
            ("/resourceGroups/g", "begin with /subscriptions or /providers"),
            ("/subscriptions/s/providers", "no namespace"),
            ("/subscriptions/s/providers/Microsoft.App", "no type"),
            ("/subscriptions/s/providers/Microsoft.App/containerApps", "no name"),
            ("/subscriptions/../providers/a/b/c", "`..`"),
            ("/subscriptions/s?x=1", "none of ?"),
        ] {
            let error = ResourceId::parse(text).unwrap_err().to_string();
            assert!(error.contains(why), "{text}: {error}");
        }
        let vault = ResourceId::parse(VAULT).unwrap();
        assert!(vault.child("secrets", "a/b").is_err());
        assert!(vault.scope().unwrap().child("secrets", "a").is_err());
        assert!(vault.with("Microsoft.X/a/b", "only-one").is_err());
    }

    #[test]
    fn containment_ends_at_whole_names() {
        let group = ResourceId::parse("/subscriptions/s1/resourceGroups/RG").unwrap();
        assert!(group.contains(&ResourceId::parse(VAULT).unwrap()));
        assert!(group.contains(&group));
        assert!(!group.contains(&ResourceId::parse("/subscriptions/s1/resourceGroups/rg2").unwrap()));
    }

    fn name() -> impl Strategy<Value = String> {
        "[A-Za-z][A-Za-z0-9_.()-]{0,20}".prop_filter("a keyword", |text| {
            !text.eq_ignore_ascii_case("providers") && !text.eq_ignore_ascii_case("resourceGroups")
        })
    }

    fn attached() -> impl Strategy<Value = (String, Vec<(String, String)>)> {
        (name(), proptest::collection::vec((name(), name()), 1..4))
    }

    proptest! {
        #[test]
        fn built_from_parts_and_read_back(
            subscription in name(),
            group in proptest::option::of(name()),
            resources in proptest::collection::vec(attached(), 0..4),
        ) {
            let mut id = match &group {
                Some(group) => ResourceId::of_group(&subscription, group).unwrap(),
                None => ResourceId::of_subscription(&subscription).unwrap(),
            };
            for (namespace, levels) in &resources {
                let before = id.clone();
                let kinds: Vec<_> = levels.iter().map(|(kind, _)| kind.as_str()).collect();
                let names: Vec<_> = levels.iter().map(|(_, name)| name.as_str()).collect();
                id = id.with(&format!("{namespace}/{}", kinds.join("/")), &names.join("/")).unwrap();
                prop_assert_eq!(id.scope().unwrap(), before.clone());
                prop_assert_eq!(id.full_name(), names.join("/"));
                prop_assert!(before.contains(&id) && !id.contains(&before));
            }
            let read = ResourceId::parse(id.as_str()).unwrap();
            prop_assert_eq!(read.as_str(), id.as_str());
            prop_assert_eq!(read.subscription(), Some(subscription.as_str()));
            prop_assert_eq!(read.resource_group(), group.as_deref());
            // Case, doubled slashes and a closing one change nothing.
            let sloppy = format!("{}/", id.as_str().to_ascii_uppercase().replace("/PROVIDERS/", "//providers/"));
            let sloppy = ResourceId::parse(&sloppy).unwrap();
            prop_assert_eq!(&sloppy, &id);
            prop_assert_eq!(sloppy.key(), id.key());
            // Climbing by parents ends, and each parent contains the id.
            let mut steps = 0;
            let mut at = Some(id.clone());
            while let Some(here) = at {
                prop_assert!(here.contains(&id));
                at = here.parent();
                steps += 1;
            }
            let levels: usize = resources.iter().map(|(_, levels)| levels.len()).sum();
            prop_assert_eq!(steps, levels + 1 + usize::from(group.is_some()));
        }

        #[test]
        fn reading_never_panics_and_what_is_read_is_read_again(text in "(/?[a-zA-Z?%./-]{0,12}){0,8}") {
            if let Ok(id) = ResourceId::parse(&text) {
                let again = ResourceId::parse(id.as_str()).unwrap();
                prop_assert_eq!(again.as_str(), id.as_str());
                let json = serde_json::to_string(&id).unwrap();
                prop_assert_eq!(serde_json::from_str::<ResourceId>(&json).unwrap(), id);
            }
        }
    }
}
