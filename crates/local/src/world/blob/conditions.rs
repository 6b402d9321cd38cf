//! `If-Match`, `If-None-Match`, `If-Modified-Since`, `If-Unmodified-Since`: what must hold before an operation.

use jiff::Timestamp;
use jiff::fmt::rfc2822;

use super::Ask;
use super::refusal::{invalid_header, refuse};
use crate::world::{Method, Response};

/// Checks a request's conditions against what is there: etag and time of the last change, `None` for nothing.
pub(super) fn check(ask: &Ask<'_>, there: Option<(&str, Timestamp)>) -> Result<(), Response> {
    let reads = matches!(ask.request.method, Method::Get | Method::Head);
    let failed = || {
        refuse(412, "ConditionNotMet", "The condition specified using HTTP conditional header(s) is not met.")
    };
    // HTTP's whole seconds.
    let modified = there.map(|(_, modified)| modified.as_second());
    if let Some(wanted) = ask.header("if-match") {
        let holds = match there {
            Some((etag, _)) => matches(wanted, etag),
            None => false,
        };
        if !holds {
            return Err(failed());
        }
    }
    if let Some(since) = time(ask, "if-unmodified-since")?
        && modified.is_some_and(|modified| modified > since)
    {
        return Err(failed());
    }
    let mut unchanged = false;
    if let Some(unwanted) = ask.header("if-none-match") {
        match there {
            Some((etag, _)) if matches(unwanted, etag) => unchanged = true,
            _ => return Ok(()),
        }
        if !reads && unwanted.trim() == "*" {
            return Err(refuse(409, "BlobAlreadyExists", "The specified blob already exists."));
        }
    } else if let Some(since) = time(ask, "if-modified-since")? {
        unchanged = modified.is_some_and(|modified| modified <= since);
    }
    match (unchanged, reads) {
        (false, _) => Ok(()),
        (true, true) => {
            let etag = there.map(|(etag, _)| etag.to_owned()).unwrap_or_default();
            Err(Response::empty(304).with("etag", etag).with("x-ms-error-code", "ConditionNotMet"))
        }
        (true, false) => Err(failed()),
    }
}

fn matches(list: &str, etag: &str) -> bool {
    let bare = |tag: &str| tag.trim().trim_start_matches("W/").trim_matches('"').to_owned();
    list.split(',').any(|one| one.trim() == "*" || bare(one) == bare(etag))
}

fn time(ask: &Ask<'_>, name: &str) -> Result<Option<i64>, Response> {
    let Some(value) = ask.header(name) else { return Ok(None) };
    // `GMT` is RFC 2822's obsolete name of +0000.
    let parsed = rfc2822::DateTimeParser::new().parse_timestamp(value);
    parsed.map(|at| Some(at.as_second())).map_err(|_| invalid_header(name, value))
}
