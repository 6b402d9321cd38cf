//! A ticket without a model: what the agent collected, and word lists in Dutch and English.

use std::sync::LazyLock;

use regex::Regex;

use super::ticket::{self, Caller, Lists, Named, Source, Ticket, line};
use crate::event::Call;

/// What calls are about: words that callers say, and words that a category or subcategory for it has in its name.
/// The more telling ones come first: a printer that cannot be reached is about printing, not about the network.
const TOPICS: &[(&[&str], &[&str])] = &[
    (
        &[
            "printer",
            "printen",
            "afdruk",
            "afdrukken",
            "print",
            "printing",
            "toner",
            "etiket",
            "label",
            "scanner",
            "scannen",
        ],
        &["print", "afdruk", "scan", "hardware", "werkplek", "workplace"],
    ),
    (
        &[
            "wachtwoord",
            "inloggen",
            "ingelogd",
            "account",
            "geblokkeerd",
            "password",
            "locked",
            "login",
            "log in",
            "mfa",
            "authenticator",
            "toegang",
            "rechten",
        ],
        &[
            "account",
            "wachtwoord",
            "password",
            "toegang",
            "access",
            "autorisat",
            "gebruikersbeheer",
            "identit",
        ],
    ),
    (
        &["e-mail", "email", "mailbox", "outlook", "agenda", "calendar", "mail", "teams"],
        &["mail", "outlook", "office", "365", "teams", "software", "applicat"],
    ),
    (
        &["wifi", "wi-fi", "netwerk", "internet", "vpn", "verbinding", "network", "connection", "offline"],
        &["netwerk", "network", "wifi", "internet", "vpn", "verbinding", "connect"],
    ),
    (
        &["telefoon", "toestel", "headset", "mobiel", "phone", "handset", "iphone", "voicemail", "bellen"],
        &["telef", "phone", "mobiel", "mobile", "hardware"],
    ),
    (
        &[
            "laptop",
            "computer",
            "scherm",
            "monitor",
            "toetsenbord",
            "muis",
            "screen",
            "keyboard",
            "mouse",
            "docking",
            "pc",
            "beeldscherm",
            "harde schijf",
        ],
        &["hardware", "laptop", "werkplek", "workplace", "computer", "device"],
    ),
    (
        &[
            "verwarming",
            "airco",
            "lekkage",
            "lamp",
            "sleutel",
            "schoonmaak",
            "lift",
            "deur",
            "toilet",
            "heating",
            "leak",
            "key",
            "cleaning",
            "door",
            "badge",
            "pas",
        ],
        &["facilit", "gebouw", "building", "huisvesting", "onderhoud", "mainten"],
    ),
    (
        &[
            "programma",
            "applicatie",
            "software",
            "foutmelding",
            "update",
            "installeren",
            "application",
            "error",
            "install",
            "crash",
            "licentie",
            "license",
            "systeem",
            "system",
        ],
        &["software", "applicat", "program"],
    ),
];

/// Words that a list has for a level, the highest first.
const LEVELS: &[(&[&str], &[&str])] = &[
    (
        &[
            "spoed",
            "dringend",
            "urgent",
            "noodgeval",
            "direct",
            "meteen",
            "onmiddellijk",
            "ligt plat",
            "ligt stil",
            "kan niet werken",
            "kunnen niet werken",
            "niemand kan",
            "storing",
            "emergency",
            "immediately",
            "right away",
            "as soon as possible",
            "asap",
            "critical",
            "cannot work",
            "can't work",
            "is down",
            "nobody can",
            "before noon",
            "gevaar",
            "danger",
        ],
        &[
            "hoog",
            "high",
            "urgent",
            "spoed",
            "kritiek",
            "critical",
            "kan niet werken",
            "unable to work",
            "p1",
            "p2",
        ],
    ),
    (
        &[
            "geen haast",
            "wanneer het uitkomt",
            "niet dringend",
            "no rush",
            "no hurry",
            "whenever",
            "not urgent",
            "vraagje",
        ],
        &["laag", "low", "p4", "p5", "kan werken", "able to work"],
    ),
    (&[], &["normaal", "normal", "gemiddeld", "medium", "middel", "standaard", "standard", "p3", "beperkt"]),
];

/// How many are hit, by words: for the impact.
const MANY: &[&str] = &[
    "iedereen",
    "hele afdeling",
    "alle collega",
    "niemand kan",
    "hele gebouw",
    "meerdere mensen",
    "everyone",
    "everybody",
    "whole department",
    "all of us",
    "nobody can",
    "entire",
];
const MANY_NAMES: &[&str] =
    &["organisat", "afdeling", "department", "vestiging", "branch", "groep", "group", "hoog", "high"];
const ONE_NAMES: &[&str] = &["persoon", "person", "individu", "gebruiker", "user", "laag", "low"];

/// Frequent words that the other language does not have.
const DUTCH: &[&str] = &[
    "de",
    "het",
    "een",
    "ik",
    "niet",
    "van",
    "mijn",
    "wij",
    "zijn",
    "voor",
    "met",
    "maar",
    "ook",
    "nog",
    "goedemorgen",
    "goedemiddag",
    "dank",
    "graag",
    "kan",
    "wel",
    "er",
    "dat",
    "wat",
    "u",
    "je",
];
const ENGLISH: &[&str] = &[
    "the", "i", "my", "is", "not", "you", "it", "and", "have", "of", "with", "but", "this", "hello",
    "please", "thanks", "can't", "don't", "for", "what", "that", "your",
];

static EMAIL: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(r"(?i)\b[a-z0-9][a-z0-9._%+\-]*@(?:[a-z0-9](?:[a-z0-9\-]*[a-z0-9])?\.)+[a-z]{2,}\b")
        .expect("a pattern")
});

/// The ticket of a call.
pub fn ticket(call: &Call, lists: &Lists) -> Ticket {
    let language = language(call);
    let said = said(call);
    let (category, subcategory) = classify(&said, lists);
    let level = LEVELS
        .iter()
        .position(|(words, _)| words.iter().any(|word| has(&said, word)))
        .unwrap_or(LEVELS.len() - 1);
    let of_level = |list: &[Named]| named_like(list, LEVELS[level].1);
    let many = MANY.iter().any(|word| has(&said, word));
    Ticket {
        brief: brief(call, language),
        request: request(call, language),
        category,
        subcategory,
        priority: of_level(&lists.priorities),
        impact: named_like(&lists.impacts, if many { MANY_NAMES } else { ONE_NAMES }),
        urgency: of_level(&lists.urgencies),
        caller: caller(call),
        language: language.into(),
        confidence: 0.3,
        source: Source::Rules,
    }
}

/// The language of a call: what the platform says, or the words that were said.
pub fn language(call: &Call) -> &'static str {
    if let Some(told) = &call.language {
        if told.starts_with("nl") {
            return "nl";
        }
        if told.starts_with("en") {
            return "en";
        }
    }
    let (mut dutch, mut english) = (0, 0);
    for turn in &call.turns {
        for word in turn.text.split(|c: char| !c.is_alphanumeric() && c != '\'') {
            let word = word.to_lowercase();
            dutch += usize::from(DUTCH.contains(&word.as_str()));
            english += usize::from(ENGLISH.contains(&word.as_str()));
        }
    }
    if english > dutch { "en" } else { "nl" }
}

/// Who called, as far as the agent collected it, the caller wrote it, or the line tells it.
pub fn caller(call: &Call) -> Caller {
    let collected = |names: &[&str]| {
        let named = |key: &str| key.split(|c: char| !c.is_alphanumeric()).any(|part| names.contains(&part));
        call.collected.iter().find(|(key, _)| named(key)).map(|(_, value)| value.as_str())
    };
    let said = call.turns.iter().filter(|turn| turn.caller).map(|turn| turn.text.as_str());
    Caller {
        name: collected(&["name", "naam", "beller", "caller"])
            .map(|name| line(name, ticket::NAME))
            .filter(|name| !name.is_empty()),
        phone: collected(&[
            "phone",
            "telefoon",
            "telefoonnummer",
            "mobile",
            "mobiel",
            "callback",
            "terugbelnummer",
        ])
        .and_then(phone)
        .or_else(|| call.number.as_deref().and_then(phone)),
        email: collected(&["email", "mail", "mailadres", "emailadres"])
            .and_then(email)
            .or_else(|| said.rev().find_map(email)),
        department: collected(&["department", "afdeling", "team"])
            .map(|department| line(department, ticket::NAME)),
    }
}

/// An e-mail address in a text.
pub fn email(text: &str) -> Option<String> {
    EMAIL.find(text).map(|found| found.as_str().to_lowercase()).filter(|email| email.len() <= ticket::EMAIL)
}

/// A telephone number, when a text is one: digits, and what people write between them.
pub fn phone(text: &str) -> Option<String> {
    let text = text.trim();
    let written = text.chars().all(|c| c.is_ascii_digit() || "+-() ./".contains(c));
    let digits = text.chars().filter(char::is_ascii_digit).count();
    (written && (3..=16).contains(&digits) && text.len() <= ticket::PHONE).then(|| text.to_owned())
}

/// What the caller said and what the analysis made of it, in lower case.
fn said(call: &Call) -> String {
    let turns = call.turns.iter().filter(|turn| turn.caller).map(|turn| turn.text.as_str());
    let more = call.title.iter().chain(&call.summary).map(String::as_str);
    turns.chain(more).collect::<Vec<_>>().join("\n").to_lowercase()
}

/// Whether a text has a word, as a word or at the beginning of one.
fn has(text: &str, word: &str) -> bool {
    text.match_indices(word).any(|(at, _)| !text[..at].chars().next_back().is_some_and(char::is_alphanumeric))
}

fn named_like(list: &[Named], parts: &[&str]) -> Option<String> {
    parts
        .iter()
        .find_map(|part| list.iter().find(|one| one.name.to_lowercase().contains(part)))
        .map(|one| one.name.clone())
}

/// The category and subcategory whose names fit best what was said.
fn classify(said: &str, lists: &Lists) -> (Option<String>, Option<String>) {
    // A name of the lists that was said outright is better than any guess.
    let outright = lists
        .subcategories
        .iter()
        .find(|one| one.name.chars().count() > 3 && has(said, &one.name.to_lowercase()));
    if let Some(one) = outright {
        return (Some(one.category.clone()), Some(one.name.clone()));
    }
    let outright = lists
        .categories
        .iter()
        .find(|one| one.name.chars().count() > 3 && has(said, &one.name.to_lowercase()));
    if let Some(one) = outright {
        return (Some(one.name.clone()), None);
    }
    let count = |words: &[&str]| words.iter().map(|word| said.matches(word).count().min(5)).sum::<usize>();
    let mut topics: Vec<_> =
        TOPICS.iter().filter(|(words, _)| words.iter().any(|word| has(said, word))).collect();
    topics.sort_by_key(|(words, _)| std::cmp::Reverse(count(words)));
    for (_, names) in topics {
        for name in *names {
            if let Some(one) = lists.subcategories.iter().find(|one| one.name.to_lowercase().contains(name)) {
                return (Some(one.category.clone()), Some(one.name.clone()));
            }
            if let Some(one) = lists.categories.iter().find(|one| one.name.to_lowercase().contains(name)) {
                return (Some(one.name.clone()), None);
            }
        }
    }
    (None, None)
}

/// The analysis' title, or the caller's first words that say something.
fn brief(call: &Call, language: &str) -> String {
    let told = call
        .title
        .clone()
        .or_else(|| call.collected.iter().find(|(key, _)| is_subject(key)).map(|(_, value)| value.clone()));
    let said = || {
        let turns = call.turns.iter().filter(|turn| turn.caller && turn.text.split_whitespace().count() >= 4);
        turns.map(|turn| turn.text.clone()).next()
    };
    let brief = told.or_else(said).map(|text| line(&text, ticket::BRIEF)).filter(|brief| !brief.is_empty());
    brief.unwrap_or_else(|| {
        if language == "en" { "Call without a stated problem" } else { "Gesprek zonder gemelde vraag" }.into()
    })
}

fn is_subject(key: &str) -> bool {
    ["subject", "onderwerp", "issue", "problem", "probleem", "melding"].iter().any(|word| key.contains(word))
}

/// The summary, what was collected, and what the caller said.
fn request(call: &Call, language: &str) -> String {
    let english = language == "en";
    let mut parts = Vec::new();
    parts.extend(call.summary.clone());
    if !call.collected.is_empty() {
        let collected: Vec<String> =
            call.collected.iter().map(|(name, value)| format!("{name}: {}", line(value, 500))).collect();
        parts.push(collected.join("\n"));
    }
    let turns: Vec<&str> =
        call.turns.iter().filter(|turn| turn.caller).map(|turn| turn.text.as_str()).collect();
    if turns.is_empty() {
        parts.push(if english { "The caller said nothing." } else { "De beller heeft niets gezegd." }.into());
    } else {
        let title = if english { "The caller said:" } else { "De beller zei:" };
        parts.push(format!("{title}\n{}", turns.join("\n")));
    }
    let text = parts.join("\n\n");
    let mut short: String = text.chars().take(ticket::REQUEST).collect();
    if short.len() < text.len() {
        short.push('…');
    }
    short
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::Turn;
    use crate::extract::Subcategory;

    fn call(said: &[&str]) -> Call {
        let turns = said.iter().map(|text| Turn { caller: true, at: 0, text: (*text).into() }).collect();
        Call { turns, ..Call::default() }
    }

    fn lists() -> Lists {
        let named = |names: &[&str]| {
            names.iter().map(|name| Named { id: (*name).into(), name: (*name).into() }).collect()
        };
        let sub = |name: &str, category: &str| Subcategory {
            id: name.into(),
            name: name.into(),
            category: category.into(),
        };
        Lists {
            categories: named(&["Hardware", "Software", "Netwerk", "Gebruikersbeheer"]),
            subcategories: vec![sub("Printers", "Hardware"), sub("Wachtwoord reset", "Gebruikersbeheer")],
            priorities: named(&["P1 Kritiek", "P3 Normaal", "P4 Laag"]),
            impacts: named(&["Persoon", "Afdeling"]),
            urgencies: named(&["Kan niet werken", "Normaal", "Laag"]),
        }
    }

    #[test]
    fn calls_are_classified_in_dutch_and_english() {
        for (said, language, category, subcategory, urgency, impact) in [
            (
                &["De etikettenprinter drukt strepen af, graag vandaag nog"][..],
                "nl",
                Some("Hardware"),
                Some("Printers"),
                "Normaal",
                "Persoon",
            ),
            (
                &["I am locked out of my account and it is urgent, I can't work"],
                "en",
                Some("Gebruikersbeheer"),
                Some("Wachtwoord reset"),
                "Kan niet werken",
                "Persoon",
            ),
            (
                &["De wifi ligt plat, de hele afdeling heeft geen internet"],
                "nl",
                Some("Netwerk"),
                None,
                "Kan niet werken",
                "Afdeling",
            ),
            (&["Vraagje over de software, geen haast hoor"], "nl", Some("Software"), None, "Laag", "Persoon"),
            (&["Hello, what is the weather like at your place"], "en", None, None, "Normaal", "Persoon"),
        ] {
            let ticket = ticket(&call(said), &lists());
            assert_eq!(
                (
                    ticket.language.as_str(),
                    ticket.category.as_deref(),
                    ticket.subcategory.as_deref(),
                    ticket.urgency.as_deref(),
                    ticket.impact.as_deref()
                ),
                (language, category, subcategory, Some(urgency), Some(impact)),
                "{said:?}"
            );
            assert_eq!(ticket.source, Source::Rules);
        }
    }

    #[test]
    fn without_lists_or_words_there_is_a_ticket_all_the_same() {
        let silent = ticket(&Call::default(), &Lists::default());
        assert_eq!(
            (silent.brief.as_str(), silent.request.as_str()),
            ("Gesprek zonder gemelde vraag", "De beller heeft niets gezegd.")
        );
        assert_eq!((silent.category, silent.urgency), (None, None));
    }

    #[test]
    fn the_caller_is_who_was_collected_or_said() {
        let mut call =
            call(&["mijn mail is jan.DE.vries@voorbeeld.example, of nee, j.devries@voorbeeld.example"]);
        call.number = Some("+31612345678".into());
        call.collected =
            vec![("caller_name".into(), "Jan de Vries".into()), ("afdeling".into(), "Magazijn".into())];
        let caller = caller(&call);
        assert_eq!(caller.name.as_deref(), Some("Jan de Vries"));
        assert_eq!(
            (caller.phone.as_deref(), caller.email.as_deref()),
            (Some("+31612345678"), Some("jan.de.vries@voorbeeld.example"))
        );
        assert_eq!(caller.department.as_deref(), Some("Magazijn"));
        for wrong in ["anonymous", "", "12", "1".repeat(30).as_str()] {
            assert_eq!(phone(wrong), None, "{wrong}");
        }
        assert_eq!(email("x@y"), None);
    }
}
