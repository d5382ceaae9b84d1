//! A disk of its own, so small that a test can fill it: a tmpfs over a folder. Mounting is for root; where it is not
//! allowed the test fails and says so.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::process::Command;

pub(crate) struct SmallDisk {
    dir: PathBuf,
}

impl SmallDisk {
    pub(crate) fn mount(dir: &Path, mib: u32) -> Self {
        fs::create_dir_all(dir).unwrap();
        let (size, place) = (format!("size={mib}m"), dir.to_str().unwrap());
        let output = Command::new("mount").args(["-t", "tmpfs", "-o", &size, "none", place]).output();
        let output = output.unwrap_or_else(|error| panic!("mount (Debian package mount) is needed: {error}"));
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "this test mounts a tmpfs, which takes root (CAP_SYS_ADMIN): {said}");
        Self { dir: dir.to_owned() }
    }

    fn filler(&self) -> PathBuf {
        self.dir.join("somebody-elses-file")
    }

    /// Takes the last byte that is free.
    pub(crate) fn fill(&self) {
        let mut file = File::create(self.filler()).unwrap();
        for piece in [1 << 20, 4096, 1] {
            let bytes = vec![b'x'; piece];
            while let Ok(written) = file.write(&bytes) {
                assert!(written > 0);
            }
        }
        let error = file.write(b"x").unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::StorageFull, "{error}");
    }

    pub(crate) fn clear(&self) {
        fs::remove_file(self.filler()).unwrap();
    }

    /// `rw` or `ro`; nobody may have a file open for writing.
    pub(crate) fn remount(&self, how: &str) {
        let options = format!("remount,{how}");
        let status = Command::new("mount").args(["-o", &options, self.dir.to_str().unwrap()]).status().unwrap();
        assert!(status.success(), "remounting {how}");
    }
}

impl Drop for SmallDisk {
    /// Lazily, so that a server which a failed test leaves for a moment does not keep the mount.
    fn drop(&mut self) {
        drop(Command::new("umount").arg("-l").arg(&self.dir).status());
    }
}
