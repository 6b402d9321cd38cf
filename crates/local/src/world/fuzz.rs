//! What must hold for anything that comes from outside: the fuzz targets and the tests on generated inputs drive these
//! functions.
//!
//! They panic when something does not hold. Those that need an account or a registry keep a world of their own.

use std::cell::RefCell;
use std::collections::BTreeMap;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use jiff::Timestamp;
use serde_json::{Value, json};

use super::arm::filter::Filter;
use super::arm::id::{Id, Path};
use super::{Body, Config, Input, Method, Plane, Request, Response, World};
use super::{access, container_apps, control, entra, network, templates, x509};

/// Functions by the name of their fuzz target.
pub type Target = (&'static str, fn(&[u8]));

/// Every function of this module.
pub const TARGETS: [Target; 9] = [
    ("local_path", path),
    ("local_filter", filter),
    ("local_expression", expression),
    ("local_template", template),
    ("local_text", text),
    ("local_certificate", certificate),
    ("local_signature", signature),
    ("local_manifest", manifest),
    ("local_batch", batch),
];

fn read(input: &[u8]) -> std::borrow::Cow<'_, str> {
    String::from_utf8_lossy(input)
}

/// A path of Resource Manager and an id: what is written of what was read is read the same.
///
/// # Panics
/// When it is not.
pub fn path(input: &[u8]) {
    let text = read(input);
    let path = Path::parse(&text);
    let written = path.id.to_string();
    let again = Path::parse(&written);
    // a decoded name may hold a slash, which no longer is a part of the name when it is written
    if !written.contains(['%', '\0']) && !text.contains('%') {
        assert_eq!(again.id.key(), path.id.key(), "{text}");
    }
    for above in path.id.ancestors() {
        assert!(path.id.key().starts_with(&above.key()), "{text}: {above} is not above");
    }
    let _ = Id::parse(&text);
}

/// `$filter`: what can be read can be asked.
///
/// # Panics
/// When reading or asking stumbles.
pub fn filter(input: &[u8]) {
    if let Some(filter) = Filter::parse(&read(input)) {
        let _ = filter.fits(&|_| Some("x".into()), &|_, _| true);
        let _ = filter.names();
    }
}

/// An expression of a template: read, and deployed where it is one.
///
/// # Panics
/// When reading stumbles, or a template with it is answered by 5xx.
pub fn expression(input: &[u8]) {
    let text = read(input);
    if templates::expression::read(&text).is_err() || text.len() > 2_000 {
        return;
    }
    let whole = json!({"$schema": "https://schema.management.azure.com/schemas/2019-04-01/deploymentTemplate.json#",
        "contentVersion": "1.0.0.0", "resources": [], "parameters": {"a": {"type": "object", "defaultValue": {"b": [1]}}},
        "outputs": {"o": {"type": "object", "condition": true, "value": text}}});
    let body = json!({"properties": {"mode": "Incremental", "template": whole}}).to_string();
    Stage::with(|stage| {
        stage.arm(Method::Post, "Microsoft.Resources/deployments/fuzz/validate", body.into_bytes())
    });
}

/// A deployment's body, byte for byte as a client sends it.
///
/// # Panics
/// When reading stumbles, or the deployment is answered by 5xx.
pub fn template(input: &[u8]) {
    let _ = templates::json::read(&read(input));
    let path = "Microsoft.Resources/deployments/fuzz/validate";
    Stage::with(|stage| stage.arm(Method::Post, path, input.to_vec()));
}

/// Blocks of addresses, schedules and durations.
///
/// # Panics
/// When one stumbles.
pub fn text(input: &[u8]) {
    let text = read(input);
    if let Some((cidr, _)) = network::cidr::Cidr::parse(&text) {
        assert!(cidr.contains(&cidr), "{text} holds itself");
        let _ = (cidr.size(), cidr.hosts().take(3).count());
    }
    let _ = (templates::networks::parse(&text), templates::networks::subnet(&text, 30, 3));
    let _ = templates::networks::host(&text, -1);
    if let Some(cron) = container_apps::cron::Cron::parse(&text) {
        let now = Timestamp::UNIX_EPOCH;
        if let Some(next) = cron.next(now) {
            assert!(next > now, "{text} fires in the past");
        }
    }
    let _ = control::seconds_of(&text);
}

/// A file that should hold a certificate with its key: the first line is the password, the rest PEM or base64.
///
/// # Panics
/// When reading stumbles, or what was read is not read again from the file that is made of it.
pub fn certificate(input: &[u8]) {
    let text = read(input);
    let (password, file) = text.split_once('\n').unwrap_or(("", &text));
    if let Ok(bundle) = x509::read(file, password) {
        let again = x509::read(&STANDARD.encode(bundle.to_pfx()), "");
        assert_eq!(again.map(|again| again.facts), Ok(bundle.facts), "{file}");
    }
}

/// What a request to a blob is signed with: the first line is its query, the second its `Authorization`, the third its
/// `x-ms-date`.
///
/// # Panics
/// When anything that nobody signed opens the blob, or is answered by 5xx.
pub fn signature(input: &[u8]) {
    let text = read(input);
    let mut lines = text.split('\n');
    let query = lines.next().unwrap_or_default();
    let mut headers = vec![("x-ms-version", "2024-11-04".to_owned())];
    for (name, value) in [("authorization", lines.next()), ("x-ms-date", lines.next())] {
        headers.extend(value.filter(|value| !value.is_empty()).map(|value| (name, value.to_owned())));
    }
    Stage::with(|stage| {
        let plane = Plane::Blob { account: ACCOUNT.into() };
        let response = stage.send(plane, Method::Get, &format!("/box/blob?{query}"), &headers, Vec::new());
        let refused = (400..500).contains(&response.status) || response.status == 501;
        assert!(refused, "{text}: {}", response.status);
    });
}

/// A manifest: the first line is its content type. What is taken is given back, byte for byte.
///
/// # Panics
/// When it is not, or the answer is 5xx.
pub fn manifest(input: &[u8]) {
    let place = input.iter().position(|byte| *byte == b'\n').unwrap_or(input.len());
    let (kind, body) =
        (read(&input[..place]).into_owned(), input.get(place + 1..).unwrap_or_default().to_vec());
    Stage::with(|stage| {
        let plane = Plane::Registry { name: REGISTRY.into() };
        let headers = [("authorization", stage.basic.clone()), ("content-type", kind.clone())];
        let sent = stage.send(plane.clone(), Method::Put, "/v2/a/manifests/t", &headers, body.clone());
        assert!(sent.status < 500, "{}: {}", read(input), sent.status);
        if sent.status == 201 {
            let headers = [("authorization", stage.basic.clone())];
            let got = stage.send(plane, Method::Get, "/v2/a/manifests/t", &headers, Vec::new());
            assert!(matches!(&got.body, Body::Bytes(bytes) if *bytes == body), "it came back changed");
        }
    });
}

/// Bodies of requests to the blob service: the first line is the query, the second the content type, the rest the body:
/// batches in parts, and documents in XML.
///
/// # Panics
/// When the answer is 5xx.
pub fn batch(input: &[u8]) {
    let mut parts = input.splitn(3, |byte| *byte == b'\n');
    let query = read(parts.next().unwrap_or_default()).into_owned();
    let kind = read(parts.next().unwrap_or_default()).into_owned();
    let body = parts.next().unwrap_or_default().to_vec();
    Stage::with(|stage| {
        let plane = Plane::Blob { account: ACCOUNT.into() };
        let headers = [
            ("authorization", format!("Bearer {}", stage.token("https://storage.azure.com/"))),
            ("x-ms-version", "2024-11-04".to_owned()),
            ("content-type", kind),
        ];
        for (method, path) in [(Method::Post, "/"), (Method::Put, "/box/blob"), (Method::Put, "/")] {
            let answer =
                stage.send(plane.clone(), method, &format!("{path}?{query}"), &headers, body.clone());
            // what is not modelled says so
            assert!(answer.status < 500 || answer.status == 501, "{}: {}", read(input), answer.status);
        }
    });
}

const ACCOUNT: &str = "fuzzstore";
const REGISTRY: &str = "fuzzregistry";
/// After so many inputs the world begins anew, so that none depends on all before it.
const INPUTS_MAX: u32 = 2_000;

/// A world with a storage account and a registry.
struct Stage {
    world: World,
    now: Timestamp,
    sent: u32,
    basic: String,
}

thread_local! {
    static STAGE: RefCell<Option<Stage>> = const { RefCell::new(None) };
}

impl Stage {
    /// Does something on this thread's stage.
    fn with<T>(act: impl FnOnce(&mut Stage) -> T) -> T {
        STAGE.with(|kept| {
            // taken out meanwhile: a panic leaves no stage in pieces
            let stage = kept.borrow_mut().take().filter(|stage| stage.sent < INPUTS_MAX);
            let mut stage = stage.unwrap_or_else(Stage::new);
            let done = act(&mut stage);
            *kept.borrow_mut() = Some(stage);
            done
        })
    }

    fn new() -> Stage {
        let now = "2026-11-21T12:00:00Z".parse().unwrap_or_default();
        let world = World::new(Config::new(7, 0.0, 8443), now);
        let mut stage = Stage { world, now, sent: 0, basic: String::new() };
        let group = format!("/subscriptions/{}/resourceGroups/rg", stage.world.config.subscription);
        stage.call(Method::Put, &group, json!({"location": "westeurope"}));
        let account = format!("Microsoft.Storage/storageAccounts/{ACCOUNT}");
        stage.make(
            &account,
            json!({"location": "westeurope", "kind": "StorageV2", "sku": {"name": "Standard_LRS"}}),
        );
        stage.make(&format!("{account}/blobServices/default/containers/box"), json!({"properties": {}}));
        let registry = format!("Microsoft.ContainerRegistry/registries/{REGISTRY}");
        let body = json!({"location": "westeurope", "sku": {"name": "Premium"}, "properties": {"adminUserEnabled": true}});
        stage.make(&registry, body);
        let owner = entra::owner_id(&stage.world.config);
        let role = "b7e6dc6d-f1e8-4753-8033-0f276bb0955b";
        let subscription = format!("/subscriptions/{}", stage.world.config.subscription);
        let definition = format!("{subscription}/providers/Microsoft.Authorization/roleDefinitions/{role}");
        let assignment =
            format!("{subscription}/providers/Microsoft.Authorization/roleAssignments/{}", uuid::Uuid::nil());
        let body = json!({"properties": {"roleDefinitionId": definition, "principalId": owner, "principalType": "ServicePrincipal"}});
        stage.call(Method::Put, &assignment, body);
        let act = access::Act::Data("Microsoft.Storage/storageAccounts/blobServices/containers/blobs/write");
        assert!(access::allows(&stage.world, &owner, act, &subscription), "the stage is set");
        let shown = stage.make(&format!("{registry}/listCredentials"), Value::Null);
        let password = shown["passwords"][0]["value"].as_str().unwrap_or_default().to_owned();
        stage.basic = format!("Basic {}", STANDARD.encode(format!("{REGISTRY}:{password}")));
        stage
    }

    fn token(&self, audience: &str) -> String {
        let owner = &self.world.entra.principals[&entra::owner_id(&self.world.config)];
        entra::issue(&self.world, owner, audience).access_token
    }

    /// Makes something below the group, or calls what is there when there is nothing to send.
    fn make(&mut self, rest: &str, body: Value) -> Value {
        let method = if body.is_null() { Method::Post } else { Method::Put };
        let path =
            format!("/subscriptions/{}/resourceGroups/rg/providers/{rest}", self.world.config.subscription);
        self.call(method, &path, body)
    }

    fn call(&mut self, method: Method, path: &str, body: Value) -> Value {
        let bytes = if body.is_null() { Vec::new() } else { body.to_string().into_bytes() };
        let headers = [("authorization", format!("Bearer {}", self.token("https://management.azure.com/")))];
        let response =
            self.send(Plane::Arm, method, &format!("{path}?api-version=2024-11-01"), &headers, bytes);
        assert!(response.status < 300, "{path}: {}", response.status);
        match &response.body {
            Body::Bytes(bytes) => serde_json::from_slice(bytes).unwrap_or(Value::Null),
            _ => Value::Null,
        }
    }

    /// Sends what comes from outside to Resource Manager.
    fn arm(&mut self, method: Method, rest: &str, body: Vec<u8>) {
        let path = format!(
            "/subscriptions/{}/resourceGroups/rg/providers/{rest}?api-version=2024-11-01",
            self.world.config.subscription
        );
        let headers = [("authorization", format!("Bearer {}", self.token("https://management.azure.com/")))];
        let shown = read(&body).into_owned();
        let response = self.send(Plane::Arm, method, &path, &headers, body);
        assert!(response.status < 500 || response.status == 501, "{shown}: {}", response.status);
    }

    fn send(
        &mut self,
        plane: Plane,
        method: Method,
        target: &str,
        headers: &[(&str, String)],
        body: Vec<u8>,
    ) -> Response {
        self.sent += 1;
        let (path, query) = target.split_once('?').unwrap_or((target, ""));
        let headers = headers.iter().map(|(name, value)| ((*name).to_owned(), value.clone()));
        let request = Request {
            plane,
            method,
            origin: self.world.config.origin(),
            path: path.into(),
            query: url::form_urlencoded::parse(query.as_bytes()).into_owned().collect(),
            headers: headers.collect::<BTreeMap<_, _>>(),
            body: if body.is_empty() { Body::Empty } else { Body::Bytes(body) },
            id: format!("00000000-0000-0000-0000-{:012}", self.sent),
        };
        self.world.apply(Input::Request(request), self.now).response.unwrap_or_default()
    }
}
