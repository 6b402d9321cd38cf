//! Where an application goes: an Azure, a subscription there, and who we are.

use landfall_azure::{Arm, ArmOptions, Caller, Cloud, Login, Registry, Vault};

use crate::error::Error;

/// An Azure that we are signed in to. Clones share connections, tokens and the throttle budget.
#[derive(Clone, Debug)]
pub struct Target {
    /// Its endpoints.
    pub cloud: Cloud,
    /// Tokens.
    pub credential: landfall_azure::Credential,
    /// The client of ARM.
    pub arm: Arm,
    /// The subscription's id.
    pub subscription: String,
    /// Who we are.
    pub caller: Caller,
    /// How fast its time runs: 1 for Azure, less for a local Azure that does not want to wait.
    pub speed: f64,
}

impl Target {
    /// Signs in and settles the subscription: the one that is wanted, else the only one that the caller sees.
    ///
    /// # Errors
    /// When nobody can be signed in, or the subscription is not clear.
    pub async fn connect(
        cloud: Cloud,
        login: Login,
        wanted: Option<&str>,
        speed: f64,
    ) -> Result<Target, Error> {
        let name = cloud.name.clone();
        let credential =
            landfall_azure::credential(&cloud, login).map_err(Error::azure(format!("sign in to {name}")))?;
        let arm = Arm::new(&cloud, credential.clone(), ArmOptions::default())
            .map_err(Error::azure(format!("reach {name}")))?;
        let caller = arm.caller().await.map_err(Error::azure(format!("sign in to {name}")))?;
        let subscription = match wanted {
            Some(id) => id.to_owned(),
            None => only_subscription(&arm, &name).await?,
        };
        Ok(Target { cloud, credential, arm, subscription, caller, speed })
    }

    /// The data plane of a vault.
    pub fn vault(&self, name: &str) -> Result<Vault, Error> {
        Vault::new(&self.cloud, self.credential.clone(), name)
            .map_err(Error::azure(format!("reach the vault {name}")))
    }

    /// A registry.
    pub fn registry(&self, name: &str) -> Result<Registry, Error> {
        Registry::new(&self.cloud, self.credential.clone(), name)
            .map_err(Error::azure(format!("reach the registry {name}")))
    }
}

async fn only_subscription(arm: &Arm, cloud: &str) -> Result<String, Error> {
    let subscriptions = arm.subscriptions().await.map_err(Error::azure("list the subscriptions"))?;
    let mut enabled = subscriptions.iter().filter(|subscription| subscription.state == "Enabled");
    match (enabled.next(), enabled.next()) {
        (Some(only), None) => Ok(only.id.clone()),
        (None, _) => Err(Error::Other {
            message: format!("there is no enabled subscription on {cloud} for who is signed in"),
            help: Some("sign in to another tenant, or ask for a role on a subscription".to_owned()),
        }),
        (Some(first), Some(second)) => Err(Error::Other {
            message: format!(
                "several subscriptions are possible, {} and {} among them",
                first.name, second.name
            ),
            help: Some(
                "say which: `subscription = \"…\"` under `[environment.NAME]`, or AZURE_SUBSCRIPTION_ID"
                    .to_owned(),
            ),
        }),
    }
}
