//! `If-Match`, `If-None-Match`, `If-Modified-Since`, `If-Unmodified-Since`: what must hold before an operation.

use jiff::Timestamp;
use jiff::fmt::rfc2822;

use super::refusal::{invalid_header, refuse};
use super::{Ask, Blob};
use crate::world::{Method, Response};

/// Checks a request's conditions against what is there: etag and time of the last change, `None` for nothing.
pub(super) fn check(ask: &Ask<'_>, there: Option<(&str, Timestamp)>) -> Result<(), Response> {
    // Of tags, nothing is told as unchanged; conditions on their blob have names of their own.
    let tags = ask.request.query("comp").is_some_and(|comp| comp.eq_ignore_ascii_case("tags"));
    let given = |name: &str| {
        ask.header(name).or_else(|| ask.request.header(&format!("x-ms-blob-{name}")).filter(|_| tags))
    };
    let since = |name: &str| match given(name) {
        Some(value) => parsed(name, value).map(|at| Some(at.as_second())),
        None => Ok(None),
    };
    let reads = matches!(ask.request.method, Method::Get | Method::Head) && !tags;
    let failed = || {
        refuse(412, "ConditionNotMet", "The condition specified using HTTP conditional header(s) is not met.")
    };
    // HTTP's whole seconds.
    let modified = there.map(|(_, modified)| modified.as_second());
    if let Some(wanted) = given("if-match") {
        let holds = match there {
            Some((etag, _)) => matches(wanted, etag),
            None => false,
        };
        if !holds {
            return Err(failed());
        }
    }
    if let Some(since) = since("if-unmodified-since")?
        && modified.is_some_and(|modified| modified > since)
    {
        return Err(failed());
    }
    let mut unchanged = false;
    if let Some(unwanted) = given("if-none-match") {
        // Who has the lease may overwrite: the lease says that something is there.
        let leases = unwanted.trim() == "*" && ask.header("x-ms-lease-id").is_some();
        match there {
            Some(_) if leases && !reads => return Ok(()),
            Some((etag, _)) if matches(unwanted, etag) => unchanged = true,
            _ => return Ok(()),
        }
        if !reads && unwanted.trim() == "*" {
            return Err(refuse(409, "BlobAlreadyExists", "The specified blob already exists."));
        }
    } else if let Some(since) = since("if-modified-since")? {
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

/// The same for a blob that is there, and `x-ms-if-tags`.
pub(super) fn check_tagged(ask: &Ask<'_>, there: &Blob) -> Result<(), Response> {
    check(ask, Some((&there.etag, there.modified)))?;
    check_tags(ask, there)
}

/// `x-ms-if-tags` alone, of operations that take no other condition.
pub(super) fn check_tags(ask: &Ask<'_>, there: &Blob) -> Result<(), Response> {
    let Some(wanted) = ask.header("x-ms-if-tags") else { return Ok(()) };
    if have(there, wanted).ok_or_else(|| invalid_header("x-ms-if-tags", wanted))? {
        return Ok(());
    }
    Err(refuse(
        412,
        "ConditionNotMet",
        "The condition specified using HTTP conditional header(s) is not met.",
    ))
}

/// Whether a blob's tags are as an expression wants them; `None` when it is no expression.
pub(super) fn have(there: &Blob, wanted: &str) -> Option<bool> {
    let term = |term: &Term| term.holds(there.tags.get(&term.key).map(String::as_str));
    Some(terms(wanted)?.iter().all(term))
}

/// `x-ms-access-tier-if-modified-since` and `-if-unmodified-since`, of a delete.
pub(super) fn check_tier(ask: &Ask<'_>, there: &Blob) -> Result<(), Response> {
    let changed = there.tier_changed.unwrap_or(there.created).as_second();
    let since = time(ask, "x-ms-access-tier-if-modified-since")?;
    let until = time(ask, "x-ms-access-tier-if-unmodified-since")?;
    if since.is_some_and(|since| changed <= since) || until.is_some_and(|until| changed > until) {
        return Err(refuse(
            412,
            "AccessTierChangeTimeConditionNotMet",
            "The condition specified using access tier change time conditional header(s) is not met.",
        ));
    }
    Ok(())
}

/// One comparison of `"key" = 'value' AND …`.
pub(super) struct Term {
    pub(super) key: String,
    operator: String,
    pub(super) value: String,
}

impl Term {
    pub(super) fn holds(&self, there: Option<&str>) -> bool {
        let Some(there) = there else { return self.operator == "<>" };
        let value = self.value.as_str();
        match self.operator.as_str() {
            "=" => there == value,
            "<>" => there != value,
            ">" => there > value,
            ">=" => there >= value,
            "<" => there < value,
            _ => there <= value,
        }
    }
}

/// Reads an expression over tags; `None` when it is none.
pub(super) fn terms(text: &str) -> Option<Vec<Term>> {
    let mut rest = text.trim();
    let mut terms = Vec::new();
    loop {
        let key = if let Some(quoted) = rest.strip_prefix('"') {
            let end = quoted.find('"')?;
            let key = &quoted[..end];
            rest = &quoted[end + 1..];
            key
        } else {
            let end = rest.find(|c: char| c.is_whitespace() || "=<>".contains(c))?;
            let key = &rest[..end];
            rest = &rest[end..];
            key
        };
        rest = rest.trim_start();
        let length = rest.chars().take_while(|c| "=<>".contains(*c)).count();
        let operator = &rest[..length];
        if key.is_empty() || !matches!(operator, "=" | "<>" | ">" | ">=" | "<" | "<=") {
            return None;
        }
        let quoted = rest[length..].trim_start().strip_prefix('\'')?;
        let end = quoted.find('\'')?;
        terms.push(Term {
            key: key.to_owned(),
            operator: operator.to_owned(),
            value: quoted[..end].to_owned(),
        });
        rest = quoted[end + 1..].trim();
        if rest.is_empty() {
            return Some(terms);
        }
        let (word, after) = rest.split_once(char::is_whitespace)?;
        if !word.eq_ignore_ascii_case("and") {
            return None;
        }
        rest = after.trim_start();
    }
}

fn matches(list: &str, etag: &str) -> bool {
    let bare = |tag: &str| tag.trim().trim_start_matches("W/").trim_matches('"').to_owned();
    list.split(',').any(|one| one.trim() == "*" || bare(one) == bare(etag))
}

fn time(ask: &Ask<'_>, name: &str) -> Result<Option<i64>, Response> {
    Ok(http_time(ask, name)?.map(Timestamp::as_second))
}

/// A header that is a time.
pub(super) fn http_time(ask: &Ask<'_>, name: &str) -> Result<Option<Timestamp>, Response> {
    ask.header(name).map(|value| parsed(name, value)).transpose()
}

fn parsed(name: &str, value: &str) -> Result<Timestamp, Response> {
    // `GMT` is RFC 2822's obsolete name of +0000.
    rfc2822::DateTimeParser::new().parse_timestamp(value).map_err(|_| invalid_header(name, value))
}
