use std::{fs, path::PathBuf};

use http::Method;

use crate::{Lookup, Transcoder, descriptors};

struct Folder(tempfile::TempDir);

impl Folder {
    fn new(files: &[(&str, &str)]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        for (name, text) in files {
            let path = folder.path().join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        }
        Self(folder)
    }

    fn load(
        &self,
        names: &[&str],
    ) -> Result<prost_reflect::DescriptorPool, descriptors::DescriptorFault> {
        let paths: Vec<PathBuf> = names.iter().map(|name| self.0.path().join(name)).collect();
        descriptors::load(&paths)
    }
}

const USERS: &str = "// package not.this;
syntax = \"proto3\";
package acme.users.v1;
import \"acme/common/page.proto\";
import \"google/api/annotations.proto\";
service Users {
  rpc List(acme.common.Page) returns (acme.common.Page) {
    option (google.api.http) = { get: \"/v1/users\" };
  }
}";
const PAGE: &str = "syntax = \"proto3\"; package acme.common; message Page { int32 size = 1; }";

#[test]
fn sources_find_what_they_import() {
    let folder = Folder::new(&[
        ("protos/acme/users/v1/users.proto", USERS),
        ("protos/acme/common/page.proto", PAGE),
    ]);
    for names in [
        &["protos/acme/users/v1/users.proto"][..],
        &[
            "protos/acme/users/v1/users.proto",
            "protos/acme/common/page.proto",
        ],
        &[
            "protos/acme/common/page.proto",
            "protos/acme/users/v1/users.proto",
        ],
    ] {
        let pool = folder.load(names).unwrap();
        let transcoder = Transcoder::new(&pool, &[], &[]).unwrap();
        assert!(matches!(
            transcoder.find(&Method::GET, "/v1/users"),
            Lookup::Found(_)
        ));
    }
}

#[test]
fn descriptor_sets_are_read() {
    let folder = Folder::new(&[
        ("acme/users/v1/users.proto", USERS),
        ("acme/common/page.proto", PAGE),
    ]);
    let pool = folder.load(&["acme/users/v1/users.proto"]).unwrap();
    fs::write(folder.0.path().join("all.binpb"), pool.encode_to_vec()).unwrap();
    for names in [
        &["all.binpb"][..],
        &["all.binpb", "acme/users/v1/users.proto"],
    ] {
        let pool = folder.load(names).unwrap();
        let transcoder = Transcoder::new(&pool, &["acme.users.v1.Users"], &[]).unwrap();
        assert_eq!(transcoder.bindings().len(), 1, "{names:?}");
    }
}

#[test]
fn mistakes_have_their_place() {
    let folder = Folder::new(&[
        (
            "syntax.proto",
            "syntax = \"proto3\";\nmessage A {\n  int32 a = ;\n}",
        ),
        (
            "type.proto",
            "syntax = \"proto3\";\nmessage A {\n  Nothing a = 1;\n}",
        ),
        (
            "import.proto",
            "syntax = \"proto3\";\nimport \"nothing.proto\";",
        ),
        (
            "above.proto",
            "syntax = \"proto3\";\nimport \"../etc/passwd.proto\";",
        ),
        ("set.pb", "not a set"),
    ]);
    for (name, expected) in [
        (
            "syntax.proto",
            "syntax.proto:3:13: expected an integer, but found ';'",
        ),
        (
            "type.proto",
            "type.proto:3:3: name 'Nothing' is not defined",
        ),
        (
            "import.proto",
            "import.proto:2:1: import 'nothing.proto' not found",
        ),
        ("above.proto", "above.proto:2:8: "),
        ("set.pb", "is not a complete descriptor set"),
        ("nothing.proto", "nothing.proto"),
        ("nothing.pb", "No such file"),
    ] {
        let fault = folder.load(&[name]).unwrap_err();
        assert!(fault.message.contains(expected), "{name}: {fault}");
    }
}
