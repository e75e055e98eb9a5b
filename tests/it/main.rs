//! The one integration binary: a module a flow, a Redis of its own for each test, the outside systems at the socket.

#![expect(unreachable_pub, clippy::unwrap_used, reason = "one binary of tests, nobody outside calls it")]

mod admin;
mod queue;
mod support;
mod walls;
