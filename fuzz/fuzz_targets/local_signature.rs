//! What a request to a blob is signed with.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| landfall_local::world::fuzz::signature(data));
