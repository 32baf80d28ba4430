//! Requests that are signed as AWS has it: Signature Version 4, in `Authorization` or in the query of
//! a presigned URL ("Create a signed AWS API request", AWS General Reference).

mod canonical;
mod hex;
mod request;
mod time;

pub use self::{
    hex::hex,
    request::{EMPTY, LONGEST, PARAMETERS, Payload, Request, SCHEME, SIGNATURE},
};
