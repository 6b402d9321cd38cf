//! Commands that need no Azure: what people and programs read.

use std::process::{Command, Stdio};

use landfall_tests::{Project, landfall, root, shared, skip};

const SMALL: &str = r#"app    = "hello"
region = "westeurope"

[service.web]
host   = "container-apps"
source = "."
port   = 8000

[environment.prod]
tier = "prod"

[environment.prod.service.web]
cpu    = 1.0
memory = "2Gi"
"#;

#[test]
fn show_says_where_each_value_came_from() {
    let project = Project::with_manifest("hello", SMALL);
    let text = project.run(&["show", "--env", "prod"]).expect(0);
    assert!(text.stdout.contains("cpu = 1.0"), "{}", text.all());
    assert!(text.stdout.contains("landfall.toml:13, environment prod"), "{}", text.all());
    let document = project.run(&["show", "--env", "prod", "--json"]).expect(0).json();
    assert_eq!(document["schema"], 1);
    assert_eq!(document["app"]["tier"], "prod");
    let wrong = project.run(&["show", "--env", "prd"]).expect(2);
    assert!(wrong.stderr.contains("prod"), "it suggests the one that is meant: {}", wrong.all());
}

#[test]
fn explain_and_schema_speak_of_the_same_fields() {
    let project = Project::with_manifest("hello", SMALL);
    let text = project.run(&["explain", "service.web.scale"]).expect(0);
    assert!(text.stdout.contains("min") && text.stdout.contains("max"), "{}", text.all());
    let wrong = project.run(&["explain", "service.web.scael"]).expect(2);
    assert!(wrong.stderr.contains("scale"), "{}", wrong.all());
    let schema = project.run(&["schema"]).expect(0).json();
    assert!(schema["properties"]["service"].is_object(), "{schema:#}");
}

#[test]
fn blueprint_bodies_are_what_azure_takes() {
    let project = Project::with_manifest("hello", SMALL);
    let blueprint = project.run(&["blueprint", "--json"]).expect(0);
    let resources = blueprint.json();
    let first = &resources.as_array().expect("an array")[0];
    assert_eq!(first["type"], "Microsoft.Resources/resourceGroups");
    let scopes: Vec<_> =
        resources.as_array().into_iter().flatten().filter_map(|one| one["scope"].as_str()).collect();
    assert!(scopes.iter().all(|scope| scope.contains("00000000-0000-0000-0000-000000000000")), "{scopes:?}");
    let Some(check) = shared("azure-types/check_arm.py") else { return };
    if Command::new("python3").arg("--version").output().is_err() {
        return skip("python3 is not installed");
    }
    for example in ["hello", "datasette", "verdaccio", "vite-site"] {
        let project = Project::example(example);
        let bodies: Vec<serde_json::Value> = project
            .run(&["blueprint", "--json"])
            .expect(0)
            .json()
            .as_array()
            .expect("an array")
            .iter()
            .cloned()
            .map(|mut body| {
                for key in ["address", "scope"] {
                    body.as_object_mut().expect("an object").remove(key);
                }
                body
            })
            .collect();
        project.write("bodies.json", &serde_json::to_string(&bodies).expect("JSON"));
        let output = Command::new("python3")
            .arg(&check)
            .args(["--strict", "--template"])
            .arg(project.dir.join("bodies.json"))
            .output()
            .expect("python3 runs");
        assert!(output.status.success(), "{example}: {}", String::from_utf8_lossy(&output.stdout));
    }
}

#[test]
fn a_blueprint_has_a_picture_in_every_format() {
    let project = Project::with_manifest("hello", SMALL);
    let tree = project.run(&["blueprint", "--format", "tree"]).expect(0);
    assert!(tree.stdout.starts_with("hello ") && tree.stdout.contains("├── service "), "{}", tree.all());
    // A pipe takes no colour; by force it does, unless NO_COLOR says no.
    let colored = |variables: &[&str]| {
        let mut command = project.command(&["blueprint", "--format", "tree"]);
        command.env_remove("NO_COLOR").envs(variables.iter().map(|name| (name, "1")));
        command.output().expect("it runs").stdout.contains(&0x1b)
    };
    assert!(!colored(&[]) && colored(&["CLICOLOR_FORCE"]) && !colored(&["CLICOLOR_FORCE", "NO_COLOR"]));
    let dot = project.run(&["blueprint", "--format", "dot"]).expect(0);
    assert!(dot.stdout.starts_with("digraph ") && dot.stdout.ends_with("}\n"), "{}", dot.all());
    let json = project.run(&["blueprint", "--format", "json"]).expect(0);
    assert_eq!(json.json(), project.run(&["blueprint", "--json"]).expect(0).json());
    let svg = project.run(&["blueprint", "--format", "svg"]).expect(0);
    assert!(svg.stdout.starts_with("<svg ") && svg.stdout.ends_with("</svg>\n"), "{}", svg.all());

    let file = project.dir.join("picture.svg").display().to_string();
    let written = project.run(&["blueprint", "--format", "svg", "-o", &file]).expect(0);
    assert_eq!(written.stdout, "");
    assert_eq!(project.read("picture.svg"), svg.stdout);
    assert!(written.stderr.contains("wrote "), "{}", written.all());
    let lost = project.run(&["blueprint", "--format", "svg", "-o", "no/folder/picture.svg"]).expect(1);
    assert!(lost.stderr.contains("cannot write no/folder/picture.svg"), "{}", lost.all());
    let both = project.run(&["blueprint", "--format", "svg", "--json"]).expect(2);
    assert!(both.stderr.contains("--json"), "{}", both.all());
}

#[test]
fn init_writes_a_manifest_that_loads() {
    let project = Project::example("hello");
    std::fs::remove_file(project.dir.join("landfall.toml")).expect("it can be removed");
    let detected = project.run(&["detect", "--json"]).expect(0).json();
    assert_eq!(detected["applications"][0]["language"], "rust", "{detected:#}");
    project.run(&["init", "--region", "northeurope"]).expect(0);
    let manifest = project.read("landfall.toml");
    assert!(manifest.contains("northeurope") && manifest.contains("[service."), "{manifest}");
    project.run(&["show"]).expect(0);
    let again = project.run(&["init"]).expect(4);
    assert!(again.stderr.contains("--force"), "{}", again.all());
    assert_eq!(project.read("landfall.toml"), manifest, "what is there is kept");
}

#[test]
fn completions_and_help() {
    for shell in ["bash", "zsh", "fish"] {
        let output = Command::new(landfall()).args(["completions", shell]).output().expect("it runs");
        assert!(
            output.status.success() && String::from_utf8_lossy(&output.stdout).contains("destroy"),
            "{shell}"
        );
    }
    let help = Command::new(landfall()).arg("--help").output().expect("it runs");
    let help = String::from_utf8_lossy(&help.stdout).into_owned();
    for command in ["init", "plan", "up", "resume", "status", "logs", "open", "secrets", "destroy", "local"] {
        assert!(help.contains(&format!("\n  {command} ")), "{command} is not in the help:\n{help}");
    }
    let wrong = Command::new(landfall()).arg("statsu").stdin(Stdio::null()).output().expect("it runs");
    assert_eq!(wrong.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&wrong.stderr).contains("'status'"), "it suggests what is meant");
}

#[test]
fn the_project_speaks_of_itself_alone() {
    // A newcomer has neither the folder beside the workspace nor the machine this was written on.
    let tracked = Command::new("git").args(["ls-files"]).current_dir(root()).output().expect("git runs");
    let mut wrong = Vec::new();
    for file in String::from_utf8_lossy(&tracked.stdout).lines() {
        let Ok(text) = std::fs::read_to_string(root().join(file)) else { continue };
        let home = concat!("/wo", "rk/");
        if text.contains(home) {
            wrong.push(file.to_owned());
        }
    }
    assert!(wrong.is_empty(), "these name a folder of one machine: {wrong:?}");
}
