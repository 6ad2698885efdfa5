//! An S3 server over a temporary folder.

use std::net::SocketAddr;
use std::path::PathBuf;

use hyper::Request;
use hyper::body::Incoming;
use hyper::service::Service;
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto::Builder;
use s3s::auth::SimpleAuth;
use s3s::service::{S3Service, S3ServiceBuilder};
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

/// The service, behind a door at which credentials are taken away from those who need none.
#[derive(Clone)]
struct Front {
    service: S3Service,
    signed: bool,
}

impl Service<Request<Incoming>> for Front {
    type Response = <S3Service as Service<Request<Incoming>>>::Response;
    type Error = <S3Service as Service<Request<Incoming>>>::Error;
    type Future = <S3Service as Service<Request<Incoming>>>::Future;

    fn call(&self, mut request: Request<Incoming>) -> Self::Future {
        if !self.signed {
            request.headers_mut().remove(hyper::header::AUTHORIZATION);
        }
        Service::call(&self.service, request)
    }
}

impl S3Server {
    /// Starts a server with the given buckets.
    ///
    /// # Errors
    /// When no folder, thread or port is to be had.
    pub fn start(buckets: &[&str]) -> Result<Self, Box<dyn std::error::Error>> {
        Self::start_with(buckets, true)
    }

    /// Starts a server that asks nobody who he is. It speaks the XML protocol that Google's store has in common with Amazon's, too.
    ///
    /// # Errors
    /// As [`S3Server::start`].
    pub fn start_open(buckets: &[&str]) -> Result<Self, Box<dyn std::error::Error>> {
        Self::start_with(buckets, false)
    }

    fn start_with(buckets: &[&str], signed: bool) -> Result<Self, Box<dyn std::error::Error>> {
        let folder = tempfile::tempdir()?;
        buckets.iter().try_for_each(|bucket| std::fs::create_dir(folder.path().join(bucket)))?;
        let files = s3s_fs::FileSystem::new(folder.path()).map_err(|error| format!("{error:?}"))?;
        let mut service = S3ServiceBuilder::new(files);
        if signed {
            service.set_auth(SimpleAuth::from_single(KEY, SECRET));
        }
        let service = Front { service: service.build(), signed };

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

    /// How many uploads are neither completed nor aborted.
    pub fn unfinished(&self) -> usize {
        let inside = std::fs::read_dir(self.folder.path()).into_iter().flatten().flatten();
        inside.filter(|entry| entry.file_name().to_string_lossy().contains("upload")).count()
    }

    /// The folder of a bucket, to look at what was stored.
    pub fn bucket(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }
}
