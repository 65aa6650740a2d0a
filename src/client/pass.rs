//! What lets this machine in: a token while it is good, else the invite.
//!
//! Pure: time is passed in. A token lives in memory alone.

use crate::time::HostNanos;
use crate::wire::Hidden;

const SECOND: i64 = 1_000_000_000;

/// A session's token, if the server gave one.
#[derive(Debug, Default)]
pub struct Pass {
    token: Option<Token>,
}

#[derive(Debug)]
struct Token {
    text: Hidden,
    lapses: HostNanos,
    /// When to ask for the next.
    renew: HostNanos,
}

impl Pass {
    /// The server gave a token that is good for so many seconds.
    pub fn take(&mut self, token: Hidden, seconds: u32, now: HostNanos) {
        let life = i64::from(seconds.max(1)) * SECOND;
        let (lapses, renew) = (HostNanos(now.0 + life), HostNanos(now.0 + life * 2 / 3));
        self.token = Some(Token { text: token, lapses, renew });
    }

    /// What to show: the token but in the last moments of its life, else the invite's secret.
    pub fn show(&self, secret: &str, now: HostNanos) -> String {
        let good = self.token.as_ref().filter(|token| token.lapses - now > SECOND);
        good.map_or_else(|| secret.to_owned(), |token| token.text.0.clone())
    }

    /// Whether it is time to ask for a fresh token. Should no answer come, it will be once more.
    pub fn is_due(&mut self, now: HostNanos) -> bool {
        let Some(token) = self.token.as_mut().filter(|token| now >= token.renew) else { return false };
        token.renew = HostNanos(now.0 + ((token.lapses - now) / 2).max(SECOND / 4));
        true
    }

    /// The server knows the token no more.
    pub fn forget(&mut self) {
        self.token = None;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_serves_while_it_is_good_and_is_renewed_before_its_end() {
        let (mut pass, at) = (Pass::default(), |seconds: i64| HostNanos(7 + seconds * SECOND));
        assert_eq!(pass.show("invite", at(0)), "invite");
        pass.take(Hidden("t-1".into()), 900, at(0));
        assert_eq!(pass.show("invite", at(890)), "t-1");
        assert_eq!(pass.show("invite", at(899)), "invite");
        assert!(!pass.is_due(at(599)) && pass.is_due(at(600)) && !pass.is_due(at(601)));
        assert!(pass.is_due(at(750)), "no answer came");
        pass.take(Hidden("t-2".into()), 900, at(751));
        assert!(!pass.is_due(at(900)));
        pass.forget();
        assert_eq!(pass.show("invite", at(760)), "invite");
    }
}
