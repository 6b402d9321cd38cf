//! The little XML that blob storage speaks.

use crate::world::{Body, Response};

/// An XML answer.
pub(super) fn response(status: u16, body: &str) -> Response {
    Response {
        status,
        headers: vec![("content-type".into(), "application/xml".into())],
        body: Body::Bytes(format!("\u{feff}<?xml version=\"1.0\" encoding=\"utf-8\"?>{body}").into_bytes()),
    }
}

/// Text as it may stand in XML. What XML cannot hold becomes a replacement character.
pub(super) fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\t' | '\n' | '\r' => out.push(c),
            c if c < ' ' || c == '\u{fffe}' || c == '\u{ffff}' => out.push('\u{fffd}'),
            c => out.push(c),
        }
    }
    out
}

/// An element with text.
pub(super) fn element(name: &str, text: &str) -> String {
    format!("<{name}>{}</{name}>", escape(text))
}

/// Elements with nothing but text in them, in order, as `(name, text)`; `None` when it is no XML of that kind.
pub(super) fn leaves(document: &str) -> Option<Vec<(String, String)>> {
    let mut rest = document.trim_start_matches('\u{feff}').trim();
    let mut open: Vec<(String, bool)> = Vec::new();
    let mut leaves = Vec::new();
    let mut text = String::new();
    let mut rooted = false;
    while !rest.is_empty() {
        let Some(after) = rest.strip_prefix('<') else {
            let end = rest.find('<').unwrap_or(rest.len());
            text.push_str(&unescape(&rest[..end])?);
            rest = &rest[end..];
            continue;
        };
        if let Some(comment) = after.strip_prefix("!--") {
            rest = &comment[comment.find("-->")? + 3..];
            continue;
        }
        let end = after.find('>')?;
        let tag = &after[..end];
        rest = &after[end + 1..];
        if tag.starts_with('?') {
            continue;
        }
        if tag.starts_with('!') {
            // No document types: they could name files and grow without end.
            return None;
        }
        if let Some(name) = tag.strip_prefix('/') {
            let (opened, is_leaf) = open.pop()?;
            if opened != name.trim() {
                return None;
            }
            if is_leaf && !open.is_empty() {
                leaves.push((opened, text.trim().to_owned()));
            }
            text.clear();
            continue;
        }
        let empty = tag.ends_with('/');
        let name = tag.trim_end_matches('/').split_whitespace().next()?.to_owned();
        if open.is_empty() && rooted {
            return None;
        }
        rooted = true;
        if let Some((_, is_leaf)) = open.last_mut() {
            *is_leaf = false;
        }
        text.clear();
        if empty {
            if !open.is_empty() {
                leaves.push((name, String::new()));
            }
        } else {
            open.push((name, true));
        }
    }
    (open.is_empty() && rooted).then_some(leaves)
}

fn unescape(text: &str) -> Option<String> {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find('&') {
        out.push_str(&rest[..at]);
        let end = rest[at..].find(';')? + at;
        match &rest[at + 1..end] {
            "amp" => out.push('&'),
            "lt" => out.push('<'),
            "gt" => out.push('>'),
            "quot" => out.push('"'),
            "apos" => out.push('\''),
            number => {
                let number = number.strip_prefix('#')?;
                let code = match number.strip_prefix(['x', 'X']) {
                    Some(hex) => u32::from_str_radix(hex, 16).ok()?,
                    None => number.parse().ok()?,
                };
                out.push(char::from_u32(code)?);
            }
        }
        rest = &rest[end + 1..];
    }
    out.push_str(rest);
    Some(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn leaves_are_read_in_order() {
        let list = "\u{feff}<?xml version='1.0'?>\n<BlockList>\n <Latest>QQ==</Latest><!-- c -->\n<Committed>Q&amp;Q</Committed><Latest/></BlockList>";
        let expected = [("Latest", "QQ=="), ("Committed", "Q&Q"), ("Latest", "")];
        let read = leaves(list).unwrap();
        assert_eq!(read.iter().map(|(n, t)| (n.as_str(), t.as_str())).collect::<Vec<_>>(), expected);
    }

    #[test]
    fn what_is_no_xml_is_refused() {
        for bad in [
            "",
            "x",
            "<a>",
            "<a></b>",
            "<a/><b/>",
            "<!DOCTYPE a><a/>",
            "<a>&bad;</a>",
            "<a>&#xD800;</a>",
            "<",
            "<a",
            "</a>",
        ] {
            assert_eq!(leaves(bad), None, "{bad}");
        }
    }
}
