//! Sends `log`'s records to the host, which has the levels and filters by them.

use log::{Level, LevelFilter, Log, Metadata, Record};

use crate::abi;
use crate::types::LogLevel;

struct HostLog;

static HOST_LOG: HostLog = HostLog;

/// Installs the logger; also for a panic's message, so that a bug leaves a trace.
pub fn install() {
    if log::set_logger(&HOST_LOG).is_ok() {
        log::set_max_level(LevelFilter::Debug);
        std::panic::set_hook(Box::new(|panic| {
            abi::log(LogLevel::Critical, &panic.to_string());
        }));
    }
}

impl Log for HostLog {
    fn enabled(&self, _: &Metadata) -> bool {
        true
    }

    fn log(&self, record: &Record) {
        let level = match record.level() {
            Level::Error => LogLevel::Error,
            Level::Warn => LogLevel::Warn,
            Level::Info => LogLevel::Info,
            Level::Debug => LogLevel::Debug,
            Level::Trace => LogLevel::Trace,
        };
        // The host names the filter in front.
        abi::log(level, &record.args().to_string());
    }

    fn flush(&self) {}
}
