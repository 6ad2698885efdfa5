//! Encrypted connections, with certificates made for the test.

use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

use talatat_cluster::testing::Act;
use talatat_graph::{Executor, Value};

use crate::support::{Acts, builder, context, python};

/// The certificate of somebody who signs, and a certificate that is signed, with its key.
fn certificates(folder: &std::path::Path) -> [PathBuf; 3] {
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/local/certificates.py");
    let made = Command::new(python().unwrap()).arg(script).arg(folder).output().unwrap();
    assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
    ["ca.pem", "cert.pem", "key.pem"].map(|name| folder.join(name))
}

#[test]
fn who_has_no_certificate_is_not_let_in() {
    let (Some(first), Some(second)) = (builder(), builder()) else { return };
    let folders = [tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap()];
    let [own, other] = folders.each_ref().map(|folder| certificates(folder.path()));
    let [ca, cert, key] = own.clone();
    let local = first.tls(ca, cert, key).local(2).unwrap();
    assert!(local.address().starts_with("tls://127.0.0.1"), "{}", local.address());
    let works = |cluster: &talatat_cluster::Cluster| {
        let mut acts = Acts::default();
        let blob = acts.add(Act::Blob(1 << 16), 0, &[]);
        acts.add(Act::First, 0, &[blob]);
        let values = cluster.execute(acts.plan(), &context()).unwrap();
        assert!(matches!(values[..], [Value::I64(0)]), "{values:?}");
    };
    works(&local);
    let second = second.timeout(Duration::from_secs(10));
    let [ca, cert, key] = own;
    works(&second.clone().tls(ca, cert, key).connect(local.address()).unwrap());
    let [ca, cert, key] = other;
    let error = second.clone().tls(ca, cert, key).connect(local.address()).unwrap_err().to_string();
    assert!(error.contains("cannot connect to tls://"), "{error}");
    let error = second.connect(local.address()).unwrap_err().to_string();
    assert!(error.contains("cannot connect to tls://"), "{error}");
}
