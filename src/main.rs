//! Starts one role or admin command.

fn main() {}
