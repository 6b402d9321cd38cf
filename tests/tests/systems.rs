//! The five systems, each in each of its environments: brought to local Azure whole, seen to need nothing more, and taken
//! down again.
//!
//! What the services do there is the subject of other tests; here it is what they consist of.

use std::collections::BTreeSet;

use landfall_tests::{Project, quick};

/// Deploys an example's environment, plans it again, and destroys it.
fn ashore_and_back(example: &str, environment: &str) {
    if quick() {
        return;
    }
    let project = Project::example(example);
    project.run(&["local", "start", "--speed", "0"]).expect(0);
    let here = ["--env", environment, "--local", "--yes"];
    let with = |words: &[&'static str]| -> Vec<String> {
        words.iter().chain(&here).map(|word| (*word).to_owned()).collect()
    };
    let run = |words: &[&'static str]| {
        let words = with(words);
        project.run(&words.iter().map(String::as_str).collect::<Vec<_>>()).expect(0)
    };
    for secret in secrets(&project, environment) {
        let mut words = vec!["secrets", "set", secret.as_str()];
        words.extend(here);
        project.run_with_input(&words, &format!("planted-{secret}-4be1")).expect(0);
    }
    let up = run(&["up"]);
    assert!(!up.all().contains("planted-"), "a secret is printed: {}", up.all());
    let plan = run(&["plan", "--json"]).json();
    let changes = plan["changes"].as_array().unwrap_or_else(|| panic!("{plan:#}"));
    let changed: Vec<_> = changes.iter().filter(|change| change["action"] != "none").collect();
    assert!(changed.is_empty(), "a second plan has changes: {changed:#?}");
    // It asks about all that would be lost, and goes on once that was said.
    let asked = project.run(&["destroy", "--env", environment, "--local", "--yes"]);
    let all = asked.all();
    let mut words = vec!["destroy", "--env", environment, "--local", "--yes"];
    for lost in all.split("`--allow-data-loss ").skip(1) {
        words.extend(["--allow-data-loss", lost.split('`').next().unwrap_or_default()]);
    }
    if asked.code != 0 {
        project.run(&words).expect(0);
    }
    let left = project.run(&["plan", "--env", environment, "--local", "--json"]).json();
    let there = |change: &&serde_json::Value| change["action"] != "create";
    let left: Vec<_> = left["changes"].as_array().into_iter().flatten().filter(there).collect();
    assert!(left.is_empty(), "something is left: {left:#?}");
}

/// The names of the secrets that the services of an environment need.
fn secrets(project: &Project, environment: &str) -> BTreeSet<String> {
    let shown = project.run(&["show", "--env", environment, "--json"]).expect(0).json();
    let values = shown["values"].as_array().unwrap_or_else(|| panic!("{shown:#}")).clone();
    let named = values.iter().filter(|value| {
        let path: Vec<&str> = value["path"].as_str().unwrap_or_default().split('.').collect();
        matches!(path.as_slice(), ["service", _, "secrets", _] | ["service", _, "slot", _, "secrets", _])
    });
    named.filter_map(|value| value["value"].as_str()).map(|text| text.trim_matches('"').to_owned()).collect()
}

macro_rules! ashore_and_back {
    ($($name:ident: $example:literal in $environment:literal;)*) => {$(
        #[test]
        fn $name() {
            ashore_and_back($example, $environment);
        }
    )*};
}

ashore_and_back! {
    hello_prod: "hello" in "prod";
    identity_chatbot_dev: "identity-chatbot" in "dev";
    identity_chatbot_staging: "identity-chatbot" in "staging";
    identity_chatbot_prod: "identity-chatbot" in "prod";
    talenti_dev: "talenti" in "dev";
    talenti_staging: "talenti" in "staging";
    deploy_service_dev: "deploy-service" in "dev";
    deploy_service_prod: "deploy-service" in "prod";
    voice_assistant_dev: "voice-assistant" in "dev";
    voice_assistant_prod: "voice-assistant" in "prod";
}
