//! Names that Azure gives nobody: reserved words and trademarks.

use serde_json::json;

use super::gate::object;
use super::refusal::Refusal;
use super::{Answer, Ask};
use crate::world::Response;

/// Words that names of what is reached by a public address may not be, or may not have in them.
const RESERVED: &[&str] = &[
    "ACCESS",
    "APPLE",
    "AZURE",
    "BING",
    "BIZSPARK",
    "BIZTALK",
    "CORTANA",
    "DIRECTX",
    "DOTNET",
    "DYNAMICS",
    "EXCEL",
    "EXCHANGE",
    "FOREFRONT",
    "GROOVE",
    "HOLOLENS",
    "HYPERV",
    "KINECT",
    "LYNC",
    "MSDN",
    "O365",
    "OFFICE",
    "OFFICE365",
    "ONEDRIVE",
    "ONENOTE",
    "OUTLOOK",
    "POWERPOINT",
    "SHAREPOINT",
    "SKYPE",
    "VISIO",
    "VISUALSTUDIO",
];

/// Whether a name is, begins with or has in it what is reserved or a trademark.
pub(super) fn is_reserved(name: &str) -> bool {
    let name = name.to_ascii_uppercase();
    RESERVED.contains(&name.as_str())
        || name.starts_with("LOGIN")
        || ["MICROSOFT", "WINDOWS"].iter().any(|word| name.contains(word))
}

/// `POST /providers/Microsoft.Resources/checkResourceName`.
pub(super) fn check_name(ask: &Ask) -> Answer {
    let body = object(ask.body)?;
    let text = |name: &str| body[name].as_str().filter(|text| !text.is_empty());
    let (Some(name), Some(kind)) = (text("name"), text("type")) else {
        return Err(Refusal::bad(
            "InvalidRequestContent",
            "The request content was invalid: 'name and type are required'.",
        ));
    };
    let status = if is_reserved(name) { "Reserved" } else { "Allowed" };
    Ok(Response::json(200, &json!({"name": name, "type": kind, "status": status})))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use crate::world::testing::{Lab, rg};

    #[test]
    fn reserved_words_are_told() {
        let mut lab = Lab::new(0.0);
        let mut status = |name: &str| {
            let body = json!({"name": name, "type": "Microsoft.Storage/storageAccounts"});
            lab.post("/providers/Microsoft.Resources/checkResourceName", body).ok(200).json["status"].clone()
        };
        for (name, expected) in [
            ("mystore1", "Allowed"),
            ("azure", "Reserved"),
            ("loginpage", "Reserved"),
            ("mywindowsvm", "Reserved"),
        ] {
            assert_eq!(status(name), expected, "{name}");
        }
        let body = json!({"location": "westeurope", "kind": "StorageV2", "sku": {"name": "Standard_LRS"}});
        lab.put(&rg("Microsoft.Storage/storageAccounts/microsoftstore"), body)
            .refused(400, "ReservedResourceName");
    }
}
