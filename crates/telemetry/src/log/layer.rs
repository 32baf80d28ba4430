//! From a `tracing` event to a line.

use std::{fmt, sync::Arc, time::SystemTime};

use tracing::{
    Event, Level, Subscriber,
    field::{Field, Visit},
};
use tracing_subscriber::{Layer, layer::Context};

use crate::{
    access_log::Format,
    encode::{human, json, timestamp},
    sink::Sink,
};

/// Names a JSON line uses itself; an event's field of that name gets an underscore.
const TAKEN: [&str; 4] = ["time", "level", "target", "message"];

/// Writes every event that passes the filter as one line.
pub(super) struct Lines {
    sink: Arc<Sink>,
    format: Format,
}

impl Lines {
    pub(super) fn new(sink: Arc<Sink>, format: Format) -> Self {
        Self { sink, format }
    }
}

impl<S: Subscriber> Layer<S> for Lines {
    fn on_event(&self, event: &Event<'_>, _: Context<'_, S>) {
        self.sink.send(line(event, self.format, SystemTime::now()));
    }
}

fn line(event: &Event<'_>, format: Format, time: SystemTime) -> Vec<u8> {
    let mut said = Said::default();
    event.record(&mut said);
    let level = *event.metadata().level();
    let target = said.target.as_deref().unwrap_or(event.metadata().target());
    let mut out = Vec::with_capacity(256);
    match format {
        Format::Json => {
            out.extend_from_slice(b"{\"time\":\"");
            timestamp(&mut out, time);
            out.extend_from_slice(b"\",\"level\":");
            json::string(&mut out, level.as_str().to_ascii_lowercase().as_bytes());
            out.extend_from_slice(b",\"target\":");
            json::string(&mut out, target.as_bytes());
            out.extend_from_slice(b",\"message\":");
            json::string(&mut out, said.message.as_bytes());
        }
        Format::Human => {
            timestamp(&mut out, time);
            out.extend_from_slice(padded(level).as_bytes());
            human::free(&mut out, target);
            out.extend_from_slice(b": ");
            human::free(&mut out, &said.message);
        }
    }
    event.record(&mut Fields {
        out: &mut out,
        format,
    });
    out.extend_from_slice(if format == Format::Json {
        b"}\n"
    } else {
        b"\n"
    });
    out
}

fn padded(level: Level) -> &'static str {
    match level {
        Level::ERROR => " ERROR ",
        Level::WARN => "  WARN ",
        Level::INFO => "  INFO ",
        Level::DEBUG => " DEBUG ",
        Level::TRACE => " TRACE ",
    }
}

/// The message, and the true target of an event that came through the `log` crate.
#[derive(Default)]
struct Said {
    message: String,
    target: Option<String>,
}

impl Visit for Said {
    fn record_str(&mut self, field: &Field, value: &str) {
        match field.name() {
            "message" => value.clone_into(&mut self.message),
            "log.target" => self.target = Some(value.to_owned()),
            _ => {}
        }
    }

    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        if field.name() == "message" {
            self.message = format!("{value:?}");
        }
    }
}

/// Everything else an event carries.
struct Fields<'a> {
    out: &'a mut Vec<u8>,
    format: Format,
}

impl Fields<'_> {
    /// Whether the field is written here, and then its name is.
    fn name(&mut self, field: &Field) -> bool {
        let name = field.name();
        if name == "message" || name.starts_with("log.") {
            return false;
        }
        match self.format {
            Format::Json => {
                self.out.push(b',');
                if TAKEN.contains(&name) {
                    json::string(self.out, format!("{name}_").as_bytes());
                } else {
                    json::string(self.out, name.as_bytes());
                }
                self.out.push(b':');
            }
            Format::Human => {
                self.out.push(b' ');
                human::free(self.out, name);
                self.out.push(b'=');
            }
        }
        true
    }

    fn text(&mut self, field: &Field, value: &str) {
        if !self.name(field) {
            return;
        }
        match self.format {
            Format::Json => json::string(self.out, value.as_bytes()),
            Format::Human if is_word(value) => self.out.extend_from_slice(value.as_bytes()),
            Format::Human => {
                self.out.push(b'"');
                human::quoted(self.out, value.as_bytes());
                self.out.push(b'"');
            }
        }
    }

    /// A number or truth value: the same in both formats.
    fn bare(&mut self, field: &Field, value: impl fmt::Display) {
        if self.name(field) {
            self.out.extend_from_slice(value.to_string().as_bytes());
        }
    }
}

fn is_word(value: &str) -> bool {
    !value.is_empty()
        && value
            .bytes()
            .all(|byte| byte.is_ascii_graphic() && !matches!(byte, b'"' | b'\\' | b'='))
}

impl Visit for Fields<'_> {
    fn record_str(&mut self, field: &Field, value: &str) {
        self.text(field, value);
    }

    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.text(field, &format!("{value:?}"));
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.bare(field, value);
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.bare(field, value);
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        self.bare(field, value);
    }

    fn record_f64(&mut self, field: &Field, value: f64) {
        if value.is_finite() {
            self.bare(field, value);
        } else {
            self.text(field, &value.to_string());
        }
    }
}
