//! Everything that can be known to fail, before the first write, all at once.

use std::collections::BTreeMap;

use landfall_azure::{Availability, GlobalName, Registration};
use landfall_plan::{Action, Change, Plan};

use crate::consent::{Consent, SoftDeletedChoice};
use crate::error::Error;
use crate::survey::Survey;
use crate::target::Target;

/// Something that would make the deployment fail.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Obstacle {
    /// The resource or provider it is about.
    pub subject: String,
    /// What is in the way.
    pub message: String,
    /// What to do about it.
    pub help: Option<String>,
}

/// What preflight found.
#[derive(Clone, Debug, Default)]
pub struct Preflight {
    /// What is in the way; nothing may be written while there is any.
    pub obstacles: Vec<Obstacle>,
    /// Providers that the run has to register first.
    pub register: Vec<String>,
}

/// Checks permissions, provider registration, names and secrets for `survey`'s plan, as `consent` settles it.
///
/// # Errors
/// When a question could not be asked.
pub async fn preflight(target: &Target, survey: &Survey, consent: &Consent) -> Result<Preflight, Error> {
    let plan = &survey.plan;
    let mut found = Preflight::default();
    if plan.is_empty() {
        return Ok(found);
    }
    found.obstacles.extend(missing_secrets(plan, consent));
    let (permissions, (registration, register), names) =
        tokio::try_join!(permissions(target, survey), registrations(target, plan), names(target, plan))?;
    found.obstacles.extend(permissions);
    found.obstacles.extend(registration);
    found.obstacles.extend(names);
    found.register = register;
    Ok(found)
}

/// Secrets without a value. What a vault holds that is about to be recovered shows only when it is back.
fn missing_secrets(plan: &Plan, consent: &Consent) -> Vec<Obstacle> {
    let recovered = |vault: &landfall_blueprint::Address| {
        consent.soft_deleted == Some(SoftDeletedChoice::Recover)
            && plan.soft_deleted.iter().any(|deleted| deleted.address == *vault)
    };
    plan.missing_secrets
        .iter()
        .filter(|missing| !recovered(&missing.vault))
        .map(|missing| Obstacle {
            subject: missing.address.to_string(),
            message: format!("the secret `{}` has no value in the vault", missing.secret),
            help: Some(format!("give it one with `landfall secrets set {}`", missing.secret)),
        })
        .collect()
}

/// Actions that the plan takes and the caller may not.
async fn permissions(target: &Target, survey: &Survey) -> Result<Vec<Obstacle>, Error> {
    let group = survey.blueprint.resource_group();
    // Rights on a group that is not there yet are those on its subscription.
    let scope = if survey.live.resources.contains_key(&group.address) {
        group.id()
    } else {
        format!("/subscriptions/{}", target.subscription)
    };
    let permissions =
        target.arm.permissions(&scope).await.map_err(Error::azure("ask for our permissions"))?;
    let mut wanted: BTreeMap<String, &Change> = BTreeMap::new();
    for change in &survey.plan.changes {
        for verb in verbs(change.action) {
            wanted.entry(action(&change.resource_type, verb)).or_insert(change);
        }
    }
    let missing = permissions.missing(wanted.keys().map(String::as_str));
    Ok(missing
        .into_iter()
        .map(|action| Obstacle {
            subject: wanted[action].address.to_string(),
            message: format!("the action {action} is not allowed to us at {scope}"),
            help: Some(match action.contains("roleAssignments") {
                true => {
                    "ask for the role Role Based Access Control Administrator, or Owner, there".to_owned()
                }
                false => "ask for the role Contributor there".to_owned(),
            }),
        })
        .collect())
}

fn verbs(action: Action) -> &'static [&'static str] {
    match action {
        Action::Create | Action::Update | Action::Adopt => &["write"],
        Action::Replace => &["delete", "write"],
        Action::Delete => &["delete"],
        Action::None => &[],
    }
}

/// `Microsoft.App/containerApps/write`; groups are of the subscription's own kind.
fn action(resource_type: &str, verb: &str) -> String {
    match resource_type {
        "Microsoft.Resources/resourceGroups" => {
            format!("Microsoft.Resources/subscriptions/resourceGroups/{verb}")
        }
        other => format!("{other}/{verb}"),
    }
}

/// Providers that are not registered: an obstacle when we may not register them, else work.
async fn registrations(target: &Target, plan: &Plan) -> Result<(Vec<Obstacle>, Vec<String>), Error> {
    let mut namespaces: Vec<&str> = plan
        .changes
        .iter()
        .filter(|change| matches!(change.action, Action::Create | Action::Replace))
        .filter_map(|change| change.resource_type.split_once('/'))
        .map(|(namespace, _)| namespace)
        // These belong to every subscription.
        .filter(|namespace| !matches!(*namespace, "Microsoft.Resources" | "Microsoft.Authorization"))
        .collect();
    namespaces.sort_unstable();
    namespaces.dedup();
    let asked = futures::future::try_join_all(
        namespaces.iter().map(|namespace| target.arm.provider(&target.subscription, namespace)),
    )
    .await
    .map_err(Error::azure("ask which providers are registered"))?;
    let mut obstacles = Vec::new();
    let mut register = Vec::new();
    for provider in asked {
        match provider.registration {
            Registration::Registered => {}
            Registration::NotRegistered | Registration::Registering | Registration::Other(_) => {
                register.push(provider.namespace);
            }
            Registration::Unregistering => obstacles.push(Obstacle {
                message: "the provider is being unregistered at this moment".to_owned(),
                help: Some("wait until that has ended".to_owned()),
                subject: provider.namespace,
            }),
        }
    }
    Ok((obstacles, register))
}

/// Names that somebody else in the world has.
async fn names(target: &Target, plan: &Plan) -> Result<Vec<Obstacle>, Error> {
    let wanted = plan.changes.iter().filter(|change| change.action == Action::Create).filter_map(|change| {
        // A soft-deleted namesake is a question of its own.
        let deleted = plan.soft_deleted.iter().any(|deleted| deleted.address == change.address);
        Some((change, global_name(&change.resource_type).filter(|_| !deleted)?))
    });
    let asked = futures::future::try_join_all(wanted.map(|(change, kind)| async move {
        let answer = target.arm.name_available(&target.subscription, kind, &change.name).await;
        answer.map(|availability| (change, availability))
    }))
    .await
    .map_err(Error::azure("ask whether names are free"))?;
    Ok(asked
        .into_iter()
        .filter_map(|(change, availability)| match availability {
            Availability::Free => None,
            Availability::Taken(message) | Availability::Invalid(message) => Some(Obstacle {
                subject: change.address.to_string(),
                message: format!("the name `{}` cannot be had: {message}", change.name),
                help: Some(
                    "names are made by `naming` from app, environment and region: change one of them"
                        .to_owned(),
                ),
            }),
        })
        .collect())
}

fn global_name(resource_type: &str) -> Option<GlobalName> {
    match resource_type {
        "Microsoft.KeyVault/vaults" => Some(GlobalName::Vault),
        "Microsoft.ContainerRegistry/registries" => Some(GlobalName::Registry),
        "Microsoft.Storage/storageAccounts" => Some(GlobalName::Storage),
        _ => None,
    }
}
