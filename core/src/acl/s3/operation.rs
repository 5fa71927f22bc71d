//! The operations of S3, and how a request asks for each: AWS's "Amazon S3 API Reference", whose
//! request syntaxes are one line each of this table.

use Level::{Bucket, Object, Service};

/// An operation of S3.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct S3Operation {
    /// Its place in [`OPERATIONS`].
    place: usize,
}

/// Some operations of S3.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct S3Operations {
    /// A bit for each place in [`OPERATIONS`].
    places: u128,
}

/// What a path names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Level {
    Service,
    Bucket,
    Object,
}

/// Which keys an operation is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Reach {
    /// None.
    None,
    /// That of the path.
    Key,
    /// All that begin with the parameter `prefix`.
    Prefix,
    /// Some that the path does not name: they are in the body, or in a header.
    Unseen,
}

impl S3Operation {
    /// What a request asks for that has this method, a path of this level, and these of the parameters
    /// that tell operations apart, in the order of their names.
    pub(super) fn of(method: &[u8], level: Level, parameters: &[&str]) -> Option<Self> {
        let is_it = |(_, of, by, with): &(&str, Level, &str, &str)| {
            *of == level
                && by.as_bytes() == method
                && with.split_terminator('&').eq(parameters.iter().copied())
        };
        OPERATIONS.iter().position(is_it).map(|place| Self { place })
    }

    /// The operation of this name.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        OPERATIONS.iter().position(|(other, ..)| *other == name).map(|place| Self { place })
    }

    /// What AWS calls it: `GetObject`.
    #[must_use]
    pub fn name(self) -> &'static str {
        OPERATIONS.get(self.place).map_or("", |(name, ..)| *name)
    }

    pub(super) fn reach(self) -> Reach {
        let Some((name, level, ..)) = OPERATIONS.get(self.place) else { return Reach::Unseen };
        match (*name, level) {
            ("DeleteObjects" | "PostObject" | "RenameObject", _) => Reach::Unseen,
            (
                "ListObjects" | "ListObjectsV2" | "ListObjectVersions" | "ListMultipartUploads",
                _,
            ) => Reach::Prefix,
            (_, Object) => Reach::Key,
            (_, Service | Bucket) => Reach::None,
        }
    }
}

impl S3Operations {
    /// Those that a name stands for, which may end with a star: `GetObject`, `Get*`, `*`. `None` if there is
    /// no such operation.
    #[must_use]
    pub fn named(pattern: &str) -> Option<Self> {
        let is_meant = |name: &str| match pattern.strip_suffix('*') {
            Some(beginning) => name.starts_with(beginning),
            None => name == pattern,
        };
        let mut these = Self::default();
        for (place, _) in OPERATIONS.iter().enumerate().filter(|(_, it)| is_meant(it.0)) {
            these.places |= 1 << place;
        }
        (these.places != 0).then_some(these)
    }

    /// These and those.
    #[must_use]
    pub fn and(self, others: Self) -> Self {
        Self { places: self.places | others.places }
    }

    pub(super) fn have(self, operation: S3Operation) -> bool {
        self.places >> operation.place & 1 == 1
    }
}

/// A header that tells operations apart as parameters do.
pub(super) const COPY_SOURCE: &str = "x-amz-copy-source";

/// Each operation: what the path names, the method, and which of the parameters that tell operations
/// apart there are, by their names in order.
///
/// What AWS has two names for is here by the newer one.
const OPERATIONS: [(&str, Level, &str, &str); 113] = [
    ("AbortMultipartUpload", Object, "DELETE", "uploadId"),
    ("CompleteMultipartUpload", Object, "POST", "uploadId"),
    ("CopyObject", Object, "PUT", COPY_SOURCE),
    ("CreateBucket", Bucket, "PUT", ""),
    ("CreateBucketMetadataConfiguration", Bucket, "POST", "metadataConfiguration"),
    ("CreateBucketMetadataTableConfiguration", Bucket, "POST", "metadataTable"),
    ("CreateMultipartUpload", Object, "POST", "uploads"),
    ("CreateSession", Bucket, "GET", "session"),
    ("DeleteBucket", Bucket, "DELETE", ""),
    ("DeleteBucketAnalyticsConfiguration", Bucket, "DELETE", "analytics&id"),
    ("DeleteBucketCors", Bucket, "DELETE", "cors"),
    ("DeleteBucketEncryption", Bucket, "DELETE", "encryption"),
    ("DeleteBucketIntelligentTieringConfiguration", Bucket, "DELETE", "id&intelligent-tiering"),
    ("DeleteBucketInventoryConfiguration", Bucket, "DELETE", "id&inventory"),
    ("DeleteBucketLifecycle", Bucket, "DELETE", "lifecycle"),
    ("DeleteBucketMetadataConfiguration", Bucket, "DELETE", "metadataConfiguration"),
    ("DeleteBucketMetadataTableConfiguration", Bucket, "DELETE", "metadataTable"),
    ("DeleteBucketMetricsConfiguration", Bucket, "DELETE", "id&metrics"),
    ("DeleteBucketOwnershipControls", Bucket, "DELETE", "ownershipControls"),
    ("DeleteBucketPolicy", Bucket, "DELETE", "policy"),
    ("DeleteBucketReplication", Bucket, "DELETE", "replication"),
    ("DeleteBucketTagging", Bucket, "DELETE", "tagging"),
    ("DeleteBucketWebsite", Bucket, "DELETE", "website"),
    ("DeleteObject", Object, "DELETE", ""),
    ("DeleteObjectAnnotation", Object, "DELETE", "annotation&annotationName"),
    ("DeleteObjectTagging", Object, "DELETE", "tagging"),
    ("DeleteObjects", Bucket, "POST", "delete"),
    ("DeletePublicAccessBlock", Bucket, "DELETE", "publicAccessBlock"),
    ("GetBucketAbac", Bucket, "GET", "abac"),
    ("GetBucketAccelerateConfiguration", Bucket, "GET", "accelerate"),
    ("GetBucketAcl", Bucket, "GET", "acl"),
    ("GetBucketAnalyticsConfiguration", Bucket, "GET", "analytics&id"),
    ("GetBucketCors", Bucket, "GET", "cors"),
    ("GetBucketEncryption", Bucket, "GET", "encryption"),
    ("GetBucketIntelligentTieringConfiguration", Bucket, "GET", "id&intelligent-tiering"),
    ("GetBucketInventoryConfiguration", Bucket, "GET", "id&inventory"),
    ("GetBucketLifecycleConfiguration", Bucket, "GET", "lifecycle"),
    ("GetBucketLocation", Bucket, "GET", "location"),
    ("GetBucketLogging", Bucket, "GET", "logging"),
    ("GetBucketMetadataConfiguration", Bucket, "GET", "metadataConfiguration"),
    ("GetBucketMetadataTableConfiguration", Bucket, "GET", "metadataTable"),
    ("GetBucketMetricsConfiguration", Bucket, "GET", "id&metrics"),
    ("GetBucketNotificationConfiguration", Bucket, "GET", "notification"),
    ("GetBucketOwnershipControls", Bucket, "GET", "ownershipControls"),
    ("GetBucketPolicy", Bucket, "GET", "policy"),
    ("GetBucketPolicyStatus", Bucket, "GET", "policyStatus"),
    ("GetBucketReplication", Bucket, "GET", "replication"),
    ("GetBucketRequestPayment", Bucket, "GET", "requestPayment"),
    ("GetBucketTagging", Bucket, "GET", "tagging"),
    ("GetBucketVersioning", Bucket, "GET", "versioning"),
    ("GetBucketWebsite", Bucket, "GET", "website"),
    ("GetObject", Object, "GET", ""),
    ("GetObject", Object, "GET", "partNumber"),
    ("GetObjectAcl", Object, "GET", "acl"),
    ("GetObjectAnnotation", Object, "GET", "annotation&annotationName"),
    ("GetObjectAttributes", Object, "GET", "attributes"),
    ("GetObjectLegalHold", Object, "GET", "legal-hold"),
    ("GetObjectLockConfiguration", Bucket, "GET", "object-lock"),
    ("GetObjectRetention", Object, "GET", "retention"),
    ("GetObjectTagging", Object, "GET", "tagging"),
    ("GetObjectTorrent", Object, "GET", "torrent"),
    ("GetPublicAccessBlock", Bucket, "GET", "publicAccessBlock"),
    ("HeadBucket", Bucket, "HEAD", ""),
    ("HeadObject", Object, "HEAD", ""),
    ("HeadObject", Object, "HEAD", "partNumber"),
    ("ListBucketAnalyticsConfigurations", Bucket, "GET", "analytics"),
    ("ListBucketIntelligentTieringConfigurations", Bucket, "GET", "intelligent-tiering"),
    ("ListBucketInventoryConfigurations", Bucket, "GET", "inventory"),
    ("ListBucketMetricsConfigurations", Bucket, "GET", "metrics"),
    ("ListBuckets", Service, "GET", ""),
    ("ListMultipartUploads", Bucket, "GET", "uploads"),
    ("ListObjectAnnotations", Object, "GET", "annotation"),
    ("ListObjectVersions", Bucket, "GET", "versions"),
    ("ListObjects", Bucket, "GET", ""),
    ("ListObjectsV2", Bucket, "GET", "list-type"),
    ("ListParts", Object, "GET", "uploadId"),
    ("PostObject", Bucket, "POST", ""),
    ("PutBucketAbac", Bucket, "PUT", "abac"),
    ("PutBucketAccelerateConfiguration", Bucket, "PUT", "accelerate"),
    ("PutBucketAcl", Bucket, "PUT", "acl"),
    ("PutBucketAnalyticsConfiguration", Bucket, "PUT", "analytics&id"),
    ("PutBucketCors", Bucket, "PUT", "cors"),
    ("PutBucketEncryption", Bucket, "PUT", "encryption"),
    ("PutBucketIntelligentTieringConfiguration", Bucket, "PUT", "id&intelligent-tiering"),
    ("PutBucketInventoryConfiguration", Bucket, "PUT", "id&inventory"),
    ("PutBucketLifecycleConfiguration", Bucket, "PUT", "lifecycle"),
    ("PutBucketLogging", Bucket, "PUT", "logging"),
    ("PutBucketMetricsConfiguration", Bucket, "PUT", "id&metrics"),
    ("PutBucketNotificationConfiguration", Bucket, "PUT", "notification"),
    ("PutBucketOwnershipControls", Bucket, "PUT", "ownershipControls"),
    ("PutBucketPolicy", Bucket, "PUT", "policy"),
    ("PutBucketReplication", Bucket, "PUT", "replication"),
    ("PutBucketRequestPayment", Bucket, "PUT", "requestPayment"),
    ("PutBucketTagging", Bucket, "PUT", "tagging"),
    ("PutBucketVersioning", Bucket, "PUT", "versioning"),
    ("PutBucketWebsite", Bucket, "PUT", "website"),
    ("PutObject", Object, "PUT", ""),
    ("PutObjectAcl", Object, "PUT", "acl"),
    ("PutObjectAnnotation", Object, "PUT", "annotation&annotationName"),
    ("PutObjectLegalHold", Object, "PUT", "legal-hold"),
    ("PutObjectLockConfiguration", Bucket, "PUT", "object-lock"),
    ("PutObjectRetention", Object, "PUT", "retention"),
    ("PutObjectTagging", Object, "PUT", "tagging"),
    ("PutPublicAccessBlock", Bucket, "PUT", "publicAccessBlock"),
    ("RenameObject", Object, "PUT", "renameObject"),
    ("RestoreObject", Object, "POST", "restore"),
    ("SelectObjectContent", Object, "POST", "select&select-type"),
    ("UpdateBucketMetadataAnnotationTableConfiguration", Bucket, "PUT", "metadataAnnotationTable"),
    ("UpdateBucketMetadataInventoryTableConfiguration", Bucket, "PUT", "metadataInventoryTable"),
    ("UpdateBucketMetadataJournalTableConfiguration", Bucket, "PUT", "metadataJournalTable"),
    ("UpdateObjectEncryption", Object, "PUT", "encryption"),
    ("UploadPart", Object, "PUT", "partNumber&uploadId"),
    ("UploadPartCopy", Object, "PUT", "partNumber&uploadId&x-amz-copy-source"),
];
