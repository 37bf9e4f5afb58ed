//! Points in time, as the host tells them and as tokens carry them.

use serde_json::Value;

/// Milliseconds since the Unix epoch. Arithmetic saturates: a claim may hold any 64-bit value,
/// and a comparison at the end of the range must not wrap into a valid one.
#[derive(Clone, Copy, Debug, Default, Eq, Ord, PartialEq, PartialOrd)]
pub struct UnixMillis(pub i64);

/// A length of time in milliseconds, never negative.
#[derive(Clone, Copy, Debug, Default, Eq, Ord, PartialEq, PartialOrd)]
pub struct Millis(pub u32);

impl Millis {
    #[must_use]
    pub const fn from_secs(seconds: u32) -> Self {
        Self(seconds.saturating_mul(1000))
    }

    /// Whole seconds, rounded up, as `Retry-After` wants them (RFC 9110, 10.2.3).
    #[must_use]
    pub fn whole_secs(self) -> u32 {
        self.0.div_ceil(1000)
    }

    #[must_use]
    pub fn halved(self) -> Self {
        Self(self.0 / 2)
    }

    #[must_use]
    pub fn doubled(self) -> Self {
        Self(self.0.saturating_mul(2))
    }
}

impl UnixMillis {
    #[must_use]
    pub fn from_nanoseconds(nanoseconds: u64) -> Self {
        Self(i64::try_from(nanoseconds / 1_000_000).unwrap_or(i64::MAX))
    }

    /// Reads a NumericDate (RFC 7519, 2): seconds, possibly with a fraction, of any size.
    #[must_use]
    pub fn from_numeric_date(value: &Value) -> Option<Self> {
        let number = value.as_number()?;
        if let Some(seconds) = number.as_i64() {
            return Some(Self(seconds.saturating_mul(1000)));
        }
        if number.is_u64() {
            return Some(Self(i64::MAX));
        }
        // `as` saturates; JSON has no NaN.
        #[allow(clippy::cast_possible_truncation)]
        number
            .as_f64()
            .map(|seconds| Self((seconds * 1000.0).floor() as i64))
    }

    /// Whole seconds, rounded down: a NumericDate.
    #[must_use]
    pub fn whole_secs(self) -> i64 {
        self.0.div_euclid(1000)
    }

    #[must_use]
    pub fn plus(self, length: Millis) -> Self {
        Self(self.0.saturating_add(i64::from(length.0)))
    }

    /// Whether this moment is still to come at `now`, and no further off than `length`. A time that
    /// was set before the clock was put back is not.
    #[must_use]
    pub fn is_ahead(self, now: Self, length: Millis) -> bool {
        now < self && self <= now.plus(length)
    }

    /// Whether this moment has passed at `now`, and less than `length` ago.
    #[must_use]
    pub fn is_recent(self, now: Self, length: Millis) -> bool {
        self <= now && now < self.plus(length)
    }

    /// How long `earlier` is ago; zero when it is not in the past.
    #[must_use]
    pub fn since(self, earlier: Self) -> Millis {
        let length = self.0.saturating_sub(earlier.0).max(0);
        Millis(u32::try_from(length).unwrap_or(u32::MAX))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn numeric_dates_of_any_size_keep_their_order() {
        let read = |value| UnixMillis::from_numeric_date(&value).unwrap();
        assert_eq!(read(json!(1.5)), UnixMillis(1500));
        assert_eq!(read(json!(-1)), UnixMillis(-1000));
        assert_eq!(read(json!(u64::MAX)), UnixMillis(i64::MAX));
        assert_eq!(read(json!(i64::MAX)), UnixMillis(i64::MAX));
        assert_eq!(read(json!(i64::MIN)), UnixMillis(i64::MIN));
        assert_eq!(read(json!(1e300)), UnixMillis(i64::MAX));
        assert_eq!(read(json!(-1e300)), UnixMillis(i64::MIN));
        assert_eq!(UnixMillis::from_numeric_date(&json!("1")), None);
    }

    #[test]
    fn a_clock_that_was_put_back_leaves_nothing_ahead_or_recent() {
        let (now, length) = (UnixMillis(1000), Millis(10));
        let ahead = |at| UnixMillis(at).is_ahead(now, length);
        assert_eq!(
            [1000, 1001, 1010, 1011].map(ahead),
            [false, true, true, false]
        );
        let recent = |at| UnixMillis(at).is_recent(now, length);
        assert_eq!(
            [990, 991, 1000, 1001].map(recent),
            [false, true, true, false]
        );
    }

    #[test]
    fn arithmetic_saturates() {
        assert_eq!(UnixMillis(i64::MAX).plus(Millis(1)), UnixMillis(i64::MAX));
        assert_eq!(
            UnixMillis(i64::MAX).since(UnixMillis(i64::MIN)),
            Millis(u32::MAX)
        );
        assert_eq!(UnixMillis(1).since(UnixMillis(2)), Millis(0));
        assert_eq!(Millis(1001).whole_secs(), 2);
    }
}
