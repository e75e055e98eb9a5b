//! Reads and writes Google events.
