//! The pass that a deployed workload shows at the identity endpoint.
//!
//! Azure gives each replica an `IDENTITY_HEADER` that only it knows. Here it names the app and is sealed with a key
//! of this process, so nothing has to be kept; replicas never outlive the process that started them.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

/// Issues and checks passes.
pub(crate) struct Passes {
    key: [u8; 32],
}

impl std::fmt::Debug for Passes {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Passes")
    }
}

impl Passes {
    /// With a key nobody knows.
    pub(crate) fn new() -> Passes {
        Passes { key: rand::random() }
    }

    /// The pass of a workload.
    pub(crate) fn issue(&self, workload: &str) -> String {
        let seal = URL_SAFE_NO_PAD.encode(self.mac(workload).finalize().into_bytes());
        format!("{}.{seal}", URL_SAFE_NO_PAD.encode(workload))
    }

    /// Whose pass this is.
    pub(crate) fn check(&self, pass: &str) -> Option<String> {
        let (workload, seal) = pass.split_once('.')?;
        let workload = String::from_utf8(URL_SAFE_NO_PAD.decode(workload).ok()?).ok()?;
        let seal = URL_SAFE_NO_PAD.decode(seal).ok()?;
        self.mac(&workload).verify_slice(&seal).ok()?;
        Some(workload)
    }

    fn mac(&self, workload: &str) -> Hmac<Sha256> {
        let mut mac = Hmac::<Sha256>::new_from_slice(&self.key).expect("a key of any length will do");
        mac.update(workload.as_bytes());
        mac
    }
}

#[cfg(test)]
mod tests {
    use super::Passes;

    #[test]
    fn a_pass_names_its_workload_and_cannot_be_made_up() {
        let passes = Passes::new();
        let pass = passes.issue("/subscriptions/s/app");
        assert_eq!(passes.check(&pass).as_deref(), Some("/subscriptions/s/app"));
        assert_eq!(Passes::new().check(&pass), None, "another process's pass");
        let other = passes.issue("/subscriptions/s/other");
        let (name, _) = other.split_once('.').unwrap();
        let (_, seal) = pass.split_once('.').unwrap();
        assert_eq!(passes.check(&format!("{name}.{seal}")), None);
        for bad in ["", ".", "a.b", "☃.☃", &pass[..pass.len() - 2]] {
            assert_eq!(passes.check(bad), None, "{bad}");
        }
    }
}
