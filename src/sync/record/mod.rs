//! EspoCRM record ↔ Advoware record.
