//! A mapping file is a mapping or a list of faults, each with its place; and what is a mapping keeps its samples.

use std::path::PathBuf;

use advosync::sync::record::mapping::Mappings;

use crate::harness::run;

/// An input is the text of a mapping file.
#[test]
fn a_mapping_file_is_understood_or_its_faults_are_named() {
    let folder = tempfile::tempdir().unwrap();
    let file: PathBuf = folder.path().join("entity.toml");
    run("mapping_file", 300, |text| {
        std::fs::write(&file, text).unwrap();
        let checked = Mappings::check(std::slice::from_ref(&file));
        assert!(!(checked.good.is_empty() && checked.faults.is_empty()), "neither a mapping nor a fault");
        let lines = text.split(|byte| *byte == b'\n').count();
        for fault in &checked.faults {
            let is_text = std::str::from_utf8(text).is_ok();
            assert_eq!(fault.line.is_some(), is_text, "{fault}");
            assert!(fault.line.is_none_or(|line| (1..=lines).contains(&line)), "{fault} of {lines} lines");
            assert!(!fault.problem.trim().is_empty() && fault.to_string().contains("entity.toml"), "{fault}");
        }
        for (_, mapping) in &checked.good {
            let trips = mapping.round_trips();
            assert_eq!(trips.len(), mapping.fields.len());
            for trip in trips {
                assert!(trip.faults.is_empty(), "{trip:?}");
            }
        }
    });
}
