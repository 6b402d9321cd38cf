//! JSON with expressions in it.

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::{Map, Number, Value};

use crate::address::Address;
use crate::expression::Expression;

/// The body of an ARM request: JSON in which a value may be an [`Expression`].
///
/// Written out (a saved plan), an expression is `{"$expression": {…}}`, what is kept `{"$kept": …}`, and a key
/// of the body itself that begins with `$` gets a second one, so that nothing a user writes can be mistaken for
/// either.
#[derive(Clone, Debug, PartialEq, Default)]
pub enum Body {
    /// `null`.
    #[default]
    Null,
    /// `true` or `false`.
    Bool(bool),
    /// Any number.
    Number(Number),
    /// A text, taken as it is.
    String(String),
    /// A list.
    Array(Vec<Body>),
    /// An object whose keys keep the order they were given in.
    Object(Object),
    /// A value known only at deployment.
    Expression(Expression),
    /// A value that somebody else set and that is sent back as it was found, so that a write does not erase
    /// it. Never part of a blueprint; a plan puts it in.
    Kept(Value),
}

/// The entries of an object, in order, each key once.
#[derive(Clone, Debug, Default)]
pub struct Object(Vec<(String, Body)>);

impl Object {
    /// An object without entries.
    pub fn new() -> Object {
        Object::default()
    }

    /// The value under a key.
    pub fn get(&self, key: &str) -> Option<&Body> {
        self.0.iter().find(|(k, _)| k == key).map(|(_, value)| value)
    }

    /// The value under a key, to change it.
    pub fn get_mut(&mut self, key: &str) -> Option<&mut Body> {
        self.0.iter_mut().find(|(k, _)| k == key).map(|(_, value)| value)
    }

    /// Sets a key: in its place when it is there, else at the end.
    pub fn insert(&mut self, key: impl Into<String>, value: impl Into<Body>) {
        let (key, value) = (key.into(), value.into());
        match self.get_mut(&key) {
            Some(there) => *there = value,
            None => self.0.push((key, value)),
        }
    }

    /// Takes a key out.
    pub fn remove(&mut self, key: &str) -> Option<Body> {
        let place = self.0.iter().position(|(k, _)| k == key)?;
        Some(self.0.remove(place).1)
    }

    /// The entries in order.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &Body)> {
        self.0.iter().map(|(key, value)| (key.as_str(), value))
    }

    /// The entries in order, their values to be changed.
    pub fn iter_mut(&mut self) -> impl Iterator<Item = (&str, &mut Body)> {
        self.0.iter_mut().map(|(key, value)| (key.as_str(), value))
    }

    /// How many entries there are.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

// Order is kept for reading; two objects with the same entries are the same object.
impl PartialEq for Object {
    fn eq(&self, other: &Object) -> bool {
        self.len() == other.len() && self.iter().all(|(key, value)| other.get(key) == Some(value))
    }
}

impl FromIterator<(String, Body)> for Object {
    fn from_iter<I: IntoIterator<Item = (String, Body)>>(entries: I) -> Object {
        let mut object = Object::new();
        for (key, value) in entries {
            object.insert(key, value);
        }
        object
    }
}

/// An object of these entries; an entry whose value is null is left out, so that an optional one can stand in
/// the row of the others.
pub fn object<const N: usize>(entries: [(&str, Body); N]) -> Body {
    let present = entries.into_iter().filter(|(_, value)| *value != Body::Null);
    Body::Object(present.map(|(key, value)| (key.to_owned(), value)).collect())
}

/// Where the values of expressions come from: what is live when planning, the outputs of finished operations
/// when deploying.
pub trait Lookup {
    /// The value of an expression that is not a `Concat`, or nothing while it is unknown.
    fn value(&self, expression: &Expression) -> Option<Value>;
}

impl<F: Fn(&Expression) -> Option<Value>> Lookup for F {
    fn value(&self, expression: &Expression) -> Option<Value> {
        self(expression)
    }
}

impl Body {
    /// The value under a key of an object.
    pub fn get(&self, key: &str) -> Option<&Body> {
        self.as_object().and_then(|object| object.get(key))
    }

    /// The value at a dotted path of keys.
    pub fn at(&self, path: &str) -> Option<&Body> {
        path.split('.').try_fold(self, |body, key| body.get(key))
    }

    /// The value at a dotted path of keys, to change it.
    pub fn at_mut(&mut self, path: &str) -> Option<&mut Body> {
        path.split('.').try_fold(self, |body, key| match body {
            Body::Object(object) => object.get_mut(key),
            _ => None,
        })
    }

    /// The entries, when this is an object.
    pub fn as_object(&self) -> Option<&Object> {
        match self {
            Body::Object(object) => Some(object),
            _ => None,
        }
    }

    /// The text, when this is one.
    pub fn as_str(&self) -> Option<&str> {
        match self {
            Body::String(text) => Some(text),
            _ => None,
        }
    }

    /// Whether an expression in it, at any depth, is a secret.
    pub fn is_secret(&self) -> bool {
        match self {
            Body::Expression(expression) => expression.is_secret(),
            Body::Array(items) => items.iter().any(Body::is_secret),
            Body::Object(object) => object.iter().any(|(_, value)| value.is_secret()),
            _ => false,
        }
    }

    /// The resources that expressions in it name, in the order of reading, repeated as often as named.
    pub fn addresses<'a>(&'a self, found: &mut Vec<&'a Address>) {
        match self {
            Body::Expression(expression) => expression.addresses(found),
            Body::Array(items) => items.iter().for_each(|item| item.addresses(found)),
            Body::Object(object) => object.iter().for_each(|(_, value)| value.addresses(found)),
            Body::Null | Body::Bool(_) | Body::Number(_) | Body::String(_) | Body::Kept(_) => {}
        }
    }

    /// The expressions in it that are not inside another one, in the order of reading.
    pub fn expressions<'a>(&'a self, found: &mut Vec<&'a Expression>) {
        match self {
            Body::Expression(expression) => found.push(expression),
            Body::Array(items) => items.iter().for_each(|item| item.expressions(found)),
            Body::Object(object) => object.iter().for_each(|(_, value)| value.expressions(found)),
            Body::Null | Body::Bool(_) | Body::Number(_) | Body::String(_) | Body::Kept(_) => {}
        }
    }

    /// The same body with every expression replaced whose value is known; a `Concat` whose pieces are all
    /// known becomes one text.
    pub fn resolve(&self, lookup: &dyn Lookup) -> Body {
        match self {
            Body::Expression(Expression::Concat { of }) => {
                let pieces: Vec<Body> = of.iter().map(|piece| piece.resolve(lookup)).collect();
                match pieces.iter().map(Body::as_text).collect::<Option<String>>() {
                    Some(text) => Body::String(text),
                    None => Body::Expression(Expression::Concat { of: pieces }),
                }
            }
            Body::Expression(expression) => lookup.value(expression).map_or_else(|| self.clone(), Body::from),
            Body::Array(items) => Body::Array(items.iter().map(|item| item.resolve(lookup)).collect()),
            Body::Object(object) => Body::Object(
                object.iter().map(|(key, value)| (key.to_owned(), value.resolve(lookup))).collect(),
            ),
            Body::Null | Body::Bool(_) | Body::Number(_) | Body::String(_) | Body::Kept(_) => self.clone(),
        }
    }

    fn as_text(&self) -> Option<String> {
        match self {
            Body::String(text) => Some(text.clone()),
            Body::Bool(value) => Some(value.to_string()),
            Body::Number(number) => Some(number.to_string()),
            _ => None,
        }
    }

    /// Plain JSON.
    ///
    /// # Errors
    /// The first expression still in it.
    pub fn to_json(&self) -> Result<Value, Unresolved> {
        Ok(match self {
            Body::Null => Value::Null,
            Body::Bool(value) => Value::Bool(*value),
            Body::Number(number) => Value::Number(number.clone()),
            Body::String(text) => Value::String(text.clone()),
            Body::Array(items) => Value::Array(items.iter().map(Body::to_json).collect::<Result<_, _>>()?),
            Body::Object(object) => {
                let mut map = Map::new();
                for (key, value) in object.iter() {
                    map.insert(key.to_owned(), value.to_json()?);
                }
                Value::Object(map)
            }
            Body::Expression(expression) => return Err(Unresolved(Box::new(expression.clone()))),
            Body::Kept(value) => value.clone(),
        })
    }

    /// Lays `over` on this: objects key by key, anything else replaced, null taking a key out.
    pub fn merge(&mut self, over: &Value) {
        match (self, over) {
            (Body::Object(object), Value::Object(map)) => {
                for (key, value) in map {
                    match object.get_mut(key) {
                        _ if value.is_null() => {
                            object.remove(key);
                        }
                        Some(there) => there.merge(value),
                        None => object.insert(key.clone(), value.clone()),
                    }
                }
            }
            (there, value) => *there = value.clone().into(),
        }
    }
}

/// A body was to be sent while an expression in it had no value yet.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[error("no value yet for {0:?}")]
pub struct Unresolved(pub Box<Expression>);

impl From<&str> for Body {
    fn from(text: &str) -> Body {
        Body::String(text.to_owned())
    }
}

impl From<String> for Body {
    fn from(text: String) -> Body {
        Body::String(text)
    }
}

impl From<bool> for Body {
    fn from(value: bool) -> Body {
        Body::Bool(value)
    }
}

impl From<u32> for Body {
    fn from(value: u32) -> Body {
        Body::Number(value.into())
    }
}

impl From<u64> for Body {
    fn from(value: u64) -> Body {
        Body::Number(value.into())
    }
}

impl From<Expression> for Body {
    fn from(expression: Expression) -> Body {
        Body::Expression(expression)
    }
}

impl From<Vec<Body>> for Body {
    fn from(items: Vec<Body>) -> Body {
        Body::Array(items)
    }
}

impl<T: Into<Body>> From<Option<T>> for Body {
    fn from(value: Option<T>) -> Body {
        value.map_or(Body::Null, Into::into)
    }
}

impl From<Value> for Body {
    fn from(value: Value) -> Body {
        match value {
            Value::Null => Body::Null,
            Value::Bool(value) => Body::Bool(value),
            Value::Number(number) => Body::Number(number),
            Value::String(text) => Body::String(text),
            Value::Array(items) => Body::Array(items.into_iter().map(Body::from).collect()),
            Value::Object(map) => {
                Body::Object(map.into_iter().map(|(key, value)| (key, value.into())).collect())
            }
        }
    }
}

const EXPRESSION: &str = "$expression";
const KEPT: &str = "$kept";

impl Serialize for Body {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        use serde::ser::SerializeMap;
        match self {
            Body::Null => serializer.serialize_unit(),
            Body::Bool(value) => serializer.serialize_bool(*value),
            Body::Number(number) => number.serialize(serializer),
            Body::String(text) => serializer.serialize_str(text),
            Body::Array(items) => items.serialize(serializer),
            Body::Object(object) => {
                let mut map = serializer.serialize_map(Some(object.len()))?;
                for (key, value) in object.iter() {
                    match key.starts_with('$') {
                        true => map.serialize_entry(&format!("${key}"), value)?,
                        false => map.serialize_entry(key, value)?,
                    }
                }
                map.end()
            }
            Body::Expression(expression) => {
                let mut map = serializer.serialize_map(Some(1))?;
                map.serialize_entry(EXPRESSION, expression)?;
                map.end()
            }
            Body::Kept(value) => {
                let mut map = serializer.serialize_map(Some(1))?;
                map.serialize_entry(KEPT, value)?;
                map.end()
            }
        }
    }
}

impl<'de> Deserialize<'de> for Body {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Body, D::Error> {
        read(Value::deserialize(deserializer)?).map_err(serde::de::Error::custom)
    }
}

fn read(value: Value) -> Result<Body, serde_json::Error> {
    Ok(match value {
        Value::Array(items) => Body::Array(items.into_iter().map(read).collect::<Result<_, _>>()?),
        Value::Object(mut map) => match (map.remove(EXPRESSION), map.remove(KEPT)) {
            (Some(expression), _) => Body::Expression(serde_json::from_value(expression)?),
            (None, Some(value)) => Body::Kept(value),
            (None, None) => {
                let mut object = Object::new();
                for (key, value) in map {
                    let key = key.strip_prefix('$').map(str::to_owned).unwrap_or(key);
                    object.insert(key, read(value)?);
                }
                Body::Object(object)
            }
        },
        plain => plain.into(),
    })
}
