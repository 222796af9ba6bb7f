//! How values of the wire look in a column: a digest as one algorithm byte and its raw bytes,
//! names as text, times as microseconds. Reading back what does not parse is a damaged record,
//! never a default.

use hythe_oci::{Algorithm, Digest, RepositoryName, Tag, UploadId};
use rusqlite::types::{FromSql, FromSqlError, FromSqlResult, ToSqlOutput, Type, ValueRef};
use rusqlite::{Row, ToSql};

use crate::Timestamp;

impl ToSql for Timestamp {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(self.as_micros().into())
    }
}

impl FromSql for Timestamp {
    fn column_result(value: ValueRef<'_>) -> FromSqlResult<Self> {
        i64::column_result(value).map(Self::from_micros)
    }
}

/// A digest as the key of a row.
pub(crate) struct DigestKey([u8; 65], usize);

impl DigestKey {
    pub(crate) fn of(digest: &Digest) -> Self {
        let mut key = [0; 65];
        key[0] = match digest.algorithm() {
            Algorithm::Sha256 => 1,
            Algorithm::Sha512 => 2,
        };
        let raw = digest.as_bytes();
        key[1..=raw.len()].copy_from_slice(raw);
        Self(key, raw.len() + 1)
    }

    /// Where a walk in the order of digests goes on: the empty key comes before them all. A cursor that may be
    /// NULL would keep SQLite from searching for it, and make a walk quadratic.
    pub(crate) fn after(digest: Option<&Digest>) -> Self {
        digest.map_or(Self([0; 65], 0), Self::of)
    }
}

impl ToSql for DigestKey {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(ToSqlOutput::Borrowed(ValueRef::Blob(&self.0[..self.1])))
    }
}

fn decode_digest(value: &[u8]) -> FromSqlResult<Digest> {
    let digest = match value.split_first() {
        Some((1, raw)) => Digest::from_bytes(Algorithm::Sha256, raw),
        Some((2, raw)) => Digest::from_bytes(Algorithm::Sha512, raw),
        _ => None,
    };
    digest.ok_or(FromSqlError::InvalidType)
}

fn damaged(column: usize, kind: Type) -> rusqlite::Error {
    rusqlite::Error::FromSqlConversionFailure(column, kind, "the record does not hold a valid value".into())
}

pub(crate) fn digest_at(row: &Row<'_>, column: usize) -> rusqlite::Result<Digest> {
    let value = row.get_ref(column)?.as_blob().map_err(|_| damaged(column, Type::Blob))?;
    decode_digest(value).map_err(|_| damaged(column, Type::Blob))
}

/// A digest in a column that may be empty.
pub(crate) fn optional_digest_at(row: &Row<'_>, column: usize) -> rusqlite::Result<Option<Digest>> {
    match row.get_ref(column)? {
        ValueRef::Null => Ok(None),
        _ => digest_at(row, column).map(Some),
    }
}

pub(crate) fn time_at(row: &Row<'_>, column: usize) -> rusqlite::Result<Timestamp> {
    row.get(column)
}

fn parsed<T>(row: &Row<'_>, column: usize, parse: impl Fn(&str) -> Option<T>) -> rusqlite::Result<T> {
    let text = row.get_ref(column)?.as_str().map_err(|_| damaged(column, Type::Text))?;
    parse(text).ok_or_else(|| damaged(column, Type::Text))
}

/// Reads a column that holds a name through that name's own parser.
pub(crate) fn name_at<T: std::str::FromStr>(row: &Row<'_>, column: usize) -> rusqlite::Result<T> {
    parsed(row, column, |text| text.parse().ok())
}

pub(crate) fn repository_at(row: &Row<'_>, column: usize) -> rusqlite::Result<RepositoryName> {
    name_at(row, column)
}

pub(crate) fn tag_at(row: &Row<'_>, column: usize) -> rusqlite::Result<Tag> {
    name_at(row, column)
}

pub(crate) fn upload_id_at(row: &Row<'_>, column: usize) -> rusqlite::Result<UploadId> {
    let value = row.get_ref(column)?.as_blob().map_err(|_| damaged(column, Type::Blob))?;
    let bytes = value.try_into().map_err(|_| damaged(column, Type::Blob))?;
    Ok(UploadId::from_bytes(bytes))
}

/// A size column: never negative in a sound record.
pub(crate) fn size_at(row: &Row<'_>, column: usize) -> rusqlite::Result<u64> {
    let value: i64 = row.get(column)?;
    u64::try_from(value).map_err(|_| damaged(column, Type::Integer))
}

/// A size as a column value. Sizes above `i64::MAX` cannot come from a file.
pub(crate) fn size_value(size: u64) -> i64 {
    i64::try_from(size).unwrap_or(i64::MAX)
}
