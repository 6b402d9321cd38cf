//! Whether a request is ElevenLabs' own: the header `ElevenLabs-Signature`.
//!
//! The value is `t=<seconds>,v0=<hex>`; signed is the text of `t`, a full stop and the raw body, by HMAC-SHA-256 with
//! the secret's bytes as they are (elevenlabs.io/docs, "Webhooks"). Where the two official verifiers differ, or take
//! what they should not, this one decides:
//!
//! | input | here | why |
//! |---|---|---|
//! | several `v0`, any of them right | taken | a sender may rotate its secret |
//! | parts in any order, blanks around them, unknown parts | taken | nothing is lost by it |
//! | upper-case hexadecimal | taken | bytes are compared, not letters |
//! | the header twice, or two `t` | refused | which one was meant? |
//! | `t` that is not 1 to 12 digits | refused | the official verifiers crash, or take it for the far future |
//! | `t` further ahead than the tolerance | refused | it could be replayed until then |

use hmac::{Hmac, KeyInit, Mac};
use jiff::{SignedDuration, Timestamp};
use secrecy::{ExposeSecret, SecretString};
use sha2::Sha256;
use subtle::ConstantTimeEq;

/// The header's name.
pub const HEADER: &str = "elevenlabs-signature";

/// The longest header that is read.
const LONGEST: usize = 4096;

/// Why a request is not taken for ElevenLabs'.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// There is no header.
    #[error("the header ElevenLabs-Signature is missing")]
    Missing,
    /// There is more than one header, or more than one time in it.
    #[error("the header ElevenLabs-Signature is ambiguous")]
    Ambiguous,
    /// The header has another form.
    #[error("the header ElevenLabs-Signature must be t=<seconds>,v0=<hexadecimal>")]
    Malformed,
    /// None of the secrets gives this signature.
    #[error("the signature does not match")]
    Wrong,
    /// It was signed too long ago.
    #[error("the signature is too old")]
    Old,
    /// It was signed in the future.
    #[error("the signature is from the future")]
    Future,
}

/// A signature, as the header has it.
#[derive(Debug, PartialEq, Eq)]
struct Signature<'a> {
    /// The time as it was written: this text is what was signed.
    time: &'a str,
    /// Each candidate that is 32 bytes in hexadecimal.
    candidates: Vec<[u8; 32]>,
}

/// Checks a request at `now`; how long ago it was signed.
///
/// # Errors
/// Why it is refused. A signature is compared with all the secrets in constant time, and its age is looked at only
/// when it is right.
pub fn verify(
    headers: &[&[u8]],
    body: &[u8],
    secrets: &[SecretString],
    tolerance: SignedDuration,
    now: Timestamp,
) -> Result<SignedDuration, Refusal> {
    let header = match headers {
        [] => return Err(Refusal::Missing),
        [one] => std::str::from_utf8(one).map_err(|_| Refusal::Malformed)?,
        _ => return Err(Refusal::Ambiguous),
    };
    let signature = parse(header)?;
    let mut right = subtle::Choice::from(0);
    for secret in secrets {
        let expected = sign(secret, signature.time, body);
        for candidate in &signature.candidates {
            right |= expected.ct_eq(candidate);
        }
    }
    if !bool::from(right) {
        return Err(Refusal::Wrong);
    }
    // 12 digits at most, so the number fits; a time beyond the calendar is the far future.
    let signed: i64 = signature.time.parse().map_err(|_| Refusal::Malformed)?;
    let age = SignedDuration::from_secs(now.as_second().saturating_sub(signed));
    if age > tolerance {
        return Err(Refusal::Old);
    }
    if age < -tolerance {
        return Err(Refusal::Future);
    }
    Ok(age)
}

fn parse(header: &str) -> Result<Signature<'_>, Refusal> {
    if header.len() > LONGEST {
        return Err(Refusal::Malformed);
    }
    let (mut time, mut candidates) = (None, Vec::new());
    for part in header.split(',').map(str::trim).filter(|part| !part.is_empty()) {
        match part.split_once('=') {
            Some(("t", _)) if time.is_some() => return Err(Refusal::Ambiguous),
            Some(("t", text)) => time = Some(text),
            Some(("v0", text)) => {
                let mut bytes = [0; 32];
                if hex::decode_to_slice(text, &mut bytes).is_ok() {
                    candidates.push(bytes);
                }
            }
            // Schemes to come, perhaps.
            Some(_) => {}
            None => return Err(Refusal::Malformed),
        }
    }
    let time = time.ok_or(Refusal::Malformed)?;
    let digits = (1..=12).contains(&time.len()) && time.bytes().all(|byte| byte.is_ascii_digit());
    if !digits || candidates.is_empty() {
        return Err(Refusal::Malformed);
    }
    Ok(Signature { time, candidates })
}

fn sign(secret: &SecretString, time: &str, body: &[u8]) -> [u8; 32] {
    let mut mac = Hmac::<Sha256>::new_from_slice(secret.expose_secret().as_bytes())
        .expect("a key of any length will do");
    mac.update(time.as_bytes());
    mac.update(b".");
    mac.update(body);
    mac.finalize().into_bytes().into()
}

/// The header's value for a body, as ElevenLabs would send it at `now`.
pub fn header(secret: &SecretString, body: &[u8], now: Timestamp) -> String {
    let time = now.as_second().to_string();
    format!("t={time},v0={}", hex::encode(sign(secret, &time, body)))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const TOLERANCE: SignedDuration = SignedDuration::from_secs(300);

    fn secrets(texts: &[&str]) -> Vec<SecretString> {
        texts.iter().map(|text| SecretString::from((*text).to_owned())).collect()
    }

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).expect("a time")
    }

    fn hex_of(time: &str) -> String {
        hex::encode(sign(&secrets(&["s3cret"])[0], time, b"{}"))
    }

    fn check(header: &str) -> Result<SignedDuration, Refusal> {
        verify(&[header.as_bytes()], b"{}", &secrets(&["other", "s3cret"]), TOLERANCE, at(1_700_000_000))
    }

    #[test]
    fn what_the_sender_writes_is_taken() {
        let right = hex_of("1700000000");
        for header in [
            format!("t=1700000000,v0={right}"),
            format!("v0={right},t=1700000000"),
            format!(" t=1700000000 , v0={right} ,"),
            format!("t=1700000000,v9=x,v0={}", right.to_uppercase()),
            format!("t=1700000000,v0={},v0={right}", "0".repeat(64)),
            format!("t=1700000000,v0={right},v0=short"),
        ] {
            assert_eq!(check(&header), Ok(SignedDuration::ZERO), "{header}");
        }
        let leading = format!("t=0001700000000,v0={}", hex_of("0001700000000"));
        assert_eq!(check(&leading), Err(Refusal::Malformed), "thirteen digits");
        let leading = format!("t=001700000000,v0={}", hex_of("001700000000"));
        assert_eq!(check(&leading), Ok(SignedDuration::ZERO), "the text is what was signed");
    }

    #[test]
    fn what_is_none_of_its_own_is_refused() {
        let right = hex_of("1700000000");
        for (header, refusal) in [
            (String::new(), Refusal::Malformed),
            ("nonsense".into(), Refusal::Malformed),
            ("t=1700000000".into(), Refusal::Malformed),
            (format!("v0={right}"), Refusal::Malformed),
            (format!("t=1700000000,v1={right}"), Refusal::Malformed),
            (format!("t=1700000000,v0={}", &right[1..]), Refusal::Malformed),
            (format!("t=1700000000,t=1700000000,v0={right}"), Refusal::Ambiguous),
            (format!("t=1700000001,v0={right}"), Refusal::Wrong),
            (format!("t=1700000000,v0={}", "0".repeat(64)), Refusal::Wrong),
            (format!("t={},v0={right}", "9".repeat(5000)), Refusal::Malformed),
        ] {
            assert_eq!(check(&header), Err(refusal), "{header}");
        }
        for time in [
            "",
            "abc",
            "1e12",
            "+1700000000",
            "-1",
            " 1700000000x",
            "1_700_000_000",
            "0x6553f100",
            "1.5",
            "NaN",
        ] {
            assert_eq!(check(&format!("t={time},v0={}", hex_of(time))), Err(Refusal::Malformed), "{time}");
        }
        assert_eq!(verify(&[], b"{}", &secrets(&["s3cret"]), TOLERANCE, at(0)), Err(Refusal::Missing));
        let header = format!("t=1700000000,v0={right}").into_bytes();
        let twice = [header.as_slice(), header.as_slice()];
        assert_eq!(
            verify(&twice, b"{}", &secrets(&["s3cret"]), TOLERANCE, at(1_700_000_000)),
            Err(Refusal::Ambiguous)
        );
        assert_eq!(
            verify(&[b"t=1,v0=\xff"], b"{}", &secrets(&["s"]), TOLERANCE, at(0)),
            Err(Refusal::Malformed)
        );
        assert_eq!(verify(&[&header], b"{}", &[], TOLERANCE, at(1_700_000_000)), Err(Refusal::Wrong));
    }

    #[test]
    fn times_are_bounded_on_both_sides() {
        for (signed, outcome) in [
            (1_700_000_000 - 300, Ok(SignedDuration::from_secs(300))),
            (1_700_000_000 - 301, Err(Refusal::Old)),
            (1_700_000_000 + 300, Ok(SignedDuration::from_secs(-300))),
            (1_700_000_000 + 301, Err(Refusal::Future)),
            (0, Err(Refusal::Old)),
            // Milliseconds look like the far future.
            (170_000_000_000_i64, Err(Refusal::Future)),
        ] {
            let header = format!("t={signed},v0={}", hex_of(&signed.to_string()));
            assert_eq!(check(&header), outcome, "{signed}");
        }
    }

    proptest! {
        #[test]
        fn no_header_makes_it_stumble(header in prop::collection::vec(any::<u8>(), 0..200), body: Vec<u8>) {
            let secrets = secrets(&["s3cret"]);
            prop_assert!(verify(&[&header], &body, &secrets, TOLERANCE, at(1_700_000_000)).is_err());
        }

        #[test]
        fn what_is_signed_is_taken_and_what_is_changed_is_not(mut body in prop::collection::vec(any::<u8>(), 1..300), place: prop::sample::Index) {
            let (secrets, now) = (secrets(&["s3cret"]), at(1_700_000_000));
            let header = header(&secrets[0], &body, now);
            prop_assert!(verify(&[header.as_bytes()], &body, &secrets, TOLERANCE, now).is_ok());
            let place = place.index(body.len());
            body[place] ^= 1;
            prop_assert_eq!(verify(&[header.as_bytes()], &body, &secrets, TOLERANCE, now), Err(Refusal::Wrong));
        }
    }
}
