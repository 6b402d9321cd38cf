//! landfall.toml to App: types, spans, diagnostics, JSON Schema
