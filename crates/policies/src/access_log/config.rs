use std::path::PathBuf;

use lintel_kernel::config;
use lintel_telemetry::access_log;

/// Where and how requests are logged.
#[config]
#[derive(Default)]
#[schemars(rename = "AccessLog")]
pub struct Config {
    /// How a line looks. Default `json`.
    #[serde(default)]
    pub format: Format,
    /// Where lines go: `stdout`, `stderr`, or the path of a file (relative to the configuration's
    /// folder). Default `stdout`.
    #[serde(default = "stdout")]
    pub to: String,
}

/// How a line of the access log looks.
#[config]
#[derive(Copy, Default, PartialEq, Eq)]
#[schemars(rename = "AccessLogFormat")]
pub enum Format {
    /// One JSON object a line.
    #[default]
    Json,
    /// One line for human eyes.
    Human,
}

fn stdout() -> String {
    "stdout".to_owned()
}

impl Config {
    pub(super) fn target(&self, folder: &std::path::Path) -> access_log::Target {
        match self.to.as_str() {
            "stdout" | "" => access_log::Target::Stdout,
            "stderr" => access_log::Target::Stderr,
            path => access_log::Target::File(folder.join(PathBuf::from(path))),
        }
    }

    pub(super) const fn format(&self) -> access_log::Format {
        match self.format {
            Format::Json => access_log::Format::Json,
            Format::Human => access_log::Format::Human,
        }
    }
}
