//! Legs of compositions that call methods of gRPC, and values with places in them.

use lintel_grpc::descriptors::DescriptorFault;
use lintel_kernel::{Fault, expr::Template};
use serde_json::Value;

use super::{Check, compose::Place};
use crate::{
    build::misfits,
    diagnostic::{Diagnostic, code},
    model::{Action, Leg, Service, ServiceProtocol, To},
    shape::nearest,
    text::LegStatus,
};

impl Place<'_> {
    /// Texts within values.
    pub(super) fn values(&self, name: &str, leg: &Leg, found: &mut Vec<Diagnostic>) {
        for (keys, value) in leg.values() {
            let mut path = vec!["legs", name];
            path.extend(keys);
            self.value(&mut path, value.source(), found);
        }
    }

    fn value(&self, path: &mut Vec<&str>, value: &Value, found: &mut Vec<Diagnostic>) {
        match value {
            Value::String(text) => self.value_text(path, text, found),
            Value::Array(items) => {
                for (at, item) in items.iter().enumerate() {
                    let at = at.to_string();
                    self.value(&mut [&path[..], &[&at]].concat(), item, found);
                }
            }
            Value::Object(members) => {
                for (name, member) in members {
                    self.value(&mut [&path[..], &[name]].concat(), member, found);
                }
            }
            Value::Null | Value::Bool(_) | Value::Number(_) => {}
        }
    }

    fn value_text(&self, path: &[&str], text: &str, found: &mut Vec<Diagnostic>) {
        let template = match Template::parse_among(text) {
            Ok(template) => template,
            Err(error) => {
                let fault = Fault::from(error);
                let told = self.scope.loaded.fault(&self.path(path), &fault);
                let told = match told.help {
                    Some(_) => told,
                    None => told.help("write an attribute such as `${claims.sub}`"),
                };
                found.push(told);
                return;
            }
        };
        let exprs = template.exprs();
        found.extend(exprs.filter_map(|expr| self.expr(path, text, expr)));
    }

    /// What can be said of a call without the descriptors of the service.
    pub(super) fn rpc(&self, name: &str, leg: &Leg, found: &mut Vec<Diagnostic>) {
        let Some(_) = &leg.grpc else {
            self.no_rpc(name, leg, found);
            return;
        };
        if leg.message.is_some() && leg.body.is_some() {
            let body = self.path(&["legs", name, "body"]);
            found.push(
                self.error(
                    code::ONE_OF,
                    &["legs", name, "message"],
                    format!("leg `{name}` says its message twice"),
                )
                .also(self.scope.loaded.locate_key(&body), "here, too")
                .help("keep `message` for a value with places in it, or `body` for a filter"),
            );
        }
        if !leg.query.is_empty() {
            let keys = ["legs", name, "query"];
            found.push(
                self.error(code::CONFLICT, &keys, "a call of gRPC has no query")
                    .at(
                        self.scope.loaded.locate_key(&self.path(&keys)),
                        "never read",
                    )
                    .help("put the values into `message`"),
            );
        }
        for (statuses, value) in &leg.expect {
            let at = self.expected(name, &statuses.to_string());
            let keys = ["legs", name, "expect", at];
            if value.as_str() == Some("body") {
                found.push(
                    self.error(
                        code::INVALID_VALUE,
                        &keys,
                        "a call that fails brings no message",
                    )
                    .help("write the value that stands for it, such as `null`"),
                );
            }
            if *statuses == LegStatus::Grpc(0) {
                found.push(
                    self.error(code::CONFLICT, &keys, "`OK` is what is expected anyway")
                        .help("remove it"),
                );
            }
        }
        let service = leg.service.as_ref();
        let declared =
            service.and_then(|service| self.scope.loaded.model.services.get(service.as_str()));
        if let Some((service, declared)) = service.zip(declared) {
            self.speaks((name, service.as_str()), declared, found);
        }
    }

    /// The key of `expect` as it is written.
    pub(super) fn expected(&self, name: &str, statuses: &str) -> &str {
        let path = self.path(&["legs", name, "expect"]);
        super::expressions::written(self.scope.loaded, &path, statuses).unwrap_or_default()
    }

    /// What only calls of gRPC have.
    fn no_rpc(&self, name: &str, leg: &Leg, found: &mut Vec<Diagnostic>) {
        for key in ["message", "json"] {
            let keys = ["legs", name, key];
            let path = self.path(&keys);
            if self.scope.loaded.tree.find(&path).is_some() {
                found.push(
                    self.error(
                        code::CONFLICT,
                        &keys,
                        format!("leg `{name}` calls no method of gRPC"),
                    )
                    .at(self.scope.loaded.locate_key(&path), "never read")
                    .help(match key {
                        "message" => "call one with `grpc: PACKAGE.SERVICE/METHOD`, or send JSON with `body: FILTER`",
                        _ => "call one with `grpc: PACKAGE.SERVICE/METHOD`, or remove it",
                    }),
                );
            }
        }
        for statuses in leg.expect.keys() {
            if let LegStatus::Grpc(_) = statuses {
                let at = self.expected(name, &statuses.to_string());
                let keys = ["legs", name, "expect", at];
                let path = self.path(&keys);
                found.push(
                    self.error(
                        code::CONFLICT,
                        &keys,
                        format!(
                            "leg `{name}` calls no method of gRPC, and `{at}` is one of its codes"
                        ),
                    )
                    .at(self.scope.loaded.locate_key(&path), "never comes")
                    .help("write the status of HTTP, such as `404`"),
                );
            }
        }
    }

    /// Whether a service is one that can be called, and says what its methods are.
    fn speaks(&self, (leg, name): (&str, &str), service: &Service, found: &mut Vec<Diagnostic>) {
        let keys = ["legs", leg, "service"];
        let place = self.scope.loaded.locate(&self.path(&keys));
        let speaks = matches!(
            service.protocol,
            ServiceProtocol::Grpc | ServiceProtocol::H2
        );
        if !speaks {
            let message = format!("service `{name}` is not said to speak gRPC");
            let mut told = self
                .error(code::CONFLICT, &keys, message)
                .at(place, "called by gRPC")
                .help("add `protocol: grpc` to the service");
            let protocol = ["services", name, "protocol"];
            if self.scope.loaded.tree.find(&protocol).is_some() {
                let other = self.scope.loaded.locate(&protocol);
                told = told.also(other, "something else is said here");
            }
            found.push(told);
        }
        if service.descriptors.is_empty() && service.reflection.is_none() {
            let message = format!("service `{name}` has no `descriptors`");
            found.push(
                self.error(code::MISSING_KEY, &keys, message)
                    .at(place, "what are its methods?")
                    .help(format!(
                        "add `descriptors: [protos/{name}.proto]` to the service, or `reflection: {{}}` if it says so itself"
                    )),
            );
        }
    }
}

/// Compiles the descriptors of services that legs call, and compares what the legs say with them.
pub(super) fn descriptors(check: &mut Check<'_>) {
    let told: Vec<&str> = super::grpc::calls(check)
        .into_iter()
        .map(|(_, to, _)| to.service.as_str())
        .collect();
    let mut unread: Vec<&str> = Vec::new();
    let mut found = Vec::new();
    for (route, leg_name, leg) in legs(check) {
        let (Some(name), Some(_)) = (&leg.service, &leg.grpc) else {
            continue;
        };
        let Some(service) = check.loaded.model.services.get(name.as_str()) else {
            continue;
        };
        let missing = |file: &crate::text::FilePath| !file.as_path().is_file();
        if service.descriptors.is_empty() || service.descriptors.iter().any(missing) {
            continue;
        }
        let known = match check.loaded.descriptors.callable(&service.descriptors) {
            Ok(known) => known,
            Err(fault) => {
                if !told.contains(&name.as_str()) && !unread.contains(&name.as_str()) {
                    unread.push(name.as_str());
                    found.push(unreadable(check, name.as_str(), &fault));
                }
                continue;
            }
        };
        let base = ["routes", route, "to", "compose", "legs", leg_name];
        for misfit in misfits(&known, leg) {
            let path: Vec<&str> = base
                .iter()
                .copied()
                .chain(misfit.path.iter().map(String::as_str))
                .collect();
            let near = misfit.path.last().map_or("", String::as_str);
            let written = leg
                .grpc
                .as_ref()
                .map(ToString::to_string)
                .unwrap_or_default();
            let wanted = match misfit.path.as_slice() {
                [key] if key == "grpc" => written.as_str(),
                _ => near,
            };
            found.push(misfitting(
                check,
                &path,
                &misfit.message,
                wanted,
                &misfit.known,
            ));
        }
    }
    check.out.extend(found);
}

/// All legs, with their routes and names.
fn legs<'a>(check: &Check<'a>) -> Vec<(&'a str, &'a str, &'a Leg)> {
    let routes = check.loaded.model.routes.iter();
    let compositions = routes.filter_map(|(route, settings)| match &settings.to {
        To::Action(Action::Compose(compose)) => Some((route.as_str(), compose)),
        _ => None,
    });
    let legs = compositions.flat_map(|(route, compose)| {
        let legs = compose.legs.iter();
        legs.map(move |(name, leg)| (route, name.as_str(), leg))
    });
    legs.collect()
}

fn unreadable(check: &Check<'_>, service: &str, fault: &DescriptorFault) -> Diagnostic {
    let at = fault.file.to_string();
    let path = ["services", service, "descriptors", &at];
    let told = check
        .loaded
        .fault(&path, &Fault::new(fault.message.clone()));
    told.help(
        fault
            .hint
            .unwrap_or("correct it there; the file is compiled as `protoc` does it"),
    )
}

fn misfitting(
    check: &Check<'_>,
    path: &[&str],
    message: &str,
    wanted: &str,
    known: &[String],
) -> Diagnostic {
    let loaded = check.loaded;
    let key = path.last().copied().unwrap_or_default();
    let names: Vec<&str> = known.iter().map(String::as_str).collect();
    let help = match nearest(wanted, names.iter().copied()) {
        _ if loaded.is_hidden(path) => {
            "part of it comes from outside, so no more can be said here".to_owned()
        }
        Some(near) => format!("did you mean `{near}`?"),
        None if !names.is_empty() => format!("there are {}", crate::shape::list(&names, "and")),
        None if key == "grpc" => {
            "a leg sends one message and gets one; offer streams with `to: { grpc: … }`".to_owned()
        }
        None => "write the value as JSON has it for this field of the message".to_owned(),
    };
    // A field that does not exist is shown at its name, a value at itself.
    let place = match (key, names.is_empty()) {
        ("grpc", _) | (_, true) => loaded.locate(path),
        (_, false) => loaded.locate_key(path),
    };
    let place = match loaded.is_hidden(path) {
        true => place,
        false => loaded.sources.first_line(place),
    };
    let message = match key {
        _ if loaded.is_hidden(path) => format!("the value of `{key}` does not fit the service"),
        "grpc" => message.to_owned(),
        key => format!("`{key}`: {message}"),
    };
    Diagnostic::error(code::INVALID_VALUE, message)
        .at(place, "")
        .path(path.join("."))
        .help(help)
}
