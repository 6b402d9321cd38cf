//! From a phone call to a ticket: ElevenLabs' post-call webhooks become TOPdesk incidents.
//!
//! *A 200 means that the call becomes exactly one ticket, or a person is told.*
//!
//! In the way of an event:
//! - [`web`]: takes it in: [`signature`] says whether it is authentic, [`intake`] what of it is kept, and [`scrub`] takes
//!   its secrets out
//! - [`event`]: what it says; [`deliveries`]: many at once come before work
//! - [`worker`]: does what it asks for, step by step, each written into its [`journal`]
//! - [`extract`]: makes a ticket of a call, by a language model or by rules
//! - [`topdesk`]: makes an incident of a ticket; [`transcript`] is attached to it
//! - [`notify`]: tells a person
//!
//! Around it:
//! - [`config`]: the environment; [`service`]: everything put together; [`metrics`]: what is counted
//! - [`simulate`]: realistic calls, signed and sent; [`fakes`]: stand-ins for the services around
//! - [`fuzz`]: what must hold for any delivery
//! - [`cli`]: the commands

pub mod cli;
pub mod config;
pub mod deliveries;
pub mod event;
pub mod extract;
pub mod fakes;
pub mod fuzz;
pub mod intake;
pub mod journal;
pub mod metrics;
pub mod notify;
pub mod scrub;
pub mod service;
pub mod signature;
pub mod simulate;
pub mod topdesk;
pub mod transcript;
pub mod web;
pub mod worker;
