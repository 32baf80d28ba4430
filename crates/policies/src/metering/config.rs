use lintel_kernel::{Fault, config};

use super::runtime::Meter;
use crate::{Context, described};

/// What is counted for whom.
#[config]
#[derive(Default)]
#[schemars(rename = "Metering")]
pub struct Config {
    /// Who is counted: an expression. Requests for which it has no value are counted together, under
    /// an empty name.
    #[serde(default = "consumer")]
    #[schemars(with = "described::Expression", example = &"claims.tenant")]
    pub per: String,
}

fn consumer() -> String {
    "consumer.name".to_owned()
}

impl Config {
    pub(super) fn build(&self, context: &Context) -> Result<Meter, Vec<Fault>> {
        let per = context.request_expression(&self.per);
        let per = per.map_err(|fault| vec![fault.under("per")])?;
        Ok(Meter::new(per, context.usage()))
    }
}
