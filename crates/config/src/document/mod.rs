//! A YAML file as a tree in which every node knows where it stands.

mod node;
mod parse;
mod scalar;
mod syntax;

pub(crate) use node::{Entry, Node, Number, Numeric, Taint, Value};
pub(crate) use parse::parse;
