//! The policies of one route, ready to run.

use std::sync::Arc;

use http::Response;
use lintel_http::Body;
use lintel_kernel::{Ending, Exchange, Fault, Flow, Phase, Rejection};

use lintel_upstream::Control;

use crate::{Context, Issuer, Link, RoutePolicies, Wait, gate::Gate, quota::Quota, token_exchange};

/// The policies of one route in the order they run.
#[derive(Default)]
pub struct Chain {
    links: Box<[Link]>,
}

/// How far a request came through a chain. Answers run back through just these policies.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct Depth(usize);

impl Chain {
    /// Builds a route's merged policies.
    ///
    /// # Errors
    /// Every fault of every policy.
    pub fn build(policies: &RoutePolicies, context: &Context) -> Result<Self, Vec<Fault>> {
        let (mut links, mut faults) = Link::build_all(policies, context);
        faults.extend(close(&mut links, policies));
        if faults.is_empty() {
            Ok(Self {
                links: links.into(),
            })
        } else {
            Err(faults)
        }
    }

    /// What is wrong with policies as they are written: each by itself, and, for those of a route, all that
    /// it has together with what it inherits. What that lacks, routes may have.
    pub fn faults(
        policies: &RoutePolicies,
        inherited: Option<&RoutePolicies>,
        context: &Context,
    ) -> Vec<Fault> {
        let (_, mut faults) = Link::build_all(policies, context);
        if let (Some(inherited), []) = (inherited, &*faults) {
            let merged = policies.merged(inherited);
            let (mut links, others) = Link::build_all(&merged, context);
            // Mistakes in what is inherited are told there.
            if others.is_empty() {
                faults = close(&mut links, &merged);
            }
        }
        faults
    }

    /// Starts what the policies run beside the requests. To be called before the first request, and
    /// for every configuration that comes into use; what runs already goes on.
    pub fn start(&self, control: &Control) {
        for link in &self.links {
            link.start(control);
        }
    }

    /// Issuers of credentials whose keys the policies fetch.
    pub fn issuers(&self) -> impl Iterator<Item = Arc<Issuer>> {
        self.links.iter().flat_map(Link::issuers)
    }

    /// Quotas that its requests are counted by, those of consumers and plans included.
    pub fn quotas(&self) -> impl Iterator<Item = Arc<Quota>> {
        self.links.iter().flat_map(Link::quotas)
    }

    /// The share of its requests that load shedding holds back now, by priority.
    pub fn held_back(&self) -> Option<[f64; 3]> {
        self.links.iter().find_map(Link::held_back)
    }

    /// Runs a request through the chain, from where `depth` says, until a policy answers, refuses
    /// or has to wait. Moves `depth` along.
    pub fn on_request(
        &self,
        depth: &mut Depth,
        exchange: &mut Exchange,
        body: &mut Body,
    ) -> Flow<Response<Body>> {
        while let Some(link) = self.links.get(depth.0) {
            depth.0 += 1;
            match link.on_request(exchange, body) {
                Flow::Next => {}
                decided => return decided,
            }
        }
        Flow::Next
    }

    /// Goes on after [`Flow::Wait`]: waits with the policy that said so, and then runs the rest of
    /// the chain. Never ends in [`Flow::Wait`].
    pub async fn resume(
        &self,
        depth: &mut Depth,
        exchange: &mut Exchange,
        body: &mut Body,
        wait: &Wait<'_>,
    ) -> Flow<Response<Body>> {
        while let Some(waiting) = depth.0.checked_sub(1).and_then(|at| self.links.get(at)) {
            let decided = match waiting.resume(exchange, body, wait).await {
                Flow::Next => self.on_request(depth, exchange, body),
                decided => decided,
            };
            if !matches!(decided, Flow::Wait) {
                return decided;
            }
        }
        Flow::Next
    }

    /// Runs an answer back through the policies that its request passed. Moves `depth` along. Stops at
    /// one that must read the answer whole, and says so: [`remake`](Self::remake) it, and go on.
    pub fn on_response(
        &self,
        depth: &mut Depth,
        exchange: &mut Exchange,
        response: &mut Response<Body>,
    ) -> bool {
        let passed = std::mem::take(&mut depth.0);
        for (at, link) in self.links.iter().enumerate().take(passed).rev() {
            if link.on_response(exchange, response) {
                depth.0 = at;
                return true;
            }
        }
        false
    }

    /// Lets the policy that [`on_response`](Self::on_response) stopped at make another answer.
    ///
    /// # Errors
    /// The answer is not what it has to be; the client gets the refusal in its place.
    pub async fn remake(
        &self,
        depth: Depth,
        exchange: &mut Exchange,
        response: &mut Response<Body>,
    ) -> Result<(), Rejection> {
        match self.links.get(depth.0) {
            Some(link) => link.remake(exchange, response).await,
            None => Ok(()),
        }
    }

    /// Tells every policy that the request has ended, refused ones included.
    pub fn on_end(&self, exchange: &Exchange, ending: &Ending) {
        for link in &self.links {
            link.on_end(exchange, ending);
        }
    }

    /// What the policies say of themselves, by name, in the order they run.
    pub fn descriptions(&self) -> impl Iterator<Item = (&'static str, Vec<String>)> {
        let links = self.links.iter();
        links.map(|link| (link.name(), link.describe()))
    }

    /// Names of the policies, in the order they run.
    pub fn names(&self) -> impl Iterator<Item = &'static str> {
        let policies = self
            .links
            .iter()
            .filter(|link| !matches!(link, Link::Gate(_)));
        policies.map(Link::name)
    }
}

/// Ends the phase *authenticate*, and finds what policies lack of each other.
fn close(links: &mut Vec<Link>, policies: &RoutePolicies) -> Vec<Fault> {
    let closed = close_authenticate(links);
    let unfed = token_exchange::without_token(policies);
    closed.err().into_iter().chain(unfed).collect()
}

/// Puts the gate behind the last policy that can tell who is calling.
fn close_authenticate(links: &mut Vec<Link>) -> Result<(), Fault> {
    let identifies = |link: &Link| link.phase() == Phase::Authenticate;
    match links.iter().rposition(identifies) {
        Some(last) => {
            let challenges = links.iter().filter_map(Link::challenge).collect();
            links.insert(last + 1, Link::Gate(Gate::new(challenges)));
            Ok(())
        }
        None => match links.iter().find(|link| link.needs_identity()) {
            Some(link) => Err(Fault::new(
                "nothing here tells who is calling, so nobody would pass",
            )
            .with_hint("add a policy that does, such as `jwt`")
            .discreet()
            .under(link.name())),
            None => Ok(()),
        },
    }
}
