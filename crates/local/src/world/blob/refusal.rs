//! How storage says no: a code in a header and in XML.

use jiff::Timestamp;

use super::xml;
use crate::world::{Body, Response};

/// A refusal with storage's code and words.
pub(super) fn refuse(status: u16, code: &str, message: &str) -> Response {
    let body = format!(
        "<Error><Code>{}</Code><Message>{}</Message></Error>",
        xml::escape(code),
        xml::escape(message)
    );
    xml::response(status, &body).with("x-ms-error-code", code)
}

/// The same, with what went wrong for whoever debugs a signature.
pub(super) fn unauthenticated(detail: &str) -> Response {
    let body = format!(
        "<Error><Code>AuthenticationFailed</Code><Message>Server failed to authenticate the request. Make sure the value of Authorization header is formed correctly including the signature.</Message><AuthenticationErrorDetail>{}</AuthenticationErrorDetail></Error>",
        xml::escape(detail)
    );
    xml::response(403, &body).with("x-ms-error-code", "AuthenticationFailed")
}

/// A refusal says which request it answers and when.
pub(super) fn signed(mut response: Response, id: &str, now: Timestamp) -> Response {
    if response.status >= 400
        && let Body::Bytes(bytes) = &mut response.body
        && let Some(at) = bytes.windows(10).position(|part| part == b"</Message>")
    {
        let time = format!("{}.{:07}Z", now.strftime("%Y-%m-%dT%H:%M:%S"), now.subsec_nanosecond() / 100);
        bytes.splice(at..at, format!("\nRequestId:{id}\nTime:{time}").into_bytes());
    }
    response
}

/// A query parameter whose value cannot be.
pub(super) fn bad_query(name: &str) -> Response {
    let body = format!(
        "<Error><Code>InvalidQueryParameterValue</Code><Message>Value for one of the query parameters specified in the request URI is invalid.</Message><QueryParameterName>{}</QueryParameterName></Error>",
        xml::escape(name)
    );
    xml::response(400, &body).with("x-ms-error-code", "InvalidQueryParameterValue")
}

/// A body that is no XML of the kind that is wanted.
pub(super) fn bad_xml() -> Response {
    refuse(400, "InvalidXmlDocument", "XML specified is not syntactically valid.")
}

/// A header whose value cannot be.
pub(super) fn invalid_header(name: &str, value: &str) -> Response {
    let body = format!(
        "<Error><Code>InvalidHeaderValue</Code><Message>The value for one of the HTTP headers is not in the correct format.</Message><HeaderName>{}</HeaderName><HeaderValue>{}</HeaderValue></Error>",
        xml::escape(name),
        xml::escape(value)
    );
    xml::response(400, &body).with("x-ms-error-code", "InvalidHeaderValue")
}

/// A header that must be there.
pub(super) fn missing_header(name: &str) -> Response {
    let body = format!(
        "<Error><Code>MissingRequiredHeader</Code><Message>An HTTP header that's mandatory for this request is not specified.</Message><HeaderName>{}</HeaderName></Error>",
        xml::escape(name)
    );
    xml::response(400, &body).with("x-ms-error-code", "MissingRequiredHeader")
}
