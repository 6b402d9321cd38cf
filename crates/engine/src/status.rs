//! Records to status.
