//! `credlink keys rotate`, `rollback` and `history`: a new key in place of the active one, and back.

use std::{
    io::Write,
    path::{Path, PathBuf},
    sync::Arc,
};

use clap::Args;
use credlink_keys::rotation::{HistoryEntry, RolledBack, Rotation, RotationReport, Trigger, local};
use credlink_service::clock::SystemClock;
use serde::Serialize;
use tokio::runtime::Runtime;

use super::{KeysCommandError, aws_rotation};
use crate::environment;

/// Arguments of `keys rotate`.
#[derive(Debug, Args)]
pub(crate) struct RotateArgs {
    /// Make a new key although the active one is not due; a rotation that waits is given up for it
    #[arg(long)]
    force: bool,
    /// Give up a rotation that waits, and begin none
    #[arg(long, conflicts_with = "force")]
    cancel: bool,
    /// On AWS instead: the deployment with this DynamoDB table
    #[arg(long, value_name = "TABLE")]
    table: Option<String>,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

/// Arguments of `keys rollback`.
#[derive(Debug, Args)]
pub(crate) struct RollbackArgs {
    /// The version to go back to, as `keys history` shows it; its first 8 characters are enough
    #[arg(long, value_name = "VERSION")]
    to: Option<String>,
    /// On AWS instead: the deployment with this DynamoDB table
    #[arg(long, value_name = "TABLE")]
    table: Option<String>,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

/// Arguments of `keys history`.
#[derive(Debug, Args)]
pub(crate) struct HistoryArgs {
    /// On AWS instead: the deployment with this DynamoDB table
    #[arg(long, value_name = "TABLE")]
    table: Option<String>,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

/// Replaces the active key of the key folder `folder` when it is due, or wanted.
///
/// # Errors
/// The step that could not be done; the active key is untouched.
pub(super) fn rotate(
    args: &RotateArgs,
    folder: &Path,
    output: &mut impl Write,
) -> Result<(), KeysCommandError> {
    let runtime = environment::small_runtime().map_err(KeysCommandError::Start)?;
    let rotation = match &args.table {
        Some(table) => runtime.block_on(aws_rotation::rotation(table))?,
        None => rotation_of(folder)?,
    };
    if args.cancel {
        let given_up = runtime.block_on(rotation.cancel())?;
        return write(args.json, &Cancelled { given_up }, output, |_| {
            let text = if given_up { "The rotation is given up" } else { "No rotation is in progress" };
            text.to_owned()
        });
    }
    let trigger = if args.force { Trigger::Forced } else { Trigger::WhenDue };
    let report = runtime.block_on(rotation.run(trigger, &|| false))?;
    write_report(args.json, &report, output)
}

/// Makes an earlier signer of the key folder `folder` the active one again.
///
/// # Errors
/// When there is none, or it cannot be used; nothing is changed then.
pub(super) fn roll_back(
    args: &RollbackArgs,
    folder: &Path,
    output: &mut impl Write,
) -> Result<(), KeysCommandError> {
    let runtime = environment::small_runtime().map_err(KeysCommandError::Start)?;
    let rotation = signers_of(args.table.as_deref(), folder, &runtime)?;
    let done = runtime.block_on(rotation.roll_back(args.to.as_deref()))?;
    write_rolled_back(args.json, &done, output)
}

/// Lists the signers of the key folder `folder`.
///
/// # Errors
/// When they cannot be read.
pub(super) fn history(
    args: &HistoryArgs,
    folder: &Path,
    output: &mut impl Write,
) -> Result<(), KeysCommandError> {
    let runtime = environment::small_runtime().map_err(KeysCommandError::Start)?;
    let rotation = signers_of(args.table.as_deref(), folder, &runtime)?;
    let entries = runtime.block_on(rotation.history())?;
    write_history(args.json, &entries, output)
}

/// The rotation of the deployment with this table, or of the key folder `folder`, to look at its signers.
fn signers_of(table: Option<&str>, folder: &Path, runtime: &Runtime) -> Result<Rotation, KeysCommandError> {
    match table {
        Some(table) => runtime.block_on(aws_rotation::signers(table)),
        None => rotation_of(folder),
    }
}

/// The rotation of the key folder `folder`, as the environment configures it.
///
/// # Errors
/// When a setting cannot be used, or says that the operator looks after the key.
pub(super) fn rotation_of(folder: &Path) -> Result<Rotation, KeysCommandError> {
    let config = environment::config(PathBuf::new())?;
    if let Some(file) = config.signing_certificate {
        return Err(KeysCommandError::NotOurs(file));
    }
    let ports = local::ports(folder, config.rotation_authority, Arc::new(SystemClock));
    Ok(Rotation::new(ports, config.rotation_policy()))
}

/// Prints what a run did.
///
/// # Errors
/// When it cannot be written.
pub(super) fn write_report(
    json: bool,
    report: &RotationReport,
    output: &mut impl Write,
) -> Result<(), KeysCommandError> {
    write(json, report, output, ToString::to_string)
}

/// Prints who signs again.
///
/// # Errors
/// When it cannot be written.
pub(super) fn write_rolled_back(
    json: bool,
    done: &RolledBack,
    output: &mut impl Write,
) -> Result<(), KeysCommandError> {
    write(json, done, output, |done| {
        let before = done.from.as_ref().map(|from| format!("\nBefore  {from}")).unwrap_or_default();
        format!("Rolled back\nNow     {}{before}", done.to)
    })
}

/// Prints who signed when.
///
/// # Errors
/// When it cannot be written.
pub(super) fn write_history(
    json: bool,
    entries: &[HistoryEntry],
    output: &mut impl Write,
) -> Result<(), KeysCommandError> {
    if entries.is_empty() && !json {
        writeln!(output, "No signer yet: make one with `credlink keys init`")?;
        return Ok(());
    }
    write(json, entries, output, |entries| {
        let line = |entry: &HistoryEntry| {
            let mark = if entry.active { "*" } else { " " };
            format!("{mark} {}, since {}", entry.signer, entry.signer.activated_at)
        };
        entries.iter().map(line).collect::<Vec<_>>().join("\n")
    })
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Cancelled {
    given_up: bool,
}

fn write<T: Serialize + ?Sized>(
    json: bool,
    value: &T,
    output: &mut impl Write,
    text: impl FnOnce(&T) -> String,
) -> Result<(), KeysCommandError> {
    if json {
        serde_json::to_writer_pretty(&mut *output, value)?;
        writeln!(output)?;
    } else {
        writeln!(output, "{}", text(value))?;
    }
    Ok(())
}
