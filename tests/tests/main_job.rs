//! The main job on local Azure: from `landfall.toml` to a running application, and what comes after.

use std::time::Duration;

use landfall_tests::{Load, Project, get, wait_for};
use serde_json::Value;

/// A debug build on a busy machine; a release build stays below one second, as the README shows.
const UNCHANGED_MAX: Duration = Duration::from_secs(3);

#[test]
fn up_changes_and_destroy() {
    let project = Project::example("hello");
    first_up(&project);
    unchanged(&project);
    new_source_without_a_failed_request(&project);
    scale_in_place(&project);
    a_secret_reaches_the_app(&project);
    looks(&project);
    destroy_and_the_name_that_stays(&project);
}

fn first_up(project: &Project) {
    let ran = project.run(&["up", "--local", "--yes"]).expect(0);
    // The plan, then the address.
    for address in ["resourceGroup.main", "registry.main", "vault.main", "containerApp.web", "identity.web"] {
        assert!(ran.stdout.contains(address), "{address} is not in the plan: {}", ran.all());
    }
    assert!(ran.stdout.contains("http://127.0.0.1:"), "{}", ran.all());
    let (status, body) = get(&project.url()).expect("the address answers");
    assert_eq!(status, 200, "{body}");
    assert!(body.to_lowercase().contains("hello"), "{body}");
}

fn unchanged(project: &Project) {
    let ran = project.run(&["up", "--local", "--yes"]).expect(0);
    assert!(ran.stdout.contains("nothing to change"), "{}", ran.all());
    assert!(ran.took < UNCHANGED_MAX, "took {:?}", ran.took);
    let plan = project.run(&["plan", "--local", "--json"]).expect(0).json();
    let changes = plan["changes"].as_array().expect("changes");
    assert!(changes.iter().all(|change| change["action"] == "none"), "{plan:#}");
    assert_eq!(project.run(&["plan", "--local", "--detailed-exitcode"]).code, 0);
}

fn new_source_without_a_failed_request(project: &Project) {
    let url = project.url();
    let (_, before) = get(&url).expect("the address answers");
    project.edit("src/main.rs", "\"1.0.0\"", "\"2.0.0\"");
    assert_eq!(project.run(&["plan", "--local", "--detailed-exitcode"]).code, 2);
    let load = Load::start(&url, 50);
    project.up("done");
    wait_for("the new version answers", Duration::from_secs(10), || match get(&url) {
        Ok((200, body)) if body != before => Ok(()),
        other => Err(format!("{other:?}")),
    });
    std::thread::sleep(Duration::from_secs(1));
    let counted = load.stop();
    assert!(
        counted.failed.is_empty(),
        "{} of {} failed: {:?}",
        counted.failed.len(),
        counted.sent,
        counted.failed.first()
    );
    assert!(counted.sent > 50, "the load ran: {}", counted.sent);
    assert_eq!(counted.bodies.len(), 2, "the old answer, then the new one: {:?}", counted.bodies);
}

fn scale_in_place(project: &Project) {
    let image = image(project);
    let manifest = project.read("landfall.toml");
    project.write("landfall.toml", &format!("{manifest}scale  = {{ max = 7 }}\n"));
    let plan = project.run(&["plan", "--local", "--json"]).expect(0).json();
    let changed: Vec<&Value> = plan["changes"]
        .as_array()
        .into_iter()
        .flatten()
        .filter(|change| change["action"] != "none")
        .collect();
    assert_eq!(changed.len(), 1, "{changed:#?}");
    assert_eq!(
        (changed[0]["address"].as_str(), changed[0]["action"].as_str()),
        (Some("containerApp.web"), Some("update"))
    );
    let paths: Vec<&str> = changed[0]["properties"]
        .as_array()
        .into_iter()
        .flatten()
        .filter_map(|property| property["path"].as_str())
        .collect();
    assert!(paths.contains(&"properties.template.scale.maxReplicas"), "{paths:?}");
    let ran = project.run(&["up", "--local", "--yes", "--json"]);
    assert_eq!(ran.result()["outcome"], "done", "{}", ran.all());
    assert!(!ran.lines().iter().any(|event| event["kind"] == "build"), "nothing is built: {}", ran.all());
    assert_eq!(self::image(project), image);
    project.up("unchanged");
}

fn image(project: &Project) -> String {
    let status = project.run(&["status", "--local", "--json"]).expect(0).json();
    let image = status["services"][0]["revisions"][0]["image"].as_str().expect("an image").to_owned();
    assert!(image.contains("@sha256:"), "images are named by digest: {image}");
    image
}

fn a_secret_reaches_the_app(project: &Project) {
    let manifest = project.read("landfall.toml");
    project.write("landfall.toml", &format!("{manifest}secrets = {{ GREETING = \"greeting\" }}\n"));
    // Without a value the deployment is refused before it begins.
    let refused = project.run(&["up", "--local", "--yes"]).expect(1);
    assert!(refused.stderr.contains("`greeting` has no value"), "{}", refused.all());
    assert!(refused.stderr.contains("landfall secrets set greeting"), "{}", refused.all());

    let revision = revision(project);
    project.run_with_input(&["secrets", "set", "greeting", "--local", "--yes"], "Ahoy\n").expect(0);
    project.run(&["up", "--local", "--yes"]).expect(0);
    let (_, body) = get(&project.url()).expect("the address answers");
    assert!(body.contains("Ahoy"), "{body}");
    assert_ne!(self::revision(project), revision, "a new revision");

    let revision = self::revision(project);
    let set = project.run_with_input(&["secrets", "set", "greeting", "--local", "--yes"], "Moin").expect(0);
    assert!(!set.all().contains("Moin"), "a value is never printed: {}", set.all());
    let (_, body) = get(&project.url()).expect("the address answers");
    assert!(body.contains("Moin"), "a new value comes with a new revision: {body}");
    assert_ne!(self::revision(project), revision, "a new revision");

    let list = project.run(&["secrets", "list", "--local", "--json"]).expect(0);
    assert!(list.stdout.contains("greeting") && !list.stdout.contains("Moin"), "{}", list.all());
    project.up("unchanged");
    let group = resource(project, "resourceGroup.main")["name"].as_str().expect("a name").to_owned();
    let workspace = resource(project, "workspace.main")["name"].as_str().expect("a name").to_owned();
    let subscription =
        project.env().into_iter().find(|(name, _)| name == "SUBSCRIPTION_ID").expect("it is told").1;
    let keys = project.arm(
        "POST",
        &format!("/subscriptions/{subscription}/resourceGroups/{group}/providers/Microsoft.OperationalInsights/workspaces/{workspace}/sharedKeys?api-version=2025-02-01"),
        None,
    );
    let key = keys["primarySharedKey"].as_str().unwrap_or_else(|| panic!("{keys}"));
    project.keeps_no_value(&["Ahoy", "Moin", key]);
    let saved = project.dir.join("plan.lf").display().to_string();
    let plan = project.run(&["plan", "--local", "--json", "--out", &saved]).expect(0);
    let shown = format!("{}{}", plan.all(), project.read("plan.lf"));
    assert!(!shown.contains("Moin") && !shown.contains(key), "plans hold no secret");
}

fn revision(project: &Project) -> String {
    let status = project.run(&["status", "--local", "--json"]).expect(0).json();
    status["services"][0]["revisions"][0]["name"].as_str().expect("a revision").to_owned()
}

fn looks(project: &Project) {
    let status = project.run(&["status", "--local"]).expect(0);
    assert!(status.stdout.contains("Healthy") && status.stdout.contains("100 %"), "{}", status.all());
    let logs = project.run(&["logs", "--local"]).expect(0);
    assert!(logs.stdout.contains("listens on port"), "{}", logs.all());
    let open = project.run(&["open", "--local", "--print"]).expect(0);
    assert!(open.stdout.starts_with("http://127.0.0.1:"), "{}", open.all());
    let runs = project.run(&["runs", "show", "--local", "--json"]).expect(0).json();
    assert!(
        runs["operations"].as_array().is_some_and(|all| all.iter().any(|one| one["critical"] == true)),
        "{runs:#}"
    );
    follow(project);
}

/// `logs -f` goes on printing what comes.
fn follow(project: &Project) {
    use std::io::{BufRead as _, BufReader};
    let mut child = project.spawn(&["logs", "-f", "--local"]);
    let lines = BufReader::new(child.stdout.take().expect("it is piped"));
    let (send, receive) = std::sync::mpsc::channel();
    let reading = std::thread::spawn(move || {
        lines.lines().map_while(Result::ok).for_each(|line| drop(send.send(line)))
    });
    let first = receive.recv_timeout(Duration::from_secs(20)).expect("past lines come first");
    assert!(!first.is_empty());
    child.kill().expect("it can be ended");
    child.wait().expect("it ends");
    reading.join().expect("the reader ends");
}

fn destroy_and_the_name_that_stays(project: &Project) {
    let refused = project.run(&["destroy", "--local"]).expect(4);
    assert!(refused.stderr.contains("--yes"), "{}", refused.all());
    project.run(&["destroy", "--local", "--yes"]).expect(0);
    let again = project.run(&["destroy", "--local", "--yes"]).expect(0);
    assert!(again.stdout.contains("nothing of hello/dev is there"), "{}", again.all());

    // The vault's name stays taken, which the next `up` says before it begins.
    let refused = project.run(&["up", "--local", "--yes"]).expect(4);
    assert!(refused.stderr.contains("--soft-deleted recover"), "{}", refused.all());
    assert!(!refused.stderr.contains("begun"), "nothing was begun: {}", refused.all());

    // Recovered, the vault still has the secret; its new revision starts with it.
    project.run(&["up", "--local", "--yes", "--soft-deleted", "recover"]).expect(0);
    let (_, body) = get(&project.url()).expect("the address answers");
    assert!(body.contains("Moin"), "the recovered vault has its secret: {body}");

    project.run(&["destroy", "--local", "--yes", "--purge"]).expect(4);
    let vault = vault_name(project);
    project.run(&["destroy", "--local", "--yes", "--purge", "--allow-data-loss", &vault]).expect(0);
    project.edit("landfall.toml", "secrets = { GREETING = \"greeting\" }\n", "");
    project.up("done");
}

fn vault_name(project: &Project) -> String {
    resource(project, "vault.main")["name"].as_str().expect("a name").to_owned()
}

/// A row of `status`.
fn resource(project: &Project, address: &str) -> Value {
    let status = project.run(&["status", "--local", "--json"]).expect(0).json();
    let rows = status["resources"].as_array().cloned().unwrap_or_default();
    rows.into_iter()
        .find(|row| row["address"] == address)
        .unwrap_or_else(|| panic!("no {address}: {status:#}"))
}
