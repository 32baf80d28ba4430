//! REST in front of gRPC.

use std::sync::Arc;

use lintel_grpc::{BindingFault, Rule, Transcoder, descriptors::Pool, json};
use lintel_kernel::Fault;
use lintel_proxy::grpc::{Calls, Grpc, WebSockets};

use crate::{
    loaded::Loaded,
    model::{self, Service, ToGrpc, UnknownNames},
};

/// Why a route can't call a service: at the files of the service, or at the route.
pub(crate) enum Wrong {
    /// At one of the service's `descriptors`.
    File(usize, Fault),
    /// At the route's `grpc`.
    Route(Vec<Fault>),
}

pub(super) fn build(
    loaded: &Loaded,
    route: &str,
    to: &ToGrpc,
    service_index: usize,
) -> Result<Arc<Calls>, Fault> {
    let transcoder = match loaded.model.services.get(to.service.as_str()) {
        Some(service) if service.reflection.is_some() => {
            let mut grpc = grpc_of(to, service_index, Arc::new(Transcoder::unknown()));
            grpc.known = false;
            return Ok(Arc::new(Calls::new(Arc::new(grpc))));
        }
        Some(service) => transcoder(loaded, route, service, to).map_err(|wrong| match wrong {
            Wrong::File(_, fault) => fault,
            Wrong::Route(mut faults) => match faults.is_empty() {
                true => Fault::new("the methods can't be bound"),
                false => faults.remove(0),
            },
        }),
        None => Err(Fault::new(format!("there is no service `{}`", to.service))),
    };
    let transcoder = transcoder.map_err(|fault| fault.under("grpc"))?;
    let grpc = grpc_of(to, service_index, transcoder);
    Ok(Arc::new(Calls::new(Arc::new(grpc))))
}

/// What a route does with calls, by what is known of the methods.
pub(crate) fn grpc_of(to: &ToGrpc, service: usize, transcoder: Arc<Transcoder>) -> Grpc {
    let style = super::rpc::style(&to.json);
    Grpc {
        service,
        known: true,
        openapi: to.openapi.as_ref().map(|path| {
            let document = transcoder.openapi(to.service.as_str(), style);
            (path.0.path().into(), document.to_string().into())
        }),
        transcoder,
        unknown: match to.unknown {
            UnknownNames::Refuse => json::Unknown::Refuse,
            UnknownNames::Ignore => json::Unknown::Ignore,
        },
        style,
        rest: to.speaks == model::GrpcSpeaks::Json,
        web: to.web,
        websocket: to.websocket.as_ref().map(websockets),
        max_message: usize::try_from(to.max_message.as_u64()).unwrap_or(usize::MAX),
    }
}

fn websockets(rules: &model::GrpcWebSocket) -> WebSockets {
    let origins = rules.origins.iter().map(|origin| origin.as_str().into());
    WebSockets {
        origins: Some(origins.collect()).filter(|all: &Vec<_>| !all.is_empty()),
        max_message: usize::try_from(rules.max_message.as_u64()).unwrap_or(usize::MAX),
        max_duration: rules.max_duration.map(|most| most.to_std()),
    }
}

/// The ways to the methods of a service that a route offers.
pub(crate) fn transcoder(
    loaded: &Loaded,
    route: &str,
    service: &Service,
    to: &ToGrpc,
) -> Result<Arc<Transcoder>, Wrong> {
    loaded.descriptors.transcoder(route, |descriptors| {
        let pool = descriptors.pool(&service.descriptors).map_err(|fault| {
            let wrong = Fault::new(fault.message);
            let wrong = match fault.hint {
                Some(hint) => wrong.with_hint(hint),
                None => wrong,
            };
            Wrong::File(fault.file, wrong)
        })?;
        bound(&pool, to)
    })
}

/// The ways to methods by what a service's descriptors say.
///
/// # Errors
/// All that does not fit them.
pub(crate) fn transcoder_of(pool: &Pool, to: &ToGrpc) -> Result<Transcoder, Vec<BindingFault>> {
    let expose: Vec<&str> = to.expose.iter().map(|name| name.as_str()).collect();
    let bind: Vec<(&str, Vec<Rule>)> = to
        .bind
        .iter()
        .map(|(name, rules)| (name.as_str(), rules.iter().map(rule).collect()))
        .collect();
    Transcoder::new(pool, &expose, &bind)
}

fn bound(pool: &Pool, to: &ToGrpc) -> Result<Transcoder, Wrong> {
    transcoder_of(pool, to).map_err(|faults| {
        let faults = faults.into_iter();
        let faults = faults.map(|fault| {
            let bound = to.bind.keys().any(|name| name.as_str() == fault.method);
            let exposed = to
                .expose
                .iter()
                .position(|name| name.as_str() == fault.method);
            match (bound, exposed) {
                (true, _) => Fault::new(fault.message)
                    .under(&*fault.method)
                    .under("bind"),
                (_, Some(at)) => Fault::new(fault.message)
                    .under(at.to_string())
                    .under("expose"),
                _ => Fault::new(format!(
                    "the annotation of `{}`: {}",
                    fault.method, fault.message
                )),
            }
        });
        Wrong::Route(faults.collect())
    })
}

fn rule(binding: &model::GrpcBinding) -> Rule {
    Rule {
        method: binding.method.0.as_str().to_owned(),
        path: binding.path.to_string(),
        body: binding.body.clone(),
        response_body: binding.response_body.clone(),
    }
}
