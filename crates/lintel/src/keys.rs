//! `lintel keys`: makes API keys, and the hashes that the configuration takes.

use std::io::{self, IsTerminal, Read};

use lintel_policies::keys::{self, new_key, sha256_hex};
use serde_json::json;

use crate::{
    FAILED, FINE, USAGE,
    cli::{HashKey, Keys, NewKey},
    print,
};

/// Bytes that are read from standard input; keys and passwords are shorter.
const LONGEST: u64 = 4096;

pub(crate) fn keys(command: &Keys) -> u8 {
    match command {
        Keys::New(new) => make(new),
        Keys::Hash(hash) => self::hash(hash),
    }
}

fn make(new: &NewKey) -> u8 {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
    if new.prefix.is_empty() || !new.prefix.bytes().all(plain) {
        print::err("error: a prefix has letters, digits and `_`, as in `--prefix acme_live`");
        return USAGE;
    }
    let Some(key) = new_key(&new.prefix) else {
        print::err("error: the system has no random numbers");
        return FAILED;
    };
    if new.json {
        let line =
            json!({ "key": key.text, "sha256": key.sha256, "id": new.id, "expires": new.expires });
        print::out(&line.to_string());
        return FINE;
    }
    let id = new.id.as_ref().map(|id| format!("id: {id}, "));
    let expires = new.expires.as_ref().map(|end| format!(", expires: {end}"));
    print::out(&key.text);
    print::err(&format!(
        "\nGive the key to its owner; it is shown this once. In the configuration:\n\n\
         consumers:\n  {}:\n    api_keys:\n      - {{ {}sha256: {}{} }}",
        new.consumer.as_deref().unwrap_or("NAME"),
        id.unwrap_or_default(),
        key.sha256,
        expires.unwrap_or_default(),
    ));
    FINE
}

fn hash(hash: &HashKey) -> u8 {
    if io::stdin().is_terminal() {
        print::err("Type the key or password, then Enter and Ctrl-D. It is shown while you type.");
    }
    let mut text = String::new();
    if let Err(error) = io::stdin().lock().take(LONGEST).read_to_string(&mut text) {
        print::err(&format!("error: standard input can't be read: {error}"));
        return FAILED;
    }
    let text = text.trim_end_matches(['\r', '\n']);
    if text.is_empty() || text.contains('\n') {
        print::err("error: one key or password is expected on standard input");
        return USAGE;
    }
    let hashed = match hash.sha256 {
        true => Some(sha256_hex(text)),
        false => keys::argon2id(text),
    };
    let Some(hashed) = hashed else {
        print::err("error: the system has no random numbers");
        return FAILED;
    };
    print::out(&hashed);
    FINE
}
