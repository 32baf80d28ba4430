//! Numbers of JSON as protobuf takes them: an integer may be written as `1`, `1.0`, `1e0` or a
//! string of these.

use std::borrow::Cow;

use lintel_kernel::json::{Lexer, Mismatch, Read, number_length};

/// The text of a number, plain or as a string, and where it is.
pub(crate) fn text<'a>(lexer: &mut Lexer<'a>, expected: &str) -> Read<(Cow<'a, str>, usize)> {
    match lexer.peek() {
        Some(b'"') => {
            let at = lexer.offset();
            Ok((lexer.string()?, at))
        }
        Some(b'-' | b'0'..=b'9') => {
            let at = lexer.offset();
            Ok((Cow::Borrowed(lexer.number()?), at))
        }
        _ => Err(lexer.unexpected(expected)),
    }
}

/// An integer with a sign.
pub(crate) fn signed(text: &str, at: usize, bits: u32) -> Read<i64> {
    let range = 1_i128 << (bits - 1);
    let value = integer(text, at)?;
    let fits = (-range..range).contains(&value);
    let value = fits.then(|| i64::try_from(value).ok()).flatten();
    value.ok_or_else(|| Mismatch::at(at, format!("the number does not fit {bits} bits")))
}

/// An integer without a sign.
pub(crate) fn unsigned(text: &str, at: usize, bits: u32) -> Read<u64> {
    let value = integer(text, at)?;
    let fits = (0..1_i128 << bits).contains(&value);
    let value = fits.then(|| u64::try_from(value).ok()).flatten();
    value.ok_or_else(|| {
        Mismatch::at(
            at,
            format!("the number does not fit {bits} bits without a sign"),
        )
    })
}

fn integer(text: &str, at: usize) -> Read<i128> {
    // What nearly all are.
    if text.len() <= 18
        && text.bytes().all(|byte| byte.is_ascii_digit())
        && (text.len() == 1 || !text.starts_with('0'))
        && let Ok(value) = text.parse::<i64>()
    {
        return Ok(value.into());
    }
    if number_length(text) != Some(text.len()) {
        return Err(Mismatch::at(at, "an integer is expected"));
    }
    exact(text).ok_or_else(|| Mismatch::at(at, "the number is no integer, or too large"))
}

/// The value of `-?digits[.digits][e±digits]`, if it is an integer of at most 20 digits.
fn exact(text: &str) -> Option<i128> {
    let (negative, text) = match text.strip_prefix('-') {
        Some(text) => (true, text),
        None => (false, text),
    };
    let (mantissa, exponent) = text.split_once(['e', 'E']).unwrap_or((text, "0"));
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let digits = [whole, fraction].concat();
    let significant = digits.trim_start_matches('0');
    let kept = significant.trim_end_matches('0');
    if kept.is_empty() {
        return Some(0);
    }
    let exponent: i64 = exponent.parse().ok()?;
    let dropped = i64::try_from(significant.len() - kept.len()).ok()?;
    let shift = exponent
        .checked_sub(i64::try_from(fraction.len()).ok()?)?
        .checked_add(dropped)?;
    let shift = u32::try_from(shift).ok()?;
    if kept.len() + shift as usize > 20 {
        return None;
    }
    let value = kept.parse::<i128>().ok()? * 10_i128.pow(shift);
    Some(if negative { -value } else { value })
}

/// A double.
pub(crate) fn double(text: &str, at: usize) -> Read<f64> {
    if let Some(value) = unwritten(text) {
        return Ok(value);
    }
    let value: Option<f64> = decimal(text).and_then(|text| text.parse().ok());
    let value = value.ok_or_else(|| Mismatch::at(at, "a number is expected"))?;
    let finite = value.is_finite().then_some(value);
    finite.ok_or_else(|| Mismatch::at(at, "the number is out of range"))
}

/// A float.
#[expect(clippy::cast_possible_truncation, reason = "NaN and the infinities")]
pub(crate) fn float(text: &str, at: usize) -> Read<f32> {
    if let Some(value) = unwritten(text) {
        return Ok(value as f32);
    }
    let value: Option<f32> = decimal(text).and_then(|text| text.parse().ok());
    let value = value.ok_or_else(|| Mismatch::at(at, "a number is expected"))?;
    let finite = value.is_finite().then_some(value);
    finite.ok_or_else(|| Mismatch::at(at, "the number is out of range"))
}

/// What JSON has no number for.
fn unwritten(text: &str) -> Option<f64> {
    match text {
        "NaN" => Some(f64::NAN),
        "Infinity" => Some(f64::INFINITY),
        "-Infinity" => Some(f64::NEG_INFINITY),
        _ => None,
    }
}

fn decimal(text: &str) -> Option<&str> {
    (number_length(text) == Some(text.len())).then_some(text)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn integers_however_they_are_written() {
        for (text, value) in [
            ("0", 0),
            ("-0", 0),
            ("7", 7),
            ("1.0", 1),
            ("1e5", 100_000),
            ("1.5e1", 15),
            ("100e-2", 1),
            ("0e99999", 0),
            ("-9223372036854775808", i64::MIN),
            ("9223372036854775807.000", i64::MAX),
        ] {
            assert_eq!(signed(text, 0, 64).unwrap(), value, "{text}");
        }
        for text in [
            "",
            "01",
            "+1",
            " 1",
            "1 ",
            "0.5",
            "1e-1",
            "1e30",
            "1e999999999999999999999",
            "0x1",
            "NaN",
            "9223372036854775808",
            "1.",
            ".5",
            "-",
            "１",
        ] {
            assert!(signed(text, 0, 64).is_err(), "{text}");
        }
        assert_eq!(unsigned("18446744073709551615", 0, 64).unwrap(), u64::MAX);
        assert!(unsigned("18446744073709551616", 0, 64).is_err());
        assert!(unsigned("-1", 0, 32).is_err());
        assert!(unsigned("4294967296", 0, 32).is_err());
        assert!(signed("2147483648", 0, 32).is_err());
        assert_eq!(signed("-2147483648", 0, 32).unwrap(), -2_147_483_648);
    }

    #[test]
    fn floats_in_their_range() {
        assert!(double("1.7976931348623157e308", 0).is_ok());
        assert!(double("1.8e308", 0).is_err());
        assert!(float("3.4028235e38", 0).is_ok());
        assert!(float("3.5e38", 0).is_err());
        assert!(double("inf", 0).is_err());
        assert!(double("1_0", 0).is_err());
        assert!(float("NaN", 0).unwrap().is_nan());
    }
}
