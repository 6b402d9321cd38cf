//! Hides personal numbers from what is sent to a model.
//!
//! A number is hidden only if its check digits fit, so that an asset's number stays readable: citizen service numbers
//! (BSN, by the eleven test), bank accounts (IBAN, by remainder 97), cards (by Luhn). More can be configured as
//! regular expressions.

use std::sync::LazyLock;

use regex::Regex;

static IBAN: LazyLock<Regex> =
    LazyLock::new(|| Regex::new(r"\b[A-Za-z]{2}\d{2}(?:[ -]?[A-Za-z0-9]){11,30}\b").expect("a pattern"));
static CARD: LazyLock<Regex> = LazyLock::new(|| Regex::new(r"\b\d(?:[ -]?\d){12,18}\b").expect("a pattern"));
static BSN: LazyLock<Regex> = LazyLock::new(|| Regex::new(r"\b\d(?:[ .-]?\d){7,8}\b").expect("a pattern"));

/// What is hidden.
#[derive(Clone, Debug)]
pub struct Redaction {
    bsn: bool,
    iban: bool,
    card: bool,
    patterns: Vec<Regex>,
}

impl Default for Redaction {
    fn default() -> Redaction {
        Redaction { bsn: true, iban: true, card: true, patterns: Vec::new() }
    }
}

impl Redaction {
    /// What a list of `bsn`, `iban`, `card` and `none` names; all of them without a list.
    ///
    /// # Errors
    /// What a list may hold, without what this one does: it comes from a variable, and those are not shown.
    pub fn parse(kinds: Option<&str>) -> Result<Redaction, String> {
        let Some(kinds) = kinds else { return Ok(Redaction::default()) };
        let mut redaction = Redaction { bsn: false, iban: false, card: false, patterns: Vec::new() };
        for kind in kinds.split(',').map(str::trim).filter(|kind| !kind.is_empty()) {
            match kind {
                "bsn" => redaction.bsn = true,
                "iban" => redaction.iban = true,
                "card" => redaction.card = true,
                "none" => {}
                _ => return Err("each part must be one of bsn, iban, card and none".into()),
            }
        }
        Ok(redaction)
    }

    /// Hides what regular expressions match as well.
    ///
    /// # Errors
    /// Which of them is none.
    pub fn also(mut self, patterns: &[&str]) -> Result<Redaction, String> {
        for (pattern, number) in patterns.iter().zip(1..) {
            let compiled = Regex::new(pattern);
            let compiled = compiled.map_err(|_| format!("pattern {number} is no regular expression"))?;
            self.patterns.push(compiled);
        }
        Ok(self)
    }

    /// The text with what is to be hidden replaced by its kind.
    pub fn hide(&self, text: &str) -> String {
        let mut text = text.to_owned();
        type Kind<'a> = (bool, &'a Regex, fn(&str) -> bool, &'a str);
        let kinds: [Kind<'_>; 3] = [
            (self.iban, &IBAN, is_iban, "[IBAN]"),
            (self.card, &CARD, is_card, "[card]"),
            (self.bsn, &BSN, is_bsn, "[BSN]"),
        ];
        for (wanted, pattern, fits, name) in kinds {
            if wanted {
                let hidden = pattern.replace_all(&text, |found: &regex::Captures<'_>| {
                    if fits(&found[0]) { name.to_owned() } else { found[0].to_owned() }
                });
                text = hidden.into_owned();
            }
        }
        for pattern in &self.patterns {
            text = pattern.replace_all(&text, "[hidden]").into_owned();
        }
        text
    }
}

fn digits(text: &str) -> Vec<u32> {
    text.chars().filter_map(|c| c.to_digit(10)).collect()
}

fn is_bsn(text: &str) -> bool {
    let mut digits = digits(text);
    if digits.len() == 8 {
        digits.insert(0, 0);
    }
    if digits.len() != 9 || digits.iter().all(|digit| *digit == 0) {
        return false;
    }
    let weights = [9, 8, 7, 6, 5, 4, 3, 2];
    let sum: u32 = digits.iter().zip(weights).map(|(digit, weight)| digit * weight).sum();
    sum % 11 == digits[8] % 11 && sum >= digits[8]
}

fn is_card(text: &str) -> bool {
    let digits = digits(text);
    let sum: u32 = digits
        .iter()
        .rev()
        .enumerate()
        .map(
            |(place, digit)| if place % 2 == 1 { digit * 2 - if *digit > 4 { 9 } else { 0 } } else { *digit },
        )
        .sum();
    digits.iter().any(|digit| *digit != 0) && sum.is_multiple_of(10)
}

fn is_iban(text: &str) -> bool {
    let text: String =
        text.chars().filter(char::is_ascii_alphanumeric).map(|c| c.to_ascii_uppercase()).collect();
    if !(15..=34).contains(&text.len()) {
        return false;
    }
    let turned = text[4..].chars().chain(text[..4].chars());
    let remainder = turned.fold(0_u32, |remainder, c| {
        let value = c.to_digit(36).unwrap_or(0);
        (remainder * if value > 9 { 100 } else { 10 } + value) % 97
    });
    remainder == 1
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_hidden_when_their_check_digits_fit() {
        let redaction = Redaction::default();
        for (text, hidden) in [
            ("mijn BSN is 111222333", "mijn BSN is [BSN]"),
            ("bsn 111.222.333.", "bsn [BSN]."),
            ("asset 111222334", "asset 111222334"),
            ("NL91 ABNA 0417 1643 00, graag", "[IBAN], graag"),
            ("card 4111 1111 1111 1111", "card [card]"),
            ("card 4111 1111 1111 1113", "card 4111 1111 1111 1113"),
            ("bel 06-12345678", "bel 06-12345678"),
        ] {
            assert_eq!(redaction.hide(text), hidden);
        }
        assert_eq!(redaction.hide("IBAN NL91ABNA0417164300."), "IBAN [IBAN].");
    }

    #[test]
    fn what_is_hidden_can_be_chosen() {
        let own = Redaction::parse(Some("iban")).and_then(|own| own.also(&[r"EMP-\d+"])).expect("is read");
        assert_eq!(own.hide("111222333 EMP-77 NL91ABNA0417164300"), "111222333 [hidden] [IBAN]");
        assert!(Redaction::parse(Some("passport")).is_err());
        let wrong = Redaction::default().also(&["a", "(planted"]).expect_err("is none");
        assert!(wrong.contains("pattern 2") && !wrong.contains("planted"), "{wrong}");
        assert_eq!(Redaction::parse(Some("none")).expect("is read").hide("111222333"), "111222333");
    }
}
