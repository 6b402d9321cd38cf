//! Sending, both styles of long-running operations, paging, the shared budget, and failures on the way.

use crate::server::{FastClock, Seen, Server, arm_server, cut, entra, in_turn, json, jwt, refusal, reply};
use landfall_azure::error::Kind;
use landfall_azure::{Arm, ArmOptions, Begun, Class, Cloud, Followed, Method, Throttle, Tracking};
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

const APP: &str = "/subscriptions/s/resourceGroups/g/providers/Microsoft.App/containerApps/web";
const GROUP: &str = "/subscriptions/s/resourceGroups/g";

fn app(state: &str) -> Value {
    json!({"id": APP, "name": "web", "properties": {"provisioningState": state}})
}

#[tokio::test]
async fn a_request_carries_token_ids_and_body() {
    let server = arm_server(|_| json(200, app("Succeeded"))).await;
    let clock = FastClock::new();
    let correlation = uuid::Uuid::from_u128(5);
    let options = ArmOptions { clock: Some(clock), correlation: Some(correlation), ..ArmOptions::default() };
    let arm = Arm::new(&server.cloud(), server.credential(), options).unwrap();
    let body = json!({"location": "westeurope"});
    let begun = arm.begin(Method::Put, APP, "2026-01-01", Some(&body)).await.unwrap();
    assert_eq!(begun, Begun::Done(app("Succeeded")));
    arm.begin(Method::Post, &format!("{APP}/stop"), "2026-01-01", None).await.unwrap();
    let seen = server.seen();
    assert_eq!((seen[0].title(), seen[0].query.as_str()), (format!("PUT {APP}"), "api-version=2026-01-01"));
    assert_eq!(seen[0].json(), body);
    let audience = format!("https://localhost:{}/.default", server.port);
    assert_eq!(seen[0].header("authorization"), format!("Bearer {}", jwt(&audience, "1")));
    assert_eq!(seen[0].header("x-ms-correlation-request-id"), correlation.to_string());
    assert_eq!((seen[1].header("content-length"), seen[1].body.len()), ("0", 0));
    let ids: BTreeSet<&str> = seen.iter().map(|seen| seen.header("x-ms-client-request-id")).collect();
    assert_eq!(ids.len(), 2, "each request has an id of its own");
    assert_eq!(server.all().len(), 3, "one sign-in for all requests");
}

#[tokio::test]
async fn a_status_document_is_followed_to_the_resource() {
    let mut polls = 0;
    let server = arm_server(move |seen: &Seen| {
        let host = seen.host.clone();
        match (seen.method.as_str(), seen.path.as_str()) {
            ("PUT", _) => json(201, app("InProgress"))
                .with("azure-asyncoperation", format!("https://{host}/subscriptions/s/op/1?t=%2Fa&s=x%20y"))
                .with("retry-after", "3"),
            ("GET", "/subscriptions/s/op/1") => {
                polls += 1;
                match polls {
                    1 => refusal(404, "DeploymentNotFound", "not yet"),
                    2 => json(200, json!({"status": "InProgress", "percentComplete": 50}))
                        .with("retry-after", "2"),
                    3 => json(202, json!({"status": "Provisioning"})),
                    _ => json(200, json!({"status": "Succeeded"})),
                }
            }
            _ => json(200, app("Succeeded")),
        }
    })
    .await;
    let clock = FastClock::new();
    let done = server.arm(&clock).finish(Method::Put, APP, "2026-01-01", Some(&json!({}))).await.unwrap();
    assert_eq!(done, app("Succeeded"));
    assert_eq!(clock.sleeps().iter().map(Duration::as_secs).collect::<Vec<_>>(), [3, 5, 2, 5]);
    let seen = server.seen();
    assert_eq!(seen[1].query, "t=%2Fa&s=x%20y", "the address is used as it was given");
    assert_eq!(seen.last().unwrap().title(), format!("GET {APP}"));
}

#[tokio::test]
async fn an_operation_survives_the_process() {
    let server = arm_server(|seen: &Seen| match seen.method.as_str() {
        "DELETE" => reply(202).with(
            "location",
            format!("https://{}/subscriptions/s/operationresults/{}", seen.host, "x".repeat(3000)),
        ),
        _ => reply(204),
    })
    .await;
    let clock = FastClock::new();
    let Begun::Accepted(tracking) =
        server.arm(&clock).begin(Method::Delete, GROUP, "2024-11-01", None).await.unwrap()
    else {
        panic!("not accepted")
    };
    let journal = serde_json::to_string(&tracking).unwrap();
    let found: Tracking = serde_json::from_str(&journal).unwrap();
    assert_eq!(server.arm(&clock).follow(&found).await.unwrap(), Followed::Done(Value::Null));
}

#[tokio::test]
async fn a_location_that_moves_and_a_removal_by_absence() {
    let server = arm_server(|seen: &Seen| match (seen.method.as_str(), seen.path.as_str()) {
        ("PATCH", _) => reply(202).with("location", "/op/1").with("retry-after", "0"),
        ("GET", "/op/1") => reply(202).with("location", "/op/2").with("retry-after", "0"),
        ("GET", "/op/2") => json(200, app("Succeeded")),
        ("DELETE", _) => reply(202),
        ("GET", GROUP) => refusal(404, "ResourceGroupNotFound", "gone"),
        other => panic!("{other:?}"),
    })
    .await;
    let clock = FastClock::new();
    let arm = server.arm(&clock);
    assert_eq!(arm.finish(Method::Patch, APP, "1", Some(&json!({}))).await.unwrap(), app("Succeeded"));
    assert!(clock.slept() < Duration::from_secs(1), "`Retry-After: 0` is soon: {:?}", clock.slept());
    assert_eq!(arm.finish(Method::Delete, GROUP, "1", None).await.unwrap(), Value::Null);
}

#[tokio::test]
async fn an_operation_that_fails_after_it_was_accepted() {
    let server = arm_server(|seen: &Seen| match seen.method.as_str() {
        "PUT" => json(201, app("InProgress")).with("azure-asyncoperation", "/op/1"),
        _ => json(
            200,
            json!({"status": "Failed", "error": {"code": "ContainerAppOperationError", "message": "Failed to provision revision for container app 'web'.",
                "details": [{"code": "X", "message": "Unable to get value using Managed identity /x for secret db"}]}}),
        )
        .with("x-ms-request-id", "r-9"),
    })
    .await;
    let clock = FastClock::new();
    let error = server.arm(&clock).finish(Method::Put, APP, "1", Some(&json!({}))).await.unwrap_err();
    assert_eq!((error.kind(), error.class()), (Kind::Operation, Class::NotYetConsistent));
    assert_eq!((error.request_id(), error.request()), (Some("r-9"), Some(format!("PUT {APP}").as_str())));
    assert!(error.is_over() && error.may_have_acted());
    assert!(error.to_string().contains("Unable to get value"), "{error}");
    assert!(error.remedy().unwrap().contains("Key Vault Secrets User"));
}

#[tokio::test]
async fn what_changes_something_is_sent_once_and_reads_a_few_times() {
    let server = arm_server(|_| refusal(503, "ServiceUnavailable", "try later")).await;
    let clock = FastClock::new();
    let arm = server.arm(&clock);
    for method in [Method::Put, Method::Patch, Method::Delete, Method::Post] {
        let error = arm.begin(method, APP, "1", None).await.unwrap_err();
        assert_eq!((error.class(), error.may_have_acted()), (Class::Transient, true));
    }
    assert_eq!(server.seen().len(), 4);
    let error = arm.get(APP, "1").await.unwrap_err();
    assert_eq!((error.status(), error.code()), (Some(503), Some("ServiceUnavailable")));
    assert_eq!(server.seen().len(), 8, "a read is tried four times");
    assert!(clock.slept() < Duration::from_secs(5));
}

#[tokio::test]
async fn a_read_gets_over_passing_troubles() {
    let page = "<html><head><title>502 Bad Gateway</title></head></html>";
    let server = arm_server(in_turn(vec![
        cut(),
        reply(502).text(page),
        refusal(429, "TooManyRequests", "slow").with("retry-after", "4"),
        json(200, app("Succeeded")),
    ]))
    .await;
    let clock = FastClock::new();
    assert_eq!(server.arm(&clock).get(APP, "1").await.unwrap(), Some(app("Succeeded")));
    assert!(clock.slept() >= Duration::from_secs(4), "{:?}", clock.sleeps());
}

#[tokio::test]
async fn final_refusals_are_not_repeated() {
    let server =
        arm_server(|_| refusal(403, "AuthorizationFailed", "The client does not have authorization")).await;
    let clock = FastClock::new();
    let error = server.arm(&clock).get(APP, "1").await.unwrap_err();
    assert_eq!((error.class(), error.may_have_acted()), (Class::Fatal, false));
    assert!(error.remedy().unwrap().contains("Contributor"));
    assert_eq!(server.seen().len(), 1);
    assert_eq!(error.to_string(), "The client does not have authorization (AuthorizationFailed, HTTP 403)");
}

#[tokio::test]
async fn absent_is_none() {
    let server = arm_server(|_| refusal(404, "ResourceNotFound", "none")).await;
    let clock = FastClock::new();
    assert_eq!(server.arm(&clock).get(APP, "1").await.unwrap(), None);
    assert!(server.arm(&clock).list(GROUP, "1").await.unwrap().is_empty());
}

#[tokio::test]
async fn a_404_that_is_no_absence() {
    let clock = FastClock::new();
    let message = "The subscription 's' could not be found.";
    let server = arm_server(move |_| refusal(404, "SubscriptionNotFound", message)).await;
    let error = server.arm(&clock).get(APP, "1").await.unwrap_err();
    assert_eq!((error.code(), error.class()), (Some("SubscriptionNotFound"), Class::Fatal));
    assert!(error.remedy().unwrap().contains("az account list"));
    assert!(server.arm(&clock).list(GROUP, "1").await.is_err());
    let page = arm_server(|_| reply(404).text("<html><title>Nothing here</title></html>")).await;
    let error = page.arm(&clock).get(APP, "1").await.unwrap_err();
    assert_eq!(error.to_string(), "a page instead of an answer: Nothing here (HTTP 404)");
}

#[tokio::test]
async fn retry_after_holds_for_every_request_of_the_bucket() {
    let throttled = Arc::new(AtomicU32::new(1));
    let left = throttled.clone();
    let server = arm_server(move |_| {
        match left.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |n| n.checked_sub(1)) {
            Ok(_) => refusal(429, "SubscriptionRequestsThrottled", "too many").with("retry-after", "17"),
            Err(_) => json(200, app("Succeeded")),
        }
    })
    .await;
    let clock = FastClock::new();
    let throttle = Throttle::new(clock.clone());
    let client = || {
        let options = ArmOptions {
            clock: Some(clock.clone()),
            throttle: Some(throttle.clone()),
            ..ArmOptions::default()
        };
        Arm::new(&server.cloud(), server.credential(), options).unwrap()
    };
    let error = client().begin(Method::Put, APP, "1", Some(&json!({}))).await.unwrap_err();
    assert_eq!((error.class(), error.retry_after()), (Class::Throttled, Some(Duration::from_secs(17))));
    assert!(!error.may_have_acted());
    // Reads have another bucket; another client's write waits for the whole time.
    client().get(APP, "1").await.unwrap();
    assert_eq!(clock.slept(), Duration::ZERO);
    client()
        .begin(
            Method::Put,
            &format!("{GROUP}/providers/Microsoft.Storage/storageAccounts/x"),
            "1",
            Some(&json!({})),
        )
        .await
        .unwrap();
    assert!(clock.slept() >= Duration::from_secs(17), "{:?}", clock.sleeps());
}

#[tokio::test]
async fn a_lock_that_looks_like_a_limit_closes_nothing() {
    let server = arm_server(in_turn(vec![
        refusal(429, "RetryableErrorDueToAnotherOperation", "locked").with("retry-after", "10"),
        json(200, app("Succeeded")),
    ]))
    .await;
    let clock = FastClock::new();
    let arm = server.arm(&clock);
    assert_eq!(arm.begin(Method::Put, APP, "1", None).await.unwrap_err().class(), Class::Busy);
    arm.begin(Method::Put, APP, "1", None).await.unwrap();
    assert_eq!(clock.slept(), Duration::ZERO);
}

#[tokio::test]
async fn azures_count_of_what_is_left_slows_us_down() {
    let server =
        arm_server(|_| json(200, app("Succeeded")).with("x-ms-ratelimit-remaining-subscription-reads", "0"))
            .await;
    let clock = FastClock::new();
    let arm = server.arm(&clock);
    arm.get(APP, "1").await.unwrap();
    assert_eq!(clock.slept(), Duration::ZERO);
    arm.get(APP, "1").await.unwrap();
    assert_eq!(clock.slept(), Duration::from_millis(40));
}

#[tokio::test]
async fn pages_are_read_to_the_end() {
    let server = arm_server(|seen: &Seen| {
        let next = |page: u32| format!("https://{}{}?api-version=1&$skiptoken={page}", seen.host, seen.path);
        match seen.query.as_str() {
            "api-version=1" => json(200, json!({"value": [1, 2], "nextLink": next(2)})),
            "api-version=1&$skiptoken=2" => json(200, json!({"value": [], "nextLink": next(3)})),
            _ => json(200, json!({"value": [3], "nextLink": ""})),
        }
    })
    .await;
    let clock = FastClock::new();
    assert_eq!(
        server.arm(&clock).list("/subscriptions/s/resources", "1").await.unwrap(),
        [json!(1), json!(2), json!(3)]
    );
    assert_eq!(server.seen().len(), 3);
}

#[tokio::test]
async fn pages_that_lead_astray_are_refused() {
    let circle = arm_server(|seen: &Seen| {
        let page = if seen.query.contains("p=1") { 2 } else { 1 };
        json(200, json!({"value": [1], "nextLink": format!("https://{}/x?p={page}", seen.host)}))
    })
    .await;
    let clock = FastClock::new();
    let error = circle.arm(&clock).list("/x", "1").await.unwrap_err();
    assert_eq!(error.kind(), Kind::Unreadable);
    assert!(error.message().contains("read before"), "{error}");

    let foreign = arm_server(|_| json(200, json!({"value": [], "nextLink": "https://evil.example/x"}))).await;
    let error = foreign.arm(&clock).list("/x", "1").await.unwrap_err();
    assert!(error.message().contains("https://evil.example"), "{error}");
    let foreign = arm_server(|_| reply(202).with("location", "https://evil.example/x")).await;
    let error = foreign.arm(&clock).begin(Method::Delete, GROUP, "1", None).await.unwrap_err();
    assert!(error.message().contains("the token is not sent there"), "{error}");
    let odd = arm_server(|_| json(200, json!({"value": "x"}))).await;
    assert!(odd.arm(&clock).list("/x", "1").await.unwrap_err().message().contains("no list"));
    let page = arm_server(|_| reply(200).text("<html>")).await;
    let error = page.arm(&clock).get(APP, "1").await.unwrap_err();
    assert_eq!((error.kind(), error.request()), (Kind::Unreadable, Some(format!("GET {APP}").as_str())));
}

#[tokio::test]
async fn nobody_there_says_who_and_what_to_do() {
    // A port that was just free, so that nothing listens on it.
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let error = arm_error(port).await;
    assert_eq!(
        error.to_string(),
        format!("local Azure is not answering at https://localhost:{port}: nothing listens there")
    );
    assert_eq!(
        (error.code(), error.class(), error.may_have_acted()),
        (Some("ConnectionRefused"), Class::Transient, false)
    );
    assert_eq!(error.remedy(), Some("start it first"));
}

/// Asks where nothing listens, with a credential that needs nobody.
async fn arm_error(port: u16) -> landfall_azure::Error {
    let address = format!("https://localhost:{port}");
    let mut cloud = Cloud::custom("local Azure", &address, &address).unwrap();
    cloud.unreachable = Some("start it first".into());
    let credential = landfall_azure::Credential::new(Arc::new(Fixed));
    let options = ArmOptions { clock: Some(FastClock::new()), ..ArmOptions::default() };
    Arm::new(&cloud, credential, options).unwrap().begin(Method::Put, APP, "1", None).await.unwrap_err()
}

#[derive(Debug)]
struct Fixed;

#[async_trait::async_trait]
impl azure_core::credentials::TokenCredential for Fixed {
    async fn get_token(
        &self,
        scopes: &[&str],
        _: Option<azure_core::credentials::TokenRequestOptions<'_>>,
    ) -> azure_core::Result<azure_core::credentials::AccessToken> {
        let until = azure_core::time::OffsetDateTime::now_utc() + azure_core::time::Duration::hours(1);
        Ok(azure_core::credentials::AccessToken::new(jwt(scopes[0], "fixed"), until))
    }
}

#[tokio::test]
async fn a_certificate_nobody_vouches_for() {
    let server = arm_server(|_| reply(200)).await;
    let cloud = Cloud { ca: None, ..server.cloud() };
    let options = ArmOptions { clock: Some(FastClock::new()), ..ArmOptions::default() };
    let arm = Arm::new(&cloud, landfall_azure::Credential::new(Arc::new(Fixed)), options).unwrap();
    let error = arm.get(APP, "1").await.unwrap_err();
    assert_eq!((error.code(), error.class()), (Some("UntrustedCertificate"), Class::Fatal));
    assert!(error.remedy().unwrap().contains("PEM"), "{error}");
}

#[tokio::test]
async fn a_broken_connection_may_have_acted() {
    let server = arm_server(|_| cut()).await;
    let clock = FastClock::new();
    let error = server.arm(&clock).begin(Method::Put, APP, "1", Some(&json!({}))).await.unwrap_err();
    assert_eq!(
        (error.kind(), error.class(), error.may_have_acted()),
        (Kind::Transport, Class::Transient, true)
    );
    assert_eq!(server.seen().len(), 1);
}

#[tokio::test]
async fn a_token_that_arm_calls_expired_is_fetched_anew() {
    let mut tokens = 0;
    let server = Server::start(move |seen: &Seen| {
        if entra(seen).is_some() {
            tokens += 1;
            return json(200, json!({"token_type": "Bearer", "expires_in": 3599, "access_token": jwt("x", &tokens.to_string())}));
        }
        if seen.header("authorization") == format!("Bearer {}", jwt("x", "1")) {
            return refusal(401, "ExpiredAuthenticationToken", "The access token expiry UTC time is earlier than current UTC time");
        }
        json(200, app("Succeeded"))
    })
    .await;
    let clock = FastClock::new();
    let arm = server.arm(&clock);
    arm.begin(Method::Put, APP, "1", Some(&json!({}))).await.unwrap();
    assert_eq!(server.seen().len(), 2);
    arm.get(APP, "1").await.unwrap();
    assert_eq!(server.all().len(), 5, "the new token is kept");
}

#[tokio::test]
async fn secrets_that_azure_quotes_are_taken_out() {
    let server = arm_server(|seen: &Seen| {
        let quoted = String::from_utf8_lossy(&seen.body).to_string();
        refusal(400, "InvalidRequestContent", &format!("cannot take {quoted}"))
    })
    .await;
    let clock = FastClock::new();
    let body = json!({"properties": {"configuration": {"secrets": [{"name": "db", "value": "planted-\"value\""}]},
        "logs": {"sharedKey": "planted-shared-key"}}});
    let error = server.arm(&clock).begin(Method::Put, APP, "1", Some(&body)).await.unwrap_err();
    let said =
        format!("{error} {error:?} {:?} {}", error.detail(), serde_json::to_string(error.detail()).unwrap());
    assert!(said.contains("cannot take") && !said.contains("planted"), "{said}");
}
