//! What is shipped, as far as it can be seen without a container: no step of ours downloads, and the image holds the
//! program and little else, for a user who is not root.

use std::path::{Path, PathBuf};
use std::{fs, iter};

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn text(file: &str) -> String {
    fs::read_to_string(root().join(file)).unwrap_or_else(|error| panic!("{file}: {error}"))
}

fn manifest(folder: &Path) -> toml::Table {
    fs::read_to_string(folder.join("Cargo.toml")).unwrap().parse().unwrap()
}

/// The folders of all packages in the workspace.
fn packages() -> Vec<PathBuf> {
    let members = manifest(root())["workspace"]["members"].as_array().unwrap().clone();
    let members = members.into_iter().map(|member| root().join(member.as_str().unwrap()));
    iter::once(root().to_owned()).chain(members).collect()
}

/// The instructions of a Dockerfile, each on one line: its word and the rest. With the values of its `ARG`.
fn instructions(dockerfile: &str) -> Vec<(String, String)> {
    let lines: Vec<&str> = dockerfile.lines().filter(|line| !line.trim_start().starts_with('#')).collect();
    let joined = lines.join("\n").replace("\\\n", " ");
    let mut arguments: Vec<(String, String)> = Vec::new();
    let mut found = Vec::new();
    for line in joined.lines().map(str::trim).filter(|line| !line.is_empty()) {
        let (word, rest) = line.split_once(' ').unwrap();
        if let (true, Some((name, value))) = (word == "ARG", rest.split_once('=')) {
            arguments.push((format!("${{{name}}}"), value.to_owned()));
        }
        let rest = arguments.iter().fold(rest.to_owned(), |rest, (name, value)| rest.replace(name, value));
        found.push((word.to_uppercase(), rest));
    }
    found
}

#[test]
fn no_package_of_ours_has_a_build_script() {
    let packages = packages();
    assert!(packages.len() > 3, "{packages:?}");
    for package in packages {
        let manifest = manifest(&package);
        assert!(!package.join("build.rs").exists(), "{} has a build script", package.display());
        assert!(manifest["package"].get("build").is_none(), "{} names a build script", package.display());
    }
}

#[test]
fn the_image_holds_the_program_for_a_user_who_is_not_root() {
    let all = instructions(&text("ops/Dockerfile"));
    let from = all.iter().rposition(|(word, _)| word == "FROM").unwrap();
    let last = &all[from..];
    let of = |wanted: &str| -> Vec<&str> {
        last.iter().filter(|(word, _)| word == wanted).map(|(_, rest)| rest.as_str()).collect()
    };
    assert!(of("FROM")[0].starts_with("gcr.io/distroless/"), "no shell and no package manager: {:?}", of("FROM"));
    for forbidden in ["RUN", "ADD", "SHELL", "ENV", "ARG"] {
        assert!(of(forbidden).is_empty(), "{forbidden} in the last stage: {:?}", of(forbidden));
    }
    assert!(of("COPY").iter().all(|rest| rest.starts_with("--from=build ")), "{:?}", of("COPY"));
    let numbers: Vec<u32> = of("USER")[0].split(':').map(|number| number.parse().unwrap()).collect();
    assert!(of("USER").len() == 1 && numbers.len() == 2 && !numbers.contains(&0), "{numbers:?}");
    assert_eq!(of("ENTRYPOINT"), [r#"["/usr/local/bin/advosync"]"#], "a shell would keep SIGTERM to itself");
}

#[test]
fn the_image_is_built_by_the_rust_that_cargo_asks_for_and_what_is_locked() {
    let all = instructions(&text("ops/Dockerfile"));
    let manifest = manifest(root());
    let rust = manifest["workspace"]["package"]["rust-version"].as_str().unwrap();
    let bases: Vec<&str> = all.iter().filter(|(word, _)| word == "FROM").map(|(_, rest)| rest.as_str()).collect();
    assert!(bases[0].starts_with(&format!("rust:{rust}.")), "Cargo.toml says {rust}, the image {}", bases[0]);
    for base in bases {
        let tag = base.split(' ').next().unwrap().rsplit_once(':').map(|(_, tag)| tag);
        assert!(tag.is_some_and(|tag| tag != "latest"), "{base} is whatever is the newest");
    }
    let builds: Vec<&String> =
        all.iter().filter(|(word, rest)| word == "RUN" && rest.contains("cargo ")).map(|(_, rest)| rest).collect();
    assert!(!builds.is_empty() && builds.iter().all(|rest| rest.contains("--locked")), "{builds:?}");
    let fetches = all.iter().filter(|(word, rest)| word == "RUN" && (rest.contains("curl") || rest.contains("wget")));
    assert_eq!(fetches.count(), 0);
}

#[test]
fn only_what_the_build_reads_gets_to_it() {
    let ignored = text(".dockerignore");
    let lines: Vec<&str> = ignored.lines().filter(|line| !line.starts_with('#') && !line.is_empty()).collect();
    assert_eq!((lines[0], *lines.last().unwrap()), ("*", "**/.env*"), "what is not named below stays here");
    let named: Vec<&str> = lines[1..lines.len() - 1].iter().map(|line| line.strip_prefix('!').unwrap()).collect();
    for name in &named {
        assert!(root().join(name).exists(), "{name} is not there");
        let hidden = name.split('/').any(|part| part.starts_with('.') || ["data", "target", ""].contains(&part));
        assert!(!hidden, "{name} must stay here");
    }
    let given = |path: &Path| {
        let path = path.strip_prefix(root()).unwrap();
        named.iter().any(|name| path.starts_with(name))
    };
    // Cargo reads the manifest of every package, and wants to see its targets.
    for package in packages() {
        assert!(given(&package.join("Cargo.toml")) && given(&package.join("src")), "{}", package.display());
    }
    for file in ["Cargo.lock", "migrations", "mappings/beteiligte.toml"] {
        assert!(given(&root().join(file)), "{file}");
    }
}

#[test]
fn every_role_of_the_compose_file_runs_with_as_little_as_it_needs() {
    let compose = text("docker-compose.yml");
    let (role, services) = compose.split_once("\nservices:\n").unwrap();
    for line in ["  read_only: true", "  cap_drop: [ALL]", "  security_opt: [\"no-new-privileges:true\"]"] {
        assert!(role.lines().any(|found| found == line), "x-role has no `{}`", line.trim());
    }
    let services = services.split("\nvolumes:\n").next().unwrap();
    // A service begins at two blanks; what it has stands further in.
    let mut roles = 0;
    let starts = |line: &&str| line.starts_with("  ") && !line[2..].starts_with([' ', '#']);
    let lines: Vec<&str> = services.lines().filter(|line| !line.is_empty()).collect();
    for service in lines.chunk_by(|_, next| !starts(next)) {
        if !starts(&service[0]) || service[0] == "  redis:" {
            continue;
        }
        roles += 1;
        assert!(service.contains(&"    <<: *role"), "{} is no role", service[0]);
        let undone = ["read_only", "cap_drop", "cap_add", "security_opt", "privileged", "user:", "network_mode"];
        let undone = service.iter().find(|line| undone.iter().any(|word| line.trim().starts_with(word)));
        assert_eq!(undone, None, "{}", service[0]);
    }
    assert_eq!(roles, 5, "ingress, worker, cron, console, proxy");
    let ports = services.lines().filter(|line| line.trim().starts_with("ports:"));
    assert!(ports.clone().count() > 0 && ports.clone().all(|line| line.contains("\"127.0.0.1:")), "open to everybody");
}

#[test]
fn what_security_md_says_is_shown_by_files_that_are_there() {
    let page = text("SECURITY.md");
    let files: Vec<&str> = page
        .split('`')
        .skip(1)
        .step_by(2)
        .filter(|word| Path::new(word).extension().is_some_and(|it| it == "rs"))
        .collect();
    assert!(files.len() > 10, "{files:?}");
    for file in files {
        let there = [root().join(file), root().join("tests/it").join(file)].iter().any(|path| path.is_file());
        assert!(there, "SECURITY.md names {file}");
    }
}
