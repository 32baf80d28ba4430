//! Scripts that run in a store.

use redis::{Cmd, cmd};
use sha1::{Digest as _, Sha1};

/// A script, and the name that a server knows it by once it has run there.
pub(super) struct Script {
    text: String,
    name: String,
}

/// One run of a script.
pub(super) struct Call<'a> {
    script: &'a Script,
    keys: Vec<&'a str>,
    arguments: Vec<String>,
}

impl Script {
    /// Of its text.
    pub(super) fn new(text: String) -> Self {
        let digest = Sha1::digest(text.as_bytes());
        let name = digest.iter().map(|byte| format!("{byte:02x}")).collect();
        Self { text, name }
    }

    /// Begins a run.
    pub(super) const fn call(&self) -> Call<'_> {
        Call {
            script: self,
            keys: Vec::new(),
            arguments: Vec::new(),
        }
    }
}

impl<'a> Call<'a> {
    /// Adds a key. All keys of a call are in one slot of a cluster.
    pub(super) fn key(&mut self, key: &'a str) -> &mut Self {
        self.keys.push(key);
        self
    }

    /// Adds an argument.
    pub(super) fn arg(&mut self, argument: impl ToString) -> &mut Self {
        self.arguments.push(argument.to_string());
        self
    }

    /// The key that says where it runs.
    pub(super) fn first_key(&self) -> &str {
        self.keys.first().copied().unwrap_or_default()
    }

    /// By its name, which a server may not know.
    pub(super) fn by_name(&self) -> Cmd {
        self.command("EVALSHA", &self.script.name)
    }

    /// By its text, which a server then knows.
    pub(super) fn by_text(&self) -> Cmd {
        self.command("EVAL", &self.script.text)
    }

    fn command(&self, command: &str, script: &str) -> Cmd {
        let mut command = cmd(command);
        command.arg(script).arg(self.keys.len());
        for key in &self.keys {
            command.arg(*key);
        }
        for argument in &self.arguments {
            command.arg(argument);
        }
        command
    }
}
