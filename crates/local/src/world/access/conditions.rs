//! Conditions of role assignments, version 2.0: what an assignment asks besides who, what and where
//! (learn.microsoft.com/azure/role-based-access-control/conditions-format).

use super::roles::fits;

/// A condition that was understood.
#[derive(Clone, Debug, PartialEq)]
pub enum Condition {
    /// All of them.
    And(Vec<Condition>),
    /// One of them.
    Or(Vec<Condition>),
    /// The contrary.
    Not(Box<Condition>),
    /// `ActionMatches{'…'}`.
    Action(String),
    /// `SubOperationMatches{'…'}`: none is told apart here.
    SubOperation(String),
    /// `Exists @Request[…]`.
    Exists(String),
    /// `@Request[…] Operator {values}`.
    Compare {
        /// What stands in the brackets, lower case.
        attribute: String,
        /// `ForAnyOfAnyValues:GuidEquals`, lower case.
        operator: String,
        /// As written.
        values: Vec<String>,
    },
    /// `true` or `false`.
    Always(bool),
}

/// What a condition is judged by: the action, and values of attributes by lower-case name.
#[derive(Clone, Debug, Default)]
pub struct Facts<'a> {
    /// Action or data action.
    pub action: &'a str,
    /// `microsoft.authorization/roleassignments:roledefinitionid` and its like.
    pub attributes: Vec<(&'static str, String)>,
}

#[derive(Clone, Debug, PartialEq)]
enum Token {
    Word(String),
    Text(String),
    Attribute(String),
    Sign(char),
}

impl Condition {
    /// Reads a condition; `None` when it is none.
    pub fn parse(text: &str) -> Option<Condition> {
        let tokens = tokens(text)?;
        let mut reader = Reader { tokens: &tokens, at: 0 };
        let condition = reader.any()?;
        (reader.at == tokens.len()).then_some(condition)
    }

    /// Whether it is fulfilled. An attribute that is not known fulfils nothing.
    pub fn holds(&self, facts: &Facts) -> bool {
        match self {
            Condition::And(all) => all.iter().all(|it| it.holds(facts)),
            Condition::Or(any) => any.iter().any(|it| it.holds(facts)),
            Condition::Not(it) => !it.holds(facts),
            Condition::Action(pattern) => fits(pattern, facts.action),
            Condition::SubOperation(_) => false,
            Condition::Exists(attribute) => facts.get(attribute).is_some(),
            Condition::Compare { attribute, operator, values } => {
                facts.get(attribute).is_some_and(|found| compare(operator, found, values))
            }
            Condition::Always(fulfilled) => *fulfilled,
        }
    }
}

impl Facts<'_> {
    fn get(&self, attribute: &str) -> Option<&str> {
        self.attributes.iter().find(|(name, _)| *name == attribute).map(|(_, value)| value.as_str())
    }
}

/// One value of an attribute against those of the condition. With one value `ForAnyOf` and `ForAllOf` are the same;
/// `AllValues` asks for all that the condition lists.
fn compare(operator: &str, found: &str, values: &[String]) -> bool {
    let (quantity, operator) = operator.split_once(':').unwrap_or(("", operator));
    let (negated, operator) = match operator.replacen("not", "", 1) {
        positive if positive != operator => (true, positive),
        _ => (false, operator.to_owned()),
    };
    let one = |value: &String| match operator.as_str() {
        "guidequals" | "stringequalsignorecase" | "boolequals" => found.eq_ignore_ascii_case(value),
        "stringequals" | "numericequals" => found == value,
        "stringstartswith" => found.starts_with(value),
        "stringstartswithignorecase" => found.to_ascii_lowercase().starts_with(&value.to_ascii_lowercase()),
        "stringlike" => fits(value, found) && (value.contains('*') || found == value),
        "stringlikeignorecase" => fits(value, found),
        _ => false,
    };
    if quantity.ends_with("allvalues") {
        values.iter().all(|value| one(value) != negated)
    } else if quantity.is_empty() && negated {
        values.iter().all(|value| !one(value))
    } else {
        values.iter().any(|value| one(value) != negated)
    }
}

fn tokens(text: &str) -> Option<Vec<Token>> {
    let mut tokens = Vec::new();
    let mut rest = text.trim_start();
    while let Some(sign) = rest.chars().next() {
        rest = match sign {
            '(' | ')' | '{' | '}' | ',' | '!' => {
                tokens.push(Token::Sign(sign));
                &rest[1..]
            }
            '\'' => {
                let (inside, after) = rest[1..].split_once('\'')?;
                tokens.push(Token::Text(inside.to_owned()));
                after
            }
            '@' => {
                let (source, after) = rest[1..].split_once('[')?;
                let known = ["request", "resource", "principal", "environment"];
                if !known.contains(&source.to_ascii_lowercase().as_str()) {
                    return None;
                }
                let (name, after) = after.split_once(']')?;
                tokens.push(Token::Attribute(name.to_ascii_lowercase()));
                after
            }
            '&' | '|' => {
                let double = if sign == '&' { "&&" } else { "||" };
                tokens.push(Token::Word(if sign == '&' { "and" } else { "or" }.into()));
                rest.strip_prefix(double)?
            }
            _ => {
                let end = rest
                    .find(|c: char| {
                        !(c.is_alphanumeric() || matches!(c, '-' | '_' | ':' | '.' | '$' | '/' | '<' | '>'))
                    })
                    .unwrap_or(rest.len());
                if end == 0 {
                    return None;
                }
                tokens.push(Token::Word(rest[..end].to_ascii_lowercase()));
                &rest[end..]
            }
        }
        .trim_start();
    }
    Some(tokens)
}

struct Reader<'a> {
    tokens: &'a [Token],
    at: usize,
}

impl Reader<'_> {
    fn next(&mut self) -> Option<&Token> {
        self.at += 1;
        self.tokens.get(self.at - 1)
    }

    fn takes(&mut self, token: &Token) -> bool {
        let found = self.tokens.get(self.at) == Some(token);
        self.at += usize::from(found);
        found
    }

    fn word(&mut self, word: &str) -> bool {
        self.takes(&Token::Word(word.to_owned()))
    }

    /// Terms with OR between them.
    fn any(&mut self) -> Option<Condition> {
        let mut terms = vec![self.all()?];
        while self.word("or") {
            terms.push(self.all()?);
        }
        if terms.len() == 1 { terms.pop() } else { Some(Condition::Or(terms)) }
    }

    /// Terms with AND between them.
    fn all(&mut self) -> Option<Condition> {
        let mut terms = vec![self.term()?];
        while self.word("and") {
            terms.push(self.term()?);
        }
        if terms.len() == 1 { terms.pop() } else { Some(Condition::And(terms)) }
    }

    fn term(&mut self) -> Option<Condition> {
        if self.takes(&Token::Sign('!')) || self.word("not") {
            return Some(Condition::Not(Box::new(self.term()?)));
        }
        if self.takes(&Token::Sign('(')) {
            let inside = self.any()?;
            return self.takes(&Token::Sign(')')).then_some(inside);
        }
        match self.next()?.clone() {
            Token::Attribute(attribute) => {
                let Token::Word(operator) = self.next()?.clone() else { return None };
                let values = self.values()?;
                Some(Condition::Compare { attribute, operator, values })
            }
            Token::Word(word) => match word.as_str() {
                "actionmatches" => self.values()?.pop().map(Condition::Action),
                "suboperationmatches" => self.values()?.pop().map(Condition::SubOperation),
                "exists" | "notexists" => {
                    let Token::Attribute(attribute) = self.next()?.clone() else { return None };
                    let exists = Condition::Exists(attribute);
                    Some(if word == "exists" { exists } else { Condition::Not(Box::new(exists)) })
                }
                "true" | "false" => Some(Condition::Always(word == "true")),
                _ => None,
            },
            Token::Text(_) | Token::Sign(_) => None,
        }
    }

    /// `{a, 'b'}`, or one value.
    fn values(&mut self) -> Option<Vec<String>> {
        let many = self.takes(&Token::Sign('{'));
        let mut values = Vec::new();
        loop {
            match self.next()? {
                Token::Word(value) | Token::Text(value) => values.push(value.clone()),
                Token::Attribute(_) | Token::Sign(_) => return None,
            }
            if !many {
                return Some(values);
            }
            if self.takes(&Token::Sign('}')) {
                return Some(values);
            }
            if !self.takes(&Token::Sign(',')) {
                return None;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const WRITE: &str = "Microsoft.Authorization/roleAssignments/write";
    const ROLE: &str = "microsoft.authorization/roleassignments:roledefinitionid";

    fn facts(action: &str, role: &str) -> Facts<'static> {
        let action = if action == WRITE { WRITE } else { "other/read" };
        Facts { action, attributes: vec![(ROLE, role.to_owned())] }
    }

    #[test]
    fn a_delegation_holds_for_the_roles_that_it_lists() {
        let text = "((!(ActionMatches{'Microsoft.Authorization/roleAssignments/write'})) OR \
                    (@Request[Microsoft.Authorization/roleAssignments:RoleDefinitionId] \
                    ForAnyOfAnyValues:GuidEquals {aaaa, bbbb}))";
        let condition = Condition::parse(text).unwrap();
        assert!(condition.holds(&facts(WRITE, "AAAA")));
        assert!(!condition.holds(&facts(WRITE, "cccc")));
        assert!(condition.holds(&facts("other", "cccc")), "another action is not restricted");
        let not = text.replace("ForAnyOfAnyValues:GuidEquals", "ForAnyOfAllValues:GuidNotEquals");
        let condition = Condition::parse(&not).unwrap();
        assert!(!condition.holds(&facts(WRITE, "bbbb")));
        assert!(condition.holds(&facts(WRITE, "cccc")));
    }

    #[test]
    fn what_is_no_condition_is_refused() {
        for text in [
            "",
            "(",
            "@Request[",
            "@Other[a] StringEquals 'b'",
            "nonsense",
            "true and",
            "'a'",
            "@Request[a] {",
        ] {
            assert_eq!(Condition::parse(text), None, "{text}");
        }
        for text in ["true", "Exists @Request[a]", "@Resource[a:b] StringLike 'x*' && !(false)"] {
            assert!(Condition::parse(text).is_some(), "{text}");
        }
    }
}
