//! A ticket, and the words that it may be made of.

use serde::{Deserialize, Serialize};

/// The longest brief description that TOPdesk takes, in characters (incident API 4.2.6).
pub const BRIEF: usize = 80;
/// The longest name of an unregistered caller.
pub const NAME: usize = 109;
/// The longest telephone number.
pub const PHONE: usize = 25;
/// The longest e-mail address.
pub const EMAIL: usize = 100;
/// The longest request that is sent; TOPdesk states no limit, a screen has one.
pub const REQUEST: usize = 20_000;

/// A ticket to be made.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Ticket {
    /// What it is about, in a line of at most [`BRIEF`] characters.
    pub brief: String,
    /// What is asked for, as plain text.
    pub request: String,
    /// A category's name, out of the lists.
    pub category: Option<String>,
    /// A subcategory's name, out of the lists and of this category.
    pub subcategory: Option<String>,
    /// A priority's name, out of the lists.
    pub priority: Option<String>,
    /// An impact's name, out of the lists.
    pub impact: Option<String>,
    /// An urgency's name, out of the lists.
    pub urgency: Option<String>,
    /// Who called.
    pub caller: Caller,
    /// The language of the call, as a code of two letters.
    pub language: String,
    /// How sure the ticket is, from 0 to 1.
    pub confidence: f64,
    /// Who made it.
    pub source: Source,
}

/// Who called, as far as was said.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Caller {
    /// A name.
    pub name: Option<String>,
    /// A telephone number.
    pub phone: Option<String>,
    /// An e-mail address.
    pub email: Option<String>,
    /// A department.
    pub department: Option<String>,
}

/// Who made a ticket.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Source {
    /// A language model.
    Model,
    /// The rules.
    Rules,
}

impl Source {
    /// A name for metrics.
    pub fn name(self) -> &'static str {
        match self {
            Source::Model => "model",
            Source::Rules => "rules",
        }
    }
}

/// TOPdesk's own words; any of the lists may be empty.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Lists {
    /// Categories of incidents.
    pub categories: Vec<Named>,
    /// Subcategories, each within a category.
    pub subcategories: Vec<Subcategory>,
    /// Priorities.
    pub priorities: Vec<Named>,
    /// Impacts.
    pub impacts: Vec<Named>,
    /// Urgencies.
    pub urgencies: Vec<Named>,
}

/// Something with an id and a name.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Named {
    /// Its id.
    pub id: String,
    /// Its name.
    pub name: String,
}

/// A subcategory.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Subcategory {
    /// Its id.
    pub id: String,
    /// Its name.
    pub name: String,
    /// The category's name.
    pub category: String,
}

impl Lists {
    /// The name of a list as it is written there, whatever the letters' case.
    pub fn named<'a>(list: &'a [Named], name: &str) -> Option<&'a Named> {
        let name = name.trim().to_lowercase();
        list.iter().find(|one| one.name.to_lowercase() == name)
    }

    /// The subcategory of a name within a category.
    pub fn subcategory(&self, name: &str, category: &str) -> Option<&Subcategory> {
        let (name, category) = (name.trim().to_lowercase(), category.to_lowercase());
        self.subcategories
            .iter()
            .find(|one| one.name.to_lowercase() == name && one.category.to_lowercase() == category)
    }
}

/// The beginning of a text, cut between words where that costs little, with `…` where something is missing. White
/// space becomes single blanks.
pub fn line(text: &str, longest: usize) -> String {
    let text = text.split_whitespace().collect::<Vec<_>>().join(" ");
    let text: String = text.chars().filter(|c| !c.is_control()).collect();
    if length(&text) <= longest {
        return text;
    }
    let mut cut = String::new();
    for c in text.chars() {
        if length(&cut) + c.len_utf16() > longest - 1 {
            break;
        }
        cut.push(c);
    }
    if let Some(blank) = cut.rfind(' ').filter(|blank| *blank * 3 > cut.len() * 2) {
        cut.truncate(blank);
    }
    cut.push('…');
    cut
}

/// A length as TOPdesk, which is written in Java, counts it.
fn length(text: &str) -> usize {
    text.encode_utf16().count()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn lines_are_cut_between_words() {
        assert_eq!(line(" a\n b\t", 80), "a b");
        assert_eq!(
            line("De etikettenprinter op het magazijn drukt strepen af", 40),
            "De etikettenprinter op het magazijn…"
        );
        assert_eq!(line(&"x".repeat(90), 80), format!("{}…", "x".repeat(79)));
    }

    proptest! {
        #[test]
        fn no_line_is_too_long(text: String, longest in 2_usize..100) {
            let line = line(&text, longest);
            prop_assert!(length(&line) <= longest && !line.contains('\n'));
        }
    }
}
