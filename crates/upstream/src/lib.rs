//! Services: where requests go.
//!
//! - [`service`]: what is configured, and which endpoints that means right now.
//! - [`resolver`]: keeps names resolved, on the control runtime.
//! - [`discovery`]: follows sources of endpoints, there too.
//! - [`client`]: asks servers on behalf of the control side.
//! - [`aside`]: asks a service on behalf of the control side.
//! - [`balance`]: chooses an endpoint; one algorithm a file.
//! - [`retry`]: when a request is tried again.
//! - [`deadline`]: how long a caller still waits, told from hop to hop.
//! - [`guard`]: what keeps a service from being overrun.
//! - [`health`]: which endpoints are fit for requests.
//! - [`Ask`]: a question of the gateway's own, with a whole answer.
//! - [`Pools`]: one worker's connections, and the way of one request over them.
//!
//! A [`Service`] is shared by all threads and hardly ever changes. Everything that a request
//! touches belongs to its worker; what workers share (idle connections that any of them may take,
//! limits over all of them) is touched when a request has to open a connection or to wait.

pub mod aside;
mod ask;
mod backoff;
pub mod balance;
pub mod client;
pub mod deadline;
pub mod discovery;
pub mod guard;
pub mod health;
pub mod resolver;
pub mod retry;
pub mod service;
mod worker;

pub use ask::{Ask, Reply, Unanswered};
pub use backoff::Backoff;
pub use health::Supervision;
pub use resolver::{Control, Resolution};
pub use retry::Retry;
pub use service::{Service, ServiceSpec};
pub use worker::{Answer, Call, Failure, Hedged, Pools, Rules, Tried, Tunnel};
