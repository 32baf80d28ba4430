//! `lintel quotas`: what callers have used of a running gateway's quotas, by its admin API.

use serde_json::{Value, json};

use crate::{FINE, cli, print, remote};

pub(crate) fn quotas(args: &cli::Quotas) -> u8 {
    let path = [&args.quota, &args.key].into_iter().flatten();
    let path = path.fold("/quotas".to_owned(), |path, part| {
        path + "/" + &encoded(part)
    });
    let change = match (args.used, args.add) {
        (Some(used), _) => Some(json!({ "used": used })),
        (None, Some(more)) => Some(json!({ "add": more })),
        (None, None) => None,
    };
    let (method, body) = match &change {
        Some(change) => ("PATCH", change.to_string()),
        None => ("GET", String::new()),
    };
    match remote::call(&args.remote, method, &path, &body) {
        Ok((200, body)) if args.remote.json => {
            print::out(&body);
            FINE
        }
        Ok((200, body)) => {
            let shown: Value = serde_json::from_str(&body).unwrap_or_default();
            print::out(&match (&args.quota, &args.key) {
                (None, _) => list(&shown),
                (Some(_), None) => describe(&shown) + &callers(&shown),
                (Some(_), Some(_)) => format!(
                    "{} has used {} of {}, {} left",
                    text(&shown, "key"),
                    text(&shown, "used"),
                    text(&shown, "limit"),
                    text(&shown, "left")
                ),
            });
            FINE
        }
        other => remote::failed(&args.remote, other),
    }
}

fn list(quotas: &Value) -> String {
    let quotas = quotas.as_array().into_iter().flatten();
    let lines: Vec<String> = quotas.map(describe).collect();
    match lines.as_slice() {
        [] => "there are no quotas".to_owned(),
        lines => lines.concat().trim_end().to_owned(),
    }
}

fn describe(quota: &Value) -> String {
    let counted = match (quota.get("store"), quota.get("used")) {
        (Some(Value::String(store)), _) => format!("counted in store {store}"),
        (_, Some(Value::Array(callers))) => format!("{} callers", callers.len()),
        _ => String::new(),
    };
    format!(
        "{}: {} a {}, {counted}\n",
        text(quota, "quota"),
        text(quota, "limit"),
        text(quota, "per")
    )
}

fn callers(quota: &Value) -> String {
    let callers = quota.get("used").and_then(Value::as_array);
    let lines = callers.into_iter().flatten().map(|caller| {
        let (key, used) = (text(caller, "key"), text(caller, "used"));
        format!("  {key} has used {used}\n")
    });
    lines.collect()
}

fn text(value: &Value, key: &str) -> String {
    match value.get(key) {
        Some(Value::String(text)) => text.clone(),
        Some(other) => other.to_string(),
        None => "-".to_owned(),
    }
}

/// One segment of a path (RFC 3986 §3.3).
fn encoded(segment: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~:@*+".contains(&byte);
    let encoded = segment.bytes().map(|byte| match byte {
        byte if plain(byte) => char::from(byte).to_string(),
        byte => format!("%{byte:02X}"),
    });
    encoded.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn segments_are_encoded() {
        assert_eq!(encoded("plans.gold:monthly"), "plans.gold:monthly");
        assert_eq!(encoded("a/b ä#?"), "a%2Fb%20%C3%A4%23%3F");
    }
}
