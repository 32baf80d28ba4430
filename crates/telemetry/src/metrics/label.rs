//! Label values from fixed sets.

use http::Method;

macro_rules! label {
    ($(#[$doc:meta])* $name:ident { $($(#[$variant_doc:meta])* $variant:ident = $text:literal,)+ }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum $name {
            $($(#[$variant_doc])* $variant,)+
        }

        impl $name {
            /// Every value, in the order of their indices.
            pub const ALL: &'static [Self] = &[$(Self::$variant),+];
            /// How many there are.
            pub const COUNT: usize = Self::ALL.len();

            /// The text in the exposition.
            pub const fn as_str(self) -> &'static str {
                match self {
                    $(Self::$variant => $text,)+
                }
            }
        }
    };
}

label! {
    /// How an attempt at an upstream ended.
    AttemptOutcome {
        /// It answered with a status below 500.
        Answered = "answered",
        /// It answered with a status of 500 or above.
        ServerError = "server_error",
        /// No connection could be made.
        ConnectFailure = "connect_failure",
        /// The connection broke before the answer's head was complete.
        Reset = "reset",
        /// A deadline passed before the answer's head was complete.
        Timeout = "timeout",
        /// What it answered is not valid HTTP.
        Protocol = "protocol",
        /// The client left first.
        Cancelled = "cancelled",
    }
}

label! {
    /// Why a request was tried again.
    RetryReason {
        /// No connection could be made.
        ConnectFailure = "connect_failure",
        /// The connection broke, or what came is no valid answer.
        Reset = "reset",
        /// The upstream did not look at the request.
        RefusedStream = "refused_stream",
        /// No head came in time.
        Timeout = "timeout",
        /// The status of the answer.
        Status = "status",
        /// The gRPC status of the answer.
        Grpc = "grpc_status",
    }
}

label! {
    /// Where the connection of an attempt came from.
    PoolSource {
        /// The worker's own pool.
        Own = "own",
        /// The pool of another worker.
        Sibling = "sibling",
        /// It was dialled for this attempt.
        Dial = "dial",
    }
}

label! {
    /// A request's method, as far as it is a standard one: clients must not be able to make series.
    MethodLabel {
        /// `GET`
        Get = "GET",
        /// `HEAD`
        Head = "HEAD",
        /// `POST`
        Post = "POST",
        /// `PUT`
        Put = "PUT",
        /// `PATCH`
        Patch = "PATCH",
        /// `DELETE`
        Delete = "DELETE",
        /// `OPTIONS`
        Options = "OPTIONS",
        /// `CONNECT`
        Connect = "CONNECT",
        /// `TRACE`
        Trace = "TRACE",
        /// Any other.
        Other = "OTHER",
    }
}

impl MethodLabel {
    /// The label of a method.
    pub fn of(method: &Method) -> Self {
        match *method {
            Method::GET => Self::Get,
            Method::HEAD => Self::Head,
            Method::POST => Self::Post,
            Method::PUT => Self::Put,
            Method::PATCH => Self::Patch,
            Method::DELETE => Self::Delete,
            Method::OPTIONS => Self::Options,
            Method::CONNECT => Self::Connect,
            Method::TRACE => Self::Trace,
            _ => Self::Other,
        }
    }
}
