//! The program from outside: what the contract promises to scripts, monitors and people, and nothing of its insides.

mod addresses;
mod away;
mod away_data;
mod away_durability;
mod callers;
mod cron;
mod gauges;
mod hostile;
mod http;
mod layout;
mod logs;
mod outage;
mod pages;
mod protection;
mod raw;
mod rights;
mod schedule;
mod seeds;
mod settings;
mod signature;
mod slow;
mod stop;
mod support;
mod tls;
mod up;
