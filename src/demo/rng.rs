//! The demo's dice: splitmix64 (Steele, Lea and Flood 2014). Every day draws from its own stream, so that the month is
//! the same whether it is made whole or from the middle. Not for secrets.

/// A stream of numbers that depends on nothing but its seed.
#[derive(Clone, Debug)]
pub(super) struct Rng(u64);

impl Rng {
    /// The stream of one purpose on one day.
    pub(super) fn new(seed: u64, day: u64, purpose: u64) -> Self {
        let mut rng =
            Self(seed ^ day.wrapping_mul(0xA076_1D64_78BD_642F) ^ purpose.wrapping_mul(0xE703_7ED1_A0B4_28DB));
        rng.next();
        rng
    }

    pub(super) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    /// 0 to `bound` exclusive; 0 where there is no room.
    pub(super) fn below(&mut self, bound: u64) -> u64 {
        let wide = u128::from(self.next()) * u128::from(bound);
        u64::try_from(wide >> 64).unwrap_or(0)
    }

    /// `from` to `to` exclusive.
    pub(super) fn between(&mut self, from: u64, to: u64) -> u64 {
        from + self.below(to.saturating_sub(from))
    }

    /// True so many times in a thousand.
    pub(super) fn per_mille(&mut self, chance: u64) -> bool {
        self.below(1000) < chance
    }

    /// One of them. The lists are constants of this module's neighbours and never empty.
    pub(super) fn pick<'a, T>(&mut self, from: &'a [T]) -> &'a T {
        let index = usize::try_from(self.below(from.len() as u64)).unwrap_or(0);
        from.get(index).expect("lists to pick from have members")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn streams_repeat_and_differ() {
        let draw = |seed, day, purpose| {
            let mut rng = Rng::new(seed, day, purpose);
            [rng.next(), rng.next(), rng.below(10)]
        };
        assert_eq!(draw(1, 2, 3), draw(1, 2, 3));
        assert_ne!(draw(1, 2, 3), draw(1, 2, 4));
        assert_ne!(draw(1, 2, 3), draw(1, 3, 3));
        assert_ne!(draw(1, 2, 3), draw(2, 2, 3));
    }

    #[test]
    fn bounds_hold() {
        let mut rng = Rng::new(7, 0, 0);
        let drawn: Vec<u64> = (0..1000).map(|_| rng.between(3, 9)).collect();
        assert!(drawn.iter().all(|number| (3..9).contains(number)));
        assert!((3..9).all(|number| drawn.contains(&number)));
        assert_eq!(rng.below(0), 0);
        assert!(rng.below(u64::MAX) > 0);
    }
}
