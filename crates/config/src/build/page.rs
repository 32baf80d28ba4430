//! Answers that the gateway makes: `respond`, `redirect`, error pages.

use http::{HeaderValue, StatusCode};
use lintel_kernel::{Fault, expr::Template};
use lintel_proxy::snapshot::{ErrorPages, Escape, Page, Redirect};

use super::Builder;
use crate::{
    model::{self, ErrorPage, Table},
    text::StatusPattern,
};

/// The pages that are written at `base`.
pub(super) fn errors(
    builder: &mut Builder<'_>,
    base: &[&str],
    written: &Table<StatusPattern, ErrorPage>,
) -> ErrorPages {
    let mut pages = ErrorPages::default();
    for (pattern, page) in written {
        let content_type = page.content_type.0.clone();
        let built = match page.body.compile() {
            Ok(body) => plain(StatusCode::OK, content_type, body),
            Err(error) => {
                let pattern = pattern.to_string();
                let path = [base, &[&pattern, "body"]].concat();
                builder.faults(&path, vec![Fault::from(error)]);
                continue;
            }
        };
        match pattern {
            StatusPattern::Exact(status) => {
                if let Ok(status) = StatusCode::from_u16(*status) {
                    pages.by_status.insert(status, built);
                }
            }
            StatusPattern::Class(class) => {
                pages.by_class.insert(u16::from(*class), built);
            }
            StatusPattern::Default => pages.any = Some(built),
        }
    }
    pages
}

pub(super) fn respond(respond: &model::Respond) -> Result<Page, Fault> {
    let (content_type, body) = match (&respond.body, &respond.json, &respond.template) {
        (_, Some(json), _) => ("application/json", Template::literal_text(json.to_string())),
        (_, _, Some(template)) => (
            "text/plain; charset=utf-8",
            template
                .compile()
                .map_err(|error| Fault::from(error).under("template"))?,
        ),
        (body, _, _) => (
            "text/plain; charset=utf-8",
            Template::literal_text(body.clone().unwrap_or_default()),
        ),
    };
    let status = StatusCode::from_u16(respond.status)
        .map_err(|_| Fault::new(format!("`{}` is not a status", respond.status)).under("status"))?;
    let mut page = plain(status, HeaderValue::from_static(content_type), body);
    for (name, value) in &respond.headers {
        let value = value
            .compile()
            .map_err(|error| Fault::from(error).under(name.to_string()).under("headers"))?;
        match value.literal() {
            Some(text) if name.0 == http::header::CONTENT_TYPE => {
                page.escape = Escape::for_content_type(text);
                page.content_type = HeaderValue::from_str(text).map_err(|_| {
                    Fault::new("a header value can't hold control characters")
                        .under(name.to_string())
                        .under("headers")
                })?;
            }
            _ => page.headers.push((name.0.clone(), value)),
        }
    }
    Ok(page)
}

pub(super) fn redirect(redirect: &model::Redirect) -> Result<Redirect, Fault> {
    Ok(Redirect {
        status: StatusCode::from_u16(redirect.status).map_err(|_| {
            Fault::new(format!("`{}` is not a status", redirect.status)).under("status")
        })?,
        to: redirect
            .to
            .compile()
            .map_err(|error| Fault::from(error).under("to"))?,
        cache_control: redirect.cache_control.as_ref().map(|value| value.0.clone()),
    })
}

fn plain(status: StatusCode, content_type: HeaderValue, body: Template) -> Page {
    let escape = Escape::for_content_type(content_type.to_str().unwrap_or(""));
    Page {
        status,
        content_type,
        body,
        escape,
        headers: Vec::new(),
    }
}
