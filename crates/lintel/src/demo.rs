//! `lintel demo`: the gateway in front of sample services, with no other process needed.

mod services;

use std::{fs, net::SocketAddr, path::PathBuf};

use crate::{FAILED, cli, print, run};

pub(crate) fn demo(args: &cli::Demo) -> u8 {
    match prepare(args) {
        Ok(config) => {
            let run = cli::Run {
                config,
                workers: None,
                no_watch: false,
            };
            run::run(&run, lintel_server::Inherited::default())
        }
        Err(message) => {
            print::err(&format!("error: {message}"));
            FAILED
        }
    }
}

/// Starts the services, writes the configuration, and says what to try.
fn prepare(args: &cli::Demo) -> Result<PathBuf, String> {
    let services = services::start()?;
    let folder = std::env::temp_dir().join(format!("lintel-demo-{}", std::process::id()));
    fs::create_dir_all(&folder).map_err(|error| format!("{}: {error}", folder.display()))?;
    let config = folder.join("gateway.yaml");
    let (port, admin) = (free(args.port)?, free(args.admin_port)?);
    let text = configuration(port, admin, services);
    fs::write(&config, text).map_err(|error| format!("{}: {error}", config.display()))?;
    print::out(&tour(port, admin, &config.display().to_string()));
    Ok(config)
}

/// The port itself, or a free one for 0: the tour has to name it before anything listens.
fn free(port: u16) -> Result<u16, String> {
    if port != 0 {
        return Ok(port);
    }
    let probe =
        std::net::TcpListener::bind(("127.0.0.1", 0)).and_then(|listener| listener.local_addr());
    probe
        .map(|address| address.port())
        .map_err(|error| format!("no port is free: {error}"))
}

fn configuration(port: u16, admin: u16, services: [SocketAddr; 3]) -> String {
    let [shop, shop_next, echo] = services;
    format!(
        r#"# Change this file while the demo runs: it is read again at once.
version: 1
listeners:
  public: {{ bind: 127.0.0.1:{port} }}
admin: {{ bind: 127.0.0.1:{admin} }}
defaults:
  timeout: 5s
  policies:
    access_log: {{ format: human, to: stdout }}
services:
  shop: {{ endpoints: [http://{shop}] }}
  shop_next: {{ endpoints: [http://{shop_next}] }}
  echo: {{ endpoints: [http://{echo}] }}
routes:
  products:
    match: {{ path: "/shop/*", methods: [GET] }}
    policies:
      rewrite: {{ strip_prefix: /shop }}
      headers:
        response:
          set: {{ X-Frame-Options: DENY }}
          remove: [X-Powered-By]
    to:
      split:
        services: {{ shop: 90, shop_next: 10 }}
  testers:
    match: {{ path: "/shop/*", methods: [GET], headers: {{ X-Beta: present }} }}
    policies:
      rewrite: {{ strip_prefix: /shop }}
    to: shop_next
  echo:
    match: {{ path: "/echo/{{user}}" }}
    policies:
      headers:
        request:
          set: {{ X-User: "${{path.user}}", X-Client: "${{client.ip}}" }}
    to: echo
  clock: {{ match: {{ path: /clock }}, to: echo }}
  hello:
    match: {{ path: /hello }}
    to:
      respond:
        template: "Hello ${{client.ip}}, this is request ${{request.id}}.\n"
  old:
    match: {{ path: "/v0/{{rest..}}" }}
    to:
      redirect: {{ to: "/shop/${{path.rest}}", status: 308 }}
"#
    )
    .replace("X-Beta: present", "X-Beta: { present: true }")
}

fn tour(port: u16, admin: u16, config: &str) -> String {
    format!(
        r#"Lintel runs in front of three sample services. Its configuration is
  {config}
and is read again as soon as you save it. Try:

  curl -i http://127.0.0.1:{port}/shop/products        # forwarded, prefix stripped; 10% meet the next version
  curl -i http://127.0.0.1:{port}/shop/products -H 'X-Beta: 1'   # testers always meet it
  curl -i http://127.0.0.1:{port}/echo/ada -d 'hi'     # what a service sees: X-User, X-Forwarded-For, traceparent
  curl -iN http://127.0.0.1:{port}/clock               # server-sent events, passed on at once
  curl -i http://127.0.0.1:{port}/hello                # answered by the gateway itself
  curl -i http://127.0.0.1:{port}/v0/products          # redirected
  curl -i http://127.0.0.1:{port}/nowhere              # a refusal, as problem details
  curl -i -X PUT http://127.0.0.1:{port}/shop/products # 405, with Allow
  curl -s http://127.0.0.1:{admin}/metrics | grep lintel_requests   # what it counted
  curl -s http://127.0.0.1:{admin}/services            # where requests can go

Ctrl-C ends it.
"#
    )
}
