//! The text of the two exposition formats: Prometheus text 0.0.4
//! (<https://prometheus.io/docs/instrumenting/exposition_formats/>) and OpenMetrics 1.0.

use super::{
    cell::{Bounds, Totals},
    family::{Family, Kind, OVERFLOW},
};

/// The label text of a series: `name="value",…`. Missing values are empty, surplus ones ignored.
pub(crate) fn labels(family: &Family, values: &[&str]) -> Box<[u8]> {
    let mut out = Vec::new();
    for (i, name) in family.labels.iter().enumerate() {
        label(&mut out, name, values.get(i).copied().unwrap_or(""));
    }
    out.into()
}

/// The label text of the series that stands for all that the budget refused.
pub(crate) fn overflow_labels(family: &Family) -> Box<[u8]> {
    labels(family, &vec![OVERFLOW; family.labels.len()])
}

/// Appends one label, with a comma before it if it is not the first.
pub(crate) fn label(out: &mut Vec<u8>, name: &str, value: &str) {
    if !out.is_empty() {
        out.push(b',');
    }
    out.extend_from_slice(name.as_bytes());
    out.extend_from_slice(b"=\"");
    escape(out, value, true);
    out.push(b'"');
}

/// Label values escape backslash, quote and line feed; help texts of the Prometheus format only
/// the first and the last.
fn escape(out: &mut Vec<u8>, text: &str, quotes: bool) {
    for byte in text.bytes() {
        match byte {
            b'\\' => out.extend_from_slice(b"\\\\"),
            b'\n' => out.extend_from_slice(b"\\n"),
            b'"' if quotes => out.extend_from_slice(b"\\\""),
            _ => out.push(byte),
        }
    }
}

/// Writes one exposition.
pub(crate) struct Writer<'a> {
    out: &'a mut Vec<u8>,
    openmetrics: bool,
    /// The family whose samples come now; its header is written with the first of them.
    family: Option<&'static Family>,
    headed: bool,
}

impl<'a> Writer<'a> {
    pub(crate) fn new(out: &'a mut Vec<u8>, openmetrics: bool) -> Self {
        Self {
            out,
            openmetrics,
            family: None,
            headed: false,
        }
    }

    /// The samples that follow belong to this family.
    pub(crate) fn family(&mut self, family: &'static Family) {
        self.family = Some(family);
        self.headed = false;
    }

    pub(crate) fn integer(&mut self, labels: &[u8], value: u64) {
        self.name("", labels, None);
        self.out
            .extend_from_slice(itoa::Buffer::new().format(value).as_bytes());
        self.out.push(b'\n');
    }

    pub(crate) fn signed(&mut self, labels: &[u8], value: i64) {
        self.name("", labels, None);
        self.out
            .extend_from_slice(itoa::Buffer::new().format(value).as_bytes());
        self.out.push(b'\n');
    }

    pub(crate) fn seconds(&mut self, labels: &[u8], nanos: u64) {
        self.name("", labels, None);
        seconds(self.out, nanos);
        self.out.push(b'\n');
    }

    pub(crate) fn histogram(&mut self, labels: &[u8], bounds: &Bounds, totals: &Totals) {
        let mut count = 0u64;
        let les = bounds.labels().iter().copied().chain(["+Inf"]);
        for (le, in_bucket) in les.zip(totals.buckets) {
            count = count.wrapping_add(in_bucket);
            self.name("_bucket", labels, Some(le));
            self.out
                .extend_from_slice(itoa::Buffer::new().format(count).as_bytes());
            self.out.push(b'\n');
        }
        self.name("_sum", labels, None);
        seconds(self.out, totals.nanos);
        self.out.push(b'\n');
        self.name("_count", labels, None);
        self.out
            .extend_from_slice(itoa::Buffer::new().format(count).as_bytes());
        self.out.push(b'\n');
    }

    pub(crate) fn finish(self) {
        if self.openmetrics {
            self.out.extend_from_slice(b"# EOF\n");
        }
    }

    fn name(&mut self, suffix: &str, labels: &[u8], le: Option<&str>) {
        let Some(family) = self.family else { return };
        if !self.headed {
            self.header(family);
        }
        self.out.extend_from_slice(family.name.as_bytes());
        self.out.extend_from_slice(suffix.as_bytes());
        if !labels.is_empty() || le.is_some() {
            self.out.push(b'{');
            self.out.extend_from_slice(labels);
            if let Some(le) = le {
                if !labels.is_empty() {
                    self.out.push(b',');
                }
                self.out.extend_from_slice(b"le=\"");
                self.out.extend_from_slice(le.as_bytes());
                // OpenMetrics wants a float: `1.0`, where the older format writes `1`.
                if self.openmetrics && le.bytes().all(|byte| byte.is_ascii_digit()) {
                    self.out.extend_from_slice(b".0");
                }
                self.out.push(b'"');
            }
            self.out.push(b'}');
        }
        self.out.push(b' ');
    }

    fn header(&mut self, family: &'static Family) {
        self.headed = true;
        let name = match family.kind {
            // In OpenMetrics the family of a counter is named without the suffix of its samples.
            Kind::Counter if self.openmetrics => {
                family.name.strip_suffix("_total").unwrap_or(family.name)
            }
            _ => family.name,
        };
        for part in ["# HELP ", name, " "] {
            self.out.extend_from_slice(part.as_bytes());
        }
        escape(self.out, family.help, self.openmetrics);
        for part in ["\n# TYPE ", name, " ", family.kind.name(), "\n"] {
            self.out.extend_from_slice(part.as_bytes());
        }
    }
}

/// Nanoseconds as a decimal number of seconds, exact and without trailing zeros.
fn seconds(out: &mut Vec<u8>, nanos: u64) {
    let (whole, mut rest) = (nanos / 1_000_000_000, nanos % 1_000_000_000);
    out.extend_from_slice(itoa::Buffer::new().format(whole).as_bytes());
    if rest == 0 {
        return;
    }
    out.push(b'.');
    let mut unit = 100_000_000;
    while rest > 0 {
        out.push(b'0' + (rest / unit) as u8);
        rest %= unit;
        unit /= 10;
    }
}
