//! The committed inputs of a target: the files of `corpus/<target>/`, in the order of their names.

use std::fs;
use std::path::PathBuf;

/// Texts that break readers, whatever they read; mutations put them in anywhere.
pub(crate) const HOSTILE: [&[u8]; 48] = [
    b"null",
    b"true",
    b"{}",
    b"[]",
    b"\"\"",
    b"0",
    b"-0",
    b"-1",
    b"1e400",
    b"1E-400",
    b"0.1",
    b"2147483648",
    b"4294967296",
    b"9223372036854775807",
    b"9223372036854775808",
    b"-9223372036854775808",
    b"18446744073709551616",
    b"123456789012345678901234567890",
    b"\\u0000",
    b"\\ud800",
    b"\\ud83d\\ude00",
    b"\0",
    b"\xef\xbb\xbf",
    b"\xff",
    b"\xc0\xae",
    b"\xed\xa0\x80",
    b"\xc2\x85",
    "\u{202e}".as_bytes(),
    "ß".as_bytes(),
    "İ".as_bytes(),
    "\u{1f600}".as_bytes(),
    b"\r\n",
    b"\n",
    b"\x7f",
    b"%7f",
    b"%00",
    b".",
    b"..",
    b"/",
    b"\\",
    b";",
    b"%2e",
    b"%",
    b"0001-01-01T00:00:00",
    b"9999-12-31T23:59:59",
    b"+262142-12-31T23:59:59",
    b"-0001-02-30",
    b"24:00:00",
];

/// No file has a say for more words: one with a thousand ids would leave no room for others.
const WORDS_OF_A_FILE: usize = 60;

/// All inputs of a target, and the words in them.
#[derive(Debug)]
pub(crate) struct Corpus {
    /// File name and content.
    pub(crate) files: Vec<(String, Vec<u8>)>,
    /// The words of all inputs, for mutations to put in elsewhere.
    pub(crate) words: Vec<Vec<u8>>,
}

impl Corpus {
    /// Reads it.
    pub(crate) fn of(target: &str) -> Self {
        let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("corpus").join(target);
        let entries = fs::read_dir(&folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
        let mut files: Vec<(String, Vec<u8>)> = entries
            .map(|entry| {
                let path = entry.unwrap().path();
                (path.file_name().unwrap().to_string_lossy().into_owned(), fs::read(path).unwrap())
            })
            .collect();
        files.sort();
        assert!(!files.is_empty(), "{} has no input", folder.display());
        let mut words: Vec<Vec<u8>> =
            files.iter().flat_map(|(_, content)| words(content).take(WORDS_OF_A_FILE)).collect();
        words.sort();
        words.dedup();
        Self { files, words }
    }
}

/// Runs of letters and digits with what is usual between them, and every other character alone.
fn words(content: &[u8]) -> impl Iterator<Item = Vec<u8>> + '_ {
    let inside = |byte: &u8| byte.is_ascii_alphanumeric() || b"_-:+.".contains(byte) || !byte.is_ascii();
    content.chunk_by(move |one, next| inside(one) && inside(next)).filter(|word| word.len() <= 64).map(<[u8]>::to_vec)
}
