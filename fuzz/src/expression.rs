//! Any text as an expression and as a template: it compiles and gives a value or none, or the error
//! points into the text.

use std::{
    rc::Rc,
    sync::Arc,
    time::{Duration, Instant},
};

use http::{Request, uri::PathAndQuery};
use lintel_kernel::{
    Exchange,
    exchange::{Detour, Names, Params},
    expr::{Expr, Scope, Template},
    trace::{RequestId, Trace},
};

struct Fixed([Arc<str>; 1]);

impl Names for Fixed {
    fn listener(&self, _: u16) -> &str {
        "public"
    }
    fn route(&self, _: u32) -> &str {
        "orders"
    }
    fn params(&self, _: u32) -> &[Arc<str>] {
        &self.0
    }
    fn service(&self, _: u32) -> &str {
        "orders"
    }
}

fn exchange() -> Exchange {
    let target = "/orders/7?q=a%20b&empty=&x=1+2";
    let request = Request::get(target).header("x-tenant", "acme").body(());
    Exchange {
        request: request.unwrap().into_parts().0,
        names: Rc::new(Fixed(["id".into()])),
        received: Instant::now(),
        peer: None,
        client: [192, 0, 2, 1].into(),
        secure: true,
        listener: 0,
        id: RequestId::random(),
        trace: Trace::begin(true),
        host: smallvec::SmallVec::from_slice(b"api.example.com"),
        canonical: None,
        target: PathAndQuery::from_static(target),
        grpc: false,
        route: Some(0),
        identity: None,
        certificate: None,
        params: Params {
            names: 0,
            spans: [(8, 9)].into_iter().collect(),
        },
        service: Some(0),
        endpoint: None,
        attempts: 0,
        upstream_time: Duration::ZERO,
        refused: None,
        detour: Detour::default(),
        legs: None,
        cause: None,
        status: 0,
        held: smallvec::SmallVec::new(),
    }
}

pub(crate) fn run(input: &[u8]) {
    let Ok(source) = std::str::from_utf8(input) else {
        return;
    };
    let exchange = exchange();
    let scope = Scope::request(&exchange);
    match Expr::parse(source) {
        Ok(expr) => {
            let _ = (
                expr.text(scope),
                expr.holds(scope),
                expr.needs_response(),
                expr.path_params(),
            );
        }
        Err(error) => assert!(source.is_char_boundary(error.offset), "{error:?}"),
    }
    match Template::parse(source) {
        Ok(template) => {
            let _ = template.render(scope);
            template.render_escaped(scope, |value, out| out.push_str(value));
        }
        Err(error) => assert!(source.is_char_boundary(error.offset), "{error:?}"),
    }
}
