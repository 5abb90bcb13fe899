//! What kernels met in slots, block tables, lengths and offsets that was out of range.
use std::fmt;

use vkv_sys as sys;

use crate::error::text;

/// Numbers out of range since the report was last read, as
/// [`Context::read_device_report`](crate::Context::read_device_report) gives them. Nothing was read or written there.
/// It is an error in its own right, for callers who treat it as one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeviceReport {
    /// How many events; at least 1. The rest describes the first.
    pub count: u64,
    /// The operation that met it.
    pub op: Op,
    /// Which number.
    pub what: ReportKind,
    /// Index into the array that held it (row-major for a block table).
    pub index: i64,
    /// The number found.
    pub value: i64,
    /// The smallest number that is too large there.
    pub limit: i64,
    /// The same as a sentence.
    pub message: String,
}

impl DeviceReport {
    pub(crate) fn from_raw(raw: &sys::vkv_device_report) -> Option<Self> {
        (raw.count != 0).then(|| DeviceReport {
            count: raw.count,
            op: Op(raw.op),
            what: ReportKind(raw.what),
            index: raw.index,
            value: raw.value,
            limit: raw.limit,
            message: text(raw.message.as_ptr()),
        })
    }
}

impl fmt::Display for DeviceReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for DeviceReport {}

/// An operation, by its number in C: `VKV_OP_*`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Op(pub i32);

impl fmt::Display for Op {
    /// The name, such as `paged_attention`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&text(unsafe { sys::vkv_op_string(self.0) }))
    }
}

/// Which number was out of range, by its number in C: `VKV_REPORT_*`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct ReportKind(pub i32);

impl ReportKind {
    /// A slot at or past `num_blocks * block_size`.
    pub const SLOT: Self = Self(sys::VKV_REPORT_SLOT);
    /// A block id outside the cache.
    pub const BLOCK_ID: Self = Self(sys::VKV_REPORT_BLOCK_ID);
    /// A position past the block table's last column.
    pub const TABLE_COLUMN: Self = Self(sys::VKV_REPORT_TABLE_COLUMN);
    /// A sequence or query length below 0 or past its bound.
    pub const LENGTH: Self = Self(sys::VKV_REPORT_LENGTH);
    /// An offset out of order or past the buffer.
    pub const OFFSET: Self = Self(sys::VKV_REPORT_OFFSET);
    /// A position outside the cos/sin table, or a negative first position.
    pub const POSITION: Self = Self(sys::VKV_REPORT_POSITION);
}
