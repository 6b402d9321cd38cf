//! Texts with `${…}` in them.

use std::ops::Range;

use crate::app::{Piece, Reference, Template};
use crate::codes;
use crate::rules::{Fault, short};
use crate::suggest;

/// A text taken apart; ranges are bytes of the text.
pub(crate) struct Parsed {
    pub pieces: Vec<(Range<usize>, Piece)>,
    pub faults: Vec<(Range<usize>, Fault)>,
}

impl Parsed {
    /// The template, without the ranges.
    pub fn template(self) -> Template {
        Template(self.pieces.into_iter().map(|(_, piece)| piece).collect())
    }
}

/// Takes `text` apart: `$${` is a literal `${`.
pub(crate) fn parse(text: &str) -> Parsed {
    let mut parsed = Parsed { pieces: Vec::new(), faults: Vec::new() };
    let mut literal = String::new();
    let mut literal_start = 0;
    let mut at = 0;
    while at < text.len() {
        let rest = &text[at..];
        if rest.starts_with("$${") {
            literal.push_str("${");
            at += 3;
        } else if rest.starts_with("${") {
            if !literal.is_empty() {
                parsed.pieces.push((literal_start..at, Piece::Text(std::mem::take(&mut literal))));
            }
            let Some(close) = rest.find('}') else {
                let fault = Fault {
                    code: codes::REFERENCE,
                    message: "the reference is not closed".to_owned(),
                    help: Some("add the `}`; `$${` is a literal `${`".to_owned()),
                };
                parsed.faults.push((at..text.len(), fault));
                return parsed;
            };
            let range = at..at + close + 1;
            match reference(&rest[2..close]) {
                Ok(reference) => parsed.pieces.push((range.clone(), Piece::Reference(reference))),
                Err(fault) => parsed.faults.push((range.clone(), fault)),
            }
            at = range.end;
            literal_start = at;
        } else {
            let next = rest.char_indices().nth(1).map_or(rest.len(), |(i, _)| i);
            literal.push_str(&rest[..next]);
            at += next;
        }
    }
    if !literal.is_empty() {
        parsed.pieces.push((literal_start..at, Piece::Text(literal)));
    }
    parsed
}

fn reference(text: &str) -> Result<Reference, Fault> {
    let parts: Vec<&str> = text.trim().split('.').collect();
    match parts.as_slice() {
        ["env"] => Ok(Reference::Environment),
        ["app"] => Ok(Reference::App),
        ["region"] => Ok(Reference::Region),
        ["resource", resource, attribute] if !resource.is_empty() => Ok(Reference::ResourceAttribute {
            resource: (*resource).to_owned(),
            attribute: (*attribute).to_owned(),
        }),
        ["service", service, "url"] if !service.is_empty() => {
            Ok(Reference::ServiceUrl { service: (*service).to_owned() })
        }
        _ => Err(Fault {
            code: codes::REFERENCE,
            message: format!("`${{{}}}` refers to nothing that Landfall knows", short(text)),
            help: Some(help(text, &parts)),
        }),
    }
}

fn help(text: &str, parts: &[&str]) -> String {
    match parts {
        ["resource"] | ["resource", _] => "say what of it: `${resource.NAME.ATTRIBUTE}`".to_owned(),
        ["service", name] | ["service", name, _] if !name.is_empty() => {
            format!("a service has only a `url`: `${{service.{}.url}}`", short(name))
        }
        [word] if suggest::nearest(word, ["env", "app", "region"]).is_some() => {
            let near = suggest::nearest(word, ["env", "app", "region"]).unwrap_or_default();
            format!("did you mean `${{{near}}}`?")
        }
        [first, rest @ ..]
            if !rest.is_empty() && suggest::nearest(first, ["resource", "service"]).is_some() =>
        {
            let near = suggest::nearest(first, ["resource", "service"]).unwrap_or_default();
            format!("did you mean `${{{near}.{}}}`?", short(&rest.join(".")))
        }
        _ => format!(
            "there are `resource.NAME.ATTRIBUTE`, `service.NAME.url`, `env`, `app` and `region`; for the text itself \
             write `$${{{}}}`",
            short(text)
        ),
    }
}
