//! Which format a file has.

/// The formats that can be imported.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Format {
    /// The Azure Developer CLI's `azure.yaml`.
    Azd,
    /// Docker Compose.
    Compose,
    /// fly.io's `fly.toml`.
    Fly,
    /// Heroku's `Procfile`.
    Procfile,
    /// A machine of one's own: systemd units, nginx sites, crontabs, `.env`.
    Server,
}

impl Format {
    /// All, in the order of preference when a folder has several: what was made for Azure first, what describes a
    /// single machine last.
    pub const ALL: [Format; 5] =
        [Format::Azd, Format::Compose, Format::Fly, Format::Procfile, Format::Server];

    /// For people: `Docker Compose`.
    pub fn label(self) -> &'static str {
        match self {
            Format::Azd => "the Azure Developer CLI",
            Format::Compose => "Docker Compose",
            Format::Fly => "fly.io",
            Format::Procfile => "a Procfile",
            Format::Server => "a server's units, sites, crontabs and variables",
        }
    }

    /// The format of a file by its path; `None` for one that says nothing of its own.
    pub fn of(path: &str) -> Option<Format> {
        let name = path.rsplit('/').next().unwrap_or(path);
        let lower = name.to_ascii_lowercase();
        let is_yaml = lower.ends_with(".yaml") || lower.ends_with(".yml");
        if lower == "azure.yaml" || lower == "azure.yml" {
            Some(Format::Azd)
        } else if is_yaml && (lower.starts_with("docker-compose") || lower.starts_with("compose")) {
            Some(Format::Compose)
        } else if lower.starts_with("fly.") && lower.ends_with(".toml") {
            Some(Format::Fly)
        } else if lower == "procfile" || lower.starts_with("procfile.") {
            Some(Format::Procfile)
        } else if [".service", ".timer"].iter().any(|end| lower.ends_with(end))
            || is_site(path, &lower)
            || is_crontab(path, &lower)
        {
            Some(Format::Server)
        } else {
            None
        }
    }

    /// Whether a folder that is looked through has this file for itself: an overlay (`compose.override.yaml`,
    /// `fly.staging.toml`) is read only when it is named.
    pub fn is_main(self, path: &str) -> bool {
        let name = path.rsplit('/').next().unwrap_or(path).to_ascii_lowercase();
        match self {
            Format::Azd | Format::Server => true,
            Format::Compose => ["compose.yaml", "compose.yml", "docker-compose.yaml", "docker-compose.yml"]
                .contains(&name.as_str()),
            Format::Fly => name == "fly.toml",
            Format::Procfile => name == "procfile",
        }
    }

    /// Whether a path is that of a file of variables: `.env`, `.env.production`, `app.env`, or one of `/etc/default`.
    /// Samples are none. With units they belong to [`Format::Server`].
    pub fn is_variables(path: &str) -> bool {
        let name = path.rsplit('/').next().unwrap_or(path);
        let is_sample = ["example", "sample", "template", "dist"].iter().any(|word| name.ends_with(word));
        !is_sample
            && (name == ".env"
                || name.starts_with(".env.")
                || name.ends_with(".env")
                || path.split('/').rev().nth(1) == Some("default"))
    }
}

/// An nginx file: `nginx.conf`, or one in a folder that nginx keeps its sites in.
pub(crate) fn is_site(path: &str, lower_name: &str) -> bool {
    let in_folder = |folder: &str| path.split('/').rev().skip(1).any(|part| part == folder);
    lower_name.ends_with(".nginx")
        || lower_name == "nginx.conf"
        || (lower_name.starts_with("nginx") && lower_name.ends_with(".conf"))
        || in_folder("sites-enabled")
        || in_folder("sites-available")
        || ((in_folder("nginx") || in_folder("conf.d")) && lower_name.ends_with(".conf"))
}

/// A crontab: by its name, or one of `cron.d`.
pub(crate) fn is_crontab(path: &str, lower_name: &str) -> bool {
    lower_name == "crontab"
        || lower_name.starts_with("crontab.")
        || lower_name.ends_with(".crontab")
        || lower_name.ends_with(".cron")
        || path.split('/').rev().nth(1) == Some("cron.d")
}
