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
        type Key = (Scheme, String, StorageOptions);
        static STORES: OnceLock<Mutex<HashMap<Key, Store>>> = OnceLock::new();
        let key = (location.scheme(), location.bucket().to_owned(), location.options().clone());
        let mut stores = STORES.get_or_init(Mutex::default).lock();
        if let Some(store) = stores.get(&key) {
            return Ok(store.clone());
        }
        let store = build(location)?;
        stores.insert(key, store.clone());
        Ok(store)
    }

    /// Uploads that have a name, so that tasks can send their parts.
    #[cfg(any(feature = "array", feature = "frame"))]
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
    }
}

/// The builders of remote stores: environment first, then the options in code.
mod remote {
    use super::*;

    #[cfg(not(all(feature = "aws", feature = "gcp")))]
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

    #[cfg(any(feature = "aws", feature = "gcp"))]
    fn bad_option(location: &Location, option: &str, reason: impl ToString) -> StorageError {
        let url = format!("{}://{}", location.scheme().name(), location.bucket());
        StorageError::BadOption { url, option: option.into(), reason: reason.to_string() }
    }

    /// `max_retries` is ours, the other names are the builder's.
    #[cfg(any(feature = "aws", feature = "gcp"))]
    fn configure<B, K: std::str::FromStr<Err = object_store::Error>>(
        location: &Location,
        builder: B,
        set: impl Fn(B, K, &str) -> B,
        retry: impl Fn(B, object_store::RetryConfig) -> B,
    ) -> Result<B> {
        location.options().iter().try_fold(builder, |builder, (name, value)| match name {
            "max_retries" => {
                let max_retries = value.parse().map_err(|_| bad_option(location, name, "it must be a whole number"))?;
                Ok(retry(builder, object_store::RetryConfig { max_retries, ..Default::default() }))
            }
            _ => {
                let key = name.parse().map_err(|_| {
                    let reason = "this option is not known; use the names of the usual environment variables, such as \
                                  AWS_ENDPOINT_URL or GOOGLE_SERVICE_ACCOUNT";
                    bad_option(location, name, reason)
                })?;
                Ok(set(builder, key, value))
            }
        })
    }

    #[cfg(feature = "aws")]
    pub(super) fn s3(location: &Location) -> Result<Store> {
        use object_store::aws::{AmazonS3Builder, AmazonS3ConfigKey as Key};
        let builder = AmazonS3Builder::from_env();
        let builder = configure(location, builder, |b, k: Key, v| b.with_config(k, v), |b, r| b.with_retry(r))?;
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
        let builder = GoogleCloudStorageBuilder::from_env();
        let builder = configure(location, builder, |b, k: Key, v| b.with_config(k, v), |b, r| b.with_retry(r))?;
        let store = builder.with_bucket_name(location.bucket()).build();
        Ok(Store::with_parts(store.map_err(|error| bad_option(location, "gcp", error))?, true))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[cfg(not(feature = "aws"))]
    #[test]
    fn a_missing_feature_is_named() {
        let error = Location::parse("s3://bucket/key").unwrap().store().unwrap_err().to_string();
        assert!(error.contains("cargo feature `aws`"), "{error}");
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
