//! REST in front of gRPC: descriptors, ProtoJSON, HTTP bindings, framing and status.
//!
//! [`descriptors`] reads what a service's methods are; a [`Transcoder`] holds the ways to them; a
//! [`Binding`] makes the message of a call from a request, and [`json`] the answer from a message.

mod binding;
pub mod descriptors;
mod expand;
pub mod frame;
pub mod json;
mod openapi;
mod paths;
pub mod pattern;
pub mod reflection;
mod request;
mod response;
mod rule;
pub mod schema;
pub mod status;
pub mod template;
mod transcoder;
pub mod web;
mod wire;

pub use binding::{Binding, Method};
pub use expand::RestRequest;
pub use request::BadRequest;
pub use response::http_body;
pub use rule::Rule;
pub use transcoder::{BindingFault, ByHand, Lookup, Transcoder};

#[cfg(test)]
mod tests;
