//! Applications that nobody here wrote, deployed from ordinary `requirements.txt` and `package.json`.

use std::process::Command;

use landfall_tests::{Project, get, quick, skip};

/// Whether a tool is there; says what is skipped where not.
fn has(tool: &str) -> bool {
    let there = Command::new(tool).arg("--version").output().is_ok_and(|output| output.status.success());
    if !there {
        skip(&format!("{tool} is not installed"));
    }
    there
}

/// Deploys an example and gives what `path` answers.
fn deployed(name: &str, path: &str) -> (Project, String) {
    let project = Project::example(name);
    let ran = project.run(&["up", "--local", "--yes"]).expect(0);
    assert!(ran.stdout.contains("http://127.0.0.1:"), "{}", ran.all());
    let (status, body) = get(&format!("{}{path}", project.url())).expect("the address answers");
    assert_eq!(status, 200, "{body}");
    project.up("unchanged");
    (project, body)
}

#[test]
fn datasette_a_python_web_application() {
    if quick() || !has("python3") {
        return;
    }
    let (_project, body) = deployed("datasette", "/-/versions.json");
    assert!(body.contains("\"datasette\""), "{body}");
}

#[test]
fn verdaccio_a_node_server() {
    if quick() || !has("node") || !has("npm") {
        return;
    }
    let (_project, body) = deployed("verdaccio", "/");
    assert!(body.to_lowercase().contains("verdaccio"), "{body}");
}

#[test]
fn a_static_site_built_by_vite() {
    if quick() || !has("node") || !has("npm") {
        return;
    }
    let (project, body) = deployed("vite-site", "/");
    // The page refers to files whose names carry a hash, which only the build knows.
    let script = body.split('"').find(|word| word.starts_with("/assets/") && word.ends_with(".js"));
    let script = script.unwrap_or_else(|| panic!("no built script in {body}"));
    let (status, _) = get(&format!("{}{script}", project.url())).expect("the script answers");
    assert_eq!(status, 200);
}
