//! The files of a tar archive as they come by, from a stream that is read once.
//!
//! The parser runs on a thread of its own and hands over one entry after the other: what is small, or looks like a
//! document, whole; anything else piece by piece, as fast as it is taken.

use std::cell::Cell;
use std::io::{self, Read};
use std::path::Path;
use std::rc::Rc;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use flate2::read::MultiGzDecoder;
use futures_util::stream::BoxStream;
use futures_util::{StreamExt as _, stream};
use tokio::sync::mpsc;

use super::DOCUMENT_BYTES;
use super::paths::{plain, resolved};

/// The pieces in which content is handed over.
const PIECE: usize = 64 * 1024;

/// Pieces that may wait in each direction.
const WAITING: usize = 8;

/// What is this small is handed over whole, whatever it is.
const SMALL: u64 = 64 * 1024;

/// The most entries of an archive: images have some hundreds at most.
const MOST_ENTRIES: usize = 100_000;

/// The most bytes of headers before one entry. Paths and attributes that do not fit into one have some kilobytes; the
/// parser keeps all of them in memory.
const MOST_HEADERS: u64 = 1024 * 1024;

/// The most bytes of all paths together.
const MOST_PATHS: usize = 16 * 1024 * 1024;

/// A file, or a name for another file, in an archive. Paths are relative, with plain components alone.
pub(crate) enum Entry {
    /// A small file or a document, whole.
    Whole(String, Bytes),
    /// A large file: all of its body must be taken, or be dropped, before the next entry comes.
    Large(String, u64, Body),
    /// A symbolic or hard link, with the path it points at, seen from the root of the archive.
    Link(String, String),
}

/// The content of a large file.
pub(crate) struct Body {
    pieces: mpsc::Receiver<io::Result<Bytes>>,
    first: Option<Bytes>,
}

impl Body {
    /// The first bytes, by which a compression is known.
    pub(crate) fn begins_with(&self, magic: &[u8]) -> bool {
        self.first.as_ref().is_some_and(|first| first.starts_with(magic))
    }

    /// Whether it looks like a tar, as every uncompressed layer of an image does.
    pub(crate) fn is_tar(&self) -> bool {
        self.first.as_ref().and_then(|first| first.get(257..262)) == Some(b"ustar")
    }

    pub(crate) fn into_stream(mut self) -> BoxStream<'static, io::Result<Bytes>> {
        let first = stream::iter(self.first.map(Ok));
        let rest = stream::poll_fn(move |context| self.pieces.poll_recv(context));
        first.chain(rest).boxed()
    }
}

/// The entries of an archive, in its order.
pub(crate) struct Entries {
    entries: mpsc::Receiver<io::Result<Entry>>,
}

impl Entries {
    /// Reads an archive, plain or compressed with gzip or zstd.
    pub(crate) fn read(archive: BoxStream<'static, io::Result<Bytes>>) -> Self {
        let (bytes, source) = mpsc::channel(WAITING);
        tokio::spawn(feed(archive, bytes));
        let (told, entries) = mpsc::channel(1);
        tokio::task::spawn_blocking(move || {
            let source = Pieces { source, piece: Bytes::new() };
            if let Err(error) = parse(source, &told) {
                // Whoever does not listen any more has no use for it.
                let _ = told.blocking_send(Err(error));
            }
        });
        Self { entries }
    }

    /// The next entry, or `None` at the end.
    pub(crate) async fn next(&mut self) -> io::Result<Option<Entry>> {
        self.entries.recv().await.transpose()
    }
}

async fn feed(mut archive: BoxStream<'static, io::Result<Bytes>>, bytes: mpsc::Sender<io::Result<Bytes>>) {
    while let Some(piece) = archive.next().await {
        if bytes.send(piece).await.is_err() {
            // The parser is done: engines that wait for their archive to be read get their end all the same.
            drain(archive).await;
            return;
        }
    }
}

/// Reads what is left of a stream whose content does not count, for a short while.
async fn drain(mut archive: BoxStream<'static, io::Result<Bytes>>) {
    let rest = async { while let Some(Ok(_)) = archive.next().await {} };
    let _ = tokio::time::timeout(Duration::from_secs(5), rest).await;
}

/// An asynchronous stream as a reader, for a thread that may wait.
struct Pieces {
    source: mpsc::Receiver<io::Result<Bytes>>,
    piece: Bytes,
}

impl Read for Pieces {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        while self.piece.is_empty() {
            match self.source.blocking_recv() {
                Some(piece) => self.piece = piece?,
                None => return Ok(0),
            }
        }
        let taken = self.piece.split_to(self.piece.len().min(buffer.len()));
        for (to, from) in buffer.iter_mut().zip(&taken) {
            *to = *from;
        }
        Ok(taken.len())
    }
}

fn parse(mut source: Pieces, told: &mpsc::Sender<io::Result<Entry>>) -> io::Result<()> {
    let mut magic = Vec::new();
    source.by_ref().take(4).read_to_end(&mut magic)?;
    let whole = io::Cursor::new(magic.clone()).chain(source);
    match magic.as_slice() {
        [0x1f, 0x8b, ..] => walk(MultiGzDecoder::new(whole), told),
        [0x28, 0xb5, 0x2f, 0xfd] => walk(zstd::Decoder::new(whole)?, told),
        _ => walk(whole, told),
    }
}

/// A reader that gives no more than is left to read, as long as there is a limit.
struct Limited<R> {
    source: R,
    state: Rc<State>,
}

/// What a reader and whoever reads have in common.
#[derive(Default)]
struct State {
    left: Cell<Option<u64>>,
    /// Whether reading itself failed, or the limit was reached: the parser's own words are about a header.
    failed: Cell<bool>,
}

impl<R: Read> Read for Limited<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let failed = |error| {
            self.state.failed.set(true);
            error
        };
        let Some(left) = self.state.left.get() else { return self.source.read(buffer).map_err(failed) };
        if left == 0 {
            self.state.failed.set(true);
            return Err(io::Error::other(format!(
                "the headers of a file in it have more than {MOST_HEADERS} bytes"
            )));
        }
        let most = buffer.len().min(usize::try_from(left).unwrap_or(usize::MAX));
        let read = self.source.read(buffer.get_mut(..most).unwrap_or_default()).map_err(failed)?;
        self.state.left.set(Some(left - read as u64));
        Ok(read)
    }
}

fn walk(archive: impl Read, told: &mpsc::Sender<io::Result<Entry>>) -> io::Result<()> {
    let state = Rc::new(State::default());
    let mut archive = tar::Archive::new(Limited { source: archive, state: Rc::clone(&state) });
    let mut entries = archive.entries()?;
    let mut paths = 0;
    for count in 0.. {
        // What is read now is headers: bodies are read to their end below.
        state.left.set(Some(MOST_HEADERS));
        let Some(entry) = entries.next() else { break };
        state.left.set(None);
        if count >= MOST_ENTRIES {
            return Err(io::Error::other(format!("it has more than {MOST_ENTRIES} entries")));
        }
        let mut entry = match entry {
            // What the parser quotes of a header that is none is of no use to anybody.
            Err(error) if error.kind() == io::ErrorKind::Other && !state.failed.get() => {
                return Err(io::Error::other(match count {
                    0 => "it is no tar archive, nor one packed by gzip or zstd".to_owned(),
                    _ => format!("what follows its entry {count} is not how an archive goes on"),
                }));
            }
            entry => entry?,
        };
        whole_in_itself(&mut entry)?;
        let path = plain(&entry.path()?)?;
        paths += path.len();
        if paths > MOST_PATHS {
            return Err(io::Error::other(format!("its paths have more than {MOST_PATHS} bytes together")));
        }
        let size = entry.size();
        let kind = entry.header().entry_type();
        let sent = if kind.is_symlink() || kind.is_hard_link() {
            let target = entry.link_name()?.ok_or_else(|| io::Error::other("a link in it points nowhere"))?;
            // A symbolic link is seen from the folder it lies in, a hard link from the root.
            let target = match Path::new(&path).parent() {
                Some(folder) if kind.is_symlink() => resolved(&folder.join(&target))?,
                _ => resolved(&target)?,
            };
            told.blocking_send(Ok(Entry::Link(path, target)))
        } else if kind.is_file() || kind == tar::EntryType::Continuous {
            let first = piece(&mut entry, size)?;
            let document = size <= DOCUMENT_BYTES && (first.starts_with(b"{") || first.starts_with(b"["));
            if size <= SMALL || document {
                let mut whole = BytesMut::from(&first[..]);
                loop {
                    let next = piece(&mut entry, size)?;
                    if next.is_empty() {
                        break;
                    }
                    whole.extend_from_slice(&next);
                }
                complete(whole.len() as u64, size)?;
                told.blocking_send(Ok(Entry::Whole(path, whole.freeze())))
            } else {
                let (pieces, body) = mpsc::channel(WAITING);
                let body = Body { pieces: body, first: Some(first.clone()) };
                let sent = told.blocking_send(Ok(Entry::Large(path, size, body)));
                if sent.is_ok() {
                    hand_over(&mut entry, first.len() as u64, size, &pieces)?;
                }
                sent
            }
        } else {
            // Folders and the like say nothing.
            Ok(())
        };
        if sent.is_err() {
            return Ok(());
        }
        io::copy(&mut entry, &mut io::sink())?;
    }
    Ok(())
}

/// Refuses files with holes: programs disagree on what they hold, and a few bytes of them stand for any number of
/// zeros.
fn whole_in_itself<R: Read>(entry: &mut tar::Entry<'_, R>) -> io::Result<()> {
    let mut sparse = entry.header().entry_type().is_gnu_sparse();
    if let Some(extensions) = entry.pax_extensions()? {
        for extension in extensions {
            sparse |= extension?.key_bytes().starts_with(b"GNU.sparse.");
        }
    }
    if sparse {
        return Err(io::Error::other(
            "it holds a sparse file, which no program writes into an image's archive",
        ));
    }
    Ok(())
}

/// Hands over the rest of a file, or reads over it once nobody takes it any more.
fn hand_over(
    entry: &mut impl Read,
    mut read: u64,
    size: u64,
    pieces: &mpsc::Sender<io::Result<Bytes>>,
) -> io::Result<()> {
    loop {
        let next = match piece(entry, size) {
            Ok(next) => next,
            Err(error) => {
                let told = io::Error::new(error.kind(), error.to_string());
                let _ = pieces.blocking_send(Err(told));
                return Err(error);
            }
        };
        if next.is_empty() {
            break;
        }
        read += next.len() as u64;
        // The rest is read over by the caller: nobody needs it.
        if pieces.blocking_send(Ok(next)).is_err() {
            return Ok(());
        }
    }
    if let Err(error) = complete(read, size) {
        let _ = pieces.blocking_send(Err(io::Error::new(error.kind(), error.to_string())));
        return Err(error);
    }
    Ok(())
}

fn complete(read: u64, size: u64) -> io::Result<()> {
    if read == size {
        return Ok(());
    }
    let problem = format!("a file in the archive breaks off after {read} of {size} bytes");
    Err(io::Error::new(io::ErrorKind::UnexpectedEof, problem))
}

/// The next bytes, at most a piece of them; none at the end.
fn piece(entry: &mut impl Read, size: u64) -> io::Result<Bytes> {
    let mut piece = Vec::with_capacity(PIECE.min(usize::try_from(size).unwrap_or(PIECE)));
    entry.take(PIECE as u64).read_to_end(&mut piece)?;
    Ok(piece.into())
}

#[cfg(test)]
mod tests {
    use futures_util::TryStreamExt as _;
    use proptest::prelude::*;

    use super::*;

    fn tarred(files: &[(&str, &[u8])]) -> Vec<u8> {
        let mut tar = tar::Builder::new(Vec::new());
        for (path, content) in files {
            let mut header = tar::Header::new_gnu();
            header.set_size(content.len() as u64);
            header.set_mode(0o644);
            // Written by hand: the builder would refuse what a hostile archive has.
            let name = &mut header.as_old_mut().name;
            name[..path.len()].copy_from_slice(path.as_bytes());
            header.set_cksum();
            tar.append(&header, *content).unwrap();
        }
        tar.into_inner().unwrap()
    }

    async fn read(archive: &[u8]) -> io::Result<Vec<(String, Vec<u8>)>> {
        let pieces: Vec<_> = archive.chunks(700).map(Bytes::copy_from_slice).map(Ok).collect();
        let mut entries = Entries::read(stream::iter(pieces).boxed());
        let mut found = Vec::new();
        while let Some(entry) = entries.next().await? {
            match entry {
                Entry::Whole(path, content) => found.push((path, content.to_vec())),
                Entry::Large(path, _, body) => {
                    let pieces: Vec<Bytes> = body.into_stream().try_collect().await?;
                    found.push((path, pieces.concat()));
                }
                Entry::Link(path, target) => found.push((path, target.into_bytes())),
            }
        }
        Ok(found)
    }

    #[tokio::test]
    async fn files_come_whole_or_in_pieces_from_every_kind_of_archive() {
        let large = vec![7; 3_000_000];
        let plain = tarred(&[("./a.json", b"{}"), ("d/layer.tar", &large), ("z", b"end")]);
        let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        io::Write::write_all(&mut gzip, &plain).unwrap();
        for archive in [plain.clone(), gzip.finish().unwrap(), zstd::bulk::compress(&plain, 1).unwrap()] {
            let found = read(&archive).await.unwrap();
            let names: Vec<_> = found.iter().map(|(path, content)| (path.as_str(), content.len())).collect();
            assert_eq!(names, [("a.json", 2), ("d/layer.tar", large.len()), ("z", 3)]);
            assert!(found[1].1 == large);
        }
    }

    #[tokio::test]
    async fn a_body_that_is_not_taken_is_passed_over() {
        let large = vec![7; 3_000_000];
        let archive = tarred(&[("layer.tar", &large), ("after", b"x")]);
        let mut entries = Entries::read(stream::iter([Ok(Bytes::from(archive))]).boxed());
        let Some(Entry::Large(_, size, body)) = entries.next().await.unwrap() else { panic!() };
        assert_eq!(size, 3_000_000);
        drop(body);
        assert!(matches!(entries.next().await.unwrap(), Some(Entry::Whole(path, _)) if path == "after"));
        assert!(entries.next().await.unwrap().is_none());
    }

    #[tokio::test]
    async fn links_are_seen_from_where_they_lie() {
        let mut tar = tar::Builder::new(Vec::new());
        let mut header = tar::Header::new_gnu();
        header.set_entry_type(tar::EntryType::Symlink);
        header.set_size(0);
        tar.append_link(&mut header, "b/layer.tar", "../a/layer.tar").unwrap();
        let found = read(&tar.into_inner().unwrap()).await.unwrap();
        assert_eq!(found, [("b/layer.tar".to_owned(), b"a/layer.tar".to_vec())]);
    }

    #[tokio::test]
    async fn paths_that_lead_out_and_archives_that_end_early_are_refused() {
        for path in ["../evil", "/etc/passwd", "a/../../b"] {
            let error = read(&tarred(&[(path, b"x")])).await.unwrap_err();
            assert!(error.to_string().contains("leads out"), "{path}: {error}");
        }
        let large = vec![7; 3_000_000];
        let archive = tarred(&[("layer.tar", &large)]);
        assert!(read(&archive[..1_000_000]).await.is_err());
        let mut tar = tar::Builder::new(Vec::new());
        let mut header = tar::Header::new_gnu();
        header.set_entry_type(tar::EntryType::Symlink);
        header.set_size(0);
        tar.append_link(&mut header, "layer.tar", "../../etc/passwd").unwrap();
        assert!(read(&tar.into_inner().unwrap()).await.is_err());
    }

    #[tokio::test]
    async fn names_without_an_end_and_holes_are_refused() {
        // A name of 3 MiB; what is compressed well could be as long as any disk.
        let mut header = tar::Header::new_gnu();
        header.set_entry_type(tar::EntryType::GNULongName);
        let name = vec![b'a'; 3 << 20];
        header.set_size(name.len() as u64);
        header.set_cksum();
        let mut long = [header.as_bytes().as_slice(), &name].concat();
        long.extend(tarred(&[("x", b"x")]));
        let error = read(&long).await.unwrap_err();
        assert!(error.to_string().contains("headers of a file"), "{error}");
        let mut header = tar::Header::new_gnu();
        header.set_entry_type(tar::EntryType::XHeader);
        header.set_size(22);
        header.set_cksum();
        let mut sparse = [header.as_bytes().as_slice(), b"22 GNU.sparse.major=1\n", &[0; 490]].concat();
        sparse.extend(tarred(&[("x", b"x")]));
        let error = read(&sparse).await.unwrap_err();
        assert!(error.to_string().contains("sparse"), "{error}");
        let mut header = tar::Header::new_gnu();
        header.set_entry_type(tar::EntryType::GNUSparse);
        header.set_path("x").unwrap();
        header.set_size(0);
        header.as_gnu_mut().unwrap().realsize.copy_from_slice(b"00000000000\0");
        header.set_cksum();
        let error = read(&[header.as_bytes().as_slice(), &[0; 1024]].concat()).await.unwrap_err();
        assert!(error.to_string().contains("sparse"), "{error}");
        // Entries of a size beyond everything end where the archive does.
        let mut header = tar::Header::new_gnu();
        header.set_path("x").unwrap();
        header.set_size(u64::MAX / 2);
        header.set_cksum();
        assert!(read(&[header.as_bytes().as_slice(), &[0; 1024]].concat()).await.is_err());
    }

    #[tokio::test]
    async fn paths_have_a_limit_together() {
        let path = "a/".repeat(400_000);
        let mut archive = Vec::new();
        for _ in 0..40 {
            let mut header = tar::Header::new_gnu();
            header.set_entry_type(tar::EntryType::GNULongName);
            header.set_size(path.len() as u64);
            header.set_cksum();
            archive.extend_from_slice(header.as_bytes());
            archive.extend_from_slice(path.as_bytes());
            archive.resize(archive.len().next_multiple_of(512), 0);
            let file = tarred(&[("x", b"x")]);
            archive.extend_from_slice(&file[..1024]);
        }
        let error = read(&archive).await.unwrap_err();
        assert!(error.to_string().contains("paths"), "{error}");
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]
        #[test]
        fn any_bytes_are_survived(bytes in prop::collection::vec(any::<u8>(), 0..4000), cut in 0usize..4000) {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            runtime.block_on(async {
                drop(read(&bytes).await);
                let mut archive = tarred(&[("a.json", b"{}"), ("b", &bytes)]);
                let at = cut % archive.len();
                archive[at] ^= 0x5a;
                drop(read(&archive).await);
            });
        }
    }
}
