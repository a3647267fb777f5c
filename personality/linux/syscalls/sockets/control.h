// Control messages (cmsg(3)): descriptors and credentials that travel with the data of a Unix socket.
#pragma once

#include "syscalls/sockets/common.h"

namespace linux_abi {

// Reads the control buffer of a sendmsg into the request. EINVAL for malformed ones, EPERM for credentials
// that the caller may not claim, EBADF, ETOOMANYREFS.
Result<void> read_control(Context& context, const Msghdr& header, socket::SendRequest& request);

// Writes what a recvmsg received into the control buffer: sets control_length and adds MSG_CTRUNC to flags
// when it does not fit. Descriptors that find no room are closed.
Result<void> write_control(Context& context, Msghdr& header, socket::ReceiveRequest& request,
                           CloseOnExec close_on_exec);

}  // namespace linux_abi
