//! `lintel explain`.

use std::{
    fmt::Write as _,
    time::{Duration, SystemTime},
};

use http::{HeaderMap, HeaderName, HeaderValue, Method, Uri};
use lintel_config::{build, load};
use lintel_control::explain::{Explanation, Question, explain as answer};
use serde_json::Value;

use crate::{FAILED, FINE, USAGE, cli, print, remote};

pub(crate) fn explain(args: &cli::Explain) -> u8 {
    let question = match question(args) {
        Ok(question) => question,
        Err(message) => {
            print::err(&format!("error: {message}"));
            return USAGE;
        }
    };
    let built = load(&args.config).and_then(|loaded| build(&loaded, 1, None));
    match built {
        Ok(built) => {
            let mut explanation = answer(&built, &question);
            if let Some(admin) = &args.admin
                && let Err(message) = add_standing(&mut explanation, admin, args.token.as_ref())
            {
                print::err(&message);
                return FAILED;
            }
            if args.json {
                print::out(&explanation.json.to_string());
            } else {
                print::out(&explanation.text);
            }
            if explanation.matched { FINE } else { FAILED }
        }
        Err(report) => {
            print::err(&report.render(&print::style()));
            FAILED
        }
    }
}

fn question(args: &cli::Explain) -> Result<Question, String> {
    let method = Method::from_bytes(args.method.as_bytes())
        .map_err(|_| format!("`{}` is not a method", args.method))?;
    let url: Uri = args
        .url
        .parse()
        .map_err(|_| format!("`{}` is neither a URL nor a path", args.url))?;
    let mut headers = HeaderMap::new();
    for line in &args.headers {
        let malformed = || format!("`{line}` is not a header field; write it like `Name: value`");
        let (name, value) = line.split_once(':').ok_or_else(malformed)?;
        let name: HeaderName = name.trim().parse().map_err(|_| malformed())?;
        let value: HeaderValue = value.trim().parse().map_err(|_| malformed())?;
        headers.append(name, value);
    }
    Ok(Question {
        method,
        url,
        headers,
        listener: args.listener.clone(),
    })
}

/// How a running gateway sees the services that the request could go to.
fn add_standing(
    explanation: &mut Explanation,
    admin: &str,
    token: Option<&String>,
) -> Result<(), String> {
    let remote = cli::Remote {
        admin: admin.to_owned(),
        token: token.cloned(),
        json: true,
    };
    let services = explanation.json.pointer_mut("/outcome/services");
    let services = services.and_then(Value::as_array_mut).into_iter().flatten();
    for service in services {
        let name = service.get("service").and_then(Value::as_str);
        let name = name.unwrap_or_default();
        let _ = writeln!(explanation.text, "{name} at {admin}");
        let running = remote::fetch(&remote, &format!("/services/{name}"))?;
        let endpoints = running.get("endpoints").and_then(Value::as_array);
        for endpoint in endpoints.into_iter().flatten() {
            let _ = writeln!(explanation.text, "  {}", standing(endpoint));
        }
        if let Some(service) = service.as_object_mut() {
            service.insert("running".to_owned(), running);
        }
    }
    Ok(())
}

fn standing(endpoint: &Value) -> String {
    let text = |key: &str| endpoint.get(key).and_then(Value::as_str).unwrap_or("-");
    let number = |key: &str| endpoint.get(key).and_then(Value::as_f64);
    let since =
        number("since").map(|since| SystemTime::UNIX_EPOCH + Duration::from_secs_f64(since));
    let age = since.and_then(|since| SystemTime::now().duration_since(since).ok());
    let age = age.map(|age| format!(", for {} s", age.as_secs()));
    let latency = number("latency_ms").map(|latency| format!(", {latency} ms"));
    format!(
        "endpoint {} weight {}, {:.0}% of them now ({}{}), {} in flight{}",
        text("endpoint"),
        number("weight").unwrap_or_default(),
        number("share").unwrap_or_default() * 100.0,
        text("state"),
        age.unwrap_or_default(),
        number("in_flight").unwrap_or_default(),
        latency.unwrap_or_default(),
    )
}
