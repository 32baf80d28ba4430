//! The `lintel` command.

mod allocator;
mod check;
mod cli;
mod demo;
mod diff;
mod explain;
mod keys;
mod print;
mod quotas;
mod remote;
mod run;
mod signals;
mod test;

use std::process::ExitCode;

use clap::{CommandFactory, Parser};
use cli::{Cli, Command};

#[global_allocator]
static ALLOCATOR: allocator::Allocator = allocator::Allocator;

/// The command did what it was asked to.
const FINE: u8 = 0;
/// It could not, or found something wrong.
const FAILED: u8 = 1;
/// It was asked wrongly.
const USAGE: u8 = 2;

fn main() -> ExitCode {
    // SAFETY: no thread has been started yet, and nothing else has touched inherited descriptors.
    let inherited = unsafe { lintel_server::Inherited::from_env() };
    let inherited = match inherited {
        Ok(inherited) => inherited,
        Err(error) => {
            print::err(&format!("error: inherited sockets can't be used: {error}"));
            return ExitCode::from(FAILED);
        }
    };
    let cli = Cli::parse();
    let code = match cli.command {
        Command::Run(run) => run::run(&run, inherited),
        Command::Check(check) => check::check(&check),
        Command::Explain(explain) => explain::explain(&explain),
        Command::Test(test) => test::test(&test),
        Command::Diff(diff) => diff::diff(&diff),
        Command::Schema => {
            print::out(&serde_json::to_string_pretty(lintel_config::schema()).unwrap_or_default());
            FINE
        }
        Command::Keys(command) => keys::keys(&command),
        Command::Demo(demo) => demo::demo(&demo),
        Command::Status(remote) => remote::status(&remote),
        Command::Reload(remote) => remote::reload(&remote),
        Command::Quotas(args) => quotas::quotas(&args),
        Command::Completions { shell } => {
            clap_complete::generate(shell, &mut Cli::command(), "lintel", &mut std::io::stdout());
            FINE
        }
    };
    ExitCode::from(code)
}
