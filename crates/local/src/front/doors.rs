//! Which of Azure's front doors a host name leads to.

use crate::world::Plane;

/// Where a request goes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Door {
    /// One of the planes.
    Plane(Plane),
    /// A deployed application, by its host name: anything that is no plane's, since custom domains are free.
    App(String),
}

/// The door of an authority (`host[:port]`), as a client sends it.
pub(crate) fn door(authority: &str) -> Door {
    let host = host(authority);
    let named = |suffix: &str| host.strip_suffix(suffix).filter(|name| !name.is_empty()).map(str::to_owned);
    if matches!(host.as_str(), "localhost" | "127.0.0.1" | "[::1]") {
        Door::Plane(Plane::Arm)
    } else if let Some(name) = named(".vault.localhost") {
        Door::Plane(Plane::Vault { name })
    } else if let Some(name) = named(".azurecr.localhost") {
        Door::Plane(Plane::Registry { name })
    } else if let Some(account) = named(".blob.core.localhost") {
        Door::Plane(Plane::Blob { account })
    } else if let Some(account) = named(".web.core.localhost") {
        // Azure puts a zone between: `account.z6.web.core…`.
        let account = account.split('.').next().unwrap_or_default().to_owned();
        Door::Plane(Plane::Website { account })
    } else if let Some((account, service)) = named(".core.localhost")
        .and_then(|name| name.split_once('.').map(|(a, s)| (a.to_owned(), s.to_owned())))
    {
        Door::Plane(Plane::OtherStorage { account, service })
    } else {
        Door::App(host)
    }
}

/// The host of an authority, lower case, without port and closing dot.
pub(crate) fn host(authority: &str) -> String {
    let host = match authority.rsplit_once(':') {
        // `[::1]` has colons of its own.
        Some((host, port)) if !port.ends_with(']') => host,
        _ => authority,
    };
    host.trim_end_matches('.').to_ascii_lowercase()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_host_name_chooses() {
        let plane = |plane| Door::Plane(plane);
        for (authority, expected) in [
            ("localhost:8443", plane(Plane::Arm)),
            ("LOCALHOST", plane(Plane::Arm)),
            ("127.0.0.1:1", plane(Plane::Arm)),
            ("[::1]:8443", plane(Plane::Arm)),
            ("Kv1.vault.localhost:8443", plane(Plane::Vault { name: "kv1".into() })),
            ("acr1.azurecr.localhost.:8443", plane(Plane::Registry { name: "acr1".into() })),
            ("st1.blob.core.localhost", plane(Plane::Blob { account: "st1".into() })),
            ("st1.z6.web.core.localhost", plane(Plane::Website { account: "st1".into() })),
            (
                "st1.dfs.core.localhost",
                plane(Plane::OtherStorage { account: "st1".into(), service: "dfs".into() }),
            ),
            (".vault.localhost", Door::App(".vault.localhost".into())),
            (
                "web.x.westeurope.azurecontainerapps.localhost:8443",
                Door::App("web.x.westeurope.azurecontainerapps.localhost".into()),
            ),
            ("www.example.com", Door::App("www.example.com".into())),
        ] {
            assert_eq!(door(authority), expected, "{authority}");
        }
    }
}
