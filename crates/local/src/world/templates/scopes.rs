//! Resource ids in templates: the functions that make them, and the ids of a template's own resources.

use serde_json::{Value, json};

use super::functions::text;
use crate::world::arm::id::{Id, Stretch};
use crate::world::management_groups;

type Outcome = Result<Value, String>;

/// Splits arguments into what comes before the type, the type, and the names.
fn parts<'a>(name: &str, a: &'a [Value]) -> Result<(Vec<&'a str>, &'a str, Vec<&'a str>), String> {
    let words: Vec<&str> = a.iter().map(|it| text(name, it)).collect::<Result<_, _>>()?;
    let place = words.iter().position(|word| word.contains('/') && !word.starts_with('/')).ok_or_else(|| {
        format!(
            "Unable to evaluate template language function '{name}': function requires exactly one multi-segmented \
             argument which must be the resource type. Please see \
             https://aka.ms/arm-resource-functions/#{} for usage details.",
            name.to_ascii_lowercase()
        )
    })?;
    let (kind, names) = (words[place], words[place + 1..].to_vec());
    let wanted = kind.matches('/').count();
    if names.len() != wanted {
        return Err(format!(
            "Unable to evaluate template language function '{name}': the type '{kind}' requires '{wanted}' resource name \
             argument(s). Please see https://aka.ms/arm-resource-functions/#{} for usage details.",
            name.to_ascii_lowercase()
        ));
    }
    Ok((words[..place].to_vec(), kind, names))
}

/// `/providers/NAMESPACE/type/name/…`.
fn stretch(kind: &str, names: &[&str]) -> String {
    let mut words = kind.split('/');
    let mut out = format!("/providers/{}", words.next().unwrap_or_default());
    for (word, name) in words.zip(names) {
        out.push_str(&format!("/{word}/{name}"));
    }
    out
}

/// `resourceId([subscription], [group], type, name…)`.
///
/// # Errors
/// ARM's sentence.
pub fn resource_id(scope: &Id, name: &str, a: &[Value]) -> Outcome {
    let (before, kind, names) = parts(name, a)?;
    let own = scope.subscription.as_deref().unwrap_or_default();
    if before.is_empty() && own.is_empty() {
        return Ok(json!(stretch(kind, &names)));
    }
    let (subscription, group) = match before.as_slice() {
        [] => (own, scope.group.as_deref()),
        [group] if scope.group.is_none() && uuid::Uuid::try_parse(group).is_ok() => (*group, None),
        [group] => (own, Some(*group)),
        [subscription, group] => (*subscription, Some(*group)),
        _ => {
            return Err(format!(
                "Unable to evaluate template language function '{name}': it has too many arguments before the resource type."
            ));
        }
    };
    let group = group.map(|group| format!("/resourceGroups/{group}")).unwrap_or_default();
    Ok(json!(format!("/subscriptions/{subscription}{group}{}", stretch(kind, &names))))
}

/// `subscriptionResourceId([subscription], type, name…)`.
///
/// # Errors
/// ARM's sentence.
pub fn subscription_resource_id(scope: &Id, name: &str, a: &[Value]) -> Outcome {
    let (before, kind, names) = parts(name, a)?;
    let own = scope.subscription.as_deref().unwrap_or_default();
    let subscription = before.first().copied().unwrap_or(own);
    Ok(json!(format!("/subscriptions/{subscription}{}", stretch(kind, &names))))
}

/// `tenantResourceId(type, name…)`.
///
/// # Errors
/// ARM's sentence.
pub fn tenant_resource_id(name: &str, a: &[Value]) -> Outcome {
    let (_, kind, names) = parts(name, a)?;
    Ok(json!(stretch(kind, &names)))
}

/// `managementGroupResourceId([group], type, name…)`; the group by name or id, else the one deployed to.
///
/// # Errors
/// ARM's sentence.
pub fn management_group_resource_id(scope: &Id, name: &str, a: &[Value]) -> Outcome {
    let (before, kind, names) = parts(name, a)?;
    let given = before.first().map(|it| it.rsplit('/').next().unwrap_or_default());
    let group = given.or_else(|| management_groups::name_of(scope)).ok_or_else(|| {
        format!(
            "Unable to evaluate template language function '{name}': it needs a management group outside of a deployment \
             to one. Please see https://aka.ms/arm-resource-functions/#{} for usage details.",
            name.to_ascii_lowercase()
        )
    })?;
    Ok(json!(format!("/providers/{}/{group}{}", management_groups::KIND, stretch(kind, &names))))
}

/// `extensionResourceId(id, type, name…)`.
///
/// # Errors
/// ARM's sentence.
pub fn extension_resource_id(name: &str, a: &[Value]) -> Outcome {
    let base = text(name, a.first().unwrap_or(&Value::Null))?;
    let (_, kind, names) = parts(name, &a[1..])?;
    Ok(json!(format!("{base}{}", stretch(kind, &names))))
}

/// The id of a template's resource of a type and a full name below a scope.
///
/// # Errors
/// Names that do not fit the type.
pub fn own(scope: &Id, kind: &str, name: &str) -> Result<Id, ()> {
    let (types, names): (Vec<&str>, Vec<&str>) = (kind.split('/').collect(), name.split('/').collect());
    if types.len() < 2 || types.len() != names.len() + 1 || names.iter().any(|name| name.is_empty()) {
        return Err(());
    }
    if kind.eq_ignore_ascii_case("Microsoft.Resources/resourceGroups") {
        // there are none above subscriptions
        scope.subscription.as_ref().ok_or(())?;
        return Ok(Id { group: Some(name.to_owned()), stretches: Vec::new(), ..scope.clone() });
    }
    let mut id = scope.clone();
    let mut stretch = Stretch { namespace: types[0].to_owned(), parts: Vec::new() };
    for (word, name) in types[1..].iter().zip(&names) {
        // the older form of extensions: type `A/b/providers/locks`, name `b1/Microsoft.Authorization/lock`
        if word.eq_ignore_ascii_case("providers") {
            id.stretches.push(std::mem::replace(
                &mut stretch,
                Stretch { namespace: (*name).to_owned(), parts: Vec::new() },
            ));
        } else {
            stretch.parts.push(((*word).to_owned(), (*name).to_owned()));
        }
    }
    if stretch.parts.is_empty() {
        return Err(());
    }
    id.stretches.push(stretch);
    Ok(id)
}

/// An id in lower case as resources are found by; a group's also in the form that `subscriptionResourceId` gives.
pub fn key(id: &str) -> String {
    let lower = id.to_ascii_lowercase();
    match lower.split_once("/providers/microsoft.resources/resourcegroups/") {
        Some((subscription, name)) if subscription.starts_with("/subscriptions/") && !name.contains('/') => {
            format!("{subscription}/resourcegroups/{name}")
        }
        _ => lower,
    }
}

/// An id as Resource Manager takes it, spelled as it was given.
pub fn spelled(id: &str) -> String {
    if key(id) == id.to_ascii_lowercase() {
        return id.to_owned();
    }
    let words: Vec<&str> = id.split('/').collect();
    match words.as_slice() {
        ["", subscriptions, subscription, _, _, groups, name] => {
            format!("/{subscriptions}/{subscription}/{groups}/{name}")
        }
        _ => id.to_owned(),
    }
}
