//! Signatures with an account's keys, of requests: `SharedKey` and `SharedKeyLite`.
//!
//! Source: `rest/api/storageservices/authorize-with-shared-key`.

use std::cmp::Ordering;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit, Mac};
use jiff::SignedDuration;
use jiff::fmt::rfc2822;
use sha2::Sha256;

use super::refusal::unauthenticated;
use super::{Ask, auth};
use crate::world::{Response, World, storage_account};

/// A request that was signed longer ago is refused.
const AGE_MAX: SignedDuration = SignedDuration::from_mins(15);

/// Refuses unless the `Authorization` header signs this request with a key of the account.
pub(super) fn check(world: &World, ask: &Ask<'_>, header: &str) -> Result<(), Response> {
    auth::keys_allowed(world, ask)?;
    let parts = header.split_once(' ').and_then(|(scheme, rest)| {
        let (account, signature) = rest.trim().rsplit_once(':')?;
        Some((scheme, account, signature))
    });
    let Some((scheme, account, signature)) = parts else {
        return Err(unauthenticated("The Authorization header is not 'SharedKey account:signature'."));
    };
    if !account.eq_ignore_ascii_case(ask.account) {
        return Err(unauthenticated("The account of the Authorization header is not that of the address."));
    }
    fresh(world, ask)?;
    let lite = scheme.eq_ignore_ascii_case("sharedkeylite");
    if !lite && !scheme.eq_ignore_ascii_case("sharedkey") {
        return Err(unauthenticated("The authorization scheme is not supported."));
    }
    let texts = [text(ask, lite, Order::Words), text(ask, lite, Order::Bytes)];
    if texts.iter().any(|text| signed(world, ask.account, text, signature)) {
        return Ok(());
    }
    Err(unauthenticated(&format!(
        "The MAC signature found in the HTTP request '{signature}' is not the same as any computed signature. Server used following string to sign: '{}'.",
        texts[0]
    )))
}

/// Whether a signature of a text was made with a key of the account.
pub(super) fn signed(world: &World, account: &str, text: &str, signature: &str) -> bool {
    let Some(account) = storage_account::by_name(world, account) else { return false };
    storage_account::keys(account).iter().any(|key| fits(key, text, signature))
}

/// Whether a signature of a text was made with a key in base64.
pub(super) fn fits(key: &str, text: &str, signature: &str) -> bool {
    let (Ok(key), Ok(signature)) = (STANDARD.decode(key), STANDARD.decode(signature)) else { return false };
    let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(&key) else { return false };
    mac.update(text.as_bytes());
    mac.verify_slice(&signature).is_ok()
}

/// A text's signature with a key in base64.
pub(super) fn sign(key: &str, text: &str) -> String {
    let key = STANDARD.decode(key).unwrap_or_default();
    let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(&key) else { return String::new() };
    mac.update(text.as_bytes());
    STANDARD.encode(mac.finalize().into_bytes())
}

fn fresh(world: &World, ask: &Ask<'_>) -> Result<(), Response> {
    let date = ask.header("x-ms-date").or(ask.header("date"));
    let at = date.and_then(|date| rfc2822::DateTimeParser::new().parse_timestamp(date).ok());
    let Some(at) = at else {
        return Err(unauthenticated(
            "The request has neither an x-ms-date nor a Date header that is a date.",
        ));
    };
    // Clients know nothing of how far the world's clock was moved.
    let now = world.now.saturating_sub(world.ahead).unwrap_or(world.now);
    if now.duration_since(at).abs() > AGE_MAX {
        return Err(unauthenticated(&format!("Request date header too old: '{}'", date.unwrap_or_default())));
    }
    Ok(())
}

/// How headers are sorted.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Order {
    /// As Azure and most of its clients: words, in which a hyphen counts least and `_` before letters.
    Words,
    /// As others: by their bytes.
    Bytes,
}

/// The text that is signed.
fn text(ask: &Ask<'_>, lite: bool, order: Order) -> String {
    let header = |name: &str| ask.header(name).unwrap_or_default();
    let date = if ask.header("x-ms-date").is_some() { "" } else { header("date") };
    let mut lines = vec![ask.request.method.name()];
    if lite {
        lines.extend([header("content-md5"), header("content-type"), date]);
    } else {
        let length = match header("content-length") {
            "0" => "",
            length => length,
        };
        lines.extend([
            header("content-encoding"),
            header("content-language"),
            length,
            header("content-md5"),
            header("content-type"),
            date,
            header("if-modified-since"),
            header("if-match"),
            header("if-none-match"),
            header("if-unmodified-since"),
            header("range"),
        ]);
    }
    let mut text = lines.join("\n");
    text.push('\n');
    let mut headers: Vec<(&String, &String)> =
        ask.request.headers.iter().filter(|(name, _)| name.starts_with("x-ms-")).collect();
    if order == Order::Words {
        headers.sort_by(|(a, _), (b, _)| by_words(a, b));
    }
    for (name, value) in headers {
        let value = value.split("\r\n").map(str::trim).collect::<Vec<_>>().join(" ");
        text.push_str(&format!("{name}:{value}\n"));
    }
    text.push_str(&format!("/{}{}", ask.account, ask.request.path));
    if lite {
        if let Some(comp) = ask.request.query("comp") {
            text.push_str(&format!("?comp={comp}"));
        }
        return text;
    }
    let mut query: Vec<(String, &str)> =
        ask.request.query.iter().map(|(name, value)| (name.to_ascii_lowercase(), value.as_str())).collect();
    query.sort();
    let mut last: Option<String> = None;
    for (name, value) in query {
        if last.as_deref() == Some(name.as_str()) {
            text.push_str(&format!(",{value}"));
        } else {
            text.push_str(&format!("\n{name}:{value}"));
        }
        last = Some(name);
    }
    text
}

/// Order of names without their hyphens; between those that are the same so, whose hyphen comes later is first, and who
/// has none before who has one.
fn by_words(a: &str, b: &str) -> Ordering {
    const ORDER: &str = "!#$%&*.^_`|~+0123456789abcdefghijklmnopqrstuvwxyz";
    let bare = |name: &str| -> Vec<Option<usize>> {
        name.chars().filter(|c| !matches!(c, '-' | '\'')).map(|c| ORDER.find(c)).collect()
    };
    let hyphens =
        |name: &str| name.char_indices().filter(|(_, c)| *c == '-').map(|(at, _)| at).collect::<Vec<_>>();
    bare(a).cmp(&bare(b)).then_with(|| {
        let (a, b) = (hyphens(a), hyphens(b));
        let differing = a.iter().zip(&b).map(|(a, b)| b.cmp(a)).find(|order| order.is_ne());
        differing.unwrap_or_else(|| a.len().cmp(&b.len()))
    })
}
