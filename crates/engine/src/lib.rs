//! A graph of operations to a run: journal, retries, resume, cancel
