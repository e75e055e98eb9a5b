//! Plays Advoware and EspoCRM.
