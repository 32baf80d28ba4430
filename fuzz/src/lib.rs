//! Fuzz targets: one file a parser, each a function that panics when what it is given breaks a rule.
//!
//! The tests run each briefly on its seeds and on mutations of them; `cargo xtask fuzz SECONDS
//! [TARGET]` runs them by libFuzzer, which looks for inputs that reach new code.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "to panic is how a target says that a rule is broken"
)]

/// A parser, and what must hold for every input.
#[derive(Debug)]
pub struct Target {
    /// Its name, and the name of the folder of its seeds in `fuzz/seeds`.
    pub name: &'static str,
    /// Feeds it one input.
    ///
    /// # Panics
    /// If a rule is broken.
    pub run: fn(&[u8]),
}

macro_rules! targets {
    ($($name:ident),* $(,)?) => {
        $(mod $name;)*

        /// All of them.
        pub const TARGETS: &[Target] = &[
            $(Target { name: stringify!($name), run: $name::run }),*
        ];
    };
}

targets! {
    api_key,
    compose_value,
    config,
    expression,
    grpc_json,
    grpc_request,
    grpc_template,
    grpc_web,
    http1_client,
    http1_server,
    key_set,
    path,
    proxy_protocol,
    router_patterns,
    signature_input,
    token,
    xml_json,
}

/// Target of this name.
pub fn find(name: &str) -> Option<&'static Target> {
    TARGETS.iter().find(|target| target.name == name)
}

/// The first line and the rest, where both are text.
fn two_texts(input: &[u8]) -> Option<(&str, &str)> {
    std::str::from_utf8(input).ok()?.split_once('\n')
}

/// That what comes of the bytes is the same whether they come at once or in two pieces; the first
/// byte says where they are cut. The clock is paused.
fn same_when_cut<T: PartialEq + std::fmt::Debug>(
    input: &[u8],
    serve: impl AsyncFn([&[u8]; 2]) -> T,
) {
    let Some((place, data)) = input.split_first() else {
        return;
    };
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .start_paused(true)
        .build()
        .unwrap();
    let (before, after) = data.split_at(usize::from(*place).min(data.len()));
    let whole = runtime.block_on(serve([data, b""]));
    let split = runtime.block_on(serve([before, after]));
    assert_eq!(whole, split);
}
