//! JSON as Resource Manager reads it: with comments, unquoted keys, single quotes, raw newlines in strings and
//! trailing commas, which is what its clients send; and with the places of what was read, which its errors name.

use std::collections::BTreeMap;

use serde_json::{Map, Number, Value};

/// Deepest nesting that is read.
const DEPTH_MAX: usize = 256;
/// Places are kept for values so deep at most: down to a parameter's or a resource's own properties.
const PLACES_DEPTH: usize = 7;

/// Line and position, from 1.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Place {
    /// Line.
    pub line: usize,
    /// Position in it.
    pub column: usize,
}

/// A document with the places of its upper values, by dotted path (`properties.template.resources[0]`).
#[derive(Clone, Debug)]
pub struct Document {
    /// What was read.
    pub value: Value,
    /// Where it stands.
    pub places: BTreeMap<String, Place>,
}

/// Reads a document.
///
/// # Errors
/// What is wrong, in the words of ARM's own reader.
pub fn read(text: &str) -> Result<Document, String> {
    let mut reader =
        Reader { text, at: 0, line: 1, line_start: 0, path: Vec::new(), places: BTreeMap::new() };
    let value = reader.value(0)?;
    reader.space()?;
    if reader.at < text.len() {
        return Err(reader.refuse("Additional text encountered after finished reading JSON content"));
    }
    Ok(Document { value, places: reader.places })
}

enum Step {
    Key(String),
    Index(usize),
}

struct Reader<'a> {
    text: &'a str,
    at: usize,
    line: usize,
    line_start: usize,
    path: Vec<Step>,
    places: BTreeMap<String, Place>,
}

impl Reader<'_> {
    fn peek(&self) -> Option<char> {
        self.text[self.at..].chars().next()
    }

    fn bump(&mut self) -> Option<char> {
        let sign = self.peek()?;
        self.at += sign.len_utf8();
        if sign == '\n' {
            self.line += 1;
            self.line_start = self.at;
        }
        Some(sign)
    }

    fn place(&self) -> Place {
        Place { line: self.line, column: self.text[self.line_start..self.at].chars().count() }
    }

    fn dotted(&self) -> String {
        let mut text = String::new();
        for step in &self.path {
            match step {
                Step::Key(key) => {
                    if !text.is_empty() {
                        text.push('.');
                    }
                    text.push_str(key);
                }
                Step::Index(index) => text.push_str(&format!("[{index}]")),
            }
        }
        text
    }

    fn refuse(&self, why: &str) -> String {
        let place = self.place();
        format!("{why}. Path '{}', line {}, position {}.", self.dotted(), place.line, place.column)
    }

    fn unexpected(&self) -> String {
        match self.peek() {
            Some(sign) => {
                self.refuse(&format!("Unexpected character encountered while parsing value: {sign}"))
            }
            None => self.refuse("Unexpected end when reading JSON"),
        }
    }

    /// Skips blanks and comments.
    fn space(&mut self) -> Result<(), String> {
        loop {
            let rest = &self.text[self.at..];
            if rest.starts_with("//") {
                while self.peek().is_some_and(|sign| sign != '\n') {
                    self.bump();
                }
            } else if let Some(comment) = rest.strip_prefix("/*") {
                let Some(end) = comment.find("*/") else {
                    return Err(self.refuse("Unexpected end while parsing comment"));
                };
                let end = self.at + 2 + end + 2;
                while self.at < end {
                    self.bump();
                }
            } else if self.peek().is_some_and(|sign| sign.is_whitespace() || sign == '\u{feff}') {
                self.bump();
            } else {
                return Ok(());
            }
        }
    }

    fn note(&mut self) {
        if self.path.len() <= PLACES_DEPTH {
            let (path, place) = (self.dotted(), self.place());
            self.places.insert(path, place);
        }
    }

    fn value(&mut self, depth: usize) -> Result<Value, String> {
        if depth > DEPTH_MAX {
            return Err(self.refuse(&format!("The reader's MaxDepth of {DEPTH_MAX} has been exceeded")));
        }
        self.space()?;
        match self.peek() {
            Some('{') => {
                self.bump();
                self.note();
                self.object(depth)
            }
            Some('[') => {
                self.bump();
                self.note();
                self.array(depth)
            }
            Some('"' | '\'') => {
                let text = self.string()?;
                self.note();
                Ok(Value::String(text))
            }
            Some(sign) if sign == '-' || sign.is_ascii_digit() => {
                let value = self.number()?;
                self.note();
                Ok(value)
            }
            Some(sign) if sign.is_ascii_alphabetic() => {
                let start = self.at;
                while self.peek().is_some_and(|sign| sign.is_ascii_alphanumeric()) {
                    self.bump();
                }
                let value = match &self.text[start..self.at] {
                    "true" => Value::Bool(true),
                    "false" => Value::Bool(false),
                    "null" => Value::Null,
                    _ => {
                        self.at = start;
                        return Err(self.unexpected());
                    }
                };
                self.note();
                Ok(value)
            }
            _ => Err(self.unexpected()),
        }
    }

    fn object(&mut self, depth: usize) -> Result<Value, String> {
        let mut map = Map::new();
        loop {
            self.space()?;
            if self.peek() == Some('}') {
                self.bump();
                return Ok(Value::Object(map));
            }
            let key = self.key()?;
            self.space()?;
            if self.peek() != Some(':') {
                return Err(match self.peek() {
                    Some(sign) => self.refuse(&format!(
                        "Invalid character after parsing property name. Expected ':' but got: {sign}"
                    )),
                    None => self.refuse("Unexpected end when reading JSON"),
                });
            }
            self.bump();
            self.path.push(Step::Key(key.clone()));
            let value = self.value(depth + 1)?;
            self.path.pop();
            map.insert(key, value);
            self.comma('}')?;
        }
    }

    fn array(&mut self, depth: usize) -> Result<Value, String> {
        let mut list = Vec::new();
        loop {
            self.space()?;
            if self.peek() == Some(']') {
                self.bump();
                return Ok(Value::Array(list));
            }
            self.path.push(Step::Index(list.len()));
            let value = self.value(depth + 1)?;
            self.path.pop();
            list.push(value);
            self.comma(']')?;
        }
    }

    /// After a value: a comma, or the end, which the caller takes.
    fn comma(&mut self, end: char) -> Result<(), String> {
        self.space()?;
        match self.peek() {
            Some(',') => {
                self.bump();
                Ok(())
            }
            Some(sign) if sign == end => Ok(()),
            Some(sign) => Err(self
                .refuse(&format!("After parsing a value an unexpected character was encountered: {sign}"))),
            None => Err(self.refuse("Unexpected end of content while loading JSON")),
        }
    }

    fn key(&mut self) -> Result<String, String> {
        match self.peek() {
            Some('"' | '\'') => self.string(),
            Some(sign) if sign.is_alphabetic() || sign == '_' || sign == '$' => {
                let start = self.at;
                while self.peek().is_some_and(|sign| sign.is_alphanumeric() || sign == '_' || sign == '$') {
                    self.bump();
                }
                Ok(self.text[start..self.at].to_owned())
            }
            Some(sign) => Err(self.refuse(&format!("Invalid property identifier character: {sign}"))),
            None => Err(self.refuse("Unexpected end when reading JSON")),
        }
    }

    fn string(&mut self) -> Result<String, String> {
        let quote = self.bump().unwrap_or('"');
        let mut text = String::new();
        loop {
            match self.bump() {
                None => return Err(self.refuse(&format!("Unterminated string. Expected delimiter: {quote}"))),
                Some(sign) if sign == quote => return Ok(text),
                Some('\\') => match self.bump() {
                    Some('n') => text.push('\n'),
                    Some('r') => text.push('\r'),
                    Some('t') => text.push('\t'),
                    Some('b') => text.push('\u{8}'),
                    Some('f') => text.push('\u{c}'),
                    Some('u') => text.push(self.unicode()?),
                    Some(sign @ ('"' | '\\' | '/' | '\'')) => text.push(sign),
                    Some(sign) => return Err(self.refuse(&format!("Bad JSON escape sequence: \\{sign}"))),
                    None => {
                        return Err(self.refuse(&format!("Unterminated string. Expected delimiter: {quote}")));
                    }
                },
                Some(sign) => text.push(sign),
            }
        }
    }

    fn unicode(&mut self) -> Result<char, String> {
        let high = self.hex()?;
        if !(0xd800..0xdc00).contains(&high) {
            return Ok(char::from_u32(high).unwrap_or(char::REPLACEMENT_CHARACTER));
        }
        if !self.text[self.at..].starts_with("\\u") {
            return Ok(char::REPLACEMENT_CHARACTER);
        }
        self.bump();
        self.bump();
        let low = self.hex()?;
        let code = 0x10000 + ((high - 0xd800) << 10) + (low.wrapping_sub(0xdc00) & 0x3ff);
        Ok(char::from_u32(code).unwrap_or(char::REPLACEMENT_CHARACTER))
    }

    fn hex(&mut self) -> Result<u32, String> {
        let mut code = 0;
        for _ in 0..4 {
            match self.bump().and_then(|sign| sign.to_digit(16)) {
                Some(digit) => code = code * 16 + digit,
                None => return Err(self.refuse("Invalid Unicode escape sequence")),
            }
        }
        Ok(code)
    }

    fn number(&mut self) -> Result<Value, String> {
        let start = self.at;
        while self.peek().is_some_and(|sign| sign.is_ascii_digit() || "+-.eE".contains(sign)) {
            self.bump();
        }
        let text = &self.text[start..self.at];
        if let Ok(whole) = text.parse::<i64>() {
            return Ok(whole.into());
        }
        match text.parse::<f64>().ok().and_then(Number::from_f64) {
            Some(number) => Ok(Value::Number(number)),
            None => Err(self.refuse(&format!("Input string '{text}' is not a valid number"))),
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn the_body_that_the_cli_sends_is_read_with_places() {
        let text = "{\"properties\": {\"parameters\": {}, \"mode\": \"Incremental\", template:{\r\n  // a comment\r\n  \
                    \"a\": \"one\ntwo\", /* and\nanother */ 'b': [1, -2.5, true, null,],\n}}}";
        let read = read(text).unwrap();
        assert_eq!(
            read.value["properties"]["template"],
            json!({"a": "one\ntwo", "b": [1, -2.5, true, null]})
        );
        assert_eq!(read.places["properties.template.b"].line, 5);
        assert_eq!(read.places["properties.template"].line, 1);
    }

    #[test]
    fn what_is_wrong_is_told_with_its_place() {
        let wrong = read("{\"properties\": {\n  \"mode\": @\n}}").unwrap_err();
        assert_eq!(
            wrong,
            "Unexpected character encountered while parsing value: @. Path 'properties.mode', line 2, position 10."
        );
        for text in [
            "",
            "{",
            "{\"a\"",
            "{\"a\":",
            "{\"a\":1",
            "[1",
            "\"x",
            "{\"a\":1}}",
            "/*",
            "{\"a\":\"\\q\"}",
            "{a:tru}",
        ] {
            assert!(read(text).is_err(), "{text}");
        }
        assert!(read(&"[".repeat(100_000)).is_err());
        assert_eq!(read("\"\\ud83d\\ude00\\u00e9\"").unwrap().value, json!("😀é"));
    }
}
