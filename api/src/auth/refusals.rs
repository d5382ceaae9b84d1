//! Wrong tokens, counted by sender and minute. A right token is never held up by the wrong ones of others that share
//! its address; what is bounded is how much a stranger can make us say and write down.

use std::collections::BTreeMap;
use std::net::IpAddr;

use crate::limits::{REFUSALS_TOLD_PER_MINUTE, REFUSED_SENDERS_MAX, WRONG_TOKENS_PER_MINUTE};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Refusal {
    /// Worth a line in the trail: the sender's first of this minute, while there are few.
    pub(crate) tell: bool,
    /// The sender has tried often enough for this minute.
    pub(crate) too_many: bool,
}

#[derive(Debug, Default)]
pub(crate) struct Refusals {
    minute: i64,
    told: u32,
    /// Beyond [`REFUSED_SENDERS_MAX`] senders the rest count as one, which is `None`, as is a sender without address.
    by_sender: BTreeMap<Option<IpAddr>, u32>,
}

impl Refusals {
    pub(crate) fn count(&mut self, sender: Option<IpAddr>, minute: i64) -> Refusal {
        if self.minute != minute {
            *self = Self { minute, ..Self::default() };
        }
        let is_room = self.by_sender.len() < REFUSED_SENDERS_MAX || self.by_sender.contains_key(&sender);
        let count = self.by_sender.entry(sender.filter(|_| is_room)).or_default();
        *count = count.saturating_add(1);
        let tell = *count == 1 && self.told < REFUSALS_TOLD_PER_MINUTE;
        let too_many = *count > WRONG_TOKENS_PER_MINUTE;
        self.told += u32::from(tell);
        Refusal { tell, too_many }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(last: u32) -> IpAddr {
        IpAddr::from(last.to_be_bytes())
    }

    #[test]
    fn a_sender_is_told_once_and_stopped_later_and_the_next_minute_begins_anew() {
        let mut refusals = Refusals::default();
        assert_eq!(refusals.count(Some(address(1)), 5), Refusal { tell: true, too_many: false });
        for _ in 1..WRONG_TOKENS_PER_MINUTE {
            assert_eq!(refusals.count(Some(address(1)), 5), Refusal { tell: false, too_many: false });
        }
        assert_eq!(refusals.count(Some(address(1)), 5), Refusal { tell: false, too_many: true });
        assert_eq!(refusals.count(Some(address(2)), 5), Refusal { tell: true, too_many: false });
        assert_eq!(refusals.count(Some(address(1)), 6), Refusal { tell: true, too_many: false });
    }

    #[test]
    fn ever_new_senders_fill_neither_memory_nor_the_trail() {
        let mut refusals = Refusals::default();
        let told = (0..5000).filter(|&sender| refusals.count(Some(address(sender)), 1).tell).count();
        assert_eq!(told, REFUSALS_TOLD_PER_MINUTE as usize);
        assert_eq!(refusals.by_sender.len(), REFUSED_SENDERS_MAX + 1);
        assert!(refusals.count(Some(address(4_000_000)), 1).too_many, "the rest count as one");
    }
}
