//! The bucket over a store in memory, and how its settings are read.

use super::testing::TestStore;
use super::*;
use rowhouse_base::Secret;
use std::io::{Read as _, Seek as _, Write as _};

fn bucket(store: &Arc<TestStore>) -> Arc<Bucket> {
    Arc::new(Bucket::over(Arc::clone(store) as Arc<dyn ObjectStore>, "farm/sites"))
}

fn file(bytes: &[u8]) -> std::fs::File {
    let mut file = tempfile::tempfile().unwrap();
    file.write_all(bytes).unwrap();
    file.rewind().unwrap();
    file
}

async fn fetched(bucket: &Bucket, id: TenantId, path: &str) -> Option<Vec<u8>> {
    let to = tempfile::tempfile().unwrap();
    let mut from = to.try_clone().unwrap();
    bucket.get(id, path, to, 0).await.unwrap()?;
    let mut bytes = Vec::new();
    from.rewind().unwrap();
    from.read_to_end(&mut bytes).unwrap();
    Some(bytes)
}

#[tokio::test]
async fn bytes_come_back_and_stay_under_the_tenants_prefix() {
    let (store, id, other) = (TestStore::new(), TenantId::new(), TenantId::new());
    let bucket = bucket(&store);
    let small = b"a note".to_vec();
    // Two parts and a bit.
    let large: Vec<u8> = (0..=255).cycle().take((16 << 20) + 3).collect();
    for (path, bytes) in [("note", &small), ("a/100% ~\n", &large), ("empty", &Vec::new())] {
        let stored = bucket.put(id, path, file(bytes), bytes.len() as u64).await.unwrap();
        assert_eq!(stored.size, bytes.len() as u64);
        assert_eq!(fetched(&bucket, id, path).await.as_ref(), Some(bytes));
        let listed = bucket.list(id).await.unwrap();
        assert_eq!(listed.files[path].size, stored.size);
        assert_eq!(listed.files[path].etag, stored.etag, "what was stored is known when it is listed");
    }
    bucket.put(other, "note", file(b"another's"), 9).await.unwrap();
    bucket.put_folder(id, "b/c").await.unwrap();
    let prefix = format!("farm/sites/{id}/");
    let keys = store.keys().await;
    assert_eq!(keys.iter().filter(|key| key.starts_with(&prefix)).count(), 4, "{keys:?}");
    assert!(keys.contains(&format!("{prefix}b/c/~")), "{keys:?}");
    assert!(bucket.list(id).await.unwrap().folders["b/c"]);
    assert_eq!(fetched(&bucket, id, "nothing").await, None);

    bucket.delete(id, "note").await.unwrap();
    bucket.delete_folder(id, "b/c").await.unwrap();
    bucket.delete(id, "note").await.unwrap();
    let gone = bucket.delete_all(id).await.unwrap();
    assert_eq!(gone, Contents { entries: 2, bytes: large.len() as u64 });
    assert_eq!(bucket.contents(id).await.unwrap(), Contents::default());
    assert_eq!(bucket.contents(other).await.unwrap(), Contents { entries: 1, bytes: 9 });
}

#[tokio::test]
async fn names_that_lead_elsewhere_are_no_names() {
    let (store, id) = (TestStore::new(), TenantId::new());
    let bucket = bucket(&store);
    for path in ["../other/note", "a/../../note", "a//b", "", ".", "a/"] {
        let put = bucket.put(id, path, file(b"x"), 1).await;
        assert!(matches!(put, Err(BucketError::Name(_))), "{path:?}: {put:?}");
    }
    assert!(bucket.fits(id, &"x".repeat(900)).is_ok());
    assert!(matches!(bucket.fits(id, &"%".repeat(400)), Err(BucketError::Name(_))));
    assert_eq!(store.keys().await, Vec::<String>::new());
}

#[tokio::test]
async fn what_a_store_says_is_told_with_the_object() {
    let (store, id) = (TestStore::new(), TenantId::new());
    let bucket = bucket(&store);
    bucket.look().await.unwrap();
    store.refuse(true);
    let error = bucket.look().await.unwrap_err().to_string();
    assert!(error.contains("list `farm/sites/`") && error.contains("as the test said"), "{error}");
    let error = bucket.put(id, "note", file(b"x"), 1).await.unwrap_err().to_string();
    assert!(error.contains(&format!("store `farm/sites/{id}/note`")), "{error}");
    assert!(bucket.list(id).await.is_err());
    assert!(bucket.delete(id, "note").await.is_err());
}

fn settings(endpoint: &str) -> BucketSettings {
    BucketSettings {
        name: "sites".into(),
        prefix: String::new(),
        endpoint: Some(endpoint.into()),
        region: "us-east-1".into(),
        allow_http: false,
        authorities: None,
        key: BucketKey { id: "id".into(), secret: Secret::from_text("hunter2"), token: None },
        mirror_bytes: 1,
    }
}

#[tokio::test]
async fn a_bucket_that_is_not_there_is_told_without_its_key() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let place = taken.local_addr().unwrap();
    drop(taken);
    let settings = BucketSettings { allow_http: true, ..settings(&format!("http://{place}")) };
    let error = look_at_bucket(&settings).await.unwrap_err().to_string();
    assert!(error.starts_with("list ``") && !error.contains("hunter2"), "{error}");
    assert!(!format!("{settings:?}").contains("hunter2"));
    let wrong = BucketSettings { authorities: Some("/nowhere/ca.pem".into()), ..settings };
    let error = look_at_bucket(&wrong).await.unwrap_err().to_string();
    assert!(error.contains("/nowhere/ca.pem"), "{error}");
}

#[tokio::test]
async fn nothing_is_sent_without_tls_unless_that_is_allowed() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    listener.set_nonblocking(true).unwrap();
    let place = listener.local_addr().unwrap();
    assert!(look_at_bucket(&settings(&format!("http://{place}"))).await.is_err());
    let nobody = listener.accept().unwrap_err();
    assert_eq!(nobody.kind(), io::ErrorKind::WouldBlock, "somebody connected");
}
