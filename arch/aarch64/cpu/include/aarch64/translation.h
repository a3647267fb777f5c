// Values of the registers that control translation; known to assembly.
#pragma once

// Attributes by index: 0 write-back, 1 device (nGnRE), 2 not cached, 3 write-through, 4 device (nGnRnE).
#define MEMORY_ATTRIBUTES 0x00bb4404ff

// TCR_EL1: 48 bits and 4 KiB in both halves, write-back inner-shareable walks, 16-bit address space
// identifiers, top byte ignored for user addresses. The physical size and what FEAT_HAFDBS adds are filled in
// at run time.
#define TRANSLATION_CONTROL 0x00000030b5103510
#define TRANSLATION_CONTROL_SIZE_SHIFT 32
#define TRANSLATION_CONTROL_ACCESS_FLAG (1 << 39)
#define TRANSLATION_CONTROL_DIRTY_STATE (1 << 40)

// SCTLR_EL1 with the MMU off, as a CPU starts: only the bits that are one in version 8.0.
#define SYSTEM_CONTROL_OFF 0x30d00800
// On: MMU, caches, stack alignment checks; user code may clean caches, zero lines, read CTR, wait.
#define SYSTEM_CONTROL_ON 0x34d5d81d
// Set on versions without PAN, clear on the others: PAN is set by each exception.
#define SYSTEM_CONTROL_SPAN 0x00800000
