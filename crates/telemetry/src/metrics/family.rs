//! Every metric of the gateway, declared once: exposition and documentation derive from here.

use super::cell::Bounds;

/// What a metric's value means.
#[derive(Clone, Copy)]
pub enum Kind {
    /// Only grows; its name ends in `_total`.
    Counter,
    /// Goes both ways.
    Gauge,
    /// Times in seconds, in buckets.
    Histogram(&'static Bounds),
}

impl Kind {
    /// The word of the exposition format.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Counter => "counter",
            Self::Gauge => "gauge",
            Self::Histogram(_) => "histogram",
        }
    }
}

/// A metric's declaration. A policy that owns metrics declares its families as statics.
pub struct Family {
    /// Full name, `lintel_…`.
    pub name: &'static str,
    /// What its value means.
    pub kind: Kind,
    /// One or two sentences for the operator.
    pub help: &'static str,
    /// Label names, in the order their values are given.
    pub labels: &'static [&'static str],
}

macro_rules! families {
    ($($id:ident = $kind:expr, $name:literal [$($label:literal),*] $help:literal;)+) => {
        $(
            #[doc = $help]
            pub static $id: Family = Family {
                name: $name,
                kind: $kind,
                help: $help,
                labels: &[$($label),*],
            };
        )+

        /// All families in the order they are exposed.
        pub static ALL: &[&Family] = &[$(&$id),+];
    };
}

/// Buckets for whole requests and upstream answers: 500 µs to 30 s.
pub static REQUEST_BOUNDS: Bounds = Bounds::new([
    (500_000, "0.0005"),
    (1_000_000, "0.001"),
    (2_500_000, "0.0025"),
    (5_000_000, "0.005"),
    (10_000_000, "0.01"),
    (25_000_000, "0.025"),
    (50_000_000, "0.05"),
    (100_000_000, "0.1"),
    (250_000_000, "0.25"),
    (500_000_000, "0.5"),
    (1_000_000_000, "1"),
    (2_500_000_000, "2.5"),
    (5_000_000_000, "5"),
    (10_000_000_000, "10"),
    (30_000_000_000, "30"),
]);

/// Buckets for the gateway's own time: 5 µs to 250 ms.
pub static OVERHEAD_BOUNDS: Bounds = Bounds::new([
    (5_000, "0.000005"),
    (10_000, "0.00001"),
    (25_000, "0.000025"),
    (50_000, "0.00005"),
    (100_000, "0.0001"),
    (250_000, "0.00025"),
    (500_000, "0.0005"),
    (1_000_000, "0.001"),
    (2_500_000, "0.0025"),
    (5_000_000, "0.005"),
    (10_000_000, "0.01"),
    (25_000_000, "0.025"),
    (50_000_000, "0.05"),
    (100_000_000, "0.1"),
    (250_000_000, "0.25"),
]);

families! {
    REQUESTS = Kind::Counter, "lintel_requests_total" ["route", "service", "method", "status"]
        "Requests answered. `route` is empty where no route matched, `service` where none was asked; methods outside RFC 9110 and PATCH count as OTHER.";
    REQUEST_DURATION = Kind::Histogram(&REQUEST_BOUNDS), "lintel_request_duration_seconds" ["route"]
        "Time from the complete request head to the last byte of the answer.";
    OVERHEAD = Kind::Histogram(&OVERHEAD_BOUNDS), "lintel_overhead_seconds" []
        "Time until the head of the answer that the gateway itself spent, waiting for upstreams and for the client excluded.";
    REJECTIONS = Kind::Counter, "lintel_rejections_total" ["policy", "reason"]
        "Requests refused by a policy or by a step of the gateway.";

    SPLIT_REQUESTS = Kind::Counter, "lintel_split_requests_total" ["route", "variant", "by"]
        "Requests of a split by the service chosen, and by what it was chosen: `weight`, `sticky`, `cookie` or `override`.";
    SHED = Kind::Counter, "lintel_shed_total" ["priority", "reason"]
        "Requests refused because the gateway is overloaded, by what it is short of: `queue_delay`, `memory`, `files` or `connections`.";
    PRESSURE = Kind::Gauge, "lintel_pressure_percent" ["signal", "worker"]
        "How much of what the gateway may be short of is used. `worker` is empty where it holds for the process.";

    FALLBACKS = Kind::Counter, "lintel_fallbacks_total" ["route", "reason"]
        "Requests that a route's fallback answered, by what the service failed with: `unreachable`, `unavailable`, `timeout` or `status`.";
    MIRROR_REQUESTS = Kind::Counter, "lintel_mirror_requests_total" ["route", "outcome"]
        "Requests chosen for mirroring: `answered`, `failed` or `timeout` where they were sent; `full` (too many on their way) or `body` (too large, or never whole) where not.";
    MIRROR_COMPARED = Kind::Counter, "lintel_mirror_compared_total" ["route", "result"]
        "Pairs of answers compared: `same`, or what differs: `status` or `body`.";
    COMPOSE_ANSWERS = Kind::Counter, "lintel_compose_answers_total" ["route", "result"]
        "Answers of compositions: `whole`, `partial` where an optional leg failed, `failed` where a required one did.";
    COMPOSE_COALESCED = Kind::Counter, "lintel_compose_coalesced_total" ["route"]
        "Requests that waited for the run of another one that was the same.";
    COMPOSE_LEGS = Kind::Counter, "lintel_compose_legs_total" ["route", "leg", "result"]
        "Legs of compositions, by what became of them: `answered`, `skipped`, `cancelled` where another one failed first, or the reason of their failure.";
    COMPOSE_LAST_GOOD = Kind::Counter, "lintel_compose_last_good_total" ["route", "leg"]
        "Legs of compositions that failed, in whose place their last good answer stood.";
    COMPOSE_LEG_DURATION = Kind::Histogram(&REQUEST_BOUNDS), "lintel_compose_leg_duration_seconds" ["route", "leg"]
        "Time that legs took from their call to the end of their answer.";
    FAULTS_INJECTED = Kind::Counter, "lintel_faults_injected_total" ["route", "fault"]
        "Faults injected on purpose: `delay`, `abort`, `bandwidth` or `reset`.";

    RATE_LIMIT_REQUESTS = Kind::Counter, "lintel_rate_limit_requests_total" ["scope", "limit", "outcome"]
        "Requests that a limit was asked about: `admitted`, `refused`, or `dry_run` where it would have refused and only counts. `scope` is where the limit is written: `defaults`, `routes.NAME`, `plans.NAME` or `consumers.NAME`.";
    CONCURRENCY_REQUESTS = Kind::Counter, "lintel_concurrency_requests_total" ["scope", "limit", "outcome"]
        "Requests that a limit of what is under way at once was asked about: `admitted`, `queued` where they had to wait first, `refused`, `timeout` where they waited in vain, or `dry_run` where it would not have admitted them at once and only counts.";
    CONCURRENCY_IN_FLIGHT = Kind::Gauge, "lintel_concurrency_in_flight" ["scope", "limit"]
        "Requests under way that a limit counts, those of all its callers together.";
    CONCURRENCY_QUEUED = Kind::Gauge, "lintel_concurrency_queued" ["scope", "limit"]
        "Requests that wait for a place in a limit now.";
    CONCURRENCY_UNCOUNTED = Kind::Counter, "lintel_concurrency_uncounted_total" []
        "Requests that were admitted uncounted because too many different callers had something under way at once.";
    LOAD_SHED_REQUESTS = Kind::Counter, "lintel_load_shed_requests_total" ["route", "priority", "outcome"]
        "Requests that load shedding decided about: `admitted`, `refused`, or `dry_run` where it would have refused and only counts.";
    LOAD_SHED_SHARE = Kind::Gauge, "lintel_load_shed_share_percent" ["route", "priority"]
        "Share of requests that load shedding holds back now; left out where it differs from one caller to the next.";
    EXT_AUTHZ_REQUESTS = Kind::Counter, "lintel_ext_authz_requests_total" ["route", "outcome"]
        "Requests that `ext_authz` decided about: `allowed` or `denied` by the service, `cached_allowed` or `cached_denied` by what it had said before, `body_too_large`, and `error` or `timeout` where the service gave no answer of use, whatever holds then.";
    JUDGEMENTS = Kind::Counter, "lintel_judgements_total" ["policy", "route", "outcome"]
        "Requests that `rego` or `cedar` decided about: `allowed`, `denied`, or `failed` where the policies could not be evaluated; `dry_run_denied` and `dry_run_failed` where the request would have been refused and was only counted.";
    INTROSPECTION_REQUESTS = Kind::Counter, "lintel_introspection_requests_total" ["route", "outcome"]
        "Requests with a token that `oauth2_introspection` decided about: `active` or `inactive` as the endpoint said or as the rules have it, `cached_active` or `cached_inactive` by what it had said before, and `error` or `timeout` where it gave no answer of use. Requests that waited for one answer count each.";
    QUOTA_REQUESTS = Kind::Counter, "lintel_quota_requests_total" ["scope", "quota", "outcome"]
        "Requests that a quota was asked about: `admitted`, `over` where they were admitted beyond it (`overage: allow`), `refused`, or `dry_run` where it would have refused and only counts.";
    QUOTA_THRESHOLDS = Kind::Counter, "lintel_quota_thresholds_total" ["scope", "quota", "threshold"]
        "Times that somebody has used up as much of a quota as one of its `soft` thresholds says.";
    QUOTA_OVERFLOW = Kind::Counter, "lintel_quota_overflow_total" []
        "Requests of callers for whom there was no room any more: they are counted together, as one caller. Not 0: raise `state.keys`.";
    USAGE_REQUESTS = Kind::Counter, "lintel_usage_requests_total" ["caller", "route", "status"]
        "Requests that are metered, since the start of the gateway; `/usage` of the admin API has those of before, too.";
    USAGE_BYTES = Kind::Counter, "lintel_usage_bytes_total" ["caller", "route", "status", "direction"]
        "Bytes of the bodies of metered requests (`received`) and of their answers (`sent`).";
    USAGE_OVERFLOW = Kind::Counter, "lintel_usage_overflow_total" []
        "Metered requests for whose caller, route and status there was no room any more: they are counted under `(overflow)`. Not 0: raise `state.keys`.";
    STORE_REQUESTS = Kind::Counter, "lintel_store_requests_total" ["store", "outcome"]
        "Requests to a store that replicas share: `ok`, `timeout`, `error`, or `skipped` where it was not asked because it has not answered for a while.";
    STORE_BYPASSED = Kind::Gauge, "lintel_store_bypassed_workers" ["store"]
        "Workers that do without a store for now because it has not answered; they try again every second.";
    REPLICAS = Kind::Gauge, "lintel_replicas" []
        "Replicas of this gateway as far as it knows, itself included: the number that is written, or the last that they counted.";
    REVOCATIONS = Kind::Gauge, "lintel_revocations" []
        "Entries in the list of what is revoked, those of the configuration included.";
    REVOCATIONS_FAILING = Kind::Gauge, "lintel_revocations_failing" ["store"]
        "1 while the store does not tell what is revoked, and the last list holds.";
    DIRECTORY_CONSUMERS = Kind::Gauge, "lintel_directory_consumers" []
        "Consumers in use that are kept outside the configuration.";
    DIRECTORY_PLANS = Kind::Gauge, "lintel_directory_plans" []
        "Plans in use that are kept outside the configuration.";
    DIRECTORY_REFUSED = Kind::Gauge, "lintel_directory_refused" []
        "Consumers and plans that can't be used as they are kept; what they were before holds. `/config/status` says why.";
    DIRECTORY_FAILING = Kind::Gauge, "lintel_directory_failing" []
        "1 while the file or store of consumers and plans can't be read, and the last ones hold.";
    RATE_LIMIT_KEYS = Kind::Gauge, "lintel_rate_limit_keys" []
        "Keys that limits are counted for, idle ones included that nothing has replaced yet.";
    RATE_LIMIT_DISPLACED = Kind::Counter, "lintel_rate_limit_keys_displaced_total" []
        "Keys that were forgotten before they were idle because there were too many: what they had spent is lost. Not 0 for long: raise `rate_limits.keys`.";

    UPSTREAM_DURATION = Kind::Histogram(&REQUEST_BOUNDS), "lintel_upstream_duration_seconds" ["service"]
        "Time from sending a request upstream to the head of its answer, per attempt.";
    UPSTREAM_ATTEMPTS = Kind::Counter, "lintel_upstream_attempts_total" ["service", "outcome"]
        "Requests sent upstream, replays and retries included, by how they ended.";
    UPSTREAM_REQUESTS_ACTIVE = Kind::Gauge, "lintel_upstream_requests_active" ["service"]
        "Requests now at an upstream.";
    UPSTREAM_RETRIES = Kind::Counter, "lintel_upstream_retries_total" ["service", "reason"]
        "Tries after the first, by what was wrong with the one before. Connecting elsewhere because an endpoint can't be connected to is not among them.";
    UPSTREAM_RETRY_BUDGET_EXHAUSTED = Kind::Counter, "lintel_upstream_retry_budget_exhausted_total" ["service"]
        "Tries that were not made because the service's retry budget was spent.";
    UPSTREAM_HEDGES = Kind::Counter, "lintel_upstream_hedges_total" ["service"]
        "Second tries that were begun beside a first one that took long. They count into the retry budget, and not into the retries.";
    UPSTREAM_HEDGES_WON = Kind::Counter, "lintel_upstream_hedges_won_total" ["service"]
        "Of these, those that gave the answer.";
    UPSTREAM_BREAKER_TRANSITIONS = Kind::Counter, "lintel_upstream_breaker_transitions_total" ["service", "to"]
        "Times that the service's breaker opened, let probes through (`half_open`), or closed.";
    UPSTREAM_BREAKER_STATE = Kind::Gauge, "lintel_upstream_breaker_state" ["service"]
        "What the breaker of a service that has one does with requests: 0 lets them pass (`closed`), 1 a few of them (`half_open`), 2 refuses them (`open`).";
    ROUTE_BREAKER_TRANSITIONS = Kind::Counter, "lintel_route_breaker_transitions_total" ["route", "to"]
        "Times that a route's own breaker opened, let probes through (`half_open`), or closed.";
    ROUTE_BREAKER_STATE = Kind::Gauge, "lintel_route_breaker_state" ["route"]
        "The same as `lintel_upstream_breaker_state` for routes that have a breaker of their own.";
    UPSTREAM_CONNECTIONS = Kind::Gauge, "lintel_upstream_connections" ["service"]
        "Open connections to upstreams, idle ones included.";
    UPSTREAM_CONNECTS = Kind::Counter, "lintel_upstream_connects_total" ["service"]
        "Connections dialled, whether they succeeded or not.";
    UPSTREAM_CONNECT_FAILURES = Kind::Counter, "lintel_upstream_connect_failures_total" ["service", "reason"]
        "Connections that could not be made.";
    UPSTREAM_POOL_HITS = Kind::Counter, "lintel_upstream_pool_hits_total" ["service", "from"]
        "Where the connection of an attempt came from: the worker's own pool, a sibling's, or a new dial.";
    ENDPOINT_HEALTHY = Kind::Gauge, "lintel_upstream_endpoint_healthy" ["service", "endpoint"]
        "1 while an endpoint is fit for requests, 0 while its checks fail, it was not checked yet, or it is ejected.";
    UPSTREAM_EJECTIONS = Kind::Counter, "lintel_upstream_ejections_total" ["service", "reason"]
        "Endpoints that were left out for a while for what requests to them had met with, by the rule that they broke.";
    UPSTREAM_HEALTH_CHECKS = Kind::Counter, "lintel_upstream_health_checks_total" ["service", "result"]
        "Health checks of endpoints: passed or failed.";

    DISCOVERY_UPDATES = Kind::Counter, "lintel_discovery_updates_total" ["service", "result"]
        "News from the source of a service's endpoints: applied, unchanged, empty (and not believed), or failed.";
    DISCOVERY_ENDPOINTS = Kind::Gauge, "lintel_discovery_endpoints" ["service"]
        "Endpoints that the source of a service listed in its last good answer.";
    DISCOVERY_LAST_SUCCESS = Kind::Gauge, "lintel_discovery_last_success_timestamp_seconds" ["service"]
        "When the source of a service's endpoints was last in touch, in seconds since 1970.";
    DISCOVERY_FAILING = Kind::Gauge, "lintel_discovery_failing" ["service"]
        "1 while the source of a service's endpoints fails and its last good answer is used.";

    KEY_REFRESHES = Kind::Counter, "lintel_key_refreshes_total" ["source", "result"]
        "Times that the keys of an issuer of tokens were fetched, by what came of it: `changed`, `unchanged` or `failed`.";
    KEYS = Kind::Gauge, "lintel_keys" ["source"]
        "Keys of an issuer that tokens are verified with.";
    KEYS_LAST_SUCCESS = Kind::Gauge, "lintel_keys_last_success_timestamp_seconds" ["source"]
        "When the keys of an issuer were last fetched, in seconds since 1970.";
    KEYS_FAILING = Kind::Gauge, "lintel_keys_failing" ["source"]
        "1 while the keys of an issuer can't be fetched and the last good ones are used.";
    DESCRIPTOR_REFRESHES = Kind::Counter, "lintel_descriptor_refreshes_total" ["service", "result"]
        "Times that a service was asked what its methods are (reflection), by what came of it: `changed`, `unchanged` or `failed`.";
    DESCRIPTORS_LAST_SUCCESS = Kind::Gauge, "lintel_descriptors_last_success_timestamp_seconds" ["service"]
        "When a service last said what its methods are, in seconds since 1970; 0 where it has not since the start, and at best a file is known of it.";
    DESCRIPTORS_FAILING = Kind::Gauge, "lintel_descriptors_failing" ["service"]
        "1 while a service does not say what its methods are, and what it said last is used.";

    IDENTITY_TOKENS_SIGNED = Kind::Counter, "lintel_identity_tokens_signed_total" []
        "Tokens that were signed to tell services who is calling. A caller's is used until it is about to end: many more than callers means that callers come with ever new credentials.";

    TOKEN_REQUESTS = Kind::Counter, "lintel_token_requests_total" ["source", "grant", "result"]
        "Times that the token endpoint of an issuer was asked, by what for (`authorization_code`, `refresh_token` or `token_exchange`) and by what came of it: `granted`, `refused` or `failed`.";

    CONNECTIONS_ACTIVE = Kind::Gauge, "lintel_connections_active" ["listener"]
        "Open client connections, idle ones included.";
    CONNECTIONS = Kind::Counter, "lintel_connections_total" ["listener"]
        "Client connections accepted.";
    CONNECTIONS_REFUSED = Kind::Counter, "lintel_connections_refused_total" ["listener", "reason"]
        "Client connections closed on arrival, or not accepted.";
    OBSERVED_PATHS = Kind::Counter, "lintel_observed_paths_total" ["listener", "reason"]
        "Requests whose path would be refused if the listener's path rules were enforced and not only observed.";
    MALFORMED_REQUESTS = Kind::Counter, "lintel_malformed_requests_total" ["listener", "reason"]
        "Messages that broke their protocol or one of its limits before they became a request.";
    TLS_HANDSHAKES = Kind::Counter, "lintel_tls_handshakes_total" ["listener", "version", "resumed", "outcome"]
        "TLS handshakes with clients. `version` is empty where none was agreed.";
    RECEIVED_BYTES = Kind::Counter, "lintel_received_bytes_total" ["listener"]
        "Bytes received from clients: what HTTP sends, tunnels included, inside TLS and after a PROXY protocol header.";
    SENT_BYTES = Kind::Counter, "lintel_sent_bytes_total" ["listener"]
        "Bytes sent to clients: what HTTP sends, tunnels included, inside TLS.";

    CONFIG_RELOADS = Kind::Counter, "lintel_config_reloads_total" ["outcome"]
        "Configurations offered after the start: applied, or rejected while the last good one went on.";
    CONFIG_GENERATION = Kind::Gauge, "lintel_config_generation" []
        "Number of the configuration that new requests run on; the first is 1.";
    CONFIG_GENERATIONS_LIVE = Kind::Gauge, "lintel_config_generations_live" []
        "Configurations that some request or connection still runs on.";
    CONFIG_LAST_SUCCESS = Kind::Gauge, "lintel_config_last_success_timestamp_seconds" []
        "When a configuration was last applied, in seconds since 1970.";
    PANICS = Kind::Counter, "lintel_panics_total" []
        "Defects that ended one request or task. Each is in the process log.";
    LOG_DROPPED = Kind::Counter, "lintel_log_dropped_total" ["sink"]
        "Log lines lost because the sink could not keep up or could not be written.";
    LOG_WRITE_ERRORS = Kind::Counter, "lintel_log_write_errors_total" ["sink"]
        "Failed writes to a log sink (disk full, broken pipe).";
    METRICS_OVERFLOW = Kind::Counter, "lintel_metrics_overflow_total" []
        "Times a label set got no series of its own because a worker's budget was spent; what it counts is under `(overflow)`.";
    WORKERS = Kind::Gauge, "lintel_workers" []
        "Worker threads.";
    BUILD_INFO = Kind::Gauge, "lintel_build_info" ["version"]
        "Always 1; the version is in the label.";

    PROCESS_CPU = Kind::Counter, "process_cpu_seconds_total" []
        "User and system CPU time spent by the process, in seconds.";
    PROCESS_RESIDENT = Kind::Gauge, "process_resident_memory_bytes" []
        "Resident memory of the process.";
    PROCESS_VIRTUAL = Kind::Gauge, "process_virtual_memory_bytes" []
        "Virtual memory of the process.";
    PROCESS_THREADS = Kind::Gauge, "process_threads" []
        "Threads of the process.";
    PROCESS_OPEN_FDS = Kind::Gauge, "process_open_fds" []
        "Open file descriptors.";
    PROCESS_MAX_FDS = Kind::Gauge, "process_max_fds" []
        "Limit of open file descriptors.";
    PROCESS_START = Kind::Gauge, "process_start_time_seconds" []
        "When the process started, in seconds since 1970.";
}

/// Label value of series that were refused one of their own by the budget. The parentheses keep it
/// from meeting a name in a configuration.
pub const OVERFLOW: &str = "(overflow)";
