//! What is to be done: pure.
