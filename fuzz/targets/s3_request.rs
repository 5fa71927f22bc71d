//! A request to S3: whatever is known of it is as S3 has it, and what is asked for in two ways at once is not
//! known to be anything.
#![no_main]

use libfuzzer_sys::fuzz_target;
use voussoir_core::acl::s3::{BaseHosts, Bucket, Keys, S3Request};
use voussoir_core::head::RequestHead;

fuzz_target!(|input: (&[u8], &[u8], &[u8], Option<&[u8]>)| {
    let (method, authority, path, source) = input;
    let mut headers = vec![(&b":method"[..], method), (b":authority", authority), (b":path", path)];
    headers.extend(source.map(|source| (&b"x-amz-copy-source"[..], source)));
    let head = RequestHead::new(&headers);

    let by_path = S3Request::of(head, &BaseHosts::default());
    let hosts = BaseHosts::new(&["s3.example".into()]).expect("it is one");
    for request in [&by_path, &S3Request::of(head, &hosts)] {
        if let Bucket::Named(name) = &request.bucket {
            assert!(!name.is_empty() && !name.iter().any(|byte| b"/%:;".contains(byte)));
        }
        match (request.operation, &request.keys) {
            (None, keys) => assert_eq!(*keys, Keys::Unknown),
            (Some(operation), Keys::One(key)) => {
                assert!(key.len() > 1 && key.starts_with(b"/"));
                assert!(!operation.name().contains("Bucket"));
            }
            (Some(operation), Keys::Below(_)) => assert!(operation.name().starts_with("List")),
            (Some(_), Keys::None | Keys::Unknown) => {}
        }
    }

    // One more parameter that tells operations apart is one too many.
    if by_path.operation.is_some() {
        let sign: &[u8] = if path.contains(&b'?') { b"&" } else { b"?" };
        for parameter in [&b"acl"[..], b"unheard-of"] {
            let path = [path, sign, parameter].concat();
            let mut headers = headers.clone();
            headers[2].1 = &path;
            let longer = S3Request::of(RequestHead::new(&headers), &BaseHosts::default());
            assert_ne!(longer.operation, by_path.operation);
            assert_eq!(longer.bucket, by_path.bucket);
        }
    }
});
