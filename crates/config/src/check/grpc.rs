//! REST in front of gRPC: what the service must be, and what its descriptors say.

use super::Check;
use crate::{
    build::{Wrong, transcoder},
    diagnostic::code,
    model::{Action, GrpcSpeaks, Service, ServiceProtocol, To, ToGrpc},
    text::Name,
};

/// The routes that call a gRPC service, with what they say of it.
pub(super) fn calls<'a>(check: &Check<'a>) -> Vec<(&'a Name, &'a ToGrpc, &'a Service)> {
    let model = &check.loaded.model;
    let routes = model.routes.iter();
    routes
        .filter_map(|(name, route)| match &route.to {
            To::Action(Action::Grpc(to)) => {
                Some((name, &**to, model.services.get(to.service.as_str())?))
            }
            _ => None,
        })
        .collect()
}

pub(super) fn check(check: &mut Check<'_>) {
    reflections(check);
    for (route, to, service) in calls(check) {
        let path = ["routes", route.as_str(), "to", "grpc", "service"];
        let name = &to.service;
        if service.descriptors.is_empty() && service.reflection.is_none() && !to.web {
            let diagnostic = check
                .error(
                    code::MISSING_KEY,
                    &path,
                    format!("service `{name}` has no `descriptors`"),
                )
                .at(check.loaded.locate(&path), "what are its methods?")
                .help(format!(
                    "add `descriptors: [protos/{name}.proto]` to the service, or `reflection: {{}}` if it says so itself"
                ));
            check.push(diagnostic);
        }
        if to.speaks == GrpcSpeaks::Json {
            json(check, route, to, service);
            continue;
        }
        let speaks = matches!(
            service.protocol,
            ServiceProtocol::Grpc | ServiceProtocol::H2
        );
        if !speaks {
            let protocol = ["services", name.as_str(), "protocol"];
            let mut diagnostic = check
                .error(
                    code::CONFLICT,
                    &path,
                    format!("service `{name}` is not said to speak gRPC"),
                )
                .at(check.loaded.locate(&path), "called by gRPC")
                .help("add `protocol: grpc` to the service");
            if check.loaded.tree.find(&protocol).is_some() {
                let place = check.loaded.locate(&protocol);
                diagnostic = diagnostic.also(place, "something else is said here");
            }
            check.push(diagnostic);
        }
    }
}

/// The other way round: what can't be with a service that speaks JSON.
fn json(check: &mut Check<'_>, route: &Name, to: &ToGrpc, service: &Service) {
    let speaks = ["routes", route.as_str(), "to", "grpc", "speaks"];
    let name = &to.service;
    if service.protocol == ServiceProtocol::Grpc {
        let protocol = ["services", name.as_str(), "protocol"];
        let diagnostic = check
            .error(
                code::CONFLICT,
                &speaks,
                format!("service `{name}` is said to speak gRPC"),
            )
            .also(check.loaded.locate(&protocol), "it is said here")
            .help("remove one of them");
        check.push(diagnostic);
    }
    if service.reflection.is_some() {
        let reflection = ["services", name.as_str(), "reflection"];
        let diagnostic = check
            .error(
                code::CONFLICT,
                &speaks,
                "a service that speaks JSON has no reflection",
            )
            .also(check.loaded.locate(&reflection), "nobody would answer this")
            .help("name its `.proto` files in `descriptors`");
        check.push(diagnostic);
    }
    let others = [
        ("websocket", to.websocket.is_some()),
        ("openapi", to.openapi.is_some()),
    ];
    for (key, _) in others.into_iter().filter(|(_, there)| *there) {
        let path = ["routes", route.as_str(), "to", "grpc", key];
        let diagnostic = check
            .error(
                code::CONFLICT,
                &path,
                format!("`{key}` is for services that speak gRPC"),
            )
            .also(check.loaded.locate(&speaks), "this one speaks JSON")
            .help(format!("remove `{key}`"));
        check.push(diagnostic);
    }
}

/// What a service says itself is not written down as well.
fn reflections(check: &mut Check<'_>) {
    for (name, service) in &check.loaded.model.services {
        if service.reflection.is_none() || service.descriptors.is_empty() {
            continue;
        }
        let reflection = ["services", name.as_str(), "reflection"];
        let descriptors = ["services", name.as_str(), "descriptors"];
        let diagnostic = check
            .error(
                code::CONFLICT,
                &reflection,
                format!("service `{name}` has `descriptors` and `reflection`"),
            )
            .also(
                check.loaded.locate(&descriptors),
                "its methods are said here already",
            )
            .help("remove one of them");
        check.push(diagnostic);
    }
}

/// Compiles the descriptors, and binds the methods to their paths.
pub(super) fn descriptors(check: &mut Check<'_>) {
    let mut seen = Vec::new();
    for (route, to, service) in calls(check) {
        if service.descriptors.is_empty() || seen.contains(&to.service) {
            continue;
        }
        let missing = |file: &crate::text::FilePath| !file.as_path().is_file();
        if service.descriptors.iter().any(missing) {
            // Told already.
            continue;
        }
        let base = ["routes", route.as_str(), "to", "grpc"];
        match transcoder(check.loaded, route.as_str(), service, to) {
            Ok(made) if made.bindings().is_empty() && !to.web => {
                let path = [base[0], base[1], base[2], base[3], "service"];
                let diagnostic = check
                    .error(code::CONFLICT, &path, "no method is bound to a path")
                    .at(check.loaded.locate(&path), "nothing would be reached")
                    .help(
                        "annotate the methods with `option (google.api.http)`, or bind them with `bind`",
                    );
                check.push(diagnostic);
            }
            Ok(_) => {}
            Err(Wrong::File(at, fault)) => {
                seen.push(to.service.clone());
                let at = at.to_string();
                let path = ["services", to.service.as_str(), "descriptors", &at];
                let mut told = check.loaded.fault(&path, &fault);
                if told.help.is_none() {
                    told = told.help("correct it there; the file is compiled as `protoc` does it");
                }
                check.push(told);
            }
            Err(Wrong::Route(faults)) => {
                let faults: Vec<_> = faults
                    .iter()
                    .map(|fault| {
                        check
                            .loaded
                            .fault(&base, fault)
                            .help(match fault.path.first() {
                                Some(key) if key == "expose" => {
                                    "write the full name of a service, with its package"
                                }
                                Some(_) => "write it as the `.proto` file has it",
                                None => {
                                    "correct the annotation, or bind the method by hand with `bind`"
                                }
                            })
                    })
                    .collect();
                check.out.extend(faults);
            }
        }
    }
}
