//! Both official ElevenLabs SDKs accept what we sign, and we accept what is known to be signed right.
#![allow(clippy::expect_used)]

use std::path::Path;
use std::process::Command;

use call_tickets::signature::{self, Refusal};
use call_tickets::simulate;
use jiff::{SignedDuration, Timestamp};
use rand::SeedableRng;
use rand::rngs::StdRng;
use secrecy::SecretString;

const SECRET: &str = "a-secret-shared-with-the-verifiers";

/// Takes a body's file, a header and a secret; prints the type of the event that it accepted.
const PYTHON: &str = r"
import sys
from elevenlabs.client import ElevenLabs
body, header, secret = open(sys.argv[1], encoding='utf-8').read(), sys.argv[2], sys.argv[3]
event = ElevenLabs(api_key='unused').webhooks.construct_event(rawBody=body, sig_header=header, secret=secret)
print(event['type'] if isinstance(event, dict) else event.type)
";

/// The same; the SDK's folder comes first.
const JAVASCRIPT: &str = r"
const [folder, file, header, secret] = process.argv.slice(1);
const { ElevenLabsClient } = require(folder);
const client = new ElevenLabsClient({ apiKey: 'unused' });
const body = require('fs').readFileSync(file, 'utf8');
client.webhooks.constructEvent(body, header, secret).then(
  (event) => console.log(event.type),
  (error) => { console.error(String(error)); process.exitCode = 1; },
);
";

/// One of the official verifiers: the command before a body's file, a header and a secret.
type Verifier = Box<dyn Fn() -> Command>;

fn python() -> Option<Verifier> {
    let folder = std::env::var_os("LANDFALL_CLIENTS_VENV").unwrap_or_else(|| "/tmp/landfall-clients".into());
    let python = Path::new(&folder).join("bin/python");
    let there = Command::new(&python).args(["-c", "import elevenlabs"]).output();
    if there.is_ok_and(|output| output.status.success()) {
        return Some(Box::new(move || {
            let mut command = Command::new(&python);
            command.args(["-c", PYTHON]);
            command
        }));
    }
    landfall_tests::skip("PyPI's elevenlabs is not installed (`./test --tools`)");
    None
}

fn javascript() -> Option<Verifier> {
    let package = landfall_tests::servers::node_modules().join("@elevenlabs/elevenlabs-js");
    if package.exists() {
        return Some(Box::new(move || {
            let mut command = Command::new("node");
            command.args(["-e", JAVASCRIPT]).arg(&package);
            command
        }));
    }
    landfall_tests::skip("npm's @elevenlabs/elevenlabs-js is not installed (`./test --tools`)");
    None
}

/// Asks a verifier: the event's type, or why it refused.
fn asked(verifier: &Verifier, file: &Path, header: &str, secret: &str) -> Result<String, String> {
    let output = verifier().arg(file).args([header, secret]).output().expect("the verifier starts");
    if output.status.success() {
        Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned())
    } else {
        Err(String::from_utf8_lossy(&output.stderr).into_owned())
    }
}

/// What it makes of calls that `simulate` signs, and of the same with another secret.
fn accepts_what_simulate_signs(verifier: &Verifier) {
    let folder = tempfile::tempdir().expect("a folder");
    let (file, secret) = (folder.path().join("body.json"), SecretString::from(SECRET.to_owned()));
    for seed in 0..3 {
        let call = simulate::call(&mut StdRng::seed_from_u64(seed), Timestamp::now()).to_string();
        std::fs::write(&file, &call).expect("can be written");
        let header = signature::header(&secret, call.as_bytes(), Timestamp::now());
        assert_eq!(asked(verifier, &file, &header, SECRET).as_deref(), Ok("post_call_transcription"));
        let refused = asked(verifier, &file, &header, "another-secret-than-it-was-signed-with");
        let why = refused.expect_err("another secret is refused").to_lowercase();
        assert!(why.contains("signature"), "{why}");
    }
}

#[test]
fn the_python_sdk_accepts_what_simulate_signs() {
    if let Some(verifier) = python() {
        accepts_what_simulate_signs(&verifier);
    }
}

#[test]
fn the_javascript_sdk_accepts_what_simulate_signs() {
    if let Some(verifier) = javascript() {
        accepts_what_simulate_signs(&verifier);
    }
}

/// Signatures of the sample payloads' exact bytes, made by another program: by `test-secret-not-for-production`, at
/// the second 1700000000.
const KNOWN: &[(&str, &str)] = &[
    ("01-helpdesk-label-printer-nl.json", "8112eae1c493276368e9e9af7874a411af5e9004cad688ffbe4b5be442c51e19"),
    ("02-silent-empty-transcript.json", "dd2c637a4c3c8bbdfa79c76039285b2fb3213a7282529c90c3c88a4811d0a38c"),
    (
        "03-tool-calls-account-lockout-en.json",
        "74cf959b2c1c5f73c9724be9c99d860e1c4a140626b2e4a2ab2d69486283ff0c",
    ),
    ("04-long-call-400-turns-nl.json", "b6939ab0e889cc9235d47e75d5e5e5521c0d21fe629312f41f96e8be5883f745"),
    ("05-non-ascii-emoji-nl.json", "04705b7ccf0a642ce9a35f9afe4419ee9e5951439641b44957056f1f3d3902e2"),
    (
        "06-call-initiation-failure-sip.json",
        "9f48d3040538f90c43ebdc41b6c77a1aa4bea50499ab8647bad3c43e5a07e0d4",
    ),
    ("07-post-call-audio-small.json", "c4b07a495d823b56c47f982d30fb285f660290acb6df202c3f8ae974d1f4e359"),
    ("08-unknown-future-event.json", "a6d05f448753d29eab38cc8386507419d4a7047e4ee6f81663367f9bf8a0a1e1"),
];

#[test]
fn known_signatures_of_the_sample_payloads_are_taken() {
    let Some(folder) = landfall_tests::shared("facts/elevenlabs-payloads") else { return };
    let secrets = [SecretString::from("test-secret-not-for-production".to_owned())];
    let (now, tolerance) =
        (Timestamp::from_second(1_700_000_000).expect("a time"), SignedDuration::from_secs(300));
    for (name, v0) in KNOWN {
        let mut body = std::fs::read(folder.join(name)).expect("the payload can be read");
        let header = format!("t=1700000000,v0={v0}");
        let verify = |body: &[u8]| signature::verify(&[header.as_bytes()], body, &secrets, tolerance, now);
        assert_eq!(verify(&body), Ok(SignedDuration::ZERO), "{name}");
        assert_eq!(signature::header(&secrets[0], &body, now), header, "{name}");
        body.push(b'\n');
        assert_eq!(verify(&body), Err(Refusal::Wrong), "{name}, one byte longer");
    }
}
