//! The command line.

use std::{num::NonZeroUsize, path::PathBuf};

use clap::{Args, Parser, Subcommand};
use clap_complete::Shell;

/// An API gateway.
#[derive(Parser)]
#[command(name = "lintel", version, about, max_term_width = 100)]
pub(crate) struct Cli {
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Subcommand)]
pub(crate) enum Command {
    /// Run the gateway. SIGHUP or a changed file reloads, SIGTERM drains and ends, SIGUSR1 opens
    /// log files again, SIGUSR2 hands over to a new binary.
    Run(Run),
    /// Check a configuration: every mistake at once, and what is legal but probably not meant.
    Check(Check),
    /// Say where a request would go, and why: which route, which candidates lost, which policies
    /// would run, which endpoints could be picked.
    Explain(Explain),
    /// Try the requests under `tests` in a configuration: through the whole gateway, with stand-ins
    /// for the services. Exits with 1 if an expectation does not hold, with 2 if the configuration is
    /// wrong.
    Test(Test),
    /// Show what changes between two configurations, item by item. Exits with 1 if they differ, with
    /// 2 if one of them is wrong.
    Diff(Diff),
    /// Print the JSON Schema of the configuration.
    Schema,
    /// Make API keys, and hashes of keys and passwords, for `consumers` in a configuration.
    #[command(subcommand)]
    Keys(Keys),
    /// Run the gateway in front of built-in sample services, and say what to try.
    Demo(Demo),
    /// Show what a running gateway serves, by its admin API.
    Status(Remote),
    /// Make a running gateway read its configuration again, by its admin API.
    Reload(Remote),
    /// Show what callers have used of a running gateway's quotas, or change it, by its admin API.
    Quotas(Quotas),
    /// Print completions for a shell.
    Completions {
        /// The shell.
        shell: Shell,
    },
}

#[derive(Args)]
pub(crate) struct Run {
    /// The configuration: a file, or a folder of YAML files.
    #[arg(default_value = "gateway.yaml")]
    pub(crate) config: PathBuf,
    /// Worker threads; overrides `workers` in the configuration.
    #[arg(long)]
    pub(crate) workers: Option<NonZeroUsize>,
    /// Do not reload when a file changes.
    #[arg(long)]
    pub(crate) no_watch: bool,
}

#[derive(Args)]
pub(crate) struct Check {
    /// The configuration: a file, or a folder of YAML files.
    #[arg(default_value = "gateway.yaml")]
    pub(crate) config: PathBuf,
    /// Print diagnostics as JSON.
    #[arg(long)]
    pub(crate) json: bool,
    /// Fail on warnings too.
    #[arg(long)]
    pub(crate) deny_warnings: bool,
}

#[derive(Args)]
pub(crate) struct Explain {
    /// The configuration: a file, or a folder of YAML files.
    pub(crate) config: PathBuf,
    /// The request's method.
    pub(crate) method: String,
    /// The request's URL, or just its path.
    pub(crate) url: String,
    /// A header field of the request, as `Name: value`.
    #[arg(short = 'H', long = "header")]
    pub(crate) headers: Vec<String>,
    /// The listener it comes in on; the first one by default.
    #[arg(long)]
    pub(crate) listener: Option<String>,
    /// Address of a running gateway's admin API, to say how it sees the endpoints now: `host:port` or
    /// `unix:PATH`.
    #[arg(long)]
    pub(crate) admin: Option<String>,
    /// The admin API's token; by default what LINTEL_ADMIN_TOKEN holds.
    #[arg(long, requires = "admin")]
    pub(crate) token: Option<String>,
    /// Print it as JSON.
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Args)]
pub(crate) struct Test {
    /// The configuration: a file, or a folder of YAML files.
    #[arg(default_value = "gateway.yaml")]
    pub(crate) config: PathBuf,
    /// Print outcomes as JSON.
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Args)]
pub(crate) struct Diff {
    /// The configuration before: a file, or a folder of YAML files. With `--running`, the one that a
    /// reload would bring.
    pub(crate) before: PathBuf,
    /// The configuration after.
    #[arg(required_unless_present = "running", conflicts_with = "running")]
    pub(crate) after: Option<PathBuf>,
    /// Compare with what a running gateway serves, by its admin API. Secrets are not compared one by
    /// one, only whether anything at all is different.
    #[arg(long)]
    pub(crate) running: bool,
    #[command(flatten)]
    pub(crate) remote: Remote,
}

#[derive(Args)]
pub(crate) struct Quotas {
    /// The quota, as it is listed without this: `plans.gold:monthly`.
    pub(crate) quota: Option<String>,
    /// Whose count; `*` where all requests share one.
    pub(crate) key: Option<String>,
    /// Set what it has used.
    #[arg(long, requires = "key", conflicts_with = "add")]
    pub(crate) used: Option<u64>,
    /// Add to what it has used; take from it where negative.
    #[arg(long, requires = "key", allow_negative_numbers = true)]
    pub(crate) add: Option<i64>,
    #[command(flatten)]
    pub(crate) remote: Remote,
}

#[derive(Subcommand)]
pub(crate) enum Keys {
    /// Make an API key. The key goes to standard output, what to write into the configuration to
    /// standard error.
    New(NewKey),
    /// Print the argon2 hash of a key or password that is read from standard input.
    Hash(HashKey),
}

#[derive(Args)]
pub(crate) struct NewKey {
    /// What the key begins with.
    #[arg(long, default_value = lintel_policies::keys::PREFIX)]
    pub(crate) prefix: String,
    /// The consumer it is for.
    #[arg(long)]
    pub(crate) consumer: Option<String>,
    /// What the log calls it.
    #[arg(long)]
    pub(crate) id: Option<String>,
    /// When it ends to be valid, such as `2027-01-31`.
    #[arg(long)]
    pub(crate) expires: Option<String>,
    /// Print key and hash as JSON.
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Args)]
pub(crate) struct HashKey {
    /// Print the SHA-256 instead: only for keys that are long and random.
    #[arg(long)]
    pub(crate) sha256: bool,
}

#[derive(Args)]
pub(crate) struct Demo {
    /// Port of the gateway; 0 takes a free one.
    #[arg(long, default_value_t = 8080)]
    pub(crate) port: u16,
    /// Port of the admin API; 0 takes a free one.
    #[arg(long, default_value_t = 9901)]
    pub(crate) admin_port: u16,
}

#[derive(Args)]
pub(crate) struct Remote {
    /// Address of the admin API: `host:port` or `unix:PATH`.
    #[arg(long, default_value = "127.0.0.1:9901")]
    pub(crate) admin: String,
    /// Its token; by default what LINTEL_ADMIN_TOKEN holds.
    #[arg(long)]
    pub(crate) token: Option<String>,
    /// Print JSON.
    #[arg(long)]
    pub(crate) json: bool,
}
