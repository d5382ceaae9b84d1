//! A gigabyte of Windows events with every Sigma rule: full chunks of the sample files over and over, as a busy server's
//! logs are full. `evtx_dump`, which only parses, reads the same files in the same run.

use std::fs::{self, File};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result, ensure};

use super::evtx::{dump_all, evtx_dump, evtx_files};
use super::process::{Running, children_cpu};
use super::table::Row;
use super::{Options, Results};
use crate::shell::{say, target_dir};

/// Bytes of a file's header and of each chunk behind it.
const HEADER_BYTES: usize = 4096;
const CHUNK_BYTES: usize = 65_536;
/// Where a chunk says how far it is filled, and how far it has to be.
const FILLED_FIELD: std::ops::Range<usize> = 48..52;
const FILLED_MIN: usize = CHUNK_BYTES * 9 / 10;
/// Where a file says how many chunks it has.
const COUNT_FIELD: std::ops::Range<usize> = 42..44;
/// 16 files of 64 MiB.
const FILES: usize = 16;
const CHUNKS_PER_FILE: u16 = 1024;

/// 20,000 records a core-second; hayabusa does 515 and chainsaw 359.
const MUST_MICROSECONDS: f64 = 50.0;
const MUST_MB: f64 = 350.0;
const AIM_MB: f64 = 200.0;

pub(super) fn measure(options: &Options, folder: &Path, results: &mut Results) -> Result<()> {
    let samples = evtx_files(&options.evtx)?;
    if samples.is_empty() || options.sigma.iter().any(|folder| !folder.is_dir()) {
        results.note("A gigabyte of EVTX was not measured: name the folders with --evtx DIR and --sigma DIR");
        return Ok(());
    }
    let logs = folder.join("full-evtx");
    let files = write_files(&samples, &logs)?;
    say("1 GiB of EVTX with every rule");
    let before = children_cpu()?;
    let hunt = hunt(options, &logs, folder)?;
    let ours = children_cpu()? - before;
    let yardstick = match evtx_dump() {
        Ok(program) => {
            let before = children_cpu()?;
            dump_all(&program, &files)?;
            Some(children_cpu()? - before)
        }
        Err(error) => {
            results.note(format!("evtx_dump is not to be had: {error:#}"));
            None
        }
    };
    fs::remove_dir_all(&logs).with_context(|| format!("clear {}", logs.display()))?;
    tell(&hunt, ours, yardstick, results);
    Ok(())
}

struct Hunt {
    records: f64,
    peak_mb: f64,
    seconds: f64,
}

fn tell(hunt: &Hunt, ours: f64, yardstick: Option<f64>, results: &mut Results) {
    let row = |figure: &str, ours, unit, must, aim| Row {
        figure: format!("1 GiB of full EVTX chunks, all Sigma rules: {figure}"),
        ours,
        yardstick: None,
        unit,
        must,
        aim,
    };
    let microseconds = ours * 1e6 / hunt.records;
    results.rows.push(row("a record", microseconds, "core µs", Some(MUST_MICROSECONDS), None));
    results.rows.push(row("most memory", hunt.peak_mb, "MB", Some(MUST_MB), Some(AIM_MB)));
    results.rows.push(Row { yardstick, ..row("/ evtx_dump", ours, "CPU s", None, None) });
    results.note(format!(
        "1 GiB of EVTX: {} records, {:.0} a core-second with the rules' loading, {:.0} s by the clock",
        hunt.records,
        hunt.records / ours,
        hunt.seconds
    ));
}

fn hunt(options: &Options, logs: &Path, folder: &Path) -> Result<Hunt> {
    let (output, told) = (folder.join("hunt.jsonl"), folder.join("hunt.txt"));
    let mut command = Command::new(target_dir()?.join("release/monban"));
    command.args(["detect", "--format", "jsonl"]);
    for rules in &options.sigma {
        command.arg("--rules").arg(rules);
    }
    command.arg(logs).stdout(File::create(output)?).stderr(File::create(&told)?).stdin(Stdio::null());
    let started = std::time::Instant::now();
    let (status, peak_mb) = Running::start("monban detect", &mut command)?.finish()?;
    // 3 is damage found in the files, which is no failure.
    ensure!(matches!(status.code(), Some(0 | 3)), "monban detect: {status}");
    let told = fs::read_to_string(told)?;
    let line = told.lines().find_map(|line| line.strip_prefix("records: ")).context("no records are told")?;
    let records = line.split(' ').next().and_then(|count| count.parse().ok()).context("no number of records")?;
    Ok(Hunt { records, peak_mb, seconds: started.elapsed().as_secs_f64() })
}

/// Files of full chunks, each sample's in turn.
fn write_files(samples: &[PathBuf], folder: &Path) -> Result<Vec<PathBuf>> {
    let (header, chunks) = full_chunks(samples)?;
    fs::create_dir_all(folder)?;
    let mut turn = chunks.iter().cycle();
    let mut files = Vec::new();
    for number in 0..FILES {
        let path = folder.join(format!("{number:02}.evtx"));
        let mut file = std::io::BufWriter::new(File::create(&path)?);
        file.write_all(&header)?;
        for chunk in turn.by_ref().take(usize::from(CHUNKS_PER_FILE)) {
            file.write_all(chunk)?;
        }
        file.flush()?;
        files.push(path);
    }
    Ok(files)
}

/// A file's header, made to fit, and all chunks that are full.
fn full_chunks(samples: &[PathBuf]) -> Result<(Vec<u8>, Vec<Vec<u8>>)> {
    let (mut header, mut chunks) = (Vec::new(), Vec::new());
    for path in samples {
        let bytes = fs::read(path).with_context(|| format!("read {}", path.display()))?;
        let Some((own, rest)) = bytes.split_at_checked(HEADER_BYTES) else { continue };
        if header.is_empty() {
            header = own.to_vec();
        }
        chunks.extend(rest.chunks_exact(CHUNK_BYTES).filter(|chunk| is_full(chunk)).map(<[u8]>::to_vec));
    }
    ensure!(!chunks.is_empty(), "no chunk of the samples is full");
    header.get_mut(COUNT_FIELD).context("a header is longer")?.copy_from_slice(&CHUNKS_PER_FILE.to_le_bytes());
    Ok((header, chunks))
}

fn is_full(chunk: &[u8]) -> bool {
    let filled = chunk.get(FILLED_FIELD).and_then(|bytes| bytes.try_into().ok()).map(u32::from_le_bytes);
    let filled = filled.and_then(|filled| usize::try_from(filled).ok());
    chunk.starts_with(b"ElfChnk\0") && filled.is_some_and(|filled| (FILLED_MIN..=CHUNK_BYTES).contains(&filled))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_full_chunks_are_taken_and_every_file_is_whole() {
        let dir = tempfile::tempdir().unwrap();
        let chunk = |filled: u32, mark: u8| {
            let mut chunk = vec![mark; CHUNK_BYTES];
            chunk[..8].copy_from_slice(b"ElfChnk\0");
            chunk[FILLED_FIELD].copy_from_slice(&filled.to_le_bytes());
            chunk
        };
        let sample = dir.path().join("a.evtx");
        let chunks = [vec![0; HEADER_BYTES], chunk(65_000, 1), chunk(30_000, 2), chunk(60_000, 3)];
        fs::write(&sample, chunks.concat()).unwrap();
        let (header, full) = full_chunks(&[sample]).unwrap();
        assert_eq!(header[COUNT_FIELD], CHUNKS_PER_FILE.to_le_bytes());
        assert_eq!(full.iter().map(|chunk| chunk[100]).collect::<Vec<u8>>(), [1, 3]);
    }
}
