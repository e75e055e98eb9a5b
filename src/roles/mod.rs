//! The room `roles`.
