//! The first system, end to end: from its manifest to tickets and transcripts on local Azure.
//!
//! The build room makes release builds, minutes of work for a service of this size: how it builds is the examples' proof.
//! Here it is given the program that cargo has already made; a single program is a source too.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use landfall_tests::servers::{Postgres, free_port};
use landfall_tests::{Project, Ran, block, call_tickets, finish, wait_for};
use serde_json::{Value, json};

const SECRET: &str = "planted-webhook-secret-7c1f";
const TOKEN: &str = "planted-operator-token-93ab";
const CALLS: usize = 20;
/// Storage Blob Data Reader.
const READER: &str = "2a2b9908-6ea1-4ae2-8e65-a410df84e7d1";

#[test]
fn calls_become_tickets_through_the_deployed_address() {
    let project = Project::example("call-tickets");
    std::fs::copy(call_tickets(), project.dir.join("call-tickets")).expect("a program can be copied");
    project.edit("landfall.toml", "\"../../apps/call-tickets\"", "\"call-tickets\"");
    let mut ran = vec![
        set(&project, "elevenlabs-webhook-secret", SECRET),
        set(&project, "call-tickets-token", TOKEN),
        project.run(&["up", "--local", "--yes"]).expect(0),
    ];
    let url = project.url();
    ran.push(simulate(&url));

    let calls = operator(&url, "/calls?limit=100");
    let calls = calls["calls"].as_array().expect("calls");
    assert_eq!(calls.len(), CALLS, "{calls:#?}");
    let transcripts = transcripts(&project);
    assert_eq!(transcripts.matches("<Name>").count(), CALLS, "{transcripts}");
    for call in calls {
        let stored = call["stored"].as_str().unwrap_or_else(|| panic!("{call:#}"));
        assert!(transcripts.contains(&format!("<Name>{stored}</Name>")), "{stored} in {transcripts}");
        assert_eq!(call["outcome"], "ticketed", "{call:#}");
    }
    ran.push(project.run(&["logs", "--local"]));
    for printed in &ran {
        assert!(!printed.all().contains("planted-"), "a secret is printed: {}", printed.all());
    }
    project.keeps_no_value(&[SECRET, TOKEN]);
}

/// Several replicas, a queue in PostgreSQL, a TOPdesk elsewhere, and a model that nobody can reach.
#[test]
fn replicas_share_a_queue_in_postgresql() {
    let Some(database) = Postgres::start() else { return };
    let desk = Desk::start();
    let project = Project::example("call-tickets");
    std::fs::copy(call_tickets(), project.dir.join("call-tickets")).expect("a program can be copied");
    project.edit("landfall.toml", "\"../../apps/call-tickets\"", "\"call-tickets\"");
    // ElevenLabs' addresses alone may call what is deployed otherwise.
    let open = "[environment.staging.service.web]\ningress = { allow = [] }\nscale = { min = 2 }\n\n";
    let secrets = "[environment.staging.service.web.secrets]";
    project.edit("landfall.toml", secrets, &format!("{open}{secrets}"));
    let staging = ["--env", "staging", "--local", "--yes"];
    for (secret, value) in [
        ("elevenlabs-webhook-secret", SECRET),
        ("call-tickets-token", TOKEN),
        ("call-tickets-store", &database.url()),
        ("topdesk-url", &desk.url),
        ("topdesk-username", "call-tickets"),
        ("topdesk-password", "fake-application-password"),
        ("openai-api-key", "planted-model-key"),
    ] {
        project.run_with_input(&[&["secrets", "set", secret], &staging[..]].concat(), value).expect(0);
    }
    project.run(&[&["up"], &staging[..]].concat()).expect(0);
    let status = project.run(&["status", "--env", "staging", "--local", "--json"]).expect(0).json();
    let web = &status["services"][0];
    assert_eq!(web["revisions"][0]["replicas"], 2, "{web:#}");
    let url = web["urls"][0].as_str().expect("an address");
    simulate(url);
    let calls = operator(url, "/calls?limit=100");
    let numbers: BTreeSet<&str> =
        calls["calls"].as_array().into_iter().flatten().filter_map(|call| call["number"].as_str()).collect();
    assert_eq!(numbers.len(), CALLS, "a ticket of its own for each call: {calls:#}");
}

/// The stand-in for TOPdesk that a demonstration of the service brings with it.
struct Desk {
    url: String,
    service: Child,
    _data: tempfile::TempDir,
}

impl Desk {
    fn start() -> Desk {
        let data = tempfile::tempdir().expect("a temporary folder can be made");
        let mut service = Command::new(call_tickets())
            .args(["serve", "--demo", "--loopback", "--port", &free_port().to_string()])
            .env("STORAGE_BASE_PATH", data.path())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("the service starts");
        let printed = BufReader::new(service.stdout.take().expect("it prints"));
        let line = printed.lines().map_while(Result::ok).find(|line| line.starts_with("fake TOPdesk"));
        let line = line.expect("it says where its TOPdesk is");
        let url = line.split_whitespace().nth(2).expect("an address").to_owned();
        Desk { url, service, _data: data }
    }
}

impl Drop for Desk {
    fn drop(&mut self) {
        let _ = self.service.kill();
        let _ = self.service.wait();
    }
}

fn set(project: &Project, secret: &str, value: &str) -> Ran {
    project.run_with_input(&["secrets", "set", secret, "--local", "--yes"], value).expect(0)
}

/// Signed calls, followed to their tickets.
fn simulate(url: &str) -> Ran {
    let mut command = Command::new(call_tickets());
    command
        .args(["simulate", "--url", url, "--calls", &CALLS.to_string(), "--seed", "1", "--json"])
        .env("ELEVENLABS_WEBHOOK_SECRET", SECRET)
        .env("CALL_TICKETS_TOKEN", TOKEN);
    finish(command).expect(0)
}

/// What the operator's API answers.
fn operator(url: &str, path: &str) -> Value {
    block(async {
        let client = reqwest::Client::builder().no_proxy().build().expect("a client can be made");
        let answer = client.get(format!("{url}{path}")).bearer_auth(TOKEN).send().await.expect("it answers");
        assert_eq!(answer.status(), 200);
        answer.json().await.expect("it answers JSON")
    })
}

/// The listing of the account's container, once the reader's role has come into effect.
fn transcripts(project: &Project) -> String {
    let status = project.run(&["status", "--local", "--json"]).expect(0).json();
    let named = |address: &str| {
        let row = status["resources"].as_array().into_iter().flatten().find(|row| row["address"] == address);
        row.and_then(|row| row["name"].as_str()).unwrap_or_else(|| panic!("no {address}: {status:#}"))
    };
    let name = named("storage.transcripts");
    let env: BTreeMap<String, String> = project.env().into_iter().collect();
    let subscription = format!("/subscriptions/{}", env["SUBSCRIPTION_ID"]);
    let id = format!(
        "{subscription}/resourceGroups/{}/providers/Microsoft.Storage/storageAccounts/{name}",
        named("resourceGroup.main")
    );
    let answer = project.arm(
        "PUT",
        &format!(
            "{id}/providers/Microsoft.Authorization/roleAssignments/{READER}?api-version=2022-04-01"
        ),
        Some(json!({"properties": {
            "roleDefinitionId": format!("{subscription}/providers/Microsoft.Authorization/roleDefinitions/{READER}"),
            "principalId": principal(&project.token("https://storage.azure.com")),
            "principalType": "ServicePrincipal",
        }})),
    );
    assert!(answer["id"].is_string(), "{answer:#}");
    wait_for("the container is listed", Duration::from_secs(60), || {
        match project.blobs(name, "/transcripts?restype=container&comp=list") {
            (200, listing) => Ok(listing),
            (status, why) => Err(format!("{status} {why}")),
        }
    })
}

/// Whose token this is.
fn principal(token: &str) -> String {
    let claims = token.split('.').nth(1).expect("a token has claims");
    let claims = URL_SAFE_NO_PAD.decode(claims).expect("they are base64");
    let claims: Value = serde_json::from_slice(&claims).expect("they are JSON");
    claims["oid"].as_str().expect("an object id").to_owned()
}
