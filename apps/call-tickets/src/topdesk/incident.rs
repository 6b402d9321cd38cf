//! What a new incident says.

use serde_json::{Map, Value, json};

use crate::extract::{Lists, Ticket};

/// The longest external number.
pub const EXTERNAL: usize = 60;

/// How much of a ticket an incident says. TOPdesk refuses an incident whole for one value that it does not know; each
/// next form says less, and the last says only what no environment can refuse.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Form {
    /// All of it.
    Whole,
    /// Not how it is classified.
    Unclassified,
    /// Only what it is about: who called is among the text.
    Bare,
}

/// The forms in the order they are tried.
pub const FORMS: [Form; 3] = [Form::Whole, Form::Unclassified, Form::Bare];

/// The external number of a conversation: its id, or its hash when that is too long.
pub fn external(conversation: &str) -> String {
    if conversation.chars().count() <= EXTERNAL && !conversation.chars().any(char::is_control) {
        conversation.to_owned()
    } else {
        crate::event::digest(conversation.as_bytes())
    }
}

/// The body of a new incident.
pub fn body(
    ticket: &Ticket,
    external: &str,
    person: Option<&str>,
    lists: &Lists,
    footer: &str,
    form: Form,
) -> Value {
    let mut body = Map::new();
    body.insert("briefDescription".into(), ticket.brief.clone().into());
    body.insert("request".into(), html(&text(ticket, footer)).into());
    body.insert("externalNumber".into(), external.into());
    if form <= Form::Unclassified {
        match person {
            // Both at once is an error.
            Some(id) => body.insert("callerLookup".into(), json!({"id": id})),
            None => unregistered(ticket).and_then(|caller| body.insert("caller".into(), caller)),
        };
    }
    if form == Form::Whole {
        let category = ticket.category.as_deref().and_then(|name| Lists::named(&lists.categories, name));
        let subcategory = category
            .zip(ticket.subcategory.as_deref())
            .and_then(|(category, name)| lists.subcategory(name, &category.name));
        let impact = ticket.impact.as_deref().and_then(|name| Lists::named(&lists.impacts, name));
        let urgency = ticket.urgency.as_deref().and_then(|name| Lists::named(&lists.urgencies, name));
        let priority = ticket.priority.as_deref().and_then(|name| Lists::named(&lists.priorities, name));
        let mut by_id = |name: &str, id: Option<&String>| {
            if let Some(id) = id {
                body.insert(name.into(), json!({"id": id}));
            }
        };
        by_id("category", category.map(|one| &one.id));
        by_id("subcategory", subcategory.map(|one| &one.id));
        by_id("impact", impact.map(|one| &one.id));
        by_id("urgency", urgency.map(|one| &one.id));
        // TOPdesk derives the priority from impact and urgency; set beside them it can empty the duration of an SLA.
        if impact.is_none() || urgency.is_none() {
            by_id("priority", priority.map(|one| &one.id));
        }
    }
    Value::Object(body)
}

fn unregistered(ticket: &Ticket) -> Option<Value> {
    let caller = &ticket.caller;
    let mut said = Map::new();
    let name = caller.name.clone().or_else(|| caller.phone.clone()).or_else(|| caller.email.clone())?;
    said.insert("dynamicName".into(), name.into());
    for (field, value) in [("phoneNumber", &caller.phone), ("email", &caller.email)] {
        if let Some(value) = value {
            said.insert(field.into(), value.clone().into());
        }
    }
    Some(Value::Object(said))
}

/// The request, who called, and the footer.
fn text(ticket: &Ticket, footer: &str) -> String {
    let english = ticket.language == "en";
    let caller = &ticket.caller;
    let labels = if english {
        ["Caller", "Phone", "E-mail", "Department"]
    } else {
        ["Beller", "Telefoon", "E-mail", "Afdeling"]
    };
    let values = [&caller.name, &caller.phone, &caller.email, &caller.department];
    let who: Vec<String> = labels
        .iter()
        .zip(values)
        .filter_map(|(label, value)| Some(format!("{label}: {}", value.as_ref()?)))
        .collect();
    let parts = [ticket.request.clone(), who.join("\n"), footer.to_owned()];
    parts.into_iter().filter(|part| !part.is_empty()).collect::<Vec<_>>().join("\n\n")
}

/// Text as TOPdesk's fields with markup want it: escaped, with `<br>` for line ends, without control characters.
pub fn html(text: &str) -> String {
    let mut html = String::with_capacity(text.len() + text.len() / 8);
    for c in text.replace("\r\n", "\n").chars() {
        match c {
            '&' => html += "&amp;",
            '<' => html += "&lt;",
            '>' => html += "&gt;",
            '"' => html += "&quot;",
            '\'' => html += "&#39;",
            '\n' | '\u{2028}' | '\u{2029}' => html += "<br>",
            '\t' => html.push(' '),
            c if c.is_control() => {}
            c => html.push(c),
        }
    }
    html
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::extract::{Caller, Named, Source, Subcategory};

    fn ticket() -> Ticket {
        Ticket {
            brief: "Printer".into(),
            request: "1 < 2 & <script>\nklaar".into(),
            category: Some("hardware".into()),
            subcategory: Some("Printers".into()),
            priority: Some("P1".into()),
            impact: None,
            urgency: Some("Hoog".into()),
            caller: Caller { name: Some("Jan".into()), phone: Some("1234".into()), ..Caller::default() },
            language: "nl".into(),
            confidence: 1.0,
            source: Source::Rules,
        }
    }

    fn lists() -> Lists {
        let one = |name: &str| vec![Named { id: format!("id-{name}"), name: name.into() }];
        Lists {
            categories: one("Hardware"),
            subcategories: vec![Subcategory {
                id: "id-sub".into(),
                name: "Printers".into(),
                category: "Hardware".into(),
            }],
            priorities: one("P1"),
            impacts: one("Persoon"),
            urgencies: one("Hoog"),
        }
    }

    #[test]
    fn an_incident_says_less_in_each_form() {
        let whole = body(&ticket(), "conv_1", None, &lists(), "Gesprek conv_1", Form::Whole);
        assert_eq!(whole["category"]["id"], "id-Hardware");
        assert_eq!(
            (&whole["subcategory"]["id"], &whole["priority"]["id"]),
            (&json!("id-sub"), &json!("id-P1"))
        );
        assert_eq!(whole["caller"], json!({"dynamicName": "Jan", "phoneNumber": "1234"}));
        assert_eq!(
            whole["request"],
            "1 &lt; 2 &amp; &lt;script&gt;<br>klaar<br><br>Beller: Jan<br>Telefoon: 1234<br><br>Gesprek conv_1"
        );
        let unclassified = body(&ticket(), "conv_1", Some("p1"), &lists(), "", Form::Unclassified);
        assert_eq!((&unclassified["callerLookup"]["id"], unclassified.get("category")), (&json!("p1"), None));
        assert!(unclassified.get("caller").is_none());
        let bare = body(&ticket(), "conv_1", Some("p1"), &lists(), "", Form::Bare);
        assert_eq!(bare.as_object().expect("an object").len(), 3);
    }

    #[test]
    fn impact_and_urgency_make_the_priority() {
        let mut ticket = ticket();
        ticket.impact = Some("Persoon".into());
        let whole = body(&ticket, "c", None, &lists(), "", Form::Whole);
        assert!(whole.get("priority").is_none() && whole["impact"]["id"] == "id-Persoon");
    }

    #[test]
    fn long_conversations_have_an_external_number_too() {
        assert_eq!(external("conv_1"), "conv_1");
        assert_eq!(external(&"x".repeat(61)).len(), 32);
    }
}
