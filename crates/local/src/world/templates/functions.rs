//! The functions of the template language that follow from their arguments alone.

use std::cmp::Ordering;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Map, Value, json};

use super::{dates, networks};

type Outcome = Result<Value, String>;

/// A function: name in lower case, least and most arguments, what it does.
type Row = (&'static str, usize, usize, fn(&[Value]) -> Outcome);

const MANY: usize = usize::MAX;

/// All of them.
static FUNCTIONS: &[Row] = &[
    ("add", 2, 2, |a| arithmetic("add", a, i64::checked_add)),
    ("array", 1, 1, |a| Ok(if a[0].is_array() { a[0].clone() } else { json!([a[0]]) })),
    ("base64", 1, 1, |a| Ok(json!(STANDARD.encode(text("base64", &a[0])?)))),
    ("base64tojson", 1, 1, |a| parse("base64ToJson", &unbase64("base64ToJson", &a[0])?)),
    ("base64tostring", 1, 1, |a| Ok(json!(unbase64("base64ToString", &a[0])?))),
    ("bool", 1, 1, |a| boolean(&a[0])),
    ("cidrhost", 2, 2, |a| networks::host(text("cidrHost", &a[0])?, int("cidrHost", &a[1])?)),
    ("cidrsubnet", 3, 3, |a| {
        let name = "cidrSubnet";
        networks::subnet(text(name, &a[0])?, int(name, &a[1])?, int(name, &a[2])?)
    }),
    ("concat", 1, MANY, concat),
    ("contains", 2, 2, contains),
    ("createarray", 0, MANY, |a| Ok(Value::Array(a.to_vec()))),
    ("createobject", 0, MANY, create_object),
    ("datauri", 1, 1, |a| {
        Ok(json!(format!("data:text/plain;charset=utf8;base64,{}", STANDARD.encode(text("dataUri", &a[0])?))))
    }),
    ("datauritostring", 1, 1, |a| data_uri(text("dataUriToString", &a[0])?)),
    ("datetimeadd", 2, 3, |a| {
        let name = "dateTimeAdd";
        let format = a.get(2).map(|it| text(name, it)).transpose()?;
        dates::add(text(name, &a[0])?, text(name, &a[1])?, format)
    }),
    ("datetimefromepoch", 1, 1, |a| dates::from_epoch(int("dateTimeFromEpoch", &a[0])?)),
    ("datetimetoepoch", 1, 1, |a| dates::to_epoch(text("dateTimeToEpoch", &a[0])?)),
    ("div", 2, 2, |a| {
        if a[1].as_i64() == Some(0) {
            return Err("Attempted to divide by zero.".into());
        }
        arithmetic("div", a, i64::checked_div)
    }),
    ("empty", 1, 1, |a| {
        Ok(json!(match &a[0] {
            Value::Null => true,
            Value::String(text) => text.is_empty(),
            Value::Array(list) => list.is_empty(),
            Value::Object(map) => map.is_empty(),
            other => return Err(expects("empty", "array, object or string", other)),
        }))
    }),
    ("endswith", 2, 2, |a| two_texts("endsWith", a, |text, part| text.ends_with(part))),
    ("equals", 2, 2, |a| Ok(json!(same(&a[0], &a[1])))),
    ("fail", 1, 1, |a| Err(text("fail", &a[0])?.to_owned())),
    ("false", 0, 0, |_| Ok(json!(false))),
    ("first", 1, 1, |a| {
        Ok(match &a[0] {
            Value::String(text) => json!(text.chars().next().map(String::from).unwrap_or_default()),
            Value::Array(list) => list.first().cloned().unwrap_or(Value::Null),
            other => return Err(expects("first", "array or string", other)),
        })
    }),
    ("flatten", 1, 1, |a| {
        let mut flat = Vec::new();
        for part in list("flatten", &a[0])? {
            match part {
                Value::Array(items) => flat.extend(items.iter().cloned()),
                other => return Err(expects("flatten", "array of arrays", other)),
            }
        }
        Ok(Value::Array(flat))
    }),
    ("float", 1, 1, |a| {
        match &a[0] {
        Value::Number(number) => Ok(json!(number.as_f64())),
        Value::String(text) => text
            .trim()
            .parse::<f64>()
            .map(|number| json!(number))
            .map_err(|_| format!("The template language function 'float' cannot convert provided value '{text}' to a floating-point number.")),
        other => Err(expects("float", "string or integer", other)),
    }
    }),
    ("format", 1, MANY, format_text),
    ("greater", 2, 2, |a| order("greater", a, Ordering::is_gt)),
    ("greaterorequals", 2, 2, |a| order("greaterOrEquals", a, Ordering::is_ge)),
    ("guid", 1, MANY, |a| {
        // the namespace under which ARM derives GUIDs (version 5) from text
        const NAMESPACE: uuid::Uuid = uuid::Uuid::from_u128(0x11fb06fb_712d_4ddd_98c7_e71bbd588830);
        let joined = texts("guid", a)?.join("-");
        Ok(json!(uuid::Uuid::new_v5(&NAMESPACE, joined.as_bytes()).to_string()))
    }),
    ("indexof", 2, 2, |a| index_of("indexOf", a, false)),
    ("int", 1, 1, |a| {
        match &a[0] {
        Value::Number(number) => Ok(json!(number.as_i64().unwrap_or(number.as_f64().unwrap_or(0.0) as i64))),
        Value::String(text) => text
            .trim()
            .parse::<i64>()
            .map(|number| json!(number))
            .map_err(|_| format!("The template language function 'int' cannot convert provided value '{text}' to integer value. Please see https://aka.ms/arm-functions#int for usage details.")),
        other => Err(expects("int", "string or integer", other)),
    }
    }),
    ("intersection", 2, MANY, intersection),
    ("items", 1, 1, |a| match &a[0] {
        Value::Object(map) => {
            let mut keys: Vec<&String> = map.keys().collect();
            keys.sort_by_key(|key| key.to_lowercase());
            Ok(keys.into_iter().map(|key| json!({"key": key, "value": map[key]})).collect())
        }
        other => Err(expects("items", "object", other)),
    }),
    ("join", 2, 2, |a| {
        let list = list("join", &a[0])?;
        let parts: Result<Vec<String>, String> = list.iter().map(|it| Ok(shown(it))).collect();
        Ok(json!(parts?.join(text("join", &a[1])?)))
    }),
    ("json", 1, 1, |a| parse("json", text("json", &a[0])?)),
    ("last", 1, 1, |a| {
        Ok(match &a[0] {
            Value::String(text) => json!(text.chars().last().map(String::from).unwrap_or_default()),
            Value::Array(list) => list.last().cloned().unwrap_or(Value::Null),
            other => return Err(expects("last", "array or string", other)),
        })
    }),
    ("lastindexof", 2, 2, |a| index_of("lastIndexOf", a, true)),
    ("length", 1, 1, |a| {
        Ok(json!(match &a[0] {
            Value::String(text) => text.chars().count(),
            Value::Array(list) => list.len(),
            Value::Object(map) => map.len(),
            other => return Err(expects("length", "array, object or string", other)),
        }))
    }),
    ("less", 2, 2, |a| order("less", a, Ordering::is_lt)),
    ("lessorequals", 2, 2, |a| order("lessOrEquals", a, Ordering::is_le)),
    ("max", 1, MANY, |a| extreme("max", a, Ordering::is_gt)),
    ("min", 1, MANY, |a| extreme("min", a, Ordering::is_lt)),
    ("mod", 2, 2, |a| {
        if a[1].as_i64() == Some(0) {
            return Err("Attempted to divide by zero.".into());
        }
        arithmetic("mod", a, i64::checked_rem)
    }),
    ("mul", 2, 2, |a| arithmetic("mul", a, i64::checked_mul)),
    ("not", 1, 1, |a| Ok(json!(!truth("not", &a[0])?))),
    ("null", 0, 0, |_| Ok(Value::Null)),
    ("objectkeys", 1, 1, |a| match &a[0] {
        Value::Object(map) => {
            let mut keys: Vec<&String> = map.keys().collect();
            keys.sort_by_key(|key| key.to_lowercase());
            Ok(json!(keys))
        }
        other => Err(expects("objectKeys", "object", other)),
    }),
    ("padleft", 2, 3, |a| {
        let text = shown(&a[0]);
        let width = int("padLeft", &a[1])?;
        let fill = a.get(2).map(|it| self::text("padLeft", it)).transpose()?.unwrap_or(" ");
        let missing = usize::try_from(width).unwrap_or(0).min(16_384).saturating_sub(text.chars().count());
        Ok(json!(format!("{}{text}", fill.chars().next().unwrap_or(' ').to_string().repeat(missing))))
    }),
    ("parsecidr", 1, 1, |a| networks::parse(text("parseCidr", &a[0])?)),
    ("range", 2, 2, |a| {
        let (start, count) = (int("range", &a[0])?, int("range", &a[1])?);
        if !(0..=10_000).contains(&count) || start.checked_add(count).is_none_or(|end| end > 2_147_483_647) {
            return Err(format!(
                "The template language function 'range' expects a start index and a count: the count must be between 0 and 10000, and the sum at most 2147483647. The provided values are '{start}' and '{count}'."
            ));
        }
        Ok((start..start + count).map(|it| json!(it)).collect())
    }),
    ("replace", 3, 3, |a| {
        let name = "replace";
        Ok(json!(text(name, &a[0])?.replace(text(name, &a[1])?, text(name, &a[2])?)))
    }),
    ("shallowmerge", 1, 1, |a| {
        let mut merged = Map::new();
        for part in list("shallowMerge", &a[0])? {
            match part {
                Value::Object(map) => map.iter().for_each(|(key, value)| {
                    let key = key_of(&merged, key).unwrap_or_else(|| key.clone());
                    merged.insert(key, value.clone());
                }),
                other => return Err(expects("shallowMerge", "array of objects", other)),
            }
        }
        Ok(Value::Object(merged))
    }),
    ("skip", 2, 2, |a| cut("skip", a)),
    ("split", 2, 2, |a| {
        let text = text("split", &a[0])?;
        let marks: Vec<String> = match &a[1] {
            Value::Array(marks) => texts("split", marks)?,
            mark => vec![self::text("split", mark)?.to_owned()],
        };
        let mut parts = vec![String::new()];
        let mut rest = text;
        while let Some(sign) = rest.chars().next() {
            match marks.iter().find(|mark| !mark.is_empty() && rest.starts_with(mark.as_str())) {
                Some(mark) => {
                    parts.push(String::new());
                    rest = &rest[mark.len()..];
                }
                None => {
                    if let Some(last) = parts.last_mut() {
                        last.push(sign);
                    }
                    rest = &rest[sign.len_utf8()..];
                }
            }
        }
        Ok(json!(parts))
    }),
    ("startswith", 2, 2, |a| two_texts("startsWith", a, |text, part| text.starts_with(part))),
    ("string", 1, 1, |a| Ok(json!(shown(&a[0])))),
    ("sub", 2, 2, |a| arithmetic("sub", a, i64::checked_sub)),
    ("substring", 2, 3, |a| {
        let signs: Vec<char> = text("substring", &a[0])?.chars().collect();
        let start = int("substring", &a[1])?;
        let length = a.get(2).map(|it| int("substring", it)).transpose()?;
        let start_at = usize::try_from(start).ok().filter(|start| *start <= signs.len());
        let end = start_at.and_then(|start| match length {
            None => Some(signs.len()),
            Some(length) => {
                usize::try_from(length).ok().map(|length| start + length).filter(|end| *end <= signs.len())
            }
        });
        match (start_at, end) {
            (Some(start), Some(end)) => Ok(json!(signs[start..end].iter().collect::<String>())),
            _ => Err(format!(
                "The template language function 'substring' parameters are not valid: index and length must refer to a location within the string. The index parameter: '{start}', the length parameter: '{}', the length of the string parameter: '{}'. Please see https://aka.ms/arm-functions#substring for usage details.",
                length.map_or(String::new(), |length| length.to_string()),
                signs.len()
            )),
        }
    }),
    ("take", 2, 2, |a| cut("take", a)),
    ("tolower", 1, 1, |a| Ok(json!(text("toLower", &a[0])?.to_lowercase()))),
    ("toupper", 1, 1, |a| Ok(json!(text("toUpper", &a[0])?.to_uppercase()))),
    ("trim", 1, 1, |a| Ok(json!(text("trim", &a[0])?.trim()))),
    ("true", 0, 0, |_| Ok(json!(true))),
    ("tryget", 2, MANY, |a| {
        let mut value = a[0].clone();
        for key in &a[1..] {
            value = member(&value, key, true)?;
        }
        Ok(value)
    }),
    ("tryindexfromend", 2, 2, |a| {
        let list = list("tryIndexFromEnd", &a[0])?;
        let at = usize::try_from(int("tryIndexFromEnd", &a[1])?).unwrap_or(0);
        Ok(at
            .checked_sub(1)
            .and_then(|_| list.len().checked_sub(at))
            .map_or(Value::Null, |at| list[at].clone()))
    }),
    ("indexfromend", 2, 2, |a| {
        let list = list("indexFromEnd", &a[0])?;
        let at = usize::try_from(int("indexFromEnd", &a[1])?).unwrap_or(0);
        at.checked_sub(1).and_then(|_| list.len().checked_sub(at)).map(|at| list[at].clone()).ok_or_else(
            || format!("The language expression property array index '{at}' from end is out of bounds."),
        )
    }),
    ("union", 2, MANY, union),
    ("uniquestring", 1, MANY, |a| Ok(json!(unique(&texts("uniqueString", a)?.join("-"))))),
    ("uri", 2, 2, |a| {
        let base = text("uri", &a[0])?;
        let joined = url::Url::parse(base).and_then(|base| base.join(text("uri", &a[1]).unwrap_or_default()));
        joined.map(|uri| json!(uri.as_str())).map_err(|_| {
            format!("The template language function 'uri' expects its first parameter to be an absolute URI. The provided value is '{base}'.")
        })
    }),
    ("uricomponent", 1, 1, |a| {
        let mut out = String::new();
        for byte in text("uriComponent", &a[0])?.bytes() {
            match byte {
                b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'_' | b'.' | b'~' => {
                    out.push(char::from(byte))
                }
                _ => out.push_str(&format!("%{byte:02X}")),
            }
        }
        Ok(json!(out))
    }),
    ("uricomponenttostring", 1, 1, |a| {
        Ok(json!(crate::world::arm::id::decode(text("uriComponentToString", &a[0])?)))
    }),
];

/// Calls a function by its name without case; `None` when there is none.
pub fn call(name: &str, arguments: &[Value]) -> Option<Outcome> {
    let lower = name.to_ascii_lowercase();
    let (_, least, most, body) = FUNCTIONS.iter().find(|row| row.0 == lower)?;
    Some(match count(name, arguments.len(), *least, *most) {
        Ok(()) => body(arguments),
        Err(why) => Err(why),
    })
}

/// Whether there is a function by a lower-case name.
pub fn is_known(lower: &str) -> bool {
    FUNCTIONS.iter().any(|row| row.0 == lower)
}

/// Refuses too few or too many arguments.
///
/// # Errors
/// ARM's sentence.
pub fn count(name: &str, given: usize, least: usize, most: usize) -> Result<(), String> {
    if (least..=most).contains(&given) {
        return Ok(());
    }
    let wanted = match (least, most) {
        (least, most) if least == most => format!("{least} argument(s)"),
        (least, MANY) => format!("at least {least} argument(s)"),
        (least, most) => format!("{least} to {most} argument(s)"),
    };
    Err(format!(
        "Unable to evaluate template language function '{name}': function requires {wanted} while {given} were \
         provided. Please see https://aka.ms/arm-functions/#{} for usage details.",
        name.to_ascii_lowercase()
    ))
}

/// A type's name as ARM's messages have it.
pub fn type_name(value: &Value) -> &'static str {
    match value {
        Value::Null => "Null",
        Value::Bool(_) => "Boolean",
        Value::Number(number) if number.is_i64() || number.is_u64() => "Integer",
        Value::Number(_) => "Float",
        Value::String(_) => "String",
        Value::Array(_) => "Array",
        Value::Object(_) => "Object",
    }
}

/// The refusal of an argument of the wrong type.
pub fn expects(name: &str, wanted: &str, found: &Value) -> String {
    format!(
        "The template language function '{name}' expects its parameter to be of type '{wanted}'. The provided value is \
         of type '{}'. Please see https://aka.ms/arm-functions#{} for usage details.",
        type_name(found),
        name.to_ascii_lowercase()
    )
}

/// `value.key` or `value[key]`; safe ones are null where nothing is there.
///
/// # Errors
/// ARM's sentence for what is missing.
pub fn member(value: &Value, key: &Value, safe: bool) -> Outcome {
    let none = |why: String| if safe { Ok(Value::Null) } else { Err(why) };
    match (value, key) {
        (Value::Object(map), Value::String(name)) => {
            match map.get(name).or_else(|| key_of(map, name).and_then(|key| map.get(&key))) {
                Some(value) => Ok(value.clone()),
                None => none(format!(
                    "The language expression property '{name}' doesn't exist, available properties are '{}'.",
                    map.keys().cloned().collect::<Vec<_>>().join(", ")
                )),
            }
        }
        (Value::Array(list), Value::Number(index)) => {
            match index.as_u64().and_then(|index| list.get(usize::try_from(index).ok()?)) {
                Some(value) => Ok(value.clone()),
                None => {
                    none(format!("The language expression property array index '{index}' is out of bounds."))
                }
            }
        }
        (Value::Null, _) if safe => Ok(Value::Null),
        (Value::Object(_) | Value::Array(_), key) => Err(format!(
            "The language expression property '{}' can't be evaluated, property name must be a {}.",
            shown(key),
            if value.is_array() { "valid array index" } else { "string" }
        )),
        (value, key) => none(format!(
            "The language expression property '{}' can't be evaluated: a value of type '{}' has no properties.",
            shown(key),
            type_name(value)
        )),
    }
}

/// A value as `string()` writes it.
pub fn shown(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Bool(true) => "True".into(),
        Value::Bool(false) => "False".into(),
        Value::Null => String::new(),
        other => other.to_string(),
    }
}

/// A text argument.
pub fn text<'a>(name: &str, value: &'a Value) -> Result<&'a str, String> {
    value.as_str().ok_or_else(|| expects(name, "String", value))
}

/// An integer argument.
pub fn int(name: &str, value: &Value) -> Result<i64, String> {
    value.as_i64().ok_or_else(|| expects(name, "Integer", value))
}

/// A boolean argument.
pub fn truth(name: &str, value: &Value) -> Result<bool, String> {
    match value {
        Value::Bool(truth) => Ok(*truth),
        Value::String(text) if text.eq_ignore_ascii_case("true") => Ok(true),
        Value::String(text) if text.eq_ignore_ascii_case("false") => Ok(false),
        other => Err(expects(name, "Boolean", other)),
    }
}

/// An array argument.
pub fn list<'a>(name: &str, value: &'a Value) -> Result<&'a Vec<Value>, String> {
    value.as_array().ok_or_else(|| expects(name, "Array", value))
}

fn texts(name: &str, values: &[Value]) -> Result<Vec<String>, String> {
    values
        .iter()
        .map(|value| match value {
            Value::String(_) | Value::Number(_) | Value::Bool(_) => Ok(shown(value)),
            other => Err(expects(name, "String", other)),
        })
        .collect()
}

/// The spelling under which a map has a key.
fn key_of(map: &Map<String, Value>, key: &str) -> Option<String> {
    if map.contains_key(key) {
        return Some(key.to_owned());
    }
    map.keys().find(|known| known.eq_ignore_ascii_case(key)).cloned()
}

/// Equality of JSON with numbers by value.
pub fn same(a: &Value, b: &Value) -> bool {
    match (a, b) {
        (Value::Number(a), Value::Number(b)) => a.as_f64() == b.as_f64(),
        (Value::Array(a), Value::Array(b)) => a.len() == b.len() && a.iter().zip(b).all(|(a, b)| same(a, b)),
        (Value::Object(a), Value::Object(b)) => {
            a.len() == b.len() && a.iter().all(|(key, a)| b.get(key).is_some_and(|b| same(a, b)))
        }
        (a, b) => a == b,
    }
}

fn arithmetic(name: &str, a: &[Value], with: fn(i64, i64) -> Option<i64>) -> Outcome {
    let (left, right) = (int(name, &a[0])?, int(name, &a[1])?);
    with(left, right).map(|it| json!(it)).ok_or_else(|| {
        format!("The template language function '{name}' overflows with '{left}' and '{right}'.")
    })
}

fn boolean(value: &Value) -> Outcome {
    match value {
        Value::Bool(truth) => Ok(json!(truth)),
        Value::Number(number) => Ok(json!(number.as_f64() != Some(0.0))),
        Value::String(text) => match text.to_ascii_lowercase().as_str() {
            "true" | "1" => Ok(json!(true)),
            "false" | "0" => Ok(json!(false)),
            _ => Err(format!(
                "The template language function 'bool' cannot convert provided value '{text}' to boolean value."
            )),
        },
        other => Err(expects("bool", "string or integer", other)),
    }
}

fn concat(a: &[Value]) -> Outcome {
    if a.iter().all(Value::is_array) {
        return Ok(a.iter().flat_map(|list| list.as_array().into_iter().flatten().cloned()).collect());
    }
    let parts: Result<Vec<String>, String> = a
        .iter()
        .map(|value| match value {
            Value::Array(_) | Value::Object(_) | Value::Null => Err(
                "The provided arguments for template language function 'concat' must be all of type string or of type array. Please see https://aka.ms/arm-functions/#concat for usage details.".to_owned(),
            ),
            other => Ok(shown(other)),
        })
        .collect();
    Ok(json!(parts?.concat()))
}

fn contains(a: &[Value]) -> Outcome {
    Ok(json!(match &a[0] {
        Value::String(text) => text.contains(&shown(&a[1])),
        Value::Array(list) => list.iter().any(|it| same(it, &a[1])),
        Value::Object(map) => key_of(map, text("contains", &a[1])?).is_some(),
        Value::Null => false,
        other => return Err(expects("contains", "array, object or string", other)),
    }))
}

fn create_object(a: &[Value]) -> Outcome {
    if !a.len().is_multiple_of(2) {
        return Err("The template language function 'createObject' expects an even number of parameters: pairs of a key and a value.".into());
    }
    let mut map = Map::new();
    for pair in a.chunks(2) {
        map.insert(text("createObject", &pair[0])?.to_owned(), pair[1].clone());
    }
    Ok(Value::Object(map))
}

fn two_texts(name: &str, a: &[Value], is: fn(&str, &str) -> bool) -> Outcome {
    Ok(json!(is(&text(name, &a[0])?.to_lowercase(), &text(name, &a[1])?.to_lowercase())))
}

fn index_of(name: &str, a: &[Value], last: bool) -> Outcome {
    if let Value::Array(list) = &a[0] {
        let at = if last {
            list.iter().rposition(|it| same(it, &a[1]))
        } else {
            list.iter().position(|it| same(it, &a[1]))
        };
        return Ok(json!(at.map_or(-1, |at| at as i64)));
    }
    let (text, part) = (text(name, &a[0])?.to_lowercase(), text(name, &a[1])?.to_lowercase());
    let at = if last { text.rfind(&part) } else { text.find(&part) };
    Ok(json!(at.map_or(-1, |at| text[..at].chars().count() as i64)))
}

fn order(name: &str, a: &[Value], is: fn(Ordering) -> bool) -> Outcome {
    let order = match (&a[0], &a[1]) {
        (Value::Number(a), Value::Number(b)) => a.as_f64().partial_cmp(&b.as_f64()),
        (Value::String(a), Value::String(b)) => Some(a.cmp(b)),
        _ => None,
    };
    order.map(|it| json!(is(it))).ok_or_else(|| {
        format!("The template language function '{name}' expects two parameters of the same type, integers or strings. The provided values are of type '{}' and '{}'.", type_name(&a[0]), type_name(&a[1]))
    })
}

fn extreme(name: &str, a: &[Value], better: fn(Ordering) -> bool) -> Outcome {
    let list = match a {
        [Value::Array(list)] => list.as_slice(),
        list => list,
    };
    let mut best: Option<i64> = None;
    for value in list {
        let value = int(name, value)?;
        if best.is_none_or(|best| better(value.cmp(&best))) {
            best = Some(value);
        }
    }
    best.map(|it| json!(it))
        .ok_or_else(|| format!("The template language function '{name}' expects at least one number."))
}

fn cut(name: &str, a: &[Value]) -> Outcome {
    let count = usize::try_from(int(name, &a[1])?.max(0)).unwrap_or(0);
    let take = name == "take";
    Ok(match &a[0] {
        Value::String(text) if take => json!(text.chars().take(count).collect::<String>()),
        Value::String(text) => json!(text.chars().skip(count).collect::<String>()),
        Value::Array(list) if take => list.iter().take(count).cloned().collect(),
        Value::Array(list) => list.iter().skip(count).cloned().collect(),
        other => return Err(expects(name, "array or string", other)),
    })
}

fn intersection(a: &[Value]) -> Outcome {
    let mut result = a[0].clone();
    for other in &a[1..] {
        result = match (&result, other) {
            (Value::Array(list), Value::Array(other)) => {
                let mut kept: Vec<Value> = Vec::new();
                for value in list.iter().filter(|value| other.iter().any(|it| same(it, value))) {
                    if !kept.iter().any(|it| same(it, value)) {
                        kept.push(value.clone());
                    }
                }
                Value::Array(kept)
            }
            (Value::Object(map), Value::Object(other)) => map
                .iter()
                .filter(|(key, value)| other.get(*key).is_some_and(|it| same(it, value)))
                .map(|(key, value)| (key.clone(), value.clone()))
                .collect(),
            (_, other) => return Err(expects("intersection", "array or object, all alike", other)),
        };
    }
    Ok(result)
}

fn union(a: &[Value]) -> Outcome {
    let mut result = a[0].clone();
    for other in &a[1..] {
        match (&mut result, other) {
            (Value::Array(list), Value::Array(other)) => list.extend(other.iter().cloned()),
            (result @ Value::Object(_), Value::Object(_)) => deep(result, other),
            (_, other) => return Err(expects("union", "array or object, all alike", other)),
        }
    }
    if let Value::Array(list) = &mut result {
        let mut kept: Vec<Value> = Vec::new();
        for value in list.drain(..) {
            if !kept.iter().any(|it| same(it, &value)) {
                kept.push(value);
            }
        }
        *list = kept;
    }
    Ok(result)
}

/// Objects are merged at every depth, anything else is replaced.
fn deep(into: &mut Value, from: &Value) {
    match (into, from) {
        (Value::Object(into), Value::Object(from)) => {
            for (key, value) in from {
                let key = key_of(into, key).unwrap_or_else(|| key.clone());
                deep(into.entry(key).or_insert(Value::Null), value);
            }
        }
        (into, from) => *into = from.clone(),
    }
}

fn unbase64(name: &str, value: &Value) -> Result<String, String> {
    STANDARD.decode(text(name, value)?).ok().and_then(|bytes| String::from_utf8(bytes).ok()).ok_or_else(
        || {
            format!(
                "The template language function '{name}' expects its parameter to be a valid base64 string."
            )
        },
    )
}

fn parse(name: &str, text: &str) -> Outcome {
    super::json::read(text).map(|read| read.value).map_err(|why| {
        format!("The template language function '{name}' parameter is not valid. The provided value '{text}' cannot be converted to JSON: {why}")
    })
}

fn data_uri(text: &str) -> Outcome {
    let refused = || {
        format!(
            "The template language function 'dataUriToString' expects its parameter to be a valid data URI. The provided value is '{text}'."
        )
    };
    let (head, data) =
        text.strip_prefix("data:").and_then(|rest| rest.split_once(',')).ok_or_else(refused)?;
    if head.ends_with(";base64") {
        let bytes = STANDARD.decode(data).map_err(|_| refused())?;
        return String::from_utf8(bytes).map(|it| json!(it)).map_err(|_| refused());
    }
    Ok(json!(crate::world::arm::id::decode(data)))
}

/// .NET's composite formatting: `{0}`, `{1,8}`, `{2:D3}`, `{{`.
fn format_text(a: &[Value]) -> Outcome {
    let pattern = text("format", &a[0])?;
    let wrong = || {
        "The template language function 'format' parameters are not valid: Input string was not in a correct format.".to_owned()
    };
    let mut out = String::new();
    let mut rest = pattern;
    while let Some(sign) = rest.chars().next() {
        rest = &rest[sign.len_utf8()..];
        match sign {
            '{' | '}' if rest.starts_with(sign) => {
                out.push(sign);
                rest = &rest[1..];
            }
            '}' => return Err(wrong()),
            '{' => {
                let end = rest.find('}').ok_or_else(wrong)?;
                let (hole, after) = (&rest[..end], &rest[end + 1..]);
                rest = after;
                let (hole, form) = hole.split_once(':').unwrap_or((hole, ""));
                let (index, width) = match hole.split_once(',') {
                    Some((index, width)) => (index, width.trim().parse::<i32>().map_err(|_| wrong())?),
                    None => (hole, 0),
                };
                let index: usize = index.trim().parse().map_err(|_| wrong())?;
                let value = a.get(index + 1).ok_or_else(|| "The template language function 'format' parameters are not valid: Index (zero based) must be greater than or equal to zero and less than the size of the argument list.".to_owned())?;
                let text = formatted(value, form);
                let missing = (width.unsigned_abs() as usize).min(1000).saturating_sub(text.chars().count());
                if width > 0 {
                    out.push_str(&" ".repeat(missing));
                }
                out.push_str(&text);
                if width < 0 {
                    out.push_str(&" ".repeat(missing));
                }
            }
            other => out.push(other),
        }
    }
    Ok(json!(out))
}

/// A value by .NET's standard numeric formats.
fn formatted(value: &Value, form: &str) -> String {
    let Some(number) = value.as_f64().filter(|_| !form.is_empty()) else { return shown(value) };
    let (kind, digits) = form.split_at(1);
    let digits: Option<usize> = digits.parse::<usize>().ok().map(|digits| digits.min(99));
    let whole = value.as_i64().unwrap_or(number as i64);
    match kind {
        "D" | "d" => format!(
            "{}{:0width$}",
            if whole < 0 { "-" } else { "" },
            whole.unsigned_abs(),
            width = digits.unwrap_or(0)
        ),
        "X" => format!("{whole:0width$X}", width = digits.unwrap_or(0)),
        "x" => format!("{whole:0width$x}", width = digits.unwrap_or(0)),
        "F" | "f" => format!("{number:.width$}", width = digits.unwrap_or(2)),
        "P" | "p" => format!("{} %", grouped(number * 100.0, digits.unwrap_or(2))),
        "N" | "n" => grouped(number, digits.unwrap_or(2)),
        "0" if form.bytes().all(|byte| byte == b'0') => format!("{whole:0width$}", width = form.len()),
        _ => shown(value),
    }
}

/// `1,234,567.89`.
fn grouped(number: f64, digits: usize) -> String {
    let text = format!("{:.digits$}", number.abs());
    let (whole, fraction) = text.split_once('.').unwrap_or((&text, ""));
    let mut out = String::new();
    for (at, digit) in whole.chars().enumerate() {
        if at > 0 && (whole.len() - at).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    if !fraction.is_empty() {
        out.push('.');
        out.push_str(fraction);
    }
    if number < 0.0 { format!("-{out}") } else { out }
}

/// 13 letters and digits that follow from a text: Azure's own, a 64-bit hash of the Murmur family in base 32.
pub fn unique(text: &str) -> String {
    const LETTERS: &[u8; 32] = b"abcdefghijklmnopqrstuvwxyz234567";
    let mut hash = murmur(text.as_bytes());
    let mut out = String::new();
    for _ in 0..13 {
        out.push(char::from(LETTERS[(hash >> 59) as usize]));
        hash <<= 5;
    }
    out
}

/// `ComputeMurmurHash64` as Azure's deployment engine has it.
fn murmur(data: &[u8]) -> u64 {
    const ONE: u32 = 0x239b_961b;
    const TWO: u32 = 0xab0e_9789;
    let word = |bytes: &[u8]| bytes.iter().rev().fold(0_u32, |word, byte| word << 8 | u32::from(*byte));
    let first = |word: u32| word.wrapping_mul(ONE).rotate_left(15).wrapping_mul(TWO);
    let second = |word: u32| word.wrapping_mul(TWO).rotate_left(17).wrapping_mul(ONE);
    let finish = |mut word: u32| {
        word ^= word >> 16;
        word = word.wrapping_mul(0x85eb_ca6b);
        word ^= word >> 13;
        word = word.wrapping_mul(0xc2b2_ae35);
        word ^ word >> 16
    };
    let (mut a, mut b) = (0_u32, 0_u32);
    let mut blocks = data.chunks_exact(8);
    for block in &mut blocks {
        a = (a ^ first(word(&block[..4]))).rotate_left(19).wrapping_add(b);
        a = a.wrapping_mul(5).wrapping_add(0x561c_cd1b);
        b = (b ^ second(word(&block[4..]))).rotate_left(13).wrapping_add(a);
        b = b.wrapping_mul(5).wrapping_add(0x0bca_a747);
    }
    let tail = blocks.remainder();
    if !tail.is_empty() {
        a ^= first(word(&tail[..tail.len().min(4)]));
        if tail.len() > 4 {
            b ^= second(word(&tail[4..]));
        }
    }
    let length = data.len() as u32;
    a ^= length;
    b ^= length;
    a = a.wrapping_add(b);
    b = b.wrapping_add(a);
    a = finish(a);
    b = finish(b);
    a = a.wrapping_add(b);
    b = b.wrapping_add(a);
    u64::from(b) << 32 | u64::from(a)
}
