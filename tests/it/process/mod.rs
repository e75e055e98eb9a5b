//! The program from outside: what the contract promises to scripts, monitors and people, and nothing of its insides.

mod hostile;
mod http;
mod layout;
mod outage;
mod schedule;
mod seeds;
mod settings;
mod signature;
mod stop;
mod support;
mod up;
