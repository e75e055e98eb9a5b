//! `Authorization: Bearer <token>`.

use axum::http::{HeaderMap, header};

use crate::secret::Secret;

/// Whether a request carries this token; compared in constant time.
#[must_use]
pub fn is_bearer(token: &Secret, headers: &HeaderMap) -> bool {
    let given = headers.get(header::AUTHORIZATION).and_then(|value| {
        let (scheme, given) = value.as_bytes().split_at_checked(7)?;
        scheme.eq_ignore_ascii_case(b"bearer ").then(|| given.trim_ascii())
    });
    given.is_some_and(|given| token.matches(given))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bearer_is_read_as_clients_write_it() {
        let token = Secret::new("geheim");
        let check = |given: &'static str, expected: bool| {
            let headers = HeaderMap::from_iter([(header::AUTHORIZATION, given.parse().unwrap())]);
            assert_eq!(is_bearer(&token, &headers), expected, "{given:?}");
        };
        check("Bearer geheim", true);
        check("bearer  geheim", true);
        check("Bearergeheim", false);
        check("Basic geheim", false);
        check("geheim", false);
        check("Bearer", false);
        assert!(!is_bearer(&token, &HeaderMap::new()));
    }
}
