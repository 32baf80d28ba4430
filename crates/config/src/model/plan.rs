use lintel_kernel::config;

/// What the consumers on it may use.
#[config]
#[derive(Default)]
pub struct Plan {}
