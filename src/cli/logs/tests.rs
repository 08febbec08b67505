//! The logs as a whole: files on a disk in, merged lines out.

use std::fs::{self, OpenOptions};
use std::io::Write;
use std::path::{Path, PathBuf};

use proptest::prelude::*;

use super::show::Name;
use super::*;
use crate::cli::output::Captured;
use crate::cli::session::ANSWER_MAX;

const RUN: &str = "2026-11-23T06:00:00.000000Z";
const NEXT_RUN: &str = "2026-11-23T07:00:00.000000Z";

fn heading(run: &str, server: &str) -> String {
    format!("2026-11-23T06:05:52.000000Z #0 INFO  herd up since {run}, pid 7, server {server}\n")
}

fn record(seq: u64, text: &str) -> String {
    format!("2026-11-23T06:05:52.{seq:06}Z #{seq} INFO  {text}\n")
}

/// A folder of logs of Bona, Clark and the herd.
struct Folder {
    folder: tempfile::TempDir,
}

impl Folder {
    fn new() -> Self {
        Self { folder: tempfile::tempdir().unwrap() }
    }

    fn path(&self, file: &str) -> PathBuf {
        self.folder.path().join(file)
    }

    fn write(&self, file: &str, text: &str) {
        append(&self.path(file), text);
    }

    /// As the writer of a log does it: every name one up, then a new file.
    fn rotate(&self, file: &str) {
        for nth in (1..9).rev() {
            let _ = fs::rename(self.path(&format!("{file}.{nth}")), self.path(&format!("{file}.{}", nth + 1)));
        }
        fs::rename(self.path(file), self.path(&format!("{file}.1"))).unwrap();
        self.write(file, &heading(RUN, "Clark"));
    }

    fn book(&self) -> Book {
        Book::new(self.folder.path().into(), ["Bona", "Clark"].map(str::to_owned).into_iter())
    }

    fn reader(&self, lines: Lines) -> (Reader, bool) {
        reader_of(&self.book(), lines)
    }

    /// The merged output, a line each, without the marks between runs.
    fn printed(&self, lines: Lines) -> Vec<String> {
        let (mut reader, _) = self.reader(lines);
        let (mut out, answers, _) = Output::captured(false);
        assert!(reader.print(&mut out).is_ok());
        lines_of(&answers)
    }
}

fn reader_of(book: &Book, lines: Lines) -> (Reader, bool) {
    let (wanted, chains) = (Sieve::default(), book.chains().unwrap());
    let begun = begin(&wanted, book, &chains, lines, false).unwrap();
    let leaves_out = begun.leaves_out;
    let pen = crate::cli::term::Pen { styled: false };
    let show = Show::new(book.names(), pen, false, false);
    (Reader::new(book, chains, begun, show, wanted, "./logs".into()), leaves_out)
}

fn append(path: &Path, text: &str) {
    OpenOptions::new().create(true).append(true).open(path).unwrap().write_all(text.as_bytes()).unwrap();
}

fn lines_of(answers: &Captured) -> Vec<String> {
    answers.text().lines().filter(|line| !line.starts_with("──")).map(str::to_owned).collect()
}

/// What a follower has shown after it has looked as often as it needs to see all that is written.
fn looked(reader: &mut Reader, out: &mut Output) {
    while reader.look(None, Pace::All, out).unwrap_or_else(|_| panic!("a log cannot be read")) {}
}

/// A reader that is slow with the first it gets, while `meanwhile` happens.
struct Slow {
    meanwhile: Option<Box<dyn FnOnce() + Send>>,
    answers: Captured,
}

impl Write for Slow {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.meanwhile.take().into_iter().for_each(|meanwhile| meanwhile());
        self.answers.write(bytes)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

#[test]
fn the_time_that_a_slow_reader_takes_is_no_time_that_was_waited() {
    const WAIT: Duration = Duration::from_millis(5);
    let folder = Folder::new();
    let many: String = (3..20_000).map(|seq| record(seq, "more than is held of one log at once")).collect();
    folder.write("Bona.log", &(heading(RUN, "Bona") + &record(1, "one") + &many));
    folder.write("Clark.log", &heading(RUN, "Clark"));
    let clark = folder.path("Clark.log");
    let meanwhile = move || {
        append(&clark, &record(2, "two"));
        let since = Instant::now();
        while since.elapsed() <= WAIT {}
    };
    let answers = Captured::default();
    let slow = Slow { meanwhile: Some(Box::new(meanwhile)), answers: answers.clone() };
    let mut out = Output::into_pane(Box::new(slow), crate::cli::term::Pen { styled: false });
    let (mut reader, _) = folder.reader(Lines::All);
    while reader.look(Some(WAIT), Pace::All, &mut out).unwrap_or_else(|_| panic!("a log cannot be read")) {}
    assert_eq!(lines_of(&answers)[..2], ["one", "two"]);
}

#[test]
fn logs_are_merged_by_number() {
    let folder = Folder::new();
    folder.write("Bona.log", &(heading(RUN, "Bona") + &record(1, "one") + &record(4, "four")));
    folder.write("Clark.log", &(heading(RUN, "Clark") + &record(2, "two") + &record(5, "five")));
    folder.write("herd.log", &(heading(RUN, "herd") + &record(3, "three")));
    assert_eq!(folder.printed(Lines::All), ["one", "two", "three", "four", "five"]);
    assert_eq!(folder.printed(Lines::Last(2)), ["four", "five"]);
    assert_eq!(folder.printed(Lines::Last(0)), [""; 0]);
}

#[test]
fn a_later_run_comes_later_although_its_numbers_start_anew() {
    let folder = Folder::new();
    folder.write(
        "Bona.log",
        &(heading(RUN, "Bona") + &record(90, "old") + &heading(NEXT_RUN, "Bona") + &record(2, "new")),
    );
    folder.write("Clark.log", &(heading(RUN, "Clark") + &record(91, "old too")));
    folder.write("herd.log", &(heading(NEXT_RUN, "herd") + &record(1, "first of the new")));
    assert_eq!(folder.printed(Lines::All), ["old", "old too", "first of the new", "new"]);
    assert_eq!(folder.printed(Lines::Last(3)), ["old too", "first of the new", "new"]);
}

#[test]
fn rotated_files_are_read_oldest_first() {
    let folder = Folder::new();
    folder.write("Clark.log", &(heading(RUN, "Clark") + &record(1, "one")));
    folder.rotate("Clark.log");
    folder.write("Clark.log", &record(3, "three"));
    folder.rotate("Clark.log");
    folder.write("Clark.log", &record(5, "five"));
    folder.write("Bona.log", &(heading(RUN, "Bona") + &record(2, "two") + &record(4, "four")));
    assert_eq!(folder.printed(Lines::All), ["one", "two", "three", "four", "five"]);
    for last in 0..6 {
        assert_eq!(folder.printed(Lines::Last(last)), folder.printed(Lines::All)[5 - last.min(5)..], "{last}");
    }
}

#[test]
fn a_log_that_is_begun_again_keeps_the_others_from_nothing() {
    let folder = Folder::new();
    folder.write("Clark.log", &(heading(RUN, "Clark") + &record(1, "one")));
    folder.write("herd.log", &(heading(RUN, "herd") + &record(2, "two") + &record(3, "killed")));
    let (mut reader, _) = folder.reader(Lines::All);
    let (mut out, answers, _) = Output::captured(false);
    looked(&mut reader, &mut out);
    folder.write("Clark.log", &heading(RUN, "Clark"));
    folder.write("herd.log", &record(4, "started"));
    assert!(reader.look(Some(GAP_MAX), Pace::All, &mut out).is_ok());
    assert_eq!(lines_of(&answers), ["one", "two", "killed", "started"]);
}

#[test]
fn the_greatest_number_is_no_end() {
    let folder = Folder::new();
    let greatest = |text: &str| format!("2026-11-23T06:05:52.000001Z #{} INFO  {text}\n", u64::MAX);
    folder.write("Clark.log", &(heading(RUN, "Clark") + &greatest("one")));
    let (mut reader, _) = folder.reader(Lines::All);
    let (mut out, answers, _) = Output::captured(false);
    looked(&mut reader, &mut out);
    folder.write("Clark.log", &greatest("two"));
    assert!(reader.look(Some(GAP_MAX), Pace::All, &mut out).is_ok());
    assert_eq!(lines_of(&answers), ["one", "two"]);
}

#[test]
fn heartbeats_are_neither_shown_nor_counted() {
    let folder = Folder::new();
    let beat = record(2, "x").replace("INFO  x", "OUT   Bona | TOLD 41 0");
    folder.write("Clark.log", &(heading(RUN, "Clark") + &record(1, "one") + &beat + &record(3, "three")));
    assert_eq!(folder.printed(Lines::Last(2)), ["one", "three"]);
}

#[test]
fn what_is_torn_is_shown_where_it_stands() {
    let folder = Folder::new();
    folder.write(
        "Clark.log",
        &(heading(RUN, "Clark") + &record(1, "one") + "2026-11-23T0\u{1b}[2J\n" + &record(3, "three")),
    );
    folder.write("Bona.log", &(heading(RUN, "Bona") + &record(2, "two") + "half a li"));
    assert_eq!(folder.printed(Lines::All), ["one", "2026-11-23T0\\x1b[2J", "two", "half a li", "three"]);
}

#[test]
fn a_file_without_any_heading_is_read_too() {
    let folder = Folder::new();
    folder.write("Clark.log", &(record(1, "one") + &record(2, "two")));
    assert_eq!(folder.printed(Lines::All), ["one", "two"]);
    assert_eq!(folder.printed(Lines::Last(1)), ["two"]);
}

#[test]
fn it_is_known_whether_something_is_left_out() {
    let folder = Folder::new();
    folder.write("Clark.log", &(heading(RUN, "Clark") + &record(1, "one") + &record(2, "two")));
    assert!(folder.reader(Lines::Last(1)).1);
    assert!(!folder.reader(Lines::Last(3)).1);
}

#[test]
fn following_survives_rotation_truncation_and_a_new_file() {
    let folder = Folder::new();
    folder.write("Clark.log", &(heading(RUN, "Clark") + &record(1, "one")));
    let (mut reader, _) = folder.reader(Lines::All);
    let (mut out, answers, _) = Output::captured(false);
    looked(&mut reader, &mut out);
    // Written before the rotation, seen after it; and two rotations between two looks.
    folder.write("Clark.log", &record(2, "two"));
    folder.rotate("Clark.log");
    folder.write("Clark.log", &record(3, "three"));
    folder.rotate("Clark.log");
    folder.write("Clark.log", &record(4, "four"));
    looked(&mut reader, &mut out);
    assert_eq!(lines_of(&answers), ["one", "two", "three", "four"]);
    // A log that was not there before.
    folder.write("Bona.log", &(heading(RUN, "Bona") + &record(5, "five")));
    looked(&mut reader, &mut out);
    assert_eq!(lines_of(&answers).last().unwrap(), "five");
    // A line in two pieces is one line.
    folder.write("Bona.log", record(6, "six").split_at(30).0);
    looked(&mut reader, &mut out);
    assert_eq!(lines_of(&answers).last().unwrap(), "five");
    folder.write("Bona.log", record(6, "six").split_at(30).1);
    looked(&mut reader, &mut out);
    assert_eq!(lines_of(&answers).last().unwrap(), "six");
    // Cut off, as `> Bona.log` would: said, and gone on with.
    fs::write(folder.path("Bona.log"), heading(RUN, "Bona") + &record(7, "7")).unwrap();
    looked(&mut reader, &mut out);
    assert!(answers.text().contains("── Bona: the file was cut off"), "{}", answers.text());
    assert_eq!(lines_of(&answers).last().unwrap(), "7");
    // A new herd.
    folder.write("Clark.log", &(heading(NEXT_RUN, "Clark") + &record(1, "again")));
    looked(&mut reader, &mut out);
    assert!(answers.text().ends_with(&format!("── herd up since {NEXT_RUN}, pid 7 ──\nagain\n")), "{}", answers.text());
}

#[test]
fn a_rotation_that_outran_the_follower_is_said() {
    let folder = Folder::new();
    folder.write("Clark.log", &(heading(RUN, "Clark") + &record(1, "one")));
    let (mut reader, _) = folder.reader(Lines::All);
    let (mut out, answers, _) = Output::captured(false);
    looked(&mut reader, &mut out);
    folder.write("Clark.log", &record(2, "two"));
    folder.rotate("Clark.log");
    folder.write("Clark.log", &record(3, "three"));
    folder.rotate("Clark.log");
    fs::remove_file(folder.path("Clark.log.2")).unwrap();
    fs::remove_file(folder.path("Clark.log.1")).unwrap();
    folder.write("Clark.log", &record(4, "four"));
    looked(&mut reader, &mut out);
    assert!(
        answers.text().contains("── Clark: the file was replaced; records after #1 may be missing"),
        "{}",
        answers.text()
    );
    // What was open could still be read to its end.
    assert_eq!(lines_of(&answers), ["one", "two", "four"]);
}

#[test]
fn a_record_waits_for_an_earlier_one_that_is_written_later() {
    let folder = Folder::new();
    folder.write("Bona.log", &heading(RUN, "Bona"));
    folder.write("Clark.log", &(heading(RUN, "Clark") + &record(2, "two")));
    let (mut reader, _) = folder.reader(Lines::All);
    let (mut out, answers, _) = Output::captured(false);
    assert!(reader.look(Some(Duration::from_secs(3600)), Pace::All, &mut out).is_ok());
    assert_eq!(lines_of(&answers), [""; 0]);
    folder.write("Bona.log", &record(1, "one"));
    looked(&mut reader, &mut out);
    assert_eq!(lines_of(&answers), ["one", "two"]);
}

/// What two processes have logged, each with numbers of its own.
fn of_processes(folder: &Folder) -> Book {
    for process in ["Bona", "Clark"] {
        fs::create_dir_all(folder.path(process)).unwrap();
    }
    let at = |us: u32, seq: u32, text: &str| format!("2026-11-23T06:05:52.{us:06}Z #{seq} INFO  {text}\n");
    folder.write("Bona/Bona.log", &(heading(RUN, "Bona") + &at(10, 1, "b1") + &at(40, 3, "b3")));
    folder.write("Bona/herd.log", &(heading(RUN, "herd") + &at(12, 2, "b2") + &at(60, 4, "b4")));
    // Its clock went back between the two.
    folder.write("Clark/Clark.log", &(heading(NEXT_RUN, "Clark") + &at(20, 1, "c1") + "torn\n" + &at(15, 2, "c2")));
    folder.write("Clark/herd.log", &(heading(NEXT_RUN, "herd") + &at(50, 3, "c3")));
    let name = |name: &str, place, process: &str| Name { name: name.into(), place, process: Some(process.into()) };
    let of = |process: &str, place| [name(process, Some(place), process), name(HERD, None, process)];
    let logs = [of("Bona", 0), of("Clark", 1)].concat();
    Book { folder: folder.folder.path().into(), logs, far: BTreeMap::new(), deadline: ANSWER_MAX }
}

#[test]
fn processes_are_merged_by_time_and_each_keeps_its_own_order() {
    let folder = Folder::new();
    let book = of_processes(&folder);
    let printed = |lines| {
        let (mut out, answers, _) = Output::captured(false);
        assert!(reader_of(&book, lines).0.print(&mut out).is_ok());
        answers.text()
    };
    let shown =
        |text: &str| text.lines().filter(|line| !line.starts_with("──")).map(Into::into).collect::<Vec<String>>();
    let all = printed(Lines::All);
    assert_eq!(shown(&all), ["b1", "b2", "c1", "torn", "c2", "b3", "c3", "b4"]);
    for (begun, run) in [("Bona", RUN), ("Clark", NEXT_RUN)] {
        assert_eq!(all.matches(&format!("── {begun}: herd up since {run}, pid 7 ──\n")).count(), 1, "{all}");
    }
    for last in 0..9 {
        assert_eq!(shown(&printed(Lines::Last(last))), shown(&all)[8 - last.min(8)..], "{last}");
    }
}

#[test]
fn a_record_waits_for_an_earlier_one_of_another_process() {
    let folder = Folder::new();
    let (mut reader, _) = reader_of(&of_processes(&folder), Lines::All);
    let (mut out, answers, _) = Output::captured(false);
    looked(&mut reader, &mut out);
    let before = lines_of(&answers).len();
    let mut look = |wait| {
        assert!(reader.look(wait, Pace::All, &mut out).is_ok());
        lines_of(&answers).split_off(before)
    };
    folder.write("Bona/Bona.log", "2026-11-23T06:05:52.000080Z #5 INFO  b5\n");
    assert!(look(Some(GAP_MAX)).is_empty(), "an earlier one may still come");
    folder.write("Clark/Clark.log", "2026-11-23T06:05:52.000070Z #4 INFO  c4\n");
    assert_eq!(look(Some(GAP_MAX)), ["c4"]);
    assert_eq!(look(None), ["c4", "b5"]);
}

#[test]
fn the_last_of_all_are_shared_by_time() {
    let at = |times: &[u8]| times.iter().map(|&time| [time; 27]).collect::<Vec<Run>>();
    let times = [at(&[1, 4, 6]), at(&[]), at(&[2, 3, 5])];
    for (most, expected) in [(0, [0, 0, 0]), (1, [1, 0, 0]), (2, [1, 0, 1]), (4, [2, 0, 2]), (9, [3, 0, 3])] {
        assert_eq!(shares(&times, most), expected, "{most}");
    }
}

#[test]
fn a_slow_reader_skips_and_counts_exactly() {
    let folder = Folder::new();
    folder.write("Bona.log", &heading(RUN, "Bona"));
    folder.write("Clark.log", &heading(RUN, "Clark"));
    let book = folder.book();
    let chains = book.chains().unwrap();
    let begun = Begun::at_the_ends(&chains);
    let show = Show::new(book.names(), crate::cli::term::Pen { styled: false }, false, true);
    let reader = Reader::new(&book, chains, begun, show, Sieve::default(), "./logs".into());
    let mut live = Live { reader, book };
    let (mut out, answers, _) = Output::captured(false);
    folder.write("Clark.log", &(heading(RUN, "Clark") + &record(1, "one")));
    live.finish(&mut out).unwrap();

    // A flood of several megabytes, odd numbers here and even ones there.
    let text = "x".repeat(200);
    let flood = |parity| (2..20_000).filter(|n| n % 2 == parity).map(|n| record(n, &text)).collect::<String>();
    folder.write("Clark.log", &flood(1));
    folder.write("Bona.log", &(heading(RUN, "Bona") + &flood(0)));
    live.finish(&mut out).unwrap();

    let said = answers.text();
    let skipped = said.lines().find(|line| line.contains("not shown")).expect("the skip is said");
    let counted: u64 =
        skipped.split(" record").next().unwrap().replace("── herd: ", "").replace(',', "").parse().unwrap();
    let shown: Vec<u64> =
        said.lines().filter_map(|line| line.split('#').nth(1)?.split(' ').next()?.parse().ok()).collect();
    assert_eq!(shown.first(), Some(&1));
    assert_eq!(shown[1], 2 + counted, "the count is exact");
    assert!(shown[1..].windows(2).all(|pair| pair[1] == pair[0] + 1), "nothing is missing after the skip");
    assert_eq!(shown.last(), Some(&19_999));
}

/// One step in the life of three logs.
#[derive(Debug, Clone)]
enum Step {
    Write {
        log: usize,
        bytes: usize,
    },
    Rotate {
        log: usize,
    },
    /// All end, and a new herd comes up.
    Again,
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        20 => (0..3usize, 0..3000usize).prop_map(|(log, bytes)| Step::Write { log, bytes }),
        2 => (0..3usize).prop_map(|log| Step::Rotate { log }),
        1 => Just(Step::Again),
    ];
    proptest::collection::vec(step, 0..400)
}

const FILES: [&str; 3] = ["Bona.log", "Clark.log", "herd.log"];

/// Lives the steps; what should be printed, in order.
fn live(folder: &Folder, steps: &[Step], mut after_each: impl FnMut()) -> Vec<String> {
    let (mut run, mut seq, mut expected) = (0, 0, Vec::new());
    let begin = |run: u32| format!("2026-11-23T{run:02}:00:00.000000Z");
    for file in FILES {
        folder.write(file, &heading(&begin(run), file));
    }
    for step in steps {
        match *step {
            Step::Write { log, bytes } => {
                seq += 1;
                let text = format!("{run}/{seq} {}", "x".repeat(bytes));
                folder.write(FILES[log], &record(seq, &text));
                expected.push(text);
            }
            Step::Rotate { log } => {
                for nth in (1..99).rev() {
                    let name = |nth| folder.path(&format!("{}.{nth}", FILES[log]));
                    let _ = fs::rename(name(nth), name(nth + 1));
                }
                fs::rename(folder.path(FILES[log]), folder.path(&format!("{}.1", FILES[log]))).unwrap();
                folder.write(FILES[log], &heading(&begin(run), FILES[log]));
            }
            Step::Again if run < 20 => {
                (run, seq) = (run + 1, 0);
                for file in FILES {
                    folder.write(file, &heading(&begin(run), file));
                }
            }
            Step::Again => {}
        }
        after_each();
    }
    expected
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn whatever_happens_to_the_files_the_merged_order_is_that_of_events(steps in steps(), last in 0..500usize) {
        let folder = Folder::new();
        let expected = live(&folder, &steps, || ());
        prop_assert_eq!(&folder.printed(Lines::All), &expected);
        prop_assert_eq!(&folder.printed(Lines::Last(last))[..], &expected[expected.len().saturating_sub(last)..]);
    }

    #[test]
    fn a_follower_sees_what_a_later_reader_sees(steps in steps(), looks in proptest::collection::vec(any::<bool>(), 400)) {
        let folder = Folder::new();
        let (mut reader, _) = folder.reader(Lines::All);
        let (mut out, answers, _) = Output::captured(false);
        let mut looks = looks.into_iter();
        let expected = live(&folder, &steps, || {
            if looks.next() == Some(true) {
                looked(&mut reader, &mut out);
            }
        });
        looked(&mut reader, &mut out);
        prop_assert_eq!(lines_of(&answers), expected);
    }
}
