//! Doing what was decided. So far only what it needs to know of the firm's employees.

pub mod employees;
