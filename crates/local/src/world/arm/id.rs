//! Resource ids and the paths that lead to them: compared without case, kept as created, read sloppily.

use serde::{Deserialize, Serialize};

/// One `providers/NAMESPACE/type/name/type/name` stretch of an id.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Stretch {
    /// `Microsoft.App`.
    pub namespace: String,
    /// `(type, name)`, outermost first; never empty.
    pub parts: Vec<(String, String)>,
}

/// A resource's (or group's, or subscription's) id, spelled as it was given.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Id {
    /// Subscription, unless at tenant scope.
    pub subscription: Option<String>,
    /// Resource group.
    pub group: Option<String>,
    /// Provider stretches; the last is the resource itself, earlier ones what it extends.
    pub stretches: Vec<Stretch>,
}

impl Id {
    /// The subscription's own id.
    pub fn subscription(subscription: &str) -> Id {
        Id { subscription: Some(subscription.into()), ..Id::default() }
    }

    /// A whole id; `None` when it is not one.
    pub fn parse(text: &str) -> Option<Id> {
        let path = Path::parse(text);
        (path.rest.is_empty() && text.starts_with('/')).then_some(path.id)
    }

    /// The id in lower case: what resources are found by.
    pub fn key(&self) -> String {
        self.to_string().to_ascii_lowercase()
    }

    /// `Microsoft.App/containerApps`, children as `…/registries/replications`. Groups and subscriptions are
    /// types of `Microsoft.Resources`; the tenant is empty.
    pub fn kind(&self) -> String {
        match (self.stretches.last(), &self.group, &self.subscription) {
            (Some(last), _, _) => {
                let mut kind = last.namespace.clone();
                for (part, _) in &last.parts {
                    kind.push('/');
                    kind.push_str(part);
                }
                kind
            }
            (None, Some(_), _) => "Microsoft.Resources/resourceGroups".into(),
            (None, None, Some(_)) => "Microsoft.Resources/subscriptions".into(),
            (None, None, None) => String::new(),
        }
    }

    /// The namespace of its type; empty at tenant scope.
    pub fn namespace(&self) -> &str {
        match self.stretches.last() {
            Some(last) => &last.namespace,
            None if self.subscription.is_some() => "Microsoft.Resources",
            None => "",
        }
    }

    /// The last name.
    pub fn name(&self) -> &str {
        match self.stretches.last() {
            Some(last) => last.parts.last().map_or("", |(_, name)| name),
            None => self.group.as_deref().or(self.subscription.as_deref()).unwrap_or_default(),
        }
    }

    /// The resource one level up of the same provider: `…/registries/r` of `…/registries/r/replications/x`.
    pub fn parent(&self) -> Option<Id> {
        let mut id = self.clone();
        let last = id.stretches.last_mut()?;
        if last.parts.len() < 2 {
            return None;
        }
        last.parts.pop();
        Some(id)
    }

    /// What an extension resource (role assignment, lock, diagnostic setting) extends, or the group or
    /// subscription a resource is in.
    pub fn scope(&self) -> Id {
        let mut id = self.clone();
        if id.stretches.pop().is_none() && id.group.take().is_none() {
            id.subscription = None;
        }
        id
    }

    /// Every id that contains this one, itself first, the tenant last: where roles and locks are inherited from.
    pub fn ancestors(&self) -> Vec<Id> {
        let mut chain = vec![self.clone()];
        loop {
            let last = chain.last().expect("it starts with one");
            let next = match last.parent() {
                Some(parent) => parent,
                None => last.scope(),
            };
            if *last == next {
                return chain;
            }
            chain.push(next);
        }
    }

    /// `resourceGroups/G`'s id, for anything in one.
    pub fn group_id(&self) -> Option<Id> {
        self.group.as_ref()?;
        Some(Id { stretches: Vec::new(), ..self.clone() })
    }

    /// The id of a child.
    pub fn child(&self, kind: &str, name: &str) -> Id {
        let mut id = self.clone();
        if let Some(last) = id.stretches.last_mut() {
            last.parts.push((kind.into(), name.into()));
        }
        id
    }

    /// The id of a resource of `kind` (`Microsoft.X/y`) below this group, subscription or extended resource.
    pub fn provider(&self, kind: &str, name: &str) -> Id {
        let (namespace, part) = kind.split_once('/').unwrap_or((kind, ""));
        let mut id = self.clone();
        id.stretches.push(Stretch { namespace: namespace.into(), parts: vec![(part.into(), name.into())] });
        id
    }

    /// Names from the outermost, as `parent/child` resource names are written.
    pub fn full_name(&self) -> String {
        match self.stretches.last() {
            Some(last) => last.parts.iter().map(|(_, name)| name.as_str()).collect::<Vec<_>>().join("/"),
            None => self.name().to_owned(),
        }
    }
}

impl std::fmt::Display for Id {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        if let Some(subscription) = &self.subscription {
            write!(f, "/subscriptions/{subscription}")?;
        }
        if let Some(group) = &self.group {
            write!(f, "/resourceGroups/{group}")?;
        }
        for stretch in &self.stretches {
            write!(f, "/providers/{}", stretch.namespace)?;
            for (part, name) in &stretch.parts {
                write!(f, "/{part}/{name}")?;
            }
        }
        Ok(())
    }
}

/// A request's path: the longest whole id it begins with, and what follows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Path {
    /// The id.
    pub id: Id,
    /// What is left: an action (`["listKeys"]`), a collection (`["revisions"]`, or after a group or
    /// subscription `["providers", "Microsoft.App", "containerApps"]`), or one of ARM's own (`["resources"]`).
    pub rest: Vec<String>,
}

impl Path {
    /// Reads a path: empty segments (doubled and trailing slashes) do not count, case does not matter, and
    /// percent-encoding is undone.
    pub fn parse(path: &str) -> Path {
        let segments: Vec<String> = path.split('/').filter(|s| !s.is_empty()).map(decode).collect();
        let is = |at: usize, word: &str| segments.get(at).is_some_and(|s| s.eq_ignore_ascii_case(word));
        let mut id = Id::default();
        let mut at = 0;
        if is(0, "subscriptions") && segments.len() >= 2 {
            id.subscription = Some(segments[1].clone());
            at = 2;
            if is(2, "resourceGroups") && segments.len() >= 4 {
                id.group = Some(segments[3].clone());
                at = 4;
            }
        }
        while is(at, "providers") && segments.len() >= at + 4 {
            let mut stretch = Stretch { namespace: segments[at + 1].clone(), parts: Vec::new() };
            let mut next = at + 2;
            while next + 1 < segments.len() && !is(next, "providers") {
                stretch.parts.push((segments[next].clone(), segments[next + 1].clone()));
                next += 2;
            }
            // `…/TYPE/providers/…` has no name: what stands there is no id
            if stretch.parts.is_empty() {
                break;
            }
            id.stretches.push(stretch);
            at = next;
        }
        Path { id, rest: segments[at..].to_vec() }
    }

    /// Whether what is left is these words, without case; `*` is any one.
    pub fn rest_is(&self, words: &[&str]) -> bool {
        self.rest.len() == words.len()
            && self.rest.iter().zip(words).all(|(a, b)| *b == "*" || a.eq_ignore_ascii_case(b))
    }
}

/// Undoes percent-encoding; what is no valid UTF-8 afterwards keeps a replacement sign.
pub fn decode(text: &str) -> String {
    if !text.contains('%') {
        return text.to_owned();
    }
    let bytes = text.as_bytes();
    let mut out = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while at < bytes.len() {
        let hex = (bytes[at] == b'%')
            .then(|| bytes.get(at + 1..at + 3))
            .flatten()
            .and_then(|pair| std::str::from_utf8(pair).ok())
            .and_then(|pair| u8::from_str_radix(pair, 16).ok());
        match hex {
            Some(byte) => {
                out.push(byte);
                at += 3;
            }
            None => {
                out.push(bytes[at]);
                at += 1;
            }
        }
    }
    String::from_utf8_lossy(&out).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    const APP: &str = "/subscriptions/S/resourceGroups/rg/providers/Microsoft.App/containerApps/web";

    #[test]
    fn sloppy_paths_lead_to_the_same_resource() {
        let id = Id::parse(APP).unwrap();
        for sloppy in [
            "/subscriptions/S/resourcegroups/rg/providers/Microsoft.App//containerApps/web",
            "/Subscriptions/S/resourceGroups/RG/Providers/microsoft.app/containerapps/Web/",
            "//subscriptions/S/resourceGroups/r%67/providers/Microsoft.App/containerApps/web",
        ] {
            assert_eq!(Path::parse(sloppy).id.key(), id.key(), "{sloppy}");
        }
        assert_eq!(id.to_string(), APP);
        assert_eq!((id.kind().as_str(), id.name()), ("Microsoft.App/containerApps", "web"));
    }

    #[test]
    fn what_follows_an_id_is_told_apart() {
        let path = Path::parse(&format!("{APP}/revisions/r1/restart"));
        assert_eq!(path.id.kind(), "Microsoft.App/containerApps/revisions");
        assert!(path.rest_is(&["Restart"]));
        let path = Path::parse("/subscriptions/S/resourceGroups/rg/providers/Microsoft.App/containerApps");
        assert_eq!(path.id.to_string(), "/subscriptions/S/resourceGroups/rg");
        assert!(path.rest_is(&["providers", "*", "containerApps"]));
        assert!(Id::parse("subscriptions/S").is_none());
        assert!(Id::parse("/subscriptions/S/providers/X").is_none());
    }

    #[test]
    fn extensions_and_children_know_where_they_belong() {
        let lock = Id::parse(&format!("{APP}/providers/Microsoft.Authorization/locks/l")).unwrap();
        assert_eq!(lock.scope().to_string(), APP);
        assert_eq!(lock.kind(), "Microsoft.Authorization/locks");
        let child = Id::parse(APP).unwrap().child("revisions", "r");
        assert_eq!(child.parent().unwrap().to_string(), APP);
        let above: Vec<String> = child.ancestors().iter().map(Id::to_string).collect();
        assert_eq!(above[1..], [APP, "/subscriptions/S/resourceGroups/rg", "/subscriptions/S", ""]);
        assert_eq!(child.full_name(), "web/r");
    }
}
