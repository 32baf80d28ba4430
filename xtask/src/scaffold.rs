//! Lays out the folder of a new policy.

use std::{fs, path::Path};

const PHASES: [&str; 8] = [
    "Edge",
    "Authenticate",
    "Authorize",
    "Admit",
    "Inspect",
    "Cache",
    "Transform",
    "Observe",
];

pub(crate) fn policy(root: &Path, name: &str, phase: &str) -> Result<(), String> {
    if name.is_empty() || !name.chars().all(|c| c.is_ascii_lowercase() || c == '_') {
        return Err(format!(
            "`{name}` is not a policy name: use snake_case letters"
        ));
    }
    if !PHASES.contains(&phase) {
        return Err(format!(
            "`{phase}` is not a phase: use one of {}",
            PHASES.join(", ")
        ));
    }
    let folder = root.join("crates/policies/src").join(name);
    if folder.exists() {
        return Err(format!("{} exists already", folder.display()));
    }
    let type_name: String = name
        .split('_')
        .map(|word| {
            word.chars()
                .enumerate()
                .map(|(at, c)| if at == 0 { c.to_ascii_uppercase() } else { c })
                .collect::<String>()
        })
        .collect();
    fs::create_dir_all(&folder).map_err(|error| error.to_string())?;
    for (file, text) in [
        ("mod.rs", MODULE),
        ("config.rs", CONFIG),
        ("README.md", README),
    ] {
        let text = text.replace("NAME", name).replace("TYPE", &type_name);
        fs::write(folder.join(file), text).map_err(|error| error.to_string())?;
    }
    println!(
        "made {}\nnow add its line to the list in crates/policies/src/lib.rs, in the order of phases:\n\n    /// One sentence.\n    {phase} {name} => {type_name};",
        folder.display()
    );
    Ok(())
}

const MODULE: &str = "#![doc = include_str!(\"README.md\")]

mod config;

use http::Response;
use lintel_http::Body;
use lintel_kernel::{Exchange, Fault, Flow};

pub use config::Config;

use crate::{Context, Policy};

/// One sentence.
pub struct TYPE {}

impl Policy for TYPE {
    type Config = Config;

    fn build(_config: &Config, _context: &Context) -> Result<Self, Vec<Fault>> {
        Ok(Self {})
    }

    fn on_request(&self, _exchange: &mut Exchange, _body: &mut Body) -> Flow<Response<Body>> {
        Flow::Next
    }
}
";

const CONFIG: &str = "use lintel_kernel::config;

/// One sentence for the operator.
#[config]
pub struct Config {}
";

const README: &str = "# NAME

What it does.

**When to use it:**

## Example

```yaml
```

```http request
```

```http response
```

## On failure

## Cost
";
