//! The fuzz targets' functions hold on stable too: for every seed, its mutations and generated inputs.
#![allow(clippy::expect_used)]

use std::path::PathBuf;

use call_tickets::{fuzz, simulate};
use jiff::Timestamp;
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};

/// The inputs that the fuzzer starts from.
fn seeds(target: &str) -> Vec<Vec<u8>> {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../fuzz/seeds").join(target);
    let mut seeds: Vec<PathBuf> = std::fs::read_dir(&folder)
        .expect("the target has seeds")
        .map(|entry| entry.expect("can be read").path())
        .collect();
    seeds.sort();
    assert!(seeds.len() >= 5, "{}", folder.display());
    seeds.iter().map(|seed| std::fs::read(seed).expect("can be read")).collect()
}

/// What libFuzzer does first: bytes flipped, taken out, doubled, and two inputs crossed.
fn mutated(input: &[u8], other: &[u8], chance: &mut StdRng) -> Vec<u8> {
    const WORDS: [&str; 12] = [
        "\"secret__x\":",
        "\"",
        "{",
        "]",
        "null",
        "\\u0000",
        "v0=",
        "t=",
        ",",
        "\n",
        "conversation_id",
        "99999999999",
    ];
    let mut input = input.to_vec();
    for _ in 0..chance.random_range(1..6) {
        let at = chance.random_range(0..=input.len());
        let end = (at + chance.random_range(0..16)).min(input.len());
        match chance.random_range(0..5) {
            0 if at < input.len() => input[at] = chance.random(),
            1 => drop(input.drain(at..end)),
            2 => {
                let piece = input[at..end].to_vec();
                input.splice(at..at, piece);
            }
            3 => {
                let word = WORDS[chance.random_range(0..WORDS.len())];
                input.splice(at..at, word.bytes());
            }
            _ => {
                let from = chance.random_range(0..=other.len());
                input.truncate(at);
                input.extend_from_slice(&other[from..]);
            }
        }
    }
    input
}

fn drive(target: &str, function: fn(&[u8])) {
    let seed: u64 = std::env::var("LANDFALL_SEED").ok().and_then(|seed| seed.parse().ok()).unwrap_or(7);
    let mut chance = StdRng::seed_from_u64(seed);
    let seeds = seeds(target);
    for input in &seeds {
        function(input);
        for _ in 0..40 {
            let other = &seeds[chance.random_range(0..seeds.len())];
            function(&mutated(input, other, &mut chance));
        }
    }
}

#[test]
fn headers_hold() {
    drive("call_tickets_header", fuzz::header);
    let now = Timestamp::from_second(fuzz::NOW).expect("a time");
    for seed in 0..20 {
        let call = simulate::call(&mut StdRng::seed_from_u64(seed), now).to_string();
        let header = call_tickets::signature::header(&fuzz::SECRET.to_owned().into(), call.as_bytes(), now);
        fuzz::header(format!("{header}\n{call}").as_bytes());
    }
}

#[test]
fn bodies_hold() {
    drive("call_tickets_body", fuzz::body);
    for seed in 0..20 {
        fuzz::body(
            simulate::call(&mut StdRng::seed_from_u64(seed), Timestamp::UNIX_EPOCH).to_string().as_bytes(),
        );
    }
    if let Some(folder) = landfall_tests::shared("facts/elevenlabs-payloads") {
        for entry in std::fs::read_dir(folder).expect("can be listed") {
            let path = entry.expect("can be read").path();
            if path.extension().is_some_and(|extension| extension == "json") {
                fuzz::body(&std::fs::read(path).expect("can be read"));
            }
        }
    }
}

/// A target that nobody lists, or that calls something else, would rot unseen: building it takes nightly.
#[test]
fn every_target_is_listed_and_calls_its_function() {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../fuzz");
    let read = |path: &str| std::fs::read_to_string(folder.join(path)).expect("can be read");
    let (manifest, readme) = (read("Cargo.toml"), read("README.md"));
    for (target, function) in [("call_tickets_header", "header"), ("call_tickets_body", "body")] {
        assert!(manifest.contains(&format!("path = \"fuzz_targets/{target}.rs\"")), "{target}");
        assert!(readme.contains(&format!("`{target}`")), "{target}");
        assert!(
            read(&format!("fuzz_targets/{target}.rs"))
                .contains(&format!("call_tickets::fuzz::{function}(data)"))
        );
    }
}
