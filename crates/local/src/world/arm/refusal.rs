//! How Azure says no: status, code, message, and what else its error bodies carry.

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::world::Response;

/// A refusal in Azure's words.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Refusal {
    /// HTTP status.
    pub status: u16,
    /// Azure's code.
    pub code: String,
    /// Azure's sentence.
    pub message: String,
    /// The property at fault, where Azure names one.
    pub target: Option<Box<str>>,
    /// Causes, nested as Azure nests them.
    pub details: Box<[Refusal]>,
    /// Further headers (`WWW-Authenticate`, `Retry-After`).
    pub headers: Vec<(String, String)>,
    /// App Service's `ErrorEntity`, in an error body of its own shape.
    #[serde(default)]
    pub entity: Option<Box<Entity>>,
}

/// What App Service says in `ErrorEntity`: a number, and a template with its parameters.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
#[allow(missing_docs)]
pub struct Entity {
    pub extended_code: String,
    pub message_template: String,
    pub parameters: Vec<String>,
}

impl Refusal {
    /// A refusal.
    pub fn new(status: u16, code: &str, message: impl Into<String>) -> Refusal {
        Refusal {
            status,
            code: code.into(),
            message: message.into(),
            target: None,
            details: Box::default(),
            headers: Vec::new(),
            entity: None,
        }
    }

    /// 400.
    pub fn bad(code: &str, message: impl Into<String>) -> Refusal {
        Refusal::new(400, code, message)
    }

    /// 404.
    pub fn missing(code: &str, message: impl Into<String>) -> Refusal {
        Refusal::new(404, code, message)
    }

    /// 409.
    pub fn conflict(code: &str, message: impl Into<String>) -> Refusal {
        Refusal::new(409, code, message)
    }

    /// The same, naming the property at fault.
    #[must_use]
    pub fn at(mut self, target: impl Into<Box<str>>) -> Refusal {
        self.target = Some(target.into());
        self
    }

    /// The same with one more header.
    #[must_use]
    pub fn with(mut self, name: &str, value: impl Into<String>) -> Refusal {
        self.headers.push((name.into(), value.into()));
        self
    }

    /// `{"code","message"[,"target","details"]}`.
    pub fn error(&self) -> Value {
        let mut error = json!({"code": self.code, "message": self.message});
        if let Some(target) = &self.target {
            error["target"] = json!(target);
        }
        if !self.details.is_empty() {
            error["details"] = self.details.iter().map(Refusal::error).collect();
        }
        error
    }

    /// The whole body. App Service has a shape of its own; Resource Manager's `error` stands beside it, for clients
    /// that read nothing else.
    fn body(&self) -> Value {
        let mut body = json!({"error": self.error()});
        if let Some(entity) = &self.entity {
            let mut own = json!(entity);
            own["Code"] = json!(self.code);
            own["Message"] = json!(self.message);
            body["Code"] = json!(self.code);
            body["Message"] = json!(self.message);
            body["Target"] = Value::Null;
            body["Details"] = json!([{"Message": self.message}, {"Code": self.code}, {"ErrorEntity": own}]);
            body["Innererror"] = Value::Null;
        }
        body
    }
}

impl From<Refusal> for Response {
    fn from(refusal: Refusal) -> Response {
        let mut response = Response::json(refusal.status, &refusal.body());
        response.headers.push(("x-ms-failure-cause".into(), "gateway".into()));
        response.headers.extend(refusal.headers);
        response
    }
}
