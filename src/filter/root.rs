//! The root context: reads the configuration, passes on the time.

use std::rc::Rc;
use std::time::Duration;

use jwt_keycloak_core::config::policy::UpstreamToken;
use jwt_keycloak_core::config::{self, Settings};
use jwt_keycloak_core::gate::Gate;
use proxy_wasm::traits::{Context, HttpContext, RootContext};
use proxy_wasm::types::{BufferType, ContextType};

use crate::abi;
use crate::host::Host;
use crate::instance::Instance;
use crate::request::Request;

/// How often the gate is told that time passes. It bounds how late a waiting request is told that
/// its time is up; WasmX takes one period only, ever.
const TICK: Duration = Duration::from_millis(250);

pub struct Root {
    id: u32,
    instance: Rc<Instance>,
}

impl Root {
    pub fn new(id: u32) -> Self {
        let instance = Rc::new(Instance::new(id));
        Self { id, instance }
    }
}

impl Context for Root {
    fn on_http_call_response(
        &mut self,
        token: u32,
        _headers: usize,
        body_size: usize,
        _trailers: usize,
    ) {
        self.instance.answered(token, body_size, self.id);
    }
}

impl RootContext for Root {
    fn on_configure(&mut self, size: usize) -> bool {
        let host = Host::detect();
        match configuration(size, host) {
            Ok(config::Loaded { settings, warnings }) => {
                for warning in warnings {
                    log::warn!("configuration: {warning}");
                }
                let gate = Gate::new(settings, host.can_wake);
                self.instance.configure(Some(gate), host);
                if let Err(error) = abi::set_tick_period(TICK) {
                    log::error!("no ticks: {error:?}; keys are fetched by requests only");
                }
                true
            }
            Err(faults) => {
                for fault in faults {
                    log::error!("configuration: {fault}");
                }
                self.instance.configure(None, host);
                if !host.rejects_configurations {
                    log::error!("configuration refused: every request is answered with 500");
                }
                !host.rejects_configurations
            }
        }
    }

    fn on_tick(&mut self) {
        self.instance.tick();
    }

    fn get_type(&self) -> Option<ContextType> {
        Some(ContextType::HttpContext)
    }

    fn create_http_context(&self, id: u32) -> Option<Box<dyn HttpContext>> {
        Some(Box::new(Request::new(id, Rc::clone(&self.instance))))
    }
}

fn configuration(size: usize, host: Host) -> Result<config::Loaded, Vec<String>> {
    let text = match size {
        0 => Vec::new(),
        _ => abi::buffer(BufferType::PluginConfiguration, size)
            .map_err(|error| vec![format!("the host does not give it: {error:?}")])?,
    };
    let loaded = config::load(&text)
        .map_err(|faults| faults.iter().map(ToString::to_string).collect::<Vec<_>>())?;
    if !loaded.settings.policies.is_empty() && !host.has_route_metadata {
        let fault = "$.policies: found policies; allowed: none, for on this host a route cannot \
                     name one (give each route a configuration of its own)";
        return Err(vec![fault.to_owned()]);
    }
    if !host.edits_path && hides_in_query(&loaded.settings) {
        let fault = "$.upstream_token: found one that is not keep, beside uri_param_names; \
                     allowed: keep, or no uri_param_names ([]), for on this host the query goes up \
                     as it came";
        return Err(vec![fault.to_owned()]);
    }
    Ok(loaded)
}

fn hides_in_query(settings: &Settings) -> bool {
    std::iter::once(&settings.base)
        .chain(settings.policies.values())
        .any(|policy| {
            policy.upstream_token != UpstreamToken::Keep && !policy.sources.params.is_empty()
        })
}
