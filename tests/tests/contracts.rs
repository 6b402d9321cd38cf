//! What programs rely on: the last line of every run, one document of every other command, exit codes; and manifests
//! that change under an application's feet.

use std::io::{BufRead as _, BufReader};
use std::process::Stdio;

use landfall_tests::Project;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::Value;

/// An application that nothing has to be built for.
const READY_MADE: &str = r#"app    = "tide"
region = "westeurope"

[service.web]
host  = "container-apps"
image = "mcr.microsoft.com/k8se/quickstart:latest"
port  = 80
"#;

/// Asserts exit code and outcome of a run; every one ends in a line of the same shape.
#[track_caller]
fn ends(project: &Project, args: &[&str], code: i32, outcome: &str) -> Value {
    let ran = project.run(args).expect(code);
    let result = ran.result();
    assert_eq!(result["outcome"], outcome, "{}", ran.all());
    assert_eq!(result["schema"], 1, "{}", ran.all());
    assert!(result["urls"].is_array() && result.get("run").is_some(), "{}", ran.all());
    result
}

/// Starts a run, sends it a signal when a line contains `moment`, and gives its last line and exit code.
fn signalled(project: &Project, args: &[&str], moment: &str, signal: Signal) -> (Option<Value>, Option<i32>) {
    let mut child =
        project.command(args).stdout(Stdio::piped()).stderr(Stdio::null()).spawn().expect("landfall starts");
    let pid = Pid::from_raw(i32::try_from(child.id()).expect("a process id"));
    let mut last = None;
    let mut sent = false;
    for line in BufReader::new(child.stdout.take().expect("it is piped")).lines() {
        let line = line.expect("it prints text");
        if !sent && line.contains(moment) {
            kill(pid, signal).expect("it can be told");
            sent = true;
        }
        last = serde_json::from_str(&line).ok();
    }
    assert!(sent, "{moment} was never printed; at last {last:?}");
    (last, child.wait().expect("it ends").code())
}

#[test]
fn every_run_ends_in_a_result() {
    let project = Project::with_manifest("tide", READY_MADE);
    ends(&project, &["resume", "--local", "--json"], 0, "unchanged");
    ends(&project, &["destroy", "--local", "--json"], 0, "unchanged");

    // Cancelled: what Azure had accepted is followed, the last line still comes.
    let up = ["up", "--local", "--json"];
    let (result, code) = signalled(&project, &up, "\"accepted\"", Signal::SIGINT);
    let result = result.expect("the last line is JSON");
    assert_eq!((result["event"].as_str(), code), (Some("result"), Some(130)), "{result}");
    assert_eq!(result["outcome"], "cancelled");

    let done = ends(&project, &up, 0, "done");
    assert!(
        done["run"].is_string() && done["urls"].as_array().is_some_and(|urls| !urls.is_empty()),
        "{done}"
    );
    ends(&project, &up, 0, "unchanged");

    // Refused: nobody is there to ask.
    let refused = ends(&project, &["destroy", "--local", "--json"], 4, "refused");
    assert!(refused["error"]["help"].as_str().is_some_and(|help| help.contains("--yes")), "{refused}");

    // Failed, in the run itself.
    project.edit("landfall.toml", "mcr.microsoft.com/k8se/quickstart:latest", "nowhere.invalid/none:1");
    let failed = ends(&project, &up, 1, "failed");
    assert!(failed["failures"][0]["failure"]["message"].is_string(), "{failed}");
    project.write("landfall.toml", READY_MADE);
    ends(&project, &up, 0, "done");

    // Killed while it deletes: what is gone then is no drift, and the vault's name is a question.
    let destroy = ["destroy", "--local", "--yes", "--json"];
    let (_, code) = signalled(&project, &destroy, "\"accepted\"", Signal::SIGKILL);
    assert_eq!(code, None);
    let refused = project.run(&["up", "--local", "--yes", "--json"]).expect(4);
    assert_eq!(refused.result()["outcome"], "refused");
    assert!(refused.stdout.contains("\"cause\":\"intent\""), "{}", refused.all());
    assert!(!refused.stdout.contains("\"cause\":\"drift\""), "{}", refused.all());
    assert!(refused.stderr.contains("--soft-deleted recover"), "{}", refused.all());
    ends(&project, &["up", "--local", "--yes", "--json", "--soft-deleted", "recover"], 0, "done");
}

#[test]
fn another_region_or_naming_makes_no_second_copy() {
    let project = Project::with_manifest("tide", READY_MADE);
    project.up("done");
    for (from, to) in
        [("westeurope", "northeurope"), ("\n[service", "naming = \"{type}-{app}-{env}\"\n\n[service")]
    {
        project.edit("landfall.toml", from, to);
        let plan = project.run(&["plan", "--local"]).expect(0);
        assert!(plan.stderr.contains("rg-tide-dev-weu") && !plan.stdout.contains("drift"), "{}", plan.all());
        let refused = ends(&project, &["up", "--local", "--yes", "--json"], 4, "refused");
        let error = &refused["error"];
        assert!(error["message"].as_str().is_some_and(|text| text.contains("rg-tide-dev-weu")), "{refused}");
        assert!(
            error["help"].as_str().is_some_and(|text| text.contains("landfall destroy --local")),
            "{refused}"
        );
        project.write("landfall.toml", READY_MADE);
    }
    project.up("unchanged");
}

#[test]
fn secrets_set_is_one_document_also_before_the_first_deployment() {
    let manifest = format!("{READY_MADE}secrets = {{ TOKEN = \"token\" }}\n");
    let project = Project::with_manifest("tide", &manifest);
    let set = ["secrets", "set", "token", "--local", "--json"];
    let first = project.run_with_input(&set, "one\n").expect(0).json();
    assert_eq!(
        (&first["schema"], &first["services"][0], &first["run"]),
        (&1.into(), &"web".into(), &Value::Null)
    );
    project.up("done");
    let second = project.run_with_input(&set, "two").expect(0).json();
    assert!(second["run"].is_string() && second["version"] != first["version"], "{second}");
    for (value, says) in [("", "empty"), ("\n", "empty"), (&"x".repeat(25 * 1024 + 1), "25600")] {
        let refused = project.run_with_input(&set, value).expect(2);
        assert!(
            refused.json()["error"]["message"].as_str().is_some_and(|text| text.contains(says)),
            "{}",
            refused.all()
        );
    }
    let name = project.run_with_input(&["secrets", "set", "no_such", "--local"], "x").expect(2);
    assert!(name.stderr.contains("hyphens"), "{}", name.all());
}

#[test]
fn a_plan_saved_beside_the_source_and_a_service_with_another_name() {
    let project = Project::with_manifest(
        "site",
        "app = \"site\"\nregion = \"westeurope\"\n[service.web]\nhost = \"container-apps\"\nsource = \".\"\nport = 8080\n",
    );
    project.write("index.html", "<p>ashore</p>");
    project.up("done");
    project.edit("landfall.toml", "port = 8080", "port = 8080\nscale = { max = 4 }");
    let file = project.dir.join("plan.json");
    let file = file.to_str().expect("the path is text");
    project.run(&["plan", "--local", "--out", file]).expect(0);
    ends(&project, &["apply", file, "--json"], 0, "done");
    // The world is another one now.
    let moved = ends(&project, &["apply", file, "--json"], 4, "refused");
    assert!(moved["error"]["help"].as_str().is_some_and(|help| help.contains("--out")), "{moved}");
    project.up("unchanged");

    // The old service goes, with its identity and that identity's roles.
    project.edit("landfall.toml", "service.web", "service.pages");
    project.up("done");
    let status = project.run(&["status", "--local", "--json"]).expect(0).json();
    let group = status["resources"][0]["name"].as_str().expect("the group's name").to_owned();
    let subscription =
        project.env().into_iter().find(|(name, _)| name == "SUBSCRIPTION_ID").expect("it is told").1;
    let group = format!("/subscriptions/{subscription}/resourceGroups/{group}");
    let listed = project.arm("GET", &format!("{group}/resources?api-version=2024-11-01"), None);
    assert!(!listed.to_string().contains("-web-"), "{listed:#}");
    let roles = project.arm(
        "GET",
        &format!("{group}/providers/Microsoft.Authorization/roleAssignments?api-version=2022-04-01"),
        None,
    );
    // Roles further up are listed too.
    let ours = roles["value"]
        .as_array()
        .into_iter()
        .flatten()
        .filter(|role| role["id"].as_str().is_some_and(|id| id.starts_with(&format!("{group}/"))));
    assert_eq!(ours.count(), 1, "one service, one role: {roles:#}");
}
