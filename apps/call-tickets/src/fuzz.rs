//! What must hold for any delivery, whatever its header and body are: the fuzz targets and a test on generated inputs
//! drive these functions.
//!
//! They panic when something does not hold.

use jiff::{SignedDuration, Timestamp};
use secrecy::SecretString;
use serde_json::Value;

use crate::event::{self, Event};
use crate::extract::{Lists, Redaction, rules, ticket};
use crate::topdesk::incident::{self, FORMS};
use crate::{intake, scrub, signature, transcript};

/// The secret of inputs that are signed right.
pub const SECRET: &str = "a-secret-of-the-fuzzer";

/// The second at which inputs arrive.
pub const NOW: i64 = 1_700_000_000;

const TOLERANCE: SignedDuration = SignedDuration::from_secs(300);

/// A signature header, a line feed, and the body that it is said to sign.
///
/// # Panics
/// When a header is taken that signs something else, or one of ours is not taken.
pub fn header(input: &[u8]) {
    let secrets = [SecretString::from(SECRET.to_owned())];
    let now = Timestamp::from_second(NOW).expect("a time");
    let place = input.iter().position(|byte| *byte == b'\n').unwrap_or(input.len());
    let (header, body) = (&input[..place], input.get(place + 1..).unwrap_or_default());
    if let Ok(age) = signature::verify(&[header], body, &secrets, TOLERANCE, now) {
        assert!(age.abs() <= TOLERANCE, "an age of {age:?} is taken");
        let signed = Timestamp::from_second(NOW - age.as_secs()).expect("a time");
        let right = signature::header(&secrets[0], body, signed);
        let (_, right) = right.split_once("v0=").expect("our own header");
        let written = String::from_utf8_lossy(header).to_lowercase();
        // A time with zeros before it is another text, with another signature.
        assert!(written.contains(right) || written.contains("t=0"), "{written} is taken");
        let changed = [body, b" "].concat();
        assert!(
            signature::verify(&[header], &changed, &secrets, TOLERANCE, now).is_err(),
            "it signs two bodies"
        );
    }
    assert!(signature::verify(&[header, header], body, &secrets, TOLERANCE, now).is_err(), "twice");
    let ours = signature::header(&secrets[0], body, now);
    assert_eq!(
        signature::verify(&[ours.as_bytes()], body, &secrets, TOLERANCE, now),
        Ok(SignedDuration::ZERO),
        "our own is taken"
    );
}

/// A body as it is delivered: what is kept of it, and what a worker makes of that.
///
/// # Panics
/// When a secret survives, a name could be a path, a limit of TOPdesk's is broken, or anything stumbles.
pub fn body(input: &[u8]) {
    let taken_in = intake::keep(input);
    let payload = event::json(input).ok();
    let (kind, key) = event::key(payload.as_ref(), input);
    assert!(
        key.len() <= 120 && key.bytes().all(|byte| byte.is_ascii_graphic()),
        "{key:?} is no key for a queue"
    );
    assert_eq!((taken_in.kind, &taken_in.key), (kind, &key), "both ways it is the same event");
    let Some(payload) = payload else {
        let once = scrub::scrub_text(&String::from_utf8_lossy(input));
        assert_eq!(scrub::scrub_text(&once), once, "scrubbing text twice is scrubbing it once");
        return;
    };
    let kept = scrub::scrub(payload.clone());
    assert_eq!(scrub::scrub(kept.clone()), kept, "scrubbing twice is scrubbing once");
    // What is kept is read again by a worker.
    assert_eq!(event::json(&taken_in.body).as_ref(), Ok(&kept), "what is kept is what was scrubbed");
    assert_eq!(event::key(Some(&kept), input), (kind, key), "scrubbing makes another event of it");
    event::audio(&kept);
    event::happened(&kept);
    match event::read(&kept) {
        Ok(Event::Call(call)) => {
            let name = event::file_name(&call.conversation);
            assert!(!name.is_empty() && name.len() <= 200 && !name.contains(['/', '\\', '.']), "{name:?}");
            event::folder(call.started.unwrap_or(Timestamp::UNIX_EPOCH));
            let text = transcript::text(&call);
            Redaction::default().hide(&text);
            let lists = Lists::default();
            let made = rules::ticket(&call, &lists);
            let brief = made.brief.encode_utf16().count();
            assert!((1..=ticket::BRIEF).contains(&brief), "{:?} is no brief description", made.brief);
            let external = incident::external(&call.conversation);
            assert!(external.chars().count() <= incident::EXTERNAL, "{external:?} is no external number");
            for form in FORMS {
                let body = incident::body(&made, &external, None, &lists, "", form);
                let request = body["request"].as_str().unwrap_or_default().replace("<br>", "");
                assert!(!request.contains(['<', '>', '"', '\'']), "{request:?} is not escaped");
            }
        }
        Ok(Event::Failure(failure)) => assert!(failure.details.len() <= 41),
        Ok(Event::Trace { .. } | Event::Audio { .. } | Event::Other { .. }) | Err(_) => {}
    }
    assert!(planted(&kept).is_none(), "a secret survived in {kept}");
}

/// The first string within a member that is named as nothing but a secret is.
fn planted(value: &Value) -> Option<&Value> {
    match value {
        Value::Object(members) => members.iter().find_map(|(name, member)| {
            let secret = name.to_ascii_lowercase().starts_with("secret__");
            if secret && !member.is_null() && member != scrub::HIDDEN {
                return Some(member);
            }
            planted(member)
        }),
        Value::Array(items) => items.iter().find_map(planted),
        _ => None,
    }
}
