//! A path of Resource Manager.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| landfall_local::world::fuzz::path(data));
