//! Any text as host, path and value pattern; what parses is built and matched, and what wins in `explain` is what
//! `find` returns.

use http::{HeaderMap, Method};
use lintel_router::{
    HostPattern, Outcome, PathPattern, Query, RouteSpec, Router, ValueRegex, Verdict,
};

pub(crate) fn run(input: &[u8]) {
    let Some((pattern, path)) = crate::two_texts(input) else {
        return;
    };
    for error in [
        HostPattern::parse(pattern).err(),
        PathPattern::parse(pattern).err(),
        ValueRegex::parse(pattern).err(),
    ]
    .into_iter()
    .flatten()
    {
        assert!(pattern.is_char_boundary(error.offset), "{error}");
    }
    if let Ok(host) = HostPattern::parse(pattern) {
        assert_eq!(HostPattern::parse(&host.to_string()), Ok(host));
    }
    let Ok(parsed) = PathPattern::parse(pattern) else {
        return;
    };
    let mut spec = RouteSpec::new("r");
    spec.paths.push(parsed);
    let router = Router::build(vec![spec]).expect("one route does not tie");
    let query = Query {
        listener: 0,
        host: path,
        path,
        query: Some(path),
        method: &Method::GET,
        headers: &HeaderMap::new(),
    };
    let won = router
        .explain(&query)
        .iter()
        .any(|c| matches!(c.verdict, Verdict::Won { .. }));
    let found = router.find(&query);
    assert_eq!(won, matches!(found, Outcome::Matched { .. }));
    if let Outcome::Matched { params, .. } = found {
        assert!(
            params
                .iter(&router, path)
                .all(|(_, value)| path.contains(value))
        );
    }
}
