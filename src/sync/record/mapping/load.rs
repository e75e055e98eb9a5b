//! The set of mappings: the built-in ones, replaced and extended by those of a folder.

use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use super::parse::{Lines, parse};
use super::{Mapping, MappingFault};

/// Where mapping files are looked for when `ADVOSYNC_MAPPINGS` is not set, relative to the working directory.
pub const DEFAULT_FOLDER: &str = "mappings";

/// The shipped entities, so that the binary works without any file beside it.
const BUILT_IN: [(&str, &str); 1] =
    [("beteiligte.toml (built in)", include_str!("../../../../mappings/beteiligte.toml"))];

/// All entities, ordered by name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mappings {
    all: Vec<Mapping>,
}

/// A mapping and the place it came from, for faults between files.
struct Loaded {
    mapping: Mapping,
    file: String,
    lines: Lines,
}

impl Mappings {
    /// Loads the built-in mappings and every `*.toml` of the folder. A file replaces the built-in one with the same
    /// `name`. `None` means [`DEFAULT_FOLDER`], which may be missing; a folder that was set must exist.
    ///
    /// # Errors
    /// All faults of all files at once, each with file, line and key.
    pub fn load(folder: Option<&Path>) -> Result<Self, Vec<MappingFault>> {
        let mut faults = Vec::new();
        let built_in = BUILT_IN.map(|(file, source)| (file.to_owned(), source.to_owned()));
        let built_in = parse_all(built_in, &mut faults);
        let from_folder = parse_all(read_folder(folder, &mut faults), &mut faults);
        let all = combined(built_in, from_folder, &mut faults);
        if !faults.is_empty() {
            return Err(faults);
        }
        let mut all: Vec<Mapping> = all.into_iter().map(|loaded| loaded.mapping).collect();
        all.sort_by(|a, b| a.name.cmp(&b.name));
        Ok(Self { all })
    }

    /// Reads these files by themselves, as they would stand in a folder beside the built-in mappings.
    #[must_use]
    pub fn check(files: &[PathBuf]) -> Checked {
        let mut faults = Vec::new();
        let sources = read_files(files, &mut faults);
        let loaded = parse_all(sources, &mut faults);
        let good = loaded.iter().map(|loaded| (loaded.file.clone(), loaded.mapping.clone())).collect();
        let built_in = BUILT_IN.map(|(file, source)| (file.to_owned(), source.to_owned()));
        let built_in = parse_all(built_in, &mut faults);
        combined(built_in, loaded, &mut faults);
        Checked { good, faults }
    }

    /// The entity with this name.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&Mapping> {
        self.all.iter().find(|mapping| mapping.name == name)
    }

    /// All entities, by name.
    pub fn iter(&self) -> impl Iterator<Item = &Mapping> {
        self.all.iter()
    }
}

/// What checking files came to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Checked {
    /// The mappings that could be read, with their files; faults between files may concern them still.
    pub good: Vec<(String, Mapping)>,
    /// All faults of all files.
    pub faults: Vec<MappingFault>,
}

/// The built-in mappings and those of files, which replace a built-in one of their name. No name may come twice in files,
/// and no entity at all.
fn combined(built_in: Vec<Loaded>, from_files: Vec<Loaded>, faults: &mut Vec<MappingFault>) -> Vec<Loaded> {
    for (index, loaded) in from_files.iter().enumerate() {
        if let Some(first) = from_files[..index].iter().find(|other| other.mapping.name == loaded.mapping.name) {
            let problem = format!("`{}` is defined in {} already", loaded.mapping.name, first.file);
            faults.push(loaded.fault(loaded.lines.name, "name", problem));
        }
    }
    let replaced = |name: &str| from_files.iter().any(|loaded| loaded.mapping.name == name);
    let mut all: Vec<Loaded> = built_in.into_iter().filter(|loaded| !replaced(&loaded.mapping.name)).collect();
    all.extend(from_files);
    for (index, loaded) in all.iter().enumerate() {
        let entity = &loaded.mapping.espocrm.entity;
        let same_entity =
            |other: &&Loaded| other.mapping.espocrm.entity == *entity && other.mapping.name != loaded.mapping.name;
        if let Some(first) = all[..index].iter().find(same_entity) {
            // Two mappings would fight over one record's link and status.
            let problem = format!("`{entity}` is mapped by `{}` in {} already", first.mapping.name, first.file);
            faults.push(loaded.fault(loaded.lines.entity, "espocrm.entity", problem));
        }
    }
    all
}

impl Loaded {
    fn fault(&self, line: usize, key: &str, problem: String) -> MappingFault {
        MappingFault { file: self.file.clone(), line: Some(line), key: key.to_owned(), problem }
    }
}

fn parse_all(files: impl IntoIterator<Item = (String, String)>, faults: &mut Vec<MappingFault>) -> Vec<Loaded> {
    let mut loaded = Vec::new();
    for (file, source) in files {
        match parse(&file, &source) {
            Ok((mapping, lines)) => loaded.push(Loaded { mapping, file, lines }),
            Err(found) => faults.extend(found),
        }
    }
    loaded
}

/// Names and texts of the folder's mapping files, by name; what cannot be read becomes a fault.
fn read_folder(folder: Option<&Path>, faults: &mut Vec<MappingFault>) -> Vec<(String, String)> {
    let path = folder.unwrap_or(Path::new(DEFAULT_FOLDER));
    let entries = match fs::read_dir(path) {
        Ok(entries) => entries,
        Err(error) if folder.is_none() && error.kind() == ErrorKind::NotFound => return Vec::new(),
        Err(error) => {
            faults.push(cannot(path, &error));
            return Vec::new();
        }
    };
    let mut files: Vec<PathBuf> = Vec::new();
    for entry in entries {
        match entry {
            Ok(entry) => files.push(entry.path()),
            Err(error) => faults.push(cannot(path, &error)),
        }
    }
    files.retain(|file| is_mapping_file(file));
    files.sort();
    read_files(&files, faults)
}

/// Names and texts of these files; what cannot be read becomes a fault.
fn read_files(files: &[PathBuf], faults: &mut Vec<MappingFault>) -> Vec<(String, String)> {
    let mut sources = Vec::new();
    for file in files {
        match fs::read_to_string(file) {
            Ok(source) => sources.push((file.display().to_string(), source)),
            Err(error) => faults.push(cannot(file, &error)),
        }
    }
    sources
}

fn cannot(path: &Path, error: &std::io::Error) -> MappingFault {
    let problem = format!("cannot be read: {error}");
    MappingFault { file: path.display().to_string(), line: None, key: String::new(), problem }
}

/// Editors leave hidden copies beside a file; those are not meant.
fn is_mapping_file(path: &Path) -> bool {
    let hidden = path.file_name().is_some_and(|name| name.to_string_lossy().starts_with('.'));
    !hidden && path.extension().is_some_and(|extension| extension == "toml")
}
