//! From the operator's files to a checked, typed configuration.
//!
//! ```text
//! files ─ document ─▶ tree with places ─ source ─▶ one tree, texts resolved ─ shape ─▶ model ─ check ─▶ Loaded
//! ```
//!
//! - [`load`] reads a file or a folder and returns either a [`Loaded`] configuration with its
//!   warnings, or a [`Report`] of *all* that is wrong in it.
//! - [`model`] is the language: its doc comments are the reference and the [`schema`].
//! - A [`Diagnostic`] has a place, a stable code, and says what to write instead.
//!
//! A value that came from `${env.…}` or `${file.…}`, or that stands under a secret's key, is never
//! part of a message, an excerpt, a diff or [`Loaded::redacted`].

mod build;
mod check;
mod descriptors;
pub mod diagnostic;
mod diff;
pub mod directory;
mod document;
mod endpoints;
mod loaded;
mod login;
pub mod model;
mod redact;
mod reference;
mod rehearsal;
mod schema;
mod shape;
mod source;
mod span;
pub mod text;
mod yaml;

pub use build::{Built, Reflected, Revocations, build, server_tls};
pub use diagnostic::{Diagnostic, Label, Report, Severity, Style};
pub use diff::{Change, ChangeKind, FieldChange, diff, diff_effective};
pub use endpoints::READERS;
pub use loaded::{Loaded, Loader, load};
pub use model::Model;
pub use reference::{PAGE_NOTE, Page, pages};
pub use schema::schema;
pub use span::{Position, Source, Sources, Span};
pub use yaml::to_yaml;
