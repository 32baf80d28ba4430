use std::fs;

use super::*;

struct Written {
    folder: tempfile::TempDir,
}

impl Written {
    fn new() -> Self {
        Self {
            folder: tempfile::tempdir().unwrap(),
        }
    }

    fn kind(&self) -> Kind {
        Kind::File(FileSource {
            path: self.folder.path().join("orders.json"),
        })
    }

    /// Replaces the file in one step.
    fn write(&self, text: &str) {
        let next = self.folder.path().join("next");
        fs::write(&next, text).unwrap();
        fs::rename(next, self.folder.path().join("orders.json")).unwrap();
    }
}

#[tokio::test]
async fn a_replaced_file_changes_what_it_changes_and_nothing_else() {
    let file = Written::new();
    file.write(r#"["10.0.0.1:80", "10.0.0.2:80"]"#);
    let followed = follow(file.kind());
    followed
        .becomes(&[("10.0.0.1:80", 1), ("10.0.0.2:80", 1)])
        .await;
    let kept = followed.at("10.0.0.2:80");
    file.write(r#"["10.0.0.2:80*3", "10.0.0.3:80"]"#);
    followed
        .becomes(&[("10.0.0.2:80", 3), ("10.0.0.3:80", 1)])
        .await;
    assert!(Arc::ptr_eq(&kept, &followed.at("10.0.0.2:80")));
    assert_eq!(
        followed.metric(r#"lintel_discovery_updates_total{service="orders",result="applied"}"#),
        Some("2".to_owned())
    );
    assert_eq!(
        followed.metric(r#"lintel_discovery_endpoints{service="orders"}"#),
        Some("2".to_owned())
    );
}

#[tokio::test]
async fn a_broken_file_leaves_the_last_good_list_until_it_is_mended() {
    let file = Written::new();
    file.write(r#"["10.0.0.1:80"]"#);
    let followed = follow(file.kind());
    followed.becomes(&[("10.0.0.1:80", 1)]).await;
    for (text, why) in [
        (r#"["10.0.0.2:80""#, "orders.json: EOF while parsing"),
        (r#"["10.0.0.2:0"]"#, "port 0"),
        (r#"["0.0.0.0:80"]"#, "nothing can be reached at 0.0.0.0"),
    ] {
        file.write(text);
        followed.fails_with(why).await;
        assert_eq!(followed.endpoints(), [("10.0.0.1:80".to_owned(), 1)]);
    }
    assert_eq!(
        followed.metric(r#"lintel_discovery_failing{service="orders"}"#),
        Some("1".to_owned())
    );
    fs::remove_file(file.folder.path().join("orders.json")).unwrap();
    followed.fails_with("can't be read").await;
    file.write(r#"["10.0.0.1:80", "10.0.0.2:80", "239.0.0.1:80"]"#);
    followed
        .becomes(&[("10.0.0.1:80", 1), ("10.0.0.2:80", 1)])
        .await;
    let status = followed.status();
    assert_eq!((status.failing, status.endpoints), (None, Some(2)));
    assert_eq!(
        status.notes,
        ["http://239.0.0.1: nothing can be reached at 239.0.0.1"]
    );
}

#[tokio::test]
async fn an_empty_list_is_believed_only_where_that_is_allowed() {
    let file = Written::new();
    file.write(r#"["10.0.0.1:80"]"#);
    let careful = follow(file.kind());
    let believing = follow_spec(spec(Discover {
        allow_empty: true,
        ..discover(file.kind())
    }));
    for followed in [&careful, &believing] {
        followed.becomes(&[("10.0.0.1:80", 1)]).await;
    }
    file.write("[]");
    believing.becomes(&[]).await;
    until("a note", || !careful.status().notes.is_empty()).await;
    assert_eq!(careful.endpoints(), [("10.0.0.1:80".to_owned(), 1)]);
    assert!(careful.status().notes[0].contains("allow_empty"));
    assert!(careful.status().failing.is_none());
    file.write(r#"["10.0.0.2:80"]"#);
    careful.becomes(&[("10.0.0.2:80", 1)]).await;
    assert!(careful.status().notes.is_empty());
}

#[tokio::test]
async fn a_file_that_is_not_there_yet_is_waited_for() {
    let file = Written::new();
    let followed = follow(file.kind());
    followed.resolution.settled().await;
    followed.fails_with("can't be read").await;
    assert_eq!(followed.endpoints(), []);
    file.write(r#"["10.0.0.1:80"]"#);
    followed.resolution.arrived().await;
    assert_eq!(followed.endpoints(), [("10.0.0.1:80".to_owned(), 1)]);
}
