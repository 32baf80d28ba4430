//! Result tables: printed and written as the same Markdown.

use std::fmt;

/// One scenario's figures.
#[derive(Debug)]
pub(crate) struct Table {
    pub(crate) title: String,
    /// What was done and how to read it.
    pub(crate) note: String,
    pub(crate) columns: Vec<String>,
    pub(crate) rows: Vec<Vec<String>>,
    /// Proxies that could not be measured, errors that were met.
    pub(crate) remarks: Vec<String>,
}

impl Table {
    pub(crate) fn new(title: &str, note: String, columns: &[&str]) -> Self {
        Self {
            title: title.to_owned(),
            note,
            columns: columns.iter().map(|&column| column.to_owned()).collect(),
            rows: Vec::new(),
            remarks: Vec::new(),
        }
    }
}

impl fmt::Display for Table {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(out, "## {}\n\n{}\n", self.title, self.note)?;
        let all = || std::iter::once(&self.columns).chain(&self.rows);
        let widths: Vec<usize> = (0..self.columns.len())
            .map(|place| {
                all()
                    .filter_map(|row| row.get(place))
                    .map(|cell| cell.chars().count())
                    .max()
                    .unwrap_or(0)
            })
            .collect();
        for (number, row) in all().enumerate() {
            for (place, (cell, width)) in row.iter().zip(&widths).enumerate() {
                let width = *width;
                // Names to the left, figures to the right.
                if place == 0 {
                    write!(out, "| {cell:<width$} ")?
                } else {
                    write!(out, "| {cell:>width$} ")?
                }
            }
            writeln!(out, "|")?;
            if number == 0 {
                for (place, width) in widths.iter().enumerate() {
                    let mark = if place == 0 { "-" } else { ":" };
                    write!(out, "|{}{mark}", "-".repeat(width + 1))?;
                }
                writeln!(out, "|")?;
            }
        }
        if !self.remarks.is_empty() {
            writeln!(out)?;
        }
        for remark in &self.remarks {
            writeln!(out, "- {remark}")?;
        }
        Ok(())
    }
}

/// The middle value; of an even number, the mean of the two in the middle. `NaN` of none.
pub(crate) fn median(values: impl IntoIterator<Item = f64>) -> f64 {
    let mut values: Vec<f64> = values.into_iter().collect();
    values.sort_by(f64::total_cmp);
    let middle = values.len() / 2;
    match (
        values.len() % 2,
        values.get(middle),
        middle.checked_sub(1).and_then(|below| values.get(below)),
    ) {
        (1, Some(value), _) => *value,
        (_, Some(above), Some(below)) => f64::midpoint(*above, *below),
        _ => f64::NAN,
    }
}

/// A figure with as many decimals as it deserves; a dash for what was not measured.
pub(crate) fn figure(value: f64) -> String {
    match value.abs() {
        _ if !value.is_finite() => "–".to_owned(),
        size if size >= 1_000.0 => format!("{value:.0}"),
        size if size >= 100.0 => format!("{value:.1}"),
        _ => format!("{value:.2}"),
    }
}

/// Bytes in MiB.
pub(crate) fn mib(bytes: f64) -> String {
    figure(bytes / f64::from(1 << 20))
}

#[cfg(test)]
mod tests {
    use super::{figure, median};

    #[test]
    fn the_median_is_in_the_middle() {
        assert!((median([3.0, 1.0, 2.0]) - 2.0).abs() < f64::EPSILON);
        assert!((median([4.0, 1.0, 2.0, 3.0]) - 2.5).abs() < f64::EPSILON);
        assert!(median([]).is_nan());
    }

    #[test]
    fn figures_are_short() {
        assert_eq!(
            [9.876, 123.45, 45_678.9, f64::NAN].map(figure),
            ["9.88", "123.5", "45679", "–"]
        );
    }
}
