//! Logs, traces and metrics, and where they go.
//!
//! - [`Options`]: what is told, and to whom; read from the usual environment variables by [`Options::from_env`]
//! - [`Telemetry`]: started once in a process, asked for meters and for Prometheus' text, ended with a flush
//!
//! Logs go to standard error, as JSON for machines or as text for people. Metrics are kept once and told to whoever
//! wants them: scraped as Prometheus' text, pushed by OTLP, and to Application Insights. Traces are the spans of
//! `tracing`. Nothing is pushed, and nothing runs in the background, unless it is configured.

use std::io::IsTerminal;
use std::time::Duration;

use opentelemetry::metrics::{Meter, MeterProvider};
use opentelemetry::trace::TracerProvider;
pub use opentelemetry::{KeyValue, metrics};
use opentelemetry_otlp::{WithExportConfig, WithHttpConfig};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::metrics::{Instrument, PeriodicReader, SdkMeterProvider, Stream};
use opentelemetry_sdk::trace::SdkTracerProvider;
use prometheus::TextEncoder;
use secrecy::{ExposeSecret, SecretString};
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;
use tracing_subscriber::{EnvFilter, Layer};

/// How log lines look.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// One JSON object a line.
    Json,
    /// Lines for people.
    Text,
}

/// What is told, and to whom.
#[derive(Clone, Debug)]
pub struct Options {
    /// The service's name.
    pub service: &'static str,
    /// The service's version.
    pub version: &'static str,
    /// Which of its replicas this is.
    pub instance: Option<String>,
    /// How log lines look.
    pub form: Form,
    /// What is logged: directives as in `info,call_tickets=debug`.
    pub filter: String,
    /// The address of an OTLP collector, as `http://HOST:4318`.
    pub otlp: Option<String>,
    /// Where Application Insights is: its connection string.
    pub application_insights: Option<SecretString>,
    /// How often metrics are pushed.
    pub period: Duration,
}

/// Bounds of latencies in seconds: from what a disk takes to what a model does.
const SECONDS: [f64; 14] =
    [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0];

impl Options {
    /// The options of a service by `RUST_LOG` or `LOG_LEVEL`, `LOG_FORMAT` (`json` or `text`; JSON when standard error
    /// is no terminal), `OTEL_EXPORTER_OTLP_ENDPOINT`, `APPLICATIONINSIGHTS_CONNECTION_STRING` and
    /// `CONTAINER_APP_REPLICA_NAME`; `read` reads a variable.
    pub fn from_env(
        service: &'static str,
        version: &'static str,
        read: impl Fn(&str) -> Option<String>,
    ) -> Options {
        // Set to nothing is not set.
        let read = |name: &str| read(name).filter(|value| !value.trim().is_empty());
        let form = match read("LOG_FORMAT").as_deref() {
            Some("json") => Form::Json,
            Some("text") => Form::Text,
            _ if std::io::stderr().is_terminal() => Form::Text,
            _ => Form::Json,
        };
        Options {
            service,
            version,
            instance: read("CONTAINER_APP_REPLICA_NAME").or_else(|| read("HOSTNAME")),
            form,
            filter: filter(&read("RUST_LOG").or_else(|| read("LOG_LEVEL")).unwrap_or_else(|| "info".into())),
            otlp: read("OTEL_EXPORTER_OTLP_ENDPOINT"),
            application_insights: read("APPLICATIONINSIGHTS_CONNECTION_STRING").map(SecretString::from),
            period: Duration::from_secs(60),
        }
    }

    /// Whether telemetry could be started so. Nothing is started, and nobody is asked.
    ///
    /// # Errors
    /// What of the options cannot be used.
    pub fn check(&self) -> Result<(), Error> {
        parsed(&self.filter)?;
        if let Some(address) = &self.otlp {
            spans_by_otlp(address, blocking_client()?)?;
        }
        if let Some(connection) = &self.application_insights {
            application_insights(connection)?;
        }
        Ok(())
    }
}

/// A filter as it was meant: in any case, and with the levels that others have beside ours.
fn filter(text: &str) -> String {
    let text = text.trim().to_lowercase();
    match text.as_str() {
        "warning" => "warn".into(),
        "critical" | "fatal" => "error".into(),
        _ => text,
    }
}

/// Why telemetry could not be started.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The filter of the log cannot be read.
    #[error("the log filter cannot be read: it must be a level, or as in info,call_tickets=debug")]
    Filter,
    /// The collector's address cannot be used. It is not shown: it may hold a login.
    #[error("the address of the OTLP collector cannot be used: it must be as in http://HOST:4318")]
    Otlp,
    /// Application Insights cannot be reached with this connection string. It is not shown: it holds a key.
    #[error("the connection string of Application Insights cannot be read")]
    ApplicationInsights,
    /// Prometheus' registry refused.
    #[error("metrics cannot be told to Prometheus: {0}")]
    Prometheus(String),
    /// A thread or a client could not be made.
    #[error("telemetry could not be started: {0}")]
    System(String),
}

/// What was started; kept for as long as the process tells anything.
pub struct Telemetry {
    meters: SdkMeterProvider,
    tracers: Option<SdkTracerProvider>,
    registry: prometheus::Registry,
    service: &'static str,
}

impl Telemetry {
    /// Starts what the options say, for the whole process: call it once.
    ///
    /// # Errors
    /// What of the options cannot be used.
    pub fn start(options: &Options) -> Result<Telemetry, Error> {
        let telemetry = Telemetry::without_logs(options)?;
        let filter = parsed(&options.filter)?;
        let lines = tracing_subscriber::fmt::layer().with_writer(std::io::stderr);
        let lines = match options.form {
            Form::Json => {
                lines.json().flatten_event(true).with_current_span(true).with_span_list(false).boxed()
            }
            Form::Text => lines.with_target(false).with_ansi(colour()).boxed(),
        };
        let spans = telemetry
            .tracers
            .as_ref()
            .map(|tracers| tracing_opentelemetry::layer().with_tracer(tracers.tracer(options.service)));
        // A second start in a process, as tests do, keeps the first log.
        let _ = tracing_subscriber::registry()
            .with(spans.with_filter(quiet()))
            .with(lines.with_filter(filter))
            .try_init();
        Ok(telemetry)
    }

    /// The metrics and traces by themselves, for who logs in another way.
    ///
    /// # Errors
    /// What of the options cannot be used.
    pub fn without_logs(options: &Options) -> Result<Telemetry, Error> {
        let resource = resource(options);
        let registry = prometheus::Registry::new();
        let scraped = opentelemetry_prometheus::exporter()
            .with_registry(registry.clone())
            .scope_info_enabled(false)
            .build()
            .map_err(|error| Error::Prometheus(error.to_string()))?;
        let mut meters = SdkMeterProvider::builder()
            .with_resource(resource.clone())
            .with_reader(scraped)
            .with_view(|instrument: &Instrument| {
                let histogram = instrument.name().ends_with("_duration");
                histogram.then(|| {
                    let bounds = opentelemetry_sdk::metrics::Aggregation::ExplicitBucketHistogram {
                        boundaries: SECONDS.to_vec(),
                        record_min_max: true,
                    };
                    Stream::builder().with_aggregation(bounds).build().ok()
                })?
            });
        let mut tracers = SdkTracerProvider::builder().with_resource(resource);
        let mut traced = false;
        if let Some(address) = &options.otlp {
            let client = blocking_client()?;
            let spans = spans_by_otlp(address, client.clone())?;
            let numbers = opentelemetry_otlp::MetricExporter::builder()
                .with_http()
                .with_http_client(client)
                .with_endpoint(format!("{}/v1/metrics", address.trim_end_matches('/')))
                .build()
                .map_err(|_| Error::Otlp)?;
            tracers = tracers.with_batch_exporter(spans);
            meters =
                meters.with_reader(PeriodicReader::builder(numbers).with_interval(options.period).build());
            traced = true;
        }
        if let Some(connection) = &options.application_insights {
            tracers = tracers.with_batch_exporter(application_insights(connection)?);
            let numbers = PeriodicReader::builder(application_insights(connection)?);
            meters = meters.with_reader(numbers.with_interval(options.period).build());
            traced = true;
        }
        Ok(Telemetry {
            meters: meters.build(),
            tracers: traced.then(|| tracers.build()),
            registry,
            service: options.service,
        })
    }

    /// A meter to make instruments of. Histograms whose names end in `_duration` are of seconds.
    pub fn meter(&self) -> Meter {
        self.meters.meter(self.service)
    }

    /// All metrics, as Prometheus reads them.
    pub fn prometheus(&self) -> String {
        TextEncoder::new().encode_to_string(&self.registry.gather()).unwrap_or_default()
    }

    /// Pushes what is left and ends; takes as long as the collectors need, so call it off the runtime's threads.
    pub fn end(&self) {
        if let Some(tracers) = &self.tracers {
            let _ = tracers.shutdown();
        }
        let _ = self.meters.shutdown();
    }
}

fn parsed(filter: &str) -> Result<EnvFilter, Error> {
    EnvFilter::builder().parse(filter).map_err(|_| Error::Filter)
}

fn spans_by_otlp(
    address: &str,
    client: reqwest::blocking::Client,
) -> Result<opentelemetry_otlp::SpanExporter, Error> {
    opentelemetry_otlp::SpanExporter::builder()
        .with_http()
        .with_http_client(client)
        .with_endpoint(format!("{}/v1/traces", address.trim_end_matches('/')))
        .build()
        .map_err(|_| Error::Otlp)
}

type ApplicationInsights = opentelemetry_application_insights::Exporter<reqwest::blocking::Client>;

fn application_insights(connection: &SecretString) -> Result<ApplicationInsights, Error> {
    let client = blocking_client()?;
    opentelemetry_application_insights::Exporter::new_from_connection_string(
        connection.expose_secret(),
        client,
    )
    .map_err(|_| Error::ApplicationInsights)
}

fn resource(options: &Options) -> Resource {
    let mut resource = Resource::builder()
        .with_service_name(options.service)
        .with_attribute(KeyValue::new("service.version", options.version));
    if let Some(instance) = &options.instance {
        resource = resource.with_attribute(KeyValue::new("service.instance.id", instance.clone()));
    }
    resource.build()
}

/// What the exporters' own requests say would be exported in turn, for ever.
fn quiet() -> EnvFilter {
    EnvFilter::new("info,hyper=off,hyper_util=off,reqwest=off,rustls=off,h2=off,opentelemetry=off")
}

fn colour() -> bool {
    std::io::stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty())
}

/// The exporters' threads are their own, so their client blocks. It must not be made on a runtime's thread.
fn blocking_client() -> Result<reqwest::blocking::Client, Error> {
    let made = std::thread::spawn(|| {
        reqwest::blocking::Client::builder()
            .timeout(Duration::from_secs(10))
            .build()
            .map_err(|error| error.to_string())
    });
    made.join().map_err(|_| Error::System("the HTTP client's thread failed".into()))?.map_err(Error::System)
}
