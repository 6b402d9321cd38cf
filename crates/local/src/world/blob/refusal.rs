//! How storage says no: a code in a header and in XML.

use super::xml;
use crate::world::Response;

/// A refusal with storage's code and words.
pub(super) fn refuse(status: u16, code: &str, message: &str) -> Response {
    let body = format!(
        "<Error><Code>{}</Code><Message>{}</Message></Error>",
        xml::escape(code),
        xml::escape(message)
    );
    xml::response(status, &body).with("x-ms-error-code", code)
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
