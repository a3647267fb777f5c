// Error numbers. The names and values are those of Linux (asm-generic/errno.h), in lower case because a C library on
// the host defines the upper-case ones as macros.
#pragma once

namespace base {

enum class Errno : int {
  eperm = 1, enoent = 2, esrch = 3, eintr = 4, eio = 5, enxio = 6, e2big = 7, enoexec = 8, ebadf = 9, echild = 10,
  eagain = 11, enomem = 12, eacces = 13, efault = 14, enotblk = 15, ebusy = 16, eexist = 17, exdev = 18, enodev = 19,
  enotdir = 20, eisdir = 21, einval = 22, enfile = 23, emfile = 24, enotty = 25, etxtbsy = 26, efbig = 27, enospc = 28,
  espipe = 29, erofs = 30, emlink = 31, epipe = 32, edom = 33, erange = 34, edeadlk = 35, enametoolong = 36,
  enolck = 37, enosys = 38, enotempty = 39, eloop = 40, enomsg = 42, eidrm = 43, enostr = 60, enodata = 61, etime = 62,
  enonet = 64, enolink = 67, ecomm = 70, eproto = 71, ebadmsg = 74, eoverflow = 75, enotuniq = 76, ebadfd = 77,
  elibacc = 79, elibbad = 80, elibexec = 83, eilseq = 84, eusers = 87, enotsock = 88, edestaddrreq = 89,
  emsgsize = 90, eprototype = 91, enoprotoopt = 92, eprotonosupport = 93, esocktnosupport = 94, eopnotsupp = 95,
  epfnosupport = 96, eafnosupport = 97, eaddrinuse = 98, eaddrnotavail = 99, enetdown = 100, enetunreach = 101,
  enetreset = 102, econnaborted = 103, econnreset = 104, enobufs = 105, eisconn = 106, enotconn = 107,
  eshutdown = 108, etimedout = 110, econnrefused = 111, ehostdown = 112, ehostunreach = 113, ealready = 114,
  einprogress = 115, estale = 116, euclean = 117, edquot = 122, enomedium = 123, emediumtype = 124, ecanceled = 125,
  enokey = 126, ekeyexpired = 127, ekeyrevoked = 128, ekeyrejected = 129, eownerdead = 130, enotrecoverable = 131,
  erfkill = 132, ehwpoison = 133,
  // Never seen by user space: a system call that a signal interrupted, and how it is taken up again (personality).
  restart_always = 512,        // restarted unless a handler without SA_RESTART ran (ERESTARTSYS)
  restart_silently = 513,      // restarted always, handler or not (ERESTARTNOINTR)
  restart_no_handler = 514,    // restarted only when no handler ran (ERESTARTNOHAND)
  restart_block = 516,         // restarted through restart_syscall with the time left (ERESTART_RESTARTBLOCK)
  interrupted_finally = 517,   // EINTR for the program whatever happens (eintr itself means restart_always there)
};

}  // namespace base
