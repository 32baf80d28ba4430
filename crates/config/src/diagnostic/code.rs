//! The stable names of everything that can be wrong. Scripts and editors may rely on them.

macro_rules! codes {
    ($($(#[$doc:meta])* $name:ident = $text:literal;)+) => {
        $($(#[$doc])* pub const $name: &str = $text;)+

        /// Every code of this crate.
        pub const ALL: &[&str] = &[$($text),+];
    };
}

codes! {
    /// A file or folder can't be read.
    UNREADABLE = "unreadable-config";
    /// There is no configuration at the path.
    NOTHING_TO_READ = "nothing-to-read";
    /// A file, or what its aliases expand to, is larger than is sensible.
    TOO_LARGE = "too-large";
    /// The file is not YAML.
    YAML_SYNTAX = "yaml-syntax";
    /// An alias without its anchor, or a merge of something that is no map.
    YAML_ALIAS = "yaml-alias";
    /// A YAML tag.
    YAML_TAG = "yaml-tag";
    /// More than one document in a file.
    YAML_DOCUMENTS = "yaml-documents";
    /// A key is written twice in one map.
    DUPLICATE_KEY = "duplicate-key";
    /// A name is defined in two files.
    DEFINED_TWICE = "defined-twice";
    /// `${env.…}` or `${file.…}` can't be resolved.
    SUBSTITUTION = "substitution";
    /// A key that does not exist.
    UNKNOWN_KEY = "unknown-key";
    /// A key of the language that this version does not have yet.
    NOT_YET = "not-yet-supported";
    /// A key that must be there.
    MISSING_KEY = "missing-key";
    /// A key without a value.
    MISSING_VALUE = "missing-value";
    /// A value of another type.
    WRONG_TYPE = "wrong-type";
    /// A word that is none of the allowed ones.
    UNKNOWN_VALUE = "unknown-value";
    /// A text that can't be read as what it should be.
    INVALID_VALUE = "invalid-value";
    /// A name of an item with characters that names can't have.
    INVALID_NAME = "invalid-name";
    /// A number outside its range.
    OUT_OF_RANGE = "out-of-range";
    /// Fewer items than needed.
    TOO_FEW = "too-few";
    /// The same item twice in a list.
    REPEATED = "repeated";
    /// Keys that exclude each other, or not exactly one of several.
    ONE_OF = "one-of";
    /// An expression that can't be used.
    INVALID_EXPRESSION = "invalid-expression";
    /// A value of the answer read before there is one.
    NO_RESPONSE_YET = "no-response-yet";
    /// `path.<param>` that the route's paths do not capture.
    UNKNOWN_PARAMETER = "unknown-parameter";
    /// A service that is not declared.
    UNKNOWN_SERVICE = "unknown-service";
    /// A listener that is not declared.
    UNKNOWN_LISTENER = "unknown-listener";
    /// A route that is not declared.
    UNKNOWN_ROUTE = "unknown-route";
    /// A group that is not declared.
    UNKNOWN_GROUP = "unknown-group";
    /// A leg that does not exist.
    UNKNOWN_LEG = "unknown-leg";
    /// A plan that is not declared.
    UNKNOWN_PLAN = "unknown-plan";
    /// A store that is not declared.
    UNKNOWN_STORE = "unknown-store";
    /// Two listeners on one address.
    DUPLICATE_BIND = "duplicate-bind";
    /// A file that is named and is not there or can't be read.
    FILE_NOT_FOUND = "file-not-found";
    /// A certificate, key or CA that can't be used.
    TLS = "tls";
    /// Two routes that could both take a request, with nothing to choose between them.
    AMBIGUOUS_ROUTES = "ambiguous-routes";
    /// A route that never or hardly ever matches.
    UNREACHABLE_ROUTE = "unreachable-route";
    /// Settings that contradict each other.
    CONFLICT = "conflict";
    /// A header that the gateway writes itself.
    MANAGED_HEADER = "managed-header";
    /// The configuration could not be understood for a reason that no other check found.
    INVALID = "invalid";

    /// A service that no route uses.
    UNUSED_SERVICE = "unused-service";
    /// A store that nothing uses.
    UNUSED_STORE = "unused-store";
    /// A listener to which no route answers.
    IDLE_LISTENER = "idle-listener";
    /// No routes at all.
    NO_ROUTES = "no-routes";
    /// The admin API is reachable from elsewhere without a token.
    ADMIN_WITHOUT_TOKEN = "admin-without-token";
    /// The admin API is reachable from elsewhere without TLS.
    ADMIN_WITHOUT_TLS = "admin-without-tls";
    /// Certificates of an upstream are not verified.
    VERIFICATION_OFF = "verification-off";
    /// A secret crosses the network in plaintext.
    PLAINTEXT_SECRET = "plaintext-secret";
    /// A private key that every user of the machine can read.
    KEY_PERMISSIONS = "key-permissions";
    /// A secret that is written in the configuration itself.
    INLINE_SECRET = "inline-secret";
    /// Every client may claim any address.
    TRUSTS_EVERYONE = "trusts-everyone";
    /// A setting that changes nothing.
    NO_EFFECT = "no-effect";
    /// A request may be carried out twice.
    MAY_RUN_TWICE = "may-run-twice";
    /// A retry budget that does not hold retries back.
    RETRY_STORM = "retry-storm";
    /// One endpoint listed twice.
    DUPLICATE_ENDPOINT = "duplicate-endpoint";
    /// Counts that a restart forgets.
    FORGETS = "forgets";
    /// A limit that each replica counts on its own, with several replicas declared.
    LIMIT_PER_REPLICA = "limit-per-replica";
}
