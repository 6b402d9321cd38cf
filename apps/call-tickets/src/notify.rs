//! Tells a person by e-mail (T7).

use std::time::Duration;

use lettre::message::{Message, header::ContentType};
use lettre::transport::smtp::authentication::Credentials;
use lettre::{AsyncSmtpTransport, AsyncTransport, Tokio1Executor};
use secrecy::ExposeSecret;
use serde::{Deserialize, Serialize};

use crate::config::{Mail, Tls};

/// How long the server may take for one command.
const TIMEOUT: Duration = Duration::from_secs(15);

/// What is to be told.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Note {
    /// The subject.
    pub subject: String,
    /// The text.
    pub text: String,
    /// Makes the message the same one when it is sent again after a crash, so that mail programs show it once.
    pub id: String,
}

/// Sends notes.
pub struct Mailer {
    mail: Mail,
    transport: AsyncSmtpTransport<Tokio1Executor>,
}

/// Why a note was not sent.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The server refused it for good: the login, the sender, or all who are to be told.
    #[error("the mail server refused: {0}")]
    Refused(String),
    /// The server could not be reached or refused for now.
    #[error("the mail server is not available: {0}")]
    Unavailable(String),
}

impl Mailer {
    /// Notes to whom the configuration says.
    ///
    /// # Errors
    /// When TLS cannot be set up.
    pub fn new(mail: Mail) -> Result<Mailer, String> {
        type Transport = AsyncSmtpTransport<Tokio1Executor>;
        let builder = match mail.tls {
            Tls::None => Ok(Transport::builder_dangerous(&mail.server)),
            Tls::StartTls => Transport::starttls_relay(&mail.server),
            Tls::Tls => Transport::relay(&mail.server),
        };
        let mut builder = builder.map_err(|error| error.to_string())?.port(mail.port).timeout(Some(TIMEOUT));
        if let Some((user, password)) = &mail.login {
            builder =
                builder.credentials(Credentials::new(user.clone(), password.expose_secret().to_owned()));
        }
        Ok(Mailer { transport: builder.build(), mail })
    }

    /// Sends a note to all.
    ///
    /// # Errors
    /// Why it was not sent.
    pub async fn send(&self, note: &Note) -> Result<(), Error> {
        let mut message = Message::builder()
            .from(self.mail.from.clone())
            .subject(crate::extract::ticket::line(&note.subject, 200))
            .message_id(Some(format!("<{}@call-tickets>", note.id)))
            .header(ContentType::TEXT_PLAIN);
        for to in &self.mail.to {
            message = message.to(to.clone());
        }
        let message = message.body(note.text.clone()).map_err(|error| Error::Refused(error.to_string()))?;
        match self.transport.send(message).await {
            Ok(_) => Ok(()),
            Err(error) if error.is_permanent() => Err(Error::Refused(error.to_string())),
            Err(error) => Err(Error::Unavailable(error.to_string())),
        }
    }

    /// Whether the server answers and takes the login.
    ///
    /// # Errors
    /// Why it does not.
    pub async fn reachable(&self) -> Result<(), Error> {
        match self.transport.test_connection().await {
            Ok(true) => Ok(()),
            Ok(false) => Err(Error::Unavailable("it does not answer".into())),
            Err(error) if error.is_permanent() => Err(Error::Refused(error.to_string())),
            Err(error) => Err(Error::Unavailable(error.to_string())),
        }
    }
}
