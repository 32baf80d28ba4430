use std::collections::BTreeMap;

use lintel_kernel::{Duration, Fault, config};

use super::{Engine, NAME, Rego};
use crate::{Context, judged::Judged, verdict::settable};

/// Policies in Rego, the language of Open Policy Agent, and the rule among them that decides.
#[config]
#[schemars(rename = "Rego")]
pub struct Config {
    /// The policies: a name for each, by which messages call it, and its text in Rego version 1.
    #[schemars(length(min = 1))]
    #[schemars(example = serde_json::json!({ "orders.rego": "${file.orders.rego}" }))]
    pub policies: BTreeMap<String, String>,

    /// What policies know beside the request, under `data`: JSON objects as texts. What several of
    /// them say is put together.
    #[serde(default)]
    #[schemars(example = ["${file.roles.json}"])]
    pub data: Vec<String>,

    /// The rule that decides. Its value is `true`, or an object with `allow: true`, for requests
    /// that may pass; what has no value allows nothing.
    #[serde(default = "query")]
    pub query: String,

    /// Header fields that decisions may set for the upstream: what clients send under these names is
    /// always removed.
    #[serde(default)]
    #[schemars(example = ["X-User-Id"])]
    pub upstream_headers: Vec<String>,

    /// How long a decision may take, by the clock: a busy machine counts. The worker does nothing else
    /// meanwhile.
    #[serde(default = "timeout")]
    pub timeout: Duration,

    /// Whether requests pass that would be refused: they are only counted and logged.
    #[serde(default)]
    pub dry_run: bool,
}

fn query() -> String {
    "data.lintel.allow".to_owned()
}

const fn timeout() -> Duration {
    Duration::from_millis(100)
}

/// A worker serves nobody else while it decides.
const LONGEST: Duration = Duration::from_secs(1);

impl Config {
    pub(super) fn build(&self, context: &Context) -> Result<Rego, Vec<Fault>> {
        let mut faults = Vec::new();
        if self.timeout.is_zero() || self.timeout > LONGEST {
            let fault = Fault::new(format!("decisions may not take {}", self.timeout));
            let hint = "write a time up to `1s`, such as `100ms`; a worker waits for it";
            faults.push(fault.with_hint(hint).under("timeout"));
        }
        let forged = settable(&self.upstream_headers, "upstream_headers");
        let forged = forged.map_err(|found| faults.extend(found)).ok();
        let engine = Engine::build(self).map_err(|found| faults.extend(found));
        match (forged, engine) {
            (Some(forged), Ok(engine)) if faults.is_empty() => Ok(Rego {
                engine: Box::new(engine),
                forged,
                query: self.query.clone(),
                judged: Judged::new(NAME, context.route.as_deref().unwrap_or(""), self.dry_run),
            }),
            _ => Err(faults),
        }
    }
}
