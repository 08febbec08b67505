//! One archive file, through redb: whose it is, how far it has been told, and a line for each client.
//!
//! ```text
//! about     "format", "herd", "server"      written once
//! progress  "run", "edition"                written with each batch
//! reports   client ──▶ its newest AT line   in the order of the names, so that a load reads the file from end to end
//! ```
//!
//! A commit is in two phases, so that the file always says which state is the last whole one: redb then never takes
//! damage for a commit that was cut short, and never falls back, silently, to what was known before. At each start
//! every page that is reached is checked against its checksum, before anything is written.

use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use redb::backends::FileBackend;
use redb::{
    Builder, Database, ReadableDatabase, ReadableTable, ReadableTableMetadata, StorageBackend, TableDefinition,
    WriteTransaction,
};

use super::flaw::Flaw;
use super::progress::Batch;
use crate::limits;
use crate::protocol::atlas::Edition;
use crate::protocol::line::Report;

const ABOUT: TableDefinition<&str, &str> = TableDefinition::new("about");
const PROGRESS: TableDefinition<&str, u64> = TableDefinition::new("progress");
const REPORTS: TableDefinition<&[u8], &[u8]> = TableDefinition::new("reports");

/// The form of these tables.
const FORMAT: &str = "1";

/// Whose archive a file is.
#[derive(Debug, Clone)]
pub(super) struct Owner {
    pub(super) herd: String,
    pub(super) server: String,
}

/// What a file's bytes are kept on.
pub(crate) trait Disk: Send + 'static {
    type Storage: StorageBackend;

    /// # Errors
    ///
    /// Those of the system.
    fn storage(&self, file: File) -> Result<Self::Storage, redb::Error>;
}

/// The file itself.
pub(crate) struct RealDisk;

impl Disk for RealDisk {
    type Storage = FileBackend;

    fn storage(&self, file: File) -> Result<FileBackend, redb::Error> {
        Ok(FileBackend::new(file)?)
    }
}

/// An open archive.
pub(super) struct ArchiveFile {
    database: Database,
    path: std::path::PathBuf,
    identity: (u64, u64),
}

impl ArchiveFile {
    /// Opens the archive, and makes it if there is no file. A file that is refused has not been changed.
    ///
    /// # Errors
    ///
    /// [`Flaw`]: it is damaged, or somebody else's, or the system does not let us.
    pub(super) fn open(path: &Path, owner: &Owner, disk: &impl Disk) -> Result<Self, Flaw> {
        if !fs::exists(path)? {
            create(path, owner, disk)?;
        }
        let file = OpenOptions::new().read(true).write(true).open(path)?;
        let about = file.metadata()?;
        if !about.is_file() {
            return Err(Flaw::Damaged("it is no file".into()));
        }
        // redb would take an empty file for a new one.
        if about.len() == 0 {
            return Err(Flaw::Damaged("it is empty".into()));
        }
        let archive = Self { database: database(file, disk)?, path: path.to_owned(), identity: identity(&about) };
        archive.is_of(owner)?;
        Ok(archive)
    }

    /// How many reports it holds; never more than the file has room for, whatever it says.
    ///
    /// # Errors
    ///
    /// [`Flaw`], as of any reading.
    pub(super) fn clients(&self) -> Result<usize, Flaw> {
        const REPORT_BYTES_MIN: u64 = 16;
        let transaction = self.database.begin_read().map_err(redb::Error::from)?;
        let said = transaction.open_table(REPORTS).map_err(redb::Error::from)?.len().map_err(redb::Error::from)?;
        let room = fs::metadata(&self.path)?.len() / REPORT_BYTES_MIN;
        Ok(usize::try_from(said.min(room)).unwrap_or(usize::MAX))
    }

    /// Says all lines, in pieces of whole lines, as long as they are heard; whether they were.
    ///
    /// # Errors
    ///
    /// [`Flaw`], also on what is no report of the client that it stands for.
    pub(super) fn load(&self, mut hear: impl FnMut(Vec<u8>) -> bool) -> Result<bool, Flaw> {
        let transaction = self.database.begin_read().map_err(redb::Error::from)?;
        let reports = transaction.open_table(REPORTS).map_err(redb::Error::from)?;
        let mut lines = Vec::with_capacity(limits::ARCHIVE_LOAD_BYTES);
        for entry in reports.iter().map_err(redb::Error::from)? {
            let (client, line) = entry.map_err(redb::Error::from)?;
            if Report::parse(line.value()).is_none_or(|report| report.client() != client.value()) {
                return Err(Flaw::Damaged("it holds what is no report".into()));
            }
            if lines.len() + line.value().len() + 1 > limits::ARCHIVE_LOAD_BYTES && !lines.is_empty() {
                let piece = std::mem::replace(&mut lines, Vec::with_capacity(limits::ARCHIVE_LOAD_BYTES));
                if !hear(piece) {
                    return Ok(false);
                }
            }
            lines.extend_from_slice(line.value());
            lines.push(b'\n');
        }
        Ok(lines.is_empty() || hear(lines))
    }

    /// Writes a batch of this run, in one commit.
    ///
    /// # Errors
    ///
    /// [`Flaw`]: nothing of this batch counts, and the file takes no other before it has been opened again.
    pub(super) fn store(&mut self, batch: &Batch, run: u64) -> Result<(), Flaw> {
        let transaction = self.begin()?;
        write(&transaction, batch, run)?;
        transaction.commit().map_err(redb::Error::from)?;
        self.is_still_there()
    }

    /// Up to where this run has told it.
    ///
    /// # Errors
    ///
    /// [`Flaw`], as of any reading.
    pub(super) fn edition_of(&self, run: u64) -> Result<Edition, Flaw> {
        let transaction = self.database.begin_read().map_err(redb::Error::from)?;
        let progress = transaction.open_table(PROGRESS).map_err(redb::Error::from)?;
        let number = |key| -> Result<Option<u64>, redb::Error> { Ok(progress.get(key)?.map(|value| value.value())) };
        Ok(if number("run")? == Some(run) { number("edition")?.unwrap_or_default() } else { 0 })
    }

    fn begin(&self) -> Result<WriteTransaction, Flaw> {
        let mut transaction = self.database.begin_write().map_err(redb::Error::from)?;
        transaction.set_two_phase_commit(true);
        Ok(transaction)
    }

    fn is_of(&self, owner: &Owner) -> Result<(), Flaw> {
        let transaction = self.database.begin_read().map_err(redb::Error::from)?;
        let about = match transaction.open_table(ABOUT) {
            Ok(about) => about,
            Err(redb::TableError::TableDoesNotExist(_)) => return Err(Flaw::Damaged("it is no archive".into())),
            Err(why) => return Err(redb::Error::from(why).into()),
        };
        let word = |key| -> Result<String, redb::Error> {
            Ok(about.get(key)?.map(|value| value.value().to_owned()).unwrap_or_default())
        };
        let (format, herd, server) = (word("format")?, word("herd")?, word("server")?);
        if format != FORMAT {
            return Err(Flaw::Format(format));
        }
        if (&herd, &server) != (&owner.herd, &owner.server) {
            return Err(Flaw::Foreign(format!("server {server} of herd {herd}")));
        }
        Ok(())
    }

    /// What is written to a file that nobody will find again is lost.
    fn is_still_there(&self) -> Result<(), Flaw> {
        match fs::metadata(&self.path) {
            Ok(about) if identity(&about) == self.identity => Ok(()),
            Ok(_) => Err(Flaw::Gone),
            Err(why) if why.kind() == io::ErrorKind::NotFound => Err(Flaw::Gone),
            Err(why) => Err(why.into()),
        }
    }
}

/// Makes a new archive beside its place and puts it there whole, so that a death on the way leaves none.
fn create(path: &Path, owner: &Owner, disk: &impl Disk) -> Result<(), Flaw> {
    let draft = path.with_extension("redb.new");
    let file = OpenOptions::new().read(true).write(true).create(true).truncate(true).open(&draft)?;
    let database = database(file, disk)?;
    let mut transaction = database.begin_write().map_err(redb::Error::from)?;
    transaction.set_two_phase_commit(true);
    describe(&transaction, owner)?;
    transaction.commit().map_err(redb::Error::from)?;
    database.close().map_err(redb::Error::from)?;
    fs::rename(&draft, path)?;
    if let Some(folder) = path.parent() {
        File::open(folder)?.sync_all()?;
    }
    Ok(())
}

fn database(file: File, disk: &impl Disk) -> Result<Database, redb::Error> {
    let mut builder = Builder::new();
    builder.set_cache_size(limits::ARCHIVE_CACHE_BYTES).set_check_integrity_on_open(true);
    Ok(builder.create_with_backend(disk.storage(file)?)?)
}

fn describe(transaction: &WriteTransaction, owner: &Owner) -> Result<(), redb::Error> {
    let mut about = transaction.open_table(ABOUT)?;
    for (key, value) in [("format", FORMAT), ("herd", &owner.herd), ("server", &owner.server)] {
        about.insert(key, value)?;
    }
    transaction.open_table(PROGRESS)?;
    transaction.open_table(REPORTS)?;
    Ok(())
}

/// In the order of the names, which is the order of the pages.
fn write(transaction: &WriteTransaction, batch: &Batch, run: u64) -> Result<(), redb::Error> {
    let mut newest: Vec<Report<'_>> = batch.lines.split(|&byte| byte == b'\n').filter_map(Report::parse).collect();
    newest.sort_unstable_by(|one, other| one.client().cmp(other.client()));
    let mut reports = transaction.open_table(REPORTS)?;
    for client in &batch.forgotten {
        reports.remove(client.as_slice())?;
    }
    for report in newest {
        reports.insert(report.client(), report.line())?;
    }
    let mut progress = transaction.open_table(PROGRESS)?;
    progress.insert("run", run)?;
    progress.insert("edition", batch.edition)?;
    Ok(())
}

fn identity(about: &fs::Metadata) -> (u64, u64) {
    (about.dev(), about.ino())
}
