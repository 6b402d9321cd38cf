//! What is counted and measured (T8); the names as Prometheus shows them are in the README.

use landfall_telemetry::KeyValue;
use landfall_telemetry::metrics::{Counter, Gauge, Histogram, Meter};

/// The instruments.
pub struct Metrics {
    requests: Counter<u64>,
    request_duration: Histogram<f64>,
    events: Counter<u64>,
    signature_age: Gauge<i64>,
    model_duration: Histogram<f64>,
    model_answers: Counter<u64>,
    model_tokens: Counter<u64>,
    model_dollars: Counter<f64>,
    topdesk_duration: Histogram<f64>,
    tickets: Counter<u64>,
    attachments: Counter<u64>,
    mails: Counter<u64>,
    retries: Counter<u64>,
    queue: Gauge<u64>,
    oldest: Gauge<i64>,
}

impl Metrics {
    /// Makes them.
    pub fn new(meter: &Meter) -> Metrics {
        let counter =
            |name: &'static str, text: &'static str| meter.u64_counter(name).with_description(text).build();
        let latency = |name: &'static str, text: &'static str| {
            meter.f64_histogram(name).with_unit("s").with_description(text).build()
        };
        Metrics {
            requests: counter("call_tickets_requests", "HTTP requests by route and status"),
            request_duration: latency("call_tickets_request_duration", "From a request to its answer"),
            events: counter(
                "call_tickets_events",
                "Events that were taken in, by type and whether they were new",
            ),
            signature_age: meter
                .i64_gauge("call_tickets_signature_age_seconds")
                .with_description("How old the last signature was")
                .build(),
            model_duration: latency(
                "call_tickets_openai_duration",
                "From a question to the model to its answer",
            ),
            model_answers: counter("call_tickets_openai_answers", "Questions to the model by how they ended"),
            model_tokens: counter("call_tickets_openai_tokens", "Tokens that the model took, by direction"),
            model_dollars: meter
                .f64_counter("call_tickets_openai_dollars")
                .with_description("What the model cost")
                .build(),
            topdesk_duration: latency(
                "call_tickets_topdesk_duration",
                "From a request to TOPdesk to its answer",
            ),
            tickets: counter("call_tickets_tickets", "Tickets by how they ended and who made them"),
            attachments: counter(
                "call_tickets_attachments",
                "Transcripts attached to tickets, by how it ended",
            ),
            mails: counter("call_tickets_mails", "Notifications by how they ended"),
            retries: counter("call_tickets_retries", "Events that are to be tried again, by what failed"),
            queue: meter.u64_gauge("call_tickets_queue").with_description("Events by state").build(),
            oldest: meter
                .i64_gauge("call_tickets_queue_oldest_seconds")
                .with_description("How long the oldest unfinished event is here")
                .build(),
        }
    }

    /// A request was answered.
    pub fn request(&self, route: &'static str, status: u16, seconds: f64) {
        let labels = [KeyValue::new("route", route), KeyValue::new("status", i64::from(status))];
        self.requests.add(1, &labels);
        self.request_duration.record(seconds, &labels[..1]);
    }

    /// An event was taken in; how old its signature was.
    pub fn event(&self, kind: &'static str, new: bool, age: i64) {
        self.events.add(1, &[KeyValue::new("type", kind), KeyValue::new("new", new)]);
        self.signature_age.record(age, &[]);
    }

    /// The model was asked.
    pub fn model(&self, outcome: &'static str, seconds: f64) {
        let labels = [KeyValue::new("outcome", outcome)];
        self.model_answers.add(1, &labels);
        self.model_duration.record(seconds, &labels);
    }

    /// What an answer of the model took.
    pub fn tokens(&self, input: u64, output: u64, dollars: f64) {
        self.model_tokens.add(input, &[KeyValue::new("direction", "input")]);
        self.model_tokens.add(output, &[KeyValue::new("direction", "output")]);
        self.model_dollars.add(dollars, &[]);
    }

    /// TOPdesk was asked.
    pub fn topdesk(&self, operation: &'static str, outcome: &'static str, seconds: f64) {
        let labels = [KeyValue::new("operation", operation), KeyValue::new("outcome", outcome)];
        self.topdesk_duration.record(seconds, &labels);
    }

    /// A ticket was made, or not.
    pub fn ticket(&self, outcome: &'static str, source: &'static str) {
        self.tickets.add(1, &[KeyValue::new("outcome", outcome), KeyValue::new("source", source)]);
    }

    /// A transcript was attached, or not.
    pub fn attachment(&self, outcome: &'static str) {
        self.attachments.add(1, &[KeyValue::new("outcome", outcome)]);
    }

    /// A notification was sent, or not.
    pub fn mail(&self, outcome: &'static str) {
        self.mails.add(1, &[KeyValue::new("outcome", outcome)]);
    }

    /// An event is to be tried again.
    pub fn retry(&self, step: &'static str) {
        self.retries.add(1, &[KeyValue::new("step", step)]);
    }

    /// How the queue stands.
    pub fn queue(&self, states: [(&'static str, u64); 4], oldest: i64) {
        for (state, count) in states {
            self.queue.record(count, &[KeyValue::new("state", state)]);
        }
        self.oldest.record(oldest, &[]);
    }
}
