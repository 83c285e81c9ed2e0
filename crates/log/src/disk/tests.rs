//! What every disk does alike, tried on each of them.

use std::io::ErrorKind;

use super::*;

/// Runs a rule on each disk, fresh, with the store's directory made.
fn on_each_disk(rule: impl Fn(&dyn Disk)) {
    let dir = tempfile::tempdir().unwrap();
    for disk in disks_in(&dir) {
        assert!(disk.create_root().unwrap());
        rule(&*disk);
    }
}

fn disks_in(dir: &tempfile::TempDir) -> [Box<dyn Disk>; 3] {
    [
        Box::new(FileDisk::new(dir.path().join("store"))),
        Box::new(MemoryDisk::new()),
        Box::new(FaultyDisk::new(7)),
    ]
}

#[track_caller]
fn refused<T>(result: io::Result<T>, kind: ErrorKind) {
    match result {
        Ok(_) => panic!("expected {kind:?}"),
        Err(error) => assert_eq!(error.kind(), kind, "{error}"),
    }
}

fn content(disk: &dyn Disk, name: &str) -> Vec<u8> {
    let file = disk.open(name, false).unwrap();
    let mut bytes = vec![0; usize::try_from(file.bytes().unwrap()).unwrap()];
    read_exact_at(&*file, &mut bytes, 0).unwrap();
    bytes
}

fn put(disk: &dyn Disk, name: &str, bytes: &[u8]) {
    write_all_at(&*disk.create(name).unwrap(), bytes, 0).unwrap();
}

#[test]
fn the_root_is_made_once() {
    on_each_disk(|disk| {
        put(disk, "file", b"x");
        assert!(!disk.create_root().unwrap());
        assert_eq!(content(disk, "file"), b"x");
    });
}

#[test]
fn without_a_root_nothing_is_found() {
    let dir = tempfile::tempdir().unwrap();
    for disk in disks_in(&dir) {
        refused(disk.list(""), ErrorKind::NotFound);
        refused(disk.lock(), ErrorKind::NotFound);
        refused(disk.create("file"), ErrorKind::NotFound);
        refused(disk.open("file", false), ErrorKind::NotFound);
        refused(disk.sync_dir(""), ErrorKind::NotFound);
        assert_eq!(disk.lock_holder(), None);
    }
}

#[test]
fn a_file_is_created_once() {
    on_each_disk(|disk| {
        put(disk, "file", b"first");
        refused(disk.create("file"), ErrorKind::AlreadyExists);
        assert_eq!(content(disk, "file"), b"first");
        refused(disk.open("other", true), ErrorKind::NotFound);
        refused(disk.create("dir/file"), ErrorKind::NotFound);
    });
}

#[test]
fn reads_are_short_at_the_end() {
    on_each_disk(|disk| {
        put(disk, "file", b"0123456789");
        let file = disk.open("file", false).unwrap();
        let mut buffer = [0; 8];
        assert_eq!(file.read_at(&mut buffer, 6).unwrap(), 4);
        assert_eq!(&buffer[..4], b"6789");
        assert_eq!(file.read_at(&mut buffer, 10).unwrap(), 0);
        assert_eq!(file.read_at(&mut buffer, 1 << 40).unwrap(), 0);
        refused(read_exact_at(&*file, &mut buffer, 6), ErrorKind::UnexpectedEof);
    });
}

#[test]
fn writes_overwrite_and_extend() {
    on_each_disk(|disk| {
        let file = disk.create("file").unwrap();
        write_all_at(&*file, b"abcdef", 0).unwrap();
        write_all_at(&*file, b"XY", 2).unwrap();
        write_all_at(&*file, b"end", 8).unwrap();
        file.sync().unwrap();
        assert_eq!(file.bytes().unwrap(), 11);
        assert_eq!(content(disk, "file"), b"abXYef\0\0end");
    });
}

#[test]
fn what_no_cache_need_hold_is_still_there() {
    on_each_disk(|disk| {
        let file = disk.create("file").unwrap();
        write_all_at(&*file, &[1; 9_000], 0).unwrap();
        file.sync().unwrap();
        write_all_at(&*file, &[2; 5_000], 4_000).unwrap();
        for offset in [0, 4_097, 9_000, 1 << 40] {
            file.uncache_from(offset);
        }
        assert_eq!(content(disk, "file"), [[1; 4_000].as_slice(), &[2; 5_000]].concat());
    });
}

#[test]
fn a_file_opened_for_reading_is_not_written() {
    on_each_disk(|disk| {
        put(disk, "file", b"abc");
        let file = disk.open("file", false).unwrap();
        assert!(file.write_at(b"x", 0).is_err());
        assert!(file.allocate(10).is_err());
        assert_eq!(content(disk, "file"), b"abc");
    });
}

#[test]
fn allocation_grows_with_zeros_and_never_cuts() {
    on_each_disk(|disk| {
        put(disk, "file", b"abc");
        let file = disk.open("file", true).unwrap();
        file.allocate(5_000).unwrap();
        assert_eq!(file.bytes().unwrap(), 5_000);
        let bytes = content(disk, "file");
        assert_eq!(&bytes[..3], b"abc");
        assert!(bytes[3..].iter().all(|byte| *byte == 0));
        file.allocate(5_000).unwrap();
        refused(file.allocate(4_999), ErrorKind::InvalidInput);
        assert_eq!(file.bytes().unwrap(), 5_000);
        disk.create("empty").unwrap().allocate(0).unwrap();
    });
}

#[test]
fn a_listing_names_what_is_in_one_directory() {
    on_each_disk(|disk| {
        disk.create_dir("raw").unwrap();
        disk.create_dir("raw").unwrap();
        put(disk, "raw/1.seg", b"12345");
        put(disk, "manifest", b"12");
        let list = |dir: &str| {
            let mut entries = disk.list(dir).unwrap();
            // A real directory has the file that is locked from the beginning.
            entries.retain(|entry| entry.name != "LOCK");
            entries.sort_by(|a, b| a.name.cmp(&b.name));
            entries
        };
        let entry = |name: &str, bytes, is_file| DirEntry { name: name.to_owned(), bytes, is_file };
        assert_eq!(list(""), [entry("manifest", 2, true), entry("raw", 0, false)]);
        assert_eq!(list("raw"), [entry("1.seg", 5, true)]);
        refused(disk.list("other"), ErrorKind::NotFound);
        refused(disk.list("manifest"), ErrorKind::NotADirectory);
        refused(disk.create_dir("manifest"), ErrorKind::AlreadyExists);
        refused(disk.open("raw", false), ErrorKind::InvalidInput);
        disk.sync_dir("raw").unwrap();
        disk.sync_dir("").unwrap();
    });
}

#[test]
fn a_rename_replaces() {
    on_each_disk(|disk| {
        put(disk, "old", b"old");
        put(disk, "new", b"new");
        disk.rename("new", "old").unwrap();
        assert_eq!(content(disk, "old"), b"new");
        refused(disk.open("new", false), ErrorKind::NotFound);
        refused(disk.rename("new", "old"), ErrorKind::NotFound);
        disk.rename("old", "old").unwrap();
        assert_eq!(content(disk, "old"), b"new");
    });
}

#[test]
fn a_removed_file_stays_readable_where_it_is_open() {
    on_each_disk(|disk| {
        put(disk, "file", b"abc");
        let file = disk.open("file", false).unwrap();
        disk.remove("file").unwrap();
        refused(disk.remove("file"), ErrorKind::NotFound);
        refused(disk.open("file", false), ErrorKind::NotFound);
        let mut bytes = [0; 3];
        read_exact_at(&*file, &mut bytes, 0).unwrap();
        assert_eq!(&bytes, b"abc");
        // The name is free for another file, which is not the old one.
        put(disk, "file", b"xyz");
        read_exact_at(&*file, &mut bytes, 0).unwrap();
        assert_eq!(&bytes, b"abc");
    });
}

#[test]
fn the_lock_is_exclusive_until_it_is_dropped() {
    on_each_disk(|disk| {
        assert_eq!(disk.lock_holder(), None);
        let lock = disk.lock().unwrap();
        assert!(disk.lock_holder().unwrap().contains("process"));
        refused(disk.lock(), ErrorKind::WouldBlock);
        drop(lock);
        assert_eq!(disk.lock_holder(), None);
        drop(disk.lock().unwrap());
    });
}

#[test]
fn names_stay_inside_the_store() {
    on_each_disk(|disk| {
        put(disk, "file", b"abc");
        for name in ["", ".", "..", "../file", "/etc/passwd", "a//b", "a/../b", "a/"] {
            refused(disk.open(name, false), ErrorKind::InvalidInput);
            refused(disk.create(name), ErrorKind::InvalidInput);
            refused(disk.create_dir(name), ErrorKind::InvalidInput);
            refused(disk.remove(name), ErrorKind::InvalidInput);
            refused(disk.rename("file", name), ErrorKind::InvalidInput);
        }
        refused(disk.list(".."), ErrorKind::InvalidInput);
    });
}
