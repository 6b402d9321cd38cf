//! Bodies against Azure's own type descriptions.

/// Type descriptions read from a folder.
#[derive(Debug)]
pub struct Catalogue {}
