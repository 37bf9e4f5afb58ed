//! The example configurations load, as they stand in `filter-config/`.

use std::fs;
use std::path::{Path, PathBuf};

use jwt_keycloak_core::abilities::Abilities;
use jwt_keycloak_core::config;

/// Examples with warnings, and a part of each.
const WARNED: [(&str, &[&str]); 5] = [
    ("jwt-keycloak-bcgov.json", &["$.algorithm"]),
    (
        "jwt-keycloak-every-field.json",
        &[
            "no allowed_aud",
            "$.algorithm",
            "$.cafile",
            "run_on_preflight",
            "$.consumer_match",
            "$.anonymous",
        ],
    ),
    (
        "jwt-keycloak-gbbirkisson.json",
        &["no allowed_aud", "$.algorithm"],
    ),
    (
        "jwt-keycloak-plugin.json",
        &["no allowed_aud", "$.algorithm"],
    ),
    ("report-only.json", &["every request passes"]),
];

fn examples() -> Vec<PathBuf> {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("../filter-config");
    let mut examples: Vec<_> = fs::read_dir(directory)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| {
            let name = name(path);
            name.ends_with(".json") && !name.ends_with(".schema.json")
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
        let known = WARNED.iter().find(|(example, _)| *example == name);
        let known = known.map_or([].as_slice(), |(_, texts)| texts);
        match config::load(&fs::read(path).unwrap(), Abilities::ALL) {
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
