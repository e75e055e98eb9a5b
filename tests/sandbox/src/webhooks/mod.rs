//! `EspoCRM`'s webhook sender: what an event says (`payload`), what waits (`queue`), the signature (`sign`), a run of the
//! sending job (`deliver`). Contract: espocrm.md, Webhooks it sends us.

pub(crate) mod deliver;
pub(crate) mod payload;
pub(crate) mod queue;
pub(crate) mod sign;
