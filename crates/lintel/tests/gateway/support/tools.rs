use std::{
    io::Write as _,
    path::Path,
    process::{Command, Stdio},
};

/// Runs curl, and returns what it printed. Fails when there is no curl.
pub(crate) fn curl(arguments: &[&str]) -> String {
    run(
        "curl",
        &[&["-sS", "--max-time", "60"], arguments].concat(),
        "",
    )
}

/// Runs openssl with this on its standard input, and returns what it printed.
pub(crate) fn openssl(arguments: &[&str], input: &str) -> String {
    run("openssl", arguments, input)
}

/// Makes a key on P-256 in a folder: the paths of its private and its public part, in PEM form.
pub(crate) fn key_pair(folder: &Path) -> [String; 2] {
    let [key, public] = ["client.key", "client.pem"].map(|name| super::text(folder.join(name)));
    let curve = "ec_paramgen_curve:P-256";
    openssl(
        &[
            "genpkey",
            "-algorithm",
            "EC",
            "-pkeyopt",
            curve,
            "-out",
            &key,
        ],
        "",
    );
    openssl(&["pkey", "-in", &key, "-pubout", "-out", &public], "");
    [key, public]
}

/// Runs h2load, and returns what it printed. Fails when there is no h2load.
pub(crate) fn h2load(arguments: &[&str]) -> String {
    run("h2load", arguments, "")
}

fn run(program: &str, arguments: &[&str], input: &str) -> String {
    let mut child = Command::new(program)
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap_or_else(|error| {
            panic!("these tests need `{program}`, which `./test` installs: {error}")
        });
    let mut stdin = child.stdin.take().unwrap();
    stdin.write_all(input.as_bytes()).unwrap();
    drop(stdin);
    let output = child.wait_with_output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{program} {arguments:?}: {said}");
    String::from_utf8_lossy(&output.stdout).into_owned()
}
