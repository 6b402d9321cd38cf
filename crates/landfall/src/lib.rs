//! The landfall command
