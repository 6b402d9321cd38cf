//! What a process tells, and to whom, over loopback.
#![allow(clippy::expect_used)]

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpListener;
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

use landfall_telemetry::{Form, KeyValue, Options, Telemetry};

fn options() -> Options {
    Options::from_env("call_tickets", "1.2.3", |_| None)
}

/// Takes requests and tells their path and body; answers each with 200. Of a client that speaks TLS it tells that.
fn collector() -> (String, Receiver<(String, Vec<u8>)>) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = format!("http://{}", listener.local_addr().expect("an address"));
    let (told, heard) = channel();
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let told = told.clone();
            std::thread::spawn(move || {
                let mut first = [0];
                if stream.peek(&mut first).is_ok_and(|length| length == 1 && first[0] == 0x16) {
                    let _ = told.send(("a TLS handshake".into(), first.to_vec()));
                    return;
                }
                let mut reader = BufReader::new(stream.try_clone().expect("a second handle"));
                loop {
                    let (mut first, mut length) = (String::new(), 0);
                    if reader.read_line(&mut first).unwrap_or(0) == 0 {
                        return;
                    }
                    loop {
                        let mut line = String::new();
                        reader.read_line(&mut line).expect("a header");
                        if let Some(value) = line.to_lowercase().strip_prefix("content-length:") {
                            length = value.trim().parse().expect("a length");
                        }
                        if line.trim().is_empty() {
                            break;
                        }
                    }
                    let mut body = vec![0; length];
                    reader.read_exact(&mut body).expect("a body");
                    let path = first.split(' ').nth(1).expect("a path").to_owned();
                    let _ = told.send((path, body));
                    let answer = "HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n";
                    (&stream).write_all(answer.as_bytes()).expect("is answered");
                }
            });
        }
    });
    (address, heard)
}

#[test]
fn prometheus_reads_counters_gauges_and_latencies() {
    let telemetry = Telemetry::without_logs(&options()).expect("starts");
    let meter = telemetry.meter();
    meter.u64_counter("call_tickets_requests").build().add(3, &[KeyValue::new("status", "200")]);
    meter.f64_histogram("call_tickets_request_duration").with_unit("s").build().record(0.004, &[]);
    let text = telemetry.prometheus();
    for line in [
        "call_tickets_requests_total{status=\"200\"} 3",
        "call_tickets_request_duration_seconds_bucket{le=\"0.0025\"} 0",
        "call_tickets_request_duration_seconds_bucket{le=\"0.005\"} 1",
        "call_tickets_request_duration_seconds_count 1",
    ] {
        assert!(text.lines().any(|told| told == line), "{line} in\n{text}");
    }
}

#[test]
fn traces_and_metrics_are_pushed_by_otlp_and_to_application_insights() {
    let (address, heard) = collector();
    let connection =
        format!("InstrumentationKey=00000000-1111-2222-3333-444444444444;IngestionEndpoint={address}/");
    let options = Options {
        otlp: Some(address),
        application_insights: Some(connection.into()),
        form: Form::Json,
        ..options()
    };
    let telemetry = Telemetry::start(&options).expect("starts");
    telemetry.meter().u64_counter("call_tickets_events").build().add(1, &[]);
    tracing::info_span!("webhook").in_scope(|| tracing::info!("a call came in"));
    std::thread::spawn(move || telemetry.end());
    let mut paths = std::collections::BTreeSet::new();
    while let Ok((path, body)) = heard.recv_timeout(Duration::from_secs(20)) {
        assert!(!body.is_empty());
        paths.insert(path);
        if paths.len() == 3 {
            break;
        }
    }
    let paths: Vec<&str> = paths.iter().map(String::as_str).collect();
    assert_eq!(paths.len(), 3, "{paths:?}");
    assert!(paths.contains(&"/v1/traces") && paths.contains(&"/v1/metrics"), "{paths:?}");
    // Application Insights is spoken to by TLS whatever its connection string says.
    assert!(paths.contains(&"a TLS handshake"), "{paths:?}");
}

#[test]
fn what_cannot_be_used_is_told_without_its_secret() {
    let wrong = Options { application_insights: Some("planted-secret".to_owned().into()), ..options() };
    let error = Telemetry::without_logs(&wrong).err().expect("is refused").to_string();
    assert!(error.contains("connection string") && !error.contains("planted-secret"), "{error}");
    assert!(!format!("{wrong:?}").contains("planted-secret"));
}

#[test]
fn options_come_from_the_environment() {
    let read = |name: &str| match name {
        "LOG_LEVEL" => Some("DEBUG".to_owned()),
        "LOG_FORMAT" => Some("json".to_owned()),
        "OTEL_EXPORTER_OTLP_ENDPOINT" => Some("http://c:4318".to_owned()),
        _ => None,
    };
    let options = Options::from_env("s", "1", read);
    assert_eq!(
        (options.filter.as_str(), options.form, options.otlp.as_deref()),
        ("debug", Form::Json, Some("http://c:4318"))
    );
}

#[test]
fn options_are_checked_without_starting_anything() {
    let read = |variables: &'static [(&str, &str)]| {
        let find = move |name: &str| {
            variables.iter().find(|(known, _)| *known == name).map(|(_, value)| (*value).to_owned())
        };
        Options::from_env("call_tickets", "1.2.3", find)
    };
    for good in [
        &[("LOG_LEVEL", "WARNING")][..],
        &[("LOG_LEVEL", "CRITICAL"), ("OTEL_EXPORTER_OTLP_ENDPOINT", "")],
        &[("RUST_LOG", "info,hyper=off"), ("OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:9/")],
        &[(
            "APPLICATIONINSIGHTS_CONNECTION_STRING",
            "InstrumentationKey=00000000-0000-0000-0000-000000000000",
        )],
    ] {
        read(good).check().unwrap_or_else(|error| panic!("{good:?}: {error}"));
    }
    assert_eq!(read(&[("LOG_LEVEL", "WARNING")]).filter, "warn");
    for wrong in [
        &[("LOG_LEVEL", "a=b=c")][..],
        &[("OTEL_EXPORTER_OTLP_ENDPOINT", "no address")],
        &[("APPLICATIONINSIGHTS_CONNECTION_STRING", "planted")],
    ] {
        let error = read(wrong).check().expect_err("is wrong");
        assert!(!error.to_string().contains("planted"), "{error}");
    }
}
