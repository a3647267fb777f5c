// The page that kernel and vDSO share: written by the one, read by the other.
#pragma once

// Part of the kernel and of the vDSO, which has no headers.

// Readers: take `sequence` until it is even, read, and start again if it has changed.
struct VdsoData {
  __UINT32_TYPE__ sequence;
  __UINT32_TYPE__ usable;
  __UINT64_TYPE__ counter_base;
  __UINT64_TYPE__ multiplier, raw_multiplier;
  __UINT64_TYPE__ shift;
  __UINT64_TYPE__ monotonic_base_ns, raw_base_ns;
  __UINT64_TYPE__ realtime_offset_ns, boot_offset_ns;
  __INT64_TYPE__ tai_offset_ns;
};
