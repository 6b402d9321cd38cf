//! The body of call-tickets' webhook, from its bytes to the incident.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| call_tickets::fuzz::body(data));
