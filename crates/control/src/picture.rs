//! A composition as a picture (SVG 1.1): who waits for whom, and how long each leg of a request took.

use std::fmt::{self, Write as _};

use lintel_kernel::LegRecord;
use lintel_proxy::{
    Snapshot,
    compose::{Compose, Sample},
};

const MARGIN: f64 = 24.0;
const LEAST_WIDTH: f64 = 960.0;
const BOX: (f64, f64) = (184.0, 54.0);
/// Between boxes: beside and below each other.
const GAP: (f64, f64) = (64.0, 14.0);
const ROW: f64 = 28.0;
const LABEL: f64 = 150.0;
/// Room behind a bar for what it says.
const BEHIND: f64 = 150.0;
const HEAD: f64 = 64.0;

const STYLE: &str = "
svg { font-family: system-ui, -apple-system, 'Segoe UI', Roboto, 'DejaVu Sans', sans-serif; background: #fff }
text { fill: #1f2328; font-size: 13px }
.title { font-size: 18px; font-weight: 600 } .name { font-weight: 600 }
.small { font-size: 11px; fill: #656d76 }
.box { fill: #f6f8fa; stroke: #d0d7de } .optional { stroke-dasharray: 4 3 } .last { fill: #ddf4ff; stroke: #54aeff }
.required { fill: #0969da } .edge { fill: none; stroke: #8c959f; stroke-width: 1.5 } .head { fill: #8c959f }
.grid { stroke: #eaeef2 } .answered { fill: #2da44e } .skipped, .cancelled { fill: #afb8c1 }
.failed { fill: #cf222e } .copy { fill: #bf8700 }
@media (prefers-color-scheme: dark) {
 svg { background: #0d1117 } text { fill: #e6edf3 } .small { fill: #8d96a0 }
 .box { fill: #161b22; stroke: #30363d } .last { fill: #0c2d6b; stroke: #1f6feb }
 .edge { stroke: #6e7681 } .head { fill: #6e7681 } .grid { stroke: #21262d }
}
";

/// The picture of a composition and of one of its requests.
pub(crate) fn draw(
    snapshot: &Snapshot,
    route: &str,
    compose: &Compose,
    sample: Option<&Sample>,
) -> String {
    let plan = Plan::of(snapshot, compose);
    let rows = sample.map_or(0, |sample| sample.legs.0.len());
    let waterfall = HEAD + ROW * rows as f64 + 56.0;
    let height = HEAD + plan.height + waterfall;
    let mut picture = Picture {
        svg: String::with_capacity(8 << 10),
        width: plan.width,
    };
    // Writing to a String can't fail.
    let _ = picture.page(route, compose, &plan, sample, height);
    picture.svg
}

/// Where everything stands.
struct Plan<'a> {
    boxes: Vec<Place<'a>>,
    answer: (f64, f64),
    /// From one column to the next.
    step: f64,
    width: f64,
    height: f64,
}

struct Place<'a> {
    at: (f64, f64),
    name: &'a str,
    does: String,
    required: bool,
    after: &'a [usize],
    /// Nobody waits for it but the answer.
    last: bool,
}

impl<'a> Plan<'a> {
    fn of(snapshot: &Snapshot, compose: &'a Compose) -> Self {
        let legs = compose.plan.legs();
        let stages = compose.plan.stages();
        let tallest = stages.iter().map(Vec::len).max().unwrap_or(1) as f64;
        let height = tallest * (BOX.1 + GAP.1) - GAP.1;
        let columns = stages.len() as f64 + 1.0;
        let needed = columns * (BOX.0 + GAP.0) - GAP.0;
        let width = (needed + 2.0 * MARGIN).max(LEAST_WIDTH);
        // Few columns are spread over the whole width.
        let step = (width - 2.0 * MARGIN - BOX.0) / (columns - 1.0).max(1.0);
        let step = step.min(BOX.0 + 3.0 * GAP.0);
        let mut at = vec![(0.0, 0.0); legs.len()];
        for (stage, members) in stages.iter().enumerate() {
            let own = members.len() as f64 * (BOX.1 + GAP.1) - GAP.1;
            let top = HEAD + (height - own) / 2.0;
            for (row, leg) in members.iter().enumerate() {
                if let Some(place) = at.get_mut(*leg) {
                    let down = row as f64 * (BOX.1 + GAP.1);
                    *place = (MARGIN + stage as f64 * step, top + down);
                }
            }
        }
        let boxes = legs.iter().enumerate().map(|(index, leg)| Place {
            at: at.get(index).copied().unwrap_or_default(),
            name: &leg.name,
            does: super::compose::does(snapshot, compose, index),
            required: leg.is_required(),
            after: &leg.after,
            last: !legs.iter().any(|other| other.after.contains(&index)),
        });
        Self {
            boxes: boxes.collect(),
            answer: (
                MARGIN + (columns - 1.0) * step,
                HEAD + (height - BOX.1) / 2.0,
            ),
            step,
            width,
            height,
        }
    }
}

struct Picture {
    svg: String,
    width: f64,
}

impl Picture {
    fn page(
        &mut self,
        route: &str,
        compose: &Compose,
        plan: &Plan<'_>,
        sample: Option<&Sample>,
        height: f64,
    ) -> fmt::Result {
        let width = self.width;
        write!(
            self.svg,
            "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{width}\" height=\"{height}\" viewBox=\"0 0 {width} {height}\" role=\"img\"><title>{}</title><style>{STYLE}</style>",
            escaped(route)
        )?;
        self.svg.push_str("<defs><marker id=\"a\" viewBox=\"0 0 8 8\" refX=\"7\" refY=\"4\" markerWidth=\"7\" markerHeight=\"7\" orient=\"auto\"><path class=\"head\" d=\"M0 0 8 4 0 8z\"/></marker></defs>");
        self.text((MARGIN, 36.0), "title", route)?;
        self.edges(plan)?;
        self.boxes(plan)?;
        self.rect(plan.answer, BOX, "box last", 6.0)?;
        let (x, y) = plan.answer;
        self.text((x + 14.0, y + 23.0), "name", "answer")?;
        let made = compose
            .plan
            .body()
            .source()
            .unwrap_or("an object of all legs");
        self.text((x + 14.0, y + 41.0), "small", &shortened(made, 27))?;
        let top = HEAD + plan.height + 2.0 * GAP.1 + 12.0;
        match sample {
            Some(sample) => self.waterfall(sample, top)?,
            None => self.text(
                (MARGIN, top + 24.0),
                "small",
                "No request has been seen yet.",
            )?,
        }
        self.svg.push_str("</svg>\n");
        Ok(())
    }

    fn text(&mut self, (x, y): (f64, f64), class: &str, text: &str) -> fmt::Result {
        let text = escaped(text);
        write!(
            self.svg,
            "<text class=\"{class}\" x=\"{x:.1}\" y=\"{y:.1}\">{text}</text>"
        )
    }

    fn rect(
        &mut self,
        (x, y): (f64, f64),
        (width, height): (f64, f64),
        class: &str,
        round: f64,
    ) -> fmt::Result {
        write!(
            self.svg,
            "<rect class=\"{class}\" x=\"{x:.1}\" y=\"{y:.1}\" width=\"{width:.1}\" height=\"{height:.1}\" rx=\"{round}\"/>"
        )
    }

    fn edges(&mut self, plan: &Plan<'_>) -> fmt::Result {
        for place in &plan.boxes {
            for from in place.after.iter().filter_map(|leg| plan.boxes.get(*leg)) {
                self.edge(plan, from.at, place.at)?;
            }
            if place.last {
                self.edge(plan, place.at, plan.answer)?;
            }
        }
        Ok(())
    }

    /// An arrow from one box to another; to one further away it goes below those in between.
    fn edge(&mut self, plan: &Plan<'_>, from: (f64, f64), to: (f64, f64)) -> fmt::Result {
        let (x, y) = (from.0 + BOX.0, from.1 + BOX.1 / 2.0);
        let (u, v) = (to.0 - 2.0, to.1 + BOX.1 / 2.0);
        self.svg
            .push_str("<path class=\"edge\" marker-end=\"url(#a)\" d=\"");
        write!(self.svg, "M{x:.1} {y:.1}")?;
        if u - x < plan.step {
            let (bend, back) = ((u + x) / 2.0, (u + x) / 2.0);
            write!(self.svg, "C{bend:.1} {y:.1} {back:.1} {v:.1} {u:.1} {v:.1}")?;
        } else {
            let (lane, bend) = (HEAD + plan.height + GAP.1, GAP.0 / 4.0);
            let (down, up) = (x + 2.0 * bend, u - 2.0 * bend);
            write!(
                self.svg,
                "C{:.1} {y:.1} {:.1} {lane:.1} {down:.1} {lane:.1}H{up:.1}C{:.1} {lane:.1} {:.1} {v:.1} {u:.1} {v:.1}",
                x + bend,
                x + bend,
                u - bend,
                u - bend
            )?;
        }
        self.svg.push_str("\"/>");
        Ok(())
    }

    fn boxes(&mut self, plan: &Plan<'_>) -> fmt::Result {
        for place in &plan.boxes {
            let (x, y) = place.at;
            let class = if place.required {
                "box"
            } else {
                "box optional"
            };
            self.rect(place.at, BOX, class, 6.0)?;
            if place.required {
                self.rect((x, y + 10.0), (3.0, BOX.1 - 20.0), "required", 1.5)?;
            }
            self.text((x + 14.0, y + 23.0), "name", &shortened(place.name, 22))?;
            self.text((x + 14.0, y + 41.0), "small", &shortened(&place.does, 27))?;
        }
        Ok(())
    }

    fn waterfall(&mut self, sample: &Sample, top: f64) -> fmt::Result {
        let told = format!(
            "{} in {}, request {}",
            sample.result,
            millis(sample.took.as_secs_f64()),
            sample.request_id
        );
        self.text((MARGIN, top + 16.0), "name", "One request")?;
        self.text((MARGIN + LABEL, top + 16.0), "small", &told)?;
        let ends = sample
            .legs
            .0
            .iter()
            .map(|leg| (leg.began + leg.took).as_secs_f64());
        let whole = ends.fold(sample.took.as_secs_f64(), f64::max).max(1e-6);
        let (left, width) = (MARGIN + LABEL, self.width - 2.0 * MARGIN - LABEL - BEHIND);
        let first = top + 34.0;
        let bottom = first + ROW * sample.legs.0.len() as f64;
        for quarter in 0..=4 {
            let x = left + width * f64::from(quarter) / 4.0;
            write!(
                self.svg,
                "<path class=\"grid\" d=\"M{x:.1} {first:.1}V{bottom:.1}\"/>"
            )?;
            let time = millis(whole * f64::from(quarter) / 4.0);
            self.text((x - 8.0, bottom + 16.0), "small", &time)?;
        }
        let mut legs: Vec<&LegRecord> = sample.legs.0.iter().collect();
        legs.sort_by_key(|leg| leg.began);
        for (row, leg) in legs.into_iter().enumerate() {
            let y = first + ROW * row as f64;
            self.text((MARGIN, y + 18.0), "", &shortened(&leg.leg, 20))?;
            let (begin, long) = (
                leg.began.as_secs_f64() / whole,
                leg.took.as_secs_f64() / whole,
            );
            let long = (long * width).max(2.0);
            let x = left + begin * width;
            self.rect((x, y + 6.0), (long, ROW - 12.0), class(leg), 3.0)?;
            self.text((x + long + 8.0, y + 18.0), "small", &words(leg))?;
        }
        Ok(())
    }
}

fn class(leg: &LegRecord) -> &'static str {
    match leg.result {
        _ if leg.last_good.is_some() => "copy",
        "answered" => "answered",
        "skipped" => "skipped",
        "cancelled" => "cancelled",
        _ => "failed",
    }
}

fn words(leg: &LegRecord) -> String {
    let mut words = millis(leg.took.as_secs_f64());
    if leg.result != "answered" {
        // Writing to a String can't fail.
        let _ = write!(words, ", {}", leg.result.replace('_', " "));
    }
    if leg.attempts > 1 {
        let _ = write!(words, ", {} tries", leg.attempts);
    }
    if leg.last_good.is_some() {
        words.push_str(", last good");
    }
    words
}

fn millis(seconds: f64) -> String {
    let millis = seconds * 1000.0;
    match millis {
        0.0 => "0 ms".to_owned(),
        _ if millis >= 100.0 => format!("{millis:.0} ms"),
        _ if millis >= 1.0 => format!("{millis:.1} ms"),
        _ => format!("{millis:.2} ms"),
    }
}

fn shortened(text: &str, most: usize) -> String {
    match text.char_indices().nth(most) {
        None => text.to_owned(),
        Some(_) => text.chars().take(most - 1).chain(['…']).collect(),
    }
}

/// As XML text (XML 1.0 §2.4).
fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for char in text.chars() {
        match char {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            char if char.is_control() => out.push(' '),
            char => out.push(char),
        }
    }
    out
}
