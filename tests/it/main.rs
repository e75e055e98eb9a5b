//! The one integration binary: a module a flow, a Redis of its own for each test, the outside systems at the socket.

#![expect(unreachable_pub, clippy::unwrap_used, reason = "one binary of tests, nobody outside calls it")]
#![expect(clippy::similar_names, reason = "world.notes and world.note read well side by side")]

mod admin;
mod calendar;
mod packaging;
mod process;
mod queue;
mod record;
mod support;
mod walls;
