//! Each operation of botocore's model of S3, as botocore asks for it (`tests/vectors/`).

use alloc::string::String;
use alloc::vec::Vec;

use serde::Deserialize;
#[cfg(target_arch = "wasm32")]
use wasm_bindgen_test::wasm_bindgen_test as test;

use super::{BaseHosts, Bucket, Keys, S3Operation, S3Request};
use crate::access_rules::PlainPath;
use crate::head::RequestHead;
use crate::sigv4::{Plus, percent_decode};

#[derive(Deserialize)]
struct Vectors {
    host: String,
    requests: Vec<Asked>,
}

#[derive(Deserialize)]
struct Asked {
    operation: String,
    bucket: Option<String>,
    key: Option<String>,
    headers: Vec<(String, String)>,
}

#[test]
fn what_botocore_asks_for_is_what_it_wants() {
    let text = include_str!("../../../../tests/vectors/s3-operations-1.44.json");
    let vectors: Vectors = serde_json::from_str(text).unwrap();
    let hosts = BaseHosts::new(&[vectors.host]).unwrap();
    assert!(vectors.requests.len() > 200);
    for Asked { operation, bucket, key, headers } in vectors.requests {
        let headers: Vec<_> = headers.iter().map(|(n, v)| (n.as_bytes(), v.as_bytes())).collect();
        let request = S3Request::of(RequestHead::new(&headers), &hosts);
        assert_eq!(request.operation.map(S3Operation::name), Some(&*operation), "{headers:?}");
        match &bucket {
            Some(bucket) => assert_eq!(request.bucket, Bucket::Named(bucket.as_bytes().into())),
            None => assert_eq!(request.bucket, Bucket::None),
        }
        match (request.keys, &key) {
            (Keys::One(path), Some(key)) => {
                let plain = PlainPath::new(&path).unwrap();
                let decoded = percent_decode(plain.as_bytes(), Plus::Literal).unwrap();
                assert_eq!(decoded.strip_prefix(b"/"), Some(key.as_bytes()), "{operation}");
            }
            (Keys::Unknown, key) => {
                assert!(operation == "RenameObject" || key.is_none(), "{operation}");
                assert!(["DeleteObjects", "RenameObject"].contains(&&*operation), "{operation}");
            }
            (Keys::None, None) => {}
            (Keys::Below(_), None) => assert!(operation.starts_with("List"), "{operation}"),
            (keys, key) => panic!("{operation}: {keys:?}, {key:?}"),
        }
    }
}
