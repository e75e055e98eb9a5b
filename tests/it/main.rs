//! The one integration binary: a module a flow, a Redis of its own for each test, the outside systems at the socket.

#![expect(unreachable_pub, reason = "one binary, nobody outside calls it")]

mod queue;
mod support;
mod walls;
