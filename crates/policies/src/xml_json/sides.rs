//! What is said of each direction, and of envelopes.

use std::collections::BTreeMap;

use http::StatusCode;
use lintel_kernel::expr::Template;
use lintel_xml::soap::Version;

/// One direction.
pub(super) struct Side {
    /// The name of the outermost element.
    pub(super) root: Option<Box<str>>,
    /// Further elements in it, with what they hold.
    pub(super) fields: Vec<(Box<str>, Template)>,
}

/// Envelopes.
pub(super) struct Soap {
    /// Those of the service; the clients' own are of either version.
    pub(super) version: Version,
    /// What the service is asked to do.
    pub(super) action: Option<Template>,
    /// Statuses for faults, by a code or the name of what is told of it.
    pub(super) faults: BTreeMap<String, StatusCode>,
}
