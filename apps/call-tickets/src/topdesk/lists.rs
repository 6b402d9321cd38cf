//! TOPdesk's own words, kept for a while: they change rarely, and each ticket needs them.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Mutex;
use tokio::time::Instant;

use super::{Client, Error};
use crate::extract::Lists;

/// How long lists are taken for true.
pub const KEPT: Duration = Duration::from_secs(3600);

/// How long after a refresh another one is not made, whoever asks: a call whose category is refused for another reason
/// must not make TOPdesk send its lists again and again.
const AT_MOST_EVERY: Duration = Duration::from_secs(10);

/// The lists of one TOPdesk.
#[derive(Default)]
pub struct Kept {
    inner: Mutex<Option<(Instant, Arc<Lists>)>>,
}

impl Kept {
    /// The lists, read anew when they are older than [`KEPT`]; old ones when TOPdesk does not answer.
    ///
    /// # Errors
    /// When TOPdesk does not answer and there are none.
    pub async fn get(&self, client: &Client) -> Result<Arc<Lists>, Error> {
        self.younger_than(KEPT, client).await
    }

    /// The lists as they are now, because a value of theirs was refused.
    ///
    /// # Errors
    /// As [`Kept::get`].
    pub async fn refreshed(&self, client: &Client) -> Result<Arc<Lists>, Error> {
        self.younger_than(AT_MOST_EVERY, client).await
    }

    async fn younger_than(&self, age: Duration, client: &Client) -> Result<Arc<Lists>, Error> {
        let mut kept = self.inner.lock().await;
        if let Some((read, lists)) = &*kept
            && read.elapsed() < age
        {
            return Ok(lists.clone());
        }
        match (client.lists().await, &*kept) {
            (Ok(lists), _) => {
                let lists = Arc::new(lists);
                *kept = Some((Instant::now(), lists.clone()));
                Ok(lists)
            }
            (Err(_), Some((_, old))) => Ok(old.clone()),
            (Err(error), None) => Err(error),
        }
    }
}
