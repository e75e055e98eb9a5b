//! The one integration binary: a module a flow, a Redis of its own for each test, the outside systems at the socket.

mod queue;
mod support;
mod walls;
