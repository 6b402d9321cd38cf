//! What a text must look like: one rule per kind of text.

use std::net::Ipv4Addr;
use std::ops::Range;

use crate::addresses::{AddressRange, NotARange};
use crate::codes::{self, Code};
use crate::network::{self, Peer};
use crate::regions;
use crate::suggest;
use crate::units::{Date, Duration, Load, Money, Month, Per, Size};

/// What a text must look like.
pub(crate) struct Rule {
    /// The same for an editor, as a regular expression; narrower checks stay with `check`.
    pub pattern: Option<&'static str>,
    /// Shortest and longest, in characters; `shape` holds the longest for every rule.
    pub length: Range<usize>,
    pub check: fn(&str) -> Result<(), Fault>,
}

impl std::fmt::Debug for Rule {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Rule").field("pattern", &self.pattern).finish_non_exhaustive()
    }
}

/// How a text breaks its rule.
pub(crate) struct Fault {
    pub code: &'static Code,
    pub message: String,
    pub help: Option<String>,
}

pub(crate) fn fault(
    code: &'static Code,
    message: impl Into<String>,
    help: impl Into<String>,
) -> Result<(), Fault> {
    Err(Fault { code, message: message.into(), help: Some(help.into()) })
}

const NAME_PATTERN: &str = "^[a-z](-?[a-z0-9])*$";

/// Longest name of an application or a service. With `ca-`, an environment of [`ENVIRONMENT_MAX`] and a region's
/// abbreviation they do not all fit the 32 characters of a container app; names are then shortened, and this bound
/// keeps enough of each to be told apart.
pub(crate) const NAME_MAX: usize = 20;

/// Longest name of an environment.
const ENVIRONMENT_MAX: usize = 12;

/// Any text.
pub(crate) static ANY: Rule = Rule { pattern: None, length: 0..100_000, check: |_| Ok(()) };

/// The application's name.
pub(crate) static APP: Rule = Rule {
    pattern: Some(NAME_PATTERN),
    length: 2..NAME_MAX,
    check: |s| name("an application's name", s, 2, NAME_MAX),
};

/// A service's name.
pub(crate) static SERVICE: Rule = Rule {
    pattern: Some(NAME_PATTERN),
    length: 1..NAME_MAX,
    check: |s| name("a service's name", s, 1, NAME_MAX),
};

/// A resource's name.
pub(crate) static RESOURCE: Rule = Rule {
    pattern: Some(NAME_PATTERN),
    length: 1..NAME_MAX,
    check: |s| name("a resource's name", s, 1, NAME_MAX),
};

/// An environment's name.
pub(crate) static ENVIRONMENT: Rule = Rule {
    pattern: Some(NAME_PATTERN),
    length: 1..ENVIRONMENT_MAX,
    check: |s| name("an environment's name", s, 1, ENVIRONMENT_MAX),
};

pub(crate) fn name(what: &str, text: &str, min: usize, max: usize) -> Result<(), Fault> {
    let length = text.chars().count();
    if length > max {
        return fault(
            codes::NAME,
            format!("{what} has at most {max} characters, this one has {length}"),
            "Azure names hold the application, the service, the environment and the region in 32 characters",
        );
    }
    let well_formed = text.starts_with(|c: char| c.is_ascii_lowercase())
        && !text.ends_with('-')
        && !text.contains("--")
        && text.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-');
    if well_formed && length >= min {
        return Ok(());
    }
    let fitting = fitting_name(text, max);
    let help = match fitting.chars().count() >= min && fitting != text {
        true => format!("write `{fitting}`"),
        false => format!("at least {min} characters, beginning with a letter"),
    };
    fault(
        codes::NAME,
        format!("{what} is lower-case letters, digits and single hyphens, and begins with a letter"),
        help,
    )
}

/// The nearest allowed name: empty when `text` has nothing to make one from.
pub(crate) fn fitting_name(text: &str, max: usize) -> String {
    let mut out = String::new();
    for c in text.chars().flat_map(char::to_lowercase) {
        if c.is_ascii_digit() && out.is_empty() {
            continue;
        }
        if c.is_ascii_lowercase() || c.is_ascii_digit() {
            out.push(c);
        } else if !out.is_empty() && !out.ends_with('-') {
            out.push('-');
        }
        if out.len() == max {
            break;
        }
    }
    out.trim_end_matches('-').to_owned()
}

/// A region.
pub(crate) static REGION: Rule = Rule {
    pattern: None,
    length: 1..60,
    check: |text| {
        if regions::exists(text) {
            return Ok(());
        }
        let help = suggest::did_you_mean(text, regions::REGIONS.iter().map(|(name, _)| *name));
        let help = help.unwrap_or_else(|| "`az account list-locations -o table` prints them".to_owned());
        fault(codes::REGION, format!("Azure has no region `{}`", short(text)), help)
    },
};

/// A span of time with its unit.
pub(crate) static DURATION: Rule = Rule {
    pattern: Some("^[0-9]+[smhdw]$"),
    length: 2..20,
    check: |text| quantity("a span of time", Duration::parse(text)),
};

/// An amount of storage with its unit.
pub(crate) static SIZE: Rule = Rule {
    pattern: Some("^[0-9]+(Mi|Gi|Ti)$"),
    length: 3..20,
    check: |text| quantity("an amount of storage", Size::parse(text)),
};

/// An amount of money with its currency.
pub(crate) static MONEY: Rule = Rule {
    pattern: Some("^[0-9]+(\\.[0-9]{1,2})? ?[A-Z]{3}$"),
    length: 4..30,
    check: |text| quantity("an amount of money", Money::parse(text)),
};

/// How often something happens.
pub(crate) static LOAD: Rule = Rule {
    pattern: Some("^[0-9]+(\\.[0-9]+)?[kM]?/(second|minute|hour|day|month)$"),
    length: 3..30,
    check: |text| quantity("a load", Load::parse(text)),
};

/// A month of the calendar.
pub(crate) static MONTH: Rule = Rule {
    pattern: Some("^[0-9]{4}-(0[1-9]|1[0-2])$"),
    length: 7..7,
    check: |text| quantity("a month", Month::parse(text)),
};

/// A day of the calendar.
pub(crate) static DATE: Rule = Rule {
    pattern: Some("^[0-9]{4}-[0-9]{2}-[0-9]{2}$"),
    length: 10..10,
    check: |text| quantity("a day", Date::parse(text)),
};

/// Longest name of an alert, a job or a query.
pub(crate) const LABEL_MAX: usize = 50;

/// The name of an alert, a job or a query.
pub(crate) static LABEL: Rule = Rule {
    pattern: Some(NAME_PATTERN),
    length: 1..LABEL_MAX,
    check: |s| {
        let message = format!(
            "such a name is at most {LABEL_MAX} lower-case letters, digits and single hyphens, and begins with a letter"
        );
        let fitting = fitting_name(s, LABEL_MAX);
        match fitting == s && !s.is_empty() {
            true => Ok(()),
            false if fitting.is_empty() => fault(codes::NAME, message, "such as \"api-is-slow\""),
            false => fault(codes::NAME, message, format!("write \"{fitting}\"")),
        }
    },
};

/// A sentence or two for people.
pub(crate) static NOTE: Rule = Rule {
    pattern: None,
    length: 1..500,
    check: |text| match text.trim().is_empty() || text.chars().any(|c| c.is_control() && c != '\n') {
        false => Ok(()),
        true => fault(codes::OUT_OF_RANGE, "a note says something", "leave it out, or write a sentence"),
    },
};

/// Why something is as it is.
pub(crate) static REASON: Rule = Rule {
    pattern: None,
    length: 10..500,
    check: |text| match text.trim().chars().count() {
        0..10 => fault(
            codes::WAIVER,
            "that is no reason",
            "write a sentence: who waived it will be asked in a year",
        ),
        _ => Ok(()),
    },
};

/// The id of a rule of the standard.
pub(crate) static RULE_ID: Rule = Rule {
    pattern: Some("^[A-Za-z][A-Za-z0-9_.-]*$"),
    length: 2..60,
    check: |text| {
        let plain = text.chars().all(|c| c.is_ascii_alphanumeric() || "_.-".contains(c));
        match plain && text.len() >= 2 && text.starts_with(|c: char| c.is_ascii_alphabetic()) {
            true => Ok(()),
            false => fault(
                codes::WAIVER,
                format!("`{}` is no rule's id", short(text)),
                "`landfall check` prints the id of each finding",
            ),
        }
    },
};

/// An address that is asked by HTTPS.
pub(crate) static HTTPS: Rule = Rule {
    pattern: Some("^https://[^\\s]+$"),
    length: 9..1000,
    check: |text| {
        let host = text
            .strip_prefix("https://")
            .map(|rest| rest.split(['/', '?', '#', ':']).next().unwrap_or_default());
        match host.is_some_and(|host| host.contains('.') && host.chars().all(|c| c.is_ascii_graphic())) {
            true => Ok(()),
            false => fault(
                codes::RELEASE,
                "it is asked by `https`",
                "such as \"https://stats.example.com/tickets\"",
            ),
        }
    },
};

fn quantity<T>(what: &str, read: Result<T, String>) -> Result<(), Fault> {
    match read {
        Ok(_) => Ok(()),
        Err(help) => fault(codes::NO_UNIT, format!("this is not {what} that can be read"), help),
    }
}

/// The placeholders of a naming pattern.
pub(crate) const PLACEHOLDERS: &[&str] = &["type", "app", "name", "env", "region"];

const PLACEHOLDERS_SHOWN: &str = "placeholders are `{type}`, `{app}`, `{name}`, `{env}` and `{region}`";

/// What stands for `{type}`.
pub(crate) static ABBREVIATION: Rule = Rule {
    pattern: Some("^[a-z][a-z0-9]*$"),
    length: 1..10,
    check: |text| {
        let begins = text.starts_with(|c: char| c.is_ascii_lowercase());
        if begins && text.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit()) {
            return Ok(());
        }
        let message = "an abbreviation is lower-case letters and digits, and begins with a letter";
        fault(codes::NAMING, message, "it becomes part of names that take no hyphens")
    },
};

/// A naming pattern.
pub(crate) static NAMING: Rule = Rule { pattern: None, length: 1..60, check: naming };

fn naming(text: &str) -> Result<(), Fault> {
    let mut rest = text;
    let mut seen = Vec::new();
    while let Some(open) = rest.find(['{', '}']) {
        literal(&rest[..open])?;
        let closed = rest[open..].find('}').filter(|_| rest[open..].starts_with('{'));
        let Some(close) = closed else {
            return fault(codes::NAMING, "a brace of the pattern has no partner", PLACEHOLDERS_SHOWN);
        };
        let word = &rest[open + 1..open + close];
        if !PLACEHOLDERS.contains(&word) {
            let help = suggest::did_you_mean(word, PLACEHOLDERS.iter().copied());
            return fault(
                codes::NAMING,
                format!("there is no placeholder `{{{}}}`", short(word)),
                help.unwrap_or_else(|| PLACEHOLDERS_SHOWN.to_owned()),
            );
        }
        seen.push(word);
        rest = &rest[open + close + 1..];
    }
    literal(rest)?;
    if let Some(needed) = ["app", "env"].into_iter().find(|needed| !seen.contains(needed)) {
        let of = if needed == "app" { "applications" } else { "environments" };
        return fault(
            codes::NAMING,
            format!("the pattern lacks `{{{needed}}}`"),
            format!("without it two {of} would take each other's names"),
        );
    }
    if !text.starts_with(|c: char| c.is_ascii_lowercase() || c == '{') {
        return fault(
            codes::NAMING,
            "the pattern begins with a letter or a placeholder",
            "Azure names begin with a letter",
        );
    }
    if text.ends_with('-') || text.contains("--") {
        return fault(
            codes::NAMING,
            "a hyphen stands alone in the pattern",
            "Key Vault names have single hyphens, none at the end",
        );
    }
    Ok(())
}

fn literal(text: &str) -> Result<(), Fault> {
    match text.chars().find(|c| !(c.is_ascii_lowercase() || c.is_ascii_digit() || *c == '-')) {
        None => Ok(()),
        Some(c) => fault(
            codes::NAMING,
            format!("`{}` cannot stand in Azure names", c.escape_debug()),
            "use lower-case letters, digits and hyphens",
        ),
    }
}

/// A tag's name.
pub(crate) static TAG_NAME: Rule = Rule {
    pattern: Some("^[^<>%&\\\\?/]+$"),
    length: 1..512,
    check: |text| {
        if text.is_empty() || text.chars().count() > 512 {
            return fault(
                codes::TAG,
                "a tag's name has 1 to 512 characters",
                "shorten it; the value can hold the rest",
            );
        }
        if let Some(c) = text.chars().find(|c| "<>%&\\?/".contains(*c) || c.is_control()) {
            let message = format!("a tag's name cannot have `{}`", c.escape_debug());
            return fault(codes::TAG, message, "use letters, digits, spaces and `-`, `_`, `.`, `:`");
        }
        let lower = text.to_lowercase();
        if let Some(prefix) = ["microsoft", "azure", "windows"].into_iter().find(|p| lower.starts_with(p)) {
            let message = format!("tags that begin with `{prefix}` are Azure's own");
            return fault(codes::TAG, message, "choose another name");
        }
        if lower.starts_with("landfall-") {
            let message = "tags that begin with `landfall-` mark what Landfall owns";
            return fault(codes::TAG, message, "choose another name");
        }
        Ok(())
    },
};

/// A tag's value.
pub(crate) static TAG_VALUE: Rule = Rule {
    pattern: None,
    length: 0..256,
    check: |text| match text.chars().count() {
        0..=256 => Ok(()),
        length => fault(
            codes::TAG,
            format!("a tag's value has at most 256 characters, this one has {length}"),
            "shorten it",
        ),
    },
};

/// A folder relative to the manifest's.
pub(crate) static FOLDER: Rule = Rule {
    pattern: Some("^[^\\\\]+$"),
    length: 1..1000,
    check: |text| {
        if text.trim().is_empty() {
            return fault(codes::SOURCE, "the folder has no name", "`.` is the manifest's own folder");
        }
        if text.contains('\\') {
            return fault(
                codes::SOURCE,
                "a folder is written with `/`",
                format!("write \"{}\"", text.replace('\\', "/")),
            );
        }
        if text.starts_with('/') || text.starts_with('~') || text.get(1..3) == Some(":/") {
            return fault(
                codes::SOURCE,
                "the folder must be relative to the manifest's",
                "an absolute path is on your machine only",
            );
        }
        if text.chars().any(char::is_control) {
            return fault(
                codes::SOURCE,
                "the folder's name has control characters",
                "check the escapes in the text",
            );
        }
        Ok(())
    },
};

/// An image with a tag or digest.
pub(crate) static IMAGE: Rule = Rule { pattern: Some("^[^\\s]+[:@][^\\s/]+$"), length: 1..500, check: image };

fn image(text: &str) -> Result<(), Fault> {
    const FORM: &str = "the form is `registry/repository:tag` or `registry/repository@sha256:…`";
    let (path, version) = match text.split_once('@') {
        Some((path, digest)) => {
            let hex = digest.strip_prefix("sha256:").unwrap_or_default();
            if hex.len() != 64 || !hex.chars().all(|c| matches!(c, '0'..='9' | 'a'..='f')) {
                let message = "a digest is `sha256:` and 64 lower-case hexadecimal digits";
                return fault(codes::SOURCE, message, FORM);
            }
            (
                path.rsplit_once(':').filter(|(_, tag)| !tag.contains('/')).map_or(path, |(path, _)| path),
                "digest",
            )
        }
        None => match text.rsplit_once(':').filter(|(_, tag)| !tag.contains('/')) {
            Some((path, tag)) => (path, tag),
            None => {
                let message = "the image has neither a tag nor a digest";
                return fault(
                    codes::SOURCE,
                    message,
                    "without one nobody could tell later what ran: add `:TAG`",
                );
            }
        },
    };
    let tag_ok = version.chars().all(|c| c.is_ascii_alphanumeric() || "._-".contains(c))
        && version.starts_with(|c: char| c.is_ascii_alphanumeric() || c == '_')
        && version.len() <= 128;
    let path_ok = path.split('/').enumerate().all(|(i, part)| {
        let is_host = i == 0 && path.contains('/');
        part.starts_with(|c: char| c.is_ascii_alphanumeric())
            && part.ends_with(|c: char| c.is_ascii_alphanumeric())
            && part.chars().all(|c| {
                c.is_ascii_lowercase()
                    || c.is_ascii_digit()
                    || "._-".contains(c)
                    || (is_host && (c == ':' || c.is_ascii_uppercase()))
            })
    });
    match tag_ok && path_ok {
        true => Ok(()),
        false => fault(codes::SOURCE, format!("`{}` is not the name of an image", short(text)), FORM),
    }
}

/// The path of an HTTP request.
pub(crate) static PATH: Rule = Rule {
    pattern: Some("^/[!-~]*$"),
    length: 1..1000,
    check: |text| {
        if !text.starts_with('/') {
            let path = match text.split_once("://") {
                Some((_, rest)) => rest.find('/').map_or("/", |i| &rest[i..]).to_owned(),
                None => format!("/{text}"),
            };
            return fault(
                codes::PROBE,
                "a probe's path begins with `/`",
                format!("write \"{}\"", short(&path)),
            );
        }
        match text.chars().all(|c| c.is_ascii_graphic()) {
            true => Ok(()),
            false => fault(
                codes::PROBE,
                "a probe's path has no spaces and no letters beyond ASCII",
                "encode them: `%20`",
            ),
        }
    },
};

/// A host name of the user's own.
pub(crate) static DOMAIN: Rule = Rule {
    pattern: Some("^([a-z0-9]([a-z0-9-]*[a-z0-9])?\\.)+[a-z0-9-]*[a-z][a-z0-9-]*$"),
    length: 3..253,
    check: domain,
};

fn domain(text: &str) -> Result<(), Fault> {
    let bare = text.split_once("://").map_or(text, |(_, rest)| rest);
    let bare = bare.split(['/', ':']).next().unwrap_or_default().trim().trim_end_matches('.').to_lowercase();
    if text.starts_with('*') {
        return fault(
            codes::DOMAIN,
            "a wildcard domain cannot have Azure's managed certificate",
            "name each host: \"www.example.com\"",
        );
    }
    if bare != text && is_host_name(&bare) {
        return fault(
            codes::DOMAIN,
            "a domain is a host name alone, in lower case",
            format!("write \"{bare}\""),
        );
    }
    if !is_host_name(text) {
        return fault(
            codes::DOMAIN,
            format!("`{}` is not a full host name", short(text)),
            "such as \"www.example.com\"",
        );
    }
    if text.ends_with(".azurecontainerapps.io") {
        return fault(
            codes::DOMAIN,
            "Azure's own host name needs no binding",
            "leave it out: it always leads to the service",
        );
    }
    Ok(())
}

fn is_host_name(text: &str) -> bool {
    let labels: Vec<&str> = text.split('.').collect();
    let label_ok = |label: &&str| {
        (1..=63).contains(&label.len())
            && label.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-')
            && !label.starts_with('-')
            && !label.ends_with('-')
    };
    let is_named = labels.last().is_some_and(|last| last.contains(|c: char| c.is_ascii_lowercase()));
    text.len() <= 253 && labels.len() >= 2 && is_named && labels.iter().all(label_ok)
}

/// An IPv4 range.
pub(crate) static CIDR: Rule = Rule {
    pattern: Some("^\\d{1,3}\\.\\d{1,3}\\.\\d{1,3}\\.\\d{1,3}/\\d{1,2}$"),
    length: 9..18,
    check: cidr,
};

/// The addresses of a network.
pub(crate) static SPACE: Rule = Rule {
    pattern: Some("^\\d{1,3}\\.\\d{1,3}\\.\\d{1,3}\\.\\d{1,3}/\\d{1,2}$"),
    length: 9..18,
    check: |text| {
        let range = address_range(text, codes::SPACE)?;
        match range.prefix() {
            8..=29 => Ok(()),
            0..8 => fault(
                codes::SPACE,
                "a space wider than /8 is more than Azure takes",
                format!("write \"{}/8\"", range.first()),
            ),
            _ => fault(
                codes::SPACE,
                "a space narrower than /29 holds no subnet",
                format!("write \"{}/24\"", range.first()),
            ),
        }
    },
};

/// The addresses of a subnet.
pub(crate) static SUBNET_RANGE: Rule = Rule {
    pattern: Some("^\\d{1,3}\\.\\d{1,3}\\.\\d{1,3}\\.\\d{1,3}/\\d{1,2}$"),
    length: 9..18,
    check: |text| address_range(text, codes::SUBNET_RANGE).map(drop),
};

/// A subnet's name.
pub(crate) static SUBNET: Rule = Rule {
    pattern: Some(NAME_PATTERN),
    length: 1..NAME_MAX,
    check: |s| name("a subnet's name", s, 1, NAME_MAX),
};

/// A security rule's name.
pub(crate) static RULE_NAME: Rule = Rule {
    pattern: Some("^[A-Za-z0-9]([A-Za-z0-9_.-]{0,78}[A-Za-z0-9_])?$"),
    length: 1..80,
    check: |text| {
        let ends = |c: char| c.is_ascii_alphanumeric() || c == '_';
        let well_formed = (1..=80).contains(&text.len())
            && text.starts_with(|c: char| c.is_ascii_alphanumeric())
            && text.ends_with(ends)
            && text.chars().all(|c| ends(c) || ".-".contains(c));
        match well_formed {
            true => Ok(()),
            false => fault(
                codes::SECURITY_RULE,
                "a rule's name has 1 to 80 letters, digits, `_`, `.` and `-`, and begins with a letter or digit",
                "such as \"AllowFromApp\"",
            ),
        }
    },
};

/// One side of a security rule.
pub(crate) static PEER: Rule = Rule {
    pattern: None,
    length: 1..100,
    check: |text| match Peer::parse(text) {
        Peer::Any => Ok(()),
        Peer::Range(_) => Ok(()),
        Peer::Tag(tag) if network::rule::is_tag(&tag) => Ok(()),
        Peer::Tag(tag) => {
            let help = suggest::did_you_mean(&tag, network::rule::TAGS.iter().copied());
            let help = help
                .unwrap_or_else(|| "such as `Internet`, `VirtualNetwork` or `Storage.WestEurope`".to_owned());
            fault(codes::SECURITY_RULE, format!("Azure has no service tag `{}`", short(&tag)), help)
        }
        Peer::Subnet(name) if name.starts_with(|c: char| c.is_ascii_digit()) => {
            address_range(&name, codes::SECURITY_RULE).map(drop)
        }
        Peer::Subnet(name) if network::rule::TAGS.iter().any(|tag| tag.eq_ignore_ascii_case(&name)) => {
            let tag = network::rule::TAGS.iter().find(|tag| tag.eq_ignore_ascii_case(&name));
            fault(
                codes::SECURITY_RULE,
                "service tags are written with their capitals",
                format!("write \"{}\"", tag.unwrap_or(&"Internet")),
            )
        }
        Peer::Subnet(name) => (SUBNET.check)(&name),
    },
};

/// A port or a span of ports.
pub(crate) static PORTS: Rule = Rule {
    pattern: Some("^(\\*|[0-9]{1,5}(-[0-9]{1,5})?)$"),
    length: 1..11,
    check: |text| {
        let (from, to) = text.split_once('-').unwrap_or((text, text));
        match (from.parse::<u16>(), to.parse::<u16>()) {
            _ if text == "*" => Ok(()),
            (Ok(from), Ok(to)) if from <= to => Ok(()),
            (Ok(from), Ok(to)) => {
                fault(codes::SECURITY_RULE, "a span of ports goes upward", format!("write \"{to}-{from}\""))
            }
            _ => fault(
                codes::SECURITY_RULE,
                format!("`{}` is neither a port nor a span of ports", short(text)),
                "such as \"443\" or \"8000-8010\", from 0 to 65535",
            ),
        }
    },
};

/// A rule's name in a firewall policy.
pub(crate) static WAF_NAME: Rule = Rule {
    pattern: Some("^[A-Za-z][A-Za-z0-9]*$"),
    length: 1..100,
    check: |text| {
        let well_formed = text.starts_with(|c: char| c.is_ascii_alphabetic())
            && text.chars().all(|c| c.is_ascii_alphanumeric());
        match well_formed {
            true => Ok(()),
            false => fault(
                codes::GATEWAY,
                "a firewall rule's name is letters and digits, and begins with a letter",
                "such as \"blockAdmin\"",
            ),
        }
    },
};

/// Requests in a minute.
pub(crate) static RATE: Rule = Rule {
    pattern: Some("^[0-9]+(\\.[0-9]+)?[kM]?/minute$"),
    length: 8..30,
    check: |text| match Load::parse(text) {
        Ok(load) if load.per == Per::Minute && (1..=1_000_000).contains(&load.count) => Ok(()),
        Ok(_) => fault(
            codes::GATEWAY,
            "a gateway counts the requests of a minute, from 1 to a million",
            "such as \"1k/minute\"",
        ),
        Err(_) => fault(codes::GATEWAY, "this is not a rate that can be read", "such as \"1k/minute\""),
    },
};

/// A country by its two letters.
pub(crate) static COUNTRY: Rule = Rule {
    pattern: Some("^[A-Z]{2}$"),
    length: 2..2,
    check: |text| match text.len() == 2 && text.bytes().all(|c| c.is_ascii_uppercase()) {
        true => Ok(()),
        false => fault(
            codes::GATEWAY,
            format!("`{}` is not a country", short(text)),
            "two capitals of ISO 3166, such as \"DE\"; `ZZ` is where nobody knows",
        ),
    },
};

/// A host name.
pub(crate) static HOST: Rule = Rule {
    pattern: Some("^([a-z0-9]([a-z0-9-]*[a-z0-9])?\\.)+[a-z0-9-]*[a-z][a-z0-9-]*$"),
    length: 3..253,
    check: |text| host(text, text),
};

/// A host name that may have a star in front.
pub(crate) static HOST_PATTERN: Rule = Rule {
    pattern: Some("^(\\*\\.)?([a-z0-9]([a-z0-9-]*[a-z0-9])?\\.)+[a-z0-9-]*[a-z][a-z0-9-]*$"),
    length: 3..253,
    check: |text| host(text, text.strip_prefix("*.").unwrap_or(text)),
};

fn host(text: &str, name: &str) -> Result<(), Fault> {
    if is_host_name(name) {
        return Ok(());
    }
    let bare = text.split_once("://").map_or(text, |(_, rest)| rest);
    let bare = bare.split(['/', ':']).next().unwrap_or_default().trim().trim_end_matches('.').to_lowercase();
    let help = match is_host_name(&bare) {
        true => format!("write \"{bare}\""),
        false => "such as \"www.example.com\"".to_owned(),
    };
    fault(codes::DOMAIN, format!("`{}` is not a full host name", short(text)), help)
}

/// What answers behind a gateway: a host name or an address.
pub(crate) static BACKEND: Rule = Rule {
    pattern: None,
    length: 3..253,
    check: |text| match text.parse::<Ipv4Addr>() {
        Ok(_) => Ok(()),
        Err(_) => host(text, text),
    },
};

/// The paths of a route.
pub(crate) static ROUTE: Rule = Rule {
    pattern: Some("^/[!-~]*$"),
    length: 1..500,
    check: |text| {
        let star = text.find('*').is_some_and(|at| at + 1 != text.len() || !text.ends_with("/*"));
        if !text.starts_with('/')
            || star
            || !text.chars().all(|c| c.is_ascii_graphic())
            || text.contains(['?', '#'])
        {
            let plain = text.split(['*', '?', '#']).next().unwrap_or_default().trim_matches('/');
            let help = match plain.is_empty() || !plain.chars().all(|c| c.is_ascii_graphic()) {
                true => "such as \"/api/*\"".to_owned(),
                false => format!("write \"/{plain}/*\""),
            };
            return fault(
                codes::GATEWAY,
                "a route's path begins with `/`, and a `*` stands only behind its last one",
                help,
            );
        }
        Ok(())
    },
};

/// What a load balancer passes on.
pub(crate) static BALANCER_PORT: Rule = Rule {
    pattern: Some("^[0-9]{1,5}/(tcp|udp)$"),
    length: 5..9,
    check: |text| match network::front::balancer_port(text) {
        Some(_) => Ok(()),
        None => fault(
            codes::GATEWAY,
            format!("`{}` is not a port with its protocol", short(text)),
            "such as \"443/tcp\" or \"3478/udp\"",
        ),
    },
};

/// The name of a record below its zone.
pub(crate) static RECORD_NAME: Rule = Rule {
    pattern: Some("^(@|(\\*\\.)?[A-Za-z0-9_-]+(\\.[A-Za-z0-9_-]+)*|\\*)$"),
    length: 1..200,
    check: |text| {
        let rest = text.strip_prefix("*.").unwrap_or(text);
        let label = |label: &str| {
            (1..=63).contains(&label.len())
                && label.chars().all(|c| c.is_ascii_alphanumeric() || "_-".contains(c))
                && !label.starts_with('-')
                && !label.ends_with('-')
        };
        match text == "@" || text == "*" || rest.split('.').all(label) {
            true => Ok(()),
            false => fault(
                codes::RECORD,
                format!("`{}` is not the name of a record", short(text)),
                "such as \"www\", \"*\" for any, or \"@\" for the zone's own",
            ),
        }
    },
};

/// A range, or what is wrong with it and how it is written.
fn address_range(text: &str, code: &'static Code) -> Result<AddressRange, Fault> {
    AddressRange::parse(text).map_err(|wrong| {
        let (message, help) = match wrong {
            NotARange::Malformed => (
                format!("`{}` is not an IPv4 range", short(text)),
                "such as \"10.0.1.0/24\"; four numbers from 0 to 255, a slash, and 0 to 32".to_owned(),
            ),
            NotARange::Six => (
                format!("`{}` is an IPv6 range", short(text)),
                "networks are laid out in IPv4: such as \"10.0.1.0/24\"".to_owned(),
            ),
            NotARange::NoLength(address) => {
                let range = AddressRange::around(address, 24);
                let range = range.map_or_else(|| text.to_owned(), |range| range.to_string());
                ("the range has no length".to_owned(), format!("such as \"{range}\""))
            }
            NotARange::Length(_) => (
                "the length of an IPv4 range is 0 to 32".to_owned(),
                "such as `/24`: 256 addresses".to_owned(),
            ),
            NotARange::HostBits(range) => (
                format!("`{}` does not begin a range of that length", short(text)),
                format!("write \"{range}\""),
            ),
        };
        Fault { code, message, help: Some(help) }
    })
}

fn cidr(text: &str) -> Result<(), Fault> {
    let (address, length) = match text.split_once('/') {
        Some((address, length)) => (address, Some(length)),
        None => (text, None),
    };
    let Ok(address) = address.parse::<Ipv4Addr>() else {
        let help = match address.contains(':') {
            true => "Azure Container Apps filters IPv4 only",
            false => "such as \"203.0.113.0/24\"; four numbers from 0 to 255, a slash, and 0 to 32",
        };
        return fault(codes::ALLOW, format!("`{}` is not an IPv4 range", short(text)), help);
    };
    let Some(length) = length else {
        return fault(
            codes::ALLOW,
            "the range has no length",
            format!("for this one address write \"{address}/32\""),
        );
    };
    let digits = !length.is_empty() && length.len() <= 2 && length.chars().all(|c| c.is_ascii_digit());
    let Some(length) = digits.then(|| length.parse::<u32>().ok()).flatten().filter(|length| *length <= 32)
    else {
        return fault(
            codes::ALLOW,
            "the length of an IPv4 range is 0 to 32",
            format!("such as \"{address}/32\""),
        );
    };
    let mask = u32::MAX.checked_shl(32 - length).unwrap_or(0);
    let network = Ipv4Addr::from(u32::from(address) & mask);
    if network != address {
        return fault(
            codes::ALLOW,
            format!("`{address}` lies within the range instead of beginning it"),
            format!("write \"{network}/{length}\", or \"{address}/32\" for this one address"),
        );
    }
    Ok(())
}

/// A CORS origin.
pub(crate) static ORIGIN: Rule =
    Rule { pattern: Some("^(\\*|https?://[^/\\s]+)$"), length: 1..300, check: origin };

fn origin(text: &str) -> Result<(), Fault> {
    if text == "*" {
        return Ok(());
    }
    let rest = text.strip_prefix("https://").or_else(|| text.strip_prefix("http://"));
    let Some(rest) = rest else {
        let help = match is_host_name(text) {
            true => format!("write \"https://{text}\""),
            false => "such as \"https://www.example.com\", or \"*\" for all".to_owned(),
        };
        return fault(codes::CORS, "an origin begins with `https://` or `http://`", help);
    };
    if let Some(slash) = rest.find('/') {
        let whole = &text[..text.len() - rest.len() + slash];
        return fault(codes::CORS, "an origin has no path", format!("write \"{}\"", short(whole)));
    }
    let (host, port) = rest.split_once(':').map_or((rest, None), |(host, port)| (host, Some(port)));
    let port_ok = port.is_none_or(|port| port.parse::<u16>().is_ok_and(|port| port > 0));
    let host_ok = is_host_name(host) || host == "localhost" || host.parse::<Ipv4Addr>().is_ok();
    match host_ok && port_ok {
        true => Ok(()),
        false => fault(
            codes::CORS,
            format!("`{}` is not an origin", short(text)),
            "the form is `https://host` or `https://host:port`, in lower case",
        ),
    }
}

/// An environment variable's name.
pub(crate) static ENV: Rule = Rule {
    pattern: Some("^[A-Za-z_][A-Za-z0-9_.-]*$"),
    length: 1..256,
    check: |text| {
        let starts = text.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_');
        if starts && text.len() <= 256 && text.chars().all(|c| c.is_ascii_alphanumeric() || "_.-".contains(c))
        {
            return Ok(());
        }
        let fitting: String = text
            .chars()
            .map(|c| if c.is_ascii_alphanumeric() || c == '_' { c } else { '_' })
            .take(60)
            .collect();
        let fitting =
            if fitting.starts_with(|c: char| c.is_ascii_digit()) { format!("_{fitting}") } else { fitting };
        let help = match fitting.trim_matches('_').is_empty() {
            true => "begin with a letter or `_`, and go on with letters, digits and `_`".to_owned(),
            false => format!("write `{fitting}`"),
        };
        fault(
            codes::ENV_NAME,
            format!("`{}` cannot be the name of an environment variable", short(text)),
            help,
        )
    },
};

/// A secret's name in Key Vault.
pub(crate) static SECRET: Rule = Rule {
    pattern: Some("^[0-9A-Za-z-]{1,127}$"),
    length: 1..127,
    check: |text| {
        let allowed = |c: char| c.is_ascii_alphanumeric() || c == '-';
        if (1..=127).contains(&text.len()) && text.chars().all(allowed) {
            return Ok(());
        }
        let fitting: String = text.chars().map(|c| if allowed(c) { c } else { '-' }).take(60).collect();
        let fitting = fitting.trim_matches('-');
        let help = match !fitting.is_empty() && text.len() <= 60 {
            true => format!("write \"{fitting}\""),
            false => "it has 1 to 127 letters, digits and hyphens".to_owned(),
        };
        fault(codes::SECRET_NAME, "a secret's name has 1 to 127 letters, digits and hyphens", help)
    },
};

/// A blob container's name.
pub(crate) static CONTAINER: Rule = Rule {
    pattern: Some("^[a-z0-9](-?[a-z0-9])+$"),
    length: 3..63,
    check: |text| {
        let end_ok = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit();
        let well_formed = (3..=63).contains(&text.len())
            && text.chars().all(|c| end_ok(c) || c == '-')
            && text.starts_with(end_ok)
            && text.ends_with(end_ok)
            && !text.contains("--");
        if well_formed {
            return Ok(());
        }
        let mut fitting = String::new();
        for c in text.chars().flat_map(char::to_lowercase).take(63) {
            if end_ok(c) {
                fitting.push(c);
            } else if !fitting.is_empty() && !fitting.ends_with('-') {
                fitting.push('-');
            }
        }
        let fitting = fitting.trim_end_matches('-');
        let help = match fitting.len() >= 3 {
            true => format!("write \"{fitting}\""),
            false => "such as \"transcripts\"".to_owned(),
        };
        let message = "a container's name has 3 to 63 lower-case letters, digits and single hyphens";
        fault(codes::CONTAINER, message, help)
    },
};

/// A table's name in a storage account.
pub(crate) static TABLE: Rule = Rule {
    pattern: Some("^[A-Za-z][A-Za-z0-9]{2,62}$"),
    length: 3..63,
    check: |text| {
        let well_formed = (3..=63).contains(&text.len())
            && text.starts_with(|c: char| c.is_ascii_alphabetic())
            && text.chars().all(|c| c.is_ascii_alphanumeric());
        match well_formed {
            true => Ok(()),
            false => {
                let message = "a table's name has 3 to 63 letters and digits, and begins with a letter";
                fault(codes::ENTRY_NAME, message, "such as \"deployments\"")
            }
        }
    },
};

/// A subscription's id.
pub(crate) static SUBSCRIPTION: Rule = Rule {
    pattern: Some("^[0-9a-fA-F]{8}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{12}$"),
    length: 36..36,
    check: |text| {
        let groups: Vec<&str> = text.split('-').collect();
        let lengths: Vec<usize> = groups.iter().map(|group| group.len()).collect();
        if lengths == [8, 4, 4, 4, 12] && text.chars().all(|c| c.is_ascii_hexdigit() || c == '-') {
            return Ok(());
        }
        let help = "`az account show --query id` prints it";
        fault(
            codes::SUBSCRIPTION,
            "a subscription is named by its id, five groups of hexadecimal digits",
            help,
        )
    },
};

/// A text short enough to be quoted in a message.
pub(crate) fn short(text: &str) -> String {
    let clean = text.escape_debug().to_string().replace("\\'", "'").replace("\\\"", "\"");
    match clean.char_indices().nth(60) {
        None => clean,
        Some((at, _)) => format!("{}…", &clean[..at]),
    }
}
