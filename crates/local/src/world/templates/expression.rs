//! The template language: what stands in a string between `[` and `]`, read into a tree.

use serde_json::Value;

/// Deepest nesting of calls that is read.
const DEPTH_MAX: usize = 100;
/// Longest expression, as Azure limits it.
const LENGTH_MAX: usize = 24_576;

/// An expression.
#[derive(Clone, Debug, PartialEq)]
pub enum Expression {
    /// A string or number.
    Literal(Value),
    /// `name(arguments)`; user functions have their namespace in the name.
    Call(String, Vec<Expression>),
    /// `of.name`, `of[key]`; safe ones (`.?`, `[?`) are null where nothing is there.
    Member {
        /// Whose.
        of: Box<Expression>,
        /// Which.
        key: Box<Expression>,
        /// Whether what is missing is null.
        safe: bool,
    },
}

/// What a string of a template is.
#[derive(Clone, Debug, PartialEq)]
pub enum Text {
    /// Just text, with the escape `[[` undone.
    Plain(String),
    /// An expression.
    Expression(Expression),
}

/// Whether a string is an expression rather than text.
pub fn is_expression(text: &str) -> bool {
    text.starts_with('[') && text.ends_with(']') && !text.starts_with("[[") && text.len() > 1
}

/// Reads a string of a template.
///
/// # Errors
/// What cannot be read, in ARM's words.
pub fn read(text: &str) -> Result<Text, String> {
    if !is_expression(text) {
        let plain = if text.starts_with("[[") { &text[1..] } else { text };
        return Ok(Text::Plain(plain.to_owned()));
    }
    if text.len() > LENGTH_MAX {
        return Err(format!(
            "The language expression length limit exceeded. Limit: '{LENGTH_MAX}' and actual: '{}'.",
            text.len()
        ));
    }
    let inner = &text[1..text.len() - 1];
    let mut reader = Reader { text: inner, at: 0 };
    let expression = reader.expression(0)?;
    reader.space();
    if reader.at < inner.len() {
        return Err(reader.unexpected());
    }
    Ok(Text::Expression(expression))
}

struct Reader<'a> {
    text: &'a str,
    at: usize,
}

impl Reader<'_> {
    fn rest(&self) -> &str {
        &self.text[self.at..]
    }

    fn peek(&self) -> Option<char> {
        self.rest().chars().next()
    }

    fn space(&mut self) {
        let rest = self.rest();
        self.at += rest.len() - rest.trim_start().len();
    }

    fn eat(&mut self, sign: char) -> bool {
        self.space();
        let found = self.peek() == Some(sign);
        if found {
            self.at += sign.len_utf8();
        }
        found
    }

    fn unexpected(&self) -> String {
        let found = self.peek().map_or_else(|| "EndOfData".to_owned(), String::from);
        format!(
            "Unable to parse language expression '{}': unexpected token '{found}' at position '{}'.",
            self.text, self.at
        )
    }

    fn expression(&mut self, depth: usize) -> Result<Expression, String> {
        if depth > DEPTH_MAX {
            return Err(format!("The language expression nests deeper than the limit of '{DEPTH_MAX}'."));
        }
        let mut expression = self.primary(depth)?;
        let mut members = 0;
        loop {
            self.space();
            if self.eat('.') {
                let safe = self.eat('?');
                self.space();
                let name = self.word();
                if name.is_empty() {
                    return Err(self.unexpected());
                }
                let key = Box::new(Expression::Literal(Value::String(name)));
                expression = Expression::Member { of: Box::new(expression), key, safe };
            } else if self.eat('[') {
                let safe = self.eat('?');
                let key = Box::new(self.expression(depth + 1)?);
                if !self.eat(']') {
                    return Err(self.unexpected());
                }
                expression = Expression::Member { of: Box::new(expression), key, safe };
            } else {
                return Ok(expression);
            }
            members += 1;
            if members > DEPTH_MAX {
                return Err(format!("The language expression nests deeper than the limit of '{DEPTH_MAX}'."));
            }
        }
    }

    fn primary(&mut self, depth: usize) -> Result<Expression, String> {
        self.space();
        match self.peek() {
            Some('\'') => self.string(),
            Some(sign) if sign == '-' || sign == '+' || sign.is_ascii_digit() => self.number(),
            Some(sign) if sign.is_ascii_alphabetic() || sign == '_' => {
                let mut name = self.word();
                self.space();
                // `namespace.function(…)`
                if self.peek() == Some('.') {
                    self.at += 1;
                    let own = self.word();
                    name = format!("{name}.{own}");
                }
                if !self.eat('(') {
                    return Err(self.unexpected());
                }
                let mut arguments = Vec::new();
                if self.eat(')') {
                    return Ok(Expression::Call(name, arguments));
                }
                loop {
                    arguments.push(self.expression(depth + 1)?);
                    if self.eat(')') {
                        return Ok(Expression::Call(name, arguments));
                    }
                    if !self.eat(',') {
                        return Err(self.unexpected());
                    }
                }
            }
            _ => Err(self.unexpected()),
        }
    }

    fn word(&mut self) -> String {
        let rest = self.rest();
        let end =
            rest.find(|sign: char| !(sign.is_ascii_alphanumeric() || sign == '_')).unwrap_or(rest.len());
        let word = rest[..end].to_owned();
        self.at += end;
        word
    }

    fn string(&mut self) -> Result<Expression, String> {
        self.at += 1;
        let mut text = String::new();
        loop {
            let Some(end) = self.rest().find('\'') else {
                self.at = self.text.len();
                return Err(self.unexpected());
            };
            text.push_str(&self.text[self.at..self.at + end]);
            self.at += end + 1;
            if self.peek() != Some('\'') {
                return Ok(Expression::Literal(Value::String(text)));
            }
            text.push('\'');
            self.at += 1;
        }
    }

    fn number(&mut self) -> Result<Expression, String> {
        let start = self.at;
        self.at += 1;
        while self.peek().is_some_and(|sign| sign.is_ascii_digit() || sign == '.') {
            self.at += 1;
        }
        let text = self.text[start..self.at].trim_start_matches('+');
        if let Ok(whole) = text.parse::<i64>() {
            return Ok(Expression::Literal(whole.into()));
        }
        match text.parse::<f64>().ok().and_then(serde_json::Number::from_f64) {
            Some(number) => Ok(Expression::Literal(Value::Number(number))),
            None => {
                self.at = start;
                Err(self.unexpected())
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    #[test]
    fn strings_are_told_from_expressions() {
        assert_eq!(read("plain").unwrap(), Text::Plain("plain".into()));
        assert_eq!(read("[[not one]").unwrap(), Text::Plain("[not one]".into()));
        assert_eq!(read("[a] b").unwrap(), Text::Plain("[a] b".into()));
        let Text::Expression(read) = read("[ concat('it''s', parameters('a').b[0], -3)]").unwrap() else {
            panic!()
        };
        let Expression::Call(name, arguments) = read else { panic!() };
        assert_eq!((name.as_str(), arguments.len()), ("concat", 3));
        assert_eq!(arguments[0], Expression::Literal(json!("it's")));
        assert!(matches!(&arguments[1], Expression::Member { safe: false, .. }));
        assert_eq!(arguments[2], Expression::Literal(json!(-3)));
    }

    #[test]
    fn what_cannot_be_read_is_refused() {
        for text in [
            "[]",
            "[concat(]",
            "[concat('a]",
            "[a b]",
            "[f().]",
            "[f()[0]",
            "[f(,)]",
            "[.a]",
            "[f(1 2)]",
            "[x]",
        ] {
            assert!(read(text).is_err(), "{text}");
        }
        assert!(read(&format!("[{}{}]", "f(".repeat(5_000), ")".repeat(5_000))).is_err());
    }

    proptest! {
        #[test]
        fn no_text_breaks_it(text in "\\[[a-z(),.\\[\\]' 0-9?é-]{0,60}\\]") {
            let _ = read(&text);
        }
    }
}
