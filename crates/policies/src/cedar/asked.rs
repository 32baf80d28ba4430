//! What policies are asked about a request.

use lintel_kernel::expr::Expr;

/// Where principal, action, resource and context come from.
#[cfg_attr(
    not(feature = "cedar"),
    expect(dead_code, reason = "the engine alone asks")
)]
#[derive(Debug)]
pub(super) struct Asked {
    pub(super) principal: Entity,
    pub(super) action: Entity,
    pub(super) resource: Entity,
    pub(super) context: Vec<(String, Expr)>,
}

/// Where an entity comes from. Parents are in the order of the configuration's keys.
#[cfg_attr(
    not(feature = "cedar"),
    expect(dead_code, reason = "the engine alone asks")
)]
#[derive(Debug)]
pub(super) struct Entity {
    pub(super) id: Expr,
    pub(super) parents: Vec<(String, Expr)>,
    pub(super) attributes: Vec<(String, Expr)>,
}

impl Asked {
    /// A line for `lintel explain`.
    pub(super) fn describe(&self) -> String {
        let [principal, action, resource] =
            [&self.principal, &self.action, &self.resource].map(|entity| entity.id.source());
        format!("asks whether {principal} may {action} {resource}")
    }
}
