//! What a match costs with 10 and with 10,000 routes, and what it takes to build the larger index.
//!
//! `find/*` asks for the same ten paths of both routers. `find_all/*` asks for a path of every route in a scattered
//! order, so that the index, but not the request, leaves the first-level cache with 10,000 routes.

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
        Shape::Exact => format!("/api/v1/service-{i:05}/health"),
        Shape::Prefix | Shape::Wildcard => format!("/api/v1/service-{i:05}/*"),
        Shape::Params => format!("/api/v1/service-{i:05}/users/{{user}}/orders/{{order}}"),
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
        Shape::Exact => format!("/api/v1/service-{i:05}/health"),
        Shape::Prefix | Shape::Wildcard => format!("/api/v1/service-{i:05}/a/b"),
        Shape::Params => format!("/api/v1/service-{i:05}/users/4711/orders/0815"),
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

/// Asks for all routes in a scattered order, writing the number of each into one path.
fn ask_all(bencher: Bencher<'_, '_>, shape: Shape, size: usize) {
    let router = router(shape, size);
    let request = request(shape, 0);
    let at = request.path.find("00000").unwrap_or(0);
    let mut path = request.path.into_bytes();
    let mut turn = 0;
    bencher.bench_local(|| {
        // 7919 is prime to both sizes.
        turn = (turn + 7919) % size;
        let mut rest = turn;
        for digit in path.iter_mut().skip(at).take(5).rev() {
            *digit = b'0' + (rest % 10) as u8;
            rest /= 10;
        }
        let outcome = router.find(black_box(&Query {
            listener: 0,
            host: &request.host,
            path: str::from_utf8(&path).unwrap_or("/"),
            query: None,
            method: &Method::GET,
            headers: &request.headers,
        }));
        debug_assert!(matches!(outcome, lintel_router::Outcome::Matched { .. }));
        outcome
    });
}

#[divan::bench_group(sample_size = 10_000)]
mod find_all {
    use super::{Bencher, SIZES, Shape, ask_all};

    #[divan::bench(args = SIZES)]
    fn exact(bencher: Bencher<'_, '_>, size: usize) {
        ask_all(bencher, Shape::Exact, size);
    }

    #[divan::bench(args = SIZES)]
    fn params(bencher: Bencher<'_, '_>, size: usize) {
        ask_all(bencher, Shape::Params, size);
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
                    .push(PathPattern::parse(&format!("~/v[0-9]+/service-{i:05}/.*")).ok()?);
                Some(spec)
            };
            Router::build((0..1000).filter_map(spec).collect()).map(|r| r.len())
        });
    }
}
