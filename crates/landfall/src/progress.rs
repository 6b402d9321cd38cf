//! A run, drawn: bars on a terminal, a line an event without one, JSON lines for programs.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use indicatif::{MultiProgress, ProgressBar, ProgressStyle};
use landfall_engine::{Ended, Event, OperationKey, What};
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::task::JoinHandle;

use crate::ui::Ui;

/// Draws events until the sender is dropped.
pub struct Progress {
    events: UnboundedSender<Event>,
    teller: Teller,
    drawing: JoinHandle<()>,
}

impl Progress {
    /// Begins to draw.
    pub fn start(ui: &Ui) -> Progress {
        let (events, receive) = unbounded_channel();
        let teller = Teller::default();
        let drawing = if ui.json {
            tokio::spawn(lines_of_json(receive))
        } else if ui.quiet {
            tokio::spawn(nothing(receive))
        } else if ui.bars {
            tokio::spawn(bars(receive, teller.clone()))
        } else {
            tokio::spawn(lines(receive, ui.verbose > 0, teller.clone()))
        };
        Progress { events, teller, drawing }
    }

    /// Where events go.
    pub fn sender(&self) -> UnboundedSender<Event> {
        self.events.clone()
    }

    /// Says something between the bars.
    pub fn teller(&self) -> Teller {
        self.teller.clone()
    }

    /// Ends the drawing once every event sent has been drawn.
    pub async fn finish(self) {
        drop(self.events);
        let _ = self.drawing.await;
    }
}

async fn nothing(mut events: UnboundedReceiver<Event>) {
    while events.recv().await.is_some() {}
}

async fn lines_of_json(mut events: UnboundedReceiver<Event>) {
    let ui = Ui::for_json();
    while let Some(event) = events.recv().await {
        ui.document(&event);
    }
}

/// Prints without tearing the bars, and knows whether the run was cancelled.
#[derive(Clone, Debug, Default)]
pub struct Teller {
    bars: MultiProgress,
    cancelled: Arc<AtomicBool>,
}

impl Teller {
    /// One line, above the bars where there are any.
    pub fn tell(&self, text: &str) {
        // The terminal has put `^C` at the bars' line.
        self.bars.suspend(|| Ui::for_lines().note(text));
    }

    /// From now on what ends badly was stopped.
    pub fn cancelled(&self) {
        self.cancelled.store(true, Ordering::Release);
    }

    /// How an operation ended. A build is a child process, which Ctrl-C has ended before it reached us.
    fn ended(&self, event: &Event, how: &Ended, worked: Duration) -> (&'static str, String) {
        match how {
            Ended::Failed { .. } if event.kind == "build" && self.cancelled.load(Ordering::Acquire) => {
                ("-", "stopped".to_owned())
            }
            how => (mark(how), ended(how, worked)),
        }
    }

    /// Takes the bars away.
    pub fn clear(&self) {
        let _ = self.bars.clear();
    }
}

/// One line an event; what an operation is at only where asked for, since builds print much.
async fn lines(mut events: UnboundedReceiver<Event>, all: bool, teller: Teller) {
    let ui = Ui::for_lines();
    // A poll that tells nothing new is no event.
    let mut told: BTreeMap<OperationKey, String> = BTreeMap::new();
    while let Some(event) = events.recv().await {
        let name = name(&event);
        match &event.what {
            What::Progressed { text, .. } if told.get(&event.operation) == Some(text) => {}
            What::Begun { attempt: 1 } => ui.note(&format!("{name}: begun")),
            What::Begun { attempt } => ui.note(&format!("{name}: begun again (attempt {attempt})")),
            What::Accepted { .. } if all => ui.note(&format!("{name}: Azure is at it")),
            What::Progressed { text, .. } if all => {
                ui.note(&format!("{name}: {text}"));
                told.insert(event.operation.clone(), text.clone());
            }
            What::Accepted { .. } | What::Progressed { .. } => {}
            What::Retried { failure, after } => ui.note(&format!(
                "{name}: {} ({}); again in {}",
                failure.message.lines().next().unwrap_or_default(),
                failure.class,
                spent(*after)
            )),
            What::Ended { how, worked } => {
                ui.note(&format!("{name}: {}", teller.ended(&event, how, *worked).1));
            }
        }
    }
}

/// One bar per running operation; finished ones scroll away above.
async fn bars(mut events: UnboundedReceiver<Event>, teller: Teller) {
    let all = teller.bars.clone();
    let spinner = ProgressStyle::with_template("  {spinner} {prefix} {wide_msg:.dim} {elapsed:.dim}")
        .expect("the template is a literal");
    let share =
        ProgressStyle::with_template("  {spinner} {prefix} [{bar:20}] {wide_msg:.dim} {elapsed:.dim}")
            .expect("the template is a literal");
    let mut running: BTreeMap<OperationKey, ProgressBar> = BTreeMap::new();
    while let Some(event) = events.recv().await {
        let name = name(&event);
        match &event.what {
            What::Begun { .. } => {
                let bar = all.add(ProgressBar::new(1000).with_style(spinner.clone()).with_prefix(name));
                bar.enable_steady_tick(Duration::from_millis(100));
                if let Some(old) = running.insert(event.operation.clone(), bar) {
                    old.finish_and_clear();
                }
            }
            What::Accepted { .. } => message(&running, &event.operation, "waiting for Azure"),
            What::Progressed { text, fraction } => {
                if let (Some(bar), Some(fraction)) = (running.get(&event.operation), fraction) {
                    bar.set_style(share.clone());
                    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "0 to 1000")]
                    bar.set_position((fraction.clamp(0.0, 1.0) * 1000.0) as u64);
                }
                message(&running, &event.operation, text);
            }
            What::Retried { failure, after } => {
                let why = failure.message.lines().next().unwrap_or_default();
                message(&running, &event.operation, &format!("{why}; again in {}", spent(*after)));
            }
            What::Ended { how, worked } => {
                if let Some(bar) = running.remove(&event.operation) {
                    bar.finish_and_clear();
                }
                if !matches!(how, Ended::Skipped { .. }) {
                    let (mark, ended) = teller.ended(&event, how, *worked);
                    let _ = all.println(format!("  {mark} {name} {ended}"));
                }
            }
        }
    }
    for bar in running.into_values() {
        bar.finish_and_clear();
    }
}

fn message(running: &BTreeMap<OperationKey, ProgressBar>, key: &OperationKey, text: &str) {
    if let Some(bar) = running.get(key) {
        bar.set_message(text.lines().next().unwrap_or_default().to_owned());
    }
}

/// `put containerApp.web`.
fn name(event: &Event) -> String {
    format!("{} {}", event.kind, event.address)
}

fn mark(how: &Ended) -> &'static str {
    match how {
        Ended::Done => "✓",
        Ended::Failed { .. } => "✗",
        Ended::Skipped { .. } | Ended::Cancelled { .. } => "-",
    }
}

fn ended(how: &Ended, worked: Duration) -> String {
    match how {
        Ended::Done => format!("done in {}", spent(worked)),
        Ended::Failed { failure, .. } => {
            format!("failed: {}", failure.message.lines().next().unwrap_or_default())
        }
        Ended::Skipped { because } => format!("skipped, because `{because}` failed"),
        Ended::Cancelled { begun: true, .. } => "cancelled; it had been begun".to_owned(),
        Ended::Cancelled { begun: false, .. } => "cancelled before it began".to_owned(),
    }
}

/// `0.4 s`, `12 s`, `3 min 20 s`.
pub fn spent(time: Duration) -> String {
    let seconds = time.as_secs();
    match seconds {
        0..10 => format!("{:.1} s", time.as_secs_f64()),
        10..60 => format!("{seconds} s"),
        _ => format!("{} min {} s", seconds / 60, seconds % 60),
    }
}
