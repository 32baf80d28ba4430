//! The token endpoint of an issuer (RFC 6749 §3.2), asked on the control side.
//!
//! A worker hands over what is to be asked and waits for the outcome; the question is asked to its
//! end even when the client has left meanwhile, for what it brings may not be had twice. Equal
//! questions are asked once, whichever workers have them.

mod answer;
mod client;
mod endpoint;
mod flights;
#[cfg(test)]
mod tests;

#[cfg(test)]
pub(crate) use self::answer::read;
pub(crate) use self::{
    answer::{Failure, Granted, shown},
    client::{Authentication, Client, KeyConfig as ClientKeyConfig, Written},
    endpoint::{Grant, Question, Settings, TokenEndpoint},
};
