//! One body against another, with what was last applied as the third.
//!
//! The wanted body leads: only what it says is compared, each value by the type's [`Habits`]. What was last
//! applied adds two things: a property that we once set and no longer want is ours to take away, and each
//! difference can be told as drift (wanted as applied, live not) or intent.

use landfall_blueprint::{Body, Expression, Object, region};
use serde_json::Value;

use crate::change::{Cause, PropertyChange, SECRET, UNKNOWN};
use crate::habits::{Habits, Implied, List};

/// The differences between a wanted body, resolved as far as anything is known, and a live one.
///
/// An expression still in `wanted` is a value that changes with something it depends on, unless `settled` says
/// that it stays what it is.
pub fn compare(
    habits: &Habits,
    wanted: &Body,
    live: &Value,
    applied: Option<&Value>,
    settled: &dyn Fn(&Expression) -> bool,
) -> Vec<PropertyChange> {
    let mut walk = Walk { habits, settled, found: Vec::new() };
    walk.value(&Place::top(), Some(wanted), present(Some(live)), Applied::of(applied));
    walk.found
}

/// Everything a body says, as differences from nothing: what a creation does.
pub fn creation(wanted: &Body, cause: Cause) -> Vec<PropertyChange> {
    let mut found = Vec::new();
    leaves(&Place::top(), wanted, &mut |place, value| {
        let to = shown(value);
        found.push(PropertyChange {
            path: place.shown.clone(),
            from: Value::Null,
            to,
            replaces: false,
            cause,
        });
    });
    found
}

/// Where the walk is: as people read it, and as the table of habits writes it.
#[derive(Clone)]
struct Place {
    shown: String,
    pattern: String,
}

impl Place {
    fn top() -> Place {
        Place { shown: String::new(), pattern: String::new() }
    }

    fn key(&self, key: &str) -> Place {
        let plain = key.chars().all(|c| c.is_ascii_alphanumeric() || c == '_' || c == '-' || c == '$');
        let join = |path: &str| match (path.is_empty(), plain) {
            (true, true) => key.to_owned(),
            (false, true) => format!("{path}.{key}"),
            (_, false) => format!("{path}[{key}]"),
        };
        Place { shown: join(&self.shown), pattern: join(&self.pattern) }
    }

    fn item(&self, name: &str) -> Place {
        Place { shown: format!("{}[{name}]", self.shown), pattern: format!("{}[]", self.pattern) }
    }

    /// Objects whose keys are somebody's names: tags, and identities by their ids.
    fn keys_fold(&self) -> bool {
        self.pattern == "tags" || self.pattern == "identity.userAssignedIdentities"
    }
}

/// What was applied at the place of the walk.
#[derive(Clone, Copy)]
enum Applied<'a> {
    /// Nothing is remembered of this resource.
    Unknown,
    /// It was applied, without this property.
    Absent,
    /// It was applied with this value.
    Value(&'a Value),
}

impl<'a> Applied<'a> {
    fn of(applied: Option<&'a Value>) -> Applied<'a> {
        applied.map_or(Applied::Unknown, Applied::Value)
    }

    fn step(self, step: impl Fn(&'a Value) -> Option<&'a Value>) -> Applied<'a> {
        match self {
            Applied::Value(value) => present(step(value)).map_or(Applied::Absent, Applied::Value),
            other => other,
        }
    }
}

struct Walk<'a> {
    habits: &'a Habits,
    settled: &'a dyn Fn(&Expression) -> bool,
    found: Vec<PropertyChange>,
}

impl Walk<'_> {
    /// Compares one value; a `wanted` of nothing is one that has to go.
    fn value(&mut self, place: &Place, wanted: Option<&Body>, live: Option<&Value>, applied: Applied<'_>) {
        match (wanted, live) {
            (None | Some(Body::Null), None) => {}
            (None | Some(Body::Null), Some(live)) => self.gone(place, live, applied),
            (Some(Body::Expression(expression)), live) => self.unknown(place, expression, live, applied),
            (Some(Body::Object(wanted)), Some(live @ Value::Object(_))) => {
                self.object(place, wanted, live, applied);
            }
            (Some(Body::Array(wanted)), Some(Value::Array(live))) => self.list(place, wanted, live, applied),
            (Some(wanted), Some(live)) if self.same(place, wanted, live) => {}
            (Some(wanted), None) if self.implied(place, wanted) => {}
            (Some(wanted), live) => self.differs(place, Some(wanted), live, applied),
        }
    }

    fn object(&mut self, place: &Place, wanted: &Object, live: &Value, applied: Applied<'_>) {
        let fold = place.keys_fold();
        for (key, value) in wanted.iter() {
            let live = present(entry(live, key, fold));
            self.value(&place.key(key), Some(value), live, applied.step(|a| entry(a, key, fold)));
        }
        // What the blueprint does not say is compared only where it is the blueprint's to say it: by the
        // table, or because we once said it.
        for (key, live) in live.as_object().into_iter().flatten() {
            let said = match fold {
                true => wanted.iter().any(|(wanted, _)| wanted.eq_ignore_ascii_case(key)),
                false => wanted.get(key).is_some(),
            };
            let here = place.key(key);
            let once = applied.step(|a| entry(a, key, fold));
            let ours = self.habits.ours.contains(&here.pattern.as_str()) || matches!(once, Applied::Value(_));
            if !said && ours && !is_empty(live) {
                self.value(&here, None, Some(live), once);
            }
        }
    }

    fn list(&mut self, place: &Place, wanted: &[Body], live: &[Value], applied: Applied<'_>) {
        match self.habits.list(&place.pattern) {
            Some(List::Keyed(key)) => self.keyed(place, key, wanted, live, applied, false),
            Some(List::Shared(key)) => self.keyed(place, key, wanted, live, applied, true),
            Some(List::Set) => {
                let item = place.item("");
                let same = |wanted: &Body, live: &Value| self.same(&item, wanted, live);
                let all = wanted.iter().all(|wanted| live.iter().any(|live| same(wanted, live)))
                    && live.iter().all(|live| wanted.iter().any(|wanted| same(wanted, live)));
                if !all {
                    let live = Value::Array(live.to_vec());
                    self.differs(place, Some(&Body::Array(wanted.to_vec())), Some(&live), applied);
                }
            }
            None => {
                let item = place.item("");
                let whole = wanted.len() == live.len()
                    && wanted.iter().zip(live).all(|(wanted, live)| self.equal(&item, wanted, live));
                if !whole {
                    let live = Value::Array(live.to_vec());
                    self.differs(place, Some(&Body::Array(wanted.to_vec())), Some(&live), applied);
                }
            }
        }
    }

    fn keyed(
        &mut self,
        place: &Place,
        key: &str,
        wanted: &[Body],
        live: &[Value],
        applied: Applied<'_>,
        shared: bool,
    ) {
        let fold = self.habits.folds(&format!("{}[].{key}", place.pattern));
        let same = |one: &str, other: &str| match fold {
            true => one.eq_ignore_ascii_case(other),
            false => same_text(one, other),
        };
        let find = |items: &'_ [Value], name: &str| -> Option<usize> {
            items.iter().position(|item| item.get(key).and_then(Value::as_str).is_some_and(|k| same(k, name)))
        };
        let mut named: Vec<String> = Vec::new();
        for (number, item) in wanted.iter().enumerate() {
            // An item whose key is not known yet (a registry that does not exist) is told apart by its place.
            let Some(name) = item.get(key).and_then(Body::as_str) else {
                let name = item.get(key).map_or_else(|| number.to_string(), |_| UNKNOWN.to_owned());
                let at = live.get(number);
                let kept =
                    at.is_some() && matches!(item.get(key), Some(Body::Expression(e)) if (self.settled)(e));
                match kept {
                    true => {
                        let at =
                            at.and_then(|item| item.get(key)).and_then(Value::as_str).unwrap_or_default();
                        named.push(at.to_owned());
                        self.value(&place.item(at), Some(item), live.get(number), Applied::Unknown);
                    }
                    false => self.differs(&place.item(&name), Some(item), None, applied.step(|_| None)),
                }
                continue;
            };
            named.push(name.to_owned());
            let applied = applied.step(|a| {
                let items = a.as_array()?;
                items.get(find(items, name)?)
            });
            let live = find(live, name).map(|place| &live[place]);
            match live {
                Some(live) => self.value(&place.item(name), Some(item), Some(live), applied),
                None => self.differs(&place.item(name), Some(item), None, applied),
            }
        }
        for item in live {
            let name = item.get(key).and_then(Value::as_str).unwrap_or_default();
            if named.iter().any(|wanted| same(wanted, name)) {
                continue;
            }
            let applied = applied.step(|a| {
                let items = a.as_array()?;
                items.get(find(items, name)?)
            });
            if !shared || matches!(applied, Applied::Value(_)) {
                self.gone(&place.item(name), item, applied);
            }
        }
    }

    /// A value that only the deployment will tell.
    fn unknown(
        &mut self,
        place: &Place,
        expression: &Expression,
        live: Option<&Value>,
        applied: Applied<'_>,
    ) {
        if self.habits.write_only.contains(&place.pattern.as_str()) {
            return;
        }
        if !(live.is_some() && (self.settled)(expression)) {
            self.differs(place, Some(&Body::Expression(expression.clone())), live, applied);
        }
    }

    fn gone(&mut self, place: &Place, live: &Value, applied: Applied<'_>) {
        // We once wanted it and do not any more; or it never was ours and somebody put it there.
        let cause = match applied {
            Applied::Value(_) | Applied::Unknown => Cause::Intent,
            Applied::Absent => Cause::Drift,
        };
        self.push(place, live.clone(), Value::Null, cause);
    }

    fn differs(&mut self, place: &Place, wanted: Option<&Body>, live: Option<&Value>, applied: Applied<'_>) {
        if self.habits.write_only.contains(&place.pattern.as_str()) {
            return;
        }
        let as_applied = match (applied, wanted) {
            (Applied::Value(applied), Some(wanted)) => self.equal(place, wanted, applied),
            _ => false,
        };
        // What moves by itself has moved, unless it is we who move it.
        let moves = self.habits.moving.contains(&place.pattern.as_str());
        if moves && live.is_some() && (as_applied || matches!(applied, Applied::Unknown)) {
            return;
        }
        let cause = if as_applied { Cause::Drift } else { Cause::Intent };
        let to = wanted.map_or(Value::Null, shown);
        self.push(place, live.cloned().unwrap_or_default(), to, cause);
    }

    fn push(&mut self, place: &Place, from: Value, to: Value, cause: Cause) {
        let replaces = self.habits.immutable(&place.pattern).is_some();
        self.found.push(PropertyChange { path: place.shown.clone(), from, to, replaces, cause });
    }

    /// Whether a whole value is the same, deep.
    fn equal(&self, place: &Place, wanted: &Body, live: &Value) -> bool {
        let mut inner = Walk { habits: self.habits, settled: self.settled, found: Vec::new() };
        inner.value(place, Some(wanted), present(Some(live)), Applied::Unknown);
        inner.found.is_empty()
    }

    fn same(&self, place: &Place, wanted: &Body, live: &Value) -> bool {
        match (wanted, live) {
            (Body::String(wanted), Value::String(live)) => {
                // Azure answers some regions by the names that people use.
                if ["location", "properties.locations[].locationName"].contains(&place.pattern.as_str()) {
                    return region::plain(wanted) == region::plain(live);
                }
                same_text(wanted, live)
                    || (self.habits.folds(&place.pattern) && wanted.eq_ignore_ascii_case(live))
                    || (self.habits.quantities.contains(&place.pattern.as_str()) && same_amount(wanted, live))
            }
            (Body::Bool(wanted), Value::Bool(live)) => wanted == live,
            // `1` and `1.0` are one number.
            (Body::Number(wanted), Value::Number(live)) => wanted.as_f64() == live.as_f64(),
            (Body::Kept(wanted), live) => wanted == live,
            _ => false,
        }
    }

    /// Whether a value is what is meant when Azure answers nothing.
    fn implied(&self, place: &Place, wanted: &Body) -> bool {
        if self.habits.write_only.contains(&place.pattern.as_str()) {
            return true;
        }
        match (wanted, self.habits.default(&place.pattern)) {
            (Body::Bool(wanted), Some(Implied::Bool(implied))) => *wanted == implied,
            (Body::Number(wanted), Some(Implied::Number(implied))) => wanted.as_u64() == Some(implied.into()),
            (Body::String(wanted), Some(Implied::Text(implied))) => wanted == implied,
            (Body::Array(items), Some(Implied::Nothing)) => items.is_empty(),
            // An object is implied when everything in it is.
            (Body::Object(object), _) => {
                object.iter().all(|(key, value)| *value == Body::Null || self.implied(&place.key(key), value))
            }
            _ => false,
        }
    }
}

/// Ids are the same in any case; any other text is only itself.
fn same_text(one: &str, other: &str) -> bool {
    let is_id =
        |text: &str| text.get(..15).is_some_and(|start| start.eq_ignore_ascii_case("/subscriptions/"));
    one == other || (is_id(one) && one.eq_ignore_ascii_case(other))
}

/// `1Gi` and `1.0Gi`.
fn same_amount(one: &str, other: &str) -> bool {
    let parts = |text: &str| {
        let unit = text.find(|c: char| c.is_ascii_alphabetic()).unwrap_or(text.len());
        Some((text[..unit].parse::<f64>().ok()?, text[unit..].to_owned()))
    };
    parts(one).is_some() && parts(one) == parts(other)
}

/// Null is absent.
fn present(value: Option<&Value>) -> Option<&Value> {
    value.filter(|value| !value.is_null())
}

fn is_empty(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::Array(items) => items.is_empty(),
        Value::Object(map) => map.values().all(is_empty),
        Value::String(text) => text.is_empty(),
        _ => false,
    }
}

fn entry<'a>(value: &'a Value, key: &str, fold: bool) -> Option<&'a Value> {
    let map = value.as_object()?;
    map.get(key).or_else(|| match fold {
        true => map.iter().find(|(there, _)| there.eq_ignore_ascii_case(key)).map(|(_, value)| value),
        false => None,
    })
}

/// A value as a plan shows it: expressions as unknown, secrets not at all.
fn shown(body: &Body) -> Value {
    match body {
        Body::Expression(expression) if expression.is_secret() => SECRET.into(),
        Body::Expression(_) => UNKNOWN.into(),
        Body::Array(items) => Value::Array(items.iter().map(shown).collect()),
        Body::Object(object) => {
            Value::Object(object.iter().map(|(key, value)| (key.to_owned(), shown(value))).collect())
        }
        plain => plain.to_json().unwrap_or_default(),
    }
}

/// Every value that is not an object with something in it.
fn leaves(place: &Place, body: &Body, see: &mut dyn FnMut(&Place, &Body)) {
    match body {
        Body::Object(object) if !object.is_empty() => {
            object.iter().for_each(|(key, value)| leaves(&place.key(key), value, see));
        }
        Body::Array(items) if items.iter().any(|item| item.get("name").is_some()) => {
            for (number, item) in items.iter().enumerate() {
                let name =
                    item.get("name").and_then(Body::as_str).map_or_else(|| number.to_string(), str::to_owned);
                leaves(&place.item(&name), item, see);
            }
        }
        Body::Null => {}
        leaf => see(place, leaf),
    }
}
