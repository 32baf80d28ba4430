//! Descriptors: what a service's methods and messages are, from `.proto` files that are compiled
//! here, and from descriptor sets.

use std::{
    fmt,
    path::{Path, PathBuf},
};

use prost_reflect::DescriptorPool;

/// Descriptors that were read; a copy shares them.
pub use prost_reflect::DescriptorPool as Pool;
use protox::{
    Compiler,
    file::{ChainFileResolver, File, FileResolver, GoogleFileResolver},
};

/// Files that may be imported without being there.
const BUNDLED: &[(&str, &str)] = &[
    (
        "google/api/annotations.proto",
        include_str!("../protos/google/api/annotations.proto"),
    ),
    (
        "google/api/client.proto",
        include_str!("../protos/google/api/client.proto"),
    ),
    (
        "google/api/field_behavior.proto",
        include_str!("../protos/google/api/field_behavior.proto"),
    ),
    (
        "google/api/http.proto",
        include_str!("../protos/google/api/http.proto"),
    ),
    (
        "google/api/httpbody.proto",
        include_str!("../protos/google/api/httpbody.proto"),
    ),
    (
        "google/api/resource.proto",
        include_str!("../protos/google/api/resource.proto"),
    ),
    (
        "google/rpc/code.proto",
        include_str!("../protos/google/rpc/code.proto"),
    ),
    (
        "google/rpc/error_details.proto",
        include_str!("../protos/google/rpc/error_details.proto"),
    ),
    (
        "google/rpc/status.proto",
        include_str!("../protos/google/rpc/status.proto"),
    ),
];

/// What every service can tell of its errors, whether its own files import it or not.
const ALWAYS: &[&str] = &["google/rpc/status.proto", "google/rpc/error_details.proto"];

/// How many folders above a file are looked through for what it imports.
const MAX_ABOVE: usize = 16;

/// Why descriptors can't be had.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DescriptorFault {
    /// Which of the files that were named.
    pub file: usize,
    /// What is wrong, with file, line and column where they are known.
    pub message: String,
    /// What to do about it.
    pub hint: Option<&'static str>,
}

impl fmt::Display for DescriptorFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for DescriptorFault {}

/// Reads descriptors: `.proto` files are compiled, anything else is a `FileDescriptorSet`.
///
/// A file's imports are looked for beside it and in the folders above it; those of a package in a
/// folder of the package's name from where that folder begins. `google/api`, `google/rpc` and
/// `google/protobuf` are at hand.
///
/// # Errors
/// The first file that can't be read, with what is wrong with it.
pub fn load(files: &[PathBuf]) -> Result<DescriptorPool, DescriptorFault> {
    let mut pool = DescriptorPool::new();
    let (protos, sets): (Vec<_>, Vec<_>) = files
        .iter()
        .enumerate()
        .partition(|(_, path)| is_source(path));
    for (at, path) in sets {
        add_set(&mut pool, path).map_err(|(message, hint)| DescriptorFault {
            file: at,
            message,
            hint,
        })?;
    }
    let roots: Vec<(usize, Root)> = protos
        .into_iter()
        .map(|(at, path)| (at, Root::of(path)))
        .collect();
    let mut resolver = ChainFileResolver::new();
    resolver.add(Folders(
        roots.iter().flat_map(|(_, root)| root.folders()).collect(),
    ));
    resolver.add(Bundled);
    resolver.add(GoogleFileResolver::new());
    let mut compiler = Compiler::with_file_resolver(resolver);
    compiler.include_imports(true);
    for (at, root) in &roots {
        compiler
            .open_file(&root.name)
            .map_err(|error| DescriptorFault {
                file: *at,
                message: format!("{error:?}"),
                hint: error.is_file_not_found().then_some(
                    "imports are looked for beside the file and in the folders above it",
                ),
            })?;
    }
    let last = roots.last().map_or(0, |(at, _)| *at);
    let internal = |message: String| DescriptorFault {
        file: last,
        message,
        hint: None,
    };
    for name in ALWAYS {
        if pool.get_file_by_name(name).is_none() {
            compiler
                .open_file(name)
                .map_err(|error| internal(format!("{error:?}")))?;
        }
    }
    pool.decode_file_descriptor_set(&*compiler.encode_file_descriptor_set())
        .map_err(|error| internal(format!("{error:?}")))?;
    Ok(pool)
}

/// Descriptors of `.proto` texts, by the names under which they import each other.
///
/// # Errors
/// The first text that is wrong.
pub fn parse(texts: &[(&str, &str)]) -> Result<DescriptorPool, DescriptorFault> {
    let fault = |file, message| DescriptorFault {
        file,
        message,
        hint: None,
    };
    let owned = texts.iter();
    let owned = owned.map(|(name, text)| ((*name).to_owned(), (*text).to_owned()));
    let mut resolver = ChainFileResolver::new();
    resolver.add(Texts(owned.collect()));
    resolver.add(Bundled);
    resolver.add(GoogleFileResolver::new());
    let mut compiler = Compiler::with_file_resolver(resolver);
    compiler.include_imports(true);
    let names = texts
        .iter()
        .map(|(name, _)| *name)
        .chain(ALWAYS.iter().copied());
    for (at, name) in names.enumerate() {
        let opened = compiler.open_file(name).map(drop);
        opened.map_err(|error| fault(at, format!("{error:?}")))?;
    }
    let set = compiler.encode_file_descriptor_set();
    DescriptorPool::decode(&*set).map_err(|error| fault(0, format!("{error:?}")))
}

/// Descriptors of a `FileDescriptorSet`, to which files are added that everybody has, where they are
/// missing.
///
/// # Errors
/// The set is not one, does not fit together, or misses something that is not at hand.
pub fn completed(set: &[u8], missing: &[&str]) -> Result<DescriptorPool, DescriptorFault> {
    let fault = |message| DescriptorFault {
        file: 0,
        message,
        hint: None,
    };
    let mut pool = DescriptorPool::new();
    let add = |pool: &mut DescriptorPool, names: &[&str]| {
        let mut resolver = ChainFileResolver::new();
        resolver.add(Bundled);
        resolver.add(GoogleFileResolver::new());
        let mut compiler = Compiler::with_file_resolver(resolver);
        compiler.include_imports(true);
        for name in names {
            let opened = compiler.open_file(name).map(drop);
            opened.map_err(|error| fault(format!("{error:?}")))?;
        }
        let common = compiler.encode_file_descriptor_set();
        pool.decode_file_descriptor_set(&*common)
            .map_err(|error| fault(format!("{error:?}")))
    };
    add(&mut pool, missing)?;
    pool.decode_file_descriptor_set(set)
        .map_err(|error| fault(format!("{error:?}")))?;
    let absent: Vec<&str> = ALWAYS
        .iter()
        .copied()
        .filter(|name| pool.get_file_by_name(name).is_none())
        .collect();
    add(&mut pool, &absent)?;
    Ok(pool)
}

fn is_source(path: &Path) -> bool {
    path.extension()
        .is_some_and(|extension| extension == "proto")
}

fn add_set(pool: &mut DescriptorPool, path: &Path) -> Result<(), (String, Option<&'static str>)> {
    let shown = path.display();
    let bytes = std::fs::read(path).map_err(|error| (format!("{shown}: {error}"), None))?;
    pool.decode_file_descriptor_set(&*bytes).map_err(|error| {
        (
            format!("{shown} is not a complete descriptor set: {error:?}"),
            Some("make it with `protoc --include_imports --descriptor_set_out=FILE`, or name the `.proto` file itself"),
        )
    })
}

/// A `.proto` file that was named: what it is called by those who import it, and where it is.
struct Root {
    name: String,
    folder: PathBuf,
}

impl Root {
    fn of(path: &Path) -> Self {
        let file = path.file_name().unwrap_or_default().to_string_lossy();
        let folder = path.parent().unwrap_or(Path::new("")).to_owned();
        let package = std::fs::read_to_string(path).ok();
        let package = package.as_deref().and_then(package_of).unwrap_or_default();
        // `acme/users/v1/users.proto` of package `acme.users.v1` is called so.
        let inner: PathBuf = package.split('.').filter(|part| !part.is_empty()).collect();
        let mut root = folder.as_path();
        if !inner.as_os_str().is_empty() && folder.ends_with(&inner) {
            for _ in inner.components() {
                root = root.parent().unwrap_or(root);
            }
            return Self {
                name: inner.join(&*file).to_string_lossy().into_owned(),
                folder: root.to_owned(),
            };
        }
        Self {
            name: file.into_owned(),
            folder,
        }
    }

    fn folders(&self) -> impl Iterator<Item = PathBuf> + '_ {
        self.folder.ancestors().take(MAX_ABOVE).map(Path::to_owned)
    }
}

/// The package that a `.proto` text declares.
fn package_of(text: &str) -> Option<String> {
    let mut code = String::new();
    let mut rest = text;
    // Comments go; a text within quotation marks that looks like one is in no `package`.
    while let Some((before, after)) = rest.split_once('/') {
        code.push_str(before);
        rest = match after.strip_prefix('/') {
            Some(line) => line
                .find('\n')
                .and_then(|at| line.get(at..))
                .unwrap_or_default(),
            None => match after.strip_prefix('*') {
                Some(block) => block.split_once("*/").map_or("", |(_, after)| after),
                None => after,
            },
        };
    }
    code.push_str(rest);
    code.split(';').find_map(|statement| {
        let name = statement.trim_start().strip_prefix("package")?;
        let name = name.strip_prefix(char::is_whitespace)?.trim();
        let plain = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '.';
        name.chars().all(plain).then(|| name.to_owned())
    })
}

struct Folders(Vec<PathBuf>);

impl FileResolver for Folders {
    fn open_file(&self, name: &str) -> Result<File, protox::Error> {
        // A name that leads out of its folder is no name of an import.
        if Path::new(name)
            .components()
            .all(|part| matches!(part, std::path::Component::Normal(_)))
        {
            for folder in &self.0 {
                let path = folder.join(name);
                if path.is_file() {
                    return File::open(name, &path);
                }
            }
        }
        Err(protox::Error::file_not_found(name))
    }
}

struct Bundled;

impl FileResolver for Bundled {
    fn open_file(&self, name: &str) -> Result<File, protox::Error> {
        match BUNDLED.iter().find(|(bundled, _)| *bundled == name) {
            Some((_, text)) => File::from_source(name, text),
            None => Err(protox::Error::file_not_found(name)),
        }
    }
}

struct Texts(Vec<(String, String)>);

impl FileResolver for Texts {
    fn open_file(&self, name: &str) -> Result<File, protox::Error> {
        match self.0.iter().find(|(known, _)| known == name) {
            Some((_, text)) => File::from_source(name, text),
            None => Err(protox::Error::file_not_found(name)),
        }
    }
}
