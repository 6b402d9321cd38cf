//! A manifest of an image.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| landfall_local::world::fuzz::manifest(data));
