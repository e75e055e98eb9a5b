//! Advoware REST client.
