//! An S3 server over a temporary folder.

use std::net::SocketAddr;
use std::path::PathBuf;

use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto::Builder;
use s3s::auth::SimpleAuth;
use s3s::service::S3ServiceBuilder;
use tempfile::TempDir;
use tokio::net::TcpListener;
use tokio::runtime::Runtime;

/// The key id that is let in.
pub const KEY: &str = "talatat";
/// Its secret.
pub const SECRET: &str = "cut-by-hand";

/// A running server; dropping it ends it and removes its data.
#[derive(Debug)]
pub struct S3Server {
    address: SocketAddr,
    folder: TempDir,
    _runtime: Runtime,
}

impl S3Server {
    /// Starts a server with the given buckets.
    ///
    /// # Errors
    /// When no folder, thread or port is to be had.
    pub fn start(buckets: &[&str]) -> Result<Self, Box<dyn std::error::Error>> {
        let folder = tempfile::tempdir()?;
        buckets.iter().try_for_each(|bucket| std::fs::create_dir(folder.path().join(bucket)))?;
        let files = s3s_fs::FileSystem::new(folder.path()).map_err(|error| format!("{error:?}"))?;
        let mut service = S3ServiceBuilder::new(files);
        service.set_auth(SimpleAuth::from_single(KEY, SECRET));
        let service = service.build();

        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build()?;
        let listener = runtime.block_on(TcpListener::bind(("127.0.0.1", 0)))?;
        let address = listener.local_addr()?;
        runtime.spawn(async move {
            let http = Builder::new(TokioExecutor::new());
            while let Ok((socket, _)) = listener.accept().await {
                let connection = http.serve_connection(TokioIo::new(socket), service.clone()).into_owned();
                tokio::spawn(connection);
            }
        });
        Ok(S3Server { address, folder, _runtime: runtime })
    }

    /// The URL for `AWS_ENDPOINT_URL`.
    pub fn endpoint(&self) -> String {
        format!("http://{}", self.address)
    }

    /// The folder of a bucket, to look at what was stored.
    pub fn bucket(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }
}
