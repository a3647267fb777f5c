// Boot-time preparation of the user access routines.
#pragma once

namespace arch {

// Adapts user_copy.S and string.S to the processor. Boot CPU, before code becomes read-only.
void prepare_user_access();

}  // namespace arch
