//! Hostile input for everything that reads what others wrote: one target a file, each with the properties that it holds.
//!
//! - `make test` runs every input of `corpus/`, as it is, and then a fixed number of mutations of them (`mutate`). A failure
//!   prints the input, made as small as it gets, and `BOLERO_RANDOM_SEED=…`, which repeats it.
//! - `make fuzz` runs the same targets under libFuzzer, which looks for inputs that reach new code.
//!
//! An input that broke something goes into the corpus and stays there.
#![cfg(test)]

mod corpus;
mod harness;
mod json;
mod mutate;
mod redis;
mod requests;
mod upstream;

mod advoware_answer;
mod google_answer;
mod google_event;
mod mapping_file;
mod proxy_path;
mod signature_header;
mod stream_entry;
mod trigger_body;
mod webhook_body;
