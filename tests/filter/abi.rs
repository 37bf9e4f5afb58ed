//! The filter's numbers of the proxy-wasm ABI are those of its SDK.

#[allow(dead_code)] // the filter uses them all
#[path = "../../src/filter/types.rs"]
mod types;

use proxy_wasm::types as sdk;
use types::{
    Action, BAD_ARGUMENT, BufferType, LogLevel, MapType, MetricType, NOT_FOUND, OK, StreamType,
};

#[test]
fn numbers_are_the_sdks() {
    let ours_and_theirs = [
        (Action::Continue as u32, sdk::Action::Continue as u32),
        (Action::Pause as u32, sdk::Action::Pause as u32),
        (LogLevel::Trace as u32, sdk::LogLevel::Trace as u32),
        (LogLevel::Debug as u32, sdk::LogLevel::Debug as u32),
        (LogLevel::Info as u32, sdk::LogLevel::Info as u32),
        (LogLevel::Warn as u32, sdk::LogLevel::Warn as u32),
        (LogLevel::Error as u32, sdk::LogLevel::Error as u32),
        (LogLevel::Critical as u32, sdk::LogLevel::Critical as u32),
        (
            MapType::HttpRequestHeaders as u32,
            sdk::MapType::HttpRequestHeaders as u32,
        ),
        (
            MapType::HttpCallResponseHeaders as u32,
            sdk::MapType::HttpCallResponseHeaders as u32,
        ),
        (
            BufferType::HttpRequestBody as u32,
            sdk::BufferType::HttpRequestBody as u32,
        ),
        (
            BufferType::HttpCallResponseBody as u32,
            sdk::BufferType::HttpCallResponseBody as u32,
        ),
        (
            BufferType::PluginConfiguration as u32,
            sdk::BufferType::PluginConfiguration as u32,
        ),
        (MetricType::Counter as u32, sdk::MetricType::Counter as u32),
        (
            MetricType::Histogram as u32,
            sdk::MetricType::Histogram as u32,
        ),
        (
            StreamType::HttpRequest as u32,
            sdk::StreamType::HttpRequest as u32,
        ),
        (OK, sdk::Status::Ok as u32),
        (NOT_FOUND.0, sdk::Status::NotFound as u32),
        (BAD_ARGUMENT.0, sdk::Status::BadArgument as u32),
    ];
    for (ours, theirs) in ours_and_theirs {
        assert_eq!(ours, theirs);
    }
}
