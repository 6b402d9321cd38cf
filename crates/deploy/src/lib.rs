//! A plan carried out: builds, requests, revisions
