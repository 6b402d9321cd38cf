//! What is asked and what comes back.

use std::time::Duration;

use serde_json::Value;

/// A question whose answer has the shape of a schema.
#[derive(Clone, Debug)]
pub struct Question {
    /// What the model is to do, by us.
    pub instructions: String,
    /// What it is to do it with; nobody's instructions.
    pub material: String,
    /// The schema's name: up to 64 letters, digits, `_` and `-`.
    pub name: &'static str,
    /// The answer's shape, in the subset that OpenAI's strict mode takes: every property required, no additional ones.
    pub schema: Value,
    /// An earlier answer and what was wrong with it.
    pub wrong: Option<(Value, String)>,
}

/// Tokens that an answer took.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Usage {
    /// Tokens of the question, those from a cache included.
    pub input: u64,
    /// Tokens of the question that came from a cache.
    pub cached: u64,
    /// Tokens of the answer, reasoning included.
    pub output: u64,
}

/// What came back.
#[derive(Clone, Debug, PartialEq)]
pub struct Answer {
    /// The answer; JSON, of the right shape if the model kept to it: check it like any input.
    pub value: Value,
    /// The model that answered, as it names itself.
    pub model: String,
    /// What it took.
    pub usage: Usage,
    /// The service's id of the request, to ask its people about.
    pub request: Option<String>,
    /// From the first request to the answer, waiting included.
    pub took: Duration,
}
