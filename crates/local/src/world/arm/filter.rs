//! `$filter`: the OData expressions that ARM's lists take.
//!
//! `or`, `and`, `not`, brackets, `eq`, `ne`, `startswith(p,'x')`, `substringof('x',p)`, `contains(p,'x')`, and bare
//! functions such as `atScope()`.

/// A parsed filter.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Filter {
    /// Both.
    And(Box<Filter>, Box<Filter>),
    /// Either.
    Or(Box<Filter>, Box<Filter>),
    /// Not.
    Not(Box<Filter>),
    /// A property is (true) or is not (false) a value, without case.
    Is(String, String, bool),
    /// A function over its arguments: names and texts as written.
    Call(String, Vec<String>),
}

#[derive(Clone, Debug, PartialEq)]
enum Token {
    Word(String),
    Text(String),
    Open,
    Close,
    Comma,
}

/// Deepest nesting taken: what is deeper is no filter of a client's.
const DEPTH_MAX: u32 = 32;

impl Filter {
    /// Reads a filter; `None` when it is none.
    pub fn parse(text: &str) -> Option<Filter> {
        let tokens = tokens(text)?;
        let mut rest = tokens.as_slice();
        let filter = or(&mut rest, 0)?;
        rest.is_empty().then_some(filter)
    }

    /// Whether something fits: `property` gives a property's value, `call` decides functions.
    pub fn fits(
        &self,
        property: &dyn Fn(&str) -> Option<String>,
        call: &dyn Fn(&str, &[String]) -> bool,
    ) -> bool {
        match self {
            Filter::And(a, b) => a.fits(property, call) && b.fits(property, call),
            Filter::Or(a, b) => a.fits(property, call) || b.fits(property, call),
            Filter::Not(a) => !a.fits(property, call),
            Filter::Is(name, value, wanted) => {
                property(name).is_some_and(|own| own.eq_ignore_ascii_case(value)) == *wanted
            }
            Filter::Call(name, arguments) => {
                let text = |at: usize| arguments.get(at).cloned().unwrap_or_default().to_ascii_lowercase();
                let own = |at: usize| {
                    arguments.get(at).and_then(|name| property(name)).unwrap_or_default().to_ascii_lowercase()
                };
                match name.to_ascii_lowercase().as_str() {
                    "startswith" => own(0).starts_with(&text(1)),
                    "substringof" => own(1).contains(&text(0)),
                    "contains" => own(0).contains(&text(1)),
                    _ => call(name, arguments),
                }
            }
        }
    }

    /// Every property that is compared, and every function.
    pub fn names(&self) -> Vec<&str> {
        match self {
            Filter::And(a, b) | Filter::Or(a, b) => [a.names(), b.names()].concat(),
            Filter::Not(a) => a.names(),
            Filter::Is(name, _, _) | Filter::Call(name, _) => vec![name],
        }
    }
}

fn or(rest: &mut &[Token], depth: u32) -> Option<Filter> {
    let mut left = and(rest, depth)?;
    while word(rest, "or") {
        left = Filter::Or(Box::new(left), Box::new(and(rest, depth)?));
    }
    Some(left)
}

fn and(rest: &mut &[Token], depth: u32) -> Option<Filter> {
    let mut left = term(rest, depth)?;
    while word(rest, "and") {
        left = Filter::And(Box::new(left), Box::new(term(rest, depth)?));
    }
    Some(left)
}

fn term(rest: &mut &[Token], depth: u32) -> Option<Filter> {
    if depth > DEPTH_MAX {
        return None;
    }
    if word(rest, "not") {
        return Some(Filter::Not(Box::new(term(rest, depth + 1)?)));
    }
    match next(rest)? {
        Token::Open => {
            let inner = or(rest, depth + 1)?;
            (next(rest)? == Token::Close).then_some(inner)
        }
        Token::Word(name) if rest.first() == Some(&Token::Open) => {
            next(rest)?;
            let mut arguments = Vec::new();
            loop {
                match next(rest)? {
                    Token::Close => break,
                    Token::Comma => {}
                    Token::Word(text) | Token::Text(text) => arguments.push(text),
                    Token::Open => return None,
                }
            }
            Some(Filter::Call(name, arguments))
        }
        Token::Word(name) => {
            let equal = match next(rest)? {
                Token::Word(operator) if operator.eq_ignore_ascii_case("eq") => true,
                Token::Word(operator) if operator.eq_ignore_ascii_case("ne") => false,
                _ => return None,
            };
            match next(rest)? {
                Token::Text(value) | Token::Word(value) => Some(Filter::Is(name, value, equal)),
                _ => None,
            }
        }
        _ => None,
    }
}

fn next(rest: &mut &[Token]) -> Option<Token> {
    let (first, tail) = rest.split_first()?;
    *rest = tail;
    Some(first.clone())
}

fn word(rest: &mut &[Token], wanted: &str) -> bool {
    let found = matches!(rest.first(), Some(Token::Word(word)) if word.eq_ignore_ascii_case(wanted));
    if found {
        *rest = &rest[1..];
    }
    found
}

fn tokens(text: &str) -> Option<Vec<Token>> {
    let mut out = Vec::new();
    let mut signs = text.chars().peekable();
    while let Some(sign) = signs.next() {
        match sign {
            c if c.is_whitespace() => {}
            '(' => out.push(Token::Open),
            ')' => out.push(Token::Close),
            ',' => out.push(Token::Comma),
            '\'' => {
                let mut value = String::new();
                loop {
                    match signs.next()? {
                        // a doubled quote is one
                        '\'' if signs.peek() == Some(&'\'') => {
                            signs.next();
                            value.push('\'');
                        }
                        '\'' => break,
                        other => value.push(other),
                    }
                }
                out.push(Token::Text(value));
            }
            first => {
                let mut word = String::from(first);
                while let Some(next) = signs.next_if(|c| !c.is_whitespace() && !"(),'".contains(*c)) {
                    word.push(next);
                }
                out.push(Token::Word(word));
            }
        }
    }
    Some(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fits(filter: &str) -> bool {
        let property = |name: &str| match name {
            "resourceType" => Some("Microsoft.App/containerApps".to_owned()),
            "name" => Some("o'web".to_owned()),
            _ => None,
        };
        Filter::parse(filter).unwrap().fits(&property, &|name, _| name == "atScope")
    }

    #[test]
    fn the_forms_that_clients_send() {
        assert!(fits("resourceType eq 'microsoft.app/containerapps'"));
        assert!(fits("name eq 'o''web' and resourceType ne 'x'"));
        assert!(!fits("name eq 'x' or (resourceType eq 'y' and name eq 'o''web')"));
        assert!(fits("atScope() and substringof('WEB', name)"));
        assert!(fits("not startswith(name,'web')"));
        assert!(!fits("tagName eq 'a'"));
    }

    #[test]
    fn what_is_no_filter_is_not_read() {
        for wrong in
            ["", "name", "name eq", "name eq 'x", "(name eq 'x'", "name eq 'x' and", "eq 'x' name", ")"]
        {
            assert_eq!(Filter::parse(wrong), None, "{wrong}");
        }
        assert_eq!(Filter::parse(&"(".repeat(100_000)), None);
    }
}
