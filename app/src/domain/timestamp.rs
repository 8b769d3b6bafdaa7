//! A moment, to the millisecond, in UTC. On the wire RFC 3339.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};

/// Milliseconds since 1970-01-01T00:00:00Z.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub struct Timestamp(u64);

/// A calendar date and time of day, in whatever zone the caller shifted to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Civil {
    pub year: i64,
    pub month: u8,
    pub day: u8,
    pub hour: u8,
    pub minute: u8,
    pub second: u8,
    pub millisecond: u16,
    /// 0 = Sunday.
    pub weekday: u8,
}

/// The text is no RFC 3339 time in UTC.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TimestampError;

impl fmt::Display for TimestampError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("not an RFC 3339 time in UTC")
    }
}

impl std::error::Error for TimestampError {}

const DAY: u64 = 86_400_000;

impl Timestamp {
    #[must_use]
    pub const fn from_millis(ms: u64) -> Self {
        Self(ms)
    }

    #[must_use]
    pub const fn millis(self) -> u64 {
        self.0
    }

    /// Whole seconds, for DynamoDB's TTL.
    #[must_use]
    pub const fn seconds(self) -> u64 {
        self.0 / 1000
    }

    #[must_use]
    pub const fn plus_millis(self, ms: u64) -> Self {
        Self(self.0 + ms)
    }

    /// Milliseconds from `earlier` to here; 0 if it is later.
    #[must_use]
    pub const fn since(self, earlier: Self) -> u64 {
        self.0.saturating_sub(earlier.0)
    }

    /// Seconds until the next day begins, UTC.
    #[must_use]
    pub const fn until_midnight(self) -> u64 {
        DAY / 1000 - self.seconds() % (DAY / 1000)
    }

    /// Date and time of day at `offset` minutes east of UTC.
    #[must_use]
    pub fn civil(self, offset: i32) -> Civil {
        let local = self.0 as i64 + i64::from(offset) * 60_000;
        let (days, rest) = (local.div_euclid(DAY as i64), local.rem_euclid(DAY as i64) as u64);
        let (year, month, day) = civil_from_days(days);
        Civil {
            year,
            month,
            day,
            hour: (rest / 3_600_000) as u8,
            minute: (rest / 60_000 % 60) as u8,
            second: (rest / 1000 % 60) as u8,
            millisecond: (rest % 1000) as u16,
            weekday: (days + 4).rem_euclid(7) as u8,
        }
    }

    /// Days since 1970-01-01 at `offset` minutes east of UTC.
    #[must_use]
    pub fn day_number(self, offset: i32) -> i64 {
        (self.0 as i64 + i64::from(offset) * 60_000).div_euclid(DAY as i64)
    }
}

/// Days since the epoch to year, month, day (Howard Hinnant, "chrono-Compatible Low-Level Date Algorithms").
fn civil_from_days(days: i64) -> (i64, u8, u8) {
    let z = days + 719_468;
    let era = z.div_euclid(146_097);
    let doe = z.rem_euclid(146_097);
    let yoe = (doe - doe / 1460 + doe / 36_524 - doe / 146_096) / 365;
    let doy = doe - (365 * yoe + yoe / 4 - yoe / 100);
    let mp = (5 * doy + 2) / 153;
    let day = (doy - (153 * mp + 2) / 5 + 1) as u8;
    let month = (if mp < 10 { mp + 3 } else { mp - 9 }) as u8;
    (yoe + era * 400 + i64::from(month <= 2), month, day)
}

fn days_from_civil(year: i64, month: i64, day: i64) -> i64 {
    let y = if month <= 2 { year - 1 } else { year };
    let era = y.div_euclid(400);
    let yoe = y.rem_euclid(400);
    let doy = (153 * (if month > 2 { month - 3 } else { month + 9 }) + 2) / 5 + day - 1;
    era * 146_097 + yoe * 365 + yoe / 4 - yoe / 100 + doy - 719_468
}

impl fmt::Display for Timestamp {
    /// RFC 3339 with milliseconds: always 24 characters until the year 9999, so it sorts as text.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let c = self.civil(0);
        write!(
            f,
            "{:04}-{:02}-{:02}T{:02}:{:02}:{:02}.{:03}Z",
            c.year, c.month, c.day, c.hour, c.minute, c.second, c.millisecond
        )
    }
}

impl FromStr for Timestamp {
    type Err = TimestampError;
    fn from_str(s: &str) -> Result<Self, TimestampError> {
        let b = s.as_bytes();
        let num = |from: usize, to: usize| -> Result<i64, TimestampError> {
            let t = s.get(from..to).ok_or(TimestampError)?;
            if !t.bytes().all(|b| b.is_ascii_digit()) {
                return Err(TimestampError);
            }
            t.parse().map_err(|_| TimestampError)
        };
        let at = |i: usize, c: u8| if b.get(i) == Some(&c) { Ok(()) } else { Err(TimestampError) };
        at(4, b'-')?;
        at(7, b'-')?;
        at(10, b'T')?;
        at(13, b':')?;
        at(16, b':')?;
        let rest = s.get(19..).and_then(|r| r.strip_suffix('Z')).ok_or(TimestampError)?;
        let ms = match rest.strip_prefix('.') {
            None if rest.is_empty() => 0,
            Some(frac) if !frac.is_empty() && frac.bytes().all(|b| b.is_ascii_digit()) => {
                let digits: String = frac.chars().chain("000".chars()).take(3).collect();
                digits.parse().map_err(|_| TimestampError)?
            }
            _ => return Err(TimestampError),
        };
        let (month, day) = (num(5, 7)?, num(8, 10)?);
        let (h, m, sec) = (num(11, 13)?, num(14, 16)?, num(17, 19)?);
        if !(1..=12).contains(&month) || !(1..=31).contains(&day) || h > 23 || m > 59 || sec > 60 {
            return Err(TimestampError);
        }
        let days = days_from_civil(num(0, 4)?, month, day);
        let ms: i64 = days * DAY as i64 + h * 3_600_000 + m * 60_000 + sec * 1000 + ms;
        u64::try_from(ms).map(Self).map_err(|_| TimestampError)
    }
}

impl From<Timestamp> for String {
    fn from(t: Timestamp) -> String {
        t.to_string()
    }
}

impl TryFrom<String> for Timestamp {
    type Error = TimestampError;
    fn try_from(s: String) -> Result<Self, TimestampError> {
        s.parse()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_written_and_read_as_rfc_3339() {
        for (ms, text) in [
            (0, "1970-01-01T00:00:00.000Z"),
            (951_782_400_000, "2000-02-29T00:00:00.000Z"),
            (1_764_045_248_123, "2025-11-25T04:34:08.123Z"),
            (4_102_444_799_999, "2099-12-31T23:59:59.999Z"),
        ] {
            assert_eq!(Timestamp::from_millis(ms).to_string(), text);
            assert_eq!(text.parse(), Ok(Timestamp::from_millis(ms)));
        }
        assert_eq!("2025-11-25T04:34:08Z".parse::<Timestamp>().map(Timestamp::millis), Ok(1_764_045_248_000));
        for bad in [
            "",
            "2025-11-25",
            "2025-13-25T04:34:08Z",
            "2025-11-25T04:34:08+01:00",
            "2025-11-25T04:34:08.Z",
            "+025-11-25T04:34:08Z",
        ] {
            assert!(bad.parse::<Timestamp>().is_err(), "{bad}");
        }
    }

    #[test]
    fn every_day_of_four_centuries_survives_the_round_trip() {
        for days in 0..146_097 {
            let (y, m, d) = civil_from_days(days);
            assert_eq!(days_from_civil(y, m.into(), d.into()), days);
        }
        // 2026-11-25 is a Wednesday.
        let t: Timestamp = "2026-11-25T23:30:00Z".parse().unwrap();
        assert_eq!(t.civil(0).weekday, 3);
        assert_eq!((t.civil(60).day, t.civil(60).weekday), (26, 4));
        assert_eq!((t.civil(-1440).day, t.day_number(60) - t.day_number(0)), (24, 1));
    }
}
