//! Numbers, times and days as the page writes them.

use crate::domain::Timestamp;

/// By their number, Sunday first.
pub const DAYS: [&str; 7] = ["Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday"];
const MONTHS: [&str; 12] = [
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
];

/// `31400` as `31,400`.
#[must_use]
pub fn number(n: u64) -> String {
    let digits = n.to_string();
    let mut out = String::with_capacity(digits.len() + digits.len() / 3);
    for (i, c) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i).is_multiple_of(3) {
            out.push(',');
        }
        out.push(c);
    }
    out
}

/// `1 token`, `412 tokens`.
#[must_use]
pub fn counted(n: u64, one: &str, many: &str) -> String {
    [number(n).as_str(), " ", if n == 1 { one } else { many }].concat()
}

/// Milliseconds as `0.61 s`, `7.9 s`, `14 s`, `2 min 5 s`.
#[must_use]
pub fn duration(ms: u64) -> String {
    let pad = |n: u64| if n < 10 { ["0", &n.to_string()].concat() } else { n.to_string() };
    // Rounded first, so that 999 ms is not written as 0.100 s.
    match ms {
        0..995 => ["0.", &pad((ms + 5) / 10), " s"].concat(),
        995..9_950 => {
            let tenths = (ms + 50) / 100;
            [&(tenths / 10).to_string(), ".", &(tenths % 10).to_string(), " s"].concat()
        }
        9_950..59_500 => [&((ms + 500) / 1000).to_string(), " s"].concat(),
        _ => {
            let s = (ms + 500) / 1000;
            [&number(s / 60), " min ", &(s % 60).to_string(), " s"].concat()
        }
    }
}

/// When the day's budget does: `begins anew at 00:00 UTC, in 5 h 12 min.`
#[must_use]
pub fn anew(now: Timestamp) -> String {
    let minutes = now.until_midnight() / 60;
    let hours = if minutes < 60 { String::new() } else { [&(minutes / 60).to_string(), " h "].concat() };
    // It is never over already.
    let rest = if hours.is_empty() { minutes.max(1) } else { minutes % 60 };
    ["begins anew at 00:00 UTC, in ", &hours, &rest.to_string(), " min."].concat()
}

/// What stands over the thinking once it is over; how long it took is not always known.
#[must_use]
pub fn thought(ms: Option<u64>) -> String {
    ms.map_or_else(|| "Thought".to_owned(), |ms| ["Thought for ", &whole_seconds(ms)].concat())
}

/// Milliseconds as seconds begun, so that it is never none: `1 s`, `14 s`.
#[must_use]
pub fn whole_seconds(ms: u64) -> String {
    [&number(ms.div_ceil(1000).max(1)), " s"].concat()
}

/// The time of day, and before it the day if that is not today: `10:38`, `24 Nov 10:38`.
#[must_use]
pub fn moment(at: Timestamp, now: Timestamp, tz: i32) -> String {
    let t = at.civil(tz);
    let two = |n: u8| if n < 10 { ["0", &n.to_string()].concat() } else { n.to_string() };
    let time = [&two(t.hour), ":", &two(t.minute)].concat();
    if at.day_number(tz) == now.day_number(tz) {
        return time;
    }
    let month = month(t.month).get(..3).unwrap_or_default();
    [&t.day.to_string(), " ", month, " ", &time].concat()
}

/// The heading a day's chats stand under: `Today`, `Yesterday`, `Friday, 20 November`, `20 November 2025`.
#[must_use]
pub fn day(at: Timestamp, now: Timestamp, tz: i32) -> String {
    match now.day_number(tz) - at.day_number(tz) {
        ..=0 => return "Today".to_owned(),
        1 => return "Yesterday".to_owned(),
        _ => {}
    }
    let (t, n) = (at.civil(tz), now.civil(tz));
    let date = [&t.day.to_string(), " ", month(t.month)].concat();
    if t.year == n.year {
        [DAYS.get(usize::from(t.weekday)).copied().unwrap_or_default(), ", ", &date].concat()
    } else {
        [&date, " ", &t.year.to_string()].concat()
    }
}

/// A month by its number, from 1.
#[must_use]
pub fn month(number: u8) -> &'static str {
    MONTHS.get(usize::from(number).wrapping_sub(1)).copied().unwrap_or_default()
}

/// A session's title until it is renamed: the first 60 characters of its first message, on one line.
#[must_use]
pub fn title(text: &str) -> String {
    // A script for the simulator is no title.
    let spoken: Vec<&str> = text.lines().filter(|l| !l.trim_start().starts_with("/sim ")).collect();
    let one_line = |text: &str| text.split_whitespace().collect::<Vec<_>>().join(" ");
    let spoken = one_line(&spoken.join("\n"));
    let line = if spoken.is_empty() { one_line(text) } else { spoken };
    match line.char_indices().nth(60) {
        Some((end, _)) => line.get(..end).unwrap_or_default().trim_end().to_owned(),
        None => line,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_budgets_next_day_is_said_in_hours_and_minutes() {
        let at = |time: &str| anew(["2026-11-25T", time, "Z"].concat().parse().unwrap());
        assert_eq!(at("18:48:00"), "begins anew at 00:00 UTC, in 5 h 12 min.");
        assert_eq!(at("00:00:00"), "begins anew at 00:00 UTC, in 24 h 0 min.");
        assert_eq!(at("23:01:00"), "begins anew at 00:00 UTC, in 59 min.");
        assert_eq!(at("23:59:59"), "begins anew at 00:00 UTC, in 1 min.");
    }

    #[test]
    fn numbers_have_commas_and_times_few_digits() {
        assert_eq!([0, 999, 1000, 31_400, 1_234_567].map(number), ["0", "999", "1,000", "31,400", "1,234,567"]);
        assert_eq!(counted(1, "token", "tokens"), "1 token");
        let all = [0, 7, 610, 994, 999, 7_949, 9_949, 9_950, 14_000, 59_499, 59_500, 125_000].map(duration);
        assert_eq!(
            all,
            [
                "0.00 s",
                "0.01 s",
                "0.61 s",
                "0.99 s",
                "1.0 s",
                "7.9 s",
                "9.9 s",
                "10 s",
                "14 s",
                "59 s",
                "1 min 0 s",
                "2 min 5 s"
            ]
        );
    }

    #[test]
    fn days_are_named_where_the_person_is() {
        let now: Timestamp = "2026-11-24T10:41:00Z".parse().unwrap();
        let at = |s: &str| s.parse::<Timestamp>().unwrap();
        assert_eq!(day(at("2026-11-24T00:00:00Z"), now, 0), "Today");
        assert_eq!(day(at("2026-11-23T23:59:00Z"), now, 0), "Yesterday");
        assert_eq!(day(at("2026-11-23T23:59:00Z"), now, 60), "Today");
        assert_eq!(day(at("2026-11-20T12:00:00Z"), now, 0), "Friday, 20 November");
        assert_eq!(day(at("2025-11-20T12:00:00Z"), now, 0), "20 November 2025");
        assert_eq!(day(at("2026-11-25T12:00:00Z"), now, 0), "Today");
        assert_eq!(moment(at("2026-11-24T10:38:00Z"), now, 0), "10:38");
        assert_eq!(moment(at("2026-11-20T09:08:00Z"), now, 60), "20 Nov 10:08");
    }

    #[test]
    fn titles_are_one_line_of_sixty_characters() {
        assert_eq!(title("  a\n b\tc "), "a b c");
        assert_eq!([title("a\n/sim tokens=3"), title("/sim tokens=3")], ["a", "/sim tokens=3"]);
        assert_eq!(title(&"é".repeat(80)).chars().count(), 60);
    }
}
