//! Metrics at the host, defined when they are first needed.

use std::cell::RefCell;
use std::collections::BTreeMap;

use jwt_keycloak_core::metrics::Measure;

use crate::abi;
use crate::host::Host;
use crate::types::MetricType;

/// The host's numbers of the metrics that were defined.
#[derive(Default)]
pub struct Metrics(RefCell<BTreeMap<Measure, u32>>);

impl Metrics {
    /// Counts or records. A metric that the host does not take is lost, and nothing else.
    pub fn take<'l>(&self, measure: Measure, host: Host, label: impl Fn(usize) -> &'l str) {
        let series = measure.series();
        let known = self.0.borrow().get(&series).copied();
        let kind = match measure.recorded() {
            Some(_) => MetricType::Histogram,
            None => MetricType::Counter,
        };
        let define = || {
            let name = format!("{}{}", host.metrics_prefix, measure.name(label));
            if name.len() > host.metric_name_bytes {
                return None;
            }
            let metric = abi::define_metric(kind, &name).ok()?;
            self.0.borrow_mut().insert(series, metric);
            Some(metric)
        };
        let Some(metric) = known.or_else(define) else {
            return;
        };
        let _ = match measure.recorded() {
            Some(value) => abi::record_metric(metric, value),
            None => abi::increment_metric(metric),
        };
    }
}
