//! What a person reads of a call: the text that is attached to its incident.

use jiff::tz::TimeZone;

use crate::event::Call;

/// The most of a transcript that is written into a note when a file is refused.
pub const NOTE: usize = 30_000;

/// The call as text.
pub fn text(call: &Call) -> String {
    let started =
        call.started.map(|time| time.to_zoned(TimeZone::UTC).strftime("%Y-%m-%d %H:%M:%S UTC").to_string());
    let lines = [
        ("Conversation", Some(call.conversation.clone())),
        ("Agent", Some(call.agent.clone()).filter(|agent| !agent.is_empty())),
        ("Started", started),
        ("Duration", Some(format!("{}:{:02} min", call.seconds / 60, call.seconds % 60))),
        ("Caller's number", call.number.clone()),
        ("Ended", call.ended.clone()),
    ];
    let mut text = String::new();
    for (name, value) in lines {
        if let Some(value) = value {
            text += &format!("{name}: {value}\n");
        }
    }
    if let Some(summary) = &call.summary {
        text += &format!("\nSummary\n{summary}\n");
    }
    text += "\nTranscript\n";
    for turn in &call.turns {
        let who = if turn.caller { "Caller" } else { "Agent" };
        text += &format!("[{}:{:02}] {who}: {}\n", turn.at / 60, turn.at % 60, turn.text);
    }
    if call.turns.is_empty() {
        text += "(nothing was said)\n";
    }
    text
}
