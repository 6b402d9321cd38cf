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

/// An element with what is in it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Element {
    pub(super) name: String,
    /// Without space around it.
    pub(super) text: String,
    pub(super) children: Vec<Element>,
}

impl Element {
    /// The first child of a name.
    pub(super) fn child(&self, name: &str) -> Option<&Element> {
        self.children.iter().find(|child| child.name == name)
    }

    /// Its text.
    pub(super) fn text_of(&self, name: &str) -> Option<&str> {
        self.child(name).map(|child| child.text.as_str())
    }
}

impl std::fmt::Display for Element {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "<{}>", self.name)?;
        if self.children.is_empty() {
            write!(f, "{}", escape(&self.text))?;
        }
        for child in &self.children {
            write!(f, "{child}")?;
        }
        write!(f, "</{}>", self.name)
    }
}

/// Deeper than anything that storage takes.
const DEPTH_MAX: usize = 16;

/// A document's root; `None` when it is no XML of the kind that storage speaks.
pub(super) fn read(document: &str) -> Option<Element> {
    let mut rest = document.trim_start_matches('\u{feff}').trim();
    let mut open: Vec<Element> = Vec::new();
    let mut root: Option<Element> = None;
    while !rest.is_empty() {
        let Some(after) = rest.strip_prefix('<') else {
            let end = rest.find('<').unwrap_or(rest.len());
            let text = unescape(&rest[..end])?;
            match open.last_mut() {
                Some(element) => element.text.push_str(&text),
                None if text.trim().is_empty() => {}
                None => return None,
            }
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
        let closed = if let Some(name) = tag.strip_prefix('/') {
            let element = open.pop()?;
            if element.name != name.trim() {
                return None;
            }
            Some(element)
        } else {
            let name = tag.trim_end_matches('/').split_whitespace().next()?.to_owned();
            let element = Element { name, ..Element::default() };
            if root.is_some() || open.len() >= DEPTH_MAX {
                return None;
            }
            if tag.ends_with('/') {
                Some(element)
            } else {
                open.push(element);
                None
            }
        };
        if let Some(mut element) = closed {
            element.text = element.text.trim().to_owned();
            match open.last_mut() {
                Some(parent) => parent.children.push(element),
                None => root = Some(element),
            }
        }
    }
    root.filter(|_| open.is_empty())
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
    fn elements_are_read_in_order() {
        let list = "\u{feff}<?xml version='1.0'?>\n<BlockList>\n <Latest>QQ==</Latest><!-- c -->\n<Committed>Q&amp;Q</Committed><Latest/></BlockList>";
        let expected = [("Latest", "QQ=="), ("Committed", "Q&Q"), ("Latest", "")];
        let root = read(list).unwrap();
        let read: Vec<_> = root.children.iter().map(|it| (it.name.as_str(), it.text.as_str())).collect();
        assert_eq!((root.name.as_str(), read), ("BlockList", expected.to_vec()));
        assert_eq!(super::read(&root.to_string()), Some(root));
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
            assert_eq!(read(bad), None, "{bad}");
        }
    }
}
