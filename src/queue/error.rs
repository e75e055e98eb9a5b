//! What can go wrong between this program and Redis.

use redis::ErrorKind;

use super::refusal::is_refusal;

/// What is said about a connection that does not come about, and what to do.
const HINTS: [(&str, &str); 8] = [
    ("UnknownIssuer", "set REDIS_TLS_CA_FILE to the authority that signed redis' certificate"),
    // Of the same name, and another one.
    ("BadSignature", "set REDIS_TLS_CA_FILE to the authority that signed redis' certificate"),
    ("not valid for name", "write a name into REDIS_URL that redis' certificate has"),
    ("certificate: Expired", "renew redis' certificate"),
    ("InvalidContentType", "this port of redis does not speak TLS; REDIS_URL needs its tls-port"),
    ("authentication failed", "redis does not know the user and the password of REDIS_URL"),
    ("Authentication required", "write the user and the password into REDIS_URL"),
    ("CertificateRequired", "redis asks for a certificate of ours: set REDIS_TLS_CERT_FILE and REDIS_TLS_KEY_FILE"),
];

/// An error of the queue, told to a person.
#[derive(Debug, Clone, thiserror::Error)]
pub enum QueueError {
    /// Redis cannot be reached, or did not answer in time. Whether a write took effect is unknown; every write here is
    /// safe to repeat.
    #[error("redis is unavailable ({0}); check that it runs and that REDIS_URL is right")]
    Unavailable(String),
    /// Redis answered with an error.
    #[error("redis refused a command ({0})")]
    Refused(String),
    /// Redis does not let our user do something, or does not know the user.
    #[error("redis does not allow this ({0}); see the runbook, Rights in Redis")]
    Forbidden(String),
    /// The data in Redis belong to another version of this program.
    #[error("{0}")]
    Layout(String),
    /// The address in the settings cannot be used.
    #[error("REDIS_URL cannot be used: {0}")]
    Address(String),
    /// What was asked for does not exist, or the call was wrong.
    #[error("{0}")]
    Asked(String),
}

impl QueueError {
    /// Whether trying again can help once Redis is back.
    #[must_use]
    pub const fn is_unavailable(&self) -> bool {
        matches!(self, Self::Unavailable(_))
    }
}

impl From<redis::RedisError> for QueueError {
    fn from(error: redis::RedisError) -> Self {
        // A Redis that is still loading, has no master, or refuses writes for now is away as far as we are concerned.
        let busy = matches!(
            error.code(),
            Some("LOADING" | "MASTERDOWN" | "READONLY" | "CLUSTERDOWN" | "TRYAGAIN" | "MISCONF" | "BUSY" | "UNBLOCKED")
        );
        let away =
            error.is_io_error() || error.is_timeout() || error.is_connection_dropped() || error.is_connection_refusal();
        let unknown =
            error.kind() == ErrorKind::AuthenticationFailed || error.to_string().contains("Authentication required");
        if unknown || is_refusal(&error) {
            Self::Forbidden(told(&error))
        } else if busy || away {
            Self::Unavailable(told(&error))
        } else {
            Self::Refused(error.to_string())
        }
    }
}

/// The error, and what to do where that is known.
fn told(error: &redis::RedisError) -> String {
    let text = error.to_string();
    let what = HINTS.iter().find(|(words, _)| text.contains(words));
    what.map_or_else(|| text.clone(), |(_, what)| format!("{text}: {what}"))
}
