//! The three proxies. Each has several lanes, a listener with an origin of its own, so that cases run
//! side by side and it is known which request belongs to which.

use std::{fmt::Write as _, fs, net::SocketAddr, process::Child};

use tempfile::TempDir;

use crate::{
    origin::Recorder,
    support::{
        Gateway,
        servers::{launch, on_free_ports},
        text,
    },
};

pub(crate) const LANES: usize = 8;

pub(crate) struct Proxy {
    pub(crate) name: &'static str,
    pub(crate) lanes: Vec<Lane>,
    /// Whether every request that it forwards bears an id.
    pub(crate) marks: bool,
    _process: Process,
}

pub(crate) struct Lane {
    pub(crate) address: SocketAddr,
    pub(crate) origin: Recorder,
}

enum Process {
    Lintel(Gateway),
    Other(Other),
}

struct Other {
    _folder: TempDir,
    child: Child,
}

impl Proxy {
    pub(crate) fn lintel() -> Self {
        let origins: Vec<Recorder> = (0..LANES).map(|_| Recorder::start()).collect();
        let limits = "limits: { header_timeout: 500ms, body_idle: 500ms, idle: 2s }";
        let mut yaml = "version: 1\nworkers: 2\nlisteners:\n".to_owned();
        for number in 0..LANES {
            writeln!(yaml, "  lane{number}: {{ bind: 127.0.0.1:0, {limits} }}").unwrap();
        }
        yaml += "services:\n";
        for (number, origin) in origins.iter().enumerate() {
            let url = format!("http://{}", origin.address);
            writeln!(yaml, "  lane{number}: {{ endpoints: [\"{url}\"] }}").unwrap();
        }
        yaml += "routes:\n";
        for number in 0..LANES {
            let at = format!("listeners: [lane{number}]");
            writeln!(
                yaml,
                "  lane{number}: {{ match: {{ {at} }}, to: lane{number} }}"
            )
            .unwrap();
        }
        let gateway = Gateway::start(&yaml);
        let addresses = (0..LANES).map(|number| gateway.listener(&format!("lane{number}")));
        Self {
            name: "lintel",
            lanes: lanes(addresses, origins),
            marks: true,
            _process: Process::Lintel(gateway),
        }
    }

    pub(crate) fn nginx() -> Self {
        Self::other("nginx", |folder, lanes| {
            let mut config = format!(
                "daemon off;\nerror_log stderr crit;\npid {folder}/pid;\nevents {{}}\nhttp {{\n\
                 access_log off;\nclient_body_temp_path {folder}/a;\nproxy_temp_path {folder}/b;\n\
                 fastcgi_temp_path {folder}/c;\nuwsgi_temp_path {folder}/d;\nscgi_temp_path {folder}/e;\n\
                 client_header_timeout 1s;\nclient_body_timeout 1s;\nkeepalive_timeout 2s;\n\
                 underscores_in_headers on;\n"
            );
            for (address, origin) in lanes {
                let forward = format!(
                    "proxy_pass http://{origin}; proxy_http_version 1.1; proxy_request_buffering off; \
                     proxy_set_header Host $http_host; proxy_set_header Connection \"\";"
                );
                writeln!(
                    config,
                    "server {{ listen {address}; location / {{ {forward} }} }}"
                )
                .unwrap();
            }
            config + "}\n"
        })
    }

    pub(crate) fn haproxy() -> Self {
        Self::other("haproxy", |_, lanes| {
            let mut config = "defaults\n mode http\n timeout connect 5s\n timeout server 5s\n \
                              timeout client 500ms\n timeout http-request 500ms\n"
                .to_owned();
            for (number, (address, origin)) in lanes.iter().enumerate() {
                writeln!(
                    config,
                    "listen lane{number}\n bind {address}\n server o {origin}"
                )
                .unwrap();
            }
            config
        })
    }

    fn other(
        name: &'static str,
        configuration: impl Fn(&str, &[(SocketAddr, SocketAddr)]) -> String,
    ) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let origins: Vec<Recorder> = (0..LANES).map(|_| Recorder::start()).collect();
        let config = folder.path().join("config");
        let arguments: &[&str] = match name {
            "nginx" => &["-e", "stderr", "-c"],
            _ => &["-db", "-f"],
        };
        let (child, addresses) = on_free_ports(name, LANES, |addresses| {
            let origins = origins.iter().map(|origin| origin.address);
            let pairs: Vec<_> = addresses.iter().copied().zip(origins).collect();
            fs::write(&config, configuration(&text(folder.path()), &pairs)).unwrap();
            launch(name, arguments, &config)
        });
        Self {
            name,
            lanes: lanes(addresses.into_iter(), origins),
            marks: false,
            _process: Process::Other(Other {
                _folder: folder,
                child,
            }),
        }
    }
}

fn lanes(addresses: impl Iterator<Item = SocketAddr>, origins: Vec<Recorder>) -> Vec<Lane> {
    let lanes = addresses.zip(origins);
    lanes
        .map(|(address, origin)| Lane { address, origin })
        .collect()
}

impl Drop for Other {
    fn drop(&mut self) {
        // NGINX's master ends its workers on SIGTERM; SIGKILL would leave them.
        let pid = libc::pid_t::try_from(self.child.id()).unwrap();
        // SAFETY: `kill` touches no memory; the process was started by this test.
        unsafe { libc::kill(pid, libc::SIGTERM) };
        let _ = self.child.wait();
    }
}
