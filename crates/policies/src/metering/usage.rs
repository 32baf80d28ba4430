//! What was counted, for whoever writes the bills.

use std::fmt::Write as _;

use lintel_state::ledger::{Book, OVERFLOW};

use super::runtime::FIGURES;

/// What was counted, hour by hour.
pub struct Usage {
    rows: Vec<Row>,
}

/// What one caller has had of one route in one hour, with answers of one class.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Row {
    /// When the hour began, in seconds since 1970.
    pub hour: u64,
    /// Who has called; empty where that was not known.
    pub caller: String,
    /// The route; empty where none matched.
    pub route: String,
    /// The class of the status, such as `2xx`.
    pub class: String,
    /// Requests.
    pub requests: u64,
    /// Bytes of their bodies.
    pub received: u64,
    /// Bytes of the bodies of their answers.
    pub sent: u64,
}

impl Usage {
    /// The hours that began from `from` on and before `to`, in seconds since 1970.
    pub fn of(book: &Book<FIGURES>, from: u64, to: u64) -> Self {
        let figures = book.figures();
        let inside = figures
            .iter()
            .filter(|((start, _), _)| (from..to).contains(start));
        let rows = inside.map(|((hour, name), (_, [requests, received, sent]))| {
            let mut parts = name.splitn(3, '\n');
            let mut part = || parts.next().unwrap_or_default().to_owned();
            let (class, route, caller) = match &**name {
                OVERFLOW => (String::new(), String::new(), OVERFLOW.to_owned()),
                _ => (part(), part(), part()),
            };
            Row {
                hour: *hour,
                caller,
                route,
                class,
                requests: *requests,
                received: *received,
                sent: *sent,
            }
        });
        let mut rows: Vec<Row> = rows.collect();
        rows.sort_by(|a, b| {
            (a.hour, &a.caller, &a.route, &a.class).cmp(&(b.hour, &b.caller, &b.route, &b.class))
        });
        Self { rows }
    }

    /// By hour, caller, route and class.
    pub fn rows(&self) -> &[Row] {
        &self.rows
    }

    /// As CSV (RFC 4180), with a header.
    pub fn csv(&self) -> String {
        let mut out = String::from("hour,caller,route,status,requests,bytes_in,bytes_out\r\n");
        for row in &self.rows {
            let hour = i64::try_from(row.hour).unwrap_or(i64::MAX);
            if let Ok(hour) = jiff::Timestamp::from_second(hour) {
                // Writing to a String can't fail.
                let _ = write!(out, "{hour}");
            }
            for text in [&row.caller, &row.route, &row.class] {
                out.push(',');
                quote(text, &mut out);
            }
            for number in [row.requests, row.received, row.sent] {
                let _ = write!(out, ",{number}");
            }
            out.push_str("\r\n");
        }
        out
    }
}

/// A time or a day in UTC, such as `2026-11-01T12:00:00Z` or `2026-11-01`, in seconds since 1970;
/// `None` where it is neither.
pub fn time(text: &str) -> Option<u64> {
    let day = || {
        let day: jiff::civil::Date = text.parse().ok()?;
        Some(day.to_zoned(jiff::tz::TimeZone::UTC).ok()?.timestamp())
    };
    let time = text.parse::<jiff::Timestamp>().ok().or_else(day)?;
    u64::try_from(time.as_second()).ok()
}

/// A field; in quotes where it needs them. One that a spreadsheet would take for a formula gets an
/// apostrophe in front, for callers may choose their names.
fn quote(text: &str, out: &mut String) {
    let formula = text.starts_with(['=', '+', '-', '@', '\t', '\r']);
    let plain = !formula && !text.contains([',', '"', '\n', '\r']);
    if plain {
        return out.push_str(text);
    }
    out.push('"');
    if formula {
        out.push('\'');
    }
    out.push_str(&text.replace('"', "\"\""));
    out.push('"');
}
