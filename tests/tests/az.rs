//! Microsoft's own Azure CLI, unchanged, against local Azure: it sees what Landfall deployed, and Landfall sees what
//! it changed.

use std::path::{Path, PathBuf};
use std::process::Command;

use landfall_tests::{Project, Ran, finish, quick, shared, skip};
use serde_json::Value;

/// The CLI, pointed at one project's local Azure.
struct Az {
    script: PathBuf,
    venv: PathBuf,
    env: Vec<(String, String)>,
    config: tempfile::TempDir,
}

impl Az {
    /// `None`, with the reason printed, where the CLI or the script that points it is not there.
    fn at(project: &Project) -> Option<Az> {
        if quick() {
            return None;
        }
        let script = shared("tools/az_against.sh")?;
        let venv =
            PathBuf::from(std::env::var("LANDFALL_AZ_VENV").unwrap_or_else(|_| "/tmp/azvenv".to_owned()));
        if !venv.join("bin/az").exists() {
            skip(&format!("the Azure CLI is not installed in {} (`./test` installs it)", venv.display()));
            return None;
        }
        let config = tempfile::tempdir().expect("a temporary folder can be made");
        Some(Az { script, venv, env: project.env(), config })
    }

    fn run(&self, args: &[&str]) -> Ran {
        // The first command prepares and signs in; later ones use what it left.
        let ready = Path::new(self.config.path()).join("az/.az_against").exists();
        let mut command = Command::new("bash");
        command
            .arg(&self.script)
            .args(args)
            .envs(self.env.iter().map(|(name, value)| (name, value)))
            .env("AZ_VENV", &self.venv)
            .env("AZURE_CONFIG_DIR", self.config.path().join("az"))
            .env("AZ_REUSE", if ready { "1" } else { "0" });
        finish(command)
    }

    #[track_caller]
    fn json(&self, args: &[&str]) -> Value {
        let mut all = args.to_vec();
        all.extend(["-o", "json"]);
        let ran = self.run(&all);
        assert_eq!(ran.code, 0, "az {}: {}", args.join(" "), ran.all());
        if ran.stdout.trim().is_empty() { Value::Null } else { ran.json() }
    }
}

/// The name in Azure of an address.
fn name(project: &Project, address: &str) -> String {
    let blueprint = project.run(&["blueprint", "--json"]).expect(0).json();
    let status = project.run(&["status", "--local", "--json"]).expect(0).json();
    assert!(
        blueprint.as_array().is_some_and(|all| all.iter().any(|one| one["address"] == address)),
        "{address}"
    );
    status["resources"]
        .as_array()
        .into_iter()
        .flatten()
        .find(|resource| resource["address"] == address)
        .and_then(|resource| resource["name"].as_str())
        .unwrap_or_else(|| panic!("no {address}: {status:#}"))
        .to_owned()
}

#[test]
fn az_sees_what_landfall_deployed_and_the_other_way_round() {
    let project = Project::example("hello");
    let Some(az) = ({
        project.run(&["local", "start"]).expect(0);
        Az::at(&project)
    }) else {
        return;
    };
    project.up("done");
    let group = name(&project, "resourceGroup.main");
    let app = name(&project, "containerApp.web");
    let vault = name(&project, "vault.main");
    let registry = name(&project, "registry.main");
    let identity = name(&project, "identity.web");

    groups(&az, &group);
    seen(&az, &group, &app, &registry, &identity);
    secrets(&az, &vault);
    drift(&az, &project, &group, &app);
    deleted(&az, &project, &vault);
}

fn groups(az: &Az, ours: &str) {
    let made = az.json(&["group", "create", "-n", "rg-beside", "-l", "westeurope", "--tags", "a=b"]);
    assert_eq!(made["properties"]["provisioningState"], "Succeeded");
    assert_eq!(az.json(&["group", "show", "-n", "RG-Beside"])["name"], "rg-beside");
    let listed = az.json(&["group", "list"]);
    let names: Vec<&str> =
        listed.as_array().into_iter().flatten().filter_map(|one| one["name"].as_str()).collect();
    assert!(names.contains(&"rg-beside") && names.contains(&ours), "{names:?}");
    az.json(&["group", "delete", "-n", "rg-beside", "--yes"]);
    assert_eq!(az.run(&["group", "show", "-n", "rg-beside"]).code, 3, "az exits 3 for what is not there");
}

fn seen(az: &Az, group: &str, app: &str, registry: &str, identity: &str) {
    let resources = az.json(&["resource", "list", "-g", group]);
    let types: Vec<String> = resources
        .as_array()
        .into_iter()
        .flatten()
        .filter_map(|one| one["type"].as_str().map(str::to_lowercase))
        .collect();
    for wanted in [
        "microsoft.app/containerapps",
        "microsoft.keyvault/vaults",
        "microsoft.operationalinsights/workspaces",
    ] {
        assert!(types.iter().any(|found| found == wanted), "{wanted} is not in {types:?}");
    }
    let shown = az.json(&["containerapp", "show", "-g", group, "-n", app]);
    assert_eq!(shown["properties"]["provisioningState"], "Succeeded");
    assert_eq!(shown["tags"]["landfall-app"], "hello");
    assert_eq!(az.json(&["containerapp", "list", "-g", group]).as_array().map(Vec::len), Some(1));
    let revisions = az.json(&["containerapp", "revision", "list", "-g", group, "-n", app]);
    assert_eq!(revisions[0]["properties"]["trafficWeight"], 100, "{revisions:#}");
    assert_eq!(revisions[0]["properties"]["active"], true);

    let shown = az.json(&["acr", "show", "-n", registry]);
    assert!(shown["loginServer"].as_str().is_some_and(|server| server.starts_with(registry)), "{shown:#}");
    let repositories = az.json(&["acr", "repository", "list", "-n", registry]);
    assert_eq!(repositories, serde_json::json!(["hello/web"]));

    let shown = az.json(&["identity", "show", "-g", group, "-n", identity]);
    let principal = shown["principalId"].as_str().expect("a principal").to_owned();
    let scope = format!("/subscriptions/{}/resourceGroups/{group}", subscription(az));
    let roles = az.json(&["role", "assignment", "list", "--all", "--fill-principal-name", "false"]);
    let ours: Vec<&Value> = roles
        .as_array()
        .into_iter()
        .flatten()
        .filter(|one| one["principalId"] == principal.as_str())
        .collect();
    assert!(ours.iter().any(|one| one["roleDefinitionName"] == "AcrPull"), "{roles:#}");
    assert!(
        ours.iter().all(|one| one["scope"].as_str().is_some_and(|at| at.starts_with(&scope))),
        "{roles:#}"
    );
}

fn subscription(az: &Az) -> String {
    az.json(&["account", "show"])["id"].as_str().expect("a subscription").to_owned()
}

fn secrets(az: &Az, vault: &str) {
    // The signed-in principal has no data role; az gives it one, as a person would.
    let refused =
        az.run(&["keyvault", "secret", "set", "--vault-name", vault, "-n", "tide", "--value", "high"]);
    assert_ne!(refused.code, 0, "no data role yet: {}", refused.all());
    assert!(refused.stderr.contains("Forbidden"), "{}", refused.all());
    let shown = az.json(&["keyvault", "show", "-n", vault]);
    let scope = shown["id"].as_str().expect("an id").to_owned();
    let object = token_claim(az, "oid");
    az.json(&[
        "role",
        "assignment",
        "create",
        "--role",
        "b86a8fe4-44ce-4948-aee5-eccb2c155cd7",
        "--scope",
        &scope,
        "--assignee-object-id",
        &object,
        "--assignee-principal-type",
        "ServicePrincipal",
    ]);
    let set = landfall_tests::wait_for("the role works", std::time::Duration::from_secs(60), || {
        let ran = az.run(&[
            "keyvault",
            "secret",
            "set",
            "--vault-name",
            vault,
            "-n",
            "tide",
            "--value",
            "high",
            "-o",
            "json",
        ]);
        if ran.code == 0 { Ok(ran.json()) } else { Err(ran.all()) }
    });
    assert_eq!(set["value"], "high");
    assert_eq!(
        az.json(&["keyvault", "secret", "show", "--vault-name", vault, "-n", "tide"])["value"],
        "high"
    );
}

/// A claim of the token that az uses.
fn token_claim(az: &Az, claim: &str) -> String {
    use base64::Engine as _;
    let token = az.json(&["account", "get-access-token"]);
    let jwt = token["accessToken"].as_str().expect("a token");
    let payload = jwt.split('.').nth(1).expect("a payload");
    let bytes = base64::engine::general_purpose::URL_SAFE_NO_PAD.decode(payload).expect("base64");
    let claims: Value = serde_json::from_slice(&bytes).expect("JSON");
    claims[claim].as_str().expect("the claim").to_owned()
}

fn drift(az: &Az, project: &Project, group: &str, app: &str) {
    az.json(&["containerapp", "update", "-g", group, "-n", app, "--max-replicas", "9"]);
    let plan = project.run(&["plan", "--local", "--json"]).expect(0).json();
    let change = plan["changes"]
        .as_array()
        .into_iter()
        .flatten()
        .find(|change| change["address"] == "containerApp.web")
        .expect("the app is in the plan");
    assert_eq!(
        (change["action"].as_str(), change["cause"].as_str()),
        (Some("update"), Some("drift")),
        "{change:#}"
    );
    let property = change["properties"]
        .as_array()
        .into_iter()
        .flatten()
        .find(|property| property["path"] == "properties.template.scale.maxReplicas")
        .unwrap_or_else(|| panic!("{change:#}"));
    assert_eq!(property["from"], 9);
    project.up("done");
    project.up("unchanged");
    let shown = az.json(&["containerapp", "show", "-g", group, "-n", app]);
    assert_ne!(shown["properties"]["template"]["scale"]["maxReplicas"], 9, "the drift is repaired");
}

fn deleted(az: &Az, project: &Project, vault: &str) {
    project.run(&["destroy", "--local", "--yes"]).expect(0);
    let listed = az.json(&["keyvault", "list-deleted"]);
    assert!(listed.as_array().into_iter().flatten().any(|one| one["name"] == vault), "{listed:#}");
}
