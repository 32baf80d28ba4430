//! XML (1.0, fifth edition) to JSON and back, by a mapping that loses as little as the two allow; and
//! SOAP envelopes around it.
//!
//! A [`Document`] is read whole, bounded in depth, without a document type: no entity is ever declared,
//! fetched or expanded but the five that XML has itself. A [`Mapping`] writes JSON of its elements, and
//! XML of JSON values. [`soap`] takes envelopes off and puts them on.

mod charset;
mod document;
mod from_json;
mod name;
mod paths;
pub mod soap;
mod to_json;
mod value;
mod write;

#[cfg(test)]
mod tests;

pub use charset::{Undecodable, decode};
pub use document::{Document, Element};
pub use lintel_kernel::json::Mismatch;
pub use name::is_name;
pub use paths::{Kind, Paths};

/// The namespace of `xsi:nil`.
pub(crate) const XSI: &str = "http://www.w3.org/2001/XMLSchema-instance";

/// Namespaces that are always declared, and by nobody else (Namespaces in XML 1.0 §3).
pub(crate) const XML: &str = "http://www.w3.org/XML/1998/namespace";
pub(crate) const XMLNS: &str = "http://www.w3.org/2000/xmlns/";

/// How elements become JSON values, and these elements.
#[derive(Debug)]
pub struct Mapping {
    /// What becomes of namespaces.
    pub names: Names,
    /// What is an array, a number or a boolean.
    pub paths: Paths,
    /// The name of elements that stand for elements of arrays which have none of their own.
    pub item: Box<str>,
    /// How deep values may lie in each other; at most [`MAX_DEPTH`].
    pub depth: u32,
}

/// How deep elements may lie in each other at most, whatever a mapping says.
pub const MAX_DEPTH: u32 = 100;

/// What becomes of namespaces (Namespaces in XML 1.0).
#[derive(Debug, PartialEq, Eq)]
pub enum Names {
    /// Names are local ones, and elements that are written are in no namespace.
    Drop,
    /// Names are as they are written, and declarations are attributes.
    Keep,
    /// Names have the prefix that is declared here for their namespace, whichever the document has;
    /// those of other namespaces have none. An empty prefix is the default one.
    Known(Vec<(Box<str>, Box<str>)>),
}
