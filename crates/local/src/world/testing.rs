//! A world under a virtual clock, for the tests of every module of this room.

use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

use super::arm::types::Catalogue;
use super::{Body, Config, Input, Method, Outcome, Plane, Request, Response, World, entra};

/// The subscription's id.
pub const SUB: &str = "/subscriptions/22222222-2222-2222-2222-222222222222";

/// A world and the clock of whoever calls it.
pub struct Lab {
    pub world: World,
    pub clock: Timestamp,
    sent: u32,
}

/// An answer with its body read as JSON.
#[derive(Debug)]
pub struct Answer {
    pub status: u16,
    pub headers: Vec<(String, String)>,
    pub json: Value,
}

impl Answer {
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, value)| value.as_str())
    }

    /// Azure's code.
    pub fn code(&self) -> &str {
        self.json["error"]["code"].as_str().unwrap_or_default()
    }

    /// The same, when the status is as expected; else a panic that shows the answer.
    #[track_caller]
    pub fn ok(self, status: u16) -> Answer {
        assert_eq!(self.status, status, "{:#}", self.json);
        self
    }

    /// The same, when it refuses so.
    #[track_caller]
    pub fn refused(self, status: u16, code: &str) -> Answer {
        assert_eq!((self.status, self.code()), (status, code), "{:#}", self.json);
        self
    }

    fn of(response: Response) -> Answer {
        let json = match &response.body {
            Body::Bytes(bytes) => serde_json::from_slice(bytes).unwrap_or(Value::Null),
            _ => Value::Null,
        };
        Answer { status: response.status, headers: response.headers, json }
    }
}

impl Lab {
    /// A world at a speed, with the group `rg` in westeurope.
    pub fn new(speed: f64) -> Lab {
        let mut lab = Lab::bare(speed);
        lab.put(&format!("{SUB}/resourceGroups/rg"), json!({"location": "westeurope"})).ok(201);
        lab
    }

    /// A world with nothing in it.
    pub fn bare(speed: f64) -> Lab {
        let clock: Timestamp = "2026-11-21T12:00:00Z".parse().unwrap();
        Lab { world: World::new(Config::new(7, speed, 8443), clock), clock, sent: 0 }
    }

    /// Lets seconds go by.
    pub fn wait(&mut self, seconds: f64) {
        self.clock += SignedDuration::from_secs_f64(seconds);
        self.world.apply(Input::Tick, self.clock);
    }

    /// A token of the owner, or of another principal by object id, for an audience.
    pub fn token(&self, principal: Option<&str>, audience: &str) -> String {
        let owner = entra::owner_id(&self.world.config);
        let principal = &self.world.entra.principals[principal.unwrap_or(&owner)];
        entra::issue(&self.world, principal, audience).access_token
    }

    /// Sends a request to ARM as the owner; api-version is added when the path has none.
    pub fn send(&mut self, method: Method, path: &str, body: Option<Value>) -> Answer {
        let token = self.token(None, "https://management.azure.com/");
        self.send_as(&token, method, path, body)
    }

    /// The same with a token.
    pub fn send_as(&mut self, token: &str, method: Method, path: &str, body: Option<Value>) -> Answer {
        let path = if path.contains("api-version=") {
            path.to_owned()
        } else {
            format!("{path}{}api-version=2024-11-01", if path.contains('?') { '&' } else { '?' })
        };
        let headers = [("authorization".to_owned(), format!("Bearer {token}"))];
        let body = body.map(|body| body.to_string().into_bytes());
        self.raw(Plane::Arm, "https://localhost:8443", method, &path, &headers, body)
    }

    /// Sends a request to a vault's data plane.
    pub fn vault(
        &mut self,
        vault: &str,
        token: Option<&str>,
        method: Method,
        path: &str,
        body: Option<Value>,
    ) -> Answer {
        let headers: Vec<(String, String)> =
            token.map(|token| ("authorization".to_owned(), format!("Bearer {token}"))).into_iter().collect();
        let path = format!("{path}{}api-version=7.4", if path.contains('?') { '&' } else { '?' });
        let origin = format!("https://{vault}.vault.localhost:8443");
        let body = body.map(|body| body.to_string().into_bytes());
        self.raw(Plane::Vault { name: vault.into() }, &origin, method, &path, &headers, body)
    }

    /// Sends anything, and returns what there is of an answer: status 0 when the connection was cut.
    pub fn raw(
        &mut self,
        plane: Plane,
        origin: &str,
        method: Method,
        path: &str,
        headers: &[(String, String)],
        body: Option<Vec<u8>>,
    ) -> Answer {
        match self.outcome(plane, origin, method, path, headers, body).response {
            Some(response) => Answer::of(response),
            None => Answer { status: 0, headers: Vec::new(), json: Value::Null },
        }
    }

    /// The same with all that the world says.
    pub fn outcome(
        &mut self,
        plane: Plane,
        origin: &str,
        method: Method,
        path: &str,
        headers: &[(String, String)],
        body: Option<Vec<u8>>,
    ) -> Outcome {
        self.sent += 1;
        let path = path.strip_prefix(origin).unwrap_or(path);
        let (path, query) = path.split_once('?').unwrap_or((path, ""));
        let request = Request {
            plane,
            method,
            origin: origin.into(),
            path: path.into(),
            query: url::form_urlencoded::parse(query.as_bytes()).into_owned().collect(),
            headers: headers.iter().cloned().collect(),
            body: body.map_or(Body::Empty, Body::Bytes),
            id: format!("00000000-0000-0000-0000-{:012}", self.sent),
        };
        self.world.apply(Input::Request(request), self.clock)
    }

    pub fn get(&mut self, path: &str) -> Answer {
        self.send(Method::Get, path, None)
    }

    pub fn put(&mut self, path: &str, body: Value) -> Answer {
        self.send(Method::Put, path, Some(body))
    }

    pub fn patch(&mut self, path: &str, body: Value) -> Answer {
        self.send(Method::Patch, path, Some(body))
    }

    pub fn post(&mut self, path: &str, body: Value) -> Answer {
        self.send(Method::Post, path, Some(body))
    }

    pub fn delete(&mut self, path: &str) -> Answer {
        self.send(Method::Delete, path, None)
    }

    /// Follows what a long-running answer leads to until it ends; the last answer, with the seconds it took.
    #[track_caller]
    pub fn follow(&mut self, answer: &Answer) -> (Answer, u32) {
        let url = answer.header("azure-asyncoperation").or(answer.header("location"));
        let url = url.unwrap_or_else(|| panic!("no operation in {answer:?}")).to_owned();
        for second in 0..100_000 {
            let polled = self.get(&url);
            let status = polled.json["status"].as_str().unwrap_or_default();
            let running = polled.status == 202 || ["InProgress", "Running", "Accepted"].contains(&status);
            if !running {
                return (polled, second);
            }
            self.wait(1.0);
        }
        panic!("{url} never ends");
    }
}

/// The id of a resource of `rg`.
pub fn rg(rest: &str) -> String {
    format!("{SUB}/resourceGroups/rg/providers/{rest}")
}

/// Azure's own type data, where the machine has it; says so where it has not.
#[allow(clippy::print_stderr)]
pub fn catalogue() -> Option<std::sync::Arc<Catalogue>> {
    let shared = std::env::var_os("LANDFALL_SHARED")
        .map(std::path::PathBuf::from)
        .unwrap_or_else(|| std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared"));
    let folder = shared.join("azure-types");
    if !folder.join("catalogue.json").exists() {
        eprintln!("skipped: {} has no catalogue of types", folder.display());
        return None;
    }
    Some(std::sync::Arc::new(Catalogue::load(&folder).unwrap()))
}
