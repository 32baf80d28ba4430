//! What a match costs with 10 and with 10,000 routes, and what it takes to build the larger index.
//!
//! `find/*` asks for the same ten paths of both routers, `find_all/*` for a path of every route in turn, which for
//! 10,000 routes leaves the first-level cache.

use divan::{Bencher, black_box};
use http::{HeaderMap, Method};
use lintel_router::{HostPattern, PathPattern, Query, RouteSpec, Router, ValueMatch};

const SIZES: [usize; 2] = [10, 10_000];

fn main() {
    divan::main();
}

#[derive(Clone, Copy)]
enum Shape {
    Exact,
    Prefix,
    Params,
    Wildcard,
    Tenant,
}

fn spec(shape: Shape, i: usize) -> Result<RouteSpec, lintel_router::PatternError> {
    let mut spec = RouteSpec::new(format!("route-{i}"));
    let path = match shape {
        Shape::Exact => format!("/api/v1/service-{i}/health"),
        Shape::Prefix | Shape::Wildcard => format!("/api/v1/service-{i}/*"),
        Shape::Params => format!("/api/v1/service-{i}/users/{{user}}/orders/{{order}}"),
        Shape::Tenant => "/api/v1/orders".to_owned(),
    };
    spec.paths.push(PathPattern::parse(&path)?);
    match shape {
        Shape::Wildcard => spec
            .hosts
            .push(HostPattern::parse(&format!("*.tenant-{i}.example.com"))?),
        Shape::Tenant => {
            let name = http::HeaderName::from_static("x-tenant");
            spec.headers
                .push((name, ValueMatch::Exact(format!("tenant-{i}"))));
        }
        _ => spec.hosts.push(HostPattern::parse("api.example.com")?),
    }
    Ok(spec)
}

fn router(shape: Shape, size: usize) -> Router {
    let specs = (0..size).filter_map(|i| spec(shape, i).ok()).collect();
    Router::build(specs).unwrap_or_else(|_| std::process::abort())
}

struct Request {
    host: String,
    path: String,
    headers: HeaderMap,
}

fn request(shape: Shape, i: usize) -> Request {
    let mut headers = HeaderMap::new();
    if let (Shape::Tenant, Ok(value)) = (shape, format!("tenant-{i}").parse()) {
        headers.insert("x-tenant", value);
    }
    let host = match shape {
        Shape::Wildcard => format!("a.tenant-{i}.example.com"),
        _ => "api.example.com".to_owned(),
    };
    let path = match shape {
        Shape::Exact => format!("/api/v1/service-{i}/health"),
        Shape::Prefix | Shape::Wildcard => format!("/api/v1/service-{i}/a/b"),
        Shape::Params => format!("/api/v1/service-{i}/users/4711/orders/0815"),
        Shape::Tenant => "/api/v1/orders".to_owned(),
    };
    Request {
        host,
        path,
        headers,
    }
}

/// Asks for `asked` of the routes, spread evenly, one a time.
fn ask(bencher: Bencher<'_, '_>, shape: Shape, size: usize, asked: usize) {
    let router = router(shape, size);
    let requests: Vec<Request> = (0..asked)
        .map(|i| request(shape, i * (size / asked)))
        .collect();
    let mut turn = requests.iter().cycle();
    bencher.bench_local(|| {
        turn.next().map(|request| {
            router.find(black_box(&Query {
                listener: 0,
                host: &request.host,
                path: &request.path,
                query: None,
                method: &Method::GET,
                headers: &request.headers,
            }))
        })
    });
}

#[divan::bench_group(sample_size = 1000)]
mod find {
    use super::{Bencher, SIZES, Shape, ask};

    #[divan::bench(args = SIZES)]
    fn exact(bencher: Bencher<'_, '_>, size: usize) {
        ask(bencher, Shape::Exact, size, 10);
    }

    #[divan::bench(args = SIZES)]
    fn prefix(bencher: Bencher<'_, '_>, size: usize) {
        ask(bencher, Shape::Prefix, size, 10);
    }

    #[divan::bench(args = SIZES)]
    fn params(bencher: Bencher<'_, '_>, size: usize) {
        ask(bencher, Shape::Params, size, 10);
    }

    #[divan::bench(args = SIZES)]
    fn wildcard_host(bencher: Bencher<'_, '_>, size: usize) {
        ask(bencher, Shape::Wildcard, size, 10);
    }

    #[divan::bench(args = SIZES)]
    fn tenant_header(bencher: Bencher<'_, '_>, size: usize) {
        ask(bencher, Shape::Tenant, size, 10);
    }
}

#[divan::bench_group(sample_size = 10_000)]
mod find_all {
    use super::{Bencher, SIZES, Shape, ask};

    #[divan::bench(args = SIZES)]
    fn exact(bencher: Bencher<'_, '_>, size: usize) {
        ask(bencher, Shape::Exact, size, size);
    }

    #[divan::bench(args = SIZES)]
    fn params(bencher: Bencher<'_, '_>, size: usize) {
        ask(bencher, Shape::Params, size, size);
    }
}

#[divan::bench_group(sample_count = 10, sample_size = 1)]
mod build {
    use super::{Bencher, Router, Shape, spec};
    use lintel_router::{PathPattern, RouteSpec};

    #[divan::bench]
    fn params_10000(bencher: Bencher<'_, '_>) {
        bencher.bench_local(|| {
            let specs = (0..10_000)
                .filter_map(|i| spec(Shape::Params, i).ok())
                .collect();
            Router::build(specs).map(|r| r.len())
        });
    }

    #[divan::bench]
    fn tenants_10000(bencher: Bencher<'_, '_>) {
        bencher.bench_local(|| {
            let specs = (0..10_000)
                .filter_map(|i| spec(Shape::Tenant, i).ok())
                .collect();
            Router::build(specs).map(|r| r.len())
        });
    }

    #[divan::bench]
    fn regexes_1000(bencher: Bencher<'_, '_>) {
        bencher.bench_local(|| {
            let spec = |i: usize| {
                let mut spec = RouteSpec::new(format!("route-{i}"));
                spec.paths
                    .push(PathPattern::parse(&format!("~/v[0-9]+/service-{i}/.*")).ok()?);
                Some(spec)
            };
            Router::build((0..1000).filter_map(spec).collect()).map(|r| r.len())
        });
    }
}
