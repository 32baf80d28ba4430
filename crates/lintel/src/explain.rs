//! `lintel explain`.

use http::{HeaderMap, HeaderName, HeaderValue, Method, Uri};
use lintel_config::{build, load};
use lintel_control::explain::{Question, explain as answer};

use crate::{FAILED, FINE, USAGE, cli, print};

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
            let explanation = answer(&built, &question);
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
