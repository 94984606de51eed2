//! Points in time as ISO 8601 writes them: `2021-02-05T19:14:42Z`.

/// Milliseconds since 1970 of a date and a time with a zone. Seconds and their
/// fractions may be missing; what is finer than a millisecond is cut off.
/// `None` if it is not such a text.
pub(crate) fn parse_millis(text: &str) -> Option<i64> {
    let (date, rest) = text.split_once(['T', 't'])?;
    let zone_at = rest.find(['Z', 'z', '+', '-'])?;
    let (time, zone) = rest.split_at_checked(zone_at)?;
    let day = parse_date(date)?;
    let millis = parse_time(time)? - parse_zone(zone)?;
    day.checked_mul(86_400_000)?.checked_add(millis)
}

/// Days since 1970 (proleptic Gregorian calendar).
fn parse_date(date: &str) -> Option<i64> {
    let (year, rest) = date.split_at_checked(4)?;
    let (month, day) = rest.strip_prefix('-')?.split_once('-')?;
    let (year, month, day) = (digits(year, 4)?, digits(month, 2)?, digits(day, 2)?);
    let is_leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    let days = match month {
        2 => 28 + i64::from(is_leap),
        4 | 6 | 9 | 11 => 30,
        1..=12 => 31,
        _ => return None,
    };
    if !(1..=days).contains(&day) {
        return None;
    }
    // Years begin in March here, so that a leap day is the last of its year.
    let (year, month) = if month > 2 { (year, month - 3) } else { (year - 1, month + 9) };
    let day_of_year = (153 * month + 2) / 5 + day - 1;
    let leap_days = year.div_euclid(4) - year.div_euclid(100) + year.div_euclid(400);
    // Day 719,468 of this count is 1970-01-01.
    Some(year * 365 + leap_days + day_of_year - 719_468)
}

/// Milliseconds since midnight.
fn parse_time(time: &str) -> Option<i64> {
    let (hour, rest) = time.split_once(':')?;
    let (minute, second) = rest.split_once(':').unwrap_or((rest, "00"));
    let (second, fraction) = second.split_once('.').unwrap_or((second, "0"));
    let (hour, minute, second) = (digits(hour, 2)?, digits(minute, 2)?, digits(second, 2)?);
    let is_number = !fraction.is_empty() && fraction.bytes().all(|digit| digit.is_ascii_digit());
    if hour > 23 || minute > 59 || second > 59 || !is_number || fraction.len() > 9 {
        return None;
    }
    let millis = format!("{fraction:0<3}").get(..3)?.parse::<i64>().ok()?;
    Some(((hour * 60 + minute) * 60 + second) * 1_000 + millis)
}

/// Milliseconds that the zone is ahead.
fn parse_zone(zone: &str) -> Option<i64> {
    let (sign, offset) = match zone.split_at_checked(1)? {
        ("Z" | "z", "") => return Some(0),
        ("+", offset) => (1, offset),
        ("-", offset) => (-1, offset),
        _ => return None,
    };
    let (hours, minutes) = offset.split_once(':').unwrap_or((offset, "00"));
    let (hours, minutes) = (digits(hours, 2)?, digits(minutes, 2)?);
    (hours <= 18 && minutes <= 59).then_some(sign * (hours * 60 + minutes) * 60_000)
}

fn digits(text: &str, length: usize) -> Option<i64> {
    let is_number = text.len() == length && text.bytes().all(|digit| digit.is_ascii_digit());
    if is_number { text.parse().ok() } else { None }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn points_in_time_are_counted_from_1970() {
        for (text, expected) in [
            ("1970-01-01T00:00:00Z", 0),
            ("1969-12-31T23:59:59.999Z", -1),
            ("2021-02-05T19:14:42Z", 1_612_552_482_000),
            ("2021-02-05T19:14:42.5Z", 1_612_552_482_500),
            ("2021-02-05T19:14:42.123456789Z", 1_612_552_482_123),
            ("2021-02-05T20:14:42+01:00", 1_612_552_482_000),
            ("2021-02-05T17:44:42-01:30", 1_612_552_482_000),
            ("2021-02-05T19:14Z", 1_612_552_440_000),
            ("2000-02-29T00:00:00Z", 951_782_400_000),
            ("2100-03-01T00:00:00Z", 4_107_542_400_000),
            ("0000-03-01T00:00:00Z", -719_468 * 86_400_000),
        ] {
            assert_eq!(parse_millis(text), Some(expected), "{text}");
        }
    }

    #[test]
    fn other_texts_are_none() {
        for text in [
            "",
            "1612552482",
            "2021-02-05",
            "2021-02-05T19:14:42",
            "2021-02-30T19:14:42Z",
            "2100-02-29T00:00:00Z",
            "2021-13-01T00:00:00Z",
            "2021-02-05T24:00:00Z",
            "2021-02-05T19:60:00Z",
            "2021-02-05T19:14:42.Z",
            "2021-02-05T19:14:42+1",
            "2021-02-05T19:14:42+19:00",
            "21-02-05T19:14:42Z",
            "éé-02-05T19:14:42Z",
        ] {
            assert_eq!(parse_millis(text), None, "{text}");
        }
    }
}
