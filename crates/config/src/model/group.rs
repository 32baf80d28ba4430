use lintel_kernel::config;

use super::{Defaults, ErrorPage, Named, OneOrMany, Route, Table};
use crate::text::{Host, Name, StatusPattern};

/// Routes that belong together: those of one team, or of one kind of client.
#[config]
pub struct Group {
    /// Who answers for its routes. `lintel explain` and the admin API show it.
    #[serde(default)]
    #[schemars(length(min = 1), example = &"team-mobile, #mobile-oncall")]
    pub owner: Option<String>,

    /// The host that its routes take requests for, or several. A route of the group that names hosts
    /// itself takes some of these. Default: its routes say.
    #[serde(default)]
    pub host: Option<OneOrMany<Host>>,

    /// The listeners that its routes take requests from. A route of the group that names listeners
    /// itself takes some of these. Default: its routes say.
    #[serde(default)]
    #[schemars(length(min = 1), extend("uniqueItems" = true))]
    pub listeners: Option<Vec<Name>>,

    /// What its routes inherit. What is written here replaces the same in `defaults` at the top, as
    /// that of a route would; limits add up, and count all routes of the group together.
    #[serde(default)]
    pub defaults: Defaults,

    /// Bodies of the answers that the gateway itself makes, in place of those in `errors` at the
    /// top: to requests of its routes, and to those that no route takes and that ask for its
    /// `host`, or come in by its `listeners`.
    #[serde(default)]
    pub errors: Table<StatusPattern, ErrorPage>,

    /// Its routes, by name. Elsewhere, in metrics and in `tests`, the name of the group stands
    /// before theirs: `mobile.home`.
    #[serde(default)]
    pub routes: Named<Route>,
}
