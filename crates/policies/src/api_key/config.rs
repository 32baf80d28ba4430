use std::collections::BTreeMap;

use lintel_kernel::{Fault, config};

use super::{ApiKey, reject::Refusals};
use crate::{
    Context, challenge,
    credential::{Place, Source},
    described,
    forward::Forward,
};

/// Where keys are looked for, and what the upstream is told of their owners. The keys themselves
/// belong to `consumers`.
#[config]
#[schemars(rename = "ApiKey")]
pub struct Config {
    /// Where keys are looked for; the first place that has one counts. Default: the header field
    /// `X-Api-Key`. In `Authorization` a key follows the word `Bearer`.
    #[serde(default)]
    pub from: Vec<Place>,

    /// Header fields that tell the upstream who is calling: names, and the expressions that give
    /// their values. What clients send under these names is always removed.
    #[serde(default)]
    #[schemars(with = "BTreeMap<String, described::Expression>")]
    #[schemars(example = serde_json::json!({ "X-Consumer": "consumer.name" }))]
    pub forward: BTreeMap<String, String>,

    /// Whether the upstream gets the key too. Without it the key ends here, so that no service can
    /// use it in the caller's name.
    #[serde(default)]
    pub keep_key: bool,

    /// What the key is for, as a 401 tells callers.
    #[serde(default = "realm")]
    pub realm: String,
}

fn realm() -> String {
    "api".to_owned()
}

impl Config {
    pub(super) fn build(&self, context: &Context) -> Result<ApiKey, Vec<Fault>> {
        let mut faults = Vec::new();
        let usual = [Place::Header("X-Api-Key".to_owned())];
        let places = match self.from.as_slice() {
            [] => &usual[..],
            places => places,
        };
        let places = Place::build_all(places, "Bearer").map_err(|found| faults.extend(found));
        let forward = Forward::build(&self.forward, context);
        let forward = forward.map_err(|found| faults.extend(found));
        let bearer = matches!(places.as_deref(), Ok([Source::Scheme(_), ..]));
        let scheme = if bearer { "Bearer" } else { "ApiKey" };
        let refusals = Refusals::new(scheme, &self.realm);
        if refusals.is_none() {
            faults.push(challenge::unquotable("realm"));
        }
        match (places, forward, refusals) {
            (Ok(places), Ok(forward), Some(refusals)) => Ok(ApiKey {
                places,
                roll: context.roll(),
                refusals,
                forward,
                keep_key: self.keep_key,
            }),
            _ => Err(faults),
        }
    }
}
