//! The room `ingress`.
