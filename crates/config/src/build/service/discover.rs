//! Sources of endpoints.

use std::{net::SocketAddr, sync::Arc};

use lintel_upstream::{
    discovery::{self, FileSource, Kind, SrvSource},
    service::Scheme,
};

use crate::{model, text::ServerAddress};

pub(super) fn build(discover: &model::Discover) -> discovery::Discover {
    let kind = match discover {
        model::Discover::File(file) => Kind::File(FileSource {
            path: file.path.as_path().to_owned(),
        }),
        model::Discover::DnsSrv(srv) => Kind::Srv(SrvSource {
            name: srv.name.as_str().into(),
            servers: servers(&srv.servers),
            max_ttl: srv.max_ttl.to_std(),
        }),
    };
    discovery::Discover {
        source: discovery::Source {
            kind,
            scheme: match discover.scheme() {
                model::DiscoverScheme::Http => Scheme::Http,
                model::DiscoverScheme::Https => Scheme::Https,
            },
        },
        allow_empty: discover.allow_empty(),
        required: discover.required(),
    }
}

pub(super) fn servers(servers: &[ServerAddress]) -> Arc<[SocketAddr]> {
    servers.iter().map(|server| server.0).collect()
}
