//! Desired against live: what would change
