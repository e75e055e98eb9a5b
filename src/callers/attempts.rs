//! How many wrong tokens came from where, within the last minute. Pure: the clock is a parameter.
//!
//! It keeps nobody out who has a token, however many others guess from the same address (all of a firm may come through one
//! reverse proxy). Guessing is hopeless already, because tokens are long; this bounds what guessers write into the log and
//! tells them to stop.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv6Addr};
use std::time::Duration;

use tokio::time::Instant;

/// So many wrong tokens a minute are answered with 401, further ones with 429.
const ALLOWED: u32 = 60;
/// The time after which an address begins anew.
const WINDOW: Duration = Duration::from_mins(1);
/// Addresses that are counted one by one; whatever comes from others then counts together.
const ADDRESSES: usize = 4_096;

/// Wrong tokens by address.
#[derive(Debug, Default)]
pub(super) struct Attempts(HashMap<IpAddr, (Instant, u32)>);

impl Attempts {
    /// Counts one more; `Some` with the time to wait when there were too many.
    pub(super) fn count(&mut self, from: IpAddr, now: Instant) -> Option<Duration> {
        let is_over = |begun: Instant| now.duration_since(begun) >= WINDOW;
        let mut from = network(from);
        if self.0.len() >= ADDRESSES && !self.0.contains_key(&from) {
            self.0.retain(|_, (begun, _)| !is_over(*begun));
            if self.0.len() >= ADDRESSES {
                from = Ipv6Addr::UNSPECIFIED.into();
            }
        }
        let (begun, count) = self.0.entry(from).or_insert((now, 0));
        if is_over(*begun) {
            (*begun, *count) = (now, 0);
        }
        *count = count.saturating_add(1);
        (*count > ALLOWED).then(|| WINDOW.saturating_sub(now.duration_since(*begun)))
    }
}

/// A machine with IPv6 has a whole /64 of addresses.
fn network(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(v6) => Ipv6Addr::from_bits(v6.to_bits() & !u128::from(u64::MAX)).into(),
        v4 @ IpAddr::V4(_) => v4,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    #[test]
    fn a_minute_has_so_many_and_every_address_its_own() {
        let (mut attempts, start) = (Attempts::default(), Instant::now());
        let (one, other) = (address("192.0.2.1"), address("192.0.2.2"));
        for _ in 0..ALLOWED {
            assert_eq!(attempts.count(one, start), None);
        }
        let later = start + Duration::from_secs(20);
        assert_eq!(attempts.count(one, later), Some(Duration::from_secs(40)));
        assert_eq!(attempts.count(other, later), None);
        assert_eq!(attempts.count(one, start + WINDOW), None, "a minute later all is forgotten");
    }

    #[test]
    fn spellings_of_an_address_and_a_network_of_one_machine_are_one() {
        let check = |one: &str, other: &str, same: bool| {
            assert_eq!(network(address(one)) == network(address(other)), same, "{one} {other}");
        };
        check("192.0.2.1", "::ffff:192.0.2.1", true);
        check("2001:db8::1", "2001:db8::ffff:1", true);
        check("2001:db8::1", "2001:db8:0:1::1", false);
        check("192.0.2.1", "192.0.2.2", false);
    }

    #[test]
    fn memory_is_bounded_and_whoever_finds_no_place_counts_with_others() {
        let (mut attempts, start) = (Attempts::default(), Instant::now());
        let nth = |n: u32| IpAddr::from((0x0a00_0000 + n).to_be_bytes());
        let many = u32::try_from(ADDRESSES).unwrap() + 2 * ALLOWED;
        let refused = (0..many).filter(|n| attempts.count(nth(*n), start).is_some()).count();
        assert_eq!(refused, ALLOWED as usize);
        assert_eq!(attempts.0.len(), ADDRESSES + 1);
        attempts.count(nth(many), start + WINDOW);
        assert_eq!(attempts.0.len(), 1, "what is over makes room");
    }
}
