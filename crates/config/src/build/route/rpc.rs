//! What legs of compositions know of the methods that they call.

use std::{collections::HashMap, iter, sync::Arc};

use lintel_grpc::{Transcoder, json, pattern};
use lintel_kernel::{Fault, expr::Template};
use lintel_proxy::compose::{Methods, Rpc};

use crate::{loaded::Loaded, model};

/// The methods of the services that the legs of one composition call.
pub(super) struct Known<'a> {
    loaded: &'a Loaded,
    services: HashMap<&'a str, Arc<Methods>>,
}

impl<'a> Known<'a> {
    pub(super) fn new(loaded: &'a Loaded) -> Self {
        Self {
            loaded,
            services: HashMap::new(),
        }
    }

    /// How a leg calls a method, where it calls one.
    pub(super) fn rpc(&mut self, leg: &'a model::Leg) -> Result<Option<Rpc>, Fault> {
        let (Some(_), Some(name)) = (&leg.grpc, &leg.service) else {
            return Ok(None);
        };
        let methods = match self.services.get(name.as_str()) {
            Some(methods) => Arc::clone(methods),
            None => self.methods(name.as_str())?,
        };
        let known = self.services.entry(name.as_str());
        known.or_insert_with(|| Arc::clone(&methods));
        Ok(Some(Rpc {
            methods,
            style: style(&leg.json.unwrap_or_default()),
        }))
    }

    fn methods(&self, name: &str) -> Result<Arc<Methods>, Fault> {
        let service = self.loaded.model.services.get(name);
        let service = service
            .ok_or_else(|| Fault::new(format!("there is no service `{name}`")).under("service"))?;
        if service.reflection.is_some() {
            // It will say so itself.
            return Ok(Arc::default());
        }
        let methods = self.loaded.descriptors.callable(&service.descriptors);
        let methods = methods.map_err(|fault| Fault::new(fault.message).under("grpc"))?;
        Ok(Arc::new(Methods::known(methods)))
    }
}

/// Whether a method is known to change nothing.
pub(super) fn is_harmless(rpc: &Rpc, path: &str) -> bool {
    let known = rpc.methods.current();
    known.is_some_and(|known| known.method_at(path).is_some_and(|method| method.harmless))
}

pub(super) fn style(json: &model::GrpcJson) -> json::Style {
    json::Style {
        defaults: json.defaults,
        proto_names: json.proto_names,
        enum_numbers: json.enum_numbers,
    }
}

/// What is wrong with the method that a leg calls, or with its message.
pub(crate) struct RpcMisfit {
    /// The keys and names within the leg that lead to it.
    pub(crate) path: Vec<String>,
    /// What is wrong, in one sentence without its full stop.
    pub(crate) message: String,
    /// Names that could have been meant.
    pub(crate) known: Vec<String>,
}

/// What a leg gets wrong about the method that it calls.
pub(crate) fn misfits(known: &Transcoder, leg: &model::Leg) -> Vec<RpcMisfit> {
    let Some(call) = &leg.grpc else {
        return Vec::new();
    };
    let at_method = |message: String, known: Vec<String>| RpcMisfit {
        path: vec!["grpc".to_owned()],
        message,
        known,
    };
    let Some(method) = known.method_at(&call.path()) else {
        let mut names: Vec<String> = known
            .calls()
            .map(|path| path.trim_start_matches('/').to_owned())
            .collect();
        names.sort_unstable();
        return vec![at_method(
            format!("the service has no method `{call}`"),
            names,
        )];
    };
    if method.client_streaming || method.server_streaming {
        let which = match (method.client_streaming, method.server_streaming) {
            (true, false) => "takes a stream of messages",
            (false, _) => "answers with a stream of messages",
            (true, true) => "has streams of messages both ways",
        };
        return vec![at_method(format!("`{call}` {which}"), Vec::new())];
    }
    let Some(message) = &leg.message else {
        return Vec::new();
    };
    let open = |text: &str| Template::parse_among(text).is_ok_and(|text| text.literal().is_none());
    let found = pattern::check(known.schema(), method.input, message.source(), &open);
    let found = found.into_iter().map(|misfit| RpcMisfit {
        path: iter::once("message".to_owned())
            .chain(misfit.path)
            .collect(),
        message: misfit.detail,
        known: misfit.known,
    });
    found.collect()
}
