//! Reads and writes Advoware Termine.
