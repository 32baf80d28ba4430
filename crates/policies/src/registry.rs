//! Turns the one list of policies in `lib.rs` into everything that needs it: the configuration
//! type, the chain, the documentation index.

use crate::{Policy, Setting};

/// Declares the policies, in the order they run. See `lib.rs`.
macro_rules! registry {
    ($( $(#[doc = $doc:literal])+ $phase:ident $name:ident => $type:ident; )+) => {
        $( pub mod $name; )+

        /// Every policy, in the order requests pass them.
        pub const REGISTRY: &[Entry] = &[
            $( Entry {
                name: stringify!($name),
                phase: ::lintel_kernel::Phase::$phase,
                summary: concat!($($doc),+),
                readme: include_str!(concat!(stringify!($name), "/README.md")),
            }, )+
        ];

        /// The policies of a route, or the defaults that every route inherits. The order in which
        /// they are written means nothing: they always run in the order of their phases.
        #[::lintel_kernel::config]
        #[derive(Default)]
        pub struct RoutePolicies {
            $(
                $(#[doc = $doc])+
                #[serde(default)]
                pub $name: Option<$crate::Setting<<$name::$type as $crate::Policy>::Config>>,
            )+
        }

        impl RoutePolicies {
            /// A route's policies over the defaults: a policy that the route names replaces the
            /// default of the same name as a whole, unless [`Policy::merge`]($crate::Policy::merge)
            /// says otherwise.
            pub fn merged(&self, defaults: &Self) -> Self {
                Self { $( $name: $crate::registry::merged::<$name::$type>(self.$name.as_ref(), defaults.$name.as_ref()), )+ }
            }

            /// Only the policies that observe: what a request gets that matched no route.
            pub fn observing(&self) -> Self {
                Self { $( $name: match ::lintel_kernel::Phase::$phase {
                    ::lintel_kernel::Phase::Observe => self.$name.clone(),
                    _ => None,
                }, )+ }
            }

            /// The services that the policies ask, with their places from the policy's key on.
            pub fn services(&self) -> Vec<$crate::ServiceRef<'_>> {
                let mut found = Vec::new();
                $( if let Some($crate::Setting::On(config)) = &self.$name {
                    let named = <$name::$type as $crate::Policy>::services(config);
                    found.extend(named.into_iter().map(|named| named.under(stringify!($name))));
                } )+
                found
            }

            /// Names of the policies that are set here, switched off ones left out.
            pub fn names(&self) -> Vec<&'static str> {
                let mut names = Vec::new();
                $( if let Some($crate::Setting::On(_)) = &self.$name { names.push(stringify!($name)); } )+
                names
            }
        }

        /// One built policy.
        pub(crate) enum Link {
            $( #[allow(clippy::upper_case_acronyms)] $type($name::$type), )+
            /// Not a policy: the end of the phase *authenticate*.
            Gate($crate::gate::Gate),
        }

        impl Link {
            /// Builds the links of a chain in registry order, collecting every fault.
            pub(crate) fn build_all(policies: &RoutePolicies, context: &$crate::Context) -> (Vec<Self>, Vec<::lintel_kernel::Fault>) {
                let (mut links, mut faults) = (Vec::new(), Vec::new());
                $(
                    if let Some($crate::Setting::On(config)) = &policies.$name {
                        match <$name::$type as $crate::Policy>::build(config, context) {
                            Ok(policy) => links.push(Self::$type(policy)),
                            Err(found) => faults.extend(found.into_iter().map(|fault| fault.under(stringify!($name)))),
                        }
                    }
                )+
                (links, faults)
            }

            pub(crate) const fn name(&self) -> &'static str {
                match self { $( Self::$type(_) => stringify!($name), )+ Self::Gate(_) => $crate::gate::Gate::NAME }
            }

            pub(crate) const fn phase(&self) -> ::lintel_kernel::Phase {
                match self { $( Self::$type(_) => ::lintel_kernel::Phase::$phase, )+ Self::Gate(_) => ::lintel_kernel::Phase::Authenticate }
            }

            pub(crate) fn describe(&self) -> Vec<String> {
                match self { $( Self::$type(policy) => $crate::Policy::describe(policy), )+ Self::Gate(_) => Vec::new() }
            }

            pub(crate) fn challenge(&self) -> Option<::http::HeaderValue> {
                match self { $( Self::$type(policy) => $crate::Policy::challenge(policy), )+ Self::Gate(_) => None }
            }

            pub(crate) fn needs_identity(&self) -> bool {
                match self { $( Self::$type(policy) => $crate::Policy::needs_identity(policy), )+ Self::Gate(_) => false }
            }

            pub(crate) fn start(&self, control: &::lintel_upstream::Control) {
                match self { $( Self::$type(policy) => $crate::Policy::start(policy, control), )+ Self::Gate(_) => {} }
            }

            pub(crate) fn issuers(&self) -> Vec<::std::sync::Arc<$crate::Issuer>> {
                match self { $( Self::$type(policy) => $crate::Policy::issuers(policy), )+ Self::Gate(_) => Vec::new() }
            }

            pub(crate) fn held_back(&self) -> Option<[f64; 3]> {
                match self { $( Self::$type(policy) => $crate::Policy::held_back(policy), )+ Self::Gate(_) => None }
            }

            pub(crate) fn quotas(&self) -> Vec<::std::sync::Arc<$crate::quota::Quota>> {
                match self { $( Self::$type(policy) => $crate::Policy::quotas(policy), )+ Self::Gate(_) => Vec::new() }
            }

            pub(crate) fn on_request(&self, exchange: &mut ::lintel_kernel::Exchange, body: &mut ::lintel_http::Body) -> ::lintel_kernel::Flow<::http::Response<::lintel_http::Body>> {
                match self {
                    $( Self::$type(policy) => $crate::Policy::on_request(policy, exchange, body), )+
                    Self::Gate(gate) => match gate.check(exchange) {
                        Ok(()) => ::lintel_kernel::Flow::Next,
                        Err(rejection) => ::lintel_kernel::Flow::Refuse(rejection),
                    },
                }
            }

            pub(crate) async fn resume(&self, exchange: &mut ::lintel_kernel::Exchange, body: &mut ::lintel_http::Body, wait: &$crate::Wait<'_>) -> ::lintel_kernel::Flow<::http::Response<::lintel_http::Body>> {
                match self { $( Self::$type(policy) => $crate::Policy::resume(policy, exchange, body, wait).await, )+ Self::Gate(_) => ::lintel_kernel::Flow::Next }
            }

            /// Sees an answer on its way out, unless it has to be read whole first: then it says so.
            pub(crate) fn on_response(&self, exchange: &mut ::lintel_kernel::Exchange, response: &mut ::http::Response<::lintel_http::Body>) -> bool {
                match self {
                    $( Self::$type(policy) => {
                        let remakes = $crate::Policy::remakes(policy, exchange, response);
                        if !remakes {
                            $crate::Policy::on_response(policy, exchange, response);
                        }
                        remakes
                    } )+
                    Self::Gate(_) => false,
                }
            }

            pub(crate) async fn remake(&self, exchange: &mut ::lintel_kernel::Exchange, response: &mut ::http::Response<::lintel_http::Body>) -> Result<(), ::lintel_kernel::Rejection> {
                match self { $( Self::$type(policy) => $crate::Policy::remake(policy, exchange, response).await, )+ Self::Gate(_) => Ok(()) }
            }

            pub(crate) fn on_end(&self, exchange: &::lintel_kernel::Exchange, ending: &::lintel_kernel::Ending) {
                match self { $( Self::$type(policy) => $crate::Policy::on_end(policy, exchange, ending), )+ Self::Gate(_) => {} }
            }
        }
    };
}
pub(crate) use registry;

/// What is known of a policy without building it.
#[derive(Debug, Clone, Copy)]
pub struct Entry {
    /// Its key in the configuration; also its label in metrics, logs and docs.
    pub name: &'static str,
    /// When it runs.
    pub phase: lintel_kernel::Phase,
    /// One sentence.
    pub summary: &'static str,
    /// Its documentation page.
    pub readme: &'static str,
}

/// A policy's setting on a route over that of the defaults.
pub(crate) fn merged<P: Policy>(
    own: Option<&Setting<P::Config>>,
    inherited: Option<&Setting<P::Config>>,
) -> Option<Setting<P::Config>> {
    match (own, inherited) {
        (None, Some(Setting::On(inherited))) => Some(Setting::On(P::merge(None, inherited))),
        (Some(Setting::On(own)), Some(Setting::On(inherited))) => {
            Some(Setting::On(P::merge(Some(own), inherited)))
        }
        (own, inherited) => own.or(inherited).cloned(),
    }
}

/// Whether the list is in phase order; checked at compile time.
pub(crate) const fn is_ordered(entries: &[Entry]) -> bool {
    let mut rest = entries;
    while let [first, tail @ ..] = rest {
        if let [second, ..] = tail
            && first.phase as u8 > second.phase as u8
        {
            return false;
        }
        rest = tail;
    }
    true
}
