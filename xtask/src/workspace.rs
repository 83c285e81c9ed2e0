//! The packages of the workspace and what they depend on, as cargo sees them.

use cargo_metadata::{DependencyKind, MetadataCommand};

use crate::problem::ToolError;
use crate::tree::root;

/// All packages.
#[derive(Debug, Default)]
pub struct Workspace {
    /// In cargo's order.
    pub packages: Vec<Package>,
    /// Where cargo builds.
    pub target: std::path::PathBuf,
}

/// One package.
#[derive(Debug, Clone)]
pub struct Package {
    /// Its name.
    pub name: String,
    /// Its folder, from the root.
    pub dir: String,
    /// Whatever its `Cargo.toml` names.
    pub dependencies: Vec<Dependency>,
}

/// A line of a `Cargo.toml`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Dependency {
    /// The package's name.
    pub name: String,
    /// Whether only tests, examples and benches use it.
    pub is_dev: bool,
}

impl Workspace {
    /// Asks cargo.
    pub fn read() -> Result<Self, ToolError> {
        let metadata = MetadataCommand::new().manifest_path(root().join("Cargo.toml")).no_deps().exec()?;
        let packages = metadata.workspace_packages().into_iter().map(|package| {
            let dir = package.manifest_path.parent().unwrap_or(&package.manifest_path);
            let dir = dir.strip_prefix(&metadata.workspace_root).unwrap_or(dir);
            let dependency = |found: &cargo_metadata::Dependency| Dependency {
                name: found.name.clone(),
                is_dev: found.kind == DependencyKind::Development,
            };
            Package {
                name: package.name.to_string(),
                dir: dir.as_str().to_owned(),
                dependencies: package.dependencies.iter().map(dependency).collect(),
            }
        });
        let packages = packages.collect();
        Ok(Self { packages, target: metadata.target_directory.clone().into_std_path_buf() })
    }

    /// For tests: name, folder, dependencies; those after `dev:` are for tests only.
    pub fn of(packages: &[(&str, &str, &[&str])]) -> Self {
        let dependency = |name: &&str| match name.strip_prefix("dev:") {
            Some(name) => Dependency { name: name.into(), is_dev: true },
            None => Dependency { name: (*name).into(), is_dev: false },
        };
        let package = |(name, dir, dependencies): &(&str, &str, &[&str])| Package {
            name: (*name).into(),
            dir: (*dir).into(),
            dependencies: dependencies.iter().map(dependency).collect(),
        };
        Self { packages: packages.iter().map(package).collect(), target: Default::default() }
    }

    /// A package by its name.
    pub fn package(&self, name: &str) -> Option<&Package> {
        self.packages.iter().find(|package| package.name == name)
    }
}
