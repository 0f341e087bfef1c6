//! Dates of runs: seconds and days since 1970-01-01, UTC. Refuses time zones other than UTC, which no run writes.

/// Seconds of a day.
pub const DAY_S: i64 = 86_400;

/// Seconds since 1970-01-01 of a time like `2026-01-31T22:15:04Z`; `None` for anything else. Leap seconds and fractions
/// do not count.
pub fn seconds(rfc3339: &str) -> Option<i64> {
    let (date, time) = rfc3339.split_once('T')?;
    let time = time.strip_suffix('Z')?.split('.').next()?;
    let numbers = |text: &str, by: char| -> Option<[i64; 3]> {
        let parts: Vec<i64> = (text.split(by))
            .map(|part| {
                let is_number = part.len() <= 4 && part.bytes().all(|byte| byte.is_ascii_digit());
                is_number.then(|| part.parse().ok()).flatten()
            })
            .collect::<Option<_>>()?;
        parts.try_into().ok()
    };
    let [year, month, day] = numbers(date, '-')?;
    let [hour, minute, second] = numbers(time, ':')?;
    let is_time = hour < 24 && minute < 60 && second <= 60;
    let is_date = (1..=12).contains(&month) && (1..=31).contains(&day);
    let days = days_since_1970(year, month, day);
    (is_time && is_date && of_day(days) == (year, month, day))
        .then_some(days * DAY_S + hour * 3600 + minute * 60 + second)
}

/// The day of a moment, as days since 1970-01-01.
pub fn day_of(seconds: i64) -> i64 {
    seconds.div_euclid(DAY_S)
}

/// A day as `2026-01-31`.
pub fn date(day: i64) -> String {
    let (year, month, day) = of_day(day);
    format!("{year:04}-{month:02}-{day:02}")
}

/// A day as `2026-01`.
pub fn month(day: i64) -> String {
    let (year, month, _) = of_day(day);
    format!("{year:04}-{month:02}")
}

/// The first day of the month that lies `n_months` after the one that holds `day`.
pub fn first_of_month(day: i64, n_months: i64) -> i64 {
    let (year, month, _) = of_day(day);
    let months = year * 12 + month - 1 + n_months;
    days_since_1970(months.div_euclid(12), months.rem_euclid(12) + 1, 1)
}

/// Number of a day's month, counted from the year 0.
pub fn month_number(day: i64) -> i64 {
    let (year, month, _) = of_day(day);
    year * 12 + month - 1
}

/// Days before the year `year` in the Gregorian calendar, counted from the year 0.
fn days_before_year(year: i64) -> i64 {
    let past = year - 1;
    year * 365 + past.div_euclid(4) - past.div_euclid(100) + past.div_euclid(400)
}

fn days_before_month(year: i64, month: i64) -> i64 {
    const DAYS: [i64; 12] = [0, 31, 59, 90, 120, 151, 181, 212, 243, 273, 304, 334];
    let is_leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    let leap_day = i64::from(is_leap && month > 2);
    DAYS[(month - 1).clamp(0, 11) as usize] + leap_day
}

fn days_since_1970(year: i64, month: i64, day: i64) -> i64 {
    days_before_year(year) - days_before_year(1970) + days_before_month(year, month) + day - 1
}

/// Year, month and day of a day since 1970-01-01.
fn of_day(day: i64) -> (i64, i64, i64) {
    // The mean year is a little shorter than this, so that the guess is a year early at most.
    let mut year = 1970 + day.div_euclid(366);
    while days_since_1970(year + 1, 1, 1) <= day {
        year += 1;
    }
    let rest = day - days_since_1970(year, 1, 1);
    let month = (1..=12)
        .rev()
        .find(|month| days_before_month(year, *month) <= rest)
        .unwrap_or(1);
    (year, month, rest - days_before_month(year, month) + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_go_there_and_back() {
        for day in (-200_000..400_000).step_by(13) {
            let (year, month, of_month) = of_day(day);
            assert_eq!(days_since_1970(year, month, of_month), day, "{}", date(day));
        }
    }

    #[test]
    fn knows_days_that_others_computed() {
        // `date -u -d 2026-01-31T22:15:04Z +%s` and the like.
        assert_eq!(seconds("2026-01-31T22:15:04Z"), Some(1_769_897_704));
        assert_eq!(seconds("2000-02-29T00:00:00Z"), Some(951_782_400));
        assert_eq!(date(day_of(1_769_897_704)), "2026-01-31");
        assert_eq!(date(day_of(-1)), "1969-12-31");
        assert_eq!(
            date(first_of_month(day_of(1_769_897_704), 11)),
            "2026-12-01"
        );
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
