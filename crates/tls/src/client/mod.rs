mod connector;
mod roots;
mod settings;
mod unverified;

pub use connector::Connector;
pub use settings::{ClientCertificate, ClientSettings, Given, Roots};
