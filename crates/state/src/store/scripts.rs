//! The scripts that limits are counted by.

use super::script::Script;

/// What a store can do with limits.
pub(super) struct Scripts {
    pub(super) spend: Script,
    pub(super) lease: Script,
    pub(super) give_back: Script,
    pub(super) total: Script,
}

impl Scripts {
    pub(super) fn new() -> Self {
        let script = |text: &str| Script::new(format!("{}{text}", include_str!("lua/rules.lua")));
        Self {
            spend: script(include_str!("lua/spend.lua")),
            lease: script(include_str!("lua/lease.lua")),
            give_back: script(include_str!("lua/give_back.lua")),
            total: Script::new(include_str!("lua/total.lua").to_owned()),
        }
    }
}
