//! The example configurations load, as they stand in `filter-config/`.

use std::fs;
use std::path::{Path, PathBuf};

use jwt_keycloak_core::config;

/// Examples with a warning, and what it says.
const WARNED: [(&str, &str); 1] = [("jwt-keycloak-plugin.json", "no allowed_aud")];

fn examples() -> Vec<PathBuf> {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("../filter-config");
    let mut examples: Vec<_> = fs::read_dir(directory)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| {
            path.extension()
                .is_some_and(|extension| extension == "json")
        })
        .collect();
    examples.sort();
    examples
}

fn name(path: &Path) -> String {
    path.file_name().unwrap().to_string_lossy().into_owned()
}

#[test]
fn every_example_loads_and_warns_of_what_it_is_known_to() {
    let examples = examples();
    assert!(!examples.is_empty());
    let mut wrong = Vec::new();
    for path in &examples {
        let name = name(path);
        let known = WARNED.iter().filter(|(example, _)| *example == name);
        let known: Vec<_> = known.map(|(_, text)| *text).collect();
        match config::load(&fs::read(path).unwrap()) {
            Err(faults) => wrong.push(format!("{name}: {faults:#?}")),
            Ok(loaded) => {
                let told = |text: &&str| {
                    loaded
                        .warnings
                        .iter()
                        .any(|warning| warning.contains(*text))
                };
                if loaded.warnings.len() != known.len() || !known.iter().all(told) {
                    wrong.push(format!("{name}: {:#?}", loaded.warnings));
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    for (example, _) in WARNED {
        assert!(
            examples.iter().any(|path| name(path) == example),
            "{example} is not there"
        );
    }
}
