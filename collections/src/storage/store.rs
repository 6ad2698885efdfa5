//! The stores behind locations: made once, shared, waited for.

use std::collections::HashMap;
use std::future::Future;
use std::sync::{Arc, OnceLock};

use object_store::ObjectStore;
use object_store::local::LocalFileSystem;
use object_store::memory::InMemory;
use object_store::multipart::MultipartStore;
use parking_lot::Mutex;

use super::error::{Result, StorageError};
use super::location::{Location, Scheme};
use super::options::StorageOptions;
use super::runtime;

/// A store: an `object_store` with the way to wait for it.
#[derive(Clone, Debug)]
pub struct Store {
    inner: Arc<dyn ObjectStore>,
    parts: Option<Parts>,
    remote: bool,
}

/// The same store, as one whose uploads can be named and continued; local files cannot be.
#[derive(Clone)]
struct Parts(Arc<dyn MultipartStore>);

impl std::fmt::Debug for Parts {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Parts")
    }
}

impl Store {
    /// The store itself, for crates that speak `object_store`.
    pub fn object_store(&self) -> &Arc<dyn ObjectStore> {
        &self.inner
    }

    /// Runs a future to its end and blocks until then: on the calling thread for local stores, on the private
    /// runtime for remote ones. Works from any thread, also inside of other runtimes.
    ///
    /// # Errors
    /// [`StorageError::Runtime`] if the runtime's threads cannot be started.
    pub fn block_on<T, F>(&self, future: F) -> Result<T>
    where
        T: Send + 'static,
        F: Future<Output = T> + Send + 'static,
    {
        if self.remote { runtime::on_runtime(future) } else { Ok(runtime::wait(future)) }
    }

    pub(super) fn of(location: &Location) -> Result<Self> {
        type Key = (Scheme, String, Option<String>, StorageOptions);
        static STORES: OnceLock<Mutex<HashMap<Key, Store>>> = OnceLock::new();
        let query = location.query().map(str::to_owned);
        let key = (location.scheme(), location.bucket().to_owned(), query, location.options().clone());
        let mut stores = STORES.get_or_init(Mutex::default).lock();
        if let Some(store) = stores.get(&key) {
            return Ok(store.clone());
        }
        let store = build(location)?;
        stores.insert(key, store.clone());
        Ok(store)
    }

    /// Uploads that have a name, so that tasks can send their parts.
    pub(super) fn multipart_store(&self, location: &Location) -> Result<&Arc<dyn MultipartStore>> {
        let reason = "local files are not written in parts".into();
        let missing = || StorageError::NotWritable { url: location.to_string(), reason };
        self.parts.as_ref().map(|parts| &parts.0).ok_or_else(missing)
    }

    fn with_parts<S: ObjectStore + MultipartStore>(store: S, remote: bool) -> Store {
        let store = Arc::new(store);
        Store { inner: store.clone(), parts: Some(Parts(store)), remote }
    }
}

fn build(location: &Location) -> Result<Store> {
    match location.scheme() {
        Scheme::File => Ok(Store { inner: Arc::new(LocalFileSystem::new()), parts: None, remote: false }),
        Scheme::Memory => Ok(Store::with_parts(InMemory::new(), false)),
        Scheme::S3 => remote::s3(location),
        Scheme::Gcs => remote::gcs(location),
        Scheme::Azure => remote::azure(location),
        Scheme::Http | Scheme::Https => remote::http(location),
    }
}

/// The builders of remote stores: environment first, then the options in code.
mod remote {
    use super::*;

    #[cfg(not(all(feature = "aws", feature = "gcp", feature = "azure", feature = "http")))]
    fn off(location: &Location, feature: &'static str) -> StorageError {
        StorageError::FeatureOff { url: location.to_string(), scheme: location.scheme().name(), feature }
    }

    #[cfg(not(feature = "aws"))]
    pub(super) fn s3(location: &Location) -> Result<Store> {
        Err(off(location, "aws"))
    }

    #[cfg(not(feature = "gcp"))]
    pub(super) fn gcs(location: &Location) -> Result<Store> {
        Err(off(location, "gcp"))
    }

    #[cfg(not(feature = "azure"))]
    pub(super) fn azure(location: &Location) -> Result<Store> {
        Err(off(location, "azure"))
    }

    #[cfg(not(feature = "http"))]
    pub(super) fn http(location: &Location) -> Result<Store> {
        Err(off(location, "http"))
    }

    #[cfg(any(feature = "aws", feature = "gcp", feature = "azure", feature = "http"))]
    fn bad_option(location: &Location, option: &str, reason: impl ToString) -> StorageError {
        let url = format!("{}://{}", location.scheme().name(), location.bucket());
        StorageError::BadOption { url, option: option.into(), reason: reason.to_string() }
    }

    /// How failed requests are tried again: `max_retries` times, for `retry_timeout` seconds from the first one on.
    #[cfg(any(feature = "aws", feature = "gcp", feature = "azure", feature = "http"))]
    fn retries(location: &Location) -> Result<object_store::RetryConfig> {
        let mut retry = object_store::RetryConfig::default();
        if let Some(value) = location.options().get("max_retries") {
            retry.max_retries =
                value.parse().map_err(|_| bad_option(location, "max_retries", "it must be a whole number"))?;
        }
        if let Some(value) = location.options().get("retry_timeout") {
            let seconds = value.parse().ok().and_then(|seconds| std::time::Duration::try_from_secs_f64(seconds).ok());
            let wrong = || bad_option(location, "retry_timeout", "it must be a number of seconds");
            retry.retry_timeout = seconds.ok_or_else(wrong)?;
        }
        Ok(retry)
    }

    /// The settings given in code: those that are not about retries are the builder's.
    #[cfg(any(feature = "aws", feature = "gcp", feature = "azure", feature = "http"))]
    fn configure<B, K: std::str::FromStr<Err = object_store::Error>>(
        location: &Location,
        builder: B,
        set: impl Fn(B, K, &str) -> B,
    ) -> Result<B> {
        let mut own = location.options().iter().filter(|(name, _)| !matches!(*name, "max_retries" | "retry_timeout"));
        own.try_fold(builder, |builder, (name, value)| {
            let key = name.parse().map_err(|_| {
                let reason = "this option is not known; use the names of the usual environment variables, such as \
                              AWS_ENDPOINT_URL, GOOGLE_SERVICE_ACCOUNT or AZURE_STORAGE_ACCOUNT_NAME, or `timeout`";
                bad_option(location, name, reason)
            })?;
            Ok(set(builder, key, value))
        })
    }

    #[cfg(feature = "aws")]
    pub(super) fn s3(location: &Location) -> Result<Store> {
        use object_store::aws::{AmazonS3Builder, AmazonS3ConfigKey as Key};
        let builder = AmazonS3Builder::from_env();
        let builder = configure(location, builder, |b, k: Key, v| b.with_config(k, v))?.with_retry(retries(location)?);
        let value = |key| builder.get_config_value(&key).unwrap_or_default();
        let http = value(Key::Endpoint).starts_with("http://") || value(Key::S3Endpoint).starts_with("http://");
        let allowed = value(Key::Client(object_store::ClientConfigKey::AllowHttp)).eq_ignore_ascii_case("true");
        if http && !allowed {
            let reason = "the endpoint is http://, without encryption; if that is meant, set AWS_ALLOW_HTTP=true";
            return Err(bad_option(location, "aws_endpoint_url", reason));
        }
        let store = builder.with_bucket_name(location.bucket()).build();
        Ok(Store::with_parts(store.map_err(|error| bad_option(location, "aws", error))?, true))
    }

    #[cfg(feature = "gcp")]
    pub(super) fn gcs(location: &Location) -> Result<Store> {
        use object_store::gcp::{GoogleCloudStorageBuilder, GoogleConfigKey as Key};
        let mut builder = GoogleCloudStorageBuilder::from_env();
        // What Google's own tools take for an emulator, which knows no credentials.
        if let Ok(host) = std::env::var("STORAGE_EMULATOR_HOST") {
            let url = if host.contains("://") { host } else { format!("http://{host}") };
            let nobody = format!(
                r#"{{"gcs_base_url": "{url}", "disable_oauth": true, "client_email": "", "private_key": "", "private_key_id": ""}}"#
            );
            builder = builder.with_config(Key::ServiceAccountKey, nobody);
        }
        let builder = configure(location, builder, |b, k: Key, v| b.with_config(k, v))?;
        let named =
            [Key::BaseUrl, Key::ServiceAccountKey].map(|key| builder.get_config_value(&key).unwrap_or_default());
        let http = named[0].starts_with("http://") || named[1].contains("\"http://");
        let allow = Key::Client(object_store::ClientConfigKey::AllowHttp);
        // Who names such a server means it.
        let builder = if http { builder.with_config(allow, "true") } else { builder };
        let store = builder.with_bucket_name(location.bucket()).with_retry(retries(location)?).build();
        Ok(Store::with_parts(store.map_err(|error| bad_option(location, "gcp", error))?, true))
    }

    #[cfg(feature = "azure")]
    pub(super) fn azure(location: &Location) -> Result<Store> {
        use object_store::azure::{AzureConfigKey as Key, MicrosoftAzureBuilder};
        let mut builder = MicrosoftAzureBuilder::from_env();
        // What Microsoft's own tools take, besides.
        let named = [("AZURE_STORAGE_ACCOUNT", Key::AccountName), ("AZURE_STORAGE_KEY", Key::AccessKey)];
        for (name, key) in named {
            if let (Ok(value), None) = (std::env::var(name), builder.get_config_value(&key)) {
                builder = builder.with_config(key, value);
            }
        }
        if let Ok(text) = std::env::var("AZURE_STORAGE_CONNECTION_STRING") {
            let parts = text.split(';').filter_map(|part| part.split_once('='));
            builder = parts.fold(builder, |builder, (name, value)| match name {
                "AccountName" => builder.with_config(Key::AccountName, value),
                "AccountKey" => builder.with_config(Key::AccessKey, value),
                "SharedAccessSignature" => builder.with_config(Key::SasKey, value),
                "BlobEndpoint" => builder.with_config(Key::Endpoint, value),
                _ => builder,
            });
        }
        let builder = configure(location, builder, |b, k: Key, v| b.with_config(k, v))?;
        let (container, host) = location.bucket().split_once('@').unwrap_or((location.bucket(), ""));
        let builder = match host.split_once('.') {
            Some((account, _)) => builder.with_account(account),
            None if host.is_empty() => builder,
            None => return Err(bad_option(location, "azure", "write az://container@account.dfs.core.windows.net/key")),
        };
        if builder.get_config_value(&Key::AccountName).is_none() {
            let reason = "the storage account is not known; set AZURE_STORAGE_ACCOUNT_NAME, or write \
                          az://container@account.dfs.core.windows.net/key";
            return Err(bad_option(location, "azure_storage_account_name", reason));
        }
        let http = builder.get_config_value(&Key::Endpoint).is_some_and(|url| url.starts_with("http://"));
        let builder = builder.with_container_name(container).with_allow_http(http).with_retry(retries(location)?);
        Ok(Store::with_parts(builder.build().map_err(|error| bad_option(location, "azure", error))?, true))
    }

    #[cfg(feature = "http")]
    pub(super) fn http(location: &Location) -> Result<Store> {
        use object_store::ClientConfigKey as Key;
        use object_store::http::HttpBuilder;
        let query = location.query().map_or_else(String::new, |query| format!("?{query}"));
        let url = format!("{}://{}{query}", location.scheme().name(), location.bucket());
        // `http://` in a URL says that no encryption is meant.
        let builder = HttpBuilder::new().with_url(url).with_config(Key::AllowHttp, "true");
        let builder = configure(location, builder, |b, k: Key, v| b.with_config(k, v))?.with_retry(retries(location)?);
        let store = builder.build().map_err(|error| bad_option(location, "url", error))?;
        Ok(Store { inner: Arc::new(store), parts: None, remote: true })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_missing_feature_is_named() {
        for (url, feature, on) in [
            ("s3://bucket/key", "aws", cfg!(feature = "aws")),
            ("gs://bucket/key", "gcp", cfg!(feature = "gcp")),
            ("az://container/key", "azure", cfg!(feature = "azure")),
            ("http://host/key", "http", cfg!(feature = "http")),
            ("https://host/key", "http", cfg!(feature = "http")),
        ] {
            let named = |error: StorageError| error.to_string().contains(&format!("cargo feature `{feature}`"));
            assert_eq!(Location::parse(url).and_then(|at| at.store()).is_err_and(named), !on, "{url}");
        }
    }

    #[cfg(feature = "azure")]
    #[test]
    fn accounts() {
        let store = |url: &str, options| Location::parse_with(url, &options).and_then(|location| location.store());
        assert!(store("az://box@mine.dfs.core.windows.net/x", StorageOptions::new()).is_ok());
        assert!(store("abfs://box/x", StorageOptions::new().with("azure_storage_account_name", "mine")).is_ok());
        let error = store("az://box@mine/x", StorageOptions::new()).unwrap_err().to_string();
        assert!(error.contains("az://container@account"), "{error}");
    }

    #[test]
    fn stores_are_shared() {
        let store = |text: &str| Location::parse(text).and_then(|location| location.store()).unwrap();
        let same = |a: &str, b: &str| Arc::ptr_eq(&store(a).inner, &store(b).inner);
        assert!(same("memory://a", "memory://b"));
        assert!(same("/a", "b/c"));
        assert!(!same("/a", "memory://a"));
    }
}
