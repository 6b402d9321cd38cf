//! What environments have beside apps and certificates: Dapr components and storages; and the sign-in settings of apps.
//! All are kept and shown; no sidecar runs and nothing is mounted from an account.

use serde_json::{Value, json};

use super::{environments, template};
use crate::world::arm::kind::{Call, Change, Depth, Kind, Names, Place, Plain, Rules, Signs};
use crate::world::arm::refusal::Refusal;
use crate::world::arm::resources::at_once;
use crate::world::arm::{Resource, put, take};
use crate::world::{Method, Response, World};

const fn part(name: &'static str, rules: &'static dyn Rules) -> Kind {
    Kind {
        name,
        depth: Depth::Modelled,
        names: Names {
            length: (1, 63),
            signs: Signs::Any,
            global: false,
            refusal: ("InvalidResourceName", "Resource name '{name}' is invalid."),
        },
        place: Place::Parent,
        seconds: [0.0, 0.0, 0.0],
        replies: at_once(200, 200),
        busy: "ManagedEnvironmentOperationInProgress",
        computed: &["properties.deploymentErrors"],
        spelling: &[],
        rules,
    }
}

pub(super) const DAPR: Kind = part("Microsoft.App/managedEnvironments/daprComponents", &Dapr);
pub(super) const AUTH: Kind = Kind {
    busy: "ContainerAppOperationInProgress",
    depth: Depth::LifeCycle,
    ..part("Microsoft.App/containerApps/authConfigs", &Plain)
};
pub(super) const STORAGE: Kind = part("Microsoft.App/managedEnvironments/storages", &Storage);

#[derive(Debug)]
struct Dapr;

impl Rules for Dapr {
    fn judge(&self, _world: &World, change: &mut Change) -> Result<(), Refusal> {
        let invalid = |field: &str, why: String| {
            Err(Refusal::bad(
                "DaprComponentInvalid",
                format!(
                    "The field '{field}' of the Dapr component '{}' is invalid: {why}.",
                    change.id.name()
                ),
            ))
        };
        let properties = &change.body["properties"];
        let kind = properties["componentType"].as_str().unwrap_or_default();
        if !kind.contains('.') {
            return invalid(
                "componentType",
                format!("'{kind}' is no type such as 'state.azure.blobstorage'"),
            );
        }
        if properties["version"].as_str().is_none_or(str::is_empty) {
            return invalid("version", "it is missing".into());
        }
        let secrets: Vec<&str> = properties["secrets"]
            .as_array()
            .into_iter()
            .flatten()
            .filter_map(|secret| secret["name"].as_str())
            .collect();
        for entry in properties["metadata"].as_array().into_iter().flatten() {
            if let Some(wanted) = entry["secretRef"].as_str().filter(|wanted| !wanted.is_empty())
                && !secrets.contains(&wanted)
                && properties["secretStoreComponent"].as_str().is_none_or(str::is_empty)
            {
                return invalid("metadata", format!("the secret '{wanted}' is not defined"));
            }
        }
        let mut values = serde_json::Map::new();
        let secrets = change.body.pointer_mut("/properties/secrets").and_then(Value::as_array_mut);
        for secret in secrets.into_iter().flatten() {
            let name = secret["name"].as_str().unwrap_or_default().to_owned();
            let value = secret.as_object_mut().and_then(|secret| secret.shift_remove("value"));
            let kept = change.private["secrets"][&name].clone();
            values.insert(name, value.unwrap_or(kept));
        }
        put(&mut change.private, "secrets", Value::Object(values));
        Ok(())
    }

    fn act(&self, world: &mut World, call: &Call) -> Option<Result<Response, Refusal>> {
        let found = world.arm.find(&call.id.key())?;
        if call.request.method != Method::Post || !call.rest_is(&["listSecrets"]) {
            return None;
        }
        let secrets = found.properties()["secrets"].as_array().into_iter().flatten();
        let value: Vec<Value> = secrets
            .map(|secret| {
                let name = secret["name"].as_str().unwrap_or_default();
                json!({"name": name, "value": found.private["secrets"][name]})
            })
            .collect();
        Some(Ok(Response::json(200, &json!({"value": value}))))
    }
}

#[derive(Debug)]
struct Storage;

impl Rules for Storage {
    fn judge(&self, _world: &World, change: &mut Change) -> Result<(), Refusal> {
        let kinds: Vec<&str> = ["azureFile", "nfsAzureFile"]
            .into_iter()
            .filter(|kind| change.body["properties"][*kind].is_object())
            .collect();
        let refuse = |why: &str| {
            Err(Refusal::bad(
                "ManagedEnvironmentStorageInvalid",
                format!("The storage '{}' is invalid: {why}.", change.id.name()),
            ))
        };
        let [kind] = kinds.as_slice() else {
            return refuse("it has exactly one of azureFile and nfsAzureFile");
        };
        let storage = &change.body["properties"][*kind];
        if storage["shareName"].as_str().is_none_or(str::is_empty) {
            return refuse("shareName is missing");
        }
        let mode = storage["accessMode"].as_str().unwrap_or_default();
        let Some(mode) = ["ReadOnly", "ReadWrite"].into_iter().find(|known| known.eq_ignore_ascii_case(mode))
        else {
            return refuse("accessMode is ReadOnly or ReadWrite");
        };
        let named = if *kind == "azureFile" { "accountName" } else { "server" };
        if storage[named].as_str().is_none_or(str::is_empty) {
            return refuse(&format!("{named} is missing"));
        }
        let (kind, place) = (*kind, format!("properties.{kind}.accountKey"));
        let key = take(&mut change.body, &place);
        let vault = change.body["properties"][kind]["accountKeyVaultProperties"].is_object();
        match key.filter(|key| key.as_str().is_some_and(|key| !key.is_empty())) {
            Some(key) => put(&mut change.private, "accountKey", key),
            None if kind == "azureFile" && !vault && change.current.is_none() => {
                return refuse("accountKey is missing");
            }
            None => {}
        }
        put(&mut change.body, &format!("properties.{kind}.accessMode"), json!(mode));
        Ok(())
    }

    fn may_delete(&self, world: &World, resource: &Resource) -> Result<(), Refusal> {
        let environment = resource.id.parent().map(|parent| parent.key()).unwrap_or_default();
        let name = resource.id.name();
        let used = ["Microsoft.App/containerApps", "Microsoft.App/jobs"].into_iter().any(|kind| {
            world.arm.of_kind(kind).any(|app| {
                environments::environment_of(&app.body).eq_ignore_ascii_case(&environment)
                    && app.properties()["template"]["volumes"].as_array().into_iter().flatten().any(
                        |volume| {
                            volume["storageName"]
                                .as_str()
                                .is_some_and(|storage| storage.eq_ignore_ascii_case(name))
                        },
                    )
            })
        });
        if !used {
            return Ok(());
        }
        Err(Refusal::bad(
            "ManagedEnvironmentStorageInUse",
            format!("Cannot delete Managed environment storage '{name}' because it's still in use."),
        ))
    }
}

/// Checks a template's volumes and what containers mount of them.
pub(super) fn check_volumes(world: &World, environment: &str, properties: &Value) -> Result<(), Refusal> {
    let template = &properties["template"];
    let secrets = template::secret_names(properties);
    let mut names = std::collections::BTreeSet::new();
    for volume in template["volumes"].as_array().into_iter().flatten() {
        let name = volume["name"].as_str().unwrap_or_default();
        if name.is_empty() || !names.insert(name) {
            return Err(template::invalid(
                "template.volumes",
                format_args!("Invalid value: \"{name}\": volumes need names of their own"),
            ));
        }
        let kind = volume["storageType"].as_str().unwrap_or("EmptyDir");
        let storage = volume["storageName"].as_str().unwrap_or_default();
        match kind.to_ascii_lowercase().as_str() {
            "emptydir" => {}
            "secret" => {
                for item in volume["secrets"].as_array().into_iter().flatten() {
                    let wanted = item["secretRef"].as_str().unwrap_or_default();
                    if !secrets.contains(wanted) {
                        return Err(Refusal::bad(
                            "ContainerAppSecretRefNotFound",
                            format!("SecretRef '{wanted}' defined for volume '{name}' not found."),
                        ));
                    }
                }
            }
            "azurefile" | "nfsazurefile" => {
                let there = world
                    .arm
                    .find(environment)
                    .map(|found| found.id.child("storages", storage))
                    .is_some_and(|id| !storage.is_empty() && world.arm.find(&id.key()).is_some());
                if !there {
                    return Err(Refusal::bad(
                        "ManagedEnvironmentStorageNotFound",
                        format!(
                            "The storage '{storage}' of the volume '{name}' was not found in the managed environment '{environment}'."
                        ),
                    ));
                }
            }
            _ => {
                return Err(template::invalid(
                    "template.volumes.storageType",
                    format_args!(
                        "Invalid value: \"{kind}\": supported values: \"AzureFile\", \"EmptyDir\", \"NfsAzureFile\", \"Secret\""
                    ),
                ));
            }
        }
    }
    for list in ["containers", "initContainers"] {
        for container in template[list].as_array().into_iter().flatten() {
            for mount in container["volumeMounts"].as_array().into_iter().flatten() {
                let volume = mount["volumeName"].as_str().unwrap_or_default();
                if !names.contains(volume) {
                    return Err(template::invalid(
                        &format!(
                            "template.{list}.{}.volumeMounts",
                            container["name"].as_str().unwrap_or_default()
                        ),
                        format_args!("Not found: \"{volume}\""),
                    ));
                }
                if !mount["mountPath"].as_str().is_some_and(|path| path.starts_with('/')) {
                    return Err(template::invalid(
                        &format!(
                            "template.{list}.{}.volumeMounts.mountPath",
                            container["name"].as_str().unwrap_or_default()
                        ),
                        "Required value: an absolute path",
                    ));
                }
            }
        }
    }
    Ok(())
}
