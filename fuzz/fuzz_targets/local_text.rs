//! Blocks of addresses, schedules, durations.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| landfall_local::world::fuzz::text(data));
