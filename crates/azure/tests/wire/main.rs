//! The clients against a server on loopback that answers what each test tells it, over TLS as Azure does.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on says where by panicking")]

mod arm;
mod preflight;
mod registry;
mod server;
mod sign_in;
mod vault;
