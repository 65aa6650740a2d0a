//! How many connections one address holds, and how often it tries short codes.
//!
//! Thread: any. Invariant: both tables are bounded, whoever knocks.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use tokio::time::Instant;

use super::limits::{CODE_TRIES, CODE_TRIES_OF_ALL, CONNECTIONS};

/// The stretch over which tries are counted.
const MINUTE: Duration = Duration::from_secs(60);
/// Addresses whose tries are remembered.
const REMEMBERED: usize = 4096;

/// The connections by address.
#[derive(Debug)]
pub struct Crowd {
    per_address: u32,
    open: Mutex<(HashMap<IpAddr, u32>, u32)>,
}

/// A connection that counts as long as it lives.
#[derive(Debug)]
pub struct Counted {
    crowd: Arc<Crowd>,
    address: IpAddr,
}

impl Crowd {
    /// Nobody yet; at most `per_address` connections each.
    pub fn new(per_address: u32) -> Arc<Crowd> {
        Arc::new(Crowd { per_address, open: Mutex::default() })
    }

    /// Counts a connection.
    ///
    /// # Errors
    /// Which limit it would break.
    pub fn enter(self: &Arc<Crowd>, address: IpAddr) -> Result<Counted, String> {
        let address = network_of(address);
        let mut open = self.open.lock();
        let (by_address, all) = &mut *open;
        if *all >= CONNECTIONS {
            return Err(format!("the server holds {CONNECTIONS} connections, the most it takes; try later"));
        }
        let held = by_address.entry(address).or_default();
        if *held >= self.per_address {
            let limit = self.per_address;
            return Err(format!("at most {limit} connections from one address at a time; close some"));
        }
        *held += 1;
        *all += 1;
        Ok(Counted { crowd: self.clone(), address })
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        let mut open = self.crowd.open.lock();
        let (by_address, all) = &mut *open;
        *all -= 1;
        if let Some(held) = by_address.get_mut(&self.address) {
            *held -= 1;
            if *held == 0 {
                by_address.remove(&self.address);
            }
        }
    }
}

/// Tries of short codes in the minute that runs.
#[derive(Debug, Default)]
pub struct Tries {
    since: Option<Instant>,
    by_address: HashMap<IpAddr, u32>,
    all: u32,
}

impl Tries {
    /// Counts a try.
    ///
    /// # Errors
    /// Which limit it breaks.
    pub fn take(&mut self, address: IpAddr, now: Instant) -> Result<(), String> {
        if self.since.is_none_or(|since| now.duration_since(since) >= MINUTE) {
            *self = Tries { since: Some(now), ..Tries::default() };
        }
        if self.all >= CODE_TRIES_OF_ALL || self.by_address.len() >= REMEMBERED {
            return Err(format!("at most {CODE_TRIES_OF_ALL} codes are tried in a minute; try in the next"));
        }
        let tries = self.by_address.entry(network_of(address)).or_default();
        if *tries >= CODE_TRIES {
            return Err(format!("at most {CODE_TRIES} codes a minute from one address; try in the next"));
        }
        *tries += 1;
        self.all += 1;
        Ok(())
    }
}

/// What counts as one address: of IPv6 a /64, as a household has one.
fn network_of(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(v6) => {
            let [a, b, c, d, ..] = v6.segments();
            IpAddr::V6(Ipv6Addr::new(a, b, c, d, 0, 0, 0, 0))
        }
        v4 => v4,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_has_its_share_and_gets_it_back() {
        let crowd = Crowd::new(2);
        let (a, b) = ("192.0.2.1".parse().expect("v4"), "192.0.2.2".parse().expect("v4"));
        let first = crowd.enter(a).expect("the first");
        let _second = crowd.enter(a).expect("the second");
        assert!(crowd.enter(a).expect_err("the third").contains("at most 2"));
        assert!(crowd.enter(b).is_ok());
        drop(first);
        assert!(crowd.enter(a).is_ok());
    }

    #[test]
    fn a_household_is_one_address() {
        let crowd = Crowd::new(1);
        let _held = crowd.enter("2001:db8:1:2::5".parse().expect("v6")).expect("the first");
        assert!(crowd.enter("2001:db8:1:2:9::1".parse().expect("v6")).is_err());
        assert!(crowd.enter("2001:db8:1:3::5".parse().expect("v6")).is_ok());
    }

    #[test]
    fn guessing_is_slow() {
        let (mut tries, start) = (Tries::default(), Instant::now());
        let address = |n: u8| IpAddr::from([192, 0, 2, n]);
        for _ in 0..CODE_TRIES {
            tries.take(address(1), start).expect("a try");
        }
        assert!(tries.take(address(1), start).expect_err("too many").contains("10 codes"));
        assert!(tries.take(address(2), start).is_ok());
        assert!(tries.take(address(1), start + MINUTE).is_ok());
        let many = (0..=u8::MAX).cycle().take(400);
        let taken = many.filter(|n| tries.take(address(*n), start + MINUTE).is_ok()).count();
        assert_eq!(taken as u32, CODE_TRIES_OF_ALL - 1);
    }
}
