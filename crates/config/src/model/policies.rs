use lintel_kernel::config;
use serde::Serialize;

use super::Table;
use crate::text::{FieldName, LogTarget, TemplateText};

/// What is done with a request and its answer.
#[config]
#[derive(Default)]
pub struct RoutePolicies {
    /// Rewrites the path or the host that the upstream sees.
    #[serde(default)]
    pub rewrite: Option<Rewrite>,
    /// Sets, adds and removes header fields, both ways.
    #[serde(default)]
    pub headers: Option<Headers>,
    /// Writes one line for every request.
    #[serde(default)]
    pub access_log: Option<AccessLog>,
}

/// Changes to header fields. Fields are removed first, then set, then added.
#[config]
pub struct Headers {
    /// Changes to the request before it goes upstream.
    #[serde(default)]
    pub request: HeaderChanges,
    /// Changes to the answer before it goes to the client.
    #[serde(default)]
    pub response: HeaderChanges,
}

/// Changes in one direction.
#[config]
#[derive(Default)]
pub struct HeaderChanges {
    /// Fields to replace, or to set where there are none.
    #[serde(default)]
    pub set: Table<FieldName, TemplateText>,
    /// Fields to add beside those of the same name.
    #[serde(default)]
    pub add: Table<FieldName, TemplateText>,
    /// Names of fields to remove; a trailing `*` removes every field with that prefix.
    #[serde(default)]
    pub remove: Vec<String>,
}

/// Changes to the path and the host that the upstream sees. At most one of `strip_prefix`, `path`
/// and `regex`; `add_prefix` may go with any of them and is applied last.
#[config]
pub struct Rewrite {
    /// A leading part of the path to remove: `/api` turns `/api/orders` into `/orders`.
    #[serde(default)]
    pub strip_prefix: Option<String>,
    /// A path to put in front: `/v2` turns `/orders` into `/v2/orders`.
    #[serde(default)]
    pub add_prefix: Option<String>,
    /// The whole new path, with `${…}`: `/users/${path.id}/orders`.
    #[serde(default)]
    pub path: Option<TemplateText>,
    /// A replacement by regular expression.
    #[serde(default)]
    pub regex: Option<RewriteRegex>,
    /// The host that the upstream sees, with `${…}`.
    #[serde(default)]
    pub host: Option<TemplateText>,
}

/// A replacement in the path by regular expression.
#[config]
pub struct RewriteRegex {
    /// What to look for in the path.
    pub pattern: String,
    /// What to put in its place; `$1` or `$name` stands for a group.
    pub replace: String,
}

/// The access log, or `off`.
#[config(untagged)]
pub enum AccessLog {
    /// Switched off.
    Off(Off),
    /// Switched on.
    On(AccessLogSettings),
}

/// The word `off`.
#[config]
#[derive(Copy, PartialEq, Eq)]
pub enum Off {
    /// Switched off.
    Off,
}

/// Where and how requests are logged.
#[config]
#[derive(PartialEq, Serialize)]
#[serde(default)]
pub struct AccessLogSettings {
    /// How a line looks.
    pub format: AccessLogFormat,
    /// Where lines go.
    pub to: LogTarget,
}

impl Default for AccessLogSettings {
    fn default() -> Self {
        Self {
            format: AccessLogFormat::Json,
            to: LogTarget::Stdout,
        }
    }
}

/// How a line of the access log looks.
#[config]
#[derive(Copy, PartialEq, Eq, Serialize)]
pub enum AccessLogFormat {
    /// One JSON object a line.
    Json,
    /// One line for human eyes.
    Human,
}
