//! The three protocols: a question to a request's body, a response to an answer. Nothing here touches a network.

use std::time::Duration;

use jiff::Timestamp;
use reqwest::header::HeaderMap;
use serde_json::{Value, json};

use crate::provider::Protocol;
use crate::{Error, Question, Usage};

/// What of the protocol the model is known to take; learnt from its refusals.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Dialect {
    /// The name of the limit: newer models refuse `max_tokens`, older servers `max_completion_tokens`.
    pub limit: &'static str,
    /// Whether `reasoning_effort` may be sent.
    pub effort: bool,
    /// Whether a schema may be sent; otherwise only JSON is asked for, with the schema among the instructions.
    pub schema: bool,
}

impl Default for Dialect {
    fn default() -> Dialect {
        Dialect { limit: "max_completion_tokens", effort: true, schema: true }
    }
}

impl Dialect {
    /// The dialect without what a refusal names; `None` when it names nothing that can be left out.
    #[must_use]
    pub fn without(&self, refusal: &Value) -> Option<Dialect> {
        let error = &refusal["error"];
        let parameter = error["param"].as_str().unwrap_or_default();
        let text = error["message"].as_str().unwrap_or_default();
        let names = |what: &str| parameter.starts_with(what) || text.contains(what);
        let mut other = self.clone();
        if names(self.limit) {
            other.limit = if self.limit == "max_tokens" { "max_completion_tokens" } else { "max_tokens" };
        } else if self.effort && names("reasoning_effort") {
            other.effort = false;
        } else if self.schema && (names("response_format") || names("json_schema")) {
            other.schema = false;
        } else {
            return None;
        }
        Some(other)
    }
}

/// The body of a request. Never with a `temperature`: models that reason refuse it, and the default serves.
pub fn body(
    protocol: &Protocol,
    model: &str,
    question: &Question,
    limit: u32,
    effort: Option<&str>,
    dialect: &Dialect,
) -> Value {
    match protocol {
        Protocol::Anthropic => {
            let mut messages = vec![json!({"role": "user", "content": question.material})];
            if let Some((answer, complaint)) = &question.wrong {
                messages.push(json!({"role": "assistant", "content": answer.to_string()}));
                messages.push(json!({"role": "user", "content": complaint}));
            }
            json!({
                "model": model,
                "max_tokens": limit,
                "system": question.instructions,
                "messages": messages,
                "tools": [{
                    "name": question.name,
                    "description": "Hands in the answer.",
                    "input_schema": question.schema,
                }],
                "tool_choice": {"type": "tool", "name": question.name, "disable_parallel_tool_use": true},
            })
        }
        Protocol::OpenAi | Protocol::AzureDated { .. } | Protocol::AzureV1 => {
            let mut instructions = question.instructions.clone();
            let format = if dialect.schema {
                let schema = json!({"name": question.name, "strict": true, "schema": question.schema});
                json!({"type": "json_schema", "json_schema": schema})
            } else {
                instructions += &format!("\n\nAnswer with JSON of this schema alone:\n{}", question.schema);
                json!({"type": "json_object"})
            };
            let mut messages = vec![
                json!({"role": "system", "content": instructions}),
                json!({"role": "user", "content": question.material}),
            ];
            if let Some((answer, complaint)) = &question.wrong {
                messages.push(json!({"role": "assistant", "content": answer.to_string()}));
                messages.push(json!({"role": "user", "content": complaint}));
            }
            let mut body = json!({"model": model, "messages": messages, "response_format": format});
            body[dialect.limit] = json!(limit);
            if let Some(effort) = effort.filter(|_| dialect.effort) {
                body["reasoning_effort"] = json!(effort);
            }
            body
        }
    }
}

/// What a good response took. It is paid for whatever its answer is worth.
pub fn usage(protocol: &Protocol, body: &Value) -> Usage {
    let usage = &body["usage"];
    match protocol {
        Protocol::Anthropic => {
            let cached = count(&usage["cache_read_input_tokens"]);
            Usage {
                input: count(&usage["input_tokens"]).saturating_add(cached),
                cached,
                output: count(&usage["output_tokens"]),
            }
        }
        Protocol::OpenAi | Protocol::AzureDated { .. } | Protocol::AzureV1 => Usage {
            input: count(&usage["prompt_tokens"]),
            cached: count(&usage["prompt_tokens_details"]["cached_tokens"]),
            output: count(&usage["completion_tokens"]),
        },
    }
}

/// The answer in the body of a good response.
///
/// # Errors
/// Why there is none: see the variants.
pub fn answer(protocol: &Protocol, body: &Value, limit: u32) -> Result<Value, Error> {
    match protocol {
        Protocol::Anthropic => {
            match body["stop_reason"].as_str() {
                Some("max_tokens" | "model_context_window_exceeded") => return Err(Error::CutOff { limit }),
                Some("refusal") => return Err(Error::Refused),
                _ => {}
            }
            let blocks = body["content"].as_array().map(Vec::as_slice).unwrap_or_default();
            let used = blocks.iter().find(|block| block["type"] == "tool_use");
            Ok(used.ok_or(Error::Garbled { why: "no use of the tool" })?["input"].clone())
        }
        Protocol::OpenAi | Protocol::AzureDated { .. } | Protocol::AzureV1 => {
            let choice = body["choices"].get(0).ok_or(Error::Garbled { why: "no choices" })?;
            match choice["finish_reason"].as_str() {
                Some("length") => return Err(Error::CutOff { limit }),
                Some("content_filter") => return Err(Error::Filtered),
                _ => {}
            }
            if choice["message"]["refusal"].is_string() {
                return Err(Error::Refused);
            }
            let text = choice["message"]["content"].as_str().ok_or(Error::Garbled { why: "no content" })?;
            serde_json::from_str(text.trim()).map_err(|_| Error::Garbled { why: "content that is no JSON" })
        }
    }
}

fn count(value: &Value) -> u64 {
    value.as_u64().unwrap_or(0)
}

/// What a bad response means, and whether asking again may help.
pub fn refusal(status: u16, body: &Value, model: &str, headers: &HeaderMap, now: Timestamp) -> (Error, bool) {
    let error = &body["error"];
    let code = error["code"].as_str().or(error["type"].as_str()).unwrap_or_default();
    let inner = error["innererror"]["code"].as_str().unwrap_or_default();
    // A message may quote the question; only its beginning is kept, and never logged above DEBUG.
    let said = shortened(error["message"].as_str().unwrap_or(code));
    let after = wait(headers, now);
    let failure = match status {
        400 if code == "content_filter" || inner == "ResponsibleAIPolicyViolation" => Error::Filtered,
        401 | 403 => Error::Denied { status, said },
        404 => Error::NoModel { model: model.to_owned(), said },
        400 if code == "model_not_found" || code == "DeploymentNotFound" => {
            Error::NoModel { model: model.to_owned(), said }
        }
        429 if code == "insufficient_quota" => Error::Quota { said },
        408 | 409 | 429 | 500..=599 => Error::Unavailable { said: format!("{status} {said}"), after },
        _ => Error::Rejected { status, said },
    };
    let told = headers.get("x-should-retry").and_then(|value| value.to_str().ok());
    let again = match told {
        Some("true") => true,
        Some("false") => false,
        _ => matches!(failure, Error::Unavailable { .. }),
    };
    (failure, again)
}

fn shortened(text: &str) -> String {
    text.chars().take(200).collect()
}

/// How long the service asks us to wait: `retry-after-ms`, or `retry-after` in seconds or as a date.
pub fn wait(headers: &HeaderMap, now: Timestamp) -> Option<Duration> {
    let text = |name| headers.get(name).and_then(|value| value.to_str().ok()).map(str::trim);
    let seconds = |text: &str, unit: f64| {
        let value: f64 = text.parse().ok()?;
        (value.is_finite() && value >= 0.0).then(|| Duration::try_from_secs_f64(value * unit).ok()).flatten()
    };
    if let Some(wait) = text("retry-after-ms").and_then(|text| seconds(text, 0.001)) {
        return Some(wait);
    }
    let after = text("retry-after")?;
    seconds(after, 1.0).or_else(|| {
        let date = jiff::fmt::rfc2822::parse(after).ok()?.timestamp();
        Duration::try_from(date.duration_since(now)).ok().or(Some(Duration::ZERO))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(pairs: &[(&'static str, &'static str)]) -> HeaderMap {
        pairs
            .iter()
            .map(|(name, value)| (name.parse().expect("a name"), value.parse().expect("a value")))
            .collect()
    }

    #[test]
    fn waits_are_read_in_every_form() {
        let now: Timestamp = "2026-11-21T10:00:00Z".parse().expect("a time");
        for (given, seconds) in [
            (headers(&[("retry-after-ms", "1500"), ("retry-after", "9")]), Some(1.5)),
            (headers(&[("retry-after", "2")]), Some(2.0)),
            (headers(&[("retry-after", "0.25")]), Some(0.25)),
            (headers(&[("retry-after", "Sat, 21 Nov 2026 10:00:30 GMT")]), Some(30.0)),
            (headers(&[("retry-after", "Sat, 21 Nov 2026 09:00:00 GMT")]), Some(0.0)),
            (headers(&[("retry-after", "-1")]), None),
            (headers(&[("retry-after", "soon")]), None),
            (headers(&[]), None),
        ] {
            assert_eq!(wait(&given, now).map(|wait| wait.as_secs_f64()), seconds, "{given:?}");
        }
    }

    #[test]
    fn refusals_are_told_apart() {
        let now = Timestamp::UNIX_EPOCH;
        for (status, body, name, again) in [
            (400, json!({"error": {"code": "content_filter"}}), "filtered", false),
            (
                400,
                json!({"error": {"innererror": {"code": "ResponsibleAIPolicyViolation"}}}),
                "filtered",
                false,
            ),
            (400, json!({"error": {"message": "odd"}}), "rejected", false),
            (401, json!({"error": {"message": "bad key"}}), "denied", false),
            (403, json!(null), "denied", false),
            (404, json!({"error": {"code": "model_not_found"}}), "no_model", false),
            (404, json!({"error": {"code": "DeploymentNotFound"}}), "no_model", false),
            (429, json!({"error": {"code": "insufficient_quota"}}), "quota", false),
            (429, json!({"error": {"type": "requests"}}), "unavailable", true),
            (500, json!("<html>"), "unavailable", true),
            (529, json!({"type": "error", "error": {"type": "overloaded_error"}}), "unavailable", true),
        ] {
            let (error, retried) = refusal(status, &body, "m", &HeaderMap::new(), now);
            assert_eq!((error.name(), retried), (name, again), "{status} {body}");
        }
        assert!(!refusal(500, &json!(null), "m", &headers(&[("x-should-retry", "false")]), now).1);
    }

    #[test]
    fn what_a_model_refuses_is_left_out() {
        let dialect = Dialect::default();
        let refused = |param: &str| json!({"error": {"param": param, "code": "unsupported_parameter"}});
        assert_eq!(dialect.without(&refused("max_completion_tokens")).expect("another").limit, "max_tokens");
        assert!(!dialect.without(&refused("reasoning_effort")).expect("another").effort);
        assert!(!dialect.without(&refused("response_format.json_schema")).expect("another").schema);
        assert_eq!(dialect.without(&refused("messages")), None);
        let text =
            json!({"error": {"message": "Unsupported parameter: 'max_tokens'; use 'max_completion_tokens'"}});
        let old = Dialect { limit: "max_tokens", ..Dialect::default() };
        assert_eq!(old.without(&text).expect("another").limit, "max_completion_tokens");
    }
}
