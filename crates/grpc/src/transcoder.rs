//! Everything that is known of a service's methods: how they are reached, and what they take.

use std::{collections::HashMap, sync::Arc};

use http::Method as Verb;
use prost_reflect::{DescriptorPool, prost_types::method_options::IdempotencyLevel};

use crate::{
    binding::{Binding, Method},
    paths::Paths,
    rule::Rule,
    schema::{MessageId, Schema},
};

/// The methods of a service and the ways to them.
#[derive(Debug)]
pub struct Transcoder {
    schema: Schema,
    /// By the paths of their calls.
    methods: HashMap<Box<str>, Arc<Method>>,
    /// The first way to each of them.
    first: HashMap<Box<str>, Arc<Binding>>,
    bindings: Vec<Arc<Binding>>,
    paths: Paths<Vec<Arc<Binding>>>,
    status: Option<MessageId>,
}

/// Methods that are bound by hand: the full name, and the rules that go in place of its annotation.
pub type ByHand<'a> = &'a [(&'a str, Vec<Rule>)];

/// Why a method can't be reached as it should be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BindingFault {
    /// The full name of the method.
    pub method: String,
    /// What is wrong.
    pub message: String,
}

/// Which way a request goes.
#[derive(Debug)]
pub enum Lookup<'a> {
    /// This one.
    Found(&'a Arc<Binding>),
    /// Other methods than that of the request lead there.
    MethodNotAllowed(Vec<&'a Verb>),
    /// None.
    NotFound,
}

impl Transcoder {
    /// Of a service of which nothing is known yet.
    pub fn unknown() -> Self {
        Self::of(&DescriptorPool::new())
    }

    /// The methods of all services of a pool, by the paths of their calls alone: whatever their
    /// annotations say, no request leads to them.
    pub fn callable(pool: &DescriptorPool) -> Self {
        let mut transcoder = Self::of(pool);
        for descriptor in pool
            .services()
            .flat_map(|service| service.methods().collect::<Vec<_>>())
        {
            if let Some(method) = transcoder.method(&descriptor) {
                let path = method.path.as_str().into();
                transcoder.methods.insert(path, method);
            }
        }
        transcoder
    }

    fn of(pool: &DescriptorPool) -> Self {
        let schema = Schema::new(pool);
        Self {
            status: schema.find("google.rpc.Status"),
            schema,
            methods: HashMap::new(),
            first: HashMap::new(),
            bindings: Vec::new(),
            paths: Paths::default(),
        }
    }

    /// Binds the methods of all services of a pool, or of those that are named.
    ///
    /// # Errors
    /// Everything that is wrong with rules, and methods by hand that are not there.
    pub fn new(
        pool: &DescriptorPool,
        services: &[&str],
        by_hand: ByHand<'_>,
    ) -> Result<Self, Vec<BindingFault>> {
        let mut transcoder = Self::of(pool);
        let mut faults = Vec::new();
        for name in services {
            if pool.get_service_by_name(name).is_none() {
                faults.push(BindingFault {
                    method: (*name).to_owned(),
                    message: format!("the descriptors have no service `{name}`"),
                });
            }
        }
        let mut left: Vec<&str> = by_hand.iter().map(|(name, _)| *name).collect();
        let wanted = |name: &str| services.is_empty() || services.contains(&name);
        let all = pool
            .services()
            .filter(|service| wanted(service.full_name()));
        for descriptor in all.flat_map(|service| service.methods().collect::<Vec<_>>()) {
            let name = descriptor.full_name();
            left.retain(|other| *other != name);
            let mut hand = by_hand.iter().filter(|(other, _)| *other == name);
            let rules = match hand.next() {
                Some((_, rules)) => rules.clone(),
                None => Rule::annotated(&descriptor),
            };
            let Some(method) = transcoder.method(&descriptor) else {
                continue;
            };
            let path = method.path.as_str().into();
            transcoder.methods.insert(path, Arc::clone(&method));
            for rule in &rules {
                if let Err(message) = transcoder.bind(&method, rule) {
                    faults.push(BindingFault {
                        method: name.to_owned(),
                        message,
                    });
                }
            }
        }
        faults.extend(left.into_iter().map(|name| BindingFault {
            method: name.to_owned(),
            message: format!("the descriptors have no method `{name}`"),
        }));
        if faults.is_empty() {
            Ok(transcoder)
        } else {
            Err(faults)
        }
    }

    fn method(&self, descriptor: &prost_reflect::MethodDescriptor) -> Option<Arc<Method>> {
        let service = descriptor.parent_service().full_name();
        Some(Arc::new(Method {
            name: descriptor.full_name().into(),
            path: format!("/{service}/{}", descriptor.name()).parse().ok()?,
            input: self.schema.find(descriptor.input().full_name())?,
            output: self.schema.find(descriptor.output().full_name())?,
            client_streaming: descriptor.is_client_streaming(),
            server_streaming: descriptor.is_server_streaming(),
            harmless: is_harmless(descriptor),
        }))
    }

    fn bind(&mut self, method: &Arc<Method>, rule: &Rule) -> Result<(), String> {
        let binding = Arc::new(Binding::new(&self.schema, method, rule)?);
        let known = self.paths.entry(&binding.template);
        if let Some(other) = known.iter().find(|other| other.verb == binding.verb) {
            return Err(format!(
                "{} {} leads to `{}` already",
                rule.method, rule.path, other.method.name
            ));
        }
        known.push(Arc::clone(&binding));
        let call = method.path.as_str().into();
        self.first
            .entry(call)
            .or_insert_with(|| Arc::clone(&binding));
        self.bindings.push(binding);
        Ok(())
    }

    /// The message types.
    pub const fn schema(&self) -> &Schema {
        &self.schema
    }

    /// All ways to methods, in the order of their declaration.
    pub fn bindings(&self) -> &[Arc<Binding>] {
        &self.bindings
    }

    /// The paths of the calls of all methods.
    pub fn calls(&self) -> impl Iterator<Item = &str> {
        self.methods.keys().map(|path| &**path)
    }

    /// The method that a call of this path calls, such as `/package.Service/Method`.
    pub fn method_at(&self, path: &str) -> Option<&Arc<Method>> {
        self.methods.get(path)
    }

    /// The first way to the method that a call of this path calls.
    pub fn binding_of(&self, path: &str) -> Option<&Arc<Binding>> {
        self.first.get(path)
    }

    /// The type `google.rpc.Status`.
    pub(crate) const fn status(&self) -> Option<MessageId> {
        self.status
    }

    /// The way to a method with a stream, whatever the HTTP method: a WebSocket is opened by `GET`.
    pub fn find_stream(&self, path: &str) -> Option<&Arc<Binding>> {
        let streams = |binding: &&Arc<Binding>| {
            binding.method.client_streaming || binding.method.server_streaming
        };
        let found = self.paths.find(path, &mut |bindings| {
            bindings.iter().any(|one| streams(&one))
        });
        found?.iter().find(streams)
    }

    /// The way of a request. `HEAD` goes where `GET` goes.
    pub fn find(&self, verb: &Verb, path: &str) -> Lookup<'_> {
        let verb = if *verb == Verb::HEAD {
            &Verb::GET
        } else {
            verb
        };
        let fit = |bindings: &Vec<Arc<Binding>>| {
            let exact = bindings
                .iter()
                .position(|binding| binding.verb.as_ref() == Some(verb));
            exact.or_else(|| bindings.iter().position(|binding| binding.verb.is_none()))
        };
        // What other methods lead to: told if none fits.
        let mut others = false;
        let found = self.paths.find(path, &mut |bindings| {
            let fits = fit(bindings).is_some();
            others |= !fits;
            fits
        });
        if let Some(bindings) = found
            && let Some(binding) = fit(bindings).and_then(|at| bindings.get(at))
        {
            return Lookup::Found(binding);
        }
        if !others {
            return Lookup::NotFound;
        }
        let mut allowed: Vec<&Verb> = Vec::new();
        let first = self.paths.find(path, &mut |_| true);
        for binding in first.into_iter().flatten() {
            allowed.extend(binding.verb.as_ref());
        }
        Lookup::MethodNotAllowed(allowed)
    }
}

/// Whether a method says that calling it changes nothing (`idempotency_level`).
fn is_harmless(descriptor: &prost_reflect::MethodDescriptor) -> bool {
    let options = descriptor.method_descriptor_proto().options.as_ref();
    options.is_some_and(|options| options.idempotency_level() == IdempotencyLevel::NoSideEffects)
}
