//! The signature header of call-tickets' webhook.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| call_tickets::fuzz::header(data));
