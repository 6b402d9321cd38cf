//! Each way to sign in, and what is said when none works.
//!
//! Ways that read the process's own environment run in a child: this test binary, started again for one test.

use crate::server::{CLIENT, Seen, Server, TENANT, entra, json, jwt, reply};
use landfall_azure::{Class, Credential, Federation, Login, credential};
use secrecy::ExposeSecret;
use serde_json::json;
use std::os::unix::fs::PermissionsExt;
use std::process::Command;

const SCOPE: &str = "https://arm.example/.default";

async fn sign_in(credential: &Credential) -> Result<String, landfall_azure::Error> {
    credential.token(SCOPE).await.map(|token| token.expose_secret().to_string())
}

#[tokio::test]
async fn a_service_principal_by_its_secret() {
    let server = Server::start(|seen: &Seen| entra(seen).unwrap_or_else(|| reply(404))).await;
    let credential = server.credential();
    assert_eq!(sign_in(&credential).await.unwrap(), jwt(SCOPE, "1"));
    // Asked at the same time, by many, it is one request.
    let all =
        futures::future::join_all((0..20).map(|_| credential.token("https://other.example/.default"))).await;
    assert!(all.iter().all(Result::is_ok));
    let seen = server.all();
    assert_eq!(seen.len(), 2);
    let form = seen[0].form();
    assert_eq!(form["client_id"], CLIENT);
    assert_eq!(form["client_secret"], "planted-client-secret");
    assert_eq!(form["grant_type"], "client_credentials");
    assert!(!format!("{credential:?}").contains("planted"));
}

#[tokio::test]
async fn a_refused_secret_says_what_entra_says_and_never_the_secret() {
    let server = Server::start(|_| {
        json(401, json!({"error": "invalid_client", "error_codes": [7000215], "trace_id": "t-1",
            "error_description": "AADSTS7000215: Invalid client secret provided. Trace ID: t-1 Timestamp: x"}))
    })
    .await;
    let error = sign_in(&server.credential()).await.unwrap_err();
    assert_eq!(error.to_string(), "Invalid client secret provided. (AADSTS7000215, HTTP 401)");
    assert_eq!(
        (error.class(), error.request_id(), error.may_have_acted()),
        (Class::Fatal, Some("t-1"), false)
    );
    assert!(error.remedy().unwrap().contains("*value*"));
    assert!(!format!("{error:?}").contains("planted"));
    assert_eq!(server.all().len(), 1);
}

#[tokio::test]
async fn a_service_principal_by_federation() {
    let server = Server::start(|seen: &Seen| {
        if seen.path == "/github" {
            assert_eq!(seen.header("authorization"), "Bearer planted-request-token");
            assert_eq!(seen.query, "x=1&audience=api://AzureADTokenExchange");
            return json(200, json!({"value": "from-github"}));
        }
        entra(seen).unwrap_or_else(|| reply(404))
    })
    .await;
    let file = server.folder().join("token");
    std::fs::write(&file, "from-file\n").unwrap();
    let github = Federation::GitHubActions {
        url: format!("https://localhost:{}/github?x=1", server.port),
        token: "planted-request-token".to_string().into(),
    };
    for (assertion, expected) in [
        (Federation::Token("itself".to_string().into()), "itself"),
        (Federation::File(file.clone()), "from-file"),
        (github, "from-github"),
    ] {
        let login = Login::Federated { tenant: TENANT.into(), client: CLIENT.into(), assertion };
        sign_in(&credential(&server.cloud(), login).unwrap()).await.unwrap();
        let form = server.all().last().unwrap().form();
        assert_eq!(form["client_assertion"], expected);
        assert_eq!(form["client_assertion_type"], "urn:ietf:params:oauth:client-assertion-type:jwt-bearer");
    }
    let absent = Login::Federated {
        tenant: TENANT.into(),
        client: CLIENT.into(),
        assertion: Federation::File(server.folder().join("absent")),
    };
    let error = sign_in(&credential(&server.cloud(), absent).unwrap()).await.unwrap_err();
    assert!(error.to_string().contains("cannot read the token file"), "{error}");
}

#[tokio::test]
async fn entra_out_of_order_is_tried_again_and_then_told() {
    let mut asked = 0;
    let server = Server::start(move |seen: &Seen| {
        asked += 1;
        if asked < 3 { reply(503) } else { entra(seen).unwrap_or_else(|| reply(404)) }
    })
    .await;
    sign_in(&server.credential()).await.unwrap();
    assert_eq!(server.all().len(), 3);
}

#[tokio::test]
async fn a_sign_in_service_that_is_not_there() {
    let server = Server::start(|_| reply(200)).await;
    let mut cloud = server.cloud();
    // A port that was just free, so that nothing listens on it.
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    cloud.authority = format!("https://localhost:{port}/").parse().unwrap();
    let login = Login::Secret {
        tenant: TENANT.into(),
        client: CLIENT.into(),
        secret: "planted-x".to_string().into(),
    };
    let started = std::time::Instant::now();
    let error = sign_in(&credential(&cloud, login).unwrap()).await.unwrap_err();
    assert!(started.elapsed().as_secs() < 10, "it must not wait a minute");
    assert_eq!((error.code(), error.class()), (Some("ConnectionRefused"), Class::Transient));
    assert!(error.to_string().contains(&format!("https://localhost:{port}")), "{error}");
    assert_eq!(error.remedy(), Some("start it first"));
}

/// Runs one test of this binary in a process with exactly these variables.
fn child(test: &str, variables: &[(&str, &str)]) {
    let output = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", test, "--nocapture"])
        .env_clear()
        .env("LANDFALL_TEST_CHILD", "1")
        .envs(variables.iter().copied())
        .output()
        .unwrap();
    let told = String::from_utf8_lossy(&output.stdout).to_string() + &String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{told}");
    assert!(told.contains("1 passed"), "the child ran no test: {told}");
}

fn is_child() -> bool {
    std::env::var_os("LANDFALL_TEST_CHILD").is_some()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_platforms_identity() {
    if is_child() {
        let credential = credential(
            &landfall_azure::Cloud::public(),
            Login::ManagedIdentity { client: Some(CLIENT.into()) },
        );
        assert_eq!(sign_in(&credential.unwrap()).await.unwrap(), jwt("x", "identity"));
        let auto = credential_auto();
        assert_eq!(sign_in(&auto).await.unwrap(), jwt("x", "identity"));
        return;
    }
    let server = Server::start_plain(|_| {
        json(200, json!({"access_token": jwt("x", "identity"), "token_type": "Bearer", "expires_on": "4102444800", "resource": "x"}))
    })
    .await;
    let endpoint = format!("http://127.0.0.1:{}/msi/token", server.port);
    child(
        "sign_in::the_platforms_identity",
        &[("IDENTITY_ENDPOINT", &endpoint), ("IDENTITY_HEADER", "h"), ("AZURE_CLIENT_ID", CLIENT)],
    );
    let seen = server.all();
    assert_eq!((seen[0].path.as_str(), seen[0].header("x-identity-header")), ("/msi/token", "h"));
    assert!(seen[0].query.contains(&format!("client_id={CLIENT}")), "{}", seen[0].query);
}

fn credential_auto() -> Credential {
    credential(&landfall_azure::Cloud::public(), Login::Auto).unwrap()
}

#[tokio::test]
async fn who_is_signed_in_to_az() {
    if is_child() {
        let cli = credential(&landfall_azure::Cloud::public(), Login::Cli).unwrap();
        assert_eq!(sign_in(&cli).await.unwrap(), "a.b.c");
        assert_eq!(sign_in(&credential_auto()).await.unwrap(), "a.b.c");
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let az = folder.path().join("az");
    let answer = r#"{"accessToken": "a.b.c", "expires_on": 4102444800, "tokenType": "Bearer"}"#;
    std::fs::write(&az, format!("#!/bin/sh\necho '{answer}'\n")).unwrap();
    std::fs::set_permissions(&az, std::fs::Permissions::from_mode(0o755)).unwrap();
    child("sign_in::who_is_signed_in_to_az", &[("PATH", folder.path().to_str().unwrap())]);
}

#[tokio::test]
async fn when_nothing_works_everything_tried_is_named() {
    if is_child() {
        let error = sign_in(&credential_auto()).await.unwrap_err();
        let said = error.to_string();
        for way in [
            "not signed in to Azure",
            "environment: AZURE_TENANT_ID and AZURE_CLIENT_ID are not set",
            "Azure CLI: Please run 'az login'",
            "Azure Developer CLI: ",
            "virtual machine's identity: ",
        ] {
            assert!(said.contains(way), "{way} is missing in: {said}");
        }
        assert_eq!((error.code(), error.class()), (Some("NotSignedIn"), Class::Fatal));
        assert!(error.remedy().unwrap().contains("az login"));
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let az = folder.path().join("az");
    std::fs::write(&az, "#!/bin/sh\necho \"ERROR: Please run 'az login' to setup account.\" >&2\nexit 1\n")
        .unwrap();
    std::fs::set_permissions(&az, std::fs::Permissions::from_mode(0o755)).unwrap();
    child(
        "sign_in::when_nothing_works_everything_tried_is_named",
        &[("PATH", folder.path().to_str().unwrap())],
    );
}
