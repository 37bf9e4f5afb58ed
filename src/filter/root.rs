//! One configuration in one worker: reads it, passes on the time.

use std::cell::Cell;
use std::rc::Rc;
use std::time::Duration;

use jwt_keycloak_core::config;
use jwt_keycloak_core::gate::Gate;

use crate::abi;
use crate::callout::Answered;
use crate::host::Host;
use crate::instance::Instance;
use crate::types::BufferType;
use crate::verifier::verifier;

/// How often the gate is told that time passes. It bounds how late a waiting request is told that
/// its time is up.
const TICK: Duration = Duration::from_millis(250);

pub struct Root {
    id: u32,
    instance: Rc<Instance>,
    /// Whether ticks were asked for: to ask again is a trap on WasmX.
    ticks: Cell<bool>,
}

impl Root {
    pub fn new(id: u32) -> Self {
        Self {
            id,
            instance: Rc::new(Instance::new(id)),
            ticks: Cell::new(false),
        }
    }

    pub fn instance(&self) -> &Rc<Instance> {
        &self.instance
    }

    /// The host hands the configuration over, of so many bytes. False refuses it, where that is
    /// safe.
    pub fn on_configure(&self, size: usize) -> bool {
        let host = Host::detect();
        match configuration(size, host) {
            Ok(config::Loaded { settings, warnings }) => {
                for warning in warnings {
                    log::warn!("configuration: {warning}");
                }
                let gate = Gate::new(settings, host.abilities, entropy())
                    .with_host_verifier(verifier(host));
                self.instance.configure(Some(gate), host);
                self.ask_for_ticks();
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

    pub fn on_tick(&self) {
        self.instance.tick();
    }

    pub fn on_answer(&self, answered: Answered) {
        self.instance.answered(answered, self.id);
    }

    fn ask_for_ticks(&self) {
        if self.ticks.get() {
            return;
        }
        match abi::set_tick_period(TICK) {
            Ok(()) => self.ticks.set(true),
            Err(error) => {
                log::error!("no ticks: {error:?}; keys are fetched by requests only");
            }
        }
    }
}

/// The host deletes the context when the configuration is over.
impl Drop for Root {
    fn drop(&mut self) {
        self.instance.retire();
    }
}

/// For the key of the digests under which the gate keeps what it learns of tokens. On WasmX it can be
/// predicted, and nothing better can be read here (a property ends the worker): what makes those digests
/// unknown to others are the clients' secrets, which the core adds.
fn entropy() -> [u8; 32] {
    abi::random()
        .inspect_err(|error| log::error!("the host has no randomness: {error:?}"))
        .unwrap_or_default()
}

fn configuration(size: usize, host: Host) -> Result<config::Loaded, Vec<String>> {
    let text = match size {
        0 => Vec::new(),
        _ => abi::buffer(BufferType::PluginConfiguration, size)
            .map_err(|error| vec![format!("the host does not give it: {error:?}")])?,
    };
    config::load(&text, host.abilities)
        .map_err(|faults| faults.iter().map(ToString::to_string).collect())
}
