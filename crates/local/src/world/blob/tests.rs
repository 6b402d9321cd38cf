//! Blob storage's rules over time, in the process.
