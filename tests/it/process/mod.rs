//! The program from outside: what the contract promises to scripts, monitors and people, and nothing of its insides.

mod hostile;
mod http;
mod seeds;
mod signature;
mod support;
