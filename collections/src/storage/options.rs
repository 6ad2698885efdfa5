//! Settings of stores, given in code.

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};

/// Settings of a remote store: endpoint, region, credentials, retries.
///
/// Names are those of the usual environment variables, in either case (`AWS_ENDPOINT_URL`, `aws_access_key_id`,
/// `AWS_ALLOW_HTTP`, `AWS_REGION`, `GOOGLE_SERVICE_ACCOUNT`, `AZURE_STORAGE_ACCOUNT_NAME` ...), that is, the configuration keys of
/// `object_store`, among them `timeout` and `connect_timeout` of a request (`30s`, `500ms`); and `max_retries` (10) and
/// `retry_timeout` (180 seconds), the number of times and the time for which a failed request is tried again. What is given here goes before what is in the environment. An unknown name is
/// an error when the store is first used. Local files and `memory://` have no settings and ignore them.
///
/// `Debug` shows names only. Serializing writes the values too, credentials included: a worker elsewhere
/// needs them; leave them to the workers' own environment where that is a concern.
///
/// ```
/// use talatat_collections::storage::StorageOptions;
/// let options = StorageOptions::new().with("aws_region", "eu-west-1").with("AWS_SECRET_ACCESS_KEY", "abc");
/// assert_eq!(options.get("AWS_REGION"), Some("eu-west-1"));
/// assert_eq!(format!("{options:?}"), "StorageOptions {aws_region, aws_secret_access_key}");
/// ```
#[derive(Clone, Default, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct StorageOptions {
    values: BTreeMap<String, String>,
}

impl StorageOptions {
    /// No settings: all from the environment.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds or replaces a setting.
    #[must_use]
    pub fn with(mut self, name: impl AsRef<str>, value: impl Into<String>) -> Self {
        self.values.insert(name.as_ref().to_ascii_lowercase(), value.into());
        self
    }

    /// The value of a setting that was given here.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.values.get(&name.to_ascii_lowercase()).map(String::as_str)
    }

    /// Whether there are no settings.
    pub fn is_empty(&self) -> bool {
        self.values.is_empty()
    }

    /// All settings, by name (lower case).
    #[cfg_attr(not(any(feature = "aws", feature = "gcp", feature = "azure", feature = "http")), allow(dead_code))]
    pub(crate) fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.values.iter().map(|(name, value)| (name.as_str(), value.as_str()))
    }
}

impl fmt::Debug for StorageOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names: Vec<&str> = self.values.keys().map(String::as_str).collect();
        write!(f, "StorageOptions {{{}}}", names.join(", "))
    }
}

impl<N: AsRef<str>, V: Into<String>> FromIterator<(N, V)> for StorageOptions {
    fn from_iter<I: IntoIterator<Item = (N, V)>>(pairs: I) -> Self {
        pairs.into_iter().fold(Self::new(), |options, (name, value)| options.with(name, value))
    }
}
