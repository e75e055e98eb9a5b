//! Whom to believe, and what to show, where Redis is reached by TLS.

use super::fault::Problem;
use super::reader::Reader;
use super::redis::Server;
use super::secret::Secret;

const CA: &str = "REDIS_TLS_CA_FILE";
const CERTIFICATE: &str = "REDIS_TLS_CERT_FILE";
const KEY: &str = "REDIS_TLS_KEY_FILE";

/// Certificates for the way to Redis, as PEM.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct RedisTls {
    /// The only authorities that are believed; none: those of the web.
    pub authorities: Option<Secret>,
    /// The certificate that is shown to Redis.
    pub client: Option<ClientCertificate>,
}

/// A certificate of this program.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClientCertificate {
    /// It, and those between it and its authority.
    pub chain: Secret,
    /// Its key.
    pub key: Secret,
}

impl RedisTls {
    pub(super) fn read(reader: &mut Reader<'_>, server: Option<&Server>) -> Self {
        let authorities = reader.optional(CA, |path| pem(path, "CERTIFICATE"));
        let chain = reader.optional(CERTIFICATE, |path| pem(path, "CERTIFICATE"));
        let key = reader.optional(KEY, |path| pem(path, "PRIVATE KEY"));
        for (there, lacking) in [(CERTIFICATE, KEY), (KEY, CERTIFICATE)] {
            if reader.is_set(there) && !reader.is_set(lacking) {
                let what = format!("it is not set, although {there} is: a certificate is of use only with its key");
                reader.fault(lacking, Problem::new(what, format!("set it, or leave {there} out")));
            }
        }
        // Whoever names an authority means TLS: what was meant to be encrypted must not go out as it is.
        if let Some(name) = [CA, CERTIFICATE, KEY].into_iter().find(|name| reader.is_set(name))
            && !server.is_some_and(Server::uses_tls)
        {
            let instead = "write REDIS_URL with rediss://, rediss-sentinel:// or rediss-cluster://, or leave it out";
            reader.fault(name, Problem::new("the way to Redis does not use TLS", instead));
        }
        Self { authorities, client: chain.zip(key).map(|(chain, key)| ClientCertificate { chain, key }) }
    }
}

/// The text of a PEM file that holds at least one such part.
fn pem(path: &str, label: &str) -> Result<Secret, Problem> {
    let instead = format!("name a PEM file with `-----BEGIN … {label}-----` that this user may read");
    let text = std::fs::read_to_string(path)
        .map_err(|error| Problem::new(format!("`{path}` cannot be read ({error})"), instead.as_str()))?;
    let has_it =
        text.lines().any(|line| line.starts_with("-----BEGIN ") && line.trim_end().ends_with(&format!("{label}-----")));
    if has_it { Ok(Secret::new(text)) } else { Err(Problem::new(format!("`{path}` holds no {label}"), instead)) }
}
