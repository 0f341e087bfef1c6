//! Dates of runs: seconds and days since 1970-01-01, UTC. Refuses time zones other than UTC, which no run writes.

use jiff::civil::{Date, date as civil};
use jiff::{Span, Timestamp};

/// Seconds of a day.
pub const DAY_S: i64 = 86_400;

/// Day 0.
const EPOCH: Date = civil(1970, 1, 1);

/// Seconds since 1970-01-01 of a time like `2026-01-31T22:15:04Z`; `None` for anything else. Fractions do not count.
pub fn seconds(rfc3339: &str) -> Option<i64> {
    let time: Timestamp = rfc3339.parse().ok().filter(|_| rfc3339.ends_with('Z'))?;
    Some(time.as_second())
}

/// The day of a moment, as days since 1970-01-01.
pub fn day_of(seconds: i64) -> i64 {
    seconds.div_euclid(DAY_S)
}

/// A day as `2026-01-31`.
pub fn date(day: i64) -> String {
    of_day(day).to_string()
}

/// A day as `2026-01`.
pub fn month(day: i64) -> String {
    of_day(day).strftime("%Y-%m").to_string()
}

/// The first day of the month that lies `n_months` after the one that holds `day`.
pub fn first_of_month(day: i64, n_months: i64) -> i64 {
    let months = Span::new().try_months(n_months).unwrap_or_default();
    let first = of_day(day).first_of_month().saturating_add(months);
    first.duration_since(EPOCH).as_hours() / 24
}

/// Number of a day's month, counted from the year 0.
pub fn month_number(day: i64) -> i64 {
    let date = of_day(day);
    i64::from(date.year()) * 12 + i64::from(date.month()) - 1
}

/// The date of a day since 1970-01-01.
fn of_day(day: i64) -> Date {
    EPOCH.saturating_add(Span::new().try_days(day).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn knows_days_that_others_computed() {
        // `date -u -d 2026-01-31T22:15:04Z +%s` and the like.
        assert_eq!(seconds("2026-01-31T22:15:04Z"), Some(1_769_897_704));
        assert_eq!(seconds("2026-01-31T22:15:04.75Z"), Some(1_769_897_704));
        assert_eq!(seconds("2000-02-29T00:00:00Z"), Some(951_782_400));
        let day = day_of(1_769_897_704);
        assert_eq!(
            (date(day), month(day)),
            ("2026-01-31".into(), "2026-01".into())
        );
        assert_eq!(date(day_of(-1)), "1969-12-31");
        assert_eq!(date(first_of_month(day, 11)), "2026-12-01");
        assert_eq!(date(first_of_month(day, -1)), "2025-12-01");
        assert_eq!(month_number(first_of_month(day, -1)), month_number(day) - 1);
    }

    #[test]
    fn refuses_what_is_no_time() {
        for text in [
            "",
            "2026-02-30T00:00:00Z",
            "2026-01-31",
            "2026-01-31T25:00:00Z",
            "2026-01-31T22:15:04+01:00",
            "99999999999-01-01T00:00:00Z",
            "2026-ä1-31T22:15:04Z",
        ] {
            assert_eq!(seconds(text), None, "{text}");
        }
    }
}
