//! Durations as people write them: `60s`, `5m`, `1h30m`, `500ms`; a bare number means seconds.

use std::time::Duration;

const FORM: &str = "expected a time like 60s, 5m, 1h30m or 500ms";

/// Units with their milliseconds; `ms` stands before `m` and `s`, so that it is tried first.
const UNITS: [(&str, u64); 5] = [
    ("ms", 1),
    ("s", 1_000),
    ("m", 60_000),
    ("h", 3_600_000),
    ("d", 86_400_000),
];

/// Reads a duration; the message of a failure is for the operator.
pub(crate) fn parse(text: &str) -> Result<Duration, String> {
    let text = text.trim();
    if let Ok(seconds) = text.parse::<u64>() {
        return Ok(Duration::from_secs(seconds));
    }
    let mut rest = text;
    let mut total = Duration::ZERO;
    while !rest.is_empty() {
        let (part, after) = part(rest).ok_or_else(|| FORM.to_owned())?;
        total = total.checked_add(part).ok_or_else(|| FORM.to_owned())?;
        rest = after;
    }
    if text.is_empty() {
        Err(FORM.to_owned())
    } else {
        Ok(total)
    }
}

/// The leading number with its unit, and what follows.
fn part(text: &str) -> Option<(Duration, &str)> {
    let digits = text.find(|c: char| !c.is_ascii_digit())?;
    let number: u64 = text[..digits].parse().ok()?;
    let after = &text[digits..];
    let (unit, milliseconds) = UNITS.iter().find(|(unit, _)| after.starts_with(unit))?;
    let total = number.checked_mul(*milliseconds)?;
    Some((
        Duration::from_millis(total),
        after[unit.len()..].trim_start(),
    ))
}

/// A duration in the one unit that holds it whole: `15m`, `5s`; [`parse`] reads it back.
pub(crate) fn typed(duration: Duration) -> String {
    let total = u64::try_from(duration.as_millis()).unwrap_or(u64::MAX);
    let fits = |(_, milliseconds): &&(&str, u64)| total.is_multiple_of(*milliseconds);
    let (unit, milliseconds) = UNITS.iter().rev().find(fits).unwrap_or(&UNITS[0]);
    format!("{}{unit}", total / milliseconds)
}

/// A duration for people: `340 ms`, `4.2 s`, `42 s`, `3 min 05 s`, `1 h 02 min`.
pub(crate) fn human(duration: Duration) -> String {
    let seconds = duration.as_secs();
    match seconds {
        0 => format!("{} ms", duration.as_millis()),
        1..10 => format!("{:.1} s", duration.as_secs_f64()),
        10..60 => format!("{seconds} s"),
        60..3600 => format!("{} min {:02} s", seconds / 60, seconds % 60),
        _ => format!("{} h {:02} min", seconds / 3600, seconds % 3600 / 60),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_what_people_write() {
        for (text, milliseconds) in [
            ("60s", 60_000),
            ("60", 60_000),
            ("500ms", 500),
            ("1h30m", 5_400_000),
            ("2m 5s", 125_000),
            ("0s", 0),
            ("1d", 86_400_000),
        ] {
            assert_eq!(
                parse(text),
                Ok(Duration::from_millis(milliseconds)),
                "{text}"
            );
        }
    }

    #[test]
    fn what_is_typed_is_read_back() {
        for text in ["15m", "5s", "1500ms", "1h", "2d"] {
            assert_eq!(typed(parse(text).unwrap()), text);
        }
    }

    #[test]
    fn refuses_the_rest() {
        for text in [
            "",
            "s",
            "5x",
            "-1s",
            "1.5h",
            "99999999999999999999s",
            "18446744073709551615d",
        ] {
            assert!(parse(text).is_err(), "{text:?}");
        }
    }

    #[test]
    fn shows_what_people_read() {
        assert_eq!(human(Duration::from_millis(340)), "340 ms");
        assert_eq!(human(Duration::from_millis(4240)), "4.2 s");
        assert_eq!(human(Duration::from_secs(42)), "42 s");
        assert_eq!(human(Duration::from_secs(185)), "3 min 05 s");
        assert_eq!(human(Duration::from_secs(3720)), "1 h 02 min");
    }
}
