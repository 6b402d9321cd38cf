//! What looks like a secret. When in doubt it is one: a secret too many costs a command, one too few is public.

use std::fmt;

/// A value that must not be seen: it can be compared, and nothing else.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Hidden(String);

impl Hidden {
    pub fn new(value: &str) -> Hidden {
        Hidden(value.to_owned())
    }
}

impl fmt::Debug for Hidden {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}

/// Parts of names that mean a secret, wherever they stand.
const NAME_PARTS: &[&str] = &[
    "PASSWORD",
    "PASSWD",
    "PASSPHRASE",
    "PASSCODE",
    "SECRET",
    "TOKEN",
    "APIKEY",
    "CREDENTIAL",
    "CONNECTIONSTRING",
    "CONNECTION_STRING",
    "CONNSTR",
    "PRIVATE",
    "WEBHOOK_URL",
    "HTPASSWD",
    "DSN",
];

/// Whole words of names that mean a secret.
const NAME_WORDS: &[&str] = &["KEY", "KEYS", "PASS", "PWD", "CREDS", "SALT", "PEPPER"];

/// Words that mean a secret at the end of a name: `JWT` is one, `JWT_ALGORITHM` is not.
const LAST_WORDS: &[&str] = &[
    "JWT",
    "AUTH",
    "COOKIE",
    "SAS",
    "PAT",
    "OTP",
    "SEED",
    "SIGNATURE",
    "SIGNING",
    "CERT",
    "CERTIFICATE",
    "LICENSE",
];

/// Last words of names that measure something: `TOKEN_TTL=3600` is no secret.
const MEASURES: &[&str] = &[
    "TTL",
    "SECONDS",
    "SECS",
    "MINUTES",
    "MINS",
    "HOURS",
    "DAYS",
    "MS",
    "LENGTH",
    "SIZE",
    "COUNT",
    "LIMIT",
    "TIMEOUT",
    "EXPIRY",
    "EXPIRE",
    "EXPIRES",
    "EXPIRATION",
    "ROUNDS",
    "RETRIES",
    "ENABLED",
    "REQUIRED",
    "PORT",
];

/// How secrets of well-known services begin.
const PREFIXES: &[&str] = &[
    "sk-",
    "sk_",
    "pk_live",
    "rk_live",
    "whsec_",
    "ghp_",
    "gho_",
    "ghs_",
    "ghu_",
    "github_pat_",
    "glpat-",
    "xoxb-",
    "xoxp-",
    "xoxa-",
    "xoxs-",
    "xapp-",
    "AKIA",
    "ASIA",
    "AIza",
    "ya29.",
    "SG.",
    "npm_",
    "pypi-",
    "dckr_pat_",
    "hvs.",
    "shpat_",
    "EAAC",
    "FlyV1",
    "fo1_",
    "sntrys_",
    "nvapi-",
    "hf_",
    "gsk_",
    "AGE-SECRET-KEY-",
    "eyJ",
];

/// Names inside of a value that have a secret behind them: `Password=…;`, `?sig=…`.
const INNER_NAMES: &[&str] = &[
    "password",
    "passwd",
    "pwd",
    "pass",
    "accountkey",
    "sharedaccesskey",
    "sharedsecretvalue",
    "sig",
    "token",
    "access_token",
    "auth",
    "authtoken",
    "secret",
    "client_secret",
    "key",
    "api_key",
    "apikey",
    "api-key",
    "code",
    "credential",
];

/// Whether a variable of this name holds a secret, whatever its value.
pub(crate) fn is_name(name: &str) -> bool {
    let upper = snake(name);
    NAME_PARTS.iter().any(|part| upper.contains(part))
        || upper
            .split('_')
            .any(|word| NAME_WORDS.contains(&word) || (word.len() > 4 && word.ends_with("KEY")))
        || upper.rsplit('_').next().is_some_and(|word| LAST_WORDS.contains(&word))
        || upper.split('_').any(|word| word.ends_with("PASS") && word != "BYPASS" && word != "COMPASS")
}

/// Whether a variable with this value is a secret.
pub(crate) fn is_secret(name: &str, value: &str) -> bool {
    if is_value(name, value) {
        return true;
    }
    is_name(name) && !value.is_empty() && !is_measure(name, value)
}

/// A number or a switch about secrets.
fn is_measure(name: &str, value: &str) -> bool {
    let upper = snake(name);
    let first = upper.split('_').next().unwrap_or_default();
    let last = upper.rsplit('_').next().unwrap_or_default();
    let is_small = value.len() <= 6 && value.chars().all(|c| c.is_ascii_digit());
    let is_switch = matches!(value, "true" | "false" | "yes" | "no" | "on" | "off");
    is_switch || (is_small && (MEASURES.contains(&last) || ["MAX", "MIN", "NUM"].contains(&first)))
}

/// Whether a text that stands by itself, such as a word of a command, is or holds a secret. `--token=…` and
/// `TOKEN=…` do by their names.
pub(crate) fn is_text(text: &str) -> bool {
    let named = text.split_once('=').is_some_and(|(name, value)| {
        let name = name.trim_start_matches('-');
        !value.is_empty() && !value.starts_with('$') && is_name(name) && !is_measure(name, value)
    });
    named || is_value("", text)
}

/// Whether the words of a command hold a secret: by themselves, or behind an option such as `--password`.
pub(crate) fn is_in_command<T: AsRef<str>>(words: &[T]) -> bool {
    let behind_option = words.windows(2).any(|pair| {
        let (option, value) = (pair[0].as_ref(), pair[1].as_ref().trim_matches(['"', '\'']));
        option.starts_with("--")
            && !option.contains('=')
            && is_name(&option[2..])
            && !value.starts_with(['-', '$', '/', '.'])
            && !is_measure(&option[2..], value)
    });
    // A script in one word, as of `sh -c`, is a command too.
    let is_in_script = |word: &str| {
        let inner: Vec<&str> = word.split_whitespace().collect();
        inner.len() > 1 && is_in_command(&inner)
    };
    behind_option || words.iter().any(|word| is_text(word.as_ref()) || is_in_script(word.as_ref()))
}

/// Whether the value tells by itself.
fn is_value(name: &str, value: &str) -> bool {
    let value = value.trim();
    if is_uuid(value) {
        return !is_identifier(name);
    }
    PREFIXES.iter().any(|prefix| value.strip_prefix(prefix).is_some_and(|rest| rest.len() >= 8))
        || value.contains("-----BEGIN")
        || has_url_password(value)
        || has_inner_secret(value)
        || is_hook(value)
        || has_random(value)
}

/// `scheme://user:password@host`. Of several URLs in one value each is looked at.
fn has_url_password(value: &str) -> bool {
    value.match_indices("://").any(|(at, _)| {
        let rest = &value[at + 3..];
        let authority = rest.split(['/', '?', '#', ' ', '"', '\'']).next().unwrap_or_default();
        // A password may hold what ends an authority, unescaped: `p/w@host`.
        let user_info = authority.rsplit_once('@').map(|(info, _)| info).or_else(|| {
            let whole = rest.split([' ', '"', '\'']).next().unwrap_or_default();
            let (info, _) = whole.rsplit_once('@')?;
            let (_, password) = info.split_once(':')?;
            // A port and a path, then an `@` of no concern: `host:80/@scope`.
            let is_port = password.split('/').next().is_some_and(|port| port.parse::<u16>().is_ok());
            (!is_port).then_some(info)
        });
        user_info.and_then(|info| info.split_once(':')).is_some_and(|(_, password)| !password.is_empty())
            // Sentry's and others': a key alone before the host.
            || user_info.is_some_and(|info| info.len() >= 16 && has_random(info))
    })
}

/// `…;Password=…;…` or `?sig=…&…`.
fn has_inner_secret(value: &str) -> bool {
    value.split([';', '&', '?', ',', ' ']).skip(usize::from(!value.contains('='))).any(|part| {
        let Some((name, inner)) = part.split_once('=') else { return false };
        let name = name.trim().trim_start_matches('-').to_lowercase().replace(' ', "");
        // A number is a code of something else: `?code=200`.
        let is_short_number = inner.len() < 4 && inner.chars().all(|c| c.is_ascii_digit());
        !inner.is_empty()
            && !inner.starts_with('$')
            && !is_short_number
            && INNER_NAMES.contains(&name.as_str())
    })
}

/// An address that is the secret itself.
fn is_hook(value: &str) -> bool {
    ["://hooks.slack.com/", "://discord.com/api/webhooks/", ".webhook.office.com/", ".logic.azure.com"]
        .iter()
        .any(|part| value.contains(part))
}

/// Ids name something; a UUID that is no id may be a key.
fn is_identifier(name: &str) -> bool {
    snake(name).rsplit('_').next().is_some_and(|last| matches!(last, "ID" | "UUID" | "GUID" | "TENANT"))
}

fn is_uuid(value: &str) -> bool {
    let lengths: Vec<usize> = value.split('-').map(str::len).collect();
    lengths == [8, 4, 4, 4, 12] && value.chars().all(|c| c.is_ascii_hexdigit() || c == '-')
}

/// Shortest run of letters and digits that is looked at for randomness.
const RUN_MIN: usize = 16;

/// Whether some run of letters and digits looks drawn at random: classes of characters change often in it, and
/// digits stand among letters. Words, versions, dates and camel case do not.
fn has_random(value: &str) -> bool {
    let is_base64 = value.contains('+') || value.ends_with('=');
    let in_run = |c: char| c.is_ascii_alphanumeric() || (is_base64 && "+/".contains(c));
    let mut runs: Vec<&str> = value.split(|c: char| !in_run(c)).collect();
    // Base64 for URLs has `-` and `_` in it; names have too, but then no run of them is long by itself.
    runs.extend(
        value
            .split(|c: char| !(c.is_ascii_alphanumeric() || c == '_' || c == '-'))
            .filter(|run| run.len() >= 32),
    );
    runs.iter().any(|run| run.len() >= RUN_MIN && is_random(run))
}

fn is_random(run: &str) -> bool {
    let class = |c: u8| match c {
        b'0'..=b'9' => 0,
        b'a'..=b'z' => 1,
        b'A'..=b'Z' => 2,
        _ => 3,
    };
    let bytes = run.as_bytes();
    let digit_changes =
        bytes.windows(2).filter(|pair| (class(pair[0]) == 0) != (class(pair[1]) == 0)).count();
    let changes = bytes.windows(2).filter(|pair| class(pair[0]) != class(pair[1])).count();
    let separators = bytes.iter().filter(|c| class(**c) == 3).count();
    let without_digits = !bytes.iter().any(u8::is_ascii_digit);
    // Hexadecimal changes class about twice in five characters, base64 in more than half of them; a dated name
    // such as `report2024q3final` changes three or four times in all.
    (digit_changes >= 5 && (changes - separators.min(changes)) * 5 >= run.len())
        || (changes * 2 >= run.len() && run.len() >= 20 && (!without_digits || separators == 0))
}

/// `apiKey`, `api-key` and `API_KEY` alike.
fn snake(name: &str) -> String {
    let mut out = String::new();
    let mut before = '_';
    for c in name.chars() {
        if c.is_ascii_uppercase() && (before.is_ascii_lowercase() || before.is_ascii_digit()) {
            out.push('_');
        }
        out.push(if c.is_ascii_alphanumeric() { c.to_ascii_uppercase() } else { '_' });
        before = c;
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_are_seen() {
        for (name, value) in [
            ("POSTGRES_PASSWORD", "x"),
            ("apiKey", "abc"),
            ("OPENAI_APIKEY", "abc"),
            ("SENDGRID_API_KEY", "abc"),
            ("ACCESSKEY", "abc"),
            ("AzureWebJobsStorage__connectionString", "x"),
            ("SENTRY_DSN", "https://o1.ingest.sentry.io/2"),
            ("DB_PASS", "123456"),
            ("PASSWORD", "1"),
            ("DATABASE_URL", "postgres://app:hunter2@db:5432/app"),
            ("DATABASE_URL", "postgres://app:p/w#1@db:5432/app"),
            ("REDIS_URL", "redis://:hunter2@redis:6379/0"),
            ("BROKERS", "amqp://a:b@one,amqp://c:d@two"),
            ("STORE", "DefaultEndpointsProtocol=https;AccountName=a;AccountKey=abc=;EndpointSuffix=x"),
            ("SQL", "Server=tcp:x;User ID=sa;Password=hunter2"),
            ("BLOB", "https://a.blob.core.windows.net/c?sv=2022&sig=abcd%3D"),
            ("SLACK", "https://hooks.slack.com/services/T0/B0/abc"),
            ("X", "sk-proj-abcdefgh12345678"),
            ("X", "ghp_16C7e42F292c6912E7710c838347Ae178B4a"),
            ("X", "AKIAIOSFODNN7EXAMPLE"),
            ("X", "5f4dcc3b5aa765d61d8327deb882cf99"),
            ("X", "q9Xk2vLr/8TzWm4bYcE1nPdGf7hJs0uAoIe5RtB"),
            ("X", "dGhpcyBpcyBhIHNlY3JldCBvZiBvdXJz+Q=="),
            ("X", "eyJhbGciOiJIUzI1NiJ9.e30.abc"),
            ("X", "-----BEGIN RSA PRIVATE KEY-----"),
            ("X", "8f14e45f-ceea-467a-9575-b2d1f0a1c2d3"),
            ("SECRET_PATH", "hunter2"),
        ] {
            assert!(is_secret(name, value), "{name}={value}");
        }
        for words in [
            "app --password hunter2",
            "app --api-key=hunter2",
            "psql postgres://a:b@c/d",
            "env TOKEN=abc app",
        ] {
            let words: Vec<String> = words.split(' ').map(str::to_owned).collect();
            assert!(is_in_command(&words), "{words:?}");
        }
        assert!(is_in_command(&["sh", "-c", "TOKEN=abc exec app"]));
        assert!(is_in_command(&["sh", "-c", "exec app --password 'hunter2'"]));
    }

    #[test]
    fn plain_values_are_not() {
        for (name, value) in [
            ("LOG_LEVEL", "INFO"),
            ("API_URL", "http://api:8000/v1"),
            ("TOKEN_TTL", "3600"),
            ("MAX_TOKENS", "4096"),
            ("PASSWORD_MIN_LENGTH", "12"),
            ("JWT_ENABLED", "true"),
            ("JWT_ALGORITHM", "HS256"),
            ("REDIS_URL", "redis://redis:6379/0"),
            ("NODE_OPTIONS", "--max-old-space-size=4096 --enable-source-maps"),
            ("DJANGO_SETTINGS_MODULE", "config.settings.production"),
            ("CORS_ORIGINS", "https://shop.example.com,https://www.shop.example.com"),
            ("AZURE_TENANT_ID", "8f14e45f-ceea-467a-9575-b2d1f0a1c2d3"),
            ("IMAGE", "ghcr.io/example/customers-archive:2024.11.21"),
            ("CLASS", "com.example.orders.OrderServiceApplicationFactory"),
            ("MODEL", "gpt-4o-mini-2024-07-18"),
            ("HOST", "customers2024archive.example.com"),
            ("TZ", "Europe/Amsterdam"),
            ("KEYBOARD", "qwerty"),
            ("MONKEY", ""),
            ("EMPTY_PASSWORD", ""),
            ("AUTHOR", "someone"),
        ] {
            assert!(!is_secret(name, value), "{name}={value}");
        }
        for words in [
            "gunicorn -w 4 -k uvicorn.workers.UvicornWorker -b 0.0.0.0:8000 modules.backend.main:app",
            "app --password-file /run/secrets/db --token $TOKEN",
            "celery -A app.tasks:celery_app worker --concurrency=4 --max-tasks-per-child=1000",
        ] {
            let words: Vec<String> = words.split(' ').map(str::to_owned).collect();
            assert!(!is_in_command(&words), "{words:?}");
        }
    }

    #[test]
    fn what_is_hidden_stays_so() {
        assert_eq!(format!("{:?}", Hidden::new("hunter2")), "***");
    }
}
