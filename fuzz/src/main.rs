//! One target, driven by libFuzzer; which one, `LINTEL_FUZZ_TARGET` says.
#![no_main]
#![expect(
    clippy::panic,
    reason = "a wrong name is to be noticed before anything runs"
)]

use std::sync::LazyLock;

use libfuzzer_sys::fuzz_target;
use lintel_fuzz::Target;

static CHOSEN: LazyLock<&Target> = LazyLock::new(|| {
    let name = std::env::var("LINTEL_FUZZ_TARGET").unwrap_or_default();
    lintel_fuzz::find(&name)
        .unwrap_or_else(|| panic!("LINTEL_FUZZ_TARGET names no target: `{name}`"))
});

fuzz_target!(|input: &[u8]| (CHOSEN.run)(input));
