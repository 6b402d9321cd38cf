//! Local Azure: a stand-in for Azure on loopback that speaks Azure's own protocols and really runs what is
//! deployed to it.
//!
//! It shares no code with the rooms it stands in for, so that a mistake cannot cancel itself out. In reading
//! order:
//!
//! - [`world`]: the state of a make-believe Azure as a deterministic value; every rule lives there.
//! - `front`: servers on loopback, one for all planes, chosen by host name.
//! - `runtime`: images, processes, probes, scaling and ingress of the deployed applications.
//! - `control`: starting, stopping and asking a detached local Azure from another process.

pub mod world;
