//! Points in time and durations as ISO 8601 writes them.

/// Milliseconds since 1970 of `YYYY-MM-DDThh:mm[:ss[.sss]]`, which is UTC unless
/// `Z`, `+hh`, `+hhmm` or `+hh:mm` follows.
pub(super) fn parse_datetime(text: &str) -> Result<i64, String> {
    let (date, time) = text
        .split_once('T')
        .ok_or("Error parsing timestamp. It does not contain a 'T' according to ISO8601 format")?;
    parse(date, time).ok_or_else(|| format!("Unparseable date: \"{text}\""))
}

fn parse(date: &str, time: &str) -> Option<i64> {
    let mut date = date.splitn(3, '-').map(number);
    let (year, month, day) = (date.next()??, date.next()??, date.next()??);
    if !(1..=12).contains(&month) || !(1..=days_in_month(year, month)).contains(&day) {
        return None;
    }
    let (time, offset_minutes) = match time.find(['Z', '+', '-']) {
        Some(at) => {
            let (time, zone) = time.split_at(at);
            (time, zone_minutes(zone)?)
        }
        None => (time, 0),
    };
    let (time, millis) = match time.split_once('.') {
        Some((time, fraction)) => (time, fraction_millis(fraction)?),
        None => (time, 0),
    };
    let mut clock = time.splitn(3, ':').map(number);
    let (hour, minute, second) = (clock.next()??, clock.next()??, clock.next().unwrap_or(Some(0))?);
    if hour > 23 || minute > 59 || second > 59 {
        return None;
    }
    let minutes = days_since_1970(year, month, day) * 1440 + hour * 60 + minute - offset_minutes;
    Some((minutes * 60 + second) * 1000 + millis)
}

/// Digits only.
fn number(text: &str) -> Option<i64> {
    let is_number = (1..=9).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_digit());
    text.parse().ok().filter(|_| is_number)
}

fn fraction_millis(digits: &str) -> Option<i64> {
    let padded: String = digits.chars().chain("000".chars()).take(3).collect();
    number(digits).and(number(&padded))
}

fn zone_minutes(zone: &str) -> Option<i64> {
    if zone == "Z" {
        return Some(0);
    }
    let sign = if zone.starts_with('-') { -1 } else { 1 };
    let digits = zone.get(1..)?.replace(':', "");
    let (hours, minutes) = match digits.len() {
        2 => (number(&digits)?, 0),
        4 => (number(digits.get(..2)?)?, number(digits.get(2..)?)?),
        _ => return None,
    };
    Some(sign * (hours * 60 + minutes))
}

fn days_in_month(year: i64, month: i64) -> i64 {
    let is_leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    match month {
        2 if is_leap => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

fn days_since_1970(year: i64, month: i64, day: i64) -> i64 {
    // Years that begin in March put the leap day at the end.
    let year = if month <= 2 { year - 1 } else { year };
    let day_of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    year * 365 + year.div_euclid(4) - year.div_euclid(100) + year.div_euclid(400) + day_of_year
        - 719_468
}

/// Milliseconds of `PnDTnHnMn.nS`, each part optional.
pub(super) fn parse_duration(text: &str) -> Result<i64, String> {
    let upper = text.to_ascii_uppercase();
    let (sign, rest) = match upper.strip_prefix('-') {
        Some(rest) => (-1, rest),
        None => (1, upper.strip_prefix('+').unwrap_or(&upper)),
    };
    let millis = rest.strip_prefix('P').and_then(duration_millis);
    millis
        .map(|millis| sign * millis)
        .ok_or_else(|| "Text cannot be parsed to a Duration".to_owned())
}

fn duration_millis(text: &str) -> Option<i64> {
    let (days, time) = match text.split_once('T') {
        Some((days, time)) if !time.is_empty() => (days, time),
        Some(_) => return None,
        None => (text, ""),
    };
    let mut total: f64 = 0.0;
    let mut parts = 0;
    for (mut rest, units) in [
        (days, &[('D', 86_400_000.0)][..]),
        (time, &[('H', 3_600_000.0), ('M', 60_000.0), ('S', 1000.0)]),
    ] {
        for &(unit, millis) in units {
            if let Some((count, after)) = rest.split_once(unit) {
                let has_fraction = count.contains('.');
                let count: f64 = count.parse().ok().filter(|count: &f64| count.is_finite())?;
                if has_fraction && unit != 'S' {
                    return None;
                }
                total += count * millis;
                parts += 1;
                rest = after;
            }
        }
        if !rest.is_empty() {
            return None;
        }
    }
    (parts > 0 && total.abs() < 9e18).then_some(total as i64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn datetimes_are_read_in_any_zone() {
        for (text, expected) in [
            ("1970-01-01T00:00:00.000", Some(0)),
            ("2020-01-01T00:00:00.000", Some(1_577_836_800_000)),
            ("2024-02-29T12:34:56.789Z", Some(1_709_210_096_789)),
            ("2024-02-29T13:34:56.789+01:00", Some(1_709_210_096_789)),
            ("2024-02-29T07:34:56.789-0500", Some(1_709_210_096_789)),
            ("2024-02-29T13:34+01", Some(1_709_210_040_000)),
            ("1969-12-31T23:59:59.5", Some(-500)),
            ("2023-02-29T00:00:00.000", None),
            ("2024-13-01T00:00:00.000", None),
            ("2024-01-01T24:00:00.000", None),
            ("2024-01-01T", None),
            ("-1-1T1:1", None),
        ] {
            assert_eq!(parse_datetime(text).ok(), expected, "{text}");
        }
        assert!(parse_datetime("yesterday").unwrap_err().contains("'T'"));
    }

    #[test]
    fn durations_are_read_as_java_reads_them() {
        for (text, expected) in [
            ("P1D", Some(86_400_000)),
            ("PT1H30M", Some(5_400_000)),
            ("P1DT0.5S", Some(86_400_500)),
            ("-PT1S", Some(-1000)),
            ("pt15m", Some(900_000)),
            ("P", None),
            ("PT", None),
            ("P1H", None),
            ("PT1S1H", None),
            ("PT0.5H", None),
            ("PTinfS", None),
            ("1D", None),
        ] {
            assert_eq!(parse_duration(text).ok(), expected, "{text}");
        }
    }
}
