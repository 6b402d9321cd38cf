//! What Azure is: ids, errors, credentials, and the ARM, Key Vault and registry clients
