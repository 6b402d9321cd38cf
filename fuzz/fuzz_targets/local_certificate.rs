//! A certificate with its key, as PEM or PFX.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| landfall_local::world::fuzz::certificate(data));
