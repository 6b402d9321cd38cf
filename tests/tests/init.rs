//! `landfall init` from other tools' files, through the binary.

use landfall_tests::{Project, Ran, root};

/// A project with the files of a fixture of the room that reads them, and no manifest.
fn fixture(name: &str) -> Project {
    let project = Project::with_manifest(name, "");
    std::fs::remove_file(project.dir.join("landfall.toml")).expect("it was just written");
    let from = root().join("crates/import/tests/fixtures").join(name);
    let copied = std::process::Command::new("cp").arg("-R").arg(from.join(".")).arg(&project.dir).status();
    assert!(copied.expect("cp runs").success());
    project
}

/// No planted secret is in anything that was printed or written.
#[track_caller]
fn keeps_secrets(project: &Project, ran: Ran) -> Ran {
    assert!(!ran.all().contains("planted"), "{}", ran.all());
    assert!(!project.read("landfall.toml").contains("planted"), "{}", project.read("landfall.toml"));
    ran
}

#[test]
fn from_compose() {
    let project = fixture("compose-shop");
    let ran = keeps_secrets(&project, project.run(&["init", "--from", "docker-compose.yml"]).expect(0));
    let said = ran.all();
    assert!(said.contains("`landfall secrets set database-url`"), "{said}");
    assert!(said.contains("docker-compose.yml:73: `volumes` of `api`"), "{said}");
    assert!(said.contains("backend/.env:6:"), "a line that says nothing is listed: {said}");
    project.run(&["show"]).expect(0);
    let blueprint = project.run(&["blueprint"]).expect(0);
    assert!(!blueprint.all().contains("planted"), "{}", blueprint.all());
    let shown = project.run(&["show", "--json"]).expect(0).json();
    assert_eq!(shown["app"]["services"]["api"]["port"], 8000, "{shown:#}");

    let kept = project.read("landfall.toml");
    let again = project.run(&["init", "--from", "docker-compose.yml"]).expect(4);
    assert!(again.stderr.contains("--force"), "{}", again.all());
    assert_eq!(project.read("landfall.toml"), kept);
    project.run(&["init", "--from", "docker-compose.yml", "--force", "--app", "other"]).expect(0);
    assert!(project.read("landfall.toml").contains("app    = \"other\""));
}

#[test]
fn a_folder_is_looked_through() {
    // Without `--from`: the folder's own files, and nothing of what they lead out of it to.
    let project = fixture("compose-forms");
    project.write("fly.toml", "app = \"other\"\n");
    let ran = project.run(&["init", "--json", "--region", "northeurope"]).expect(0).json();
    assert_eq!(ran["from"]["format"], "compose", "{ran:#}");
    assert_eq!(ran["from"]["files"], serde_json::json!(["compose.yaml", "common.yaml"]), "{ran:#}");
    assert_eq!(ran["from"]["passedOver"], serde_json::json!(["fly.toml"]), "{ran:#}");
    assert!(ran["notCarriedOver"].as_array().is_some_and(|list| list.len() > 10), "{ran:#}");
    assert_eq!(ran["secrets"][0]["name"], "api-token", "{ran:#}");
    assert!(project.read("landfall.toml").contains("northeurope"));
    project.run(&["show"]).expect(0);
}

#[test]
fn from_every_other_format() {
    for (name, from, service) in [
        ("azd-todo", "azure.yaml", "web"),
        ("azd-composed", "azure.yaml", "assistant-api"),
        ("fly", "fly.toml", "web"),
        ("procfile", "Procfile", "worker"),
        ("server", ".", "chatbot-api"),
        ("server", "etc", "chatbot-worker"),
    ] {
        let project = fixture(name);
        let ran = keeps_secrets(&project, project.run(&["init", "--json", "--from", from]).expect(0)).json();
        let services = ran["services"].as_array().expect("services");
        assert!(services.iter().any(|known| known == service), "{name}: {ran:#}");
        project.run(&["show"]).expect(0);
        project.run(&["blueprint"]).expect(0);
    }
}

#[test]
fn the_source_fills_in_what_a_file_leaves_open() {
    let project = fixture("azd-todo");
    project.write("docs/index.html", "<!doctype html><title>x</title>\n");
    project.run(&["init"]).expect(0);
    let manifest = project.read("landfall.toml");
    let docs = manifest.split("[service.docs]").nth(1).expect("docs").split("\n\n").next().expect("a table");
    assert!(docs.contains("port") || docs.contains("static-web-app"), "{manifest}");
    assert!(manifest.contains("there is no folder `src/admin` here"), "{manifest}");
}

#[test]
fn mistakes_come_all_at_once_and_nothing_is_written() {
    let project = fixture("server");
    project.write("etc/nginx/sites-available/broken", "server {\n  listen 80\n}\n");
    project.write("etc/systemd/system/odd.service", "[Service]\nthis is nothing\n");
    let ran = project.run(&["init"]).expect(2);
    assert!(ran.stderr.contains("etc/nginx/sites-available/broken:2: a `;` is missing"), "{}", ran.all());
    assert!(ran.stderr.contains("etc/systemd/system/odd.service:2:"), "{}", ran.all());
    assert!(!project.dir.join("landfall.toml").exists());

    let project = fixture("compose-forms");
    project.write("compose.yaml", "services:\n  a: {image: x}\n  a: {image: y}\n");
    let ran = project.run(&["init", "--from", "compose.yaml"]).expect(2);
    assert!(ran.stderr.contains("compose.yaml:3: `a` stands twice, first on line 2"), "{}", ran.all());
    let ran = project.run(&["init", "--from", "missing.yaml"]).expect(2);
    assert!(ran.stderr.contains("missing.yaml"), "{}", ran.all());
    project.write("notes.txt", "");
    let ran = project.run(&["init", "--from", "notes.txt"]).expect(2);
    assert!(ran.stderr.contains("fly.toml"), "it names what it knows: {}", ran.all());
}

#[test]
fn files_outside_of_the_folder_are_not_read() {
    let project = fixture("compose-forms");
    let outside = project.dir.parent().expect("a folder above").join("outside.env");
    std::fs::write(&outside, "PLAIN=planted\n").expect("it can be written");
    std::os::unix::fs::symlink(&outside, project.dir.join("link.env")).expect("a link can be made");
    project.write(
        "compose.yaml",
        "services:\n  a:\n    image: x/y:1\n    env_file: [../outside.env, link.env, /etc/hostname]\n",
    );
    let ran = keeps_secrets(&project, project.run(&["init", "--from", "compose.yaml"]).expect(0));
    assert!(ran.stderr.contains("outside.env"), "what was not read is listed: {}", ran.all());
}
