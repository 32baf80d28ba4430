#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic)]

mod bounds;
mod each;
mod fake;
mod fills;
mod filters;
mod last_good;
mod plans;
mod properties;
mod runs;
mod values;
